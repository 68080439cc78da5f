import perspicax as jax
import perspicax.numpy as jnp


def loss(params):
    return params["w"] * params["b"]


_, pull_back = jax.vjp(loss, {"w": 2.0, "b": 3.0})
total = jax.new_ref(jnp.zeros(()))
pull_back.with_refs({"w": total, "b": 0.0})
