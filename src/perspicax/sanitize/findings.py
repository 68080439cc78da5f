"""What sanitizers find. Each finding is a warning category and, with `error` among the sanitizers, an error.

A finding has typed fields and a report, as any error of Perspicax; `found` (in `telling.py`) warns of it or raises it.
"""
from __future__ import annotations

from typing import Any

from perspicax.core.key_words import KeyCopies, KeyUse, key_report
from perspicax.core.leak_words import end_report
from perspicax.core.provenance import Provenance
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import Place
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.stores import Keeping


class Finding(PerspicaxError, UserWarning, no_page="a base: what is found is one of its subclasses"):
    """Something that is most likely a mistake, though the program runs."""

    @property
    def key(self) -> Any:
        """What is equal for findings of which one is enough."""
        return self._place


class KeyReuse(Finding):
    """A random key was used twice, so that the same numbers are drawn twice.

    Attributes:
        first, second: the two uses.
        twice_in_one: whether one operation was given the same key twice.
        copies: where several copies were made of the key, of which these are two, if that is so.
    """

    first: KeyUse
    second: KeyUse
    twice_in_one: bool = False
    copies: KeyCopies | None = None

    @property
    def report(self) -> Report:
        return key_report(self.first, self.second, self.twice_in_one, self.copies)

    @property
    def key(self) -> Any:
        return self.first.place, self.second.place


class LeakedTracer(Finding):
    """A value of a traced function is still kept somewhere when the function has been traced.

    Attributes:
        origin: what is known of the value.
        keeping: who keeps it and which line stored it.
        more: how many further values of the same trace are kept.
    """

    origin: Provenance
    keeping: Keeping
    more: int = 0

    @property
    def report(self) -> Report:
        return end_report(self)  # type: ignore[arg-type]

    @property
    def key(self) -> Any:
        return self.origin.function, self.keeping.path, self.keeping.primary


class OutOfBoundsIndex(Finding):
    """An index lies outside the axis that it indexes.

    Attributes:
        array: what is indexed, as the user wrote it; empty where the source does not tell.
        type_text: its type.
        index: the index that lies outside.
        written: the index as the user wrote it.
        axis, size: where.
        last: the largest index that fits; less than `size - 1` for a slice of several entries.
        writes: whether entries are written there, and not read.
        reads: what happened instead: "the last entry was read", …
        labels: the operands.
        function: the traced function that it happened in, if any.
    """

    array: str
    type_text: str
    index: int
    written: str
    axis: int
    size: int
    last: int
    writes: bool
    instead: str
    labels: tuple[Label, ...] = ()
    function: str = ""

    @property
    def report(self) -> Report:
        array = f"`{self.array}`" if self.array else f"an array {self.type_text}"
        by = f" of `{self.written}`" if self.written and self.written != str(self.index) else ""
        slices = self.last != self.size - 1
        inside = f"from 0 to {self.last}" if self.last > 0 else "0 alone" if self.last == 0 else "none: the axis is too short"
        check = self.written if self.written.isidentifier() else "index"
        fixes = [Fix(f"keep the index inside: valid are 0 to {self.last}",
                     code=f"{check} = jnp.clip({check}, 0, {self.last})")] if self.last > 0 else []
        if not slices:
            fixes.append(Fix('say that entries outside are meant to be left out, by `mode="drop"`' if self.writes else
                             'say what to read outside, by `.at[...].get(mode="fill", fill_value=...)` or `mode="clip"`'))
        return Report(
            says=f"The index {self.index}{by} lies outside of axis {self.axis} of {array}, which has size {self.size}: "
                 f"{self.instead}.",
            labels=self.labels,
            why=f"valid {'starts of this slice' if slices else 'indices'} are {inside}"
                f"{f', or -{self.size} to -1 from the end' if self.size and not slices else ''}; compiled programs cannot "
                "raise, so that an index outside gives a result without a word",
            fixes=tuple(fixes),
            notes=(f"This happened while `{self.function}` ran.",) if self.function else ())


class DiscardedUpdate(Finding):
    """The result of a function that changes nothing itself is thrown away.

    Attributes:
        call: the call, as the user wrote it.
        what: what is called: `.at[...].set`, `jnp.append`.
        target: the name that the result most likely belongs to; empty where the source does not tell.
        type_text: the type of `target`, where it is known.
        unread: for a new state that is a second result, the name that it is given; `target` is then the old one.
    """

    call: str
    what: str
    target: str = ""
    type_text: str = ""
    unread: str = ""

    @property
    def report(self) -> Report:
        call = self.call if len(self.call) <= 80 else f"{self.what}(...)"
        if self.unread:
            named = "is not kept" if self.unread == "_" else f"is called `{self.unread}`, which nobody reads"
            return Report(
                says=f"The new state that `{call}` returns {named}: `{self.target}` stays as it was.",
                why=f"`{self.what}` changes nothing: the state after it is its second result, which the next call wants",
                fixes=(Fix("keep the new state, return it with the other results, and pass it on" if self.unread == "_" else
                           f"return `{self.unread}` in place of the old state, and pass it on"),))
        kept = f"`{self.target}`" if self.target else "its argument"
        code = f"{self.target or 'result'} = {self.call}"
        return Report(
            says=f"The result of `{call}` is thrown away: {kept} stays as it was.",
            why=f"arrays, and trees of them, do not change: `{self.what}` returns a new value and leaves the old one alone",
            fixes=(Fix("use the result: assign it", code=code),))


class NonFinite(Finding):
    """A NaN or an infinity came up.

    Attributes:
        kind: "NaN", "inf" or "-inf": what is seen at the end.
        born: what came up first, and led to it.
        operation: what made it, as the user wrote it.
        primitive: the operation of the program.
        operands: facts on its operands, a sentence each.
        function: the traced function that it happened in, if any.
        backward: whether it came up in a derivative.
        seen: where the NaN came up, if what it came from is elsewhere.
        within: whether the operation is one of several that the user's expression consists of.
        inner: the line of an installed package that asked for the operation.
        fixes: what may help.
        labels: the operands.
        names: the values in the expression.
    """

    kind: str
    born: str
    operation: str
    primitive: str
    operands: tuple[str, ...] = ()
    function: str = ""
    backward: bool = False
    seen: Place = None
    within: bool = False
    inner: Place = None
    fixes: tuple[Fix, ...] = ()
    labels: tuple[Label, ...] = ()
    why: str = ""

    @property
    def report(self) -> Report:
        expression = f"`{self.operation}`" if self.operation else f"an operation `{self.primitive}`"
        where = f"The derivative of {expression}" if self.backward else expression[0].upper() + expression[1:]
        made = f"gives {self.born}" if self.born == self.kind else f"gives {self.born}, which becomes {self.kind} further on"
        during = f" while `{self.function}` runs" if self.function else ""
        inside = f"in its `{self.primitive}`, " if self.within and self.operation else ""
        facts = f": {inside}{' and '.join(self.operands)}" if self.operands else f", in its `{self.primitive}`" * bool(inside)
        labels = list(self.labels)
        if self.seen is not None:
            labels.append(Label(self.seen, f"here it becomes {self.kind}"))
        if self.inner is not None:
            labels.append(Label(self.inner, "from here"))
        return Report(says=f"{where} {made}{during}{facts}.", labels=tuple(labels), why=self.why, fixes=self.fixes)


class Recompilation(Finding):
    """A function is compiled again and again.

    Attributes:
        function: its name.
        count: how many times by now.
        differences: what differs from the calls before, a line each.
        fixes: what may help.
        definition: the function.
        changing: the arguments that change.
        new_function: whether it is another function object each time.
    """

    function: str
    count: int
    differences: tuple[str, ...]
    fixes: tuple[Fix, ...]
    definition: Place = None
    changing: tuple[str, ...] = ()
    new_function: bool = False

    @property
    def report(self) -> Report:
        rows = "".join([f"\n  {d}" for d in self.differences])
        labels = () if self.definition is None else (Label(self.definition, ""),)
        why = ("what was compiled is kept with the function object, and a function or lambda that is made anew is another one"
               if self.new_function else
               "a program is compiled for the shapes, dtypes and static values of its arguments, and again for each new "
               "combination; compiling takes far longer than running")
        return Report(says=f"`{self.function}` was compiled {self.count} times. What changed:{rows}", labels=labels,
                      why=why, fixes=self.fixes)

    @property
    def key(self) -> Any:
        return self.function, self.definition


class SideEffect(Finding):
    """Python code of a traced function has an effect, or reads something, only while the function is traced.

    Attributes:
        what: the expression or statement, as the user wrote it.
        kind: "print", "random", "time", "store", "constant", "argument" (a store in a container of the arguments) or
            "stale" (a variable that has changed since; `holder` is what it was, `code` what it is, where that is short).
        function: the function that it stands in.
        traced: the function that is traced.
        transform: by what.
        holder: what is changed, for a store.
        type_text: of a large constant.
    """

    what: str
    kind: str
    function: str
    traced: str
    transform: str
    holder: str = ""
    type_text: str = ""
    code: str = ""

    @property
    def report(self) -> Report:
        text = self.what if len(self.what) <= 70 else f"{self.what[:67]}..."
        inside = f" in `{self.function}`" if self.function and self.function != self.traced else ""
        runs = f"{self.transform} traces `{self.traced}`"
        once = (f"{self.transform} runs the Python code of `{self.traced}` once for each combination of argument types, to "
                "record its operations; a call after that runs the compiled program, and no Python")
        match self.kind:
            case "print":
                return Report(
                    says=f"`{text}`{inside} prints only while {runs}, not at each call.", why=once,
                    fixes=(Fix("print the values at each call", code=self.code or 'jax.debug.print("{}", x)'),
                           Fix("print outside the jitted function, what it returns")))
            case "random":
                return Report(
                    says=f"`{text}`{inside} draws numbers once, while {runs}: every call gets the same ones.", why=once,
                    fixes=(Fix("draw with a key that is an argument", code=self.code or "jax.random.normal(key, shape)"),
                           Fix("draw outside the jitted function and pass the numbers as an argument")))
            case "time":
                return Report(
                    says=f"`{text}`{inside} is read once, while {runs}: every call gets that same time.", why=once,
                    fixes=(Fix("read the clock outside the jitted function; pass the time as an argument if it is needed"),
                           Fix("to measure a call, wait for its result", code="f(x).block_until_ready()")))
            case "constant":
                return Report(
                    says=f"`{text}` ({self.type_text}) is a constant of the compiled `{self.traced}`.",
                    why="a large array that a traced function closes over is kept with the program, once for each compilation, "
                        "and later changes of it are not seen",
                    fixes=(Fix("pass it as an argument"),))
        if self.kind == "stale":
            was, now = (f" was {self.holder}", f", and is {self.code} now") if self.holder and self.code else (
                " was another value", "")
            return Report(
                says=f"`{text}`{was} when {self.transform} traced `{self.traced}`{now}: the compiled program goes on with "
                     "what it was.",
                why="a variable that a jitted function reads from outside is read once, while it is traced, and becomes a "
                    "constant of the program; a call looks at its arguments alone",
                fixes=(Fix(f"pass `{text}` as an argument"),))
        if self.kind == "argument":
            return Report(
                says=f"`{text}`{inside} is lost: `{self.traced}` gets a copy of `{self.holder}` from {self.transform}, and "
                     "does not return it.",
                why=f"{self.transform} takes arguments apart into arrays, and puts containers together anew for the function "
                    "that it traces; the caller's stay as they are",
                fixes=(Fix(f"return `{self.holder}` as well, and assign it where `{self.traced}` is called",
                           code=f"return ..., {self.holder}"),))
        return Report(
            says=f"`{text}`{inside} changes `{self.holder}` only while {runs}, not at each call.", why=once,
            fixes=(Fix(f"return the new value, and store it outside the jitted function: `{self.holder}` is then an argument "
                       "and a result"),
                   Fix("call back to Python at each call", code="jax.debug.callback(update, x)")))


class SuspiciousBroadcast(Finding):
    """Two operands broadcast to a matrix where most likely they belong together entry by entry.

    Attributes:
        operation: the expression, as the user wrote it.
        left, right: the operands, as the user wrote them.
        left_type, right_type: their types.
        result: the shape of the result.
        reduced: the reduction that hides it.
        labels: the operands.
        fixes: what may help.
    """

    operation: str
    left: str
    right: str
    left_type: str
    right_type: str
    result: str
    reduced: str
    labels: tuple[Label, ...] = ()
    fixes: tuple[Fix, ...] = ()

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.operation}` pairs every entry of `{self.left}` with every entry of `{self.right}`: its shape is "
                 f"{self.result}.",
            labels=self.labels,
            why=f"{self.left_type} and {self.right_type} broadcast: axes are matched from the right, and an axis of size 1 is "
                f"repeated; {self.reduced} then makes one number of all pairs",
            fixes=self.fixes)


__all__ = ["DiscardedUpdate", "Finding", "KeyReuse", "LeakedTracer", "NonFinite", "OutOfBoundsIndex", "Recompilation",
           "SideEffect", "SuspiciousBroadcast"]
