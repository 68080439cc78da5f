"""Distributions: every way of sampling gives the same bits, and the samples are those of the distribution."""
from __future__ import annotations

import math

import numpy as np
import pytest

import perspicax.lax.hook_table  # noqa: F401  (hands lax to the transformations)
import perspicax.random as random
from perspicax.core import dtypes
from perspicax.core.config import disable_jit
from perspicax.core.errors import ShapeError
from perspicax.core.printer import check_jaxpr
from perspicax.core.trace import stage_flat
from perspicax.lax.sharding_errors import OutShardingError
from perspicax.random import chunks, discrete, sampling, threefry
from perspicax.random.bits import BITS_DTYPES, OFTEN, GivenBits, bit_width
from perspicax.random.errors import (
    ParameterTypeError,
    SampleDTypeError,
    SampleShapeError,
    SamplingError,
    SamplingIndexError,
)
from perspicax.transform.grad import grad
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap

K = random.key(42)


def jit(f):
    return JitFunction(f, JitOptions())


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()


# -- uniform numbers by NumPy

def test_every_mantissa_becomes_the_number_that_xla_makes():
    """All 2 ** 23 of them: NumPy's steps are exact, so that no kernel is needed."""
    mantissas = np.arange(1 << 23, dtype=np.uint32) << 9
    by_numpy = sampling.unit_uniform(mantissas, dtypes.float32)
    by_xla = jit(lambda b: sampling._uniform(GivenBits(b), 0., 1., shape=b.shape, dtype=dtypes.float32))(mantissas)
    same_bits(by_numpy, by_xla)
    assert by_numpy[0] == 0 and by_numpy[1] == 2.0 ** -23 and by_numpy[-1] < 1


@pytest.mark.parametrize("dtype, count", [(dtypes.float16, 1 << 16), (dtypes.bfloat16, 1 << 8)])
def test_every_pattern_of_narrow_bits(dtype, count):
    width = bit_width(dtype)
    patterns = np.arange(count).astype(BITS_DTYPES[width])
    by_xla = jit(lambda b: sampling._uniform(GivenBits(b), 0., 1., shape=b.shape, dtype=dtype))(patterns)
    same_bits(sampling.unit_uniform(patterns, dtype), by_xla)


# -- the ways of sampling

WAYS = {
    "uniform": lambda k, shape: random.uniform(k, shape),
    "uniform between": lambda k, shape: random.uniform(k, shape, minval=-2.5, maxval=1.5),
    "normal": lambda k, shape: random.normal(k, shape),
    "normal bfloat16": lambda k, shape: random.normal(k, shape, "bfloat16"),
    "truncated normal": lambda k, shape: random.truncated_normal(k, -2, 2, shape),
    "gumbel": lambda k, shape: random.gumbel(k, shape),
    "gumbel high": lambda k, shape: random.gumbel(k, shape, mode="high"),
    "exponential": lambda k, shape: random.exponential(k, shape),
    "laplace": lambda k, shape: random.laplace(k, shape),
    "logistic": lambda k, shape: random.logistic(k, shape),
    "cauchy": lambda k, shape: random.cauchy(k, shape),
    "bernoulli": lambda k, shape: random.bernoulli(k, 0.3, shape),
    "bernoulli high": lambda k, shape: random.bernoulli(k, 0.3, shape, mode="high"),
    "randint": lambda k, shape: random.randint(k, shape, -7, 1000),
    "randint int8": lambda k, shape: random.randint(k, shape, -300, 300, "int8"),
}
OWN = [sampling._uniform_samples, sampling._normal_samples, sampling._truncated_samples, sampling._gumbel_samples,
       sampling._exponential_samples, sampling._laplace_samples, sampling._logistic_samples, sampling._cauchy_samples,
       discrete._coins]


@pytest.fixture
def calls():
    """Says how often each distribution has been drawn from, and restores it."""
    before = [d.calls for d in OWN]

    def set_all(n):
        for d in OWN:
            d.calls = n

    yield set_all
    for d, n in zip(OWN, before):
        d.calls = n


@pytest.mark.parametrize("name", WAYS)
def test_sampling_gives_the_same_bits_by_every_way(name, calls):
    """Rarely, often, in many pieces, under jit: the first samples of one key are always the same."""
    f = WAYS[name]
    n = threefry.HOST_BITS + chunks.SMALL + 3
    if "high" in name:  # two draws of `shape`: the second begins after the first, so that only equal shapes compare
        calls(0)
        same_bits(f(K, (40,)), jit(lambda k: f(k, (40,)))(K))
        return
    if name.startswith("truncated"):  # XLA folds the bounds that jit writes into the program, with other digits
        whole = np.asarray(f(K, (n,)))
    else:
        whole = np.asarray(jit(lambda k: f(k, (n,)))(K))
    for often in (0, OFTEN):
        calls(often)
        for shape in ((), (3,), (5, 7), (n,)):
            same_bits(f(K, shape), whole[:math.prod(shape)].reshape(shape))


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_no_samples(shape):
    for name in ("uniform", "normal", "bernoulli", "randint"):
        assert WAYS[name](K, shape).shape == shape


def test_parameters_broadcast_as_under_jit():
    low, high = np.float32([[-1], [2]]), np.float32([0, 3, 5])
    same_bits(random.uniform(K, (2, 3), minval=low, maxval=high),
              jit(lambda k, a, b: random.uniform(k, (2, 3), minval=a, maxval=b))(K, low, high))
    same_bits(random.truncated_normal(K, low, high), jit(random.truncated_normal)(K, low, high))
    p = np.float32([[.1], [.9]])
    same_bits(random.bernoulli(K, p, (2, 3)), jit(lambda k, p: random.bernoulli(k, p, (2, 3)))(K, p))
    same_bits(random.randint(K, (2, 3), np.int32([0, 5, 9]), 10),
              jit(lambda k, a: random.randint(k, (2, 3), a, 10))(K, np.int32([0, 5, 9])))


@pytest.mark.parametrize("name", ["uniform between", "normal", "truncated normal", "bernoulli", "randint"])
def test_vmap_is_a_loop_over_keys(name):
    f = WAYS[name]
    keys = random.split(K, 3)
    made = np.asarray(vmap(lambda k: f(k, (4,)))(keys))
    for i in range(3):
        same_bits(made[i], f(keys[i], (4,)))


def test_vmap_over_parameters_keeps_the_key():
    lows = np.float32([0, -1, -2])
    made = np.asarray(vmap(lambda a: random.uniform(K, (4,), minval=a))(lows))
    for i, low in enumerate(lows):
        same_bits(made[i], random.uniform(K, (4,), minval=low))


def test_samples_follow_their_parameters():
    u = float(random.uniform(K))
    assert float(grad(lambda a: random.uniform(K, minval=a, maxval=2.))(0.)) == pytest.approx(1 - u)
    assert float(grad(lambda b: random.uniform(K, minval=0., maxval=b))(3.)) == pytest.approx(u)
    assert float(grad(lambda x: x * random.normal(K))(2.)) == float(random.normal(K))


def test_without_jit_the_samples_are_the_same():
    with disable_jit():
        same_bits(random.normal(K, (5,)), random.normal(K, (5,)))
        assert random.normal(K, (2,), "complex64").dtype == np.complex64


def test_jaxpr_is_that_of_jax():
    closed = stage_flat(lambda k: [random.uniform(k, (3,))], [K.aval])
    check_jaxpr(closed.jaxpr)
    [outer] = closed.jaxpr.eqns
    assert (outer.primitive.name, outer.params["name"]) == ("jit", "_uniform")
    assert [e.primitive.name for e in outer.params["jaxpr"].jaxpr.eqns if e.primitive.name != "convert_element_type"] == [
        "broadcast_in_dim", "broadcast_in_dim", "random_bits", "shift_right_logical", "or", "bitcast_convert_type", "sub",
        "sub", "mul", "add", "max"]


# -- the samples are of their distributions

MOMENTS = {  # mean and variance
    "uniform": (0.5, 1 / 12), "normal": (0, 1), "gumbel": (0.5772156649, math.pi ** 2 / 6), "exponential": (1, 1),
    "laplace": (0, 2), "logistic": (0, math.pi ** 2 / 3), "bernoulli": (0.3, 0.21), "gumbel high": (0.5772156649, 1.645),
    "bernoulli high": (0.3, 0.21), "truncated normal": (0, 0.7737413)}


@pytest.mark.parametrize("name", MOMENTS)
def test_mean_and_variance(name):
    n = 40_000
    x = np.asarray(WAYS[name](random.key(3), (n,))).astype(np.float64)
    mean, variance = MOMENTS[name]
    fourth = np.mean((x - mean) ** 4)
    assert abs(x.mean() - mean) < 5 * math.sqrt(variance / n)
    assert abs(((x - mean) ** 2).mean() - variance) < 5 * math.sqrt((fourth - variance ** 2) / n)


def test_quartiles_of_cauchy():
    x = np.asarray(random.cauchy(random.key(3), (40_000,)))
    assert abs((x < -1).mean() - 0.25) < 0.011 and abs((x > 1).mean() - 0.25) < 0.011


def test_complex_normal():
    z = np.asarray(random.normal(K, (20_000,), "complex64"))
    assert abs(np.mean(np.abs(z) ** 2) - 1) < 0.04
    assert abs(np.mean(z.real * z.imag)) < 0.02


def test_truncated_normal_stays_between_its_bounds():
    x = np.asarray(random.truncated_normal(K, -0.5, 1.25, (10_000,)))
    assert -0.5 < x.min() and x.max() < 1.25


# -- what is refused

FLOATING = [random.uniform, random.gumbel, random.exponential, random.laplace, random.logistic, random.cauchy]


@pytest.mark.parametrize("f", FLOATING)
@pytest.mark.parametrize("dtype", [int, bool, "complex64", "uint8", random.key_dtype()], ids=str)
def test_dtypes_that_are_not_floating(f, dtype):
    with pytest.raises(SampleDTypeError):
        f(K, (2,), dtype)


def test_dtypes_of_the_others():
    for f, dtype in ((random.normal, int), (random.bits, "int32"), (random.bits, float),
                     (lambda k, s, d: random.truncated_normal(k, -1, 1, s, d), "int8"),
                     (lambda k, s, d: random.randint(k, s, 0, 2, d), float),
                     (lambda k, s, d: random.randint(k, s, 0, 2, d), bool)):
        with pytest.raises(SampleDTypeError) as caught:
            f(K, (2,), dtype)
        assert isinstance(caught.value, ValueError) and isinstance(caught.value, TypeError)
    with pytest.raises(SampleDTypeError) as caught:
        random.bernoulli(K, 1)
    assert caught.value.argument == "p"


@pytest.mark.parametrize("shape", [(-1,), (2.0,), "ab", None])
@pytest.mark.parametrize("f", [random.normal, random.uniform, random.bits, lambda k, s: random.randint(k, s, 0, 2)])
def test_what_is_no_shape(f, shape):
    with pytest.raises(ShapeError):
        f(K, shape)


def test_what_is_no_sharding():
    with pytest.raises(OutShardingError):
        random.normal(K, (2,), out_sharding=1)


@pytest.mark.parametrize("f", [
    lambda x: random.uniform(K, (2,), minval=x), lambda x: random.truncated_normal(K, x, 1., (2,)),
    lambda x: random.bernoulli(K, x, (2,)), lambda x: random.randint(K, (2,), 0, x)])
def test_parameters_that_do_not_fit(f):
    with pytest.raises(SampleShapeError):
        f(np.ones(3, np.float32))
    for x in ("a", None, [1., 2.]):
        with pytest.raises(ParameterTypeError):
            f(x)


def test_a_literal_is_called_by_the_name_of_its_parameter():
    with pytest.raises(ParameterTypeError, match=r"The argument `minval` of `random\.uniform` is None"):
        random.uniform(K, (2,), minval=None)
    bound = [0., 1.]
    with pytest.raises(ParameterTypeError, match=r"`bound` of `random\.uniform` is a list") as caught:
        random.uniform(K, (2,), minval=bound)
    assert "jnp.asarray(bound)" in str(caught.value)


def test_modes_that_are_none():
    for f in (lambda: random.gumbel(K, mode="x"), lambda: random.bernoulli(K, mode="x"),
              lambda: random.categorical(K, np.zeros(3, np.float32), mode="x")):
        with pytest.raises(SamplingError):
            f()


# -- permutations, choices, categories

ROWS = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


@pytest.mark.parametrize("n", [0, 1, 10, 2000])
def test_permutation_of_numbers(n):
    made = random.permutation(K, n)
    assert sorted(np.asarray(made).tolist()) == list(range(n))
    same_bits(made, jit(lambda k: random.permutation(k, n))(K))
    assert random.permutation(K, -3).shape == (0,)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("independent", [False, True])
def test_permutation_of_an_array(axis, independent):
    made = random.permutation(K, ROWS, axis, independent)
    same_bits(made, jit(lambda k, x: random.permutation(k, x, axis, independent))(K, ROWS))
    assert sorted(np.asarray(made).reshape(-1).tolist()) == sorted(ROWS.reshape(-1).tolist())
    np.testing.assert_array_equal(np.sort(np.asarray(made), axis), ROWS)


def test_permutation_of_keys_keeps_them_whole():
    keys = random.split(K, 5)
    made = np.asarray(random.key_data(random.permutation(K, keys)))
    assert sorted(map(tuple, made.tolist())) == sorted(map(tuple, np.asarray(random.key_data(keys)).tolist()))


def test_permutation_refuses():
    for x, error in ((5.0, SampleDTypeError), (True, SampleDTypeError), ([1, 2], ParameterTypeError),
                     (None, ParameterTypeError)):
        with pytest.raises(error):
            random.permutation(K, x)
    for x, axis in ((ROWS, 3), (5, 1)):
        with pytest.raises(SamplingIndexError):
            random.permutation(K, x, axis)


def test_randint_between_extremes():
    """Where the width of the interval does not fit, and where there is nothing between the bounds."""
    info = np.iinfo(np.int32)
    x = np.asarray(random.randint(K, (4000,), info.min, info.max))
    assert x.min() < -(1 << 30) and x.max() > 1 << 30
    assert np.asarray(random.randint(K, (4,), 5, 5)).tolist() == [5] * 4
    assert np.asarray(random.randint(K, (4,), 5, 0)).tolist() == [5] * 4
    whole = np.asarray(random.randint(K, (3000,), 0, 256, "uint8"))
    assert set(whole.tolist()) == set(range(256))


@pytest.mark.parametrize("shape, axis", [((), 0), ((3,), 1), ((2, 2), 2)])
@pytest.mark.parametrize("p", [False, True])
def test_choice(shape, axis, p):
    n = ROWS.shape[axis]
    weights = np.arange(1, n + 1, dtype=np.float32) / (n * (n + 1) / 2) if p else None
    made = random.choice(K, ROWS, shape, p=weights, axis=axis)
    assert made.shape == ROWS.shape[:axis] + shape + ROWS.shape[axis + 1:]
    same_bits(made, jit(lambda k, x: random.choice(k, x, shape, p=weights, axis=axis))(K, ROWS))
    same_bits(made, np.take(ROWS, np.asarray(random.choice(K, n, shape, p=weights)), axis))


@pytest.mark.parametrize("p", [None, np.float32([.1, .2, .3, .4])])
def test_choice_without_replacement(p):
    made = np.asarray(random.choice(K, 4, (4,), replace=False, p=p))
    assert sorted(made.tolist()) == [0, 1, 2, 3]
    same_bits(made, jit(lambda k: random.choice(k, 4, (4,), replace=False, p=p))(K))
    assert random.choice(K, ROWS[:, 0, 0], (2,), replace=False, p=p).shape == (2,)


def test_choice_by_probability():
    p = np.float32([.1, 0, .6, .3])
    made = np.asarray(random.choice(K, 4, (20_000,), p=p))
    found = np.bincount(made, minlength=4) / made.size
    assert found[1] == 0
    np.testing.assert_allclose(found, p, atol=0.018)


def test_choice_refuses():
    for a, shape, replace in ((0, (), True), (-1, (), True), (5, (6,), False)):
        with pytest.raises(SamplingError):
            random.choice(K, a, shape, replace)
    with pytest.raises(SamplingError):
        random.choice(K, 3, p=np.float32([.5, .5]))
    with pytest.raises(SamplingIndexError):
        random.choice(K, ROWS, axis=3)
    for a, p in (([1, 2], None), ("abc", None), (3, [.1, .2, .7])):
        with pytest.raises(ParameterTypeError):
            random.choice(K, a, p=p)
    assert random.choice(K, 0, (0,)).shape == (0,)


LOGITS = np.log(np.float32([[.1, .9, .2, .4], [.5, .5, .1, .2], [.3, .3, .3, .3]]))


@pytest.mark.parametrize("axis, shape", [(-1, None), (0, None), (-1, (5, 3)), (0, (2, 4))])
def test_categorical(axis, shape):
    made = random.categorical(K, LOGITS, axis, shape)
    assert made.shape == (np.delete(LOGITS.shape, axis).tolist() and tuple(np.delete(LOGITS.shape, axis))
                          if shape is None else shape)
    assert 0 <= np.asarray(made).min() and np.asarray(made).max() < LOGITS.shape[axis]
    same_bits(made, jit(lambda k, x: random.categorical(k, x, axis, shape))(K, LOGITS))


def test_categorical_without_replacement():
    made = np.asarray(random.categorical(K, LOGITS, shape=(4, 3), replace=False))
    assert np.sort(made, 0).tolist() == [[i] * 3 for i in range(4)]
    same_bits(made, jit(lambda k, x: random.categorical(k, x, shape=(4, 3), replace=False))(K, LOGITS))
    with pytest.raises(SamplingError):
        random.categorical(K, LOGITS, shape=(5, 3), replace=False)


def test_categorical_by_probability():
    p = np.float32([.1, .6, 0, .3])
    with np.errstate(divide="ignore"):
        made = np.asarray(random.categorical(K, np.log(p), shape=(20_000,)))
    found = np.bincount(made, minlength=4) / made.size
    assert found[2] == 0
    np.testing.assert_allclose(found, p, atol=0.018)


def test_categorical_refuses():
    with pytest.raises(SampleDTypeError):
        random.categorical(K, np.array([1, 2, 3]))
    for logits, axis in ((LOGITS, 2), (1.0, -1)):
        with pytest.raises(SamplingIndexError):
            random.categorical(K, logits, axis)
    with pytest.raises(SampleShapeError):
        random.categorical(K, LOGITS, shape=(4,))
    with pytest.raises(ParameterTypeError):
        random.categorical(K, [1., 2.])
