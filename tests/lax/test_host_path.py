"""NumPy and XLA compute the same bits wherever a primitive has a `host` rule: results never depend on the path.

The elements are the edges of each dtype (the smallest integer, subnormal numbers, infinities, NaNs with payloads) and
random bits.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import double

from perspicax.core import dtypes
from perspicax.core.primitive import Primitive, primitives
from perspicax.lax import bitwise, compare, convert, elementwise, markers
from perspicax.xla.dispatch import _compiled_kernel, as_array

N = 64
SIGNED, UNSIGNED = ("int8", "int16", "int32", "int64"), ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
EVERY = ("bool", *INTEGERS, *FLOATS, *COMPLEX)


def from_bits(dtype: str, words: bytes) -> np.ndarray:
    """`N` elements: the edges of the dtype, then the given bits, repeated as often as they are needed."""
    wanted = dtypes.to_dtype(dtype)
    if wanted == np.dtype(bool):
        return np.frombuffer((words * N)[:N], np.uint8) % 2 == 1
    edges = edges_of(wanted)
    size = wanted.itemsize
    drawn = np.frombuffer((words * (size * N))[:size * N], wanted)
    return np.concatenate([edges, drawn])[:N].copy()


def edges_of(dtype: Any) -> np.ndarray:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([info.min, info.max, 0, 1, info.min + 1, info.max - 1, dtype.itemsize * 8,
                         dtype.itemsize * 8 - 1, info.max // 2], dtype)
    if dtype.kind == "c":
        part = edges_of(np.dtype(f"f{dtype.itemsize // 2}"))
        return np.stack([part, part[::-1]], -1).reshape(-1).view(dtype)
    word = np.dtype(f"u{dtype.itemsize}")
    finfo = dtypes.finfo(dtype)
    numbers = np.array([0., -0., np.inf, -np.inf, np.nan, 1., finfo.max, finfo.tiny], dtype)
    infinity = int(np.array(np.inf, dtype).view(word))
    sign = 1 << (dtype.itemsize * 8 - 1)
    odd = np.array([1, sign + 1, infinity + 1, infinity + 3], word)  # two subnormal numbers, two NaNs with payloads
    return np.concatenate([numbers, odd.view(dtype)])


def both(primitive: Primitive, arrays: list[np.ndarray], params: dict[str, Any]) -> tuple[Any, np.ndarray]:
    """What the host rule gives, and what XLA does."""
    operands = [as_array(x) for x in arrays]
    avals, values = tuple([x.aval for x in operands]), primitive.pack(params)
    out = primitive.infer(avals, values)
    assert primitive.host is not None
    kernel = KERNELS.get((primitive, avals, values))
    if kernel is None:
        kernel = KERNELS[primitive, avals, values] = _compiled_kernel(primitive, avals, values, [out])
    found = primitive.host(*[x.value() for x in operands], **params)
    compiled = np.asarray(kernel(*operands))
    if found is not NotImplemented:
        assert type(found) is np.ndarray
        assert (found.shape, found.dtype) == (out.shape, out.dtype)
        assert not any(np.shares_memory(found, x.value()) for x in operands), "the result aliases an operand"
    return found, compiled


KERNELS: dict[Any, Callable[..., Any]] = {}


def assert_same_bits(found: np.ndarray, compiled: np.ndarray) -> None:
    assert found.dtype == compiled.dtype
    word = np.dtype(f"u{min(found.dtype.itemsize, 8)}") if found.dtype.kind != "c" else np.dtype(
        f"u{found.dtype.itemsize // 2}")
    np.testing.assert_array_equal(np.ascontiguousarray(found).reshape(-1).view(word),
                                  np.ascontiguousarray(compiled).reshape(-1).view(word))


NUMERIC = [(elementwise, n) for n in ("neg", "add", "add_any", "sub", "mul", "square", "max", "min", "sign", "abs")]
BITS = [(bitwise, n) for n in ("not", "and", "or", "xor")]
SHIFTS = [(bitwise, n) for n in ("population_count", "shift_left", "shift_right_arithmetic", "shift_right_logical")]
ORDER = [(compare, n) for n in ("eq", "ne", "lt", "le", "gt", "ge", "eq_to", "le_to", "lt_to")]


def arithmetic() -> list[Any]:
    found = []
    for modules, kinds in ((NUMERIC, INTEGERS), (BITS, ("bool", *INTEGERS)), (SHIFTS, INTEGERS),
                           (ORDER, ("bool", *INTEGERS)), ([(elementwise, "max"), (elementwise, "min")], ("bool",))):
        for module, name in modules:
            for dtype in kinds:
                if name != "abs" or dtype in SIGNED:
                    found.append(pytest.param(getattr(module, f"{name}_p"), dtype, id=f"{name}-{dtype}"))
    return found


UNARY = {"neg", "sign", "abs", "square", "not", "population_count"}
WORDS = st.binary(min_size=16, max_size=64)
FEW = settings(max_examples=8)


@pytest.mark.parametrize(("primitive", "dtype"), arithmetic())
@FEW
@given(first=WORDS, second=WORDS)
def test_integer_arithmetic(primitive: Primitive, dtype: str, first: bytes, second: bytes) -> None:
    with double():
        x, y = from_bits(dtype, first), from_bits(dtype, second)[::-1]
        found, compiled = both(primitive, [x] if primitive.name in UNARY else [x, y.copy()], {})
        assert_same_bits(found, compiled)


@pytest.mark.parametrize("shapes", [((), (N,)), ((N,), ()), ((), ())])
@pytest.mark.parametrize("primitive", [elementwise.add_p, elementwise.mul_p, compare.lt_p, bitwise.shift_left_p])
def test_scalars(primitive: Primitive, shapes: tuple) -> None:
    words = bytes(range(7, 71))
    x, y = [from_bits("int32", words) if s else from_bits("int32", words)[0] for s in shapes]
    assert_same_bits(*both(primitive, [np.asarray(x), np.asarray(y)], {}))


@pytest.mark.parametrize("new", [*INTEGERS, "bool", "float32", "float64", "float16", "bfloat16", "complex64"])
@pytest.mark.parametrize("old", ["bool", *INTEGERS])
@settings(max_examples=4)
@given(words=WORDS)
def test_conversion_from_integers(old: str, new: str, words: bytes) -> None:
    with double():
        params = dict(new_dtype=dtypes.to_dtype(new), weak_type=False)
        found, compiled = both(convert.convert_element_type_p, [from_bits(old, words)], params)
        if found is NotImplemented:
            assert new in ("float16", "bfloat16", "complex64"), f"{old} to {new} should not need XLA"
        else:
            assert_same_bits(found, compiled)


@pytest.mark.parametrize("dtype", EVERY)
@FEW
@given(first=WORDS, second=WORDS, which=WORDS)
def test_movement_keeps_every_bit(dtype: str, first: bytes, second: bytes, which: bytes) -> None:
    with double():
        x, y = from_bits(dtype, first), from_bits(dtype, second)
        assert_same_bits(*both(markers.copy_p, [x], {}))
        assert_same_bits(*both(convert.convert_element_type_p, [x], dict(new_dtype=x.dtype, weak_type=False)))
        cases = [[chosen, x, y] for chosen in (from_bits("bool", which), np.array(True), from_bits("int32", which),
                                               np.array(-3, np.int32))]
        for arrays in (*cases, [from_bits("int32", which) % 5 - 1, x, y, x]):
            found, compiled = both(compare.select_n_p, arrays, {})
            if dtype == "bfloat16":
                assert found is NotImplemented, "XLA quiets the NaNs of bfloat16"
            else:
                assert_same_bits(found, compiled)


@pytest.mark.parametrize("dtype", COMPLEX)
@FEW
@given(first=WORDS, second=WORDS)
def test_parts_of_complex_numbers_keep_every_bit(dtype: str, first: bytes, second: bytes) -> None:
    with double():
        z = from_bits(dtype, first)
        for primitive in (convert.real_p, convert.imag_p):
            assert_same_bits(*both(primitive, [z], {}))
        part = f"float{np.dtype(dtype).itemsize * 4}"
        assert_same_bits(*both(convert.complex_p, [from_bits(part, first), from_bits(part, second)], {}))


@pytest.mark.parametrize(("old", "new"), [(a, b) for a in (*INTEGERS, *FLOATS) for b in (*INTEGERS, *FLOATS)])
@settings(max_examples=3)
@given(words=WORDS)
def test_reinterpreted_bits(old: str, new: str, words: bytes) -> None:
    with double():
        x = from_bits(old, words)
        new_dtype = dtypes.to_dtype(new)
        if new_dtype.itemsize > x.dtype.itemsize:
            x = x.reshape(-1, new_dtype.itemsize // x.dtype.itemsize)
        assert_same_bits(*both(convert.bitcast_convert_type_p, [x], dict(new_dtype=new_dtype)))


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
def test_floating_arithmetic_and_comparison_decline(dtype: str) -> None:
    """XLA flushes subnormal numbers where NumPy keeps them: none of these may be computed by NumPy."""
    with double():
        x = from_bits(dtype, bytes(range(64)))
        for module, name in NUMERIC + ORDER:
            primitive = getattr(module, f"{name}_p")
            assert primitive.host(*[x] if name in UNARY else [x, x]) is NotImplemented, name
        for new in ("int32", "bool", "float32" if dtype != "float32" else "float64"):
            params = dict(new_dtype=np.dtype(new), weak_type=False)
            assert convert.convert_element_type_p.host(x, **params) is NotImplemented, new  # type: ignore[misc]


def test_every_elementwise_host_rule_is_compared_here() -> None:
    compared = {p.values[0] for p in arithmetic()} | {
        convert.convert_element_type_p, convert.bitcast_convert_type_p, convert.real_p, convert.imag_p,
        convert.complex_p, compare.select_n_p, markers.copy_p, compare.clamp_p}
    named = {p for p in primitives if p.host is not None and "elementwise" in p.extra}
    assert {p.name for p in named - compared} == set()


@pytest.mark.parametrize("dtype", ("bool", *INTEGERS))
@FEW
@given(words=st.tuples(WORDS, WORDS, WORDS))
def test_clamp(dtype: str, words: tuple[bytes, bytes, bytes]) -> None:
    with double():
        assert_same_bits(*both(compare.clamp_p, [from_bits(dtype, w) for w in words], {}))
