"""Errors of `checkify`: what checks found, and how checks are misused."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import Place, resolve
from perspicax.diagnose.report import Fix, Report
from perspicax.diagnose.source import shorten

_CAUSE = "it is a category of checks, and the cause of `CheckifyError`, whose page tells of it"


class CheckFailure(PerspicaxError, no_page=_CAUSE):
    """What a check found.

    Attributes:
        message: what is wrong, without the place.
        where: the user's place of the check, or of the operation.
    """

    message: str
    where: Place = None

    @property
    def report(self) -> Report:
        return Report(says=f"{self.message}.", primary=self.where, verbatim=True)

    @property
    def text(self) -> str:
        """One line: what is wrong, and where."""
        span = resolve(self.where)
        if span is None:
            return self.message
        named = f"`{span.function}`" if span.function.isidentifier() else span.function
        inside = f" in {named}" if named else ""
        return f"{self.message} ({shorten(span.filename)}:{span.line}{inside})"


class FailedCheckError(CheckFailure, no_page=_CAUSE):
    """A condition of the user's (`checkify.check`) did not hold."""


class NaNError(CheckFailure, no_page=_CAUSE):
    """An operation made a NaN."""


class DivisionByZeroError(CheckFailure, no_page=_CAUSE):
    """An operation divided by zero."""


class OOBError(CheckFailure, no_page=_CAUSE):
    """An index lay outside of an array."""


class CheckifyError(PerspicaxError, ValueError):
    """A check failed.

    Attributes:
        message: what failed, and where; one line for each entry of a batch.
        where: the user's place, where there is one.
    """

    message: str
    where: Place = None

    @property
    def report(self) -> Report:
        # The message comes first: libraries (chex) tell their own failures by how the text begins.
        return Report(says=f"{self.message}.", primary=self.where, verbatim=True,
                      why="values were checked while the program ran, and this is the first that did not pass")


class UncheckedError(PerspicaxError, ValueError):
    """A check is in a program that nobody asked for errors.

    Attributes:
        where: the user's place of the check.
    """

    where: Place = None

    @property
    def report(self) -> Report:
        return Report(says="A `checkify.check` is in a compiled program that hands no errors out.", primary=self.where,
                      why="a compiled program cannot raise: `checkify` makes its errors one of its results",
                      fixes=(Fix("transform the function first, then compile it",
                                 code=("error, result = jax.jit(checkify.checkify(f))(x)", "error.throw()")),
                             Fix("for a check that may be left out", code="checkify.debug_check(pred, message)")))


class CheckArgumentError(PerspicaxError, TypeError):
    """A check was given something that it cannot take.

    Attributes:
        function: `check`, `check_error` or `checkify`.
        kind: `pred`, `value` (to be formatted), `error` (no `Error`), `errors` (no set of categories) or `function`.
        got: the type or class of it.
    """

    function: str
    kind: str
    got: str

    @property
    def report(self) -> Report:
        f = f"checkify.{self.function}"
        if self.kind == "pred":
            shape = "[" in self.got and not self.got.endswith("[]")
            return Report(says=f"The condition of `{f}` is {self.got}, not a boolean scalar.",
                          why="a check holds or fails as a whole",
                          fixes=(Fix("say that all entries must hold", code="checkify.check(jnp.all(pred), message)") if shape
                                 else Fix("compare", code="checkify.check(x > 0, message)"),))
        if self.kind == "value":
            return Report(says=f"`{f}` was given {self.got} to put into its message.",
                          why="the message is made when the program has run, from arrays of numbers that it hands out",
                          fixes=(Fix("write what is known now into the message itself", code='f"... {name} ..."'),))
        if self.kind == "error":
            return Report(says=f"`{f}` was given a value of class {self.got} where it takes an error.",
                          fixes=(Fix(code="error, result = checkify.checkify(f)(x)"),))
        if self.kind == "errors":
            return Report(says=f"`{f}` was given {self.got} as `errors`.",
                          why="`errors` is a set of categories: `user_checks`, `nan_checks`, `div_checks`, `index_checks`, "
                              "`float_checks`, `automatic_checks`, `all_checks`, or a union of them",
                          fixes=(Fix(code="checkify.checkify(f, errors=checkify.user_checks | checkify.nan_checks)"),))
        return Report(says=f"`{f}` was given a value of class {self.got} where it takes a function.")


class CheckifyLoopError(PerspicaxError, ValueError, NotImplementedError):
    """A loop whose test differs between the entries of a batch cannot be checked."""

    where: Place = None

    @property
    def report(self) -> Report:
        return Report(says="A `while_loop` under vmap, whose test differs between the entries, cannot be checked.",
                      primary=self.where,
                      why="rounds go on for entries that are done, and what they compute then must not count",
                      fixes=(Fix("let vmap come last", code="jax.vmap(checkify.checkify(f))(xs)"),))
