"""Errors of `jax.debug`."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class DebugFormatError(PerspicaxError, ValueError, IndexError, KeyError):  # JAX raises another for each kind
    """A format text and its arguments do not fit.

    Attributes:
        what: the function: `debug.print`.
        kind: `text` (no text), `syntax`, `missing` (it names arguments that are not there) or `unused`.
        fmt: the format text.
        fields: the names or numbers of the arguments.
        count, names: how many positional arguments there are, and which named ones.
        detail: what Python says of the syntax.
    """

    what: str
    kind: str
    fmt: str
    fields: tuple[str, ...] = ()
    count: int = 0
    names: tuple[str, ...] = ()
    detail: str = ""

    @property
    def report(self) -> Report:
        if self.kind == "text":
            return Report(says=f"`{self.what}` was given a value of class {self.fmt} where it takes a format text.",
                          why="the text comes first, the values after it",
                          fixes=(Fix("to print one value", code=f'{self._call}("{{}}", x)'),))
        if self.kind == "syntax":
            return Report(says=f"`{self.what}` was given a format text that Python cannot read: {self.detail}.",
                          why=f"it is {self.fmt!r}; braces stand for values",
                          fixes=(Fix("write a brace that is meant as such twice", code="{{ }}"),))
        listing = ", ".join([f"{{{name}}}" for name in self.fields])
        if self.kind == "missing":
            return Report(says=f"The format text of `{self.what}` names {listing}, but there is no such argument.",
                          why=f"it is {self.fmt!r}, with {self._arguments()}; each pair of braces stands for one argument",
                          fixes=(Fix("pass the value, by position or by name",
                                     code=self._with_the_missing() or f'{self._call}("x = {{x}}", x=x)'),))
        return Report(says=f"`{self.what}` was given arguments that its format text does not use: {self._unused()}.",
                      why=f"the text is {self.fmt!r}; an f-string would have formatted the placeholders of the traced values "
                          "already, before there are any",
                      fixes=(Fix("name them in an ordinary text, without `f` in front",
                                 code=f'{self._call}("{_shown(self.fmt)}{_fields(self.fields)}", ...)'),))

    @property
    def _call(self) -> str:
        return f"jax.{self.what}" if self.what.startswith("debug") else f"{self.what}"

    def _with_the_missing(self) -> str:
        """The user's call with the arguments that its text names; empty where it cannot be told."""
        from perspicax.diagnose.source import expression_at  # only a printed error needs it

        call = expression_at(self.position)
        if call is None or not call.text.endswith(")") or not all(f.isidentifier() for f in self.fields):
            return ""
        return ", ".join([call.text[:-1].rstrip(", "), *[f"{f}={f}" for f in self.fields]]) + ")"

    def _arguments(self) -> str:
        given = [f"{self.count} by position"] * bool(self.count) + [f"`{n}` by name" for n in self.names]
        return ", ".join(given) or "no arguments"

    def _unused(self) -> str:
        return ", ".join([f"value {int(f) + 1}" if f.isdigit() else f"`{f}`" for f in self.fields])


def _shown(fmt: str) -> str:
    """A format text as a proposal begins with it; a long one is left out."""
    return "" if len(fmt) > 40 or '"' in fmt or "\n" in fmt else f"{fmt} "


def _fields(fields: tuple[str, ...]) -> str:
    return " ".join(["{}" if f.isdigit() else f"{f} = {{{f}}}" for f in fields])
