"""The same program on both: equal results (values, dtypes, weak types, structure), or errors of the same built-in class."""
from __future__ import annotations

import functools
import typing

import jax
import numpy as np
import pytest

import perspicax

pytestmark = pytest.mark.oracle

A = np.array([0.3, 0.7, -1.1], np.float32)
B = np.arange(6, dtype=np.float32).reshape(2, 3)
FLOAT0 = np.zeros((), jax.dtypes.float0)


class Pair(typing.NamedTuple):
    a: object
    b: object


def described(x):
    """A result as a value that is equal on both sides."""
    if isinstance(x, Pair):
        return ("Pair", described(x.a), described(x.b))
    if isinstance(x, (tuple, list)):
        return (type(x).__name__, *[described(v) for v in x])
    if isinstance(x, dict):
        return {k: described(v) for k, v in x.items()}
    if x is None or isinstance(x, str):
        return x
    value = np.asarray(x)
    if value.dtype.kind == "V":
        return ("float0", value.shape)
    plain = not hasattr(x, "aval")  # both may hand a number of the user's through as it is
    dtype = np.dtype(jax.dtypes.canonicalize_dtype(value.dtype)) if plain or isinstance(x, (int, float)) else value.dtype
    weak = None if plain or isinstance(x, (int, float, complex, np.ndarray)) else x.weak_type
    rounded = np.round(value.astype(np.complex64 if value.dtype.kind == "c" else np.float32), 4) + 0
    return (dtype.name, value.shape, weak, rounded.tolist())


def outcome(program, module):
    try:
        return "returns", described(program(module))
    except Exception as error:
        return "raises", error


def same_up_to_plain(ours, theirs):
    """Equal descriptions; a weak type that only one side knows (`None` for plain numbers) does not count."""
    if isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs):
        if len(ours) == 4 and isinstance(ours[1], tuple) and None in (ours[2], theirs[2]):
            return (ours[0], ours[1], ours[3]) == (theirs[0], theirs[1], theirs[3])
        return all(same_up_to_plain(a, b) for a, b in zip(ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same_up_to_plain(ours[k], theirs[k]) for k in ours)
    return ours == theirs


def agree(program):
    theirs, ours = outcome(program, jax), outcome(program, perspicax)
    if theirs[0] == "raises":
        builtin = next(c for c in type(theirs[1]).__mro__ if c.__module__ == "builtins")
        assert ours[0] == "raises", f"JAX raises {theirs[1]!r:.300}, ours is {ours[1]}"
        assert isinstance(ours[1], builtin), f"JAX raises {theirs[1]!r:.300}, ours {ours[1]!r:.300}"
        return
    assert ours[0] == "returns", f"JAX returns {theirs[1]}, ours raises {ours[1]!r:.600}"
    assert same_up_to_plain(ours[1], theirs[1]), f"JAX: {theirs[1]}\nours: {ours[1]}"


def sin_sum(X):
    return lambda x: X.numpy.sum(X.numpy.sin(x) * x)


def wave(X):
    return lambda x: X.numpy.sin(x) * x * x


def call_pull_back(X, f, *args, ct, **options):
    result = X.vjp(f, *args, **options)
    return (result[0], result[1](ct), *result[2:])


GRAD = {
    "array": lambda X: X.grad(sin_sum(X))(A),
    "python float": lambda X: X.grad(lambda x: x)(3.0),
    "value of an identity": lambda X: X.value_and_grad(lambda x: x)(np.float32(3.0)),
    "value that does not depend": lambda X: X.value_and_grad(lambda x: 2.0)(3.0),
    "numpy float64": lambda X: X.value_and_grad(lambda x: x * x)(np.float64(3.0)),
    "integer": lambda X: X.grad(lambda x: x)(3),
    "bool": lambda X: X.grad(lambda x: x)(True),
    "complex result": lambda X: X.grad(lambda x: x)(3j),
    "complex argument, real result": lambda X: X.grad(lambda z: (z * 2).real)(np.complex64(3j + 1)),
    "holomorphic": lambda X: X.grad(lambda x: x * x, holomorphic=True)(3j + 1),
    "holomorphic of a real": lambda X: X.grad(lambda x: x * x, holomorphic=True)(3.0),
    "no scalar": lambda X: X.grad(lambda x: x * x)(A),
    "tuple": lambda X: X.grad(lambda x: (x, x))(1.0),
    "tuple of one": lambda X: X.grad(lambda x: (x,))(1.0),
    "None": lambda X: X.grad(lambda x: None)(1.0),
    "text": lambda X: X.grad(lambda x: "a")(1.0),
    "integer result": lambda X: X.grad(lambda x: x.astype(int))(X.numpy.float32(1.0)),
    "argnums tuple": lambda X: X.grad(lambda x, y: x * y, argnums=(0, 1))(1.0, 2.0),
    "argnums list": lambda X: X.grad(lambda x, y: x * y, argnums=[1, 0])(1.0, 2.0),
    "argnums tuple of one": lambda X: X.grad(lambda x, y: x * y, argnums=(1,))(1.0, 2.0),
    "argnums negative": lambda X: X.grad(lambda x, y: x * y, argnums=-1)(1.0, 2.0),
    "argnums out of range": lambda X: X.grad(lambda x, y: x * y, argnums=2)(1.0, 2.0),
    "argnums of a keyword": lambda X: X.grad(lambda x, y: x * y, argnums=1)(1.0, y=2.0),
    "argnums text": lambda X: X.grad(lambda x, y: x * y, argnums="x")(1.0, 2.0),
    "argnums float": lambda X: X.grad(lambda x, y: x * y, argnums=1.0)(1.0, 2.0),
    "keywords": lambda X: X.grad(lambda x, *, y: x * y)(1.0, y=2.0),
    "aux": lambda X: X.grad(lambda x: (x * x, {"a": x + 1, "b": None}), has_aux=True)(3.0),
    "aux that is no array": lambda X: X.value_and_grad(lambda x: (x * x, (x, "note")), has_aux=True)(3.0),
    "aux in a list": lambda X: X.grad(lambda x: [x, x * 1.0], has_aux=True)(3.0),
    "aux missing": lambda X: X.grad(lambda x: x, has_aux=True)(3.0),
    "aux of three": lambda X: X.grad(lambda x: (x, x, x), has_aux=True)(3.0),
    "aux under vmap": lambda X: X.vmap(lambda x: X.grad(lambda y: (y * y, "s"), has_aux=True)(x)[0])(A),
    "allow_int": lambda X: X.grad(lambda x, y: x * y, argnums=(0, 1), allow_int=True)(3.0, 2),
    "allow_int in a tree": lambda X: X.grad(lambda t: t["a"] * t["b"], allow_int=True)({"a": 3.0, "b": 2}),
    "tree": lambda X: X.grad(lambda t: t["a"] * t["b"][0] + t["b"][1])({"a": 3.0, "b": (2.0, 1.0)}),
    "None in a tree": lambda X: X.grad(lambda t: t["a"] * 1.0)({"a": 3.0, "b": None}),
    "argument unused": lambda X: X.grad(lambda x, y: x * 1.0, argnums=(0, 1))(3.0, A),
    "float16": lambda X: X.grad(lambda x: X.numpy.sum(x * x))(A.astype(np.float16)),
    "text for an argument": lambda X: X.grad(lambda x: x)("a"),
    "object for an argument": lambda X: X.grad(lambda x: x)(object()),
    "no function": lambda X: X.grad(3)(1.0),
    "twice": lambda X: X.grad(X.grad(wave(X)))(1.3),
    "three times": lambda X: X.grad(X.grad(X.grad(wave(X))))(1.3),
    "of jit of grad": lambda X: X.grad(X.jit(X.grad(wave(X))))(1.3),
    "jit all the way": lambda X: X.jit(X.grad(X.jit(X.grad(X.jit(wave(X))))))(1.3),
    "confusion, nested": lambda X: X.grad(lambda x: x * X.grad(lambda y: x + y)(1.0))(1.0),
    "confusion, product": lambda X: X.grad(lambda x: x * X.grad(lambda y: x * y)(2.0))(3.0),
    "confusion, forward": lambda X: X.jvp(lambda x: x * X.jvp(lambda y: x * y * y, (2.0,), (1.0,))[1], (3.0,), (1.0,)),
    "confusion, through jit": lambda X: X.grad(lambda x: x * X.grad(X.jit(lambda y: x * y * y))(2.0))(3.0),
    "confusion, same point": lambda X: X.grad(X.jit(lambda x: x * X.jvp(lambda y: x * y * y, (x,), (1.0,))[1]))(3.0),
    "closure in jit": lambda X: X.grad(lambda x: X.jit(lambda y: x * y)(x))(3.0),
    "closure in vmap": lambda X: X.grad(lambda x: X.numpy.sum(X.vmap(lambda y: x * y * y)(A)))(3.0),
    "closure, vmap outside": lambda X: X.vmap(lambda x: X.grad(lambda y: x * y * y)(2.0))(A),
    "closure, vmap of jit of grad": lambda X: X.vmap(lambda x: X.jit(X.grad(lambda y: x * y * y))(x))(A),
    "stop_gradient": lambda X: X.grad(lambda x: X.lax.stop_gradient(x) * x)(3.0),
    "stop_gradient twice": lambda X: X.grad(X.jit(X.grad(lambda x: X.lax.stop_gradient(x * x) * x)))(3.0),
}

JVP = {
    "two arguments": lambda X: X.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 1.0)),
    "lists": lambda X: X.jvp(lambda x, y: x * y, [2.0, 3.0], [1.0, 1.0]),
    "aux": lambda X: X.jvp(lambda x: (x * x, x + 0), (2.0,), (1.0,), has_aux=True),
    "aux that is no array": lambda X: X.jvp(lambda x: (x * x, "s"), (2.0,), (1.0,), has_aux=True),
    "aux missing": lambda X: X.jvp(lambda x: x * x, (2.0,), (1.0,), has_aux=True),
    "no tuples": lambda X: X.jvp(lambda x: x, 2.0, 1.0),
    "tangent of another shape": lambda X: X.jvp(lambda x: x, (2.0,), (A,)),
    "tangent of integers": lambda X: X.jvp(lambda x: x, (A,), (A.astype(np.int32),)),
    "tangent of float16": lambda X: X.jvp(lambda x: x, (A,), (A.astype(np.float16),)),
    "float0 for an integer": lambda X: X.jvp(lambda x, y: x * y, (2.0, 3), (1.0, FLOAT0)),
    "integer for an integer": lambda X: X.jvp(lambda x, y: x * y, (2.0, 3), (1.0, 1)),
    "integer result": lambda X: X.jvp(lambda x: x.astype("int32"), (X.numpy.float32(2.0),), (X.numpy.float32(1.0),)),
    "constant result": lambda X: X.jvp(lambda x: X.numpy.float32(3.0), (2.0,), (1.0,)),
    "more tangents than primals": lambda X: X.jvp(lambda x: x, (2.0,), (1.0, 2.0)),
    "tree": lambda X: X.jvp(lambda t: {"q": t["a"] * 2.0}, ({"a": A},), ({"a": A},)),
    "trees that differ": lambda X: X.jvp(lambda t: t["a"], ({"a": A},), ({"b": A},)),
    "over grad": lambda X: X.jvp(X.grad(lambda x: X.numpy.sum(wave(X)(x))), (A,), (A,)),
    "under grad": lambda X: X.grad(lambda x: X.jvp(lambda y: X.numpy.sum(wave(X)(y)), (x,), (A,))[1])(A),
}

VJP = {
    "tree": lambda X: call_pull_back(X, lambda x, y: (x * y, {"a": x + 0}), 2.0, 3.0, ct=(1.0, {"a": 2.0})),
    "aux": lambda X: call_pull_back(X, lambda x: (x * x, (x + 0, "s")), 2.0, ct=1.0, has_aux=True),
    "aux missing": lambda X: X.vjp(lambda x: x * x, 2.0, has_aux=True),
    "integer argument": lambda X: call_pull_back(X, lambda x, y: x * y, 2.0, 3, ct=1.0),
    "cotangent of another structure": lambda X: call_pull_back(X, lambda x: (x, x), 2.0, ct=[1.0, 1.0]),
    "cotangent of another shape": lambda X: call_pull_back(X, lambda x: x * A, 2.0, ct=1.0),
    "cotangent of another dtype": lambda X: call_pull_back(X, lambda x: x * A, 2.0, ct=A.astype(np.float16)),
    "integer cotangent": lambda X: call_pull_back(X, lambda x: x * x, 2.0, ct=1),
    "None in the result": lambda X: call_pull_back(X, lambda x: (x * x, None), 2.0, ct=(1.0, None)),
    "constant result": lambda X: call_pull_back(X, lambda x: X.numpy.asarray(A), 2.0, ct=A),
    "python float for a float16": lambda X: call_pull_back(X, lambda x: x * 2, np.float16(2), ct=1.0),
    "complex": lambda X: call_pull_back(X, lambda x: x * x, 2.0 + 1j, ct=1.0 + 0j),
    "real for a complex": lambda X: call_pull_back(X, lambda x: x * x, 2.0 + 1j, ct=1.0),
    "two cotangents": lambda X: X.vjp(lambda x: x, 1.0)[1](1.0, 2.0),
    "no cotangent": lambda X: X.vjp(lambda x: x, 1.0)[1](),
    "called twice": lambda X: (lambda pull: (pull(A), pull(2 * A)))(X.vjp(lambda x: X.numpy.sin(x) * x, A)[1]),
    "out of jit and in again": lambda X: (lambda pull: (X.jit(lambda p, ct: p(ct))(pull, A), pull(A)))(
        X.jit(lambda x: X.vjp(lambda x: X.numpy.sin(x) * x, x)[1])(A)),
    "vmap of the pull-back": lambda X: X.vmap(X.vjp(lambda x: X.numpy.sin(x) * x, A)[1])(np.eye(3, dtype=np.float32)),
    "under vmap": lambda X: X.vmap(lambda x: X.vjp(lambda x: X.numpy.sin(x) * x, x)[1](x))(A),
}

LINEARIZE = {
    "called, jitted, vmapped": lambda X: (lambda f: (f(A, 1.0), X.jit(f)(A, 2.0), X.vmap(f, in_axes=(0, None))(
        np.eye(3, dtype=np.float32), 0.0)))(X.linearize(lambda x, y: (X.numpy.sin(x) * y, y), A, 2.0)[1]),
    "returned from jit": lambda X: X.jit(lambda x: X.linearize(X.numpy.sin, x)[1])(1.0)(2.0),
    "aux": lambda X: (lambda r: (r[0], r[1](1.0), r[2]))(X.linearize(lambda x: (x * x, "s"), 2.0, has_aux=True)),
    "aux missing": lambda X: X.linearize(lambda x: x * x, 2.0, has_aux=True),
    "integer": lambda X: X.linearize(lambda x: x * 2, 2)[1](FLOAT0),
    "integer tangent": lambda X: X.linearize(lambda x: x * 2, 2)[1](1),
    "too many tangents": lambda X: X.linearize(lambda x: x * 2, 2.0)[1](1.0, 2.0),
    "tangent of another shape": lambda X: X.linearize(lambda x: x * 2, 2.0)[1](A),
    "tangent of another dtype": lambda X: X.linearize(lambda x: x * 2, 2.0)[1](np.float16(1)),
    "under grad": lambda X: X.grad(lambda x: X.linearize(lambda y: y * y * x, x)[1](1.0))(3.0),
    "under jit": lambda X: X.jit(lambda x: X.linearize(lambda y: y * y * x, x)[1](1.0))(3.0),
    "transpose": lambda X: X.linear_transpose(lambda x: x * 2.0 + x, A)(A),
    "transpose of types": lambda X: X.linear_transpose(lambda x, y: {"a": x * 2.0 + y * 3.0}, X.ShapeDtypeStruct(
        (3,), np.float32), A)({"a": A}),
    "transpose of what is not linear": lambda X: X.linear_transpose(X.numpy.sin, A)(A),
    "transpose, unused": lambda X: X.linear_transpose(lambda x, y: x * 2.0, A, A)(A),
    "transpose, other structure": lambda X: X.linear_transpose(lambda x: x * 2.0, A)((A,)),
    "transpose in jit": lambda X: X.jit(X.linear_transpose(X.jit(lambda x: x * 2.0), A))(A),
    "transpose, other dtype": lambda X: X.linear_transpose(lambda x: x * 2.0, A)(A.astype(np.float16)),
}

VMAP = {
    "two arguments": lambda X: X.vmap(lambda x, y: x * y)(A, A),
    "None": lambda X: X.vmap(lambda x, y: x * y, in_axes=(0, None))(A, A),
    "negative": lambda X: X.vmap(lambda x: x * 2.0, in_axes=-1)(B),
    "out_axes 1": lambda X: X.vmap(lambda x: x * 2.0, out_axes=1)(B),
    "out_axes -1": lambda X: X.vmap(lambda x: x * 2.0, out_axes=-1)(B),
    "out_axes too large": lambda X: X.vmap(lambda x: x * 2.0, out_axes=2)(B),
    "out_axes too small": lambda X: X.vmap(lambda x: x * 2.0, out_axes=-3)(B),
    "in_axes too large": lambda X: X.vmap(lambda x: x * 2.0, in_axes=2)(B),
    "scalar": lambda X: X.vmap(lambda x, y: x * 2.0)(B, 1.0),
    "tree of axes": lambda X: X.vmap(lambda t: t["a"] * t["b"], in_axes=({"a": 0, "b": None},))({"a": A, "b": 2.0}),
    "prefix of axes": lambda X: X.vmap(lambda t, s: t["a"] * t["b"] * s, in_axes=(0, None))({"a": A, "b": A}, 2.0),
    "tree that does not fit": lambda X: X.vmap(lambda t: t["a"], in_axes=({"a": 0, "c": None},))({"a": A, "b": 2.0}),
    "list of axes": lambda X: X.vmap(lambda x, y: x * y, in_axes=[0, None])(A, A),
    "list in a tuple of axes": lambda X: X.vmap(lambda t: t[0] * t[1], in_axes=([0, None],))([A, 2.0]),
    "too few axes": lambda X: X.vmap(lambda x, y: x * y, in_axes=(0,))(A, A),
    "sizes that differ": lambda X: X.vmap(lambda x, y: x)(A, B),
    "sizes that differ in a tree": lambda X: X.vmap(lambda x: x)({"a": A, "b": B}),
    "nothing mapped": lambda X: X.vmap(lambda x: x, in_axes=None)(A),
    "nothing mapped, size given": lambda X: X.vmap(lambda x: x * 2, in_axes=None, axis_size=4)(A),
    "no argument": lambda X: X.vmap(lambda: X.numpy.float32(1.0), axis_size=4)(),
    "size that differs": lambda X: X.vmap(lambda x: x, axis_size=4)(A),
    "keyword": lambda X: X.vmap(lambda x, *, y: x * y, in_axes=(None,))(2.0, y=A),
    "result that is the same for all": lambda X: X.vmap(lambda x: X.numpy.float32(3.0), out_axes=None)(A),
    "result that is not": lambda X: X.vmap(lambda x: x, out_axes=None)(A),
    "tree of out_axes": lambda X: X.vmap(lambda x: (x, {"a": X.numpy.float32(1)}), out_axes=(0, None))(A),
    "out_axes that do not fit": lambda X: X.vmap(lambda x: (x, {"a": x}), out_axes=(0, {"b": 0}))(A),
    "too many out_axes": lambda X: X.vmap(lambda x: (x, x), out_axes=(0, 0, 0))(A),
    "text for an axis": lambda X: X.vmap(lambda x: x, in_axes="a")(A),
    "float for an axis": lambda X: X.vmap(lambda x: x, in_axes=0.0)(A),
    "bool for an axis": lambda X: X.vmap(lambda x: x, in_axes=True)(A),
    "float for out_axes": lambda X: X.vmap(lambda x: x, out_axes=0.0)(A),
    "text returned": lambda X: X.vmap(lambda x: "a")(A),
    "text given": lambda X: X.vmap(lambda x: x)("a"),
    "None given": lambda X: X.vmap(lambda x, y: x)(A, None),
    "nested": lambda X: X.vmap(X.vmap(lambda x, y: x * y, (None, 0)), (0, None))(A, A),
    "nested, other axes": lambda X: X.vmap(X.vmap(lambda x: x * 2), in_axes=1, out_axes=1)(B),
    "of grad": lambda X: X.vmap(X.grad(sin_sum(X)))(B),
    "under grad": lambda X: X.grad(lambda x: X.numpy.sum(X.vmap(lambda r: X.numpy.sum(r * r))(x)))(B),
    "empty": lambda X: X.vmap(lambda x: x * 2)(np.zeros((0, 2), np.float32)),
    "truth of a batch": lambda X: X.vmap(lambda x: x if x > 0 else -x)(A),
    "matrix products": lambda X: X.vmap(lambda x, y: X.numpy.dot(x, y))(B, B),
}


def traces(X, calls, f=lambda x, n=2, *, m=1: x * n * m, **options):
    """Results of calls of jit(f), and which arguments each trace saw as Python values."""
    seen = []

    @functools.wraps(f)
    def counted(*args, **kwargs):
        seen.append([type(v).__name__ if isinstance(v, (int, float, str)) else "traced" for v in (*args, *kwargs.values())])
        return f(*args, **kwargs)

    jitted = X.jit(counted, **options)
    return [jitted(*args, **kwargs) for args, kwargs in calls], seen


def trace_count(X, *calls):
    count = []

    @X.jit
    def f(x):
        count.append(1)
        return X.tree.map(lambda v: v * 2, x)

    found = []
    for call in calls:
        call(f)
        found.append(len(count))
    return found


def with_x64(X, call):
    def run(f):
        with X.enable_x64(True):
            call(f)

    return run


CALLS = [((1.0, 3), {}), ((1.0, 3), {}), ((1.0, 4), {}), ((1.0,), {"n": 3}), ((1.0,), {})]

JIT = {
    "static by number": lambda X: traces(X, CALLS, static_argnums=1),
    "static by name": lambda X: traces(X, CALLS, static_argnames="n"),
    "static, negative": lambda X: traces(X, CALLS[:3], f=lambda x, n: x * n, static_argnums=-1),
    "static, keyword only": lambda X: traces(X, [((1.0,), {"m": 3}), ((1.0,), {"m": 3}), ((1.0, 2), {})], static_argnames="m"),
    "static: 1 is not True": lambda X: traces(X, [((1.0, 1), {}), ((1.0, True), {}), ((1.0, 1.0), {})], static_argnums=(1,)),
    "static list": lambda X: traces(X, [((1.0, [3]), {})], static_argnums=1),
    "static array": lambda X: traces(X, [((1.0, A), {})], static_argnums=1),
    "static tracer": lambda X: X.jit(lambda y: X.jit(lambda x, n: x, static_argnums=1)(1.0, y))(2.0),
    "static number that is none": lambda X: X.jit(lambda x: x, static_argnums=1),
    "static name that is none": lambda X: X.jit(lambda x: x, static_argnames="y"),
    "static of another type": lambda X: X.jit(lambda x: x, static_argnums="x"),
    "static and donated": lambda X: X.jit(lambda x: x, static_argnums=0, donate_argnums=0),
    "static variadic": lambda X: traces(X, [((1.0, 2, 3), {})], f=lambda *a: a[0] * a[1] * a[2], static_argnums=(1, 2)),
    "static variadic, negative": lambda X: traces(X, [((1.0, 2, 3), {})], f=lambda *a: a[0] * a[2], static_argnums=(-1,)),
    "static keywords": lambda X: traces(X, [((1.0,), {"q": 3})], f=lambda x, **k: x * k["q"], static_argnames=("q",)),
    "positional only": lambda X: X.jit(lambda x, /: x)(x=1.0),
    "missing argument": lambda X: X.jit(lambda x, y: x)(1.0),
    "text": lambda X: X.jit(lambda x: x)("a"),
    "None": lambda X: X.jit(lambda x: (x, None, {"a": None}))(1.0),
    "text returned": lambda X: X.jit(lambda x: "a")(1.0),
    "function returned": lambda X: X.jit(lambda x: lambda: x)(1.0),
    "weak": lambda X: (X.jit(lambda x: x * 2)(3.0), X.jit(lambda x: x)(3), X.jit(lambda x: x)(1j), X.jit(lambda x: x)(True)),
    "64 bits": lambda X: (X.jit(lambda x: x)(np.ones(2)), X.jit(lambda x: x)(np.arange(2)), X.jit(lambda x: x)(np.uint64(5))),
    "integer of 40 bits": lambda X: X.jit(lambda x: x)(2**40),
    "constant result": lambda X: (X.jit(lambda: 1.0)(), X.jit(lambda: A)()),
    "argument returned twice": lambda X: X.jit(lambda x: (x, x, x * 2))(A),
    "empty results": lambda X: (X.jit(lambda: ())(), X.jit(lambda x: {})(1.0)),
    "array of text": lambda X: X.jit(lambda x: x)(np.array(["a"])),
    "array of objects": lambda X: X.jit(lambda x: x)(np.array([object()])),
    "named tuple": lambda X: X.jit(lambda x: Pair(x.a * 2, x.b))(Pair(1.0, 2.0)),
    "partial": lambda X: X.jit(functools.partial(lambda x, y: x * y, 2.0))(3.0),
    "partial by keyword": lambda X: X.jit(functools.partial(lambda x, y: x * y, y=2.0))(3.0),
    "partial and static": lambda X: X.jit(functools.partial(lambda a, x, n: a * x * n, 2.0), static_argnums=1)(3.0, 4),
    "built-in": lambda X: X.jit(abs)(-3.0),
    "built-in that asks for truth": lambda X: X.jit(max)(3.0, 4.0),
    "class": lambda X: X.jit(tuple)([1.0, 2.0]),
    "NumPy function": lambda X: X.jit(np.sin)(3.0),
    "no function": lambda X: X.jit(3),
    "jit of jit": lambda X: X.jit(X.jit(lambda x: x * 2.0))(3.0),
    "keep_unused": lambda X: X.jit(lambda x, y: x, keep_unused=True)(A, B),
    "inline": lambda X: X.jit(lambda x: X.jit(lambda y: y * 2.0, inline=True)(x))(A),
    "compiler option unknown": lambda X: X.jit(lambda x: x * 2.0, compiler_options={"xla_nonsense": True})(A),
    "disable_jit": lambda X: (lambda: [f(-1.0) for f in [X.disable_jit()(X.jit(lambda x: x if x > 0 else -x))]])(),
    "traces": lambda X: trace_count(
        X, lambda f: f(A), lambda f: f(A), lambda f: f(X.numpy.asarray(A)), lambda f: f(B), lambda f: f(1.0), lambda f: f(2.0),
        lambda f: f(1), lambda f: f(np.float32(1)), lambda f: f(True), with_x64(X, lambda f: f(A)),
        with_x64(X, lambda f: f(1.0)), with_x64(X, lambda f: f(1.0)), lambda f: f(A), lambda f: f(1.0), lambda f: X.jit(f)(A)),
    "traces under transformations": lambda X: trace_count(
        X, lambda f: X.jit(lambda x: f(x) + f(x))(1.0), lambda f: X.grad(f)(1.0), lambda f: X.grad(f)(2.0),
        lambda f: X.vmap(f)(A), lambda f: X.vmap(f)(A), lambda f: f(1.0)),
    "traces of dicts": lambda X: trace_count(
        X, lambda f: f({"a": 1.0, "b": 2.0}), lambda f: f({"b": 1.0, "a": 2.0}), lambda f: f({"a": 1.0}),
        lambda f: f({"a": 1.0, "b": None})),
}


def product(x, y):
    return {"o": x * y}


STAGES = {
    "call": lambda X: X.jit(product).lower(A, 2.0).compile()(A, 3.0),
    "call by keyword": lambda X: X.jit(product).lower(A, y=2.0).compile()(A, y=3.0),
    "another shape": lambda X: X.jit(product).lower(A, 2.0).compile()(A[:2], 3.0),
    "another dtype": lambda X: X.jit(product).lower(A, 2.0).compile()(A.astype(np.int32), 3.0),
    "strong for weak": lambda X: X.jit(product).lower(A, 2.0).compile()(A, np.float32(3.0)),
    "int for float": lambda X: X.jit(product).lower(A, 2.0).compile()(A, 3),
    "too few": lambda X: X.jit(product).lower(A, 2.0).compile()(A),
    "other keywords": lambda X: X.jit(product).lower(A, 2.0).compile()(A, y=3.0),
    "under jit": lambda X: X.jit(lambda x: X.jit(product).lower(A, 2.0).compile()(x, 3.0)["o"])(A),
    "under grad": lambda X: X.grad(lambda x: X.jit(product).lower(A, 2.0).compile()(x, 3.0)["o"].sum())(A),
    "types": lambda X: X.jit(product).lower(X.ShapeDtypeStruct((3,), np.float32),
                                            X.ShapeDtypeStruct((), np.int32)).compile()(A, 3),
    "static": lambda X: X.jit(lambda x, n: x * n, static_argnums=1).lower(2.0, 3).compile()(4.0),
    "static given again": lambda X: X.jit(lambda x, n: x * n, static_argnums=1).lower(2.0, 3).compile()(4.0, 3),
    "flops": lambda X: X.jit(product).lower(A, 2.0).compile().cost_analysis()["flops"],
    "memory": lambda X: X.jit(product).lower(A, 2.0).compile().memory_analysis().output_size_in_bytes,
    "out_info": lambda X: str(X.jit(product).lower(A, 2.0).out_info),
    "args_info": lambda X: str(X.jit(product, donate_argnums=0).lower(A, 2.0).args_info),
    "trees": lambda X: (str(X.jit(product).lower(A, 2.0).in_tree), str(X.jit(product).lower(A, 2.0).out_tree)),
    "in_avals": lambda X: (str(X.jit(product).lower(A, 2.0).in_avals), str(X.jit(product).trace(A, 2.0).in_avals)),
    "donated": lambda X: X.jit(product, donate_argnums=0).lower(A, 2.0).donate_argnums,
    "dialect": lambda X: X.jit(product).lower(A, 2.0).as_text(dialect="nope"),
    "name": lambda X: X.jit(product).trace(A, 2.0).fun_name,
    "jaxpr": lambda X: str(X.jit(product).trace(A, 2.0).jaxpr),
    "eval_shape": lambda X: str(X.jit(product).eval_shape(A, 2.0)),
    "option unknown": lambda X: X.jit(product).lower(A, 2.0).compile(compiler_options={"xla_no": False})(A, 2.0),
    "struct": lambda X: (lambda s: (s.shape, str(s.dtype), s.size, s.ndim, len(s), repr(s)))(
        X.ShapeDtypeStruct((3, 2), np.float32)),
    "struct, weak": lambda X: repr(X.ShapeDtypeStruct((3, 2), "bfloat16", weak_type=True)),
    "struct without dtype": lambda X: X.ShapeDtypeStruct((3, 2), None),
    "struct without axes": lambda X: len(X.ShapeDtypeStruct((), np.float32)),
    "cache size": lambda X: (lambda j: (j(1.0), j(1.0), j(2), j._cache_size())[3])(X.jit(lambda x: x)),
}

JAXPRS = {
    "one line": lambda X: lambda x: X.numpy.sin(x) * 2.0,
    "nested": lambda X: lambda x: X.jit(lambda y: y * 2.0)(x),
    "constants": lambda X: lambda x: (x, 1, A),
    "cast": lambda X: lambda x: X.lax.convert_element_type(x, np.float16),
    "vmap": lambda X: lambda x: X.vmap(lambda a: a * 2.0)(x),
    "dict": lambda X: lambda x: {"b": x * np.float32(3), "a": ()},
    "unread": lambda X: lambda x: (X.numpy.sin(x), x)[1],
    "many": lambda X: lambda x: X.numpy.sin(X.numpy.cos(X.numpy.sin(X.numpy.cos(X.numpy.sin(X.numpy.cos(x)))))),
}


@pytest.mark.parametrize("name", GRAD)
def test_grad(name):
    agree(GRAD[name])


@pytest.mark.parametrize("name", JVP)
def test_jvp(name):
    agree(JVP[name])


@pytest.mark.parametrize("name", VJP)
def test_vjp(name):
    agree(VJP[name])


@pytest.mark.parametrize("name", LINEARIZE)
def test_linearize(name):
    agree(LINEARIZE[name])


@pytest.mark.parametrize("name", VMAP)
def test_vmap(name):
    agree(VMAP[name])


@pytest.mark.parametrize("name", JIT)
def test_jit(name):
    agree(JIT[name])


@pytest.mark.parametrize("name", STAGES)
def test_stages(name):
    agree(STAGES[name])


@pytest.mark.parametrize("name", JAXPRS)
def test_jaxpr_prints_alike(name):
    theirs, ours = (str(X.make_jaxpr(JAXPRS[name](X))(A)) for X in (jax, perspicax))
    assert ours == theirs
