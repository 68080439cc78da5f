"""`jax.interpreters.partial_eval`: parts of jaxprs, and partial evaluation."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
from perspicax import lax
from perspicax import numpy as jnp
from perspicax.api.partial_errors import PartialValueError, UsedOutputsError
from perspicax.core.errors import JaxprOperandsError, RuleMissingError
from perspicax.core.jaxpr import eval_jaxpr
from perspicax.extend import core as extend_core
from perspicax.extend import linear_util
from perspicax.interpreters import ad
from perspicax.interpreters import partial_eval as pe

XS = np.array([0.5, 1.0, 2.0], np.float32)
F32 = px.typeof(1.0)


def names(jaxpr):
    return [eqn.primitive.name for eqn in jaxpr.eqns]


class TestDeadCode:
    def test_what_only_unused_results_need_goes(self):
        closed = px.make_jaxpr(lambda x, y: (x * 2.0, jnp.sin(y), x + y))(1.0, 2.0)
        jaxpr, inputs = pe.dce_jaxpr(closed.jaxpr, [True, False, False])
        assert (names(jaxpr), inputs, len(jaxpr.outvars)) == (["mul"], [True, False], 1)
        assert eval_jaxpr(jaxpr, closed.consts, 3.0) == [6.0]
        jaxpr, inputs = pe.dce_jaxpr(closed.jaxpr, [False, True, False], instantiate=[True, False])
        assert (names(jaxpr), inputs) == (["sin"], [True, True])
        assert pe.dce_jaxpr(closed.jaxpr, True)[1] == [True, True] and names(pe.dce_jaxpr(closed.jaxpr, False)[0]) == []

    def test_within_jit_and_scan(self):
        closed = px.make_jaxpr(px.jit(lambda x, y: (x * 2.0, jnp.sin(y))))(1.0, 2.0)
        jaxpr, inputs = pe.dce_jaxpr(closed.jaxpr, [False, True])
        assert inputs == [False, True] and names(jaxpr.eqns[0].params["jaxpr"].jaxpr) == ["sin"]
        np.testing.assert_allclose(eval_jaxpr(jaxpr, closed.consts, 2.0), [np.sin(2.0)], rtol=1e-6)
        loop = lambda x, y: lax.scan(lambda c, z: ((c[0] * 2.0, c[1] + z), jnp.sin(c[0])), (x, y), XS)
        closed = px.make_jaxpr(loop)(1.0, 2.0)
        jaxpr, inputs = pe.dce_jaxpr(closed.jaxpr, [False, True, False])
        assert inputs == [False, True] and not {"sin", "mul"} & set(names(jaxpr.eqns[0].params["jaxpr"].jaxpr))
        assert eval_jaxpr(jaxpr, closed.consts, 2.0) == [5.5]

    def test_constants(self):
        closed = px.make_jaxpr(lambda x: (x * XS, x * 2.0))(1.0)
        jaxpr, consts, inputs = pe.dce_jaxpr_consts(closed.jaxpr, [False, True])
        assert (consts, inputs, jaxpr.constvars) == ([False], [True], [])
        jaxpr, consts, _ = pe.dce_jaxpr_consts(closed.jaxpr, [True, False])
        np.testing.assert_array_equal(eval_jaxpr(jaxpr, closed.consts, 2.0)[0], 2 * XS)

    def test_a_rule_of_the_users(self):
        seen = []

        def rule(used, eqn):
            seen.append(used)
            return [True] * len(eqn.invars), eqn

        pe.dce_rules[lax.sin_p] = rule
        try:
            pe.dce_jaxpr(px.make_jaxpr(jnp.sin)(1.0).jaxpr, [True])
        finally:
            del pe.dce_rules[lax.sin_p]
        assert seen == [[True]]

    def test_marks_that_are_too_few(self):
        closed = px.make_jaxpr(lambda x: (x, x))(1.0)
        with pytest.raises(UsedOutputsError) as caught:
            pe.dce_jaxpr(closed.jaxpr, [True])
        assert (caught.value.option, caught.value.expected, caught.value.got) == ("used_outputs", 2, 1)


class TestStaging:
    def test_dynamic(self):
        jaxpr, avals, consts = pe.trace_to_jaxpr_dynamic(linear_util.wrap_init(lambda x, y: [x * y * XS]), [F32, F32])
        assert names(jaxpr).count("mul") == 2
        assert avals == [px.typeof(XS)]
        np.testing.assert_array_equal(eval_jaxpr(jaxpr, consts, 2.0, 3.0)[0], 6 * XS)
        jaxpr, _, _ = pe.trace_to_jaxpr_dynamic(linear_util.wrap_init(lambda x: [x]),
                                                [F32, F32], keep_inputs=[True, False])
        assert len(jaxpr.invars) == 1

    def test_auto_dce(self):
        def unused(x):
            jnp.sin(x)
            return [x * 2.0]

        assert names(pe.trace_to_jaxpr_dynamic(linear_util.wrap_init(unused), [F32])[0]) == ["sin", "mul"]
        assert names(pe.trace_to_jaxpr_dynamic(linear_util.wrap_init(unused), [F32], auto_dce=True)[0]) == ["mul"]

    @pytest.mark.parametrize("instantiate", [False, True, [True, False, False]])
    def test_what_is_known_is_computed(self, instantiate):
        fun = linear_util.wrap_init(lambda x, y: [x * 2, jnp.sin(y), x * y])
        values = [pe.PartialVal.known(3.0), pe.PartialVal.unknown(F32)]
        jaxpr, results, consts = pe.trace_to_jaxpr_nounits(fun, values, instantiate)
        assert [r.is_known() for r in results] == [not instantiate, False, False]
        assert names(jaxpr) == ["sin", "mul"]
        found = eval_jaxpr(jaxpr, consts, 2.0)
        known = [] if instantiate else [results[0].get_known()]
        np.testing.assert_allclose([*known, *found], [6.0, np.sin(2.0), 6.0], rtol=1e-6)
        assert results[1].get_aval() is F32 and results[1].get_known() is None

    def test_an_operand_that_is_neither(self):
        with pytest.raises(PartialValueError) as caught:
            pe.trace_to_jaxpr_nounits(linear_util.wrap_init(lambda x: [x]), [3.0])
        assert (caught.value.index, caught.value.value_type) == (0, "float")


def test_the_transposition_of_a_primitive():
    assert ad.get_primitive_transpose(lax.neg_p)(2.0, ad.UndefinedPrimal(F32)) == [-2.0]
    with pytest.raises(RuleMissingError):
        ad.get_primitive_transpose(lax.sin_p)


def test_jaxprs_take_one_value_for_each_operand():
    closed = px.make_jaxpr(lambda x, y: x * y + XS)(1.0, 2.0)
    product = extend_core.jaxpr_as_fun(closed)
    np.testing.assert_array_equal(product(2.0, 3.0)[0], 6 + XS)
    np.testing.assert_array_equal(px.core.eval_jaxpr(closed.jaxpr, closed.consts, 2.0, 3.0)[0], 6 + XS)
    for call, kind, actual in [(lambda: product(1.0), "arguments", 1), (lambda: product(1.0, 2.0, 3.0), "arguments", 3),
                               (lambda: px.core.eval_jaxpr(closed.jaxpr, [], 1.0, 2.0), "constants", 0),
                               (lambda: px.jit(lambda x: px.core.eval_jaxpr(closed.jaxpr, closed.consts, x))(1.0),
                                "arguments", 1)]:
        with pytest.raises(JaxprOperandsError) as caught:
            call()
        assert isinstance(caught.value, ValueError)
        assert (caught.value.kind, caught.value.actual) == (kind, actual)
    assert caught.value.expected == ("float32[]", "float32[]")


def test_the_names_of_jax_core_are_those_that_users_have():
    assert {n for n in dir(px.core) if n[:1] != "_"} == set(px.core.__all__)
    assert px.core.ShapedArray((), np.float32).shape == ()
