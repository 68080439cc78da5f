from perspicax.flax import errors

raise errors.TraverseTreeError(lambda path, value: value + 1, lambda path, value: value > 0)
