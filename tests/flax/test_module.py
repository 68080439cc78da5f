"""Modules by themselves: fields, copies, names, pickles, hooks; what holds without Flax beside it."""
from __future__ import annotations

import copy
import dataclasses
import functools
import pickle
from typing import Any, Generic, TypeVar

import pytest

import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp
from perspicax import random
from perspicax.flax.linen import errors as linen_errors
from perspicax.flax.linen import summary
from perspicax.flax.linen.kw_only_dataclasses import dataclass, field
from perspicax.flax.tree_errors import LiftError

KEY = random.key(0)
X = jnp.ones((2, 3))
T = TypeVar("T")


class Net(nn.Module):
    """Two layers, the second of which is given."""

    features: int
    last: Any = None

    def setup(self) -> None:
        self.first = nn.Dense(self.features)

    def __call__(self, x: Any) -> Any:
        return self.last(self.first(x)) if self.last is not None else self.first(x)


def test_modules_are_equal_by_their_fields() -> None:
    assert Net(3) == Net(3) != Net(4)
    assert hash(Net(3, nn.Dense(2))) == hash(Net(3, nn.Dense(2)))


def test_a_pickle_of_a_module_is_the_module() -> None:
    net = Net(3, Net(2))
    again = pickle.loads(pickle.dumps(net))
    assert again == net
    assert again.init(KEY, X)["params"]["last"]["first"]["kernel"].shape == (3, 2)


def test_a_deep_copy_is_another_module_with_equal_fields() -> None:
    net = Net(3, nn.Dense(2))
    again = copy.deepcopy(net)
    assert again == net
    assert again._id != net._id
    assert again.last is not net.last


def test_clone_and_copy_change_fields() -> None:
    net = Net(3, nn.Dense(2, name="own"))
    assert net.clone(features=5) == Net(5, net.last)
    assert net.copy(features=5).last.name == "own"  # it has no parent, so that its name was given by hand
    bound = net.bind(net.init(KEY, X))
    assert bound.copy(parent=None).last.name is None
    assert bound.clone().scope is None


def test_a_module_that_is_shared_has_one_set_of_variables() -> None:
    shared = nn.Dense(3)

    class Twice(nn.Module):
        a: nn.Module
        b: nn.Module

        def __call__(self, x: Any) -> Any:
            return self.b(self.a(x))

    assert sorted(Twice(shared, shared).init(KEY, X)["params"]) == ["a"]
    assert sorted(Twice(nn.Dense(3), nn.Dense(3)).init(KEY, X)["params"]) == ["a", "b"]


def test_lists_are_tuples_and_dicts_are_frozen_in_a_bound_module() -> None:
    class Many(nn.Module):
        layers: Any

        def setup(self) -> None:
            self.table = {"a": [nn.Dense(1), 5]}

        def __call__(self, x: Any) -> Any:
            return self.layers[0](self.table["a"][0](x))

    net = Many([nn.Dense(3)])
    variables = net.init(KEY, X)
    assert sorted(variables["params"]) == ["layers_0", "table_a_0"]
    bound = net.bind(variables)
    assert isinstance(bound.layers, tuple)
    assert isinstance(bound.table, nn.FrozenDict)
    assert bound.table["a"][1] == 5


def test_a_partial_is_a_field_like_any_other() -> None:
    class Made(nn.Module):
        layer: Any = functools.partial(nn.Dense, 4)

        @nn.compact
        def __call__(self, x: Any) -> Any:
            return self.layer()(x)

    assert Made().init(KEY, X)["params"]["Dense_0"]["kernel"].shape == (3, 4)


def test_generic_modules_mixins_and_inherited_compact_methods() -> None:
    class Mixin:
        def twice(self, x: Any) -> Any:
            return self(self(x))  # type: ignore[operator]

    class Base(nn.Module, Generic[T]):
        features: int = 3

        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(self.features)(x)

    class Derived(Mixin, Base[int]):
        bias: float = 1.0

        @nn.compact
        def __call__(self, x: Any) -> Any:
            return super().__call__(x) + nn.Dense(3)(x) + self.bias

    variables = Derived().init(KEY, X)
    assert sorted(variables["params"]) == ["Dense_0", "Dense_1"]
    once = Derived().apply(variables, X)
    assert (Derived().apply(variables, X, method="twice") == Derived().apply(variables, once)).all()


def test_a_method_marked_nowrap_runs_without_setup() -> None:
    ran = []

    class Lazy(nn.Module):
        def setup(self) -> None:
            ran.append("setup")

        @nn.nowrap
        def plain(self) -> int:
            return 3

    assert Lazy().bind({}).plain() == 3
    assert ran == []


def test_setup_runs_once_for_several_methods() -> None:
    ran = []

    class Once(nn.Module):
        def setup(self) -> None:
            ran.append("setup")
            self.layer = nn.Dense(3)

        def __call__(self, x: Any) -> Any:
            return self.other(x) + self.layer(x)

        def other(self, x: Any) -> Any:
            return self.layer(x)

    Once().init(KEY, X)
    assert ran == ["setup"]


def test_a_bound_module_may_be_asked_for_what_setup_makes() -> None:
    net = Net(3)
    variables = net.init(KEY, X)
    assert net.bind(variables).first.variables == {"params": variables["params"]["first"]}
    assert net.bind(variables).first.path == ("first",)
    assert "first" in dir(net.bind(variables))


def test_sow_keeps_what_its_reduction_makes() -> None:
    class Sower(nn.Module):
        def __call__(self, x: Any) -> bool:
            self.sow("losses", "total", x, reduce_fn=lambda a, b: a + b, init_fn=lambda: 0.0)
            return self.sow("losses", "total", x, reduce_fn=lambda a, b: a + b, init_fn=lambda: 0.0)

    kept, state = Sower().apply({}, jnp.float32(2), mutable="losses")
    assert kept is True
    assert float(state["losses"]["total"]) == 4
    assert Sower().apply({}, jnp.float32(2)) is False


def test_perturbations_have_the_derivative_of_the_value() -> None:
    class Perturbed(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return (self.perturb("h", nn.Dense(3)(x)) ** 2).sum()

    variables = Perturbed().init(KEY, X)
    h = nn.Dense(3).apply({"params": variables["params"]["Dense_0"]}, X)
    gradient = jax.grad(lambda p: Perturbed().apply({**variables, "perturbations": p}, X))(variables["perturbations"])
    assert jnp.allclose(gradient["h"], 2 * h, rtol=1e-6)
    assert Perturbed().apply({"params": variables["params"]}, X) == (h ** 2).sum()


def test_intermediates_of_chosen_methods() -> None:
    net = Net(3, nn.Dense(2))
    variables = net.init(KEY, X)
    _, state = net.apply(variables, X, capture_intermediates=lambda module, method: module.name == "last")
    assert list(state["intermediates"]) == ["last"]
    assert state["intermediates"]["last"]["__call__"][0].shape == (2, 2)


def test_an_interceptor_may_answer_itself() -> None:
    def stub(method: Any, args: Any, kwargs: Any, context: Any) -> Any:
        return args[0] * 0 if isinstance(context.module, nn.Dense) else method(*args, **kwargs)

    with nn.intercept_methods(stub):
        assert float(Net(3).apply({}, X).sum()) == 0


def test_methods_run_in_named_scopes_unless_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    original = jax.named_scope

    def noting(name: str) -> Any:
        names.append(name)
        return original(name)

    monkeypatch.setattr(jax, "named_scope", noting)
    net = Net(3)
    variables = net.init(KEY, X)
    del names[:]
    net.apply(variables, X)
    assert names == ["Net", "first"]
    with nn.override_named_call(False):
        net.apply(variables, X)
    assert names == ["Net", "first"]


def test_a_program_of_nn_jit_is_shared_by_equal_modules() -> None:
    traced = []

    class Block(nn.Module):
        scale: float

        @nn.jit
        @nn.compact
        def __call__(self, x: Any) -> Any:
            traced.append(self.scale)
            return nn.Dense(3)(x) * self.scale

    class Stack(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            for scale in (1.0, 1.0, 2.0):
                x = Block(scale)(x)
            return x

    variables = Stack().init(KEY, X)
    del traced[:]
    y = Stack().apply(variables, X)
    assert traced == [1.0, 2.0]
    again = X
    for i, scale in enumerate((1.0, 1.0, 2.0)):
        again = nn.Dense(3).apply({"params": variables["params"][f"Block_{i}"]["Dense_0"]}, again) * scale
    assert jnp.allclose(y, again, rtol=1e-5)


def test_a_function_of_a_module_called_twice_makes_two_submodules() -> None:
    # Differs: under Flax 0.12.8 the second call of a function of `nn.jit` takes the name of the first one.
    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            f = nn.jit(lambda module, x: nn.Dense(3)(x))
            return f(self, f(self, x))

    assert sorted(Twice().init(KEY, X)["params"]) == ["Dense_0", "Dense_1"]


def test_options_for_several_methods() -> None:
    class Coder(nn.Module):
        def setup(self) -> None:
            self.layer = nn.Dense(3)

        def encode(self, x: Any) -> Any:
            return self.layer(x)

        def decode(self, x: Any, scale: Any) -> Any:
            return self.layer(x) * scale

    mapped = nn.vmap(Coder, variable_axes={"params": None}, split_rngs={"params": False},
                     methods={"encode": {}, "decode": {"in_axes": (0, None)}})()
    variables = mapped.init(KEY, X, method="encode")
    assert variables["params"]["layer"]["kernel"].shape == (3, 3)
    assert jnp.allclose(mapped.apply(variables, X, 2.0, method="decode"), 2 * mapped.apply(variables, X, method="encode"))


@pytest.mark.parametrize("ask", [
    lambda m: m.variables, lambda m: m.path, lambda m: m.make_rng("a"), lambda m: m.has_rng("a"), lambda m: m.sow("a", "b", 1),
    lambda m: m.perturb("a", 1), lambda m: m.get_variable("a", "b"), lambda m: m.put_variable("a", "b", 1),
    lambda m: m.has_variable("a", "b"), lambda m: m.is_initializing(), lambda m: m.is_mutable_collection("a"),
    lambda m: m.param("a", lambda k: 1), lambda m: m.variable("a", "b")])
def test_what_only_a_bound_module_knows(ask: Any) -> None:
    with pytest.raises(linen_errors.UnboundModuleError) as caught:
        ask(Net(3))
    assert caught.value.module == "Net"


def test_a_parameter_outside_of_setup_is_told_with_its_method() -> None:
    class Scale(nn.Module):
        def apply_scale(self, x: Any) -> Any:
            return x * self.param("scale", nn.initializers.ones_init(), (3,))

    with pytest.raises(linen_errors.VariableOutsideSetupError) as caught:
        Scale().init(KEY, X, method="apply_scale")
    assert (caught.value.method, caught.value.name, caught.value.kind) == ("apply_scale", "scale", "param")


def test_merge_param_takes_the_one_value_that_is_given() -> None:
    assert nn.merge_param("train", None, False) is False
    assert nn.merge_param("train", 3, None) == 3
    for a, b in ((None, None), (1, 2)):
        with pytest.raises(linen_errors.MergeParamError):
            nn.merge_param("train", a, b)


def test_fields_that_stand_last() -> None:
    @dataclass
    class A:
        a: int
        z: int = field(default=9, kw_only=True)

    @dataclass
    class B(A):
        b: int = 2

    made: Any = B
    assert (made(1).b, made(1, 3).b, made(1, 3, 4).z) == (2, 3, 4)


def test_a_table_counts_every_variable_once() -> None:
    class Shared(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            layer = nn.Dense(3)
            return nn.Dense(2)(layer(layer(x)))

    calls, variables = summary.calls_of(Shared(), KEY, (X,), {}, nn.DenyList("intermediates"))
    assert [call.path for call in calls] == [(), ("Dense_0",), ("Dense_0",), ("Dense_1",)]
    text = Shared().tabulate(KEY, X, console_kwargs={"force_terminal": False, "width": 100})
    assert "Total Parameters: 20 (80 B)" in text
    assert variables["params"]["Dense_0"]["kernel"].shape == (3, 3)


def test_a_table_runs_no_compute_and_takes_shapes() -> None:
    text = nn.tabulate(nn.Dense(3), KEY, console_kwargs={"force_terminal": False, "width": 100}, compute_flops=True)(
        jax.ShapeDtypeStruct((2, 4), jnp.float32))
    assert "float32[2,4]" in text
    assert " 54 " in text  # 2 * 2 * 4 * 3 for the product, 2 * 3 for the bias


def test_names_on_a_mesh() -> None:
    rules = (("batch", "data"), ("embed", "model"), ("mlp", ("model", "x")))
    spec = nn.logical_to_mesh_axes(("mlp", "batch", None), rules)
    assert tuple(spec) == (("model", "x"), "data", None)
    with nn.logical_axis_rules(rules):
        assert tuple(nn.logical_to_mesh_axes(("embed", "mlp"))) == ("model", None)
    assert nn.with_logical_constraint(X, ("batch", "embed")) is X


@pytest.mark.parametrize("in_axes", [(0, None), (0, 0), 0])
def test_vmap_takes_arguments_that_are_none(in_axes: Any) -> None:
    class Rows(nn.Module):
        @nn.compact
        def __call__(self, x: Any, mask: Any = None) -> Any:
            assert mask is None
            return nn.Dense(3)(x)

    rows = nn.vmap(Rows, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=in_axes)()
    made = rows.init(random.key(0), jnp.ones((2, 4)), None)
    assert made["params"]["Dense_0"]["kernel"].shape == (2, 4, 3)


class _WithInitVar(nn.Module):
    wanted: dataclasses.InitVar[int] = 3

    def __post_init__(self, wanted: int) -> None:
        self.seen = wanted
        super().__post_init__()

    def __call__(self) -> int:
        return self.seen


def test_copies_get_what_only_init_sees() -> None:
    module: Any = _WithInitVar(7)
    assert module.apply({}) == module.clone().seen == 7
    assert module.copy(wanted=9).seen == 9


def test_a_lifted_scan_wants_pairs() -> None:
    class Step(nn.Module):
        def __call__(self, carry: Any, x: Any) -> Any:
            return carry

    with pytest.raises(ValueError, match="body of a lifted scan returned an array"):
        nn.scan(Step)().apply({}, jnp.ones(2), jnp.ones((4, 2)))


def test_static_arguments_of_remat_are_given_by_position() -> None:
    class Doubled(nn.Module):
        def __call__(self, x: Any, train: bool) -> Any:
            return 2 * x if train else x

    lifted = nn.remat(Doubled, static_argnums=(2,))()
    assert lifted.apply({}, 3.0, True) == 6.0
    with pytest.raises(ValueError, match="does not give by position"):
        lifted.apply({}, 3.0, train=True)
    with pytest.raises(TypeError) as caught:
        nn.remat(Doubled)().apply({}, 3.0, True, rngs={"dropout": jax.random.key(0)})
    assert "nn.remat(Doubled, static_argnums=(2,))" in [fix.code for fix in caught.value.report.fixes]  # type: ignore[attr-defined]


def test_a_name_may_be_declared_as_what_it_is() -> None:
    class Named(nn.Module):
        name: str | None = None

    assert Named().name is None
    assert Named(name="b").name == "b"


def test_a_parent_without_variables_and_loops_without_lengths_are_told() -> None:
    with pytest.raises(ValueError, match="bound to no variables"):
        nn.Dense(2, parent=nn.Dense(3))
    with pytest.raises(LiftError, match="no lengths"):
        nn.remat_scan(nn.Dense, lengths=())(3).init(jax.random.key(0), jnp.ones((1, 3)))
