"""Jaxprs as text."""
from __future__ import annotations

import numpy as np

import perspicax as px
import perspicax.numpy as jnp

XS = np.array([0.3, 0.7, -1.1], np.float32)


def text(f, *args):
    return str(px.make_jaxpr(f)(*args))


def test_on_one_line_where_it_fits():
    assert text(lambda x: x, 1.0) == "{ lambda ; a:f32[]. let  in (a,) }"
    assert text(lambda x: jnp.sin(x) * 2.0, 1.0) == (
        "{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b 2.0:f32[] in (c,) }")


def test_on_several_lines():
    assert text(lambda x, y: (jnp.sin(x) * y + x, jnp.cos(y)), XS, XS) == """\
{ lambda ; a:f32[3] b:f32[3]. let
    c:f32[3] = sin a
    d:f32[3] = mul c b
    e:f32[3] = add d a
    f:f32[3] = cos b
  in (e, f) }"""


def test_constants_literals_and_unread_results():
    table = jnp.asarray(XS)
    assert text(lambda x: (jnp.cos(x), x * table, 1)[1:], XS) == """\
{ lambda a:f32[3]; b:f32[3]. let
    _:f32[3] = cos b
    c:f32[3] = mul b a
  in (c, 1:i32[]) }"""


def test_a_jitted_function_begins_the_alphabet_anew():
    inner = px.jit(lambda x: x * 2.0)
    assert text(lambda x: inner(x), XS) == """\
{ lambda ; a:f32[3]. let
    b:f32[3] = jit[
      name=<lambda>
      jaxpr={ lambda ; a:f32[3]. let b:f32[3] = mul a 2.0:f32[] in (b,) }
    ] a
  in (b,) }"""


def test_other_jaxprs_go_on_in_it():
    shown = text(lambda x: px.lax.scan(lambda c, y: (c + y, None), 0.0, x)[0], XS)
    assert "jaxpr={ lambda ; c:f32[] d:f32[]. let" in shown


def test_more_variables_than_letters():
    def f(x):
        for _ in range(30):
            x = jnp.sin(x)
        return x

    assert "\n    ba:f32[] = sin z\n" in text(f, 1.0)


def test_one_equation():
    eqn = px.make_jaxpr(lambda x: jnp.sum(x))(XS).eqns[0]
    assert repr(eqn) == "b:f32[] = reduce_sum[axes=(0,) out_sharding=None] a"


def test_numbers():
    assert text(lambda x: x * 1e-7, np.float32(1)).endswith("let b:f32[] = mul a 1e-07:f32[] in (b,) }")
    assert "inf:f32[]" in text(lambda x: x * np.inf, np.float32(1))
    assert "True:bool[]" in text(lambda x: (x, True), 1.0)
