"""Collectives over named axes of vmap: what each does, by NumPy; several axes are as one; transposes; reports."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.printer import check_jaxpr
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet, UnboundAxisError

N = 3
X = np.random.default_rng(0).standard_normal((N, 6, 3)).astype(np.float32)


def named(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return jax.vmap(f, axis_name="i", **options)


def same(got: Any, wanted: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-5, atol=1e-6)


def everywhere(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(x, (N, *x.shape))


WHAT: dict[str, tuple[Callable[..., Any], Callable[[np.ndarray], np.ndarray]]] = {
    "psum": (lambda x: lax.psum(x, "i"), lambda x: everywhere(x.sum(0))),
    "psum and a position": (lambda x: lax.psum(x, ("i", 1)), lambda x: everywhere(x.sum((0, 2)))),
    "pmean": (lambda x: lax.pmean(x, "i"), lambda x: everywhere(x.mean(0))),
    "pmax": (lambda x: lax.pmax(x, "i"), lambda x: everywhere(x.max(0))),
    "pmin": (lambda x: lax.pmin(x, "i"), lambda x: everywhere(x.min(0))),
    "all_gather": (lambda x: lax.all_gather(x, "i", axis=1), lambda x: everywhere(np.stack(x, 1))),
    "all_gather tiled": (lambda x: lax.all_gather(x, "i", axis=-1, tiled=True), lambda x: everywhere(np.concatenate(x, -1))),
    "psum_scatter": (lambda x: lax.psum_scatter(x, "i", scatter_dimension=1), lambda x: np.moveaxis(x.sum(0), 1, 0)),
    "psum_scatter tiled": (lambda x: lax.psum_scatter(x, "i", tiled=True), lambda x: x.sum(0).reshape(3, 2, 3)),
    "all_to_all": (lambda x: lax.all_to_all(x, "i", 1, 0), lambda x: np.moveaxis(x, 2, 0)),
    "all_to_all onto itself": (lambda x: lax.all_to_all(x, "i", 1, 1), lambda x: np.moveaxis(x, (2, 0), (0, 2))),
    "all_to_all tiled": (lambda x: lax.all_to_all(x, "i", 0, 1, tiled=True),
                         lambda x: np.stack([np.concatenate([y[2 * i:2 * i + 2] for y in x], 1) for i in range(N)])),
    "pswapaxes": (lambda x: lax.pswapaxes(x, "i", 1), lambda x: np.swapaxes(x, 0, 2)),
    "ppermute": (lambda x: lax.ppermute(x, "i", [(0, 1), (1, 2), (2, 0)]), lambda x: x[[2, 0, 1]]),
    "ppermute in part": (lambda x: lax.ppermute(x, "i", [(0, 1), (1, 2)]), lambda x: np.stack([0 * x[0], x[0], x[1]])),
    "pshuffle": (lambda x: lax.pshuffle(x, "i", [2, 0, 1]), lambda x: x[[2, 0, 1]]),
    "pbroadcast": (lambda x: lax.pbroadcast(x, "i", 1), lambda x: everywhere(x[1])),
}
LINEAR = [name for name in WHAT if name not in ("pmax", "pmin")]


@pytest.mark.parametrize("name", WHAT)
def test_what_it_does(name: str) -> None:
    f, wanted = WHAT[name]
    same(named(f)(X), wanted(X))
    same(named(f, in_axes=2, out_axes=1)(np.moveaxis(X, 0, 2)), np.moveaxis(wanted(X), 0, 1))
    same(jax.jit(named(f))(X), wanted(X))
    same(named(jax.jit(f))(X), wanted(X))
    check_jaxpr(jax.make_jaxpr(f, axis_env=[("i", N)])(X[0]).jaxpr)


@pytest.mark.parametrize("name", WHAT)
def test_what_is_the_same_for_all_counts_for_each(name: str) -> None:
    f, wanted = WHAT[name]
    same(named(lambda x, i: f(x), in_axes=(None, 0))(X[0], np.arange(N)), wanted(everywhere(X[0])))


@pytest.mark.parametrize("name", WHAT)
def test_another_vmap_inside_or_outside_changes_nothing(name: str) -> None:
    f, _ = WHAT[name]
    both = np.stack([X, 2 * X - 1])  # the other axis, the named axis, ...
    wanted = np.stack([np.asarray(named(f)(x)) for x in both])
    same(jax.vmap(named(f))(both), wanted)
    for at in (1, 2, 3):
        inner = named(lambda x, at=at: jax.vmap(f, in_axes=at - 1)(x))
        same(inner(np.moveaxis(both, 0, at)), np.moveaxis(wanted, 0, 1))


@pytest.mark.parametrize("name", LINEAR)
def test_its_transposition_fits_it(name: str) -> None:
    """<y, J dx> = <Jᵀ y, dx>; and of the whole map, within and around vmap."""
    f, wanted = WHAT[name]
    y = np.random.default_rng(1).standard_normal(wanted(X).shape).astype(np.float32)
    outside = jax.grad(lambda x: (named(f)(x) * y).sum())(X)
    same((np.asarray(outside) * X).sum(), (wanted(X) * y).sum())
    inside = named(lambda x, ct: jax.vjp(f, x)[1](ct)[0])(X, y)
    same(inside, outside)
    tangents = named(lambda x: jax.jvp(f, (x,), (2 * x,))[1])(X)
    same(tangents, 2 * wanted(X))


A, B = 2, 3
AXES: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "psum": lambda n: lambda x: lax.psum(x, n),
    "pmax": lambda n: lambda x: lax.pmax(x, n),
    "axis_index": lambda n: lambda x: x + lax.axis_index(n),
    "all_gather": lambda n: lambda x: lax.all_gather(x, n, axis=1),
    "all_gather tiled": lambda n: lambda x: lax.all_gather(x, n, axis=1, tiled=True),
    "psum_scatter": lambda n: lambda x: lax.psum_scatter(x, n, scatter_dimension=1),
    "psum_scatter tiled": lambda n: lambda x: lax.psum_scatter(x, n, tiled=True),
    "all_to_all": lambda n: lambda x: lax.all_to_all(x, n, 1, 0),
    "all_to_all tiled": lambda n: lambda x: lax.all_to_all(x, n, 0, 1, tiled=True),
}


@pytest.mark.parametrize("name", AXES)
def test_several_axes_count_as_one(name: str) -> None:
    make = AXES[name]
    x = np.random.default_rng(2).standard_normal((A, B, 12, 6)).astype(np.float32)
    one = jax.vmap(make("n"), axis_name="n")(x.reshape(A * B, 12, 6))
    two = jax.vmap(jax.vmap(make(("a", "b")), axis_name="b"), axis_name="a")(x)
    same(np.asarray(two).reshape(np.asarray(one).shape), np.asarray(one))
    swapped = jax.vmap(jax.vmap(make(("a", "b")), axis_name="a"), axis_name="b")(np.swapaxes(x, 0, 1))
    same(np.swapaxes(np.asarray(swapped), 0, 1), np.asarray(two))


def test_numbers_stay_numbers() -> None:
    found: list[Any] = []

    def f(x: Any) -> Any:
        found.extend([lax.psum(1, "i"), lax.psum(True, "i"), lax.psum(2.5, "i"), lax.axis_size("i"), lax.pmean(3, "i")])
        return jnp.ones(lax.psum(1, "i")) * x

    assert named(f)(np.arange(N)).shape == (N, N)
    assert found == [N, N, 2.5 * N, N, 3.0] and [type(x) for x in found] == [int, int, float, int, float]


def test_trees_and_booleans() -> None:
    out = named(lambda x: lax.psum({"a": x, "b": x > 0, "c": 2}, "i"))(np.array([-1., 1., 2.], np.float32))
    same(out["a"], [2.] * N)
    assert out["b"].dtype == np.int32 and list(out["b"]) == [2] * N and list(out["c"]) == [6] * N


def test_loops_and_branches_know_the_axis() -> None:
    def f(x: Any) -> Any:
        total, steps = lax.scan(lambda c, y: (c + lax.psum(y, "i"), lax.axis_index("i")), 0., x)
        chosen = lax.cond(total > 0, lambda y: lax.all_gather(y, "i"), lambda y: -lax.all_gather(y, "i"), x.sum())
        return total, steps, chosen

    x = np.abs(X[:, :2, 0])
    total, steps, chosen = named(f)(x)
    same(total, [x.sum()] * N)
    assert np.array_equal(steps, [[0, 0], [1, 1], [2, 2]])
    same(chosen, everywhere(x.sum(1)))


def test_a_jitted_function_is_staged_again_for_another_size() -> None:
    f = jax.jit(lambda x: x / lax.psum(1, "i"))
    assert [float(named(f)(np.ones(n, np.float32))[0]) for n in (2, 4)] == [0.5, 0.25]
    with pytest.raises(UnboundAxisError):
        f(1.)


def test_the_names_that_exist_are_told() -> None:
    with pytest.raises(UnboundAxisError) as caught:
        jax.vmap(named(lambda x: lax.psum(x, "bach")), axis_name="batch")(X)
    assert isinstance(caught.value, NameError)
    assert (caught.value.function, caught.value.axis, caught.value.known) == ("psum", "bach", ("i", "batch"))
    assert "'batch'" in str(caught.value.report.fixes[0].code)
    for f in (lambda: lax.axis_index("k"), lambda: lax.axis_size("k"), lambda: lax.all_gather(X, "k"), lambda: lax.psum(1, "k"),
              lambda: jax.jit(lambda x: lax.pmean(x, "k"))(X), lambda: lax.ppermute(X, "k", [(0, 0)])):
        with pytest.raises(UnboundAxisError) as caught:
            f()
        assert caught.value.axis == "k" and caught.value.known == ()


def test_a_jaxpr_with_open_axes_cannot_run_alone() -> None:
    closed = jax.make_jaxpr(lambda x: lax.psum(x, "i"), axis_env=[("i", N)])(1.)
    with pytest.raises(UnboundAxisError):
        jax.core.eval_jaxpr(closed.jaxpr, closed.consts, 1.)


@pytest.mark.parametrize("call", [
    lambda x: lax.psum(x, 5), lambda x: lax.psum(x, -1), lambda x: lax.psum(x, ("i", "i")), lambda x: lax.psum(x, (0, 0)),
    lambda x: lax.all_gather(x, "i", axis=4), lambda x: lax.all_gather(x, "i", axis="a"),
    lambda x: lax.all_gather(x[0, 0], "i", tiled=True), lambda x: lax.all_gather(x, "i", to="reduced"),
    lambda x: lax.all_to_all(x, "i", 0, 0), lambda x: lax.all_to_all(x[:, :2], "i", 1, 0, tiled=True),
    lambda x: lax.all_to_all(x, "i", 3, 0), lambda x: lax.psum_scatter(x, "i"),
    lambda x: lax.ppermute(x, "i", [(0, 1), (0, 2)]), lambda x: lax.ppermute(x, "i", [(0, 1), (2, 1)]),
    lambda x: lax.ppermute(x, "i", [(0, 5)]), lambda x: lax.ppermute(x, "i", [0, 1]), lambda x: lax.ppermute(x, "i", 3),
    lambda x: lax.pshuffle(x, "i", [2, 0]), lambda x: lax.pshuffle(x, "i", [2, 0, 0]),
    lambda x: lax.pbroadcast(x, "i", 7), lambda x: lax.pbroadcast(x, "i", 1.5),
    lambda x: lax.pcast(x, "i", to="varying"), lambda x: lax.pcast(x, "i", to="foo"),
])
def test_what_does_not_fit_is_refused(call: Callable[..., Any]) -> None:
    with pytest.raises(CollectiveError) as caught:
        named(call)(X)
    assert caught.value.position is not None and caught.value.position.code.co_filename == __file__


def test_what_is_not_there_yet_says_so() -> None:
    for call in (lambda x: lax.psum(x, "i", axis_index_groups=[[0, 1], [2]]),
                 lambda x: lax.all_gather(x, "i", axis_index_groups=[[0]]),
                 lambda x: jax.vmap(lambda y: lax.ppermute(y, ("i", "j"), []), axis_name="j")(x)):
        with pytest.raises(CollectiveNotThereYet):
            named(call)(X)


def test_extremes_say_why_they_have_no_derivative() -> None:
    with pytest.raises(NotImplementedError, match="all_gather"):
        named(jax.grad(lambda x: lax.pmax(x, "i").sum()))(X)
