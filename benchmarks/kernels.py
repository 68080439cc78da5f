"""Compiled kernels in their steady state, eager calls of functions that move data, and a trace of the library's functions.

What XLA makes of a kernel depends on the operations that it is given: a ratio far from 1 says that the two
implementations write different programs.
"""

import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import best, best_fresh

Function = Callable[..., Any]
Values = dict[str, float]
Kernel = tuple[Function, tuple[Any, ...]]
"""A function, and its arguments as NumPy arrays."""


def normal(*shape: int) -> np.ndarray:
    return np.random.RandomState(sum(shape)).randn(*shape).astype(np.float32)


def indices(count: int, below: int) -> np.ndarray:
    return np.random.RandomState(count).randint(0, below, count).astype(np.int32)


def definite(n: int) -> np.ndarray:
    a = normal(n, n)
    return (a @ a.T / n + np.eye(n)).astype(np.float32)


def products(jax: ModuleType) -> dict[str, Kernel]:
    """Matrix products, convolutions and attention, forward and backward."""
    jnp, lax, nn = jax.numpy, jax.lax, jax.nn
    convolve: Function = lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    images, filters = normal(4, 28, 28, 8), normal(3, 3, 8, 16)
    heads = normal(2, 64, 4, 32)
    attend: Function = lambda q, k, v: nn.dot_product_attention(q, k, v, is_causal=True)
    return {
        "matmul": (lambda a, b: a @ b, (normal(256, 256), normal(256, 256))),
        "matvec": (lambda a, b: a @ b, (normal(512, 512), normal(512))),
        "einsum": (lambda a, b: jnp.einsum("bij,bkj->bik", a, b), (normal(8, 64, 64), normal(8, 64, 64))),
        "outer": (lambda a, b: jnp.outer(a, b), (normal(512), normal(512))),
        "conv": (convolve, (images, filters)),
        "conv_grad": (jax.grad(lambda k, x: convolve(x, k).sum()), (filters, images)),
        "conv_transpose": (lambda x, k: lax.conv_transpose(x, k, (2, 2), "SAME"), (images, filters)),
        "max_pool": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"), (images,)),
        "attention": (attend, (heads, heads, heads)),
        "attention_grad": (jax.grad(lambda q, k, v: attend(q, k, v).sum(), (0, 1, 2)), (heads, heads, heads)),
    }


def networks(jax: ModuleType) -> dict[str, Kernel]:
    """What networks are made of beside products."""
    jnp, nn = jax.numpy, jax.nn

    def layer_norm(x: Any, scale: Any) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / jnp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-6) * scale

    def cross_entropy(logits: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(nn.log_softmax(logits), labels[:, None], axis=-1).mean()

    x, labels = normal(128, 512), indices(128, 512)
    return {
        "softmax": (nn.softmax, (x,)),
        "log_softmax_grad": (jax.grad(cross_entropy), (x, labels)),
        "logsumexp": (lambda x: nn.logsumexp(x, axis=-1), (x,)),
        "layer_norm": (layer_norm, (x, normal(512))),
        "layer_norm_grad": (jax.grad(lambda x, s: layer_norm(x, s).sum()), (x, normal(512))),
        "gelu": (nn.gelu, (x,)),
        "one_hot": (lambda i: nn.one_hot(i, 512), (labels,)),
        "variance": (lambda x: jnp.var(x, axis=0), (x,)),
        "resize": (lambda x: jax.image.resize(x, (4, 56, 56, 8), "bilinear"), (normal(4, 28, 28, 8),)),
    }


def movements(jax: ModuleType) -> dict[str, Kernel]:
    """Sorting, searching, indexing, running sums."""
    jnp, lax = jax.numpy, jax.lax
    x, v, places = normal(64, 1024), normal(4096), indices(2048, 1024)
    knots = np.sort(normal(256))
    return {
        "cumsum": (lambda x: jnp.cumsum(x, axis=1), (x,)),
        "cumprod": (lambda x: jnp.cumprod(x, axis=1), (x,)),
        "sort": (lambda v: jnp.sort(v), (v,)),
        "argsort": (lambda v: jnp.argsort(v), (v,)),
        "top_k": (lambda x: lax.top_k(x, 10), (x,)),
        "gather": (lambda x, i: x[:, i], (x, places)),
        "gather_rows": (lambda x, i: x[i], (normal(1024, 64), places)),
        "scatter_add": (lambda x, i: jnp.zeros(1024).at[i].add(x), (normal(2048), places)),
        "segment_sum": (lambda x, i: jax.ops.segment_sum(x, i, 1024), (normal(2048, 8), places)),
        "where": (lambda x: jnp.where(x > 0, x, 0.1 * x), (x,)),
        "median": (lambda x: jnp.median(x, axis=1), (x,)),
        "quantile": (lambda x: jnp.quantile(x, 0.3, axis=1), (x,)),
        "histogram": (lambda v: jnp.histogram(v, bins=32, range=(-4.0, 4.0))[0], (v,)),
        "searchsorted": (lambda k, v: jnp.searchsorted(k, v), (knots, v)),
        "interp": (lambda v, k, y: jnp.interp(v, k, y), (v, knots, normal(256))),
    }


def numerics(jax: ModuleType) -> dict[str, Kernel]:
    """Transforms, decompositions, special functions."""
    jnp = jax.numpy
    a, b = definite(64), normal(64, 8)
    return {
        "fft": (jnp.fft.fft, (normal(64, 256),)),
        "rfft2": (jnp.fft.rfft2, (normal(8, 64, 64),)),
        "convolve": (lambda x, y: jnp.convolve(x, y, mode="same"), (normal(4096), normal(33))),
        "cholesky": (jnp.linalg.cholesky, (a,)),
        "solve": (jnp.linalg.solve, (a, b)),
        "inverse": (jnp.linalg.inv, (a,)),
        "svd": (lambda a: jnp.linalg.svd(a, full_matrices=False), (normal(64, 32),)),
        "eigh": (jnp.linalg.eigh, (a,)),
        "qr": (jnp.linalg.qr, (normal(64, 32),)),
        "expm": (jax.scipy.linalg.expm, (definite(16),)),
        "gammaln": (jax.scipy.special.gammaln, (np.abs(normal(4096)) + 0.5,)),
        "erfinv": (jax.scipy.special.erfinv, (np.tanh(normal(4096)),)),
    }


FAMILIES = (products, networks, movements, numerics)


def kernels(jax: ModuleType) -> Values:
    """Microseconds of each compiled kernel, waited for, and the geometric mean of them all."""
    import_submodules(jax)
    values = {}
    for family in FAMILIES:
        for name, (function, arguments) in family(jax).items():
            compiled = jax.jit(function)
            given = tuple(jax.numpy.asarray(x) for x in arguments)
            values[f"kernels/{name}"] = best(lambda: jax.block_until_ready(compiled(*given)), seconds=0.25) * 1e6
    values["kernels/all"] = math.exp(sum(map(math.log, values.values())) / len(values))
    return values


def import_submodules(jax: ModuleType) -> None:
    """Import the submodules that `import jax` does not."""
    for name in ("image", "nn", "ops", "scipy.linalg", "scipy.special"):
        importlib.import_module(f"{jax.__name__}.{name}")


def eager_calls(jax: ModuleType) -> dict[str, Function]:
    """Functions that make, move, cut and order data, on small arrays."""
    jnp = jax.numpy
    x, m, places = jnp.asarray(normal(16)), jnp.asarray(normal(4, 8)), jnp.asarray(indices(6, 4))
    numbers, host = [1.0, 2.0, 3.0], normal(4, 8)
    return {
        "ones": lambda: jnp.ones((4, 8)),
        "full": lambda: jnp.full((4, 8), 2.5),
        "eye": lambda: jnp.eye(4),
        "linspace": lambda: jnp.linspace(0.0, 1.0, 8),
        "array_of_list": lambda: jnp.array(numbers),
        "asarray_of_numpy": lambda: jnp.asarray(host),
        "zeros_like": lambda: jnp.zeros_like(m),
        "transpose": lambda: m.T,
        "ravel": lambda: m.ravel(),
        "expand_dims": lambda: jnp.expand_dims(m, 1),
        "squeeze": lambda: jnp.squeeze(m[:1]),
        "broadcast_to": lambda: jnp.broadcast_to(x, (4, 16)),
        "swapaxes": lambda: jnp.swapaxes(m, 0, 1),
        "concatenate": lambda: jnp.concatenate([m, m]),
        "stack": lambda: jnp.stack([x, x, x]),
        "split": lambda: jnp.split(m, 2),
        "flip": lambda: jnp.flip(x),
        "roll": lambda: jnp.roll(x, 3),
        "pad": lambda: jnp.pad(x, 2),
        "tile": lambda: jnp.tile(x, 3),
        "repeat": lambda: jnp.repeat(x, 2),
        "index_array": lambda: m[places],
        "index_newaxis": lambda: x[None, ::2],
        "take": lambda: jnp.take(m, places, axis=0),
        "at_add": lambda: m.at[1].add(1.0),
        "astype": lambda: places.astype(jnp.float32),
        "tril": lambda: jnp.tril(m),
        "one_hot": lambda: jax.nn.one_hot(places, 4),
        "sort": lambda: jnp.sort(x),
        "argsort": lambda: jnp.argsort(x),
        "argmax": lambda: jnp.argmax(x),
        "where": lambda: jnp.where(x > 0, x, 0.0),
        "nonzero": lambda: jnp.nonzero(places),
        "unique": lambda: jnp.unique(places),
    }


def eager_arrays(jax: ModuleType) -> Values:
    """Microseconds of each call, and the geometric mean of them all; results are waited for, since some wait anyway."""
    import_submodules(jax)
    values = {}
    for name, call in eager_calls(jax).items():
        values[f"eager/{name}"] = best(lambda: jax.block_until_ready(call()), seconds=0.15) * 1e6
    values["eager/arrays"] = math.exp(sum(map(math.log, values.values())) / len(values))
    return values


LIBRARY_ROUNDS = 10


def make_library(jax: ModuleType) -> Function:
    """A new function that calls many functions of the library; counted as 40 calls a round."""
    jnp, nn = jax.numpy, jax.nn

    def library(x: Any, m: Any, i: Any) -> Any:
        total = jnp.zeros(())
        for _ in range(LIBRARY_ROUNDS):
            a = jnp.clip(jnp.linspace(0.0, 1.0, 16) * x, -1.0, 1.0)
            a = jnp.where(jnp.isnan(a), 0.0, jnp.nan_to_num(a))
            a = jnp.concatenate([jnp.flip(a[:8]), jnp.roll(a[8:], 1)])
            b = jnp.stack([a, jnp.sort(x), jnp.cumsum(x)])
            b = jnp.pad(b, ((0, 1), (0, 0))) + jnp.expand_dims(jnp.arange(16.0), 0)
            b = jnp.swapaxes(jnp.tile(b, (1, 2)), 0, 1).reshape(4, -1)
            c = jnp.einsum("ij,kj->ik", b, b) + jnp.tril(m) - jnp.eye(4)
            c = c.at[i].add(1.0)[::-1].at[0, 1].set(0.5)
            d = nn.softmax(nn.gelu(c)) * nn.one_hot(i, 4) + jnp.take(c, i, axis=0)
            d = d - jnp.median(d, axis=0) + jnp.var(d, axis=1, keepdims=True)
            d = jnp.take_along_axis(d, jnp.argsort(d, axis=1), axis=1)
            total = total + jnp.linalg.norm(d) + jnp.trace(c) + jnp.interp(total, x, x) + nn.logsumexp(d) + jnp.max(d)
        return total

    return library


def trace_library(jax: ModuleType) -> Values:
    """To a jaxpr, a function never seen before, in a warm process; per call of the library."""
    import_submodules(jax)
    jnp = jax.numpy
    arguments = jnp.asarray(normal(16)), jnp.asarray(normal(4, 4)), jnp.asarray(indices(4, 4))
    seconds = best_fresh(lambda: make_library(jax), lambda f: jax.make_jaxpr(f)(*arguments), rounds=7)
    return {"trace/library": seconds / (LIBRARY_ROUNDS * 40) * 1e6}
