"""`odeint`: solutions that are known, their gradients, and mistakes."""
import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.api.dormand_prince import integrate
from perspicax.api.ode_errors import DerivativeStateError, SolverTimesError, SolverToleranceError
from perspicax.experimental.ode import odeint

TIMES = np.linspace(0., 2., 5)
EXACT = dict(rtol=1e-10, atol=1e-10)


def oscillator(y, t, k):
    return y[1], -k * y[0]


def test_values_and_gradients_of_an_oscillator():
    """x(t) = cos(√k t) from rest: its derivatives with respect to `k`, the first state and the times are known."""
    with jax.enable_x64(True):
        def last(y, t, k):
            return odeint(oscillator, y, t, k, **EXACT)[0][-1]

        y0, k, t = (jnp.float64(1.), jnp.float64(0.)), jnp.float64(4.), jnp.asarray(TIMES)
        xs = jax.jit(lambda: odeint(oscillator, y0, t, k, **EXACT)[0])()
        (d_x, d_v), d_t, d_k = jax.jit(jax.grad(last, (0, 1, 2)))(y0, t, k)
    np.testing.assert_allclose(xs, np.cos(2 * TIMES), rtol=1e-8)  # the tolerance of a step, times their number
    np.testing.assert_allclose([d_x, d_v, d_k], [np.cos(4), np.sin(4) / 2, -np.sin(4) / 2], rtol=1e-8)
    np.testing.assert_allclose(d_t, [2 * np.sin(4), 0, 0, 0, -2 * np.sin(4)], rtol=1e-8, atol=1e-8)


def test_second_derivative():
    with jax.enable_x64(True):
        def last(k):
            return odeint(lambda y, t: -k * y, jnp.float64(1.), jnp.array([0., 1.]), rtol=1e-8, atol=1e-8)[-1]

        assert float(jax.jit(jax.grad(jax.grad(last)))(jnp.float64(1.))) == pytest.approx(np.exp(-1), abs=1e-6)


def test_integers_among_the_arguments_do_not_move():
    slope = jax.grad(lambda y: odeint(lambda y, t, n: n * y, y, jnp.array([0., 1.]), 2, rtol=1e-5)[-1])
    assert float(slope(1.)) == pytest.approx(np.exp(2), rel=1e-4)


def test_a_solution_is_traced_once_for_one_function(monkeypatch):
    decay = lambda y, t: -y
    traced = []
    monkeypatch.setattr("perspicax.api.ode.integrate", lambda *args: traced.append(1) or integrate(*args))
    for y0 in (1., 2., 3.):
        odeint(decay, y0, jnp.array([0., 1.]), rtol=1e-3)
    assert traced == [1]


def test_empty_states_and_single_times():
    t = jnp.array([0., 1.])
    assert odeint(lambda y, t: -y, jnp.ones((0, 2)), t).shape == (2, 0, 2)
    assert odeint(lambda y, t: None, None, t) is None
    np.testing.assert_array_equal(odeint(lambda y, t: -y, jnp.float32(3.), t[:1]), [3.])


def test_a_state_of_two_types_keeps_them():
    found = odeint(lambda y, t: (y[0], -y[1]), (jnp.bfloat16(1), jnp.complex64(1j)), jnp.array([0., 1.]), rtol=1e-3, atol=1e-3)
    assert [x.dtype for x in found] == [jnp.bfloat16, jnp.complex64]
    assert complex(found[1][-1]) == pytest.approx(1j * np.exp(-1), abs=1e-3)


def test_mistakes():
    t = jnp.array([0., 1.])
    with pytest.raises(DerivativeStateError) as caught:
        odeint(lambda y, t: jnp.ones(3), jnp.ones(2), t)
    assert (caught.value.state, caught.value.got) == (("float32[2]",), ("float32[3]",))
    with pytest.raises(DerivativeStateError) as caught:
        odeint(lambda y, t: -y, 1, t)
    assert caught.value.kind == "integers"
    with pytest.raises(SolverTimesError) as caught:
        odeint(lambda y, t: -y, 1., jnp.arange(3))
    assert caught.value.got == "int32[3]"
    with pytest.raises(SolverToleranceError) as caught:
        jax.jit(lambda r: odeint(lambda y, t: -y, 1., t, rtol=r))(1e-3)
    assert caught.value.traced
