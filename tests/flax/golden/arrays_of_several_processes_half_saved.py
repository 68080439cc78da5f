from perspicax.flax import errors

raise errors.MPARestoreDataCorruptedError(10, "run/checkpoint_10")
