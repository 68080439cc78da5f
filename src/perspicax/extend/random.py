"""Generators of random bits: `jax.extend.random`."""
from perspicax.lax.random_bits import threefry2x32_p as threefry2x32_p
from perspicax.random.custom import define_prng_impl as define_prng_impl
from perspicax.random.custom import random_seed as random_seed
from perspicax.random.custom import seed_with_impl as seed_with_impl
from perspicax.random.custom import threefry_2x32 as threefry_2x32
from perspicax.random.hardware import rbg as rbg_prng_impl
from perspicax.random.hardware import unsafe_rbg as unsafe_rbg_prng_impl
from perspicax.random.threefry import threefry as threefry_prng_impl

__all__ = [
    "define_prng_impl", "random_seed", "rbg_prng_impl", "seed_with_impl", "threefry2x32_p", "threefry_2x32",
    "threefry_prng_impl", "unsafe_rbg_prng_impl",
]
