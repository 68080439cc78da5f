"""Reductions: values against NumPy, the laws of every rule, windows, functions of the user's, mistakes."""
from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import laws
import numpy as np
import pytest

from perspicax.core import dtypes
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import bitwise, elementwise
from perspicax.lax.conv_dimensions import padtype_to_pads
from perspicax.lax.conv_errors import PaddingError
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.reduce_errors import (
    EmptyReductionError,
    IndexDTypeError,
    ReductionAxesError,
    ReductionClosureError,
    ReductionFunctionError,
    ReductionOperandsError,
    WindowError,
)
from perspicax.lax.reduce_function import reduce
from perspicax.lax.reductions import (
    argmax,
    argmin,
    reduce_and,
    reduce_max,
    reduce_min,
    reduce_or,
    reduce_prod,
    reduce_sum,
    reduce_xor,
)
from perspicax.lax.window import reduce_window, reduce_window_max, reduce_window_min, reduce_window_sum
from perspicax.transform.grad import grad, jvp, vjp
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

RANDOM = np.random.default_rng(0)
X = RANDOM.permutation(6).reshape(2, 3) * 0.5 + 0.25
NAMED: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (reduce_sum, np.sum), (reduce_prod, np.prod), (reduce_max, np.max), (reduce_min, np.min)]
BITS: list[tuple[Callable[..., Any], Any]] = [
    (reduce_or, np.bitwise_or), (reduce_and, np.bitwise_and), (reduce_xor, np.bitwise_xor)]


def primitives_of(f: Callable[..., Any], *args: Any) -> list[str]:
    closed = stage_flat(lambda *xs: laws.listed(f(*xs)), [get_aval(x) for x in args])
    return [eqn.primitive.name for eqn in closed.eqns]


# -- named reductions

@pytest.mark.parametrize(("f", "numpy_f"), NAMED, ids=[f.__name__ for f, _ in NAMED])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), (1, 0), ()])
def test_values(f: Callable[..., Any], numpy_f: Callable[..., Any], axes: tuple) -> None:
    with laws.double():
        np.testing.assert_allclose(np.asarray(f(X, axes)), numpy_f(X, axes), rtol=1e-12)
    for dtype in (np.int32, np.uint8):
        x = (X * 40).astype(dtype)
        np.testing.assert_array_equal(np.asarray(f(x, axes)),
                                      numpy_f(x, axes, dtype=dtype) if f in (reduce_sum, reduce_prod) else numpy_f(x, axes))
        laws.check_jit(lambda x: f(x, axes), x)


@pytest.mark.parametrize(("f", "numpy_f"), NAMED, ids=[f.__name__ for f, _ in NAMED])
@pytest.mark.parametrize("axes", [(1,), (0, 1)])
def test_laws(f: Callable[..., Any], numpy_f: Callable[..., Any], axes: tuple) -> None:
    laws.check_all(lambda x: f(x, axes), X)


@pytest.mark.parametrize(("f", "ufunc"), BITS, ids=[f.__name__ for f, _ in BITS])
@pytest.mark.parametrize("dtype", [np.bool_, np.int32, np.uint8])
def test_bits(f: Callable[..., Any], ufunc: Any, dtype: Any) -> None:
    x = RANDOM.integers(0, 100, (2, 3)).astype(dtype)
    np.testing.assert_array_equal(np.asarray(f(x, (0,))), ufunc.reduce(x, 0))
    laws.check_all(lambda x: f(x, (1,)), x, differentiable=False)


@pytest.mark.parametrize("f", [f for f, _ in NAMED + BITS], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float32", "float8_e4m3fn"])
def test_nothing_gives_the_identity(f: Callable[..., Any], dtype: str) -> None:
    """Compiled and on the host."""
    kind = dtypes.to_dtype(dtype)
    empty, one = np.zeros((0, 2), kind), np.ones((1, 2), kind)
    try:
        identity = np.asarray(f(as_array(empty), (0,)))
    except OperandDtypeError:
        assert dtype == "bool" or f in [g for g, _ in BITS]
        return
    np.testing.assert_array_equal(np.asarray(laws.jit(lambda x: f(x, (0,)))(empty)), identity)
    joined = np.concatenate([identity[None], one])
    np.testing.assert_array_equal(np.asarray(f(as_array(joined), (0,))), one[0])


def test_nan_and_ties() -> None:
    x = np.float32([[1, np.nan], [1, 2]])
    assert np.isnan(np.asarray(reduce_max(x, (0,)))).tolist() == [False, True]
    gradient = grad(lambda x: reduce_max(x, (0,)))(np.float32([3, 1, 3]))
    assert np.asarray(gradient).tolist() == [0.5, 0, 0.5]


def test_the_derivative_of_a_product_with_zeros() -> None:
    for x, wanted in (([2, 0, 3], [0, 6, 0]), ([0, 0, 3], [0, 0, 0]), ([2, 3, 4, 5], [60, 40, 30, 24]), ([7], [1])):
        assert np.asarray(grad(lambda x: reduce_prod(x, (0,)))(np.float32(x))).tolist() == wanted
    assert grad(lambda x: reduce_prod(x, (0,)))(np.zeros(0, np.float32)).shape == (0,)


def test_complex_extremes() -> None:
    x = np.complex64([1 + 2j, 1 + 3j, 5j])
    assert complex(reduce_max(x, (0,))) == 1 + 3j
    assert complex(reduce_min(x, (0,))) == 5j


# -- argmax and argmin

@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8", "bool"])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_index_of_an_extreme(dtype: str, axis: int) -> None:
    x = RANDOM.integers(0, 2, (3, 4)).astype(dtypes.to_dtype(dtype))  # with ties
    for f, numpy_f in ((argmax, np.argmax), (argmin, np.argmin)):
        found = f(as_array(x), axis, np.int32)
        assert found.dtype == np.int32 and not found.weak_type
        np.testing.assert_array_equal(np.asarray(found), numpy_f(x.astype(np.float32), axis))
        np.testing.assert_array_equal(np.asarray(laws.jit(lambda x: f(x, axis, np.int32))(x)), np.asarray(found))


def test_the_first_nan_is_the_extreme() -> None:
    x = np.float32([1, np.nan, 3, np.nan])
    assert (int(argmax(x, 0, np.int32)), int(argmin(x, 0, np.int32))) == (1, 1)
    infinite = np.float32([-np.inf, -np.inf])
    assert (int(argmax(infinite, 0, np.int32)), int(argmin(-infinite, 0, np.int32))) == (0, 0)


def test_laws_of_argmax() -> None:
    laws.check_all(lambda x: argmax(x, 1, np.int32), X, differentiable=False)
    assert jvp(lambda x: argmax(x, 0, np.int32), (X.astype("f"),), (X.astype("f"),))[1].dtype == dtypes.float0


# -- functions of the user's

def joined(a: Any, b: Any) -> Any:
    """Associative: (1 + a)(1 + b) - 1."""
    return elementwise.add(elementwise.add(a, b), elementwise.mul(a, b))


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_function(axes: tuple) -> None:
    with laws.double():
        found = np.asarray(reduce(X, 0.0, joined, axes))
        np.testing.assert_allclose(found, np.prod(1 + X, axes) - 1, rtol=1e-12)


def test_laws_of_a_function() -> None:
    laws.check_all(lambda x: reduce(x, 0.0, joined, (1,)), X)


def test_several_operands() -> None:
    def best(a: tuple, b: tuple) -> tuple:
        """The value of the larger key, and the sum of the keys."""
        return elementwise.max(a[0], b[0]), elementwise.add(a[1], b[1])

    found = reduce((X, X), (-np.inf, 0.0), best, (0,))
    with laws.double():
        found = reduce((X, X), (-np.inf, 0.0), best, (0,))
        np.testing.assert_array_equal(np.asarray(found[0]), X.max(0))
        np.testing.assert_allclose(np.asarray(found[1]), X.sum(0))
        laws.check_all(lambda x, y: list(reduce((x, y), (-np.inf, 0.0), best, (1,))), X, X * 2, order=1)


def test_a_batched_initial_value() -> None:
    starts = np.float32([0, 1, 2])
    found = vmap(lambda s: reduce(X.astype("f"), s, joined, (0, 1)))(starts)
    np.testing.assert_allclose(np.asarray(found), (1 + starts) * np.prod(1 + X) - 1, rtol=1e-5)
    assert float(grad(lambda s: reduce(X.astype("f"), s, joined, (0, 1)))(np.float32(2))) == \
        pytest.approx(np.prod(1 + X), rel=1e-5)


def test_a_function_that_calls_a_compiled_function() -> None:
    inner = laws.jit(joined)
    np.testing.assert_allclose(np.asarray(reduce(X.astype("f"), 0.0, lambda a, b: inner(a, b), (0,))),
                               np.prod(1 + X, 0) - 1, rtol=1e-5)


@pytest.mark.parametrize(("f", "start", "name"), [
    (elementwise.add, 0.0, "reduce_sum"), (elementwise.mul, 1.0, "reduce_prod"), (elementwise.max, -np.inf, "reduce_max"),
    (elementwise.min, np.inf, "reduce_min"), (elementwise.add, 1.0, "reduce"), (elementwise.max, 0.0, "reduce"),
    (elementwise.sub, 0.0, "reduce"), (lambda a, b: elementwise.add(b, a), 0.0, "reduce"), (lambda a, b: a, 0.0, "reduce"),
])
def test_known_functions_are_recognised(f: Any, start: float, name: str) -> None:
    assert primitives_of(lambda x: reduce(x, start, f, (0,)), X.astype("f")) == [name]


@pytest.mark.parametrize(("f", "start", "name"), [
    (bitwise.bitwise_or, 0, "reduce_or"), (bitwise.bitwise_and, -1, "reduce_and"), (bitwise.bitwise_xor, 0, "reduce_xor"),
    (bitwise.bitwise_and, 0, "reduce")])
def test_known_functions_of_bits_are_recognised(f: Any, start: int, name: str) -> None:
    assert primitives_of(lambda x: reduce(x, start, f, (0,)), np.ones((2, 3), np.int32)) == [name]


def test_a_function_is_staged_once() -> None:
    calls = []

    def counted(a: Any, b: Any) -> Any:
        calls.append(1)
        return joined(a, b)

    for _ in range(3):
        reduce(X.astype("f"), 0.0, counted, (0,))
    assert len(calls) == 1
    reduce(X.astype(np.float16), 0.0, counted, (0,))
    assert len(calls) == 2


# -- windows

IMAGE = RANDOM.permutation(20).reshape(4, 5) * 0.25 + 0.1


def pooled(x: np.ndarray, f: Callable[[np.ndarray], Any], start: float, window: tuple, strides: tuple, pads: Any) -> np.ndarray:
    """The definition: the padded array, window after window."""
    padded = np.pad(x, pads, constant_values=start)
    sizes = [(n - w) // s + 1 for n, w, s in zip(padded.shape, window, strides)]
    out = np.empty(sizes)
    for place in itertools.product(*map(range, sizes)):
        out[place] = f(padded[tuple([slice(p * s, p * s + w) for p, s, w in zip(place, strides, window)])])
    return out


WINDOWS = [((2, 2), (2, 2), "VALID"), ((3, 2), (1, 2), "SAME"), ((2, 3), (2, 1), ((1, 0), (0, 2)))]
POOLS: list[tuple[Any, Any, float, Any]] = [
    (elementwise.add, reduce_window_sum, 0.0, np.sum), (elementwise.max, reduce_window_max, -np.inf, np.max),
    (elementwise.min, reduce_window_min, np.inf, np.min)]


@pytest.mark.parametrize(("window", "strides", "padding"), WINDOWS)
@pytest.mark.parametrize(("f", "named", "start", "numpy_f"), POOLS, ids=["sum", "max", "min"])
def test_windows(f: Any, named: Any, start: float, numpy_f: Any, window: tuple, strides: tuple, padding: Any) -> None:
    pads = padtype_to_pads(IMAGE.shape, window, strides, padding) if isinstance(padding, str) else padding
    wanted = pooled(IMAGE, numpy_f, start, window, strides, pads)
    with laws.double():
        found = reduce_window(IMAGE, start, f, window, strides, padding)
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-12)
        np.testing.assert_array_equal(np.asarray(named(IMAGE, window, strides, padding)), np.asarray(found))


@pytest.mark.parametrize(("f", "named", "start", "numpy_f"), POOLS, ids=["sum", "max", "min"])
def test_laws_of_windows(f: Any, named: Any, start: float, numpy_f: Any) -> None:
    laws.check_all(lambda x: named(x, (2, 3), (2, 1), ((1, 0), (0, 2))), IMAGE[:3, :4])


@pytest.mark.parametrize(("f", "named", "start", "numpy_f"), POOLS, ids=["sum", "max", "min"])
def test_laws_of_dilated_windows(f: Any, named: Any, start: float, numpy_f: Any) -> None:
    laws.check_all(lambda x: named(x, (3,), (2,), ((1, 0),), base_dilation=(2,)), IMAGE[0])
    laws.check_all(lambda x: named(x, (2,), (1,), ((1, 1),), window_dilation=(2,)), IMAGE[0])
    if f is elementwise.add:  # windows of gaps alone have no largest entry
        laws.check_all(lambda x: named(x, (2,), (1,), ((1, 1),), base_dilation=(2,), window_dilation=(2,)), IMAGE[0])


def test_laws_of_windows_with_a_function() -> None:
    laws.check_all(lambda x: reduce_window(x, 0.0, joined, (2, 2), (1, 2), ((0, 1), (0, 0))), X, order=1)


def test_the_derivative_of_a_maximum_goes_to_the_first_of_equal_entries() -> None:
    out, back = vjp(lambda x: reduce_window_max(x, (2,)), np.float32([1, 1, 0]))
    assert np.asarray(back(np.float32([10, 20]))[0]).tolist() == [10, 20, 0]
    assert out.shape == (2,)


def test_known_functions_of_windows_are_recognised() -> None:
    for f, _, start, _ in POOLS:
        (name,) = primitives_of(lambda x: reduce_window(x, start, f, (2, 2)), X.astype("f"))
        assert name in ("reduce_window_sum", "reduce_window_max", "reduce_window_min")
    assert primitives_of(lambda x: reduce_window(x, 1.0, elementwise.mul, (2, 2)), X.astype("f")) == ["reduce_window"]


# -- mistakes

x23 = X.astype(np.float32)
MISTAKES: list[tuple[str, Callable[[], Any], type, dict]] = [
    ("an axis twice", lambda: reduce_sum(x23, (0, 0)), ReductionAxesError, {"operation": "reduce_sum", "axes": (0, 0)}),
    ("booleans added", lambda: reduce_sum(x23 > 0, (0,)), OperandDtypeError, {"operation": "reduce_sum"}),
    ("bits of floats", lambda: reduce_or(x23, (0,)), OperandDtypeError, {"operation": "reduce_or"}),
    ("no such axis", lambda: argmax(x23, 2, np.int32), ReductionAxesError, {"axes": (2,)}),
    ("an empty axis", lambda: argmin(x23[:0], 0, np.int32), EmptyReductionError, {"operation": "argmin"}),
    ("a floating index", lambda: argmax(x23, 0, np.float32), IndexDTypeError, {"dtype": "float32"}),
    ("largest complex", lambda: argmax(x23.astype(np.complex64), 0, np.int32), OperandDtypeError, {}),
    ("other trees", lambda: reduce((x23, x23), (0.0,), joined, (0,)), ReductionOperandsError, {"kind": "structure"}),
    ("no operands", lambda: reduce((), (), joined, (0,)), ReductionOperandsError, {"kind": "none"}),
    ("other shapes", lambda: reduce((x23, x23[0]), (0.0, 0.0), lambda a, b: a, (0,)), ReductionOperandsError,
     {"kind": "shapes"}),
    ("an initial array", lambda: reduce(x23, x23[0], joined, (0,)), ReductionOperandsError, {"kind": "initial"}),
    ("another dtype", lambda: reduce(x23, np.int32(0), joined, (0,)), ReductionOperandsError, {"kind": "dtypes"}),
    ("an axis that is not there", lambda: reduce(x23, 0.0, elementwise.add, (5,)), ReductionAxesError, {"axes": (5,)}),
    ("a negative axis", lambda: reduce(x23, 0.0, joined, (-1,)), ReductionAxesError, {"axes": (-1,)}),
    ("a function that returns an array", lambda: reduce(x23, 0.0, lambda a, b: as_array(x23), (0,)),
     ReductionFunctionError, {"expected": "float32[]", "got": "float32[2,3]"}),
    ("a function that returns too little", lambda: reduce((x23, x23), (0.0, 0.0), lambda a, b: a[0], (0,)),
     ReductionFunctionError, {"expected": "(*, *)", "got": "*"}),
    ("a function that returns another dtype", lambda: reduce(x23, 0.0, lambda a, b: as_array(np.int32(1)), (0,)),
     ReductionFunctionError, {"got": "int32[]"}),
    ("a window of another rank", lambda: reduce_window_sum(x23, (2,)), WindowError,
     {"name": "window_dimensions", "kind": "length"}),
    ("a stride of 0", lambda: reduce_window_sum(x23, (2, 2), (0, 1)), WindowError,
     {"name": "window_strides", "kind": "positive"}),
    ("padding that removes all", lambda: reduce_window_sum(x23, (1, 1), None, ((-3, 0), (0, 0))), WindowError,
     {"name": "padding", "kind": "padding"}),
    ("an unknown padding", lambda: reduce_window_sum(x23, (1, 1), None, "FULL"), PaddingError, {"kind": "name"}),
]


@pytest.mark.parametrize(("mistake", "f", "error", "facts"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_reported(mistake: str, f: Callable[[], Any], error: type, facts: dict) -> None:
    with pytest.raises(error) as found:
        f()
    assert {name: getattr(found.value, name) for name in facts} == facts
    report = found.value.full_report  # type: ignore[attr-defined]
    assert report.says and report.why and "could not be made" not in str(report.notes)


def test_a_function_must_not_use_traced_values_from_outside() -> None:
    with pytest.raises(ReductionClosureError) as found:
        laws.jit(lambda x, c: reduce(x, 0.0, lambda a, b: elementwise.mul(joined(a, b), c), (0,)))(x23, np.float32(2))
    assert isinstance(found.value, NotImplementedError)
    assert found.value.operation == "reduce"
