"""Every example of the page on `jax.errors`, wrong and right, as a program under `import jax`."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import pytest

HEAD = """
from functools import partial
import jax
from jax import jit
import jax.numpy as jnp
import numpy as np
"""

# name: (what it must raise, or None; the program; what `result` must be, or words that the text must hold)
EXAMPLES: dict[str, tuple[str | None, str, object]] = {
    "axis, wrong": ("ConcretizationTypeError", """
@jit
def func(x, axis):
    return x.min(axis)
func(jnp.arange(4), 0)
""", ["axis", "static_argnames", "func"]),
    "axis, right": (None, """
@partial(jit, static_argnums=1)
def func(x, axis):
    return x.min(axis)
result = func(jnp.arange(4), 0)
""", 0),
    "positions, wrong": ("ConcretizationTypeError", """
@jit
def func(x):
    return jnp.where(x < 0)
func(jnp.arange(4))
""", ["x < 0", "size="]),
    "positions as indices, wrong": ("ConcretizationTypeError", """
@jit
def func(x):
    indices = jnp.where(x > 1)
    return x[indices].sum()
func(jnp.arange(4))
""", ["jnp.where(x > 1, x, 0)"]),
    "positions as indices, right": (None, """
@jit
def func(x):
    return jnp.where(x > 1, x, 0).sum()
result = func(jnp.arange(4))
""", 5),
    "key reuse, wrong": ("KeyReuseError", """
with jax.debug_key_reuse(True):
    key = jax.random.key(0)
    value = jax.random.uniform(key)
    new_value = jax.random.uniform(key)
""", ["key", "split"]),
    "mask, wrong": ("NonConcreteBooleanIndexError", """
@jax.jit
def positive_values(x):
    return x[x > 0]
positive_values(jnp.arange(-5, 5))
""", ["x > 0", "bool[10]", "jnp.where(x > 0, x, 0)"]),
    "mask and sum, wrong": ("NonConcreteBooleanIndexError", """
@jax.jit
def sum_of_positive(x):
    return x[x > 0].sum()
sum_of_positive(jnp.arange(-5, 5))
""", ["jnp.where(x > 0, x, 0).sum()"]),
    "mask and sum, right": (None, """
@jax.jit
def sum_of_positive(x):
    return jnp.where(x > 0, x, 0).sum()
result = sum_of_positive(jnp.arange(-5, 5))
""", 10),
    "update by mask, wrong": ("NonConcreteBooleanIndexError", """
@jax.jit
def manual_clip(x):
    return x.at[x < 0].set(0)
manual_clip(jnp.arange(-2, 2))
""", ["x < 0", "jnp.where(x < 0, 0, x)", "bool[4]"]),
    "update by mask, right": (None, """
@jax.jit
def manual_clip(x):
    return jnp.where(x < 0, 0, x)
result = manual_clip(jnp.arange(-2, 2))
""", [0, 0, 0, 1]),
    "numpy function, wrong": ("TracerArrayConversionError", """
@jit
def func(x):
    return np.sin(x)
func(np.arange(4))
""", ["np.sin(x)", "jnp.sin(x)", "int32[4]"]),
    "numpy function, right": (None, """
@jit
def func(x):
    return jnp.sin(x)
result = func(jnp.arange(4)).astype(jnp.int32)
""", [0, 0, 0, 0]),
    "numpy array by a tracer, wrong": ("TracerArrayConversionError", """
x = np.arange(10)
@jit
def func(i):
    return x[i]
func(0)
""", ["x[i]", "jnp.asarray(x)[i]", "static_argnames"]),
    "numpy array by a tracer, right": (None, """
x = np.arange(10)
@jit
def func(i):
    return jnp.asarray(x)[i]
result = func(0)
""", 0),
    "numpy array by a static index, right": (None, """
x = np.arange(10)
@partial(jit, static_argnums=(0,))
def func(i):
    return x[i]
result = func(0)
""", 0),
    "choice, wrong": ("TracerBoolConversionError", """
@jit
def func(x, y):
    return x if x.sum() < y.sum() else y
func(jnp.ones(4), jnp.zeros(4))
""", ["x.sum() < y.sum()", "jnp.where(x.sum() < y.sum(), x, y)"]),
    "choice, right": (None, """
@jit
def func(x, y):
    return jnp.where(x.sum() < y.sum(), x, y)
result = func(jnp.ones(4), jnp.zeros(4))
""", [0.0, 0.0, 0.0, 0.0]),
    "flag, wrong": ("TracerBoolConversionError", """
@jit
def func(x, normalize=True):
    if normalize:
        return x / x.sum()
    return x
func(jnp.arange(5), True)
""", ["normalize", 'static_argnames=("normalize",)']),
    "flag, right": (None, """
@partial(jit, static_argnames=['normalize'])
def func(x, normalize=True):
    if normalize:
        return x / x.sum()
    return x
result = (func(jnp.arange(5), True) * 10 + 0.5).astype(jnp.int32)
""", [0, 1, 2, 3, 4]),
    "min, wrong": ("TracerBoolConversionError", """
@jit
def func(x):
    return min(x, 0)
func(2)
""", ["min(x, 0)", "jnp.minimum(x, 0)"]),
    "min, right": (None, """
@jit
def func(x):
    return jnp.minimum(x, 0)
result = func(2)
""", 0),
    "split, wrong": ("TracerIntegerConversionError", """
@jit
def func(x, axis):
    return np.split(x, 2, axis)
func(np.arange(4), 0)
""", ["axis", "static_argnames"]),
    "split, right": (None, """
@partial(jit, static_argnums=1)
def func(x, axis):
    return np.split(x, 2, axis)
result = [part.tolist() for part in func(np.arange(10), 0)]
""", [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]),
    "split in a closure, right": (None, """
result = [part.tolist() for part in jit(lambda arr: np.split(arr, 2, 0))(np.arange(4))]
""", [[0, 1], [2, 3]]),
    "list by a tracer, wrong": ("TracerIntegerConversionError", """
L = [1, 2, 3]
@jit
def func(i):
    return L[i]
func(0)
""", ["L[i]", "jnp.array(L)[i]", "static_argnames"]),
    "list by a tracer, right": (None, """
L = [1, 2, 3]
@jit
def func(i):
    return jnp.array(L)[i]
result = func(0)
""", 1),
    "list by a static index, right": (None, """
L = [1, 2, 3]
@partial(jit, static_argnums=0)
def func(i):
    return L[i]
result = func(0)
""", 1),
    "leak, wrong": ("UnexpectedTracerError", """
outs = []
@jit
def side_effecting(x):
    y = x + 1
    outs.append(y)
x = 1
side_effecting(x)
outs[0] + 1
""", ["outs[0]", "outs.append(y)", "side_effecting", "return"]),
    "leak, right": (None, """
outs = []
@jit
def not_side_effecting(x):
    y = x+1
    return y
x = 1
y = not_side_effecting(x)
outs.append(y)
result = outs[0] + 1
""", 3),
    "leak checker, wrong": ("LeakedTracerError", """
outs = []
@jit
def side_effecting(x):
    y = x+1
    outs.append(y)
x = 1
with jax.checking_leaks():
    y = side_effecting(x)
""", ["outs.append(y)"]),
}

# All examples in one other process: here the oracle may be imported.
RUNNER = """
import contextlib, io, json, linecache, sys, traceback
import perspicax.compat
perspicax.compat.install()

def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value

def outcome(name, source):
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace = {"__name__": "__main__"}
    try:
        exec(compile(source, name, "exec"), namespace)
    except BaseException as error:
        return {"raised": type(error).__name__, "text": str(error), "traceback": traceback.format_exc(),
                "documented": type(error).__module__}
    return {"raised": None, "result": plain(namespace.get("result"))}

json.dump({name: outcome(name, source) for name, source in json.load(sys.stdin).items()}, sys.stdout)
"""


@functools.cache
def outcomes() -> dict[str, dict]:
    jobs = {f"<{name}>": HEAD + source for name, (_, source, _) in EXAMPLES.items()}
    done = subprocess.run([sys.executable, "-c", RUNNER], input=json.dumps(jobs), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    raises, _, expected = EXAMPLES[name]
    outcome = outcomes()[f"<{name}>"]
    assert outcome["raised"] == raises, outcome.get("traceback", "nothing was raised")
    if raises is None:
        assert outcome["result"] == expected
    else:
        missing = [word for word in expected if word not in outcome["text"]]  # type: ignore[union-attr]
        assert not missing, outcome["text"]
