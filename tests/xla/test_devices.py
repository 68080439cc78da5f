"""Two devices, in a process of its own: placement, commitment, meshes; the same program on JAX gives the same."""
from __future__ import annotations

import pytest
from side_by_side import compare, names_in, results

PROGRAM = '''
import importlib, json, sys, warnings
import numpy as np

X = importlib.import_module(sys.argv[1])
jnp, np32 = X.numpy, np.float32
A = np.array([0.3, 0.7, -1.1, 2.0], np32)
B = np.arange(8, dtype=np32).reshape(4, 2)
ZERO, ONE = X.devices()
mesh = X.sharding.Mesh(np.array(X.devices()), ("x",))
split = lambda *names: X.sharding.NamedSharding(mesh, X.sharding.PartitionSpec(*names))
put = X.device_put


def where(x):
    shards = [(str(s.device), str(s.index), s.replica_id, np.round(np.asarray(s.data), 4).tolist())
              for s in x.addressable_shards]
    return (sorted(str(d) for d in x.devices()), x.committed, np.round(np.asarray(x), 4).tolist(),
            x.is_fully_replicated, shards)


def within(device, call):
    with X.default_device(device):
        return call()


def total(x):
    return jnp.sum(jnp.sin(x))


CASES = {
    "put": lambda: where(put(A, ONE)),
    "put nowhere": lambda: where(put(A)),
    "put without axes": lambda: where(put(np32(4), split())),
    "print spread keys": lambda: repr(put(X.random.split(X.random.key(0)), split("x"))).split("overlaying")[1],
    "put a tree": lambda: {k: where(v) for k, v in put({"a": A, "b": 1.0}, ONE).items()},
    "put elsewhere": lambda: where(put(put(A, ONE), ZERO)),
    "put in jit": lambda: where(X.jit(lambda x: put(x, ONE))(A)),
    "jit follows": lambda: where(X.jit(lambda x: x * 2)(put(A, ONE))),
    "eager follows": lambda: where(jnp.sin(put(A, ONE))),
    "host kernels follow": lambda: where(put(np.arange(3, dtype=np.int32), ONE) + jnp.arange(3, dtype=np.int32)),
    "reshape follows": lambda: where(jnp.reshape(put(A, ONE), (2, 2))),
    "uncommitted joins": lambda: where(X.jit(lambda x, y: x * y)(put(A, ONE), jnp.asarray(A))),
    "eager: uncommitted joins": lambda: where(put(A, ONE) * jnp.asarray(A)),
    "NumPy joins": lambda: where(X.jit(lambda x, y: x * y)(put(A, ONE), A)),
    "jit: both committed": lambda: X.jit(lambda x, y: x * y)(put(A, ONE), put(A, ZERO)),
    "eager: both committed": lambda: put(A, ONE) * put(A, ZERO),
    "host kernels: both committed": lambda: put(np.arange(3), ONE) + put(np.arange(3), ZERO),
    "grad follows": lambda: where(X.grad(total)(put(A, ONE))),
    "vmap follows": lambda: where(X.vmap(jnp.sin)(put(A, ONE))),
    "scan follows": lambda: where(X.lax.scan(lambda c, a: (c + a, a), np32(0), put(A, ONE))[1]),
    "captured constant": lambda: (lambda k: where(X.jit(lambda x: x * k)(A)))(put(A, ONE)),
    "captured constant against an argument": lambda: (lambda k: where(X.jit(lambda x: x * k)(put(A, ZERO))))(put(A, ONE)),
    "no argument": lambda: where(X.jit(lambda: jnp.sin(1.0))()),
    "default device: jit": lambda: within(ONE, lambda: where(X.jit(lambda x: x * 2)(A))),
    "default device: eager": lambda: within(ONE, lambda: where(jnp.sin(A))),
    "default device: creation": lambda: within(ONE, lambda: where(jnp.zeros(2))),
    "default device: put": lambda: within(ONE, lambda: where(put(A))),
    "default device: committed": lambda: (lambda x: within(ONE, lambda: where(jnp.sin(x))))(put(A, ZERO)),
    "default device: uncommitted from before": lambda: (lambda x: within(ONE, lambda: where(jnp.sin(x))))(jnp.sin(A)),
    "default device: afterwards": lambda: (lambda x: where(jnp.sin(x)))(within(ONE, lambda: jnp.sin(A))),
    "default device: afterwards, jit": lambda: (lambda x: where(X.jit(lambda v: v * 3)(x)))(within(ONE, lambda: jnp.sin(A))),
    "in_shardings, one device": lambda: where(X.jit(lambda x: x * 2, in_shardings=X.sharding.SingleDeviceSharding(ONE))(A)),
    "in_shardings, other device": lambda: X.jit(
        lambda x: x * 2, in_shardings=X.sharding.SingleDeviceSharding(ONE))(put(A, ZERO)),
    "split": lambda: where(put(A, split("x"))),
    "copied": lambda: where(put(A, split())),
    "split columns": lambda: where(put(B, split(None, "x"))),
    "split unevenly": lambda: put(np.arange(3.0), split("x")),
    "split too many axes": lambda: put(A, split("x", None)),
    "split again": lambda: where(put(put(B, split("x")), split(None, "x"))),
    "gathered": lambda: where(put(put(A, split("x")), ONE)),
    "no such axis": lambda: split("q"),
    "an axis twice": lambda: split("x", "x"),
    "jit of split": lambda: where(X.jit(lambda x: x * 2)(put(A, split("x")))),
    "eager of split": lambda: where(jnp.sin(put(A, split("x")))),
    "eager of two": lambda: where(put(A, split("x")) * put(A, split("x"))),
    "eager of differently split": lambda: np.asarray(put(A, split("x")) * put(A, split())).tolist(),
    "eager of split and plain": lambda: where(put(A, split("x")) * jnp.asarray(A)),
    "sum": lambda: where(X.jit(jnp.sum)(put(A, split("x")))),
    "product": lambda: where(X.jit(jnp.dot)(put(B.T.copy(), split(None, "x")), put(B, split("x")))),
    "grad of split": lambda: where(X.grad(total)(put(A, split("x")))),
    "jit of grad of split": lambda: where(X.jit(X.grad(total))(put(A, split("x")))),
    "vmap of split": lambda: where(X.vmap(jnp.sin)(put(B, split("x")))),
    "sharding of the result": lambda: str(tuple(X.jit(lambda x: x * 2)(put(A, split("x"))).sharding.spec)),
    "sharding of a matrix": lambda: str(tuple(X.jit(lambda x: x * 2)(put(B, split("x"))).sharding.spec)),
    "sharding of columns": lambda: str(tuple(X.jit(lambda x: x * 2)(put(B, split(None, "x"))).sharding.spec)),
    "in_shardings": lambda: where(X.jit(lambda x: x * 2, in_shardings=split("x"))(A)),
    "out_shardings": lambda: where(X.jit(lambda x: x * 2, out_shardings=split("x"))(A)),
    "in_shardings of two": lambda: where(X.jit(lambda x, y: x * 2 + y.sum(), in_shardings=(split("x"), None))(A, B)),
    "in_shardings in a tree": lambda: where(X.jit(lambda t: t["a"] * 2, in_shardings=({"a": split("x")},))({"a": A})),
    "in_shardings against an argument": lambda: X.jit(lambda x: x * 2, in_shardings=split("x"))(put(A, ZERO)),
    "in_shardings against a sharding": lambda: X.jit(lambda x: x * 2, in_shardings=split("x"))(put(A, split())),
    "in_shardings, too many": lambda: X.jit(lambda x: x * 2, in_shardings=(split("x"), split("x")))(A),
    "in_shardings, uneven": lambda: X.jit(lambda x: x * 2, in_shardings=split("x"))(A[:3]),
    "in_shardings, rank": lambda: X.jit(lambda x: x * 2, in_shardings=split(None, "x"))(A),
    "out_shardings, uneven": lambda: X.jit(lambda x: x[:3], out_shardings=split("x"))(A),
    "split and committed elsewhere": lambda: X.jit(lambda x, y: x * y)(put(A, split("x")), put(A, ZERO)),
    "nested out_shardings": lambda: where(X.jit(lambda x: X.jit(lambda y: y * 2, out_shardings=split("x"))(x))(A)),
    "grad through in_shardings": lambda: where(X.grad(lambda x: X.jit(jnp.sin, in_shardings=split("x"))(x).sum())(A)),
    "vmap through in_shardings": lambda: np.asarray(X.vmap(X.jit(jnp.sin, in_shardings=split("x")))(B.T.copy())).shape,
    "donated": lambda: (lambda x: (where(X.jit(lambda x: x * 2, donate_argnums=0)(x)), x.is_deleted()))(put(A, split("x"))),
    "copy of split": lambda: where(X.jit(lambda x: x * 2)(__import__("copy").deepcopy(put(A, split("x"))))),
    "pickle of split": lambda: np.asarray(__import__("pickle").loads(__import__("pickle").dumps(put(A, split("x"))))).tolist(),
    "repr of split": lambda: repr(put(A, split("x"))),
    "scalar on both": lambda: float(put(np32(3), split())),
    "ahead of time": lambda: where(X.jit(lambda x: x * 2, in_shardings=split("x")).lower(A).compile()(A)),
    "ahead of time, placed elsewhere": lambda: X.jit(lambda x: x * 2, in_shardings=split("x")).lower(A).compile()(put(A, ZERO)),
    "ahead of time, other device": lambda: X.jit(lambda x: x * 2).lower(A).compile()(put(A, ONE)),
    "keys": lambda: where(X.random.key_data(put(X.random.split(X.random.key(0), 4), split("x"))))[2],
}
'''


@pytest.mark.oracle
@pytest.mark.parametrize("name", names_in(PROGRAM))
def test_as_jax_does(name):
    compare(PROGRAM, name, devices=2)


def test_reports_name_the_arguments():
    found = results(PROGRAM, "perspicax", 2)
    assert found["jit: both committed"]["text"].startswith("IncompatibleDevicesError")
    assert found["in_shardings against an argument"]["text"].startswith("ShardingMismatchError: The argument `x` of")
    assert found["in_shardings, uneven"]["text"].startswith("ShardingFitError: Axis 0 of `x` of `<lambda>`")


def test_results_without_the_oracle():
    found = results(PROGRAM, "perspicax", 2)
    device, committed, values, *_ = found["put"]
    assert (len(device), committed) == (1, True) and values == pytest.approx([0.3, 0.7, -1.1, 2.0])
    assert len(found["split"][4]) == 2 and found["split"][3] is False
    assert found["donated"][1] is True
    assert not [name for name, value in found.items() if isinstance(value, dict) and "XLA failed" in value.get("text", "")]
