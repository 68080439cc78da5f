"""`jet` and `odeint` beside JAX's."""
import jax
import jax.experimental.jet
import jax.experimental.ode
import jax.numpy
import numpy as np
import pytest
from agreement import check_error

import perspicax as px
import perspicax.numpy as jnp
from perspicax.experimental.jet import jet
from perspicax.experimental.ode import odeint

pytestmark = pytest.mark.oracle

X = np.array([0.3, 0.7], np.float32)
SERIES = (np.array([0.9, -0.4], np.float32), np.array([0.3, 0.8], np.float32), np.array([-0.7, 0.1], np.float32))


def functions(np_, lax):
    """What both have rules for."""
    return [
        np_.sin, np_.cos, np_.exp, np_.log, np_.tanh, np_.sqrt, np_.abs, np_.sinh, lax.logistic, lax.log1p, lax.expm1, lax.erf,
        lax.rsqrt, lambda x: x ** 3, lambda x: x ** 2.5, lambda x: 1 / x, lambda x: np_.maximum(x, 0.5), np_.sum, np_.max,
        lambda x: {"a": x[0], "b": (x[:1], np_.stack([x, x * x]))}, lambda x: np_.dot(x, x),
        lambda x: np_.where(x > 0.5, x, -x),
        lambda x: (x > 0.5, np_.floor(x), 3.0), np_.cumsum, lambda x: lax.dynamic_slice(x, (1,), (1,))]


@pytest.mark.parametrize("factorial_scaled", [True, False])
def test_jet(factorial_scaled):
    ours, theirs = functions(jnp, px.lax), functions(jax.numpy, jax.lax)
    point = dict(primals=(X,), series=(SERIES,), factorial_scaled=factorial_scaled)
    found = px.jit(lambda: [jet(f, **point) for f in ours])()
    wanted = jax.jit(lambda: [jax.experimental.jet.jet(f, **point) for f in theirs])()
    assert len(found) == len(wanted)
    for i, (mine, other) in enumerate(zip(found, wanted)):
        assert str(px.tree.structure(mine)) == str(jax.tree.structure(other))
        for a, b in zip(px.tree.leaves(mine), jax.tree.leaves(other)):
            assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type), f"function {i}"
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6, err_msg=f"function {i}")


@pytest.mark.parametrize(("primals", "series"), [
    (({"a": 1.},), ((1.,),)), ((1., 2.), ((1.,), (1., 2.))), ((1,), ((1.,),)), ((X,), ((np.ones(3, np.float32),),)),
    (("a",), ((1.,),)), ((X,), X[0])])
def test_mistakes_of_jet(primals, series):
    def call(jet):
        return lambda: jet(lambda x, y=0.: x * x, primals, series)

    check_error(call(jet), call(jax.experimental.jet.jet))


# -- odeint

TIMES = np.linspace(0., 1.5, 4).astype(np.float32)


def problems(np_):
    """Derivative, first state, further arguments; tolerances that leave the steps' sizes visible in the result."""
    loose = dict(rtol=1e-3, atol=1e-3)
    return [
        (lambda y, t, k: -k * y, np.float32(1.), (1.3,), {}),
        (lambda y, t: np_.sin(y) * t, np.array([1., 2.], np.float32), (), loose),
        (lambda y, t, p: {"p": p["a"] * y["q"], "q": -np_.sin(y["p"])},
         {"p": np.array([1., 2.], np.float32), "q": np.array([.5, .1], np.float32)}, ({"a": np.float32(1.5)},), loose),
        (lambda y, t: 1j * y, np.complex64(1 + 0.5j), (), loose),
        (lambda y, t: -y, np.float32(2.), (), dict(loose, hmax=0.05)),
        (lambda y, t: -8 * y, np.float32(2.), (), dict(loose, mxstep=2)),
    ]


def test_solutions_of_odeint():
    found = px.jit(lambda t: [odeint(f, y, t, *args, **options) for f, y, args, options in problems(jnp)])(TIMES)
    theirs = jax.experimental.ode.odeint
    wanted = jax.jit(lambda t: [theirs(f, y, t, *args, **options) for f, y, args, options in problems(jax.numpy)])(TIMES)
    for a, b in zip(px.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type)
        np.testing.assert_allclose(a, b, rtol=3e-6, atol=3e-6)


def test_gradients_of_odeint():
    def loss(odeint, np_):
        def of(y, t, p):
            slope = lambda y, t, p: {"p": p["a"] * y["q"] + t, "q": -np_.sin(y["p"]) * p["b"]}
            found = odeint(slope, y, t, p, rtol=1e-3, atol=1e-3)
            return np_.sum(found["p"] ** 2) + found["q"][2].sum()
        return of

    y0 = {"p": np.array([1., 2.], np.float32), "q": np.array([.5, .1], np.float32)}
    p = {"a": np.float32(1.5), "b": np.array([1., .5], np.float32)}
    found = px.jit(px.grad(loss(odeint, jnp), (0, 1, 2)))(y0, TIMES, p)
    wanted = jax.jit(jax.grad(loss(jax.experimental.ode.odeint, jax.numpy), (0, 1, 2)))(y0, TIMES, p)
    for a, b in zip(px.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", [
    lambda odeint, np_, t: odeint(lambda y, t: -y, 1, t), lambda odeint, np_, t: odeint(lambda y, t: -y, 1., t.astype(int)),
    lambda odeint, np_, t: odeint(lambda y, t: -y, 1., t[0]), lambda odeint, np_, t: odeint(lambda y, t: -y, 1., t[:0]),
    lambda odeint, np_, t: odeint(lambda y, t, s: -y, 1., t, "s"), lambda odeint, np_, t: odeint(3, 1., t),
    lambda odeint, np_, t: odeint(lambda y, t: np_.ones(3), np.ones(2, np.float32), t),
    lambda odeint, np_, t: odeint(lambda y, t: -y, 1., t, rtol="a"),
], ids=["integers", "integer times", "one time", "no times", "text", "no function", "sizes", "tolerance"])
def test_mistakes_of_odeint(case):
    check_error(lambda: case(odeint, jnp, jnp.asarray(TIMES)),
                lambda: case(jax.experimental.ode.odeint, jax.numpy, jax.numpy.asarray(TIMES)))


def test_forward_mode_is_refused():
    check_error(lambda: px.jvp(lambda y: odeint(lambda y, t: -y, y, TIMES), (1.,), (1.,)),
                lambda: jax.jvp(lambda y: jax.experimental.ode.odeint(lambda y, t: -y, y, jax.numpy.asarray(TIMES)),
                                (1.,), (1.,)))
