"""Options of compilations for several devices: `jax.interpreters.pxla`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, absent=("create_compile_options",))

__all__ = []
