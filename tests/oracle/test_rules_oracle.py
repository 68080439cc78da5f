"""Rules of the user's own, Jacobians and helpers of `jax.api_util`, the same program on both."""
from __future__ import annotations

import functools
import importlib
import operator

import numpy as np
import pytest
from tests.oracle.test_transform_oracle import agree

pytestmark = pytest.mark.oracle

A = np.array([0.3, 0.7, -1.1], np.float32)
M = np.arange(6, dtype=np.float32).reshape(2, 3)
Z = np.array([1 + 2j, 0.5 - 1j], np.complex64)


def sub(X, name):
    """A submodule of either."""
    return importlib.import_module(f"{X.__name__}.{name}")


# -- custom_vmap

def batched_sine(X, rule=None):
    f = sub(X, "custom_batching").custom_vmap(lambda x, y: X.numpy.sin(x) * y)
    f.def_vmap(rule or (lambda n, in_batched, x, y: (X.numpy.cos(x) * y, True)))
    return f


def of_dict(X, result):
    f = sub(X, "custom_batching").custom_vmap(lambda x: {"o": x * 1.0})
    f.def_vmap(lambda n, in_batched, x: result(x))
    return X.vmap(f)(A)


def jvp_of_batched(X):
    f = batched_sine(X)
    return X.vmap(lambda x, dy: X.jvp(f, (x, 2.0), (1.0, dy)), (0, 0))(A, A)


CUSTOM_VMAP = {
    "alone": lambda X: batched_sine(X)(1.0, 2.0),
    "jit": lambda X: X.jit(batched_sine(X))(1.0, 2.0),
    "keyword": lambda X: batched_sine(X)(1.0, y=2.0),
    "vmap": lambda X: X.vmap(batched_sine(X), (0, None))(A, 2.0),
    "vmap of jit": lambda X: X.vmap(X.jit(batched_sine(X)), (None, 0))(2.0, A),
    "twice": lambda X: X.vmap(X.vmap(batched_sine(X), (0, None)), (None, 0))(A, A),
    "axis 1": lambda X: X.vmap(batched_sine(X), (1, None), 1)(M, 2.0),
    "not batched": lambda X: X.vmap(lambda x: x + batched_sine(X)(1.0, 2.0))(A),
    "jvp": lambda X: X.jvp(batched_sine(X), (1.0, 2.0), (1.0, 1.0)),
    "jvp of vmap": lambda X: X.jvp(X.vmap(batched_sine(X)), (A, A), (A, A)),
    "vmap of jvp": jvp_of_batched,
    "grad of vmap": lambda X: X.grad(lambda x: X.vmap(batched_sine(X), (0, None))(x, 2.0).sum())(A),
    "grad": lambda X: X.grad(batched_sine(X))(1.0, 2.0),
    "no rule": lambda X: sub(X, "custom_batching").custom_vmap(lambda x: x)(1.0),
    "no pair": lambda X: of_dict(X, lambda x: {"o": x}),
    "flags of another structure": lambda X: of_dict(X, lambda x: ({"o": x}, True)),
    "result of another structure": lambda X: of_dict(X, lambda x: ({"p": x}, {"p": True})),
    "in_batched": lambda X: X.vmap(batched_sine(X, lambda n, b, x, y: ((x * n if b == [True, False] else y), True)),
                                   (0, None))(A, 2.0),
    "sequential": lambda X: X.vmap(sub(X, "custom_batching").sequential_vmap(lambda x, y: {"a": x + y.sum()}),
                                   (0, None))(A, A),
    "sequential, twice": lambda X: X.vmap(X.vmap(sub(X, "custom_batching").sequential_vmap(operator.mul), (0, None)),
                                          (None, 0))(A, A),
}


# -- closures, custom_gradient, linear_call

def hoisted(X, z, x=2.0, call=lambda f, *args: f(*args)):
    converted, values = X.closure_convert(lambda x: x * z + A.sum(), 2.0)
    return call(converted, x, *values)


def scaled(X):
    call = sub(X, "custom_derivatives").linear_call
    return lambda r, x: call(lambda r, x: x / r, lambda r, ct: ct / r * 10, r, x)


def with_note(X, kind, wrap=lambda f: f):
    def run(x, note):
        if kind == "jvp":
            f = X.custom_jvp(lambda x: x * 2 + note)
            f.defjvp(lambda primals, tangents: (f(*primals), 10 * tangents[0] + 0 * note))
        else:
            f = X.custom_vjp(lambda x: x * 2 + note)
            f.defvjp(lambda x: (f(x), note), lambda note, ct: (ct * 10 + 0 * note,))
        return X.lax.scan(lambda c, _: (f(c), c), x, None, length=3)[0]

    return wrap(run)


CUSTOM = {
    "closure": lambda X: hoisted(X, 3.0),
    "closure under grad": lambda X: X.grad(functools.partial(hoisted, X))(3.0),
    "closure under jit": lambda X: X.jit(functools.partial(hoisted, X))(3.0),
    "closure of another structure": lambda X: hoisted(X, 3.0, (1.0, 2.0)),
    "gradient": lambda X: X.grad(X.custom_gradient(lambda x, y: (x * y, lambda g: (g * x, g * 10))), (0, 1))(3.0, 4.0),
    "gradient alone": lambda X: X.custom_gradient(lambda x: (x**2, lambda g: (g * x,)))(3.0),
    "gradient without a tuple": lambda X: X.grad(X.custom_gradient(lambda x: (x**2, lambda g: g * x)))(3.0),
    "gradient of a dict": lambda X: X.grad(X.custom_gradient(lambda d: (d["a"] ** 2, lambda g: ({"a": g * 7},))))({"a": 3.0}),
    "gradient under vmap": lambda X: X.vmap(X.grad(X.custom_gradient(lambda x: (x**2, lambda g: (g * x,)))))(A),
    "gradient too short": lambda X: X.grad(X.custom_gradient(lambda x, y: (x * y, lambda g: (g,))))(3.0, 4.0),
    "gradient of another shape": lambda X: X.grad(X.custom_gradient(lambda x: (x**2, lambda g: (A,))))(3.0),
    "gradient without a pair": lambda X: X.custom_gradient(lambda x: x**2)(3.0),
    "gradient without a function": lambda X: X.grad(X.custom_gradient(lambda x: (x**2, 3.0)))(3.0),
    "linear call": lambda X: X.jvp(lambda x: scaled(X)(2.0, x), (1.0,), (3.0,)),
    "linear call under grad": lambda X: X.grad(scaled(X), 1)(2.0, 1.0),
    "linear call under jit": lambda X: X.jit(X.grad(X.jit(scaled(X)), 1))(2.0, 1.0),
    "linear call of another structure": lambda X: X.grad(lambda x: sub(X, "custom_derivatives").linear_call(
        lambda r, x: x, lambda r, ct: (ct, ct), (), x))(1.0),
    "zero of a primal": lambda X: sub(X, "custom_derivatives").zero_from_primal(A),
    "zeros of a tree": lambda X: sub(X, "custom_derivatives").zero_from_primal({"a": A, "b": (3, None)}),
    "zero of an integer": lambda X: sub(X, "custom_derivatives").zero_from_primal(3),
    **{f"{kind} rule in scan, {name}": functools.partial(lambda X, kind, run: run(X, kind), kind=kind, run=run)
       for kind in ("jvp", "vjp") for name, run in {
           "eager": lambda X, kind: with_note(X, kind)(1.0, 1.0),
           "grad": lambda X, kind: X.grad(with_note(X, kind))(1.0, 1.0),
           "jit of grad": lambda X, kind: X.jit(X.grad(with_note(X, kind)))(1.0, 1.0),
           "grad of jit": lambda X, kind: X.grad(X.jit(with_note(X, kind)))(1.0, 1.0),
           "vmap": lambda X, kind: X.vmap(with_note(X, kind))(A, A),
           "vmap of grad": lambda X, kind: X.vmap(X.grad(with_note(X, kind)))(A, A),
           "jvp": lambda X, kind: X.jvp(lambda x: with_note(X, kind)(x, 1.0), (1.0,), (1.0,)),
       }.items()},
    "nondiff_argnames": lambda X: named_rule(X)(2.0, "note"),
    "nondiff_argnames under grad": lambda X: X.grad(named_rule(X))(2.0, "note"),
}


def named_rule(X):
    f = X.custom_vjp(lambda x, note: x * len(note), nondiff_argnames=("note",))
    f.defvjp(lambda x, note: (f(x, note), x), lambda note, x, ct: (ct * x * len(note) * 10,))
    return f


# -- linear_transpose, Jacobians, both halves of reverse mode

LINEAR = {
    "transposition": lambda X: X.linear_transpose(lambda x: M @ x, A)(np.ones(2, np.float32)),
    "of integers": lambda X: X.linear_transpose(lambda x: 2 * x, 3)(1),
    "of complex numbers": lambda X: X.linear_transpose(lambda z: z * 2j, Z)(Z),
    "of a tree": lambda X: X.linear_transpose(lambda d: d["a"] * 2 + d["b"], {"a": A, "b": A})(A),
    "of types": lambda X: X.linear_transpose(lambda x: x.sum(), X.ShapeDtypeStruct((3,), np.float32))(1.0),
    "affine": lambda X: X.linear_transpose(lambda x: x + 1, 3.0)(1.0),
    "constant": lambda X: X.linear_transpose(lambda x: 2.0, 3.0)(1.0),
    "not linear": lambda X: X.linear_transpose(X.numpy.sin, 3.0)(1.0),
    "mixed": lambda X: X.linear_transpose(lambda x, y: x + y, 3, 2.0),
    "cotangent of another shape": lambda X: X.linear_transpose(lambda x: 2 * x, 3.0)(A),
    "cotangent of another structure": lambda X: X.linear_transpose(lambda x: 2 * x, 3.0)((1.0,)),
    "reduce_axes": lambda X: X.vjp(lambda x: x, 1.0, reduce_axes=("i",)),
    "jacfwd of trees": lambda X: X.jacfwd(lambda d: {"u": d["a"] * d["b"], "v": d["a"].sum()})({"a": A, "b": 2.0}),
    "jacrev of trees": lambda X: X.jacrev(lambda d: {"u": d["a"] * d["b"], "v": d["a"].sum()})({"a": A, "b": 2.0}),
    "jacrev with argnums": lambda X: X.jacrev(lambda x, y: x * y, argnums=(0, 1))(A, 2.0),
    "jacfwd, holomorphic": lambda X: X.jacfwd(lambda z: z * z, holomorphic=True)(Z),
    "jacrev, holomorphic": lambda X: X.jacrev(lambda z: z * z, holomorphic=True)(Z),
    "jacrev of a complex argument": lambda X: X.jacrev(lambda z: (z * z).real)(Z),
    "jacfwd of a complex argument": lambda X: X.jacfwd(lambda z: (z * z).real)(Z),
    "hessian of trees": lambda X: X.hessian(lambda d: (d["a"] ** 2).sum() * d["b"])({"a": A, "b": 2.0}),
    "hessian, holomorphic": lambda X: X.hessian(lambda z: (z**3).sum(), holomorphic=True)(Z),
    "hessian with argnums and aux": lambda X: X.hessian(lambda x, y: (x * x * y, {"n": x}), argnums=(0, 1), has_aux=True)(
        2.0, 3.0),
    "both halves": lambda X: halves(X, lambda x, w: x * w, (A, 2.0), A, argnums=(0, 1)),
    "both halves, one argument": lambda X: halves(X, lambda x, w: x * w, (A, 2.0), A, argnums=1),
    "both halves with aux": lambda X: halves(X, lambda x, w: (x * w, {"n": x}), (A, 2.0), A, argnums=-1, has_aux=True),
    "both halves, not jitted": lambda X: halves(X, lambda x: x * 2.0, (3,), 1.0, argnums=0, jitted=False),
    "both halves, argnums too great": lambda X: halves(X, lambda x: x, (1.0,), 1.0, argnums=1),
    "both halves, another shape": lambda X: halves(X, lambda x: x, (1.0,), A, argnums=0),
}


def halves(X, fun, args, ct, **options):
    fwd, bwd = X.fwd_and_bwd(fun, **options)
    value, residuals, *aux = fwd(*args)
    return value, bwd(residuals, ct), *aux


# -- api_util, test_util

def structure(X, value):
    return X.tree.structure(value)


UTIL = {
    "rebase": lambda X: sub(X, "api_util").rebase_donate_argnums((3, 4), (0, 1)),
    "rebase, both": lambda X: sub(X, "api_util").rebase_donate_argnums((0,), (0,)),
    "donation": lambda X: sub(X, "api_util").donation_vector((1,), ("k",), structure(X, ((1, (2, 3)), {"k": 4, "l": 5}))),
    "donation without keywords": lambda X: sub(X, "api_util").donation_vector((0,), (), structure(X, (1, 2)), kws=False),
    "axes": lambda X: sub(X, "api_util").flatten_axes("axes", structure(X, (1, (2, 3))), (0, None)),
    "axes with keywords": lambda X: sub(X, "api_util").flatten_axes("axes", structure(X, ((1, 2), {"a": 3})), ((0, 1), 0),
                                                                    kws=True),
    "axes that do not fit": lambda X: sub(X, "api_util").flatten_axes("axes", structure(X, (1, (2, 3))), (0, 1, 2)),
    "safe_map": lambda X: sub(X, "api_util").safe_map(operator.add, [1, 2], [3, 4]),
    "safe_map of different lengths": lambda X: sub(X, "api_util").safe_map(operator.add, [1, 2], [3]),
    "types": lambda X: [str(sub(X, "api_util").shaped_abstractify(x)) for x in (1.0, A, np.int8(3), True)],
    "types of text": lambda X: sub(X, "api_util").shaped_abstractify("x"),
    "names": lambda X: list(sub(X, "api_util").debug_info("jit", lambda x, y, *, z: x, (1.0, {"b": 2.0}),
                                                                   {"z": 3}).arg_names),
    "right derivatives": lambda X: sub(X, "test_util").check_grads(X.numpy.sin, (1.0,), 2),
    "wrong derivatives": lambda X: sub(X, "test_util").check_grads(wrong(X), (A,), 1),
    "wrong derivatives, reverse": lambda X: sub(X, "test_util").check_grads(wrong(X), (A,), 1, modes=["rev"]),
    "a wrong jvp": lambda X: sub(X, "test_util").check_jvp(X.numpy.sin, lambda p, t: (X.numpy.sin(p[0]), t[0]), (A,)),
    "a wrong vjp": lambda X: sub(X, "test_util").check_vjp(X.numpy.sin, lambda x: (X.numpy.sin(x), lambda ct: (ct,)), (A,)),
}


def wrong(X):
    f = X.custom_jvp(lambda x: X.numpy.sin(x))
    f.defjvp(lambda primals, tangents: (f(*primals), 2 * tangents[0]))
    return f


@pytest.mark.parametrize("case", CUSTOM_VMAP)
def test_custom_vmap(case):
    agree(CUSTOM_VMAP[case])


@pytest.mark.parametrize("case", CUSTOM)
def test_custom_derivatives(case):
    agree(CUSTOM[case])


@pytest.mark.parametrize("case", LINEAR)
def test_linear_maps(case):
    agree(LINEAR[case])


@pytest.mark.parametrize("case", UTIL)
def test_utilities(case):
    agree(UTIL[case])


def test_names_of_primitives():
    import jax

    import perspicax

    for program in (lambda X: X.vmap(sub(X, "custom_batching").sequential_vmap(operator.mul)), batched_sine, scaled):
        ours, theirs = [[e.primitive.name for e in X.make_jaxpr(program(X))(*([A, A] if i == 0 else [1.0, 2.0])).eqns]
                        for i in [program is batched_sine or program is scaled] for X in (perspicax, jax)]
        assert ours == theirs
