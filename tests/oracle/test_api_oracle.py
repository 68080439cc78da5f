"""The public functions against JAX: classes of errors, Jacobians, types, what `device_put` commits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
import perspicax as px  # noqa: E402

pytestmark = pytest.mark.oracle


def both(use: Callable[[Any], Any]) -> tuple[Any, Any]:
    return use(px), use(jax)


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "jit of a number": lambda j: j.jit(3),
    "jit of None": lambda j: j.jit(None),
    "a static argument that is not there": lambda j: j.jit(lambda x: x, static_argnums=3),
    "a static name that is not there": lambda j: j.jit(lambda x: x, static_argnames="y"),
    "a name for a number": lambda j: j.jit(lambda x: x, static_argnums="x"),
    "a number for a name": lambda j: j.jit(lambda x: x, static_argnames=3),
    "static and donated": lambda j: j.jit(lambda x: x, static_argnums=0, donate_argnums=0),
    "an option that is not there": lambda j: j.jit(lambda x: x, foo=3),
    "device and backend": lambda j: j.jit(lambda x: x, device=j.devices()[0], backend="cpu"),
    "a backend that is not there": lambda j: j.jit(lambda x: x, backend="nosuch")(1.0),
    "grad of a number": lambda j: j.grad(3),
    "vmap of a number": lambda j: j.vmap(3),
    "make_jaxpr of a number": lambda j: j.make_jaxpr(3),
    "hessian of a number": lambda j: j.hessian(3),
    "vjp of a number": lambda j: j.vjp(3, 1.0),
    "jvp of a number": lambda j: j.jvp(3, (1.0,), (1.0,)),
    "device_put of a text": lambda j: j.device_put("a"),
    "device_put onto a number": lambda j: j.device_put(1, 3),
    "device_put onto a platform": lambda j: j.device_put(1, "cpu"),
    "device_put by another structure": lambda j: j.device_put({"a": 1.0}, {"b": j.devices()[0]}),
    "device_put, donated and shared": lambda j: j.device_put(j.numpy.ones(2), donate=True, may_alias=True),
    "a scope without a name": lambda j: j.named_scope(3),
    "jacfwd of an integer": lambda j: j.jacfwd(lambda x: x)(1),
    "jacrev of an integer": lambda j: j.jacrev(lambda x: x)(1),
    "jacrev to an integer": lambda j: j.jacrev(lambda x: j.numpy.int32(3))(1.0),
    "jacrev to a complex number": lambda j: j.jacrev(lambda x: x * 1j)(1.0),
    "holomorphic of a real number": lambda j: j.jacfwd(lambda x: x, holomorphic=True)(1.0),
    "argnums too great": lambda j: j.jacfwd(lambda x: x, argnums=3)(1.0),
    "live arrays of no platform": lambda j: j.live_arrays("nosuch"),
    "a name that is not there": lambda j: j.nosuch,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_raise_what_they_raise_in_jax(name: str) -> None:
    with pytest.raises(Exception) as theirs:
        MISTAKES[name](jax)
    expected = next(c for c in type(theirs.value).__mro__ if c.__module__ == "builtins")
    with pytest.raises(expected):
        MISTAKES[name](px)


def f(x: Any) -> Any:
    return {"a": x["u"] * x["v"], "b": x["v"] ** 3}


POINT = {"u": np.array([1.0, 2.0], np.float32), "v": 1.5}


@pytest.mark.parametrize("make", [
    lambda j: j.jacfwd(f)(POINT),
    lambda j: j.jacrev(f)(POINT),
    lambda j: j.jacrev(lambda x, y: x * y, argnums=(0, 1))(POINT["u"], 2.0),
    lambda j: j.jacfwd(lambda x: (x * 2, {"z": x}), has_aux=True)(POINT["u"]),
    lambda j: j.hessian(lambda x: x ** 3)(2.0),
    lambda j: j.jacfwd(lambda z: z * z, holomorphic=True)(1 + 2j),
    lambda j: j.jacrev(lambda x: x * 2.0, allow_int=True)(1.0),
    lambda j: j.jit(j.hessian(lambda x: (x ** 2).sum()))(POINT["u"]),
])
def test_jacobians_have_the_values_types_and_structure_of_jax(make: Callable[[Any], Any]) -> None:
    ours, theirs = both(make)
    assert str(px.tree.structure(ours)) == str(jax.tree.structure(theirs))
    for x, y in zip(px.tree.leaves(ours), jax.tree.leaves(theirs)):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert getattr(x, "weak_type", None) == getattr(y, "weak_type", None)
        np.testing.assert_allclose(x, y, rtol=1e-6)


def test_device_put_commits_and_keeps_what_jax_does() -> None:
    for given in (1.0, np.float64(2), np.arange(3), {"a": 1, "b": [2.0, None]}):
        for place in (False, True):
            ours, theirs = both(lambda j, g=given, p=place: j.device_put(g, j.devices()[0] if p else None))
            for x, y in zip(px.tree.leaves(ours), jax.tree.leaves(theirs)):
                assert (x.dtype, x.weak_type, x.shape, x.committed) == (y.dtype, y.weak_type, y.shape, y.committed)


def test_shapes_and_names() -> None:
    for use in (lambda j: repr(j.eval_shape(lambda x, y: (x, y), 1.0, np.ones(3))),
                lambda j: repr(j.make_jaxpr(lambda x: x * 2, return_shape=True)(1.0)),
                lambda j: j.make_jaxpr(f).__name__,
                lambda j: str(j.typeof(np.ones((2, 3)))),
                lambda j: type(j.device_get(np.float32(1))),
                lambda j: type(j.device_get(1))):
        ours, theirs = both(use)
        assert ours == theirs


def test_every_name_of_jax_is_here_or_said_to_be_missing() -> None:
    """A name of JAX must not be taken for a misspelling."""
    unknown = []
    for name in dir(jax):
        if name.startswith("_"):
            continue
        try:
            getattr(px, name)
        except NotImplementedError:
            continue
        except AttributeError:
            unknown.append(name)
    assert not unknown
