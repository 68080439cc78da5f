"""`jax.checkpoint` on both: the same residuals for each policy, the same values, errors of the same built-in class."""
from __future__ import annotations

import jax
import jax.ad_checkpoint
import numpy as np
import pytest
from jax._src.ad_checkpoint import saved_residuals as jax_residuals  # what `print_saved_residuals` prints

import perspicax
import perspicax.ad_checkpoint
from perspicax.api.remat import saved_residuals

pytestmark = pytest.mark.oracle

X, W = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), np.linspace(0.1, 0.9, 9, dtype=np.float32).reshape(3, 3)


def layers(J):
    def f(x, w):
        y = J.ad_checkpoint.checkpoint_name(J.numpy.sin(x @ w), "y")
        return J.numpy.sum(J.numpy.sin(J.numpy.cos(y @ w)))
    return f


def loop(J):
    def f(x, w):
        return J.numpy.sum(J.lax.scan(lambda c, _: (J.numpy.sin(c @ w), None), x, None, length=4)[0])
    return f


def loop_results(J):
    def body(w, c, s):
        d = J.ad_checkpoint.checkpoint_name(J.numpy.sin(c @ w), "y")
        return d, J.numpy.cos(d) * s
    return lambda x, w: J.numpy.sum(J.lax.scan(lambda c, s: body(w, c, s), x, J.numpy.arange(4.0))[1])


def jitted(J):
    return lambda x, w: J.numpy.sum(J.jit(lambda v: J.numpy.sin(J.numpy.sin(v @ w)))(x))


def within(J):
    return lambda x, w: J.numpy.sum(J.checkpoint(lambda v: J.numpy.sin(J.numpy.sin(v @ w)))(x))


def within_dots(J):
    return lambda x, w: J.numpy.sum(J.checkpoint(lambda v: J.numpy.sin(J.numpy.sin(v @ w) @ w),
                                                 policy=J.checkpoint_policies.dots_saveable)(x))


def within_loop(J):
    def f(x, w):
        step = J.checkpoint(lambda c: J.numpy.sin(J.numpy.sin(c @ w)), policy=J.checkpoint_policies.dots_saveable)
        return J.numpy.sum(J.lax.scan(lambda c, _: (step(c), None), x, None, length=4)[0])
    return f


def branches(J):
    def f(x, w):
        return J.numpy.sum(J.lax.cond(x[0, 0] > 0, lambda v: J.numpy.sin(J.numpy.sin(v @ w)), lambda v: v @ w, x))
    return f


def branches_of_several(J):
    def f(x, w):
        found = J.lax.switch(J.numpy.argmax(x[0]), [
            lambda v: J.numpy.sin(v @ w), lambda v: J.numpy.sin(J.numpy.sin(v @ w) @ w), lambda v: v], x)
        return J.numpy.sum(J.numpy.cos(found))
    return f


FUNCTIONS = [layers, loop, loop_results, jitted, within, within_dots, within_loop, branches,
             branches_of_several]
POLICIES = {
    "none": lambda P: None,
    "everything": lambda P: P.everything_saveable,
    "nothing": lambda P: P.nothing_saveable,
    "dots": lambda P: P.dots_saveable,
    "dots without batches": lambda P: P.dots_with_no_batch_dims_saveable,
    "these names": lambda P: P.save_only_these_names("y"),
    "not these names": lambda P: P.save_anything_except_these_names("y"),
    "other names": lambda P: P.save_any_names_but_these("z"),
    "both": lambda P: P.save_from_both_policies(P.dots_saveable, P.save_only_these_names("y")),
    "offload dots": lambda P: P.offload_dot_with_no_batch_dims("device", "pinned_host"),
    "offload names": lambda P: P.save_and_offload_only_these_names(
        names_which_can_be_saved=["z"], names_which_can_be_offloaded=["y"], offload_src="device", offload_dst="pinned_host"),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("make", FUNCTIONS)
def test_the_same_values_are_kept(make, policy):
    ours = saved_residuals(perspicax.checkpoint(make(perspicax), policy=POLICIES[policy](perspicax.checkpoint_policies)), X, W)
    theirs = jax_residuals(jax.checkpoint(make(jax), policy=POLICIES[policy](jax.checkpoint_policies)), X, W)
    assert sorted((r.aval.dtype.name, r.aval.shape) for r in ours) == sorted((a.dtype.name, a.shape) for a, _ in theirs)


@pytest.mark.parametrize("make", FUNCTIONS)
def test_the_same_gradients(make):
    def second(J):
        f = J.checkpoint(make(J), policy=J.checkpoint_policies.dots_saveable)
        return J.jit(J.value_and_grad(lambda w: J.numpy.sum(J.grad(f)(X, w) ** 2)))(W)

    for a, b in zip(second(perspicax), second(jax)):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5)
        assert a.weak_type == b.weak_type


@pytest.mark.parametrize("transform", [
    lambda J, f: f, lambda J, f: J.grad(f), lambda J, f: lambda x: J.linearize(f, x)[1](x),
    lambda J, f: lambda x: J.jvp(f, (x,), (x,)), lambda J, f: J.grad(J.jit(f))])
def test_the_same_equations(transform):
    def names(jaxpr):
        found = []
        for eqn in jaxpr.eqns:
            inner = [p for p in eqn.params.values() if hasattr(p, "eqns")]
            found.append((eqn.primitive.name, eqn.params.get("differentiated"), eqn.params.get("prevent_cse"),
                          [sorted(map(str, names(j))) for j in inner]))
        return found

    f = lambda J: transform(J, J.checkpoint(lambda x: J.numpy.sin(J.numpy.sin(x))))
    assert names(perspicax.make_jaxpr(f(perspicax))(1.0)) == names(jax.make_jaxpr(f(jax))(1.0))


def branch(x, n):
    return x if n > 0 else -x


PROGRAMS = {
    "weak result": lambda J: J.checkpoint(lambda x: x * 2)(3),
    "static number": lambda J: J.checkpoint(branch, static_argnums=1)(1.0, 2),
    "static, from the end": lambda J: J.checkpoint(branch, static_argnums=(-1,))(1.0, -2),
    "static, beyond": lambda J: J.checkpoint(branch, static_argnums=5)(1.0, 2),
    "static list": lambda J: J.checkpoint(lambda x, n: x * n[0], static_argnums=1)(1.0, [2]),
    "static traced": lambda J: J.grad(lambda n: J.checkpoint(lambda x, n: x * n, static_argnums=1)(1.0, n))(3.0),
    "condition": lambda J: J.checkpoint(branch)(1.0, 2),
    "condition, no jit": lambda J: J.disable_jit()(lambda: J.checkpoint(branch)(1.0, 2))(),
    "concrete": lambda J: J.checkpoint(branch, concrete=True)(1.0, 2),
    "concrete false": lambda J: J.remat(branch, concrete=False)(1.0, 2),
    "text given": lambda J: J.checkpoint(lambda x: x)("a"),
    "text returned": lambda J: J.checkpoint(lambda x: "a")(1.0),
    "no function": lambda J: J.checkpoint(3)(1.0),
    "policy is none": lambda J: J.grad(J.checkpoint(lambda x: x * x, policy=3))(1.0),
    "policy answers text": lambda J: J.grad(J.checkpoint(lambda x: J.numpy.sin(x), policy=lambda *_, **__: "x"))(1.0),
    "policy answers None": lambda J: J.grad(J.checkpoint(lambda x: J.numpy.sin(x), policy=lambda *_, **__: None))(1.0),
    "prevent_cse list": lambda J: J.checkpoint(lambda x, y: x, prevent_cse=[True, False])(1.0, 2.0),
    "prevent_cse too short": lambda J: J.checkpoint(lambda x, y: x, prevent_cse=(True,))(1.0, 2.0),
    "prevent_cse number": lambda J: J.checkpoint(lambda x: x, prevent_cse=3)(1.0),
    "prevent_cse tree": lambda J: J.grad(J.checkpoint(lambda x, y: x * y["a"], prevent_cse=(True, {"a": False})))(
        1.0, {"a": 2.0}),
    "static_argnums text": lambda J: J.checkpoint(lambda x: x, static_argnums="a")(1.0),
    "names in both": lambda J: J.checkpoint_policies.save_and_offload_only_these_names(
        names_which_can_be_saved=["a"], names_which_can_be_offloaded=["a"], offload_src="device", offload_dst="pinned_host"),
    "name of text": lambda J: J.ad_checkpoint.checkpoint_name("a", "b"),
    "residuals of no function": lambda J: J.ad_checkpoint.print_saved_residuals(3, 3.0),
    "residuals of text": lambda J: J.ad_checkpoint.print_saved_residuals(lambda x: "x", 3.0),
    "integers": lambda J: J.grad(J.checkpoint(lambda x, n: x * n))(2.0, 3),
    "closure": lambda J: J.grad(lambda w: J.checkpoint(lambda x: J.numpy.sin(x * w))(2.0))(3.0),
    "keywords": lambda J: J.grad(J.checkpoint(lambda x, *, y: x * y))(2.0, y=3.0),
    "complex": lambda J: J.grad(J.checkpoint(lambda z: (z * z).real))(np.complex64(1 + 2j)),
    "collective": lambda J: J.vmap(J.grad(J.checkpoint(lambda x: J.numpy.sin(x) * J.numpy.cos(x))))(X[0]),
    "old name": lambda J: J.ad_checkpoint.checkpoint,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name):
    from test_transform_oracle import agree

    agree(PROGRAMS[name])
