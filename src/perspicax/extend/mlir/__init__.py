"""The MLIR bindings that jaxlib ships: `jax.extend.mlir`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(
    __name__, modules=("dialects",), names={"ir": "perspicax.binding.mlir"},
    absent=("deserialize_portable_artifact", "hlo_to_stablehlo", "refine_polymorphic_shapes",
            "serialize_portable_artifact"))

__all__ = ["dialects", "ir"]
