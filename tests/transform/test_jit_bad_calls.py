"""Calls of jitted functions that fail before anything is traced: clear errors, without Perspicax's own frames."""
from __future__ import annotations

import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.tree_errors import TreeDepthError


def test_a_list_that_contains_itself_is_reported() -> None:
    endless: list = [1.0]
    endless.append(endless)
    with pytest.raises(TreeDepthError):
        px.jit(lambda x: 1)(endless)


def test_a_donated_argument_on_the_short_way_shows_only_the_users_frames() -> None:
    f = px.jit(lambda x: x + 1, donate_argnums=0)
    x = jnp.ones(3)
    f(x)
    with pytest.raises(RuntimeError, match="used after it was deleted") as caught:
        f(x)
    assert [entry.path.name for entry in caught.traceback] == ["test_jit_bad_calls.py"]
