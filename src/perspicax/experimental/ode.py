"""`jax.experimental.ode`: ordinary differential equations."""
from perspicax.api.ode import odeint as odeint

__all__ = ["odeint"]
