"""Draws that are made again and again: a program of the whole call, with the bits of the steps."""
from __future__ import annotations

import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import perspicax.numpy as jnp
from perspicax import live_arrays, random
from perspicax.core.config import debug_key_reuse, enable_x64
from perspicax.core.tracer_errors import KeyReuseError
from perspicax.random import draws
from perspicax.random.errors import SampleShapeError
from perspicax.sanitize import switch  # noqa: F401  (the option `debug_key_reuse` starts the ledger)
from perspicax.xla import compile as compilation

MEAN, COV = np.array([.5, -1., 2.], np.float32), np.array([[2., .3, .1], [.3, 1.5, .2], [.1, .2, 1.1]], np.float32)
CALLS = {
    "uniform": lambda k: random.uniform(k, (5, 4), minval=-1., maxval=3),
    "normal": lambda k: random.normal(k, (37,)),
    "truncated_normal": lambda k: random.truncated_normal(k, np.float32(-1.), np.ones(4), (5, 4)),
    "randint": lambda k: random.randint(k, [20], -3, jnp.array(1000), "int8"),
    "split": lambda k: random.key_data(random.split(k, 300)),
    "permutation": lambda k: random.permutation(k, 9),
    "choice": lambda k: random.choice(k, jnp.arange(4.), (30,), p=np.array([.1, .2, .3, .4], np.float32)),
    "multivariate_normal": lambda k: random.multivariate_normal(k, MEAN, COV, (7,)),
    "orthogonal": lambda k: random.orthogonal(k, 3),
    "maxwell": lambda k: random.maxwell(k, (30,)),
    "double_sided_maxwell": lambda k: random.double_sided_maxwell(k, MEAN, 2.3, (5,)),
}


@pytest.fixture
def hurry(monkeypatch):
    """Each call takes a hundred seconds, so that one pays for the program."""
    ticks = itertools.count(step=100.)
    return lambda: monkeypatch.setattr(draws, "time", SimpleNamespace(process_time=lambda: next(ticks)))


@pytest.mark.parametrize("name", CALLS)
def test_the_program_of_the_whole_gives_the_bits_of_the_steps(name, hurry):
    one, other = random.key(7), random.PRNGKey(8)
    in_steps = [CALLS[name](k) for k in (one, one, other, other)]
    hurry()
    for key, expected in ((one, in_steps[0]), (other, in_steps[2])):
        CALLS[name](key)  # compiles it
        found = CALLS[name](key)
        assert found.aval is expected.aval and not found._committed
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected), strict=True)


def test_numbers_are_operands_and_shapes_are_not(hurry):
    key, bounds = random.key(3), [(0., 1.), (-0., 1.), (2., 5.)]
    expected = [[random.uniform(key, shape, None, *b) for b in bounds] for shape in ((11,), (2, 3))]
    hurry()
    for shape, wanted in zip(((11,), (2, 3)), expected):
        random.uniform(key, shape, None, 7., 8.)
        found = [random.uniform(key, shape, None, *b) for b in bounds]
        np.testing.assert_array_equal(found, wanted)


def test_what_was_checked_once_is_checked_where_it_differs(hurry):
    key = random.key(5)
    random.uniform(key, (3,))
    hurry()
    for _ in range(3):
        random.uniform(key, (3,))
        random.uniform(key, (3,), minval=jnp.zeros(3))
        random.uniform(key, (3,), None, 0., 1.)
        random.uniform(key, np.array([3]))
    with pytest.raises(SampleShapeError):
        random.uniform(key, (3,), minval=jnp.zeros(4))
    with pytest.raises(TypeError, match="positional"):
        random.uniform(key, (3,), None, 0., 1., None)
    with enable_x64(True):
        assert random.uniform(key, (3,)).dtype == np.float64
    with debug_key_reuse(True), pytest.raises(KeyReuseError):
        again = random.key(6)
        random.uniform(again, (3,))
        random.uniform(again, (3,))


def test_few_calls_compile_nothing(monkeypatch):
    key = random.key(0)
    random.normal(key, (3, 3))
    ticks = itertools.count(step=draws.PRICE / 10)
    monkeypatch.setattr(draws, "time", SimpleNamespace(process_time=lambda: next(ticks)))
    monkeypatch.setattr(sys.modules["perspicax.random.bits"], "KERNEL", float("inf"))
    counts = []
    for _ in range(12):
        random.normal(key, (3, 3))
        counts.append(sum(compilation.compiled.values()))
    assert counts[0] == counts[7] < counts[11] == counts[7] + 1


class Held:
    """An object that holds an array."""

    def __jax_array__(self):
        return self.value


def test_what_may_be_another_one_at_the_next_call_is_no_constant(hurry):
    key, held, likely = random.key(1), Held(), [jnp.array([0., 50.]), jnp.array([50., 0.])]
    hurry()
    for _ in range(3):
        for answer, held.value in zip((1, 0), likely):
            assert int(random.categorical(key, held)) == answer
        for n in (3, 5):
            assert random.permutation(key, jnp.array(n)).shape == (n,)
            assert random.normal(key, np.array([2, n])).shape == (2, n)
            assert random.choice(key, jnp.array(n), (np.int32(2),), np.array(False)).shape == (2,)
            assert random.orthogonal(key, np.array(n)).shape == (n, n)


def test_numbers_that_are_kept_for_programs_are_no_live_arrays() -> None:
    key = random.key(0)
    random.bernoulli(key, 0.25)
    before = len(live_arrays())
    random.bernoulli(key, 0.123456)  # a number that was not met before
    assert len(live_arrays()) == before
