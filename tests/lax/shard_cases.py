"""Functions under `shard_map` and `pmap` on eight devices, written once for this project and once for the oracle.

Each case is `(function, in_specs, out_specs, arguments, options)`; `n` has the modules of the one or the other.
"""
from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
A = RNG.standard_normal((8, 4)).astype(np.float32)
W = RNG.standard_normal((4,)).astype(np.float32)
TWO = np.float32(2)


def grad(count: int) -> Callable[..., Any]:
    return lambda n, f: n.jax.grad(lambda *xs: n.np.sin(f(*xs)).sum(), argnums=tuple(range(count)))


def _case(f: Any, given: Any, found: Any, *args: Any, outer: Any = None, **options: Any) -> tuple:
    return f, given, found, args, outer, options


def x(n: Any) -> Any:
    return n.P("x")


def xy(n: Any) -> Any:
    return n.P("x", "y")


def whole(n: Any) -> Any:
    return n.P()


def w_and(spec: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda n: (n.P(), spec(n))


def _moves(n: Any) -> Callable[..., Any]:
    lax = n.lax

    def f(a: Any) -> Any:
        index = lax.axis_index("y") + 10 * lax.axis_index("x") + 100 * lax.axis_index(("y", "x"))
        return (a + index, lax.all_gather(a, ("y", "x")), lax.all_gather(a, "x", axis=1, tiled=True),
                lax.ppermute(a, ("x", "y"), [(0, 3), (2, 7)]), lax.pshuffle(a, "x", [3, 1, 0, 2]),
                lax.psum_scatter(a, "y", scatter_dimension=1), lax.all_to_all(a, "y", 0, 1),
                lax.pswapaxes(a, "y", 1), lax.all_gather(a, "x", axis_index_groups=[[0, 2], [1, 3]], tiled=True))

    return f


def _keys_moved(n: Any) -> Callable[..., Any]:
    lax, words = n.lax, n.jax.random.key_data

    def f(a: Any) -> Any:
        keys = n.jax.random.split(n.jax.random.fold_in(n.jax.random.key(3), lax.axis_index("x")), 4)
        return [words(k) for k in (
            lax.all_gather(keys, "x", tiled=True), lax.ppermute(keys, "x", [(0, 1), (2, 0)]), lax.all_to_all(keys, "x", 0, 0))]

    return f


def _sums(n: Any) -> Callable[..., Any]:
    lax = n.lax
    return lambda a: (lax.psum(a, "x"), lax.pmean(a, ("x", "y")), lax.pmax(a, "x"), lax.pmin(a, "y"),
                      lax.psum(a > 0, "x"), lax.all_gather(a, "x", to="invarying", tiled=True), lax.psum(1, ("x", "y")))


def _branch(n: Any) -> Callable[..., Any]:
    return lambda w, a: n.lax.cond(a.sum() > 0, lambda: n.np.sin(w * a), lambda: w * a)


def _custom(n: Any) -> Callable[..., Any]:
    @n.jax.custom_vjp
    def f(w: Any, a: Any) -> Any:
        return n.np.sin(w * a)

    f.defvjp(lambda w, a: (n.np.sin(w * a), (w, a)), lambda kept, g: (n.lax.psum((g * kept[1]).sum(), "x"), g * 3))
    return lambda w, a: f(w, a)


def _loop(n: Any) -> Callable[..., Any]:
    def f(w: Any, a: Any) -> Any:
        start = n.lax.pcast(n.np.zeros(4), "x", to="varying")
        return n.lax.scan(lambda c, row: (n.np.sin(c * w) + row, c), start, a)[0]

    return f


def _two_layers(n: Any) -> Callable[..., Any]:
    """A step of training, data-parallel along `x` and tensor-parallel along `y`."""
    def f(first: Any, second: Any, rows: Any) -> Any:
        hidden = n.np.tanh(rows @ first)
        return n.lax.pmean(((n.lax.psum(hidden @ second, "y")) ** 2).mean(), "x")

    return f


CASES: dict[str, tuple] = {
    "moves": _case(_moves, xy, lambda n: (xy(n), n.P(("x", "y")), n.P(("x", "y")), xy(n), xy(n), n.P(("x", "y")), xy(n), xy(n),
                                          xy(n)), A),
    "sums": _case(_sums, xy, lambda n: (n.P(None, "y"), n.P(), n.P(None, "y"), n.P("x"), n.P(None, "y"), n.P(None, "y"), n.P()),
                  A),
    "sums in groups": _case(lambda n: lambda a: n.lax.psum(a, "x", axis_index_groups=[[0, 1], [2, 3]]), xy, xy, A,
                            check_vma=False),
    "random": _case(lambda n: lambda key, a: a + n.jax.random.normal(n.jax.random.fold_in(key, n.lax.axis_index("x")), a.shape),
                    w_and(x), x, np.array([0, 7], np.uint32), A),
    "partly manual": _case(lambda n: lambda a: n.lax.all_gather(n.np.sin(a), "x", tiled=True) + n.lax.axis_index("x"), x, x, A,
                           outer=grad(1), axis_names={"x"}),
    "training": _case(_two_layers, lambda n: (n.P(None, "y"), n.P("y"), n.P("x")), whole,
                      RNG.standard_normal((4, 6)).astype("f"), RNG.standard_normal((6, 2)).astype("f"), A,
                      outer=lambda n, f: n.jax.value_and_grad(f, (0, 1, 2))),
    "loop": _case(_loop, w_and(x), x, TWO, A, outer=grad(2)),
    "custom_vjp": _case(_custom, w_and(x), x, TWO, A, outer=grad(2)),
    "branch": _case(_branch, w_and(x), x, TWO, A, outer=grad(2)),
    "second order": _case(lambda n: lambda w, a: n.np.sin(n.np.sin(w * a)), w_and(x), x, TWO, A,
                          outer=lambda n, f: n.jax.grad(n.jax.grad(lambda w, a: f(w, a).sum()))),
    "batch of gradients": _case(
        lambda n: lambda w, a: n.lax.psum(n.np.sin(w * a), "x"), w_and(x), whole, np.ones(4, np.float32), A,
        outer=lambda n, f: n.jax.grad(lambda w, a: n.jax.vmap(f, (0, None), spmd_axis_name="y")(w, a).sum())),
    "gradient within": _case(
        lambda n: lambda w, a: n.jax.value_and_grad(lambda v: n.lax.psum(n.np.sin(v * a).sum(), ("x", "y")))(w), w_and(xy),
        whole, TWO, A),
}
CASES["keys moved"] = _case(_keys_moved, x, x, A)
CASES["groups of several sizes"] = _case(
    lambda n: lambda a: [f(a * (1 + n.lax.axis_index("x")), "x", axis_index_groups=[[0, 3, 1], [2]])
                         for f in (n.lax.psum, n.lax.pmax, n.lax.pmin)], xy, xy, A, check_vma=False)
CASES["gathered, unchecked"] = _case(lambda n: lambda a: n.np.sin(n.lax.all_gather(n.np.cos(a), "x", tiled=True)), xy, xy, A,
                                     outer=grad(1), check_vma=False)
CASES["moved"] = _case(
    lambda n: lambda a: n.np.sin(n.lax.ppermute(n.lax.all_to_all(n.np.cos(a), "y", 0, 1, tiled=True), "x", [(0, 1), (3, 0)])),
    xy, xy, A, outer=grad(1))
CASES["nested"] = _case(
    lambda n: lambda a: 2 * n.jax.shard_map(
        lambda b: n.lax.psum_scatter(n.lax.all_gather(n.np.sin(b), "x", axis=1, tiled=True) * (1. + n.lax.axis_index("x")), "x",
                                     scatter_dimension=1, tiled=True),
        in_specs=n.P("x"), out_specs=n.P("x"), axis_names={"x"}, check_vma=False)(a),
    lambda n: n.P(None, "y"), lambda n: n.P(None, "y"), A, outer=grad(1), axis_names={"y"}, check_vma=False)
CASES["groups"] = _case(
    lambda n: lambda a: n.np.sin(n.lax.psum_scatter(n.lax.psum(a, "x", axis_index_groups=[[0, 1], [2, 3]]), "x", tiled=True,
                                                    axis_index_groups=[[0, 2], [1, 3]])),
    xy, xy, A, outer=grad(1), check_vma=False)
for _name, _checks in (("checked", True), ("unchecked", False)):
    CASES[f"whole operand, {_name}"] = _case(
        lambda n: n.jax.checkpoint(lambda w, a: n.lax.psum_scatter(n.np.sin(w * a), "y", scatter_dimension=1, tiled=True)),
        w_and(xy), xy, TWO, A, outer=grad(2), check_vma=_checks)


def _named(n: Any) -> Callable[..., Any]:
    named = importlib.import_module(n.jax.__name__ + ".ad_checkpoint").checkpoint_name

    def f(w: Any, a: Any) -> Any:
        return n.lax.psum(n.np.cos(named(n.lax.psum(n.np.sin(a * w), "y"), "sums")), "x")

    return f


for _saved, _policy in (("nothing", lambda p: p.nothing_saveable), ("sums", lambda p: p.save_only_these_names("sums")),
                        ("all but sums", lambda p: p.save_anything_except_these_names("sums"))):
    CASES[f"remat, {_saved} saved"] = _case(
        lambda n, policy=_policy: n.jax.checkpoint(_named(n), policy=policy(n.jax.checkpoint_policies)), w_and(xy), whole,
        TWO, A, outer=grad(2))
