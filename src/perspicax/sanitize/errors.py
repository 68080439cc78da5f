"""What may be wrong in a choice of sanitizers."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class SanitizerNameError(PerspicaxError, ValueError):
    """There is no sanitizer of this name.

    Attributes:
        name: what was asked for.
        near: names of which it may be a misspelling.
    """

    name: str
    near: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        return Report(
            says=f"There is no sanitizer `{self.name}`.",
            why="there are `keys`, `leaks`, `bounds`, `updates`, `nans`, `recompiles`, `precision`, `constants` and "
                "`broadcast`; `all`, `none` and `default` stand for several, and `error` makes their findings errors",
            fixes=tuple([Fix(f"did you mean `{name}`") for name in self.near]))


__all__ = ["SanitizerNameError"]
