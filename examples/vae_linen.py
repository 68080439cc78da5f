"""Teach a variational autoencoder to draw handwritten digits, with Flax's Linen.

    python -m perspicax.compat examples/vae_linen.py                   under Perspicax
    python examples/vae_linen.py                                       under JAX and Flax: the same file

The data are the 1,797 digits of scikit-learn, 8x8 pixels each. An encoder tells where in a space of eight dimensions an image
lies, and how sure it is; a decoder draws an image from a place in that space. Both are trained together (Kingma and Welling,
Auto-Encoding Variational Bayes, 2014): the drawing shall be like the image, and the places shall fill a standard normal
distribution, so that a place drawn from it becomes a digit. The bound on the negative log-likelihood of images that were not
seen falls below 25 nats in half a minute.

In the folder (`--folder`) it leaves `digits.png`: images, what the decoder makes of them, and digits that nobody wrote.
"""

import argparse
import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState

BATCH = 64
TEST_SHARE = 0.2
RATE = 2e-3


def load(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images with values from 0 to 1, `[n, 64]`, for training and for the test."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("This example needs the digits of scikit-learn: pip install scikit-learn")
    file = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    images = table[np.random.default_rng(seed).permutation(len(table)), :64] / 16
    held = int(len(images) * TEST_SHARE)
    return images[held:], images[:held]


# ---------------------------------------------------------------- the network


class Encoder(nn.Module):
    """Where an image lies: the means and the logarithms of the variances of `latents` normal distributions."""

    latents: int

    @nn.compact
    def __call__(self, images: Any) -> tuple[Any, Any]:
        x = nn.relu(nn.Dense(256, name="hidden")(images))
        return nn.Dense(self.latents, name="mean")(x), nn.Dense(self.latents, name="log_variance")(x)


class Decoder(nn.Module):
    """The image at a place, as logits of how dark each pixel is."""

    pixels: int

    @nn.compact
    def __call__(self, places: Any) -> Any:
        return nn.Dense(self.pixels, name="pixels")(nn.relu(nn.Dense(256, name="hidden")(places)))


class VAE(nn.Module):
    """Encoder and decoder; between them a draw from the encoder's distribution, with keys of the stream 'noise'."""

    latents: int = 8
    pixels: int = 64

    def setup(self) -> None:
        self.encoder = Encoder(self.latents)
        self.decoder = Decoder(self.pixels)

    def __call__(self, images: Any) -> tuple[Any, Any, Any]:
        mean, log_variance = self.encoder(images)
        noise = jax.random.normal(self.make_rng("noise"), mean.shape)
        return self.decoder(mean + jnp.exp(log_variance / 2) * noise), mean, log_variance

    def generate(self, places: Any) -> Any:
        """The images at places, with values from 0 to 1."""
        return nn.sigmoid(self.decoder(places))

    def reconstruct(self, images: Any) -> Any:
        """What the decoder makes of images, without noise."""
        return self.generate(self.encoder(images)[0])


# ---------------------------------------------------------------- the training


def bound(model: VAE, params: Any, images: Any, key: Any) -> Any:
    """The mean bound on the negative log-likelihood of images, in nats: how unlike the drawing is, and how far the place."""
    logits, mean, log_variance = model.apply({"params": params}, images, rngs={"noise": key})
    unlike = optax.sigmoid_binary_cross_entropy(logits, images).sum(-1)
    far = (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(-1) / 2
    return (unlike + far).mean()


def train(model: VAE, images: np.ndarray, held: np.ndarray, options: argparse.Namespace) -> Any:
    """The parameters after the last epoch."""
    key = jax.random.key(options.seed)
    params = model.init({"params": key, "noise": key}, images[:1])["params"]
    state = TrainState.create(apply_fn=model.apply, params=params, tx=optax.adam(RATE))

    @jax.jit
    def step(state: TrainState, images: Any) -> tuple[TrainState, Any]:
        noise = jax.random.fold_in(key, state.step)
        loss, grads = jax.value_and_grad(partial(bound, model))(state.params, images, noise)
        return state.apply_gradients(grads=grads), loss

    test = jax.jit(partial(bound, model))
    for epoch in range(1, options.epochs + 1):
        order = np.random.default_rng([options.seed, epoch]).permutation(len(images))
        losses = []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            state, loss = step(state, images[order[start:start + BATCH]])
            losses.append(loss)
        if epoch % options.report == 0 or epoch == options.epochs:
            print(f"epoch {epoch}: {float(np.mean(losses)):.5f} nats, on images not seen "
                  f"{float(test(state.params, held, key)):.5f}", flush=True)
    return state.params


def draw(model: VAE, params: Any, held: np.ndarray, seed: int, file: Path) -> None:
    """Three rows of digits, as a picture: images, the decoder's versions of them, and new ones."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = held[:12]
    again = model.apply({"params": params}, shown, method="reconstruct")
    places = jax.random.normal(jax.random.key(seed + 1), (len(shown), model.latents))
    new = model.apply({"params": params}, places, method=VAE.generate)
    rows = [np.hstack(np.pad(np.asarray(row).reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))) for row in (shown, again, new)]
    pyplot.imsave(file, np.kron(np.vstack(rows), np.ones((8, 8))), cmap="gray_r", vmin=0, vmax=1)


def main() -> None:
    """Read the options, train, and draw."""
    parser = argparse.ArgumentParser(description="Train a variational autoencoder on handwritten digits.")
    parser.add_argument("--folder", type=Path, default=Path("."), help="for the picture")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=int, default=10, help="tell the bounds after every so many epochs")
    parser.add_argument("--no-plot", action="store_true", help="draw no picture")
    options = parser.parse_args()
    images, held = load(options.seed)
    model = VAE()
    params = train(model, images, held, options)
    if not options.no_plot:
        options.folder.mkdir(parents=True, exist_ok=True)
        draw(model, params, held, options.seed, options.folder / "digits.png")
        print(f"images, their reconstructions, and new digits in {options.folder / 'digits.png'}")


if __name__ == "__main__":
    main()
