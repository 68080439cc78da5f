"""Errors of `checkpoint`: its options, and the answers of policies."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class RematPolicyError(PerspicaxError, TypeError):
    """A policy of `checkpoint` is no function, or does not say whether a value may be kept.

    Attributes:
        policy: its name.
        primitive: the operation it was asked about; empty, if it cannot be asked.
        answer, answer_type: what it answered, or what it is.
    """

    policy: str
    primitive: str
    answer: str
    answer_type: str

    @property
    def report(self) -> Report:
        if not self.primitive:
            return Report(
                says=f"The policy of a checkpointed function is the {self.answer_type} {self.answer}, which cannot be called.",
                why="a policy is a function that is asked about each operation whether its results may be kept",
                fixes=(Fix("take one that there is", code="policy=jax.checkpoint_policies.dots_saveable"),
                       Fix("none, which keeps the arguments alone", code="policy=None")))
        return Report(
            says=f"The policy `{self.policy}`, asked about `{self.primitive}`, answered {self.answer}, a {self.answer_type}.",
            why="a policy says for each operation whether its results may be kept: True or False, or one of `Saveable`, "
                "`Recompute` and `Offloadable(src, dst)` of jax.ad_checkpoint",
            fixes=(Fix("return a truth value, on every way through the function"),))


class RematOptionError(PerspicaxError, TypeError, ValueError):
    """An option of `checkpoint` or of one of its policies has a value that it cannot have.

    Attributes:
        option: its name.
        given: the value.
        kind: `type`, `structure` or `names`.
        function: the checkpointed function, or the policy.
        reason: what does not fit.
    """

    option: str
    given: str
    kind: str
    function: str = ""
    reason: str = ""

    @property
    def report(self) -> Report:
        if self.kind == "names":
            return Report(says=f"`{self.function}` should both keep and offload {self.given}.",
                          why="a value waits in one memory or in the other",
                          fixes=(Fix("leave each name in one of the two lists"),))
        if self.kind == "policies":
            return Report(says=f"`{self.function}` joins two policies, one of which answered {self.given}.",
                          why="only answers that are True or False can be joined by `or`",
                          fixes=(Fix("write a policy of your own, which decides between the two"),))
        if self.kind == "structure":
            return Report(says=f"`prevent_cse` has not the structure of the arguments of `{self.function}`.",
                          why=self.reason,
                          fixes=(Fix("give one truth value for each positional argument, or one for all",
                                     code="prevent_cse=True"),))
        return Report(says=f"`{self.option}` is {self.given}, which is no truth value and no tuple of them.",
                      why="it says whether the compiler is kept from merging what is computed again with what was computed "
                          "at first: for all arguments, or for each",
                      fixes=(Fix(code="prevent_cse=False"),))


class RemovedOptionError(PerspicaxError, NotImplementedError):
    """An option was given that JAX has removed.

    Attributes:
        option: its name.
        function: of which function.
        instead: what to write in its place.
        because: what that does.
    """

    option: str
    function: str
    instead: str
    because: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` has no option `{self.option}` any more.",
                      why=self.because,
                      fixes=(Fix("leave it out, or give in its place", code=self.instead),))


__all__ = ["RematOptionError", "RematPolicyError", "RemovedOptionError"]
