"""`fwd_and_bwd`: both halves of reverse mode as functions, each compiled once."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.api.errors import ArgumentNumberError
from perspicax.api.jit import jit
from perspicax.api.wrapping import check_callable, public
from perspicax.transform.grad import argument_numbers, vjp
from perspicax.transform.stage import function_name, wraps

__all__ = ["fwd_and_bwd"]


@public
def fwd_and_bwd(fun: Callable[..., Any], argnums: int | Sequence[int], has_aux: bool = False,
                jitted: bool = True) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The forward and the backward pass of a function, as two functions that are compiled once for all calls.

    The pull-back that `vjp` returns is compiled anew for each call of `vjp`; these are not.

    Args:
        fun: a function of pytrees of arrays.
        argnums: which positional arguments to differentiate, an int or several.
        has_aux: whether `fun` returns `(value, aux)`.
        jitted: whether to jit both.

    Returns:
        `(fwd, bwd)`: `fwd(*args)` returns `(value, residuals)`, with `has_aux` `(value, residuals, aux)`, and
        `bwd(residuals, cotangent)` the cotangent of the argument, or a tuple of them where `argnums` are several.

    Raises:
        NotCallableError: `fun` is no function.
        ArgumentNumberError: by `fwd`, when `argnums` names an argument that is not there.
        TangentError: by `bwd`, for a cotangent whose structure, shape or dtype is not the value's.

    >>> fwd, bwd = fwd_and_bwd(lambda x, y: x * y, argnums=(0, 1))
    >>> value, residuals = fwd(2.0, 3.0)
    >>> bwd(residuals, 1.0)
    (Array(3., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    check_callable("fwd_and_bwd", fun)
    single = hasattr(argnums, "__index__")
    numbers = argument_numbers("fwd_and_bwd", fun, argnums)

    def forward(*args: Any, **kwargs: Any) -> Any:
        for n in numbers:
            if not -len(args) <= n < len(args):
                raise ArgumentNumberError(transform="fwd_and_bwd", function=function_name(fun), number=n,
                                          count=len(args))
        positions = [n % len(args) for n in numbers]

        def of_chosen(*chosen: Any) -> Any:
            full = list(args)
            for n, value in zip(positions, chosen):
                full[n] = value
            return fun(*full, **kwargs)

        chosen = [args[n] for n in positions]
        return vjp(wraps(fun, of_chosen), *chosen, has_aux=has_aux)

    def backward(residuals: Any, cotangent: Any) -> Any:
        found = residuals(cotangent)
        return found[0] if single else found

    forward.__name__ = forward.__qualname__ = f"fwd({function_name(fun)})"
    backward.__name__ = backward.__qualname__ = f"bwd({function_name(fun)})"
    return (jit(forward), jit(backward)) if jitted else (public(forward), public(backward))
