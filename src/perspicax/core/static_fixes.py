"""Proposals that make an argument known while tracing: `static_argnames`, or `in_axes=None`."""
from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Sequence

from perspicax.core.provenance import Provenance, listed
from perspicax.diagnose.files import SourceFile, source_file
from perspicax.diagnose.frames import INTERNAL, kind_of
from perspicax.diagnose.place import Position, Span, node_span
from perspicax.diagnose.report import Edit, Fix

__all__ = ["is_ours", "numbered_fix", "static_fix", "wrapping_span"]


def static_fix(origin: Provenance, names: Sequence[str], says: str = "", when: str = "",
               asked_in: SourceFile | None = None) -> Fix | None:
    """Make the arguments `names` of the traced function known.

    Args:
        origin: of the value; its function is the traced one.
        names: parameters.
        says: what the proposal does; if empty, the code speaks for itself.
        when: under which condition it is right.
        asked_in: the user's file, where a function of ours (`Module.apply`) is traced.
    """
    if not names:
        return None
    if origin.transform == "vmap":
        return _unmapped_fix(origin, names, when)
    if origin.transform == "checkpoint":
        return _checkpoint_fix(origin, names, says, when)
    if origin.transform != "jit":
        return None
    literal = _literal(names)
    file = source_file(origin.definition.code.co_filename) if isinstance(origin.definition, Position) else None
    file = asked_in if asked_in is not None and is_ours(origin) else file
    found = _decorator(file, origin) or _wrapping(file, origin)
    if found is None or file is None:
        name = "f" if origin.function == "lambda" else origin.function  # a proposal must parse
        return Fix(says, code=f"jax.jit({name}, static_argnames={literal})", when=when)
    node, is_decorator = found
    text = _with_static(file, node, names, literal, is_decorator)
    code = f"@{text}" if is_decorator else text
    return Fix(says, code=code, edits=(Edit(node_span(file, node, origin.function), text),), when=when)


def is_ours(origin: Provenance) -> bool:
    """Whether the traced function is one of Perspicax's own, such as `Module.apply`."""
    return isinstance(origin.definition, Position) and kind_of(origin.definition.code.co_filename) == INTERNAL


def wrapping_span(file: SourceFile | None, origin: Provenance) -> Span | None:
    """Where a file has the one call `jax.jit(m.apply)`."""
    found = _wrapping(file, origin)
    return node_span(file, found[0], origin.function) if found is not None and file is not None else None


def numbered_fix(origin: Provenance, asked_in: SourceFile | None) -> Fix | None:
    """Make one of `*args` known: it has no name, but a number.

    Args:
        origin: of the value, which depends on one argument alone.
        asked_in: the user's file.
    """
    if origin.transform != "jit" or len(origin.arguments) != 1 or not isinstance(origin.definition, Position):
        return None
    code, argument = origin.definition.code, origin.arguments[0]
    numbered = re.fullmatch(r"(\w+)\[(\d+)\]", argument.name)
    if numbered is None or not argument.setting or argument.function != origin.function:
        return None
    if not code.co_flags & inspect.CO_VARARGS:
        return None
    named = code.co_varnames[:code.co_argcount]
    if code.co_varnames[code.co_argcount + code.co_kwonlyargcount] != numbered[1]:
        return None
    roots = {name.split("[")[0].split(".")[0] for name in origin.parameters}
    bound = named[:1] == ("self",) and "self" not in roots
    number = len(named) - bound + int(numbered[2])
    says = "make it static, so that jit compiles once for each value of it"
    found = _wrapping(asked_in, origin)
    if found is None or asked_in is None:
        decorator = _decorator(source_file(code.co_filename), origin)
        if decorator is not None and isinstance(decorator[0], ast.Call):  # it has options already
            return None
        return Fix(says, code=f"jax.jit({'f' if origin.function == 'lambda' else origin.function}, static_argnums={number})")
    if any(k.arg is None or k.arg.startswith("static") for k in found[0].keywords):  # type: ignore[attr-defined]
        return None
    changed = copy.deepcopy(found[0])
    changed.keywords.append(ast.keyword("static_argnums", ast.Constant(number)))  # type: ignore[attr-defined]
    text = ast.unparse(changed)
    return Fix(says, code=text, edits=(Edit(node_span(asked_in, found[0], origin.function), text),))


def _literal(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"


def _unmapped_fix(origin: Provenance, names: Sequence[str], when: str) -> Fix | None:
    parameters = [name for name in origin.parameters if "[" not in name and "." not in name]
    if len(parameters) != len(origin.parameters) or len(parameters) == len(names):
        return None
    axes = ", ".join("None" if name in names else "0" for name in parameters)
    return Fix(f"do not map {listed(names)}: then it is one value, and known",
               code=f"jax.vmap({origin.function}, in_axes=({axes}))", when=when)


def _checkpoint_fix(origin: Provenance, names: Sequence[str], says: str, when: str) -> Fix | None:
    """By number: JAX takes names here too, and ignores them."""
    code = origin.definition.code if isinstance(origin.definition, Position) else None
    parameters = () if code is None else code.co_varnames[:code.co_argcount]
    if not all(name in parameters for name in names):
        return None
    says = says.partition(",")[0]  # what follows speaks of jit
    lifted = {name.split("[")[0] for name in origin.parameters} & {"variables", "rngs"} - set(parameters)
    bound = parameters[:1] == ("self",) and not lifted
    if bound and origin.function == "__call__":  # there is no name for what was given to `checkpoint`
        return None
    numbers = ", ".join(str(parameters.index(name) - bound) for name in names)
    if lifted and code is not None:  # a method of a module, which counts as the first argument; `nn.remat` takes the class
        owner = code.co_qualname.rpartition(f".{code.co_name}")[0].rpartition(".")[2]
        text = f"nn.remat({owner or origin.function}, static_argnums=({numbers}{',' * (len(names) == 1)}))"
        return Fix(says, code=text, when=when)
    function = "f" if origin.function == "lambda" else origin.function
    return Fix(says, code=f"jax.checkpoint({function}, static_argnums=({numbers}{',' * (len(names) == 1)}))", when=when)


def _is_jit(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] in ("jit", "pjit", "filter_jit")


def _jit_within(node: ast.expr) -> bool:
    """`jit`, `jax.jit(...)` without a function, `partial(jax.jit, ...)`."""
    if isinstance(node, ast.Call):
        return _is_jit(node.func) or (bool(node.args) and _is_jit(node.args[0]))
    return _is_jit(node)


def _decorator(file: SourceFile | None, origin: Provenance) -> tuple[ast.expr, bool] | None:
    if file is None or not isinstance(origin.definition, Position):
        return None
    code = origin.definition.code
    node = file.definitions.get((code.co_firstlineno, code.co_name))
    for decorator in getattr(node, "decorator_list", []):
        if _jit_within(decorator):
            return decorator, True
    return None


def _wrapping(file: SourceFile | None, origin: Provenance) -> tuple[ast.expr, bool] | None:
    """The one call `jax.jit(function)` of the file, if there is exactly one."""
    if file is None or file.tree is None or not isinstance(origin.definition, Position):
        return None
    code = origin.definition.code
    calls = [node for node in ast.walk(file.tree)
             if isinstance(node, ast.Call) and _is_jit(node.func) and node.args and _is_function(node.args[0], code)]
    return (calls[0], False) if len(calls) == 1 else None


def _is_function(node: ast.expr, code: object) -> bool:
    if isinstance(node, ast.Lambda):
        return getattr(code, "co_name", "") == "<lambda>" and node.lineno == getattr(code, "co_firstlineno", 0)
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).rpartition(".")[2] == getattr(
        code, "co_name", None)


def _with_static(file: SourceFile, node: ast.expr, names: Sequence[str], literal: str, is_decorator: bool) -> str:
    if not isinstance(node, ast.Call):
        text = ast.unparse(node)
        if "partial" in file.imported:
            return f"partial({text}, static_argnames={literal})"
        if "functools" in file.imported:
            return f"functools.partial({text}, static_argnames={literal})"
        return f"{text}(static_argnames={literal})"
    changed = copy.deepcopy(node)
    for keyword in changed.keywords:
        if keyword.arg == "static_argnames":
            try:
                known = ast.literal_eval(keyword.value)
            except ValueError:
                continue
            known = (known,) if isinstance(known, str) else tuple(known)
            keyword.value = ast.parse(repr(known + tuple(n for n in names if n not in known)), mode="eval").body
            return ast.unparse(changed)
    text = ast.get_source_segment("".join(file.lines), node) or ast.unparse(node)
    inner = text.rstrip()[:-1].rstrip().rstrip(",")
    return f"{inner}{'' if inner.endswith('(') else ', '}static_argnames={literal})"
