"""Primitives of the user's own, as `jax.extend.core` and `jax.interpreters` let him define them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.api.lowering import LoweringResultError
from perspicax.core import ShapedArray
from perspicax.core.errors import RuleMissingError
from perspicax.extend.core import Primitive
from perspicax.interpreters import ad, batching, mlir, xla


@pytest.fixture
def bare() -> Primitive:
    """`x * y + z`, that only runs eagerly, and has a type."""
    primitive = Primitive("multiply_add")
    primitive.def_impl(lambda x, y, z: np.add(np.multiply(x, y), z))
    primitive.def_abstract_eval(lambda x, y, z: ShapedArray(x.shape, x.dtype))
    return primitive


@pytest.fixture
def whole(bare: Primitive) -> Iterator[Primitive]:
    """The same with all rules."""
    mlir.register_lowering(bare, mlir.lower_fun(lambda x, y, z: x * y + z, multiple_results=False))

    def jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
        x, y, z = primals
        dx, dy, dz = [ad.instantiate_zeros(t) for t in tangents]
        return bare.bind(x, y, z), bare.bind(dx, y, bare.bind(x, dy, dz))

    def transpose(ct: Any, x: Any, y: Any, z: Any) -> list[Any]:
        zero = ad.zeros_like_aval(ct.aval)
        if ad.is_undefined_primal(x):
            return [bare.bind(ct, y, zero), None, ct]
        return [None, bare.bind(x, ct, zero), ct]

    def batch(args: tuple, axes: tuple) -> tuple[Any, int]:
        size = next(x.shape[a] for x, a in zip(args, axes) if a is not None)
        return bare.bind(*[batching.bdim_at_front(x, a, size) for x, a in zip(args, axes)]), 0

    ad.primitive_jvps[bare] = jvp
    ad.primitive_transposes[bare] = transpose
    batching.primitive_batchers[bare] = batch
    yield bare


def test_a_primitive_with_all_rules_goes_through_all_transformations(whole: Primitive) -> None:
    f = whole.bind
    assert float(f(2.0, 3.0, 4.0)) == 10.0
    assert float(jax.jit(f)(2.0, 3.0, 4.0)) == 10.0
    assert [float(v) for v in jax.jvp(f, (2.0, 3.0, 4.0), (1.0, 1.0, 1.0))] == [10.0, 6.0]
    assert [float(g) for g in jax.grad(f, (0, 1, 2))(2.0, 3.0, 4.0)] == [3.0, 2.0, 1.0]
    assert [float(g) for g in jax.jit(jax.grad(f, (0, 1, 2)))(2.0, 3.0, 4.0)] == [3.0, 2.0, 1.0]
    xs = np.arange(3, dtype=np.float32)
    assert jax.vmap(f, (0, None, 0))(xs, np.float32(2), xs).tolist() == [0.0, 3.0, 6.0]
    assert jax.jit(jax.vmap(jax.grad(f)))(xs, xs, xs).tolist() == [0.0, 1.0, 2.0]
    assert [e.primitive for e in jax.make_jaxpr(f)(1.0, 1.0, 1.0).eqns] == [whole]


@pytest.mark.parametrize(
    ("use", "rule"),
    [
        (lambda p: jax.jvp(p.bind, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)), "ad.primitive_jvps[multiply_add]"),
        (lambda p: jax.vmap(p.bind)(jnp.ones(2), jnp.ones(2), jnp.ones(2)), "batching.primitive_batchers[multiply_add]"),
        (lambda p: jax.jit(p.bind)(1.0, 1.0, 1.0), "mlir.register_lowering(multiply_add"),
    ],
)
def test_a_rule_that_is_missing_is_named(bare: Primitive, use: Any, rule: str) -> None:
    with pytest.raises(NotImplementedError) as caught:
        use(bare)
    assert rule in " ".join(str(caught.value).split())


def test_a_primitive_that_has_nothing_but_a_name() -> None:
    p = Primitive("bare")
    with pytest.raises(RuleMissingError, match="def_impl"):
        p.bind(1.0)
    with pytest.raises(RuleMissingError, match="def_abstract_eval"):
        jax.make_jaxpr(p.bind)(1.0)


def test_several_results_parameters_and_apply_primitive() -> None:
    p = Primitive("powers")
    p.multiple_results = True
    p.def_abstract_eval(lambda x, *, n: [x] * n)
    p.def_impl(partial(xla.apply_primitive, p))
    mlir.register_lowering(p, mlir.lower_fun(lambda x, *, n: [lax.integer_pow(x, k) for k in range(1, n + 1)]))
    assert [float(v) for v in p.bind(3.0, n=3)] == [3.0, 9.0, 27.0]
    assert [float(v) for v in jax.jit(lambda x: p.bind(x, n=2))(3.0)] == [3.0, 9.0]
    assert str(jax.make_jaxpr(lambda x: p.bind(x, n=2))(1.0)).count("n=2") == 1


def test_lowering_rules_may_be_written_with_the_mlir_bindings() -> None:
    from perspicax.extend.mlir.dialects import stablehlo

    seen = []

    def rule(ctx: Any, x: Any, y: Any) -> list[Any]:
        seen.append((ctx.avals_in[0].shape, ctx.avals_out[0].dtype, ctx.platforms))
        return [stablehlo.add(stablehlo.multiply(x, y), mlir.ir_constant(np.full(3, 0.5, np.float32)))]

    p = Primitive("with_bindings")
    p.def_abstract_eval(lambda x, y: x)
    mlir.register_lowering(p, rule)
    xs = np.arange(3, dtype=np.float32)
    assert jax.jit(lambda x: p.bind(x, x) + p.bind(x, x))(xs).tolist() == [1.0, 3.0, 9.0]
    assert seen[0] == ((3,), np.float32, ("cpu",))

    mlir.register_lowering(p, lambda ctx, x, y: [stablehlo.slice(x, [0], [2], [1])])
    with pytest.raises(TypeError, match="promises"):
        jax.jit(lambda x: p.bind(x, x))(xs)


def test_functions_of_arrays_serve_within_rules() -> None:
    from perspicax.extend.mlir.dialects import stablehlo

    scaled = mlir.lower_fun(lambda x, y, *, k: x * y * k + jnp.arange(3.0), multiple_results=False)
    both = mlir.lower_fun(lambda x: (jnp.sin(x), x + 1), multiple_results=True)

    def rule(ctx: Any, x: Any, y: Any, *, k: float) -> Any:
        (product,) = scaled(ctx, x, y, k=k)
        (again,) = scaled(ctx, product, y, k=k)
        sine, more = both(ctx.replace(avals_in=[ctx.avals_in[0]]), again)
        return [stablehlo.add(sine, more)]

    p = Primitive("stepwise")
    p.def_abstract_eval(lambda x, y, *, k: x)
    mlir.register_lowering(p, rule)
    xs = np.arange(3, dtype=np.float32)
    again = (xs * xs * 2 + xs) * xs * 2 + xs
    expected = np.sin(again) + again + 1
    np.testing.assert_allclose(jax.jit(lambda x: p.bind(x, x, k=2.0))(xs), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda x: lax.map(lambda _: p.bind(x, x, k=2.0), xs))(xs), [expected] * 3, rtol=1e-6)

    mlir.register_lowering(p, lambda ctx, x, y, *, k: both(ctx, x))
    with pytest.raises(LoweringResultError) as caught:
        jax.jit(lambda x: p.bind(x, x, k=2.0))(xs)
    assert caught.value.kind == "operands" and len(caught.value.promised) == 2 and caught.value.got == ("tensor<3xf32>",)


def test_a_lowering_for_another_platform_does_not_serve_this_one() -> None:
    p = Primitive("elsewhere")
    p.def_abstract_eval(lambda x: x)
    mlir.register_lowering(p, mlir.lower_fun(lambda x: -x, False), platform="tpu")
    with pytest.raises(NotImplementedError):
        jax.jit(p.bind)(1.0)
    mlir.register_lowering(p, mlir.lower_fun(lambda x: x, False))
    assert float(jax.jit(p.bind)(1.0)) == 1.0


def test_linear_and_bilinear_rules() -> None:
    twice = Primitive("twice")
    twice.def_impl(lambda x: 2 * x)
    twice.def_abstract_eval(lambda x: x)
    ad.deflinear(twice, lambda ct: [twice.bind(ct)])
    batching.defvectorized(twice)
    assert float(jax.grad(lambda x: twice.bind(x) * x)(3.0)) == 12.0
    assert jax.vmap(twice.bind)(np.arange(3.0)).tolist() == [0.0, 2.0, 4.0]

    times = Primitive("times")
    times.def_impl(lambda x, y: x * y)
    times.def_abstract_eval(lambda x, y: x)
    ad.defbilinear(times, lambda ct, x, y: times.bind(ct, y), lambda ct, x, y: times.bind(x, ct))
    assert [float(g) for g in jax.grad(times.bind, (0, 1))(3.0, 4.0)] == [4.0, 3.0]


def test_derivatives_operand_by_operand() -> None:
    p = Primitive("square_sum")
    p.def_impl(lambda x, y: x * x + y)
    p.def_abstract_eval(lambda x, y: x)
    ad.defjvp(p, lambda t, x, y: 2 * x * t, None)
    assert [float(g) for g in jax.grad(p.bind, (0, 1))(3.0, 4.0)] == [6.0, 0.0]
    ad.defjvp2(p, lambda t, out, x, y: out * t, lambda t, out, x, y: t)
    assert [float(g) for g in jax.grad(p.bind, (0, 1))(3.0, 4.0)] == [13.0, 1.0]


def test_a_reducer_is_vectorised_by_moving_its_axes() -> None:
    p = Primitive("total")
    p.def_impl(lambda x, *, axes: lax.reduce_sum(x, axes))
    batching.defreducer(p)
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for axis in range(3):
        found = jax.vmap(partial(p.bind, axes=(0,)), in_axes=axis)(x)
        np.testing.assert_array_equal(found, np.moveaxis(x, axis, 0).sum(1))


def test_the_rule_tables_show_our_own_primitives_too() -> None:
    assert lax.sin_p in ad.primitive_jvps
    out, tangent = ad.primitive_jvps[lax.sin_p]((0.0,), (1.0,))
    assert (float(out), float(tangent)) == (0.0, 1.0)
    assert lax.sin_p in set(ad.primitive_jvps) and len(batching.primitive_batchers) > 50
    out, axis = batching.primitive_batchers[lax.neg_p]((jnp.ones((2, 3)),), (1,))
    assert axis == 1 and out.shape == (2, 3)
    p = Primitive("unruled")
    assert p not in ad.primitive_transposes
    with pytest.raises(KeyError):
        ad.primitive_transposes[p]
    ad.primitive_transposes[p] = lambda ct: [ct]
    assert p in ad.primitive_transposes
    del ad.primitive_transposes[p]
    assert p not in ad.primitive_transposes


def test_effects_that_depend_on_parameters_reach_the_jaxpr() -> None:
    from perspicax.extend.core import Effect

    class Noise(Effect):
        pass

    noise = Noise()
    p = Primitive("noisy")
    p.def_effectful_abstract_eval(lambda x, *, loud: (x, {noise} if loud else set()))
    assert jax.make_jaxpr(lambda x: p.bind(x, loud=True))(1.0).effects == {noise}
    assert jax.make_jaxpr(lambda x: p.bind(x, loud=False))(1.0).effects == set()


def test_primitives_by_their_names() -> None:
    from perspicax.extend.core import primitives

    @jax.jit
    def inner(x: Any) -> Any:
        return lax.scan(lambda c, v: (jnp.sin(c) * v, c), 0.5, x)[0]

    (call,) = jax.make_jaxpr(inner)(jnp.ones(3)).eqns
    loop = next(e for e in call.params["jaxpr"].eqns if e.primitive is primitives.scan_p)
    assert call.primitive is primitives.jit_p
    assert {primitives.sin_p, primitives.mul_p} <= {e.primitive for e in loop.params["jaxpr"].eqns}
    assert float(primitives.add_p.bind(jnp.float32(1), jnp.float32(2))) == 3.0
    for name in primitives.__all__:
        assert callable(getattr(primitives, name).bind), name
    assert [n for n in dir(primitives) if n[0] != "_"] == primitives.__all__
    with pytest.raises(NotImplementedError):
        print(primitives.empty2_p)


def test_a_call_of_a_jaxpr_is_what_the_jaxpr_does() -> None:
    from perspicax.extend.core.primitives import call_p, closed_call_p

    closed = jax.make_jaxpr(lambda x, y: (jnp.sin(x) * y, x + y))(1.0, 2.0)
    for primitive in (call_p, closed_call_p):
        def f(x: Any, y: Any, primitive: Any = primitive) -> Any:
            return primitive.bind(x, y, call_jaxpr=closed)

        x = np.array([0.5, 1.5], np.float32)
        for g in (jax.vmap(f), lambda x, y: [jnp.stack(v) for v in zip(f(x[0], y[0]), f(x[1], y[1]))], jax.jit(jax.vmap(f))):
            np.testing.assert_allclose(g(x, x)[0], np.sin(x) * x, rtol=1e-6)
            np.testing.assert_allclose(g(x, x)[1], x + x, rtol=1e-6)
        assert float(jax.grad(lambda x: f(x, 2.0)[0])(0.0)) == 2.0 == float(jax.jvp(lambda x: f(x, 2.0)[0], (0.0,), (1.0,))[1])
        assert [e.primitive.name for e in jax.make_jaxpr(f)(1.0, 2.0).eqns] == ["sin", "mul", "add"]
