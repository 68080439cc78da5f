"""Dataclasses with fields that stand last, also in subclasses: `flax.linen.kw_only_dataclasses`."""
from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field
from typing import Any

__all__ = ["KW_ONLY", "dataclass", "field"]


class _KwOnly:
    """The key in a field's metadata that says that it stands last."""

    def __repr__(self) -> str:
        return "KW_ONLY"


KW_ONLY = _KwOnly()


def field(*, metadata: Mapping[Any, Any] | None = None, kw_only: Any = MISSING, **kwargs: Any) -> Any:
    """As `dataclasses.field`; with `kw_only=True` it stands after the fields of all subclasses.

    Args:
        metadata: as for `dataclasses.field`.
        kw_only: whether it stands last. It is meant to be given by keyword, but may be given by position.
        **kwargs: for `dataclasses.field`.
    """
    if kw_only is not MISSING and kw_only:
        return dataclasses.field(metadata={**(metadata or {}), KW_ONLY: True}, **kwargs)
    return dataclasses.field(metadata=metadata, kw_only=kw_only, **kwargs)


def dataclass(cls: type[Any] | None = None, extra_fields: Sequence[tuple[str, Any, Any]] | None = None,
              **kwargs: Any) -> Any:
    """As `dataclasses.dataclass`, for fields of this module.

    Args:
        cls: the class; without it a decorator is returned.
        extra_fields: further fields: name, type, and `field(...)` or a default.
        **kwargs: for `dataclasses.dataclass`.
    """
    if cls is None:
        return functools.partial(dataclass, extra_fields=extra_fields, **kwargs)
    _complete(cls, extra_fields or (), kwargs)
    return cls


def _is_late(each: Any) -> bool:
    return isinstance(each, Field) and KW_ONLY in each.metadata


def _complete(cls: Any, extra_fields: Sequence[tuple[str, Any, Any]], options: dict[str, Any]) -> None:
    """Let `dataclasses` write the methods of a class.

    Inherited fields come first there. So the methods are written for a plain class without bases that has all fields in the
    order wanted, and are then taken over. It has a docstring, as `dataclasses` would take long to make one.
    """
    own: dict[str, Any] = dict(inspect.get_annotations(cls))
    declared: dict[str, Any] = {name: cls.__dict__[name] for name in own if name in cls.__dict__}
    annotations: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for base in cls.__mro__[-1:0:-1]:
        for name, inherited in getattr(base, "__dataclass_fields__", {}).items():
            annotations[name], values[name] = inherited.type, inherited
    for name, annotation in own.items():
        annotations[name] = annotation
        values.pop(name, None)
    values.update(declared)
    for name, annotation, value in extra_fields:
        annotations[name], values[name] = annotation, value
    late = [name for name in annotations if _is_late(values.get(name))]
    hook = {"__post_init__": cls.__post_init__} if hasattr(cls, "__post_init__") else {}
    model: Any = type(cls.__name__, (), {
        "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": "-", **hook, **values,
        "__annotations__": {**{name: annotations[name] for name in annotations if name not in late},
                            **{name: annotations[name] for name in late}}})
    kept = {name: cls.__dict__[name] for name in ("__eq__", "__hash__", "__repr__") if name in cls.__dict__}
    dataclasses.dataclass(**options)(model)
    _take_over(cls, model, declared, kept)


def _take_over(cls: Any, model: Any, declared: dict[str, Any], kept: dict[str, Any]) -> None:
    for name in ("__init__", "__repr__", "__eq__", "__hash__", "__match_args__", "__lt__", "__le__", "__gt__", "__ge__"):
        if name in model.__dict__ and name not in kept:
            setattr(cls, name, model.__dict__[name])
    cls.__dataclass_fields__ = model.__dataclass_fields__
    cls.__dataclass_params__ = model.__dataclass_params__
    for name, value in declared.items():
        if isinstance(value, Field):
            if value.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, value.default)
