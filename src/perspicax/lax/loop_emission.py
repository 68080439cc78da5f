"""StableHLO of loops and branches: `while`, `case`, and entries of stacked arrays."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.effects import Effect
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.xla.emit import Value, i64_array, physical_aval, told_of_sum

INDEX = ShapedArray((), np.dtype(np.int32))
_INLINED = 24  # equations; a longer body is a function of the module, so that its text is written once


def run_body(b: Any, closed: ClosedJaxpr, operands: Sequence[Value], name: str) -> list[Value]:
    """The results of a jaxpr without constants: written here when it is short, else a call."""
    if len(closed.jaxpr.eqns) <= _INLINED:
        return b.inline(closed.jaxpr, (), operands)
    return b.call(closed, operands, name)


def emit_while(b: Any, state: Sequence[Value], condition: Callable[..., Value], step: Callable[..., Sequence[Value]],
               effects: Sequence[Effect] = ()) -> list[Value]:
    """A while loop whose state is led by the tokens of its ordered effects.

    Args:
        state: the first values of the state.
        condition: `condition(builder, *state)` emits the test, a boolean scalar.
        step: `step(builder, *state)` emits one round.
        effects: the ordered effects of `step`; the test has none, since its region gives no tokens back.
    """
    avals = [v.aval for v in state]
    tokens = [b.token(e) for e in effects]
    inner_avals = [*[t.aval for t in tokens], *avals]

    test = b.region(inner_avals, lambda inner, *args: [condition(inner, *args[len(tokens):])])
    body = b.region(avals, step, tokens=effects)
    outs = b.hlo("while", [*tokens, *state], inner_avals, "", [test, body])
    for effect, token in zip(effects, outs):
        b.tokens[effect] = token
    return outs[len(tokens):]


def emit_case(b: Any, index: Value, out_avals: Sequence[Any], branches: Sequence[Callable[[Any], Sequence[Value]]],
              effects: Sequence[Effect] = ()) -> list[Value]:
    """One of several branches, by an int32 index.

    Args:
        out_avals: types of the results of each branch.
        branches: `branch(builder)` emits into its region; values of the surroundings may be used.
        effects: ordered effects of the branches; each gives the tokens on, whether it has the effect or not.
    """
    outer = {e: b.token(e) for e in effects}

    def region(branch: Callable[[Any], Sequence[Value]]) -> str:
        def body(inner: Any) -> list[Value]:
            inner.tokens = dict(outer)
            results = list(branch(inner))
            return [*[inner.tokens[e] for e in effects], *results]

        return b.region([], body)

    avals = [*[t.aval for t in outer.values()], *out_avals]
    outs = b.hlo("case", [index], avals, "", [region(branch) for branch in branches])
    for effect, token in zip(effects, outs):
        b.tokens[effect] = token
    return outs[len(outer):]


def empty(b: Any, aval: Any) -> Value:
    """An array that will be written over."""
    physical = physical_aval(aval)
    return told_of_sum(b, Value(b.constant(np.zeros((), physical.dtype), physical).name, aval))


def take(b: Any, x: Value, index: Value | int) -> Value:
    """Entry `index` of the leading axis."""
    whole, entry = physical_aval(x.aval), physical_aval(x.aval.unbatched(0))
    source = Value(x.name, whole)
    if isinstance(index, int):
        slab = b.slice(source, (index, *[0] * len(entry.shape)), (index + 1, *entry.shape))
    else:
        zero = b.constant(0, index.aval)
        slab = b.hlo("dynamic_slice", [source, index, *[zero] * len(entry.shape)],
                     ShapedArray((1, *entry.shape), whole.dtype), f"slice_sizes = {i64_array((1, *entry.shape))}")
    return told_of_sum(b, Value(b.reshape(slab, entry.shape).name, x.aval.unbatched(0)))


def put(b: Any, x: Value, entry: Value, index: Value) -> Value:
    """`x` with entry `index` of the leading axis replaced."""
    whole, part = physical_aval(x.aval), physical_aval(entry.aval)
    zero = b.constant(0, index.aval)
    slab = b.reshape(Value(entry.name, part), (1, *part.shape))
    slab = told_of_sum(b, Value(slab.name, slab.aval.laid(entry.aval.batched(1, 0).explicit)))
    made = b.hlo("dynamic_update_slice", [Value(x.name, whole), slab, index, *[zero] * (len(whole.shape) - 1)], whole)
    return told_of_sum(b, Value(made.name, x.aval))


__all__ = ["INDEX", "empty", "emit_case", "emit_while", "put", "run_body", "take"]
