"""Generators of the user's own, and what `jax.extend.random` has besides."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.random_bits import BITS_DTYPES, Generator, Place, random_seed_p, threefry2x32_p
from perspicax.lax.shape import concatenate, reshape
from perspicax.lax.slicing import index_in_dim, slice_in_dim
from perspicax.lax.threefry import UINT32
from perspicax.random.errors import GeneratorResultError, KeyWordsError
from perspicax.random.keys import key
from perspicax.transform.vmap import vmap


class CustomGenerator(Generator):
    """A generator of traceable functions of one key; under `vmap`, and for arrays of keys, they are vectorised."""

    __slots__ = ("__weakref__", "_functions", "key_shape", "name", "tag")

    def __init__(self, name: str, tag: str, key_shape: tuple[int, ...], functions: dict[str, Callable[..., Any]]) -> None:
        self.name, self.tag, self.key_shape = name, tag, key_shape
        self._functions = functions

    def __reduce__(self) -> tuple:
        return _generator, (self.name, self.tag, self.key_shape, self._functions)

    def _emit(self, b: Any, function: str, operands: list[Any], rank: int, out: ShapedArray, *static: Any) -> Any:
        """The function for each key, as StableHLO.

        Raises:
            GeneratorResultError: it returns another type.
        """
        def single(*args: Any) -> Any:
            return self._functions[function](*args, *static)

        mapped: Any = single
        for _ in range(rank):
            mapped = vmap(mapped)
        closed = stage_flat(lambda *args: [mapped(*args)], [x.aval for x in operands])
        made: Any = closed.out_avals[0]
        if made.strong is not out:
            raise GeneratorResultError(generator=self.name, function=function, got=made.str_short(), wanted=out.str_short())
        return b.call(closed, operands, function)[0]

    def seed(self, seeds: np.ndarray) -> Any:
        return NotImplemented

    def split(self, words: np.ndarray, shape: tuple[int, ...], place: Place) -> Any:
        return NotImplemented

    def fold_in(self, words: np.ndarray, data: np.ndarray) -> Any:
        return NotImplemented

    def bits(self, words: np.ndarray, bit_width: int, shape: tuple[int, ...], place: Place) -> Any:
        return NotImplemented

    def _rank(self, words: Any) -> int:
        return words.ndim - len(self.key_shape)

    def emit_seed(self, b: Any, seeds: Any) -> Any:
        out = ShapedArray((*seeds.shape, *self.key_shape), UINT32)
        return self._emit(b, "seed", [seeds], seeds.ndim, out)

    def emit_split(self, b: Any, words: Any, shape: tuple[int, ...]) -> Any:
        rank = self._rank(words)
        out = ShapedArray((*words.shape[:rank], *shape, *self.key_shape), UINT32)
        return self._emit(b, "split", [words], rank, out, shape)

    def emit_fold_in(self, b: Any, words: Any, data: Any) -> Any:
        return self._emit(b, "fold_in", [words, data], self._rank(words), ShapedArray(words.shape, UINT32))

    def emit_bits(self, b: Any, words: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
        rank = self._rank(words)
        out = ShapedArray((*words.shape[:rank], *shape), BITS_DTYPES[bit_width])
        return self._emit(b, "random_bits", [words], rank, out, bit_width, shape)


@public
def define_prng_impl(*, key_shape: tuple[int, ...], seed: Callable[[Any], Any], split: Callable[[Any, tuple[int, ...]], Any],
                     random_bits: Callable[[Any, int, tuple[int, ...]], Any], fold_in: Callable[[Any, Any], Any],
                     name: str = "<unnamed>", tag: str = "?") -> Generator:
    """A generator of random bits of your own, which `key(seed, impl=…)` takes.

    Args:
        key_shape: the shape of the words of one key, of uint32.
        seed: `seed(number)` returns the words of a key.
        split: `split(words, shape)` returns the words of new keys, `[*shape, *key_shape]`.
        random_bits: `random_bits(words, bit_width, shape)` returns unsigned integers.
        fold_in: `fold_in(words, number)` returns the words of a new key.
        name: what errors call it.
        tag: what its dtype shows.

    The functions are traced. They are given the words of one key at a time.
    """
    functions: dict[str, Callable[..., Any]] = dict(seed=seed, split=split, random_bits=random_bits, fold_in=fold_in)
    return _generator(name, tag, tuple(key_shape), functions)


_made: WeakValueDictionary[tuple, CustomGenerator] = WeakValueDictionary()
"""By what they are made of: keys that come back from a file have the dtype of those that are there."""


def _generator(name: str, tag: str, key_shape: tuple[int, ...], functions: dict[str, Callable[..., Any]]) -> CustomGenerator:
    made = CustomGenerator(name, tag, key_shape, functions)
    try:
        return _made.setdefault((name, tag, key_shape, *functions.values()), made)
    except TypeError:  # a callable object without a hash: it is itself alone
        return made


@public
def seed_with_impl(impl: Generator, seed: Any) -> Any:
    """The key of a seed, of this generator: `key(seed, impl=impl)`."""
    return key(seed, impl=impl)


@public
def random_seed(seeds: Any, impl: Generator) -> Any:
    """Keys of an array of integer seeds, one each, of this generator."""
    return random_seed_p(seeds, impl=impl)


@public
def threefry_2x32(keypair: Any, count: Any) -> Any:
    """The Threefry block function of an array of counters.

    Args:
        keypair: the two words of a key, uint32.
        count: counters, uint32 of any shape; the first half of them and the second are the words of the blocks.

    Returns:
        Array of the shape of `count`.

    Raises:
        KeyWordsError: an operand is not uint32, or there are not two words.
    """
    if len(keypair) == 2 and not hasattr(keypair, "shape"):
        k0, k1 = keypair
    else:
        k0, k1 = [index_in_dim(keypair, i, 0, False) for i in range(2)]
    for x in (k0, k1, count):
        aval: Any = get_aval(x)
        if aval.dtype != UINT32:
            raise KeyWordsError(function="threefry_2x32", type_text=aval.str_short(), key_shape=(2,),
                                generator="threefry2x32")
    shape: tuple[int, ...] = get_aval(count).shape  # type: ignore[attr-defined]
    n = math.prod(shape)
    flat = reshape(count, (n,))
    if n % 2:
        flat = concatenate([flat, np.zeros(1, UINT32)], 0)
    half = (n + 1) // 2
    both = threefry2x32_p(k0, k1, slice_in_dim(flat, 0, half), slice_in_dim(flat, half, 2 * half))
    return reshape(slice_in_dim(concatenate(both, 0), 0, n), shape)


__all__ = ["CustomGenerator", "define_prng_impl", "random_seed", "seed_with_impl", "threefry_2x32"]
