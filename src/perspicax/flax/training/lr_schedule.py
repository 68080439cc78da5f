"""Learning rates by the step: `flax.training.lr_schedule`. New programs take those of optax, which compose."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax import Array
from perspicax import numpy as jnp
from perspicax.diagnose import public

__all__ = ["create_constant_learning_rate_schedule", "create_cosine_learning_rate_schedule",
           "create_stepped_learning_rate_schedule"]

Schedule = Callable[[Any], Array]


def _warm_up(step: Any, steps_per_epoch: int, warmup_length: float) -> Any:
    """The factor at the beginning: it rises from 0 to 1 (Goyal et al., arXiv:1706.02677)."""
    return jnp.minimum(1.0, step / (warmup_length * steps_per_epoch)) if warmup_length > 0 else 1.0


@public
def create_constant_learning_rate_schedule(base_learning_rate: float, steps_per_epoch: int,
                                           warmup_length: float = 0.0) -> Schedule:
    """A learning rate that stays.

    Args:
        base_learning_rate: the rate.
        steps_per_epoch: how many steps an epoch has.
        warmup_length: over how many epochs the rate rises from 0 at the beginning; may be a fraction, 0 for not at all.

    Returns:
        A function of the step.
    """
    def rate(step: Any) -> Array:
        return jnp.asarray(base_learning_rate * _warm_up(step, steps_per_epoch, warmup_length))

    return rate


@public
def create_stepped_learning_rate_schedule(base_learning_rate: float, steps_per_epoch: int,
                                          lr_sched_steps: Sequence[Sequence[float]], warmup_length: float = 0.0) -> Schedule:
    """A learning rate that changes at certain epochs.

    Args:
        base_learning_rate: the rate before the first of them.
        steps_per_epoch: how many steps an epoch has.
        lr_sched_steps: pairs of an epoch and the factor, of `base_learning_rate`, that holds from it on.
        warmup_length: over how many epochs the rate rises from 0 at the beginning.

    Returns:
        A function of the step.
    """
    boundaries = np.array([round(epoch * steps_per_epoch) for epoch, _ in lr_sched_steps], int)
    factors = np.array([1.0, *(factor for _, factor in lr_sched_steps)]) * base_learning_rate

    def rate(step: Any) -> Array:
        passed = jnp.sum(boundaries < step)
        return jnp.take(jnp.asarray(factors), passed) * _warm_up(step, steps_per_epoch, warmup_length)

    return rate


@public
def create_cosine_learning_rate_schedule(base_learning_rate: float, steps_per_epoch: int, halfcos_epochs: float,
                                         warmup_length: float = 0.0) -> Schedule:
    """A learning rate that falls to 0 along half a cosine (Loshchilov and Hutter, arXiv:1608.03983).

    Args:
        base_learning_rate: the rate at the beginning.
        steps_per_epoch: how many steps an epoch has.
        halfcos_epochs: after how many epochs it is 0.
        warmup_length: over how many epochs the rate rises from 0 at the beginning.

    Returns:
        A function of the step.
    """
    def rate(step: Any) -> Array:
        factor = jnp.cos(step * jnp.pi / (halfcos_epochs * steps_per_epoch)) * 0.5 + 0.5
        return base_learning_rate * factor * _warm_up(step, steps_per_epoch, warmup_length)

    return rate
