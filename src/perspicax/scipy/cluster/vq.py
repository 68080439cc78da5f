"""Vector quantisation: `jax.scipy.cluster.vq`."""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like, broadcast_shape_of, promote_dtypes


def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Array, Array]:
    """The nearest code of each observation.

    Args:
        obs: real array `[m, n]`, or `[m]` for one feature.
        code_book: real array `[k, n]`, or `[k]`.
        check_finite: has no effect: a compiled program cannot raise.

    Returns:
        `(codes, distances)`: int32 `[m]`, the first of the nearest, and floating `[m]`.

    Raises:
        ArgumentValueError: the ranks differ, or are not 1 or 2.
        BroadcastError: the numbers of features differ.
    """
    function = "jsp.cluster.vq.vq"
    given = [array_like(x, function, i) for i, x in enumerate((obs, code_book))]
    x, codes = [asarray(v) for v in promote_dtypes(*given, inexact=True)]
    if x.ndim != codes.ndim or x.ndim not in (1, 2):
        raise ArgumentValueError(says=f"`vq` was given {x.aval.str_short()} and {codes.aval.str_short()}.",
                                 why="observations and codes are both [m, n] and [k, n], or both vectors")
    x, codes = (x[:, None], codes[:, None]) if x.ndim == 1 else (x, codes)
    broadcast_shape_of("sub", (x[:1].aval, codes[:1].aval))
    return fused_call(_vq, (x, codes))


def _vq(x: Any, codes: Any) -> tuple[Any, Any]:
    distances = jnp.linalg.norm(x[:, None] - codes[None], axis=-1)
    found = jnp.argmin(distances, axis=-1)
    return found, jnp.take_along_axis(distances, found[:, None], axis=-1)[:, 0]


__all__ = ["vq"]

publish(__name__)
