"""Where a part of a program is computed: `compute_on`."""
from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from perspicax.api.errors import PlacementError
from perspicax.api.jit import jit
from perspicax.api.placement import device_put
from perspicax.api.wrapping import check_callable, public
from perspicax.transform.stage import wraps
from perspicax.xla import client

__all__ = ["compute_on", "compute_on2"]

_ELSEWHERE = re.compile(r"tpu_sparsecore|gpu_stream:\d+")


def _check(compute_type: Any) -> None:
    known = isinstance(compute_type, str) and (
        compute_type in ("device", "device_host") or _ELSEWHERE.fullmatch(compute_type))
    if not known:
        raise PlacementError(kind="compute", name="", got=repr(compute_type)[:60])
    if compute_type != "device" and client.default_backend() != "cpu":
        raise PlacementError(kind="computer", name="", got=repr(compute_type))


@contextlib.contextmanager
def compute_on(compute_type: str) -> Iterator[None]:
    """Let what is computed within be computed by a part of the device's machine. It is a context manager and a decorator.

    Args:
        compute_type: `"device"`, `"device_host"` (the processor of the machine that the device belongs to), `"tpu_sparsecore"`
            or `"gpu_stream:N"`.

    Raises:
        PlacementError: it is none of these, or not there yet.

    On a processor all of these are the processor itself, and the program is what it would be without.
    """
    _check(compute_type)
    yield


@public
def compute_on2(f: Callable[..., Any] | None = None, *, compute_type: str, out_memory_spaces: Any,
                compiler_options: dict[str, Any] | None = None) -> Any:
    """A function that is computed as `compute_on` says, and whose results are in given memories.

    Args:
        f: the function. Left out, `compute_on2` is a decorator.
        compute_type: as of `compute_on`.
        out_memory_spaces: a `jax.memory.Space`, or a pytree prefix of the results of these.
        compiler_options: as of `jit`.

    Raises:
        PlacementError: `compute_type` or a space is none.
    """
    if f is None:
        return lambda g: compute_on2(g, compute_type=compute_type, out_memory_spaces=out_memory_spaces,
                                     compiler_options=compiler_options)
    check_callable("compute_on2", f)
    _check(compute_type)
    compiled = jit(f, compiler_options=compiler_options)

    @public
    def computed(*args: Any, **kwargs: Any) -> Any:
        return device_put(compiled(*args, **kwargs), out_memory_spaces)

    return wraps(f, computed)
