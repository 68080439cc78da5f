"""Operations on arrays of symbolic size: the exported function, called with a size, is the function itself.

Each family is one program, so that few are compiled.
"""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import export, lax
from perspicax.core.symbolic_solve import substitute
from perspicax.flax import linen as nn

B, = export.symbolic_shape("b")
KEY = px.random.key(0)
NHWC = ("NHWC", "HWIO", "NHWC")


def elementwise_and_shapes(x):
    return (
        x * x.shape[0] + x.size / 2, x.reshape(-1), x.reshape(x.shape[0], 3, 1), x.T, x[:, None] + x[None], jnp.tile(x, (2, 1)),
        jnp.repeat(x, 2, axis=0), jnp.pad(x, ((1, 2), (0, 1))), jnp.concatenate([x, x]), jnp.stack([x, x]), jnp.flip(x, 0),
        jnp.broadcast_to(x, (2, *x.shape)), jnp.where(x > 0, x, 0.0), jnp.clip(x, 0, 1), x.astype(jnp.bfloat16),
        jnp.roll(x, 1, 0))


def indexing(x, i):
    return (x[0], x[-1], x[1:], x[:-1], x[::2], x[::-1], x[1::-1], x[5:], x[:7], x[2], x[i], x[jnp.array([0, -1])],
            x.at[2].set(1.0),
            x.at[i].add(1.0), jnp.take_along_axis(x, i[:, None], 1), x[jnp.arange(x.shape[0]), i], x[x.shape[0] - 1],
            lax.dynamic_slice(x, (i[0], 0), (1, 3)), lax.dynamic_update_slice(x, jnp.ones((1, 3)), (i[0], 0)))


def indexing_by_functions(x):
    far = jnp.array([0, 3, 4, -1, -5])
    return (jnp.take(x, far, 0, fill_value=-7.0), jnp.take(x, far, 0, mode="wrap"), x.at[far].set(1.0, mode="clip"),
            x.at[-1].set(5.0), x.at[-1].add(5.0), jnp.split(x, [1], 0), jnp.split(x, [-1], 0), jnp.insert(x, -1, 1.0, axis=0),
            lax.dynamic_slice_in_dim(x, 0, x.shape[0] - 1), jnp.diagonal(x @ x.T), jnp.delete(x, 0, 0), jnp.delete(x, -1, 0),
            jnp.searchsorted(jnp.sort(x[:, 0]), x[:, 1]), jnp.take_along_axis(x, jnp.argsort(x, 0), 0), jnp.cov(x.T))


def reductions(x):
    return (x.sum(), x.mean(0), jnp.var(x), x.std(0), jnp.max(x, 0), jnp.argmax(x, 0), jnp.any(x > 0), jnp.prod(x, 0),
            jnp.median(x, 0), px.nn.softmax(x, axis=0), px.nn.logsumexp(x, 0), jnp.cumsum(x, 0),
            jnp.linalg.norm(x, axis=1), lax.cumsum(x, 0, reverse=True), lax.cummax(x), jnp.sort(x, 0),
            jnp.argsort(x, 0), lax.top_k(x, 2))


def creation(x):
    n = x.shape[0]
    return (jnp.arange(n), jnp.arange(1, 2 * n, 2), jnp.arange(n, 0, -1), jnp.zeros((n, 2)), jnp.full_like(x, 2), jnp.eye(n),
            jnp.tri(n), px.nn.one_hot(jnp.arange(n), n), jnp.diag(x[:, 0]), jnp.meshgrid(x[:, 0], x[0]),
            px.random.normal(KEY, x.shape), px.random.key_data(px.random.split(KEY, n)))


def products(x, w):
    return (x @ w, x @ x.T, jnp.einsum("bi,ij,jk->bk", x, w, w.T), jnp.tensordot(x, w, 1), jnp.outer(x[:, 0], x[:, 0]),
            px.vmap(lambda row: jnp.tanh(row @ w))(x), jnp.kron(x, x),
            jnp.convolve(jnp.pad(x[:, 0], (0, 1)), jnp.ones(2)))


def loops(x):
    return (lax.scan(lambda c, row: (jnp.sin(c) + row, row * 2), jnp.zeros(3), x),
            lax.scan(lambda c, column: (c + column, c), jnp.zeros(x.shape[0]), x.T, reverse=True),
            lax.while_loop(lambda c: c.sum() < 50, lambda c: jnp.abs(c) + 1, x), lax.map(lambda row: row.sum(), x),
            lax.fori_loop(0, x.shape[0], lambda i, c: c + i, x), lax.cond(x.sum() > 0, lambda: x, lambda: -x),
            px.grad(lambda y: lax.scan(lambda c, row: (jnp.sin(c) + row, c * 2), jnp.zeros(3), y)[1].sum())(x))


def images(x, k):
    conv = lambda stride, how: lax.conv_general_dilated(x, k, (stride, stride), how, dimension_numbers=NHWC)
    pool = lambda y: lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return (conv(1, "SAME"), conv(2, "VALID"), pool(x), px.grad(lambda y: (pool(y) ** 2).sum())(x),
            px.grad(lambda k: (lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=NHWC) ** 2).mean())(k))


def windows_of_open_size(x, k):
    return [lax.conv_general_dilated(x, k, (s, s), how, dimension_numbers=NHWC) for s, how in ((1, "SAME"), (2, "VALID"))]


def decompositions(x):
    spd = jnp.einsum("bij,bkj->bik", x, x) + 3 * jnp.eye(3)
    return jnp.linalg.cholesky(spd), jnp.linalg.solve(spd, x), jnp.fft.fft(x[:, 0]).real


def struct(*shape, dtype=np.float32):
    return px.ShapeDtypeStruct(shape, dtype)


FAMILIES = [
    (elementwise_and_shapes, struct(B, 3)), (indexing, struct(B, 3), struct(B, dtype=np.int32)),
    (indexing_by_functions, struct(B, 3)), (reductions, struct(B, 3)),
    (creation, struct(B, 3)), (products, struct(B, 3), struct(3, 4)), (loops, struct(B, 3)),
    (images, struct(B, 6, 6, 2), struct(3, 3, 2, 4)), (windows_of_open_size, struct(2, B + 2, B + 2, 2), struct(3, 3, 2, 4)),
    (decompositions, struct(B, 3, 3))]


def concrete(spec, n, random):
    shape = [substitute(size, {"b": n}) for size in spec.shape]
    return random.integers(0, 3, shape, np.int32) if spec.dtype == np.int32 else random.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family[0].__name__)
def test_a_family(family):
    f, *specs = family
    exported = export.deserialize(export.export(px.jit(f))(*specs).serialize())
    args = [concrete(spec, 4, np.random.default_rng(0)) for spec in specs]
    got, want = px.tree.leaves(exported.call(*args)), px.tree.leaves(px.jit(f)(*args))
    assert [(x.shape, x.dtype) for x in got] == [(x.shape, x.dtype) for x in want]
    for i, (x, y) in enumerate(zip(got, want)):
        x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-5, err_msg=f"result {i}")


class Reader(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        y = nn.Embed(10, 8)(tokens)
        y = nn.LayerNorm()(y + nn.MultiHeadDotProductAttention(2)(y, y, mask=nn.make_causal_mask(tokens)))
        return nn.Dense(3)(y).mean(1)


def test_a_linen_model():
    tokens = np.random.default_rng(1).integers(0, 9, (4, 5), np.int32)
    model = Reader()
    random = np.random.default_rng(2)
    types = px.eval_shape(model.init, KEY, tokens)
    variables = px.tree.map(lambda a: random.normal(size=a.shape).astype(np.float32), types)
    exported = export.export(px.jit(model.apply))(types, struct(B, 5, dtype=np.int32))
    np.testing.assert_allclose(exported.call(variables, tokens), px.jit(model.apply)(variables, tokens), rtol=1e-4, atol=1e-6)
