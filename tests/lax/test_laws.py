"""The laws of primitives, over one table of them.

    types      what the type rule promises is what the compiler returns, eagerly and jitted
    jit        jit(f) is f
    forward    jvp against central differences
    reverse    <y, J dx> = <Jᵀ y, dx>
    vmap       vmap(f)(xs)[i] = f(xs[i]), for two choices of batch axes that are drawn with a seed
    second     jvp of a gradient against central differences of the gradient; for a sample that is drawn with a seed
    low        bfloat16 and float16 against float64 of the same values; for a sample likewise

`PERSPICAX_SWEEP=1` takes all in place of the samples.

Programs are compiled in the quickest way: what is tested are our rules, not XLA's optimisation.
"""
from __future__ import annotations

import importlib
import itertools
import os
import pkgutil
import random
from collections.abc import Iterator
from typing import Any

import laws
import numpy as np
import pytest
from primitive_table import ELSEWHERE, FAMILIES_ELSEWHERE, TABLE, Entry

import perspicax.lax
from perspicax.core import dtypes
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform.grad import jvp, vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

CHOICES = 2  # of batch axes, for each entry
SHARE = float(os.environ.get("PERSPICAX_SWEEP", "0.1"))  # of the entries, for the laws that cost most
QUICKLY = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
by_entry = pytest.mark.parametrize("case", TABLE, ids=str)
with_derivative = pytest.mark.parametrize("case", [e for e in TABLE if e.order], ids=str)


def jit(f: Any) -> Any:
    return JitFunction(f, JitOptions(compiler_options=QUICKLY))


def primitives_in(jaxpr: Jaxpr) -> Iterator[str]:
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for value in eqn.values:
            if isinstance(value, ClosedJaxpr):
                yield from primitives_in(value.jaxpr)


def moving(case: Entry) -> list[int]:
    return [i for i, x in enumerate(case.operands) if laws.is_inexact(x)] if case.moving is None else list(case.moving)


def partial(case: Entry) -> tuple[Any, list[np.ndarray]]:
    """The function of the operands that move alone, and these. Results that do not move are left out."""
    which = moving(case)

    def function(*xs: Any) -> list[Any]:
        operands = list(case.operands)
        for i, x in zip(which, xs):
            operands[i] = x
        outs = laws.listed(case.call(*operands))
        return [x for x in outs if dtypes.issubdtype(get_aval(x).dtype, np.inexact)]  # type: ignore[attr-defined]

    return function, [case.operands[i] for i in which]


# -- the table

def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(perspicax.lax.__path__, "perspicax.lax."):
        if not any(found.name.startswith(name) for name in FAMILIES_ELSEWHERE):
            yield importlib.import_module(found.name)


def test_every_primitive_of_lax_has_an_entry() -> None:
    offered = {x.name for m in modules() for x in vars(m).values()
               if isinstance(x, Primitive) and not _made_in(x, FAMILIES_ELSEWHERE)}
    listed = {e.primitive for e in TABLE}
    assert sorted(offered - listed - ELSEWHERE.keys()) == [], "these have no entry in primitive_table.py"
    assert sorted(listed & ELSEWHERE.keys()) == [], "these have an entry, and a reason why they have none"


def _made_in(primitive: Primitive, families: Any) -> bool:
    """Whether a primitive is defined in one of the modules that have a table of their own."""
    return any(primitive in vars(importlib.import_module(name)).values() for name in families
               if importlib.util.find_spec(name) is not None)


@by_entry
def test_the_entry_applies_its_primitive(case: Entry) -> None:
    with laws.double():
        closed = stage_flat(lambda *xs: laws.listed(case.call(*xs)), [get_aval(x) for x in case.operands])
    assert case.primitive in set(primitives_in(closed.jaxpr))


# -- the laws

@by_entry
def test_types_and_jit(case: Entry) -> None:
    with laws.double():
        arrays = [as_array(x) for x in case.operands]
        promised = stage_flat(lambda *xs: laws.listed(case.call(*xs)), [get_aval(x) for x in arrays]).out_avals
        eager, jitted = laws.listed(case.call(*arrays)), laws.listed(jit(case.call)(*arrays))
        for aval, x, y in zip(promised, eager, jitted, strict=True):
            for value in (x, y):
                assert get_aval(value) is aval
                array = np.asarray(value)
                assert (array.shape, array.dtype) == (aval.shape, aval.dtype)
            # Fused arithmetic may be contracted to fewer roundings: a few units in the last place.
            rtol = 16 * float(dtypes.finfo(aval.dtype).eps) if laws.is_inexact(x) else 0
            laws.assert_close(y, x, rtol, rtol, "jit against eager")


@with_derivative
def test_derivatives(case: Entry) -> None:
    """Forward against central differences, reverse against forward.

    Cotangents are paired without conjugation; of complex numbers the real part counts.
    """
    with laws.double():
        f, points = partial(case)
        rng, k = np.random.default_rng(1), len(points)
        direction = [laws.tangent_like(x, rng) for x in points]
        ahead, behind = (laws.numpy(f(*[x + h * v for x, v in zip(points, direction)])) for h in (laws.STEP, -laws.STEP))
        cts = [laws.tangent_like(np.zeros_like(x), rng) for x in ahead]

        def both(*xs: Any) -> tuple[Any, ...]:
            out, moved = jvp(f, xs[:k], xs[k:2 * k])
            return out, moved, list(vjp(f, *xs[:k])[1](list(xs[2 * k:])))

        out, moved, pulled = jit(both)(*points, *direction, *cts)
        laws.assert_close(out, f(*points), 1e-12, 1e-12, "the value that jvp returns")
        laws.assert_close(moved, [(a - b) / (2 * laws.STEP) for a, b in zip(ahead, behind)], case.tolerance,
                          case.tolerance, "jvp against central differences")
        products = [a * b for a, b in zip(cts, laws.numpy(moved), strict=True)]
        left, size = (sum([part.sum() for part in parts]) for parts in (
            [p.real for p in products], [np.abs(p) for p in products]))
        right = sum([(a * b).real.sum() for a, b in zip(laws.numpy(pulled), direction, strict=True)])
        assert abs(left - right) <= 1e-10 * (size + 1), f"<y, J dx> = {left}, <Jᵀ y, dx> = {right}"
        for x, ct in zip(points, pulled):
            assert (ct.shape, ct.dtype) == (x.shape, x.dtype)


def chosen_axes(case: Entry) -> list[tuple]:
    choices = [axes for axes in itertools.product(*[[None, *range(x.ndim + 1)] for x in case.operands]) if set(axes) != {None}]
    return random.Random(str(case)).sample(choices, min(CHOICES, len(choices)))


@pytest.mark.parametrize("case", [e for e in TABLE if e.batched], ids=str)
def test_vmap(case: Entry) -> None:
    rng = np.random.default_rng(3)
    with laws.double():
        stacked = [np.stack([x, rng.permutation(x.reshape(-1)).reshape(x.shape)]) for x in case.operands]
        for axes in chosen_axes(case):
            batched = [x if a is None else np.moveaxis(xs, 0, a) for x, xs, a in zip(case.operands, stacked, axes)]
            found = laws.listed(jit(vmap(case.call, in_axes=axes))(*batched))
            each = [laws.listed(case.call(*[x if a is None else xs[i] for x, xs, a in zip(case.operands, stacked, axes)]))
                    for i in range(2)]
            for x, *ones in zip(found, *each, strict=True):
                assert get_aval(x) is get_aval(ones[0]).batched(2, 0)  # type: ignore[attr-defined]
                rtol = 64 * float(dtypes.finfo(get_aval(x).dtype).eps) if laws.is_inexact(x) else 0  # type: ignore
                laws.assert_close(x, np.stack([np.asarray(v) for v in ones]), rtol, rtol, f"vmap with in_axes={axes}")


# -- laws for a sample

ONCE_ALONE = {
    "igamma-f": "the derivative of the incomplete gamma function with respect to its order has none, as in JAX",
    "igammac-f": "likewise",
    "scatter-max": "two of its updates tie: there the gradient jumps", "scatter-min": "likewise",
}
"""Entries that can be differentiated once, and why not twice."""

OF_ONE_DTYPE = {
    "complex": "it takes float32 and float64", "convert_element_type-to complex": "the entry names a dtype",
    "convert_element_type-weak": "the entry names a dtype", "empty": "the entry names a dtype",
    "reduce": "the entry closes over a number of its dtype", "dot_general-preferred": "the entry names a dtype",
    "fft-rfft(3,)": "it takes float32 and float64", "fft-rfft(3, 4)": "it takes float32 and float64",
}
"""Entries that do not take any floating dtype, and why."""


def sample(cases: list[Any]) -> list[Any]:
    return random.Random(20).sample(cases, max(1, round(min(SHARE, 1) * len(cases))))


@pytest.mark.parametrize("case", sample([e for e in TABLE if e.order and str(e) not in ONCE_ALONE]), ids=str)
def test_second_derivatives(case: Entry) -> None:
    """Forward over reverse, against central differences of the gradient."""
    with laws.double():
        f, points = partial(case)
        rng, k = np.random.default_rng(2), len(points)
        cts = [laws.tangent_like(np.zeros_like(x), rng) for x in laws.numpy(f(*points))]
        direction = [laws.tangent_like(x, rng) for x in points]

        def gradient(*xs: Any) -> list[Any]:
            return list(vjp(f, *xs)[1](cts))

        moved = jit(lambda *xs: jvp(gradient, xs[:k], xs[k:])[1])(*points, *direction)
        compiled = jit(gradient)
        ahead, behind = (laws.numpy(compiled(*[x + h * v for x, v in zip(points, direction)]))
                         for h in (laws.STEP, -laws.STEP))
        laws.assert_close(moved, [(a - b) / (2 * laws.STEP) for a, b in zip(ahead, behind)], 10 * case.tolerance,
                          10 * case.tolerance, "jvp of the gradient against its central differences")


def takes_low_precision(case: Entry) -> bool:
    kinds = {x.dtype for x in case.operands}
    return np.dtype(np.float64) in kinds and np.dtype(np.complex128) not in kinds and str(case) not in OF_ONE_DTYPE


@pytest.mark.parametrize(("case", "dtype"), sample([(e, d) for e in TABLE if takes_low_precision(e)
                                                    for d in (dtypes.bfloat16, np.dtype(np.float16))]), ids=str)
def test_low_precision(case: Entry, dtype: np.dtype) -> None:
    """The values are those of float64, rounded; sums may be kept in the low precision, so a few roundings more."""
    operands = [x.astype(dtype) if x.dtype == np.float64 else x for x in case.operands]
    found = laws.listed(jit(case.call)(*operands))
    with laws.double():
        wide = [x.astype(np.float64) if x.dtype == dtype else x for x in operands]
        wanted = laws.numpy(jit(case.call)(*wide))
    rounding = 16 * float(dtypes.finfo(dtype).eps)
    for x, y in zip(found, wanted, strict=True):
        if laws.is_inexact(x):
            assert x.dtype == dtype
            laws.assert_close(x, y, rounding, rounding * max(1, np.abs(y).max(initial=0)), str(dtype))
        else:
            assert np.array_equal(x, y)


def test_reasons_are_given_for_entries_that_exist() -> None:
    assert set(ONCE_ALONE) | set(OF_ONE_DTYPE) <= {str(e) for e in TABLE}
