"""Concrete arrays: protocols, printing, lifetimes."""
from __future__ import annotations

import copy
import gc
import math
import operator
import pickle

import ml_dtypes
import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.xla.array import array_text, from_dlpack, live_arrays
from perspicax.xla.errors import DeletedArrayError, DLPackError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def aligned(count, dtype=np.float32):
    """A NumPy array whose memory begins at a multiple of 64 bytes."""
    raw = np.zeros(count * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start:start + count * np.dtype(dtype).itemsize].view(dtype)


class TestNumPy:
    def test_values_are_handed_out_read_only(self):
        for x in (jnp.asarray(XS), jnp.sin(XS), px.jit(lambda v: v)(XS)):
            view = np.asarray(x)
            assert not view.flags.writeable
            with pytest.raises(ValueError):
                view[0] = 7
            assert np.array(x).flags.writeable

    def test_what_the_user_writes_later_does_not_matter(self):
        source = XS.copy()
        x = jnp.asarray(source)
        jitted = px.jit(lambda v: v * 1)
        y = jitted(source)
        source[:] = 9
        np.testing.assert_array_equal(x, XS)
        np.testing.assert_array_equal(y, XS)

    def test_dtype_and_copy(self):
        x = jnp.asarray(XS)
        assert np.asarray(x, np.float64).dtype == np.float64
        assert np.shares_memory(np.asarray(x, copy=False), np.asarray(x))
        assert not np.shares_memory(np.array(x, copy=True), np.asarray(x))
        with pytest.raises(ValueError, match="copy=False"):
            np.asarray(x, dtype=np.float64, copy=False)

    def test_functions_and_operators_of_numpy(self):
        x = jnp.asarray(XS)
        assert isinstance(XS + x, px.Array) and isinstance(x * XS, px.Array)
        np.testing.assert_allclose(np.sin(x), np.sin(XS))
        assert (x.ndim, x.size, x.itemsize, x.nbytes, len(x), x.tobytes(), bytes(x)) == (
            1, 3, 4, 12, 3, XS.tobytes(), XS.tobytes())


class TestScalars:
    def test_conversions(self):
        x = jnp.float32(2.5)
        assert (int(x), float(x), complex(x), bool(x), math.floor(float(x)), f"{x:.2f}", round(float(x), 1)) == (
            2, 2.5, 2.5 + 0j, True, 2, "2.50", 2.5)
        n = jnp.int32(3)
        assert (operator.index(n), list(range(n)), "abcd"[n], n.item(), n.tolist()) == (
            3, [0, 1, 2], "d", 3, 3)
        assert type(jnp.bfloat16(1.5).item()) is float and complex(jnp.complex64(1j)) == 1j

    @pytest.mark.parametrize(("convert", "value", "error"), [
        (bool, XS, ValueError), (int, XS, TypeError), (float, XS, TypeError), (complex, XS, TypeError),
        (operator.index, np.float32(1), TypeError), (operator.index, np.ones(1, int), TypeError), (int, 1j, TypeError),
        (float, 1j, TypeError), (hash, 1.0, TypeError), (len, 1.0, TypeError), (lambda x: f"{x:.2f}", XS, TypeError),
        (bool, np.zeros(0), ValueError), (lambda x: x.item(), XS, ValueError), (lambda x: {x: 1}, 1.0, TypeError),
    ])
    def test_conversions_that_cannot_be(self, convert, value, error):
        with pytest.raises(error):
            convert(jnp.asarray(value))

    def test_one_element_has_a_truth(self):
        assert bool(jnp.ones((1, 1))) and not bool(jnp.zeros(1))


PRINTED = {
    "scalar": (np.float32(1.5), "Array(1.5, dtype=float32)"),
    "weak": (1.5, "Array(1.5, dtype=float32, weak_type=True)"),
    "bool": (np.array([True, False]), "Array([ True, False], dtype=bool)"),
    "not finite": (np.array([np.nan, np.inf, -0.0], np.float32), "Array([nan, inf, -0.], dtype=float32)"),
    "complex": (np.array([1 + 1j, -2j], np.complex64), "Array([ 1.+1.j, -0.-2.j], dtype=complex64)"),
    "bfloat16": (np.arange(3).astype(ml_dtypes.bfloat16), "Array([0, 1, 2], dtype=bfloat16)"),
    "int4": (np.array([1, -2], ml_dtypes.int4), "Array([1, -2], dtype=int4)"),
    "empty": (np.zeros((2, 0), np.int32), "Array([], shape=(2, 0), dtype=int32)"),
    "summarised": (np.zeros(1500, bool), "Array([False, False, False, ..., False, False, False], dtype=bool)"),
    "full last line": (np.arange(26), "Array([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16,\n"
                                      "       17, 18, 19, 20, 21, 22, 23, 24, 25], dtype=int32)"),
    "matrix": (np.eye(2, dtype=np.float32), "Array([[1., 0.],\n       [0., 1.]], dtype=float32)"),
}


class TestPrinting:
    @pytest.mark.parametrize("name", PRINTED)
    def test_repr(self, name):
        value, expected = PRINTED[name]
        x = jnp.asarray(value)
        assert repr(x) == expected
        assert str(x) == str(np.asarray(x)) == f"{x}"

    @pytest.mark.oracle
    @pytest.mark.parametrize("dtype", [np.int32, np.float32, bool, np.complex64])
    def test_repr_is_jaxs_at_every_width(self, dtype):
        import jax.numpy

        for n in (1, 3, 9, 16, 17, 18, 19, 20, 25, 26, 27, 999, 1001):
            for value in (np.arange(n).astype(dtype), np.stack([np.arange(n), np.arange(n)]).astype(dtype)):
                assert repr(jnp.asarray(value)) == repr(jax.numpy.asarray(value))

    def test_nothing_is_compiled(self):
        from perspicax.xla import compile as compilation

        x = px.jit(lambda v: v + 1)(np.zeros((50, 50), np.float32))
        before = dict(compilation.compiled)
        assert "..." in repr(x) and "..." in str(x)
        assert compilation.compiled == before

    def test_deleted(self):
        x = jnp.sin(XS)
        x.delete()
        assert repr(x) == "Array(deleted, float32[3])" and "deleted" in str(x) == f"{x}"
        assert array_text(x, representation=True) == repr(x)


class TestCopies:
    def test_copy_and_deepcopy(self):
        x = jnp.asarray(XS)
        for other in (copy.copy(x), copy.deepcopy(x), copy.deepcopy({"x": x})["x"]):
            assert other is not x and other.aval is x.aval
            assert not np.shares_memory(np.asarray(other), np.asarray(x))
            np.testing.assert_array_equal(other, x)

    @pytest.mark.parametrize("value", [XS, 1.5, np.arange(3).astype(ml_dtypes.bfloat16), np.zeros((0, 2), bool)])
    def test_pickle(self, value):
        x = jnp.asarray(value)
        other = pickle.loads(pickle.dumps(x))
        assert other.aval is x.aval and repr(other) == repr(x)

    def test_pickle_of_keys(self):
        keys = px.random.split(px.random.key(1), 2)
        other = pickle.loads(pickle.dumps(keys))
        assert other.dtype == keys.dtype and other.shape == (2,)
        np.testing.assert_array_equal(px.random.key_data(other), px.random.key_data(keys))


class TestDLPack:
    def test_to_numpy(self):
        for x in (jnp.asarray(XS), jnp.sin(XS), jnp.asarray([True, False])):
            np.testing.assert_array_equal(np.from_dlpack(x), x)
        assert jnp.asarray(XS).__dlpack_device__() == (1, 0)
        x = jnp.sin(XS)
        assert np.shares_memory(np.from_dlpack(x), np.asarray(x))
        assert not np.shares_memory(np.from_dlpack(x, copy=True), np.asarray(x))

    def test_memory_is_shared_where_it_can_be(self):
        source = aligned(8)
        source[:] = np.arange(8)
        x = from_dlpack(source)
        assert x.unsafe_buffer_pointer() == source.ctypes.data and x.committed
        assert from_dlpack(source, copy=True).unsafe_buffer_pointer() != source.ctypes.data
        del source
        gc.collect()
        np.testing.assert_array_equal(px.jit(lambda v: v * 2)(x), 2 * np.arange(8))

    def test_what_is_copied(self):
        odd = aligned(9)[1:]
        odd[:] = np.arange(8)
        for value in (odd, np.arange(6.0, dtype=np.float32).reshape(2, 3).T, np.arange(3), aligned(8)[::2]):
            np.testing.assert_array_equal(from_dlpack(value), value)
            with pytest.raises(DLPackError) as caught:
                from_dlpack(value, copy=False)
            assert caught.value.kind == "share"
        assert from_dlpack(np.arange(3)).dtype == np.int32

    @pytest.mark.parametrize("value", [3, [1.0], aligned(3).__dlpack__()])
    def test_what_does_not_speak_it(self, value):
        with pytest.raises(DLPackError) as caught:
            from_dlpack(value)
        assert caught.value.kind == "protocol" and isinstance(caught.value, TypeError)

    @pytest.mark.oracle
    def test_with_jax(self):
        import jax.numpy

        np.testing.assert_array_equal(from_dlpack(jax.numpy.asarray(XS)), XS)
        np.testing.assert_array_equal(jax.numpy.from_dlpack(jnp.asarray(XS)), XS)
        assert str(from_dlpack(jax.numpy.ones(3, jax.numpy.bfloat16)).dtype) == "bfloat16"


class TestLifeAndDeath:
    USES = {
        "NumPy": np.asarray, "arithmetic": lambda x: x * 2, "jit": px.jit(lambda x: x + 1), "item": lambda x: x.tolist(),
        "wait": lambda x: x.block_until_ready(), "copy": copy.copy, "pickle": pickle.dumps, "dlpack": lambda x: x.__dlpack__(),
        "truth": bool, "address": lambda x: x.unsafe_buffer_pointer(), "shards": lambda x: x.addressable_shards,
    }

    @pytest.mark.parametrize("use", USES)
    @pytest.mark.parametrize("make", [jnp.asarray, jnp.sin], ids=["host", "device"])
    def test_use_after_deletion(self, use, make):
        x = make(XS[:1])
        np.asarray(x)
        x.delete()
        x.delete()
        assert x.is_deleted() and x.shape == (1,)
        with pytest.raises(DeletedArrayError) as caught:
            self.USES[use](x)
        assert isinstance(caught.value, RuntimeError) and caught.value.type_text == "float32[1]"

    def test_views_and_exports_outlive_it(self):
        for export in (np.asarray, np.from_dlpack, lambda x: from_dlpack(x)):
            x = jnp.sin(XS)
            other = export(x)
            x.delete()
            np.testing.assert_allclose(other, np.sin(XS), rtol=1e-6)

    def test_live_arrays(self):
        gc.collect()
        before = len(live_arrays())
        kept = [jnp.asarray(XS), jnp.sin(XS)]
        assert len(live_arrays()) == before + 2
        kept.pop().delete()
        assert len(live_arrays()) == before + 1

    def test_ready_and_on_its_way(self):
        x = px.jit(lambda v: v * 2)(XS)
        assert x.block_until_ready() is x and x.is_ready()
        x.copy_to_host_async()
        np.testing.assert_array_equal(x, 2 * XS)
        assert jnp.asarray(XS).is_ready() and px.block_until_ready({"a": x})["a"] is x

    def test_shards(self):
        x = jnp.asarray(XS)
        shard, = x.addressable_shards
        assert (shard.device, shard.index, shard.replica_id) == (px.devices()[0], (slice(None),), 0)
        np.testing.assert_array_equal(shard.data, XS)
        assert x.is_fully_addressable and x.is_fully_replicated and x.device == px.devices()[0]
        assert repr(shard).startswith("Shard(device=CpuDevice(id=0), index=(slice(None, None, None),), replica_id=0, data=[")
        assert px.tree.leaves(shard) == [shard]


class TestAsynchronousErrors:
    """What a callback raises comes out at every exit, as the cause."""

    EXITS = {"wait": lambda x: x.block_until_ready(), "NumPy": np.asarray, "repr": repr, "str": str, "item": lambda x: x.item(),
             "next program": lambda x: (x + 1).block_until_ready(), "tree": lambda x: px.block_until_ready([x])}

    def failing(self, size):
        def lookup(value):
            raise KeyError("no such table")

        return px.jit(lambda x: px.pure_callback(lookup, px.ShapeDtypeStruct((), np.float32), x[0, 0]) * 2.0)

    @pytest.mark.parametrize("exit", EXITS)
    def test_behind_a_slow_program(self, exit):
        slow = px.jit(lambda x: px.lax.scan(lambda c, _: (c @ c * 1e-3, None), x, None, length=20)[0])
        x = np.ones((300, 300), np.float32)
        slow(x).block_until_ready()
        with pytest.raises(px.errors.JaxRuntimeError) as caught:
            self.EXITS[exit](self.failing(300)(slow(x)))
        assert isinstance(caught.value.__cause__, KeyError) or exit == "next program"
        assert "KeyError: 'no such table'" in str(caught.value)

    def test_the_next_call_is_not_disturbed(self):
        with pytest.raises(px.errors.JaxRuntimeError):
            self.failing(1)(np.ones((1, 1), np.float32)).block_until_ready()
        assert px.jit(lambda x: x + 1)(1.0) == 2.0
