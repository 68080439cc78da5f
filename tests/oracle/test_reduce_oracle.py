"""Reductions, windows and cumulative reductions against JAX."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import agreement as same
import jax
import ml_dtypes
import numpy as np
import pytest
from jax import lax

from perspicax.lax import bitwise, cumulative, elementwise, reduce_function, window
from perspicax.lax.reductions import (
    argmax,
    argmin,
    reduce_and,
    reduce_max,
    reduce_min,
    reduce_or,
    reduce_prod,
    reduce_sum,
    reduce_xor,
)
from perspicax.transform.grad import vjp

pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((3, 4)).astype(np.float32)
TIES = np.float32([[1, 2, 2, 0], [2, 2, 0, 0], [1, 1, 0, 2]])
NAMED = [reduce_sum, reduce_prod, reduce_max, reduce_min]
BITS = [reduce_or, reduce_and, reduce_xor]


@pytest.mark.parametrize("f", NAMED, ids=lambda f: f.__name__)
@pytest.mark.parametrize("axes", [(0,), (0, 1)])
def test_named_reductions(f: Callable[..., Any], axes: tuple) -> None:
    ours, theirs = lambda x: f(x, axes), lambda x: getattr(lax, f.__name__)(x, axes)
    for x in (X, TIES):
        same.check_values(ours, theirs, x)
        same.check_derivatives(ours, theirs, x)
    same.check_equations(ours, theirs, X)
    same.check_operations(ours, theirs, X)
    same.check_vmap(ours, theirs, X, axes=[(0,), (2,)])


@pytest.mark.parametrize("f", NAMED + BITS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "bfloat16", "complex64"])
def test_dtypes(f: Callable[..., Any], dtype: str) -> None:
    """Values, of nothing too, or an error on both sides."""
    theirs = getattr(lax, f.__name__)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = (X * 10).astype(kind) if dtype != "bool" else X > 0
    if same.raised(theirs, x, (0,)) is not None:
        same.check_error(lambda: f(x, (0,)), lambda: theirs(x, (0,)))
        return
    same.check_values(lambda x: f(x, (0,)), lambda x: theirs(x, (0,)), x, rtol=1e-2 if dtype == "bfloat16" else 1e-6)
    same.check_values(lambda x: f(x, (0,)), lambda x: theirs(x, (0,)), x[:0])


@pytest.mark.parametrize(("ours", "theirs"), [(argmax, lax.argmax), (argmin, lax.argmin)], ids=["argmax", "argmin"])
def test_indices(ours: Any, theirs: Any) -> None:
    strange = np.float32([[1, np.nan, 3, np.nan], [-0.0, 0.0, -np.inf, -np.inf], [np.inf, np.inf, 0, 0]])
    for x in (X, TIES, strange, TIES.astype(np.uint8), TIES > 1, TIES.astype(np.int32)):
        for axis in (0, 1):
            same.check_values(lambda x: ours(x, axis, np.int32), lambda x: theirs(x, axis, np.int32), x)
    same.check_values(lambda x: ours(x, 0, np.uint8), lambda x: theirs(x, 0, np.uint8), X)
    same.check_equations(lambda x: ours(x, 0, np.int32), lambda x: theirs(x, 0, np.int32), X)
    same.check_operations(lambda x: ours(x, 0, np.int32), lambda x: theirs(x, 0, np.int32), X)


# -- functions

def joined(m: Any) -> Callable[[Any, Any], Any]:
    """Associative: (1 + a)(1 + b) - 1."""
    return lambda a, b: m.add(m.add(a, b), m.mul(a, b))


def test_a_function() -> None:
    ours, theirs = (lambda x: reduce_function.reduce(x, 0.0, joined(elementwise), (0,)),
                    lambda x: lax.reduce(x, 0.0, joined(lax), (0,)))
    same.check_values(ours, theirs, X)
    same.check_equations(ours, theirs, X)
    same.check_operations(ours, theirs, X)
    same.check_derivatives(ours, theirs, X)
    same.check_vmap(ours, theirs, X, axes=[(0,), (2,)])


@pytest.mark.parametrize(("name", "start"), [("add", 0.0), ("add", 1.0), ("max", -np.inf), ("max", 0.0), ("min", np.inf),
                                             ("mul", 1.0), ("add", 0)])
def test_known_functions(name: str, start: Any) -> None:
    ours = lambda x: reduce_function.reduce(x, start, getattr(elementwise, name), (0,))
    theirs = lambda x: lax.reduce(x, start, getattr(lax, name), (0,))
    same.check_values(ours, theirs, X)
    same.check_equations(ours, theirs, X)


def test_known_functions_of_booleans() -> None:
    for name, start in (("bitwise_or", False), ("bitwise_and", True)):
        same.check_equations(lambda x: reduce_function.reduce(x, start, getattr(bitwise, name), (0,)),
                             lambda x: lax.reduce(x, start, getattr(lax, name), (0,)), X > 0)


def test_several_operands() -> None:
    best = lambda m: lambda a, b: (m.max(a[0], b[0]), m.add(a[1], b[1]))
    same.check_values(lambda x: reduce_function.reduce((x, x), (-np.inf, 0.0), best(elementwise), (1,)),
                      lambda x: lax.reduce((x, x), (-np.inf, 0.0), best(lax), (1,)), X)


# -- windows

IMAGE = RANDOM.standard_normal((2, 6, 5)).astype(np.float32)
WINDOW = {"window_dimensions": (1, 3, 2), "window_strides": (1, 2, 1)}


@pytest.mark.parametrize(("name", "start"), [("add", 0.0), ("max", -np.inf), ("min", np.inf)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((0, 0), (1, 2), (0, 1))], ids=["SAME", "VALID", "explicit"])
def test_windows(name: str, start: float, padding: Any) -> None:
    ours = lambda x: window.reduce_window(x, start, getattr(elementwise, name), padding=padding, **WINDOW)
    theirs = lambda x: lax.reduce_window(x, start, getattr(lax, name), padding=padding, **WINDOW)
    same.check_values(ours, theirs, IMAGE)
    same.check_equations(ours, theirs, IMAGE)
    same.check_operations(ours, theirs, IMAGE)
    same.check_derivatives(ours, theirs, IMAGE)
    same.check_vmap(ours, theirs, IMAGE, axes=[(0,), (3,)])
    same.check_derivatives(ours, theirs, np.round(IMAGE))  # with ties


def test_the_gradient_of_pooling_is_the_same_program() -> None:
    ours = lambda x: window.reduce_window(x, -np.inf, elementwise.max, padding="SAME", **WINDOW)
    theirs = lambda x: lax.reduce_window(x, -np.inf, lax.max, padding="SAME", **WINDOW)
    ct = np.ones(theirs(IMAGE).shape, np.float32)

    def pulled(transform: Callable[..., Any], f: Callable[..., Any]) -> Callable[..., Any]:
        def both(x: Any) -> list[Any]:
            out, back = transform(f, x)
            return [out, *back(ct)]

        return both

    same.check_equations(pulled(vjp, ours), pulled(jax.vjp, theirs), IMAGE)
    same.check_operations(pulled(vjp, ours), pulled(jax.vjp, theirs), IMAGE)


@pytest.mark.parametrize(("name", "start"), [("add", 0.0), ("max", -np.inf), ("mul", 1.0)])
def test_dilated_windows(name: str, start: float) -> None:
    options = {**WINDOW, "padding": ((0, 0), (1, 2), (0, 1)), "base_dilation": (1, 2, 1), "window_dilation": (1, 1, 2)}
    same.check_values(lambda x: window.reduce_window(x, start, getattr(elementwise, name), **options),
                      lambda x: lax.reduce_window(x, start, getattr(lax, name), **options), IMAGE)


# -- cumulative

@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"])
@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative(name: str, reverse: bool) -> None:
    ours, theirs = (lambda x: getattr(cumulative, name)(x, 1, reverse), lambda x: getattr(lax, name)(x, 1, reverse))
    same.check_values(ours, theirs, X, rtol=1e-6)
    same.check_equations(ours, theirs, X)
    same.check_operations(ours, theirs, X)
    same.check_derivatives(ours, theirs, X)
    same.check_derivatives(ours, theirs, TIES)
    same.check_vmap(ours, theirs, X, axes=[(0,), (2,)])
    if name != "cumlogsumexp":
        same.check_values(ours, theirs, (X * 40).astype(np.int8))


ERRORS: list[Callable[[Any, Any, Any], Any]] = [
    lambda r, w, c: c.cumsum(X, 2), lambda r, w, c: c.cumsum(X, -1), lambda r, w, c: c.cumsum(X > 0, 0),
    lambda r, w, c: r.reduce(X, X[0], joined(elementwise if r is reduce_function else lax), (0,)),
    lambda r, w, c: r.reduce((X, X), (0.0,), lambda a, b: a, (0,)), lambda r, w, c: r.reduce(X, 0.0, lambda a, b: b, (0, 0)),
    lambda r, w, c: w.reduce_window(X, 0.0, lambda a, b: a, (2,)),
    lambda r, w, c: w.reduce_window(X, 0.0, lambda a, b: a, (2, 2), (1,)),
    lambda r, w, c: w.reduce_window(X, 0.0, lambda a, b: a, (2, 2), (1, 0)),
    lambda r, w, c: w.reduce_window(X, 0.0, lambda a, b: a, (2, 2), None, "FULL"),
]


@pytest.mark.parametrize("f", ERRORS)
def test_errors(f: Callable[..., Any]) -> None:
    same.check_error(lambda: f(reduce_function, window, cumulative), lambda: f(lax, lax, lax))


@pytest.mark.parametrize("f", [
    lambda s, a: s(X, (0, 0)), lambda s, a: s(X, (5,)), lambda s, a: s(X > 0, (0,)), lambda s, a: a(X[:0], 0, np.int32),
    lambda s, a: a(X, 5, np.int32), lambda s, a: a(X, -1, np.int32), lambda s, a: a(X, 0, np.float32),
    lambda s, a: a(X.astype(np.complex64), 0, np.int32)])
def test_errors_of_named_reductions(f: Callable[..., Any]) -> None:
    same.check_error(lambda: f(reduce_sum, argmax), lambda: f(lax.reduce_sum, lax.argmax))
