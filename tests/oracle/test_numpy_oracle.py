"""`jax.numpy` against JAX: values, dtypes, weak types, shapes and classes of errors of the calls in `numpy_calls.py`.

Each call is compiled twice: a seeded fifth of those of each subject is run, and all with PERSPICAX_SWEEP=1.
"""
from __future__ import annotations

import os
import random
import warnings
from typing import Any

import agreement as same
import jax
import jax.numpy
import numpy as np
import pytest
from numpy_calls import CALLS, operands

import perspicax
import perspicax.numpy as ours

pytestmark = pytest.mark.oracle


def calls(subject: str) -> list[str]:
    return [call.strip() for line in CALLS[subject].strip().split("\n") for call in line.split("; ")]


def evaluated(call: str, names: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(call, dict(names))


def leaves(x: Any) -> list[Any]:
    return [leaf for v in x for leaf in leaves(v)] if isinstance(x, (list, tuple)) else [x]


def differences(call: str, found: Any, wanted: Any) -> None:
    mine, theirs = leaves(found), leaves(wanted)
    assert len(mine) == len(theirs), call
    for a, b in zip(mine, theirs):
        if isinstance(b, jax.Array):
            narrow = b.dtype.itemsize < 4 and b.dtype.kind not in "biu"
            same.assert_same(a, b, 1e-2 if narrow else 3e-6, call)
        else:
            assert a == b or (a != a and b != b), f"{call}: {a!r}, JAX {b!r}"


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    return operands(perspicax, ours), operands(jax, jax.numpy)


@pytest.mark.parametrize("subject", [s for s in CALLS if s != "errors"])
def test_calls_agree(subject: str, both: Any) -> None:
    wrong = []
    every = calls(subject)
    chosen = every if os.environ.get("PERSPICAX_SWEEP") == "1" else random.Random(5).sample(every, -(-len(every) // 5))
    for call in chosen:
        try:
            differences(call, evaluated(call, both[0]), evaluated(call, both[1]))
        except Exception as error:
            wrong.append(f"{call}: {type(error).__name__}: {str(error).strip()[:200]}")
    assert not wrong, "\n".join(wrong)


def test_mistakes_raise_what_those_who_catch_jax_s_errors_expect(both: Any) -> None:
    wrong = []
    for call in calls("errors"):
        try:
            same.check_error(lambda call=call: evaluated(call, both[0]), lambda call=call: evaluated(call, both[1]))
        except AssertionError as error:
            wrong.append(f"{call}: {error}")
    assert not wrong, "\n".join(wrong)


def primitives(jaxpr: Any) -> list[str]:
    """Names of the primitives of a jaxpr of JAX's, those of inner functions in their places."""
    found = []
    for eqn in jaxpr.eqns:
        inner = eqn.params.get("jaxpr") if eqn.primitive.name in ("jit", "pjit") else None
        found.extend(primitives(inner.jaxpr) if inner is not None else [eqn.primitive.name])
    return found


@pytest.mark.parametrize("f", [
    lambda m, x: m.mean(x, axis=-1, keepdims=True), lambda m, x: m.sum(x, axis=0), lambda m, x: m.mean(x.astype("float16")),
    lambda m, x: m.max(x, initial=2., keepdims=True), lambda m, x: m.all(x, axis=0), lambda m, x: x @ x.T,
    lambda m, x: m.einsum("ij,kj->ik", x, x), lambda m, x: m.einsum("ij,kj->ki", x, x), lambda m, x: m.einsum("ij->", x),
    lambda m, x: m.einsum("...j,jk->...k", x, x.T), lambda m, x: m.concatenate([x, x], 1), lambda m, x: m.where(x > 0, x, x),
    lambda m, x: x.T, lambda m, x: x.reshape(3, -1), lambda m, x: x + 1, lambda m, x: x + x[0], lambda m, x: x / 2,
    lambda m, x: x ** 2, lambda m, x: m.sqrt(x), lambda m, x: m.square(x), lambda m, x: m.broadcast_to(x, (4, 2, 3)),
    lambda m, x: m.zeros((2, 3)), lambda m, x: m.arange(5), lambda m, x: m.arange(2, 8, 2), lambda m, x: m.split(x, 3, 1)[0],
    lambda m, x: m.argmax(x), lambda m, x: m.sort(x), lambda m, x: m.argsort(x), lambda m, x: m.cumsum(x, 0),
    lambda m, x: m.flip(x), lambda m, x: m.expand_dims(x, 0), lambda m, x: m.tensordot(x, x, 2), lambda m, x: m.outer(x, x),
    lambda m, x: m.repeat(x, 2), lambda m, x: m.isnan(x), lambda m, x: m.logical_and(x, x), lambda m, x: m.log10(x),
    lambda m, x: m.matmul(m.ones((2, 1, 2, 2)), x), lambda m, x: m.prod(x), lambda m, x: m.roll(x, 1, 0),
])
def test_the_same_primitives_are_recorded(f: Any) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    mine, _ = same.equations(lambda v: f(ours, v), lambda v: f(jax.numpy, v), x)
    wanted = primitives(jax.make_jaxpr(lambda v: f(jax.numpy, v))(x).jaxpr)
    assert [e.primitive.name for e in mine] == wanted


def test_64_bit_dtypes_are_truncated_with_a_warning() -> None:
    for name in ("zeros", "ones"):
        with pytest.warns(UserWarning, match="float64"):
            assert getattr(ours, name)(3, dtype="float64").dtype == np.float32
    with pytest.warns(UserWarning, match="int64"):
        ours.array([1, 2], dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ours.zeros(3, dtype=float).dtype == np.float32
        assert ours.asarray(np.arange(3.)).dtype == np.float32
