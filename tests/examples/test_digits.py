"""examples/digits.py, run as a user runs it: in processes of its own, under JAX and under Perspicax."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples" / "digits.py"
COMMANDS = {
    "jax": [sys.executable, str(DIGITS)],
    "perspicax": [sys.executable, "-m", "perspicax.compat", str(DIGITS)],
}
BOTH = [pytest.param("jax", marks=pytest.mark.oracle), "perspicax"]


def run(impl: str, home: Path, *arguments: str) -> str:
    """What the example prints; its caches stay in `home`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PERSPICAX_", "XLA_"))}
    env.update(HOME=str(home), XDG_CACHE_HOME=str(home / ".cache"), JAX_PLATFORMS="cpu")
    done = subprocess.run(
        [*COMMANDS[impl], *arguments], cwd=home, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def losses(impl: str, home: Path) -> dict[str, np.ndarray]:
    file = home / f"{impl}.json"
    run(impl, home, "--steps", "50", "--no-plot", "--losses", str(file))
    return {name: np.array(values) for name, values in json.loads(file.read_text()).items()}


@pytest.mark.oracle
def test_fifty_losses_are_those_of_jax(tmp_path: Path) -> None:
    """Both compile with the same XLA, so only the order of some float32 sums may differ.

    Measured under JAX by changing the initial weights by 1e-6 (relative): the losses of the MLP move by 4e-7. Those of
    the CNN too, for five steps; then one relu falls on its other side, Adam moves a weight whose gradient was nearly
    zero by a full step, and the losses differ by 1e-5 at step 10 and by up to 6e-3 by step 50.
    """
    ours, theirs = losses("perspicax", tmp_path), losses("jax", tmp_path)
    assert {name: values.shape for name, values in ours.items()} == {"mlp": (50,), "cnn": (50,)}
    np.testing.assert_allclose(ours["mlp"], theirs["mlp"], rtol=1e-5)
    np.testing.assert_allclose(ours["cnn"][:5], theirs["cnn"][:5], rtol=1e-5)
    np.testing.assert_allclose(ours["cnn"][:10], theirs["cnn"][:10], rtol=1e-3)
    np.testing.assert_allclose(ours["cnn"], theirs["cnn"], rtol=3e-2)


def test_no_file_of_jax_itself_is_loaded(tmp_path: Path) -> None:
    """Else the other tests would compare JAX with JAX."""
    command = [sys.executable, "-X", "importtime", *COMMANDS["perspicax"][1:]]
    done = subprocess.run(
        [*command, "--model", "mlp", "--steps", "1", "--train-only"], cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.M))
    assert done.returncode == 0 and "perspicax" in imported, done.stderr[-2000:]
    assert not {name for name in imported if name.startswith("jax._src")}


@pytest.mark.parametrize("impl", BOTH)
def test_the_plot_is_a_readable_image(impl: str, tmp_path: Path) -> None:
    from matplotlib.image import imread

    out = run(impl, tmp_path, "--model", "mlp", "--steps", "5", "--out", "plots")
    pixels = imread(tmp_path / "plots" / "confusion_mlp.png")
    assert pixels.shape == (600, 600, 4)
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 20, "an image of next to one colour shows no matrix"
    assert "wrote plots/confusion_mlp.png" in out


@pytest.mark.parametrize("impl", BOTH)
def test_train_only_stops_after_the_steps(impl: str, tmp_path: Path) -> None:
    out = run(impl, tmp_path, "--model", "cnn", "--steps", "1", "--train-only")
    assert re.fullmatch(r"cnn  step +1/1  loss \d\.\d{4}\n", out)
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.slow
@pytest.mark.parametrize("impl", BOTH)
def test_the_cnn_reads_97_of_100_digits(impl: str, tmp_path: Path) -> None:
    out = run(impl, tmp_path, "--model", "cnn", "--no-plot")
    shares = [float(share) for share in re.findall(r"^cnn: ([\d.]+) % of 359 test digits", out, re.M)]
    assert len(shares) == 1 and shares[0] >= 97


@pytest.mark.parametrize("impl", BOTH)
def test_the_surprises_are_shown_as_pictures(impl: str, tmp_path: Path) -> None:
    """Four misread or barely read digits, their gradients sorted and all longer than the median."""
    out = run(impl, tmp_path, "--model", "cnn", "--steps", "60", "--no-plot")
    median = float(re.search(r"median is ([\d.]+)\)", out)[1])
    lengths = [float(length) for length in re.findall(r"\d read as \d \(([\d.]+)\)", out)]
    assert len(lengths) == 4 and lengths == sorted(lengths, reverse=True) and lengths[-1] > 3 * median
    picture = out[out.index("):\n") + 3 : out.index(" read as")].strip("\n").splitlines()[:8]
    assert all(set(row) <= set(" .:-=+*#%@") for row in picture) and "@" in "".join(picture)


@pytest.mark.parametrize("impl", BOTH)
def test_mistakes_are_reported_and_do_not_end_the_program(impl: str, tmp_path: Path) -> None:
    out = run(impl, tmp_path, "--model", "mlp", "--steps", "2", "--no-plot", "--mistakes")
    reports = re.split(r"\n-+ mistakes/(\w+)\.py -+\n\n", out)[1:]
    told = dict(zip(reports[::2], reports[1::2]))
    assert list(told) == ["bool_if", "leak", "shapes"]
    assert told["bool_if"].startswith("TracerBoolConversionError: ")
    assert told["leak"].startswith("UnexpectedTracerError: ")
    assert told["shapes"].startswith("ValueError: " if impl == "jax" else "BroadcastError: ")
    if impl == "perspicax":
        check_reports(told)


def check_reports(told: dict[str, str]) -> None:
    """Each names the user's own values, and its first place `-->` is the line that holds the mistake."""
    mistakes = {"bool_if": "    if length > longest:", "leak": "        self.losses.append(error)",
                "shapes": "    exponentials = jnp.exp(scores - largest)"}  # fmt: skip
    names = {"bool_if": ["length"], "leak": ["losses"], "shapes": ["scores", "largest", "float32[8, 10]", "float32[8]"]}
    for program, line in mistakes.items():
        source = DIGITS.with_name("mistakes").joinpath(f"{program}.py").read_text().splitlines()
        place = re.search(rf"--> \S*{program}\.py:(\d+)", told[program])
        assert place and int(place[1]) == source.index(line) + 1, told[program]
        for name in names[program]:
            assert name in told[program], (program, name)


# -------------------------------------------- the parts that need no `jax`


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    pytest.importorskip("jax", reason="the module imports jax by name")
    spec = importlib.util.spec_from_file_location("digits_example", DIGITS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.oracle
def test_the_data_are_those_of_scikit_learn(digits: ModuleType) -> None:
    from sklearn import datasets

    images, labels = digits.load_digits()
    bunch = datasets.load_digits()
    np.testing.assert_array_equal(images[..., 0] * 16, bunch.images)
    np.testing.assert_array_equal(labels, bunch.target)
    assert images.dtype == np.float32 and labels.dtype == np.int32


@pytest.mark.oracle
def test_no_test_image_is_trained_on(digits: ModuleType) -> None:
    numbers = np.arange(50)
    data = digits.split(numbers, numbers % 10, np.random.RandomState(3))
    assert len(data.test_images) == 10
    assert sorted([*data.train_images, *data.test_images]) == list(numbers)
    np.testing.assert_array_equal(data.train_digits, data.train_images % 10)
    np.testing.assert_array_equal(data.test_digits, data.test_images % 10)


@pytest.mark.oracle
def test_each_pass_sees_other_examples_in_batches_of_one_size(digits: ModuleType) -> None:
    batches = digits.minibatches(2 * digits.BATCH + 5, np.random.RandomState(0))
    first, second, again = next(batches), next(batches), next(batches)
    assert len(first) == len(second) == len(again) == digits.BATCH
    assert not set(first) & set(second)
    assert set(again) & (set(first) | set(second)), "the third batch starts a new pass"


@pytest.mark.oracle
def test_confusion_matrix_counts_rows_as_true_and_columns_as_read(digits: ModuleType) -> None:
    matrix = digits.confusion_matrix(np.array([1, 1, 7, 3]), np.array([1, 7, 7, 7]))
    assert matrix.sum() == 4
    assert (matrix[1, 1], matrix[7, 1], matrix[7, 7], matrix[7, 3]) == (1, 1, 1, 1)
    assert digits.accuracy(np.array([1, 1, 7, 3]), np.array([1, 7, 7, 7])) == 0.5
