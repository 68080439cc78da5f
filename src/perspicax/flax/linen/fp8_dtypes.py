"""The dtype of scales and histories that several calls share: of their "gradients" the largest is left, not the sum.

A layer of 8-bit products returns the next scales and histories as the gradients of those that it was given. Where it is
called twice in a step, these gradients meet, and their sum would be no scale; with this dtype they meet in the maximum.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax import dtypes, lax
from perspicax.core import MeetingDType, ShapedArray
from perspicax.flax.typing import Dtype

__all__ = ["Fp8MetaTyRules", "as_given", "as_numbers", "fm32", "fp8_meta_dtype", "fp8_meta_dtype_wrapper", "fp32_max_grad"]


class fp8_meta_dtype(dtypes.extended):
    """Scalar class of `fp8_meta_dtype_wrapper`; for `issubdtype`."""


class Fp8MetaTyRules:
    """What holds for values of a `fp8_meta_dtype_wrapper`."""

    @staticmethod
    def physical_element_aval(dtype: fp8_meta_dtype_wrapper) -> ShapedArray:
        """The type of what an element is made of: a number."""
        return ShapedArray((), dtype.float_dtype)

    @staticmethod
    def tangent_dtype(dtype: fp8_meta_dtype_wrapper) -> fp8_meta_dtype_wrapper:
        """The dtype of tangents: the same."""
        return dtype

    @staticmethod
    def convert_from(fp8_meta_dtype: fp8_meta_dtype_wrapper, other_dtype: Any) -> bool:
        """Whether such an array converts to another dtype: to that of its numbers alone."""
        return bool(fp8_meta_dtype.float_dtype == other_dtype)

    @staticmethod
    def convert_to(other_dtype: Any, fp8_meta_dtype: fp8_meta_dtype_wrapper) -> bool:
        """Whether arrays of another dtype convert to this one: those of its numbers alone."""
        return bool(fp8_meta_dtype.float_dtype == other_dtype)

    @staticmethod
    def full(shape: Any, fill_value: Any, dtype: fp8_meta_dtype_wrapper) -> Any:
        """An array of one number."""
        return lax.full(shape, fill_value, dtype)

    @staticmethod
    def zero(dt: fp8_meta_dtype_wrapper) -> Any:
        """What stands for no cotangent: the number below all others."""
        return lax.full((), dt.nothing, dt)

    @staticmethod
    def add(dt: fp8_meta_dtype_wrapper, x: Any, y: Any) -> Any:
        """What two cotangents become where they meet: their maximum."""
        return dt.meet(x, y)


class fp8_meta_dtype_wrapper(MeetingDType):
    """A dtype of floating numbers whose cotangents meet in their maximum.

    Arrays of it come from `lax.convert_element_type`, and are converted back before they are computed with.

    Args:
        float_dtype: the dtype of the numbers.

    >>> scale = lax.convert_element_type(jnp.ones(1), fm32)
    """

    __slots__ = ("float_dtype",)

    _rules = Fp8MetaTyRules

    def __init__(self, float_dtype: Dtype) -> None:
        self.float_dtype: np.dtype = np.dtype(float_dtype)

    def __eq__(self, other: object) -> bool:
        return type(other) is fp8_meta_dtype_wrapper and other.float_dtype == self.float_dtype

    def __hash__(self) -> int:
        return hash((fp8_meta_dtype_wrapper, self.float_dtype))

    name = property(lambda self: f"fp8_meta{self.float_dtype.itemsize * 8}")  # type: ignore[assignment]
    type = property(lambda self: fp8_meta_dtype)  # type: ignore[assignment]
    physical_dtype = property(lambda self: self.float_dtype)  # type: ignore[assignment]

    @property
    def nothing(self) -> float:
        """The number below all others: -inf, or the least where there are no infinities."""
        least = np.asarray(-np.inf).astype(self.float_dtype).astype(np.float64)
        return -np.inf if np.isneginf(least) else float(dtypes.finfo(self.float_dtype).min)

    def meet(self, x: Any, y: Any) -> Any:
        """The maximum of both."""
        x, y = [lax.convert_element_type(each, self.float_dtype) for each in (x, y)]
        return lax.convert_element_type(lax.max(x, y), self)


fm32 = fp32_max_grad = fp8_meta_dtype_wrapper(np.float32)


def as_numbers(x: Any) -> Any:
    """An array as one of numbers, if its dtype is a `fp8_meta_dtype_wrapper`; any other as it is."""
    dtype = x.dtype
    return lax.convert_element_type(x, dtype.float_dtype) if isinstance(dtype, fp8_meta_dtype_wrapper) else x


def as_given(numbers: Any, given: Any) -> Any:
    """Numbers in the dtype of an array, if that is a `fp8_meta_dtype_wrapper`; otherwise as they are."""
    return lax.convert_element_type(numbers, given.dtype) if isinstance(given.dtype, fp8_meta_dtype_wrapper) else numbers
