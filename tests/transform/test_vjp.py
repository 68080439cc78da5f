"""Reverse mode as a function, and the transposition of linear functions."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.errors import RuleMissingError
from perspicax.transform.errors import AuxiliaryResultError, TangentError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def test_the_pull_back_can_be_called_often():
    y, pull = px.vjp(lambda x, w: jnp.sin(x) * w, XS, 2.0)
    np.testing.assert_allclose(y, 2 * np.sin(XS), rtol=1e-6)
    for scale in (1.0, -3.0):
        dx, dw = pull(np.full(3, scale, np.float32))
        np.testing.assert_allclose(dx, scale * 2 * np.cos(XS), rtol=1e-6)
        np.testing.assert_allclose(dw, scale * np.sin(XS).sum(), rtol=1e-5)


class TestPullBackIsAPytree:
    def test_its_leaves_are_the_residuals(self):
        _, pull = px.vjp(jnp.sin, XS)
        leaves = px.tree.leaves(pull)
        np.testing.assert_allclose(leaves[0], np.cos(XS), rtol=1e-6)
        doubled = px.tree.map(lambda v: 2 * v, pull)
        np.testing.assert_allclose(doubled(XS)[0], 2 * np.cos(XS) * XS, rtol=1e-6)

    def test_it_leaves_jit_and_enters_it_again(self):
        pull = px.jit(lambda x: px.vjp(lambda v: jnp.sin(v) * v, x)[1])(XS)
        expected = (np.cos(XS) * XS + np.sin(XS)) * XS
        np.testing.assert_allclose(pull(XS)[0], expected, rtol=1e-5)
        np.testing.assert_allclose(px.jit(lambda p, ct: p(ct))(pull, XS)[0], expected, rtol=1e-5)

    def test_it_is_batched(self):
        pulls = px.vmap(lambda x: px.vjp(lambda v: v * v, x)[1])(XS)
        np.testing.assert_allclose(px.vmap(lambda p: p(1.0)[0])(pulls), 2 * XS, rtol=1e-6)
        _, pull = px.vjp(lambda v: v * v, XS)
        np.testing.assert_allclose(px.vmap(pull)(np.eye(3, dtype=np.float32))[0], np.diag(2 * XS), rtol=1e-6)


def test_of_the_pull_back():
    """The derivative of the pull-back, in the point and in the cotangent."""
    f = lambda x, ct: px.vjp(lambda v: v**3, x)[1](ct)[0]
    assert px.grad(f)(2.0, 5.0) == 60.0
    assert px.grad(f, 1)(2.0, 5.0) == 12.0


def test_aux_and_structure():
    value, pull, aux = px.vjp(lambda x: ({"a": x * x}, ("note", x)), 3.0, has_aux=True)
    assert (value["a"], pull({"a": 1.0}), aux[0], float(aux[1])) == (9.0, (6.0,), "note", 3.0)
    with pytest.raises(AuxiliaryResultError):
        px.vjp(lambda x: x, 1.0, has_aux=True)


def test_integers():
    _, pull = px.vjp(lambda x, n: (x * n, n), 2.0, 3)
    for ct in (np.zeros((), px.float0), 1):
        dx, dn = pull((1.0, ct))
        assert dx == 3.0 and dn.dtype == px.float0


def test_results_that_do_not_depend_get_zeros():
    for result in (lambda x: jnp.asarray(XS), lambda x: 3.0):
        y, pull = px.vjp(result, 2.0)
        found = pull(np.asarray(y))[0] if np.ndim(y) else pull(1.0)[0]
        assert found == 0.0 and found.aval is px.typeof(2.0)


@pytest.mark.parametrize(("ct", "kind"), [
    ([1.0, 1.0], "cotangent tree"), ((1.0,), "cotangent tree"), ((XS, 1.0), "cotangent type"), ((1, 1.0), "cotangent type"),
])
def test_cotangents_that_do_not_fit(ct, kind):
    with pytest.raises(TangentError) as caught:
        px.vjp(lambda x: (x * 1.0, x * 2.0), 2.0)[1](ct)
    assert caught.value.kind == kind


def test_the_number_of_cotangents():
    pull = px.vjp(lambda x: x, 1.0)[1]
    with pytest.raises(TangentError) as caught:
        pull(1.0, 2.0)
    assert caught.value.kind == "count"
    with pytest.raises(TypeError):
        pull()


class TestLinearTranspose:
    def test_of_types(self):
        struct = px.ShapeDtypeStruct((3,), np.float32)
        back = px.linear_transpose(lambda x, y: {"s": 2 * x + 3 * y}, struct, struct)
        for transposed in (back, px.jit(back)):
            dx, dy = transposed({"s": XS})
            np.testing.assert_allclose(dx, 2 * XS)
            np.testing.assert_allclose(dy, 3 * XS)

    def test_twice_is_the_function(self):
        matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
        f = lambda x: jnp.dot(matrix, x)
        once = lambda ct: px.linear_transpose(f, XS)(ct)[0]
        np.testing.assert_allclose(once(np.ones(2, np.float32)), matrix.sum(0))
        np.testing.assert_allclose(px.linear_transpose(once, np.ones(2, np.float32))(XS)[0], matrix @ XS, rtol=1e-6)

    @pytest.mark.parametrize("function", [jnp.sin, lambda x: x * x, lambda x: jnp.exp(x) + x])
    def test_what_is_not_linear_names_the_primitive(self, function):
        with pytest.raises(RuleMissingError) as caught:
            px.linear_transpose(function, XS)(XS)
        assert caught.value.rule == "transpose" and caught.value.primitive in ("sin", "mul", "exp")

    def test_shapes(self):
        with pytest.raises(TangentError):
            px.linear_transpose(lambda x: 2 * x, XS)((XS,))
