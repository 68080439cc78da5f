"""What every error of Perspicax can do, whatever it says."""

from __future__ import annotations

import ast
import copy
import pickle
import traceback
from pathlib import Path
from typing import ClassVar

import pytest

import perspicax
from perspicax.diagnose.errors import InternalError, PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Label, Position, Report, Span
from perspicax.diagnose.source import user_position


class AxisMissing(PerspicaxError, ValueError, IndexError):
    """An axis was named that is not there."""

    axis: int
    rank: int = 2
    seen: ClassVar[int] = 0

    @property
    def report(self) -> Report:
        type(self).seen += 1
        return Report(f"There is no axis {self.axis} among {self.rank}.", why="axes count from 0.")


class AxisOfNameMissing(AxisMissing):
    name_of_array: str

    @property
    def report(self) -> Report:
        return Report(f"`{self.name_of_array}` has no axis {self.axis}.")


class LegacyError(PerspicaxError, KeyError):
    """A parameter was asked for that is not there."""

    param: str
    path: tuple[str, ...]

    def __init__(self, param: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(param=param, path=path)

    @property
    def report(self) -> Report:
        return Report(f"No parameter `{self.param}` in {'/'.join(self.path)}.")


class TextError(ReportedError, TypeError):
    """Something with its own words."""


class HollowError(PerspicaxError):
    """Nothing can be said about this."""

    value: object

    @property
    def report(self) -> Report:
        raise AttributeError("no such thing")


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_fields_defaults_and_inheritance() -> None:
    error = AxisMissing(axis=3)
    assert (error.axis, error.rank) == (3, 2)
    assert isinstance(error, ValueError) and isinstance(error, IndexError)
    child = AxisOfNameMissing(axis=1, name_of_array="x", rank=5)
    assert (child.axis, child.rank, child.name_of_array) == (1, 5, "x")
    assert repr(child) == "AxisOfNameMissing(axis=1, rank=5, name_of_array='x')"


@pytest.mark.parametrize(("fields", "text"), [
    ({}, r"AxisMissing\(\) lacks `axis`"),
    ({"axis": 1, "rnk": 2}, r"AxisMissing\(\) has no field `rnk`; it has `axis`, `rank`"),
    ({"axis": 1, "seen": 2}, "has no field `seen`"),
])
def test_wrong_fields_are_found_where_the_error_is_made(fields: dict[str, int], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        AxisMissing(**fields)


def test_a_field_may_not_hide_what_exceptions_have() -> None:
    with pytest.raises(TypeError, match=r"Clash\.args: an exception already has"):
        type("Clash", (PerspicaxError,), {"__annotations__": {"args": int}})
    with pytest.raises(TypeError, match=r"Clash\.name: an exception already has"):
        type("Clash", (PerspicaxError, ImportError), {"__annotations__": {"name": str}})


def test_the_text_is_made_when_printed_and_kept() -> None:
    before = AxisMissing.seen
    error = AxisMissing(axis=3)
    assert AxisMissing.seen == before
    first = str(error)
    assert first.startswith("There is no axis 3 among 2.\n\n  --> ")
    assert str(error) is first and AxisMissing.seen == before + 1


def test_the_place_is_where_the_error_was_made() -> None:
    error, here = AxisMissing(axis=3), user_position()
    assert here is not None and isinstance(error.position, Position)
    assert (error.position.code, error.position.span().line) == (here.code, here.span().line)
    elsewhere = Span("other.py", 7, function="f")
    assert AxisMissing(axis=3, position=elsewhere).full_report.primary == elsewhere
    assert "--> other.py:7 in f" in str(AxisMissing(axis=3, position=elsewhere))
    assert error.one_line.endswith("AxisMissing: There is no axis 3 among 2.")


def test_python_prints_name_and_first_sentence() -> None:
    last = traceback.format_exception_only(AxisMissing(axis=3))[0]
    assert last.startswith(f"{__name__}.AxisMissing: There is no axis 3 among 2.\n")


@pytest.mark.parametrize("error", [
    AxisMissing(axis=3), AxisOfNameMissing(axis=1, name_of_array="x"), LegacyError("kernel", ("Dense_0",)),
    TextError(says="It went wrong.", fixes=(Fix("mend it", code="x = 1"),), labels=(Label(user_position(), "here"),)),
    TextError("plain words", 3), InternalError(what="x is y"),
], ids=lambda error: type(error).__name__)
def test_pickle_and_copy(error: PerspicaxError) -> None:
    error.add_note("a note")
    for double in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(double) is type(error)
        assert str(double) == str(error) and double.args == error.args and double.__notes__ == ["a note"]
        for name in type(error)._fields:
            if name != "labels":
                assert getattr(double, name, None) == getattr(error, name, None)
    place = pickle.loads(pickle.dumps(error)).position
    assert isinstance(error.position, Position) and place == error.position.span()


def test_a_pickled_position_is_a_span() -> None:
    position = user_position()
    assert position is not None
    assert pickle.loads(pickle.dumps(position)) == position.span()
    assert copy.deepcopy(position) is position


def test_a_field_that_cannot_be_pickled_does_not_keep_the_error_from_arriving() -> None:
    error = LegacyError("kernel", (lambda: 0,))  # type: ignore[arg-type]
    error.path = (error.path[0], "x")  # type: ignore[assignment]
    arrived = pickle.loads(pickle.dumps(error))
    assert str(arrived) == str(error) and arrived.param == "kernel" and "lambda" in repr(arrived.path)


def test_a_positional_signature_and_key_error() -> None:
    error = LegacyError("kernel", ("Dense_0",))
    assert error.param == "kernel"
    assert str(error).startswith("No parameter `kernel` in Dense_0.")  # not quoted, as KeyError would


def test_made_from_a_text_as_other_libraries_do() -> None:
    error = AxisMissing("axis is off")
    assert str(error).startswith("axis is off\n\n  --> ")
    assert error.args == ("axis is off",)
    assert "Nothing can be said about this." in str(PerspicaxError.__new__(HollowError))
    assert str(PerspicaxError()).startswith("An error whose facts are fields")


def test_args_may_be_read_and_set() -> None:
    error = AxisMissing(axis=3)
    assert error.args == (str(error),)
    error.args = ("in layer 2: there is no axis",)
    assert str(error).startswith("in layer 2: there is no axis")
    assert error.axis == 3


def test_a_report_that_fails_does_not_hide_the_error() -> None:
    error = HollowError(value=[1, 2])
    text = str(error)
    assert text.startswith("Nothing can be said about this.\n  value = [1, 2]\n\n  --> ")
    assert "(AttributeError: no such thing)" in text and "of Perspicax, not of your program." in " ".join(text.split())
    assert "value: a Unshowable that cannot be shown" in str(HollowError(value=Unshowable()))
    assert error.one_line.endswith("HollowError: Nothing can be said about this.")


def test_a_rendering_that_fails_does_not_hide_the_error() -> None:
    text = str(TextError(says="It went wrong.", labels=("not a label",)))  # type: ignore[arg-type]
    assert text.startswith("Something with its own words.\n  says = 'It went wrong.'")


def test_reported_error_says_what_it_was_given() -> None:
    fixes = (Fix(code="x = 1"),)
    error = TextError(says="It went wrong.", why="because.", fixes=fixes, notes=("so.",), more="the manual")
    lines = str(error).splitlines()
    assert lines[0] == "It went wrong."
    assert lines[-4:] == ["  why  because.", "  fix  x = 1", "  note so.", "  more the manual"]


def test_internal_error_says_whose_fault_it_is_and_what_to_send() -> None:
    text = " ".join(str(InternalError(what="an equation has no output", facts=(("equation", "add"),))).split())
    assert text.startswith("Perspicax made a mistake: an equation has no output.")
    for part in ("equation: add", "PERSPICAX_TRACEBACK=full", "jaxlib 0.", "more perspicax explain InternalError"):
        assert part in text


def test_only_explained_errors_point_to_the_catalogue() -> None:
    assert AxisMissing(axis=1).full_report.more == ""
    assert InternalError(what="x").full_report.more == "perspicax explain InternalError"


def test_an_error_keeps_no_frame() -> None:
    error = AxisMissing(axis=3)
    assert set(error.__dict__) == {"_place", "axis"}
    assert error.__traceback__ is None


def test_no_fix_begins_with_the_word_that_the_renderer_puts_before_it() -> None:
    package = Path(perspicax.__file__).parent
    found = []
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Fix"), args=[ast.Constant(value=str(says)) |
                                                             ast.JoinedStr(values=[ast.Constant(value=str(says)), *_]), *_]):
                    if says.startswith("or "):
                        found.append(f"{file.relative_to(package)}:{node.lineno}")
    assert found == []
