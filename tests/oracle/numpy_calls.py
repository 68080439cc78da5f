"""Calls of `jax.numpy`, by subject, that both implementations evaluate. The names in them are made by `operands`."""
from __future__ import annotations

from typing import Any

import numpy as np


def operands(jax: Any, jnp: Any) -> dict[str, Any]:
    """The names that the calls use, as arrays of one of the implementations."""
    return {
        "jnp": jnp, "jax": jax, "np": np, "x": jnp.arange(6.).reshape(2, 3) - 2, "y": jnp.array([1.5, -2., 0.]), "i": jnp.arange(3),
        "b": jnp.array([True, False, True]), "w": jnp.asarray(3), "wf": jnp.asarray(2.5),
        "h": jnp.array([1.5, 2., -3.], "float16"), "bf": jnp.array([1.5, 2., -3.], "bfloat16"),
        "c": jnp.array([1 + 2j, -1j, 0.]), "i8": jnp.array([1, -2, 100], "int8"), "u": jnp.array([1, 2, 250], "uint8"),
        "n": np.arange(3.), "e": jnp.zeros((0, 3)), "k": jnp.array([[1, 0, 2]]), "z": jnp.zeros((2, 1, 3)),
        "q": jnp.array([[2., 1.], [1., 3.]]), "f": jnp.array([1., 2., 4.]), "s": jnp.array([.5, 1.5, 2.5, 2.6, 3.9, 9.]),
        "t": jnp.arange(6.), "m": jnp.arange(6).reshape(2, 3), "g": jnp.arange(6, dtype="float32").reshape(2, 3) * 1.5,
        "p": jnp.arange(6).reshape(2, 3) > 2, "uf": jnp.frompyfunc(twice_the_second, 2, 1),
        "ui": jnp.frompyfunc(twice_the_second, 2, 1, identity=0), "u2": jnp.frompyfunc(lambda a: (a, a + 1), 1, 2),
    }


def twice_the_second(a: Any, b: Any) -> Any:
    return a + 2 * b


CALLS: dict[str, str] = {
    "operators": """
x+y; x*2; 2*x; x/2; i/2; i//2; i%2; x%1.5; x//1.5; i8+1; i8*i; u+i8; i+h; h+bf; h*2.5; bf+1; x**2; x**2.; i**2; 2**i
2.**i; i**i; x**i; y**.5; i8**2; wf**2; w**2; w+wf; w*1.5; w//2; w%2; b+b; b*2; b&b; b|b; b^b; ~b; ~i; i&1; i<<2; i>>1; u>>1
i==1; x<y; wf<3; x!=x; -x; +x; abs(x); abs(c); c*2; c+x[0]; c/2; c==c; c<c[0]; c>=1; divmod(i, 2); divmod(x, 1.5); x@y; y@y
1+i8; 300+i8; True+i8; np.float32(2)*i8; np.float64(2)*y; np.int8(2)*y; n+y; y+n; np.arange(3)*i8; u-1; u*-1; i**jnp.array(2)
jnp.array(True)/True; jnp.array(True)%True; jnp.array(True)//True; jnp.array(True)**True; jnp.ones(3)==None; jnp.ones(3)=="a"
""",
    "elementwise": """
jnp.sin(i); jnp.sin(h); jnp.sin(w); jnp.exp(b); jnp.log2(y); jnp.log10(w); jnp.cbrt(y); jnp.arctan2(y, x); jnp.hypot(y, i)
jnp.logaddexp(y, x); jnp.logaddexp2(y, 1); jnp.sinc(y); jnp.deg2rad(i); jnp.heaviside(y, .5); jnp.copysign(i, y)
jnp.nextafter(y, 1.); jnp.float_power(i, 2); jnp.reciprocal(i + 1); jnp.square(i8); jnp.sqrt(i); jnp.sign(c); jnp.sign(u)
jnp.floor(y); jnp.ceil(i); jnp.trunc(y); jnp.rint(i); jnp.round(y, 1); jnp.round(h, 1); jnp.round(i, 2); jnp.modf(y)
jnp.frexp(y); jnp.ldexp(y, i); jnp.fmod(y, 2); jnp.fmod(i, 2); jnp.fmax(y, 0); jnp.angle(c); jnp.angle(y); jnp.real(c)
jnp.imag(y); jnp.imag(w); jnp.conj(c); jnp.isnan(y/0); jnp.isinf(y/0); jnp.isfinite(c/0); jnp.isposinf(y/0); jnp.isreal(c)
jnp.isclose(y, y + 1e-9); jnp.isclose(i, i); jnp.isclose(c, c); jnp.allclose(y, 1.5); jnp.array_equal(y, y); jnp.array_equiv(y, z)
jnp.nan_to_num(y/0); jnp.nan_to_num(c/0); jnp.logical_not(y); jnp.logical_or(y, 0); jnp.logical_and(3, 0.); jnp.signbit(y)
jnp.spacing(y); jnp.bitwise_count(i8); jnp.right_shift(i8, 1); jnp.positive(b); jnp.negative(i8); jnp.fabs(i); jnp.sqrt(4)
jnp.abs(-3); jnp.floor(True); jnp.maximum(1, 2); jnp.maximum(i8, 2.5); jnp.clip(i, 1, 2.5); jnp.clip(i8, 0, 1000); jnp.clip(x)
""",
    "reductions": """
jnp.sum(h); jnp.sum(bf, keepdims=True); jnp.sum(i8); jnp.sum(u); jnp.sum(b); jnp.sum(c); jnp.sum(x, 0); jnp.sum(x, (0, 1))
jnp.sum(x, -1, keepdims=True); jnp.sum(x, initial=2, where=x > 0); jnp.sum(wf); jnp.sum(w, initial=2.5); jnp.sum(x, dtype=int)
jnp.sum(u, promote_integers=False); jnp.prod(i); jnp.prod(x, 1); jnp.mean(x, 0); jnp.mean(i); jnp.mean(h); jnp.mean(c); jnp.mean(wf)
jnp.mean(x, where=x > 0); jnp.mean(e); jnp.mean(e, 1); jnp.mean(x, axis=()); jnp.var(x, 1); jnp.var(i); jnp.var(h); jnp.var(c)
jnp.var(x, 0, ddof=1); jnp.var(x, ddof=7); jnp.var(x, where=x > 0); jnp.std(x, keepdims=True); jnp.std(bf); jnp.max(x, 0)
jnp.max(b); jnp.max(h); jnp.max(i8, keepdims=True); jnp.max(x, where=x > 0, initial=-1); jnp.min(x, (0, 1), keepdims=True)
jnp.max(e, 1); jnp.sum(e); jnp.ptp(x, 1); jnp.all(x); jnp.any(x, 0); jnp.all(e); jnp.count_nonzero(x); jnp.average(x, 1)
jnp.average(x, axis=1, weights=y + 3); jnp.nansum(x/x); jnp.nanmean(x/x, 0); jnp.nanmax(x/x, 1); jnp.nanstd(x/x); jnp.nanargmax(x/x)
jnp.cumsum(x); jnp.cumsum(b); jnp.cumsum(i8); jnp.cumsum(x, 1); jnp.cumprod(x, 0); jnp.cumsum(x, dtype="int8"); jnp.nancumsum(x/x)
jnp.median(x, 0); jnp.median(i); jnp.quantile(x, .3, axis=1); jnp.quantile(x, jnp.array([.3, .7]), axis=0, method="lower")
jnp.percentile(i, 30); jnp.nanmedian(x/x, 1); jnp.cumulative_sum(i8, include_initial=True); jnp.diff(i); jnp.diff(x, axis=0)
jnp.diff(b); jnp.diff(y, n=2, append=3); jnp.ediff1d(i, to_end=5)
""",
    "shapes": """
jnp.reshape(x, (3, -1)); jnp.reshape(x, 6, order="F"); x.reshape(3, 2); x.reshape([3, 2]); x.reshape(np.array([3, 2])); jnp.ravel(x)
x.T; z.mT; jnp.transpose(z, (1, 2, 0)); jnp.swapaxes(z, 0, 2); jnp.moveaxis(z, 0, -1); jnp.rollaxis(z, 2); jnp.squeeze(z)
jnp.squeeze(z, 1); jnp.expand_dims(x, (0, -1)); jnp.concatenate([x, x], 1); jnp.concatenate([i, y]); jnp.concatenate([i, i8])
jnp.concatenate([wf[None], w[None]]); jnp.concatenate([x, x], axis=None, dtype="int8"); jnp.concatenate(x); jnp.stack([y, i], 1)
jnp.vstack([y, x]); jnp.hstack([y, i]); jnp.dstack([y, y]); jnp.column_stack([y, i]); jnp.append(x, y); jnp.block([[x, x], [x, x]])
jnp.split(x, 3, 1); jnp.split(y, [1, 2]); jnp.array_split(y, 2); jnp.unstack(x); jnp.broadcast_to(y, (2, 3)); jnp.broadcast_to(w, (2,))
jnp.broadcast_arrays(x, y); jnp.tile(y, 2); jnp.tile(x, (2, 1, 2)); jnp.repeat(x, 2); jnp.repeat(x, np.array([1, 2]), axis=0)
jnp.repeat(y, jnp.array([1, 0, 2]), total_repeat_length=4); jnp.flip(x); jnp.flip(x, 0); jnp.fliplr(x); jnp.rot90(x); jnp.rot90(x, 3)
jnp.roll(x, 1); jnp.roll(x, (1, -1), (0, 1)); jnp.pad(x, 1); jnp.pad(x, ((0, 1), (2, 0)), mode="edge"); jnp.pad(y, 2, mode="reflect")
jnp.pad(i, 2, mode="symmetric"); jnp.pad(i, 2, mode="wrap"); jnp.pad(i, 2, mode="mean"); jnp.pad(i, 2, constant_values=7.9)
jnp.pad(y, 2, mode="linear_ramp", end_values=9); jnp.atleast_2d(w); jnp.atleast_3d(x); jnp.atleast_1d(w, y); jnp.resize(y, (2, 2))
jnp.delete(x, 1, 1); jnp.delete(y, jnp.array([0, 2])); jnp.insert(y, 1, 5); jnp.insert(x, 0, y, axis=0)
""",
    "selection": """
jnp.where(x > 0, x, 0); jnp.where(b, i, 1.5); jnp.where(b, i8, u); jnp.where(w, x, y); jnp.where(b, 1, 2); jnp.where(True, True, 2)
jnp.take(x, i, axis=1); jnp.take(x, jnp.array([0, 9]), axis=1); jnp.take(x, jnp.array([0, 9]), axis=1, mode="clip"); jnp.take(x, -1)
jnp.take(x, jnp.array([0, 9]), axis=1, mode="wrap"); jnp.take(i, jnp.array([0, 9])); jnp.take_along_axis(x, k, 1)
jnp.select([x > 0, x < -1], [x, -x], 7); jnp.select([x > 0], [i], 7.5); jnp.choose(jnp.array([1, 0, 1]), [y, i])
jnp.choose(jnp.array([1, 0, 5]), [y, i], mode="clip"); jnp.choose(jnp.array([1, 0, 5]), [y, i], mode="wrap"); jnp.argmax(x, 1)
jnp.argmin(x); jnp.argmax(b); jnp.argmax(x, axis=0, keepdims=True); jnp.sort(y); jnp.sort(x, 0, descending=True); jnp.argsort(y)
jnp.argsort(y, descending=True); jnp.lexsort((y, i)); jnp.searchsorted(i, y); jnp.searchsorted(i, i, side="right"); jnp.digitize(y, i)
jnp.bincount(i); jnp.bincount(i, y); jnp.nonzero(y); jnp.nonzero(y, size=4, fill_value=-1); jnp.argwhere(x, size=2)
jnp.flatnonzero(x); jnp.where(y, size=1); jnp.compress(b, x, 1); jnp.extract(x > 0, x); jnp.put(y, i, x[0, :2], inplace=False)
jnp.piecewise(y, [y < 0, y > 1], [lambda v: -v, 9]); jnp.put_along_axis(x, k, 5., 1, inplace=False)
jnp.place(y, b, jnp.array([7., 8.]), inplace=False); jnp.fill_diagonal(q, 9., inplace=False)
""",
    "products": """
jnp.dot(x, y); jnp.dot(w, w); jnp.dot(i, i8); jnp.dot(2, y); jnp.matmul(i, y); jnp.matmul(h, bf); jnp.matmul(b, b); jnp.vdot(c, c)
jnp.matmul(x, x.T, preferred_element_type="float16"); jnp.inner(x, y); jnp.outer(i, y); jnp.tensordot(x, x, ((1,), (1,)))
jnp.tensordot(x, x, 2); jnp.einsum("ij,j->i", x, y); jnp.einsum("ij,j->i", i8[None], u); jnp.einsum("i,i", wf[None], w[None])
jnp.einsum("ij->ji", x); jnp.einsum("...j->...", z); jnp.einsum("ij,jk,k", x, x.T, jnp.ones(2)); jnp.einsum(x, [0, 1], [1])
jnp.einsum("ij,ij->ij", x, x, preferred_element_type="bfloat16"); jnp.einsum("ii", q); jnp.einsum("ii->i", q); jnp.vecdot(x, y)
jnp.vecdot(c, c); jnp.matvec(x, y); jnp.vecmat(jnp.ones(2), x); jnp.kron(y, i); jnp.cross(y, i); jnp.cross(y, jnp.ones(2))
jnp.trace(q); jnp.trace(k.astype("int8"), 1); jnp.diagonal(q); jnp.diag(y, 1); jnp.diag(q, -1); jnp.diagflat(x); jnp.tril(q, -1)
jnp.triu(x, 1); jnp.diag_indices(3); jnp.tril_indices(3)
""",
    "creation": """
jnp.tri(2, 3, dtype=int); jnp.eye(2, k=1, dtype="int8"); jnp.identity(2, dtype=bool); jnp.meshgrid(y, i); jnp.linspace(i, y, 4)
jnp.indices((2, 2), sparse=True); jnp.linspace(0, 1, 3, dtype="bfloat16"); jnp.linspace(0, 1, 5, endpoint=False, retstep=True)
jnp.linspace(1j, 2, 3); jnp.linspace(0, 10, 5, dtype=int); jnp.linspace(0, 1, 0); jnp.linspace(0, 1, 1); jnp.arange(3); jnp.arange(3.5)
jnp.arange(0, 1, .3); jnp.arange(5, dtype="uint8"); jnp.arange(10, 0, -3.); jnp.arange(0.); jnp.arange(-3); jnp.arange(w)
jnp.full_like(y, 7); jnp.full_like(i, 2.7); jnp.full((2,), y[0]); jnp.full(3, 2); jnp.full((2,), 2., dtype=int); jnp.zeros_like(b)
jnp.zeros_like(3.); jnp.ones_like(n); jnp.ones_like(h, dtype=int); jnp.zeros_like(x, shape=(2,)); jnp.zeros(3, dtype=int)
jnp.array([i, y]); jnp.array([[1, 2], [3, 4.]]); jnp.array([wf, wf]); jnp.array(n); jnp.array([n, n]); jnp.array([True, 2])
jnp.array(1); jnp.array(1.); jnp.array(True); jnp.array(1j); jnp.array([]); jnp.array([[], []]); jnp.array([np.float64(1)])
jnp.array([jnp.float16(1), 2.]); jnp.array(range(3)); jnp.array(3., ndmin=2); jnp.array(2**31, dtype="uint32")
jnp.asarray(np.float16(2)); jnp.array(np.array([2**40])); jnp.array(bytearray(b"ab")); jnp.asarray([], dtype=int); jnp.float32(i)
jnp.int8(y); jnp.float32("3"); jnp.asarray(x, dtype=bool)
""",
    "methods": """
x.sum(); x.mean(axis=0); x.std(); x.astype(int); y.astype(bool); c.real; c.imag; x.flatten("F"); x.view("int32"); i8.view("uint8")
x.max(); x.argmin(axis=1); x.clip(0, 1); x.round(); round(y, 1); x.dot(y); x.transpose(1, 0); x.transpose(None); x.swapaxes(0, 1)
x.ravel(); z.squeeze(); x.take(0); x.cumsum(0); x.any(); x.sort(0); x.repeat(2); x.nonzero(); x.ptp(); x.trace(); x.diagonal()
x.conj(); x.copy(); wf.item(); x.tolist(); x.nbytes; x.itemsize; float(wf); int(w); bool(w); len(x); list(y); y.byteswap()
jnp.result_type(i8, h); jnp.promote_types("int8", "uint8"); jnp.issubdtype(jnp.bfloat16, jnp.floating); jnp.size(x, 1); jnp.shape(x)
jnp.ndim(3); jnp.astype(y, int); jnp.copy(y); jnp.can_cast("int32", "float32"); jnp.isdtype("int32", "integral")
jnp.isscalar(3), jnp.isscalar(w), jnp.isscalar(None); jnp.iscomplexobj(c); jnp.broadcast_shapes((2, 1), (3,))
""",
    "sets": """
jnp.unique(k); jnp.unique(y, size=5); jnp.unique(i, True, True, True, size=2); jnp.unique(k, True, True, True)
jnp.unique(jnp.array([[1, 2], [1, 2], [0, 1]]), True, True, True, axis=0); jnp.unique(jnp.array([[1, 2], [0, 1]]), axis=1)
jnp.unique(jnp.array([[1, 2], [1, 2], [0, 1]]), True, True, True, axis=0, size=4); jnp.unique(i, size=5, fill_value=9)
jnp.unique(y/y); jnp.unique(jnp.array([1., jnp.nan, jnp.nan]), equal_nan=False); jnp.unique_all(i); jnp.unique_counts(b)
jax.jit(lambda v: jnp.unique(v, True, True, True, size=5))(y); jax.jit(lambda v: jnp.unique(v, size=2, fill_value=7))(y)
jax.jit(lambda v: jnp.unique(v, True, True, True, axis=0, size=4))(jnp.array([[1, 2], [1, 2], [0, 1]])); jnp.unique_values(y)
jax.jit(lambda v: jnp.unique(v/v, size=3))(y); jax.jit(lambda v: jnp.setdiff1d(v, k, size=4, fill_value=7))(i)
jnp.isin(i, k); jnp.isin(x, jnp.array([1.])); jnp.isin(y, 1.5, invert=True); jnp.union1d(i, jnp.array([7, 1])); jnp.union1d(i, i, size=5)
jnp.setdiff1d(i, jnp.array([1])); jnp.intersect1d(jnp.array([3, 1, 1, 2]), jnp.array([1, 3]), return_indices=True)
jnp.setxor1d(i, jnp.array([1, 7])); jnp.intersect1d(i, jnp.array([1, 2]), size=4); jnp.setxor1d(i, jnp.array([1, 7]), size=5)
jnp.gcd(i, 6); jnp.gcd(i8, u); jnp.lcm(i + 2, 4); jnp.gcd(-12, 18)
""",
    "polynomials": """
jnp.polyval(i, i); jnp.polyval(f, 2); jnp.polyval(jnp.ones((2, 3)), f); jnp.polyadd(i, k[0, :2]); jnp.polysub(i, f); jnp.polymul(i, i)
jnp.polymul(f, jnp.array([])); jnp.polymul(i, i, trim_leading_zeros=True); jnp.polydiv(f, k[0, :2] + 1.); jnp.polydiv(f[:2], f)
jnp.polydiv(i, jnp.array([1, 1]), trim_leading_zeros=True); jnp.polyder(i); jnp.polyder(f, 2); jnp.polyder(f, 5); jnp.polyint(b)
jnp.polyint(f, 2, k=3); jnp.polyint(f, 2, k=jnp.array([3, 4])); jnp.poly(i); jnp.poly(jnp.eye(2)); jnp.poly(jnp.array([]))
jnp.roots(jnp.array([0., 0., 1., 2., 0.])); jnp.roots(jnp.array([0., 0., 1., 2., 0.]), strip_zeros=False); jnp.vander(i)
jnp.vander(f, 2, True); jnp.polyfit(f, f, 1, full=True)[2]; jnp.polyfit(t, t**2, 1); jnp.polyfit(t, t**2, 1, w=t + 1)
jnp.polyfit(t, t**2, 1, cov="unscaled")[1]; jnp.polyfit(t, jnp.stack([t**2, t**3], 1), 1, cov=True)[0]
""",
    "samples": """
jnp.interp(2.5, f, f); jnp.interp(i, i, i); jnp.interp(s, f, f, left=-1, right=-2); jnp.interp(s, f, f, left="extrapolate", right=3)
jnp.interp(s, f, f, period=3); jnp.interp(s, jnp.array([1., 1., 2.]), f); jnp.interp(s, f, c); jnp.gradient(i); jnp.gradient(g)
jnp.gradient(i, 2); jnp.gradient(f, f); jnp.gradient(g, 2., 3.); jnp.gradient(g, axis=(0,)); jnp.gradient(2.); jnp.gradient(h, 2)
jnp.trapezoid(i); jnp.trapezoid(f, f); jnp.trapezoid(g, jnp.arange(2.), axis=0); jnp.trapezoid(i, dx=2); jnp.unwrap(f*3)
jnp.unwrap(i*3, period=5); jnp.unwrap(u); jnp.convolve(i, f, "same"); jnp.convolve(f, t, "valid"); jnp.convolve(h, bf)
jnp.correlate(f, t); jnp.correlate(f, c, "full"); jnp.correlate(t, f, "same"); jnp.cov(f); jnp.cov(g); jnp.cov(c); jnp.cov(f, i, bias=True)
jnp.cov(f, fweights=i + 1, aweights=f); jnp.cov(f, aweights=f, ddof=0); jnp.cov(h); jnp.cov(f, dtype="float16"); jnp.corrcoef(g**2)
jnp.corrcoef(c, c*c); jnp.cov(g, rowvar=False); jnp.histogram(s); jnp.histogram(s, 3, (0, 8), t, True); jnp.histogram(b, 2)
jnp.histogram(s, jnp.array([0., 1., 5., 9.])); jnp.histogram(jnp.ones(3), 3); jnp.histogram(h, 3); jnp.histogram(s, 0)
jnp.histogram_bin_edges(s, 3, range=jnp.array([0, 1])); jnp.histogram2d(s, t, [2, 3]); jnp.histogram2d(s, t, 2, weights=t, density=True)
jnp.histogram2d(s, t, [jnp.array([0., 5., 10.]), 3], range=[None, (0, 5)]); jnp.histogramdd(jnp.stack([s, t], 1), 2)
""",
    "grids": """
jnp.mgrid[0:3]; jnp.mgrid[0:3:2., 0:2]; jnp.mgrid[0:1:3j]; jnp.mgrid[:3]; jnp.mgrid[()]; jnp.ogrid[0:3, 0:1:3j]; jnp.ogrid[()]
jnp.r_[1, 2, 3]; jnp.r_[1, f, 0:3]; jnp.r_["0,2", [1, 2], [3, 4]]; jnp.r_["1,2,0", [1, 2], [3, 4]]; jnp.r_["r", [1, 2], [3, 4]]
jnp.r_["c", 1, 2]; jnp.r_["0,3,1", f, f]; jnp.r_[True]; jnp.r_["0,2", 1, 2]; jnp.c_[f, f]; jnp.c_[1, 2]; jnp.c_[0:3]; jnp.s_[1:2, ...]
jnp.index_exp[1:2]; jnp.ix_(i, f); jnp.packbits(b); jnp.packbits(m, 0, "little"); jnp.unpackbits(u, count=-3)
jnp.unpackbits(u[None], 0, 9, "little"); jnp.unravel_index(jnp.array([9, -1, -9]), (2, 2)); jnp.unravel_index(3, 4)
jnp.ravel_multi_index((i, i), (2, 2), mode="clip"); jnp.ravel_multi_index((i, 2), (4, 4), order="F"); jnp.ravel_multi_index((), ())
jnp.ravel_multi_index((i, i), (4, 4), dtype="int8"); jnp.blackman(5); jnp.hamming(1); jnp.kaiser(5, 2); jnp.kaiser(4, 14.); jnp.i0(f)
jnp.i0(2); jnp.logspace(0, 2, 3, base=jnp.array([2, 3, 4])); jnp.logspace(i, f[0], 3, axis=-1); jnp.logspace(0, 2, 3, dtype=int)
jnp.geomspace(-1, -8, 4); jnp.geomspace(f, f*8, 3, axis=1); jnp.geomspace(1j, 8, 4); jnp.geomspace(1, -8, 4)
jnp.apply_along_axis(lambda v: jnp.stack([v, v]), 1, g); jnp.apply_over_axes(jnp.sum, g, (0, 1)); jnp.frombuffer(bytes(8), "uint8", 2, 1)
jnp.fromfunction(lambda a, b: a + b, (2, 3), dtype=int); jnp.fromfunction(lambda a, b: (a, b), (2, 3)); jnp.fromstring("1,2", sep=",")
jnp.array_str(f); jnp.iterable(f), jnp.iterable(3)
""",
    "ufuncs": """
jnp.add.reduce(i8); jnp.add.reduce(m, axis=(0, 1)); jnp.add.reduce(g, 1, where=p, initial=1); jnp.add.reduce(g, 1, dtype="int32")
jnp.maximum.reduce(g, 1, where=p, initial=0); jnp.logical_and.reduce(m); jnp.logical_xor.reduce(m, 1); jnp.bitwise_or.reduce(i8)
jnp.bitwise_xor.reduce(m, None, keepdims=True); jnp.subtract.reduce(g, None); jnp.subtract.reduce(g, 1, initial=3, where=p)
jnp.logaddexp.reduce(m, 1); jnp.logaddexp.reduce(g[:0], 0); uf.reduce(m, 1); ui.reduce(m[:0]); ui.reduce(m, 1, where=p)
uf.reduce(m, 1, initial=2, keepdims=True); u2(m); uf.outer(i, f); jnp.add.accumulate(i8); jnp.maximum.accumulate(m, 1)
jnp.subtract.accumulate(g, 1); uf.accumulate(m, 1); jnp.add.at(g, 0, 1., inplace=False); jnp.negative.at(g, k[0], inplace=False)
jnp.maximum.at(g, jnp.array([0, 0, 1]), 2, inplace=False); uf.at(g, jnp.array([0, 0, 1]), 2, inplace=False)
uf.at(m, jnp.array([0, 9, -1]), 2, inplace=False); jnp.add.reduceat(g, jnp.array([0, 1]), axis=1); jnp.add.outer(m, f); jnp.add.nin
uf.reduceat(jnp.arange(8), jnp.array([0, 4, 1, 5, 2, 6, 3, 7])); repr(jnp.add); jnp.add.identity, jnp.maximum.identity
jnp.vectorize(lambda a, b: a + b)(m, f); jnp.vectorize(lambda a, b: a @ b, signature="(n,m),(m)->(n)")(z.mT + f, z[:, 0] + 1)
jnp.vectorize(lambda a: (a.sum(), a), signature="(n)->(),(n)")(m); jnp.vectorize(lambda a, b: a + b, excluded={1})(m, 2)
jnp.vectorize(lambda a, b: a if b is None else a + b)(m, None); jnp.vectorize(lambda a: a[None])(m)
""",
    "fourier": """
jnp.fft.fft(f, 5); jnp.fft.fft(i); jnp.fft.fft(g, axis=0, norm="ortho"); jnp.fft.ifft(c, norm="forward"); jnp.fft.rfft(f, 6)
jnp.fft.irfft(c); jnp.fft.irfft(f, 7, norm="forward"); jnp.fft.hfft(c, 5, norm="ortho"); jnp.fft.ihfft(f, norm="forward")
jnp.fft.fft2(g, (3, 2)); jnp.fft.rfft2(g, axes=(1, 0)); jnp.fft.irfft2(g, (2, 3), axes=(1, 0)); jnp.fft.fftn(g, (4,), axes=(0,))
jnp.fft.fftn(2.); jnp.fft.rfftn(jnp.arange(48.).reshape(2, 2, 2, 2, 3), axes=(4, 0, 1, 3)); jnp.fft.fft(e)
jnp.fft.irfftn(jnp.arange(48.).reshape(2, 2, 2, 2, 3)); jnp.fft.fftfreq(5, 2.); jnp.fft.fftfreq(5, f[:1])
jnp.fft.fftfreq(4, dtype="float16"); jnp.fft.rfftfreq(5, 2); jnp.fft.fftshift(m); jnp.fft.fftshift(m, 0); jnp.fft.ifftshift(f)
""",
    "errors": """
x+jnp.ones((2, 2)); x+jnp.ones(2); jnp.sum([1, 2]); jnp.sum(None); jnp.sum(x, axis=5); jnp.sum(x, axis=(0, 0)); jnp.sum(x, axis=1.)
jnp.sum(x, where=x); jnp.max(x, where=x > 0); jnp.max(e); jnp.max(e, 0); jnp.sum(x, out=3); jnp.argmax(e); jnp.argmax(x, axis=(0, 1))
jnp.argmax(x, axis=7); jnp.reshape(x, (5, -1)); jnp.reshape(x, (5, 2)); jnp.reshape(x, (-1, -1)); jnp.reshape(x, (2., 3))
jnp.reshape(x, "ab"); x.reshape(); jnp.transpose(x, (0, 0)); jnp.transpose(x, (0,)); jnp.transpose(x, (0, 5)); jnp.squeeze(x, 0)
jnp.squeeze(x, 7); jnp.expand_dims(x, 7); jnp.expand_dims(x, (0, 0)); jnp.concatenate([]); jnp.concatenate([x, y])
jnp.concatenate([x, q]); jnp.concatenate([1., 2.]); jnp.concatenate(3); jnp.concatenate([x, x], axis=3); jnp.concatenate([[1], [3]])
jnp.stack([]); jnp.stack([x, y]); jnp.stack([x, x], axis=5); jnp.vstack([[1, 2], [3, 4]]); jnp.matmul(x, x); jnp.matmul(x, 2.)
jnp.dot(x, x); jnp.inner(x, q); jnp.vdot(x, y); jnp.tensordot(x, y, 2); jnp.einsum("ij,jk->ik", x, x); jnp.einsum("ij->k", x)
jnp.einsum("ijk->k", x); jnp.einsum("ij,j", x); jnp.split(x, 4, 1); jnp.broadcast_to(x, (3,)); jnp.broadcast_to(x, (2, 4, 2))
jnp.broadcast_arrays(x, q); jnp.broadcast_shapes((2, 3), (4,)); jnp.swapaxes(x, 0, 5); jnp.moveaxis(x, 0, 5); jnp.moveaxis(x, (0, 1), (0,))
jnp.zeros(-1); jnp.zeros(2.); jnp.zeros((2, "a")); jnp.zeros(3, dtype="foo"); jnp.array([1, [2, 3]]); jnp.array("abc"); jnp.array(None)
jnp.array([1., None]); jnp.array(object()); jnp.array(["a"]); jnp.array([x, y]); jnp.array({1, 2}); jnp.array(2**40)
jnp.array([2**31]); jnp.array(300, dtype="uint8"); jnp.array([300], dtype="uint8"); jnp.asarray(1j, dtype=float); jnp.array(3, order="F")
jnp.full((2, 2), [1, 2]); jnp.zeros_like([1, 2]); jnp.arange(True); jnp.arange(1j); jnp.arange(None); jnp.arange(0, 3, 0)
jnp.arange(jnp.ones(2)); jnp.linspace(0, 1, -1); jnp.linspace(0, 1, 2.5); jnp.eye(-1); jnp.eye(2.5); jnp.tril(y); jnp.diag(3); jnp.diag(z)
jnp.meshgrid(y, y, indexing="zz"); jnp.size(x, 5); jnp.can_cast(3, "int8"); jnp.foo; jnp.var(x, ddof=1, correction=1)
jnp.average(x, weights=y); jnp.average(x, weights=jnp.ones(2), axis=1); jnp.cumprod(x, axis=5); jnp.cumulative_sum(x)
jnp.quantile(x, .5, method="foo"); jnp.argsort(x, kind="quicksort"); jnp.searchsorted(i, 1, side="foo"); jnp.bincount(y); jnp.nonzero(w)
jnp.where(x > 0, x); jnp.take(x, 1.5); jnp.take(x, 1, mode="foo"); jnp.take_along_axis(x, i, axis=1); jnp.take_along_axis(x, 1., axis=0)
jnp.choose(jnp.array([0, 5]), [i, i]); jnp.select([x > 0], [x, x]); jnp.select([], []); jnp.clip(x, min=1j); jnp.repeat(x, i, axis=0)
jnp.repeat(x, 2.5); jnp.repeat(x, -1); jnp.roll(x, (1, 2, 3), (0, 1)); jnp.pad(x, ((1, 2), (3, 4), (1, 1))); jnp.pad(x, -1)
jnp.pad(x, 1.5); jnp.pad(x, 1, "foo"); jnp.pad(x, 1, "edge", constant_values=3); jnp.delete(x, [0, 1]); jnp.delete(x, 5, axis=0)
jnp.resize(x, -1); jnp.cross(jnp.ones(4), y); jnp.vecdot(x, jnp.ones(4)); i**-1; i**jnp.array(-1); i+2**40; jnp.ones(3)+None
y+[1, 2, 3]; y+"a"; y==[1, 2, 3]; y<None; y%2j; y//2j; ~y; y&1; y<<1; -b; b-b; jnp.exp("a"); jnp.exp(None); jnp.exp([1])
jnp.maximum([1], 2); jnp.where([True], 1, 2); x.flat; bool(x); float(x); len(w); x.T.reshape(4)
jnp.polyval(2, f); jnp.polyadd(b, b); jnp.polyadd(i, 2); jnp.polyder(f, -1); jnp.polyint(f, 2, k=f); jnp.poly(g); jnp.roots(g)
jnp.vander(b); jnp.vander(f, -1); jnp.polyfit(f, t, 1); jnp.polyfit(g, f, 1); jnp.polyfit(t, t, -1); jnp.interp(f, f, t)
jnp.interp(f, f, f, left="foo"); jnp.interp(f, f, f, period=f); jnp.interp(f, f[:0], f[:0]); jnp.gradient(f, edge_order=2)
jnp.gradient(f[:1]); jnp.gradient(g, 1., 2., 3.); jnp.gradient(f, g); jnp.trapezoid(f, t); jnp.unwrap(c); jnp.convolve(f, f, "foo")
jnp.convolve(f, f[:0]); jnp.correlate(g, f); jnp.cov(z); jnp.cov(f, t); jnp.cov(f, fweights=f); jnp.cov(f, aweights=t)
jnp.cov(f, dtype=int); jnp.histogram(s, "auto"); jnp.histogram(s, 2.5); jnp.histogram(s, [1, 2])
jnp.histogram(s, 2, weights=f); jnp.histogram(s[:0], 2); jnp.histogramdd(s); jnp.histogram2d(s, f); jnp.mgrid[1]; jnp.r_["foo", f]
jnp.r_[f, "r"]; jnp.ix_(g); jnp.packbits(f); jnp.packbits(b, bitorder="x"); jnp.unpackbits(i); jnp.kaiser(-1, 2)
jnp.ravel_multi_index((i, i), (2, 2)); jnp.ravel_multi_index((f, f), (9, 9)); jnp.ravel_multi_index((i, i), (4, 4), mode="foo")
jnp.apply_along_axis(jnp.sum, 5, g); jnp.apply_over_axes(lambda v, a: v[None], g, (0,)); jnp.frombuffer(bytes(3), "int16")
jnp.fromfile("x"); jnp.fromiter([1], int); jnp.add.reduce(g, 5); jnp.add.reduce(g, out=3); jnp.maximum.reduce(g, where=p)
jnp.subtract.reduce(g[:0]); jnp.subtract.reduce(g, (0, 1)); jnp.negative.reduce(g); uf.reduce(2.); uf.accumulate(m, None); uf(m)
uf([1], 2); jnp.add.at(g, 0, 1.); uf.reduceat(t, f); uf.reduceat(t, 2); jnp.add(m, m, out=3)
jnp.vectorize(lambda a, b: a @ b, signature="(n),(n)->()")(m, t); jnp.vectorize(lambda a: a, signature="foo")(m); jnp.fft.rfft(c)
jnp.vectorize(lambda a: a, signature="(n)->()")(m); jnp.vectorize(lambda a: a, signature="(n)->(n),(n)")(m); jnp.fft.fft(f, axis=3)
jnp.vectorize(lambda a: a, excluded={2.5}); jnp.vectorize(lambda a, b: a + b)(m, jnp.ones(4)); jnp.fft.fft(f, norm="foo")
jnp.fft.fft(f, n=0); jnp.fft.fft2(f); jnp.fft.fft2(g, axes=(0, 0)); jnp.fft.fftn(g, (4, 4), axes=(0,)); jnp.fft.fftfreq([2])
""",
}
