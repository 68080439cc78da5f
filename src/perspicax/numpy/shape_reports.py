"""The words and proposals for shapes that do not fit: broadcasting, matrix products, axes, reshaping.

Loaded with the first such error that is printed. A proposal that changes a shape is tried on the shapes before it is
made.
"""
from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perspicax.core.passed_trees import passed_as
from perspicax.core.symbolic_errors import SymbolicSizeConversionError
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.expression import Expression
from perspicax.diagnose.library import Inside, inside_library
from perspicax.diagnose.place import Place, Span
from perspicax.diagnose.render import draw_shapes
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.diagnose.source import Operands, assignments_before, operands_at

__all__ = [
    "Operand", "axis_report", "broadcast_report", "broadcast_to_report", "einsum_report", "matmul_report", "operands_of",
    "reshape_report",
]

Shape = tuple[int, ...]
LONGEST_NAME = 40
_VERBS = {
    "add": "added", "subtract": "subtracted", "multiply": "multiplied", "divide": "divided", "true_divide": "divided",
    "floor_divide": "divided", "remainder": "divided", "mod": "divided", "equal": "compared", "not_equal": "compared",
    "less": "compared", "less_equal": "compared", "greater": "compared", "greater_equal": "compared",
    "maximum": "compared", "minimum": "compared", "isclose": "compared", "allclose": "compared",
}
_SAME = {"true_divide": "divide", "mod": "remainder", "select_n": "where", "bitwise_not": "invert"}
_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "std", "var", "amax", "amin", "median", "any", "all", "logsumexp",
               "argmax", "argmin", "norm", "nanmean", "nansum")


@dataclass(frozen=True)
class Operand:
    """An operand as a report shows it.

    Attributes:
        name: what the user calls it, in backticks; "the 1st operand" where that cannot be told.
        type: its type.
        span: where it stands; None where that cannot be told.
        expression: its source.
    """

    name: str
    type: Any
    span: Span | None = None
    expression: Expression | None = None

    @property
    def plain(self) -> str:
        """The name without backticks."""
        return self.name.strip("`")

    @property
    def grouped(self) -> str:
        """The source as an operand of something else."""
        return self.expression.grouped if self.expression is not None else self.plain


def operands_of(place: Place, operation: str, types: Sequence[Any], names: Sequence[str] = ()) -> tuple[Operand, ...]:
    """The operands of the operation that failed, by the user's names where the source there is that operation.

    Args:
        place: the user's place.
        operation: NumPy's name of the operation.
        types: the operands' types, in order.
        names: further names that the call may have.
    """
    found = operands_at(place) if place is not None else Operands()
    known = {operation, _SAME.get(operation, operation), operation.lstrip("r"), *names}
    fits = (_SAME.get(found.operation, found.operation) in known or found.operation in known) and len(found) >= len(types)
    shown = []
    for i, type_ in enumerate(types):
        text = found[i].text if fits else ""
        named = fits and len(text) <= LONGEST_NAME and "\n" not in text
        ordinal = ("1st", "2nd", "3rd")[i] if i < 3 else f"{i + 1}th"
        shown.append(Operand(f"`{text}`" if named else f"the {ordinal} operand", type_, found[i].span if fits else None,
                             found[i] if fits else None))
    return tuple(shown)


def _labels(operands: Sequence[Operand]) -> tuple[Label, ...]:
    return tuple(Label(o.span, o.type.str_short()) for o in operands if o.span is not None)


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _drawn(operands: Sequence[Operand]) -> str:
    return draw_shapes([(o.plain, o.type.str_short().split("[")[0], o.type.shape) for o in operands])


# -- broadcasting

def broadcast_report(error: PerspicaxError, operation: str, types: Sequence[Any], axis: int) -> Report:
    """Shapes that do not broadcast."""
    operands = operands_of(error.position, operation, types)
    inside = None if operands[0].expression is not None else inside_library(error)
    if inside is not None:
        operands = _operands_inside(inside, operation, types)
    verb = _VERBS.get(operation, f"combined by `{operation}`")
    names = [o.name for o in operands if o.type.shape]  # scalars go with everything
    sizes = [f"{o.type.shape[axis]} in {o.name}" for o in operands if len(o.type.shape) >= -axis]
    distinct = list(dict.fromkeys(s for s in sizes if not s.startswith("1 in ")))
    fixes = list(_broadcast_fixes(error.position, operands)) if len(operands) == 2 and inside is None else []
    within = f" within `{inside.called}` of {inside.package}" if inside is not None else ""
    return Report(
        says=f"{_upper(_joined(names))} cannot be {verb}{within}: their shapes do not broadcast.",
        notes=tuple(filter(None, [*[inside.documented(o.plain) for o in operands], _parts(inside, operands)]))
        if inside is not None else (),
        labels=_labels(operands),
        why=f"axes are matched from the right: axis {axis} is {' but '.join(distinct)}; they must be equal, or one of "
            f"them 1.\n{_drawn(operands)}",
        fixes=tuple(fixes[:3]))


def _operands_inside(inside: Inside, operation: str, types: Sequence[Any]) -> tuple[Operand, ...]:
    """The operands of an operation of a package: what the user passed, or else by the package's own names.

    No edit is proposed for them: what fits the operation need not be what the package means.
    """
    shown = []
    for operand in operands_of(inside.place, operation, types):
        passed = inside.given.get(operand.plain)
        part = passed_as(inside, inside.held.get(operand.plain)) if passed is None else None
        if passed is not None:
            shown.append(Operand(f"`{passed.text}`", operand.type, passed.span, passed))
        else:
            shown.append(Operand(operand.name if part is None else f"`{part.name}`", operand.type, None, operand.expression))
    return tuple(shown)


def _parts(inside: Inside, operands: Sequence[Operand]) -> str:
    """Which of the user's values the names in the operands of a package's operation are."""
    names = dict.fromkeys([name for o in operands if o.expression is not None for name in o.expression.names()])
    found = {name: passed_as(inside, inside.held.get(name)) for name in names if name not in inside.given}
    shown = {o.plain for o in operands}
    said = [f"`{name}` is `{part.name}`" for name, part in found.items()
            if part is not None and part.name != name and part.name not in shown]
    return f"within {inside.package}, {' and '.join(said)}" if said else ""


def _broadcasts(*shapes: Shape) -> Shape | None:
    try:
        return np.broadcast_shapes(*shapes)
    except (ValueError, SymbolicSizeConversionError):
        return None


def _broadcast_fixes(place: Place, operands: Sequence[Operand]) -> Iterator[Fix]:
    pairs = list(itertools.permutations(operands, 2))  # (what stays, what changes), the 2nd operand changed first
    for stays, changes in pairs:
        yield from _kept_axis(place, stays, changes)
    for stays, changes in pairs:
        yield from _new_axes(stays, changes)
    for stays, changes in pairs:
        turned = changes.type.shape[::-1]
        if len(turned) == 2 and turned == stays.type.shape:
            yield _edit(f"transpose {changes.name}", changes, ".T")
    left, right = operands
    if len(left.type.shape) == len(right.type.shape) == 1:
        yield _edit(f"combine every entry of {left.name} with every entry of {right.name}", left, "[:, None]")


def _edit(says: str, operand: Operand, suffix: str) -> Fix:
    if operand.span is None:
        return Fix(says, code=f"x{suffix}")
    return Fix(says, edits=(Edit(operand.span, operand.grouped + suffix),))


def _new_axes(stays: Operand, changes: Operand) -> Iterator[Fix]:
    """`bias[:, None]`: the axes of the smaller operand matched with other axes of the larger one."""
    large, small = stays.type.shape, changes.type.shape
    if not 0 < len(small) < len(large):
        return
    for matched in itertools.combinations(range(len(large)), len(small)):
        if tuple(large[i] for i in matched) != small or matched == tuple(range(len(large)))[-len(small):]:
            continue
        index = [":" if i in matched else "None" for i in range(matched[0], len(large))]
        if len(large) == 2 and len(small) == 1:
            says = f"give each row of {stays.name} its own entry of {changes.name}"
        else:
            axes = f"axis {matched[0]}" if len(small) == 1 else f"axes {_joined([str(i) for i in matched])}"
            says = f"let {changes.name} run along {axes} of {stays.name}"
        yield _edit(says, changes, f"[{', '.join(index)}]")


def _kept_axis(place: Place, stays: Operand, changes: Operand) -> Iterator[Fix]:
    """`x.mean(axis=1, keepdims=True)`, where a reduction took away the axis that is missing."""
    reduction = _reduction(place, changes)
    if reduction is None:
        return
    call, axis = reduction
    rank = len(changes.type.shape) + 1
    if not -rank <= axis < rank:
        return
    kept = list(changes.type.shape)
    kept.insert(axis % rank, 1)
    if _broadcasts(stays.type.shape, tuple(kept)) != stays.type.shape:
        return
    text = call.text
    yield Fix(f"keep the axis that `{ast.unparse(call.node.func).rpartition('.')[2]}` takes away",  # type: ignore[attr-defined]
              edits=(Edit(call.span, f"{text[:-1]}, keepdims=True)"),))


def _reduction(place: Place, operand: Operand) -> tuple[Expression, int] | None:
    """The call that made an operand by reducing one axis, in place or in the assignment of its name."""
    found = operand.expression
    if found is None:
        return None
    if isinstance(found.node, ast.Name):
        assigned = assignments_before(place, found.node.id)
        found = assigned[0].value if assigned else None
    if found is None or not isinstance(found.node, ast.Call) or not isinstance(found.node.func, ast.Attribute | ast.Name):
        return None
    call = found.node
    name = ast.unparse(call.func).rpartition(".")[2]
    if name not in _REDUCTIONS or any(k.arg == "keepdims" for k in call.keywords):
        return None
    for keyword in call.keywords:
        if keyword.arg == "axis":
            return _literal_axis(found, keyword.value)
    return _literal_axis(found, call.args[-1]) if call.args else None


def _literal_axis(call: Expression, node: ast.expr) -> tuple[Expression, int] | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return (call, value) if type(value) is int else None


def broadcast_to_report(error: PerspicaxError, function: str, aval: Any, shape: Shape) -> Report:
    """An array that does not broadcast to a shape."""
    operand, = operands_of(error.position, function, [aval])
    rows = [(operand.plain, aval.str_short().split("[")[0], aval.shape), ("wanted", "", shape)]
    if len(aval.shape) > len(shape):
        why = f"it has {len(aval.shape)} axes, which is more than the {len(shape)} of the shape."
    else:
        why = "axes are matched from the right; each has the size that is wanted, or 1:"
    shape_text = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    return Report(says=f"`{function}` cannot bring {operand.name} to the shape {shape_text}.", labels=_labels([operand]),
                  why=f"{why}\n{draw_shapes(rows)}", fixes=tuple(_broadcast_to_fixes(operand, aval.shape, shape)))


def _broadcast_to_fixes(operand: Operand, old: Shape, shape: Shape) -> Iterator[Fix]:
    """`bias[:, None]`: the axes matched with other axes of the shape."""
    if not 0 < len(old) < len(shape):
        return
    for matched in itertools.combinations(range(len(shape)), len(old)):
        if tuple(shape[i] for i in matched) == old:
            index = [":" if i in matched else "None" for i in range(matched[0], len(shape))]
            yield _edit(f"let {operand.name} run along axis {', '.join(map(str, matched))}", operand, f"[{', '.join(index)}]")
            return


# -- einsum

def einsum_report(error: Any, types: Sequence[Any]) -> Report:
    """Subscripts that do not fit their operands."""
    found = operands_at(error.position) if error.position is not None else Operands()
    own = found.operation == "einsum" and len(found) == 1 + len(types) and bool(types)
    shown = []
    for i, type_ in enumerate(types):
        text = found[1 + i].text if own else ""
        named = own and len(text) <= LONGEST_NAME and "\n" not in text
        ordinal = ("1st", "2nd", "3rd")[i] if i < 3 else f"{i + 1}th"
        shown.append(Operand(f"`{text}`" if named else f"the {ordinal} operand", type_, found[1 + i].span if own else None))
    name = shown[error.index].name if error.index < len(shown) else f"operand {error.index + 1}"
    subscripts = f"the subscripts are {error.subscripts!r}"
    value = error.value
    match error.kind:
        case "form":
            says = f"`einsum` was given a {value} as its first argument."
            why = "it takes subscripts and operands, or operands and lists of integers in turn"
        case "none":
            says, why = "`einsum` was given no operands.", "there is nothing to multiply"
        case "count":
            given = f"{error.found} operand{'' if error.found == 1 else 's'}"
            says = f"`einsum` was given {given} for subscripts of {error.expected}: {error.subscripts!r}."
            why = "the terms before `->` are separated by commas, one for each operand"
        case "rank":
            says = f"`einsum`: {value!r} names {error.expected} axes, but {name} has {error.found}."
            why = f"{subscripts}: a letter stands for each axis, and `...` for any number of them"
        case "term":
            says, why = f"`einsum`: {value!r} is no list of axes.", "`...` may stand in it once"
        case "unknown":
            says = f"`einsum`: the result is to have an axis {value!r}, which no operand has."
            why = f"{subscripts}: an axis of the result is one of an operand, or several multiplied"
        case "twice":
            says, why = f"`einsum`: the result is to have the axis {value!r} twice.", subscripts
        case _:
            axis = "an axis that `...` stands for" if value == "..." else f"the axis {value!r}"
            before = shown[error.first].name
            says = f"`einsum`: {axis} has size {error.found} in {name}, but {error.expected} in {before}."
            if error.first == error.index:
                says = f"`einsum`: {axis} has sizes {error.expected} and {error.found} in {name}."
            why = f"axes of one letter have one size, or 1:\n{_drawn_letters(error.subscripts, shown, value)}"
    labels = _labels(shown) if error.kind in ("rank", "size") else ()
    fixes = () if error.kind != "size" or value == "..." else (
        Fix("give both axes one size; or two letters, where they are two axes"),)
    return Report(says=says, labels=labels, why=why, fixes=fixes)


def _drawn_letters(subscripts: str, operands: Sequence[Operand], letter: str) -> str:
    """Each operand's shape below its letters, with a mark below the one in question."""
    terms = subscripts.replace(" ", "").partition("->")[0].split(",")
    width = max(len(o.plain) for o in operands)
    dtype_width = max(len(o.type.str_short().split("[")[0]) for o in operands)
    lines = []
    for term, operand in zip(terms, operands):
        sizes = [str(n) for n in operand.type.shape]
        before, dots, after = term.partition("...")
        letters = [*before, *[".." for _ in range(len(sizes) - len(before) - len(after))], *after] if dots else [*term]
        widths = [max(len(a), len(b)) for a, b in zip(sizes, letters)]
        marks = ["^" * w if x == letter or (letter == "..." and x == "..") else " " * w for x, w in zip(letters, widths)]
        dtype = operand.type.str_short().split("[")[0]
        head = f"  {operand.plain:<{width}}  {dtype:>{dtype_width}}["
        lines += [" " * len(head) + "  ".join([x.rjust(w) for x, w in zip(letters, widths)]),
                  head + ", ".join([n.rjust(w) for n, w in zip(sizes, widths)]) + "]",
                  (" " * len(head) + "  ".join(marks)).rstrip()]
    return "\n".join([line for line in lines if line])


# -- matrix products

def matmul_report(error: PerspicaxError, operation: str, types: Sequence[Any], axes: tuple[int, int] | None,
                  batch: bool = False) -> Report:
    """Operands of a matrix product that do not fit."""
    operands = operands_of(error.position, operation, types, ("dot", "matmul", "inner", "vdot"))
    left, right = operands
    if axes is None:
        scalar = left if not left.type.shape else right
        fixes: tuple[Fix, ...] = ()
        if left.span is not None and right.span is not None:
            whole = Span(left.span.filename, left.span.line, left.span.column, right.span.end_line, right.span.end_column)
            fixes = (Fix("to scale an array, multiply", edits=(Edit(whole, f"{left.grouped} * {right.grouped}"),)),)
        return Report(says=f"{_upper(left.name)} and {right.name} have no matrix product: {scalar.name} is a scalar.",
                      labels=_labels(operands), why="a matrix product needs at least one axis on both sides.", fixes=fixes)
    i, j = axes
    a, b = left.type.shape, right.type.shape
    if batch:
        return Report(
            says=f"{_upper(left.name)} and {right.name} have no matrix product: axis {i} of {left.name} has size {a[i]}, axis "
                 f"{j} of {right.name} has {b[j]}.", labels=_labels(operands),
            why="all axes but the last two count matrices, and broadcast: they are equal, or one of them is 1.\n"
                + draw_shapes([(o.plain, o.type.str_short().split("[")[0], o.type.shape) for o in operands],
                              mark_axis=i - len(a)))
    return Report(
        says=f"{_upper(left.name)} and {right.name} have no matrix product: the inner sizes {a[i]} and {b[j]} differ.",
        labels=_labels(operands),
        why=f"axis {i} of {left.name} runs along axis {j} of {right.name}, so they must be equal:\n"
            + _drawn_product(left, right, i, j),
        fixes=tuple(_matmul_fixes(left, right))[:3])


def _drawn_product(left: Operand, right: Operand, i: int, j: int) -> str:
    width = max(len(left.plain), len(right.plain))
    lines = []
    for operand, axis in ((left, i), (right, j)):
        dtype = operand.type.str_short().split("[")[0]
        sizes = [str(n) for n in operand.type.shape]
        head = f"  {operand.plain:<{width}}  {dtype}["
        at = axis % len(sizes)
        start = len(head) + sum(len(s) + 2 for s in sizes[:at])
        lines += [f"{head}{', '.join(sizes)}]", " " * start + "^" * len(sizes[at])]
    return "\n".join(lines)


def _product(a: Shape, b: Shape) -> Shape | None:
    """The shape of `a @ b`."""
    if not a or not b:
        return None
    rows, columns = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    if rows[-1] != columns[-2]:
        return None
    return _broadcasts(rows[:-2], columns[:-2])


def _matmul_fixes(left: Operand, right: Operand) -> Iterator[Fix]:
    for operand, other, first in ((right, left, False), (left, right, True)):
        shape = operand.type.shape
        if len(shape) < 2:
            continue
        turned = (*shape[:-2], shape[-1], shape[-2])
        fits = _product(turned, other.type.shape) if first else _product(other.type.shape, turned)
        if fits is not None:
            yield _edit(f"transpose {operand.name}", operand, ".T" if len(shape) == 2 else ".mT")
    if _product(right.type.shape, left.type.shape) is not None and left.span and right.span:
        yield Fix(f"multiply in the other order, if {right.name} is meant to act on {left.name}",
                  edits=(Edit(left.span, right.grouped), Edit(right.span, left.grouped)),
                  code=f"{right.grouped} @ {left.grouped}")


# -- axes and reshaping

ARRAY_AT = {"apply_along_axis": 2}
"""Where functions take the array whose axis is meant, if not first."""


def axis_report(error: PerspicaxError, function: str, axis: Any, ndim: int) -> Report:
    """An axis that an array does not have."""
    found = operands_at(error.position) if error.position is not None else Operands()
    own = found.operation == function.rpartition(".")[2]
    place = ARRAY_AT.get(function, 0)
    array = found[place].text if own and len(found) > place else ""
    name = f"`{array}`" if array and len(array) <= LONGEST_NAME else "the array"
    given = found.keyword("axis") if own else None
    if given is None and own:
        given = next((o for o in found[1:] if o.text == str(axis)), None)
    many = f"{ndim} {'axis' if ndim == 1 else 'axes'}"
    fixes: list[Fix] = []
    if ndim and given is not None:
        fixes.append(Fix("for the last axis", edits=(Edit(given.span, "-1"),)))
    if ndim:
        why = f"with {many} they count from 0 to {ndim - 1}" if ndim > 1 else "with 1 axis it is axis 0"
        why += f", or from the end, from -1 to {-ndim}." if ndim > 1 else ", or -1 counted from the end."
    else:
        why = "a scalar has no axes."
    label = (Label(given.span, f"there is no axis {axis}"),) if given is not None else ()
    return Report(says=f"`{function}` was given axis {axis}, but {name} has {many if ndim else 'no axes: it is a scalar'}.",
                  labels=label, why=why, fixes=tuple(fixes))


def reshape_report(error: PerspicaxError, type_text: str, shape: Sequence[Any], size: int) -> Report:
    """An array whose elements do not fill the shape that was asked for."""
    found = operands_at(error.position) if error.position is not None else Operands()
    own = found.operation in ("reshape", "ravel") and bool(found)
    name = f"`{found[0].text}`, {type_text}," if own and len(found[0].text) <= LONGEST_NAME else type_text
    wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    product = math.prod(n for n in shape if n != -1)
    if -1 in shape:
        why = f"it has {size} elements, which {product} does not divide, so that -1 stands for no whole number."
    else:
        why = f"it has {size} elements, the new shape has room for {product}."
    return Report(says=f"{_upper(name)} cannot be reshaped to {wanted}.",
                  labels=(Label(found[0].span, f"{size} elements"),) if own else (), why=why,
                  fixes=tuple(_reshape_fixes(shape, size, found[0].grouped if own else "x")))


def _reshape_fixes(shape: Sequence[Any], size: int, name: str) -> Iterator[Fix]:
    if -1 in shape:
        return
    for i in range(len(shape)):
        rest = math.prod(n for j, n in enumerate(shape) if j != i)
        if rest and size % rest == 0:
            sizes = ", ".join("-1" if j == i else str(n) for j, n in enumerate(shape))
            yield Fix("let one size follow from the others", code=f"{name}.reshape({sizes})",
                      when=f"that makes {size // rest} of it")
            return
