"""What `jit` and its like refuse when they are given a function, and static arguments that cannot be compared."""
from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.api.errors import NotCallableError
from perspicax.core.config_errors import UnknownOptionError
from perspicax.transform.errors import StaticArgumentError


def values(x: Any) -> Iterator[Any]:
    yield x


@pytest.mark.parametrize("transform", [px.jit, px.vmap, px.grad, px.make_jaxpr, px.jacfwd])
@pytest.mark.parametrize("function", [values, functools.partial(values, 1.)])
def test_a_generator_function_is_refused_at_the_wrap(transform: Any, function: Any) -> None:
    with pytest.raises(NotCallableError) as caught:
        transform(function)
    assert caught.value.value_type == "generator function"


def test_a_static_argument_whose_comparison_fails_is_named() -> None:
    class Setting:
        def __hash__(self) -> int:
            return 3

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("cannot compare")

    f = px.jit(lambda x, setting: x, static_argnums=1)
    f(1., Setting())
    with pytest.raises(ValueError) as caught:
        f(1., Setting())
    error = caught.value
    assert isinstance(error, StaticArgumentError) and (error.kind, error.given) == ("incomparable", "setting")
    assert isinstance(error.__cause__, RuntimeError)


def test_an_array_as_a_static_argument_is_named_by_its_type() -> None:
    with pytest.raises(StaticArgumentError, match=r"an array, float32\[3\]"):
        px.jit(lambda x: x, static_argnums=0)(jnp.ones(3))


@pytest.mark.parametrize("name, near", [("jax_enable_x46", ("jax_enable_x64",)), ("enable_x64", ("jax_enable_x64",)),
                                        ("jax_debug_nan", ("jax_debug_nans",)), ("jax_nothing_alike", ())])
def test_only_near_names_of_options_are_proposed(name: str, near: tuple[str, ...]) -> None:
    with pytest.raises(UnknownOptionError) as caught:
        px.config.update(name, True)
    assert caught.value.near == near
