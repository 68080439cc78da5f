"""The ledger of keys: a corpus of small programs, and what its reports say."""
from __future__ import annotations

import warnings

import key_programs
import pytest
import training_programs

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax, random
from perspicax.core.config import local, sanitize
from perspicax.core.context import evaluator
from perspicax.errors import KeyReuseError
from perspicax.sanitize.keys import summary
from perspicax.sharding import AbstractMesh
from perspicax.sharding import PartitionSpec as P

WRONG, RIGHT = [{**getattr(key_programs, kind), **getattr(training_programs, kind)} for kind in ("WRONG", "RIGHT")]


@pytest.mark.parametrize("name", WRONG)
def test_reuse_is_found(name):
    with jax.debug_key_reuse(True), pytest.raises(KeyReuseError):
        WRONG[name]()


@pytest.mark.parametrize("name", RIGHT)
def test_there_is_no_false_alarm(name):
    with jax.debug_key_reuse(True):
        RIGHT[name]()


@pytest.mark.parametrize("name", training_programs.UNSEEN)
def test_keys_of_which_others_are_folded_are_not_used_up(name):
    with jax.debug_key_reuse(True):
        training_programs.UNSEEN[name]()


REUSED = {"apply_twice_with_one_key", "one_key_for_all_steps", "a_batch_of_models_of_one_key",
          "validation_with_the_key_of_training", "words_of_one_key_in_a_training_loop"}


@pytest.mark.parametrize("name", training_programs.UNSEEN)
def test_the_sanitizer_sees_keys_that_are_folded_with_one_number_twice(name):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with jax.sanitize("keys"):
            training_programs.UNSEEN[name]()
    assert bool([w for w in caught if isinstance(w.message, jax.sanitize.KeyReuse)]) == (name in REUSED)


def test_a_second_network_may_start_as_the_first():
    def draw(key, count):
        return random.normal(random.fold_in(key, count), (2,))

    def init(key):
        return draw(key, 0) + draw(key, 1)

    key = random.key(0)
    with jax.sanitize("keys,error"):
        assert (init(key) == init(key)).all()
        draw(key, 0)
        with pytest.raises(jax.sanitize.KeyReuse):
            draw(key, 0)


def test_a_helper_that_gets_the_key_is_not_to_blame():
    def sample(key):
        return random.uniform(key, (2,))

    key = random.key(0)
    with jax.sanitize("keys,error"), pytest.raises(jax.sanitize.KeyReuse) as caught:
        [sample(key) for _ in range(2)]
    assert "[sample(subkey) for _ in range(2)]" in caught.value.report.fixes[0].code


SAMPLERS = {
    "beta": lambda k: random.beta(k, 2., 3., (3,)), "binomial": lambda k: random.binomial(k, 100., .5, (3,)),
    "dirichlet": lambda k: random.dirichlet(k, jnp.ones(3)), "gamma": lambda k: random.gamma(k, 2.5, (3,)),
    "multinomial": lambda k: random.multinomial(k, 5, jnp.ones(2) / 2), "poisson": lambda k: random.poisson(k, 3., (3,)),
    "poisson of many": lambda k: random.poisson(k, 300., (3,)), "wald": lambda k: random.wald(k, 2., (3,)),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_of_several_steps_use_their_key_up_once(name):
    draw = SAMPLERS[name]
    with jax.debug_key_reuse(True):
        for key in random.split(random.key(0)):
            draw(key)
        with pytest.raises(KeyReuseError):
            draw(key)


def test_each_device_uses_its_own_keys_up_and_all_of_them_the_common_one():
    mesh = AbstractMesh((2, 2), ("a", "b"))
    f = jax.shard_map(lambda keys, key: jax.vmap(random.normal)(keys) + random.normal(key), mesh=mesh,
                      in_specs=(P(("b", "a")), P()), out_specs=P(("b", "a")))
    closed = jax.make_jaxpr(f)(random.split(random.key(0), 8), random.key(1))
    used = {argument: origins for (argument, _), origins in summary(closed).uses}
    assert len(used[0]) == len({str(origin) for origin in used[0]}) == 8
    assert len(used[1]) == 1


def test_the_corpus_is_of_the_size_that_is_claimed():
    assert len(WRONG) >= 40 and len(RIGHT) >= 45


# -- what the reports say

def reuse(f):
    with jax.debug_key_reuse(True), pytest.raises(KeyReuseError) as caught:
        f()
    return caught.value


def test_the_report_has_both_places_and_the_split():
    def f():
        my_key = random.key(0)
        a = random.normal(my_key)
        b = random.uniform(my_key)
        return a + b

    error = reuse(f)
    text = str(error)
    assert "`my_key` was used already" in text
    assert "a = random.normal(my_key)" in text and "b = random.uniform(my_key)" in text
    assert "my_key, subkey = random.split(my_key)" in text
    assert "a = random.normal(subkey)" in text
    assert error.second.place.span().line == error.first.place.span().line + 1


def test_calls_of_one_jitted_function_are_told_apart():
    noise = jax.jit(lambda rng, x: x + random.normal(rng))

    def f():
        rng = random.key(0)
        first = noise(rng, 1.0)
        return first + noise(rng, 2.0)

    error = reuse(f)
    assert error.first.parameter == error.second.parameter == "rng"
    assert "first = noise(subkey, 1.0)" in str(error)


def test_a_loop_is_named():
    def f():
        key = random.key(0)
        return lax.scan(lambda c, _: (c, random.normal(key)), 0.0, None, length=4)

    error = reuse(f)
    assert error.second.loop == "scan"
    assert "in each step of `scan`" in str(error)
    assert "fold_in(key, step)" in str(error)


def test_one_operation_with_a_key_twice():
    def f():
        key = random.key(0)
        keys = jnp.stack([key, key])
        return jax.vmap(random.normal)(keys)

    error = reuse(f)
    assert error.twice_in_one
    assert "holds the same random key twice" in str(error)


def test_the_report_tells_where_copies_of_a_key_were_made():
    def f():
        rng = random.PRNGKey(0)
        keys = jnp.tile(rng, (3, 1))
        return random.normal(keys[0]) + random.normal(keys[2])

    error = reuse(f)
    assert error.copies.number == 3
    text = str(error)
    assert "keys = jnp.tile(rng, (3, 1))" in text and "3 copies of one key" in text
    assert error.report.fixes[0].code == "random.split(rng, 3)"


@pytest.mark.parametrize("number, reused", [(lambda i: 7, True), (lambda i: i, False)])
def test_copies_that_are_folded_with_one_number_are_still_copies(number, reused):
    key = random.key(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with jax.sanitize("keys"):
            jax.vmap(lambda k, i: random.normal(random.fold_in(k, number(i))))(jnp.repeat(key, 3), jnp.arange(3))
    assert any(isinstance(w.message, jax.sanitize.KeyReuse) for w in caught) == reused


def test_what_failed_used_nothing_up():
    with jax.debug_key_reuse(True):
        key = random.key(0)
        with pytest.raises(TypeError):
            random.normal(key, dtype="int32")
        random.normal(key)


# -- on and off

def test_nothing_is_watched_while_it_is_off():
    assert local.trace is evaluator()
    with jax.debug_key_reuse(True):
        assert local.trace is not evaluator()
    assert local.trace is evaluator()
    WRONG["two_draws"]()


def test_it_can_be_turned_on_for_the_process():
    jax.config.update("jax_debug_key_reuse", True)
    try:
        with pytest.raises(KeyReuseError):
            WRONG["two_draws"]()
    finally:
        jax.config.update("jax_debug_key_reuse", False)
    WRONG["two_draws"]()


def test_the_numbers_are_the_same_while_it_is_on():
    draw = lambda: [random.normal(k, (70,)).tolist() for k in random.split(random.key(3))]
    off = draw()
    with jax.debug_key_reuse(True):
        assert draw() == off


def test_the_sanitizer_warns_once_for_each_place():
    from perspicax.sanitize import KeyReuse

    def f():
        key = random.key(0)
        random.normal(key)
        random.normal(key)

    with sanitize("keys"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        f()
        f()
    found = [w for w in caught if w.category is KeyReuse]
    assert len(found) == 1
    assert "`key` was used already" in str(found[0].message)
    assert found[0].filename == __file__
