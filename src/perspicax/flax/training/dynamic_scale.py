"""Scales losses so that gradients in float16 are neither zero nor infinite: `flax.training.dynamic_scale`."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax import lax, tree, value_and_grad
from perspicax import numpy as jnp
from perspicax.diagnose import public
from perspicax.flax import struct

__all__ = ["DynamicScale", "DynamicScaleResult"]


class DynamicScaleResult(NamedTuple):
    """What a function of `DynamicScale.value_and_grad` returns.

    Attributes:
        dynamic_scale: the scale to go on with.
        finite: whether all gradients are finite, a truth value on the device.
        aux: the function's value (and what else it returned, with `has_aux`).
        grad: its gradients, in float32.
    """

    dynamic_scale: DynamicScale
    finite: Any
    aux: Any
    grad: Any


class DynamicScale(struct.PyTreeNode):
    """A factor for the loss that grows as long as gradients are finite, and shrinks when they are not.

    Attributes:
        growth_factor: by how much it grows.
        backoff_factor: by how much it shrinks.
        growth_interval: after how many finite gradients in a row it grows.
        fin_steps: how many there were.
        scale: the factor.
        minimum_scale: it never becomes less; `None` for no limit.

    Source: Micikevicius et al., "Mixed precision training", arXiv:1710.03740, section 3.2.
    """

    growth_factor: float = struct.field(pytree_node=False, default=2.0)
    backoff_factor: float = struct.field(pytree_node=False, default=0.5)
    growth_interval: int = struct.field(pytree_node=False, default=2000)
    fin_steps: Any = 0
    scale: Any = 65536.0
    minimum_scale: float | None = struct.field(pytree_node=False, default=np.finfo(np.float32).tiny)

    def value_and_grad(self, fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False,
                       axis_name: str | None = None) -> Callable[..., DynamicScaleResult]:
        """As `jax.value_and_grad`, with the loss scaled while its gradient is computed.

        Args:
            fun: the loss, a scalar (and a pair with `has_aux`).
            argnums: which arguments to differentiate by.
            has_aux: whether `fun` returns something else beside the loss.
            axis_name: a mapped axis over which gradients are averaged.

        Returns:
            A function of the same arguments, which returns a `DynamicScaleResult`.
        """
        def scaled(*args: Any) -> Any:
            found = fun(*args)
            return (self.scale * found[0], found[1]) if has_aux else self.scale * found

        differentiate = value_and_grad(scaled, argnums, has_aux)

        @public
        @functools.wraps(fun)
        def call(*args: Any) -> DynamicScaleResult:
            aux, grad = differentiate(*args)
            aux = (aux[0] / self.scale, aux[1]) if has_aux else aux / self.scale
            grad = tree.map(lambda g: jnp.asarray(g, jnp.float32) / self.scale, grad)
            if axis_name is not None:
                grad = lax.pmean(grad, axis_name)
            finite = jnp.array(True)
            for each in tree.leaves(grad):
                finite &= jnp.all(lax.is_finite(each))
            return DynamicScaleResult(self._after(finite), finite, aux, grad)

        return call

    def _after(self, finite: Any) -> DynamicScale:
        grows = self.fin_steps == self.growth_interval
        grown = jnp.where(grows & finite, jnp.minimum(self.scale * self.growth_factor, np.finfo(np.float32).max), self.scale)
        shrunk = self.scale * self.backoff_factor
        if self.minimum_scale is not None:
            shrunk = jnp.maximum(shrunk, self.minimum_scale)
        return self.replace(fin_steps=jnp.where(grows | ~finite, 0, self.fin_steps + 1),
                            scale=jnp.where(finite, grown, shrunk))
