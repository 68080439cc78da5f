"""Collectives under vmap against JAX: values, types, equations, derivatives, what is refused."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy
import numpy as np
import pytest
from agreement import assert_same, raised

import perspicax

pytestmark = pytest.mark.oracle

X = np.arange(9, dtype=np.float32).reshape(3, 3) - 2
WIDE = np.arange(18, dtype=np.float32).reshape(3, 6)

CALLS: dict[str, tuple[Callable[[Any, Any], Any], np.ndarray]] = {
    "psum": (lambda lax, x: lax.psum(x, "i"), X),
    "psum of a tree": (lambda lax, x: list(lax.psum({"a": x, "b": 2, "c": 1.5, "d": x > 0}, "i").values()), X),
    "psum of a position": (lambda lax, x: lax.psum(x, ("i", 0)), X),
    "psum of nothing": (lambda lax, x: lax.psum(x, ()), X),
    "psum of constants": (lambda lax, x: lax.psum(np.ones(2, np.float32), "i"), X),
    "pmean": (lambda lax, x: lax.pmean(x, "i"), X),
    "pmean of integers": (lambda lax, x: lax.pmean(x, "i"), np.arange(3)),
    "pmax": (lambda lax, x: lax.pmax(x, "i"), X),
    "pmin of booleans": (lambda lax, x: lax.pmin(x > 0, "i"), X),
    "all_gather": (lambda lax, x: lax.all_gather(x, "i", axis=-1), X),
    "all_gather tiled": (lambda lax, x: lax.all_gather(x, "i", tiled=True), X),
    "all_to_all": (lambda lax, x: lax.all_to_all(x, "i", 0, 0), X),
    "all_to_all tiled": (lambda lax, x: lax.all_to_all(x, "i", 0, 0, tiled=True), WIDE),
    "ppermute": (lambda lax, x: lax.ppermute(x, "i", [(0, 1), (1, 2), (2, 0)]), X),
    "pshuffle": (lambda lax, x: lax.pshuffle(x, "i", [2, 0, 1]), X),
    "psum_scatter": (lambda lax, x: lax.psum_scatter(x, "i"), X),
    "psum_scatter tiled": (lambda lax, x: lax.psum_scatter(x, "i", tiled=True), WIDE),
    "pswapaxes": (lambda lax, x: lax.pswapaxes(x, "i", 0), X),
    "axis_index": (lambda lax, x: lax.axis_index("i"), X),
    "axis_index of several": (lambda lax, x: lax.axis_index(("i",)), X),
    "axis_size": (lambda lax, x: x * lax.axis_size("i"), X),
    "scan": (lambda lax, x: list(lax.scan(lambda c, y: (c + lax.psum(y, "i"), lax.axis_index("i")), np.float32(0), x)), X),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_types_agree(name: str) -> None:
    f, x = CALLS[name]
    call = lambda m: m.vmap(lambda y: f(m.lax, y), axis_name="i")(x)
    assert_same(call(perspicax), call(jax), 1e-6, name)
    if name in ("all_to_all", "all_to_all tiled", "pswapaxes"):
        return  # what is the same for all gets an axis too many from JAX
    whole = lambda m: m.vmap(lambda y: f(m.lax, y), axis_name="i", in_axes=None, axis_size=3)(x[0])
    assert_same(whole(perspicax), whole(jax), 1e-6, name)


@pytest.mark.parametrize("name", CALLS)
def test_equations_agree(name: str) -> None:
    f, x = CALLS[name]
    if name in ("psum of a tree", "pmean of integers", "psum of constants", "psum of a position", "axis_index of several"):
        pytest.skip("JAX has equations for constants and positions besides")
    names = lambda m: [(e.primitive.name, sorted(set(e.params) - {"axis_size", "_split_transpose", "out_dtype"}))
                       for e in m.make_jaxpr(lambda y: f(m.lax, y), axis_env=[("i", 3)])(x[0]).eqns]
    assert names(perspicax) == names(jax)


DIFFERENTIABLE = [n for n in CALLS if n not in ("pmax", "pmin of booleans", "axis_index", "axis_index of several", "scan",
                                                "psum of a tree", "pmean of integers", "psum of constants")]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_agree(name: str) -> None:
    f, x = CALLS[name]
    weighted = lambda m: lambda y: (m.numpy.sin(f(m.lax, y)) * (1. + m.lax.axis_index("i"))).sum()
    inside = lambda m: m.jit(m.vmap(m.grad(weighted(m)), axis_name="i"))(x)
    assert_same(inside(perspicax), inside(jax), 1e-5, name)
    outside = lambda m: m.jit(m.grad(lambda x: m.numpy.sin(m.vmap(lambda y: f(m.lax, y), axis_name="i")(x)).sum()))(x)
    assert_same(outside(perspicax), outside(jax), 1e-5, name)


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "unbound": lambda lax, x: lax.psum(x, "k"),
    "unbound number": lambda lax, x: lax.psum(1, "k"),
    "unbound index": lambda lax, x: lax.axis_index("k"),
    "unbound size": lambda lax, x: lax.axis_size("k"),
    "unbound gather": lambda lax, x: lax.all_gather(x, "k"),
    "no name": lambda lax, x: lax.psum(x, None),
    "negative position": lambda lax, x: lax.psum(x, -1),
    "no such position": lambda lax, x: lax.psum(x, 5),
    "twice": lambda lax, x: lax.psum(x, ("i", "i")),
    "groups": lambda lax, x: lax.psum(x, "i", axis_index_groups=[[0, 1], [2]]),
    "gather axis": lambda lax, x: lax.all_gather(x, "i", axis=3),
    "exchange size": lambda lax, x: lax.all_to_all(x[:2], "i", 0, 0),
    "exchange size tiled": lambda lax, x: lax.all_to_all(x[:2], "i", 0, 0, tiled=True),
    "permutation": lambda lax, x: lax.ppermute(x, "i", [(0, 1), (0, 2)]),
    "permutation range": lambda lax, x: lax.ppermute(x, "i", [(0, 5)]),
    "shuffle": lambda lax, x: lax.pshuffle(x, "i", [2, 0]),
    "broadcast": lambda lax, x: lax.pbroadcast(x, "i", 7),
    "cast": lambda lax, x: lax.pcast(x, "i", to="varying"),
    "cast to": lambda lax, x: lax.pcast(x, "i", to="foo"),
    "text": lambda lax, x: lax.psum("a", "i"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_jax_refuses_is_refused(name: str) -> None:
    call = lambda m: m.vmap(lambda y: REFUSED[name](m.lax, y), axis_name="i")(X)
    theirs, ours = raised(call, jax), raised(call, perspicax)
    assert theirs is not None and ours is not None
    builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours, builtin), f"{type(ours).__mro__}, JAX {type(theirs).__mro__}"


def test_where_jax_fails_collectives_work() -> None:
    """What docs/differences.md says of collectives: both sides."""
    both = lambda m, f: m.vmap(m.vmap(lambda y: f(m.lax, y), axis_name="j"), axis_name="i")(np.stack([WIDE, WIDE], 1))
    named = lambda m, f: m.vmap(lambda y: f(m.lax, y), axis_name="i")(m.numpy.asarray(X))
    for call, f, shape in (
            (named, lambda lax, y: lax.ppermute(y, "i", [(0, 1)]), (3, 3)),
            (named, lambda lax, y: lax.pbroadcast(y, "i", 1), (3, 3)),
            (both, lambda lax, y: lax.all_gather(y, ("i", "j")), (3, 2, 6, 6)),
            (both, lambda lax, y: lax.psum_scatter(y, ("i", "j"), tiled=True), (3, 2, 1))):
        assert raised(call, jax, f) is not None
        assert call(perspicax, f).shape == shape
    assert named(jax, lambda lax, y: lax.psum_scatter(y[:2], "i")).shape == (2,)
    assert isinstance(raised(named, perspicax, lambda lax, y: lax.psum_scatter(y[:2], "i")), ValueError)
