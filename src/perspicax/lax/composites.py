"""Composites: operations that the program names, with a decomposition for compilers that do not know them."""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.leaks import UnexpectedTracerError
from perspicax.core.primitive import Inside, NotLinear, Primitive
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.lax.bodies import check_callable, stage_body
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_flat
from perspicax.transform.jvp import jvp_flat
from perspicax.xla.emit import constant_text


class CompositeClosureError(UnexpectedTracerError):
    """The decomposition of a composite, or one of its attributes, uses a traced value from outside.

    Attributes:
        composite: its name.
        what: `constant` or `attribute`.
        type_text: the type of the value.
    """

    composite: str
    what: str
    type_text: str

    @property
    def report(self) -> Report:
        says = f"An attribute of the composite `{self.composite}` is traced: {self.type_text}." \
            if self.what == "attribute" else \
            f"The decomposition of the composite `{self.composite}` uses a traced value from outside of it, {self.type_text}."
        return Report(says=says, why="the operands of a composite are its arguments alone, so that a compiler that knows "
                                     "the name finds them there; all else must be known while tracing",
                      fixes=(Fix("pass the value as a positional argument"),))


# -- attributes

def attribute_text(value: Any) -> str:
    """A Python value as an attribute of MLIR.

    Raises:
        OperationShapeError: there is no attribute of its type.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case np.generic() | np.ndarray():
            return _array_text(np.asarray(value))
        case int():
            return f"{int(value)} : i64"
        case float():
            return f"0x{np.float64(value).view(np.uint64):016X} : f64"
        case str():
            return _quoted(value)
        case dtypes.ScalarType() | np.dtype():
            return ShapedArray((), value).mlir_element
        case Mapping():
            return f"{{{', '.join([f'{_quoted(str(k))} = {attribute_text(v)}' for k, v in value.items()])}}}"
        case list() | tuple():
            return f"[{', '.join([attribute_text(v) for v in value])}]"
    raise OperationShapeError(
        says=f"A composite was given an attribute of type {type(value).__name__}.",
        why="attributes are booleans, numbers, texts, dtypes, NumPy arrays, and lists and dicts of these")


def _array_text(x: np.ndarray) -> str:
    aval = ShapedArray(x.shape, x.dtype)
    if x.shape:
        return f"dense<{constant_text(x, aval)}> : {aval.mlir}"
    if x.dtype.kind == "b":
        return "true" if x else "false"
    return f"{constant_text(x, aval)} : {aval.mlir_element}"


def _quoted(text: str) -> str:
    escaped = "".join([chr(c) if 32 <= c < 127 and c not in (34, 92) else f"\\{c:02X}" for c in text.encode()])
    return f'"{escaped}"'


def emit_composite(b: Any, name: str, closed: ClosedJaxpr, operands: Sequence[Any], attributes: str,
                   version: int = 0) -> list[Any]:
    """Emit a composite; `attributes` is the text between the braces of its attribute dictionary."""
    function, _ = b.function(closed, name)
    return b.hlo("composite", operands, list(b.out), f"name = {_quoted(name)}, composite_attributes = {{{attributes}}}, "
                 f"decomposition = @{function}, version = {int(version)} : i32")


# -- the primitive

def _run(jaxpr: ClosedJaxpr) -> Callable[..., list[Any]]:
    return lambda *args: eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *args)


def _jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, **params: Any) -> tuple[list, list]:
    """The derivative is that of the decomposition: no compiler knows the composite's."""
    return jvp_flat(_run(jaxpr), primals, tangents)


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, **params: Any) -> tuple[list, list]:
    return batch_flat(_run(jaxpr), axis, args, axes)  # the composite is known for its own shapes only


def _emit(b: Any, *args: Any, jaxpr: ClosedJaxpr, name: str, version: int, attributes: tuple) -> list[Any]:
    text = ", ".join([f"{key} = {value}" for key, value in attributes])
    return emit_composite(b, name, jaxpr, args, text, version)


composite_p: Primitive = Primitive(
    "composite", params=("attributes", "jaxpr", "name", "version"), multiple_results=True,
    type_rule=lambda *avals, jaxpr, **_: list(jaxpr.out_avals), jvp=_jvp,
    transpose=NotLinear("it is differentiated by its decomposition"), batch=_batch, emit=_emit,
    inside=lambda jaxpr, **_: Inside.call(jaxpr), source="StableHLO specification, `composite`")


def composite(decomposition: Callable[..., Any], name: str, version: int = 0) -> Callable[..., Any]:
    """A function as a named operation, which a compiler that knows the name may compute in its own way.

    Args:
        decomposition: a function that computes it. Its positional arguments are the operands, pytrees of arrays; its
            keyword arguments are attributes of the operation.
        name: of the operation, commonly with the name of its library in front: `my.softmax`.
        version: changed when the meaning of the operation changes.

    Returns:
        A function of the arguments of `decomposition`. Attributes that are `None` are left out of the program.

    Raises:
        CompositeClosureError: the decomposition uses a traced value from outside, or an attribute is traced.
        OperationShapeError: an attribute is of a type that programs cannot hold.

    Differs: JAX refuses derivatives and `vmap`; here they are those of the decomposition.

    >>> tangent = composite(lambda x: sin(x) / cos(x), "my.tangent")
    >>> tangent(jnp.array(0.))
    Array(0., dtype=float32)
    """
    check_callable(decomposition, "composite", "decomposition")

    @functools.wraps(decomposition)
    def call(*args: Any, **attributes: Any) -> Any:
        given = {k: v for k, v in attributes.items() if v is not None}
        for leaf in tree.leaves(given):
            if isinstance(leaf, Tracer):
                raise _closure(name, "attribute", leaf)
        texts = tuple([(k, attribute_text(v)) for k, v in given.items()])
        leaves, in_tree = tree.flatten((args, {}))
        leaves = [operand(x) for x in leaves]
        fun = functools.partial(decomposition, **attributes) if attributes else decomposition
        body = stage_body(fun, "composite", in_tree, [get_aval(x) for x in leaves])
        for const in body.consts:
            if isinstance(const, Tracer):
                raise _closure(name, "constant", const)
        outs = composite_p(*body.consts, *leaves, attributes=texts, jaxpr=body.closed, name=name, version=version)
        return body.out_tree.unflatten(outs)

    return call


def _closure(name: str, what: str, value: Any) -> PerspicaxError:
    return CompositeClosureError(composite=name, what=what, type_text=value.aval.str_short())


__all__ = ["CompositeClosureError", "attribute_text", "composite", "composite_p",
           "emit_composite"]
