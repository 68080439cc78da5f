"""Errors of indexing, with the user's own names for the array and the index."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from perspicax.core.provenance import Provenance
from perspicax.core.static_fixes import static_fix
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.diagnose.source import imported_as, operands_at


def _parts(error: PerspicaxError) -> tuple[Expression | None, Expression | None]:
    """The array and the index of the subscript that failed, as written; of `x.at[i]` the array is `x`."""
    found = operands_at(error.position) if error.position is not None else None
    if found is None or found.operation not in ("getitem", "setitem"):
        return _written_at(error)
    array, index = found
    if isinstance(array.node, ast.Attribute) and array.node.attr == "at":
        array = array.at(array.node.value)
    return array, index


def _written_at(error: PerspicaxError) -> tuple[Expression | None, Expression | None]:
    """The same of `x.at[i].set(…)`, whose failing expression is the call."""
    place = error.position
    call = None if place is None else located(place)
    match call.node if call is not None else None:
        case ast.Call(func=ast.Attribute(value=ast.Subscript(value=ast.Attribute(value=array, attr="at"), slice=index))):
            return call.at(array), call.at(index)  # type: ignore[union-attr]
    return None, None


def _name(array: Expression | None) -> str:
    return "the array" if array is None or len(array.text) > 60 else f"`{array.text}`"


def _labels(array: Expression | None, text: str, index: Expression | None = None, note: str = "") -> tuple[Label, ...]:
    labels = [] if array is None else [Label(array.span, text)]
    if index is not None and note:
        labels.append(Label(index.span, note))
    return tuple(labels)


def _axes(n: int) -> str:
    return "1 axis" if n == 1 else f"{n} axes"


class TooManyIndicesError(PerspicaxError, IndexError):
    """An array was given more indices than it has axes."""

    type_text: str
    rank: int
    given: int

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        name = _name(array)
        return Report(says=f"{name} has {_axes(self.rank)}, but {self.given} are indexed.",
                      labels=_labels(array, self.type_text, index, f"indexes {_axes(self.given)}"),
                      why="each integer, slice and index array takes one axis, a mask as many as it has; `None` and `...` "
                          "take none")


class SeveralEllipsesError(PerspicaxError, IndexError):
    """An index has more than one `...`."""

    type_text: str

    @property
    def report(self) -> Report:
        array, _ = _parts(self)
        return Report(says=f"The index of {_name(array)} has more than one `...`.", labels=_labels(array, self.type_text),
                      why="`...` stands for all axes that are not indexed, so only one of them has a meaning")


class IndexTypeError(PerspicaxError, TypeError):
    """An index is neither an integer, a slice, nor an array of integers or booleans."""

    type_text: str
    index_type: str
    is_array: bool = False

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        fixes: tuple[Fix, ...] = ()
        if "float" in self.index_type and index is not None and array is not None:
            whole = f"{array.grouped}[{index.grouped}.astype(int)]" if self.is_array else \
                f"{array.grouped}[int({index.text})]"
            fixes = (Fix("make it an integer first", code=whole),)
        what = "The index" if index is None or len(index.text) > 60 else f"The index `{index.text}`"
        return Report(says=f"{what} of {_name(array)} is of type {self.index_type}.",
                      labels=_labels(array, self.type_text, index, self.index_type),
                      why="an index is an integer, a slice, `None`, `...`, or an array of integers or booleans", fixes=fixes)


class ListIndexError(IndexTypeError):
    """A list was used as an index."""

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        fixes: tuple[Fix, ...] = ()
        if array is not None and index is not None:
            code = f"{array.grouped}[jnp.array({index.text})]"
            fixes = (Fix("index by an array", code=code), Fix("take one entry of each axis",
                     code=f"{array.grouped}[tuple({index.text})]", when="when the list holds one index for each axis"))
        return Report(says=f"{_name(array)} cannot be indexed by a {self.index_type}.".replace("the array", "The array", 1),
                      labels=_labels(array, self.type_text, index, self.index_type),
                      why="a list could mean one index for each axis, or several entries of the first axis", fixes=fixes)


class UnknownIndexError(PerspicaxError, IndexError):
    """An index is an object that means nothing as one."""

    type_text: str
    index_type: str

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        return Report(says=f"{_name(array)} cannot be indexed by a {self.index_type}.".replace("the array", "The array", 1),
                      labels=_labels(array, self.type_text, index, self.index_type),
                      why="an index is an integer, a slice, `None`, `...`, or an array of integers or booleans")


class MaskShapeError(PerspicaxError, IndexError):
    """A boolean index does not have the shape of what it indexes."""

    type_text: str
    mask_shape: tuple[int, ...]
    expected: tuple[int, ...]
    axis: int

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        n = len(self.mask_shape)
        fixes: tuple[Fix, ...] = ()
        sizes = [int(size) for size in self.type_text.partition("[")[2].rstrip("]").split(",") if size.isdecimal()]
        if n == 1 and self.axis == 0 and sizes.count(self.mask_shape[0]) == 1 and array is not None and index is not None:
            before = ":, " * sizes.index(self.mask_shape[0])
            fixes = (Fix(f"take entries of axis {before.count(':')}, which has its size",
                         code=f"{array.grouped}[{before}{index.text}]"),)
        axes = f"axis {self.axis}" if n == 1 else f"axes {self.axis} to {self.axis + n - 1}"
        return Report(says=f"The mask of shape {self.mask_shape} does not fit {_name(array)}, whose {axes} "
                           f"{'has' if n == 1 else 'have'} the shape {self.expected}.",
                      labels=_labels(array, self.type_text, index, f"a mask of shape {self.mask_shape}"),
                      why="a mask says of each entry whether it is taken, so it has the shape of the axes that it indexes",
                      fixes=fixes)


class IndexBroadcastError(PerspicaxError, ValueError, IndexError):  # the first is JAX's, the second NumPy's
    """Index arrays do not broadcast together."""

    type_text: str
    shapes: tuple[tuple[int, ...], ...]

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        rows, columns, name = "rows", "columns", "x" if array is None else array.grouped
        if index is not None and isinstance(index.node, ast.Tuple) and len(index.node.elts) == 2:
            rows, columns = index.at(index.node.elts[0]).grouped, index.at(index.node.elts[1]).text
        fixes = (Fix("take all combinations", code=f"{name}[{rows}[:, None], {columns}]"),) \
            if [len(shape) for shape in self.shapes] == [1, 1] else ()
        return Report(says=f"The index arrays of {_name(array)} do not broadcast together: their shapes are "
                           f"{', '.join(map(str, self.shapes))}.",
                      labels=_labels(array, self.type_text),
                      why="several index arrays are taken together, entry by entry, after broadcasting",
                      fixes=fixes)


class TracedSliceError(PerspicaxError, IndexError):
    """A slice has a bound that is traced, so that the size of the result is not known.

    Attributes:
        type_text: type of the array.
        origin: where the bound comes from.
    """

    type_text: str
    origin: Provenance

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        return Report(says=f"A slice of {_name(array)} has a bound whose value is not known while {self.origin.tracing}.",
                      labels=_labels(array, self.type_text, index, "has a traced bound"),
                      why="the bounds of a slice decide the shape of the result, and shapes are known while tracing",
                      fixes=tuple(self._fixes(array, index)))

    def _fixes(self, array: Expression | None, index: Expression | None) -> Iterator[Fix]:
        name = array.text if array is not None else "x"
        one_axis = "," not in self.type_text and "[]" not in self.type_text
        match index.node if index is not None else None:
            case ast.Slice(lower=ast.expr() as lower, upper=upper) if index is not None and not isinstance(lower, ast.Constant):
                size = "size"
                match upper:  # in x[i:i + n] the size is n
                    case ast.BinOp(left=left, op=ast.Add(), right=right) if ast.dump(left) == ast.dump(lower):
                        size = index.at(right).text
                yield Fix("give the size as a plain number, and take the start as it comes",
                          code=f"jax.lax.dynamic_slice_in_dim({name}, {index.at(lower).text}, {size})")
            case ast.Slice(lower=None, upper=ast.expr() as upper, step=None) if index is not None and one_axis:
                jnp = imported_as(self.position, "numpy", "jnp") if self.position is not None else "jnp"
                yield Fix("keep all entries, with a neutral value in place of the others",
                          code=f"{jnp}.where({jnp}.arange({name}.shape[0]) < {index.at(upper).grouped}, {name}, 0)")
            case _:
                yield Fix("give the size as a plain number, and take the start as it comes",
                          code=f"jax.lax.dynamic_slice_in_dim({name}, start, size)")
        names = self.origin.settings()
        plain = "is a plain Python value" if len(names) == 1 else "are plain Python values"
        static = static_fix(self.origin, names, when=f"when {' and '.join(names)} {plain}")
        if static is not None:
            yield static


class SliceBoundError(PerspicaxError, TypeError):
    """A bound of a slice is no integer."""

    type_text: str
    bound: str

    @property
    def report(self) -> Report:
        array, _ = _parts(self)
        return Report(says=f"A slice of {_name(array)} has the bound {self.bound}, which is not an integer.",
                      labels=_labels(array, self.type_text), why="the bounds and the step of a slice are integers, or left out",
                      fixes=(Fix("divide by `//`, which gives an integer, or convert the bound by `int`"),)
                      if "." in self.bound else ())


class SliceStepError(PerspicaxError, ValueError):
    """A slice has step 0."""

    type_text: str

    @property
    def report(self) -> Report:
        array, _ = _parts(self)
        return Report(says=f"A slice of {_name(array)} has step 0.", labels=_labels(array, self.type_text),
                      why="with step 0 it would never end")


class EmptyAxisError(PerspicaxError, IndexError):
    """An entry was asked of an axis that has none."""

    type_text: str
    axis: int
    index: str

    @property
    def report(self) -> Report:
        array, _ = _parts(self)
        return Report(says=f"Index {self.index} is out of bounds for axis {self.axis} of {_name(array)}, which has size 0.",
                      labels=_labels(array, self.type_text), why="there is no entry to take")


class UpdateShapeError(PerspicaxError, ValueError):
    """The values of an `x.at[…]` update do not broadcast to the part that they update."""

    type_text: str
    shape: tuple[int, ...]
    part: tuple[int, ...]

    @property
    def report(self) -> Report:
        array, index = _parts(self)
        at = "the indexed part" if array is None or index is None else f"`{array.text}[{index.text}]`"
        from perspicax.diagnose.render import draw_shapes  # only a printed error needs it

        return Report(says=f"Values of shape {self.shape} do not broadcast to {at}, which has shape {self.part}.",
                      labels=_labels(array, self.type_text),
                      why="axes are matched from the right; each must be equal or 1, and there are no more of them:\n"
                          + draw_shapes([("values", "", self.shape), ("part", "", self.part)]))


_METHODS: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
                                           ast.Pow: "power"}


class ItemAssignmentError(PerspicaxError, TypeError):
    """An entry of an array was assigned to."""

    type_text: str

    @property
    def report(self) -> Report:
        array, _ = _parts(self)
        return Report(says=f"{_name(array)} cannot be changed in place.".replace("the array", "The array", 1),
                      labels=_labels(array, self.type_text),
                      why="arrays never change, so that traces and compiled programs may share them; `.at` makes a new "
                          "one (inside jit without a copy)", fixes=(self._fix(),))

    def _fix(self) -> Fix:
        says = "make a new array with the entry changed"
        found = located(self.position) if self.position is not None else None
        if found is None:
            return Fix(says, code="x = x.at[index].set(value)")
        statement = found.file.enclosing(found.node, (ast.Assign, ast.AugAssign))
        text = None
        match statement:
            case ast.Assign(targets=[ast.Subscript() as target], value=value):
                text = self._new(found, target, "set", value)
            case ast.AugAssign(target=ast.Subscript() as target, op=op, value=value):
                method = _METHODS.get(type(op))
                if method is not None:
                    text = self._new(found, target, method, value)
        if text is None or statement is None:
            return Fix(says, code="x = x.at[index].set(value)")
        return Fix(says, code=text, edits=(Edit(found.at(statement).span, text),))

    @staticmethod
    def _new(found: Expression, target: ast.Subscript, method: str, value: ast.expr) -> str | None:
        if not isinstance(target.value, ast.Name | ast.Attribute | ast.Subscript):  # what a call returns has no name
            return None
        array = found.at(target.value).text
        return f"{array} = {array}.at[{found.at(target.slice).text}].{method}({found.at(value).text})"


class UpdateCallError(PerspicaxError, AttributeError, TypeError):  # JAX raises one or the other, by the way of writing
    """`x.at` was used otherwise than as `x.at[index].set(value)`.

    Attributes:
        form: `unindexed` (`x.at.set(value)`), `called` (`x.at(index)`) or `assigned` (`x.at[index] = value`).
        method: what was asked of `x.at`, or what would do what was asked for.
        type_text: the type of the array.
    """

    form: str
    type_text: str
    method: str = "set"

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        AttributeError.__init__(self)
        self.name = fields.get("method", "")  # else Python notes it, and with it the array, which would count as leaked

    @property
    def report(self) -> Report:
        array, index, value, edited = self._written()
        name = "x" if array is None or len(array.text) > 60 else array.text
        chosen, what = index.text if index is not None else "index", value.text if value is not None else "value"
        says = {"unindexed": f"`{name}.at` has no `{self.method}`: the index is missing.",
                "called": f"`{name}.at` is indexed with brackets, not called."
                }.get(self.form, f"`{name}.at[{chosen}]` cannot be assigned to.")
        why = "arrays never change: `.at[index].set(value)` returns a new array, and the brackets say which part differs"
        text = f"{name}.at[{chosen}].{self.method}({what})"
        if self.form != "assigned":
            return Report(says=says, labels=_labels(array, self.type_text), why=why,
                          fixes=(Fix("say which part", code=text),))
        edits = () if edited is None else (Edit(edited.span, f"{name} = {text}"),)
        return Report(says=says, labels=_labels(array, self.type_text), why=why,
                      fixes=(Fix("name the new array", code=f"{name} = {text}", edits=edits),))

    def _written(self) -> tuple[Expression | None, Expression | None, Expression | None, Expression | None]:
        """The array, the index, the value and the assignment in the user's source, as far as they are seen there."""
        found = located(self.position) if self.position is not None else None
        if found is None:
            return None, None, None, None
        match found.node:
            case ast.Attribute(value=ast.Attribute(value=array, attr="at")):
                call = found.file.enclosing(found.node, (ast.Call, ast.stmt))
                value = call.args[0] if isinstance(call, ast.Call) and call.func is found.node and call.args else None
                return found.at(array), None, None if value is None else found.at(value), None
            case ast.Call(func=ast.Attribute(value=array, attr="at"), args=[index]):
                return found.at(array), found.at(index), None, None
        statement = found.file.enclosing(found.node, (ast.Assign, ast.AugAssign))
        match statement:
            case ast.Assign(targets=[ast.Subscript(value=ast.Attribute(value=array, attr="at"), slice=index)], value=value) | \
                    ast.AugAssign(target=ast.Subscript(value=ast.Attribute(value=array, attr="at"), slice=index), value=value):
                return found.at(array), found.at(index), found.at(value), found.at(statement)
        return None, None, None, None


class ContainsError(PerspicaxError, ValueError):
    """`in` was used with an array that is no vector."""

    type_text: str

    @property
    def report(self) -> Report:
        return Report(says=f"`in` was asked of a {self.type_text}, which is no vector.",
                      why="of several axes it could mean an entry of the first one or an element, of none it means nothing",
                      fixes=(Fix("ask whether any element is equal", code="(x == value).any()"),))


def type_text(x: Any) -> str:
    """The type of an array, as reports show it."""
    return x.aval.str_short()
