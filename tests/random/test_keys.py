"""Keys: making and splitting them, key arrays in programs and under transformations, and what they refuse."""
from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import perspicax.numpy as jnp  # gives arrays their operators, too
import perspicax.random as random
from perspicax.core import dtypes
from perspicax.core.config import enable_custom_prng, legacy_prng_key, random_seed_offset
from perspicax.core.dtype_errors import NotPromotableError
from perspicax.core.printer import check_jaxpr
from perspicax.core.sanitizing import sanitizers
from perspicax.core.trace import stage_flat
from perspicax.diagnose.errors import PerspicaxError
from perspicax.lax.loops import scan
from perspicax.lax.random_bits import key_dtype_of, random_bits_p, random_fold_in_p, random_split_p
from perspicax.lax.shape import concatenate, reshape
from perspicax.numpy.errors import UfuncDtypeError
from perspicax.numpy.index_errors import IndexTypeError, TooManyIndicesError
from perspicax.random.custom import define_prng_impl
from perspicax.random.errors import (
    KeyBatchError,
    KeyCountError,
    KeySeedError,
    KeyTypeError,
    KeyWordsError,
    SamplingError,
    SeedRangeError,
    UnknownGeneratorError,
)
from perspicax.transform.errors import DifferentiationInputError
from perspicax.transform.grad import grad
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap


def jit(f):
    return JitFunction(f, JitOptions())


def words(keys):
    return np.asarray(random.key_data(keys))


# -- making keys

@pytest.mark.parametrize("seed, expected", [
    (0, [0, 0]), (42, [0, 42]), (-1, [0, 0xFFFFFFFF]), (1 << 31, [0, 1 << 31]), ((1 << 32) + 5, [0, 5]),
    (True, [0, 1]), (np.int8(-1), [0, 0xFFFFFFFF]), (np.uint32(0xFFFFFFFF), [0, 0xFFFFFFFF]), (np.int64(1 << 40), [0, 0])])
def test_key_of_a_seed(seed, expected):
    assert words(random.key(seed)).tolist() == expected
    assert np.asarray(random.PRNGKey(seed)).tolist() == expected


def test_seed_is_traced_and_vectorised():
    assert words(jit(random.key)(-5)).tolist() == [0, (1 << 32) - 5]
    assert words(vmap(random.key)(np.arange(3))).tolist() == [[0, 0], [0, 1], [0, 2]]


def test_configuration_of_keys():
    with random_seed_offset(3):
        assert words(random.key(4)).tolist() == [0, 7]
        assert words(random.key(np.int8(4))).tolist() == [0, 7]
    with enable_custom_prng(True):
        assert random.PRNGKey(1).dtype == random.key_dtype()
    with legacy_prng_key("error"), pytest.raises(SamplingError):
        random.split(random.PRNGKey(0))
    with legacy_prng_key("warn"), pytest.warns(UserWarning, match="uint32"):
        random.split(random.PRNGKey(0))


def test_repr_is_that_of_jax():
    assert repr(random.key(42)) == "Array((), dtype=key<fry>) overlaying:\n[ 0 42]"


# -- the dtype

def test_dtype_of_keys():
    k = random.key(0)
    assert k.dtype == random.key_dtype() == random.key_dtype("threefry2x32")
    assert hash(k.dtype) == hash(random.key_dtype())
    assert dtypes.issubdtype(k.dtype, dtypes.prng_key)
    assert not dtypes.issubdtype(k.dtype, np.integer)
    assert k.dtype != np.dtype(np.uint32)
    assert (k.dtype.name, k.itemsize, k.nbytes, k.shape) == ("key<fry>", 8, 8, ())
    assert random.key_impl(k) == random.key_impl(random.PRNGKey(0)) == "threefry2x32"
    assert random.key(0, impl=k.dtype).dtype is random.key(0, dtype=k.dtype).dtype is k.dtype


def test_keys_and_their_dtype_pickle_and_copy():
    keys = random.split(random.key(3), 4)
    for made in (pickle.loads(pickle.dumps(keys)), copy.deepcopy(keys)):
        assert made.dtype == keys.dtype
        np.testing.assert_array_equal(words(made), words(keys))
    assert pickle.loads(pickle.dumps(keys.dtype)) is keys.dtype is key_dtype_of(keys.dtype.generator)


# -- words

def test_words_and_keys_go_back_and_forth():
    k = random.key(9)
    np.testing.assert_array_equal(words(random.wrap_key_data(words(k))), words(k))
    assert random.wrap_key_data(np.zeros((3, 2), np.uint32)).shape == (3,)
    assert random.key_data(random.PRNGKey(4)).dtype == np.uint32
    np.testing.assert_array_equal(words(random.clone(k)), words(k))
    assert random.clone(3).dtype == np.int32


def test_both_kinds_of_keys_give_the_same_stream():
    new, old = random.key(5), random.PRNGKey(5)
    np.testing.assert_array_equal(words(random.split(new, 3)), np.asarray(random.split(old, 3)))
    np.testing.assert_array_equal(words(random.fold_in(new, 8)), np.asarray(random.fold_in(old, 8)))
    np.testing.assert_array_equal(np.asarray(random.normal(new, (4,))), np.asarray(random.normal(old, (4,))))


# -- key arrays are arrays

KEYS = random.split(random.key(1), 6)


@pytest.mark.parametrize("f", [
    lambda k: k[0], lambda k: k[-1], lambda k: k[1:3], lambda k: k[::2], lambda k: k[np.array([3, 0])],
    lambda k: k[None], lambda k: reshape(k, (2, 3)), lambda k: concatenate([k, k], 0), random.clone,
    lambda k: random.split(k[2], (2, 2))])
def test_movement_of_keys_moves_their_words(f):
    out = jit(f)(KEYS)
    assert out.dtype == KEYS.dtype
    np.testing.assert_array_equal(words(out), words(f(KEYS)))
    check_jaxpr(stage_flat(lambda k: [f(k)], [KEYS.aval]).jaxpr)


@pytest.mark.parametrize("index", [0, -1, slice(1), (0, 0)])
def test_words_of_a_key_cannot_be_indexed(index):
    with pytest.raises(TooManyIndicesError):
        random.key(0)[index]
    with pytest.raises(TooManyIndicesError):
        KEYS[0][index]


def test_one_key_is_compared_with_many():
    for f in (lambda a, b: a == b, jit(lambda a, b: a == b), lambda a, b: b == a, lambda a, b: ~(a != b)):
        assert np.asarray(f(KEYS, KEYS[2])).tolist() == [i == 2 for i in range(6)]
    assert np.asarray(KEYS[:2, None] == KEYS[None, :2]).tolist() == [[True, False], [False, True]]


def test_keys_to_be_filled_in_later():
    like = jnp.zeros_like(KEYS)
    assert like.dtype == KEYS.dtype
    assert words(like).tolist() == [[0, 0]] * 6
    for made, word in ((jnp.zeros(2, KEYS.dtype), 0), (jnp.ones((2,), KEYS.dtype), 1), (jnp.full((2,), 7, KEYS.dtype), 7),
                       (jnp.full_like(KEYS[:2], 3), 3), (jit(lambda: jnp.empty(2, KEYS.dtype))(), 0)):
        assert made.shape == (2,)
        assert words(made).tolist() == [[word, word]] * 2
    assert words(jnp.full_like(KEYS, KEYS[1])).tolist() == [words(KEYS[1]).tolist()] * 6


def test_a_key_is_no_index():
    with pytest.raises(IndexTypeError):
        KEYS[random.key(0)]


def test_indexing_takes_whole_keys():
    np.testing.assert_array_equal(words(KEYS[1:3]), words(KEYS)[1:3])
    assert [k.shape for k in KEYS] == [()] * 6
    assert len(KEYS) == 6


def test_equality_compares_whole_keys():
    assert bool(KEYS[0] == KEYS[0]) and not bool(KEYS[0] == KEYS[1])
    assert np.asarray(KEYS == KEYS).tolist() == [True] * 6


def test_scan_carries_keys_and_maps_over_them():
    def step(carry, x):
        carry, used = random.split(carry)
        return carry, random.bits(used) ^ random.bits(x)

    last, made = scan(step, random.key(0), KEYS)
    carry, expected = random.key(0), []
    for x in KEYS:
        carry, y = step(carry, x)
        expected.append(int(y))
    assert np.asarray(made).tolist() == expected
    np.testing.assert_array_equal(words(last), words(carry))


def test_keys_close_over_programs():
    k = random.key(2)
    np.testing.assert_array_equal(np.asarray(jit(lambda x: x ^ random.bits(k))(np.uint32(0))), np.asarray(random.bits(k)))


@pytest.mark.parametrize("f, axes", [
    (lambda k: random.split(k, 3), 0), (lambda k: random.fold_in(k, 4), 0), (lambda k: random.bits(k, (2,)), 0),
    (random.key_data, 0), (random.clone, 0)])
def test_vmap_is_a_loop_over_keys(f, axes):
    made = vmap(f, axes)(KEYS)
    for i in range(6):
        one, whole = f(KEYS[i]), made[i]
        if dtypes.issubdtype(one.dtype, dtypes.prng_key):
            one, whole = words(one), words(whole)
        np.testing.assert_array_equal(np.asarray(whole), np.asarray(one))


def test_vmap_of_fold_in_over_either_or_both():
    data = np.arange(6, dtype=np.uint32)
    expected = np.array([[words(random.fold_in(k, int(d))) for d in data] for k in KEYS])
    np.testing.assert_array_equal(words(vmap(random.fold_in)(KEYS, data)), expected[range(6), range(6)])
    np.testing.assert_array_equal(words(vmap(random.fold_in, (0, None))(KEYS, 2)), expected[:, 2])
    np.testing.assert_array_equal(words(vmap(random.fold_in, (None, 0))(KEYS[1], data)), expected[1])
    both = vmap(vmap(random.fold_in, (None, 0)), (0, None))
    np.testing.assert_array_equal(words(both(KEYS, data)), expected)
    np.testing.assert_array_equal(words(jit(both)(KEYS, data)), expected)


def test_the_words_of_legacy_keys_are_vectorised_along_any_axis():
    raw = words(KEYS)
    np.testing.assert_array_equal(np.asarray(vmap(random.bits, 1)(raw.T)), np.asarray(vmap(random.bits)(KEYS)))


# -- what keys refuse

@pytest.mark.parametrize("f", [
    lambda k: k + 1, lambda k: 1 - k, lambda k: -k, lambda k: k * k, lambda k: k < k, lambda k: k & np.uint32(1),
    int, float, complex, bool, np.asarray, lambda k: k.item(), lambda k: k.tolist(), hash, list])
def test_keys_are_no_numbers(f):
    with pytest.raises(TypeError):
        f(random.key(0))


def test_keys_have_no_derivative():
    with pytest.raises(DifferentiationInputError):
        grad(random.normal)(random.key(0))


CONSUMERS = [random.split, random.bits, random.normal, random.key_data, lambda k: random.fold_in(k, 1)]


@pytest.mark.parametrize("f", CONSUMERS)
@pytest.mark.parametrize("given, error", [
    (3, KeyTypeError), (1.5, KeyTypeError), (None, KeyTypeError), ([0, 0], KeyTypeError), ("k", KeyTypeError),
    (np.zeros(2), KeyWordsError), (np.zeros(2, np.int32), KeyWordsError), (np.zeros(3, np.uint32), KeyWordsError)], ids=str)
def test_what_is_no_key(f, given, error):
    with pytest.raises(error) as caught:
        f(given)
    assert isinstance(caught.value, TypeError)


def test_several_keys_where_one_is_expected():
    several = KEYS
    with pytest.raises(KeyBatchError) as caught:
        random.normal(several, (2,))
    assert caught.value.type_text == "key<fry>[6]"
    assert "`several`" in str(caught.value) and "vmap" in str(caught.value)
    with pytest.raises(KeyBatchError):
        random.split(words(KEYS))


@pytest.mark.parametrize("seed, kind", [(1.5, "dtype"), (np.float32(1), "dtype"), ("a", "dtype"), (None, "dtype"),
                                        (np.True_, "dtype"),
                                        ([1, 2], "shape"), (np.arange(3), "shape"), (random.key(0), "key")], ids=str)
def test_what_is_no_seed(seed, kind):
    for make in (random.key, random.PRNGKey):
        with pytest.raises(KeySeedError) as caught:
            make(seed)
        assert caught.value.kind == kind


def test_ranges_of_seeds_and_of_folded_numbers():
    for seed in (1 << 63, -(1 << 63) - 1, 1 << 80):
        with pytest.raises(SeedRangeError):
            random.key(seed)
    assert words(random.key(-(1 << 63))).tolist() == [0, 0]
    with pytest.raises(KeySeedError, match="complex"):
        random.fold_in(random.key(0), 1j)
    for data in (-1, 1 << 32):
        with pytest.raises(SeedRangeError) as caught:
            random.fold_in(random.key(0), data)
        assert (caught.value.low, caught.value.high) == (0, 0xFFFFFFFF)
    assert words(random.fold_in(random.key(0), np.int8(-1))).tolist() == words(
        random.fold_in(random.key(0), 0xFFFFFFFF)).tolist()


@pytest.mark.parametrize("num", [2.0, "2", None, -1, (2, -1), (2.0,)])
def test_what_is_no_number_of_keys(num):
    with pytest.raises(KeyCountError):
        random.split(random.key(0), num)


def test_generators_that_are_not_there():
    with pytest.raises(UnknownGeneratorError) as caught:
        random.key(0, impl="nope")
    assert caught.value.known[:1] and "threefry2x32" in str(caught.value)
    with pytest.raises(SamplingError):
        random.key(0, impl="threefry2x32", dtype=random.key_dtype())


# -- the seam of the sanitizer `keys`

def test_primitives_tell_which_keys_they_use_up():
    used = []

    def look(primitive, args, params):
        used.append((primitive.name, len(primitive.sanitize["keys"](args, params))))

    k = random.key(0)
    with sanitizers({"keys": look}):
        random.split(k)
        random.fold_in(k, 1)
        random.clone(k)
        random.uniform(k, (3,))
        random.normal(k, (70_000,))
    assert used == [("random_split", 1), ("random_fold_in", 0), ("random_clone", 0), ("random_bits", 1),
                    ("random_bits", 1)]


@pytest.mark.parametrize("primitive, params", [(random_bits_p, dict(bit_width=32, shape=())),
                                               (random_split_p, dict(shape=(2,)))])
def test_primitives_take_keys_only(primitive, params):
    with pytest.raises(TypeError):
        primitive(np.zeros(2, np.uint32), **params)
    with pytest.raises(TypeError):
        random_fold_in_p(random.key(0), np.float32(1))


@pytest.mark.parametrize("mix", [lambda k, words: k + 1, lambda k, words: jnp.where(True, k, words),
                                 lambda k, words: jnp.concatenate([k[None], words[None]])])
def test_keys_do_not_mix_with_numbers(mix):
    with pytest.raises(NotPromotableError) as caught:
        mix(random.key(0), random.PRNGKey(0))
    assert caught.value.dtype == "key<fry>"
    assert "jax.random.wrap_key_data(words)" in str(caught.value)


# -- generators of one's own

def words_of_seed(seed):
    return jnp.array([seed], jnp.uint32)


def words_of_parts(words, shape):
    return jnp.zeros((*shape, 1), jnp.uint32) + words


def bits_of_words(words, width, shape):
    return jnp.broadcast_to(words[0], shape).astype(f"uint{width}")


def folded_words(words, number):
    return words + number


def test_keys_of_a_generator_of_ones_own_pickle():
    mine = define_prng_impl(key_shape=(1,), seed=words_of_seed, split=words_of_parts, random_bits=bits_of_words,
                            fold_in=folded_words, name="mine", tag="mine")
    made = random.key(5, impl=mine)
    back = pickle.loads(pickle.dumps(made))
    assert back.dtype == made.dtype
    assert words(back).tolist() == [5]
    assert bool(back == made)
    with pytest.raises((pickle.PicklingError, AttributeError)):  # at once, and not when it is read
        pickle.dumps(random.key(0, impl=define_prng_impl(
            key_shape=(1,), seed=lambda s: words_of_seed(s), split=words_of_parts, random_bits=bits_of_words,
            fold_in=folded_words)))


# -- functions of arrays, given keys

NEED_NUMBERS = {
    "max": lambda k: k.max(), "nanmin": lambda k: jnp.nanmin(k), "ptp": lambda k: jnp.ptp(k),
    "trunc": lambda k: jnp.trunc(k), "round": lambda k: jnp.round(k, 1), "power": lambda k: jnp.power(k, k),
    "divmod": lambda k: jnp.divmod(k, k), "remainder": lambda k: k % k, "logical_not": lambda k: jnp.logical_not(k),
    "logical_and": lambda k: jnp.logical_and(k, True), "where": lambda k: jnp.where(k, k, k),
    "compress": lambda k: jnp.compress(k, k), "count_nonzero": lambda k: jnp.count_nonzero(k),
    "vander": lambda k: jnp.vander(k), "trace": lambda k: jnp.trace(k.reshape(2, 2)),
    "iscomplex": lambda k: jnp.iscomplex(k), "bincount": lambda k: jnp.bincount(jnp.arange(4), k), "sum": lambda k: k.sum(),
    "sort": lambda k: jnp.sort(k),
}


@pytest.mark.parametrize("name", NEED_NUMBERS)
def test_what_needs_numbers_refuses_keys(name):
    with pytest.raises(PerspicaxError, match=r"is not defined for key<fry>") as caught:
        NEED_NUMBERS[name](random.split(random.key(0), 4))
    assert isinstance(caught.value, TypeError)


def test_a_report_says_why_keys_are_refused():
    with pytest.raises(UfuncDtypeError, match=r"`jnp.max` is not defined for key<fry>\[3\][^~]*a key is no number"):
        random.split(random.key(0), 3).max()


def test_keys_are_put_on_diagonals_compared_and_resized():
    keys = random.split(random.key(0), 2)
    words = np.asarray(random.key_data(keys))
    square = np.asarray(random.key_data(jnp.diag(keys, 1)))
    assert np.array_equal(square[[0, 1], [1, 2]], words) and np.count_nonzero(square.any(-1)) == 2
    assert np.array_equal(np.asarray(random.key_data(jnp.diagflat(keys[0]))), words[:1, None])
    assert np.asarray(jnp.isclose(keys, keys[0])).tolist() == [True, False]
    assert np.asarray(jnp.isin(keys, keys[1:])).tolist() == [False, True]
    assert jnp.resize(keys, (0, 2)).shape == (0, 2)


CONVERSIONS = {
    "words of keys": (lambda k: k.astype("uint32"), "jax.random.key_data(keys)"),
    "keys of words": (lambda k: random.key_data(k).astype(k.dtype), "jax.random.wrap_key_data(words)"),
    "view": (lambda k: k.view("uint32"), "`view` was given the dtype key<fry>"),
    "view as keys": (lambda k: random.key_data(k).view(k.dtype), "`view` was given the dtype key<fry>"),
    "dlpack": (np.from_dlpack, "jax.random.key_data(key)"),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_keys_are_not_converted_and_the_report_says_what_to_call(name):
    """NumPy's view of a key would go past the ledger of used keys."""
    convert, said = CONVERSIONS[name]
    with pytest.raises(PerspicaxError) as caught:
        convert(random.split(random.key(0)))
    report = caught.value.report  # its text would show the line of this file, too
    assert isinstance(caught.value, TypeError) and said in [report.says[:len(said)], *[fix.code for fix in report.fixes]]


def test_keys_as_their_own_dtype_are_the_keys():
    keys = random.split(random.key(0))
    np.testing.assert_array_equal(words(keys.astype(keys.dtype)), words(keys))
