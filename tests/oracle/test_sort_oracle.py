"""Sorting against JAX."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import agreement as same
import jax
import ml_dtypes
import numpy as np
import pytest
from jax import lax

from perspicax.lax.sorting import sort, sort_key_val, top_k
from perspicax.transform.jit import JitFunction, JitOptions

pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((3, 4)).astype(np.float32)
PACKED = ("float32", "bfloat16", "bool")  # are sorted by other operations than JAX's
STRANGE = np.float32([[np.nan, 1, -0.0, 0.0], [-np.nan, np.inf, -np.inf, np.nan], [1e-40, -1e-40, 0, 1]])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "uint32", "bool", "complex64"])
def test_dtypes(dtype: str) -> None:
    x = (X * 10).astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    same.check_values(sort, lax.sort, x, rtol=0)
    same.check_equations(sort, lax.sort, x)
    if dtype not in PACKED:
        same.check_operations(sort, lax.sort, x)


def strange_entries(dtype: np.dtype) -> np.ndarray:
    """16 entries with everything in which an order can go wrong."""
    if dtype.kind in "biu":
        return RANDOM.integers(0, 2**32, 16, np.uint32).astype(dtype)
    subnormal = np.float32([1, -1, 0, 2]) * np.float32(ml_dtypes.finfo(dtype).smallest_subnormal)
    return np.append(STRANGE, subnormal).astype(dtype)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "bool", "int8", "uint32"])
def test_packed_entries_come_out_with_jaxs_bits(dtype: str, axis: int) -> None:
    strange = strange_entries(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    x = np.stack([strange, RANDOM.permutation(strange)])
    places = np.broadcast_to(np.arange(16, dtype=np.int32), x.shape)
    program = JitFunction(lambda x, p: [*sort((x, p, x), axis), sort(x, axis)], JitOptions())
    assert "TOTALORDER" not in program.lower(x, places).as_text()
    wanted = jax.jit(lambda x, p: lax.sort((x, p, x), axis))(x, places)
    for a, b in zip(program(x, places), [*wanted, wanted[0]], strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_the_order_of_floats() -> None:
    places = np.arange(12, dtype=np.int32).reshape(3, 4)
    found, wanted = sort_key_val(STRANGE, places), lax.sort_key_val(STRANGE, places)
    np.testing.assert_array_equal(np.asarray(found[1]), np.asarray(wanted[1]))
    np.testing.assert_array_equal(np.asarray(found[0]).view(np.uint32), np.asarray(wanted[0]).view(np.uint32))


def test_several_keys() -> None:
    keys = RANDOM.integers(0, 2, (3, 4)).astype(np.int32)
    for options in ({"num_keys": 2}, {"num_keys": 1, "dimension": 0}, {"is_stable": False, "num_keys": 2}):
        ours, theirs = lambda a, b: sort((a, b), **options), lambda a, b: lax.sort((a, b), **options)
        same.check_values(ours, theirs, keys, X, rtol=0)
        same.check_equations(ours, theirs, keys, X)
        if options["num_keys"] == 2:
            same.check_operations(ours, theirs, keys, X)


@pytest.mark.parametrize("axis", [0, 1])
def test_derivatives_and_batches(axis: int) -> None:
    ours, theirs = lambda x: sort(x, axis), lambda x: lax.sort(x, axis)
    same.check_derivatives(ours, theirs, X)
    same.check_vmap(ours, theirs, X, axes=[(0,), (2,)])
    both = (lambda x, y: sort((x, y), axis), lambda x, y: lax.sort((x, y), axis))
    same.check_derivatives(*both, X, X + 1)
    same.check_vmap(*both, X, X + 1, axes=[(0, None), (None, 2), (1, 0)])


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "bool"])
def test_top_k(axis: int, dtype: str) -> None:
    x = (X * 3).astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    ours, theirs = lambda x: list(top_k(x, 2, axis=axis)), lambda x: list(lax.top_k(x, 2, axis=axis))
    same.check_values(ours, theirs, x, rtol=0)
    same.check_equations(ours, theirs, x)
    same.check_operations(ours, theirs, x)
    if dtype == "float32":
        same.check_values(ours, theirs, STRANGE, rtol=0)
        same.check_derivatives(lambda x: top_k(x, 2, axis=axis)[0], lambda x: lax.top_k(x, 2, axis=axis)[0], x)
        same.check_vmap(ours, theirs, x, axes=[(0,), (2,)])


@pytest.mark.parametrize("f", [
    lambda s, v, t: t(X, 5), lambda s, v, t: t(X, -1), lambda s, v, t: t(1.0, 1), lambda s, v, t: s(X, 2),
    lambda s, v, t: s((X, X[0])), lambda s, v, t: s((X, X), num_keys=3), lambda s, v, t: s((X, X), num_keys=0),
    lambda s, v, t: s(()), lambda s, v, t: v(X, X[0], dimension=0), lambda s, v, t: t(X.astype(np.complex64), 1),
])
def test_errors(f: Callable[..., Any]) -> None:
    same.check_error(lambda: f(sort, sort_key_val, top_k), lambda: f(lax.sort, lax.sort_key_val, lax.top_k))
