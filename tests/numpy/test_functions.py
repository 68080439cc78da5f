"""Values of the functions of `jax.numpy` against NumPy's."""
from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((4, 3)).astype(np.float32)
V = X[0]
GAPS = X.copy()
GAPS[0, 0] = np.nan
GAPS[1] = np.nan
I = np.array([-7, 7, 0, 5], np.int32)
J = np.array([2, -3, 4, -5], np.int32)


def close(found: Any, wanted: Any) -> None:
    if isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted):
            close(a, b)
        return
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=2e-5, atol=1e-6)


def compare(name: str, *args: Any, **kwargs: Any) -> None:
    """The same call on both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, for slices of nothing but NaN
        wanted = getattr(np, name)(*args, **kwargs)
    close(getattr(jnp, name)(*args, **kwargs), wanted)


UNARY = "floor ceil trunc rint fabs sign square exp sin arctan isnan isfinite signbit deg2rad sinc cbrt expm1 reciprocal " \
        "positive negative spacing".split()
BINARY = "add subtract multiply divide floor_divide remainder fmod power maximum minimum fmax fmin hypot arctan2 copysign " \
         "heaviside logaddexp logaddexp2 nextafter greater equal".split()


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(name: str) -> None:
    compare(name, X)


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arrays(name: str) -> None:
    compare(name, np.abs(X) + .5, V + 3)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "bitwise_and", "bitwise_xor", "maximum", "logical_and",
                                  "divmod"])
def test_functions_of_integers(name: str) -> None:
    compare(name, I, J)


def test_powers_and_shifts_of_integers() -> None:
    compare("power", I, np.abs(J))
    compare("left_shift", I, np.abs(J))
    compare("right_shift", I, np.abs(J))


SPECIAL = np.array([0., -0., 1., -1., 2.5, -2.5, np.inf, -np.inf, np.nan, 1e-40, 3e38], np.float32)


@pytest.mark.parametrize("name", ["remainder", "fmod", "logaddexp", "hypot", "fmax", "copysign", "maximum"])
def test_special_values(name: str) -> None:
    """Infinities, NaN and signed zeros; subnormal numbers aside, which XLA takes for 0."""
    values = SPECIAL[np.abs(SPECIAL) != np.float32(1e-40)]
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(values[:, None], values[None])
    np.testing.assert_allclose(np.asarray(getattr(jnp, name)(values[:, None], values[None])), wanted, rtol=1e-6)


def test_mantissa_and_exponent() -> None:
    values = np.array([0., 1., -2.5, 1e-30, 3e38, np.inf], np.float32)
    compare("frexp", values)
    mantissa, exponent = np.frexp(values)
    close(jnp.ldexp(mantissa, exponent), values)
    compare("modf", X)


REDUCTIONS = ["sum", "prod", "mean", "max", "min", "var", "std", "ptp", "all", "any", "median"]


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(axis: Any, keepdims: bool) -> None:
    for name in REDUCTIONS:
        compare(name, X, axis=axis, keepdims=keepdims)
        close(getattr(jnp, name)(jnp.asarray(X), axis=axis, keepdims=keepdims),
              getattr(np, name)(X, axis=axis, keepdims=keepdims))  # by the kept plan, once there is one


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_reductions_without_nan(axis: Any) -> None:
    for name in ("nansum", "nanprod", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd", "nanmedian"):
        compare(name, GAPS, axis=axis, keepdims=True)


def test_masks_and_initial_values() -> None:
    for name in ("sum", "prod"):
        compare(name, X, axis=0, where=X > 0, initial=2.)
    compare("max", X, where=X > 0, initial=-5., axis=1)
    compare("mean", X, where=X > 0)
    compare("average", X, axis=1, weights=np.arange(3.))


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf"])
def test_quantiles(method: str) -> None:
    for axis, q in itertools.product([None, 0, (0, 1)], [.35, np.array([.1, .55, 1.], np.float32)]):
        compare("quantile", X, q, axis=axis, method=method)
    compare("nanquantile", GAPS, .4, axis=0)
    compare("median", GAPS, axis=0)


def test_running_sums() -> None:
    for axis in (None, 0, 1):
        compare("cumsum", X, axis)
        compare("cumprod", X, axis)
    compare("diff", X)
    compare("diff", X, 2, 0)
    compare("ediff1d", V)


def test_shapes() -> None:
    for args in [((3, 4),), (-1,), ((2, -1, 3),)]:
        compare("reshape", X, *args)
    close(jnp.reshape(X, (3, 4), order="F"), np.reshape(X, (3, 4), order="F"))
    for axis in (None, 0, 1):
        compare("flip", X, axis)
        compare("roll", X, 1, axis)
        compare("roll", X, -5, axis)
        compare("repeat", X, 2, axis)
        compare("append", X, X, axis)
        compare("delete", X, 1, axis)
        compare("insert", X, 1, 7., axis)
    compare("roll", X, (1, 2), (0, 0))
    compare("repeat", X, np.array([1, 0, 2, 1]), 0)
    for k in range(4):
        compare("rot90", X, k)
    for n in (2, (2,), (2, 3), (3, 1, 2)):
        compare("tile", X, n)
    compare("resize", X, (5, 4))
    compare("array_split", X, 3)
    compare("column_stack", [V, V])
    compare("dstack", [V, V])
    compare("hstack", [X, X])
    compare("block", [[X, X], [X, X]])
    compare("trim_zeros", np.array([0, 0, 1, 2, 0], np.float32))


def test_insertion_and_deletion() -> None:
    compare("delete", X, slice(0, 3, 2), 0)
    compare("delete", X, np.array([0, 3, -2]), 0)
    compare("insert", X, np.array([1, 3]), np.array([[1.], [2.]], np.float32), 0)
    compare("insert", X, 1, np.array([5., 6, 7], np.float32), 0)
    compare("insert", X, 1, np.array([5., 6, 7, 8], np.float32), 1)
    compare("insert", V, slice(0, 2), 9.)
    compare("insert", V, np.array([1, 1]), np.array([8., 9.], np.float32))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum", "mean",
                                  "median"])
def test_padding(mode: str) -> None:
    for width in (1, (1, 2), ((1, 2), (0, 3)), ((7, 3), (2, 9))):
        compare("pad", X, width, mode)
    if mode in ("reflect", "symmetric"):
        compare("pad", X, ((7, 3), (2, 9)), mode, reflect_type="odd")


def test_padding_by_a_function() -> None:
    def ends(vector: Any, widths: tuple[int, int]) -> np.ndarray:
        found = np.array(vector)
        found[:widths[0]], found[len(found) - widths[1]:] = 7, 8
        return found

    def in_place(vector: np.ndarray, widths: tuple[int, int], axis: int, options: dict) -> None:
        vector[:] = ends(vector, widths)

    close(jnp.pad(X, 1, lambda v, widths, axis, options: ends(v, widths)), np.pad(X, 1, in_place))


def test_diagonals() -> None:
    for k in (-2, 0, 1):
        for name, args in (("diagonal", (X,)), ("diag", (V,)), ("diag", (X,)), ("trace", (X,)), ("tril", (X,)), ("triu", (X,)),
                           ("eye", (3, 4)), ("tri", (3, 4))):
            compare(name, *args, k)
    compare("diag_indices", 3)
    compare("tril_indices", 3, 1)
    compare("triu_indices", 3, 0, 4)


def test_grids() -> None:
    compare("meshgrid", V, V[:2])
    compare("meshgrid", V, V[:2], indexing="ij", sparse=True)
    compare("indices", (2, 3))
    for args in ((0, 1, 5), (0, 1, 1), (3, -2, 4, False)):
        close(jnp.linspace(*args), np.linspace(*args).astype(np.float32))
    for args in ((5,), (1, 9, 3), (9, 0, -2), (0., 1., .3)):
        close(jnp.arange(*args), np.arange(*args))


def test_selection() -> None:
    compare("take", X, np.array([0, 2]), 1)
    compare("take", X, np.array([[0, -1]]), 0)
    compare("take", X, 5)
    compare("take_along_axis", X, np.argsort(X, 0), 0)
    compare("take_along_axis", X, np.argsort(X, 1)[:, :1], 1)
    compare("select", [X > 0, X < -1], [X, -X], 5.)
    compare("choose", np.array([0, 1, 1]), [V, -V])
    compare("clip", X, -.5, .5)
    compare("where", X > 0, X, 0)
    compare("compress", np.array([True, False, True]), X, 1)
    compare("extract", X > 0, X)
    compare("piecewise", X, [X < 0, X > 1], [lambda v: -v, lambda v: v ** 2, 3])


def test_search() -> None:
    whole = RANDOM.integers(-2, 3, (4, 3)).astype(np.float32)
    for axis in (None, 0, -1):
        compare("argmax", whole, axis)
        compare("argmin", whole, axis, keepdims=True)
        compare("sort", whole, axis)
        close(jnp.argsort(whole, axis), np.argsort(whole, axis, kind="stable"))
    close(jnp.argsort(whole, descending=True), np.argsort(-whole, kind="stable"))
    compare("nonzero", whole)
    compare("argwhere", whole)
    compare("lexsort", [whole[:, 0], whole[:, 1]])
    compare("nanargmax", np.where(np.isnan(GAPS), np.nan, GAPS)[[0, 2, 3]], 0)
    numbers = RANDOM.integers(0, 5, 10)
    compare("bincount", numbers)
    compare("bincount", numbers, minlength=9)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_at_every_length(side: str) -> None:
    limits = np.sort(RANDOM.integers(0, 9, 7)).astype(np.float32)
    values = RANDOM.integers(-1, 11, (3, 4)).astype(np.float32)
    for n in (0, 1, 2, 7):
        compare("searchsorted", limits[:n], values, side)
    compare("searchsorted", np.array([0, 1, np.nan, np.nan], np.float32), np.array([np.nan, 0, 2], np.float32), side)
    compare("digitize", values, limits, side == "left")
    compare("digitize", values, limits[::-1], side == "left")


EINSUMS = [
    ("ij,jk->ik", (4, 3), (3, 5)), ("ij,jk->ki", (4, 3), (3, 5)), ("ij,kj", (4, 3), (5, 3)), ("ii", (3, 3)),
    ("iij->ij", (3, 3, 2)), ("iji->j", (3, 2, 3)), ("ij->", (3, 4)), ("i,j->ij", (3,), (4,)), ("i,i->i", (3,), (3,)),
    ("ij,k->k", (3, 4), (2,)), ("...ij,jk->...ik", (2, 4, 3), (3, 5)), ("...i,...i->...", (2, 1, 3), (4, 3)),
    ("ij,jk,kl->il", (4, 3), (3, 5), (5, 2)), ("bqhd,bkhd->bhqk", (2, 4, 3, 5), (2, 6, 3, 5)), ("ij,jk->ik", (4, 1), (3, 5)),
    ("a,ab,abc->abc", (2,), (2, 3), (2, 3, 4)), ("ijk,ijl,ikm->lm", (2, 3, 4), (2, 3, 5), (2, 4, 6)),
    ("i...->...i", (2, 3, 4)), ("abcd->dbca", (2, 3, 4, 5)), ("i,ij,j", (3,), (3, 4), (4,)),
]


@pytest.mark.parametrize("call", EINSUMS, ids=lambda call: call[0])
def test_einsum(call: tuple) -> None:
    subscripts, *shapes = call
    xs = [RANDOM.standard_normal(s).astype(np.float32) for s in shapes]
    wanted = np.einsum(subscripts, *xs)
    for optimize in ("auto", False) if len(xs) > 2 else ("auto",):
        np.testing.assert_allclose(np.asarray(jnp.einsum(subscripts, *xs, optimize=optimize)), wanted, rtol=1e-4, atol=1e-4)


LEFT = [(3,), (4, 3), (2, 4, 3), (1, 4, 3), (5, 1, 4, 3), (1, 1, 4, 3)]
RIGHT = [(3,), (3, 6), (2, 3, 6), (1, 3, 6), (5, 2, 3, 6)]


@pytest.mark.parametrize("left", LEFT)
def test_matmul_of_every_rank(left: tuple) -> None:
    for right in RIGHT:
        a, b = [RANDOM.standard_normal(s).astype(np.float32) for s in (left, right)]
        wanted = np.matmul(a, b)
        for _ in range(2):  # the second time by the kept plan
            found = jnp.matmul(jnp.asarray(a), jnp.asarray(b))
            assert found.shape == wanted.shape
            np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-4, atol=1e-5)


def test_products() -> None:
    a, b = [RANDOM.standard_normal(s).astype(np.float32) for s in ((2, 3, 4), (2, 4, 3))]
    for name, args in (("dot", (a, b)), ("tensordot", (a, b, [(1, 2), (2, 1)])), ("kron", (a, b[:, :1])), ("inner", (a, a)),
                       ("outer", (V, V)), ("vdot", (a, a)), ("cross", (X, V))):
        found, wanted = getattr(jnp, name)(*args), getattr(np, name)(*args)
        assert found.shape == np.shape(wanted)
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", [lambda x: x.view(np.int32), lambda x: x.view(np.uint8), lambda x: x.astype(np.complex64),
                                    lambda x: x.byteswap().byteswap(), lambda x: x.flatten("F"), lambda x: x.T.copy()])
def test_methods_agree_with_numpy(change: Callable[[Any], Any]) -> None:
    found, wanted = change(jnp.asarray(X)), change(X)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_array_equal(np.asarray(found), wanted)


@pytest.mark.parametrize("wrong", [lambda x: x + np.ones(2), lambda x: np.ones(2) - x, lambda x: x + "a", lambda x: ~x,
                                   lambda x: x & 1, lambda x: x < [1]])
def test_errors_of_operators_show_only_the_users_frames(wrong: Callable[..., Any]) -> None:
    with pytest.raises(TypeError) as caught:
        wrong(jnp.ones(3))
    assert [entry.path.name for entry in caught.traceback] == ["test_functions.py"] * 2


@pytest.mark.parametrize("function", [
    jnp.median, jnp.angle, jnp.nan_to_num, jnp.poly, jnp.frexp, lambda x: jnp.polyval(x, x), lambda x: jnp.ldexp(x, 1),
    lambda x: jnp.quantile(x, .3), lambda x: jnp.copysign(x, -1), px.grad(lambda x: jnp.cumprod(x).sum()), px.grad(jnp.ptp),
])
def test_arrays_of_64_bits_while_these_are_switched_off(function):
    numbers = np.array([.5, 2., 1.5])
    with px.enable_x64(True):
        wide = jnp.asarray(numbers)
    for x in (numbers, wide):
        found, wanted = function(x), function(numbers.astype(np.float32))
        assert (x is wide) or [v.dtype for v in px.tree.leaves(found)] == [v.dtype for v in px.tree.leaves(wanted)]
        for a, b in zip(px.tree.leaves(found), px.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_halves_between_entries_go_to_the_lower_one_as_in_jax() -> None:
    close(jnp.quantile(np.arange(4, dtype=np.float32), .5, method="nearest"), np.float32(1))


def test_quantiles_and_edges_have_the_dtype_of_the_data() -> None:
    x, share = jnp.arange(5, dtype="bfloat16"), jnp.array([.3])
    assert jnp.quantile(x, share).dtype == jnp.percentile(x, share).dtype == x.dtype
    assert jnp.histogram(x, jnp.arange(3.))[1].dtype == x.dtype
    assert not jnp.median(jnp.zeros((2, 0), int), axis=0).weak_type


def test_nan_of_16_bits_is_last_and_once_among_unique_entries() -> None:
    x = np.array([1, np.nan, 2, np.nan, 0], np.float32)
    close(jnp.unique(x.astype(jnp.bfloat16)).astype(np.float32), np.array([0, 1, 2, np.nan], np.float32))
    rows = np.array([[np.nan, 1], [1, 2], [np.nan, 1]], np.float32)
    close(jnp.unique(rows, axis=0), np.array([[1, 2], [np.nan, 1]], np.float32))
    close(jnp.setxor1d(x, x[:2]), np.array([0, 2, np.nan, np.nan], np.float32))


def test_complex_numbers_off_the_real_axis_are_true() -> None:
    x = np.array([0, 1j, 1], np.complex64)
    close(jnp.asarray(x).astype(bool), np.array([False, True, True]))


def test_what_is_inserted_becomes_of_the_array_s_dtype() -> None:
    close(jnp.insert(np.array([True, False]), 1, 5), np.array([True, True, False]))
    close(jnp.insert(np.arange(3, dtype=np.int32), 1, 2.5), np.array([0, 2, 1, 2], np.int32))


def test_parts_of_complex_numbers_are_rounded_apart() -> None:
    close(jnp.round(np.array([1.26 + 1j * np.inf], np.complex64), 1), np.array([1.3 + 1j * np.inf], np.complex64))


def test_the_spacing_of_zero_is_the_smallest_number() -> None:
    for dtype in (np.float32, jnp.bfloat16):
        smallest = np.array([1], np.uint32 if dtype == np.float32 else np.uint16)
        found = np.asarray(jnp.spacing(np.zeros(1, dtype))).view(smallest.dtype)
        np.testing.assert_array_equal(found, smallest)


def test_complex_numbers_are_found_by_their_real_then_their_imaginary_parts() -> None:
    x = np.array([0, 1j, 1, 1 + 2j, 3], np.complex64)
    close(jnp.searchsorted(x, x, side="right"), np.arange(1, 6, dtype=np.int32))


@pytest.mark.parametrize("name", ["vstack", "hstack", "dstack"])
def test_arrays_given_one_by_one_are_proposed_as_a_list(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        getattr(jnp, name)(jnp.ones(3), jnp.ones(3))
    assert f"jnp.{name}([x, y])" in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_corners_of_pad_where_and_counts():
    assert np.asarray(jnp.pad(jnp.float32(2), 0)) == np.asarray(px.lax.pad(jnp.float32(2), np.float32(0), ())) == 2
    for mode in ("mean", "edge", "wrap"):
        assert jnp.pad(jnp.zeros((0, 3)), ((0, 0), (1, 1)), mode=mode).shape == (0, 5)
    with pytest.raises(ValueError, match="stat_length=0"):
        jnp.pad(jnp.ones(3), 1, mode="mean", stat_length=0)
    with px.numpy_rank_promotion("raise"):  # JAX lets these through
        assert jnp.where(jnp.ones((2, 3), bool), jnp.ones((2, 3)), jnp.zeros(3)).shape == (2, 3)
    with px.enable_x64(True):
        assert jnp.bincount(jnp.array([0, 1, 1])).dtype == np.int64
    assert jnp.unique(jnp.zeros(0), size=0).shape == (0,)
    with pytest.raises(ValueError, match="size=2"):
        jnp.unique(jnp.zeros(0), size=2)


def test_complex_logarithms_of_zero_and_infinity_keep_their_angle():
    z = np.array([0j, complex("inf"), complex("-inf"), 3 - 4j], np.complex64)
    for ours, numpys in ((jnp.log2, np.log2), (jnp.log10, np.log10)):
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(np.asarray(ours(z)), numpys(z), rtol=1e-6)


def test_floats_of_8_bits_without_infinity_have_extremes_and_spacings():
    x = jnp.array([1., 2., -3., np.nan]).astype("float8_e4m3fn")
    assert [float(jnp.nanmax(x)), float(jnp.nanmin(x))] == [2., -3.]
    assert jnp.spacing(x).astype(float)[:3].tolist() == [.125, .25, .25]
    largest = jnp.finfo(x.dtype).max
    assert np.isnan(float(jnp.spacing(jnp.asarray(largest, x.dtype))))


@pytest.mark.parametrize("dtype", ["int4", "uint4"])
def test_medians_of_integers_of_4_bits(dtype):
    found = jnp.median(jnp.array([1, 4, 2, 7]).astype(dtype))
    assert (found.dtype, float(found)) == (np.float32, 3.)


def test_views_as_complex_numbers_take_pairs():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(jnp.asarray(x).view("complex64"), x.view(np.complex64))
    assert jnp.asarray(x.view(np.int8)).view("complex64").shape == (3, 2)


def test_means_in_integers():
    x = np.array([[250, 3, 7], [1, 2, 255]], np.uint8)
    assert np.asarray(jnp.mean(x, dtype="int8")) == np.mean(x, dtype=np.int8) == 1
    assert jnp.mean(jnp.array([-3, -4]), dtype="int32").tolist() == -3
    assert jnp.mean(x, 1, dtype="int16", where=x > 2).tolist() == [86, 255]


def test_conditions_longer_than_the_axis():
    x = jnp.arange(3.)
    assert jnp.compress(jnp.array([True, False, True, False, False]), x).tolist() == [0., 2.]
    with pytest.raises(ValueError, match="5 entries for an axis of size 3"):
        jnp.compress(jnp.ones(5, bool), x)


def test_complex_numbers_become_real_with_a_word():
    x = jnp.array([1 + 2j, 2j])
    with pytest.warns(DeprecationWarning, match="imaginary"):
        assert x.astype(float).tolist() == [1., 0.]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x.astype(bool).tolist() == [True, True]


@pytest.mark.parametrize(("call", "says"), [
    (lambda x: jnp.expand_dims(x, None), "None as an axis"),
    (lambda x: jnp.permute_dims(x, None), "None as an axis"),
    (lambda x: jnp.tril(x, 2.), "2.0"),
    (lambda x: jnp.eye(3, k=2.), "2.0"),
    (lambda x: jnp.trace(x, .5), "0.5"),
    (lambda x: jnp.diagonal(x, jnp.float32(1)), r"float32\[\]"),
    (lambda x: jnp.take_along_axis(x, jnp.zeros((2, 2), int), 1), "x"),
    (lambda x: jnp.lexsort((x[0], jnp.arange(2))), r"float32\[3\], int32\[2\]"),
    (lambda x: jnp.mgrid[0:3:0], "jnp.mgrid"),
    (lambda x: jnp.fft.fft(x, axis=3), "jnp.fft.fft"),
    (lambda x: jnp.vectorize(lambda a, b: a, signature="(n),(m)->(n)")(x, None), "None as argument 1"),
    (lambda x: px.test_util.check_grads(lambda i: 2 * i, (jnp.arange(3),), 1), "no argument of floating"),
    (lambda x: x.__dlpack__(max_version=(0, 1)), "version 0.1"),
])
def test_what_is_refused(call, says):
    with pytest.raises((TypeError, ValueError), match=says):
        call(jnp.ones((3, 3)))


def test_axes_named_twice_are_shifted_twice():
    x = np.arange(6).reshape(2, 3)
    assert np.array_equal(jnp.fft.ifftshift(x, (1, 1)), np.fft.ifftshift(x, (1, 1)))


def test_nothing_is_taken_along_an_axis_without_entries():
    assert jnp.take_along_axis(jnp.zeros((0,)), jnp.array([0, 1]), 0).shape == (2,)


@pytest.mark.parametrize(("call", "fix"), [
    (lambda x: px.jit(jnp.roots)(x), "jnp.roots(x, strip_zeros=False)"),
    (lambda x: px.jit(lambda n: jnp.linalg.matrix_power(jnp.eye(2), n))(2), 'static_argnames=("n",)'),
    (lambda x: px.jit(lambda n: jnp.linalg.norm(x, n))(2), 'static_argnames=("n",)'),
    (lambda x: px.jit(lambda ids: px.ops.segment_sum(x, ids))(jnp.array([0, 1, 0])), "num_segments=n"),
    (lambda x: px.jit(lambda b: jnp.ix_(b, b))(x > 0), "jnp.nonzero(b, size=3)"),
])
def test_fixes_of_what_needs_values_can_be_run(call, fix):
    with pytest.raises(TypeError) as caught:
        call(jnp.array([1., 2., 3.]))
    assert fix in str(caught.value)


def test_covariances_without_observations_and_with_weights_below_zero():
    x = np.array([[1., 2., 4., 3.], [0., 5., 2., 2.]], np.float32)
    assert np.isnan(np.asarray(jnp.cov(jnp.zeros((3, 0))))).all()
    for name, weights in (("fweights", np.array([1, -2, 1, 1])), ("aweights", np.array([1., -2., 1., 1.], np.float32))):
        np.testing.assert_allclose(jnp.cov(x, **{name: weights}), np.cov(x, **{name: abs(weights)}), rtol=1e-5)


def test_the_entries_of_an_array_are_conditions():
    x = jnp.arange(12.).reshape(3, 4) - 5
    assert jnp.piecewise(x, [x > 0], [1, 2]).tolist() == np.where(x > 0, 1., 2.).tolist()
    with pytest.raises(ValueError, match="3 conditions and 2 functions"):
        jnp.piecewise(x, x > 0, [1, 2])


X4 = RANDOM.standard_normal((3, 4)).astype(np.float32)


@pytest.mark.parametrize("call", [
    lambda x: jnp.polyfit(x[0], x.T, 1), lambda x: jnp.cov(x, aweights=x[0] * x[0]),
    lambda x: px.scipy.special.multigammaln(x + 9, 2), lambda x: px.scipy.linalg.sqrtm(x @ x.T + jnp.eye(3)),
    lambda x: px.scipy.signal.detrend(x), lambda x: px.scipy.signal.welch(x, nperseg=4)[1],
    lambda x: px.scipy.stats.mode(x)[0], lambda x: px.scipy.stats.gaussian_kde(x).pdf(x[:, :2]),
], ids=["polyfit", "cov", "multigammaln", "sqrtm", "detrend", "welch", "mode", "kde"])
def test_nothing_within_the_library_changes_ranks_by_itself(call):
    with px.numpy_rank_promotion("raise"):
        found = call(jnp.asarray(X4))
    np.testing.assert_allclose(found, call(jnp.asarray(X4)), rtol=1e-5)
