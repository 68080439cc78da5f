"""Initializers whose matrices keep lengths."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.avals import canonical_shape
from perspicax.diagnose.boundary import public
from perspicax.nn.errors import InitializerError
from perspicax.nn.initializers.filling import Initializer, dtype_of, placed
from perspicax.numpy.axes import one_axis
from perspicax.numpy.fusion import fused_call
from perspicax.random import sampling


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer with orthogonal matrices, uniform among these: columns are of length `scale` and orthogonal.

    Args:
        scale: the length of columns; of rows, where there are more columns than rows.
        column_axis: the axis of columns; all others together are rows.
        dtype: of the parameter, where the initializer is not given another one; floating or complex.

    The initializer raises:
        InitializerError: the shape has fewer than two axes.
        AxisError: the shape has no such axis.

    Saxe, McClelland and Ganguli (2013); the signs make Q of a normal matrix uniform (Mezzadri, Notices of the AMS 54,
    2007).
    """
    @public
    def init(key: Any, shape: Sequence[int], dtype: Any = dtype, out_sharding: Any = None) -> Array:
        sizes = canonical_shape(shape)
        if len(sizes) < 2:
            raise InitializerError(says=f"`orthogonal` was given the shape {sizes}.",
                                   why="a matrix has two axes at least: rows, and the columns of `column_axis`")
        chosen = dtype_of(dtype, None)
        columns = one_axis(column_axis, len(sizes), "orthogonal")
        n = sizes[columns]
        rows = math.prod(sizes) // n if n else math.prod([s for i, s in enumerate(sizes) if i != columns])
        samples = sampling.normal(key, (max(n, rows), min(n, rows)), chosen)
        q = fused_call(_orthogonal, (samples, jnp.asarray(scale, chosen)), wide=n <= rows, columns=columns,
                       others=tuple([s for i, s in enumerate(sizes) if i != columns]))
        return placed(q, out_sharding, "orthogonal")

    return init


def _orthogonal(samples: Any, scale: Any, *, wide: bool, columns: int, others: tuple[int, ...]) -> Any:
    q, r = jnp.linalg.qr(samples)  # the linear algebra is loaded when it is used
    q = jnp.multiply(q, jnp.sign(jnp.diagonal(r)))
    q = q.T if wide else q
    return jnp.multiply(scale, jnp.moveaxis(jnp.reshape(q, (q.shape[0], *others)), 0, columns))


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer of convolutions that keep lengths: a matrix with orthogonal rows in the middle, 0 elsewhere.

    Args:
        scale: as for `orthogonal`.
        column_axis: as for `orthogonal`.
        dtype: of the parameter, where the initializer is not given another one; floating or complex.

    The initializer raises:
        InitializerError: the shape is none of `[..., inputs, outputs]` with one to three axes in front, or there are more
            inputs than outputs.

    Xiao, Bahri, Sohl-Dickstein, Schoenholz and Pennington, Dynamical Isometry and a Mean Field Theory of CNNs (2018).
    """
    @public
    def init(key: Any, shape: Sequence[int], dtype: Any = dtype, out_sharding: Any = None) -> Array:
        sizes = canonical_shape(shape)
        if not 3 <= len(sizes) <= 5:
            raise InitializerError(says=f"`delta_orthogonal` was given the shape {sizes}.",
                                   why="the shape of a convolution has one to three axes of space, then inputs and outputs")
        inputs, outputs = sizes[-2:]
        if inputs > outputs:
            raise InitializerError(says=f"`delta_orthogonal` was given the shape {sizes}: {inputs} inputs and {outputs} "
                                        "outputs.", why="a map to fewer dimensions cannot keep lengths")
        chosen = dtype_of(dtype, None)
        matrix = orthogonal(scale, column_axis, chosen)(key, (inputs, outputs))
        middle = tuple([(n - 1) // 2 for n in sizes[:-2]])
        return placed(jnp.zeros(sizes, chosen).at[middle].set(matrix), out_sharding, "delta_orthogonal")

    return init


__all__ = ["delta_orthogonal", "orthogonal"]
