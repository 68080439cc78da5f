"""The discrete Fourier transform of up to three axes.

The transforms of complex numbers are symmetric matrices, so each is its own transposition. That of real numbers keeps
half of the entries: the other half are their conjugates. Its transposition is therefore the inverse transform of the
conjugated cotangent, with the entries that stand for two of them halved, and the other way round.
"""
from __future__ import annotations

import enum
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import get_aval
from perspicax.diagnose.errors import ReportedError
from perspicax.diagnose.report import Fix
from perspicax.lax import convert, elementwise, shape
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import ANY, kind, kinds_text
from perspicax.lax.operand import operand
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.jvp import LINEAR
from perspicax.xla.emit import i64_array

MOST_AXES = 3  # of XLA's operation


class FourierError(ReportedError, ValueError, TypeError):
    """A Fourier transform does not fit its operand, or is none."""


class FftType(enum.IntEnum):
    """Which Fourier transform `fft` computes."""

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


# -- type

def _check(aval: ShapedArray, fft_type: FftType, lengths: tuple) -> None:
    """Raise for lengths that do not fit the operand."""
    name = fft_type.name.lower()
    says = f"`{name}` of {aval.str_short()} was given fft_lengths={lengths}."
    real = fft_type in (FftType.RFFT, FftType.IRFFT)
    if len(lengths) > MOST_AXES:
        raise FourierError(says=says, why=f"it transforms at most {MOST_AXES} axes at once",
                           fixes=(Fix(f"transform the last {MOST_AXES} axes, then the others"),))
    if len(lengths) > aval.ndim:
        raise FourierError(says=says, why=f"there is one length for each axis that is transformed, and the operand has "
                                          f"{aval.ndim} {'axis' if aval.ndim == 1 else 'axes'}")
    if real and (not lengths or lengths[-1] < 1):
        raise FourierError(says=says, why="a transform of real numbers has at least one axis, of a length of at least 1")
    if not lengths:
        return
    wanted = (*lengths[:-1], lengths[-1] // 2 + 1) if fft_type is FftType.IRFFT else lengths
    sizes = aval.shape[-len(lengths):]
    if sizes == wanted:
        return
    if fft_type is FftType.IRFFT:
        why = f"the operand is half of a spectrum: for these lengths its last axes have the sizes {wanted}, n // 2 + 1 for " \
              f"the last length n; they have {sizes}"
    else:
        why = f"the lengths are the sizes of the last axes, {sizes}"
    raise FourierError(says=says, why=why, fixes=(Fix(f"`jnp.fft.{name}n(x, {lengths})` cuts or pads the axes"),))


def _fft_type(x: ShapedArray, *, fft_type: FftType, fft_lengths: tuple) -> ShapedArray:
    real = fft_type is FftType.RFFT
    if x.dtype not in ((dtypes.float32, dtypes.float64) if real else (dtypes.complex64, dtypes.complex128)):
        raise OperandDtypeError(operation=fft_type.name.lower(), type_text=x.str_short(), index=0,
                                accepts="float32 and float64" if real else "complex")
    _check(x, fft_type, fft_lengths)
    if fft_type in (FftType.FFT, FftType.IFFT) or not fft_lengths:
        return ShapedArray(x.shape, _result_dtype(x.dtype, fft_type))
    last = fft_lengths[-1]
    size = last // 2 + 1 if fft_type is FftType.RFFT else last
    return ShapedArray((*x.shape[:-1], size), _result_dtype(x.dtype, fft_type))


def _result_dtype(dtype: Any, fft_type: FftType) -> Any:
    if fft_type is FftType.RFFT:
        return dtypes.complex128 if dtype == dtypes.float64 else dtypes.complex64
    return dtypes.finfo(dtype).dtype if fft_type is FftType.IRFFT else dtype


# -- transposition

def _weights(length: int, dtype: Any) -> np.ndarray:
    """How many entries of the whole spectrum each entry of the half stands for."""
    found = np.full(length // 2 + 1, 2, dtype)
    found[0] = 1
    if length % 2 == 0:
        found[-1] = 1
    return found


def _spread(weights: np.ndarray, like: Any) -> Any:
    sizes: Any = get_aval(like).shape  # type: ignore[attr-defined]
    return shape.broadcast_in_dim(weights, sizes, (len(sizes) - 1,))


def _fft_transpose(ct: Any, x: Any, *, fft_type: FftType, fft_lengths: tuple) -> list[Any]:
    if fft_type in (FftType.FFT, FftType.IFFT):
        return [fft_p(ct, fft_type=fft_type, fft_lengths=fft_lengths)]
    total = math.prod(fft_lengths)
    real = dtypes.finfo(get_aval(ct).dtype).dtype  # type: ignore[attr-defined]
    weights = _weights(fft_lengths[-1], real)
    if fft_type is FftType.RFFT:
        halved = elementwise.mul(convert.conj(ct), _complex(_spread(1 / weights, ct)))
        back = fft_p(halved, fft_type=FftType.IRFFT, fft_lengths=fft_lengths)
        return [elementwise.mul(back, shape.broadcast_in_dim(np.asarray(total, real), get_aval(back).shape, ()))]  # type: ignore[attr-defined]
    spectrum = fft_p(ct, fft_type=FftType.RFFT, fft_lengths=fft_lengths)
    return [convert.conj(elementwise.mul(spectrum, _complex(_spread(weights / total, spectrum))))]


def _complex(x: Any) -> Any:
    dtype = get_aval(x).dtype  # type: ignore[attr-defined]
    return convert.convert_element_type(x, dtypes.complex128 if dtype == dtypes.float64 else dtypes.complex64)


def _fft_batch(axis: BatchAxis, args: tuple, axes: tuple, *, fft_type: FftType, fft_lengths: tuple) -> tuple[Any, int]:
    return fft_p(to_axis(args[0], axes[0], 0, axis.size), fft_type=fft_type, fft_lengths=fft_lengths), 0


def _fft_emit(b: Any, x: Any, *, fft_type: FftType, fft_lengths: tuple) -> Any:
    out = b.out[0]
    if not fft_lengths:
        return x
    if out.size == 0 or x.aval.size == 0:
        return b.constant(np.zeros((), out.dtype), out)
    return b.hlo("fft", [x], out, f"fft_type = #stablehlo<fft_type {fft_type.name}>, fft_length = {i64_array(fft_lengths)}")


fft_p: Primitive = Primitive(
    "fft", params=("fft_type", "fft_lengths"), type_rule=_fft_type, jvp=LINEAR, transpose=_fft_transpose,
    batch=_fft_batch, emit=_fft_emit, source="StableHLO specification, `fft`")


# -- function

def _canonical_type(fft_type: Any) -> FftType:
    if isinstance(fft_type, FftType):
        return fft_type
    if isinstance(fft_type, str) and fft_type.upper() in FftType.__members__:
        return FftType[fft_type.upper()]
    raise FourierError(says=f"{fft_type!r} is not a Fourier transform.",
                       why="it is a lax.FftType, or one of the names 'fft', 'ifft', 'rfft' and 'irfft'")


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Any:
    """The discrete Fourier transform over the last axes.

    Args:
        x: array `[..., n]` of numbers, `[..., m, n]` or `[..., l, m, n]` for more than one length.
        fft_type: `"fft"`, `"ifft"`, `"rfft"` (of real numbers) or `"irfft"`, or a `FftType`.
        fft_lengths: the lengths of the transform, at most three. They are the sizes of the last axes; but for `"irfft"`
            the last axis has `n // 2 + 1` entries, those of the spectrum that are not conjugates of others.

    Returns:
        Array of the operand's shape; its last axis has `n // 2 + 1` entries for `"rfft"` and `n` for `"irfft"`. The
        inverse transforms are divided by the product of the lengths.

    Raises:
        FourierError: the lengths do not fit, or `fft_type` is none.
        OperandDtypeError: the transform does not take the dtype.

    >>> fft(jnp.array([1., 0., 0., 0.]), "rfft", (4,))
    Array([1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    chosen = _canonical_type(fft_type)
    try:
        lengths = tuple([operator.index(n) for n in fft_lengths])
    except TypeError as error:
        if type(error) is not TypeError:  # a traced length has its own report
            raise
        raise FourierError(says=f"fft was given fft_lengths={fft_lengths!r}.",
                           why="they are a sequence of integers") from None
    x = operand(x)
    aval: Any = get_aval(x)
    if kind(aval.dtype) not in ANY:
        raise OperandDtypeError(operation="fft", type_text=aval.str_short(), accepts=kinds_text(ANY), index=0)
    _check(aval, chosen, lengths)  # before the conversion: in the user's type
    wanted = _operand_dtype(aval.dtype, chosen)
    if aval.dtype != wanted:
        x = convert.convert_element_type(x, wanted)
    return local.trace.process(fft_p, (x,), (chosen, lengths))


def _operand_dtype(dtype: Any, fft_type: FftType) -> Any:
    """What the operand is converted to: real numbers become complex, integers floating; the rest is left to the type."""
    wide = dtype in (dtypes.float64, dtypes.complex128)
    if fft_type is not FftType.RFFT:
        return dtypes.complex128 if wide else dtypes.complex64
    return dtypes.default_dtype("float") if kind(dtype) in "bsu" else dtype


__all__ = ["FftType", "FourierError", "fft", "fft_p"]
