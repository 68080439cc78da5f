"""Derivatives against finite differences: `jax.test_util`."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.derivative_errors import DerivativeCheckError
from perspicax.api.wrapping import check_callable, public
from perspicax.core import dtypes, tree
from perspicax.core.tracer import get_aval
from perspicax.core.tree_paths import keystr
from perspicax.numpy.errors import ArgumentKindError
from perspicax.transform.grad import jvp, linearize, vjp
from perspicax.transform.stage import function_name
from perspicax.xla.dispatch import as_array

__all__ = ["check_grads", "check_jvp", "check_vjp"]

# What central differences, with rounding of the function's own, can be trusted to; by JAX's, so that the same checks pass.
_TOLERANCES = {"float64": 1e-5, "complex128": 1e-5, "float32": 2e-3, "complex64": 1e-3, "float16": 1e-2, "bfloat16": 0.1}
_OF_NARROW_FLOATS = 0.5
_STEP = 1e-4


@public
def check_grads(f: Callable[..., Any], args: Sequence[Any], order: int, modes: Sequence[str] = ("fwd", "rev"),
                atol: float | None = None, rtol: float | None = None, eps: float | None = None) -> None:
    """Compare the derivatives of `f` with finite differences, in one random direction.

    Args:
        f: a function of pytrees of arrays; integers among them are held fixed.
        args: a sequence of its arguments.
        order: derivatives of derivatives up to this order are checked.
        modes: some of `"fwd"`, `"rev"` and `"lin"` (forward by `jax.linearize`).
        atol, rtol: tolerances for a single number, which grow with the size of arrays; by default those that the dtypes
            allow.
        eps: the step of the differences; by default 1e-4, and for dtypes narrower than float32 the cube root of their
            precision, which balances truncation (its square) against rounding (precision / step).

    Raises:
        DerivativeCheckError: they do not agree.
        ArgumentKindError: no argument can be varied.

    Differs: JAX refuses integers beside floating numbers too.

    >>> check_grads(jnp.sin, (1.0,), order=2)
    """
    check_callable("check_grads", f)
    args = tuple(args)
    if not any(map(_moves, tree.tree_leaves(args))):
        raise ArgumentKindError(says="`check_grads` was given no argument of floating or complex numbers.",
                                why="a derivative is compared with what changes when an argument does, by a little")
    _check_order(f, args, order, tuple(modes), atol, rtol, eps or _step(args), "")


def _check_order(f: Callable[..., Any], args: tuple, order: int, modes: tuple, atol: Any, rtol: Any, eps: float,
                 path: str) -> None:
    name = function_name(f)
    for mode, word, pushed in (("fwd", "forward", jvp), ("lin", "linearized", _linearized)):
        if mode in modes:
            push = _named(functools.partial(pushed, f), name)
            _compare_jvp(f, push, args, atol, rtol, eps, f"{path}{word}" if path else "")
            if order > 1:
                along = tree.tree_map(lambda x: x if _moves(x) else np.zeros(np.shape(x), dtypes.float0), args)
                _check_order(push, (args, along), order - 1, modes, atol, rtol, eps, f"{path}{word}, then ")
    if "rev" in modes:
        _compare_vjp(f, functools.partial(vjp, f), args, atol, rtol, eps, f"{path}reverse" if path else "")
        if order > 1:
            def pulled(*xs: Any) -> Any:
                value, pull_back = vjp(f, *xs)
                return pull_back(value)

            _check_order(_named(pulled, name), args, order - 1, modes, atol, rtol, eps, f"{path}reverse, then ")


def _step(args: tuple) -> float:
    precisions = [float(dtypes.finfo(get_aval(x).dtype).eps) for x in tree.tree_leaves(args) if _moves(x)]  # type: ignore
    widest = max(precisions, default=0.0)
    return _STEP if widest < 1e-6 else float(widest ** (1 / 3))


def _named(function: Any, name: str) -> Any:
    """A function under the name of the one that it is made from."""
    function.__name__ = name
    return function


def _linearized(f: Callable[..., Any], primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    value, push = linearize(f, *primals)
    return value, push(*tangents)


@public
def check_jvp(f: Callable[..., Any], f_jvp: Callable[..., Any], args: Sequence[Any], atol: float | None = None,
              rtol: float | None = None, eps: float = _STEP, err_msg: str = "") -> None:
    """Compare a forward derivative with finite differences, in one random direction.

    Args:
        f: the function.
        f_jvp: `f_jvp(args, tangents) -> (value, tangent)`, such as `functools.partial(jax.jvp, f)`.
        args: a sequence of arguments.
        atol, rtol: tolerances; by default those that the dtypes allow.
        eps: the step of the differences.
        err_msg: put into the report.

    Raises:
        DerivativeCheckError: they do not agree, or the value is not that of `f`.
    """
    _compare_jvp(f, f_jvp, tuple(args), atol, rtol, eps, err_msg)


@public
def check_vjp(f: Callable[..., Any], f_vjp: Callable[..., Any], args: Sequence[Any], atol: float | None = None,
              rtol: float | None = None, eps: float = _STEP, err_msg: str = "") -> None:
    """Compare a pull-back with finite differences, in one random direction.

    Args:
        f: the function.
        f_vjp: `f_vjp(*args) -> (value, pull_back)`, such as `functools.partial(jax.vjp, f)`.
        args: a sequence of arguments.
        atol, rtol: tolerances; by default those that the dtypes allow.
        eps: the step of the differences.
        err_msg: put into the report.

    Raises:
        DerivativeCheckError: they do not agree, or the value is not that of `f`.
    """
    _compare_vjp(f, f_vjp, tuple(args), atol, rtol, eps, err_msg)


def _stream() -> np.random.RandomState:
    """Random numbers, JAX's for each comparison: a check passes or fails each time, and with both."""
    return np.random.RandomState(0)


def _compare_jvp(f: Callable[..., Any], f_jvp: Callable[..., Any], args: tuple, atol: Any, rtol: Any, eps: float,
                 message: str) -> None:
    directions = _directions(args, _stream())
    value, tangent = f_jvp(args, directions)
    compare = functools.partial(_compare, function_name(f), message=message, atol=atol, rtol=rtol)
    compare("JVP primal", value, f(*args))
    compare("JVP tangent", tangent, _differences(f, args, directions, eps))


def _compare_vjp(f: Callable[..., Any], f_vjp: Callable[..., Any], args: tuple, atol: Any, rtol: Any, eps: float,
                 message: str) -> None:
    value, pull_back = f_vjp(*args)
    compare = functools.partial(_compare, function_name(f), message=message, atol=atol, rtol=rtol)
    compare("VJP primal", value, f(*args))
    random = _stream()
    directions, weights = _directions(args, random), _directions(value, random)
    back = _projection(directions, pull_back(weights))
    forth = _projection(weights, _differences(f, args, directions, eps))
    kind = np.result_type(np.float16, *[get_aval(x).dtype for x in tree.tree_leaves((args, value))  # type: ignore[attr-defined]
                                        if _moves(x) and get_aval(x).dtype.kind in "fc"])  # type: ignore[attr-defined]
    real = np.zeros(0, kind).real.dtype
    compare("VJP cotangent projection", np.asarray(back, real), np.asarray(forth, real))


def _projection(xs: Any, ys: Any) -> float:
    """Re Σ x y: the pairing under which a pull-back is the transposition of the derivative, complex numbers included."""
    pairs = zip(tree.tree_leaves(xs), tree.tree_leaves(ys), strict=True)
    return float(sum([np.sum(_wide(x) * _wide(y)).real for x, y in pairs if _moves(x) and _moves(y)]))


def _moves(x: Any) -> bool:
    dtype = get_aval(x).dtype  # type: ignore[attr-defined]
    return bool(dtypes.issubdtype(dtype, np.inexact))


def _wide(x: Any) -> np.ndarray:
    value = np.asarray(x)
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)


def _directions(values: Any, random: Any) -> Any:
    """A random tangent for each leaf of a pytree."""
    def direction(x: Any) -> Any:
        aval: Any = get_aval(x)
        if not _moves(x):
            return np.zeros(aval.shape, dtypes.float0)
        found = random.standard_normal(aval.shape)
        if dtypes.issubdtype(aval.dtype, np.complexfloating):
            found = found + 1j * random.standard_normal(aval.shape)
        return as_array(np.asarray(found).astype(aval.dtype))

    return tree.tree_map(direction, values)


def _differences(f: Callable[..., Any], args: tuple, directions: Any, eps: float) -> Any:
    """Central differences of `f` along `directions`."""
    def moved(x: Any, d: Any, step: float) -> Any:
        return as_array((_wide(x) + step * _wide(d)).astype(get_aval(x).dtype)) if _moves(x) else x  # type: ignore[attr-defined]

    def difference(upper: Any, lower: Any) -> Any:
        if not _moves(upper):
            return np.zeros(np.shape(upper), dtypes.float0)
        return ((_wide(upper) - _wide(lower)) / (2 * eps)).astype(get_aval(upper).dtype)  # type: ignore[attr-defined]

    upper = f(*tree.tree_map(lambda x, d: moved(x, d, eps), args, directions))
    lower = f(*tree.tree_map(lambda x, d: moved(x, d, -eps), args, directions))
    return tree.tree_map(difference, upper, lower)


def _compare(function: str, check: str, found: Any, expected: Any, *, message: str, atol: float | None,
             rtol: float | None) -> None:
    """Raise unless two pytrees agree within the tolerances."""
    fail = functools.partial(DerivativeCheckError, function=function, check=check, message=message)
    pairs, structure = tree.tree_flatten_with_path(found)
    others, expected_structure = tree.tree_flatten(expected)
    if structure != expected_structure:
        from perspicax.core.tree_mismatch import explain_mismatch  # only a report needs it

        said = "; ".join(explain_mismatch(expected_structure, structure, "expected", "found"))
        raise fail(rows=(), count=0, size=0, atol=0.0, rtol=0.0, mismatch=said)
    for (path, x), y in zip(pairs, others):
        if np.shape(x) != np.shape(y):
            raise fail(rows=(), count=0, size=0, atol=0.0, rtol=0.0,
                       mismatch=f"`result{keystr(path)}` has shape {np.shape(x)}, not {np.shape(y)}")
        if not _moves(y):
            continue
        name = get_aval(y).dtype.name  # type: ignore[attr-defined]
        default = _TOLERANCES.get(name, _OF_NARROW_FLOATS)
        a, r = [(default if given is None else given) * max(1, np.size(y)) for given in (atol, rtol)]
        left, right = _wide(x), _wide(y)
        wrong = ~np.isclose(left, right, rtol=r, atol=a, equal_nan=True)
        if wrong.any():
            raise fail(rows=tuple(_rows(keystr(path), left, right, wrong)), count=int(wrong.sum()), size=wrong.size,
                       atol=a, rtol=r)


def _rows(path: str, found: np.ndarray, expected: np.ndarray, wrong: np.ndarray) -> list[tuple[str, str, str]]:
    """The first entries that differ, with their places."""
    rows = []
    for place in list(zip(*np.nonzero(np.atleast_1d(wrong))))[:4]:
        index = f"[{', '.join(map(str, place))}]" if wrong.ndim else ""
        at = place if wrong.ndim else ()
        rows.append((f"result{path}{index}", f"{found[at]:.6g}", f"{expected[at]:.6g}"))
    return rows
