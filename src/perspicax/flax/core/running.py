"""Running a function of a scope: `bind`, `apply`, `init`, `lazy_init`."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from perspicax.diagnose.watched import states_watched
from perspicax.flax.core.as_needed import run_as_needed, run_lazily
from perspicax.flax.core.filters import CollectionFilter, in_filter
from perspicax.flax.core.frozen_dict import FrozenDict, unfreeze
from perspicax.flax.core.rngs import checked_rngs
from perspicax.flax.core.scopes import Scope
from perspicax.flax.error_base import article
from perspicax.flax.scope_errors import ApplyScopeInvalidVariablesStructureError, ApplyScopeInvalidVariablesTypeError
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import RNGSequences, VariableDict

__all__ = ["apply", "bind", "init", "init_variables", "lazy_init"]


def _check_variables(variables: Any) -> None:
    if not isinstance(variables, Mapping):
        raise ApplyScopeInvalidVariablesTypeError(value=_described(variables))
    for name, collection in variables.items():
        if not isinstance(name, str) or not isinstance(collection, (dict, FrozenDict)):
            raise ApplyScopeInvalidVariablesTypeError(key=repr(name), value=_described(collection))


def _described(value: Any) -> str:
    return "a dict under a name that is no text" if isinstance(value, (dict, FrozenDict)) else article(value)


@api_boundary
def bind(variables: VariableDict, rngs: RNGSequences | None = None, mutable: CollectionFilter = False,
         flags: Mapping[str, Any] | None = None) -> Scope:
    """A root scope with variables.

    Args:
        variables: collections by name. Nothing that is done in the scope changes them: those that are mutable are copied.
        rngs: a random key for each stream, or one for `params`.
        mutable: the filter of collections that may change in the scope.
        flags: facts for the functions that run in it.

    Raises:
        ApplyScopeInvalidVariablesTypeError: `variables` is no dict of dicts.
        InvalidRngTypeError: `rngs` is neither a key nor a dict of keys.
    """
    _check_variables(variables)
    keys = None if rngs is None else checked_rngs(rngs)
    held: Any = {name: unfreeze(values)  # type: ignore[arg-type]  # checked above
            if in_filter(mutable, name) else values for name, values in variables.items()}
    return Scope(held, rngs=keys, mutable=mutable, flags=flags)


def apply(fn: Callable[..., Any], mutable: CollectionFilter = False,
          flags: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """Make a function of a scope a pure function of variables.

    Args:
        fn: takes a scope and further arguments.
        mutable: the filter of collections that may change.
        flags: facts for `fn`.

    Returns:
        A function of (variables, further arguments, and `rngs=` by keyword). It returns what `fn` returns; unless
        `mutable` is `False`, a pair of that and of the mutable collections.
    """
    @api_boundary
    @wraps(fn)
    def applied(variables: VariableDict, *args: Any, rngs: Any = None, **kwargs: Any) -> Any:
        if isinstance(variables, Mapping):
            params = variables.get("params")
            if isinstance(params, (dict, FrozenDict)) and "params" in params:
                raise ApplyScopeInvalidVariablesStructureError(variables)
        with bind(variables, rngs=rngs, mutable=mutable, flags=flags).temporary() as root:
            result = fn(root, *args, **kwargs)
            if mutable is False:
                return result
            changed = root.mutable_variables()
            if states_watched:
                states_watched[0](variables, changed)
            return result, changed

    return applied


def init(fn: Callable[..., Any], mutable: CollectionFilter = True,
         flags: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """Make a function of a scope a pure function that makes its variables.

    Args:
        fn: takes a scope and further arguments.
        mutable: the filter of collections that are made.
        flags: facts for `fn`, besides `initializing`.

    Returns:
        A function of (rngs, further arguments): one random key, or one for each stream. It returns a pair of what `fn`
        returns and of the variables. What neither of them needs is not computed.
    """
    made = _initialiser(fn, mutable, flags)

    @api_boundary
    @wraps(fn)
    def initialised(rngs: Any, *args: Any, **kwargs: Any) -> Any:
        return run_as_needed(made, checked_rngs(rngs), args, kwargs)

    return initialised


def init_variables(fn: Callable[..., Any], mutable: CollectionFilter = True,
                   flags: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """As `init`, for the variables alone: what `fn` returns is not computed, unless a variable depends on it."""
    made = _initialiser(fn, mutable, flags)

    @api_boundary
    @wraps(fn)
    def initialised(rngs: Any, *args: Any, **kwargs: Any) -> Any:
        return run_as_needed(lambda *args, **kwargs: made(*args, **kwargs)[1], checked_rngs(rngs), args, kwargs)

    return initialised


def _initialiser(fn: Callable[..., Any], mutable: CollectionFilter, flags: Mapping[str, Any] | None) -> Callable[..., Any]:
    applied = apply(fn, mutable=mutable, flags={**(flags or {}), "initializing": True})
    return lambda keys, *args, **kwargs: applied({}, *args, rngs=keys, **kwargs)


def lazy_init(fn: Callable[..., Any], mutable: CollectionFilter = True,
              flags: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """As `init`, for inputs of which only the shape is known, and without computing the result.

    Args:
        fn: takes a scope and further arguments.
        mutable: the filter of collections that are made.
        flags: facts for `fn`, besides `initializing`.

    Returns:
        A function of (rngs, further arguments), which may hold `jax.ShapeDtypeStruct` in place of arrays. It returns the
        variables.

    Raises:
        LazyInitError: a variable depends on a value that is not known.
    """
    made = _initialiser(fn, mutable, flags)

    @api_boundary
    @wraps(fn)
    def initialised(rngs: Any, *args: Any, **kwargs: Any) -> Any:
        return run_lazily(lambda *args, **kwargs: made(*args, **kwargs)[1], checked_rngs(rngs), args, kwargs,
                          name=getattr(fn, "__name__", ""))

    return initialised
