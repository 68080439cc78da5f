"""Dtypes against JAX: names in jaxprs and in StableHLO, canonicalisation, the hierarchy."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from perspicax.core import dtypes
from perspicax.core.config import enable_x64

jax = pytest.importorskip("jax")

pytestmark = pytest.mark.oracle

NAMES = list(dtypes.ALL)


@pytest.mark.parametrize("name", NAMES)
def test_names_in_jaxprs_and_in_stablehlo(name: str) -> None:
    with jax.enable_x64(True):
        struct = jax.ShapeDtypeStruct((2,), dtypes.ALL[name])
        jaxpr = str(jax.make_jaxpr(lambda x: x)(struct))
        text = jax.jit(lambda x: x).lower(struct).as_text()
    assert f"a:{dtypes.short_name(dtypes.ALL[name])}[2]" in jaxpr
    assert f"tensor<2x{dtypes.mlir_element_type(dtypes.ALL[name])}>" in text


def test_every_scalar_type_of_jax_is_here() -> None:
    kind = type(jax.numpy.float32)
    theirs = {scalar.__name__: scalar for scalar in vars(jax.numpy).values() if isinstance(scalar, kind)}
    assert set(theirs) == set(dtypes.scalar_types)
    assert {name: s.dtype for name, s in theirs.items()} == {name: s.dtype for name, s in dtypes.scalar_types.items()}


@pytest.mark.parametrize("x64", [False, True])
def test_canonicalisation(x64: bool) -> None:
    given: list[Any] = [*NAMES, *dtypes.ALL.values(), bool, int, float, complex, None, "U3", object, np.dtype(">f4")]
    with jax.enable_x64(x64), enable_x64(x64):
        theirs = [jax.dtypes.canonicalize_dtype(x) for x in given]
        assert [dtypes.canonicalize_dtype(x) for x in given] == theirs


def test_the_hierarchy() -> None:
    given: list[Any] = [
        *dtypes.ALL.values(), dtypes.float0, np.generic, np.number, np.integer, np.signedinteger, np.unsignedinteger,
        np.inexact, np.floating, np.complexfloating, np.void, np.character, bool, int, float, complex]
    pairs = [(a, b) for a in given for b in given]
    theirs = {(a, b): jax.dtypes.issubdtype(a, b) for a, b in pairs}
    assert {(a, b): dtypes.issubdtype(a, b) for a, b in pairs} == theirs


@pytest.mark.parametrize("name", NAMES)
def test_bits_and_scalar_types(name: str) -> None:
    with jax.enable_x64(True):
        assert dtypes.itemsize_bits(name) == jax.dtypes.itemsize_bits(name)
        assert dtypes.scalar_type_of(dtypes.ALL[name]) is jax.dtypes.scalar_type_of(dtypes.ALL[name])


def test_float0_is_the_same_dtype() -> None:
    assert dtypes.float0 == jax.dtypes.float0
    assert dtypes.name_of(dtypes.float0) == "float0"
    text = str(jax.make_jaxpr(lambda x: x)(jax.ShapeDtypeStruct((), jax.dtypes.float0)))
    assert f"a:{dtypes.short_name(dtypes.float0)}[]" in text
