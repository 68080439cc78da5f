"""The composition zoo: small functions under all orders of six transformations, up to three deep, against JAX.

    python -m tests.oracle.zoo --full --part 1/8      # a part of the whole sweep
    python -m tests.oracle.zoo --sample 600 --seed 3

Each case is traced on both sides: results must have the same structure, shapes, dtypes and weak types, or both must
raise errors of the same built-in class; our jaxpr must pass the checker. Some cases are run, and their values compared.
"""
from __future__ import annotations

import argparse
import itertools
import random
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.ad_checkpoint
import numpy as np

import perspicax
import perspicax.ad_checkpoint
from perspicax.core.printer import check_jaxpr

Function = Callable[..., Any]

V = np.array([0.3, 0.7, -1.1], np.float32)
U = np.array([1.2, 0.4, 0.9], np.float32)
M = np.array([[0.5, -0.2, 0.8], [1.1, 0.3, -0.6], [0.2, 0.9, 0.4]], np.float32)
C = np.array([0.5 + 0.2j, -0.3 + 1.1j, 0.8 - 0.7j], np.complex64)
I = np.array([2, 0, 1], np.int32)
ROWS = np.arange(16, dtype=np.float32).reshape(1, 4, 4) / 10 - 0.6
KERNEL = np.array([[0.2, -0.5], [0.7, 0.1]], np.float32).reshape(1, 1, 2, 2)
TREE = {"w": M, "b": V}
FLOAT0 = jax.dtypes.float0


class Specimen(NamedTuple):
    """A function of the zoo.

    Attributes:
        make: makes it from the package, JAX or ours.
        args: its arguments; arrays, numbers or pytrees of them.
    """

    make: Callable[[Any], Function]
    args: tuple


ZOO: dict[str, Specimen] = {}


def specimen(*args: Any) -> Callable[[Callable[[Any, Any], Function]], None]:
    """Puts a function into the zoo: `make(J, np_)` returns it."""
    def add(make: Callable[[Any, Any], Function]) -> None:
        ZOO[make.__name__] = Specimen(lambda J: make(J, J.numpy), args)

    return add


def simple(name: str, make: Callable[[Any, Any], Function], *args: Any) -> None:
    """The same for one that is written on one line."""
    ZOO[name] = Specimen(lambda J: make(J, J.numpy), args)


# -- elementwise

simple("wave", lambda J, n: lambda x: n.sin(x) * n.cos(x), V)
simple("rational", lambda J, n: lambda x: (x + 2.0) / (x * x + 1.0), V)
simple("exp_log", lambda J, n: lambda x: n.exp(x) + n.log(n.abs(x)), V)
simple("powers", lambda J, n: lambda x: x ** 3 + (x * x + 0.5) ** 0.5, V)
simple("two_powers", lambda J, n: lambda x, y: (x * x + 0.5) ** y, V, U)
simple("tanh_sqrt", lambda J, n: lambda x: n.tanh(n.sqrt(x * x + 1.0)), V)
simple("scalar_number", lambda J, n: lambda x: x * x + 3.0, 1.5)
simple("weak_and_strong", lambda J, n: lambda x, y: x * y, 1.5, V)
simple("weak_alone", lambda J, n: lambda x: n.sin(x) * 2, 0.3)
simple("where_guarded", lambda J, n: lambda x: n.where(x > 0, n.sqrt(n.where(x > 0, x, 1.0)), 0.0), V)
simple("where_nan", lambda J, n: lambda x: n.where(x > 0, n.sqrt(x), 0.0), V)
simple("maximum", lambda J, n: lambda x, y: n.maximum(x, y) - n.minimum(x, 2.0), V, U)
simple("clip_abs", lambda J, n: lambda x: n.clip(x, -1.0, 0.5) + n.abs(x), V)
simple("floor_sign", lambda J, n: lambda x: n.floor(x) + n.sign(x) * x, V)
simple("arctan2", lambda J, n: lambda x, y: n.arctan2(x, y), V, U)
simple("logistic", lambda J, n: lambda x: J.lax.logistic(x) * J.lax.erf(x), V)
simple("cast_half", lambda J, n: lambda x: x.astype(n.float16) * 2, V)
simple("half", lambda J, n: lambda x: n.sin(x) * x, V.astype(np.float16))
simple("stop", lambda J, n: lambda x: J.lax.stop_gradient(n.sin(x)) * x, V)

# -- reductions

simple("total", lambda J, n: lambda x: n.sum(n.sin(x)), V)
simple("mean_axis", lambda J, n: lambda m: n.mean(m * m, axis=0), M)
simple("variance", lambda J, n: lambda m: n.var(m, axis=1), M)
simple("product", lambda J, n: lambda x: n.prod(x), V)
simple("largest", lambda J, n: lambda m: n.max(m, axis=1), M)
simple("logsumexp", lambda J, n: lambda x: n.log(n.sum(n.exp(x - n.max(x)))) + n.max(x), V)
simple("cumulative", lambda J, n: lambda x: n.cumsum(x) * n.cumprod(x), V)
simple("norm", lambda J, n: lambda x: n.sqrt(n.sum(x ** 2)), V)
simple("argmax", lambda J, n: lambda x: n.argmax(x), V)
simple("count", lambda J, n: lambda x: n.sum(x > 0), V)


@specimen(M)
def softmax(J: Any, n: Any) -> Function:
    def f(m: Any) -> Any:
        e = n.exp(m - n.max(m, axis=-1, keepdims=True))
        return e / n.sum(e, axis=-1, keepdims=True)
    return f


@specimen(M, V)
def layernorm(J: Any, n: Any) -> Function:
    def f(m: Any, scale: Any) -> Any:
        centred = m - n.mean(m, axis=-1, keepdims=True)
        return centred * J.lax.rsqrt(n.mean(centred ** 2, axis=-1, keepdims=True) + 1e-5) * scale
    return f


# -- products

simple("matvec", lambda J, n: lambda m, x: m @ x, M, V)
simple("matmul_twice", lambda J, n: lambda m: n.tanh(m @ m) @ m, M)
simple("outer", lambda J, n: lambda x, y: n.outer(x, y) * n.dot(x, y), V, U)
simple("einsum", lambda J, n: lambda m, x: n.einsum("ij,j,k->ik", m, x, x), M, V)
simple("conv", lambda J, n: lambda x, k: J.lax.conv_general_dilated(x[None], k, (1, 1), "SAME"), ROWS, KERNEL)
simple("mlp", lambda J, n: lambda p, x: n.tanh(x @ p["w"] + p["b"]), TREE, V)

# -- shapes, indexing, sorting

simple("reshape", lambda J, n: lambda m: n.transpose(m).reshape(9)[::2], M)
simple("slices", lambda J, n: lambda x: x[1:] * x[:-1], V)
simple("joined", lambda J, n: lambda x, y: n.concatenate([x * 2, n.stack([x, y]).sum(0), y]), V, U)
simple("padded", lambda J, n: lambda x: n.pad(x * x, (1, 2)), V)
simple("flipped", lambda J, n: lambda x: x[::-1] * n.roll(x, 1), V)
simple("gather", lambda J, n: lambda x, i: x[i] * x, V, I)
simple("gather_scalar", lambda J, n: lambda x, i: x[i[0]] * n.sin(x), V, I)
simple("dynamic_slice", lambda J, n: lambda x, i: J.lax.dynamic_slice(x, (i[2],), (2,)) * 3.0, V, I)
simple("scatter_add", lambda J, n: lambda x, i, y: x.at[i].add(y * y), V, I, U)
simple("scatter_set", lambda J, n: lambda x, y: x.at[1].set(y[0] * y[1]), V, U)
simple("scatter_multiply", lambda J, n: lambda x, i, y: x.at[i].multiply(y), V, I, U)
simple("dynamic_update", lambda J, n: lambda x, y, i: J.lax.dynamic_update_slice(x, y[:2] * 2.0, (i[1],)), V, U, I)
simple("sorted", lambda J, n: lambda x: n.sort(x) * n.arange(3.0), V)
simple("argsorted", lambda J, n: lambda x: x[n.argsort(x)], V)
simple("top_k", lambda J, n: lambda x: J.lax.top_k(x, 2), V)
simple("triangle", lambda J, n: lambda m: n.tril(m) + n.diag(m), M)

# -- integers, booleans, complex numbers

simple("integers", lambda J, n: lambda i: i * i + 1, I)
simple("integer_output", lambda J, n: lambda x: (x * 2.0, n.arange(3), n.argmax(x)), V)
simple("boolean_output", lambda J, n: lambda x: (x > 0, x * x), V)
simple("integer_argument", lambda J, n: lambda x, i: x * i, V, I)
simple("integer_number", lambda J, n: lambda x, k: x * k + k, V, 3)
simple("complex", lambda J, n: lambda z: n.sin(z) * z, C)
simple("complex_to_real", lambda J, n: lambda z: n.real(z * n.conj(z)) + n.imag(z), C)
simple("real_to_complex", lambda J, n: lambda x: n.exp(1j * x), V)
simple("absolute_complex", lambda J, n: lambda z: n.abs(z), C)

# -- control flow

simple("scan_sum", lambda J, n: lambda x: J.lax.scan(lambda c, a: (c + n.sin(a), c * a), n.float32(0.5), x), V)
simple("scan_weights", lambda J, n: lambda m, x: J.lax.scan(lambda c, _: (n.tanh(m @ c), None), x, None, length=3)[0], M, V)
simple("scan_weak", lambda J, n: lambda x: J.lax.scan(lambda c, a: (c * a, c), 1.0, x)[0], V)
simple("scan_back", lambda J, n: lambda x: J.lax.scan(lambda c, a: (c * a + 1, (c, a)), n.float32(0.5), x, reverse=True), V)
simple("cond", lambda J, n: lambda x: J.lax.cond(x[0] > 0, n.sin, lambda v: v * v, x), V)
simple("cond_closure", lambda J, n: lambda x, y: J.lax.cond(x[0] > y[0], lambda: x * y, lambda: x), V, U)
simple("while_loop", lambda J, n: lambda x: J.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, n.sin(s[1])), (0, x)), V)
simple("fori_loop", lambda J, n: lambda x: J.lax.fori_loop(0, 3, lambda i, c: n.sin(c) * x, x), V)
simple("switch", lambda J, n: lambda i, x: J.lax.switch(i[0], [n.sin, n.cos, n.exp], x), I, V)

# -- transformations within

simple("jit_within", lambda J, n: lambda x: J.jit(lambda y: n.sin(y) * 2)(x) * x, V)
simple("jit_closure", lambda J, n: lambda x, y: J.jit(lambda z: z * y)(x), V, U)
simple("grad_within", lambda J, n: lambda x: J.grad(lambda y: n.sum(n.sin(y) * x))(x), V)
simple("grad_of_number", lambda J, n: lambda x: J.grad(lambda y: y * y * x)(2.0), 1.5)
simple("vmap_within", lambda J, n: lambda m, x: J.vmap(lambda r: r * x)(m), M, V)
simple("vmap_mixed", lambda J, n: lambda m, x: J.vmap(lambda r, a: n.sin(r) * a, in_axes=(1, 0), out_axes=1)(m, x), M, V)
simple("remat_within", lambda J, n: lambda x: n.sin(J.checkpoint(lambda y: n.sin(n.sin(y)))(x)), V)
simple("remat_policy", lambda J, n: lambda m: J.checkpoint(
    lambda a: n.sin(n.sin(a @ a)), policy=J.checkpoint_policies.dots_saveable)(m), M)
simple("remat_names", lambda J, n: lambda x: J.checkpoint(
    lambda a: n.sin(J.ad_checkpoint.checkpoint_name(n.sin(a), "a")) * a,
    policy=J.checkpoint_policies.save_only_these_names("a"))(x), V)
simple("jvp_within", lambda J, n: lambda x: J.jvp(lambda y: n.sin(y) * y, (x,), (x,))[1], V)
simple("linearize_within", lambda J, n: lambda x: J.linearize(lambda y: n.sin(y) * y, x)[1](x), V)
simple("vjp_within", lambda J, n: lambda x: J.vjp(lambda y: n.sin(y) * y, x)[1](n.ones_like(x))[0], V)
simple("aux", lambda J, n: lambda x: J.value_and_grad(lambda y: (n.sum(y ** 2), {"a": y}), has_aux=True)(x), V)


@specimen(V)
def own_jvp(J: Any, n: Any) -> Function:
    f = J.custom_jvp(lambda x: n.sin(x))
    f.defjvp(lambda primals, tangents: (n.sin(primals[0]), 3.0 * n.cos(primals[0]) * tangents[0]))
    return lambda x: f(x) * x


@specimen(V, U)
def own_jvps(J: Any, n: Any) -> Function:
    f = J.custom_jvp(lambda x, y: x * y)
    f.defjvps(lambda t, out, x, y: t * y, None)
    return lambda x, y: f(x, n.sin(y))


@specimen(V)
def own_vjp(J: Any, n: Any) -> Function:
    f = J.custom_vjp(lambda x: n.sin(x))
    f.defvjp(lambda x: (n.sin(x), n.cos(x)), lambda c, ct: (2.0 * c * ct,))
    return lambda x: f(x) * x


@specimen(V, I)
def own_vjp_with_integers(J: Any, n: Any) -> Function:
    f = J.custom_vjp(lambda x, i: x * i)
    f.defvjp(lambda x, i: (x * i, i), lambda i, ct: (ct * i * 2.0, None))
    return lambda x, i: f(x, i) + x


@specimen(V)
def own_jvp_in_scan(J: Any, n: Any) -> Function:
    f = J.custom_jvp(lambda x: x * x)
    f.defjvp(lambda primals, tangents: (primals[0] ** 2, 2.0 * primals[0] * tangents[0]))
    return lambda x: J.lax.scan(lambda c, a: (f(c) + a, c), n.float32(0.1), x)


@specimen(V, U)
def own_jvp_with_closure(J: Any, n: Any) -> Function:
    def f(x: Any, y: Any) -> Any:
        g = J.custom_jvp(lambda a: a * 2.0)
        g.defjvp(lambda primals, tangents: (primals[0] * 2.0, tangents[0] * 5.0))
        return J.jit(lambda a: g(a) * y)(x)
    return f


@specimen(V, U)
def own_vjp_of_two(J: Any, n: Any) -> Function:
    f = J.custom_vjp(lambda x, y: (x * y, n.sum(x)))
    f.defvjp(lambda x, y: (f(x, y), (x, y)), lambda res, cts: (res[1] * cts[0] * 2.0, None))
    return lambda x, y: f(n.sin(x), y)


@specimen(M)
def own_vjp_in_vmap(J: Any, n: Any) -> Function:
    f = J.custom_vjp(lambda x: n.sum(x * x))
    f.defvjp(lambda x: (n.sum(x * x), x), lambda x, ct: (3.0 * ct * x,))
    return lambda m: J.vmap(f)(m)


@specimen(V)
def own_jvp_in_remat(J: Any, n: Any) -> Function:
    f = J.custom_jvp(lambda x: n.sin(x))
    f.defjvp(lambda primals, tangents: (n.sin(primals[0]), 3.0 * n.cos(primals[0]) * tangents[0]))
    return J.checkpoint(lambda x: f(n.sin(x)))


@specimen(V)
def own_vjp_in_remat(J: Any, n: Any) -> Function:
    f = J.custom_vjp(lambda x: n.sin(x))
    f.defvjp(lambda x: (n.sin(x), n.cos(x)), lambda c, ct: (2.0 * c * ct,))
    return J.checkpoint(lambda x: f(n.sin(x)), policy=J.checkpoint_policies.everything_saveable)


# -- loops and branches within each other, and what stands in them

simple("scan_of_scan", lambda J, n: lambda m: J.lax.scan(
    lambda c, r: (J.lax.scan(lambda d, a: (n.sin(d) * a, d), c, r)[0], c), n.float32(0.7), m), M)
simple("scan_of_cond", lambda J, n: lambda x: J.lax.scan(
    lambda c, a: (J.lax.cond(a > 0, lambda: c * a, lambda: c - 1.0), a * c), n.float32(0.7), x), V)
simple("scan_of_jit", lambda J, n: lambda x, y: J.lax.scan(
    lambda c, a: (J.jit(lambda d: n.sin(d * y))(c) * a, None), y, x)[0], V, U)
simple("scan_of_remat", lambda J, n: lambda m, x: J.lax.scan(
    lambda c, _: (J.checkpoint(lambda d: n.sin(n.sin(m @ d)), policy=J.checkpoint_policies.dots_saveable)(c), None),
    x, None, length=3)[0], M, V)
simple("remat_of_scan", lambda J, n: lambda m, x: J.checkpoint(lambda d: J.lax.scan(
    lambda c, s: (n.tanh(m @ c), n.sin(c) * s), d, n.arange(3.0))[1], policy=J.checkpoint_policies.dots_saveable)(x), M, V)
simple("remat_of_cond", lambda J, n: lambda x, y: J.checkpoint(lambda d: J.lax.cond(
    d[0] > 0, lambda: n.sin(d) * y, lambda: d), policy=J.checkpoint_policies.dots_saveable)(x), V, U)
simple("remat_of_remat", lambda J, n: J.checkpoint(
    lambda x: J.checkpoint(lambda y: n.sin(n.sin(y)))(x) * x, prevent_cse=False), V)
simple("cond_of_scan", lambda J, n: lambda x: J.lax.cond(x[1] > x[0], lambda v: J.lax.scan(
    lambda c, a: (c * a, c), n.float32(2.0), v)[1], n.sin, x), V)
simple("cond_tree", lambda J, n: lambda t: J.lax.cond(t["b"][0] > 0, lambda s: (s["b"] * 2.0, s["w"][0]),
                                                      lambda s: (n.sin(s["b"]), s["w"][1]), t), TREE)
simple("while_batched", lambda J, n: lambda x, y: J.lax.while_loop(
    lambda s: s[0] < 3.0, lambda s: (s[0] + n.abs(y[0]), s[1] * y), (n.abs(x[0]), x)), V, U)
simple("integer_carry", lambda J, n: lambda x: J.lax.scan(lambda c, a: ((c[0] + 1, c[1] * a), c[0]), (0, n.float32(1.0)), x), V)
simple("scan_unrolled", lambda J, n: lambda x: J.lax.scan(lambda c, a: (c * a, c), n.float32(2.0), x, unroll=2), V)
simple("mapped", lambda J, n: lambda m, x: J.lax.map(lambda r: n.sin(r) * x, m), M, V)
simple("associative", lambda J, n: lambda x: J.lax.associative_scan(lambda a, b: a * b, x), V)

# -- more primitives

simple("bfloat16", lambda J, n: lambda x: (x.astype(n.bfloat16) * 2 + 1).astype(n.float32) * x, V)
simple("promotion", lambda J, n: lambda x, i: (x.astype(n.float16) * i, i / 2, i * 2.5, x * True), V, I)
simple("weak_chain", lambda J, n: lambda a, b: (a * b, a + 1, a ** 2, n.sin(a) * b), 0.5, 2)
simple("fft", lambda J, n: lambda x: n.real(J.lax.fft(x.astype(n.complex64), "FFT", (3,))), V)
simple("maxpool", lambda J, n: lambda m: J.lax.reduce_window(m, -n.inf, J.lax.max, (2, 2), (1, 1), "VALID"), M)
simple("sort_pairs", lambda J, n: lambda x, y: J.lax.sort((x, y), num_keys=1), V, U)
simple("cumulative_max", lambda J, n: lambda x: J.lax.cummax(x) + J.lax.cumlogsumexp(x), V)
simple("reduce_product", lambda J, n: lambda m: J.lax.reduce(m, np.float32(1), J.lax.mul, (0,)), M)
simple("select_n", lambda J, n: lambda i, x, y: J.lax.select_n(i, x, y, x * y), I, V, U)
simple("clamp", lambda J, n: lambda x, y: J.lax.clamp(y - 1.0, x, y), V, U)
simple("scatter_max", lambda J, n: lambda x, i, y: x.at[i].max(y), V, I, U)
simple("scatter_apply", lambda J, n: lambda x: x.at[1:].multiply(2.0).at[0].set(1.0), V)
simple("gather_rows", lambda J, n: lambda m, i: m[i, ::-1][:, i], M, I)
simple("take_fill", lambda J, n: lambda x, i: x.at[i + 1].get(mode="fill", fill_value=0.5), V, I)
simple("dynamic_index", lambda J, n: lambda m, i: J.lax.dynamic_index_in_dim(m, i[1], 1, keepdims=False), M, I)
simple("broadcast", lambda J, n: lambda x: n.broadcast_to(x[:, None], (3, 2)) * n.ones((3, 2)), V)
simple("squeezed", lambda J, n: lambda m: n.squeeze(m[None, :, None, 1]) + n.expand_dims(m, 0)[0, 0], M)
simple("batched_products", lambda J, n: lambda m: n.einsum("bij,bjk->bik", n.stack([m, m * 2]), n.stack([m, m])), M)
simple("dot_mixed", lambda J, n: lambda m, i: J.lax.dot_general(
    m, i.astype(n.float32), (((0,), (0,)), ((), ())), preferred_element_type=n.float32), M, I)
simple("reduce_precision", lambda J, n: lambda x: J.lax.reduce_precision(x, 5, 10) * x, V)
simple("integer_power", lambda J, n: lambda x: J.lax.integer_pow(x, 3) + J.lax.integer_pow(x, -2), V)
simple("rounded", lambda J, n: lambda x: n.sum(n.round(x * 3.0)) + x, V)
simple("remainder", lambda J, n: lambda x, y: n.mod(x, y) + n.floor_divide(x, y), V, U)
simple("hypotenuse", lambda J, n: lambda x, y: n.hypot(x, y) + n.logaddexp(x, y), V, U)
simple("special", lambda J, n: lambda x: J.lax.lgamma(x + 3.0) + J.lax.erf_inv(x / 4.0), V)
simple("random", lambda J, n: lambda x: x * J.random.normal(J.random.key(3), (3,)), V)
simple("barrier", lambda J, n: lambda x: J.lax.optimization_barrier((n.sin(x), x))[0] * x, V)
simple("conv_transposed", lambda J, n: lambda x, k: J.lax.conv_general_dilated(
    x[None], k, (2, 1), [(1, 0), (0, 1)], lhs_dilation=(1, 2), rhs_dilation=(2, 1)), ROWS, KERNEL)
simple("trace", lambda J, n: lambda m: n.trace(m @ m) * n.diagonal(m), M)


# -- collectives over a named axis of vmap

simple("summed_over", lambda J, n: lambda m: J.vmap(lambda r: J.lax.psum(n.sin(r), "i") * r, axis_name="i")(m), M)
simple("averaged_over", lambda J, n: lambda m: J.vmap(lambda r: r - J.lax.pmean(r * r, "i"), axis_name="i")(m), M)
simple("largest_over", lambda J, n: lambda m: J.vmap(
    lambda r: J.lax.pmax(J.lax.stop_gradient(r), "i") - J.lax.pmin(J.lax.stop_gradient(r), "i") * r, axis_name="i")(m), M)
simple("gathered", lambda J, n: lambda m: J.vmap(lambda r: J.lax.all_gather(n.sin(r), "i") * r, axis_name="i")(m), M)
simple("gathered_tiled", lambda J, n: lambda m: J.vmap(
    lambda r: J.lax.all_gather(r * r, "i", tiled=True)[::2], axis_name="i")(m), M)
simple("scattered_sum", lambda J, n: lambda m: J.vmap(
    lambda r: J.lax.psum_scatter(n.sin(r), "i") * r, axis_name="i")(m), M)
simple("swapped_over", lambda J, n: lambda m: J.vmap(lambda r: J.lax.all_to_all(n.sin(r), "i", 0, 0) * r, axis_name="i")(m), M)
simple("permuted_over", lambda J, n: lambda m: J.vmap(
    lambda r: J.lax.ppermute(n.sin(r), "i", [(0, 1), (1, 2), (2, 0)]) + r, axis_name="i")(m), M)
simple("index_over", lambda J, n: lambda m: J.vmap(
    lambda r: r * J.lax.axis_index("i") + J.lax.axis_size("i"), axis_name="i")(m), M)
simple("summed_over_constant", lambda J, n: lambda m: J.vmap(
    lambda r: r * J.lax.psum(1, "i") + J.lax.psum(2.0, "i"), axis_name="i")(m), M)
simple("summed_over_two", lambda J, n: lambda m: J.vmap(J.vmap(
    lambda a: J.lax.psum(a * a, ("i", "j")) * a + J.lax.psum(a, "i"), axis_name="j"), axis_name="i")(m), M)
simple("summed_over_groups", lambda J, n: lambda m: J.vmap(
    lambda r: J.lax.psum(n.sin(r), "i", axis_index_groups=[[0, 1], [2, 3]]) * r, axis_name="i")(n.concatenate([m, m[:1]])), M)
simple("summed_in_scan", lambda J, n: lambda m: J.vmap(lambda r: J.lax.scan(
    lambda c, a: (J.lax.psum(c * a, "i"), c), n.float32(0.5), r)[1], axis_name="i")(m), M)
simple("summed_in_cond", lambda J, n: lambda m: J.vmap(lambda r: J.lax.cond(
    m[0, 0] > 0, lambda a: J.lax.psum(a, "i"), lambda a: a * 2.0, r), axis_name="i")(m), M)
simple("summed_in_jit", lambda J, n: lambda m: J.vmap(
    J.jit(lambda r: n.tanh(J.lax.psum(r * r, "i")) * r), axis_name="i")(m), M)
simple("summed_in_remat", lambda J, n: lambda m: J.vmap(
    J.checkpoint(lambda r: n.sin(J.lax.psum(n.sin(r), "i"))), axis_name="i")(m), M)
simple("gradient_of_sum_over", lambda J, n: lambda m: J.vmap(
    J.grad(lambda r: n.sum(J.lax.psum(n.sin(r), "i") ** 2)), axis_name="i")(m), M)


# -- trees, constants, results that do not depend

simple("tree", lambda J, n: lambda t: {"out": (n.sin(t["w"]), t["b"] * 2.0), "none": None}, TREE)
simple("tree_of_numbers", lambda J, n: lambda t: (t["a"] * t["b"], [t["a"]]), {"a": 2.0, "b": 3.0})
simple("identity", lambda J, n: lambda x: x, V)
simple("constant", lambda J, n: lambda x: n.float32(3.0), V)
simple("constant_number", lambda J, n: lambda x: 3.0, V)
simple("constant_array", lambda J, n: lambda x: (x * 2.0, n.asarray(U), n.zeros(2)), V)
simple("unused", lambda J, n: lambda x, y: n.sin(x), V, U)
simple("repeated", lambda J, n: lambda x: (x, x, x * 2.0), V)
simple("empty", lambda J, n: lambda x: (), V)
simple("no_elements", lambda J, n: lambda x: x[:0] * 2.0, V)
simple("closure_constant", lambda J, n: lambda x: x @ n.asarray(M) + U, V)


# -- transformations

def is_moving(x: Any) -> bool:
    """Whether a leaf is floating or complex."""
    return np.issubdtype(getattr(x, "dtype", np.result_type(x)), np.inexact)


def directions(J: Any, args: tuple) -> tuple:
    """Tangents of the arguments."""
    def one(x: Any) -> Any:
        if is_moving(x):
            return J.numpy.full_like(x, 0.5)
        return np.zeros(np.shape(x), FLOAT0)

    return J.tree.map(one, args)


def total(J: Any, out: Any) -> Any:
    """A scalar that depends on every floating leaf."""
    n = J.numpy
    leaves = [x for x in J.tree.leaves(out) if getattr(x, "dtype", None) != FLOAT0 and is_moving(x)]
    return sum([n.sum(n.real(x) * (i + 1.5)) for i, x in enumerate(leaves)], n.float32(0.0))


def _jit(J: Any, f: Function, args: tuple) -> tuple[Function, tuple]:
    return J.jit(f), args


def _vmap(J: Any, f: Function, args: tuple) -> tuple[Function, tuple]:
    def stack(x: Any) -> np.ndarray:
        x = np.asarray(x)
        x = x.astype({"f8": "f4", "i8": "i4"}.get(x.dtype.str[1:], x.dtype))
        return np.stack([x, x * x.dtype.type(0.5)]) if is_moving(x) else np.stack([x, x])

    return J.vmap(f), jax.tree.map(stack, args)


def _vmap_first(J: Any, f: Function, args: tuple) -> tuple[Function, tuple]:
    """The first argument alone has a batch axis."""
    return J.vmap(f, in_axes=(0, *[None] * (len(args) - 1))), (*_vmap(J, f, args[:1])[1], *args[1:])


def _grad(J: Any, f: Function, args: tuple) -> tuple[Function, tuple]:
    numbers = tuple(i for i, x in enumerate(args) if all(map(is_moving, jax.tree.leaves(x))))
    return J.grad(lambda *a: total(J, f(*a)), argnums=numbers or 0), args


def _jvp(J: Any, f: Function, args: tuple) -> tuple[Function, tuple]:
    return lambda *a: J.jvp(f, a, directions(J, a)), args


def _linearize(J: Any, f: Function, args: tuple) -> tuple[Function, tuple]:
    def both(*a: Any) -> Any:
        out, push = J.linearize(f, *a)
        return out, push(*directions(J, a))

    return both, args


def _remat(J: Any, f: Function, args: tuple) -> tuple[Function, tuple]:
    return J.checkpoint(f), args


TRANSFORMATIONS: dict[str, Callable[[Any, Function, tuple], tuple[Function, tuple]]] = {
    "jit": _jit, "vmap": _vmap, "grad": _grad, "jvp": _jvp, "linearize": _linearize, "remat": _remat}


def orders(depth: int = 3) -> list[tuple[str, ...]]:
    """All orders of one to `depth` transformations; the first is applied first."""
    return [order for n in range(1, depth + 1) for order in itertools.product(TRANSFORMATIONS, repeat=n)]


class Case(NamedTuple):
    """A function of the zoo under transformations."""

    name: str
    order: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' of '.join(reversed(self.order))} of {self.name}"

    def build(self, J: Any) -> tuple[Function, tuple]:
        """The transformed function and its arguments."""
        found = ZOO[self.name]
        f, args = found.make(J), found.args
        for i, name in enumerate(self.order):
            # Every other vmap of functions of several arguments maps the first alone.
            which = _vmap_first if name == "vmap" and i % 2 and len(args) > 1 else TRANSFORMATIONS[name]
            f, args = which(J, f, args)
        return f, args


def all_cases() -> list[Case]:
    """The whole sweep."""
    return [Case(name, order) for name in ZOO for order in orders()]


# -- comparison

def described(J: Any, case: Case) -> tuple[list, Any]:
    """Types of the traced results by path, and the jaxpr."""
    f, args = case.build(J)
    closed, shapes = J.make_jaxpr(f, return_shape=True)(*args)
    paths = [J.tree_util.keystr(path) for path, _ in J.tree_util.tree_flatten_with_path(shapes)[0]]
    return [(p, a.shape, np.dtype(a.dtype).name if a.dtype != FLOAT0 else "float0", a.weak_type)
            for p, a in zip(paths, closed.out_avals, strict=True)], closed


def builtin_class(error: BaseException) -> type:
    """The first class of an error that Python itself has."""
    return next(c for c in type(error).__mro__ if c.__module__ == "builtins")


def outcome(J: Any, case: Case) -> tuple[str, Any, Any]:
    """`("returns", types, jaxpr)` or `("raises", error, None)`."""
    try:
        return "returns", *described(J, case)
    except Exception as error:  # whatever is raised is what is compared
        return "raises", error, None


def disagreement(case: Case, values: bool = False) -> str | None:
    """What differs between JAX and us; `None` if nothing does."""
    kind, theirs, _ = outcome(jax, case)
    our_kind, ours, closed = outcome(perspicax, case)
    if kind == "raises":
        wanted = builtin_class(theirs)
        if our_kind == "returns":  # it may be found later: when the program is compiled
            found = run(perspicax, case)
            if isinstance(found, list):
                return f"JAX raises {theirs!r:.200}, ours returns {ours}"
            ours = found
        return None if isinstance(ours, wanted) else f"JAX raises {theirs!r:.200}, ours {ours!r:.300}"
    if our_kind == "raises":
        return f"JAX returns {theirs}, ours raises {ours!r:.400}"
    if ours != theirs:
        return f"JAX: {theirs}\n      ours: {ours}"
    try:
        check_jaxpr(closed.jaxpr)
    except Exception as error:
        return f"the checker: {error!r:.500}"
    return different_values(case) if values else None


def run(J: Any, case: Case) -> list[np.ndarray] | Exception:
    """The results of the compiled function, or what it raises."""
    f, args = case.build(J)
    try:
        return [np.asarray(x) for x in J.tree.leaves(J.jit(f)(*args))]
    except Exception as error:  # whatever is raised is what is compared
        return error


def different_values(case: Case) -> str | None:
    """What differs between the values of the compiled functions."""
    wanted, found = run(jax, case), run(perspicax, case)
    if isinstance(wanted, Exception):
        same = isinstance(found, builtin_class(wanted))
        return None if same else f"running it, JAX raises {wanted!r:.200}, ours {found!r:.300}"
    if isinstance(found, Exception):
        return f"running it, ours raises {found!r:.300}"
    for i, (theirs, ours) in enumerate(zip(wanted, found, strict=True)):
        if theirs.dtype == FLOAT0:
            continue
        wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
        tolerance = 2e-2 if theirs.dtype == np.float16 else 2e-4  # third derivatives of float32 at level 0
        if not np.allclose(ours.astype(wide), theirs.astype(wide), rtol=tolerance, atol=tolerance, equal_nan=True):
            return f"value {i}: JAX {theirs.tolist()}, ours {ours.tolist()}"
    return None


def sampled(count: int, seed: int) -> list[Case]:
    """A sample that has every function and, over these, every order about equally often."""
    generator = random.Random(seed)
    by_name = [[Case(name, order) for order in orders()] for name in ZOO]
    for group in by_name:
        generator.shuffle(group)
    return [case for group in itertools.zip_longest(*by_name) for case in group if case is not None][:count]


def _selected(options: argparse.Namespace) -> Iterator[tuple[int, Case]]:
    cases = all_cases() if options.full else sampled(options.sample, options.seed)
    if options.only:
        cases = [c for c in cases if options.only in str(c)]
    part, parts = map(int, options.part.split("/"))
    yield from [(i, case) for i, case in enumerate(cases) if i % parts == part % parts]


def main() -> int:
    """Runs what the command line asks for; the number of disagreements."""
    parser = argparse.ArgumentParser(description="compare compositions of transformations with JAX")
    parser.add_argument("--full", action="store_true", help="the whole sweep")
    parser.add_argument("--sample", type=int, default=600, help="how many cases, without --full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", default="1/1", help="i/n: every n-th case, beginning with the i-th")
    parser.add_argument("--values", type=int, default=20, help="run every so many-th case; 0 for none")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    started, count, wrong = time.perf_counter(), 0, 0
    for i, case in _selected(options):
        found = disagreement(case, values=bool(options.values) and i % options.values == 0)
        count += 1
        if found is not None:
            wrong += 1
            print(f"{case}\n      {found}", flush=True)
        if count % 200 == 0:
            jax.clear_caches()
            perspicax.clear_caches()
            print(f"-- {count} cases, {wrong} disagree, {time.perf_counter() - started:.0f} s", flush=True)
    print(f"{count} cases of {len(ZOO)} functions, {wrong} disagree, {time.perf_counter() - started:.0f} s")
    return wrong


if __name__ == "__main__":
    raise SystemExit(min(main(), 1))
