"""What can be read from a user's source at the place of an operation."""

from __future__ import annotations

import functools
import linecache
import sys
from pathlib import Path

import pytest
from probe import Probe, uses_in

from perspicax.diagnose.files import forget_files
from perspicax.diagnose.source import (
    Position,
    Span,
    assignments_before,
    callee_at,
    decorator_span,
    expression_at,
    function_span,
    imported_as,
    mentions,
    operand_name,
    operands_at,
    parameter_names,
    shorten,
    source_line,
)


def place(tmp_path: Path, source: str, what: str = "op", **names: object) -> Position:
    return next(position for kind, position in uses_in(tmp_path, source, **names) if kind == what)


@pytest.mark.parametrize(("source", "what", "text", "operands", "operation"), [
    ("x = p + 1", "op", "p + 1", ["p", "1"], "add"),
    ("x = 3 * (2 + p)", "op", "2 + p", ["2", "p"], "add"),
    ("p += 2", "op", "p += 2", ["p", "2"], "add"),
    ("x = -p", "op", "-p", ["p"], "negative"),
    ("x = p @ p", "op", "p @ p", ["p", "p"], "matmul"),
    ("x = p < 4", "op", "p < 4", ["p", "4"], "less"),
    ("x = 0 < 1 < p", "op", "0 < 1 < p", ["1", "p"], "less"),
    ("x = 5 in [p]", "op", "5 in [p]", ["5", "[p]"], "in"),
    ("x = p[1:2]", "op", "p[1:2]", ["p", "1:2"], "getitem"),
    ("p[0] = 7", "op", "p[0]", ["p", "0"], "setitem"),
    ("del p[0]", "op", "p[0]", ["p", "0"], "delitem"),
    ("x = p(1, k=2)", "op", "p(1, k=2)", ["1"], "p"),
    ("def f(a):\n    return a.method(2, 3)\nf(p)", "op", "a.method(2, 3)", ["a", "2", "3"], "method"),
    ("x = p.shape", "getattr", "p.shape", ["p"], "shape"),
    ("for i in p: pass", "iter", "p", [], ""),
    ("x = [i for i in p]", "iter", "p", [], ""),
    ("x = [i for j in p for i in [j]]", "iter", "p", [], ""),
    ("a, = p", "iter", "p", [], ""),
    ("x = [*p]", "iter", "p", [], ""),
    ("x = print(*p, end='')", "iter", "print(*p, end='')", [], "print"),
    ("with p as q: pass", "op", "p", [], ""),
    ("x = f'{-p}'", "op", "-p", ["p"], "negative"),
    ("x = ('\\N{GREEK SMALL LETTER MU}é漢', p + 1)", "op", "p + 1", ["p", "1"], "add"),
    ("x = (lambda a: a - 1)(p)", "op", "a - 1", ["a", "1"], "subtract"),
])
def test_expression_and_operands(
    tmp_path: Path, source: str, what: str, text: str, operands: list[str], operation: str
) -> None:
    position = place(tmp_path, source, what)
    expression = expression_at(position)
    assert expression is not None
    assert expression.text == text
    found = operands_at(position)
    assert ([operand.text for operand in found], found.operation) == (operands, operation)


def test_expression_over_several_lines_is_given_on_one(tmp_path: Path) -> None:
    position = place(tmp_path, "x = (p  # first\n     + [1,\n        2])")
    expression = expression_at(position)
    assert expression is not None
    assert expression.text == "p + [1, 2]"
    assert (expression.span.line, expression.span.column, expression.span.end_line) == (1, 5, 3)


def test_method_on_its_own_line(tmp_path: Path) -> None:
    position = place(tmp_path, "def f(a):\n    return (a\n        .method(1)\n    )\nf(p)")
    assert position.span() == Span(str(tmp_path / "program_0.py"), 2, 12, 3, 18, "f")
    assert operand_name(position, 0) == "a"


def test_columns_count_characters(tmp_path: Path) -> None:
    span = place(tmp_path, "x = ('é漢', p + 1)").span()
    assert (span.column, span.end_column) == (11, 16)


def test_keywords_and_starred_arguments(tmp_path: Path) -> None:
    found = operands_at(place(tmp_path, "rest = [1]\np(0, *rest, 2, axis=3)"))
    assert [operand.text for operand in found] == ["0"]
    assert not found.complete
    axis = found.keyword("axis")
    assert axis is not None and axis.text == "3"
    assert found.keyword("keepdims") is None


def test_a_module_imported_in_another_cell_is_no_receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "lib", sys, raising=False)
    found = operands_at(place(tmp_path, "lib.operate(p, 2)", lib=Probe))
    assert [operand.text for operand in found] == ["p", "2"]
    found = operands_at(place(tmp_path, "def f(lib):\n    lib.method(2)\nf(p)"))
    assert [operand.text for operand in found] == ["lib", "2"]


def test_a_module_that_is_assigned_is_no_receiver(tmp_path: Path) -> None:
    found = operands_at(place(tmp_path, "import fractions\nop = fractions.operator\nop.add(p, 2)"))
    assert [operand.text for operand in found] == ["p", "2"]
    found = operands_at(place(tmp_path, "layer = p.part\nlayer.method(2)"))
    assert [operand.text for operand in found] == ["layer", "2"]


def test_a_module_is_no_receiver(tmp_path: Path) -> None:
    source = "from probe import Probe as lib\nimport os.path\nlib.operate(p, 2)\np.method(1)"
    first, second = (position for kind, position in uses_in(tmp_path, source) if kind == "op")
    assert [operand.text for operand in operands_at(first)] == ["p", "2"]
    assert [operand.text for operand in operands_at(second)] == ["p", "1"]
    assert callee_at(first) == "lib.operate"
    assert callee_at(second) is None, "a method of a value"
    assert callee_at(place(tmp_path, "layer = p\nlayer(p)")) is None, "bound in the file"
    assert callee_at(place(tmp_path, "p @ p")) is None
    assert callee_at(place(tmp_path, "import functools, operator\nfunctools.partial(operator.add)(p, 2)")) == "operator.add"


def test_operand_name_only_of_the_operation_meant(tmp_path: Path) -> None:
    position = place(tmp_path, "layer = p\nlayer(p)")
    assert operand_name(position, 0) == "p"
    assert operand_name(position, 0, of={"matmul", "dot"}) is None
    assert operand_name(place(tmp_path, "p @ p"), 1, of={"matmul", "dot"}) == "p"
    assert operand_name(position, 5) is None


def test_names_and_mentions(tmp_path: Path) -> None:
    expression = expression_at(place(tmp_path, "a = b = 1\nf = int\nx = p + f(b) * a - b"))
    assert expression is not None
    assert expression.names() == ("p", "b", "a")
    assert mentions(expression, "f") and not mentions(expression, "x") and not mentions(None, "p")


def test_grouped_adds_parentheses_only_where_needed(tmp_path: Path) -> None:
    left, right = operands_at(place(tmp_path, "x = (p - 1) * p.size", what="getattr"))[:1] * 2
    assert left.grouped == right.grouped == "p"
    operation = expression_at(place(tmp_path, "x = p - 1"))
    assert operation is not None and operation.grouped == "(p - 1)"


def test_assignments_nearest_first(tmp_path: Path) -> None:
    source = """
def outer(p):
    a = 1
    def inner():
        a = 5
    if p is not None:
        a, b = 2, 3
    for a in [4]:
        y = p + a
        a = 9
    return y
outer(p)
"""
    found = assignments_before(place(tmp_path, source), "a")
    assert [(each.span.line, each.value.text if each.value else None) for each in found] == [
        (8, None), (7, "2"), (3, "1")]
    assert assignments_before(place(tmp_path, source), "nothing") == []


def test_span_and_everything_else_without_source() -> None:
    probe = Probe()
    exec(compile("def f(a):\n    return a + 1\nf(p)", "<string>", "exec"), {"p": probe})
    position = probe.uses[0][1]
    assert position.span() == Span("<string>", 2, 11, 2, 16, "f")
    assert expression_at(position) is None
    assert operands_at(position) == []
    assert assignments_before(position, "a") == []
    assert source_line(position.span()) is None


def test_a_notebook_cell_is_read_from_linecache() -> None:
    source, name = "y = p + 1\n", "<ipython-input-3-0123456789ab>"
    linecache.cache[name] = (len(source), None, [source], name)
    probe = Probe()
    exec(compile(source, name, "exec"), {"p": probe})
    expression = expression_at(probe.uses[0][1])
    assert expression is not None and expression.text == "p + 1"
    assert shorten(name) == "In[3]"


def test_a_file_that_changed_is_not_quoted_wrongly(tmp_path: Path) -> None:
    path = tmp_path / "edited.py"
    source = "def f(a):\n    return a + 1\n"
    path.write_text(source)
    probe, names = Probe(), {}
    exec(compile(source, str(path), "exec"), names)
    path.write_text("# a new first line\n\n" + source.replace("a", "abc"))
    forget_files()
    names["f"](probe)
    position = probe.uses[0][1]
    assert position.span() == Span(str(path), 2, function="f")
    assert operands_at(position) == []


def test_a_file_saved_and_reloaded_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "reloaded.py"
    sources = {"a + 1": "def f(a):\n    return a + 1\n", "22 * ab": "\n\ndef f(ab):\n    return 22 * ab + 1\n"}
    for text, source in sources.items():
        path.write_text(source)
        probe, names = Probe(), {}
        exec(compile(source, str(path), "exec"), names)
        names["f"](probe)
        expression = expression_at(probe.uses[0][1])
        assert expression is not None and expression.text == text


def test_a_file_that_does_not_parse_still_gives_lines(tmp_path: Path) -> None:
    position = place(tmp_path, "x = p + 1")
    path = Path(position.code.co_filename)
    path.write_text("%magic\nx = p + 1")
    linecache.clearcache()
    assert position.span().line == 1
    assert expression_at(position) is None


def test_function_span_decorators_and_parameters(tmp_path: Path) -> None:
    source = """
import functools

def plain(function):
    return function

@plain
@functools.cache
def f(a, b=1, *rest, c, d=2, **options):
    pass

class Layer:
    def __call__(self, x, y=0): pass
    def method(self, z): pass

g = lambda u, v: u
layer = Layer()
"""
    path = tmp_path / "defined.py"
    path.write_text(source)
    names: dict = {}
    exec(compile(source, str(path), "exec"), names)
    f, layer = names["f"], names["layer"]
    assert parameter_names(f) == ("a", "b", "rest", "c", "d", "options")
    assert parameter_names(functools.partial(f, 1, c=3)) == ("b", "rest", "d", "options")
    assert parameter_names(layer) == ("x", "y")
    assert parameter_names(layer.method) == ("z",)
    assert parameter_names(names["Layer"].method) == ("self", "z")
    assert parameter_names(len) == ()
    span = function_span(f)
    assert span is not None and (span.line, source_line(span)) == (9, "def f(a, b=1, *rest, c, d=2, **options):")
    decorators = decorator_span(f)
    assert decorators == Span(str(path), 7, 1, 8, 16, "f")
    assert decorator_span(names["g"]) is None and function_span(len) is None
    span = function_span(names["g"])
    assert span is not None and (span.line, span.column) == (16, 4)


def test_imported_as(tmp_path: Path) -> None:
    source = "import numpy as np\nimport importlib.metadata as md\nfrom os import path\n-p"
    position = place(tmp_path, source)
    assert imported_as(position, "metadata", "x") == "md"
    assert imported_as(position, "path", "x") == "path"
    assert imported_as(position, "numpy", "jnp") == "jnp"


def test_shorten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shorten(str(tmp_path / "a" / "b.py")) == str(Path("a") / "b.py")
    assert shorten("/elsewhere/x.py") == "/elsewhere/x.py"
    assert shorten("<stdin>") == "<stdin>"
    assert shorten(str(tmp_path.parents[-1] / "anywhere" / "ipykernel_12" / "345.py")) == "a notebook cell"
