"""Functions as portable programs, kept as bytes, for sizes that are known later: `jax.export`."""
from perspicax.api.export_shapes import symbolic_args_specs as symbolic_args_specs
from perspicax.api.export_shapes import symbolic_shape as symbolic_shape
from perspicax.api.export_trees import register_namedtuple_serialization as register_namedtuple_serialization
from perspicax.api.export_trees import register_pytree_node_serialization as register_pytree_node_serialization
from perspicax.api.exported import DisabledSafetyCheck as DisabledSafetyCheck
from perspicax.api.exported import Exported as Exported
from perspicax.api.exporting import default_export_platform as default_export_platform
from perspicax.api.exporting import deserialize as deserialize
from perspicax.api.exporting import export as export
from perspicax.api.exporting import (
    maximum_supported_calling_convention_version as maximum_supported_calling_convention_version,
)
from perspicax.api.exporting import (
    minimum_supported_calling_convention_version as minimum_supported_calling_convention_version,
)
from perspicax.core.symbolic import is_symbolic_dim as is_symbolic_dim
from perspicax.core.symbolic_scope import SymbolicScope as SymbolicScope

__all__ = [
    "DisabledSafetyCheck", "Exported", "SymbolicScope", "default_export_platform", "deserialize", "export", "is_symbolic_dim",
    "maximum_supported_calling_convention_version", "minimum_supported_calling_convention_version",
    "register_namedtuple_serialization", "register_pytree_node_serialization", "symbolic_args_specs", "symbolic_shape",
]
