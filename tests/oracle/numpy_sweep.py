"""Calls of nearly every function of `jax.numpy`, generated: for each family its functions, operands and tolerance.

A call is data, `(function, operands, keywords)`, so that both implementations evaluate the same one. Operands are NumPy
arrays (which become arrays), Python numbers, or `Plain` values that are handed over as they are.
"""
from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np

BFLOAT16 = ml_dtypes.bfloat16
DTYPES = tuple(map(np.dtype, ("bool", "int8", "int32", "uint8", "uint32", "float16", BFLOAT16, "float32", "complex64")))
FEW = tuple(map(np.dtype, ("bool", "int32", "uint8", BFLOAT16, "float32", "complex64")))
SCALARS = (True, 3, 2.5, 1 + 2j)
Call = tuple[str, tuple[Any, ...], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Plain:
    """A value that is not made an array."""

    value: Any


@dataclasses.dataclass(frozen=True)
class Family:
    """Functions that take the same operands."""

    names: tuple[str, ...]
    calls: Callable[[str], Iterator[Call]]
    rtol: float = 2e-5


def operand(dtype: Any, shape: tuple[int, ...], shift: float = 0.) -> np.ndarray:
    """Small numbers, some of them equal, negative where the dtype allows; the same for the same arguments."""
    n = int(np.prod(shape))
    values = (np.arange(n) * 7 % 5 - 1.) * .75 + shift
    if dtype == np.dtype(bool):
        return (np.arange(n) % 3 != 1).reshape(shape)
    if dtype.kind in "iu":
        return np.abs(np.round(values * 2)).astype(dtype).reshape(shape) if dtype.kind == "u" else \
            np.round(values * 2).astype(dtype).reshape(shape)
    return (values + (1j * values[::-1] if dtype.kind == "c" else 0)).astype(dtype).reshape(shape)


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def one(name: str) -> Iterator[Call]:
    for dtype in DTYPES:
        yield name, (operand(dtype, (2, 3)),), {}
    for dtype in (np.dtype("float32"), np.dtype("int8")):
        yield name, (operand(dtype, ()),), {}
        yield name, (operand(dtype, (0, 3)),), {}
    for scalar in SCALARS:
        yield name, (scalar,), {}


def two(name: str) -> Iterator[Call]:
    for a, b in itertools.product(DTYPES, DTYPES):
        yield name, (operand(a, (2, 3)), operand(b, (3,), 1.)), {}
    for dtype, scalar in itertools.product(DTYPES, SCALARS):
        yield name, (operand(dtype, (2, 3)), scalar), {}
        yield name, (scalar, operand(dtype, (3,))), {}
    for a, b in itertools.product(SCALARS, SCALARS):
        yield name, (a, b), {}
    yield name, (operand(np.dtype("float32"), (2, 3)), operand(np.dtype("float32"), (2,))), {}
    yield name, (operand(np.dtype("float32"), (0, 3)), operand(np.dtype("int32"), (3,))), {}


AXES = (None, 0, -1, (0, 1), (), 2, (0, 0))


def reduced(name: str) -> Iterator[Call]:
    for dtype in DTYPES:
        yield name, (operand(dtype, (2, 3)),), {}
        yield name, (operand(dtype, (2, 3)),), {"axis": -1, "keepdims": True}
    for axis, keepdims in itertools.product(AXES, (False, True)):
        yield name, (operand(np.dtype("float32"), (2, 3)),), {"axis": axis, "keepdims": keepdims}
    for axis in (None, 0, 1):
        yield name, (operand(np.dtype("float32"), (0, 3)),), {"axis": axis}
    for scalar in SCALARS:
        yield name, (scalar,), {}


def reduced_as(name: str) -> Iterator[Call]:
    yield from reduced(name)
    for a, b in itertools.product(FEW, FEW):
        yield name, (operand(a, (2, 3)),), {"dtype": Plain(b), "axis": 0}
    for dtype in FEW:
        yield name, (operand(dtype, (2, 3)),), {"where": operand(np.dtype(bool), (2, 3))}


def reduced_from(name: str) -> Iterator[Call]:
    for dtype, start in itertools.product(FEW, SCALARS):
        yield name, (operand(dtype, (2, 3)),), {"initial": start, "axis": 0}
    for dtype in FEW:
        yield name, (operand(dtype, (2, 3)),), {"initial": 1, "where": operand(np.dtype(bool), (2, 3))}


def running(name: str) -> Iterator[Call]:
    for dtype, axis in itertools.product(DTYPES, (None, 0, -1, 2)):
        yield name, (operand(dtype, (2, 3)),), {"axis": axis}
    for a, b in itertools.product(FEW, FEW):
        yield name, (operand(a, (2, 3)),), {"dtype": Plain(b), "axis": 0}
    yield name, (operand(np.dtype("float32"), (0, 3)),), {"axis": 0}
    yield name, (2.5,), {}


def along(name: str) -> Iterator[Call]:
    for dtype, axis in itertools.product(DTYPES, (0, -1, 2)):
        yield name, (operand(dtype, (2, 3)),), {"axis": axis}
    yield name, (operand(np.dtype("float32"), (2, 3)),), {"axis": None}
    yield name, (operand(np.dtype("float32"), (2, 0)),), {"axis": 0}
    yield name, (2.5,), {}


def products(name: str) -> Iterator[Call]:
    for a, b in itertools.product(DTYPES, DTYPES):
        yield name, (operand(a, (3, 3)), operand(b, (3, 3), 1.)), {}
    for a, b in itertools.product(((3,), (2, 3), (4, 2, 3), (), (0, 3), (2, 0)), ((3,), (3, 2), (4, 3, 2), (), (3, 0), (0, 2))):
        yield name, (operand(np.dtype("float32"), a), operand(np.dtype("float32"), b)), {}


def vectors(name: str) -> Iterator[Call]:
    for a, b in itertools.product(DTYPES, DTYPES):
        yield name, (operand(a, (4,)), operand(b, (3,), 1.)), {}
    for a, b in itertools.product(((3,), (2, 3), (), (0,)), ((3,), (2, 2), (), (0,))):
        yield name, (operand(np.dtype("float32"), a), operand(np.dtype("float32"), b)), {}


def matrices(name: str) -> Iterator[Call]:
    for dtype, shape in itertools.product(FEW, ((3,), (2, 3), (3, 3), (2, 1, 3), (), (0, 3))):
        yield name, (operand(dtype, shape),), {}
    yield name, (2.5,), {}


def single_vectors(name: str) -> Iterator[Call]:
    for dtype, shape in itertools.product(DTYPES, ((4,), (0,))):
        yield name, (operand(dtype, shape),), {}
    for shape in ((), (2, 3), (2, 2), (1,)):
        yield name, (operand(np.dtype("float32"), shape),), {}
    yield name, (2,), {}


def sequences(name: str) -> Iterator[Call]:
    for a, b in itertools.product(FEW, FEW):
        yield name, ([operand(a, (2, 3)), operand(b, (2, 3))],), {}
    for a, b in itertools.product(((3,), (2, 3), (), (2, 1, 3)), repeat=2):
        yield name, ([operand(np.dtype("float32"), a), operand(np.dtype("float32"), b)],), {}
    yield name, ([1, 2.5],), {}
    yield name, ([],), {}


def sized(name: str) -> Iterator[Call]:
    for size in (0, 1, 4, 5, (2, 3), (), -1, 2.5):
        yield name, (Plain(size),), {}
    for dtype in FEW:
        yield name, (Plain(3),), {"dtype": Plain(dtype)}


def windows(name: str) -> Iterator[Call]:
    for size in (0, 1, 2, 5, 6):
        yield name, (Plain(size),), {}


def spaces(name: str) -> Iterator[Call]:
    for start, stop in itertools.product((1, 2.5, 1 + 1j, np.float32([1., 2.])), (4, 5.5, np.int32([3, 7]))):
        yield name, (start, stop, Plain(4)), {}
    for dtype in FEW:
        yield name, (1, 8, Plain(4)), {"dtype": Plain(dtype)}
    for num, endpoint in itertools.product((0, 1, 3), (True, False)):
        yield name, (1., 8., Plain(num)), {"endpoint": Plain(endpoint)}


def like(name: str) -> Iterator[Call]:
    extra = (3,) if name == "full_like" else ()
    for dtype in DTYPES:
        yield name, (operand(dtype, (2, 3)), *extra), {}
    for a, b in itertools.product(FEW, FEW):
        yield name, (operand(a, (2,)), *extra), {"dtype": Plain(b)}
    for scalar in SCALARS:
        yield name, (scalar, *extra), {}


def transforms(name: str) -> Iterator[Call]:
    for dtype in DTYPES:
        yield name, (operand(dtype, (2, 4)),), {}
    for norm in ("ortho", "forward", "backward", "foo"):
        yield name, (operand(np.dtype("float32"), (2, 4)),), {"norm": Plain(norm)}
    if name.endswith(("2", "n")):
        for s, axes in itertools.product((None, (3, 6), (2,)), ((0, 1), (1, 0), (1,), (-1, -2), (0, 3))):
            yield name, (operand(np.dtype("float32"), (2, 4)),), {"s": Plain(s), "axes": Plain(axes)}
        yield name, (operand(np.dtype("float32"), (2, 1, 2, 4)),), {}
    else:
        for n, axis in itertools.product((None, 1, 3, 6), (0, -1, 2)):
            yield name, (operand(np.dtype("float32"), (2, 4)),), {"n": Plain(n), "axis": Plain(axis)}


UNARY = words("""
abs absolute acos acosh angle arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh bitwise_count bitwise_invert
bitwise_not cbrt ceil conj conjugate cos cosh deg2rad degrees exp exp2 expm1 fabs floor frexp i0 imag invert iscomplex isfinite
isinf isnan isneginf isposinf isreal log log10 log1p log2 logical_not modf nan_to_num negative positive rad2deg radians real
reciprocal rint round sign signbit sin sinc sinh spacing sqrt square tan tanh trunc around copy array asarray iscomplexobj
isrealobj ravel flip transpose matrix_transpose squeeze atleast_1d atleast_2d atleast_3d ndim shape size unique_values
fliplr flipud rot90 argwhere flatnonzero nonzero ediff1d unwrap sort_complex trim_zeros
""")
BINARY = words("""
add arctan2 atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide divmod equal
float_power floor_divide fmax fmin fmod gcd greater greater_equal heaviside hypot isclose lcm ldexp left_shift less less_equal
logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum mod multiply nextafter not_equal pow power remainder
right_shift subtract true_divide array_equal array_equiv allclose append
""")

FAMILIES: dict[str, Family] = {
    "unary": Family(UNARY, one),
    "binary": Family(BINARY, two),
    "reductions": Family(words("all any amax amin max min count_nonzero ptp nanmax nanmin median nanmedian"), reduced),
    "sums": Family(words("sum prod mean std var nansum nanprod nanmean nanstd nanvar"), reduced_as),
    "starts": Family(words("sum prod max min nansum nanprod nanmax nanmin"), reduced_from),
    "running": Family(words("cumsum cumprod nancumsum nancumprod cumulative_sum cumulative_prod"), running),
    "along": Family(words("argmax argmin nanargmax nanargmin sort argsort diff flip unwrap trapezoid gradient packbits "
                          "average"), along),
    "products": Family(words("dot matmul inner outer kron vdot vecdot matvec vecmat tensordot cross"), products),
    "vectors": Family(words("convolve correlate polyadd polysub polymul polydiv polyval cov corrcoef isin union1d intersect1d "
                            "setdiff1d setxor1d searchsorted digitize"), vectors),
    "matrices": Family(words("diag diagflat diagonal trace tril triu cov corrcoef histogram histogram_bin_edges unique"),
                       matrices),
    "one_vector": Family(words("poly polyder polyint vander bincount ix_ roots histogram"), single_vectors, 2e-3),
    "sequences": Family(words("concatenate stack vstack hstack dstack column_stack block concat broadcast_arrays"), sequences),
    "sizes": Family(words("zeros ones empty eye identity tri arange indices"), sized),
    "windows": Family(words("bartlett blackman hamming hanning"), windows),
    "spaces": Family(words("linspace logspace geomspace"), spaces),
    "like": Family(words("zeros_like ones_like full_like"), like),
    "fourier": Family(words("fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft fft.fft2 fft.ifft2 fft.rfft2 "
                            "fft.irfft2 fft.fftn fft.ifftn fft.rfftn fft.irfftn"), transforms),
}


# Where the two differ on purpose, and why. What is meant is decided by function, and by text that the call contains.
OTHERWISE: dict[str, tuple[str, str]] = {
    "var": ("dtype('int32') dtype('uint8')", "a variance rounded to integers is a mistake; JAX returns a floating number"),
    "nanvar": ("dtype('int32') dtype('uint8')", "likewise"),
    "argmax": ("complex64", "JAX fails only when it compiles"), "argmin": ("complex64", "likewise"),
    "nanargmax": ("complex64", "likewise"), "nanargmin": ("complex64", "likewise"),
    "vecdot": ("[]", "JAX's IndexError is one of its own tuples"), "hstack": ("[])", "likewise"),
    "polyadd": ("[0]", "no coefficients are the polynomial 0"), "polysub": ("[0]", "likewise"),
    "polydiv": ("[0] [2,", "JAX divides what is no polynomial"), "polyder": ("[2,", "JAX differentiates what is no polynomial"),
    "polyval": ("bool[4],bool[3]", "booleans are refused in every case"), "vander": ("[0]", "JAX overflows"),
    "roots": ("float32[1]", "a constant has no roots, whatever its value"),
    "ix_": ("bool", "JAX takes no booleans"), "trim_zeros": ("True 3) 2.5 2j", "a scalar has no zeros in front"),
    "tri": ("-1", "JAX's TypeError is one of lax"),
    **{f"fft.{name}": ("float16", "16-bit numbers are transformed in 32 bits") for name in ("rfft", "ihfft", "rfft2", "rfftn")},
}


def differs_on_purpose(call: Call) -> bool:
    """Whether a call is one of `OTHERWISE`."""
    texts = OTHERWISE.get(call[0], ("", ""))[0].split()
    return any(text in shown(call).replace(" ", "") for text in texts)


def every_call(family: str) -> Iterator[Call]:
    """All calls of a family."""
    for name in FAMILIES[family].names:
        yield from FAMILIES[family].calls(name)


def shown(call: Call) -> str:
    """A call as text, for messages."""
    def text(x: Any) -> str:
        if isinstance(x, np.ndarray):
            return f"{x.dtype}{list(x.shape)}"
        return f"[{', '.join(map(text, x))}]" if isinstance(x, list) else repr(x.value if isinstance(x, Plain) else x)

    name, args, kwargs = call
    return f"jnp.{name}({', '.join([*map(text, args), *[f'{k}={text(v)}' for k, v in kwargs.items()]])})"


def evaluated(call: Call, numpy: Any) -> Any:
    """A call by one of the implementations."""
    def given(x: Any) -> Any:
        if isinstance(x, Plain):
            return x.value
        if isinstance(x, np.ndarray):
            return numpy.asarray(x)
        return [given(v) for v in x] if isinstance(x, list) else x

    name, args, kwargs = call
    function: Any = numpy
    for part in name.split("."):
        function = getattr(function, part)
    return function(*map(given, args), **{k: given(v) for k, v in kwargs.items()})
