"""Dtypes and weak types of NumPy's arithmetic on every pair of kinds of operands, against JAX's."""
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy
import numpy as np
import pytest

import perspicax
import perspicax.numpy


def operands(np_like: Any) -> dict[str, Any]:
    return {"weak int": np_like.asarray(3), "weak float": np_like.asarray(2.5), "int8": np_like.int8(3),
            "uint32": np_like.uint32(3), "float32": np_like.float32(2), "bfloat16": np_like.bfloat16(2),
            "bool": np_like.bool_(True), "int32[3]": np_like.arange(3), "NumPy int16": np.int16(3),
            "NumPy int8 array": np.array(2, np.int8), "-1": -1, "int": 3, "float": 2.5, "True": True}


def result(module: Any, f: Callable[..., Any], *args: Any) -> Any:
    try:
        found = module.eval_shape(lambda: f(*args))
    except (TypeError, ValueError):
        return "refused"
    return [(x.shape, str(x.dtype), x.weak_type) for x in module.tree.leaves(found)]


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "divmod", "power", "hypot", "heaviside", "linspace"])
def test_a_function_of_two_operands(name: str) -> None:
    ours, theirs = operands(perspicax.numpy), operands(jax.numpy)
    kwargs = {"num": 3} if name == "linspace" else {}
    for left in ours:
        for right in ours:
            wanted = result(jax, lambda a, b: getattr(jax.numpy, name)(a, b, **kwargs), theirs[left], theirs[right])
            found = result(perspicax, lambda a, b: getattr(perspicax.numpy, name)(a, b, **kwargs), ours[left], ours[right])
            assert found == wanted, (left, right)


@pytest.mark.parametrize("name", ["angle", "imag", "nan_to_num", "deg2rad", "sinc", "rint", "diag", "exp", "log1p"])
def test_a_function_of_one_operand(name: str) -> None:
    ours, theirs = operands(perspicax.numpy), operands(jax.numpy)
    for each in ours:
        shaped = name == "diag"
        wanted = result(jax, lambda a: getattr(jax.numpy, name)(jax.numpy.stack([a] * 2) if shaped else a), theirs[each])
        found = result(perspicax, lambda a: getattr(perspicax.numpy, name)(
            perspicax.numpy.stack([a] * 2) if shaped else a), ours[each])
        assert found == wanted, each


@pytest.mark.parametrize("digits", [(), (None,), (0,), (1,)])
def test_round_as_an_operator(digits: tuple) -> None:
    ours, theirs = operands(perspicax.numpy), operands(jax.numpy)
    for each in ("weak int", "weak float", "int8", "float32", "bfloat16", "int32[3]"):
        wanted = result(jax, lambda a: round(a, *digits), theirs[each])
        assert result(perspicax, lambda a: round(a, *digits), ours[each]) == wanted, each


@pytest.mark.parametrize("bounds", [(10**12,), (2**40, 2**40 + 5), (-2**33, 5), (3_000_000_000, 3_000_000_009, 3)])
def test_arange_beyond_32_bits(bounds: tuple) -> None:
    wanted = result(jax, jax.numpy.arange, *bounds)
    assert result(perspicax, perspicax.numpy.arange, *bounds) == wanted
    if len(bounds) > 1 and bounds[1] - bounds[0] < 10:
        np.testing.assert_array_equal(perspicax.numpy.arange(*bounds), jax.numpy.arange(*bounds))


@pytest.mark.parametrize("operation", [operator.pow, operator.floordiv, operator.mod])
def test_values_of_operators_with_scalars(operation: Callable[..., Any]) -> None:
    for right in ("weak int", "int8", "NumPy int16", "int"):
        found = operation(perspicax.numpy.arange(-4, 5), operands(perspicax.numpy)[right])
        np.testing.assert_array_equal(found, operation(jax.numpy.arange(-4, 5), operands(jax.numpy)[right]))


@pytest.mark.parametrize("call", [
    lambda m, x: m.numpy.gradient(m.numpy.arange(3), x), lambda m, x: m.numpy.gradient(m.numpy.arange(3, dtype="float16"), x),
    lambda m, x: m.numpy.gradient(m.numpy.ones((2, 3), int), x, 2.0), lambda m, x: m.numpy.unique(x, size=1),
    lambda m, x: m.numpy.unique(x, size=2, fill_value=1), lambda m, x: m.numpy.setdiff1d(x, 4, size=1),
    lambda m, x: m.numpy.unique_values(x, size=1),
])
def test_functions_that_pass_a_weak_type_on(call: Callable[..., Any]) -> None:
    ours, theirs = operands(perspicax.numpy), operands(jax.numpy)
    for each in ("weak int", "weak float", "float32", "-1", "float"):
        assert result(perspicax, call, perspicax, ours[each]) == result(jax, call, jax, theirs[each]), each
