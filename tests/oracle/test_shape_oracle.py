"""Shape and order against JAX."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import agreement as same
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from perspicax.lax import shape

pytestmark = pytest.mark.oracle
X = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)

CASES: list[tuple[str, Callable[[Any], Callable[..., Any]], tuple]] = [
    ("broadcast_in_dim", lambda m: lambda x: m.broadcast_in_dim(x, (2, 4, 3), (0, 2)), (X,)),
    ("broadcast", lambda m: lambda x: m.broadcast(x, (2,)), (X,)),
    ("reshape", lambda m: lambda x: m.reshape(x, (3, 2)), (X,)),
    ("transpose", lambda m: lambda x: m.transpose(x, (1, 0)), (X,)),
    ("squeeze", lambda m: lambda x: m.squeeze(x, (0,)), (X[:1],)),
    ("expand_dims", lambda m: lambda x: m.expand_dims(x, (-1,)), (X,)),
    ("concatenate", lambda m: lambda x: m.concatenate([x, x], 1), (X,)),
    ("pad", lambda m: lambda x: m.pad(x, np.float32(1), ((1, -1, 2), (0, 1, 0))), (X,)),
    ("rev", lambda m: lambda x: m.rev(x, (0,)), (X,)),
    ("split", lambda m: lambda x: list(m.split(x, (1, 2), 1)), (X,)),
]
IDS = [c[0] for c in CASES]


@pytest.mark.parametrize(("name", "f", "args"), CASES, ids=IDS)
def test_agreement(name: str, f: Callable[[Any], Callable[..., Any]], args: tuple) -> None:
    ours, theirs = f(shape), f(lax)
    same.check_values(ours, theirs, *args, rtol=0)
    same.check_equations(ours, theirs, *args)
    same.check_operations(ours, theirs, *args)
    same.check_derivatives(ours, theirs, *args)
    same.check_vmap(ours, theirs, *args, axes=[(0,), (args[0].ndim,)])


def test_weak_types() -> None:
    for f in (lambda m: m.broadcast(1.0, (2,)), lambda m: m.reshape(1.0, (1,)), lambda m: m.expand_dims(1, (0,)),
              lambda m: m.concatenate([m.broadcast(1.0, (1,)), m.broadcast(2.0, (1,))], 0),
              lambda m: m.concatenate([m.broadcast(1.0, (1,)), np.ones(1, np.float32)], 0),
              lambda m: m.pad(m.broadcast(1.0, (1,)), 0.0, ((1, 0, 0),)), lambda m: m.pad(X, 0.0, ((0, 0, 0),) * 2)):
        same.assert_same(f(shape), f(lax), 0, "weak types")


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float16", "bfloat16", "complex64"])
def test_iota(dtype: str) -> None:
    same.check_values(lambda: shape.broadcasted_iota(dtype, (2, 300), 1), lambda: lax.broadcasted_iota(dtype, (2, 300), 1))


@pytest.mark.parametrize("f", [
    lambda m, x: m.pad(x, np.int32(0), ((0, 0, 0),) * 2), lambda m, x: m.pad(x, 0.0, ((0, 0, 0),)),
    lambda m, x: m.pad(x, 0.0, ((0, 0, -1), (0, 0, 0))), lambda m, x: m.pad(x, 0.0, ((-5, 1, 0), (0, 0, 0))),
    lambda m, x: m.squeeze(x[:1], (0, 0)), lambda m, x: m.squeeze(x, (0,)), lambda m, x: m.squeeze(x, (7,)),
    lambda m, x: m.reshape(x, (-1,)), lambda m, x: m.reshape(x, (4,)), lambda m, x: m.reshape(x, (6,), (1, 1)),
    lambda m, x: m.expand_dims(x, (0, 0)), lambda m, x: m.expand_dims(x, (5,)), lambda m, x: m.concatenate([x, x], 2),
    lambda m, x: m.concatenate([], 0), lambda m, x: m.concatenate([x, x.astype(np.int32)], 0),
    lambda m, x: m.concatenate([x, x[:, :1]], 0), lambda m, x: m.concatenate([x, x[0]], 0), lambda m, x: m.rev(x, (0, 0)),
    lambda m, x: m.rev(x, (3,)), lambda m, x: m.iota(bool, 3), lambda m, x: m.broadcasted_iota(int, (2, 3), 2),
    lambda m, x: m.split(x, (-1, 3)), lambda m, x: m.split(x, (1, 1), 4), lambda m, x: m.transpose(x, (0,)),
    lambda m, x: m.transpose(x, (0, 0)), lambda m, x: m.broadcast_in_dim(x, (2, 4), (0, 1)),
    lambda m, x: m.broadcast_in_dim(x, (2, 3, 4), (1, 0)), lambda m, x: m.broadcast_in_dim(x, (2, 3, 4), (0,)),
    lambda m, x: m.broadcast_shapes((2, 3), (2,)),
])
def test_errors(f: Callable[..., Any]) -> None:
    same.check_error(lambda: f(shape, X), lambda: f(lax, X))


def test_broadcast_shapes() -> None:
    for shapes in (((2, 1), (3,)), ((0,), (1,)), ((4, 1, 3), (2, 1), ())):
        assert shape.broadcast_shapes(*shapes) == lax.broadcast_shapes(*shapes) == jnp.broadcast_shapes(*shapes)
