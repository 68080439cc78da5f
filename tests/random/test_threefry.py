"""The block function, in its four forms, and the bits made of it."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import perspicax.lax.hook_table  # noqa: F401  (hands lax to the transformations)
from perspicax.core.config import enable_x64, threefry_partitionable
from perspicax.lax.random_bits import generators, random_bits_p, random_fold_in_p, random_split_p, threefry2x32_p
from perspicax.lax.threefry import block_in_place, block_of_ints, block_of_lanes, lanes_of, words_of_lanes
from perspicax.random import chunks, key, key_data, normal, split, threefry, wrap_key_data
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.errors import JaxRuntimeError

ONES = 0xFFFFFFFF
# The vectors that Random123 publishes with its sources (kat_vectors, threefry 2 32 20): key, counter, result.
KNOWN = [((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
         ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
         ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0))]

words = st.integers(0, ONES)


def jit(f):
    return JitFunction(f, JitOptions())


def u32(x):
    return np.asarray(x, np.uint32)


@pytest.mark.parametrize("keys, counter, result", KNOWN)
def test_known_answers_in_all_forms(keys, counter, result):
    assert block_of_ints(*keys, *counter) == result
    x0, x1 = u32([counter[0]] * 3), u32([counter[1]] * 3)
    block_in_place(*map(np.uint32, keys), x0, x1)
    assert x0.tolist() == [result[0]] * 3 and x1.tolist() == [result[1]] * 3
    compiled = jit(lambda *w: threefry2x32_p(*w))(*map(u32, (*keys, *counter)))
    assert tuple(int(x) for x in compiled) == result


@given(words, words, st.lists(st.tuples(words, words), min_size=1, max_size=5))
def test_numpy_gives_the_bits_of_integers(k0, k1, counters):
    x0, x1 = u32([c[0] for c in counters]), u32([c[1] for c in counters])
    block_in_place(np.uint32(k0), np.uint32(k1), x0, x1)
    assert list(zip(x0.tolist(), x1.tolist())) == [block_of_ints(k0, k1, *c) for c in counters]


@given(st.lists(st.tuples(words, words, words, words), min_size=1, max_size=5))
def test_lanes_of_an_integer_give_the_bits_of_each(operands):
    made = block_of_lanes(*[lanes_of(u32(x)) for x in zip(*operands)], lanes_of(u32([1] * len(operands))))
    found = [words_of_lanes(x, len(operands)).tolist() for x in made]
    assert list(zip(*found)) == [block_of_ints(*x) for x in operands]


@pytest.mark.parametrize("axes", [(0, None, 0, None), (None, None, 1, 0), (0, 0, 0, 0), (None, 0, None, None)])
def test_block_batches(axes):
    rng = np.random.default_rng(3)
    shapes = [(4,) if a is not None and i < 2 else () if i < 2 else (3,) if a is None else (4, 3) if a == 0 else (3, 4)
              for i, a in enumerate(axes)]
    args = [rng.integers(0, ONES, s, np.uint32) for s in shapes]
    together = vmap(lambda *w: tuple(threefry2x32_p(*w)), axes)(*args)
    for i in range(4):
        single = threefry2x32_p(*[x if a is None else np.take(x, i, a) for x, a in zip(args, axes)])
        for whole, one in zip(together, single):
            np.testing.assert_array_equal(np.asarray(whole)[i], np.asarray(one))


def drawn(k, width, shape):
    return np.asarray(random_bits_p(k, bit_width=width, shape=shape))


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_bits_are_the_same_by_every_way(width):
    """Python's integers, NumPy whole and in pieces, kernels of fixed size, and the program of exactly that shape."""
    sizes = (1, threefry.FEW_BLOCKS, threefry.FEW_BLOCKS + 1, threefry.IN_CACHE + 3, threefry.HOST_BITS + 5)
    with enable_x64(width == 64):
        k = key(7)
        whole = jit(lambda k: random_bits_p(k, bit_width=width, shape=(sizes[-1],)))(k)
        for n in sizes:
            np.testing.assert_array_equal(drawn(k, width, (n,)), np.asarray(whole)[:n])
        np.testing.assert_array_equal(drawn(k, width, (5, 7)).reshape(-1), np.asarray(whole)[:35])


def test_counters_go_on_beyond_32_bits():
    """The high word of a counter counts; checked where a piece begins there, since nobody makes so many bits at once."""
    first, second = np.empty(4, np.uint32), np.empty(4, np.uint32)
    threefry._count(np.uint32(1), np.uint32(2), (1 << 32) - 2, first, second)
    expected = [block_of_ints(1, 2, i >> 32, i & ONES) for i in range((1 << 32) - 2, (1 << 32) + 2)]
    assert list(zip(first.tolist(), second.tolist())) == expected


def test_bits_of_a_batch_of_keys_are_those_of_each():
    keys = random_split_p(key(1), shape=(3,))
    for n in (2, 50, threefry.IN_CACHE):
        together = drawn(keys, 32, (n,))
        staged = jit(lambda k, n=n: random_bits_p(k, bit_width=32, shape=(n,)))(keys)
        np.testing.assert_array_equal(together, np.asarray(staged))
        np.testing.assert_array_equal(together[1], drawn(wrap_key_data(np.asarray(key_data(keys))[1]), 32, (n,)))


@pytest.mark.parametrize("shape", [(), (2,), (3, 4), (0,), (40,)])
def test_split_and_fold_in_agree_with_their_programs(shape):
    k = key(11)
    np.testing.assert_array_equal(np.asarray(key_data(random_split_p(k, shape=shape))),
                                  np.asarray(jit(lambda k: key_data(random_split_p(k, shape=shape)))(k)))
    data = np.arange(int(np.prod(shape)), dtype=np.uint32).reshape(shape)
    np.testing.assert_array_equal(np.asarray(key_data(random_fold_in_p(k, data))),
                                  np.asarray(jit(lambda k, d: key_data(random_fold_in_p(k, d)))(k, data)))


def test_the_other_layout_of_counters_agrees_with_its_program():
    k = key(5)
    with threefry_partitionable(False):
        for width in (8, 16, 32):
            for shape in ((3,), (4, 2)):
                np.testing.assert_array_equal(
                    drawn(k, width, shape),
                    np.asarray(jit(lambda k, w=width, s=shape: random_bits_p(k, bit_width=w, shape=s))(k)))
        np.testing.assert_array_equal(np.asarray(key_data(random_split_p(k, shape=(3,)))),
                                      np.asarray(jit(lambda k: key_data(random_split_p(k, shape=(3,))))(k)))
        other = drawn(k, 32, (6,))
    assert (other != drawn(k, 32, (6,))).any()


def test_programs_follow_the_option_for_counters():
    """A text of the same equation that was emitted under the other option must not be used again."""
    k = key(5)

    def staged():
        return np.asarray(jit(lambda k: random_bits_p(k, bit_width=32, shape=(3,)))(k)).tolist()

    usual = staged()
    with threefry_partitionable(False):
        assert staged() == drawn(k, 32, (3,)).tolist() != usual
    assert staged() == usual


@pytest.mark.parametrize("n", [0, 1, chunks.TINY, chunks.SMALL, chunks.FEW, chunks.FEW + 1, 3 * chunks.LARGE + 17])
def test_pieces_cover_each_element_once(n):
    def program():
        return chunks.FixedProgram("nothing", lambda x: x)

    for found in (list(chunks.pieces(n)), list(program().pieces(n, ())), list(program().pieces(n, (), least=chunks.TINY))):
        found = found if n else []
        assert sum(stop - start for start, stop, _ in found) == n
        assert all(stop - start <= size for start, stop, size in found)
        assert [start for start, _, _ in found] == [0, *[stop for _, stop, _ in found]][:len(found)]
    assert chunks.sizes_of(n) == {size for _, _, size in chunks.pieces(n)}


@pytest.mark.parametrize("draw", [lambda k: normal(k, (10**7, 10**7)), lambda k: split(k, 10**13)])
def test_more_samples_than_memory_fail_at_once(draw):
    with pytest.raises(JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        draw(key(0))


def test_the_generator_is_registered():
    assert generators["threefry2x32"] is threefry.threefry
    assert repr(threefry.threefry) == "fry"
