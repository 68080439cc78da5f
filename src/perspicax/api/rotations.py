"""`Rotation` and `Slerp` of `jax.scipy.spatial.transform`; they stand here since they draw random numbers."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.boundary import public_methods
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.promote import to_inexact
from perspicax.random import normal
from perspicax.scipy.spatial import quaternions


def _floating(x: Any, last: tuple[int, ...], function: str) -> Any:
    x = asarray(x)
    n = len(last)
    if x.shape[x.ndim - n:] != last or x.ndim not in (n, n + 1):
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()}.",
                                 why=f"it takes an array {list(last)}, or [N, {str(list(last))[1:-1]}] for several rotations")
    return x.astype(to_inexact(x.dtype))


@public_methods("__getitem__", "__len__", "__mul__", "apply", "as_euler", "mean")
class Rotation(NamedTuple):
    """Rotations of three-dimensional space.

    Attributes:
        quat: unit quaternions (x, y, z, w): `[4]` for one rotation, `[N, 4]` for several.

    >>> Rotation.from_euler("z", 90, degrees=True).apply(jnp.array([1., 0., 0.])).round(3)
    Array([0., 1., 0.], dtype=float32)
    """

    quat: Any

    @classmethod
    def concatenate(cls, rotations: Sequence[Any]) -> Rotation:
        """Several rotations as one object `[N, 4]`."""
        return cls(jnp.concatenate([r.quat[None] if r.quat.ndim == 1 else r.quat for r in rotations]))

    @classmethod
    def from_euler(cls, seq: str, angles: Any, degrees: bool = False) -> Rotation:
        """From angles about axes.

        Args:
            seq: one to three axes: `"xyz"` fixed ones, one after the other; `"XYZ"` ones that turn along.
            angles: `[n]` or `[N, n]` for n axes; for one axis also a scalar or `[N]`.
            degrees: whether they are in degrees.

        Raises:
            ArgumentValueError: `seq` is no such text, or the angles do not fit it.
        """
        axes, intrinsic = quaternions.axes_of(seq, "Rotation.from_euler")
        a = asarray(angles)
        a = a.astype(to_inexact(a.dtype))
        a = a[..., None] if len(axes) == 1 and (a.ndim == 0 or a.shape[-1] != 1 or a.ndim == 1) else a
        if a.ndim not in (1, 2) or a.shape[-1] != len(axes):
            raise ArgumentValueError(says=f"`Rotation.from_euler` was given {a.aval.str_short()} for seq={seq!r}.",
                                     why=f"there are {len(axes)} angles for each rotation")
        return cls(quaternions.from_euler(axes, intrinsic, jnp.deg2rad(a) if degrees else a))

    @classmethod
    def from_matrix(cls, matrix: Any) -> Rotation:
        """From rotation matrices `[3, 3]` or `[N, 3, 3]`."""
        return cls(quaternions.from_matrix(_floating(matrix, (3, 3), "Rotation.from_matrix")))

    @classmethod
    def from_mrp(cls, mrp: Any) -> Rotation:
        """From modified Rodrigues parameters `[3]` or `[N, 3]`: along the axis, of the length tan(angle/4)."""
        m = _floating(mrp, (3,), "Rotation.from_mrp")
        square = jnp.sum(m * m, axis=-1, keepdims=True)
        return cls(jnp.concatenate([2 * m, 1 - square], axis=-1) / (1 + square))

    @classmethod
    def from_quat(cls, quat: Any) -> Rotation:
        """From quaternions (x, y, z, w), `[4]` or `[N, 4]`, of any length but 0."""
        return cls(quaternions.normalised(_floating(quat, (4,), "Rotation.from_quat")))

    @classmethod
    def from_rotvec(cls, rotvec: Any, degrees: bool = False) -> Rotation:
        """From vectors `[3]` or `[N, 3]` along the axis, whose length is the angle."""
        v = _floating(rotvec, (3,), "Rotation.from_rotvec")
        return cls(quaternions.from_rotvec(jnp.deg2rad(v) if degrees else v))

    @classmethod
    def identity(cls, num: int | None = None, dtype: Any = float) -> Rotation:
        """No rotation, or `num` of them."""
        one = jnp.array([0., 0., 0., 1.], dtype)
        return cls(one if num is None else jnp.tile(one, (num, 1)))

    @classmethod
    def random(cls, random_key: Any, num: int | None = None) -> Rotation:
        """Rotations that are uniformly distributed: the directions of normal vectors (Marsaglia 1972)."""
        return cls(quaternions.normalised(normal(random_key, (4,) if num is None else (num, 4))))

    def __getitem__(self, indexer: Any) -> Rotation:  # type: ignore[override]
        """Some of several rotations."""
        self._refuse_single("be indexed")
        return Rotation(self.quat[indexer])

    def __len__(self) -> int:
        """How many rotations there are."""
        self._refuse_single("have a length")
        return int(self.quat.shape[0])

    def _refuse_single(self, what: str) -> None:
        if self.single:
            raise ArgumentKindError(says=f"a single `Rotation` cannot {what}.",
                                    why="its quaternion is [4]; several rotations have [N, 4]")

    def __mul__(self, other: Any) -> Rotation:  # type: ignore[override]
        """The rotation `other`, then this one."""
        return Rotation(quaternions.product(self.quat, other.quat))

    def apply(self, vectors: Any, inverse: bool = False) -> Array:
        """Vectors `[3]` or `[N, 3]`, turned; with `inverse` back."""
        v = _floating(vectors, (3,), "Rotation.apply")
        return quaternions.applied(quaternions.conjugate(self.quat) if inverse else self.quat, v)

    def as_euler(self, seq: str, degrees: bool = False) -> Array:
        """Three angles about axes, as `from_euler` takes them.

        Raises:
            ArgumentValueError: `seq` does not name three axes.
        """
        axes, intrinsic = quaternions.axes_of(seq, "Rotation.as_euler")
        if len(axes) != 3:
            raise ArgumentValueError(says=f"`Rotation.as_euler` was given seq={seq!r}.", why="it takes three axes")
        found = quaternions.to_euler(self.quat, axes, intrinsic)
        return jnp.rad2deg(found) if degrees else found

    def as_matrix(self) -> Array:
        """Rotation matrices `[3, 3]` or `[N, 3, 3]`."""
        return quaternions.to_matrix(self.quat)

    def as_mrp(self) -> Array:
        """Modified Rodrigues parameters, of length 1 at most."""
        q = jnp.where(self.quat[..., 3:] < 0, -self.quat, self.quat)
        return q[..., :3] / (1 + q[..., 3:])

    def as_quat(self, canonical: bool = False, scalar_first: bool = False) -> Array:
        """Quaternions (x, y, z, w).

        Args:
            canonical: of the two quaternions of a rotation, the one whose w is positive; or where that is 0, the first
                of x, y, z that is not.
            scalar_first: whether w comes first.
        """
        q = self.quat
        if canonical:
            leading = jnp.roll(q, 1, axis=-1)
            first = jnp.argmax(leading != 0, axis=-1, keepdims=True)
            q = jnp.where(jnp.take_along_axis(leading, first, axis=-1) < 0, -q, q)
        return jnp.roll(q, 1, axis=-1) if scalar_first else q

    def as_rotvec(self, degrees: bool = False) -> Array:
        """Vectors along the axis, whose length is the angle."""
        found = quaternions.to_rotvec(self.quat)
        return jnp.rad2deg(found) if degrees else found

    def inv(self) -> Rotation:
        """The inverse rotation."""
        return Rotation(quaternions.conjugate(self.quat))

    def magnitude(self) -> Array:
        """The angle, from 0 to pi."""
        return 2 * jnp.arctan2(jnp.linalg.norm(self.quat[..., :3], axis=-1), jnp.abs(self.quat[..., 3]))

    def mean(self, weights: Any = None) -> Rotation:
        """The mean of several rotations: the largest eigenvector of the sum of q qᵀ (Markley et al. 2007).

        Args:
            weights: `[N]`, not negative; equal by default.
        """
        q = jnp.atleast_2d(self.quat)
        w = jnp.ones(q.shape[0], q.dtype) if weights is None else asarray(weights).astype(q.dtype)
        if w.shape != q.shape[:1]:
            raise ArgumentValueError(says=f"`Rotation.mean` was given weights {w.aval.str_short()}.",
                                     why=f"there is one for each of {q.shape[0]} rotations")
        return Rotation(jnp.linalg.eigh(jnp.einsum("n,ni,nj->ij", w, q, q))[1][:, -1])

    @property
    def single(self) -> bool:
        """Whether it is one rotation, not an array of them."""
        return bool(self.quat.ndim == 1)


@public_methods("__call__")
class Slerp(NamedTuple):
    """Rotations between rotations, at constant angular velocity (Shoemake 1985); made by `Slerp.init`."""

    times: Any
    timedelta: Any
    rotations: Any
    rotvecs: Any

    @classmethod
    def init(cls, times: Any, rotations: Rotation) -> Slerp:
        """From rotations at increasing times.

        Args:
            times: `[N]`, at least two.
            rotations: N of them.

        Raises:
            ArgumentValueError: the numbers do not fit, or there are less than two.
        """
        if rotations.single or len(rotations) < 2:
            raise ArgumentValueError(says="`Slerp` was given one rotation.", why="it goes from one to the next")
        t = asarray(times)
        t = t.astype(to_inexact(t.dtype))
        if t.shape != (len(rotations),):
            raise ArgumentValueError(says=f"`Slerp` was given times {t.aval.str_short()} for {len(rotations)} rotations.",
                                     why="there is one for each")
        start: Any = rotations[:-1]  # a checker takes it for a slice of the tuple
        return cls(t, jnp.diff(t), start, (start.inv() * rotations[1:]).as_rotvec())

    def __call__(self, times: Any) -> Rotation:
        """The rotations at times, a scalar or a vector."""
        t = asarray(times)
        if t.ndim > 1:
            raise ArgumentValueError(says=f"a `Slerp` was called with {t.aval.str_short()}.",
                                     why="times are a scalar or a vector")
        at = jnp.clip(jnp.searchsorted(self.times, t, side="right") - 1, 0, self.timedelta.shape[0] - 1)
        share = ((t - self.times[at]) / self.timedelta[at])[..., None]
        return self.rotations[at] * Rotation(quaternions.from_rotvec(self.rotvecs[at] * share))


__all__ = ["Rotation", "Slerp"]
