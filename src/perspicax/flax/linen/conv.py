"""Convolutions with the channels last."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import perspicax as jax
import perspicax.lax as lax
import perspicax.numpy as jnp
from perspicax.diagnose.report import Fix
from perspicax.flax.error_base import shape_of
from perspicax.flax.linen import initializers
from perspicax.flax.linen.dense import default_kernel_init
from perspicax.flax.linen.dtypes import PromoteDtypeFn, promote_dtype
from perspicax.flax.linen.layer_errors import (
    LayerCombinationError,
    LayerInputError,
    LayerOptionError,
    described,
    layer_at,
    parameter,
)
from perspicax.flax.linen.module import Module, compact, nowrap
from perspicax.flax.typing import (
    Array,
    ConvGeneralDilatedT,
    Dtype,
    Initializer,
    LaxPadding,
    PaddingLike,
    PrecisionLike,
)

__all__ = ["Conv", "ConvLocal", "ConvTranspose", "canonicalize_padding"]

_WRAPPED = {"CIRCULAR": "wrap", "REFLECT": "reflect"}  # paddings that copy inputs, as `jnp.pad` calls them


def canonicalize_padding(padding: PaddingLike, rank: int) -> LaxPadding:
    """A padding as `lax` takes it.

    Args:
        padding: a name; one number for all sides; or for each spatial axis a number or a pair.
        rank: how many spatial axes there are.

    Returns:
        The name, or a list of pairs.

    Raises:
        LayerOptionError: it is something else, or has another length.
    """
    if isinstance(padding, str):
        return padding
    if isinstance(padding, int):
        return [(padding, padding)] * rank
    if isinstance(padding, Sequence) and len(padding) == rank:
        pairs = [(each, each) if isinstance(each, int) else tuple(each) for each in padding]
        if all(len(pair) == 2 for pair in pairs):
            return pairs  # type: ignore[return-value]
    raise LayerOptionError(
        says=f"The padding is {padding!r}, for {rank} spatial ax{'is' if rank == 1 else 'es'}.",
        why="a padding is a name (as 'SAME'), a number for all sides, or a number or a pair (before, after) for each spatial "
            "axis",
        fixes=(Fix(code=f"padding={((1, 1),) * rank}"),))


def _one_for_each(value: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """A field that may be one number for all spatial axes."""
    if value is None:
        value = 1
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _channels_last(ndim: int) -> lax.ConvDimensionNumbers:
    spatial = tuple(range(1, ndim - 1))
    inputs = (0, ndim - 1, *spatial)
    return lax.ConvDimensionNumbers(inputs, (ndim - 1, ndim - 2, *range(ndim - 2)), inputs)


def _with_one_batch_axis(module: Any, inputs: Any, rank: int) -> tuple[Any, tuple[int, ...]]:
    """The inputs with one batch axis, and the batch axes that they had."""
    shape = jnp.shape(inputs)
    if len(shape) < rank + 1:
        raise LayerInputError(
            says=f"The input of {layer_at(module)} is {described(inputs)}; it needs {rank} spatial "
                 f"ax{'is' if rank == 1 else 'es'} and one of channels.",
            why=f"its `kernel_size` is {module.kernel_size}; axes are batch axes (any number), spatial axes, channels",
            notes=() if len(shape) != rank else ("an axis of channels may have size 1: `x[..., None]`",))
    batch = shape[:len(shape) - rank - 1]
    return jnp.reshape(inputs, (math.prod(batch), *shape[len(batch):])), batch


def _check_mask(module: Any, shape: Sequence[int]) -> None:
    if module.mask is not None and jnp.shape(module.mask) != tuple(shape):
        raise LayerOptionError(says=f"The mask of {layer_at(module)} has shape {shape_of(jnp.shape(module.mask))}, its kernel "
                                    f"{shape_of(shape)}.",
                               why="the kernel is multiplied with the mask, element by element")


class _Convolution(Module):
    """What `Conv` and `ConvLocal` have in common."""

    features: int
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] | None = 1
    padding: PaddingLike = "SAME"
    input_dilation: int | Sequence[int] | None = 1
    kernel_dilation: int | Sequence[int] | None = 1
    feature_group_count: int = 1
    use_bias: bool = True
    mask: Array | None = None
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: PrecisionLike = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = initializers.zeros_init()
    promote_dtype: PromoteDtypeFn = promote_dtype
    conv_general_dilated: ConvGeneralDilatedT | None = None
    conv_general_dilated_cls: Any = None

    @property
    def shared_weights(self) -> bool:
        """Whether the same kernel is used at all places."""
        return True

    @compact
    def __call__(self, inputs: Array) -> Array:
        """Apply the layer.

        Args:
            inputs: an array `[..., *spatial, channels]`; the batch axes `...` may be missing.

        Returns:
            An array `[..., *spatial, features]`.

        Raises:
            LayerInputError: axes are missing, or the channels do not divide into the groups.
            LayerOptionError: the padding or the mask does not fit.
            ScopeParamShapeError: the parameters were made for another number of channels.
        """
        window: Any = (self.kernel_size,) if isinstance(self.kernel_size, int) else tuple(self.kernel_size)
        rank = len(window)
        x, batch = _with_one_batch_axis(self, inputs, rank)
        dilation = _one_for_each(self.kernel_dilation, rank)
        x, padding = self._padded(x, window, dilation)
        options: dict[str, Any] = {"lhs_dilation": _one_for_each(self.input_dilation, rank), "rhs_dilation": dilation,
                                   "dimension_numbers": _channels_last(x.ndim), "precision": self.precision}
        strides, channels = _one_for_each(self.strides, rank), x.shape[-1]
        if self.shared_weights:
            if channels % self.feature_group_count:
                raise LayerInputError(says=f"The input of {layer_at(self)} has {channels} channels, which do not divide into "
                                           f"{self.feature_group_count} groups.",
                                      why="each of the `feature_group_count` groups has its share of the channels")
            options["feature_group_count"] = self.feature_group_count
            shape = (*window, channels // self.feature_group_count, self.features)
            origins = [*["the field `kernel_size`"] * rank, "the channels of the inputs (of a group)", "the field `features`"]
        else:
            shape = self._local_shape(x, window, strides, padding, options)
            origins = [*["the spatial axes of the result"] * rank, "the window times the channels", "the field `features`"]
        _check_mask(self, shape)
        kernel = parameter(self, "kernel", self.kernel_init, shape, self.param_dtype, origins)
        if self.mask is not None:
            kernel *= self.mask
        bias = None
        if self.use_bias:
            own = (self.features,) if self.shared_weights else (*shape[:rank], self.features)
            bias = parameter(self, "bias", self.bias_init, own, self.param_dtype, [*origins[:len(own) - 1], origins[-1]])
        x, kernel, bias = self.promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = self._convolve(x, kernel, window, strides, padding, options)
        if bias is not None:
            y += jnp.reshape(bias, (1,) * (y.ndim - bias.ndim) + bias.shape)
        return jnp.reshape(y, (*batch, *y.shape[1:]))

    @nowrap
    def _padded(self, x: Any, window: Sequence[int], dilation: Sequence[int]) -> tuple[Any, Any]:
        """The inputs with the padding that `lax` does not have, and the padding that is left to it."""
        padding = canonicalize_padding(self.padding, len(window))
        extents = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
        if isinstance(padding, str) and padding in _WRAPPED:
            sides = [(0, 0), *[((n - 1) // 2, n // 2) for n in extents], (0, 0)]
            return jnp.pad(x, sides, mode=_WRAPPED[padding]), "VALID"
        if padding == "CAUSAL":
            if len(window) != 1:
                raise LayerOptionError(says=f"The padding of {layer_at(self)} is 'CAUSAL', and it has {len(window)} spatial "
                                            "axes.",
                                       why="causal padding hides what comes later, along one axis of time",
                                       fixes=(Fix("pad by hand", code="padding=((2, 0), (1, 1))"),))
            return jnp.pad(x, [(0, 0), (extents[0] - 1, 0), (0, 0)]), "VALID"
        return x, padding

    @nowrap
    def _local_shape(self, x: Any, window: Sequence[int], strides: Sequence[int], padding: Any,
                     options: dict[str, Any]) -> tuple[int, ...]:
        if self.feature_group_count != 1:
            raise LayerCombinationError(says=f"The field `feature_group_count` of {layer_at(self)} is "
                                             f"{self.feature_group_count}.",
                                        why="convolutions without shared weights have no groups")
        channels = x.shape[-1]
        result = jax.eval_shape(
            lambda a, b: lax.conv_general_dilated(a, b, strides, padding, **{**options, "precision": None}),
            jax.ShapeDtypeStruct(x.shape, jnp.float32), jax.ShapeDtypeStruct((*window, channels, self.features), jnp.float32))
        return (*result.shape[1:-1], math.prod(window) * channels, self.features)

    @nowrap
    def _convolve(self, x: Any, kernel: Any, window: Sequence[int], strides: Sequence[int], padding: Any,
                  options: dict[str, Any]) -> Any:
        if not self.shared_weights:
            return lax.conv_general_dilated_local(x, kernel, strides, padding, window, **options)
        convolve: Any = lax.conv_general_dilated
        if self.conv_general_dilated_cls is not None:
            convolve = self.conv_general_dilated_cls()
        elif self.conv_general_dilated is not None:
            convolve = self.conv_general_dilated
        return convolve(x, kernel, strides, padding, **options)


class Conv(_Convolution):
    """A convolution: the same kernel at all places.

    Attributes:
        features: how many output channels there are.
        kernel_size: the size of the window along each spatial axis.
        strides: the step of the window, one number or one for each spatial axis.
        padding: `"SAME"`, `"VALID"`, `"CIRCULAR"` (the input goes on from its other end), `"REFLECT"`, `"CAUSAL"` (one
            spatial axis, and nothing from later); a number for all sides; or for each axis a number or a pair.
        input_dilation: the distance of the inputs; above 1 it makes a transposed convolution.
        kernel_dilation: the distance of the kernel's elements.
        feature_group_count: into how many groups, that do not mix, the channels are divided.
        use_bias: whether a bias is added.
        mask: multiplied with the kernel; of its shape.
        dtype: the dtype of the computation; by default what the inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        precision: of the sums, as in `lax.conv_general_dilated`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.
        promote_dtype: brings inputs and parameters to the dtype of the computation.
        conv_general_dilated: used instead of `lax.conv_general_dilated`.
        conv_general_dilated_cls: a class of modules; one is made, and used instead of `lax.conv_general_dilated`.

    Parameters: `kernel`, of shape `[*kernel_size, channels / feature_group_count, features]`; `bias`, of shape `[features]`.

    >>> layer = Conv(3, kernel_size=(5,))
    >>> layer.init(perspicax.random.key(0), jnp.ones((2, 8, 4)))["params"]["kernel"].shape
    (5, 4, 3)
    """


class ConvLocal(_Convolution):
    """A convolution with a kernel of its own at each place.

    Attributes:
        features: how many output channels there are.
        kernel_size: the size of the window along each spatial axis.
        strides: the step of the window, one number or one for each spatial axis.
        padding: as for `Conv`.
        input_dilation: the distance of the inputs.
        kernel_dilation: the distance of the kernel's elements.
        feature_group_count: must be 1.
        use_bias: whether a bias is added.
        mask: multiplied with the kernel; of its shape.
        dtype: the dtype of the computation; by default what the inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        precision: of the sums, as in `lax.conv_general_dilated`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.
        promote_dtype: brings inputs and parameters to the dtype of the computation.
        conv_general_dilated: not used.
        conv_general_dilated_cls: not used.

    Parameters: `kernel`, of shape `[*output places, window * channels, features]`; `bias`, of shape
    `[*output places, features]`.
    """

    @property
    def shared_weights(self) -> bool:
        """Whether the same kernel is used at all places."""
        return False


class ConvTranspose(Module):
    """A transposed convolution, which makes the spatial axes larger by `strides`.

    Attributes:
        features: how many output channels there are.
        kernel_size: the size of the window along each spatial axis.
        strides: the factor by which each spatial axis grows; by default 1.
        padding: `"SAME"`, `"VALID"`, `"CIRCULAR"` (the result goes on from its other end), a number, or for each spatial axis
            a number or a pair.
        kernel_dilation: the distance of the kernel's elements.
        use_bias: whether a bias is added.
        mask: multiplied with the kernel; of its shape.
        dtype: the dtype of the computation; by default what the inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        precision: of the sums, as in `lax.conv_transpose`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.
        transpose_kernel: whether the kernel is flipped and has its last axes exchanged, so that the layer is the
            transpose of the `Conv` with that kernel.
        promote_dtype: brings inputs and parameters to the dtype of the computation.
        preferred_element_type: the dtype in which products are summed.

    Parameters: `kernel`, of shape `[*kernel_size, channels, features]`, or `[*kernel_size, features, channels]` with
    `transpose_kernel`; `bias`, of shape `[features]`.
    """

    features: int
    kernel_size: int | Sequence[int]
    strides: Sequence[int] | None = None
    padding: PaddingLike = "SAME"
    kernel_dilation: Sequence[int] | None = None
    use_bias: bool = True
    mask: Array | None = None
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: PrecisionLike = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = initializers.zeros_init()
    transpose_kernel: bool = False
    promote_dtype: PromoteDtypeFn = promote_dtype
    preferred_element_type: Dtype | None = None

    @compact
    def __call__(self, inputs: Array) -> Array:
        """Apply the layer.

        Args:
            inputs: an array `[..., *spatial, channels]`; the batch axes `...` may be missing.

        Returns:
            An array `[..., *spatial, features]`.

        Raises:
            LayerInputError: axes are missing.
            LayerOptionError: the padding or the mask does not fit.
            ScopeParamShapeError: the parameters were made for another number of channels.
        """
        window: Any = (self.kernel_size,) if isinstance(self.kernel_size, int) else tuple(self.kernel_size)
        rank = len(window)
        x, batch = _with_one_batch_axis(self, inputs, rank)
        strides, dilation = _one_for_each(self.strides, rank), _one_for_each(self.kernel_dilation, rank)
        ends = [(x.shape[-1], "the channels of the inputs"), (self.features, "the field `features`")]
        sizes, origins = zip(*(reversed(ends) if self.transpose_kernel else ends), strict=True)
        shape = (*window, *sizes)
        _check_mask(self, shape)
        kernel = parameter(self, "kernel", self.kernel_init, shape, self.param_dtype,
                           [*["the field `kernel_size`"] * rank, *origins])
        if self.mask is not None:
            kernel *= self.mask
        padding = canonicalize_padding(self.padding, rank)
        circular = padding == "CIRCULAR"
        bias = parameter(self, "bias", self.bias_init, (self.features,), self.param_dtype,
                         ["the field `features`"]) if self.use_bias else None
        x, kernel, bias = self.promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = lax.conv_transpose(x, kernel, strides, "VALID" if circular else padding, rhs_dilation=dilation,
                               transpose_kernel=self.transpose_kernel, precision=self.precision,
                               preferred_element_type=self.preferred_element_type)
        if circular:
            y = _wrapped_around(y, [n * s for n, s in zip(x.shape[1:-1], strides, strict=True)], self.transpose_kernel)
        if bias is not None:
            y += jnp.reshape(bias, (1,) * (y.ndim - 1) + (-1,))
        return jnp.reshape(y, (*batch, *y.shape[1:]))


def _wrapped_around(y: Any, periods: Sequence[int], flipped: bool) -> Any:
    """Sum what lies a whole number of periods apart, along each spatial axis.

    Zeros are added on both sides until an axis has whole periods, an odd number of them, so that the middle one stays
    where it was.
    """
    sides = []
    for size, period in zip(y.shape[1:-1], periods, strict=True):
        missing = (period - size) % (2 * period)
        less, more = missing // 2, missing - missing // 2
        sides.append((less, more) if flipped else (more, less))
    y = jnp.pad(y, [(0, 0), *sides, (0, 0)])
    for axis, period in enumerate(periods, start=1):
        y = jnp.sum(jnp.reshape(y, (*y.shape[:axis], -1, period, *y.shape[axis + 1:])), axis=axis)
    return y
