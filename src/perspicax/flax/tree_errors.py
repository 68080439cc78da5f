"""Errors of cursors and of the smaller tools for trees."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Report
from perspicax.flax.error_base import FlaxError, listed

__all__ = [
    "AxisRuleError", "BatchSizesError", "ConfigurationError", "CursorAttributeError", "CursorError", "CursorFindError",
    "CursorIterationError", "CursorKeyError", "FrozenDictError", "LiftError", "StateDictError", "StateMismatchError",
    "StructError", "TraversalError", "TraverseTreeError", "TreeTypeError",
]


class CursorFindError(FlaxError):
    """`Cursor.find` found nothing, or several places.

    Attributes:
        cursor: the first place that was found.
        cursor2: the second one.
        paths: all places that were found, as far as they were looked for.
        known: the paths that there are, where none was found.
        condition: the name of the condition.
    """

    cursor: Any
    cursor2: Any
    paths: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    condition: str = ""

    def __init__(self, cursor: Any = None, cursor2: Any = None, **facts: Any) -> None:
        if "paths" not in facts:
            facts["paths"] = tuple([_path(each) for each in (cursor, cursor2) if each is not None])
        super().__init__(cursor=cursor, cursor2=cursor2, **facts)

    @property
    def report(self) -> Report:
        if not self.paths:
            name = f"`{self.condition}`" if self.condition.isidentifier() else "the condition"
            there = f"; the paths are {listed(self.known)}" if self.known else ""
            return Report(says=f"`find` found no place where {name} holds: it matches none of the paths.",
                          why=f"the condition gets the path of each node and leaf, as 'a/b/c', and its value{there}",
                          fixes=(Fix("see what there is",
                                     code="for place in c.find_all(lambda path, value: True):\n    print(place)"),))
        drawn = "".join(f"\n    {path}" for path in self.paths[:8])
        rest = f"\n    and {len(self.paths) - 8} more" if len(self.paths) > 8 else ""
        return Report(says=f"`find` found {len(self.paths)} places where the condition holds:{drawn}{rest}",
                      why="`find` gives the only place; which of several is meant it cannot know",
                      fixes=(Fix("take them all", code="for place in c.find_all(condition):"),
                             Fix("make the condition narrower, by the path", code="lambda path, value: path == ...")))


def _path(cursor: Any) -> str:
    return str(getattr(cursor, "_path", cursor))


class TraverseTreeError(FlaxError):
    """A walk over a tree was given both a change and a condition, or neither.

    Attributes:
        update_fn: the change.
        cond_fn: the condition.
    """

    update_fn: Any
    cond_fn: Any

    def __init__(self, update_fn: Any, cond_fn: Any, **facts: Any) -> None:
        super().__init__(update_fn=update_fn, cond_fn=cond_fn, **facts)

    @property
    def report(self) -> Report:
        both = self.update_fn is not None and self.cond_fn is not None
        given = "not both" if both else "and was given neither"
        return Report(says=f"A walk over a tree takes a change or a condition, {given}.",
                      why="it either changes what it meets (`update_fn`) or collects where a condition holds (`cond_fn`)")


class FrozenDictError(ReportedError, ValueError):
    """A FrozenDict was to be changed."""


class TreeTypeError(ReportedError, TypeError):
    """A tool for trees was given something that is no tree of the kind it takes."""


class TraversalError(ReportedError, ValueError):
    """The values or paths given to a tool for trees do not go with the tree."""


class CursorError(ReportedError, ValueError, TypeError):
    """A cursor was used where it stands for nothing that could be used so."""


class AxisRuleError(ReportedError, ValueError):
    """Rules for logical axes contradict each other, or there is no mesh for them."""


class StateDictError(ReportedError, ValueError, KeyError):
    """A state dict does not fit what is to be restored from it, or cannot be made."""


class BatchSizesError(PerspicaxError, ValueError, AssertionError):
    """Arrays of one batch have other sizes along their leading axis.

    Attributes:
        sizes: the sizes, each once.
    """

    sizes: tuple[int, ...]

    @property
    def report(self) -> Report:
        if not self.sizes:
            return Report(says="A function of batches was called without a batch.",
                          why="the arguments that are not static are split over the devices, and there is none")
        return Report(says=f"The arrays of one batch have different sizes: {', '.join(map(str, self.sizes))}.",
                      why="all of them are filled up and split over the devices in the same way, along the leading axis",
                      fixes=(Fix("name the arguments that are no batch", code="pad_shard_unpad(f, static_argnums=(0, 1))"),))


class StateMismatchError(StateDictError):
    """A state has other names, or another number of entries, than the tree that is to be restored from it.

    Attributes:
        at: the part of the tree that was being restored.
        kind: what that part is.
        missing: paths (or names, in that part) that the tree has and the state has not.
        extra: those that the state has and the tree has not.
        differs: (path, what the tree has, what the state has) where both have something else.
        no_text: paths of keys of the state that are no text.
    """

    says: str = ""
    at: str = "."
    kind: str = "tree"
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    differs: tuple[tuple[str, str, str], ...] = ()
    no_text: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        kinds: list[Any] = [self.differs, self.no_text, self.missing, self.extra]
        shares = _shares([len(kind) for kind in kinds], 16)
        differs, no_text, missing, extra = [kind[:share] for kind, share in zip(kinds, shares)]
        lines = [f"differs       {path or 'the top'}: {wanted} is wanted, {given} is there" for path, wanted, given in differs]
        lines += [f"no text       {path}: the keys of a state are text" for path in no_text]
        lines += [f"missing       {path}" + _near(path, self.extra) for path in missing]
        lines += [f"not expected  {path}" for path in extra]
        at = self.at if len(self.at) <= 100 else f"{self.at[:60]}...{self.at[-36:]}"
        more = [f"{len(kind) - share} {what}" for kind, share, what in zip(
            kinds, shares, ("that differ", "with keys that are no text", "missing", "not expected")) if len(kind) > share]
        rest = [f"and {sum(map(len, kinds)) - len(lines)} more: {', '.join(more)}"] if more else []
        return Report(
            says=f"The state does not fit the {self.kind} that is to be restored"
                 + (f" (at `{at}`)" if at not in ("", ".") else "") + "."
                 + "".join(f"\n    {line}" for line in lines + rest),
            why="the target says which names there are, and each of them must be in the state",
            fixes=(*([Fix("make the keys text", code="from_state_dict(target, to_state_dict(state))")] if self.no_text else []),
                   Fix("build the target as the one that was saved"),
                   Fix("take the state as it is, with `None` as the target, and pick what fits")))


def _shares(counts: list[int], places: int) -> list[int]:
    """How many of each kind are shown in so many places: all of what is few, the rest in equal parts."""
    shares = [0] * len(counts)
    while places and shares != counts:
        for i, count in enumerate(counts):
            if places and shares[i] < count:
                shares[i] += 1
                places -= 1
    return shares


def _near(path: str, others: tuple[str, ...]) -> str:
    """The path beside this one whose name looks like its, if there is one."""
    from difflib import get_close_matches  # only a printed error needs it

    place, _, name = path.rpartition("[")
    beside = [other.rpartition("[")[2].strip("'\"]") for other in others if other.rpartition("[")[0] == place]
    near = get_close_matches(name.strip("'\"]"), beside, 1)
    return f"    (there is {near[0]!r})" if near else ""


class CursorKeyError(ReportedError, KeyError, IndexError):
    """A cursor was led to an item that is not there."""


class CursorAttributeError(ReportedError, AttributeError):
    """A cursor was led to an attribute that is not there."""


class CursorIterationError(ReportedError, NotImplementedError, TypeError):
    """A cursor was iterated over where it is at no list or tuple."""


class StructError(ReportedError, TypeError):
    """A dataclass of `flax.struct` was declared in a way that contradicts itself."""


class ConfigurationError(ReportedError, LookupError, AttributeError, ValueError, TypeError):
    """An option of Flax was named that does not exist, or given a value that it does not take."""


class LiftError(ReportedError, ValueError, TypeError):
    """The arguments of a lifted transformation do not go together."""
