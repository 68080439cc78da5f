"""The hard cases that the interfaces were proved on, each small and complete.

A loop with a body of its own under every transformation, an ordered effect in a loop, an extended dtype, a custom
pull-back with a residual pytree, a sanitizer hook that costs nothing when off, a report that points two calls away from
where it was raised, and two devices behind one array.
"""
from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.printer import check_jaxpr
from perspicax.experimental import io_callback

XS = np.array([0.3, -0.7, 1.1, 0.2], np.float32)


def recurrence(w, xs):
    def step(h, x):
        h = jnp.tanh(w * h + x)
        return h, h * x

    return lax.scan(step, jnp.float32(0.1), xs)


def recurrence_in_numpy(w, xs):
    h, ys = np.float64(np.float32(0.1)), []
    for x in xs:
        h = np.tanh(w * h + x)
        ys.append(h * x)
    return h, np.array(ys)


def total(w, xs):
    h, ys = recurrence(w, xs)
    return h + ys.sum()


def total_in_numpy(w, xs):
    h, ys = recurrence_in_numpy(np.float64(w), np.asarray(xs, np.float64))
    return h + ys.sum()


def numeric_gradient(f, w, eps=1e-6):
    return (f(w + eps) - f(w - eps)) / (2 * eps)


class TestScan:
    @pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_values(self, wrap):
        h, ys = wrap(recurrence)(jnp.float32(0.5), jnp.asarray(XS))
        expected_h, expected_ys = recurrence_in_numpy(0.5, XS)
        np.testing.assert_allclose(h, expected_h, rtol=1e-5)
        np.testing.assert_allclose(ys, expected_ys, rtol=1e-5)

    @pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_reverse_mode(self, wrap):
        gw, gx = wrap(px.grad(total, argnums=(0, 1)))(jnp.float32(0.5), jnp.asarray(XS))
        np.testing.assert_allclose(gw, numeric_gradient(lambda w: total_in_numpy(w, XS), 0.5), rtol=1e-4)
        for i in range(len(XS)):
            bump = lambda v, i=i: total_in_numpy(0.5, np.where(np.arange(4) == i, v, np.float64(XS)))
            np.testing.assert_allclose(gx[i], numeric_gradient(bump, np.float64(XS[i])), rtol=1e-4)

    def test_forward_mode_and_both(self):
        w, xs = jnp.float32(0.5), jnp.asarray(XS)
        _, moved = px.jvp(lambda w: total(w, xs), (w,), (jnp.float32(1.0),))
        np.testing.assert_allclose(moved, px.grad(total)(w, xs), rtol=1e-5)
        second = px.grad(px.grad(total))(w, xs)
        over = px.jvp(px.grad(lambda w: total(w, xs)), (w,), (jnp.float32(1.0),))[1]
        numeric = numeric_gradient(lambda w: numeric_gradient(lambda v: total_in_numpy(v, XS), w, 1e-4), 0.5, 1e-4)
        np.testing.assert_allclose(second, over, rtol=1e-5)
        np.testing.assert_allclose(second, numeric, rtol=1e-3)

    def test_linearize_is_linear_and_transposes(self):
        w, xs = jnp.float32(0.5), jnp.asarray(XS)
        _, push = px.linearize(total, w, xs)
        _, pull = px.vjp(total, w, xs)
        dw, dxs = jnp.float32(0.7), jnp.asarray(XS[::-1].copy())
        gw, gxs = pull(jnp.float32(1.0))
        np.testing.assert_allclose(push(dw, dxs), gw * dw + (gxs * dxs).sum(), rtol=1e-5)
        np.testing.assert_allclose(px.jit(push)(2 * dw, 2 * dxs), 2 * push(dw, dxs), rtol=1e-5)

    def test_vmap_over_constant_carry_and_inputs(self):
        ws = jnp.asarray(np.array([0.1, 0.5, 0.9], np.float32))
        batch = jnp.asarray(np.stack([XS, XS[::-1], XS * 2]))
        together = px.vmap(total)(ws, batch)
        np.testing.assert_allclose(together, [total(w, x) for w, x in zip(ws, batch)], rtol=1e-5)
        gradients = px.vmap(px.grad(total), in_axes=(0, None))(ws, jnp.asarray(XS))
        np.testing.assert_allclose(gradients, [px.grad(total)(w, jnp.asarray(XS)) for w in ws], rtol=1e-5)

    def test_nested_in_itself(self):
        def outer(w, xs):
            def row(carry, r):
                inner, ys = recurrence(w + carry, r)
                return carry + inner, ys.sum()

            last, sums = lax.scan(row, jnp.float32(0.0), xs)
            return last + sums.sum()

        def outer_in_numpy(w, xs):
            carry, sums = 0.0, 0.0
            for r in xs:
                inner, ys = recurrence_in_numpy(w + carry, r)
                carry, sums = carry + inner, sums + ys.sum()
            return carry + sums

        grid = np.stack([XS, XS[::-1]])
        got = px.jit(px.grad(outer))(jnp.float32(0.5), jnp.asarray(grid))
        expected = numeric_gradient(lambda w: outer_in_numpy(w, np.float64(grid)), 0.5)
        np.testing.assert_allclose(got, expected, rtol=1e-4)

    def test_loop_constant_residuals_are_not_stacked(self):
        """The weights of a recurrence are a residual of every step; the backward pass reads them as a constant."""
        w = jnp.ones((5, 5))

        def loss(w, h):
            return lax.scan(lambda h, _: (jnp.tanh(h @ w), None), h, None, length=3)[0].sum()

        jaxpr = px.make_jaxpr(px.grad(loss, argnums=1))(w, jnp.ones(5))
        scans = [e for e in jaxpr.eqns if e.primitive.name == "scan"]
        assert len(scans) == 2
        stacked = [v.aval.shape for e in scans for v in e.outvars]
        assert (3, 5, 5) not in stacked
        check_jaxpr(jaxpr.jaxpr)

    def test_jaxprs_pass_the_checker(self):
        one, two = jnp.asarray(XS), jnp.asarray(np.stack([XS, XS]))
        for f, xs in ((total, one), (px.grad(total), one), (px.grad(px.grad(total)), one),
                      (px.vmap(total, in_axes=(None, 0)), two)):
            check_jaxpr(px.make_jaxpr(f)(jnp.float32(0.5), xs).jaxpr)

    def test_carry_that_changes_type_is_told_by_path(self):
        with pytest.raises(TypeError, match=r"(?s)c\['h'\].*int32\[\].*float32\[\]"):
            lax.scan(lambda c, x: ({"h": c["h"] + x}, None), {"h": jnp.int32(0)}, jnp.asarray(XS))


class TestOrderedEffect:
    def test_calls_in_a_loop_come_in_order(self):
        seen = []

        @px.jit
        def f(x):
            def step(c, i):
                io_callback(lambda v: seen.append(int(v)), None, i, ordered=True)
                return c + i, None

            return lax.scan(step, x, jnp.arange(6))[0]

        assert f(jnp.int32(0)) == 15
        px.effects_barrier()
        assert seen == list(range(6))

    def test_executions_follow_each_other(self):
        seen = []

        @px.jit
        def f(x):
            io_callback(lambda v: seen.append(int(v)), None, x, ordered=True)
            return x + 1

        x = jnp.int32(0)
        for _ in range(20):
            x = f(x)
        px.effects_barrier()
        assert seen == list(range(20))

    def test_what_the_function_raises_is_the_cause(self):
        def broken(_):
            raise KeyError("no such table")

        @px.jit
        def f(x):
            return io_callback(broken, px.ShapeDtypeStruct((), jnp.float32), x)

        with pytest.raises(px.errors.JaxRuntimeError) as caught:
            px.block_until_ready(f(jnp.float32(1)))
        assert isinstance(caught.value.__cause__, KeyError)


class TestExtendedDtype:
    def test_keys_through_jit_vmap_and_indexing(self):
        keys = px.random.split(px.random.key(7), 3)
        assert keys.shape == (3,) and px.dtypes.issubdtype(keys.dtype, px.dtypes.prng_key)
        words = np.asarray(px.random.key_data(keys))
        again = px.jit(lambda ks: ks[::-1])(keys)
        np.testing.assert_array_equal(px.random.key_data(again), words[::-1])
        np.testing.assert_array_equal(px.random.key_data(keys[1]), words[1])
        one = px.vmap(lambda k: px.random.bits(k, (2,)))(keys)
        np.testing.assert_array_equal(one, np.stack([px.random.bits(k, (2,)) for k in keys]))

    def test_keys_are_carried_through_a_loop(self):
        def step(key, _):
            key, sub = px.random.split(key)
            return key, px.random.bits(sub, ())

        last, drawn = px.jit(lambda k: lax.scan(step, k, None, length=3))(px.random.key(0))
        key, expected = px.random.key(0), []
        for _ in range(3):
            key, value = step(key, None)
            expected.append(int(value))
        np.testing.assert_array_equal(drawn, np.array(expected, np.uint32))
        np.testing.assert_array_equal(px.random.key_data(last), px.random.key_data(key))


class TestCustomVjp:
    def test_residuals_may_be_any_pytree(self):
        @px.custom_vjp
        def f(params, x):
            return params["a"] * jnp.sin(x)

        def forward(params, x):
            return f(params, x), {"residuals": (params["a"], [x])}

        def backward(residuals, ct):
            a, (x,) = residuals["residuals"]
            return {"a": ct * jnp.sin(x)}, 3.0 * ct * a * jnp.cos(x)  # 3 times too much, to see that it is used

        f.defvjp(forward, backward)
        params, x = {"a": jnp.float32(2.0)}, jnp.float32(0.5)
        for wrap in (lambda g: g, px.jit):
            ga, gx = wrap(px.grad(f, argnums=(0, 1)))(params, x)
            np.testing.assert_allclose(ga["a"], np.sin(0.5), rtol=1e-6)
            np.testing.assert_allclose(gx, 3 * 2 * np.cos(0.5), rtol=1e-6)
        xs = jnp.asarray(XS)
        batched = px.vmap(px.grad(f, argnums=1), in_axes=(None, 0))(params, xs)
        np.testing.assert_allclose(batched, 6 * np.cos(XS), rtol=1e-5)
        staged = px.jit(lambda p, x: f(p, x))
        np.testing.assert_allclose(px.grad(staged, argnums=1)(params, x), 6 * np.cos(0.5), rtol=1e-6)
        scanned = px.grad(lambda x: lax.scan(lambda c, _: (f(params, c), None), x, None, length=2)[0])(x)
        np.testing.assert_allclose(scanned, 36 * np.cos(0.5) * np.cos(2 * np.sin(0.5)), rtol=1e-5)

    def test_forward_mode_says_what_is_missing(self):
        f = px.custom_vjp(lambda x: x)
        f.defvjp(lambda x: (x, None), lambda _, ct: (ct,))
        with pytest.raises(TypeError, match="custom_vjp"):
            px.jvp(f, (1.0,), (1.0,))


class TestSanitizerHook:
    def test_a_hook_sees_the_operands_and_costs_nothing_when_off(self):
        from perspicax.core.sanitizing import sanitizers

        seen = []
        with sanitizers({"bounds": lambda primitive, args, params: seen.append(primitive.name)}):
            jnp.arange(5.0)[jnp.asarray([1, 2])]
        assert "gather" in seen
        seen.clear()
        jnp.arange(5.0)[jnp.asarray([1, 2])]
        assert seen == []


class TestReportFarFromTheRaise:
    def test_the_place_is_in_the_helper_that_asked(self, tmp_path):
        script = tmp_path / "train.py"
        script.write_text(textwrap.dedent("""\
            import jax
            import jax.numpy as jnp

            def smaller(a, b):
                return a.sum() < b.sum()

            def choose(z, y):
                if smaller(z, y):
                    return z
                return y

            @jax.jit
            def pick(x, y):
                return choose(x * 2, y)

            pick(jnp.ones(3), jnp.ones(3))
            """))
        done = subprocess.run([sys.executable, "-m", "perspicax.compat", str(script)], capture_output=True, text=True)
        assert done.returncode == 1
        assert "TracerBoolConversionError" in done.stderr
        assert "train.py:8:8 in choose" in done.stderr
        assert "`pick`" in done.stderr and "jnp.where(smaller(z, y), z, y)" in done.stderr


class TestTwoDevices:
    def test_two_devices_behind_one_array(self):
        code = textwrap.dedent("""\
            import json
            import numpy as np
            import perspicax as px, perspicax.numpy as jnp
            from perspicax.sharding import Mesh, NamedSharding, PartitionSpec as P
            mesh = Mesh(np.array(px.devices()), ("x",))
            whole = np.arange(8.0, dtype=np.float32)
            x = px.device_put(whole, NamedSharding(mesh, P("x")))
            y = px.jit(lambda v: jnp.sin(v) * 2)(x)
            total = px.jit(lambda v: v.sum())(x)
            eager = x + x
            print(json.dumps({
                "devices": len(x.devices()), "pieces": [np.asarray(s.data).tolist() for s in x.addressable_shards],
                "same": np.allclose(np.asarray(y), np.sin(whole) * 2, rtol=1e-6), "y devices": len(y.devices()),
                "total": float(total), "eager": np.asarray(eager).tolist(),
                "grad": np.asarray(px.grad(lambda v: (v * v).sum())(x)).tolist()}))
            """)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              env={**__import__("os").environ, "JAX_NUM_CPU_DEVICES": "2"})
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["devices"] == 2 and found["y devices"] == 2
        assert found["pieces"] == [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
        assert found["same"] and found["total"] == 28.0
        assert found["eager"] == [2.0 * i for i in range(8)] == found["grad"]


def test_a_type_without_values_is_no_argument():
    with pytest.raises(TypeError, match="ShapeDtypeStruct"):
        px.jit(lambda x: x + 1)(px.ShapeDtypeStruct((3,), jnp.float32))
