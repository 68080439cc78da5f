"""Errors of branches, and of what decides in branches and loops."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Label, Place, Report
from perspicax.lax.control_report import dtype_name, listed, relaid, rewrite, split_alone, weakly

if TYPE_CHECKING:
    from perspicax.core.tree_mismatch import Mismatch
    from perspicax.diagnose.expression import Expression


class PredicateError(PerspicaxError, TypeError):
    """What decides in a branch or loop is no single truth value or index.

    Attributes:
        transform: `cond`, `switch`, `while_loop` or `fori_loop`.
        what: what decides: `pred`, `index`, or the name of the function that returned it.
        kind: `shape`, `dtype`, `tree` or `value` (no array at all).
        got: its type.
        definition: a place in that function.
    """

    transform: str
    what: str
    kind: str
    got: str
    definition: Place = None

    @property
    def report(self) -> Report:
        wanted = {"switch": "integer", "fori_loop": "integer"}.get(self.transform, "truth value")
        found = self._expression()
        labels = (Label(found.span, self.got),) if found is not None else ()
        if self.transform == "while_loop":
            return Report(says=f"`{self.what}` of while_loop returned {self.got}, which is no single truth value.",
                          why="after each round it says whether to go on, by one boolean scalar", labels=labels,
                          fixes=self._test_fixes(found))
        text = found.text if found is not None and len(found.text) <= 40 else self.what
        role = {"cond": "predicate", "switch": "index"}.get(self.transform, "bound")
        return Report(says=f"The {role} `{text}` of {self.transform} is {self.got}, which is no single {wanted}.",
                      why={"cond": "one of two functions is run, by one boolean (or numeric) scalar",
                           "switch": "one of the branches is run, by one integer scalar",
                           "fori_loop": "the loop counts from one scalar to another"}[self.transform],
                      labels=labels, fixes=self._choice_fixes(found, text))

    def _expression(self) -> Expression | None:
        """What decides, as the user wrote it."""
        from perspicax.lax.control_words import argument, returned  # only a printed error needs it

        if self.transform == "while_loop":
            return returned(self.definition)
        return argument(self.position, (self.transform,), 1 if self.what == "upper" else 0, self.what)

    def _test_fixes(self, found: Expression | None) -> tuple[Fix, ...]:
        text = found.grouped if found is not None else "condition"
        if self.kind == "shape":
            return (rewrite(found, f"{text}.any()", "go on while any entry says so (or `all()` of them)"),)
        if self.kind != "dtype":
            return (Fix("return the one value that decides"),) if self.got.startswith("a ") else ()
        if self.got.endswith("[]"):
            return (rewrite(found, f"{text} != 0", "compare"),)
        return (rewrite(found, f"({text} != 0).any()", "go on while any entry is not 0 (or `all()` of them)"),)

    def _choice_fixes(self, found: Expression | None, text: str) -> tuple[Fix, ...]:
        match self.transform, self.kind:
            case "cond", "shape":
                grouped = found.grouped if found is not None else text
                return (self._where(text), rewrite(found, f"{grouped}.all()", "decide for all (`any()`: for one of them)"))
            case "switch", "shape":
                return (Fix("choose for each entry", code=f"jax.vmap(lambda i, x: lax.switch(i, branches, x))({text}, xs)"),)
            case "switch", "dtype" if self.got.startswith("bool"):
                return (Fix("for two branches", code=f"lax.cond({text}, true_fun, false_fun, *operands)"),)
            case "switch", "dtype":
                return (rewrite(found, f"jnp.asarray({text}, jnp.int32)", "make it an integer"),)
        return ()


    def _where(self, text: str) -> Fix:
        from perspicax.diagnose.source import imported_as  # as above
        from perspicax.lax.control_words import argument, call_at, value_of

        jnp = imported_as(self.position, "numpy", "jnp")
        yes, no = (value_of(argument(self.position, ("cond",), i, name)) for i, name in ((1, "true_fun"), (2, "false_fun")))
        new = f"{jnp}.where({text}, {yes or 'on_true'}, {no or 'on_false'})"
        return rewrite(call_at(self.position) if yes and no else None, new, "choose entry by entry")


class BranchOutputError(PerspicaxError, TypeError):
    """The functions of a branch return results of different structure or types.

    Attributes:
        transform: `cond` or `switch`.
        functions: what the first of them and the one that differs are called: parameter and name.
        kind: `structure` or `type`.
        mismatches: of `structure`, every place where they differ.
        rows: of `type`: path below the result, the first one's type, the other's.
        definitions: a place in each of the two.
    """

    transform: str
    functions: tuple[tuple[str, str], tuple[str, str]]
    kind: str
    mismatches: tuple[Mismatch, ...] = ()
    rows: tuple[tuple[str, Any, Any], ...] = ()
    definitions: tuple[Place, Place] = (None, None)

    @property
    def report(self) -> Report:
        (first, f), (other, g) = self.functions
        why = "only one of them runs, and what follows is compiled for one type of result"
        one, two = (f"`{f}`" if f != "<lambda>" else f"`{first}`"), (f"`{g}`" if g != "<lambda>" else f"`{other}`")
        if f == g:
            one, two = f"`{first}`", f"`{other}`"
        lead = f"{one} and {two}, branches of {self.transform}, return results of different"
        if self.kind == "structure":
            from perspicax.core.tree_mismatch import sentence  # only a printed error needs it

            said = [sentence(found, f"{first}(...)", f"{other}(...)") for found in self.mismatches]
            wholes = [(e, f"result of {name}") for e, name in zip(self._returned(), (one, two)) if e is not None]
            return Report(says=f"{lead} structure:\n{listed(said)}", why=why,
                          labels=tuple([Label(e.span, text) for e, text in wholes]),
                          fixes=(Fix(f"return from {two} what {one} returns: the same containers, with the same keys"),))
        names = [f"result{path}" for path, _, _ in self.rows]
        width, wide = max(map(len, names)), max(len(weakly(a)) for _, a, _ in self.rows)
        lines = [f"{name:<{width}}  {weakly(a):<{wide}} from {one}, {weakly(b)} from {two}"
                 for name, (_, a, b) in zip(names, self.rows)]
        return Report(says=f"{lead} types:\n{listed(lines)}", why=why, labels=self._labels(), fixes=self._fixes(one, two))

    def _returned(self) -> list[Expression | None]:
        from perspicax.lax.control_words import returned  # only a printed error needs it

        return [returned(place) for place in self.definitions]

    def _labels(self) -> tuple[Label, ...]:
        from perspicax.lax.control_words import entry  # as above

        labels = []
        one, two = self._returned()
        for path, a, b in self.rows[:3]:
            for whole, aval in ((one, a), (two, b)):
                found = entry(whole, path)
                if found is not None:
                    labels.append(Label(found.span, aval.str_short()))
        return tuple(labels)

    def _fixes(self, one: str, two: str) -> tuple[Fix, ...]:
        from perspicax.core.promotion import promote_types
        from perspicax.diagnose.source import imported_as  # as above
        from perspicax.lax.control_words import entry

        path, a, b = self.rows[0]
        jnp = imported_as(self.position, "numpy", "jnp")
        if split_alone(a, b):
            wider = b.explicit is not None
        else:
            wider = a.shape == b.shape and not a.extended and not b.extended and promote_types(a.dtype, b.dtype) == b.dtype
        if wider:  # the first one loses nothing
            one, two, a, b = two, one, b, a
        found = entry(self._returned()[0 if wider else 1], path)
        text = found.text if found is not None else f"result{path}"
        if split_alone(a, b):
            return (rewrite(found, relaid(text, a), f"split it alike in {two}"),)
        if a.shape == b.shape and not a.extended and not b.extended:
            return (rewrite(found, f"{jnp}.asarray({text}, {jnp}.{dtype_name(a)})", f"convert in {two}"),)
        if b.shape == () and a.dtype == b.dtype:
            return (rewrite(found, f"{jnp}.full({a.shape}, {text})", f"return the same shape from {two}"),)
        return (Fix("bring both to one shape within the branches: by padding, cutting or broadcasting"),)


class BranchCallError(PerspicaxError, TypeError):
    """`cond` or `switch` was called in a way that does not tell its operands.

    Attributes:
        transform: `cond` or `switch`.
        count: how many operands were given by position, besides `operand`.
    """

    transform: str
    count: int

    @property
    def report(self) -> Report:
        further = "an operand" if self.count == 1 else f"{self.count} operands"
        return Report(says=f"{self.transform} was given `operand=` and {further} by position.",
                      why="the functions get one or the other",
                      fixes=(Fix("give all of them by position", code=f"lax.{self.transform}(..., *operands)"),))


class NoBranchesError(PerspicaxError, ValueError):
    """`switch` was given no branches."""

    @property
    def report(self) -> Report:
        return Report(says="switch was given no branches.", why="the index chooses one of them, so there is at least one")


class PlatformError(PerspicaxError, NotImplementedError, ValueError):
    """`platform_dependent` has no function for the platform that is compiled for, or does not know a platform's name.

    Attributes:
        platform: that platform.
        known: those that it has a function for.
        kind: empty, or `name` where the name stands for several platforms.
    """

    platform: str
    known: tuple[str, ...]
    kind: str = ""

    @property
    def report(self) -> Report:
        if self.kind == "name":
            return Report(says=f"platform_dependent was given a function for `{self.platform}`, which is no single platform.",
                          why="the platforms of GPUs are `cuda` and `rocm`",
                          fixes=(Fix("name both", code="cuda=f, rocm=f"),))
        names = ", ".join(f"`{name}`" for name in self.known) or "none"
        return Report(says=f"platform_dependent has no function for the platform `{self.platform}`.",
                      why=f"it was given functions for {names}, and no default",
                      fixes=(Fix("give one for all others", code="default=f"),))
