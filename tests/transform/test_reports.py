"""What reports of the transformations say: paths on both sides, and the user's own places."""
from __future__ import annotations

import threading

import numpy as np
import pytest

import perspicax as px
from perspicax import numpy as jnp
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import resolve
from perspicax.transform.custom import CotangentTypeError
from perspicax.transform.custom_errors import CallSignatureError, NondiffArgumentError, RuleFunctionError
from perspicax.transform.errors import (
    BatchAxisError,
    BatchSizeError,
    CustomRuleError,
    DifferentiationInputError,
    NonScalarGradError,
    TangentError,
)
from perspicax.transform.late_rules import RuleClosureError
from perspicax.xla.errors import DeletedArrayError

XS = np.array([0.5, 1.0, 2.0], np.float32)
PARAMS = {"w": XS, "b": np.float32(1.0)}


def predict(params, x):
    return params["w"] * x + params["b"]


def line_of(function, offset=0):
    return function.__code__.co_firstlineno + offset


def raised(error, program):
    with pytest.raises(error) as caught:
        program()
    assert isinstance(caught.value, PerspicaxError)
    return caught.value


class TestGrad:
    def test_the_result_that_is_no_scalar_is_shown_where_it_is_returned(self):
        error = raised(NonScalarGradError, lambda: px.grad(predict)(PARAMS, 2.0))
        assert error.position.span().line == line_of(predict, 1)
        assert "return params[\"w\"] * x + params[\"b\"]" in str(error) and "float32[3]" in str(error)

    def test_through_jit_and_partial(self):
        error = raised(NonScalarGradError, lambda: px.grad(px.jit(predict))(PARAMS, 2.0))
        assert error.position.span().line == line_of(predict, 1)

    def test_several_returns_are_not_guessed_at(self):
        def either(x, flag=True):
            if flag:
                return x * XS
            return x

        error = raised(NonScalarGradError, lambda: px.grad(either)(1.0))
        assert error.position.span().function != "either"

    def test_a_structure_is_named(self):
        error = raised(NonScalarGradError, lambda: px.grad(lambda x: {"loss": x, "n": 1})(1.0))
        assert error.got == "a dict with the keys 'loss', 'n'"

    @pytest.mark.parametrize("argnums", ["x", 1.0, None, ("params",)])
    def test_argnums_that_are_no_positions(self, argnums):
        error = raised(DifferentiationInputError, lambda: px.grad(predict, argnums=argnums))
        assert error.kind == "argnums type" and isinstance(error, TypeError)
        assert error.name == ("1" if argnums == "x" else "")


class TestTangents:
    def test_structures_by_path(self):
        error = raised(TangentError, lambda: px.jvp(predict, (PARAMS, 1.0), ({"w": XS, "bias": 1.0}, 1.0)))
        assert "`tangent of params` has the key 'bias', which `params` lacks" in error.report.says

    def test_their_number(self):
        error = raised(TangentError, lambda: px.jvp(predict, (PARAMS, 1.0), (PARAMS,)))
        assert error.report.says == "`jvp` of `predict` got 1 tangents, but `predict` was given 2 positional arguments: " \
            "`params`, `x`."

    def test_types_by_path(self):
        error = raised(TangentError, lambda: px.jvp(predict, (PARAMS, 1.0), ({"w": XS[:2], "b": 1.0}, 1.0)))
        assert (error.name, error.got, error.expected) == ("params['w']", "float32[2]", "float32[3]")

    def test_those_of_integers(self):
        error = raised(TangentError, lambda: px.jvp(lambda n, x: n * x, (3, 1.0), (1, 1.0)))
        assert error.report.fixes[0].code == "np.zeros((), jax.dtypes.float0)"

    def test_of_a_linearised_function(self):
        push = px.linearize(predict, PARAMS, 1.0)[1]
        assert raised(TangentError, lambda: push({"w": XS}, 1.0)).transform == "linearize"
        assert raised(TangentError, lambda: push({"w": XS, "b": XS}, 1.0)).got == "float32[3]"

    def test_cotangents_by_path(self):
        pull = px.vjp(lambda x: {"a": x, "b": [x, x * XS]}, 1.0)[1]
        error = raised(TangentError, lambda: pull({"a": 1.0, "b": [1.0, 1.0]}))
        assert (error.name, error.got, error.expected) == ("<lambda>(...)['b'][1]", "float32[]", "float32[3]")
        error = raised(TangentError, lambda: pull({"a": 1.0, "b": (1.0, XS)}))
        assert "`cotangent['b']` is a tuple" in error.report.says


class TestVmap:
    def test_in_axes_by_path(self):
        error = raised(BatchAxisError, lambda: px.vmap(predict, ({"w": 0, "c": None}, None))(PARAMS, 1.0))
        assert (error.name, error.index) == ("params", 0)
        assert "`in_axes[0]` has the key 'c', which `params` lacks" in error.report.says

    def test_out_axes_by_path(self):
        error = raised(BatchAxisError, lambda: px.vmap(lambda x: (x, x), out_axes=(0, 0, 0))(XS))
        assert "`out_axes` is a tuple of length 3, but `<lambda>(...)` is one of length 2" in error.report.says

    @pytest.mark.parametrize("axes", [{"a": 0}, "a", 1.0])
    def test_in_axes_that_are_none(self, axes):
        assert raised(BatchAxisError, lambda: px.vmap(lambda x: x, in_axes=axes)).kind == "type"


def with_rules(forward, backward):
    f = px.custom_vjp(lambda params, x: params["w"].sum() * x)
    f.defvjp(forward, backward)
    return f


class TestRules:
    def test_the_place_is_the_rule(self):
        def forward(params, x):
            return params["w"].sum() * x, x

        def backward(x, ct):
            spread = ct * jnp.ones(2)
            return {"w": spread, "b": None}, None

        error = raised(CotangentTypeError, lambda: px.grad(with_rules(forward, backward))(PARAMS, 2.0))
        assert error.position.span().line == line_of(backward, 2)
        assert error.report.says == "The rule `backward` of `<lambda>` returned float32[2] as the cotangent of " \
            "`params['w']`, but it must be float32[3]."

    @pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_structures_by_path(self, wrap):
        f = with_rules(lambda params, x: (x * 1.0, None), lambda _, ct: ({"w": XS}, ct))
        error = raised(CustomRuleError, lambda: px.grad(wrap(f))(PARAMS, 2.0))
        assert "`cotangent of params` lacks the key 'b', which `params` has" in error.report.says

    def test_the_number_of_cotangents(self):
        f = with_rules(lambda params, x: (x * 1.0, None), lambda _, ct: ct)
        error = raised(CustomRuleError, lambda: px.grad(f)(PARAMS, 2.0))
        assert (error.rule, error.got, error.expected) == ("bwd", "float32[]", "2")
        assert error.report.fixes[0].code == "return (ct_params, ct_x,)"

    def test_a_residual_by_path(self):
        f = with_rules(lambda params, x: (x * 1.0, {"note": "text"}), lambda _, ct: (None, ct))
        error = raised(CustomRuleError, lambda: px.grad(f)(PARAMS, 2.0))
        assert error.path == "['note']"

    def test_tangents_by_path(self):
        f = px.custom_jvp(lambda x: {"a": x, "b": x})
        f.defjvp(lambda primals, tangents: ({"a": primals[0], "b": primals[0]}, {"a": tangents[0], "b": XS}))
        error = raised(CustomRuleError, lambda: px.jvp(f, (1.0,), (1.0,)))
        assert "`<lambda>(...)['b']`" in error.report.says

    def test_names_that_are_not_there(self):
        for decorator in (px.custom_jvp, px.custom_vjp):
            with pytest.raises(ValueError, match="`nondiff_argnames` names 'parms'"):
                decorator(predict, nondiff_argnames=("parms",))


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
class TestRulesWithinScan:
    """A custom rule within a loop's body, which closes over a traced value that is not differentiated by the rule."""

    @staticmethod
    def doubling(kind, note):
        if kind == "jvp":
            f = px.custom_jvp(lambda x: x * 2 + note)
            f.defjvp(lambda primals, tangents: (f(*primals), 10 * tangents[0] + 0 * note))
        else:
            f = px.custom_vjp(lambda x: x * 2 + note)
            f.defvjp(lambda x: (f(x), note), lambda note, ct: (ct * 10 + 0 * note,))
        return f

    def loop(self, kind):
        def run(x, note):
            f = self.doubling(kind, note)
            return px.lax.scan(lambda c, _: (f(c), c), x, None, length=3)[0]

        return run

    def test_values_and_gradients(self, kind):
        run = self.loop(kind)
        assert run(1.0, 1.0) == px.jit(run)(1.0, 1.0) == 15.0
        assert px.grad(run)(1.0, 1.0) == px.jit(px.grad(run))(1.0, 1.0) == 1000.0

    def test_under_vmap(self, kind):
        run = self.loop(kind)
        notes = np.zeros(3, np.float32)
        np.testing.assert_allclose(px.vmap(run)(XS, notes), 8 * XS)
        np.testing.assert_allclose(px.vmap(px.grad(run))(XS, notes), [1000.0] * 3)

    def test_that_is_differentiated_when_the_trace_has_ended(self, kind):
        run = self.loop(kind)
        error = raised(px.errors.UnexpectedTracerError, lambda: px.grad(px.jit(run))(1.0, 1.0))
        assert type(error) is RuleClosureError
        assert (error.names, error.function) == (("note",), "<lambda>")
        assert error.report.says.endswith("closes over `note`, whose trace has ended.")
        batched = lambda x: px.vmap(run)(x, np.zeros(3, np.float32)).sum()
        ended = threading.Event()
        threading.Thread(target=ended.wait, daemon=True).start()  # a thread that has nothing to do with it changes nothing
        assert "`note`" in str(raised(px.errors.UnexpectedTracerError, lambda: px.grad(batched)(XS)))
        ended.set()

    def test_in_forward_mode(self, kind):
        run = self.loop(kind)
        program = lambda: px.jvp(lambda x: run(x, 1.0), (1.0,), (1.0,))
        if kind == "jvp":
            assert program() == (15.0, 1000.0)
        else:
            assert raised(CustomRuleError, program).kind == "forward"

    def test_what_it_closes_over_is_differentiated(self, kind):
        run = self.loop(kind)
        error = raised(CustomRuleError, lambda: px.grad(lambda note: run(1.0, note))(1.0))
        assert error.kind == "closure"


class TestMistakesWithDecorators:
    @pytest.mark.parametrize("decorator", [px.custom_jvp, px.custom_vjp, px.custom_batching.custom_vmap])
    def test_of_what_is_no_function(self, decorator):
        error = raised(RuleFunctionError, lambda: decorator(3))
        assert (error.role, error.value) == (decorator.__name__, "3")

    @pytest.mark.parametrize("define", [
        lambda: px.custom_jvp(predict).defjvp(3), lambda: px.custom_vjp(predict).defvjp(3, predict),
        lambda: px.custom_vjp(predict).defvjp(predict, 3), lambda: px.custom_batching.custom_vmap(predict).def_vmap(3)])
    def test_a_rule_that_is_no_function(self, define):
        with pytest.raises(RuleFunctionError) as caught:
            define()
        assert caught.value.function == "predict"
        assert [entry.path.name for entry in caught.traceback] == ["test_reports.py"] * 2

    def test_arguments_without_derivative_that_are_not_there(self):
        error = raised(NondiffArgumentError, lambda: px.custom_jvp(predict, nondiff_argnames=("parms",)))
        assert error.report.fixes[0].code == "nondiff_argnames=('params',)"
        error = raised(NondiffArgumentError, lambda: px.custom_jvp(predict, nondiff_argnums="x"))
        assert error.report.fixes[0].code == "nondiff_argnames=('x',)"
        f = px.custom_jvp(lambda x: x, nondiff_argnums=5)
        f.defjvp(lambda n, primals, tangents: (primals, tangents))
        assert raised(IndexError, lambda: f(1.0)).given == "5"

    def test_calls_that_do_not_fit(self):
        f = px.custom_jvp(predict)
        f.defjvp(lambda primals, tangents: (f(*primals), tangents))
        for call in (lambda: f(PARAMS), lambda: f(PARAMS, y=1.0), lambda: f(PARAMS, 1.0, x=2.0)):
            error = raised(CallSignatureError, call)
            assert error.signature == "(params, x)" and isinstance(error, TypeError)

    @pytest.mark.parametrize("transform", [px.jacfwd, px.jacrev])
    def test_argnums_of_jacobians(self, transform):
        error = raised(DifferentiationInputError, lambda: transform(predict, argnums="x")(PARAMS, 1.0))
        assert error.report.fixes[0].code == f"jax.{error.transform}(predict, argnums=1)"
        assert raised(DifferentiationInputError, lambda: px.fwd_and_bwd(predict, 1.5)).transform == "fwd_and_bwd"


class TestProposals:
    def test_a_value_with_more_is_told_of_has_aux(self):
        error = raised(NonScalarGradError, lambda: px.value_and_grad(lambda x: (x, x))(1.0))
        assert (error.kind, error.transform) == ("pair", "value_and_grad")
        assert error.report.fixes[0].code == "jax.value_and_grad(f, has_aux=True)"
        value_and_more, gradient = px.value_and_grad(lambda x: (x, x), has_aux=True)(1.0)
        assert (float(value_and_more[0]), float(gradient)) == (1.0, 1.0)

    def test_in_axes_for_most_arguments(self):
        error = raised(BatchSizeError, lambda: px.vmap(lambda x, y, z: x, in_axes=(0, 1, 0))(
            np.ones(4), np.ones((3, 4)), np.ones(5)))
        assert error.in_axes == (0, 1, None)
        assert error.report.fixes[0].code == "in_axes=(0, 1, None)"
        assert raised(BatchSizeError, lambda: px.vmap(lambda x, y, z: x)(np.ones(4), np.ones(3), np.ones(5))).in_axes == ()
        error = raised(BatchSizeError, lambda: px.vmap(lambda t, y: y, axis_size=3)({"a": np.ones(4)}, np.ones(3)))
        assert error.in_axes == (None, 0)

    def test_donation_is_told_with_its_line(self):
        give = px.jit(lambda x: x + 1, donate_argnums=0)
        x = px.numpy.ones(3)
        give(x)
        error = raised(DeletedArrayError, lambda: x + 1)
        assert error.donated_to == "<lambda>"
        assert [label.text for label in error.report.labels] == ["is used here", "was donated to `<lambda>` here"]
        lines = [resolve(label.span).line for label in error.report.labels]
        assert lines[0] == lines[1] + 1
