"""`jax.checkpoint`: values and derivatives are the function's own, and what is kept is what the policy says."""
from __future__ import annotations

import gc

import numpy as np
import pytest

import perspicax as px
import perspicax.ad_checkpoint as ad_checkpoint
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.api.remat import saved_residuals
from perspicax.core.printer import check_jaxpr
from perspicax.diagnose.errors import InternalError
from perspicax.errors import TracerBoolConversionError
from perspicax.transform.errors import ArgumentTypeError, ReturnedTypeError, StaticArgumentError
from perspicax.transform.remat_errors import RematOptionError, RematPolicyError, RemovedOptionError

P = px.checkpoint_policies
X, W = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), np.linspace(0.1, 0.9, 9, dtype=np.float32).reshape(3, 3)
POLICIES = {
    "none": None,
    "everything": P.everything_saveable,
    "dots": P.dots_saveable,
    "names": P.save_only_these_names("hidden"),
    "no names": P.save_anything_except_these_names("hidden"),
    "any names": P.save_any_names_but_these("other"),
    "offload": P.offload_dot_with_no_batch_dims("device", "pinned_host"),
}


def layers(x, w):
    y = ad_checkpoint.checkpoint_name(jnp.sin(x @ w), "hidden")
    return jnp.sum(jnp.sin(jnp.cos(y @ w)))


def loop(x, w):
    def body(c, scale):
        d = ad_checkpoint.checkpoint_name(jnp.sin(c @ w), "hidden")
        return d, jnp.cos(d) * scale

    return jnp.sum(lax.scan(body, x, jnp.arange(3.0))[1])


def inner_jit(x, w):
    return jnp.sum(px.jit(lambda v: jnp.sin(jnp.sin(v @ w)))(x))


def nested(x, w):
    return jnp.sum(px.checkpoint(lambda v: jnp.sin(jnp.sin(v @ w) @ w), policy=P.dots_saveable)(x))


def branches(x, w):
    found = lax.switch(jnp.argmax(x[0]), [lambda v: jnp.sin(v @ w), lambda v: v, lambda v: jnp.sin(jnp.sin(v @ w) @ w)], x)
    return jnp.sum(jnp.cos(found))


FUNCTIONS = [layers, loop, inner_jit, nested, branches]


def shapes(residuals):
    return sorted(r.aval.shape for r in residuals)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("f", FUNCTIONS)
def test_derivatives_are_those_of_the_function(f, policy):
    kept = px.checkpoint(f, policy=POLICIES[policy])
    np.testing.assert_allclose(kept(X, W), f(X, W), rtol=1e-6)
    wanted = px.jit(px.grad(f, argnums=(0, 1)))(X, W)
    for found in (px.grad(kept, argnums=(0, 1))(X, W), px.jit(px.grad(kept, argnums=(0, 1)))(X, W)):
        for a, b in zip(found, wanted):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_second_derivatives_forward_mode_and_batches(f):
    kept = px.checkpoint(f)
    second = lambda g: px.jit(px.grad(lambda w: jnp.sum(px.grad(g)(X, w) ** 2)))(W)
    np.testing.assert_allclose(second(kept), second(f), rtol=1e-4, atol=1e-5)
    push = lambda g: px.jit(lambda x: px.jvp(lambda v: g(v, W), (x,), (jnp.ones_like(x),)))(X)
    for a, b in zip(push(kept), push(f)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    batch = np.stack([X, 2 * X])
    mapped = lambda g: px.jit(px.vmap(px.grad(g), (0, None)))(batch, W)
    np.testing.assert_allclose(mapped(kept), mapped(f), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("policy", "extra"), [
    ("none", []), ("everything", [(2, 3)] * 4), ("dots", [(2, 3)] * 2), ("names", [(2, 3)]), ("no names", [(2, 3)] * 4),
    ("any names", [(2, 3)]), ("offload", [(2, 3)] * 2)])
def test_what_is_kept_is_what_the_policy_says(policy, extra):
    f = px.checkpoint(layers, policy=POLICIES[policy])
    assert shapes(saved_residuals(f, X, W)) == sorted([(2, 3), (3, 3), *extra])


def test_linearize_and_vjp_hold_no_more_than_the_arguments():
    f = px.checkpoint(lambda x: jnp.sin(jnp.sin(jnp.sin(x))))
    x = jnp.asarray(X)
    _, pull_back = px.vjp(f, x)
    assert [v is x for v in px.tree.leaves(pull_back)] == [True]
    _, push = px.linearize(f, x)
    assert [v is x for v in px.tree.leaves(push)] == [True]
    assert len(px.tree.leaves(px.vjp(lambda x: jnp.sin(jnp.sin(jnp.sin(x))), x)[1])) == 3


def test_a_policy_looks_into_loops():
    f = px.checkpoint(loop, policy=P.dots_saveable)
    assert shapes(saved_residuals(f, X, W)) == [(2, 3), (3, 2, 3), (3, 3)]


def test_a_policy_looks_into_branches_whose_values_share_their_places():
    f = px.checkpoint(branches, policy=P.dots_saveable)
    assert shapes(saved_residuals(f, X, W)) == [(2, 3), (2, 3), (2, 3), (3, 3)]


def test_a_policy_looks_into_checkpointed_functions():
    f = px.checkpoint(lambda x, w: px.checkpoint(lambda v: jnp.sin(jnp.sin(v @ w)))(x), policy=P.dots_saveable)
    assert shapes(saved_residuals(f, X, W)) == [(2, 3), (2, 3), (3, 3)]


def test_the_second_computation_stands_behind_a_barrier():
    f = lambda **options: px.jit(px.grad(px.checkpoint(layers, **options))).lower(X, W).as_text()
    assert f().count("optimization_barrier") == 1
    assert "optimization_barrier" not in f(prevent_cse=False)
    flags = f(prevent_cse=(True, False))
    line = next(line for line in flags.splitlines() if "optimization_barrier" in line)
    assert line.count("tensor<2x3xf32>") == 2  # once as operand, once as result
    assert "tensor<3x3xf32>" not in line


def test_compiled_programs_compute_twice():
    deep = lambda x: jnp.sum(jnp.tanh(jnp.exp(jnp.tanh(jnp.exp(x)))))
    count = lambda g: px.jit(px.value_and_grad(g)).lower(X).compile().as_text().count("exponential(")
    assert count(px.checkpoint(deep)) > count(px.checkpoint(deep, prevent_cse=False))


def test_less_is_kept_of_a_deep_function():
    def chain(wrap):
        def f(x):
            for _ in range(8):
                x = wrap(lambda v: jnp.sin(jnp.sin(jnp.sin(v))))(x)
            return x
        return f

    size = lambda f: sum(r.aval.size for r in saved_residuals(f, X))
    assert size(chain(lambda g: g)) == 24 * X.size
    assert size(chain(px.checkpoint)) == 8 * X.size
    assert size(px.checkpoint(chain(px.checkpoint))) == X.size


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("policy", ["none", "dots"])
def test_every_jaxpr_passes_the_checker(f, policy):
    kept = px.checkpoint(f, policy=POLICIES[policy])
    for g in (kept, px.grad(kept), px.grad(lambda x, w: jnp.sum(px.grad(kept)(x, w))), px.vmap(px.grad(kept), (0, None)),
              lambda x, w: px.linearize(kept, x, w)[1](x, w)):
        x = np.stack([X, X]) if g.__name__ == "mapped" else X
        check_jaxpr(px.make_jaxpr(g)(x, W).jaxpr)


def test_the_checker_finds_a_broken_part():
    closed = px.make_jaxpr(px.grad(px.checkpoint(layers)))(X, W)
    inner = closed.eqns[-1].params["jaxpr"].jaxpr
    del inner.eqns[0]
    with pytest.raises(InternalError):
        check_jaxpr(closed.jaxpr)


def test_staged_once_for_each_type():
    count = []

    def f(x):
        count.append(1)
        return jnp.sin(x)

    g = px.checkpoint(f)
    for call in (lambda: g(1.0), lambda: g(2.0), lambda: px.grad(g)(3.0), lambda: px.checkpoint(f)(4.0)):
        call()
    assert len(count) == 1
    g(X)
    assert len(count) == 2
    px.clear_caches()
    g(X)
    assert len(count) == 3


def test_what_a_function_closes_over_is_differentiated():
    found = px.grad(lambda w: px.checkpoint(lambda x: jnp.sin(x * w))(2.0))(3.0)
    np.testing.assert_allclose(found, 2 * np.cos(6.0), rtol=1e-5)
    again = px.grad(lambda w: px.checkpoint(lambda x: jnp.sin(x * w))(2.0))(4.0)
    np.testing.assert_allclose(again, 2 * np.cos(8.0), rtol=1e-5)


def test_nothing_is_kept_alive():
    before = len([x for x in gc.get_objects() if type(x).__name__ == "JVPTracer"])
    px.grad(lambda w: px.checkpoint(lambda x: jnp.sin(x * w))(2.0))(3.0)
    gc.collect()
    assert len([x for x in gc.get_objects() if type(x).__name__ == "JVPTracer"]) == before


def test_static_arguments():
    f = lambda x, flag, *, twice=False: (x if flag else -x) * (2.0 if twice else 1.0)
    assert float(px.checkpoint(f, static_argnums=1)(3.0, False)) == -3.0
    assert float(px.checkpoint(f, static_argnums=(-1,))(3.0, True)) == 3.0
    assert float(px.checkpoint(f, static_argnames=("flag", "twice"))(3.0, False, twice=True)) == -6.0
    assert float(px.checkpoint(lambda x, n: x * n[0], static_argnums=1)(3.0, [2.0])) == 6.0
    with pytest.raises(StaticArgumentError) as caught:
        px.checkpoint(f, static_argnums=5)(3.0, False)
    assert (caught.value.option, caught.value.given) == ("static_argnums", "5")


def test_a_condition_on_an_argument_is_reported():
    def branch(x, flag):
        return x if flag else -x

    def roll(x, n):
        return jnp.roll(x, int(n))

    with pytest.raises(TracerBoolConversionError) as caught:
        px.checkpoint(branch)(1.0, True)
    assert "while checkpoint traces `branch`" in " ".join(str(caught.value).split())
    assert "jax.checkpoint(branch, static_argnums=(1,))" in [fix.code for fix in caught.value.report.fixes]
    with pytest.raises(TypeError) as caught:
        px.checkpoint(roll)(X, 2)
    assert "jax.checkpoint(roll, static_argnums=(1,))" in [fix.code for fix in caught.value.report.fixes]

    class Model:
        def step(self, x, flag):
            return x if flag else -x

    with pytest.raises(TypeError) as caught:
        px.checkpoint(Model().step)(1.0, True)
    assert "jax.checkpoint(step, static_argnums=(1,))" in [fix.code for fix in caught.value.report.fixes]  # without `self`
    assert "jit" not in str(caught.value)


def test_policies_are_told_what_they_judge():
    asked = []

    def policy(primitive, *avals, **params):
        asked.append((primitive.name, [a.shape for a in avals], params.get("name")))
        return primitive.name == "name"

    px.grad(px.checkpoint(layers, policy=policy))(X, W)
    assert ("name", [(2, 3)], "hidden") in asked
    assert ("dot_general", [(2, 3), (3, 3)], None) in asked


def test_answers_of_policies():
    dot = px.make_jaxpr(lambda: jnp.ones((2, 3)) @ W)().eqns[-1]
    many = px.make_jaxpr(lambda x: jnp.einsum("bij,bjk->bik", x, x))(np.ones((2, 3, 3), np.float32)).eqns[-1]
    name = px.make_jaxpr(lambda x: ad_checkpoint.checkpoint_name(x, "a"))(1.0).eqns[0]
    sin = px.make_jaxpr(jnp.sin)(1.0).eqns[0]
    ask = lambda policy, eqn: policy(eqn.primitive, *[v.aval for v in eqn.invars], **eqn.params)
    assert [ask(P.dots_with_no_batch_dims_saveable, e) for e in (dot, many, sin)] == [True, False, False]
    assert [ask(P.dots_saveable, e) for e in (dot, many, sin)] == [True, True, False]
    assert [ask(P.save_only_these_names("a"), e) for e in (name, sin)] == [True, False]
    assert [ask(P.save_any_names_but_these("a"), e) for e in (name, sin)] == [False, False]
    assert [ask(P.save_anything_except_these_names("a"), e) for e in (name, sin)] == [False, True]
    both = P.save_from_both_policies(P.dots_saveable, P.save_only_these_names("a"))
    assert [ask(both, e) for e in (dot, name, sin)] == [True, True, False]
    offload = P.save_and_offload_only_these_names(names_which_can_be_saved=["b"], names_which_can_be_offloaded=["a"],
                                                  offload_src="device", offload_dst="pinned_host")
    assert ask(offload, name) == ad_checkpoint.Offloadable("device", "pinned_host")
    assert ask(offload, sin) is ad_checkpoint.Recompute
    assert P.save_only_these_names("a", "b") == P.save_only_these_names("b", "a")
    assert P.save_only_these_names("a") != P.save_any_names_but_these("a")


def test_an_answer_that_is_none():
    with pytest.raises(RematPolicyError) as caught:
        px.grad(px.checkpoint(jnp.sin, policy=lambda *_, **__: None))(1.0)
    assert (caught.value.primitive, caught.value.answer_type) == ("cos", "NoneType")
    with pytest.raises(RematPolicyError):
        px.checkpoint(jnp.sin, policy=3)


def test_options_that_do_not_fit():
    f = lambda x, y: x * y
    with pytest.raises(RematOptionError) as caught:
        px.checkpoint(f, prevent_cse=3)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(RematOptionError) as caught:
        px.checkpoint(f, prevent_cse=(True,))(1.0, 2.0)
    assert (caught.value.kind, isinstance(caught.value, ValueError)) == ("structure", True)
    with pytest.raises(RematOptionError) as caught:
        P.save_and_offload_only_these_names(names_which_can_be_saved=["a", "b"], names_which_can_be_offloaded=["b"],
                                            offload_src="device", offload_dst="pinned_host")
    assert caught.value.given == "`b`"
    with pytest.raises(RemovedOptionError) as removed:
        px.remat(f, concrete=True)
    assert (removed.value.option, isinstance(removed.value, NotImplementedError)) == ("concrete", True)
    with pytest.raises(RematOptionError):
        px.grad(px.checkpoint(lambda x: jnp.sum(jnp.sin(x @ x)), policy=P.save_from_both_policies(
            P.offload_dot_with_no_batch_dims("device", "pinned_host"), P.everything_saveable)))(W)


def test_arguments_and_results_that_are_no_arrays():
    with pytest.raises(ArgumentTypeError) as caught:
        px.checkpoint(lambda x: x)("a")
    assert caught.value.name == "x"
    with pytest.raises(ReturnedTypeError):
        px.checkpoint(lambda x: "a")(1.0)
    with pytest.raises(TypeError):
        ad_checkpoint.checkpoint_name("a", "b")


def test_the_printed_list(capsys):
    ad_checkpoint.print_saved_residuals(px.checkpoint(layers, policy=P.save_only_these_names("hidden")), X, W)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["f32[2,3] the argument x", "f32[3,3] the argument w"]
    assert lines[2].startswith("f32[2,3] named 'hidden', ")
    assert lines[2].endswith(f"test_remat.py:{layers.__code__.co_firstlineno + 1} in layers")
    ad_checkpoint.print_saved_residuals(lambda t: jnp.sum(jnp.sin(t["a"]) * X), {"a": W[:2]})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",  ")[0].split(", ")[0] for line in lines] == ["f32[2,3] a constant", "f32[2,3] the result of cos"]


def test_pytrees_and_names():
    f = px.checkpoint(lambda t, *, scale: {"out": t["a"] * scale, "none": None})
    assert px.tree.map(float, f({"a": 2.0}, scale=3.0)) == {"out": 6.0, "none": None}
    named = ad_checkpoint.checkpoint_name({"a": X, "b": 1}, "pair")
    np.testing.assert_array_equal(named["a"], X)
    assert px.vmap(lambda x: ad_checkpoint.checkpoint_name(x, "x"))(X).shape == (2, 3)
    assert float(px.grad(lambda x: ad_checkpoint.checkpoint_name(x, "x") * 2.0)(1.0)) == 2.0
    assert float(px.linear_transpose(lambda x: ad_checkpoint.checkpoint_name(x, "x") * 2.0, 1.0)(3.0)[0]) == 6.0


def test_random_keys_pass_the_barrier():
    key = px.random.key(0)
    f = px.checkpoint(lambda k, x: jnp.sum(jnp.sin(x * px.random.normal(k, (2,)))))
    found = px.jit(px.grad(f, argnums=1))(key, 2.0)
    plain = px.grad(lambda x: jnp.sum(jnp.sin(x * px.random.normal(key, (2,)))))(2.0)
    np.testing.assert_allclose(found, plain, rtol=1e-5)
