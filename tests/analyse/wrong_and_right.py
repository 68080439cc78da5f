"""For each rule of `perspicax check` programs that it finds something in, and the same programs put right."""
from __future__ import annotations

HEAD = """
from functools import partial
import flax.linen as nn
import jax
import jax.numpy as jnp
import math
import numpy as np
import optax
import random
import time
"""

# rule: (wrong, right), any number of times; the line marked with # <- is where the wrong one is told of
PAIRS: dict[str, list[tuple[str, str]]] = {
    "traced-branch": [
        ("@jax.jit\ndef f(x):\n    y = x * 2\n    if y.sum() > 0:  # <-\n        return y\n    return x",
         "@jax.jit\ndef f(x):\n    y = x * 2\n    if y.shape[0] > 1 and y.ndim == 1 and len(x) > 2:\n        return y\n "
         "   return x"),
        ("def inner(c):\n    while c > 0:  # <-\n        c = c - 1\n    return c\n\nf = jax.jit(lambda x: inner(x + 1))",
         "def inner(c):\n    while c > 0:\n        c = c - 1\n    return c\n\nf = lambda x: inner(x + 1)\nf(2)"),
        ("@jax.jit\ndef f(x, flag):\n    return x if flag else -x  # <-",
         '@partial(jax.jit, static_argnames="flag")\ndef f(x, flag):\n    return x if flag else -x'),
        ("def step(c, x):\n    assert x > 0  # <-\n    return c + x, c\n\njax.lax.scan(step, 0.0, jnp.ones(3))",
         "def step(c, x):\n    assert x.shape == ()\n    return c + x, c\n\njax.lax.scan(step, 0.0, jnp.ones(3))"),
        ("def f(x):\n    return 1.0 if x[0] > 0 and x[1] > 0 else 0.0  # <-\n\njax.vmap(f)(jnp.ones((2, 2)))",
         "def f(x, both):\n    return x[0] if both and x is not None else 0.0\n\njax.vmap(f, in_axes=(0, "
         "None))(jnp.ones((2, 2)), True)"),
        ("class Model:\n    @partial(jax.jit, static_argnums=0)\n    def f(self, x):\n        return x if x.any() else "
         "-x  # <-",
         "class Model:\n    @partial(jax.jit, static_argnums=0)\n    def f(self, x):\n        return x if self.flag else -x"),
    ],
    "traced-conversion": [
        ("@jax.jit\ndef f(x):\n    return float(x.mean()) + 1  # <-", "@jax.jit\ndef f(x):\n    return "
                                                                      "x.mean().astype(float) + 1"),
        ("@jax.jit\ndef f(x):\n    return math.sqrt(x) * 2  # <-", "@jax.jit\ndef f(x):\n    return x / "
                                                                   "math.sqrt(x.shape[-1])"),
        ("@jax.jit\ndef f(x):\n    return (x ** 2).item()  # <-", "@jax.jit\ndef f(x):\n    return x ** 2\n\nf(3.0).item()"),
    ],
    "traced-integer": [
        ("@jax.jit\ndef f(x, n):\n    for _ in range(n):  # <-\n        x = x * 2\n    return x",
         "@partial(jax.jit, static_argnums=1)\ndef f(x, n):\n    for _ in range(n):\n        x = x * 2\n    return x"),
        ("table = [1, 2]\n\n@jax.jit\ndef f(i):\n    return table[i]  # <-",
         "table = jnp.array([1, 2])\n\n@jax.jit\ndef f(i, xs):\n    return table[i] + sum([table, table][j] for j in "
         "range(2))"),
    ],
    "traced-option": [
        ("@jax.jit\ndef f(x, axis):\n    return x.sum(axis=axis)  # <-", "@jax.jit\ndef f(x):\n    return "
                                                                         "x.sum(axis=x.ndim - 1)"),
        ("@jax.jit\ndef f(n):\n    return jnp.zeros((n, 3))  # <-", "@jax.jit\ndef f(x):\n    return "
                                                                    "jnp.zeros((x.shape[0], 3))"),
    ],
    "traced-numpy": [
        ("@jax.jit\ndef f(x):\n    return np.sin(x * 2)  # <-", "@jax.jit\ndef f(x):\n    return jnp.sin(x * 2) * "
                                                                "np.prod(x.shape)"),
        ("def loss(w):\n    return np.dot(w, w)  # <-\n\njax.grad(loss)(jnp.ones(3))",
         "def loss(w, table):\n    return (w * np.exp(table)).sum()\n\njax.grad(loss)(jnp.ones(3), np.ones(3))"),
    ],
    "dynamic-size": [
        ("@jax.jit\ndef f(x):\n    return jnp.where(x > 0)  # <-",
         "@jax.jit\ndef f(x):\n    return jnp.where(x > 0, x, 0), jnp.nonzero(x, size=3)"),
        ("@jax.jit\ndef f(x):\n    return jnp.unique(x)  # <-", "def f(x):\n    return jnp.unique(x)\n\nf(jnp.ones(3))"),
    ],
    "boolean-index": [
        ("@jax.jit\ndef f(x):\n    mask = x > 0\n    return x[mask].sum()  # <-",
         "@jax.jit\ndef f(x):\n    mask = x > 0\n    return x.at[mask].set(0).sum() + x[x.argmax()]"),
    ],
    "leaked-value": [
        ("kept = []\n\n@jax.jit\ndef f(x):\n    kept.append(x + 1)  # <-\n    return x",
         "@jax.jit\ndef f(x):\n    kept = []\n    kept.append(x + 1)\n    return kept"),
        ("last = None\n\n@jax.jit\ndef f(x):\n    global last\n    last = x * 2  # <-\n    return x",
         "last = None\n\ndef f(x):\n    global last\n    last = x * 2\n    return x"),
        ("class Model:\n    @partial(jax.jit, static_argnums=0)\n    def f(self, x):\n        self.state = x * 2  # "
         "<-\n        return x",
         "class Model:\n    def f(self, x):\n        self.state = x * 2\n        return x"),
        ('info = {}\n\ndef loss(w):\n    info["norm"] = (w ** 2).sum()  # <-\n    return '
         'info["norm"]\n\njax.grad(loss)(jnp.ones(3))',
         'def loss(w):\n    info = {}\n    info["norm"] = (w ** 2).sum()\n    return info["norm"], info\n\n'
         "jax.grad(loss, has_aux=True)(jnp.ones(3))"),
    ],
    "side-effect": [
        ("count = 0\n\n@jax.jit\ndef f(x):\n    global count\n    count += 1  # <-\n    return x",
         "traces = 0\n\n@jax.jit\ndef f(x):\n    global traces\n    traces += 1\n    return x"),
        ("@jax.jit\ndef f(x):\n    return x + np.random.normal(size=3)  # <-",
         "@jax.jit\ndef f(x, key):\n    return x + jax.random.normal(key, (3,))"),
        ("@jax.jit\ndef f(x):\n    return x, time.time()  # <-", "def f(x):\n    return x, time.time()"),
    ],
    "traced-print": [
        ("@jax.jit\ndef f(x):\n    print(\"loss\", x.sum())  # <-\n    return x",
         "@jax.jit\ndef f(x):\n    print(\"tracing f\")\n    print(x.shape)\n    jax.debug.print(\"{}\", x)\n    return "
         "x\n\nprint(f(1.0))"),
    ],
    "key-reuse": [
        ("key = jax.random.key(0)\na = jax.random.normal(key)\nb = jax.random.uniform(key)  # <-",
         "key = jax.random.key(0)\nkey, sub = jax.random.split(key)\na = jax.random.normal(sub)\nb = jax.random.uniform(key)"),
        ("def f(key, n):\n    out = []\n    for i in range(n):\n        out.append(jax.random.normal(key))  # <-\n    "
         "return out",
         "def f(key, n):\n    out = []\n    for i in range(n):\n        "
         "out.append(jax.random.normal(jax.random.fold_in(key, i)))\n"
         "    for k, s in zip(jax.random.split(key), [1, 2]):\n        out.append(jax.random.normal(k, (s,)))\n    return out"),
        ("def make(key):\n    return jax.random.normal(key)\n\ndef both(key):\n    a = make(key)\n    return a, "
         "make(key)  # <-",
         "def make(key):\n    return jax.random.normal(key)\n\ndef both(key, one):\n    if one:\n        return make(key)\n"
         "    first, second = jax.random.split(key)\n    return make(first), make(second)"),
        ("def step(carry, _):\n    key, x = carry\n    return (key, x + jax.random.normal(key)), x  # <-\n\n"
         "jax.lax.scan(step, (jax.random.key(0), 0.0), None, length=3)",
         "def step(carry, _):\n    key, x = carry\n    key, sub = jax.random.split(key)\n"
         "    return (key, x + jax.random.normal(sub)), x\n\njax.lax.scan(step, (jax.random.key(0), 0.0), None, length=3)"),
        ("keys = jax.random.split(jax.random.key(0), 3)\na = jax.random.normal(keys[0])\nb = jax.random.normal(keys[0])  # <-",
         "keys = jax.random.split(jax.random.key(0), 3)\na = jax.random.normal(keys[0])\nb = jax.random.normal(keys[1])\n"
         "c = jax.vmap(jax.random.normal)(jax.random.split(keys[2], 4))"),
    ],
    "item-assignment": [
        ("x = jnp.zeros(3)\nx[0] = 1.0  # <-", "x = np.zeros(3)\nx[0] = 1.0\nx = jnp.asarray(x)"),
        ("@jax.jit\ndef f(x, i):\n    y = x * 2\n    y[i, 0] += 3  # <-\n    return y",
         "@jax.jit\ndef f(x, i):\n    y = [x * 2] * 3\n    y[0] = x\n    z = {}\n    z[0] = y\n    return z"),
        ("def f(key):\n    noise = 0.1 * jax.random.normal(key, (2, 2))\n    noise[0][1] = 0.0  # <-\n    return noise",
         "def f(key, out_ref):\n    noise = [jax.random.normal(key, (2, 2))]\n    noise[0] = 0.0\n    out_ref[...] = noise[0]"),
        ("x = jnp.zeros(3).at[0].set(1.0)\nx[1] = 2.0  # <-",
         "def f(x, table):\n    table.at[0] = x\n    return table"),
        ("def mark(grid):\n    grid[0] = 1.0  # <-\n    return grid\n\nmark(jnp.zeros(3))",
         "def mark(grid):\n    grid[0] = 1.0\n    return grid\n\nmark(np.zeros(3))"),
    ],
    "discarded-update": [
        ("def f(x):\n    x.at[0].set(1.0)  # <-\n    return x", "def f(x):\n    x = x.at[0].set(1.0)\n    return x"),
        ("def f(params):\n    params[\"w\"].at[0].set(1.0)  # <-\n    return params",
         "def f(params):\n    w = params[\"w\"].at[0].set(1.0)\n    return {**params, \"w\": w}"),
        ("def f(x, y):\n    jnp.append(x, y)  # <-\n    return x", "def f(x, y):\n    return jnp.append(x, y)"),
        ("def f(params, updates):\n    optax.apply_updates(params, updates)  # <-\n    return params",
         "def f(params, updates):\n    params = optax.apply_updates(params, updates)\n    return params"),
        ("def f(tree):\n    jax.tree.map(lambda x: x * 2, tree)  # <-\n    return tree",
         "def f(tree):\n    jax.tree.map(lambda x: x.block_until_ready(), tree)\n    jax.tree.map(print, tree)\n    "
         "return tree"),
    ],
    "jax-transform": [
        ("class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        layer = nn.Dense(3)\n"
         "        return jax.vmap(lambda r: layer(r))(x)  # <-",
         "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        layer = nn.Dense(3)\n"
         "        return jax.vmap(jnp.tanh)(layer(x))"),
        ("class M(nn.Module):\n    def setup(self):\n        self.cell = nn.Dense(3)\n\n    def __call__(self, x):\n"
         "        def body(c, r):\n            return self.cell(c), r\n        return jax.lax.scan(body, x, None, "
         "length=3)  # <-",
         "class M(nn.Module):\n    def setup(self):\n        self.cell = nn.Dense(3)\n\n    def __call__(self, x):\n"
         "        def body(cell, c, r):\n            return cell(c), r\n"
         '        scan = nn.scan(body, variable_broadcast="params", split_rngs={"params": False}, length=3)\n'
         "        return scan(self.cell, x, None)"),
    ],
    "transform-target": [
        ("class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return nn.remat(nn.Dense(3))(x)  # <-",
         "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return nn.remat(nn.Dense)(3)(x)"),
    ],
    "several-compact": [
        ("class M(nn.Module):\n    @nn.compact\n    def a(self, x):\n        return nn.Dense(1)(x)\n\n    @nn.compact\n"
         "    def b(self, x):  # <-\n        return nn.Dense(2)(x)",
         "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return self.b(nn.Dense(1)(x))\n\n"
         "    def b(self, x):\n        return nn.Dense(2)(x)"),
        ("class A(nn.Module):\n    @nn.compact\n    def a(self, x):\n        return nn.Dense(1)(x)\n\nclass B(A):\n"
         "    @nn.compact\n    def b(self, x):  # <-\n        return nn.Dense(2)(x)",
         "class A(nn.Module):\n    @nn.compact\n    def a(self, x):\n        return nn.Dense(1)(x)\n\nclass B(A):\n"
         "    @nn.compact\n    def a(self, x):\n        return nn.Dense(2)(super().a(x))"),
    ],
    "submodule-outside": [
        ("class M(nn.Module):\n    def __call__(self, x):\n        return nn.Dense(3)(x)  # <-",
         "class M(nn.Module):\n    def setup(self):\n        self.layer = nn.Dense(3)\n\n    def __call__(self, x):\n"
         "        return self.layer(x)"),
    ],
    "assign-in-method": [
        ("class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        self.last = x  # <-\n        return x",
         "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        last = self.variable('state', "
         "'last', lambda: x)\n"
         "        return last.value"),
    ],
    "field-in-setup": [
        ("class M(nn.Module):\n    width: int\n\n    def setup(self):\n        self.width = 3  # <-",
         "class M(nn.Module):\n    width: int\n\n    def setup(self):\n        self.half = self.width // 2"),
    ],
    "post-init": [
        ("class M(nn.Module):\n    width: int = 3\n\n    def __post_init__(self):  # <-\n        self.half = self.width // 2",
         "class M(nn.Module):\n    width: int = 3\n\n    def __post_init__(self):\n        self.half = self.width // 2\n"
         "        super().__post_init__()"),
    ],
    "reserved-field": [("class M(nn.Module):\n    name: str  # <-", "class M(nn.Module):\n    label: str")],
    "name-twice": [
        ('class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        x = nn.Dense(3, name="a")(x)\n'
         '        return nn.Dense(3, name="a")(x)  # <-',
         'class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        layer = nn.Dense(3, name="a")\n'
         "        return layer(layer(x))"),
    ],
    "unknown-attribute": [
        ("class M(nn.Module):\n    width: int\n\n    @property\n    def half(self):\n        return self.widht // 2  # <-",
         "class M(nn.Module):\n    width: int\n\n    @property\n    def half(self):\n        return self.width // 2"),
    ],
    "class-not-instance": [
        ("class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return "
         "x\n\nM.init(jax.random.key(0), 1.0)  # <-",
         "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return "
         "x\n\nM().init(jax.random.key(0), 1.0)"),
    ],
    "unbound-call": [
        ("layer = nn.Dense(3)\ny = layer(jnp.ones((1, 2)))  # <-",
         "layer = nn.Dense(3)\nx = jnp.ones((1, 2))\ny = layer.apply(layer.init(jax.random.key(0), x), x)\n"
         "z = nn.Sequential([nn.relu])(x)"),
    ],
    "unbound-setup": [
        ("class M(nn.Module):\n    def setup(self):\n        self.layer = nn.Dense(3)\n\nm = M()\nm.setup()  # <-",
         "class M(nn.Module):\n    def setup(self):\n        self.layer = nn.Dense(3)\n\nm = M()"),
    ],
    "unbound-unbind": [
        ("layer = nn.Dense(3)\nlayer.unbind()  # <-", "layer = nn.Dense(3)\nlayer.bind({}).unbind()"),
    ],
    "unbound-share": [
        ("a, b = nn.Dense(3), nn.Dense(3)\nnn.share_scope(a, b)  # <-",
         "class M(nn.Module):\n    def setup(self):\n        self.a, self.b = nn.Dense(3), nn.Dense(3)\n"
         "        nn.share_scope(self.a, self.b)"),
    ],
    "missing-mutable": [
        ("class M(nn.Module):\n    @nn.compact\n    def __call__(self, x, train):\n"
         "        return nn.BatchNorm(use_running_average=not train)(x)\n\ndef loss(variables, x):\n    model = M()\n"
         "    return model.apply(variables, x, train=True)  # <-",
         "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x, train):\n"
         "        return nn.BatchNorm(use_running_average=not train)(x)\n\ndef loss(variables, x):\n    model = M()\n"
         "    y, state = model.apply(variables, x, train=True, mutable=['batch_stats'])\n"
         "    return model.apply(variables, x, train=False), y"),
    ],
    "missing-rngs": [
        ("class M(nn.Module):\n    @nn.compact\n    def __call__(self, x, train: bool = True):\n"
         "        return nn.Dropout(0.5, deterministic=not train)(x)\n\nM().apply({}, jnp.ones(3))  # <-",
         "class M(nn.Module):\n    @nn.compact\n    def __call__(self, x, train: bool = True):\n"
         "        return nn.Dropout(0.5, deterministic=not train)(x)\n\nM().apply({}, jnp.ones(3), train=False)\n"
         'M().apply({}, jnp.ones(3), rngs={"dropout": jax.random.key(0)})'),
    ],
    "bare-params": [
        ('model = nn.Dense(3)\nparams = model.init(jax.random.key(0), jnp.ones(2))["params"]\n'
         "y = model.apply(params, jnp.ones(2))  # <-",
         'model = nn.Dense(3)\nparams = model.init(jax.random.key(0), jnp.ones(2))["params"]\n'
         'y = model.apply({"params": params}, jnp.ones(2))'),
    ],
    "params-twice": [
        ('model = nn.Dense(3)\nparams = model.init(jax.random.key(0), jnp.ones(2))\n'
         'y = model.apply({"params": params}, jnp.ones(2))  # <-',
         "model = nn.Dense(3)\nparams = model.init(jax.random.key(0), jnp.ones(2))\ny = model.apply(params, jnp.ones(2))"),
    ],
    "method-without-self": [
        ("model = nn.Dense(3)\ny = model.apply({}, method=lambda: 3)  # <-",
         "model = nn.Dense(3)\ny = model.apply({}, method=lambda m: m.features)"),
    ],
    "syntax": [("def f(:  # <-", "def f(): pass")],
}

# Programs as people write them: nothing is wrong with any of them.
SOUND = {
    "training loop": '''
class Net(nn.Module):
    features: tuple = (32, 10)
    rate: float = 0.1

    @nn.compact
    def __call__(self, x, train: bool):
        x = x.reshape((x.shape[0], -1))
        for i, width in enumerate(self.features):
            x = nn.Dense(width, name=f"dense_{i}")(x)
            if i < len(self.features) - 1:
                x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
                if self.rate > 0:
                    x = nn.Dropout(self.rate, deterministic=not train)(x)
        return x


def create(key, learning_rate):
    model = Net()
    variables = model.init({"params": key, "dropout": key}, jnp.ones((1, 8, 8)), train=False)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(learning_rate))
    return model, tx, variables["params"], variables["batch_stats"], tx.init(variables["params"])


def make_step(model, tx):
    @jax.jit
    def step(params, stats, opt_state, batch, key):
        def loss_fn(params):
            logits, new = model.apply({"params": params, "batch_stats": stats}, batch["image"], train=True,
                                      mutable=["batch_stats"], rngs={"dropout": key})
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean()
            if batch.get("weight") is not None:
                loss = loss * batch["weight"]
            return loss, (new["batch_stats"], logits)

        (loss, (stats_new, logits)), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        updates, opt_state_new = tx.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        metrics = {"loss": loss, "accuracy": (logits.argmax(-1) == batch["label"]).mean()}
        metrics["norm"] = optax.global_norm(grads)
        return params, stats_new, opt_state_new, metrics
    return step


def main(epochs=2):
    key = jax.random.key(0)
    key, init_key = jax.random.split(key)
    model, tx, params, stats, opt_state = create(init_key, 1e-3)
    step = make_step(model, tx)
    history = []
    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        order = rng.permutation(64)
        for i in range(0, 64, 16):
            key, dropout_key = jax.random.split(key)
            batch = {"image": jnp.ones((16, 8, 8)), "label": jnp.asarray(order[i:i + 16] % 10)}
            params, stats, opt_state, metrics = step(params, stats, opt_state, batch, dropout_key)
            history.append(float(metrics["loss"]))
            if metrics["loss"] < 0.1:
                print("done at", epoch, metrics["loss"])
                return history
        print(f"epoch {epoch}: {np.mean(history):.3f}", time.time())
    return history


if __name__ == "__main__":
    main()
''',
    "sampling": '''
def gibbs(key, state, steps):
    def step(state, key):
        a, b = jax.random.split(key)
        state = state + jax.random.normal(a, state.shape)
        accept = jax.random.uniform(b) < 0.5
        return jax.lax.cond(accept, lambda s: s, lambda s: -s, state), state

    return jax.lax.scan(step, state, jax.random.split(key, steps))


class Keys:
    def __init__(self, seed):
        self.key = jax.random.PRNGKey(seed)

    def next(self):
        self.key, sub = jax.random.split(self.key)
        return sub


keys = Keys(0)
weights = [jax.random.normal(keys.next(), (n,)) for n in (2, 3)]
biases = jax.random.uniform(keys.next())
out, trace = jax.jit(gibbs, static_argnums=2)(keys.next(), jnp.zeros(3), 4)
try:
    jax.jit(lambda x: float(x))(1.0)
except jax.errors.ConcretizationTypeError as error:
    print(error)
''',
    "numerics": '''
@partial(jax.jit, static_argnames=("order", "axis"))
def norm(x, order=2, axis=None, weights=None):
    if weights is not None:
        x = x * weights
    if order == 1:
        return jnp.abs(x).sum(axis)
    if isinstance(axis, tuple) and len(axis) > 1:
        axis = axis[0]
    scale = 1 / np.sqrt(x.shape[-1])
    return scale * jnp.sqrt((x ** 2).sum(axis=axis))


def newton(f, x, tolerance=1e-6):
    slope = jax.jit(jax.grad(f))
    for _ in range(50):
        dx = f(x) / slope(x)
        x = x - dx
        if abs(dx) < tolerance:
            break
    return float(x)


def rk4(f, y, ts):
    def step(y, span):
        t, dt = span
        k1 = f(t, y)
        k2 = f(t + dt / 2, jax.tree.map(lambda a, b: a + dt / 2 * b, y, k1))
        return jax.tree.map(lambda a, b: a + dt * b, y, k2), y
    return jax.lax.scan(step, y, (ts[:-1], jnp.diff(ts)))


@jax.custom_vjp
def clip_gradient(x):
    return x

clip_gradient.defvjp(lambda x: (x, None), lambda res, g: (jnp.clip(g, -1, 1),))


@jax.vmap
def pairs(row):
    mode = "high" if row.dtype == jnp.float32 else "low"
    return {"mean": row.mean(), "max": row.max()} if mode == "high" else row


print(newton(lambda x: x ** 2 - 2, 1.0), norm(jnp.ones(3)), pairs(jnp.ones((2, 3))))
''',
}
