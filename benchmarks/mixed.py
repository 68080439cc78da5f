"""A program of about 2,000 equations as models have them: convolutions, products, indexing, reductions, softmax, layer norm."""

import re
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import best_fresh

BLOCKS = 40
CHANNELS, WIDTH, BATCH = 8, 8, 4


def make_model(jax: ModuleType) -> Any:
    """A new function (parameters, images, index) -> loss."""
    jnp, lax = jax.numpy, jax.lax

    def softmax(x: Any) -> Any:
        shifted = jnp.exp(x - lax.stop_gradient(x.max(axis=-1, keepdims=True)))
        return shifted / shifted.sum(axis=-1, keepdims=True)

    def normalise(x: Any, scale: Any, shift: Any) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        return centred * lax.rsqrt(variance + 1e-6) * scale + shift

    def block(x: Any, p: dict[str, Any], index: Any) -> Any:
        y = lax.conv_general_dilated(x, p["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        y = jnp.maximum(normalise(y + p["bias"], p["scale"], p["shift"]), 0.0)
        tokens = y.reshape(BATCH, WIDTH * WIDTH, CHANNELS)
        query, key, value = tokens @ p["query"], tokens @ p["key"], tokens @ p["value"]
        weights = softmax(jnp.einsum("bqc,bkc->bqk", query, key) / np.sqrt(CHANNELS).astype("float32"))
        mixed = jnp.concatenate([jnp.matmul(weights, value)[:, 1:], tokens[:, :1]], axis=1)
        mixed = mixed + tokens[index] + jnp.where(mixed > 0, mixed, 0.1 * mixed)
        return x + jnp.tanh(mixed).reshape(x.shape)

    def loss(params: list[dict[str, Any]], x: Any, index: Any) -> Any:
        for p in params:
            x = block(x, p, index)
        logits = x.mean(axis=(1, 2))
        return -jnp.log(softmax(logits)[jnp.arange(BATCH), index]).mean()

    return loss


def model_arguments(jnp: ModuleType) -> tuple[Any, Any, Any]:
    """Parameters, images and indices."""
    rng = np.random.RandomState(0)

    def made(*shape: int) -> Any:
        return jnp.asarray((rng.randn(*shape) * 0.3).astype("float32"))

    shapes = dict.fromkeys(("bias", "scale", "shift"), (CHANNELS,))
    shapes |= dict.fromkeys(("query", "key", "value"), (CHANNELS, CHANNELS))
    shapes["kernel"] = (3, 3, CHANNELS, CHANNELS)
    params = [{name: made(*shape) for name, shape in shapes.items()} for _ in range(BLOCKS)]
    return params, made(BATCH, WIDTH, WIDTH, CHANNELS), jnp.asarray(np.array([2, 0, 3, 1], "int32"))


def count_operations(text: str) -> int:
    """Operations of a StableHLO module: lines that define a value, constants and returns left out."""
    return sum(1 for line in text.splitlines()
               if re.match(r"\s*%\S+ = ", line) and not re.match(r"\s*%\S+ = (stablehlo\.constant|stablehlo\.iota)\b", line))


def mixed(jax: ModuleType) -> dict[str, float]:
    """Milliseconds to trace, differentiate, vectorise, rematerialise and lower the model; operations that were emitted."""
    args = model_arguments(jax.numpy)
    over = (jax.tree.map(lambda x: jax.numpy.stack([x] * 2), args[0]), jax.numpy.stack([args[1]] * 2), args[2])
    grad = jax.grad

    def to_jaxpr(function: Any) -> Any:
        return lambda f: jax.make_jaxpr(function(f))(*args)

    def lowered(function: Any) -> tuple[float, float]:
        seconds = best_fresh(lambda: jax.jit(function(make_model(jax))).trace(*args), lambda traced: traced.lower(), rounds=3)
        return seconds * 1e3, float(count_operations(jax.jit(function(make_model(jax))).lower(*args).as_text()))

    def milliseconds(run: Any) -> float:
        return best_fresh(lambda: make_model(jax), run, rounds=5) * 1e3

    lower, operations = lowered(lambda f: f)
    lower_grad, operations_grad = lowered(grad)
    return {
        "mixed/trace": milliseconds(to_jaxpr(lambda f: f)),
        "mixed/grad": milliseconds(to_jaxpr(grad)),
        "mixed/vmap_grad": milliseconds(lambda f: jax.make_jaxpr(jax.vmap(grad(f), (0, 0, None)))(*over)),
        "mixed/remat": milliseconds(to_jaxpr(lambda f: grad(jax.checkpoint(f)))),
        "mixed/lower": lower, "mixed/lower_grad": lower_grad,
        "mixed/operations": operations, "mixed/operations_grad": operations_grad,
    }
