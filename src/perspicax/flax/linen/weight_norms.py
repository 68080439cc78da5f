"""Layers around a layer, which see to the size of its parameters."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import perspicax.lax as lax
import perspicax.numpy as jnp
import perspicax.random as random
from perspicax import tree_util
from perspicax.flax.error_base import shape_of
from perspicax.flax.linen import initializers
from perspicax.flax.linen.dtypes import canonicalize_dtype
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, layer_at, parameter
from perspicax.flax.linen.module import Module, compact, nowrap
from perspicax.flax.linen.transforms import map_variables
from perspicax.flax.typing import Axes, Dtype, Initializer

__all__ = ["SpectralNorm", "WeightNorm"]


def _unit_length(x: Any, epsilon: float, axes: Sequence[int] | None = None) -> Any:
    """A vector, or the vectors along some axes, divided by its length."""
    return x * lax.rsqrt(jnp.sum(x * x, axis=axes, keepdims=True) + epsilon)


def _entry_name(layer: Any, path: Sequence[Any]) -> str:
    """The name under which something about a variable of a layer is kept: `Dense_0/kernel`."""
    return "/".join([str(layer.name), *[str(getattr(key, "key", key)) for key in path[1:]]])


class SpectralNorm(Module):
    """Divide the matrices of a layer by their largest singular value, which is estimated step by step.

    Attributes:
        layer_instance: the layer.
        n_steps: how many steps of power iteration are made at each call; at least 1.
        epsilon: added to squared lengths before a division.
        dtype: the dtype in which the layer sees its parameters; by default their own.
        param_dtype: the dtype of the estimates.
        error_on_non_matrix: whether parameters of more than two axes are refused; otherwise all axes but the last are
            taken as one.
        collection_name: where the estimates are kept.

    Collection `batch_stats`: for each parameter of at least two axes `<layer>/<parameter>/u`, the estimate of the singular
    vector, and `<layer>/<parameter>/sigma`, that of the singular value.

    Miyato, Kataoka, Koyama and Yoshida, Spectral Normalization for Generative Adversarial Networks (2018).
    """

    layer_instance: Module
    n_steps: int = 1
    epsilon: float = 1e-12
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    error_on_non_matrix: bool = False
    collection_name: str = "batch_stats"

    @compact
    def __call__(self, *args: Any, update_stats: bool, **kwargs: Any) -> Any:
        """Apply the layer with the normalized parameters.

        Args:
            *args: for the layer.
            update_stats: whether the improved estimates are kept, as in training; the collection must then be mutable.
            **kwargs: for the layer.

        Returns:
            What the layer returns.

        Raises:
            LayerOptionError: `n_steps` is less than 1.
            LayerInputError: a parameter is no matrix, and `error_on_non_matrix` is set.
        """
        divided = partial(self._divided, update_stats)
        see = map_variables(lambda layer: layer(*args, **kwargs),
                            trans_in_fn=lambda variables: tree_util.tree_map_with_path(divided, variables),
                            init=self.is_initializing(), mutable=True)
        return see(self.layer_instance)

    @nowrap
    def _divided(self, update_stats: bool, path: Sequence[Any], variable: Any) -> Any:
        value = jnp.asarray(variable)
        if value.ndim <= 1:
            return value
        name = _entry_name(self.layer_instance, path)
        if value.ndim > 2 and self.error_on_non_matrix:
            raise LayerInputError(says=f"The parameter {name!r} of {layer_at(self)} has shape {shape_of(value.shape)}; it is "
                                       "no matrix.",
                                  why="`error_on_non_matrix` is set, and singular values belong to matrices")
        if self.n_steps < 1:
            raise LayerOptionError(says=f"`n_steps` of {layer_at(self)} is {self.n_steps}; it must be at least 1.",
                                   why="a step estimates the singular vector on the other side, which the singular value needs")
        matrix = jnp.reshape(value, (-1, value.shape[-1]))
        missing = not self.has_variable(self.collection_name, f"{name}/u")
        key = self.make_rng("params") if missing else None
        u_kept: Any = self.variable(self.collection_name, f"{name}/u", random.normal, key, (1, matrix.shape[-1]),
                                    self.param_dtype)
        sigma_kept: Any = self.variable(self.collection_name, f"{name}/sigma", jnp.ones, (), self.param_dtype)
        u = u_kept.value
        for _ in range(self.n_steps):
            v = _unit_length(jnp.matmul(u, matrix.T), self.epsilon)
            u = _unit_length(jnp.matmul(v, matrix), self.epsilon)
        u, v = lax.stop_gradient(u), lax.stop_gradient(v)  # the derivative of the largest singular value needs v and u alone
        sigma = jnp.matmul(jnp.matmul(v, matrix), u.T)[0, 0]
        if update_stats:
            u_kept.value, sigma_kept.value = u, sigma
        scaled = jnp.reshape(matrix / jnp.where(sigma != 0, sigma, 1), value.shape)
        return jnp.asarray(scaled, canonicalize_dtype(variable, u, sigma, dtype=self.dtype))


class WeightNorm(Module):
    """Divide the kernels of a layer by their length along some axes, and multiply them by a scale that is learnt.

    Attributes:
        layer_instance: the layer.
        epsilon: added to squared lengths before a division.
        dtype: the dtype in which the layer sees its parameters; by default what they and the scales promote to.
        param_dtype: the dtype of the scales.
        use_scale: whether there are scales.
        scale_init: their initializer.
        feature_axes: the axes of a kernel that have a length and a scale of their own; `None` for one of the whole kernel.
        variable_filter: the parameters whose names contain one of these are normalized; `None` for all.

    Parameters: `<layer>/<parameter>/scale`, of the shape of `feature_axes`.

    Salimans and Kingma, Weight Normalization (2016).
    """

    layer_instance: Module
    epsilon: float = 1e-12
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    use_scale: bool = True
    scale_init: Initializer = initializers.ones
    feature_axes: Axes | None = -1
    variable_filter: Iterable[Any] | None = dataclasses.field(default_factory=lambda: {"kernel"})

    @compact
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer with the normalized parameters.

        Args:
            *args: for the layer.
            **kwargs: for the layer.

        Returns:
            What the layer returns.
        """
        see = map_variables(lambda layer: layer(*args, **kwargs),
                            trans_in_fn=lambda variables: tree_util.tree_map_with_path(self._scaled, variables),
                            init=self.is_initializing())
        return see(self.layer_instance)

    @nowrap
    def _scaled(self, path: Sequence[Any], variable: Any) -> Any:
        value = jnp.asarray(variable)
        name = _entry_name(self.layer_instance, path)
        if self.variable_filter and not any(part in name for part in self.variable_filter):
            return value
        wanted = () if self.feature_axes is None else self.feature_axes
        features = sorted([axis % value.ndim for axis in ((wanted,) if isinstance(wanted, int) else wanted)])
        scaled = _unit_length(value, self.epsilon, tuple([axis for axis in range(value.ndim) if axis not in features]))
        used = [variable]
        if self.use_scale:
            sizes = [value.shape[axis] for axis in features]
            scale = parameter(self, f"{name}/scale", self.scale_init, sizes, self.param_dtype,
                              [f"axis {axis} of the parameter" for axis in features])
            used.append(scale)
            scaled *= jnp.reshape(scale, [n if axis in features else 1 for axis, n in enumerate(value.shape)])
        return jnp.asarray(scaled, canonicalize_dtype(*used, dtype=self.dtype))
