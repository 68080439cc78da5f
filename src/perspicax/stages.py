"""The steps from a function to a program, one by one: `jax.stages`."""
from perspicax.transform.ahead import ArgInfo as ArgInfo
from perspicax.transform.ahead import CompiledStage as Compiled
from perspicax.transform.ahead import LoweredStage as Lowered
from perspicax.transform.ahead import TracedStage as Traced
from perspicax.transform.jit import JitFunction as Wrapped

__all__ = ["ArgInfo", "Compiled", "Lowered", "Traced", "Wrapped"]
