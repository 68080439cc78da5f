"""Elementwise functions of lax against JAX: values, dtypes, weak types, derivatives, errors, and the jaxpr."""
from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax as oracle

sys.path.insert(0, str(Path(__file__).parents[1] / "lax"))
from elementwise_cases import CASES, Case, function
from laws import double, jit

from perspicax.core import dtypes
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import bitwise, compare, convert, elementwise, markers
from perspicax.lax.accuracy import AccuracyMode, Tolerance
from perspicax.transform.grad import grad, jvp, vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.linear_transpose import linear_transpose

pytestmark = pytest.mark.oracle

EDGES = np.array([0., -0., 1., -1., np.inf, -np.inf, np.nan, .5, -2.5, 3., 1e-45, 3e38, 8.000001, -100.], np.float32)
COMPLEX_EDGES = np.array([0, 1, -1, 1j, -1j, 1 + 1j, -2 - .5j, 1e-3 + 3j, 30 + 1j, np.inf, np.nan, complex(0, -0.),
                          complex(-1, -0.), complex(1, 1e-3)], np.complex64)
FLOATING = [c for c in CASES if "f" in c.kinds]
BY_KIND = {"b": "bool", "s": "int32", "u": "uint8", "f": "float32", "c": "complex64"}


def agree(ours: Any, theirs: Any, ulps: int = 0, what: str = "") -> None:
    """Same dtype, weak type, shape, and values to so many units in the last place; signs of zeros count."""
    assert (str(ours.dtype), ours.shape) == (str(theirs.dtype), theirs.shape), what
    assert getattr(ours, "weak_type", False) == getattr(theirs, "weak_type", False), f"{what}: weak types differ"
    a, b = np.asarray(ours), np.asarray(theirs)
    if a.dtype.kind == "V":  # NumPy knows no NaN of bfloat16
        a, b = a.astype(np.float32), b.astype(np.float32)
    if ulps == 0 or a.dtype.kind not in "fc":
        np.testing.assert_array_equal(a, b, err_msg=what)
        if a.dtype.kind == "f":
            defined = ~np.isnan(b)
            np.testing.assert_array_equal(np.signbit(a)[defined], np.signbit(b)[defined], err_msg=f"{what}: signs")
    else:
        np.testing.assert_allclose(a, b, rtol=ulps * np.finfo(a.dtype).eps, atol=1e-37, err_msg=what)


def edge_operands(case: Case, dtype: str) -> list[np.ndarray]:
    if dtype == "float32":
        values = EDGES
    elif dtype == "complex64":
        values = COMPLEX_EDGES
    else:
        values = case.operands(dtype, n=14)[0]
        if values.dtype.kind == "i":
            values[:4] = [np.iinfo(values.dtype).min, np.iinfo(values.dtype).max, 0, 31]
    return [np.roll(values, 3 * i) for i in range(len(case.domains))]


@pytest.mark.parametrize(("case", "dtype"), [pytest.param(c, BY_KIND[k], id=f"{c}-{BY_KIND[k]}") for c in CASES
                                             for k in c.kinds])
def test_values_at_the_edges_and_in_the_domain(case: Case, dtype: str) -> None:
    for args in (edge_operands(case, dtype), case.operands(dtype, n=14)):
        agree(case.ours(*args), case.on(oracle)(*args), case.ulps, str(case))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_floats(dtype: str) -> None:
    with double(), jax.enable_x64(True):
        for case in random.Random(dtype).sample(FLOATING, len(FLOATING) // 3):  # another third for each dtype
            args = [x.astype(dtypes.to_dtype(dtype)) for x in case.operands("float32", n=2)]
            agree(case.ours(*args), case.on(oracle)(*args), case.ulps, f"{case} of {dtype}")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_python_scalars_and_weak_types(case: Case) -> None:
    kinds = {"s": [3, 2, 5], "f": [.5, .25, .75], "c": [1 + 2j, .5j, 2.], "b": [True, False, True]}
    for k in case.kinds:
        if k in kinds and case.name != "random_gamma_grad":  # JAX takes no Python scalars there
            args = kinds[k][:len(case.domains)]
            args = [type(kinds[k][0])(x) for x in args]
            agree(case.ours(*args), case.on(oracle)(*args), case.ulps, f"{case}{args}")
            strong = [np.asarray(args[0], BY_KIND[k]), *args[1:]]
            agree(case.ours(*strong), case.on(oracle)(*strong), case.ulps, f"{case}{strong}")


# -- derivatives

SMOOTH = [pytest.param(c, BY_KIND[k], id=f"{c}-{BY_KIND[k]}") for c in CASES if c.order for k in c.kinds if k in "fc"]


@pytest.mark.parametrize(("case", "dtype"), SMOOTH)
def test_derivatives(case: Case, dtype: str) -> None:
    for args in (case.operands(dtype, n=14), edge_operands(case, dtype)):
        for i in case.moving if case.moving is not None else range(len(args)):

            def of(f: Any) -> Any:
                return lambda x: f(*[x if j == i else a for j, a in enumerate(args)])

            t = np.ones_like(args[i]) * (1 + 2j if dtype == "complex64" else 1.5)
            t = t.astype(dtype)
            (_, ours), (_, theirs) = jvp(of(case.ours), (args[i],), (t,)), jax.jvp(of(case.on(oracle)), (args[i],), (t,))
            agree(ours, theirs, 4, f"jvp of {case} in operand {i}")
            out, back = vjp(of(case.ours), args[i])
            their_back = jax.vjp(of(case.on(oracle)), args[i])[1]
            ct = (np.ones(out.shape) * (2 - 1j if out.dtype.kind == "c" else 2)).astype(out.dtype)
            agree(back(ct)[0], their_back(ct)[0], 4, f"vjp of {case} in operand {i}")


@pytest.mark.parametrize("name", ["sin", "square", "abs", "max", "div", "pow", "logistic", "digamma", "sqrt", "erf",
                                  "bessel_i1e", "clamp", "atan2", "rem"])
def test_derivatives_of_python_scalars_are_weak(name: str) -> None:
    case = next(c for c in CASES if c.name == name)
    args = [.5, .25, .75][:len(case.domains)]
    for i in range(len(args)):
        def of(f: Any) -> Any:
            return lambda x: f(*[x if j == i else a for j, a in enumerate(args)])

        agree(grad(of(case.ours))(args[i]), jax.grad(of(case.on(oracle)))(args[i]), 4, f"{name}, operand {i}")


def test_transpositions_of_complex_parts() -> None:
    z, x = np.array([1 + 2j, -3j], np.complex64), np.array([.5, -2.], np.float32)
    for name, at, ct in (("real", z, x), ("imag", z, x), ("conj", z, z), ("conj", x, z), ("neg", z, z)):
        ours, theirs = linear_transpose(function(name), at)(ct), jax.linear_transpose(getattr(oracle, name), at)(ct)
        agree(ours[0], theirs[0], 0, name)
    for f, g in ((lambda v: convert.complex(v, v), lambda v: oracle.complex(v, v)),
                 (lambda v: convert.convert_element_type(v, "complex64"),
                  lambda v: oracle.convert_element_type(v, "complex64"))):
        agree(linear_transpose(f, x)(z)[0], jax.linear_transpose(g, x)(z)[0])
    agree(vjp(lambda v: convert.complex(x, v), x)[1](z)[0], jax.vjp(lambda v: oracle.complex(x, v), x)[1](z)[0])


# -- select, clamp, conversion, bits

def test_select_and_clamp() -> None:
    x = np.arange(4, dtype=np.float32)
    which = np.array([-5, 0, 1, 9], np.int32)
    for args in ((which, x, -x, x + 1), (which > 0, x, -x), (True, x, -x), (which.astype(np.uint32), x, -x),
                 (which, x), (1, 1., 2.), (True, 1., np.float32(2))):
        agree(compare.select_n(*args), oracle.select_n(*args), 0, str(args))
    agree(compare.select(which > 0, x, -x), oracle.select(which > 0, x, -x))
    for bounds in ((1., 2.), (np.float32(1), 2.), (x, x + 1), (3., 1.), (float("nan"), 1.)):
        agree(compare.clamp(bounds[0], x, bounds[1]), oracle.clamp(bounds[0], x, bounds[1]), 0, str(bounds))


@pytest.mark.parametrize("old", ["bool", "int32", "uint8", "int8", "float32", "bfloat16", "complex64"])
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning", "ignore::UserWarning")
def test_conversion(old: str) -> None:
    x = EDGES if old in ("float32", "bfloat16") else COMPLEX_EDGES if old == "complex64" else np.arange(-7, 7)
    x = x.astype(dtypes.to_dtype(old))
    for new in ("bool", "int8", "uint8", "int32", "uint32", "float16", "bfloat16", "float32", "complex64", float, int,
                complex, bool, "float64"):
        agree(convert.convert_element_type(x, new), oracle.convert_element_type(x, new), 0, f"{old} to {new}")


@pytest.mark.parametrize("x", [0, 1, -1, 2 ** 31, 2 ** 40, -2 ** 33 + 5, 2.7, -1.5, 1e10, 1e300, .1, True, 1j])
def test_conversion_of_python_numbers(x: Any) -> None:
    for new in ("bool", "int8", "uint8", "int32", "uint32", "bfloat16", "float32", "complex64", int, float):
        if isinstance(x, complex) and new != "complex64":
            continue  # Differs: JAX raises Python's TypeError for complex numbers alone, and converts complex arrays
        agree(convert.convert_element_type(x, new), oracle.convert_element_type(x, new), 0, f"{x} to {new}")


def test_bitcast() -> None:
    x = np.array([[1., -2., np.nan, np.inf]], np.float32)
    for new in ("int32", "uint8", "int16", "bfloat16", "float32"):
        ours, theirs = convert.bitcast_convert_type(x, new), oracle.bitcast_convert_type(x, new)
        agree(ours, theirs, 0, new)
        agree(convert.bitcast_convert_type(ours, "float32"), oracle.bitcast_convert_type(theirs, "float32"), 0, new)


def test_reduce_precision() -> None:
    for bits in ((5, 10), (8, 7), (8, 23), (2, 0)):
        agree(convert.reduce_precision(EDGES, *bits), oracle.reduce_precision(EDGES, *bits), 0, str(bits))


def test_total_order() -> None:
    x, y = EDGES, np.roll(EDGES, 5)
    for ours, theirs in ((compare.eq_to_p, oracle.eq_to_p), (compare.le_to_p, oracle.le_to_p),
                         (compare.lt_to_p, oracle.lt_to_p)):
        agree(ours(x, y), jax.jit(theirs.bind)(x, y), 0, ours.name)


def test_shifts_by_any_amount() -> None:
    for dtype in ("int8", "uint8", "int32", "uint32"):
        x = np.arange(-100, 100, 7).astype(dtype)
        y = np.arange(len(x)).astype(dtype) * 2 - 4
        for name in ("shift_left", "shift_right_arithmetic", "shift_right_logical"):
            agree(getattr(bitwise, name)(x, y), getattr(oracle, name)(x, y), 0, f"{name} of {dtype}")


# -- errors and jaxprs

BAD = [("add", (np.ones(2, np.float32), 2)), ("add", (True, False)), ("add", (np.ones(2, np.float32), np.int32(1))),
       ("add", (np.ones(3, np.float32), np.ones(2, np.float32))), ("mul", (np.ones((1, 3)), np.ones(3))),
       ("sin", (1,)), ("floor", (1j,)), ("bitwise_not", (1.,)), ("abs", (np.uint8(3),)), ("real", (1.,)),
       ("conj", (1,)), ("pow", (2, 2)), ("pow", (2., True)), ("rem", (1j, 1j)), ("lt", (1j, 1j)), ("erf", (1j,)),
       ("complex", (1, 2)), ("integer_pow", (3, -1)), ("integer_pow", (True, 2)), ("select_n", (True,)),
       ("select_n", (np.array([True, False]), 1., 2.)), ("select_n", (True, 1., 2., 3.)), ("select_n", (1., 1., 2.)),
       ("select", (True, 1., 2)), ("select", (True, np.ones(2), 1.)), ("clamp", (1, 2., 3)),
       ("clamp", (np.zeros(2, np.float32), 1., 2.)), ("bitcast_convert_type", (np.array([True]), "uint8")),
       ("bitcast_convert_type", (np.zeros((2, 3), np.uint8), "float32")), ("reduce_precision", (1., 0, 3)),
       ("reduce_precision", (1, 5, 3)), ("convert_element_type", (1., None)), ("convert_element_type", (1., "foo")),
       ("add", ([1.], 1.)), ("sin", ("x",)), ("round", (1., 7)), ("shift_left", (1, True)), ("mulhi", (1., 2.))]


@pytest.mark.parametrize(("name", "args"), BAD, ids=[f"{n}-{i}" for i, (n, _) in enumerate(BAD)])
def test_what_jax_refuses_is_refused_with_its_kind_of_error(name: str, args: tuple) -> None:
    with pytest.raises(Exception) as theirs:
        getattr(oracle, name)(*args)
    base = next(c for c in type(theirs.value).__mro__ if c in (TypeError, ValueError, IndexError, OverflowError))
    with pytest.raises(base):
        function(name)(*args)


JAXPRS = [("add", (EDGES, 2.)), ("integer_pow", (EDGES, 2)), ("round", (EDGES,)), ("select_n", (True, EDGES, EDGES)),
          ("clamp", (0., EDGES, 1.)), ("reduce_precision", (EDGES, 5, 10)), ("convert_element_type", (EDGES, "int32")),
          ("bitcast_convert_type", (EDGES, "int32")), ("conj", (COMPLEX_EDGES,)), ("betainc", (EDGES, EDGES, EDGES)),
          ("bitwise_not", (np.array([True]),)), ("square", (EDGES,)), ("reciprocal", (EDGES,)), ("pow", (EDGES, 2)),
          ("stop_gradient", (EDGES,)), ("optimization_barrier", (EDGES,)), ("convert_element_type", (EDGES, "float32"))]


@pytest.mark.parametrize(("name", "args"), JAXPRS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(JAXPRS)])
def test_the_jaxpr_is_jax_s(name: str, args: tuple) -> None:
    arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]

    def of(f: Any) -> Any:
        def g(*xs: Any) -> list[Any]:
            full = list(args)
            for i, x in zip(arrays, xs):
                full[i] = x
            return [f(*full)]

        return g

    f = getattr(markers, name) if name in markers.__all__ else function(name)
    ours = stage_flat(of(f), [get_aval(args[i]) for i in arrays])
    theirs = jax.make_jaxpr(of(getattr(oracle, name)))(*[args[i] for i in arrays])
    assert [e.primitive.name for e in ours.eqns] == [e.primitive.name for e in theirs.eqns]
    for a, b in zip(ours.eqns, theirs.eqns):
        shown = {k: v for k, v in b.params.items() if v is not None and k != "sharding"}
        assert {k: str(v) for k, v in a.params.items()} == {k: str(v) for k, v in shown.items()}
        assert [v.aval.str_short() for v in a.invars] == [v.aval.str_short() for v in b.invars]
        assert [v.aval.str_short() for v in a.outvars] == [v.aval.str_short() for v in b.outvars]


@pytest.mark.parametrize("name", ["sin", "cos", "exp", "exp2", "log", "log1p", "expm1", "logistic", "tan", "tanh", "sqrt",
                                  "rsqrt", "cbrt"])
def test_accuracy(name: str) -> None:
    x = np.array([.3, .7], np.float32)
    for ours, theirs in ((AccuracyMode.HIGHEST, oracle.AccuracyMode.HIGHEST),
                         (AccuracyMode.DEFAULT, oracle.AccuracyMode.DEFAULT),
                         (Tolerance(1e-3, 0., 3), oracle.Tolerance(1e-3, 0., 3))):
        agree(function(name)(x, accuracy=ours), getattr(oracle, name)(x, accuracy=theirs), 1, f"{name}, {ours}")


def test_the_gradient_of_a_chain_agrees() -> None:
    def chain(m: Any, x: Any) -> Any:
        y = m["mul"](m["sin"](x), m["exp"](m["neg"](m["square"](x))))
        return m["div"](m["tanh"](y), m["add"](m["abs"](x), 1.))

    names = ("mul", "sin", "exp", "neg", "square", "div", "tanh", "add", "abs")
    ours = {n: function(n) for n in names}
    theirs = {n: getattr(oracle, n) for n in names}
    f, g = (lambda x: chain(ours, x)), (lambda x: chain(theirs, x))
    agree(jit(grad(f))(.7), jax.jit(jax.grad(g))(.7), 2)
    agree(grad(grad(f))(.7), jax.grad(jax.grad(g))(.7), 8)
    agree(elementwise.mul(2, 3, out_dtype="float32"), oracle.mul(2, 3, out_dtype="float32"))
    assert isinstance(JitFunction(f, JitOptions())(.5), type(f(.5)))
