"""Functions of neural networks are compiled: one program when they are called, one equation when they are traced."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions


def compiled(*, static: Sequence[str] = (), inline: bool = False) -> Callable[[Callable[..., Any]], JitFunction]:
    """A decorator: the function as one program.

    Args:
        static: names of arguments that are Python values.
        inline: whether it stands as its own equations in what is traced.
    """
    options = JitOptions(static_argnames=tuple(static) or None, inline=inline)
    return lambda f: JitFunction(f, options)


__all__ = ["compiled"]
