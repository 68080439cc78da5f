"""Random numbers against real JAX: streams bit for bit, dtypes, weak types, shapes, jaxprs, classes of errors."""
from __future__ import annotations

import warnings

import jax
import jax.random as theirs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perspicax.lax.hook_table
import perspicax.numpy  # noqa: F401  (gives arrays their operators)
import perspicax.random as ours
from perspicax.core.config import enable_x64, threefry_partitionable
from perspicax.core.trace import stage_flat
from perspicax.random.bits import OFTEN
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap

pytestmark = pytest.mark.oracle

SEED = 42
ROWS = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
LOGITS = np.log(np.float32([[.1, .9, .2, .4], [.5, .5, .1, .2], [.3, .3, .3, .3]]))
P = np.float32([.1, .2, .3, .4])


def jit(f):
    return JitFunction(f, JitOptions())


def value(x):
    """The NumPy value, of keys their words."""
    for room in (ours, theirs):
        if "key<" in str(x.dtype):
            try:
                return np.asarray(room.key_data(x))
            except TypeError:
                continue
    return np.asarray(x)


def same(a, b):
    assert str(a.dtype) == str(b.dtype)
    assert a.shape == b.shape
    assert bool(getattr(a, "weak_type", False)) == bool(getattr(b, "weak_type", False))
    assert value(a).tobytes() == value(b).tobytes()


# -- keys

@pytest.mark.parametrize("seed", [0, 42, -1, 1 << 31, (1 << 32) + 5, -(1 << 40), True, np.int8(-1), np.uint32(0xFFFFFFFF),
                                  np.int64(1 << 40)])
def test_seeds(seed):
    same(ours.key(seed), theirs.key(seed))
    same(ours.PRNGKey(seed), theirs.PRNGKey(seed))


@given(seed=st.integers(-(1 << 63), (1 << 63) - 1), data=st.integers(0, 0xFFFFFFFF), n=st.integers(0, 20))
@settings(max_examples=15)
def test_streams_of_any_seed(seed, data, n):
    k, j = ours.key(seed), theirs.key(seed)
    same(k, j)
    same(ours.fold_in(k, data), theirs.fold_in(j, data))
    same(ours.split(k, 3), theirs.split(j, 3))
    same(ours.bits(ours.split(k)[1]), theirs.bits(theirs.split(j)[1]))


@pytest.mark.parametrize("num", [0, 1, 2, 7, 1000, (2, 3), ()])
def test_split(num):
    for k, j in ((ours.key(SEED), theirs.key(SEED)), (ours.PRNGKey(SEED), theirs.PRNGKey(SEED))):
        same(ours.split(k, num), theirs.split(j, num))


def test_text_of_keys():
    for num in ((), 3, (2, 2)):
        assert repr(ours.split(ours.key(1), num)) == repr(theirs.split(theirs.key(1), num))
    assert str(ours.key(1).dtype) == str(theirs.key(1).dtype)


def test_vectorised_keys():
    ks, js = ours.split(ours.key(SEED), 4), theirs.split(theirs.key(SEED), 4)
    for f in (lambda r, k: r.split(k, 3), lambda r, k: r.fold_in(k, 5), lambda r, k: r.normal(k, (3,)),
              lambda r, k: r.key_data(k), lambda r, k: r.randint(k, (2,), 0, 9)):
        same(vmap(lambda k, f=f: f(ours, k))(ks), jax.vmap(lambda k, f=f: f(theirs, k))(js))
    raw, raw_theirs = ours.key_data(ks), theirs.key_data(js)
    same(vmap(ours.normal)(raw), jax.vmap(theirs.normal)(raw_theirs))


# -- samples

SAMPLES = {
    "bits": lambda r, k, s: r.bits(k, s),
    "bits uint8": lambda r, k, s: r.bits(k, s, "uint8"),
    "bits uint16": lambda r, k, s: r.bits(k, s, "uint16"),
    "uniform": lambda r, k, s: r.uniform(k, s),
    "uniform float16": lambda r, k, s: r.uniform(k, s, "float16"),
    "uniform between": lambda r, k, s: r.uniform(k, s, minval=-2.3, maxval=1.7),
    "uniform of ints": lambda r, k, s: r.uniform(k, s, minval=-2, maxval=5),
    "uniform float8": lambda r, k, s: r.uniform(k, s, "float8_e4m3fn"),
    "normal": lambda r, k, s: r.normal(k, s),
    "normal bfloat16": lambda r, k, s: r.normal(k, s, "bfloat16"),
    "normal float16": lambda r, k, s: r.normal(k, s, "float16"),
    "normal complex": lambda r, k, s: r.normal(k, s, "complex64"),
    "truncated normal": lambda r, k, s: r.truncated_normal(k, -2, 2, s),
    "truncated normal floats": lambda r, k, s: r.truncated_normal(k, -1.3, 2.2, s),
    "gumbel": lambda r, k, s: r.gumbel(k, s),
    "gumbel high": lambda r, k, s: r.gumbel(k, s, mode="high"),
    "exponential": lambda r, k, s: r.exponential(k, s),
    "laplace": lambda r, k, s: r.laplace(k, s),
    "logistic": lambda r, k, s: r.logistic(k, s),
    "cauchy": lambda r, k, s: r.cauchy(k, s),
    "bernoulli": lambda r, k, s: r.bernoulli(k, .3, s),
    "bernoulli high": lambda r, k, s: r.bernoulli(k, .3, s, mode="high"),
    "randint": lambda r, k, s: r.randint(k, s, -100, 1000),
    "randint uint8": lambda r, k, s: r.randint(k, s, 0, 256, "uint8"),
    "randint int8": lambda r, k, s: r.randint(k, s, -300, 300, "int8"),
    "randint all": lambda r, k, s: r.randint(k, s, -(1 << 31), (1 << 31) - 1),
    "randint uint32": lambda r, k, s: r.randint(k, s, np.uint32(0), np.uint32(0xFFFFFFFF), "uint32"),
    "randint of floats": lambda r, k, s: r.randint(k, s, .5, 10.7),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_bit_equal(name):
    """Eagerly and under jit; the shapes cross the borders of our kernels of fixed size."""
    f = SAMPLES[name]
    k, j = ours.key(SEED), theirs.key(SEED)
    for shape in ((), (3,), (33, 100)):
        same(f(ours, k, shape), f(theirs, j, shape))
    same(jit(lambda k: f(ours, k, (5, 7)))(k), jax.jit(lambda k: f(theirs, k, (5, 7)))(j))


@pytest.mark.parametrize("name", ["bits", "uniform", "uniform between", "normal", "truncated normal", "randint"])
def test_many_samples_are_bit_equal(name):
    f = SAMPLES[name]
    same(f(ours, ours.key(SEED), (70_001,)), f(theirs, theirs.key(SEED), (70_001,)))


def test_samples_of_what_is_drawn_often_are_bit_equal():
    from perspicax.random import sampling

    k, j = ours.key(SEED), theirs.key(SEED)
    before = sampling._normal_samples.calls
    try:
        sampling._normal_samples.calls = OFTEN
        for shape in ((), (3,), (300,), (9000,)):
            same(ours.normal(k, shape), theirs.normal(j, shape))
    finally:
        sampling._normal_samples.calls = before


LISTED = {
    "permutation": lambda r, k: r.permutation(k, 10),
    "permutation in two rounds": lambda r, k: r.permutation(k, 2000),
    "permutation of rows": lambda r, k: r.permutation(k, ROWS),
    "permutation along an axis": lambda r, k: r.permutation(k, ROWS, 1),
    "independent permutation": lambda r, k: r.permutation(k, ROWS, 1, True),
    "permutation of nothing": lambda r, k: r.permutation(k, 0),
    "choice": lambda r, k: r.choice(k, 5, (3,)),
    "choice of rows": lambda r, k: r.choice(k, ROWS, (2, 2), axis=1),
    "choice without replacement": lambda r, k: r.choice(k, ROWS, (2, 2), replace=False),
    "choice by probability": lambda r, k: r.choice(k, 4, (500,), p=P),
    "choice by weights": lambda r, k: r.choice(k, ROWS, (3,), p=np.array([1, 2, 3]), axis=1),
    "choice by probability without replacement": lambda r, k: r.choice(k, 4, (2, 2), replace=False, p=P),
    "choice of nothing likely": lambda r, k: r.choice(k, 3, (20,), p=np.float32([0, 0, 1e-39])),
    "choice by NaN": lambda r, k: r.choice(k, 3, (20,), p=np.float32([0, np.nan, 1])),
    "categorical": lambda r, k: r.categorical(k, LOGITS),
    "categorical along an axis": lambda r, k: r.categorical(k, LOGITS, axis=0, shape=(6, 4)),
    "categorical high": lambda r, k: r.categorical(k, LOGITS, mode="high"),
    "categorical float16": lambda r, k: r.categorical(k, LOGITS.astype("float16")),
    "categorical without replacement": lambda r, k: r.categorical(k, LOGITS, shape=(2, 3), replace=False),
    "categorical in the middle": lambda r, k: r.categorical(k, ROWS, axis=1, shape=(3, 4, 2), replace=False),
    "bernoulli of an array": lambda r, k: r.bernoulli(k, np.float32([.1, .9]), (3, 2)),
    "randint between arrays": lambda r, k: r.randint(k, (2, 5), 0, np.array([[1], [200]], "uint8")),
    "uniform between arrays": lambda r, k: r.uniform(k, (2, 3), minval=np.float32([[0], [-3]]), maxval=np.float32([1, 2, 3])),
}


@pytest.mark.parametrize("name", LISTED)
def test_choices_are_bit_equal(name):
    f = LISTED[name]
    k, j = ours.key(SEED), theirs.key(SEED)
    same(f(ours, k), f(theirs, j))
    same(jit(lambda k: f(ours, k))(k), jax.jit(lambda k: f(theirs, k))(j))


@pytest.mark.parametrize("f", [
    lambda r, k: r.bits(k, (5,), "uint64"), lambda r, k: r.uniform(k, (100,), minval=-1.3, maxval=7),
    lambda r, k: r.normal(k, (100,)), lambda r, k: r.normal(k, (9,), "complex128"),
    lambda r, k: r.randint(k, (9,), -(1 << 63), (1 << 63) - 1), lambda r, k: r.randint(k, (9,), 0, 1 << 32, "uint32"),
    lambda r, k: r.randint(k, (9,), 0, 1 << 31, "int32"), lambda r, k: r.permutation(k, 9),
    lambda r, k: r.choice(k, 4, (9,), p=P), lambda r, k: r.categorical(k, LOGITS),
    lambda r, k: r.truncated_normal(k, -2, 2, (9,)),
    lambda r, k: r.bernoulli(k, .3, (9,))])
def test_64_bits_are_bit_equal(f):
    with enable_x64(True), jax.enable_x64(True):
        for seed in (SEED, (1 << 40) + 1):
            k, j = ours.key(seed), theirs.key(seed)
            same(f(ours, k), f(theirs, j))
        same(jit(lambda k: f(ours, k))(k), jax.jit(lambda k: f(theirs, k))(j))


def test_the_other_layout_of_counters_is_bit_equal():
    k, j = ours.key(SEED), theirs.key(SEED)
    with threefry_partitionable(False), jax.threefry_partitionable(False):
        for shape in ((), (5, 7), (1001,)):
            for dtype in ("uint8", "uint16", "uint32"):
                same(ours.bits(k, shape, dtype), theirs.bits(j, shape, dtype))
        same(ours.split(k, 3), theirs.split(j, 3))
        same(ours.normal(k, (70,)), theirs.normal(j, (70,)))
        same(jit(lambda k: ours.split(k, 3))(k), theirs.split(j, 3))


# -- programs

def names(jaxpr):
    """Primitives with the parameters of those on keys, sub-jaxprs included."""
    found = []
    for e in jaxpr.eqns:
        shown = {k: str(v) for k, v in dict(e.params).items()} if e.primitive.name.startswith("random_") else {}
        found.append((e.primitive.name, shown))
        for v in dict(e.params).values():
            if hasattr(v, "jaxpr"):
                found.append((str(e.params.get("name")), names(v.jaxpr)))
    return found


@pytest.mark.parametrize("f", [
    lambda r, k: r.split(k, (2, 3)), lambda r, k: r.fold_in(k, 3), lambda r, k: r.bits(k, (3,), "uint8"),
    lambda r, k: r.key_data(k), lambda r, k: r.clone(k), lambda r, k: r.key(3), lambda r, k: r.PRNGKey(3),
    lambda r, k: r.wrap_key_data(r.key_data(k)), lambda r, k: r.normal(k, (3,)), lambda r, k: r.exponential(k, (3,)),
    lambda r, k: r.uniform(k, (3,)), lambda r, k: r.gumbel(k, (3,)), lambda r, k: r.cauchy(k, (3,)),
    lambda r, k: r.laplace(k, (3,)), lambda r, k: r.logistic(k, (3,)), lambda r, k: r.bernoulli(k, .5, (3,)),
    lambda r, k: r.permutation(k, 10), lambda r, k: r.normal(k, (3,), "bfloat16")])
def test_jaxprs_have_the_same_equations(f):
    mine = stage_flat(lambda k: [f(ours, k)], [ours.key(0).aval])
    other = jax.make_jaxpr(lambda k: f(theirs, k))(theirs.key(0))
    assert names(mine.jaxpr) == names(other.jaxpr)


# -- errors

RAISING = {
    "float key": lambda r, k: r.normal(np.zeros(2)),
    "number for a key": lambda r, k: r.split(3),
    "no key": lambda r, k: r.normal(None),
    "list for a key": lambda r, k: r.normal([0, 0]),
    "three words": lambda r, k: r.normal(np.zeros(3, np.uint32)),
    "several keys": lambda r, k: r.normal(r.split(k)),
    "several raw keys": lambda r, k: r.split(np.zeros((3, 2), np.uint32)),
    "float seed": lambda r, k: r.key(1.5),
    "seeds": lambda r, k: r.key(np.arange(3)),
    "key for a seed": lambda r, k: r.key(k),
    "long seed": lambda r, k: r.key(1 << 63),
    "unknown generator": lambda r, k: r.key(0, impl="nope"),
    "impl and dtype": lambda r, k: r.key(0, impl="threefry2x32", dtype=k.dtype),
    "float num": lambda r, k: r.split(k, 2.0),
    "text num": lambda r, k: r.split(k, "2"),
    "folded array": lambda r, k: r.fold_in(k, np.arange(3)),
    "folded negative": lambda r, k: r.fold_in(k, -1),
    "folded keys": lambda r, k: r.fold_in(r.split(k), 1),
    "float shape": lambda r, k: r.normal(k, (2.0,)),
    "no shape": lambda r, k: r.normal(k, None),
    "int normal": lambda r, k: r.normal(k, (2,), int),
    "complex uniform": lambda r, k: r.uniform(k, (2,), "complex64"),
    "signed bits": lambda r, k: r.bits(k, (2,), "int32"),
    "float randint": lambda r, k: r.randint(k, (2,), 0, 5, float),
    "unknown dtype": lambda r, k: r.normal(k, (2,), "nope"),
    "uniform shapes": lambda r, k: r.uniform(k, (2,), minval=np.zeros(3)),
    "randint shapes": lambda r, k: r.randint(k, (2,), np.zeros(3, int), 5),
    "randint overflow": lambda r, k: r.randint(k, (2,), 0, 1 << 31),
    "randint of None": lambda r, k: r.randint(k, (2,), 0, None),
    "int probability": lambda r, k: r.bernoulli(k, 1),
    "bernoulli shape": lambda r, k: r.bernoulli(k, np.float32([.1, .9]), (3,)),
    "bernoulli mode": lambda r, k: r.bernoulli(k, .5, (2,), mode="x"),
    "truncated shape": lambda r, k: r.truncated_normal(k, -2, np.float32([1, 2]), (3,)),
    "truncated dtype": lambda r, k: r.truncated_normal(k, 2, -2, (2,), int),
    "permutation of a float": lambda r, k: r.permutation(k, 5.0),
    "permutation of a list": lambda r, k: r.permutation(k, [1, 2, 3]),
    "permutation axis": lambda r, k: r.permutation(k, ROWS, axis=3),
    "choice of nothing": lambda r, k: r.choice(k, 0),
    "choice of too many": lambda r, k: r.choice(k, 5, (6,), replace=False),
    "choice p": lambda r, k: r.choice(k, 3, (2,), p=np.float32([.1, .2])),
    "choice of a list": lambda r, k: r.choice(k, [1, 2, 3]),
    "choice axis": lambda r, k: r.choice(k, ROWS, axis=3),
    "categorical axis": lambda r, k: r.categorical(k, LOGITS, axis=2),
    "categorical shape": lambda r, k: r.categorical(k, LOGITS, shape=(4,)),
    "categorical too many": lambda r, k: r.categorical(k, LOGITS, shape=(5, 3), replace=False),
    "int logits": lambda r, k: r.categorical(k, np.array([1, 2, 3])),
    "gumbel mode": lambda r, k: r.gumbel(k, (2,), mode="x"),
    "arithmetic": lambda r, k: k + 1,
    "negation": lambda r, k: -k,
    "order": lambda r, k: k < k,
    "to NumPy": lambda r, k: np.asarray(k),
    "to int": lambda r, k: int(k),
    "to bool": lambda r, k: bool(k),
    "hash": lambda r, k: hash(k),
}


@pytest.mark.parametrize("name", RAISING)
def test_errors_are_of_the_same_builtin_class(name):
    f = RAISING[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as expected:
            f(theirs, theirs.key(0))
        with pytest.raises(Exception) as raised:
            f(ours, ours.key(0))
    base = next(c for c in (TypeError, ValueError, IndexError, OverflowError) if isinstance(expected.value, c))
    assert isinstance(raised.value, base), f"{type(raised.value).__mro__} for {expected.value!r}"


