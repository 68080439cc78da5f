import perspicax as jax
import perspicax.numpy as jnp
from perspicax.experimental.ode import odeint


@jax.jit
def decay(tolerance):
    return odeint(lambda y, t: -y, 1.0, jnp.linspace(0.0, 1.0, 3), rtol=tolerance)


decay(1e-3)
