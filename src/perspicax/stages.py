"""The steps from a function to a program, one by one: `jax.stages`."""
from perspicax.transform.jit import ArgInfo as ArgInfo
from perspicax.transform.jit import CompiledStage as Compiled
from perspicax.transform.jit import JitFunction as Wrapped
from perspicax.transform.jit import LoweredStage as Lowered
from perspicax.transform.jit import TracedStage as Traced

__all__ = ["ArgInfo", "Compiled", "Lowered", "Traced", "Wrapped"]
