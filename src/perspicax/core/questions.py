"""The words for a question that a traced value cannot answer: what was asked, where, of what, and why it cannot.

The proposals are made in `choices.py` (truth values) and `remedies.py` (all else).
"""
from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from perspicax.core.provenance import Argument, Provenance, TracedName, listed
from perspicax.core.static_fixes import is_ours, wrapping_span
from perspicax.diagnose.conditions import Condition, condition_at
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.files import source_file
from perspicax.diagnose.place import Position, Span, function_name, node_span, resolve
from perspicax.diagnose.report import Label, Report
from perspicax.diagnose.source import assignments_before, imported_as, shorten

if TYPE_CHECKING:
    from perspicax.core.tracer_errors import TracedValueError

__all__ = ["Question", "question_report"]

_FOR_EACH = {"scan": "step", "while_loop": "step", "fori_loop": "step", "map": "element", "associative_scan": "step"}


class Question:
    """An error of this kind, with what its source text tells.

    Attributes:
        error: the error.
        origin: what is known of the value.
        node: the syntax at the user's place; None without source.
        condition: what asked for a truth value, where one was asked for.
        value: the expression whose value was wanted, as far as it can be told.
        jnp: how the file names `jax.numpy`; `lax` likewise.
    """

    def __init__(self, error: TracedValueError) -> None:
        self.error = error
        self.origin = error.origin if error.origin is not None else Provenance("", "", None, "value")
        self.kind = error.question
        self.position = error.position
        self.node = _within_text(located(self.position)) if self.kind == "format" else located(self.position)
        self.traced: dict[str, TracedName] = {name.name: name for name in error.names}
        self.condition: Condition | None = condition_at(self.position) if self.kind == "bool" else None
        has_jax = self.node is not None and "jax" in self.node.file.imported
        self.jnp = imported_as(self.position, "numpy", "jax.numpy" if has_jax else "jnp")
        self.lax = imported_as(self.position, "lax", "jax.lax")
        self.value = self.condition.test if self.condition is not None else self._asked()

    # -- which expression

    def is_traced(self, expression: Expression) -> bool:
        """Whether an expression reads a traced variable (or none is known at all)."""
        return any(name in self.traced for name in expression.names())

    def _asked(self) -> Expression | None:
        found = self.node
        if found is None or self.kind == "bool":
            return None
        match found.node:
            case ast.Call() as call:
                return self._asked_of_call(found, call)
            case ast.Subscript(value=value, slice=index):
                parts = [index.lower, index.upper, index.step] if isinstance(index, ast.Slice) else [index]
                if isinstance(index, ast.Tuple):
                    parts = list(index.elts)
                return self._choose([found.at(part) for part in parts if part is not None]) or found.at(index)
            case ast.Compare(left=left, comparators=others):
                return self._choose([found.at(left), *map(found.at, others)])
            case ast.BinOp(left=left, right=right):
                return self._choose([found.at(left), found.at(right)])
            case ast.FormattedValue(value=value):
                return found.at(value)
            case ast.Attribute(value=value):  # `x.committed`
                return found.at(value)
            case ast.JoinedStr(values=values):
                inner = [found.at(v.value) for v in values if isinstance(v, ast.FormattedValue) and v.format_spec]
                return self._choose(inner)
            case ast.Dict(keys=keys):
                return self._choose([found.at(key) for key in keys if key is not None])
            case ast.Set(elts=elements) | ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._choose([found.at(element) for element in elements])
        return found if isinstance(found.node, ast.expr) else None

    def _asked_of_call(self, found: Expression, call: ast.Call) -> Expression | None:
        arguments = [found.at(a.value if isinstance(a, ast.Starred) else a) for a in call.args]
        named = {k.arg: found.at(k.value) for k in call.keywords if k.arg is not None}
        if self.error.wanted in named and self.kind == "static":
            return named[self.error.wanted]
        everything = arguments + list(named.values())
        receiver = found.at(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if self.kind in ("item", "tolist", "tobytes", "place") and receiver is not None:
            return receiver
        inner: list[Expression] = []
        for part in everything:  # `(n, 2)` as a shape, `[0, i]`
            elements = part.node.elts if isinstance(part.node, ast.Tuple | ast.List) else []
            inner += [part.at(element) for element in elements] or [part]
        if self.kind == "mask" and _at_index(call) is not None:
            return found.at(_at_index(call))  # type: ignore[arg-type]
        return self._choose(inner) or (
            receiver if receiver is not None and self.is_traced(receiver) and not everything else None)

    def _choose(self, candidates: list[Expression]) -> Expression | None:
        """The one that is the value: by identity, by type, or because it is the only traced one."""
        for candidate in candidates:
            known = self.traced.get(candidate.text)
            if known is not None and known.same:
                return candidate
        traced = [candidate for candidate in candidates if self.is_traced(candidate)]
        named = [c for c in traced if c.text in self.traced]
        others = [c for c in traced if c not in named]
        if len(others) == 1:  # a name would have been the value itself
            return others[0]
        if len(traced) == 1:
            return traced[0]
        return candidates[0] if len(candidates) == 1 and not self.traced else None

    # -- words

    @property
    def value_text(self) -> str:
        """The value in backticks, or in words."""
        if self.value is not None and len(self.value.text) <= 60:
            return f"`{self.value.text}`"
        if self.origin.argument is not None:
            return f"the argument `{self.origin.argument.name}`"
        return f"a {self.origin.type_text}"

    @property
    def asker(self) -> str:
        """What asked, in backticks: the construct of the source."""
        if self.node is None:
            return f"`{self.error.callee}`" if self.error.callee else ""
        text = self.node.text if isinstance(self.node.node, ast.expr) else ""
        if text and len(text) <= 70:
            return f"`{text}`"
        if isinstance(self.node.node, ast.Call):
            return f"`{ast.unparse(self.node.node.func)}(...)`"
        return f"`{self.error.callee}`" if self.error.callee else ""

    @property
    def data(self) -> tuple[Argument, ...]:
        """The arguments the value depends on."""
        return self.origin.arguments

    def settings(self) -> tuple[str, ...]:
        """Parameters that can be made static, if the value depends on nothing else; else empty."""
        return self.origin.settings()

    def looks_like_settings(self) -> bool:
        """Whether all that the value depends on are flags and Python integers."""
        return bool(self.settings()) and all(a.setting for a in self.data)


def _within_text(found: Expression | None) -> Expression | None:
    """The whole f-string: Python 3.11 notes places within it inexactly."""
    text = found.file.enclosing(found.node, (ast.JoinedStr,)) if found is not None else None
    while found is not None and text is not None and isinstance(outer := found.file.parent(text), ast.FormattedValue):
        text = found.file.enclosing(outer, (ast.JoinedStr,))  # a format specification is a JoinedStr of its own
    return found.at(text) if found is not None and text is not None else found


def _at_index(call: ast.Call) -> ast.expr | None:
    """The index of `x.at[index].set(...)`."""
    match call.func:
        case ast.Attribute(value=ast.Subscript(value=ast.Attribute(attr="at"), slice=index)):
            return index
    return None


def question_report(error: TracedValueError) -> Report:
    """The report of a question to a traced value."""
    from perspicax.core.choices import choice_fixes
    from perspicax.core.remedies import value_fixes

    asked = Question(error)
    fixes = choice_fixes(asked) if error.question == "bool" else value_fixes(asked)
    notes = (error.context,) if error.context else ()
    return Report(says=_says(asked), primary=_primary(asked), labels=_labels(asked), why=_why(asked),
                  fixes=tuple(fixes), notes=notes)


def _not_known(asked: Question, what: str = "that value", many: bool = False) -> str:
    verb = "are" if many else "is"
    origin = asked.origin
    if origin.transform == "vmap":
        return f"but while vmap traces `{origin.function}` {what} {verb} not one value but a whole batch"
    return f"but while {origin.tracing} {what} {verb} not known yet"


def _says(asked: Question) -> str:
    kind = asked.kind
    if kind == "bool":
        return _truth_says(asked)
    asker, value = asked.asker, asked.value_text
    many = asked.origin.shape != ()
    of = "values" if many else "value"
    it = "they" if many else "it"
    match kind:
        case "mask":
            count = "which" if asker.endswith(")`") else "how many"
            return (f"{asker or 'Indexing by a mask'} needs to know {count} entries of {value} are true, "
                    f"{_not_known(asked, 'that')}.")
        case "size":
            return f"The shape of {asker} depends on the {of} of {value}, {_not_known(asked, it, many)}."
        case "hash":
            return f"{asker or 'Python'} needs a hash of {value}, but arrays have none."
        case "place":
            of = f"vmap traces `{asked.origin.function}`" if asked.origin.transform == "vmap" else asked.origin.tracing
            return f"{asker or 'Something'} asks where {value} is, but while {of} it is in no memory yet."
        case "static":
            wanted = f", its `{asked.error.wanted}`" if asked.error.wanted not in ("", value.strip("`")) else ""
            return f"{asker} needs the value of {value}{wanted}, {_not_known(asked, 'it')}."
    if not asker:
        return f"The {of} of {value} {'are' if many else 'is'} needed, {_not_known(asked, it, many)}."
    return f"{asker} needs the {of} of {value}, {_not_known(asked, it, many)}."


def _truth_says(asked: Question) -> str:
    condition = asked.condition
    if condition is None:
        asker = f"{asked.asker} needs" if asked.asker else "Python needs"
        return f"{asker} to know whether {asked.value_text} is true, {_not_known(asked)}."
    if condition.kind == "bool":
        return f"`{condition.construct.text}` needs the value of `{condition.test.text}`, {_not_known(asked, 'it')}."
    if condition.kind == "call" and condition.callee in ("min", "max", "sorted"):
        text = condition.construct.text if len(condition.construct.text) <= 70 else f"{condition.callee}(...)"
        return f"`{text}` needs to know how its values compare, {_not_known(asked, 'they', many=True)}."
    if condition.kind == "in":
        return f"`{condition.construct.text}` needs to know which values are equal, {_not_known(asked, 'they', True)}."
    if condition.kind in ("call", "match"):
        return f"`{condition.word}` needs to know whether a traced value is true, {_not_known(asked)}."
    what = "its value" if isinstance(condition.test.node, ast.Name) else "that value"
    return f"`{condition.word}` needs to know whether `{condition.test.text}` is true, {_not_known(asked, what)}."


# -- where

def _primary(asked: Question) -> Span | Position | None:
    if asked.condition is not None and asked.condition.kind not in ("call", "match"):
        return asked.condition.test.span
    if asked.node is not None and isinstance(asked.node.node, ast.expr):
        return asked.node.span
    return asked.position


def _labels(asked: Question) -> tuple[Label, ...]:
    primary = _primary(asked)
    span = asked.value.span if asked.value is not None else primary
    labels = [Label(span, f"{asked.origin.type_text}{_how(asked)}")]
    where = resolve(primary)
    if is_ours(asked.origin):  # `jax.jit(m.apply)`: the user knows that line
        wrapped = wrapping_span(asked.node.file if asked.node is not None else None, asked.origin)
        return (*labels, *([Label(wrapped, f"{asked.origin.transform} is asked for here")] if wrapped is not None else []))
    definition = definition_span(asked.origin.definition)
    if definition is not None and where is not None and definition.line != where.line:
        code = asked.origin.definition.code if isinstance(asked.origin.definition, Position) else None
        inside = code is not None and isinstance(asked.position, Position) and asked.position.code is code
        text = "" if inside else f"{asked.origin.transform} traces this function"
        labels.append(Label(definition, text))
    return tuple(labels)


def definition_span(place: Position | Span | None) -> Span | None:
    """The `def` line of a function whose code object is known."""
    if place is None or isinstance(place, Span):
        return place
    file = source_file(place.code.co_filename)
    node = file.definitions.get((place.code.co_firstlineno, place.code.co_name)) if file is not None else None
    if file is None or node is None:
        return Span(place.code.co_filename, place.code.co_firstlineno, function=function_name(place.code))
    span = node_span(file, node, function_name(place.code))
    text = file.line(span.line) or ""
    start = len(text) - len(text.lstrip())
    return Span(span.filename, span.line, start, span.line, len(text.rstrip()), span.function)


def _how(asked: Question) -> str:
    """", computed at train.py:5 from `z` (from argument `x`) and argument `y`"."""
    origin = asked.origin
    if origin.argument is not None:
        return f", {_argument_words(asked, origin.argument)}"
    sources = _sources(asked)
    place, here = resolve(origin.place), resolve(asked.position)
    at = ""
    if place is not None and here is not None and (place.filename, place.line) != (here.filename, here.line):
        at = f" at {shorten(place.filename)}:{place.line}"
    if not sources and not at:
        return ""
    return f", computed{at}{' from ' + sources if sources else ''}"


def _argument_words(asked: Question, argument: Argument) -> str:
    elsewhere = isinstance(asked.position, Position) and asked.origin.definition is not None and (
        not isinstance(asked.origin.definition, Position) or asked.position.code is not asked.origin.definition.code)
    text = asked.value.text if asked.value is not None else ""
    if text == argument.name and not elsewhere:
        return f"an argument of `{argument.function}`"
    return f"the argument `{argument.name}` of `{argument.function}`"


def _sources(asked: Question) -> str:
    parts: list[str] = []
    told: set[Argument] = set()
    for name in asked.value.names() if asked.value is not None else ():
        known = asked.traced.get(name)
        if known is None or not known.provenance.arguments or known.same:
            continue
        parts.append(_source_words(asked, name, known.provenance))
        told.update(known.provenance.arguments)
    rest = [a for a in asked.data if a not in told]
    if parts and rest and set(asked.data) - told:
        parts += [f"argument `{a.name}`" for a in rest]
    parts += [f"argument `{name}`" for name in _own_parameters(asked)] if not parts and not rest else []
    if not parts and rest:
        word = "argument" if len(rest) == 1 else "arguments"
        shown = [a.name for a in rest[:3]]
        more = f" and {len(rest) - 3} more" if len(rest) > 3 else ""
        own = asked.origin.function
        foreign = [a for a in rest if a.function != own]
        of = f" of `{foreign[0].function}`" if len(foreign) == len(rest) else ""
        return f"{word} {', '.join(f'`{n}`' for n in shown) if more else listed(shown)}{more}{of}"
    if len(parts) > 3:
        parts = [*parts[:2], f"{len(parts) - 2} more"]
    elif len(parts) > 1 and all(part.startswith("argument `") and part.endswith("`") for part in parts):
        return f"arguments {listed([part[10:-1] for part in parts])}"
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def _own_parameters(asked: Question) -> list[str]:
    """Where a trace records nothing: the traced function's own parameters that the expression reads as they came."""
    definition = asked.origin.definition
    if asked.value is None or not isinstance(definition, Position) or not isinstance(asked.position, Position) or (
            definition.code is not asked.position.code):
        return []
    code = definition.code
    own = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
    return [name for name in asked.value.names()
            if name in own and name in asked.traced and not assignments_before(asked.position, name)]


def _source_words(asked: Question, name: str, known: Provenance) -> str:
    if known.argument is not None:
        argument = known.argument
        of = f" of `{argument.function}`" if argument.function != asked.origin.function else ""
        return f"argument `{name}`{of}" if argument.name == name else f"`{name}` (argument `{argument.name}`{of})"
    names = [a.name for a in known.arguments]
    if len(names) > 2:
        return f"`{name}` (from {len(names)} arguments)"
    return f"`{name}` (from {'argument' if len(names) == 1 else 'arguments'} {listed(names)})"


# -- why

def _why(asked: Question) -> str:
    origin = asked.origin
    f = f"`{origin.function}`" if origin.function else "the function"
    if asked.kind == "hash":
        return ("a hash would have to be the same for equal values, but an array is compared element by element, and a "
                "traced one has no values at all.")
    wants = f"{_wants(asked)}."
    if origin.transform == "vmap":
        return (f"vmap runs {f} once for the whole batch: what looks like one example stands for all of them; {wants}")
    if origin.transform in _FOR_EACH:
        return (f"{origin.transform} runs {f} once for all its {_FOR_EACH[origin.transform]}s, with placeholders that "
                f"have a shape and a dtype but no value; {wants}")
    names = list(dict.fromkeys(a.root for a in asked.data if a.function == origin.function)) if not is_ours(origin) else []
    if len(names) == 1:
        stands = f"a placeholder in place of {listed(names)} that has a shape and a dtype but no value"
    else:
        stands = (f"placeholders in place of {listed(names) if 0 < len(names) <= 4 else 'its arguments'} that have a "
                  "shape and a dtype but no value")
    if asked.looks_like_settings() and (asked.kind in ("bool", "index", "static")):
        argument = listed(asked.settings())
        return (f"{origin.transform} runs {f} once for all values of its arguments, so {argument} "
                f"{'is a placeholder' if len(asked.settings()) == 1 else 'are placeholders'} without a value; {wants}")
    return f"{origin.transform or 'the transformation'} runs {f} once, with {stands}; {wants}"


def _wants(asked: Question) -> str:
    match asked.kind:
        case "bool" if asked.origin.transform == "vmap":
            return f"`{asked.condition.word}` wants a single answer" if asked.condition is not None else (
                "a single answer is wanted")
        case "bool" if asked.condition is not None and asked.condition.kind not in ("call", "in", "match"):
            return f"`{asked.condition.word}` wants one now"
        case "mask" | "size":
            return "a compiled program has arrays of fixed shapes, which must not depend on values"
        case "mode":
            return "with mode='raise' it looks now whether an index lies outside"
        case "array":
            return "NumPy computes with values, at once"
        case "format":
            return "text is made at once"
        case "place":
            return "it gets memory, on a device, only when the compiled program runs"
        case "index" if asked.node is not None and isinstance(asked.node.node, ast.Subscript):
            return "Python looks an element up at once"
    return "a value is wanted now"
