from perspicax.flax import errors

raise errors.ImmutableVariableError("The table of `Embed_0` is constant, and was to be set.")
