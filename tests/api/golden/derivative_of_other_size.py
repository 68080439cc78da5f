import perspicax.numpy as jnp
from perspicax.experimental.ode import odeint


def pendulum(state, t):
    angle, _ = state
    return -jnp.sin(angle)


odeint(pendulum, jnp.array([0.1, 0.0]), jnp.linspace(0.0, 10.0, 101))
