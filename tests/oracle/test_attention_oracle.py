"""jax.nn.dot_product_attention against JAX: every option, gradients, vmap, what is refused."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.nn
import jax.numpy
import numpy as np
import pytest
from agreement import assert_same, raised

import perspicax
import perspicax.nn
import perspicax.numpy

pytestmark = pytest.mark.oracle

RANDOM = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


Q, K, V = normal(2, 3, 4, 5), normal(2, 6, 4, 5), normal(2, 6, 4, 5)
KG, VG = normal(2, 6, 2, 5), normal(2, 6, 2, 5)
BIAS, MASK = normal(2, 4, 3, 6), RANDOM.random((2, 4, 3, 6)) > 0.4
LENGTHS = np.array([1, 2], np.int32)

OPTIONS: dict[str, tuple[tuple, dict[str, Any]]] = {
    "plain": ((Q, K, V), {}),
    "without batch": ((Q[0], K[0], V[0], BIAS[0]), {}),
    "bias and mask": ((Q, K, V, BIAS[:1, :1]), {"mask": MASK}),
    "heads that share keys": ((Q, KG, VG, BIAS), {"mask": MASK[:, :1], "scale": 0.3}),
    "causal": ((Q, K, V), {"is_causal": True}),
    "window": ((Q, K, V), {"local_window_size": (1, 2)}),
    "one window": ((Q, KG, VG), {"local_window_size": 1, "is_causal": True}),
    "lengths": ((Q, KG, VG), {"query_seq_lengths": LENGTHS, "key_value_seq_lengths": LENGTHS + 2}),
    "nothing to look at": ((Q, K, V), {"mask": np.zeros((1, 1, 1, 1), bool), "implementation": "xla"}),
    "residual": ((Q, KG, VG, BIAS), {"return_residual": True, "query_seq_lengths": LENGTHS}),
    "residual without batch": ((Q[0], K[0], V[0]), {"return_residual": True}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_attention_and_its_gradients_agree(name: str) -> None:
    args, options = OPTIONS[name]

    def evaluated(m: Any) -> Any:  # results and gradients of one program: compiling is what takes the time
        def total(*xs: Any) -> Any:
            results = m.nn.dot_product_attention(*xs, **options)
            out = results[0] if isinstance(results, tuple) else results
            return (out * np.cos(np.arange(out.size, dtype=np.float32)).reshape(out.shape)).sum(), results

        return m.jit(m.grad(total, argnums=tuple(range(len(args))), has_aux=True))(*args)

    (found, mine), (wanted, theirs) = evaluated(perspicax), evaluated(jax)
    assert_same(mine, theirs, 2e-6, name)
    assert_same(found, wanted, 1e-5, name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_types_agree(dtype: str) -> None:
    args = [x.astype(jax.numpy.dtype(dtype)) for x in (Q, KG, VG)]
    call = lambda m: m.nn.dot_product_attention(*args, BIAS, is_causal=True, return_residual=True)
    assert_same(call(perspicax), call(jax), 2e-2, dtype)


def test_vmap_agrees() -> None:
    call = lambda m: m.vmap(lambda q, k, v: m.nn.dot_product_attention(q, k, v, is_causal=True))(Q, KG, VG)
    assert_same(call(perspicax), call(jax), 2e-6, "vmap")


REFUSED: list[tuple[str, Callable[..., Any]]] = [
    ("batch of keys missing", lambda f, np_: f(Q, K[0], V[0])),
    ("bias of other keys", lambda f, np_: f(Q, K, V, np_.ones((2, 4, 3, 7)))),
    ("bias of other heads", lambda f, np_: f(Q, K, V, np_.ones((2, 2, 3, 6)))),
    ("mask of numbers", lambda f, np_: f(Q, K, V, mask=BIAS)),
    ("heads that do not share", lambda f, np_: f(Q, np_.ones((2, 6, 3, 5)), np_.ones((2, 6, 3, 5)))),
    ("features", lambda f, np_: f(Q, K[..., :3], V[..., :3])),
    ("features of values", lambda f, np_: f(Q, K, V[..., :3])),
    ("dtype", lambda f, np_: f(Q, K.astype(np.float16), V)),
    ("lengths", lambda f, np_: f(Q, K, V, query_seq_lengths=np_.array([1, 2, 3]))),
    ("lengths of floats", lambda f, np_: f(Q, K, V, key_value_seq_lengths=np_.array([1., 2.]))),
    ("window", lambda f, np_: f(Q, K, V, local_window_size=(1, 2, 3))),
    ("implementation", lambda f, np_: f(Q, K, V, implementation="x")),
    ("cudnn", lambda f, np_: f(Q, K, V, implementation="cudnn")),
]


@pytest.mark.parametrize("name, call", REFUSED, ids=[c[0] for c in REFUSED])
def test_what_jax_refuses_is_refused(name: str, call: Callable[..., Any]) -> None:
    theirs = raised(call, jax.nn.dot_product_attention, jax.numpy)
    ours = raised(call, perspicax.nn.dot_product_attention, perspicax.numpy)
    assert theirs is not None and ours is not None
    builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours, builtin), f"{type(ours).__mro__}, JAX {type(theirs).__mro__}"
