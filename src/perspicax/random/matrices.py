"""Samples of linear algebra: normal vectors of any covariance, and orthogonal matrices."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import abs as absolute
from perspicax.lax.elementwise import add, div, mul, sign, sqrt
from perspicax.lax.linalg.orthogonal import geqrf, householder_product
from perspicax.lax.random_bits import Place, host_place
from perspicax.lax.shape import expand_dims, transpose
from perspicax.numpy import linalg
from perspicax.numpy.contraction import einsum
from perspicax.numpy.diagonals import diagonal
from perspicax.numpy.promote import promote_dtypes
from perspicax.random.bits import (
    Staged,
    broadcast_parameters,
    concrete,
    dimension,
    parameter,
    placeable,
    sample_dtype,
    sample_shape,
)
from perspicax.random.chunks import FixedProgram
from perspicax.random.draws import drawn
from perspicax.random.errors import SampleShapeError, SamplingError
from perspicax.random.gammas import spread
from perspicax.random.keys import single_key
from perspicax.random.piecewise import Composite
from perspicax.random.sampling import normal_of
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import as_array

METHODS = ("cholesky", "eigh", "svd")
ON_HOST = {dtypes.float32, dtypes.float64}


def _factor(cov: Any, method: str) -> Any:
    """A matrix whose product with its own transpose is the covariance."""
    if method == "cholesky":
        return linalg.cholesky(cov)
    if method == "eigh":
        values, vectors = linalg.eigh(cov)
    else:
        vectors, values, _ = linalg.svd(cov)
    rank = len(get_aval(cov).shape)  # type: ignore[attr-defined]
    return mul(vectors, sqrt(expand_dims(values, (rank - 2,))))


def _multivariate(key: Any, mean: Any, cov: Any, *, shape: tuple[int, ...], dtype: Any, method: str) -> Any:
    size = get_aval(mean).shape[-1]  # type: ignore[attr-defined]
    noise = normal_of(key, (*shape, size), dtype)
    place = host_place([noise, as_array(mean), as_array(cov)]) if concrete(noise, mean, cov) else None
    if place is None or not {get_aval(x).dtype for x in (mean, noise)} <= ON_HOST:  # type: ignore[attr-defined]
        return _correlated(noise, mean, cov, method=method)
    moved = _mixed(noise, cov, method=method).value()
    with np.errstate(all="ignore"):
        made = _flushed(_flushed(as_array(mean).value()).astype(moved.dtype) + moved)
    return ArrayImpl(ShapedArray(made.shape, made.dtype), None, made, *place)


def _correlated_noise(noise: Any, mean: Any, cov: Any, *, method: str) -> Any:
    moved = _mixed_noise(noise, cov, method=method)
    return add(spread(convert_element_type(mean, moved.dtype), moved.shape), moved)


def _mixed_noise(noise: Any, cov: Any, *, method: str) -> Any:
    return einsum("...ij,...j->...i", _factor(cov, method), noise)


def _flushed(x: np.ndarray) -> np.ndarray:
    """What XLA takes a number for: 0 where it is subnormal."""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


_correlated = Staged(_correlated_noise, inline=True, fast=True)
_mixed = Staged(_mixed_noise, inline=True, fast=True)
_multivariate_samples = Composite(_multivariate)


@public
@drawn(arrays="mean cov")
@placeable
def multivariate_normal(key: Any, mean: Any, cov: Any, shape: Any = None, dtype: Any = None, method: str = "cholesky", *,
                        out_sharding: Any = None) -> Any:
    """Samples of the normal distribution of vectors.

    Args:
        key: one key.
        mean: array `[..., n]`.
        cov: array `[..., n, n]`, symmetric and positive semidefinite; definite for `"cholesky"`.
        shape: of the samples, without the vector's axis; what the leading axes of `mean` and `cov` broadcast to by default.
        dtype: floating, of the noise; the result has that of `mean` and `cov` where it is wider.
        method: how `cov` is factored: `"cholesky"`, `"eigh"` or `"svd"`, from the fastest to the most robust.

    Returns:
        Array `[*shape, n]`.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `mean` or `cov` is no array.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: the leading axes do not broadcast to `shape`.
        SamplingError: `mean` is no vector, `cov` no matrix that fits it, or there is no such method.
    """
    found, _ = single_key("multivariate_normal", key)
    mean, cov = promote_dtypes(parameter("multivariate_normal", "mean", mean), parameter("multivariate_normal", "cov", cov),
                               inexact=True)
    dtype = sample_dtype("multivariate_normal", get_aval(mean).dtype if dtype is None else dtype)  # type: ignore[attr-defined]
    if method not in METHODS:
        raise SamplingError(says=f"{method!r} is no method of `multivariate_normal`.",
                            why='there are "cholesky", "eigh" and "svd"')
    own, square = get_aval(mean).shape, get_aval(cov).shape  # type: ignore[attr-defined]
    if not own:
        raise SamplingError(says="`mean` of `multivariate_normal` is one number.",
                            why="it is an array whose last axis is that of the vectors")
    if square[-2:] != (own[-1], own[-1]):
        raise SamplingError(says=f"`cov` of `multivariate_normal` has shape {square}, and `mean` has shape {own}.",
                            why=f"the last two axes of `cov` are both as long as the last axis of `mean`: {own[-1]}")
    leading = {"mean without its last axis": own[:-1], "cov without its last two axes": square[:-2]}
    shape = (broadcast_parameters("multivariate_normal", leading) if shape is None
             else sample_shape("multivariate_normal", shape))
    for size in leading.values():
        if len(size) > len(shape) or any(m not in (1, n) for m, n in zip(size[::-1], shape[::-1])):
            raise SampleShapeError(function="multivariate_normal", shape=shape, parameters=tuple(leading.items()))
    # products of one number are contracted with what makes the noise
    draw = _multivariate_samples.staged if own[-1] == 1 else _multivariate_samples
    return draw(found, mean, cov, shape=shape, dtype=dtype, method=method)


def _orthogonal(key: Any, *, n: int, m: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """The orthogonal factor of a normal matrix, with the signs that make it unique (Mezzadri, Notices AMS 54, 2007)."""
    noise = normal_of(key, (*shape, max(n, m), min(n, m)), dtype)
    place = host_place([noise]) if concrete(noise) else None
    if place is None or dtype not in ON_HOST or not noise.size:
        return _orthogonalized(noise, wide=n < m)
    return _orthogonal_on_host(place, noise, n < m)


def _orthogonal_factor(noise: Any, *, wide: bool) -> Any:
    aval: Any = get_aval(noise)
    rank, dtype = aval.ndim - 2, aval.dtype
    q, r = linalg.qr(noise)
    d = diagonal(r, 0, -2, -1)
    d = div(d, convert_element_type(absolute(d), dtype)) if dtypes.issubdtype(dtype, np.complexfloating) else sign(d)
    q = mul(q, spread(expand_dims(d, (rank,)), get_aval(q).shape))  # type: ignore[attr-defined]
    return transpose(q, (*range(rank), rank + 1, rank)) if wide else q


def _orthogonal_on_host(place: Place, noise: ArrayImpl, wide: bool) -> ArrayImpl:
    """`_orthogonal_factor`, with a program of LAPACK's kernels alone: signs cost as much time to compile as these."""
    packed, q = [np.asarray(x.value()) for x in _reflected_program(place, [noise.value()], ())]
    d = np.diagonal(packed, 0, -2, -1)
    d = _flushed(d)
    q = _flushed(q * np.where(d == 0, d, np.sign(d))[..., None, :])
    q = np.ascontiguousarray(np.swapaxes(q, -1, -2)) if wide else q
    return ArrayImpl(ShapedArray(q.shape, q.dtype), None, q, *place)


def _reflected(noise: Any) -> tuple[Any, Any]:
    """The triangular factor with the reflectors below its diagonal, and the orthogonal one."""
    packed, taus = geqrf(noise)
    return packed, householder_product(packed, taus)


_reflected_program = FixedProgram("orthogonal", _reflected, fast=True)
_orthogonalized = Staged(_orthogonal_factor, inline=True, fast=True)
_orthogonal_samples = Composite(_orthogonal, price=1.)


@public
@drawn()
@placeable
def orthogonal(key: Any, n: int, shape: Any = (), dtype: Any = None, m: int | None = None, *,
               out_sharding: Any = None) -> Any:
    """Orthogonal matrices, uniform over all of them; unitary ones for a complex dtype.

    Args:
        key: one key.
        n: number of rows.
        shape: of the batch of matrices.
        dtype: floating or complex.
        m: number of columns, `n` by default. Where it is not `n`, the shorter side's vectors are orthonormal.

    Returns:
        Array `[*shape, n, m]`.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is neither floating nor complex.
        SamplingError: `n` or `m` is no size.
        ShapeError: `shape` is no shape.
    """
    found, _ = single_key("orthogonal", key)
    dtype = sample_dtype("orthogonal", dtype, "inexact")
    shape = sample_shape("orthogonal", shape)
    rows, columns = dimension("orthogonal", "n", n), dimension("orthogonal", "m", n if m is None else m)
    return _orthogonal_samples(found, n=rows, m=columns, shape=shape, dtype=dtype)


__all__ = ["multivariate_normal", "orthogonal"]
