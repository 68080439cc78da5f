"""The trace that records, and zero tangents."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.context import eager, evaluator, use_trace
from perspicax.core.jaxpr import Literal
from perspicax.core.printer import check_jaxpr
from perspicax.core.trace import JaxprTrace, Linear, Zero, is_linear, stage_flat
from perspicax.core.tracer import Tracer, get_aval, valid_jaxtype

XS = np.array([0.3, 0.7, -1.1], np.float32)
SCALAR = ShapedArray((), np.float32)


class TestStaging:
    def test_scalars_are_literals_and_arrays_constants(self):
        table = jnp.asarray(XS)
        closed = stage_flat(lambda x: [x * 2.0, x * table, x + table], [SCALAR])
        check_jaxpr(closed.jaxpr)
        assert len(closed.consts) == 1 and closed.consts[0] is table
        assert isinstance(closed.eqns[0].invars[1], Literal)

    def test_values_of_the_outer_trace_become_constants(self):
        seen = []

        def outer(y):
            closed = stage_flat(lambda x: [x * y], [SCALAR])
            seen.append(closed.consts[0] is y)
            return closed(3.0)[0]

        assert px.jit(outer)(2.0) == 6.0
        assert px.grad(outer)(2.0) == 3.0
        assert px.vmap(outer)(XS).tolist() == pytest.approx((3 * XS).tolist())
        assert seen == [True] * 3

    def test_arguments_may_be_returned_as_they_are(self):
        closed = stage_flat(lambda x, y: [y, x, y, 1], [SCALAR, SCALAR])
        assert [a in closed.jaxpr.invars for a in closed.jaxpr.outvars[:3]] == [True] * 3
        assert [float(v) for v in closed(1.0, 2.0)] == [2.0, 1.0, 2.0, 1.0]

    def test_the_context_is_restored(self):
        def fails(x):
            assert isinstance(local.trace, JaxprTrace) and not eager()
            raise KeyError

        with pytest.raises(KeyError):
            stage_flat(fails, [SCALAR])
        assert eager() and local.trace is evaluator()

    def test_equations_know_their_place(self):
        closed = stage_flat(lambda x: [jnp.sin(x)], [SCALAR])
        assert closed.eqns[0].position.code.co_name == "<lambda>"
        assert closed.eqns[0].position.code.co_filename == __file__

    def test_effects_are_collected(self):
        closed = stage_flat(lambda x: [px.experimental.io_callback(print, None, x, ordered=True), x][1:], [SCALAR])
        assert closed.effects == closed.eqns[0].effects and len(closed.effects) == 1


def test_use_trace():
    trace = JaxprTrace()
    with use_trace(trace):
        x = trace.new_arg(SCALAR)
        y = x + 1.0
    assert eager() and [e.primitive.name for e in trace.eqns] == ["add"]
    assert trace.close([y]).out_avals == (SCALAR,)


class TestZero:
    def test_it_has_the_type_of_a_tangent(self):
        assert Zero.like(XS).aval is ShapedArray((3,), np.float32)
        assert Zero.like(3).aval.dtype == px.float0
        assert "float32[3]" in repr(Zero.like(XS))

    def test_linear_operands(self):
        operand = Linear(ShapedArray((3,), np.float32))
        assert is_linear(operand) and not is_linear(XS)
        assert (operand.shape, operand.dtype, operand.ndim) == ((3,), np.float32, 1)


class TestTypesOfValues:
    @pytest.mark.parametrize(("value", "type_text", "weak"), [
        (1.0, "float32[]", True), (1, "int32[]", True), (1j, "complex64[]", True), (True, "bool[]", False),
        (np.float64(1), "float32[]", False), (np.ones(2), "float32[2]", False), (np.uint64(3), "uint32[]", False),
        (np.bool_(True), "bool[]", False), (jnp.bfloat16(1), "bfloat16[]", False),
    ])
    def test_numbers_and_arrays(self, value, type_text, weak):
        aval = get_aval(value)
        assert (aval.str_short(), aval.weak_type) == (type_text, weak)

    def test_subclasses_and_objects_that_say_so(self):
        class Kelvin(float):
            pass

        class Wrapped:
            def __jax_array__(self):
                return jnp.asarray(XS)

        assert get_aval(Kelvin(3.0)).weak_type
        assert get_aval(Wrapped()).shape == (3,)
        np.testing.assert_allclose(jnp.sin(Wrapped()), np.sin(XS), rtol=1e-6)

    @pytest.mark.parametrize("value", ["text", None, object(), [1.0], np.array(["a"]), np.array([object()])])
    def test_what_is_no_array(self, value):
        assert not valid_jaxtype(value)
        with pytest.raises(TypeError):
            get_aval(value)


def test_a_traced_array_has_its_variance():
    np.testing.assert_allclose(px.jit(lambda x: x.var())(XS), XS.var(), rtol=1e-6)


def test_no_slot_of_a_traced_array_hides_a_method_of_arrays():
    px.jit(px.grad(lambda x: px.vmap(jnp.sin)(x).sum()))(XS)

    def below(cls):
        return {cls}.union(*[below(child) for child in cls.__subclasses__()])

    hidden = {(cls.__name__, name) for cls in below(Tracer) for name in cls.__dict__.get("__slots__", ())
              if callable(getattr(Array, name, None))}
    assert hidden == set()
