"""Errors of `custom_partitioning`."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.diagnose.source import error_position
from perspicax.transform.errors import callable_name
from perspicax.xla.errors import JaxRuntimeError


class ShardingRuleError(PerspicaxError, ValueError, TypeError):
    """A rule that says which axes of operands and results belong together cannot be read, or is for other arrays.

    Attributes:
        says: what is the matter.
        why: the rule that was broken.
        fix: what to write; may be empty.
    """

    says: str
    why: str
    fix: str = ""

    @property
    def report(self) -> Report:
        return Report(says=self.says, why=self.why, fixes=(Fix(code=self.fix),) if self.fix else ())


class PartitionerMissingError(PerspicaxError, AttributeError):
    """A function of `custom_partitioning` was called before it was said how it is partitioned.

    Attributes:
        function: its name.
    """

    function: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` was called, and nobody has said how it is partitioned.",
                      why="`custom_partitioning` asks the user what each device does",
                      fixes=(Fix("say it before the first call",
                                 code=f'{callable_name(self.function)}.def_partition(partition, sharding_rule="…")'),))


class PartitionerRuleError(PerspicaxError, NotImplementedError):
    """A function of `custom_partitioning` has functions that tell how arrays lie, and no `sharding_rule`.

    Attributes:
        function: its name.
        callback: the parameter by which such a function was given.
    """

    function: str
    callback: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` has `{self.callback}`, and no `sharding_rule`.",
                      why="Shardy partitions all programs, which asks no functions how arrays lie: without a rule each device "
                          "would get all of them whole",
                      fixes=(Fix("say which axes belong together",
                                 code=f'{callable_name(self.function)}.def_partition(partition, sharding_rule="... -> ...")'),))


class PartitionerError(JaxRuntimeError):
    """The function that says what each device does failed, or returned something else.

    Attributes:
        function: the function that is partitioned.
        rule: the name of the user's function.
        kind: `raised`, `result` (not the four things), `sharding` (no shardings for all arrays), `types` (the devices' function
            has results of other types), `host` (it calls back to Python), or `closure` (the function uses a traced value of
            outside).
        got: what was found.
        wanted: what was expected.
    """

    status: str = "INTERNAL"
    detail: str = ""
    function: str = ""
    rule: str = ""
    kind: str = ""
    got: str = ""
    wanted: str = ""

    @property
    def report(self) -> Report:
        rule, f = self.rule, self.function
        match self.kind:
            case "raised":
                return Report(says=f"`{rule}`, which says how `{f}` is partitioned, raised {self.got}.",
                              primary=error_position(self.__cause__) if self.__cause__ is not None else None,
                              why="the compiler asks it while it spreads the program over the devices; the error is the cause "
                                  "of this one, with its traceback")
            case "result":
                return Report(says=f"`{rule}`, which says how `{f}` is partitioned, returned {self.got}.",
                              why="it returns a mesh, the function that each device runs, the shardings of the results, and "
                                  "those of the arguments",
                              fixes=(Fix(code="return mesh, lower_fn, result_shardings, arg_shardings"),))
            case "sharding":
                return Report(says=f"`{rule}` gives {self.got} for the shardings of the {self.wanted} of `{f}`.",
                              why="there is one sharding for each array, in a tree of the same structure")
            case "types":
                return Report(says=f"The function that `{rule}` gives each device returns {self.got}; a device's part of the "
                                   f"results of `{f}` is {self.wanted}.",
                              why=f"it gets the parts of the arguments and returns the parts of the results, as the shardings "
                                  f"say that `{rule}` returns",
                              fixes=(Fix(f"let `{rule}` return the shardings that the results have"),))
            case "host":
                return Report(says=f"The function that `{rule}` gives each device calls back to Python.",
                              why="the compiler has begun when it asks for it, and takes no more functions of the host")
        return Report(says=f"`{f}` uses a traced value of outside, {self.got}.",
                      why="how it is partitioned is said for its arguments alone",
                      fixes=(Fix("pass the value as an argument"),))
