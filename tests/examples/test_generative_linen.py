"""examples/characters_linen.py and examples/vae_linen.py: they learn, and JAX with Flax makes the same of the same files."""
from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
CALLS = {"characters_linen.py": ("--steps", "8", "--report", "2", "--samples", "1", "--width", "64", "--layers", "1"),
         "vae_linen.py": ("--epochs", "3", "--report", "1", "--folder", "drawn")}
slow = pytest.mark.slow


def lines_of(home: Path, program: str, *more: str, reference: bool = False) -> list[str]:
    """What a program prints under Perspicax, or under JAX and Flax."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PERSPICAX_", "XLA_"))}
    env.update(HOME=str(home), XDG_CACHE_HOME=str(home / ".cache"), JAX_PLATFORMS="cpu")
    by = [] if reference else ["-m", "perspicax.compat"]
    done = subprocess.run([sys.executable, *by, str(EXAMPLES / program), *CALLS[program], *more], cwd=home, env=env, text=True,
                          capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@functools.cache
def run(home: Path, program: str) -> list[str]:
    return lines_of(home, program)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


def losses(lines: list[str]) -> list[float]:
    return [float(number) for line in lines for number in re.findall(r"\d+\.\d{5}", line)]


@slow
def test_a_transformer_learns_to_write(home: Path) -> None:
    lines = run(home, "characters_linen.py")
    found = losses(lines)
    assert len(found) == 8
    assert found[0] > 4.5, "blind guesses among a hundred characters"
    assert found[-1] < 3.6
    written = "\n".join(lines[lines.index("--- 1") + 1:])
    assert written.startswith("The ")
    assert len(written) == 64


@slow
def test_an_autoencoder_learns_to_draw(home: Path) -> None:
    found = losses(run(home, "vae_linen.py"))
    assert len(found) == 6
    assert found[-1] < 27.5 < found[0]
    picture = (home / "drawn" / "digits.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 2_000


@slow
@pytest.mark.oracle
@pytest.mark.parametrize("program", CALLS)
def test_jax_and_flax_have_the_same_losses(home: Path, program: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("flax") is None:
        pytest.skip("Flax is not installed")
    theirs = losses(lines_of(tmp_path, program, reference=True))
    # Two compilations order sums differently: 1e-7 a step, which a handful of steps of Adam enlarges a hundred times.
    assert losses(run(home, program)) == pytest.approx(theirs, rel=1e-4)
