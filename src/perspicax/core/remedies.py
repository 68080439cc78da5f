"""Proposals for values that are not known: a device function, a static argument, a fixed size, a host callback."""
from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perspicax.core.counterparts import counterpart
from perspicax.core.loops import for_fix
from perspicax.core.provenance import listed
from perspicax.core.static_fixes import static_fix
from perspicax.diagnose.edits import with_keyword
from perspicax.diagnose.expression import Expression
from perspicax.diagnose.files import SourceFile
from perspicax.diagnose.report import Edit, Fix

if TYPE_CHECKING:
    from perspicax.core.questions import Question

__all__ = ["imported_name", "value_fixes"]


def value_fixes(asked: Question) -> list[Fix]:
    """What to write in place of an expression that needs a value, best first."""
    match asked.kind:
        case "mask":
            return list(_mask_fixes(asked))
        case "size":
            return list(_size_fixes(asked))
        case "array":
            return list(_array_fixes(asked))
        case "index" | "static":
            return list(_index_fixes(asked))
        case "format":
            return list(_format_fixes(asked))
        case "hash":
            return list(_hash_fixes(asked))
        case "mode":
            return list(_mode_fixes(asked))
    return list(_number_fixes(asked))


# -- common pieces

def _static(asked: Question, first: bool) -> Iterator[Fix]:
    names = asked.settings()
    made = None
    if first:
        made = static_fix(asked.origin, names, f"make {listed(names)} static, so that jit compiles once for each value "
                          "of it") if names else None
    elif names:
        plain = "is a plain Python value" if len(names) == 1 else "are plain Python values"
        made = static_fix(asked.origin, names, when=f"when {' and '.join(names)} {plain}")
    if made is not None:
        yield made


def imported_name(file: SourceFile, dotted: str) -> str:
    """The full name of what `dotted` means in a file: "numpy.sin" for `np.sin` after `import numpy as np`."""
    first, _, rest = dotted.partition(".")
    for node in ast.walk(file.tree) if file.tree is not None else ():
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname == first or (alias.asname is None and alias.name.partition(".")[0] == first):
                    base = alias.name if alias.asname else first
                    return f"{base}.{rest}" if rest else base
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == first:
                    base = f"{node.module}.{alias.name}"
                    return f"{base}.{rest}" if rest else base
    return dotted


def _device_name(asked: Question, full: str) -> str:
    """`jax.numpy.sin` as the user's file would write it."""
    return f"{asked.jnp}{full.removeprefix('jax.numpy')}" if full.startswith("jax.numpy.") else full


def _host_fixes(asked: Question) -> Iterator[Fix]:
    found = asked.node
    if found is None or not isinstance(found.node, ast.Call):
        return
    callee = ast.unparse(found.node.func)
    arguments = ", ".join(ast.unparse(a) for a in found.node.args)
    if isinstance(found.file.parent(found.node), ast.Expr):
        yield Fix("call it on the host, where the values are known", code=f"jax.debug.callback({callee}, {arguments})")
        return
    yield Fix("work that only the host can do: say what type comes back",
              code=f"jax.pure_callback({callee}, jax.ShapeDtypeStruct(shape, dtype), {arguments})")


# -- functions of NumPy, of math

def _counterpart_fix(asked: Question) -> Fix | None:
    found = asked.node
    if found is None or not isinstance(found.node, ast.Call):
        return None
    function = found.at(found.node.func)
    full = imported_name(found.file, ast.unparse(found.node.func))
    target = counterpart(full)
    if target is None:
        return None
    name = _device_name(asked, target)
    source = {"math": "`math`", "scipy": "SciPy"}.get(full.partition(".")[0], "NumPy")
    return Fix(f"use the function that works on the device, in place of the one of {source}",
               edits=(Edit(function.span, name),))


def _array_fixes(asked: Question) -> Iterator[Fix]:
    found = asked.node
    if found is not None and isinstance(found.node, ast.Subscript):
        base = found.at(found.node.value)
        yield Fix("index a device array, not one of NumPy",
                  edits=(Edit(base.span, f"{asked.jnp}.asarray({base.text})"),))
        yield from _static(asked, first=False)
        return
    made = _counterpart_fix(asked)
    if made is not None:
        yield made
    elif found is not None and isinstance(found.node, ast.BinOp):
        yield Fix("make device arrays of the operands first",
                  code=f"{asked.jnp}.asarray({ast.unparse(found.node.left)})")
    else:
        yield from _host_fixes(asked)
    yield from _static(asked, first=False)


def _number_fixes(asked: Question) -> Iterator[Fix]:
    found, value = asked.node, asked.value
    made = _counterpart_fix(asked)
    if made is not None:
        yield made
    elif asked.kind == "pickle":
        yield Fix("return it from the traced function, and save it there")
        yield from _host_fixes(asked)
        return
    elif asked.kind == "place":
        yield Fix("ask the arguments before the call, or the result after it")
        return
    elif found is not None and value is not None:
        if asked.looks_like_settings():
            yield from _static(asked, first=True)
        text = value.grouped
        if asked.kind == "int":
            text = f"{text}.astype(int)"
        yield Fix("keep it an array: it can be computed with as it is", edits=(Edit(found.span, text),))
    yield Fix(f"return it from `{asked.origin.function}`, and convert the result" if asked.origin.function else
              "return it from the traced function, and convert the result")
    if not asked.looks_like_settings():
        yield from _static(asked, first=False)


# -- integers, axes, shapes

def _index_fixes(asked: Question) -> Iterator[Fix]:
    found = asked.node
    if found is not None and isinstance(found.node, ast.Subscript) and asked.kind == "index":
        base, index = found.at(found.node.value), found.node.slice
        if isinstance(index, ast.Slice):
            yield from _static(asked, first=True)
            yield Fix("of an array, take a part that begins anywhere but has a fixed size",
                      code=f"{asked.lax}.dynamic_slice_in_dim(array, start, size)")
        else:
            yield Fix("index an array, not a Python list",
                      edits=(Edit(base.span, f"{asked.jnp}.array({base.text})"),))
            yield from _static(asked, first=False)
        return
    if found is not None and isinstance(found.node, ast.Call) and ast.unparse(found.node.func) == "range":
        yield from for_fix(asked)
        yield from _static(asked, first=False)
        return
    made = list(_static(asked, first=True))
    yield from made
    if not made:
        yield from _fixed_size(asked)
    elif asked.kind == "index" and asked.origin.transform == "jit" and _names_a_shape(asked):
        yield Fix(f"take the size from the shape of an argument, which is known while jit traces: "
                  f"`{_some_array(asked)}.shape[0]`")


def _names_a_shape(asked: Question) -> bool:
    call = asked.node.node if asked.node is not None else None
    return isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in (
        "zeros", "ones", "full", "arange", "eye", "reshape", "empty", "linspace", "broadcast_to")


def _some_array(asked: Question) -> str:
    arrays = [n.name for n in asked.traced.values() if n.provenance.shape]
    return arrays[0] if arrays else "x"


def _fixed_size(asked: Question) -> Iterator[Fix]:
    """Sizes that depend on data: an upper bound, and a mask."""
    if _names_a_shape(asked) and asked.value is not None:
        yield Fix("use a fixed upper bound, and mask what lies beyond it",
                  code=f"{asked.jnp}.arange(largest) < {asked.value.text}")
    elif asked.value is not None:
        yield Fix("use a plain Python integer, or compute it from shapes: they are known while tracing")


# -- masks and sizes that depend on values

_REDUCTIONS = {"sum": "0", "any": "False", "prod": "1", "count_nonzero": "0"}
_MASKED = ("mean", "max", "min", "std", "var", "sum", "prod", "any", "all")
_UPDATES = {"set": "{value}", "add": "{base} + {value}", "multiply": "{base} * {value}", "mul": "{base} * {value}",
            "divide": "{base} / {value}", "power": "{base} ** {value}"}


def _mask_fixes(asked: Question) -> Iterator[Fix]:
    found = asked.node
    if found is None:
        return
    update = _update_fix(asked, found)
    if update is not None:
        yield update
        return
    subscript = found.node
    if isinstance(subscript, ast.Subscript):
        base, mask = found.at(subscript.value), found.at(subscript.slice)
        yield from _selected_fixes(asked, found, base.text, base.grouped, mask.text)


def _update_fix(asked: Question, found: Expression) -> Fix | None:
    """`x.at[mask].set(value)` as `jnp.where(mask, value, x)`."""
    node: ast.AST | None = found.node
    if isinstance(node, ast.Subscript):  # the index was refused before the method was called
        method = found.file.parent(node)
        node = found.file.parent(method) if isinstance(method, ast.Attribute) else None
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Subscript(value=ast.Attribute(value=base, attr="at"), slice=mask),
                                         attr=verb), args=[value]) if verb in _UPDATES:
            text = _UPDATES[verb].format(base=found.at(base).grouped, value=found.at(value).grouped)
            text = found.at(value).text if verb == "set" else text
            new = f"{asked.jnp}.where({ast.unparse(mask)}, {text}, {ast.unparse(base)})"
            fits = isinstance(value, ast.Constant | ast.UnaryOp) or verb != "set"
            return Fix("choose entry by entry instead", edits=(Edit(found.at(node).span, new),), when="" if fits else
                       f"where the value is a number, or has the shape of `{ast.unparse(base)}`")
    return None


def _selected_fixes(asked: Question, found: Expression, base: str, grouped: str, mask: str) -> Iterator[Fix]:
    file = found.file
    attribute = file.parent(found.node)
    call = file.parent(attribute) if isinstance(attribute, ast.Attribute) else None
    if isinstance(attribute, ast.Attribute) and isinstance(call, ast.Call) and not call.args and not call.keywords:
        reduction = attribute.attr
        if reduction in _REDUCTIONS:
            text = f"{asked.jnp}.where({mask}, {base}, {_REDUCTIONS[reduction]}).{reduction}()"
            yield Fix("keep all entries, with a neutral value in place of the others",
                      edits=(Edit(found.at(call).span, text),))
            return
        if reduction in _MASKED:
            initial = ", initial=0" if reduction in ("max", "min") else ""
            yield Fix("let the reduction skip the others",
                      edits=(Edit(found.at(call).span, f"{grouped}.{reduction}(where={mask}{initial})"),))
            return
    yield Fix("keep all entries, with a neutral value in place of the others",
              edits=(Edit(found.span, f"{asked.jnp}.where({mask}, {base}, 0)"),))
    yield Fix(code=f"{asked.jnp}.mean({base}, where={mask})", when="reductions can skip the others")
    size = math.prod(asked.origin.shape)
    yield Fix(code=f"{base}[{asked.jnp}.nonzero({mask}, size={size}, fill_value=0)]",
              when="when the entries must be moved together; `size` is the most there can be")


_SIZES_BY_VALUE = {"total_repeat_length": ("total", "the sum of `{}`"), "length": ("n", "one more than the largest of `{}`"),
                   "num_segments": ("n", "one more than the largest of `{}`")}
"""Sizes that the number of entries does not bound: what to call them, and what they are."""


def _size_fixes(asked: Question) -> Iterator[Fix]:
    found, option = asked.node, asked.error.wanted
    if found is None or not isinstance(found.node, ast.Call):
        return
    call = found.node
    name = ast.unparse(call.func).rpartition(".")[2]
    size = math.prod(asked.origin.shape)
    callee = asked.error.callee
    if option and option not in _SIZES_BY_VALUE and callee and name != callee.rpartition(".")[2]:  # within what was called
        value = asked.value.text if asked.value is not None else "values"
        yield Fix("say it where it is asked for", code=f"{callee}({value}, {option if '=' in option else f'{option}={size}'})")
        yield from _static(asked, first=False)
        return
    mask = ast.unparse(call.args[0]) if call.args else (asked.value.text if asked.value is not None else "mask")
    compare = call.args[0] if call.args else None
    if name in ("where", "nonzero", "argwhere", "flatnonzero"):
        data = ast.unparse(compare.left) if isinstance(compare, ast.Compare) else "values"
        yield Fix("if the positions only select entries, keep all of them, with a neutral value in place of the others",
                  code=f"{asked.jnp}.where({mask}, {data}, 0)",
                  when="" if isinstance(compare, ast.Compare) else "where they select from `values`")
    if option in _SIZES_BY_VALUE:
        size_name, meaning = _SIZES_BY_VALUE[option]
        text = f"{ast.unparse(call)[:-1]}, {option}={size_name})"
        argument = asked.value.text if asked.value is not None else "the argument"
        yield Fix(f"say the size of the result; `{size_name}` is a plain number, {meaning.format(argument)} or more", code=text)
    elif "=" in option:
        yield Fix("keep the size, whatever the values are", edits=(Edit(
            found.span, f"{ast.unparse(call)[:-1]}{', ' if call.args or call.keywords else ''}{option})"),))
    elif option:
        text = f"{ast.unparse(call)[:-1]}{', ' if call.args or call.keywords else ''}{option}={size})"
        yield Fix("say the size of the result; what is missing is filled up (`fill_value=` says with what)",
                  code=text, edits=(Edit(found.span, text),))
    else:
        yield from _host_fixes(asked)
    yield from _static(asked, first=False)


def _mode_fixes(asked: Question) -> Iterator[Fix]:
    """Another mode of a function that looks whether indices lie outside."""
    found = asked.node
    if found is not None and isinstance(found.node, ast.Call):
        for mode, says in (("clip", "take the nearest entry for indices outside"), ("wrap", "count on from the beginning")):
            yield Fix(says, edits=(with_keyword(found, "mode", repr(mode)),))
    yield from _static(asked, first=False)


# -- text, hashes

def _format_fixes(asked: Question) -> Iterator[Fix]:
    found = asked.node
    template, values = _template(found) if found is not None else ("", [])
    if template:
        yield Fix("print it when the program runs", code=f"jax.debug.print({template!r}, {', '.join(values)})")
    else:
        yield Fix("print it when the program runs", code=f"jax.debug.print('{{}}', {asked.value_text.strip('`')})")
    yield Fix("return the value, and make the text of the result")


def _template(found: Expression) -> tuple[str, list[str]]:
    node = found.file.enclosing(found.node, (ast.JoinedStr,))
    if not isinstance(node, ast.JoinedStr):
        return "", []
    text, values = "", []
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("{", "{{").replace("}", "}}")
        elif isinstance(part, ast.FormattedValue):
            spec = "".join(str(p.value) for p in part.format_spec.values if isinstance(p, ast.Constant)) if isinstance(
                part.format_spec, ast.JoinedStr) else ""
            text += f"{{:{spec}}}" if spec else "{}"
            values.append(ast.unparse(part.value))
    return text, values


def _hash_fixes(asked: Question) -> Iterator[Fix]:
    yield from _static(asked, first=True)
    value = asked.value_text.strip("`")
    yield Fix("use as the key what is known while tracing: a name, a Python number, a shape",
              code=f"({value}.shape, {value}.dtype)" if asked.value is not None and asked.origin.shape else ())
