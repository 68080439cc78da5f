"""Where arrays are: `inspect_array_sharding` asks, `visualize_sharding` and `visualize_array_sharding` draw."""
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.api.debugger_errors import ShardingDisplayError
from perspicax.binding import runtime
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.debug_callback import debug_effect
from perspicax.transform.batch import BatchAxis
from perspicax.xla.array import ArrayImpl
from perspicax.xla.client import local_devices
from perspicax.xla.compiled_sharding import compiled_sharding
from perspicax.xla.dispatch import as_array
from perspicax.xla.emit import Value, physical_aval
from perspicax.xla.named_meshes import meshes_named
from perspicax.xla.sharding import on_device


def _emit(b: Any, x: Any, *, callback: Callable[[Any], None]) -> list:
    if b.module.num_partitions > 1:
        physical, devices = physical_aval(x.aval), b.module.devices
        meshes = meshes_named(b.module.spoken_of, devices)  # so far

        def tell(found: Any) -> None:
            callback(compiled_sharding(devices, found, physical.ndim, meshes))

        b.module.told.append(tell)
        config = "".join([f"\\{byte:02X}" for byte in runtime.inspect_sharding_config(tell)])
        b.custom_call("InspectSharding", [Value(x.name, physical)], physical, config=config, side_effect=True,
                      api_version=1)
        return []
    callback(on_device(next(d for d in local_devices() if d.platform == b.module.platform)))
    return []


def _evaluate(x: Any, *, callback: Callable[[Any], None]) -> list:
    callback(as_array(x).sharding)
    return []


def _batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
    """The array that exists is that of the whole batch."""
    inspect_sharding_p(*args, **params)
    return [], []


def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    inspect_sharding_p(*primals, **params)
    return [], []


inspect_sharding_p = Primitive(
    "inspect_sharding", params=("callback",), multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=lambda x, **_: [], jvp=_jvp, transpose=NotLinear("it looks at where a value is"), batch=_batch, emit=_emit,
    evaluate=_evaluate, effects=lambda **_: frozenset((debug_effect,)), source="the program's own placement")


@public
def inspect_array_sharding(value: Any, *, callback: Callable[[Any], None]) -> None:
    """Tell where an array is.

    Args:
        value: an array, or a traced value: then the answer comes when the program is compiled, in terms of the mesh of
            its arguments where it can be said so.
        callback: called with the sharding.

    Raises:
        ShardingDisplayError: `value` is no array.
    """
    if not isinstance(value, ArrayImpl | Tracer):
        raise ShardingDisplayError(kind="value", got=type(value).__name__)
    inspect_sharding_p(value, callback=callback)


@public
def visualize_array_sharding(arr: Any, **kwargs: Any) -> None:
    """Draw which device holds which part of an array, with `visualize_sharding`.

    Args:
        arr: an array with one or two axes, or a traced value.
        kwargs: those of `visualize_sharding`.

    Raises:
        ShardingDisplayError: as there, and as in `inspect_array_sharding`.
    """
    if not isinstance(arr, ArrayImpl | Tracer):
        raise ShardingDisplayError(kind="value", got=type(arr).__name__)
    sizes = get_aval(arr).shape  # type: ignore[attr-defined]
    _check_rank(sizes)
    inspect_array_sharding(arr, callback=lambda sharding: visualize_sharding(sizes, sharding, **kwargs))


@public
def visualize_sharding(shape: Sequence[int], sharding: Any, *, use_color: bool = True, scale: float = 1.0, min_width: int = 9,
                       max_width: int = 80, color_map: Any = None) -> None:
    """Draw which device holds which part of an array of this shape, on standard output.

    Args:
        shape: one or two sizes.
        sharding: of such an array.
        use_color, color_map: taken for JAX's sake. Differs: the drawing has no colours.
        scale: larger than 1 draws larger.
        min_width, max_width: bounds for the width of one part.

    Raises:
        ShardingDisplayError: the shape has another number of axes, or the parts form no grid.
    """
    _check_rank(shape)
    sizes = (1, *shape) if len(shape) == 1 else tuple(shape)
    parts: dict[tuple, list[Any]] = {}
    for device, index in sharding.devices_indices_map(tuple(shape)).items():
        spans = tuple([s.indices(n)[:2] for s, n in zip(index, shape)])
        parts.setdefault(((0, 1), *spans) if len(shape) == 1 else spans, []).append(device)
    rows, columns = (sorted({spans[axis] for spans in parts}) for axis in (0, 1))
    if len(parts) != len(rows) * len(columns):
        raise ShardingDisplayError(kind="uneven", got=repr(sharding))
    names = [[_devices_text(parts[r, c]) for c in columns] for r in rows]
    heights = [_height(r, sizes, scale) if len(shape) == 2 else 1 for r in rows]
    widths = _widths(columns, names, sizes, scale if len(shape) == 2 else 0.0, min_width - 2, max_width)
    sys.stdout.write(_drawn(names, heights, widths))


def _check_rank(sizes: Sequence[int]) -> None:
    if len(sizes) not in (1, 2):
        raise ShardingDisplayError(kind="rank", got=str(tuple(sizes)))


def _devices_text(devices: Sequence[Any]) -> str:
    return f"{devices[0].platform.upper()} {','.join([str(d.id) for d in sorted(devices, key=lambda d: d.id)])}"


def _height(rows: tuple[int, int], sizes: Sequence[int], scale: float) -> int:
    """Lines for a part: about in proportion to its share of the first axis, and odd, so that the name is in the middle."""
    count = max(1, round(9 * scale * (rows[1] - rows[0]) / max(1, *sizes)))
    return count | 1


def _widths(columns: Sequence[tuple[int, int]], names: Sequence[Sequence[str]], sizes: Sequence[int], scale: float,
            least: int, most: int) -> list[int]:
    found = []
    for i, (start, stop) in enumerate(columns):
        natural = round(18 * scale * (stop - start) / max(1, *sizes))
        longest = max(len(row[i]) for row in names)
        found.append(max(longest, min(max(natural, least), most)))
    return found


def _drawn(names: Sequence[Sequence[str]], heights: Sequence[int], widths: Sequence[int]) -> str:
    rule = lambda left, middle, right: left + middle.join(["─" * w for w in widths]) + right
    empty = "│" + "│".join([" " * w for w in widths]) + "│"
    lines = [rule("┌", "┬", "┐")]
    for i, (row, height) in enumerate(zip(names, heights)):
        if i:
            lines.append(rule("├", "┼", "┤"))
        blank = (height - 1) // 2
        lines += [empty] * blank
        lines.append("│" + "│".join([name.center(w) for name, w in zip(row, widths)]) + "│")
        lines += [empty] * blank
    lines.append(rule("└", "┴", "┘"))
    return "\n".join(lines) + "\n"


__all__ = ["inspect_array_sharding", "visualize_array_sharding", "visualize_sharding"]
