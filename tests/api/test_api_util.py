"""`jax.api_util` and `jax.extend.linear_util`: arguments taken apart, transformations stacked on functions."""
from __future__ import annotations

import gc

import numpy as np
import pytest

import perspicax as px
from perspicax import api_util, tree
from perspicax.api.argument_errors import ArgumentPartError, SafeMapError
from perspicax.core.errors import NotAnArrayError
from perspicax.core.tree_errors import PrefixMismatchError
from perspicax.extend import linear_util


def sub(x, y, *, z=1):
    return (x - y) * z


class TestArguments:
    def test_some_are_fixed(self):
        part, dynamic = api_util.argnums_partial(linear_util.wrap_init(sub), (1,), (5.0, 2.0))
        assert dynamic == (2.0,) and part.call_wrapped(1.0) == 4.0
        same, _ = api_util.argnums_partial(linear_util.wrap_init(sub), -1, (5.0, 7.0))
        other, _ = api_util.argnums_partial(linear_util.wrap_init(sub), 1, (6.0, 2.0))
        assert same == part and hash(same) == hash(part) and other != part

    def test_fixed_ones_must_be_hashable(self):
        with pytest.raises(ArgumentPartError) as caught:
            api_util.argnums_partial(linear_util.wrap_init(sub), 0, (5.0, [2.0]))
        assert (caught.value.kind, caught.value.name) == ("unhashable", "y")
        part, _ = api_util.argnums_partial(linear_util.wrap_init(sub), 0, (5.0, [2.0]), require_static_args_hashable=False)
        with pytest.raises(TypeError):
            part.call_wrapped(5.0)
        with pytest.raises(ArgumentPartError):
            api_util.argnums_partial(linear_util.wrap_init(sub), 2, (5.0, 2.0))

    def test_names(self):
        info = api_util.debug_info("jit", sub, (1.0, {"a": 2.0}), {"z": 3})
        assert info.arg_names == ("x", "y['a']", "z")
        assert (info.func_name, info.traced_for) == ("sub", "jit") and info.func_src_info.startswith("sub at ")
        assert api_util.debug_info("jit", sub, (1.0, 2.0), {}, static_argnums=(0,)).arg_names == ("y",)
        assert api_util.debug_info("jit", sub, (1.0, 2.0), {"z": 1}, static_argnames=("z", "x")).arg_names == ("y",)

    def test_donation(self):
        structure = tree.structure(((1, (2, 3)), {"k": 4}))
        assert api_util.donation_vector((1,), (), structure) == (False, True, True, False)
        assert api_util.donation_vector((0,), ("k",), structure) == (True, False, False, True)
        assert api_util.donation_vector((0,), (), tree.structure((1, 2)), kws=False) == (True, False)
        assert api_util.rebase_donate_argnums((3, 4), (0, 1)) == (1, 2)
        assert api_util.rebase_donate_argnums((2, 0, 2), (1,)) == (0, 1)
        with pytest.raises(ArgumentPartError):
            api_util.rebase_donate_argnums((0,), (0,))

    def test_axes(self):
        structure = tree.structure((1, (2, 3)))
        assert api_util.flatten_axes("axes", structure, (0, None)) == [0, None, None]
        assert api_util.flatten_axes("axes", structure, 1) == [1, 1, 1]
        assert api_util.flatten_axes("axes", tree.structure(((1, 2), {"a": 3})), ((0, 1), 0), kws=True) == [0, 1, 0]
        with pytest.raises(PrefixMismatchError, match="axes"):
            api_util.flatten_axes("axes", structure, (0, 1, 2), tupled_args=True)

    def test_safe_map(self):
        assert api_util.safe_map(lambda x, y: x + y, [1, 2], iter([3, 4])) == [4, 6]
        with pytest.raises(SafeMapError) as caught:
            api_util.safe_map(sub, [1, 2], [3])
        assert caught.value.lengths == (2, 1)

    def test_types(self):
        assert api_util.shaped_abstractify(1.0) is px.typeof(1.0)
        assert api_util.shaped_abstractify(px.ShapeDtypeStruct((2,), np.int8)) is px.typeof(np.zeros(2, np.int8))
        with pytest.raises(NotAnArrayError):
            api_util.shaped_abstractify("x")

    def test_flat_functions(self):
        info = api_util.debug_info("t", sub, (), {})
        structure = tree.structure((({"k": 1.0}, 2.0), {"z": 3.0}))
        flat, out_tree = api_util.flatten_fun(
            linear_util.wrap_init(lambda x, y, z: {"a": x["k"] + y * z}, debug_info=info), structure)
        with pytest.raises(linear_util.StoreException):
            out_tree()
        assert flat.call_wrapped(1.0, 2.0, 3.0) == [7.0] and out_tree() == tree.structure({"a": 0})
        flat, out_tree = api_util.flatten_fun_nokwargs(linear_util.wrap_init(sub), tree.structure((1.0, 2.0)))
        assert flat.call_wrapped(5.0, 2.0) == [3.0] and out_tree() == tree.structure(0)


class TestTransformations:
    def test_they_are_stacked(self):
        @linear_util.transformation2
        def times(below, n, *args):
            return below(*args) * n

        @linear_util.transformation
        def doubled(n, *args):
            result = yield [a * n for a in args], {}
            yield result + n

        wrapped = doubled(times(linear_util.wrap_init(lambda x: x + 1), 3), 10)
        assert wrapped.call_wrapped(2) == (2 * 10 + 1) * 3 + 10
        assert wrapped.__name__ == "<lambda>" and "times (3,)" in repr(wrapped)

    def test_second_results(self):
        @linear_util.transformation_with_aux2
        def new(below, store, n, *args):
            store.store("second")
            return below(*args) * n

        @linear_util.transformation_with_aux
        def old(n, *args):
            result = yield args, {}
            yield result * n, "second"

        for transformation in (new, old):
            wrapped, aux = transformation(linear_util.wrap_init(lambda x: x + 1), 3)
            with pytest.raises(linear_util.StoreException):
                aux()
            assert wrapped.call_wrapped(2) == 9 and aux() == "second"
            with pytest.raises(linear_util.StoreException):
                wrapped.call_wrapped(2)
            assert linear_util.merge_linear_aux(aux, self.empty) == (True, "second")
            assert linear_util.merge_linear_aux(self.empty, aux) == (False, "second")
            with pytest.raises(linear_util.StoreException):
                linear_util.merge_linear_aux(aux, aux)

    @staticmethod
    def empty():
        raise linear_util.StoreException(kind="empty")

    def test_params(self):
        assert linear_util.wrap_init(sub, {"z": 10}).call_wrapped(3, 1) == 20

    def test_what_is_computed_once(self):
        calls = []

        @linear_util.cache
        def compute(fun, n):
            calls.append(n)
            return fun.call_wrapped(n)

        def increment(x):
            return x + 1

        for n in (3, 3, 4):
            wrapped, out_tree = api_util.flatten_fun_nokwargs(linear_util.wrap_init(increment), tree.structure((0,)))
            assert compute(wrapped, n) == [n + 1] and out_tree() == tree.structure(0)
        assert calls == [3, 4]
        compute.cache_clear()
        compute(linear_util.wrap_init(increment), 5)
        del increment, wrapped, out_tree
        gc.collect()
        assert calls == [3, 4, 5]
