"""Calls whose results depend on options, each with the caches that it fills; run as a program, it prints their results.

Every function here exists once in a process, so that whatever is kept for it under one setting is there under the next.
"""
# ruff: noqa: B008  (the defaults are those functions that exist once)
from __future__ import annotations

import functools
import hashlib
import json
import sys

import numpy as np

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax, random
from perspicax.extend.core import jaxpr_as_fun
from perspicax.lax.random_bits import random_bits_p
from perspicax.random import random_gamma_p

SETTINGS = {
    "default": {},
    "other counters": {"jax_threefry_partitionable": False},
    "rbg": {"jax_default_prng_impl": "rbg"},
    "custom prng": {"jax_enable_custom_prng": True},
    "seed offset": {"jax_random_seed_offset": 7},
    "x64": {"jax_enable_x64": True},
    "x64 and other counters": {"jax_enable_x64": True, "jax_threefry_partitionable": False},
    "strict promotion": {"jax_numpy_dtype_promotion": "strict"},
    "no rank promotion": {"jax_numpy_rank_promotion": "raise"},
    "high precision": {"jax_default_matmul_precision": "highest"},
    "wide gumbel": {"jax_high_dynamic_range_gumbel": True},
    "softmax": {"jax_softmax_custom_jvp": True},
}

F32, I32 = np.ones(3, np.float32), np.arange(3, dtype=np.int32)
WIDE = np.linspace(0, 1, 4)  # float64
MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
WORDS = np.array([[1, 2], [3, 4]], np.uint32)


def fry(seed=5):
    return random.wrap_key_data(np.array([0, seed], np.uint32), impl="threefry2x32")


@jax.custom_jvp
def noisy(x, words):
    return x * random.normal(random.wrap_key_data(words, impl="threefry2x32"), x.shape, x.dtype)


noisy.defjvp(lambda primals, tangents: (noisy(*primals), tangents[0] * 2))


def several_ways(f):
    """A function of arrays: applied, jitted, vectorised, in a loop, in a branch, under remat, by its jaxpr."""
    jitted, mapped = jax.jit(f), jax.vmap(f)
    remat = jax.checkpoint(f)
    return {
        "eager": f, "jit": jitted, "vmap": lambda x: mapped(x[None]), "jit of vmap": jax.jit(lambda x: mapped(x[None])),
        "scan": lambda x: lax.scan(lambda c, y: (c, f(y)), 0, x[None])[1],
        "cond": lambda x: lax.cond(True, f, f, x), "remat": remat, "jit of jit": jax.jit(lambda x: jitted(x)),
    }


def of_words(draw):
    return lambda words: draw(random.wrap_key_data(words, impl="threefry2x32"))


def named(name, ways, operand):
    return {f"{name}, {way}": (lambda f=f: f(operand)) for way, f in ways.items()}


@functools.cache
def kept():
    """A jaxpr that is staged once, under whatever setting comes first: its types do not depend on options."""
    return jaxpr_as_fun(jax.make_jaxpr(jax.jit(of_words(lambda k: random.bits(k, (3,), "uint32"))))(WORDS[0]))



CALLS = {
    **named("bits", several_ways(of_words(lambda k: random.bits(k, (5,)))), WORDS[0]),
    **named("split", several_ways(of_words(lambda k: random.key_data(random.split(k, 3)))), WORDS[0]),
    **named("normal", several_ways(of_words(lambda k: random.normal(k, (3,)))), WORDS[0]),
    **named("half", several_ways(lambda x: x / 2 + 0.5), I32),
    **named("mean", several_ways(lambda x: jnp.mean(x) + jnp.arange(2)), I32),
    **named("wide", several_ways(lambda x: x * 1.5), WIDE),
    **named("mixed", several_ways(lambda x: x + I32.astype(np.int16)), F32),
    **named("ranks", several_ways(lambda x: x + F32), MATRIX),
    **named("sum", several_ways(lambda x: (jnp.sum(x), jnp.argmax(x), jnp.cumsum(x))), I32),
    **named("seed", several_ways(lambda s: random.key_data(random.key(s[0], impl="threefry2x32"))), I32),
    "a kept jaxpr": lambda: kept()(WORDS[0]),
    "keys of a batch": lambda: random_gamma_p.bind(random.wrap_key_data(WORDS, impl="threefry2x32"), np.float32([[1.5], [2.5]]),
                                                   log_space=False),
    "bits of many keys": lambda: random_bits_p(random.wrap_key_data(WORDS, impl="threefry2x32"), bit_width=8, shape=(20_000,)),
    "gamma": lambda: random.gamma(fry(), 2.5, (3,)),
    "poisson": lambda: random.poisson(fry(), 3.0, (4,)),
    "uniform": lambda: random.uniform(fry(), (9000,)),
    "exponential": lambda: random.exponential(fry(), (3,)),
    "randint": lambda: random.randint(fry(), (4,), 0, 10),
    "permutation": lambda: random.permutation(fry(), 6),
    "choice": lambda: random.choice(fry(), 7, (3,)),
    "gumbel": lambda: random.gumbel(fry(), (3,)),
    "categorical": lambda: random.categorical(fry(), np.zeros((40, 3), np.float32)),
    "rademacher": lambda: random.rademacher(fry(), (3,)),
    "fold_in": lambda: random.key_data(random.fold_in(fry(), 3)),
    "the default key": lambda: (str(random.key(3).dtype), random.key_data(random.key(3))),
    "PRNGKey": lambda: (str(random.PRNGKey(3).dtype), random.key_data(random.PRNGKey(3))),
    "jitted key": lambda jitted=jax.jit(lambda: random.key_data(random.key(3))): jitted(),
    "bits of words": lambda: random.bits(random.PRNGKey(0), (3,)),
    "custom derivative": lambda g=jax.grad(lambda x: noisy(x, WORDS[0]).sum()): g(F32),
    "grad": lambda g=jax.jit(jax.grad(lambda x: (x * 2.5).sum())): g(WIDE),
    "linspace": lambda: (jnp.linspace(0, 1, 3), jnp.eye(2), jnp.full(2, 1), jnp.asarray(2.5), jnp.asarray([1, 2])),
    "nonzero": lambda: jnp.nonzero(I32),
    "sort": lambda: (jnp.argsort(F32), jnp.searchsorted(F32, 0.5)),
    "where": lambda: jnp.where(I32 > 1, F32, I32),
    "concatenate": lambda: jnp.concatenate([F32, I32]),
    "maximum": lambda f=jax.jit(jnp.maximum): f(F32, I32),
    "power": lambda: jnp.power(I32, 2.5),
    "python numbers": lambda f=jax.jit(lambda x: (x, x * 2)): (f(1), f(1.5), f(True)),
    "dot": lambda f=jax.make_jaxpr(jnp.dot): str(f(MATRIX, MATRIX.T)),
    "jitted dot": lambda f=jax.jit(jnp.dot): str(f.trace(MATRIX, MATRIX.T).jaxpr),
    "einsum": lambda: str(jax.make_jaxpr(lambda a: jnp.einsum("ij,kj->ik", a, a))(MATRIX)),
    "softmax": lambda: str(jax.make_jaxpr(jax.grad(lambda x: jax.nn.softmax(x)[0]))(F32)),
    "short sum": lambda: jnp.asarray(F32) + jnp.asarray(F32),
    "short quotient": lambda: jnp.asarray(I32) / jnp.asarray(I32 + 1),
    "short index": lambda: jnp.asarray(F32)[1] + 1,
    "matrix and vector": lambda: jnp.asarray(MATRIX) * jnp.asarray(F32),
}


def shown(x):
    """Types and bytes; of an error, its class."""
    parts = [str(a) if isinstance(a, str) else f"{jax.typeof(a).str_short()}:{np.asarray(a).tobytes().hex()}"
             for a in jax.tree.leaves(x)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12] if parts else "nothing"


def result(call):
    try:
        return shown(call())
    except (TypeError, ValueError, NotImplementedError) as error:
        return type(error).__name__


def results(names=CALLS):
    return {name: result(CALLS[name]) for name in names}


if __name__ == "__main__":
    for option, setting in SETTINGS[sys.argv[1]].items():
        jax.config.update(option, setting)
    print(json.dumps(results()))
