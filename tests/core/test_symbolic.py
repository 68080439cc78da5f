"""Symbolic sizes: their normal form, what is decided of them, how they are read and worked out."""
from __future__ import annotations

import copy
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perspicax.core.avals import ShapedArray
from perspicax.core.symbolic import SymbolicSize, as_size, is_symbolic_dim, largest, smallest, surely_less
from perspicax.core.symbolic_errors import (
    InconclusiveDimensionOperation,
    SymbolicShapeError,
    SymbolicSizeConversionError,
)
from perspicax.core.symbolic_parse import parse_expression, parse_shape
from perspicax.core.symbolic_scope import SymbolicScope
from perspicax.core.symbolic_solve import plan, solved_size, substitute, unknown_variables

SCOPE = SymbolicScope()
A, B = parse_shape("a, b", SCOPE, None)
VALUES = [{"a": a, "b": b} for a in (1, 2, 5, 12) for b in (1, 3, 4, 7)]


def value(size, values):
    return substitute(size, values)


@st.composite
def sizes(draw, depth=3):
    """A size and a function of the variables that computes it in integers."""
    if depth == 0 or draw(st.booleans()):
        kind = draw(st.integers(0, 2))
        if kind == 0:
            return A, lambda v: v["a"]
        if kind == 1:
            return B, lambda v: v["b"]
        n = draw(st.integers(-3, 4))
        return n, lambda v: n
    (x, f), (y, g) = draw(sizes(depth - 1)), draw(sizes(depth - 1))
    op = draw(st.sampled_from([operator.add, operator.sub, operator.mul, "//", "%", "max", "min"]))
    if op in ("//", "%"):
        k = draw(st.integers(1, 4))
        divide = operator.floordiv if op == "//" else operator.mod
        return divide(x, k), lambda v: divide(f(v), k)
    if op in ("max", "min"):
        mine, pythons = (largest, max) if op == "max" else (smallest, min)
        return mine(x, y), lambda v: pythons(f(v), g(v))
    return op(x, y), lambda v: op(f(v), g(v))


class TestArithmetic:
    @settings(max_examples=80, deadline=None, derandomize=True)
    @given(sizes())
    def test_agrees_with_integers(self, pair):
        size, compute = pair
        assert [value(size, v) for v in VALUES] == [compute(v) for v in VALUES]

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(sizes())
    def test_the_text_of_a_size_reads_as_the_size(self, pair):
        assert parse_expression(str(pair[0]), SCOPE) == pair[0]

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(sizes(2), sizes(2))
    def test_what_is_decided_holds_for_all_values(self, left, right):
        for compare in (operator.ge, operator.gt, operator.le, operator.lt):
            try:
                found = compare(left[0], right[0])
            except InconclusiveDimensionOperation:
                continue
            assert all(compare(left[1](v), right[1](v)) == found for v in VALUES)

    @pytest.mark.parametrize(("size", "text"), [
        (2 * B + 1, "2*b + 1"), (A * B * B, "a*b^2"), (-B, "- b"), (A - B + 1, "- b + a + 1"), ((4 * B + 6) // 2, "2*b + 3"),
        ((B + 4) // 2, "floordiv(b + 4, 2)"), (B % 2, "mod(b, 2)"), ((A * B) // B, "a"),
        (12 * B // B, "12"), (np.int32(2) * B, "2*b"), (B + True, "b + 1"), (B**2, "b^2"), ((A + B) * (A - B), "- b^2 + a^2"),
        (sum([A, B]), "b + a"), (np.prod((A, B)), "a*b")])
    def test_normal_form(self, size, text):
        assert str(size) == text

    def test_sizes_are_values(self):
        assert A * B == B * A and hash(A * B) == hash(B * A) and copy.deepcopy(B) is B
        assert B != A and B != 1 and (2 * B) % 2 == 0 and type(B - B) is int and {B: 1}[B * 1] == 1
        assert is_symbolic_dim(B) and not is_symbolic_dim(B - B) and as_size(np.int64(3)) == 3
        with pytest.raises(ZeroDivisionError):
            B // 0
        with pytest.raises(SymbolicShapeError):
            B**-1

    @pytest.mark.parametrize("ask", [int, float, range, operator.index, [1, 2].__getitem__])
    def test_a_size_is_no_number(self, ask):
        with pytest.raises(SymbolicSizeConversionError) as caught:
            ask(B)
        assert caught.value.size == "b" and isinstance(caught.value, (TypeError, InconclusiveDimensionOperation))


class TestDecisions:
    @pytest.mark.parametrize("holds", [
        B >= 1, B > 0, A + B >= 2, A + B >= A, 2 * B >= 2, B % 3 < 3, B // 2 <= B, (B + 1) // 2 >= 1, A * B >= 1, -B < 0,
        largest(A, B) >= A, smallest(A, 3) <= 3, not B < 1, bool(B), B - B // 2 >= 0])
    def test_what_follows_from_sizes_being_positive(self, holds):
        assert holds is True

    @pytest.mark.parametrize("ask", [lambda: B >= 2, lambda: A < B, lambda: B // 2 >= 1, lambda: sorted([A, B])])
    def test_what_depends_on_the_size(self, ask):
        with pytest.raises(InconclusiveDimensionOperation):
            ask()

    def test_the_error_tells_the_question_and_what_is_known(self):
        b, = parse_shape("b", SymbolicScope(["b >= 2"]), None)
        with pytest.raises(InconclusiveDimensionOperation) as caught:
            b > 3  # noqa: B015
        error = caught.value
        assert (error.left, error.comparison, error.right, error.constraints) == ("b", ">", "3", ("b >= 2",))
        assert 'constraints=["b >= 4"]' in str(error)

    def test_constraints_decide(self):
        a, b, c = parse_shape("a, b, c", SymbolicScope(["a >= 2*b", "b >= 3", "c <= 10"]), None)
        assert a >= 6 and a - b >= 3 and c <= 10 and not c > 10 and surely_less(b, a)
        assert not surely_less(c, a)

    def test_equalities_replace(self):
        a, c = parse_shape("a, c", SymbolicScope(["a == 2*b", "mod(c, 4) == 0"]), None)
        assert str(a) == "2*b" and c % 4 == 0 and c // 4 * 4 == c
        assert parse_shape("b", SymbolicScope(["b == 8"]), None) == (8,)

    @pytest.mark.parametrize("text", ["b > 3", "b", "b + 1 == 3", "3 >= 4"])
    def test_constraints_that_cannot_be_used(self, text):
        with pytest.raises(SymbolicShapeError):
            SymbolicScope([text])

    def test_sizes_of_two_scopes_do_not_mix(self):
        other, = parse_shape("b", SymbolicScope(), None)
        assert other != B
        with pytest.raises(SymbolicShapeError):
            B + other


class TestShapes:
    @pytest.mark.parametrize(("text", "like", "shown"), [
        ("", None, "()"), ("()", None, "()"), ("(b,)", None, "(b,)"), ("b, 3", None, "(b, 3)"),
        ("b, ...", (2, 3, 4), "(b, 3, 4)"),
        ("b,_,4", (2, 3, 4), "(b, 3, 4)"), ("-1 + a, (a+b)*2", None, "(a - 1, 2*b + 2*a)"),
        ("max(b, 1), min(b, 0)", None, "(b, 0)"),
        ("floordiv(a, 2), mod(a, 3), a^2", None, "(floordiv(a, 2), mod(a, 3), a^2)"), ("a,", None, "(a,)")])
    def test_reading(self, text, like, shown):
        assert str(parse_shape(text, SymbolicScope(), like)) == shown

    @pytest.mark.parametrize(("text", "like"), [
        ("b // 2", None), ("1b", None), ("b,,", None), ("...", None), ("_", None), ("b, _, 5", (2, 3, 4)), ("b, 3", (2,)),
        ("b +", None),
        ("sin(b, 2)", None), ("b^c", None), ("b $ 2", None), ("..., b", (1, 2)), ("_, 2", (None, 2)), ("floordiv(b 2)", None)])
    def test_what_cannot_be_read(self, text, like):
        with pytest.raises(SymbolicShapeError) as caught:
            parse_shape(text, SymbolicScope(), like)
        assert text.strip() in caught.value.says

    def test_types_hold_sizes(self):
        aval = ShapedArray((B, 3), np.float32)
        assert aval is ShapedArray([B, 3], np.float32) and aval.symbolic and aval.mlir == "tensor<?x3xf32>"
        assert aval.str_short() == "float32[b,3]" and str(aval.size) == "3*b" and not ShapedArray((2,), np.int32).symbolic
        assert type(aval.shape[0]) is SymbolicSize


class TestSolving:
    def test_variables_are_found_where_they_are_linear(self):
        a, b = parse_shape("a, b", SymbolicScope(), None)
        shapes = [(a * b, 2 * b + 1), (a + b,)]
        steps = plan(shapes)
        assert [(s.variable, s.argument, s.axis) for s in steps] == [("b", 0, 1), ("a", 1, 0)]
        values = {}
        for step in steps:
            values[step.variable] = solved_size(step, {(0, 1): 7, (1, 0): 5}[step.argument, step.axis], values)
        assert values == {"b": 3, "a": 2} and unknown_variables(shapes, steps) == []

    def test_what_cannot_be_found(self):
        b, = parse_shape("b", SymbolicScope(), None)
        assert unknown_variables([(b * b,)], plan([(b * b,)])) == ["b"]

    @pytest.mark.parametrize("size", [4, 1])
    def test_sizes_that_no_value_gives(self, size):
        b, = parse_shape("b", SymbolicScope(), None)
        step, = plan([(2 * b + 1,)])
        with pytest.raises(SymbolicShapeError):
            solved_size(step, size, {})
