"""XLA's own random bits: types, ranges, what a key determines, and mistakes."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from perspicax import lax
from perspicax.core.errors import RuleMissingError
from perspicax.lax.errors import OperandDtypeError, OperandMismatchError, OperationShapeError
from perspicax.transform.grad import grad
from perspicax.transform.vmap import vmap

KEY = np.arange(4, dtype=np.uint32)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_a_key_determines_its_bits(dtype: Any) -> None:
    key, bits = lax.rng_bit_generator(KEY, (50, 2), dtype)
    again = lax.rng_bit_generator(KEY, (50, 2), dtype)[1]
    later = lax.rng_bit_generator(key, (50, 2), dtype)[1]
    assert (bits.shape, bits.dtype) == ((50, 2), dtype)
    np.testing.assert_array_equal(bits, again)
    assert (np.asarray(bits) != np.asarray(later)).mean() > .9
    assert np.asarray(bits).max() > np.iinfo(dtype).max * .9


def test_algorithms_differ() -> None:
    streams = [np.asarray(lax.rng_bit_generator(KEY, 8, algorithm=a)[1]) for a in
               (lax.RandomAlgorithm.RNG_THREE_FRY, lax.RandomAlgorithm.RNG_PHILOX)]
    assert (streams[0] != streams[1]).all()


def test_vmap_makes_all_bits_of_the_first_key() -> None:
    keys = np.stack([KEY, KEY + 9])
    moved, bits = vmap(lambda k: lax.rng_bit_generator(k, (3,)))(keys)
    after, wanted = lax.rng_bit_generator(KEY, (2, 3))
    np.testing.assert_array_equal(bits, wanted)
    np.testing.assert_array_equal(moved, [after, keys[1]])


@pytest.mark.parametrize(("low", "high"), [(2., 3.), (-5, 5)])
def test_uniform_numbers_lie_between_their_bounds(low: Any, high: Any) -> None:
    found = np.asarray(lax.rng_uniform(low, high, (400,)))
    assert low <= found.min() < low + .1 * (high - low) + (found.dtype.kind == "i")
    assert high - .1 * (high - low) - 2 * (found.dtype.kind == "i") < found.max() < high


def test_what_cannot_be_done_says_why() -> None:
    with pytest.raises(RuleMissingError) as derivative:
        grad(lambda a: lax.reduce_sum(lax.rng_uniform(a, 1., (3,)), (0,)))(0.)
    assert derivative.value.rule == "jvp"
    with pytest.raises(RuleMissingError) as batching:
        vmap(lambda a: lax.rng_uniform(a, 1., (3,)))(np.zeros(2, np.float32))
    assert batching.value.rule == "batch"


@pytest.mark.parametrize(("call", "error"), [
    (lambda: lax.rng_bit_generator(KEY[:2], 3), OperationShapeError),
    (lambda: lax.rng_bit_generator(KEY, 3, np.int32), OperandDtypeError),
    (lambda: lax.rng_bit_generator(KEY, 3, algorithm=9), OperationShapeError),
    (lambda: lax.rng_uniform(0., np.ones(3, np.float32), 3), OperationShapeError),
    (lambda: lax.rng_uniform(0, 1., 3), OperandMismatchError),
    (lambda: lax.rng_uniform(False, True, 3), OperandDtypeError),
])
def test_mistakes(call: Any, error: type) -> None:
    with pytest.raises(error):
        call()
