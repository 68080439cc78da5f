"""Pull-backs that add cotangents to references, or leave them out."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.ref_errors import RefValueError
from perspicax.transform.errors import AccumulatorError

X, Y = np.array([0.5, 1.0], np.float32), np.array([2.0, -1.0], np.float32)


def f(x, y):
    return jnp.sum(jnp.sin(x) * y)


def test_cotangents_are_added_to_references_returned_or_left_out():
    _, pull_back = px.vjp(f, X, Y)
    total = px.new_ref(jnp.ones(2))
    out = pull_back.with_refs(total, px.ad.GradValue())(1.0)
    assert out[0] == px.ad.GradRef()
    assert np.allclose(out[1], np.sin(X))
    assert pull_back.with_refs(total, px.ad.DontWant())(2.0) == (px.ad.GradRef(), px.ad.DidntWant())
    assert np.allclose(total[...], 1 + 3 * np.cos(X) * Y)


def test_one_reference_may_stand_for_several_arguments():
    _, pull_back = px.vjp(f, X, Y)
    total = px.new_ref(jnp.zeros(2))
    pull_back.with_refs(total, total)(1.0)
    assert np.allclose(total[...], np.cos(X) * Y + np.sin(X))


def test_it_works_in_jitted_functions_and_by_structure():
    @px.jit
    def g(params):
        total = px.new_ref(jnp.zeros(2))
        _, pull_back = px.vjp(lambda p: f(p["x"], p["y"]), params)
        out, = pull_back.with_refs({"x": total, "y": px.ad.GradValue})(1.0)
        return total[...], out["y"]

    added, returned = g({"x": X, "y": Y})
    assert np.allclose(added, np.cos(X) * Y)
    assert np.allclose(returned, np.sin(X))


@pytest.mark.parametrize(("given", "words"), [
    ((px.ad.GradValue(),), "`with_refs` is a tuple of length 1, but `args` is one of length 2"),
    ((px.ad.GradValue(), 3.0), "was given a float for `args[1]`"),
    ((px.ad.GradRef(), px.ad.GradValue()), "was given a GradRef for `args[0]`"),
])
def test_what_is_no_place_is_refused(given, words):
    _, pull_back = px.vjp(f, X, Y)
    with pytest.raises(AccumulatorError) as caught:
        pull_back.with_refs(*given)
    assert words in str(caught.value)


@pytest.mark.parametrize("start", [np.zeros(3, np.float32), np.zeros(2, np.int32)])
def test_a_reference_of_another_type_is_refused(start):
    _, pull_back = px.vjp(f, X, Y)
    with pytest.raises(RefValueError):
        pull_back.with_refs(px.new_ref(start), px.ad.DontWant())(1.0)
