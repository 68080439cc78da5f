"""Products of arrays whose entries are stored in few bits, with a scale for each block of them.

A block is a run of entries along the axis that is summed over. `mxfp8` has blocks of 32 numbers of 8 bits, whose scales
are powers of two (Open Compute Project, Microscaling Formats Specification 1.0, 2023); `nvfp4` has blocks of 16 numbers of
4 bits, whose scales have 8 bits, and one scale for the whole array besides.
"""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.trace import stage_flat
from perspicax.diagnose.boundary import public
from perspicax.lax.contraction import dot_general
from perspicax.lax.convert import bitcast_convert_type
from perspicax.lax.precision import Precision
from perspicax.nn.errors import BlockScaleError
from perspicax.numpy.fusion import fused_call
from perspicax.transform.custom import custom_vjp

LARGEST_FP8, LARGEST_FP4 = 448., 6.  # of float8_e4m3fn and float4_e2m1fn


@dataclasses.dataclass(eq=False)
class BlockScaleConfig:
    """How an array is stored in few bits.

    Attributes:
        mode: `"mxfp8"` or `"nvfp4"`.
        block_size: how many entries have one scale.
        data_type: dtype of the entries.
        scale_type: dtype of the scales.
        global_scale: a scale of the whole array, `float32[1]`; of `nvfp4` alone.
        infer_only: whether there are no derivatives.
    """

    mode: str
    block_size: int
    data_type: Any
    scale_type: Any
    global_scale: Any
    infer_only: bool = False


@public
def get_scaled_dot_general_config(mode: str, global_scale: Any = None) -> BlockScaleConfig:
    """The usual configuration of a mode, for `scaled_dot_general`.

    Args:
        mode: `"mxfp8"` or `"nvfp4"`.
        global_scale: for `nvfp4`, the scale of the whole array, of one entry; 1 by default.

    Raises:
        BlockScaleError: the mode is none of these.
    """
    if mode == "mxfp8":
        return BlockScaleConfig(mode, 32, dtypes.to_dtype("float8_e4m3fn").type, dtypes.to_dtype("float8_e8m0fnu").type, None)
    if mode == "nvfp4":
        scale = jnp.ones((1,), np.float32) if global_scale is None else global_scale
        return BlockScaleConfig(mode, 16, dtypes.to_dtype("float4_e2m1fn").type, dtypes.to_dtype("float8_e4m3fn").type, scale)
    raise BlockScaleError(says=f"There is no mode {mode!r} of scaled products.", why="the modes are 'mxfp8' and 'nvfp4'")


# -- the product

@public
def scaled_matmul(lhs: Any, rhs: Any, lhs_scales: Any, rhs_scales: Any, preferred_element_type: Any = np.float32) -> Array:
    """`lhs @ rhs.T` for stacks of matrices, each entry multiplied by the scale of its block.

    Args:
        lhs: array `[b, m, k]`.
        rhs: array `[b, n, k]`.
        lhs_scales: array `[b, m, s]`: each scale belongs to `k / s` entries that follow each other.
        rhs_scales: array `[b, n, s]`.
        preferred_element_type: dtype of the result.

    Returns:
        Array `[b, m, n]`. Products are summed in float32.

    Raises:
        BlockScaleError: the shapes do not fit.

    Differs: JAX needs cuDNN and a GPU of the newest kind; here it runs anywhere, by multiplying entries and scales first.
    """
    operands = [jnp.asarray(x) for x in (lhs, rhs, lhs_scales, rhs_scales)]
    x, y, a, c = [v.shape for v in operands]
    why = ""
    if any(v.ndim != 3 for v in operands):
        why = "all of them have three axes: batch, rows, and what is summed over"
    elif x[0] != y[0] or x[2] != y[2]:
        why = f"batch and the axis that is summed over are the same for both: {x[0]} and {y[0]}, {x[2]} and {y[2]}"
    elif a[0] != c[0] or a[2] != c[2] or a[:2] != x[:2] or c[:2] != y[:2]:
        why = "scales have the batch and rows of their operand, and as many blocks as each other"
    elif not a[2] or x[2] % a[2]:
        why = f"blocks are of one length, and {x[2]} entries are no multiple of {a[2]} scales"
    if why:
        names = ("lhs", "rhs", "lhs_scales", "rhs_scales")
        types = ", ".join([f"{n} {v.aval.str_short()}" for n, v in zip(names, operands)])
        raise BlockScaleError(says=f"The operands of `scaled_matmul` do not fit: {types}.", why=why)
    return fused_call(_product, tuple(operands), dtype=dtypes.to_dtype(preferred_element_type))


def _product(lhs: Any, rhs: Any, lhs_scales: Any, rhs_scales: Any, *, dtype: Any) -> Any:
    x, y = _restored(lhs, lhs_scales), _restored(rhs, rhs_scales)
    return dot_general(x, y, (((2,), (2,)), ((0,), (0,))), precision=Precision.HIGHEST).astype(dtype)


def _restored(x: Any, scales: Any) -> Any:
    block = x.shape[2] // scales.shape[2]
    return jnp.multiply(x.astype(np.float32), jnp.repeat(scales.astype(np.float32), block, axis=2))


# -- storing in few bits

def _stored(x: Any, config: BlockScaleConfig) -> tuple[Any, Any]:
    """Entries and scales of `x`, `[b, rows, k]`; `k` is filled up with zeros to whole blocks."""
    b, rows, k = x.shape
    missing = -k % config.block_size
    x = jnp.pad(x.astype(np.float32), ((0, 0), (0, 0), (0, missing)))
    blocks = jnp.reshape(x, (b, rows, -1, config.block_size))
    if config.mode == "nvfp4":
        blocks = jnp.true_divide(blocks, jnp.reshape(config.global_scale, (1, 1, 1, 1)))
    largest = jnp.max(jnp.abs(blocks), axis=3, keepdims=True, initial=0.)
    limit = LARGEST_FP8 if config.mode == "mxfp8" else LARGEST_FP4
    wanted = jnp.true_divide(largest, limit)
    if config.mode == "mxfp8":
        scales, divisor = _power_of_two(wanted)
    else:
        scales = jnp.clip(wanted, 0, LARGEST_FP8).astype(config.scale_type)
        divisor = scales.astype(np.float32)
    entries = jnp.where(divisor == 0, 0., jnp.true_divide(blocks, jnp.where(divisor == 0, 1., divisor)))
    entries = jnp.clip(entries, -limit, limit).astype(config.data_type)
    return jnp.reshape(entries, x.shape), scales[..., 0]


def _power_of_two(x: Any) -> tuple[Any, Any]:
    """The least power of two that is not less than `x`, as float8_e8m0fnu and as float32; at least 2^-126.

    Read from the bits: the exponent, and one more where the fraction is not 0.
    """
    bits = bitcast_convert_type(x, np.uint32)
    exponent, fraction = jnp.right_shift(bits, 23), jnp.bitwise_and(bits, 0x7FFFFF)
    exponent = jnp.where(jnp.logical_and(fraction > 0, exponent < 254), exponent + 1, exponent)
    exponent = jnp.maximum(exponent, 1)
    stored = bitcast_convert_type(exponent.astype(np.uint8), dtypes.to_dtype("float8_e8m0fnu"))
    return stored, bitcast_convert_type(jnp.left_shift(exponent, 23).astype(np.uint32), np.float32)


def _multiplied(x: Any, y: Any, first: BlockScaleConfig, second: BlockScaleConfig, dtype: Any) -> Any:
    """`[b, m, n]` from `[b, m, k]` and `[b, n, k]`, both stored in few bits."""
    (a, a_scales), (c, c_scales) = _stored(x, first), _stored(y, second)
    out = scaled_matmul(a, c, a_scales, c_scales, dtype)
    if first.mode == "nvfp4":
        both = jnp.multiply(first.global_scale, second.global_scale).astype(np.float32)
        out = jnp.multiply(out, jnp.reshape(both, (1, 1, 1)).astype(out.dtype))
    return out


@public
def scaled_dot_general(lhs: Any, rhs: Any, dimension_numbers: Any, preferred_element_type: Any = np.float32,
                       configs: Sequence[BlockScaleConfig] | None = None, implementation: str | None = None) -> Array:
    """`lax.dot_general` of operands that are rounded to few bits first, with a scale for each block.

    Args:
        lhs: floating array.
        rhs: floating array.
        dimension_numbers: as for `lax.dot_general`.
        preferred_element_type: dtype of the result.
        configs: how `lhs`, `rhs`, and the cotangent of the result are stored: three configurations of one mode, see
            `get_scaled_dot_general_config`. Without them nothing is rounded.
        implementation: `None`; `"cudnn"` is taken, and computes the same.

    Returns:
        Array of the shape of `lax.dot_general`. Derivatives are those of the product without rounding, computed by
        products of rounded operands.

    Raises:
        BlockScaleError: there are not three configurations, they differ in mode, or there is no such implementation.
        DotShapeError: the operands do not fit.

    Differs: JAX needs cuDNN and a GPU of the newest kind.
    """
    if implementation not in (None, "cudnn"):
        raise BlockScaleError(says=f"`scaled_dot_general` was given implementation={implementation!r}.",
                              why='it is "cudnn" or None')
    x, y = jnp.asarray(lhs), jnp.asarray(rhs)
    if configs is None:
        return dot_general(x, y, dimension_numbers, preferred_element_type=preferred_element_type)
    if len(configs) != 3 or len({c.mode for c in configs}) != 1:
        raise BlockScaleError(says=f"`scaled_dot_general` was given {len(configs)} configurations, of the modes "
                                   f"{', '.join([repr(c.mode) for c in configs])}.",
                              why="there are three, of one mode: for `lhs`, for `rhs`, for the cotangent of the result")
    (lc, rc), (lb, rb) = [[tuple(map(int, d)) for d in pair] for pair in dimension_numbers]
    shape = _result_shape(x, y, dimension_numbers)
    first, second, of_cotangent = configs
    dtype = dtypes.to_dtype(preferred_element_type)

    def product(a: Any, b: Any) -> Any:
        return _multiplied(a, b, first, second, dtype)

    def backward(kept: tuple[Any, Any], ct: Any) -> tuple[Any, Any]:
        a, b = kept
        swap = lambda v: jnp.swapaxes(v, 1, 2)
        return (_multiplied(ct, swap(b), of_cotangent, second, dtype).astype(a.dtype),
                _multiplied(swap(ct), swap(a), of_cotangent, first, dtype).astype(b.dtype))

    rule = custom_vjp(product)
    rule.defvjp(lambda a, b: (product(a, b), (a, b)), backward)
    return jnp.reshape(rule(_as_matrices(x, lb, lc), _as_matrices(y, rb, rc)), shape)


def _result_shape(x: Any, y: Any, dimension_numbers: Any) -> tuple[int, ...]:
    """The shape of `lax.dot_general`, whose errors are raised."""
    types = [ShapedArray(v.shape, np.float32) for v in (x, y)]
    return stage_flat(lambda a, b: [dot_general(a, b, dimension_numbers)], types).out_avals[0].shape  # type: ignore


def _as_matrices(x: Any, batch: tuple[int, ...], summed: tuple[int, ...]) -> Any:
    """`[b, rows, k]`: the axes of each kind as one."""
    rows = [i for i in range(x.ndim) if i not in batch and i not in summed]
    sizes = [math.prod([x.shape[i] for i in axes]) for axes in (batch, rows, summed)]
    return jnp.reshape(jnp.transpose(x, (*batch, *rows, *summed)), sizes)


__all__ = ["BlockScaleConfig", "get_scaled_dot_general_config", "scaled_dot_general", "scaled_matmul"]
