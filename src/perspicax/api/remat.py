"""`checkpoint` as users call it, and the list of what a function keeps for its derivative."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from perspicax.api.wrapping import application, transformation
from perspicax.core.jaxpr import ClosedJaxpr, Literal
from perspicax.core.trace import stage_flat
from perspicax.diagnose.boundary import public
from perspicax.diagnose.source import Position
from perspicax.lax import naming, remat_rules  # noqa: F401  (the second founds the rules of loops and branches)
from perspicax.transform import remat as _remat
from perspicax.transform import trees as tree
from perspicax.transform.jvp import linearize_jaxpr
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info

__all__ = ["Residual", "checkpoint", "checkpoint_name", "print_saved_residuals", "remat", "saved_residuals"]

checkpoint = transformation(_remat.checkpoint)
remat = transformation(_remat.remat)
checkpoint_name = public(naming.checkpoint_name)


class Residual(NamedTuple):
    """A value that waits for the backward pass.

    Attributes:
        aval: its type.
        kind: `argument`, `constant`, `named` or `result`.
        name: of the argument, the name that `checkpoint_name` gave it, or of the operation that computed it.
        position: where in the user's code it was computed.
    """

    aval: Any
    kind: str
    name: str
    position: Position | None

    def __str__(self) -> str:
        words = {"argument": f"the argument {self.name}", "constant": "a constant", "named": f"named {self.name!r}",
                 "result": f"the result of {self.name}"}
        span = None if self.position is None else self.position.span()
        place = "" if span is None else f", {span.filename}:{span.line} in {span.function}"
        return f"{self.aval.str_short(short_dtypes=True)} {words[self.kind]}{place}"


def _saved_residuals(f: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Residual]:
    """What reverse mode keeps of the forward pass of `f`, arguments first.

    Args:
        f: the function.
        args, kwargs: its arguments.
    """
    leaves, in_tree = tree.flatten((args, kwargs))
    avals = check_arguments(leaves, in_tree, f, "linearize")
    debug = debug_info("linearize", f, in_tree)
    staged = stage_flat(FlatFunction(f, in_tree, "linearize"), avals, debug)
    body, count = staged.jaxpr, len(staged.consts)
    opened = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
    moving = tuple([i >= count and a.to_tangent_aval() is a for i, a in enumerate(opened.in_avals)])
    parts = linearize_jaxpr(opened, moving)
    forward = parts.forward.jaxpr
    names = debug.arg_names or ()
    found: list[Residual] = []
    inner = {i for kind, i in parts.residuals if kind == "in"}
    for i in sorted(inner):
        is_constant = i < count
        found.append(Residual(opened.in_avals[i], "constant" if is_constant else "argument",
                              "" if is_constant else names[i - count], None))
    wanted = {forward.outvars[i] for kind, i in parts.residuals if kind == "out" and type(forward.outvars[i]) is not Literal}
    found += [Residual(v.aval, "constant", "", None) for v in forward.constvars if v in wanted]
    for eqn in forward.eqns:
        for v in eqn.outvars:
            if v in wanted:
                is_named = eqn.primitive is naming.name_p
                name = eqn.params["name"] if "name" in eqn.params else eqn.primitive.name
                found.append(Residual(v.aval, "named" if is_named else "result", name, eqn.position))
    return found


def _print_saved_residuals(f: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Print what reverse mode keeps of the forward pass of `f`: one line for each value, with its type and origin.

    Args:
        f: the function.
        args, kwargs: its arguments.

    Raises:
        ArgumentTypeError: an argument is no array.
        NotCallableError: `f` is no function.
    """
    for residual in _saved_residuals(f, *args, **kwargs):
        print(residual)


_saved_residuals.__name__ = _saved_residuals.__qualname__ = "saved_residuals"
_print_saved_residuals.__name__ = _print_saved_residuals.__qualname__ = "print_saved_residuals"
saved_residuals = application(_saved_residuals)
print_saved_residuals = application(_print_saved_residuals)
