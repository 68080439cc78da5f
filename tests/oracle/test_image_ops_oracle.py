"""jax.image and jax.ops against JAX: every method and option; gradients; what is refused."""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.image
import jax.numpy
import jax.ops
import numpy as np
import pytest
from agreement import assert_same, raised

import perspicax
import perspicax.image
import perspicax.numpy
import perspicax.ops

pytestmark = pytest.mark.oracle
THOROUGH = os.environ.get("PERSPICAX_SWEEP") == "1"

X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
NAMES = ("nearest", "linear", "bilinear", "trilinear", "triangle", "cubic", "bicubic", "tricubic", "cubic-pytorch",
         "bicubic-pytorch", "lanczos3", "lanczos5", "area")
METHODS = ("nearest", "linear", "cubic", "cubic-pytorch", "lanczos3", "lanczos5", "area")


def test_methods_have_the_same_names_and_numbers() -> None:
    ours, theirs = perspicax.image.ResizeMethod, jax.image.ResizeMethod
    assert [(m.name, m.value) for m in ours] == [(m.name, m.value) for m in theirs]
    assert [ours.from_string(n).name for n in NAMES] == [theirs.from_string(n).name for n in NAMES]


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_resize_agrees(method: str, antialias: bool) -> None:
    def both(m: Any) -> Any:
        total = lambda x: (m.image.resize(x, (2, 7), method, antialias) ** 2).sum()
        return m.jit(lambda x: [m.image.resize(x, (7, 3), method, antialias), m.grad(total)(x)])(X)

    assert_same(both(perspicax), both(jax), 5e-6, method)


TYPES: list[tuple[str, Callable[..., Any]]] = [
    ("integers", lambda m: m.image.resize(m.numpy.arange(4), (8,), "linear")),
    ("integers, nearest", lambda m: m.image.resize(m.numpy.arange(4), (8,), "nearest")),
    ("booleans", lambda m: m.image.resize(m.numpy.arange(4) > 1, (8,), "nearest")),
    ("bfloat16", lambda m: m.image.resize(m.numpy.asarray(X, m.numpy.bfloat16), (2, 3), "linear")),
    ("complex", lambda m: m.image.resize(m.numpy.asarray(X + 1j), (2, 3), "cubic")),
    ("to nothing", lambda m: m.image.resize(m.numpy.asarray(X), (0, 3), "linear")),
    ("the same", lambda m: m.image.resize(m.numpy.asarray(X), (3, 4), m.image.ResizeMethod.CUBIC)),
]


@pytest.mark.parametrize("name, call", TYPES, ids=[c[0] for c in TYPES])
def test_types_of_resize_agree(name: str, call: Callable[..., Any]) -> None:
    assert_same(call(perspicax), call(jax), 2e-2 if name == "bfloat16" else 2e-6, name)


@pytest.mark.parametrize("method", METHODS[1:] if THOROUGH else METHODS[1::2])  # the weights are those of `resize`
def test_scale_and_translate_agrees(method: str) -> None:
    scale, translation = np.array([0.7, 1.9], np.float32), np.array([0.3, -1.2], np.float32)

    def both(m: Any) -> Any:
        def total(x: Any, s: Any, t: Any) -> Any:
            out = m.image.scale_and_translate(x, (2, 5), (0, -1), s, t, method)
            return (out ** 2).sum(), out

        return m.tree.leaves(m.jit(m.grad(total, argnums=(0, 1, 2), has_aux=True))(X, scale, translation))

    assert_same(both(perspicax), both(jax), 1e-4, method)


BAD_IMAGES: list[tuple[str, Callable[..., Any]]] = [
    ("rank", lambda m: m.image.resize(X, (2,), "linear")),
    ("method", lambda m: m.image.resize(X, (2, 3), "foo")),
    ("shape", lambda m: m.image.scale_and_translate(X, (2,), (0,), m.numpy.ones(1), m.numpy.zeros(1), "linear")),
    ("nearest", lambda m: m.image.scale_and_translate(X, (2, 4), (0,), m.numpy.ones(1), m.numpy.zeros(1), "nearest")),
    ("axis", lambda m: m.image.scale_and_translate(X, (2, 4), (5,), m.numpy.ones(1), m.numpy.zeros(1), "linear")),
    ("count", lambda m: m.image.scale_and_translate(X, (2, 4), (0,), m.numpy.ones(2), m.numpy.zeros(1), "linear")),
]

DATA, IDS = np.array([0., 1., 2., 3., 4., 5.], np.float32), np.array([0, 0, 2, 5, -1, 2], np.int32)
SEGMENTS = ("segment_sum", "segment_prod", "segment_max", "segment_min")
SEGMENT_CALLS: list[tuple[str, Callable[..., Any]]] = [
    ("plain", lambda m, f: f(DATA, IDS)),
    ("fewer", lambda m, f: f(DATA, IDS, 3)),
    ("integers", lambda m, f: f(DATA.astype(np.int32), IDS, 4)),
    ("unsigned", lambda m, f: f(DATA.astype(np.uint8), IDS, 4)),
    ("bfloat16", lambda m, f: f(m.numpy.asarray(DATA, m.numpy.bfloat16), IDS, 4)),
    ("buckets", lambda m, f: f(DATA, IDS, 4, bucket_size=4)),
    ("sorted, clipped", lambda m, f: f(DATA, np.sort(IDS), 4, indices_are_sorted=True, mode="clip")),
    ("rows", lambda m, f: f(X, m.numpy.array([0, 1, 0]), 2)),
    ("unique", lambda m, f: f(X, m.numpy.array([2, 1, 0]), 3, unique_indices=True)),
    ("number", lambda m, f: f(1.0, 0, 2)),
    ("nothing", lambda m, f: f(m.numpy.ones(0), m.numpy.ones(0, int), 2)),
]


@pytest.mark.parametrize("name, call", SEGMENT_CALLS, ids=[c[0] for c in SEGMENT_CALLS])
def test_segments_agree(name: str, call: Callable[..., Any]) -> None:
    for f in SEGMENTS:
        assert_same(call(perspicax, getattr(perspicax.ops, f)), call(jax, getattr(jax.ops, f)), 1e-6, f"{f} {name}")


@pytest.mark.parametrize("name", SEGMENTS)
def test_gradients_of_segments_agree(name: str) -> None:
    data = np.array([1., 3., 2., -2., 0.5, 2.], np.float32)
    once = name == "segment_prod"  # else it has no derivative, nor has it in JAX
    ids = np.array([4, 0, 2, 5, 1, 3], np.int32) if once else IDS
    occupied = np.array([0, 2, 5])

    def slope(m: Any) -> Any:
        reduced = lambda d: getattr(m.ops, name)(d, m.numpy.array(ids), 6, unique_indices=once)
        return m.jit(m.grad(lambda d: (reduced(d)[occupied] ** 2).sum()))(data)

    assert_same(slope(perspicax), slope(jax), 1e-5, name)


def test_segments_of_booleans_agree() -> None:
    for f in ("segment_max", "segment_min"):
        assert_same(getattr(perspicax.ops, f)(DATA > 2, IDS, 4), getattr(jax.ops, f)(DATA > 2, IDS, 4), 0, f)


BAD_SEGMENTS: list[tuple[str, Callable[..., Any]]] = [
    ("booleans", lambda m: m.ops.segment_sum(DATA > 2, IDS, 4)),
    ("too few numbers", lambda m: m.ops.segment_sum(X, m.numpy.array([0, 1]), 2)),
    ("floats for numbers", lambda m: m.ops.segment_max(DATA, DATA, 2)),
    ("two axes of numbers", lambda m: m.ops.segment_min(X, m.numpy.array([[0, 1, 0, 1]] * 3), 2)),
    ("negative", lambda m: m.ops.segment_prod(DATA, IDS, -1)),
    ("unknown", lambda m: m.jit(m.ops.segment_sum)(DATA, IDS)),
    ("traced", lambda m: m.jit(lambda d, i, n: m.ops.segment_sum(d, i, n))(DATA, IDS, 3)),
    ("nothing", lambda m: m.ops.segment_sum(m.numpy.ones(0), m.numpy.ones(0, int))),
    ("list", lambda m: m.ops.segment_sum([1., 2.], [0, 1], 2)),
    ("mode", lambda m: m.ops.segment_sum(DATA, IDS, 3, mode="foo")),
]


@pytest.mark.parametrize("name, call", BAD_IMAGES + BAD_SEGMENTS, ids=[c[0] for c in BAD_IMAGES + BAD_SEGMENTS])
def test_what_jax_refuses_is_refused(name: str, call: Callable[..., Any]) -> None:
    theirs, ours = raised(call, jax), raised(call, perspicax)
    assert theirs is not None and ours is not None
    builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours, builtin), f"{type(ours).__mro__}, JAX {type(theirs).__mro__}"


def test_an_empty_axis_cannot_grow() -> None:
    with pytest.raises(perspicax.image.resampling.ResizeError):
        perspicax.image.resize(perspicax.numpy.ones((0, 3)), (2, 3), "linear")


def test_a_bucket_has_entries() -> None:
    with pytest.raises(ValueError, match="bucket_size"):
        perspicax.ops.segment_sum(DATA, IDS, 3, bucket_size=0)
