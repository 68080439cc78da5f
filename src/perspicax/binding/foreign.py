"""Foreign functions that programs call by name: handlers of XLA's foreign function interface (FFI)."""
from __future__ import annotations

import ctypes
import os
from typing import Any

import jaxlib
from jaxlib import _jax, xla_client

__all__ = ["capsule", "include_dir", "make_batch_partitionable", "register_target", "register_type"]

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


def capsule(address: int) -> Any:
    """A capsule around the address of a function."""
    return _new_capsule(address, None, None)


def register_target(name: str, handler: Any, platform: str, api_version: int, **options: Any) -> None:
    """Let programs for a platform (`cpu`, `CUDA`, `ROCM`) call a handler, or one for each stage, by name."""
    xla_client.register_custom_call_target(name, handler, platform=platform, api_version=api_version, **options)


def register_type(name: str, registration: Any, platform: str) -> None:
    """Register a type of the state that handlers keep."""
    xla_client.register_custom_type(name, registration, platform=platform)


def make_batch_partitionable(name: str) -> None:
    """Let XLA split calls of a target along leading axes."""
    _jax.register_custom_call_as_batch_partitionable(name)


def include_dir() -> str:
    """The folder of the header files that come with jaxlib."""
    return os.path.join(os.path.dirname(os.path.abspath(jaxlib.__file__)), "include")
