"""Mistakes found in the text of programs: every rule finds its own, and nothing in what is right."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest
from wrong_and_right import HEAD, PAIRS, SOUND

from perspicax.analyse.source.check import problems_of
from perspicax.analyse.source.edits import difference, mended
from perspicax.analyse.source.rules import RULES
from perspicax.diagnose.pages import catalogue_names, has_page, read_page
from perspicax.diagnose.render.plain import render_plain

ROOT = Path(__file__).parents[2]
MARK = "# <-"


def found(program: str) -> list[tuple[str, int]]:
    return [(p.rule.id, p.span.line) for p in problems_of("program.py", program)]


def test_every_rule_has_programs() -> None:
    assert set(PAIRS) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_is_wrong_at_its_line_and_nothing_in_what_is_right(rule: str) -> None:
    for wrong, right in PAIRS[rule]:
        lines = (HEAD + wrong).splitlines()
        [line] = [i for i, text in enumerate(lines, 1) if MARK in text]
        assert found(HEAD + wrong) == [(rule, line)], wrong
        assert found(HEAD + right) == [], right


@pytest.mark.parametrize("rule", RULES)
def test_a_problem_is_told_like_an_error(rule: str) -> None:
    wrong, _ = PAIRS[rule][0]
    [problem] = problems_of("program.py", HEAD + wrong)
    text = render_plain(problem.report, rule)
    assert text.startswith(f"{rule}: ") and "program.py:" in text and problem.rule.why.split()[0] in text
    assert len(text.splitlines()) <= 25
    if rule != "syntax":
        assert problem.fixes
        assert has_page(problem.rule.foresees) and f"perspicax explain {problem.rule.foresees}" in text


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_found_in_sound_programs(name: str) -> None:
    assert found(HEAD + SOUND[name]) == []


def test_nothing_is_found_in_the_right_examples_of_the_catalogue() -> None:
    programs = {name: page.right for name in catalogue_names() for page in [read_page(name)] if page is not None}
    assert len(programs) > 300
    assert {name: found(text) for name, text in programs.items() if found(text)} == {}


def test_the_wrong_examples_of_the_catalogue_that_rules_foresee_are_found() -> None:
    missed = []
    for name in sorted({rule.foresees for rule in RULES.values()} - {"SyntaxError"}):
        page = read_page(name)
        assert page is not None
        if name not in {p.rule.foresees for p in problems_of(name, page.wrong)}:
            missed.append(name)
    # the pages on these show functions of `flax.core`, of which `check` knows nothing
    assert missed == ["ApplyScopeInvalidVariablesStructureError", "ApplyScopeInvalidVariablesTypeError", "InvalidRngError",
                      "JaxTransformError", "ModifyScopeVariableError"]


def test_nothing_is_found_in_the_examples_and_benchmarks_of_the_project() -> None:
    files = [*(ROOT / "examples").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    assert len(files) > 10
    assert {str(f): found(f.read_text()) for f in files if found(f.read_text())} == {}


def test_programs_with_keys_that_are_right_have_no_finding_and_most_wrong_ones_have() -> None:
    text = (ROOT / "tests" / "sanitize" / "key_programs.py").read_text()
    lines = {line for _, line in found(text)}
    hits: dict[str, list[bool]] = {"right": [], "wrong": []}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list and ast.unparse(node.decorator_list[0]) in hits:
            inside = any(node.lineno <= line <= (node.end_lineno or 0) for line in lines)
            hits[ast.unparse(node.decorator_list[0])].append(inside)
    assert len(hits["right"]) > 30 and not any(hits["right"])
    assert sum(hits["wrong"]) >= 39  # the others pass keys through arrays, or make copies of them


# -- names

@pytest.mark.parametrize("imports", [
    "import jax\nimport jax.numpy as J\nimport numpy as N\njit = jax.jit",
    "from jax import jit, numpy as J\nimport numpy as N",
    "from perspicax import jit\nimport perspicax.numpy as J\nimport numpy as N",
    "from functools import partial as p\nimport jax as j, numpy as N\njit = p(j.jit, inline=True)",
])
def test_names_are_what_the_program_imports(imports: str) -> None:
    program = f"{imports}\n\n@jit\ndef f(x):\n    return N.sin(x)\n"
    assert [rule for rule, _ in found(program)] == ["traced-numpy"]


def test_a_program_without_jax_has_no_problems() -> None:
    assert found("def f(x):\n    if x > 0:\n        x.at[0].set(1)\n    return x\n") == []


def test_errors_that_the_program_catches_are_not_told() -> None:
    body = "@jax.jit\ndef f(x):\n    return float(x)\n\n"
    assert found(HEAD + body + "try:\n    f(1.0)\nexcept TypeError:\n    pass\n") == []
    assert [r for r, _ in found(HEAD + body + "try:\n    f(1.0)\nexcept KeyboardInterrupt:\n    "
                                              "pass\n")] == ["traced-conversion"]
    assert [r for r, _ in found(HEAD + body + "try:\n    f(1.0)\nexcept TypeError:\n    raise\n")] == ["traced-conversion"]


def test_functions_that_run_on_the_host_or_without_jit_are_not_traced() -> None:
    assert found(HEAD + "seen = []\n\n@jax.debug.callback(ordered=True)\ndef note(x):\n    seen.append(float(x))\n\n"
                 "jax.jit(lambda x: note(x))(1.0)\n") == []
    assert found(HEAD + "def f(x):\n    return float(x)\n\nwith jax.disable_jit():\n    jax.jit(f)(1.0)\n") == []
    assert found(HEAD + "def host(x):\n    return np.sin(x)\n\n@jax.jit\ndef f(x):\n    return jax.pure_callback(host, "
                        "x, x)\n") == []


def test_a_function_that_a_module_of_another_file_may_call_can_make_layers() -> None:
    block = "def block(x, width):\n    return nn.relu(nn.Dense(width)(x))\n\n"
    assert found(HEAD + block) == []
    assert found(HEAD + block + "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return "
                                "block(x, 3)\n\n"
                 "M().init(jax.random.key(0), jnp.ones((1, 2)))\nM().apply({}, jnp.ones((1, 2)))\n") == []
    assert [r for r, _ in found(HEAD + block + "block(jnp.ones((1, 2)), 3)\n")] == ["unbound-call"]


def test_methods_of_plain_classes_are_followed() -> None:
    program = ("class T:\n    def __init__(self):\n        self.step = jax.jit(self._step)\n\n    def _step(self, x):\n"
               "        self.seen = x\n        return max(x, 0.0)\n")
    assert [r for r, _ in found(HEAD + program)] == ["leaked-value", "traced-branch"]


def test_the_report_names_the_arguments_and_the_call_that_led_there() -> None:
    [problem] = problems_of("p.py", HEAD + "def g(c):\n    if c > 0:\n        return c\n    return -c\n\n@jax.jit\ndef "
                                           "f(a, b):\n"
                            "    return g(a * b)\n")
    assert problem.says == "`if` needs to know whether `c > 0` is true, but while jit traces `f` that value is not known yet."
    assert [label.text for label in problem.labels] == ["from arguments `a` and `b` of `f`", "called here"]


# -- comments

@pytest.mark.parametrize(("comment", "silent"), [
    ("# px: ignore", True), ("# px: ignore[traced-branch]", True), ("# px: ignore[key-reuse, traced-branch]", True),
    ("# px: ignore[key-reuse]", False), ("# ignore", False),
])
def test_a_comment_silences_rules_at_its_line(comment: str, silent: bool) -> None:
    program = f"{HEAD}@jax.jit\ndef f(x):\n    if x > 0:  {comment}\n        return x\n    return -x\n"
    assert (found(program) == []) is silent


# -- fixes

@pytest.mark.parametrize(("before", "after"), [
    ("def f(x):\n    x.at[0].set(1.0)\n    return x\n", "def f(x):\n    x = x.at[0].set(1.0)\n    return x\n"),
    ("@jax.jit\ndef f(x):\n    return np.sin(x) + np.dot(x, x)\n", "@jax.jit\ndef f(x):\n    return jnp.sin(x) + "
                                                                   "jnp.dot(x, x)\n"),
    ('@jax.jit\ndef f(x):\n    print("x {", x, x + 1)\n    return x\n',
     '@jax.jit\ndef f(x):\n    jax.debug.print("x {{ {} {}", x, x + 1)\n    return x\n'),
    ("class M(nn.Module):\n    def __post_init__(self):\n        self.a = 'é'\n",
     "class M(nn.Module):\n    def __post_init__(self):\n        self.a = 'é'\n        super().__post_init__()\n"),
    ("model = nn.Dense(3)\np = model.init(jax.random.key(0), jnp.ones(2))['params']\nmodel.apply(p, jnp.ones(2))\n",
     "model = nn.Dense(3)\np = model.init(jax.random.key(0), jnp.ones(2))['params']\nmodel.apply({\"params\": p}, "
     "jnp.ones(2))\n"),
])
def test_safe_fixes_are_made(before: str, after: str) -> None:
    problems = problems_of("p.py", HEAD + before)
    text, done = mended(HEAD + before, problems)
    assert text == HEAD + after
    assert done == problems and found(text) == []
    changed = [line for line in difference("p.py", HEAD + before, text).splitlines() if line[:1] == "+" and line[:3] != "+++"]
    assert changed


@pytest.mark.parametrize("before", [
    "@jax.jit\ndef f(x):\n    if x > 0:\n        return x\n    return -x\n",                    # the right edit is not known
    "key = jax.random.key(0)\na = jax.random.normal(key) + jax.random.uniform(key)\n",
    "x = jnp.ones(3)\n\ndef f():\n    x.at[0].set(1.0)\n    return "
    "x\n",                         # `x = ` would make a local of it
    "@jax.jit\ndef f(x):\n    print(f'{x}')\n    return x\n",
])
def test_what_is_not_safe_is_left_to_the_user(before: str) -> None:
    problems = problems_of("p.py", HEAD + before)
    assert problems
    assert mended(HEAD + before, problems) == (HEAD + before, [])
