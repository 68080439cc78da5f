"""Convolutions taken apart: the patches under a kernel, kernels of their own for each place, and shapes of results."""
from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.tracer import get_aval
from perspicax.lax import shape
from perspicax.lax.contraction import dot_general
from perspicax.lax.conv_dimensions import (
    conv_dimension_numbers,
    conv_general_permutations,
    dilated,
    explicit_pads,
    padtype_to_pads,
    window_sizes,
)
from perspicax.lax.convolution import conv_general_dilated, transposed_pads
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.operand import operand
from perspicax.lax.precision import Precision


def conv_general_dilated_patches(lhs: Any, filter_shape: Sequence[int], window_strides: Sequence[int], padding: Any,
                                 lhs_dilation: Sequence[int] | None = None, rhs_dilation: Sequence[int] | None = None,
                                 dimension_numbers: Any = None, precision: Any = None,
                                 preferred_element_type: Any = None) -> Any:
    """What a kernel of this size sees at each place that it moves to.

    Args:
        lhs: array of `n + 2` axes: batch, feature, and `n` spatial ones.
        filter_shape: sizes of the kernel's `n` spatial axes, in their order in the kernel.
        window_strides: as for `conv_general_dilated`.
        padding: likewise.
        lhs_dilation: likewise.
        rhs_dilation: likewise.
        dimension_numbers: likewise; the letters of the kernel tell the order of its spatial axes.
        precision: likewise. More than the default keeps entries as they are on hardware that would round them.
        preferred_element_type: dtype of the result.

    Returns:
        Array like that of a convolution. Its features are the patches: for each feature of `lhs`, the major part, the
        entries under the kernel in row-major order.

    Raises:
        OperationShapeError: `filter_shape` does not have one size for each spatial axis.
        ConvolutionShapeError: the other parameters do not fit.
    """
    x = operand(lhs)
    aval: Any = get_aval(x)
    window = tuple([operator.index(n) for n in filter_shape])
    _check_window("conv_general_dilated_patches", aval, window)
    numbers = conv_dimension_numbers(aval.shape, (1, 1, *window), dimension_numbers)
    features, size = aval.shape[numbers.lhs_spec[1]], math.prod(window)
    # One kernel for each entry of the window: 1 there, 0 elsewhere; the features are convolved each on its own.
    one_hot = np.eye(size, dtype=aval.dtype).reshape(size, 1, *window)
    kernel = shape.reshape(shape.broadcast(one_hot, (features,)), (features * size, 1, *window))
    places = [0] * len(numbers.rhs_spec)
    for i, place in enumerate(numbers.rhs_spec):
        places[place] = i
    return conv_general_dilated(x, shape.transpose(kernel, places), window_strides, padding, lhs_dilation, rhs_dilation,
                                numbers, feature_group_count=features, precision=_pair(precision),
                                preferred_element_type=preferred_element_type)


def _check_window(operation: str, aval: Any, window: tuple[int, ...]) -> None:
    if len(window) != aval.ndim - 2 or any(n < 1 for n in window):
        raise OperationShapeError(says=f"{operation} of {aval.str_short()} was given filter_shape={window}.",
                                  why=f"it has one size, from 1, for each of the {max(0, aval.ndim - 2)} spatial axes")


def _pair(precision: Any) -> Any:
    return (precision, precision) if isinstance(precision, Precision) else precision


def conv_general_dilated_local(lhs: Any, rhs: Any, window_strides: Sequence[int], padding: Any,
                               filter_shape: Sequence[int], lhs_dilation: Sequence[int] | None = None,
                               rhs_dilation: Sequence[int] | None = None, dimension_numbers: Any = None,
                               precision: Any = None) -> Any:
    """A convolution with a kernel of its own at each place: a locally connected layer.

    Args:
        lhs: array of `n + 2` axes: batch, feature, and `n` spatial ones.
        rhs: kernels of `n + 2` axes: output feature; input feature with the entries of the kernel below it; and the
            spatial axes of the *result*.
        window_strides: as for `conv_general_dilated`.
        padding: likewise.
        filter_shape: sizes of the kernel's spatial axes.
        lhs_dilation: as for `conv_general_dilated`.
        rhs_dilation: likewise.
        dimension_numbers: likewise.
        precision: likewise.

    Raises:
        OperationShapeError: `filter_shape` does not have one size for each spatial axis.
        DotShapeError: `rhs` does not have the sizes of the patches or of the result.
    """
    x, k = operand(lhs), operand(rhs)
    aval: Any = get_aval(x)
    numbers = conv_dimension_numbers(aval.shape, get_aval(k).shape, dimension_numbers)  # type: ignore[attr-defined]
    left = precision[0] if isinstance(precision, (tuple, list)) else precision
    patches = conv_general_dilated_patches(x, filter_shape, window_strides, padding, lhs_dilation, rhs_dilation, numbers,
                                           left if isinstance(left, Precision) else None)
    _, rhs_spec, out_spec = numbers
    product = dot_general(patches, k, (((out_spec[1],), (rhs_spec[1],)), (tuple(out_spec[2:]), tuple(rhs_spec[2:]))),
                          precision)
    # The product has the spatial axes, the batch, and the output features.
    spatial = len(out_spec) - 2
    places = [0] * len(out_spec)
    for place, axis in enumerate((*out_spec[2:], out_spec[0], out_spec[1])):
        places[axis] = place
    return shape.transpose(product, places) if spatial else product


# -- shapes of results

def conv_shape_tuple(lhs_shape: Sequence[int], rhs_shape: Sequence[int], strides: Sequence[int], pads: Any,
                     batch_group_count: int = 1) -> tuple[int, ...]:
    """The shape of a convolution of `[batch, feature, …]` with `[output, input, …]`.

    Args:
        pads: a named padding, or (low, high) for each spatial axis.
    """
    sizes, window = tuple(lhs_shape[2:]), tuple(rhs_shape[2:])
    if isinstance(pads, str):
        pads = padtype_to_pads(sizes, window, strides, pads)
    if not len(sizes) == len(window) == len(strides) == len(pads):
        raise OperationShapeError(
            says=f"conv_shape_tuple was given the shapes {tuple(lhs_shape)} and {tuple(rhs_shape)}, {len(strides)} strides "
                 f"and {len(pads)} paddings.", why="there is one stride and one padding for each spatial axis")
    if batch_group_count > 1 and lhs_shape[0] % batch_group_count:
        raise OperationShapeError(says=f"conv_shape_tuple was given a batch of {lhs_shape[0]} and "
                                       f"batch_group_count={batch_group_count}.", why="it divides the batch")
    ones = (1,) * len(sizes)
    spatial = window_sizes(sizes, window, strides, explicit_pads(pads), ones, ones)
    return (lhs_shape[0] // batch_group_count, rhs_shape[0], *spatial)


def conv_general_shape_tuple(lhs_shape: Sequence[int], rhs_shape: Sequence[int], window_strides: Sequence[int],
                             padding: Any, dimension_numbers: Sequence[str]) -> tuple[int, ...]:
    """The shape of a convolution, with three strings that name the axes, such as `("NHWC", "HWIO", "NHWC")`."""
    lhs_spec, rhs_spec, out_spec = conv_general_permutations(dimension_numbers)
    found = conv_shape_tuple([lhs_shape[i] for i in lhs_spec], [rhs_shape[i] for i in rhs_spec], window_strides, padding)
    return _placed(found, out_spec)


def conv_transpose_shape_tuple(lhs_shape: Sequence[int], rhs_shape: Sequence[int], window_strides: Sequence[int],
                               padding: Any, dimension_numbers: Sequence[str]) -> tuple[int, ...]:
    """The shape of a transposed convolution, with three strings that name the axes."""
    lhs_spec, rhs_spec, out_spec = conv_general_permutations(dimension_numbers)
    sizes, kernel = [lhs_shape[i] for i in lhs_spec], [rhs_shape[i] for i in rhs_spec]
    if isinstance(padding, str):
        padding = [transposed_pads(n, s, padding.upper()) for n, s in zip(kernel[2:], window_strides)]
    grown = [dilated(n, s) for n, s in zip(sizes[2:], window_strides)]
    return _placed(conv_shape_tuple((*sizes[:2], *grown), kernel, (1,) * len(grown), padding), out_spec)


def _placed(sizes: Sequence[int], spec: Sequence[int]) -> tuple[int, ...]:
    found = [0] * len(sizes)
    for axis, n in zip(spec, sizes):
        found[axis] = n
    return tuple(found)


def reduce_window_shape_tuple(operand_shape: Sequence[int], window_dimensions: Sequence[int],
                              window_strides: Sequence[int], padding: Any, base_dilation: Sequence[int] | None = None,
                              window_dilation: Sequence[int] | None = None) -> tuple[int, ...]:
    """How often a window fits into each axis, with `(low, high)` paddings."""
    ones = (1,) * len(operand_shape)
    return window_sizes(operand_shape, window_dimensions, window_strides, explicit_pads(padding), base_dilation or ones,
                        window_dilation or ones)


__all__ = ["conv_general_dilated_local", "conv_general_dilated_patches", "conv_general_shape_tuple",
           "conv_shape_tuple", "conv_transpose_shape_tuple", "reduce_window_shape_tuple"]
