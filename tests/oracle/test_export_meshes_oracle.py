"""Functions of several devices, exported and called on any as many: against JAX, on four devices."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "xla"))

from side_by_side import compare, names_in, results

pytestmark = pytest.mark.oracle

PROGRAM = '''
import functools, importlib, json, sys
import numpy as np

X = importlib.import_module(sys.argv[1])
export = importlib.import_module(sys.argv[1] + ".export")
lax, S = X.lax, X.sharding
P, NS = S.PartitionSpec, S.NamedSharding
devices = np.array(X.devices())
mesh = S.Mesh(devices.reshape(2, 2), ("x", "y"))
turned = S.Mesh(devices[::-1].reshape(4, 1), ("a", "b"))
A = np.arange(16, dtype=np.float32).reshape(4, 4)
on = lambda *parts: NS(mesh, P(*parts))
put = lambda *parts: X.device_put(A, on(*parts))


def both(a, b):
    return a @ b, lax.with_sharding_constraint(a + b, on(None, "y"))


@functools.cache
def made():
    return export.export(X.jit(both, in_shardings=(on("x"), None), out_shardings=(on("x", "y"), None)))(A, A)


def named(found, there):
    specs = lambda all: [None if s is None else repr(s.spec) for s in all]
    return found.nr_devices, specs(found.in_shardings_jax(there)), specs(found.out_shardings_jax(there))


def values(outs):
    return [np.asarray(x).tolist() for x in outs]


def where(outs):
    return [repr(x.sharding.spec) for x in outs], values(outs)


def spread(f, *args):
    return named(export.export(X.jit(f))(*args), mesh)


def called(f, *args):
    return np.asarray(export.export(X.jit(f))(A).call(*args)).tolist()


def again():  # JAX needs another package for it
    if sys.argv[1] == "jax":
        return named(made(), mesh), where(made().call(put("x"), put())), True
    kept = export.deserialize(made().serialize(vjp_order=1))
    slope = X.grad(lambda a: kept.call(a, put())[0].sum())(put("x"))
    return named(kept, mesh), where(kept.call(put("x"), put())), bool(np.allclose(slope, A.sum(1)))


def open_sizes():
    b, = export.symbolic_shape("2*b")
    f = export.export(X.jit(lambda a: lax.with_sharding_constraint(a * 2, on("x")), in_shardings=on("x")))
    found = f(X.ShapeDtypeStruct((b, 4), np.float32))
    return found.nr_devices, where([found.call(put("x"))])


def explicit():
    free = X.make_mesh((2, 2), ("x", "y"))
    x = X.device_put(A, NS(free, P("x")))
    found = export.export(X.jit(lambda a: (a * 2, a.sum(0))))(x)
    outs = found.call(x)
    return named(found, free), [str(X.typeof(y)) for y in outs], where(outs)


def back(f, order=0):  # JAX needs another package for it
    return f if sys.argv[1] == "jax" else export.deserialize(f.serialize(vjp_order=order))


def types(f):
    return [str(a) for a in (*f.in_avals, *f.out_avals)]


def kinds(outs):
    return [(str(X.typeof(y)), y.sharding.memory_kind, np.asarray(y).tolist()) for y in outs]


free = X.make_mesh((2, 2), ("x", "y"))
lie = lambda *parts, **sums: X.device_put(A, NS(free, P(*parts, **sums)))
host = NS(mesh, P("x"), memory_kind="pinned_host")


def asked_memories():
    made = export.export(X.jit(lambda a, b: (a + b, a * 2), in_shardings=(None, host), out_shardings=(host, None)))
    found = [back(made(put("x"), A)), back(export.export(X.jit(lambda a: (a, a * 2), out_shardings=(on(), None)))(put("x")))]
    return [types(f) for f in found], kinds(found[0].call(put("x"), X.device_put(A, host))), kinds(found[1].call(put("x")))


def gradient_memories():
    f = back(export.export(X.jit(lambda a, b: (X.device_put(a, X.memory.Space.Device) * b).sum()))(
        X.device_put(A, host), put("x")), 1)
    return types(f), types(f.vjp()), kinds(X.grad(f.call, (0, 1))(X.device_put(A, host), put("x")))


def explicit_in_bytes():
    f = back(export.export(X.jit(lambda a, b: a @ b))(lie("x"), lie(None, "y")), 1)
    step = back(export.export(X.jit(lambda a: a * 2))(lie("x")))
    y, pull = X.vjp(f.call, lie("x"), lie(None, "y"))
    last = lax.scan(lambda c, _: (step.call(c), None), lie("x"), None, length=3)[0]
    outs = [y, *pull(y), last, step.call(lie("x")) + lie("x"), step.call(lie()), step.call(put("x"))]
    return types(f), types(f.vjp()), [str(X.typeof(v)) for v in outs], where(outs)


def asked_in_types():
    f = back(export.export(X.jit(lambda a: a * 2, out_shardings=NS(free, P("y"))))(lie("x")))
    return types(f), where([f.call(lie("x"))])


def sums_in_bytes():
    with X.set_mesh(free):
        part = P(None, None, unreduced={"y"})
        f = back(export.export(X.jit(lambda a: X.numpy.einsum("ij,jk->ik", a, a.T, out_sharding=part)))(lie(None, "y")))
        return types(f), where([X.sharding.reshard(f.call(lie(None, "y")), P())])


def nested():
    inner = back(export.export(X.jit(lambda a: a * 2))(put("x")))
    middle = back(export.export(X.jit(lambda a: inner.call(a) + 1))(put("x")))
    return where([back(export.export(X.jit(lambda a: middle.call(a) * 3))(put("x"))).call(put("x"))])


struct = lambda m: X.ShapeDtypeStruct((4, 4), np.float32, sharding=NS(m, P("x")))
CASES = {
    "shardings": lambda: named(made(), mesh),
    "shardings elsewhere": lambda: made().in_shardings_jax(turned),
    "call": lambda: where(made().call(put("x"), put())),
    "call from elsewhere": lambda: where(made().call(put("y"), put(None, "x"))),
    "other devices": lambda: values(made().call(X.device_put(A, NS(turned, P("a"))), X.device_put(A, NS(turned, P())))),
    "one device": lambda: made().call(A, A),
    "one device, jitted": lambda: X.jit(made().call)(A, A),
    "two devices": lambda: made().call(*[X.device_put(A, NS(S.Mesh(devices[:2], ("x",)), P("x")))] * 2),
    "placed by jit": lambda: where(X.jit(made().call, in_shardings=(on("x"), on()))(A, A)),
    "within a program": lambda: where(X.jit(lambda a: made().call(a + 1, a))(put("x"))),
    "bytes": again,
    "gradient": lambda: np.asarray(X.grad(lambda a: made().call(a, put())[0].sum())(put("x"))).tolist(),
    "by a type": lambda: spread(lambda a: a * 2, struct(mesh)),
    "by an abstract type": lambda: spread(lambda a: a * 2, struct(mesh.abstract_mesh)),
    "by an array": lambda: spread(lambda a: a * 2, put("x")),
    "by a constraint": lambda: spread(lambda a: lax.with_sharding_constraint(a * 2, on("x")), A),
    "shard_map": lambda: called(X.shard_map(lambda a: lax.psum(a, "x"), mesh=mesh, in_specs=P("x"), out_specs=P()), put("x")),
    "for one device": lambda: called(lambda a: a * 2, put("x")),
    "open sizes": open_sizes,
    "explicit axes": explicit,
    "memories asked for": asked_memories,
    "memories of gradients": gradient_memories,
    "explicit axes in bytes": explicit_in_bytes,
    "explicit axes asked for": asked_in_types,
    "sums in bytes": sums_in_bytes,
    "gradient that reads no argument": lambda: where(
        [X.grad(lambda a: back(export.export(X.jit(lambda v: v * 2))(put("x")), 1).call(a).sum())(put("x"))]),
    "exported calls of exported calls": nested,
}
'''


@pytest.mark.parametrize("name", names_in(PROGRAM))
def test_exported_functions_run_on_as_many_devices(name: str) -> None:
    compare(PROGRAM, name, devices=4)


def test_another_number_of_devices_is_told() -> None:
    found = results(PROGRAM, "perspicax", 4)
    assert found["one device"]["text"].startswith("ExportedCallError: `both` was exported for 4 devices, and called on 1.")
    assert found["shardings"] == [4, ["P('x',)", None], ["P('x', 'y')", None]]
