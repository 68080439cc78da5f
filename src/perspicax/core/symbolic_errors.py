"""What symbolic sizes raise: a question with no one answer, and shapes and constraints that cannot be read."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import Place
from perspicax.diagnose.report import Fix, Label, Report

__all__ = ["InconclusiveDimensionOperation", "SymbolicShapeError", "SymbolicSizeConversionError"]


class InconclusiveDimensionOperation(PerspicaxError):
    """Nothing can be concluded about a symbolic size.

    Attributes:
        left, comparison, right: what was asked, as text: `b`, `>`, `3`. Empty where something else was.
        constraints: what the user stated of the variables.
        scope_place: where their scope was made.
        says, why: in place of a comparison.
    """

    __module__ = "perspicax.errors"

    left: str = ""
    comparison: str = ""
    right: str = ""
    constraints: tuple[str, ...] = ()
    scope_place: Any = None
    says: str = ""
    why: str = ""

    @property
    def report(self) -> Report:
        if not self.comparison:
            return Report(says=self.says or "Nothing can be concluded about a symbolic size.", why=self.why)
        asked = f"{self.left} {self.comparison} {self.right}"
        known = f"; all that is stated besides is {_listed(self.constraints)}" if self.constraints else ""
        made: Place = self.scope_place
        return Report(
            says=f"Whether `{asked}` depends on the size, which is not known while the function is traced.",
            why="the function is traced once for all sizes, so the answer must be the same for all of them. Each variable is "
                f"at least 1{known}: that does not decide it.",
            fixes=(Fix("state the answer where the sizes are made", when="only such sizes come",
                       code=f'symbolic_shape(..., constraints=["{self._stated()}"])'),
                   Fix("compare on the device, which knows the size", when="both sides are needed",
                       code=f"jax.lax.cond(jnp.asarray(size) {self.comparison} {self.right}, on_true, on_false)")),
            labels=(Label(made, "the variables are made here"),) if made is not None else ())

    def _stated(self) -> str:
        """A constraint that answers the question: sizes are large rather than small."""
        least = self.right if self.comparison in (">=", "<") else _plus_one(self.right)
        return f"{self.left} >= {least}"


def _plus_one(text: str) -> str:
    return str(int(text) + 1) if text.lstrip("-").isdigit() else f"{text} + 1"


def _listed(texts: tuple[str, ...]) -> str:
    return ", ".join([f"`{text}`" for text in texts])


_ASKED = {
    "int": "as an integer (`int`)", "float": "as a number (`float`)",
    "index": "as an integer (`range`, an index of a list, a parameter that must be known)",
}


class SymbolicSizeConversionError(InconclusiveDimensionOperation, TypeError):
    """A symbolic size was needed as a number.

    Attributes:
        size: the size, as text.
        asks: "int", "index" or "float".
    """

    size: str
    asks: str

    @property
    def report(self) -> Report:
        loop = (Fix("loop on the device", code=f"jax.lax.fori_loop(0, {self.size}, body, init)", when="it bounds a loop"),)
        return Report(
            says=f"The size `{self.size}` was needed {_ASKED[self.asks]}, but it is symbolic.",
            why="the function is traced once for all sizes, so the size has no value now; arithmetic with it gives other "
                "sizes, and an array operation takes it as a traced integer.",
            fixes=(*(loop if self.asks == "index" else ()),
                   Fix("take it as a traced integer", code="jnp.asarray(x.shape[0])", when="it is a number to compute with"),
                   Fix("export for one size", when="the operation needs it")))


class SymbolicShapeError(PerspicaxError, ValueError):
    """A symbolic shape, or a constraint on symbolic sizes, cannot be read, or does not fit.

    Attributes:
        says, why: what happened, and the rule.
        code: how it would be written.
    """

    says: str
    why: str = ""
    code: str = ""
    fixes: tuple[Fix, ...] = ()

    @property
    def report(self) -> Report:
        own = (Fix("write", code=self.code),) if self.code else ()
        return Report(says=self.says, why=self.why, fixes=(*own, *self.fixes))
