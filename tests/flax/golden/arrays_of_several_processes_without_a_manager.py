from perspicax.flax import errors

raise errors.MPACheckpointingRequiredError("run/checkpoint_10", 10)
