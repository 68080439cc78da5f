"""jax.nn against JAX: each function on each kind of argument: values, types, derivatives at kinks, what is refused."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.nn
import jax.numpy
import numpy as np
import pytest
from agreement import assert_same, raised

import perspicax
import perspicax.nn
import perspicax.numpy

pytestmark = pytest.mark.oracle

ACTIVATIONS = """celu elu gelu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu log1mexp log_sigmoid mish relu
    relu6 selu sigmoid silu soft_sign softplus sparse_plus sparse_sigmoid squareplus swish tanh""".split()
KINKS = np.array([-np.inf, -90., -6., -3., -1.5, -1., -0.5, -0., 0., 1e-6, 0.5, 1., 3., 6., 7., 90., np.inf, np.nan],
                 np.float32)
ARGUMENTS = {"int": 1, "float": 0.5, "bool": True, "int32": np.arange(3, dtype=np.int32),
             "bfloat16": np.asarray(0.75, jax.numpy.bfloat16), "float16": np.asarray([-1.5, 2], np.float16)}


def side(m: Any, name: str) -> Callable[..., Any]:
    return getattr(m.nn, name)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_agree_everywhere(name: str) -> None:
    assert_same(side(perspicax, name)(KINKS), side(jax, name)(KINKS), 2e-6, name)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_agree_at_kinks(name: str) -> None:
    finite = KINKS[np.isfinite(KINKS)]
    slope = lambda m: m.jit(m.vmap(m.grad(side(m, name))))
    assert_same(slope(perspicax)(finite), slope(jax)(finite), 2e-6, name)


def test_second_derivatives_agree() -> None:
    x = np.array([-4., -1., -0.3, 0., 0.4, 1., 5.], np.float32)
    names = [n for n in ACTIVATIONS if n != "log1mexp"]
    bends = lambda m: m.jit(lambda x: [m.vmap(m.grad(m.grad(side(m, n))))(x) for n in names])
    for name, ours, theirs in zip(names, bends(perspicax)(x), bends(jax)(x)):
        assert_same(ours, theirs, 1e-5, name)


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_types_of_activations_agree(kind: str) -> None:
    for name in ACTIVATIONS:
        x = ARGUMENTS[kind]
        problem = raised(side(jax, name), x)
        if problem is not None:
            found = raised(side(perspicax, name), x)
            assert found is not None and isinstance(found, type(problem).__mro__[-3]), name
            continue
        assert_same(side(perspicax, name)(x), side(jax, name)(x), 1e-2 if "16" in kind else 2e-6, name)


X = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
MASK = np.array([[True, False, True, True], [False, True, True, False]])
CASES: list[tuple[str, Callable[..., Any], tuple]] = [
    ("gelu exact", lambda m, x: m.nn.gelu(x, approximate=False), (X,)),
    ("leaky_relu slope", lambda m, x: m.nn.leaky_relu(x, 0.2), (X,)),
    ("elu alpha", lambda m, x: m.nn.elu(x, 0.5), (X,)),
    ("celu alpha", lambda m, x: m.nn.celu(x, 0.5), (X,)),
    ("squareplus b", lambda m, x: m.nn.squareplus(x, 2.), (X,)),
    ("glu", lambda m, x: m.nn.glu(x), (X,)),
    ("glu axis", lambda m, x: m.nn.glu(x, axis=0), (X,)),
    ("softmax", lambda m, x: m.nn.softmax(x), (X,)),
    ("softmax axes", lambda m, x: m.nn.softmax(x, axis=(0, 1)), (X,)),
    ("softmax none", lambda m, x: m.nn.softmax(x, axis=()), (X,)),
    ("softmax where", lambda m, x: m.nn.softmax(x, axis=0, where=MASK), (X,)),
    ("log_softmax", lambda m, x: m.nn.log_softmax(x), (X,)),
    ("log_softmax where", lambda m, x: m.nn.log_softmax(x, axis=None, where=MASK), (X,)),
    ("logsumexp", lambda m, x: m.nn.logsumexp(x), (X,)),
    ("logsumexp b", lambda m, x: m.nn.logsumexp(x, axis=1, b=x), (X,)),
    ("logsumexp sign", lambda m, x: m.nn.logsumexp(x, axis=0, b=-x, keepdims=True, return_sign=True), (X,)),
    ("logsumexp where", lambda m, x: m.nn.logsumexp(x, axis=(0, 1), where=MASK), (X,)),
    ("logmeanexp", lambda m, x: m.nn.logmeanexp(x, axis=1, keepdims=True), (X,)),
    ("logmeanexp where", lambda m, x: m.nn.logmeanexp(x, axis=0, where=MASK), (X,)),
    ("standardize", lambda m, x: m.nn.standardize(x), (X,)),
    ("standardize stable", lambda m, x: m.nn.standardize(x, axis=(0, 1), algorithm="stable"), (X,)),
    ("standardize where", lambda m, x: m.nn.standardize(x, where=MASK, epsilon=0.1), (X,)),
    ("standardize mean", lambda m, x: m.nn.standardize(x, mean=0.5), (X,)),
    ("standardize both", lambda m, x: m.nn.standardize(x, mean=0.5, variance=x * x), (X,)),
]


@pytest.mark.parametrize("name, call, args", CASES, ids=[c[0] for c in CASES])
def test_functions_of_axes_and_their_derivatives_agree(name: str, call: Callable[..., Any], args: tuple) -> None:
    assert_same(call(perspicax, *args), call(jax, *args), 2e-6, name)
    assert_same(perspicax.jit(lambda *xs: call(perspicax, *xs))(*args), call(jax, *args), 2e-6, name)

    def gradient(m: Any) -> Any:
        def total(*xs: Any) -> Any:
            leaves = m.tree.leaves(call(m, *xs))
            weights = [m.numpy.cos(m.numpy.arange(1. * x.size).reshape(x.shape)) for x in leaves]
            return sum([(m.numpy.where(m.numpy.isfinite(x), x, 0.) * w).sum() for x, w in zip(leaves, weights)])

        return m.jit(m.grad(total))(*args)

    assert_same(gradient(perspicax), gradient(jax), 2e-5, name)


EDGES: list[tuple[str, Callable[..., Any]]] = [
    ("logsumexp of nothing", lambda m: m.nn.logsumexp(m.numpy.ones((0,)))),
    ("logsumexp of -inf", lambda m: m.nn.logsumexp(m.numpy.array([-np.inf, -np.inf]))),
    ("logsumexp of inf", lambda m: m.nn.logsumexp(m.numpy.array([np.inf, -np.inf]))),
    ("logsumexp of large", lambda m: m.nn.logsumexp(m.numpy.array([1000., 1001.]))),
    ("logsumexp of a number", lambda m: m.nn.logsumexp(1)),
    ("logsumexp of complex", lambda m: m.nn.logsumexp(m.numpy.asarray(X + 1j), axis=1)),
    ("logsumexp of complex, sign", lambda m: m.nn.logsumexp(m.numpy.asarray(X + 1j), axis=1, return_sign=True)),
    ("logsumexp with complex weights", lambda m: m.nn.logsumexp(X, b=m.numpy.full(4, 1j))),
    ("logsumexp with wider weights", lambda m: m.nn.logsumexp(X, b=m.numpy.arange(3.).reshape(3, 1, 1), axis=0)),
    ("logmeanexp of nothing", lambda m: m.nn.logmeanexp(m.numpy.ones(0))),
    ("softmax of nothing", lambda m: m.nn.softmax(m.numpy.ones((0,)))),
    ("softmax of -inf", lambda m: m.nn.softmax(m.numpy.array([-np.inf, -np.inf]))),
    ("softmax of integers", lambda m: m.nn.softmax(m.numpy.arange(4))),
    ("log_softmax of integers", lambda m: m.nn.log_softmax(m.numpy.arange(4))),
    ("softmax of a number", lambda m: m.nn.softmax(3., axis=None)),
    ("softmax of complex", lambda m: m.nn.softmax(m.numpy.asarray(X + 1j))),
    ("softmax of bfloat16", lambda m: m.nn.softmax(m.numpy.asarray(X, m.numpy.bfloat16))),
    ("standardize of integers", lambda m: m.nn.standardize(m.numpy.arange(4))),
    ("one_hot", lambda m: m.nn.one_hot(m.numpy.array([[0, 2], [3, -1]]), 3)),
    ("one_hot axis", lambda m: m.nn.one_hot(m.numpy.array([[0, 2], [3, -1]]), 3, axis=0, dtype=np.int8)),
    ("one_hot of a list", lambda m: m.nn.one_hot([1], np.int32(3), dtype=bool)),
    ("one_hot of floats", lambda m: m.nn.one_hot(1.0, 3)),
    ("one_hot of no classes", lambda m: m.nn.one_hot(m.numpy.array([0]), 0)),
    ("one_hot along a name", lambda m: m.vmap(lambda i: m.nn.one_hot(i, 3, axis="i"), axis_name="i")(m.numpy.arange(3))),
]


@pytest.mark.parametrize("name, call", EDGES, ids=[c[0] for c in EDGES])
def test_edges_agree(name: str, call: Callable[..., Any]) -> None:
    assert_same(call(perspicax), call(jax), 1e-2 if "bfloat16" in name else 2e-6, name)


REFUSED: list[tuple[str, Callable[..., Any]]] = [
    ("softmax of a scalar", lambda m: m.nn.softmax(3.)),
    ("softmax axis", lambda m: m.nn.softmax(X, axis=2)),
    ("log_softmax axis", lambda m: m.nn.log_softmax(X, axis=5)),
    ("glu odd", lambda m: m.nn.glu(m.numpy.ones(3))),
    ("glu axis", lambda m: m.nn.glu(X, axis=3)),
    ("one_hot negative", lambda m: m.nn.one_hot(m.numpy.arange(3), -1)),
    ("one_hot fraction", lambda m: m.nn.one_hot(m.numpy.arange(3), 2.5)),
    ("one_hot axis", lambda m: m.nn.one_hot(m.numpy.arange(3), 2, axis=5)),
    ("one_hot unbound", lambda m: m.nn.one_hot(m.numpy.arange(3), 3, axis="i")),
    ("one_hot of booleans", lambda m: m.nn.one_hot(True, 3)),
    ("one_hot of a key", lambda m: m.nn.one_hot(m.random.key(0), 3)),
    ("standardize algorithm", lambda m: m.nn.standardize(X, algorithm="q")),
    ("relu of text", lambda m: m.nn.relu("a")),
    ("relu of nothing", lambda m: m.nn.relu(None)),
    ("relu of a list", lambda m: m.nn.relu([1.])),
    ("softmax of a list", lambda m: m.nn.softmax([1.])),
    ("gelu of a list", lambda m: m.nn.gelu([1.])),
    ("logsumexp of a list", lambda m: m.nn.logsumexp([1.])),
    ("mask of another shape", lambda m: m.nn.log_softmax(X, where=m.numpy.ones(3, bool))),
]


@pytest.mark.parametrize("name, call", REFUSED, ids=[c[0] for c in REFUSED])
def test_what_jax_refuses_is_refused(name: str, call: Callable[..., Any]) -> None:
    theirs, ours = raised(call, jax), raised(call, perspicax)
    assert theirs is not None and ours is not None
    builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours, builtin), f"{type(ours).__mro__}, JAX {type(theirs).__mro__}"


def test_softmax_with_its_own_rule_agrees() -> None:
    """`jax_softmax_custom_jvp` chooses the rule that saves nothing but the result."""
    with perspicax.softmax_custom_jvp(True), jax.softmax_custom_jvp(True):
        for where in (None, MASK):
            gradient = lambda m: m.grad(lambda x: (m.nn.softmax(x, where=where) * m.numpy.arange(4.)).sum())(X)
            assert_same(gradient(perspicax), gradient(jax), 2e-6, "softmax")
        text = str(perspicax.make_jaxpr(perspicax.nn.softmax)(X))
        assert "custom_jvp_call" in text
    assert "custom_jvp_call" not in str(perspicax.make_jaxpr(perspicax.nn.softmax)(X))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_outer_equations_agree(name: str) -> None:
    names = lambda m: [e.primitive.name for e in m.make_jaxpr(side(m, name))(X).eqns]
    assert names(perspicax) == names(jax)
    calls = lambda m: [e.params.get("name") for e in m.make_jaxpr(side(m, name))(X).eqns if e.primitive.name == "jit"]
    assert calls(perspicax) == calls(jax)


# -- initializers

SHAPE = (3, 2, 4)
INITIALIZERS: list[tuple[str, Callable[..., Any]]] = [
    ("zeros", lambda m, k: m.nn.initializers.zeros(k, SHAPE)),
    ("ones", lambda m, k: m.nn.initializers.ones(None, (2,), "bfloat16")),
    ("constant", lambda m, k: m.nn.initializers.constant(3)(k, (2,))),
    ("constant array", lambda m, k: m.nn.initializers.constant(np.ones(2), "int32")(k, (3, 2))),
    ("uniform", lambda m, k: m.nn.initializers.uniform()(k, SHAPE)),
    ("normal", lambda m, k: m.nn.initializers.normal(0.3)(k, SHAPE)),
    ("normal bfloat16", lambda m, k: m.nn.initializers.normal(dtype="bfloat16")(k, SHAPE)),
    ("normal complex", lambda m, k: m.nn.initializers.normal()(k, SHAPE, "complex64")),
    ("truncated_normal", lambda m, k: m.nn.initializers.truncated_normal(1., lower=-1., upper=3.)(k, SHAPE)),
    *[(f"variance_scaling {mode} {distribution}",
       lambda m, k, mode=mode, distribution=distribution: m.nn.initializers.variance_scaling(1.5, mode, distribution)(k, SHAPE))
      for mode, distribution in (("fan_in", "normal"), ("fan_out", "uniform"), ("fan_avg", "truncated_normal"),
                                 ("fan_geo_avg", "normal"))],
    *[(f"complex {kind}",
       lambda m, k, kind=kind: m.nn.initializers.variance_scaling(2., "fan_in", kind)(k, (2, 3), "complex64"))
      for kind in ("normal", "uniform", "truncated_normal")],
    ("axes", lambda m, k: m.nn.initializers.variance_scaling(1., "fan_in", "normal", in_axis=(0, 1), out_axis=2)(k, SHAPE)),
    ("batch axis", lambda m, k: m.nn.initializers.he_normal(batch_axis=0)(k, SHAPE)),
    *[(name, lambda m, k, name=name: getattr(m.nn.initializers, name)()(k, (3, 4)))
      for name in ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "kaiming_normal", "kaiming_uniform",
                   "lecun_normal", "lecun_uniform", "xavier_normal", "xavier_uniform")],
    ("lecun bfloat16", lambda m, k: m.nn.initializers.lecun_normal()(k, (2, 3), "bfloat16")),
    ("orthogonal tall", lambda m, k: m.nn.initializers.orthogonal()(k, (4, 2))),
    ("orthogonal wide", lambda m, k: m.nn.initializers.orthogonal(2., column_axis=0)(k, (4, 2))),
    ("orthogonal more", lambda m, k: m.nn.initializers.orthogonal(column_axis=1)(k, (3, 2, 2))),
    ("orthogonal complex", lambda m, k: m.nn.initializers.orthogonal()(k, (2, 2), "complex64")),
    ("orthogonal empty", lambda m, k: m.nn.initializers.orthogonal()(k, (0, 2))),
    ("delta_orthogonal", lambda m, k: m.nn.initializers.delta_orthogonal()(k, (4, 3, 2, 3))),
]


@pytest.mark.parametrize("name, call", INITIALIZERS, ids=[c[0] for c in INITIALIZERS])
def test_initializers_give_the_same_numbers(name: str, call: Callable[..., Any]) -> None:
    exact = not name.startswith(("orthogonal", "delta", "complex"))
    rtol = 0 if exact else 2e-6
    assert_same(call(perspicax, perspicax.random.key(7)), call(jax, jax.random.key(7)), rtol, name)


def test_initializers_trace() -> None:
    init = lambda m: m.jit(lambda k, s: m.nn.initializers.variance_scaling(s, "fan_in", "truncated_normal")(k, (3, 4)))
    assert_same(init(perspicax)(perspicax.random.key(0), 2.), init(jax)(jax.random.key(0), 2.), 2e-6, "scale is traced")


BAD: list[tuple[str, Callable[..., Any]]] = [
    ("mode", lambda m, k: m.nn.initializers.variance_scaling(1., "fan_x", "normal")(k, (2, 3))),
    ("distribution", lambda m, k: m.nn.initializers.variance_scaling(1., "fan_in", "norma")(k, (2, 3))),
    ("vector", lambda m, k: m.nn.initializers.glorot_normal()(k, (3,))),
    ("axis", lambda m, k: m.nn.initializers.glorot_normal(5)(k, (3, 2))),
    ("orthogonal vector", lambda m, k: m.nn.initializers.orthogonal()(k, (3,))),
    ("delta shape", lambda m, k: m.nn.initializers.delta_orthogonal()(k, (3, 2))),
    ("delta inputs", lambda m, k: m.nn.initializers.delta_orthogonal()(k, (3, 2, 1))),
    ("normal dtype", lambda m, k: m.nn.initializers.normal(dtype="int32")(k, (2,))),
    ("uniform dtype", lambda m, k: m.nn.initializers.uniform(dtype="complex64")(k, (2,))),
    ("truncated dtype", lambda m, k: m.nn.initializers.truncated_normal()(k, (2,), "complex64")),
    ("constant text", lambda m, k: m.nn.initializers.constant("a")(k, (2,))),
]


@pytest.mark.parametrize("name, call", BAD, ids=[c[0] for c in BAD])
def test_initializers_refuse_what_jax_refuses(name: str, call: Callable[..., Any]) -> None:
    theirs = raised(lambda: call(jax, jax.random.key(0)))
    ours = raised(lambda: call(perspicax, perspicax.random.key(0)))
    assert theirs is not None and ours is not None
    builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours, builtin), f"{type(ours).__mro__}, JAX {type(theirs).__mro__}"


def test_products_of_blocks_have_the_types_that_jax_gives_them() -> None:
    """JAX cannot run them on a CPU; here they run."""
    configs = lambda m, mode: [m.nn.get_scaled_dot_general_config(mode)] * 3
    assert [str(configs(perspicax, n)[0]) for n in ("mxfp8", "nvfp4")] == [str(configs(jax, n)[0]) for n in ("mxfp8", "nvfp4")]
    x, y = np.ones((2, 32), np.float32), np.ones((32, 3), np.float32)
    call = lambda m: lambda x, y: m.nn.scaled_dot_general(x, y, (((1,), (0,)), ((), ())), "bfloat16", configs(m, "mxfp8"))
    ours, theirs = [m.eval_shape(call(m), x, y) for m in (perspicax, jax)]
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert isinstance(raised(jax.jit(call(jax)), x, y), NotImplementedError)
    np.testing.assert_allclose(np.asarray(perspicax.jit(call(perspicax))(x, y), np.float32), 32., rtol=1e-2)
    for bad in (lambda m: m.nn.get_scaled_dot_general_config("x"),
                lambda m: m.nn.scaled_matmul(m.numpy.ones((1, 2, 64)), m.numpy.ones((1, 3, 32)), m.numpy.ones((1, 2, 2)),
                                             m.numpy.ones((1, 3, 2)))):
        assert isinstance(raised(bad, jax), ValueError) and isinstance(raised(bad, perspicax), ValueError)
