"""`jet`: what it makes of a polynomial is what repeated differentiation along the curve gives."""
import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.api.jet_errors import JetSeriesError
from perspicax.api.jet_rules import RULES
from perspicax.core.errors import RuleMissingError
from perspicax.core.jaxpr import subjaxprs
from perspicax.core.primitive import Missing, Primitive
from perspicax.experimental.jet import jet
from perspicax.transform.errors import CustomRuleError

ORDER = 2
QUICKLY = {"compiler_options": {"xla_backend_optimization_level": 0}}  # compiling is the cost here
X = np.array([0.3, 0.7, 0.55])
SERIES = [np.array([0.9, -0.4, 0.2]), np.array([0.3, 0.8, -0.5]), np.array([-0.7, 0.1, 0.6]),
          np.array([0.2, -0.3, 0.4])]
Y = np.array([1.2, 0.4, 0.9])
Y_SERIES = [s[::-1].copy() for s in SERIES]


def along(f, order, *curves):
    """The value and the derivatives of `f` along curves, by differentiating again and again."""
    def point(t):
        return f(*[x + sum(c * t ** k / np.prod(np.arange(1., k + 1)) for k, c in enumerate(series, 1))
                   for x, series in curves])

    found, g = [], point
    for _ in range(order + 1):
        found.append(g(0.))
        g = (lambda h: lambda t: jax.jvp(h, (t,), (1.,))[1])(g)
    return found


UNARY = [
    lax.neg, lax.exp, lax.log, lax.sqrt, lax.sin, lax.cos, lax.tan, lax.sinh, lax.cosh, lax.tanh, lax.logistic, lax.sign,
    lax.floor, lax.ceil, lax.round, lax.square, lambda x: lax.integer_pow(x, 5), lambda x: lax.integer_pow(x, -3),
    lambda x: lax.integer_pow(x, 1), lambda x: lax.integer_pow(x, 0), lambda x: lax.pow(x, 2.5),
    lambda x: lax.convert_element_type(x, jnp.float32), lax.cumsum, lambda x: lax.reduce_precision(x, 11, 52),
    lax.stop_gradient, lax.asin, lax.cumprod, lax.abs,
]
BY_DERIVATIVE = [  # which are no recurrences of their own: one derivative and no more
    lax.exp2, lax.log1p, lax.expm1, lax.rsqrt, lax.cbrt, lax.acos, lax.atan, lax.asinh, lambda x: lax.acosh(x + 1), lax.atanh,
    lax.erf, lax.erfc, lax.erf_inv, lambda x: lax.pow(2.5, x), lambda x: lax.pow(x, 3), lax.cummax, lax.cumlogsumexp,
    lambda x: lax.clamp(0.2, x, 0.6),
]
LONG = [lax.lgamma, lax.bessel_i1e, lambda x: lax.igamma(1.5, x)]  # formulas of many operations
BINARY = [
    lax.add, lax.sub, lax.mul, lax.div, lax.atan2, lax.max, lax.min, lax.pow, lax.rem, lax.complex, jnp.dot, jnp.outer,
    lambda x, y: lax.select(x > 0.5, x, y), lambda x, y: jnp.concatenate([x, y]), lambda x, y: x * 2. + y[0],
    lambda x, y: lax.select(x > y, x * y, x), jnp.logaddexp, jnp.hypot, lambda x, y: 1. / (x * x) - y[1] / x,
]
STRUCTURAL = [
    jnp.sum, jnp.prod, jnp.max, jnp.min, jnp.sort, lambda x: lax.top_k(x, 2)[0], lambda x: x[::-1], lambda x: x[1:],
    lambda x: x[jnp.array([2, 0])], lambda x: lax.dynamic_slice(x, (1,), (2,)),
    lambda x: x.at[jnp.array([0])].add(x[:1] * x[1:2]),
    lambda x: x.at[1].set(x[0] ** 2), lambda x: jnp.pad(x, 1, constant_values=2.), lambda x: x.reshape(3, 1).T, jnp.cumsum,
    lambda x: jnp.linalg.det(jnp.outer(x, x) + jnp.eye(3)), lambda x: jnp.linalg.inv(jnp.outer(x, x) + jnp.eye(3)),
    lambda x: jnp.abs(jnp.fft.fft(x)), lambda x: lax.conv(x[None, None], jnp.ones((1, 1, 2)) * x[0], (1,), "VALID"),
    lambda x: jax.nn.softmax(x), lambda x: jax.nn.gelu(x), lambda x: jax.nn.relu(x - 0.4),
    lambda x: jax.scipy.special.logsumexp(x),
    lambda x: jnp.stack([x, x * x]), lambda x: lax.reduce_window(x, 0., lax.add, (2,), (1,), "VALID"),
    jax.jit(lambda x: jnp.sin(x) * x), jax.checkpoint(lambda x: jnp.sin(x) * x),
    lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), lambda x: lax.switch(1, [jnp.sin, lambda x: x * x, jnp.ones_like], x),
    lambda x: lax.scan(lambda c, a: (c * a + 1, c), x[0], x),
    lambda x: lax.scan(lambda c, _: (c * x, None), x, None, length=3)[0],
    lambda x: lax.fori_loop(0, 3, lambda i, v: v * x[i], x), lambda x: lax.map(jnp.sin, x),
    lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x))[1],
    lambda x: lax.associative_scan(jnp.multiply, x), lambda x: jax.vmap(lambda v: v * x)(x),
    lambda x: jax.grad(lambda v: jnp.sum(jnp.sin(v) * v ** 3))(x),
    lambda x: lax.custom_root(lambda r: r ** 3 - x[0], x[0] * 0 + 1., lambda f, g: lax.stop_gradient(x[0]) ** (1 / 3),
                              lambda g, b: b / g(jnp.ones_like(b))),
    lambda x: lax.custom_linear_solve(lambda v: v * 2., x, lambda m, b: b / 2.),
]


def compare(functions, *curves, order=ORDER):
    with jax.enable_x64(True):
        curves = [(jnp.asarray(x), series[:order]) for x, series in curves]
        found = jax.jit(lambda: [jet(f, [x for x, _ in curves], [s for _, s in curves]) for f in functions], **QUICKLY)()
        wanted = jax.jit(lambda: [along(f, order, *curves) for f in functions], **QUICKLY)()
    for i, ((value, series), derivatives) in enumerate(zip(found, wanted)):
        columns = [[leaf, *rest] for leaf, rest in zip(
            jax.tree.leaves(value), jax.tree.leaves(series, is_leaf=lambda s: isinstance(s, list)))]
        for k, derivative in enumerate(derivatives):
            for column, expected in zip(columns, jax.tree.leaves(derivative), strict=True):
                np.testing.assert_allclose(column[k], expected, rtol=1e-8, atol=1e-8, err_msg=f"function {i}, order {k}")


def test_functions_of_one_entry():
    compare(UNARY, (X, SERIES))


def test_functions_that_are_expanded_by_their_derivative():
    compare(BY_DERIVATIVE, (X, SERIES), order=1)


def test_recurrences_of_higher_order():
    compare([lax.exp, lax.log, lax.tanh, lax.sin, lambda x: lax.integer_pow(x, -2), lambda x: lax.rsqrt(x) * x, lax.asin],
            (X, SERIES), order=4)


def test_long_formulas():
    compare(LONG, (X, SERIES))


def test_functions_of_two_operands():
    compare(BINARY, (X, SERIES), (Y, Y_SERIES))


def test_what_holds_several_entries_or_functions():
    compare(STRUCTURAL, (X, SERIES))


def test_every_rule_is_asked_by_the_functions_above():
    def primitives(jaxpr):
        for eqn in jaxpr.eqns:
            yield eqn.primitive
            for sub in subjaxprs(eqn):
                yield from primitives(sub)

    seen = set()
    for functions, count in ((UNARY, 1), (BINARY, 2), (STRUCTURAL, 1)):
        for f in functions:
            seen |= set(primitives(jax.make_jaxpr(f)(*[jnp.asarray(X)] * count).jaxpr))
    names = {p.name for p in RULES} - {p.name for p in seen}
    rare = {"add_any", "conj", "copy", "device_put", "eq", "eq_to", "ge", "is_finite", "le", "le_to", "lt", "lt_to", "ne",
            "argmax", "argmin", "real", "imag", "scatter-sub", "split", "tile", "unstack", "concatenate", "stack",
            "stop_gradient"}
    assert names <= rare


def test_a_polynomial_of_a_polynomial_has_its_coefficients():
    value, series = jet(lambda x: x ** 3, (2.,), ((1., 0., 0.),))
    assert (value, series) == (8., [12., 12., 6.])


def test_unscaled_coefficients():
    value, series = jet(lambda x: x ** 3, (2.,), ((1., 0., 0.),), factorial_scaled=False)
    assert (value, series) == (8., [12., 6., 1.])


def test_results_keep_their_structure_and_types():
    x = jnp.ones(2)
    value, series = jet(lambda x: {"a": x * 2, "n": x > 0, "c": 3.0}, (x,), ((x, x),))
    assert {k: [c.shape for c in v] for k, v in series.items()} == {"a": [(2,)] * 2, "n": [(2,)] * 2, "c": [()] * 2}
    assert [c.dtype for c in series["n"]] == [np.float32] * 2 and value["n"].dtype == bool
    assert float(series["a"][1][0]) == 2 and float(series["n"][0][0]) == 0


def test_a_rule_of_the_users_is_the_derivative():
    @jax.custom_jvp
    def f(x):
        return x * x

    @f.defjvp
    def _(primals, tangents):
        return f(*primals), 3. * primals[0] * tangents[0]

    assert jet(f, (2.,), ((1., 0.),)) == (4., [6., 3.])
    assert jet(jax.jit(f), (2.,), ((1., 0.),)) == (4., [6., 3.])


def test_a_rule_of_the_users_does_not_know_what_its_function_closes_over():
    def outer(y):
        f = jax.custom_jvp(lambda x: x * y)
        f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
        return f(y)

    with pytest.raises(CustomRuleError):
        jet(outer, (2.,), ((1.,),))


def test_custom_vjp_is_expanded_by_its_operations():
    f = jax.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct,))
    assert jet(f, (2.,), ((1., 0.),)) == (4., [4., 2.])


def test_jet_within_other_transformations():
    third = lambda x: jet(jnp.sin, (x,), ((1., 0., 0.),))[1][2]
    x = jnp.array([0.1, 0.2])
    np.testing.assert_allclose(jax.vmap(third)(x), -np.cos(x), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(third)(0.5), np.sin(0.5), rtol=1e-6)
    assert jax.jit(third)(0.5) == pytest.approx(-np.cos(0.5))


def test_a_callback_cannot_be_expanded():
    def f(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), np.float32), x)

    with pytest.raises(Exception) as caught:
        jet(f, (1.,), ((1.,),))
    assert "pure_callback" in str(caught.value)


def test_a_primitive_without_derivative_says_so():
    p = Primitive("no_derivative", type_rule=lambda x: x, jvp=Missing("it has none"), transpose=Missing(""), batch=Missing(""),
                  emit=lambda b, x: x)
    with pytest.raises(RuleMissingError, match="it has none"):
        jet(p, (1.,), ((1.,),))


@pytest.mark.parametrize(("primals", "series", "kind"), [
    (1., ((1.,),), "sequence"), ((1.,), 1., "sequence"), ((1.,), (1.,), "sequence"), ((1.,), (), "count"),
    ((1., 2.), ((1.,), (1., 2.)), "lengths"), (({"a": 1.},), ((1.,),), "pytree"), ((1.,), (({"a": 1.},),), "pytree"),
    ((1,), ((1.,),), "integer"), ((np.ones(2),), ((np.ones(3),),), "type"),
    ((np.ones(2, np.float32),), ((np.ones(2, np.float16),),), "type"),
])
def test_series_that_do_not_fit(primals, series, kind):
    with pytest.raises(JetSeriesError) as caught:
        jet(lambda x, y=0.: x, primals, series)
    assert caught.value.kind == kind
    assert str(caught.value)
