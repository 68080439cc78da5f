"""Indexing: NumPy judges values inside the bounds; traced and eager indexing agree; errors carry their facts."""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perspicax.lax.hook_table  # noqa: F401  (fills the hooks of the transformations)
from perspicax.core.avals import ShapedArray
from perspicax.core.dtype_table import ExtendedDType, prng_key
from perspicax.core.sanitizing import sanitizers
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.core.tracer_errors import NonConcreteBooleanIndexError
from perspicax.lax.index_errors import GatherModeError, OutOfBoundsError
from perspicax.numpy import index_errors as errors
from perspicax.numpy.index_plan import parse
from perspicax.numpy.indexing import INDEX_METHODS, IndexUpdateRef, at, getitem, setitem_error
from perspicax.transform.grad import jvp, vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import as_array

SHAPE = (4, 3, 5)
VALUE = np.arange(60, dtype=np.float32).reshape(SHAPE) + 1
X = as_array(VALUE)
BIG = as_array(np.arange(70000, dtype=np.float32).reshape(7, 10000))


def jit(fun: Callable[..., Any]) -> Any:
    return JitFunction(fun, JitOptions())


def traced(index: Any) -> Any:
    """`X[index]` as a program computes it, its index arrays being arguments."""
    entries = index if isinstance(index, tuple) else (index,)
    slots = [i for i, e in enumerate(entries) if isinstance(e, np.ndarray) and e.dtype != bool]

    def read(x: Any, *arrays: Any) -> Any:
        full = list(entries)
        for i, a in zip(slots, arrays):
            full[i] = a
        return getitem(x, tuple(full))

    return jit(read)(X, *[as_array(np.asarray(entries[i], np.int32)) for i in slots])


# -- indices

def slices(n: int) -> st.SearchStrategy:
    bound = st.none() | st.integers(-n - 2, n + 2)
    return st.builds(slice, bound, bound, st.none() | st.sampled_from([-3, -2, -1, 1, 2, 3]))


def integer_arrays(n: int) -> st.SearchStrategy:
    """Index arrays of shapes that broadcast together."""
    shapes = st.sampled_from([(), (1,), (2,), (3, 1), (3, 2), (0,)]).map(lambda s: (0,) if s == (0,) else s)
    return shapes.flatmap(lambda s: st.lists(st.integers(-n, n - 1), min_size=int(np.prod(s)), max_size=int(np.prod(s)))
                          .map(lambda v: np.array(v, np.int64).reshape(s)))


@st.composite
def indices(draw: Any, arrays: bool = True) -> tuple:
    """An index of an array of shape SHAPE that NumPy takes."""
    found: list[Any] = []
    used = draw(st.integers(0, len(SHAPE)))
    dots = draw(st.booleans())
    where = draw(st.integers(0, used)) if dots else used
    sizes = list(SHAPE[:where]) + (list(SHAPE[len(SHAPE) - (used - where):]) if used > where else [])
    for i, n in enumerate(sizes):
        if dots and i == where:
            found.append(...)
        if draw(st.integers(0, 4)) == 0:
            found.append(None)
        kinds = ["int", "slice"] + (["array", "mask"] if arrays else [])
        match draw(st.sampled_from(kinds)):
            case "int":
                found.append(draw(st.integers(-n, n - 1)))
            case "slice":
                found.append(draw(slices(n)))
            case "array":
                found.append(draw(integer_arrays(n)))
            case "mask":
                found.append(np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))))
    if dots and where == len(sizes):
        found.append(...)
    if arrays and draw(st.integers(0, 9)) == 0:
        found.insert(draw(st.integers(0, len(found))), draw(st.booleans()))
    return tuple(found)


def numpy_result(index: tuple) -> np.ndarray | None:
    try:
        return np.asarray(VALUE[index])
    except IndexError:
        return None  # the index arrays do not broadcast


@given(indices())
@settings(max_examples=300)
def test_a_concrete_array_is_indexed_as_by_numpy(index: tuple) -> None:
    expected = numpy_result(index)
    if expected is None:
        with pytest.raises((IndexError, ValueError)):
            getitem(X, index)
        return
    found = getitem(X, index)
    assert found.shape == expected.shape == found.value().shape
    np.testing.assert_array_equal(found.value(), expected)
    assert not np.asarray(found).flags.writeable


@given(indices())
@settings(max_examples=60)
def test_a_traced_array_is_indexed_as_by_numpy(index: tuple) -> None:
    expected = numpy_result(index)
    if expected is None:
        return
    np.testing.assert_array_equal(traced(index).value(), expected)


@given(indices())
@settings(max_examples=60)
def test_the_plan_agrees_with_numpy_when_run_eagerly(index: tuple) -> None:
    """With a sanitizer on there is no short cut: the primitives run one by one."""
    expected = numpy_result(index)
    if expected is None:
        return
    with sanitizers({}):
        found = getitem(X, index)
    np.testing.assert_array_equal(found.value(), expected)


@given(indices(), st.sampled_from(["set", "add", "multiply", "min", "max"]))
@settings(max_examples=100)
def test_updates_agree_with_numpy(index: tuple, method: str) -> None:
    expected = VALUE.astype(np.int32)
    if numpy_result(index) is None:
        return
    values = -np.arange(expected[index].size, dtype=np.int32).reshape(expected[index].shape) + 20
    if method == "set":  # of several values for an entry any may win: give all the same
        values = np.full_like(values, 7)
    x = as_array(expected)
    ufunc = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}
    expected = expected.copy()
    if method == "set":
        expected[index] = values
    else:
        ufunc[method].at(expected, index, values)
    np.testing.assert_array_equal(getattr(at(x)[index], method)(as_array(values)).value(), expected)
    with sanitizers({}):
        np.testing.assert_array_equal(getattr(at(x)[index], method)(as_array(values)).value(), expected)


@given(indices(), st.booleans())
@settings(max_examples=40)
def test_compiled_updates_agree_with_numpy(index: tuple, add: bool) -> None:
    if numpy_result(index) is None:
        return
    expected = VALUE.copy()
    shape = VALUE[index].shape
    (np.add.at if add else np.ndarray.__setitem__)(expected, index, *([np.float32(2)]))
    method = "add" if add else "set"
    found = jit(lambda x: getattr(at(x)[index], method)(2.0))(X)
    np.testing.assert_array_equal(found.value(), expected)
    assert found.shape == SHAPE and shape == VALUE[index].shape


# -- derivatives and batches

CASES = [(0,), (slice(1, 3),), (slice(None, None, -2), 1), (1, None, slice(2, 4)), (np.array([0, 2, 2]),),
         (np.array([0, 2]), slice(None), np.array([1, 1])), (..., np.array([[0, -1]])), (2, slice(None), np.array([0, 4])),
         (np.array([True, False, True, True]), 0), (slice(None), slice(None, None, 2), slice(0, 2))]


@pytest.mark.parametrize("index", CASES, ids=str)
def test_reading_is_linear_and_its_transpose_adds_back(index: tuple) -> None:
    tangent = np.random.RandomState(0).randn(*SHAPE).astype(np.float32)
    out, moved = jvp(lambda x: getitem(x, index), (X,), (as_array(tangent),))
    np.testing.assert_array_equal(moved.value(), tangent[index])
    _, back = vjp(lambda x: getitem(x, index), X)
    (ct,) = back(out)
    expected = np.zeros_like(VALUE)
    np.add.at(expected, index, VALUE[index])
    np.testing.assert_allclose(ct.value(), expected)


@pytest.mark.parametrize("index", CASES, ids=str)
@pytest.mark.parametrize("method", ["set", "add"])
def test_derivatives_of_updates(index: tuple, method: str) -> None:
    random = np.random.RandomState(1)
    values = random.randn(*VALUE[index].shape).astype(np.float32)
    ct = random.randn(*SHAPE).astype(np.float32)
    _, back = vjp(lambda x, v: getattr(at(x)[index], method)(v), X, as_array(values))
    cx, cv = back(as_array(ct))
    expected = ct.copy()
    if method == "set":
        expected[index] = 0
    np.testing.assert_allclose(cx.value(), expected)
    if method == "add":
        np.testing.assert_allclose(cv.value(), ct[index])
    else:  # each cotangent goes to one of the values that were set there
        received = np.zeros_like(VALUE)
        np.add.at(received, index, cv.value())
        masked = np.zeros_like(ct)
        masked[index] = ct[index]
        np.testing.assert_allclose(received, masked, rtol=1e-6)


def test_a_repeated_index_of_set_is_differentiated_by_the_value_that_won() -> None:
    index = np.array([1, 1, 0])
    _, back = vjp(lambda v: at(as_array(np.zeros(3, np.float32)))[index].set(v), as_array(np.array([5, 6, 7], np.float32)))
    np.testing.assert_array_equal(back(as_array(np.array([1, 10, 100], np.float32)))[0].value(), [0, 10, 1])


@pytest.mark.parametrize("index", CASES, ids=str)
def test_a_batch_is_indexed_one_by_one(index: tuple) -> None:
    batch = np.stack([VALUE, VALUE * 2], 1)
    found = vmap(lambda x: getitem(x, index), in_axes=1)(as_array(batch)).value()
    np.testing.assert_array_equal(found, np.stack([VALUE[index], (VALUE * 2)[index]]))
    changed = vmap(lambda x: at(x)[index].add(1.0), in_axes=1, out_axes=1)(as_array(batch)).value()
    expected = batch.copy()
    for i in range(2):
        np.add.at(expected[:, i], index, 1)
    np.testing.assert_array_equal(changed, expected)


def test_batches_of_indices() -> None:
    rows = np.array([[0, 1], [2, -1], [3, 3]], np.int32)
    found = vmap(lambda i: getitem(X, (i, slice(None), 0)))(as_array(rows)).value()
    np.testing.assert_array_equal(found, np.stack([VALUE[i, :, 0] for i in rows]))
    single = vmap(lambda i: getitem(X, i))(as_array(rows[:, 0])).value()
    np.testing.assert_array_equal(single, VALUE[rows[:, 0]])
    both = vmap(lambda x, i: getitem(x, i))(X, as_array(np.array([0, 1, 2, -1], np.int32))).value()
    np.testing.assert_array_equal(both, VALUE[np.arange(4), [0, 1, 2, -1]])
    changed = vmap(lambda i, v: at(X)[i].set(v))(as_array(rows), as_array(np.array([1, 2, 3], np.float32))).value()
    for i, row in enumerate(rows):
        expected = VALUE.copy()
        expected[row] = i + 1
        np.testing.assert_array_equal(changed[i], expected)


# -- outside the bounds

def test_an_integer_outside_gives_the_nearest_entry() -> None:
    for index, row in ((10, 3), (-10, 0)):
        np.testing.assert_array_equal(getitem(X, index).value(), VALUE[row])
        np.testing.assert_array_equal(jit(lambda x, i=index: getitem(x, i))(X).value(), VALUE[row])
        np.testing.assert_array_equal(jit(getitem)(X, np.int32(index)).value(), VALUE[row])


def test_modes_of_reading() -> None:
    v = as_array(np.array([1, 2, 3], np.float32))
    i = np.array([0, 7, -1, -9])
    np.testing.assert_array_equal(at(v)[i].get(mode="fill").value(), [1, np.nan, 3, np.nan])
    np.testing.assert_array_equal(at(v)[i].get(mode="fill", fill_value=-5).value(), [1, -5, 3, -5])
    np.testing.assert_array_equal(at(v)[i].get(mode="clip").value(), [1, 3, 3, 1])
    np.testing.assert_array_equal(at(v)[7].get(mode="fill").value(), np.float32(np.nan))
    np.testing.assert_array_equal(at(v)[-1].get(wrap_negative_indices=False).value(), 1)
    np.testing.assert_array_equal(at(v)[-1].get(mode="fill", wrap_negative_indices=False).value(), np.float32(np.nan))
    with pytest.raises(GatherModeError) as info:
        at(v)[i].get(mode="wrap")
    assert info.value.mode == "'wrap'"


def test_modes_of_writing() -> None:
    v = as_array(np.array([1, 2, 3], np.float32))
    i = np.array([0, 7, -9])
    np.testing.assert_array_equal(at(v)[i].set(9.0).value(), [9, 2, 3])
    np.testing.assert_array_equal(at(v)[i].set(9.0, mode="clip").value(), [9, 2, 9])
    np.testing.assert_array_equal(at(v)[7].set(9.0).value(), [1, 2, 3])
    np.testing.assert_array_equal(at(v)[-1].set(9.0, wrap_negative_indices=False).value(), [1, 2, 3])


def test_the_bounds_sanitizer_sees_what_would_be_clamped_or_dropped() -> None:
    looks = {"bounds": lambda primitive, args, params: primitive.sanitize["bounds"](args, params)}
    with sanitizers(looks):
        np.testing.assert_array_equal(getitem(X, np.array([0, 3, -4])).value(), VALUE[[0, 3, -4]])
        for act, axis, index in ((lambda: getitem(X, 4), 0, 4), (lambda: getitem(X, (0, np.array([1, 9]))), 1, 9),
                                 (lambda: at(X)[:, :, 5].set(0.0), 2, 5), (lambda: at(X)[np.array([-5])].add(1.0), 0, -1)):
            with pytest.raises(OutOfBoundsError) as info:
                act()
            assert (info.value.axis, info.value.index, info.value.size) == (axis, index, SHAPE[axis])
            assert isinstance(info.value, IndexError)
            assert "out of bounds" in str(info.value)


# -- values, types, memory

def test_types_are_kept() -> None:
    weak = jit(lambda: at(as_array(2.0))[()].set(3))()
    assert weak.weak_type and weak.dtype == np.float32
    assert getitem(as_array(np.arange(3, dtype=np.int8)), 0).dtype == np.int8


def test_values_are_brought_to_the_dtype_of_the_array() -> None:
    x = as_array(np.arange(3, dtype=np.float32))
    for value in (1, True, np.float32(1), np.int8(1), as_array(np.int32(1))):
        found = at(x)[0].set(value)
        assert found.dtype == np.float32 and found.value().tolist() == [1, 1, 2]
    with pytest.warns(FutureWarning, match="cut back to int32"):
        found = at(as_array(np.arange(3)))[0].set(1.7)
    assert found.dtype == np.int32 and found.value().tolist() == [1, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        at(as_array(np.arange(3, dtype=np.float16)))[0].set(1.7)


def test_a_view_does_not_keep_a_large_array_alive() -> None:
    assert getitem(X, 0).value().base is not None
    assert getitem(BIG, 0).value().base is None
    np.testing.assert_array_equal(getitem(BIG, (2, slice(5, 9))).value(), [20005, 20006, 20007, 20008])


def test_an_update_leaves_the_array_alone() -> None:
    x = as_array(np.zeros(3, np.float32))
    y = at(x)[1].set(1.0)
    assert x.value().tolist() == [0, 0, 0] and y.value().tolist() == [0, 1, 0]


def test_floating_arithmetic_flushes_subnormals_as_xla_does() -> None:
    tiny = as_array(np.array([1e-40, 1], np.float32))
    assert at(tiny)[0].add(np.float32(1e-40)).value()[0] == 0  # NumPy says 2e-40
    assert at(tiny)[1].set(np.float32(1e-40)).value()[1] == np.float32(1e-40)  # moved, not computed with


def test_divide_power_and_apply() -> None:
    x = as_array(np.array([1, 2, 3], np.float32))
    np.testing.assert_allclose(at(x)[1:].divide(2.0).value(), [1, 1, 1.5])
    np.testing.assert_allclose(at(x)[np.array([2, 2])].divide(3.0).value(), [1, 2, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(at(x)[-1].power(2.0).value(), [1, 2, 9], rtol=1e-6)
    from perspicax.lax.elementwise import neg

    np.testing.assert_array_equal(at(x)[1:].apply(neg).value(), [1, -2, -3])
    np.testing.assert_array_equal(jit(lambda x, i: at(x)[i].apply(neg))(x, np.array([0, 2], np.int32)).value(), [-1, 2, -3])
    _, back = vjp(lambda x: at(x)[1:].apply(neg), x)
    np.testing.assert_array_equal(back(x)[0].value(), [1, -2, -3])


def test_lists_and_scalars_are_set() -> None:
    x = as_array(np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(at(x)[0].set([1, 2, 3]).value(), [[1, 2, 3], [0, 0, 0]])
    np.testing.assert_array_equal(at(x)[np.array([True, False])].set(4).value(), [[4, 4, 4], [0, 0, 0]])
    np.testing.assert_array_equal(at(x)[:].set(np.ones(3, np.float32)).value(), np.ones((2, 3)))


class Pair(ExtendedDType):
    """Elements of two words each, as random keys are."""

    name = "pair"
    type = prng_key
    physical_dtype = np.dtype(np.uint32)
    physical_shape = (2,)


WORDS = np.arange(24, dtype=np.uint32).reshape(4, 3, 2)
PAIRS = ArrayImpl(ShapedArray((4, 3), Pair()), None, WORDS)


def of_words(index: tuple) -> tuple:
    """The same index of the words."""
    return (*index, slice(None)) if any(e is ... for e in index) else index


@pytest.mark.parametrize("index", [(1,), (slice(1, 3),), (slice(None), 2), (None, -1, slice(None, None, -2)),
                                   (np.array([0, 2]),), (np.array([0, 2]), np.array([1, 1])), (..., np.array([0, 1, 1])), ()],
                         ids=str)
def test_elements_of_several_words(index: tuple) -> None:
    """The words of an element stay together, whoever indexes."""
    expected = WORDS[of_words(index)]
    for found in (getitem(PAIRS, index), jit(lambda x: getitem(x, index))(PAIRS)):
        assert found.dtype == Pair() and found.shape == expected.shape[:-1]
        np.testing.assert_array_equal(found.value(), expected)
    changed = jit(lambda x, v: at(x)[index].set(v))(PAIRS, getitem(PAIRS, (0, 0)))
    expected = WORDS.copy()
    expected[of_words(index)] = WORDS[0, 0]
    np.testing.assert_array_equal(changed.value(), expected)


def test_elements_of_several_words_at_traced_places() -> None:
    found = jit(lambda x, i: getitem(x, (i, slice(1, 3))))(PAIRS, np.int32(-1))
    np.testing.assert_array_equal(found.value(), WORDS[-1, 1:3])
    found = jit(lambda x, i: at(x)[i].get(mode="fill"))(PAIRS, np.array([1, 9], np.int32))
    np.testing.assert_array_equal(found.value(), [WORDS[1], np.full((3, 2), 2**32 - 1)])
    found = vmap(lambda x, i: getitem(x, i))(PAIRS, as_array(np.array([0, 1, 2, 0], np.int32)))
    np.testing.assert_array_equal(found.value(), WORDS[np.arange(4), [0, 1, 2, 0]])


# -- plans

def test_plans_use_the_cheapest_operation() -> None:
    def names(index: Any) -> list[str]:
        closed = stage_flat(lambda x: [getitem(x, index)], [get_aval(X)])
        return [eqn.primitive.name for eqn in closed.jaxpr.eqns]

    assert names(0) == ["slice", "squeeze"]
    assert names(slice(1, 3)) == ["slice"]
    assert names(...) == [] == names(slice(None))
    assert names((slice(None, None, -1),)) == ["rev"]
    assert names((None,)) == ["broadcast_in_dim"]
    assert names(9) == ["dynamic_slice", "squeeze"]
    assert names(np.array([0, 1])) == ["gather"]


def test_parse_tells_structure_from_values() -> None:
    items, arrays = parse(X, (1, slice(None, 2), np.array([[0, 1]])))
    assert items == (1, ("s", None, 2, None), ("a", (1, 2)))
    assert [a.tolist() for a in arrays] == [[[0, 1]]]
    items, arrays = parse(X, (np.ones((4, 3), bool), True))
    assert items == (("a", (12,)), ("a", (12,)), ("b", 1)) and len(arrays) == 3


# -- errors

def failure(index: Any) -> Exception:
    with pytest.raises(Exception) as info:
        getitem(X, index)
    str(info.value)
    return info.value


@pytest.mark.parametrize(("index", "cls", "builtin", "facts"), [
    ((0, 0, 0, 0), errors.TooManyIndicesError, IndexError, {"rank": 3, "given": 4}),
    ((..., ...), errors.SeveralEllipsesError, IndexError, {}),
    (1.0, errors.IndexTypeError, TypeError, {"index_type": "float"}),
    ("a", errors.IndexTypeError, TypeError, {"index_type": "str"}),
    (np.array([1.5]), errors.IndexTypeError, TypeError, {"index_type": "float64[1]", "is_array": True}),
    ([0, 1], errors.ListIndexError, TypeError, {"index_type": "list"}),
    (object(), errors.UnknownIndexError, IndexError, {"index_type": "object"}),
    (np.ones(3, bool), errors.MaskShapeError, IndexError, {"mask_shape": (3,), "expected": (4,), "axis": 0}),
    ((..., np.ones((3, 4), bool)), errors.MaskShapeError, IndexError, {"expected": (3, 5), "axis": 1}),
    ((np.zeros(2, int), np.zeros(3, int)), errors.IndexBroadcastError, ValueError, {"shapes": ((2,), (3,))}),
    (slice(0, 2.5), errors.SliceBoundError, TypeError, {"bound": "2.5"}),
    (slice(None, None, 0), errors.SliceStepError, ValueError, {}),
], ids=lambda v: v.__name__ if isinstance(v, type) else None)
def test_mistakes_in_an_index(index: Any, cls: type, builtin: type, facts: dict) -> None:
    error = failure(index)
    assert type(error) is cls and isinstance(error, builtin)
    for name, value in facts.items():
        assert getattr(error, name) == value
    assert "float32[4,3,5]" in str(error) or "array" in str(error)


def test_an_entry_of_an_empty_axis() -> None:
    empty = as_array(np.zeros((0, 3), np.float32))
    with pytest.raises(errors.EmptyAxisError):
        getitem(empty, 0)
    assert getitem(empty, np.zeros(0, int)).shape == (0, 3)


def test_traced_masks_and_slices_have_their_own_errors() -> None:
    with pytest.raises(NonConcreteBooleanIndexError):
        jit(lambda x, m: getitem(x, m))(X, np.ones(4, bool))
    with pytest.raises(errors.TracedSliceError) as info:
        jit(lambda x, i: getitem(x, slice(i, None)))(X, np.int32(1))
    assert "dynamic_slice_in_dim(x, start, size)" in str(info.value)


def test_a_slice_of_a_traced_start_and_a_plain_size_is_rewritten() -> None:
    def window(x: Any, i: Any) -> Any:
        return Box(x)[i:i + 2]

    with pytest.raises(errors.TracedSliceError) as info:
        jit(window)(X, np.int32(1))
    assert info.value.report.fixes[0].code == "jax.lax.dynamic_slice_in_dim(Box(x), i, 2)"


def test_values_that_do_not_fit_the_part() -> None:
    for values in (np.zeros(2, np.float32), np.zeros((1, 3, 5), np.float32)):
        with pytest.raises(errors.UpdateShapeError) as info:
            at(X)[0].set(values)
        assert info.value.part == (3, 5) and info.value.shape == values.shape


class Box:
    """Carries the methods under test as `Array` does."""

    def __init__(self, x: Any) -> None:
        self.aval, self.shape, self.ndim = x.aval, x.shape, x.ndim

    def __add__(self, other: Any) -> Any:
        return self

    __setitem__ = INDEX_METHODS["__setitem__"]
    __getitem__ = INDEX_METHODS["__getitem__"]


@pytest.mark.parametrize(("line", "proposed"), [
    ("y = x.at.add(2.0)", "x.at[index].add(2.0)"),
    ("y = x.at(0).set(2.0)", "x.at[0].set(value)"),
    ("x.at[0] = 2.0", "x = x.at[0].set(2.0)"),
    ("x.at[1:] *= 3.0", "x = x.at[1:].multiply(3.0)"),
])
def test_a_misuse_of_at_shows_how_it_is_written(line: str, proposed: str, tmp_path) -> None:
    file = tmp_path / "program.py"
    file.write_text(f"x = ones\n{line}\n")
    with pytest.raises(errors.UpdateCallError) as info:
        exec(compile(file.read_text(), str(file), "exec"), {"ones": as_array(np.ones(3, np.float32))})
    assert isinstance(info.value, AttributeError) and isinstance(info.value, TypeError)
    assert [fix.lines for fix in info.value.report.fixes] == [(proposed,)]
    assert info.value.report.labels[0].text == "float32[3]"


def test_at_answers_protocols_as_python_expects() -> None:
    assert not hasattr(at(X), "set") and not hasattr(at(X), "unknown")
    assert copy.copy(at(X)).array is X


def test_an_assignment_is_told_what_to_write_instead() -> None:
    params = Box(X)
    with pytest.raises(errors.ItemAssignmentError) as info:
        params[0, 1:] = 2 * 3
    assert isinstance(info.value, TypeError)
    assert info.value.report.fixes[0].code == "params = params.at[0, 1:].set(2 * 3)"
    with pytest.raises(errors.ItemAssignmentError) as info:
        params[...] += 5
    assert info.value.report.fixes[0].code == "params = params.at[...].add(5)"
    with pytest.raises(errors.ItemAssignmentError) as info:
        setitem_error(X, 0, 1)
    assert ".at[" in str(info.value)


def test_len_iter_and_repr() -> None:
    assert INDEX_METHODS["__len__"](X) == 4
    assert [v.value().tolist() for v in INDEX_METHODS["__iter__"](as_array(np.arange(3)))] == [0, 1, 2]
    for method in ("__len__", "__iter__"):
        with pytest.raises(TypeError):
            INDEX_METHODS[method](as_array(np.float32(1)))
    assert repr(at(X)[0, 1:3, ...]) == "<.at[0, 1:3, ...] of float32[4,3,5]: .get(), .set(values), .add(values), …>"
    assert isinstance(operator.getitem(at(X), 0), IndexUpdateRef)
    with pytest.raises(TypeError):
        at(X)[0].set(1, wrong=True)
