"""Small programs with random keys: in each of `WRONG` one is used twice, in each of `RIGHT` none is."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax, random
from perspicax.sharding import PartitionSpec as P

WRONG: dict[str, Callable[[], Any]] = {}
RIGHT: dict[str, Callable[[], Any]] = {}


def wrong(f: Callable[[], Any]) -> Callable[[], Any]:
    WRONG[f.__name__] = f
    return f


def right(f: Callable[[], Any]) -> Callable[[], Any]:
    RIGHT[f.__name__] = f
    return f


ones = jnp.ones(3)


# -- eagerly

@wrong
def two_draws():
    key = random.key(0)
    return random.normal(key) + random.uniform(key)


@right
def two_draws_of_two_keys():
    a, b = random.split(random.key(0))
    return random.normal(a) + random.uniform(b)


@wrong
def draw_then_split():
    key = random.key(0)
    random.normal(key)
    return random.split(key)


@wrong
def split_then_draw():
    key = random.key(0)
    random.split(key)
    return random.normal(key)


@right
def split_under_the_same_name():
    key = random.key(0)
    for _ in range(3):
        key, subkey = random.split(key)
        random.normal(subkey)
    return random.normal(key)


@wrong
def loop_without_split():
    key = random.key(0)
    return [random.normal(key) for _ in range(2)]


@wrong
def loop_that_drops_the_new_key():
    key = random.key(0)
    for _ in range(2):
        _, subkey = random.split(key)
        random.normal(subkey)


@right
def loop_that_folds_in_the_step():
    key = random.key(0)
    return [random.normal(random.fold_in(key, i)) for i in range(3)]


@right
def draw_and_fold_in():
    key = random.key(0)
    random.fold_in(key, 1)
    return random.normal(key)


@wrong
def the_result_of_fold_in_twice():
    key = random.fold_in(random.key(0), 7)
    return random.normal(key) + random.normal(key)


@wrong
def the_same_element_twice():
    keys = random.split(random.key(0), 3)
    return random.normal(keys[1]) + random.uniform(keys[1])


@right
def each_element_once():
    keys = random.split(random.key(0), 3)
    return random.normal(keys[0]) + random.normal(keys[1]) + random.normal(keys[-1])


@wrong
def the_last_element_by_two_indices():
    keys = random.split(random.key(0), 3)
    return random.normal(keys[2]) + random.normal(keys[-1])


@wrong
def an_element_and_the_whole():
    keys = random.split(random.key(0), 3)
    random.normal(keys[0])
    return jax.vmap(random.normal)(keys)


@right
def an_element_and_the_rest():
    keys = random.split(random.key(0), 3)
    return random.normal(keys[0]) + jax.vmap(random.normal)(keys[1:]).sum()


@wrong
def overlapping_slices():
    keys = random.split(random.key(0), 4)
    return jax.vmap(random.normal)(keys[:3]).sum() + jax.vmap(random.normal)(keys[2:]).sum()


@right
def slices_beside_each_other():
    keys = random.split(random.key(0), 4)
    return jax.vmap(random.normal)(keys[:2]).sum() + jax.vmap(random.normal)(keys[2:]).sum()


@right
def iteration_over_keys():
    return [random.normal(k) for k in random.split(random.key(0), 3)]


@wrong
def iteration_twice():
    keys = random.split(random.key(0), 2)
    return [random.normal(k) for k in keys] + [random.uniform(k) for k in keys]


@wrong
def one_key_stacked():
    key = random.key(0)
    return jax.vmap(random.normal)(jnp.stack([key, key]))


@right
def keys_of_an_array_reshaped():
    keys = random.split(random.key(0), 6).reshape(2, 3)
    return jax.vmap(jax.vmap(random.normal))(keys)


@wrong
def the_reshaped_and_the_original():
    keys = random.split(random.key(0), 4)
    jax.vmap(jax.vmap(random.normal))(keys.reshape(2, 2))
    return random.normal(keys[3])


@wrong
def a_copy():
    key = random.key(0)
    random.normal(key)
    return random.normal(jnp.array(key, copy=True))


@right
def a_clone():
    key = random.key(0)
    return random.normal(key) - random.normal(random.clone(key))


@wrong
def a_clone_twice():
    key = random.clone(random.key(0))
    return random.normal(key) + random.normal(key)


@right
def the_words_looked_at():
    key = random.key(0)
    random.key_data(key)
    print(key)
    return random.normal(key)


@wrong
def words_wrapped_again():
    key = random.key(0)
    random.normal(key)
    return random.normal(random.wrap_key_data(random.key_data(key)))


@right
def every_sampler_once():
    keys = iter(random.split(random.key(0), 12))
    random.choice(next(keys), 5, (2,), replace=False)
    random.permutation(next(keys), 5)
    random.categorical(next(keys), ones)
    random.gamma(next(keys), 2.0)
    random.randint(next(keys), (2,), 0, 9)
    random.bernoulli(next(keys))
    random.poisson(next(keys), 3.0)
    random.binomial(next(keys), 10, 0.5)
    random.truncated_normal(next(keys), -1, 1)
    random.laplace(next(keys))
    random.beta(next(keys), 1.0, 2.0)
    return random.bits(next(keys))


@wrong
def gamma_twice():
    key = random.key(0)
    return random.gamma(key, 2.0) + random.gamma(key, 3.0)


@wrong
def permutation_and_choice():
    key = random.key(0)
    random.permutation(key, 4)
    return random.choice(key, 4)


@right
def keys_in_a_dictionary():
    rngs = dict(zip(["params", "dropout"], random.split(random.key(0))))
    return random.normal(rngs["params"]) + random.normal(rngs["dropout"])


@wrong
def one_key_in_a_dictionary_twice():
    key = random.key(0)
    rngs = {"params": key, "dropout": key}
    return random.normal(rngs["params"]) + random.normal(rngs["dropout"])


# -- keys without a dtype of their own

@wrong
def words_twice():
    key = random.PRNGKey(0)
    return random.normal(key) + random.normal(key)


@right
def words_split():
    key, other = random.split(random.PRNGKey(0))
    return random.normal(key) + random.normal(other)


@wrong
def the_same_row_of_words():
    keys = random.split(random.PRNGKey(0), 3)
    return random.normal(keys[0]) + random.normal(keys[0])


@wrong
def words_under_jit():
    @jax.jit
    def f(key):
        return random.normal(key) + random.uniform(key)
    return f(random.PRNGKey(0))


@right
def words_folded_under_jit():
    @jax.jit
    def f(key, i):
        return random.normal(random.fold_in(key, i))
    key = random.PRNGKey(0)
    return f(key, 0) + f(key, 1)


@right
def unsigned_data_that_is_no_key():
    x = jnp.arange(4, dtype=jnp.uint32).reshape(2, 2)
    f = jax.jit(lambda x: x + x)
    return f(x) + f(x)


@wrong
def numpy_words():
    key = np.array([0, 1], np.uint32)
    return random.normal(key) + random.normal(key)


@wrong
def words_in_a_scan():
    key = random.PRNGKey(0)
    return lax.scan(lambda c, _: (c, random.normal(key)), 0, None, length=3)


# -- jit

@wrong
def twice_in_a_jitted_function():
    @jax.jit
    def f(key):
        return random.normal(key) * random.normal(key)
    return f(random.key(0))


@right
def split_in_a_jitted_function():
    @jax.jit
    def f(key):
        a, b = random.split(key)
        return random.normal(a) * random.normal(b)
    return f(random.key(0))


@wrong
def a_jitted_function_twice():
    f = jax.jit(random.normal)
    key = random.key(0)
    return f(key) + f(key)


@wrong
def a_jitted_function_then_eagerly():
    f = jax.jit(lambda key: random.normal(key))
    key = random.key(0)
    return f(key) + random.normal(key)


@right
def a_step_that_returns_its_key():
    @jax.jit
    def step(key):
        key, subkey = random.split(key)
        return key, random.normal(subkey)
    key = random.key(0)
    for _ in range(3):
        key, _ = step(key)


@wrong
def a_step_whose_key_is_not_taken_back():
    @jax.jit
    def step(key):
        key, subkey = random.split(key)
        return key, random.normal(subkey)
    key = random.key(0)
    for _ in range(3):
        step(key)


@wrong
def a_step_that_returns_the_used_key():
    @jax.jit
    def step(key):
        return key, random.normal(key)
    key, _ = step(random.key(0))
    return random.normal(key)


@wrong
def two_arguments_one_key():
    f = jax.jit(lambda a, b: random.normal(a) + random.normal(b))
    key = random.key(0)
    return f(key, key)


@right
def two_arguments_two_keys():
    f = jax.jit(lambda a, b: random.normal(a) + random.normal(b))
    return f(*random.split(random.key(0)))


@right
def an_argument_that_is_not_used():
    f = jax.jit(lambda key, x: x)
    key = random.key(0)
    f(key, 1.0)
    f(key, 2.0)
    return random.normal(key)


@wrong
def a_closed_over_key():
    key = random.key(0)
    f = jax.jit(lambda x: x + random.normal(key))
    return f(1.0) + f(2.0)


@wrong
def a_helper_called_twice():
    @jax.jit
    def noise(key, x):
        return x + random.normal(key)

    @jax.jit
    def f(key):
        return noise(key, 1.0) + noise(key, 2.0)
    return f(random.key(0))


@wrong
def an_index_traced_twice():
    @jax.jit
    def f(keys, i):
        return random.normal(keys[i]) + random.uniform(keys[i])
    return f(random.split(random.key(0), 3), 1)


@right
def traced_indices():
    @jax.jit
    def f(keys, i):
        return random.normal(keys[i]) + random.normal(keys[i + 1])
    return f(random.split(random.key(0), 3), 1)


@wrong
def an_identity_between():
    f = jax.jit(lambda key: key)
    key = random.key(0)
    return random.normal(f(key)) + random.normal(key)


@wrong
def compiled_ahead_and_called_twice():
    key = random.key(0)
    draw = jax.jit(random.normal).lower(key).compile()
    return draw(key) + draw(key)


@wrong
def compiled_ahead_to_split():
    key = random.key(0)
    keys = jax.jit(random.split).lower(key).compile()(key)
    return random.normal(keys[0]) + random.uniform(keys[0])


@right
def compiled_ahead_and_called_with_two_keys():
    a, b = random.split(random.key(0))
    draw = jax.jit(random.normal).lower(a).compile()
    return draw(a) + draw(b)


# -- branches and loops

@right
def each_branch_draws():
    @jax.jit
    def f(key, p):
        return lax.cond(p, lambda: random.normal(key), lambda: random.uniform(key))
    return f(random.key(0), True)


@wrong
def a_branch_then_a_draw():
    @jax.jit
    def f(key, p):
        x = lax.cond(p, lambda: random.normal(key), lambda: 0.0)
        return x + random.normal(key)
    return f(random.key(0), True)


@wrong
def twice_in_a_branch():
    @jax.jit
    def f(key, p):
        return lax.cond(p, lambda: random.normal(key) + random.uniform(key), lambda: 0.0)
    return f(random.key(0), True)


@right
def branches_under_vmap():
    keys = random.split(random.key(0), 2)
    f = lambda p, key: lax.cond(p, lambda: random.normal(key), lambda: random.uniform(key))
    return jax.jit(jax.vmap(f))(jnp.array([True, False]), keys)


@right
def branches_under_eager_vmap():
    key = random.key(0)
    f = lambda p: lax.cond(p, lambda: random.normal(key), lambda: random.uniform(key))
    return jax.vmap(f)(jnp.array([True, False]))


@wrong
def a_scan_over_one_key():
    key = random.key(0)
    return lax.scan(lambda c, _: (c + random.normal(key), None), 0.0, None, length=3)


@right
def a_scan_that_carries_its_key():
    def body(key, _):
        key, subkey = random.split(key)
        return key, random.normal(subkey)
    key, xs = lax.scan(body, random.key(0), None, length=3)
    return xs.sum() + random.normal(key)


@wrong
def a_scan_that_carries_the_same_key():
    return lax.scan(lambda key, _: (key, random.normal(key)), random.key(0), None, length=3)


@right
def a_scan_over_keys():
    return lax.scan(lambda c, key: (c + random.normal(key), None), 0.0, random.split(random.key(0), 5))


@wrong
def keys_after_a_scan_over_them():
    keys = random.split(random.key(0), 5)
    lax.scan(lambda c, key: (c + random.normal(key), None), 0.0, keys)
    return random.normal(keys[4])


@right
def a_scan_that_folds_in():
    key = random.key(0)
    return lax.scan(lambda c, i: (c + random.normal(random.fold_in(key, i)), None), 0.0, jnp.arange(3))


@right
def a_scan_of_one_step():
    key = random.key(0)
    return lax.scan(lambda c, _: (c + random.normal(key), None), 0.0, None, length=1)


@wrong
def used_keys_stacked_by_a_scan():
    def body(key, _):
        key, subkey = random.split(key)
        return key, (subkey, random.normal(subkey))
    _, (keys, _) = lax.scan(body, random.key(0), None, length=3)
    return random.normal(keys[2])


@wrong
def a_while_loop_over_one_key():
    key = random.key(0)
    return lax.while_loop(lambda x: x < 2.0, lambda x: x + jnp.abs(random.normal(key)), 0.0)


@right
def a_while_loop_that_splits():
    def body(state):
        x, key = state
        key, subkey = random.split(key)
        return x + jnp.abs(random.normal(subkey)), key
    return lax.while_loop(lambda s: s[0] < 2.0, body, (0.0, random.key(0)))[0]


@wrong
def the_test_of_a_while_loop_draws():
    key = random.key(0)
    return lax.while_loop(lambda x: random.uniform(key) > x, lambda x: x + 0.5, 0.0)


@right
def a_fori_loop_that_folds_in():
    key = random.key(0)
    return lax.fori_loop(0, 3, lambda i, x: x + random.normal(random.fold_in(key, i)), 0.0)


@wrong
def a_fori_loop_over_one_key():
    key = random.key(0)
    return jax.jit(lambda: lax.fori_loop(0, 3, lambda i, x: x + random.normal(key), 0.0))()


@right
def a_fori_loop_over_the_rows_of_keys():
    keys = random.split(random.key(0), 4)
    total = lax.fori_loop(0, 3, lambda i, x: x + random.normal(keys[i + 1]), 0.0)
    return total + random.normal(keys[0])


@right
def a_scan_over_the_numbers_of_keys():
    keys = random.split(random.key(0), 3)
    return jax.jit(lambda keys: lax.scan(lambda x, i: (x + random.normal(keys[i]), None), 0.0, jnp.arange(3)))(keys)


@right
def a_while_loop_of_unknown_length_over_keys():
    keys = random.split(random.key(0), 3)

    def total(n):
        return lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] + random.normal(keys[s[0]])), (0, 0.0))

    return jax.jit(total)(3)


@wrong
def a_loop_that_takes_each_key_twice():
    keys = random.split(random.key(0), 3)
    return lax.fori_loop(0, 4, lambda i, x: x + random.normal(keys[i // 2]), 0.0)


@wrong
def a_loop_that_keeps_its_index():
    keys = random.split(random.key(0), 3)
    return jax.jit(lambda at: lax.fori_loop(0, 3, lambda i, s: (s[0], s[1] + random.normal(keys[s[0]])), (at, 0.0)))(1)


@wrong
def a_key_that_a_loop_has_taken():
    keys = random.split(random.key(0), 3)
    total = lax.fori_loop(0, 3, lambda i, x: x + random.normal(keys[i]), 0.0)
    return total + random.normal(keys[0])


@right
def a_while_loop_under_vmap():
    def f(key, x):
        def body(state):
            x, key = state
            key, subkey = random.split(key)
            return x + jnp.abs(random.normal(subkey)), key
        return lax.while_loop(lambda s: s[0] < 1.0, body, (x, key))[0]
    key = random.key(0)
    return jax.jit(jax.vmap(f, in_axes=(None, 0)))(key, ones)


# -- transformations

@right
def a_key_shared_by_a_batch():
    key = random.key(0)
    return jax.vmap(lambda x: x + random.normal(key))(ones)


@wrong
def a_batch_and_a_draw():
    key = random.key(0)
    jax.vmap(lambda x: x + random.normal(key))(ones)
    return random.normal(key)


@right
def a_gradient():
    key = random.key(0)
    return jax.grad(lambda x: (random.normal(key, (3,)) * x).sum())(ones)


@right
def a_jitted_gradient():
    f = lambda x, key: (random.normal(key, (3,)) * jnp.sin(x)).sum()
    return jax.jit(jax.value_and_grad(f))(ones, random.key(0))


@wrong
def two_gradients():
    f = lambda x, key: (random.normal(key, (3,)) * x).sum()
    key = random.key(0)
    return jax.grad(f)(ones, key) + jax.grad(f)(ones, key)


@wrong
def twice_under_a_gradient():
    def f(x, key):
        return (random.normal(key, (3,)) * x).sum() + (random.uniform(key, (3,)) * x).sum()
    return jax.jit(jax.grad(f))(ones, random.key(0))


@right
def a_checkpointed_function():
    key = random.key(0)
    f = jax.checkpoint(lambda x: (random.normal(key, (3,)) * jnp.sin(x)).sum())
    return jax.jit(jax.grad(f))(ones)


@right
def a_checkpointed_function_eagerly():
    f = jax.checkpoint(lambda x, key: (random.normal(key, (3,)) * jnp.sin(x)).sum())
    return jax.grad(f)(ones, random.key(0))


@right
def a_gradient_of_a_scan():
    def f(x, key):
        def body(state, _):
            x, key = state
            key, subkey = random.split(key)
            return (jnp.sin(x) * random.normal(subkey), key), None
        return lax.scan(body, (x, key), None, length=3)[0][0]
    return jax.jit(jax.grad(f))(1.0, random.key(0))


@right
def a_custom_derivative():
    @jax.custom_jvp
    def f(x, key):
        return x * random.normal(key)

    @f.defjvp
    def _(primals, tangents):
        x, key = primals
        n = random.normal(key)
        return x * n, tangents[0] * n
    return jax.grad(f)(1.0, random.key(0)) + jax.jit(f)(1.0, random.key(1))


@wrong
def twice_within_a_custom_derivative():
    @jax.custom_jvp
    def f(x, key):
        return x * random.normal(key) + random.uniform(key)
    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
    return jax.jit(f)(1.0, random.key(0))


@right
def a_partial_application():
    f = partial(jax.jit(lambda key, scale: scale * random.normal(key)), scale=2.0)
    return [f(k) for k in random.split(random.key(0))]


@wrong
def a_dropout_of_two_layers():
    def dropout(key, x):
        return jnp.where(random.bernoulli(key, 0.5, x.shape), x / 0.5, 0.0)

    @jax.jit
    def model(x, key):
        return dropout(key, jnp.tanh(dropout(key, x)))
    return model(ones, random.key(0))


@right
def a_dropout_of_two_layers_with_keys():
    def dropout(key, x):
        return jnp.where(random.bernoulli(key, 0.5, x.shape), x / 0.5, 0.0)

    @jax.jit
    def model(x, key):
        first, second = random.split(key)
        return dropout(second, jnp.tanh(dropout(first, x)))
    return model(ones, random.key(0))


@right
def weights_of_a_network():
    @jax.jit
    def init(key):
        sizes = [2, 3, 1]
        keys = random.split(key, len(sizes) - 1)
        return [random.normal(k, (m, n)) for k, m, n in zip(keys, sizes[:-1], sizes[1:])]
    return init(random.key(0))


@wrong
def weights_of_one_key():
    @jax.jit
    def init(key):
        return {"kernel": random.normal(key, (2, 3)), "bias": random.normal(key, (3,))}
    return init(random.key(0))


# -- many keys; branches that a batch takes in part

@wrong
def one_of_many_keys_twice():
    keys = random.split(random.key(0), 20_000)
    return random.normal(keys[7]) + random.normal(keys[7])


@right
def two_of_many_keys():
    keys = random.split(random.key(0), 20_000)
    return random.normal(keys[7]) + random.normal(keys[8])


@right
def a_branch_for_each_key_of_a_batch():
    keys, some = random.split(random.key(0), 4), jnp.array([True, False, True, False])
    return jax.vmap(lambda k, p: lax.cond(p, random.normal, random.uniform, k))(keys, some)


@right
def a_branch_for_the_words_of_each_key():
    keys, some = random.split(random.PRNGKey(0), 4), jnp.array([True, False, True, False])
    return jax.vmap(lambda k, p: lax.cond(p, random.normal, random.uniform, k))(keys, some)


@wrong
def a_branch_for_each_key_and_another_draw():
    keys, some = random.split(random.key(0), 4), jnp.array([True, False, True, False])
    return jax.vmap(lambda k, p: lax.cond(p, random.normal, random.uniform, k) + random.normal(k))(keys, some)


@wrong
def a_branch_for_the_words_of_each_key_and_another_draw():
    keys, some = random.split(random.PRNGKey(0), 4), jnp.array([True, False, True, False])
    return jax.vmap(lambda k, p: lax.cond(p, random.normal, random.uniform, k) + random.normal(k))(keys, some)


# -- copies of one key

draw_each = jax.vmap(random.normal)


@wrong
def a_key_broadcast():
    return draw_each(jnp.broadcast_to(random.key(0), (3,)))


@wrong
def a_key_tiled_and_split_in_each():
    return jax.vmap(lambda k: random.normal(random.split(k)[0]))(jnp.tile(random.key(0), (3,)))


@wrong
def a_key_repeated_for_a_jitted_batch():
    return jax.jit(draw_each)(jnp.repeat(random.key(0), 3))


@wrong
def words_broadcast_in_a_jitted_function():
    return jax.jit(lambda key: draw_each(jnp.broadcast_to(key, (3, 2))))(random.PRNGKey(0))


@wrong
def words_tiled():
    return draw_each(jnp.tile(random.PRNGKey(0), (3, 1)))


@wrong
def words_stacked():
    key = random.PRNGKey(0)
    return draw_each(jnp.stack([key, key]))


@wrong
def two_copies_by_their_indices():
    keys = jnp.broadcast_to(random.PRNGKey(0), (3, 2))
    return random.normal(keys[0]) + random.normal(keys[2])


@wrong
def two_copies_by_indices_that_are_not_known():
    @jax.jit
    def f(key, i, j):
        keys = jnp.broadcast_to(key, (3,))
        return random.normal(keys[i]) + random.normal(keys[j])
    return f(random.key(0), 0, 1)


@wrong
def a_key_for_two_rows_of_a_batch():
    keys = random.split(random.key(0), 2)
    return jax.vmap(draw_each)(jnp.broadcast_to(keys[:, None], (2, 3)))


@wrong
def copies_that_a_jitted_function_made():
    copies = jax.jit(lambda key: jnp.repeat(random.split(key)[0], 3))
    return draw_each(copies(random.key(0)))


@wrong
def copies_by_an_index():
    return draw_each(random.split(random.key(0), 3)[jnp.array([0, 1, 0])])


@wrong
def a_scan_over_copies():
    return lax.scan(lambda c, key: (c + random.normal(key), None), 0.0, jnp.repeat(random.key(0), 3))


@wrong
def copies_that_a_scan_made():
    key = random.key(0)
    return draw_each(lax.scan(lambda c, _: (c, key), 0, None, length=4)[1])


@wrong
def words_stacked_by_numpy():
    key = random.PRNGKey(1)
    return jax.vmap(random.normal)(np.stack([key, key]))


@wrong
def words_in_a_list():
    key, other = random.split(random.PRNGKey(0))
    return jax.vmap(random.normal)(jnp.array([key, other, key]))


@wrong
def words_tiled_by_numpy_and_wrapped():
    keys = random.wrap_key_data(jnp.asarray(np.tile(random.PRNGKey(1), (2, 1))))
    return random.normal(keys[0]) + random.normal(keys[1])


@right
def words_stacked_by_numpy_and_folded():
    keys = np.stack([random.PRNGKey(1)] * 3)
    return jax.vmap(lambda key, i: random.normal(random.fold_in(key, i)))(keys, jnp.arange(3))


@right
def keys_of_a_padded_batch():
    keys = np.zeros((4, 2), np.uint32)
    keys[:2] = random.split(random.PRNGKey(0))
    return jax.vmap(random.normal)(keys)


@right
def copies_folded_with_numbers():
    keys = jnp.broadcast_to(random.key(0), (3,))
    return jax.vmap(lambda key, i: random.normal(random.fold_in(key, i)))(keys, jnp.arange(3))


@right
def words_tiled_and_folded_in_a_jitted_function():
    f = jax.jit(jax.vmap(lambda key, i: random.normal(random.fold_in(key, i))))
    return f(jnp.tile(random.PRNGKey(0), (3, 1)), jnp.arange(3))


@right
def copies_folded_with_their_place_in_the_batch():
    f = jax.vmap(lambda key: random.normal(random.fold_in(key, lax.axis_index("i"))), axis_name="i")
    return f(jnp.broadcast_to(random.key(0), (3,)))


@right
def one_copy_of_many():
    return random.normal(jnp.broadcast_to(random.key(0), (3,))[1])


@right
def copies_cloned_on_purpose():
    return draw_each(random.clone(jnp.broadcast_to(random.key(0), (3,))))


@right
def either_of_two_keys_for_each_entry():
    a, b = random.split(random.key(0))
    return draw_each(jnp.where(jnp.array([True, False]), a, b))


@right
def a_carry_that_a_batch_spreads():
    key = random.key(0)

    def f(x):
        def body(state):
            x, key = state
            key, subkey = random.split(key)
            return x + jnp.abs(random.normal(subkey)), random.fold_in(key, jnp.int32(x))
        return lax.while_loop(lambda s: s[0] < 2.0, body, (x, key))[0]
    return jax.vmap(f)(ones)


# -- on the devices of a mesh

@wrong
def twice_by_pmap():
    draw = jax.pmap(lambda key: random.normal(key))
    keys = random.split(random.key(0), 1)
    return draw(keys) + draw(keys)


@right
def each_by_pmap():
    keys = random.split(random.key(0), 2)
    draw = jax.pmap(lambda key: random.normal(key))
    return draw(keys[:1]) + draw(keys[1:])


@wrong
def twice_within_a_shard_map():
    mesh = jax.make_mesh((1,), ("data",))
    f = jax.shard_map(lambda key, x: x + random.normal(key) * random.uniform(key), mesh=mesh, in_specs=(P(), P("data")),
                      out_specs=P("data"))
    return f(random.key(0), ones)


@right
def one_key_for_all_devices():
    mesh = jax.make_mesh((1,), ("data",))
    f = jax.shard_map(lambda key, x: x + random.normal(random.fold_in(key, lax.axis_index("data"))), mesh=mesh,
                      in_specs=(P(), P("data")), out_specs=P("data"))
    return f(random.key(0), ones)
