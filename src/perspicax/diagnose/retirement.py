"""Names that are going: they still work, and say once at each caller's line what to write instead."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from perspicax.diagnose.frames import user_position
from perspicax.diagnose.report import Fix, Report

__all__ = ["RETIREMENTS", "Retirement", "retired"]


class Retirement(NamedTuple):
    """A public name on its way out; versions are Perspicax's."""

    name: str
    use: str
    since: str
    gone_in: str
    because: str

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.name}` is retired since version {self.since} and goes in {self.gone_in}.",
            primary=user_position(),
            why=f"`{self.use}` takes its place: {self.because}.",
            fixes=(Fix(code=self.use),),
        )


RETIREMENTS: list[Retirement] = []
_told: set[tuple[str, str, int]] = set()


def retired(name: str, *, use: str, since: str, gone_in: str, because: str) -> Callable[..., Any]:
    """A function under its old name, which passes calls on and warns once at each line that calls it.

    Args:
        name: the old public name, below `perspicax`.
        use: the new public name, likewise; found at the first call.
        since: the version that retired it.
        gone_in: the version that has it no more; a test fails when that version is reached.
        because: why the new one is better, as a clause.
    """
    retirement = Retirement(name, use, since, gone_in, because)
    RETIREMENTS.append(retirement)

    def call(*args: Any, **kwargs: Any) -> Any:
        _tell(retirement)
        return _found(use)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name.rpartition(".")[2]
    call.__doc__ = f"Retired since {since}: use `{use}`."
    return call


def _tell(retirement: Retirement) -> None:
    position = user_position()
    span = position.span() if position is not None else None
    filename, line = (span.filename, span.line) if span is not None else ("<unknown>", 0)
    key = (retirement.name, filename, line)
    if key not in _told:
        from perspicax.diagnose.render.plain import render_plain  # for weight

        _told.add(key)
        warnings.warn_explicit(render_plain(retirement.report), DeprecationWarning, filename, line)


def _found(dotted: str) -> Callable[..., Any]:
    module, _, name = f"perspicax.{dotted}".rpartition(".")
    return getattr(importlib.import_module(module), name)
