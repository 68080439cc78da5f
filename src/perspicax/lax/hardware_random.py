"""XLA's own generators of random bits: quick, and other streams than those of `jax.random`.

`rng_bit_generator` is a function of its key. `rng_uniform` has a state of the device's, so that two calls differ.
"""
from __future__ import annotations

import enum
import operator
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray, canonical_shape
from perspicax.core.config import local
from perspicax.core.primitive import Missing, NotDifferentiable, NotLinear, Primitive
from perspicax.lax import shape as shapes
from perspicax.lax import slicing
from perspicax.lax.errors import OperandDtypeError, OperandMismatchError, OperationShapeError
from perspicax.lax.families import REAL, kind, kinds_text
from perspicax.lax.operand import operand
from perspicax.lax.result_sharding import placed_as
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.jvp import FLAT

KEY_WORDS = 4


class RandomAlgorithm(enum.IntEnum):
    """How `rng_bit_generator` makes bits; the default is the platform's choice (Philox on the CPU)."""

    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2

    def __str__(self) -> str:
        return self.name


_ALGORITHMS = {RandomAlgorithm.RNG_DEFAULT: "DEFAULT", RandomAlgorithm.RNG_THREE_FRY: "THREE_FRY",
               RandomAlgorithm.RNG_PHILOX: "PHILOX"}


# -- bits of a key

def _bits_type(key: ShapedArray, *, shape: tuple, dtype: Any, algorithm: RandomAlgorithm,
               out_sharding: Any) -> list[ShapedArray]:
    if key.shape != (KEY_WORDS,) or key.dtype != dtypes.uint32:
        raise OperationShapeError(says=f"rng_bit_generator was given the key {key.str_short()}.",
                                  why=f"its keys are uint32[{KEY_WORDS}]; those of `jax.random` are of another kind")
    if kind(dtype) != "u" or dtypes.itemsize_bits(dtype) not in (8, 16, 32, 64):
        raise OperandDtypeError(operation="rng_bit_generator", type_text=f"bits of dtype {dtypes.name_of(dtype)}",
                                accepts="uint8, uint16, uint32 and uint64 results; it returns no other", index=0)
    return [key, ShapedArray(shape, dtype)]


def _bits_batch(axis: BatchAxis, args: tuple, axes: tuple, *, shape: tuple, **params: Any) -> tuple[list, list]:
    """All bits are made of the first key, and only this one moves on: what XLA can do in one operation."""
    keys = to_axis(args[0], axes[0], 0, axis.size)
    first = shapes.squeeze(slicing.slice_in_dim(keys, 0, 1), (0,))
    moved, bits = rng_bit_generator_p(first, shape=(axis.size, *shape), **params)
    rest = slicing.slice_in_dim(keys, 1, axis.size)
    return [shapes.concatenate([shapes.reshape(moved, (1, KEY_WORDS)), rest], 0), bits], [0, 0]


def _bits_emit(b: Any, key: Any, *, shape: tuple, dtype: Any, algorithm: RandomAlgorithm, out_sharding: Any) -> list[Any]:
    state = ShapedArray((KEY_WORDS // 2,), np.dtype(np.uint64))
    words = b.reshape(key, (KEY_WORDS // 2, 2))
    start = b.hlo("bitcast_convert", [words], state)
    after, bits = b.hlo("rng_bit_generator", [start], [state, b.out[1]],
                        f"rng_algorithm = #stablehlo<rng_algorithm {_ALGORITHMS[algorithm]}>")
    return [b.reshape(b.hlo("bitcast_convert", [after], words.aval), (KEY_WORDS,)), bits]


rng_bit_generator_p: Primitive = Primitive(
    "rng_bit_generator", params=("shape", "dtype", "algorithm", "out_sharding"), multiple_results=True,
    type_rule=_bits_type, jvp=FLAT, transpose=NotLinear("random bits are not linear in their key"), batch=_bits_batch,
    emit=_bits_emit, source="StableHLO specification, `rng_bit_generator`")


def rng_bit_generator(key: Any, shape: Any, dtype: Any = np.uint32,
                      algorithm: RandomAlgorithm | int = RandomAlgorithm.RNG_DEFAULT, *,
                      out_sharding: Any = None) -> tuple[Any, ...]:
    """Random bits from XLA's generator; most programs want `jax.random` instead.

    Args:
        key: array `uint32[4]`.
        shape: of the bits.
        dtype: uint8, uint16, uint32 or uint64.
        algorithm: a `RandomAlgorithm`.

    Returns:
        `[key, bits]`: the key for the next call, and an array of `shape` and `dtype`. Under `vmap` all bits are made of
        the first key, so that they differ from those of single calls.

    Raises:
        OperationShapeError: the key is no `uint32[4]`.
        OperandDtypeError: there are no bits of this dtype.
    """
    try:
        chosen = RandomAlgorithm(operator.index(algorithm))
    except (TypeError, ValueError):
        raise OperationShapeError(says=f"{algorithm!r} is not an algorithm of rng_bit_generator.",
                                  why="it is one of lax.RandomAlgorithm.RNG_DEFAULT, RNG_THREE_FRY and RNG_PHILOX") from None
    wanted = dtypes.requested_dtype(dtype, "rng_bit_generator")
    new_key, bits = local.trace.process(rng_bit_generator_p, (operand(key),), (canonical_shape(shape), wanted, chosen, None))
    return new_key, bits if out_sharding is None else placed_as("rng_bit_generator", out_sharding, bits)


# -- numbers of the device's state

def _uniform_type(a: ShapedArray, b: ShapedArray, *, shape: tuple) -> ShapedArray:
    for i, x in enumerate((a, b)):
        if kind(x.dtype) not in REAL:
            raise OperandDtypeError(operation="rng_uniform", type_text=x.str_short(), accepts=kinds_text(REAL), index=i)
    if a.dtype != b.dtype:
        raise OperandMismatchError(operation="rng_uniform", avals=(a, b), index=1)
    if a.shape != () or b.shape != ():
        raise OperationShapeError(says=f"rng_uniform was given the bounds {a.str_short()} and {b.str_short()}.",
                                  why="both bounds are scalars")
    return ShapedArray(shape, a.dtype, a.weak_type and b.weak_type)


def _uniform_emit(b: Any, low: Any, high: Any, *, shape: tuple) -> Any:
    sizes = b.constant(np.asarray(shape, np.int64), ShapedArray((len(shape),), np.dtype(np.int64)))
    return b.hlo("rng", [low, high, sizes], b.out[0], "rng_distribution = #stablehlo<rng_distribution UNIFORM>")


rng_uniform_p: Primitive = Primitive(
    "rng_uniform", params=("shape",), type_rule=_uniform_type,
    jvp=NotDifferentiable("its numbers come from a state of the device's, not from its operands alone"),
    transpose=NotLinear("its numbers come from a state of the device's"),
    batch=Missing("XLA's generator takes one pair of bounds for all numbers"), emit=_uniform_emit,
    source="StableHLO specification, `rng`")


def rng_uniform(a: Any, b: Any, shape: Any) -> Any:
    """Random numbers between `a` and `b` from a generator that XLA keeps the state of.

    Args:
        a: the lower bound, a real scalar.
        b: the upper bound, of the same dtype; more than `a`. It is not among the results.
        shape: of the result.

    Raises:
        OperationShapeError: a bound is no scalar.
        OperandMismatchError: the dtypes of the bounds differ.
        OperandDtypeError: they are no real numbers.
    """
    return local.trace.process(rng_uniform_p, (operand(a), operand(b)), (canonical_shape(shape),))


__all__ = ["RandomAlgorithm", "rng_bit_generator", "rng_bit_generator_p", "rng_uniform", "rng_uniform_p"]
