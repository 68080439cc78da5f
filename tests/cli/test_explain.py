"""`perspicax explain`: pages are found, in the language of the reader, and shown where he reads."""
from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from perspicax.cli import explain as module
from perspicax.cli.explain import explain, language_of
from perspicax.cli.main import main
from perspicax.diagnose import pages
from perspicax.diagnose.pages import catalogue_names, read_page

NAME = "TracerBoolConversionError"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("LC_ALL", "LC_MESSAGES", "LANG", "PAGER", "LESS", "NO_COLOR"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("TERM", "xterm")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `explain` shows on a terminal of 60 columns."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "1000")

    def show(name: str | None, language: str) -> str:
        stream = Terminal()
        with monkeypatch.context() as streams, contextlib.redirect_stdout(stream):
            streams.setattr(sys, "stdin", Terminal())
            assert explain(name, language) == 0
        return stream.getvalue()

    return show


# -- which page

@pytest.mark.parametrize("written", [NAME, NAME.lower(), f"jax.errors.{NAME}", f"{NAME}:", f" perspicax.errors.{NAME}: "])
def test_a_page_is_found_however_the_name_was_copied(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", written]) == 0
    out = capsys.readouterr().out
    page = read_page(NAME)
    assert page is not None
    assert out.startswith(f"# {NAME}: {page.title}\n\n## What\n") and f"```python\n{page.wrong}```" in out


@pytest.mark.parametrize(("written", "meant"), [
    ("TracerBolConversionError", NAME), ("tracrbool", NAME), ("BoolConversion", NAME), ("KeyReues", "KeyReuse"),
    ("ScopeParamNotFound", "ScopeParamNotFoundError"), ("BroadcstError", "BroadcastError"),
])
def test_a_misspelt_name_gets_near_ones(written: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", written]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"There is no page on `{written}`. Near names: ") and meant in err.rpartition("names: ")[2]


def test_what_is_like_no_name_gets_no_proposal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "zzz", "--lang", "en"]) == 1
    assert capsys.readouterr().err == "There is no page on `zzz`. `perspicax explain` lists all pages.\n"
    assert main(["explain", "KeyReues", "--lang", "zh"]) == 1
    assert capsys.readouterr().err.startswith("没有关于 `KeyReues` 的页面。相近的名称：KeyReuse、")


@pytest.mark.parametrize(("written", "page"), [("keys", "KeyReuse"), ("nans", "NonFinite"), ("jnp.fromiter", "NotPureError")])
def test_what_is_no_name_of_a_page_gets_the_pages_that_speak_of_it(
    written: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", written]) == 1
    assert page in capsys.readouterr().err.partition(" Pages that speak of it: ")[2].partition(".")[0].split(", ")


def test_without_a_name_all_pages_are_listed_with_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == catalogue_names()
    page = read_page(NAME, "zh")
    assert page is not None and main(["explain", "--lang=zh"]) == 0
    chinese = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert chinese[NAME] == page.title


# -- which language

@pytest.mark.parametrize(("environment", "language"), [
    ({}, "en"), ({"LANG": "zh_CN.UTF-8"}, "zh"), ({"LANG": "de_DE.UTF-8"}, "en"), ({"LANG": "zha_CN"}, "en"),
    ({"LANG": "zh"}, "zh"),
    ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"), ({"LANG": "C", "LC_MESSAGES": "zh_TW.Big5"}, "zh"),
    ({"LANG": "zh_CN", "LC_MESSAGES": "", "LC_ALL": ""}, "zh"), ({"LC_ALL": "zh-Hans", "LC_MESSAGES": "en_GB"}, "zh"),
])
def test_the_locale_gives_the_language(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


@pytest.mark.parametrize("arguments", [["--lang", "zh"], ["--language=zh"], []])
def test_a_page_in_chinese(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if not arguments:
        monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert main(["explain", NAME, *arguments]) == 0
    out = capsys.readouterr().out
    page = read_page(NAME, "zh")
    assert page is not None and out.startswith(f"# {NAME}: {page.title}\n\n## 发生了什么\n")
    assert page.why in out and page.right in out and "## Wrong" not in out


def test_what_is_not_translated_is_given_in_english_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pages._folder
    monkeypatch.setattr(pages, "_folder", lambda language: tmp_path if language == "zh" else folder(language))
    assert main(["explain", NAME, "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[2] == "（此页还没有中文版，以下是英文。）" and "## What\n" in out


def test_the_option_wins_over_the_locale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["explain", "--lang=en", NAME]) == 0
    assert "## What\n" in capsys.readouterr().out


def test_a_language_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", NAME, "--lang", "fr"])
    assert caught.value.code == 2 and "'en', 'zh'" in capsys.readouterr().err


# -- on a terminal

def test_a_terminal_gets_wrapped_lines_in_colour(shown: Callable[..., str]) -> None:
    text = shown(NAME, "en")
    assert "\x1b[1;36mWhat\x1b[0m" in text and "```" not in text and "\x1b[32mimport jax\x1b[0m" in text
    title = " ".join(text.partition("\n\n")[0].replace("\x1b[0m", "").replace("\x1b[1m", "").split())
    page = read_page(NAME)
    assert page is not None and title == f"{NAME}: {page.title}"


def test_no_colour_where_it_is_refused(shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(NAME, "zh")
    assert "\x1b" not in text and "发生了什么\n" in text


def test_what_is_longer_than_the_screen_is_paged(
    shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("PAGER", f"cat > '{tmp_path / 'paged'}'")
    assert shown(NAME, "zh") == ""
    paged = (tmp_path / "paged").read_text(encoding="utf-8")
    assert "\x1b[1;36m发生了什么\x1b[0m" in paged
    assert shown(None, "en") == ""
    assert (tmp_path / "paged").read_text().count("\n") == len(catalogue_names())


def test_what_fits_the_screen_is_not_paged(shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAGER", f"cat > '{tmp_path / 'paged'}'")
    assert shown(NAME, "en") != "" and not (tmp_path / "paged").exists()


def test_a_pager_that_is_not_there_loses_nothing(shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("PAGER", "no-such-pager-anywhere 2>/dev/null")
    assert "Why" in shown(NAME, "en")


# -- in a browser

@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The addresses that the browser was told to open."""
    addresses: list[str] = []

    def browse(address: str) -> bool:
        addresses.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return addresses


def test_open_shows_the_page_as_html(opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", NAME, "--open", "--lang", "zh"]) == 0
    path = Path(capsys.readouterr().out.removeprefix("页面存放在 ").strip())
    assert opened == [path.as_uri()] and path.name == f"{NAME}.html"
    text = path.read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in text and "<h2>为什么</h2>" in text and "return x if x.sum() &gt; y.sum() else y" in text


def test_where_there_is_no_browser_the_file_is_named(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert main(["explain", NAME, "--open", "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No browser was found. The page is in ")
    assert Path(out.split(" is in ")[1].strip()).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_open_without_a_name_shows_the_whole_catalogue(opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--open", "--lang", "en"]) == 0
    text = Path(capsys.readouterr().out.split(" is in ")[1].strip()).read_text(encoding="utf-8")
    assert text.count("<article ") == len(catalogue_names()) and text.count("<li><a href=") >= len(catalogue_names())


# -- in other company

def test_letters_that_the_stream_does_not_have_are_replaced() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    module._write("密钥 `x`", stream)
    assert stream.buffer.getvalue() == b"?? `x`"  # type: ignore[attr-defined]


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m perspicax explain | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.split()[0] == catalogue_names()[0] and done.stderr == ""


@pytest.mark.parametrize(("arguments", "says"), [
    ([], "a command is needed: "), (["exlain"], "there is no command exlain; a near name is explain"),
    (["--", "run"], "there is no command --"),
])
def test_a_wrong_command_is_explained(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and says in capsys.readouterr().err


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "run " in out and "explain " in out
