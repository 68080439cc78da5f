"""The workloads that are measured inside a process: name -> function(jax) -> {metric: value in the target's unit}.

Every name of JAX is looked up on the module that is given, so that the code is the same for all implementations.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.control import callbacks, loops
from benchmarks.files import files
from benchmarks.kernels import eager_arrays, kernels, trace_library
from benchmarks.measure import best, best_fresh
from benchmarks.mixed import mixed
from benchmarks.sampling import sampling
from benchmarks.scaling import scaling
from benchmarks.sharded import sharded

Function = Callable[..., Any]
Values = dict[str, float]

CHAIN = 3000
MIX_ROUNDS, MIX_OPERATIONS = 40, 25


def make_chain(jnp: ModuleType) -> Function:
    """A new function of 3000 elementwise operations."""

    def chain(x: Any) -> Any:
        for _ in range(CHAIN // 6):
            x = jnp.sin(x)
            x = x * 1.01
            x = x + 0.5
            x = jnp.tanh(x)
            x = x - x
            x = jnp.exp(x)
        return x

    return chain


def make_chain_sum(jnp: ModuleType) -> Function:
    """The same, summed: a scalar, for grad."""
    chain = make_chain(jnp)
    return lambda x: chain(x).sum()


def make_mix(jnp: ModuleType) -> Function:
    """A new function of what models are made of: 40 rounds of 25 operations, counted as the user writes them."""

    def mix(x: Any, w: Any, b: Any, index: Any) -> Any:
        for _ in range(MIX_ROUNDS):
            y = x @ w  # 1
            y = y + b  # 2
            mean = y.mean(axis=-1, keepdims=True)  # 3
            y = y - mean  # 4
            variance = (y * y).sum(axis=-1, keepdims=True)  # 5, 6
            y = y / jnp.sqrt(variance + 1e-5)  # 7, 8, 9
            tail = y[:, 1:]  # 10
            head = y[:, :1]  # 11
            y = jnp.concatenate([tail, head], axis=1)  # 12
            y = jnp.where(y > 0, y, 0.1 * y)  # 13, 14, 15
            heads = y.reshape(8, 4, -1)  # 16
            heads = heads.transpose(1, 0, 2)  # 17
            scores = jnp.einsum("hbd,hcd->hbc", heads, heads)  # 18
            scores = scores.max(axis=-1)  # 19
            row = y[0]  # 20
            rows = y[index]  # 21
            y = y + row  # 22
            y = y + rows  # 23
            x = y * jnp.broadcast_to(scores.sum(), y.shape)  # 24, 25
        return x

    return mix


def mix_arguments(jnp: ModuleType) -> tuple[Any, ...]:
    rng = np.random.RandomState(0)
    x, w, b = (jnp.asarray(rng.randn(*shape).astype("float32")) for shape in ((8, 16), (16, 16), (16,)))
    return x, w, b, jnp.asarray(np.arange(8, dtype="int32")[::-1].copy())


def trace(jax: ModuleType) -> Values:
    """To a jaxpr, a function never seen before, in a warm process; per operation."""
    jnp = jax.numpy
    x, mixed = jnp.ones(64), mix_arguments(jnp)
    chain = best_fresh(lambda: make_chain(jnp), lambda f: jax.make_jaxpr(f)(x), rounds=9)
    mix = best_fresh(lambda: make_mix(jnp), lambda f: jax.make_jaxpr(f)(*mixed), rounds=7)
    return {"trace/chain": chain / CHAIN * 1e6, "trace/mix": mix / (MIX_ROUNDS * MIX_OPERATIONS) * 1e6}


def autodiff(jax: ModuleType) -> Values:
    """To a jaxpr: the summed chain under grad, vmap(grad), linearize."""
    jnp = jax.numpy
    x, xs = jnp.ones(64), jnp.ones((4, 64))
    runs: dict[str, Function] = {
        "grad": lambda f: jax.make_jaxpr(jax.grad(f))(x),
        "vmap_grad": lambda f: jax.make_jaxpr(jax.vmap(jax.grad(f)))(xs),
        "linearize": lambda f: jax.make_jaxpr(lambda x: jax.linearize(f, x)[0])(x),
    }
    return {f"trace/{name}": best_fresh(lambda: make_chain_sum(jnp), run) * 1e3 for name, run in runs.items()}


def lower(jax: ModuleType) -> Values:
    """To StableHLO, what is already traced; per operation of the chain."""
    jnp = jax.numpy
    x = jnp.ones(64)
    seconds = best_fresh(lambda: jax.jit(make_chain(jnp)).trace(x), lambda traced: traced.lower(), rounds=7)
    return {"lower/chain": seconds / CHAIN * 1e6}


def jit(jax: ModuleType) -> Values:
    """A warm call whose computation is next to nothing; its result is not waited for."""
    x, y = jax.numpy.ones(4), jax.numpy.ones(4)
    add = jax.jit(lambda x, y: x + y)
    return {"jit/2_args": best(lambda: add(x, y)) * 1e6}


def jit_leaves(jax: ModuleType) -> Values:
    """The same on nested dicts of float32 scalars, ten a branch, as in the parameters of a model; waited for."""
    values = {}
    for count in (100, 1000):
        tree = {
            f"layer_{i}": {f"p{j}": jax.numpy.asarray(np.float32(10 * i + j)) for j in range(10)}
            for i in range(count // 10)
        }
        add_one = jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf + 1, tree))
        values[f"jit/{count}_leaves"] = best(lambda: jax.block_until_ready(add_one(tree))) * 1e6
    return values


def eager(jax: ModuleType, cases: dict[str, Function]) -> Values:
    """Microseconds of each call; all are finished before the next case begins, so that none waits for another."""
    values = {}
    for name, case in cases.items():
        values[f"eager/{name}"] = best(case) * 1e6
        jax.block_until_ready(case())
    return values


def eager_arithmetic(jax: ModuleType) -> Values:
    jnp = jax.numpy
    x, y, a = jnp.arange(4.0) + 0.5, jnp.ones(4), jnp.ones((64, 64))
    return eager(jax, {"add": lambda: x + y, "sin": lambda: jnp.sin(x), "matmul64": lambda: a @ a})


def eager_shapes(jax: ModuleType) -> Values:
    jnp = jax.numpy
    x, a = jnp.arange(4.0) + 0.5, jnp.ones((64, 64))
    cases: dict[str, Function] = {
        "index_int": lambda: x[0],
        "index_slice": lambda: x[1:3],
        "zeros": lambda: jnp.zeros(4),
        "arange": lambda: jnp.arange(4),
        "reshape": lambda: a.reshape(32, 128),
        "at_set": lambda: x.at[0].set(1.0),
    }
    return eager(jax, cases)


def eager_transforms(jax: ModuleType) -> Values:
    jnp = jax.numpy
    x = jnp.arange(4.0) + 0.5
    gradient = jax.grad(lambda v: (jnp.sin(v) * v).sum())
    mapped = jax.vmap(lambda v: jnp.sin(v) * 2.0)
    return eager(jax, {"grad": lambda: gradient(x), "vmap": lambda: mapped(x)})


def steady(jax: ModuleType) -> Values:
    """The compiled step of the convolutional network in examples/digits.py, arguments on the device, waited for."""
    file = Path(__file__).parents[1] / "examples" / "digits.py"
    spec = importlib.util.spec_from_file_location("digits", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} cannot be loaded")
    digits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(digits)
    images, labels = digits.load_digits()
    init, model = digits.MODELS["cnn"]
    params = init(np.random.RandomState(0))
    state = (params, digits.init_adam(params))
    batch = [images[: digits.BATCH], digits.one_hot(labels[: digits.BATCH])]
    arguments = jax.tree.map(jax.numpy.asarray, (*state, *batch))
    step = digits.make_step(model)
    return {"steady/digits_step": best(lambda: jax.block_until_ready(step(*arguments)), seconds=2) * 1e6}


WORKLOADS: dict[str, Callable[[ModuleType], Values]] = {
    function.__name__: function
    for function in (trace, autodiff, mixed, lower, jit, jit_leaves, eager_arithmetic, eager_shapes, eager_transforms, steady,
                     trace_library, eager_arrays, kernels, loops, callbacks, files, sampling, scaling, sharded)
}
