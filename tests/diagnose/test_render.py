"""The setting of a report: widths, wrapping, blocks, shapes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from perspicax.diagnose.render import draw_shapes, ordinal, plural, print_report, render_json, render_line, render_plain
from perspicax.diagnose.render.terminal import wants_colour
from perspicax.diagnose.render.text import cells, wrap
from perspicax.diagnose.report import Edit, Fix, Label, Report, Span


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("".join(f"line_{n:02} = {n}\n" for n in range(1, 60)))
    return str(tmp_path / "train.py")


def test_ordinals_and_plurals() -> None:
    assert [ordinal(i) for i in (0, 1, 2, 3, 10, 11, 12, 20, 110)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th"]
    assert [plural(1, "axis", "axes"), plural(2, "axis", "axes"), plural(0, "leaf", "leaves"), plural(3, "key")] == [
        "1 axis", "2 axes", "0 leaves", "3 keys"]


def test_cells() -> None:
    assert [cells(text) for text in ("abc", "温度", "e\u0301", "é", "a\u200db")] == [3, 4, 1, 1, 2]


def test_wrapping_respects_width_backticks_and_drawings() -> None:
    text = "one two `three four five` six\n  drawn   as it is, however long\nnext"
    assert wrap(text, 16) == ["one two", "`three four five`", "six", "  drawn   as it is, however long", "next"]
    assert wrap("aaa bbb", 7, first=4) == ["aaa", "bbb"]
    assert wrap("温度 温度", 8) == ["温度", "温度"]
    assert wrap("", 10) == [""]
    assert wrap("a ` b", 3) == ["a `", "b"]


def test_a_report_of_one_sentence_is_one_line() -> None:
    assert render_plain(Report("It went wrong."), "XError") == "XError: It went wrong."
    assert render_plain(Report("It went wrong."), "XError", announce=False) == "It went wrong."
    assert render_line(Report("It went wrong.\n  drawn")) == "It went wrong."


def test_room_is_left_for_the_name_that_python_prints() -> None:
    says = "word " * 19 + "end"
    assert len(render_plain(Report(says), announce=False).splitlines()) == 1
    assert len(render_plain(Report(says), "VeryLongName", announce=False).splitlines()) == 2


def test_fixes_are_aligned_and_conditions_stand_in_a_column() -> None:
    report = Report("X.", fixes=(
        Fix("do this", code=("with a:", "    b"), when="when c"), Fix(code="short", when="when it is"),
        Fix(code="rather longer", when="when not"), Fix("only words")))
    assert render_plain(report).splitlines()[2:] == [
        "  fix  do this:",
        "           with a:",
        "               b      when c",
        "  or   short              when it is",
        "  or   rather longer      when not",
        "  or   only words",
    ]
    assert render_plain(report, width=30).splitlines()[5:7] == ["  or   short", "           when it is"]


def test_an_edit_is_shown_as_the_line_it_makes(program: str) -> None:
    edit = Edit(Span(program, 3, 10, 3, 11), "7")
    assert "  fix  line_03 = 7" in render_plain(Report("X.", fixes=(Fix(edits=(edit,)),)))
    nowhere = Edit(Span("gone.py", 3, 10, 3, 11), "7")
    assert "  fix  7" in render_plain(Report("X.", fixes=(Fix(edits=(nowhere,)),)))


def test_gaps_gutter_and_lines_without_text(program: str) -> None:
    labels = (Label(Span(program, 2), ""), Label(Span(program, 4, 0, 4, 7), "here"), Label(Span(program, 40), "there"))
    assert render_plain(Report("X.", primary=Span(program, 4, 0, 4, 7, "f"), labels=labels)).splitlines()[2:] == [
        "  --> train.py:4:1 in f",
        "    2 | line_02 = 2",
        "    3 | line_03 = 3",
        "    4 | line_04 = 4",
        "      | ^^^^^^^ here",
        "...",
        "   40 | line_40 = 40",
        "      | there",
    ]


def test_a_label_without_columns_stands_below_its_line(program: str) -> None:
    text = render_plain(Report("X.", primary=Span(program, 9), labels=(Label(Span(program, 9), "computed here"),)))
    assert text.splitlines()[2:] == ["  --> train.py:9", "    9 | line_09 = 9", "      | computed here"]


def test_labels_without_a_place_are_told_all_the_same(program: str) -> None:
    labels = (Label(None, "the 1st operand: float32[3]"),)
    assert render_plain(Report("X.", labels=labels)).splitlines()[2:] == ["    = the 1st operand: float32[3]"]
    text = render_plain(Report("X.", primary=Span(program, 1, 0, 1, 7), labels=labels))
    assert text.splitlines()[-1] == "      = the 1st operand: float32[3]"


def test_many_labels_notes_and_fixes_stay_a_screenful(program: str) -> None:
    report = Report(
        "X.", labels=tuple(Label(Span(program, 2 * n + 1, 0, 2 * n + 1, 7), f"label {n}") for n in range(20)),
        why="because.", fixes=tuple(Fix(f"fix {n}", code=["a"] * 12) for n in range(9)),
        notes=tuple(f"note {n}" for n in range(9)))
    lines = render_plain(report).splitlines()
    assert len(lines) <= 40 and "      ... and 12 places more" in lines
    assert "  fix  fix 0:" in lines and "  or   fix 1:" not in lines and not any("note 8" in line for line in lines)


def test_a_span_behind_the_end_of_an_edited_file_is_harmless(program: str) -> None:
    labels = (Label(Span(program, 5, 70, 5, 99), "y"),)
    text = render_plain(Report("X.", primary=Span(program, 999, 3, 999, 9), labels=labels))
    assert "train.py:999:4" in text and "line_05 = 5" in text


def test_shapes_are_aligned_at_the_right() -> None:
    assert draw_shapes([("hidden", "float32", (8, 32)), ("b", "int8", (8,)), ("c", "bool", ())]).splitlines() == [
        "  hidden  float32[8, 32]",
        "  b          int8[    8]",
        "  c          bool[     ]",
        "                     ^^",
    ]
    assert draw_shapes([("x", "f", (1, "n", 3)), ("y", "f", (5, "n", 3))]).splitlines() == [
        "  x  f[1, n, 3]", "  y  f[5, n, 3]"]
    assert draw_shapes([("x", "f", (2, 3)), ("y", "f", (4, 5))], mark_axis=-2).splitlines()[-1] == "       ^"
    assert draw_shapes([("x", "f", (2, 3)), ("y", "f", (4, 5))]).splitlines()[-1] == "       ^  ^"
    assert draw_shapes([]) == ""


def test_json_has_every_part_and_counts_from_one(program: str) -> None:
    span = Span(program, 3, 10, 3, 11, "f")
    fix = Fix("s", "c\nd", (Edit(span, "7"),), "when")
    report = Report("X 漢.", span, (Label(None, "a"),), "w", (fix,), ("n",), "m")
    place = {"file": program, "line": 3, "column": 11, "end_line": 3, "end_column": 12, "function": "f",
             "source": "line_03 = 3"}
    assert json.loads(render_json(report, "XError")) == {
        "schema": 1, "name": "XError", "says": "X 漢.", "primary": place, "labels": [{"place": None, "text": "a"}],
        "why": "w", "notes": ["n"], "more": "m",
        "fixes": [{"says": "s", "code": ["c", "d"], "when": "when", "edits": [{"place": place, "replacement": "7"}]}]}


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_colour(Terminal()) and not wants_colour(io.StringIO())
    stream, plain = Terminal(), io.StringIO()
    print_report(Report("It went wrong."), "XError", stream)
    print_report(Report("It went wrong."), "XError", plain)
    assert stream.getvalue() == "\x1b[1;31mXError: \x1b[0m\x1b[1mIt went wrong.\x1b[0m\n"
    assert plain.getvalue() == "XError: It went wrong.\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal())
