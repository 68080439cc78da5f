"""`vectorize`: a function of single elements, or of vectors and matrices, made one of arrays by broadcasting."""
from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from perspicax.core import tree
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import ReportedError
from perspicax.lax import shape as lax_shape
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.promote import broadcast_shape_of
from perspicax.transform.vmap import vmap

Core = tuple[str, ...]


class SignatureError(ReportedError, ValueError, TypeError):
    """Arguments or results do not have the axes that the signature of a vectorised function says."""


def parsed(signature: str) -> tuple[list[Core], list[Core]]:
    """The names of the axes of arguments and of results: `(n,m),(m)->(n)`.

    Raises:
        ArgumentValueError: it is no signature.
    """
    sides = signature.replace(" ", "").split("->")
    if len(sides) == 2:
        found = [_groups(side) for side in sides]
        if None not in found:
            return found[0], found[1]  # type: ignore[return-value]
    raise ArgumentValueError(says=f"`vectorize` was given signature={signature!r}.",
                             why='for each argument it names the axes in parentheses, and for each result behind an arrow, '
                                 'as in "(n,m),(m)->(n)"')


def _groups(text: str) -> list[Core] | None:
    if not text:
        return []
    if not (text.startswith("(") and text.endswith(")")):
        return None
    groups = [tuple(part.split(",")) if part else () for part in text[1:-1].split("),(")]
    names = [name for group in groups for name in group]
    return groups if all(name.isidentifier() or name.isdigit() for name in names) else None


@public
def vectorize(pyfunc: Callable[..., Any], *, excluded: Collection[int | str] = frozenset(),
              signature: str | None = None) -> Callable[..., Any]:
    """A function of arrays from one of their elements: arguments broadcast, and it is applied to each element.

    Args:
        pyfunc: the function; it is traced once, with `vmap`.
        excluded: positions and names of arguments that are handed on as they are.
        signature: which axes of the arguments and results belong together, as `"(n,m),(m)->(n)"`; the others, in front of
            these, are broadcast. By default all are scalars.

    Returns:
        Function of arrays; `None` (where the signature has no axes for it) and arguments by name are handed on as they are.
        It raises `SignatureError` where axes do not fit.

    Raises:
        ArgumentValueError: the signature is none.

    Differs: JAX leaves out arguments by name that are not excluded.

    >>> vectorize(jnp.dot, signature="(n),(n)->()")(jnp.ones((2, 3)), jnp.ones(3))
    Array([3., 3.], dtype=float32)
    """
    for key in excluded:
        if not isinstance(key, (int, str)):
            raise ArgumentKindError(says=f"`vectorize` was given {key!r} among the excluded arguments.",
                                    why="they are positions and names")
        if isinstance(key, int) and key < 0:
            raise ArgumentValueError(says=f"`vectorize` was given {key} among the excluded arguments.",
                                     why="positions are counted from 0")
    cores = None if signature is None else parsed(signature)
    name = getattr(pyfunc, "__name__", "f")

    @public
    def vectorized(*args: Any, **kwargs: Any) -> Any:
        places = [i for i, x in enumerate(args) if i not in excluded and x is not None]
        xs = [asarray(args[i]) for i in places]
        inputs = [()] * len(args) if cores is None else cores[0]
        taking = len(args) - len([i for i in range(len(args)) if i in excluded])
        if cores is not None and taking != len(inputs):
            raise SignatureError(says=f"`{name}`, vectorised with signature={signature!r}, was given {taking} arguments.",
                                 why=f"the signature has {len(inputs)}")
        order = [i for i in range(len(args)) if i not in excluded]
        missing = [i for i in order if args[i] is None and cores is not None and inputs[order.index(i)]]
        if missing:
            raise SignatureError(says=f"`{name}`, vectorised with signature={signature!r}, was given None as argument "
                                      f"{missing[0]}.",
                                 why="the signature says which axes it has; what is no array is named by `excluded`")
        mine: list[Core] = [() if cores is None else inputs[order.index(i)] for i in places]

        def applied(*ys: Any) -> Any:
            full = list(args)
            for i, y in zip(places, ys):
                full[i] = y
            found = pyfunc(*full, **kwargs)
            if cores is not None:
                _check_results(found, cores[1], sizes, name, signature)
            return found

        sizes = _core_sizes(xs, mine, name, signature)
        return _mapped(applied, xs, mine, name)

    functools.update_wrapper(vectorized, pyfunc, [a for a in functools.WRAPPER_ASSIGNMENTS if hasattr(pyfunc, a)])
    return vectorized


def _core_sizes(xs: Sequence[Any], cores: Sequence[Core], name: str, signature: str | None) -> dict[str, int]:
    """The sizes of the named axes, which must agree."""
    sizes: dict[str, int] = {}
    for x, core in zip(xs, cores):
        if x.ndim < len(core):
            raise SignatureError(says=f"`{name}`, vectorised with signature={signature!r}, was given {x.aval.str_short()}.",
                                 why=f"there the signature has the axes ({', '.join(core)})")
        for axis, n in zip(core, x.shape[x.ndim - len(core):]):
            wanted = sizes.setdefault(axis, n)
            if n != wanted:
                raise SignatureError(says=f"`{name}`, vectorised with signature={signature!r}, was given {x.aval.str_short()}.",
                                     why=f"the axis {axis} has {n} entries there, and {wanted} elsewhere")
    return sizes


def _check_results(found: Any, cores: Sequence[Core], sizes: dict[str, int], name: str, signature: str | None) -> None:
    if len(cores) != 1 and not (isinstance(found, (tuple, list)) and len(found) == len(cores)):
        raise SignatureError(says=f"`{name}`, vectorised with signature={signature!r}, returned "
                                  f"{f'{len(found)} results' if isinstance(found, (tuple, list)) else 'a single result'}.",
                             why=f"the signature has {len(cores)}, which are returned as a tuple")
    for x, core in zip([found] if len(cores) == 1 else found, cores):
        aval: Any = get_aval(x)
        fits = len(aval.shape) == len(core) and all(
            sizes.setdefault(axis, n) == n for axis, n in zip(core, aval.shape))
        if not fits:
            known = ", where " * any(axis in sizes for axis in core)
            known += ", ".join([f"{axis} = {sizes[axis]}" for axis in core if axis in sizes])
            raise SignatureError(says=f"`{name}`, vectorised with signature={signature!r}, returned {aval.str_short()}.",
                                 why=f"there the signature has the axes ({', '.join(core)}){known}")


def _mapped(f: Callable[..., Any], xs: Sequence[Any], cores: Sequence[Core], name: str) -> Any:
    """`f` under a `vmap` for each axis that is broadcast; axes of size 1 are not copied but shared."""
    loops = [x.aval.at_shape(x.shape[:x.ndim - len(core)]) for x, core in zip(xs, cores)]
    shape = broadcast_shape_of(name, loops)
    flags: list[list[int | None]] = []  # for each broadcast axis, whether each argument has it
    squeezed = []
    for level, n in enumerate(shape):
        flags.append([])
        for loop in loops:
            at = level - (len(shape) - len(loop.shape))
            flags[-1].append(0 if at >= 0 and loop.shape[at] == n else None)
    for k, (x, loop) in enumerate(zip(xs, loops)):
        offset = len(shape) - len(loop.shape)
        shared = [i for i in range(len(loop.shape)) if flags[i + offset][k] is None]
        squeezed.append(lax_shape.squeeze(x, shared) if shared else x)
    for taking in reversed(flags):
        f = vmap(f, in_axes=tuple(taking))
    found = f(*squeezed)
    return found if shape else tree.tree_map(asarray, found)


__all__ = ["SignatureError", "parsed", "vectorize"]
