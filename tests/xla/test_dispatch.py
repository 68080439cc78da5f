"""Eager evaluation: kernels, checks of results, contexts."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.avals import ShapedArray
from perspicax.core.primitive import Primitive
from perspicax.transform.batch import ELEMENTWISE
from perspicax.transform.jvp import LINEAR
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import MAX_KERNELS, as_array, remember
from perspicax.xla.errors import NonFiniteError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def identity(**changes):
    rules = dict(type_rule=lambda x, **_: x, jvp=LINEAR, transpose=lambda ct, x, **_: [ct], batch=ELEMENTWISE,
                 emit=lambda b, x, **_: x)
    return Primitive("an identity", **{**rules, **changes})


class TestKernels:
    def test_a_host_rule_may_decline(self):
        calls = []

        def host(x, **_):
            calls.append(x.dtype)
            return x.copy() if x.dtype == np.int32 else NotImplemented

        made = identity(host=host)
        for x in (np.arange(3, dtype=np.int32), XS):
            np.testing.assert_array_equal(made(jnp.asarray(x)), x)
        assert calls == [np.int32, np.float32]

    def test_large_arrays_and_committed_ones(self):
        big = jnp.zeros((300, 300), jnp.int32)
        assert (big + 1)._np is None
        small = px.device_put(np.arange(3, dtype=np.int32), px.devices()[0])
        assert (small + 1).committed and not (jnp.arange(3) + 1).committed

    def test_host_and_device_give_the_same_bits(self):
        values = np.array([0, 1, -1, 2**31 - 1, -2**31, 12345], np.int32)
        x, y = jnp.asarray(values), jnp.asarray(values[::-1].copy())
        for operation in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a ^ b,
                          lambda a, b: a.astype(jnp.float32), lambda a, b: jnp.stack([a, b])[:, ::2].T):
            np.testing.assert_array_equal(operation(x, y), px.jit(operation)(x, y))

    def test_subnormal_numbers_do_not_depend_on_the_path(self):
        tiny = np.full(3, 1e-42, np.float32)
        for operation in (lambda v: v * 3, lambda v: v == 0, lambda v: v + v, lambda v: v.astype(bool)):
            np.testing.assert_array_equal(operation(jnp.asarray(tiny)), px.jit(operation)(tiny))

    def test_they_are_bounded(self):
        made = identity(params=("n",))
        for n in range(MAX_KERNELS + 5):
            remember(made, ((ShapedArray((), np.float32),), (n,)), lambda *_: None)
        assert len(made.kernels) <= MAX_KERNELS

    def test_several_results(self):
        whole, rest = lax.split(jnp.asarray(XS), (1, 2))
        assert whole.shape == (1,) and rest.shape == (2,)


class TestOperands:
    def test_as_array(self):
        for value, weak in ((1.5, True), (np.float32(1.5), False), (3, True), (True, False)):
            x = as_array(value)
            assert type(x) is ArrayImpl and x.weak_type == weak and x.item() == value
            assert as_array(x) is x

    def test_an_integer_that_does_not_fit(self):
        with pytest.raises(OverflowError):
            as_array(2**40)

    def test_a_leaked_tracer(self):
        leaked = []
        px.jit(lambda x: leaked.append(x) or x)(1.0)
        with pytest.raises(px.errors.UnexpectedTracerError):
            jnp.sin(leaked[0])


class TestNonFinite:
    @pytest.mark.parametrize("wrap", [lambda f: f, px.jit, lambda f: px.jit(px.jit(f))], ids=["eager", "jit", "nested"])
    def test_the_operation_and_the_line_are_named(self, wrap):
        def loss(x):
            y = x * 2.0
            z = jnp.log(y)
            return z + 1.0

        f = wrap(loss)
        with px.debug_nans(True):
            np.testing.assert_allclose(f(np.float32(0.5)), 1.0)
            with pytest.raises(NonFiniteError) as caught:
                f(np.float32(-0.5))
        error = caught.value
        assert (error.what, error.kind, error.type_text) == ("log", "nan", "float32[]")
        assert error.position.code is loss.__code__
        assert "z = jnp.log(y)" in str(error)
        assert isinstance(error, FloatingPointError)
        assert np.isnan(f(np.float32(-0.5)))

    def test_infinities(self):
        f = px.jit(lambda x: 1.0 / x)
        with px.debug_infs(True), pytest.raises(NonFiniteError) as caught:
            f(np.float32(0))
        assert (caught.value.kind, caught.value.what) == ("inf", "div")
        with px.debug_nans(True):
            assert np.isinf(f(np.float32(0)))

    def test_in_a_gradient(self):
        with px.debug_nans(True), pytest.raises(NonFiniteError):
            px.jit(px.grad(lambda x: jnp.sqrt(x) * 0))(0.0)

    def test_donated_arguments_do_not_hide_it(self):
        f = px.jit(lambda x: jnp.log(x), donate_argnums=0)
        with px.debug_nans(True), pytest.raises(NonFiniteError):
            f(jnp.asarray(-XS))

    def test_bfloat16_and_complex(self):
        with px.debug_nans(True):
            with pytest.raises(NonFiniteError):
                jnp.asarray([0.0], jnp.bfloat16) / jnp.asarray([0.0], jnp.bfloat16)
            with pytest.raises(NonFiniteError):
                jnp.asarray([0j]) / jnp.asarray([0j])


def test_the_cause_of_an_impossible_allocation_is_told():
    with pytest.raises(px.errors.JaxRuntimeError, match=r"RESOURCE_EXHAUSTED|allocat"):
        px.jit(lambda x: jnp.zeros((2**40,), jnp.float32) + x)(1.0).block_until_ready()
