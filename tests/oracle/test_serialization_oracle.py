"""The same tree gives the same bytes as in Flax, and each reads what the other wrote."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import perspicax.numpy as jnp
from perspicax.flax import serialization as ours

pytestmark = pytest.mark.oracle
theirs = pytest.importorskip("flax.serialization")
jax_numpy = pytest.importorskip("jax.numpy")

NARROW = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "float8_e8m0fnu", "float4_e2m1fn", "int4", "uint4",
          "int2"]
PLAIN = ["bool", "int8", "uint16", "int64", "float16", "float64", "complex64", "complex128"]
TREES: dict[str, Any] = {
    "numbers": [0, 127, 128, 255, 256, 65536, 2**32, 2**64 - 1, -1, -32, -33, -129, -32769, -(2**31) - 1, -(2**63), 1.5, 1j,
                True, None],
    "text and bytes": {"a": "é" * 20, "b" * 40: "x" * 300, "c": b"q" * 300, "d": "y" * 70000, "e": b"z" * 70000, "f": b""},
    "lengths": {"a": [0] * 15, "b": [0] * 16, "c": [[]] * 70000, "d": {str(i): i for i in range(300)}, "e": {}},
    "keys": {3: 2, -1: 3, True: 4, 2.5: 1},
    "dtypes": {name: np.arange(4).astype(name) for name in PLAIN},
    "narrow": {name: np.ones(3, getattr(ml_dtypes, name)) for name in NARROW},
    "scalars": {"a": np.float32(2), "b": np.float64(1), "c": np.bool_(True), "d": np.complex64(1),
                "e": ml_dtypes.bfloat16(2), "f": np.int8(3)},
    "shapes": {"a": np.ones(()), "b": np.zeros((0, 3)), "c": np.ones((1,) * 20, np.int8), "d": np.ones((300, 70), np.int8)},
    "orders": {"a": np.asfortranarray(np.arange(6).reshape(2, 3)), "b": np.arange(6)[::2],
               "list": [np.arange(3), {"x": np.arange(2)}]},
    "times": {"a": np.array(["2020-01-01"], "M8[D]"), "b": np.array([3], "m8[ns]")},
    "large": {"x": np.arange(3000.0), "y": [np.arange(5000, dtype=np.int16)]},
}


@pytest.mark.parametrize("name", TREES)
def test_the_bytes_are_the_same(name: str) -> None:
    assert ours.msgpack_serialize(TREES[name]) == theirs.msgpack_serialize(TREES[name])
    assert ours.msgpack_serialize(TREES[name], in_place=True) == theirs.msgpack_serialize(TREES[name], in_place=True)


@pytest.mark.parametrize("name", TREES)
def test_the_bytes_are_the_same_in_chunks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ours, theirs):
        monkeypatch.setattr(module, "MAX_CHUNK_SIZE", 24)
    assert ours.msgpack_serialize(TREES[name]) == theirs.msgpack_serialize(TREES[name])


def test_trees_of_types_and_arrays_of_each_library() -> None:
    ones = {"w": jnp.ones((2, 3), jnp.bfloat16), "t": (1, [jnp.arange(3)]), "s": jnp.float32(2)}
    others = {"w": jax_numpy.ones((2, 3), jax_numpy.bfloat16), "t": (1, [jax_numpy.arange(3)]), "s": jax_numpy.float32(2)}
    assert ours.to_bytes(ones) == theirs.to_bytes(others)
    for encoded in (ours.to_bytes(ones), theirs.to_bytes(others)):
        a, b = ours.from_bytes(ones, encoded), theirs.from_bytes(others, encoded)
        assert str(a) == str(b)


@pytest.mark.parametrize("state, target", [
    ({"a": 1}, {"a": 0, "b": 1}), ({"a": {"0": 1}}, {"a": (1, 2)}), ({"x": 1}, {"x": [1]}), ({"a": 1, "b": 2}, {"a": 0}),
    ({"a": np.ones(2)}, {"a": np.ones(3)})])
def test_the_same_states_fit(state: Any, target: Any) -> None:
    outcomes = []
    for module in (ours, theirs):
        try:
            outcomes.append(str(module.from_state_dict(target, state)))
        except Exception as error:
            outcomes.append("refused")
            assert module is theirs or isinstance(error, (ValueError, KeyError))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("value", [(1,), {"a": {1}}, np.array([None]), 2**64])
def test_the_same_values_are_refused_with_a_class_that_catches(value: Any) -> None:
    with pytest.raises(Exception) as their_error:
        theirs.msgpack_serialize(value)
    with pytest.raises(type(their_error.value)):
        ours.msgpack_serialize(value)
