"""Scopes: what may be made, read and set, and when."""
from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import errors
from perspicax.flax import linen as nn
from perspicax.flax.configurations import config
from perspicax.flax.core import DenyList, FrozenDict, Scope, apply, bind, freeze, init, lazy_init, lift, meta, partial_eval
from perspicax.flax.core.rngs import LazyRng
from perspicax.flax.scope_errors import DuplicateNameError, FlagNotFoundError, InvalidRngTypeError, ScopeNameTypeError
from perspicax.flax.tree_errors import LiftError

KEY = jax.random.key(0)
X = jnp.arange(6.0).reshape(2, 3)


def dense(scope: Scope, x: Any, features: int = 2) -> Any:
    """A layer."""
    return x @ scope.param("kernel", lambda key, shape: jax.random.normal(key, shape), (x.shape[-1], features))


def data(key: Any) -> list[int]:
    return np.asarray(jax.random.key_data(key)).tolist()


# Transformations of JAX inside of a module

TRANSFORMS = {"jit": jax.jit, "vmap": jax.vmap, "checkpoint": jax.checkpoint, "grad": jax.grad,
              "linearize": lambda f: lambda x: jax.linearize(f, x)[0]}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_parameter_is_not_made_inside_of_a_transformation_of_jax(name: str) -> None:
    def whole(scope: Scope, x: Any) -> Any:
        return TRANSFORMS[name](lambda x: dense(scope.push("layer"), x).sum())(x)

    with pytest.raises(errors.JaxTransformError) as error:
        init(whole)(KEY, X)
    assert (error.value.name, error.value.collection, error.value.scope_path) == ("kernel", "params", "/layer")
    assert error.value.action == "make"


@pytest.mark.parametrize("name", TRANSFORMS)
def test_parameters_are_read_inside_of_a_transformation_of_jax(name: str) -> None:
    variables = {"params": {"layer": {"kernel": jnp.ones((3, 2))}}}

    def whole(scope: Scope, x: Any) -> Any:
        return TRANSFORMS[name](lambda x: dense(scope.push("layer"), x).sum())(x)

    given = apply(whole)(variables, X)
    wanted = TRANSFORMS[name](lambda x: (x @ jnp.ones((3, 2))).sum())(X)
    np.testing.assert_allclose(given, wanted)


def test_a_key_is_drawn_inside_of_a_transformation_of_jax() -> None:
    def whole(scope: Scope, x: Any) -> Any:
        return jax.checkpoint(lambda x: x * jax.random.bernoulli(scope.push("drop").make_rng("dropout"), 0.5, x.shape))(x)

    def outside(scope: Scope, x: Any) -> Any:
        return x * jax.random.bernoulli(scope.push("drop").make_rng("dropout"), 0.5, x.shape)

    rngs = {"dropout": KEY}
    np.testing.assert_array_equal(apply(whole)({}, X, rngs=rngs), apply(outside)({}, X, rngs=rngs))


def test_a_variable_is_not_set_to_a_value_of_a_transformation_of_jax() -> None:
    def whole(scope: Scope, x: Any) -> Any:
        scope.variable("state", "mean", lambda: jnp.zeros(()))
        return jax.jit(lambda x: scope.put_variable("state", "mean", x.mean()))(x)

    with pytest.raises(errors.JaxTransformError) as error:
        init(whole)(KEY, X)
    assert (error.value.name, error.value.collection, error.value.action) == ("mean", "state", "set")
    assert error.value.transform == "jit"


def test_a_variable_is_set_inside_to_a_value_from_outside() -> None:
    def whole(scope: Scope, x: Any) -> Any:
        jax.jit(lambda y: scope.put_variable("state", "x", x))(1.0)

    np.testing.assert_array_equal(init(whole)(KEY, X)[1]["state"]["x"], X)


def test_a_whole_apply_runs_under_transformations() -> None:
    variables = init(dense)(KEY, X)[1]
    np.testing.assert_allclose(jax.jit(apply(dense))(variables, X), apply(dense)(variables, X), rtol=1e-6)
    made = jax.jit(lambda key: init(dense)(key, X)[1])(KEY)
    np.testing.assert_allclose(made["params"]["kernel"], variables["params"]["kernel"], rtol=1e-6)
    by_key = jax.vmap(lambda key: init(dense)(key, X)[1])(jax.random.split(KEY, 3))
    assert by_key["params"]["kernel"].shape == (3, 3, 2)


def test_no_trace_is_kept_alive_by_a_scope() -> None:
    with jax.checking_leaks():
        assert jax.jit(lambda x: init(dense)(KEY, x)[0])(X).shape == (2, 2)


# Keys

def test_a_jitted_function_draws_the_keys_of_its_trace_and_the_scope_counts_them_each_time() -> None:
    traced: list[int] = []

    def draw(scope: Scope, _: Any) -> Any:
        traced.append(1)
        return scope.make_rng("dropout")

    staged = lift.jit(draw)
    scope = Scope({}, {"dropout": KEY})
    first, second = staged(scope, "a"), staged(scope, "a")
    assert len(traced) == 1
    assert data(first) == data(second)  # as in Flax: which key of the stream it is belongs to the program
    assert data(scope.make_rng("dropout")) == data(LazyRng.create(KEY, 3).as_jax_rng())


def test_counters_are_restored_when_a_program_is_found_in_the_cache() -> None:
    staged = lift.jit(lambda scope, _: jax.random.key_data(scope.make_rng("dropout")))

    def whole(scope: Scope) -> Any:
        staged(scope.push("in"), "a")
        return scope.make_rng("dropout")

    draws = [data(apply(whole)({}, rngs={"dropout": KEY})) for _ in range(3)]
    assert draws[0] == draws[1] == draws[2]


def test_counts_of_keys_are_added_and_taken_apart() -> None:
    counts = lift.CountsHolder.make({"a": 1, "b": {"c": 2}})
    more = lift.CountsHolder.make({"a": 4, "b": {"c": 2, "d": 1}})
    assert more.sub(counts).unflat() == {"a": 3, "b": {"c": 0, "d": 1}}
    assert counts.add(more.sub(counts)).unflat() == more.unflat()
    original: dict[str, Any] = {"a": 1, "b": (inner := {"c": 2})}
    lift.set_from_dict(original, more.unflat())
    assert original == {"a": 4, "b": {"c": 2, "d": 1}}
    assert original["b"] is inner


def test_lazy_keys_are_pytrees() -> None:
    lazy = LazyRng.create(KEY, "a", 3)
    again = jax.tree.map(lambda x: x, lazy)
    assert again.suffix == ("a", 3)
    assert data(again.as_jax_rng()) == data(LazyRng.create(LazyRng.create(KEY, "a"), 3).as_jax_rng())
    assert data(lazy.clear_suffix().as_jax_rng()) == data(KEY)


@pytest.mark.parametrize("rngs", [3, None, "a", {"params": 3}, {"params": jnp.ones(2)}, {3: KEY}, jax.random.split(KEY)])
def test_what_is_no_key_is_refused(rngs: Any) -> None:
    with pytest.raises(InvalidRngTypeError):
        init(lambda scope: 1)(rngs)


def test_a_stream_whose_name_is_no_text_is_told_by_its_name() -> None:
    with pytest.raises(InvalidRngTypeError) as error:
        init(lambda scope: 1)({3: KEY})
    assert (error.value.kind, error.value.name) == ("not_name", "3")


def test_modules_in_frozen_dicts_are_set_in() -> None:
    class Holder(nn.Module):
        parts: Any

    inner = repr(nn.Sequential(()))
    assert "\n" in inner
    shown = "\n" + " " * 8
    assert f"a: {inner}".replace("\n", shown) in repr(Holder(freeze({"a": nn.Sequential(())})))


def test_lazy_init_of_a_module_returns_sorted_dicts() -> None:
    made = nn.Dense(2).lazy_init(KEY, jax.ShapeDtypeStruct((2, 3), np.float32))
    assert list(made["params"]) == ["bias", "kernel"]  # as Flax does, by which checkpoints are compared


def test_a_missing_key_in_a_lifted_transformation_names_the_argument() -> None:
    mapped = lift.vmap(dense, {"params": 0}, {})
    with pytest.raises(errors.InvalidRngError) as error:
        init(mapped)(KEY, X)
    assert "split_rngs={'params': True}" in str(error.value)
    with pytest.raises(errors.ScopeCollectionNotFound) as missing:
        apply(lift.vmap(dense, {"state": 0}, {}))({"params": {"kernel": jnp.ones((2, 3, 2))}}, X)
    assert "variable_axes={'params': 0}" in str(missing.value)


# Variables

def test_mutable_collections_are_copied_and_the_others_are_not() -> None:
    variables = {"params": {"w": 1}, "state": {"n": 1}}
    scope = bind(variables, mutable=["state"])
    scope.put_variable("state", "n", 2)
    assert variables["state"]["n"] == 1
    assert scope.mutable_variables() == {"state": {"n": 2}}
    assert scope.variables()["params"] is variables["params"]


@pytest.mark.parametrize(("mutable", "wanted"), [(False, None), ([], []), ("state", ["state"]), (True, ["params", "state"]),
                                                  (DenyList("params"), ["state"])])
def test_apply_returns_what_is_mutable(mutable: Any, wanted: Any) -> None:
    result = apply(lambda scope: 5, mutable=mutable)({"params": {}, "state": {"n": 1}})
    assert result == 5 if wanted is None else (result[0], sorted(result[1])) == (5, wanted)


def test_dicts_of_variables_are_filled_so_that_scopes_below_see_it() -> None:
    scope = Scope({}, mutable=True)
    inner = scope.push("a")
    inner.put_variable("state", "n", 1)
    scope.put_variable("state", "a", {"m": 2})
    assert inner.get_variable("state", "m") == 2
    assert scope.variables()["state"] == {"a": {"n": 1, "m": 2}}


def test_a_collection_has_no_empty_places_where_a_lifted_layer_has_nothing_in_it() -> None:
    def whole(scope: Scope, x: Any) -> Any:
        return scope.child(lift.remat(dense), "layer")(x)

    params = init(whole)(KEY, X)[1]["params"]
    variables = {"params": params, "state": {"other": {"count": 1}}}
    assert apply(whole, mutable=True)(variables, X)[1]["state"] == {"other": {"count": 1}}


def test_frozen_dicts_are_returned_where_the_option_says_so() -> None:
    with config.temp_flip_flag("return_frozendict", True):
        assert type(init(dense)(KEY, X)[1]) is FrozenDict
    assert type(init(dense)(KEY, X)[1]) is dict


def test_boxes_stay_around_values_that_are_set() -> None:
    def whole(scope: Scope) -> Any:
        boxed = meta.with_partitioning(lambda: jnp.ones(2), ("a",))
        v = scope.variable("state", "v", boxed)
        v.value = v.value * 3
        return v.value

    value, variables = init(whole)(KEY)
    assert variables["state"]["v"].names == ("a",)
    np.testing.assert_array_equal(value, [3, 3])


def test_a_scope_that_has_ended_can_be_read_and_nothing_else() -> None:
    with bind({"params": {"w": 3}}, mutable=True).temporary() as scope:
        assert not scope.invalid
    assert scope.invalid
    assert scope.get_variable("params", "w") == 3
    for use in (scope.push, scope.rewound, scope.make_rng, lambda: scope.put_variable("params", "w", 1)):
        with pytest.raises(errors.InvalidScopeError):
            use()


def test_names_are_taken_once() -> None:
    scope = Scope({}, {"params": KEY}, mutable=True)
    scope.param("w", lambda key: 1)
    scope.variable("state", "w", lambda: 1)  # another collection
    for take in (lambda: scope.param("w", lambda key: 1), lambda: scope.push("w"), lambda: scope.reserve("w", "state")):
        with pytest.raises(DuplicateNameError) as error:
            take()
        assert error.value.value == "w"
    with pytest.raises(ScopeNameTypeError):
        scope.reserve(3)  # type: ignore[arg-type]
    assert scope.rewound().param("w", lambda key: 1) == 1
    assert scope.push("a") != scope.push("a", reuse=True).push("b")


def test_scopes_of_the_same_place_are_equal() -> None:
    scope = Scope({}, {"params": KEY}, mutable=True)
    assert scope.rewound() == scope
    assert hash(scope.rewound()) == hash(scope)
    assert scope.rewound(rewind_rngs=True) != scope


def test_flags_reach_scopes_below() -> None:
    scope = bind({}, flags={"train": True}).push("a")
    assert scope.get_flag("train") is True
    assert scope.get_flag("other", 5) == 5
    assert not scope.has_flag("other")
    with pytest.raises(FlagNotFoundError):
        scope.get_flag("other")
    assert init(lambda scope: scope.get_flag("initializing"))(KEY)[0] is True


def test_a_child_that_is_called_twice_shares_its_variables() -> None:
    def whole(scope: Scope, x: Any) -> Any:
        layer = scope.child(dense, features=3)
        return layer(layer(x))

    assert list(init(whole)(KEY, X)[1]["params"]) == ["dense_0"]


def test_all_parameters_of_a_wrong_shape_are_told_with_both_shapes() -> None:
    with pytest.raises(errors.ScopeParamShapeError) as error:
        apply(dense)({"params": {"kernel": jnp.ones((3, 2))}}, jnp.ones((2, 5)))
    assert (error.value.value_shape, error.value.init_shape) == ((3, 2), (5, 2))
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)


def test_a_misspelt_collection_is_recognised() -> None:
    with pytest.raises(errors.ScopeCollectionNotFound) as error:
        apply(lambda scope: scope.variable("batch_stats", "mean"))({"params": {}, "batch_stat": {}})
    assert error.value.given == ("params", "batch_stat")
    assert "'batch_stat' was passed: did you mean 'batch_stats'?" in str(error.value)


# Lazily

def test_lazy_init_runs_what_the_variables_need_and_no_more() -> None:
    ran: list[int] = []

    def whole(scope: Scope, x: Any) -> Any:
        y = jax.pure_callback(lambda y: ran.append(1) or y, jax.ShapeDtypeStruct(x.shape, x.dtype), x)
        return dense(scope, y)

    shape = jax.ShapeDtypeStruct((2, 3), np.float32)
    made = lazy_init(whole)(KEY, shape)
    np.testing.assert_array_equal(made["params"]["kernel"], init(dense)(KEY, X)[1]["params"]["kernel"])
    assert ran == []


def test_lazy_init_names_the_variable_that_depends_on_an_unknown_value() -> None:
    with pytest.raises(errors.LazyInitError) as error:
        lazy_init(lambda scope, x: scope.push("in").param("w", lambda key: x + 1))(KEY, jax.ShapeDtypeStruct((2,), np.float32))
    assert error.value.path == "variables['params']['in']['w']"


def test_partial_evaluation_leaves_shapes_for_what_is_unknown() -> None:
    known, unknown = partial_eval.partial_eval_by_shape(lambda x, y: (y * 2, x @ y), [((4, 3), np.float32)], jnp.ones((3, 2)))
    np.testing.assert_array_equal(known, 2 * jnp.ones((3, 2)))
    assert (unknown.shape, unknown.dtype) == ((4, 2), np.float32)


# Lifted transformations

def test_a_scope_in_another_one_is_carried_once() -> None:
    def both(scopes: Any, x: Any) -> Any:
        outer, inner = scopes
        return dense(outer, x, 3) + dense(inner, x, 3)

    def whole(scope: Scope, x: Any) -> Any:
        outer = scope.push("a")
        return lift.vmap(both, {"params": None}, {"params": False})((outer, outer.push("b")), x)

    result, variables = init(whole)(KEY, X)
    assert jax.tree.map(jnp.shape, variables) == {"params": {"a": {"kernel": (3, 3), "b": {"kernel": (3, 3)}}}}
    kernels = variables["params"]["a"]
    np.testing.assert_allclose(result, X @ kernels["kernel"] + X @ kernels["b"]["kernel"], rtol=1e-5)


def test_scan_equals_the_layers_one_after_the_other() -> None:
    def step(scope: Scope, carry: Any) -> Any:
        return jnp.tanh(dense(scope, carry, 3)), None

    loop = lift.scan(step, variable_axes={"params": 0}, split_rngs={"params": True}, length=4)
    (result, _), variables = init(loop)(KEY, X)
    carry = X
    for kernel in variables["params"]["kernel"]:
        carry = jnp.tanh(carry @ kernel)
    np.testing.assert_allclose(result, carry, rtol=1e-5)


def test_scan_without_the_second_trace_traces_once() -> None:
    traced: list[int] = []

    def step(scope: Scope, carry: Any, x: Any) -> Any:
        traced.append(1)
        return carry + x, carry

    loop = lift.scan(step, check_constancy_invariants=False)
    total, partial = apply(loop)({}, jnp.zeros(3), X)
    assert len(traced) == 1
    np.testing.assert_array_equal(total, X.sum(0))
    np.testing.assert_array_equal(partial, [[0, 0, 0], X[0]])


@pytest.mark.parametrize("loop", [
    lambda: init(lift.scan(lambda scope, c: (c, None)))(KEY, X),
    lambda: init(lift.scan(lambda scope, c, x, y: (c, None)))(KEY, 0.0, X, jnp.ones(5)),
    lambda: init(lift.scan(lambda scope, c, x: (c, x), out_axes=lift.pack))(KEY, 0.0, X),
    lambda: init(lift.vmap(lambda scope, x: x, {}, {}, in_axes=None))(KEY, X),
    lambda: lift.vjp(dense, Scope({}, {"params": KEY}, mutable=True), X, reduce_axes=("i",)),
], ids=["no length", "lengths", "no axis", "no size", "reduce_axes"])
def test_arguments_that_do_not_go_together_are_refused(loop: Any) -> None:
    with pytest.raises(LiftError):
        loop()


def test_keyword_arguments_are_left_out_with_a_warning_where_they_mean_nothing() -> None:
    with pytest.warns(RuntimeWarning, match="vmap takes no keyword arguments; left out: y"):
        lift.vmap(lambda scope, x: x, {}, {})(Scope({}), X, y=3)


def test_vjp_gives_cotangents_by_scope_and_goes_through_jit() -> None:
    variables = init(dense)(KEY, X)[1]

    def whole(scope: Scope, x: Any) -> Any:
        y, pullback = lift.vjp(dense, scope, x)
        return pullback(jnp.ones_like(y))

    of_variables, of_x = jax.jit(apply(whole))(variables, X)
    kernel = variables["params"]["kernel"]
    np.testing.assert_allclose(of_variables["params"]["kernel"], X.T @ jnp.ones((2, 2)), rtol=1e-6)
    np.testing.assert_allclose(of_x, jnp.ones((2, 2)) @ kernel.T, rtol=1e-6)


def test_a_rule_leaves_arguments_out_by_their_number_after_the_scope() -> None:
    def scale(scope: Scope, n: float, x: Any) -> Any:
        return x * scope.param("w", lambda key: jnp.ones(())) * n

    def forward(scope: Scope, n: float, x: Any) -> Any:
        return lift.vjp(lambda scope, x: scale(scope, n, x), scope, x)

    def backward(n: float, pullback: Any, cotangent: Any) -> Any:
        of_variables, of_x = pullback(cotangent)
        return of_variables, of_x * 10 * n

    ruled = lift.custom_vjp(scale, forward, backward, nondiff_argnums=(1,))
    grad = jax.grad(lambda x: apply(lambda scope: ruled(scope, 3.0, x))({"params": {"w": jnp.full((), 2.0)}}))(5.0)
    assert float(grad) == 2.0 * 3.0 * 10 * 3.0
    with pytest.raises(LiftError, match="argument 0 is the scope"):
        lift.custom_vjp(scale, forward, backward, nondiff_argnums=(0,))


def test_jvp_moves_variables() -> None:
    variables = init(dense)(KEY, X)[1]

    def whole(scope: Scope, x: Any) -> Any:
        return lift.jvp(dense, scope, (x,), (jnp.zeros_like(x),), {"params": {"kernel": jnp.ones((3, 2))}})

    np.testing.assert_allclose(apply(whole)(variables, X)[1], X @ jnp.ones((3, 2)), rtol=1e-6)
    still = apply(lambda scope: lift.jvp(dense, scope, (X,), (X,), {"params": {}})[1])(variables)  # an empty collection
    np.testing.assert_allclose(still, X @ variables["params"]["kernel"], rtol=1e-6)


def test_jvp_leaves_modules_still_that_come_with_the_one_that_moves() -> None:
    class Both(nn.Module):
        inner: Any

        @nn.compact
        def __call__(self, x: Any) -> Any:
            return self.inner(x) + self.param("b", nn.initializers.ones, (2,))

    class Whole(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            both = Both(nn.Dense(2, use_bias=False, name="inner"), name="both")
            both(x)
            return nn.jvp(lambda module, x: module(x), both, (x,), (jnp.zeros_like(x),), {"params": {"b": jnp.full(2, 3.0)}})[1]

    np.testing.assert_array_equal(Whole().init_with_output(KEY, X)[0], jnp.full((2, 2), 3.0))


def same(scope: Scope, x: Any) -> Any:
    return x


def vmapped_within(scope: Scope, x: Any) -> Any:
    return jax.vmap(lambda row: row, out_axes=(0, 1))(x)


@pytest.mark.parametrize("program, words", [
    (lambda: apply(lift.vmap(same, {}, {}, in_axes=7, axis_size=3))({}, X), "cannot map `x` over axis 7"),
    (lambda: apply(lift.vmap(same, {}, {}, in_axes=((0, 1),)))({}, X), "`in_axes[0]` is a tuple of length 2, but `args[0]`"),
    (lambda: apply(lift.vmap(same, {}, {}, in_axes=((0, 1),), axis_size=3))({}, X),
     "`in_axes[0]` is a tuple of length 2, but `x` is a leaf"),
    (lambda: apply(lift.vmap(same, {}, {}, out_axes=None))({}, X), "that `result` of `same`"),
    (lambda: init(lift.vmap(dense, {"params": None}, {"params": True}))(KEY, jnp.ones((2, 4, 3))),
     "`variable_axes` says that `variables['params']['kernel']`"),
    (lambda: init(lift.vmap(dense, {"params": 5}, {"params": True}))(KEY, jnp.ones((2, 4, 3))), "`variable_axes` of vmap"),
    (lambda: apply(lift.vmap(vmapped_within, {}, {}))({}, jnp.ones((2, 4, 3))), "`<lambda>(...)` is a leaf"),
    (lambda: apply(lambda scope: lift.jvp(same, scope, (X,), (X, X), {}))({}), "given 1 positional argument: `x`"),
    (lambda: apply(lambda scope: lift.jvp(dense, scope, (X,), (X,), {"params": {"q": X}}))(init(dense)(KEY, X)[1]),
     "`tangent of variables['params']` has"),
    (lambda: apply(lambda scope: lift.jvp(dense, scope, (X,), (X,), {"param": {"q": X}}))(init(dense)(KEY, X)[1]),
     "tangents of the collection 'param'"),
    (lambda: apply(lambda scope: lift.jvp(dense, scope, X, (X,), {}))({}), "`primals` of a lifted `jvp` is an array"),
    (lambda: apply(lambda scope: lift.value_and_grad(same, scope, X))({}), "`value_and_grad` needs a function"),
])
def test_axes_and_tangents_are_told_of_in_the_users_names(program: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        program()
    assert words in " ".join(str(caught.value).split())


def test_swapped_collections_have_each_others_name() -> None:
    read = lift.swap_collection(lambda scope: scope.get_variable("a", "q"), "a", "b")
    assert apply(read)(freeze({"a": {"q": 1}, "b": {"q": 2}})) == 2


def test_an_axis_is_added_to_what_boxes_know() -> None:
    def scale(scope: Scope, x: Any) -> Any:
        return x * scope.param("w", meta.with_partitioning(lambda key: jnp.ones(3), ("a",)))

    known = lift.add_metadata_axis(scale, {"params": 0}, {meta.PARTITION_NAME: "layer"})
    variables = init(known)(KEY, X)[1]
    assert variables["params"]["w"].names == ("layer", "a")
    np.testing.assert_array_equal(apply(known)(variables, X), X)
