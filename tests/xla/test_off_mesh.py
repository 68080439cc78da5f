"""Loops and branches over arrays that explicit axes split, with values that lie on no mesh: what JAX takes, and how it lies."""
from __future__ import annotations

import pytest
from side_by_side import compare, names_in

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.lax.branch_errors import BranchOutputError
from perspicax.lax.control_errors import CarryTypeError

PROGRAM = '''
import importlib, json, sys
import numpy as np

X = importlib.import_module(sys.argv[-1])
numpy = importlib.import_module(sys.argv[-1] + ".numpy")
lax, P = X.lax, X.P
mesh = X.make_mesh((2, 4), ("a", "b"))
A = np.arange(64, dtype="float32").reshape(8, 8) / 32


def put(x, *parts):
    return X.device_put(x, X.NamedSharding(mesh, P(*parts)))


v, w, whole = put(A, None, "b"), put(A, "b", None), put(A[0], None)
inputs = put(np.ones((3, 4, 8), "float32"), None, None, "b")
zeros, nothing = numpy.zeros(8), np.zeros(8, "float32")


def run(f, *args):
    """Type, sharding and sum of each result."""
    return [[str(X.typeof(x)), str(x.sharding.spec), round(float(np.asarray(x).sum()), 3)] for x in X.tree.leaves(f(*args))]


def sums(c, x):
    return lax.scan(lambda c, x: (c + x, c), c, x)


def cells(h, w, x):
    """A recurrent layer whose product could not tell how it lies, were the first state split as the others are."""
    return lax.scan(lambda h, x: (numpy.tanh(h @ w + x), None), h, x)[0]


def uncompiled(f, *args):
    with X.disable_jit():
        return f(*args)


def branches(i, v):
    return [lax.cond(i > 0, lambda a: a, lambda a: numpy.zeros((8, 8)), v), lax.cond(i > 0, lambda a: A, lambda a: a * 2, v),
            lax.switch(i, [lambda a: numpy.ones((8, 8)), lambda a: a, lambda a: a * 2], v)]


def under_mesh(f, *args):
    with X.set_mesh(mesh):
        return run(f, *args)


CASES = {
    "scan": lambda: run(sums, zeros, v) + run(sums, nothing, v) + run(X.jit(sums), nothing, v)
    + run(X.jit(lambda x: sums(numpy.zeros(8), x)), v),
    "scan without jit": lambda: run(uncompiled, sums, zeros, v),
    "weak": lambda: [bool(x.weak_type) for x in sums(lax.full((8,), 1.), v)],
    "dtype too": lambda: run(lambda x: sums(lax.full((8,), 1), x)[0], v),
    "fori_loop": lambda: run(X.jit(lambda n, v: lax.fori_loop(0, n, lambda i, c: c + v[0], numpy.zeros(8))), 3, v)
    + run(lambda: lax.fori_loop(0, 2, lambda i, c: c + v[i], zeros)),
    "while_loop": lambda: run(lambda: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + v[0]), (0, zeros))),
    "comes out on none": lambda: run(lambda: lax.scan(lambda c, x: (numpy.ones(8), c + x), v[0], v))
    + run(lambda: lax.fori_loop(0, 2, lambda i, c: numpy.ones(8), v[0])),
    "one after the other": lambda: run(lambda: lax.scan(lambda c, x: ((c[1], c[0] + x), None), (zeros, zeros), v)),
    "body for whole carries": lambda: run(lambda: cells(np.zeros((4, 8), "float32"), w, inputs))
    + run(X.jit(X.grad(lambda w, x: cells(numpy.zeros((4, 8)), w, x).sum())), w, inputs),
    "loop within over rows": lambda: run(lambda: lax.scan(lambda c, x: (lax.scan(lambda t, r: (t + r, r), 0., c)[1] + x, None),
                                                          zeros, v)[0]),
    "gradient": lambda: run(X.jit(X.grad(lambda c, x: (sums(c, x)[1] ** 2).sum(), 1)), nothing, v),
    "tangents": lambda: run(lambda x: X.jvp(lambda x: sums(zeros, x), (x,), (x,)), v),
    "batch": lambda: run(X.vmap(lambda c: sums(c, v)[0]), np.ones((2, 8), "float32")),
    "branches": lambda: run(lambda: branches(1, v)) + run(X.jit(branches), 0, v),
    "branches in a batch": lambda: run(X.vmap(lambda i: lax.cond(i, lambda a: a * a, lambda a: numpy.zeros((8, 8)), v)),
                                       np.array([True, False])),
    "mesh set, made before": lambda: under_mesh(sums, zeros, v) + under_mesh(sums, nothing, v)
    + under_mesh(lambda: lax.cond(True, lambda a: a, lambda a: A, v)),
    "mesh set": lambda: under_mesh(lambda v: sums(numpy.zeros(8), v), v),
    "mesh set, computed": lambda: under_mesh(lambda v: sums(zeros + 1, v), v),
    "mesh set, weak": lambda: under_mesh(lambda v: sums(lax.full((8,), 1.), v), v),
    "mesh set, branch": lambda: under_mesh(lambda v: lax.cond(True, lambda a: a, lambda a: numpy.zeros((8, 8)), v), v),
    "whole": lambda: run(sums, whole, v),
    "whole, in a loop": lambda: run(lambda: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + v[0]), (0, whole))),
    "whole, differentiated": lambda: run(X.grad(lambda c: sums(c, v)[0].sum()), whole),
    "whole, in a batch": lambda: run(X.vmap(lambda c: sums(c, v)[0]), put(np.ones((2, 8), "float32"), None, None)),
    "computed of what is split": lambda: run(X.jit(lambda x: sums(x.sum(1), x)), v),
    "placed within": lambda: run(X.jit(lambda x: sums(X.device_put(numpy.zeros(8), whole.sharding), x)), v),
    "comes out whole": lambda: run(lambda: lax.scan(lambda c, x: (X.reshard(x, whole.sharding), c), v[0], v)),
    "another dtype": lambda: run(sums, numpy.zeros(8, int), v),
    "whole in a branch": lambda: run(lambda: lax.cond(True, lambda a: a, lambda a: whole, v[0])),
    "whole operand": lambda: run(lambda: lax.cond(True, lambda a, b: a, lambda a, b: b, v[0], whole)),
    "computed in a branch": lambda: run(X.jit(lambda i, v: lax.cond(i > 0, lambda a: a[0], lambda a: a.sum(1), v)), 1, v),
}
'''


@pytest.mark.oracle
@pytest.mark.parametrize("name", names_in(PROGRAM))
def test_as_jax_does(name):
    compare(PROGRAM, name, devices=8)


def fixes_of(kind, call):
    with pytest.raises(kind) as told:
        call()
    return [edit.replacement if fix.edits else fix.code for fix in told.value.report.fixes for edit in (fix.edits or (None,))]


def test_types_that_are_split_otherwise_are_brought_together_by_reshard():
    with jax.set_mesh(jax.make_mesh((1,), ("x",))):
        whole, rows = jnp.ones(8), jax.reshard(jnp.ones((4, 8)), jax.P(None, "x"))
        assert fixes_of(CarryTypeError, lambda: jax.lax.scan(lambda c, row: (c + row, c), whole, rows)) == [
            "jax.reshard(whole, jax.P('x',))", "jax.reshard(c + row, jax.P())"]
        assert fixes_of(BranchOutputError, lambda: jax.lax.cond(True, lambda a: a, lambda a: jnp.ones((4, 8)), rows)) == [
            "jax.reshard(result, jax.P(None, 'x'))"]
