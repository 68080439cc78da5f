"""The elementwise primitives obey the laws, each of them; and what they do at the edges of their domains."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from elementwise_cases import CASES, Case
from laws import check_all, check_forward, check_jaxpr, check_jit, check_reverse, check_types, check_vmap, double, jit

from perspicax.core.errors import NotAnArrayError, RuleMissingError
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import bitwise, compare, convert, elementwise, incomplete, markers, special, transcendental
from perspicax.lax.accuracy import AccuracyError, AccuracyMode, Tolerance
from perspicax.lax.errors import ElementwiseShapeError, OperandDtypeError, OperandMismatchError, OperationShapeError
from perspicax.lax.special_errors import ShapeParameterGradientError
from perspicax.transform.grad import grad, jvp, vjp
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array


def dtypes_of(case: Case) -> list[str]:
    found = {"b": "bool", "s": "int32", "u": "uint8", "f": "float64", "c": "complex128"}
    return [found[k] for k in case.kinds]


TYPED = [pytest.param(case, dtype, id=f"{case}-{dtype}") for case in CASES for dtype in dtypes_of(case)]
SMOOTH = [pytest.param(case, dtype, id=f"{case}-{dtype}") for case in CASES if case.order
          for dtype in dtypes_of(case) if dtype in ("float64", "complex128")]


@pytest.mark.parametrize(("case", "dtype"), TYPED)
def test_types_jit_and_vmap(case: Case, dtype: str) -> None:
    with double():
        args = case.operands(dtype, n=2)
        check_types(case.ours, *map(as_array, args))
        check_jit(case.ours, *args, rtol=1e-12)
        check_vmap(case.ours, *args, rtol=1e-12)


@pytest.mark.parametrize(("case", "dtype"), SMOOTH)
def test_derivatives(case: Case, dtype: str) -> None:
    with double():
        args = case.operands(dtype, n=2)
        check_jaxpr(case.ours, *args, moving=case.moving)
        check_forward(case.ours, *args, order=case.order, moving=case.moving)
        check_reverse(case.ours, *args, order=case.order, moving=case.moving)


BINARY = [c for c in CASES if len(c.domains) == 2 and c.order == 2 and "f" in c.kinds]


@pytest.mark.parametrize("case", BINARY, ids=str)
@pytest.mark.parametrize("scalar", [0, 1])
def test_a_scalar_goes_with_an_array(case: Case, scalar: int) -> None:
    with double():
        args = case.operands("float64", n=2)
        args[scalar] = args[scalar][0]
        full = [np.broadcast_to(x, (2,)) for x in args]
        np.testing.assert_allclose(case.ours(*args), case.ours(*full), rtol=1e-15)  # XLA may divide by multiplying
        eqn, = stage_flat(lambda *xs: [case.ours(*xs)], [get_aval(x) for x in args]).eqns
        assert eqn.invars[scalar].aval.shape == (), "the scalar stays one in the jaxpr"
        check_forward(case.ours, *args, order=1)
        check_reverse(case.ours, *args, order=2)
        check_vmap(case.ours, *args, rtol=1e-12)


@pytest.mark.parametrize("case", [c for c in BINARY if c.name in ("add", "mul", "max", "pow", "div")], ids=str)
def test_an_axis_of_size_1_goes_with_any(case: Case) -> None:
    with double():
        x, y = case.operands("float64", n=2)
        x, y = x.reshape(2, 1), y.reshape(1, 2)
        full = [np.ascontiguousarray(v) for v in np.broadcast_arrays(x, y)]
        np.testing.assert_allclose(case.ours(x, y), case.ours(*full), rtol=1e-15)
        check_reverse(case.ours, x, y, order=1)
        check_forward(case.ours, x, y, order=1)
        check_vmap(case.ours, x, y, rtol=1e-12)


# -- select, clamp, conversion

@pytest.mark.parametrize("which", [np.array([True, False]), np.array(True)])
def test_select_obeys_the_laws(which: np.ndarray) -> None:
    x, y = np.array([1.5, 2.5]), np.array([-1., -2.])
    check_all(compare.select_n, which, x, y)
    with double():
        np.testing.assert_array_equal(compare.select(which, x, y), np.where(which, x, y))


def test_select_n_takes_the_nearest_case_for_an_index_out_of_bounds() -> None:
    cases = [np.full(6, v, np.float32) for v in (10, 20, 30, 40)]
    which = np.array([-5, 0, 1, 2, 3, 9], np.int32)
    wanted = [10, 10, 20, 30, 40, 40]
    np.testing.assert_array_equal(compare.select_n(which, *cases), wanted)
    np.testing.assert_array_equal(jit(compare.select_n)(which, *cases), wanted)
    check_vmap(compare.select_n, which[:2], *[c[:2] for c in cases[:3]])


@pytest.mark.parametrize("scalar", [(), (0,), (0, 2)])
def test_clamp_with_scalar_bounds(scalar: tuple[int, ...]) -> None:
    args: list[Any] = [np.array([-1., -1.]), np.array([-3., .5]), np.array([1., 1.])]
    for i in scalar:
        args[i] = args[i][0]
    check_all(compare.clamp, *args)
    with double():
        np.testing.assert_array_equal(compare.clamp(*args), [-1., .5])


CONVERSIONS = [(a, b) for a in ("bool", "int32", "uint8", "float64", "float32", "complex128")
               for b in ("bool", "int32", "uint8", "float64", "float32", "complex128") if a != b]


@pytest.mark.parametrize(("old", "new"), CONVERSIONS)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_conversion_is_numpy_s_within_range(old: str, new: str) -> None:
    with double():
        x = np.array([0, 1, 3, 100]).astype(old)
        found = convert.convert_element_type(x, new)
        np.testing.assert_array_equal(found, x.astype(new))
        assert found.dtype == new
        check_types(lambda v: convert.convert_element_type(v, new), as_array(x))


@pytest.mark.parametrize(("old", "new"), [("float64", "complex128"), ("complex128", "float64"), ("float64", "float32")])
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_conversion_between_inexact_dtypes_is_linear(old: str, new: str) -> None:
    with double():
        check_reverse(lambda v: convert.convert_element_type(v, new), np.array([1.5, -2.]).astype(old), order=1,
                      rtol=1e-6)
        if new != "float32":
            check_forward(lambda v: convert.convert_element_type(v, new), np.array([1.5, -2.]).astype(old), order=1)


def test_a_python_number_is_converted_from_its_full_value() -> None:
    assert int(convert.convert_element_type(2 ** 31, "uint32")) == 2 ** 31
    assert int(convert.convert_element_type(-1, "uint32")) == 2 ** 32 - 1
    assert float(convert.convert_element_type(2 ** 40, "float32")) == 2. ** 40
    assert int(convert.convert_element_type(2.7, int)) == 2
    assert not convert.convert_element_type(1.0, "float32").weak_type


def test_bitcast_changes_the_last_axis_by_the_ratio_of_widths() -> None:
    x = np.array([1., -2.], np.float32)
    for dtype, shape in (("int32", (2,)), ("uint8", (2, 4)), ("int16", (2, 2))):
        found = convert.bitcast_convert_type(x, dtype)
        assert found.shape == shape
        np.testing.assert_array_equal(np.asarray(found).reshape(-1), x.view(dtype))
        np.testing.assert_array_equal(convert.bitcast_convert_type(found, "float32"), x)
        batched = vmap(lambda v: convert.bitcast_convert_type(v, "float32"), in_axes=found.ndim - 1)(
            np.moveaxis(np.asarray(found), 0, -1) if found.ndim > 1 else np.asarray(found))
        np.testing.assert_array_equal(batched, x)
    with pytest.raises(OperationShapeError, match="float32"):
        convert.bitcast_convert_type(np.zeros((2, 3), np.uint8), "float32")
    with pytest.raises(OperandDtypeError):
        convert.bitcast_convert_type(np.array([True]), "uint8")


@pytest.mark.parametrize("f", [convert.conj, lambda z: convert.complex(convert.real(z), convert.imag(z))])
def test_parts_of_complex_numbers(f: Any) -> None:
    check_all(f, np.array([1 + 2j, -.5j]))


def test_complex_and_conj_of_real_arrays() -> None:
    check_all(convert.complex, np.array([1., 2.]), np.array([-.5, 3.]))
    check_all(convert.conj, np.array([1., 2.]))


# -- values at the edges

def values(f: Any, *args: Any) -> list[float]:
    return np.asarray(f(*[np.array(a, np.float32) for a in args])).tolist()


def test_nan_and_infinity_in_max_min_sign_and_clamp() -> None:
    nan, inf = float("nan"), float("inf")
    np.testing.assert_equal(values(elementwise.max, [nan, 1, inf], [1, nan, 2]), [nan, nan, inf])
    np.testing.assert_equal(values(elementwise.min, [nan, 1, -inf], [1, nan, 2]), [nan, nan, -inf])
    np.testing.assert_equal(values(elementwise.sign, [nan, -inf, -0., 0.]), [nan, -1., -0., 0.])
    np.testing.assert_equal(values(compare.clamp, 0., [nan, 5., -inf], 2.), [nan, 2., 0.])
    np.testing.assert_equal(values(compare.clamp, [3., nan], [1., 1.], [2., 2.]), [2., nan])


def test_powers_at_zero() -> None:
    np.testing.assert_equal(values(elementwise.pow, [0., 0., 0., 1.], [0., 2., -1., np.nan]), [1., 0., np.inf, 1.])
    assert float(grad(lambda x: elementwise.pow(x, 2))(0.)) == 0.
    assert float(grad(lambda x: elementwise.pow(x, 0))(0.)) == 0.
    assert float(grad(lambda y: elementwise.pow(0., y))(2.)) == 0.
    assert float(grad(lambda x: elementwise.integer_pow(x, 0))(0.)) == 0.
    assert float(elementwise.integer_pow(0., 0)) == 1.


def test_integer_arithmetic_wraps_and_divides_as_xla_does() -> None:
    low = np.iinfo(np.int32).min
    x = np.array([low, 7, -7, 5], np.int32)
    np.testing.assert_array_equal(elementwise.neg(x), [low, -7, 7, -5])
    np.testing.assert_array_equal(elementwise.abs(x), [low, 7, 7, 5])
    np.testing.assert_array_equal(elementwise.div(x, np.array([-1, 2, 2, 0], np.int32)), [low, 3, -3, -1])
    np.testing.assert_array_equal(elementwise.rem(x, np.array([-1, 2, 2, 0], np.int32)), [0, 1, -1, 5])
    assert int(elementwise.mulhi(np.int32(2 ** 30), np.int32(8))) == 2


def test_derivatives_at_ties_and_kinks() -> None:
    assert [float(g) for g in grad(elementwise.max, (0, 1))(2., 2.)] == [.5, .5]
    assert [float(g) for g in grad(elementwise.min, (0, 1))(1., 2.)] == [1., 0.]
    assert float(grad(elementwise.abs)(0.)) == 1.
    assert float(grad(lambda x: compare.clamp(0., x, 1.))(1.)) == 0.
    assert [float(g) for g in grad(compare.clamp, (0, 1, 2))(0., 3., 1.)] == [0., 0., 1.]
    assert float(grad(elementwise.sign)(3.)) == 0.
    assert complex(grad(elementwise.abs)(0j)) == 0j


def test_total_order_compares_what_ieee_order_does_not() -> None:
    x = np.array([-0., 0., np.nan, -np.nan], np.float32)
    y = np.array([0., -0., np.nan, -np.inf], np.float32)
    np.testing.assert_array_equal(compare.lt_to_p(x, y), [True, False, False, True])
    np.testing.assert_array_equal(compare.le_to_p(x, y), [True, False, True, True])
    np.testing.assert_array_equal(compare.eq_to_p(x, y), [False, False, True, False])


# -- what is refused

def test_dtypes_are_not_promoted() -> None:
    x = np.ones(2, np.float32)
    for other in (np.ones(2, np.int32), 2, np.float16(1)):
        with pytest.raises(OperandMismatchError) as caught:
            elementwise.add(x, other)
        assert isinstance(caught.value, TypeError)
    assert elementwise.add(x, 2.).dtype == np.float32
    assert elementwise.add(x, np.float64(2)).dtype == np.float32  # 64 bits are off


@pytest.mark.parametrize(("f", "x"), [
    (transcendental.sin, 1), (elementwise.neg, True), (elementwise.floor, 1j), (bitwise.bitwise_not, 1.),
    (elementwise.abs, np.uint8(1)), (convert.real, 1.), (convert.conj, 1), (special.erf, 1j),
    (bitwise.population_count, True), (elementwise.square, True)])
def test_dtypes_that_a_function_does_not_take(f: Any, x: Any) -> None:
    with pytest.raises(OperandDtypeError):
        f(x)
    with pytest.raises(OperandDtypeError):
        jit(f)(x)


def test_shapes_that_do_not_go_together() -> None:
    for other in (np.ones(2, np.float32), np.ones((1, 3), np.float32)):
        with pytest.raises(ElementwiseShapeError) as caught:
            elementwise.mul(np.ones(3, np.float32), other)
        assert isinstance(caught.value, TypeError)
    with pytest.raises(ElementwiseShapeError):
        compare.select(True, np.ones(2), 1.)
    with pytest.raises(ElementwiseShapeError):
        compare.clamp(np.zeros(2, np.float32), 1., 2.)
    with pytest.raises(OperationShapeError):
        compare.select_n(np.array([True, False]), 1., 2.)
    with pytest.raises(OperationShapeError):
        compare.select_n(True, 1., 2., 3.)
    with pytest.raises(OperationShapeError):
        compare.select_n(True)


def test_lists_are_no_operands() -> None:
    with pytest.raises(NotAnArrayError):
        elementwise.add([1., 2.], 1.)
    with pytest.raises(NotAnArrayError):
        jit(lambda: transcendental.sin("x"))()


def test_negative_powers_of_integers_and_bad_precisions() -> None:
    with pytest.raises(OperationShapeError):
        elementwise.integer_pow(3, -1)
    with pytest.raises(OperationShapeError):
        convert.reduce_precision(1., 0, 3)
    with pytest.raises(OperationShapeError):
        convert.reduce_precision(1., 3, -1)
    with pytest.raises(ValueError, match="7"):
        elementwise.round(1., 7)  # type: ignore[arg-type]


def test_derivatives_that_do_not_exist() -> None:
    for f in (compare.nextafter, special.zeta, incomplete.igamma_grad_a, incomplete.random_gamma_grad):
        with pytest.raises(RuleMissingError):
            grad(f)(2., 3.)
    with pytest.raises(ShapeParameterGradientError):
        grad(special.polygamma)(1., 2.)
    for argument in (0, 1):
        with pytest.raises(ShapeParameterGradientError):
            grad(incomplete.betainc, argument)(1., 2., .5)
    with double():
        assert float(grad(special.polygamma, 1)(1., 2.)) == float(special.polygamma(2., 2.))


# -- conversions of operands, accuracy, markers

class Box:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __jax_array__(self) -> Any:
        return self.value


def test_objects_that_say_jax_array_are_operands() -> None:
    assert float(elementwise.add(Box(as_array(np.float32(1))), 2.)) == 3.
    assert float(jit(lambda x: transcendental.exp(Box(x)))(0.)) == 1.
    assert float(grad(lambda x: elementwise.square(Box(x)))(3.)) == 6.


def test_an_accuracy_is_a_parameter_only_where_it_is_asked_for() -> None:
    plain, asked = (stage_flat(lambda x: [f(x)], [get_aval(np.ones(2, np.float32))]).eqns[0] for f in (
        transcendental.sin, lambda x: transcendental.sin(x, accuracy=AccuracyMode.HIGHEST)))
    assert plain.params == {}
    assert asked.params == {"accuracy": AccuracyMode.HIGHEST}
    for accuracy in (AccuracyMode.HIGHEST, AccuracyMode.DEFAULT, Tolerance(1e-3, 0., 3)):
        for f in (transcendental.sin, transcendental.exp2, elementwise.sqrt, transcendental.logistic):
            np.testing.assert_allclose(f(np.float32(.5), accuracy=accuracy), f(np.float32(.5)), rtol=1e-6)
            assert float(grad(lambda x: f(x, accuracy=accuracy))(.5)) == pytest.approx(float(grad(f)(.5)))
    for bad in ((-1., 0., 0), (0., 0., 0)):
        with pytest.raises(AccuracyError):
            Tolerance(*bad)
    with pytest.raises(AccuracyError):
        transcendental.sin(1., accuracy="high")  # type: ignore[arg-type]


def test_stop_gradient_stops_every_order_in_every_mode() -> None:
    f = lambda x: elementwise.mul(markers.stop_gradient(x), elementwise.square(x))
    assert float(grad(f)(3.)) == 18.
    assert float(grad(grad(f))(3.)) == 6.
    out, t = jvp(markers.stop_gradient, (2.,), (1.,))
    assert (float(out), float(t)) == (2., 0.)
    found = markers.stop_gradient({"a": np.ones(2, np.float32), "b": [1, None]})
    assert found["b"][1] is None
    assert int(found["b"][0]) == 1


def test_optimization_barrier_is_the_identity_under_every_transformation() -> None:
    check_all(lambda x, y: markers.optimization_barrier([x, elementwise.mul(x, y)]), np.array([1., 2.]),
              np.array([3., 4.]))
    x = np.array([1., 2.], np.float32)
    assert markers.optimization_barrier({}) == {}
    first, = vjp(lambda v: markers.optimization_barrier((v, elementwise.square(v)))[1], x)[1](np.ones(2, np.float32))
    np.testing.assert_array_equal(first, 2 * x)
    eqn, = stage_flat(lambda v: markers.optimization_barrier([v]), [get_aval(x)]).eqns
    assert eqn.primitive is markers.optimization_barrier_p


def test_copy_stage_and_dce_sink() -> None:
    x = as_array(np.array([1., 2.], np.float32))
    copied = markers.copy_p(x)
    assert not np.shares_memory(np.asarray(copied), np.asarray(x))
    check_all(markers.copy_p, np.array([1., 2.]))
    assert markers.stage(x) is x
    assert markers.stage(2.).weak_type
    assert float(jit(lambda v: elementwise.add(markers.stage(2.), v))(1.)) == 3.

    def keeps(v: Any) -> list[Any]:
        markers.dce_sink((v, elementwise.square(v)), prevent_mlir_dce=True)
        return [v]

    closed = stage_flat(keeps, [x.aval])
    assert [e.primitive.name for e in closed.eqns] == ["square", "dce_sink"]
    assert closed.jaxpr.effects
    np.testing.assert_array_equal(jit(keeps)(x)[0], x)
    np.testing.assert_array_equal(vmap(keeps)(x)[0], x)
