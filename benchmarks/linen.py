"""A program that makes one training step of a Linen model: `python -m benchmarks.linen MODEL IMPL`.

The models are ResNet-50 (images of 224 x 224, batch of 1) and a transformer of 12 layers. What is timed within is told
in milliseconds; how long the process takes from its start, only its parent knows.
"""

import json
import sys
from functools import partial
from types import ModuleType
from typing import Any

from benchmarks.child import MARK
from benchmarks.measure import CLOCK, load, once, refuse_real_jax
from benchmarks.mixed import count_operations

CLASSES, VOCABULARY, LENGTH = 1000, 1000, 64


def resnet50(nn: ModuleType) -> Any:
    """ResNet-50 (He, Zhang, Ren and Sun, 2015), in training mode."""

    class Bottleneck(nn.Module):
        filters: int
        strides: int = 1

        @nn.compact
        def __call__(self, x: Any) -> Any:
            norm = partial(nn.BatchNorm, use_running_average=False, momentum=0.9)
            conv = partial(nn.Conv, use_bias=False)
            y = nn.relu(norm()(conv(self.filters, (1, 1))(x)))
            y = nn.relu(norm()(conv(self.filters, (3, 3), self.strides)(y)))
            y = norm(scale_init=nn.initializers.zeros)(conv(4 * self.filters, (1, 1))(y))
            if x.shape != y.shape:
                x = norm(name="norm_of_shortcut")(conv(4 * self.filters, (1, 1), self.strides, name="shortcut")(x))
            return nn.relu(x + y)

    class ResNet50(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.Conv(64, (7, 7), 2, padding=3, use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=False)(x))
            x = nn.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")
            for stage, blocks in enumerate((3, 4, 6, 3)):
                for block in range(blocks):
                    x = Bottleneck(64 * 2**stage, 2 if stage and not block else 1)(x)
            return nn.Dense(CLASSES)(x.mean(axis=(1, 2)))

    return ResNet50()


def transformer(nn: ModuleType) -> Any:
    """A causal transformer of 12 layers, 256 wide, in training mode."""

    class Block(nn.Module):
        width: int

        @nn.compact
        def __call__(self, x: Any, mask: Any) -> Any:
            y = nn.LayerNorm()(x)
            y = nn.MultiHeadDotProductAttention(num_heads=8)(y, y, mask=mask)
            x = x + nn.Dropout(0.1, deterministic=False)(y)
            y = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)))
            return x + nn.Dropout(0.1, deterministic=False)(nn.Dense(self.width)(y))

    class Transformer(nn.Module):
        width: int = 256

        @nn.compact
        def __call__(self, tokens: Any) -> Any:
            places = self.param("places", nn.initializers.normal(0.02), (LENGTH, self.width))
            x = nn.Embed(VOCABULARY, self.width)(tokens) + places
            mask = nn.make_causal_mask(tokens)
            for _ in range(12):
                x = Block(self.width)(x, mask)
            return nn.Dense(VOCABULARY)(nn.LayerNorm()(x))

    return Transformer()


def batch_for(model: str) -> tuple[Any, Any]:
    """Inputs and the classes to be found."""
    import numpy as np

    rng = np.random.RandomState(0)
    if model == "resnet50":
        return rng.randn(1, 224, 224, 3).astype("float32"), rng.randint(0, CLASSES, 1).astype("int32")
    tokens = rng.randint(0, VOCABULARY, (2, LENGTH + 1)).astype("int32")
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def make_step(jax: ModuleType, nn: ModuleType, model: Any) -> Any:
    """A step of gradient descent with momentum."""
    jnp = jax.numpy

    def loss(params: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        logits, changed = model.apply({"params": params, **state}, x, mutable=["batch_stats"], rngs={"dropout": key})
        found = jnp.take_along_axis(nn.log_softmax(logits), y[..., None], axis=-1)
        return -found.mean(), {name: changed[name] for name in state}

    def step(params: Any, momentum: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        (value, state), grads = jax.value_and_grad(loss, has_aux=True)(params, state, x, y, key)
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, grads)
        return jax.tree.map(lambda p, m: p - 0.01 * m, params, momentum), momentum, state, value

    return step


def main(name: str, impl: str) -> None:
    """Make a model's variables, trace, compile and run a training step; print how long each took."""
    jax = load(impl)
    start = CLOCK()
    import flax.linen as nn

    values = {"import": CLOCK() - start}
    model = {"resnet50": resnet50, "transformer": transformer}[name](nn)
    x, y = map(jax.numpy.asarray, batch_for(name))
    key = jax.random.key(0)
    start = CLOCK()
    variables = dict(jax.block_until_ready(model.init({"params": key, "dropout": key}, x)))
    values["init"] = CLOCK() - start
    params = variables.pop("params")
    arguments = (params, jax.tree.map(jax.numpy.zeros_like, params), variables, x, y, key)
    start = CLOCK()
    traced = jax.jit(make_step(jax, nn, model)).trace(*arguments)
    values["trace"] = CLOCK() - start
    lowered = traced.lower()
    step = lowered.compile()
    jax.block_until_ready(step(*arguments))
    if sys.argv[3:] != ["once"]:
        start = CLOCK()
        values["step"] = min(once(lambda: jax.block_until_ready(step(*arguments))) for _ in range(7))
        values["operations"] = count_operations(lowered.as_text()) / 1e3
        values["more"] = CLOCK() - start  # no part of the way to the first step
    refuse_real_jax(impl)
    print(f"\n{MARK}{json.dumps({key: 1e3 * value for key, value in values.items()})}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
