"""Modules and their transformations against Flax: the same program, run by both."""
from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import perspicax
import perspicax.flax.linen as our_linen
import perspicax.numpy as our_numpy
from perspicax import random as our_random

pytestmark = pytest.mark.oracle

jax = pytest.importorskip("jax")
linen = pytest.importorskip("flax.linen")

OURS = SimpleNamespace(nn=our_linen, jnp=our_numpy, jax=perspicax, random=our_random)
THEIRS = SimpleNamespace(nn=linen, jnp=jax.numpy, jax=jax, random=jax.random)
MAPPED: dict[str, Any] = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}

Program = Callable[[Any], Any]
PROGRAMS: list[Program] = []


def program(fn: Program) -> Program:
    """Enter a program: it takes the namespace of a library, and returns a tree of arrays."""
    PROGRAMS.append(fn)
    return fn


def flat(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a tree of dicts, lists and tuples by path."""
    if isinstance(tree, (list, tuple)):
        tree = dict(enumerate(tree))
    if hasattr(tree, "items"):
        return {f"/{key}{path}": leaf for key, inner in tree.items() for path, leaf in flat(inner).items()}
    return {"": np.asarray(tree)}


def init_and_apply(of: Any, module: Any, x: Any, **options: Any) -> Any:
    rngs = {"params": of.random.key(0), "noise": of.random.key(1)}
    variables = module.init(rngs, x)
    return variables, module.apply(variables, x, rngs={"noise": of.random.key(2)}, **options)


@program
def transformed_methods_that_call_each_other(of: Any) -> Any:
    nn = of.nn

    class Net(nn.Module):
        def setup(self) -> None:
            self.dense = nn.Dense(2)

        def __call__(self, x: Any) -> Any:
            return self.once(x) * 2

        def once(self, x: Any) -> Any:
            return self.dense(x) + x.ndim + (type(self).__name__ == "Net")

    class Below(nn.remat(Net)):
        def once(self, x: Any) -> Any:
            return self.dense(x) * 100

    mapped = nn.vmap(Net, methods=["__call__", "once"], **MAPPED)
    return [init_and_apply(of, made(), of.jnp.arange(12.0).reshape(3, 4)) for made in (mapped, Below)]


@program
def submodules_in_attributes(of: Any) -> Any:
    nn = of.nn

    class Net(nn.Module):
        given: nn.Module
        several: Any

        def setup(self) -> None:
            self.named = {"a": nn.Dense(2), "b": [nn.Dense(3), nn.Dense(4)]}
            self.scale = self.param("scale", nn.initializers.ones_init(), (1,))

        def __call__(self, x: Any) -> Any:
            for layer in (self.named["a"], *self.named["b"], *self.several, self.given, self.given):
                x = layer(x)
            return x * self.scale

    return init_and_apply(of, Net(nn.Dense(5, name="own"), [nn.Dense(3), nn.Dense(5)]), of.jnp.ones((1, 2)))


@program
def automatic_names_and_keys(of: Any) -> Any:
    nn = of.nn

    class Inner(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            noise = of.random.normal(self.make_rng("noise"), x.shape) + of.random.normal(self.make_rng("noise"), x.shape)
            return nn.Dense(3)(nn.Dense(3, name="first")(x)) + noise

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            inner = Inner()
            return inner(inner(x)) + Inner()(x)

    return init_and_apply(of, Net(), of.jnp.ones((2, 3)))


@program
def state_intermediates_and_perturbations(of: Any) -> Any:
    nn = of.nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            count = self.variable("state", "count", lambda: of.jnp.zeros(()))
            if not self.is_initializing():
                count.value += x.sum()
            for _ in range(2):
                x = nn.Dense(3)(x)
                self.sow("intermediates", "h", x)
            return self.perturb("p", x)

    x = of.jnp.ones((2, 3))
    variables = Net().init(of.random.key(0), x)
    return variables, Net().apply(variables, x, mutable=["state"], capture_intermediates=True)


@program
def a_name_for_each_method(of: Any) -> Any:
    nn = of.nn

    class Net(nn.Module):
        @nn.compact_name_scope
        def up(self, x: Any) -> Any:
            return nn.Dense(3)(x)

        @nn.compact_name_scope
        def down(self, x: Any) -> Any:
            return nn.Dense(2)(nn.Dense(4)(x))

        def __call__(self, x: Any) -> Any:
            return self.down(self.up(x))

    return init_and_apply(of, Net(), of.jnp.ones((1, 2)))


@program
def a_shared_scope(of: Any) -> Any:
    nn = of.nn

    class Net(nn.Module):
        def setup(self) -> None:
            self.dense = nn.Dense(5)
            nn.share_scope(self, self.dense)

        def __call__(self, x: Any) -> Any:
            return self.dense(x) + 1

    class Outer(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return Net()(x)

    return init_and_apply(of, Outer(), of.jnp.ones((1, 2)))


@program
def vmap_of_classes_methods_and_functions(of: Any) -> Any:
    nn = of.nn

    class Mapped(nn.Module):
        def setup(self) -> None:
            self.dense = nn.Dense(3)

        @functools.partial(nn.vmap, **MAPPED)
        def __call__(self, x: Any) -> Any:
            return self.dense(x)

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.vmap(nn.Dense, **MAPPED)(3)(x)
            x = nn.vmap(lambda module, x: nn.Dense(3)(x), **MAPPED)(self, x)
            shared = nn.Dense(3)
            x = nn.vmap(lambda module, x, other: module(other(x)), in_axes=(0, None), **MAPPED)(nn.Dense(3), x, shared)
            return Mapped()(x)

    return init_and_apply(of, Net(), of.jnp.ones((2, 3)))


@program
def scan_with_state_and_keys(of: Any) -> Any:
    nn = of.nn

    class Cell(nn.Module):
        @nn.compact
        def __call__(self, carry: Any, x: Any) -> Any:
            carry = nn.Dense(3)(carry) + of.random.normal(self.make_rng("noise"), (3,))
            self.sow("intermediates", "carry", carry)
            return carry + x, carry

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            steps = nn.scan(Cell, variable_broadcast="params", variable_axes={"intermediates": 0},
                            split_rngs={"params": False, "noise": True}, in_axes=1, out_axes=1)
            layers = nn.scan(Cell, **{**MAPPED, "split_rngs": {"params": True, "noise": True}}, length=2, in_axes=nn.broadcast)
            carry, y = steps(name="steps")(x[:, 0], x)
            return y, layers()(carry, x[:, 0])

    return init_and_apply(of, Net(), of.jnp.ones((2, 2, 3)), mutable="intermediates")


@program
def stages(of: Any) -> Any:
    nn = of.nn

    class Noisy(nn.Module):
        @nn.jit
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(3)(x) + of.random.normal(self.make_rng("noise"), x.shape)

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            for _ in range(2):
                x = Noisy()(x)
            x = nn.remat(nn.Dense)(3)(x)
            x = nn.fold_rngs(nn.Dense)(3)(x)
            x = nn.remat_scan(nn.Dense, lengths=(2, 2))(3)(x)
            return nn.Dense(3)(x)

    return init_and_apply(of, Net(), of.jnp.ones((2, 3)))


@program
def variables_that_are_mapped(of: Any) -> Any:
    nn = of.nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            def scaled(factor: float) -> Any:
                return lambda variables: of.jax.tree.map(lambda leaf: leaf * factor, variables)

            twice = nn.map_variables(nn.Dense, "params", trans_in_fn=scaled(2.0), trans_out_fn=scaled(0.5), init=True,
                                     mutable=True)
            return twice(3)(x)

    return init_and_apply(of, Net(), of.jnp.ones((2, 3)))


@program
def derivatives(of: Any) -> Any:
    nn, jnp = of.nn, of.jnp

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            dense = nn.Dense(3)
            y = dense(x)
            _, pullback = nn.vjp(lambda module, x: module(x), dense, x)
            gradients, aux = nn.grad(lambda module, x: ((module(x) ** 2).sum(), x.sum()), dense, x, has_aux=True)
            tangents = of.jax.tree.map(jnp.ones_like, dense.variables["params"])
            moved = nn.jvp(lambda module, x: module(x), dense, (x,), (x,), {"params": tangents})

            def forward(module: Any, x: Any) -> Any:
                return nn.vjp(lambda module, x: module(x), module, x)

            def backward(pullback: Any, cotangent: Any) -> Any:
                of_variables, *others = pullback(cotangent)
                return of.jax.tree.map(jnp.sign, of_variables), *others

            signs = nn.custom_vjp(lambda module, x: module(x), forward, backward)(nn.Dense(2, name="signs"), x)
            return pullback(y), gradients, aux, moved, signs

    x = jnp.arange(6.0).reshape(2, 3)
    variables = Net().init(of.random.key(0), x)
    return Net().apply(variables, x), of.jax.grad(lambda v: Net().apply(v, x)[-1].sum())(variables)


@program
def control_flow(of: Any) -> Any:
    nn, jnp = of.nn, of.jnp

    class Net(nn.Module):
        def setup(self) -> None:
            self.heads = [nn.Dense(3), nn.Dense(3)]
            self.count = self.variable("state", "count", lambda: jnp.zeros(()))

        def __call__(self, x: Any) -> Any:
            branches = [lambda module, x: module.heads[0](x), lambda module, x: module.heads[1](x) * 2]
            if self.is_initializing():
                for branch in branches:
                    branch(self, x)
            y = nn.switch(1, branches, self, x)
            z = nn.cond(False, branches[0], branches[1], self, x)

            def body(module: Any, carry: Any) -> Any:
                module.count.value += 1
                return carry * 2

            last = nn.while_loop(lambda module, carry: module.count.value < 3, body, self, jnp.ones(()),
                                 carry_variables="state")
            return y, z, last

    x = of.jnp.ones((2, 3))
    variables = Net().init(of.random.key(0), x)
    return variables, Net().apply({**variables, "state": {"count": jnp.zeros(())}}, x, mutable="state")


@program
def interceptors(of: Any) -> Any:
    nn = of.nn
    seen = []

    def outer(method: Any, args: Any, kwargs: Any, context: Any) -> Any:
        seen.append(f"outer {type(context.module).__name__} {context.method_name} {context.module.path}")
        return method(*args, **kwargs) * 2

    def inner(method: Any, args: Any, kwargs: Any, context: Any) -> Any:
        seen.append(f"inner {context.module.name}")
        return method(*args, **kwargs) + 1

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(3)(x)

    with nn.intercept_methods(outer), nn.intercept_methods(inner):
        result = init_and_apply(of, Net(), of.jnp.ones((2, 3)))
    return result, [np.frombuffer(text.encode(), dtype="uint8") for text in seen]


@pytest.mark.parametrize("run", PROGRAMS, ids=lambda run: run.__name__)
def test_both_make_the_same_variables_and_results(run: Program) -> None:
    ours, theirs = flat(run(OURS)), flat(run(THEIRS))
    assert list(ours) == list(theirs)
    for path, value in theirs.items():
        assert (ours[path].shape, ours[path].dtype) == (value.shape, value.dtype), path
        # A dense layer of 3 sums 3 products, at most five layers deep: some ten roundings of values up to about 10.
        np.testing.assert_allclose(ours[path], value, rtol=2e-5, atol=2e-5, err_msg=path)


def test_signatures_of_subclasses() -> None:
    import inspect

    def parameters(nn: Any) -> Any:
        base = type("Base", (nn.Module,), {"__annotations__": {"a": int, "b": float}, "b": 2.0})
        derived = type("Derived", (base,), {"__annotations__": {"c": str}, "c": "x"})
        by_keyword = type(nn.Module)("ByKeyword", (nn.Module,), {"__annotations__": {"a": int, "b": int}, "a": 1}, kw_only=True)
        after = type("After", (by_keyword,), {"__annotations__": {"c": int}})
        return [[(each.name, each.kind) for each in inspect.signature(cls).parameters.values()]
                for cls in (base, derived, by_keyword, after)]

    assert parameters(our_linen) == parameters(linen)


def test_module_paths() -> None:
    def paths(of: Any) -> list[str]:
        net = of.nn.Sequential([of.nn.Dense(3), of.nn.Dense(3)])
        return list(net.module_paths(of.random.key(0), of.jnp.ones((2, 3))))

    assert paths(OURS) == paths(THEIRS) == ["", "layers_0", "layers_1"]


def test_tables() -> None:
    def table(of: Any) -> str:
        net = of.nn.Sequential([of.nn.Dense(3), of.nn.Dense(3)])
        return net.tabulate(of.random.key(0), of.jnp.ones((2, 3)), console_kwargs={"width": 120, "force_terminal": False})

    assert table(OURS) == table(THEIRS)


def test_helpers_and_setup_in_tables_and_before_interceptors() -> None:
    def seen(of: Any) -> tuple[list[str], list[str]]:
        class Net(of.nn.Module):  # type: ignore[misc]
            def setup(self) -> None:
                self.dense = of.nn.Dense(3)

            def __call__(self, x: Any) -> Any:
                return self.helper(self.dense(x))

            def helper(self, x: Any) -> Any:
                return of.nn.relu(x)

        calls: list[str] = []

        def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            calls.append(f"{type(context.module).__name__}.{context.method_name}")
            return call(*args, **kwargs)

        shape = of.jnp.ones((2, 3))
        table = Net().tabulate(of.random.key(0), shape, console_kwargs={"width": 120, "force_terminal": False})
        with of.nn.intercept_methods(note):
            of.jax.eval_shape(lambda: Net().init(of.random.key(0), shape))
        return table.splitlines(), calls

    assert seen(OURS) == seen(THEIRS)
    assert seen(OURS)[1] == ["Net.setup", "Net.__call__", "Dense.__call__", "Net.helper"]


def test_operations_are_counted_as_flax_counts_them() -> None:
    def counts(of: Any) -> list[str]:
        nn = of.nn
        net = nn.Sequential([nn.Conv(3, (3, 3)), nn.LayerNorm(), nn.Dense(2),
                             lambda x: x[:, 0], nn.remat(nn.MultiHeadDotProductAttention)(2)])
        cell = nn.RNN(nn.GRUCell(2))
        tables = [module.tabulate(of.random.key(0), of.jnp.ones(shape), compute_flops=True, compute_vjp_flops=vjp,
                                  console_kwargs={"width": 160, "force_terminal": False})
                  for module, shape, vjp in ((net, (1, 4, 4, 2), True), (cell, (1, 3, 2), False))]
        return [line for table in tables for line in table.splitlines()]

    ours = counts(OURS)
    assert ours == counts(THEIRS)
    assert any("GRUCell" in line for line in ours)
