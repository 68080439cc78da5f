"""Stands for `jax._src.interpreters.pxla`: Flax looks up in it how buffers become arrays."""
from __future__ import annotations

from typing import Any

from perspicax.compat.stand_ins.unmade import unmade_function
from perspicax.core.avals import ShapedArray

__all__ = ["global_result_handlers", "local_result_handlers"]

global_result_handlers: dict[type, Any] = {ShapedArray: unmade_function("jax._src.interpreters.pxla.global_result_handlers")}
local_result_handlers: dict[type, Any] = {ShapedArray: unmade_function("jax._src.interpreters.pxla.local_result_handlers")}
