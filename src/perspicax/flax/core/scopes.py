"""Scopes: the place of a function's variables and random keys, and of those of the functions it calls."""
from __future__ import annotations

import contextlib
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import perspicax as jax
from perspicax import tree_util
from perspicax.core import at_once
from perspicax.flax.configurations import config
from perspicax.flax.core import meta
from perspicax.flax.core.filters import CollectionFilter, in_filter
from perspicax.flax.core.frozen_dict import FrozenDict, freeze
from perspicax.flax.core.rngs import LazyRng
from perspicax.flax.core.shapes import shapes_of_init
from perspicax.flax.core.tracers import TraceMark, is_inner_value, transform_of
from perspicax.flax.ids import uuid
from perspicax.flax.scope_errors import (
    DuplicateNameError,
    FlagNotFoundError,
    InvalidRngError,
    InvalidScopeError,
    JaxTransformError,
    ModifyScopeVariableError,
    ScopeCollectionNotFound,
    ScopeNameTypeError,
    ScopeParamNotFoundError,
    ScopeParamShapeError,
    ScopeVariableNotFoundError,
)
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import MutableVariableDict, PRNGKey, RNGSequences, VariableDict

__all__ = ["Scope", "Variable", "child_rng_token", "no_flag"]

T = TypeVar("T")


class _Sentinel:
    """A value that no caller can have."""


no_flag = _Sentinel()
child_rng_token = _Sentinel()
"""With a name, the key in `rng_counters` of the counters of the scope of that name."""

_EMPTY: FrozenDict[str, Any] = FrozenDict({})


class Variable(Generic[T]):
    """A variable of a scope, whose value is read and set by `value`."""

    def __init__(self, scope: Scope, collection: str, name: str, unbox: bool) -> None:
        self._id = uuid()
        self.scope = scope
        self.collection = collection
        self.name = name
        self.unbox = unbox

    @property
    def value(self) -> T:
        """The value; without its box, if the variable was asked for so. Setting it keeps the box."""
        value = self.scope.get_variable(self.collection, self.name)
        return meta.unbox(value) if self.unbox else value

    @value.setter
    def value(self, value: T) -> None:
        if self.unbox:
            value = _reboxed(self.scope.get_variable(self.collection, self.name), value)
        self.scope.put_variable(self.collection, self.name, value)

    def is_mutable(self) -> bool:
        """Whether the value may be set."""
        return self.scope.is_mutable_collection(self.collection)


def _reboxed(box: Any, value: Any) -> Any:
    boxes = [leaf for leaf in tree_util.tree_leaves(box, is_leaf=meta.is_axis_metadata) if meta.is_axis_metadata(leaf)]
    return meta.replace_boxed(box, value) if boxes else value


class Scope:
    """A place in the tree of variables, where a function keeps its parameters and state.

    A scope has collections (`params`, `batch_stats`, ...) of variables by name, streams of random keys, and names for the
    scopes below it. It is valid while the function runs that it was made for.

    Args:
        variables: collections at this place.
        rngs: a key for each stream.
        name: its name in the scope above.
        mutable: the filter of collections that may change.
        parent: the scope above.
        path: the names on the way to it.
        debug_path: the same for reports, where a transformation has cut the way off.
        flags: facts for the functions that run in it (`initializing`).
    """

    reservations: dict[str, set[str | None]]
    rng_counters: dict[Any, int]

    def __init__(self, variables: MutableVariableDict, rngs: RNGSequences | dict[str, LazyRng] | None = None,
                 name: str | None = None, mutable: CollectionFilter = False, parent: Scope | None = None,
                 path: Iterable[str] = (), debug_path: Iterable[str] = (),
                 flags: Mapping[str, Any] | None = None) -> None:
        self._variables = variables
        self.parent = parent
        self.name = name
        self.path = tuple(path)
        self.debug_path = tuple(debug_path) or self.path
        self.rngs: dict[str, LazyRng] = {key: LazyRng.create(rng) for key, rng in rngs.items()} if rngs else {}
        self.mutable = mutable
        self.flags: Mapping[str, Any] = flags if isinstance(flags, FrozenDict) else freeze(flags) if flags else _EMPTY
        # A scope that is pushed inside of a transformation of JAX belongs to the trace of the scope above it: what is made
        # there is a mistake, what is only read there is none. A lifted transformation makes scopes without a parent.
        self.trace_mark: TraceMark = TraceMark() if parent is None else parent.trace_mark
        self._root = None if parent is None else parent.root
        self.rng_counters = dict.fromkeys(self.rngs, 0)
        self.reservations = defaultdict(set)
        self._invalid = False

    def __eq__(self, other: Any) -> bool:
        # Two scopes are the same place if they share the variables of the root, the path and the counters of keys.
        if self is other:
            return True
        return (isinstance(other, Scope) and self.root._variables is other.root._variables and self.path == other.path
                and self.rng_counters is other.rng_counters)

    def __hash__(self) -> int:
        return hash((id(self.root._variables), self.path, id(self.rng_counters)))

    @property
    def root(self) -> Scope:
        """The uppermost scope."""
        return self if self._root is None else self._root

    @property
    def path_text(self) -> str:
        """The names on the way to it, for reports: `"/encoder/Dense_0"`."""
        return "/" + "/".join(self.debug_path)

    @property
    def invalid(self) -> bool:
        """Whether the function that it was made for has ended."""
        return self._invalid

    def invalidate(self) -> None:
        """Say that the function has ended; the scope is of no use from now on."""
        self._invalid = True

    def _check_valid(self) -> None:
        if self._invalid:
            raise InvalidScopeError(self.name)

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Scope]:
        """A `with` block at whose end the scope becomes invalid."""
        try:
            yield self
        finally:
            self.invalidate()

    def _validate_trace_level(self) -> None:
        """Check that no transformation of JAX was opened since the root scope was made.

        Raises:
            JaxTransformError: one was.
        """
        if not self.trace_mark.is_current():
            raise self._transform_error("", "", "make")

    def _transform_error(self, collection: str, name: str, action: str) -> JaxTransformError:
        outermost = list(self.trace_mark.newer())[-1]
        return JaxTransformError(name=name, collection=collection, scope_path=self.path_text, action=action,
                                 transform=transform_of(outermost))

    # Variables

    def _collection(self, col: str) -> Mapping[str, Any]:
        """A collection at this place, for reading; an empty one if there is none."""
        found = self._variables.get(col)
        if found is None:
            if self.parent is None:
                return _EMPTY
            above = self.parent._collection(col)
            if self.name not in above:
                return _EMPTY
            found = self._variables[col] = above[self.name]  # type: ignore[index]
        return found

    def _mutable_collection(self, col: str) -> dict[str, Any]:
        """A collection at this place, for changing; made if there is none."""
        found = self._variables.get(col)
        if found is None:
            if self.parent is None:
                found = self._variables[col] = {}
            else:
                above = self.parent._mutable_collection(col)
                if self.name not in above:
                    above[self.name] = {}  # type: ignore[index]
                found = self._variables[col] = above[self.name]  # type: ignore[index]
        return found

    def _populate_collections(self) -> None:
        """Fetch all collections of the root that have something at this place."""
        for col in self.root._variables:
            self._collection(col)

    @api_boundary
    def mutable_variables(self) -> VariableDict | dict[str, Any]:
        """The collections at this place that may change."""
        self._populate_collections()
        chosen = {col: values for col, values in self._variables.items() if in_filter(self.mutable, col)}
        return freeze(chosen) if config.flax_return_frozendict else chosen

    def variables(self) -> VariableDict | dict[str, Any]:
        """The collections at this place."""
        self._populate_collections()
        return freeze(self._variables) if config.flax_return_frozendict else self._variables

    def is_mutable_collection(self, col: str) -> bool:
        """Whether variables of a collection may be made and set."""
        return in_filter(self.mutable, col)

    def is_collection_empty(self, col: str) -> bool:
        """Whether a collection has no variables anywhere."""
        return not self.root._variables.get(col)

    def has_variable(self, col: str, name: str) -> bool:
        """Whether a collection has a variable of this name here."""
        return name in self._collection(col)

    @api_boundary
    def get_variable(self, col: str, name: str, default: Any = None) -> Any:
        """The value of a variable.

        Args:
            col: its collection.
            name: its name.
            default: what to return where there is none.

        Reading stays possible when the scope has ended.
        """
        found = self._collection(col)
        return found[name] if name in found else default

    @api_boundary
    def put_variable(self, col: str, name: str, value: Any) -> None:
        """Set a variable; it is made if there is none.

        Args:
            col: its collection, which is mutable.
            name: its name.
            value: its value.

        Raises:
            ModifyScopeVariableError: the collection is not mutable.
            JaxTransformError: the value is of a transformation of JAX that was opened since.
        """
        self._check_valid()
        if not self.is_mutable_collection(col):
            raise ModifyScopeVariableError(col, name, self.path_text, mutable=self.mutable)
        if is_inner_value(self.trace_mark, value):
            raise self._transform_error(col, name, "set")
        _put(self._mutable_collection(col), name, value)

    @api_boundary
    def variable(self, col: str, name: str, init_fn: Callable[..., T] | None = None, *init_args: Any, unbox: bool = True,
                 **init_kwargs: Any) -> Variable[T]:
        """A variable, which is made if there is none and its collection is mutable.

        Args:
            col: its collection.
            name: its name, which is free here.
            init_fn: makes its first value.
            *init_args: for `init_fn`.
            unbox: whether its value shows without its box.
            **init_kwargs: for `init_fn`.

        Raises:
            DuplicateNameError: the name is taken.
            ScopeCollectionNotFound: the collection was not passed, and cannot be made.
            ScopeVariableNotFoundError: there is no such variable, and it cannot be made.
        """
        self.reserve(name, col)
        if not self.has_variable(col, name):
            if init_fn is None or not self.is_mutable_collection(col):
                if self.is_collection_empty(col):
                    raise self._no_collection(col, name)
                raise ScopeVariableNotFoundError(name, col, self.path_text, known=tuple(self._collection(col)))
            with at_once():
                value = init_fn(*init_args, **init_kwargs)
            self.put_variable(col, name, value)
        return Variable(self, col, name, unbox=unbox)

    @api_boundary
    def param(self, name: str, init_fn: Callable[..., T], *init_args: Any, unbox: bool = True,
              **init_kwargs: Any) -> Any:
        """A parameter, which is made if there is none and `params` is mutable.

        Args:
            name: its name, which is free here.
            init_fn: makes its first value, from a random key and the arguments below.
            *init_args: for `init_fn`.
            unbox: whether to return the value without its box.
            **init_kwargs: for `init_fn`.

        Returns:
            The value.

        Raises:
            DuplicateNameError: the name is taken.
            ScopeParamShapeError: it has another shape than `init_fn` would make.
            ScopeCollectionNotFound: no parameters were passed.
            ScopeParamNotFoundError: there is no such parameter, and it cannot be made.
            JaxTransformError: it was to be made inside of a transformation of JAX that was opened since.
        """
        self.reserve(name, "params")
        if self.has_variable("params", name):
            value = self.get_variable("params", name)
            self._check_shapes(name, value, init_fn, init_args, init_kwargs)
        else:
            if not self.is_mutable_collection("params"):
                if self.is_collection_empty("params"):
                    raise self._no_collection("params", name)
                raise ScopeParamNotFoundError(name, self.path_text, known=tuple(self._collection("params")))
            if not self.trace_mark.is_current():
                raise self._transform_error("params", name, "make")
            with at_once():
                value = init_fn(self.make_rng("params"), *init_args, **init_kwargs)
            self.put_variable("params", name, value)
        return meta.unbox(value) if unbox else value

    def _check_shapes(self, name: str, value: Any, init_fn: Callable[..., Any], args: tuple[Any, ...],
                      kwargs: dict[str, Any]) -> None:
        wanted = shapes_of_init(init_fn, args, kwargs)
        for leaf, shape in zip(tree_util.tree_leaves(value), wanted, strict=False):
            given = jax.numpy.shape(leaf)
            if given != shape:
                raise ScopeParamShapeError(name, self.path_text, given, shape)

    def _no_collection(self, col: str, name: str) -> ScopeCollectionNotFound:
        passed = self.root._variables
        bare = bool(passed) and all(isinstance(values, (dict, FrozenDict)) for values in passed.values())
        return ScopeCollectionNotFound(col, name, self.path_text, given=tuple(passed), looks_like_params=bare)

    # Names and scopes below

    def name_reserved(self, name: str, col: str | None = None) -> bool:
        """Whether a name is taken: by a scope, or by a variable of the same collection."""
        taken = self.reservations.get(name)
        return taken is not None and bool(taken) and (col is None or None in taken or col in taken)

    @api_boundary
    def reserve(self, name: str, col: str | None = None) -> None:
        """Take a name, for a variable of a collection or for a scope.

        Raises:
            TypeError: it is no text.
            DuplicateNameError: it is taken.
        """
        if not isinstance(name, str):
            raise ScopeNameTypeError(says=f"The name of a {'scope' if col is None else 'variable'} is a str, not {name!r}.")
        if self.name_reserved(name, col):
            raise DuplicateNameError("submodule" if col is None else "param" if col == "params" else col, name,
                                     self.debug_path[-1] if self.debug_path else "")
        self.reservations[name].add(col)

    def default_name(self, prefix: str) -> str:
        """The first name that is free of those that begin so: `Dense_0`, `Dense_1`, ..."""
        i = 0
        while f"{prefix}{i}" in self.reservations:
            i += 1
        return f"{prefix}{i}"

    @api_boundary
    def push(self, name: str | None = None, prefix: str = "", reuse: bool = False) -> Scope:
        """A scope below.

        Args:
            name: its name; without one it gets the first that is free.
            prefix: what that begins with.
            reuse: whether there may be one of this name.

        Raises:
            DuplicateNameError: the name is taken, and `reuse` is false.
        """
        self._check_valid()
        if not name:
            name = self.default_name(prefix)
        if not reuse or name not in self.reservations:
            self.reserve(name)
        rngs = {key: LazyRng.create(rng, name) for key, rng in self.rngs.items()}
        inner = Scope({}, name=name, rngs=rngs, parent=self, mutable=self.mutable, path=(*self.path, name),
                      debug_path=(*self.debug_path, name), flags=self.flags)
        # A scope that is pushed again goes on with the keys where the first of its name has stopped.
        counters: Any = self.rng_counters
        inner.rng_counters = counters.setdefault((child_rng_token, name), inner.rng_counters)
        return inner

    @api_boundary
    def child(self, fn: Callable[..., Any], name: str | None = None, prefix: str | None = None, named_call: bool = True,
              **partial_kwargs: Any) -> Callable[..., Any]:
        """A function with a scope of its own below this one.

        Args:
            fn: takes a scope and further arguments.
            name: the scope's name; without one it is made from `prefix`.
            prefix: what it begins with; without one the function's name.
            named_call: whether to run the function under its name, for profiles.
            **partial_kwargs: keyword arguments for `fn`.

        Returns:
            A function of the further arguments. Calling it again uses the same variables.
        """
        if name is None and prefix is None and hasattr(fn, "__name__"):
            prefix = f"{fn.__name__}_"
        inner = self.push(name, prefix or "")

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            named = jax.named_scope(str(inner.name)) if named_call and config.flax_profile else contextlib.nullcontext()
            with named:
                return fn(inner.rewound(), *args, **{**partial_kwargs, **kwargs})

        return call

    @api_boundary
    def rewound(self, rewind_rngs: bool = False) -> Scope:
        """The same place, with all names free again: for calling a function again with the same variables.

        Args:
            rewind_rngs: whether the random keys come again as well.
        """
        self._check_valid()
        again = Scope(self._variables, self.rngs, self.name, self.mutable, self.parent, path=self.path,
                      debug_path=self.debug_path, flags=self.flags)
        again.trace_mark = self.trace_mark
        if not rewind_rngs:
            again.rng_counters = self.rng_counters
        return again

    # Random keys and flags

    def has_rng(self, name: str) -> bool:
        """Whether there is a stream of random keys of this name."""
        return name in self.rngs

    @api_boundary
    def make_rng(self, name: str = "params") -> PRNGKey:
        """The next random key of a stream; of `params`, where there is no such stream.

        Raises:
            InvalidRngError: there is neither.
        """
        self._check_valid()
        stream = name if name in self.rngs else "params"
        if stream not in self.rngs:
            raise InvalidRngError("", kind="missing", name=name, scope_path=self.path_text, given=tuple(self.rngs))
        self.rng_counters[stream] += 1
        with at_once():
            return LazyRng.create(self.rngs[stream], self.rng_counters[stream]).as_jax_rng()

    @api_boundary
    def get_flag(self, key: str, default: Any = no_flag) -> Any:
        """A flag's value.

        Raises:
            FlagNotFoundError: there is no such flag, and no default.
        """
        if key not in self.flags and default is no_flag:
            raise FlagNotFoundError(says=f"There is no flag {key!r}; there are {', '.join(map(repr, self.flags)) or 'none'}.",
                                    why="flags are given to `init`, `apply` or `bind`")
        return self.flags.get(key, default)

    def has_flag(self, key: str) -> bool:
        """Whether a flag is there."""
        return key in self.flags


def _put(target: dict[str, Any], key: str, value: Any) -> None:
    """Set an entry. Dicts are filled, not replaced: scopes below hold them."""
    before = target.get(key)
    if isinstance(before, dict) and isinstance(value, Mapping):
        for name, inner in value.items():
            _put(before, name, inner)
    else:
        target[key] = value
