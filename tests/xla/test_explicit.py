"""Sharding in types: on 8 devices the same types, refusals, shardings and values as JAX, case by case."""
from __future__ import annotations

import pickle

import numpy as np
import pytest
from side_by_side import compare, names_in

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.api.shard_errors import ShardSpecError
from perspicax.lax.collective_errors import CollectiveNotThereYet, PartialSumError
from perspicax.lax.explicit_errors import ConstraintMismatchError, ShardingTypeError, SplitRowsError
from perspicax.xla import explicit
from perspicax.xla.mesh import AbstractMesh, AxisType
from perspicax.xla.sharding_errors import MeshAxisError

P = jax.P

PROGRAM = '''
import importlib, json, sys
import numpy as np

X = importlib.import_module(sys.argv[-1])
numpy = importlib.import_module(sys.argv[-1] + ".numpy")
lax, P, Named = X.lax, X.P, X.NamedSharding
A = np.arange(32, dtype="float32").reshape(8, 4) / 32
mesh = X.make_mesh((4, 2), ("x", "y"))
mixed = X.make_mesh((4, 2), ("x", "y"), axis_types=(X.sharding.AxisType.Explicit, X.sharding.AxisType.Auto))
placed = X.device_put(A, Named(mesh, P("x", "y")))                 # types know meshes that are not set
half = X.jit(lambda x: (x * 2).T)(X.device_put(A, Named(mixed, P("x", "y"))))
asked = X.jit(lambda v, n: (v * n, v.sum(0)), in_shardings=(Named(mesh, P("x", "y")), None))
rows = X.device_put(A, Named(mesh, P(None, "y")))
outside = [[str(X.typeof(v)), str(v.sharding.spec)] for v in (
    placed, placed * 2, placed.sum(0), half, *asked(asked(A, 2)[0], 2), *[v + rows[0] for v in rows][:2],
    numpy.zeros_like(X.ShapeDtypeStruct((8, 4), "float32", sharding=placed.sharding)))]
bare = X.typeof(numpy.ones((3, 2))).sharding
bare = [str(bare), str(bare.mesh), str(bare.spec)]
X.set_mesh(mesh)
a, r, c, xy = [X.device_put(A, P(*p)) for p in (("x", "y"), ("x",), (None, "x"), (("x", "y"),))]
w4 = numpy.arange(16.).reshape(4, 4) / 8
n, w, ids = numpy.ones((8, 4)), X.device_put(A[:4, :2], P(None, "y")), X.device_put(np.arange(8) % 4, P("x"))
stack = X.device_put(np.ones((8, 3, 6), "float32"), P("x"))


def types(f, *args):
    """The types of the results, and nothing is run."""
    return [str(t) for t in X.make_jaxpr(f)(*args).out_avals]


def run(f, *args):
    """Type, specification and sum of each result."""
    return [[str(X.typeof(v)), str(v.sharding.spec), round(float(np.asarray(v, "float32").sum()), 3)]
            for v in X.tree.leaves(f(*args))]


def inside(f, *args):
    """The type that a value has within a function, and those of the results."""
    seen = []
    out = types(lambda *xs: f(lambda v: (seen.append(str(X.typeof(v))), v)[1], *xs), *args)
    return [seen[0], out]


def loss(w, x):
    return numpy.sum(numpy.tanh(x @ w) ** 2)


def summed(r, **split):
    """A sum over `x` that is not made yet."""
    return numpy.einsum("bi,bj->ij", r, r, out_sharding=P(unreduced={"x"}, **split))


def marked(w):
    """`w`, whose cotangent is such a sum."""
    return X.reshard(w, P(reduced={"x"}))


def made(f, *args):
    """The types of results, and of each the sum, once it is made."""
    whole = X.jit(lambda *args: [X.reshard(v, P()) for v in X.tree.leaves(f(*args))])
    return types(f, *args), [round(float(np.asarray(v, "float64").sum()), 3) for v in whole(*args)]


MARKED, UNMADE = P(reduced={"x"}), P(unreduced={"x"})


def within(f, in_specs, out_specs):
    return X.shard_map(f, in_specs=in_specs, out_specs=out_specs)


def cast(x, to, axis="x"):
    return lax.pcast(x, axis, to=to)


def slope(w, r, mark=lambda w: w, spec=MARKED):
    return numpy.sum(within(lambda w, r: lax.psum(numpy.tanh(r * mark(w)[:2]) * mark(w)[2:], "x"), (spec, P("x")), P())(w, r))


def auto(f, **options):
    return X.sharding.auto_axes(f, **options)


CASES = {
    "outside": lambda: outside,
    "bare": lambda: bare,
    "arguments": lambda: [str(X.typeof(v)) for v in (a, r, c, xy, n, 3.0)],
    "elementwise": lambda: types(lambda a, r, n: (a + r, r + n, r * 2, a < r, numpy.sin(a), a.astype(int), r[:, :1] + a),
                                 a, r, n),
    "same axis twice": lambda: types(lambda r, c: r + c, r, c),
    "where, clip, softmax": lambda: types(lambda a, r: (numpy.where(r > 0, r, 0.), numpy.clip(a, 0, 1),
                                                        X.nn.softmax(r, axis=0), X.nn.gelu(a)), a, r),
    "reductions": lambda: types(lambda a: (a.sum(), a.sum(0), a.max(1, keepdims=True), a.argmax(1), a.var(0),
                                           (a > 0).any(0)), a),
    "axes moved": lambda: types(lambda a, xy: (a.T, xy.T, a[:, None], a[None], numpy.broadcast_to(a, (3, 8, 4)),
                                               lax.rev(a, (0,)), a[:, ::-1]), a, xy),
    "products": lambda: types(lambda r, n, w: (r @ w, r.T @ n, numpy.einsum("bi,bj->bij", r, r),
                                               numpy.outer(r[:, 0], n[0])), r, n, w),
    "sum left open": lambda: types(lambda r: r.T @ r, r),
    "contracted differently": lambda: types(lambda a, b: a @ b, a, X.reshard(n.T, P("x", None))),
    "free axes alike": lambda: types(lambda r, b: r @ b, r, X.reshard(n.T, P(None, "x"))),
    "product placed": lambda: types(lambda r: (
        numpy.matmul(r.T, r, out_sharding=P("y", None)), numpy.einsum("bi,bj->ij", r, r, out_sharding=P()),
        lax.dot_general(r, r, (((0,), (0,)), ((), ())), out_sharding=P("x", None)),
        numpy.matmul(r.T, r, out_sharding=P(unreduced={"x"}))), r),
    "reshapes": lambda: types(lambda a, r, xy: (r.reshape(8, 2, 2), r.reshape(4, 2, 4), a.reshape(-1), r.reshape(1, 8, 4, 1),
                                                xy.reshape(4, 2, 4), a.reshape(8, 2, 2)), a, r, xy),
    "split below the pieces": lambda: types(lambda r: r.reshape(2, 4, 4), r),
    "merged before": lambda: types(lambda c: c.reshape(32), c),
    "neither": lambda: types(lambda r: r.reshape(4, 8), r),
    "reshape placed": lambda: types(lambda c: (numpy.reshape(c, (32,), out_sharding=P("x")), c.ravel(out_sharding=P())), c),
    "joined": lambda: types(lambda r: (numpy.concatenate([r, r], 1), numpy.concatenate([r, r], 0), numpy.stack([r, r])), r),
    "joined with whole": lambda: types(lambda r, n: numpy.concatenate([r, n], 1), r, n),
    "cut": lambda: types(lambda r: (lax.slice(r, (0, 0), (4, 4)), numpy.pad(r, ((0, 8), (0, 2))), *numpy.split(r, 2, 0),
                                    lax.dynamic_slice(r, (0, 1), (8, 2)), r[:, 1]), r),
    "cut unevenly": lambda: types(lambda r: lax.slice(r, (0, 0), (6, 4)), r),
    "padded unevenly": lambda: types(lambda r: numpy.pad(r, ((0, 2), (0, 0))), r),
    "indexed by what is split": lambda: types(lambda r, i: r[i], r, numpy.arange(4)),
    "indexed along whole axes": lambda: types(lambda r, i: (r[:, i], numpy.take_along_axis(r, i[:, None][:8], 1)
                                                            if i.shape[0] == 8 else r[:, i[0]]), r, numpy.arange(4)),
    "row": lambda: types(lambda r: r[0], r),
    "rows placed": lambda: types(lambda r: (r.at[numpy.arange(4)].get(out_sharding=P("x", None)),
                                            r.at[numpy.arange(2)].set(1., out_sharding=P("x", None))), r),
    "embedding": lambda: types(lambda t, i: t.at[i].get(out_sharding=P("x", None)), n, ids),
    "embedding left open": lambda: types(lambda t, i: t[i], n, ids),
    "updated": lambda: types(lambda r: r.at[:, 0].set(1.), r),
    "updated along split": lambda: types(lambda r: r.at[0].add(1.), r),
    "along whole axes": lambda: types(lambda r: (numpy.cumsum(r, 1), numpy.sort(r, 1), lax.top_k(r, 2)[0],
                                                 numpy.argsort(r, 1)), r),
    "sorted along split": lambda: types(lambda r: numpy.sort(r, 0), r),
    "summed up along split": lambda: types(lambda r: numpy.cumsum(r, 0), r),
    "convolution": lambda: types(lambda x, k: lax.conv_general_dilated(x, k, (1,), "SAME"), stack, numpy.ones((5, 3, 3))),
    "made": lambda: types(lambda r, a: (numpy.zeros((8, 4), out_sharding=P("x")), numpy.zeros_like(r), numpy.full_like(a, 2.),
                                        X.random.normal(X.random.key(0), (8, 4), out_sharding=P("x")),
                                        lax.broadcasted_iota(int, (8, 4), 0, out_sharding=P("x", None))), r, a),
    "gradients": lambda: types(X.grad(loss, argnums=(0, 1)), w, a) + types(X.grad(lambda b: numpy.sum(numpy.sin(a + b))), n[0])
    + types(X.grad(lambda x: numpy.sum(X.reshard(x, P(None, "y")) ** 2)), r)
    + types(X.grad(lambda k: numpy.sum(lax.conv_general_dilated(stack, k, (1,), "SAME") ** 2)), numpy.ones((5, 3, 3)))
    + types(X.grad(lambda t: numpy.sum(t.at[ids].get(out_sharding=P("x", None)) ** 2)), n),
    "in a batch": lambda: inside(lambda spy, a: X.vmap(lambda x: spy(x * 2).sum())(a), a)
    + inside(lambda spy, a: X.vmap(lambda x: spy(x), in_axes=1, out_axes=1)(a), a)
    + inside(lambda spy, r: X.vmap(lambda x: spy(numpy.ones(3)))(r), r),
    "batches that differ": lambda: types(lambda r, n: X.vmap(lambda x, y: x + y)(r, n), r, n),
    "loops": lambda: inside(lambda spy, r: lax.scan(lambda t, x: (spy(t + x), t), r[:, 0], r.T), r)
    + types(X.grad(lambda r: numpy.sum(lax.scan(lambda t, x: (numpy.sin(t + x), t), r[:, 0], r.T)[1])), r)
    + types(lambda r: lax.while_loop(lambda t: t.sum() < 9., lambda t: t + 1, r), r),
    "rows split": lambda: types(lambda r: lax.scan(lambda t, x: (t + x, x), numpy.zeros(4), r), r),
    "carry split": lambda: types(lambda r: lax.scan(lambda t, x: (t + x, x), numpy.zeros(8), r.T), r),
    "branches that differ": lambda: types(lambda r: lax.cond(True, lambda x: x, lambda x: n, r), r),
    "constraint": lambda: types(lambda r: lax.with_sharding_constraint(r, P("x")), r),
    "constraint that differs": lambda: types(lambda r: lax.with_sharding_constraint(r, P("y")), r),
    "auto axes": lambda: inside(lambda spy, r: auto(lambda y: spy(y.T @ y), out_sharding=P("y"))(r), r)
    + inside(lambda spy, a: auto(lambda y: spy(y * 1), axes="x", out_sharding=P(None, "y"))(a), a)
    + types(X.grad(lambda r: auto(lambda y: numpy.sum(y.T @ y), out_sharding=P())(r)), r)
    + types(auto(lambda y: lax.with_sharding_constraint(y * 1, P("y")), out_sharding=P()), r),
    "auto axes left open": lambda: types(lambda r: auto(lambda y: y)(r), r),
    "explicit axes that are": lambda: inside(lambda spy, r: X.sharding.explicit_axes(spy, in_sharding=P("x"))(r), r),
    "explicit axes": lambda: inside(lambda spy, r: auto(lambda y: X.sharding.explicit_axes(spy, in_sharding=P("x"))(y),
                                                        out_sharding=P())(r), r),
    "parts": lambda: inside(lambda spy, r: X.shard_map(lambda x: spy(x * 2), in_specs=P("x"), out_specs=P("x"))(r), r)
    + inside(lambda spy, r: X.shard_map(spy, out_specs=P("x"))(r), r)
    + inside(lambda spy, a: X.shard_map(spy, in_specs=P("x"), out_specs=P("x"), axis_names={"x"})(a), a),
    "parts that differ": lambda: types(lambda r: X.shard_map(lambda x: x, in_specs=P("y"), out_specs=P("y"))(r), r),
    "struct": lambda: str(X.eval_shape(lambda x: x.T, X.ShapeDtypeStruct((8, 4), "float32", sharding=Named(
        mesh.abstract_mesh, P("x"))))),
    "unknown axis": lambda: X.reshard(r, P("z")),
    "uneven": lambda: types(lambda x: X.reshard(x, P("x")), np.ones(6)),
    "run": lambda: run(X.jit(lambda a, r, w: (a.T, a.sum(0), X.reshard(r, P(None, "x")), r @ w, r.reshape(32),
                                             a.max())), a, r, w),
    "run placed": lambda: run(X.jit(lambda r, t, i: (numpy.matmul(r.T, r, out_sharding=P("y", None)), t.at[i].get(
        out_sharding=P("x", None)), auto(lambda y: y.T @ y, out_sharding=P("y"))(r))), r, n, ids),
    "sums to be made": lambda: inside(lambda spy, r: (lambda u: X.reshard(spy(u + u), P()))(
        numpy.matmul(r.T, r, out_sharding=P(unreduced={"x"}))), r),
    "run sums": lambda: run(X.jit(lambda r: X.reshard(numpy.matmul(r.T, r, out_sharding=P(unreduced={"x"})), P("x"))), r),
    "sums handed on": lambda: made(lambda r: (lambda u: (
        u + u, u.T, u.reshape(2, 2, 4), u.sum(0), numpy.concatenate([u, u]), numpy.where(n[:4] > 0, u, u),
        u.astype("bfloat16"), numpy.pad(u, 1), u * marked(w4), lax.scan(lambda c, _: (c + c, None), u, None, 2)[0],
        lax.full_like(u, 0.)))(summed(r)), r),
    "sums laid otherwise": lambda: made(lambda r: (lambda u: (X.reshard(u, P("x", "y")), X.reshard(u, P(unreduced={"x", "y"})),
        X.reshard(u, P(None, "y", unreduced={"x"})), marked(u), X.reshard(w4, P(unreduced={"x"}))))(summed(r)), r),
    "sums of other mesh axes": lambda: types(lambda r: numpy.einsum("bi,bj->ij", r, r, out_sharding=P(unreduced={"y"})), r),
    "sine of a sum": lambda: types(lambda r: numpy.sin(summed(r)), r),
    "sum and whole": lambda: types(lambda r: summed(r) + n[:4], r),
    "sum times whole": lambda: types(lambda r: summed(r) * n[:4], r),
    "product of a sum": lambda: types(lambda r: summed(r) @ n[:4], r),
    "largest of a sum": lambda: types(lambda r: summed(r).max(0), r),
    "value of a sum": lambda: np.asarray(X.jit(summed)(r)),
    "marks handed on": lambda: made(lambda w: (w * 2 + 1, w * w, numpy.sin(w).T, w.sum(0), w > 1, w @ n[:4],
                                               numpy.tril(w)), marked(w4)),
    "marked and whole": lambda: types(lambda w: w + n[:4], marked(w4)),
    "largest of marked": lambda: types(lambda w: w.max(0), marked(w4)),
    "gradients that are sums": lambda: made(X.grad(loss), marked(w4), r) + made(X.grad(lambda w, r: numpy.sum(
        r @ numpy.tril(w * numpy.sin(w) + w.T).astype("bfloat16").astype("float32")[:, :2])), marked(w4), r)
    + made(X.grad(lambda w, r: numpy.sum(lax.scan(lambda c, w: (numpy.tanh(c @ w), None), r, w)[0])),
           marked(numpy.stack([w4, w4])), r)
    + made(X.grad(X.checkpoint(lambda w, r: lax.cond(r.sum() > 0, lambda w: numpy.sum(r @ w), lambda w: 0., w))), marked(w4), r)
    + made(X.grad(lambda w, r: numpy.sum(r @ marked(w))), w4, r)
    + made(X.grad(lambda p, r: numpy.sum(r @ p["w"])), {"w": marked(w4), "unused": marked(w4)}, r),
    "parts of sums": lambda: made(lambda r: within(lambda r: (
        lax.psum(cast(r, "unreduced"), "x"), lax.psum_scatter(cast(numpy.tile(r, (2, 1)), "unreduced"), "x"),
        lax.all_gather(r, "x", to="reduced", tiled=True), r), P("x"), (P(), P("x"), MARKED, UNMADE))(r), r)
    + made(lambda m, r: within(lambda m, u, r: (
        numpy.sin(m) * m, m[:2] * r, (u + u).T * m, lax.pmean(u, "x"), cast(m, "varying"), cast(u, "varying", "y"),
        m[0] @ m[1]), (MARKED, UNMADE, P("x")),
        (MARKED, P("x"), UNMADE, P(), P("x"), P("y", unreduced={"x"}), P()))(m, summed(r), r), marked(w4), r)
    + types(lambda r: X.shard_map(lambda u: lax.psum(u, "x"), out_specs=P())(summed(r)), r),
    "gradients by parts of sums": lambda: made(X.grad(slope), marked(w4), r) + made(X.grad(slope, argnums=1), marked(w4), r)
    + made(X.grad(lambda w, r: slope(w, r, lambda w: cast(w, "reduced"), P())), w4, r)
    + made(X.grad(lambda r: numpy.sum(within(lambda r: lax.psum(numpy.sin(lax.all_gather(r, "x", to="reduced")) * (
        1. + lax.axis_index("x")), "x"), P("x"), P())(r))), r),
    "kinds of parts": lambda: types(lambda m, u, r: within(lambda m, u, r: tuple([numpy.zeros((), str(
        X.typeof(v).manual_axis_type == X.sharding.ManualAxisType(**k)) == "True" and "int8" or "int32") for v, k in (
            (m, {"reduced": {"x"}}), (u, {"unreduced": {"x"}}), (r, {"varying": {"x"}}))]),
        (MARKED, UNMADE, P("x")), (P(), P(), P()))(m, u, r), marked(w4), X.jit(summed)(r), r) + [repr(k) for k in (
            X.sharding.ManualAxisType(unreduced={"x"}).to_ct_mat(), X.sharding.ManualAxisType(varying={"x"}).update(
                varying={"y"}), X.typeof(X.jit(summed)(r)).mat)],
    "kinds that exclude each other": lambda: X.sharding.ManualAxisType(varying={"x"}, unreduced={"x"}),
    "kind of no kind": lambda: X.ShapeDtypeStruct((2,), "float32", manual_axis_type=3),
    "kinds of no set": lambda: X.sharding.ManualAxisType(varying="x"),
    "cast of a part": lambda: types(lambda u: within(lambda u: cast(u, "varying"), UNMADE, P("x"))(u), summed(r)),
    "cast of a whole": lambda: types(lambda w: within(lambda w: cast(w, "unreduced"), P(), P())(w), w4),
    "cast of what varies": lambda: types(lambda r: within(lambda r: cast(r, "reduced"), P("x"), P())(r), r),
    "sum of a mark": lambda: types(lambda m: within(lambda m: lax.psum(m, "x"), MARKED, P())(m), marked(w4)),
    "part that is whole": lambda: types(lambda u: within(lambda u: u, UNMADE, P())(u), summed(r)),
    "mark that is gone": lambda: types(lambda m: within(lambda m: m, MARKED, P())(m), marked(w4)),
    "parts of a whole": lambda: types(lambda w: within(lambda w: w, UNMADE, UNMADE)(w), w4),
    "parts over some axes": lambda: types(lambda u: X.shard_map(
        lambda u: u, in_specs=UNMADE, out_specs=UNMADE, axis_names={"x"})(u), summed(r)),
    "told ahead": lambda: [str(v.sharding) for v in X.tree.leaves(X.jit(lambda r: (r * 2, r.sum())).lower(r).out_info)]
    + [str(X.jit(lambda r: r, out_shardings=Named(mesh, P("y"))).trace(r).out_info.sharding),
       Named(mesh, UNMADE).is_equivalent_to(Named(mesh, P(None, unreduced={"x"})), 2)]
    + types(X.jit(lambda u: u + u, in_shardings=Named(mesh, UNMADE)), X.jit(summed)(r)),
    "run sums eagerly": lambda: run(lambda: (lambda u: X.reshard(u.T + u * marked(w4), P()))(summed(r))),
    "run gradients": lambda: run(X.jit(X.grad(loss, argnums=(0, 1))), w, a) + run(X.grad(loss), w, r),
    "run eagerly": lambda: run(lambda: [r * 2, r + n[0], a.sum(1), X.reshard(a, P()), r.at[0].get(out_sharding=P("y"))]),
}
'''


@pytest.mark.oracle
@pytest.mark.parametrize("name", names_in(PROGRAM))
def test_as_jax_does(name):
    compare(PROGRAM, name, devices=8)


# -- on one device

@pytest.fixture
def split():
    """An array whose type is split, and the name of the axis."""
    with jax.set_mesh(jax.make_mesh((1,), ("x",))):
        yield jax.reshard(jnp.ones((8, 4)), P("x", None))


def test_types_without_explicit_axes_are_as_they_were():
    aval = jax.typeof(jnp.ones((3, 2)))
    assert aval.explicit is None and aval.sharding.spec == P(None, None) and aval.sharding.mesh.empty
    assert str(aval) == "float32[3,2]" and aval.laid(None) is aval


def test_types_are_equal_by_identity_and_can_be_pickled(split):
    aval = jax.typeof(split)
    assert jax.typeof(split * 2) is aval and str(aval) == "float32[8@x,4]"
    assert str(pickle.loads(pickle.dumps(aval))) == str(aval)
    assert aval.unbatched(0) is jax.typeof(jnp.ones(4)) and aval.unbatched(0).batched(8, 0, explicit.axis_part(aval, 0)) is aval


def test_only_explicit_axes_are_part_of_a_type():
    mesh = AbstractMesh((2, 2, 2), ("x", "y", "z"), (AxisType.Explicit, AxisType.Auto, AxisType.Explicit))
    found = explicit.part_of_type(jax.NamedSharding(mesh, P(("x", "y"), "z")), 3)
    assert found.spec == P("x", "z", None)
    assert explicit.part_of_type(jax.NamedSharding(mesh, P("y")), 1) is None


def test_what_cannot_be_told_says_which_operand_and_axes(split):
    with pytest.raises(ShardingTypeError) as told:
        split.T @ split
    assert (told.value.kind, told.value.operation) == ("contracted", "dot_general")
    assert (told.value.axes, told.value.others) == ((1,), (0,))
    with pytest.raises(ShardingTypeError) as told:
        jnp.cumsum(split, axis=0)
    assert (told.value.kind, told.value.index, told.value.axes) == ("along", 0, (0,))


def test_what_has_no_rule_is_refused(split):
    with pytest.raises(ShardingTypeError) as told:
        lax.ragged_dot(split, jnp.ones((2, 4, 3)), jnp.array([4, 4]))
    assert (told.value.kind, told.value.index) == ("rule", 0)


def test_a_sum_that_was_not_made_goes_into_further_sums_alone(split):
    product = jnp.matmul(split.T, split, out_sharding=P(unreduced={"x"}))
    assert str(jax.typeof(product + product)) == "float32[4,4]{U:x}"
    with pytest.raises(ShardingTypeError) as told:
        jnp.sin(product)
    assert told.value.kind == "sum"
    assert str(jax.typeof(-product - 2 * product)) == "float32[4,4]{U:x}"
    with pytest.raises(ShardingTypeError) as told:
        jnp.matmul(product, product, out_sharding=P())
    assert told.value.kind == "sum"
    with pytest.raises(ShardingTypeError, match="makes no such sum") as told:
        jnp.matmul(jnp.ones((4, 4)), jnp.ones((4, 4)), out_sharding=P(unreduced={"x"}))
    assert told.value.kind == "asked"
    assert float(jax.shard_map(lambda u: lax.psum(u, "x"), out_specs=P())(product).sum()) == 128
    with pytest.raises(ShardSpecError) as spec:
        jax.shard_map(lambda u: u, out_specs=P())(product)
    assert (spec.value.kind, spec.value.wanted) == ("marks", "P(unreduced={'x'})")
    with pytest.raises(ShardSpecError) as spec:
        jax.shard_map(lambda u: u, in_specs=P(), out_specs=P())(product)
    assert spec.value.kind == "explicit"
    with pytest.raises(ShardingTypeError) as told:
        jax.shard_map(jnp.sin, out_specs=P())(product)
    assert (told.value.kind, told.value.within) == ("sum", ("x",))
    for f, error in ((lambda u: jax.reshard(u, P()), PartialSumError),
                     (lambda u: jnp.matmul(u.T, u, out_sharding=P("x")), MeshAxisError),
                     (lambda u: lax.psum(u, "x", axis_index_groups=[[0]]), CollectiveNotThereYet)):
        with pytest.raises(error):
            jax.shard_map(f, out_specs=P())(product)


def test_parts_of_sums_go_through_loops_branches_and_batches(split):
    """JAX refuses these."""
    w, rows = jax.reshard(jnp.arange(1., 4), P(reduced={"x"})), jax.reshard(jnp.ones((2, 3)), P("x"))

    times = jax.custom_jvp(lambda v, w: v * w)
    times.defjvp(lambda xs, ts: (xs[0] * xs[1], ts[0] * xs[1] + xs[0] * ts[1]))

    def turns(w, rows):
        summed = lax.scan(lambda c, row: (c + row * w, None), jnp.zeros(3), rows)[0]
        return lax.psum(lax.cond(rows[0, 0] > 0, lambda: times(summed, w), lambda: summed).sum() + jnp.dot(w, w), "x")

    f = jax.shard_map(turns, in_specs=(P(reduced={"x"}), P("x")), out_specs=P())
    slope = jax.grad(f)(w, rows)
    assert str(jax.typeof(slope)) == "float32[3]{U:x}"
    np.testing.assert_array_equal(jax.reshard(slope, P()), 6 * np.arange(1., 4))  # of 2 w² + w²
    batch = jax.reshard(jnp.stack([w, 2 * w]), P(reduced={"x"}))
    np.testing.assert_array_equal(jax.vmap(f, in_axes=(0, None))(batch, rows), [42, 168])
    cubes = jax.shard_map(lambda w: (lax.pcast(w, "x", to="reduced") ** 3).sum(), in_specs=P(), out_specs=P(reduced={"x"}))
    np.testing.assert_array_equal(jax.hessian(lambda w: jax.reshard(cubes(w), P()))(jnp.ones(2)), 6 * np.eye(2))


def test_what_the_cotangent_of_is_a_sum_meets_its_like_alone(split):
    marked = jax.reshard(jnp.ones((4, 4)), P(reduced={"x"}))
    assert str(jax.typeof(jnp.sin(marked) * 2)) == "float32[4,4]{R:x}"
    for f, kind in ((lambda: marked + jnp.ones((4, 4)), "marks"), (lambda: marked.max(0), "reduced")):
        with pytest.raises(ShardingTypeError) as told:
            f()
        assert told.value.kind == kind


def test_a_value_that_is_made_a_sum_stays_what_it_is():
    """JAX counts a constant once for each device."""
    with jax.set_mesh(jax.make_mesh((1,), ("x",))):
        assert float(jax.jit(lambda: jax.reshard(jnp.ones(4, out_sharding=P(unreduced={"x"})), P()).sum())()) == 4


def test_a_sum_that_is_put_somewhere_stays_the_sum_that_it_is(split):
    """JAX does not put them on their devices outside of programs."""
    laid = jax.device_put(np.ones((4, 4)), P(unreduced={"x"}))
    assert str(jax.typeof(laid)) == "float32[4,4]{U:x}"
    assert float(jax.device_put(laid, P("x")).sum()) == 16


def test_rows_and_constraints(split):
    with pytest.raises(SplitRowsError) as told:
        lax.scan(lambda t, x: (t, x), 0., {"rows": split})
    assert told.value.name == "xs['rows']"
    with pytest.raises(ConstraintMismatchError) as wrong:
        lax.with_sharding_constraint(jnp.ones(4), P("x"))
    assert wrong.value.spec == P("x")


def test_samples_are_the_same_however_they_lie(split):
    key = jax.random.key(3)
    laid = jax.random.uniform(key, (8, 4), out_sharding=P("x", None))
    assert jax.typeof(laid) is jax.typeof(split)
    np.testing.assert_array_equal(laid, jax.random.uniform(key, (8, 4)))
