"""With `jax_explain_cache_misses`: why a jitted function is traced again, and how to avoid it.

What was traced is kept by a key: the structure and the types of the arguments, the static arguments, the options. The key of
this call is held against those of the earlier ones, and what differs from the nearest is told, argument by argument.
"""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from types import CodeType
from typing import Any, NamedTuple

from perspicax.core.option import tracing_options
from perspicax.core.tree_mismatch import mismatches, sentence
from perspicax.diagnose.frames import user_position
from perspicax.diagnose.place import Position
from perspicax.diagnose.render.plain import render_plain
from perspicax.diagnose.report import Fix, Report
from perspicax.transform import trees as tree
from perspicax.transform.stage import function_name, positional_names, short_repr

logger = logging.getLogger("jax")


class Difference(NamedTuple):
    """One thing that differs from an earlier call.

    Attributes:
        kind: `shape`, `dtype`, `weak_type`, `sharding`, `static`, `identity` (a static object of a class without `==`),
            `structure`, `option`, `donation`, `axes`, `function`, `closure` or `global`.
        path: the argument (`params['w']`), the option, or the name that the function closes over.
        before, now: what it was, and what it is.
    """

    kind: str
    path: str
    before: str
    now: str

    def __str__(self) -> str:
        if self.kind == "structure":
            return self.now
        if self.kind == "identity":
            return f"{self.path}: another `{self.now}`, which equals none but itself (static)"
        word = {"weak_type": "weak type", "closure": "closed over", "option": "option"}.get(self.kind, self.kind)
        return f"{self.path}: {self.now}, before {self.before} ({word})"


class CacheMiss(NamedTuple):
    """Why a function is traced.

    Attributes:
        function: its name.
        differences: from the nearest earlier call; empty for the first.
        position: the user's call.
        definition: the function.
    """

    function: str
    differences: tuple[Difference, ...]
    position: Position | None
    definition: Position | None

    @property
    def report(self) -> Report:
        if not self.differences:
            return Report(says=f"`{self.function}` is traced for the first time.", primary=self.position)
        kinds = {d.kind for d in self.differences}
        if "function" in kinds:
            return self._of_new_function()
        rows = "".join([f"\n  {d}" for d in self.differences[:MOST_ROWS]])
        more = len(self.differences) - MOST_ROWS
        rows += f"\n  and {more} more" if more > 0 else ""
        return Report(says=f"`{self.function}` is traced again: no earlier call was like this one. From the nearest differs:"
                           f"{rows}", primary=self.position, fixes=tuple([_FIXES[k] for k in _FIXES if k in kinds]))

    def _of_new_function(self) -> Report:
        closed = [d for d in self.differences if d.kind in ("closure", "global")]
        rows = "".join([f"\n  {d}" for d in closed[:MOST_ROWS]])
        fixes = [Fix("define and jit the function once, outside of the loop or function that calls it")]
        if closed:
            names = ", ".join([d.path for d in closed])
            fixes.insert(0, Fix(f"pass {names} as {'an argument' if len(closed) == 1 else 'arguments'}"))
        return Report(says=f"`{self.function}` is traced again: it is a new function object, with the code of one that was "
                           f"traced before.{rows}", primary=self.position,
                      why="what was traced is kept with the function object; a function or lambda that is made at each call "
                          "is another one each time", fixes=tuple(fixes))


MOST_ROWS = 8
_FIXES = {
    "shape": Fix("let the calls have few shapes: pad to one of them, or drop the last batch"),
    "dtype": Fix("convert before the call", code="x = jnp.asarray(x, jnp.float32)"),
    "weak_type": Fix("pass an array in place of a Python number, or the other way, at every call",
                     code="f(jnp.float32(2))"),
    "static": Fix("pass as an ordinary argument what takes many values"),
    "identity": Fix("let static objects of the same contents be equal: make their class a frozen dataclass",
                    code="@dataclasses.dataclass(frozen=True)"),
    "structure": Fix("call with arguments of one structure: the same keys, lengths and keyword arguments"),
    "option": Fix("set the option once, before the first call"),
}


# -- finding what differs

def explain(fun: Callable[..., Any], name: str, keys: Iterable[tuple], key: tuple,
            static_name: Callable[[Any], str]) -> None:
    """Tell the logger `jax`, as a warning, why `fun` is traced.

    Args:
        fun: the function.
        name: what to call it.
        keys: of what was traced of it.
        key: of this call: state of the options, structure, types, static arguments, donation, named axes.
        static_name: the name of a static argument that is given by number or by name.
    """
    code = getattr(fun, "__code__", None)
    earlier = list(keys)
    found = nearest(fun, earlier, key, static_name) if earlier else _new_function(fun, code)
    if isinstance(code, CodeType):
        if len(_seen) >= _MOST_SEEN:
            _seen.clear()
        _seen[code] = _closure(fun)
    miss = CacheMiss(name, tuple(found), user_position(2), None if code is None else Position(code, 0))
    logger.warning("%s", render_plain(miss.report, "TRACING CACHE MISS"))


_MOST_SEEN = 4096
_seen: dict[CodeType, dict[str, str]] = {}  # what was traced while misses are explained, and what it closed over


def _new_function(fun: Any, code: Any) -> list[Difference]:
    before = _seen.get(code) if isinstance(code, CodeType) else None
    if before is None:
        return []
    changed = [Difference("closure" if k in fun.__code__.co_freevars else "global", k, before[k], v)
               for k, v in _closure(fun).items() if before.get(k, v) != v]
    return [Difference("function", function_name(fun), "", ""), *changed]


def _closure(fun: Any) -> dict[str, str]:
    """What a function closes over, and the numbers and texts among the globals that it reads, as text: nothing of the user's is
    kept alive."""
    world = getattr(fun, "__globals__", {})
    found = {name: short_repr(world[name]) for name in fun.__code__.co_names
             if isinstance(world.get(name), (bool, int, float, complex, str))}
    for name, cell in zip(fun.__code__.co_freevars, fun.__closure__ or ()):
        try:
            found[name] = short_repr(cell.cell_contents)
        except ValueError:  # not bound yet
            found[name] = "nothing yet"
    return found


def nearest(fun: Any, earlier: Sequence[tuple], key: tuple, static_name: Callable[[Any], str]) -> list[Difference]:
    """The differences from the earlier call that has the fewest; of several, from the latest."""
    best = min(reversed(earlier), key=lambda other: _distance(other, key))
    return differences(fun, best, key, static_name)


def _distance(other: tuple, key: tuple) -> int:
    """How far two keys are apart; cheap, since there may be thousands."""
    state, structure, avals, statics, donated, axes = key
    found = (other[0] is not state) + (other[3] != statics) + (other[4] != donated) + (other[5] != axes)
    if other[1] != structure:
        return found + 1000 + abs(len(avals) - len(other[2]))
    return found + sum([0 if a is b else 2 * (a.shape != b.shape) + 2 * (a.dtype != b.dtype) + 1
                        for a, b in zip(avals, other[2])])


def differences(fun: Any, other: tuple, key: tuple, static_name: Callable[[Any], str]) -> list[Difference]:
    """What differs between two keys."""
    state, structure, avals, statics, donated, axes = key
    found: list[Difference] = []
    if structure != other[1]:
        found += _of_structure(fun, other[1], structure, statics)
    else:
        names = _leaf_names(fun, structure, statics)
        for name, before, now in zip(names, other[2], avals):
            if before is not now:
                found.append(_of_types(name, before, now))
    found += _of_statics(other[3], statics, static_name)
    if state is not other[0]:
        found += [Difference("option", o.name, repr(a), repr(b))
                  for o, a, b in zip(tracing_options(), other[0].values, state.values) if a != b]
    if donated != other[4]:
        found.append(Difference("donation", "donated arguments", str(other[4]), str(donated)))
    if axes != other[5]:
        found.append(Difference("axes", "named axes in scope", str(other[5]), str(axes)))
    return found


def _fixed(statics: tuple) -> tuple[int, ...]:
    return tuple([which for which, _, _ in (statics[0] if statics else ()) if isinstance(which, int)])


def _leaf_names(fun: Any, structure: Any, statics: tuple) -> list[str]:
    args, kwargs = structure.unflatten(range(structure.num_leaves))
    fixed = _fixed(statics)
    names = positional_names(fun, len(args) + len(fixed), fixed)
    return [f"{name}{tree.keystr(path)}" for name, arg in [*zip(names, args), *kwargs.items()]
            for path, _ in tree.flatten_with_path(arg)[0]]


def _of_types(name: str, before: Any, now: Any) -> Difference:
    for kind in ("shape", "dtype"):
        if getattr(before, kind) != getattr(now, kind):
            return Difference(kind, name, before.str_short(), now.str_short())
    if before.weak_type != now.weak_type:
        text = {True: "weakly typed, as a Python number", False: "strongly typed, as an array"}
        return Difference("weak_type", name, f"{before.str_short()} {text[before.weak_type]}",
                          f"{now.str_short()} {text[now.weak_type]}")
    return Difference("sharding", name, str(before.sharding), str(now.sharding))


def _of_structure(fun: Any, before: Any, now: Any, statics: tuple) -> list[Difference]:
    """Argument by argument; each difference is a sentence."""
    (args_before, kwargs_before), (args, kwargs) = [s.unflatten([_ARRAY] * s.num_leaves) for s in (before, now)]
    found = []
    if len(args_before) != len(args):
        found.append(Difference("structure", "", "", f"{len(args)} arguments by position, before {len(args_before)}"))
    if set(kwargs_before) != set(kwargs):
        found.append(Difference("structure", "", "", f"by name {_listed(kwargs)}, before {_listed(kwargs_before)}"))
    fixed = _fixed(statics)
    names = positional_names(fun, len(args) + len(fixed), fixed)
    pairs = [*zip(names, args_before, args), *[(k, kwargs_before[k], kwargs[k]) for k in kwargs if k in kwargs_before]]
    for name, old, new in pairs:
        for mismatch in mismatches(old, new):
            found.append(Difference("structure", name, "", sentence(mismatch, f"{name} before", f"{name} now")))
    return found


_ARRAY = type("array", (), {})()  # stands for a leaf, of which the structure knows nothing; texts show its class


def _listed(names: Iterable[str]) -> str:
    return ", ".join([f"`{n}`" for n in names]) or "none"


def _of_statics(before: tuple, now: tuple, static_name: Callable[[Any], str]) -> list[Difference]:
    old = {which: value for which, _, value in (before[0] if before else ())}
    new = {which: value for which, _, value in (now[0] if now else ())}
    found = []
    for which in {**old, **new}:
        a, b = old.get(which, _ABSENT), new.get(which, _ABSENT)
        if type(a) is type(b) and type(a).__eq__ is object.__eq__ and a is not b:
            found.append(Difference("identity", static_name(which), type(a).__name__, type(b).__name__))
        elif type(a) is not type(b) or a != b:
            found.append(Difference("static", static_name(which), *[
                "left out" if v is _ABSENT else f"{short_repr(v)}" if type(a) is type(b) or _ABSENT in (a, b)
                else f"{short_repr(v)} of class {type(v).__name__}" for v in (a, b)]))
    return found


_ABSENT = object()

__all__ = ["CacheMiss", "Difference", "differences", "explain", "nearest"]
