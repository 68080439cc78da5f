"""Compositions of transformations: a sample of the zoo (`zoo.py` runs the whole sweep)."""
from __future__ import annotations

import warnings
from collections import Counter

import jax
import numpy as np
import pytest
import zoo

import perspicax

pytestmark = pytest.mark.oracle

SAMPLE = zoo.sampled(600, seed=20)
GROUPS = [SAMPLE[i::20] for i in range(20)]


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_sample(group):
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, case in enumerate(GROUPS[group]):
            difference = zoo.disagreement(case, values=i % 10 == 0)
            if difference is not None:
                found.append(f"{case}: {difference}")
    jax.clear_caches()
    perspicax.clear_caches()
    assert not found, "\n".join(found)


def test_the_sample_is_wide():
    names = Counter(case.name for case in SAMPLE)
    assert len(zoo.ZOO) >= 60
    assert set(names) == set(zoo.ZOO)
    assert max(names.values()) - min(names.values()) <= 1
    assert {name for case in SAMPLE for name in case.order} == set(zoo.TRANSFORMATIONS)
    assert Counter(len(case.order) for case in SAMPLE)[3] > 300


def test_a_wrong_type_is_found(monkeypatch):
    case = zoo.Case("weak_alone", ("jit",))
    assert zoo.disagreement(case) is None
    made = zoo.ZOO["weak_alone"]

    def strong(J):
        return made.make(J) if J is jax else lambda x: J.numpy.float32(made.make(J)(x))

    monkeypatch.setitem(zoo.ZOO, "weak_alone", made._replace(make=strong))
    assert "weak" not in (zoo.disagreement(case) or "weak")
    assert "JAX: [('', (), 'float32', True)]" in (zoo.disagreement(case) or "")


def test_a_wrong_value_is_found(monkeypatch):
    case = zoo.Case("wave", ("grad",))
    assert zoo.disagreement(case, values=True) is None
    made = zoo.ZOO["wave"]
    monkeypatch.setitem(zoo.ZOO, "wave", made._replace(
        make=lambda J: made.make(J) if J is jax else lambda x: made.make(J)(x) * 1.001))
    assert zoo.disagreement(case) is None
    assert "value 0" in (zoo.disagreement(case, values=True) or "")


def test_an_error_that_we_do_not_raise_is_found(monkeypatch):
    case = zoo.Case("integers", ("grad",))
    assert zoo.outcome(jax, case)[0] == "raises"
    assert zoo.disagreement(case) is None
    made = zoo.ZOO["integers"]
    monkeypatch.setitem(zoo.ZOO, "integers", zoo.Specimen(
        lambda J: made.make(J) if J is jax else lambda i: i, (np.ones(3, np.float32),)))
    monkeypatch.setattr(zoo, "outcome", lambda J, c, real=zoo.outcome: ("raises", TypeError("x"), None) if J is jax
                        else real(J, c))
    assert "JAX raises" in (zoo.disagreement(case) or "")
