"""What can go wrong with options: an unknown name, a value that does not fit, a missing value."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class UnknownOptionError(PerspicaxError, AttributeError):
    """An option was named that does not exist."""

    option: str
    near: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        return Report(
            says=f"There is no configuration option `{self.option}`.",
            why="options are named as in JAX (`jax_…`), and Perspicax's own begin with `perspicax_`; "
                "`config.values` has them all",
            fixes=tuple(Fix("" if i else "did you mean", code=name) for i, name in enumerate(self.near)))


class OptionValueError(PerspicaxError, ValueError, TypeError):  # JAX raises one or the other, depending on the option
    """An option was given a value that it cannot have."""

    option: str
    value: str
    expected: str
    source: str = ""
    suggestion: str = ""

    @property
    def report(self) -> Report:
        where = f" by {self.source}" if self.source else ""
        fix = (Fix("give one of the values it takes", code=self.suggestion),) if self.suggestion else ()
        return Report(says=f"The option `{self.option}` was set to {self.value}{where}, which is not a value of it.",
                      why=f"`{self.option}` takes {self.expected}", fixes=fix)


class MissingOptionValueError(PerspicaxError, TypeError):
    """A context manager of an option was entered without saying which value the option shall have."""

    option: str
    expected: str
    example: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.option}()` needs the value that the option shall have.",
                      why=f"only options that are on or off may be called without one; this one takes {self.expected}",
                      fixes=(Fix("say the value", code=f"with {self.option}({self.example}):"),))


class OptionAsConditionError(PerspicaxError, TypeError):
    """An option itself was used as a condition, where its value was meant."""

    option: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.option}` is an option, not a value: it is neither true nor false.",
                      why="every option object would count as true, whatever its value is",
                      fixes=(Fix("ask for its value", code=f"{self.option}.value"),))


class OptionAssignmentError(PerspicaxError, AttributeError):
    """An attribute of `config` was assigned."""

    option: str
    value: str

    @property
    def report(self) -> Report:
        return Report(says=f"`config.{self.option}` cannot be assigned.",
                      why="a change goes through `config.update`, which checks the value and tells those who depend "
                          "on it",
                      fixes=(Fix("update it", code=f'config.update("{self.option}", {self.value})'),))


class OverrideNotActiveError(PerspicaxError, RuntimeError):
    """A context manager of an option was left in a thread that had not entered it."""

    option: str

    @property
    def report(self) -> Report:
        return Report(says=f"An override of `{self.option}` ends in a thread in which it did not begin.",
                      why="an override holds for one thread: the one that entered the `with` block must leave it",
                      fixes=(Fix("enter and leave it in the same thread, or set the option for all threads",
                                 code=f'config.update("{self.option}", …)'),))
