import perspicax as jax
import perspicax.numpy as jnp
from perspicax import export

shape = export.symbolic_shape("b, 3", constraints=["mod(b, 2) == 0"])
pairs = export.export(jax.jit(lambda x: x.reshape(-1, 6)))(jax.ShapeDtypeStruct(shape, jnp.float32))
pairs.call(jnp.ones((4, 3)))
pairs.call(jnp.ones((5, 3)))
