"""The laws that hold for every primitive: each function here checks one of them for one function of arrays.

`f` is a function of arrays that returns an array or a list of arrays; its arguments are NumPy arrays. Laws of
derivatives are checked in float64 (`with double():`), since central differences need the digits.

    check_types         what the type rule promises is what comes back
    check_jaxpr         every jaxpr made from f passes the checker: f itself, its derivatives, its vectorisation
    check_jit           jit(f) is f
    check_forward       jvp against central differences, to any order
    check_reverse       <y, J dx> = <Jᵀ y, dx>, to any order
    check_vmap          vmap(f)(xs)[i] = f(xs[i]), for every choice of batch axes
    check_all           all of these
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import perspicax.lax.hook_table  # noqa: F401  (fills in what the transformations need)
from perspicax.core import dtypes
from perspicax.core.config import enable_x64
from perspicax.core.printer import check_jaxpr as checker
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform.grad import jvp, vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

EPS = float(np.finfo(np.float64).eps)
STEP = EPS ** (1 / 3)  # balances the truncation h² of central differences against their rounding EPS / h


def double() -> Any:
    """float64 and int64 exist within the block."""
    return enable_x64(True)


def jit(f: Callable[..., Any]) -> Any:
    return JitFunction(f, JitOptions())


def listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def numpy(x: Any) -> list[np.ndarray]:
    return [np.asarray(v) for v in listed(x)]


def is_inexact(x: Any) -> bool:
    return bool(dtypes.issubdtype(np.asarray(x).dtype, np.inexact))


def assert_close(got: Any, wanted: Any, rtol: float, atol: float, what: str) -> None:
    """Equal to a tolerance; NaN equals NaN, infinities equal themselves."""
    for a, b in zip(numpy(got), numpy(wanted), strict=True):
        assert a.shape == b.shape, f"{what}: shape {a.shape}, wanted {b.shape}"
        wide = np.complex128 if np.iscomplexobj(b) else np.float64
        np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=rtol, atol=atol, err_msg=what)


def tangent_like(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random direction."""
    v = rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1, 1], x.shape)
    if np.iscomplexobj(x):
        v = v + 1j * rng.uniform(0.5, 1.5, x.shape)
    return np.asarray(v, x.dtype)


# -- types and jaxprs

def check_types(f: Callable[..., Any], *args: Any) -> None:
    """What the type rule promises is what comes back, and what its bytes are."""
    closed = stage_flat(lambda *xs: listed(f(*xs)), [get_aval(x) for x in args])
    for promised, x in zip(closed.out_avals, listed(f(*args)), strict=True):
        assert get_aval(x) is promised, f"promised {promised!r}, came {get_aval(x)!r}"
        value = np.asarray(x)
        assert (value.shape, value.dtype) == (promised.shape, promised.dtype), (value.shape, value.dtype, promised)


def check_jaxpr(f: Callable[..., Any], *args: Any, moving: Sequence[int] | None = None) -> None:
    """Every jaxpr made from `f` passes the checker."""
    avals = [get_aval(x) for x in args]
    checker(stage_flat(lambda *xs: listed(f(*xs)), avals).jaxpr)
    batched = [a.batched(3, 0) for a in avals]  # type: ignore[attr-defined]
    checker(stage_flat(lambda *xs: listed(vmap(f)(*xs)), batched).jaxpr)
    partial, points = _partial(f, args, moving)
    if points:
        avals = [get_aval(x) for x in points]
        checker(stage_flat(lambda *xs: listed(jvp(partial, xs, xs)[1]), avals).jaxpr)

        def reverse(*xs: Any) -> list[Any]:
            out, back = vjp(partial, *xs)
            return list(back(out))

        checker(stage_flat(reverse, avals).jaxpr)


def _partial(f: Callable[..., Any], args: Sequence[Any], moving: Sequence[int] | None) -> tuple[Any, list[Any]]:
    """`f` as a function of the operands that may move alone, and these."""
    chosen = [i for i, x in enumerate(args) if is_inexact(x)] if moving is None else list(moving)

    def partial(*xs: Any) -> Any:
        full = list(args)
        for i, x in zip(chosen, xs):
            full[i] = x
        return f(*full)

    return partial, [np.asarray(args[i]) for i in chosen]


# -- jit

def check_jit(f: Callable[..., Any], *args: Any, rtol: float = 1e-6, atol: float = 1e-30) -> None:
    """jit(f) is f: equal for integers and booleans, within rounding for floating results (fusion may contract)."""
    for a, b in zip(listed(jit(f)(*args)), listed(f(*args)), strict=True):
        assert get_aval(a) is get_aval(b), f"jit returns {get_aval(a)!r}, eager evaluation {get_aval(b)!r}"
        assert_close(a, b, rtol if is_inexact(b) else 0, atol if is_inexact(b) else 0, "jit")


# -- derivatives

def check_forward(f: Callable[..., Any], *args: Any, order: int = 2, moving: Sequence[int] | None = None,
                  rtol: float = 1e-6, atol: float = 1e-6, seed: int = 0) -> None:
    """jvp against central differences in a random direction; for higher orders the same of the derivative."""
    partial, points = _partial(f, args, moving)
    rng = np.random.default_rng(seed)
    for n in range(order):
        assert all(x.dtype in (np.float64, np.complex128) for x in points), "central differences need float64"
        direction = [tangent_like(x, rng) for x in points]
        compiled = jit(partial)
        ahead = numpy(compiled(*[x + STEP * v for x, v in zip(points, direction)]))
        behind = numpy(compiled(*[x - STEP * v for x, v in zip(points, direction)]))
        central = [(a - b) / (2 * STEP) for a, b in zip(ahead, behind)]
        out, found = jit(lambda *xs: jvp(partial, xs[:len(points)], xs[len(points):]))(*points, *direction)
        assert_close(out, compiled(*points), 1e-12, 1e-12, f"the value that jvp returns, order {n + 1}")
        assert_close(found, central, rtol, atol, f"jvp against central differences, order {n + 1}")
        partial = _derivative(partial, direction)


def _derivative(f: Callable[..., Any], direction: Sequence[np.ndarray]) -> Callable[..., Any]:
    return lambda *xs: jvp(f, xs, tuple(direction))[1]


def check_reverse(f: Callable[..., Any], *args: Any, order: int = 2, moving: Sequence[int] | None = None,
                  rtol: float = 1e-9, seed: int = 0) -> None:
    """<y, J dx> = <Jᵀ y, dx>; for higher orders the same of the derivative.

    Cotangents are paired without conjugation, as JAX does; of complex numbers the real part of the sum counts.
    """
    partial, points = _partial(f, args, moving)
    rng = np.random.default_rng(seed)
    for n in range(order):
        direction = [tangent_like(x, rng) for x in points]

        def both(*xs: Any) -> tuple[Any, Any, Any]:
            k = len(points)
            cts = xs[2 * k:]
            moved = jvp(partial, xs[:k], xs[k:2 * k])[1]
            out, back = vjp(partial, *xs[:k])
            return moved, list(back(list(cts) if isinstance(out, (list, tuple)) else cts[0])), out

        outs = numpy(jit(partial)(*points))
        cotangents = [tangent_like(x, rng) for x in outs]
        moved, pulled, _ = jit(both)(*points, *direction, *cotangents)
        left = sum([(a * b).sum().real for a, b in zip(cotangents, numpy(moved))])
        right = sum([(a * b).sum().real for a, b in zip(numpy(pulled), direction)])
        size = sum([np.abs(a * b).sum() for a, b in zip(cotangents, numpy(moved))])
        assert abs(left - right) <= rtol * (size + 1e-3), f"<y, J dx> = {left}, <Jᵀ y, dx> = {right}, order {n + 1}"
        for x, ct in zip(points, numpy(pulled)):
            assert (ct.shape, ct.dtype) == (x.shape, x.dtype), f"{ct.dtype}{ct.shape} for {x.dtype}{x.shape}"
        partial = _derivative(partial, direction)


# -- vmap

def check_vmap(f: Callable[..., Any], *args: Any, size: int = 2, rtol: float = 1e-6, atol: float = 1e-30,
               seed: int = 0) -> None:
    """vmap(f)(xs)[i] = f(xs[i]), for every choice of batch axes, and with the batch axis anywhere in the result."""
    rng = np.random.default_rng(seed)
    args = tuple([np.asarray(x) for x in args])
    stacked = [np.stack([_permuted(x, rng) for _ in range(size)]) for x in args]
    choices = [[None, *range(x.ndim + 1)] for x in args]
    for axes in itertools.product(*choices):
        if all(a is None for a in axes):
            continue
        batched = [x if a is None else np.moveaxis(xs, 0, a) for x, xs, a in zip(args, stacked, axes)]
        wanted = [listed(f(*[x if a is None else xs[i] for x, xs, a in zip(args, stacked, axes)])) for i in range(size)]
        found = listed(vmap(f, in_axes=axes)(*batched))
        for k, x in enumerate(found):
            exact = 0.0 if not is_inexact(x) else rtol
            assert_close(x, np.stack([np.asarray(w[k]) for w in wanted]), exact, atol if exact else 0,
                         f"vmap with in_axes={axes}")
            one = get_aval(wanted[0][k])
            assert get_aval(x) is one.batched(size, 0), f"in_axes={axes}: {get_aval(x)!r} of {one!r}"  # type: ignore
    found = listed(vmap(f, out_axes=-1)(*stacked))
    for k, x in enumerate(found):
        wanted_last = np.stack([np.asarray(listed(f(*[xs[i] for xs in stacked]))[k]) for i in range(size)], -1)
        exact = 0 if is_inexact(x) else 1
        assert_close(x, wanted_last, 0 if exact else rtol, 0 if exact else atol, "vmap with out_axes=-1")


def _permuted(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other values that the function takes: the same ones in another order."""
    return rng.permutation(x.reshape(-1)).reshape(x.shape)


def check_all(f: Callable[..., Any], *args: Any, moving: Sequence[int] | None = None, order: int = 2,
              differentiable: bool = True, rtol: float = 1e-6, atol: float = 1e-6) -> None:
    """Every law, in float64 (pass float64 or complex128 operands where derivatives are to be checked)."""
    with double():
        arrays = [as_array(x) for x in args]
        check_types(f, *arrays)
        check_jit(f, *args)
        check_vmap(f, *args)
        if differentiable:
            check_jaxpr(f, *args, moving=moving)
            check_forward(f, *args, order=order, moving=moving, rtol=rtol, atol=atol)
            check_reverse(f, *args, order=order, moving=moving)
        else:
            check_jaxpr(f, *args, moving=())
