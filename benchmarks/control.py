"""The workloads of control flow and of calls to the host; run by `workloads.py`."""

import contextlib
import io
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import best, best_fresh

BODY, CONDS, PRINTS = 200, 200, 10_000


def make_scan(jax: ModuleType) -> Any:
    """A new function: a scan whose body has 200 equations."""
    jnp, lax = jax.numpy, jax.lax

    def step(carry: Any, x: Any) -> Any:
        for _ in range(BODY // 4):
            carry = jnp.sin(carry)
            carry = carry * 1.01
            carry = carry + x
            carry = jnp.tanh(carry)
        return carry, carry

    return lambda x, xs: lax.scan(step, x, xs)[0].sum()


def make_conds(jax: ModuleType) -> Any:
    """A new function: 200 conds, one behind the other."""
    lax, sin, cos = jax.lax, jax.numpy.sin, jax.numpy.cos

    def chain(x: Any) -> Any:
        for _ in range(CONDS):
            x = lax.cond(x[0] > 0, lambda v: sin(v) * 1.01, lambda v: cos(v) + 0.5, x)
        return x

    return chain


def loops(jax: ModuleType) -> dict[str, float]:
    """Milliseconds to trace and lower loops and branches; microseconds of compiled ones."""
    jnp, lax = jax.numpy, jax.lax
    x, xs, matrix = jnp.ones(8), jnp.ones((16, 8)), jnp.eye(64) * 0.5
    iterate = jax.jit(lambda m, v: lax.scan(lambda c, _: (jnp.tanh(m @ c), c.sum()), v, None, length=200))
    search = jax.jit(lambda m, v: lax.while_loop(lambda c: c[0] < 300, lambda c: (c[0] + 1, jnp.tanh(m @ c[1]) + 0.1), (0, v)))
    vector = jnp.ones(64)
    return {
        "control/scan": best_fresh(lambda: make_scan(jax), lambda f: jax.make_jaxpr(f)(x, xs)) * 1e3,
        "control/scan_grad": best_fresh(lambda: make_scan(jax), lambda f: jax.make_jaxpr(jax.grad(f))(x, xs)) * 1e3,
        "control/conds": best_fresh(lambda: make_conds(jax), lambda f: jax.jit(f).lower(x)) * 1e3,
        "control/steady_scan": best(lambda: jax.block_until_ready(iterate(matrix, vector)), seconds=1) * 1e6,
        "control/steady_while": best(lambda: jax.block_until_ready(search(matrix, vector)), seconds=1) * 1e6,
    }


def callbacks(jax: ModuleType) -> dict[str, float]:
    """A loop that prints 10,000 times, in milliseconds; one round trip to Python, in microseconds."""
    jnp, lax = jax.numpy, jax.lax

    def tell(i: Any, total: Any) -> Any:
        jax.debug.print("{i} {total}", i=i, total=total)
        return total + i

    told = jax.jit(lambda n: lax.fori_loop(0, n, tell, 0))

    def printed() -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            jax.block_until_ready(told(PRINTS))
            jax.effects_barrier()
        if out.getvalue().count("\n") != PRINTS:
            raise SystemExit("lines are missing")

    sine = jax.jit(lambda v: jax.pure_callback(np.sin, jax.ShapeDtypeStruct((8,), np.float32), v))
    x = jnp.ones(8)
    return {
        "control/prints": best_fresh(lambda: None, lambda _: printed(), rounds=3) * 1e3,
        "control/pure_callback": best(lambda: jax.block_until_ready(sine(x))) * 1e6,
    }
