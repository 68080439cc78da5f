"""Activation functions: element by element, each with the derivative that training wants at its kinks."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.compare import select
from perspicax.lax.families import zeros_like
from perspicax.lax.special import erfc
from perspicax.lax.transcendental import logistic
from perspicax.lax.transcendental import tanh as lax_tanh
from perspicax.nn.compiled import compiled
from perspicax.nn.errors import GatedSizeError
from perspicax.numpy.axes import one_axis
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like, promote_args
from perspicax.transform.custom import custom_jvp

# Klambauer, Unterthiner, Mayr and Hochreiter, Self-Normalizing Neural Networks (2017), equation 14
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@compiled()
def identity(x: Any) -> Array:
    """`x` itself, as an array.

    >>> identity(jnp.array([-1., 2.]))
    Array([-1.,  2.], dtype=float32)
    """
    return jnp.asarray(array_like(x, "identity"))


# -- rectifiers

@custom_jvp
@compiled()
def relu(x: Any) -> Array:
    """`max(x, 0)`. The derivative at 0 is 0.

    Args:
        x: real array of any shape.

    Returns:
        Array of the type of `x`.

    >>> relu(jnp.array([-1., 2.]))
    Array([0., 2.], dtype=float32)
    """
    return jnp.maximum(x, 0)


@relu.defjvp
def _relu_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    return relu(x), select(jnp.greater(x, 0), t, zeros_like(t))


@custom_jvp
@compiled()
def relu6(x: Any) -> Array:
    """`min(max(x, 0), 6)`. The derivative at 0 and at 6 is 0.

    Args:
        x: real array of any shape; integers become floating.

    >>> relu6(jnp.array([-1., 2., 7.]))
    Array([0., 2., 6.], dtype=float32)
    """
    return jnp.minimum(jnp.maximum(x, 0), 6.)


@relu6.defjvp
def _relu6_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    return relu6(x), select(jnp.logical_and(jnp.greater(x, 0), jnp.less(x, 6)), t, zeros_like(t))


@compiled()
def leaky_relu(x: Any, negative_slope: Any = 1e-2) -> Array:
    """`x` where it is not negative, else `negative_slope * x`. The derivative at 0 is 1.

    Args:
        x: real array of any shape.
        negative_slope: number, or array that broadcasts.
    """
    x = array_like(x, "leaky_relu")
    return jnp.where(jnp.greater_equal(x, 0), x, jnp.multiply(negative_slope, x))


@compiled()
def elu(x: Any, alpha: Any = 1.0) -> Array:
    """`x` where it is positive, else `alpha * (exp(x) - 1)`. The derivative at 0 is `alpha`.

    Args:
        x: real array of any shape.
        alpha: number, or array that broadcasts.

    Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear Units (2015).
    """
    x = array_like(x, "elu")
    positive = jnp.greater(x, 0)
    # exp of a large number would be infinite, and its derivative times 0 NaN
    return jnp.where(positive, x, jnp.multiply(alpha, jnp.expm1(jnp.where(positive, 0., x))))


@compiled()
def celu(x: Any, alpha: Any = 1.0) -> Array:
    """`max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)`, which has a continuous derivative for every `alpha`.

    Args:
        x: real array of any shape.
        alpha: number, or array that broadcasts.

    Barron, Continuously Differentiable Exponential Linear Units (2017).
    """
    return jnp.add(jnp.maximum(x, 0.), jnp.multiply(alpha, jnp.expm1(jnp.true_divide(jnp.minimum(x, 0.), alpha))))


@compiled()
def selu(x: Any) -> Array:
    """`elu` scaled so that activations keep mean 0 and variance 1 from layer to layer.

    Klambauer, Unterthiner, Mayr and Hochreiter, Self-Normalizing Neural Networks (2017).
    """
    return jnp.multiply(SELU_SCALE, elu(x, SELU_ALPHA))


# -- sigmoids

@compiled(inline=True)
def sigmoid(x: Any) -> Array:
    """`1 / (1 + exp(-x))`.

    Args:
        x: floating or complex array of any shape.

    Raises:
        OperandDtypeError: `x` is an array of integers or booleans.
    """
    return logistic(x)


@compiled()
def silu(x: Any) -> Array:
    """`x * sigmoid(x)`, also known as swish.

    Args:
        x: floating or complex array of any shape.

    Hendrycks and Gimpel (2016); Elfwing, Uchibe and Doya (2017); Ramachandran, Zoph and Le (2017).
    """
    x = jnp.asarray(array_like(x, "silu"))
    return jnp.multiply(x, sigmoid(x))


swish = silu


@compiled()
def log_sigmoid(x: Any) -> Array:
    """`log(sigmoid(x))`, exact where `sigmoid(x)` would be 0.

    Args:
        x: real array of any shape.
    """
    return jnp.negative(softplus(jnp.negative(array_like(x, "log_sigmoid"))))


@compiled()
def hard_sigmoid(x: Any) -> Array:
    """`relu6(x + 3) / 6`: straight pieces in place of `sigmoid`."""
    return jnp.true_divide(relu6(jnp.add(x, 3.)), 6.)


@compiled()
def hard_silu(x: Any) -> Array:
    """`x * hard_sigmoid(x)`, also known as hard swish (Howard et al., Searching for MobileNetV3, 2019)."""
    x = jnp.asarray(array_like(x, "hard_silu"))
    return jnp.multiply(x, hard_sigmoid(x))


hard_swish = hard_silu


@compiled()
def sparse_sigmoid(x: Any) -> Array:
    """0 up to -1, 1 from 1 on, and straight in between (Martins and Astudillo, From Softmax to Sparsemax, 2016)."""
    return jnp.multiply(0.5, jnp.clip(jnp.add(x, 1.), 0., 2.))


# -- hyperbolic and soft functions

@compiled(inline=True)
def tanh(x: Any, /) -> Array:
    """The hyperbolic tangent.

    Args:
        x: array of any shape; integers become floating.
    """
    return lax_tanh(*promote_args("tanh", x, inexact=True))


@compiled()
def hard_tanh(x: Any) -> Array:
    """`x` between -1 and 1, and these beyond. The derivative at -1 and at 1 is 1."""
    x = array_like(x, "hard_tanh")
    return jnp.where(jnp.greater(x, 1), 1, jnp.where(jnp.less(x, -1), -1, x))


@compiled()
def soft_sign(x: Any) -> Array:
    """`x / (|x| + 1)`."""
    x = jnp.asarray(array_like(x, "soft_sign"))
    return jnp.true_divide(x, jnp.add(jnp.abs(x), 1))


@compiled()
def softplus(x: Any) -> Array:
    """`log(1 + exp(x))`, without overflow.

    Args:
        x: array of any shape; integers become floating.
    """
    return jnp.logaddexp(x, 0)


@compiled()
def sparse_plus(x: Any) -> Array:
    """0 up to -1, `x` from 1 on, and `(x + 1)² / 4` in between: a softplus that reaches 0."""
    x = jnp.asarray(array_like(x, "sparse_plus"))
    middle = jnp.true_divide(jnp.power(jnp.add(x, 1.), 2), 4)
    return jnp.where(jnp.less_equal(x, -1.), 0., jnp.where(jnp.greater_equal(x, 1.), x, middle))


@compiled()
def squareplus(x: Any, b: Any = 4) -> Array:
    """`(x + sqrt(x² + b)) / 2`, smooth and without exponentials (Barron, Squareplus, 2021).

    Args:
        x: real array of any shape.
        b: how wide the bend is; number or array that broadcasts.
    """
    x = jnp.asarray(array_like(x, "squareplus"))
    return jnp.true_divide(jnp.add(x, jnp.sqrt(jnp.add(jnp.square(x), b))), 2)


@compiled()
def mish(x: Any) -> Array:
    """`x * tanh(softplus(x))` (Misra, Mish: A Self Regularized Non-Monotonic Activation Function, 2019)."""
    x = jnp.asarray(array_like(x, "mish"))
    return jnp.multiply(x, jnp.tanh(softplus(x)))


@custom_jvp
@compiled()
def log1mexp(x: Any) -> Array:
    """`log(1 - exp(-x))` for `x > 0`, exact at both ends.

    Args:
        x: real array of any shape; integers become floating. Where it is negative, the result is NaN.

    Mächler, Accurately Computing log(1 - exp(-|a|)) (2012), equation 7.
    """
    x = jnp.asarray(array_like(x, "log1mexp"))
    small = jnp.log(jnp.negative(jnp.expm1(jnp.negative(x))))
    large = jnp.log1p(jnp.negative(jnp.exp(jnp.negative(x))))
    return jnp.where(jnp.less(x, math.log(2.)), small, large)


@log1mexp.defjvp
def _log1mexp_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    return log1mexp(x), jnp.true_divide(t, jnp.expm1(x))


@public
def gelu(x: Any, approximate: bool = True) -> Array:
    """`x` times the probability that a standard normal variable is less than `x`.

    Args:
        x: real array of any shape; integers become floating.
        approximate: whether to use the formula with tanh, which is off by at most 5e-4.

    Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
    """
    x, = promote_args("gelu", x, inexact=True)
    return fused_call(_gelu_by_tanh if approximate else _gelu, (x,))


def _gelu_by_tanh(x: Any) -> Any:
    factor = np.sqrt(2 / np.pi).astype(get_aval(x).dtype)  # type: ignore[attr-defined]
    cubic = jnp.multiply(0.044715, jnp.power(x, 3))
    return jnp.multiply(x, jnp.multiply(0.5, jnp.add(1., jnp.tanh(jnp.multiply(factor, jnp.add(x, cubic))))))


def _gelu(x: Any) -> Any:
    root = np.sqrt(0.5).astype(get_aval(x).dtype)  # type: ignore[attr-defined]
    return jnp.multiply(jnp.multiply(0.5, x), erfc(jnp.multiply(jnp.negative(x), root)))


@compiled(static=("axis",))
def glu(x: Any, axis: int = -1) -> Array:
    """The first half of `x` along an axis, gated by the sigmoid of the second.

    Args:
        x: floating array with an even size `2n` along `axis`.
        axis: the axis that is halved.

    Returns:
        Array of the shape of `x`, with size `n` along `axis`.

    Raises:
        AxisError: there is no such axis.
        GatedSizeError: its size is odd.

    Dauphin, Fan, Auli and Grangier, Language Modeling with Gated Convolutional Networks (2016).
    """
    x = jnp.asarray(array_like(x, "glu"))
    axis = one_axis(axis, x.ndim, "glu")
    if x.shape[axis] % 2:
        raise GatedSizeError(type_text=get_aval(x).str_short(), axis=axis, size=x.shape[axis])  # type: ignore[attr-defined]
    value, gate = jnp.split(x, 2, axis)
    return jnp.multiply(value, sigmoid(gate))


__all__ = ["celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "identity", "leaky_relu",
           "log1mexp", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softplus",
           "sparse_plus", "sparse_sigmoid", "squareplus", "swish", "tanh"]
