import perspicax as jax

jax.ShapeDtypeStruct((2, 3), None)
