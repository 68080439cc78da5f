"""Vectorisation: a `BatchTrace` lets every value have one more axis, and applies the primitives' `batch` rules."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

from perspicax.core.config import local
from perspicax.core.errors import rule_result
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo, eval_jaxpr
from perspicax.core.primitive import Missing, OfPrimitive, Primitive
from perspicax.core.trace import Trace, leak_error, outlived, stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.transform.hooks import lax
from perspicax.transform.rule_checks import check_batched, watching


class BatchAxis:
    """The axis that a vmap adds: its size, the name that collectives know it by, the axis of a mesh that splits it where the
    compiler chooses (`spmd`), and how explicit axes of a mesh split it (`part`, as of the type of a vector)."""

    __slots__ = ("name", "part", "size", "spmd")
    mesh: Any = None
    """Of the axis of a mesh, `(mesh, manual axes, whether types tell what varies)`."""

    def __init__(self, size: int, name: Any = None, spmd: Any = None, part: Any = None) -> None:
        self.size, self.name, self.spmd, self.part = size, name, spmd, part


class BatchTracer(Tracer):
    """A value with a batch axis that the user's function does not see."""

    __slots__ = ("_aval", "axis", "val")

    def __init__(self, trace: BatchTrace, val: Any, axis: int) -> None:
        self._trace = trace
        self.val = val
        self.axis = axis
        self._aval: Any = None

    def inner(self) -> Any:
        return self.val

    def __repr__(self) -> str:
        return f"VmapTracer(aval={self.aval}, batched={get_aval(self.val)})"

    @property
    def aval(self) -> Any:  # type: ignore[override]
        found = self._aval
        if found is None:
            found = self._aval = get_aval(self.val).unbatched(self.axis)  # type: ignore[attr-defined]
        return found


class BatchTrace(Trace):
    """Applies batching rules."""

    __slots__ = ("axis",)

    def __init__(self, parent: Trace, axis: BatchAxis, debug: DebugInfo | None = None) -> None:
        self.parent: Trace = parent
        self.dead = False
        self.debug = debug
        self.axis = axis

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        vals, axes, batched = [], [], False
        for x in args:
            if type(x) is BatchTracer and x._trace is self:
                vals.append(x.val)
                axes.append(x.axis)
                batched = True
            else:
                if isinstance(x, Tracer) and x._trace.dead:
                    raise leak_error(x)
                vals.append(x)
                axes.append(None)  # type: ignore[arg-type]
        parent = self.parent
        before = local.trace
        local.trace = parent
        try:
            if primitive.batch_call is not None:
                out, out_axis = primitive.batch_call(self, tuple(vals), tuple(axes), **primitive.unpack(values))
                return [x if a is None else BatchTracer(self, x, a) for x, a in zip(out, out_axis)]
            if not batched and (self.axis.name is None or not _names_axis(primitive, values, self.axis.name)):
                return parent.process(primitive, tuple(vals), values)
            rule = primitive.batch
            if rule is None or isinstance(rule, Missing):
                rule = primitive.rule("batch")
            found = rule(self.axis, tuple(vals), tuple(axes), **primitive.unpack(values))
        except (TypeError, ValueError):
            if primitive.batch_call is not None:  # what it raised is the user's function's, not about its operands
                raise
            told = _told_of_one(primitive, vals, axes, values)
            if told is not None:
                raise told from None
            raise
        finally:
            local.trace = before
        try:
            out, out_axis = found
            made = [x if a is None else BatchTracer(self, x, a) for x, a in zip(out, out_axis, strict=True)] \
                if primitive.multiple_results else None
        except (TypeError, ValueError):
            raise rule_result(primitive, "batch", found) from None
        if watching.any:
            check_batched(primitive, values, self.axis.size, vals, axes,
                          *([out], [out_axis]) if made is None else (out, out_axis))
        if made is not None:
            return made
        return out if out_axis is None else BatchTracer(self, out, out_axis)

    def again(self, fun: Callable[..., Sequence[Any]], args: Sequence[Any],
              axes: Sequence[int | None]) -> tuple[list[Any], list[int | None]]:
        """Results of `fun` and their axes, as by `batch_flat`; `fun` may close over values of this trace.

        It is called while this trace is alive, from whatever trace is current by then.
        """
        current, before = local.trace, self.parent
        self.parent, local.trace = current, self
        try:
            outs = fun(*[x if a is None else BatchTracer(self, x, a) for x, a in zip(args, axes)])
        finally:
            self.parent, local.trace = before, current
        return self.unzip(outs)

    def unzip(self, outs: Sequence[Any]) -> tuple[list[Any], list[int | None]]:
        """The values of results and their batch axes."""
        vals: list[Any] = []
        axes: list[int | None] = []
        for x in outs:
            if type(x) is BatchTracer and x._trace is self:
                vals.append(x.val)
                axes.append(x.axis)
            else:
                if isinstance(x, Tracer) and x._trace.dead:
                    raise leak_error(x)
                vals.append(x)
                axes.append(None)
        return vals, axes


def _told_of_one(primitive: Primitive, vals: Sequence[Any], axes: Sequence[int | None], values: tuple) -> Exception | None:
    """Where operands do not fit: what the type rule says of one element of the batch, whose shapes the user knows."""
    avals = [get_aval(x) if a is None else get_aval(x).unbatched(a) for x, a in zip(vals, axes)]
    try:
        primitive.infer(tuple(avals), values)
    except (TypeError, ValueError) as error:
        return error
    return None


def _names_axis(primitive: Primitive, values: tuple, name: Any) -> bool:
    """Whether a parameter of a collective (or a sub-jaxpr's collective) names the axis."""
    mentions = primitive.extra.get("axis_names")
    return mentions is not None and name in mentions(**primitive.unpack(values))


def axis_frames() -> list[Any]:
    """The named axes in scope, innermost first: each has a `name` and a `size`."""
    found: list[Any] = []
    trace = local.trace
    while trace is not None:
        if type(trace) is BatchTrace:
            if trace.axis.name is not None:
                found.append(trace.axis)
        elif trace.frames:
            found += trace.frames
        trace = trace.parent
    return found


def axes_key() -> tuple:
    """What a function that is staged now may know of the named axes in scope; a part of the keys of caches."""
    return tuple([(f.name, f.size, f.mesh) for f in axis_frames()])


# -- functions of flat operands

def batch_flat(fun: Callable[..., Sequence[Any]], axis: BatchAxis, args: Sequence[Any], axes: Sequence[int | None],
               debug: DebugInfo | None = None) -> tuple[list[Any], list[int | None]]:
    """Results of `fun` on each slice of `args` along `axes`, and the batch axis of each (`None`: the same for all)."""
    parent = local.trace
    trace = BatchTrace(parent, axis, debug)
    tracers: Any = [x if a is None else BatchTracer(trace, x, a) for x, a in zip(args, axes)]
    local.trace = trace
    try:
        outs = fun(*tracers)
    finally:
        local.trace = parent
        trace.dead = True
    vals, out_axes = trace.unzip(outs)
    tracers = outs = ()
    if getrefcount(trace) > 2:
        outlived(trace)
    return vals, out_axes


def to_axis(x: Any, source: int | None, destination: int | None, size: int) -> Any:
    """`x` with its batch axis moved to `destination`; repeated along a new axis when it has none."""
    if destination is None or source == destination:
        return x
    if source is None:
        return lax().broadcast(x, size, destination)
    return lax().move_axis(x, source, destination)


# -- jaxprs

def batch_jaxpr(closed: ClosedJaxpr, axis: BatchAxis, batched: tuple[bool, ...],
                forced: tuple[bool, ...] | bool = False) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """The jaxpr of `closed` with a batch axis in front of the inputs in `batched`, and which results have one.

    Args:
        forced: results that get a batch axis even where they are the same for all.
    """
    key = ("batch", axis.size, axis.name, batched, forced, axis.part)
    return closed.derive(key, lambda: _batch_jaxpr(closed, axis, batched, forced))


def _batch_jaxpr(closed: ClosedJaxpr, axis: BatchAxis, batched: tuple[bool, ...],
                 forced: tuple[bool, ...] | bool) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    found: list[tuple[bool, ...]] = []

    def mapped(*args: Any) -> list[Any]:
        outs, axes = batch_flat(lambda *xs: eval_jaxpr(closed.jaxpr, closed.consts, *xs), axis, args,
                                [0 if b else None for b in batched])
        wanted = (forced,) * len(outs) if isinstance(forced, bool) else forced
        found.append(tuple(a is not None or w for a, w in zip(axes, wanted)))
        return [to_axis(x, a, 0, axis.size) if b else x for x, a, b in zip(outs, axes, found[0])]

    avals = [a.batched(axis.size, 0, axis.part) if b else a for a, b in zip(closed.in_avals, batched)]
    return stage_flat(mapped, avals, closed.debug_info), found[0]


# -- common batching rules

def _batch_elementwise(primitive: Primitive) -> Callable[..., Any]:
    """The batching rule of an elementwise primitive: bring the batch axes together.

    Scalars without a batch axis stay scalars.
    """
    def batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[Any, int]:
        if len(args) == 1:
            return primitive(*args, **params), axes[0]
        ranks = [len(get_aval(x).shape) - (a is not None) for x, a in zip(args, axes)]  # type: ignore[attr-defined]
        rank = max(ranks)
        place = next(a for a, r in zip(axes, ranks) if a is not None and (r == rank)) if any(
            a is not None and r == rank for a, r in zip(axes, ranks)) else 0
        moved = []
        for x, a, r in zip(args, axes, ranks):
            if a is None:
                moved.append(lax().broadcast(x, 1, place) if r == rank and rank > 0 else x)
            elif r == rank:
                moved.append(lax().move_axis(x, a, place) if a != place else x)
            else:  # a scalar with a batch axis among arrays
                moved.append(expand_to_rank(x, rank + 1, place))
        return primitive(*moved, **params), place

    return batch


def expand_to_rank(x: Any, rank: int, place: int) -> Any:
    """A vector of scalars, as an array of `rank` axes, all but `place` of size 1."""
    return lax().expand(x, rank, place)  # type: ignore[attr-defined]


ELEMENTWISE = OfPrimitive(_batch_elementwise)
"""The batching rule of elementwise primitives."""
