"""As much of `jax` as the programs in golden/ need, made of primitives: reports are judged without the rooms above lax.

Its frames are marked as internal, so that the programs are "the user".
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import perspicax.lax.hook_table  # noqa: F401  (fills what transformations need of lax)
from perspicax.core.array import Array
from perspicax.core.avals import canonical_shape
from perspicax.core.config import check_tracer_leaks, checking_leaks
from perspicax.core.tracer import Tracer, get_aval
from perspicax.core.tracer_errors import NonConcreteBooleanIndexError, sized_by_values, static_value
from perspicax.diagnose.source import mark_internal
from perspicax.lax.bitwise import bitwise_and
from perspicax.lax.compare import eq, ge, gt, le, lt, ne, select_n
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import add, div, integer_pow, mul, neg, sub
from perspicax.lax.elementwise import min as minimum
from perspicax.lax.reductions import reduce_max, reduce_min, reduce_sum
from perspicax.lax.shape import broadcast_in_dim, reshape
from perspicax.lax.transcendental import sin, tanh
from perspicax.transform.grad import grad
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

mark_internal(__file__)


def jit(fun: Callable[..., Any] | None = None, **options: Any) -> Any:
    if fun is None:
        return lambda f: jit(f, **options)
    return JitFunction(fun, JitOptions(**options))


def _binary(primitive: Callable[..., Any]) -> Callable[..., Any]:
    def operator(x: Any, y: Any) -> Any:
        dtype = np.result_type(*[v.dtype for v in (x, y) if hasattr(v, "dtype")])
        if dtype.kind in "iu" and (isinstance(x, float) or isinstance(y, float)):
            dtype = np.dtype("float32")
        return primitive(*_spread([_as(v, dtype) for v in (x, y)]))

    return operator


def _as(x: Any, dtype: Any) -> Any:
    if isinstance(x, Array):
        return x if x.dtype == dtype else convert_element_type(x, dtype)
    return np.asarray(x, dtype)


def _spread(xs: list[Any]) -> list[Any]:
    wanted = np.broadcast_shapes(*[get_aval(x).shape for x in xs])
    return [x if get_aval(x).shape == wanted else _spread_to(x, wanted) for x in xs]


def _spread_to(x: Any, wanted: tuple[int, ...]) -> Any:
    rank = len(get_aval(x).shape)
    return broadcast_in_dim(x, wanted, tuple(range(len(wanted) - rank, len(wanted))))


def _swapped(operator: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: operator(y, x)


def _reduction(primitive: Callable[..., Any], name: str) -> Callable[..., Any]:
    def reduced(x: Any, axis: Any = None) -> Any:
        axis = static_value(axis, f"jnp.{name}", "axis")
        axes = tuple(range(len(get_aval(x).shape))) if axis is None else (int(axis) % len(get_aval(x).shape),)
        return primitive(x, axes=axes)

    return reduced


def _getitem(x: Any, index: Any) -> Any:
    if isinstance(index, Tracer):
        if index.dtype == bool:
            raise NonConcreteBooleanIndexError(index)
        return reduce_sum(x, axes=(0,))  # of the right type, which is all that tracing needs
    return as_array(np.asarray(np.arange(x.size).reshape(x.shape)[index], x.dtype))


class _At:
    def __init__(self, x: Any) -> None:
        self.x = x

    def __getitem__(self, index: Any) -> Any:
        return self

    def set(self, value: Any) -> Any:
        raise NonConcreteBooleanIndexError(gt(self.x, self.x))


def _where(test: Any, then: Any = None, otherwise: Any = None, *, size: Any = None) -> Any:
    if then is None:
        raise sized_by_values(test, "jnp.where")
    dtype = np.result_type(*[v.dtype for v in (then, otherwise) if hasattr(v, "dtype")] or [np.float32])
    return select_n(*_spread([test, _as(otherwise, dtype), _as(then, dtype)]))


_METHODS = {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "gt": gt,
    "lt": lt, "ge": ge, "le": le, "eq": eq, "ne": ne, "and": bitwise_and,
}
_OTHERS: dict[str, Any] = {
    "__neg__": neg, "__getitem__": _getitem, "at": property(_At),
    "__pow__": lambda x, n: integer_pow(x, n),
    "sum": _reduction(reduce_sum, "sum"), "min": _reduction(reduce_min, "min"),
    "max": _reduction(reduce_max, "max"),
    "mean": lambda x: div(reduce_sum(x, axes=tuple(range(x.ndim))), np.float32(x.size)),
    "reshape": lambda x, *sizes: reshape(x, canonical_shape(sizes[0] if len(sizes) == 1 else sizes)),
    "astype": lambda x, dtype: convert_element_type(x, dtype),
}


def _numpy() -> ModuleType:
    module = ModuleType("jax.numpy")
    names = dict(
        where=_where, sin=sin, tanh=tanh, float32=np.float32,
        asarray=lambda x, dtype=None: x if isinstance(x, Array) else as_array(np.asarray(x, dtype)),
        array=lambda x: as_array(np.asarray(x, np.float32 if np.asarray(x).dtype.kind == "f" else np.int32)),
        arange=lambda *n: as_array(np.arange(*[static_value(v, "jnp.arange", "stop") for v in n],
                                             dtype="f4" if isinstance(n[0], float) else "i4")),
        ones=lambda n: as_array(np.ones(canonical_shape(n), "f4")),
        zeros=lambda n: as_array(np.zeros(canonical_shape(n), "f4")),
        minimum=_binary(minimum), sum=_OTHERS["sum"], min=_OTHERS["min"],
        nonzero=lambda x: (_ for _ in ()).throw(sized_by_values(x, "jnp.nonzero")),
        unique=lambda x: (_ for _ in ()).throw(sized_by_values(x, "jnp.unique")),
    )
    vars(module).update(names)
    return module


def modules() -> dict[str, ModuleType]:
    """`jax` and its parts."""
    jax, lax, numpy = ModuleType("jax"), ModuleType("jax.lax"), _numpy()
    vars(jax).update(jit=jit, grad=grad, vmap=vmap, numpy=numpy, lax=lax, checking_leaks=checking_leaks,
                     check_tracer_leaks=check_tracer_leaks, Array=Array)
    jax.__path__ = []  # type: ignore[attr-defined]
    return {"jax": jax, "jax.numpy": numpy, "jax.lax": lax}


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let `import jax` mean this, and give arrays their operators."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules().items():
            patch.setitem(sys.modules, name, module)
        for name, primitive in _METHODS.items():
            patch.setattr(Array, f"__{name}__", _binary(primitive), raising=False)
            patch.setattr(Array, f"__r{name}__", _swapped(_binary(primitive)), raising=False)
        for name, method in _OTHERS.items():
            patch.setattr(Array, name, method, raising=False)
        yield
