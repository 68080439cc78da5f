"""Packages that are not installed, and names that go."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from perspicax.diagnose.optional import MissingPackageError, optional
from perspicax.diagnose.retirement import RETIREMENTS, retired


def test_an_installed_package_is_given() -> None:
    assert optional("json", extra="x", needed_for="y") is sys.modules["json"]


def test_a_missing_package_names_the_line_to_install_it() -> None:
    with pytest.raises(MissingPackageError) as caught:
        optional("no_such_package.inner", extra="checkpoint", needed_for="`save_checkpoint`")
    error = caught.value
    assert isinstance(error, ImportError) and error.name == "no_such_package.inner" and error.extra == "checkpoint"
    says = error.report.says
    assert says == "The package `no_such_package.inner` is not installed; it is needed for `save_checkpoint`."
    assert 'pip install "perspicax[checkpoint]"' in str(error)
    assert error.__cause__ is None and error.__context__ is None


def test_a_broken_package_says_so_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "breaks_inside.py").write_text("import something_it_lacks")
    (tmp_path / "breaks_otherwise.py").write_text("1 / 0")
    with pytest.raises(ModuleNotFoundError, match="something_it_lacks") as caught:
        optional("breaks_inside", extra="x", needed_for="y")
    assert not isinstance(caught.value, MissingPackageError)
    with pytest.raises(ZeroDivisionError):
        optional("breaks_otherwise", extra="x", needed_for="y")


def test_a_retired_name_works_and_says_so_once_a_line() -> None:
    before = len(RETIREMENTS)
    old = retired("diagnose.short", use="diagnose.source.shorten", since="0.3", gone_in="0.5", because="it is clearer")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = [old("<a>") for _ in range(3)]
        results.append(old("<b>"))
    assert results == ["<a>", "<a>", "<a>", "<b>"]
    assert [(each.category, each.filename) for each in told] == [(DeprecationWarning, __file__)] * 2
    assert told[0].lineno < told[1].lineno
    text = str(told[0].message)
    assert text.startswith("`diagnose.short` is retired since version 0.3 and goes in 0.5.")
    assert "why  `diagnose.source.shorten` takes its place: it is clearer." in text
    assert "fix  diagnose.source.shorten" in text and "results = [old" in text
    assert [each.gone_in for each in RETIREMENTS[before:]] == ["0.5"]
    del RETIREMENTS[before:]
