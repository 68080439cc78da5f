"""Leaks through a lambda that is gone, and through a protocol's method that is just being called."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.errors import UnexpectedTracerError

KEPT: dict[str, Any] = {}


def leak_by_lambda() -> int:
    px.jit(lambda x: KEPT.setdefault("x", x))(1.)
    return leak_by_lambda.__code__.co_firstlineno + 1


def leak_by_closure() -> tuple[list[Any], int]:
    kept: list[Any] = []
    px.jit(lambda x: kept.append(x))(1.)
    with pytest.raises(UnexpectedTracerError) as caught:
        kept[0] + 1
    return [caught.value], leak_by_closure.__code__.co_firstlineno + 2


def test_a_leak_stored_by_a_lambda_that_is_gone_is_located() -> None:
    KEPT.clear()
    line = leak_by_lambda()
    with pytest.raises(UnexpectedTracerError) as caught:
        KEPT["x"] + 1
    report = caught.value.report
    assert report.primary is not None and report.primary.line == line
    assert "`KEPT.setdefault(\"x\", x)` in" in report.why
    assert "the value `x` from" in report.fixes[0].says


def test_a_leak_stored_by_a_lambda_into_a_local_list_is_located() -> None:
    [error], line = leak_by_closure()
    assert error.report.primary.line == line


@pytest.mark.parametrize("ask", [np.asarray, px.device_get, lambda x: x.item(), bool, lambda x: f"{x:3}"])
def test_what_is_being_called_is_no_holder(ask: Callable[[Any], Any]) -> None:
    KEPT.clear()
    px.jit(lambda x: KEPT.setdefault("x", x))(jnp.float32(1))
    with pytest.raises(UnexpectedTracerError) as caught:
        ask(KEPT["x"])
    assert "bound method" not in caught.value.report.why
