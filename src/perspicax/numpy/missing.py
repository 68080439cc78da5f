"""Names of JAX's interface that Perspicax does not have yet: using one raises a report that says so."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.boundary import trim
from perspicax.numpy.errors import NotYetError

NOT_YET = frozenset("""
all allclose amax amin angle any append apply_along_axis apply_over_axes argmax argmin argpartition argsort argwhere
around array_equal array_equiv array_repr array_split array_str astype atleast_1d atleast_2d atleast_3d average
bartlett bincount bitwise_count blackman block broadcast_arrays broadcast_shapes broadcast_to c_ ceil choose clip
column_stack compress concat concatenate conj conjugate convolve copy copysign corrcoef correlate count_nonzero cov
cross cumprod cumsum cumulative_prod cumulative_sum deg2rad degrees delete diag diag_indices diag_indices_from
diagflat diagonal diff digitize dot dsplit dstack ediff1d einsum einsum_path expand_dims extract fabs fft
fill_diagonal flatnonzero flip fliplr flipud floor fmax fmin frexp from_dlpack frombuffer fromfile fromfunction
fromiter frompyfunc fromstring gcd geomspace get_printoptions gradient hamming hanning heaviside histogram histogram2d
histogram_bin_edges histogramdd hsplit hstack hypot i0 imag index_exp inner insert interp intersect1d isclose
iscomplex isfinite isin isinf isnan isneginf isposinf isreal iterable ix_ kaiser kron lcm ldexp lexsort linalg load
log10 log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logspace mask_indices matmul
matrix_transpose matvec max mean median mgrid min modf moveaxis nan_to_num nanargmax nanargmin nancumprod nancumsum
nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar ndim nextafter nonzero ogrid
outer packbits pad partition percentile permute_dims piecewise place poly polyadd polyder polydiv polyfit polyint
polymul polysub polyval printoptions prod ptp put put_along_axis quantile r_ rad2deg radians ravel ravel_multi_index
real repeat reshape resize rint roll rollaxis roots rot90 round s_ save savez searchsorted select set_printoptions
setdiff1d setxor1d shape sign signbit sinc size sort sort_complex spacing split squeeze stack std sum swapaxes take
take_along_axis tensordot tile trace transpose trapezoid tril_indices tril_indices_from trim_zeros triu_indices
triu_indices_from trunc ufunc union1d unique unique_all unique_counts unique_inverse unique_values unpackbits
unravel_index unstack unwrap vander var vdot vecdot vecmat vectorize vsplit vstack where
""".split())


def __getattr__(name: str) -> Any:
    """What `jax.numpy` answers for a name that it does not define."""
    if name in NOT_YET:
        error: AttributeError = NotYetError(module="jax.numpy", attribute=name)
    else:
        error = AttributeError(f"module 'perspicax.numpy' has no attribute {name!r}", name=name)
    raise trim(error)
