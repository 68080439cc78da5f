import perspicax as jax
import perspicax.numpy as jnp
from perspicax.sharding import AbstractMesh
from perspicax.sharding import PartitionSpec as P

mesh = AbstractMesh((4, 2), ("data", "model"))


def loss(weights, batch):
    return ((batch @ weights) ** 2).mean()


mapped = jax.shard_map(loss, mesh=mesh, in_specs=(P(), P("data")), out_specs=P())
jax.eval_shape(mapped, jnp.ones((3, 2)), jnp.ones((8, 3)))
