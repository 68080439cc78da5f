"""Dtypes: `jax.dtypes`."""
from ml_dtypes import bfloat16 as bfloat16

from perspicax.core.dtypes import canonicalize_dtype as canonicalize_dtype
from perspicax.core.dtypes import extended as extended
from perspicax.core.dtypes import finfo as finfo
from perspicax.core.dtypes import float0 as float0
from perspicax.core.dtypes import iinfo as iinfo
from perspicax.core.dtypes import issubdtype as issubdtype
from perspicax.core.dtypes import itemsize_bits as itemsize_bits
from perspicax.core.dtypes import prng_key as prng_key
from perspicax.core.dtypes import scalar_type_of as scalar_type_of
from perspicax.core.promotion import TypePromotionError as TypePromotionError
from perspicax.core.promotion import result_type as result_type

__all__ = [
    "TypePromotionError", "bfloat16", "canonicalize_dtype", "extended", "finfo", "float0", "iinfo", "issubdtype",
    "itemsize_bits", "prng_key", "result_type", "scalar_type_of",
]
