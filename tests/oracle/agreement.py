"""The same function on both: equal values, types, derivatives, vectorisation, equations and compiled operations."""
from __future__ import annotations

import collections
import enum
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

import perspicax.lax.hook_table  # noqa: F401  (fills in what the transformations need)
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform.grad import jvp, vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array


def listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def assert_same(ours: Any, theirs: Any, rtol: float, what: str) -> None:
    """Equal shape, dtype and weak type; values within `rtol` (exactly for integers and booleans)."""
    for a, b in zip(listed(ours), listed(theirs), strict=True):
        x, y = np.asarray(a), np.asarray(b)
        assert (x.shape, x.dtype) == (y.shape, y.dtype), f"{what}: {x.dtype}{x.shape}, JAX {y.dtype}{y.shape}"
        if hasattr(b, "weak_type") and y.dtype.names is None and y.dtype.kind != "V":
            assert a.weak_type == b.weak_type, f"{what}: weak type {a.weak_type}, JAX {b.weak_type}"
        if y.dtype.kind in "biu":
            np.testing.assert_array_equal(x, y, err_msg=what)
        elif y.dtype != jax.dtypes.float0:
            wide = np.complex128 if y.dtype.kind == "c" else np.float64
            np.testing.assert_allclose(x.astype(wide), y.astype(wide), rtol=rtol, atol=rtol, err_msg=what)


def check_values(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any, rtol: float = 1e-6) -> None:
    """The function itself."""
    assert_same(ours(*args), theirs(*args), rtol, "values")


def check_derivatives(ours: Callable[..., Any], theirs: Callable[..., Any], *args: np.ndarray, rtol: float = 1e-5) -> None:
    """jvp and vjp in every operand."""
    random = np.random.default_rng(7)
    direction = tuple([random.standard_normal(x.shape).astype(x.dtype) for x in args])
    arrays = tuple([as_array(x) for x in args])
    assert_same(jvp(lambda *xs: listed(ours(*xs)), arrays, direction)[1],
                jax.jvp(lambda *xs: listed(theirs(*xs)), args, direction)[1], rtol, "jvp")
    out, back = vjp(lambda *xs: listed(ours(*xs)), *arrays)
    _, wanted = jax.vjp(lambda *xs: listed(theirs(*xs)), *args)
    cts = [random.standard_normal(x.shape).astype(np.asarray(x).dtype) for x in out]
    assert_same(list(back(cts)), list(wanted([jax.numpy.asarray(ct) for ct in cts])), rtol, "vjp")


def check_vmap(ours: Callable[..., Any], theirs: Callable[..., Any], *args: np.ndarray,
               axes: Sequence[tuple], rtol: float = 1e-5) -> None:
    """vmap with each of `axes`."""
    random = np.random.default_rng(7)
    for in_axes in axes:
        batched = [x if a is None else np.moveaxis(random.permuted(np.stack([x, x])), 0, a) for x, a in zip(args, in_axes)]
        assert_same(vmap(ours, in_axes)(*batched), jax.vmap(theirs, in_axes)(*batched), rtol, f"vmap {in_axes}")


_LEFT_OUT = ("jaxpr", "computation", "consts", "sharding", "out_sharding")


def plain(value: Any) -> Any:
    """A parameter as a value that is equal on both sides."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (tuple, list)):
        return tuple([plain(v) for v in value])
    if isinstance(value, (np.integer, int, str, type(None))):
        return value if not isinstance(value, np.integer) else int(value)
    if hasattr(value, "name") and not isinstance(value, np.dtype):
        return value.name  # a primitive
    return np.dtype(value).name if isinstance(value, (np.dtype, type)) else value


def equations(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any) -> tuple[list, list]:
    """Our equations, and JAX's."""
    mine = stage_flat(lambda *xs: listed(ours(*xs)), [get_aval(x) for x in args]).eqns
    return mine, jax.make_jaxpr(theirs)(*args).eqns


def check_equations(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any) -> None:
    """The same primitives with the same parameters."""
    mine, wanted = equations(ours, theirs, *args)
    assert [e.primitive.name for e in mine] == [e.primitive.name for e in wanted]
    for a, b in zip(mine, wanted):
        left = {k: plain(v) for k, v in a.params.items() if k not in _LEFT_OUT}
        right = {k: plain(v) for k, v in b.params.items() if k not in _LEFT_OUT}
        assert left == right, f"{a.primitive.name}: {left}, JAX {right}"


# JAX writes scalars of another rank and calls where there is nothing to do; constants are shared or not.
_UNCOUNTED = {"constant", "return", "broadcast_in_dim"}


def operations(text: str) -> collections.Counter[str]:
    found = collections.Counter(re.findall(r"(?<![#!])\b(?:stablehlo|chlo)\.([a-z_]+)", text))
    return collections.Counter({name: n for name, n in found.items() if name not in _UNCOUNTED})


def check_operations(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any) -> None:
    """The compiler is given the same operations."""
    mine = operations(JitFunction(ours, JitOptions()).lower(*args).as_text())
    assert mine == operations(jax.jit(theirs).lower(*args).as_text())


def check_error(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any) -> None:
    """Both raise, and whoever catches JAX's builtin class catches ours."""
    wanted = raised(theirs, *args)
    found = raised(ours, *args)
    assert wanted is not None, "JAX raises nothing"
    assert found is not None, f"JAX raises {wanted!r}"
    builtin = next(c for c in type(wanted).__mro__ if c.__module__ == "builtins")
    assert isinstance(found, builtin), f"{type(found).__mro__} is no {builtin.__name__}"


def raised(f: Callable[..., Any], *args: Any) -> Exception | None:
    try:
        f(*args)
    except Exception as error:  # whatever it raises is what is asked for
        return error
    return None
