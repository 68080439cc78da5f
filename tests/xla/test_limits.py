"""Sizes that no memory, no NumPy array and no compiler takes are reported before anything runs."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.errors import ShapeError
from perspicax.xla.array_errors import ArrayConversionError, NotADeviceError, RankLimitError
from perspicax.xla.errors import JaxRuntimeError

MANY = 1 << 40
EXHAUSTING: dict[str, Callable[[], Any]] = {
    "zeros": lambda: jnp.zeros(MANY), "ones": lambda: jnp.ones(MANY), "full": lambda: jnp.full(MANY, 2.),
    "empty": lambda: jnp.empty(MANY), "zeros_like": lambda: jnp.zeros_like(jnp.ones(3), shape=(MANY,)),
    "arange": lambda: jnp.arange(MANY), "arange from 1": lambda: jnp.arange(1, MANY), "eye": lambda: jnp.eye(1 << 20),
    "tri": lambda: jnp.tri(1 << 20), "broadcast_to": lambda: jnp.broadcast_to(jnp.ones(1), (MANY,)),
    "iota": lambda: lax.iota(jnp.int32, MANY), "normal": lambda: px.random.normal(px.random.key(0), (MANY,)),
    "bits": lambda: px.random.bits(px.random.key(0), (MANY,)),
    "product beyond 64 bits": lambda: jnp.zeros((1 << 62, 4)),
    "product beyond 64 bits, one 0": lambda: jnp.ones((1 << 32, 1 << 32, 0)),
}


@pytest.mark.parametrize("name", EXHAUSTING)
def test_too_large_an_array_is_a_runtime_error_at_once(name: str) -> None:
    with pytest.raises(JaxRuntimeError) as caught:
        EXHAUSTING[name]()
    assert caught.value.status == "RESOURCE_EXHAUSTED"


def test_memory_that_runs_out_in_a_program_raises_when_the_value_is_read() -> None:
    x = jnp.linspace(0, 1, MANY)  # reading it through the buffer protocol would end the process
    with pytest.raises(JaxRuntimeError) as caught:
        np.asarray(x)
    assert caught.value.status == "RESOURCE_EXHAUSTED"


BEYOND: dict[str, Callable[[], Any]] = {
    "zeros": lambda: jnp.zeros(1 << 63), "traced": lambda: px.jit(lambda: jnp.ones((1 << 63, 0)))(),
    "struct": lambda: px.ShapeDtypeStruct((1 << 63,), jnp.float32),
    "samples": lambda: px.random.uniform(px.random.key(0), (1 << 32, 1 << 32)),
    "pad": lambda: jnp.pad(jnp.ones(3), (1 << 62, 1 << 62)),
    "vmap": lambda: px.vmap(lambda x: jnp.ones(3), axis_size=1 << 63, in_axes=None)(1.),
}


@pytest.mark.parametrize("name", BEYOND)
def test_a_size_beyond_64_bits_is_no_shape(name: str) -> None:
    with pytest.raises(ShapeError) as caught:
        BEYOND[name]()
    assert "64 bits" in caught.value.report.why


def test_more_axes_than_numpy_has_can_be_computed_with_but_not_read() -> None:
    x = jnp.ones((1,) * 70) + 1
    assert x.shape == (1,) * 70
    assert x.reshape(-1).tolist() == [2.]
    for read in (np.asarray, repr, str, lambda x: x.tolist()):
        with pytest.raises(RankLimitError) as caught:
            read(x)
        assert caught.value.rank == 70


@pytest.mark.parametrize("wanted, ask", [("int", int), ("float", float), ("complex", complex), ("hash", hash),
                                         ("index", lambda x: [1][x])])
def test_a_vector_is_no_number(wanted: str, ask: Callable[[Any], Any]) -> None:
    with pytest.raises(ArrayConversionError) as caught:
        ask(jnp.ones(3))
    assert caught.value.wanted == wanted and caught.value.type_text == "float32[3]" and not caught.value.key


def test_keys_are_no_numbers() -> None:
    key = px.random.key(0)
    for ask in (bool, int, np.asarray, lambda x: x.item(), lambda x: x.tolist()):
        with pytest.raises(ArrayConversionError) as caught:
            ask(key)
        assert caught.value.key and "jax.random.key_data(key)" in str(caught.value)


def test_what_is_no_device_is_reported() -> None:
    for mistake in (lambda: px.jit(lambda x: x, device=3), lambda: jnp.zeros(3, device="cpu"),
                    lambda: jnp.ones(3).to_device("cpu")):
        with pytest.raises(NotADeviceError):
            mistake()


def test_parts_of_an_array_with_more_axes_than_numpy_has() -> None:
    x = jnp.ones((2,) + (1,) * 69)
    assert x[0].shape == (1,) * 69
    assert x.at[0].set(3.).sum() == 4.
