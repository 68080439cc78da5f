"""Types of arrays: interned, derived, shown."""
from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray, abstract_token, canonical_shape
from perspicax.core.errors import ShapeError

F32 = np.dtype(np.float32)


class TestInterning:
    def test_equal_types_are_one_object(self):
        a = ShapedArray((2, 3), F32)
        assert ShapedArray([2, np.int64(3)], "float32") is a
        assert ShapedArray((2, 3), np.float32, False) is a
        assert ShapedArray((2, 3), F32, True) is not a
        assert ShapedArray((3, 2), F32) is not a

    def test_copies_and_pickles_are_the_same_object(self):
        a = ShapedArray((2, 3), F32, True)
        assert copy.copy(a) is copy.deepcopy(a) is pickle.loads(pickle.dumps(a)) is a

    def test_one_object_for_all_threads(self):
        found, gate = [], threading.Barrier(8)

        def make():
            gate.wait()
            found.extend([ShapedArray((n, 77, 5), F32) for n in range(50)])

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(a) for a in found}) == 50

    def test_few_are_kept_that_nobody_uses(self):
        reference = weakref.ref(ShapedArray((1, 2, 3, 4, 5, 6, 7), F32))
        for n in range(5000):
            ShapedArray((n, 13), F32)
        gc.collect()
        assert reference() is None


class TestDerivedTypes:
    def test_strong(self):
        weak = ShapedArray((), F32, True)
        assert weak.strong is ShapedArray((), F32) is weak.strong.strong
        assert weak.update(weak_type=False) is weak.strong
        assert weak.at_shape((2,)) is ShapedArray((2,), F32, True)

    @pytest.mark.parametrize("dtype", [np.float32, np.complex64, dtypes.bfloat16])
    def test_tangents_of_inexact_types_have_that_type(self, dtype):
        a = ShapedArray((2,), dtype, True)
        assert a.to_tangent_aval() is a

    @pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.uint8])
    def test_tangents_of_others_are_float0(self, dtype):
        assert ShapedArray((2,), dtype).to_tangent_aval() is ShapedArray((2,), dtypes.float0)

    def test_batched(self):
        a = ShapedArray((2, 3), F32)
        for axis in range(3):
            wide = a.batched(5, axis)
            assert wide.shape[axis] == 5 and wide.unbatched(axis) is a


def test_how_they_show():
    a, weak = ShapedArray((2, 3), F32), ShapedArray((), F32, True)
    assert (repr(a), str(a), a.str_short(), a.str_short(short_dtypes=True)) == (
        "ShapedArray(float32[2,3])", "float32[2,3]", "float32[2,3]", "f32[2,3]")
    assert (repr(weak), str(weak)) == ("ShapedArray(float32[], weak_type=True)", "~float32[]")
    assert (a.mlir, ShapedArray((), np.bool_).mlir, abstract_token.mlir) == (
        "tensor<2x3xf32>", "tensor<i1>", "!stablehlo.token")
    assert (a.ndim, a.size, len(a), bool(ShapedArray((0,), F32))) == (2, 6, 2, True)
    with pytest.raises(TypeError, match="unsized"):
        len(weak)


class TestShapes:
    def test_what_names_a_shape(self):
        assert canonical_shape(3) == canonical_shape([3]) == canonical_shape(np.array([3])) == (3,)
        assert all(type(n) is int for n in canonical_shape(np.array([3, 4])))

    @pytest.mark.parametrize("shape", [(2.0,), ("a",), (-1,), None, (None,)])
    def test_what_does_not(self, shape):
        with pytest.raises(ShapeError):
            canonical_shape(shape)
