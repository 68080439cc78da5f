import perspicax as jax
import perspicax.numpy as jnp

batches = {"images": jnp.ones((10, 4)), "labels": jnp.ones(9)}


def train(params, batch):
    return params, batch["images"].sum() + batch["labels"]


jax.lax.scan(train, 1.0, batches)
