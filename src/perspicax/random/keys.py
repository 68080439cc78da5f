"""Random keys: making them, splitting them, and what they consist of."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import default_prng_impl, enable_custom_prng, enable_x64, legacy_prng_key, random_seed_offset
from perspicax.core.errors import NotAnArrayError
from perspicax.core.symbolic import as_size
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.convert import convert_element_type
from perspicax.lax.operand import operand
from perspicax.lax.random_bits import (
    Generator,
    KeyDType,
    generators,
    key_dtype_of,
    random_clone_p,
    random_fold_in_p,
    random_seed_p,
    random_split_p,
    random_unwrap_p,
    random_wrap_p,
)
from perspicax.random import hardware, threefry  # noqa: F401  (they register the generators)
from perspicax.random.draws import drawn
from perspicax.random.errors import (
    KeyBatchError,
    KeyCountError,
    KeySeedError,
    KeyTypeError,
    KeyWordsError,
    SamplingError,
    SeedRangeError,
    UnknownGeneratorError,
    value_type_of,
)
from perspicax.xla.array import ArrayImpl

FEW_KEYS = 1 << 8  # new keys, up to which NumPy is as fast as a program
SEED_LOW, SEED_HIGH = -(1 << 63), (1 << 63) - 1
UINT32 = np.dtype(np.uint32)


# -- what is a key

def generator_for(spec: Any = None) -> Generator:
    """The generator that `impl=` names: a name, a dtype of keys, a generator; `None` is the default one.

    Raises:
        UnknownGeneratorError: there is no such generator.
    """
    if spec is None:
        spec = default_prng_impl.value
    if isinstance(spec, Generator):
        return spec
    if isinstance(spec, KeyDType):
        return spec.generator
    found = generators.get(spec) if isinstance(spec, str) else None
    if found is None:
        raise UnknownGeneratorError(given=repr(spec), known=tuple(generators))
    return found


def is_key(x: Any) -> bool:
    """Whether `x` is an array of keys with a dtype of their own."""
    return isinstance(x, Array) and type(x.dtype) is KeyDType


def check_keys(function: str, key: Any) -> tuple[Any, bool]:
    """Keys with their own dtype, of such keys or of words, and whether they were words.

    Raises:
        KeyTypeError: it is no array.
        KeyWordsError: it is no array of the words of keys.
    """
    if isinstance(key, Array) and type(key.dtype) is KeyDType:
        return key, False
    if not isinstance(key, (Array, np.ndarray)):
        if not hasattr(key, "__jax_array__"):
            raise KeyTypeError(function=function, value_type=value_type_of(key))
        return check_keys(function, key.__jax_array__())
    if legacy_prng_key.value != "allow":
        _discourage_words(function)
    return wrap(function, key, generator_for()), True


def _discourage_words(function: str) -> None:
    text = f"`{function}` was given a key without a dtype of its own (a uint32 array); `jax.random.key` makes the others"
    if legacy_prng_key.value == "error":
        raise SamplingError(says=f"{text}.", why="jax_legacy_prng_key is \"error\"")
    import warnings  # only where somebody asked for the warning

    warnings.warn(f"{text}.", UserWarning, stacklevel=4)


def wrap(function: str, words: Any, generator: Generator) -> Any:
    """Keys of their words.

    Raises:
        KeyWordsError: the dtype or the shape does not fit.
    """
    aval: Any = get_aval(words)
    rank = len(aval.shape) - len(generator.key_shape)
    if aval.dtype != UINT32 or rank < 0 or aval.shape[rank:] != generator.key_shape:
        raise KeyWordsError(function=function, type_text=aval.str_short(), key_shape=generator.key_shape,
                            generator=generator.name, fits=_generator_of(aval))
    return random_wrap_p(words, impl=generator)


def _generator_of(aval: Any) -> str:
    """A generator, of whose keys an array of this type may be the words."""
    return next((name for name, g in generators.items()
                 if aval.dtype == UINT32 and aval.shape[max(0, aval.ndim - len(g.key_shape)):] == g.key_shape), "")


def single_key(function: str, key: Any) -> tuple[Any, bool]:
    """`check_keys` for exactly one key.

    Raises:
        KeyBatchError: there are several.
    """
    found, words = check_keys(function, key)
    if found.aval.shape:
        raise KeyBatchError(function=function, type_text=value_type_of(key))
    return found, words


# -- making keys

def _seeded(function: str, seed: Any, generator: Generator) -> Any:
    if is_key(seed):
        raise KeySeedError(function=function, type_text=seed.aval.str_short(), kind="key")
    if isinstance(seed, (list, tuple)):
        seed = np.asarray(seed)
    try:
        aval: Any = _seed_type(function, seed)
    except NotAnArrayError:
        raise KeySeedError(function=function, type_text=value_type_of(seed), kind="dtype") from None
    if aval.shape:
        raise KeySeedError(function=function, type_text=aval.str_short(), kind="shape")
    if not dtypes.issubdtype(aval.dtype, np.integer) and type(seed) is not bool:  # which Python takes for an integer
        raise KeySeedError(function=function, type_text=aval.str_short(), kind="dtype")
    offset = random_seed_offset.value
    if type(seed) is int:
        seed = _wrapped(seed + offset)
    elif offset:
        from perspicax.lax.elementwise import add  # for weight: hardly anybody sets an offset

        seed = add(convert_element_type(seed, aval.dtype), _wrapped(offset).astype(aval.dtype))
    if aval.dtype == np.dtype(bool):
        seed = convert_element_type(seed, np.int32)
    return random_seed_p(seed, impl=generator)


def _seed_type(function: str, seed: Any) -> Any:
    """The type of a seed; a Python integer of 64 bits counts as one of 32, whose low bits it gives."""
    if type(seed) is not int:
        return get_aval(operand(seed))
    if not SEED_LOW <= seed <= SEED_HIGH:
        raise SeedRangeError(function=function, argument="seed", value=str(seed), low=SEED_LOW, high=SEED_HIGH)
    return ShapedArray((), dtypes.default_dtype("int"))


def _wrapped(seed: int) -> np.ndarray:
    """The bits of an integer that fit the default integer type."""
    wide = np.array(seed & 0xFFFFFFFFFFFFFFFF, np.uint64)
    return wide.view(np.int64) if enable_x64.value else wide.astype(np.uint32).view(np.int32)


@public
def key(seed: Any, *, impl: Any = None, dtype: Any = None) -> Any:
    """A random key of a seed.

    Args:
        seed: one integer.
        impl: name of the generator, `"threefry2x32"`; the default one of the configuration else.
        dtype: the same as a dtype of keys, `key_dtype("threefry2x32")`.

    Returns:
        Array of no axes of the generator's key dtype.

    Raises:
        KeySeedError: the seed is no single integer.
        SamplingError: both `impl` and `dtype` are given.
        SeedRangeError: the seed is a Python integer of more than 64 bits.
        UnknownGeneratorError: `impl` names no generator.

    >>> key(42)
    Array((), dtype=key<fry>) overlaying:
    [ 0 42]
    """
    if impl is not None and dtype is not None:
        raise SamplingError(says="`key` was given both `impl` and `dtype`.", why="either names the generator")
    return _seeded("key", seed, generator_for(impl if dtype is None else dtype))


@public
def PRNGKey(seed: Any, *, impl: Any = None) -> Any:
    """The words of a random key of a seed, as an ordinary uint32 array.

    `key` makes a key with a dtype of its own, which arithmetic and indexing cannot take apart by mistake. Arguments
    and errors are those of `key`.

    >>> PRNGKey(42)
    Array([ 0, 42], dtype=uint32)
    """
    made = _seeded("PRNGKey", seed, generator_for(impl))
    return made if enable_custom_prng.value else random_unwrap_p(made)


@public
def key_dtype(impl_spec: Any = None) -> KeyDType:
    """The dtype of the keys of a generator, the default one without a name.

    Raises:
        UnknownGeneratorError: there is no such generator.
    """
    return key_dtype_of(generator_for(impl_spec))


# -- keys and their words

@public
def key_data(keys: Any) -> Any:
    """The words of keys, as an unsigned integer array with the words in trailing axes.

    Raises:
        KeyTypeError: `keys` is no array.
        KeyWordsError: `keys` is an array of something else.
    """
    return random_unwrap_p(check_keys("key_data", keys)[0])


@public
def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> Any:
    """Keys of their words, as `key_data` gives them.

    Args:
        key_bits_array: uint32 array of shape `[..., n]`, `n` words for a key.
        impl, dtype: the generator, as for `key`.

    Raises:
        KeyTypeError: `key_bits_array` is no array.
        KeyWordsError: it is an array of something else.
        SamplingError: both `impl` and `dtype` are given.
        UnknownGeneratorError: `impl` names no generator.
    """
    if impl is not None and dtype is not None:
        raise SamplingError(says="`wrap_key_data` was given both `impl` and `dtype`.", why="either names the generator")
    if not isinstance(key_bits_array, (Array, np.ndarray)):
        raise KeyTypeError(function="wrap_key_data", value_type=value_type_of(key_bits_array))
    return wrap("wrap_key_data", key_bits_array, generator_for(impl if dtype is None else dtype))


@public
def key_impl(keys: Any) -> Any:
    """The name of the generator of keys; of one of your own, as `define_prng_impl` made it.

    Raises:
        KeyTypeError: `keys` is no array.
        KeyWordsError: `keys` is an array of something else.
    """
    found: Any = check_keys("key_impl", keys)[0].dtype.generator
    name = found.name
    return name if generators.get(name) is found else found


# -- keys of keys

@public
def split(key: Any, num: Any = 2) -> Any:
    """New keys of a key, which must not be used again.

    Args:
        key: one key.
        num: how many, or the shape of the array of keys.

    Returns:
        Array of keys of shape `(num,)`, or `num`; words where `key` was words.

    Raises:
        KeyBatchError: `key` is several keys.
        KeyCountError: `num` is no number of keys.
        KeyTypeError: `key` is no key.

    >>> split(jax.random.key(0)).shape
    (2,)
    """
    return (_split_into_many if type(num) is int and num > FEW_KEYS else _split)(key, num)


def _split(key: Any, num: Any) -> Any:
    found, words = single_key("split", key)
    made = split_keys(found, _count(num))
    return random_unwrap_p(made) if words else made


_split_into_many = drawn()(_split)


def _count(num: Any) -> tuple[int, ...]:
    try:
        shape = tuple([as_size(n) for n in num]) if isinstance(num, (tuple, list)) else (as_size(num),)
    except TypeError as error:
        if type(error) is not TypeError:  # a tracer's own report
            raise
        raise KeyCountError(given=repr(num)) from None
    if any(n < 0 for n in shape):
        raise KeyCountError(given=repr(num), negative=True)
    return shape


def split_keys(key: Any, shape: tuple[int, ...]) -> Any:
    """`split` of a checked key."""
    return random_split_p(key, shape=shape)


def split_in_two(key: Any) -> tuple[Any, Any]:
    """Two keys of a checked key, in the operations that staged programs of JAX have."""
    from perspicax.lax import slicing  # gathers come with it; eager sampling has no need of them

    both = split_keys(key, (2,))
    return slicing.index_in_dim(both, 0, 0, False), slicing.index_in_dim(both, 1, 0, False)


def parts_of(key: Any, count: int) -> list[Any]:
    """`split_in_two`, for any number of keys."""
    from perspicax.lax import slicing  # gathers come with it; eager sampling has no need of them

    made = split_keys(key, (count,))
    return [slicing.index_in_dim(made, i, 0, False) for i in range(count)]


@public
def fold_in(key: Any, data: Any) -> Any:
    """A new key of a key and a number.

    Args:
        key: one key.
        data: one integer, as uint32.

    Raises:
        KeyBatchError: `key` is several keys.
        KeySeedError: `data` is not a single number.
        KeyTypeError: `key` is no key.
        SeedRangeError: `data` is a Python integer that does not fit into uint32.
    """
    found, words = single_key("fold_in", key)
    if type(data) is int:
        if not 0 <= data <= 0xFFFFFFFF:
            raise SeedRangeError(function="fold_in", argument="data", value=str(data), low=0, high=0xFFFFFFFF)
        number: Any = _number(data)
    else:
        try:
            aval: Any = get_aval(operand(data))
        except NotAnArrayError:
            raise KeySeedError(function="fold_in", type_text=value_type_of(data), kind="dtype") from None
        if aval.shape or aval.extended:
            raise KeySeedError(function="fold_in", type_text=aval.str_short(), kind="key" if aval.extended else "shape")
        if dtypes.issubdtype(aval.dtype, np.complexfloating):
            raise KeySeedError(function="fold_in", type_text=aval.str_short(), kind="dtype")
        number = convert_element_type(data, UINT32)
    made = random_fold_in_p(found, number)
    return random_unwrap_p(made) if words else made


def _number(value: int) -> ArrayImpl:
    return ArrayImpl(ShapedArray((), UINT32), None, np.array(value, UINT32), None, False)


@public
def clone(key: Any) -> Any:
    """The same key once more, for those who mean to use it twice: the check for reused keys lets it pass.

    Raises:
        KeyTypeError: `key` is no array.
    """
    if is_key(key):
        return random_clone_p(key)
    if not isinstance(key, (Array, np.ndarray, int, float, complex)):
        raise KeyTypeError(function="clone", value_type=value_type_of(key))
    return convert_like(key)


def convert_like(x: Any) -> Any:
    """An array of what is no array of ours yet."""
    from perspicax.xla.dispatch import as_array

    return x if isinstance(x, Array) else as_array(x)


__all__ = ["PRNGKey", "check_keys", "clone", "fold_in", "generator_for", "is_key", "key", "key_data", "key_dtype",
           "key_impl", "parts_of", "single_key", "split", "split_in_two", "split_keys", "wrap", "wrap_key_data"]
