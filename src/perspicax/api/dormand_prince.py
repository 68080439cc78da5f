"""The method of Dormand and Prince: steps of order 5 whose error a formula of order 4 estimates, and a polynomial in between.

Coefficients: Dormand and Prince, A family of embedded Runge-Kutta formulae, J. Comp. Appl. Math. 6, 1980; the value in the
middle of a step: Shampine, Some practical Runge-Kutta formulas, Math. Comp. 46, 1986; step sizes: Hairer, Nørsett and Wanner,
Solving Ordinary Differential Equations I, section II.4.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.tracer import get_aval
from perspicax.lax.loops import scan
from perspicax.lax.while_loops import while_loop

Field = Callable[[Any, Any], Any]
"""The derivative: `field(y, t)`, for a vector `y` of shape `[n]` and a scalar `t`, is a vector like `y`."""

# When each stage after the first is evaluated, as a fraction of the step, and what it is evaluated from.
_NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1., 1.)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0., 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_RESULT = (*_STAGES[-1], 0.)
_ERROR = (35 / 384 - 1951 / 21600, 0., 500 / 1113 - 22642 / 50085, 125 / 192 - 451 / 720, -2187 / 6784 + 12231 / 42400,
          11 / 84 - 649 / 6300, -1 / 60)
_MIDDLE = (6025192743 / 30085553152 / 2, 0., 51252292925 / 65400821598 / 2, -2691868925 / 45128329728 / 2,
           187940372067 / 1594534317056 / 2, -1776094331 / 19743644256 / 2, 11237099 / 235043384 / 2)

_SAFETY, _GROWS, _SHRINKS, _ORDER = 0.9, 10., 0.2, 5
"""A step is changed to 0.9 of what the estimate asks for, and by a factor between 0.2 and 10."""


class Tolerances(NamedTuple):
    """What a solution has to keep to.

    Attributes:
        rtol, atol: the error of a step may be `atol + rtol * abs(y)`.
        mxstep: steps from one time to the next; then the solution goes on from where it has come.
        hmax: the longest step.
    """

    rtol: float
    atol: float
    mxstep: float
    hmax: float


class _State(NamedTuple):
    """A solution on its way; `before` is where the last step began, `polynomial` is `[5, n]`, what the step passed through."""

    y: Any
    slope: Any
    t: Any
    dt: Any
    before: Any
    polynomial: Any


def integrate(field: Field, y0: Any, ts: Any, tolerances: Tolerances) -> Any:
    """The solution of `dy/dt = field(y, t)` at the times `ts`.

    Args:
        field: the derivative.
        y0: floating or complex vector `[n]`, the value at `ts[0]`.
        ts: increasing floating vector `[times]`.
        tolerances: how exact, how many steps.

    Returns:
        Array `[times, n]` of the dtype of `y0`.
    """
    slope = field(y0, ts[0])
    dt = jnp.clip(_first_step(field, y0, ts[0], slope, tolerances), 0, tolerances.hmax).astype(ts.dtype)
    start = _State(y0, slope, ts[0], dt, ts[0], jnp.stack([y0] * 5))

    def to_time(state: _State, target: Any) -> tuple[_State, Any]:
        def goes_on(counted: tuple) -> Any:
            i, now = counted
            on = (now.t < target) & (now.dt > 0)
            return on if tolerances.mxstep == np.inf else on & (i < tolerances.mxstep)

        _, state = while_loop(goes_on, lambda counted: (counted[0] + 1, _attempt(field, counted[1], tolerances)), (0, state))
        place = (target - state.before) / (state.t - state.before)
        return state, jnp.polyval(state.polynomial, place.astype(y0.dtype))

    _, ys = scan(to_time, start, ts[1:])
    return jnp.concatenate([y0[None], ys])


def _attempt(field: Field, state: _State, tolerances: Tolerances) -> _State:
    """One step, which counts where its error is small enough, and the size of the next."""
    y, slope, t, dt, *_ = state
    end, end_slope, error, stages = _step(field, y, slope, t, dt)
    ratio = _error_ratio(error, y, end, tolerances)
    next_dt = jnp.clip(_next_step(dt, ratio), 0, tolerances.hmax).astype(dt.dtype)
    middle = y + dt.astype(y.dtype) * _combined(_MIDDLE, stages)
    through = _polynomial(y, end, middle, slope, end_slope, dt.astype(y.dtype))
    taken = _State(end, end_slope, t + dt, next_dt, t, through)
    kept = state._replace(dt=next_dt)
    return _State(*[jnp.where(ratio <= 1, a, b) for a, b in zip(taken, kept)])


def _step(field: Field, y: Any, slope: Any, t: Any, dt: Any) -> tuple[Any, Any, Any, Any]:
    """The value and the slope at the end of a step, the estimate of its error, and the slopes of all stages, `[7, n]`."""
    width = dt.astype(slope.dtype)
    stages = [slope]
    for node, weights in zip(_NODES, _STAGES):
        stages.append(field(y + width * _combined(weights, stages), t + dt * node))
    slopes = jnp.stack(stages)
    return width * _combined(_RESULT, slopes) + y, slopes[-1], width * _combined(_ERROR, slopes), slopes


def _combined(weights: tuple[float, ...], stages: Any) -> Any:
    stages = jnp.stack(stages) if isinstance(stages, list) else stages
    return jnp.dot(np.asarray(weights, stages.dtype), stages)


def _polynomial(start: Any, end: Any, middle: Any, slope: Any, end_slope: Any, dt: Any) -> Any:
    """The polynomial of degree 4 with these values and slopes at 0, 1/2 and 1; highest power first."""
    return jnp.stack([
        dt * (-2 * slope + 2 * end_slope) - 8 * start - 8 * end + 16 * middle,
        dt * (5 * slope - 3 * end_slope) + 18 * start + 14 * end - 32 * middle,
        dt * (-4 * slope + end_slope) - 11 * start - 5 * end + 16 * middle,
        dt * slope,
        start])


def _error_ratio(error: Any, start: Any, end: Any, tolerances: Tolerances) -> Any:
    """The root of the mean square of the errors, each relative to what is allowed."""
    allowed = tolerances.atol + tolerances.rtol * jnp.maximum(abs(start), abs(end))
    return jnp.sqrt(jnp.mean(abs(error / allowed.astype(error.dtype)) ** 2))


def _next_step(dt: Any, ratio: Any) -> Any:
    least = jnp.where(ratio < 1, 1., _SHRINKS)
    factor = jnp.clip(ratio ** (-1 / _ORDER) * _SAFETY, least, _GROWS)
    return jnp.where(ratio == 0, dt * _GROWS, dt * factor)


def _first_step(field: Field, y0: Any, t0: Any, slope: Any, tolerances: Tolerances) -> Any:
    """How far to go at first: so far that an explicit step of Euler is good, and the second derivative does not tell else."""
    scale = tolerances.atol + abs(y0) * tolerances.rtol
    norm = lambda v: jnp.sqrt(jnp.sum(abs(v / scale.astype(v.dtype)) ** 2))
    size, speed = norm(y0), norm(slope)
    guess = jnp.where((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / speed)
    moved = field(y0 + guess.astype(y0.dtype) * slope, t0 + guess.astype(get_aval(t0).dtype))  # type: ignore[attr-defined]
    bend = norm(moved - slope) / guess
    still = (speed <= 1e-15) & (bend <= 1e-15)
    refined = jnp.where(still, jnp.maximum(1e-6, guess * 1e-3), (0.01 / jnp.maximum(speed, bend)) ** (1 / _ORDER))
    return jnp.minimum(100 * guess, refined)


__all__ = ["Field", "Tolerances", "integrate"]
