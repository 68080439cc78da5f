"""Shapes that do not fit: names, drawings, and proposals that were tried before they are made."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest
from raising import Shaped

import perspicax.numpy as jnp
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import resolve
from perspicax.numpy.errors import BroadcastToError, EinsumError, MatmulShapeError

# program, what it must say, the first proposal as the line that it makes
CASES = {
    "a bias for rows": ("""
hidden, bias = Shaped(8, 32), Shaped(8)
hidden + bias
""", "`hidden` and `bias` cannot be added: their shapes do not broadcast.", "hidden + bias[:, None]"),
    "a bias on the left": ("""
bias = Shaped(8)
bias + Shaped(8, 32)
""", "axis -1 is 8 in `bias` but 32 in `Shaped(8, 32)`", "bias[:, None] + Shaped(8, 32)"),
    "an axis in the middle": ("""
x, m = Shaped(2, 3, 4), Shaped(2, 4)
x + m
""", "axis -2 is 3 in `x` but 2 in `m`", "x + m[:, None, :]"),
    "a reduction without keepdims": ("""
x = Shaped(8, 32)
total = x.sum(axis=1)
x + total
""", "  total  float32[    8]", "total = x.sum(axis=1, keepdims=True)"),
    "a reduction in place": ("""
x = Shaped(8, 32)
x + x.sum(axis=-1)
""", "`x` and `x.sum(axis=-1)` cannot be added", "x + x.sum(axis=-1, keepdims=True)"),
    "a transposed matrix": ("""
a, b = Shaped(2, 3), Shaped(3, 2)
a + b
""", "`a` and `b` cannot be added", "a + b.T"),
    "two vectors": ("""
a, b = Shaped(3), Shaped(4)
a + b
""", "axis -1 is 3 in `a` but 4 in `b`", "a[:, None] + b"),
    "a product with a transposed kernel": ("""
x, kernel = Shaped(8, 32), Shaped(64, 32)
x @ kernel
""", "`x` and `kernel` have no matrix product: the inner sizes 32 and 64 differ.", "x @ kernel.T"),
    "a product with operands changed about": ("""
x, w = Shaped(3, 5), Shaped(2, 3)
x @ w
""", "axis -1 of `x` runs along axis -2 of `w`", "w @ x"),
    "a product with a scalar": ("""
x, s = Shaped(3), Shaped()
x @ s
""", "`x` and `s` have no matrix product: `s` is a scalar.", "x * s"),
    "an axis too many": ("""
x = Shaped(3, 4)
x.sum(axis=2)
""", "`x.sum` was given axis 2, but `x` has 2 axes.", "x.sum(axis=-1)"),
    "shares of quantiles as a matrix": ("""
import perspicax.numpy as jnp
x, shares = jnp.ones((2, 3)), jnp.ones((2, 2))
jnp.quantile(x, q=shares / 2)
""", "`jnp.quantile` was given float32[2,2] as its `q`.", "jnp.quantile(x, q=(shares / 2).ravel())"),
    "a mean without the reduced axis": ("""
import perspicax.numpy as jnp
x = jnp.ones((2, 3))
jnp.nanstd(x, axis=0, mean=x.mean(axis=0))
""", "`jnp.nanstd` was given float32[3] as its `mean`.", "jnp.nanstd(x, axis=0, mean=jnp.expand_dims(x.mean(axis=0), 0))"),
    "an index for which there is no choice": ("""
import perspicax.numpy as jnp
which, options = jnp.array([0, 5, 1]), [jnp.zeros(3), jnp.ones(3)]
jnp.choose(which, options)
""", "`jnp.choose` was given the index 5, which lies outside.", "jnp.choose(which, options, mode='clip')"),
    "indices of each axis that lie outside": ("""
import perspicax.numpy as jnp
rows, columns = jnp.array([0, 1]), jnp.array([0, -1])
jnp.ravel_multi_index((rows, columns), (2, 3), mode="raise")
""", "given the index -1, which lies outside along axis 1.", "jnp.ravel_multi_index((rows, columns), (2, 3), mode='clip')"),
    "choices by a mask": ("""
import perspicax.numpy as jnp
x = jnp.arange(3.)
jnp.choose(x > 1, [x, -x])
""", "`jnp.choose` was given bool[3] as indices.", "jnp.choose((x > 1).astype(int), [x, -x])"),
    "a number as an index": ("""
import perspicax.numpy as jnp
jnp.take(jnp.arange(3.), 1.5)
""", "`jnp.take` was given float32[] as indices.", "jnp.take(jnp.arange(3.), jnp.asarray(1.5).astype(int))"),
    "a list among choices": ("""
import perspicax.numpy as jnp
x = jnp.arange(3.)
jnp.choose(jnp.array([0, 1, 1]), [x, [4, 5, 6]])
""", "`jnp.choose` was given a list, among the arrays that it takes.",
                             "jnp.choose(jnp.array([0, 1, 1]), [x, jnp.asarray([4, 5, 6])])"),
    "choices by what is traced": ("""
import perspicax as jax
import perspicax.numpy as jnp
x = jnp.arange(3.)
jax.jit(lambda which: jnp.choose(which, [x, -x]))(jnp.array([0, 1, 1]))
""", "with mode='raise' it looks now whether an index lies outside",
                                  "jax.jit(lambda which: jnp.choose(which, [x, -x], mode='clip'))(jnp.array([0, 1, 1]))"),
    "a tuple of blocks": ("""
import perspicax.numpy as jnp
a = jnp.ones((2, 3))
jnp.block([[a, a], (a, a)])
""", "`jnp.block` was given `(a, a)`, a tuple.", "jnp.block([[a, a], [a, a]])"),
    "a block beside lists": ("""
import perspicax.numpy as jnp
a = jnp.ones((2, 3))
jnp.block([[a], a])
""", "lists of different depth: `a` is an array, `[a]` a list of arrays.", "jnp.block([[a], [a]])"),
    "a block that lies on its side": ("""
import perspicax.numpy as jnp
a, b = jnp.ones((2, 3)), jnp.ones((4, 2))
jnp.block([[a, b], [a, b.T]])
""", "`jnp.block` cannot join `a` and `b` along axis 1", "jnp.block([[a, b.T], [a, b.T]])"),
}


def failure(name: str, folder: Path) -> tuple[PerspicaxError, Path]:
    path = folder / "program.py"
    path.write_text("from raising import Shaped\n" + CASES[name][0], encoding="utf-8")
    with pytest.raises(PerspicaxError) as caught:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "program"})
    return caught.value, path


@pytest.mark.parametrize("name", CASES)
def test_words(name: str, tmp_path: Path) -> None:
    error, _ = failure(name, tmp_path)
    text = str(error)
    assert " ".join(CASES[name][1].split()) in " ".join(text.split())
    assert len(text.splitlines()) <= 30
    assert str(pickle.loads(pickle.dumps(error))) == text


@pytest.mark.parametrize("name", CASES)
def test_the_first_proposal_mends_the_program(name: str, tmp_path: Path) -> None:
    error, path = failure(name, tmp_path)
    lines = path.read_text().splitlines()
    for edit in sorted(error.full_report.fixes[0].edits, key=lambda edit: -resolve(edit.span).column):
        span = resolve(edit.span)
        line = lines[span.line - 1]
        lines[span.line - 1] = line[:span.column] + edit.replacement + line[span.end_column:]
    assert CASES[name][2] in lines
    exec(compile("\n".join(lines), "<mended>", "exec"), {"__name__": "program"})


def test_no_proposal_is_made_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("from raising import Shaped\nShaped(2, 3) + Shaped(4, 5)\n", encoding="utf-8")
    with pytest.raises(PerspicaxError) as caught:
        exec(compile(path.read_text(), str(path), "exec"), {})
    assert caught.value.full_report.fixes == ()


def test_a_reshape_says_how_many_elements_there_are(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("from raising import Shaped\nx = Shaped(6)\nx.reshape(4, 2)\n", encoding="utf-8")
    with pytest.raises(PerspicaxError) as caught:
        exec(compile(path.read_text(), str(path), "exec"), {})
    report = caught.value.full_report
    assert report.says == "`x`, float32[6], cannot be reshaped to (4, 2)."
    assert report.fixes[0].code == "x.reshape(-1, 2)"
    ast.parse(report.fixes[0].code)


def test_without_the_operands_in_the_source_they_are_counted() -> None:
    def layer(x: Shaped) -> Shaped:
        return next(map(Shaped.__add__, [x], [Shaped(5)]))

    with pytest.raises(PerspicaxError) as caught:
        layer(Shaped(2, 3))
    assert "The 1st operand and the 2nd operand cannot be added" in " ".join(str(caught.value).split())


class TestEinsum:
    def caught(self, call):
        with pytest.raises(EinsumError) as found:
            call()
        return found.value

    def test_sizes_of_one_letter_are_drawn(self):
        left, right = jnp.ones((2, 5, 16)), jnp.ones((2, 7, 8))
        error = self.caught(lambda: jnp.einsum("...qd,...kd->...qk", left, right))
        assert (error.kind, error.value, error.index, error.found, error.expected, error.first) == ("size", "d", 1, 8, 16, 0)
        assert "has size 8 in `right`, but 16 in `left`" in error.report.says
        assert "..  q   d" in error.report.why
        error = self.caught(lambda: jnp.einsum("...ij,...jk", jnp.ones((3, 2, 2)), jnp.ones((4, 2, 2))))
        assert "an axis that `...` stands for" in error.report.says
        error = self.caught(lambda: jnp.einsum("ii->i", right[0]))
        assert "has sizes 7 and 8 in `right[0]`" in error.report.says

    @pytest.mark.parametrize("subscripts, kind", [("ij,jk", "count"), ("i", "rank"), ("ij->k", "unknown"), ("ij->ii", "twice"),
                                                  ("i.j", "term")])
    def test_kinds(self, subscripts, kind):
        error = self.caught(lambda: jnp.einsum(subscripts, jnp.ones((2, 3))))
        assert error.kind == kind
        assert error.report.says.startswith("`einsum`")

    def test_no_operands(self):
        assert self.caught(lambda: jnp.einsum(3.0)).kind == "form"


def test_leading_axes_of_a_matrix_product_are_told_of():
    with pytest.raises(MatmulShapeError) as found:
        jnp.matmul(jnp.ones((4, 7, 16)), jnp.ones((2, 5, 16, 7)))
    assert (found.value.axes, found.value.batch) == ((0, 1), True)
    assert "axis 0 of `jnp.ones((4, 7, 16))` has size 4" in found.value.report.says


def test_broadcasting_to_a_shape():
    bias = jnp.ones(3)
    with pytest.raises(BroadcastToError) as found:
        jnp.broadcast_to(bias, (3, 4))
    error = found.value
    assert (error.function, error.aval.shape, error.shape) == ("broadcast_to", (3,), (3, 4))
    assert [edit.replacement for edit in error.report.fixes[0].edits] == ["bias[:, None]"]
    assert jnp.broadcast_to(bias[:, None], (3, 4)).shape == (3, 4)
    with pytest.raises(BroadcastToError) as found:
        jnp.broadcast_to(jnp.ones((2, 2)), (2,))
    assert "more than the 1 of" in found.value.report.why
