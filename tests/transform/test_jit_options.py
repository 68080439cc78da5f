"""The options of jit: static and donated arguments, shardings, compiler options."""
from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.transform.errors import StaticArgumentError
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions, Signature

XS = np.array([0.3, 0.7, -1.1], np.float32)


def scaled(x, n=2, *, m=1):
    return x * n * m


def kinds_seen(calls, **options):
    """For each trace of `scaled` which arguments it saw as Python integers."""
    seen = []

    @functools.wraps(scaled)
    def f(*args, **kwargs):
        seen.append([type(v) is int for v in (*args, *kwargs.values())])
        return scaled(*args, **kwargs)

    jitted = px.jit(f, **options)
    return [float(jitted(*args, **kwargs)) for args, kwargs in calls], seen


class TestStatic:
    CALLS = [((1.0, 3), {}), ((1.0, 3), {}), ((1.0, 4), {}), ((1.0,), {"n": 3}), ((1.0,), {})]

    @pytest.mark.parametrize("options", [{"static_argnums": 1}, {"static_argnames": "n"}, {"static_argnums": -1},
                                         {"static_argnums": (1,), "static_argnames": ("m",)}])
    def test_position_and_name_mean_the_same_parameter(self, options):
        values, seen = kinds_seen(self.CALLS, **options)
        assert values == [3.0, 3.0, 4.0, 3.0, 2.0]
        assert seen == [[False, True], [False, True], [False, True], [False]]

    def test_keyword_only(self):
        values, seen = kinds_seen([((1.0,), {"m": 3}), ((1.0,), {"m": 3}), ((1.0,), {"m": 5})], static_argnames="m")
        assert (values, seen) == ([6.0, 6.0, 10.0], [[False, True], [False, True]])

    def test_equal_values_of_different_types_are_different(self):
        f = px.jit(lambda x, n: x * 100 if type(n) is bool else x * n, static_argnums=1)
        assert (f(1.0, 1), f(1.0, True), f(1.0, 1.0)) == (1.0, 100.0, 1.0)

    def test_from_the_end_of_variable_arguments(self):
        f = px.jit(lambda *args: args[0] * args[-1] if isinstance(args[-1], int) else None, static_argnums=-1)
        assert (f(2.0, 3), f(2.0, 5.0, 4)) == (6.0, 8.0)

    @pytest.mark.parametrize("value", [[1], {"a": 1}, np.ones(2)])
    def test_what_cannot_be_hashed(self, value):
        with pytest.raises(StaticArgumentError) as caught:
            px.jit(scaled, static_argnums=1)(1.0, value)
        error = caught.value
        assert (error.kind, error.given, error.function, error.value_type) == (
            "unhashable", "n", "scaled", type(value).__name__)
        with pytest.raises(StaticArgumentError):
            px.jit(scaled, static_argnames="m")(1.0, m=value)

    def test_a_traced_value(self):
        with pytest.raises(StaticArgumentError) as caught:
            px.jit(lambda y: px.jit(scaled, static_argnums=1)(1.0, y))(2.0)
        assert caught.value.value_type == "traced float32[] array"

    @pytest.mark.parametrize("options", [{"static_argnums": 2}, {"static_argnums": -3}, {"static_argnames": "nn"},
                                         {"donate_argnums": 2}, {"donate_argnames": ("nn",)}])
    def test_a_parameter_that_is_none(self, options):
        with pytest.raises(StaticArgumentError) as caught:
            px.jit(scaled, **options)
        assert (caught.value.kind, caught.value.parameters) == ("unknown", ("x", "n", "m"))

    def test_static_and_donated(self):
        with pytest.raises(StaticArgumentError) as caught:
            px.jit(scaled, static_argnums=1, donate_argnames="n")
        assert caught.value.kind == "both"

    def test_grad_and_vmap_of_it(self):
        f = px.jit(lambda x, n: x**n, static_argnums=1)
        assert px.grad(f)(2.0, 3) == 12.0
        np.testing.assert_allclose(px.vmap(lambda x: f(x, 2))(XS), XS**2, rtol=1e-6)

    def test_the_signature_is_looked_up_once(self):
        f = px.jit(scaled, static_argnums=1)
        f(1.0, 2)
        assert f.signature() is f.signature()


class TestSignature:
    def test_parameters(self):
        signature = Signature(lambda a, /, b, *rest, c, **more: None)
        assert (signature.positional, signature.variadic, signature.open_names) == (["a", "b"], True, True)
        assert signature.positions((0, -1), ("b",)) == (-1, 0, 1)
        assert signature.with_names((0,), ("c",)) == {"a", "c"}
        assert (signature.name(1), signature.name("c"), signature.name(7)) == ("b", "c", "argument 7")

    def test_unknown(self):
        signature = Signature(type("Odd", (), {"__signature__": 3, "__call__": lambda self: None})())
        assert (signature.known, signature.variadic, signature.open_names) == (False, True, True)


class TestOthers:
    def test_keep_unused(self):
        x, y = jnp.asarray(XS), jnp.asarray(XS)
        for keep, count in ((True, 2), (False, 1)):
            text = px.jit(lambda x, y: y * 2, keep_unused=keep).lower(x, y).as_text()
            head = next(line for line in text.splitlines() if "@main" in line)
            assert head.split("->")[0].count("tensor<3xf32>") == count
        np.testing.assert_array_equal(px.jit(lambda x, y: y * 2, keep_unused=True)(x, y), 2 * XS)

    def test_compiler_options(self):
        fast = px.jit(lambda x: x * 2, compiler_options={"xla_cpu_enable_fast_math": True})
        np.testing.assert_array_equal(fast(XS), 2 * XS)
        with pytest.raises(px.errors.JaxRuntimeError, match="xla_nonsense"):
            px.jit(lambda x: x * 2, compiler_options={"xla_nonsense": True})(XS)

    def test_backend_and_device(self):
        for options in ({"backend": "cpu"}, {"device": px.devices()[0]}):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                result = px.jit(lambda x: x * 2, **options)(XS)
            assert result.devices() == {px.devices()[0]} and result.committed

    def test_kinds_of_option_values(self):
        assert JitOptions(static_argnums=np.int64(1)).static_argnums == (1,)
        assert JitOptions(static_argnums=[np.int64(1), 2]).static_argnums == (1, 2)
        assert JitOptions(static_argnames=["a", "b"]).static_argnames == ("a", "b")
        with pytest.raises(TypeError):
            JitOptions(static_argnums="x")

    def test_one_function_with_different_options(self):
        f = lambda x, n: x * n
        plain, static = JitFunction(f, JitOptions()), JitFunction(f, JitOptions(static_argnums=1))
        assert (plain(2.0, 3.0), static(2.0, 3), plain(2.0, 4.0), static(2.0, 4)) == (6.0, 6.0, 8.0, 8.0)
