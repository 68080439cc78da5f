from perspicax.flax import errors

raise errors.MPARestoreTargetRequiredError("run/checkpoint_10", 10, "kernel")
