"""Modules: `flax.linen.module`."""
from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

import perspicax as jax
from perspicax import tree_util
from perspicax.diagnose.boundary import public_methods
from perspicax.diagnose.source import function_span
from perspicax.diagnose.watched import results_watched
from perspicax.flax import core
from perspicax.flax.configurations import config
from perspicax.flax.core.scope import CollectionFilter, DenyList, Scope, Variable
from perspicax.flax.error_base import article
from perspicax.flax.ids import uuid
from perspicax.flax.linen.errors import (
    MergeParamError,
    ModuleAttributeError,
    ModuleParentError,
    PerturbationError,
    UnboundModuleError,
    VariableOutsideSetupError,
    class_of,
)
from perspicax.flax.linen.module_calls import InterceptorContext as InterceptorContext
from perspicax.flax.linen.module_calls import disable_named_call as disable_named_call
from perspicax.flax.linen.module_calls import enable_named_call as enable_named_call
from perspicax.flax.linen.module_calls import intercept_methods as intercept_methods
from perspicax.flax.linen.module_calls import override_named_call as override_named_call
from perspicax.flax.linen.module_class import compact as compact
from perspicax.flax.linen.module_class import compact_name_scope as compact_name_scope
from perspicax.flax.linen.module_class import complete_class, make_dataclass, wrap_method
from perspicax.flax.linen.module_class import nowrap as nowrap
from perspicax.flax.linen.module_repr import module_repr
from perspicax.flax.linen.module_state import ModuleBase, ModuleState, SetupState, running, unspecified_parent
from perspicax.flax.linen.running import apply as apply
from perspicax.flax.linen.running import capture_call_intermediates as capture_call_intermediates
from perspicax.flax.linen.running import init as init
from perspicax.flax.linen.running import init_with_output as init_with_output
from perspicax.flax.linen.running import method_of
from perspicax.flax.linen.submodules import freeze_attribute, map_modules, modules_in
from perspicax.flax.module_errors import (
    AssignSubModuleError,
    CallShareScopeOnUnboundModuleError,
    CallUnbindOnUnboundModuleError,
    DescriptorAttributeError,
    IncorrectPostInitOverrideError,
    InvalidInstanceModuleError,
    SetAttributeFrozenModuleError,
    SetAttributeInModuleSetupError,
)
from perspicax.flax.scope_errors import NameInUseError
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import PRNGKey, RNGSequences, VariableDict

__all__ = [
    "InterceptorContext", "Module", "ModuleBase", "Variable", "apply", "capture_call_intermediates", "compact",
    "compact_name_scope", "disable_named_call", "enable_named_call", "init", "init_with_output", "intercept_methods",
    "merge_param", "nowrap", "override_named_call", "share_scope",
]

M = TypeVar("M", bound="Module")
T = TypeVar("T")

_MADE_BY_INIT = DenyList("intermediates")
_adopted: weakref.WeakKeyDictionary[Scope, weakref.WeakValueDictionary[Any, Any]] = weakref.WeakKeyDictionary()
"""By the root scope: the copies of modules that were made outside and assigned to attributes. A module that is assigned
twice is copied once, so that it is shared."""


def _on_instance(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that says so if it is called on the class, and hides the project's own frames."""
    from functools import wraps

    name = method.__name__

    @wraps(method)
    def checked(*args: Any, **kwargs: Any) -> Any:
        module = args[0] if args else None
        if not isinstance(module, ModuleBase):
            raise InvalidInstanceModuleError(method=name)
        if "_id" not in vars(module):
            own: Any = type(module)  # which the user has given a `__post_init__`
            raise IncorrectPostInitOverrideError(module=class_of(module), defined=function_span(own.__post_init__))
        return method(*args, **kwargs)

    return nowrap(api_boundary(checked))


@public_methods("__setattr__", "__getattr__", "variable", "param", "has_variable", "get_variable", "put_variable",
                "is_mutable_collection", "is_initializing", "has_rng", "make_rng", "sow", "perturb", "variables", "path")
@dataclass_transform(kw_only_default=False, field_specifiers=(dataclasses.field,))
class Module(ModuleBase):
    """The base of all modules: a description of a computation with variables.

    A subclass declares its fields as a dataclass does. It makes its submodules and variables in `setup`, or in a method
    that is marked `@nn.compact`. A module holds no variables: `init` makes them, and `apply` takes them.

    Args:
        parent: the module it belongs to; without it that whose method is running. `None`: it is assigned later.
        name: its name in that module.

    >>> class MLP(nn.Module):
    ...     features: int
    ...     @nn.compact
    ...     def __call__(self, x):
    ...         return nn.Dense(self.features)(nn.relu(nn.Dense(32)(x)))
    >>> variables = MLP(4).init(jax.random.key(0), x)
    >>> y = MLP(4).apply(variables, x)
    """

    if TYPE_CHECKING:
        name: str | None
        parent: Module | Scope | None
        __dataclass_fields__: ClassVar[dict[str, Any]]

    scope = None
    _state = ModuleState()  # of a module whose `__post_init__` has not run

    @api_boundary
    def __init_subclass__(cls, kw_only: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        complete_class(cls, kw_only)

    # Construction

    def __post_init__(self) -> None:
        """Enter the module into the one that it is made in. A subclass that overrides it calls this one."""
        put = object.__setattr__
        put(self, "_id", uuid())
        put(self, "_state", ModuleState())
        if self.parent is unspecified_parent:
            put(self, "parent", running.modules[-1])
        put(self, "scope", None)
        parent: Any = self.parent
        if isinstance(parent, Scope):
            put(self, "scope", parent)
        elif isinstance(parent, Module):
            if parent.scope is None:
                raise ModuleParentError(module=class_of(self), given=f"a `{class_of(parent)}` that is bound to no variables")
            if parent._state.in_setup and self.name is None:
                return  # it gets its name when it is assigned
            self._enter(parent)
        elif parent is not None:
            raise ModuleParentError(module=class_of(self), given=article(parent))
        if self.scope is not None:
            for each in dataclasses.fields(self):
                if each.init and each.name not in ("parent", "name"):
                    self._register(each.name, getattr(self, each.name))
        if parent is not None:
            self._state.is_initialized = True

    def _enter(self, parent: Module) -> None:
        if not parent._initialization_allowed:
            above = running.modules[-1]
            raise AssignSubModuleError(class_of(self), owner=class_of(parent), method=_method_of_frame(above))
        state = parent._state
        if self.name is None:
            prefix = class_of(self)
            number = state.autoname_cursor.get(prefix, 0)
            object.__setattr__(self, "name", f"{prefix}_{number}")
            state.autoname_cursor[prefix] = number + 1
        again = state.in_setup and state.setup_called is SetupState.TRANSFORMED
        if parent._name_taken(self.name, reuse_scopes=again):
            raise NameInUseError("submodule", str(self.name), class_of(parent), taken_by=parent._holder_of(str(self.name)))
        state.children[str(self.name)] = self
        scope: Any = parent.scope
        object.__setattr__(self, "scope", scope.push(self.name, reuse=again))

    @property
    def _initialization_allowed(self) -> bool:
        state = self._state
        return not state.is_initialized or state.in_setup or state.in_compact_method

    def _name_taken(self, name: Any, reuse_scopes: bool = False, collection: str | None = None) -> bool:
        return not reuse_scopes and self.scope is not None and self.scope.name_reserved(name, collection)

    def _holder_of(self, name: str) -> str:
        """What has a name in this module: `submodule`, or a collection."""
        scope: Any = self.scope
        holders = scope.reservations.get(name, ())
        return "submodule" if None in holders else min(holders, default="")

    def __setattr__(self, name: str, val: Any) -> None:
        state = self._state
        if state.in_setup:
            field = type(self).__dataclass_fields__.get(name)
            if field is not None and field.init:
                raise SetAttributeInModuleSetupError(module=class_of(self), attr_name=name)
            self._register(name, val)
        elif state.is_initialized:
            raise SetAttributeFrozenModuleError(class_of(self), name, val)
        else:
            object.__setattr__(self, name, val)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_id" not in vars(self):
            raise ModuleAttributeError(module=class_of(self), attribute=name)
        self._try_setup()
        if name in vars(self):
            return vars(self)[name]
        if hasattr(getattr(type(self), name, None), "__get__"):
            raise DescriptorAttributeError(module=class_of(self), descriptor=name)
        known = tuple([each for each in (*vars(self), *vars(type(self))) if each[0] != "_"])
        raise ModuleAttributeError(module=class_of(self), attribute=name, bound=self.scope is not None, known=known)

    def __dir__(self) -> list[str]:
        self._try_setup()
        return list(object.__dir__(self))

    def __repr__(self) -> str:
        return module_repr(self)

    # Setup and submodules

    def setup(self) -> None:
        """Make submodules and variables, and assign them to attributes. A subclass overrides it.

        It runs by itself when a bound module is first used.
        """

    def _try_setup(self, shallow: bool = False) -> None:
        """Run `setup`, unless it has run or cannot run yet; `shallow` is for transformations, which run it inside."""
        state = self._state
        if shallow or self.scope is None or state.in_setup or state.setup_called is SetupState.DONE:
            return
        if type(self).setup is Module.setup:
            state.setup_called = SetupState.DONE
            return
        state.in_setup = True
        try:
            self.setup()
        finally:
            state.in_setup = False
            state.setup_called = SetupState.DONE

    def _register(self, name: str, value: Any) -> None:
        """Set an attribute; modules in it that have no parent yet become submodules, named after the attribute."""
        entered: list[Module] = []
        if modules_in(value):
            copies = _copies_for(self.scope)
            keep = config.flax_preserve_adopted_names or getattr(type(self), "preserve_adopted_names", False)

            def adopt(suffix: str, module: Any) -> Any:
                own_name = None
                if module.parent is None:
                    own_name = module.name if keep else None
                    copy = copies.get(module._id)
                    if copy is None:
                        copy = copies[module._id] = module.clone(name=None)
                    module = copy
                if module.name is None:
                    object.__setattr__(module, "parent", self)
                    object.__setattr__(module, "name", own_name or f"{name}{suffix}")
                    entered.append(module)
                return module

            value = map_modules(adopt, freeze_attribute(value))
        elif isinstance(value, (dict, list, tuple)):
            value = freeze_attribute(value)
        object.__setattr__(self, name, value)
        for module in entered:
            module.__post_init__()

    def _name_scope(self, name: str) -> Any:
        """The module that owns the submodules of a method marked `compact_name_scope`."""
        child = self._state.children.get(name)
        if not isinstance(child, _NameScope):
            scope: Any = self.scope
            child = self._state.children[name] = _name_scope(scope.push(name), name)
        return child

    # Copies

    def clone(self: M, *, parent: Any = None, _deep_clone: Any = False, _reset_names: bool = False, **updates: Any) -> M:
        """A copy, not bound unless `parent` says so.

        Args:
            parent: the parent of the copy.
            _deep_clone: whether modules in its fields are copied as well; a mapping of ids holds the copies.
            _reset_names: whether those copies lose their names and parents.
            **updates: fields with other values.
        """
        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)
                 if each.init and each.name != "parent"}
        given.update(self.__dict__.get("_init_only", {}), parent=parent)
        given.update(updates)
        if _deep_clone is not False:
            copies: Any = weakref.WeakValueDictionary() if _deep_clone is True else _deep_clone

            def copied(_: str, module: Any) -> Any:
                copy = copies.get(module._id)
                if copy is None:
                    changes = {"name": None} if _reset_names and module.parent is not None else {}
                    copy = module.clone(_deep_clone=copies, _reset_names=_reset_names, **changes)
                    copies[module._id] = copy
                return copy

            for name, value in given.items():
                if name not in updates and name != "parent" and modules_in(value):
                    given[name] = map_modules(copied, value)
        made = type(self)(**given)
        if results_watched:
            results_watched[0](made, "clone")
        return made

    def copy(self: M, *, parent: Any = unspecified_parent, name: str | None = None, **updates: Any) -> M:
        """A copy with fields of other values, which has a name of its own where it is made.

        Args:
            parent: the parent of the copy; without it the module whose method is running.
            name: its name.
            **updates: fields with other values.
        """
        made = self.clone(parent=parent, name=name, _deep_clone=True, _reset_names=True, **updates)
        if results_watched:
            results_watched[0](made, "copy")
        return made

    # Variables

    def _bound(self, method: str) -> Scope:
        if self.scope is None:
            raise UnboundModuleError(module=class_of(self), method=method)
        return self.scope

    def _declaring(self, kind: str, collection: str, name: str) -> Scope:
        scope = self._bound(kind)
        if not self._initialization_allowed:
            raise VariableOutsideSetupError(module=class_of(self), method=_method_of_frame(self), kind=kind, name=name)
        if self._name_taken(name, collection=collection):
            raise NameInUseError("param" if kind == "param" else collection, name, class_of(self),
                                 taken_by=self._holder_of(name))
        return scope

    def variable(self, col: str, name: str, init_fn: Callable[..., Any] | None = None, *init_args: Any, unbox: bool = True,
                 **init_kwargs: Any) -> Variable[Any]:
        """Declare a variable, in `setup` or in a compact method.

        Args:
            col: its collection.
            name: its name.
            init_fn: makes its first value where the collection is mutable and has none.
            *init_args: for `init_fn`.
            unbox: whether its value shows without its box.
            **init_kwargs: for `init_fn`.

        Returns:
            The variable, whose `value` is read and set.

        Raises:
            NameInUseError: the name is taken.
            VariableOutsideSetupError: neither `setup` nor a compact method is running.
            ScopeVariableNotFoundError: there is none, and it cannot be made.
        """
        made = self._declaring("variable", col, name).variable(col, name, init_fn, *init_args, unbox=unbox, **init_kwargs)
        self._state.children[name] = col
        return made

    def param(self, name: str, init_fn: Callable[..., Any], *init_args: Any, unbox: bool = True, **init_kwargs: Any) -> Any:
        """Declare a parameter, in `setup` or in a compact method.

        Args:
            name: its name.
            init_fn: makes its first value from a random key and the arguments below.
            *init_args: for `init_fn`.
            unbox: whether to return the value without its box.
            **init_kwargs: for `init_fn`.

        Returns:
            The value.

        Raises:
            NameInUseError: the name is taken.
            VariableOutsideSetupError: neither `setup` nor a compact method is running.
            ScopeParamNotFoundError: there is none, and it cannot be made.
            ScopeParamShapeError: it has another shape than `init_fn` would make.
        """
        value = self._declaring("param", "params", name).param(name, init_fn, *init_args, unbox=unbox, **init_kwargs)
        self._state.children[name] = "params"
        return value

    def has_variable(self, col: str, name: str) -> bool:
        """Whether a collection has a variable of this name here."""
        return self._bound("has_variable").has_variable(col, name)

    def get_variable(self, col: str, name: str, default: Any = None) -> Any:
        """The value of a variable, which other parts of a program may have put there.

        Args:
            col: its collection.
            name: its name.
            default: what to return where there is none.
        """
        return self._bound("get_variable").get_variable(col, name, default)

    def put_variable(self, col: str, name: str, value: Any) -> None:
        """Set a variable of a mutable collection.

        Args:
            col: its collection.
            name: its name.
            value: its value.

        Raises:
            ModifyScopeVariableError: the collection is not mutable.
        """
        self._bound("put_variable").put_variable(col, name, value)

    def is_mutable_collection(self, col: str) -> bool:
        """Whether the variables of a collection may change in this call."""
        return self._bound("is_mutable_collection").is_mutable_collection(col)

    def is_initializing(self) -> bool:
        """Whether `init` is running."""
        return self._bound("is_initializing").get_flag("initializing", False)

    def has_rng(self, name: str) -> bool:
        """Whether there is a stream of random keys of this name."""
        return self._bound("has_rng").has_rng(name)

    def make_rng(self, name: str = "params") -> PRNGKey:
        """The next random key of a stream; of `params`, where there is no such stream.

        Raises:
            InvalidRngError: there is neither.
        """
        return self._bound("make_rng").make_rng(name)

    def sow(self, col: str, name: str, value: Any, reduce_fn: Callable[[Any, Any], Any] = lambda xs, x: (*xs, x),
            init_fn: Callable[[], Any] = tuple) -> bool:
        """Keep a value in a collection, if that is mutable.

        Args:
            col: the collection, e.g. `intermediates`.
            name: the variable's name.
            value: the value.
            reduce_fn: takes what is kept so far and `value`; returns what to keep. By default a tuple grows.
            init_fn: makes what is kept before the first value.

        Returns:
            Whether it was kept.
        """
        scope = self._bound("sow")
        if not scope.is_mutable_collection(col):
            return False
        if scope.has_variable(col, name):
            kept = scope.get_variable(col, name)
        else:
            scope.reserve(name, col)
            self._state.children[name] = col
            kept = init_fn()
        scope.put_variable(col, name, reduce_fn(kept, value))
        return True

    def perturb(self, name: str, value: Any, collection: str = "perturbations") -> Any:
        """Add a variable of zeros to a value, so that the derivative with respect to the variable is that of the value.

        Args:
            name: the variable's name.
            value: an array, or a tree of arrays.
            collection: its collection.

        Returns:
            The sum; `value` itself where the collection was not passed.

        Raises:
            PerturbationError: the collection was passed, but has no such variable.
        """
        scope = self._bound("perturb")
        if scope.is_mutable_collection(collection) and not scope.has_variable(collection, name):
            scope.reserve(name, collection)
            self._state.children[name] = collection
            scope.put_variable(collection, name, tree_util.tree_map(jax.numpy.zeros_like, value))
        if collection not in scope.root._variables:
            return value
        if not scope.has_variable(collection, name):
            raise PerturbationError(variable=name, collection=collection, module=class_of(self),
                                    known=tuple(scope._collection(collection)))
        return tree_util.tree_map(jax.numpy.add, value, scope.get_variable(collection, name))

    @property
    def variables(self) -> VariableDict:
        """The collections of the module."""
        return self._bound("variables").variables()

    @property
    def path(self) -> tuple[str, ...]:
        """The names on the way to the module."""
        return self._bound("path").path

    # Running

    @_on_instance
    def bind(self: M, variables: VariableDict, *args: Any, rngs: RNGSequences | None = None,
             mutable: CollectionFilter = False) -> M:
        """A copy that is bound to variables, for trying out.

        Args:
            variables: the variables.
            *args: accepted; they have no effect.
            rngs: random keys.
            mutable: the filter of collections that may change.
        """
        del args
        return self.clone(parent=core.bind(variables, rngs=rngs, mutable=mutable), _deep_clone=True)

    @_on_instance
    def unbind(self: M) -> tuple[M, VariableDict]:
        """A bound module as one that is not, and its variables.

        Raises:
            CallUnbindOnUnboundModuleError: it is not bound.
        """
        if self.scope is None:
            raise CallUnbindOnUnboundModuleError(module=class_of(self))
        return self.clone(_deep_clone=True, _reset_names=True, name=None), self.variables

    @_on_instance
    def apply(self, variables: VariableDict, *args: Any, rngs: Any = None, method: Any = None,
              mutable: CollectionFilter = False, capture_intermediates: Any = False, **kwargs: Any) -> Any:
        """Run a method with variables.

        Args:
            variables: the variables, `{"params": ...}`.
            *args: for the method.
            rngs: a random key for each stream, or one for `params`.
            method: the method, or its name, or a function of the module; by default `__call__`.
            mutable: the filter of collections that may change.
            capture_intermediates: whether to keep the results of all submodules in the collection `intermediates`; or a
                function of (module, method name) that says for which.
            **kwargs: for the method.

        Returns:
            The method's result; unless `mutable` is `False`, a pair of that and of the mutable collections.
        """
        function = method_of(self, method)
        return apply(function, self, mutable=mutable, capture_intermediates=capture_intermediates)(
            variables, *args, **kwargs, rngs=rngs)

    @_on_instance
    def init_with_output(self, rngs: Any, *args: Any, method: Any = None, mutable: CollectionFilter = _MADE_BY_INIT,
                         capture_intermediates: Any = False, **kwargs: Any) -> tuple[Any, VariableDict]:
        """Make the variables, and return the method's result as well.

        Args:
            rngs: a random key for each stream, or one for `params`.
            *args: for the method.
            method: as for `apply`.
            mutable: the filter of collections that are made.
            capture_intermediates: as for `apply`.
            **kwargs: for the method.

        Returns:
            (result, variables).
        """
        function = method_of(self, method)
        return init_with_output(function, self, mutable=mutable, capture_intermediates=capture_intermediates)(
            rngs, *args, **kwargs)

    @_on_instance
    def init(self, rngs: Any, *args: Any, method: Any = None, mutable: CollectionFilter = _MADE_BY_INIT,
             capture_intermediates: Any = False, **kwargs: Any) -> VariableDict:
        """Make the variables.

        Args:
            rngs: a random key for each stream, or one for `params`.
            *args: for the method.
            method: as for `apply`.
            mutable: the filter of collections that are made.
            capture_intermediates: as for `apply`.
            **kwargs: for the method.
        """
        function = method_of(self, method)
        return init(function, self, mutable=mutable, capture_intermediates=capture_intermediates)(rngs, *args, **kwargs)

    @_on_instance
    def lazy_init(self, rngs: Any, *args: Any, method: Any = None, mutable: CollectionFilter = _MADE_BY_INIT,
                  **kwargs: Any) -> VariableDict:
        """Make the variables without computing anything else, from inputs of which the shapes are enough.

        Args:
            rngs: a random key for each stream, or one for `params`.
            *args: for the method; `jax.ShapeDtypeStruct` may stand for arrays.
            method: as for `apply`.
            mutable: the filter of collections that are made.
            **kwargs: for the method.

        Raises:
            LazyInitError: a variable depends on the value of an input.
        """
        function = method_of(self, method)

        @wraps(function)
        def run(scope: Any, *args: Any) -> Any:
            return function(self.clone(parent=scope, _deep_clone=True), *args, **kwargs)

        return core.lazy_init(run, mutable=mutable)(rngs, *args)

    @_on_instance
    def module_paths(self, rngs: Any, *args: Any, show_repeated: bool = False, mutable: CollectionFilter = _MADE_BY_INIT,
                     **kwargs: Any) -> dict[str, Module]:
        """The modules that a call uses, by path: `{"": ..., "Dense_0": ...}`. They are not bound.

        Args:
            rngs: a random key for each stream, or one for `params`.
            *args: for the call; it is not computed.
            show_repeated: whether modules come again when they are called again.
            mutable: the filter of collections that are made.
            **kwargs: for the call.
        """
        from perspicax.flax.linen import summary  # here: for weight

        return summary.module_paths(self, rngs, args, kwargs, show_repeated, mutable)

    @_on_instance
    def tabulate(self, rngs: Any, *args: Any, depth: int | None = None, show_repeated: bool = False,
                 mutable: CollectionFilter = _MADE_BY_INIT, console_kwargs: Mapping[str, Any] | None = None,
                 table_kwargs: Mapping[str, Any] = MappingProxyType({}),
                 column_kwargs: Mapping[str, Any] = MappingProxyType({}), compute_flops: bool = False,
                 compute_vjp_flops: bool = False, **kwargs: Any) -> str:
        """A table of the modules that a call uses, with their inputs, outputs and variables; see `nn.tabulate`."""
        from perspicax.flax.linen import summary  # here: for weight

        return summary.tabulate(self, rngs, depth=depth, show_repeated=show_repeated, mutable=mutable,
                                console_kwargs=console_kwargs, table_kwargs=table_kwargs, column_kwargs=column_kwargs,
                                compute_flops=compute_flops, compute_vjp_flops=compute_vjp_flops, **kwargs)(*args)


make_dataclass(Module, False)  # its own methods but `setup` are not wrapped
Module.setup = wrap_method(Module.setup)  # type: ignore[method-assign]


class _NameScope(Module):
    """The owner of the submodules of one method."""

    @compact
    def __call__(self, fun: Callable[..., Any], module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return fun(module, *args, **kwargs)


def _name_scope(scope: Scope, name: str) -> Any:
    made: Any = _NameScope
    return made(parent=scope, name=name)


def _copies_for(scope: Any) -> weakref.WeakValueDictionary[Any, Any]:
    root = scope.root
    copies = _adopted.get(root)
    if copies is None:
        copies = _adopted[root] = weakref.WeakValueDictionary()
    return copies


def _method_of_frame(module: Any) -> str:
    """The name of the method of a module that is running, for reports; empty if it is not known."""
    import sys

    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_argcount and frame.f_locals.get(code.co_varnames[0]) is module and not code.co_filename == __file__ \
                and isinstance(getattr(type(module), code.co_name, None), Callable):  # type: ignore[arg-type]
            return code.co_name
        frame = frame.f_back  # type: ignore[assignment]
    return ""


@api_boundary
def share_scope(module: Module, other: Module, /) -> None:
    """Let two modules keep their variables at the same place.

    Args:
        module: a bound module, usually the one that calls this in its `setup`.
        other: a bound module; if it lies in `module`, it moves to the place of `module`, otherwise `module` moves.

    Raises:
        CallShareScopeOnUnboundModuleError: one of them is not bound.
    """
    for each in (module, other):
        if each.scope is None:
            raise CallShareScopeOnUnboundModuleError(module=class_of(each))
    moved, scope = (other, module.scope) if _lies_in(other.scope, module.scope) else (module, other.scope)
    object.__setattr__(moved, "scope", scope)
    _move_children(moved)


def _lies_in(scope: Any, above: Any) -> bool:
    while scope is not None:
        if scope is above:
            return True
        scope = scope.parent
    return False


def _move_children(module: Any) -> None:
    for child in module._state.children.values():
        if isinstance(child, Module) and child.scope is not module.scope:
            object.__setattr__(child, "scope", module.scope.push(child.name, reuse=True))
            _move_children(child)


def merge_param(name: str, a: Any, b: Any) -> Any:
    """The one of two values of an option that is not `None`.

    Args:
        name: the option's name.
        a: its value as a field of a module.
        b: its value as an argument of a call.

    Raises:
        MergeParamError: both are `None`, or neither is.
    """
    if (a is None) == (b is None):
        raise MergeParamError(option=name, both=a is not None)
    return b if a is None else a


