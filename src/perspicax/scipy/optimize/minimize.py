"""Minimisation by quasi-Newton methods."""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.lax.loops import fori_loop, while_loop
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.promote import array_like, to_inexact
from perspicax.scipy.optimize.line_search import line_search
from perspicax.transform.grad import value_and_grad

LIMITED = "l-bfgs-experimental-do-not-rely-on-this"


class OptimizeResults(NamedTuple):
    """What a minimisation found.

    Attributes:
        x: the last point.
        success: whether the gradient is small enough there.
        status: 0 for success, 1 where an iteration limit was reached, 3 where no step along the direction was good, 5
            where the function or its gradient was not finite.
        fun: the value at `x`.
        jac: the gradient at `x`.
        hess_inv: the approximation of the inverse Hessian; `None` for the method of limited memory.
        nfev: how often the function was evaluated.
        njev: how often its gradient was.
        nit: how many iterations there were.
    """

    x: Any
    success: Any
    status: Any
    fun: Any
    jac: Any
    hess_inv: Any
    nfev: Any
    njev: Any
    nit: Any


class _State(NamedTuple):
    """The iteration at work."""

    k: Any
    x: Any
    value: Any
    gradient: Any
    memory: Any
    evaluations: Any
    failed: Any
    converged: Any
    stalled: Any


def _norm(gradient: Any, order: Any) -> Any:
    return jnp.linalg.norm(gradient, ord=order)


def _iterate(evaluate: Callable[[Any], tuple[Any, Any]], x: Any, memory: Any, direct: Callable[..., Any],
             learn: Callable[..., Any], *, gtol: float, ftol: float, order: Any, most: int, most_search: int) -> _State:
    """Steps along `direct(memory, gradient, k)`, after each of which `learn` updates the memory."""
    value, gradient = evaluate(x)

    def going(s: _State) -> Any:
        return ~s.converged & ~s.failed & ~s.stalled & (s.k < most)

    def step(s: _State) -> _State:
        direction = direct(s.memory, s.gradient, s.k)
        # the first direction has the scale of the gradient, not of the variables
        size = jnp.sqrt(jnp.vdot(direction, direction))
        first = jnp.where(s.k == 0, jnp.minimum(1., 1 / jnp.where(size > 0, size, 1)), 1.).astype(s.value.dtype)
        point, good, count = line_search(evaluate, s.x, direction, s.value, s.gradient, first, most_search)
        x = s.x + point.step * direction
        memory = learn(s.memory, x - s.x, point.gradient - s.gradient, s.k)
        finite = jnp.isfinite(point.value) & jnp.all(jnp.isfinite(point.gradient))
        converged = _norm(point.gradient, order) < gtol
        stalled = good & ((s.value - point.value) < ftol * jnp.maximum(jnp.abs(s.value), jnp.abs(point.value)))
        return _State(s.k + 1, x, point.value, point.gradient, memory, s.evaluations + count, ~good | ~finite, converged,
                      stalled & (ftol > 0))

    false = jnp.zeros((), bool)
    start = _State(0, x, value, gradient, memory, 1, ~jnp.isfinite(value), _norm(gradient, order) < gtol, false)
    return while_loop(going, step, start)


def _results(end: _State, hess_inv: Any) -> OptimizeResults:
    finite = jnp.isfinite(end.value) & jnp.all(jnp.isfinite(end.gradient))
    success = (end.converged | end.stalled) & finite
    status = jnp.where(success, 0, jnp.where(~finite, 5, jnp.where(end.failed, 3, 1)))
    return OptimizeResults(end.x, success, status, end.value, end.gradient, hess_inv, end.evaluations, end.evaluations, end.k)


# -- BFGS

def _bfgs(evaluate: Callable[[Any], tuple[Any, Any]], x: Any, *, norm: Any = np.inf, maxiter: int | None = None,
          gtol: float = 1e-5, line_search_maxiter: int = 10) -> OptimizeResults:
    """Nocedal and Wright, algorithm 6.1: the inverse Hessian is kept whole."""
    def direct(inverse: Any, gradient: Any, k: Any) -> Any:
        return -inverse @ gradient

    def learn(inverse: Any, s: Any, y: Any, k: Any) -> Any:
        curvature = jnp.vdot(y, s)
        useful = curvature > 0
        rho = jnp.where(useful, 1 / jnp.where(useful, curvature, 1), 0)
        left = jnp.eye(s.shape[0], dtype=s.dtype) - rho * jnp.outer(s, y)
        return jnp.where(useful, left @ inverse @ left.T + rho * jnp.outer(s, s), inverse)

    n = x.shape[0]
    end = _iterate(evaluate, x, jnp.eye(n, dtype=x.dtype), direct, learn, gtol=gtol, ftol=0., order=norm,
                   most=200 * n if maxiter is None else maxiter, most_search=2 * line_search_maxiter)
    return _results(end, end.memory)


# -- L-BFGS

class _Pairs(NamedTuple):
    """The last steps and changes of the gradient, the newest last."""

    steps: Any
    changes: Any
    rhos: Any  # 0 where there is none yet
    scale: Any


def _limited(evaluate: Callable[[Any], tuple[Any, Any]], x: Any, *, norm: Any = np.inf, maxiter: int | None = None,
             maxcor: int = 10, ftol: float = 2.220446049250313e-09, gtol: float = 1e-05, maxfun: float | None = None,
             maxgrad: float | None = None, maxls: int = 20) -> OptimizeResults:
    """Nocedal and Wright, algorithms 7.4 and 7.5: the inverse Hessian is what the last `maxcor` steps tell of it."""
    def direct(memory: _Pairs, gradient: Any, k: Any) -> Any:
        def down(i: Any, state: tuple) -> tuple:
            q, weights = state
            at = maxcor - 1 - i
            weight = memory.rhos[at] * jnp.vdot(memory.steps[at], q)
            return q - weight * memory.changes[at], weights.at[at].set(weight)

        q, weights = fori_loop(0, maxcor, down, (gradient, jnp.zeros(maxcor, gradient.dtype)))

        def up(i: Any, r: Any) -> Any:
            return r + memory.steps[i] * (weights[i] - memory.rhos[i] * jnp.vdot(memory.changes[i], r))

        return -fori_loop(0, maxcor, up, memory.scale * q)

    def learn(memory: _Pairs, s: Any, y: Any, k: Any) -> _Pairs:
        curvature = jnp.vdot(y, s)
        useful = curvature > 0
        safe = jnp.where(useful, curvature, 1)

        def pushed(rows: Any, new: Any) -> Any:
            return jnp.where(useful, jnp.roll(rows, -1, 0).at[-1].set(new), rows)

        return _Pairs(pushed(memory.steps, s), pushed(memory.changes, y), pushed(memory.rhos, 1 / safe),
                      jnp.where(useful, curvature / jnp.where(useful, jnp.vdot(y, y), 1), memory.scale))

    n = x.shape[0]
    none = jnp.zeros((maxcor, n), x.dtype)
    limits = [v for v in (maxiter, maxfun, maxgrad) if v is not None]
    most = int(min(limits)) if limits else 200 * n
    end = _iterate(evaluate, x, _Pairs(none, none, jnp.zeros(maxcor, x.dtype), jnp.ones((), x.dtype)), direct, learn,
                   gtol=gtol, ftol=ftol, order=norm, most=most, most_search=maxls)
    return _results(end, None)


_OPTIONS: dict[str, tuple[Callable[..., OptimizeResults], tuple[str, ...]]] = {
    "BFGS": (_bfgs, ("norm", "maxiter", "gtol", "line_search_maxiter")),
    LIMITED: (_limited, ("norm", "maxiter", "maxcor", "ftol", "gtol", "maxfun", "maxgrad", "maxls")),
}


def minimize(fun: Callable[..., Any], x0: Any, args: tuple = (), *, method: str, tol: float | None = None,
             options: Mapping[str, Any] | None = None) -> OptimizeResults:
    """A local minimum of a function.

    Args:
        fun: `fun(x, *args)` returns a scalar; it is differentiated.
        x0: vector `[n]`, where to start.
        args: further arguments of `fun`.
        method: `"BFGS"`, or `"l-bfgs-experimental-do-not-rely-on-this"`, which keeps a few vectors in place of a matrix.
        tol: the norm of the gradient that is small enough; the option `gtol` comes first.
        options: of the method. BFGS: `norm`, `maxiter`, `gtol`, `line_search_maxiter`; the other one `norm`, `maxiter`,
            `maxcor`, `ftol`, `gtol`, `maxfun`, `maxgrad`, `maxls`.

    Returns:
        `OptimizeResults`.

    Raises:
        ArgumentValueError: there is no such method.
        ArgumentKindError: `args` is no tuple, `x0` no vector, or the method has no such option.

    Nocedal and Wright, Numerical Optimization, 2nd edition, chapters 3, 6 and 7.

    >>> minimize(lambda x: jnp.sum((x - 1) ** 2), jnp.zeros(2), method="BFGS").x
    Array([1., 1.], dtype=float32)
    """
    if not isinstance(args, tuple):
        raise ArgumentKindError(says=f"`minimize` was given args={args!r}.", why="further arguments are a tuple: `args=(a,)`")
    chosen = _OPTIONS.get(method.upper() if method.upper() == "BFGS" else method.lower())
    if chosen is None:
        raise ArgumentValueError(says=f"`minimize` was given method={method!r}.", why=f"it is 'BFGS' or '{LIMITED}'")
    run, known = chosen
    given = dict(options or {})
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ArgumentKindError(says=f"`minimize` was given the option {unknown[0]!r}.",
                                why=f"{method} takes " + ", ".join(repr(name) for name in known))
    if tol is not None:
        given.setdefault("gtol", tol)
    x = asarray(array_like(x0, "jsp.optimize.minimize", 1))
    if x.ndim != 1:
        raise ArgumentKindError(says=f"`minimize` was given x0 of type {x.aval.str_short()}.", why="it is a vector")
    x = x.astype(to_inexact(x.dtype))
    return run(functools.partial(_evaluate, value_and_grad(fun), args), x, **given)


def _evaluate(both: Callable[..., Any], args: tuple, x: Any) -> tuple[Any, Any]:
    value, gradient = both(x, *args)
    return value.astype(x.dtype), gradient


__all__ = ["OptimizeResults", "minimize"]
