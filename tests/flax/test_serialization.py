"""State dicts and bytes: what is written reads back, and nothing else does."""
from __future__ import annotations

import random as python_random
import struct
import tracemalloc
from collections import namedtuple
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import random, tree_util
from perspicax.flax import core, serialization
from perspicax.flax.cursor import cursor
from perspicax.flax.serialization_errors import DamagedBytesError, NotSerializableError
from perspicax.flax.traverse_util import flatten_dict
from perspicax.flax.tree_errors import StateDictError, StateMismatchError

Pair = namedtuple("Pair", ["left", "right"])


def small_tree() -> dict[str, Any]:
    return {"params": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "mask": np.array([True, False])},
            "half": np.ones(2, ml_dtypes.bfloat16), "step": 70000, "name": "café", "done": None, "on": True, "rate": 0.25,
            "z": 1 + 2j, "raw": b"\x00\xff", "many": [1, -1, {"deep": np.int8(3)}]}


def forged(tree: dict[str, Any]) -> bytes:
    """The bytes of a dict with names that cannot be written, since they say what the dict stands for."""
    data = serialization.msgpack_serialize({name.replace("__", "!!"): value for name, value in tree.items()})
    return data.replace(b"!!", b"__")


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b), (a, b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
    else:
        assert a == b


def test_what_is_written_reads_back() -> None:
    tree = small_tree()
    same(serialization.msgpack_restore(serialization.msgpack_serialize(tree, in_place=True)), tree)
    found = serialization.msgpack_restore(serialization.msgpack_serialize(tree))
    assert list(found) == sorted(tree), "sorted, as in Flax"
    same({key: found[key] for key in tree if key != "many"}, {key: tree[key] for key in tree if key != "many"})


NARROW = [name for name in vars(ml_dtypes) if name.startswith(("float", "int", "uint", "bfloat"))]


@pytest.mark.parametrize("dtype", [*(getattr(ml_dtypes, name) for name in NARROW), "?", "i1", "i2", "i4", "i8", "u1", "u2",
                                   "u4", "u8", "f2", "f4", "f8", "c8", "c16", "M8[ns]", "m8[D]"], ids=str)
def test_dtypes(dtype: Any) -> None:
    for shape in [(), (0, 3), (2, 1), (1,) * 20]:
        array = np.zeros(int(np.prod(shape)), dtype)
        if array.size:
            array[0] = 1
        array = array.reshape(shape)
        found = serialization.msgpack_restore(serialization.msgpack_serialize([array]))
        same(found, [array])
        assert found[0].flags.aligned and found[0].flags.writeable


@pytest.mark.parametrize("value", [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, -1, -32, -33, -128, -129,
                                   -32768, -32769, -(2**31), -(2**31) - 1, -(2**63), 1.5, float("inf"), "a" * 31, "a" * 32,
                                   "a" * 256, "é" * 40000, b"", b"x" * 255, b"x" * 256, b"x" * 70000, [0] * 15, [0] * 16,
                                   [0] * 70000, {str(i): i for i in range(20)}, {str(i): i for i in range(70000)}],
                         ids=lambda value: repr(value)[:12])
def test_every_length_and_width(value: Any) -> None:
    same(serialization.msgpack_restore(serialization.msgpack_serialize(value, in_place=True)), value)


def test_other_orders_of_memory_are_written_by_value() -> None:
    base = np.arange(12, dtype=np.int32).reshape(3, 4)
    for array in (np.asfortranarray(base), base[::2, ::-1], base.T, base.astype(">i4")):
        assert (serialization.msgpack_restore(serialization.msgpack_serialize(array)) == array).all()


def test_arrays_and_keys_of_the_library() -> None:
    keys = random.split(random.key(5, impl="rbg"), 2)
    tree = {"x": jnp.ones((2, 2), "bfloat16"), "key": random.key(3), "keys": keys}
    found = serialization.from_bytes(tree, serialization.to_bytes(tree))
    assert found["x"].dtype == jnp.bfloat16 and found["x"].shape == (2, 2)
    assert found["key"] == tree["key"]
    assert found["keys"].dtype == keys.dtype and (random.key_data(found["keys"]) == random.key_data(keys)).all()


def test_large_arrays_are_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {"a": np.arange(7, dtype=np.int16).reshape(7, 1), "b": {"c": np.arange(5.0)}, "small": np.arange(2)}
    whole = serialization.msgpack_serialize(tree)
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 10)
    parts = serialization.msgpack_serialize(tree)
    assert len(parts) > len(whole) and b"__msgpack_chunked_array__" in parts
    same(serialization.msgpack_restore(parts), tree)
    top = np.arange(100, dtype=np.uint8)
    same(serialization.msgpack_restore(serialization.msgpack_serialize(top, in_place=True)), top)


def test_parts_are_put_together_by_their_numbers() -> None:
    parts = {str(i): np.array([i]) for i in sorted(range(12), key=str)}
    found = restore(forged({"__msgpack_chunked_array__": True, "shape": {"0": 12}, "chunks": parts}))
    assert list(found) == list(range(12))


def test_trees_of_registered_types() -> None:
    tree = {"pair": Pair(1, (2, [3])), "frozen": core.freeze({"a": {"b": 1}}), 7: "number",
            "partial": tree_util.Partial(print, 4, end="")}
    target = {"pair": Pair(0, (0, [0])), "frozen": core.freeze({"a": {"b": 0}}), 7: "",
              "partial": tree_util.Partial(print, 0, end="x")}
    found = serialization.from_bytes(target, serialization.to_bytes(tree))
    assert found["pair"] == tree["pair"] and found["frozen"] == tree["frozen"] and found[7] == "number"
    assert (found["partial"].args, found["partial"].keywords, found["partial"].func) == ((4,), {"end": ""}, print)


def test_a_type_can_be_registered_once() -> None:
    class Celsius:
        def __init__(self, degrees: float) -> None:
            self.degrees = degrees

    paths = []

    def restore(target: Celsius, state: Any) -> Celsius:
        paths.append(serialization.current_path())
        return Celsius(state["degrees"])

    assert not serialization.is_serializable(Celsius(1.0))
    serialization.register_serialization_state(Celsius, lambda value: {"degrees": value.degrees}, restore)
    assert serialization.is_serializable(Celsius(1.0)) and serialization.is_serializable(Celsius)
    found = serialization.from_bytes({"t": [Celsius(0)]}, serialization.to_bytes({"t": [Celsius(3.5)]}))
    assert found["t"][0].degrees == 3.5
    assert paths == ["./t/0"] and serialization.current_path() == ""
    with pytest.raises(StateDictError):
        serialization.register_serialization_state(Celsius, lambda value: {}, restore)
    serialization.register_serialization_state(Celsius, lambda value: {"degrees": 0.0}, restore, override=True)
    assert serialization.to_state_dict(Celsius(1.0)) == {"degrees": 0.0}


# -- what does not fit

def test_all_differences_are_shown_by_path() -> None:
    target = {"params": {"dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}, "layers": [1, 2, 3]}, "step": 0}
    state = {"params": {"dense": {"kernal": jnp.ones((2, 3)), "bias": jnp.ones(4)}, "layers": [1, 2]}, "step": 1, "more": 2}
    with pytest.raises(StateMismatchError) as caught:
        serialization.from_bytes(target, serialization.to_bytes(state))
    error = caught.value
    assert error.missing == ("['params']['dense']['kernel']", "['params']['layers']['2']")
    assert error.extra == ("['more']", "['params']['dense']['kernal']")
    assert error.differs == (("['params']['dense']['bias']", "an array float32[3]", "an array float32[4]"),)
    assert "(there is 'kernal')" in str(error) and str(error).count("there is '") == 1
    assert isinstance(error, ValueError) and isinstance(error, KeyError)
    assert serialization.current_path() == ""


@pytest.mark.parametrize("target, state", [
    ({"a": (1, 2)}, {"a": 3}), (Pair(1, 2), {"left": 1}), ([1], {"1": 1}), ({"a": 1}, 3)])
def test_other_structures_are_refused(target: Any, state: Any) -> None:
    with pytest.raises(StateMismatchError) as caught:
        serialization.from_state_dict(target, state)
    assert caught.value.missing or caught.value.differs


def test_shapes_alone_are_no_error_as_in_flax() -> None:
    assert serialization.from_state_dict({"a": np.ones(3)}, {"a": np.ones(2), "more": 1})["a"].shape == (2,)


class Odd(int):
    """An integer of a type of its own."""


@pytest.mark.parametrize("value, path", [
    ({"a": {"b": (1,)}}, ("a", "b")), ([np.array([None])], (0,)), ({"s": np.array(["text"])}, ("s",)), ({"n": 2**64}, ("n",)),
    ({"n": [-(2**63) - 1]}, ("n", 0)), ({"a": {1, 2}}, ("a",)), ({"e": Odd(1)}, ("e",)), ({"a": {(1, 2): 3}}, ("a",)),
    ({"s": "\ud800"}, ("s",)), (np.zeros(2, [("a", "i4")]), ()), ({"f": core.freeze({"a": 1})}, ("f",))], ids=repr)
def test_what_has_no_form_is_refused_by_path(value: Any, path: tuple[Any, ...]) -> None:
    with pytest.raises(NotSerializableError) as caught:
        serialization.msgpack_serialize(value)
    assert caught.value.path == path
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, ValueError)


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotSerializableError):
        serialization.msgpack_serialize(endless)


# -- damaged and hostile bytes

def restore(data: bytes) -> Any:
    return serialization.msgpack_restore(data)


def test_a_cut_at_any_byte_is_noticed() -> None:
    data = serialization.msgpack_serialize(small_tree())
    for end in range(len(data)):
        with pytest.raises(DamagedBytesError) as caught:
            restore(data[:end])
        assert caught.value.offset <= end == caught.value.size
    with pytest.raises(DamagedBytesError, match=r"1 more\s+bytes follow"):
        restore(data + b"\x00")


def test_flipped_bits_read_as_a_tree_or_are_noticed() -> None:
    data = serialization.msgpack_serialize(small_tree())
    noticed = 0
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            try:
                restore(bytes(changed))  # inside of an array any bits are right
            except DamagedBytesError as error:
                assert 0 <= error.offset <= len(data)
                noticed += 1
    assert noticed > 3 * len(data)


def test_random_bytes_never_do_anything_else() -> None:
    dice = python_random.Random(20260)
    data = serialization.msgpack_serialize(small_tree())
    tags = [0x81, 0x91, 0xC7, 0xC8, 0xC9, 0xD4, 0xD8, 0xDC, 0xDD, 0xDE, 0xDF, 0xC4, 0xDB, 0x93, 0x01, 0x03]
    for _ in range(3000):
        changed = bytearray(data)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(changed))
            match dice.randrange(4):
                case 0:
                    changed[at] = dice.randrange(256)
                case 1:
                    changed[at] = dice.choice(tags)
                case 2:
                    del changed[at:at + dice.randint(1, 9)]
                case _:
                    changed[at:at] = dice.randbytes(dice.randint(1, 9))
            if not changed:
                changed = bytearray(b"\xc1")
        try:
            restore(bytes(changed))
        except DamagedBytesError as error:
            assert str(error)


def array_of(shape: bytes, name: bytes, content: bytes) -> bytes:
    inner = b"\x93" + shape + name + content
    return b"\xc7" + bytes((len(inner), 1)) + inner


F4 = b"\xa7float32"
HUGE = struct.pack(">BQ", 0xCF, 2**62)
BOMBS = {
    "a dict of four thousand million entries": b"\xdf\xff\xff\xff\xff",
    "a list of four thousand million entries": b"\xdd\xff\xff\xff\xff",
    "nested lists of many": b"\xdd\x00\xff\xff\xff" * 50,
    "text of 4 GB": b"\xdb\xff\xff\xff\xffabc",
    "bytes of 4 GB": b"\xc6\xff\xff\xff\xffabc",
    "an extension of 4 GB": b"\xc9\xff\xff\xff\xff\x01abc",
    "an array whose shape is huge": array_of(b"\x92" + HUGE + HUGE, F4, b"\xc4\x04abcd"),
    "an empty array whose shape is huge": array_of(b"\x93\x00" + HUGE + HUGE, F4, b"\xc4\x00"),
    "an array of 100 axes": array_of(b"\xdc\x00\x64" + b"\x01" * 100, F4, b"\xc4\x04abcd"),
    "an array that says to have 4 GB": array_of(b"\x91\xce\x40\x00\x00\x00", F4, b"\xc6\xff\xff\xff\xff"),
    "lists too deep": b"\x91" * 100_000,
    "dicts too deep": b"\x81\xa1a" * 100_000,
    "chunks of a huge shape": forged(
        {"__msgpack_chunked_array__": True, "shape": {"0": 2**62}, "chunks": {"0": np.zeros(2)}}),
}
WRONG = {
    "an array of objects": array_of(b"\x91\x01", b"\xa6object", b"\xc4\x08abcdefgh"),
    "an array of records": array_of(b"\x91\x01", b"\xa5i4,i4", b"\xc4\x08abcdefgh"),
    "an array of no dtype": array_of(b"\x91\x01", b"\xa3foo", b"\xc4\x04abcd"),
    "a negative size": array_of(b"\x91\xff", F4, b"\xc4\x00"),
    "a size that is a fraction": array_of(b"\x91\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", F4, b"\xc4\x04abcd"),
    "a size that is true": array_of(b"\x91\xc3", F4, b"\xc4\x04abcd"),
    "a shape that is text": array_of(b"\xa11", F4, b"\xc4\x04abcd"),
    "a dtype that is a number": array_of(b"\x91\x01", b"\x05", b"\xc4\x04abcd"),
    "content that is text": array_of(b"\x91\x01", F4, b"\xa4abcd"),
    "too few bytes": array_of(b"\x91\x02", F4, b"\xc4\x04abcd"),
    "too many bytes": array_of(b"\x91\x01", F4, b"\xc4\x08abcdefgh"),
    "truth values that are neither": array_of(b"\x91\x01", b"\xa4bool", b"\xc4\x01\x02"),
    "an extension that goes on": b"\xc7\x10\x01\x93\x91\x01\xa7float32\xc4\x04ab",
    "an unknown extension": b"\xd4\x09\x00",
    "a time stamp": b"\xd6\xff\x00\x00\x00\x00",
    "a complex number of one part": b"\xc7\x02\x02\x91\x01",
    "a complex number of text": b"\xc7\x05\x02\x92\xa1a\xa1b",
    "a byte that is never used": b"\x91\xc1",
    "text that is no UTF-8": b"\xa2\xff\xfe",
    "a list as a key": b"\x81\x90\x01",
    "a key twice": b"\x82\xa1a\x01\xa1a\x02",
    "nothing": b"",
    "chunks without a shape": forged(
        {"__msgpack_chunked_array__": True, "chunks": {"0": np.zeros(2)}}),
    "chunks of two dtypes": forged({"__msgpack_chunked_array__": True, "shape": {"0": 2}, "chunks": {
        "0": np.zeros(1), "1": np.zeros(1, np.int32)}}),
    "chunks with a gap": forged({"__msgpack_chunked_array__": True, "shape": {"0": 2}, "chunks": {
        "0": np.zeros(1), "2": np.zeros(1)}}),
    "a key of no generator": forged({"__prng_key__": "nosuch", "data": np.zeros(2, np.uint32)}),
    "a key of few words": forged({"__prng_key__": "fry", "data": np.zeros(3, np.uint32)}),
    "a key of floats": forged({"__prng_key__": "fry", "data": np.zeros(2, np.float32)}),
}


@pytest.mark.parametrize("name", [*BOMBS, *WRONG])
def test_hostile_bytes_are_refused_at_their_place_and_cost_nothing(name: str) -> None:
    data = b"\x81\xa6params" + {**BOMBS, **WRONG}[name]
    tracemalloc.start()
    try:
        with pytest.raises(DamagedBytesError) as caught:
            restore(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.path[0] == "params"
    assert "['params']" in str(caught.value)
    assert peak < 4_000_000, "no memory is asked for before the bytes are seen to be there"


@pytest.mark.parametrize("value", ["text", 3, None])
def test_what_is_no_bytes_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        restore(value)


# -- what is refused when it is written, and what older versions wrote

@pytest.mark.parametrize("value, says", [
    (np.ma.masked_array([1, 2], [False, True]), "A masked array at ['deep']['x']"),
    (jax.ShapeDtypeStruct((2, 3), jnp.float32), "A ShapeDtypeStruct float32[2, 3] at ['deep']['x']"),
    ({"__msgpack_chunked_array__": True, "shape": 1}, "A dict with the key '__msgpack_chunked_array__' at ['deep']['x']"),
    ({"__prng_key__": "fry", "data": 1}, "A dict with the key '__prng_key__' at ['deep']['x']")])
def test_what_would_not_read_back_is_not_written(value: Any, says: str) -> None:
    with pytest.raises(NotSerializableError) as caught:
        serialization.to_bytes({"deep": {"x": value}})
    assert str(caught.value).startswith(says)
    assert len(caught.value.report.fixes) == 1 and "MessagePack has" not in str(caught.value)


def test_buffers_of_any_layout_are_written() -> None:
    buffer = memoryview(np.arange(12, dtype=np.uint8).reshape(3, 4)[:, ::2])
    found = serialization.msgpack_restore(serialization.msgpack_serialize({"a": bytearray(b"xy"), "b": buffer, "c": b""}))
    assert found == {"a": b"xy", "b": bytes([0, 2, 4, 6, 8, 10]), "c": b""}


def test_long_keys_are_shown_shortened() -> None:
    key = "k" * 5000
    with pytest.raises(NotSerializableError) as refused:
        serialization.to_bytes({key: {"x": print}})
    with pytest.raises(StateMismatchError) as mismatched:
        serialization.from_state_dict({key: {"x": 1}}, {key: {"y": 1}, "b" * 5000: 2})
    for caught in (refused, mismatched):
        assert "kkkk..." in str(caught.value) and len(str(caught.value)) < 1000
    assert mismatched.value.missing[0].endswith("kkk']['x']")
    for lead in (lambda: cursor({key: 1})["x" + key], lambda: flatten_dict({key: {1: 2}}, sep="/")):
        with pytest.raises((KeyError, TypeError)) as caught:
            lead()
        assert "kkkk..." in str(caught.value) and len(str(caught.value)) < 1000


def test_named_tuples_of_older_versions_are_restored() -> None:
    old = {"name": "Pair", "fields": {"0": "right", "1": "left"}, "values": {"0": {"0": 6, "1": 7}, "1": 5}}
    assert serialization.from_state_dict(Pair(1, [2, 3]), old) == Pair(5, [6, 7])
    assert serialization.from_bytes({"a": Pair(1, [2, 3])}, serialization.to_bytes({"a": old})) == {"a": Pair(5, [6, 7])}
    with pytest.raises(StateMismatchError) as caught:
        serialization.from_state_dict(Pair(1, 2), {**old, "fields": {"0": "right", "1": "top"}})
    assert caught.value.missing == ("['left']",) and caught.value.extra == ("['top']",)
    Record = namedtuple("Record", ["name", "fields", "values"])
    record = Record("n", {"0": "a"}, {"0": 1})
    assert serialization.from_state_dict(record, serialization.to_state_dict(record)) == record


def test_keys_that_are_no_text_are_told() -> None:
    raw = serialization.msgpack_restore(serialization.msgpack_serialize({"a": {1: 5}}))
    with pytest.raises(StateMismatchError) as caught:
        serialization.from_state_dict({"a": {1: 0}}, raw)
    assert caught.value.no_text == ("['a'][1]",) and not caught.value.missing and not caught.value.extra
    assert "the keys of a state are text" in str(caught.value)
    assert serialization.from_state_dict({"a": {1: 0}}, serialization.to_state_dict(raw)) == {"a": {1: 5}}, "as the fix says"


def test_of_many_differences_each_kind_is_shown() -> None:
    wanted = {**{f"a{i}": 0 for i in range(400)}, "shape": np.ones(2), "other": np.ones(2)}
    given = {**{f"b{i}": 0 for i in range(400)}, "shape": np.ones(3), "other": np.ones(3)}
    with pytest.raises(StateMismatchError) as caught:
        serialization.from_state_dict(wanted, given)
    lines = [line.split()[0] for line in str(caught.value).splitlines()[1:18]]
    assert lines == ["differs"] * 2 + ["missing"] * 7 + ["not"] * 7 + ["and"]
    assert "and 786 more: 393 missing, 393 not expected" in str(caught.value)
