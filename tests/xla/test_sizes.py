"""Arrays that no memory holds: a report, not the end of the process."""

from __future__ import annotations

import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.errors import JaxRuntimeError


def too_large():
    return jnp.zeros((1 << 20,) * 4)


@pytest.mark.parametrize("make", [
    lambda: px.jit(too_large)(),
    lambda: px.jit(lambda x: jnp.broadcast_to(x, (1 << 40, 1 << 40)).sum())(1.0),
    lambda: px.jit(lambda: jnp.zeros(1 << 62).sum())(),
    lambda: jnp.broadcast_to(jnp.ones(()), (1 << 62,)),
    lambda: px.jit(lambda k: px.lax.scan(lambda c, _: (c, c), k, None, length=1 << 61))(jnp.ones(100)),
])
def test_an_array_beyond_the_addressable_is_reported(make):
    with pytest.raises(JaxRuntimeError, match=r"RESOURCE_EXHAUSTED: an\sarray\sof\stype\sfloat32") as caught:
        make()
    assert caught.value.status == "RESOURCE_EXHAUSTED"
    assert "test_sizes.py" in str(caught.value)


def test_the_type_of_an_array_beyond_the_addressable_can_be_asked_for():
    assert px.eval_shape(too_large).shape == (1 << 20,) * 4
