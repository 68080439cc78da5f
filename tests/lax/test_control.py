"""Loops and branches: laws of the transformations, what is compiled how often, effects in order."""
from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.primitive import Primitive
from perspicax.core.printer import check_jaxpr
from perspicax.experimental import io_callback
from perspicax.lax.branch_errors import PredicateError
from perspicax.lax.control_errors import (
    CarryTypeError,
    LoopEffectError,
    NotAFunctionError,
    ScanElementsError,
    UnrollError,
    WhileTransposeError,
)
from perspicax.lax.parameter_errors import ParameterCountError
from perspicax.xla import compile as compilation

W = np.array([0.4, -0.6, 0.9], np.float32)
X = np.array([0.3, 0.7, -1.1], np.float32)


def close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    """Equal structure; values within rounding of single precision."""
    for x, y in zip(px.tree.leaves(a), px.tree.leaves(b), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=tolerance, atol=tolerance)


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "scan": lambda w, x: lax.scan(lambda c, s: (jnp.sin(c) * w + s, c * s), x, w, reverse=True),
    "scan_unrolled": lambda w, x: lax.scan(lambda c, s: (jnp.sin(c) * w + s, c * s), x, w, unroll=2),
    "scan_of_constants": lambda w, x: lax.scan(lambda c, _: (c * jnp.sin(w).sum() + x, None), x, None, length=3)[0],
    "fori_loop": lambda w, x: lax.fori_loop(1, 4, lambda i, c: c * w + i, x),
    "cond": lambda w, x: lax.cond(x[0] > 0.1, lambda a, b: jnp.sin(a) * b, lambda a, b: a / (b + 2), w, x),
    "cond_of_closures": lambda w, x: lax.cond(x[0] > 0.1, lambda: jnp.cos(w) * x, lambda: x),
    "switch": lambda w, x: lax.switch((x[0] * 2).astype(int), [lambda v: v, lambda v: v * w, jnp.sin], x),
    "map": lambda w, x: lax.map(lambda s: jnp.cos(s * w), x),
    "associative_scan": lambda w, x: lax.associative_scan(lambda a, b: a * 0.5 + jnp.sin(b), w * x),
    "linear_solve": lambda w, x: lax.custom_linear_solve(
        lambda v: (w * w + 1) * v, x, lambda f, b: b / (w * w + 1), symmetric=True),
    "root": lambda w, x: lax.custom_root(lambda y: y * y * y - (w * w + x * x + 1), x, lambda f, y: jnp.cbrt(w * w + x * x + 1),
                                         lambda g, y: y / g(jnp.ones(3))),
    "platform_dependent": lambda w, x: lax.platform_dependent(w, x, cpu=lambda a, b: a * b, default=lambda a, b: a),
}
NAMES = list(FUNCTIONS)


def total(name: str) -> Callable[[Any, Any], Any]:
    return lambda w, x: sum([(leaf ** 2).sum() for leaf in px.tree.leaves(FUNCTIONS[name](w, x))])


@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_is_the_limit_of_differences(name: str) -> None:
    with px.enable_x64(True):
        f = total(name)
        both = px.jit(px.value_and_grad(f, (0, 1)))
        w, x = jnp.asarray(W, float), jnp.asarray(X, float)
        dw, dx = jnp.asarray([0.3, -0.2, 0.5]), jnp.asarray([-0.1, 0.4, 0.2])
        h = np.finfo(float).eps ** (1 / 3)  # balances truncation h² against rounding EPS / h
        (above, slopes_above), (below, slopes_below) = both(w + h * dw, x + h * dx), both(w - h * dw, x - h * dx)
        forward, second = px.jit(lambda *p: px.jvp(lambda *q: (f(*q), px.grad(f)(*q)), p, (dw, dx))[1])(w, x)
        gw, gx = both(w, x)[1]
        close(forward, (above - below) / (2 * h), 1e-7)
        close(gw @ dw + gx @ dx, forward, 1e-12)
        close(second, (slopes_above[0] - slopes_below[0]) / (2 * h), 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_vmap_is_a_loop_over_the_batch(name: str) -> None:
    both = px.jit(lambda w, x: (FUNCTIONS[name](w, x), px.grad(total(name), (0, 1))(w, x)))
    ws, xs = np.stack([W, -W]), np.stack([X, X - 0.5])
    for axes in ((0, 0), (None, 0)):
        found = px.jit(px.vmap(both, axes))(W if axes[0] is None else ws, xs)
        for i in range(2):
            close(px.tree.map(lambda y, i=i: y[i], found), both(W if axes[0] is None else ws[i], xs[i]), 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_jaxpr_passes_the_checker(name: str) -> None:
    f = total(name)
    programs = [f, px.grad(f, (0, 1)), lambda w, x: px.jvp(px.grad(f), (w, x), (w, x)), px.grad(lambda w, x: px.vmap(
        f, (None, 0))(w, jnp.stack([x, -x])).sum())]
    for program in programs:
        check_jaxpr(px.make_jaxpr(program)(W, X).jaxpr)
    close(px.jit(f)(W, X), f(W, X))


def test_forward_mode_goes_through_while_loop() -> None:
    def power(x: Any, n: Any) -> Any:
        return lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * x), (0, jnp.ones_like(x)))[1]

    close(px.jvp(lambda x: power(x, 3), (X,), (np.ones(3, np.float32),)), (X ** 3, 3 * X ** 2))
    close(px.jacfwd(power)(2.0, 4), 32.0)
    out, push = px.linearize(lambda x: power(x, 3), X)
    close((out, push(np.ones(3, np.float32))), (X ** 3, 3 * X ** 2))
    ns = np.arange(4)
    close(px.vmap(power, (None, 0))(2.0, ns), 2.0 ** ns)
    close(px.vmap(px.vmap(power, (None, 0)), (0, None))(X, ns), X[:, None] ** ns)
    close(px.vmap(px.vmap(power, (0, None)), (None, 0))(X, ns), X ** ns[:, None])
    close(px.jvp(lambda x: px.vmap(power, (None, 0))(x, ns), (2.0,), (1.0,))[1], ns * 2.0 ** (ns - 1.0))
    with pytest.raises(WhileTransposeError) as caught:
        px.grad(lambda x: power(x, 3))(2.0)
    assert isinstance(caught.value, ValueError)


def test_what_does_not_vary_in_a_while_loop_within_two_vmaps_is_said_not_to() -> None:
    def grown(x: Any) -> Any:
        return lax.while_loop(lambda c: c < 10.0, lambda c: c * x, x)

    at = jnp.array([2.0, 3.0])
    expected = np.array([[32.0, 0.0], [0.0, 27.0]])  # 2^4 and 3^3: derivatives n x^(n-1)
    close(px.jacfwd(px.vmap(grown))(at), expected)
    close(px.jit(px.vmap(px.jacfwd(px.vmap(grown))))(at[None]), expected[None])

    def sums(x: Any, z: Any) -> Any:
        return lax.while_loop(lambda c: c[0] < x, lambda c: (c[0] + 1.0, c[1] + z), (0.0, 0.0))

    rows = px.vmap(sums, in_axes=(0, None))
    for zs in (jnp.arange(2.0), jnp.zeros((0,))):
        count, total = px.vmap(lambda z: rows(jnp.arange(3.0), z), out_axes=(None, 0))(zs) if zs.size else (
            px.vmap(lambda z: rows(jnp.arange(3.0), z))(zs))
        close(total, zs[:, None] * jnp.arange(3.0))
        assert count.shape == ((3,) if zs.size else (0, 3))



def test_a_loop_with_the_same_functions_is_staged_and_compiled_once() -> None:
    staged = []

    def body(i: Any, x: Any) -> Any:
        staged.append(i)
        return x * 2 + i

    def step(c: Any, x: Any) -> Any:
        staged.append(c)
        return c + x, c

    def go_on(x: Any) -> Any:
        staged.append(x)
        return x < 100.0

    def double(x: Any) -> Any:
        staged.append(x)
        return x * 2

    def run() -> list[Any]:
        return [lax.fori_loop(0, 4, body, W), lax.fori_loop(0, jnp.int32(4), body, W), lax.scan(step, 0.0, W),
                lax.while_loop(go_on, double, 3.0), lax.cond(True, double, go_on_result, 3.0), lax.map(double, W)]

    def go_on_result(x: Any) -> Any:
        return x

    first = run()
    traced, compiled = len(staged), compilation.programs()
    for _ in range(3):
        close(run(), first)
    assert len(staged) == traced
    assert compilation.programs() == compiled


def test_clear_caches_forgets_what_was_staged() -> None:
    staged = []

    def body(i: Any, x: Any) -> Any:
        staged.append(i)
        return x * factor

    factor = 2.0
    assert lax.fori_loop(0, 3, body, 1.0) == 8
    factor = 3.0
    assert lax.fori_loop(0, 3, body, 1.0) == 8  # as under `jit`: what a function reads is read once
    px.clear_caches()
    assert lax.fori_loop(0, 3, body, 1.0) == 27
    assert len(staged) == 2


def test_indices_beyond_int32_choose_the_last_branch() -> None:
    assert lax.switch(np.uint32(2**32 - 1), [lambda: 0, lambda: 1, lambda: 2]) == 2
    with px.enable_x64(True):
        assert lax.switch(np.int64(2**40), [lambda: 0, lambda: 1, lambda: 2]) == 2
        assert lax.switch(np.int64(-2**40), [lambda: 0, lambda: 1, lambda: 2]) == 0


def test_debug_nans_finds_the_operation_within_a_loop() -> None:
    programs = [lambda x: lax.scan(lambda c, v: (c + jnp.log(v), c), 0.0, x),
                lambda x: lax.cond(True, lambda: jnp.log(x), lambda: x),
                lambda x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.log(s[1])), (0, x)),
                lambda x: lax.fori_loop(0, 2, lambda i, c: jnp.log(c), x)]
    with px.debug_nans(True):
        for program in programs:
            for wrap in (lambda f: f, px.jit):
                with pytest.raises(FloatingPointError) as caught:
                    wrap(program)(X)
                assert caught.value.what == "log"
        over_batch = px.vmap(lambda n: lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, jnp.log(s[1])), (0, 0.5)))
        with pytest.raises(FloatingPointError):
            over_batch(np.arange(4))
        assert float(over_batch(np.arange(1))[1][0]) == 0.5


def test_empty_carries_and_results() -> None:
    def program(x: Any) -> Any:
        return (lax.while_loop(lambda c: False, lambda c: c, ()), lax.scan(lambda c, _: (c, None), (), None, length=3),
                lax.cond(x > 1, lambda: None, lambda: None), lax.fori_loop(0, 3, lambda i, c: c, ()))

    expected = ((), ((), None), None, ())
    assert program(2.0) == px.jit(program)(2.0) == px.vmap(program, out_axes=None)(X) == expected


def test_a_body_that_closes_over_traced_values_is_staged_anew() -> None:
    class Model:
        weight: Any = None

    model = Model()

    def step(c: Any, x: Any) -> Any:
        return c * model.weight + x, None

    def run(weight: Any, x: Any) -> Any:
        model.weight = weight
        return lax.scan(step, 1.0, x)[0]

    expected = ((0.5 + X[0]) * 0.5 + X[1]) * 0.5 + X[2]
    close(px.jit(run)(0.5, X), expected)
    close(px.jit(run)(np.float32(0.5), X), expected)
    slope = px.grad(lambda w: ((w + X[0]) * w + X[1]) * w + X[2])(0.5)
    close(px.grad(run)(0.5, X), slope)


def test_residuals_that_are_the_same_in_every_step_are_not_stacked() -> None:
    def f(w: Any, x: Any) -> Any:
        return lax.scan(lambda c, _: (c * jnp.sin(w), None), x, None, length=7)[0].sum()

    eqns = px.make_jaxpr(px.grad(f, (0, 1)))(W, X).eqns
    forward, backward = [e for e in eqns if e.primitive.name == "scan"]
    assert [v.aval.shape for v in forward.outvars] == [(3,), (7, 3)]  # the carries, and nothing of the sines
    assert [v.aval.shape for v in backward.invars].count((7, 3)) == 1


def test_a_carry_that_is_handed_on_is_not_stacked() -> None:
    def f(w: Any, x: Any) -> Any:
        return lax.scan(lambda s, _: ((s[0], s[0] * s[1]), None), (w, x), None, length=7)[0][1].sum()

    eqns = px.make_jaxpr(px.grad(f, 1))(W, X).eqns
    assert all(7 not in v.aval.shape for e in eqns for v in e.outvars)
    close(px.grad(f, 1)(W, X), W ** 7)


def test_what_nobody_reads_is_not_compiled() -> None:
    def text(f: Callable[..., Any]) -> str:
        return px.jit(f).lower(W, X).as_text()

    scan = lambda w, x: lax.scan(lambda s, v: ((s[0] + v, jnp.tanh(s[1])), jnp.sin(v)), (0.0, 1.0), x)
    assert "sine" not in text(lambda w, x: scan(w, x)[0])
    assert "tanh" not in text(lambda w, x: (scan(w, x)[0][0], scan(w, x)[1]))
    loop = lambda w, x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.sin(s[1]), s[1] * 2), (0, w, x))
    assert "sine" not in text(lambda w, x: loop(w, x)[0])
    assert "sine" in text(lambda w, x: loop(w, x)[1])
    branch = lambda w, x: lax.cond(x[0] > 0, lambda: (jnp.sin(w), x), lambda: (w, jnp.tanh(x)))
    assert "sine" not in text(lambda w, x: branch(w, x)[1])
    close(px.jit(lambda w, x: branch(w, x)[1])(W, X), X)
    close(px.jit(lambda w, x: loop(w, x)[0])(W, X), 3)


def test_a_branch_that_is_not_taken_does_not_spoil_the_derivative() -> None:
    f = lambda x: lax.cond(x > 0, lambda v: jnp.sqrt(v), lambda v: v * 0.0, x)
    close(px.vmap(px.grad(f))(np.array([4.0, 0.0, -1.0], np.float32)), np.array([0.25, 0.0, 0.0]))


def test_loops_know_the_axes_that_their_bodies_name() -> None:
    def over_axis(axis: Any, args: tuple, axes: tuple, *, name: str) -> tuple[Any, int | None]:
        (x,), (at,) = args, axes
        if axis.name != name:
            return over_axis_p(x, name=name), at
        return (x * axis.size, None) if at is None else (x.sum(at), None)

    over_axis_p = Primitive("sum_over_axis_of_a_test", params=("name",), type_rule=lambda x, **_: x, jvp=None, transpose=None,
                            batch=over_axis, emit="stablehlo.abs", source="a test")
    over_axis_p.extra["axis_names"] = lambda name: {name}
    total = lambda x: over_axis_p(x, name="i")
    programs = [lambda x: lax.scan(lambda c, _: (c + total(1.0), None), 0.0, None, length=2)[0],
                lambda x: lax.cond(True, lambda: total(2.0), lambda: 1.0), lambda x: lax.map(total, jnp.ones(2))[0] * 2,
                lambda x: lax.while_loop(lambda c: c < 2.0, lambda c: c + total(2.0), 0.0),
                lambda x: lax.fori_loop(0, 1, lambda i, c: total(c), 2.0)]
    for program in programs:
        close(px.vmap(program, axis_name="i")(X), np.full(3, 6.0))
    close(px.vmap(lambda x: lax.scan(lambda c, _: (total(c), None), x, None, length=2)[0], axis_name="i")(X),
          np.full(3, X.sum() * 3))


def calls(program: Callable[[Callable[..., None]], Any]) -> list[int]:
    """What an ordered callback was called with."""
    seen: list[int] = []

    def note(x: Any) -> None:
        io_callback(lambda v: seen.append(int(v)), None, x, ordered=True)

    program(note)
    px.effects_barrier()
    return seen


def _count_up(note: Any, n: Any) -> Any:
    def body(i: Any) -> Any:
        note(i)
        lax.cond(i % 2 == 0, lambda: note(i + 100), lambda: None)
        return i + 1

    def go_on(i: Any) -> Any:
        note(i + 1000)
        return i < n

    return lax.while_loop(go_on, body, 0)


@pytest.mark.parametrize("staged", [False, True])
def test_callbacks_happen_in_program_order(staged: bool) -> None:
    wrap = px.jit if staged else lambda f: f
    assert calls(lambda note: wrap(lambda: _count_up(note, 2))()) == [1000, 0, 100, 1001, 1, 1002]

    def step(note: Any, c: Any, x: Any) -> Any:
        note(x)
        return lax.switch(x, [lambda: (note(x + 10), c)[1], lambda: c + 1, lambda: (note(x + 20), c + 2)[1]]), None

    assert calls(lambda note: wrap(lambda: lax.scan(lambda c, x: step(note, c, x), 0, np.arange(3)))()) == [0, 10, 1, 2, 22]
    assert calls(lambda note: wrap(lambda: lax.scan(lambda c, x: step(note, c, x), 0, np.arange(3), reverse=True))()) == [
        2, 22, 1, 0, 10]


def test_callbacks_that_only_some_entries_of_a_batch_would_make_are_refused() -> None:
    note = lambda x: io_callback(lambda v: None, None, x)
    for f in (lambda x: lax.cond(x > 0, lambda: note(x), lambda: None),
              lambda x: lax.while_loop(lambda c: c < x, lambda c: (note(c), c + 1)[1], 0.0)):
        with pytest.raises(LoopEffectError) as caught:
            px.vmap(f)(X)
        assert caught.value.kind == "vmap"


def test_keys_are_carried_chosen_and_stacked() -> None:
    key = px.random.key(3)

    def step(k: Any, i: Any) -> Any:
        k = lax.cond(i % 2 == 0, lambda: px.random.fold_in(k, i), lambda: k)
        return k, (k, px.random.uniform(k))

    expected, draws = key, []
    for i in range(3):
        expected = px.random.fold_in(expected, i) if i % 2 == 0 else expected
        draws.append(px.random.uniform(expected))
    last, (keys, found) = px.jit(lambda k: lax.scan(step, k, np.arange(3)))(key)
    close((px.random.key_data(last), found), (px.random.key_data(expected), jnp.stack(draws)))
    assert keys.shape == (3,)
    batch = px.vmap(lambda k: lax.while_loop(lambda s: px.random.uniform(s) < 0.5, lambda s: px.random.fold_in(s, 1), k))(keys)
    assert (px.vmap(px.random.uniform)(batch) >= 0.5).all()
    slope = px.grad(lambda x: lax.cond(x > 0, lambda: x * px.random.uniform(key), lambda: x))(2.0)
    close(slope, px.random.uniform(key))


def test_disable_jit_shows_values_to_the_functions() -> None:
    seen = []

    def step(c: Any, x: Any) -> Any:
        seen.append(float(c))
        return c + x, {"y": c}

    with px.disable_jit():
        carry, ys = lax.scan(step, 0.0, X, reverse=True)
        assert lax.cond(X[0] > 0, lambda: "a branch may return anything", lambda: 0) == "a branch may return anything"
        assert lax.switch(9, [lambda: 1, lambda: 2]) == 2
        assert int(lax.while_loop(lambda c: c < 9, lambda c: c * 2, 1)) == 16
        assert lax.fori_loop(0, 3, lambda i, c: c + i, 0) == 3
        with pytest.raises(CarryTypeError, match=r"a tuple of\s3"):
            lax.scan(lambda c, x: (c, x, x), 0.0, X)
    close(seen, [0.0, X[2], X[2] + X[1]])
    close((carry, ys["y"]), (X.sum(), np.array([X[2] + X[1], X[2], 0.0])))


def test_the_facts_of_errors() -> None:
    with pytest.raises(CarryTypeError) as caught:
        lax.scan(lambda params, x: ({"w": params["w"] * jnp.ones(2), "b": params["b"]}, x), {"w": 1.0, "b": 2}, X)
    error = caught.value
    assert (error.carry, error.kind, [row[0] for row in error.rows]) == ("params", "type", ["['w']"])
    with pytest.raises(PredicateError) as refused:
        lax.switch(jnp.arange(3), [lambda: 1, lambda: 2])
    assert (refused.value.transform, refused.value.kind, refused.value.got) == ("switch", "shape", "int32[3]")


def test_linear_solve_with_auxiliary_results() -> None:
    def solve(w: Any, b: Any) -> Any:
        return lax.custom_linear_solve(lambda v: w * v, b, lambda f, y: (y / w, {"steps": 1}), lambda f, y: (y / w, None),
                                       has_aux=True)

    found, aux = solve(W, X)
    close((found, aux), (X / W, {"steps": 1}))
    gw, gx = px.grad(lambda w, b: solve(w, b)[0].sum(), (0, 1))(W, X)
    close((gw, gx), (-X / W ** 2, 1 / W))


def test_root_with_auxiliary_results_and_integers() -> None:
    def root(a: Any) -> Any:
        return lax.custom_root(lambda y: y ** 2 - a, 1.0, lambda f, y: (jnp.sqrt(a), 5), lambda g, y: y / g(1.0), has_aux=True)

    (value, aux), slope = px.value_and_grad(root, has_aux=True)(4.0)
    close((value, aux, slope), (2.0, 5, 0.25))


def test_a_test_of_a_while_loop_may_compute_something_from_outside_that_it_does_not_use() -> None:
    outside = jnp.arange(3.0)

    def test(state: tuple) -> px.Array:
        jnp.sin(outside + state[0])  # dead code which reads a constant
        return state[0] < 3

    count, _ = lax.while_loop(test, lambda state: (state[0] + 1, state[1]), (0, jnp.zeros(2)))
    assert int(count) == 3


def test_cond_traces_its_true_function_first() -> None:
    traced: list[str] = []
    px.jit(lambda p: lax.cond(p, lambda: traced.append("true"), lambda: traced.append("false")))(True)
    assert traced[:2] == ["true", "false"]


def test_an_eager_loop_is_compiled_once_for_all_lengths() -> None:
    def body(i: Any, v: Any) -> Any:
        return v * 2 + i

    def expected(n: int) -> float:
        v = 1.
        for i in range(n):
            v = v * 2 + i
        return v

    x = jnp.float32(1)
    assert float(lax.fori_loop(0, 3, body, x)) == expected(3)
    compiled = compilation.programs()
    lengths = (5, 0, 1, 12)
    assert [float(lax.fori_loop(0, n, body, x)) for n in lengths] == [expected(n) for n in lengths]
    assert compilation.programs() == compiled
    assert "scan" in str(px.make_jaxpr(lambda v: lax.fori_loop(0, 3, body, v))(x))


def test_the_functions_of_a_solver_are_traced_once() -> None:
    traced: list[str] = []

    def matvec(x: Any) -> Any:
        traced.append("matvec")
        return 2 * x

    def solve(f: Any, b: Any) -> Any:
        traced.append("solve")
        return b / 2

    def inverse(g: Any, y: Any) -> Any:
        traced.append("inverse")
        return y / g(jnp.ones_like(y))

    b = jnp.ones(2)
    lax.custom_linear_solve(matvec, b, solve, solve)
    lax.custom_root(matvec, b, solve, inverse)
    before = list(traced)
    for _ in range(3):
        np.testing.assert_array_equal(lax.custom_linear_solve(matvec, b, solve, solve), [0.5, 0.5])
        lax.custom_root(matvec, b, solve, inverse)
    assert traced == before
    kept = [weakref.ref(f) for f in (matvec, solve, inverse)]
    del matvec, solve, inverse
    gc.collect()
    assert [r() for r in kept] == [None] * 3


@pytest.mark.parametrize("wrap", [lambda f: f, px.jit])
def test_linear_transpose_of_loops_with_counters(wrap: Any) -> None:
    def loop(x: Any) -> Any:
        return lax.fori_loop(0, 3, lambda i, c: c * (i + 1), x)

    def program(x: Any) -> Any:
        def body(carry: Any, a: Any) -> Any:
            n, c, m = carry
            return (n + 1, c * (a + n) + x[0], m * 2.0), c * m

        (_, last, _), ys = lax.scan(body, (0, x, 1.0), jnp.arange(1.0, 4.0), reverse=True)
        return last, ys

    close(wrap(lambda ct: px.linear_transpose(loop, 1.0)(ct))(1.0), (6.0,))
    x, cts = jnp.array([1.0, 2.0]), (jnp.array([1.0, -1.0]), jnp.arange(6.0).reshape(3, 2))
    close(wrap(lambda ct: px.linear_transpose(program, x)(ct))(cts), px.vjp(program, x)[1](cts))

    def rounds(x: Any) -> Any:
        return lax.scan(lambda c, _: ((c[0] + jnp.int32(c[1]), c[1]), None), (0, x), None, length=2)[0][1]

    with pytest.raises(NotImplementedError):
        px.linear_transpose(lambda x: lax.scan(lambda c, _: ((lax.convert_element_type(c[1], np.int32), c[1] * c[0]), None),
                                               (1, x), None, length=2)[0][1], 1.0)(1.0)
    close(px.linear_transpose(rounds, 1.0)(1.0), (1.0,))


def test_an_array_in_place_of_a_function_is_called_an_array() -> None:
    for wrap in (lambda f: f, px.jit):
        with pytest.raises(NotAFunctionError) as caught:
            wrap(lambda x: lax.cond(True, x, lambda x: x, 1.0))(jnp.asarray(X))
        assert caught.value.got == "Array"


@pytest.mark.parametrize("call, parameter, passed, proposed", [
    (lambda: lax.scan(lambda c: (c, c), 0.0, X), "f", ("carry", "x"), "lambda c, x: (c, c)"),
    (lambda: lax.fori_loop(0, 3, lambda c: c, 0.0), "body_fun", ("i", "value"), "lambda i, c: c"),
    (lambda: lax.while_loop(lambda c, d: c < 3, lambda c: c, 0.0), "cond_fun", ("value",), "lambda c: c < 3"),
    (lambda: lax.cond(True, lambda: 1.0, lambda: 2.0, 3.0), "true_fun", ("operand",), "lambda operand: 1.0"),
    (lambda: lax.switch(0, [lambda c: c, lambda: X], X), "branches[1]", ("operand",), "lambda operand: ..."),
    (lambda: lax.map(lambda c, d: c, (X, X)), "f", ("x",), "c, d = x"),
    (lambda: lax.associative_scan(lambda c: c, X), "fn", ("a", "b"), "lambda c, b: c"),
    (lambda: lax.reduce(X, np.float32(0), lambda c: c, (0,)),  # type: ignore[misc,arg-type]
     "computation", ("a", "b"), "lambda c, b: c"),
    (lambda: lax.custom_root(lambda c: c - 1, 1.0, lambda c: c, lambda g, y: y), "solve", ("f", "x"), "lambda c, x: c"),
    (lambda: lax.custom_linear_solve(lambda c: c, X, lambda b: b), "solve", ("matvec", "b"), "lambda matvec, b: b"),
    (lambda: lax.scan(lambda c, x, *, k: (c, x), 0.0, X), "f", ("carry", "x"), "functools.partial(f, k=k)"),
])
def test_a_function_that_takes_other_arguments_than_it_is_passed(call: Callable[[], Any], parameter: str,
                                                                 passed: tuple[str, ...], proposed: str) -> None:
    branch = parameter.startswith(("branches", "true_fun", "false_fun"))  # not called where jit is disabled, unless it is taken
    for disabled in (False,) if branch else (False, True):
        with pytest.raises(TypeError) as caught, px.disable_jit(disabled):
            call()
        error = caught.value
        assert isinstance(error, ParameterCountError)
        assert error.parameter == parameter
        assert tuple(name for name, _ in error.passed) == passed
        assert proposed in str(error)


def test_what_a_body_raises_itself_stays_as_it_is() -> None:
    def of_one(c: Any) -> Any:
        return c

    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given") as caught:
        lax.scan(lambda c, x: (of_one(c, x), c), 0.0, X)  # type: ignore[call-arg]
    assert type(caught.value) is TypeError


def test_numbers_of_steps_are_integers_and_truth_values_are_bounds() -> None:
    for call, kind in ((lambda: lax.fori_loop(0, 7, lambda i, x: x, 0, unroll=2.5), "integer"),
                       (lambda: lax.map(lambda x: x, X, batch_size=1.5), "batch"),
                       (lambda: lax.map(lambda x: x, X, batch_size=-1), "batch")):
        with pytest.raises(UnrollError) as caught:
            call()
        assert caught.value.kind == kind and isinstance(caught.value, TypeError)
    assert int(lax.fori_loop(False, True, lambda i, x: x + 1, 0)) == 1


@pytest.mark.parametrize("combine", [lambda a, b: a.sum(0), lambda a, b: (a + b).astype(np.float16)])
def test_an_associative_function_keeps_types(combine: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(ScanElementsError) as caught:
        lax.associative_scan(combine, jnp.ones((2, 2)))
    assert caught.value.kind == "types" and caught.value.rows[0][0] == "elems"


def test_the_counter_has_the_type_of_the_lower_bound() -> None:
    count = lambda lower, c: px.jit(lambda n: lax.fori_loop(lower, n, lambda i, c: c + i, c))(jnp.int32(3))
    assert (count(0, jnp.int8(0)).dtype, count(0, 0).weak_type, count(jnp.int32(0), 0).weak_type) == (np.int8, True, False)


def test_numbers_in_a_carry_settle_in_more_than_one_round() -> None:
    swapped = lax.fori_loop(0, 3, lambda i, c: (c[1], c[0]), (0, 1.0))
    assert [(float(x), x.dtype, x.weak_type) for x in swapped] == [(1.0, np.float32, False), (0.0, np.float32, False)]
    last, _ = lax.scan(lambda c, _: ({"a": c["b"] * 2, "b": c["a"]}, None), {"a": 1, "b": 1.5}, None, length=3)
    assert (float(last["a"]), float(last["b"])) == (6.0, 2.0)
    with pytest.raises(CarryTypeError) as caught:
        lax.fori_loop(0, 3, lambda i, c: (c[1], c[0]), (jnp.int32(0), 1.0))
    assert len(caught.value.rows) >= 1


def test_an_empty_batch_of_callbacks_calls_nothing() -> None:
    def call(x: Any) -> Any:
        return px.pure_callback(lambda _: 1 / 0, px.ShapeDtypeStruct((2,), np.float32), x, vmap_method="sequential")

    assert px.vmap(call)(jnp.zeros(0)).shape == (0, 2) and px.vmap(px.vmap(call))(jnp.zeros((3, 0))).shape == (3, 0, 2)


def test_an_exception_of_a_callback_may_have_no_text() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def fail(_: Any) -> Any:
        raise Odd

    with pytest.raises(px.errors.JaxRuntimeError) as caught:
        px.pure_callback(fail, px.ShapeDtypeStruct((), np.float32), 1.0).block_until_ready()
    assert isinstance(caught.value.__cause__, Odd) and "Odd" in str(caught.value)
