"""`jax.experimental.custom_partitioning`: functions for which the user says what each device does."""
from perspicax.api.custom_partitioning import custom_partitioning as custom_partitioning
from perspicax.api.custom_partitioning import custom_partitioning_p as custom_partitioning_p
from perspicax.api.sharding_rules import BATCHING as BATCHING
from perspicax.api.sharding_rules import ArrayMapping as ArrayMapping
from perspicax.api.sharding_rules import CompoundFactor as CompoundFactor
from perspicax.api.sharding_rules import SdyShardingRule as SdyShardingRule

__all__ = ["BATCHING", "ArrayMapping", "CompoundFactor", "SdyShardingRule", "custom_partitioning", "custom_partitioning_p"]
