"""The public functions around the transformations: their options, what they return, and reports of wrong arguments."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.api.errors import (
    ArgumentNumberError,
    JacobianError,
    JitOptionError,
    NotCallableError,
    PlacementError,
    ScopeNameError,
)
from perspicax.diagnose.errors import PerspicaxError
from perspicax.transform.errors import StaticArgumentError


def scaled(x: Any, n: int = 2, *, shift: float = 0.0) -> Any:
    """x, n times."""
    return x * n + shift


# -- jit

def test_jit_is_a_decorator_with_and_without_options() -> None:
    assert float(jax.jit(scaled)(3.0)) == 6.0
    made = jax.jit(static_argnums=1)(scaled)
    assert float(made(3.0, 4)) == 12.0
    decorated = partial(jax.jit, static_argnames=("n",))(scaled)
    assert float(decorated(3.0, n=5)) == 15.0
    assert float(decorated(3.0, 5, shift=1.0)) == 16.0
    assert decorated.__name__ == "scaled" and decorated.__doc__ == "x, n times."
    assert inspect.signature(decorated) == inspect.signature(scaled)
    assert isinstance(decorated, jax.stages.Wrapped)


def test_jit_takes_numpy_integers_and_generators_of_names() -> None:
    assert float(jax.jit(scaled, static_argnums=np.int64(1))(3.0, 4)) == 12.0
    assert float(jax.jit(scaled, static_argnames=(n for n in ["n"]))(3.0, n=4)) == 12.0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"static_argnums": 7}, StaticArgumentError, "`static_argnums` names 7"),
        ({"static_argnames": "m"}, StaticArgumentError, "no such parameter"),
        ({"static_argnums": "n"}, JitOptionError, "names go into `static_argnames`"),
        ({"static_argnums": 1.0}, JitOptionError, "a position of an argument"),
        ({"donate_argnums": ("x",)}, JitOptionError, "`donate_argnames`"),
        ({"static_argnames": 1}, JitOptionError, "positions go into `static_argnums`"),
        ({"donate_argnames": (0,)}, JitOptionError, "positions go into `donate_argnums`"),
        ({"compiler_options": 3}, JitOptionError, "a dict of names and values"),
        ({"device": 3, "backend": "cpu"}, JitOptionError, "without `backend`"),
        ({"static_argnums": 0, "donate_argnums": 0}, StaticArgumentError, "static and donated"),
    ],
)
def test_options_of_jit_are_checked_when_it_is_applied(options: dict, error: type[PerspicaxError], words: str) -> None:
    with pytest.raises(error) as caught:
        jax.jit(scaled, **options)
    assert words in " ".join(str(caught.value).split())
    with pytest.raises(error):
        jax.jit(**options)(scaled)


@pytest.mark.parametrize("transform", [jax.jit, jax.grad, jax.vmap, jax.make_jaxpr, jax.jacfwd, jax.jacrev, jax.hessian,
                                       jax.value_and_grad, jax.eval_shape, jax.named_call], ids=lambda t: t.__name__)
def test_what_is_no_function_is_refused_at_once(transform: Callable[..., Any]) -> None:
    with pytest.raises(NotCallableError) as caught:
        transform(3.0)
    assert caught.value.transform == transform.__name__
    assert isinstance(caught.value, TypeError)
    assert f"`{transform.__name__}` takes a function, not a float: 3.0." in str(caught.value)
    assert "not " + transform.__name__ + "(f(x))" in str(caught.value), "the usual slip is named"


@pytest.mark.parametrize("apply", [lambda: jax.jvp(3, (1.0,), (1.0,)), lambda: jax.vjp(3, 1.0), lambda: jax.linearize(3, 1.0)])
def test_functions_that_are_applied_at_once_must_be_functions(apply: Callable[[], Any]) -> None:
    with pytest.raises(NotCallableError):
        apply()


class Model:
    rate = 3.0

    @partial(jax.jit, static_argnums=0)
    def step(self, x: Any, *, by: Any = 1.0) -> Any:
        """One step."""
        return x * self.rate + by


def test_a_jitted_method_is_bound_with_all_that_jit_offers() -> None:
    model = Model()
    assert float(model.step(2.0)) == 7.0
    assert float(model.step(2.0, by=0.5)) == 6.5
    assert "stablehlo" in model.step.lower(2.0).as_text()
    assert float(model.step.lower(2.0).compile()(2.0)) == 7.0
    assert [e.primitive.name for e in model.step.trace(2.0).jaxpr.eqns] == ["mul", "add"]
    assert model.step.eval_shape(2.0) == jax.ShapeDtypeStruct((), np.float32, weak_type=True)
    assert list(inspect.signature(model.step).parameters) == ["x", "by"]
    assert model.step.__doc__ == "One step." and model.step.__name__ == "step"
    assert model.step == model.step != Model().step
    assert model.step.__wrapped__(2.0) == 7.0
    assert float(jax.grad(model.step)(2.0)) == 3.0
    assert Model.step.__get__(None, Model) is Model.step


# -- staging

def test_make_jaxpr_gives_types_and_statics() -> None:
    made = jax.make_jaxpr(scaled, static_argnums=1, return_shape=True)
    jaxpr, shape = made(np.ones(3, np.float32), 2)
    assert [v.aval.str_short() for v in jaxpr.jaxpr.invars] == ["float32[3]"]
    assert shape == jax.ShapeDtypeStruct((3,), np.float32)
    assert made.__name__ == "make_jaxpr(scaled)"
    assert str(jax.make_jaxpr(lambda x: x * 2)(3.0)) == "{ lambda ; a:f32[]. let b:f32[] = mul a 2.0:f32[] in (b,) }"
    with pytest.raises(StaticArgumentError):
        jax.make_jaxpr(scaled, static_argnums=9)(1.0)


def test_eval_shape_computes_nothing_and_takes_whatever_has_a_shape_and_a_dtype() -> None:
    class Announced:
        shape, dtype = (10**9, 4), np.dtype("float32")

    found = jax.eval_shape(lambda x, w: {"y": x * 2, "w": w}, Announced(), w=1.0)
    assert found == {"y": jax.ShapeDtypeStruct((10**9, 4), np.float32),
                     "w": jax.ShapeDtypeStruct((), np.float32, weak_type=True)}


def test_constants_are_evaluated_while_jit_traces() -> None:
    kinds = []

    @jax.jit
    def f(x: Any) -> Any:
        with jax.ensure_compile_time_eval():
            known = lax.mul(np.float32(2.0), np.float32(3.0))
            traced = lax.add(x, np.float32(1.0))
            inner = jax.jit(lambda y: y * 2.0)(np.float32(4.0))
        kinds.extend([float(known), float(inner), isinstance(traced, jax.core.Tracer)])
        return traced * known

    assert float(f(2.0)) == 18.0
    assert kinds == [6.0, 8.0, True]


@jax.ensure_compile_time_eval()
def half(x: Any) -> Any:
    return lax.div(x, np.float32(2.0))


def test_ensure_compile_time_eval_decorates_and_ends_with_its_block() -> None:
    assert float(jax.jit(lambda x: x * float(half(np.float32(3.0))))(2.0)) == 3.0
    names = [e.primitive.name for e in jax.make_jaxpr(lambda x: (half(x), lax.neg(np.float32(1.0))))(1.0).eqns]
    assert names == ["div", "neg"], "after the block, operations on known values are traced again"


def test_named_scopes_take_names_only() -> None:
    with jax.named_scope("layer"):
        pass

    @jax.named_scope("layer")
    def f(x: Any) -> Any:
        return x

    assert f(2) == 2
    assert jax.named_call(scaled, name="mine")(2.0) == 4.0
    for wrong in (lambda: jax.named_scope(3), lambda: jax.named_call(scaled, name=3)):
        with pytest.raises(ScopeNameError):
            wrong()


def test_typeof_is_the_type_that_jaxprs_show() -> None:
    assert jax.typeof(np.ones((2, 3), np.float32)).str_short() == "float32[2,3]"
    assert jax.typeof(1.0).weak_type
    with pytest.raises(TypeError):
        jax.typeof("text")


# -- jacobians

def test_jacobians_of_pytrees() -> None:
    def f(p: Any) -> Any:
        return {"a": p["u"] * 2.0, "b": p["v"] * p["v"]}

    point = {"u": np.array([1.0, 2.0], np.float32), "v": np.float32(3.0)}
    for jacobian in (jax.jacfwd, jax.jacrev, jax.jacobian):
        found = jacobian(f)(point)
        np.testing.assert_array_equal(found["a"]["u"], 2 * np.eye(2, dtype=np.float32))
        np.testing.assert_array_equal(found["a"]["v"], np.zeros(2))
        np.testing.assert_array_equal(found["b"]["u"], np.zeros(2))
        assert float(found["b"]["v"]) == 6.0


def test_the_jacobian_of_an_integer_has_no_values() -> None:
    dx, dn = jax.jacrev(lambda x, n: x * n, argnums=(0, 1), allow_int=True)(jnp.array([1.0, 2.0]), 3)
    np.testing.assert_array_equal(dx, 3 * np.eye(2))
    assert (dn.dtype, dn.shape) == (jax.float0, (2,))


@pytest.mark.parametrize("jacobian", [jax.jacfwd, jax.jacrev])
def test_argnums_of_jacobians(jacobian: Callable[..., Any]) -> None:
    x, y = np.array([1.0, 2.0], np.float32), np.float32(3.0)
    both = jacobian(lambda x, y, k=1.0: k * x * y, argnums=(0, -1))(x, y, k=1.0)
    assert isinstance(both, tuple)
    np.testing.assert_array_equal(both[0], 3 * np.eye(2))
    np.testing.assert_array_equal(both[1], x)
    assert isinstance(jacobian(lambda x, y: x * y, argnums=(1,))(x, y), tuple)
    np.testing.assert_array_equal(jacobian(lambda x, y: x * y, argnums=-1)(x, y), x)
    value, aux = jacobian(lambda x: (x * 2.0, {"seen": x}), has_aux=True)(x)
    np.testing.assert_array_equal(value, 2 * np.eye(2))
    np.testing.assert_array_equal(aux["seen"], x)
    np.testing.assert_array_equal(jax.jit(jacobian(lambda x: x * x))(x), np.diag([2.0, 4.0]))


def test_hessian_is_symmetric_and_right() -> None:
    x = np.array([1.0, 2.0, -1.0], np.float32)

    found = np.asarray(jax.hessian(lambda x: lax.reduce_sum(x * x * x, (0,)))(x))
    np.testing.assert_allclose(found, np.diag(6 * x))


def test_jacobians_of_complex_functions() -> None:
    z = np.complex64(1 + 2j)
    for jacobian in (jax.jacfwd, jax.jacrev):
        assert complex(jacobian(lambda z: z * z, holomorphic=True)(z)) == 2 + 4j


@pytest.mark.parametrize(
    ("compute", "kind"),
    [
        (lambda: jax.jacfwd(lambda x: x * 2)(1), "integer"),
        (lambda: jax.jacrev(lambda x: x * 2)(1), "integer"),
        (lambda: jax.jacrev(lambda x: lax.convert_element_type(x, np.int32))(1.0), "integer"),
        (lambda: jax.jacrev(lambda x: lax.complex(x, x))(1.0), "complex"),
        (lambda: jax.jacfwd(lambda x: x)(1j), "complex"),
        (lambda: jax.jacfwd(lambda x: x, holomorphic=True)(1.0), "real"),
        (lambda: jax.jacrev(lambda x: lax.real(x), holomorphic=True)(1j), "real result"),
    ],
)
def test_what_has_no_jacobian_is_explained(compute: Callable[[], Any], kind: str) -> None:
    with pytest.raises(JacobianError) as caught:
        compute()
    assert caught.value.kind == kind
    assert isinstance(caught.value, TypeError)


def test_a_jacobian_of_an_argument_that_is_not_there() -> None:
    with pytest.raises(ArgumentNumberError) as caught:
        jax.jacfwd(lambda x: x, argnums=3)(1.0)
    assert (caught.value.number, caught.value.count) == (3, 1)
    assert "the call has 1 positional argument." in " ".join(str(caught.value).split())


# -- placement (several devices: test_devices.py)

def test_device_put_makes_arrays_and_leaves_them_where_they_are() -> None:
    given = np.arange(3.0)
    x = jax.device_put(given)
    given[0] = 9
    assert x.dtype == np.float32 and x.tolist() == [0.0, 1.0, 2.0] and not x.committed
    assert jax.device_put(x) is x
    assert x.unsafe_buffer_pointer()
    placed = jax.device_put({"a": 1.0, "b": [x, None]}, jax.devices()[0])
    assert placed["a"].weak_type and placed["a"].committed and placed["b"][1] is None
    assert placed["b"][0].unsafe_buffer_pointer() == x.unsafe_buffer_pointer()
    assert jax.device_put(x, jax.devices()[0], may_alias=False).unsafe_buffer_pointer() != x.unsafe_buffer_pointer()


def test_device_put_is_traced_differentiated_and_vectorised() -> None:
    device = jax.devices()[0]
    assert [e.primitive.name for e in jax.make_jaxpr(lambda x: jax.device_put(x, device))(1.0).eqns] == ["device_put"]
    assert float(jax.grad(lambda x: jax.device_put(x * 3.0, device) * x)(2.0)) == 12.0
    assert jax.vmap(lambda x: jax.device_put(x, device))(np.arange(3)).tolist() == [0, 1, 2]
    value, tangent = jax.jvp(lambda x: jax.device_put((x, 2 * x), device), (3.0,), (1.0,))
    assert (float(value[1]), float(tangent[1])) == (6.0, 2.0)


@pytest.mark.parametrize(
    ("x", "device", "kind"),
    [
        ({"w": "text"}, None, "value"),
        (1.0, 3, "place"),
        (1.0, "cpu", "platform"),
        ({"a": 1.0}, {"b": None}, "tree"),
    ],
)
def test_device_put_explains_what_it_cannot_place(x: Any, device: Any, kind: str) -> None:
    with pytest.raises(PlacementError) as caught:
        jax.device_put(x, device)
    assert caught.value.kind == kind
    if kind == "value":
        assert "`x['w']`" in str(caught.value)


def test_donating_and_sharing_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="donate=True"):
        jax.device_put(jnp.ones(2), donate=True, may_alias=True)


def test_device_get_and_waiting_leave_other_leaves_alone() -> None:
    found = jax.device_get({"a": jnp.ones(2), "b": "text", "c": None, "d": np.float32(1), "e": 3})
    assert type(found["a"]) is np.ndarray and type(found["d"]) is np.ndarray
    assert found["b"] == "text" and found["e"] == 3 and type(found["e"]) is int
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(jax.device_get)(1.0)
    tree = {"a": jnp.ones(2), "b": "text"}
    assert jax.block_until_ready(tree) is tree
    assert jax.copy_to_host_async(tree) is tree


def test_live_arrays_are_those_that_hold_memory() -> None:
    x = jax.device_put(np.full(5, 7.0), jax.devices()[0])
    assert any(y is x for y in jax.live_arrays())
    x.delete()
    assert not any(y is x for y in jax.live_arrays("cpu"))
    with pytest.raises(RuntimeError):
        jax.live_arrays("nowhere")


def test_constants_that_are_kept_for_later_are_no_live_arrays() -> None:
    before = {id(x) for x in jax.live_arrays()}
    x = jax.numpy.arange(3.0)
    y = x * 41.5 + 17.25
    assert {id(z) for z in jax.live_arrays()} - before == {id(x), id(y)}


def test_clear_caches_lets_functions_be_traced_again() -> None:
    count = []
    f = jax.jit(lambda x: count.append(1) or x)
    f(1.0), f(1.0)
    assert len(count) == 1
    jax.clear_caches()
    f(1.0)
    assert len(count) == 2


# -- tracebacks

@pytest.mark.parametrize("call", [
    lambda: jax.jit(scaled, static_argnums=9),
    lambda: jax.grad(lambda x: x)(np.ones(2, np.float32)),
    lambda: jax.vmap(lambda x: x)(1.0),
    lambda: jax.vjp(lambda x: x, 1.0)[1](1),
    lambda: jax.linearize(lambda x: x, 1.0)[1](1),
    lambda: lax.add(np.ones(2), np.ones(3)),
    lambda: jax.device_put("text"),
    lambda: jax.jit(lambda x: lax.add(x, np.ones(3)))(np.ones(2)),
])
def test_errors_leave_with_the_users_frames_only(call: Callable[[], Any]) -> None:
    with pytest.raises(PerspicaxError) as caught:
        call()
    files = {entry.frame.code.path.name for entry in caught.traceback}
    assert files == {"test_api.py"}, files


# -- annotations and names

def test_arrays_and_tracers_are_arrays() -> None:
    seen = []
    jax.jit(lambda x: seen.append(isinstance(x, jax.Array)) or x)(1.0)
    assert seen == [True]
    assert isinstance(jnp.ones(1), jax.Array) and not isinstance(np.ones(1), jax.Array)
    assert isinstance(1.0, jax.typing.ArrayLike) and isinstance(np.ones(1), jax.typing.ArrayLike)
    assert not isinstance("text", jax.typing.ArrayLike)


def test_dtypes_are_those_of_the_reference() -> None:
    import ml_dtypes

    assert jax.dtypes.bfloat16 is ml_dtypes.bfloat16
    assert jax.dtypes.issubdtype(jnp.bfloat16, np.floating)
    assert jax.dtypes.canonicalize_dtype(np.float64) == np.float32
    assert jax.float0 == jax.dtypes.float0


def test_the_version_is_that_of_the_project() -> None:
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert jax.__version__ in (project["version"], "0.10.2")  # the latter where `install` was called
    assert jax.version.__version__ == "0.10.2"
