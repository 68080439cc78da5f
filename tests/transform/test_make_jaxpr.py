"""`make_jaxpr` and `eval_shape`."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.printer import check_jaxpr

XS = np.array([0.3, 0.7, -1.1], np.float32)


def f(x, t):
    return {"o": jnp.sin(x) * t["w"], "n": 3}


def test_the_jaxpr_computes_the_function():
    closed = px.make_jaxpr(f)(XS, {"w": 2.0})
    assert isinstance(closed, ClosedJaxpr)
    check_jaxpr(closed.jaxpr)
    number, result = eval_jaxpr(closed.jaxpr, closed.consts, XS, 2.0)
    np.testing.assert_allclose(result, 2 * np.sin(XS), rtol=1e-6)
    assert int(number) == 3
    assert [a.str_short() for a in closed.in_avals] == ["float32[3]", "float32[]"]
    assert closed.in_avals[1].weak_type


def test_types_are_enough():
    by_type = px.make_jaxpr(f)(px.ShapeDtypeStruct((3,), np.float32), {"w": px.ShapeDtypeStruct((), np.float32)})
    assert [a.str_short() for a in by_type.out_avals] == ["int32[]", "float32[3]"]


def test_static_arguments_and_the_shape_of_the_result():
    closed, shape = px.make_jaxpr(lambda n, x: x[:n], static_argnums=0, return_shape=True)(2, XS)
    assert [a.str_short() for a in closed.in_avals] == ["float32[3]"]
    assert (shape.shape, shape.dtype) == ((2,), np.float32)


def test_constants():
    table = jnp.asarray(np.arange(3.0))
    closed = px.make_jaxpr(lambda x: x * table + table)(XS)
    assert len(closed.consts) == 1 and closed.consts[0] is table
    assert len(closed.jaxpr.constvars) == 1


def test_names_of_arguments_and_places_of_equations():
    closed = px.make_jaxpr(f)(XS, {"w": 2.0})
    assert closed.debug_info.arg_names == ("x", "t['w']")
    position = closed.eqns[0].position
    assert position.code is f.__code__


def test_under_another_transformation():
    inner = []

    def outer(x):
        inner.append(px.make_jaxpr(lambda y: y * x)(1.0))
        return x

    px.jit(outer)(2.0)
    assert len(inner[0].consts) == 1 and len(inner[0].eqns) == 1


class TestEvalShape:
    def test_types_without_running(self):
        found = px.eval_shape(f, px.ShapeDtypeStruct((3,), np.float32), {"w": 2.0})
        assert (found["o"].shape, found["o"].dtype, found["n"].weak_type) == ((3,), np.float32, True)

    def test_agrees_with_the_call(self):
        found, made = px.eval_shape(f, XS, {"w": 2.0}), px.jit(f)(XS, {"w": 2.0})
        for struct, array in zip(px.tree.leaves(found), px.tree.leaves(made)):
            assert (struct.shape, struct.dtype, struct.weak_type) == (array.shape, array.dtype, array.weak_type)

    def test_of_a_large_program(self):
        assert px.eval_shape(lambda x: x @ x, px.ShapeDtypeStruct((10**6, 10**6), np.float32)).shape == (10**6, 10**6)


def test_no_array():
    with pytest.raises(TypeError, match="returned a str"):
        px.make_jaxpr(lambda x: "text")(1.0)
