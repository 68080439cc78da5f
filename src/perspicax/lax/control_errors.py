"""Errors of loops and branches."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Edit, Fix, Label, Place, Report

if TYPE_CHECKING:
    from perspicax.core.tree_mismatch import Mismatch
    from perspicax.diagnose.expression import Expression

_MOST = 10


def _listed(lines: list[str]) -> str:
    shown = [f"    {line}" for line in lines[:_MOST]]
    if len(lines) > _MOST:
        shown.append(f"    … and {len(lines) - _MOST} more")
    return "\n".join(shown)


def _weakly(aval: Any) -> str:
    return f"{aval.str_short()} (weak)" if getattr(aval, "weak_type", False) else aval.str_short()


class CarryTypeError(PerspicaxError, TypeError):
    """The body of a loop returns a carry of another type than it gets.

    Attributes:
        function: the name of the body.
        kind: `pair` (a scan's body returned no pair), `structure` or `type`.
        transform: the loop: `scan`.
        carry: what the body calls its carry.
        got: of `pair`, what came instead.
        mismatches: of `structure`, every place where the two trees differ.
        rows: of `type`: path below the carry, type that goes in, type that comes out.
        definition: a place in the body.
    """

    function: str
    kind: str
    transform: str = "scan"
    carry: str = "carry"
    got: str = ""
    mismatches: tuple[Mismatch, ...] = ()
    rows: tuple[tuple[str, Any, Any], ...] = ()
    definition: Place = None

    @property
    def report(self) -> Report:
        if self.kind == "pair":
            return Report(says=f"The body `{self.function}` of scan should return a pair (carry, y), but returned {self.got}.",
                          why="scan hands the first entry to the next step and stacks the second",
                          fixes=(Fix("return both; None where there is nothing to stack", code="return carry, None"),))
        if self.kind == "structure":
            return self._structure()
        return self._types()

    def _structure(self) -> Report:
        from perspicax.core.tree_mismatch import sentence  # only a printed error needs it

        said = [sentence(found, self.carry, f"new {self.carry}") for found in self.mismatches]
        first, new = self._expressions()
        labels = [Label(e.span, text) for e, text in ((first, f"the first `{self.carry}`"), (new, f"the new `{self.carry}`"))
                  if e is not None]
        return Report(says=f"The body `{self.function}` of {self.transform} returns a carry of another structure than it "
                           f"gets:\n{_listed(said)}", labels=tuple(labels),
                      why=f"each step gets what the one before returned, so `{self.carry}` keeps the structure that its first "
                          "value has",
                      fixes=(Fix(f"return it in the structure in which `{self.function}` gets it, or start with one like "
                                 "that which it returns"),))

    def _expressions(self) -> tuple[Expression | None, Expression | None]:
        """The first carry, and the one that the body returns, as the user wrote them."""
        from perspicax.lax.control_words import argument, first_of_pair, returned  # as above

        place, keyword = {"scan": (1, "init"), "while_loop": (2, "init_val")}.get(self.transform, (3, "init_val"))
        first = argument(self.position, (self.transform,), place, keyword)
        new = returned(self.definition)
        return first, first_of_pair(new) if self.transform == "scan" else new

    def _types(self) -> Report:
        names = [f"{self.carry}{path}" for path, _, _ in self.rows]
        width, wide = max(map(len, names)), max(len(_weakly(a)) for _, a, _ in self.rows)
        lines = [f"{name:<{width}}  goes in as {_weakly(a):<{wide}}  and comes out as {_weakly(b)}"
                 for name, (_, a, b) in zip(names, self.rows)]
        first, new = self._expressions()
        return Report(says=f"The body `{self.function}` of {self.transform} changes the type of its carry:\n{_listed(lines)}",
                      labels=self._labels(first, new),
                      why="every step of a compiled loop works on the same types, so the carry must come out as it went in",
                      fixes=tuple(self._fixes(first, new)))

    def _labels(self, first: Expression | None, new: Expression | None) -> tuple[Label, ...]:
        from perspicax.lax.control_words import entry  # as above

        labels = []
        for whole, verb, came in ((first, "goes in", True), (new, "comes out", False)):
            for path, a, b in self.rows[:3]:
                found = entry(whole, path)
                if found is not None:
                    labels.append(Label(found.span, f"{(a if came else b).str_short()} {verb}"))
            if whole is not None and not any(entry(whole, path) for path, _, _ in self.rows[:3]):
                labels.append(Label(whole.span, verb))
        return tuple(labels)

    def _fixes(self, first: Expression | None, new: Expression | None) -> list[Fix]:
        from perspicax.diagnose.source import imported_as  # as above
        from perspicax.lax.control_words import entry

        path, a, b = self.rows[0]
        jnp = imported_as(self.position, "numpy", "jnp")
        start, end = entry(first, path), entry(new, path)
        begin = (start.text if start is not None and start.text else "") or _path_text(first, "init", path)
        if a.shape != b.shape:
            if a.shape == () and b.dtype == a.dtype:
                return [_rewrite(start, f"{jnp}.full({b.shape}, {begin})", "start with the shape that the body computes")]
            return [Fix(f"start with the type that the body computes: {b.str_short()}")]
        if a.extended or b.extended:
            return []
        grouped = end.grouped if end is not None else _path_text(new, f"new_{self.carry}", path)
        return [_rewrite(start, f"{jnp}.asarray({begin}, {jnp}.{_dtype(b)})", "start with the dtype that the body computes"),
                _rewrite(end, f"{grouped}.astype({jnp}.{_dtype(a)})", "bring the result back to the dtype that came in")]


def _path_text(whole: Expression | None, otherwise: str, path: str) -> str:
    return f"{whole.grouped if whole is not None and len(whole.text) <= 40 else otherwise}{path}"


def _dtype(aval: Any) -> str:
    return "bool_" if str(aval.dtype) == "bool" else str(aval.dtype)


def _rewrite(old: Expression | None, new: str, says: str) -> Fix:
    """A fix that puts `new` in the place of an expression, or shows it where there is no such place."""
    return Fix(says, edits=(Edit(old.span, new),)) if old is not None else Fix(says, code=new)


class ScanLengthError(PerspicaxError, ValueError):
    """The number of steps of a scan is unknown or contradictory.

    Attributes:
        function: the name of the body.
        kind: `differ`, `scalar`, `unknown`, `negative`, `batch` (a negative size of batches) or `empty` (no steps, while
            nothing is compiled).
        rows: the arrays that are stepped over: path and type.
        length: the number of steps that was asked for.
        transform: the function that was called.
    """

    function: str
    kind: str
    rows: tuple[tuple[str, str], ...]
    length: int | None = None
    transform: str = "scan"

    @property
    def report(self) -> Report:
        what = f"{self.transform} of `{self.function}`"
        if self.kind == "unknown":
            return Report(says=f"{what} does not know how many steps to take.",
                          why="`xs` holds no array, and `length` was not given", fixes=(Fix("say it", code="length=10"),))
        if self.kind == "negative":
            return Report(says=f"{what} was asked for {self.length} steps.", why="a length is not negative")
        if self.kind == "batch":
            return Report(says=f"{what} was asked for batches of {self.length}.", why="`batch_size` is a number of entries")
        if self.kind == "empty":
            return Report(says=f"{what} has no steps to take, and jit is disabled.",
                          why="without a step there is no result to tell what an empty stack of them would be made of",
                          fixes=(Fix("leave this loop to the compiler", code="with jax.disable_jit(False): ..."),))
        lines = [f"{name}: {text}" for name, text in self.rows]
        if self.length is not None:
            lines.append(f"length={self.length}")
        if self.kind == "scalar":
            return Report(says=f"{what} cannot step over a scalar:\n{_listed(lines)}",
                          why="each array in `xs` has a leading axis, one entry for each step")
        fixes = (Fix("leave `length` out: the arrays tell it"),) if self.length is not None else ()
        return Report(says=f"{what} got leading axes of different sizes:\n{_listed(lines)}",
                      why="each array in `xs` has one entry for each step", fixes=fixes)


class UnrollError(PerspicaxError, ValueError):
    """`unroll` of a loop cannot be followed.

    Attributes:
        transform: the loop.
        got: what was given.
        kind: `negative`, or `dynamic` where the number of steps is not known.
    """

    transform: str
    got: str
    kind: str

    @property
    def report(self) -> Report:
        if self.kind == "negative":
            return Report(says=f"`unroll` of {self.transform} is {self.got}.",
                          why="it is a number of steps, or a truth value: all of them, or one at a time")
        return Report(says=f"`unroll={self.got}` of {self.transform}, whose number of steps is not known while it is traced.",
                      why="several steps can be written out one behind the other only where it is known how many there are",
                      fixes=(Fix("leave `unroll` out"), Fix("let both bounds be plain Python integers")))


class NotAFunctionError(PerspicaxError, TypeError):
    """A loop or branch was given something that cannot be called.

    Attributes:
        transform: the function that was called.
        parameter: its parameter.
        got: the class of what was given.
    """

    transform: str
    parameter: str
    got: str

    @property
    def report(self) -> Report:
        code = "lambda: value" if self.transform in ("cond", "switch") else ""
        return Report(says=f"`{self.parameter}` of {self.transform} is a {self.got}, which is no function.",
                      why=f"{self.transform} traces the functions that it is given",
                      fixes=(Fix("wrap a value in a function", code=code),) if code else ())


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
            return (_rewrite(found, f"{text}.any()", "go on while any entry says so (or `all()` of them)"),)
        return (_rewrite(found, f"{text} != 0", "compare"),) if self.kind == "dtype" and self.got.endswith("[]") else ()

    def _choice_fixes(self, found: Expression | None, text: str) -> tuple[Fix, ...]:
        match self.transform, self.kind:
            case "cond", "shape":
                grouped = found.grouped if found is not None else text
                return (self._where(text), _rewrite(found, f"{grouped}.all()", "decide for all (`any()`: for one of them)"))
            case "switch", "shape":
                return (Fix("choose for each entry", code=f"jax.vmap(lambda i, x: lax.switch(i, branches, x))({text}, xs)"),)
            case "switch", "dtype" if self.got.startswith("bool"):
                return (Fix("for two branches", code=f"lax.cond({text}, true_fun, false_fun, *operands)"),)
            case "switch", "dtype":
                return (_rewrite(found, f"jnp.asarray({text}, jnp.int32)", "make it an integer"),)
        return ()


    def _where(self, text: str) -> Fix:
        from perspicax.diagnose.source import imported_as  # as above
        from perspicax.lax.control_words import argument, call_at, value_of

        jnp = imported_as(self.position, "numpy", "jnp")
        yes, no = (value_of(argument(self.position, ("cond",), i, name)) for i, name in ((1, "true_fun"), (2, "false_fun")))
        new = f"{jnp}.where({text}, {yes or 'on_true'}, {no or 'on_false'})"
        return _rewrite(call_at(self.position) if yes and no else None, new, "choose entry by entry")


class BoundsTypeError(PerspicaxError, TypeError):
    """The bounds of a counted loop differ in dtype.

    Attributes:
        lower, upper: their types.
    """

    lower: str
    upper: str

    @property
    def report(self) -> Report:
        return Report(says=f"The bounds of fori_loop differ in dtype: `lower` is {self.lower}, `upper` is {self.upper}.",
                      why="the counter has the dtype of both",
                      fixes=(Fix("let one be a plain Python integer, or convert it",
                                 code=f"jnp.asarray(lower, jnp.{self.upper.split('[')[0]})"),))


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
            return Report(says=f"{lead} structure:\n{_listed(said)}", why=why,
                          labels=tuple([Label(e.span, text) for e, text in wholes]))
        names = [f"result{path}" for path, _, _ in self.rows]
        width, wide = max(map(len, names)), max(len(_weakly(a)) for _, a, _ in self.rows)
        lines = [f"{name:<{width}}  {_weakly(a):<{wide}} from {one}, {_weakly(b)} from {two}"
                 for name, (_, a, b) in zip(names, self.rows)]
        return Report(says=f"{lead} types:\n{_listed(lines)}", why=why, labels=self._labels(), fixes=self._fixes(one, two))

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
        wider = a.shape == b.shape and not a.extended and not b.extended and promote_types(a.dtype, b.dtype) == b.dtype
        if wider:  # the first one loses nothing
            one, two, a, b = two, one, b, a
        found = entry(self._returned()[0 if wider else 1], path)
        text = found.text if found is not None else f"result{path}"
        if a.shape == b.shape and not a.extended and not b.extended:
            return (_rewrite(found, f"{jnp}.asarray({text}, {jnp}.{_dtype(a)})", f"convert in {two}"),)
        if b.shape == () and a.dtype == b.dtype:
            return (_rewrite(found, f"{jnp}.full({a.shape}, {text})", f"return the same shape from {two}"),)
        return ()


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
        return Report(says=f"{self.transform} was given `operand=` and {self.count} operands by position.",
                      why="the functions get one or the other",
                      fixes=(Fix("give all of them by position", code=f"lax.{self.transform}(..., *operands)"),))


class NoBranchesError(PerspicaxError, ValueError):
    """`switch` was given no branches."""

    @property
    def report(self) -> Report:
        return Report(says="switch was given no branches.", why="the index chooses one of them, so there is at least one")


class WhileTransposeError(PerspicaxError, ValueError):
    """Reverse-mode differentiation met a loop whose number of steps is not known.

    Attributes:
        function: the name of the loop's body.
    """

    function: str

    @property
    def report(self) -> Report:
        body = f" of `{self.function}`" if self.function else ""
        return Report(
            says=f"Reverse-mode differentiation (grad, vjp, jacrev) cannot go through the loop{body}, whose number of steps "
                 "is not known.",
            why="the derivative runs the loop backwards and needs the values of every step, so space for them must be set "
                "aside before it runs; while_loop, and fori_loop with a traced bound, do not tell how much",
            fixes=(Fix("where the number of steps is known, say it by plain Python integers",
                       code="lax.fori_loop(0, 10, body, init)"),
                   Fix("where only a bound is known, go on for that long and keep what is done", code=(
                       "def step(x, _):", "    return jax.tree.map(partial(jnp.where, keep_going(x)), body(x), x), None",
                       "x, _ = lax.scan(step, init, length=100)")),
                   Fix("forward mode needs no memory of the steps", code="jax.jacfwd(loss)")))


class LoopEffectError(PerspicaxError, NotImplementedError):
    """A function given to a loop or branch has an effect that may not happen there, or not under vmap.

    Attributes:
        function: its name.
        transform: what it was given to.
        effect: the effect.
        kind: empty, or `vmap`: a batch would run one branch or another, or a different number of rounds for each entry.
    """

    function: str
    transform: str
    effect: str
    kind: str = ""

    @property
    def report(self) -> Report:
        of = f"`{self.function}`" if self.function else "a function"
        if self.kind == "vmap":
            return Report(
                says=f"vmap of {self.transform}: {of} calls back to Python for what it does, but which entries of the batch "
                     "would call it differs.",
                why="under vmap with a batched condition all branches run, and rounds go on for entries that are done",
                fixes=(Fix("run the entries one after the other", code="lax.map(f, xs)"),))
        return Report(says=f"{of}, given to {self.transform}, has the effect {self.effect}, which may not happen there.",
                      why="what is repeated or skipped by the compiled program cannot have effects of this kind")


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


class ScanElementsError(PerspicaxError, ValueError, IndexError):
    """The arrays of an associative scan do not fit its axis, or its function does not keep their structure.

    Attributes:
        kind: `sizes`, `axis`, `none` or `structure`.
        rows: path and type of each array.
        axis: the axis.
        function: the name of the function.
    """

    kind: str
    rows: tuple[tuple[str, str], ...]
    axis: int
    function: str = ""

    @property
    def report(self) -> Report:
        lines = _listed([f"{path}: {text}" for path, text in self.rows])
        match self.kind:
            case "none":
                return Report(says="associative_scan was given no arrays.", why="`elems` is a pytree with at least one array")
            case "axis":
                return Report(says=f"associative_scan along axis {self.axis}, which not all arrays have:\n{lines}",
                              why="all arrays in `elems` have the axis that is scanned")
            case "structure":
                return Report(says=f"The function `{self.function}` of associative_scan returns another structure than it gets:"
                                   f"\n{lines}", why="it combines two elements into one of the same kind")
        return Report(says=f"The arrays of associative_scan differ in size along axis {self.axis}:\n{lines}",
                      why="each array in `elems` has one entry for each element")


class SolverOutputError(PerspicaxError, TypeError, ValueError):  # JAX raises one for structures, the other for shapes
    """A function given to `custom_root` or `custom_linear_solve` returns something of another type than it must.

    Attributes:
        transform: which of the two.
        function: the parameter: `matvec`.
        like: what its result must be like: `b`.
        expected, got: the two, as text.
    """

    transform: str
    function: str
    like: str
    expected: str
    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` of {self.transform} returned {self.got}, but `{self.like}` is {self.expected}.",
                      why=f"its result has the structure, shapes and dtypes of `{self.like}`")


class TransposeSolveError(PerspicaxError, TypeError):
    """Reverse mode met a linear solve that does not say how to solve the transposed system."""

    @property
    def report(self) -> Report:
        return Report(says="Reverse-mode differentiation of custom_linear_solve needs `transpose_solve`, which was not given.",
                      why="the cotangent of `b` solves the transposed system",
                      fixes=(Fix("for a symmetric matrix", code="symmetric=True"),
                             Fix("else give the solver of the transposed system", code="transpose_solve=solve_transposed")))
