"""No traceback of a user's mistake shows a frame of Perspicax, whichever protocol or object the user's line went through."""
from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.diagnose.boundary import public_methods

ROOT = os.path.dirname(px.__file__)


def vector() -> Any:
    return jnp.ones(3)


def deleted() -> Any:
    x = jnp.ones(3)
    x.delete()
    return x


def leaked() -> Any:
    kept: list[Any] = []
    px.jit(lambda x: kept.append(x))(jnp.ones(3))
    return kept[0]


class Model:
    @px.jit
    def step(self, x: Any) -> Any:
        return x


def assign(x: Any) -> None:
    x[0] = 1


def enter(context: Any) -> None:
    with context:
        pass


MISTAKES: dict[str, Callable[[], Any]] = {
    "@": lambda: jnp.ones((2, 3)) @ jnp.ones((2, 3)),
    "reflected @": lambda: np.ones((2, 3)) @ jnp.ones((2, 3)),
    "at set": lambda: vector().at[0].set(jnp.ones(4)),
    "at add": lambda: vector().at["a"].add(1),
    "at multiply": lambda: vector().at[0].mul("a"),
    "setitem": lambda: assign(vector()),
    "keys to NumPy": lambda: np.asarray(px.random.key(0)),
    "bool": lambda: bool(vector()),
    "int": lambda: int(vector()),
    "float": lambda: float(vector()),
    "complex": lambda: complex(vector()),
    "index": lambda: [1, 2][vector()],
    "hash": lambda: hash(vector()),
    "item": lambda: vector().item(),
    "len": lambda: len(jnp.float32(3)),
    "iter": lambda: list(jnp.float32(3)),
    "in": lambda: 1 in jnp.ones((2, 3)),
    "format": lambda: f"{vector():d}",
    "copy=False": lambda: np.array(vector(), dtype=complex, copy=False),
    "dlpack": lambda: vector().__dlpack__(stream="a"),
    "to_device": lambda: vector().to_device("foo"),
    "deleted: pickle": lambda: pickle.dumps(deleted()),
    "deleted: NumPy": lambda: np.asarray(deleted()),
    "deleted: tolist": lambda: deleted().tolist(),
    "deleted: wait": lambda: deleted().block_until_ready(),
    "leaked: bool": lambda: bool(leaked()),
    "leaked: NumPy": lambda: np.asarray(leaked()),
    "leaked: item": lambda: leaked().item(),
    "leaked: pickle": lambda: pickle.dumps(leaked()),
    "leaked: @": lambda: leaked() @ leaked(),
    "leaked: iter": lambda: list(leaked()),
    "leaked: at": lambda: leaked().at[0].set(1),
    "leaked: hash": lambda: hash(leaked()),
    "traced: attribute": lambda: px.jit(lambda x: x.nothing)(vector()),
    "traced: device": lambda: px.jit(lambda x: x.device)(vector()),
    "traced: committed": lambda: px.jit(lambda x: x.committed)(vector()),
    "unknown name": lambda: px.custom_foo,
    "unknown name of jnp": lambda: jnp.foo,
    "scalar type": lambda: jnp.uint8(-1),
    "scalar type of text": lambda: jnp.float32("a"),
    "struct dtype": lambda: px.ShapeDtypeStruct((3,), "foo"),
    "struct shape": lambda: px.ShapeDtypeStruct("a", "float32"),
    "struct len": lambda: len(px.ShapeDtypeStruct((), "float32")),
    "config name": lambda: px.config.update("jax_enable_x65", 1),
    "config value": lambda: px.config.update("jax_enable_x64", "foo"),
    "config attribute": lambda: px.config.jax_fooo,
    "config assignment": lambda: setattr(px.config, "jax_enable_x64", True),
    "devices": lambda: px.devices("foo"),
    "local_devices": lambda: px.local_devices(backend="foo"),
    "default_device": lambda: enter(px.default_device("x")),
    "enable_x64": lambda: enter(px.enable_x64("foo")),
    "compile option": lambda: px.jit(lambda x: x).lower(1.).compile({"foo": 3}),
    "dialect": lambda: px.jit(lambda x: x).lower(1.).as_text("foo"),
    "compiled: structure": lambda: px.jit(lambda x: x).lower(1.).compile()(1, 2),
    "compiled: type": lambda: px.jit(lambda x: x).lower(1.).compile()(vector()),
    "compiled: no array": lambda: px.jit(lambda x: x).lower(1.).compile()("a"),
    "method": lambda: Model().step(1.),
    "method: lower": lambda: Model().step.lower(1.),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_traceback_has_the_users_frames_only(name: str) -> None:
    with pytest.raises(Exception) as caught:
        MISTAKES[name]()
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [f"{f.filename}: {f.name}" for f in frames if f.filename.startswith(ROOT)] == []
    assert frames[-1].filename == __file__ or "site-packages" in frames[-1].filename


def test_the_decorator_trims_methods_and_properties_and_keeps_their_words() -> None:
    @public_methods("method", "answer")
    class Example:
        def method(self, x: int, *, y: int = 1) -> int:
            """Adds."""
            return x + y

        @property
        def answer(self) -> int:
            """Knows."""
            raise ValueError("no")

    assert Example().method(1, y=2) == 3
    assert Example.method.__doc__ == "Adds." and Example.answer.__doc__ == "Knows."
    with pytest.raises(ValueError, match="no"):
        Example().answer  # noqa: B018


@pytest.mark.parametrize("warn", [
    lambda: jnp.zeros(3, jnp.int32).at[0].set(1.5), lambda: jnp.full(3, jnp.complex64(1j), jnp.float32),
    lambda: jnp.ones(3, jnp.complex64).astype(jnp.float32)])
def test_warnings_point_at_the_users_line(warn: Callable[[], Any]) -> None:
    with pytest.warns(Warning) as caught:
        warn()
    assert [w.filename for w in caught] == [__file__]
