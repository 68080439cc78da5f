"""Primitives: definition, parameters, cached types."""
from __future__ import annotations

import pickle

import numpy as np
import pytest

from perspicax import lax
from perspicax.core.avals import ShapedArray
from perspicax.core.config import enable_checks
from perspicax.core.errors import PrimitiveDefinitionError, RuleMissingError, RuleResultError
from perspicax.core.primitive import MAX_CACHED_TYPES, Missing, NotDifferentiable, NotLinear, Primitive, primitives
from perspicax.core.trace import Zero
from perspicax.transform.batch import ELEMENTWISE
from perspicax.transform.grad import jvp, vjp
from perspicax.transform.jvp import LINEAR, per_operand
from perspicax.transform.vmap import vmap

XS = np.array([0.3, 0.7, -1.1], np.float32)


def identity(name="an identity", **changes):
    rules = dict(type_rule=lambda x, **_: x, jvp=LINEAR, transpose=lambda ct, x, **_: [ct], batch=ELEMENTWISE,
                 emit=lambda b, x, **_: x)
    return Primitive(name, **{**rules, **changes})


class TestDefinition:
    def test_a_forgotten_rule_fails_at_once(self):
        with pytest.raises(PrimitiveDefinitionError) as caught:
            Primitive("half", type_rule=lambda x: x, jvp=LINEAR)
        assert (caught.value.primitive, caught.value.absent) == ("half", ("transpose", "batch", "emit"))

    def test_it_is_registered_and_found_by_pickle(self):
        made = identity()
        assert made in primitives
        assert pickle.loads(pickle.dumps(lax.sin_p)) is lax.sin_p

    def test_a_rule_that_cannot_exist_tells_why(self):
        made = identity(transpose=NotLinear("it is none"), jvp=NotDifferentiable("it has no slope"))
        for kind, reason in (("transpose", "it is none"), ("jvp", "it has no slope")):
            with pytest.raises(RuleMissingError) as caught:
                made.rule(kind)
            assert (caught.value.primitive, caught.value.rule, caught.value.reason) == ("an identity", kind, reason)
        assert made.rule("emit") is made.emit


class TestParameters:
    def test_they_are_all_needed_and_no_others(self):
        made = identity(params=("a", "b"))
        assert made.pack({"b": 2, "a": 1}) == (1, 2)
        assert made.unpack((1, 2)) == {"a": 1, "b": 2}
        with pytest.raises(PrimitiveDefinitionError) as caught:
            made.pack({"a": 1, "c": 3})
        assert (caught.value.absent, caught.value.surplus) == (("b",), ("c",))

    def test_open_parameters(self):
        made = identity(params=None)
        assert made.unpack(made.pack({"z": 1, "a": 2})) == {"z": 1, "a": 2}
        assert made.unpack(()) == {}


class TestTypes:
    def test_they_are_inferred_once(self):
        calls = []
        made = identity(type_rule=lambda x, **_: calls.append(1) or x, params=("n",))
        aval = ShapedArray((3,), np.float32)
        assert made.infer((aval,), (1,)) is made.infer((aval,), (1,)) is aval
        made.infer((aval,), (2,))
        assert len(calls) == 2
        made.clear_caches()
        made.infer((aval,), (1,))
        assert len(calls) == 3

    def test_parameters_that_cannot_be_hashed_are_not_cached(self):
        made = identity(params=("n",))
        assert made.infer((ShapedArray((), np.float32),), ([1],)) is ShapedArray((), np.float32)
        assert not made.types

    def test_the_cache_is_bounded(self):
        made = identity(params=("n",))
        for n in range(MAX_CACHED_TYPES + 10):
            made.infer((ShapedArray((), np.float32),), (n,))
        assert len(made.types) <= MAX_CACHED_TYPES


def test_a_parameter_that_cannot_be_hashed_is_no_hindrance_to_running():
    made = identity(params=("n",), emit=lambda b, x, n: b.op("negate", [x], x.aval))
    for _ in range(2):
        np.testing.assert_array_equal(made(XS, n=[1]), -XS)


class TestResultsOfRules:
    """A rule that returns something else is reported by name, not by a failure to unpack."""

    @pytest.mark.parametrize("found", [None, (1.0,), (1.0, 2.0, 3.0)], ids=str)
    def test_derivatives_and_batching_rules_return_pairs(self, found):
        made = identity(jvp=lambda primals, tangents: found, batch=lambda axis, args, axes: found)
        for rule, call in (("jvp", lambda: jvp(made, (XS,), (XS,))), ("batch", lambda: vmap(made)(XS))):
            with pytest.raises(RuleResultError) as caught:
                call()
            assert (caught.value.primitive, caught.value.rule) == ("an identity", rule)

    def test_pairs_of_lists_have_one_length(self):
        made = identity(multiple_results=True, type_rule=lambda x: [x, x], jvp=lambda primals, tangents: ([XS, XS], [XS]),
                        batch=lambda axis, args, axes: ([XS, XS], [0]))
        for call in (lambda: jvp(lambda x: made(x), (XS,), (XS,)), lambda: vmap(lambda x: made(x))(XS)):
            with pytest.raises(RuleResultError) as caught:
                call()
            assert "a list of 2" in caught.value.got and "a list of 1" in caught.value.got

    def test_an_operand_without_a_derivative_function_is_no_constant(self):
        made = identity(type_rule=lambda x, y: x, jvp=per_operand(lambda t, out, x, y: t))
        with pytest.raises(PrimitiveDefinitionError) as caught:
            jvp(made, (XS, XS), (XS, XS))
        assert (caught.value.what, caught.value.absent) == ("derivative of operand", ("1",))
        made = identity(jvp=per_operand(lambda t, out, x: t, None))
        with pytest.raises(PrimitiveDefinitionError) as caught:
            jvp(made, (XS,), (XS,))
        assert caught.value.surplus == ("a derivative of operand 1",)

    @pytest.mark.parametrize("found", [lambda ct: ct, lambda ct: [ct, ct], lambda ct: [ct[0]]],
                             ids=["a cotangent alone", "one too many", "another shape"])
    def test_a_transposition_returns_a_cotangent_for_each_operand(self, found):
        made = identity(transpose=lambda ct, x: found(ct))
        with pytest.raises(RuleResultError) as caught:
            vjp(lambda x: made(x), XS)[1](XS)
        assert (caught.value.primitive, caught.value.rule) == ("an identity", "transpose")
        assert "float32[3]" in caught.value.expected

    @pytest.mark.parametrize("tangent, words", [
        (np.zeros(4, np.float32), "a tangent of type float32[4] for the result"),
        (np.zeros(3, np.int32), "a tangent of type int32[3] for the result"),
        (Zero(ShapedArray((4,), np.float32)), "a zero of type float32[4] for the result")], ids=str)
    def test_a_tangent_has_the_type_of_its_value(self, tangent, words):
        made = identity(jvp=lambda primals, tangents: (primals[0] + 0, tangent))
        jvp(lambda x: (made(x), 0)[1], (XS,), (XS,))  # it is asked with `jax_enable_checks` alone
        with enable_checks(True), pytest.raises(RuleResultError) as caught:
            jvp(made, (XS,), (XS,))
        assert words in caught.value.got
        assert "float32[3]" in caught.value.expected

    @pytest.mark.parametrize("axis", [-1, 2, 1, 1.0, True])
    def test_a_batch_axis_is_one_of_the_result(self, axis):
        made = identity(batch=lambda _, args, axes: (args[0], axis))
        vmap(lambda x: (made(x), 0)[1])(np.zeros((2, 3), np.float32))
        with enable_checks(True), pytest.raises(RuleResultError) as caught:
            vmap(made)(np.zeros((2, 3), np.float32))
        assert caught.value.got == f"{axis!r} as the batch axis of the result, which is float32[2,3]"

    def test_a_batched_result_is_what_the_type_rule_promises(self):
        made = identity(multiple_results=True, type_rule=lambda x: [x, x], batch=lambda _, args, axes: (
            [args[0], args[0].sum(1)], [0, 0]))
        with enable_checks(True), pytest.raises(RuleResultError) as caught:
            vmap(made)(np.zeros((2, 3), np.float32))
        assert "for result 1, without its batch axis, float32[]" in caught.value.got

    def test_a_cotangent_has_the_dtype_of_its_operand(self):
        made = identity(transpose=lambda ct, x: [ct.astype(np.float16)])
        with enable_checks(True), pytest.raises(RuleResultError) as caught:
            vjp(lambda x: made(x), XS)[1](XS)
        assert (caught.value.rule, caught.value.got) == ("transpose", "a list of 1 (float16[3])")

    @pytest.mark.parametrize("several, found", [(False, (3,)), (False, [ShapedArray((), np.float32)]),
                                                (True, ShapedArray((), np.float32)), (True, [None])], ids=str)
    def test_type_rules_return_types(self, several, found):
        made = identity(multiple_results=several, type_rule=lambda x: found)
        with pytest.raises(RuleResultError) as caught:
            made.infer((ShapedArray((3,), np.float32),), ())
        assert caught.value.rule == "type_rule"


def test_effects():
    assert lax.sin_p.effects_of((None,)) == frozenset()


def test_missing_is_falsy_nowhere():
    """A rule is asked for by kind, so that its reason is told; the class of the reason does not matter."""
    assert isinstance(NotLinear("x"), Missing) and isinstance(NotDifferentiable("x"), Missing)
