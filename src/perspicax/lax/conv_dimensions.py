"""What convolutions and windows are told: which axis is which, and how much to pad."""
from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from perspicax.lax.conv_errors import ConvolutionDimensionError, PaddingError


class ConvDimensionNumbers(NamedTuple):
    """Which axis of each array has which part in a convolution.

    Attributes:
        lhs_spec: axes of the left operand: batch, feature, then the spatial ones.
        rhs_spec: axes of the kernel: output feature, input feature, then the spatial ones.
        out_spec: axes of the result: batch, feature, then the spatial ones.
    """

    lhs_spec: Sequence[int]
    rhs_spec: Sequence[int]
    out_spec: Sequence[int]


_LETTERS = (("N", "C"), ("O", "I"), ("N", "C"))


def conv_dimension_numbers(lhs_shape: Sequence[int], rhs_shape: Sequence[int],
                           dimension_numbers: Any) -> ConvDimensionNumbers:
    """Dimension numbers in any of their forms as `ConvDimensionNumbers`.

    Args:
        lhs_shape: shape of the left operand.
        rhs_shape: shape of the kernel.
        dimension_numbers: `ConvDimensionNumbers`; or `None`, for batch and features first; or three strings such as
            `("NHWC", "HWIO", "NHWC")`, whose letters name the axes: N batch, C feature, O and I features of the kernel,
            any other letter a spatial axis.

    Raises:
        ConvolutionDimensionError: the form is another, or the letters do not fit each other or the shapes.
    """
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    rank = len(lhs_shape)
    if rank != len(rhs_shape):
        raise ConvolutionDimensionError(given=dimension_numbers, kind="rank", lhs_shape=tuple(lhs_shape),
                                        rhs_shape=tuple(rhs_shape))
    if dimension_numbers is None:
        plain = tuple(range(rank))
        return ConvDimensionNumbers(plain, plain, plain)
    kind = _fault(dimension_numbers, rank)
    if kind:
        raise ConvolutionDimensionError(given=dimension_numbers, kind=kind, lhs_shape=tuple(lhs_shape),
                                        rhs_shape=tuple(rhs_shape))
    return ConvDimensionNumbers(*conv_general_permutations(dimension_numbers))


def _fault(numbers: Any, rank: int) -> str:
    """What is wrong with dimension numbers given as strings; empty when nothing is."""
    if not isinstance(numbers, (tuple, list)) or len(numbers) != 3 or not all(isinstance(s, str) for s in numbers):
        return "form"
    if any(len(s) != rank for s in numbers):
        return "length"
    spatial = []
    for text, (first, second) in zip(numbers, _LETTERS):
        if text.count(first) != 1 or text.count(second) != 1:
            return "letters"
        rest = set(text) - {first, second}
        if len(rest) != rank - 2:
            return "repeated"
        spatial.append(rest)
    return "" if spatial[0] == spatial[1] == spatial[2] else "spatial"


def conv_general_permutations(dimension_numbers: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """For each of the three strings the axes in the order batch, feature, spatial; the latter as in the kernel."""
    kernel = dimension_numbers[1]
    order = [c for c in kernel if c not in "OI"]
    return tuple([(text.index(first), text.index(second), *[text.index(c) for c in order])
                  for text, (first, second) in zip(dimension_numbers, _LETTERS)])


# -- padding

def dilated(size: int, dilation: int) -> int:
    """The size of an axis with `dilation - 1` gaps between its entries."""
    return 0 if size == 0 else (size - 1) * dilation + 1


def padtype_to_pads(in_shape: Sequence[int], window_shape: Sequence[int], window_strides: Sequence[int],
                    padding: Any) -> list[tuple[int, int]]:
    """A named padding as (low, high) for each axis.

    Args:
        in_shape: sizes of the axes.
        window_shape: sizes of the window, gaps included.
        window_strides: by how much the window moves.
        padding: `"VALID"`, no padding; `"SAME"`, so much that the result has as many entries as there are strides in
            the axis, the odd one behind; `"SAME_LOWER"`, the odd one before.

    Raises:
        PaddingError: the name is none of these.
    """
    if not isinstance(padding, str):
        name = getattr(padding, "name", None)
        if not isinstance(name, str):
            raise PaddingError(given=repr(padding), kind="form")
        padding = name
    wanted = padding.upper()
    if wanted == "VALID":
        return [(0, 0)] * len(in_shape)
    if wanted not in ("SAME", "SAME_LOWER"):
        raise PaddingError(given=repr(padding), kind="name")
    if not len(in_shape) == len(window_shape) == len(window_strides):
        raise PaddingError(given=f"{tuple(in_shape)}, {tuple(window_shape)} and {tuple(window_strides)}", kind="ranks")
    pads = []
    for size, window, stride in zip(in_shape, window_shape, window_strides):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if wanted == "SAME" else (more, less))
    return pads


def explicit_pads(padding: Any) -> tuple[tuple[int, int], ...]:
    """`((low, high), …)` of ints from a sequence of pairs.

    Raises:
        PaddingError: it is no sequence of pairs of integers.
    """
    try:
        return tuple([(operator.index(low), operator.index(high)) for low, high in padding])
    except (TypeError, ValueError):
        raise PaddingError(given=repr(padding), kind="form") from None


def window_sizes(sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], pads: Sequence[tuple[int, int]],
                 base_dilation: Sequence[int], window_dilation: Sequence[int]) -> tuple[int, ...]:
    """How often a window fits into each axis."""
    found = []
    for n, w, stride, (low, high), base, gap in zip(sizes, window, strides, pads, base_dilation, window_dilation):
        room = dilated(n, base) + low + high - dilated(w, gap)
        found.append(room // stride + 1 if room >= 0 else 0)
    return tuple(found)
