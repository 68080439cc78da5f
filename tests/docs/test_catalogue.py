"""The catalogue: every error class has a page, whose wrong example raises the class and whose right example runs."""

from __future__ import annotations

import ast
import functools
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

import perspicax
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.pages import Page, catalogue_names, has_page, read_page

# All examples run in one other process, where `jax` means Perspicax: here the oracle may be imported. The options that
# one of them sets do not reach the next.
RUNNER = """
import contextlib, io, json, linecache, sys, traceback
import perspicax.compat
perspicax.compat.install()
import jax
options = dict(jax.config.values)

def outcome(name, source):
    for option, value in jax.config.values.items():
        if value != options[option]:
            jax.config.update(option, options[option])
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, name, "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return {"raised": type(error).__name__, "text": str(error), "traceback": traceback.format_exc()}
    return {"raised": None}

jobs = json.load(sys.stdin)
results = {name: outcome(name, source) for name, source in jobs.items()}
json.dump(results, sys.stdout)
"""


def error_classes() -> list[type[PerspicaxError]]:
    """All classes of errors of all modules of Perspicax."""
    for module in pkgutil.walk_packages(perspicax.__path__, "perspicax."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(cls: type[PerspicaxError]) -> Iterator[type[PerspicaxError]]:
        yield cls
        for child in cls.__subclasses__():
            yield from below(child)

    found = dict.fromkeys(cls for cls in below(PerspicaxError) if _home(cls) == "perspicax")
    return sorted(found, key=lambda cls: cls.__name__)


def _home(cls: type) -> str:
    return cls.__module__.partition(".")[0]  # tests define errors, too


def test_every_error_class_has_a_page_or_says_why_it_has_none() -> None:
    classes = error_classes()
    assert len(classes) > 150
    assert [cls.__name__ for cls in classes if not cls._no_page and not has_page(cls.__name__)] == []
    assert [cls.__name__ for cls in classes if cls._no_page and has_page(cls.__name__)] == []


def test_a_class_without_a_page_is_a_base_or_never_reaches_a_user() -> None:
    for cls in error_classes():
        if "base" in cls._no_page:
            assert cls.__subclasses__(), cls


def test_every_page_explains_a_class() -> None:
    names = Counter(cls.__name__ for cls in error_classes())
    assert [name for name in catalogue_names() if name not in names] == []
    assert [name for name, count in names.items() if count > 1] == []  # a page is found by the name alone


def page_of(name: str) -> Page:
    page = read_page(name)
    assert page is not None
    return page


@functools.cache
def outcomes() -> dict[str, dict[str, str | None]]:
    """What each example did, by "<NAME: wrong>" and "<NAME: right>"."""
    jobs = {}
    for name in catalogue_names():
        page = page_of(name)
        jobs[f"<{name}: wrong>"] = page.wrong
        if page.raised == "now":
            jobs[f"<{name}: right>"] = page.right
    done = subprocess.run([sys.executable, "-c", RUNNER], input=json.dumps(jobs), capture_output=True, text=True,
                          env={**os.environ, "JAX_NUM_CPU_DEVICES": "2"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", catalogue_names())
def test_page(name: str) -> None:
    page = page_of(name)
    assert page.raised in ("now", "later")
    for source in (page.wrong, page.right):
        ast.parse(source)
    wrong = outcomes()[f"<{name}: wrong>"]
    if page.raised == "later":
        assert wrong["raised"] != name, "it is raised now: the page should say so"
    else:
        right = outcomes()[f"<{name}: right>"]
        assert wrong["raised"] == name, wrong.get("traceback", "the wrong example raised nothing")
        assert f"perspicax explain {name}" in str(wrong["text"])
        assert right["raised"] is None, right.get("traceback")


@pytest.mark.parametrize("name", catalogue_names("zh"))
def test_a_translation_has_the_same_sections_and_code(name: str) -> None:
    translated, page = read_page(name, "zh"), page_of(name)
    assert translated is not None
    assert (translated.wrong, translated.right, translated.raised) == (page.wrong, page.right, page.raised)
    assert bool(translated.more) == bool(page.more)
    for words in (translated.title, translated.what, translated.why):
        assert re.search("[\u4e00-\u9fff]", words), words
    # names of functions, options and other pages are the same in every language
    assert names_in(translated) - names_in(page) == set()


def names_in(page: Page) -> set[str]:
    """What stands in backticks in the words of a page."""
    return set(re.findall(r"`([^`]+)`", " ".join(f"{page.what} {page.why} {page.more}".split())))


def test_classes_of_jax_and_flax_and_findings_are_explained_in_chinese() -> None:
    import perspicax.errors
    import perspicax.flax.errors
    import perspicax.sanitize

    findings = set(perspicax.sanitize.__all__) - {"Finding", "sanitizing"}
    wanted = {*perspicax.errors.__all__, *perspicax.flax.errors.__all__, *findings}
    assert {"TracerBoolConversionError", "ScopeParamNotFoundError", "KeyReuse", "SuspiciousBroadcast"} <= wanted
    assert wanted <= set(catalogue_names("zh"))


def test_every_page_is_translated() -> None:
    assert catalogue_names() == catalogue_names("zh")
