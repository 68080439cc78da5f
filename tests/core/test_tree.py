"""Pytrees: what each function does, and what each failure says. `tests/oracle` compares them with JAX."""
from __future__ import annotations

import copy
import dataclasses
import doctest
import importlib
import operator
import pickle
import subprocess
import sys
import threading
import traceback
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import perspicax.tree as tree
import perspicax.tree_util as tree_util
from perspicax.binding import pytree
from perspicax.core import tree_mismatch as differ
from perspicax.core.tree_errors import (
    EmptyTreeError,
    LeafCountError,
    LeafPredicateError,
    MapStoppedError,
    NodeFlattenError,
    NotANodeError,
    NotATreeDefError,
    PrefixMismatchError,
    PyTreeMismatchError,
    TreeDepthError,
    TreeFunctionError,
    UnsortableKeysError,
)
from perspicax.core.tree_mismatch import explain_mismatch, mismatches
from perspicax.core.tree_paths import is_name, place
from perspicax.core.tree_prefix import broadcast_prefix, flatten_axes, prefix_errors
from perspicax.core.tree_register_errors import (
    DataclassArgumentsError,
    DataclassFieldsError,
    DuplicateNodeError,
    NodeMethodError,
    NotAClassError,
)
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import resolve
from perspicax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Layer:
    kernel: Any
    bias: Any = 0
    activation: str = "relu"


class Fussy:
    """A class that refuses to be built from anything but numbers."""

    def __init__(self, value: Any) -> None:
        if not isinstance(value, int | tuple):
            raise TypeError(f"{value!r} is no number")
        self.value = value


class Bare:
    """Registered without keys."""

    def __init__(self, *values: Any) -> None:
        self.values = values


tree_util.register_dataclass(Layer, ["kernel", "bias"], ["activation"])
tree_util.register_pytree_with_keys(
    Fussy, lambda node: ([(GetAttrKey("value"), node.value)], None), lambda _, children: Fussy(*children)
)
tree_util.register_pytree_node(Bare, lambda node: (node.values, None), lambda _, children: Bare(*children))


@dataclasses.dataclass
class ArrayLike:
    """Has a type, as arrays and traced values have, and a repr that says nothing to the user."""

    shape: tuple[int, ...]
    dtype: str

    def __repr__(self) -> str:
        raise AssertionError("the repr of a traced value is not for users")


def caught(kind: type[PerspicaxError], function: Any, /, *args: Any, **kw: Any) -> Any:
    with pytest.raises(kind) as found:
        function(*args, **kw)
    return found.value


MODULES = ["tree", "tree_nodes", "tree_parts", "tree_paths", "tree_prefix", "tree_register"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings(name: str) -> None:
    module = importlib.import_module(f"perspicax.core.{name}")
    names = {each: getattr(tree_util, each) for each in tree_util.__all__}
    names |= {"static": tree.static, "dataclasses": dataclasses}
    tried = 0
    for test in doctest.DocTestFinder().find(module, globs=names):
        outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
        tried += outcome.attempted
        assert outcome.failed == 0, test.name
    assert tried


# -- what the functions do


def test_dicts_are_sorted_and_ordered_dicts_are_not() -> None:
    assert tree.leaves({"b": 1, "a": 2}) == [2, 1]
    assert tree.leaves(OrderedDict(b=1, a=2)) == [1, 2]
    assert tree.leaves(defaultdict(int, b=1, a=2)) == [2, 1]
    again = tree.map(operator.neg, defaultdict(list, a=1))
    assert again == {"a": -1} and again.default_factory is list


def test_the_children_of_a_namedtuple_have_their_own_keys() -> None:
    assert list(tree_util.flatten_one_level_with_keys(Point(1, 2))[0]) == [(GetAttrKey("x"), 1), (GetAttrKey("y"), 2)]


def test_the_registry_is_our_own() -> None:
    from jaxlib import _jax

    assert tree_util.default_registry is pytree.registry
    assert not _jax.pytree.default_registry().is_node(Bare)
    assert pickle.loads(pickle.dumps(pytree.registry)) is pytree.registry


def test_a_treedef_is_read_in_another_process() -> None:
    treedef = tree.structure({"a": (1, [2, None]), "b": OrderedDict(z=3)})
    program = (
        "import pickle, sys; import perspicax.tree as tree; from collections import OrderedDict\n"
        "treedef = pickle.load(sys.stdin.buffer)\n"
        "assert treedef == tree.structure({'a': (1, [2, None]), 'b': OrderedDict(z=3)})\n"
        "print(treedef.unflatten([7, 8, 9])['b']['z'])"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(treedef), capture_output=True)
    assert (done.stdout.strip(), done.returncode) == (b"9", 0), done.stderr


def test_all_leaves_asks_the_predicate_about_the_elements() -> None:
    is_list = lambda node: isinstance(node, list)
    assert tree_util.all_leaves([[], 1], is_leaf=is_list)
    assert not tree_util.all_leaves([(), 1], is_leaf=is_list)


def test_partials_of_partials_are_not_merged() -> None:
    from functools import partial

    inner = partial(max, 5)
    outer = tree_util.Partial(inner, 2)
    assert tree.leaves(outer) == [2]
    assert outer(1) == 5
    assert outer.func == inner and hash(outer.func) == hash(inner) and outer.func.args == (5,)
    for again in (copy.deepcopy(outer), pickle.loads(pickle.dumps(outer)), tree.map(lambda x: x, outer)):
        assert (type(again), again(1), repr(again)) == (tree_util.Partial, 5, repr(outer))


def test_trees_are_mapped_by_several_threads_at_once() -> None:
    data = {f"k{i}": [Layer(i, i), Point(i, {"a": i})] for i in range(20)}
    wanted = tree.leaves(tree.map(operator.neg, data))
    results: list[Any] = []

    def work() -> None:
        results.append(all(tree.leaves(tree.map(operator.neg, data)) == wanted for _ in range(30)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4


# -- prefixes


@pytest.mark.parametrize("axes, value, wanted", [
    (0, {"a": 1, "b": [2, 3]}, [0, 0, 0]),
    (None, [1, 2], [None, None]),
    ({"a": 0, "b": None}, {"a": 1, "b": [2, 3]}, [0, None, None]),
    ((0, {"a": 1, "b": (2, None)}), ([5, 5], {"a": 1, "b": (2, [3])}), [0, 0, 1, 2, None]),
    ([None, 1], [None, 5], [1]),
    (Layer(0, None), Layer([1, 2], 3), [0, 0, None]),
    (Fussy((0, None)), Fussy((1, (2, 3))), [0, None, None]),
    ((), (), []),
    (0, (), []),
])
def test_flatten_axes_gives_each_leaf_its_entry(axes: Any, value: Any, wanted: list[Any]) -> None:
    assert flatten_axes("in_axes", tree.structure(value), axes) == wanted


def test_flatten_axes_needs_no_instances() -> None:
    """A class that refuses stand-ins for its leaves can be spoken for all the same."""
    treedef = tree_util.treedef_tuple([tree.structure(Fussy(1)), tree.structure(2)])
    assert flatten_axes("in_axes", treedef, (Fussy(3), None)) == [3, None]
    error = caught(PrefixMismatchError, flatten_axes, "in_axes", treedef, (Fussy((3, 4)), [None]), function="vmap")
    assert [type(found) for found in error.mismatches] == [differ.NodeForLeaf, differ.NodeForLeaf]


def test_flatten_axes_reports_every_place() -> None:
    treedef = tree.structure(({"kernel": 1, "bias": 2}, [3, 4]))
    error = caught(
        PrefixMismatchError, flatten_axes, "in_axes", treedef, ({"kernl": 0, "bias": 0}, (0, 0)), full_name="args",
        function="vmap",
    )
    assert error.report.says == (
        "`in_axes` is not a tree prefix of `args`, which `vmap` needs: they differ in 2 places.\n"
        "  `in_axes[0]` has 'kernl' where `args[0]` has 'kernel'\n"
        "  `in_axes[1]` is a tuple of length 2, but `args[1]` is a list of length 2"
    )


nested = st.recursive(
    st.integers() | st.none(), lambda t: st.lists(t, max_size=3) | st.dictionaries(st.text(max_size=1), t, max_size=3)
)


@given(nested)
def test_a_tree_is_a_prefix_of_itself_and_a_leaf_of_everything(full: Any) -> None:
    assert broadcast_prefix(full, full) == tree.leaves(full)
    assert broadcast_prefix(7, full) == [7] * len(tree.leaves(full))
    assert prefix_errors(full, full) == prefix_errors(7, full) == mismatches(full, full) == []
    assert flatten_axes("axes", tree.structure(full), full) == [
        axis for axis in tree.leaves(full) if axis is not None
    ]


# -- mismatches


PARAMS = {"Dense_0": {"kernel": 1, "bias": 2, "scale": 3}, "Dense_1": [1, 2], "mask": None, "norm": Layer(1, 2)}
GRADS = {"Dense_0": {"kernl": 1, "bias": (2, 2)}, "Dense_1": (1, 2), "mask": 4, "norm": Layer(1, 2, "tanh"), "more": 5}


def test_all_mismatches_of_a_call_are_found_together() -> None:
    path = (DictKey("Dense_0"),)
    assert mismatches(PARAMS, GRADS) == [
        differ.KeysDiffer((), (), ("more",), ()),
        differ.KeysDiffer(path, ("kernel", "scale"), ("kernl",), (("kernl", "kernel"),)),
        differ.NodeForLeaf((*path, DictKey("bias")), "the leaf 2", "a tuple of length 2"),
        differ.NodeTypeDiffers((DictKey("Dense_1"),), "list", "a list of length 2", "a tuple of length 2"),
        differ.LeafForNode((DictKey("mask"),), "None", "the leaf 4"),
        differ.MetadataDiffers((DictKey("norm"),), "Layer", "activation", "'relu'", "'tanh'"),
    ]


def test_each_kind_of_mismatch_is_one_sentence() -> None:
    assert explain_mismatch(PARAMS, GRADS, "params", "grads", "from the first step") == [
        "`grads` has the key 'more', which `params` lacks (from the first step)",
        "`grads['Dense_0']` has 'kernl' where `params['Dense_0']` has 'kernel'; it lacks the key 'scale', which "
        "`params['Dense_0']` has",
        "`grads['Dense_0']['bias']` is a tuple of length 2, but `params['Dense_0']['bias']` is the leaf 2",
        "`grads['Dense_1']` is a tuple of length 2, but `params['Dense_1']` is a list of length 2",
        "`grads['mask']` is the leaf 4, but `params['mask']` is None",
        "`grads['norm']` has the static field activation = 'tanh', but `params['norm']` has activation = 'relu'",
    ]


@pytest.mark.parametrize("expected, actual, sentence", [
    ([1, 2], [1], "`b` is a list of length 1, but `a` is one of length 2"),
    ([], [1], "`b` is a list of length 1, but `a` is one of length 0"),
    ({}, {"x": 1}, "`b` has the key 'x', which `a` lacks"),
    ({"x": 1, "y": 2}, {}, "`b` lacks the keys 'x', 'y', which `a` has"),
    ({1: 1}, {2: 1}, "`b` has the key 2, which `a` lacks; it lacks the key 1, which `a` has"),
    ([{"x": 1}], [3.5], "`b[0]` is the leaf 3.5, but `a[0]` is a dict with the key 'x'"),
    ([None], [()], "`b[0]` is an empty tuple, but `a[0]` is None"),
    (OrderedDict(x=1, y=2), OrderedDict(y=1, x=2),
     "`b` has its keys in the order 'y', 'x', but `a` in the order 'x', 'y'"),
    (OrderedDict(x=1), {"x": 1}, "`b` is a dict with the key 'x', but `a` is an OrderedDict with the key 'x'"),
    (Point(1, 2), (1, 2), "`b` is a tuple of length 2, but `a` is a Point"),
    (Bare(1), Bare(1, 2), "`b` is a Bare of length 2, but `a` is one of length 1"),
    (Bare(1, [2]), Bare(1, 2), "`b<child 1>` is the leaf 2, but `a<child 1>` is a list of length 1"),
    (Fussy((1, 2)), Fussy(3), "`b.value` is the leaf 3, but `a.value` is a tuple of length 2"),
    (defaultdict(int, x=1), defaultdict(list, x=1),
     "`b` is a defaultdict with the static data (<class 'list'>, ('x',)), but `a` has (<class 'int'>, ('x',))"),
    ([1], [ArrayLike((8, 3), "float32")], None),
    ([[1]], [ArrayLike((8, 3), "float32")], "`b[0]` is a leaf (float32[8, 3]), but `a[0]` is a list of length 1"),
    ([[1]], [object()], "`b[0]` is a leaf (object), but `a[0]` is a list of length 1"),
    ({f"k{i}": 0 for i in range(12)}, {},
     "`b` lacks the keys 'k0', 'k1', 'k10', 'k11', 'k2', 'k3', 'k4', 'k5', … (12 in all), which `a` has"),
])
def test_sentences(expected: Any, actual: Any, sentence: str | None) -> None:
    wanted = [] if sentence is None else [sentence]
    assert explain_mismatch(expected, actual, "a", "b") == wanted
    # A treedef tells as much of its nodes as the tree; it does not know the leaves.
    without_leaf = [text.split(" is ")[0] for text in wanted]
    said = explain_mismatch(tree.structure(expected), tree.structure(actual), "a", "b")
    assert [text.split(" is ")[0] for text in said] == without_leaf


def test_types_of_one_name_are_told_apart_by_their_modules() -> None:
    other = type("Layer", (), {"__module__": "elsewhere"})
    tree_util.register_pytree_node(other, lambda node: ((), None), lambda _, children: other())
    (found,) = mismatches(Layer(1), other())
    assert (found.expected, found.actual) == (f"a {__name__}.Layer", "an elsewhere.Layer without children")


def test_metadata_that_cannot_be_compared_counts_as_different() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("no single answer")

        __hash__ = object.__hash__

    (found,) = mismatches(Layer(1, 2, Odd()), Layer(1, 2, Odd()))
    assert isinstance(found, differ.MetadataDiffers) and found.field == "activation"


def test_a_prefix_may_end_early_on_its_own_side_only() -> None:
    assert mismatches([1, 2], [[1], 2], prefix="expected") == mismatches([[1], 2], [1, 2], prefix="actual") == []
    assert [type(found) for found in mismatches([[1], 2], [1, 2], prefix="expected")] == [differ.LeafForNode]
    assert [type(found) for found in mismatches([1, 2], [[1], 2], prefix="actual")] == [differ.NodeForLeaf]


def test_the_predicate_says_what_a_leaf_of_the_prefix_is() -> None:
    none = lambda node: node is None
    assert mismatches([None], [3], is_leaf=none) == mismatches([3], [None], prefix="actual", is_leaf=none) == []
    assert len(mismatches([3], [None], is_leaf=none)) == 1


def test_paths_are_written_as_expressions() -> None:
    path = (DictKey("Dense_0"), SequenceKey(1), GetAttrKey("kernel"), FlattenedIndexKey(2))
    assert place("params", path) == "params['Dense_0'][1].kernel<child 2>"
    assert all(map(is_name, ("params", 'state.params["a"]', "größe")))
    assert not any(map(is_name, ("[1, 2]", "f(x)", "a + b", "x" * 41)))


# -- errors


def test_a_mismatch_is_told_by_the_users_names_and_paths() -> None:
    params, grads = PARAMS, {**PARAMS, "Dense_1": [1, 2, 3]}
    error = caught(PyTreeMismatchError, lambda: tree.map(lambda p, g: p - g, params, grads))
    report = error.report
    assert report.says == (
        "`grads` does not have the structure of `params`, which `tree_map` needs: `grads['Dense_1']` is a list of "
        "length 3, but `params['Dense_1']` is one of length 2."
    )
    assert [source(label.span) for label in report.labels] == ["grads", "params"]
    assert error.mismatches == (differ.LengthDiffers((DictKey("Dense_1"),), "list", 2, 3),)
    assert isinstance(error, ValueError) and isinstance(error, TypeError)


def source(span: Any) -> str:
    """The text at a place of this file."""
    found = resolve(span)
    assert found is not None and found.line == found.end_line
    line = open(found.filename, encoding="utf-8").read().splitlines()[found.line - 1]
    return line[found.column:found.end_column]


def test_without_names_a_mismatch_is_told_by_those_of_the_signature() -> None:
    error = caught(PyTreeMismatchError, tree_util.tree_map, lambda *xs: xs, [1, [2]], [1, [3]], [1, 4])
    assert "`rest[1][1]` is the leaf 4, but `tree[1]` is a list of length 1" in str(error)
    error = caught(PyTreeMismatchError, lambda: tree.map(lambda x, y: x, [1, 2], [3]))
    assert "`rest[0]` is a list of length 1, but `tree` is one of length 2" in error.report.says
    told = [label.text for label in error.report.labels]
    assert told == ["`rest[0]`: its structure differs", "`tree`: from this one"]


def test_many_mismatches_are_counted_and_the_first_are_listed() -> None:
    params = {f"k{i:02}": [i] for i in range(20)}
    others = dict.fromkeys(params, (1,))
    error = caught(PyTreeMismatchError, lambda: tree.map(max, params, others))
    assert len(error.mismatches) == 20
    assert "they differ in 20 places." in error.report.says
    assert error.report.says.count("\n") == 9 and error.report.says.endswith("… and 12 more places")


def applied(error: PerspicaxError, names: dict[str, Any]) -> Any:
    """What the user's call gives once the first fix's edit is applied to it."""
    (edit,) = error.report.fixes[0].edits
    call, part = resolve(error.position), resolve(edit.span)
    assert call is not None and part is not None and call.line == part.line == part.end_line
    line = open(call.filename, encoding="utf-8").read().splitlines()[call.line - 1]
    end = call.end_column + len(edit.replacement) - (part.end_column - part.column)
    line = line[:part.column] + edit.replacement + line[part.end_column:]
    return eval(line[call.column:end], {"tree": tree}, names)


def test_the_fixes_of_a_mismatch_mend_the_call() -> None:
    pick = lambda x, y: y
    old, new = [1, None], [3, 4]
    error = caught(PyTreeMismatchError, lambda: tree.map(pick, old, new))
    assert error.report.fixes[0].says == "let None count as a leaf of `old`"
    assert applied(error, locals()) == [3, 4]
    pair = (5, 6)
    error = caught(PyTreeMismatchError, lambda: tree.map(pick, new, pair))
    assert applied(error, locals()) == [5, 6]


def test_errors_of_a_map_with_paths() -> None:
    by_path = lambda path, node: isinstance(node, tuple)
    error = caught(PyTreeMismatchError, tree.map_with_path, lambda *xs: xs, [(1, 2), [3]], [(1, 2), 4],
                   is_leaf=by_path, is_leaf_takes_path=True)
    assert [type(found) for found in error.mismatches] == [differ.LeafForNode]
    assert tree.map_with_path(lambda path, x, y: (x, y), [(1, 2)], [3], is_leaf=by_path, is_leaf_takes_path=True) == [
        ((1, 2), 3)]


def test_keys_that_cannot_be_sorted_are_found_by_path() -> None:
    for bad in ({1: 0, "a": 0}, defaultdict(int, {1: 0, "a": 0})):
        state = {"ok": 1, "deep": [bad]}
        error = caught(UnsortableKeysError, lambda: tree.leaves(state))
        assert (error.path, set(error.keys), set(error.types)) == (
            (DictKey("deep"), SequenceKey(0)), {"1", "'a'"}, {"int", "str"})
        assert error.report.says.startswith("The keys of the dict `state['deep'][0]` cannot be sorted: ")
        assert isinstance(error, ValueError) and isinstance(error, TypeError)


def test_a_comparison_of_keys_that_fails_is_the_cause() -> None:
    class Key:
        def __lt__(self, other: object) -> bool:
            raise KeyError("incomparable")

    error = caught(UnsortableKeysError, tree.flatten, {Key(): 1, Key(): 2})
    assert isinstance(error.__cause__, KeyError)


def test_a_faulty_flatten_function_is_found_with_its_registration() -> None:
    class Faulty:
        pass

    tree_util.register_pytree_node(Faulty, lambda node: 3, lambda _, children: Faulty())
    line = sys._getframe().f_lineno - 1
    error = caught(NodeFlattenError, tree.leaves, {"a": [Faulty()]})
    assert (error.path, error.node, error.with_keys) == ((DictKey("a"), SequenceKey(0)), "Faulty", False)
    registered = resolve(error.registered)
    assert registered is not None and registered.line == line
    again = caught(DuplicateNodeError, tree_util.register_static, Faulty)
    where = resolve(again.registered)
    assert where is not None and where.line == line

    class Keyless:
        pass

    tree_util.register_pytree_node(Keyless, lambda node: ([1], None), lambda _, c: Keyless(), lambda node: ([1], None))
    assert tree.leaves(Keyless()) == [1]
    assert caught(NodeFlattenError, tree.leaves_with_path, [Keyless()]).with_keys


def test_a_predicate_that_gives_no_bool_is_found() -> None:
    verdict = lambda node: "yes" if node == 2 else False
    error = caught(LeafPredicateError, tree.flatten, {"a": [1, 2]}, verdict)
    assert (error.path, error.verdict) == ((DictKey("a"), SequenceKey(1)), "'yes'")
    assert caught(LeafPredicateError, tree.flatten_with_path, [2], verdict).path == (SequenceKey(0),)
    assert caught(TreeFunctionError, tree.flatten, [1], 3).argument == "is_leaf"


def test_a_tree_that_contains_itself_is_found() -> None:
    loop: dict[str, Any] = {"a": [1, 2]}
    loop["a"].append({"again": loop["a"]})
    error = caught(TreeDepthError, lambda: tree.flatten(loop))
    assert (error.inside, error.path) == ((DictKey("a"),), (DictKey("a"), SequenceKey(2), DictKey("again")))
    assert error.report.says == "The tree contains itself: `loop['a'][2]['again']` is the same list as `loop['a']`."
    assert isinstance(error, RecursionError) and isinstance(error, SystemError)
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert caught(TreeDepthError, tree.leaves, deep).inside is None
    assert caught(TreeDepthError, tree.map, operator.neg, deep).limit == sys.getrecursionlimit()


@pytest.mark.parametrize("leaves, actual, at_least", [
    ([1], 1, False), ((1, 2, 3, 4), 4, False), (range(9), 3, True), (iter(()), 0, False), ({}.values(), 0, False)])
def test_the_wrong_number_of_leaves(leaves: Any, actual: int, at_least: bool) -> None:
    error = caught(LeafCountError, tree.unflatten, tree.structure([0, {"a": 0}]), leaves)
    assert (error.expected, error.actual, error.at_least) == (2, actual, at_least)
    assert "The structure has 2 leaves" in str(error)


def test_what_is_no_treedef() -> None:
    error = caught(NotATreeDefError, tree.unflatten, [1], tree.structure([0]))
    assert (error.actual, error.swapped) == ("list", True)
    assert isinstance(error, TypeError) and isinstance(error, AttributeError)
    for function in (tree_util.treedef_children, tree_util.treedef_is_leaf):
        assert caught(NotATreeDefError, function, 3).function == function.__name__
    assert caught(NotATreeDefError, tree_util.treedef_tuple, [tree.structure(0), 3]).actual == "int"
    assert not caught(NotATreeDefError, tree.transpose, tree.structure([0]), 3, [1]).swapped


def test_what_is_no_function() -> None:
    error = caught(TreeFunctionError, tree.map, [1], operator.neg)
    assert (error.function, error.argument, error.actual, error.swapped) == ("tree_map", "f", "list", True)
    error = caught(TreeFunctionError, tree_util.register_pytree_node, type("New", (), {}), 3, tuple)
    assert (error.argument, error.swapped) == ("flatten_func", False)


def test_a_map_that_ends_early() -> None:
    few = iter([1])
    assert caught(MapStoppedError, tree.map, lambda x: next(few), [0, 0]).function == "tree_map"


def test_trees_without_leaves() -> None:
    for function, needs in ((tree.reduce, "initializer"), (tree.reduce_associative, "identity")):
        error = caught(EmptyTreeError, function, max, {})
        assert (error.needs, isinstance(error, TypeError)) == (needs, True)
    assert caught(EmptyTreeError, tree.transpose, tree.structure([]), None, []).needs == "inner_treedef"
    assert tree.transpose(tree.structure([0, 0]), tree.structure([]), [[], []]) == []


def test_a_transpose_that_does_not_fit() -> None:
    rows = [(1, 2, 3), (4, 5)]
    error = caught(PyTreeMismatchError, lambda: tree.transpose(tree.structure([0, 0]), tree.structure((0, 0)), rows))
    assert error.mismatches == (differ.LengthDiffers((SequenceKey(0),), "tuple", 2, 3),)
    assert "`rows[0]` is a tuple of length 3, but `expected[0]` is one of length 2" in str(error)
    error = caught(PyTreeMismatchError, tree.transpose, tree.structure([0, 0]), None, (1, 2))
    assert [type(found) for found in error.mismatches] == [differ.NodeTypeDiffers]


def test_leaves_have_no_level() -> None:
    assert caught(NotANodeError, tree_util.flatten_one_level, 3).leaf == "int"
    assert caught(NotANodeError, tree_util.flatten_one_level_with_keys, "a").leaf == "str"


@pytest.mark.parametrize("register", [
    tree_util.register_static, tree_util.register_pytree_node_class, tree_util.register_pytree_with_keys_class,
    lambda x: tree_util.register_pytree_node(x, tuple, tuple),
    lambda x: tree_util.register_pytree_with_keys(x, tuple, tuple),
    lambda x: tree_util.register_dataclass(x, [], []),
])
def test_only_classes_are_registered(register: Any) -> None:
    assert caught(NotAClassError, register, Layer(1)).actual == "Layer"
    assert caught(DuplicateNodeError, tree_util.register_static, dict).registered is None


def test_a_node_class_without_its_method() -> None:
    error = caught(NodeMethodError, tree_util.register_pytree_node_class, type("Half", (), {"tree_flatten": tuple}))
    assert (error.node, error.method, isinstance(error, AttributeError)) == ("Half", "tree_unflatten", True)


def test_the_fields_of_a_dataclass() -> None:
    @dataclasses.dataclass
    class Made:
        kernel: int
        bias: int

    error = caught(DataclassFieldsError, tree_util.register_dataclass, Made, ["kernel", "kernel", "bais"], [])
    assert (error.missing, error.unexpected, error.repeated, error.near) == (
        ("bias",), ("bais",), ("kernel",), (("bais", "bias"),))
    assert error.report.says == (
        "The fields of `Made` do not fit: `kernel` is named more than once; `bias` is not named; `bais` is named, but "
        "no field that the constructor takes."
    )
    assert caught(DataclassArgumentsError, tree_util.register_dataclass, Made, ["kernel"]).given == "data_fields"
    assert caught(DataclassArgumentsError, tree_util.register_dataclass, int).given == ""
    assert not tree_util.is_tree_node(Made)


# -- errors of the user's own, and how errors leave


class Own(ValueError):
    pass


def fail(*_: Any) -> Any:
    raise Own("the user's own")


class Unbuildable(Bare):
    pass


class Unflattenable:
    pass


tree_util.register_pytree_node(Unbuildable, lambda node: (node.values, None), fail)
tree_util.register_pytree_node(Unflattenable, fail, lambda _, children: Unflattenable())


@pytest.mark.parametrize("call", [
    lambda: tree.map(fail, [1]),
    lambda: tree.map_with_path(fail, [1]),
    lambda: tree.map(operator.neg, Unbuildable(1)),
    lambda: tree.unflatten(tree.structure(Unbuildable(1)), [1]),
    lambda: tree.unflatten(tree.structure(Unbuildable(1)), (fail() for _ in range(1))),
    lambda: tree.flatten([Unflattenable()]),
    lambda: tree.leaves([1], is_leaf=fail),
    lambda: tree.structure([1], is_leaf=fail),
    lambda: tree.flatten_with_path([1], is_leaf=fail),
    lambda: tree.map(lambda x, y: x, [1, Bare(2)], [1, Unflattenable()], is_leaf=fail),
    lambda: tree.map(lambda x, y: x, [Unflattenable()], [1]),
    lambda: tree.reduce(fail, [1, 2]),
    lambda: tree.reduce_associative(fail, [1, 2]),
    lambda: tree_util.flatten_one_level(Unflattenable()),
    lambda: tree.broadcast(Unflattenable(), [1]),
])
def test_the_users_own_errors_pass_unchanged_and_without_our_frames(call: Any) -> None:
    with pytest.raises(Own) as found:
        call()
    assert (str(found.value), found.value.__cause__) == ("the user's own", None)
    files = {frame.filename for frame in traceback.extract_tb(found.value.__traceback__)}
    assert not [file for file in files if "perspicax/core" in file.replace("\\", "/")]


@pytest.mark.parametrize("call", [
    lambda: tree.map(max, [1, 2], [3]),
    lambda: tree.flatten([{1: 0, "a": 0}]),
    lambda: tree.leaves([{1: 0, "a": 0}]),
    lambda: tree.structure([{1: 0, "a": 0}]),
    lambda: tree.unflatten(tree.structure([1]), []),
    lambda: tree.map_with_path(max, [1, 2], [3]),
    lambda: tree.broadcast([1, 2], [3]),
    lambda: tree.reduce(max, []),
    lambda: tree_util.register_static(dict),
])
def test_our_errors_leave_without_our_frames_and_travel(call: Any) -> None:
    with pytest.raises(PerspicaxError) as found:
        call()
    error = found.value
    assert {frame.filename for frame in traceback.extract_tb(error.__traceback__)} == {__file__}
    assert (error.__suppress_context__ or error.__context__ is None) and "fault of Perspicax" not in str(error)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(again), str(again)) == (type(error), str(error))
    pickled = pickle.loads(pickle.dumps(error))
    assert getattr(pickled, "mismatches", None) == getattr(error, "mismatches", None)
