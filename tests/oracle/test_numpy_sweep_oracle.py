"""Nearly every function of `jax.numpy` on every dtype, against JAX: types by tracing, values of a sample by evaluation.

`PERSPICAX_SWEEP` is the share of the calls whose types are compared, 1 for all; values are compared for a fortieth of it.
"""
from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from typing import Any

import agreement as same
import jax
import jax.numpy
import numpy as np
import pytest
from numpy_sweep import FAMILIES, Call, Plain, differs_on_purpose, evaluated, every_call, shown

import perspicax
import perspicax.numpy as ours

pytestmark = pytest.mark.oracle
SHARE = float(os.environ.get("PERSPICAX_SWEEP", "0.05"))


def sample(family: str, share: float) -> list[Call]:
    """A seeded part of a family's calls."""
    chosen = random.Random(f"{family} 7")
    return [call for call in every_call(family) if chosen.random() < share and not differs_on_purpose(call)]


def attempt(f: Callable[..., Any], *args: Any) -> tuple[Any, Exception | None]:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return f(*args), None
    except Exception as error:  # whatever it raises is compared
        return None, error


def disagreement(mine: Exception | None, wanted: Exception | None) -> str:
    """How the errors of a call differ; empty if they agree."""
    if wanted is None:
        return "" if mine is None else f"raises {type(mine).__name__}: {str(mine)[:100]!r}"
    if mine is None:
        return f"raises nothing, JAX {wanted!r}"
    builtin = next(c for c in type(wanted).__mro__ if c.__module__ == "builtins")
    if not isinstance(mine, builtin):
        return f"raises {type(mine).__name__}, JAX {builtin.__name__}"
    return "" if hasattr(mine, "report") else f"raises {mine!r} without a report"


def types(call: Call, implementation: Any, numpy: Any) -> list[Any]:
    """Shapes, dtypes and weak types of the results, by tracing: the arrays are arguments, the numbers are not."""
    arrays: list[np.ndarray] = []

    def slot(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            arrays.append(x)
            index = len(arrays) - 1
            return lambda xs: Plain(xs[index])
        if isinstance(x, list):
            parts = [slot(v) for v in x]
            return lambda xs: [part(xs) for part in parts]
        return lambda xs: x

    name, args, kwargs = call
    slots, named = [slot(x) for x in args], {k: slot(x) for k, x in kwargs.items()}
    found = implementation.eval_shape(
        lambda *xs: evaluated((name, tuple([s(xs) for s in slots]), {k: s(xs) for k, s in named.items()}), numpy), *arrays)
    return [(tuple(v.shape), str(v.dtype), bool(v.weak_type)) if hasattr(v, "dtype") else v
            for v in jax.tree_util.tree_leaves(found)]


def leaves(x: Any) -> list[Any]:
    return [leaf for v in x for leaf in leaves(v)] if isinstance(x, (list, tuple)) else [x]


@pytest.mark.parametrize("family", FAMILIES)
def test_results_have_the_same_types(family: str) -> None:
    wrong = []
    for call in sample(family, SHARE):
        wanted, theirs = attempt(types, call, jax, jax.numpy)
        found, mine = attempt(types, call, perspicax, ours)
        problem = disagreement(mine, theirs) or ("" if found == wanted else f"{found}, JAX {wanted}")
        if problem:
            wrong.append(f"{shown(call)}: {problem}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", FAMILIES)
def test_results_have_the_same_values(family: str) -> None:
    wrong = []
    for call in sample(family, SHARE / 40):
        wanted, theirs = attempt(evaluated, call, jax.numpy)
        found, mine = attempt(evaluated, call, ours)
        problem = disagreement(mine, theirs)
        try:
            if not problem and theirs is None:
                compare(family, leaves(found), leaves(wanted))
        except AssertionError as error:
            problem = " ".join(str(error).split())[:200]
        if problem:
            wrong.append(f"{shown(call)}: {problem}")
    assert not wrong, "\n".join(wrong)


def compare(family: str, found: list[Any], wanted: list[Any]) -> None:
    assert len(found) == len(wanted), f"{len(found)} results, JAX {len(wanted)}"
    for a, b in zip(found, wanted):
        if not isinstance(b, jax.Array):
            assert a == b, f"{a!r}, JAX {b!r}"
            continue
        narrow = b.dtype.itemsize < 4 and b.dtype.kind not in "biu"
        same.assert_same(a, b, 2e-2 if narrow else FAMILIES[family].rtol, "value")
