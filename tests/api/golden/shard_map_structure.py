import perspicax as jax
import perspicax.numpy as jnp
from perspicax.sharding import AbstractMesh
from perspicax.sharding import PartitionSpec as P

mesh = AbstractMesh((4, 2), ("data", "model"))


def loss(params, batch):
    return params["w"] * batch


specs = ({"weights": P("model")}, P("data"))
jax.eval_shape(jax.shard_map(loss, mesh=mesh, in_specs=specs, out_specs=P("data")), {"w": jnp.ones(3)}, jnp.ones((8, 3)))
