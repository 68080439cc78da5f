"""How operands of NumPy-style functions are brought together: dtypes by the promotion lattice, shapes by broadcasting.

What has to be done is decided once for each pair of types and kept as a plan; the hot path is one dict lookup. Python
scalars become arrays of the result's dtype (kept, since the same few constants come again and again).
"""
from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import config, state_key
from perspicax.core.promotion import lattice_result
from perspicax.core.tracer import get_aval
from perspicax.diagnose.frames import warning_level
from perspicax.diagnose.watched import broadcasts_watched, promotions_watched
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert_to
from perspicax.lax.families import SHORTENED, joined_shape
from perspicax.numpy.errors import BroadcastError, NotArrayLikeError, RankPromotionError, UfuncDtypeError
from perspicax.xla.array import ArrayImpl
from perspicax.xla.kept import KeptArrays

Converter = Callable[[Any], Any] | None
Plan = tuple[Converter, Converter]

SCALARS = (int, float, complex, bool)
_NUMBERS = (np.ndarray, np.generic, int, float, complex)
_WIDE = frozenset((np.dtype(np.int64), np.dtype(np.uint64)))
MAX_PLANS = 16384
MAX_CONSTANTS = 512


def array_like(x: Any, function: str, index: int = 0, path: tuple[int, ...] = ()) -> Any:
    """`x` where a NumPy-style function takes arrays and scalars: its argument `index`, or the entry of it at `path`.

    Raises:
        NotArrayLikeError: it is a list, a string, None, …
    """
    if isinstance(x, (Array, *_NUMBERS)):
        return x
    if hasattr(x, "__jax_array__"):
        return x.__jax_array__()
    plain = type(x) is tuple and not all(isinstance(e, (Array, *_NUMBERS)) for e in x)
    raise NotArrayLikeError(function=function, index=index, value_type=type(x).__name__, mixed=plain, path=path)


def constant_maker(dtype: Any, weak: bool) -> Callable[[Any], Any]:
    """A converter of Python scalars to arrays of one dtype; the arrays are kept."""
    kept = KeptArrays()
    aval = ShapedArray((), dtype, weak)

    def constant(v: Any) -> ArrayImpl:
        # 0.0 and -0.0 are equal, so zeros that are no integers are kept by their text
        key = v if v or type(v) is int else repr(v)
        found = kept.get(key)
        if found is None:
            found = ArrayImpl(aval, None, _scalar(v, dtype))
            if len(kept) >= MAX_CONSTANTS:
                kept.clear()
            kept[key] = found
        return found

    return constant


def of_numbers(x: Any, function: str) -> Any:
    """`x` where a function needs numbers, and has no use for random keys.

    Raises:
        UfuncDtypeError: it is an array of keys, or of another extended dtype.
    """
    aval: Any = get_aval(x)
    if aval.extended:
        raise UfuncDtypeError(function=function, type_text=aval.str_short(),
                              kind="keys" if dtypes.issubdtype(aval.dtype, dtypes.prng_key) else "")
    return x


def _scalar(v: Any, dtype: Any) -> np.ndarray:
    if type(v) is int and dtypes.kind_of(dtype) in ("int", "uint"):
        default = dtypes.default_dtype("int")
        if not dtypes.iinfo(default).min <= v <= dtypes.iinfo(default).max:  # else it wraps around, as in JAX
            dtypes.check_int_fits(v, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(np.asarray(v).astype(dtype))


def converter_to(aval: ShapedArray, dtype: Any, weak: bool, rank: int) -> Converter:
    """What brings an operand of type `aval` to a dtype and rank; `None` when nothing has to be done."""
    changes = aval.dtype != dtype or aval.weak_type != weak
    grows = 0 < len(aval.shape) < rank
    if not changes and not grows:
        return None
    target = (1,) * (rank - len(aval.shape)) + aval.shape if grows else aval.shape
    places = range(rank - len(aval.shape), rank)

    def convert(x: Any) -> Any:
        if changes:
            x = convert_to(x, ShapedArray(aval.shape, dtype, weak))
        return lax_shape.broadcast_in_dim(x, target, places) if grows else x

    return convert


def type_of(x: Any) -> Any:
    """The type of an operand. Of a Python number only its class counts: whether it fits is asked when it is converted."""
    kind = type(x)
    if kind in SCALARS:
        return ShapedArray((), dtypes.python_scalar_dtype(kind), kind is not bool)
    return get_aval(x)


def constant_key(x: Any) -> Any:
    """What decides the type of an operand: the aval of an array, the class of a number; `None` for NumPy arrays."""
    if isinstance(x, Array):
        return x.aval
    kind = type(x)
    return kind if kind in SCALARS or issubclass(kind, np.number | np.bool_) else None


class Binary:
    """Promotion of the two operands of one function.

    Args:
        name: of the function.
        adjust: the dtype that the operation works in, from the promoted one: `to_inexact`, or none.
    """

    __slots__ = ("adjust", "by_state", "direct", "name", "operation")

    def __init__(self, name: str, adjust: Callable[[Any], Any] | None = None, operation: str = "") -> None:
        self.name, self.adjust = name, adjust
        self.by_state: dict[Any, dict[Any, Plan]] = {}
        self.direct: set[Any] = set()  # types that need nothing done when both operands have them
        self.operation = operation or name

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Both operands, ready for the primitive."""
        a = x.aval if isinstance(x, Array) else type(x)
        b = y.aval if isinstance(y, Array) else type(y)
        plans = self.by_state.get(state_key())
        plan = None if plans is None else plans.get((a, b))
        if plan is None:
            x, y = array_like(x, self.name, 0), array_like(y, self.name, 1)
            plan = self.plan(x, y)
        cx, cy = plan
        return x if cx is None else cx(x), y if cy is None else cy(y)

    def plan(self, x: Any, y: Any) -> Plan:
        """Decide, and keep the decision where the types alone decide."""
        a, b = type_of(x), type_of(y)
        dtype, weak = lattice_result([a.dtype, b.dtype], [a.weak_type, b.weak_type])
        if self.adjust is not None:
            dtype = self.adjust(dtype)
        rank = check_broadcast((a, b), self.operation)
        widened = bool(promotions_watched) and _widened(a, b, dtype)
        if widened:
            promotions_watched[0](a, b, dtype)
        plan = tuple([constant_maker(dtype, weak) if type(v) in SCALARS else converter_to(t, dtype, weak, rank)  # type: ignore
                      if isinstance(v, Array) else _from_numpy(t, dtype, weak, rank) for v, t in ((x, a), (y, b))])
        keys = (constant_key(x), constant_key(y))
        every = widened or (broadcasts_watched and len(a.shape) != len(b.shape))  # every place is looked at
        if None not in keys and not every:
            plans = self.by_state.setdefault(state_key(), {})
            if len(plans) >= MAX_PLANS:
                plans.clear()
            plans[keys] = plan  # type: ignore[assignment]
            if plan == (None, None) and keys[0] is keys[1] and config.jax_numpy_dtype_promotion == "standard":
                self.direct.add(keys[0])
        return plan  # type: ignore[return-value]


def _widened(a: ShapedArray, b: ShapedArray, dtype: Any) -> bool:
    """Whether one number makes a floating-point array a wider one."""
    array, number = (a, b) if a.shape else (b, a)
    if not array.shape or number.shape or number.weak_type or array.dtype == dtype:
        return False
    return all(dtypes.issubdtype(x.dtype, np.floating) for x in (a, b)) and array.dtype.itemsize < dtype.itemsize


def _from_numpy(aval: ShapedArray, dtype: Any, weak: bool, rank: int) -> Converter:
    inner = converter_to(aval, dtype, weak, rank)

    def convert(x: Any) -> Any:
        x = np.asarray(x, aval.dtype)
        return x if inner is None else inner(x)

    return convert


def check_broadcast(avals: Sequence[Any], operation: str, any_rank: bool = False) -> int:
    """The rank of the result of broadcasting.

    Args:
        any_rank: whether operands may differ in rank whatever the user chose, as JAX lets those of some functions.

    Raises:
        BroadcastError: the shapes do not broadcast.
        RankPromotionError: they differ in rank, and `jax_numpy_rank_promotion` forbids it.
    """
    shape: tuple = ()
    first: Any = None
    for a in avals:
        if a.shape == () or a.shape == shape:
            first = first if first is not None or a.shape == () else a
            continue
        if shape == ():
            shape, first = a.shape, a
            continue
        rank = max(len(shape), len(a.shape))
        joined = joined_shape((1,) * (rank - len(shape)) + shape, (1,) * (rank - len(a.shape)) + a.shape)
        if joined is None:
            raise BroadcastError.of(operation, avals)
        if broadcasts_watched and len(shape) != len(a.shape):
            broadcasts_watched[0](first, a, operation)
        if len(shape) != len(a.shape) and not any_rank and config.jax_numpy_rank_promotion != "allow":
            problem = RankPromotionError(operation=operation, left=first.str_short(), right=a.str_short())
            if config.jax_numpy_rank_promotion == "raise":
                raise problem
            warnings.warn(str(problem), stacklevel=warning_level())
        shape = joined
    return len(shape)


def joined_shapes(avals: Sequence[Any]) -> tuple[int, ...] | None:
    """The shape of the result of broadcasting; `None` if the shapes do not broadcast."""
    rank = max([len(a.shape) for a in avals], default=0)
    shape: tuple | None = (1,) * rank
    for a in avals:
        shape = joined_shape(shape, (1,) * (rank - len(a.shape)) + a.shape) if shape is not None else None
    return shape


def broadcast_shape_of(operation: str, avals: Sequence[Any], any_rank: bool = False) -> tuple[int, ...]:
    """The shape of the result of broadcasting; for its arguments and errors see `check_broadcast`."""
    rank = check_broadcast(avals, operation, any_rank)
    sizes = [1] * rank
    for a in avals:
        for i, n in enumerate(a.shape, rank - len(a.shape)):
            if n != 1:
                sizes[i] = n
    return tuple(sizes)


def to_inexact(dtype: Any) -> Any:
    """The floating dtype that integers and booleans become: float64 for those of 64 bits, else float32."""
    if dtypes.issubdtype(dtype, np.inexact):
        return dtype
    return dtypes.canonicalize_dtype(np.float64) if dtype in _WIDE else np.dtype(np.float32)


def default_floating(x: Any) -> Any:
    """Integers and booleans in the default floating dtype, whatever their own width; other arrays as they are."""
    aval: Any = get_aval(x)
    if dtypes.kind_of(aval.dtype) not in ("bool", "int", "uint"):
        return x
    return convert_to(x, aval.update(dtype=dtypes.default_dtype("float")))


def to_numeric(dtype: Any) -> Any:
    """Booleans as integers."""
    return np.dtype(np.int32) if dtype == np.dtype(bool) else dtype


def promote_dtypes(*xs: Any, inexact: bool = False) -> list[Any]:
    """Operands with their common dtype; their shapes stay."""
    avals = [get_aval(x) for x in xs]
    dtype, weak = lattice_result([a.dtype for a in avals], [a.weak_type for a in avals])  # type: ignore[attr-defined]
    if inexact:
        dtype = to_inexact(dtype)
    target = [ShapedArray(a.shape, dtype, weak) for a in avals]  # type: ignore[attr-defined]
    return [x if a is t and isinstance(x, Array) else convert_to(x, t) for x, a, t in zip(xs, avals, target)]


def shortened(x: Any) -> Any:
    """An array in the dtype that one of its values would have by itself: 32 bits while 64-bit types are switched off."""
    return convert_to(x, x.aval.update(dtype=dtypes.canonicalize_dtype(x.dtype))) if x.dtype in SHORTENED else x


def promote_shapes(operation: str, *xs: Any) -> list[Any]:
    """Operands with leading axes of size 1, so that ranks agree; scalars stay scalars."""
    rank = check_broadcast([get_aval(x) for x in xs], operation)
    return [x if len(np.shape(x)) in (0, rank) else lax_shape.broadcast_to_rank(x, rank) for x in xs]


def promote_args(operation: str, *xs: Any, inexact: bool = False) -> list[Any]:
    """Operands of a NumPy-style function: checked, promoted, of one rank."""
    xs = tuple([array_like(x, operation, i) for i, x in enumerate(xs)])
    return promote_shapes(operation, *promote_dtypes(*xs, inexact=inexact))


__all__ = ["Binary", "array_like", "broadcast_shape_of", "check_broadcast", "constant_key", "constant_maker",
           "default_floating", "promote_args", "promote_dtypes", "promote_shapes", "shortened", "to_inexact", "to_numeric",
           "type_of"]
