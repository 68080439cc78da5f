"""The intermediate language: equations, evaluation, derived jaxprs."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Var, eval_jaxpr, last_uses, subjaxprs
from perspicax.core.printer import check_jaxpr
from perspicax.diagnose.errors import InternalError
from perspicax.lax import mul_p, sin_p

XS = np.array([0.3, 0.7, -1.1], np.float32)
F32 = ShapedArray((3,), np.float32)


def sine_twice():
    x, y, z = Var(F32), Var(F32), Var(F32)
    empty = sin_p.pack({"accuracy": None})
    eqns = [JaxprEqn(sin_p, (x,), empty, (y,), frozenset(), None), JaxprEqn(mul_p, (x, y), (), (z,), frozenset(), None)]
    return Jaxpr([], [x], [z], eqns), (x, y, z)


def test_evaluation():
    jaxpr, _ = sine_twice()
    check_jaxpr(jaxpr)
    np.testing.assert_allclose(eval_jaxpr(jaxpr, [], XS)[0], XS * np.sin(XS), rtol=1e-6)
    np.testing.assert_allclose(ClosedJaxpr(jaxpr)(XS)[0], XS * np.sin(XS), rtol=1e-6)


def test_values_are_let_go_after_their_last_use():
    jaxpr, (x, y, _) = sine_twice()
    assert last_uses(jaxpr) == {1: [x, y]}
    alive = []

    def f(v):
        w = jnp.sin(v)
        del v
        return px.pure_callback(lambda u: u, px.ShapeDtypeStruct((3,), np.float32), jnp.cos(w))

    closed = px.make_jaxpr(f)(XS)
    uses = last_uses(closed.jaxpr)
    assert set(uses) == set(range(len(closed.eqns)))
    assert not alive


def test_evaluation_restores_the_place_after_an_error():
    jaxpr, _ = sine_twice()
    with pytest.raises(TypeError):
        eval_jaxpr(jaxpr, [], "text")
    assert local.place is None


def test_parameters_by_name_and_replace():
    closed = px.make_jaxpr(lambda x: jnp.sum(x))(XS)
    eqn = closed.eqns[0]
    assert eqn.params["axes"] == (0,)
    assert eqn.replace(params={**eqn.params, "axes": ()}).params["axes"] == ()
    assert eqn.replace(primitive=sin_p, params={"accuracy": None}).primitive is sin_p
    assert closed.replace(consts=[1]).consts == [1] and closed.replace(consts=[1]).jaxpr is closed.jaxpr


def test_what_is_derived_is_made_once_and_dies_with_the_jaxpr():
    closed = ClosedJaxpr(sine_twice()[0])
    made = []
    for _ in range(2):
        assert closed.derive("key", lambda: made.append(1) or "value") == "value"
    assert closed.derive(["unhashable"], lambda: "new") == "new"
    assert made == [1]


def test_jaxprs_within():
    inner = px.jit(lambda x: x * 2)
    closed = px.make_jaxpr(lambda x: px.lax.scan(lambda c, y: (inner(c), y), x, None, length=2)[0])(1.0)
    scan = next(e for e in closed.eqns if e.primitive.name == "scan")
    bodies = list(subjaxprs(scan))
    assert len(bodies) == 1
    assert [next(subjaxprs(e)).eqns[0].primitive.name for e in bodies[0].eqns if e.primitive.name == "jit"] == ["mul"]


class TestChecker:
    def refused(self, jaxpr):
        with pytest.raises(InternalError) as caught:
            check_jaxpr(jaxpr)
        return caught.value.what

    def test_a_variable_that_nothing_binds(self):
        jaxpr, (_, y, _) = sine_twice()
        assert "not bound" in self.refused(jaxpr.replace(eqns=jaxpr.eqns[1:]))
        assert "not bound" in self.refused(jaxpr.replace(outvars=[Var(y.aval)]))

    def test_a_variable_that_is_bound_twice(self):
        jaxpr, (x, _, _) = sine_twice()
        assert "twice" in self.refused(jaxpr.replace(invars=[x, x]))

    def test_a_result_of_another_type(self):
        jaxpr, (x, _, _) = sine_twice()
        wrong = jaxpr.eqns[0].replace(outvars=(Var(ShapedArray((2,), np.float32)),))
        assert "type rule" in self.refused(Jaxpr([], [x], [], [wrong]))

    def test_an_effect_that_is_missing(self):
        closed = px.make_jaxpr(lambda x: px.experimental.io_callback(print, None, x))(1.0)
        check_jaxpr(closed.jaxpr)
        assert "effects" in self.refused(closed.jaxpr.replace(effects=frozenset()))
