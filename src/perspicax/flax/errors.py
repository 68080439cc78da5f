"""The errors of Flax: `flax.errors`."""
from perspicax.flax.error_base import (
    FlaxError,
    TraceContextError,
)
from perspicax.flax.file_errors import (
    AlreadyExistsError,
    InvalidCheckpointError,
    MPACheckpointingRequiredError,
    MPARestoreDataCorruptedError,
    MPARestoreTargetRequiredError,
)
from perspicax.flax.module_errors import (
    ApplyModuleInvalidMethodError,
    AssignSubModuleError,
    CallCompactUnboundModuleError,
    CallSetupUnboundModuleError,
    CallShareScopeOnUnboundModuleError,
    CallUnbindOnUnboundModuleError,
    DescriptorAttributeError,
    IncorrectPostInitOverrideError,
    InvalidInstanceModuleError,
    MultipleMethodsCompactError,
    ReservedModuleAttributeError,
    SetAttributeFrozenModuleError,
    SetAttributeInModuleSetupError,
    TransformedMethodReturnValueError,
    TransformTargetError,
)
from perspicax.flax.scope_errors import (
    ApplyScopeInvalidVariablesStructureError,
    ApplyScopeInvalidVariablesTypeError,
    ImmutableVariableError,
    InvalidFilterError,
    InvalidRngError,
    InvalidScopeError,
    JaxTransformError,
    LazyInitError,
    ModifyScopeVariableError,
    NameInUseError,
    PartitioningUnspecifiedError,
    ScopeCollectionNotFound,
    ScopeParamNotFoundError,
    ScopeParamShapeError,
    ScopeVariableNotFoundError,
)
from perspicax.flax.tree_errors import (
    CursorFindError,
    TraverseTreeError,
)

__all__ = [
    "AlreadyExistsError", "ApplyModuleInvalidMethodError", "ApplyScopeInvalidVariablesStructureError",
    "ApplyScopeInvalidVariablesTypeError", "AssignSubModuleError", "CallCompactUnboundModuleError",
    "CallSetupUnboundModuleError", "CallShareScopeOnUnboundModuleError", "CallUnbindOnUnboundModuleError",
    "CursorFindError", "DescriptorAttributeError", "FlaxError", "ImmutableVariableError",
    "IncorrectPostInitOverrideError", "InvalidCheckpointError", "InvalidFilterError", "InvalidInstanceModuleError",
    "InvalidRngError", "InvalidScopeError", "JaxTransformError", "LazyInitError", "MPACheckpointingRequiredError",
    "MPARestoreDataCorruptedError", "MPARestoreTargetRequiredError", "ModifyScopeVariableError",
    "MultipleMethodsCompactError", "NameInUseError", "PartitioningUnspecifiedError", "ReservedModuleAttributeError",
    "ScopeCollectionNotFound", "ScopeParamNotFoundError", "ScopeParamShapeError", "ScopeVariableNotFoundError",
    "SetAttributeFrozenModuleError", "SetAttributeInModuleSetupError", "TraceContextError", "TransformTargetError",
    "TransformedMethodReturnValueError", "TraverseTreeError",
]

for _name in __all__:  # tracebacks and pickles name the public module
    globals()[_name].__module__ = __name__
del _name
