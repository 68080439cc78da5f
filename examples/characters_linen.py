"""Teach a small transformer to write like Python's manual, character by character, with Flax's Linen.

    python -m perspicax.compat examples/characters_linen.py            under Perspicax
    python examples/characters_linen.py                                under JAX and Flax: the same file

The text is the part of the language reference that Python carries with it for `help()` (`pydoc_data.topics`). The network
sees 64 characters and guesses the next one, at each place of them at once. In about a minute on two cores the loss on text
that it has not seen falls below 1.7 nats a character (guessing blindly costs 4.5, counting letters 3.2).

Then it writes: one character at a time, each drawn from what the network finds likely. Keys and values of earlier characters
stay in the attention's cache (`decode=True`), so that a new character costs one step of the network, not a whole pass.
"""

import argparse
import pydoc_data.topics
import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

LENGTH = 64
BATCH = 32
PEAK_RATE = 3e-3
HELD_SHARE = 0.1


class Text(NamedTuple):
    """Characters as numbers: `train` and `test` are int `[n]`, `alphabet[i]` is the character of number i."""

    train: np.ndarray
    test: np.ndarray
    alphabet: str


def load() -> Text:
    """The topics of Python's `help()`, one after the other, with the last tenth set aside for the test."""
    topics = pydoc_data.topics.topics
    text = "\n\n".join(topics[name] for name in sorted(topics))
    text = "".join(character for character in text if character == "\n" or " " <= character <= "~")
    alphabet = "".join(sorted(set(text)))
    numbers = np.array([alphabet.index(character) for character in alphabet], np.int32)
    table = np.zeros(128, np.int32)
    table[[ord(character) for character in alphabet]] = numbers
    codes = table[np.frombuffer(text.encode("ascii"), np.uint8)]
    held = int(len(codes) * HELD_SHARE)
    return Text(codes[:-held], codes[-held:], alphabet)


# ---------------------------------------------------------------- the network


class Block(nn.Module):
    """Attention to the characters before, then two dense layers; each adds to what comes in."""

    heads: int
    decode: bool

    @nn.compact
    def __call__(self, x: Any, mask: Any) -> Any:
        width = x.shape[-1]
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads, decode=self.decode, name="attention")(y, mask=mask)
        y = nn.Dense(4 * width)(nn.LayerNorm()(x))
        return x + nn.Dense(width)(nn.gelu(y))


class Writer(nn.Module):
    """Scores for the character after each place: int `[batch, length]` to float `[batch, length, characters]`.

    With `decode` it takes one character at a time and remembers the earlier ones in the collection 'cache'.
    """

    characters: int
    width: int = 96
    layers: int = 3
    heads: int = 4
    decode: bool = False

    @nn.compact
    def __call__(self, codes: Any) -> Any:
        places = self.param("places", nn.initializers.normal(0.02), (LENGTH, self.width))
        if self.decode:
            started = self.has_variable("cache", "place")
            place = self.variable("cache", "place", lambda: jnp.zeros((), jnp.int32))
            if started:
                places = jax.lax.dynamic_slice_in_dim(places, place.value, 1)
                place.value += 1
        x = nn.Embed(self.characters, self.width)(codes) + places
        mask = None if self.decode else nn.make_causal_mask(codes)
        for layer in range(self.layers):
            x = Block(self.heads, self.decode, name=f"block_{layer}")(x, mask)
        return nn.Dense(self.characters)(nn.LayerNorm()(x))


# ---------------------------------------------------------------- the training


def mean_loss(model: Writer, params: Any, windows: Any) -> Any:
    """The mean loss in nats a character, over windows `[batch, LENGTH + 1]`."""
    scores = model.apply({"params": params}, windows[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(scores, windows[:, 1:]).mean()


def windows_of(codes: np.ndarray, count: int, seed: int, step: int) -> np.ndarray:
    """Windows of the text at places that depend on the seed and the step alone, int `[count, LENGTH + 1]`."""
    starts = np.random.default_rng([seed, step]).integers(0, len(codes) - LENGTH, count)
    return codes[starts[:, None] + np.arange(LENGTH + 1)]


def train(text: Text, model: Writer, options: argparse.Namespace) -> Any:
    """The parameters after the last step."""
    params = model.init(jax.random.key(options.seed), jnp.zeros((1, LENGTH), jnp.int32))["params"]
    rate = optax.warmup_cosine_decay_schedule(0.0, PEAK_RATE, min(100, options.steps // 5 + 1), options.steps + 1)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=0.01))

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(params: Any, state: Any, windows: Any) -> tuple[Any, Any, Any]:
        loss, grads = jax.value_and_grad(partial(mean_loss, model))(params, windows)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, loss

    test_loss = jax.jit(partial(mean_loss, model))
    held = windows_of(text.test, 256, options.seed, 0)
    state = optimizer.init(params)
    begin = time.monotonic()
    for number in range(1, options.steps + 1):
        params, state, loss = step(params, state, windows_of(text.train, BATCH, options.seed, number))
        if number % options.report == 0 or number == options.steps:
            print(f"step {number}: loss {float(loss):.5f}, on text not seen {float(test_loss(params, held)):.5f}", flush=True)
    print(f"{sum(leaf.size for leaf in jax.tree.leaves(params)):,} parameters, {time.monotonic() - begin:.0f} s")
    return params


# ---------------------------------------------------------------- the writing


def write(text: Text, model: Writer, params: Any, prompt: str, seed: int, temperature: float) -> str:
    """The prompt and what the network writes after it, until the window is full."""
    writer = model.copy(decode=True)
    empty = jnp.zeros((1, LENGTH), jnp.int32)
    cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
                         jax.eval_shape(writer.init, jax.random.key(0), empty)["cache"])
    given = jnp.array([text.alphabet.index(character) for character in prompt], jnp.int32)

    def one(carry: tuple[Any, Any], place: Any) -> tuple[tuple[Any, Any], Any]:
        cache, code = carry
        scores, changed = writer.apply({"params": params, "cache": cache}, code[None, None], mutable=["cache"])
        drawn = jax.random.categorical(jax.random.fold_in(jax.random.key(seed), place), scores[0, 0] / temperature)
        following = jnp.where(place + 1 < len(given), given[jnp.minimum(place + 1, len(given) - 1)], drawn)
        return (changed["cache"], following.astype(jnp.int32)), following

    _, codes = jax.jit(lambda: jax.lax.scan(one, (cache, given[0]), jnp.arange(LENGTH - 1)))()
    return prompt[0] + "".join(text.alphabet[code] for code in np.asarray(codes))


def main() -> None:
    """Read the options, train, and let it write."""
    parser = argparse.ArgumentParser(description="Train a transformer on Python's manual, character by character.")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=96, help="numbers for each character, a multiple of 4")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--report", type=int, default=100, help="tell the losses after every so many steps")
    parser.add_argument("--prompt", default="The ", help=f"how the text begins, up to {LENGTH} characters")
    parser.add_argument("--temperature", type=float, default=0.7, help="below 1: likelier characters, above 1: more variety")
    parser.add_argument("--samples", type=int, default=4, help="how many texts to write")
    options = parser.parse_args()
    text = load()
    if not 0 < len(options.prompt) <= LENGTH or set(options.prompt) - set(text.alphabet):
        parser.error(f"the prompt has 1 to {LENGTH} characters of the manual's alphabet")
    model = Writer(len(text.alphabet), options.width, options.layers)
    params = train(text, model, options)
    for number in range(options.samples):
        print(f"--- {number + 1}")
        print(write(text, model, params, options.prompt, options.seed + number, options.temperature))


if __name__ == "__main__":
    main()
