"""`jax.experimental.multihost_utils`: what processes tell each other."""
from perspicax.api.live_devices import live_devices as live_devices
from perspicax.api.multihost import assert_equal as assert_equal
from perspicax.api.multihost import broadcast_one_to_all as broadcast_one_to_all
from perspicax.api.multihost import global_array_to_host_local_array as global_array_to_host_local_array
from perspicax.api.multihost import host_local_array_to_global_array as host_local_array_to_global_array
from perspicax.api.multihost import process_allgather as process_allgather
from perspicax.api.multihost import reached_preemption_sync_point as reached_preemption_sync_point
from perspicax.api.multihost import sync_global_devices as sync_global_devices
from perspicax.api.process_errors import ProcessFailureError as ProcessFailureError
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, absent=(
    "global_array_to_host_local_array_p", "host_local_array_to_global_array_p"))

__all__ = [
    "ProcessFailureError", "assert_equal", "broadcast_one_to_all", "global_array_to_host_local_array",
    "host_local_array_to_global_array", "live_devices", "process_allgather", "reached_preemption_sync_point",
    "sync_global_devices",
]
