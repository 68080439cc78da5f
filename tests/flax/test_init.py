"""`init` computes what variables need, and nothing else; the numbers are those of computing everything."""
from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp
from perspicax import lax, tree_util
from perspicax.flax import core, errors
from perspicax.flax.core import as_needed
from perspicax.xla import compile as compilation

KEY = jax.random.key(0)
KEYS = {"params": KEY, "dropout": jax.random.key(1)}
X = jnp.asarray(np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4))


class Whitened(nn.Module):
    """Its variables depend on the data."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        hidden = nn.gelu(nn.Dense(5)(x))
        mean = self.param("mean", lambda key: jnp.mean(hidden, axis=(0, 1)))
        scale = self.variable("stats", "scale", lambda: jnp.std(hidden, axis=(0, 1)) + jax.random.normal(self.make_rng()))
        self.sow("seen", "softmax", nn.softmax(hidden))
        return (hidden - mean) / scale.value


class Counting(nn.Module):
    """Batch norm, dropout, attention: collections of several kinds."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.BatchNorm(use_running_average=False)(nn.Dense(4)(x))
        x = nn.Dropout(0.5, deterministic=False)(x)
        x = nn.SelfAttention(num_heads=2, decode=True)(x)
        steps = self.variable("counts", "steps", lambda: jnp.int32(0))
        steps.value = steps.value + jnp.int32(x.sum() > -100)
        return nn.SpectralNorm(nn.Dense(2))(x, update_stats=True)


class Branching(nn.Module):
    """Its Python looks at values."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Dense(3)(x)
        if x.sum() > -1000:
            x = nn.Dense(int(jnp.argmax(jnp.ones(4))) + 2)(x)
        size = jnp.nonzero(np.asarray(x).ravel() < 100)[0].shape[0]
        self.param("shape", nn.initializers.normal(), (size,))
        return x[x > -1000]


class Stacked(nn.Module):
    """Lifted transformations."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.remat(nn.Dense)(4)(x)
        x = nn.jit(nn.Dense)(4)(x)
        x = nn.vmap(nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=0)(4)(x)
        x, _ = nn.scan(lambda module, carry, _: (module(carry), None), variable_axes={"params": 0}, length=3,
                       split_rngs={"params": True})(nn.Dense(4), x, None)
        return jax.grad(lambda y: (y * x).sum())(x)


MODELS: list[tuple[nn.Module, Any]] = [(Whitened(), X), (Counting(), X), (Branching(), X), (Stacked(), X),
                                       (Whitened(), np.asarray(X)), (nn.Sequential([nn.Dense(3), nn.relu]), X)]
NAMES = ["data", "collections", "values", "lifted", "numpy", "sequential"]


@contextlib.contextmanager
def computing_everything(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if nothing could wait."""
    with monkeypatch.context() as patch:
        patch.setattr(as_needed, "deferring", lambda: contextlib.nullcontext(None))
        yield


def assert_same_bits(one: Any, other: Any) -> None:
    assert tree_util.tree_structure(one) == tree_util.tree_structure(other)
    for (path, a), b in zip(tree_util.tree_leaves_with_path(one), tree_util.tree_leaves(other), strict=True):
        assert type(a) is type(b) and a.dtype == b.dtype and a.weak_type == b.weak_type, path
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), path


@pytest.mark.parametrize(("model", "x"), MODELS, ids=NAMES)
def test_the_variables_have_the_bits_of_computing_everything(model: nn.Module, x: Any, monkeypatch: Any) -> None:
    found = model.init(KEYS, x, mutable=True)
    out, with_output = model.init_with_output(KEYS, x, mutable=True)
    lazily = model.lazy_init(KEYS, x, mutable=True)
    by_function = nn.init(lambda module, x: module(x), model, mutable=True)(KEYS, x)
    with computing_everything(monkeypatch):
        expected_out, expected = model.init_with_output(KEYS, x, mutable=True)
    assert len(tree_util.tree_leaves(expected)) >= 2
    for each in (found, with_output, lazily, by_function):
        assert_same_bits(each, expected)
    assert_same_bits(out, expected_out)


def programs() -> int:
    return compilation.programs()




def test_the_model_runs_once_and_effects_happen_once_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []

    class Watched(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            calls.append("model")
            y = nn.Dense(2)(x)
            jax.debug.callback(lambda value: calls.append(f"callback {float(value):.0f}"), (y * 0).sum())
            jax.effects_barrier()
            calls.append("after")
            print(f"shape {y.shape} {bool(jnp.isfinite(y).all())}")
            return y

    Watched().init(KEY, X)
    assert calls == ["model", "callback 0", "after"]
    assert capsys.readouterr().out == "shape (2, 3, 2) True\n"


def test_what_a_model_keeps_elsewhere_is_an_array() -> None:
    kept: list[Any] = []

    class Keeping(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            kept.append(nn.Dense(2)(x))
            return kept[-1]

    variables = Keeping().init(KEY, X)
    assert np.array_equal(kept[0], Keeping().apply(variables, X))
    assert np.array_equal(jnp.tanh(kept[0]), jnp.tanh(kept[1]))


def report_of(run: Callable[[], Any]) -> tuple[type, str]:
    try:
        run()
    except Exception as error:
        return type(error), str(error)
    raise AssertionError("nothing was raised")


def wrong(body: Callable[[Any, Any], Any]) -> nn.Module:
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return body(self, nn.Dense(3)(x))

    return Model()


@pytest.mark.parametrize("body", [
    lambda m, x: x + jnp.ones(5), lambda m, x: x @ jnp.ones((5, 2)), lambda m, x: m.variable("params", "a"),
    lambda m, x: x.reshape(7), lambda m, x: lax.conv(x, x[0], (1,), "SAME"), lambda m, x: list(x)[9],
    lambda m, x: m.param("w", nn.initializers.lecun_normal(), (3,)), lambda m, x: nn.Dropout(0.5)(x),
    lambda m, x: jax.jit(lambda a: 1 if a.sum() > 0 else 2)(x), lambda m, x: nn.Dense(2, name="Dense_0")(x),
    lambda m, x: jax.jit(lambda a: nn.Dense(3)(a))(x), lambda m, x: x[0, 0, 0, 0], lambda m, x: nn.Embed(3, 4)(x),
    lambda m, x: m.get_variable("params", "a") + x, lambda m, x: 1 / 0, lambda m, x: nn.BatchNorm()(x),
])
def test_mistakes_are_reported_as_if_everything_were_computed(body: Any, monkeypatch: Any) -> None:
    model = wrong(body)
    found = report_of(lambda: model.init(KEY, X))
    with computing_everything(monkeypatch):
        assert found == report_of(lambda: model.init(KEY, X))
    assert "trac" not in found[1] or "JaxTransformError" in str(found[0]) or "TracerBool" in str(found[0])


def test_init_within_transformations() -> None:
    model = nn.Dense(3)
    plain = model.init(KEY, X)
    jitted = jax.jit(model.init)(KEY, X)
    shapes = jax.eval_shape(model.init, KEY, X)
    batched = jax.vmap(model.init, (0, None))(jnp.stack([KEY, jax.random.key(3)]), X)
    assert tree_util.tree_map(jnp.shape, jitted) == tree_util.tree_map(jnp.shape, plain)
    assert tree_util.tree_map(lambda leaf: leaf.shape, shapes) == tree_util.tree_map(jnp.shape, plain)
    np.testing.assert_array_equal(jitted["params"]["kernel"], plain["params"]["kernel"])
    np.testing.assert_array_equal(batched["params"]["kernel"][0], plain["params"]["kernel"])
    with jax.debug_nans(True):
        assert_same_bits(model.init(KEY, X), plain)


def test_functions_of_scopes_compute_what_their_result_needs() -> None:
    def dense(scope: core.Scope, x: Any) -> Any:
        return x @ scope.param("kernel", nn.initializers.ones, (x.shape[-1], 2))

    out, variables = core.init(dense)(KEY, X)
    assert np.array_equal(out, X @ jnp.ones((4, 2))) and variables["params"]["kernel"].shape == (4, 2)
    before = programs()
    lazily = core.lazy_init(dense)(KEY, jax.ShapeDtypeStruct((6, 5), np.float32))
    assert programs() == before and lazily["params"]["kernel"].shape == (5, 2)


@pytest.mark.parametrize(("body", "path"), [
    (lambda m, x: m.param("p", lambda key: x.mean(0)), "variables['params']['p']"),
    (lambda m, x: m.variable("stats", "s", lambda: x.sum()), "variables['stats']['s']"),
    (lambda m, x: m.put_variable("stats", "s", x), "variables['stats']['s']"),
])
def test_a_variable_that_needs_a_value_cannot_be_made_from_a_shape(body: Any, path: str) -> None:
    with pytest.raises(errors.LazyInitError) as caught:
        wrong(body).lazy_init(KEY, jax.ShapeDtypeStruct(X.shape, X.dtype))
    assert caught.value.path == path
    assert wrong(body).lazy_init(KEY, X) is not None


def test_lazy_init_names_the_model_that_looks_at_a_value() -> None:
    with pytest.raises(jax.errors.TracerBoolConversionError, match="while lazy_init\ntraces `__call__`"):
        Branching().lazy_init(KEY, jax.ShapeDtypeStruct(X.shape, X.dtype))


@pytest.mark.parametrize("cell", [nn.OptimizedLSTMCell, nn.GRUCell, nn.SimpleCell])
def test_a_loop_uses_the_parameters_that_it_makes(cell):
    """The loop is traced once to make its parameters, and again to run: with those, not with others of later keys."""
    x = np.random.RandomState(0).randn(2, 3, 3).astype("float32")
    out, variables = nn.RNN(cell(3)).init_with_output(KEYS["params"], x)
    np.testing.assert_array_equal(out, nn.RNN(cell(3)).apply(variables, x))
