"""Products of 8-bit numbers with delayed scaling: bit for bit what Flax computes on the CPU."""
from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as their_linen
import flax.linen.fp8_ops as their_ops
import jax
import numpy as np
import pytest

import perspicax
import perspicax.flax.linen as our_linen
import perspicax.flax.linen.fp8_ops as our_ops

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Flax's own


class Side(NamedTuple):
    jax: Any
    nn: Any
    ops: Any


OURS, THEIRS = Side(perspicax, our_linen, our_ops), Side(jax, their_linen, their_ops)
X = np.random.RandomState(0).randn(4, 6).astype("float32")
CLASSES = ("Fp8DotGeneralOp", "Fp8DirectDotGeneralOp", "NANOOFp8DotGeneralOp", "Fp8Einsum")


def model_of(side: Side, name: str) -> Any:
    if name != "Fp8Einsum":
        return side.nn.Dense(3, dot_general_cls=getattr(side.ops, name))

    class Product(side.nn.Module):  # type: ignore[misc, name-defined]
        @side.nn.compact
        def __call__(self, x: Any) -> Any:
            kernel = self.param("kernel", side.nn.initializers.lecun_normal(), (6, 3))
            return side.ops.Fp8Einsum()("bi,io->bo", x, kernel)

    return Product()


def trained(side: Side, name: str, dtype: str) -> dict[str, tuple[str, np.ndarray]]:
    """Losses, parameters, scales and histories of three steps, by path."""
    model, x = model_of(side, name), side.jax.numpy.asarray(X, dtype)
    variables = model.init(side.jax.random.key(0), x)
    step = side.jax.jit(side.jax.value_and_grad(lambda v, x: (model.apply(v, x).astype("float32") ** 2).sum()))
    seen = [variables]
    for i in range(3):
        loss, grads = step(variables, x * (i + 1))
        variables = {"params": side.jax.tree.map(lambda p, g: p - 0.01 * g, variables["params"], grads["params"]),
                     "_overwrite_with_gradient": grads["_overwrite_with_gradient"]}
        seen.append((loss, variables, grads["params"]))
    leaves = side.jax.tree_util.tree_flatten_with_path(seen)[0]
    return {side.jax.tree_util.keystr(path): (str(leaf.dtype), np.asarray(leaf, "float64")) for path, leaf in leaves}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_three_training_steps_are_those_of_flax_bit_for_bit(name: str, dtype: str) -> None:
    ours, theirs = trained(OURS, name, dtype), trained(THEIRS, name, dtype)
    assert list(ours) == list(theirs)
    assert any("output_grad_scale" in path and np.any(value != 1) for path, (_, value) in ours.items())
    for path, (kind, value) in theirs.items():
        assert ours[path][0] == kind, path
        np.testing.assert_array_equal(ours[path][1], value, err_msg=path)


def functions(side: Side) -> dict[str, Any]:
    jnp, ops = side.jax.numpy, side.ops
    x, history = jnp.asarray([[1.5, -600.0], [0.1, 3.0]]), jnp.asarray([2.0, 5.0, 3.0, 7.0])
    e4m3, e5m2, one = jnp.float8_e4m3fn, jnp.float8_e5m2, jnp.ones(1)
    out, pullback = side.jax.vjp(lambda x, s, h: ops.out_qdq(jnp.float32, e5m2, x, s, h), x, one, history)
    batch = [jnp.asarray(np.random.RandomState(i).randn(*shape), "float32")
             for i, shape in enumerate([(2, 3, 4, 5), (5, 2, 4, 6)])]
    numbers = (((3, 2), (0, 2)), ((0,), (1,)))
    keep = {f"{kind}_scale": one * (2 + i) for i, kind in enumerate(("lhs", "rhs", "grad"))}
    keep |= {f"{kind}_amax_history": jnp.ones(4) * (3 + i) for i, kind in enumerate(("lhs", "rhs", "grad"))}
    product, back = side.jax.vjp(lambda a, b, keep: ops.fp8_scaled_dot_general(
        a, b, numbers, preferred_element_type=jnp.float32, **keep), *batch, keep)
    return {
        "history": ops.compute_amax_history(x, history),
        "scales": [ops.compute_scale(jnp.float32(amax), jnp.float32(2), 448.0, 1) for amax in (0.0, 5.0, np.inf)],
        "largest": [ops.get_fp8_max(e4m3, jnp.float32), ops.get_fp8_max(e5m2, jnp.float32)],
        "quantized": ops.quantize(x, e4m3, jnp.float32(2), jnp.float32),
        "rounded": ops.qdq(x, e4m3, jnp.float32(2), jnp.float32),
        "updated": ops.quantize_dequantize_update(x, e4m3, one * 2, history, jnp.float32),
        "operand": ops.in_q(jnp.float32, e4m3, x, one, history),
        "result": (out, pullback(x * 3)),
        "unscaled": ops.out_dq(jnp.float32, one * 2, one * 3, x),
        "product": (product, back(product)),
    }


def test_the_functions_are_those_of_flax_bit_for_bit() -> None:
    ours, theirs = functions(OURS), functions(THEIRS)
    for name, value in theirs.items():
        a, b = perspicax.tree_util.tree_leaves(ours[name]), jax.tree_util.tree_leaves(value)
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert str(one.dtype) == str(other.dtype), name
            np.testing.assert_array_equal(np.asarray(one, "float64"), np.asarray(other, "float64"), err_msg=name)


def test_a_type_that_is_not_of_8_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="float16 is no 8-bit floating type"):
        our_ops.quantize(perspicax.numpy.asarray(X), np.float16, perspicax.numpy.ones(()), np.float32)
    whole = perspicax.numpy.ones((4, 4), "int32")
    with pytest.raises(ValueError, match=r"int32\[4, 4\]"):
        our_linen.Fp8DotGeneralOp().init(perspicax.random.key(0), whole, whole, (((1,), (0,)), ((), ())))


def shared(side: Side, name: str) -> dict[str, Any]:
    """Loss and gradients of a layer that is called four times, whose scales and histories are of `fm32`."""
    nn, convert, fm32 = side.nn, side.jax.lax.convert_element_type, side.ops.fm32

    class Shared(nn.Module):  # type: ignore[misc, name-defined]
        @nn.compact
        def __call__(self, x: Any) -> Any:
            layer = nn.Dense(6, dot_general_cls=getattr(side.ops, name))
            loop = nn.scan(lambda layer, x, _: (layer(x), None), variable_broadcast=("params", "_overwrite_with_gradient"),
                           split_rngs={"params": False}, length=3)
            return layer(loop(layer, x, None)[0]).sum()

    variables = Shared().init(side.jax.random.key(2), X)

    def loss(variables: Any) -> Any:
        scales = side.jax.tree.map(lambda x: convert(x, fm32), variables["_overwrite_with_gradient"])
        return Shared().apply({**variables, "_overwrite_with_gradient": scales}, X)

    leaves = side.jax.tree_util.tree_flatten_with_path(side.jax.jit(side.jax.value_and_grad(loss))(variables))[0]
    return {side.jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


@pytest.mark.parametrize("name", ["Fp8DotGeneralOp", "Fp8DirectDotGeneralOp"])
def test_of_the_scales_of_a_layer_that_is_called_again_the_largest_is_left_as_in_flax(name: str) -> None:
    ours, theirs = shared(OURS, name), shared(THEIRS, name)
    assert list(ours) == list(theirs)
    for path, value in theirs.items():
        np.testing.assert_array_equal(ours[path], value, err_msg=path)


def test_derivatives_of_fm32_meet_in_the_maximum() -> None:
    jnp, convert = perspicax.numpy, perspicax.lax.convert_element_type

    def twice(x: Any) -> Any:
        shared = convert(x, our_ops.fm32)
        step = lambda c, t: (c + (convert(shared, "float32") * t).sum(), None)
        looped, _ = perspicax.lax.scan(step, 0.0, jnp.array([1., 3., -2.]))
        return looped + (convert(shared, "float32") * jnp.array([1., 5.])).sum()

    assert perspicax.jit(perspicax.grad(twice))(jnp.ones(2)).tolist() == [3., 5.]
    assert perspicax.vmap(perspicax.grad(twice))(jnp.ones((2, 2))).tolist() == [[3., 5.]] * 2
    assert our_ops.fp8_meta_dtype_wrapper(jnp.float8_e4m3fn).nothing == -448
    with pytest.raises(TypeError, match=r"float16\[2\] cannot be converted to fp8_meta32"):
        convert(jnp.ones(2, "float16"), our_ops.fm32)
