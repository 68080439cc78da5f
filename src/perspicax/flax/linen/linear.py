"""Layers that are linear in their inputs: `flax.linen.linear`."""
from perspicax.flax.linen.conv import Conv, ConvLocal, ConvTranspose, canonicalize_padding
from perspicax.flax.linen.dense import Dense, DenseGeneral, Einsum
from perspicax.flax.linen.dtypes import PromoteDtypeFn, promote_dtype
from perspicax.flax.linen.embedding import Embed

__all__ = ["Conv", "ConvLocal", "ConvTranspose", "Dense", "DenseGeneral", "Einsum", "Embed", "PromoteDtypeFn",
           "canonicalize_padding", "promote_dtype"]
