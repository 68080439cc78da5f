"""Running a primitive by its own kernel: `jax.interpreters.xla`."""
from perspicax.api.user_primitives import apply_primitive as apply_primitive
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, names={
    "canonicalize_dtype_handlers": "perspicax.xla.dispatch:converters",
}, absent=("Backend",))

__all__ = ["apply_primitive"]
