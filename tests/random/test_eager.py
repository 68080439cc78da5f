"""Samples that are computed at once are those of the program of the whole distribution, and need none for each shape."""
from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import perspicax as jax
import perspicax.flax.linen as nn
from perspicax import random
from perspicax.core.config import threefry_partitionable
from perspicax.random import chunks, continuous, counting, discrete, gammas, piecewise, sampling, threefry, trials
from perspicax.random.bits import KERNEL, Distribution
from perspicax.xla import compile as compilation

KEY = random.key(11)
F32 = np.float32

# parameters are operands of both programs: XLA would fold constants
LOOPS = {
    "gamma": (random.gamma, (F32([2.5, .3, 40., 1.]),)),
    # what NumPy takes for small numbers and XLA for 0, and what has samples that do not fit
    "poisson": (random.poisson, (F32([3, 300, 0, np.nan, -1, 1e-45, -1e-40, 1e-38, 9.9999, 10, 3e9, 1e12, np.inf]),)),
    "binomial": (random.binomial, (F32([10, 1000, -1, np.inf]), F32([.2, .7, .5, .5]))),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_on_the_host_give_the_samples_of_the_program(name):
    """What is drawn depends on the key and the index, and of transformed rejection on when all elements are done."""
    draw, parameters = LOOPS[name]
    parameters = [np.broadcast_to(x, (50, *x.shape)) for x in parameters]
    at_once = np.asarray(draw(KEY, *parameters))
    whole = np.asarray(jax.jit(draw)(KEY, *parameters))
    assert at_once.tobytes() == whole.tobytes()


def test_the_other_layout_of_counters_on_the_host():
    with threefry_partitionable(False):
        for draw, parameters in LOOPS.values():
            parameters = [x[:2] for x in parameters]
            assert np.asarray(draw(KEY, *parameters)).tobytes() == np.asarray(jax.jit(draw)(KEY, *parameters)).tobytes()


def compilations(call):
    before = compilation.programs()
    np.asarray(call())
    return compilation.programs() - before


SHAPELESS = {
    "beta": lambda s: random.beta(KEY, 2., 3., s),
    "binomial": lambda s: random.binomial(KEY, 10., .2, s),
    "chisquare": lambda s: random.chisquare(KEY, 3., s),
    "complex normal": lambda s: random.normal(KEY, s, "complex64"),
    "double_sided_maxwell": lambda s: random.double_sided_maxwell(KEY, 1., 2., s),
    "gamma": lambda s: random.gamma(KEY, 2.5, s),
    "geometric": lambda s: random.geometric(KEY, .2, s),
    "lognormal": lambda s: random.lognormal(KEY, 1.5, s),
    "maxwell": lambda s: random.maxwell(KEY, s),
    "poisson": lambda s: random.poisson(KEY, 3., s),
    "rademacher": lambda s: random.rademacher(KEY, s),
    "t": lambda s: random.t(KEY, 3., s),
    "triangular": lambda s: random.triangular(KEY, 0., .3, 1., s),
    "wald": lambda s: random.wald(KEY, 2., s),
    "weibull_min": lambda s: random.weibull_min(KEY, 2., 3., s),
}


FREQUENT = {
    "normal": lambda n: random.normal(KEY, (n, 3)),
    "uniform": lambda n: random.uniform(KEY, (n, 2)),
    "bits": lambda n: random.bits(KEY, (n,)),
    "permutation": lambda n: random.permutation(KEY, n),
    "randint": lambda n: random.randint(KEY, (n,), 0, n),
}


class Convolutions(nn.Module):
    @nn.compact
    def __call__(self, x):
        for features in (11, 13, 17, 19, 23):
            x = nn.LayerNorm()(nn.gelu(nn.Conv(features, (3,))(x)))
        return nn.Dense(7)(x.mean(1))


def compilations_of_new_shapes():
    """Of each distribution, when it has been drawn in other shapes. What is drawn often gets programs of its own: not here."""
    prices = (("piecewise", "PRICE"), ("bits", "KERNEL"), ("bits", "OFTEN"), ("chunks", "SPARED"), ("threefry", "OFTEN"),
              ("draws", "PRICE"))
    for name, price in prices:
        module = sys.modules[f"perspicax.random.{name}"]
        assert hasattr(module, price)
        setattr(module, price, float("inf"))
    found = {}
    for name, draw in SHAPELESS.items():
        draw((7,))
        draw((40, 3))
        found[name] = [compilations(lambda: draw((5, 6))), compilations(lambda: draw((31,)))]
    for shape in ((3,), (4, 5), (70, 3)):
        random.normal(KEY, shape)
    for name, draw in FREQUENT.items():
        found[name] = [compilations(lambda: draw(n)) for n in (20, 27, 39)]
    x = jax.numpy.ones((2, 3, 5))
    nn.Dense(3).init(KEY, x)
    found["init"] = [compilations(lambda: Convolutions().init(KEY, x)["params"]["Conv_4"]["kernel"])]
    return found


@pytest.fixture(scope="module")
def new_shapes():
    """In a process of its own: what counts is how often anything was drawn before."""
    shown = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True).stdout
    return json.loads(shown)


@pytest.mark.parametrize("name", [*SHAPELESS, *FREQUENT, "init"])
def test_a_new_shape_needs_no_new_program(name, new_shapes):
    """The reason for all this: many shapes, few compilations. Those of a model are many, and most of it is not computed."""
    assert set(new_shapes[name]) == {0}


def test_what_is_drawn_often_gets_a_program_of_its_own(monkeypatch):
    """Steps on the host are a rent: when as much is paid as a program costs to compile, there is one; the samples stay."""
    once = np.asarray(random.poisson(KEY, 4., (3,)))
    monkeypatch.setattr(piecewise, "PRICE", 0.)
    assert np.asarray(random.poisson(KEY, 4., (3,))).tolist() == once.tolist()


FAST = [
    (sampling._normal_samples, ()),
    (sampling._uniform_samples, (-1.25, 2.5)), (sampling._truncated_samples, (-2., 1.5)), (sampling._exponential_samples, ()),
    (sampling._laplace_samples, ()), (sampling._logistic_samples, ()), (continuous._lognormal_samples, (1.5,)),
    (continuous._triangular_samples, (0., .3, 1.)), (continuous._pareto_samples, (2.5,)),
    (continuous._rayleigh_samples, (2.5,)), (continuous._weibull_samples, (2.5, 1.5)), (discrete._coins, (.3,)),
    (counting._geometric_samples, (.2,)), (discrete._signs, ()), (sampling._gumbel_samples, ()),
]
STATIC = {"_bernoulli": (("mode", "low"),), "_geometric": (("wanted", np.dtype(np.int32)),), "_gumbel": (("mode", "low"),),
          "_rademacher": (("wanted", np.dtype(np.int32)),), "_weibull": (("wanted", np.dtype(F32)),)}


@pytest.mark.parametrize(("samples", "parameters"), FAST, ids=lambda x: getattr(getattr(x, "program", None), "name", None))
def test_fast_compilation_gives_the_same_samples(samples, parameters):
    """Of one in 32 of all 2**23 uniform numbers that float32 samples are made of."""
    program = samples.program
    assert program.fast
    slow = chunks.FixedProgram(program.name, program.body)
    place = gammas.Place(None, False)
    words = (np.arange(0, 1 << 23, 32, dtype=np.uint32) + 5 << np.uint32(9))
    static = (("dtype", np.dtype(F32)), *STATIC.get(program.name, ()))
    operands = [words, *[np.asarray(x, F32) for x in parameters]]
    found = [chunks.mapped(p, place, operands, static)[0] for p in (program, slow)]
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("n", [1, 2])
def test_vectors_are_those_of_the_program_of_the_whole(n):
    """Of one axis their last bits would not be, if they were made in steps."""
    mean, cov = F32([1e-40, 3.])[:n], np.eye(2, dtype=F32)[:n, :n] * F32(2.3) + F32(.3)
    draw = lambda mean, cov: random.multivariate_normal(KEY, mean, cov, (5, 3))
    assert np.asarray(draw(mean, cov)).tobytes() == np.asarray(jax.jit(draw)(mean, cov)).tobytes()


def of_poisson(rng, n):
    mean = rng.uniform(10, 300, n).astype(F32)
    bits = rng.integers(0, 1 << 32, (2, n), np.uint64).astype(np.uint32)
    hat = yield counting._poisson_hat_program, [mean]
    yield counting._proposed_program, [*bits, *hat]
    yield counting._one_more_program, [bits[0], -mean / 30, np.zeros(n, np.int32), -rng.exponential(3, n).astype(F32)]


def of_binomial(rng, n):
    count, p = rng.integers(20, 1000, n).astype(F32), rng.uniform(0, 1, n).astype(F32)
    bits = rng.integers(0, 1 << 32, (2, n), np.uint64).astype(np.uint32)
    whole, few, _, q, logarithm = yield trials._binomial_start_program, [count, p]
    hat = yield trials._hat_program, [np.where(few, F32(trials.TRIALS), whole), np.where(few, F32(trials.FAIR), q)]
    found, _ = yield trials._successes_program, [*bits, *hat]
    gaps = rng.integers(0, 9, n).astype(F32)
    yield trials._one_gap_program, [bits[0], whole, logarithm, gaps, whole * rng.uniform(0, 1.2, n).astype(F32)]
    yield trials._binomial_program, [count, p, few, gaps, found]


@pytest.mark.parametrize("programs", [of_poisson, of_binomial])
def test_fast_compilation_gives_the_same_counts(programs):
    steps, place = programs(np.random.default_rng(0), 1 << 15), gammas.Place(None, False)
    program, operands = next(steps)
    while True:
        assert program.fast
        slow = chunks.FixedProgram(program.name, program.body)
        found, expected = [chunks.mapped(p, place, operands) for p in (program, slow)]
        assert [x.tobytes() for x in found] == [x.tobytes() for x in expected], program.name
        try:
            program, operands = steps.send(found)
        except StopIteration:
            return


@pytest.mark.parametrize("n", [3, 5000])
def test_blocks_under_different_keys(n, monkeypatch):
    """By NumPy and by the kernel; counters of more than 32 bits too."""
    rng = np.random.default_rng(0)
    k0, k1 = rng.integers(0, 1 << 32, (2, n), np.uint64).astype(np.uint32)
    counters = rng.integers(0, 1 << 63, n, np.uint64)
    place = gammas.Place(None, False)
    by_numpy = threefry.blocks_at(k0, k1, counters, place)
    monkeypatch.setattr(threefry, "OFTEN", 0)
    by_kernel = threefry.blocks_at(k0, k1, counters, place)
    for a, b in zip(by_numpy, by_kernel):
        assert a.tolist() == b.tolist()
    i = n // 2
    whole = threefry.block_of_ints(int(k0[i]), int(k1[i]), int(counters[i]) >> 32, int(counters[i]) & 0xFFFFFFFF)
    assert (int(by_numpy[0][i]), int(by_numpy[1][i])) == whole


def test_the_first_array_does_not_search_for_plugins():
    """Looking for accelerators among all installed packages takes 30 ms, and nobody asked for one."""
    program = "import sys, perspicax as p; p.random.normal(p.random.key(0)); print('importlib.metadata' in sys.modules)"
    env = {k: v for k, v in os.environ.items() if k != "JAX_PLATFORMS"}
    shown = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "False"


def test_counts_of_trials_when_all_or_none_are_few():
    for n, p in ((1e4, .5), (3., .1)):
        x = np.asarray(random.binomial(KEY, n, p, (200,)))
        assert abs(x.mean() - n * p) < 6 * np.sqrt(n * p * (1 - p) / 200)
    assert trials._binomial_samples.rents


def test_who_draws_the_same_often_gets_the_same_from_a_kernel_of_its_own():
    samples = Distribution(sampling._uniform, fast=True)
    drawn = [np.asarray(samples(random.key(3), -1., 2., shape=(5,), dtype=np.dtype(np.float32))) for _ in range(2)]
    samples.spent = dict.fromkeys(samples.spent, KERNEL + 1)
    drawn.append(np.asarray(samples(random.key(3), -1., 2., shape=(5,), dtype=np.dtype(np.float32))))
    assert len(samples.staged.cache) == 1
    assert drawn[0].tobytes() == drawn[1].tobytes() == drawn[2].tobytes()


@pytest.mark.parametrize("draw", [random.gamma, random.loggamma], ids=lambda f: f.__name__)
def test_samples_that_are_no_numbers_are_told_where_this_is_asked_for(draw):
    with jax.debug_nans(True):
        assert draw(KEY, 2., (3,)).shape == (3,)
        with pytest.raises(FloatingPointError):
            draw(KEY, -1.5, (3,))


def test_t_has_the_shape_of_its_degrees_of_freedom():
    assert random.t(KEY, np.array([3., 4., 5.], np.float32)).shape == (3,)


def test_many_new_keys_of_a_kernel_are_those_of_numpy(monkeypatch):
    n = chunks.SMALL + 5
    by_numpy = np.asarray(random.key_data(random.split(KEY, n)))
    monkeypatch.setattr(threefry, "HOST_BITS", chunks.SMALL)
    by_kernel = np.asarray(random.key_data(random.split(KEY, (n, 1))))[:, 0]
    assert by_kernel.tolist() == by_numpy.tolist()
    assert threefry._many_keys.cut


@pytest.mark.parametrize("draw", [random.pareto, random.lognormal], ids=lambda f: f.__name__)
def test_smaller_parameters_give_the_samples_of_the_program(draw):
    """XLA divides by a number that it spreads itself by multiplying with its reciprocal."""
    x = np.random.default_rng(0).uniform(.5, 4., 3).astype(F32)
    at_once = np.asarray(draw(KEY, x, (40, 3)))
    assert at_once.tobytes() == np.asarray(jax.jit(lambda key, x: draw(key, x, (40, 3)))(KEY, x)).tobytes()


if __name__ == "__main__":
    print(json.dumps(compilations_of_new_shapes()))
