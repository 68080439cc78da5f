"""Convolutions: values against their definition, the laws of every rule, dimension numbers, padding, mistakes."""
from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import laws
import numpy as np
import pytest

from perspicax.core import dtypes
from perspicax.lax.conv_errors import ConvolutionDimensionError, ConvolutionShapeError, PaddingError
from perspicax.lax.convolution import (
    ConvDimensionNumbers,
    conv,
    conv_dimension_numbers,
    conv_general_dilated,
    conv_transpose,
    conv_with_general_padding,
    padtype_to_pads,
)
from perspicax.lax.product_errors import ProductTypeError
from perspicax.transform.grad import vjp
from perspicax.xla.dispatch import as_array

RANDOM = np.random.default_rng(0)


def array(*sizes: int, dtype: Any = np.float64) -> np.ndarray:
    return RANDOM.standard_normal(sizes).astype(dtype)


def spread(x: np.ndarray, axis: int, factor: int) -> np.ndarray:
    """Entries with `factor - 1` zeros between them."""
    n = x.shape[axis]
    sizes = list(x.shape)
    sizes[axis] = max(0, (n - 1) * factor + 1)
    out = np.zeros(sizes, x.dtype)
    out[tuple([slice(None, None, factor) if i == axis else slice(None) for i in range(x.ndim)])] = x
    return out


def direct(x: np.ndarray, k: np.ndarray, strides: Any, pads: Any, lhs_dilation: Any = None, rhs_dilation: Any = None,
           feature_groups: int = 1, batch_groups: int = 1) -> np.ndarray:
    """The definition, for arrays `[batch, feature, …]` and kernels `[output, input, …]`: loops and sums."""
    spatial = x.ndim - 2
    for i in range(spatial):
        x, k = spread(x, i + 2, (lhs_dilation or [1] * spatial)[i]), spread(k, i + 2, (rhs_dilation or [1] * spatial)[i])
        low, high = pads[i]
        border = lambda n: np.zeros([n if a == i + 2 else s for a, s in enumerate(x.shape)], x.dtype)
        x = np.concatenate([border(max(low, 0)), x, border(max(high, 0))], i + 2)
        cut = slice(max(-low, 0), x.shape[i + 2] - max(-high, 0))
        x = x[tuple([cut if a == i + 2 else slice(None) for a in range(x.ndim)])]
    sizes = [(n - w) // s + 1 for n, w, s in zip(x.shape[2:], k.shape[2:], strides)]
    batch, outputs = x.shape[0] // batch_groups, k.shape[0]
    out = np.zeros([batch, outputs, *sizes], x.dtype)
    inputs = x.shape[1] // feature_groups
    for o in range(outputs):
        group = o // (outputs // (feature_groups * batch_groups))
        features = slice(group * inputs, (group + 1) * inputs) if feature_groups > 1 else slice(None)
        rows = slice(group * batch, (group + 1) * batch) if batch_groups > 1 else slice(None)
        for place in itertools.product(*map(range, sizes)):
            window = tuple([slice(p * s, p * s + w) for p, s, w in zip(place, strides, k.shape[2:])])
            patch = x[(rows, features, *window)]
            out[(slice(None), o, *place)] = (patch * k[o]).reshape(batch, -1).sum(1)
    return out


CASES: list[tuple[str, tuple, tuple, dict]] = [
    ("plain", (2, 2, 4, 3), (2, 2, 2, 2), {"window_strides": (1, 1), "padding": ((0, 0), (0, 0))}),
    ("strides and padding", (1, 2, 5), (3, 2, 3), {"window_strides": (2,), "padding": ((1, 2),)}),
    ("dilations", (1, 2, 4), (2, 2, 2),
     {"window_strides": (2,), "padding": ((1, 0),), "lhs_dilation": (3,), "rhs_dilation": (2,)}),
    ("negative padding", (2, 1, 6), (1, 1, 2), {"window_strides": (1,), "padding": ((-1, 2),)}),
    ("feature groups", (2, 4, 4), (6, 2, 2), {"window_strides": (1,), "padding": ((0, 1),), "feature_group_count": 2}),
    ("depthwise", (1, 3, 4), (3, 1, 2), {"window_strides": (1,), "padding": ((1, 0),), "feature_group_count": 3}),
    ("batch groups", (4, 2, 4), (4, 2, 2), {"window_strides": (1,), "padding": ((0, 0),), "batch_group_count": 2}),
    ("a window that leaves entries over", (1, 1, 6), (1, 1, 2), {"window_strides": (3,), "padding": ((0, 0),)}),
    ("no spatial axes", (2, 3), (4, 3), {"window_strides": (), "padding": ()}),
]
IDS = [c[0] for c in CASES]


@pytest.mark.parametrize(("name", "left", "right", "options"), CASES, ids=IDS)
def test_values(name: str, left: tuple, right: tuple, options: dict) -> None:
    x, k = array(*left), array(*right)
    wanted = direct(x, k, options["window_strides"], options["padding"], options.get("lhs_dilation"),
                    options.get("rhs_dilation"), options.get("feature_group_count", 1),
                    options.get("batch_group_count", 1))
    with laws.double():
        np.testing.assert_allclose(np.asarray(conv_general_dilated(x, k, **options)), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "left", "right", "options"), CASES, ids=IDS)
def test_laws(name: str, left: tuple, right: tuple, options: dict) -> None:
    f = lambda x, k: conv_general_dilated(x, k, **options)
    x, k = array(*left), array(*right)
    with laws.double():
        laws.check_types(f, as_array(x), as_array(k))
        laws.check_jit(f, x, k)
        laws.check_jaxpr(f, x, k)
        laws.check_forward(f, x, k)
        laws.check_reverse(f, x, k)


@pytest.mark.parametrize(("name", "left", "right", "options"), [c for c in CASES if len(c[1]) == 3],
                         ids=[c[0] for c in CASES if len(c[1]) == 3])
def test_vmap(name: str, left: tuple, right: tuple, options: dict) -> None:
    with laws.double():
        laws.check_vmap(lambda x, k: conv_general_dilated(x, k, **options), array(*left), array(*right))


def test_laws_with_other_dimension_numbers() -> None:
    x, k = array(2, 4, 3, 2), array(2, 1, 2, 3)
    options = {"window_strides": (1, 2), "padding": "SAME", "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    f = lambda x, k: conv_general_dilated(x, k, **options)
    laws.check_all(f, x, k, order=1)
    move = lambda v, order: np.transpose(v, order)
    with laws.double():
        wanted = conv_general_dilated(move(x, (0, 3, 1, 2)), move(k, (3, 2, 0, 1)), (1, 2), "SAME")
        np.testing.assert_allclose(np.asarray(f(x, k)), move(np.asarray(wanted), (0, 2, 3, 1)), rtol=1e-12)


def test_complex_convolutions() -> None:
    x, k = array(1, 2, 4) + 1j * array(1, 2, 4), array(2, 2, 2) + 1j * array(2, 2, 2)
    with laws.double():
        found = np.asarray(conv(x, k, (1,), "VALID"))
        np.testing.assert_allclose(found, direct(x, k, (1,), ((0, 0),)), rtol=1e-9, atol=1e-12)
        laws.check_reverse(lambda x, k: conv(x, k, (1,), "VALID"), x, k)


def test_integers_are_exact() -> None:
    x, k = RANDOM.integers(-9, 9, (1, 2, 5)).astype(np.int32), RANDOM.integers(-9, 9, (2, 2, 3)).astype(np.int32)
    np.testing.assert_array_equal(np.asarray(conv(x, k, (1,), "VALID")), direct(x, k, (1,), ((0, 0),)))


def test_preferred_element_type() -> None:
    x, k = (array(*s, dtype="f").astype(dtypes.bfloat16) for s in ((1, 2, 4), (2, 2, 2)))
    f = lambda x, k: conv(x, k, (1,), "VALID", preferred_element_type=np.float32)
    wanted = direct(x.astype("f"), k.astype("f"), (1,), ((0, 0),))
    np.testing.assert_allclose(np.asarray(f(x, k)), wanted, rtol=1e-5, atol=1e-6)
    out, back = vjp(f, x, k)
    assert [ct.dtype for ct in back(np.ones(out.shape, np.float32))] == [dtypes.bfloat16] * 2


# -- dimension numbers and padding

def test_forms_of_dimension_numbers() -> None:
    plain = ConvDimensionNumbers((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3))
    shapes = (2, 4, 8, 9), (6, 4, 3, 2)
    assert conv_dimension_numbers(*shapes, None) == plain
    assert conv_dimension_numbers(*shapes, plain) is plain
    assert conv_dimension_numbers(*shapes, ("NHWC", "HWIO", "NHWC")) == ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    assert conv_dimension_numbers(*shapes, ("CXYN", "XOYI", "NXYC")) == ((3, 0, 1, 2), (1, 3, 0, 2), (0, 3, 1, 2))
    assert conv_dimension_numbers(*shapes, ["NWHC", "HWIO", "NHWC"]).lhs_spec == (0, 3, 2, 1)


@pytest.mark.parametrize(("numbers", "kind"), [
    (("NHWC", "HWIO"), "form"), (5, "form"), ((None, "HWIO", None), "form"), (("NHWC", "HWIO", "NHC"), "length"),
    (("NHWC", "HWIX", "NHWC"), "letters"), (("NHWC", "HWII", "NHWC"), "letters"), (("NHHC", "HWIO", "NHWC"), "repeated"),
    (("NHWC", "HWIO", "NXYC"), "spatial"),
])
def test_dimension_numbers_that_do_not_fit(numbers: Any, kind: str) -> None:
    with pytest.raises(ConvolutionDimensionError) as found:
        conv_dimension_numbers((2, 4, 8, 9), (6, 4, 3, 2), numbers)
    assert (found.value.kind, found.value.given) == (kind, numbers)
    assert "does not tell the axes" in str(found.value)


def test_named_padding() -> None:
    sizes, window, strides = (8, 9, 2), (3, 2, 5), (1, 2, 3)
    assert padtype_to_pads(sizes, window, strides, "SAME") == [(1, 1), (0, 1), (1, 2)]
    assert padtype_to_pads(sizes, window, strides, "same") == [(1, 1), (0, 1), (1, 2)]
    assert padtype_to_pads(sizes, window, strides, "SAME_LOWER") == [(1, 1), (1, 0), (2, 1)]
    assert padtype_to_pads(sizes, window, strides, "VALID") == [(0, 0)] * 3
    assert padtype_to_pads((0,), (2,), (2,), "SAME") == [(0, 0)]
    for given, kind in (("FULL", "name"), (4, "form")):
        with pytest.raises(PaddingError) as found:
            padtype_to_pads(sizes, window, strides, given)
        assert found.value.kind == kind
    with pytest.raises(PaddingError, match="different lengths"):
        padtype_to_pads(sizes, (3, 2), strides, "SAME")


@pytest.mark.parametrize(("size", "kernel", "stride"), list(itertools.product((5, 8), (1, 2, 3), (1, 2, 3))))
def test_same_padding_gives_one_entry_for_each_stride(size: int, kernel: int, stride: int) -> None:
    for name in ("SAME", "SAME_LOWER"):
        (low, high), = padtype_to_pads((size,), (kernel,), (stride,), name)
        assert (size + low + high - kernel) // stride + 1 == -(-size // stride)


# -- transposed convolutions

@pytest.mark.parametrize(("kernel", "stride", "padding"), list(itertools.product((1, 2, 3, 4), (1, 2, 3),
                                                                                  ("SAME", "VALID"))))
def test_a_transposed_convolution_undoes_the_shape(kernel: int, stride: int, padding: str) -> None:
    x = as_array(np.ones((1, 5, 1), np.float32))
    out = laws.jit(lambda x: conv_transpose(x, np.ones((kernel, 1, 1), "f"), (stride,), padding)).eval_shape(x)
    back = laws.jit(lambda y: conv_general_dilated(y, np.ones((kernel, 1, 1), "f"), (stride,), padding,
                                                   dimension_numbers=("NHC", "HIO", "NHC"))).eval_shape(out)
    assert back.shape == x.shape


def test_a_transposed_convolution_is_the_gradient_of_one() -> None:
    x, k = array(1, 6, 2, dtype="f"), array(3, 2, 3, dtype="f")
    forward = lambda x: conv_general_dilated(x, k, (2,), "VALID", dimension_numbers=("NHC", "HIO", "NHC"))
    out, back = vjp(forward, x)
    ct = array(*out.shape, dtype="f")
    found = conv_transpose(ct, k, (2,), "VALID", transpose_kernel=True)
    np.testing.assert_allclose(np.asarray(found), np.asarray(back(ct)[0])[:, :found.shape[1]], rtol=1e-5, atol=1e-5)


def test_paddings_of_transposed_convolutions() -> None:
    x, k = array(1, 5, 1, dtype="f"), array(4, 1, 1, dtype="f")
    own = conv_transpose(x, k, (2,), ((3, 2),))
    named = conv_transpose(x, k, (2,), "SAME")
    assert own.shape == (1, 11, 1) and named.shape == (1, 10, 1)
    consistent = conv_transpose(x, k, (2,), ((0, 1),), use_consistent_padding=True)
    np.testing.assert_array_equal(np.asarray(consistent), np.asarray(own))
    with pytest.raises(ConvolutionDimensionError, match="needs `dimension_numbers`"):
        conv_transpose(np.ones((1, 2, 2, 2, 2, 1), "f"), np.ones((1, 1, 1, 1, 1, 1), "f"), (1,) * 4, "SAME")


def test_shorter_forms() -> None:
    x, k = array(1, 2, 5, dtype="f"), array(3, 2, 2, dtype="f")
    full = conv_general_dilated(x, k, (2,), "SAME")
    np.testing.assert_array_equal(np.asarray(conv(x, k, (2,), "SAME")), np.asarray(full))
    np.testing.assert_array_equal(np.asarray(conv_with_general_padding(x, k, (2,), ((0, 1),), None, None)), np.asarray(full))


# -- mistakes

def x5() -> Any:
    return as_array(np.ones((2, 3, 5), np.float32))


def k5(outputs: int = 4, inputs: int = 3) -> Any:
    return as_array(np.ones((outputs, inputs, 2), np.float32))


MISTAKES: list[tuple[str, Callable[[], Any], type, dict]] = [
    ("other features", lambda: conv(x5(), k5(inputs=2), (1,), "SAME"), ConvolutionShapeError, {"kind": "features"}),
    ("other rank", lambda: conv(x5(), np.ones((4, 3), "f"), (1,), "SAME"), ConvolutionDimensionError, {"kind": "rank"}),
    ("other dtype", lambda: conv(x5(), np.ones((4, 3, 2), np.int32), (1,), "SAME"), ProductTypeError, {}),
    ("too many strides", lambda: conv(x5(), k5(), (1, 1), "SAME"), ConvolutionShapeError,
     {"kind": "length", "name": "window_strides"}),
    ("a stride of 0", lambda: conv(x5(), k5(), (0,), "SAME"), ConvolutionShapeError, {"kind": "positive"}),
    ("too much padding", lambda: conv(x5(), k5(), (1,), ((0, 0), (0, 0))), ConvolutionShapeError,  # type: ignore
     {"kind": "length", "name": "padding"}),
    ("a dilation of 0", lambda: conv_with_general_padding(x5(), k5(), (1,), ((0, 0),), (0,), None), ConvolutionShapeError,
     {"kind": "positive", "name": "lhs_dilation"}),
    ("too many dilations", lambda: conv_with_general_padding(x5(), k5(), (1,), ((0, 0),), None, (1, 1)),
     ConvolutionShapeError, {"kind": "length", "name": "rhs_dilation"}),
    ("padding that removes all", lambda: conv(x5(), k5(), (1,), ((-9, 0),)), ConvolutionShapeError,  # type: ignore
     {"kind": "padding"}),
    ("an unknown padding", lambda: conv(x5(), k5(), (1,), "FULL"), PaddingError, {"kind": "name"}),
    ("a number for padding", lambda: conv(x5(), k5(), (1,), 2), PaddingError, {"kind": "form"}),  # type: ignore
    ("a name for a dilated operand", lambda: conv_with_general_padding(x5(), k5(), (1,), "SAME", (2,), None),
     PaddingError, {"kind": "dilated"}),
    ("no groups", lambda: conv_general_dilated(x5(), k5(), (1,), "SAME", feature_group_count=0), ConvolutionShapeError,
     {"kind": "count", "name": "feature_group_count"}),
    ("groups that do not divide", lambda: conv_general_dilated(x5(), k5(), (1,), "SAME", feature_group_count=2),
     ConvolutionShapeError, {"kind": "groups"}),
    ("outputs that groups do not divide",
     lambda: conv_general_dilated(x5(), k5(inputs=1), (1,), "SAME", feature_group_count=3), ConvolutionShapeError,
     {"kind": "output groups", "name": "feature_group_count"}),
    ("batch groups that do not divide",
     lambda: conv_general_dilated(x5(), k5(outputs=3), (1,), "SAME", batch_group_count=3), ConvolutionShapeError,
     {"kind": "batch groups"}),
    ("groups of both", lambda: conv_general_dilated(x5(), k5(), (1,), "SAME", None, None, None, 2, 2),
     ConvolutionShapeError, {"kind": "both groups"}),
]


@pytest.mark.parametrize(("mistake", "f", "error", "facts"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_reported(mistake: str, f: Callable[[], Any], error: type, facts: dict) -> None:
    with pytest.raises(error) as found:
        f()
    assert isinstance(found.value, TypeError) and isinstance(found.value, ValueError)
    assert {name: getattr(found.value, name) for name in facts} == facts
    report = found.value.full_report  # type: ignore[attr-defined]
    assert report.says and report.why and "could not be made" not in str(report.notes)


def test_a_report_names_the_axes() -> None:
    image, kernel = x5(), k5(inputs=2)
    with pytest.raises(ConvolutionShapeError) as found:
        conv(image, kernel, (1,), "SAME")
    assert "    `image`: float32[N=2, C=3, 5]\n    `kernel`: float32[O=4, I=2, 2]" in str(found.value)
