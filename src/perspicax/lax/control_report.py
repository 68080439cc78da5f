"""Words that the reports of loops and branches share."""
from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from perspicax.diagnose.report import Edit, Fix

if TYPE_CHECKING:
    from perspicax.diagnose.expression import Expression

_MOST = 10


def listed(lines: list[str]) -> str:
    """Indented lines, as many as a report has room for."""
    shown = [f"    {line}" for line in lines[:_MOST]]
    if len(lines) > _MOST:
        shown.append(f"    … and {len(lines) - _MOST} more")
    return "\n".join(shown)


def called(function: str) -> str:
    """A function by name; a lambda has none."""
    return "a lambda" if function == "<lambda>" else f"`{function}`"


def body_of(function: str) -> str:
    """The body of a loop, at the beginning of a sentence."""
    return "The body, a lambda," if function == "<lambda>" else f"The body `{function}`"


def structure_text(text: str) -> str:
    """The text of a treedef without its class: `(*, *)`."""
    return f"`{text.removeprefix('PyTreeDef(').removesuffix(')')}`" if text.startswith("PyTreeDef(") else text


def weakly(aval: Any) -> str:
    """A type, and whether it is weak."""
    return f"{aval.str_short()} (weak)" if getattr(aval, "weak_type", False) else aval.str_short()


def path_text(whole: Expression | None, otherwise: str, path: str) -> str:
    """An expression for the part of `whole` at a path."""
    simple = whole is not None and isinstance(whole.node, ast.Name | ast.Attribute | ast.Subscript)
    return f"{whole.text if whole is not None and (simple or not path) else otherwise}{path}"


def split_alone(a: Any, b: Any) -> bool:
    """Whether two types differ in how explicit axes of a mesh split them, and in nothing else."""
    return a.shape == b.shape and a.dtype == b.dtype and a.explicit is not b.explicit


def relaid(text: str, aval: Any) -> str:
    """An expression, split as a type says."""
    return f"jax.reshard({text}, jax.{'P()' if aval.explicit is None else aval.explicit.spec})"


def dtype_name(aval: Any) -> str:
    """The dtype as an attribute of `jax.numpy`."""
    return "bool_" if str(aval.dtype) == "bool" else str(aval.dtype)


def rewrite(old: Expression | None, new: str, says: str) -> Fix:
    """A fix that puts `new` in the place of an expression, or shows it where there is no such place."""
    return Fix(says, edits=(Edit(old.span, new),)) if old is not None else Fix(says, code=new)


__all__ = ["body_of", "called", "dtype_name", "listed", "path_text", "relaid", "rewrite", "split_alone",
           "structure_text", "weakly"]
