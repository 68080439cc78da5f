"""Options of Linen's layers beside Flax's: mapped axes of norms, narrow parameters, products of the user's own."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as their_linen
import jax
import numpy as np
import pytest

import perspicax
import perspicax.flax.linen as our_linen

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Flax's own


class Side(NamedTuple):
    jax: Any
    nn: Any


OURS, THEIRS = Side(perspicax, our_linen), Side(jax, their_linen)
X = np.random.RandomState(0).randn(3, 4, 6).astype("float32") * 2 + 1

NORMS: dict[str, Callable[[Any], Any]] = {
    "batch": lambda nn: nn.BatchNorm(use_running_average=False, axis_name="devices"),
    "batch_slow": lambda nn: nn.BatchNorm(use_running_average=False, axis_name="devices", use_fast_variance=False),
    "layer": lambda nn: nn.LayerNorm(axis_name="devices"),
    "rms": lambda nn: nn.RMSNorm(axis_name="devices"),
    "group": lambda nn: nn.GroupNorm(num_groups=2, axis_name="devices"),
    "instance": lambda nn: nn.InstanceNorm(axis_name="devices"),
}


def flat(side: Side, tree: Any) -> dict[str, tuple[str, np.ndarray]]:
    leaves = side.jax.tree_util.tree_flatten_with_path(tree)[0]
    return {side.jax.tree_util.keystr(path): (str(leaf.dtype), np.asarray(leaf, "float64")) for path, leaf in leaves}


def assert_close(ours: dict[str, Any], theirs: dict[str, Any], bound: float) -> None:
    assert list(ours) == list(theirs)
    for path, (dtype, value) in theirs.items():
        assert ours[path][0] == dtype, path
        np.testing.assert_allclose(ours[path][1], value, rtol=bound, atol=bound, err_msg=path)


def normed(side: Side, make: Callable[[Any], Any]) -> dict[str, Any]:
    module = make(side.nn)
    variables = module.clone(axis_name=None).init(side.jax.random.key(0), side.jax.numpy.asarray(X[0]))
    mapped = side.jax.vmap(lambda x: module.apply(variables, x, mutable=["batch_stats"]), axis_name="devices")
    return flat(side, mapped(side.jax.numpy.asarray(X)))


@pytest.mark.parametrize("name", NORMS)
def test_norms_average_over_a_mapped_axis(name: str) -> None:
    ours = normed(OURS, NORMS[name])
    assert_close(ours, normed(THEIRS, NORMS[name]), 2.0**-18)  # means of 72 numbers, rounded to 24 bits
    alone = OURS.jax.vmap(lambda x: NORMS[name](OURS.nn).clone(axis_name=None).init_with_output(
        OURS.jax.random.key(0), x)[0])(OURS.jax.numpy.asarray(X))
    assert not np.allclose(next(iter(ours.values()))[1], alone, atol=1e-3)  # the axis matters


LAYERS: dict[str, Callable[[Any, Any], Any]] = {
    "dense": lambda nn, kind: nn.Dense(3, param_dtype=kind),
    "conv": lambda nn, kind: nn.Conv(3, (3,), param_dtype=kind),
    "embed": lambda nn, kind: nn.Embed(5, 3, param_dtype=kind),
    "layer_norm": lambda nn, kind: nn.LayerNorm(param_dtype=kind),
    "attention": lambda nn, kind: nn.SelfAttention(num_heads=2, param_dtype=kind),
}


def narrow(side: Side, name: str, dtype: str) -> dict[str, Any]:
    jnp = side.jax.numpy
    module = LAYERS[name](side.nn, jnp.bfloat16)
    x = jnp.asarray([[1, 4]]) if name == "embed" else jnp.asarray(X, dtype)
    out, variables = module.init_with_output(side.jax.random.key(0), x)
    grads = side.jax.grad(lambda v: (module.apply(v, x).astype("float32") ** 2).sum())(variables)
    return flat(side, (out, variables, grads))


@pytest.mark.parametrize(("name", "dtype"), [*[(name, "bfloat16") for name in LAYERS], ("dense", "float32"),
                                             ("conv", "float32")])
def test_parameters_of_16_bits(name: str, dtype: str) -> None:
    ours, theirs = narrow(OURS, name, dtype), narrow(THEIRS, name, dtype)
    assert list(ours) == list(theirs)
    for path, (kind, value) in theirs.items():
        assert ours[path][0] == kind, path
        if path.startswith("[1]"):
            np.testing.assert_array_equal(ours[path][1], value, err_msg=path)  # the parameters themselves
        # bfloat16 has 8 bits, and a sum of products is rounded more than once on its way through a layer
        np.testing.assert_allclose(ours[path][1], value, rtol=2.0**-5, atol=2.0**-5 * (1 + np.abs(value).max()), err_msg=path)


def product_of(side: Side) -> Any:
    class Doubled(side.nn.Module):  # type: ignore[misc, name-defined]
        @side.nn.compact
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            factor = self.param("factor", side.nn.initializers.constant(2.0), ())
            return side.jax.lax.dot_general(*args, **kwargs) * factor

    return Doubled


PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {
    "dense": lambda nn, product: nn.Dense(3, dot_general_cls=product),
    "dense_general": lambda nn, product: nn.DenseGeneral((2, 3), dot_general_cls=product),
    "attention": lambda nn, product: nn.SelfAttention(
        num_heads=2, qkv_dot_general_cls=product, out_dot_general_cls=product),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_the_users_own(name: str) -> None:
    found = [flat(side, PRODUCTS[name](side.nn, product_of(side)).init_with_output(
        side.jax.random.key(0), side.jax.numpy.asarray(X))) for side in (OURS, THEIRS)]
    assert any("factor" in path for path in found[0])
    assert_close(*found, 2.0**-18)
