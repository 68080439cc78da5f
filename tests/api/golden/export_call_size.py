import perspicax as jax
import perspicax.numpy as jnp
from perspicax import export


def predict(params, x):
    return x @ params["w"]


args = export.symbolic_args_specs(({"w": jnp.ones((3, 2))}, jnp.ones((8, 3))), (None, "b, ..."))
exported = export.export(jax.jit(predict))(*args)
exported.call({"w": jnp.ones((4, 2))}, jnp.ones((5, 3)))
