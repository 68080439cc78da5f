"""Every example of the documentation page of `flax.errors`: the wrong ones raise what the page says, the right ones run."""
from __future__ import annotations

import functools
from typing import Any

import pytest

import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp
from perspicax import lax, random
from perspicax.flax import config, errors
from perspicax.flax.cursor import cursor
from perspicax.flax.linen import initializers

KEY = random.key(0)
X = jnp.ones((5, 5))


class Block(nn.Module):
    """A dense layer, as a compact module."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(features=10)(x)


def words(error: BaseException) -> str:
    return " ".join(str(error).split())


class TestApply:
    def test_a_method_that_the_module_lacks(self) -> None:
        with pytest.raises(errors.ApplyModuleInvalidMethodError) as caught:
            Block().apply({}, X, method="encode")
        assert caught.value.method == "encode"
        assert caught.value.module == "Block"

    @pytest.mark.parametrize("method", [3, lambda: 1])
    def test_a_method_that_is_no_function_of_a_module(self, method: Any) -> None:
        with pytest.raises(errors.ApplyModuleInvalidMethodError):
            Block().apply({}, X, method=method)

    def test_methods_by_name_by_value_and_as_functions(self) -> None:
        module, variables = Block(), Block().init(KEY, X)
        y = module.apply(variables, X)
        for method in ("__call__", Block.__call__, module.__call__, lambda bound, x: bound(x)):
            assert (module.apply(variables, X, method=method) == y).all()

    def test_a_layer_of_params_too_many(self) -> None:
        variables = Block().init(KEY, X)
        with pytest.raises(errors.ApplyScopeInvalidVariablesStructureError):
            Block().apply({"params": variables}, X)
        assert Block().apply({"params": variables["params"]}, X).shape == (5, 10)

    def test_the_first_argument_is_no_dict_of_variables(self) -> None:
        with pytest.raises(errors.ApplyScopeInvalidVariablesTypeError):
            Block().apply(X)

    def test_on_the_class(self) -> None:
        x = random.uniform(random.key(1), (2,))
        with pytest.raises(errors.InvalidInstanceModuleError) as caught:
            Block.init(KEY, x)
        assert caught.value.method == "init"
        with pytest.raises(errors.InvalidInstanceModuleError):
            Block.apply({}, x)
        with pytest.raises(errors.InvalidInstanceModuleError):
            Block.bind({})
        with pytest.raises(errors.InvalidInstanceModuleError):
            Block.init_with_output(KEY, x)


class TestSubmodules:
    def test_made_in_a_method_that_is_not_compact(self) -> None:
        class Foo(nn.Module):
            def setup(self) -> None:
                pass

            def __call__(self, x: Any) -> Any:
                conv = nn.Dense(features=3)
                return conv(x)

        with pytest.raises(errors.AssignSubModuleError) as caught:
            Foo().init(KEY, jnp.zeros((1,)))
        assert (caught.value.cls, caught.value.owner, caught.value.method) == ("Dense", "Foo", "__call__")

    def test_made_by_a_partial_of_setup(self) -> None:
        class Foo(nn.Module):
            def setup(self) -> None:
                self.dense = functools.partial(nn.Dense, features=3)

            def __call__(self, x: Any) -> Any:
                return self.dense(use_bias=False)(x)

        with pytest.raises(errors.AssignSubModuleError):
            Foo().init(KEY, jnp.zeros((1,)))

    def test_two_of_one_name(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                y = nn.Dense(features=3, name="bar")(x)
                return y + nn.Dense(features=3, name="bar")(x + 1)

        with pytest.raises(errors.NameInUseError) as caught:
            Foo().init(KEY, X)
        assert (caught.value.key_type, caught.value.value, caught.value.module_name) == ("submodule", "bar", "Foo")

    def test_shared_by_instance(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                dense = nn.Dense(features=5, name="bar")
                return dense(dense(x))

        assert list(Foo().init(KEY, X)["params"]) == ["bar"]

    def test_names_that_are_found(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                return Block()(Block()(x))

        assert sorted(Foo().init(KEY, X)["params"]) == ["Block_0", "Block_1"]

    def test_a_parameter_and_a_submodule_of_one_name(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                self.param("bar", initializers.zeros_init(), (1,))
                return nn.Dense(features=5, name="bar")(x)

        with pytest.raises(errors.NameInUseError):
            Foo().init(KEY, X)

    def test_variables_of_two_collections_and_one_name(self) -> None:
        # Flax 0.12.8 allows what its page forbids, and so do we: collections are kept apart.
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                self.param("mean", initializers.lecun_normal(), (2, 2))
                self.variable("stats", "mean", jnp.zeros, (2, 2))
                return x

        assert sorted(Foo().init(KEY, X)) == ["params", "stats"]

    def test_parameters_of_one_name(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                self.param("mean", initializers.ones_init(), (2,))
                self.param("mean", initializers.ones_init(), (2,))
                return x

        with pytest.raises(errors.NameInUseError) as caught:
            Foo().init(KEY, X)
        assert caught.value.key_type == "param"


class TestUnboundModules:
    def test_a_direct_call(self) -> None:
        test_dense = nn.Dense(10)
        with pytest.raises(errors.CallCompactUnboundModuleError):
            test_dense(X)
        variables = test_dense.init(KEY, X)
        assert test_dense.apply(variables, X).shape == (5, 10)

    def test_setup_called_directly(self) -> None:
        class MyModule(nn.Module):
            def setup(self) -> None:
                self.submodule = Block()

        module = MyModule()
        with pytest.raises(errors.CallSetupUnboundModuleError):
            module.setup()

        def get_submodule(module: Any) -> Any:
            return module.submodule.clone()

        empty_variables: dict[str, Any] = {}
        submodule = nn.apply(get_submodule, module)(empty_variables)
        assert isinstance(submodule, Block)
        assert submodule.scope is None

    def test_share_scope_at_the_top(self) -> None:
        class CustomDense(nn.Dense):
            def __call__(self, x: Any) -> Any:
                return super().__call__(x) + 1

        with pytest.raises(errors.CallShareScopeOnUnboundModuleError):
            nn.share_scope(CustomDense(5), nn.Dense(5))

    def test_share_scope_in_setup(self) -> None:
        class Custom(nn.Module):
            def setup(self) -> None:
                self.dense = nn.Dense(5)
                nn.share_scope(self, self.dense)

            def __call__(self, x: Any) -> Any:
                return self.dense(x) + 1

        variables = Custom().init(KEY, X)
        assert sorted(variables["params"]) == ["bias", "kernel"]
        assert (Custom().apply(variables, X) == nn.Dense(5).apply(variables, X) + 1).all()

    def test_unbind(self) -> None:
        module = Block()
        with pytest.raises(errors.CallUnbindOnUnboundModuleError):
            module.unbind()
        variables = module.init(KEY, X)
        unbound, found = module.bind(variables).unbind()
        assert unbound == module
        assert found == variables


class TestAttributes:
    def test_a_property_that_asks_in_vain(self) -> None:
        class Foo(nn.Module):
            @property
            def prop(self) -> Any:
                return self.non_existent_field

            def __call__(self, x: Any) -> Any:
                return self.prop

        with pytest.raises(errors.DescriptorAttributeError) as caught:
            Foo().init(KEY, jnp.ones((1, 8)))
        assert (caught.value.descriptor, caught.value.attribute) == ("prop", "non_existent_field")

    def test_a_post_init_that_forgets_the_inherited_one(self) -> None:
        class A(nn.Module):
            x: float

            def __post_init__(self) -> None:
                self.x_square = self.x ** 2

            @nn.compact
            def __call__(self, value: Any) -> Any:
                return value + 3

        with pytest.raises(errors.IncorrectPostInitOverrideError):
            A(x=3).init(KEY, jnp.ones(3))

    def test_a_post_init_that_calls_it(self) -> None:
        class A(nn.Module):
            x: float

            def __post_init__(self) -> None:
                self.x_square = self.x ** 2
                super().__post_init__()

            @nn.compact
            def __call__(self, value: Any) -> Any:
                return value + self.x_square

        assert A(x=3).apply({}, jnp.ones(3)).tolist() == [10, 10, 10]

    @pytest.mark.parametrize("name", ["parent", "name"])
    def test_a_field_of_a_reserved_name(self, name: str) -> None:
        with pytest.raises(errors.ReservedModuleAttributeError) as caught:
            type("Foo", (nn.Module,), {"__annotations__": {name: int}, name: 1})
        assert caught.value.annotations == {name: int}

    def test_an_attribute_set_outside_of_setup(self) -> None:
        class SomeModule(nn.Module):
            @nn.compact
            def __call__(self, x: Any, num_features: int = 10) -> Any:
                self.num_features = num_features
                return nn.Dense(self.num_features)(x)

        with pytest.raises(errors.SetAttributeFrozenModuleError) as caught:
            SomeModule().init(KEY, X)
        assert (caught.value.module_cls, caught.value.attr_name, caught.value.attr_val) == ("SomeModule", "num_features", 10)

    def test_an_attribute_of_a_submodule_set_in_setup(self) -> None:
        class Foo(nn.Module):
            def setup(self) -> None:
                self.dense = nn.Dense(features=10)
                self.dense.features = 20

            def __call__(self, x: Any) -> Any:
                return self.dense(x)

        with pytest.raises(errors.SetAttributeFrozenModuleError):
            Foo().init(KEY, X)

    def test_a_field_set_in_setup(self) -> None:
        class Foo(nn.Module):
            features: int = 6

            def setup(self) -> None:
                self.features = 3

            def __call__(self, x: Any) -> Any:
                return nn.Dense(self.features)(x)

        with pytest.raises(errors.SetAttributeInModuleSetupError) as caught:
            Foo().init(KEY, jnp.ones((1,)))
        assert (caught.value.module, caught.value.attr_name) == ("Foo", "features")

    def test_a_field_set_at_construction(self) -> None:
        class Foo(nn.Module):
            features: int = 6

            @nn.compact
            def __call__(self, x: Any) -> Any:
                return nn.Dense(self.features)(x)

        assert Foo(features=3).init(KEY, jnp.ones((1,)))["params"]["Dense_0"]["kernel"].shape == (1, 3)

    def test_several_compact_methods(self) -> None:
        def define() -> type[Any]:
            class Foo(nn.Module):
                @nn.compact
                def encode(self, x: Any) -> Any:
                    return nn.Dense(3)(x)

                @nn.compact
                def decode(self, x: Any) -> Any:
                    return nn.Dense(5)(x)

            return Foo

        assert define()().init(KEY, X, method="encode")["params"]["Dense_0"]["kernel"].shape == (5, 3)
        config.update("flax_single_compact", True)
        try:
            with pytest.raises(errors.MultipleMethodsCompactError) as caught:
                define()
        finally:
            config.update("flax_single_compact", False)
        assert caught.value.methods == ("decode", "encode")


class Bar(nn.Module):
    """A module that needs two streams of random keys."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        self.param("some_param", initializers.zeros_init(), (1,))
        noise = random.normal(self.make_rng("dropout"), (4,))
        return nn.Dense(features=4)(x) + noise


class Foo(nn.Module):
    """A module around it."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return Bar()(x)


class TestRandomKeys:
    def test_missing_in_apply(self) -> None:
        init_rngs = {"params": random.key(0), "dropout": random.key(1)}
        variables = Foo().init(init_rngs, X)
        with pytest.raises(errors.InvalidRngError) as caught:
            Foo().apply(variables, X)
        assert caught.value.name == "dropout"
        assert "Bar_0" in words(caught.value)
        assert Foo().apply(variables, X, rngs={"dropout": random.key(2)}).shape == (5, 4)

    def test_missing_in_init(self) -> None:
        with pytest.raises(errors.InvalidRngError) as caught:
            Foo().init({"dropout": random.key(0)}, X)
        assert caught.value.name == "params"

    def test_one_key_is_that_of_params(self) -> None:
        variables = Block().init(KEY, X)
        assert Block().apply(variables, X).shape == (5, 10)
        assert (Block().init({"params": KEY}, X)["params"]["Dense_0"]["kernel"]
                == variables["params"]["Dense_0"]["kernel"]).all()


class TestTransformations:
    def test_of_jax_around_a_module_in_a_module(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                return jax.jit(lambda a: nn.Dense(3)(a))(x)

        with pytest.raises(errors.JaxTransformError) as caught:
            Foo().init(KEY, X)
        assert caught.value.transform == "jit"

    def test_of_flax_in_its_place(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                return nn.jit(nn.Dense)(3)(x)

        assert Foo().init(KEY, X)["params"]["JitDense_0"]["kernel"].shape == (5, 3)

    def test_a_variable_set_within_one(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                total = self.variable("stats", "total", jnp.zeros, ())

                def step(a: Any) -> Any:
                    total.value = total.value + a.sum()
                    return a

                return jax.vmap(step)(x)

        with pytest.raises(errors.JaxTransformError) as caught:
            Foo().init(KEY, X)
        assert (caught.value.name, caught.value.action) == ("total", "set")

    def test_reading_and_drawing_keys_within_one(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                scale = self.param("scale", initializers.ones_init(), ())
                return jax.checkpoint(lambda a: a * scale + random.normal(self.make_rng("noise"), a.shape))(x)

        y, _ = Foo().init_with_output({"params": KEY, "noise": KEY}, X)
        assert y.shape == X.shape

    def test_the_target_is_an_instance(self) -> None:
        with pytest.raises(errors.TransformTargetError) as caught:
            nn.vmap(nn.Dense(5))(X)
        assert caught.value.transform == "vmap"

    def test_the_target_is_a_class_or_a_function(self) -> None:
        class BatchDense(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                return nn.vmap(lambda mdl, x: mdl(x), variable_axes={"params": 0},
                               split_rngs={"params": True})(nn.Dense(3), x)

        assert BatchDense().init(KEY, X)["params"]["Dense_0"]["kernel"].shape == (5, 5, 3)
        whole = nn.vmap(nn.Dense, variable_axes={"params": None}, split_rngs={"params": False})(3)
        assert whole.init(KEY, X)["params"]["kernel"].shape == (5, 3)

    def test_a_module_is_returned(self) -> None:
        class Foo(nn.Module):
            @nn.remat
            @nn.compact
            def __call__(self, x: Any) -> Any:
                return nn.Dense(3)

        with pytest.raises(errors.TransformedMethodReturnValueError) as caught:
            Foo().init(KEY, X)
        assert caught.value.name == "__call__"

    def test_an_axis_of_a_partitioned_variable_without_a_name(self) -> None:
        boxed = nn.with_partitioning(initializers.lecun_normal(), ("in", "out"))
        options: dict[str, Any] = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}
        with pytest.raises(errors.PartitioningUnspecifiedError):
            nn.vmap(nn.Dense, **options)(3, kernel_init=boxed).init(KEY, X)
        named = nn.vmap(nn.Dense, **options, metadata_params={nn.PARTITION_NAME: "heads"})(3, kernel_init=boxed)
        assert named.init(KEY, X)["params"]["kernel"].names == ("heads", "in", "out")


class TestLazyInit:
    def test_a_parameter_that_depends_on_the_input(self) -> None:
        class Foo(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                k = self.param("kernel", lambda _: x)
                return x * k

        with pytest.raises(errors.LazyInitError):
            Foo().lazy_init(KEY, jax.ShapeDtypeStruct((8, 4), jnp.float32))

    def test_shapes_are_enough(self) -> None:
        made = Block().lazy_init(KEY, jax.ShapeDtypeStruct((5, 5), jnp.float32))
        assert (made["params"]["Dense_0"]["kernel"] == Block().init(KEY, X)["params"]["Dense_0"]["kernel"]).all()


class Counter(nn.Module):
    """A module with a variable that it sets."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        mean = self.variable("batch_stats", "mean", jnp.zeros, ())
        mean.value = mean.value + x.mean()
        return x - mean.value


class TestVariables:
    def test_set_in_a_collection_that_is_not_mutable(self) -> None:
        v = Counter().init(KEY, X)
        with pytest.raises(errors.ModifyScopeVariableError) as caught:
            Counter().apply(v, X)
        assert (caught.value.col, caught.value.variable_name) == ("batch_stats", "mean")
        _, updates = Counter().apply(v, X, mutable=["batch_stats"])
        assert float(updates["batch_stats"]["mean"]) == 2

    def test_params_passed_without_their_name(self) -> None:
        variables = Block().init(KEY, X)
        with pytest.raises(errors.ScopeCollectionNotFound):
            Block().apply(variables["params"], X)
        assert Block().apply({"params": variables["params"]}, X).shape == (5, 10)

    def test_a_collection_of_a_wrong_name(self) -> None:
        with pytest.raises(errors.ScopeCollectionNotFound) as caught:
            Counter().apply({"batch_stat": {"mean": jnp.zeros(())}}, X)
        assert "'batch_stat' was passed: did you mean 'batch_stats'?" in words(caught.value)

    def test_a_collection_that_is_made_in_apply(self) -> None:
        _, made = Counter().apply({}, X, mutable=["batch_stats"])
        assert float(made["batch_stats"]["mean"]) == 1

    def test_a_variable_that_cannot_be_made(self) -> None:
        with pytest.raises(errors.ScopeVariableNotFoundError) as caught:
            Counter().apply({"batch_stats": {"meen": jnp.zeros(())}}, X)
        assert (caught.value.name, caught.value.known) == ("mean", ("meen",))

    def test_a_parameter_of_another_name(self) -> None:
        class Embed(nn.Module):
            num_embeddings: int
            features: int

            @nn.compact
            def __call__(self, inputs: Any, embed_name: str = "embedding") -> Any:
                inputs = inputs.astype("int32")
                embedding = self.param(embed_name, initializers.lecun_normal(), (self.num_embeddings, self.features))
                return embedding[inputs]

        model = Embed(4, 8)
        variables = model.init(KEY, jnp.ones((5, 5, 1)))
        assert model.apply(variables, jnp.ones((5, 5, 1))).shape == (5, 5, 1, 8)
        with pytest.raises(errors.ScopeParamNotFoundError) as caught:
            model.apply(variables, jnp.ones((5, 5, 1)), "embed")
        assert (caught.value.param_name, caught.value.known) == ("embed", ("embedding",))

    def test_a_parameter_of_another_shape(self) -> None:
        class NoBiasDense(nn.Module):
            features: int = 8

            @nn.compact
            def __call__(self, x: Any) -> Any:
                kernel = self.param("kernel", initializers.lecun_normal(), (x.shape[-1], self.features))
                return lax.dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))

        variables = NoBiasDense().init(KEY, jnp.ones((5, 5, 1)))
        assert NoBiasDense().apply(variables, jnp.ones((2, 1))).shape == (2, 8)
        with pytest.raises(errors.ScopeParamShapeError) as caught:
            NoBiasDense().apply(variables, jnp.ones((5, 5)))
        assert (caught.value.value_shape, caught.value.init_shape) == ((1, 8), (5, 8))


class TestCursors:
    def test_find_with_several_places(self) -> None:
        with pytest.raises(errors.CursorFindError) as caught:
            cursor({"a": 1, "b": 1}).find(lambda path, value: value == 1)
        assert len(caught.value.paths) == 2

    def test_find_with_none(self) -> None:
        with pytest.raises(errors.CursorFindError):
            cursor({"a": 1}).find(lambda path, value: value == 2)
        assert cursor({"a": 1, "b": 2}).find(lambda path, value: value == 2).set(5) == {"a": 1, "b": 5}
