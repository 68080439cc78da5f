"""Tracing and dispatch from several threads at once."""
from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.config import local
from perspicax.core.context import evaluator

THREADS = 8


def together(work):
    """Results of `work(i)` in threads that start at once."""
    gate = threading.Barrier(THREADS)

    def run(i):
        gate.wait()
        return work(i)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def loss(w, x):
    return (jnp.tanh(x * w) ** 2).sum()


def test_mixed_shapes_give_the_results_of_one_thread():
    inputs = [np.linspace(-1, 1, 2 + n % 3).astype(np.float32) for n in range(6)]
    step = px.jit(lambda w, x: (w - 0.1 * px.grad(loss)(w, x), px.vmap(jnp.sin)(x), jnp.cumsum(x)))
    alone = [px.tree.map(np.asarray, step(np.float32(0.5), x)) for x in inputs]
    px.clear_caches()

    def work(i):
        order = [(i + k) % len(inputs) for k in range(3 * len(inputs))]
        return [(n, px.tree.map(np.asarray, step(np.float32(0.5), inputs[n]))) for n in order]

    for results in together(work):
        for n, found in results:
            for a, b in zip(px.tree.leaves(found), px.tree.leaves(alone[n])):
                np.testing.assert_array_equal(a, b)


def test_one_thread_in_64_bits_the_others_not():
    """The short ways of a jitted function belong to a state of the options: no thread takes another's."""
    f = px.jit(lambda x: x * 3)

    def work(i):
        found = set()
        for _ in range(150):
            if i % 2:
                with px.enable_x64(True):
                    found.add(str(f(1.0).dtype))
            else:
                found.add(str(f(1.0).dtype))
        return found

    assert together(work) == [{"float64"} if i % 2 else {"float32"} for i in range(THREADS)]


def test_each_thread_has_its_own_trace():
    inside = threading.Barrier(THREADS)

    def work(i):
        def f(x):
            inside.wait()  # all threads are tracing now
            assert local.trace is not evaluator()
            return x * i

        return float(px.jit(f)(2.0)), local.trace is evaluator()

    assert together(work) == [(2.0 * i, True) for i in range(THREADS)]


def test_eager_kernels_are_made_by_many():
    shape = (2, 3, 5)

    def work(i):
        x = jnp.full(shape, float(i + 1), jnp.float32)
        return float((jnp.exp(jnp.log(x)) + x).sum())

    np.testing.assert_allclose(together(work), [60.0 * (i + 1) for i in range(THREADS)], rtol=1e-5)


def test_a_tracer_is_of_no_use_to_another_thread():
    def f(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: x * 2).result()

    with pytest.raises(px.errors.UnexpectedTracerError):
        px.jit(f)(1.0)
    assert px.jit(lambda x: x * 2)(1.0) == 2.0
