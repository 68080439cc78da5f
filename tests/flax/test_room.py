"""Flax stands on the public interface of Perspicax alone, as a library of somebody else's would."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "src" / "perspicax" / "flax"
FILES = sorted(ROOM.rglob("*.py"))
# `perspicax.diagnose` with its parts is public to writers of libraries; rooms that users cannot import are not.
PRIVATE = ("binding", "transform", "xla", "api", "analyse", "sanitize", "compat", "cli")
PACKAGES = ("core", "lax", "numpy", "random", "nn", "scipy", "image", "ops")  # public as packages, not file by file


def private_imports(source: str, is_package: bool = False) -> list[str]:
    """The imports of a file that reach below the public interface."""
    found = []
    for node in ast.walk(ast.parse(source)):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            targets = [f"{node.module}.{each.name}" for each in node.names]
        for target in targets:
            parts = target.split(".")
            if parts[0] != "perspicax" or len(parts) < 2:
                continue
            if parts[1] in PRIVATE or (parts[1] in PACKAGES and len(parts) > 3 and parts[2] not in ("initializers", "linalg")):
                found.append(target)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOM)))
def test_a_file_imports_public_names_alone(file: Path) -> None:
    assert private_imports(file.read_text(encoding="utf-8")) == []


def test_imports_of_private_files_are_found() -> None:
    source = "from perspicax.core.tracer import Tracer\nimport perspicax.xla.array\nfrom perspicax.core import Tracer\n"
    assert private_imports(source) == ["perspicax.core.tracer.Tracer", "perspicax.xla.array"]
