"""The distributions made of several draws against real JAX: the same bits, types and derivatives."""
from __future__ import annotations

import warnings

import jax
import jax.extend.random as their_extension
import jax.random as theirs
import numpy as np
import pytest

import perspicax
import perspicax.extend.random as our_extension
import perspicax.random as ours
from perspicax.core.config import enable_x64

pytestmark = pytest.mark.oracle

SEED = 42
MEAN, COV = np.float32([1, 2]), np.float32([[2, .5], [.5, 1]])


def value(x):
    return np.asarray(ours.key_data(x) if "key<" in str(x.dtype) and type(x).__module__.startswith("perspicax")
                      else theirs.key_data(x) if "key<" in str(x.dtype) else x)


def same(a, b):
    assert str(a.dtype) == str(b.dtype)
    assert a.shape == b.shape
    assert bool(getattr(a, "weak_type", False)) == bool(getattr(b, "weak_type", False))
    assert value(a).tobytes() == value(b).tobytes()


SAMPLES = {
    "ball": lambda r, k, s: r.ball(k, 3, 2., s),
    "beta": lambda r, k, s: r.beta(k, np.float32([2., .2, 3.]), 3., (*s, 3)),
    "binomial": lambda r, k, s: r.binomial(k, np.float32([10, 1000, np.nan]), np.float32([.2, .7, .1]), (*s, 3)),
    "chisquare": lambda r, k, s: r.chisquare(k, 3., s),
    "dirichlet": lambda r, k, s: r.dirichlet(k, np.float32([1, 2, .5]), s),
    "f": lambda r, k, s: r.f(k, 2., 3., s),
    "gamma": lambda r, k, s: r.gamma(k, np.float32([2.5, .3, 40.]), (*s, 3)),
    "gamma bfloat16": lambda r, k, s: r.gamma(k, 2.5, s, "bfloat16"),
    "loggamma": lambda r, k, s: r.loggamma(k, .01, s),
    "generalized_normal": lambda r, k, s: r.generalized_normal(k, 2., s),
    "geometric": lambda r, k, s: r.geometric(k, .2, s),
    "geometric int8": lambda r, k, s: r.geometric(k, np.float16(.2), s, "int8"),
    "lognormal": lambda r, k, s: r.lognormal(k, 1.5, s),
    "maxwell": lambda r, k, s: r.maxwell(k, s),
    "multinomial": lambda r, k, s: r.multinomial(k, 10, np.float32([.2, .3, .5]), shape=(*s, 3)),
    "multivariate_normal": lambda r, k, s: r.multivariate_normal(k, MEAN, COV, s),
    "multivariate_normal eigh": lambda r, k, s: r.multivariate_normal(k, MEAN, COV, s, method="eigh"),
    "multivariate_normal svd": lambda r, k, s: r.multivariate_normal(k, MEAN, COV, s, method="svd"),
    "orthogonal": lambda r, k, s: r.orthogonal(k, 3, s),
    "orthogonal m": lambda r, k, s: r.orthogonal(k, 2, s, m=3),
    "orthogonal complex": lambda r, k, s: r.orthogonal(k, 2, s, "complex64"),
    "pareto": lambda r, k, s: r.pareto(k, 2., s),
    "poisson": lambda r, k, s: r.poisson(k, np.float32([3, 300, 0]), (*s, 3)),
    "poisson int8": lambda r, k, s: r.poisson(k, 30., s, "int8"),
    "rademacher": lambda r, k, s: r.rademacher(k, s),
    "rademacher float16": lambda r, k, s: r.rademacher(k, s, "float16"),
    "rayleigh": lambda r, k, s: r.rayleigh(k, 2., s),
    "t": lambda r, k, s: r.t(k, 2., s),
    "triangular": lambda r, k, s: r.triangular(k, 0., .3, 1., s),
    "wald": lambda r, k, s: r.wald(k, 2., s),
    "weibull_min": lambda r, k, s: r.weibull_min(k, 2., 3., s),
}


# what JAX takes some seconds each to compile
SLOW = ("ball", "beta", "chisquare", "dirichlet", "f", "generalized_normal", "multinomial", "t", "gamma bfloat16",
        "loggamma", "poisson int8")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in SAMPLES])
def test_samples_are_bit_equal(name):
    f = SAMPLES[name]
    same(f(ours, ours.key(SEED), (7,)), f(theirs, theirs.key(SEED), (7,)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma", "t", "poisson", "multivariate_normal"])
def test_samples_under_jit_are_bit_equal(name):
    f = SAMPLES[name]
    same(perspicax.jit(lambda k: f(ours, k, (7,)))(ours.key(SEED)), jax.jit(lambda k: f(theirs, k, (7,)))(theirs.key(SEED)))


def test_truncated_normal_has_derivatives_by_its_bounds():
    found = []
    for lib in (perspicax, jax):
        f = lambda x, lib=lib: lib.random.truncated_normal(lib.random.key(3), x, x + 3., (4,)).sum()
        found.append(float(lib.grad(f)(-1.)))
    assert found[0] == pytest.approx(found[1], rel=1e-6)


LENGTHS = [("float32", (100,)), ("float32", (1500,)), ("float16", (50,)), ("bfloat16", (50,)), ("bfloat16", (1500,))]
MOVED = np.float32([-1.1, .3])


@pytest.mark.parametrize(("dtype", "shape"), LENGTHS)
def test_lengths_are_bit_equal_at_once_and_under_jit(dtype, shape):
    """XLA contracts a sum of squares in one order where they are few, and in none where they are many."""
    f = lambda r, k: r.maxwell(k, shape, dtype)
    wanted = f(theirs, theirs.key(SEED))
    same(f(ours, ours.key(SEED)), wanted)
    same(perspicax.jit(lambda k: f(ours, k))(ours.key(SEED)), wanted)


@pytest.mark.parametrize("shape", [(50,), (2000,)])
def test_moved_lengths_are_bit_equal_at_once_and_under_jit(shape):
    """Where the mean cancels most of a sample, a last bit of its length would be many."""
    f = lambda r, k: r.double_sided_maxwell(k, MOVED, 2.3, shape)
    wanted = f(theirs, theirs.key(SEED))
    same(f(ours, ours.key(SEED)), wanted)
    same(perspicax.jit(lambda k: f(ours, k))(ours.key(SEED)), wanted)


def test_lengths_of_64_bits_are_bit_equal():
    with enable_x64(True), jax.enable_x64(True):
        same(*[r.maxwell(r.key(SEED), (50,)) for r in (ours, theirs)])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_of_16_bit_numbers_are_bit_equal(dtype):
    same(*[r.dirichlet(r.key(SEED), np.float32([.5, 1, 3, 2]).astype(dtype), (40,), dtype) for r in (ours, theirs)])
    same(*[r.ball(r.key(SEED), 3, 3., (1500,), dtype) for r in (ours, theirs)])


def test_single_samples_are_bit_equal():
    """XLA contracts in scalars what it does not in arrays."""
    for seed in range(3):
        same(ours.wald(ours.key(seed), 2.), theirs.wald(theirs.key(seed), 2.))
    for seed in range(20):
        same(ours.lognormal(ours.key(seed), 1.5), theirs.lognormal(theirs.key(seed), 1.5))


def test_shapes_of_double_sided_maxwell():
    for shape in ((), (2,)):
        a = ours.double_sided_maxwell(ours.key(0), np.zeros(3, np.float32), 1., shape)
        b = theirs.double_sided_maxwell(theirs.key(0), np.zeros(3, np.float32), 1., shape)
        assert a.shape == b.shape


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma", "poisson", "binomial"])
def test_samples_of_64_bits_are_bit_equal(name):
    with enable_x64(True), jax.enable_x64(True):
        f = SAMPLES[name]
        same(f(ours, ours.key(SEED), (7,)), f(theirs, theirs.key(SEED), (7,)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma", "loggamma", "beta"])
def test_derivatives_agree(name):
    a = np.float32([.3, 2.5, 40.])
    draw = {"gamma": lambda r, a: r.gamma, "loggamma": lambda r, a: r.loggamma,
            "beta": lambda r, a: lambda k, a: r.beta(k, a, 3.)}[name]
    found = perspicax.grad(lambda a: draw(ours, a)(ours.key(SEED), a).sum())(a)
    wanted = jax.grad(lambda a: draw(theirs, a)(theirs.key(SEED), a).sum())(a)
    np.testing.assert_allclose(found, wanted, rtol=2e-6)


# -- generators

KEY_FUNCTIONS = {
    "split": lambda r, x, k: r.split(k, (2, 3)),
    "fold_in": lambda r, x, k: r.fold_in(k, 7),
    "bits": lambda r, x, k: r.bits(k, (5,)),
    "bits uint8": lambda r, x, k: r.bits(k, (5,), "uint8"),
    "normal": lambda r, x, k: r.normal(k, (5, 3)),
    "randint": lambda r, x, k: r.randint(k, (5,), 0, 10),
    "permutation": lambda r, x, k: r.permutation(k, 7),
    "bits of a batch": lambda r, x, k: x.vmap(lambda k: r.bits(k, (2,)))(r.split(k, 3)),
    "split of a batch": lambda r, x, k: x.vmap(r.split)(r.split(k, 3)),
    "fold_in of one number": lambda r, x, k: x.vmap(lambda k: r.fold_in(k, 5))(r.split(k, 3)),
    "fold_in of a batch": lambda r, x, k: x.vmap(r.fold_in)(r.split(k, 3), np.arange(3)),
}


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
@pytest.mark.parametrize("name", KEY_FUNCTIONS)
def test_hardware_generators_are_bit_equal(name, impl):
    f = KEY_FUNCTIONS[name]
    same(f(ours, perspicax, ours.key(5, impl=impl)), f(theirs, jax, theirs.key(5, impl=impl)))


def own(extension, r, uint32):
    return extension.define_prng_impl(
        key_shape=(1,), name="own", tag="own",
        seed=lambda seed: seed.astype(uint32).reshape(1),
        split=lambda k, shape: (k[0] * np.uint32(31) + np.arange(np.prod(shape), dtype=uint32)).reshape(*shape, 1),
        random_bits=lambda k, width, shape: (k[0] * np.uint32(2654435761) + np.arange(np.prod(shape), dtype=uint32)
                                             * np.uint32(40503)).reshape(shape).astype(f"uint{width}"),
        fold_in=lambda k, data: k ^ data.astype(uint32))


@pytest.mark.parametrize("name", KEY_FUNCTIONS)
def test_a_generator_of_ones_own(name):
    mine, yours = own(our_extension, ours, "uint32"), own(their_extension, theirs, "uint32")
    k, j = ours.key(9, impl=mine), theirs.key(9, impl=yours)
    assert str(k.dtype) == str(j.dtype) == "key<own>"
    f = KEY_FUNCTIONS[name]
    same(f(ours, perspicax, k), f(theirs, jax, j))


@pytest.mark.parametrize("n", [0, 5, 6])
def test_the_block_function(n):
    count, pair = np.arange(n, dtype=np.uint32), np.uint32([1, 2])
    same(our_extension.threefry_2x32(perspicax.numpy.asarray(pair), count), their_extension.threefry_2x32(pair, count))


ERRORS = {
    "poisson of rbg": (NotImplementedError, lambda r: r.poisson(r.key(0, impl="rbg"), 3.)),
    "beta shape": (ValueError, lambda r: r.beta(r.key(0), np.ones(3, np.float32), 1., (2,))),
    "geometric float": (ValueError, lambda r: r.geometric(r.key(0), .5, (2,), "float32")),
    "gamma int": (ValueError, lambda r: r.gamma(r.key(0), 2., (2,), "int32")),
    "dirichlet scalar": (ValueError, lambda r: r.dirichlet(r.key(0), 1.)),
    "multivariate_normal cov": (ValueError, lambda r: r.multivariate_normal(r.key(0), np.ones(2), np.ones((3, 3)))),
    "multivariate_normal method": (ValueError, lambda r: r.multivariate_normal(r.key(0), MEAN, COV, method="qr")),
    "multivariate_normal mean": (ValueError, lambda r: r.multivariate_normal(r.key(0), np.float32(1), COV)),
    "negative shape": (TypeError, lambda r: r.gamma(r.key(0), 2., (-1,))),
    "float seed": (TypeError, lambda r: r.key(1.5)),
    "several keys": (ValueError, lambda r: r.gamma(r.split(r.key(0)), 2.)),
    "no key": (TypeError, lambda r: r.poisson(3., 2.)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_of_the_class_that_jax_raises(name):
    kind, f = ERRORS[name]
    for room in (theirs, ours):
        with pytest.raises(kind):
            f(room)


WIDER = {
    "weibull_min": lambda r, k, x: r.weibull_min(k, x, x + 1, (2,), "float32"),
    "multivariate_normal": lambda r, k, x: r.multivariate_normal(k, x, np.diag(x + 1), (), "float32"),
}


@pytest.mark.parametrize("name", WIDER)
def test_of_wider_parameters_samples_have_the_dtype(name):
    with enable_x64(True), jax.enable_x64(True):
        x = np.array([.5, 1.5])
        mine = WIDER[name](ours, ours.key(SEED), x)
        assert mine.dtype == np.float64
        same(mine, WIDER[name](theirs, theirs.key(SEED), x))


def test_complex_lognormal_samples():
    same(*[r.lognormal(r.key(SEED), 1.5, (3,), "complex64") for r in (ours, theirs)])


SAMPLERS = {
    "uniform": ("float16", "bfloat16", "float32", "float64", "float8_e4m3fn"), "exponential": ("bfloat16", "float64"),
    "bits": ("uint8", "uint16", "uint64"), "rademacher": ("int8", "float64"), "gumbel": ("float16", "float64"),
}


@pytest.mark.parametrize("seed", range(4))
def test_dtypes_with_any_generator_option_and_way(seed):
    """A few of the combinations; more seeds compare more."""
    rng = np.random.default_rng(seed)
    name = list(SAMPLERS)[seed % len(SAMPLERS)]
    dtype, impl = str(rng.choice(SAMPLERS[name])), str(rng.choice(["threefry2x32", "rbg", "unsafe_rbg"]))
    wide, jitted, partitionable = [bool(b) for b in rng.integers(0, 2, 3)]
    drawn = []
    for module, room in ((perspicax, ours), (jax, theirs)):
        with module.enable_x64(wide), module.threefry_partitionable(partitionable):
            def draw(key, room=room):
                return getattr(room, name)(key, (3, 2), dtype)

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # 64 bits are asked for with x64 off, too
                drawn.append((module.jit(draw) if jitted else draw)(room.key(seed, impl=impl)))
    same(*drawn)
