"""Arguments by position and name, flat and as pytrees: `jax.api_util`."""
from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from perspicax.api.argument_errors import ArgumentPartError, SafeMapError
from perspicax.api.wrapped_functions import WrappedFun, transformation2, transformation_with_aux2
from perspicax.api.wrapping import public
from perspicax.core import tree
from perspicax.core.jaxpr import DebugInfo
from perspicax.core.tracer import get_aval, valid_jaxtype
from perspicax.core.tree_paths import keystr
from perspicax.core.tree_prefix import flatten_axes as _flatten_axes
from perspicax.transform.ahead import ShapeDtypeStruct
from perspicax.transform.stage import function_name, positional_names, short_repr

__all__ = [
    "argnums_partial", "debug_info", "donation_vector", "flatten_axes", "flatten_fun", "flatten_fun_nokwargs",
    "rebase_donate_argnums", "safe_map", "shaped_abstractify",
]


class _Fixed:
    """A static argument as a part of a cache's key: equal when the values are, and of one class."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fixed) and type(self.value) is type(other.value) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return short_repr(self.value)


@transformation2
def _with_fixed(below: Callable[..., Any], positions: tuple[int, ...], fixed: tuple[_Fixed, ...], *dynamic: Any,
                **kwargs: Any) -> Any:
    full: list[Any] = [None] * (len(positions) + len(fixed))
    for i, value in zip(positions, dynamic):
        full[i] = value
    rest = iter(fixed)
    return below(*[full[i] if i in positions else next(rest).value for i in range(len(full))], **kwargs)


@public
def argnums_partial(f: WrappedFun, dyn_argnums: int | Sequence[int], args: Sequence[Any],
                    require_static_args_hashable: bool = True) -> tuple[WrappedFun, tuple]:
    """A function of some of its arguments, the others being fixed.

    Args:
        f: a wrapped function (`jax.extend.linear_util.wrap_init`).
        dyn_argnums: positions of the arguments that stay arguments.
        args: all arguments.
        require_static_args_hashable: whether the fixed ones must be hashable, so that the function can be cached.

    Returns:
        The wrapped function of the chosen arguments, and these.

    Raises:
        ArgumentPartError: a fixed argument cannot be hashed, or a position is not there.
    """
    numbers = [operator.index(n) for n in ((dyn_argnums,) if hasattr(dyn_argnums, "__index__") else dyn_argnums)]  # type: ignore
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise ArgumentPartError(function=f.__name__, kind="position", name=str(n), got=str(len(args)))
    positions = tuple(sorted({n % len(args) for n in numbers}))
    fixed = tuple([_Fixed(x) for i, x in enumerate(args) if i not in positions])
    if require_static_args_hashable:
        names = positional_names(f.f, len(args), positions)
        for name, entry in zip(names, fixed):
            try:
                hash(entry)
            except TypeError:
                raise ArgumentPartError(function=f.__name__, kind="unhashable", name=name,
                                        got=type(entry.value).__name__) from None
    return _with_fixed(f, positions, fixed), tuple([args[i] for i in positions])


@public
def debug_info(traced_for: str, fun: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], *,
               static_argnums: Sequence[int] = (), static_argnames: Sequence[str] = (), result_paths_thunk: Any = None,
               sourceinfo: str | None = None, signature: inspect.Signature | None = None) -> DebugInfo:
    """The names of a function and of its flat arguments, for reports and jaxprs.

    Args:
        traced_for: what stages it, such as "jit".
        fun: the function.
        args, kwargs: its arguments, or pytrees like them.
        static_argnums, static_argnames: which of them are static, and so no leaves.
        result_paths_thunk: returns the paths of the flat results, once they are known.
        sourceinfo, signature: where the function stands, and its signature, where it does not know them itself.
    """
    numbers = {n % len(args) for n in static_argnums if -len(args) <= n < len(args)} if args else set()
    named: Any = fun
    if signature is not None:
        named = _OfSignature(signature)
    names = positional_names(named, len(args))
    numbers |= {i for i, name in enumerate(names) if name in static_argnames}
    found: list[str] = []
    for name, arg in [*[(n, a) for i, (n, a) in enumerate(zip(names, args)) if i not in numbers],
                      *[(n, a) for n, a in sorted(kwargs.items()) if n not in static_argnames]]:
        found += [f"{name}{keystr(path)}" for path, _ in tree.tree_flatten_with_path(arg)[0]]
    code = getattr(inspect.unwrap(fun), "__code__", None)
    paths = result_paths_thunk if callable(result_paths_thunk) else None
    return DebugInfo(traced_for, function_name(fun), None if code is None else (code, 0), tuple(found), paths, fun)


class _OfSignature:
    """A signature, as something that has one."""

    def __init__(self, signature: inspect.Signature) -> None:
        self.__signature__ = signature

    def __call__(self) -> None:
        """Only its signature is asked for."""


@public
def donation_vector(donate_argnums: Sequence[int], donate_argnames: Sequence[str], in_tree: Any,
                    kws: bool = True) -> tuple[bool, ...]:
    """Which flat arguments are donated.

    Args:
        donate_argnums, donate_argnames: positions and names of donated arguments.
        in_tree: the structure of `(args, kwargs)`, or of `args` alone where `kws` is False.
        kws: whether the structure has keyword arguments.
    """
    numbers, names = set(donate_argnums), set(donate_argnames)
    args = in_tree.children()[0].children() if kws else in_tree.children()
    found = [i in numbers for i, arg in enumerate(args) for _ in range(arg.num_leaves)]
    if kws:
        kwargs = in_tree.children()[1]
        data = kwargs.node_data()
        for name, arg in zip(data[1] if data is not None else (), kwargs.children()):
            found += [name in names] * arg.num_leaves
    return tuple(found)


@public
def rebase_donate_argnums(donate_argnums: Iterable[int], static_argnums: Iterable[int]) -> tuple[int, ...]:
    """Positions of donated arguments among those that are not static.

    Raises:
        ArgumentPartError: an argument is both.

    >>> rebase_donate_argnums((3, 4), (0, 1))
    (1, 2)
    """
    static, donated = sorted(set(static_argnums)), sorted(set(donate_argnums))
    both = [n for n in donated if n in static]
    if both:
        raise ArgumentPartError(function="", kind="both", name=", ".join(map(str, both)), got="")
    return tuple([n - sum([s < n for s in static]) for n in donated])


@public
def flatten_axes(name: str, treedef: Any, axis_tree: Any, *, kws: bool = False, tupled_args: bool = False) -> list[Any]:
    """One entry of `axis_tree` for each leaf of a structure of which it is a prefix; None counts as an entry.

    Args:
        name: what `axis_tree` is called in a report, such as "vmap in_axes".
        treedef: the structure.
        axis_tree: the prefix.
        kws: whether the structure is `(args, kwargs)`, and `axis_tree` a pair of an entry for args and one for all kwargs.
        tupled_args: whether the structure is that of an argument tuple.

    Raises:
        PrefixMismatchError: it is no prefix.
    """
    if not kws:
        return _flatten_axes(name, treedef, axis_tree, full_name="args" if tupled_args else "the value it is for")
    args, kwargs = treedef.children()
    axes, of_kwargs = axis_tree
    return [*_flatten_axes(name, args, axes, full_name="args"), *[of_kwargs] * kwargs.num_leaves]


@public
def safe_map(f: Callable[..., Any], *args: Iterable[Any]) -> list[Any]:
    """A list of what `f` returns for the first entries of its arguments, for the second, and so on.

    Raises:
        SafeMapError: the arguments have different lengths.
    """
    lists = [list(arg) for arg in args]
    lengths = tuple([len(entries) for entries in lists])
    if len(set(lengths)) > 1:
        raise SafeMapError(function=function_name(f), lengths=lengths)
    return [f(*entries) for entries in zip(*lists)]


@public
def shaped_abstractify(x: Any) -> Any:
    """The type of an array, a number, or anything that has a shape and a dtype.

    Raises:
        NotAnArrayError: it is none of these.
    """
    if not valid_jaxtype(x) and hasattr(x, "shape") and hasattr(x, "dtype"):
        return get_aval(ShapeDtypeStruct(x.shape, x.dtype, weak_type=getattr(x, "weak_type", False)))
    return get_aval(x)


@transformation_with_aux2
def flatten_fun(below: Callable[..., Any], store: Any, in_tree: Any, *leaves: Any) -> list[Any]:
    """A function of flat arguments that returns flat results; the structure of the result is its second result.

    Args (after those of a transformation):
        in_tree: the structure of `(args, kwargs)`.
    """
    args, kwargs = in_tree.unflatten(leaves)
    outs, out_tree = tree.tree_flatten(below(*args, **kwargs))
    store.store(out_tree)
    return outs


@transformation_with_aux2
def flatten_fun_nokwargs(below: Callable[..., Any], store: Any, in_tree: Any, *leaves: Any) -> list[Any]:
    """As `flatten_fun`, for the structure of positional arguments alone."""
    outs, out_tree = tree.tree_flatten(below(*in_tree.unflatten(leaves)))
    store.store(out_tree)
    return outs
