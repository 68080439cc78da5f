"""Layers that multiply by a matrix, or by an array of more axes."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import perspicax.lax as lax
import perspicax.numpy as jnp
from perspicax.diagnose.report import Fix
from perspicax.flax.core import meta
from perspicax.flax.error_base import shape_of
from perspicax.flax.linen import initializers
from perspicax.flax.linen.dtypes import PromoteDtypeFn, promote_dtype
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described, layer_at, parameter
from perspicax.flax.linen.module import Module, compact, merge_param, nowrap
from perspicax.flax.typing import Array, DotGeneralT, Dtype, Initializer, PrecisionLike

__all__ = ["Dense", "DenseGeneral", "Einsum", "axes_from_front", "default_kernel_init", "dot_general_of", "flattened_init"]

default_kernel_init = initializers.lecun_normal()


def dot_general_of(cls: Any, function: DotGeneralT | None) -> DotGeneralT:
    """The product that a layer uses: a module of the class that the user gave, or his function, or `lax.dot_general`."""
    if cls is not None:
        return cls()  # type: ignore[no-any-return]
    return lax.dot_general if function is None else function


def axes_from_front(axes: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Axes counted from the front, and in their order there, which is that of a kernel's axes."""
    several = (axes,) if isinstance(axes, int) else tuple(axes)
    return tuple(sorted([axis if axis >= 0 else axis + ndim for axis in several]))


def flattened_init(init_fn: Initializer, batch: int, contracted: int | None) -> Initializer:
    """An initializer that draws as a matrix does, whatever the number of axes.

    Args:
        init_fn: the initializer.
        batch: how many of the first axes are batch axes.
        contracted: how many axes after these are summed over; `None` for a bias.

    Returns:
        An initializer that calls `init_fn` with the shape `[batch * contracted, rest]` (a bias: `[batch * rest]`), so that
        the scale follows from the number of terms in each sum, and reshapes.
    """
    def init(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> Any:
        split = batch + (contracted or 0)
        flat: tuple[int, ...] = (math.prod(shape),) if contracted is None else (
            math.prod(shape[:split]), math.prod(shape[split:]))
        drawn = init_fn(key, flat, dtype)
        if isinstance(drawn, meta.AxisMetadata):
            # the names are those of the axes to come: what is flat cannot be constrained by them
            plain = drawn.unbox(apply_constraint=False) if isinstance(drawn, meta.Partitioned) else drawn.unbox()
            return drawn.replace_boxed(jnp.reshape(plain, shape))
        return jnp.reshape(drawn, shape)

    return init


class Dense(Module):
    """A matrix product over the last axis, plus a bias.

    Attributes:
        features: how many outputs there are.
        use_bias: whether a bias is added.
        dtype: the dtype of the computation; by default what the inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        precision: of the product, as in `lax.dot_general`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.
        promote_dtype: brings inputs and parameters to the dtype of the computation.
        dot_general: used instead of `lax.dot_general`.
        dot_general_cls: a class of modules; one is made, and used instead of `lax.dot_general`.

    Parameters: `kernel`, of shape `[inputs.shape[-1], features]`; `bias`, of shape `[features]`.

    >>> layer = Dense(3)
    >>> variables = layer.init(perspicax.random.key(0), jnp.ones((2, 4)))
    >>> layer.apply(variables, jnp.ones((2, 4))).shape
    (2, 3)
    """

    features: int
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: PrecisionLike = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = initializers.zeros_init()
    promote_dtype: PromoteDtypeFn = promote_dtype
    dot_general: DotGeneralT | None = None
    dot_general_cls: Any = None

    @compact
    def __call__(self, inputs: Array) -> Array:
        """Apply the layer.

        Args:
            inputs: an array `[..., n]`.

        Returns:
            An array `[..., features]`.

        Raises:
            ScopeParamShapeError: the parameters were made for another number of inputs.
            LayerInputError: the inputs have no axis.
        """
        if jnp.ndim(inputs) == 0:
            raise LayerInputError(says=f"The input of {layer_at(self)} is {described(inputs)}, without an axis.",
                                  why="the layer sums over the last axis of its inputs")
        kernel: Any = parameter(self, "kernel", self.kernel_init, (jnp.shape(inputs)[-1], self.features), self.param_dtype,
                                ("the last axis of the inputs", "the field `features`"))
        bias: Any = parameter(self, "bias", self.bias_init, (self.features,), self.param_dtype,
                              ("the field `features`",)) if self.use_bias else None
        inputs, kernel, bias = self.promote_dtype(inputs, kernel, bias, dtype=self.dtype)
        product = dot_general_of(self.dot_general_cls, self.dot_general)
        y = product(inputs, kernel, (((inputs.ndim - 1,), (0,)), ((), ())), precision=self.precision)
        return y if bias is None else y + jnp.reshape(bias, (1,) * (y.ndim - 1) + (-1,))


class DenseGeneral(Module):
    """A product over any axes of the inputs, plus a bias.

    Attributes:
        features: the shape of the outputs, an int or a sequence.
        axis: the axis or axes of the inputs that are summed over.
        batch_dims: axes that inputs and kernel share, which must be the first ones.
        use_bias: whether a bias is added.
        dtype: the dtype of the computation; by default what the inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        kernel_init: the initializer of the kernel; it is called with the shape of a matrix.
        bias_init: the initializer of the bias; it is called with one axis.
        precision: of the product, as in `lax.dot_general`.
        promote_dtype: brings inputs and parameters to the dtype of the computation.
        dot_general: used instead of `lax.dot_general`.
        dot_general_cls: a class of modules; one is made, and used instead of `lax.dot_general`.

    Parameters: `kernel`, of the shape of batch axes, summed axes and `features`; `bias`, of batch axes and `features`.

    >>> layer = DenseGeneral((2, 5), axis=(1, -1))
    >>> layer.init(perspicax.random.key(0), jnp.ones((7, 3, 4)))["params"]["kernel"].shape
    (3, 4, 2, 5)
    """

    features: int | Sequence[int]
    axis: int | Sequence[int] = -1
    batch_dims: Sequence[int] = ()
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = initializers.zeros_init()
    precision: PrecisionLike = None
    promote_dtype: PromoteDtypeFn = promote_dtype
    dot_general: DotGeneralT | None = None
    dot_general_cls: Any = None

    @compact
    def __call__(self, inputs: Array) -> Array:
        """Apply the layer.

        Args:
            inputs: an array that has the axes `axis` and `batch_dims`.

        Returns:
            An array: batch axes, then the other axes of the inputs, then `features`.

        Raises:
            LayerOptionError: `batch_dims` are not the first axes.
            LayerInputError: the inputs lack an axis.
            ScopeParamShapeError: the parameters were made for other inputs.
        """
        shape = jnp.shape(inputs)
        features = (self.features,) if isinstance(self.features, int) else tuple(self.features)
        self._check_axes(len(shape))
        axes, batch = axes_from_front(self.axis, len(shape)), axes_from_front(self.batch_dims, len(shape))
        batch_shape, summed = tuple([shape[axis] for axis in batch]), tuple([shape[axis] for axis in axes])
        of_batch = [f"axis {axis} of the inputs (`batch_dims`)" for axis in batch]
        of_features = ["the field `features`"] * len(features)
        kernel: Any = parameter(
            self, "kernel", flattened_init(self.kernel_init, len(batch), len(axes)), batch_shape + summed + features,
            self.param_dtype, [*of_batch, *[f"axis {axis} of the inputs" for axis in axes], *of_features])
        bias: Any = parameter(
            self, "bias", flattened_init(self.bias_init, len(batch), None), batch_shape + features, self.param_dtype,
            [*of_batch, *of_features]) if self.use_bias else None
        inputs, kernel, bias = self.promote_dtype(inputs, kernel, bias, dtype=self.dtype)
        first = len(batch)
        dimensions = ((axes, tuple(range(first, first + len(axes)))), (batch, tuple(range(first))))
        product = dot_general_of(self.dot_general_cls, self.dot_general)
        out = product(inputs, kernel, dimensions, precision=self.precision)
        if bias is None:
            return out
        other = [shape[axis] if axis in batch else 1 for axis in range(len(shape)) if axis not in axes]
        return out + jnp.reshape(bias, (*other, *features))

    @nowrap
    def _check_axes(self, ndim: int) -> None:
        if self.batch_dims and set(self.batch_dims) != set(range(max(self.batch_dims) + 1)):
            raise LayerOptionError(says=f"`batch_dims` of {layer_at(self)} are {tuple(self.batch_dims)}; they must be the "
                                        "first axes: 0, or 0 and 1, and so on.",
                                   why="the kernel has these axes first, and so has the result",
                                   fixes=(Fix("move the axes to the front", code="jnp.moveaxis(inputs, ..., 0)"),))
        for axis in axes_from_front(self.axis, ndim):
            if not 0 <= axis < ndim:
                raise LayerInputError(says=f"The inputs of {layer_at(self)} have {ndim} axes, and `axis` is {self.axis}.",
                                      why="`axis` names the axes of the inputs that are summed over")


class Einsum(Module):
    """A product of the inputs with a kernel by Einstein's rule, plus a bias.

    Attributes:
        shape: the shape of the kernel.
        einsum_str: the equation, of two operands and with a result: `"bij,jk->bik"`. May be given at the call instead.
        use_bias: whether a bias is added.
        dtype: the dtype of the computation; by default what the inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        precision: of the product, as in `lax.dot_general`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.
        promote_dtype: brings inputs and parameters to the dtype of the computation.
        preferred_element_type: the dtype in which products are summed.

    Parameters: `kernel`, of shape `shape`; `bias`, whose axes are those of the kernel that the result keeps.

    >>> layer = Einsum((4, 3), "bi,io->bo")
    >>> layer.init(perspicax.random.key(0), jnp.ones((2, 4)))["params"]["bias"].shape
    (3,)
    """

    shape: Sequence[int]
    einsum_str: str | None = None
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: PrecisionLike = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = initializers.zeros_init()
    promote_dtype: PromoteDtypeFn = promote_dtype
    preferred_element_type: Dtype | None = None

    @compact
    def __call__(self, inputs: Array, einsum_str: str | None = None) -> Array:
        """Apply the layer.

        Args:
            inputs: an array of the axes that the equation names first.
            einsum_str: the equation, where it is no field.

        Returns:
            An array of the axes that the equation names last.

        Raises:
            MergeParamError: the equation was given twice, or not at all.
            LayerOptionError: it does not have two operands and a result, or does not fit the kernel.
        """
        equation = merge_param("einsum_str", self.einsum_str, einsum_str).replace(" ", "")
        operands, arrow, result = equation.partition("->")
        if not arrow or operands.count(",") != 1:
            raise LayerOptionError(says=f"The equation {equation!r} of {layer_at(self)} must have two operands and a result.",
                                   why="the first operand is the input, the second the kernel, and the axes of the bias "
                                       "follow from the result",
                                   fixes=(Fix(code='nn.Einsum(shape, "bij,jk->bik")'),))
        kernel: Any = parameter(self, "kernel", self.kernel_init, tuple(self.shape), self.param_dtype,
                                ["the field `shape`"] * len(self.shape))
        bias: Any = None
        if self.use_bias:
            own, spread = self._bias_shapes(operands.split(",")[1], result, jnp.ndim(inputs), operands.split(",")[0])
            bias = parameter(self, "bias", self.bias_init, own, self.param_dtype, ["the field `shape`"] * len(own))
        inputs, kernel, bias = self.promote_dtype(inputs, kernel, bias, dtype=self.dtype)
        y = jnp.einsum(equation, inputs, kernel, precision=self.precision,
                       preferred_element_type=self.preferred_element_type)
        return y if bias is None else y + jnp.reshape(bias, spread)

    @nowrap
    def _bias_shapes(self, kernel: str, result: str, ndim: int, inputs: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The bias's own shape, and that with which it is added."""
        labels = _spelt_out(kernel, len(self.shape))
        hidden = [size - len(term.replace("...", "")) for term, size in ((inputs, ndim), (kernel, len(self.shape)))
                  if "..." in term]
        spelt = _spelt_out(result, None, max(hidden, default=0))
        if len(labels) != len(self.shape):
            raise LayerOptionError(says=f"The kernel of {layer_at(self)} has shape {shape_of(self.shape)}, and the equation "
                                        f"names its axes {kernel!r}.",
                                   why="each axis of the kernel has one letter")
        sizes = dict(zip(labels, self.shape, strict=True))
        own = tuple([sizes[label] for label in spelt if label in sizes])
        return own, tuple([sizes.get(label, 1) for label in spelt])


def _spelt_out(term: str, ndim: int | None, hidden: int = 0) -> list[str]:
    """The labels of a term, with one for each axis that `...` stands for, counted from the right."""
    if "..." not in term:
        return list(term)
    before, _, after = term.partition("...")
    count = hidden if ndim is None else ndim - len(before) - len(after)
    return [*before, *[f".{i}" for i in range(count, 0, -1)], *after]
