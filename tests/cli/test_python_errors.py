"""What `perspicax run` says of errors that Python, NumPy and `dataclasses` raise: in the words of the user, with an edit."""
from __future__ import annotations

import linecache
from typing import Any

import pytest

from perspicax.cli.python_errors import explain
from perspicax.diagnose.render.plain import render_plain
from perspicax.diagnose.report import Report

HEAD = ("import numpy as np\nimport perspicax.numpy as jnp\nimport perspicax.flax.linen as nn\n"
        "from perspicax.flax.training.train_state import TrainState\nx = jnp.ones((2, 3))\n")
COUNT = iter(range(10_000))

PROGRAMS: dict[str, tuple[str, str]] = {
    "a tuple of results": ("mean, rest = both(x)", """
def both(x):
    return x, 1
mean = both(x)
mean.sum()
"""),
    "an optimizer that is not made": ("state = TrainState.create(apply_fn=None, params={}, tx=sgd(rate))", """
def sgd(rate, momentum=0.0):
    return None
state = TrainState.create(apply_fn=None, params={}, tx=sgd)
"""),
    "gradients by position": ("state.apply_gradients(grads={})", """
class Sgd:
    def init(self, params):
        return ()
state = TrainState.create(apply_fn=None, params={}, tx=Sgd())
state.apply_gradients({})
"""),
    "a field without a type": ("features: int = 32", """
class Net(nn.Module):
    features = 32
Net(features=64)
"""),
    "a list as default": ("sizes: tuple = (32, 16)", """
class Net(nn.Module):
    sizes: list = [32, 16]
"""),
    "a view of an array": ("table = np.array(x)", """
table = np.asarray(x)
table[0] = 1.0
"""),
}

OTHERS = {  # their own text says all that there is to say
    "a name of Python's": "x.shape.mean()",
    "a call of the user's own": "def f(a):\n    return a\nf(b=1)",
    "a tuple of numbers": "(1, 2).real",
    "NumPy's own array": "np.ones(3).grad",
    "no attribute": "float('x')",
}


def error_of(program: str) -> Any:
    filename = f"/mistake_{next(COUNT)}.py"
    linecache.cache[filename] = len(program), None, program.splitlines(keepends=True), filename
    with pytest.raises(Exception) as caught:
        exec(compile(program, filename, "exec"), {"__name__": __name__})
    return caught.value


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_first_proposal_is_the_line_that_mends_it(name: str) -> None:
    code, program = PROGRAMS[name]
    error = error_of(HEAD + program)
    report = explain(error)
    assert isinstance(report, Report)
    text = render_plain(report)
    assert text.split("  fix  ")[1].splitlines()[1].strip() == code
    assert report.notes[-1] == f"Python says: {error}"


@pytest.mark.parametrize("name", OTHERS)
def test_what_says_all_itself_is_left_as_it_is(name: str) -> None:
    assert explain(error_of(HEAD + OTHERS[name])) is None
