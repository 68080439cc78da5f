"""Reports of arrays that cannot be put together or cut: fields, names, and what is proposed."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.lax.errors import OperandMismatchError
from perspicax.lax.join_errors import JoinError, SplitError

A, B, C = jnp.ones((8, 3)), jnp.ones((4, 3)), jnp.ones((8, 2))


def caught(call, kind=JoinError):
    with pytest.raises(kind) as found:
        call()
    return found.value


def proposals(error):
    return [(fix.says, [edit.replacement for edit in fix.edits]) for fix in error.report.fixes]


def test_fields():
    error = caught(lambda: jnp.concatenate([A, A, B], axis=1))
    assert (error.operation, error.axis, error.differing, error.axes) == ("concatenate", 1, 2, (0,))
    assert [a.shape for a in error.avals] == [(8, 3), (8, 3), (4, 3)]
    error = caught(lambda: lax.stack([A, C]))
    assert (error.operation, error.differing, error.axes, error.grown) == ("stack", 1, (1,), False)
    error = caught(lambda: jnp.concatenate([A, A[0]]))
    assert (error.differing, error.axes) == (1, ())


def test_the_function_that_was_called_is_named():
    for call, words in (
            (lambda: jnp.concatenate([A, C]), "`jnp.concatenate` cannot join `A` and `C` along axis 0"),
            (lambda: lax.concatenate((A, C), 0), "`lax.concatenate` cannot join `A` and `C` along axis 0"),
            (lambda: jnp.append(A, C, axis=0), "`jnp.append` cannot join `A` and `C` along axis 0"),
            (lambda: jnp.hstack([A, B]), "`jnp.hstack` cannot join `A` and `B` along axis 1"),
            (lambda: jnp.stack([A, B]), "`jnp.stack` cannot stack `A` and `B`")):
        assert caught(call).report.says.startswith(words)


def test_types_are_shown_as_they_were_given():
    row, longer = jnp.arange(3), jnp.arange(4.0)
    error = caught(lambda: jnp.vstack([row, longer]))
    assert error.grown
    assert [label.text for label in error.report.labels] == ["int32[3]", "float32[4]"]
    assert "gives them 2 axes first" in error.report.why
    assert "float32[1, 3]" in error.report.why


def test_what_is_proposed_fits():
    assert proposals(caught(lambda: jnp.concatenate([A, B], axis=1))) == [("join them along axis 0", ["0"])]
    assert proposals(caught(lambda: lax.concatenate([A, C.T], 1)))[0] == ("transpose `C.T`", ["C.T.T"])
    assert proposals(caught(lambda: jnp.concatenate([A, A[0]])))[0][1] == ["A[0][None]"]
    assert proposals(caught(lambda: jnp.concatenate([A, jnp.ones(8)], axis=1)))[0][1] == ["jnp.ones(8)[:, None]"]
    assert proposals(caught(lambda: jnp.stack([A, C]))) == []


def test_names_of_a_sequence_that_is_a_variable():
    parts = [A, B, C]
    assert "`parts[0]` and `parts[2]` along axis 0 (of 3 arrays)" in caught(lambda: jnp.concatenate(parts)).report.says


def test_blocks_are_named_by_their_place_in_the_lists():
    rows, row = [[A, C], [A, B]], jnp.arange(3.)
    assert "`rows[1][0]` and `rows[1][1]` along axis 1" in caught(lambda: jnp.block(rows)).report.says
    error = caught(lambda: jnp.block([[A, C], [A, B]]))
    assert (error.paths, error.differing) == (((1, 0), (1, 1)), 1)
    assert "`A` and `B` along axis 1" in error.report.says
    assert [label.text for label in caught(lambda: jnp.block([A, row])).report.labels] == ["float32[8,3]", "float32[3]"]
    assert "`[A, C]` and `[A, A]` along axis 0" in caught(lambda: jnp.block([[A, C], [A, A]])).report.says
    assert "`rows[0]` and `rows[1]`" in caught(lambda rows=[[A, C], [A, A]]: jnp.block(rows)).report.says


def test_a_block_is_transposed_only_where_all_fit_then():
    assert proposals(caught(lambda: jnp.block([[A, C.T], [A, C]])))[0] == ("transpose `C.T`", ["C.T.T"])
    assert proposals(caught(lambda: jnp.block([[A, C.T], [A, A]]))) == []


def test_blocks_that_are_no_arrays_are_named():
    rows = [[A, "a"]]
    with pytest.raises(TypeError) as found:
        jnp.block(rows)
    assert "`rows[0][1]`, a str" in found.value.report.says


def test_a_function_of_the_users_that_joins_within_keeps_its_operands_to_itself():
    def table(x, y):
        return px.jit(lambda a, b: jnp.concatenate([a, b]))(x, y)

    says = caught(lambda: table(A, C)).report.says
    assert "`a` and `b`" in says


def test_dtypes_of_a_sequence_are_told_of_its_members():
    error = caught(lambda: lax.concatenate([A, B.astype(int)], 0), OperandMismatchError)
    assert "`A` is float32[8,3] and `B.astype(int)` is int32[4,3]" in error.report.says


def test_pieces():
    error = caught(lambda: jnp.split(A, 3), SplitError)
    assert (error.axis, error.pieces, error.aval.shape) == (0, 3, (8, 3))
    assert error.report.fixes[0].code == "jnp.array_split(A, 3)"
    assert len(jnp.array_split(A, 3)) == 3
    assert "it can be cut into 2, 4 equal pieces" in error.report.why
    assert caught(lambda: jnp.split(A, 0), SplitError).pieces == 0
    error = caught(lambda: lax.split(A, (3, 3)), SplitError)
    assert "sum to 6" in error.report.why
    assert "at least 0" in caught(lambda: lax.split(A, (-1, 9)), SplitError).report.why
    with pytest.raises(TypeError, match="integers"):
        jnp.split(A, ["x"])


def test_what_fits_is_joined():
    assert np.array_equal(jnp.concatenate([A, B]), np.ones((12, 3)))
    assert jnp.vstack([jnp.arange(3), jnp.arange(3)]).shape == (2, 3)
