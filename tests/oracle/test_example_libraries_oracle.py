"""`jax.example_libraries`: a small network of every kind of layer, and every optimizer, in step with JAX's."""
from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.oracle


def both() -> list[Any]:
    return [SimpleNamespace(jax=importlib.import_module(name), jnp=importlib.import_module(f"{name}.numpy"),
                            stax=importlib.import_module(f"{name}.example_libraries.stax"),
                            optimizers=importlib.import_module(f"{name}.example_libraries.optimizers"))
            for name in ("jax", "perspicax")]


NETWORKS = {
    "image": ((2, 8, 8, 3), lambda s: s.serial(
        s.Conv(4, (3, 3), strides=(2, 2), padding="SAME"), s.BatchNorm(), s.Relu, s.ConvTranspose(3, (2, 2)), s.Gelu,
        s.MaxPool((2, 2), padding="SAME"), s.AvgPool((2, 2), (1, 2), "SAME"), s.SumPool((2, 1)), s.Flatten, s.Dense(5),
        s.LogSoftmax)),
    "branches": ((4, 6), lambda s: s.serial(
        s.FanOut(3), s.parallel(s.Dense(4), s.serial(s.Dense(4), s.Tanh), s.shape_dependent(lambda n: s.Dense(n[-1] - 2))),
        s.FanInConcat(), s.FanOut(2), s.parallel(s.Identity, s.Elu), s.FanInSum, s.Dropout(0.7), s.Selu, s.Softplus)),
    "sequence": ((2, 7, 3), lambda s: s.serial(
        s.Conv1DTranspose(4, (3,), strides=(2,)), s.LeakyRelu, s.Sigmoid, s.Softmax, s.Exp)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_equal_parameters_and_outputs(name: str) -> None:
    shape, make = NETWORKS[name]
    x = np.random.RandomState(0).rand(*shape).astype("f")
    found = []
    for j in both():
        init, apply = make(j.stax)
        out_shape, params = init(j.jax.random.PRNGKey(1), shape)
        out = apply(params, x, rng=j.jax.random.PRNGKey(2))
        assert out.shape == out_shape
        found.append((j.jax.tree.leaves(params), str(j.jax.tree.structure(params)), out))
    theirs, ours = found
    assert ours[1] == theirs[1]
    for a, b in zip(ours[0], theirs[0]):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=2e-6, atol=2e-6)


OPTIMIZERS = {
    "sgd": lambda o: o.sgd(o.inverse_time_decay(.1, 3, .5, staircase=True)), "momentum": lambda o: o.momentum(.1, .9),
    "nesterov": lambda o: o.nesterov(o.exponential_decay(.1, 2, .5), .9), "adagrad": lambda o: o.adagrad(.1),
    "rmsprop": lambda o: o.rmsprop(o.polynomial_decay(.1, 3, .01, 2.)), "rmsprop_momentum": lambda o: o.rmsprop_momentum(.1),
    "adam": lambda o: o.adam(o.piecewise_constant([1, 3], [.1, .05, .01])), "adamax": lambda o: o.adamax(o.constant(.1)),
    "sm3": lambda o: o.sm3(.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_take_the_same_steps(name: str) -> None:
    start = {"w": np.linspace(-1, 1, 6, dtype="f").reshape(2, 3), "b": np.ones(3, "f"), "c": np.float32(2)}
    found = []
    for j in both():
        init, update, get_params = OPTIMIZERS[name](j.optimizers)
        loss = j.jax.grad(lambda p, j=j: j.jnp.sum(j.jnp.square(p["w"] * 2 + p["b"] * p["c"])))
        state = init(start)
        for i in range(5):
            state = update(i, j.optimizers.clip_grads(loss(get_params(state)), 4.), state)
        packed = j.optimizers.pack_optimizer_state(j.optimizers.unpack_optimizer_state(state))
        found.append((j.jax.tree.leaves(packed), float(j.optimizers.l2_norm(get_params(state)))))
    theirs, ours = found
    assert len(ours[0]) == len(theirs[0])
    for a, b in zip((*ours[0], ours[1]), (*theirs[0], theirs[1])):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("mistake", [
    lambda j: j.stax.Dropout(.5)[1]((), np.ones(3, "f")),
    lambda j: j.optimizers.sgd(.1).update_fn(0, [1.], j.optimizers.sgd(.1).init_fn({"a": np.ones(2)})),
    lambda j: j.optimizers.piecewise_constant([1, 2], [.1, .2]),
    lambda j: j.optimizers.sgd(np.ones(2)),
])
def test_mistakes_raise_what_they_raise_in_jax(mistake: Any) -> None:
    theirs, ours = both()
    with pytest.raises((TypeError, ValueError)) as expected:
        mistake(theirs)
    with pytest.raises(expected.type):
        mistake(ours)
