"""StableHLO text."""
from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.avals import ShapedArray
from perspicax.core.errors import RuleResultError
from perspicax.core.primitive import Missing, NotLinear, Primitive
from perspicax.transform.batch import ELEMENTWISE
from perspicax.transform.jvp import LINEAR
from perspicax.xla.emit import Module, constant_text, i64_array, i64_matrix, scalar_text
from perspicax.xla.errors import EmissionError

XS = np.array([0.3, 0.7, -1.1], np.float32)

SPECIAL = [np.nan, -np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4028235e38]


def text(f, *args):
    return px.jit(f).lower(*args).as_text()


class TestConstants:
    @pytest.mark.parametrize("value", [
        np.array(SPECIAL, np.float32), np.array(SPECIAL, np.float16), np.array(SPECIAL).astype(ml_dtypes.bfloat16),
        np.array([1 + 2j, complex(np.nan, -0.0)], np.complex64), np.array([True, False, True]), np.array([-128, 127], np.int8),
        np.array([-8, 7, 3], ml_dtypes.int4), np.array([0, 15], ml_dtypes.uint4), np.array([2**32 - 1], np.uint32),
        np.arange(12).reshape(3, 4), np.zeros((0, 3), np.float32), np.full((2, 2), 7), np.float32(0.1), np.bool_(True),
        np.arange(3).astype(ml_dtypes.float8_e4m3fn), np.arange(6).reshape(2, 3).T,
    ], ids=lambda v: f"{v.dtype}{list(v.shape)}")
    def test_they_come_back_to_the_bit(self, value):
        """Written into the text (inner functions write their constants), and as hidden arguments."""
        array = jnp.asarray(value)
        expected = np.asarray(array)
        inner = px.jit(lambda x: (x, array))
        for found in (px.jit(lambda: array)(), px.jit(lambda x: inner(x)[1])(1.0)):
            assert found.aval is array.aval
            assert np.asarray(found).tobytes() == expected.tobytes()

    def test_in_64_bits(self):
        with px.enable_x64(True):
            value = np.array([np.pi, 1e-308, 1e308])
            assert np.asarray(px.jit(lambda: jnp.asarray(value))()).tobytes() == value.tobytes()
            assert int(px.jit(lambda: jnp.asarray(2**63 - 1))()) == 2**63 - 1

    def test_texts(self):
        assert scalar_text(np.float32(1.5), np.dtype(np.float32)) == "0x3FC00000"
        assert scalar_text(True, np.dtype(bool)) == "true"
        assert constant_text(np.full((2, 3), 7, np.int32), ShapedArray((2, 3), np.int32)) == "7"
        assert constant_text(np.array([1, 2], np.int32), ShapedArray((2,), np.int32)) == '"0x0100000002000000"'
        assert (i64_array([]), i64_array([1, 2])) == ("array<i64>", "array<i64: 1, 2>")
        assert i64_matrix([]) == "dense<> : tensor<0x2xi64>"


class TestFunctions:
    def test_one_for_each_jaxpr(self):
        f, g = px.jit(lambda x: jnp.sin(x) * 2), px.jit(lambda x: jnp.cos(x) * 2)
        shown = text(lambda x: f(f(x)) + g(f(x)), XS)
        assert shown.count("func.func private") == 2 and shown.count("call @") == 4

    def test_names_are_valid_and_distinct(self):
        inner = lambda x: x * 2
        inner.__name__ = 'odd "name" <here>'
        first, second = px.jit(inner), px.jit(lambda x: x * 3)
        np.testing.assert_array_equal(px.jit(lambda x: first(x) + second(x))(XS), px.jit(lambda x: 5 * x)(XS))
        assert Module('jit_<lambda> "x"').name == "jit__lambda___x_"

    def test_nothing_in_the_text_depends_on_file_or_line(self):
        first = text(lambda x: jnp.sin(x) + 1, XS)
        second = text(lambda x: jnp.sin(x) + 1, XS)
        assert first == second and __file__ not in first

    def test_arguments_that_nobody_reads_and_tokens(self):
        shown = text(lambda x, y: px.experimental.io_callback(print, None, x, ordered=True), XS, XS)
        head = next(line for line in shown.splitlines() if "@main" in line)
        assert head.count("tensor<3xf32>") == 1 and head.count("tensor<0xi1>") == 2


def broken(emit, **changes):
    rules = dict(type_rule=lambda x: x, jvp=LINEAR, transpose=NotLinear("no"), batch=ELEMENTWISE, emit=emit)
    return Primitive("crooked", **{**rules, **changes})


class TestFailures:
    def test_no_lowering_rule(self):
        made = broken(Missing("it runs in Python only"))
        for call in (lambda: px.jit(lambda x: made(x))(XS), lambda: made(jnp.asarray(XS))):
            with pytest.raises(NotImplementedError, match="runs in Python only"):
                call()
        with pytest.raises(EmissionError) as caught:
            px.jit(lambda x: made(x)).lower(XS)
        assert (caught.value.primitive, caught.value.platform) == ("crooked", "cpu")

    @pytest.mark.parametrize("wrap", [lambda f: f, lambda f: px.jit(f), lambda f: lambda x: px.jvp(f, (x,), (x,))[1]])
    def test_what_xla_refuses_is_reported_at_the_users_line(self, wrap):
        made = broken(lambda b, x: b.custom_call("no_such_target", [x], x.aval))

        def model(x):
            y = x * 2
            return made(y)

        with pytest.raises(px.errors.JaxRuntimeError) as caught:
            px.jit(wrap(model))(XS).block_until_ready()
        assert "no_such_target" in str(caught.value)
        assert "return made(y)" in str(caught.value)

    def test_what_the_parser_refuses_is_reported_of_the_primitive_at_the_users_line(self):
        made = broken(lambda b, x: b.op("stablehlo.sine", [x], x.aval))

        def model(x):
            y = made(x)
            return y + 1

        with pytest.raises(px.errors.JaxRuntimeError) as caught:
            px.jit(model)(XS)
        assert caught.value.emitter == "crooked"
        assert "custom op 'stablehlo.stablehlo.sine' is unknown" in caught.value.report.says
        assert "y = made(x)" in str(caught.value)

    def test_a_result_of_another_type_than_promised(self):
        made = broken(lambda b, x: b.convert(x, np.dtype(np.int32)))
        for call in (lambda: px.jit(lambda x: made(x))(XS), lambda: made(jnp.asarray(XS))):
            with pytest.raises(RuleResultError) as caught:
                call()
            assert (caught.value.primitive, caught.value.rule) == ("crooked", "emit")
            assert "i32" in caught.value.got and "f32" in caught.value.expected

    def test_a_result_that_is_no_value(self):
        with pytest.raises(RuleResultError) as caught:
            broken(lambda b, x: None)(jnp.asarray(XS))
        assert caught.value.rule == "emit"

    def test_what_the_parser_refuses(self):
        made = broken(lambda b, x: b.hlo("no_such_operation", [x], x.aval))

        def model(x):
            return made(x + 1)

        with pytest.raises(px.errors.JaxRuntimeError) as caught:
            px.jit(model)(XS)
        assert "no_such_operation" in str(caught.value)
        assert "return made(x + 1)" in str(caught.value)
