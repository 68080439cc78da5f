import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.sharding import AbstractMesh
from perspicax.sharding import PartitionSpec as P

mesh = AbstractMesh((4,), ("data",))


def total(batch):
    rows = lax.pcast(batch.sum(0), "data", to="unreduced")
    return jnp.tanh(rows)


jax.eval_shape(jax.shard_map(total, mesh=mesh, in_specs=P("data"), out_specs=P()), jnp.ones((8, 3)))
