import perspicax as jax
import perspicax.numpy as jnp


def double(ref):
    ref[...] = ref[...] * 2


jax.jit(double)(jax.ShapeDtypeStruct((3,), jnp.float32, is_ref=True))
