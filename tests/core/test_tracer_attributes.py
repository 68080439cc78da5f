"""What a traced value answers when it is asked for what only an array with a value has, and how it shows."""
from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.attribute_errors import ArrayAttributeError
from perspicax.errors import ConcretizationTypeError

CONCRETE = ("__copy__ __deepcopy__ addressable_data addressable_shards committed copy_to_host_async device global_shards "
            "is_fully_addressable is_fully_replicated item sharding").split()
CALLS: dict[str, Any] = {
    "committed": lambda x: x.committed, "is_fully_addressable": lambda x: x.is_fully_addressable,
    "is_fully_replicated": lambda x: x.is_fully_replicated, "addressable_shards": lambda x: x.addressable_shards,
    "global_shards": lambda x: x.global_shards, "addressable_data": lambda x: x.addressable_data(0),
    "devices": lambda x: x.devices(), "is_deleted": lambda x: x.is_deleted(), "delete": lambda x: x.delete(),
    "unsafe_buffer_pointer": lambda x: x.unsafe_buffer_pointer(), "tobytes": lambda x: x.tobytes(),
    "on_device_size_in_bytes": lambda x: x.on_device_size_in_bytes(), "__dlpack__": lambda x: x.__dlpack__(),
}
TRACERS: dict[str, Any] = {"jit": px.jit, "vmap": px.vmap, "grad": lambda f: px.grad(lambda x: f(x).sum())}


@pytest.mark.parametrize("name", CONCRETE)
def test_the_class_of_all_arrays_has_what_arrays_have(name: str) -> None:
    assert hasattr(px.Array, name)


@pytest.mark.parametrize("transform", TRACERS)
@pytest.mark.parametrize("name", CALLS)
def test_a_traced_value_is_nowhere(transform: str, name: str) -> None:
    with pytest.raises(ConcretizationTypeError) as caught:
        TRACERS[transform](CALLS[name])(jnp.ones(3))
    assert "x" in str(caught.value).split("\n")[0]


@pytest.mark.parametrize("transform", TRACERS)
@pytest.mark.parametrize("name", ["sharding", "device", "copy_to_host_async", "block_until_ready", "is_ready"])
def test_a_traced_value_has_no_place(transform: str, name: str) -> None:
    with pytest.raises(ArrayAttributeError) as caught:
        TRACERS[transform](lambda x: getattr(x, name))(jnp.ones(3))
    assert caught.value.attribute == name and caught.value.place
    TRACERS[transform](lambda x: x if not hasattr(x, name) else None)(jnp.ones(3))


def test_a_misspelt_attribute_is_named_with_its_neighbour_and_holds_no_tracer() -> None:
    kept: list[ArrayAttributeError] = []

    def f(x: Any) -> Any:
        try:
            return x.summ()
        except AttributeError as error:
            kept.append(error)
        alive.append(weakref.ref(x))
        return x

    alive: list[weakref.ref] = []
    px.jit(f)(jnp.ones(3))
    assert kept[0].attribute == kept[0].name == "summ" and not kept[0].place
    assert [fix.code for fix in kept[0].report.fixes] == [".sum"]
    kept[0].__traceback__ = None
    gc.collect()
    assert alive[0]() is None


def test_copies_of_a_traced_value_are_that_value() -> None:
    def f(x: Any) -> Any:
        assert copy.copy(x) is x and copy.deepcopy(x) is x
        return x

    assert px.jit(f)(2.) == 2.


def test_how_traced_values_show() -> None:
    shown: list[str] = []

    def show(x: Any) -> Any:
        shown.append(repr(x))
        return x

    px.jit(show)(jnp.ones(3))
    px.jit(show)(1.)
    px.vmap(show, in_axes=1)(jnp.ones((2, 3)))
    px.grad(show)(jnp.float32(1))
    px.jvp(show, (1.,), (2.,))
    assert shown == ["JitTracer(float32[3])", "JitTracer(~float32[])", "VmapTracer(aval=float32[2], batched=float32[2,3])",
                     "GradTracer(primal=1.0, typeof(tangent)=f32[])", "JVPTracer(primal=1.0, tangent=2.0)"]


def test_a_value_known_under_grad_answers_as_an_array() -> None:
    assert px.grad(lambda x: x * x.item())(3.) == 3.
    assert px.grad(lambda x: x * 2 if x > 1 else x)(jnp.float32(3)) == 2.
