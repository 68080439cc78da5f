"""What happens when a class of modules is defined: it becomes a dataclass, and its methods are wrapped."""
from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from perspicax.diagnose.source import error_position, function_span, user_position
from perspicax.flax.configurations import config
from perspicax.flax.linen.kw_only_dataclasses import dataclass, field
from perspicax.flax.linen.module_calls import call_in_name_scope, call_method
from perspicax.flax.linen.module_state import ModuleBase, running, unspecified_parent
from perspicax.flax.module_errors import DescriptorAttributeError, MultipleMethodsCompactError, ReservedModuleAttributeError
from perspicax.flax.traceback_util import trim_frames

__all__ = ["compact", "compact_name_scope", "complete_class", "make_dataclass", "method_names", "nowrap", "wrap_method"]

F = TypeVar("F", bound=Callable[..., Any])

_UNWRAPPED = frozenset((
    "__eq__", "__repr__", "__init__", "__hash__", "__post_init__", "__setattr__", "__getattr__", "__getattribute__", "__new__",
    "__init_subclass__", "__class_getitem__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__dir__",
    "__copy__", "__deepcopy__", "__delattr__", "__del__", "__subclasshook__"))


def compact(fun: F) -> F:
    """Mark a method that makes its submodules and variables where it uses them.

    Args:
        fun: the method.

    Submodules without a name get their class's name and a number: `Dense_0`, `Dense_1`, in the order in which they are
    made.
    """
    fun.compact = True  # type: ignore[attr-defined]
    return fun


def nowrap(fun: F) -> F:
    """Mark a method as an ordinary one, which needs no `setup` and which transformations and interceptors leave alone.

    Args:
        fun: the method.
    """
    fun.nowrap = True  # type: ignore[attr-defined]
    return fun


def compact_name_scope(fun: F) -> F:
    """Mark a compact method whose submodules are kept under the method's name.

    Args:
        fun: the method. A module may have several of them.

    The submodules of a method `up` have their variables at `params['up']`. The method cannot declare variables of the
    module itself.
    """
    @functools.wraps(fun)
    def scoped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return call_in_name_scope(self, fun, args, kwargs)

    scoped.compact_name_scope = True  # type: ignore[attr-defined]
    return scoped  # type: ignore[return-value]


def complete_class(cls: type[Any], kw_only: bool) -> None:
    """Make a new class of modules complete.

    Args:
        cls: the class.
        kw_only: whether its fields are given by keyword.

    Raises:
        ReservedModuleAttributeError: it declares `parent` or `name` as a field.
        MultipleMethodsCompactError: it has several compact methods, and the configuration forbids that.
    """
    make_dataclass(cls, kw_only)
    _check_compact_methods(cls)
    _wrap_attributes(cls)


# The dataclass


def make_dataclass(cls: type[Any], kw_only: bool) -> None:
    """Let `dataclasses` write the methods of a class whose fields end with `parent` and `name`."""
    own = inspect.get_annotations(cls)
    itself = own.get("name") in (str, "str", str | None, "str | None", "Optional[str]") and not cls.__dict__.get("name")
    if "parent" in own or ("name" in own and not itself):
        raise ReservedModuleAttributeError(dict(own), module=cls.__name__)
    last = (("parent", Any, field(default=unspecified_parent, repr=False, kw_only=True)),
            ("name", "str | None", field(default=None, kw_only=True)))
    written: Any = dataclass(cls, extra_fields=last, repr=False, unsafe_hash=True, kw_only=kw_only)
    # Errors of construction are shown at the user's line, not in a file "<string>".
    written.__init__.__code__ = written.__init__.__code__.replace(co_filename=__file__)
    passed_on = [name for name, each in written.__dataclass_fields__.items() if each._field_type is _INIT_ONLY]
    if passed_on:
        written.__init__ = _noting(written.__init__, passed_on)


_INIT_ONLY = dataclasses._FIELD_INITVAR  # type: ignore[attr-defined]  # `dataclasses` has no public way to ask


def _noting(init: Callable[..., None], names: list[str]) -> Callable[..., None]:
    """An `__init__` that notes what it gets for fields which only it and `__post_init__` see: a copy gets the same."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        object.__setattr__(self, "_init_only", {name: bound.arguments[name] for name in names})
        init(self, *args, **kwargs)

    return __init__


# Methods


def method_names(cls: type[Any]) -> list[str]:
    """The names of the methods that a class itself defines; fields and static methods are none."""
    fields = getattr(cls, "__dataclass_fields__", {})
    return [name for name, value in cls.__dict__.items()
            if name not in _UNWRAPPED and name not in fields and callable(value) and hasattr(value, "__get__")
            and not isinstance(value, (type, staticmethod, classmethod))]


def _check_compact_methods(cls: type[Any]) -> None:
    if not config.flax_single_compact:
        return
    names = {name for base in cls.__mro__ for name, value in vars(base).items() if hasattr(value, "compact")}
    several = sorted(name for name in names if hasattr(getattr(cls, name, None), "compact"))
    if len(several) > 1:
        places = [function_span(inspect.unwrap(getattr(cls, name))) for name in several]
        raise MultipleMethodsCompactError(module=cls.__name__, methods=tuple(several), places=tuple(places))


def _wrap_attributes(cls: type[Any]) -> None:
    for name in method_names(cls):
        value = cls.__dict__[name]
        if not getattr(value, "nowrap", False):
            setattr(cls, name, wrap_method(value))
    for name, value in list(cls.__dict__.items()):
        if type(value) is property:
            setattr(cls, name, _Property(value.fget, value.fset, value.fdel, value.__doc__))


def wrap_method(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A method that runs `setup` first, knows its module as the running one, and lets interceptors see the call.

    Args:
        fun: a function whose first argument is a module. With another first argument it runs as it is.
    """
    if getattr(fun, "_wraps_method", False):
        return fun

    @functools.wraps(fun)
    def method(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], ModuleBase):
            if running.modules[-1] is None:  # the user's own call, and not a method of another module
                try:
                    return call_method(args[0], fun, args[1:], kwargs)
                except Exception as error:
                    trim_frames(error)
                    raise
            return call_method(args[0], fun, args[1:], kwargs)
        return fun(*args, **kwargs)

    method._wraps_method = True  # type: ignore[attr-defined]
    return method


class _Property(property):
    """A property whose own `AttributeError` does not look as if the property were missing."""

    _name = ""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> Any:
        try:
            return super().__get__(instance, owner)
        except AttributeError as error:
            name = self._name or getattr(self.fget, "__name__", "")
            facts: dict[str, Any] = {}
            inside = error_position(error)
            if inside is not None:
                facts = {"position": inside, "asked": user_position()}
            raise DescriptorAttributeError(module=type(instance).__name__, descriptor=name,
                                           attribute=getattr(error, "name", None) or "", **facts) from error
