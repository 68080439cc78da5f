"""Emission with symbolic sizes: types have `?` for them, and operations that take sizes take them as values.

A rule writes the operations that it writes for known sizes; where a symbolic one is among the sizes, the builder writes their
dynamic forms: `dynamic_broadcast_in_dim` for `broadcast_in_dim`, `real_dynamic_slice` for `slice`, and so on. The variables
are scalars that the function computes from the sizes of its arguments. Everything is emitted into one function, so that they
are known wherever they are needed. When the program is called, XLA's shape refinement puts the sizes in, and nothing dynamic
is left.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import ClosedJaxpr, Literal, jaxprs_in
from perspicax.core.symbolic import Size, SymbolicSize, largest, symbolic_in
from perspicax.core.symbolic_parse import parse_expression
from perspicax.xla.emit import SYMBOLIC_SIZE, Builder, Module, Value, physical_aval
from perspicax.xla.errors import EmissionError

if TYPE_CHECKING:
    from perspicax.core.symbolic_scope import SymbolicScope

__all__ = ["DynamicBuilder", "DynamicModule"]

SIZE = ShapedArray((), np.dtype(np.int32))
_FLAG = ShapedArray((), np.dtype(bool))


class DynamicModule(Module):
    """A module some of whose sizes are symbolic.

    Attributes:
        scope: of the sizes; `None` when there are none.
        variables: the values of the variables, set where the function computes them.
    """

    symbolic = True

    def __init__(self, name: str, platform: str, scope: SymbolicScope | None) -> None:
        super().__init__(name, platform)
        self.scope = scope
        self.variables: dict[str, Value] = {}


class DynamicBuilder(Builder):
    """A builder that knows symbolic sizes."""

    __slots__ = ("sizes",)

    module: DynamicModule

    def __init__(self, module: Module, prefix: str = "", shared: list[int] | None = None) -> None:
        super().__init__(module, prefix, shared)
        self.sizes: dict[Any, Value] = {}

    def block(self) -> DynamicBuilder:
        """A builder for a region of this one."""
        return DynamicBuilder(self.module, shared=self.shared)

    # -- sizes as values

    def size(self, n: Size) -> Value:
        """A size as a scalar."""
        found = self.sizes.get(n)
        if found is None:
            found = self.sizes[n] = (self.constant(np.int32(n)) if type(n) is not SymbolicSize
                                     else _evaluated(self, n))
        return found

    def shape_value(self, shape: Sequence[Size]) -> Value:
        """A shape as a vector."""
        aval = ShapedArray((len(shape),), np.dtype(np.int32))
        if not symbolic_in(shape):
            return self.constant(np.asarray(shape, np.int32).reshape(len(shape)))
        one = ShapedArray((1,), np.dtype(np.int32))
        parts = [self.hlo("reshape", [self.size(n)], one) for n in shape]
        return parts[0] if len(parts) == 1 else self.hlo("concatenate", parts, aval, "dimension = 0 : i64")

    # -- what the builder for known sizes does otherwise

    def constant(self, value: Any, aval: ShapedArray | None = None) -> Value:
        if type(value) is SymbolicSize:
            found = self.size(value)
            return found if aval is None else self.convert(found, aval.dtype)
        return super().constant(value, aval)

    def constant_of(self, text: str, aval: ShapedArray) -> Value:
        if not aval.symbolic:
            return super().constant_of(text, aval)
        key = (text, aval)
        found = self.constants.get(key)
        if found is None:
            scalar = super().constant_of(text or "0", ShapedArray((), aval.dtype))
            found = self.constants[key] = self.broadcast(scalar, aval.shape, ())
        return found

    def generic(self, name: str, operands: Sequence[Value], out: Any, attributes: str = "",
                regions: Sequence[str] = (), discardable: str = "") -> Any:
        outs = out if isinstance(out, list | tuple) else [out]
        if SYMBOLIC_SIZE in attributes or any(getattr(a, "symbolic", False) for a in outs):
            dynamic = _DYNAMIC.get(name)
            if dynamic is not None:
                return dynamic(self, operands, out, attributes)
            if SYMBOLIC_SIZE in attributes or name in _NOT_YET:
                raise self.not_yet(name.partition(".")[2], outs)
        return super().generic(name, operands, out, attributes, regions, discardable)

    def not_yet(self, operation: str, out: Sequence[Any]) -> EmissionError:
        """The error for an operation that has no dynamic form here."""
        eqn = self.eqn
        return EmissionError(primitive=operation if eqn is None else eqn.primitive.name, platform=self.module.platform,
                             symbolic=tuple([a.str_short() for a in out]), position=None if eqn is None else eqn.position)

    def custom_call(self, target: str, operands: Sequence[Value], out: Any, **options: Any) -> Any:
        several = isinstance(out, list | tuple)
        outs = list(out) if several else [out]
        if not any(a.symbolic for a in outs):
            return super().custom_call(target, operands, out, **options)
        # behind the operands come the shapes of all results, which refinement takes away again
        shapes = [self.shape_value(physical_aval(a).shape) for a in outs]
        layouts = options.get("operand_layouts")
        if layouts is not None:
            options["operand_layouts"] = [*layouts, *[(0,)] * len(shapes)]
        places = list(range(len(operands), len(operands) + len(shapes)))
        found = super().custom_call(target, [*operands, *shapes], out, **options)
        marks = f"indices_of_shape_operands = dense<{places}> : tensor<{len(places)}xi64>"
        self.lines[-1] = self.lines[-1].replace("}> : (", f"}}> {{{marks}}} : (", 1)  # no property of the operation
        return found

    def slice(self, x: Value, start: Sequence[int], limit: Sequence[int], strides: Sequence[int] | None = None) -> Value:
        if not symbolic_in((*start, *limit)):
            return super().slice(x, start, limit, strides)
        steps = strides or (1,) * len(start)
        shape = tuple([largest(0, -(-(b - a) // s)) for a, b, s in zip(start, limit, steps)])
        return _real_slice(self, x, ShapedArray(shape, x.aval.dtype), self.shape_value(start), self.shape_value(limit), steps)

    def call(self, closed: ClosedJaxpr, operands: Sequence[Value], name: str = "f", apart: bool = False) -> list[Value]:
        """The equations of `closed`, here: as a function it would not know the sizes."""
        consts = [self.constant(np.asarray(c), v.aval) for c, v in zip(closed.consts, closed.jaxpr.constvars)]
        return self.inline(closed.jaxpr, consts, operands)

    def function(self, closed: ClosedJaxpr, name: str) -> Any:
        if _mentions_sizes(closed.jaxpr):
            raise self.not_yet(name, closed.out_avals)
        return super().function(closed, name)


def _mentions_sizes(jaxpr: Any) -> bool:
    """Whether a type in a jaxpr, at any depth, has a symbolic size."""
    for eqn in jaxpr.eqns:
        if any(getattr(a.aval, "symbolic", False) for a in (*eqn.invars, *eqn.outvars)):
            return True
        if any(type(a) is Literal and type(a.val) is SymbolicSize for a in eqn.invars):
            return True
        if any(_mentions_sizes(inner) for value in eqn.values for inner in jaxprs_in(value)):
            return True
    return any(getattr(v.aval, "symbolic", False) for v in (*jaxpr.invars, *jaxpr.outvars))


# -- sizes

class _Scalar:
    """A size under computation: `SymbolicSize.evaluate` adds and multiplies these."""

    __slots__ = ("b", "value")

    def __init__(self, b: DynamicBuilder, value: Value) -> None:
        self.b, self.value = b, value

    def _with(self, name: str, other: _Scalar | int) -> _Scalar:
        return _Scalar(self.b, self.b.op(name, [self.value, _scalar(self.b, other).value], SIZE))

    def __add__(self, other: _Scalar | int) -> _Scalar:
        return self._with("add", other)

    __radd__ = __add__

    def __mul__(self, other: _Scalar | int) -> _Scalar:
        return self._with("multiply", other)

    __rmul__ = __mul__


def _scalar(b: DynamicBuilder, x: _Scalar | int) -> _Scalar:
    return x if isinstance(x, _Scalar) else _Scalar(b, b.constant(np.int32(x)))


def _evaluated(b: DynamicBuilder, n: SymbolicSize) -> Value:
    values = {name: _Scalar(b, value) for name, value in b.module.variables.items()}

    def operation(name: str) -> Callable[..., _Scalar]:
        return lambda x, y: _Scalar(b, _OPERATIONS[name](b, _scalar(b, x).value, _scalar(b, y).value))

    found = n.evaluate(values, {name: operation(name) for name in _OPERATIONS})
    return _scalar(b, found).value


def _floor_parts(b: DynamicBuilder, x: Value, y: Value) -> tuple[Value, Value]:
    """The remainder towards zero, and whether the quotient is to be rounded down by one more."""
    rest = b.op("remainder", [x, y], SIZE)
    zero = b.constant(np.int32(0))
    some = b.compare(rest, zero, "NE", "SIGNED")
    signs = b.compare(b.compare(rest, zero, "LT", "SIGNED"), b.compare(y, zero, "LT", "SIGNED"), "NE", "UNSIGNED")
    return rest, b.op("and", [some, signs], _FLAG)


def _floor_divide(b: DynamicBuilder, x: Value, y: Value) -> Value:
    _, down = _floor_parts(b, x, y)
    quotient = b.op("divide", [x, y], SIZE)
    return b.select(down, b.op("subtract", [quotient, b.constant(np.int32(1))], SIZE), quotient)


def _floor_remainder(b: DynamicBuilder, x: Value, y: Value) -> Value:
    rest, down = _floor_parts(b, x, y)
    return b.select(down, b.op("add", [rest, y], SIZE), rest)


_OPERATIONS: dict[str, Callable[[DynamicBuilder, Value, Value], Value]] = {
    "floordiv": _floor_divide, "mod": _floor_remainder,
    "max": lambda b, x, y: b.op("maximum", [x, y], SIZE), "min": lambda b, x, y: b.op("minimum", [x, y], SIZE)}


# -- the dynamic forms

_ARRAYS = re.compile(r"(\w+) = (?:array<i64(?:: ([^>]*))?>|dense<([^>]*)> : tensor<\d+x2xi64>)")


def _sizes_in(b: DynamicBuilder, attributes: str) -> dict[str, list[Size]]:
    """The sizes in the text of attributes, as `i64_array` and `i64_matrix` write them."""
    return {name: [_read(b, part) for part in re.split(r",(?![^⟦]*⟧)", (row or matrix or "").strip()) if part.strip(" []")]
            for name, row, matrix in _ARRAYS.findall(attributes)}


def _read(b: DynamicBuilder, text: str) -> Size:
    text = text.strip(" []")
    if not text.startswith(SYMBOLIC_SIZE):
        return int(text)
    scope: Any = b.module.scope
    return parse_expression(text.strip("⟦⟧"), scope)


def _static_text(attributes: str, *without: str) -> str:
    """The attributes without those of these names."""
    return ", ".join([part for part in re.split(r", (?=\w+ = )", attributes) if part.partition(" = ")[0] not in without])


def _broadcast(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    return Builder.generic(b, "stablehlo.dynamic_broadcast_in_dim", [*operands, b.shape_value(out.shape)], out, attributes)


def _reshape(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    return Builder.generic(b, "stablehlo.dynamic_reshape", [*operands, b.shape_value(out.shape)], out)


def _iota(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    return Builder.generic(b, "stablehlo.dynamic_iota", [b.shape_value(out.shape)], out, attributes)


def _slice(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    sizes = _sizes_in(b, attributes)
    start, limit = (b.shape_value(sizes[name]) for name in ("start_indices", "limit_indices"))
    return _real_slice(b, operands[0], out, start, limit, sizes["strides"])


def _real_slice(b: DynamicBuilder, x: Value, out: Any, start: Value, limit: Value, strides: Sequence[Size]) -> Value:
    return Builder.generic(b, "stablehlo.real_dynamic_slice", [x, start, limit, b.shape_value(strides)], out)


def _dynamic_slice(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    """Starts are clamped here, as `dynamic_slice` does: the slice then ends where its size says."""
    if SYMBOLIC_SIZE not in attributes:
        return Builder.generic(b, "stablehlo.dynamic_slice", operands, out, attributes)
    x, *starts = operands
    one = ShapedArray((1,), np.dtype(np.int32))
    columns = []
    for n, size, start in zip(x.shape, out.shape, starts):
        last = b.op("subtract", [b.size(n), b.size(size)], SIZE)
        clamped = b.hlo("clamp", [b.size(0), b.convert(start, SIZE.dtype), last], SIZE)
        columns.append(b.hlo("reshape", [clamped], one))
    aval = ShapedArray((len(columns),), np.dtype(np.int32))
    begin = columns[0] if len(columns) == 1 else b.hlo("concatenate", columns, aval, "dimension = 0 : i64")
    end = b.op("add", [begin, b.shape_value(out.shape)], aval)
    return _real_slice(b, x, out, begin, end, (1,) * len(columns))


def _pad(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    if SYMBOLIC_SIZE not in attributes:
        return Builder.generic(b, "stablehlo.pad", operands, out, attributes)
    sizes = _sizes_in(b, attributes)
    amounts = [b.shape_value(sizes[name]) for name in ("edge_padding_low", "edge_padding_high", "interior_padding")]
    return Builder.generic(b, "stablehlo.dynamic_pad", [*operands, *amounts], out)


def _gather(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    if SYMBOLIC_SIZE not in attributes:
        return Builder.generic(b, "stablehlo.gather", operands, out, attributes)
    sizes = b.shape_value(_sizes_in(b, attributes)["slice_sizes"])
    return Builder.generic(b, "stablehlo.dynamic_gather", [*operands, sizes], out, _static_text(attributes, "slice_sizes"))


def _convolution(b: DynamicBuilder, operands: Sequence[Value], out: Any, attributes: str) -> Any:
    if SYMBOLIC_SIZE not in attributes:
        return Builder.generic(b, "stablehlo.convolution", operands, out, attributes)
    flat = _sizes_in(b, attributes)["padding"]
    aval = ShapedArray((len(flat) // 2, 2), np.dtype(np.int32))
    amounts = b.hlo("reshape", [b.shape_value(flat)], aval)
    return Builder.generic(b, "stablehlo.dynamic_conv", [*operands, amounts], out, _static_text(attributes, "padding"))


_DYNAMIC: dict[str, Callable[..., Any]] = {
    "stablehlo.broadcast_in_dim": _broadcast, "stablehlo.reshape": _reshape, "stablehlo.iota": _iota, "stablehlo.slice": _slice,
    "stablehlo.dynamic_slice": _dynamic_slice, "stablehlo.pad": _pad, "stablehlo.gather": _gather,
    "stablehlo.convolution": _convolution}
_NOT_YET = frozenset(("stablehlo.rng_bit_generator", "stablehlo.composite", "stablehlo.rng"))
