import perspicax as jax
import perspicax.numpy as jnp

x = jnp.ones(3)
jax.ffi.ffi_call("my_kernel", jax.ShapeDtypeStruct(x.shape, x.dtype), vmap_method="batched")(x)
