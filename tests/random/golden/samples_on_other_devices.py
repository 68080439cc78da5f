import perspicax as jax

key = jax.random.key(0)
mesh = jax.make_mesh((1,), ("data",))
noise = jax.random.normal(key, (4,), out_sharding=jax.NamedSharding(mesh, jax.P("data")))
