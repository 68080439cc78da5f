"""jax.ops: reductions of segments by NumPy, and reports."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import ops
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, ReductionError, ShapeMismatchError

DATA = np.random.default_rng(0).standard_normal((7, 2)).astype(np.float32)
IDS = np.array([2, 0, 2, 1, 0, 9, -1])
REDUCTIONS = {"segment_sum": np.sum, "segment_prod": np.prod, "segment_max": np.max, "segment_min": np.min}


@pytest.mark.parametrize("bucket_size", [None, 3])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_each_segment_is_reduced_alone(name: str, bucket_size: int | None) -> None:
    f = getattr(ops, name)
    wanted = np.stack([REDUCTIONS[name](DATA[i == IDS], axis=0) for i in range(3)])
    out = f(DATA, IDS, 3, bucket_size=bucket_size)
    np.testing.assert_allclose(out, wanted, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(lambda d: f(d, IDS, 3), in_axes=1, out_axes=1)(DATA), wanted, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(f, static_argnums=2)(DATA, IDS, 3), wanted, rtol=1e-5)


def test_empty_segments_have_the_neutral_value() -> None:
    one, ids = jnp.ones(1, np.int8), jnp.array([1])
    assert [int(getattr(ops, name)(one, ids, 2)[0]) for name in REDUCTIONS] == [0, 1, -128, 127]


def test_the_number_of_segments_is_one_more_than_the_largest() -> None:
    assert ops.segment_sum(DATA, np.array([0, 1, 0, 4, 2, 2, 2])).shape == (5, 2)


def test_what_does_not_fit_is_told() -> None:
    for call, wanted in ((lambda: ops.segment_sum(DATA, IDS[:3], 3), ShapeMismatchError),
                         (lambda: ops.segment_sum(DATA, IDS * 1., 3), ArgumentKindError),
                         (lambda: ops.segment_sum(DATA, IDS, -1), ArgumentValueError),
                         (lambda: ops.segment_sum(DATA, IDS, 3, bucket_size=0), ArgumentValueError),
                         (lambda: ops.segment_max(DATA[:0], IDS[:0]), ReductionError)):
        with pytest.raises(wanted) as caught:
            call()
        assert caught.value.position is not None and caught.value.position.code.co_filename == __file__
    with pytest.raises(jax.errors.ConcretizationTypeError, match="num_segments"):
        jax.jit(ops.segment_sum)(DATA, IDS)
