"""A value that notes from where it was used; its frames count as internal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perspicax.diagnose.source import Position, mark_internal, user_position

mark_internal(__file__)


class Probe:
    """Answers every operation with itself; `uses` lists (what, where) of all of them."""

    def __init__(self, truth: bool = True) -> None:
        self.uses: list[tuple[str, Position]] = []
        self.truth = truth

    def _note(self, what: str) -> Probe:
        position = user_position()
        assert position is not None
        self.uses.append((what, position))
        return self

    def operate(self, *args: Any, **kwargs: Any) -> Probe:
        return self._note("op")

    __add__ = __radd__ = __iadd__ = __sub__ = __mul__ = __matmul__ = __rmul__ = __neg__ = operate
    __invert__ = __lt__ = __gt__ = operate
    __eq__ = __getitem__ = __setitem__ = __delitem__ = __call__ = method = operate  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]
    __enter__ = operate

    def __exit__(self, *exc: object) -> None:
        return None

    def __bool__(self) -> bool:
        self._note("bool")
        return self.truth

    def __iter__(self) -> Iterator[Probe]:
        self._note("iter")
        return iter([self])

    def __getattr__(self, name: str) -> Probe:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._note("getattr")


def uses_in(tmp_path: Path, source: str, truth: bool = True, **names: Any) -> list[tuple[str, Position]]:
    """Run `source` as a file with a probe `p` (and further names) and give the uses of the probe."""
    path = tmp_path / f"program_{len(list(tmp_path.iterdir()))}.py"
    path.write_text(source, encoding="utf-8")
    probe = Probe(truth)
    exec(compile(source, str(path), "exec"), {"p": probe, "__name__": "program", **names})
    return probe.uses
