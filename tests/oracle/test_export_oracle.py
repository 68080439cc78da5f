"""`jax.export` against JAX: sizes and what is decided of them, types, models of unknown batch size, what is refused."""
from __future__ import annotations

import jax
import jax.export
import jax.numpy
import numpy as np
import pytest
from agreement import raised

import perspicax
import perspicax.export
import perspicax.numpy

pytestmark = pytest.mark.oracle

EXPRESSIONS = """a+b; 2*b+1; a*b*b; a-b; 3-b; -(a*b); a*a*b+b+a+3; a//b; a%b; b//2; b%2; (2*b)//2; (2*b+1)//2; (2*b)%2;
    (2*b+1)%2; (4*b+6)//4; (b+4)//2; b//2*2+b%2; (a*b)//b; (a*b)%b; 1//b; 0//b; 7%b; b//-1; b**2; b**0;
    (-b)%2; -b//2; b-b//2; (a+b)*(a-b); b>=1; b>0; b==1; b!=1; b<1; b<2; b>1; a<b; a+b>=2; a+b>=a; 2*b>=2;
    2*b>=3; a*b>=1; b%3<3; b//2<=b; b//2>=1; (b+1)//2>=1; c>=4; c>=5; d%2; d//2*2; max(b,1); max(a,b); b//0;
    int(b); bool(b); b==b; a==b; sum([a,b]); c-3>0; c-b; np.int32(2)*b""".split(";")
SHAPES = ["", "()", "(b,)", "b, 3", "max(b,1), min(b,0), max(b, 3)", "floordiv(a,2), mod(a,3), 2*a, a^2", "b//2", "1b",
          "b,,", "..."]


def variables(module):
    shape = module.export.symbolic_shape("a, b, c, d", constraints=["c >= 4", "mod(d, 2) == 0"])
    return dict(zip("abcd", shape), np=np)


@pytest.mark.parametrize("text", [text.strip() for text in EXPRESSIONS])
def test_sizes_and_decisions(text):
    ours, theirs = ((lambda m=m: eval(text, variables(m))) for m in (perspicax, jax))
    error = raised(theirs)
    if error is None:
        got, want = ours(), theirs()
        assert str(got) == str(want) and isinstance(want, int | bool) == isinstance(got, int | bool)
    else:
        assert {c.__name__ for c in type(raised(ours)).__mro__} & {c.__name__ for c in type(error).__mro__} - {
            "Exception", "BaseException", "object"}


@pytest.mark.parametrize("text", SHAPES)
def test_shapes_from_text(text):
    ours, theirs = ((lambda m=m: m.export.symbolic_shape(text)) for m in (perspicax, jax))
    error = raised(theirs)
    if error is None:
        assert str(ours()) == str(theirs())
    else:
        assert isinstance(raised(ours), ValueError)


# -- models of unknown batch size

def mlp(m, p, x, y):
    n = m.numpy
    return n.mean((n.tanh(x @ p["w"] + p["b"]) @ p["v"] - y[:, None]) ** 2)


def classifier(m, p, x, y):
    n = m.numpy
    chosen = n.take_along_axis(m.nn.log_softmax(x @ p["w"]), y.astype(n.int32)[:, None], axis=1)
    return -n.mean(chosen)


def cnn(m, p, x, y):
    image = x.reshape(x.shape[0], 4, 4, 2)
    h = m.lax.conv_general_dilated(image, p["k"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    h = m.lax.reduce_window(m.nn.relu(h), -np.inf, m.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return m.numpy.mean((h.reshape(h.shape[0], -1).sum(1) - y) ** 2)


def layer_norm(m, p, x, y):
    n = m.numpy
    h = (x - x.mean(-1, keepdims=True)) / n.sqrt(x.var(-1, keepdims=True) + 1e-5) * p["b"][0] + p["b"][1]
    return n.sum(n.concatenate([h, x[:, :2]], 1).mean(0) ** 2) + n.sum(y) / x.shape[0]


def attention(m, p, x, y):
    n = m.numpy
    q = (x @ p["w"]).reshape(x.shape[0], 2, 2)
    scores = n.einsum("bic,bjc->bij", q, q)
    causal = n.where(n.tril(n.ones((2, 2), bool)), scores, -1e9)
    return n.mean(n.einsum("bij,bjc->bic", m.nn.softmax(causal), q)[:, -1] ** 2)


PARAMETERS = {name: np.random.default_rng(3).normal(size=shape).astype(np.float32) for name, shape in
              {"w": (32, 4), "b": (4,), "v": (4, 1), "k": (3, 3, 2, 3)}.items()}


@pytest.mark.parametrize("model", [mlp, classifier, cnn, layer_norm, attention])
def test_models_and_their_gradients(model):
    batch, = perspicax.export.symbolic_shape("batch")
    struct = lambda *shape: perspicax.ShapeDtypeStruct(shape, np.float32)
    step = perspicax.jit(perspicax.value_and_grad(lambda *args: model(perspicax, *args)))
    parameters = {name: struct(*value.shape) for name, value in PARAMETERS.items()}
    exported = perspicax.export.export(step)(parameters, struct(batch, 32), struct(batch))
    exported = perspicax.export.deserialize(exported.serialize())
    for n in (3, 6) if model is mlp else (3,):
        x = np.random.default_rng(n).normal(size=(n, 32)).astype(np.float32)
        y = np.arange(n, dtype=np.float32) % 3
        want = jax.jit(jax.value_and_grad(lambda *args: model(jax, *args)))(PARAMETERS, x, y)
        got = exported.call(PARAMETERS, x, y)
        np.testing.assert_allclose(got[0], want[0], rtol=2e-5)
        for name in PARAMETERS:
            np.testing.assert_allclose(got[1][name], want[1][name], rtol=3e-4, atol=3e-5)


TYPED = {
    "mean": lambda m, x: m.numpy.mean(x, axis=0), "product": lambda m, x: x @ x.T, "flat": lambda m, x: x.reshape(-1),
    "joined": lambda m, x: m.numpy.concatenate([x, x + x.shape[0]]), "range": lambda m, x: m.numpy.arange(x.shape[0]),
    "part": lambda m, x: (x[:, 0], x[-1], x[None, :, :2], x[:, ::2]), "size": lambda m, x: x * x.size,
    "halves": lambda m, x: x[: x.shape[0] // 2], "padded": lambda m, x: m.numpy.pad(x, ((1, 2), (0, 0))),
    "number": lambda m, x: x.shape[0] / 2 + m.numpy.asarray(x.shape[0]), "sorted": lambda m, x: m.numpy.sort(x, 0)}


@pytest.mark.parametrize("name", TYPED)
def test_types_of_results(name):
    def types(m):
        b, = m.export.symbolic_shape("b")
        outs = m.eval_shape(lambda x: TYPED[name](m, x), m.ShapeDtypeStruct((b, 4), np.float32))
        return [(str(o.shape), o.dtype.name, o.weak_type) for o in m.tree.leaves(outs)]

    assert types(perspicax) == types(jax)


def test_fields():
    def fields(m):
        b, = m.export.symbolic_shape("b")
        f = m.jit(lambda x, unused, *, scale: {"y": x * scale})
        e = m.export.export(f)(m.ShapeDtypeStruct((b, 3), np.float32), 1, scale=np.float32(2))
        gradient = e.vjp()
        return [e.fun_name, str(e.in_tree), str(e.in_avals), str(e.out_tree), str(e.out_avals), e.nr_devices, e.platforms,
                e.ordered_effects, e.unordered_effects, tuple(e.disabled_safety_checks), e.calling_convention_version,
                e.module_kept_var_idx, e.uses_global_constants, e.in_shardings_hlo, e.out_shardings_hlo, e.has_vjp(),
                str([a.shape for a in gradient.in_avals]), len(gradient.out_avals), str(e)]

    assert fields(perspicax) == fields(jax)


def calls(m):
    b, = m.export.symbolic_shape("b")
    other, = m.export.symbolic_shape("b")
    struct = lambda *shape: m.ShapeDtypeStruct(shape, np.float32)
    ones = lambda *shape: np.ones(shape, np.float32)
    export = lambda f, *args, **options: m.export.export(m.jit(f), **options)(*args)
    e = export(lambda x: x + 1, struct(b, 3))
    return {
        "size": lambda: e.call(ones(4, 2)),
        "rank": lambda: e.call(ones(4)),
        "dtype": lambda: e.call(np.ones((4, 3), np.int32)),
        "structure": lambda: e.call(ones(4, 3), 1),
        "none": lambda: e.call(ones(0, 3)),
        "platform": lambda: export(m.numpy.sin, 1.0, platforms=("tpu",)).call(1.0),
        "no jit": lambda: m.export.export(lambda x: x)(1.0),
        "unsolvable": lambda: export(lambda x: x, struct(b * b)),
        "scopes": lambda: export(lambda x, y: x, struct(b), struct(other)),
        "constraint": lambda: m.export.symbolic_shape("b", constraints=["b > 2"]),
        "scope": lambda: m.export.symbolic_shape("b", scope=b.scope, constraints=["b >= 2"]),
        "jvp": lambda: m.jvp(e.call, (ones(2, 3),), (ones(2, 3),)),
        "callback": lambda: export(lambda x: m.pure_callback(np.sin, x, x), 1.0),
        "branch": lambda: export(lambda x: x if x.shape[0] > 3 else -x, struct(b)),
        "namedtuple": lambda: m.export.register_namedtuple_serialization(int, serialized_name="int"),
    }


@pytest.mark.parametrize("name", list(calls(perspicax)))
def test_refusals(name):
    ours, theirs = raised(calls(perspicax)[name]), raised(calls(jax)[name])
    builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours, builtin) and (builtin is not Exception or type(ours).__name__ == type(theirs).__name__)
