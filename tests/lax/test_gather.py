"""Gather and scatter: values against a slow definition, the laws of every rule, mistakes in the arguments."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import perspicax.lax.hook_table  # noqa: F401  (fills the hooks of the transformations)
from perspicax.core.errors import RuleMissingError
from perspicax.lax.elementwise import mul, neg
from perspicax.lax.errors import OperandMismatchError
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather, gather_p
from perspicax.lax.index_errors import GatherDimensionsError, GatherModeError, OutOfBoundsError, ScatterGradientError
from perspicax.lax.scattering import ScatterDimensionNumbers
from perspicax.transform.grad import jvp, vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

scatters = import_module("perspicax.lax.scattering")
RANDOM = np.random.RandomState(0)
VALUE = RANDOM.randn(5, 4).astype(np.float32)
X = as_array(VALUE)


def jit(fun: Callable[..., Any]) -> Any:
    return JitFunction(fun, JitOptions())


# Dimension numbers of each sort: (numbers, indices, windows).
CASES: dict[str, tuple[GatherDimensionNumbers, np.ndarray, tuple[int, ...]]] = {
    "rows": (GatherDimensionNumbers((1,), (0,), (0,)), np.array([[0], [4], [2], [2]]), (1, 4)),
    "entries": (GatherDimensionNumbers((), (0, 1), (1, 0)), np.array([[3, 0], [0, 4]]), (1, 1)),
    "boxes": (GatherDimensionNumbers((0, 2), (), (0, 1)), np.array([[0, 1], [3, 0], [2, 2]]), (2, 2)),
    "one": (GatherDimensionNumbers((0,), (0,), (0,)), np.array([1]), (1, 3)),
    "batching": (GatherDimensionNumbers((1,), (), (1,), (0,), (0,)), np.array([[0], [1], [2], [0], [1]]), (1, 2)),
    "outside": (GatherDimensionNumbers((1,), (0,), (0,)), np.array([[-1], [5], [1]]), (1, 4)),
    "partly outside": (GatherDimensionNumbers((1, 2), (), (0, 1)), np.array([[4, 0], [1, 2], [-1, 1]]), (2, 3)),
}
MODES = [GatherScatterMode.CLIP, GatherScatterMode.FILL_OR_DROP, GatherScatterMode.PROMISE_IN_BOUNDS]


def places(case: str, mode: GatherScatterMode) -> dict[tuple, tuple | None]:
    """For each entry of the result the entry of the operand that it comes from; `None` outside."""
    numbers, indices, windows = CASES[case]
    kept = [d for d in range(2) if d not in numbers.collapsed_slice_dims and d not in numbers.operand_batching_dims]
    found: dict[tuple, tuple | None] = {}
    for at in itertools.product(*map(range, indices.shape[:-1])):
        start = [0, 0]
        for column, axis in enumerate(numbers.start_index_map):
            start[axis] = int(indices[at][column])
        for axis, d in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims):
            start[axis] = at[d]
        inside = all(0 <= s <= n - w for s, n, w in zip(start, VALUE.shape, windows))
        clipped = [min(max(s, 0), n - w) for s, n, w in zip(start, VALUE.shape, windows)]
        for offset in itertools.product(*[range(windows[d]) for d in kept]):
            entry = list(clipped)
            for d, o in zip(kept, offset):
                entry[d] += o
            key, batch, window = [], iter(at), iter(offset)
            for i in range(len(at) + len(kept)):
                key.append(next(window) if i in numbers.offset_dims else next(batch))
            found[tuple(key)] = tuple(entry) if inside or mode is GatherScatterMode.CLIP else None
    return found


def result_shape(case: str) -> tuple[int, ...]:
    keys = np.array(list(places(case, GatherScatterMode.CLIP)))
    return tuple(int(n) for n in keys.max(0) + 1) if keys.size else ()


def is_inside(case: str) -> bool:
    return None not in places(case, GatherScatterMode.FILL_OR_DROP).values()


COMBINATIONS = [(case, mode) for case in CASES for mode in MODES
                if is_inside(case) or mode is not GatherScatterMode.PROMISE_IN_BOUNDS]


def gathered(case: str, mode: GatherScatterMode, **more: Any) -> Callable[..., Any]:
    numbers, _, windows = CASES[case]
    return lambda x, i: gather(x, i, numbers, windows, mode=mode, **more)


@pytest.mark.parametrize(("case", "mode"), COMBINATIONS)
def test_gather_by_its_definition(case: str, mode: GatherScatterMode) -> None:
    indices = as_array(CASES[case][1].astype(np.int32))
    expected = np.full(result_shape(case), np.nan, np.float32)
    for key, entry in places(case, mode).items():
        if entry is not None:
            expected[key] = VALUE[entry]
    fun = gathered(case, mode)
    np.testing.assert_array_equal(fun(X, indices).value(), expected)
    np.testing.assert_array_equal(jit(fun)(X, indices).value(), expected)


UFUNCS: dict[str, Any] = {"scatter": None, "scatter_add": np.add, "scatter_sub": np.subtract, "scatter_mul": np.multiply,
                          "scatter_min": np.minimum, "scatter_max": np.maximum}


def scattered(name: str, case: str, mode: GatherScatterMode, **more: Any) -> Callable[..., Any]:
    numbers = ScatterDimensionNumbers(*CASES[case][0])
    return lambda x, i, u: getattr(scatters, name)(x, i, u, numbers, mode=mode, **more)


def expected_scatter(name: str, case: str, mode: GatherScatterMode, x: np.ndarray, updates: np.ndarray) -> np.ndarray:
    result = x.copy()
    for key, entry in places(case, mode).items():
        if entry is not None:
            ufunc = UFUNCS[name]
            result[entry] = updates[key] if ufunc is None else ufunc(result[entry], updates[key])
    return result


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize(("case", "mode"), COMBINATIONS)
def test_scatter_by_its_definition_on_integers(name: str, case: str, mode: GatherScatterMode) -> None:
    """On integers NumPy does it; entries that windows share are set to one value, for any of them may win."""
    x = RANDOM.randint(-9, 9, VALUE.shape).astype(np.int32)
    updates = RANDOM.randint(-9, 9, result_shape(case)).astype(np.int32)
    updates = np.full_like(updates, 77) if name == "scatter" else updates
    indices = as_array(CASES[case][1].astype(np.int32))
    found = scattered(name, case, mode)(as_array(x), indices, as_array(updates))
    np.testing.assert_array_equal(found.value(), expected_scatter(name, case, mode, x, updates))


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("case", ["rows", "boxes", "batching", "partly outside"])
def test_a_compiled_scatter_by_its_definition(name: str, case: str) -> None:
    updates = np.abs(RANDOM.randn(*result_shape(case))).astype(np.float32)
    updates = np.full_like(updates, 7) if name == "scatter" else updates
    indices = as_array(CASES[case][1].astype(np.int32))
    for mode in (GatherScatterMode.CLIP, GatherScatterMode.FILL_OR_DROP):
        found = jit(scattered(name, case, mode))(X, indices, as_array(updates))
        np.testing.assert_allclose(found.value(), expected_scatter(name, case, mode, VALUE, updates), rtol=1e-5, atol=1e-6)


# -- derivatives

def check_derivatives(fun: Callable[..., Any], *primals: np.ndarray, tolerance: float = 2e-3) -> None:
    """Central differences, and ⟨ȳ, J dx⟩ = ⟨Jᵀ ȳ, dx⟩."""
    random = np.random.RandomState(5)
    tangents = [random.randn(*p.shape).astype(np.float32) for p in primals]
    arrays = tuple(as_array(p) for p in primals)
    out, moved = jvp(fun, arrays, tuple(as_array(t) for t in tangents))
    h = np.float32(1e-3)
    ahead = fun(*[as_array(p + h * t) for p, t in zip(primals, tangents)]).value()
    behind = fun(*[as_array(p - h * t) for p, t in zip(primals, tangents)]).value()
    np.testing.assert_allclose(moved.value(), (ahead - behind) / (2 * h), atol=tolerance)
    ct = random.randn(*out.shape).astype(np.float32)
    _, back = vjp(fun, *arrays)
    found = sum(float(np.vdot(c.value(), t)) for c, t in zip(back(as_array(ct)), tangents))
    assert found == pytest.approx(float(np.vdot(ct, moved.value())), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_derivative_of_gather(case: str) -> None:
    indices = as_array(CASES[case][1].astype(np.int32))
    fun = gathered(case, GatherScatterMode.FILL_OR_DROP, fill_value=0)
    check_derivatives(lambda x: fun(x, indices), VALUE)


@pytest.mark.parametrize("case", ["rows", "boxes", "partly outside"])
@pytest.mark.parametrize("name", ["scatter_add", "scatter_sub", "scatter", "scatter_min", "scatter_max"])
def test_derivatives_of_scatters(name: str, case: str) -> None:
    updates = RANDOM.randn(*result_shape(case)).astype(np.float32)
    indices = as_array(CASES[case][1].astype(np.int32))
    fun = scattered(name, case, GatherScatterMode.FILL_OR_DROP)
    check_derivatives(lambda x, u: fun(x, indices, u), VALUE, updates)
    check_derivatives(lambda u: fun(X, indices, u), updates)
    check_derivatives(lambda x: fun(x, indices, as_array(updates)), VALUE)


def test_derivatives_with_unique_indices() -> None:
    indices = as_array(np.array([[3, 0], [0, 4]], np.int32))
    updates = RANDOM.randn(2).astype(np.float32)
    for name in ("scatter", "scatter_mul"):
        fun = scattered(name, "entries", GatherScatterMode.FILL_OR_DROP, unique_indices=True)
        check_derivatives(lambda x, u, fun=fun: fun(x, indices, u), VALUE, updates)


def test_an_extremum_shares_its_derivative_among_all_that_attain_it() -> None:
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    x, updates = as_array(np.array([2.0, 1.0, 5.0], np.float32)), as_array(np.array([2.0, 2.0, 3.0, 4.0], np.float32))
    indices = as_array(np.array([[0], [0], [1], [2]], np.int32))
    _, back = vjp(lambda x, u: scatters.scatter_max(x, indices, u, numbers), x, updates)
    cx, cu = back(as_array(np.array([3.0, 10.0, 20.0], np.float32)))
    np.testing.assert_allclose(cx.value(), [1, 0, 20], rtol=1e-6)
    np.testing.assert_allclose(cu.value(), [1, 1, 10, 0], rtol=1e-6)


def test_derivatives_that_do_not_exist() -> None:
    indices = as_array(CASES["rows"][1].astype(np.int32))
    updates = as_array(np.ones((4, 4), np.float32))
    fun = scattered("scatter_mul", "rows", GatherScatterMode.FILL_OR_DROP)
    with pytest.raises(ScatterGradientError) as info:
        vjp(lambda u: fun(X, indices, u), updates)
    assert isinstance(info.value, NotImplementedError) and "unique_indices=True" in str(info.value)
    numbers = ScatterDimensionNumbers(*CASES["rows"][0])
    with pytest.raises(ScatterGradientError):
        jvp(lambda x: scatters.scatter_apply(x, indices, neg, numbers, update_shape=(4, 4)), (X,), (X,))
    with pytest.raises(RuleMissingError):
        scatters.scatter_max_p.rule("transpose")


# -- batches

@pytest.mark.parametrize("batched", [b for b in itertools.product((False, True), repeat=3) if any(b)], ids=str)
@pytest.mark.parametrize("case", ["rows", "batching", "partly outside"])
def test_batches(case: str, batched: tuple[bool, bool, bool]) -> None:
    indices = CASES[case][1].astype(np.int32)
    updates = RANDOM.randn(*result_shape(case)).astype(np.float32)
    single = [VALUE, indices, updates]
    stacked = [np.stack([VALUE, -VALUE, 2 * VALUE], 1), np.stack([indices, indices[::-1], 1 - indices]),
               np.stack([updates, -updates, 2 * updates], -1)]
    where = (1, 0, -1)
    axes = tuple(a if b else None for a, b in zip(where, batched))
    args = [as_array(v if b else s) for v, s, b in zip(stacked, single, batched)]
    examples = [[as_array(np.moveaxis(v, a, 0)[i] if b else s) for v, s, a, b in zip(stacked, single, where, batched)]
                for i in range(3)]
    mode = GatherScatterMode.FILL_OR_DROP
    add = scattered("scatter_add", case, mode)
    found = vmap(add, in_axes=axes)(*args).value()
    np.testing.assert_allclose(found, np.stack([add(*e).value() for e in examples]), rtol=1e-6)
    if batched[0] or batched[1]:
        read = gathered(case, mode)
        found = vmap(read, in_axes=axes[:2])(*args[:2]).value()
        np.testing.assert_array_equal(found, np.stack([read(*e[:2]).value() for e in examples]))


# -- particular values

@pytest.mark.parametrize(("dtype", "fill"), [("float32", np.nan), ("int16", -2**15), ("uint8", 255), ("bool", True),
                                             ("complex64", complex(np.nan, 0))])
def test_what_is_read_outside(dtype: str, fill: Any) -> None:
    numbers = GatherDimensionNumbers((), (0,), (0,))
    x, i = as_array(np.zeros(3, dtype)), as_array(np.array([[1], [3]], np.int32))
    found = gather(x, i, numbers, (1,), mode="fill").value()
    compiled = jit(lambda x, i: gather(x, i, numbers, (1,), mode="fill"))(x, i).value()
    expected = np.zeros(2, dtype)
    expected[1] = fill
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(compiled, expected)


def test_small_and_unsigned_index_types() -> None:
    numbers = GatherDimensionNumbers((), (0,), (0,))
    x = as_array(np.arange(300, dtype=np.float32))
    for dtype, i, expected in ((np.int8, 127, 127), (np.uint8, 255, 255), (np.int8, -1, np.nan), (np.uint32, 300, np.nan)):
        found = jit(lambda x, i: gather(x, i, numbers, (1,), mode="fill"))(x, as_array(np.array([i], dtype))).value()
        np.testing.assert_array_equal(found, np.float32(expected))
    found = jit(lambda x, i, u: scatters.scatter(x, i, u, ScatterDimensionNumbers((), (0,), (0,)), mode="clip"))(
        x, as_array(np.array([-3], np.int8)), as_array(np.float32(9)))
    assert found.value()[0] == 9


def test_scatter_apply_applies_as_often_as_an_index_occurs() -> None:
    numbers = ScatterDimensionNumbers((1,), (0,), (0,))
    indices = as_array(np.array([[0], [2], [2], [9]], np.int32))
    found = scatters.scatter_apply(X, indices, lambda v: mul(v, np.float32(2)), numbers, update_shape=(4, 4)).value()
    np.testing.assert_array_equal(found, VALUE * np.array([2, 1, 4, 1, 1], np.float32)[:, None])
    with pytest.raises(ScatterGradientError):
        jit(lambda x, c: scatters.scatter_apply(x, indices, lambda v: mul(v, c), numbers, update_shape=(4, 4)))(X, X)


def test_modes_by_name() -> None:
    assert GatherScatterMode.from_any(None) is GatherScatterMode.FILL_OR_DROP is GatherScatterMode.from_any("drop")
    assert GatherScatterMode.from_any("clip") is GatherScatterMode.CLIP
    with pytest.raises(GatherModeError):
        GatherScatterMode.from_any("wrap")
    one_hot = gather(X, np.array([[9]]), CASES["rows"][0], (1, 4), mode="one_hot")
    np.testing.assert_array_equal(one_hot.value(), np.zeros((1, 4)))


# -- mistakes

def numbers_with(**changes: Any) -> GatherDimensionNumbers:
    return CASES["rows"][0]._replace(**changes)


@pytest.mark.parametrize("call", [
    lambda: gather(X, np.array([[0]]), numbers_with(offset_dims=(4,)), (1, 4)),
    lambda: gather(X, np.array([[0]]), numbers_with(collapsed_slice_dims=(3,)), (1, 4)),
    lambda: gather(X, np.array([[0]]), CASES["rows"][0], (2, 4)),
    lambda: gather(X, np.array([[0]]), CASES["rows"][0], (2,)),
    lambda: gather(X, np.array([[0]]), numbers_with(start_index_map=(0, 1)), (1, 4)),
    lambda: gather(X, np.array([[0, 0]]), numbers_with(start_index_map=(0, 0)), (1, 4)),
    lambda: gather(X, np.array([[0.0]]), CASES["rows"][0], (1, 4)),
    lambda: gather(X, np.array([[0]]), numbers_with(offset_dims=(0, 1)), (1, 4)),
    lambda: scatters.scatter(X, np.array([[0]]), np.ones((1, 7), np.float32), ScatterDimensionNumbers((1,), (0,), (0,))),
    lambda: scatters.scatter(X, np.array([[0]]), np.ones((2, 4), np.float32), ScatterDimensionNumbers((1,), (0,), (0,))),
    lambda: scatters.scatter(X, np.array([[0]]), np.ones(4, np.float32), ScatterDimensionNumbers((1,), (0,), (0,))),
], ids=range(11))
def test_dimension_numbers_that_do_not_fit(call: Callable[[], Any]) -> None:
    with pytest.raises(GatherDimensionsError) as info:
        call()
    assert isinstance(info.value, TypeError) and isinstance(info.value, ValueError) and "why" in str(info.value)


def test_updates_have_the_dtype_of_the_operand() -> None:
    with pytest.raises(OperandMismatchError):
        scatters.scatter(X, np.array([[0]]), np.ones((1, 4), np.int32), ScatterDimensionNumbers((1,), (0,), (0,)))
    with pytest.raises(TypeError):
        scatters.scatter_add(as_array(VALUE > 0), np.array([[0]]), np.ones((1, 4), bool),
                             ScatterDimensionNumbers((1,), (0,), (0,)))


def test_what_the_bounds_sanitizer_asks() -> None:
    numbers, indices, windows = CASES["partly outside"]
    params = {"dimension_numbers": numbers, "slice_sizes": windows, "mode": GatherScatterMode.CLIP}
    gather_p.sanitize["bounds"]((X, as_array(np.array([[3, 1]], np.int32))), params)
    with pytest.raises(OutOfBoundsError) as info:
        gather_p.sanitize["bounds"]((X, as_array(indices.astype(np.int32))), params)
    assert (info.value.axis, info.value.index, info.value.window) == (0, 4, 2)
