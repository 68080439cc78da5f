"""How an array lies in memory: `Layout` and `Format`.

On the processors that XLA compiles for here, arrays lie row by row. Another order of axes is refused: values would be the same,
but who asks for one reads the memory.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from perspicax.xla.errors import LayoutError
from perspicax.xla.sharding import Sharding


class AutoLayout:
    """Stands for the order that the compiler chooses: `Layout.AUTO`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "AUTO"

    def __reduce__(self) -> str:
        return "AUTO"


AUTO = AutoLayout()


@dataclass(frozen=True, init=False)
class Layout:
    """The order of an array's axes in memory.

    Attributes:
        major_to_minor: the axes, the one that changes most slowly first.
        tiling: sizes of tiles, none on a processor.
        sub_byte_element_size_in_bits: of entries that share bytes; 0 where none do.
        AUTO: stands for the order that the compiler chooses.
    """

    major_to_minor: tuple[int, ...]
    tiling: tuple[tuple[int, ...], ...] | None
    sub_byte_element_size_in_bits: int
    AUTO: ClassVar[AutoLayout] = AUTO

    def __init__(self, major_to_minor: Iterable[int], tiling: Iterable[Iterable[int]] | None = None,
                 sub_byte_element_size_in_bits: int = 0) -> None:
        object.__setattr__(self, "major_to_minor", tuple(major_to_minor))
        object.__setattr__(self, "tiling", None if tiling is None else tuple(map(tuple, tiling)))
        object.__setattr__(self, "sub_byte_element_size_in_bits", sub_byte_element_size_in_bits)

    def update(self, **changes: Any) -> Layout:
        """The same with some fields changed."""
        return replace(self, **changes)

    @property
    def by_rows(self) -> bool:
        """Whether it is the order in which arrays lie here."""
        return self.major_to_minor == tuple(range(len(self.major_to_minor))) and not self.tiling


@dataclass(frozen=True, init=False)  # what `dataclass` would make stands in no file, and reports would point there
class Format:
    """How an array lies in memory, and on which devices.

    Attributes:
        layout: the order of its axes; `None` and `Layout.AUTO` leave it open.
        sharding: where its parts are.

    Raises:
        LayoutError: an order is given, and no sharding; or something else stands in the place of one of them.
    """

    layout: Layout | AutoLayout | None
    sharding: Sharding | None

    def __init__(self, layout: Layout | AutoLayout | None = None, sharding: Sharding | None = None) -> None:
        if isinstance(layout, Layout) and sharding is None:
            raise LayoutError(kind="place", function="Format", got=repr(layout))
        if layout is not None and not isinstance(layout, Layout | AutoLayout):
            raise LayoutError(kind="layout", function="Format", name="layout", got=repr(layout)[:60])
        if sharding is not None and not isinstance(sharding, Sharding):
            raise LayoutError(kind="sharding", function="Format", name="sharding", got=repr(sharding)[:60])
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "sharding", sharding)


def format_of(rank: int, sharding: Any) -> Format:
    """The format of an array with `rank` axes."""
    return Format(Layout(tuple(range(rank)), ()), sharding)


def sharding_of(given: Any, function: str, name: str, rank: int | None = None) -> Any:
    """The sharding of a format; anything but a format or a layout as it is.

    Args:
        function, name: what was called, and its value or option, for the report.
        rank: of the array, where no program is compiled for it.

    Raises:
        LayoutError: it asks for another order than that of rows, or for one of another number of axes, or leaves it to a
            compiler that is not there; or it is no format.
    """
    if isinstance(given, Layout | AutoLayout):
        raise LayoutError(kind="format", function=function, name=name, got=repr(given))
    if not isinstance(given, Format):
        return given
    layout = given.layout
    if layout is AUTO and rank is not None:
        raise LayoutError(kind="open", function=function, name=name)
    if isinstance(layout, Layout):
        check_order(layout, function, name, rank)
    return given.sharding


def check_order(layout: Layout, function: str, name: str, rank: int | None) -> None:
    """Raise unless arrays lie so; the arguments and errors of `sharding_of`."""
    count = len(layout.major_to_minor)
    if rank is not None and count != rank:
        raise LayoutError(kind="rank", function=function, name=name, got=str(layout.major_to_minor), rank=rank)
    if not layout.by_rows:
        whole = sorted(layout.major_to_minor) == list(range(count))
        kind = "tiles" if layout.tiling else "order" if whole else "axes"
        raise LayoutError(kind=kind, function=function, name=name, got=str(layout.tiling or layout.major_to_minor))


__all__ = ["AUTO", "AutoLayout", "Format", "Layout", "check_order", "format_of", "sharding_of"]
