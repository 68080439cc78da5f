"""The state of a training loop with one optimizer: `flax.training.train_state`."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from perspicax import numpy as jnp
from perspicax import tree
from perspicax.diagnose import public
from perspicax.flax import struct

__all__ = ["OVERWRITE_WITH_GRADIENT", "TrainState"]

OVERWRITE_WITH_GRADIENT = "_overwrite_with_gradient"
"""A collection of parameters whose "gradient" is their next value (the scales of 8-bit layers). It stands beside `params`."""


class TrainState(struct.PyTreeNode):
    """The step, the parameters and the optimizer's state, with the functions that belong to them.

    Attributes:
        step: how many updates there were.
        apply_fn: usually `model.apply`; not part of the pytree.
        params: the parameters.
        tx: a pair of functions `init(params)` and `update(grads, state, params)`, as optax's optimizers are; not part of
            the pytree.
        opt_state: the optimizer's state.

    Derive a class from it to have more fields: `class State(TrainState): batch_stats: Any`.
    """

    step: Any
    apply_fn: Callable[..., Any] = struct.field(pytree_node=False)
    params: Any = struct.field(pytree_node=True)
    tx: Any = struct.field(pytree_node=False)
    opt_state: Any = struct.field(pytree_node=True)

    @public
    def apply_gradients(self, *, grads: Any, **kwargs: Any) -> Self:
        """The state after an update.

        Args:
            grads: gradients, of the structure of `params`.
            **kwargs: new values for other fields.

        Parameters keep their dtype: `p + u`, with `u` from the optimizer, is cast back to that of `p`.
        """
        replaced = OVERWRITE_WITH_GRADIENT in grads if isinstance(grads, Mapping) else False
        params = self.params["params"] if replaced else self.params
        updates, opt_state = self.tx.update(grads["params"] if replaced else grads, self.opt_state, params)
        params = _updated(params, updates)
        if replaced:
            params = {"params": params, OVERWRITE_WITH_GRADIENT: grads[OVERWRITE_WITH_GRADIENT]}
        return self.replace(step=self.step + 1, params=params, opt_state=opt_state, **kwargs)

    @classmethod
    @public
    def create(cls, *, apply_fn: Callable[..., Any], params: Any, tx: Any, **kwargs: Any) -> Self:
        """The state at step 0, with a fresh optimizer's state.

        Args:
            apply_fn: usually `model.apply`.
            params: the parameters.
            tx: the optimizer.
            **kwargs: values for the other fields.
        """
        replaced = OVERWRITE_WITH_GRADIENT in params if isinstance(params, Mapping) else False
        return cls(step=0, apply_fn=apply_fn, params=params, tx=tx,
                   opt_state=tx.init(params["params"] if replaced else params), **kwargs)


def _updated(params: Any, updates: Any) -> Any:
    """Each parameter and its update added, in the parameter's dtype; `None` stays."""
    def added(param: Any, update: Any) -> Any:
        return None if param is None else jnp.asarray(param + update).astype(jnp.asarray(param).dtype)

    return tree.map(added, params, updates, is_leaf=lambda value: value is None)


