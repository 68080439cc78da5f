"""Flax's core beside the real one: the same trees, the same random values, the same classes of errors."""
from __future__ import annotations

import collections
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import flax
import flax.core
import flax.cursor
import flax.struct
import flax.traverse_util
import jax
import numpy as np
import pytest

import perspicax
import perspicax.flax
import perspicax.flax.core
import perspicax.flax.cursor
from perspicax import random as our_random

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Flax's own


class Side(NamedTuple):
    """The modules of one implementation."""

    jax: ModuleType
    jnp: ModuleType
    random: ModuleType
    flax: ModuleType
    core: ModuleType

    @property
    def lift(self) -> Any:
        return self.core.lift

    @property
    def meta(self) -> Any:
        return self.core.meta

    @property
    def rngs(self) -> dict[str, Any]:
        return {"params": self.random.key(1), "dropout": self.random.key(2)}


OURS = Side(perspicax, perspicax.numpy, our_random, perspicax.flax, perspicax.flax.core)
THEIRS = Side(jax, jax.numpy, jax.random, flax, flax.core)


def plain(side: Side, value: Any) -> Any:
    """A result as nested tuples of plain values, equal for equal results of the two sides."""
    if isinstance(value, side.core.FrozenDict):
        return "FrozenDict", [(key, plain(side, value[key])) for key in value]
    if isinstance(value, dict):
        return type(value).__name__, [(key, plain(side, inner)) for key, inner in value.items()]
    if isinstance(value, side.meta.Partitioned):
        return "Partitioned", value.names, plain(side, value.value)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(side, inner) for inner in value]
    if hasattr(value, "dtype"):
        if side.jax.dtypes.issubdtype(value.dtype, side.jax.dtypes.prng_key):
            value = side.random.key_data(value)
        array = np.asarray(value)
        return str(array.dtype), array.shape, (array + 0.0 if array.dtype.kind == "f" else array).round(4).tolist()
    return value


def outcome(side: Side, program: Callable[[Side], Any]) -> Any:
    try:
        return plain(side, program(side))
    except Exception as error:  # whatever it raises is compared
        names = [cls.__name__ for cls in type(error).__mro__]
        return next(name for name in names if name in dir(flax.errors) or name in _BUILTIN)


_BUILTIN = ("ValueError", "TypeError", "KeyError", "IndexError", "AttributeError", "LookupError", "NotImplementedError")


def body(side: Side, scope: Any, x: Any) -> Any:
    w = scope.param("w", lambda key, n: side.random.normal(key, (n,)), x.shape[-1])
    drawn = scope.make_rng("dropout")
    total = scope.variable("state", "total", lambda: side.jnp.zeros(()))
    total.value = total.value + x.sum()
    return x * w, side.random.key_data(drawn)


SPLIT = {"params": True, "dropout": True}


def lifted(transform: Callable[[Side, Callable[..., Any]], Callable[..., Any]], push: bool) -> Callable[[Side], Any]:
    """`init`, then `apply`, of a function that draws keys before, in and after a transformed one."""
    def program(side: Side) -> Any:
        x = side.jnp.arange(6.0).reshape(2, 3)

        def whole(scope: Any, x: Any) -> Any:
            before = side.random.key_data(scope.make_rng("dropout"))
            inside = transform(side, lambda scope, x: body(side, scope, x))(scope.push("in") if push else scope, x)
            return before, inside, side.random.key_data(scope.make_rng("dropout")), scope.make_rng("params")

        _, variables = side.core.init(whole)(side.rngs, x)
        again = side.core.apply(whole, mutable=["state"])(variables, x, rngs=side.rngs)
        return variables, again

    return program


def stepped(f: Callable[..., Any]) -> Callable[..., Any]:
    """A body of `scan`."""
    def step(scope: Any, carry: Any, x: Any) -> Any:
        y, drawn = f(scope, x)
        return carry + y, (drawn, y)

    return step


def scanned(**options: Any) -> Callable[[Side, Callable[..., Any]], Callable[..., Any]]:
    def transform(side: Side, f: Callable[..., Any]) -> Callable[..., Any]:
        loop = side.lift.scan(stepped(f), **options)
        return lambda scope, x: loop(scope, side.jnp.zeros(3), x)

    return transform


def jitted(side: Side, f: Callable[..., Any]) -> Callable[..., Any]:
    staged = side.lift.jit(lambda scope, _, x: f(scope, x))
    return lambda scope, x: (staged(scope, ("key", id(staged)), x))


def differentiated(kind: str) -> Callable[[Side, Callable[..., Any]], Callable[..., Any]]:
    def transform(side: Side, f: Callable[..., Any]) -> Callable[..., Any]:
        def loss(scope: Any, x: Any) -> Any:
            return (f(scope, x)[0] ** 2).sum()

        def run(scope: Any, x: Any) -> Any:
            if kind == "vjp":
                y, pullback = side.lift.vjp(loss, scope, x)
                return y, pullback(side.jnp.ones(()))
            if kind == "value_and_grad":
                return side.lift.value_and_grad(loss, scope, x)
            return side.lift.jvp(loss, scope, (x,), (x + 1,), {})

        return run

    return transform


LIFTED: dict[str, Callable[[Side, Callable[..., Any]], Callable[..., Any]]] = {
    "nothing": lambda side, f: f,
    "vmap": lambda side, f: side.lift.vmap(f, {"params": 0, "state": 0}, SPLIT),
    "vmap shared": lambda side, f: side.lift.vmap(f, {"params": None, "state": 0}, {"params": False, "dropout": True}),
    "vmap other axes": lambda side, f: side.lift.vmap(f, {True: 0, "params": 1}, {True: True}, in_axes=1, out_axes=(1, 0)),
    "vmap without a collection": lambda side, f: side.lift.vmap(f, {"params": 0}, SPLIT),
    "jit": jitted,
    "remat": lambda side, f: side.lift.remat(f),
    "scan": scanned(variable_axes={"params": 0, "state": 0}, split_rngs=SPLIT),
    "scan reversed": scanned(variable_axes={"params": 1, "state": 0}, split_rngs=SPLIT, reverse=True),
    "scan without keys": scanned(variable_axes={"state": 0}, variable_broadcast="params", split_rngs={"dropout": False}),
    "scan with a changing constant": scanned(variable_broadcast=["params", "state"],
                                             split_rngs={"params": False, "dropout": True}),
    "fold_rngs": lambda side, f: lambda scope, x: side.lift.fold_rngs(lambda s, _, x: f(s, x))(scope, ("key", id(f)), x),
    "vjp": differentiated("vjp"),
    "value_and_grad": differentiated("value_and_grad"),
    "jvp": differentiated("jvp"),
}


CASES = [(name, True) for name in LIFTED] + [(name, False) for name in ("nothing", "vmap", "jit", "scan")]


@pytest.mark.parametrize(("name", "push"), CASES, ids=[f"{name}{'' if push else ', same scope'}" for name, push in CASES])
def test_a_lifted_transformation_makes_the_same_variables_and_keys(name: str, push: bool) -> None:
    program = lifted(LIFTED[name], push)
    assert outcome(OURS, program) == outcome(THEIRS, program)


def branches(side: Side) -> Any:
    def up(scope: Any, x: Any) -> Any:
        scope.variable("state", "n", lambda: side.jnp.zeros(())).value += 1
        return x * scope.param("w", lambda key: side.random.normal(key, (3,)))

    def down(scope: Any, x: Any) -> Any:
        scope.variable("state", "n", lambda: side.jnp.zeros(())).value -= 1
        return -x * scope.param("w", lambda key: side.random.normal(key, (3,)))

    def whole(scope: Any, x: Any) -> Any:
        return (side.lift.cond(x.sum() > 0, up, down, scope, x), side.lift.cond(x.sum() < 0, up, down, scope.push("a"), x),
                side.lift.switch(1, [up, down, up], scope.push("b"), x))

    return side.core.init(whole)(side.rngs, side.jnp.ones(3))


def while_loop(side: Side) -> Any:
    def step(scope: Any, carry: Any) -> Any:
        scope.variable("state", "n", lambda: 0).value += 1
        return carry + scope.param("w", lambda key: side.jnp.zeros(3)) + side.random.normal(scope.make_rng("dropout"), (3,))

    def whole(scope: Any) -> Any:
        scope.variable("state", "n", lambda: side.jnp.zeros(()))
        scope.param("w", lambda key: side.random.normal(key, (3,)))
        return side.lift.while_loop(lambda scope, carry: scope.get_variable("state", "n") < 4, step, scope, side.jnp.zeros(3),
                                    carry_variables="state", broadcast_variables="params", split_rngs={"dropout": True})

    return side.core.init(whole)(side.rngs)


def custom_rule(side: Side) -> Any:
    def f(scope: Any, x: Any) -> Any:
        return body(side, scope, x)[0].sum()

    def backward(residuals: Any, cotangent: Any) -> Any:
        of_variables, of_x = residuals(cotangent)
        return side.jax.tree.map(side.jnp.sign, of_variables), of_x

    whole = side.lift.custom_vjp(f, lambda scope, x: side.lift.vjp(f, scope, x), backward)
    x = side.jnp.arange(3.0)
    y, variables = side.core.init(whole)(side.rngs, x)

    def loss(params: Any) -> Any:
        return side.core.apply(whole, mutable=["state"])({**variables, "params": params}, x, rngs=side.rngs)[0]

    return y, variables, side.jax.grad(loss)(variables["params"])


def mapped_variables(side: Side) -> Any:
    def doubled(own: Any) -> Any:
        return side.jax.tree.map(lambda w: w * 2, own)

    def halved(own: Any) -> Any:
        return side.jax.tree.map(lambda w: w / 2, own)

    def whole(scope: Any, x: Any) -> Any:
        made = side.lift.map_variables(lambda scope, x: body(side, scope, x), "params", doubled, halved,
                                       init=scope.is_mutable_collection("params"))
        return made(scope, x), side.random.key_data(scope.make_rng("dropout"))

    x = side.jnp.arange(3.0)
    result, variables = side.core.init(whole)(side.rngs, x)
    return result, variables, side.core.apply(whole, mutable="state")(variables, x, rngs=side.rngs)


def remat_scan(side: Side) -> Any:
    def step(scope: Any, carry: Any) -> Any:
        return carry * scope.param("w", lambda key: side.random.normal(key, (3,)))

    return side.core.init(side.lift.remat_scan(step, lengths=(2, 2)))(side.rngs, side.jnp.ones(3))


def boxes(side: Side) -> Any:
    boxed = side.meta.with_partitioning(lambda key: side.random.normal(key, (3,)), ("a",))
    named = {side.meta.PARTITION_NAME: "l"}

    def f(scope: Any, x: Any) -> Any:
        return scope.param("w", boxed) * x

    mapped = side.lift.vmap(f, {"params": 1}, SPLIT, metadata_params=named)
    result, variables = side.core.init(mapped)(side.rngs, side.jnp.ones((2, 3)))
    again = side.core.apply(mapped)(variables, side.jnp.ones((2, 3)))
    box = variables["params"]["w"]
    return (result, variables, again, box.add_axis(0, named).names, box.add_axis(-1, named).names,
            box.add_axis(4, named).names, box.remove_axis(1, named).names, side.meta.unbox(variables))


def lazily(side: Side) -> Any:
    def dense(scope: Any, x: Any) -> Any:
        return x @ scope.param("w", lambda key, shape: side.random.normal(key, shape), (x.shape[-1], 2))

    return side.core.lazy_init(dense)(side.random.key(0), side.jax.ShapeDtypeStruct((3, 4), np.float32))


PROGRAMS: dict[str, Callable[[Side], Any]] = {f.__name__: f for f in (
    branches, while_loop, custom_rule, mapped_variables, remat_scan, boxes, lazily)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_the_same(name: str) -> None:
    assert outcome(OURS, PROGRAMS[name]) == outcome(THEIRS, PROGRAMS[name])


def test_keys_of_scopes_are_the_same() -> None:
    def drawn(side: Side) -> Any:
        scope = side.core.Scope({}, side.rngs, mutable=True)
        inner = scope.push("foo")
        draws = [scope.make_rng(), scope.make_rng("dropout"), scope.make_rng("else"), inner.make_rng(),
                 inner.make_rng("dropout"), scope.push("foo", reuse=True).make_rng(),
                 scope.push("foo", reuse=True).push("bar").make_rng(),
                 scope.rewound().make_rng(), scope.make_rng(), scope.rewound(rewind_rngs=True).make_rng(),
                 scope.push(prefix="Dense_").make_rng(), scope.push(prefix="Dense_").make_rng()]
        return [side.random.key_data(key) for key in draws]

    assert plain(OURS, drawn(OURS)) == plain(THEIRS, drawn(THEIRS))


def test_the_separator_of_names_folds_the_same() -> None:
    def drawn(side: Side) -> Any:
        with side.flax.config.temp_flip_flag("fix_rng_separator", True):
            return side.random.key_data(side.core.Scope({}, side.rngs).push("a").push("bc").make_rng())

    assert plain(OURS, drawn(OURS)) == plain(THEIRS, drawn(THEIRS))


FILTERS = ("True", "False", "'a'", "('a', 'b')", "{'b', 'c'}", "DenyList('a')", "DenyList(('b', 'c'))", "DenyList(True)", "[]")


@pytest.mark.parametrize("operation", ["union_filters", "intersect_filters", "subtract_filters"])
def test_filters_accept_the_same_names(operation: str) -> None:
    def table(side: Side) -> Any:
        made = [eval(text, {"DenyList": side.core.DenyList}) for text in FILTERS]
        scope = side.core.scope
        return [[scope.in_filter(getattr(scope, operation)(a, b), name) for name in "abcd"]
                for a, b in itertools.product(made, made)]

    assert table(OURS) == table(THEIRS)


def scope_errors(side: Side) -> dict[str, Callable[[Side], Any]]:
    core, w = side.core, side.jnp.ones(3)
    given = {"params": {"w": w}, "state": {}}
    bound = core.bind(given)

    def ended() -> Any:
        scope = core.bind(given)
        scope.invalidate()
        return scope

    scope = core.Scope({}, side.rngs, mutable=True)
    scope.param("w", lambda key: 1)
    return {
        "no parameter": lambda _: bound.param("v", lambda key: w),
        "no collection": lambda _: bound.variable("stats", "v", lambda: w),
        "empty collection": lambda _: bound.variable("state", "v", lambda: w),
        "no variable": lambda _: bound.variable("params", "v", lambda: w),
        "immutable": lambda _: bound.put_variable("params", "w", w),
        "shape": lambda _: bound.param("w", lambda key: side.jnp.ones(4)),
        "no key": lambda _: bound.make_rng("dropout"),
        "ended": lambda _: ended().push("a"),
        "taken parameter": lambda _: scope.param("w", lambda key: 1),
        "taken scope": lambda _: scope.push("w"),
        "name": lambda _: scope.reserve(3),
        "filter": lambda _: core.scope.in_filter(3, "a"),
        "layer": lambda _: core.apply(lambda s: 1)({"params": {"params": {}}}),
        "no dicts": lambda _: core.apply(lambda s: 1)({"params": 3}),
        "no key at all": lambda _: core.init(lambda s: 1)("key"),
        "no name of the axis": lambda _: core.meta.Partitioned(w, ("a",)).add_axis(0, {}),
        "lazy": lambda _: core.lazy_init(lambda s, x: s.param("w", lambda key: x))(
            side.random.key(0), side.jax.ShapeDtypeStruct((2,), np.float32)),
        "frozen": lambda _: core.FrozenDict({"a": 1}).__setitem__("a", 2),
        "option": lambda _: side.flax.config.update("nope", True),
    }


@pytest.mark.parametrize("name", scope_errors(THEIRS))
def test_mistakes_raise_the_same_classes(name: str) -> None:
    found, wanted = outcome(OURS, scope_errors(OURS)[name]), outcome(THEIRS, scope_errors(THEIRS)[name])
    if name == "no key at all":  # Flax raises a ValueError; ours is that and an InvalidRngError
        assert (found, wanted) == ("InvalidRngError", "ValueError")
    elif name.startswith("taken"):
        assert (found, wanted) == ("NameInUseError", "ValueError")
    else:
        assert found == wanted


def test_orders_of_frozen_and_thawed_dicts_are_the_same() -> None:
    def program(side: Side) -> Any:
        d = {"b": {"z": 1, "y": 2}, "a": 2}
        frozen = side.core.freeze(d)
        return (frozen, side.core.unfreeze(frozen), side.core.unfreeze(d), frozen.copy({"0": 1}), frozen.pop("a"),
                side.core.copy(d, {"0": 1}), side.core.pop(d, "a"), side.jax.tree.leaves(frozen), repr(frozen),
                side.core.pretty_repr(d, 2), [str(path) for path, _ in side.jax.tree_util.tree_leaves_with_path(frozen)])

    assert plain(OURS, program(OURS)) == plain(THEIRS, program(THEIRS))


Point = collections.namedtuple("Point", "x y")
TREE = {"a": [1, 2, {"z": 5}], "b": (3, 4), "p": Point(1, 2), "e": {}}
T = "side.flax.traverse_util.t_identity"
EXPRESSIONS = [
    f"list({T}['a'].each().iterate(TREE))", f"{T}['a'][0].set([7], TREE)", f"{T}['b'].each().set([7], TREE)",
    f"list({T}.tree().iterate(TREE))", f"{T}.tree().filter(lambda v: v > 2).update(lambda v: -v, TREE)",
    f"{T}['p'].x.update(lambda v: v + 1, TREE)", f"{T}.merge({T}['a'][0], {T}['b'].each()).update(lambda v: v * 2, TREE)",
    f"{T}['q'].update(lambda v: v, TREE)", f"{T}['e'].each().update(lambda v: v, 3)",
    "side.flax.traverse_util.flatten_dict(TREE, sep='/')", "side.flax.traverse_util.flatten_dict(side.core.freeze(TREE))",
    "side.flax.traverse_util.unflatten_dict({('a', 'b'): 1, ('c',): 2})",
    "side.flax.traverse_util.unflatten_dict({('a',): 1, ('a', 'b'): 2})",
    "side.flax.traverse_util.path_aware_map(lambda path, v: (path, v), {'a': {'b': 1}, 'c': {}})",
    "side.flax.cursor.cursor(TREE)['a'][2]['z'].set(9)", "side.flax.cursor.cursor(TREE)['p'].x.set(9)",
    "side.flax.cursor.cursor(TREE)['q']", "side.flax.cursor.cursor(TREE)['a'].q", "list(side.flax.cursor.cursor(TREE)['e'])",
    "[c._path for c in side.flax.cursor.cursor(TREE).find_all(lambda path, v: isinstance(v, int))]",
    "side.flax.cursor.cursor(TREE).find(lambda path, v: path == 'a/2')._path",
    "side.flax.cursor.cursor(TREE).find(lambda path, v: False)",
    "side.flax.cursor.cursor(TREE).apply_update(lambda path, v: v + 1 if isinstance(v, int) else v).build()",
    "side.flax.cursor.cursor(TREE).apply_update(lambda path, v: 0 if path == 'a' else v).build()",
    "(side.flax.cursor.cursor(TREE)['b'][0] + 1, 2 ** side.flax.cursor.cursor(TREE)['b'][0])",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_tools_for_trees_give_the_same(expression: str) -> None:
    def program(side: Side) -> Any:
        return eval(expression, {"side": side, "TREE": TREE})

    assert outcome(OURS, program) == outcome(THEIRS, program)


def test_a_cursor_with_several_matches_differs_on_purpose() -> None:
    def both(side: Side) -> Any:
        return side.flax.cursor.cursor({"a": 1, "b": 2}).find(lambda path, v: isinstance(v, int))

    with pytest.raises(perspicax.flax.errors.CursorFindError) as found:
        both(OURS)
    assert found.value.paths == ("['a']", "['b']")
    with pytest.raises(TypeError):
        both(THEIRS)


def test_parameters_made_inside_a_transformation_of_jax_differ_on_purpose() -> None:
    def program(side: Side) -> Any:
        return side.core.init(lambda scope, x: side.jax.jit(lambda x: body(side, scope, x)[0])(x))(side.rngs, side.jnp.ones(3))

    with pytest.raises(perspicax.flax.errors.JaxTransformError) as error:
        program(OURS)
    assert (error.value.name, error.value.transform) == ("w", "jit")
    assert program(THEIRS)  # which holds leaked tracers
