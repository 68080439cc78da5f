"""Which construct asked for a truth value."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from probe import uses_in

from perspicax.diagnose.source import Condition, condition_at, on_device


def conditions(tmp_path: Path, source: str, truth: bool = True) -> list[Condition]:
    found = [condition_at(position) for kind, position in uses_in(tmp_path, source, truth) if kind == "bool"]
    assert all(found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize(("source", "kind", "word", "test"), [
    ("if p: pass", "if", "if", "p"),
    ("if p < 1: pass", "if", "if", "p < 1"),
    ("if (n := p + 1): pass", "if", "if", "p + 1"),
    ("if 0: pass\nelif p: pass", "elif", "elif", "p"),
    ("while p: break", "while", "while", "p"),
    ("while p < 1: break", "while", "while", "p < 1"),
    ("assert p, 'text'", "assert", "assert", "p"),
    ("x = 1 if p < 2 else 2", "ternary", "if", "p < 2"),
    ("x = [i for i in range(1) if p]", "comprehension", "if", "p"),
    ("x = p and 1", "and", "and", "p"),
    ("x = p or 1", "or", "or", "p"),
    ("x = not p", "not", "not", "p"),
    ("if not p: pass", "not", "not", "p"),
    ("if p and 1: pass", "and", "and", "p"),
    ("if 1 and p: pass", "if", "if", "p"),
    ("x = bool(p > 1)", "bool", "bool(...)", "p > 1"),
    ("x = 0 < p < 2", "chain", "0 < p < 2", "0 < p"),
    ("if 0 < p < 2: pass", "chain", "0 < p < 2", "0 < p"),
    ("x = any([p])", "call", "any(...)", "[p]"),
    ("x = max(p, p)", "call", "max(...)", "max(p, p)"),
    ("x = 5 in [p]", "in", "in", "5 in [p]"),
    ("x = [p] == [5]", "comparison", "[p] == [5]", "[p] == [5]"),
    ("match p:\n    case 5: pass", "match", "match", "p"),
    ("match 1:\n    case 1 if p: pass", "guard", "if", "p"),
])
def test_kinds(tmp_path: Path, source: str, kind: str, word: str, test: str) -> None:
    condition = conditions(tmp_path, source)[0]
    assert (condition.kind, condition.word, condition.test.text) == (kind, word, test)


def test_the_second_test_of_a_while_is_the_same_test(tmp_path: Path) -> None:
    found = conditions(tmp_path, "n = 0\nwhile p > 0:\n    n += 1\n    if n > 1: break")
    assert [(c.kind, c.test.text) for c in found] == [("while", "p > 0")] * 2


def test_the_last_link_of_a_chain_belongs_to_the_if(tmp_path: Path) -> None:
    found = conditions(tmp_path, "if 0 < p < p: pass")
    assert [(c.kind, c.test.text, c.within) for c in found] == [("chain", "0 < p", "if"), ("if", "0 < p < p", "")]


def test_where_it_stands(tmp_path: Path) -> None:
    source = "def f(a):\n    if 1:\n        return 3 if not a else 4\nf(p)"
    condition = conditions(tmp_path, source)[0]
    assert condition.function is not None and isinstance(condition.function.node, ast.FunctionDef)
    assert condition.statement is not None and condition.statement.text == "return 3 if not a else 4"
    assert (condition.kind, condition.within, condition.whole_test.text) == ("not", "ternary", "not a")


@pytest.mark.parametrize(("body", "how", "target", "then", "otherwise", "lines"), [
    ("if a: return 1\n    return a + 2", "return", "", "1", "a + 2", (2, 3)),
    ("if a:\n        return 1\n    else:\n        return 2", "return", "", "1", "2", (2, 5)),
    ("if a: y = 1\n    else: y = a", "assign", "y", "1", "a", (2, 3)),
    ("y = 0\n    if a: y = 1", "assign", "y", "1", "y", (3, 3)),
    ("return a if a else 2", "expression", "", "a", "2", (2, 2)),
])
def test_branches(
    tmp_path: Path, body: str, how: str, target: str, then: str, otherwise: str, lines: tuple[int, int]
) -> None:
    branches = conditions(tmp_path, f"def f(a):\n    {body}\nf(p)")[0].branches()
    assert branches is not None
    assert (branches.how, branches.target) == (how, target)
    assert (branches.then.text, branches.otherwise.text) == (then, otherwise)
    assert (branches.span.line, branches.span.end_line) == lines


def test_no_branches_where_a_side_does_more(tmp_path: Path) -> None:
    assert conditions(tmp_path, "if p:\n    x = 1\n    y = 2\nelse:\n    x = 3")[0].branches() is None
    assert conditions(tmp_path, "x = p and 1")[0].branches() is None


def test_rewriting_for_the_device(tmp_path: Path) -> None:
    test = conditions(tmp_path, "a = b = 1\nif p and (not a or 0 < b < 3): pass")[0].whole_test
    assert on_device(test, "np") == (
        "np.logical_and(p, np.logical_or(np.logical_not(a), np.logical_and(0 < b, b < 3)))")
    assert on_device(conditions(tmp_path, "if p<1: pass")[0].whole_test) == "p<1"


def test_no_condition_where_nothing_is_asked(tmp_path: Path) -> None:
    assert [condition_at(position) for _, position in uses_in(tmp_path, "x = p + 1")] == [None]
    assert condition_at(None) is None
