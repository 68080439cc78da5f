"""Lowering rules that users write: as functions of arrays, or with the MLIR bindings (`jax.interpreters.mlir`)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.effects import ordered
from perspicax.core.errors import RuleMissingError
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import Missing
from perspicax.core.primitive import Primitive as WholePrimitive
from perspicax.core.trace import stage_flat
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.facade import NotThereYet
from perspicax.diagnose.report import Fix, Report
from perspicax.xla.emit import Builder, Value, physical_aval

__all__ = [
    "LoweringRuleContext", "ModuleContext", "aval_to_ir_type", "aval_to_ir_types", "dense_int_array",
    "dense_int_elements", "dtype_to_ir_type", "i32_attr", "i64_attr", "ir_constant", "lower_fun", "register_lowering",
]


class LoweringResultError(PerspicaxError, TypeError):
    """A user's lowering rule returned, or passed on, values of other types than promised.

    Attributes:
        primitive: the primitive.
        promised: the types by the type rule; those of the context's `avals_in`, for operands.
        got: the types of what the rule returned, or passed on.
        kind: `results`, or `operands` (of what `lower_fun` made, called within the rule).
    """

    primitive: str
    promised: tuple[str, ...]
    got: tuple[str, ...]
    kind: str = "results"

    @property
    def report(self) -> Report:
        if self.kind == "operands":
            return Report(says=f"The lowering rule of `{self.primitive}` passed {', '.join(self.got) or 'nothing'} to what "
                               f"`lower_fun` made, where the context's `avals_in` say {', '.join(self.promised) or 'nothing'}.",
                          why="the function is traced for the types that the context tells",
                          fixes=(Fix("tell them", code="mlir.lower_fun(f)(ctx.replace(avals_in=[...]), *values)"),))
        return Report(says=f"The lowering rule of `{self.primitive}` returned {', '.join(self.got) or 'nothing'}, where its "
                           f"type rule promises {', '.join(self.promised) or 'nothing'}.",
                      why="callers were compiled for the promised types")


def register_lowering(prim: WholePrimitive, rule: Callable[..., Any], platform: str | None = None, inline: bool = True,
                      cacheable: bool = True) -> None:
    """Say how a primitive is compiled.

    Args:
        prim: the primitive.
        rule: what `lower_fun` returned, or `rule(ctx, *values, **params)`, which builds operations with the MLIR bindings
            and returns the values of the results.
        platform: the only platform that the rule serves; by default it serves all for which there is no other.
        inline: accepted; the operations become a function of the program, which XLA inlines.
        cacheable: accepted; one function serves all equal uses within an equation.
    """
    rules = prim.extra.setdefault("lowerings", {})
    if platform is None and not isinstance(prim.emit, Missing) and "user" not in prim.extra:
        rules.clear()
    rules[platform] = rule
    prim.extra["user"] = True
    previous = prim.extra.setdefault("own emit", prim.emit)

    def emit(b: Builder, *values: Value, **params: Any) -> Any:
        chosen = rules.get(b.module.platform, rules.get(None))
        if chosen is None:
            if not isinstance(previous, Missing):
                return previous(b, *values, **params)
            raise RuleMissingError(primitive=prim.name, rule="emit",
                                   reason=f"its lowering rules serve {', '.join(map(str, rules))} only")
        if isinstance(chosen, LoweredFunction):
            outs = chosen.emit(b, values, params)
        else:
            outs = _emit_mlir(prim, chosen, b, values, params)
        return outs if prim.multiple_results else outs[0]

    prim.emit = emit


class LoweredFunction:
    """A lowering rule that is a function of arrays."""

    def __init__(self, fun: Callable[..., Any], multiple_results: bool) -> None:
        self.fun, self.multiple_results = fun, multiple_results

    def emit(self, b: Builder, values: Sequence[Value], params: dict[str, Any]) -> list[Value]:
        """Emit what the function does with these operands."""
        closed = self._staged([v.aval for v in values], params)
        consts = [b.constant(np.asarray(c)) for c in closed.consts]
        return b.inline(closed.jaxpr, consts, values)

    def _staged(self, avals: Sequence[Any], params: dict[str, Any]) -> ClosedJaxpr:
        def flat(*args: Any) -> list[Any]:
            result = self.fun(*args, **params)
            return list(result) if self.multiple_results else [result]

        return stage_flat(flat, list(avals))

    def __call__(self, ctx: LoweringRuleContext, *values: Any, **params: Any) -> list[Any]:
        """As a step of another rule: a call of the function, at the current insertion point.

        Args:
            ctx: the rule's context; its `avals_in` are the types of `values`.
            values: MLIR values.
            params: what the function takes by keyword.

        Returns:
            The MLIR values of the results.

        Raises:
            LoweringResultError: `values` are of other types than `ctx.avals_in`.
        """
        from perspicax.binding import mlir

        wanted, got = [physical_aval(a).mlir for a in ctx.avals_in], [str(v.type) for v in values]
        if wanted != got:
            raise LoweringResultError(primitive=ctx.primitive.name, promised=tuple(wanted), got=tuple(got), kind="operands")
        closed = self._staged(ctx.avals_in, params)
        if ordered(closed.effects):
            raise NotThereYet(missing="jax.interpreters.mlir.lower_fun of a function with ordered effects, within a rule")
        program = ctx.module_context
        name, _ = program.builder.function(closed, f"lowered_{getattr(self.fun, '__name__', 'f')}")
        return mlir.call_function(program.module, name, got, [physical_aval(a).mlir for a in closed.out_avals], values)


def lower_fun(fun: Callable[..., Any], multiple_results: bool = True) -> Any:
    """A lowering rule from a function of arrays.

    Args:
        fun: takes the operands, and the parameters by keyword.
        multiple_results: whether it returns a sequence of arrays.
    """
    return LoweredFunction(fun, multiple_results)


class ModuleContext:
    """What a lowering rule may ask of the program that it is part of."""

    def __init__(self, module: Any, context: Any, platforms: Sequence[str], builder: Any = None) -> None:
        self.module, self.context, self.platforms, self.builder = module, context, tuple(platforms), builder


class LoweringRuleContext:
    """What a lowering rule may ask of the equation: types of operands and results, the primitive, the program."""

    def __init__(self, module_context: ModuleContext, primitive: Any, avals_in: Sequence[Any],
                 avals_out: Sequence[Any]) -> None:
        self.module_context, self.primitive = module_context, primitive
        self.avals_in, self.avals_out = tuple(avals_in), list(avals_out)
        self.platforms = module_context.platforms

    def replace(self, **changes: Any) -> LoweringRuleContext:
        """A copy with some attributes changed."""
        fields = dict(module_context=self.module_context, primitive=self.primitive, avals_in=self.avals_in,
                      avals_out=self.avals_out)
        return LoweringRuleContext(**{**fields, **changes})


def _emit_mlir(prim: Any, rule: Callable[..., Any], b: Builder, values: Sequence[Value],
               params: dict[str, Any]) -> list[Value]:
    """Let the rule build a function of its own, and call that."""
    from perspicax.binding import mlir

    promised = list(b.out)
    name = b.module.fresh_name(f"lowered_{prim.name}")

    def build(module: Any, arguments: Sequence[Any]) -> list[Any]:
        ctx = LoweringRuleContext(ModuleContext(module, mlir.context(), (b.module.platform,), b), prim,
                                  [v.aval for v in values], promised)
        return _flat(rule(ctx, *arguments, **params))

    text, types = mlir.function_text(name, [v.aval.mlir for v in values], build)
    if types != [a.mlir for a in promised]:
        raise LoweringResultError(primitive=prim.name, promised=tuple([a.str_short() for a in promised]), got=tuple(types))
    b.module.functions.append(text)
    return _call(b, name, values, promised)


def _call(b: Builder, function: str, operands: Sequence[Value], out: Sequence[Any]) -> list[Value]:
    n = b.shared[0] = b.shared[0] + 1
    args, types = ", ".join([v.name for v in operands]), ", ".join([v.aval.mlir for v in operands])
    left = "" if not out else (f"%{n} = " if len(out) == 1 else f"%{n}:{len(out)} = ")
    b.line(f"{left}func.call @{function}({args}) : ({types}) -> ({', '.join([a.mlir for a in out])})")
    names = [f"%{n}"] if len(out) == 1 else [f"%{n}#{i}" for i in range(len(out))]
    return [Value(name, a) for name, a in zip(names, out)]


def _flat(found: Any) -> list[Any]:
    if isinstance(found, (list, tuple)):
        return [x for item in found for x in _flat(item)]
    if hasattr(found, "results") and not hasattr(found, "type"):
        return list(found.results)
    return [found]


# -- the little that rules ask for besides

def aval_to_ir_type(aval: Any) -> Any:
    """The MLIR type of values of type `aval`."""
    from perspicax.binding import mlir

    with mlir.context():
        return mlir.ir.Type.parse(physical_aval(aval).mlir)


def aval_to_ir_types(aval: Any) -> Any:
    """The same; every type of ours is one MLIR type."""
    return aval_to_ir_type(aval)


def dtype_to_ir_type(dtype: Any) -> Any:
    """The MLIR element type of a dtype."""
    from perspicax.binding import mlir

    with mlir.context():
        return mlir.ir.Type.parse(ShapedArray((), dtype).mlir_element)


def ir_constant(val: Any, **_: Any) -> Any:
    """A constant, at the current insertion point."""
    from perspicax.binding import mlir
    from perspicax.core.tracer import get_aval
    from perspicax.xla.emit import constant_text

    aval: Any = get_aval(val)
    text = constant_text(np.asarray(val, aval.dtype), aval)
    return mlir.stablehlo.constant(mlir.ir.Attribute.parse(f"dense<{text}> : {aval.mlir}"))


def i32_attr(i: int) -> Any:
    """An integer attribute of 32 bits."""
    from perspicax.binding import mlir

    return mlir.ir.IntegerAttr.get(mlir.ir.IntegerType.get_signless(32), i)


def i64_attr(i: int) -> Any:
    """An integer attribute of 64 bits."""
    from perspicax.binding import mlir

    return mlir.ir.IntegerAttr.get(mlir.ir.IntegerType.get_signless(64), i)


def dense_int_array(xs: Sequence[int]) -> Any:
    """An attribute that lists integers."""
    from perspicax.binding import mlir

    return mlir.ir.DenseI64ArrayAttr.get([int(x) for x in xs])


def dense_int_elements(xs: Any) -> Any:
    """An attribute that is a tensor of integers."""
    from perspicax.binding import mlir

    values: Any = np.asarray(xs, np.int64)
    return mlir.ir.DenseIntElementsAttr.get(values)
