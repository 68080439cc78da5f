"""Mistakes that many make: the first proposal of the report, applied as the edit that it is, makes the program run."""
from __future__ import annotations

import linecache
from collections.abc import Iterator
from typing import Any

import pytest

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import resolve
from perspicax.diagnose.report import Edit

HEAD = ("import perspicax as jax, perspicax.numpy as jnp\nimport perspicax.flax.linen as nn\n"
        "x, y, key = jnp.ones((2, 3)), jnp.zeros((2, 3)), jax.random.key(0)\n")
COUNT = iter(range(10_000))

PROGRAMS: dict[str, tuple[str, str]] = {
    "branches that are called": ("NotAFunctionError", """
up, down = lambda x: 2 * x, lambda x: x / 2
jax.lax.cond(True, up(x), down(x))
"""),
    "a branch that is a value": ("NotAFunctionError", "jax.lax.cond(True, x, lambda: y)\n"),
    "a list of numbers": ("ScanLengthError", "jax.lax.scan(lambda total, x: (total + x, None), 0.0, [1.0, 2.0])\n"),
    "a keyword under vmap": ("BatchAxisError", """
def scaled(x, factor):
    return factor * x
jax.vmap(scaled, in_axes=(0, None))(x, factor=2.0)
"""),
    "no second result": ("AuxiliaryResultError", """
aux = 1.0
def loss(x):
    return x.sum()
jax.value_and_grad(loss, has_aux=True)(x)
"""),
    "two results under one name": ("NotArrayLikeError", """
def both(x):
    return x, {"more": x}
out = both(x)
jnp.mean(out)
"""),
    "a tuple before an operator": ("NotArrayLikeError", """
def both(x):
    return x, {"more": x}
out = both(x)
out - y
"""),
    "arrays that are no list": ("AxisError", "jnp.concatenate(x, y)\n"),
    "arrays that are stacked": ("AxisError", "jnp.stack(x, y)\n"),
    "sizes that are no shape": ("UnknownDTypeError", "jnp.zeros(2, 3)\n"),
    "sizes of random numbers": ("UnknownDTypeError", "jax.random.normal(key, 2, 3)\n"),
    "a set of an array": ("ArrayConversionError", "set(x[0])\n"),
}
WRITTEN = {  # proposals that stand alone: what the first one says to write
    "inputs before variables": ("ApplyScopeInvalidVariablesTypeError", "model.apply(variables, x)", """
model = nn.Dense(2)
variables = model.init(key, x)
model.apply(x, variables)
"""),
    "inputs before the key": ("InvalidRngTypeError", "nn.Dense(2).init(jax.random.key(1), x)", """
nn.Dense(2).init(x, jax.random.key(1))
"""),
    "a value that is not passed": ("DebugFormatError", 'jax.debug.print("{a} {b}", a=1, b=b)', """
jax.debug.print("{a} {b}", a=1)
"""),
    "a body without a result": ("CarryTypeError", "return x", """
def body(i, x):
    x = 2 * x
jax.lax.fori_loop(0, 2, body, x)
"""),
}


def run(program: str) -> None:
    filename = f"/mistake_{next(COUNT)}.py"
    linecache.cache[filename] = len(program), None, program.splitlines(keepends=True), filename
    exec(compile(program, filename, "exec"), {"__name__": "mistake"})


def error_of(kind: str, program: str) -> Any:
    with pytest.raises(PerspicaxError) as caught:
        run(HEAD + program)
    assert type(caught.value).__name__ == kind
    return caught.value


def applied(program: str, edits: tuple[Edit, ...]) -> str:
    """A program with the edits of a proposal, the last place first."""
    lines = program.splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines))]

    def ends() -> Iterator[tuple[int, int, str]]:
        for edit in edits:
            span = resolve(edit.span)
            assert span is not None and span.column is not None and span.end_line and span.end_column is not None
            yield starts[span.line - 1] + span.column, starts[span.end_line - 1] + span.end_column, edit.replacement

    for start, end, text in sorted(ends(), reverse=True):
        program = program[:start] + text + program[end:]
    return program


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_first_proposal_mends_the_program(name: str) -> None:
    kind, program = PROGRAMS[name]
    error = error_of(kind, program)
    mended = applied(HEAD + program, error.report.fixes[0].edits)
    assert mended != HEAD + program
    run(mended)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_first_proposal_is_in_the_users_words(name: str) -> None:
    kind, code, program = WRITTEN[name]
    assert error_of(kind, program).report.fixes[0].lines == (code,)


def report_within(package: str, function: str, source: str, mistake: str) -> Any:
    """The report of a mistake that a package's function meets, both with their source at hand."""
    library: dict[str, Any] = {"__name__": "library"}
    scope: dict[str, Any] = {"__name__": "mistake"}
    with pytest.raises(PerspicaxError) as caught:
        for file, text, names in ((f"/site-packages/{package}.py", source, library),
                                  (f"/of_{package}.py", HEAD + mistake, scope)):
            linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
            exec(compile(text, file, "exec"), names)
            scope[function] = library[function]
    return caught.value.report


def test_trees_within_a_package_are_called_by_what_was_passed_and_else_by_its_own_names() -> None:
    source = ("import perspicax as jax\ndef update(updates, state):\n    moments = state[0]\n"
              "    return jax.tree.map(lambda u, m: u + m, updates, moments)\n")
    report = report_within("moments", "update", source, "grads = {'w': x}\nupdate(grads, ({'v': x},))\n")
    assert report.says.startswith(
        "`state[0]` does not have the structure of `grads`, which `tree_map` needs within `update` of moments: ")
    made = source.replace("= state[0]", "= {'v': state[0]['v']}")
    report = report_within("made_moments", "update", made, "grads = {'w': x}\nupdate(grads, ({'v': x},))\n")
    assert report.says.startswith("`moments` does not have the structure of `grads`")


STATES = """
class Moments(NamedTuple):
    mu: dict

class Training:
    def __init__(self, opt_state):
        self.opt_state = opt_state

training = Training((Moments({'w': jnp.ones(2)}), ()))
opt_state, grads = training.opt_state, {'w': jnp.ones(3)}
"""


@pytest.mark.parametrize("source, call, says, notes", [
    ("def update(updates, state):\n    return jax.tree.map(lambda u, m: u + 2 * m, updates, state[0].mu)\n",
     "update(grads, training.opt_state)",
     "`grads['w']` and `2 * m` cannot be added within `update` of optimizers: their shapes do not broadcast.",
     ("within optimizers, `m` is `training.opt_state[0].mu['w']`",)),
    ("def update(updates, *rest):\n    return jax.tree.map(lambda u, m: u + m, updates, *rest)\n",
     "update(grads, opt_state[0])",
     "`opt_state[0]` does not have the structure of `grads`, which `tree_map` needs within `update` of optimizers: "
     "`opt_state[0]` is a Moments, but `grads` is a dict with the key 'w'.", ()),
    ("def update(updates, *rest):\n    return jax.tree.map(lambda u, m: u + m, updates, *rest)\n",
     "update(opt_state[0].mu, {'v': x})",
     "`rest[0]` does not have the structure of `opt_state[0].mu`, which `tree_map` needs within `update` of optimizers: "
     "`rest[0]` has the key 'v', which `opt_state[0].mu` lacks; it lacks the key 'w', which `opt_state[0].mu` has.", ()),
])
def test_leaves_of_a_package_are_named_by_their_way_in_what_was_passed(source: str, call: str, says: str, notes: Any) -> None:
    report = report_within("optimizers", "update", "import perspicax as jax\n" + source,
                           f"from typing import NamedTuple\n{STATES}\n{call}\n")
    assert (report.says, report.notes) == (says, notes)


def test_an_operation_of_a_package_is_told_by_what_was_passed_to_it() -> None:
    source = ('def entropy(logits, labels):\n    """An entropy.\n\n    Args:\n      logits: real numbers.\n'
              '      labels: one row of\n        numbers for each.\n\n    Returns:\n      A number.\n    """\n'
              '    return (labels * logits).sum()\n')
    report = report_within("losses", "entropy", source, "guesses, numbers = jnp.ones((2, 3)), jnp.arange(2)\n"
                                                        "entropy(guesses, numbers)\n")
    assert report.says == ("`numbers` and `guesses` cannot be multiplied within `entropy` of losses: their shapes do not "
                           "broadcast.")
    assert report.notes == ("losses says of `labels`: one row of numbers for each.", "losses says of `logits`: real numbers.")
    assert report.fixes == ()
