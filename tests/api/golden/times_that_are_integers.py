import perspicax.numpy as jnp
from perspicax.experimental.ode import odeint

odeint(lambda y, t: -y, 1.0, jnp.arange(3))
