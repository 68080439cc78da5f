"""What can go wrong when a class is made a pytree node."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Label, Place, Report

__all__ = [
    "DataclassArgumentsError", "DataclassFieldsError", "DuplicateNodeError", "NodeMethodError", "NotAClassError",
]


class DuplicateNodeError(PerspicaxError, ValueError):
    """A class was registered as a pytree node for the second time.

    Attributes:
        node: the name of the class.
        registered: the user's place of the first registration; None for a class that is a node from the start.
    """

    node: str
    registered: Place = None

    @property
    def report(self) -> Report:
        known = self.registered is not None
        return Report(
            says=f"`{self.node}` is a pytree node already{'' if known else ' from the start'}.",
            labels=(Label(self.registered, "registered here first"),) if known else (),
            why="a class is registered once and for the whole process: trees taken apart before would otherwise be put "
                "together in another way.",
            fixes=(Fix("keep one of the two (a module that is run twice, or reloaded, registers its classes twice)"),)
            if known else (Fix("register a subclass of it instead"),),
        )


class NotAClassError(PerspicaxError, TypeError):
    """Something else than a class was to be registered as a pytree node.

    Attributes:
        function: the function that the user called.
        actual: the type of what was given.
    """

    function: str
    actual: str

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.function}` takes a class, but got an instance of `{self.actual}`.",
            why="it is the instances of a class that become nodes.",
            fixes=(Fix("give the class itself", code=f"{self.function}({self.actual}, ...)"),),
        )


class NodeMethodError(PerspicaxError, AttributeError):
    """A class that is to be a pytree node lacks the method that puts it together again.

    Attributes:
        node: the name of the class.
        method: the name of the method.
    """

    node: str
    method: str

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.node}` cannot be registered as a pytree node: it has no method `{self.method}`.",
            why="a node class defines `tree_flatten(self)`, which returns (children, metadata), and the class method "
                "`tree_unflatten(cls, metadata, children)`, which builds an instance from them.",
            fixes=(Fix("define it", code=("@classmethod", "def tree_unflatten(cls, metadata, children):",
                                          "    return cls(*children)")),),
        )


class DataclassArgumentsError(PerspicaxError, TypeError):
    """`register_dataclass` was not told which fields hold data and which are static.

    Attributes:
        node: the name of the class.
        given: the one argument of the two that was given; empty if neither was.
    """

    node: str
    given: str = ""

    @property
    def report(self) -> Report:
        if self.given:
            lacking = "meta_fields" if self.given == "data_fields" else "data_fields"
            return Report(
                says=f"`register_dataclass` got `{self.given}` for `{self.node}`, but no `{lacking}`.",
                why="the two go together: each field is named in one of them.",
                fixes=(Fix("give both", code=f"{lacking}=[]"),
                       Fix("neither, for a dataclass whose static fields are marked",
                           code="field(metadata=dict(static=True))")),
            )
        return Report(
            says=f"`{self.node}` is not a dataclass: `register_dataclass` needs its `data_fields` and `meta_fields`.",
            why="only a dataclass tells the names of its fields by itself.",
            fixes=(Fix("decorate the class", code=("@register_dataclass", "@dataclass", f"class {self.node}:")),
                   Fix("name its fields", code="data_fields=[...], meta_fields=[...]")),
        )


class DataclassFieldsError(PerspicaxError, ValueError):
    """The fields named to `register_dataclass` are not those of the class, or one is named twice.

    Attributes:
        node: the name of the class.
        missing: fields of the class that are named nowhere.
        unexpected: names that are no field which the constructor takes.
        repeated: names that are given more than once.
        near: pairs (unexpected name, missing field) that look like one name in two spellings.
    """

    node: str
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    near: tuple[tuple[str, str], ...] = ()

    @property
    def report(self) -> Report:
        facts = [
            (self.repeated, "named more than once"),
            (self.missing, "not named"),
            (self.unexpected, "named, but no field that the constructor takes"),
        ]
        said = [f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {fact}" for names, fact in facts if names]
        fixes = [Fix(f"write `{right}` for `{wrong}`") for wrong, right in self.near]
        if self.missing:
            fixes.append(Fix("name a field that is to be left out", code=f"drop_fields={list(self.missing)!r}"))
        return Report(
            says=f"The fields of `{self.node}` do not fit: {'; '.join(said)}.",
            why="each field that the constructor takes is named once, as data (its value holds leaves) or as metadata "
                "(static), so that an instance can be built again from all of them.",
            fixes=tuple(fixes),
        )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
