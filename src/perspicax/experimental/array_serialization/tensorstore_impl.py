"""`jax.experimental.array_serialization.tensorstore_impl`: single arrays on disk."""
from perspicax.api.array_files import async_deserialize as async_deserialize
from perspicax.api.array_files import async_serialize as async_serialize
from perspicax.api.array_files import run_deserialization as run_deserialization
from perspicax.api.array_files import run_serialization as run_serialization
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, absent=(
    "combine_kvstores", "estimate_read_memory_footprint", "get_tensorstore_spec", "is_tensorstore_spec_leaf",
    "merge_nested_ts_specs", "verify_tensorstore_spec"))

__all__ = ["async_deserialize", "async_serialize", "run_deserialization", "run_serialization"]
