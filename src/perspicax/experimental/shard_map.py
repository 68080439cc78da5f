"""`jax.experimental.shard_map`: `shard_map` with its earlier parameters."""
from perspicax.api.shard_map import shard_map_with_check_rep as shard_map

__all__ = ["shard_map"]
