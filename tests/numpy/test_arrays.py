"""Making arrays: what they are made of, memory of their own, and that tracing records what eager evaluation makes."""
from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest

import perspicax.numpy as jnp
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.core.tracer_errors import ConcretizationTypeError
from perspicax.diagnose.facade import UnknownNameError
from perspicax.lax.convert import convert_element_type_p
from perspicax.numpy.errors import NotArrayLikeError, NotConvertibleError
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap


def jit(f: Any) -> JitFunction:
    return JitFunction(f, JitOptions())


def names(f: Any, *args: Any) -> list[str]:
    """The primitives that tracing records."""
    outs = stage_flat(lambda *xs: [f(*xs)], [get_aval(x) for x in args])
    return [e.primitive.name for e in outs.eqns]


def test_a_numpy_array_is_copied() -> None:
    given = np.ones(3, np.float32)
    for make in (jnp.array, jnp.asarray):
        made = make(given)
        given[0] = 7
        assert made[0] == 1
        given[0] = 1


def test_an_array_is_copied_when_asked() -> None:
    x = jnp.ones(3)
    assert jnp.asarray(x) is x
    copied = jnp.array(x)
    x.delete()
    assert copied.sum() == 3


def test_values_cannot_be_written_through_numpy() -> None:
    for x in (jnp.ones(3), jnp.arange(3), jnp.array([1, 2]), jnp.asarray(np.ones(2))):
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(x)[0] = 5


class Colour(enum.IntEnum):
    RED = 3


class Wrapped:
    def __jax_array__(self) -> Any:
        return jnp.ones(2)


class Described:
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.arange(2.)


@pytest.mark.parametrize(("given", "shape", "dtype"), [
    (Colour.RED, (), "int32"), (Wrapped(), (2,), "float32"), (Described(), (2,), "float32"), (range(3), (3,), "int32"),
    (memoryview(b"ab"), (2,), "uint8"), ([[1, 2], (3, 4)], (2, 2), "int32"), ([np.arange(2), [1, 2]], (2, 2), "int32"),
    ([Wrapped(), [1, 2]], (2, 2), "float32"), (np.array([1, 2.5], object), (2,), "float32"), ([[], []], (2, 0), "float32"),
])
def test_what_arrays_are_made_of(given: Any, shape: tuple, dtype: str) -> None:
    made = jnp.array(given)
    assert (made.shape, str(made.dtype)) == (shape, dtype)


@pytest.mark.parametrize(("given", "kind"), [
    (None, "none"), ([1, None], "none"), ("abc", "type"), (["a"], "type"), ({"a": 1}, "type"), (object(), "type"),
    ([1, [2, 3]], "ragged"),
])
def test_what_they_cannot_be_made_of(given: Any, kind: str) -> None:
    with pytest.raises(NotConvertibleError) as caught:
        jnp.array(given)
    assert caught.value.kind == kind


def test_lists_are_no_operands() -> None:
    for f in (lambda: jnp.sum([1, 2]), lambda: jnp.ones(2) + [1, 2], lambda: [1, 2] @ jnp.ones(2)):
        with pytest.raises(NotArrayLikeError):
            f()


def test_creation_is_recorded_while_tracing() -> None:
    x = np.ones(3, np.float32)
    assert names(lambda v: jnp.zeros((2, 3)) + v, x) == ["broadcast_in_dim", "broadcast_in_dim", "add"]
    assert names(lambda v: jnp.arange(3) + v, x) == ["iota", "convert_element_type", "add"]
    assert names(lambda v: jnp.array([1., 2., 3.]) + v, x) == ["add"]


def test_traced_and_eager_creation_agree() -> None:
    for make in (lambda: jnp.zeros((2, 3), int), lambda: jnp.full(3, 2.5), lambda: jnp.eye(3, 4, 1),
                 lambda: jnp.arange(2, 9, 3), lambda: jnp.arange(0, 1, .3), lambda: jnp.tri(3, k=-1),
                 lambda: jnp.linspace(0, 1, 4), lambda: jnp.ones(())):
        traced, eager = jit(make)(), make()
        assert (traced.dtype, traced.weak_type) == (eager.dtype, eager.weak_type)
        np.testing.assert_array_equal(np.asarray(traced), np.asarray(eager))


def test_a_list_with_traced_entries() -> None:
    found = jit(lambda v: jnp.array([[v, 1.], [2., v]]))(3.)
    np.testing.assert_array_equal(np.asarray(found), [[3, 1], [2, 3]])


def test_results_whose_size_depends_on_values() -> None:
    x = jnp.array([1., 0., 2.])
    for f in (jnp.nonzero, jnp.where, jnp.argwhere, jnp.flatnonzero, lambda v: jnp.bincount(v.astype(int)),
              lambda v: jnp.repeat(v, v.astype(int)), lambda v: jnp.compress(v, v)):
        with pytest.raises(ConcretizationTypeError):
            jit(f)(x)
    np.testing.assert_array_equal(np.asarray(jit(lambda v: jnp.nonzero(v, size=4, fill_value=9)[0])(x)), [0, 2, 9, 9])
    counts = jnp.array([1, 0, 2])
    repeated = jit(lambda v, n: jnp.repeat(v, n, total_repeat_length=4))(x, counts)
    np.testing.assert_array_equal(np.asarray(repeated), [1, 2, 2, 2])


def test_traced_indices_of_insertion_deletion_and_rolls() -> None:
    x = jnp.arange(5.)
    for i in (0, 2, -1):
        np.testing.assert_array_equal(np.asarray(jit(jnp.delete)(x, i)), np.delete(np.arange(5.), i))
        np.testing.assert_array_equal(np.asarray(jit(jnp.insert)(x, i, 9.)), np.insert(np.arange(5.), i, 9.))
        np.testing.assert_array_equal(np.asarray(jit(jnp.roll)(x, i)), np.roll(np.arange(5.), i))


def test_functions_under_vmap() -> None:
    x = jnp.arange(12.).reshape(3, 4) - 5
    for f in (lambda v: jnp.sort(v)[::-1], jnp.cumsum, lambda v: v.mean(), lambda v: jnp.where(v > 0, v, -v), jnp.median,
              lambda v: jnp.einsum("i,j->ij", v, v), lambda v: jnp.take(v, jnp.array([1, 0])), jnp.diag,
              lambda v: jnp.pad(v, 1),
              lambda v: jnp.nonzero(v, size=3)[0], lambda v: jnp.searchsorted(jnp.arange(3.), v), lambda v: jnp.roll(v, 1)):
        np.testing.assert_allclose(np.asarray(vmap(f)(x)), np.stack([np.asarray(f(row)) for row in x]), rtol=1e-6)


def test_sizes_that_are_equal_to_integers_are_none() -> None:
    x = jnp.ones((2, 3))
    assert x.reshape(3, 2).shape == (3, 2)
    with pytest.raises(TypeError):
        x.reshape(3., 2)
    assert jnp.sum(x, 1).shape == (2,)
    jnp.zeros((2, 3))
    with pytest.raises(TypeError):
        jnp.zeros((2., 3))


def test_negative_zero_is_kept_apart_from_zero() -> None:
    x = jnp.array([1., -1.])
    assert not np.signbit(np.asarray(x * 0 + 0.0)).any()
    assert np.signbit(np.asarray(jnp.copysign(x, -0.0))).all()
    assert not np.signbit(np.asarray(jnp.copysign(x, 0.0))).any()


def test_a_python_integer_that_fits_the_array_but_not_int32() -> None:
    """Differs: JAX refuses every Python integer beyond int32, also where the array's dtype holds it."""
    mask = jnp.array([1, 2], "uint32") & 0xffffffff
    np.testing.assert_array_equal(np.asarray(mask), [1, 2])
    for _ in range(2):  # whether a plan is kept makes no difference
        with pytest.raises(OverflowError):
            jnp.arange(3) + 2**40
    np.testing.assert_array_equal(np.asarray(jnp.ones(2) + 2**40), np.float32([1 + 2**40] * 2))


def test_names_that_are_not_there() -> None:
    with pytest.raises(UnknownNameError):
        _ = jnp.kaisers
    assert not hasattr(jnp, "kaisers")


def test_what_has_the_dtype_already_is_returned_as_it_is() -> None:
    x = jnp.ones(3)
    convert_element_type_p(x, new_dtype=np.dtype(np.float32), weak_type=False)  # so that there is a kernel
    assert x.astype("float32") is x and jnp.astype(x, np.float32) is x and x.astype("int32").dtype == np.int32
