"""The sanitizers: each finds mistakes of its kind at their line, and stays quiet on sound programs."""
from __future__ import annotations

import linecache
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import perspicax
from perspicax.diagnose.place import resolve
from perspicax.sanitize import Finding
from perspicax.sanitize.names import CHEAP, NAMES, parse

HEAD = "import perspicax as jax\nimport perspicax.numpy as jnp\nimport perspicax.flax as flax\nimport numpy as np\n"
COUNT = iter(range(10_000))


def findings(program: str, names: str = "all") -> list[tuple[str, str]]:
    """What is found in a program: the finding, and the text of the line that it points at."""
    source = HEAD + program
    filename = f"/program_{next(COUNT)}.py"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with perspicax.sanitize(names):
            exec(compile(source, filename, "exec"), {"__name__": __name__})
    found = []
    for each in caught:
        if isinstance(each.message, Finding):
            span = resolve(each.message.full_report.primary)
            line = source.splitlines()[span.line - 1].strip() if span is not None else ""
            found.append((type(each.message).__name__, line))
    return found


TX = """
if jax is None:
    import optax
source = '''
class Momentum:
    def update(self, gradient, trace):
        trace = 0.9 * trace + gradient
        return -0.1 * trace, trace
class Plain:
    def update(self, gradient, nothing):
        return -0.1 * gradient, nothing
'''
exec(compile(source, "/site-packages/momentum.py", "exec"), globals())  # a package
tx, plain = Momentum(), Plain()
"""
NORM = """
import perspicax.flax.linen as nn
model = nn.BatchNorm(use_running_average=False)
x = jnp.arange(4.0).reshape(2, 2)
variables = model.init(jax.random.key(0), x)
"""

WRONG: dict[str, tuple[str, str, str]] = {
    "update in a jitted function": ("DiscardedUpdate", "x.at[i].set(0.0)", """
@jax.jit
def clear(x, i):
    x.at[i].set(0.0)
    return x
clear(jnp.ones(4), 2)
"""),
    "append": ("DiscardedUpdate", "jnp.append(log, 1.0)", """
log = jnp.zeros(2)
jnp.append(log, 1.0)
total = log.sum()
"""),
    "tree.map": ("DiscardedUpdate", "jax.tree.map(lambda p: 0.9 * p, params)", """
params = {"w": jnp.ones(3)}
jax.tree.map(lambda p: 0.9 * p, params)
w = params["w"]
"""),
    "replace": ("DiscardedUpdate", "state.replace(step=1)", """
@flax.struct.dataclass
class State:
    step: int
state = State(0)
state.replace(step=1)
steps = state.step
"""),
    "a sorting method": ("DiscardedUpdate", "x.sort()", """
x = jnp.array([3, 1, 2])
x.sort()
first = x[0]
"""),
    "a table that is too small": ("OutOfBoundsIndex", "return table[labels]", """
table = jnp.arange(3.0)
@jax.jit
def look_up(labels):
    return table[labels]
look_up(jnp.array([1, 3]))
"""),
    "an update outside": ("OutOfBoundsIndex", "y = x.at[jnp.array([4])].add(1.0)", """
x = jnp.zeros(4)
y = x.at[jnp.array([4])].add(1.0)
"""),
    "an index in a loop": ("OutOfBoundsIndex", "return acc + x[i + 1]", """
@jax.jit
def total(x):
    def body(i, acc):
        return acc + x[i + 1]
    return jax.lax.fori_loop(0, 4, body, 0.0)
total(jnp.arange(4.0))
"""),
    "a slice that does not fit": ("OutOfBoundsIndex", "y = jax.lax.dynamic_slice(jnp.arange(10), (8,), (4,))", """
y = jax.lax.dynamic_slice(jnp.arange(10), (8,), (4,))
"""),
    "a slice of a batch that does not fit": ("OutOfBoundsIndex", "return jax.lax.dynamic_slice_in_dim(x, start, 3)", """
x = jnp.arange(4.0)
@jax.jit
def windows(starts):
    def window(start):
        return jax.lax.dynamic_slice_in_dim(x, start, 3)
    return jax.vmap(window)(starts)
windows(jnp.arange(3))
"""),
    "a composite function of infinities": ("NonFinite", "weights = jax.nn.softmax(scores)", """
def attend(scores):
    weights = jax.nn.softmax(scores)
    return weights.sum()
attend(jnp.full(4, -jnp.inf))
"""),
    "a composite function whose result nobody uses": ("NonFinite", "x = jnp.std(jnp.array([jnp.inf, 1.0, 2.0, 3.0]))", """
x = jnp.std(jnp.array([jnp.inf, 1.0, 2.0, 3.0]))
"""),
    "an infinity that operations by themselves make": ("NonFinite", "y = x * 2", """
x = jnp.array([60000.0], jnp.float16)
y = x * 2
"""),
    "a derivative that is infinite": ("NonFinite", "return jnp.sum(x ** 0.5)", """
def roots(x):
    return jnp.sum(x ** 0.5)
print(jax.grad(roots)(jnp.array([0.5, 0.0])))
"""),
    "a counter of a static self": ("SideEffect", "self.calls += 1", """
import functools
class Model:
    calls = 0
    @functools.partial(jax.jit, static_argnums=0)
    def __call__(self, x):
        self.calls += 1
        return 2 * x
Model()(jnp.ones(2))
"""),
    "an activation": ("DiscardedUpdate", "jax.nn.relu(h)", """
def layer(x, w):
    h = x @ w
    jax.nn.relu(h)
    return h
layer(jnp.ones((2, 3)), jnp.ones((3, 4)))
"""),
    "an attribute of self that changes": ("SideEffect", "return x * self.scale", """
class Model:
    def __init__(self):
        self.scale = 1.0
        self.forward = jax.jit(self._forward)
    def _forward(self, x):
        return x * self.scale
model = Model()
for _ in range(2):
    model.forward(jnp.ones(2))
    model.scale *= 0.5
"""),
    "log of zero": ("NonFinite", "return jnp.log(p)", """
def logs(p):
    return jnp.log(p)
@jax.jit
def entropy(p):
    return -(p * logs(p)).sum()
entropy(jnp.array([0.0, 1.0, 0.0, 0.0]))
"""),
    "zero by zero": ("NonFinite", "v / n", """
v = jnp.zeros(4)
n = v.sum()
v / n
"""),
    "the derivative of a root": ("NonFinite", "return jnp.where(x > 0, jnp.sqrt(x), 0.0).sum()", """
def f(x):
    return jnp.where(x > 0, jnp.sqrt(x), 0.0).sum()
jax.grad(f)(jnp.arange(4.0))
"""),
    "a growing argument": ("Recompilation", "total(jnp.ones(n))", """
total = jax.jit(lambda x: x.sum())
for n in (1, 2, 3, 4):
    total(jnp.ones(n))
"""),
    "a function made anew": ("Recompilation", "jax.jit(lambda x: 2 * x)(jnp.ones(4))", """
for _ in range(4):
    jax.jit(lambda x: 2 * x)(jnp.ones(4))
"""),
    "objects that equal none but themselves": ("Recompilation", "forward(1.0, Config())", """
class Config:
    pass
forward = jax.jit(lambda x, config: 2 * x, static_argnums=1)
for _ in range(3):
    forward(1.0, Config())
"""),
    "a large integer": ("DtypeTruncation", "jnp.asarray(ids)", """
ids = np.array([4_294_967_297, 5])
jnp.asarray(ids)
"""),
    "a dtype that is not there": ("DtypeTruncation", 'jnp.zeros(4, "float64")', """
jnp.zeros(4, "float64")
"""),
    "a product of integers": ("IntegerOverflow", "return seconds * 1000000", """
@jax.jit
def microseconds(seconds):
    return seconds * 1000000
microseconds(jnp.array([10, 4000, 1, 2]))
"""),
    "a number of NumPy": ("DtypePromotion", "return scores / np.sqrt(64)", """
@jax.jit
def scaled(scores):
    return scores / np.sqrt(64)
scaled(jnp.ones(4, jnp.bfloat16))
"""),
    "bytes": ("IntegerOverflow", "a - b", """
a, b = jnp.array([10, 200], jnp.uint8), jnp.array([20, 100], jnp.uint8)
a - b
"""),
    "a counter": ("SideEffect", "self.calls += 1", """
class Model:
    calls = 0
    def run(self, x):
        self.calls += 1
        return 2 * x
jax.jit(Model().run)(jnp.ones(4))
"""),
    "print": ("SideEffect", "print('y is', y)", """
@jax.jit
def step(x):
    y = 2 * x
    print('y is', y)
    return y
step(jnp.ones(4))
"""),
    "numbers of NumPy": ("SideEffect", "return x + np.random.normal(size=4)", """
@jax.jit
def noisy(x):
    return x + np.random.normal(size=4)
noisy(jnp.ones(4))
"""),
    "the clock": ("SideEffect", "started = time.time()", """
import time
@jax.jit
def timed(x):
    started = time.time()
    return x + started % 1.0
timed(jnp.ones(4))
"""),
    "a variable that changes": ("SideEffect", "return w - rate * w", """
rate = 0.5
@jax.jit
def step(w):
    return w - rate * w
for _ in range(2):
    step(jnp.ones(4))
    rate /= 2
"""),
    "a variable of the function around": ("SideEffect", "return w * scale", """
def train():
    scale = jnp.ones(())
    @jax.jit
    def step(w):
        def loss(w):
            return w * scale
        return jax.grad(loss)(w)
    for _ in range(2):
        step(1.0)
        scale = scale + 1
train()
"""),
    "a dict of the arguments": ("SideEffect", 'metrics["loss"] += loss', """
@jax.jit
def note(metrics, loss):
    metrics["loss"] += loss
    return 2 * loss
note({"loss": jnp.zeros(())}, jnp.ones(()))
"""),
    "a list of the arguments": ("SideEffect", "history.append(x)", """
@jax.jit
def run(history, x):
    for _ in range(2):
        history.append(x)
        x = 2 * x
    return x
run([], jnp.ones(4))
"""),
    "a state of an optimizer": ("DiscardedUpdate", "step, new_trace = tx.update(gradient, trace)", TX + """
@jax.jit
def train(w, trace, gradient):
    step, new_trace = tx.update(gradient, trace)
    return w + step, trace
train(jnp.ones(4), jnp.zeros(4), jnp.ones(4))
"""),
    "a state of an optimizer without jit": ("DiscardedUpdate", "step, _ = tx.update(jnp.ones(4), trace)", TX + """
trace = jnp.zeros(4)
for _ in range(2):
    step, _ = tx.update(jnp.ones(4), trace)
"""),
    "running means": ("DiscardedUpdate", 'out, _ = model.apply(variables, x, mutable=["batch_stats"])', NORM + """
def loss(variables, x):
    out, _ = model.apply(variables, x, mutable=["batch_stats"])
    return out.sum()
loss(variables, x)
"""),
    "a column of a table": ("SuspiciousBroadcast", "return jnp.mean(guesses == labels)", """
def accuracy(guesses, labels):
    return jnp.mean(guesses == labels)
table = jnp.arange(8).reshape(4, 2)
accuracy(jnp.arange(4), table[:, :1])
"""),
    "a column in a loss": ("SuspiciousBroadcast", "return jnp.mean((p - y) ** 2)", """
def loss(p, y):
    return jnp.mean((p - y) ** 2)
loss(jnp.ones((4, 4)) @ jnp.ones((4, 1)), jnp.ones(4))
"""),
    "one key for two layers": ("KeyReuse", "second = layer(key)", """
def layer(key):
    return jax.random.normal(key, (4,))
key = jax.random.key(0)
first = layer(key)
second = layer(key)
"""),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_found_at_its_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    kind, line, program = WRONG[name]
    assert findings(program) == [(kind, line)]


RIGHT = {
    "variables that stay, or are read at each call": """
width = 2
rate = 0.5
rate = 0.25
seen = 0
@jax.jit
def step(w):
    def show(w):
        print(seen)
    jax.debug.callback(show, w)
    return rate * jnp.ones(width) * w
for seen in range(3):
    rate = 0.25
    step(1.0)
for factor in (1.0, 2.0):
    @jax.jit
    def scaled(x):
        return factor * x
    scaled(1.0), scaled(1.0)
""",
    "containers that are returned, read or handed on": """
@jax.jit
def f(state, batch, out):
    state["x"] = state["x"] + 1
    batch["image"] = batch["image"] / 255
    out.append(batch["image"].sum())
    return state, sum(out)
f({"x": jnp.ones(4)}, {"image": jnp.ones(4)}, [])
""",
    "states that are kept, empty, or meant to be left": TX + NORM + """
@jax.jit
def train(w, trace, gradient):
    step, trace = tx.update(gradient, trace)
    look, _ = tx.update(gradient, trace)
    return w + step, trace
@jax.jit
def descend(w, empty, gradient):
    step, new = plain.update(gradient, empty)
    return w + step
train(jnp.ones(4), jnp.zeros(4), jnp.ones(4))
descend(jnp.ones(4), (), jnp.ones(4))
out, changed = model.apply(variables, x, mutable=["batch_stats"])
variables = {**variables, **changed}
out, _ = model.apply(variables, x, mutable=["batch_stats"])
""",
    "a dtype that is meant": """
x = jnp.ones(4, jnp.bfloat16)
a = x * 0.5
b = x.astype(jnp.float32) * x.sum().astype(jnp.float32)
c = (x * np.float32(0.5)).astype(x.dtype)
""",
    "guarded values": """
x = jnp.array([-1.0, 2.0, 0.0, 4.0])
a = jnp.where(x > 0, jnp.log(x), 0.0).sum()
b = jnp.nanmean(jnp.log(x))
c = jax.nn.softmax(jnp.where(x > 0, x, -jnp.inf))
d = jax.scipy.special.xlogy(jnp.zeros(4), jnp.zeros(4))
e = 1 / x
f = jnp.where(x == 0, 0.0, e)
g = jnp.log(jnp.zeros(2)) * 3.0
h = 1 / (1 + jnp.exp(jnp.array([200.0])))
best = jnp.minimum(jnp.inf, x)
""",
    "indices that are meant": """
x = jnp.arange(4.0)
w = x.at[7].set(1.0, mode="drop")
y = x.at[9].get(mode="fill", fill_value=0.0)
z = jax.ops.segment_sum(x, jnp.array([0, 1, 5, 1]), num_segments=2)
places = jnp.nonzero(x > 2, size=3)
print(x[-1], x[jnp.array([-4])])
""",
    "pairs that are meant": """
x = jnp.arange(4.0)
def pairs(a, b):
    return jnp.abs(a - b).mean()
a = pairs(x[:, None], x)
column = x.reshape(-1, 1)
b = ((column - x) ** 2).sum()
""",
    "results that only show something": """
x = jnp.ones(4)
jnp.floor(x)
jnp.zeros(4).at[0].set(1.0)
jnp.take(x, jnp.array([0, 7]), mode="clip")
jax.random.key(0)
x.at[0].set(1.0)
""",
    "calls for their effects": """
f = jax.jit(lambda x: 2 * x)
x = jnp.ones(4)
f(x)
f(x).block_until_ready()
jax.block_until_ready(x)
jax.tree.map(lambda a: a.block_until_ready(), {"x": x})
jax.tree.map(print, {"x": 1})
""",
    "activations that are called to be compiled": """
def warm(x):
    jax.nn.relu(x)
x = jnp.ones(3)
jax.nn.relu(x)
warm(x)
print(x)
""",
    "attributes that nobody reads while they change": """
class Model:
    def __init__(self):
        self.weights, self.rate, self.steps = jnp.ones(2), 0.1, 0
        self.forward = jax.jit(self._forward)
    def _forward(self, weights, x):
        return weights - self.rate * x
    def train(self):
        for _ in range(2):
            self.weights = self.forward(self.weights, 1.0)
            self.steps += 1
Model().train()
""",
    "traces that are counted": """
trace_count, cache = 0, {}
def table(n):
    if n not in cache:
        cache[n] = np.arange(n, dtype=np.float32)
    return cache[n]
@jax.jit
def f(x):
    global trace_count
    trace_count += 1
    print("tracing f")
    parts = []
    for i in range(3):
        parts.append(x * i)
    return sum(parts) + table(4)
f(jnp.ones(4)) + f(jnp.ones(4))
""",
    "callbacks": """
seen = []
def note(x):
    seen.append(float(x))
    print("value", x)
@jax.jit
def f(x):
    jax.debug.callback(note, x.sum())
    return x
f(jnp.ones(4)).block_until_ready()
jax.effects_barrier()
assert len(seen) == 1
""",
    "hashes and usual numbers": """
x = jnp.arange(4).astype(jnp.uint32)
x * jnp.uint32(2654435761)
jnp.asarray(np.linspace(0, 1e6, 4)) + jnp.asarray(np.arange(4))
""",
    "few shapes": """
f = jax.jit(lambda x: x.sum())
f(jnp.ones(3)), f(jnp.ones(4))
for i in range(4):
    f(jnp.ones(4) * i)
""",
    "keys that are split": """
key = jax.random.key(0)
for _ in range(3):
    key, used = jax.random.split(key)
    jax.random.normal(used, (4,)) + 0
""",
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_sound_program_has_no_finding(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert findings(RIGHT[name]) == []


def test_a_static_object_that_equals_none_is_told_without_its_address() -> None:
    class Config:
        pass

    forward = perspicax.jit(lambda x, config: 2 * x, static_argnums=1)
    with pytest.warns(perspicax.sanitize.Recompilation) as caught, perspicax.sanitize("recompiles"):
        for _ in range(3):
            forward(1.0, Config())
    report = caught[0].message.report  # type: ignore[union-attr]
    assert "config: another `Config`, which equals none but itself" in report.says
    assert report.fixes[0].lines == ("@dataclasses.dataclass(frozen=True)",)


def test_what_is_found_may_be_raised_and_caught() -> None:
    x = jnp_ones()
    with perspicax.sanitize("updates,error"):
        with pytest.raises(perspicax.sanitize.DiscardedUpdate) as caught:
            for _ in range(2):
                x.at[0].set(2.0)
    assert caught.value.target == "x"
    assert issubclass(perspicax.sanitize.DiscardedUpdate, UserWarning)
    assert x[0] == 1.0


def jnp_ones() -> Any:
    return perspicax.numpy.ones(4)


def test_a_finding_is_told_once_for_each_place() -> None:
    program = "x = jnp.ones(4)\nfor _ in range(5):\n    x.at[0].set(2.0)\ny = 2 * x\n"
    assert findings(program, "updates") == [("DiscardedUpdate", "x.at[0].set(2.0)")]


@pytest.mark.parametrize("name", sorted(WRONG))
def test_only_the_sanitizers_that_are_on_speak(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if WRONG[name][0] in ("DiscardedUpdate", "SideEffect", "KeyReuse"):
        assert findings(WRONG[name][2], "bounds,broadcast") == []


def test_nothing_is_watched_while_all_are_off() -> None:
    from perspicax.core.config import local
    from perspicax.core.context import evaluator
    from perspicax.core.report_hooks import ends_watched
    from perspicax.diagnose.watched import broadcasts_watched, casts_watched, results_watched
    from perspicax.transform.jit import traces_watched
    from perspicax.transform.stage import calls_watched

    with perspicax.sanitize("all"):
        assert local.trace is not evaluator()
        assert calls_watched
    assert local.trace is evaluator()
    for place in (ends_watched, broadcasts_watched, casts_watched, results_watched, traces_watched, calls_watched):
        assert place == []


def test_a_program_without_keys_takes_the_short_way_of_jit_under_the_default_sanitizers() -> None:
    from perspicax.core.config import local

    f = perspicax.jit(lambda x: 2 * x)
    x = perspicax.numpy.ones(4)
    with perspicax.sanitize("default"):
        f(x)
        f(x)
        assert local.trace.base
        assert f._short.flat  # type: ignore[attr-defined]


def test_names() -> None:
    assert parse("all") == frozenset(NAMES)
    assert parse("default,bounds,error") == frozenset({*CHEAP, "bounds", "error"})
    assert parse("none") == parse("") == frozenset()
    with pytest.raises(ValueError, match="no sanitizer `nan`"):
        perspicax.sanitize("nan")
    with pytest.raises(ValueError, match="no sanitizer `key`"):
        perspicax.config.update("perspicax_sanitize", "key")
    assert perspicax.config.perspicax_sanitize == ""


def test_donated_arguments_are_gone_under_sanitizers_too() -> None:
    f = perspicax.jit(lambda x: x + 1, donate_argnums=0)
    x = perspicax.numpy.ones(4)
    with perspicax.sanitize("nans"):
        assert f(x)[0] == 2.0
    assert x.is_deleted()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    from perspicax.sanitize import constants, recompiles

    yield
    constants._seen.clear()
    recompiles.forget()


def test_where_a_nan_came_up_within_a_function_of_an_installed_package() -> None:
    library: dict[str, Any] = {"__name__": "library"}
    filename, source = "/site-packages/library.py", "def direction(a):\n    return a / (a * a).sum()\n"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    exec(compile(source, filename, "exec"), library)
    with pytest.warns(perspicax.sanitize.NonFinite) as caught, perspicax.sanitize("nans"):  # type: ignore[attr-defined]
        unit = library["direction"](perspicax.numpy.zeros(4))
        del unit
    finding: Any = caught[0].message
    inner = resolve(finding.inner)
    assert inner is not None and (inner.function, inner.line) == ("direction", 2)
    assert (finding.primitive, finding.within, finding.backward) == ("div", True, False)
    assert "in its `div`, the 2nd operand is 0" in finding.report.says
