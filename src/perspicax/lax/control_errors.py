"""Errors of loops."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Label, Place, Report
from perspicax.lax.control_report import (
    body_of,
    called,
    dtype_name,
    listed,
    path_text,
    relaid,
    rewrite,
    split_alone,
    structure_text,
    weakly,
)
from perspicax.transform.errors import with_article

if TYPE_CHECKING:
    from perspicax.core.tree_mismatch import Mismatch
    from perspicax.diagnose.expression import Expression


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
        lifted: whether the call has a module or scope before the first carry.
    """

    function: str
    kind: str
    transform: str = "scan"
    carry: str = "carry"
    got: str = ""
    mismatches: tuple[Mismatch, ...] = ()
    rows: tuple[tuple[str, Any, Any], ...] = ()
    definition: Place = None
    lifted: bool = False

    @property
    def report(self) -> Report:
        if self.kind == "pair":
            return Report(says=f"{body_of(self.function)} of scan should return a pair (carry, y), but returned {self.got}.",
                          why="scan hands the first entry to the next step and stacks the second",
                          fixes=(Fix("return both; None where there is nothing to stack", code="return carry, None"),))
        if self.kind == "structure":
            return self._structure()
        return self._types()

    def _structure(self) -> Report:
        from perspicax.core.tree_mismatch import sentence  # only a printed error needs it
        from perspicax.lax.control_words import function_label, returned_all  # as above

        said = [sentence(found, self.carry, f"new {self.carry}") for found in self.mismatches]
        first, new = self._expressions()
        labels = [Label(e.span, text) for e, text in ((first, f"the first `{self.carry}`"), (new, f"the new `{self.carry}`"))
                  if e is not None]
        if returned_all(self.definition) == []:
            both = f"{self.carry}, None" if self.transform == "scan" else self.carry
            return Report(says=f"{body_of(self.function)} of {self.transform} returns nothing: it has no `return` of a value.",
                          labels=(Label(function_label(self.definition), "ends without `return`"),),
                          why="each step gets what the one before returned",
                          fixes=(Fix("end the body with", code=f"return {both}"),))
        return Report(says=f"{body_of(self.function)} of {self.transform} returns a carry of another structure than it "
                           f"gets:\n{listed(said)}", labels=tuple(labels),
                      why=f"each step gets what the one before returned, so `{self.carry}` keeps the structure that its first "
                          "value has",
                      fixes=(Fix("return it in the structure in which the body gets it, or start with one like "
                                 "that which it returns"),))

    def _expressions(self) -> tuple[Expression | None, Expression | None]:
        """The first carry, and the one that the body returns, as the user wrote them."""
        from perspicax.lax.control_words import argument, first_of_pair, returned  # as above

        place, keyword = {"scan": (1, "init"), "while_loop": (2, "init_val")}.get(self.transform, (3, "init_val"))
        if self.lifted:  # by Flax, whose loops call it so
            place, keyword = place + 1, "init"
        first = argument(self.position, (self.transform,), place, keyword)
        new = returned(self.definition)
        return first, first_of_pair(new) if self.transform == "scan" else new

    def _types(self) -> Report:
        names = [f"{self.carry}{path}" for path, _, _ in self.rows]
        width, wide = max(map(len, names)), max(len(weakly(a)) for _, a, _ in self.rows)
        lines = [f"{name:<{width}}  goes in as {weakly(a):<{wide}}  and comes out as {weakly(b)}"
                 for name, (_, a, b) in zip(names, self.rows)]
        first, new = self._expressions()
        return Report(says=f"{body_of(self.function)} of {self.transform} changes the type of its carry:\n{listed(lines)}",
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
        begin = (start.text if start is not None and start.text else "") or path_text(first, "init", path)
        if a.shape != b.shape:
            if a.shape == () and b.dtype == a.dtype:
                return [rewrite(start, f"{jnp}.full({b.shape}, {begin})", "start with the shape that the body computes")]
            return [Fix(f"start with the type that the body computes: {b.str_short()}")]
        if split_alone(a, b):
            last = end.text if end is not None else path_text(new, f"new_{self.carry}", path)
            return [rewrite(start, relaid(begin, b), "start with an array that is split like the result"),
                    rewrite(end, relaid(last, a), "bring the result back to how it came in")]
        if a.extended or b.extended:
            return []
        grouped = end.grouped if end is not None else path_text(new, f"new_{self.carry}", path)
        return [rewrite(start, f"{jnp}.asarray({begin}, {jnp}.{dtype_name(b)})", "start with the dtype that the body computes"),
                rewrite(end, f"{grouped}.astype({jnp}.{dtype_name(a)})", "bring the result back to the dtype that came in")]


class ScanLengthError(PerspicaxError, ValueError):
    """The number of steps of a scan is unknown or contradictory.

    Attributes:
        function: the name of the body.
        kind: `differ`, `scalar`, `unknown`, `negative` or `empty` (no steps, while nothing is compiled).
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
        what = f"{self.transform} of {called(self.function)}"
        if self.kind == "unknown":
            return Report(says=f"{what} does not know how many steps to take.",
                          why="`xs` holds no array, and `length` was not given", fixes=(Fix("say it", code="length=10"),))
        if self.kind == "negative":
            return Report(says=f"{what} was asked for {self.length} steps.", why="a length is not negative")
        if self.kind == "empty":
            return Report(says=f"{what} has no steps to take, and jit is disabled.",
                          why="without a step there is no result to tell what an empty stack of them would be made of",
                          fixes=(Fix("leave this loop to the compiler", code="with jax.disable_jit(False): ..."),))
        lines = [f"{name}: {text}" for name, text in self.rows]
        if self.length is not None:
            lines.append(f"length={self.length}")
        if self.kind == "scalar":
            return Report(says=f"{what} cannot step over a scalar:\n{listed(lines)}",
                          why="each array in `xs` has a leading axis, one entry for each step" + (
                              "; a list is a tree of its entries, not an array" if self._numbers() else ""),
                          fixes=(*self._numbers(), Fix("let the body close over what is the same in each step")))
        sizes = {int(text.partition("[")[2].partition(",")[0].rstrip("]")) for _, text in self.rows}
        fixes = (Fix("leave `length` out: the arrays tell it"),) if len(sizes) == 1 else (
            Fix("step over what all of them have", code=f"xs = jax.tree.map(lambda leaf: leaf[:{min(sizes)}], xs)"),)
        return Report(says=f"{what} got leading axes of different sizes:\n{listed(lines)}",
                      why="each array in `xs` has one entry for each step", fixes=fixes)


    def _numbers(self) -> tuple[Fix, ...]:
        """For a list of numbers: one array of them."""
        from perspicax.diagnose.source import imported_as  # as above
        from perspicax.lax.control_words import argument

        names = [f"xs[{i}]" for i in range(len(self.rows))]
        if [name for name, _ in self.rows] != names or any(not text.endswith("[]") for _, text in self.rows):
            return ()
        jnp = imported_as(self.position, "numpy", "jnp")
        xs = argument(self.position, (self.transform,), 2 if self.transform == "scan" else 1, "xs")
        return (rewrite(xs, f"{jnp}.array({xs.text if xs is not None else 'xs'})", "make one array of the numbers"),)


class UnrollError(PerspicaxError, ValueError, TypeError):
    """`unroll` of a loop, or `batch_size` of a map, cannot be followed.

    Attributes:
        transform: the loop.
        got: what was given.
        kind: `negative`, `integer` (it is none), `batch` (the size of batches is none), or `dynamic` where the number of steps
            is not known.
    """

    transform: str
    got: str
    kind: str

    @property
    def report(self) -> Report:
        if self.kind == "batch":
            return Report(says=f"`batch_size` of {self.transform} is {self.got}.",
                          why="it is a number of entries: a positive integer",
                          fixes=(Fix("leave it out, to take one entry at a time"),))
        if self.kind in ("negative", "integer"):
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
        from perspicax.lax.control_words import branch_fixes  # only a printed error needs it

        return Report(says=f"`{self.parameter}` of {self.transform} is {with_article(self.got)}, which is no function.",
                      why=f"{self.transform} traces the functions that it is given",
                      fixes=branch_fixes(self.position, self.parameter) if self.transform == "cond" else
                      (Fix("wrap a value in a function", code="lambda: value"),) if self.transform == "switch" else ())


class BoundsTypeError(PerspicaxError, TypeError):
    """The bounds of a counted loop differ in dtype.

    Attributes:
        lower, upper: their types.
    """

    lower: str
    upper: str

    @property
    def report(self) -> Report:
        from perspicax.diagnose.source import imported_as  # only a printed error needs it
        from perspicax.lax.control_words import argument

        found = [argument(self.position, ("fori_loop",), i, name) for i, name in enumerate(("lower", "upper"))]
        jnp = imported_as(self.position, "numpy", "jnp")
        text = found[0].text if found[0] is not None else "lower"
        return Report(says=f"The bounds of fori_loop differ in dtype: `lower` is {self.lower}, `upper` is {self.upper}.",
                      why="the counter has the dtype of both; a plain Python integer takes that of the other",
                      labels=tuple([Label(e.span, t) for e, t in zip(found, (self.lower, self.upper)) if e is not None]),
                      fixes=(rewrite(found[0], f"{jnp}.asarray({text}, {jnp}.{self.upper.split('[')[0]})", "convert one"),))


class WhileTransposeError(PerspicaxError, ValueError):
    """Reverse-mode differentiation met a loop whose number of steps is not known.

    Attributes:
        function: the name of the loop's body.
    """

    function: str

    @property
    def report(self) -> Report:
        body = f" of {called(self.function)}" if self.function else ""
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
        of = called(self.function) if self.function else "a function"
        if self.kind == "vmap":
            return Report(
                says=f"vmap of {self.transform}: {of} calls back to Python for what it does, but which entries of the batch "
                     "would call it differs.",
                why="under vmap with a batched condition all branches run, and rounds go on for entries that are done",
                fixes=(Fix("run the entries one after the other", code="lax.map(f, xs)"),))
        return Report(says=f"{of}, given to {self.transform}, has the effect {self.effect}, which may not happen there.",
                      why="what is repeated or skipped by the compiled program cannot have effects of this kind")


class ScanElementsError(PerspicaxError, ValueError, IndexError, TypeError):
    """The arrays of an associative scan do not fit its axis, or its function does not keep their structure.

    Attributes:
        kind: `sizes`, `axis`, `none`, `structure` or `types` (its function returns other types than it gets).
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
        lines = listed([f"{path}: {text}" for path, text in self.rows])
        match self.kind:
            case "none":
                return Report(says="associative_scan was given no arrays.", why="`elems` is a pytree with at least one array")
            case "axis":
                return Report(says=f"associative_scan along axis {self.axis}, which not all arrays have:\n{lines}",
                              why="all arrays in `elems` have the axis that is scanned")
            case "structure":
                lines = listed([f"{what}: {structure_text(text)}" for what, text in self.rows])
                name = "" if self.function == "<lambda>" else f" `{self.function}`"
                return Report(says=f"The function{name} of associative_scan returns another structure than it gets:\n{lines}",
                              why="it combines two elements into one of the same kind (each * an array)")
            case "types":
                name = "" if self.function == "<lambda>" else f" `{self.function}`"
                return Report(says=f"The function{name} of associative_scan does not keep the types of what it gets:\n{lines}",
                              why="it combines runs of elements into as many of the same shape and dtype, entry by entry along "
                                  "the axis")
        return Report(says=f"The arrays of associative_scan differ in size along axis {self.axis}:\n{lines}",
                      why="each array in `elems` has one entry for each element")
