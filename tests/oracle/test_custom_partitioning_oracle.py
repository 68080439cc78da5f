"""`custom_partitioning` on eight devices, against JAX: results, shardings, collectives, rules and refusals."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "xla"))

from side_by_side import compare, names_in, results

pytestmark = pytest.mark.oracle

PROGRAM = '''
import importlib, json, sys
import numpy as np

X = importlib.import_module(sys.argv[1])
module = importlib.import_module(sys.argv[1] + ".experimental.custom_partitioning")
custom_partitioning, Rule = module.custom_partitioning, module.SdyShardingRule
jnp, P, NS = X.numpy, X.sharding.PartitionSpec, X.sharding.NamedSharding
mesh = X.sharding.Mesh(np.array(X.devices()).reshape(4, 2), ("x", "y"))
A = np.arange(32, dtype=np.float32).reshape(8, 4)
put = lambda a, *parts: X.device_put(a, NS(mesh, P(*parts)))
x = put(A, "x", "y")
asked = []


def keep_rows(sharding, shape):
    rank = len(shape.shape)
    most = min(len(sharding.spec), rank - 1)
    return NS(sharding.mesh, P(*sharding.spec[:most], *[None] * (rank - most)))


def whole_last(mesh, args, result):
    asked.append((dict(mesh.shape), args[0].shape, str(args[0].dtype), str(args[0].sharding.spec), str(result.sharding.spec)))
    return mesh, jnp.fft.fft, keep_rows(args[0].sharding, args[0]), (keep_rows(args[0].sharding, args[0]),)


@custom_partitioning
def fft(x):
    return jnp.fft.fft(x)


fft.def_partition(partition=whole_last, infer_sharding_from_operands=lambda mesh, a, r: keep_rows(a[0].sharding, a[0]),
                  sharding_rule="...i -> ...i")


def moves(f, a):
    text = X.jit(f).lower(a).compile().as_text()
    return [kind in text for kind in ("all-gather", "dynamic-slice", "all-reduce", "all-to-all")]


def where(a):
    return repr(a.sharding.spec), np.round(np.abs(np.asarray(a)), 3).tolist()


def as_they_are(of_part):
    return lambda mesh, args, result: (mesh, of_part, X.tree.map(lambda s: s.sharding, result),
                                       X.tree.map(lambda s: s.sharding, args))


def made(f, of_part, rule, static=(), **more):
    found = custom_partitioning(f, static_argnums=static)
    found.def_partition(as_they_are(of_part), sharding_rule=rule, **more)
    return found


def rule_of(f, rule, *args, **more):
    text = X.jit(made(f, f, rule, **more)).lower(*args).as_text()
    return text.split("#sdy.op_sharding_rule")[1].split(", custom>")[0]


def by_number(k, mesh, args, result):
    return mesh, lambda a: a * k, result.sharding, (args[0].sharding,)


def with_static():
    f = custom_partitioning(lambda a, k: a * k, static_argnums=(1,))
    f.def_partition(by_number, sharding_rule="a b -> a b")
    return where(X.jit(lambda a: f(a, 3))(x))


def raises(*_):
    raise KeyError("mine")


double = lambda a: a * 2
matrices = lambda *axes: X.device_put(np.tile(np.eye(3, dtype=np.float32) + 1, (8, 2, 1, 1)), NS(mesh, P(*axes)))
rows = put(A, "x")
total = lambda a: X.lax.psum(a.sum(1), "y")
tree = lambda t: {"twice": t["a"] * 2, "sum": t["a"].sum(1)}
per_row = as_they_are(lambda a: a[0])
CASES = {
    "fft": lambda: where(X.jit(fft)(put(A, "x"))),
    "fft of spread rows": lambda: where(X.jit(fft)(x)),
    "fft of one axis": lambda: where(X.jit(fft)(put(A[:, 0], "x"))),
    "what is asked": lambda: (asked.clear(), X.jit(fft)(rows), asked[0])[2],
    "nothing moves": lambda: [moves(fft, rows), moves(fft, put(A[:, 0], "x"))],
    "eagerly": lambda: where(fft(rows)),
    "one device": lambda: np.round(np.abs(np.asarray(fft(A[:2, :2]))), 3).tolist(),
    "collective": lambda: where(X.jit(made(lambda a: a.sum(1), total, "a b -> a", reduction_factors=("b",)))(x)),
    "tree": lambda: {k: where(v) for k, v in X.jit(made(tree, tree, "a b -> a, a b"))({"a": rows}).items()},
    "static": with_static,
    "within shard_map": lambda: where(X.jit(X.shard_map(made(double, raises, "a b -> a b"), mesh=mesh, in_specs=P("x"),
                                                        out_specs=P("x")))(rows)),
    "rule by a function": lambda: where(X.jit(made(double, double, lambda mesh, a, r: (
        "a b -> a b", {"need_replication_factors": ("b",)})))(rows)),
    "rules": lambda: [
        rule_of(double, "... i -> ... i", x), rule_of(double, Rule((("a", "b"),), (("a", "b"),)), x),
        rule_of(lambda a: a.reshape(8, 2, 2), "a (b c) -> a b c", x), rule_of(lambda a: a.sum(), "a b -> ", x),
        rule_of(double, "a (b c) -> a (b c)", x, b=2, c=2), rule_of(lambda a: a[:, :2], "a b -> a b", x),
        rule_of(lambda a, b: a @ b, "...i j, ...j k -> ...i k", x[None], x.T[None]),
        rule_of(lambda a, b: a @ b, "i j, j k -> i k", x, x.T, reduction_factors=("j",)),
        rule_of(lambda *a: a[0], ",".join(f"a{i} b{i}" for i in range(11)) + "->a0 b0", *[x] * 11)],
    "matrices stay where they are": lambda: [
        [moves(f, stack), repr(X.jit(f)(stack).sharding.spec)] for stack in (matrices("x"), matrices("x", "y")) for f in (
            jnp.linalg.cholesky, lambda a: jnp.linalg.eigh(a)[1], lambda a: jnp.linalg.solve(a, a[..., :1]),
            lambda a: jnp.linalg.svd(a)[1], jnp.linalg.det)],
    "raises": lambda: X.jit(made(double, double, "a b -> a b", )) and X.jit(
        (lambda f: (f.def_partition(raises, sharding_rule="a b -> a b"), f)[1])(custom_partitioning(double)))(x),
    "wrong types": lambda: X.jit(made(double, lambda a: a[0], "a b -> a b"))(rows),
    "no rule": lambda: X.jit(made(double, double, None))(rows),
    "functions in place of a rule": lambda: (lambda f: (f.def_partition(double, infer_sharding_from_operands=double), f)[1])(
        custom_partitioning(double))(x),
    "undefined": lambda: custom_partitioning(double)(x),
    "no function": lambda: custom_partitioning(3),
    "gradient": lambda: X.grad(lambda a: made(double, double, "a b -> a b")(a).sum())(x),
    "vmap": lambda: X.vmap(made(double, double, "a -> a"))(x),
    "no arrow": lambda: made(double, double, "a b"),
    "rank": lambda: X.jit(made(double, double, "a -> a"))(x),
    "operands": lambda: X.jit(made(double, double, "a b, c -> a b"))(x),
    "no text": lambda: made(double, double, 3),
    "unknown factor": lambda: made(double, double, "a b -> a b", reduction_factors=("z",)),
    "size not known": lambda: made(double, double, "a (b c) -> a (b c)", b=2),
    "size not needed": lambda: made(double, double, "a b -> a b", b=4),
    "sizes do not fit": lambda: X.jit(made(double, double, "a (b c) -> a (b c)", b=2, c=3))(x),
    "unbalanced": lambda: made(double, double, "a (b -> a b"),
    "nested": lambda: made(double, double, "a ((b c) d) -> a b"),
    "character": lambda: made(double, double, "a-b -> a b"),
    "ellipsis": lambda: made(double, double, "a ... -> a ..."),
}
'''


@pytest.mark.parametrize("name", names_in(PROGRAM))
def test_partitioned_functions_do_what_they_do_in_jax(name: str) -> None:
    compare(PROGRAM, name, devices=8)


def test_rows_that_are_whole_need_not_move() -> None:
    found = results(PROGRAM, "perspicax", 8)
    assert found["nothing moves"][0] == [False] * 4
    assert any(found["nothing moves"][1])
    for (gathers, _, reduces, exchanges), spec in found["matrices stay where they are"]:
        assert not (gathers or reduces or exchanges) and spec in ("P('x',)", "P('x', 'y')")
    assert found["raises"]["text"].startswith("PartitionerError: `raises`, which says how")
    assert "test" not in found["raises"]["text"] and "KeyError: 'mine'" in found["raises"]["text"]
