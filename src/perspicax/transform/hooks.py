"""What transformations need of the lax room, filled in by it once, at import."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.xla.array import from_numpy
from perspicax.xla.explicit import dual


class LaxHooks(Protocol):
    """The operations that the rules of transformations are written with."""

    add: Callable[[Any, Any], Any]  # cotangents of one type
    zeros: Callable[[Any], Any]  # of a type
    ones: Callable[[Any], Any]
    broadcast: Callable[[Any, int, int], Any]  # (x, size, axis): x repeated along a new axis
    move_axis: Callable[[Any, int, int], Any]  # (x, source, destination)
    convert: Callable[[Any, ShapedArray], Any]  # to a dtype and weak type
    expand: Callable[[Any, int, int], Any]  # (x, rank, place): a vector as an array of that rank, its axis at place
    broadcast_to: Callable[[Any, tuple[int, ...]], Any]  # axes of size 1 repeated
    stop_gradient: Callable[[Any], Any]
    in_memory: Callable[[Any, Any], Any]  # the same value, in the memory that a type tells
    psum_over: Callable[[Any, frozenset], Any]  # the sum over axes of a mesh, the same along these
    vary_over: Callable[[Any, frozenset], Any]  # the same value, of a type that may differ along axes of a mesh
    laid_as: Callable[..., Any]  # the same value, split over explicit axes of a mesh as a type says, and varying as it does


_filled: list[LaxHooks] = []


def fill(hooks: LaxHooks) -> None:
    """Install the operations."""
    _filled[:] = [hooks]


def lax() -> LaxHooks:
    """The operations of the lax room."""
    return _filled[0]


def add_tangents(x: Any, y: Any) -> Any:
    """The sum of two tangents or cotangents, either of which may be `Zero`."""
    if type(x) is Zero:
        return y
    if type(y) is Zero:
        return x
    return lax().add(x, y)


def as_cotangent(aval: Any) -> Any:
    """The type of a cotangent of a value of an inexact type."""
    return aval if getattr(aval, "explicit", None) is None else aval.to_cotangent_aval()


def flowing_to(aval: Any, ct: Any) -> Any:
    """A cotangent of a value of type `aval`.

    Where the value is the same along an axis of a mesh and what was computed from it is not, it was given to all along that
    axis: what comes back is their sum.
    """
    if type(ct) is Zero:
        return ct
    own = get_aval(ct)
    wanted = aval.explicit if aval.explicit is None else dual(aval.explicit)
    if own.explicit is not wanted and own.ndim == aval.ndim:
        ct = lax().laid_as(ct, wanted, aval.vma)
        own = get_aval(ct)
    if own.memory is not aval.memory:
        ct = lax().in_memory(ct, aval.memory)
    more = own.vma - aval.vma
    return lax().psum_over(ct, more) if more else ct


def as_varying(aval: Any, x: Any) -> Any:
    """A tangent of a value of type `aval`, in a type that varies along the same axes, and is split alike."""
    own = get_aval(x)
    if own.explicit is not aval.explicit and own.ndim == aval.ndim:
        x = lax().laid_as(x, aval.explicit, aval.vma)
        own = get_aval(x)
    if own.memory is not aval.memory:
        x = lax().in_memory(x, aval.memory)
    less = aval.vma - own.vma
    return lax().vary_over(x, less) if less else x


def instantiate(x: Any) -> Any:
    """An operand in place of a symbolic zero."""
    return filled(x.aval, 0) if type(x) is Zero else x


def filled(aval: Any, number: int) -> Any:
    """An operand of an inexact type with 0 or 1 everywhere; a scalar costs no operation, and is no array of ours."""
    if aval.shape == () and not aval.extended and aval.memory is None:
        if not aval.weak_type:
            made = np.asarray(number, aval.dtype)
            if get_aval(made) is aval:
                return made
            return from_numpy(made)  # an array of 64 bits, while these are switched off: NumPy's would be cut down
        weak = complex(number) if aval.dtype.kind == "c" else float(number)
        if get_aval(weak) is aval:
            return weak
    return lax().ones(aval) if number else lax().zeros(aval)


def as_traced(x: Any) -> Any:
    """What users' functions get in place of a number or a NumPy array: an array."""
    return x if isinstance(x, Array) else lax().convert(x, get_aval(x))
