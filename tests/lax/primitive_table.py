"""Every primitive of lax, once or more: a function that applies it, operands, and which laws it keeps.

A new primitive is tested by an entry here; one without is named by `test_laws.py`, unless it is among `ELSEWHERE`.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from elementwise_cases import CASES

from perspicax import lax
from perspicax.core.trace import stage_flat
from perspicax.lax.convert import convert
from perspicax.lax.filling import empty_p
from perspicax.lax.hook_table import elementwise
from perspicax.lax.random_bits import threefry2x32_p


@dataclass(frozen=True)
class Entry:
    """One primitive in one use.

    Attributes:
        primitive: its name.
        call: a function of arrays that applies it.
        operands: where it is tried: float64 and complex128 for what moves.
        order: to which order derivatives are checked; 0 where there are none.
        moving: the operands it is differentiated in; by default all that are floating or complex.
        batched: whether it has a batching rule that gives what a loop gives.
        label: what tells it from other entries of the primitive.
        tolerance: relative, of derivatives against differences.
    """

    primitive: str
    call: Callable[..., Any]
    operands: tuple[np.ndarray, ...]
    order: int = 1
    moving: tuple[int, ...] | None = None
    batched: bool = True
    label: str = ""
    tolerance: float = 1e-6

    def __str__(self) -> str:
        return f"{self.primitive}-{self.label}" if self.label else self.primitive


RANDOM = np.random.default_rng(0)


def real(*sizes: int) -> np.ndarray:
    """Numbers of distinct sizes between 0.3 and 2, of either sign: no ties, no poles, apart by more than a step."""
    n = int(np.prod(sizes, dtype=int))
    found = np.linspace(.3, 2, n) * RANDOM.choice([-1, 1], n)
    return RANDOM.permutation(found).reshape(sizes)


def positive(*sizes: int) -> np.ndarray:
    return np.abs(real(*sizes))


def complex_(*sizes: int) -> np.ndarray:
    return real(*sizes) + 1j * real(*sizes)


def integer(*sizes: int, high: int = 9, dtype: Any = np.int32) -> np.ndarray:
    return RANDOM.integers(0, high, sizes).astype(dtype)


def entry(primitive: str, call: Callable[..., Any], *operands: np.ndarray, **more: Any) -> Entry:
    return Entry(primitive, call, tuple([np.asarray(x) for x in operands]), **more)


# -- elementwise

_NAMES = {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "bitwise_not": "not",
          "reciprocal": "integer_pow", "betainc": "regularized_incomplete_beta"}


def _elementwise() -> list[Entry]:
    """The cases of elementwise functions, over real numbers, complex ones, integers and booleans."""
    found = []
    for case in CASES:
        if case.name == "integer_pow" and case.params["y"] in (0, 1):  # these apply no primitive
            continue
        for kind, dtype in (("f", np.float64), ("c", np.complex128), ("s", np.int32), ("u", np.uint8), ("b", np.bool_)):
            chosen = [k for k in case.kinds if k in "fc"] or list(case.kinds)
            if kind not in case.kinds or (kind in "sub" and (chosen[0] in "fc" or kind != chosen[0])):
                continue  # further dtypes are in the tests of the families
            order = min(case.order, 1) if kind in "fc" else 0
            if kind == "c" and case.name in ("abs", "max", "min"):
                order = 0  # not holomorphic: central differences in one direction do not tell the derivative
            found.append(Entry(_NAMES.get(case.name, case.name), case.ours, tuple(case.operands(dtype, n=2)), order,
                               case.moving, label=f"{case}-{kind}".removeprefix(case.name).removeprefix("-"),
                               tolerance=1e-5))
    return found


X, Y, C = real(2, 3), real(2, 3), complex_(2, 3)
CASES_OF_TYPES = [
    entry("add_any", elementwise.add_any, X, Y), entry("complex", lax.complex, X, Y), entry("conj", lax.conj, C),
    entry("convert_element_type", lambda x: convert(x, np.dtype(np.complex128), False), X, label="to complex"),
    entry("convert_element_type", lambda x: convert(x, np.dtype(np.int32), False), X, order=0, label="to int"),
    entry("convert_element_type", lambda x: convert(x, np.dtype(np.float64), True), X, label="weak"),
    entry("bitcast_convert_type", lambda x: lax.bitcast_convert_type(x, np.uint32), X.astype(np.float32), order=0),
    entry("bitcast_convert_type", lambda x: lax.bitcast_convert_type(x, np.uint16), X.astype(np.float32), order=0,
          label="narrower"),
    entry("polygamma", lax.polygamma, np.array([1., 2., 3.]), np.array([.7, 1.1, 2.3]), moving=(1,)),
    entry("select_n", lambda which, *xs: lax.select_n(which, *xs), integer(2, 3, high=3), X, Y, X + Y),
    entry("select_n", lambda which, *xs: lax.select_n(which, *xs), np.array(True), X, Y, label="scalar"),
    entry("clamp", lax.clamp, np.array(-.5), X, np.array(.9), label="scalars"),
    entry("eq_to", lax.eq_to_p, X, X, order=0), entry("le_to", lax.le_to_p, X, Y, order=0),
    entry("lt_to", lax.lt_to_p, X, Y, order=0), entry("copy", lax.copy_p, X),
    entry("stop_gradient", lax.stop_gradient, X, order=0), entry("pow", lax.pow, positive(3), integer(3), moving=(0,),
                                                                label="integer exponent"),
]

# -- shapes

CASES_OF_SHAPES = [
    entry("broadcast_in_dim", lambda x: lax.broadcast_in_dim(x, (4, 2, 3), (1, 2)), real(2, 1)),
    entry("reshape", lambda x: lax.reshape(x, (3, 2)), X), entry("transpose", lambda x: lax.transpose(x, (1, 0)), X),
    entry("squeeze", lambda x: lax.squeeze(x, (1,)), real(2, 1, 3)),
    entry("concatenate", lambda x, y: lax.concatenate([x, y], 1), real(2, 1), Y),
    entry("pad", lambda x, v: lax.pad(x, v, ((1, 0, 2), (-1, 2, 0))), X, np.array(.5)),
    entry("pad", lambda x, v: lax.pad(x, v, ((-1, -1, 1), (0, -2, 1))), real(3, 3), np.array(.5), label="negative interior"),
    entry("rev", lambda x: lax.rev(x, (1,)), X), entry("split", lambda x: lax.split(x, (1, 2), 1), X),
    entry("stack", lambda x, y: lax.stack([x, y], 1), X, Y), entry("unstack", lambda x: list(lax.unstack(x, 1)), X),
    entry("tile", lambda x: lax.tile(x, (2, 3)), X), entry("iota", lambda x: lax.add(x, lax.broadcasted_iota(x.dtype, (2,
        3), 1)), X),
    entry("empty", lambda x: lax.add(x, empty_p(shape=(2, 3), dtype=np.dtype(np.float64), out_sharding=None)), X),
    entry("slice", lambda x: lax.slice(x, (0, 1), (2, 5), (1, 2)), real(3, 5)),
    entry("dynamic_slice", lambda x, i, j: lax.dynamic_slice(x, (i, j), (2, 2)), real(3, 4), np.int32(1), np.int32(9)),
    entry("dynamic_update_slice", lambda x, u, i: lax.dynamic_update_slice(x, u, (i, 1)), real(3, 4), real(2, 2), np.int32(-1)),
]

# -- reductions

def _product_and_sum(x: Any, y: Any) -> Any:
    return x[0] * y[0], x[1] * y[0] + y[1]


CASES_OF_REDUCTIONS = [
    *[entry(f"reduce_{n}", (lambda n: lambda x: getattr(lax, f"reduce_{n}")(x, (1,)))(n), X) for n in ("sum", "prod",
        "max", "min")],
    entry("reduce_prod", lambda x: lax.reduce_prod(x, (0,)), np.array([[0., 2.], [3., 0.]]), label="zeros"),
    entry("reduce_sum", lambda x: lax.reduce_sum(x, (0,)), C, label="complex"),
    *[entry(f"reduce_{n}", (lambda n: lambda x: getattr(lax, f"reduce_{n}")(x, (0,)))(n), integer(2, 3), order=0)
      for n in ("and", "or", "xor")],
    *[entry(n, (lambda n: lambda x: getattr(lax, n)(x, 1, np.int32))(n), X, order=0) for n in ("argmax", "argmin")],
    entry("reduce", lambda x: lax.reduce(x, 1., lambda a, b: lax.add(lax.mul(a, b), lax.mul(a, 0.)), (1,)), X),
    entry("reduce", lambda x, y: list(lax.reduce((x, y), (1., 0.), _product_and_sum, (0,))), X, Y, label="two"),
    *[entry(n, (lambda n: lambda x: getattr(lax, n)(x, 1))(n), X) for n in ("cumsum", "cumprod", "cummax", "cummin",
        "cumlogsumexp")],
    *[entry(n, (lambda n: lambda x: getattr(lax, n)(x, 0, reverse=True))(n), X, label="reverse")
      for n in ("cumsum", "cumprod", "cummax", "cumlogsumexp")],
    *[entry(f"reduce_window_{n}", (lambda start, f: lambda x: lax.reduce_window(
        x, start, f, (2, 2), (1, 2), ((1, 0), (0, 1))))(start, f), real(3, 4))
      for n, start, f in (("sum", 0., lax.add), ("max", -np.inf, lax.max), ("min", np.inf, lax.min))],
    *[entry(f"reduce_window_{n}", (lambda start, f: lambda x: lax.reduce_window(
        x, start, f, (2, 2), (1, 2), ((1, 0), (0, 1)), (2, 1), (1, 2)))(start, f), real(3, 4), label="dilated")
      for n, start, f in (("sum", 0., lax.add), ("max", -np.inf, lax.max))],
    entry("reduce_window", lambda x: lax.reduce_window(x, 1., lax.mul, (2,), (1,), "VALID"), real(4)),
    entry("select_and_gather_add", lambda t, x: lax.select_and_gather_add_p(
        t, x, select_prim=lax.ge_p, window_dimensions=(2, 2), window_strides=(1, 2), padding=((1, 0), (0, 0)),
        base_dilation=(1, 1), window_dilation=(1, 1)), real(3, 4), real(3, 4), moving=(0,)),
    entry("select_and_scatter_add", lambda s, x: lax.select_and_scatter_add_p(
        s, x, select_prim=lax.ge_p, window_dimensions=(2, 2), window_strides=(1, 2), padding=((1, 0), (0, 0))),
        real(3, 2), real(3, 4), moving=(0,)),
]


def _scalar_function(f: Callable[..., Any]) -> Any:
    scalar = lax.full((), 0.).aval.update(dtype=np.dtype(np.float32), weak_type=False)  # type: ignore[attr-defined]
    return stage_flat(lambda x, y: [f(x, y)], [scalar, scalar])


def _select_and_scatter(x: Any, source: Any, start: Any) -> Any:
    return lax.select_and_scatter_p(
        x, source, start, select_jaxpr=_scalar_function(lax.ge), select_consts=(), scatter_jaxpr=_scalar_function(lax.add),
        scatter_consts=(), window_dimensions=(2, 2), window_strides=(1, 2), padding=((0, 0), (0, 0)))


CASES_OF_REDUCTIONS.append(entry("select_and_scatter", _select_and_scatter, real(3, 4).astype(np.float32),
                                 real(2, 2).astype(np.float32), np.float32(.5), order=0))

# -- products

_RAGGED = lax.RaggedDotDimensionNumbers
_SIZES = np.array([2, 1], np.int32)


def _ragged(pairs: Any, ragged: int, group: tuple[int, ...]) -> Callable[..., Any]:
    return lambda x, y, sizes: lax.ragged_dot_general(x, y, sizes, _RAGGED(pairs, (ragged,), group))


def _conv(**params: Any) -> Callable[..., Any]:
    return lambda x, k: lax.conv_general_dilated(x, k, **{"window_strides": (1, 2), "padding": ((1, 0), (0, 1)), **params})


CASES_OF_PRODUCTS = [
    entry("dot_general", lambda x, y: lax.dot_general(x, y, (((2,), (0,)), ((0,), (2,)))), real(2, 2, 3), real(3, 1, 2)),
    entry("dot_general", lambda x, y: lax.dot_general(x, y, (((1, 0), (0, 1)), ((), ()))), C, complex_(3, 2), label="complex"),
    entry("dot_general", lambda x, y: lax.dot(x, y, preferred_element_type=np.float64, precision="highest"), real(2, 3),
          real(3, 2), label="preferred"),
    entry("conv_general_dilated", _conv(), real(1, 2, 3, 4), real(2, 2, 2, 2)),
    entry("conv_general_dilated", _conv(lhs_dilation=(2, 1), rhs_dilation=(1, 2)), real(1, 1, 3, 4), real(2, 1, 2, 2),
        label="dilated"),
    entry("conv_general_dilated", _conv(feature_group_count=2), real(1, 4, 2, 3), real(2, 2, 2, 2), label="feature groups"),
    entry("conv_general_dilated", _conv(batch_group_count=2), real(2, 1, 2, 3), real(2, 1, 2, 2), label="batch groups"),
    entry("conv_general_dilated", _conv(dimension_numbers=("NHWC", "WHIO", "CNHW")), real(1, 3, 2, 2), real(2, 2, 2, 1),
        label="order of axes"),
    entry("conv_general_dilated", lambda x, k: lax.conv(x, k, (1,), "SAME"), complex_(1, 2, 3), complex_(1, 2, 2),
        label="complex"),
    entry("conv_general_dilated", lambda x, k: lax.conv_transpose(x, k, (2,), "SAME"), real(1, 3, 1), real(3, 1, 1),
        label="transposed"),
    entry("conv_general_dilated", lambda x: lax.conv_general_dilated_patches(x, (2,), (1,), "SAME"), real(1, 2, 3),
        label="patches"),
    entry("dot_general", lambda x, k: lax.conv_general_dilated_local(x, k, (1,), "VALID", (2,)), real(1, 2, 3), real(2, 4,
        2), label="local"),
    entry("ragged_dot_general", lax.ragged_dot, real(4, 2), real(2, 2, 2), _SIZES),
    entry("ragged_dot_general", _ragged((((0,), (0,)), ((), ())), 0, ()), real(4, 2), real(4, 2), _SIZES, label="contracting"),
    entry("ragged_dot_general", _ragged((((2,), (1,)), ((0,), (0,))), 0, ()), real(3, 1, 2), real(3, 2, 2), _SIZES,
        label="batch"),
    entry("ragged_dot_general", _ragged((((1,), (2,)), ((0,), (1,))), 2, (0,)), real(2, 2, 4), real(2, 2, 2, 1),
          np.array([[2, 1], [0, 3]], np.int32), label="sizes of each batch"),
    entry("scaled_dot", lambda x, y, s: lax.scaled_dot(x, y, lhs_scale=s, preferred_element_type=np.float32),
          integer(2, 4).astype(np.float32), integer(4, 2).astype(np.float32), integer(2, 2).astype(np.float32), order=0),
    *[entry("fft", (lambda t, n: lambda x: lax.fft(x, t, n))(t, n), x, label=f"{t}{n}") for t, n, x in (
        ("fft", (3,), complex_(2, 3)), ("ifft", (2, 3), complex_(2, 3)), ("rfft", (3,), real(2, 3)), ("rfft", (3, 4),
            real(3, 4)),
        ("irfft", (4,), complex_(2, 3)), ("irfft", (2, 5), complex_(2, 3)))],
]

# -- indices

_ROWS = lax.GatherDimensionNumbers((1,), (0,), (0,))
_WINDOWS = lax.GatherDimensionNumbers((1, 2), (), (0, 1))
_BATCHED = lax.GatherDimensionNumbers((), (1,), (1,), (0,), (0,))
_SCATTER_ROWS = lax.ScatterDimensionNumbers((1,), (0,), (0,))
_INDICES = np.array([[2], [0], [7], [0]], np.int32)
_APART = np.array([[2], [0], [7]], np.int32)


def _scatter(name: str, mode: str, **more: Any) -> Callable[..., Any]:
    return lambda x, i, u: getattr(lax, name)(x, i, u, _SCATTER_ROWS, mode=mode, **more)


CASES_OF_INDICES = [
    *[entry("gather", (lambda m: lambda x, i: lax.gather(x, i, _ROWS, (1, 3), mode=m, fill_value=0.))(m), real(4, 3), _INDICES,
           label=m)
      for m in ("clip", "fill")],
    entry("gather", lambda x, i: lax.gather(x, i, _WINDOWS, (2, 2), mode="clip"), real(4, 3), integer(2, 2, high=4),
        label="windows"),
    entry("gather", lambda x, i: lax.gather(x, i, _BATCHED, (1, 1), mode="clip"), real(2, 3), integer(2, 1, high=3),
        label="batching axes"),
    entry("gather", lambda x, i, j: lax.index_take(x, (i, j), (0, 1)), real(4, 3), integer(2), integer(2), label="index_take"),
    entry("scatter", _scatter("scatter", "drop", unique_indices=True), real(4, 3), _APART, real(3, 3)),
    entry("scatter", _scatter("scatter", "clip"), real(4, 3), np.array([[2], [0]], np.int32), real(2, 3), label="clip"),
    *[entry(f"scatter-{n}", _scatter(f"scatter_{n}", m), real(4, 3), _INDICES, real(4, 3), label=m)
      for n in ("add", "sub") for m in ("clip", "drop")],
    entry("scatter-mul", _scatter("scatter_mul", "drop", unique_indices=True), real(4, 3), _APART, real(3, 3)),
    *[entry(f"scatter-{n}", _scatter(f"scatter_{n}", "drop"), real(4, 3), _INDICES, real(4, 3)) for n in ("max", "min")],
    entry("sort", lambda x: lax.sort(x, 1), X), entry("sort", lambda x: lax.sort(x, 0), C, label="complex"),
    entry("sort", lambda k, j, x: list(lax.sort((k, j, x), 1, num_keys=2)), integer(2, 3, high=2), Y, X, label="two keys"),
    entry("top_k", lambda x: lax.top_k(x, 2), X), entry("top_k", lambda x: lax.top_k(x, 1, axis=0), X, label="axis 0"),
    entry("approx_top_k", lambda x: lax.approx_max_k(x, 2), X),
    entry("approx_top_k", lambda x: lax.approx_min_k(x, 1, 0), X, label="least"),
]

# -- others

_WORDS = RANDOM.integers(0, 2**32, 2, dtype=np.uint32)
OTHERS = [
    entry("optimization_barrier", lambda x, y: list(lax.optimization_barrier((x, y))), X, Y),
    entry("composite", lambda x: lax.composite(lambda v: lax.mul(lax.sin(v), v), "test.wave")(x), X),
    entry("threefry2x32", threefry2x32_p, _WORDS[0], _WORDS[1], integer(3, dtype=np.uint32), integer(3, dtype=np.uint32),
        order=0),
    entry("rng_bit_generator", lambda key: lax.rng_bit_generator(key, (3,)), integer(4, dtype=np.uint32), order=0,
          batched=False),  # under vmap all bits are made of the first key, as in JAX
]

TABLE = [*_elementwise(), *CASES_OF_TYPES, *CASES_OF_SHAPES, *CASES_OF_REDUCTIONS, *CASES_OF_PRODUCTS, *CASES_OF_INDICES,
    *OTHERS]

_KEYS = "its operands or results are keys: tests/random"
_FUNCTIONS = "it holds functions or jaxprs: tests/transform and tests/lax have tests of their own for"
ELSEWHERE = {
    "name": "it is the identity, and a mark for `remat`: tests/transform/test_remat.py",
    "random_bits": _KEYS, "random_clone": _KEYS, "random_fold_in": _KEYS, "random_seed": _KEYS, "random_split": _KEYS,
    "random_unwrap": _KEYS, "random_wrap": _KEYS,
    "rng_uniform": "two calls differ, so no law compares them: test_hardware_random.py",
    "dce_sink": "it has no results: test_elementwise.py",
    "device_put": "it is about where arrays live: tests/xla and tests/api",
    "platform_index": "it has no operands: test_control.py",
    "create_token": "tokens are no arrays: test_tokens.py", "after_all": "tokens are no arrays: test_tokens.py",
    "stage": "it makes no equation: test_tokens.py",
    "custom_jvp_call": f"{_FUNCTIONS} custom rules", "pure_callback": f"{_FUNCTIONS} callbacks",
    "io_callback": f"{_FUNCTIONS} callbacks",
    "debug_callback": f"{_FUNCTIONS} callbacks", "debug_print": f"{_FUNCTIONS} callbacks",
    "jit": f"{_FUNCTIONS} calls", "scan": f"{_FUNCTIONS} loops", "while": f"{_FUNCTIONS} loops",
    "cond": f"{_FUNCTIONS} branches", "custom_linear_solve": f"{_FUNCTIONS} solvers",
    "ffi_call": "it needs a foreign function: tests/api/test_foreign.py",
    "psum": "it needs a named axis: test_collectives.py", "shard_map": "it needs a mesh: tests/api/test_shard_map.py",
    "sharding_constraint": "it is about where arrays live: tests/xla", "reshard": "it is about where arrays live: tests/xla",
    "mesh_cast": "it is about where arrays live: tests/xla",
    "psend": "it needs a mesh: test_ragged_exchange.py", "precv": "it needs a mesh: test_ragged_exchange.py",
    "ragged_all_to_all": "it needs a named axis: test_ragged_exchange.py",
    "dim_as_value": "it has a value where a function is exported: tests/api/test_export.py",
}
"""Primitives without an entry, and why."""

FAMILIES_ELSEWHERE = {
    "perspicax.lax.linalg": "decompositions are unique up to signs and have tests of their own",
    "perspicax.lax.collective": "collectives need a named axis, which these laws do not give them: test_collectives.py",
    "perspicax.lax.partial_sums": "parts of sums are within shard_map: tests/xla/test_explicit.py",
}
"""Modules whose primitives have a table of their own."""
