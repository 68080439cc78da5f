"""Convolutions: one primitive, with all parameters of XLA's."""
from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import get_aval
from perspicax.lax import convert, shape
from perspicax.lax.conv_dimensions import (
    ConvDimensionNumbers,
    conv_dimension_numbers,
    dilated,
    explicit_pads,
    padtype_to_pads,
    window_sizes,
)
from perspicax.lax.conv_errors import ConvolutionDimensionError, ConvolutionShapeError, PaddingError
from perspicax.lax.operand import operand
from perspicax.lax.precision import canonical_precision, canonical_preferred, precision_config, product_dtype
from perspicax.lax.product_errors import ProductTypeError
from perspicax.lax.result_sharding import out_placed, released
from perspicax.transform.batch import BatchAxis
from perspicax.transform.hooks import add_tangents
from perspicax.xla.emit import i64, i64_array, i64_matrix


def _spatial(aval: Any, spec: Sequence[int]) -> tuple[int, ...]:
    return tuple([aval.shape[i] for i in spec[2:]])


# -- type

def _fault(lhs: ShapedArray, rhs: ShapedArray, window_strides: tuple, padding: tuple, lhs_dilation: tuple,
           rhs_dilation: tuple, numbers: ConvDimensionNumbers, feature_group_count: int,
           batch_group_count: int) -> dict[str, Any] | None:
    """What does not fit, as fields of a ConvolutionShapeError."""
    for name, count in (("feature_group_count", feature_group_count), ("batch_group_count", batch_group_count)):
        if count < 1:
            return {"kind": "count", "name": name, "value": count}
    for name, values in (("window_strides", window_strides), ("padding", padding), ("lhs_dilation", lhs_dilation),
                         ("rhs_dilation", rhs_dilation)):
        if len(values) != lhs.ndim - 2:
            return {"kind": "length", "name": name, "value": values}
        if name != "padding" and any(v < 1 for v in values):
            return {"kind": "positive", "name": name, "value": values}
    batch, features = (lhs.shape[numbers.lhs_spec[i]] for i in (0, 1))
    outputs, inputs = (rhs.shape[numbers.rhs_spec[i]] for i in (0, 1))
    if feature_group_count > 1 and batch_group_count > 1:
        return {"kind": "both groups"}
    if features % feature_group_count:
        return {"kind": "groups"}
    if features // feature_group_count != inputs:
        return {"kind": "features"}
    for name, count in (("feature_group_count", feature_group_count), ("batch_group_count", batch_group_count)):
        if outputs % count:
            return {"kind": "output groups", "name": name, "value": count}
    if batch % batch_group_count:
        return {"kind": "batch groups"}
    grown = [dilated(n, d) for n, d in zip(_spatial(lhs, numbers.lhs_spec), lhs_dilation)]
    if any(n + low + high < 0 for n, (low, high) in zip(grown, padding)):
        return {"kind": "padding", "value": padding}
    return None


def _conv_type(lhs: ShapedArray, rhs: ShapedArray, *, window_strides: tuple, padding: tuple, lhs_dilation: tuple,
               rhs_dilation: tuple, dimension_numbers: ConvDimensionNumbers, feature_group_count: int,
               batch_group_count: int, precision: Any, preferred_element_type: Any, out_sharding: Any) -> ShapedArray:
    if lhs.dtype != rhs.dtype:
        raise ProductTypeError(operation="conv_general_dilated", avals=(lhs, rhs))
    fault = _fault(lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers,
                   feature_group_count, batch_group_count)
    if fault is not None:
        raise ConvolutionShapeError(
            lhs=lhs, rhs=rhs, dimension_numbers=dimension_numbers, feature_group_count=feature_group_count,
            batch_group_count=batch_group_count, **fault)
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    found = [lhs.shape[lhs_spec[0]] // batch_group_count, rhs.shape[rhs_spec[0]],
             *window_sizes(_spatial(lhs, lhs_spec), _spatial(rhs, rhs_spec), window_strides, padding, lhs_dilation,
                           rhs_dilation)]
    sizes = [0] * lhs.ndim
    for axis, n in zip(out_spec, found):
        sizes[axis] = n
    dtype = product_dtype("conv_general_dilated", lhs, rhs, preferred_element_type)
    return ShapedArray(tuple(sizes), dtype, lhs.weak_type and rhs.weak_type)


# -- derivative

def _conv_jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
    (x, k), (dx, dk) = primals, tangents
    out = conv_general_dilated_p(x, k, **params)
    tangent: Any = Zero.like(out)
    if tangent.aval.dtype == dtypes.float0:  # an integer result was asked for: it does not move
        return out, tangent
    if type(dx) is not Zero:
        tangent = conv_general_dilated_p(dx, k, **params)
    if type(dk) is not Zero:
        tangent = add_tangents(tangent, conv_general_dilated_p(x, dk, **params))
    return out, tangent


def _conv_transpose(ct: Any, x: Any, k: Any, **params: Any) -> list[Any]:
    """Where operands are split over explicit axes of a mesh, the compiler splits the work; cotangents lie as operands do."""
    ct, x, k = [v if type(v) is Linear else released(v) for v in (ct, x, k)]
    ct_dtype = get_aval(ct).dtype  # type: ignore[attr-defined]
    if type(x) is Linear:
        return [_as_dtype(_lhs_cotangent(ct, x.aval, _as_dtype(k, ct_dtype), **params), x.aval.dtype), None]
    return [None, _as_dtype(_rhs_cotangent(ct, _as_dtype(x, ct_dtype), k.aval, **params), k.aval.dtype)]


def _as_dtype(x: Any, dtype: Any) -> Any:
    """An operand as the dtype of the cotangent, which differs where `preferred_element_type` was given."""
    return x if get_aval(x).dtype == dtype else convert.convert_element_type(x, dtype)  # type: ignore[attr-defined]


def _lhs_cotangent(ct: Any, x: ShapedArray, k: Any, *, window_strides: tuple, padding: tuple, lhs_dilation: tuple,
                   rhs_dilation: tuple, dimension_numbers: ConvDimensionNumbers, feature_group_count: int,
                   batch_group_count: int, **params: Any) -> Any:
    """The cotangent of the array: that of the result, its entries spread by the strides, convolved with the kernel
    turned round."""
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    kernel_sizes = _spatial(get_aval(k), rhs_spec)
    groups = feature_group_count * batch_group_count
    if groups > 1:  # the group moves from the kernel's output features to its input features
        k = _merge_axis(_split_axis(k, rhs_spec[0], groups), rhs_spec[0], rhs_spec[1])
    turned = shape.rev(k, rhs_spec[2:])
    pads = []
    for n, kernel, out, (low, _), d, gap, stride in zip(
            _spatial(x, lhs_spec), kernel_sizes, _spatial(get_aval(ct), out_spec), padding, lhs_dilation, rhs_dilation,
            window_strides):
        before = dilated(kernel, gap) - 1 - low
        pads.append((before, dilated(n, d) + dilated(kernel, gap) - 1 - dilated(out, stride) - before))
    numbers = ConvDimensionNumbers(out_spec, (rhs_spec[1], rhs_spec[0], *rhs_spec[2:]), lhs_spec)
    found = conv_general_dilated_p(
        ct, turned, window_strides=lhs_dilation, padding=tuple(pads), lhs_dilation=window_strides,
        rhs_dilation=rhs_dilation, dimension_numbers=numbers, feature_group_count=groups, batch_group_count=1, **params)
    if batch_group_count > 1:  # the group goes back from the features to the batch
        found = _merge_axis(_split_axis(found, lhs_spec[1], batch_group_count), lhs_spec[1], lhs_spec[0])
    return found


def _rhs_cotangent(ct: Any, x: Any, k: ShapedArray, *, window_strides: tuple, padding: tuple, lhs_dilation: tuple,
                   rhs_dilation: tuple, dimension_numbers: ConvDimensionNumbers, feature_group_count: int,
                   batch_group_count: int, **params: Any) -> Any:
    """The cotangent of the kernel: the array convolved with the cotangent of the result, summed over the batch.

    Batch and features change places, and so do strides and dilation of the kernel.
    """
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    swap = lambda spec: (spec[1], spec[0], *spec[2:])
    pads = []
    for n, kernel, out, (low, _), d, gap, stride in zip(
            _spatial(get_aval(x), lhs_spec), _spatial(k, rhs_spec), _spatial(get_aval(ct), out_spec), padding,
            lhs_dilation, rhs_dilation, window_strides):
        pads.append((low, dilated(out, stride) + dilated(kernel, gap) - 1 - dilated(n, d) - low))
    return conv_general_dilated_p(
        x, ct, window_strides=rhs_dilation, padding=tuple(pads), lhs_dilation=lhs_dilation, rhs_dilation=window_strides,
        dimension_numbers=ConvDimensionNumbers(swap(lhs_spec), swap(out_spec), swap(rhs_spec)),
        feature_group_count=batch_group_count, batch_group_count=feature_group_count, **params)


# -- axes split and merged, for groups and for batching

def _split_axis(x: Any, axis: int, first: int) -> Any:
    """Axis `axis` as two: `first` and the rest."""
    sizes = get_aval(x).shape  # type: ignore[attr-defined]
    return shape.reshape(x, (*sizes[:axis], first, sizes[axis] // first, *sizes[axis + 1:]))


def _merge_axis(x: Any, source: int, destination: int) -> Any:
    """Axis `source` taken out and merged, as the major part, into what is then axis `destination`."""
    sizes = list(get_aval(x).shape)  # type: ignore[attr-defined]
    order = [i for i in range(len(sizes)) if i != source]
    order.insert(destination, source)
    moved = shape.transpose(x, order)
    n = sizes.pop(source)
    sizes[destination] *= n
    return shape.reshape(moved, tuple(sizes))


def _move_into_group(x: Any, source: int, axis: int, groups: int, size: int) -> Any:
    """The batch axis `source` merged into `axis` (counted without it), below the `groups` that are its major part."""
    sizes = [n for i, n in enumerate(get_aval(x).shape) if i != source]  # type: ignore[attr-defined]
    order = [i for i in range(len(sizes) + 1) if i != source]
    moved = shape.transpose(x, [source, *order])
    inner = sizes[axis] // groups
    parts = shape.reshape(moved, (size, *sizes[:axis], groups, inner, *sizes[axis + 1:]))
    rank = len(sizes) + 2
    permutation = [*range(1, axis + 2), 0, *range(axis + 2, rank)]
    merged = (*sizes[:axis], groups * size * inner, *sizes[axis + 1:])
    return shape.reshape(shape.transpose(parts, permutation), merged)


# -- batching

def _conv_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimension_numbers: ConvDimensionNumbers,
                feature_group_count: int, batch_group_count: int, **params: Any) -> tuple[Any, int]:
    (x, k), (a, b), size = args, axes, axis.size
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    counts = {"feature_group_count": feature_group_count, "batch_group_count": batch_group_count}
    if a is not None and b is not None:  # each example is a group of its own
        into, count = (0, "batch_group_count") if batch_group_count > 1 else (1, "feature_group_count")
        x, k = _merge_axis(x, a, lhs_spec[into]), _merge_axis(k, b, rhs_spec[0])
        counts[count] *= size
        out = conv_general_dilated_p(x, k, dimension_numbers=dimension_numbers, **counts, **params)
        return _split_axis(out, out_spec[1], size), out_spec[1]
    if a is not None:  # more of the batch
        if batch_group_count == 1:
            x = _merge_axis(x, a, lhs_spec[0])
        else:
            x = _move_into_group(x, a, lhs_spec[0], batch_group_count, size)
        out = conv_general_dilated_p(x, k, dimension_numbers=dimension_numbers, **counts, **params)
        return _split_axis(out, out_spec[0], size), out_spec[0]
    groups = feature_group_count * batch_group_count  # more output features
    if groups == 1:
        k = _merge_axis(k, b, rhs_spec[0])
        out = conv_general_dilated_p(x, k, dimension_numbers=dimension_numbers, **counts, **params)
        return _split_axis(out, out_spec[1], size), out_spec[1]
    k = _move_into_group(k, b, rhs_spec[0], groups, size)
    out = conv_general_dilated_p(x, k, dimension_numbers=dimension_numbers, **counts, **params)
    place = out_spec[1]
    parts = _split_axis(_split_axis(out, place, groups), place + 1, size)
    return _merge_axis(parts, place, place + 1), place


# -- emission

def _spec_text(spec: Sequence[int], letters: str) -> str:
    parts = [""] * len(spec)
    for place, axis in enumerate(spec):
        parts[axis] = letters[place] if place < 2 else str(place - 2)
    return f"[{', '.join(parts)}]"


def _conv_emit(b: Any, x: Any, k: Any, *, window_strides: tuple, padding: tuple, lhs_dilation: tuple,
               rhs_dilation: tuple, dimension_numbers: ConvDimensionNumbers, feature_group_count: int,
               batch_group_count: int, precision: Any, preferred_element_type: Any, out_sharding: Any) -> Any:
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        return _complex_conv_emit(
            b, x, k, window_strides=window_strides, padding=padding, lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation, dimension_numbers=dimension_numbers, feature_group_count=feature_group_count,
            batch_group_count=batch_group_count, precision=precision, preferred_element_type=None, out_sharding=None)
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    numbers = f"{_spec_text(lhs_spec, 'bf')}x{_spec_text(rhs_spec, 'oi')}->{_spec_text(out_spec, 'bf')}"
    reversal = ", ".join(["false"] * len(window_strides))
    return b.hlo("convolution", [x, k], b.out[0], ", ".join([
        f"window_strides = {i64_array(window_strides)}", f"padding = {i64_matrix(padding)}",
        f"lhs_dilation = {i64_array(lhs_dilation)}", f"rhs_dilation = {i64_array(rhs_dilation)}",
        f"window_reversal = array<i1{': ' if reversal else ''}{reversal}>",
        f"dimension_numbers = #stablehlo.conv<{numbers}>", f"feature_group_count = {i64(feature_group_count)}",
        f"batch_group_count = {i64(batch_group_count)}", precision_config(precision)]))


def _complex_conv_emit(b: Any, x: Any, k: Any, **params: Any) -> Any:
    """XLA's CPU backend has no complex convolution: Gauss's product of three real ones.

    (p + iq)(r + is) has the real part r(p + q) - q(r + s) and the imaginary part r(p + q) + p(s - r).
    """
    whole = b.out[0]
    part = lambda name, v: b.hlo(name, [v], ShapedArray(v.shape, dtypes.finfo(v.dtype).dtype))
    p, q, r, s = part("real", x), part("imag", x), part("real", k), part("imag", k)
    b.out = [ShapedArray(whole.shape, p.dtype)]
    first = _conv_emit(b, b.op("add", [p, q], p.aval), r, **params)
    second = _conv_emit(b, p, b.op("subtract", [s, r], r.aval), **params)
    third = _conv_emit(b, q, b.op("add", [r, s], r.aval), **params)
    real, imag = b.op("subtract", [first, third], first.aval), b.op("add", [first, second], first.aval)
    b.out = [whole]
    found = b.hlo("complex", [real, imag], ShapedArray(whole.shape, x.dtype))
    return b.convert(found, whole.dtype)


conv_general_dilated_p = Primitive(
    "conv_general_dilated", params=(
        "window_strides", "padding", "lhs_dilation", "rhs_dilation", "dimension_numbers", "feature_group_count",
        "batch_group_count", "precision", "preferred_element_type", "out_sharding"),
    type_rule=_conv_type, jvp=_conv_jvp, transpose=_conv_transpose, batch=_conv_batch, emit=_conv_emit,
    source="StableHLO specification, `convolution`")


# -- functions

def _ints(values: Any) -> tuple[int, ...]:
    return tuple([operator.index(v) for v in values])


def conv_general_dilated(lhs: Any, rhs: Any, window_strides: Sequence[int], padding: Any,
                         lhs_dilation: Sequence[int] | None = None, rhs_dilation: Sequence[int] | None = None,
                         dimension_numbers: Any = None, feature_group_count: int = 1, batch_group_count: int = 1,
                         precision: Any = None, preferred_element_type: Any = None, out_sharding: Any = None) -> Any:
    """Convolution (without turning the kernel round), with all that XLA offers.

    Args:
        lhs: array of `n + 2` axes: batch, feature, and `n` spatial ones.
        rhs: kernel of `n + 2` axes: output feature, input feature, and `n` spatial ones.
        window_strides: by how much the kernel moves in each spatial axis.
        padding: `"VALID"`, `"SAME"`, `"SAME_LOWER"`, or `(low, high)` for each spatial axis.
        lhs_dilation: factors by which entries of `lhs` are spread, zeros between them (transposed convolution).
        rhs_dilation: factors by which entries of the kernel are spread (atrous convolution).
        dimension_numbers: which axis is which: `None` for the order above, three strings such as
            `("NHWC", "HWIO", "NHWC")`, or a `ConvDimensionNumbers`.
        feature_group_count: in how many groups, each with kernels of its own, the features are convolved.
        batch_group_count: in how many groups, each with kernels of its own, the batch is convolved.
        precision: as for `dot_general`.
        preferred_element_type: dtype of the result, in which sums are kept.

    Raises:
        ConvolutionShapeError: operands or parameters do not fit.
        ConvolutionDimensionError: the dimension numbers do not.
        PaddingError: `padding` is none.
    """
    if out_sharding is not None:
        return out_placed("conv_general_dilated", out_sharding, lambda x, k: conv_general_dilated(
            x, k, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, feature_group_count,
            batch_group_count, precision, preferred_element_type), lhs, rhs)
    x, k = operand(lhs), operand(rhs)
    a: Any = get_aval(x)
    c: Any = get_aval(k)
    numbers = conv_dimension_numbers(a.shape, c.shape, dimension_numbers)
    numbers = ConvDimensionNumbers(*[_ints(spec) for spec in numbers])
    strides = _ints(window_strides)
    lhs_dilation = (1,) * (a.ndim - 2) if lhs_dilation is None else _ints(lhs_dilation)
    rhs_dilation = (1,) * (a.ndim - 2) if rhs_dilation is None else _ints(rhs_dilation)
    if isinstance(padding, str):
        if any(d != 1 for d in lhs_dilation):
            raise PaddingError(given=repr(padding), kind="dilated")
        window = [dilated(n, d) for n, d in zip(_spatial(c, numbers.rhs_spec), rhs_dilation)]
        sizes = _spatial(a, numbers.lhs_spec)
        if len(strides) != len(sizes) or len(window) != len(sizes) or any(s < 1 for s in strides):
            pads = [(0, 0)] * len(sizes)  # the type rule tells what is wrong with the strides or dilations
        else:
            pads = padtype_to_pads(sizes, window, strides, padding)
        padding = tuple(pads)
    else:
        padding = explicit_pads(padding)
    values = (strides, padding, lhs_dilation, rhs_dilation, numbers, operator.index(feature_group_count),
              operator.index(batch_group_count), canonical_precision(precision),
              canonical_preferred(preferred_element_type), None)
    return local.trace.process(conv_general_dilated_p, (x, k), values)


def conv(lhs: Any, rhs: Any, window_strides: Sequence[int], padding: str, precision: Any = None,
         preferred_element_type: Any = None) -> Any:
    """Convolution of an array `[batch, feature, …]` with a kernel `[output, input, …]` and a named padding."""
    return conv_general_dilated(lhs, rhs, window_strides, padding, precision=precision,
                                preferred_element_type=preferred_element_type)


def conv_with_general_padding(lhs: Any, rhs: Any, window_strides: Sequence[int], padding: Any,
                              lhs_dilation: Sequence[int] | None, rhs_dilation: Sequence[int] | None,
                              precision: Any = None, preferred_element_type: Any = None) -> Any:
    """Convolution of an array `[batch, feature, …]` with a kernel `[output, input, …]`, with padding and dilations."""
    return conv_general_dilated(lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, precision=precision,
                                preferred_element_type=preferred_element_type)


def transposed_pads(kernel: int, stride: int, padding: str) -> tuple[int, int]:
    """(low, high) for a transposed convolution, so that it undoes the shape of a convolution with that padding."""
    if padding == "SAME":
        total = kernel + stride - 2
        low = kernel - 1 if stride > kernel - 1 else -(-total // 2)
    elif padding == "VALID":
        total = kernel + stride - 2 + max(kernel - stride, 0)
        low = kernel - 1
    else:
        raise PaddingError(given=repr(padding), kind="name")
    return low, total - low


def conv_transpose(lhs: Any, rhs: Any, strides: Sequence[int], padding: Any, rhs_dilation: Sequence[int] | None = None,
                   dimension_numbers: Any = None, transpose_kernel: bool = False, precision: Any = None,
                   preferred_element_type: Any = None, use_consistent_padding: bool = False) -> Any:
    """Transposed convolution (also called fractionally strided, or deconvolution): it makes the spatial axes larger.

    Args:
        lhs: array of `n + 2` axes.
        rhs: kernel of `n + 2` axes.
        strides: by how much each spatial axis grows.
        padding: `"SAME"`, `"VALID"` (those of the convolution that this one transposes), or `(low, high)` for each
            spatial axis of the spread array.
        rhs_dilation: factors by which entries of the kernel are spread.
        dimension_numbers: as for `conv_general_dilated`; the features last when `None`.
        transpose_kernel: whether to turn the kernel round and exchange its features, so that this is the transposition
            (the gradient) of a convolution with that kernel.
        use_consistent_padding: whether explicit padding too means that of the convolution that this one transposes.
    """
    x, k = operand(lhs), operand(rhs)
    a: Any = get_aval(x)
    c: Any = get_aval(k)
    spatial = a.ndim - 2
    if dimension_numbers is None and spatial in (1, 2, 3):
        letters = {1: "H", 2: "HW", 3: "HWD"}[spatial]
        dimension_numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    elif dimension_numbers is None:
        raise ConvolutionDimensionError(given=None, kind="default", lhs_shape=a.shape, rhs_shape=c.shape)
    numbers = conv_dimension_numbers(a.shape, c.shape, dimension_numbers)
    gaps = (1,) * spatial if rhs_dilation is None else _ints(rhs_dilation)
    kernel = [dilated(n, d) for n, d in zip(_spatial(c, numbers.rhs_spec), gaps)]
    if isinstance(padding, str):
        padding = tuple([transposed_pads(n, s, padding.upper()) for n, s in zip(kernel, strides)])
    elif use_consistent_padding:
        padding = tuple([(n - 1 - low, n - 1 - high) for n, (low, high) in zip(kernel, explicit_pads(padding))])
    if transpose_kernel:
        k = shape.rev(k, numbers.rhs_spec[2:])
        order = list(range(c.ndim))
        o, i = numbers.rhs_spec[:2]
        order[o], order[i] = i, o
        k = shape.transpose(k, order)
    return conv_general_dilated(x, k, (1,) * spatial, padding, strides, gaps, numbers, precision=precision,
                                preferred_element_type=preferred_element_type)


__all__ = ["ConvDimensionNumbers", "conv", "conv_dimension_numbers", "conv_general_dilated", "conv_general_dilated_p",
           "conv_transpose", "conv_with_general_padding", "padtype_to_pads"]
