"""`platform_dependent`: one of several functions, by the platform that is compiled for."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core.primitive import NotLinear, Primitive
from perspicax.diagnose.boundary import public
from perspicax.lax.bodies import check_callable
from perspicax.lax.branch_errors import PlatformError
from perspicax.lax.branch_rules import platform_place
from perspicax.lax.branching import apply_branches
from perspicax.lax.loop_emission import INDEX
from perspicax.xla import client


def _evaluate(*, platforms: tuple) -> Any:
    return np.int32(platform_place(_current_platform(), platforms))


def _current_platform() -> str:
    return client.default_device().platform


platform_index_p = Primitive(
    "platform_index", params=("platforms",), type_rule=lambda *, platforms: INDEX,
    jvp=NotLinear("it has no operands"), transpose=NotLinear("it has no operands"), batch=NotLinear("it has no operands"),
    emit=lambda b, *, platforms: b.constant(platform_place(b.module.platform, platforms), INDEX), evaluate=_evaluate,
    source="the platform that a program is compiled for")


@public
def platform_dependent(*args: Any, default: Callable[..., Any] | None = None, **per_platform: Callable[..., Any]) -> Any:
    """The function for the platform that is compiled for, applied to `args`.

    Args:
        args: pytrees of arrays.
        default: for all platforms that have no function of their own.
        per_platform: by the name of the platform: `cpu`, `tpu`, `cuda`, `rocm`. They return results of one structure and
            of the same types.

    Returns:
        The result of that function. What is compiled holds no other.

    Raises:
        PlatformError: there is no function for the platform.
        BranchOutputError: the results differ in structure, shape or dtype.

    >>> platform_dependent(1.0, cpu=lambda x: x + 1, default=lambda x: x)
    Array(2., dtype=float32, weak_type=True)
    """
    if "gpu" in per_platform:
        raise PlatformError(platform="gpu", known=tuple(per_platform), kind="name")
    for name, f in per_platform.items():
        check_callable(f, "platform_dependent", name)
    if default is not None:
        check_callable(default, "platform_dependent", "default")
    names: list[Any] = [(name,) for name in per_platform]
    functions = list(per_platform.values())
    if default is not None:
        names.append(None)
        functions.append(default)
    if not functions:
        raise PlatformError(platform=_current_platform(), known=())
    platforms = tuple(names)
    index = platform_index_p(platforms=platforms)
    shown = [name or "default" for name in (*per_platform, None)][:len(functions)]
    return apply_branches("platform_dependent", index, functions, shown, args, platforms)


__all__ = ["platform_dependent", "platform_index_p"]
