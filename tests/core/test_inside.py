"""What primitives say of the jaxprs that they run: a reader that knows nothing else computes the same."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.jaxpr import Literal, eval_jaxpr, subjaxprs
from perspicax.core.primitive import primitives

X = np.array([0.3, 0.7, -1.1], np.float32)


def read(closed, args):
    """The results of a jaxpr, each primitive with `inside` by that alone."""
    env = dict(zip(closed.jaxpr.constvars, closed.consts)) | dict(zip(closed.jaxpr.invars, args))
    value = lambda a: a.val if type(a) is Literal else env[a]
    for eqn in closed.jaxpr.eqns:
        xs = [value(a) for a in eqn.invars]
        inside = eqn.primitive.inside and eqn.primitive.inside(**eqn.params)
        if inside is None:
            out = eqn.primitive(*xs, **eqn.params)
            out = out if eqn.primitive.multiple_results else [out]
        elif inside.kind == "call":
            inner, = inside.inner
            out = read(inner.jaxpr, [xs[i] for _, i in inner.inputs])
        elif inside.kind == "branch":
            inner = inside.inner[min(max(int(xs[0]), 0), len(inside.inner) - 1)]
            out = read(inner.jaxpr, [xs[i] for _, i in inner.inputs])
        else:
            out = looped(inside, xs)
        env.update(zip(eqn.outvars, out))
    return [value(a) for a in closed.jaxpr.outvars]


def looped(inside, xs):
    carry = {i: xs[i] for kind, i in inside.inner[-1].inputs if kind == "carry"}
    rounds = range(10) if inside.length is None else range(inside.length)
    stacked = []
    for at in reversed(rounds) if inside.reverse else rounds:
        for inner in inside.inner:
            fed = [carry[i] if kind == "carry" else xs[i][at] if kind == "row" else xs[i] for kind, i in inner.inputs]
            out = read(inner.jaxpr, fed)
            if inside.length is None and inner is inside.inner[0] and not out[0]:
                return list(carry.values())
        stacked.append(out[len(carry):])
        carry = dict(zip(carry, out))
    return [*carry.values(), *[np.stack(rows[::-1] if inside.reverse else rows) for rows in zip(*stacked)]]


@px.custom_jvp
def own_jvp(x):
    return jnp.sin(x)


own_jvp.defjvp(lambda primals, tangents: (own_jvp(*primals), tangents[0]))


@px.custom_vjp
def own_vjp(x):
    return jnp.sin(x) * 2


own_vjp.defvjp(lambda x: (own_vjp(x), x), lambda x, ct: (ct,))


@px.custom_batching.custom_vmap
def own_vmap(x):
    return x * 3


own_vmap.def_vmap(lambda size, batched, x: (x * 3, batched[0]))


PROGRAMS = {
    "jit": lambda x: px.jit(lambda y: jnp.sin(y) * x)(x + 1),
    "remat2": px.checkpoint(lambda x: jnp.sin(jnp.sin(x))),
    "custom_jvp_call": lambda x: own_jvp(x) + x,
    "custom_vjp_call": lambda x: own_vjp(x) + x,
    "custom_vmap_call": lambda x: own_vmap(x) + x,
    "composite": lax.composite(lambda x: jnp.sin(x) + 1, "my.thing"),
    "linear_call": lambda x: px.custom_derivatives.linear_call(lambda r, t: t * r, lambda r, ct: ct * r, x, x + 1),
    "cond": lambda x: lax.cond(x[0] > 0, lambda a, b: a * 2, lambda a, b: a + b, x, x + 1),
    "while": lambda x: lax.while_loop(lambda s: s[0] < x[1] * 6, lambda s: (s[0] + 1, s[1] * x), (0.0, x)),
    "scan": lambda x: lax.scan(lambda c, a: ((c[0] + a, c[1] * x), (c[0], a * x)), (1.0, x), x),
    "scan, reversed": lambda x: lax.scan(lambda c, a: (c * a + 1, c), 0.5, x, reverse=True),
    "nested": lambda x: lax.scan(lambda c, a: (lax.cond(a > 0, jnp.sin, jnp.cos, c), px.jit(jnp.tanh)(c)), 0.5, x)[1],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_reader_computes_the_same(name):
    closed = px.make_jaxpr(PROGRAMS[name])(X)
    assert name.partition(",")[0] in {e.primitive.name for e in closed.eqns} or name == "nested"
    for found, wanted in zip(read(closed, [X]), eval_jaxpr(closed.jaxpr, closed.consts, X), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_every_primitive_that_calls_or_repeats_is_among_the_programs():
    # Calls of these two are put in where they are made, so that no program holds them.
    ours = {p.name for p in primitives if p.inside is not None} - {"call", "closed_call"}
    assert ours == {name.partition(",")[0] for name in PROGRAMS} - {"nested"}


def test_what_is_computed_again_is_told_so():
    closed = px.make_jaxpr(px.grad(lambda x: px.checkpoint(jnp.sin)(x)))(0.5)
    again = [e.primitive.inside(**e.params).again for e in closed.eqns if e.primitive.name == "remat2"]
    assert again == [True]
    assert [e.primitive.inside(**e.params).again for e in px.make_jaxpr(px.checkpoint(jnp.sin))(0.5).eqns] == [False]


def test_a_function_that_is_not_staged_cannot_be_read():
    call = next(p for p in primitives if p.name == "custom_jvp_call")
    assert call.inside(call_jaxpr=lambda x: x) is None
    assert any(subjaxprs(e) for e in px.make_jaxpr(own_jvp)(X).eqns)
