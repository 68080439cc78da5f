"""Callbacks, debugging prints and checks, as JAX makes them."""
from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from jax.experimental import checkify as jax_checkify

import perspicax as px
from perspicax.experimental import checkify as px_checkify

pytestmark = pytest.mark.oracle

X = np.array([1.0, -2.0, 3.0], np.float32)
LIBRARIES = ((px, px_checkify), (jax, jax_checkify))


def printing(p: Any) -> dict[str, Any]:
    show = lambda x, **options: (p.debug.print("x={} {y}", x, y=2, **options), x * 2)[1]
    loop = lambda n: p.lax.while_loop(lambda i: i < n, lambda i: (p.debug.print("i={}", i), i + 1)[1], 0)
    return {
        "plain": lambda: show(X), "staged": lambda: p.jit(show)(X), "vmap": lambda: p.vmap(show)(X),
        "vmap of part": lambda: p.vmap(lambda x, y: p.debug.print("{} {}", x, y), (0, None))(X, X[:1]),
        "ordered vmap": lambda: p.jit(p.vmap(lambda x: show(x, ordered=True)))(X),
        "grad": lambda: p.grad(show)(np.float32(2)), "remat": lambda: p.grad(p.checkpoint(
            lambda x: p.numpy.sin(show(x))))(np.float32(2)),
        "batched loop": lambda: p.vmap(loop)(np.arange(3)), "text": lambda: p.debug.print("{} {n}", "word", n=None),
        "tree": lambda: p.debug.print("{t} {t[a]:.2f}", t={"a": np.float32(1.234), "b": [1, p.numpy.arange(2)]}),
    }


@pytest.mark.parametrize("name", list(printing(px)))
def test_debug_print(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for p, _ in LIBRARIES:
        capsys.readouterr()
        p.block_until_ready(printing(p)[name]())
        p.effects_barrier()
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and texts[0]


def calling(p: Any) -> dict[str, Any]:
    scalar = p.ShapeDtypeStruct((), np.float32)
    half = lambda x: np.asarray(x) / 2
    pure = lambda x, **options: p.pure_callback(half, scalar, x, **options)
    io = lambda x, **options: p.experimental.io_callback(half, scalar, x, **options)
    return {
        "float64": lambda: p.pure_callback(lambda x: np.float64(x), scalar, X[0]),
        "python float": lambda: p.pure_callback(lambda x: 1.5, scalar, X[0]),
        "integer": lambda: p.pure_callback(lambda x: 1, scalar, X[0]),
        "other shape": lambda: p.jit(pure)(X), "other structure": lambda: p.pure_callback(lambda x: [x], scalar, X[0]),
        "two for one": lambda: p.pure_callback(lambda x: [x, x], scalar, X[0]),
        "none": lambda: p.experimental.io_callback(lambda x: None, None, X),
        "64 bits": lambda: p.pure_callback(half, p.ShapeDtypeStruct((), np.dtype("float64")), X[0]),
        "method": lambda: pure(X[0], vmap_method="batch"), "no method": lambda: p.vmap(pure)(X),
        "grad": lambda: p.grad(pure)(X[0]), "grad of io": lambda: p.grad(io)(X[0]),
        "vmap of io": lambda: p.vmap(io)(X), "vmap of ordered io": lambda: p.vmap(lambda x: io(x, ordered=True))(X),
        "expand": lambda: p.vmap(lambda x, y: p.pure_callback(lambda a, b: a + b, scalar, x, y, vmap_method="expand_dims"),
                                 (0, None))(X, X[0]),
        "text": lambda: p.pure_callback(half, scalar, "word"),
        "format": lambda: p.debug.print("{} {x}", 1), "unused": lambda: p.debug.print("{}", 1, 2),
        "unused name": lambda: p.debug.print("a", x=1), "missing": lambda: p.debug.print("{} {}", 1),
    }


def outcome(p: Any, call: Any) -> Any:
    try:
        result = call()
        p.block_until_ready(result)
        p.effects_barrier()
    except Exception as error:
        return error
    return result


@pytest.mark.parametrize("name", list(calling(px)))
def test_results_and_errors_of_callbacks(name: str) -> None:
    ours, theirs = (outcome(p, calling(p)[name]) for p, _ in LIBRARIES)
    if isinstance(theirs, Exception):
        kind = px.errors.JaxRuntimeError if isinstance(theirs, jax.errors.JaxRuntimeError) else next(
            c for c in type(theirs).__mro__ if c.__module__ == "builtins")
        assert isinstance(ours, kind), repr(ours)
    else:
        for a, b in zip(px.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_array_equal(a, b)


def checked(p: Any, ck: Any) -> dict[str, tuple]:
    def positive(x: Any) -> Any:
        ck.check(x > 0, "value {}", x)
        return x * 2

    user = {
        "plain": positive, "jit": p.jit(positive), "remat": p.checkpoint(positive), "grad": p.grad(positive),
        "cond": lambda x: p.lax.cond(x > 1, lambda: positive(x - 2), lambda: positive(x)),
        "scan": lambda x: p.lax.scan(lambda c, s: (positive(c + s), s), x, p.numpy.asarray(X)),
        "while": lambda x: p.lax.while_loop(lambda c: c < 3, lambda c: (positive(c), c + 1)[1], x),
        "vmap": lambda x: p.vmap(positive)(x + X), "map": lambda x: p.lax.map(positive, x + X),
    }
    automatic = {
        "log": lambda x: p.numpy.log(x), "division": lambda x: 1 / x, "mean": lambda x: (x * X).mean() / (x - 1),
        "index": lambda x: p.numpy.asarray(X)[x.astype("int32")], "take": lambda x: p.numpy.take(X, x.astype("int32")),
        "update": lambda x: p.numpy.asarray(X).at[x.astype("int32")].add(1),
        "slice": lambda x: p.lax.dynamic_slice(p.numpy.asarray(X), (x.astype("int32"),), (2,)),
        "softmax": lambda x: p.numpy.exp(x * X) / p.numpy.exp(x * X).sum(),
        "moves": lambda x: p.numpy.where(x > 0, X[::-1], p.numpy.nan).reshape(3, 1),
    }
    return {**{k: (f, ck.user_checks) for k, f in user.items()}, **{k: (f, ck.all_checks) for k, f in automatic.items()}}


@pytest.mark.parametrize("name", list(checked(px, px_checkify)))
def test_what_checks_find(name: str) -> None:
    """The same values pass, the same fail, by a check of the same category, and the results are the same."""
    for value in (-1.0, 0.0, 1.0, 2.5):
        found = []
        for p, ck in LIBRARIES:
            f, errors = checked(p, ck)[name]
            error, out = p.jit(ck.checkify(f, errors=errors))(p.numpy.float32(value))
            failure = error.get_exception()
            found.append((None if failure is None else type(failure).__name__,
                          [np.asarray(x) for x in p.tree.leaves(out)], p.tree.structure(out)))
        assert found[0][0] == found[1][0], f"{name}({value}): {found[0][0]}, JAX {found[1][0]}"
        for a, b in zip(found[0][1], found[1][1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_categories_have_the_same_names() -> None:
    for name in ("user_checks", "nan_checks", "div_checks", "index_checks", "float_checks", "automatic_checks", "all_checks"):
        ours, theirs = ({c.__name__ for c in getattr(ck, name)} for _, ck in LIBRARIES)
        assert ours == theirs
    assert set(px_checkify.__all__) >= {n for n in dir(jax_checkify) if not n.startswith("_")}
