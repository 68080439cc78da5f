"""Products of blocks with scales: by NumPy on the same bits, derivatives, and what errors say."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import nn
from perspicax.nn.errors import BlockScaleError

RANDOM = np.random.default_rng(0)
X, Y = [RANDOM.standard_normal(s).astype(np.float32) for s in ((2, 64), (64, 3))]
NUMBERS = (((1,), (0,)), ((), ()))


def rounded(x: np.ndarray, mode: str) -> np.ndarray:
    """What is left of rows of `x` when they are stored in few bits."""
    size, limit, dtype = (32, 448., ml_dtypes.float8_e4m3fn) if mode == "mxfp8" else (16, 6., ml_dtypes.float4_e2m1fn)
    blocks = x.reshape(len(x), -1, size)
    wanted = np.abs(blocks).max(2, keepdims=True) / limit
    scale = 2 ** np.ceil(np.log2(wanted)) if mode == "mxfp8" else wanted.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
    return (np.clip(blocks / scale, -limit, limit).astype(dtype).astype(np.float32) * scale).reshape(x.shape)


def test_entries_are_multiplied_by_the_scale_of_their_block() -> None:
    lhs, rhs = [RANDOM.standard_normal(s).astype(ml_dtypes.float8_e4m3fn) for s in ((2, 2, 64), (2, 3, 64))]
    left, right = [(2. ** RANDOM.integers(-3, 3, s)).astype(np.float32) for s in ((2, 2, 2), (2, 3, 2))]
    wide = [v.astype(np.float32) * np.repeat(s, 32, axis=2) for v, s in ((lhs, left), (rhs, right))]
    out = nn.scaled_matmul(lhs, rhs, left.astype(ml_dtypes.float8_e8m0fnu), right)
    np.testing.assert_allclose(out, np.einsum("bmk,bnk->bmn", *wide), rtol=1e-5, atol=1e-4)
    assert nn.scaled_matmul(lhs, rhs, left, right, preferred_element_type=jnp.bfloat16).dtype == jnp.bfloat16


@pytest.mark.parametrize("mode", ["mxfp8", "nvfp4"])
def test_operands_are_rounded_block_by_block(mode: str) -> None:
    configs = [nn.get_scaled_dot_general_config(mode)] * 3
    out = jax.jit(lambda x, y: nn.scaled_dot_general(x, y, NUMBERS, configs=configs))(X, Y)
    np.testing.assert_allclose(out, rounded(X, mode) @ rounded(Y.T, mode).T, rtol=1e-5, atol=1e-5)
    batched = nn.scaled_dot_general(X[None, :, :50], Y[None, :50], (((2,), (1,)), ((0,), (0,))), configs=configs)
    assert batched.shape == (1, 2, 3) and np.abs(np.asarray(batched)[0] - X[:, :50] @ Y[:50]).max() < 3
    assert not np.asarray(nn.scaled_dot_general(0 * X, Y, NUMBERS, configs=configs)).any()


def test_derivatives_are_those_of_the_product() -> None:
    configs = [nn.get_scaled_dot_general_config("mxfp8")] * 3
    ct = RANDOM.standard_normal((2, 3)).astype(np.float32)
    dx, dy = jax.grad(lambda x, y: (nn.scaled_dot_general(x, y, NUMBERS, configs=configs) * ct).sum(), argnums=(0, 1))(X, Y)
    for got, wanted in ((dx, ct @ Y.T), (dy, X.T @ ct)):
        assert np.abs(np.asarray(got) - wanted).max() < 0.1 * np.abs(wanted).max()


def test_without_configurations_nothing_is_rounded() -> None:
    np.testing.assert_allclose(nn.scaled_dot_general(X, Y, NUMBERS), X @ Y, rtol=1e-5, atol=1e-5)


ONES = np.ones


@pytest.mark.parametrize("call", [
    lambda: nn.get_scaled_dot_general_config("x"),
    lambda: nn.scaled_matmul(X, Y, X, Y),
    lambda: nn.scaled_matmul(ONES((1, 2, 64)), ONES((1, 3, 32)), ONES((1, 2, 2)), ONES((1, 3, 2))),
    lambda: nn.scaled_matmul(ONES((1, 2, 64)), ONES((1, 3, 64)), ONES((1, 2, 1)), ONES((1, 3, 2))),
    lambda: nn.scaled_matmul(ONES((1, 2, 64)), ONES((1, 3, 64)), ONES((1, 2, 3)), ONES((1, 3, 3))),
    lambda: nn.scaled_dot_general(X, Y, NUMBERS, configs=[nn.get_scaled_dot_general_config("mxfp8")]),
    lambda: nn.scaled_dot_general(X, Y, NUMBERS, implementation="x"),
])
def test_what_does_not_fit_is_told(call: Any) -> None:
    with pytest.raises(BlockScaleError) as caught:
        call()
    assert isinstance(caught.value, ValueError) and caught.value.report.why
