"""`jax.numpy` against JAX on extreme values: NaN, infinities and the sign of zero where JAX has them.

`PERSPICAX_VALUES` is how many calls of each family are compared.
"""
from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy
import numpy as np
import pytest
from numpy_values import FAMILIES, Call, operands, sample

import perspicax.numpy as ours

pytestmark = pytest.mark.oracle
COUNT = int(os.environ.get("PERSPICAX_VALUES", "6"))


def attempt(f: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return f(), None
    except Exception as error:  # whatever it raises is compared
        return None, error


def evaluated(call: Call, jnp: Any) -> Any:
    return eval(call.text, operands(jnp, call))


def leaves(x: Any) -> list[Any]:
    return [leaf for v in x for leaf in leaves(v)] if isinstance(x, (list, tuple)) else [x]


def difference(a: Any, b: Any) -> str:
    """How a result differs from JAX's; empty if it does not."""
    if not isinstance(b, jax.Array):
        return "" if a == b else f"{a!r}, JAX {b!r}"
    mine, theirs = (x.shape, str(x.dtype), bool(x.weak_type)) if hasattr(x := a, "weak_type") else None, \
        (b.shape, str(b.dtype), bool(b.weak_type))
    if mine != theirs:
        return f"{mine}, JAX {theirs}"
    x, y = np.asarray(a), np.asarray(b)
    if y.dtype.kind in "biu":
        return "" if np.array_equal(x, y) else f"{x}, JAX {y}"
    close = 3e-2 if y.dtype.itemsize < 4 else 3e-5
    if y.dtype.kind == "c":
        return _differing(x.real, y.real, close) or _differing(x.imag, y.imag, close)
    return _differing(x.astype(np.float64), y.astype(np.float64), close)


def _differing(x: np.ndarray, y: np.ndarray, rtol: float) -> str:
    with np.errstate(all="ignore"):
        finite = np.abs(y[np.isfinite(y)])
        atol = min(1e-6 * max(1., finite.max(initial=0)), 1e30)
        same = (np.isnan(x) & np.isnan(y)) | (x == y) | (np.abs(x - y) <= rtol * np.maximum(np.abs(x), np.abs(y))) \
            | (np.abs(x - y) < atol)
        same &= ~((x == 0) & (y == 0) & (np.signbit(x) != np.signbit(y)))
    return "" if same.all() else f"{x[~same][:4]}, JAX {y[~same][:4]}"


@pytest.mark.parametrize("family", FAMILIES)
def test_extreme_values_agree(family: str) -> None:
    wrong, compared = [], 0
    for call in sample(family, COUNT):
        wanted, theirs = attempt(lambda call=call: evaluated(call, jax.numpy))
        if theirs is not None:
            continue  # what is refused is compared by the sweep of types
        found, mine = attempt(lambda call=call: evaluated(call, ours))
        compared += 1
        problem = f"raises {mine!r}" if mine is not None else ""
        if not problem:
            a, b = leaves(found), leaves(wanted)
            problem = f"{len(a)} results, JAX {len(b)}" if len(a) != len(b) else \
                next(filter(None, map(difference, a, b)), "")
        if problem:
            wrong.append(f"{call}: {problem}")
    assert compared > COUNT // 2, "most calls have a result"
    assert not wrong, "\n".join(wrong)
