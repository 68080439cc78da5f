"""`call` and `closed_call`: calls of a jaxpr, for those who write interpreters of jaxprs.

No program holds them: where a function is staged, transformed or run, they are what the jaxpr does.
"""
from __future__ import annotations

from typing import Any

from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Inside, NotLinear, Primitive
from perspicax.transform.batch import BatchAxis, batch_flat
from perspicax.transform.jvp import jvp_flat


def _run(call_jaxpr: ClosedJaxpr, args: Any) -> list[Any]:
    return eval_jaxpr(call_jaxpr.jaxpr, call_jaxpr.consts, *args)


def _jvp(primals: tuple, tangents: tuple, *, call_jaxpr: ClosedJaxpr) -> tuple[list, list]:
    return jvp_flat(lambda *xs: _run(call_jaxpr, xs), primals, tangents)


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, call_jaxpr: ClosedJaxpr) -> tuple[list, list]:
    return batch_flat(lambda *xs: _run(call_jaxpr, xs), axis, args, axes)


def _call(name: str) -> Primitive:
    return Primitive(
        name, params=("call_jaxpr",), multiple_results=True, cache_types=False, handles_extended=True,
        type_rule=lambda *avals, call_jaxpr: list(call_jaxpr.out_avals), jvp=_jvp, batch=_batch,
        transpose=NotLinear("no program holds it: it is what its jaxpr does"),
        emit=lambda b, *xs, call_jaxpr: b.call(call_jaxpr, xs, name), evaluate=lambda *xs, call_jaxpr: _run(call_jaxpr, xs),
        stage=lambda trace, args, params: _run(params["call_jaxpr"], args),
        inside=lambda call_jaxpr: Inside.call(call_jaxpr), in_sight=True, source="the jaxpr that it is given")


call_p = _call("call")
closed_call_p = _call("closed_call")

__all__ = ["call_p", "closed_call_p"]
