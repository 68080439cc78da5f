"""Calls of `jax.numpy` on the values at which functions go wrong, for every dtype: NaN, infinities, -0.0, extremes.

A call is text, and the dtypes of the operands that are named in it; both implementations evaluate it.
"""
from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy_sweep import BINARY, words

DTYPES = ("bool", "int8", "uint8", "int32", "uint32", "float16", "bfloat16", "float32", "complex64")
FLOATS = (0., -0., 1., -1., .5, -2.5, 3., 7.25, 100., 1e-3, -1e30, 3e38, np.nan, np.inf, -np.inf, np.pi / 2)
NUMBERS = ("True", "0", "-1", "3", "40", "-0.", "2.5", "np.nan", "np.inf", "-np.inf", "1-2j")


class Call(NamedTuple):
    """`text` with `x` and what is made of it of dtype `a`, and `y` of dtype `b`."""

    text: str
    a: str
    b: str = "float32"


def dtype_of(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def edges(dtype: np.dtype) -> np.ndarray:
    """Sixteen values of a dtype, its extremes among them."""
    if dtype.kind == "b":
        return np.arange(16) % 3 == 0
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        low = [info.min, info.min + 1, -1, -2, -7, -31] if dtype.kind == "i" else [info.max // 2, info.max - 2, 127, 128, 9, 33]
        return np.array([0, 1, 2, 3, 5, 7, 8, 31, 32, info.max, *low], dtype)
    with np.errstate(all="ignore"):
        if dtype.kind == "c":
            return (np.array(FLOATS) + 1j * np.roll(FLOATS, 5)).astype(dtype)
        return np.array(FLOATS).astype(dtype)


def mild(dtype: np.dtype, seed: int, *shape: int) -> np.ndarray:
    """Small values with repetitions, so that there are ties and nothing overflows."""
    values = np.random.default_rng(seed).integers(-4, 5, shape)
    if dtype.kind in "bu":
        return (values > 0) if dtype.kind == "b" else np.abs(values).astype(dtype)
    if dtype.kind == "c":
        return (values * .5 + 1j * values[..., ::-1] * .25).astype(dtype)
    return (values if dtype.kind == "i" else values * .5).astype(dtype)


def operands(jnp: Any, call: Call) -> dict[str, Any]:
    """What the names in a call stand for: `z` lies backwards in memory, `r` and `s` are matrices, `i` are places."""
    a, b = dtype_of(call.a), dtype_of(call.b)
    x, m = edges(a), mild(a, 0, 8)
    arrays = {"x": x, "y": edges(b), "z": x.reshape(2, 8)[:, ::-2], "r": x.reshape(4, 4), "m": m, "n": mild(a, 1, 8),
              "s": m.reshape(2, 4), "q": mild(a, 5, 3, 3), "t": edges(np.dtype(bool)),
              "i": np.array([0, 3, -1, -5, 9, 2], np.int32), "o": np.arange(8).astype(a if a.kind == "f" else np.float32)}
    return {"jnp": jnp, "np": np, **{name: jnp.asarray(v) for name, v in arrays.items()}}


UNARY = words("""
abs acos acosh angle asin asinh atan atanh bitwise_count bitwise_invert cbrt ceil conj cos cosh deg2rad exp exp2 expm1 fabs
floor frexp i0 imag iscomplex isfinite isinf isnan isneginf isposinf isreal log log10 log1p log2 logical_not modf nan_to_num
negative positive rad2deg real reciprocal rint round sign signbit sin sinc sinh spacing sqrt square tan tanh trunc copy array
ravel flip transpose squeeze atleast_1d argwhere flatnonzero nonzero ediff1d sort_complex zeros_like ones_like isscalar
result_type array_repr
""")
REDUCTIONS = words("""
all any max min count_nonzero ptp nanmax nanmin median nanmedian sum prod mean std var nansum nanprod nanmean nanstd nanvar
""")
ALONG = words("argmax argmin nanargmax nanargmin sort argsort cumsum cumprod nancumsum nancumprod diff flip")
OTHERS = """
take(x, i); take(x[:5], i, mode='clip'); take(x[:5], i, mode='wrap'); take(r, i, axis=-1, fill_value=1)
unique(x, True, True, True); take_along_axis(r, i[:4, None] % 4, 1); take_along_axis(r, i[None, :4], 0)
choose(i, [x[:6], x[6:12]], mode='wrap'); repeat(x, 2); repeat(r, np.array([1, 0, 2, 1]), axis=0); roll(r, (1, -1), (0, 1))
tile(x, (2, 1)); pad(x, 2); pad(x, 2, 'edge'); pad(x, 2, 'wrap'); pad(x, 2, 'reflect'); pad(x, 2, 'symmetric')
pad(x, 2, 'maximum'); pad(m, 2, 'mean'); pad(m, (1, 3), 'linear_ramp'); delete(x, 3); pad(x[:3], (7, 5), 'reflect')
pad(x, 1, constant_values=2.7); delete(x, i[:3]); delete(r, -1, 1); insert(x, 3, 1); insert(x, 2, 2.7)
insert(x, i[:3], x[:3]); compress(t, x); extract(x, x); put(x, i, x[3], inplace=False); place(x, t, x[:2], inplace=False)
put_along_axis(r, i[:4, None] % 4, x[3], 1, inplace=False); fill_diagonal(r, 3, inplace=False); split(x, 4); array_split(x, 3)
clip(x, -1, 2); clip(x, 5, 2); clip(x, np.nan, 2); clip(x, x[::-1]); clip(x, None, 1000); clip(x, -0., 3e9)
where(t, x, x[::-1]); where(x, x, 300); where(x, -0., x); where(x); select([x != x[2]], [x], 3); reshape(x, (4, 4), order='F')
resize(x, (3, 7)); expand_dims(x, (0, 2)); swapaxes(r, 0, 1); unstack(r, axis=1); lexsort((x, n.repeat(2)))
meshgrid(x, x[:3]); isin(x, x[::3]); searchsorted(jnp.sort(x), x); searchsorted(jnp.sort(m), n, side='right')
searchsorted(x, x, sorter=jnp.argsort(x)); isin(x, 2.5); digitize(x, jnp.sort(m)); unique(m, size=12); unique(r, axis=0)
union1d(x, x[::2]); intersect1d(x, x[::2]); setdiff1d(x, x[::2]); setxor1d(x, x[::2]); setdiff1d(m, m[:2], size=9)
setxor1d(m, m, size=3); trim_zeros(m); bincount(m); full(3, x[3]); packbits(x); piecewise(x, [x == x[1]], [1, 2])
unpackbits(x); flatnonzero(x, size=3); argwhere(r); argwhere(x, size=30, fill_value=-1); interp(x, o, n)
interp(m, o, x[:8], left=-1, right=5.5); interp(m, o, n, period=3.); quantile(m, .3); quantile(x, .5)
quantile(x, jnp.array([0., .5, 1.]), method='nearest'); quantile(m, jnp.array([.2]), method='midpoint'); nanquantile(x, .3)
percentile(x, 77.); median(x); nanmedian(r, 1); histogram(m, 4); histogram(m, o); histogram(m, weights=n, density=True)
histogram_bin_edges(m, 3, (0, 2)); histogram2d(m, n, 3); convolve(m, n[:3]); convolve(x, n[:3]); correlate(m, n[:3], 'full')
cov(s); cov(m, n, ddof=0); corrcoef(s); polyval(m, x); polymul(m, n); polyder(m, 2); polyint(m, 2); poly(m[:3]); vander(m, 3)
trapezoid(m, o); trapezoid(m, dx=.5); gradient(m, o * 2); diff(m, 2); diff(m, prepend=1); diff(x); ediff1d(m, to_end=n[:2])
nan_to_num(x, nan=7., posinf=8., neginf=-0.); isclose(x, x[::-1]); isclose(m, n, .5, .1); isclose(x, x, equal_nan=True)
round(m, 1); array_equal(x, x, equal_nan=True); round(x, 2); average(m, weights=abs(n) + 1); einsum('i,j->ij', x, x)
einsum('ij,kj->ik', s, s); einsum('ii->i', r); dot(x, x); dot(m, 2.5); matmul(s, s.T); inner(m, n); outer(x, x); vdot(m, n)
kron(m[:3], n[:2]); cross(m[:3], n[:3]); tensordot(s, s, 2); trace(r, 1); diagonal(r, -1); tril(r, -1); triu(r, 1)
ldexp(x, i[0]); heaviside(x, x[::-1]); linspace(m[0], n[1], 5); linspace(m, n, 3, endpoint=False); cumsum(x)
cumsum(r, 1, dtype=x.dtype); cumprod(m); linalg.norm(s, 'fro'); linalg.norm(s, 1); linalg.norm(s, 2); linalg.norm(s, -np.inf)
linalg.norm(s, 'nuc'); linalg.norm(x, 0); linalg.norm(x, 3); linalg.norm(x, -np.inf); linalg.matrix_norm(s, ord=1)
linalg.det(q); linalg.det(q[:2, :2]); linalg.det(q[:1, :1]); linalg.slogdet(q[:2, :2]); linalg.inv(q)
linalg.matrix_power(q, 3); linalg.matrix_power(q, -2); linalg.matrix_rank(q); linalg.pinv(s); linalg.cond(q, 1)
linalg.solve(q, q[0]); linalg.lstsq(s.T, m[:4]); linalg.svdvals(s); linalg.eigvalsh(q); linalg.cholesky(q @ q.T)
linalg.eigvals(jnp.tril(q)); linalg.trace(r); linalg.multi_dot([s, s.T, s]); linalg.cross(m[:3], n[:3]); linalg.vecdot(m, n)
fft.fftshift(x); fft.fft(m); fft.fft(x); fft.irfft(m); array(z); array(x, ndmin=3); atleast_2d(x, x[0]); dstack([x, x])
block([[s, s], [s, s]]); array_equiv(x, x[:1]); polyfit(o, m, 2); astype(x, bool); astype(x, 'int8'); astype(x, 'uint8')
astype(x, 'float16'); astype(x, 'bfloat16'); astype(x, 'complex64')
"""
OTHERWISE = {
    "unique(x, True, True, True)": "complex64: NaNs keep their parts, as in NumPy; JAX makes all of them nan+0j",
    "unique(r, axis=0)": "likewise", "union1d": "likewise", "setxor1d(x": "likewise", "intersect1d(x": "likewise",
    "linalg.det(q)": "the sign of zero", "linalg.eigvals": "their order",
    "gradient": "JAX's is weakly typed for integers and a number", "array_repr": "JAX shows bfloat16 entry by entry",
    "fft": "NaN in every entry or in some, by the order of the additions", "polyval": "JAX adds booleans",
    "histogram": "JAX's edges of complex numbers are complex", "linalg.cond": "the inverse of a singular matrix",
    "linalg.inv": "likewise", "linalg.solve": "likewise", "matrix_power(q, -2)": "likewise", "lstsq": "rank by a limit",
    "logaddexp2": "complex64: JAX overflows", "searchsorted(x": "the order of complex numbers with NaN",
    "interp(x": "complex places", "isin(x": "complex64: NaN", "polyfit": "JAX's condition numbers",
    "gcd": "JAX does not end with the smallest integer", "lcm": "likewise", "unique_values": "weak types of numbers",
}


def every_call(family: str) -> Iterator[Call]:
    """All calls of a family that are not among `OTHERWISE`."""
    for call in _generated(family):
        if not any(call.text.removeprefix("jnp.").startswith(text) for text in OTHERWISE):
            yield call


def _generated(family: str) -> Iterator[Call]:
    match family:
        case "one":
            for name, given in itertools.product(UNARY, ("x", "x[:0]", "x[3]", "z")):
                yield from [Call(f"jnp.{name}({given})", a) for a in DTYPES]
            yield from [Call(f"jnp.{name}({number})", "bool") for name, number in itertools.product(UNARY, NUMBERS)
                        if name != "array_repr"]
        case "pairs":
            for name in BINARY:
                yield from [Call(f"jnp.{name}(x[:, None], y[::-1])", a, b) for a, b in itertools.product(DTYPES, DTYPES)]
                for a, number in itertools.product(DTYPES, NUMBERS):
                    yield from (Call(f"jnp.{name}(x, {number})", a), Call(f"jnp.{name}({number}, x)", a))
        case "reductions":
            for name, given in itertools.product(REDUCTIONS, ("x", "r, -1", "z, 1", "s, axis=0, keepdims=True", "s[:, :0], 0")):
                yield from [Call(f"jnp.{name}({given})", a) for a in DTYPES]
            for name in words("sum prod mean any std nansum"):
                yield from [Call(f"jnp.{name}(x, where=t)", a) for a in DTYPES]
        case "along":
            for name, given in itertools.product(ALONG, ("x", "r, axis=0", "z, axis=1", "m")):
                yield from [Call(f"jnp.{name}({given})", a) for a in DTYPES]
            yield from [Call(f"jnp.{name}(x, descending=True)", a) for name in ("sort", "argsort") for a in DTYPES]
        case _:
            for text in OTHERS.replace("\n", "; ").split("; "):
                if text.strip():
                    yield from [Call(f"jnp.{text.strip()}", a) for a in DTYPES]


FAMILIES = ("one", "pairs", "reductions", "along", "others")


def sample(family: str, count: int) -> list[Call]:
    """A seeded choice of a family's calls."""
    calls = list(every_call(family))
    return random.Random(f"{family} 11").sample(calls, min(count, len(calls)))
