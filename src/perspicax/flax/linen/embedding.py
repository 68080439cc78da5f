"""Vectors for tokens."""
from __future__ import annotations

import perspicax.numpy as jnp
from perspicax.flax.linen import initializers
from perspicax.flax.linen.dtypes import PromoteDtypeFn, promote_dtype
from perspicax.flax.linen.layer_errors import LayerInputError, described, layer_at, parameter
from perspicax.flax.linen.module import Module
from perspicax.flax.typing import Array, Dtype, Initializer

__all__ = ["Embed"]

# Rows are what is drawn: the variance does not depend on how many of them there are.
_embedding_init = initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)


class Embed(Module):
    """A table of vectors, of which the input picks some by number.

    Attributes:
        num_embeddings: how many vectors there are.
        features: how long each is.
        dtype: the dtype of the result; by default that of the table.
        param_dtype: the dtype of the table.
        embedding_init: the initializer of the table.
        promote_dtype: brings the table, and a query, to the dtype of the computation.

    Parameters: `embedding`, of shape `[num_embeddings, features]`.
    """

    num_embeddings: int
    features: int
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    embedding_init: Initializer = _embedding_init
    promote_dtype: PromoteDtypeFn = promote_dtype

    def setup(self) -> None:
        """Declare the table."""
        self.embedding = parameter(self, "embedding", self.embedding_init, (self.num_embeddings, self.features),
                                   self.param_dtype, ("the field `num_embeddings`", "the field `features`"))

    def __call__(self, inputs: Array) -> Array:
        """Pick vectors.

        Args:
            inputs: integers of any shape `[...]`, each less than `num_embeddings`.

        Returns:
            An array `[..., features]`. A number that is too large gives NaNs; negative ones count from the end. A table of
            one vector gives that vector, whatever the number.

        Raises:
            LayerInputError: the inputs are not integers.
        """
        if not jnp.issubdtype(jnp.result_type(inputs), jnp.integer):
            raise LayerInputError(says=f"The inputs of {layer_at(self)} are {described(inputs)}; they must be integers.",
                                  why="an input is the number of a row of the table")
        (table,) = self.promote_dtype(self.embedding, dtype=self.dtype, inexact=False)
        if self.num_embeddings == 1:  # no gather is needed
            return jnp.broadcast_to(table[0], (*jnp.shape(inputs), self.features))
        return jnp.take(table, inputs, axis=0)

    def attend(self, query: Array) -> Array:
        """The products of a query with all vectors, as for logits that share the table with the inputs.

        Args:
            query: an array `[..., features]`.

        Returns:
            An array `[..., num_embeddings]`.
        """
        query, table = self.promote_dtype(query, self.embedding, dtype=self.dtype)
        return jnp.dot(query, table.T)
