"""`jax.dlpack`, and `out_sharding`, which no operation leaves aside."""
from __future__ import annotations

import dis
import inspect
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.lax.sharding_errors import OutShardingError
from perspicax.xla.array_errors import NotADeviceError
from perspicax.xla.errors import DLPackError
from perspicax.xla.sharding_errors import MeshContextError


@pytest.mark.parametrize("take", [px.dlpack.from_dlpack, jnp.from_dlpack])
def test_another_librarys_array_is_taken_over(take: Any) -> None:
    x = take(np.arange(3, dtype=np.int16))
    assert x.dtype == jnp.int16 and x.tolist() == [0, 1, 2] and x.committed
    first = px.devices()[0]
    assert take(np.ones(2, np.float32), device=first).device == first
    assert take(np.ones(2, np.float32), device=px.sharding.SingleDeviceSharding(first)).device == first
    source = jnp.ones(16) + 1
    assert take(source, copy=False).unsafe_buffer_pointer() == source.unsafe_buffer_pointer()
    with pytest.raises(DLPackError):
        take(3)
    with pytest.raises(NotADeviceError):
        take(np.ones(2), device="cpu")


def test_dtypes_that_can_be_handed_over() -> None:
    assert all(map(px.dlpack.is_supported_dtype, ["bool", "bfloat16", jnp.float32, np.dtype("complex128")]))
    assert not any(map(px.dlpack.is_supported_dtype, ["int4", "float8_e4m3fn"]))
    with pytest.raises(TypeError):
        px.dlpack.is_supported_dtype("foo")


X = np.ones((2, 2), np.float32)
CALLS = {
    "reshape": lambda s: jnp.reshape(X, 4, out_sharding=s), "method": lambda s: jnp.asarray(X).reshape(4, out_sharding=s),
    "ravel": lambda s: jnp.ravel(X, out_sharding=s), "flatten": lambda s: jnp.asarray(X).flatten(out_sharding=s),
    "einsum": lambda s: jnp.einsum("ij,jk", X, X, out_sharding=s), "dot": lambda s: jnp.dot(X, X, out_sharding=s),
    "matmul": lambda s: jnp.matmul(X, X, out_sharding=s), "tensordot": lambda s: jnp.tensordot(X, X, 1, out_sharding=s),
    "repeat": lambda s: jnp.repeat(X, 2, out_sharding=s),
    "broadcast_to": lambda s: jnp.broadcast_to(X, (2, 2), out_sharding=s),
    "at get": lambda s: jnp.asarray(X).at[0].get(out_sharding=s),
    "at set": lambda s: jnp.asarray(X).at[0].set(1, out_sharding=s),
    "lax.reshape": lambda s: lax.reshape(X, (4,), out_sharding=s), "lax.dot": lambda s: lax.dot(X, X, out_sharding=s),
    "lax.reduce_sum": lambda s: lax.reduce_sum(X, (0,), out_sharding=s),
}


@pytest.mark.parametrize("name", CALLS)
def test_out_sharding_is_not_left_aside(name: str) -> None:
    for given in (3, px.sharding.SingleDeviceSharding(px.devices()[0])):
        with pytest.raises(OutShardingError) as caught:
            CALLS[name](given)
        assert caught.value.value == repr(given)[:80]
    with pytest.raises(MeshContextError):
        CALLS[name](px.P("x"))
    sharding = px.NamedSharding(px.make_mesh((1,), ("x",)), px.P("x"))
    assert CALLS[name](sharding).sharding.spec[0] == "x"


@pytest.mark.parametrize("module", [jnp, lax])
def test_every_function_that_takes_out_sharding_looks_at_it(module: Any) -> None:
    found = 0
    for name in module.__all__:
        function = inspect.unwrap(getattr(module, name)) if inspect.isfunction(getattr(module, name)) else None
        if function is not None and "out_sharding" in function.__code__.co_varnames[:function.__code__.co_argcount
                                                                                   + function.__code__.co_kwonlyargcount]:
            found += 1
            loads = [i for i in dis.get_instructions(function)
                     if i.opname.startswith("LOAD") and i.argval == "out_sharding"]
            assert loads, f"{module.__name__}.{name}"
    assert found > 10


@pytest.mark.parametrize("asked", [{"dl_device": (2, 0)}, {"stream": 3}])
def test_memory_is_handed_out_where_it_is(asked):
    x = jnp.arange(3.)
    x.__dlpack__(dl_device=x.__dlpack_device__())
    with pytest.raises(BufferError, match="not where"):
        x.__dlpack__(**asked)
