import perspicax as jax
import perspicax.numpy as jnp
from perspicax.sharding import AbstractMesh
from perspicax.sharding import PartitionSpec as P

mesh = AbstractMesh((4, 2), ("data", "model"))


def scale(params, batch):
    return params["w"] * batch


mapped = jax.shard_map(scale, mesh=mesh, in_specs=({"w": P("model")}, P("data")), out_specs=P("data"))
jax.eval_shape(mapped, {"w": jnp.ones(3)}, jnp.ones((10, 3)))
