"""Proposals that make an argument known while tracing: `static_argnames`, or `in_axes=None`."""
from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from perspicax.core.provenance import Provenance, listed
from perspicax.diagnose.files import SourceFile, source_file
from perspicax.diagnose.place import Position, node_span
from perspicax.diagnose.report import Edit, Fix

__all__ = ["static_fix"]


def static_fix(origin: Provenance, names: Sequence[str], says: str = "", when: str = "") -> Fix | None:
    """Make the arguments `names` of the traced function known.

    Args:
        origin: of the value; its function is the traced one.
        names: parameters.
        says: what the proposal does; if empty, the code speaks for itself.
        when: under which condition it is right.
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
    found = _decorator(file, origin) or _wrapping(file, origin)
    if found is None or file is None:
        name = "f" if origin.function == "lambda" else origin.function  # a proposal must parse
        return Fix(says, code=f"jax.jit({name}, static_argnames={literal})", when=when)
    node, is_decorator = found
    text = _with_static(file, node, names, literal, is_decorator)
    code = f"@{text}" if is_decorator else text
    return Fix(says, code=code, edits=(Edit(node_span(file, node, origin.function), text),), when=when)


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
    numbers = ", ".join(str(parameters.index(name)) for name in names)
    says = says.partition(",")[0]  # what follows speaks of jit
    return Fix(says, code=f"jax.checkpoint({origin.function}, static_argnums=({numbers}{',' * (len(names) == 1)}))", when=when)


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
