"""Forward mode."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.printer import check_jaxpr
from perspicax.transform.errors import TangentError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def model(params, x):
    return jnp.tanh(params["w"] * x + params["b"]), x.sum()


PARAMS = {"w": XS, "b": np.float32(0.2)}


def directions(seed):
    random = np.random.default_rng(seed)
    return px.tree.map(lambda v: random.standard_normal(np.shape(v)).astype(np.float32), (PARAMS, XS))


def test_is_the_transpose_of_reverse_mode():
    """⟨ȳ, J dx⟩ = ⟨Jᵀ ȳ, dx⟩."""
    for wrap in (lambda f: f, px.jit):
        dx = directions(1)
        y, dy = px.jvp(wrap(model), (PARAMS, XS), dx)
        ct = px.tree.map(lambda v: np.full(v.shape, 0.7, np.float32), y)
        back = px.vjp(wrap(model), PARAMS, XS)[1](ct)
        dot = lambda a, b: sum([np.vdot(u, v) for u, v in zip(px.tree.leaves(a), px.tree.leaves(b))])
        np.testing.assert_allclose(dot(ct, dy), dot(back, dx), rtol=1e-5)


def test_is_linear_in_the_tangents():
    a, b = directions(1), directions(2)
    push = lambda t: px.tree.leaves(px.jvp(model, (PARAMS, XS), t)[1])
    for whole, one, two in zip(push(px.tree.map(lambda u, v: 2 * u + v, a, b)), push(a), push(b)):
        np.testing.assert_allclose(whole, 2 * one + two, rtol=1e-5)


def test_under_jit_vmap_and_itself():
    cube = lambda x: x**3
    second = lambda x: px.jvp(lambda y: px.jvp(cube, (y,), (1.0,))[1], (x,), (1.0,))[1]
    np.testing.assert_allclose(px.jit(second)(2.0), 12.0)
    np.testing.assert_allclose(px.vmap(second)(XS), 6 * XS, rtol=1e-5)
    check_jaxpr(px.make_jaxpr(second)(1.0).jaxpr)


def test_integer_results_have_tangents_of_float0():
    out, tangent = px.jvp(lambda x: (x.astype(jnp.int32), x), (jnp.float32(2.5),), (jnp.float32(1.0),))
    assert (out[0], tangent[1]) == (2, 1.0)
    assert tangent[0].dtype == px.float0


def test_aux():
    value, tangent, aux = px.jvp(lambda x: (x * x, [x, "note"]), (3.0,), (2.0,), has_aux=True)
    assert (value, tangent) == (9.0, 12.0)
    assert aux[1] == "note" and float(aux[0]) == 3.0


@pytest.mark.parametrize(("primals", "tangents", "kind"), [
    (2.0, 1.0, "sequence"), ((2.0,), (1.0, 2.0), "tree"), (({"a": 1.0},), ({"b": 1.0},), "tree"), ((2.0,), (XS,), "type"),
    ((XS,), (XS.astype(np.int32),), "type"), ((XS,), (XS.astype(np.float16),), "type"), ((2,), (1,), "type"),
])
def test_tangents_that_do_not_fit(primals, tangents, kind):
    with pytest.raises(TangentError) as caught:
        px.jvp(lambda x: x, primals, tangents)
    assert caught.value.kind == kind


def test_a_known_value_decides():
    """Eagerly, the value behind a differentiated one is known: it can be asked for."""
    f = lambda x: x * 2 if x > 0 else x * 3
    assert (px.jvp(f, (1.0,), (1.0,))[1], px.jvp(f, (-1.0,), (1.0,))[1], px.grad(f)(-1.0)) == (2.0, 3.0, 3.0)
    assert px.grad(lambda x: x * int(x))(2.5) == 2.0


def test_integer_results_have_tangents_of_float0_in_compiled_functions():
    f = lambda x: (x * 2.0, jnp.arange(3))
    for push in (lambda x: px.jvp(f, (x,), (x,))[1], px.jit(lambda x: px.jvp(f, (x,), (x,))[1])):
        moved, still = push(1.5)
        assert float(moved) == 3.0
        assert (still.dtype, still.shape, np.asarray(still).dtype) == (px.float0, (3,), px.float0)
