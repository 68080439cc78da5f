"""The array API standard: what the namespace tells of itself, and what it takes, as JAX does."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy
import numpy as np
import pytest

import perspicax
import perspicax.numpy as ours

pytestmark = pytest.mark.oracle

UNARY = """abs acos acosh asin atan atanh bitwise_invert ceil conj cos exp expm1 floor imag isfinite isnan log log1p logical_not
negative positive real reciprocal round sign signbit sinh square sqrt tan trunc max min sum prod mean std var all any
count_nonzero nonzero cumulative_sum cumulative_prod sort argsort diff flip""".split()
BINARY = """add atan2 bitwise_and bitwise_left_shift bitwise_xor copysign divide equal floor_divide hypot less logaddexp
logical_or maximum multiply nextafter pow remainder subtract matmul vecdot tensordot searchsorted""".split()
MATRICES = "cholesky det eigh eigvalsh inv matrix_norm matrix_rank pinv qr slogdet svd svdvals trace vector_norm".split()
DTYPES = ("bool", "int8", "int32", "uint8", "uint32", "float32", "complex64", "float16", "bfloat16")
WIDE = (*DTYPES, "int64", "uint64", "float64", "complex128")


def result(jax_like: Any, path: str, *types: Any) -> Any:
    function: Any = jax_like.numpy
    for part in path.split("."):
        function = getattr(function, part)
    try:
        found = jax_like.eval_shape(function, *[jax_like.ShapeDtypeStruct(*t) for t in types])
    except Exception as error:  # whether it refuses is compared
        return next(c for c in type(error).__mro__ if c.__module__ == "builtins")
    return [(str(leaf.dtype), leaf.shape) for leaf in jax_like.tree_util.tree_leaves(found)]


def calls(dtypes: tuple[str, ...]) -> list[tuple[str, tuple]]:
    kinds = [jax.numpy.dtype(d) for d in dtypes]
    return [*[(f, (((3,), a),)) for f in UNARY for a in kinds],
            *[(f, (((3,), a), ((3,), b))) for f in BINARY for a in kinds for b in kinds],
            *[(f"linalg.{f}", (((3, 3), a),)) for f in MATRICES for a in kinds]]


@pytest.mark.parametrize("wide", [False, True])
def test_the_same_dtypes_are_taken_and_refused(wide: bool) -> None:
    """With 64-bit types, integers of 32 bits and less become float32 all the same."""
    wrong = []
    with perspicax.enable_x64(wide), jax.enable_x64(wide):
        for path, types in calls(WIDE)[5::37] if wide else calls(DTYPES)[::11]:
            mine, wanted = result(perspicax, path, *types), result(jax, path, *types)
            if isinstance(mine, type) != isinstance(wanted, type) or (not isinstance(mine, type) and mine != wanted):
                wrong.append(f"{path}{types}: {mine}, JAX {wanted}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("ask", [
    lambda i: i.capabilities(), lambda i: i.default_device(), lambda i: i.default_dtypes(), lambda i: i.dtypes(),
    lambda i: i.dtypes(kind="integral"), lambda i: i.dtypes(kind=("bool", "numeric")), lambda i: [str(d) for d in i.devices()],
])
def test_the_namespace_describes_itself(ask: Callable[[Any], Any]) -> None:
    for wide in (False, True):
        with perspicax.enable_x64(wide), jax.enable_x64(wide):
            assert ask(ours.__array_namespace_info__()) == ask(jax.numpy.__array_namespace_info__())


def test_versions_and_kinds_that_are_refused() -> None:
    assert ours.__array_api_version__ == jax.numpy.__array_api_version__
    assert ours.ones(2).__array_namespace__(api_version="2024.12") is ours
    for version in ("2022.12", "2025.12"):
        for numpy in (ours, jax.numpy):
            with pytest.raises(ValueError, match=version):
                numpy.ones(2).__array_namespace__(api_version=version)
    for numpy in (ours, jax.numpy):
        with pytest.raises(KeyError):
            numpy.__array_namespace_info__().dtypes(kind="float")


@pytest.mark.parametrize("copy", [None, True, False])
def test_copies_where_the_standard_wants_them(copy: bool | None) -> None:
    answers = []
    for numpy in (ours, jax.numpy):
        x = numpy.ones(3)
        assert (numpy.asarray(x, copy=copy) is x) == (copy is not True)
        assert (numpy.astype(x, "float32", copy=bool(copy)) is x) == (not copy)
        taken = []
        for given in (np.ones(3, np.float32), [1.], 2.):
            try:
                numpy.asarray(given, copy=copy)
                taken.append(True)
            except ValueError:
                taken.append(False)
        answers.append(taken)
    assert answers[0] == answers[1]


def test_new_arrays_go_to_the_device() -> None:
    for package in (perspicax, jax):
        device = package.devices()[0]
        for name, args in (("arange", (3,)), ("asarray", ([1.],)), ("empty", (3,)), ("eye", (2,)), ("full", (2, 1.)),
                           ("linspace", (0, 1, 3)), ("ones", (2,)), ("zeros", (2,)), ("zeros_like", (np.ones(2),))):
            made = getattr(package.numpy, name)(*args, device=device)
            assert made.committed and made.device == device
