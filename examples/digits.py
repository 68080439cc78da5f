"""Teach two small networks to read handwritten digits.

    python examples/digits.py                                under JAX
    python -m perspicax.compat examples/digits.py            under Perspicax: the same file, `jax` is Perspicax

The data are real: 1,797 digits of 8x8 pixels, which come with scikit-learn. `mlp` looks at the 64 pixels as a plain
list; `cnn` slides small filters over the image. Everything a training program needs is here and written out:
minibatches, a loss, gradients, Adam, an evaluation, and a question that only per-example gradients can answer: which
digits surprise the network most?

Names of JAX used, all of them:

    jax.jit  jax.grad  jax.value_and_grad  jax.vmap  jax.tree.map  jax.tree.leaves
    jnp.exp  jnp.log  jnp.max  jnp.maximum  jnp.mean  jnp.sqrt  jnp.sum  jnp.argmax
    lax.conv_general_dilated  lax.stop_gradient
    and, of an array:  + - * / @ ** -x  .shape  .reshape  float()  numpy.asarray()

Random numbers (the initial weights, the split, the order of the batches) are NumPy's, so that a seed means the same
run whatever implements `jax`.
"""

import argparse
import importlib.util
import json
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

BATCH = 64
TEST_SHARE = 0.2
LEARNING_RATE = 2e-3

# A pytree: dicts of arrays. jit, grad and tree.map take such nests as they are.
Params = dict[str, Any]
Model = Callable[[Params, Any], Any]


class Data(NamedTuple):
    """Images `[n, 8, 8, 1]` with values from 0 to 1, and their digits as int `[n]`."""

    train_images: np.ndarray
    train_digits: np.ndarray
    test_images: np.ndarray
    test_digits: np.ndarray


# ---------------------------------------------------------------- the data


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """All images `[1797, 8, 8, 1]`, scaled to 0..1, and their digits `[1797]`.

    Importing scikit-learn takes longer than the first training step. Only its data file is wanted, so that is read
    directly; its own loader is asked when the file is not where it used to be.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("This example needs the digits of scikit-learn: pip install scikit-learn")
    file = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    if file.exists():
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    else:
        from sklearn import datasets

        bunch = datasets.load_digits()
        table = np.column_stack([bunch.data, bunch.target]).astype(np.float32)
    pixels, digits = table[:, :64], table[:, 64]
    return (pixels / 16).reshape(-1, 8, 8, 1), digits.astype(np.int32)


def split(images: np.ndarray, digits: np.ndarray, rng: np.random.RandomState) -> Data:
    """Shuffle, then set a fifth aside: the network never trains on the test images."""
    order = rng.permutation(len(images))
    test, train = np.split(order, [int(TEST_SHARE * len(order))])
    return Data(images[train], digits[train], images[test], digits[test])


def one_hot(digits: np.ndarray) -> np.ndarray:
    """float32 `[..., 10]`: 1 at the digit, 0 elsewhere."""
    return np.eye(10, dtype=np.float32)[digits]


def minibatches(count: int, rng: np.random.RandomState) -> Iterator[np.ndarray]:
    """Index arrays `[BATCH]` for ever; each pass over the data is in a new order.

    The few examples left over at the end of a pass are skipped: every batch has the same shape, and jit compiles
    once for each shape.
    """
    while True:
        order = rng.permutation(count)
        for start in range(0, count - BATCH + 1, BATCH):
            yield order[start : start + BATCH]


# -------------------------------------------------------------- the models


def weights(rng: np.random.RandomState, *shape: int) -> np.ndarray:
    """Normal weights whose size keeps the signal's variance through a relu (He et al., ICCV 2015)."""
    inputs = int(np.prod(shape[:-1]))
    return (rng.randn(*shape) * np.sqrt(2 / inputs)).astype(np.float32)


def layer(rng: np.random.RandomState, *shape: int) -> Params:
    """One layer's parameters; the last axis counts its outputs."""
    return {"weights": weights(rng, *shape), "bias": np.zeros(shape[-1], np.float32)}


def relu(x: Any) -> Any:
    return jnp.maximum(x, 0)


def dense(params: Params, x: Any) -> Any:
    return x @ params["weights"] + params["bias"]


def conv(params: Params, x: Any, stride: int) -> Any:
    """Slide 3x3 filters over `x` `[n, height, width, channels]`; a stride of 2 halves height and width."""
    filtered = lax.conv_general_dilated(
        x, params["weights"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return filtered + params["bias"]


def init_mlp(rng: np.random.RandomState) -> Params:
    return {"hidden": layer(rng, 64, 128), "output": layer(rng, 128, 10)}


def mlp(params: Params, images: Any) -> Any:
    """Scores `[n, 10]` from all pixels at once."""
    pixels = images.reshape(images.shape[0], 64)
    return dense(params["output"], relu(dense(params["hidden"], pixels)))


def init_cnn(rng: np.random.RandomState) -> Params:
    return {"strokes": layer(rng, 3, 3, 1, 32), "shapes": layer(rng, 3, 3, 32, 64), "output": layer(rng, 1024, 10)}


def cnn(params: Params, images: Any) -> Any:
    """Scores `[n, 10]` from 32 maps of strokes (8x8), then 64 maps of shapes (4x4)."""
    strokes = relu(conv(params["strokes"], images, stride=1))
    shapes = relu(conv(params["shapes"], strokes, stride=2))
    return dense(params["output"], shapes.reshape(images.shape[0], 1024))


MODELS: dict[str, tuple[Callable[[np.random.RandomState], Params], Model]] = {
    "mlp": (init_mlp, mlp),
    "cnn": (init_cnn, cnn),
}


# ---------------------------------------------------------------- training


def cross_entropy(scores: Any, targets: Any) -> Any:
    """Mean of -log(probability that the scores give to the right digit); `targets` are one-hot.

    Subtracting the largest score keeps `exp` from overflowing. It cancels in the result, so no gradient need pass.
    """
    scores = scores - lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True))
    log_probabilities = scores - jnp.log(jnp.sum(jnp.exp(scores), axis=-1, keepdims=True))
    return -jnp.mean(jnp.sum(targets * log_probabilities, axis=-1))


def init_adam(params: Params) -> Params:
    """Adam's memory: running means of each gradient and of its square, and the number of steps."""
    return {
        "mean": jax.tree.map(np.zeros_like, params),
        "square": jax.tree.map(np.zeros_like, params),
        "count": np.zeros((), np.float32),
    }


def adam(params: Params, memory: Params, gradient: Params) -> tuple[Params, Params]:
    """One step of Adam (Kingma and Ba, ICLR 2015): new parameters and new memory."""
    count = memory["count"] + 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, memory["mean"], gradient)
    square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, memory["square"], gradient)
    # Both means start at zero; dividing by these makes up for it in the first steps.
    mean_weight, square_weight = 1 - 0.9**count, 1 - 0.999**count

    def move(p: Any, m: Any, s: Any) -> Any:
        return p - LEARNING_RATE * (m / mean_weight) / (jnp.sqrt(s / square_weight) + 1e-8)

    return jax.tree.map(move, params, mean, square), {"mean": mean, "square": square, "count": count}


def make_step(model: Model) -> Callable[..., tuple[Params, Params, Any]]:
    """The whole training step as one compiled function: loss, gradient and update."""

    def loss(params: Params, images: Any, targets: Any) -> Any:
        return cross_entropy(model(params, images), targets)

    @jax.jit
    def step(params: Params, memory: Params, images: Any, targets: Any) -> tuple[Params, Params, Any]:
        value, gradient = jax.value_and_grad(loss)(params, images, targets)
        params, memory = adam(params, memory, gradient)
        return params, memory, value

    return step


def make_predict(model: Model) -> Callable[[Params, Any], Any]:
    """Compiled `predict(params, images)`: the digit with the highest score, for each image."""
    return jax.jit(lambda params, images: jnp.argmax(model(params, images), axis=-1))


def train(
    name: str, data: Data, steps: int, seed: int, predict: Callable[[Params, Any], Any] | None
) -> tuple[Params, list[float]]:
    """Train a model for `steps` steps.

    Args:
        name: "mlp" or "cnn".
        data: the digits.
        steps: how many minibatches to learn from.
        seed: for the initial weights and the order of the batches.
        predict: the model's compiled prediction, to tell the test accuracy after each pass over the data; or `None`.

    Returns:
        The parameters, and the loss at each step.
    """
    init, model = MODELS[name]
    rng = np.random.RandomState(seed)
    params = init(rng)
    memory = init_adam(params)
    step = make_step(model)
    targets = one_hot(data.train_digits)
    batches = minibatches(len(data.train_images), rng)
    losses: list[float] = []
    waiting = []

    with progress(name, steps) as report:
        for number in range(1, steps + 1):
            batch = next(batches)
            params, memory, loss = step(params, memory, data.train_images[batch], targets[batch])
            # The call returns at once, the computation goes on behind it: reading the loss here would wait for it.
            waiting.append(loss)
            if number % (len(targets) // BATCH) == 0 or number == steps:
                losses += [float(value) for value in waiting]
                waiting.clear()
                text = f"{name}  step {number:4d}/{steps}  loss {losses[-1]:.4f}"
                if predict:
                    share = accuracy(predict(params, data.test_images), data.test_digits)
                    text += f"  test accuracy {100 * share:.2f} %"
                report(number, text)
    return params, losses


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Gives a function `report(steps_done, text)`: a bar on a terminal that has rich, else one line each time."""
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        from rich.progress import Progress

        with Progress() as bar:
            task = bar.add_task(name, total=total)
            yield lambda done, text: bar.update(task, completed=done, description=text)
    else:
        yield lambda done, text: print(text, flush=True)


# ---------------------------------------------------- what has it learnt?


def accuracy(predicted: Any, digits: np.ndarray) -> float:
    """Share of the predictions that are right."""
    return float(np.mean(np.asarray(predicted) == digits))


def confusion_matrix(predicted: Any, digits: np.ndarray) -> np.ndarray:
    """int `[10, 10]`: how often the digit of the row was read as the digit of the column."""
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (digits, np.asarray(predicted)), 1)
    return matrix


def make_surprise(model: Model) -> Callable[[Params, Any, Any], Any]:
    """Compiled `surprise(params, images, targets)`: for each example, the length of its own gradient.

    A long gradient says: to please this example, the network would have to change a lot. The function below is
    written for one example; vmap makes it one for many, where a loop would run the network once for each.
    """

    def surprise_of_one(params: Params, image: Any, target: Any) -> Any:
        def loss(params: Params) -> Any:
            return cross_entropy(model(params, image.reshape(1, 8, 8, 1)), target)

        gradient = jax.grad(loss)(params)
        return jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(gradient)))

    return jax.jit(jax.vmap(surprise_of_one, in_axes=(None, 0, 0)))


def draw(images: np.ndarray, captions: list[str]) -> str:
    """The images side by side in characters, a caption under each."""
    inks = np.array(list(" .:-=+*#%@"))
    levels = np.rint(images.reshape(-1, 8, 8) * 9).astype(int)
    rows = ["".join(f"{''.join(np.repeat(inks[image[y]], 2)):20}" for image in levels) for y in range(8)]
    return "\n".join([*rows, "".join(f"{caption:20}" for caption in captions)])


def show_surprises(model: Model, params: Params, data: Data, predicted: Any, count: int = 4) -> None:
    """Print the test digits that surprise the network most."""
    surprise = np.asarray(make_surprise(model)(params, data.test_images, one_hot(data.test_digits)))
    most = np.argsort(-surprise)[:count]
    read = np.asarray(predicted)
    captions = [f"{data.test_digits[i]} read as {read[i]} ({surprise[i]:.1f})" for i in most]
    print(f"\nMost surprising (length of its gradient; the median is {np.median(surprise):.2g}):\n")
    print(draw(data.test_images[most], captions) + "\n")


def plot_confusion(matrix: np.ndarray, title: str, file: Path) -> None:
    """Write the confusion matrix as a PNG."""
    import matplotlib  # late: it takes a second to import, and --no-plot does without

    matplotlib.use("Agg")  # draws into files, needs no screen
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    axes.imshow(np.sqrt(matrix), cmap="Blues")  # the root, so that a single mistake is seen beside 40 hits
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            axes.text(column, row, str(count), ha="center", va="center", color="white" if row == column else "black")
    axes.set(title=title, xlabel="read as", ylabel="digit", xticks=range(10), yticks=range(10))
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def run_mistakes() -> None:
    """Run the programs in `mistakes/`, each of which holds one, and print what they are told."""
    for program in sorted(Path(__file__).with_name("mistakes").glob("*.py")):
        print(f"\n{f' mistakes/{program.name} ':-^80}\n")
        try:
            runpy.run_path(str(program), run_name="__main__")
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
        else:
            raise SystemExit(f"{program.name} ran without an error")


# ------------------------------------------------------------ command line


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Teach two small networks to read handwritten digits.")
    parser.add_argument("--model", choices=[*MODELS, "both"], default="both")
    parser.add_argument("--epochs", type=int, default=25, help="passes over the training images (default 25)")
    parser.add_argument("--steps", type=int, metavar="N", help="stop after N steps, whatever --epochs says")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("."), metavar="FOLDER", help="where the PNGs go (default .)")
    parser.add_argument("--losses", type=Path, metavar="FILE.json", help="write every step's loss in full precision")
    parser.add_argument("--no-plot", action="store_true", help="write no PNG")
    parser.add_argument("--train-only", action="store_true", help="train, and nothing after or between")
    parser.add_argument("--mistakes", action="store_true", help="then run the three programs in mistakes/")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    data = split(*load_digits(), np.random.RandomState(options.seed))
    steps = options.epochs * (len(data.train_images) // BATCH)
    if options.steps is not None:
        steps = min(steps, options.steps)
    all_losses = {}

    for name in MODELS if options.model == "both" else [options.model]:
        model = MODELS[name][1]
        predict = None if options.train_only else make_predict(model)  # one function for all uses: compiled once
        params, all_losses[name] = train(name, data, steps, options.seed, predict)
        if predict is None:
            continue
        predicted = predict(params, data.test_images)
        share = accuracy(predicted, data.test_digits)
        print(f"{name}: {100 * share:.2f} % of {len(data.test_digits)} test digits read correctly")
        show_surprises(model, params, data, predicted)
        if not options.no_plot:
            options.out.mkdir(parents=True, exist_ok=True)
            file = options.out / f"confusion_{name}.png"
            plot_confusion(confusion_matrix(predicted, data.test_digits), f"{name}: {100 * share:.2f} %", file)
            print(f"wrote {file}")

    if options.losses:
        # A float32 prints as the double that equals it, so that nothing is lost in the file.
        options.losses.write_text(json.dumps(all_losses, indent=1) + "\n")
    if options.mistakes:
        run_mistakes()


if __name__ == "__main__":
    main()
