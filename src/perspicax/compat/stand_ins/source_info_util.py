"""Stands for `jax.extend.source_info_util`: Flax marks its own files by it."""
from perspicax.compat.stand_ins.traceback_util import register_exclusion as register_exclusion

__all__ = ["register_exclusion"]
