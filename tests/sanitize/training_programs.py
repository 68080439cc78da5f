"""Programs that train models of Linen, with random keys: in each of `WRONG` one is used twice, in each of `RIGHT` none.

In each of `UNSEEN` numbers are drawn twice too, but by keys that Linen folds names and counts into: `fold_in` does not use
its key up, as it is documented, so that the ledger has nothing to say.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp
from perspicax import lax, random

WRONG: dict[str, Callable[[], Any]] = {}
RIGHT: dict[str, Callable[[], Any]] = {}
UNSEEN: dict[str, Callable[[], Any]] = {}


def wrong(f: Callable[[], Any]) -> Callable[[], Any]:
    WRONG[f.__name__] = f
    return f


def unseen(f: Callable[[], Any]) -> Callable[[], Any]:
    UNSEEN[f.__name__] = f
    return f


def right(f: Callable[[], Any]) -> Callable[[], Any]:
    RIGHT[f.__name__] = f
    return f


x = jnp.ones((2, 3))


class Regularised(nn.Module):
    @nn.compact
    def __call__(self, x, train=True):
        x = nn.Dense(3)(x)
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(3)(x))


class Noisy(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x + random.normal(self.make_rng("noise"), x.shape)


class NoisyTwice(nn.Module):
    @nn.compact
    def __call__(self, x):
        key = self.make_rng("noise")
        return x * random.normal(key, x.shape) + random.normal(key, x.shape)


model, noisy = Regularised(), Noisy()


def loss(params, key):
    return jnp.mean(model.apply(params, x, rngs={"dropout": key}) ** 2)


def descended(params, grads):
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)


@jax.jit
def step(params, key):
    return descended(params, jax.grad(loss)(params, key))


@right
def init_alone():
    return model.init(random.key(0), x, train=False)


@right
def init_with_two_keys():
    params, dropout = random.split(random.key(0))
    return model.init({"params": params, "dropout": dropout}, x)


@right
def init_of_one_key_for_all_collections():
    return model.init(random.key(0), x)


@right
def apply_without_keys():
    params = model.init(random.key(0), x, train=False)
    return model.apply(params, x, train=False) + model.apply(params, x, train=False)


@unseen
def apply_twice_with_one_key():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    return model.apply(params, x, rngs={"dropout": key}) + model.apply(params, x, rngs={"dropout": key})


@right
def apply_with_a_key_for_each():
    init, *keys = random.split(random.key(0), 3)
    params = model.init(init, x, train=False)
    return [model.apply(params, x, rngs={"dropout": k}) for k in keys]


@unseen
def a_key_that_initialised_is_drawn_from():
    key = random.key(0)
    params = model.init(key, random.normal(key, (2, 3)), train=False)
    return params


@right
def data_and_parameters_of_two_keys():
    init, data = random.split(random.key(0))
    return model.init(init, random.normal(data, (2, 3)), train=False)


@unseen
def one_key_for_all_steps():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    for _ in range(3):
        params = step(params, key)
    return params


@right
def a_key_folded_in_for_each_step():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    for i in range(3):
        params = step(params, random.fold_in(key, i))
    return params


@right
def a_key_split_off_for_each_step():
    key, init = random.split(random.key(0))
    params = model.init(init, x, train=False)
    for _ in range(3):
        key, subkey = random.split(key)
        params = step(params, subkey)
    return params


@wrong
def the_key_is_split_and_not_replaced():
    key, init = random.split(random.key(0))
    params = model.init(init, x, train=False)
    for _ in range(3):
        _, subkey = random.split(key)
        params = step(params, subkey)
    return params


@unseen
def a_scan_of_steps_with_one_key():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    return lax.scan(lambda p, _: (descended(p, jax.grad(loss)(p, key)), None), params, None, length=3)


@right
def a_scan_of_steps_with_keys():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    return lax.scan(lambda p, k: (descended(p, jax.grad(loss)(p, k)), None), params, random.split(key, 3))


@wrong
def noise_of_one_key_in_a_module():
    return NoisyTwice().apply({}, x, rngs={"noise": random.key(0)})


@right
def a_module_that_makes_its_keys():
    return noisy.apply({}, x, rngs={"noise": random.key(0)})


@unseen
def a_batch_of_models_of_one_key():
    key = random.key(0)
    return jax.vmap(lambda x: noisy.apply({}, x, rngs={"noise": key}))(x), noisy.apply({}, x, rngs={"noise": key})


@right
def an_ensemble():
    keys = random.split(random.key(0), 3)
    return jax.vmap(lambda k: model.init(k, x, train=False))(keys)


@unseen
def an_ensemble_of_one_key():
    keys = jnp.stack([random.key(0)] * 1 + [random.key(1)])
    first = jax.vmap(lambda k: model.init(k, x, train=False))(keys)
    return first, jax.vmap(lambda k: random.normal(k, (3,)))(keys)


@right
def layers_in_a_scan():
    class Layer(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            return nn.Dropout(0.5, deterministic=False)(nn.Dense(3)(x)), None

    stack = nn.scan(Layer, variable_axes={"params": 0}, split_rngs={"params": True, "dropout": True}, length=3)()
    params, dropout, other = random.split(random.key(0), 3)
    variables = stack.init({"params": params, "dropout": dropout}, x, None)
    return stack.apply(variables, x, None, rngs={"dropout": other})


@right
def layers_side_by_side():
    many = nn.vmap(nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=0)(3)
    return many.init(random.key(0), jnp.ones((4, 3)))


@right
def layers_that_are_computed_again():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.remat(Regularised)()(x)

    init, dropout, key = random.split(random.key(0), 3)
    params = Net().init({"params": init, "dropout": dropout}, x)
    return jax.grad(lambda p: Net().apply(p, x, rngs={"dropout": key}).sum())(params)


@unseen
def validation_with_the_key_of_training():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    params = step(params, key)
    return loss(params, key)


@wrong
def an_evolution_that_perturbs_by_one_key():
    key, init = random.split(random.key(0))
    params = model.init(init, x, train=False)
    return jax.tree.map(lambda p: p + random.normal(key, p.shape), params)


@right
def an_evolution_with_a_key_for_each_leaf():
    key, init = random.split(random.key(0))
    leaves, structure = jax.tree.flatten(model.init(init, x, train=False))
    keys = random.split(key, len(leaves))
    return jax.tree.unflatten(structure, [p + random.normal(k, p.shape) for p, k in zip(leaves, keys)])


@right
def words_of_keys_in_a_training_loop():
    key = random.PRNGKey(0)
    key, init = random.split(key)
    params = model.init(init, x, train=False)
    for _ in range(2):
        key, subkey = random.split(key)
        params = step(params, subkey)
    return params


@unseen
def words_of_one_key_in_a_training_loop():
    key, init = random.split(random.PRNGKey(0))
    params = model.init(init, x, train=False)
    for _ in range(2):
        params = step(params, key)
    return params


# -- what stands around the models

data = jnp.arange(12.0).reshape(4, 3)


@wrong
def every_epoch_in_one_order():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    for _ in range(2):
        for i in random.permutation(key, 4)[:2]:
            params = descended(params, jax.grad(lambda p, i=i: model.apply(p, data[i][None], train=False).sum())(params))
    return params


@right
def every_epoch_in_an_order_of_its_own():
    init, key = random.split(random.key(0))
    params = model.init(init, x, train=False)
    for epoch in range(2):
        for i in random.permutation(random.fold_in(key, epoch), 4)[:2]:
            params = descended(params, jax.grad(lambda p, i=i: model.apply(p, data[i][None], train=False).sum())(params))
    return params


@wrong
def batches_and_noise_of_one_key():
    key = random.key(1)
    batch = data[random.randint(key, (2,), 0, 4)]
    return batch + random.normal(key, batch.shape)


@wrong
def a_jitted_step_that_splits_and_draws():
    @jax.jit
    def noisy_step(params, key):
        first, second = random.split(key)
        noise = random.normal(key, (3,))
        return params + noise * random.normal(first, (3,)) + random.normal(second, (3,))

    return noisy_step(jnp.zeros(3), random.key(0))


@wrong
def a_state_that_keeps_its_key():
    state = {"params": jnp.zeros(3), "key": random.key(0)}

    @jax.jit
    def update(state):
        noise = random.normal(state["key"], (3,))
        return {**state, "params": state["params"] - 0.1 * noise}

    return update(update(state))


@right
def a_state_that_renews_its_key():
    state = {"params": jnp.zeros(3), "key": random.key(0)}

    @jax.jit
    def update(state):
        key, subkey = random.split(state["key"])
        return {"key": key, "params": state["params"] - 0.1 * random.normal(subkey, (3,))}

    return update(update(state))


@wrong
def a_loop_whose_carry_keeps_its_key():
    def body(carry, _):
        params, key = carry
        return (params + random.normal(key, (3,)), key), None

    return lax.scan(body, (jnp.zeros(3), random.key(0)), None, length=3)


@right
def a_loop_whose_carry_renews_its_key():
    def body(carry, _):
        params, key = carry
        key, subkey = random.split(key)
        return (params + random.normal(subkey, (3,)), key), None

    return lax.scan(body, (jnp.zeros(3), random.key(0)), None, length=3)


@wrong
def gradients_with_noise_of_one_key():
    """As a chain of transformations of gradients does, whose state keeps its key."""
    def add_noise(grads, key):
        keys = random.split(key, 2)
        return [g + random.normal(k, g.shape) for g, k in zip(grads, keys)], key

    grads, key = add_noise([jnp.ones(2), jnp.ones(3)], random.key(0))
    return add_noise(grads, key)


@right
def gradients_with_noise_of_new_keys():
    def add_noise(grads, key):
        key, *keys = random.split(key, 3)
        return [g + random.normal(k, g.shape) for g, k in zip(grads, keys)], key

    grads, key = add_noise([jnp.ones(2), jnp.ones(3)], random.key(0))
    return add_noise(grads, key)


@wrong
def both_augmentations_of_one_key():
    def augment(key, image):
        flipped = jnp.where(random.bernoulli(key), image[::-1], image)
        return flipped + random.uniform(key, image.shape)

    return jax.vmap(augment)(random.split(random.key(0), 4), data)


@right
def each_augmentation_of_its_key():
    def augment(key, image):
        flip, shift = random.split(key)
        return jnp.where(random.bernoulli(flip), image[::-1], image) + random.uniform(shift, image.shape)

    return jax.vmap(augment)(random.split(random.key(0), 4), data)
