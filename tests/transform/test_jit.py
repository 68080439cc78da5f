"""`jit`: results, the cache of traces, nesting, lifetimes, contexts."""
from __future__ import annotations

import copy
import functools
import gc
import inspect
import logging
import pickle
import weakref

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.core.printer import check_jaxpr
from perspicax.transform.errors import NoTracingError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def counting(f):
    """`f`, and the list to which each trace (or plain call) appends."""
    count = []

    @functools.wraps(f)
    def counted(*args, **kwargs):
        count.append(1)
        return f(*args, **kwargs)

    return counted, count


def double(x):
    return x * 2


class TestCacheOfTraces:
    def test_two_jits_of_one_function_share(self):
        f, count = counting(double)
        px.jit(f)(XS)
        px.jit(f)(XS)
        px.jit(f).lower(XS)
        assert len(count) == 1

    def test_a_bound_method_is_shared_by_identity_alone(self):
        count = []

        class Model:
            scale = 2.0

            def apply(self, x):
                count.append(1)
                return self.scale * x

        model = Model()
        method = model.apply
        assert (px.jit(method)(1.0), px.jit(method)(1.0), len(count)) == (2.0, 2.0, 1)
        model.scale = 3.0
        assert px.jit(model.apply)(1.0) == 3.0

    @pytest.mark.parametrize("context", [px.enable_x64(True), px.default_matmul_precision("float32"), px.debug_nans(True),
                                         px.numpy_rank_promotion("raise")], ids=["x64", "precision", "nans", "rank"])
    def test_options_that_affect_tracing_retrace_and_come_back(self, context):
        f, count = counting(double)
        jitted = px.jit(f)
        jitted(XS)
        with context:
            jitted(XS)
            jitted(XS)
        jitted(XS)
        assert len(count) == 2

    def test_a_context_of_the_users_own_retraces(self):
        scale = px.make_user_context(1.0)
        f, count = counting(lambda x: x * scale.value)
        jitted = px.jit(f)
        assert jitted(2.0) == 2.0
        with scale(3.0):
            assert jitted(2.0) == 6.0
        assert (jitted(2.0), len(count)) == (2.0, 2)

    def test_clear_caches_forgets_everything(self):
        f, count = counting(double)
        jitted = px.jit(f)
        jitted(XS)
        px.clear_caches()
        jitted(XS)
        jitted.clear_cache()
        jitted(XS)
        assert (len(count), jitted._cache_size()) == (3, 1)

    def test_no_tracing(self):
        jitted = px.jit(double)
        jitted(XS)
        with px.no_tracing(True):
            np.testing.assert_array_equal(jitted(XS), 2 * XS)
            with pytest.raises(NoTracingError) as caught:
                jitted(XS[:2])
        assert caught.value.types == "float32[2]"

    def test_enable_checks(self):
        with px.enable_checks(True):
            assert px.jit(px.grad(lambda x: jnp.sin(x) * x))(0.0) == 0.0

    def test_log_compiles(self, caplog):
        with caplog.at_level(logging.WARNING, logger="jax"), px.log_compiles(True):
            px.jit(lambda x: x - 7)(XS)
        messages = [record.getMessage() for record in caplog.records]
        assert any(m.startswith("Finished tracing jit(") for m in messages)
        assert any(m.startswith("Compiling jit_") and "float32[3]" in m for m in messages)
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="jax"):
            px.jit(lambda x: x - 8)(XS)
        assert not caplog.records


class TestLifetimes:
    """Nothing keeps a function, what it closes over, its arguments or its static arguments alive."""

    def dies(self, make):
        reference = make()
        gc.collect()
        return reference() is None

    def test_function_and_constant(self):
        constants = []

        def make():
            big = jnp.asarray(np.ones(1000, np.float32))
            constants.append(weakref.ref(big))

            def f(x):
                return x * big

            jitted = px.jit(f)
            jitted(2.0)
            px.grad(lambda x: jitted(x).sum())(1.0)
            px.vmap(jitted)(np.ones(2, np.float32))
            px.jit(lambda x: jitted(x) + 1)(1.0)
            return weakref.ref(f)

        assert self.dies(make)
        assert constants[0]() is None

    def test_instance_of_a_method(self):
        def make():
            class Model:
                def apply(self, x):
                    return x * 2

            model = Model()
            px.jit(model.apply)(1.0)
            px.jit(functools.partial(lambda m, x: m.apply(x), model))(1.0)
            return weakref.ref(model)

        assert self.dies(make)

    def test_static_argument(self):
        class Setting:
            pass

        def make():
            setting = Setting()
            px.jit(lambda x, s: x, static_argnums=1)(1.0, setting)
            return weakref.ref(setting)

        assert self.dies(make)

    def test_argument_and_result(self):
        results = []

        def make():
            x = jnp.asarray(XS) + 0
            y = px.jit(double)(x)
            results.append(weakref.ref(y))
            return weakref.ref(x)

        assert self.dies(make)
        assert results[0]() is None

    def test_function_with_a_callback(self):
        def make():
            def f(x):
                return px.pure_callback(lambda v: np.asarray(v) * 2, px.ShapeDtypeStruct((), np.float32), x)

            assert px.jit(f)(1.5) == 3.0
            return weakref.ref(f)

        assert self.dies(make)


class TestNesting:
    def test_the_inner_function_is_one_equation(self):
        inner = px.jit(double)
        jaxpr = px.make_jaxpr(lambda x: inner(x) + inner(x))(1.0)
        calls = [e for e in jaxpr.eqns if e.primitive.name == "jit"]
        assert [e.params["name"] for e in calls] == ["double", "double"]
        assert calls[0].params["jaxpr"] is calls[1].params["jaxpr"]
        check_jaxpr(jaxpr.jaxpr)

    def test_inline(self):
        inner = px.jit(double, inline=True)
        jaxpr = px.make_jaxpr(lambda x: inner(x))(1.0)
        assert [e.primitive.name for e in jaxpr.eqns] == ["mul"]

    def test_it_is_emitted_once(self):
        inner = px.jit(lambda x: jnp.sin(x) * 3, inline=False)
        text = px.jit(lambda x: inner(inner(x))).lower(XS).as_text()
        assert text.count("func.func private") == 1

    def test_recursion(self):
        @functools.partial(px.jit, static_argnums=1)
        def power(x, n):
            return x if n == 1 else x * power(x, n - 1)

        assert power(2.0, 5) == 32.0
        assert px.grad(power)(2.0, 5) == 80.0

    def test_large_constants_are_no_text(self):
        table = np.arange(5000, dtype=np.float32)
        text = px.jit(lambda i: jnp.asarray(table) * i).lower(2.0).as_text()
        assert len(text) < 2000


class TestFunctions:
    def test_wrapper_looks_like_the_function(self):
        def f(x, y=2, *, z=3):
            """What it does."""
            return x

        jitted = px.jit(f)
        assert (jitted.__name__, jitted.__doc__, jitted.__module__) == ("f", "What it does.", __name__)
        assert inspect.signature(jitted) == inspect.signature(f)
        assert jitted.__wrapped__ is f and inspect.unwrap(jitted) is f

    def test_methods_class_methods_static_methods_callables(self):
        class Model:
            scale = 2.0

            @functools.partial(px.jit, static_argnums=0)
            def of_instance(self, x):
                return self.scale * x

            @classmethod
            @functools.partial(px.jit, static_argnums=0)
            def of_class(cls, x):
                return cls.scale * x * 2

            @staticmethod
            @px.jit
            def of_none(x):
                return x * 8

            def __call__(self, x):
                return self.scale * x * 8

        model = Model()
        assert (model.of_instance(1.0), Model.of_class(1.0), model.of_class(1.0)) == (2.0, 4.0, 4.0)
        assert (Model.of_none(1.0), model.of_none(1.0), px.jit(model)(1.0)) == (8.0, 8.0, 16.0)
        assert model.of_instance.lower(model, 1.0).compile()(3.0) == 6.0  # as JAX has it, with the instance
        assert model.of_instance.lower(1.0).compile()(3.0) == 6.0

    def test_copies_and_pickles(self):
        jitted = px.jit(double)
        for other in (copy.copy(jitted), copy.deepcopy(jitted), pickle.loads(pickle.dumps(jitted))):
            assert other(2.0) == 4.0
        assert jitted in {jitted: 1}

    def test_disable_jit(self):
        absolute = px.jit(lambda x: x if x > 0 else -x)
        with px.disable_jit():
            assert absolute(-1.0) == 1.0
            assert px.grad(absolute)(-1.0) == -1.0
        with pytest.raises(px.errors.TracerBoolConversionError):
            absolute(-1.0)

    def test_hash_of_two_jits_differs(self):
        assert px.jit(double) != px.jit(double)


class TestFailuresLeaveNothingBehind:
    def fails(self, x):
        raise ZeroDivisionError

    @pytest.mark.parametrize("transform", [px.jit, px.grad, px.vmap, lambda f: lambda x: px.linearize(f, x),
                                           lambda f: lambda x: px.vjp(f, x), lambda f: lambda x: px.jvp(f, (x,), (x,)),
                                           px.make_jaxpr, lambda f: lambda x: px.eval_shape(f, x)])
    def test_at_the_top_and_within(self, transform):
        x = jnp.asarray(XS) if transform is px.vmap else jnp.float32(1.0)
        with pytest.raises(ZeroDivisionError):
            transform(self.fails)(x)
        assert local.trace is evaluator() and local.place is None

        @px.jit
        def outer(y):
            with pytest.raises(ZeroDivisionError):
                transform(self.fails)(x)
            return y * 2.0

        assert outer(3.0) == 6.0
        assert px.grad(outer)(3.0) == 2.0

    def test_a_failed_trace_is_not_kept(self):
        working = []
        f = px.jit(lambda x: x * 2 if working else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            f(1.0)
        working.append(1)
        assert f(1.0) == 2.0

    def test_a_generator_under_trace(self):
        def halves(x):
            for _ in range(3):
                x = x / 2
                yield x

        assert px.jit(lambda x: sum(halves(x)))(8.0) == 7.0
        assert px.grad(lambda x: sum(halves(x)))(8.0) == 0.875

    def test_a_generator_that_is_left_open(self):
        open_generators = []

        def numbers(x):
            yield x * 1
            yield x * 2

        def f(x):
            generator = numbers(x)
            open_generators.append(generator)
            return next(generator)

        assert px.jit(f)(3.0) == 3.0
        assert local.trace is evaluator()
        with pytest.raises(px.errors.UnexpectedTracerError):
            next(open_generators[0])


@pytest.mark.parametrize("function", [
    lambda x: jnp.sin(x) * x, lambda x: lax.scan(lambda c, y: (c + y, c * y), x.sum(), x)[1],
    lambda x: (x > 0, x.astype(jnp.int32), {"a": x[0]}), lambda x: (),
])
def test_jit_is_the_function(function):
    eager, jitted = function(jnp.asarray(XS)), px.jit(function)(XS)
    assert px.tree.structure(eager) == px.tree.structure(jitted)
    for a, b in zip(px.tree.leaves(eager), px.tree.leaves(jitted)):
        assert a.aval is b.aval
        np.testing.assert_allclose(a, b, rtol=1e-6)
    jaxpr = px.make_jaxpr(function)(XS)
    check_jaxpr(jaxpr.jaxpr)
    assert [a.aval for a in px.tree.leaves(jitted)] == list(jaxpr.out_avals)
