"""What a function records is copied where it is called again: the same equations, at the caller's place."""
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import nn
from perspicax.numpy import fusion

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
ROW = np.array([0., 1., 2.], np.float32)
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "interp": lambda x, r: jnp.interp(x[0], r, r),
    "median": lambda x, r: jnp.median(x, axis=1),
    "variance": lambda x, r: jnp.var(x, axis=0, ddof=1),
    "distances": lambda x, r: jnp.linspace(0.0, r, 4, retstep=True),
    "close": lambda x, r: jnp.isclose(x, r, rtol=1e-3),
    "replaced": lambda x, r: jnp.nan_to_num(x, nan=-0.0),
    "softmax": lambda x, r: nn.softmax(x, where=x > 0),
    "several": lambda x, r: jnp.modf(x),
    "order": lambda x, r: jnp.argsort(x, descending=True),
    "argument": lambda x, r: jnp.around(x, 0),
    "norm": lambda x, r: jnp.linalg.norm(x, axis=1),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_copy_is_what_the_function_records(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = CALLS[name]

    def twice(x: Any, r: Any) -> Any:
        return call(x, r), call(x * 2, r)

    copied = str(px.make_jaxpr(twice)(X, ROW))
    monkeypatch.setattr(fusion, "_recorded", lambda trace, f, arrays, static: f(*arrays, **static))
    assert copied == str(px.make_jaxpr(lambda x, r: (call(x, r), call(x * 2, r)))(X, ROW))


def test_a_copy_stands_at_its_own_line() -> None:
    def twice(x: Any) -> Any:
        first = jnp.var(x)
        return first + jnp.var(x)

    places = {eqn.position.span().line for eqn in px.make_jaxpr(twice)(X).jaxpr.eqns}
    assert places == {twice.__code__.co_firstlineno + 1, twice.__code__.co_firstlineno + 2}


def test_zeros_of_both_signs_are_two_constants() -> None:
    filled = px.jit(lambda x: (jnp.nan_to_num(x, nan=0.0), jnp.nan_to_num(x, nan=-0.0)))(np.full(2, np.nan, np.float32))
    assert [np.signbit(v).tolist() for v in filled] == [[False, False], [True, True]]


def test_types_follow_the_options_of_the_moment() -> None:
    def dtype() -> Any:
        return px.make_jaxpr(lambda n: jnp.linspace(n, 1, 3))(1).out_avals[0].dtype

    narrow = dtype()
    with px.enable_x64(True):
        assert (narrow, dtype()) == (np.float32, np.float64)
    assert dtype() == np.float32


def test_a_mistake_in_it_names_the_arguments() -> None:
    def wrong(left: Any, right: Any) -> Any:
        return jnp.linalg.solve(left, right)

    for _ in (0, 1):
        with pytest.raises(Exception, match="solve"):
            px.make_jaxpr(wrong)(np.ones((3, 3), np.float32), np.ones((4, 2), np.float32))


def test_a_traced_array_that_is_returned_as_it_is_stays_the_same() -> None:
    jaxpr = px.make_jaxpr(lambda x: fusion.fused_call(_first, (x, 3)))(X)
    assert len(jaxpr.jaxpr.eqns) == 0
    assert jaxpr.jaxpr.outvars[0] is jaxpr.jaxpr.invars[0]
    assert jaxpr.jaxpr.outvars[1].val == 3


def _first(x: Any, number: int) -> Any:
    return x, number
