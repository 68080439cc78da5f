"""`jax.numpy`: NumPy's functions on arrays that are traced, differentiated and compiled."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.numpy import install as _install  # arrays get their operators and methods
from perspicax.numpy.arithmetic import (
    right_shift as bitwise_right_shift, divmod, float_power, floor_divide, fmod, mod, pow, power, reciprocal,
    remainder, right_shift,
)
from perspicax.numpy.construct import (
    array, asarray,
)
from perspicax.numpy.contraction import (
    einsum, einsum_path,
)
from perspicax.numpy.creation import (
    arange, empty, empty_like, eye, full, full_like, identity, indices, linspace, meshgrid, ones, ones_like, tri,
    tril, triu, zeros, zeros_like,
)
from perspicax.numpy.cumulative import (
    cumprod, cumsum, cumulative_prod, cumulative_sum, diff, ediff1d, nancumprod, nancumsum,
)
from perspicax.numpy.diagonals import (
    diag, diag_indices, diag_indices_from, diagflat, diagonal, fill_diagonal, mask_indices, trace, tril_indices,
    tril_indices_from, triu_indices, triu_indices_from,
)
from perspicax.numpy.joining import (
    append, array_split, block, column_stack, concatenate as concat, concatenate, dsplit, dstack, hsplit, hstack,
    split, stack, unstack, vsplit, vstack,
)
from perspicax.numpy.logic import (
    allclose, array_equal, array_equiv, isclose, iscomplex, isfinite, isinf, isnan, isneginf, isposinf, isreal,
    logical_and, logical_not, logical_or, logical_xor,
)
from perspicax.numpy.methods import (
    astype, copy,
)
from perspicax.numpy.nan_reductions import (
    nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar,
)
from perspicax.numpy.operators import (
    absolute as abs, absolute, arccos as acos, arccosh as acosh, add, arccos, arccosh, arcsin, arcsinh, arctan,
    arctan2, arctanh, arcsin as asin, arcsinh as asinh, arctan as atan, arctan2 as atan2, arctanh as atanh,
    bitwise_and, bitwise_not as bitwise_invert, left_shift as bitwise_left_shift, bitwise_not, bitwise_or,
    bitwise_xor, cbrt, cos, cosh, divide, equal, exp, exp2, expm1, greater, greater_equal, invert, left_shift,
    less, less_equal, log, log1p, maximum, minimum, multiply, negative, not_equal, positive, sin, sinh, sqrt,
    square, subtract, tan, tanh, true_divide,
)
from perspicax.numpy.padding import (
    pad,
)
from perspicax.numpy.products import (
    cross, dot, inner, kron, matmul, matvec, outer, tensordot, vdot, vecdot, vecmat,
)
from perspicax.numpy.quantiles import (
    median, nanmedian, nanpercentile, nanquantile, percentile, quantile,
)
from perspicax.numpy.reductions import (
    all, max as amax, min as amin, any, average, count_nonzero, max, mean, min, prod, ptp, std, sum, var,
)
from perspicax.numpy.repeating import (
    delete, insert, repeat, resize, roll, tile, trim_zeros,
)
from perspicax.numpy.rounding import (
    around, ceil, copysign, floor, frexp, ldexp, modf, rint, round, signbit, trunc,
)
from perspicax.numpy.scalar_types import (
    ComplexWarning, bfloat16, bool, bool_, can_cast, cdouble, character, complex128, complex64, complex_,
    complexfloating, csingle, double, dtype, e, euler_gamma, finfo, flexible, float16, float32, float4_e2m1fn,
    float64, float6_e2m3fn, float6_e3m2fn, float8_e3m4, float8_e4m3, float8_e4m3b11fnuz, float8_e4m3fn,
    float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu, float_, floating, generic, iinfo, inexact, inf,
    int1, int16, int2, int32, int4, int64, int8, int_, integer, iscomplexobj, isdtype, isrealobj, isscalar,
    issubdtype, nan, ndarray, newaxis, number, object_, pi, promote_types, result_type, signedinteger, single,
    uint, uint1, uint16, uint2, uint32, uint4, uint64, uint8, unsignedinteger,
)
from perspicax.numpy.search import (
    argmax, argmin, argpartition, argsort, argwhere, bincount, digitize, flatnonzero, lexsort, nanargmax,
    nanargmin, nonzero, partition, searchsorted, sort, sort_complex, where,
)
from perspicax.numpy.selection import (
    choose, clip, compress, extract, piecewise, place, put, put_along_axis, select, take, take_along_axis,
)
from perspicax.numpy.shapes import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_shapes, broadcast_to, expand_dims, flip,
    fliplr, flipud, matrix_transpose, moveaxis, ndim, transpose as permute_dims, ravel, reshape, rollaxis, rot90,
    shape, size, squeeze, swapaxes, transpose,
)
from perspicax.numpy.ufuncs import (
    angle, bitwise_count, conjugate as conj, conjugate, deg2rad, rad2deg as degrees, fabs, fmax, fmin, heaviside,
    hypot, imag, log10, log2, logaddexp, logaddexp2, nan_to_num, nextafter, rad2deg, deg2rad as radians, real,
    sign, sinc, spacing,
)

__getattr__, __dir__ = _on_demand(__name__, modules=("fft", "linalg"), absent=(
    "apply_along_axis", "apply_over_axes", "array_repr", "array_str", "bartlett", "blackman", "c_", "convolve",
    "corrcoef", "correlate", "cov", "from_dlpack", "frombuffer", "fromfile", "fromfunction", "fromiter",
    "frompyfunc", "fromstring", "gcd", "geomspace", "get_printoptions", "gradient", "hamming", "hanning",
    "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "i0", "index_exp", "interp", "intersect1d",
    "isin", "iterable", "ix_", "kaiser", "lcm", "load", "logspace", "mgrid", "ogrid", "packbits", "poly",
    "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval", "printoptions", "r_",
    "ravel_multi_index", "roots", "s_", "save", "savez", "set_printoptions", "setdiff1d", "setxor1d", "trapezoid",
    "ufunc", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "unpackbits",
    "unravel_index", "unwrap", "vander", "vectorize",
))

__all__ = [
    "ComplexWarning", "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle",
    "any", "append", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax",
    "argmin", "argpartition", "argsort", "argwhere", "around", "array", "array_equal", "array_equiv",
    "array_split", "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "average", "bfloat16", "bincount", "bitwise_and", "bitwise_count", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "block", "bool",
    "bool_", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast", "cbrt", "cdouble", "ceil",
    "character", "choose", "clip", "column_stack", "complex128", "complex64", "complex_", "complexfloating",
    "compress", "concat", "concatenate", "conj", "conjugate", "copy", "copysign", "cos", "cosh", "count_nonzero",
    "cross", "csingle", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "delete",
    "diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal", "diff", "digitize", "divide", "divmod",
    "dot", "double", "dsplit", "dstack", "dtype", "e", "ediff1d", "einsum", "einsum_path", "empty", "empty_like",
    "equal", "euler_gamma", "exp", "exp2", "expand_dims", "expm1", "extract", "eye", "fabs", "fill_diagonal",
    "finfo", "flatnonzero", "flexible", "flip", "fliplr", "flipud", "float16", "float32", "float4_e2m1fn",
    "float64", "float6_e2m3fn", "float6_e3m2fn", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float_",
    "float_power", "floating", "floor", "floor_divide", "fmax", "fmin", "fmod", "frexp", "full", "full_like",
    "generic", "greater", "greater_equal", "heaviside", "hsplit", "hstack", "hypot", "identity", "iinfo", "imag",
    "indices", "inexact", "inf", "inner", "insert", "int1", "int16", "int2", "int32", "int4", "int64", "int8",
    "int_", "integer", "invert", "isclose", "iscomplex", "iscomplexobj", "isdtype", "isfinite", "isinf", "isnan",
    "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "issubdtype", "kron", "ldexp", "left_shift",
    "less", "less_equal", "lexsort", "linspace", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2",
    "logical_and", "logical_not", "logical_or", "logical_xor", "mask_indices", "matmul", "matrix_transpose",
    "matvec", "max", "maximum", "mean", "median", "meshgrid", "min", "minimum", "mod", "modf", "moveaxis",
    "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean",
    "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "ndarray",
    "ndim", "negative", "newaxis", "nextafter", "nonzero", "not_equal", "number", "object_", "ones", "ones_like",
    "outer", "pad", "partition", "percentile", "permute_dims", "pi", "piecewise", "place", "positive", "pow",
    "power", "prod", "promote_types", "ptp", "put", "put_along_axis", "quantile", "rad2deg", "radians", "ravel",
    "real", "reciprocal", "remainder", "repeat", "reshape", "resize", "result_type", "right_shift", "rint",
    "roll", "rollaxis", "rot90", "round", "searchsorted", "select", "shape", "sign", "signbit", "signedinteger",
    "sin", "sinc", "single", "sinh", "size", "sort", "sort_complex", "spacing", "split", "sqrt", "square",
    "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh",
    "tensordot", "tile", "trace", "transpose", "tri", "tril", "tril_indices", "tril_indices_from", "trim_zeros",
    "triu", "triu_indices", "triu_indices_from", "true_divide", "trunc", "uint", "uint1", "uint16", "uint2",
    "uint32", "uint4", "uint64", "uint8", "unsignedinteger", "unstack", "var", "vdot", "vecdot", "vecmat",
    "vsplit", "vstack", "where", "zeros", "zeros_like",
]
