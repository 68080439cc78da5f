"""`ragged_all_to_all` against what its documentation says, over axes of `vmap` and of a mesh; `psend` and `precv`."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as jax
from perspicax import lax
from perspicax import numpy as jnp
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet
from perspicax.test_util import check_grads
from perspicax.transform.errors import LoweringPlatformError

Plan = tuple[np.ndarray, ...]


def plan(seed: int, n: int, k: int, rows: int) -> Plan:
    """Offsets and sizes `[n, n k]` of slices that go to rows of their own; some are empty, and some rows go to two places."""
    rng = np.random.RandomState(seed)
    sizes = rng.randint(0, 3, (n, n * k))
    begins = rng.randint(0, rows - 2, (n, n * k))
    starts = np.zeros((n, n * k), int)
    for receiver in range(n):
        at = 0
        for sender in rng.permutation(n):
            for slot in range(receiver * k, receiver * k + k):
                starts[sender, slot] = at
                at += sizes[sender, slot] + rng.randint(0, 2)
    received = sizes.reshape(n, n, k).transpose(1, 0, 2).reshape(n, n * k)
    return tuple(x.astype(np.int32) for x in (begins, sizes, starts, received))


def exchanged(x: np.ndarray, output: np.ndarray, begins: np.ndarray, sizes: np.ndarray, starts: np.ndarray, _: Any) -> Any:
    """Slot by slot."""
    n, slots = begins.shape
    result = output.copy()
    for sender in range(n):
        for slot in range(slots):
            size = sizes[sender, slot]
            part = x[sender, begins[sender, slot]:begins[sender, slot] + size]
            result[slot * n // slots, starts[sender, slot]:starts[sender, slot] + size] = part
    return result


def over_vmap(*args: Any) -> Any:
    return jax.vmap(lambda *each: lax.ragged_all_to_all(*each, axis_name="i"), axis_name="i")(*args)


N, ROWS, RECEIVED = 3, 5, 16


@pytest.mark.parametrize(("k", "shape", "dtype"), [(1, (), np.float32), (2, (2,), np.int8), (2, (), bool)])
def test_each_slice_arrives_where_its_sender_says(k: int, shape: tuple, dtype: Any) -> None:
    rng = np.random.RandomState(k)
    x = rng.randint(0, 100, (N, ROWS, *shape)).astype(dtype)
    output = rng.randint(0, 100, (N, RECEIVED * k, *shape)).astype(dtype)
    for seed in range(3):
        offsets = plan(seed, N, k, ROWS)
        found = over_vmap(x, output, *offsets)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, exchanged(x, output, *offsets))


def test_exchanges_side_by_side_do_not_mix() -> None:
    """A batch axis that is not the named one, of all operands or of the rows alone."""
    rng = np.random.RandomState(0)
    x, output = rng.rand(2, N, ROWS, 2).astype("f"), rng.rand(2, N, RECEIVED, 2).astype("f")
    plans = [plan(seed, N, 1, ROWS) for seed in (0, 1)]
    found = jax.vmap(over_vmap)(x, output, *map(np.stack, zip(*plans)))
    np.testing.assert_array_equal(found, [exchanged(*xo, *p) for *xo, p in zip(x, output, plans)])
    rows_alone = jax.vmap(lambda *one: lax.ragged_all_to_all(*one, axis_name="i"), (0, 0, None, None, None, None))
    inside = jax.vmap(rows_alone, in_axes=(1, 1, 0, 0, 0, 0), out_axes=1, axis_name="i")(x, output, *plans[0])
    np.testing.assert_array_equal(inside, [exchanged(*xo, *plans[0]) for xo in zip(x, output)])


def test_derivatives() -> None:
    """Rows that are sent twice count twice; what is overwritten counts nothing."""
    rng = np.random.RandomState(0)
    x, output = rng.rand(N, ROWS).astype("f"), rng.rand(N, RECEIVED).astype("f")
    offsets = plan(4, N, 1, ROWS)
    check_grads(lambda x, output: over_vmap(x, output, *offsets), (x, output), order=2)
    to_x, to_output = jax.vjp(lambda x, output: over_vmap(x, output, *offsets), x, output)[1](jnp.ones((N, RECEIVED)))
    assert to_x.sum() == offsets[1].sum()
    assert to_output.sum() == N * RECEIVED - offsets[1].sum()


@pytest.mark.parametrize(("change", "text"), [
    (lambda x, out, *offsets: (x, out[:, None], *offsets), "all their axes but the first agree"),
    (lambda x, out, *offsets: (x, out.astype(jnp.int32), *offsets), "they have one dtype"),
    (lambda x, out, *offsets: (x, out, offsets[0].astype(jnp.float32), *offsets[1:]), "input_offsets of type float32"),
    (lambda x, out, *offsets: (x, out, *[o[:2] for o in offsets]), "2 slots along an axis of size 3"),
])
def test_what_does_not_fit_is_told(change: Callable[..., Any], text: str) -> None:
    args = np.ones((N, ROWS), "f"), np.ones((N, RECEIVED), "f"), *plan(0, N, 1, ROWS)
    with pytest.raises(CollectiveError, match=text):
        jax.vmap(lambda *each: lax.ragged_all_to_all(*change(*each), axis_name="i"), axis_name="i")(*args)


ON_A_MESH = """
import numpy as np
import perspicax as jax
from perspicax import lax
from perspicax.sharding import AxisType, Mesh, PartitionSpec as P
from tests.lax.test_ragged_exchange import exchanged, plan

mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("a", "b"))
rng = np.random.RandomState(0)


def over_mesh(names, groups=None):
    def each(*args):
        return lax.ragged_all_to_all(*[x[0] for x in args], axis_name=names, axis_index_groups=groups)[None]

    return jax.jit(jax.shard_map(each, mesh=mesh, in_specs=P(("a", "b")), out_specs=P(("a", "b"))))


x, output = rng.rand(4, 5, 2).astype("f"), rng.rand(4, 30, 2).astype("f")
whole = plan(0, 4, 2, 5)
np.testing.assert_array_equal(over_mesh(("a", "b"))(x, output, *whole), exchanged(x, output, *whole))
halves = [plan(seed, 2, 1, 5) for seed in (1, 2)]
joined = list(map(np.concatenate, zip(*halves)))
expected = [exchanged(x[s], output[s], *p) for s, p in zip((slice(0, 2), slice(2, 4)), halves)]
np.testing.assert_array_equal(over_mesh("b")(x, output, *joined), np.concatenate(expected))
crossed = [plan(seed, 2, 1, 5) for seed in (1, 2)]
places = [[3, 0], [1, 2]]
order = np.argsort(sum(places, []))
joined = [np.concatenate(v)[order] for v in zip(*crossed)]
expected = np.concatenate([exchanged(x[p], output[p], *c) for p, c in zip(places, crossed)])[order]
np.testing.assert_array_equal(over_mesh(("a", "b"), places)(x, output, *joined), expected)
back = jax.vjp(lambda x, o: over_mesh(("a", "b"))(x, o, *whole), x, output)[1](np.ones_like(output))
flat = jax.vjp(lambda x, o: jax.vmap(lambda *e: lax.ragged_all_to_all(*e, axis_name="i"), axis_name="i")(x, o, *whole), x,
               output)[1](np.ones_like(output))
for mine, theirs in zip(back, flat):
    np.testing.assert_array_equal(mine, theirs)
"""


def test_on_devices() -> None:
    """Over one axis, over two as one, within groups; gradients as over an axis of `vmap`."""
    env = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run([sys.executable, "-c", ON_A_MESH], env=env, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]


def sent_and_received(x: Any) -> Any:
    return lax.precv(lax.psend(x, "i", [(0, 0)]), x, "i", [(0, 0)])


def test_one_sided_transfers_are_staged_and_refused_where_there_are_none() -> None:
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    move = jax.shard_map(sent_and_received, mesh=mesh, in_specs=jax.P("i"), out_specs=jax.P("i"), check_vma=False)
    text = str(jax.make_jaxpr(move)(np.ones(4, "f")))
    assert "psend[axis_name=('i',) perm=((0, 0),)]" in text and ":Tok" in text
    with pytest.raises(NotImplementedError, match=r"psend` works on GPUs only; this program is compiled for cpu"):
        jax.jit(move)(np.ones(4, "f"))
    with pytest.raises(CollectiveNotThereYet):
        jax.vmap(sent_and_received, axis_name="i")(np.ones((1, 4), "f"))
    with pytest.raises(CollectiveError, match=r"`lax\.precv` was given 0 twice"):
        jax.make_jaxpr(jax.shard_map(lambda x: lax.precv(lax.create_token(), x, "i", [(0, 0), (0, 0)]), mesh=mesh,
                                     in_specs=jax.P("i"), out_specs=jax.P("i"), check_vma=False))(np.ones(4, "f"))


def test_the_program_of_a_gpu_can_be_read_without_one() -> None:
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    move = jax.jit(jax.shard_map(sent_and_received, mesh=mesh, in_specs=jax.P("i"), out_specs=jax.P("i"), check_vma=False))
    lowered = move.trace(np.ones(4, "f")).lower(lowering_platforms=("cuda",))
    lowered.compiler_ir()  # it parses
    assert "stablehlo.send" in lowered.as_text() and "stablehlo.recv" in lowered.as_text()
    with pytest.raises(LoweringPlatformError, match="lowered for cuda was to be compiled for cpu"):
        lowered.compile()
    with pytest.raises(LoweringPlatformError, match="was given 2 platforms"):
        move.trace(np.ones(4, "f")).lower(lowering_platforms=("cpu", "cuda"))
