"""From random bits to samples: `bits`, and the two ways in which every distribution runs.

A distribution is written once, as a traceable function `body(key, *operands, shape, dtype)`. Under `jit` and the other
transformations it is one `jit` equation. Eagerly, where one draw of bits makes one sample for each element, the same
body is compiled for pieces of fixed size, with `GivenBits` in place of the key (see `chunks.py`).
"""
from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import config as config_module
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray, canonical_shape
from perspicax.core.config import config, local
from perspicax.core.deferral import DeferringTrace, eager_or_deferring
from perspicax.core.errors import ShapeError
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo
from perspicax.core.promotion import lattice_result
from perspicax.core.sanitizing import WatchingTrace
from perspicax.core.symbolic import as_size
from perspicax.core.trace import JaxprTrace, stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.random_bits import BITS_DTYPES, Place, host_place, random_bits_p
from perspicax.lax.result_sharding import placed_as
from perspicax.lax.shape import broadcast_shapes
from perspicax.random.chunks import FEW, FixedProgram, in_single_precision, mapped, run_counted
from perspicax.random.draws import drawn
from perspicax.random.errors import (
    ParameterTypeError,
    SampleDTypeError,
    SampleShapeError,
    SamplingError,
    value_type_of,
)
from perspicax.random.keys import single_key
from perspicax.random.threefry import FEW_BLOCKS, HOST_BITS, counted_bits, counts
from perspicax.transform.jit_primitive import jit_p
from perspicax.xla.array import ArrayImpl
from perspicax.xla.compile import FAST_COMPILE
from perspicax.xla.dispatch import as_array, check_results, checking

MAX_STAGED = 2048
KERNEL = 0.1  # seconds of the processor that XLA takes to compile a kernel for one shape, with its generator inside
MAX_RENTS = 1024
OFTEN = 400  # calls of one distribution; then a kernel that makes its own bits pays, which takes 0.1 s to compile
NUMBERS = (np.ndarray, np.generic, int, float, complex)

state_key = config_module.state_key


# -- drawing

class GivenBits:
    """In the place of a key: the bits that the next draw shall return."""

    __slots__ = ("bits",)

    def __init__(self, bits: Any) -> None:
        self.bits = bits


def draw(key: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    """Unsigned integers of a key."""
    if type(key) is GivenBits:
        return key.bits
    return random_bits_p(key, bit_width=bit_width, shape=shape)


def staged_here() -> bool:
    """Whether the operations of this thread are being recorded and not run."""
    trace = local.trace
    while trace is not None:
        if isinstance(trace, JaxprTrace):
            return True
        trace = trace.parent
    return False


def concrete(first: Any, *operands: Any) -> bool:
    """Whether something of these operands, the first an array, can be computed at once."""
    return type(first) is ArrayImpl and not any(isinstance(x, Tracer) for x in operands) and not staged_here()


# -- the arguments that all distributions have

def sample_dtype(function: str, dtype: Any, kind: str = "float") -> np.dtype:
    """The dtype of the samples.

    Args:
        kind: `float`, `int` or `uint`, what `None` stands for; complex samples are told by `inexact`.

    Raises:
        SampleDTypeError: the distribution has no samples of this dtype.
        UnknownDTypeError: `dtype` names no dtype.
    """
    found: Any = dtypes.default_dtype("float" if kind == "inexact" else kind) if dtype is None \
        else dtypes.requested_dtype(dtype, f"jax.random.{function}")
    classes = {"float": (np.floating, "floating"), "inexact": (np.inexact, "floating or complex"),
               "int": (np.integer, "integers"), "uint": (np.unsignedinteger, "unsigned integers")}
    above, takes = classes[kind]
    if isinstance(found, dtypes.ExtendedDType) or not dtypes.issubdtype(found, above):
        raise SampleDTypeError(function=function, dtype=dtypes.name_of(found), takes=takes)
    if dtypes.issubdtype(found, np.floating) and dtypes.itemsize_bits(found) not in BITS_DTYPES:
        raise SampleDTypeError(function=function, dtype=dtypes.name_of(found), takes=f"{takes}, of 8, 16, 32 or 64 bits")
    return found


def result_dtype(dtype: Any, *parameters: Any) -> Any:
    """The dtype of a function of samples and of parameters that may be wider.

    Raises:
        TypePromotionError: they have no common type.
    """
    avals: Any = [get_aval(x) for x in parameters]
    return lattice_result([dtype, *[a.dtype for a in avals]], [False, *[a.weak_type for a in avals]])[0]


def placeable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a distribution: its samples may be laid over explicit axes of a mesh, by `out_sharding`.

    In a jitted function each device then draws those that it has; they are the same, however they lie.
    """
    @functools.wraps(function)
    def draw(*args: Any, out_sharding: Any = None, **kwargs: Any) -> Any:
        samples = function(*args, **kwargs)
        return samples if out_sharding is None else placed_as(function.__name__, out_sharding, samples)

    return draw


def sample_shape(function: str, shape: Any) -> tuple[int, ...]:
    """The shape of the samples.

    Raises:
        ShapeError: it is no shape.
    """
    sizes = canonical_shape(shape)
    total = math.prod(sizes)
    if type(total) is int and total >> 63:
        raise ShapeError(shape=repr(sizes), why="samples are counted in 64 bits, and these are more")
    return sizes


def parameter(function: str, argument: str, x: Any, keys: bool = False) -> Any:
    """A parameter of a distribution: an array or a number; random keys, too, where `keys` says so.

    Raises:
        ParameterTypeError: it is none of these.
    """
    if isinstance(x, (Array, *NUMBERS)):
        aval: Any = get_aval(x)
        if aval.extended and not keys:
            raise ParameterTypeError(function=function, argument=argument, value_type=aval.str_short())
        return x
    if hasattr(x, "__jax_array__"):
        return parameter(function, argument, x.__jax_array__(), keys)
    raise ParameterTypeError(function=function, argument=argument, value_type=value_type_of(x))


def check_broadcast(function: str, shape: tuple[int, ...], **parameters: Any) -> None:
    """Raise unless the parameters broadcast to `shape`.

    Raises:
        SampleShapeError: one of them does not.
    """
    shapes = {name: get_aval(x).shape for name, x in parameters.items()}  # type: ignore[attr-defined]
    for own in shapes.values():
        if own and (len(own) > len(shape) or any(m not in (1, n) for m, n in zip(own[::-1], shape[::-1]))):
            raise SampleShapeError(function=function, shape=shape, parameters=tuple(shapes.items()))


def broadcast_parameters(function: str, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that parameters of a distribution broadcast to, of their shapes by name.

    Raises:
        SampleShapeError: they do not.
    """
    try:
        return broadcast_shapes(*shapes.values())
    except OperationShapeError:
        raise SampleShapeError(function=function, shape=None, parameters=tuple(shapes.items())) from None


def dimension(function: str, argument: str, n: Any) -> int:
    """A number of rows, columns or dimensions.

    Raises:
        SamplingError: it is no integer, or negative.
    """
    try:
        size = as_size(n)
    except TypeError as error:
        if type(error) is not TypeError:  # a tracer's own report
            raise
        size = -1
    if size < 0:
        raise SamplingError(says=f"`{argument}` of `{function}` is {n!r}.", why="it is an integer of at least 0")
    return size


# -- the two ways

class Staged:
    """A traceable function that enters other programs as one `jit` equation, named after it.

    Args:
        body: the function.
        inline: whether its operations enter other programs as they are; run alone, it is one program all the same.
        fast: see `FixedProgram`; of the program that is run alone.
    """

    __slots__ = ("body", "cache", "fast", "inline", "name")

    def __init__(self, body: Callable[..., Any], inline: bool = False, fast: bool = False) -> None:
        self.name, self.body, self.inline, self.fast = body.__name__, body, inline, fast
        self.cache: dict[Any, ClosedJaxpr] = {}

    def __call__(self, key: Any, *operands: Any, **static: Any) -> Any:
        if type(key) is GivenBits or config.jax_disable_jit or (self.inline and staged_here()):
            return self.body(key, *operands, **static)
        closed = self.staged((key, *operands), static)
        quick = self.fast and concrete(key, *operands) and in_single_precision(closed)
        return jit_p(key, *operands, jaxpr=closed, name=self.name, donated_invars=(False,) * (1 + len(operands)),
                     in_shardings=None, out_shardings=None, keep_unused=False, inline=False,
                     compiler_options=FAST_COMPILE if quick else ())[0]

    def staged(self, args: Sequence[Any], static: dict[str, Any]) -> ClosedJaxpr:
        """The function for arguments of these types."""
        avals = tuple([get_aval(x) for x in args])
        kept = (avals, tuple(static.items()), state_key())
        closed = self.cache.get(kept)
        if closed is None:
            closed = stage_flat(lambda *args: [self.body(*args, **static)], avals, DebugInfo("jit", self.name))
            if len(self.cache) >= MAX_STAGED:
                self.cache.clear()
            self.cache[kept] = closed
        return closed


class Distribution:
    """A distribution of which one draw makes one sample for each element.

    Args:
        body: `body(key, *operands, shape=…, dtype=…, **static)`, traceable.
        draws: how many unsigned integers one sample takes.
        host: samples of bits by NumPy, where that gives the same bits: `host(bits, operands, dtype)`, or
            `NotImplemented`.
        fast: see `FixedProgram`.
        inline: see `Staged`.
        spreads: whether an array of parameters that is smaller than the samples can be spread before. XLA may bring a
            product or a quotient with one into another order, where the program itself spreads it.
    """

    __slots__ = ("calls", "counted", "draws", "host", "program", "spent", "spreads", "staged")

    def __init__(self, body: Callable[..., Any], draws: Callable[..., int] = lambda **_: 1,
                 host: Callable[..., Any] | None = None, fast: bool = False, inline: bool = False,
                 spreads: bool = True) -> None:
        self.staged, self.draws, self.host, self.spreads = Staged(body, inline), draws, host, spreads

        def of_bits(bits: Any, *operands: Any, dtype: Any, **static: Any) -> Any:
            return body(GivenBits(bits), *operands, shape=bits.shape[-1:], dtype=dtype, **static)

        def of_count(words: Any, *operands: Any, size: int, dtype: Any, **static: Any) -> Any:
            made = counted_bits(words, size, bit_width(dtype))
            return body(GivenBits(made), *operands, shape=(size,), dtype=dtype, **static)

        self.program = FixedProgram(body.__name__, of_bits, fast)
        self.counted = FixedProgram(body.__name__, of_count)
        self.calls = 0
        self.spent: dict[tuple, float] = {}

    def __call__(self, key: Any, *operands: Any, shape: tuple[int, ...], dtype: Any, **static: Any) -> Any:
        trace = local.trace
        if type(trace) is DeferringTrace and eager_or_deferring((key, *operands)):
            static.update(shape=shape, dtype=dtype)
            types = self.staged.staged((key, *operands), static).out_avals
            return trace.defer(lambda values: [self(*values, **static)], (key, *operands), types)[0]
        if 0 not in shape and concrete(key, *operands):
            found = self._rented(key, operands, shape, dtype, static)
            if found is not None:
                return found
        return self.staged(key, *operands, shape=shape, dtype=dtype, **static)

    def _rented(self, key: ArrayImpl, operands: Sequence[Any], shape: tuple[int, ...], dtype: Any,
                static: dict[str, Any]) -> ArrayImpl | None:
        """`_eager`; of few samples, as long as less time was spent than a kernel for just these would take to compile.

        That one is the quickest for whoever draws the same again and again: it takes one call, and makes no more than is
        asked for. Who buys when he has paid the price in rent never pays more than twice what was best.
        """
        if math.prod(shape) > FEW:
            return self._eager(key, operands, shape, dtype, static)
        kind = (key.aval, shape, dtype, *static.items(), *[get_aval(x) for x in operands])
        spent = self.spent.get(kind, 0.)
        if spent > KERNEL:
            return None
        if len(self.spent) >= MAX_RENTS:
            self.spent.clear()
        started = time.process_time()
        found = self._eager(key, operands, shape, dtype, static)
        now = time.process_time()
        if spent or now - started < KERNEL:  # else it was the compilation of what was rented
            self.spent[kind] = spent + now - started
        return found

    def _eager(self, key: ArrayImpl, operands: Sequence[Any], shape: tuple[int, ...], dtype: Any,
               static: dict[str, Any]) -> ArrayImpl | None:
        arrays = [as_array(x) for x in operands]
        place = host_place([key, *arrays])
        if place is None or any(x.aval.shape and not _fits(x.aval.shape, shape) for x in arrays):
            return None
        if not self.spreads and any(smaller(x, shape) for x in arrays):
            return None
        n, width, draws = math.prod(shape), bit_width(dtype), self.draws(**static)
        values = [_operand(x, shape, dtype) for x in arrays]
        self.calls += 1
        if draws == 1 and self._counted_pays(n) and counts(key.aval.dtype.generator) and not watched():
            samples = run_counted(self.counted, place, key.value(), n, values, (("dtype", dtype), *static.items()))
            return self._made(samples, shape, place)
        drawn = random_bits_p(key, bit_width=width, shape=shape if draws == 1 else (draws, *shape))
        bits = drawn.value().reshape((n,) if draws == 1 else (draws, n))
        samples = NotImplemented if self.host is None else self.host(bits, operands, dtype)
        if samples is NotImplemented:
            fixed = (("dtype", dtype), *static.items())
            samples = mapped(self.program, place, [bits, *values], fixed)[0]
        return self._made(samples, shape, place)

    def _counted_pays(self, n: int) -> bool:
        """Whether `n` samples shall be made by a kernel that makes its own bits.

        Where NumPy makes the samples, that needs many of them. Else there is a kernel anyway, and one for everything is
        enough: whoever wants many samples, wants some more of other shapes.
        """
        if self.host is not None and n <= FEW_BLOCKS:
            return False  # whose bits take less than a run of any kernel
        many = HOST_BITS if self.host is not None else FEW
        return n > many or self.calls > OFTEN or (self.host is None and bool(self.counted.cut))

    def _made(self, samples: np.ndarray, shape: tuple[int, ...], place: Place) -> ArrayImpl:
        made = ArrayImpl(ShapedArray(shape, samples.dtype), None, samples.reshape(shape), place.sharding, place.committed)
        if checking.nans:
            check_results([made], self.staged.name)
        return made


def watched() -> bool:
    """Whether a sanitizer wants to see the primitives that are applied."""
    trace = local.trace
    while trace is not None:
        if isinstance(trace, WatchingTrace):
            return True
        trace = trace.parent
    return False


def smaller(x: ArrayImpl, shape: tuple[int, ...]) -> bool:
    """Whether a parameter is spread, and is no single number."""
    return x.aval.size > 1 and x.aval.shape != shape


def _fits(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(own) <= len(shape) and all(m in (1, n) for m, n in zip(own[::-1], shape[::-1]))


def _operand(x: ArrayImpl, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A parameter as programs of pieces take it: a scalar or `[n]`; integers become floating as XLA would make them."""
    value = x.value()
    if value.dtype.kind in "biu" and dtype in (dtypes.float32, dtypes.float64):
        value = value.astype(dtype)
    if value.ndim == 0 or value.size == 1:
        return value.reshape(())
    return np.ascontiguousarray(np.broadcast_to(value, shape)).reshape(-1)


def bit_width(dtype: Any) -> int:
    """How many random bits a sample of a dtype takes: its own width, or 8 where its mantissa has fewer than 8."""
    if not dtypes.issubdtype(dtype, np.floating):
        return dtypes.itemsize_bits(dtype)
    return 8 if dtypes.finfo(dtype).nmant < 8 else dtypes.itemsize_bits(dtype)


# -- the bits themselves

@public
@drawn()
@placeable
def bits(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Random bits, as unsigned integers that are uniform over all values of their dtype.

    Args:
        key: one key.
        shape: of the result.
        dtype: of the result, unsigned; 32 bits by default.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not unsigned.
        ShapeError: `shape` is no shape.
    """
    found, _ = single_key("bits", key)
    wanted = sample_dtype("bits", dtype, "uint")
    width = max(8, dtypes.itemsize_bits(wanted))
    return random_bits_p(found, bit_width=width, shape=sample_shape("bits", shape))


__all__ = ["BITS_DTYPES", "Distribution", "GivenBits", "Staged", "bit_width", "bits", "broadcast_parameters", "check_broadcast",
           "concrete", "dimension", "draw", "parameter", "placeable", "result_dtype", "sample_dtype", "sample_shape", "smaller",
           "staged_here", "watched"]
