"""Foreign functions: calls of LAPACK's by name, under all transformations, registration, and lowering rules."""
from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np
import pytest

import perspicax as jax
from perspicax import ffi
from perspicax.core import ShapedArray
from perspicax.extend.core import Primitive
from perspicax.interpreters import mlir
from perspicax.lax.foreign_attributes import Attributes, as_attribute, attributes_text
from perspicax.lax.foreign_errors import ForeignCallError, ForeignTransformError

S = jax.ShapeDtypeStruct
A = np.array([[4.0, 1.0], [1.0, 3.0]], np.float32)
LOWER = np.uint8(ord("L"))


def factor(x: Any, name: str = "lapack_spotrf_ffi", **options: Any) -> Any:
    """The Cholesky factor by LAPACK, with what stands above the diagonal as it was."""
    call = ffi.ffi_call(name, [S((2, 2), np.float32), S((), np.int32)], input_layouts=[(1, 0)], output_layouts=[(1, 0), None],
                        input_output_aliases={0: 0}, **options)
    return call(x, uplo=LOWER)


def lower(x: Any) -> np.ndarray:
    return np.tril(np.asarray(x))


def test_a_foreign_function_runs_eagerly_and_in_programs() -> None:
    expected = np.linalg.cholesky(A)
    for wrap in (lambda f: f, jax.jit):
        found, info = wrap(factor)(A)
        np.testing.assert_allclose(lower(found), expected, rtol=1e-6)
        assert info == 0 and type(wrap(factor)(A)) is list
    assert factor(-A)[1] == 1


@pytest.mark.parametrize("method", ["sequential", "sequential_unrolled", "expand_dims", "broadcast_all", "legacy_vectorized"])
def test_vmap_calls_it_as_the_method_says(method: str) -> None:
    stack = np.stack([A, 2 * A, A + np.eye(2, dtype=np.float32)])
    found, info = jax.vmap(lambda x: factor(x, vmap_method=method), in_axes=1)(np.moveaxis(stack, 0, 1))
    np.testing.assert_allclose(lower(found), np.linalg.cholesky(stack), rtol=1e-6)
    assert info.tolist() == [0, 0, 0]


def test_transformations_that_cannot_see_into_it() -> None:
    with pytest.raises(ForeignTransformError) as caught:
        jax.vmap(factor)(np.stack([A, A]))
    assert (caught.value.kind, caught.value.target) == ("vmap", "lapack_spotrf_ffi")
    assert isinstance(caught.value, NotImplementedError)
    for call in (lambda: jax.grad(lambda x: factor(x)[0].sum())(A), lambda: jax.jvp(lambda x: factor(x)[0], (A,), (A,))):
        with pytest.raises(ForeignTransformError) as caught:
            call()
        assert caught.value.kind == "derivative"
    assert jax.grad(lambda x: factor(jax.lax.stop_gradient(x))[0].sum() + x.sum())(A).tolist() == [[1, 1], [1, 1]]


def test_effects_keep_a_call_that_nothing_reads() -> None:
    def program(effect: bool) -> str:
        call = ffi.ffi_call("t", (), has_side_effect=effect)
        return jax.jit(lambda x: (call(x), x)[1]).lower(A).as_text()

    assert "stablehlo.custom_call" in program(True) and "stablehlo.custom_call" not in program(False)


@pytest.mark.parametrize("value, text", [
    (True, "true"), (3, "3 : i64"), (np.uint8(3), "3 : ui8"), ("q\"\n", '"q\\22\\0A"'), (b"ab", '"ab"'),
    ((1, "a"), '[1 : i64, "a"]'), ({"k": {"l": 1}}, "{k = {l = 1 : i64}}"), (np.dtype(np.float32), "f32"),
    (2.5, "0x4004000000000000 : f64"), (np.float32(1), "0x3F800000 : f32"),
    (np.array([True, False]), "dense<[true, false]> : tensor<2xi1>"),
    (np.zeros((0,)), "dense<> : tensor<0xf64>"), (np.ones(3, np.int16), "dense<1> : tensor<3xi16>"),
    (np.uint64(2**64 - 1), "18446744073709551615 : ui64")])
def test_attributes_in_the_program(value: Any, text: str) -> None:
    made = as_attribute(value, "a", "t")
    assert hash(made) == hash(as_attribute(value, "a", "t")) and made == as_attribute(value, "a", "t")
    assert attributes_text(Attributes([("a", made)])) == f"a = {text}"


@pytest.mark.parametrize("mistake", [
    lambda: ffi.ffi_call("t", S((2,), np.float32), vmap_method="all"), lambda: ffi.ffi_call("t", 3),
    lambda: ffi.ffi_call("t", S((2,), np.float32), input_layouts=[(0, 1), (0, 1)])(A),
    lambda: ffi.ffi_call("t", S((2,), np.float32), input_layouts=[(0, 0)])(A),
    lambda: ffi.ffi_call("t", S((2,), np.float32), input_output_aliases={0: 0})(A),
    lambda: ffi.ffi_call("t", S((2, 2), np.float32), input_output_aliases={0: 1})(A),
    lambda: ffi.ffi_call("t", S((2,), np.float32), legacy_backend_config="a"),
    lambda: ffi.ffi_call("t", S((2,), np.float32), custom_call_api_version=2)(A, k=1),
    lambda: ffi.ffi_call("t", S((2,), np.float32))(A, k=None), lambda: ffi.ffi_call("t", S((2,), np.float32))(A, k=1j),
    lambda: ffi.ffi_call("t", S((2,), np.float32))(A, k=2**70), lambda: ffi.pycapsule("printf"), lambda: ffi.pycapsule(0),
    lambda: ffi.register_ffi_target("t", 3), lambda: ffi.register_ffi_type("t", {}), lambda: ffi.register_ffi_type_id("t", 3),
    lambda: ffi.ffi_lowering("t", called_computations=[])])
def test_descriptions_that_cannot_be_followed(mistake: Any) -> None:
    with pytest.raises(ForeignCallError):
        jax.jit(lambda: mistake())()


def test_what_is_not_registered_is_told_by_the_compiler() -> None:
    with pytest.raises(jax.errors.JaxRuntimeError, match="no_such_target"):
        ffi.ffi_call("no_such_target", S((2,), np.float32))(A)


def test_a_handler_of_the_users_own() -> None:
    factor(A)  # LAPACK's functions are found and initialised
    from jaxlib import lapack

    handler = next(h for name, h, _ in lapack.registrations()["cpu"] if name == "lapack_spotrf_ffi")
    ffi.register_ffi_target("own_cholesky", handler)
    np.testing.assert_allclose(lower(factor(A, "own_cholesky")[0]), np.linalg.cholesky(A), rtol=1e-6)
    printf = ctypes.CDLL(None).printf
    assert type(ffi.pycapsule(printf)).__name__ == "PyCapsule"
    assert os.path.exists(os.path.join(ffi.include_dir(), "xla", "ffi", "api", "c_api.h"))


def test_a_lowering_rule_that_calls_a_foreign_function() -> None:
    primitive = Primitive("own_factor")
    primitive.multiple_results = True
    primitive.def_abstract_eval(lambda x, *, uplo: [ShapedArray(x.shape, x.dtype), ShapedArray((), np.dtype(np.int32))])
    mlir.register_lowering(primitive, ffi.ffi_lowering("lapack_spotrf_ffi", operand_layouts=[(0, 1)],
                                                       result_layouts=[(0, 1), ()], operand_output_aliases={0: 0}))
    found, info = jax.jit(lambda x: primitive.bind(x, uplo=LOWER))(A)
    np.testing.assert_allclose(lower(found), np.linalg.cholesky(A), rtol=1e-6)
    assert info == 0
