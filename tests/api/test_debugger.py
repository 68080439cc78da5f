"""The debugger on the command line, and where arrays are."""
from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax import lax
from perspicax import numpy as jnp
from perspicax.api.debugger_errors import DebuggerBackendError, DebuggerQuit, ShardingDisplayError


def inner(x: Any, session: Any) -> Any:
    params = {"w": x * 2, "name": "layer"}
    px.debug.breakpoint(**session.files)
    return params["w"]


def outer(x: Any, session: Any) -> Any:
    scale = x + 1
    return inner(scale, session)


class Session:
    """What is typed, and what is shown."""

    def __init__(self, *commands: str) -> None:
        self.typed = io.StringIO("".join([f"{c}\n" for c in commands]))
        self.shown = io.StringIO()

    @property
    def files(self) -> dict[str, Any]:
        return {"stdin": self.typed, "stdout": self.shown}

    @property
    def answers(self) -> list[str]:
        """The answer to each command."""
        return [part.strip() for part in self.shown.getvalue().split("(jdb) ")[1:]]


@pytest.mark.parametrize("wrap", [lambda f: f, px.jit, lambda f: px.jit(px.grad(f))])
def test_values_of_all_frames(wrap: Any) -> None:
    s = Session("p params['w']", "p params['name']", "u", "p scale", "u", "p s is session", "d", "d", "d",
                "sorted(w for w in params)", "continue")
    wrap(lambda x: outer(x, s))(3.0)
    px.effects_barrier()
    answers = s.answers
    assert answers[0].startswith(("Array(8.", "8.")) and answers[1] == "'layer'"
    assert "in outer" in answers[2] and answers[3].startswith(("Array(4.", "4."))
    assert "in <lambda>" in answers[4] and answers[5].startswith("*** NameError")
    assert "in outer" in answers[6] and "in inner" in answers[7] and answers[8] == "*** this is the innermost frame"
    assert answers[9] == "['name', 'w']" and answers[10] == ""


def test_commands() -> None:
    s = Session("help", "list", "where", "pp {'a': [1]}", "nonsense here", "locals", "1 / 0", "", "up", "up", "up", "up", "up",
                "up", "up", "up", "up", "up", "c")
    px.jit(lambda x: inner(x, s))(1.0)
    px.effects_barrier()
    answers = s.answers
    assert "quit" in answers[0]
    current = next(line for line in answers[1].splitlines() if line[4:8] == " -> ")
    assert current.endswith(" px.debug.breakpoint(**session.files)")
    assert "in inner" in answers[2] and "test_debugger.py" in answers[2]
    assert answers[3] == "{'a': [1]}" and answers[4].startswith("*** SyntaxError")
    assert "params = {" in answers[5] and answers[6] == "*** ZeroDivisionError: division by zero" and answers[7] == ""
    assert "*** this is the outermost frame" in answers[8:18]


def test_quit_ends_the_program_and_the_end_of_input_does_not() -> None:
    quits = Session("q")
    with pytest.raises(px.errors.JaxRuntimeError) as caught:
        px.block_until_ready(px.jit(lambda x: inner(x, quits))(1.0))
        px.effects_barrier()
    assert isinstance(caught.value.__cause__, DebuggerQuit) and caught.value.__cause__.function == "inner"
    assert float(px.jit(lambda x: inner(x, Session()))(1.0)) == 2.0
    px.effects_barrier()


def test_a_breakpoint_in_a_loop_stops_in_each_round() -> None:
    s = Session(*["p i", "c"] * 3)

    def body(i: Any, c: Any) -> Any:
        px.debug.breakpoint(ordered=True, num_frames=1, **s.files)
        return c + i

    assert int(px.jit(lambda: lax.fori_loop(0, 3, body, 0))()) == 3
    px.effects_barrier()
    assert [a.split(",")[0] for a in s.answers[::2]] == ["Array(0", "Array(1", "Array(2"]


def test_a_token_comes_back_and_frames_can_be_limited() -> None:
    s = Session("up", "c")
    assert px.jit(lambda x: px.debug.breakpoint(token=x, num_frames=1, **s.files))(5) == 5
    px.effects_barrier()
    assert s.answers[0] == "*** this is the outermost frame"
    with pytest.raises(DebuggerBackendError):
        px.debug.breakpoint(backend="web")


# -- shardings

def test_inspection_tells_the_sharding() -> None:
    seen: list[Any] = []
    x = jnp.ones(3)
    px.debug.inspect_array_sharding(x, callback=seen.append)
    px.jit(lambda y: (px.debug.inspect_array_sharding(y * 2, callback=seen.append), y)[1])(x)
    px.vmap(lambda y: px.debug.inspect_array_sharding(y, callback=seen.append))(x)
    px.grad(lambda y: (px.debug.inspect_array_sharding(y, callback=seen.append), y.sum())[1])(x)
    assert seen == [x.sharding] * 4


def test_drawings(capsys: pytest.CaptureFixture[str]) -> None:
    px.debug.visualize_array_sharding(jnp.ones(8))
    px.jit(lambda x: px.debug.visualize_array_sharding(x))(np.ones((4, 2), np.float32))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["┌───────┐", "│ CPU 0 │", "└───────┘"]
    assert len({len(line) for line in lines[3:]}) == 1 and sum("CPU 0" in line for line in lines[3:]) == 1


def test_a_drawing_of_several_parts(capsys: pytest.CaptureFixture[str]) -> None:
    class Device:
        platform = "cpu"

        def __init__(self, number: int) -> None:
            self.id = number

    class Halves:
        def devices_indices_map(self, sizes: tuple) -> dict:
            return {Device(i): (slice(2 * (i % 2), 2 * (i % 2) + 2),) for i in range(4)}

    px.debug.visualize_sharding((4,), Halves())
    assert capsys.readouterr().out.splitlines()[1] == "│CPU 0,2│CPU 1,3│"


@pytest.mark.parametrize(("call", "kind"), [
    (lambda: px.debug.visualize_array_sharding(jnp.ones((1, 1, 1))), "rank"),
    (lambda: px.debug.visualize_array_sharding(3.0), "value"),
    (lambda: px.debug.inspect_array_sharding(np.ones(3), callback=print), "value")])
def test_what_cannot_be_shown(call: Any, kind: str) -> None:
    with pytest.raises(ShardingDisplayError) as caught:
        call()
    assert caught.value.kind == kind
