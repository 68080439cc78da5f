"""Teach a convolutional network to read handwritten digits, with Flax's Linen: a training that survives being killed.

    python -m perspicax.compat examples/digits_linen.py                under Perspicax
    python examples/digits_linen.py --no-logs                          under JAX and Flax: the same file

The data are the 1,797 digits of scikit-learn, 8x8 pixels each. The network has what real ones have: convolutions, a batch
normalization with running statistics, dropout, an optimizer of optax with a schedule. After each epoch the whole state of the
training goes into a checkpoint. Kill the program whenever you like and start it again: it goes on where the last checkpoint
was, and ends with the very same numbers as if nothing had happened, since what is random depends on the seed and the step
alone.

In the folder (`--folder`) it leaves checkpoints, logs for TensorBoard (`tensorboard --logdir digits_linen/logs`), and the
curves of loss and accuracy as `curves.png`.
"""

import argparse
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training import checkpoints, train_state

BATCH = 64
TEST_SHARE = 0.2
PEAK_RATE = 4e-3


class Data(NamedTuple):
    """Images `[n, 8, 8, 1]` with values from 0 to 1, and their digits as int `[n]`."""

    train_images: np.ndarray
    train_digits: np.ndarray
    test_images: np.ndarray
    test_digits: np.ndarray


def load(seed: int) -> Data:
    """The digits, shuffled, with a fifth of them set aside for the test."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("This example needs the digits of scikit-learn: pip install scikit-learn")
    file = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    table = table[np.random.default_rng(seed).permutation(len(table))]
    images, digits = (table[:, :64] / 16).reshape(-1, 8, 8, 1), table[:, 64].astype(np.int32)
    held = int(len(table) * TEST_SHARE)
    return Data(images[held:], digits[held:], images[:held], digits[:held])


# ---------------------------------------------------------------- the network


class Net(nn.Module):
    """Two convolutions with batch normalization, pooling, and a classifier with dropout."""

    classes: int = 10

    @nn.compact
    def __call__(self, images: Any, train: bool) -> Any:
        x = images
        for features in (32, 64):
            x = nn.Conv(features, (3, 3), use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nn.Dropout(0.3, deterministic=not train)(nn.relu(nn.Dense(64)(x)))
        return nn.Dense(self.classes)(x)


class State(train_state.TrainState):
    """Also the running statistics of the normalization."""

    batch_stats: Any


def create(seed: int, steps: int) -> tuple[State, Any]:
    """The state at the beginning, and the learning rate as a function of the step."""
    net = Net()
    variables = net.init(jax.random.key(seed), jnp.zeros((1, 8, 8, 1)), False)
    rate = optax.warmup_cosine_decay_schedule(0.0, PEAK_RATE, steps // 10 + 1, steps + 1)
    state = State.create(apply_fn=net.apply, params=variables["params"], batch_stats=variables["batch_stats"],
                         tx=optax.adamw(rate, weight_decay=1e-3))
    return state, rate


@jax.jit
def train_step(state: State, key: Any, images: Any, digits: Any) -> tuple[State, Any]:
    """The state after a batch, and the loss on it."""

    def loss(params: Any) -> tuple[Any, Any]:
        logits, changed = state.apply_fn({"params": params, "batch_stats": state.batch_stats}, images, True,
                                         rngs={"dropout": jax.random.fold_in(key, state.step)}, mutable=["batch_stats"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, digits).mean(), changed

    (value, changed), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
    return state.apply_gradients(grads=grads, batch_stats=changed["batch_stats"]), value


@jax.jit
def accuracy(state: State, images: Any, digits: Any) -> Any:
    """The share of digits that the network reads rightly."""
    logits = state.apply_fn({"params": state.params, "batch_stats": state.batch_stats}, images, False)
    return (logits.argmax(-1) == digits).mean()


# ---------------------------------------------------------------- the training


def batches(data: Data, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of an epoch, in an order that depends on the seed and the epoch alone."""
    order = np.random.default_rng([seed, epoch]).permutation(len(data.train_digits))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start:start + BATCH]
        yield data.train_images[chosen], data.train_digits[chosen]


def train(data: Data, options: argparse.Namespace) -> tuple[State, dict[str, np.ndarray]]:
    """Train from the last checkpoint on, or from the beginning; returns the state and the curves."""
    per_epoch = len(data.train_digits) // BATCH
    state, rate = create(options.seed, per_epoch * options.epochs)
    curves = {"losses": np.zeros(per_epoch * options.epochs, np.float32), "scores": np.zeros(options.epochs, np.float32)}
    folder = options.folder.absolute() / "checkpoints"
    saved = checkpoints.restore_checkpoint(folder, {"state": state, **curves})
    state = saved["state"]
    curves = {name: np.array(saved[name]) for name in curves}  # what was read may not be written to
    done = int(state.step) // per_epoch
    if done:
        print(f"goes on after epoch {done} of {options.epochs}", flush=True)

    key = jax.random.key(options.seed + 1)
    with logs(options) as writer, progress(options.epochs * per_epoch, int(state.step)) as advance:
        for epoch in range(done, options.epochs):
            for images, digits in batches(data, options.seed, epoch):
                state, loss = train_step(state, key, images, digits)
                curves["losses"][int(state.step) - 1] = loss
                advance(f"loss {float(loss):.3f}")
            step = int(state.step)
            curves["scores"][epoch] = score = float(accuracy(state, data.test_images, data.test_digits))
            if writer is not None:
                writer.scalar("train/loss", curves["losses"][step - per_epoch:step].mean(), step)
                writer.scalar("train/rate", rate(step), step)
                writer.scalar("test/accuracy", score, step)
                writer.histogram("weights", state.params["Dense_0"]["kernel"], step)
            checkpoints.save_checkpoint(folder, {"state": state, **curves}, step, keep=2)
            advance(f"epoch {epoch + 1}, accuracy {score:.3f}", epoch + 1)
        if writer is not None:
            writer.image("test/digits", data.test_images[:3], int(state.step))
            writer.hparams({"seed": options.seed, "epochs": options.epochs, "batch": BATCH, "rate": PEAK_RATE})
    return state, curves


@contextmanager
def logs(options: argparse.Namespace) -> Iterator[Any]:
    """A writer for TensorBoard; `None` with `--no-logs`."""
    if options.no_logs:
        yield None
        return
    from flax.metrics.tensorboard import SummaryWriter

    writer = SummaryWriter(str(options.folder / "logs"))
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def progress(total: int, done: int) -> Iterator[Any]:
    """A function that tells of a step: as a bar on a terminal, elsewhere as a line for each epoch."""
    if not sys.stdout.isatty():
        yield lambda text, epoch=0: print(text, flush=True) if epoch else None
        return
    from rich.progress import Progress, SpinnerColumn, TimeRemainingColumn

    with Progress(SpinnerColumn(), *Progress.get_default_columns()[:-1], TimeRemainingColumn()) as bar:
        task = bar.add_task("training", total=total, completed=done)
        yield lambda text, epoch=0: bar.update(task, advance=0 if epoch else 1, description=text)


def draw(curves: dict[str, np.ndarray], file: Path) -> None:
    """Loss over steps and accuracy over epochs, as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.plot(curves["losses"], linewidth=0.8)
    left.set(title="loss of each batch", xlabel="step", yscale="log")
    right.plot(np.arange(1, len(curves["scores"]) + 1), curves["scores"])
    right.set(title="accuracy on the test digits", xlabel="epoch", ylim=(min(0.9, curves["scores"].min()) - 0.01, 1.0))
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def main() -> None:
    """Read the options, train, and tell how it went."""
    parser = argparse.ArgumentParser(description="Train a convolutional network on handwritten digits.")
    parser.add_argument("--folder", type=Path, default=Path("digits_linen"), help="for checkpoints, logs and curves")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fresh", action="store_true", help="begin anew: remove what is in the folder")
    parser.add_argument("--no-logs", action="store_true", help="write nothing for TensorBoard")
    parser.add_argument("--no-plot", action="store_true", help="draw no curves")
    options = parser.parse_args()
    if options.fresh and options.folder.exists():
        shutil.rmtree(options.folder)
    options.folder.mkdir(parents=True, exist_ok=True)
    data = load(options.seed)
    state, curves = train(data, options)
    total = sum(float(jnp.abs(leaf).sum()) for leaf in jax.tree.leaves(state.params))
    print(f"test accuracy {curves['scores'][-1]:.2%} after {int(state.step)} steps; the weights add up to {total!r}")
    if not options.no_plot:
        draw(curves, options.folder / "curves.png")
        print(f"curves in {options.folder / 'curves.png'}")


if __name__ == "__main__":
    main()
