"""Modules that are made of modules."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.diagnose.report import Fix
from perspicax.flax.error_base import article
from perspicax.flax.linen.layer_errors import LayerOptionError, layer_at
from perspicax.flax.linen.module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Layers one after the other.

    Attributes:
        layers: modules and functions. A tuple that one returns is the positional arguments of the next, a dict its
            arguments by keyword.

    Parameters: `layers_0`, `layers_1`, … for those that are modules.

    >>> from perspicax.flax import linen as nn
    >>> model = Sequential([nn.Dense(4), nn.relu, nn.Dense(2)])
    >>> list(model.init(perspicax.random.key(0), jnp.ones((1, 3)))["params"])
    ['layers_0', 'layers_2']
    """

    layers: Sequence[Callable[..., Any]]

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Sequence):
            kind = type(self.layers).__name__
            raise LayerOptionError(says=f"The field `layers` of a `Sequential` is a `{kind}`; it must be a list or tuple.",
                                   why="layers are given as one sequence, which is the first argument",
                                   fixes=(Fix(code=f"nn.Sequential([{kind}(...), ...])"),))
        super().__post_init__()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layers.

        Args:
            *args: for the first layer.
            **kwargs: for the first layer.

        Returns:
            What the last layer returns.

        Raises:
            LayerOptionError: there are no layers, or one of them is no function.
        """
        which = f"{layer_at(self)[0].upper()}{layer_at(self)[1:]}"
        if not self.layers:
            raise LayerOptionError(says=f"{which} has no layers.", why="what it returns is what its last layer returns")
        for i, layer in enumerate(self.layers):
            if not callable(layer):
                raise LayerOptionError(says=f"{which} has {article(layer)} as `layers[{i}]`.",
                                       why="a layer is a module or a function, which is called with the last one's result")
        out = self.layers[0](*args, **kwargs)
        for layer in self.layers[1:]:
            if isinstance(out, tuple):
                out = layer(*out)
            elif isinstance(out, dict):
                out = layer(**out)
            else:
                out = layer(out)
        return out
