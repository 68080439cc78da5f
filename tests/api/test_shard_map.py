"""`shard_map`, `smap` and `pmap`: types that tell what varies, what does not fit, and eight devices against NumPy."""
from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import P, lax, shard_map
from perspicax.api.shard_errors import PmapAxisError, PmapError, ShardMapMeshError, ShardOutputError, ShardSpecError
from perspicax.core.printer import check_jaxpr
from perspicax.experimental.shard_map import shard_map as earlier_shard_map
from perspicax.lax.collective_errors import (
    CollectiveError,
    PartialSumError,
    ReductionAxesVaryError,
    UnboundAxisError,
)
from perspicax.sharding import AbstractMesh, Mesh
from perspicax.xla.sharding_errors import MeshAxisError, ShardingFitError

MESH = Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("x", "y"))
WIDE = AbstractMesh((4, 2), ("x", "y"))  # for types: no devices are needed
ALONG_X = P("x")
A = np.arange(32, dtype=np.float32).reshape(8, 4)


def over(f: Callable[..., Any], given: Any = ALONG_X, found: Any = ALONG_X, mesh: Any = WIDE, **options: Any) -> Any:
    return shard_map(f, mesh=mesh, in_specs=given, out_specs=found, **options)


def seen(f: Callable[..., Any], given: Any = ALONG_X, **options: Any) -> Any:
    """What the type of `f`'s result says inside."""
    types: list[Any] = []

    def inner(x: Any) -> Any:
        found = f(x)
        types.append(jax.typeof(found))
        return found[None] if not found.shape else found

    jax.make_jaxpr(over(inner, given, P(("x", "y")), **options))(A)
    return types[0]


# -- types

@pytest.mark.parametrize("f, axes", [
    (lambda x: x * 2, "x"), (lambda x: jnp.ones(2), ""), (lambda x: x + lax.axis_index("y"), "xy"),
    (lambda x: lax.psum(x, "x"), ""), (lambda x: lax.pmax(x, "x"), ""), (lambda x: lax.all_gather(x, "x"), "x"),
    (lambda x: lax.all_gather(x, "x", to="invarying"), ""), (lambda x: lax.ppermute(x, "y", [(0, 1)]), "xy"),
    (lambda x: lax.pcast(x, "y", to="varying"), "xy"),
    (lambda x: lax.psum(x, "x", axis_index_groups=[[0, 1], [2, 3]]), "x"),
    (lambda x: jax.jit(lambda v: v + lax.psum(v, "x"))(x), "x"),
    (lambda x: lax.scan(lambda c, v: (c + v, None), jnp.zeros(4), x)[0], "x"),
    (lambda x: lax.cond(lax.axis_index("y") > 0, lambda: 1.0, lambda: 2.0), "y"),
    (lambda x: jax.vmap(lambda v: lax.psum(v, ("i", "x")), axis_name="i")(x), ""),
    (lambda x: jax.grad(lambda w: (w * x).sum())(2.0), ""), (lambda x: lax.psum(1, ("x", "y")) * jnp.ones(()), "")])
def test_types_tell_along_which_axes_values_vary(f: Callable[..., Any], axes: str) -> None:
    assert jax.typeof(jnp.ones(2)).vma == frozenset()
    assert seen(f).vma == frozenset(axes)
    assert seen(f, check_vma=False).vma == frozenset()


def test_a_jaxpr_of_parts_is_sound_and_has_the_type_of_the_whole() -> None:
    f = over(lambda x, w: (lax.psum(x * w, "x"), x), (P("x", "y"), P()), (P(None, "y"), P("x", "y")))
    made = jax.make_jaxpr(f)(A, 2.0)
    check_jaxpr(made.jaxpr)
    (eqn,) = [e for e in made.jaxpr.eqns if e.primitive.name == "shard_map"]
    assert [v.aval.shape for v in eqn.outvars] == [(2, 4), (8, 4)]
    assert [v.aval.shape for v in eqn.params["jaxpr"].jaxpr.invars] == [(2, 2), ()]
    assert eqn.params["newly_manual_axes"] == frozenset(("x", "y"))


def test_nothing_is_summed_that_is_the_same_for_all() -> None:
    f = over(lambda w, x: w * x, (P(), P("x")), P("x"))
    text = str(jax.make_jaxpr(jax.grad(lambda w, x: f(w, x).sum(), (0, 1)))(2.0, A))
    assert text.count("psum_invariant") == 1


# -- one device: the same programs

def test_one_device_is_a_mesh_too() -> None:
    def f(x: Any) -> Any:
        total = lax.psum(x.sum(), ("x", "y"))
        moved = lax.ppermute(lax.all_gather(x, "x", tiled=True), "y", [(0, 0)])
        return moved * total + lax.axis_index("x"), total

    mapped = over(f, P("x", "y"), (P("x", "y"), P()), mesh=MESH)
    for g in (mapped, jax.jit(mapped)):
        x, total = g(A)
        assert np.array_equal(x, A * A.sum()) and total == A.sum()
    assert np.array_equal(jax.grad(lambda a: mapped(a)[1])(A), np.ones((8, 4)))
    assert np.array_equal(earlier_shard_map(lambda x: x + 1, MESH, P("x"), P("x"), check_rep=False)(A), A + 1)
    as_decorator = shard_map(mesh=MESH, in_specs=P(), out_specs=P())
    assert as_decorator(lambda x: x * 2)(3) == 6


def test_pmap_over_one_device() -> None:
    assert jax.pmap(lambda x, y: x * lax.axis_size("i") + y, "i", in_axes=(0, None))(A[:1], 1.0).tolist() == [[1, 2, 3, 4]]
    assert jax.pmap(lambda k, x: x + k, static_broadcasted_argnums=0)(2, A[:1]).tolist() == [[2, 3, 4, 5]]
    assert "tensor<1x4xf32>" in jax.pmap(lambda x: lax.psum(x, "i"), "i").lower(A[:1]).as_text()


def test_sums_of_several_ranks_over_one_device() -> None:
    """XLA fails where it puts them together."""
    found = jax.jit(over(lambda x: (lax.psum(x, "x"), lax.psum(x[None], "x")), P("x"), P(), MESH))(A)
    assert [x.shape for x in found] == [(8, 4), (1, 8, 4)]


# -- what does not fit

def fails(error: type[Exception], f: Callable[[], Any], **fields: Any) -> Any:
    with pytest.raises(error) as caught:
        f()
    for name, value in fields.items():
        assert getattr(caught.value, name) == value
    assert str(caught.value)
    return caught.value


def total(x: Any) -> Any:
    return x.sum()


def test_meshes_that_do_not_fit() -> None:
    fails(ShardMapMeshError, lambda: shard_map(total, in_specs=P(), out_specs=P())(A), kind="none")
    fails(ShardMapMeshError, lambda: over(total, mesh="x")(A), kind="type")
    error = fails(ShardMapMeshError, lambda: over(total, axis_names={"z"})(A), kind="names", axes=("z",))
    assert "'x', 'y'" in str(error)
    inner = over(total, P(), P())
    fails(ShardMapMeshError, lambda: over(inner)(A), kind="manual", axes=("x", "y"))
    fails(ShardMapMeshError, lambda: over(over(total, P(), P(), mesh=AbstractMesh((8,), ("z",))))(A), kind="other")


def test_specifications_that_do_not_fit() -> None:
    fails(ShardSpecError, lambda: over(lambda x, y: x, (P(),))(A, A), kind="tree", option="in_specs")
    fails(ShardSpecError, lambda: over(lambda x: x, found=(P("x"),))(A), kind="tree", option="out_specs")
    fails(ShardSpecError, lambda: over(total, "x")(A), kind="type", got="'x'")
    fails(ShardSpecError, lambda: over(total, P("y"), axis_names={"x"})(A), kind="manual", got="'y'", axes=("x",))
    fails(ShardSpecError, lambda: over(total)(A), kind="rank", name="`result`", type_text="float32[]{V:x}")
    fails(ShardSpecError, lambda: shard_map(total, mesh=WIDE, out_specs=P())(A), kind="infer")
    fails(ShardSpecError, lambda: over(total)(x=A), kind="keyword", name="x")
    fails(MeshAxisError, lambda: over(total, P("z"))(A), kind="unknown", axis="z")
    fails(MeshAxisError, lambda: over(total, P("x", "x"))(A), kind="twice", axis="x")
    error = fails(ShardingFitError, lambda: over(lambda p: p["w"], ({"w": P("x")},))({"w": A[:6]}), kind="uneven",
                  name="p['w']")
    assert "6 / 4 leaves 2" in str(error)
    with jax.set_mesh(MESH):
        fails(ShardSpecError, lambda: jax.smap(total, in_axes="x", out_axes=0, axis_name="x"), kind="axis", transform="smap")


def test_results_that_vary_are_not_taken_for_one() -> None:
    error = fails(ShardOutputError, lambda: over(lambda x: {"a": x, "b": x * 2}, P("x", "y"), P(None, "y"))(A))
    assert [(name, axes) for name, _, _, axes in error.rows] == [("`result['a']`", ("x",)), ("`result['b']`", ("x",))]
    jax.make_jaxpr(over(lambda x: x, found=P(), check_vma=False))(A)  # nobody looks


def test_collectives_that_do_not_fit() -> None:
    fails(UnboundAxisError, lambda: over(lambda x: lax.psum(x, "z"))(A), axis="z", known=("x", "y"))
    fails(ReductionAxesVaryError, lambda: over(lambda x: lax.psum(x, ("x", "y")))(A), varying=("x",), invariant=("y",))
    fails(CollectiveError, lambda: over(lambda x: lax.pbroadcast(x, ("x", "y"), 8))(A))
    for groups in ([[0, 1]], [[0, 1, 2], [3]], 3):
        fails(CollectiveError, lambda: over(lambda x: lax.all_gather(x, "x", axis_index_groups=groups))(A))
    fails(PartialSumError, lambda: over(lambda x: lax.pcast(x, "x", to="varying"))(A), kind="cast", source="varying")
    cast = functools.partial(lax.pcast, axis_name="x")
    for f, kind in ((lambda x: cast(x, to="reduced"), "cast"), (lambda x: lax.pmax(cast(x, to="unreduced"), "x"), "unreduced"),
                    (lambda x: lax.psum(cast(x, to="unreduced"), ("x", "y")), "mixed"),
                    (lambda x: lax.psum(lax.pcast(x, "y", to="reduced"), "y"), "reduced"),
                    (lambda x: lax.all_gather(x, "y", to="reduced"), "same"),
                    (lambda x: lax.cond(x.sum() > 0, lambda u: u, lambda u: u + u, cast(x, to="unreduced")), "unreduced")):
        fails(PartialSumError, lambda: over(f)(A), kind=kind)
    fails(CollectiveError, lambda: over(lambda x: cast(x, to="unreduced"), check_vma=False)(A))


def test_pmaps_that_do_not_fit() -> None:
    fails(PmapError, lambda: jax.pmap(lambda x: x)(1.0), kind="none")
    fails(PmapError, lambda: jax.pmap(lambda x, y: x)(A, A[:1]), kind="sizes")
    fails(PmapError, lambda: jax.pmap(lambda x: x)(np.ones((1000, 1))), kind="devices", count=1000)
    fails(PmapError, lambda: jax.pmap(lambda x: x, axis_size=3)(A[:1]), kind="size", count=1, wanted=3)
    fails(PmapError, lambda: jax.pmap(jax.pmap(lambda x: x))(A[:1, :1]), kind="nested")
    fails(PmapError, lambda: jax.pmap(lambda k, x: x, static_broadcasted_argnums=0)([1], A[:1]), kind="hash", name="k")
    fails(PmapError, lambda: jax.pmap(lambda x: x, static_broadcasted_argnums=0, donate_argnums=0), kind="both")
    fails(PmapError, lambda: jax.pmap(3), kind="callable")
    fails(PmapAxisError, lambda: jax.pmap(lambda x: x, in_axes=2)(A), got="2", count=2)
    fails(ShardSpecError, lambda: jax.pmap(lambda x: x, in_axes="a")(A), kind="axis", transform="pmap")


# -- eight devices

PROGRAM = """
import json
import numpy as np
import perspicax as jax
import perspicax.numpy as jnp
from perspicax import P, lax, shard_map
from perspicax.flax import jax_utils

mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(4, 2), ("x", "y"))
A = np.arange(32, dtype=np.float32).reshape(8, 4)
facts = {}
over = lambda f, given, found, **options: shard_map(f, mesh=mesh, in_specs=given, out_specs=found, **options)

def inner(x):
    # what is split along x by the function around it is split along y by this one
    part = shard_map(lambda v: lax.psum(v, "y") * (1 + lax.axis_index("y")), in_specs=P(None, "y"), out_specs=P(None, "y"),
                     axis_names={"y"})
    return part(x) + lax.axis_index("x")

nested = over(inner, P("x"), P("x"), axis_names={"x"})
pairs = A.reshape(8, 2, 2).sum(1)
wanted = np.concatenate([pairs, 2 * pairs], 1) + np.arange(4).repeat(2)[:, None]
facts["nested"] = np.array_equal(nested(A), wanted)
grad = jax.grad(lambda a: (nested(a) * A).sum())(A)
facts["nested gradient"] = np.allclose(grad, np.tile((A.reshape(8, 2, 2) * [[[1], [2]]]).sum(1), (1, 2)))

spread = lax.pbroadcast
facts["pbroadcast"] = np.array_equal(over(lambda x: spread(x, "x", 2), P("x"), P("x"))(A), np.tile(A[4:6], (4, 1)))
facts["pbroadcast along two"] = np.array_equal(  # the places are counted along the last axis first: 5 is (2, 1)
    over(lambda x: spread(x, ("x", "y"), 5), P("x", "y"), P("x", "y"))(A), np.tile(A[4:6, 2:], (4, 2)))
facts["free variable"] = float(jax.grad(lambda w: over(lambda x: x * w, P("x"), P("x"))(A).sum())(2.0)) == A.sum()

def chosen(w, x):
    return lax.cond(lax.axis_index("x") < 1, lambda: w * x, lambda: 2 * w * x)
grad = jax.grad(lambda w: over(chosen, (P(), P("x")), P("x"))(w, A).sum())(1.0)
facts["branches that differ"] = float(grad) == A[:2].sum() + 2 * A[2:].sum()

keys = jax.random.split(jax.random.key(0), 8)
facts["keys"] = np.array_equal(over(jax.vmap(lambda k: jax.random.bits(k, (2,))), P("x"), P("x"))(keys),
                               jax.vmap(lambda k: jax.random.bits(k, (2,)))(keys))
seen = []
jax.block_until_ready(over(lambda x: (jax.debug.callback(lambda v: seen.append(v.sum().item()), x), x)[1], P("x"), P("x"))(A))
jax.effects_barrier()
facts["callback"] = sorted(set(seen)) == [A[2 * i:2 * i + 2].sum().item() for i in range(4)] and len(seen) == 8
with jax.set_mesh(mesh):
    facts["smap"] = np.array_equal(jax.smap(lambda x: lax.psum(x, "x"), in_axes=1, out_axes=None, axis_name="x")(A),
                                   A.sum(1, keepdims=True))
placed = jax.device_put(A, jax.NamedSharding(mesh, P("x")))
found = jax.jit(over(lambda x: x + 1, P("x"), P("x")))(placed)
facts["where"] = [str(found.sharding.spec), str(over(lambda x: x, P(), P("y"))(A).sharding.spec)]

def step(state, batch):
    slope = jax.grad(lambda w: ((batch @ w) ** 2).mean())(state)
    return state - 0.01 * lax.pmean(slope, "batch")
state = jax_utils.replicate(np.ones(4, np.float32))
trained = jax_utils.unreplicate(jax.pmap(step, axis_name="batch")(state, A[:, None]))
facts["replicated"] = np.allclose(trained, 1 - 0.01 * np.mean([2 * a * a.sum() for a in A], 0))
padded = jax_utils.pad_shard_unpad(jax.pmap(lambda k, x: x * k, in_axes=(None, 0)), static_argnums=(0,))(2, np.ones((10, 3)))
facts["padded"] = padded.shape == (10, 3) and bool((padded == 2).all())
donated = jnp.ones((8, 2))
result = jax.pmap(lambda x: x + 1, donate_argnums=0)(donated)
facts["two axes of devices"] = np.array_equal(jax.pmap(jax.vmap(lambda x: x * 2))(A), 2 * A)
def refused(f):
    try:
        f()
    except Exception as error:
        return type(error).__name__

with jax.debug_nans(True):
    facts["nan"] = refused(lambda: over(lambda x: jnp.log(x - 5), P("x"), P("x"))(A)) == "NonFiniteError"
whole = over(lambda x: lax.psum(x, "x"), P("x"), P())
facts["exported"] = np.array_equal(jax.export.export(jax.jit(whole))(A).call(placed), whole(A))
from perspicax.experimental import checkify
def small(x):
    checkify.check((x < 18).all(), "x is {x}", x=x[0, 0])
    return x * 2

def told(f, *args, errors=checkify.all_checks):
    error, out = checkify.checkify(f, errors=errors)(*args)
    return [line.rpartition(" (")[0].removeprefix("at mapped index ") for line in (error.get() or "").splitlines()]

in_rows, both = over(small, P("x"), P("x")), over(small, P("x", "y"), P("x", "y"))
partly = over(small, P("x"), P("x"), axis_names={"x"})
def in_a_loop(x):
    return lax.fori_loop(0, 2, lambda i, y: lax.cond(y[0, 0] < 9, small, jnp.log, y), x - 4)

def again(x):
    error, out = checkify.checkify(in_rows)(x)
    checkify.check_error(error)
    return out

facts["checks"] = [
    told(in_rows, A), told(in_rows, A * 0), told(jax.jit(both), A), told(over(in_a_loop, P("x"), P("x")), A),
    told(jax.grad(lambda x: over(small, P("x"), P("x"), check_vma=False)(x).sum()), A),
    told(jax.jit(again), A, errors=checkify.user_checks),
    told(lambda x: (both(x), partly(x * 9)), A), told(jax.pmap(lambda x: 1 / x), A[:, 0] - 8, errors=checkify.div_checks),
    told(jax.pmap(lambda x: lax.psum(jnp.arange(3)[x], "i"), axis_name="i"), np.arange(8), errors=checkify.index_checks)[:2]]
print(json.dumps({k: v if isinstance(v, list) else bool(v) for k, v in facts.items()}))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    env = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=200, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [
    "nested", "nested gradient", "pbroadcast", "pbroadcast along two", "free variable", "branches that differ", "keys",
    "callback", "smap", "replicated", "padded", "nan", "exported", "two axes of devices"])
def test_on_eight_devices(facts: dict[str, Any], name: str) -> None:
    assert facts[name]


def test_results_lie_as_out_specs_says(facts: dict[str, Any]) -> None:
    assert facts["where"] == ["P('x',)", "P('y',)"]


def test_checks_tell_the_devices_on_which_they_failed(facts: dict[str, Any]) -> None:
    rows = [f"{i}: x is {x}" for i, x in ((4, 16.0), (5, 18.0), (6, 24.0), (7, 26.0))]
    beyond = "index {0} is out of bounds for axis 0 with size 3, of an array of shape (3,)"
    plain, nothing, both, loop, slope, again, two, division, indices = facts["checks"]
    assert nothing == [] and loop and both == rows
    assert plain == slope == [f"{i}: x is {x}" for i, x in ((4, 16.0), (5, 16.0), (6, 24.0), (7, 24.0))]
    assert again == ["x is 16.0"]  # what is handed on is one error
    assert two == [*[f"{i}: x is 0.0" for i in range(4)], *rows]  # of four devices beside eight, the first that failed
    assert division == ["2: division by zero"] and indices == [f"{i}: {beyond.format(i)}" for i in (3, 4)]


def test_the_abstract_mesh_tells_what_is_manual() -> None:
    seen: list[Any] = []

    def body(a: Any) -> Any:
        seen.append(jax.sharding.get_abstract_mesh())
        return a if "y" in seen[-1].manual_axes else lax.with_sharding_constraint(a, P(None, "y"))  # in terms of this mesh

    x = np.ones((2, 2), np.float32)
    for names in ({"x"}, {"x", "y"}):
        jax.jit(jax.shard_map(body, mesh=MESH, in_specs=P("x"), out_specs=P("x"), axis_names=names))(x)
        assert set(seen[-1].manual_axes) == names
        assert seen[-1].axis_names == MESH.axis_names
    assert jax.sharding.get_abstract_mesh().empty


def test_nothing_to_map_over_is_told() -> None:
    with pytest.raises(PmapError, match="`rows` is float32"):
        jax.pmap(lambda rows: rows)(np.zeros((0, 3), np.float32))
