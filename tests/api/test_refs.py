"""Mutable references: alone, in loops and branches, through jit, and where they cannot go."""
from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax import lax
from perspicax import numpy as jnp
from perspicax.core.ref_errors import OuterRefError, RefArgumentError, RefValueError
from perspicax.extend.core import jaxpr_as_fun, primitives
from perspicax.lax.control_errors import CarryTypeError, ScanLengthError
from perspicax.transform.errors import TangentError


def values(ref: Any) -> list:
    return np.asarray(ref[...]).tolist()


def test_reading_and_writing() -> None:
    start = jnp.arange(3.0)
    ref = px.new_ref(start)
    ref[0] = 5.0
    ref[1:] += 1
    ref[jnp.array([0, 2])] = jnp.array([7.0, 9.0])
    assert values(ref) == [7.0, 2.0, 9.0] and start.tolist() == [0.0, 1.0, 2.0]
    assert (ref.shape, ref.dtype, ref.ndim, ref.size, len(ref)) == ((3,), np.float32, 1, 3, 3)
    assert repr(ref) == "Ref([7., 2., 9.], dtype=float32)" and repr(ref.aval) == "Ref{float32[3]}"
    assert isinstance(ref, px.Ref) and not isinstance(ref, px.Array)
    assert float(px.ref.swap(ref, 0, 1.0)) == 7.0 and float(px.ref.get(ref, 0)) == 1.0
    px.ref.set(ref, (slice(0, 2),), jnp.zeros(2))
    px.ref.addupdate(ref, 2, 1.0)
    ref.addupdate(jnp.ones(3))
    assert px.freeze(ref).tolist() == [1.0, 1.0, 11.0] == px.ref.get(ref).tolist()
    assert px.empty_ref(px.ShapeDtypeStruct((2,), np.int32)).dtype == np.int32 and px.free_ref(ref) is None


def local(x: Any) -> Any:
    ref = px.new_ref(x)
    ref[...] = ref[...] * x
    return px.freeze(ref)


def in_fori(x: Any) -> Any:
    ref = px.new_ref(x)

    def body(i: Any, c: Any) -> Any:
        ref[...] = ref[...] * x
        return c

    lax.fori_loop(0, 2, body, 0)
    return ref[...]


def in_scan(x: Any) -> Any:
    ref, calls = px.new_ref(x), px.new_ref(jnp.zeros((), np.int32))

    def body(c: Any, s: Any) -> Any:
        ref[...] *= s
        calls[...] += 1
        return c, ref[...] * calls[...]

    return lax.scan(body, 0, jnp.arange(1.0, 4.0))[1].sum() + ref[...]


def in_cond(x: Any) -> Any:
    ref = px.new_ref(x)

    def grow() -> None:
        ref[...] = ref[...] * x

    lax.cond(x > 0, grow, lambda: None)
    lax.switch(1, [lambda: None, grow])
    return ref[...]


def in_map(x: Any) -> Any:
    ref = px.new_ref(x)

    def f(s: Any) -> Any:
        ref[...] *= s
        return ref[...]

    return lax.map(f, jnp.array([2.0, 3.0])).sum() + ref[...]


def in_inner_jit(x: Any) -> Any:
    ref = px.new_ref(x)

    @px.jit
    def twice() -> None:
        lax.fori_loop(0, 2, lambda i, c: (ref.__setitem__(..., ref[...] * x), c)[1], 0)

    twice()
    twice()
    return ref[...]


CASES = {local: lambda x: x**2, in_fori: lambda x: x**3, in_scan: lambda x: x + 4 * x + 18 * x + 6 * x,
         in_cond: lambda x: x**3, in_map: lambda x: 2 * x + 6 * x + 6 * x, in_inner_jit: lambda x: x**5}


@pytest.mark.parametrize("f", list(CASES))
def test_references_of_a_function_under_transformations(f: Any) -> None:
    plain = CASES[f]
    assert float(f(2.0)) == plain(2.0) == float(px.jit(f)(2.0))
    assert float(px.grad(f)(2.0)) == pytest.approx(float(px.grad(plain)(2.0)))
    xs = jnp.array([1.0, 2.0])
    np.testing.assert_allclose(px.jit(px.vmap(f))(xs), plain(xs), rtol=1e-6)


def test_a_while_loop_may_write_and_its_test_may_read() -> None:
    ref = px.new_ref(jnp.float32(1))

    def body(i: Any) -> Any:
        ref[...] = ref[...] * 2
        return i + 1

    assert int(lax.while_loop(lambda i: ref[...] < 10, body, 0)) == 4 and float(ref[...]) == 16.0
    assert int(px.jit(lambda: lax.while_loop(lambda i: ref[...] < 100, body, 0))()) == 3 and float(ref[...]) == 128.0


def test_a_test_that_writes_is_made_as_often_as_rounds_begin() -> None:
    def run(n: Any) -> Any:
        ref = px.new_ref(jnp.int32(0))

        def test(i: Any) -> Any:
            ref[...] += 1
            return (i < n) & (ref[...] < 10)

        return lax.while_loop(test, lambda i: i + 1, 0), ref[...]

    for run_it in (run, px.jit(run)):
        assert list(map(int, run_it(3))) == [3, 4] and list(map(int, run_it(0))) == [0, 1] and int(run_it(20)[1]) == 10


def test_jit_takes_along_what_it_closes_over_and_is_traced_once_more_only() -> None:
    ref, traced = px.new_ref(jnp.arange(3.0)), []

    @px.jit
    def f(x: Any, *, scale: Any = 1.0) -> Any:
        traced.append(None)
        ref[...] += x * scale
        return ref[0]

    assert [float(f(1.0)) for _ in range(3)] == [1.0, 2.0, 3.0] and len(traced) == 2
    ref[...] = jnp.zeros(3)  # a value from elsewhere is seen
    assert float(f(1.0, scale=4.0)) == 4.0 and values(ref) == [4.0, 4.0, 4.0]


def test_jit_takes_references_as_arguments() -> None:
    other = px.new_ref(jnp.float32(10))

    @px.jit(static_argnums=2)
    def f(refs: dict, x: Any, n: int) -> Any:
        for _ in range(n):
            refs["a"][0] = x + refs["b"][0]
        other[...] += 1
        return refs["a"][...] * 2

    a, b = px.new_ref(jnp.zeros(2)), px.new_ref(jnp.ones(2))
    for k in range(2):
        assert f({"a": a, "b": b}, 2.0 + k, 1).tolist() == [2 * (3.0 + k), 0.0]
    assert values(a) == [4.0, 0.0] and values(b) == [1.0, 1.0] and float(other[...]) == 12.0


@pytest.mark.parametrize(("call", "kind"), [
    (lambda r: r.__setitem__(0, 1), "dtype"), (lambda r: r.__setitem__(..., jnp.ones(2)), "shape"),
    (lambda r: r.addupdate(1.0), "shape"), (lambda r: r[3], "index"), (lambda r: r.__setitem__(-4, 1.0), "index"),
    (lambda r: r.__setitem__(0, "x"), "value"), (lambda r: px.new_ref([1.0]), "value"),
    (lambda r: px.jit(lambda a, b: a[...] + b[...])(r, r), "alias"), (lambda r: px.new_ref(1.0, memory_space="x"), "space")])
def test_what_does_not_fit(call: Any, kind: str) -> None:
    with pytest.raises(RefValueError) as caught:
        call(px.new_ref(jnp.arange(3.0)))
    assert caught.value.kind == kind


def test_where_references_cannot_go() -> None:
    ref = px.new_ref(jnp.arange(3.0))
    for wrap in (px.grad, px.vmap):
        with pytest.raises(OuterRefError) as caught:
            wrap(lambda x: (ref.__setitem__(0, x), x)[1])(jnp.float32(2) if wrap is px.grad else jnp.arange(2.0))
        assert caught.value.kind == "write"
    with pytest.raises(OuterRefError) as caught:
        px.checkpoint(lambda x: ref[0] * x)(2.0)
    assert caught.value.kind == "outer"
    kept: list[Any] = []
    px.jit(lambda x: (kept.append(px.new_ref(x)), x)[1])(1.0)
    with pytest.raises(OuterRefError) as caught:
        kept[0][...]
    assert caught.value.kind == "ended"
    with pytest.raises(RefArgumentError):
        px.jit(lambda r: r[...])(px.ShapeDtypeStruct((3,), np.float32, is_ref=True))
    with pytest.raises(TypeError):
        px.jit(lambda x: px.new_ref(x))(1.0)
    assert px.grad(lambda x: ref[1] * x)(2.0) == 1.0 and values(ref) == [0.0, 1.0, 2.0]


def test_reports_of_loops_name_the_users_own_carry() -> None:
    ref = px.new_ref(jnp.float32(0))

    def count(state: dict) -> Any:
        ref[...] += 1.0
        return {"n": state["n"] + 0.5}

    with pytest.raises(CarryTypeError) as caught:
        lax.while_loop(lambda state: state["n"] < 3, count, {"n": jnp.int32(0)})
    text = str(caught.value)
    assert "`count`" in text and "state['n']" in text and "ref_threads" not in text


def add(ref: Any, x: Any) -> Any:
    ref[...] += x
    return ref[...]


def test_vmap_takes_references_as_arguments() -> None:
    ref, table = px.new_ref(jnp.zeros(3)), px.new_ref(jnp.ones((2, 3)))
    np.testing.assert_array_equal(px.vmap(add)(ref, jnp.arange(3.)), [0, 1, 2])
    np.testing.assert_array_equal(ref[...], [0, 1, 2])
    sums = px.vmap(lambda p, x: add(p["t"], x).sum(), ({"t": 1}, 0))({"t": table}, jnp.arange(3.))
    np.testing.assert_array_equal(sums, [2, 4, 6])
    np.testing.assert_array_equal(table[...], [[1, 2, 3]] * 2)
    np.testing.assert_array_equal(px.jit(lambda r: px.vmap(add)(r, jnp.arange(3.)))(ref), [0, 2, 4])


def test_vmap_takes_references_that_are_the_same_for_all() -> None:
    ref = px.new_ref(jnp.float32(2))
    np.testing.assert_array_equal(px.vmap(lambda r, x: r[...] * x, (None, 0))(ref, jnp.arange(3.)), [0, 2, 4])
    px.vmap(lambda r, x: add(r, 1.) * x, (None, 0))(ref, jnp.arange(3.))
    assert float(ref[...]) == 3
    with pytest.raises(OuterRefError) as caught:
        px.vmap(add, (None, 0))(ref, jnp.arange(3.))
    assert caught.value.kind == "write"
    with pytest.raises(RefValueError):
        px.vmap(lambda a, b: a[...])(ref, ref)


def test_branches_take_references_as_operands() -> None:
    ref = px.new_ref(jnp.float32(2))
    assert float(lax.cond(True, lambda r, x: add(r, x), lambda r, x: x, ref, jnp.float32(1))) == 3
    assert float(px.jit(lambda r: lax.switch(1, [lambda r: 0., lambda r: add(r, 1.)], r))(ref)) == 4
    assert float(ref[...]) == 4


def test_eval_shape_and_gradients_take_references() -> None:
    ref = px.new_ref(jnp.float32(2))
    assert px.eval_shape(add, ref, 1.).shape == () and float(ref[...]) == 2
    assert float(px.grad(lambda x, r: x * add(r, 1.))(5., ref)) == 3


def test_additions_at_an_index_given_twice_all_count() -> None:
    def put(ref: Any, index: Any) -> Any:
        px.ref.addupdate(ref, index, jnp.ones(3))
        return ref[...]

    ref = px.new_ref(jnp.zeros(3))
    assert put(ref, jnp.array([0, 0, 1])).tolist() == [2.0, 1.0, 0.0]
    rows = px.new_ref(jnp.zeros((2, 3)))
    assert px.vmap(put)(rows, jnp.array([[0, 0, 1], [2, 2, 2]])).tolist() == [[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]]


@pytest.mark.parametrize("dtype", [np.int32, np.int8, np.uint8])
def test_numbers_known_only_later_are_brought_inside_of_the_axes(dtype: Any) -> None:
    ref = px.new_ref(jnp.zeros((2, 3)))

    @px.jit
    def write(i: Any, j: Any) -> Any:
        ref[i, j] = 1.0
        ref.addupdate(2.0, (i, j))
        ref.addupdate(jnp.full(2, 10.0), (..., j))
        return px.ref.swap(ref, (i, slice(0, 2)), jnp.full(2, 7.0))

    assert write(dtype(5), dtype(9)).tolist() == [0.0, 0.0]
    assert values(ref) == [[0.0, 0.0, 10.0], [7.0, 7.0, 13.0]]
    if dtype != np.uint8:
        assert write(dtype(-9), dtype(-9)).tolist() == [13.0, 0.0]
        assert values(ref) == [[7.0, 7.0, 10.0], [17.0, 7.0, 13.0]]


def test_arrays_of_indices_skip_what_lies_outside() -> None:
    ref = px.new_ref(jnp.zeros(3))
    px.jit(lambda i: ref.__setitem__(i, jnp.ones(2)))(jnp.array([0, 7]))
    assert values(ref) == [1.0, 0.0, 0.0]
    with pytest.raises(RefValueError) as caught:
        ref[jnp.array(7)] = 1.0
    assert (caught.value.kind, caught.value.got) == ("index", "7")
    assert float(px.jit(lambda: ref[jnp.array(7)])()) == 0.0


def closing(ref: Any) -> Any:
    def fun(given: Any, x: Any) -> Any:
        given[0] = x
        ref[1] = x

    return fun


@pytest.mark.parametrize(("wrap", "known"), [
    (px.jit, False), (px.jit, True), (lambda f: px.vmap(f, (None, None), axis_size=2), True),
    (lambda f: lambda *args: px.eval_shape(f, *args), False)])
def test_a_reference_both_given_and_closed_over(wrap: Any, known: bool) -> None:
    ref, other = px.new_ref(jnp.zeros(2)), px.new_ref(jnp.zeros(2))
    f = wrap(closing(ref))
    for _ in range(2):
        if known:
            f(other, 1.0)  # the function is traced by now, and the reference it closes over is known
        with pytest.raises(RefValueError) as caught:
            f(ref, 5.0)
        assert caught.value.kind == "closed" and caught.value.got == "fun"
        assert values(ref)[0] == 0.0
    ref[...] = jnp.zeros(2)  # it is as usable as before
    assert values(ref) == [0.0, 0.0]


def test_a_reference_both_given_and_closed_over_within_another_function() -> None:
    ref = px.new_ref(jnp.zeros(2))
    inner = px.jit(closing(ref))
    with pytest.raises(RefValueError) as caught:
        px.jit(lambda: inner(ref, 1.0))()
    assert caught.value.kind == "closed" and values(ref) == [0.0, 0.0]
    with pytest.raises(RefValueError) as caught:
        px.jit(lambda r: px.jit(lambda a, b: a[...] + b[...])(r, r))(ref)
    assert caught.value.kind == "alias"


def test_references_of_staged_functions_are_frozen_and_freed() -> None:
    def late_write(x: Any) -> Any:
        ref = px.new_ref(x)
        before = px.freeze(ref)
        ref[...] = x + 1
        return before

    def late_read(x: Any) -> Any:
        ref = px.new_ref(x)
        px.free_ref(ref)
        return ref[...]

    def frozen_read(x: Any) -> Any:
        ref = px.new_ref(x)
        px.freeze(ref)
        return ref[...]

    for f in (late_write, late_read):
        with pytest.raises(RefValueError) as caught:
            px.jit(f)(1.0)
        assert caught.value.kind == "done"
    assert float(px.jit(frozen_read)(1.0)) == 1.0
    outer = px.new_ref(jnp.float32(3))
    assert float(px.jit(lambda: px.freeze(outer))()) == 3.0
    outer[...] = jnp.float32(4)
    assert float(outer[...]) == 4.0


def test_a_copy_is_the_same_reference_and_a_deep_copy_another() -> None:
    ref = px.new_ref(jnp.zeros(2))
    same, deep, sent = copy.copy(ref), copy.deepcopy({"r": ref})["r"], pickle.loads(pickle.dumps(ref))
    ref[0] = 1.0
    deep[1] = 2.0
    assert (values(same), values(deep), values(sent)) == ([1.0, 0.0], [0.0, 2.0], [0.0, 0.0])
    assert type(deep) is type(ref)


def test_steps_of_a_loop_get_references_to_the_entries() -> None:
    def program(x: Any, reverse: bool) -> Any:
        ref = px.new_ref(x)

        def step(c: Any, entry: Any) -> Any:
            entry[...] += c
            return entry[...], None

        return lax.scan(step, 1.0, ref, reverse=reverse)[0], px.freeze(ref)

    for wrap in (lambda f: f, lambda f: px.jit(f, static_argnums=1)):
        last, left = wrap(program)(jnp.arange(3.0), True)
        assert float(last) == 4.0 and left.tolist() == [4.0, 4.0, 3.0]
    assert px.grad(lambda x: program(x, False)[1].sum())(jnp.arange(3.0)).tolist() == [3.0, 2.0, 1.0]
    ref = px.new_ref(jnp.ones((2, 3)))
    assert lax.map(lambda row: (row.__setitem__(0, 5.0), row[...].sum())[1], ref).tolist() == [7.0, 7.0]
    assert values(ref) == [[5.0, 1.0, 1.0]] * 2
    with pytest.raises(ScanLengthError) as caught:
        lax.scan(lambda c, both: (c, None), 0.0, {"a": ref, "b": jnp.ones(4)})
    assert caught.value.rows == (("xs['a']", "float32[2,3]"), ("xs['b']", "float32[4]"))


def test_the_tangent_of_a_reference_is_a_reference() -> None:
    def f(r: Any, y: Any) -> Any:
        r[...] += y * y
        return r[...].sum()

    for wrap in (lambda g: g, px.jit):
        ref, moving = px.new_ref(jnp.arange(3.0)), px.new_ref(jnp.ones(3))
        out, tangent = px.jvp(wrap(f), (ref, 2.0), (moving, 1.0))
        assert (float(out), float(tangent)) == (15.0, 15.0)
        assert values(ref) == [4.0, 5.0, 6.0] and values(moving) == [5.0, 5.0, 5.0]
    assert px.jvp(lambda r: (r[...].sum(), "aux"), (ref,), (moving,), has_aux=True)[2] == "aux"
    with pytest.raises(TangentError):
        px.jvp(f, (ref, 2.0), (jnp.ones(3), 1.0))


def test_checkpointed_functions_take_references() -> None:
    ref = px.new_ref(jnp.arange(3.0))
    assert float(px.checkpoint(lambda r: (r.__setitem__(..., r[...] + 1.0), r[...].sum())[1])(ref)) == 6.0
    assert values(ref) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("call, names", [
    (lambda r: px.jit(lambda a, b: a[...])(r, r), ("a", "b")),
    (lambda r: px.jit(lambda d: d["x"][...])({"x": r, "y": [1.0, r]}), ("d['x']", "d['y'][1]")),
    (lambda r: px.vmap(lambda a, b: a[...])(r, r), ("a", "b")),
    (lambda r: lax.scan(lambda c, a: (c, None), 0.0, (r, r)), ("a[0]", "a[1]")),
    (lambda r: px.checkpoint(lambda a, b: a[...])(r, r), ("a", "b")),
    (lambda r: px.jvp(lambda a: a[...], (r,), (r,)), ("primals[0]", "tangents[0]"))])
def test_one_reference_given_twice_is_told_by_name(call: Any, names: tuple[str, ...]) -> None:
    with pytest.raises(RefValueError) as caught:
        call(px.new_ref(jnp.arange(3.0)))
    assert caught.value.kind == "alias" and caught.value.names == names
    assert all(f"`{name}`" in str(caught.value) for name in names)


def uses(ref: Any, x: Any) -> Any:
    ref[0] = x
    ref[1:] = ref[...][1:] * 2
    ref.addupdate(1.0, 2)
    before = px.ref.swap(ref, 0, x * 3)
    return ref[x.astype(int)] + before


JAXPR = """
{ lambda ; a:Ref{f32[3]} b:f32[]. let
    a[0] <- b
    c:f32[3] <- a[...]
    d:f32[2] = slice[limit_indices=(3,) start_indices=(1,) strides=None] c
    e:f32[2] = mul d 2.0:f32[]
    a[1:] <- e
    a[2] += 1.0:f32[]
    f:f32[] = mul b 3.0:f32[]
    g:f32[], a[0] <- a[0], f
    h:i32[] = convert_element_type[new_dtype=int32 weak_type=False] b
    i:f32[] <- a[h]
    j:f32[] = add i g
  in (j,) }"""


def test_a_jaxpr_shows_what_is_done_to_references_and_does_it_again() -> None:
    one, ref = np.float32(1), px.new_ref(jnp.arange(3.0))
    closed = px.make_jaxpr(uses)(ref, one)
    assert f"\n{closed}" == JAXPR and values(ref) == [0.0, 1.0, 2.0]
    assert str(px.make_jaxpr(uses)(px.ShapeDtypeStruct((3,), np.float32, is_ref=True), one)) == str(closed)
    assert [type(e).__name__ for e in sorted(closed.effects, key=repr)] == ["AccumEffect", "ReadEffect", "WriteEffect"]
    names = [eqn.primitive for eqn in closed.eqns]
    assert names[0] is primitives.swap_p and names[1] is primitives.get_p
    for apply in (jaxpr_as_fun(closed), px.jit(jaxpr_as_fun(closed)), lambda *a: [uses(*a)]):
        ref[...] = jnp.arange(3.0)
        assert float(apply(ref, one)[0]) == 3.0 and values(ref) == [3.0, 2.0, 5.0]
    assert float(jaxpr_as_fun(closed)(ref, np.float32(9))[0]) == 20.0  # an index that was traced is clamped
    over = px.make_jaxpr(lambda x: uses(ref, x))(one)
    assert over.consts == [ref] and str(over).startswith("{ lambda a:Ref{f32[3]}; b:f32[]. let")
    with pytest.raises(RefValueError) as caught:
        px.make_jaxpr(lambda r: r[0] + ref[0])(ref)
    assert caught.value.kind == "closed"
    masked = px.make_jaxpr(lambda r, i: (r[jnp.array([True, False, True])], r[px.ds(i, 2)]))(ref, 1)
    assert [eqn.outvars[0].aval.shape for eqn in masked.eqns] == [(2,), (2,)]


def test_references_made_in_a_staged_function_are_in_its_jaxpr() -> None:
    def double(x: Any) -> Any:
        spare, ref = px.empty_ref(x), px.new_ref(x)
        spare[...] = ref[...] * 2
        px.free_ref(ref)
        return px.freeze(spare)

    closed = px.make_jaxpr(double)(jnp.ones(2))
    assert [eqn.primitive.name for eqn in closed.eqns] == ["empty_ref", "new_ref", "get", "mul", "swap", "free_ref", "freeze"]
    fun = lambda x: jaxpr_as_fun(closed)(x)[0]
    x = jnp.array([1.0, 3.0])
    assert fun(x).tolist() == px.jit(double).lower(x).compile()(x).tolist() == [2.0, 6.0]
    assert px.vmap(fun)(jnp.stack([x, x])).tolist() == [[2.0, 6.0]] * 2
    assert px.grad(lambda x: fun(x).sum())(x).tolist() == px.linearize(fun, x)[1](jnp.ones(2)).tolist() == [2.0, 2.0]
    late = px.make_jaxpr(lambda r: px.freeze(r))(px.new_ref(x))
    assert str(late) == "{ lambda ; a:Ref{f32[2]}. let b:f32[2] = freeze a in (b,) }"
    with pytest.raises(RefValueError) as caught:
        px.make_jaxpr(lambda x: {"r": px.new_ref(x)})(x)
    assert (caught.value.kind, caught.value.names) == ("returned", ("result['r']",))


def test_compiled_programs_read_and_write_references() -> None:
    ref, other = px.new_ref(jnp.zeros(2)), px.new_ref(jnp.float32(10))

    def count(r: Any, x: Any) -> Any:
        r[0] += x
        other[...] += r[0]
        return {"sum": r[...].sum() + other[...]}

    traced = px.jit(count).trace(ref, 1.0)
    assert "other" not in str(traced.jaxpr) and repr(next(iter(traced.in_avals[0]))) == "Ref{float32[2]}"
    compiled = traced.lower().compile()
    assert [a.str_short() for a in compiled.in_avals[0]] == ["float32[2]", "float32[]"] and list(compiled.out_info) == ["sum"]
    assert float(compiled(ref, 1.0)["sum"]) == 12.0 and float(compiled(ref, 2.0)["sum"]) == 17.0
    assert values(ref) == [3.0, 0.0] and values(other) == 14.0
    assert float(compiled(jnp.zeros(2), 1.0)["sum"]) == 16.0  # as in JAX, a value will do, and is not written to
    with pytest.raises(TypeError):
        compiled(px.new_ref(jnp.zeros(3)), 1.0)


def test_linearize_takes_references_whose_tangents_are_references() -> None:
    def f(r: Any, x: Any) -> Any:
        r[1] = r[0] * x
        return r[1] * x

    ref, moved = px.new_ref(jnp.array([1.0, 2.0])), px.new_ref(jnp.array([1.0, 5.0]))
    value, push = px.linearize(f, ref, 2.0)
    assert float(value) == 4.0 and values(ref) == [1.0, 2.0]
    assert float(push(moved, 0.5)) == 6.0 and values(moved) == [1.0, 2.5]
    with pytest.raises(TangentError):
        push(jnp.ones(2), 0.5)


def test_a_type_of_references_is_enough_for_a_new_process() -> None:
    program = ("import perspicax as jax, perspicax.numpy as jnp\n"
               "def f(ref):\n    ref[...] += 1\n"
               "print(jax.make_jaxpr(f)(jax.ShapeDtypeStruct((2,), jnp.float32, is_ref=True)))")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and "Ref{f32[2]}" in done.stdout, done.stderr
