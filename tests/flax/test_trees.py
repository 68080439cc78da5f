"""FrozenDict, dataclasses, state dicts, traversals, cursors, boxes."""
from __future__ import annotations

import collections
import copy
import dataclasses
import pickle
from typing import Any, Generic, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import errors, struct
from perspicax.flax.core import FrozenDict, freeze, frozen_dict, meta, unfreeze
from perspicax.flax.cursor import Cursor, cursor
from perspicax.flax.state_dicts import (
    current_path,
    from_state_dict,
    is_serializable,
    register_serialization_state,
    to_state_dict,
)
from perspicax.flax.traverse_util import (
    ModelParamTraversal,
    TraverseEach,
    TraverseItem,
    empty_node,
    flatten_dict,
    path_aware_map,
    t_identity,
    unflatten_dict,
)
from perspicax.flax.tree_errors import (
    CursorError,
    CursorIterationError,
    CursorKeyError,
    FrozenDictError,
    LiftError,
    StateDictError,
    StructError,
    TraversalError,
    TreeTypeError,
)

TREES = st.recursive(st.integers(), lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3))
DICTS = TREES.filter(lambda tree: isinstance(tree, dict))


@given(DICTS)
def test_freezing_and_thawing_give_the_tree_back(tree: dict) -> None:
    frozen = freeze(tree)
    assert unfreeze(frozen) == tree == frozen
    assert hash(frozen) == hash(freeze(dict(reversed(tree.items()))))
    assert jax.tree.leaves(frozen) == jax.tree.leaves(tree)
    assert jax.tree.map(lambda x: x, frozen) == frozen
    assert pickle.loads(pickle.dumps(frozen)) == frozen


@given(DICTS)
def test_flattening_and_nesting_give_the_tree_back(tree: dict) -> None:
    flat = flatten_dict(tree, keep_empty_nodes=True)
    assert unflatten_dict(flat) == tree
    assert unflatten_dict(flatten_dict(tree, keep_empty_nodes=True, sep="/"), sep="/") == tree
    assert all(not isinstance(value, dict) for value in flat.values())
    assert path_aware_map(lambda path, value: value, tree) == tree


@given(DICTS)
def test_a_cursor_without_changes_builds_the_tree_itself(tree: dict) -> None:
    c = cursor(tree)
    list(c.find_all(lambda path, value: False))
    assert c.build() is tree
    changed = c.apply_update(lambda path, value: value + 1 if isinstance(value, int) else value).build()
    assert changed == jax.tree.map(lambda x: x + 1, tree)


# FrozenDict

def test_a_frozen_dict_shares_nothing_with_the_dict_it_was_made_of() -> None:
    source = {"a": {"b": 1}}
    frozen = FrozenDict(source)
    source["a"]["b"] = 2
    unfreeze(frozen)["a"]["b"] = 3
    assert frozen["a"]["b"] == 1


def test_a_frozen_dict_does_not_change() -> None:
    frozen = FrozenDict(a=1)
    with pytest.raises(FrozenDictError) as error:
        frozen["a"] = 2
    assert isinstance(error.value, ValueError)
    with pytest.raises(FrozenDictError):
        del frozen["a"]
    assert frozen == {"a": 1}


def test_copies_and_parts_of_frozen_dicts() -> None:
    frozen = FrozenDict({"a": {"b": 1}, "c": 2})
    assert frozen.copy({"c": {"d": 4}}) == {"a": {"b": 1}, "c": {"d": 4}}
    assert frozen.pop("a") == ({"c": 2}, {"b": 1})
    assert isinstance(frozen["a"], FrozenDict)
    assert repr(frozen.keys()) == "frozen_dict_keys(['a', 'c'])"
    assert next(iter(frozen.values())) == FrozenDict(b=1)
    with pytest.raises(KeyError):
        frozen.pop("z")
    with pytest.raises(TreeTypeError):
        frozen.copy(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("call", [lambda: frozen_dict.copy(3), lambda: frozen_dict.pop(3, "a"), lambda: freeze(3),  # type: ignore[arg-type]
                                  lambda: jax.tree.leaves(FrozenDict({1: 1, "a": 2}))])
def test_what_is_no_dict_is_refused(call: Any) -> None:
    with pytest.raises(TypeError):
        call()


def test_paths_into_frozen_dicts_are_those_of_dicts() -> None:
    tree = {"b": {"z": 1}, "a": 2}
    found = jax.tree_util.tree_leaves_with_path(FrozenDict(tree))
    assert [jax.tree_util.keystr(path) for path, _ in found] == ["['a']", "['b']['z']"]


def test_frozen_dicts_go_through_jit() -> None:
    out = jax.jit(lambda d: d.copy({"c": d["a"]["b"] + 1}))(FrozenDict({"a": {"b": jnp.ones(2)}}))
    assert type(out) is FrozenDict
    np.testing.assert_array_equal(out["c"], [2, 2])


# struct

T = TypeVar("T")


@struct.dataclass
class Point:
    x: Any
    unit: str = struct.field(pytree_node=False, default="m", metadata={"shown": True})


class Node(struct.PyTreeNode, Generic[T]):
    value: T
    size: int = struct.field(pytree_node=False, default=1)


class Wider(Node[T], kw_only=True):
    extra: Any


def test_dataclasses_are_pytrees_of_their_fields() -> None:
    assert jax.tree.leaves(Point(1.0)) == [1.0]
    assert jax.tree.map(lambda x: x + 1, Node(1, 5)) == Node(2, 5)
    assert jax.tree.leaves(Wider(1, extra=3)) == [1, 3]
    assert jax.tree.structure(Point(1.0)) != jax.tree.structure(Point(1.0, "s"))
    assert dict(dataclasses.fields(Point)[1].metadata) == {"shown": True, "pytree_node": False}


def test_a_changed_static_field_is_another_program() -> None:
    traced: list[str] = []

    @jax.jit
    def f(point: Point) -> Point:
        traced.append(point.unit)
        return point.replace(x=point.x * 2)

    assert float(f(Point(2.0)).x) == float(f(Point(2.0, "s")).x) == 4.0
    f(Point(7.0))
    assert traced == ["m", "s"]


def test_dataclasses_are_frozen_and_replaced() -> None:
    point = Point(1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2.0
    assert point.replace(x=2.0) == Point(2.0)
    assert hash(point) == hash(Point(1.0))
    assert struct.dataclass(Point) is Point
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    with pytest.raises(TypeError):
        point.replace(z=1)
    with pytest.raises(NotImplementedError):
        struct.PyTreeNode()


def test_a_field_that_no_argument_sets_is_refused() -> None:
    with pytest.raises(StructError, match=r"Bad\.y"):
        @struct.dataclass
        class Bad:
            x: int
            y: int = dataclasses.field(default=1, init=False)


# State dicts

def test_a_state_dict_is_restored() -> None:
    pair = collections.namedtuple("pair", "a b")
    tree = {"p": Point(1.0, "s"), "l": [1, (2, 3)], "f": FrozenDict({"w": {"q": 4}}), "n": pair(5, 6), 7: 8}
    state = to_state_dict(tree)
    assert state == {"p": {"x": 1.0}, "l": {"0": 1, "1": {"0": 2, "1": 3}}, "f": {"w": {"q": 4}}, "n": {"a": 5, "b": 6}, "7": 8}
    other = {"p": Point(0.0, "s"), "l": [0, (0, 0)], "f": FrozenDict({"w": {"q": 0}}), "n": pair(0, 0), 7: 0}
    assert from_state_dict(other, state) == tree
    assert is_serializable(tree)
    assert not is_serializable(3)


@pytest.mark.parametrize(("target", "state", "names"), [
    (Point(1.0), {"y": 2.0}, ("x", "y")), ([1, 2], {"0": 1}, ("1",)), ({"a": {"b": 1}}, {"a": {"c": 1}}, ("./a", "b")),
    ({"a": 1}, 5, ("a",))])
def test_a_state_of_another_structure_is_refused(target: Any, state: Any, names: tuple[str, ...]) -> None:
    with pytest.raises(StateDictError) as error:
        from_state_dict(target, state)
    assert [name for name in names if name not in str(error.value)] == []


def test_types_are_registered_once() -> None:
    class Own:
        def __init__(self, x: int) -> None:
            self.x = x

    def restore(own: Own, state: Any) -> Own:
        return Own(state["x"] + len(current_path()))

    register_serialization_state(Own, lambda own: {"x": own.x}, restore)
    assert to_state_dict([Own(3)]) == {"0": {"x": 3}}
    assert from_state_dict([Own(0)], {"0": {"x": 3}})[0].x == 3 + len("./0")
    with pytest.raises(StateDictError):
        register_serialization_state(Own, lambda own: {}, restore)
    register_serialization_state(Own, lambda own: {3: own.x}, restore, override=True)
    with pytest.raises(StateDictError):
        to_state_dict(Own(3))
    with pytest.raises(StateDictError):
        to_state_dict({1: 2, "1": 3})


# Traversals

def test_traversals_change_their_places_alone() -> None:
    tree = {"a": [1, 2], "b": FrozenDict({"c": 3})}
    assert t_identity["a"][1].update(lambda v: v * 10, tree) == {"a": [1, 20], "b": {"c": 3}}
    assert t_identity["b"]["c"].set([5], tree)["b"] == FrozenDict(c=5)
    assert TraverseItem("a").compose(TraverseEach()).set([7, 8], tree)["a"] == [7, 8]
    assert tree["a"] == [1, 2]
    for values in ([1], [1, 2, 3]):
        with pytest.raises(TraversalError):
            t_identity["a"].each().set(values, tree)
    assert t_identity.x.update(lambda v: v + 1, Point(1)) == Point(2)


def test_parameters_are_chosen_by_name() -> None:
    params = freeze({"layer": {"kernel": 1, "bias": 2, "empty": {}}})
    kernels = ModelParamTraversal(lambda name, _: name.endswith("/kernel"))
    assert list(kernels.iterate(params)) == [1]
    assert kernels.update(lambda v: -v, params) == {"layer": {"kernel": -1, "bias": 2, "empty": {}}}
    with pytest.raises(TraversalError):
        list(kernels.iterate([1]))


def test_flat_dicts_with_keys_that_are_no_text() -> None:
    tree = {1: {"a": 2}, "e": {}}
    assert flatten_dict(tree, keep_empty_nodes=True) == {(1, "a"): 2, ("e",): empty_node}
    assert flatten_dict(tree, is_leaf=lambda path, _: path == (1,)) == {(1,): {"a": 2}}
    with pytest.raises(TreeTypeError):
        flatten_dict(tree, sep="/")
    for wrong in ({("a",): 1, ("a", "b"): 2}, 3):
        with pytest.raises(TreeTypeError):
            unflatten_dict(wrong)
    with pytest.raises(TraversalError):
        unflatten_dict({(): 1})


# Cursors

Pair = collections.namedtuple("Pair", "x y")
TREE = {"a": 1, "b": {"c": [1, 2, (3, 4)], "p": Pair(1, 2)}, "d": Point({"k": 2})}


def test_a_cursor_builds_a_copy_with_the_changes() -> None:
    c = cursor(TREE)
    c["a"] = 5
    c["b"]["c"][2][0] = 9
    c["b"]["p"].x = 7
    c["d"].x["k"] += 1
    c["b"]["c"][-2] = 8
    assert c.build() == {"a": 5, "b": {"c": [1, 8, (9, 4)], "p": Pair(7, 2)}, "d": Point({"k": 3})}
    assert TREE["a"] == 1
    assert c["b"]["c"][2]._path == "['b']['c'][2]"
    assert c["b"]["c"][2]._root is c
    assert "c['b']['p'].x = 7" in repr(c)


def test_parts_without_changes_are_shared() -> None:
    built = cursor(TREE)["a"].set(3)
    assert built["b"] is TREE["b"]


def test_a_cursor_set_to_another_place_takes_its_value() -> None:
    c = cursor(TREE)
    c["a"] = c["b"]["p"]
    assert c.build()["a"] == Pair(1, 2)


def test_a_cursor_is_an_operand() -> None:
    c = cursor({"a": 6, "b": [1, 2]})
    assert (c["a"] + 1, 1 - c["a"], c["a"] // 4, divmod(c["a"], 4)) == (7, -5, 1, (1, 2))
    assert (-c["a"], abs(c["a"]), round(c["a"])) == (-6, 6, 6)
    assert c["a"] == 6
    assert c["a"] < c["b"][1] + 10
    assert [each + 0 for each in c["b"]] == [1, 2]
    assert [each + 0 for each in reversed(c["b"])] == [2, 1]
    assert (len(c["b"]), str(c["b"])) == (2, "[1, 2]")
    with pytest.raises(TypeError):
        hash(c)
    with pytest.raises(CursorIterationError):
        iter(c)


def test_searches_stop_below_what_they_found() -> None:
    found = cursor(TREE).find_all(lambda path, value: path in ("b", "b/c", "d/x/k"))
    assert [place._path for place in found] == ["['b']", "['d'].x['k']"]
    with pytest.raises(errors.CursorFindError) as error:
        cursor(TREE).find(lambda path, value: value == 2)
    assert error.value.paths == ("['b']['c'][1]", "['b']['p'].y", "['d'].x['k']")
    assert isinstance(error.value.cursor, Cursor)
    with pytest.raises(errors.CursorFindError) as none:
        cursor(TREE).find(lambda path, value: False)
    assert none.value.paths == ()


@pytest.mark.parametrize(("tree", "key"), [([1], 4), ((1, 2), 4)])
def test_an_item_beyond_the_end_cannot_be_set(tree: Any, key: int) -> None:
    c = cursor(tree)
    c[key] = 3
    with pytest.raises(CursorKeyError):
        c.build()


def test_a_field_that_is_not_there_cannot_be_set() -> None:
    for tree, name in ((Point(1), "z"), (Pair(1, 2), "z")):
        c = cursor(tree)
        setattr(c, name, 3)
        with pytest.raises(CursorError, match="no field"):
            c.build()


# Boxes

def test_boxes_know_their_axes() -> None:
    box = meta.Partitioned(jnp.ones((2, 3)), ("a", None))
    named = {meta.PARTITION_NAME: "l"}
    assert [box.add_axis(i, named).names for i in (0, 1, 2, -1, 4)] == [
        ("l", "a", None), ("a", "l", None), ("a", None, "l"), ("a", "l", None), ("a", None, None, None, "l")]
    assert box.add_axis(1, named).remove_axis(1, named) == box.replace(value=box.value)
    with pytest.raises(errors.PartitioningUnspecifiedError) as error:
        box.add_axis(0, {})
    assert error.value.target is box
    with pytest.raises(LiftError):
        box.remove_axis(0, named)


def test_boxes_are_opened_and_filled() -> None:
    box = meta.Partitioned({"k": meta.Partitioned(1, ("b",))}, ("a",))
    assert meta.unbox({"x": box, "y": 2}) == {"x": {"k": 1}, "y": 2}
    filled = meta.replace_boxed({"x": box, "y": 2}, {"x": {"k": 5}, "y": 6})
    assert (filled["y"], filled["x"].names, filled["x"].value["k"]) == (6, ("a",), meta.Partitioned(5, ("b",)))
    specs = meta.get_partition_spec({"x": meta.Partitioned(jnp.ones(1), ("a",)), "y": jnp.ones(2), "z": 3})
    assert specs == {"x": jax.sharding.PartitionSpec("a"), "y": jax.sharding.PartitionSpec(), "z": None}
    assert not meta.global_mesh_defined()


def test_parameters_are_set_in_the_order_in_which_they_are_listed() -> None:
    everything = ModelParamTraversal(lambda name, value: True)
    tree = {"kernel": 0, "bias": 0, "deep": {"z": 1, "empty": {}, "a": 2}}
    assert everything.set(["bias", "a", "z", "kernel"], tree) == {
        "bias": "bias", "deep": {"a": "a", "empty": {}, "z": "z"}, "kernel": "kernel"}
    assert list(everything.iterate(tree)) == [0, 2, 1, 0]
    assert everything.set(list(everything.iterate(tree)), tree) == tree
    assert everything.set(["one", "a"], {"a": 1, 1: 2}) == {1: "one", "a": "a"}, "text and numbers beside one another"


def test_what_is_below_a_cursor_is_asked_for_by_in() -> None:
    c = cursor({"a": 1, "list": [1, 2], "deep": freeze({"x": 1}), "pair": (3, 4)})
    assert "a" in c and "b" not in c and "x" in c["deep"] and "y" not in c["deep"]
    assert 1 in c["list"] and 7 not in c["list"] and 4 in c["pair"]
    c["b"] = 2
    c["list"][0] = 7
    assert "b" in c and 7 in c["list"] and 1 not in c["list"], "changes count"
    assert c["list"][1] in c["list"]
    with pytest.raises(NotImplementedError, match=r"c\['a'\]"):
        assert 1 in c["a"]
    assert cursor({"a": 1}).build() == {"a": 1}
