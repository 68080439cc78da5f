"""Which functions of NumPy, SciPy and `math` have a counterpart of the same name on the device."""
from __future__ import annotations

__all__ = ["counterpart"]

_NUMPY = frozenset("""
    abs absolute acos acosh add all allclose amax amin angle any append apply_along_axis apply_over_axes arange
    arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argpartition argsort argwhere around array
    array_equal array_equiv array_repr array_split array_str asarray asin asinh astype atan atan2 atanh atleast_1d
    atleast_2d atleast_3d average bartlett bincount bitwise_and bitwise_count bitwise_invert bitwise_left_shift
    bitwise_not bitwise_or bitwise_right_shift bitwise_xor blackman block broadcast_arrays broadcast_shapes
    broadcast_to can_cast cbrt ceil choose clip column_stack compress concat concatenate conj conjugate convolve
    copy copysign corrcoef correlate cos cosh count_nonzero cov cross cumprod cumsum cumulative_prod
    cumulative_sum deg2rad degrees delete diag diag_indices diag_indices_from diagflat diagonal diff digitize
    divide divmod dot dsplit dstack ediff1d einsum einsum_path empty empty_like equal exp exp2 expand_dims expm1
    extract eye fabs flatnonzero flip fliplr flipud float_power floor floor_divide fmax fmin fmod frexp
    from_dlpack fromfunction fromiter full full_like gcd geomspace gradient greater greater_equal hamming hanning
    heaviside histogram histogram2d histogram_bin_edges histogramdd hsplit hstack hypot i0 identity imag indices
    inner insert interp intersect1d invert isclose iscomplex iscomplexobj isdtype isfinite isin isinf isnan
    isneginf isposinf isreal isrealobj isscalar issubdtype ix_ kaiser kron lcm ldexp left_shift less less_equal
    lexsort linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
    logspace mask_indices matmul matrix_transpose matvec max maximum mean median meshgrid min minimum mod modf
    moveaxis multiply nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin
    nanpercentile nanprod nanquantile nanstd nansum nanvar ndim negative nextafter nonzero not_equal ones
    ones_like outer packbits pad partition percentile permute_dims piecewise poly polyadd polyder polydiv polyfit
    polyint polymul polysub polyval positive pow power prod promote_types ptp put_along_axis quantile rad2deg
    radians ravel ravel_multi_index real reciprocal remainder repeat reshape result_type right_shift rint roll
    rollaxis roots rot90 round searchsorted select setdiff1d setxor1d shape sign signbit sin sinc sinh size sort
    sort_complex spacing split sqrt square squeeze stack std subtract sum swapaxes take take_along_axis tan tanh
    tensordot tile trace transpose trapezoid tri tril tril_indices tril_indices_from trim_zeros triu triu_indices
    triu_indices_from true_divide trunc union1d unique unique_all unique_counts unique_inverse unique_values
    unpackbits unravel_index unstack unwrap vander var vdot vecdot vecmat vsplit vstack where zeros zeros_like
""".split())
_LINALG = frozenset("""
    cholesky cond cross det diagonal eig eigh eigvals eigvalsh inv lstsq matmul matrix_norm matrix_power
    matrix_rank matrix_transpose multi_dot norm outer pinv qr slogdet solve svd svdvals tensordot tensorinv
    tensorsolve trace vecdot vector_norm
""".split())
_FFT = frozenset("""
    fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftfreq
    rfftn
""".split())
_SPECIAL = frozenset("""
    bernoulli beta betainc betaln boxcox boxcox1p comb dawsn digamma entr erf erfc erfcx erfinv exp1 expi expit
    expn factorial fresnel gamma gammainc gammaincc gammaln gammasgn hyp1f1 hyp2f1 i0 i0e i1 i1e kl_div log_ndtr
    log_softmax loggamma logit logsumexp multigammaln ndtr ndtri owens_t poch polygamma rel_entr sici softmax
    spence sph_harm_y wofz xlog1py xlogy zeta
""".split())
_MATH = frozenset("""
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh degrees exp exp2 expm1 fabs floor fmod
    frexp gcd hypot isclose isfinite isinf isnan lcm ldexp log log10 log1p log2 modf nextafter pow prod radians
    remainder sin sinh sqrt tan tanh trunc
""".split())
_DTYPES = frozenset("""
    bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128
""".split())
_SCIPY_LINALG = frozenset("cholesky det eigh expm inv lu lu_factor lu_solve qr solve svd".split())
_MATH_RENAMED = {
    "erf": "jax.scipy.special.erf", "erfc": "jax.scipy.special.erfc", "gamma": "jax.scipy.special.gamma",
    "lgamma": "jax.scipy.special.gammaln", "fsum": "jax.numpy.sum",
}
_TABLES = {
    "numpy": (_NUMPY, "jax.numpy"), "numpy.linalg": (_LINALG, "jax.numpy.linalg"), "numpy.fft": (_FFT, "jax.numpy.fft"),
    "math": (_MATH, "jax.numpy"), "scipy.special": (_SPECIAL, "jax.scipy.special"),
    "scipy.linalg": (_SCIPY_LINALG, "jax.scipy.linalg"),
}


def counterpart(function: str) -> str | None:
    """The full name of the device function for a full name: "jax.numpy.sin" for "numpy.sin"; None if there is none."""
    module, _, name = function.rpartition(".")
    if module == "math" and name in _MATH_RENAMED:
        return _MATH_RENAMED[name]
    if module == "numpy" and name in _DTYPES:
        return f"jax.numpy.{name}"
    names, target = _TABLES.get(module, (frozenset(), ""))
    return f"{target}.{name}" if name in names else None
