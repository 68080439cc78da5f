"""Running a function so that only what its result needs is computed.

Traced to a jaxpr, a model's initialisers would be traced with it, and compiled as parts of one program or one by one for
each shape. Here operations wait (`perspicax.core.deferring`) while initialisers run at once, by the kernels of fixed size
that serve every shape; the forward pass is then never asked for. A model that looks at values gets them when it looks.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perspicax import ShapeDtypeStruct, errors, tree_util
from perspicax.core import ShapedArray, Tracer, deferring, settled, stand_in
from perspicax.extend.core import DebugInfo
from perspicax.flax.core.frozen_dict import FrozenDict
from perspicax.flax.core.partial_eval import lazy_init
from perspicax.flax.scope_errors import LazyInitError

__all__ = ["run_as_needed", "run_lazily"]

# What is raised where code will not take an array that waits, although it would take one that is there.
_WANTS_VALUES = (errors.ConcretizationTypeError, errors.TracerArrayConversionError, errors.UnexpectedTracerError)


def run_as_needed(fn: Callable[..., Any], keys: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """`fn(keys, *args, **kwargs)`, without computing what its result does not depend on.

    The numbers are those of the call itself. Where code asks for values in a way that cannot be answered in the midst,
    the call itself is made, from the beginning.
    """
    with deferring() as trace:
        if trace is not None:
            try:
                return _with_values(fn(keys, *args, **kwargs))
            except _WANTS_VALUES:
                pass
    return fn(keys, *args, **kwargs)


def _with_values(tree: Any) -> Any:
    """A tree with values in place of arrays that wait; dicts keep the order of their keys, which `tree_map` sorts."""
    match tree:
        case FrozenDict():
            return FrozenDict({key: _with_values(value) for key, value in tree.items()})
        case dict():
            return {key: _with_values(value) for key, value in tree.items()} if type(tree) is dict else _mapped(tree)
        case tuple() | list() if type(tree) in (tuple, list):
            return type(tree)([_with_values(value) for value in tree])
        case _:
            return _mapped(tree)


def _mapped(tree: Any) -> Any:
    return tree_util.tree_map(settled, tree)


def run_lazily(fn: Callable[..., Any], keys: Any, args: Sequence[Any], kwargs: Mapping[str, Any], name: str) -> Any:
    """The same for arguments that may hold `jax.ShapeDtypeStruct` in place of arrays; `name` is the model's, for reports.

    Raises:
        LazyInitError: a part of the result depends on a value that is not known.
    """
    with deferring() as trace:
        if trace is not None:
            def given(x: Any) -> Any:
                return stand_in(trace, ShapedArray(x.shape, x.dtype)) if isinstance(x, ShapeDtypeStruct) else x

            try:
                trace.debug = DebugInfo("lazy_init", name)
                shaped: Any = tree_util.tree_map(given, (keys, args))
                result = _mapped(fn(shaped[0], *shaped[1], **kwargs))  # sorted, as an abstract evaluation returns it
            except errors.UnexpectedTracerError:
                pass
            else:
                _check_known(result)
                return result
    return lazy_init(lambda keys, *args: fn(keys, *args, **kwargs))(keys, *args)


def _check_known(result: Any) -> None:
    for path, leaf in tree_util.tree_leaves_with_path(result):
        if isinstance(leaf, Tracer):
            raise LazyInitError(ShapeDtypeStruct(leaf.shape, leaf.dtype), path="variables" + tree_util.keystr(path))
