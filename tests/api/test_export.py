"""`jax.export`: programs and their bytes, calls, derivatives, platforms, symbolic sizes, and what is refused."""
from __future__ import annotations

import collections
import random
import subprocess
import sys

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import export
from perspicax.api.export_errors import ExportedCallError, ExportError, ExportFormatError, ExportUnsupportedError
from perspicax.api.export_format import MAGIC
from perspicax.core.symbolic_errors import (
    InconclusiveDimensionOperation,
    SymbolicShapeError,
    SymbolicSizeConversionError,
)
from perspicax.xla.errors import EmissionError

X = np.linspace(-1, 2, 12, dtype=np.float32).reshape(4, 3)
B, = export.symbolic_shape("b")
F32 = np.dtype(np.float32)


def struct(*shape, dtype=F32):
    return px.ShapeDtypeStruct(shape, dtype)


def scaled(x, factor, *, shift):
    return {"y": jnp.sin(x) * factor + shift, "n": x.shape[0]}

HOST = px.memory.Space.Host


@pytest.fixture(scope="module")
def plain():
    return export.export(px.jit(scaled))(X, 2.0, shift=np.float32(1))


@pytest.fixture(scope="module")
def symbolic():
    return export.export(px.jit(lambda x: jnp.mean(jnp.tanh(x) * x.shape[0], axis=0)))(struct(B, 3))


def test_types_keep_their_memories_in_calls_and_in_bytes():
    kept = export.export(px.jit(lambda a: (a * 2, px.device_put(a, px.memory.Space.Device))))(px.device_put(X, HOST))
    for it in (kept, export.deserialize(kept.serialize(vjp_order=1))):
        assert [a.str_short() for a in (*it.in_avals, *it.out_avals)] == ["float32<host>[4,3]"] * 2 + ["float32[4,3]"]
        for call in (it.call, px.jit(it.call)):
            doubled, same = call(px.device_put(X, HOST))
            assert px.typeof(doubled) == it.out_avals[0] and doubled.sharding.memory_kind == "pinned_host"
            assert px.typeof(same) == it.out_avals[1]
            np.testing.assert_array_equal(doubled, X * 2)
        slope = px.grad(lambda a: it.call(a)[1].sum())(px.device_put(X, HOST))
        assert px.typeof(slope) == it.in_avals[0] and (slope == 1).all()


class TestExported:
    def test_its_fields(self, plain):
        assert plain.fun_name == "scaled" and plain.platforms == ("cpu",) == (export.default_export_platform(),)
        assert [a.str_short() for a in plain.in_avals] == ["float32[4,3]", "float32[]", "float32[]"]
        assert [a.str_short() for a in plain.out_avals] == ["int32[]", "float32[4,3]"]
        assert plain.nr_devices == 1 and plain.module_kept_var_idx == (0, 1, 2) and not plain.uses_global_constants
        assert plain.ordered_effects == () and plain.in_shardings_hlo == (None,) * 3 and plain.has_vjp()
        assert export.minimum_supported_calling_convention_version <= plain.calling_convention_version
        assert plain.calling_convention_version <= export.maximum_supported_calling_convention_version
        assert plain.in_shardings_jax(None) == (None,) * 3 and "stablehlo.sine" in plain.mlir_module()

    def test_a_call_is_the_function(self, plain):
        want = scaled(X, 2.0, shift=np.float32(1))
        for it in (plain, export.deserialize(plain.serialize())):
            got = it.call(X, 2.0, shift=np.float32(1))
            np.testing.assert_array_equal(got["y"], want["y"])
            assert got["n"] == 4 and got["n"].dtype == np.int32

    def test_arguments_that_are_not_read_are_dropped(self):
        it = export.export(px.jit(lambda x, unused, i: (x + 1, i)))(X, X, np.arange(3))
        assert it.module_kept_var_idx == (0, 2)
        np.testing.assert_array_equal(it.call(X, X, np.arange(3))[0], X + 1)

    def test_within_jit_vmap_and_a_loop(self, symbolic):
        want = symbolic.call(X)
        np.testing.assert_allclose(px.jit(symbolic.call)(X), want, rtol=1e-6)
        stacked = np.stack([X, 2 * X])
        np.testing.assert_allclose(px.vmap(symbolic.call)(stacked), [want, symbolic.call(2 * X)], rtol=1e-6)

    def test_keys_and_empty_trees_are_arguments(self):
        empty = {"none": None, "list": []}
        it = export.export(px.jit(lambda key, nothing: px.random.normal(key, (2,))))(px.random.key(0), empty)
        again = export.deserialize(it.serialize())
        np.testing.assert_array_equal(again.call(px.random.key(3), empty), px.random.normal(px.random.key(3), (2,)))

    def test_constants_of_any_size_stand_in_the_program(self):
        table = jnp.arange(1000.0)
        it = export.deserialize(export.export(px.jit(lambda i: table[i]))(3).serialize())
        assert it.call(999) == 999

    def test_another_process_calls_it(self, symbolic, tmp_path):
        path = tmp_path / "f.bin"
        path.write_bytes(symbolic.serialize())
        program = f"import numpy as np; from perspicax import export; blob = open({str(path)!r}, 'rb').read(); " \
                  "print(float(export.deserialize(blob).call(np.ones((5, 3), np.float32))[0]))"
        out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert float(out.stdout) == pytest.approx(np.tanh(1) * 5, rel=1e-6)


class TestDerivatives:
    def test_gradients_of_any_order(self, symbolic):
        loss = lambda x: symbolic.call(x).sum()
        direct = lambda x: jnp.mean(jnp.tanh(x) * 4, axis=0).sum()
        np.testing.assert_allclose(px.grad(loss)(X), px.grad(direct)(X), rtol=1e-5)
        twice = lambda f: px.grad(lambda x: (px.grad(f)(x) ** 2).sum())(X)
        np.testing.assert_allclose(twice(loss), twice(direct), rtol=1e-5, atol=1e-6)

    def test_as_many_orders_as_were_serialized(self, symbolic):
        bare, one = (export.deserialize(symbolic.serialize(vjp_order=n)) for n in (0, 1))
        assert not bare.has_vjp() and bare.vjp() is None and one.has_vjp() and not one.vjp().has_vjp()
        np.testing.assert_array_equal(px.grad(lambda x: one.call(x).sum())(X), px.grad(lambda x: symbolic.call(x).sum())(X))
        with pytest.raises(ExportedCallError, match="vjp_order=1"):
            px.grad(lambda x: bare.call(x).sum())(X)
        with pytest.raises(ExportError, match="2 orders"):
            one.serialize(vjp_order=2)
        with pytest.raises(ExportError):
            symbolic.serialize(vjp_order=-1)

    def test_the_exported_gradient_takes_and_returns_flat_arrays(self, symbolic):
        gradient = symbolic.vjp()
        assert [str(a.str_short()) for a in gradient.in_avals] == ["float32[b,3]", "float32[3]"]
        assert [str(a.str_short()) for a in gradient.out_avals] == ["float32[b,3]"]
        found, = gradient.call(X, np.ones(3, np.float32))
        np.testing.assert_allclose(found, 1 - np.tanh(X) ** 2, rtol=1e-5)

    def test_integers_among_arguments_and_results(self):
        it = export.export(px.jit(lambda x, i: (x[i], i + 1)))(X[0], np.int32(1))
        np.testing.assert_array_equal(px.grad(lambda x: it.call(x, np.int32(1))[0])(X[0]), [0, 1, 0])

    def test_forward_mode_is_refused(self, symbolic):
        with pytest.raises(TypeError):
            px.jvp(symbolic.call, (X,), (X,))


class TestPlatforms:
    def test_one_program_for_several(self):
        by_platform = px.jit(lambda x: px.lax.platform_dependent(x, cpu=jnp.sin, tpu=jnp.cos))
        it = export.deserialize(export.export(by_platform, platforms=("tpu", "cpu"))(1.0).serialize())
        assert it.platforms == ("tpu", "cpu") and it.uses_global_constants and it.call(1.0) == jnp.sin(1.0)
        same = export.export(px.jit(jnp.sin), platforms=["cpu", "cuda"])(struct(B))
        assert same.mlir_module().count("stablehlo.sine") == 1 and same.call(X[0]).shape == (3,)

    def test_another_platform_is_refused_unless_the_check_is_off(self):
        with pytest.raises(ExportedCallError, match="exported for tpu, and called on cpu"):
            export.export(px.jit(jnp.sin), platforms=("tpu",))(1.0).call(1.0)
        free = export.export(px.jit(jnp.sin), platforms=("tpu",), disabled_checks=[export.DisabledSafetyCheck.platform()])(1.0)
        assert export.deserialize(free.serialize()).call(1.0) == jnp.sin(1.0)

    def test_kernels_of_platforms_that_are_not_here(self):
        it = export.export(px.jit(jnp.linalg.cholesky), platforms=("cpu", "cuda"))(struct(3, 3))
        assert "lapack_spotrf_ffi" in it.mlir_module() and "cusolver_potrf_ffi" in it.mlir_module()
        np.testing.assert_array_equal(it.call(4 * np.eye(3, dtype=np.float32)), 2 * np.eye(3))

    def test_custom_calls_that_may_change_are_refused_unless_the_check_is_off(self, monkeypatch):
        monkeypatch.setattr("perspicax.api.exporting.STABLE_KERNELS", ())
        factor = px.jit(jnp.linalg.cholesky)
        with pytest.raises(ExportError, match="lapack_spotrf_ffi"):
            export.export(factor)(struct(3, 3))
        off = export.DisabledSafetyCheck.custom_call("lapack_spotrf_ffi")
        it = export.deserialize(export.export(factor, disabled_checks=[off])(struct(3, 3)).serialize())
        assert it.disabled_safety_checks == (off,)

    @pytest.mark.parametrize("platforms", [("gpu",), (), ("cpu", "cpu"), ("abacus",)])
    def test_platforms_that_there_are_not(self, platforms):
        with pytest.raises(ExportError, match="cpu, cuda, rocm, tpu"):
            export.export(px.jit(jnp.sin), platforms=platforms)

    def test_safety_checks_are_values(self):
        check = export.DisabledSafetyCheck
        assert check.platform() == check.platform() and hash(check.custom_call("a")) == hash(check.custom_call("a"))
        assert check.custom_call("a").is_custom_call() == "a" and check.platform().is_custom_call() is None


Point = collections.namedtuple("Point", "x y")
Other = collections.namedtuple("Other", "x y")


@px.tree_util.register_pytree_node_class
class Scaled:
    def __init__(self, x, unit):
        self.x, self.unit = x, unit

    def tree_flatten(self):
        return (self.x,), self.unit

    @classmethod
    def tree_unflatten(cls, unit, children):
        return cls(*children, unit)


class TestTrees:
    def test_classes_are_known_by_the_name_that_is_registered(self):
        it = export.export(px.jit(lambda p, s: (Point(p.y, p.x), Scaled(s.x * 2, s.unit))))(Point(1.0, 2.0), Scaled(3.0, "m"))
        with pytest.raises(ExportError, match="register_namedtuple_serialization"):
            it.serialize()
        assert export.register_namedtuple_serialization(Point, serialized_name="test.Point") is Point
        export.register_pytree_node_serialization(
            Scaled, serialized_name="test.Scaled", serialize_auxdata=str.encode, deserialize_auxdata=bytes.decode)
        point, scaled_ = export.deserialize(it.serialize()).call(Point(1.0, 2.0), Scaled(3.0, "m"))
        assert point == Point(2.0, 1.0) and scaled_.x == 6 and scaled_.unit == "m"
        for register in (lambda: export.register_namedtuple_serialization(Point, serialized_name="b"),
                         lambda: export.register_namedtuple_serialization(Other, serialized_name="test.Point")):
            with pytest.raises(ExportError, match="already"):
                register()

    def test_other_classes_are_no_named_tuples(self):
        with pytest.raises(ExportError):
            export.register_namedtuple_serialization(int, serialized_name="int")

    def test_keys_of_dicts_are_strings(self):
        with pytest.raises(ExportError, match="strings"):
            export.export(px.jit(lambda d: d))({1: 2.0}).serialize()


class TestBytes:
    @pytest.mark.parametrize("change", [
        lambda b: b[:-1], lambda b: b[:20], lambda b: b + b"x", lambda b: b"", lambda b: b"ABC" + b[3:], lambda b: 3,
        lambda b: b[:8] + (99).to_bytes(2, "little") + b[10:], lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:]])
    def test_what_is_refused(self, plain, change):
        with pytest.raises(ExportFormatError):
            export.deserialize(change(bytes(plain.serialize())))

    def test_any_damage_is_found(self, plain):
        blob, chance = bytes(plain.serialize()), random.Random(7)
        assert blob.startswith(MAGIC)
        for _ in range(300):
            at, damaged = chance.randrange(len(blob)), bytearray(blob)
            damaged[at] ^= 1 << chance.randrange(8)
            if chance.random() < 0.3:
                damaged = damaged[:chance.randrange(len(blob))]
            with pytest.raises(ExportFormatError):
                export.deserialize(damaged)

    def test_a_newer_version_says_so(self, plain):
        blob = plain.serialize()
        blob[8] = 7
        with pytest.raises(ExportFormatError, match="version 7 of the format"):
            export.deserialize(blob)


class TestSymbolicCalls:
    def test_any_size(self, symbolic):
        assert symbolic.uses_global_constants and [a.str_short() for a in symbolic.in_avals] == ["float32[b,3]"]
        for n in (1, 4, 7):
            x = np.ones((n, 3), np.float32)
            np.testing.assert_allclose(symbolic.call(x), np.tanh(x).mean(0) * n, rtol=1e-6)

    @pytest.mark.parametrize(("argument", "says"), [
        (np.ones((4, 2), np.float32), "axis 1 is 2 in place of 3"),
        (np.ones(4, np.float32), "number of axes is 1 in place of 2"),
        (np.ones((4, 3), np.int32), "dtype is int32 in place of float32"),
        (np.ones((0, 3), np.float32), "axis 0 does not fit")])
    def test_arguments_that_do_not_fit(self, symbolic, argument, says):
        with pytest.raises(ExportedCallError) as caught:
            symbolic.call(argument)
        assert says in caught.value.says and "args[0]" in caught.value.says

    def test_another_structure(self, symbolic):
        with pytest.raises(ExportedCallError, match="length"):
            symbolic.call(X, X)

    def test_one_variable_in_two_arguments(self):
        it = export.export(px.jit(lambda x, y: x + y))(struct(B), struct(B))
        assert it.call(X[0], X[0]).shape == (3,)
        with pytest.raises(ExportedCallError, match="the size `b` is 3 where b = 3"):
            it.call(X[0], X[:, 0])

    def test_expressions_are_solved(self):
        it = export.export(px.jit(lambda x: x[1:].reshape(2, -1)))(struct(2 * B + 1))
        assert it.call(np.arange(7.0, dtype=np.float32)).shape == (2, 3) and it.out_avals[0].str_short() == "float32[2,b]"
        with pytest.raises(ExportedCallError, match="not divisible by 2"):
            it.call(np.arange(6.0, dtype=np.float32))

    def test_constraints_hold_at_the_call(self):
        shape = export.symbolic_shape("b", constraints=["b >= 4", "mod(b, 2) == 0"])
        it = export.deserialize(export.export(px.jit(lambda x: x[:4] + x.reshape(-1, 2).sum()))(struct(*shape)).serialize())
        assert it.call(np.ones(6, np.float32)).shape == (4,)
        for n, condition in ((2, "b >= 4"), (5, "mod")):
            with pytest.raises(ExportedCallError, match=condition):
                it.call(np.ones(n, np.float32))

    def test_a_size_that_is_no_longer_read_still_tells_the_variable(self):
        it = export.export(px.jit(lambda x: jnp.zeros(x.shape[0])))(struct(B, 3))
        assert it.module_kept_var_idx == (0,) and it.call(X).shape == (4,)

    def test_a_size_as_a_value_is_as_wide_as_integers_are(self):
        f = px.jit(lambda x: jnp.asarray(x.shape[0]) + 1)
        narrow = export.export(f)(struct(B))
        with px.enable_x64(True):
            wide = export.export(f)(struct(B))
            assert wide.out_avals[0].str_short() == "int64[]" and wide.call(X[0]) == 4
        assert narrow.out_avals[0].str_short() == "int32[]" and narrow.call(X[0]) == 4

    def test_a_call_within_a_function_that_is_exported(self, symbolic):
        outer = export.export(px.jit(lambda x: symbolic.call(x) + 1))(struct(2 * B, 3))
        np.testing.assert_allclose(outer.call(X), symbolic.call(X) + 1, rtol=1e-6)

    def test_specs_of_arguments(self):
        args = ({"x": X}, np.ones(4, np.float32))
        first, second = export.symbolic_args_specs(args, ({"x": "b, _"}, "2*b"))
        assert str(first["x"].shape) == "(b, 3)" and str(second.shape) == "(2*b,)" and second.dtype == F32
        kept, other = export.symbolic_args_specs(args, (None, "..."))
        assert kept["x"].shape == (4, 3) and other.shape == (4,)
        with pytest.raises(SymbolicShapeError):
            export.symbolic_args_specs(args, [None])
        with pytest.raises(SymbolicShapeError):
            export.symbolic_args_specs(args, (3, None))


class TestRefusals:
    def test_what_is_no_jitted_function(self):
        with pytest.raises(ExportError, match=r"jax\.jit"):
            export.export(len)

    def test_callbacks(self):
        def f(x):
            px.debug.print("{}", x)
            return px.lax.cond(x > 0, lambda: px.pure_callback(np.sin, x, x), lambda: x)

        with pytest.raises(ExportUnsupportedError, match="calls back to Python"):
            export.export(px.jit(f))(1.0)

    def test_variables_that_cannot_be_worked_out(self):
        with pytest.raises(SymbolicShapeError, match="`b`"):
            export.export(px.jit(lambda x: x))(struct(B * B))

    def test_two_scopes(self):
        other, = export.symbolic_shape("b")
        with pytest.raises(SymbolicShapeError, match="two scopes"):
            export.export(px.jit(lambda x, y: x))(struct(B), struct(other))
        with pytest.raises(SymbolicShapeError):
            export.symbolic_shape("b", scope=B.scope, constraints=["b >= 2"])

    def test_values_that_are_traced_around_it(self):
        with pytest.raises(ExportError, match="transformed around it"):
            px.jit(lambda y: export.export(px.jit(lambda x: x + y))(1.0) and y)(2.0)

    @pytest.mark.parametrize(("f", "error"), [
        (lambda x: x if x.shape[0] > 3 else -x, InconclusiveDimensionOperation),
        (lambda x: x.reshape(3, -1), InconclusiveDimensionOperation),
        (lambda x: [x for _ in range(x.shape[0])], SymbolicSizeConversionError), (jnp.fft.fft, SymbolicSizeConversionError),
        (lambda x: px.random.bits(px.random.key(0, impl="rbg"), x.shape), EmissionError)])
    def test_what_the_size_decides(self, f, error):
        with pytest.raises(error):
            export.export(px.jit(f))(struct(B))

    def test_a_size_has_no_value_outside(self):
        with pytest.raises(InconclusiveDimensionOperation):
            jnp.ones(2) * B
