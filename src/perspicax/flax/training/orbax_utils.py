"""What Orbax is told about a tree: `flax.training.orbax_utils`. Orbax itself is an extra."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax import Array, tree
from perspicax.diagnose import public
from perspicax.diagnose.optional import optional

__all__ = ["is_multi_device_array", "maybe_construct_transformations", "restore_args_from_target", "save_args_from_target"]


def _orbax(needed_for: str) -> Any:
    return optional("orbax.checkpoint", extra="orbax", needed_for=needed_for)


def is_multi_device_array(value: Any) -> bool:
    """Whether a value is an array that lies on several devices in parts: none of them has the whole."""
    return isinstance(value, Array) and not value.is_fully_replicated


@public
def save_args_from_target(target: Any) -> Any:
    """Orbax's arguments for saving a tree: one `SaveArgs` for each leaf.

    Raises:
        MissingPackageError: Orbax is not installed.
    """
    orbax = _orbax("`save_args_from_target`")
    return tree.map(lambda leaf: orbax.SaveArgs(), target)


@public
def restore_args_from_target(target: Any, mesh: Any = None) -> Any:
    """Orbax's arguments for restoring a tree: each array on the devices, and with the dtype, of that in `target`.

    Args:
        target: a tree of the structure of the checkpoint.
        mesh: accepted; the arrays say where they are.

    Raises:
        MissingPackageError: Orbax is not installed.
    """
    orbax = _orbax("`restore_args_from_target`")

    def described(leaf: Any) -> Any:
        if isinstance(leaf, Array):
            return orbax.ArrayRestoreArgs(restore_type=Array, sharding=leaf.sharding, dtype=leaf.dtype)
        return orbax.RestoreArgs(restore_type=type(leaf), dtype=leaf.dtype if isinstance(leaf, np.ndarray) else None)

    return tree.map(described, target)


def maybe_construct_transformations(target: Any, transforms: Any | None) -> Any:
    """The transformations that Orbax shall apply on restoring: those that are given, or none."""
    return {} if transforms is None else transforms
