"""Errors of functions with rules of the user's own: batching rules, pull-backs, transpositions; and of closures."""
from __future__ import annotations

from typing import Any

from perspicax.core.errors import RuleMissingError
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.transform.differences import differences
from perspicax.transform.errors import callable_name, with_article

__all__ = [
    "CallSignatureError", "CustomBatchingError", "CustomGradientError", "LinearCallError", "LinearTypesError",
    "MissingBatchingRuleError", "NondiffArgumentError", "NotLinearError", "RuleFunctionError", "StructureError",
]


class CustomBatchingError(PerspicaxError, ValueError):
    """A batching rule of a `custom_vmap` function does not return what it should, or cannot be used here.

    Attributes:
        function: the function.
        rule: its batching rule.
        kind: `pair` (no pair was returned), `flags` (the pair's entries have different structures), `structure` (the
            result has another structure than the function's), `type` (an entry of another type), `closure` (the
            function closes over a value that vmap maps or that is differentiated), `reverse` (it was differentiated
            in reverse mode).
        got, expected: what was returned and what fits: structures, or types as text.
        path: of the entry in the result.
    """

    function: str
    rule: str
    kind: str
    got: Any = ""
    expected: Any = ""
    path: str = ""

    @property
    def report(self) -> Report:
        f, rule = self.function, self.rule
        fixes: tuple[Fix, ...] = ()
        match self.kind:
            case "pair":
                says = f"The batching rule `{rule}` of `{f}` returned {with_article(self.got)} instead of a pair."
                why = "it returns (result, out_batched): the result for the whole batch, and for each of its arrays " \
                      "whether axis 0 is the batch"
                fixes = (Fix(code="return result, True"),)
            case "flags":
                says = differences(f"The batching rule `{rule}` of `{f}` returned a result and an `out_batched` of "
                                   "different structures", self.expected, self.got, "result", "out_batched")
                why = "`out_batched` has one bool for each array of the result"
                fixes = (Fix("if all of it has the batch in axis 0",
                             code="return result, jax.tree.map(lambda _: True, result)"),)
            case "structure":
                says = differences(f"The batching rule `{rule}` returned another structure than `{f}` does",
                                   self.expected, self.got, f"{f}(...)", "result")
                why = "what it returns takes the place of what the function returns for each entry of the batch"
            case "type":
                says = f"The batching rule `{rule}` of `{f}` returned {self.got} in `{self.path}`, where {self.expected} " \
                       "belongs."
                why = "that is the type of what the function returns, with the batch in axis 0 where `out_batched` says so"
            case "closure":
                says = f"`{f}` has a batching rule, but closes over a value that vmap maps or that is being differentiated."
                why = "its rule gets the arguments alone"
                fixes = (Fix("pass the value as an argument"),)
            case _:
                says = f"`{f}` has a batching rule of its own (custom_vmap), and cannot be differentiated in reverse mode."
                why = "the rule does not say how the transposition is batched"
                fixes = (Fix("give it a derivative as well, outermost",
                             code=("@jax.custom_vjp", "@jax.custom_batching.custom_vmap", f"def {f}(...):")),)
        labels = (Label(self.position, ""),) if self.position is not None else ()
        return Report(says=says, labels=labels, why=why, fixes=fixes)


class MissingBatchingRuleError(PerspicaxError, AttributeError):
    """A `custom_vmap` function was called before its batching rule was defined.

    Attributes:
        function: the function.
    """

    function: str

    @property
    def report(self) -> Report:
        f = self.function
        code = (f"@{callable_name(f)}.def_vmap", "def rule(axis_size, in_batched, *args):", "    return result, True")
        return Report(says=f"`{f}` has no batching rule yet.", why="`def_vmap` was never called for it",
                      fixes=(Fix("give it one", code=code),))


class CustomGradientError(PerspicaxError, TypeError):
    """A function under `custom_gradient` does not return its value and its pull-back.

    Attributes:
        function: the function.
        kind: `pair` or `pull-back`.
        got: what it returned.
    """

    function: str
    kind: str
    got: str

    @property
    def report(self) -> Report:
        what = "instead of a pair" if self.kind == "pair" else "where its pull-back belongs"
        return Report(says=f"`{self.function}` under custom_gradient returned {with_article(self.got)} {what}.",
                      why="it returns its value and a function from the value's cotangent to a tuple of cotangents, one "
                          "for each argument",
                      fixes=(Fix(code="return value, lambda ct: (ct * derivative,)"),))


class LinearCallError(PerspicaxError, TypeError, ValueError):  # JAX raises the latter for a type
    """The transposition given to `linear_call` returns something that is not like the linear arguments.

    Attributes:
        function: the transposition.
        expected, got: structures of the linear arguments, and of what was returned.
        path: where the types differ, if the structures do not.
        expected_type, got_type: these types.
    """

    function: str
    expected: Any
    got: Any
    path: str = ""
    expected_type: str = ""
    got_type: str = ""

    @property
    def report(self) -> Report:
        f = self.function
        why = "a transposition returns cotangents of the linear arguments: same structure, same shapes, same dtypes"
        if self.expected_type:
            return Report(says=f"The transposition `{f}` returned {self.got_type} in `result{self.path}`, but "
                               f"`linear_args{self.path}` is {self.expected_type}.", why=why)
        return Report(says=differences(f"The transposition `{f}` returned another structure than that of the linear "
                                       "arguments", self.expected, self.got, "linear_args", "result"), why=why)


class StructureError(PerspicaxError, TypeError, ValueError):
    """A function that was made for arguments of one structure was called with another.

    Attributes:
        function: the function.
        transform: what made it, `closure_convert`.
        expected, got: the structures of arguments.
        values, given: how many hoisted values belong behind them, and how many came.
    """

    function: str
    transform: str
    expected: Any
    got: Any
    values: int = 0
    given: int = 0

    @property
    def report(self) -> Report:
        f = self.function
        why = f"`{self.transform}` staged `{f}` for its example arguments; behind arguments like these come the values " \
              "that it took out of the closure"
        if self.expected == self.got:
            return Report(says=f"`{f}`, as `{self.transform}` returned it, takes {self.values} further "
                               f"value{'' if self.values == 1 else 's'} behind its arguments, but was given {self.given}.",
                          why=why,
                          fixes=(Fix(code=f"{f if f.isidentifier() else 'converted'}(*args, *values)"),))
        expected, got = self.expected.children()[0], self.got.children()[0]
        return Report(says=differences(f"`{f}`, as `{self.transform}` returned it, was called with arguments of another "
                                       "structure", expected, got, "example_args", "args"), why=why)


class NotLinearError(RuleMissingError):
    """`linear_transpose` was given a function that is not linear.

    Attributes:
        primitive, rule, reason: as in the base: the operation that is not linear, and why.
        function: the function.
        arguments: its arguments, by name.
    """

    function: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        f = self.function
        called, names = callable_name(f), ", ".join(f"`{name}`" for name in self.arguments)
        labels = (Label(self.position, f"`{self.primitive}` of what depends on {names}"),)
        return Report(says=f"`{f}` is not linear in {names}, so that it has no transposition.", labels=labels,
                      why=self.reason or f"`{self.primitive}` is not linear",
                      fixes=(Fix("for the transposition of its derivative at a point",
                                 code=f"_, pull_back = jax.vjp({called}, {', '.join(self.arguments)})"),))


class LinearTypesError(PerspicaxError, TypeError):
    """A function whose transposition was asked for mixes kinds of numbers that have no transposition.

    Attributes:
        function: the function.
        arguments, results: their types, as text.
    """

    function: str
    arguments: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def report(self) -> Report:
        return Report(says=f"`linear_transpose` cannot transpose `{self.function}`, which takes "
                           f"{', '.join(self.arguments)} and returns {', '.join(self.results)}.",
                      why="a function has a transposition from floating-point or complex numbers to such, or from integers "
                          "to integers",
                      fixes=(Fix("convert the arguments", code="jnp.asarray(x, jnp.float32)"),))


class RuleFunctionError(PerspicaxError, TypeError):
    """What should be a function with rules of its own, or such a rule, is no function.

    Attributes:
        role: what it was given as: `custom_jvp`, `fwd`.
        function: the function whose rule it should be, if it is a rule.
        value_type, value: its class, and how it shows.
    """

    role: str
    function: str
    value_type: str
    value: str

    @property
    def report(self) -> Report:
        if not self.function:
            return Report(says=f"`{self.role}` takes a function, not {with_article(self.value_type)}: {self.value}.",
                          fixes=(Fix("options are given by keyword",
                                     code=f"@partial(jax.{self.role}, nondiff_argnums=(1,))"),)
                          if self.value_type in ("int", "tuple", "list") and self.role != "custom_vmap" else ())
        return Report(says=f"The rule `{self.role}` of `{self.function}` is {with_article(self.value_type)}, not a function: "
                           f"{self.value}.")


class NondiffArgumentError(PerspicaxError, ValueError, TypeError, IndexError):  # JAX raises the last for a position
    """An argument that should not be differentiated does not exist.

    Attributes:
        option: `nondiff_argnums` or `nondiff_argnames`.
        given: the entry.
        function: the function.
        parameters: the names of its parameters, as far as they are known.
    """

    option: str
    given: str
    function: str
    parameters: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        f, listed = self.function, ", ".join([f"`{name}`" for name in self.parameters])
        why = f"the parameters of `{f}` are {listed}" if listed else "positions are counted from 0, or backwards from -1"
        if self.option == "nondiff_argnames":
            from difflib import get_close_matches  # here: for weight

            near = get_close_matches(self.given.strip("'"), self.parameters, 1)
            fixes = (Fix("did you mean", code=f"nondiff_argnames=({near[0]!r},)"),) if near else ()
            return Report(says=f"`nondiff_argnames` names {self.given}, but `{f}` has no such parameter.", why=why,
                          fixes=fixes)
        fixes = (Fix(code=f"nondiff_argnames=({self.given},)"),) if self.given.strip("'") in self.parameters else ()
        return Report(says=f"`nondiff_argnums` has the entry {self.given}, which is no position of an argument of `{f}`.",
                      why=why, fixes=fixes)


class CallSignatureError(PerspicaxError, TypeError):
    """A function with rules of its own was called with arguments that its signature does not take.

    Attributes:
        function: the function.
        reason: what Python says.
        signature: its parameters.
    """

    function: str
    reason: str
    signature: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` cannot be called like this: {self.reason}.",
                      why=f"its parameters are {self.signature}")
