"""The names that each public module offers are pinned: `tests/exports/MODULE.txt` has `__all__`, one name a line.

PERSPICAX_ACCEPT=1 writes the files; the diff is for reading.
"""

import ast
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "perspicax"
EXPORTS = Path(__file__).parent / "exports"
ACCEPT = os.environ.get("PERSPICAX_ACCEPT") == "1"

# The modules of the public API that live in rooms, and may be files there; each counts once it exists. Facades, which
# are public without exception, are found on disk.
IN_ROOMS = """
    diagnose diagnose.render core
    lax lax.linalg numpy numpy.fft numpy.linalg random nn nn.initializers image ops
    scipy scipy.cluster scipy.cluster.vq scipy.fft scipy.integrate scipy.interpolate scipy.linalg scipy.ndimage
    scipy.optimize scipy.signal scipy.sparse scipy.sparse.linalg scipy.spatial scipy.spatial.transform scipy.special
    scipy.stats scipy.stats.bernoulli scipy.stats.beta scipy.stats.betabinom scipy.stats.binom scipy.stats.cauchy
    scipy.stats.chi2 scipy.stats.dirichlet scipy.stats.expon scipy.stats.gamma scipy.stats.gennorm scipy.stats.geom
    scipy.stats.gumbel_l scipy.stats.gumbel_r scipy.stats.laplace scipy.stats.logistic scipy.stats.multinomial
    scipy.stats.multivariate_normal scipy.stats.nbinom scipy.stats.norm scipy.stats.pareto scipy.stats.poisson
    scipy.stats.t scipy.stats.truncnorm scipy.stats.uniform scipy.stats.vonmises scipy.stats.wrapcauchy
    flax flax.configurations flax.core flax.core.frozen_dict flax.core.lift flax.core.meta flax.core.nn flax.core.scope
    flax.cursor flax.errors flax.ids flax.io flax.jax_utils flax.linen flax.linen.initializers
    flax.linen.partitioning flax.linen.spmd flax.metrics flax.metrics.tensorboard flax.serialization flax.struct
    flax.traceback_util flax.training flax.training.checkpoints flax.training.common_utils
    flax.training.dynamic_scale flax.training.early_stopping flax.training.lr_schedule flax.training.orbax_utils
    flax.training.prefetch_iterator flax.training.train_state flax.traverse_util flax.typing
""".split()
NOT_PUBLIC = {"binding", "xla", "transform", "api", "analyse", "sanitize", "compat", "cli"}
ROOMS = NOT_PUBLIC | {name.split(".")[0] for name in IN_ROOMS}


def has_begun(file: Path) -> bool:
    """Whether a file is there and says more than its docstring: an empty one is a place kept free."""
    if not file.exists():
        return False
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def file_of(source: Path, name: str) -> Path:
    """The file of a module, given without `perspicax.`."""
    path = source.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def facades(source: Path) -> Iterator[str]:
    """Modules outside the rooms, without `perspicax.`; "" is the package itself."""
    for file in sorted(source.rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts
        if parts[0] in ROOMS or parts[-1] == "__main__":
            continue
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts) and has_begun(file):
            yield ".".join(parts)


def public_modules(source: Path) -> list[str]:
    names = [*facades(source), *(name for name in IN_ROOMS if has_begun(file_of(source, name)))]
    return sorted(f"perspicax.{name}".rstrip(".") for name in names)


def check_pin(offered: list[str], pin: Path, accept: bool) -> None:
    """Compare names with the file that pins them; `accept` writes the file first."""
    text = "".join(f"{name}\n" for name in sorted(offered))
    if accept:
        pin.parent.mkdir(exist_ok=True)
        pin.write_text(text)
    pinned = pin.read_text().split() if pin.exists() else []
    new, gone = sorted(set(offered) - set(pinned)), sorted(set(pinned) - set(offered))
    assert not new and not gone, (
        f"{pin.stem} offers other names than {pin.parent.name}/{pin.name} says; new: {new}, gone: {gone}. "
        "If that is meant, run this test with PERSPICAX_ACCEPT=1 and read the diff."
    )


@pytest.mark.parametrize("name", public_modules(SOURCE))
def test_a_public_module_offers_what_is_pinned(name: str) -> None:
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", None)
    assert offered is not None, f"{name} is public and has no `__all__`"
    assert len(set(offered)) == len(offered), "a name is listed twice"
    missing = [each for each in offered if not hasattr(module, each)]
    assert not missing, f"{name}.__all__ lists what {name} does not have: {missing}"
    check_pin(list(offered), EXPORTS / f"{name}.txt", ACCEPT)


def test_every_pin_belongs_to_a_module() -> None:
    """A public module that vanishes leaves its pin behind."""
    assert {file.stem for file in EXPORTS.glob("*.txt")} <= set(public_modules(SOURCE))


def test_public_modules_are_the_facades_and_the_listed_ones_that_have_begun(tmp_path: Path) -> None:
    for file, text in {
        "__init__.py": '"""The package."""\n__all__ = []',
        "__main__.py": "print()",
        "errors.py": "from perspicax.core.errors import A",
        "experimental/__init__.py": "",
        "experimental/x64.py": "x = 1",
        "_private.py": "x = 1",
        "core/__init__.py": '"""The language."""',
        "core/avals.py": "x = 1",
        "xla/__init__.py": "x = 1",
        "numpy/__init__.py": "x = 1",
        "numpy/linalg.py": "x = 1",
        "numpy/creation.py": "x = 1",
    }.items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert public_modules(tmp_path) == [
        "perspicax",
        "perspicax.errors",
        "perspicax.experimental.x64",
        "perspicax.numpy",
        "perspicax.numpy.linalg",
    ]


def test_a_changed_list_of_names_fails_until_it_is_accepted(tmp_path: Path) -> None:
    pin = tmp_path / "exports" / "perspicax.lax.txt"
    with pytest.raises(AssertionError, match=r"new: \['abs', 'add'\], gone: \[\]"):
        check_pin(["add", "abs"], pin, accept=False)
    check_pin(["add", "abs"], pin, accept=True)
    assert pin.read_text() == "abs\nadd\n"
    check_pin(["abs", "add"], pin, accept=False)
    with pytest.raises(AssertionError, match=r"new: \['sub'\], gone: \['abs'\]"):
        check_pin(["add", "sub"], pin, accept=False)
