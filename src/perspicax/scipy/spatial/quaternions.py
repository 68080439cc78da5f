"""Unit quaternions (x, y, z, w) along the last axis, and the other ways to write a rotation.

Shuster, A survey of attitude representations, Journal of the Astronautical Sciences 41, 1993.
"""
from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.numpy.errors import ArgumentValueError

SMALL = 1e-3  # below this angle series take the place of quotients that are 0/0 at 0


def normalised(q: Any) -> Any:
    """The quaternion of length 1."""
    return q / jnp.linalg.norm(q, axis=-1, keepdims=True)


def product(p: Any, q: Any) -> Any:
    """The rotation `q`, then `p`."""
    p, q = jnp.broadcast_arrays(p, q)
    u, v, a, b = p[..., :3], q[..., :3], p[..., 3:], q[..., 3:]
    return jnp.concatenate([a * v + b * u + jnp.cross(u, v), a * b - jnp.sum(u * v, axis=-1, keepdims=True)], axis=-1)


def conjugate(q: Any) -> Any:
    """The inverse rotation."""
    return q * jnp.asarray([-1, -1, -1, 1], q.dtype)


def applied(q: Any, vectors: Any) -> Any:
    """Vectors turned: v + 2 u x (u x v + w v)."""
    shape = jnp.broadcast_shapes(q.shape[:-1], vectors.shape[:-1])
    u = jnp.broadcast_to(q[..., :3], (*shape, 3))
    v = jnp.broadcast_to(vectors, (*shape, 3))
    return v + 2 * jnp.cross(u, jnp.cross(u, v) + q[..., 3:] * v)


def to_matrix(q: Any) -> Any:
    """Rotation matrices: the columns are the turned axes."""
    axes = applied(q[..., None, :], jnp.eye(3, dtype=q.dtype))
    return jnp.swapaxes(axes, -1, -2)


def from_matrix(m: Any) -> Any:
    """Shepperd's method: the largest component comes from the diagonal, the others by division by it."""
    d0, d1, d2 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    trace = d0 + d1 + d2
    x2, y2, z2, w2 = 1 + 2 * d0 - trace, 1 + 2 * d1 - trace, 1 + 2 * d2 - trace, 1 + trace
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 2, 0] + m[..., 0, 2], m[..., 2, 1] + m[..., 1, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    rows = [(x2, xy, xz, wx), (xy, y2, yz, wy), (xz, yz, z2, wz), (wx, wy, wz, w2)]
    candidates = jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
    best = jnp.argmax(jnp.stack([d0, d1, d2, trace], axis=-1), axis=-1)
    return normalised(jnp.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :])


def _length(v: Any) -> Any:
    square = jnp.sum(v * v, axis=-1, keepdims=True)
    zero = square == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)))


def from_rotvec(v: Any) -> Any:
    """From vectors along the axis whose length is the angle."""
    angle = _length(v)
    small = angle <= SMALL
    safe = jnp.where(small, 1, angle)
    square = jnp.sum(v * v, axis=-1, keepdims=True)
    scale = jnp.where(small, .5 - square / 48 + square * square / 3840, jnp.sin(.5 * safe) / safe)
    cosine = jnp.where(small, 1 - square / 8, jnp.cos(.5 * safe))
    return normalised(jnp.concatenate([v * scale, cosine], axis=-1))


def to_rotvec(q: Any) -> Any:
    """Vectors along the axis whose length is the angle, from 0 to pi."""
    q = jnp.where(q[..., 3:] < 0, -q, q)
    angle = 2 * jnp.arctan2(_length(q[..., :3]), q[..., 3:])
    small = angle <= SMALL
    safe = jnp.where(small, 1, angle)
    square = angle * angle
    scale = jnp.where(small, 2 + square / 12 + 7 * square * square / 2880, safe / jnp.sin(.5 * safe))
    return q[..., :3] * scale


def axes_of(seq: Any, function: str) -> tuple[tuple[int, ...], bool]:
    """The axes of Euler angles, and whether they turn with the body (capital letters).

    Raises:
        ArgumentValueError: it is no such text.
    """
    intrinsic = isinstance(seq, str) and seq.isupper()
    letters = seq.lower() if isinstance(seq, str) and (seq.isupper() or seq.islower()) else ""
    if not 1 <= len(letters) <= 3 or set(letters) - set("xyz") or any(a == b for a, b in itertools.pairwise(letters)):
        raise ArgumentValueError(says=f"`{function}` was given seq={seq!r}.",
                                 why="it is one to three of 'x', 'y', 'z' (fixed axes) or of 'X', 'Y', 'Z' (axes that turn "
                                     "along), no two alike in a row")
    return tuple(["xyz".index(c) for c in letters]), intrinsic


def from_euler(axes: tuple[int, ...], intrinsic: bool, angles: Any) -> Any:
    """From angles along the last axis, one for each axis."""
    found: Any = None
    for i, axis in enumerate(axes):
        half = .5 * angles[..., i]
        zero = jnp.zeros_like(half)
        parts = [jnp.sin(half) if j == axis else zero for j in range(3)]
        one = jnp.stack([*parts, jnp.cos(half)], axis=-1)
        found = one if found is None else product(found, one) if intrinsic else product(one, found)
    return found


def to_euler(q: Any, axes: tuple[int, ...], intrinsic: bool) -> Any:
    """Three angles; where they are not unique the one that is turned last, or first with the body, is 0.

    Bernardes and Viollet, PLoS ONE 17, 2022.
    """
    i, j, k = axes[::-1] if intrinsic else axes
    proper = i == k
    k = 3 - i - j if proper else k
    sign = (i - j) * (j - k) * (k - i) // 2
    x, y, z, w = q[..., i], q[..., j], q[..., k] * sign, q[..., 3]
    a, b, c, d = (w, x, y, z) if proper else (w - y, x + z, y + w, z - x)
    middle = 2 * jnp.arctan2(jnp.hypot(c, d), jnp.hypot(a, b))
    limit = 1e-7 if q.dtype == np.dtype(np.float64) else 1e-6
    straight, folded = jnp.abs(middle) <= limit, jnp.abs(middle - math.pi) <= limit
    total, difference = jnp.arctan2(b, a), jnp.arctan2(d, c)
    first = jnp.where(straight, 2 * total, jnp.where(folded, 2 * difference * (1 if intrinsic else -1), total - difference))
    third = jnp.where(straight | folded, 0, total + difference)
    if not proper:
        third, middle = third * sign, middle - math.pi / 2
    first, third = [(v + math.pi) % (2 * math.pi) - math.pi for v in (first, third)]
    return jnp.stack([third, middle, first] if intrinsic else [first, middle, third], axis=-1)


__all__ = ["applied", "axes_of", "conjugate", "from_euler", "from_matrix", "from_rotvec", "normalised", "product",
           "to_euler", "to_matrix", "to_rotvec"]
