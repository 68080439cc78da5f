"""The base of every public error: typed fields, one report, text only when somebody prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import get_annotations
from typing import Any, ClassVar

from perspicax.diagnose.frames import user_place
from perspicax.diagnose.place import Place, Position, Span
from perspicax.diagnose.report import Fix, Label, Report

__all__ = ["InternalError", "PerspicaxError", "ReportedError", "Unpicklable"]

_REQUIRED: Any = object()


class PerspicaxError(Exception):
    """An error whose facts are fields and whose words are made by its report.

    A subclass annotates its fields (a value makes a field optional), and defines `report`:

        class AxisMissing(PerspicaxError, ValueError):
            axis: int
            rank: int = 0

            @property
            def report(self) -> Report: ...

        raise AxisMissing(axis=3)

    A subclass with a documented positional signature defines `__init__` and passes the fields on by keyword. An error
    made from a single text, as other libraries do (`raise FlaxError("...")`), has that text as its report.

    Every class has a page in the catalogue, unless it says why it has none:

        class OperationError(PerspicaxError, no_page="a base: what is raised is one of its subclasses"): ...

    Attributes:
        position: the user's place at the time the error was made; pass `position=` to say another.
    """

    _fields: ClassVar[dict[str, Any]] = {}
    _required: ClassVar[tuple[str, ...]] = ()
    _no_page: ClassVar[str] = "the base of all: what is raised is one of its subclasses"
    _given: tuple[Any, ...] | None = None  # what a caller set as `args`
    _place: Place = None
    _text: str | None = None

    def __init_subclass__(cls, *, no_page: str = "", **options: Any) -> None:
        # There are hundreds of subclasses, all made at import: a class looks at its own annotations alone.
        super().__init_subclass__(**options)
        cls._no_page = no_page  # not inherited: what excuses a base says nothing of the classes below it
        own = [name for name, annotation in get_annotations(cls).items()
               if not name.startswith("_") and "ClassVar" not in str(annotation)]
        for name in own:
            for holder in cls.__mro__:
                if hasattr(holder.__dict__.get(name), "__set__"):
                    raise TypeError(f"{cls.__name__}.{name}: an exception already has an attribute of this name")
        names: dict[str, None] = {}
        for base in reversed(cls.__bases__):
            names.update(dict.fromkeys(getattr(base, "_fields", ())))
        names.update(dict.fromkeys(own))
        cls._fields = {name: getattr(cls, name, _REQUIRED) for name in names}
        cls._required = tuple([name for name, default in cls._fields.items() if default is _REQUIRED])

    def __init__(self, *args: Any, **fields: Any) -> None:
        state = self.__dict__
        place = fields.pop("position", None)
        state["_place"] = place or user_place(2)
        for name in fields:
            if name not in self._fields:
                raise TypeError(f"{type(self).__name__}() has no field `{name}`; it has {_listed(self._fields)}")
        state.update(fields)
        if args:
            state["_given"] = args
            return
        for name in self._required:
            if name not in fields:
                raise TypeError(f"{type(self).__name__}() lacks `{name}`")

    @property
    def position(self) -> Position | Span | None:
        """The user's place when the error was made."""
        place = self._place
        return place if place is None or isinstance(place, Span) else Position(*place)

    @property
    def report(self) -> Report:
        """What happened, where, why, and what to do: subclasses say it."""
        return Report(says=" ".join(map(str, self._given or ())) or (type(self).__doc__ or "").strip().split("\n")[0])

    @property
    def full_report(self) -> Report:
        """The report with what the class does not say itself: the place, and where to read on. Never fails."""
        from perspicax.diagnose.pages import has_page  # here, as in all that only a printed error needs: for weight
        from perspicax.diagnose.spelling import spelled

        try:
            report = self.report if self._given is None else Report(says=" ".join(map(str, self._given)), verbatim=True)
            report = spelled(report, type(self).__module__, self._place)
            if report.primary is None:
                report = report._replace(primary=self.position)
            if not report.more and has_page(type(self).__name__):
                report = report._replace(more=f"perspicax explain {type(self).__name__}")
            return report
        except Exception as broken:  # the error that happened matters more than the words for it
            return _fallback(self, broken)

    @property
    def one_line(self) -> str:
        """`file:line:column: Name: what happened`."""
        from perspicax.diagnose.render.line import render_line

        return render_line(self.full_report, type(self).__name__)

    @property
    def args(self) -> tuple[Any, ...]:  # type: ignore[override]
        """As any exception has: the text, unless the error was made from arguments. May be set, as is the custom."""
        return (str(self),) if self._given is None else self._given

    @args.setter
    def args(self, value: tuple[Any, ...]) -> None:
        self.__dict__["_given"] = tuple(value)
        self.__dict__.pop("_text", None)

    def __str__(self) -> str:
        text = self._text
        if text is None:
            from perspicax.diagnose.render.plain import render_plain

            try:
                text = render_plain(self.full_report, type(self).__name__, announce=False)
            except Exception as broken:
                text = render_plain(_fallback(self, broken), type(self).__name__, announce=False)
            self.__dict__["_text"] = text
        return text

    def __repr__(self) -> str:
        given = [repr(value) for value in self._given or ()]
        shown = [f"{name}={value!r}" for name, value in self._field_values() if value is not _REQUIRED]
        return f"{type(self).__name__}({', '.join(given + shown)})"

    def _field_values(self) -> Iterator[tuple[str, Any]]:
        for name, default in self._fields.items():
            yield name, self.__dict__.get(name, default)

    def __reduce__(self) -> tuple[Any, ...]:
        # The text is made now: where the pickle is read, there may be no source to make it from.
        state = {**self.__dict__, "_text": str(self), "_place": self.position}
        return _rebuilt, (type(self), {name: _picklable(value) for name, value in state.items()})

    def __copy__(self) -> PerspicaxError:
        return _rebuilt(type(self), self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> PerspicaxError:
        return _rebuilt(type(self), self.__dict__)  # fields are facts: nobody changes them, so both may share them


class Unpicklable:
    """Stands in a pickled error for a field that cannot be pickled, and shows as that field did."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown


def _picklable(value: Any) -> Any:
    import pickle

    try:
        pickle.dumps(value)
    except Exception:  # whatever it raises: the error must reach the other process, its text is complete
        return Unpicklable(repr(value))
    return value


def _rebuilt(cls: type[PerspicaxError], state: dict[str, Any]) -> PerspicaxError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    return error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _fallback(error: PerspicaxError, broken: Exception) -> Report:
    """What can be said when the report fails: the class, the fields, and that its words are missing."""
    facts = []
    for name, value in error._field_values():
        try:
            facts.append(f"  {name} = {value!r}"[:200])
        except Exception:  # a repr that fails must not hide the other fields
            facts.append(f"  {name}: a {type(value).__name__} that cannot be shown")
    summary = (type(error).__doc__ or "").strip().split("\n")[0] or type(error).__name__
    return Report(
        says="\n".join([summary, *facts]),
        primary=error.position,
        notes=(f"the full text of this error could not be made ({type(broken).__name__}: {broken}); that is a fault "
               "of Perspicax, not of your program.",),
    )


class ReportedError(PerspicaxError, no_page="a base: what is raised is one of its subclasses"):
    """An error that brings its words with it, for what is raised in one place only.

        class AxisError(ReportedError, ValueError):
            "An axis was named that the array does not have."

        raise AxisError(says=f"`{name}` has no axis {axis}.", why="...", fixes=(Fix(...),))
    """

    says: str
    why: str = ""
    fixes: tuple[Fix, ...] = ()
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    primary: Place = None
    more: str = ""

    @property
    def report(self) -> Report:
        return Report(self.says, self.primary, self.labels, self.why, self.fixes, self.notes, self.more)


class InternalError(PerspicaxError):
    """Perspicax found that it made a mistake itself.

    Attributes:
        what: what was found, as a clause ("an equation reads a variable that nothing defines").
        facts: what helps to mend it, as (name, value) pairs of text.
    """

    what: str
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def report(self) -> Report:
        import platform  # only a fault of ours needs it

        versions = ", ".join(f"{name} {_version(name)}" for name in ("perspicax", "jaxlib", "numpy"))
        drawn = "".join(f"\n  {name}: {value}" for name, value in self.facts)
        return Report(
            says=f"Perspicax made a mistake: {self.what}.",
            why=f"this is checked so that a fault of Perspicax never becomes a wrong result.{drawn}",
            fixes=(Fix("report it, with this text and the smallest program that shows it; the traceback with "
                       "Perspicax's own frames helps most", code="PERSPICAX_TRACEBACK=full python ..."),),
            notes=(f"{versions}, Python {platform.python_version()}, {platform.system()} {platform.machine()}.",),
        )


def _version(package: str) -> str:
    from importlib import metadata  # it loads the whole of `email`

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
