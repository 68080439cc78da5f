"""`jax.example_libraries.stax`: layers as pairs of functions, as the examples of JAX use them.

A layer is a pair: `init_fun(rng, input_shape)` returns the shape of the output and the parameters, `apply_fun(params, inputs,
**kwargs)` the output. `serial` and `parallel` make layers of layers, and give each its own key where they are given `rng=`.
"""
from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax import lax, nn, random
from perspicax import numpy as jnp
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import ReportedError
from perspicax.diagnose.report import Fix
from perspicax.nn import initializers

Layer = tuple[Callable[..., Any], Callable[..., Any]]


class DropoutKeyError(ReportedError, ValueError):
    """A layer of `stax.Dropout` was applied without a random key."""


class LayerCountError(ReportedError, ValueError):
    """Layers were given as many inputs, or parameters, as there are other layers."""


# -- layers with parameters

_GLOROT, _NORMAL, _TINY = initializers.glorot_normal(), initializers.normal(), initializers.normal(1e-6)


def Dense(out_dim: int, W_init: Any = _GLOROT, b_init: Any = _NORMAL) -> Layer:
    """A dense layer: `x @ W + b`.

    Args:
        out_dim: the size of the output's last axis.
        W_init, b_init: functions of a key and a shape.
    """
    @public
    def init_fun(rng: Any, input_shape: tuple) -> tuple:
        first, second = random.split(rng)
        return (*input_shape[:-1], out_dim), (W_init(first, (input_shape[-1], out_dim)), b_init(second, (out_dim,)))

    @public
    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        W, b = params
        return jnp.dot(inputs, W) + b

    return init_fun, apply_fun


def _convolution(shape_of: Callable[..., tuple], convolve: Callable[..., Any], dimension_numbers: Any, out_chan: int,
                 filter_shape: Sequence[int], strides: Any, padding: Any, W_init: Any, b_init: Any) -> Layer:
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    strides = strides or (1,) * len(filter_shape)
    W_init = W_init or initializers.glorot_normal(rhs_spec.index("I"), rhs_spec.index("O"))

    @public
    def init_fun(rng: Any, input_shape: tuple) -> tuple:
        sizes = iter(filter_shape)
        known = {"O": out_chan, "I": input_shape[lhs_spec.index("C")]}
        kernel = tuple([known[c] if c in known else next(sizes) for c in rhs_spec])
        out = shape_of(input_shape, kernel, strides, padding, dimension_numbers)
        first, second = random.split(rng)
        bias = tuple([out_chan if c == "C" else 1 for c in out_spec])
        return out, (W_init(first, kernel), b_init(second, bias))

    @public
    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        W, b = params
        return convolve(inputs, W, strides, padding, dimension_numbers=dimension_numbers) + b

    return init_fun, apply_fun


def GeneralConv(dimension_numbers: Any, out_chan: int, filter_shape: Sequence[int], strides: Any = None, padding: Any = "VALID",
                W_init: Any = None, b_init: Any = _TINY) -> Layer:
    """A convolution with a bias.

    Args:
        dimension_numbers: three texts, such as `("NHWC", "HWIO", "NHWC")`.
        out_chan: how many channels the output has.
        filter_shape: the sizes of the kernel along the axes of space.
        strides, padding: as of `lax.conv_general_dilated`; the strides are 1 where they are not given.
        W_init, b_init: functions of a key and a shape.
    """
    return _convolution(lax.conv_general_shape_tuple, lax.conv_general_dilated, dimension_numbers, out_chan, filter_shape,
                        strides, padding, W_init, b_init)


def GeneralConvTranspose(dimension_numbers: Any, out_chan: int, filter_shape: Sequence[int], strides: Any = None,
                         padding: Any = "VALID", W_init: Any = None, b_init: Any = _TINY) -> Layer:
    """A transposed convolution with a bias; arguments are those of `GeneralConv`."""
    return _convolution(lax.conv_transpose_shape_tuple, lax.conv_transpose, dimension_numbers, out_chan, filter_shape,
                        strides, padding, W_init, b_init)


Conv = functools.partial(GeneralConv, ("NHWC", "HWIO", "NHWC"))
Conv1DTranspose = functools.partial(GeneralConvTranspose, ("NHC", "HIO", "NHC"))
ConvTranspose = functools.partial(GeneralConvTranspose, ("NHWC", "HWIO", "NHWC"))


def BatchNorm(axis: Any = (0, 1, 2), epsilon: float = 1e-5, center: bool = True, scale: bool = True,
              beta_init: Any = initializers.zeros, gamma_init: Any = initializers.ones) -> Layer:
    """Normalisation by the mean and variance of the batch at hand.

    Args:
        axis: the axes, or the one, over which mean and variance are taken.
        epsilon: is added to the variance.
        center, scale: whether there is a bias, and a factor, for each entry of the other axes.
        beta_init, gamma_init: functions of a key and a shape, which make them.
    """
    axes = (axis,) if np.isscalar(axis) else tuple(axis)

    @public
    def init_fun(rng: Any, input_shape: tuple) -> tuple:
        shape = tuple([n for i, n in enumerate(input_shape) if i not in axes])
        first, second = random.split(rng)
        return input_shape, (beta_init(first, shape) if center else (), gamma_init(second, shape) if scale else ())

    @public
    def apply_fun(params: Any, x: Any, **kwargs: Any) -> Any:
        beta, gamma = params
        over = tuple([None if i in axes else slice(None) for i in range(jnp.ndim(x))])
        z = nn.standardize(x, axes, epsilon=epsilon)
        if scale:
            z = gamma[over] * z
        return z + beta[over] if center else z

    return init_fun, apply_fun


# -- layers without

def elementwise(fun: Callable[..., Any], **fun_kwargs: Any) -> Layer:
    """A layer that applies a function of one array, of whose shape the output is."""
    return lambda rng, input_shape: (input_shape, ()), lambda params, inputs, **kwargs: fun(inputs, **fun_kwargs)


Tanh, Relu, Exp, Elu = [elementwise(f) for f in (jnp.tanh, nn.relu, jnp.exp, nn.elu)]
LogSoftmax, Softmax = elementwise(nn.log_softmax, axis=-1), elementwise(nn.softmax, axis=-1)
Softplus, Sigmoid, LeakyRelu, Selu, Gelu = [elementwise(f) for f in (nn.softplus, nn.sigmoid, nn.leaky_relu, nn.selu, nn.gelu)]


def _pooling(reducer: Callable[..., Any], start: float, mean: bool, window_shape: Sequence[int], strides: Any, padding: Any,
             spec: str | None) -> Layer:
    spec = spec or ("N" + "".join([chr(ord("0") + i) for i in range(len(window_shape))]) + "C")

    def everywhere(sizes: Sequence[int]) -> tuple[int, ...]:
        each = iter(sizes)
        return tuple([1 if c in "NC" else next(each) for c in spec])

    window, steps = everywhere(window_shape), everywhere(strides or (1,) * len(window_shape))

    @public
    def init_fun(rng: Any, input_shape: tuple) -> tuple:
        pads = lax.padtype_to_pads(input_shape, window, steps, padding) if isinstance(padding, str) else padding
        ones = (1,) * len(window)
        return lax.reduce_window_shape_tuple(input_shape, window, steps, pads, ones, ones), ()

    @public
    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        out = lax.reduce_window(inputs, start, reducer, window, steps, padding)
        if not mean:
            return out
        spatial = tuple([1 if c in "NC" else n for n, c in zip(inputs.shape, spec)])
        return out / lax.reduce_window(jnp.ones(spatial, inputs.dtype), 0., lax.add, window, steps, padding)

    return init_fun, apply_fun


def MaxPool(window_shape: Sequence[int], strides: Any = None, padding: Any = "VALID", spec: str | None = None) -> Layer:
    """The maximum of each window.

    Args:
        window_shape: its sizes along the axes of space.
        strides: from one window to the next; 1 where they are not given.
        padding: `VALID` or `SAME`.
        spec: the axes, with `N` for the batch and `C` for channels: `NHWC`.
    """
    return _pooling(lax.max, -np.inf, False, window_shape, strides, padding, spec)


def SumPool(window_shape: Sequence[int], strides: Any = None, padding: Any = "VALID", spec: str | None = None) -> Layer:
    """The sum of each window; arguments are those of `MaxPool`."""
    return _pooling(lax.add, 0., False, window_shape, strides, padding, spec)


def AvgPool(window_shape: Sequence[int], strides: Any = None, padding: Any = "VALID", spec: str | None = None) -> Layer:
    """The mean of each window, without what pads it; arguments are those of `MaxPool`."""
    return _pooling(lax.add, 0., True, window_shape, strides, padding, spec)


def _flat(input_shape: tuple) -> tuple:
    return input_shape[0], functools.reduce(operator.mul, input_shape[1:], 1)


Flatten: Layer = (lambda rng, input_shape: (_flat(input_shape), ()),
                  lambda params, inputs, **kwargs: jnp.reshape(inputs, (inputs.shape[0], -1)))
Identity: Layer = (lambda rng, input_shape: (input_shape, ()), lambda params, inputs, **kwargs: inputs)


def Dropout(rate: float, mode: str = "train") -> Layer:
    """Zeros in place of some numbers.

    Args:
        rate: how probable it is that a number is *kept*; what is kept is divided by it.
        mode: `train`; in any other the input is passed on.

    The layer raises `DropoutKeyError` where it is applied without `rng=`.
    """
    @public
    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        rng = kwargs.get("rng")
        if rng is None:
            raise DropoutKeyError(says="A layer of `stax.Dropout` was applied without a random key.",
                                  why="what is dropped is drawn anew each time",
                                  fixes=(Fix("pass one with the call", code="rng=jax.random.key(0)"),))
        if mode != "train":
            return inputs
        return jnp.where(random.bernoulli(rng, rate, inputs.shape), inputs / rate, 0)

    return lambda rng, input_shape: (input_shape, ()), apply_fun


# -- layers of layers

def FanOut(num: int) -> Layer:
    """The input `num` times, as a list."""
    return lambda rng, input_shape: ([input_shape] * num, ()), lambda params, inputs, **kwargs: [inputs] * num


FanInSum: Layer = (lambda rng, input_shape: (input_shape[0], ()), lambda params, inputs, **kwargs: sum(inputs))


def FanInConcat(axis: int = -1) -> Layer:
    """The inputs of a list, one behind the other along an axis."""
    @public
    def init_fun(rng: Any, input_shape: Sequence[tuple]) -> tuple:
        at = axis % len(input_shape[0])
        first = input_shape[0]
        return (*first[:at], sum([shape[at] for shape in input_shape]), *first[at + 1:]), ()

    return init_fun, lambda params, inputs, **kwargs: jnp.concatenate(inputs, axis)


def _keys(rng: Any, count: int) -> Any:
    return random.split(rng, count) if rng is not None else (None,) * count


def _one_each(layers: Sequence[Layer], what: str, values: Any) -> list:
    found = list(values)
    if len(found) != len(layers):
        raise LayerCountError(says=f"{len(layers)} layers were given {what} for {len(found)}.",
                              why=f"each layer has {what} of its own, in the order of the layers",
                              fixes=(Fix("pass the list that `init_fun` returned, whole"),) if what == "parameters" else ())
    return found


def serial(*layers: Layer) -> Layer:
    """One layer after the other; the parameters are a list of theirs."""
    @public
    def init_fun(rng: Any, input_shape: Any) -> tuple:
        params = []
        for init, _ in layers:
            rng, own = random.split(rng)
            input_shape, made = init(own, input_shape)
            params.append(made)
        return input_shape, params

    @public
    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        rngs = _keys(kwargs.pop("rng", None), len(layers))
        for (_, apply), own, rng in zip(layers, _one_each(layers, "parameters", params), rngs):
            inputs = apply(own, inputs, rng=rng, **kwargs)
        return inputs

    return init_fun, apply_fun


def parallel(*layers: Layer) -> Layer:
    """Each layer on its own input, of a list; the outputs and the parameters are sequences of theirs."""
    @public
    def init_fun(rng: Any, input_shape: Sequence[Any]) -> Any:
        shapes = _one_each(layers, "inputs", input_shape)
        return tuple(zip(*[init(own, shape) for (init, _), own, shape in zip(layers, random.split(rng, len(layers)), shapes)]))

    @public
    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> list:
        rngs = _keys(kwargs.pop("rng", None), len(layers))
        pairs = zip(_one_each(layers, "parameters", params), _one_each(layers, "inputs", inputs))
        return [apply(own, x, rng=rng, **kwargs) for (_, apply), (own, x), rng in zip(layers, pairs, rngs)]

    return init_fun, apply_fun


def shape_dependent(make_layer: Callable[[Any], Layer]) -> Layer:
    """The layer that `make_layer(input_shape)` makes."""
    return (lambda rng, input_shape: make_layer(input_shape)[0](rng, input_shape),
            lambda params, inputs, **kwargs: make_layer(inputs.shape)[1](params, inputs, **kwargs))


__all__ = [
    "AvgPool", "BatchNorm", "Conv", "Conv1DTranspose", "ConvTranspose", "Dense", "Dropout", "DropoutKeyError", "Elu", "Exp",
    "FanInConcat", "FanInSum", "FanOut", "Flatten", "Gelu", "GeneralConv", "GeneralConvTranspose", "Identity",
    "LayerCountError", "LeakyRelu", "LogSoftmax", "MaxPool", "Relu", "Selu", "Sigmoid", "Softmax", "Softplus", "SumPool",
    "Tanh", "elementwise", "parallel", "serial", "shape_dependent",
]
