"""Random bits: the dtype of keys, the interface of a generator, and the primitives on keys.

A key array has the dtype `key<fry>` and, in memory, the words of its keys in trailing axes (uint32 of shape `[2]` for
Threefry). What a primitive does with the words is the generator's business, which the dtype names; `perspicax.random`
registers the generators.

Each primitive tells the sanitizer `keys` which of its operands it uses up: `sanitize["keys"](args, params)` returns
those key operands. `random_bits` and `random_split` use theirs up; `random_fold_in` does not, nor do the conversions.
"""
from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.dtypes import ExtendedDType
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.tracer import get_aval
from perspicax.lax.errors import OperandDtypeError, OperationShapeError
from perspicax.lax.families import result_shape, spread_to
from perspicax.lax.threefry import UINT32, block_in_place, emit_block
from perspicax.transform.batch import ELEMENTWISE, BatchAxis, expand_to_rank, to_axis
from perspicax.transform.hooks import lax
from perspicax.transform.jvp import FLAT
from perspicax.xla import dispatch
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.emit import Value

BITS_DTYPES = {width: np.dtype(f"u{width // 8}") for width in (8, 16, 32, 64)}


class Place(NamedTuple):
    """Where an eager operation runs: one CPU device (`None`: the default one), and whether the user chose it."""

    sharding: Any
    committed: bool


class Generator(abc.ABC):
    """A family of random streams: how keys are made, and how bits are made of a key.

    Every method exists twice. The first works on NumPy arrays and gives the bits of the second, or `NotImplemented`;
    the second, `emit_…`, works on StableHLO values. Words have the shape `keys.shape + key_shape`.

    Attributes:
        name: what `impl=` takes, `threefry2x32`.
        tag: what the dtype shows, `fry`.
        key_shape: shape of the words of one key.
        folds_one_number: whether `emit_fold_in` takes one number for all keys as it is, and does something else with it
            than with an equal number for each.
    """

    __slots__ = ()
    name: str
    tag: str
    key_shape: tuple[int, ...]
    folds_one_number = False

    def __repr__(self) -> str:
        return self.tag

    def __reduce__(self) -> tuple:
        return generator_named, (self.name,)

    @abc.abstractmethod
    def seed(self, seeds: np.ndarray) -> Any:
        """Words of the keys of integer seeds."""

    @abc.abstractmethod
    def split(self, words: np.ndarray, shape: tuple[int, ...], place: Place) -> Any:
        """Words of `keys.shape + shape` new keys; `place` is as for `bits`."""

    @abc.abstractmethod
    def fold_in(self, words: np.ndarray, data: np.ndarray) -> Any:
        """Words of keys that depend on `data` (uint32) too; keys and data have one shape."""

    @abc.abstractmethod
    def bits(self, words: np.ndarray, bit_width: int, shape: tuple[int, ...], place: Place) -> Any:
        """Unsigned integers of shape `keys.shape + shape`; `place` is where kernels run, if any are needed."""

    @abc.abstractmethod
    def emit_seed(self, b: Any, seeds: Any) -> Any:
        """`seed` as StableHLO."""

    @abc.abstractmethod
    def emit_split(self, b: Any, words: Any, shape: tuple[int, ...]) -> Any:
        """`split` as StableHLO."""

    @abc.abstractmethod
    def emit_fold_in(self, b: Any, words: Any, data: Any) -> Any:
        """`fold_in` as StableHLO."""

    @abc.abstractmethod
    def emit_bits(self, b: Any, words: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
        """`bits` as StableHLO."""


class KeyDType(ExtendedDType):
    """The dtype of keys of one generator."""

    __slots__ = ("_hash", "generator")

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self._hash = hash((KeyDType, generator.tag))

    name = property(lambda self: f"key<{self.generator.tag}>")  # type: ignore[assignment]
    type = property(lambda self: dtypes.prng_key)  # type: ignore[assignment]
    physical_dtype = property(lambda self: UINT32)  # type: ignore[assignment]
    physical_shape = property(lambda self: self.generator.key_shape)  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is KeyDType and other.generator is self.generator)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple:
        return key_dtype_of, (self.generator,)


generators: dict[str, Generator] = {}
"""Every generator, by name."""

_dtypes: dict[Generator, KeyDType] = {}


def register(generator: Generator) -> Generator:
    """Make a generator known by its name."""
    generators[generator.name] = generator
    return generator


def generator_named(name: str) -> Generator:
    """The generator of this name; a `KeyError` where there is none."""
    return generators[name]


def key_dtype_of(generator: Generator) -> KeyDType:
    """The dtype of the keys of a generator; always the same object."""
    found = _dtypes.get(generator)
    if found is None:
        found = _dtypes.setdefault(generator, KeyDType(generator))
    return found


# -- helpers of the rules

def _generator_of(name: str, keys: Any) -> Generator:
    if type(keys.dtype) is not KeyDType:
        raise OperandDtypeError(operation=name, type_text=keys.str_short(), accepts="key", index=0)
    return keys.dtype.generator


def _words(keys: Value) -> Value:
    """The words of an emitted key array."""
    return Value(keys.name, ShapedArray(keys.shape + keys.aval.dtype.physical_shape, UINT32))


def _keys(words: Value, aval: ShapedArray) -> Value:
    return Value(words.name, aval)


def _uses(*places: int) -> dict[str, Callable[..., Any]]:
    """The hook of the sanitizer `keys`: the operands that are used up, by place."""
    return {"keys": lambda args, params: tuple([args[i] for i in places])}


def _same_axis(name: str) -> Callable[..., Any]:
    """The batching rule of operations whose results have the keys' axes in front."""
    def batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[Any, int]:
        return primitive_named[name](*args, **params), axes[0]

    return batch


primitive_named: dict[str, Primitive] = {}


def _primitive(name: str, uses: tuple[int, ...] = (), **rules: Any) -> Primitive:
    made = Primitive(name, jvp=FLAT, transpose=NotLinear(f"`{name}` is not linear"), handles_extended=True,
                     sanitize=_uses(*uses), source="JAX documentation, jax.random", **rules)
    made.extra["reads_options"] = True
    primitive_named[name] = made
    return made


# -- eager evaluation: on the host, where the operands live on one CPU device

def host_place(arrays: Sequence[ArrayImpl]) -> Place | None:
    """Where the host computes for these operands; `None` where a device must."""
    placed, committed = None, False
    for x in arrays:
        place = x._place
        if place is None:
            continue
        if committed and place[1] and placed != place[0]:
            return None  # the kernel raises the report
        placed, committed = place[0] if place[1] or not committed else placed, committed or place[1]
    if placed is None and dispatch.checking.mesh:
        placed = shardings.default_sharding()
        if len(placed.devices) > 1:  # the host computes, and the buffer is made on each device
            return Place(placed, True)
    if placed is not None and placed.chosen_kind is not None:
        placed = shardings.in_computing_memory(placed)
    where = shardings.default_sharding() if placed is None else placed
    if len(where.devices) > 1 or where.devices[0].platform != "cpu":
        return None
    return Place(placed, committed)


def _evaluate(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """How a primitive on keys runs eagerly: by its generator on NumPy arrays, else by its kernel."""
    def evaluate(*args: Any, **params: Any) -> Any:
        primitive = primitive_named[name]
        arrays = tuple([x if type(x) is ArrayImpl else dispatch.as_array(x) for x in args])
        values = primitive.pack(params)
        out = primitive.infer(tuple([x.aval for x in arrays]), values)
        place = host_place(arrays)
        if place is not None:
            value = method(arrays[0].aval.dtype.generator, out, place, *[x.value() for x in arrays], **params)
            if value is not NotImplemented:
                return ArrayImpl(out, None, value, place.sharding, place.committed)
        return dispatch.run_kernel(primitive, arrays, values)

    return evaluate


# -- seeds, words

def _seed_type(seeds: ShapedArray, *, impl: Generator) -> ShapedArray:
    if seeds.extended or not dtypes.issubdtype(seeds.dtype, np.integer):
        raise OperandDtypeError(operation="random_seed", type_text=seeds.str_short(), accepts="integer", index=0)
    return ShapedArray(seeds.shape, key_dtype_of(impl))


random_seed_p = _primitive(
    "random_seed", params=("impl",), type_rule=_seed_type, batch=_same_axis("random_seed"),
    emit=lambda b, seeds, *, impl: _keys(impl.emit_seed(b, seeds), b.out[0]),
    host=lambda seeds, *, impl: impl.seed(seeds))


def _wrap_type(words: ShapedArray, *, impl: Generator) -> ShapedArray:
    rank = words.ndim - len(impl.key_shape)
    if words.dtype != UINT32:
        raise OperandDtypeError(operation="random_wrap", type_text=words.str_short(), accepts="uint32", index=0)
    if rank < 0 or words.shape[rank:] != impl.key_shape:
        raise OperationShapeError(says=f"{words.str_short()} does not hold the words of keys of {impl.name}.",
                                  why=f"its last axes must be {impl.key_shape}")
    return ShapedArray(words.shape[:rank], key_dtype_of(impl))


def _wrap_batch(axis: BatchAxis, args: tuple, axes: tuple, *, impl: Generator) -> tuple[Any, int]:
    return random_wrap_p(to_axis(args[0], axes[0], 0, axis.size), impl=impl), 0


random_wrap_p = _primitive(
    "random_wrap", params=("impl",), type_rule=_wrap_type, batch=_wrap_batch,
    emit=lambda b, words, *, impl: _keys(words, b.out[0]), host=lambda words, *, impl: words)


def _unwrap_type(keys: ShapedArray) -> ShapedArray:
    return ShapedArray(keys.shape + _generator_of("random_unwrap", keys).key_shape, UINT32)


random_unwrap_p = _primitive(
    "random_unwrap", type_rule=_unwrap_type, batch=_same_axis("random_unwrap"),
    emit=lambda b, keys: _words(keys), host=lambda words: words)


def _clone_type(keys: ShapedArray) -> ShapedArray:
    return keys


random_clone_p = _primitive(
    "random_clone", type_rule=_clone_type, batch=_same_axis("random_clone"),
    emit=lambda b, keys: keys, host=lambda words: words)


# -- new keys

def _split_type(keys: ShapedArray, *, shape: tuple) -> ShapedArray:
    _generator_of("random_split", keys)
    return ShapedArray(keys.shape + shape, keys.dtype)


def _split_emit(b: Any, keys: Value, *, shape: tuple) -> Value:
    return _keys(keys.aval.dtype.generator.emit_split(b, _words(keys), shape), b.out[0])


random_split_p = _primitive("random_split", uses=(0,), params=("shape",), type_rule=_split_type,
                            batch=_same_axis("random_split"), emit=_split_emit,
                            evaluate=_evaluate("random_split", lambda generator, out, place, words, *, shape:
                                               generator.split(words, shape, place)))


def _fold_type(keys: ShapedArray, data: ShapedArray) -> ShapedArray:
    _generator_of("random_fold_in", keys)
    if data.dtype != UINT32:
        raise OperandDtypeError(operation="random_fold_in", type_text=data.str_short(), accepts="uint32", index=1)
    return ShapedArray(result_shape("random_fold_in", (keys, data)), keys.dtype)


def _fold_emit(b: Any, keys: Value, data: Value) -> Value:
    out, words = b.out[0], _words(keys)
    if words.shape[:keys.ndim] != out.shape:
        wanted = out.shape + keys.aval.dtype.physical_shape
        places = range(len(wanted)) if keys.shape else range(len(out.shape), len(wanted))
        words = b.broadcast(words, wanted, places)
    generator = keys.aval.dtype.generator
    number = data if generator.folds_one_number and data.shape == () else spread_to(b, data, out.shape)
    return _keys(generator.emit_fold_in(b, words, number), out)


def _fold_host(generator: Generator, out: ShapedArray, place: Place, words: np.ndarray, data: np.ndarray) -> Any:
    rank = words.ndim - len(generator.key_shape)
    if words.shape[:rank] != out.shape:
        words = np.broadcast_to(words, out.shape + generator.key_shape)
    return generator.fold_in(words, np.broadcast_to(data, out.shape))


random_fold_in_p = _primitive("random_fold_in", type_rule=_fold_type, batch=ELEMENTWISE, emit=_fold_emit,
                              evaluate=_evaluate("random_fold_in", _fold_host))


# -- bits

def _bits_type(keys: ShapedArray, *, bit_width: int, shape: tuple) -> ShapedArray:
    _generator_of("random_bits", keys)
    return ShapedArray(keys.shape + shape, BITS_DTYPES[bit_width])


def _bits_emit(b: Any, keys: Value, *, bit_width: int, shape: tuple) -> Value:
    return keys.aval.dtype.generator.emit_bits(b, _words(keys), bit_width, shape)


def _bits_host(generator: Generator, out: ShapedArray, place: Place, words: np.ndarray, *, bit_width: int,
               shape: tuple) -> Any:
    return generator.bits(words, bit_width, shape, place)


random_bits_p = _primitive("random_bits", uses=(0,), params=("bit_width", "shape"), type_rule=_bits_type,
                           batch=_same_axis("random_bits"), emit=_bits_emit, evaluate=_evaluate("random_bits", _bits_host))
random_bits_p.extra["draws"] = True


# -- the block function itself

def _block_type(k0: ShapedArray, k1: ShapedArray, x0: ShapedArray, x1: ShapedArray) -> list[ShapedArray]:
    operands = (k0, k1, x0, x1)
    for i, aval in enumerate(operands):
        if aval.dtype != UINT32:
            raise OperandDtypeError(operation="threefry2x32", type_text=aval.str_short(), accepts="uint32", index=i)
    out = ShapedArray(result_shape("threefry2x32", operands), UINT32)
    return [out, out]


def _block_batch(axis: BatchAxis, args: tuple, axes: tuple) -> tuple[list, list]:
    rank = max([len(get_aval(x).shape) - (a is not None) for x, a in zip(args, axes)])  # type: ignore[attr-defined]
    moved = []
    for x, a in zip(args, axes):
        inner = len(get_aval(x).shape) - (a is not None)  # type: ignore[attr-defined]
        if a is None:
            moved.append(lax().broadcast(x, 1, 0) if inner and inner == rank else x)
        elif inner == rank:
            moved.append(to_axis(x, a, 0, axis.size))
        else:  # a scalar with a batch axis among arrays
            moved.append(expand_to_rank(x, rank + 1, 0))
    return threefry2x32_p(*moved), [0, 0]


def _block_emit(b: Any, *operands: Value) -> list[Value]:
    shape = b.out[0].shape
    k0, k1 = operands[:2]
    if not k0.shape == k1.shape == ():
        k0, k1 = [spread_to(b, k, shape) for k in (k0, k1)]
    return list(emit_block(b, k0, k1, *[spread_to(b, x, shape) for x in operands[2:]]))


def _block_host(k0: np.ndarray, k1: np.ndarray, x0: np.ndarray, x1: np.ndarray) -> list[np.ndarray]:
    shape = np.broadcast_shapes(k0.shape, k1.shape, x0.shape, x1.shape)
    x0, x1 = np.array(np.broadcast_to(x0, shape)), np.array(np.broadcast_to(x1, shape))
    block_in_place(k0, k1, x0, x1)
    return [x0, x1]


threefry2x32_p = Primitive(
    "threefry2x32", multiple_results=True, type_rule=_block_type, jvp=FLAT,
    transpose=NotLinear("`threefry2x32` is not linear"), batch=_block_batch, emit=_block_emit, host=_block_host,
    source="Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011)")

__all__ = ["BITS_DTYPES", "Generator", "KeyDType", "Place", "generator_named", "generators", "host_place", "key_dtype_of",
           "random_bits_p", "random_clone_p", "random_fold_in_p", "random_seed_p", "random_split_p", "random_unwrap_p",
           "random_wrap_p", "register", "threefry2x32_p"]
