"""The methods and properties of arrays, in a table: concrete arrays and tracers alike have them."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import local, state_key
from perspicax.core.context import evaluator
from perspicax.core.dtype_errors import ExtendedDTypeError
from perspicax.diagnose.boundary import public, trim
from perspicax.diagnose.errors import ReportedError
from perspicax.diagnose.frames import warning_level
from perspicax.diagnose.report import Fix
from perspicax.lax import compare
from perspicax.lax.convert import bitcast_convert_type, convert, convert_element_type_p
from perspicax.lax.convert import complex as complex_of
from perspicax.numpy import shapes
from perspicax.numpy.arithmetic import operator_methods
from perspicax.numpy.array_api import VERSION
from perspicax.numpy.construct import asarray, duplicate, put
from perspicax.numpy.cumulative import cumprod, cumsum
from perspicax.numpy.diagonals import diagonal, trace
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.indexing import INDEX_METHODS
from perspicax.numpy.joining import concatenate
from perspicax.numpy.products import dot, matmul_operator, reflected_matmul_operator
from perspicax.numpy.promote import array_like
from perspicax.numpy.reductions import all as all_
from perspicax.numpy.reductions import any as any_
from perspicax.numpy.reductions import max as max_
from perspicax.numpy.reductions import mean, prod, ptp, std, var
from perspicax.numpy.reductions import min as min_
from perspicax.numpy.reductions import sum as sum_
from perspicax.numpy.repeating import repeat
from perspicax.numpy.rounding import around
from perspicax.numpy.search import argmax, argmin, argpartition, argsort, nonzero, partition, searchsorted, sort
from perspicax.numpy.selection import choose, clip, compress, take
from perspicax.numpy.ufuncs import conjugate, imag, real
from perspicax.xla.array import ArrayImpl

MAX_NAMES = 256
_EVALUATOR = evaluator()

def astype(x: Any, dtype: Any, /, *, copy: bool = False, device: Any = None) -> Array:
    """The elements as another dtype.

    Args:
        x: array.
        dtype: anything that names a dtype; `None` for the default floating one.
        copy: whether the result has memory of its own in any case.
        device: a device, or a sharding, where it is put.

    Returns:
        Array of the dtype; floating numbers become integers by rounding towards zero, booleans by `!= 0`.
    """
    try:
        if type(x) is ArrayImpl and not copy and device is None and local.trace is _EVALUATOR:
            kernel = _cast(x.aval, dtype)
            if kernel is not None:
                return kernel(x)
        x = asarray(array_like(x, "astype"))
        wanted = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, "astype")
        if dtypes.kind_of(x.dtype) == "complex" and dtypes.kind_of(wanted) != "complex":
            found = _of_complex(x, wanted)
        else:
            found = convert(x, wanted, False)
        if found is x and copy:
            found = duplicate(x)
        return found if device is None else put(found, device)
    except Exception as error:
        trim(error)
        raise


_asked: dict[Any, dict[Any, Any]] = {}  # by the state of the options, for what names a dtype: the one that arrays get


def _cast(aval: Any, dtype: Any) -> Any:
    """What has made such arrays of that dtype before; `None` where nothing has, or there is something to tell the user."""
    state = state_key()
    try:
        known = _asked.setdefault(state, {})
        wanted = known.get(dtype)
    except TypeError:  # what names the dtype has no hash
        return None
    if wanted is None:
        wanted = dtypes.default_dtype("float") if dtype is None else dtypes.jax_dtype(dtype)
        if dtype is not None and dtype not in dtypes.python_scalar_dtypes and wanted is not dtypes.to_dtype(dtype):
            return None
        if len(known) >= MAX_NAMES:
            known.clear()
        known[dtype] = wanted
    if wanted == aval.dtype or aval.mlir_element[0] == "c":  # what has the dtype already is returned as it is
        return None
    return convert_element_type_p.kernels.get(((aval,), (wanted, False)))


def _of_complex(x: Any, dtype: Any) -> Any:
    """Complex numbers as real ones, of which the user is told, or whether they are not zero: both parts decide."""
    if dtype == np.dtype(bool):
        return compare.ne(x, np.zeros((), x.dtype))
    warnings.warn("complex numbers become real: their imaginary parts are discarded; take `.real` to say so",
                  DeprecationWarning, stacklevel=warning_level())
    return convert(real(x), dtype, False)


@public
def copy(a: Any, order: str | None = None) -> Array:
    """An array with memory of its own.

    Args:
        a: array, or what `array` makes one of.
        order: "K" or `None`.
    """
    if order not in (None, "K"):
        raise UnsupportedArgumentError(function="copy", argument=f"order={order!r}", why="arrays have no memory layout that "
                                                                                        "a user could see")
    x = asarray(a)
    return duplicate(x) if x is a else x


def _method_copy(self: Any, order: str | None = None) -> Any:
    """An array with memory of its own."""
    return copy(self, order)


def _flatten(self: Any, order: str = "C", *, out_sharding: Any = None) -> Any:
    """The elements along one axis; see `jax.numpy.ravel`."""
    return shapes.ravel(self, order, out_sharding=out_sharding)


def _view(self: Any, dtype: Any = None, type: None = None) -> Any:
    """The bits of the elements read as another dtype; the last axis is divided, or joined, as their widths say.

    Args:
        dtype: anything that names a dtype.
        type: is not supported.
    """
    try:
        if type is not None:
            raise UnsupportedArgumentError(function="view", argument="type", why="arrays have one class")
        return self if dtype is None else _bits_as(self, dtypes.requested_dtype(dtype, "view"))
    except Exception as error:
        trim(error)
        raise


def _bits_as(x: Any, dtype: Any) -> Any:
    old = x.dtype
    if old == dtype:
        return x
    for one in (old, dtype):
        if isinstance(one, dtypes.ExtendedDType):
            raise ExtendedDTypeError(dtype=dtypes.name_of(one), where="view")
    if dtypes.kind_of(old) == "bool":
        return _bits_as(convert(x, np.dtype(np.uint8), False), dtype)
    if dtypes.kind_of(dtype) == "bool":
        bytes_ = _bits_as(x, np.dtype(np.uint8))
        return convert(bytes_, np.dtype(bool), False)
    if x.ndim == 0:
        if dtypes.itemsize_bits(old) != dtypes.itemsize_bits(dtype):
            raise ArgumentValueError(says=f"{x.aval.str_short()} cannot be viewed as {dtypes.name_of(dtype)}.",
                                     why="a scalar has no axis that could grow or shrink; the widths must be equal")
        return _whole(x, dtype)
    before, after = dtypes.itemsize_bits(old), dtypes.itemsize_bits(dtype)
    if x.shape[-1] * before % after:
        raise ArgumentValueError(says=f"{x.aval.str_short()} cannot be viewed as {dtypes.name_of(dtype)}.",
                                 why=f"its last axis has {x.shape[-1] * before} bits, no multiple of {after}")
    if before == after:
        return _whole(x, dtype)
    if before > after:
        found = _whole(x, dtype)
        return shapes.reshaped(found, (*x.shape[:-1], x.shape[-1] * (before // after)))
    if dtypes.kind_of(dtype) == "complex":
        return _whole(x, dtype)
    return _whole(shapes.reshaped(x, (*x.shape[:-1], x.shape[-1] * before // after, after // before)), dtype)


def _whole(x: Any, dtype: Any) -> Any:
    """The same bits; complex numbers by way of their parts."""
    if dtypes.kind_of(x.dtype) == "complex":
        parts = [shapes.expand_dims(p, -1) for p in (real(x), imag(x))]
        pairs = concatenate(parts, -1)
        merged = shapes.reshaped(pairs, (*x.shape[:-1], x.shape[-1] * 2)) if x.ndim else pairs
        return _bits_as(merged, dtype)
    if dtypes.kind_of(dtype) == "complex":
        part = np.dtype(f"f{dtype.itemsize // 2}")
        floats = _bits_as(x, part)
        pairs = shapes.reshaped(floats, (*floats.shape[:-1], floats.shape[-1] // 2, 2))
        return complex_of(pairs[..., 0], pairs[..., 1])
    return bitcast_convert_type(x, dtype)


@public
def _to_device(self: Any, device: Any, *, stream: Any = None) -> Any:
    """The array on a device.

    Args:
        device: a device, or a sharding.
        stream: is not supported.
    """
    if stream is not None:
        raise UnsupportedArgumentError(function="to_device", argument="stream", why="XLA orders the work itself")
    return put(self, device)


def _array_namespace(self: Any, *, api_version: str | None = None) -> Any:
    """`jax.numpy`, for libraries written for the array API standard.

    Args:
        api_version: "2024.12", or `None`.
    """
    import importlib

    if api_version not in (None, VERSION):
        raise ArgumentValueError(says=f"The array API was asked for in the version {api_version!r}.",
                                 why=f"the only one that there is is {VERSION}")
    return importlib.import_module("perspicax.numpy")


def _byteswap(self: Any, inplace: bool = False) -> Any:
    """The bytes of each element in reverse order.

    Args:
        inplace: must be False: arrays never change.
    """
    if inplace:
        raise ArgumentValueError(says="`byteswap` cannot write into the array.", why="arrays never change")
    if self.dtype.itemsize == 1:
        return self
    if self.ndim == 0:
        return shapes.reshaped(_byteswap(shapes.reshaped(self, (1,))), ())
    width = self.dtype.itemsize // (2 if dtypes.kind_of(self.dtype) == "complex" else 1)
    bytes_ = _bits_as(self, np.dtype(np.uint8))
    grouped = shapes.flip(shapes.reshaped(bytes_, (*bytes_.shape[:-1], bytes_.shape[-1] // width, width)), -1)
    return _bits_as(shapes.reshaped(grouped, bytes_.shape), self.dtype)


def _searchsorted(self: Any, v: Any, side: str = "left", sorter: Any = None, *, method: str = "scan") -> Any:
    """Where values would have to be put into this sorted vector; see `jax.numpy.searchsorted`."""
    return searchsorted(self, v, side, sorter, method=method)


def _swapaxes(self: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged; see `jax.numpy.swapaxes`."""
    return shapes.swapaxes(self, axis1, axis2)



FUNCTIONS: dict[str, Callable[..., Any]] = {
    "all": all_, "any": any_, "argmax": argmax, "argmin": argmin, "argpartition": argpartition, "argsort": argsort,
    "astype": astype, "choose": choose, "conj": conjugate, "conjugate": conjugate, "cumprod": cumprod,
    "cumsum": cumsum, "diagonal": diagonal, "dot": dot, "max": max_, "mean": mean, "min": min_, "nonzero": nonzero,
    "partition": partition, "prod": prod, "ptp": ptp, "ravel": shapes.ravel, "repeat": repeat, "round": around, "sort": sort,
    "squeeze": shapes.squeeze, "std": std, "sum": sum_, "take": take, "trace": trace, "var": var,
}
"""Methods that are functions of `jax.numpy` with the array as their first argument."""


def _clip(self: Any, min: Any = None, max: Any = None) -> Any:
    """Elements brought into a range; see `jax.numpy.clip`."""
    return clip(self, min, max)


def _compress(self: Any, condition: Any, axis: int | None = None, *, size: int | None = None, fill_value: Any = 0,
              out: None = None) -> Any:
    """The entries for which a condition holds; see `jax.numpy.compress`."""
    return compress(condition, self, axis, size=size, fill_value=fill_value, out=out)


def _round(self: Any, ndigits: int | None = None) -> Any:
    """The nearest integers, as integers; with `ndigits`, numbers with so many decimals, in the array's dtype."""
    return around(self, ndigits) if ndigits is not None else around(self).astype(int)


def methods() -> dict[str, Any]:
    """All methods, operators and properties of `Array` that this room defines."""
    return {
        **operator_methods(), "__matmul__": matmul_operator, "__rmatmul__": reflected_matmul_operator,
        "__round__": public(_round),
        **FUNCTIONS, "byteswap": public(_byteswap), "clip": _clip, "compress": _compress, "copy": _method_copy,
        "flatten": _flatten, "reshape": shapes.reshape_method, "searchsorted": _searchsorted, "swapaxes": _swapaxes,
        "to_device": _to_device, "transpose": shapes.transpose_method, "view": _view,
        "__array_namespace__": _array_namespace,
        "T": property(shapes.transpose_method, doc="The axes in reverse order."),
        "mT": property(shapes.matrix_transpose, doc="The last two axes exchanged."),
        "real": property(real, doc="The real part."), "imag": property(imag, doc="The imaginary part."),
        "flat": property(_flat, doc="Not available; see `ravel`."),
        **INDEX_METHODS,
    }


class FlatIteratorError(ReportedError, NotImplementedError):
    """NumPy's iterator over all elements was asked for."""


@public
def _flat(self: Any) -> Any:
    raise FlatIteratorError(says="Arrays have no `flat`.", why="it is an iterator that NumPy uses for writing, too; arrays "
                                                               "never change", fixes=(Fix(code="x.ravel()"),))


__all__ = ["FUNCTIONS", "astype", "copy", "methods"]
