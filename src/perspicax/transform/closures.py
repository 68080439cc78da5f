"""What a function closes over, made explicit: `closure_convert`, and `custom_gradient`, which needs it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.core.tree_register import register_pytree_node
from perspicax.diagnose.boundary import public
from perspicax.transform import trees as tree
from perspicax.transform.custom import custom_vjp, described
from perspicax.transform.custom_errors import CustomGradientError, StructureError
from perspicax.transform.hooks import as_traced
from perspicax.transform.places import return_place
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, wraps

__all__ = ["closure_convert", "custom_gradient"]


def closure_convert(fun: Callable[..., Any], *example_args: Any) -> tuple[Callable[..., Any], list[Any]]:
    """`fun` without the traced values that it closes over, and these values.

    A rule of a custom derivative knows only what comes as an argument; a function handed to it may close over values
    that are being differentiated. They are taken out of it here, so that they can be handed over as arguments.

    Args:
        fun: a pure function of pytrees of arrays.
        example_args: arguments for it, for their structure, shapes and dtypes.

    Returns:
        `(converted, values)`: `converted(*args, *values)` is `fun(*args)`, for arguments of those types; `values` are
        the floating-point or complex values that `fun` closes over, directly or through what it calls, and that are
        being traced.

    Raises:
        StructureError: by `converted`, for arguments of another structure.

    >>> converted, values = closure_convert(lambda x: x * 2, 1.0)
    >>> converted(3.0, *values)
    Array(6., dtype=float32, weak_type=True)
    """
    leaves, in_tree = tree.flatten((example_args, {}))
    avals = check_arguments(leaves, in_tree, fun, "closure_convert")
    flat = FlatFunction(fun, in_tree, "closure_convert")
    closed: ClosedJaxpr = stage_flat(flat, avals, debug_info("closure_convert", fun, in_tree))
    out_tree, count, name = flat.out_tree, len(example_args), function_name(fun)
    del flat
    hoisted = [_may_move(x) for x in closed.consts]
    kept = [None if h else x for h, x in zip(hoisted, closed.consts)]

    def converted(*args: Any) -> Any:
        given, values = args[:count], args[count:]
        operands, given_tree = tree.flatten((given, {}))
        if given_tree != in_tree or len(values) != sum(hoisted):
            raise StructureError(function=name, transform="closure_convert", expected=in_tree, got=given_tree,
                                 values=sum(hoisted), given=len(values))
        rest = iter(values)
        consts = [next(rest) if h else x for h, x in zip(hoisted, kept)]
        return out_tree.unflatten(eval_jaxpr(closed.jaxpr, consts, *operands))

    return wraps(fun, public(converted)), [x for h, x in zip(hoisted, closed.consts) if h]


def _may_move(x: Any) -> bool:
    """Whether a value that a function closes over may be differentiated."""
    aval: Any = get_aval(x)
    return isinstance(x, Tracer) and not aval.extended and dtypes.issubdtype(aval.dtype, np.inexact)


# -- custom_gradient

class _PullBack:
    """The function that `fun` returned for the backward pass: a jaxpr, and what it closes over, which are residuals."""

    __slots__ = ("consts", "jaxpr", "out_tree")

    def __init__(self, consts: list[Any], jaxpr: Any, out_tree: Any) -> None:
        self.consts, self.jaxpr, self.out_tree = consts, jaxpr, out_tree


register_pytree_node(_PullBack, lambda p: (p.consts, (p.jaxpr, p.out_tree)),
                     lambda static, consts: _PullBack(list(consts), *static))


def custom_gradient(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives its value and its pull-back at once.

    Args:
        fun: `fun(*args) -> (value, pull_back)`, where `pull_back(cotangent)` returns a tuple of cotangents, one for
            each argument (for a single argument also the cotangent alone). `pull_back` may close over what `fun` has
            computed, but not decide by it in Python.

    Returns:
        A function of the same arguments that returns `value`.

    Raises:
        CustomGradientError: `fun` does not return such a pair.
        CustomRuleError: the pull-back returns another structure than the arguments'.
        CotangentTypeError: or another shape or dtype.

    >>> @custom_gradient
    ... def square(x): return x ** 2, lambda ct: (ct * x,)
    >>> grad(square)(3.0)
    Array(3., dtype=float32, weak_type=True)
    """
    name = function_name(fun)

    def both(*args: Any, **kwargs: Any) -> tuple[Any, Callable[..., Any]]:
        pair = fun(*args, **kwargs)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CustomGradientError(function=name, kind="pair", got=described(pair), position=return_place(fun))
        if not callable(pair[1]):
            raise CustomGradientError(function=name, kind="pull-back", got=described(pair[1]), position=return_place(fun))
        return pair[0], pair[1]

    def value(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[0]

    def forward(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        args = tree.tree_map(as_traced, args)
        result, pull_back = both(*args, **kwargs)
        avals = [get_aval(x).to_tangent_aval() for x in tree.flatten(result)[0]]  # type: ignore[attr-defined]
        flat = FlatFunction(pull_back, tree.flatten(((result,), {}))[1], "custom_gradient")
        closed: ClosedJaxpr = stage_flat(flat, avals, debug_info("custom_gradient", pull_back, flat.in_tree))
        return result, _PullBack(list(closed.consts), closed.jaxpr, (flat.out_tree, len(args)))

    def backward(residuals: _PullBack, ct: Any) -> Any:
        back_tree, count = residuals.out_tree
        back = back_tree.unflatten(eval_jaxpr(residuals.jaxpr, residuals.consts, *tree.flatten(ct)[0]))
        return (back,) if count == 1 and not isinstance(back, (tuple, list)) else back

    backward.__name__ = "pull_back"
    custom = custom_vjp(wraps(fun, value))
    custom.defvjp(forward, backward)
    return wraps(fun, public(lambda *args, **kwargs: custom(*args, **kwargs)))
