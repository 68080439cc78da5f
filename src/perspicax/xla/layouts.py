"""How an array lies in memory: `Layout` and `Format`.

On the processors that XLA compiles for here, arrays lie row by row; there is nothing to choose.
"""
from __future__ import annotations

from typing import Any, NamedTuple

from perspicax.xla.sharding import Sharding


class Layout(NamedTuple):
    """The order of an array's axes in memory.

    Attributes:
        major_to_minor: the axes, the one that changes most slowly first.
        tiling: sizes of tiles, none on a processor.
        sub_byte_element_size_in_bits: of entries that share bytes; 0 where none do.
    """

    major_to_minor: tuple[int, ...]
    tiling: tuple[tuple[int, ...], ...] | None = None
    sub_byte_element_size_in_bits: int = 0


class Format(NamedTuple):
    """How an array lies in memory, and on which devices.

    Attributes:
        layout: the order of its axes.
        sharding: where its parts are.
    """

    layout: Layout | None = None
    sharding: Sharding | None = None


def format_of(rank: int, sharding: Any) -> Format:
    """The format of an array with `rank` axes."""
    return Format(Layout(tuple(range(rank)), ()), sharding)


__all__ = ["Format", "Layout", "format_of"]
