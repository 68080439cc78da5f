"""`ShapeDtypeStruct`: the type of an array, without its values."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray, abstract_token
from perspicax.core.ref_errors import RefArgumentError
from perspicax.core.refs import RefCell
from perspicax.core.tracer import get_aval, typers
from perspicax.diagnose.boundary import public_methods
from perspicax.transform.errors import MissingDtypeError, with_article
from perspicax.xla.array import ArrayImpl
from perspicax.xla.errors import LayoutError
from perspicax.xla.explicit import part_of_type
from perspicax.xla.layouts import AUTO, Format
from perspicax.xla.manual_axis_type import ManualAxisType
from perspicax.xla.sharding import PartitionSpec, Sharding, in_current_mesh
from perspicax.xla.sharding_errors import ShardingFitError, SpecError


@public_methods("__init__", "__len__", "update")
class ShapeDtypeStruct:
    """The type of an array without its values, for `eval_shape`, `lower` and the like.

    Args:
        shape: sizes of the axes.
        dtype: a dtype.
        weak_type: as in arrays.
        sharding: where such an array would live: a sharding, a `PartitionSpec` in terms of the mesh that is set when one asks
            where, or a `Format`.
        manual_axis_type: a `ManualAxisType`, along which axes of a mesh the values vary; nothing here needs to be told so.
        is_ref: whether it stands for a reference to such an array.

    Raises:
        LayoutError: `sharding` is none of these, or a `Format` that leaves the order in memory to a compiler.
        ShardingFitError: it speaks of more axes than the array has.
    """

    __slots__ = ("_layout", "_sharding", "dtype", "is_ref", "manual_axis_type", "shape", "weak_type")

    def __init__(self, shape: Any, dtype: Any, *, sharding: Any = None, weak_type: bool = False, manual_axis_type: Any = None,
                 is_ref: bool = False, **_: Any) -> None:
        if dtype is None:
            raise MissingDtypeError(shape=str(shape))
        aval = ShapedArray(shape, dtype, weak_type)
        self.shape, self.dtype, self.weak_type = aval.shape, aval.dtype, aval.weak_type
        self._layout: Any = None
        self._sharding: Any = sharding
        if sharding is not None:
            self._place(sharding)
        if manual_axis_type is not None and not isinstance(manual_axis_type, ManualAxisType):
            raise SpecError(kind="manual type", what="ShapeDtypeStruct", got=repr(manual_axis_type)[:60])
        self.manual_axis_type, self.is_ref = manual_axis_type, is_ref

    def _place(self, given: Any) -> None:
        if isinstance(given, Format):
            if given.layout is AUTO:
                raise LayoutError(kind="struct", function="ShapeDtypeStruct", name="sharding")
            self._layout, self._sharding = given.layout, given.sharding
        if isinstance(self._sharding, Sharding):
            try:
                self._sharding.check_compatible_aval(self.shape)
            except ShardingFitError as error:
                error.function = "ShapeDtypeStruct"
                raise
        elif self._sharding is not None and not isinstance(self._sharding, PartitionSpec):
            raise LayoutError(kind="sharding", function="ShapeDtypeStruct", name="sharding",
                              got=repr(given) if len(repr(given)) < 40 else with_article(type(given).__name__))

    @property
    def sharding(self) -> Any:
        """Where such an array would live; `None` where nothing was said.

        Raises:
            MeshContextError: a `PartitionSpec` was given, and no mesh is set.
        """
        if isinstance(self._sharding, PartitionSpec):
            return in_current_mesh(self._sharding, "ShapeDtypeStruct", "sharding")
        return self._sharding

    @property
    def format(self) -> Format:
        """How it would lie in memory, and where, as far as that was said."""
        return Format(self._layout, self.sharding)

    @classmethod
    def like(cls, x: Any) -> ShapeDtypeStruct:
        """The struct of an array or number, with its place where it was placed on purpose.

        Raises:
            RefArgumentError: `x` is a reference.
        """
        if isinstance(x, RefCell):
            raise RefArgumentError(function="ShapeDtypeStruct.like")
        aval: Any = get_aval(x)
        if type(x) is ArrayImpl:
            place: Any = x.format if x.committed else None
        else:
            place = x.sharding if type(x) is ShapeDtypeStruct else aval.explicit
        return cls(aval.shape, aval.dtype, weak_type=aval.weak_type, sharding=place)

    @classmethod
    def of(cls, aval: Any) -> Any:
        """The struct of an aval; a token's type stands for itself."""
        return aval if aval is abstract_token else cls(aval.shape, aval.dtype, weak_type=aval.weak_type,
                                                       sharding=aval.explicit)

    size = property(lambda self: int(np.prod(self.shape, dtype=int)))
    ndim = property(lambda self: len(self.shape))

    def __len__(self) -> int:
        return len(ShapedArray(self.shape, self.dtype))

    def update(self, **changes: Any) -> ShapeDtypeStruct:
        """The same with some fields changed."""
        fields = dict(shape=self.shape, dtype=self.dtype, weak_type=self.weak_type, is_ref=self.is_ref,
                      sharding=self._sharding if self._layout is None else self.format,
                      manual_axis_type=self.manual_axis_type)
        fields.update(changes)
        return ShapeDtypeStruct(fields.pop("shape"), fields.pop("dtype"), **fields)

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        where = "" if self._sharding is None else f", sharding={self._sharding}"
        where += "" if self._layout is None else f", format={self._layout}"
        kind = "" if self.manual_axis_type is None else f", manual_axis_type={self.manual_axis_type}"
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype.name}{where}{kind}{weak})"

    def _key(self) -> tuple:
        return self.shape, self.dtype, self.weak_type, self._sharding, self._layout, self.is_ref, self.manual_axis_type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def _type_struct(x: ShapeDtypeStruct) -> Any:
    if x.is_ref:
        raise RefArgumentError(function="")
    aval = ShapedArray(x.shape, x.dtype, x.weak_type)
    place = x.sharding
    if getattr(place, "splits_types", False):
        aval = aval.laid(part_of_type(place, aval.ndim))
    return aval.in_memory(getattr(place, "memory", None))


typers[ShapeDtypeStruct] = _type_struct

__all__ = ["ShapeDtypeStruct"]
