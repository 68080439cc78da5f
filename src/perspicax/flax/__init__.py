"""Flax Linen: `flax.X` is `perspicax.flax.X`."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.flax import core as core  # first: the modules below use its FrozenDict
from perspicax.flax import errors as errors
from perspicax.flax import ids as ids
from perspicax.flax import struct as struct
from perspicax.flax import traceback_util as traceback_util
from perspicax.flax import traverse_util as traverse_util
from perspicax.flax import typing as typing
from perspicax.flax.configurations import config as config

__version__ = "0.12.8"

__getattr__, __dir__ = _on_demand(__name__, modules=("configurations", "cursor", "io", "jax_utils", "linen", "metrics",
                                                     "serialization", "training"), absent=("nnx",))

__all__ = ["config", "core", "errors", "ids", "struct", "traceback_util", "traverse_util", "typing"]
