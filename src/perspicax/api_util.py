"""Arguments of transformed functions: `jax.api_util`."""
from perspicax.api.argument_tools import argnums_partial as argnums_partial
from perspicax.api.argument_tools import debug_info as debug_info
from perspicax.api.argument_tools import donation_vector as donation_vector
from perspicax.api.argument_tools import flatten_axes as flatten_axes
from perspicax.api.argument_tools import flatten_fun as flatten_fun
from perspicax.api.argument_tools import flatten_fun_nokwargs as flatten_fun_nokwargs
from perspicax.api.argument_tools import rebase_donate_argnums as rebase_donate_argnums
from perspicax.api.argument_tools import safe_map as safe_map
from perspicax.api.argument_tools import shaped_abstractify as shaped_abstractify

__all__ = [
    "argnums_partial", "debug_info", "donation_vector", "flatten_axes", "flatten_fun", "flatten_fun_nokwargs",
    "rebase_donate_argnums", "safe_map", "shaped_abstractify",
]
