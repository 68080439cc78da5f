from perspicax.flax import errors

raise errors.TraceContextError("The running mean of `Norm_0` was changed in another trace than the one that made it.")
