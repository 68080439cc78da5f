"""What can be said of errors that Python, NumPy or `dataclasses` raise in a program, where the running frames tell more.

Such an error stays what it is; its report stands beside the traceback. What is looked at is the innermost frame, which is the
user's: expressions there are evaluated only where that runs no code (names, attributes of modules and instances).
"""
from __future__ import annotations

import ast
import builtins
import inspect
import re
import types
from typing import Any, NamedTuple

import numpy as np

from perspicax.core.array import Array
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.frames import USER, kind_of
from perspicax.diagnose.place import Position
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.diagnose.source import assignments_before, field_span

__all__ = ["explain"]

_OURS = "perspicax"


class Where(NamedTuple):
    """The user's innermost frame.

    Attributes:
        place: the place in it.
        frame: the frame.
    """

    place: Position
    frame: types.FrameType

    def value(self, node: ast.AST | None) -> Any:
        """The value of a name, or of attributes of it that are found without running code; `None` where that cannot be told."""
        match node:
            case ast.Name(id=name):
                for names in (self.frame.f_locals, self.frame.f_globals, vars(builtins)):
                    if name in names:
                        return names[name]
            case ast.Attribute(value=base, attr=name):
                return inspect.getattr_static(self.value(base), name, None) if not isinstance(
                    owner := self.value(base), types.ModuleType) else getattr(owner, name, None)
        return None


def explain(error: BaseException) -> Report | None:
    """A report of an error that is not ours; `None` where nothing can be said that its own text does not say."""
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    if entry is None or kind_of(entry.tb_frame.f_code.co_filename) != USER:
        return None
    where = Where(Position(entry.tb_frame.f_code, entry.tb_lasti), entry.tb_frame)
    try:
        report = _report(error, where)
    except (AttributeError, TypeError, ValueError, KeyError, RecursionError):  # the program's own error matters more
        return None
    return None if report is None else report._replace(notes=(*report.notes, f"Python says: {error}"))


def _report(error: BaseException, where: Where) -> Report | None:
    if type(error) is AttributeError:
        return _of_tuple(error, where) or _of_function(error, where)
    if type(error) is TypeError:
        return _of_call(error, where)
    if type(error) is ValueError:
        return _of_default(error, where) or _of_view(error, where)
    return None


# -- attributes

def _of_tuple(error: AttributeError, where: Where) -> Report | None:
    """`out.mean()` of a tuple of results."""
    several = error.obj
    if type(several) is not tuple or not several or not isinstance(several[0], Array) or not hasattr(
            several[0], str(error.name)):
        return None
    found = located(where.place)
    node: ast.AST | None = found.node if found is not None else None
    node = node.func if isinstance(node, ast.Call) else node
    holder = found.at(node.value) if found is not None and isinstance(node, ast.Attribute) else None
    name = f"`{holder.text}`" if holder is not None else "It"
    fixes: tuple[Fix, ...] = ()
    if holder is not None:
        fixes = (*_taken_apart(holder, where.place, len(several)),
                 Fix("take the first", edits=(Edit(holder.span, f"{holder.text}[0]"),)))
    kinds = ", ".join([_kind(x) for x in several[:4]])
    return Report(says=f"{name} is a tuple, which has no attribute `{error.name}`; its first entry has.", primary=where.place,
                  labels=() if holder is None else (Label(holder.span, f"({kinds})"),),
                  why="a function that returns several values returns a tuple of them", fixes=fixes)


def _taken_apart(holder: Expression, place: Position, count: int) -> tuple[Fix, ...]:
    bound = next(iter(assignments_before(place, holder.text)), None) if isinstance(holder.node, ast.Name) else None
    value = bound.value if bound is not None else None
    statement = value.file.parent(value.node) if value is not None else None
    if value is None or not isinstance(value.node, ast.Call) or not isinstance(statement, ast.Assign):
        return ()
    mutable = any(k.arg == "mutable" for k in value.node.keywords)
    rest = ["updates"] if mutable and count == 2 else ["rest"] if count == 2 else [f"rest{i}" for i in range(1, count)]
    says = "with `mutable=`, `apply` returns the result and the changed variables: take both" if mutable else (
        "take the results apart where they arrive")
    return (Fix(says, edits=(Edit(value.at(statement.targets[0]).span, ", ".join([holder.text, *rest])),)),)


def _kind(value: Any) -> str:
    return value.aval.str_short() if isinstance(value, Array) else type(value).__name__


def _of_function(error: AttributeError, where: Where) -> Report | None:
    """`tx=optax.adam`: a function was passed where what it makes is wanted."""
    found = located(where.place)
    if not isinstance(error.obj, types.FunctionType | type) or found is None or not isinstance(found.node, ast.Call):
        return None
    given = [*found.node.args, *[k.value for k in found.node.keywords]]
    passed = next((found.at(a) for a in given if where.value(a) is error.obj), None)
    if passed is None:
        return None
    what = "a class" if isinstance(error.obj, type) else "a function"
    return Report(says=f"`{passed.text}` is {what}; wanted here is what it returns, which has `{error.name}`.",
                  primary=where.place, labels=(Label(passed.span, what),),
                  fixes=(Fix("call it", edits=(Edit(passed.span, f"{passed.text}({_needed(error.obj)})"),)),))


def _needed(function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    return ", ".join([p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD
                      and p.kind is not p.VAR_POSITIONAL])


# -- calls

def _of_call(error: TypeError, where: Where) -> Report | None:
    """Arguments that do not fit a function or a class of modules."""
    text = str(error)
    unexpected = re.search(r"got an unexpected keyword argument '(\w+)'", text)
    too_many = re.search(r"takes \d+ positional arguments? but \d+ .*\b(?:were|was) given", text)
    found = located(where.place)
    if not (unexpected or too_many) or found is None or not isinstance(found.node, ast.Call):
        return None
    callee = _callee(where, found.node.func)
    if callee is None or not text.startswith((getattr(callee, "__qualname__", "?"), getattr(callee, "__name__", "?"))):
        return None
    parameters = [p for p in inspect.signature(callee).parameters.values() if p.name not in ("self", "cls")]
    written = found.at(found.node.func).text
    labels, fixes = [], []
    if unexpected:
        name = unexpected[1]
        argument = next((k for k in found.node.keywords if k.arg == name), None)
        if argument is not None:
            labels.append(Label(found.at(argument.value).span, f"`{name}`"))
        fixes += _field_fixes(callee, name, where) or _near(found, argument, name, parameters)
        says = f"`{written}` takes no argument `{name}`."
        if isinstance(callee, type) and name in vars(callee):
            says = f"`{name}` is no field of `{written}`: the class gives it a value, but no type."
            return Report(says=says, primary=where.place, labels=tuple(labels),
                          why="the fields of a module are what its class annotates, as in a dataclass; an assignment without a "
                              "type is an attribute that all of them share", fixes=tuple(fixes))
    else:
        says = f"`{written}` was given more arguments by position than it takes."
        fixes += _by_keyword(found, parameters)
    takes = ", ".join([f"`{p.replace(annotation=p.empty)}`" for p in parameters if p.name not in ("parent", "name")])
    return Report(says=says, primary=where.place, labels=tuple(labels),
                  why=f"it takes {takes or 'none'}" + ("; what stands behind `*` is given by keyword" if any(
                      p.kind is p.KEYWORD_ONLY for p in parameters) and too_many else ""), fixes=tuple(fixes))


def _callee(where: Where, func: ast.AST) -> Any:
    """What is called, if it is ours, or a class of modules."""
    if isinstance(func, ast.Attribute):
        owner = where.value(func.value)
        member = where.value(func) if isinstance(owner, types.ModuleType) else inspect.getattr_static(
            type(owner), func.attr, None)
        member = getattr(member, "__func__", member)
    else:
        member = where.value(func)
    ours = str(getattr(member, "__module__", "")).startswith(_OURS) or (isinstance(member, type) and any(
        c.__module__.startswith(f"{_OURS}.flax") for c in member.__mro__))
    return member if ours and callable(member) else None


def _field_fixes(callee: Any, name: str, where: Where) -> list[Fix]:
    if not isinstance(callee, type) or name not in vars(callee):
        return []
    return [Fix("annotate it in the class", code=f"{name}: {type(vars(callee)[name]).__name__} = {vars(callee)[name]!r}")]


def _near(found: Expression, argument: ast.keyword | None, name: str, parameters: list[inspect.Parameter]) -> list[Fix]:
    from difflib import get_close_matches  # only a printed error needs it

    near = get_close_matches(name, [p.name for p in parameters], 1)
    return [Fix(f"did you mean `{near[0]}`?")] if near and argument is not None else []


def _by_keyword(found: Expression, parameters: list[inspect.Parameter]) -> list[Fix]:
    call = found.node
    if not isinstance(call, ast.Call) or any(isinstance(a, ast.Starred) for a in call.args):
        return []
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    given = {k.arg for k in call.keywords}
    free = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in given and p.name not in ("parent", "name")]
    surplus = call.args[len(positional):]
    if len(surplus) > len(free):
        return []
    return [Fix("give them by keyword", edits=tuple([Edit(found.at(a).span, f"{name}={found.at(a).text}")
                                                     for a, name in zip(surplus, free)]))]


# -- values

def _of_default(error: ValueError, where: Where) -> Report | None:
    """A list as the default of a module's field."""
    told = re.fullmatch(r"mutable default <class '(\w+)'> for field (\w+) is not allowed: use default_factory", str(error))
    found = located(where.place)
    if told is None or found is None:
        return None
    kind, name = told.groups()
    cls = found.node.name if isinstance(found.node, ast.ClassDef) else found.function
    span = field_span(where.place, cls, name)
    declared = next((n for n in ast.walk(found.file.tree) if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
                     and n.target.id == name and n.value is not None), None) if found.file.tree is not None else None
    fixes = [Fix("make it anew for each module", code=f"{name}: {kind} = dataclasses.field(default_factory={kind})")]
    if declared is not None and isinstance(declared.value, ast.List):
        elements = ", ".join([found.at(e).text for e in declared.value.elts])
        text = f"({elements},)" if len(declared.value.elts) == 1 else f"({elements})"
        fixes.insert(0, Fix("a tuple does as well", edits=(Edit(found.at(declared).span, f"{name}: tuple = {text}"),)))
    return Report(says=f"The field `{name}` has a {kind} as its default.", primary=span or where.place,
                  why=f"all modules of the class would share that one {kind}, and modules are compared and hashed by their "
                       "fields",
                  fixes=tuple(fixes))


def _of_view(error: ValueError, where: Where) -> Report | None:
    """`np.asarray(x)[0] = 1`, where `x` is an array of ours."""
    found = located(where.place)
    if str(error) != "assignment destination is read-only" or found is None or not isinstance(found.node, ast.Subscript):
        return None
    value, target = where.value(found.node.value), found.at(found.node.value)
    if not isinstance(value, np.ndarray):
        return None
    bound = next(iter(assignments_before(where.place, target.text)), None) if isinstance(target.node, ast.Name) else None
    made = bound.value if bound is not None else None
    fixes = [Fix("make a copy first", code=f"{target.text} = {target.text}.copy()")]
    if made is not None and isinstance(made.node, ast.Call) and made.text.startswith(("np.asarray(", "numpy.asarray(")):
        func = made.at(made.node.func)
        fixes.insert(0, Fix("make a copy where it is made", edits=(
            Edit(func.span, func.text.replace("asarray", "array")),)))
    return Report(says=f"`{target.text}` cannot be written to: it is a view of an array, and arrays do not change.",
                  primary=where.place, labels=(Label(target.span, f"NumPy's, {value.dtype}, read-only"),),
                  why="`np.asarray` of an array shares its memory where it can; `np.array` copies", fixes=tuple(fixes))
