"""Cells of recurrent networks: one step in time."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import perspicax.nn
import perspicax.numpy as jnp
import perspicax.random as random
from perspicax.diagnose.report import Fix
from perspicax.flax.linen import initializers
from perspicax.flax.linen.conv import Conv
from perspicax.flax.linen.dense import Dense, default_kernel_init
from perspicax.flax.linen.dtypes import promote_dtype
from perspicax.flax.linen.layer_errors import LayerInputError, described, layer_at, parameter
from perspicax.flax.linen.module import Module, compact, nowrap
from perspicax.flax.typing import Array, Dtype, Initializer, PRNGKey

__all__ = ["ConvLSTMCell", "GRUCell", "LSTMCell", "MGUCell", "OptimizedLSTMCell", "RNNCellBase", "SimpleCell"]

sigmoid: Any = perspicax.nn.sigmoid
tanh: Any = jnp.tanh

_THE_FEATURES = "the field `features`"


class RNNCellBase(Module):
    """What `RNN` asks of a cell.

    A cell is called with (carry, inputs) and returns (new carry, output).
    """

    @nowrap
    def initialize_carry(self, rng: PRNGKey, input_shape: tuple[int, ...]) -> Any:
        """The carry before the first step.

        Args:
            rng: a random key.
            input_shape: the shape of the inputs of one step.

        Returns:
            A tree of arrays.

        Raises:
            NotImplementedError: the cell does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define initialize_carry")

    @property
    def num_feature_axes(self) -> int:
        """How many axes of the inputs of one step are no batch axes.

        Raises:
            NotImplementedError: the cell does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define num_feature_axes")


def _first_memories(cell: Any, rng: PRNGKey, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The carry of a cell that has two arrays."""
    first, second = random.split(rng)
    return cell.carry_init(first, shape, cell.param_dtype), cell.carry_init(second, shape, cell.param_dtype)


def _dense(cell: Any, features: int, **options: Any) -> Any:
    return partial(Dense, features=features, dtype=cell.dtype, param_dtype=cell.param_dtype, **options)


class _VectorCell(RNNCellBase):
    """A cell whose carry is one array. The fields that it uses are those of the cell."""

    @nowrap
    def initialize_carry(self, rng: PRNGKey, input_shape: tuple[int, ...]) -> Any:
        """The carry before the first step.

        Args:
            rng: a random key.
            input_shape: the shape `[batch..., n]` of the inputs of one step.

        Returns:
            An array `[batch..., features]`.
        """
        cell: Any = self
        return cell.carry_init(rng, (*input_shape[:-1], cell.features), cell.param_dtype)

    @property
    def num_feature_axes(self) -> int:
        """1: the last axis of the inputs."""
        return 1


class _VectorPairCell(_VectorCell):
    """A cell whose carry is (memory, output)."""

    @nowrap
    def initialize_carry(self, rng: PRNGKey, input_shape: tuple[int, ...]) -> tuple[Any, Any]:
        """The carry before the first step.

        Args:
            rng: a random key.
            input_shape: the shape `[batch..., n]` of the inputs of one step.

        Returns:
            (memory, output), both `[batch..., features]`.
        """
        cell: Any = self
        return _first_memories(self, rng, (*input_shape[:-1], cell.features))


class LSTMCell(_VectorPairCell):
    """A cell with long short-term memory; the carry is (memory, output).

    Attributes:
        features: how many outputs there are.
        gate_fn: the activation of the gates.
        activation_fn: that of memory and output.
        kernel_init: the initializer of the kernels of the inputs.
        recurrent_kernel_init: that of the kernels of the last output.
        bias_init: that of the biases.
        dtype: the dtype of the computation; by default what inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        carry_init: the initializer of the carry.

    Parameters: for each gate `g` of `i`, `f`, `g`, `o` the layers `ig` (a kernel) and `hg` (kernel and bias).

    Hochreiter and Schmidhuber, Neural Computation 9 (1997).
    """

    features: int
    gate_fn: Callable[..., Any] = sigmoid
    activation_fn: Callable[..., Any] = tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = initializers.orthogonal()
    bias_init: Initializer = initializers.zeros_init()
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    carry_init: Initializer = initializers.zeros_init()

    @compact
    def __call__(self, carry: tuple[Array, Array], inputs: Array) -> tuple[tuple[Array, Array], Array]:
        """One step.

        Args:
            carry: (memory, output) of the last step, both `[batch..., features]`.
            inputs: an array `[batch..., n]`.

        Returns:
            The new carry, and the output.
        """
        memory, h = _memory_and_output(self, carry)
        size = jnp.shape(h)[-1]
        of_h = _dense(self, size, kernel_init=self.recurrent_kernel_init, bias_init=self.bias_init)
        of_inputs = _dense(self, size, kernel_init=self.kernel_init, use_bias=False)

        def gate(letter: str) -> Any:
            return of_inputs(name=f"i{letter}")(inputs) + of_h(name=f"h{letter}")(h)

        return _lstm_step(self, memory, gate("i"), gate("f"), gate("g"), gate("o"))


def _memory_and_output(cell: Any, carry: Any) -> tuple[Any, Any]:
    """The two arrays of a carry.

    Raises:
        LayerInputError: it is no pair.
    """
    try:
        memory, h = carry
    except (TypeError, ValueError):
        what = f"has {len(carry)} entries" if isinstance(carry, (tuple, list)) else f"is {described(carry)}"
        raise LayerInputError(says=f"The carry of {layer_at(cell)} {what}; it must be a pair.",
                              why="it is (memory, output), two arrays of one shape, as the cell's `initialize_carry` makes it",
                              fixes=(Fix(code="carry = cell.initialize_carry(jax.random.key(0), inputs.shape)"),)) from None
    return memory, h


def _lstm_step(cell: Any, memory: Any, i: Any, f: Any, g: Any, o: Any) -> tuple[tuple[Any, Any], Any]:
    """The new carry and the output, from the four gates before their activation."""
    memory = cell.gate_fn(f) * memory + cell.gate_fn(i) * cell.activation_fn(g)
    h = cell.gate_fn(o) * cell.activation_fn(memory)
    return (memory, h), h


class DenseParams(Module):
    """The parameters of a `Dense`, which are used by somebody else."""

    features: int
    use_bias: bool = True
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = initializers.zeros_init()

    @compact
    def __call__(self, inputs: Array) -> tuple[Array, Array | None]:
        """Kernel and bias for inputs `[..., n]`."""
        kernel = parameter(self, "kernel", self.kernel_init, (jnp.shape(inputs)[-1], self.features), self.param_dtype,
                           ("the last axis of the inputs", _THE_FEATURES))
        if not self.use_bias:
            return kernel, None
        return kernel, parameter(self, "bias", self.bias_init, (self.features,), self.param_dtype, (_THE_FEATURES,))


class OptimizedLSTMCell(_VectorPairCell):
    """An `LSTMCell` that computes all gates by two products, which is faster unless it is very large.

    Attributes:
        features: how many outputs there are.
        gate_fn: the activation of the gates.
        activation_fn: that of memory and output.
        kernel_init: the initializer of the kernels of the inputs.
        recurrent_kernel_init: that of the kernels of the last output.
        bias_init: that of the biases.
        dtype: the dtype of the computation; by default what inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        carry_init: the initializer of the carry.

    The parameters are those of `LSTMCell`.
    """

    features: int
    gate_fn: Callable[..., Any] = sigmoid
    activation_fn: Callable[..., Any] = tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = initializers.orthogonal()
    bias_init: Initializer = initializers.zeros_init()
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    carry_init: Initializer = initializers.zeros_init()

    @compact
    def __call__(self, carry: tuple[Array, Array], inputs: Array) -> tuple[tuple[Array, Array], Array]:
        """One step.

        Args:
            carry: (memory, output) of the last step, both `[batch..., features]`.
            inputs: an array `[batch..., n]`.

        Returns:
            The new carry, and the output.
        """
        memory, h = _memory_and_output(self, carry)
        declare: Any = partial(DenseParams, jnp.shape(h)[-1], param_dtype=self.param_dtype)
        of_inputs, of_h = [], []
        for letter in "ifgo":
            of_inputs.append(declare(use_bias=False, kernel_init=self.kernel_init, name=f"i{letter}")(inputs))
            of_h.append(declare(kernel_init=self.recurrent_kernel_init, bias_init=self.bias_init, name=f"h{letter}")(h))
        gates = zip(self._products(h, of_h), self._products(inputs, of_inputs), strict=True)
        i, f, g, o = [a + b for a, b in gates]
        return _lstm_step(self, memory, i, f, g, o)

    @nowrap
    def _products(self, x: Any, layers: Sequence[tuple[Any, Any]]) -> list[Any]:
        """What several dense layers make of the same input, by one product."""
        kernels, biases = zip(*layers, strict=True)
        bias = None if biases[0] is None else jnp.concatenate(biases, axis=-1)
        x, kernel, bias = promote_dtype(x, jnp.concatenate(kernels, axis=-1), bias, dtype=self.dtype)
        y = jnp.dot(x, kernel)
        if bias is not None:
            y += jnp.reshape(bias, (1,) * (y.ndim - 1) + (-1,))
        return jnp.split(y, len(kernels), axis=-1)


class SimpleCell(_VectorCell):
    """A cell without gates; the carry is the output.

    Attributes:
        features: how many outputs there are.
        activation_fn: the activation.
        kernel_init: the initializer of the kernel of the inputs.
        recurrent_kernel_init: that of the kernel of the last output.
        bias_init: that of the bias.
        dtype: the dtype of the computation; by default what inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        carry_init: the initializer of the carry.
        residual: whether the last output is added before the activation.

    Parameters: `i` (kernel and bias) and `h` (a kernel).
    """

    features: int
    activation_fn: Callable[..., Any] = tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = initializers.orthogonal()
    bias_init: Initializer = initializers.zeros_init()
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    carry_init: Initializer = initializers.zeros_init()
    residual: bool = False

    @compact
    def __call__(self, carry: Array, inputs: Array) -> tuple[Array, Array]:
        """One step.

        Args:
            carry: the last output, `[batch..., features]`.
            inputs: an array `[batch..., n]`.

        Returns:
            The output, twice.
        """
        size = jnp.shape(carry)[-1]
        of_h = _dense(self, size, kernel_init=self.recurrent_kernel_init, use_bias=False)
        of_inputs = _dense(self, size, kernel_init=self.kernel_init, bias_init=self.bias_init)
        y = of_inputs(name="i")(inputs) + of_h(name="h")(carry)
        if self.residual:
            y += carry
        y = self.activation_fn(y)
        return y, y


class GRUCell(_VectorCell):
    """A cell with a gate that resets and one that updates; the carry is the output.

    Attributes:
        features: how many outputs there are.
        gate_fn: the activation of the gates.
        activation_fn: that of the candidate for the output.
        kernel_init: the initializer of the kernels of the inputs.
        recurrent_kernel_init: that of the kernels of the last output.
        bias_init: that of the biases.
        dtype: the dtype of the computation; by default what inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        carry_init: the initializer of the carry.

    Parameters: `ir`, `iz`, `in` (kernel and bias), `hr`, `hz` (a kernel), `hn` (kernel and bias).

    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014); the reset gate stands behind the product
    with the last output.
    """

    features: int
    gate_fn: Callable[..., Any] = sigmoid
    activation_fn: Callable[..., Any] = tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = initializers.orthogonal()
    bias_init: Initializer = initializers.zeros_init()
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    carry_init: Initializer = initializers.zeros_init()

    @compact
    def __call__(self, carry: Array, inputs: Array) -> tuple[Array, Array]:
        """One step.

        Args:
            carry: the last output, `[batch..., features]`.
            inputs: an array `[batch..., n]`.

        Returns:
            The output, twice.
        """
        size = jnp.shape(carry)[-1]
        of_h = _dense(self, size, kernel_init=self.recurrent_kernel_init)
        of_inputs = _dense(self, size, kernel_init=self.kernel_init, bias_init=self.bias_init)
        reset = self.gate_fn(of_inputs(name="ir")(inputs) + of_h(name="hr", use_bias=False)(carry))
        update = self.gate_fn(of_inputs(name="iz")(inputs) + of_h(name="hz", use_bias=False)(carry))
        candidate = self.activation_fn(
            of_inputs(name="in")(inputs) + reset * of_h(name="hn", bias_init=self.bias_init)(carry))
        y = (1.0 - update) * candidate + update * carry
        return y, y


class MGUCell(_VectorCell):
    """A cell with one gate; the carry is the output.

    Attributes:
        features: how many outputs there are.
        gate_fn: the activation of the gate.
        activation_fn: that of the candidate for the output.
        kernel_init: the initializer of the kernels of the inputs.
        recurrent_kernel_init: that of the kernels of the last output.
        forget_bias_init: that of the gate's bias.
        activation_bias_init: that of the candidate's biases.
        dtype: the dtype of the computation; by default what inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        carry_init: the initializer of the carry.
        reset_gate: whether the gate also stands before the last output in the candidate.

    Parameters: `if`, `in` (kernel and bias), `hf` (a kernel), `hn` (a kernel, and a bias with `reset_gate`).

    Zhou, Wu, Zhang and Zhou, Minimal Gated Unit for Recurrent Neural Networks (2016).
    """

    features: int
    gate_fn: Callable[..., Any] = sigmoid
    activation_fn: Callable[..., Any] = tanh
    kernel_init: Initializer = default_kernel_init
    recurrent_kernel_init: Initializer = initializers.orthogonal()
    forget_bias_init: Initializer = initializers.ones_init()
    activation_bias_init: Initializer = initializers.zeros_init()
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    carry_init: Initializer = initializers.zeros_init()
    reset_gate: bool = True

    @compact
    def __call__(self, carry: Array, inputs: Array) -> tuple[Array, Array]:
        """One step.

        Args:
            carry: the last output, `[batch..., features]`.
            inputs: an array `[batch..., n]`.

        Returns:
            The output, twice.
        """
        size = jnp.shape(carry)[-1]
        of_h = _dense(self, size, kernel_init=self.recurrent_kernel_init)
        of_inputs = _dense(self, size, kernel_init=self.kernel_init)
        forget = self.gate_fn(of_inputs(name="if", bias_init=self.forget_bias_init)(inputs)
                              + of_h(name="hf", use_bias=False)(carry))
        last = of_h(name="hn", use_bias=self.reset_gate, bias_init=self.activation_bias_init)(carry)
        if self.reset_gate:
            last *= forget
        candidate = self.activation_fn(of_inputs(name="in", bias_init=self.activation_bias_init)(inputs) + last)
        y = (1.0 - forget) * candidate + forget * carry
        return y, y


class ConvLSTMCell(RNNCellBase):
    """An LSTM cell whose products are convolutions; the carry is (memory, output).

    Attributes:
        features: how many output channels there are.
        kernel_size: the size of the window along each spatial axis.
        strides: the step of the window along each spatial axis; by default 1.
        padding: as for `Conv`.
        use_bias: whether there are biases.
        dtype: the dtype of the computation; by default what inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        carry_init: the initializer of the carry.

    Parameters: `ih` and `hh`, each a `Conv` of four times the features.

    Shi et al., Convolutional LSTM Network (2015).
    """

    features: int
    kernel_size: Sequence[int]
    strides: Sequence[int] | None = None
    padding: str | Sequence[tuple[int, int]] = "SAME"
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    carry_init: Initializer = initializers.zeros_init()

    @compact
    def __call__(self, carry: tuple[Array, Array], inputs: Array) -> tuple[tuple[Array, Array], Array]:
        """One step.

        Args:
            carry: (memory, output) of the last step, both `[batch..., *spatial, features]`.
            inputs: an array `[batch..., *spatial, channels]`.

        Returns:
            The new carry, and the output.
        """
        memory, h = _memory_and_output(self, carry)
        convolve: Any = partial(
            Conv, features=4 * self.features, kernel_size=self.kernel_size, strides=self.strides, padding=self.padding,
            use_bias=self.use_bias, dtype=self.dtype, param_dtype=self.param_dtype)
        gates = convolve(name="ih")(inputs) + convolve(name="hh")(h)
        i, g, f, o = jnp.split(gates, 4, axis=-1)
        memory = sigmoid(f + 1) * memory + sigmoid(i) * tanh(g)  # the 1 keeps the memory of an untrained cell
        h = sigmoid(o) * tanh(memory)
        return (memory, h), h

    @nowrap
    def initialize_carry(self, rng: PRNGKey, input_shape: tuple[int, ...]) -> tuple[Array, Array]:
        """The carry before the first step.

        Args:
            rng: a random key.
            input_shape: the shape `[batch..., *spatial, channels]` of the inputs of one step.

        Returns:
            (memory, output), both `[batch..., *spatial, features]`.
        """
        return _first_memories(self, rng, (*input_shape[:-1], self.features))

    @property
    def num_feature_axes(self) -> int:
        """The spatial axes, and the one of channels."""
        return len(self.kernel_size) + 1
