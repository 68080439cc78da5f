"""Calls of foreign functions, against JAX's: values, and the equations that they leave."""
from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np
import pytest

import perspicax as px

pytestmark = pytest.mark.oracle

A = np.array([[4.0, 1.0], [1.0, 3.0]], np.float32)
METHODS = ["sequential", "sequential_unrolled", "expand_dims", "broadcast_all", "legacy_vectorized"]


def factor(m: Any, x: Any, **options: Any) -> Any:
    types = (m.ShapeDtypeStruct((2, 2), np.float32), m.ShapeDtypeStruct((), np.int32))
    return m.ffi.ffi_call("lapack_spotrf_ffi", types, input_layouts=[(1, 0)], output_layouts=[(1, 0), ()],
                          input_output_aliases={0: 0}, **options)(x, uplo=np.uint8(ord("L")))


def equation(m: Any, f: Any, *args: Any) -> str:
    return re.sub(r"\s+", " ", str(m.make_jaxpr(f)(*args)))


def test_values_and_equations() -> None:
    jax.numpy.linalg.cholesky(A)  # JAX registers LAPACK's functions when it first needs them
    assert equation(px, lambda x: factor(px, x), A) == equation(jax, lambda x: factor(jax, x), A)
    for mine, theirs in zip(factor(px, A), factor(jax, A)):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
        assert mine.dtype == theirs.dtype


@pytest.mark.parametrize("method", METHODS)
def test_vmap(method: str) -> None:
    stack = np.stack([A, 2 * A])
    f = {m: m.vmap(lambda x, m=m: factor(m, x, vmap_method=method)) for m in (px, jax)}
    assert equation(px, f[px], stack) == equation(jax, f[jax], stack)
    two = {m: m.vmap(lambda x, y, m=m: m.ffi.ffi_call("t", m.ShapeDtypeStruct((2,), np.float32), vmap_method=method)(x, y),
                     in_axes=(0, None)) for m in (px, jax)}
    mine, theirs = [[str(v.aval) for v in m.make_jaxpr(two[m])(stack, A).eqns[-1].invars] for m in (px, jax)]
    assert mine == theirs


@pytest.mark.parametrize("mistake", [
    lambda m: m.vmap(lambda x: factor(m, x))(np.stack([A, A])), lambda m: m.grad(lambda x: factor(m, x)[0].sum())(A),
    lambda m: factor(m, A, vmap_method="no"), lambda m: factor(m, "s"), lambda m: m.ffi.ffi_call("t", 3)(A),
    lambda m: m.ffi.ffi_call("no_such", m.ShapeDtypeStruct((2,), np.float32))(A),
    lambda m: m.ffi.ffi_call("t", m.ShapeDtypeStruct((2,), np.float32))(A, k=None)])
def test_refusals(mistake: Any) -> None:
    with pytest.raises(Exception) as theirs:
        mistake(jax)
    base = next(c for c in type(theirs.value).__mro__ if c.__module__ == "builtins")
    with pytest.raises(base):
        mistake(px)
