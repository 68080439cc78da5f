"""Initializers that fill an array with one value or with samples of one distribution."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.diagnose.boundary import public
from perspicax.lax.result_sharding import placed_as
from perspicax.random import sampling
from perspicax.xla.array import ArrayImpl


class Initializer(Protocol):
    """A function that makes the first value of a parameter."""

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
        """The value.

        Args:
            key: a random key; `None` where none is needed.
            shape: of the parameter.
            dtype: of the parameter; the one that the initializer was made with by default.
            out_sharding: how it lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.
        """
        raise NotImplementedError


def dtype_of(given: Any, default: Any) -> Any:
    """The dtype of a parameter: as given, or as the initializer says, or the default floating one."""
    chosen = default if given is None else given
    return dtypes.default_dtype("float") if chosen is None else dtypes.canonicalize_dtype(dtypes.to_dtype(chosen))


def placed(x: Any, out_sharding: Any, function: str) -> Any:
    """The value where it is asked to be."""
    return x if out_sharding is None else placed_as(f"jax.nn.initializers.{function}", out_sharding, x)


_FACTORS = 2.0**-60, 2.0**60
_BOUNDED = (np.dtype(np.float32), np.dtype(np.float64))


def scaled(samples: Any, factor: Any) -> Any:
    """The product of samples and a number; by NumPy where both give the same bits, so that no shape has a kernel of its own.

    Args:
        samples: of a uniform or normal distribution whose width is about 1.
        factor: array, or number of the samples' dtype.

    NumPy and XLA round a product alike, but XLA takes subnormal numbers for zero. A sample is a random integer of 23 bits
    (52 for float64) times a number near 1, less another one, and a function near the identity of that: zero, or at least
    2**-50 (2**-110). So no product with a factor of these bounds is subnormal.
    """
    if type(samples) is ArrayImpl and samples._place is None and local.trace is evaluator() and samples.dtype in _BOUNDED \
            and isinstance(factor, (np.ndarray, np.generic)) and _FACTORS[0] <= abs(float(factor)) <= _FACTORS[1]:
        return ArrayImpl(samples.aval, None, np.multiply(samples.value(), factor, dtype=samples.dtype))
    return jnp.multiply(samples, factor)


def _number(value: Any, dtype: Any) -> Any:
    """A number of the samples' dtype; an array stays one."""
    return jnp.asarray(value, dtype) if isinstance(value, Array) else np.asarray(value, dtypes.to_numpy_dtype(dtype))


@public
def zeros(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
    """Zeros. For the arguments see `Initializer`; `key` is not used.

    >>> zeros(None, (2,))
    Array([0., 0.], dtype=float32)
    """
    return placed(jnp.zeros(shape, dtype_of(dtype, None)), out_sharding, "zeros")


@public
def ones(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
    """Ones. For the arguments see `Initializer`; `key` is not used."""
    return placed(jnp.ones(shape, dtype_of(dtype, None)), out_sharding, "ones")


def constant(value: Any, dtype: Any = None) -> Initializer:
    """An initializer that fills with one value.

    Args:
        value: number, or array that broadcasts to the shape of the parameter.
        dtype: of the parameter, where the initializer is not given another one.
    """
    @public
    def init(key: Any, shape: Sequence[int], dtype: Any = dtype, out_sharding: Any = None) -> Array:
        return placed(jnp.full(shape, value, dtype_of(dtype, None)), out_sharding, "constant")

    return init


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer with samples between 0 and `scale`.

    Args:
        scale: the upper end.
        dtype: of the parameter, where the initializer is not given another one; a real floating one.
    """
    @public
    def init(key: Any, shape: Sequence[int], dtype: Any = dtype, out_sharding: Any = None) -> Array:
        chosen = dtype_of(dtype, None)
        return placed(scaled(sampling.uniform(key, shape, chosen), _number(scale, chosen)), out_sharding, "uniform")

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer with samples of a normal distribution of mean 0.

    Args:
        stddev: its standard deviation.
        dtype: of the parameter, where the initializer is not given another one; floating or complex.
    """
    @public
    def init(key: Any, shape: Sequence[int], dtype: Any = dtype, out_sharding: Any = None) -> Array:
        chosen = dtype_of(dtype, None)
        return placed(scaled(sampling.normal(key, shape, chosen), _number(stddev, chosen)), out_sharding, "normal")

    return init


def truncated_normal(stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0) -> Initializer:
    """An initializer with samples of a normal distribution of mean 0, of which the tails are cut off.

    Args:
        stddev: the standard deviation before the tails are cut off.
        dtype: of the parameter, where the initializer is not given another one; a real floating one.
        lower: where the lower tail begins, in standard deviations.
        upper: where the upper tail begins.
    """
    @public
    def init(key: Any, shape: Sequence[int], dtype: Any = dtype, out_sharding: Any = None) -> Array:
        chosen = dtype_of(dtype, None)
        samples = sampling.truncated_normal(key, lower, upper, shape, chosen)
        product = scaled if _is_wide(lower) and _is_wide(upper) else jnp.multiply
        return placed(product(samples, _number(stddev, chosen)), out_sharding, "truncated_normal")

    return init


def _is_wide(bound: Any) -> bool:
    """Whether samples up to this bound are of the order of 1 or of 0.001, and not all tiny."""
    return isinstance(bound, (int, float)) and (bound == 0 or abs(bound) >= 1e-3)


__all__ = ["Initializer", "constant", "dtype_of", "normal", "ones", "placed", "scaled", "truncated_normal", "uniform",
           "zeros"]
