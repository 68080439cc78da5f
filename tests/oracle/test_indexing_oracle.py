"""Indexing against JAX: indices outside, modes, `x.at[…]`, types, the operations of programs, classes of errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

import perspicax.lax.hook_table  # noqa: E402, F401  (fills the hooks of the transformations)
from perspicax.core.trace import stage_flat  # noqa: E402
from perspicax.core.tracer import get_aval  # noqa: E402
from perspicax.lax import slicing as px_slicing  # noqa: E402
from perspicax.numpy.indexing import at, getitem  # noqa: E402
from perspicax.transform.grad import vjp  # noqa: E402
from perspicax.transform.jit import JitFunction  # noqa: E402
from perspicax.transform.jit_options import JitOptions  # noqa: E402
from perspicax.xla.dispatch import as_array  # noqa: E402

px_gather = import_module("perspicax.lax.gathering")
px_scatter = import_module("perspicax.lax.scattering")
pytestmark = pytest.mark.oracle

VALUE = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
MINE, THEIRS = as_array(VALUE), jnp.asarray(VALUE)


def jit(fun: Callable[..., Any]) -> Any:
    return JitFunction(fun, JitOptions())


def same(mine: Any, theirs: Any) -> None:
    assert mine.shape == theirs.shape and mine.dtype == theirs.dtype and mine.weak_type == theirs.weak_type
    np.testing.assert_array_equal(mine.value(), np.asarray(theirs))


# -- indices that may lie outside

def entry(n: int) -> st.SearchStrategy:
    array = st.sampled_from([(), (2,), (2, 1)]).flatmap(
        lambda s: st.lists(st.integers(-2 * n, 2 * n), min_size=int(np.prod(s)), max_size=int(np.prod(s))).map(
            lambda v: np.array(v, np.int32).reshape(s)))
    bound = st.none() | st.integers(-n - 1, n + 1)
    return st.integers(-2 * n, 2 * n) | st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, -1])) | array


INDICES = st.tuples(entry(3), entry(4)) | st.tuples(entry(3)) | st.tuples(st.none(), entry(3), st.just(...), entry(4))


@given(INDICES)
@settings(max_examples=80)
def test_reading(index: tuple) -> None:
    same(getitem(MINE, index), THEIRS[index])


@given(INDICES, st.sampled_from(["fill", "clip", "drop"]), st.booleans())
@settings(max_examples=60)
def test_modes_of_reading(index: tuple, mode: str, wrap: bool) -> None:
    options = {"mode": mode, "wrap_negative_indices": wrap}
    same(at(MINE)[index].get(**options), THEIRS.at[index].get(**options))


@given(INDICES, st.sampled_from(["add", "multiply", "min", "max", "subtract"]), st.sampled_from([None, "clip", "drop"]),
       st.booleans())
@settings(max_examples=80)
def test_modes_of_writing(index: tuple, method: str, mode: str | None, wrap: bool) -> None:
    options = {"mode": mode, "wrap_negative_indices": wrap}
    found = getattr(at(MINE)[index], method)(3.0, **options)
    expected = getattr(THEIRS.at[index], method)(3.0, **options)
    same(found, expected)
    same(at(MINE)[index].set(3.0, **options), THEIRS.at[index].set(3.0, **options))


OUTSIDE: list[tuple] = [(5,), (-7,), (np.array([0, 9, -1, -9]),), (slice(None), np.array([[-9, 1]])), (1, 9)]


@pytest.mark.parametrize("index", OUTSIDE, ids=str)
def test_gradients_of_reading_and_writing_outside(index: tuple) -> None:
    out, back = vjp(lambda x: getitem(x, index), MINE)
    theirs, their_back = jax.vjp(lambda x: x[index], THEIRS)
    same(back(out)[0], their_back(theirs)[0])
    for method in ("set", "add", "min", "max"):
        values = np.full(np.shape(theirs), 4, np.float32)
        out, back = vjp(lambda x, v, m=method: getattr(at(x)[index], m)(v), MINE, as_array(values))
        theirs_out, their_back = jax.vjp(lambda x, v, m=method: getattr(x.at[index], m)(v), THEIRS, values)
        for mine, expected in zip(back(out), their_back(theirs_out)):
            np.testing.assert_allclose(mine.value(), np.asarray(expected), rtol=1e-6)


# -- types

VALUES: list[Any] = [1, 1.5, True, np.int8(1), np.float32(2.5), np.arange(4, dtype=np.int32), [1, 2, 3, 4], 1j]


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "float16", "complex64"])
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_types_of_updates(dtype: str, value: Any) -> None:
    x = np.arange(8).reshape(2, 4).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(at(as_array(x))[1].set(value), jnp.asarray(x).at[1].set(value))
        same(jit(lambda x: at(x)[np.array([1])].set(value))(as_array(x)), jnp.asarray(x).at[np.array([1])].set(value))


@pytest.mark.parametrize(("dtype", "value"), [("int32", 1.5), ("float16", np.float32(1)), ("int8", np.int32(1)), ("bool", 1)])
def test_who_is_warned(dtype: str, value: Any) -> None:
    x = np.zeros(3, dtype)
    for act in (lambda: jnp.asarray(x).at[0].set(value), lambda: at(as_array(x))[0].set(value)):
        with pytest.warns(FutureWarning):
            act()


@pytest.mark.parametrize("value", [1, 1.5, np.float32(2), np.int32(1)], ids=str)
def test_weak_types(value: Any) -> None:
    for start in (2.0, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same(jit(lambda x: at(x)[()].set(value))(as_array(start)), jax.jit(lambda x: x.at[()].set(value))(start))
    same(getitem(as_array(2.0), None), jax.jit(lambda x: x[None])(2.0))


# -- programs

def operations(closed: Any) -> list[str]:
    return [eqn.primitive.name for eqn in closed.jaxpr.eqns]


@pytest.mark.parametrize("index", [0, -1, slice(1, 3), slice(None, None, -2), (1, None, slice(2, 3)), None, ..., (0, 1),
                                   (slice(None), slice(None, None, 2))], ids=str)
def test_static_indices_become_the_same_operations(index: Any) -> None:
    mine = stage_flat(lambda x: [getitem(x, index)], [get_aval(MINE)])
    theirs = jax.make_jaxpr(lambda x: x[index])(THEIRS)
    assert operations(mine) == operations(theirs)


def test_an_index_array_becomes_the_same_gather_and_scatter() -> None:
    i = np.array([0, 1], np.int32)
    for mine, theirs in ((lambda x, i: getitem(x, i), lambda x, i: x[i]), (lambda x, i: at(x)[:, i].add(1.0),
                                                                          lambda x, i: x.at[:, i].add(1.0)),
                         (lambda x, i: at(x)[1:3, i].set(1.0), lambda x, i: x.at[1:3, i].set(1.0))):
        ours = stage_flat(lambda x, i, f=mine: [f(x, i)], [get_aval(MINE), get_aval(i)]).jaxpr.eqns[-1]
        expected = jax.make_jaxpr(theirs)(THEIRS, i).jaxpr.eqns[-1]
        params = ours.primitive.unpack(ours.values)
        assert ours.primitive.name == expected.primitive.name
        for name in ("dimension_numbers", "slice_sizes", "indices_are_sorted", "unique_indices"):
            if name in expected.params:
                assert params[name] == expected.params[name], name
        assert params["mode"].name == expected.params["mode"].name


# -- lax

def test_dynamic_slices() -> None:
    for i, j in ((0, 0), (-1, -1), (9, 2), (-9, 3)):
        same(px_slicing.dynamic_slice(MINE, (i, j), (2, 3)), jax.lax.dynamic_slice(THEIRS, (i, j), (2, 3)))
        update = np.full((2, 3), 5, np.float32)
        same(px_slicing.dynamic_update_slice(MINE, update, (i, j)), jax.lax.dynamic_update_slice(THEIRS, update, (i, j)))
    last = np.int32(-1), 1, False
    same(px_slicing.dynamic_index_in_dim(MINE, *last), jax.lax.dynamic_index_in_dim(THEIRS, *last))


@pytest.mark.parametrize("mode", [None, "clip", "fill"])
def test_windows_that_lie_partly_outside(mode: str | None) -> None:
    indices = np.array([[0, 0], [2, 1], [-1, 2]], np.int32)
    numbers = ((1, 2), (), (0, 1))
    if mode is not None:
        same(px_gather.gather(MINE, indices, px_gather.GatherDimensionNumbers(*numbers), (2, 2), mode=mode),
             jax.lax.gather(THEIRS, indices, jax.lax.GatherDimensionNumbers(*numbers), (2, 2), mode=mode))
    updates = np.ones((3, 2, 2), np.float32)
    for name in ("scatter_add", "scatter_max", "scatter"):
        theirs = getattr(jax.lax, name)(THEIRS, indices, updates, jax.lax.ScatterDimensionNumbers(*numbers), mode=mode)
        same(getattr(px_scatter, name)(MINE, indices, updates, px_scatter.ScatterDimensionNumbers(*numbers), mode=mode), theirs)


def test_of_several_values_the_same_wins() -> None:
    i, v = np.array([0, 1, 0, 0, 1]), np.arange(5, dtype=np.float32)
    same(at(MINE)[i, 0].set(v), THEIRS.at[i, 0].set(v))
    out, back = vjp(lambda v: at(MINE)[i, 0].set(v), as_array(v))
    theirs, their_back = jax.vjp(lambda v: THEIRS.at[i, 0].set(v), v)
    same(back(out)[0], their_back(theirs)[0])


# -- errors

MISTAKES: list[tuple[str, Callable[[Any], Any]]] = [
    (name, act) for name, act in {
        "list": lambda x: x[[0, 1]], "empty list": lambda x: x[[]], "float": lambda x: x[1.0], "str": lambda x: x["a"],
        "many": lambda x: x[0, 0, 0], "float array": lambda x: x[np.array([1.0])], "mask": lambda x: x[np.ones(2, bool)],
        "dots": lambda x: x[..., ...], "bound": lambda x: x[1:2.5], "step": lambda x: x[::0], "object": lambda x: x[object()],
        "shapes": lambda x: x[np.zeros(2, int), np.zeros(3, int)], "mask 3d": lambda x: x[np.ones((3, 4, 1), bool)],
        "float in list": lambda x: x[[0.5], 0], "str array": lambda x: x[np.array(["a"])],
        "fit": lambda x: x.at[0].set(np.zeros(3, np.float32)), "rank": lambda x: x.at[0].set(np.zeros((1, 4), np.float32)),
        "mode": lambda x: x.at[0].get(mode="wrong"), "huge": lambda x: x[2**40], "option": lambda x: x.at[0].set(1, wrong=2),
        "bool add": lambda x: (x > 1).at[0].add(True), "text": lambda x: x.at[0].set("a"),
    }.items()]


class Mine:
    """An array with the methods under test, as `Array` has them."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __getitem__(self, index: Any) -> Any:
        return getitem(self.x, index)

    def __gt__(self, other: Any) -> Any:
        return Mine(as_array(self.x.value() > other))

    @property
    def at(self) -> Any:
        return at(self.x)


@pytest.mark.parametrize(("name", "act"), MISTAKES, ids=[name for name, _ in MISTAKES])
def test_classes_of_errors(name: str, act: Callable[[Any], Any]) -> None:
    with pytest.raises(Exception) as theirs:
        act(THEIRS)
    expected = next(c for c in type(theirs.value).__mro__ if c.__module__ == "builtins")
    with pytest.raises(expected) as mine:
        act(Mine(MINE))
    assert str(mine.value)
