"""Logical axes on eight devices, against JAX and Flax: where variables, the optimizer's state and activations lie, what the
devices tell each other in a step of training, and what is spread over devices by hand."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "xla"))

from side_by_side import compare, names_in, results

pytestmark = pytest.mark.oracle

PROGRAM = '''
import collections, functools, importlib, json, re, sys
import numpy as np

X = importlib.import_module(sys.argv[1])
F = "flax" if sys.argv[1] == "jax" else "perspicax.flax"
nn = importlib.import_module(F + ".linen")
partitioning = importlib.import_module(F + ".linen.partitioning")
jax_utils = importlib.import_module(F + ".jax_utils")
TrainState = importlib.import_module(F + ".training.train_state").TrainState
X.config.update("jax_debug_nans", False)
jnp = X.numpy
P, NS = X.sharding.PartitionSpec, X.sharding.NamedSharding
grid = np.array(X.devices())
mesh = X.sharding.Mesh(grid.reshape(2, 4), ("data", "model"))
RULES = (("batch", "data"), ("heads", "model"), ("mlp", "model"), ("embed", None))
seen = {}


def look(name, x):
    X.debug.inspect_array_sharding(x, callback=lambda s: seen.__setitem__(name, str(getattr(s, "spec", s))))
    return x


def weights(*names):
    plain = nn.initializers.constant(0.1)
    return nn.with_logical_partitioning(lambda key, shape, dtype=np.float32: plain(key, shape, dtype), names)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.Dense(32, kernel_init=weights("embed", "heads"), use_bias=False, name="in")(x)
        y = nn.with_logical_constraint(y.reshape(*x.shape[:2], 8, 4), ("batch", None, "heads", None))
        y = look("heads", nn.dot_product_attention(y, y, jnp.sin(y))).reshape(x.shape)
        y = nn.Dense(32, kernel_init=weights("heads", "embed"), use_bias=False, name="out")(y)
        x = nn.with_logical_constraint(x + y, ("batch", None, "embed"))
        y = jnp.tanh(nn.Dense(64, kernel_init=weights("embed", "mlp"), use_bias=False, name="up")(x))
        y = look("mlp", nn.with_logical_constraint(y, ("batch", None, "mlp")))
        return look("block", x + nn.Dense(32, kernel_init=weights("mlp", "embed"), use_bias=False, name="down")(y)), None


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        blocks = nn.scan(Block, length=2, variable_axes={"params": 0}, split_rngs={"params": True},
                         metadata_params={nn.PARTITION_NAME: "layers"})
        return blocks(name="blocks")(x)[0]


class Momentum(collections.namedtuple("Momentum", "rate")):
    def init(self, params):
        return X.tree.map(jnp.zeros_like, params), jnp.zeros((), np.int32)

    def update(self, slopes, state, params):
        kept = X.tree.map(lambda m, s: 0.9 * m + s, state[0], slopes)
        return X.tree.map(lambda m: -self.rate * m, kept), (kept, state[1] + 1)


def begin():
    params = Net().init(X.random.key(0), jnp.zeros((1, 8, 32)))["params"]
    return TrainState(0, Net().apply, params, Momentum(0.1), Momentum(0.1).init(params))


def step(state, x):
    loss, slopes = X.value_and_grad(lambda p: (state.apply_fn({"params": p}, x) ** 2).mean())(state.params)
    updates, kept = state.tx.update(slopes, state.opt_state, state.params)
    params = X.tree.map(lambda p, u: p + u, state.params, updates)
    return state.replace(params=params, opt_state=kept, step=state.step + 1), loss


def collectives(text):
    found = collections.Counter()
    for line in text.splitlines():
        made = re.search(r"= (.*?) (all-reduce|all-gather|collective-permute|reduce-scatter|all-to-all)(?:-start)?\\(", line)
        if made:
            over = re.search(r"replica_groups=(\\S+?),? ", line + " ")
            found[f"{made[2]} {re.sub(r'{[0-9,]*}', '', made[1])} {over and over[1]}"] += 1
    return dict(found)


@functools.cache
def trained():
    with X.set_mesh(mesh), nn.logical_axis_rules(RULES):
        places = nn.logical_to_mesh_sharding(nn.get_partition_spec(X.eval_shape(begin)), mesh, RULES)
        state = X.jit(begin, out_shardings=places)()
        x = X.device_put(np.linspace(-1, 1, 1024, dtype=np.float32).reshape(4, 8, 32), NS(mesh, P("data")))
        program = X.jit(step, out_shardings=(places, None)).lower(state, x).compile()
        return *program(state, x), program


def placed(tree):
    leaves = X.tree_util.tree_flatten_with_path(tree)[0]
    return {X.tree_util.keystr(path): (repr(x.sharding.spec), x.addressable_shards[0].data.shape, x.committed)
            for path, x in leaves}


def boxes():
    found = X.tree.leaves(trained()[0].params, is_leaf=lambda x: hasattr(x, "names"))
    return [(type(b).__name__, b.names) for b in found]


class Beside(nn.Module):
    @nn.compact
    def __call__(self, x):
        w = partitioning.param_with_axes("w", nn.initializers.ones, (4, 8), axes=("embed", "mlp"))
        n = partitioning.variable_with_axes("counts", "n", jnp.zeros, (8,), axes=("mlp",))
        y = partitioning.with_sharding_constraint(x @ w, ("batch", "mlp"))
        n.value = n.value + y.sum(0)
        return y


def beside():
    with X.set_mesh(mesh), partitioning.axis_rules(RULES):
        y, found = X.jit(lambda x: Beside().init_with_output(X.random.key(0), x))(np.ones((4, 4), np.float32))
        names = partitioning.get_axis_names(found["params_axes"])
        return placed({"y": y, "params": found["params"], "counts": found["counts"]}), repr(names), repr(
            partitioning.logical_to_mesh(names))


def boxed_by_mesh_axes():
    init = nn.with_partitioning(nn.initializers.ones, (None, "model"), mesh=mesh)
    module = nn.Dense(8, kernel_init=init, use_bias=False)
    made = X.jit(module.init)(X.random.key(0), np.ones((2, 4), np.float32))
    wanted = nn.get_sharding(X.eval_shape(module.init, X.random.key(0), np.ones((2, 4), np.float32)), mesh)
    return placed(made), [str(s.spec) for s in X.tree.leaves(wanted)]


class Normed(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.BatchNorm(use_running_average=False, axis_name="batch", momentum=0.5)(x)


def normed(spread):
    x = np.random.default_rng(1).normal(size=(8, 2, 3)).astype(np.float32)
    variables = Normed().init(X.random.key(0), x[0])
    y, changed = spread(lambda v, x: Normed().apply(v, x, mutable=["batch_stats"]))(variables, x)
    whole = (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5)
    stats = changed["batch_stats"]["BatchNorm_0"]
    mean = np.asarray(stats["mean"]).reshape(-1, 3)
    return (bool(np.allclose(np.asarray(y).reshape(x.shape), whole, atol=1e-4)), mean.shape,
            bool(np.allclose(mean, 0.5 * x.mean((0, 1)), atol=1e-5)), str(y.sharding.spec), str(stats["mean"].sharding.spec))


def by_shard_map(f):
    one = X.sharding.Mesh(grid, ("batch",))
    return X.jit(X.shard_map(lambda v, x: f(v, x[0]), mesh=one, in_specs=(P(), P("batch")), out_specs=(P("batch"), P())))


def spread(x):
    return x.shape, str(x.dtype), repr(x.sharding.spec), sorted(x.sharding.mesh.shape.items()), np.asarray(x).sum().item()


def padded():
    call = jax_utils.pad_shard_unpad(X.pmap(lambda k, x: x * k, in_axes=(None, 0)))
    out, more = call(2.0, np.ones((11, 2), np.float32)), call(3.0, np.ones((3, 2), np.float32), min_device_batch=2)
    return type(out).__name__, out.shape, float(out.sum()), more.shape, float(more.sum())


CASES = {
    "variables": lambda: placed(trained()[0].params),
    "optimizer": lambda: placed(trained()[0].opt_state),
    "boxes": boxes,
    "activations": lambda: (trained(), dict(sorted(seen.items())))[1],
    "collectives": lambda: [round(float(trained()[1]), 3), collectives(trained()[2].as_text())],
    "names beside": beside,
    "mesh axes": boxed_by_mesh_axes,
    "batch norm, pmap": lambda: normed(lambda f: X.pmap(f, axis_name="batch", in_axes=(None, 0))),
    "batch norm, shard_map": lambda: normed(by_shard_map),
    "replicate": lambda: [spread(x) for x in X.tree.leaves(jax_utils.replicate({"a": np.arange(3.0), "b": 2}, axis_name="i"))],
    "prefetch": lambda: [spread(x) for x in jax_utils.prefetch_to_device(
        (np.full((8, 2), i, np.float32) for i in range(3)), 2, axis_name="i")],
    "unreplicate": lambda: np.asarray(jax_utils.unreplicate(jax_utils.replicate(np.arange(3.0)))).tolist(),
    "pad": padded,
}
'''


@pytest.mark.parametrize("name", names_in(PROGRAM))
def test_eight_devices_have_what_they_have_with_flax(name: str) -> None:
    compare(PROGRAM, name, devices=8)


def test_axes_and_names_take_effect() -> None:
    found = results(PROGRAM, "perspicax", 8)
    assert found["variables"]["['blocks']['up']['kernel'].value"] == ["P(None, None, 'model')", [2, 32, 16], True]
    assert found["optimizer"]["[0]['blocks']['out']['kernel'].value"] == ["P(None, 'model', None)", [2, 8, 32], True]
    assert found["boxes"][0] == ["LogicallyPartitioned", ["layers", "mlp", "embed"]]
    assert sum(found["collectives"][1].values()) > 0
    assert found["batch norm, pmap"][:3] == [True, [8, 3], True]
