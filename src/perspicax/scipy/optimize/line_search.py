"""A step along a direction that fulfils the strong Wolfe conditions.

Nocedal and Wright, Numerical Optimization, 2nd edition, algorithms 3.5 and 3.6, as one loop: a step is sought on both
sides of which lies a good one, and what lies between is then narrowed by quadratic interpolation.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.lax.loops import while_loop

DECREASE, CURVATURE = 1e-4, .9


class Point(NamedTuple):
    """A step, the value there, the gradient, and the slope along the direction."""

    step: Any
    value: Any
    gradient: Any
    slope: Any


class Search(NamedTuple):
    """The search at work."""

    low: Point  # the best so far
    high: Point
    trial: Any
    bracketed: Any
    done: Any
    count: Any


def _pick(condition: Any, a: Point, b: Point) -> Point:
    return Point(*[jnp.where(condition, x, y) for x, y in zip(a, b)])


def line_search(evaluate: Callable[[Any], tuple[Any, Any]], x: Any, direction: Any, value: Any, gradient: Any, first: Any,
                most: int) -> tuple[Point, Any, Any]:
    """The point found, whether it is good, and how often the function was evaluated.

    Args:
        evaluate: value and gradient at a point.
        x: where the line starts.
        direction: along which the function falls.
        value: at `x`.
        gradient: at `x`.
        first: the first step to try.
        most: evaluations at most.
    """
    slope = jnp.vdot(gradient, direction)
    zero = Point(jnp.zeros_like(value), value, gradient, slope)
    slack = 2 * np.finfo(value.dtype).eps * jnp.abs(value)  # rounding must not refuse the last steps to a minimum

    def going(s: Search) -> Any:
        return ~s.done & (s.count < most)

    def step(s: Search) -> Search:
        found, slopes = evaluate(x + s.trial * direction)
        at = Point(s.trial, found, slopes, jnp.vdot(slopes, direction))
        high = (at.value > value + DECREASE * at.step * slope + slack) | ~(at.value < np.inf) \
            | ((at.value > s.low.value + slack) & (s.count > 0))
        good = ~high & (jnp.abs(at.slope) <= -CURVATURE * slope)
        # a slope that leads back towards the best point, or away from the other end
        turns = jnp.where(s.bracketed, at.slope * (s.high.step - s.low.step) >= 0, at.slope >= 0)
        new_high = _pick(high, at, _pick(turns, s.low, s.high))
        new_low = _pick(high, s.low, at)
        bracketed = s.bracketed | high | turns
        trial = jnp.where(bracketed, _between(new_low, new_high), 2 * s.trial)
        return Search(new_low, new_high, trial, bracketed, good, s.count + 1)

    end = while_loop(going, step, Search(zero, zero, first, jnp.zeros((), bool), jnp.zeros((), bool), 0))
    usable = end.done | ((end.low.step > 0) & (end.low.value < value))
    return _pick(usable, end.low, zero), usable, end.count


def _between(low: Point, high: Point) -> Any:
    """The minimum of the parabola through both values and the slope at the better point, kept off the ends."""
    width = high.step - low.step
    bend = high.value - low.value - low.slope * width
    share = jnp.where(bend > 0, -.5 * low.slope * width / jnp.where(bend > 0, bend, 1), .5)
    share = jnp.where(jnp.isfinite(share), share, .5)
    return low.step + jnp.clip(share, .1, .9) * width


__all__ = ["Point", "line_search"]
