"""The rooms import one way, from right to left; facades and `__init__` files list names and define nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "perspicax"

ROOMS = (
    "binding", "diagnose", "core", "xla", "transform", "lax", "numpy", "scipy", "random", "nn", "image", "ops",
    "api", "analyse", "sanitize", "flax", "compat", "cli",
)  # fmt: skip
# Facades gather names from all the libraries, so only rooms that no facade needs may import them.
MAY_IMPORT_FACADES = ("flax", "compat", "cli")
REFERENCES = ("jax", "flax")  # the packages that Perspicax stands for


class Import(NamedTuple):
    """One imported name: where, how it is written, and the full dotted name."""

    line: int
    text: str
    target: str


def imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[Import]:
    """Every import in a file: those in functions, for types only, and by `import_module("...")` count too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for each in names:
                    yield Import(node.lineno, ast.unparse(node), each.name)
            case ast.ImportFrom(module=source, names=names, level=level):
                parts = module.split(".") if is_package else module.split(".")[:-1]
                base = ".".join([*parts[: len(parts) + 1 - level], *([source] if source else [])]) if level else source
                for each in names:
                    yield Import(node.lineno, ast.unparse(node), f"{base}.{each.name}")
            case ast.Call(
                func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(target)), *_]
            ):
                if name in ("import_module", "__import__"):
                    yield Import(node.lineno, ast.unparse(node), target)


def room_of(module: str) -> str | None:
    """The room that a module of ours is in; `None` for a facade."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def fault_of(room: str | None, target: str) -> str | None:
    """Why a file of this room (`None`: a facade) may not import `target`; `None` if it may."""
    package = target.split(".")[0]
    if package in REFERENCES:
        return f"Perspicax stands in for {package} and never imports it"
    if package == "jaxlib" and room != "binding":
        return "only perspicax.binding imports jaxlib"
    if package != "perspicax" or room is None:
        return None
    wanted = room_of(target)
    if wanted is None:
        return (
            None if room in MAY_IMPORT_FACADES else f"{room} may not import a facade: that gathers from rooms after it"
        )
    if ROOMS.index(wanted) > ROOMS.index(room):
        return f"{room} comes before {wanted}: what they share belongs further left"
    return None


def faults(source: Path) -> list[str]:
    """`file:line: import: reason` for all that breaks the order in the package at `source`."""
    found: list[str] = []
    for file in sorted(source.rglob("*.py")):
        relative = file.relative_to(source)
        is_package = file.name == "__init__.py"
        module = ".".join(["perspicax", *relative.with_suffix("").parts[: -1 if is_package else None]])
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        room = room_of(module)
        for each in imports(tree, module, is_package):
            if fault := fault_of(room, each.target):
                found.append(f"{relative}:{each.line}: {each.text}: {fault}")
        if is_package or room is None:
            found.extend(definitions(tree, relative))
    return found


def definitions(tree: ast.Module, relative: Path) -> Iterator[str]:
    """What a table of contents may not contain."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            what = "lambda" if isinstance(node, ast.Lambda) else node.name
            yield f"{relative}:{node.lineno}: {what}: a facade or `__init__` lists names; this belongs in a room's file"


def test_the_package_keeps_the_order() -> None:
    found = faults(SOURCE)
    assert not found, "\n" + "\n".join(found)


def test_each_folder_that_is_no_room_holds_only_facades() -> None:
    """A misspelt or new room would be taken for a facade, which may import anything: this names the folder."""
    facades = {"example_libraries", "experimental", "extend", "interpreters"}
    folders = {file.relative_to(SOURCE).parts[0] for file in SOURCE.rglob("*.py") if file.parent != SOURCE}
    assert folders - facades - set(ROOMS) == set()


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("core/a.py", "from perspicax.diagnose.report import Report", None),
        ("core/a.py", "from perspicax.core import b", None),
        ("core/a.py", "import numpy, os.path", None),
        ("core/a.py", "from perspicax import lax", "core comes before lax"),
        ("core/a.py", "from perspicax.lax.shape import rev", "core comes before lax"),
        ("core/a.py", "import perspicax.xla.array as x", "core comes before xla"),
        ("core/a.py", "from ..xla import array", "core comes before xla"),
        ("core/a.py", "from .. import xla", "core comes before xla"),
        ("core/__init__.py", "from ..xla import array", "core comes before xla"),
        ("core/__init__.py", "from .a import b", None),
        ("core/deep/a.py", "from ...xla import array", "core comes before xla"),
        ("core/a.py", "def f():\n    from perspicax.numpy import add", "core comes before numpy"),
        ("core/a.py", "if TYPE_CHECKING:\n    from perspicax.xla import Array", "core comes before xla"),
        ("core/a.py", "importlib.import_module('perspicax.xla')", "core comes before xla"),
        ("core/a.py", "importlib.import_module('perspicax.diagnose')", None),
        ("nn/a.py", "from perspicax import numpy as jnp, random", None),
        ("random/a.py", "from perspicax import nn", "random comes before nn"),
        ("core/a.py", "import perspicax", "core may not import a facade"),
        ("api/a.py", "from perspicax.tree_util import tree_map", "api may not import a facade"),
        ("flax/linen/a.py", "import perspicax as px\nfrom perspicax.tree_util import tree_map", None),
        ("flax/a.py", "from perspicax.compat import run", "flax comes before compat"),
        ("tree_util.py", "from perspicax.core.tree import tree_map", None),
        ("experimental/shard_map.py", "from perspicax.api.shard_map import shard_map", None),
        ("binding/a.py", "from jaxlib import xla_client", None),
        ("xla/a.py", "from jaxlib import xla_client", "only perspicax.binding imports jaxlib"),
        ("errors.py", "import jaxlib.xla_client", "only perspicax.binding imports jaxlib"),
        ("binding/a.py", "import jax", "never imports it"),
        ("compat/a.py", "def f():\n    import jax.numpy", "never imports it"),
        ("flax/a.py", "from flax import linen", "never imports it"),
        ("flax/a.py", "from . import linen", None),
        ("core/a.py", "import jaxtyping", None),
        ("core/a.py", "def f(): pass", None),
        ("tree_util.py", "def f(): pass", "lists names"),
        ("experimental/x64.py", "class A: pass", "lists names"),
        ("core/__init__.py", "f = lambda: 0", "lists names"),
        ("core/__init__.py", "__all__ = ['f']", None),
    ],
)
def test_the_check_tells_right_from_wrong(tmp_path: Path, file: str, text: str, fault: str | None) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found = faults(tmp_path)
    assert len(found) == (fault is not None), found
    if fault:
        assert found[0].startswith(f"{file}:{len(text.splitlines())}: ")
        assert fault in found[0]
