"""`jax.experimental.array_serialization.serialization`: arrays on disk, which all processes write together."""
from perspicax.api.array_file_manager import AsyncManager as AsyncManager
from perspicax.api.array_file_manager import GlobalAsyncCheckpointManager as GlobalAsyncCheckpointManager
from perspicax.api.array_file_manager import GlobalAsyncCheckpointManagerBase as GlobalAsyncCheckpointManagerBase
from perspicax.api.array_files import async_deserialize as async_deserialize
from perspicax.api.array_files import async_serialize as async_serialize
from perspicax.api.array_files import get_tensorstore_spec as get_tensorstore_spec
from perspicax.api.array_files import is_remote_storage as is_remote_storage
from perspicax.api.array_files import run_deserialization as run_deserialization
from perspicax.api.array_files import run_serialization as run_serialization
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.xla.processes.errors import ProcessesMissingError as BarrierTimeoutError

__getattr__, __dir__ = _on_demand(__name__, names={"TS_CONTEXT": "perspicax.api.array_file_context"})

__all__ = [
    "AsyncManager", "BarrierTimeoutError", "GlobalAsyncCheckpointManager", "GlobalAsyncCheckpointManagerBase",
    "async_deserialize", "async_serialize", "get_tensorstore_spec", "is_remote_storage", "run_deserialization",
    "run_serialization",
]
