"""The MLIR dialects that lowering rules are written with: `jax.extend.mlir.dialects`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(
    __name__, names=dict.fromkeys(("arith", "builtin", "chlo", "func", "math", "scf", "stablehlo"), "perspicax.binding.mlir"),
    absent=("memref", "mpmd", "sdy", "sparse_tensor", "vector"))

__all__ = ["arith", "builtin", "chlo", "func", "math", "scf", "stablehlo"]
