"""Products of 8-bit floating numbers with delayed scaling: `flax.linen.fp8_ops`.

A tensor is divided by a scale, cut off at the largest number of the 8-bit type, and rounded to it; the scale follows from
the largest absolute values that the tensor had in the last steps (Micikevicius et al., FP8 Formats for Deep Learning,
2022). Scales and histories change at each step, and have no derivative: what reverse mode returns in its place is their
next value, so a training step puts the "gradient" of the collection `_overwrite_with_gradient` in the place of its values.
Where a layer is called several times in a step, convert the collection to `fm32` first: then the largest is left, and not
the sum.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax import custom_vjp, dtypes, lax
from perspicax.flax.linen.fp8_dtypes import Fp8MetaTyRules as Fp8MetaTyRules
from perspicax.flax.linen.fp8_dtypes import as_given, as_numbers
from perspicax.flax.linen.fp8_dtypes import fm32 as fm32
from perspicax.flax.linen.fp8_dtypes import fp8_meta_dtype as fp8_meta_dtype
from perspicax.flax.linen.fp8_dtypes import fp8_meta_dtype_wrapper as fp8_meta_dtype_wrapper
from perspicax.flax.linen.fp8_dtypes import fp32_max_grad as fp32_max_grad
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described
from perspicax.flax.linen.module import Module, compact, nowrap
from perspicax.flax.typing import Array, Dtype, PrecisionLike

__all__ = [
    "OVERWRITE_WITH_GRADIENT", "Fp8DirectDotGeneralOp", "Fp8DotGeneral", "Fp8DotGeneralBase", "Fp8DotGeneralOp", "Fp8Einsum",
    "NANOOFp8DotGeneralOp", "compute_amax_history", "compute_scale", "dequantize", "fp8_scaled_dot_general", "get_fp8_max",
    "in_q", "in_qdq", "out_dq", "out_qdq", "qdq", "quantize", "quantize_dequantize_update", "quantized_dot",
    "update_fp8_meta",
]

OVERWRITE_WITH_GRADIENT = "_overwrite_with_gradient"
_EIGHT_BITS: tuple[Any, ...] = tuple([np.dtype(kind) for kind in (
    jnp.float8_e4m3fn, jnp.float8_e5m2, jnp.float8_e4m3fnuz, jnp.float8_e5m2fnuz)])

Dimensions = Any


# -- numbers

def get_fp8_max(fp8_dtype: Dtype, out_dtype: Dtype) -> Any:
    """The largest number of an 8-bit type, as one of another type.

    Raises:
        LayerOptionError: it is no 8-bit floating type.
    """
    kind = np.dtype(fp8_dtype)
    if kind not in _EIGHT_BITS:
        raise LayerOptionError(says=f"{kind.name} is no 8-bit floating type.",
                               why=f"the types are {', '.join([each.name for each in _EIGHT_BITS])}")
    return np.dtype(out_dtype).type(dtypes.finfo(kind).max)


def quantize(x: Array, q_dtype: Dtype, scale: Array, compute_dtype: Dtype) -> Array:
    """Numbers divided by a scale, as 8-bit ones.

    Args:
        x: the numbers.
        q_dtype: an 8-bit type; what is beyond its largest number becomes that.
        scale: divides the numbers; it broadcasts to them.
        compute_dtype: the dtype of the division.
    """
    largest = get_fp8_max(q_dtype, compute_dtype)
    scaled = x / jnp.broadcast_to(jnp.asarray(as_numbers(scale), compute_dtype), jnp.shape(x))
    return jnp.clip(scaled, -largest, largest).astype(q_dtype)


def dequantize(x: Array, dq_dtype: Dtype, scale: Array) -> Array:
    """8-bit numbers times their scale, as numbers of another dtype."""
    return x.astype(dq_dtype) * jnp.broadcast_to(jnp.asarray(as_numbers(scale), dq_dtype), jnp.shape(x))


def qdq(x: Array, q_dtype: Dtype, scale: Array, compute_dtype: Dtype) -> Array:
    """Numbers rounded as `quantize` does, in their own dtype."""
    return dequantize(quantize(x, q_dtype, scale, compute_dtype), x.dtype, scale)


def compute_scale(amax: Array, scale: Array, fp8_max: Any, margin: int = 0) -> Array:
    """The scale by which numbers up to `amax` fill the range of an 8-bit type.

    Args:
        amax: the largest absolute value; where it is 0 or not finite, the scale stays.
        scale: the scale so far.
        fp8_max: the largest number of the type.
        margin: how many powers of two are left free.
    """
    factor = fp8_max / amax / 2**margin
    before = 1.0 / scale
    return 1.0 / jnp.where(jnp.isfinite(amax), jnp.where(amax > 0.0, factor, before), before)


def compute_amax_history(x: Array, amax_history: Array) -> Array:
    """The history with the largest absolute value of `x` in front; the one that was there longest is forgotten.

    The next one is overwritten in its place: the newest stands at index 0, and the others move up from behind.
    """
    largest = jnp.max(jnp.abs(x)).astype(amax_history.dtype)
    return jnp.roll(amax_history, -1, 0).at[0].set(largest)


def update_fp8_meta(x: Array, q_dtype: Dtype, scale: Array, amax_history: Array) -> tuple[Array, Array]:
    """The scale that follows from the history, and the history with the numbers of this step.

    Each has the dtype of the one before, which may be `fm32`.
    """
    history = as_numbers(amax_history)
    new_scale = compute_scale(jnp.max(history, axis=0), as_numbers(scale), get_fp8_max(q_dtype, jnp.float32))
    return as_given(new_scale, scale), as_given(compute_amax_history(x, history), amax_history)


def quantize_dequantize_update(x: Array, q_dtype: Dtype, scale: Array, amax_history: Array,
                               compute_dtype: Dtype) -> tuple[Array, Array, Array]:
    """The numbers rounded by the scale of this step; that scale; the history."""
    new_scale, new_history = update_fp8_meta(x, q_dtype, scale, amax_history)
    return qdq(x, q_dtype, jnp.asarray(as_numbers(new_scale), jnp.float32), compute_dtype), new_scale, new_history


# -- with derivatives: those of scales and histories are their next values

@partial(custom_vjp, nondiff_argnums=(0, 1))
def in_qdq(compute_dtype: Dtype, q_dtype: Dtype, inp: Array, scale: Array, amax_history: Array) -> Array:
    """An operand rounded to 8 bits; its cotangent passes as it is."""
    return quantize_dequantize_update(inp, q_dtype, scale, amax_history, compute_dtype)[0]


def _in_qdq_forward(compute_dtype: Dtype, q_dtype: Dtype, inp: Array, scale: Array, amax_history: Array) -> Any:
    rounded, *state = quantize_dequantize_update(inp, q_dtype, scale, amax_history, compute_dtype)
    return rounded, state


in_qdq.defvjp(_in_qdq_forward, lambda compute_dtype, q_dtype, state, ct: (ct, *state))


@partial(custom_vjp, nondiff_argnums=(0, 1))
def out_qdq(compute_dtype: Dtype, q_dtype: Dtype, out: Array, scale: Array, amax_history: Array) -> Array:
    """A result as it is; its cotangent is rounded to 8 bits."""
    return out


out_qdq.defvjp(
    lambda compute_dtype, q_dtype, out, scale, amax_history: (out, (scale, amax_history)),
    lambda compute_dtype, q_dtype, state, ct: quantize_dequantize_update(ct, q_dtype, state[0], state[1], compute_dtype))


@partial(custom_vjp, nondiff_argnums=(0, 1))
def in_q(compute_dtype: Dtype, q_dtype: Dtype, inp: Array, scale: Array, amax_history: Array) -> tuple[Array, Array]:
    """An operand as 8-bit numbers, and their scale; the product that takes them knows the operand's cotangent."""
    new_scale, _ = update_fp8_meta(inp, q_dtype, scale, amax_history)
    return quantize(inp, q_dtype, new_scale, compute_dtype), new_scale


def _in_q_forward(compute_dtype: Dtype, q_dtype: Dtype, inp: Array, scale: Array, amax_history: Array) -> Any:
    new_scale, new_history = update_fp8_meta(inp, q_dtype, scale, amax_history)
    return (quantize(inp, q_dtype, new_scale, compute_dtype), new_scale), (jnp.zeros_like(inp), new_scale, new_history)


in_q.defvjp(_in_q_forward, lambda compute_dtype, q_dtype, state, _: state)


@partial(custom_vjp, nondiff_argnums=(0,))
def out_dq(dq_type: Dtype, lhs_scale: Array, rhs_scale: Array, out: Array) -> Array:
    """A product of 8-bit numbers times the scales of both; its cotangent passes as it is."""
    return dequantize(out, dq_type, _scales(lhs_scale, rhs_scale))


def _scales(one: Array, other: Array) -> Array:
    """The scale of a product of numbers with two scales."""
    return as_numbers(one) * as_numbers(other)


out_dq.defvjp(
    lambda dq_type, lhs_scale, rhs_scale, out: (
        dequantize(out, dq_type, _scales(lhs_scale, rhs_scale)), (lhs_scale, rhs_scale)),
    lambda dq_type, scales, ct: (jnp.zeros_like(scales[0]), jnp.zeros_like(scales[1]), ct))


@partial(custom_vjp, nondiff_argnums=(8, 9))
def quantized_dot(lhs: Array, q_lhs: Array, lhs_scale: Array, rhs: Array, q_rhs: Array, rhs_scale: Array,
                  out_grad_scale: Array, out_grad_amax_history: Array, dimension_numbers: Dimensions,
                  preferred_element_type: Dtype | None = None) -> Array:
    """The product of 8-bit numbers, not yet scaled; in reverse mode its cotangent is rounded to 8 bits too.

    Args:
        lhs: the left operand, whose cotangent is made here.
        q_lhs: its 8-bit numbers.
        lhs_scale: their scale.
        rhs: the right operand.
        q_rhs: its 8-bit numbers.
        rhs_scale: their scale.
        out_grad_scale: the scale of the cotangent.
        out_grad_amax_history: its history.
        dimension_numbers: as for `lax.dot_general`.
        preferred_element_type: the dtype in which products are summed.
    """
    return lax.dot_general(q_lhs, q_rhs, dimension_numbers, preferred_element_type=preferred_element_type)


def _quantized_dot_forward(lhs: Array, q_lhs: Array, lhs_scale: Array, rhs: Array, q_rhs: Array, rhs_scale: Array,
                           out_grad_scale: Array, out_grad_amax_history: Array, dimension_numbers: Dimensions,
                           preferred_element_type: Dtype | None) -> Any:
    out = lax.dot_general(q_lhs, q_rhs, dimension_numbers, preferred_element_type=preferred_element_type)
    return out, (lhs, q_lhs, lhs_scale, rhs, q_rhs, rhs_scale, out_grad_scale, out_grad_amax_history)


def _quantized_dot_backward(dimension_numbers: Dimensions, preferred_element_type: Dtype | None, known: Any, ct: Array) -> Any:
    lhs, q_lhs, lhs_scale, rhs, q_rhs, rhs_scale, scale, history = known
    new_scale, new_history = update_fp8_meta(ct, jnp.float8_e5m2, scale, history)
    q_ct = quantize(ct, jnp.float8_e5m2, new_scale, preferred_element_type or ct.dtype)
    of_lhs, of_rhs = _dot_cotangents(q_ct, q_lhs, q_rhs, dimension_numbers, preferred_element_type)
    return (dequantize(of_lhs, lhs.dtype, _scales(rhs_scale, new_scale)), jnp.zeros_like(q_lhs), jnp.zeros_like(lhs_scale),
            dequantize(of_rhs, rhs.dtype, _scales(lhs_scale, new_scale)), jnp.zeros_like(q_rhs), jnp.zeros_like(rhs_scale),
            new_scale, new_history)


quantized_dot.defvjp(_quantized_dot_forward, _quantized_dot_backward)


def _dot_cotangents(ct: Array, lhs: Array, rhs: Array, dimensions: Dimensions, preferred: Dtype | None) -> tuple[Array, Array]:
    """The cotangents of both operands of `lax.dot_general`, as products of 8-bit numbers themselves.

    The result has the batch axes, the free axes of `lhs`, those of `rhs`; each cotangent sums over the other's free ones.
    """
    (summed_l, summed_r), (batch_l, batch_r) = [[tuple(axes) for axes in pair] for pair in dimensions]
    free_l = [i for i in range(jnp.ndim(lhs)) if i not in (*summed_l, *batch_l)]
    free_r = [i for i in range(jnp.ndim(rhs)) if i not in (*summed_r, *batch_r)]
    n, m = len(batch_l), len(batch_l) + len(free_l)

    def cotangent(other: Array, over: Sequence[int], other_over: Sequence[int], other_batch: Sequence[int],
                  own: tuple[Sequence[int], Sequence[int], Sequence[int]], other_summed: Sequence[int]) -> Array:
        made = lax.dot_general(ct, other, ((tuple(over), tuple(other_over)), (tuple(range(n)), tuple(other_batch))),
                               preferred_element_type=preferred)
        batch, free, summed = own
        # What is left of `other` are its summed axes, in its own order: they belong to those of the operand beside them.
        left = [summed[list(other_summed).index(i)] for i in sorted(other_summed)]
        order = (*batch, *free, *left)
        return jnp.transpose(made, tuple([order.index(i) for i in range(len(order))]))

    ndim = m + len(free_r)
    of_lhs = cotangent(rhs, range(m, ndim), free_r, batch_r, (batch_l, free_l, summed_l), summed_r)
    of_rhs = cotangent(lhs, range(n, m), free_l, batch_l, (batch_r, free_r, summed_r), summed_l)
    return of_lhs, of_rhs


def fp8_scaled_dot_general(lhs: Array, rhs: Array, dimension_numbers: Dimensions, precision: PrecisionLike = None,
                           preferred_element_type: Dtype | None = None, *, lhs_scale: Array, rhs_scale: Array,
                           grad_scale: Array, lhs_amax_history: Array, rhs_amax_history: Array, grad_amax_history: Array,
                           quantize_compute_type: Dtype = jnp.float32) -> Array:
    """`lax.dot_general` of operands that are rounded to 8 bits.

    Args:
        lhs: the left operand.
        rhs: the right operand.
        dimension_numbers: as for `lax.dot_general`.
        precision: accepted; products of 8-bit numbers have one precision.
        preferred_element_type: the dtype in which products are summed. `None` sums in 8 bits, which overflow soon.
        lhs_scale, rhs_scale, grad_scale: the scales of both operands and of the cotangent.
        lhs_amax_history, rhs_amax_history, grad_amax_history: their histories.
        quantize_compute_type: the dtype of divisions by scales.

    Returns:
        The product, of the dtype `quantize_compute_type`.
    """
    del precision
    q_lhs, new_lhs_scale = in_q(quantize_compute_type, jnp.float8_e4m3fn, lhs, lhs_scale, lhs_amax_history)
    q_rhs, new_rhs_scale = in_q(quantize_compute_type, jnp.float8_e4m3fn, rhs, rhs_scale, rhs_amax_history)
    out = quantized_dot(lhs, q_lhs, new_lhs_scale, rhs, q_rhs, new_rhs_scale, grad_scale, grad_amax_history,
                        dimension_numbers, preferred_element_type)
    return out_dq(quantize_compute_type, new_lhs_scale, new_rhs_scale, out)


# -- modules, for `dot_general_cls` of layers

class Fp8DotGeneralBase(Module):
    """The scales and histories of a product; its subclasses say how it is computed.

    Attributes:
        amax_history_length: how many steps are remembered.
        e4m3_dtype: the 8-bit type of operands.
        e5m2_dtype: the 8-bit type of cotangents.

    Collection `_overwrite_with_gradient`: for each of `input`, `kernel` and `output_grad` a `scale`, `[1]`, and an
    `amax_history`, `[amax_history_length]`.
    """

    amax_history_length: int = 1024
    e4m3_dtype: Dtype = jnp.float8_e4m3fn
    e5m2_dtype: Dtype = jnp.float8_e5m2

    def setup(self) -> None:
        """Declare scales and histories."""
        for name in ("input", "kernel", "output_grad"):
            history = self.variable(OVERWRITE_WITH_GRADIENT, f"{name}_amax_history",
                                    lambda: jnp.zeros(self.amax_history_length, jnp.float32))
            setattr(self, f"{name}_amax_history", history)
        for name in ("input", "kernel", "output_grad"):
            scale = self.variable(OVERWRITE_WITH_GRADIENT, f"{name}_scale", lambda: jnp.ones(1, jnp.float32))
            setattr(self, f"{name}_scale", scale)

    @nowrap
    def state(self, name: str) -> tuple[Any, Any]:
        """A scale and its history."""
        return getattr(self, f"{name}_scale").value, getattr(self, f"{name}_amax_history").value


def _operands(args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Left and right operand in one dtype, the dimension numbers, and that dtype."""
    lhs, rhs, dimensions = (*args, *[kwargs[name] for name in ("lhs", "rhs", "dimension_numbers")[len(args):]])[:3]
    dtype = jnp.promote_types(lhs.dtype, rhs.dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise LayerInputError(says=f"A product of 8-bit numbers was asked for of {described(lhs)} and {described(rhs)}.",
                              why="floating numbers are rounded to 8 bits")
    return jnp.asarray(lhs, dtype), jnp.asarray(rhs, dtype), dimensions, dtype


class Fp8DotGeneralOp(Fp8DotGeneralBase):
    """`lax.dot_general` of operands that are rounded to 8 bits and then multiplied in their own dtype.

    XLA recognises the roundings where the device has products of 8-bit numbers.

    >>> layer = nn.Dense(3, dot_general_cls=Fp8DotGeneralOp)
    """

    @compact
    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        """The product: takes what `lax.dot_general` takes."""
        lhs, rhs, dimensions, dtype = _operands(args, kwargs)
        lhs = in_qdq(dtype, self.e4m3_dtype, lhs, *self.state("input"))
        rhs = in_qdq(dtype, self.e4m3_dtype, rhs, *self.state("kernel"))
        return out_qdq(dtype, self.e5m2_dtype, lax.dot_general(lhs, rhs, dimensions), *self.state("output_grad"))


class NANOOFp8DotGeneralOp(Fp8DotGeneralOp):
    """The same with the 8-bit types that have no infinities and one NaN."""

    e4m3_dtype: Dtype = jnp.float8_e4m3fnuz
    e5m2_dtype: Dtype = jnp.float8_e5m2fnuz


class Fp8DirectDotGeneralOp(Fp8DotGeneralBase):
    """`lax.dot_general` of 8-bit numbers, whose result is scaled.

    >>> layer = nn.Dense(3, dot_general_cls=Fp8DirectDotGeneralOp)
    """

    @compact
    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        """The product: takes what `lax.dot_general` takes."""
        lhs, rhs, dimensions, dtype = _operands(args, kwargs)
        return self.product(lhs, rhs, dimensions, dtype)

    @nowrap
    def product(self, lhs: Array, rhs: Array, dimensions: Dimensions, dtype: Dtype) -> Array:
        """The product of operands of one dtype."""
        (ls, lh), (rs, rh), (gs, gh) = [self.state(name) for name in ("input", "kernel", "output_grad")]
        return fp8_scaled_dot_general(lhs, rhs, dimensions, preferred_element_type=dtype, lhs_scale=ls, rhs_scale=rs,
                                      grad_scale=gs, lhs_amax_history=lh, rhs_amax_history=rh, grad_amax_history=gh,
                                      quantize_compute_type=dtype)


Fp8DotGeneral = Fp8DirectDotGeneralOp


class Fp8Einsum(Fp8DotGeneralBase):
    """`jnp.einsum` of two operands as a product of 8-bit numbers."""

    @compact
    def __call__(self, eqn: str, lhs: Array, rhs: Array, *args: Any, **kwargs: Any) -> Array:
        """The product: takes what `jnp.einsum` takes for two operands."""
        def product(*args: Any, **kwargs: Any) -> Array:
            left, right, dimensions, dtype = _operands(args, kwargs)
            (ls, lh), (rs, rh), (gs, gh) = [self.state(name) for name in ("input", "kernel", "output_grad")]
            return fp8_scaled_dot_general(left, right, dimensions, preferred_element_type=dtype, lhs_scale=ls,
                                          rhs_scale=rs, grad_scale=gs, lhs_amax_history=lh, rhs_amax_history=rh,
                                          grad_amax_history=gh, quantize_compute_type=dtype)

        return jnp.einsum(eqn, lhs, rhs, *args, _dot_general=product, **kwargs)
