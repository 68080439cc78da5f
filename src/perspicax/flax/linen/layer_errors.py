"""Errors of layers, each of which says which layer of the model it was."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.diagnose.errors import ReportedError
from perspicax.flax.error_base import shape_of
from perspicax.flax.scope_errors import ScopeParamShapeError

__all__ = ["DECODE_ORDER", "LayerCombinationError", "LayerInputError", "LayerOptionError", "described", "layer_at", "parameter"]

DECODE_ORDER = "`decode=True` takes one token at a time; `init` is called with an input of the full length, to size the cache"


class LayerInputError(ReportedError, ValueError, TypeError, AssertionError, IndexError):  # Flax's differ layer by layer
    """A layer was called with an input that does not fit its fields."""


class LayerOptionError(ReportedError, ValueError):
    """A field of a layer has a value that it cannot have, or two fields contradict each other."""


class LayerCombinationError(LayerOptionError, NotImplementedError):
    """Two options of a layer were chosen that do not exist together."""


def layer_at(module: Any) -> str:
    """A layer as reports name it: ``the `Dense` at `encoder/Dense_0` ``."""
    cls = type(module).__name__
    path = "/".join(module.path) if getattr(module, "scope", None) is not None else (getattr(module, "name", None) or "")
    return f"the `{cls}` at `{path}`" if path else f"the `{cls}`"


def described(x: Any) -> str:
    """An array as reports show it: `float32[8, 32]`."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype}{shape_of(x.shape)}"
    return f"{type(x).__name__}"


def parameter(module: Any, name: str, init_fn: Callable[..., Any], shape: Sequence[int], dtype: Any,
              origins: Sequence[str] = ()) -> Any:
    """A parameter of a layer, declared so that a wrong shape is explained axis by axis.

    Args:
        module: the layer.
        name: the parameter.
        init_fn: takes a key, the shape and the dtype.
        shape: the shape that follows from the fields and the inputs.
        dtype: its dtype.
        origins: for each axis, where its size comes from: "the last axis of the inputs", "the field `features`".

    Raises:
        ScopeParamShapeError: the variables that were passed have another shape.
    """
    try:
        return module.param(name, init_fn, tuple(shape), dtype)
    except ScopeParamShapeError as error:
        error.layer, error.origins = type(module).__name__, tuple(origins)
        raise


