"""Types of exported functions: memories and explicit axes, in calls, in gradients and in bytes."""
from __future__ import annotations

import hashlib
import json
import struct

import numpy as np
import pytest

import perspicax as px
from perspicax import export
from perspicax.api.export_format import MAGIC

X = np.linspace(-1, 2, 12, dtype=np.float32).reshape(4, 3)
HOST = px.memory.Space.Host


@pytest.mark.parametrize(("given", "kind"), [(px.memory.Space.Host, "device"), (px.memory.Space.Device, "pinned_host")])
def test_results_are_in_the_memory_that_is_asked_for(given, kind):
    wanted = px.sharding.SingleDeviceSharding(px.devices()[0], memory_kind=kind)
    kept = export.export(px.jit(lambda a: a * 2, out_shardings=wanted))(px.device_put(X, given))
    for it in (kept, export.deserialize(kept.serialize())):
        doubled = it.call(px.device_put(X, given))
        assert px.typeof(doubled) == it.out_avals[0] and doubled.sharding.memory_kind == kind


def test_gradients_take_arguments_in_their_memories():
    kept = export.export(px.jit(lambda a: a * a))(px.device_put(X, HOST))
    for it in (kept, export.deserialize(kept.serialize(vjp_order=2))):
        for gradient in (it.vjp(), it.vjp().vjp()):
            assert gradient.in_avals[0] == it.in_avals[0] == gradient.out_avals[0] and it.in_avals[0].memory is HOST


def one_explicit():
    placed = px.device_put(X, px.NamedSharding(px.make_mesh((1,), ("x",), devices=px.devices()[:1]), px.P("x")))
    return placed, export.export(px.jit(lambda a: a * 2))(placed)


def test_types_stay_split_over_explicit_axes_in_bytes():
    placed, kept = one_explicit()
    it = export.deserialize(kept.serialize(vjp_order=1))
    assert it.in_avals == kept.in_avals == it.out_avals == kept.out_avals == (px.typeof(placed),) == it.vjp().out_avals
    assert px.typeof(px.lax.scan(lambda c, _: (it.call(c), None), placed, None, length=2)[0]) == px.typeof(placed)


def test_bytes_of_before_tell_split_types_too():
    placed, kept = one_explicit()
    body = bytes(kept.serialize())[50:]
    size, = struct.unpack_from("<I", body)
    said = json.loads(body[4:4 + size])
    for name in ("in_shardings", "out_shardings"):
        said[name] = [s[:3] for s in said[name]]  # version 2 told axes, parts and memory
    told = json.dumps(said).encode()
    body = struct.pack("<I", len(told)) + told + body[4 + size:]
    head = struct.pack("<HQ", 2, len(body))
    it = export.deserialize(MAGIC + head + hashlib.sha256(head + body).digest() + body)
    assert it.out_avals[0].str_short() == kept.out_avals[0].str_short() == "float32[4@x,3]"
    assert px.typeof(it.call(placed)) == px.typeof(placed)
