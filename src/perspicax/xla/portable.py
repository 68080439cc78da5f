"""A jaxpr as a portable program: for one platform or several, with known sizes or symbolic ones.

The function `main` takes, where there are several platforms, the index of the one that it runs on, and then the arguments that
are kept; it returns the results that have elements (`float0` has none). Constants stand in the text.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import Jaxpr
from perspicax.xla import explicit
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dynamic import DynamicBuilder, DynamicModule
from perspicax.xla.emit import Builder, Module, Value, emit_equations, physical_aval

if TYPE_CHECKING:
    from perspicax.core.symbolic_scope import SymbolicScope
    from perspicax.core.symbolic_solve import Step

__all__ = ["PLATFORM_INDEX", "portable_text"]

PLATFORM_INDEX = ShapedArray((), np.dtype(np.int32))


class _Part(NamedTuple):
    """The functions for one platform, `main` among them."""

    module: Module
    texts: list[str]
    arguments: list[str]
    results: list[str]


def portable_text(name: str, jaxpr: Jaxpr, consts: Sequence[Any], *, platforms: Sequence[str], keep: Sequence[bool],
                  steps: Sequence[Step], scope: SymbolicScope | None, spread: Any = None) -> str:
    """The text of the program.

    Args:
        name: of the module.
        platforms: to emit for; with several, `main` takes an index into them.
        keep: which inputs of the jaxpr are arguments.
        steps: how the variables of symbolic sizes are found from the arguments.
        scope: of the symbolic sizes, if there are any.
        spread: over several devices, their `number`, the `devices`, and the shardings of `arguments` and `results`.
    """
    parts = [_emit(name, jaxpr, consts, platform, keep, steps, scope, spread) for platform in platforms]
    first = parts[0]
    if len(parts) == 1:
        return _module_text(first.module, first.texts)
    if all(part.texts == first.texts for part in parts):  # no operation asked for the platform
        parts = [first]
    bodies = [text for i, part in enumerate(parts) for text in _renamed(part, i)]
    return _module_text(first.module, [*bodies, _choosing_main(parts)])


def _module_text(module: Module, texts: Sequence[str]) -> str:
    module.functions = list(texts)
    return module.text()


def _renamed(part: _Part, index: int) -> list[str]:
    """The functions of one platform under names of their own, none of them public."""
    names = re.compile(rf"@({'|'.join(map(re.escape, sorted(part.module.names, key=len, reverse=True)))})\b")
    return [names.sub(rf"@\1_on_{index}", text).replace("func.func public", "func.func private") for text in part.texts]


def _choosing_main(parts: Sequence[_Part]) -> str:
    """The `main` that calls the function of the platform that it is told."""
    arguments, results = parts[0].arguments, parts[0].results
    given = ", ".join([f"%a{i}: {t}" for i, t in enumerate(arguments)])
    names = ", ".join([f"%a{i}" for i in range(len(arguments))])
    kinds, types = ", ".join(arguments), ", ".join(results)
    count = len(results)
    left = "" if not count else f"%r:{count} = " if count > 1 else "%r = "
    outs = ", ".join([f"%r#{i}" for i in range(count)] if count > 1 else ["%r"] * count)
    call = [f"func.call @main_on_{i}({names}) : ({kinds}) -> ({types})\n" for i in range(len(parts))]
    if len(parts) == 1:
        body = left + call[0]
    else:
        regions = ", ".join([f'{{\n{left}{text}"stablehlo.return"({outs}) : ({types}) -> ()\n}}' for text in call])
        body = f'{left.replace("%r", "%s")}"stablehlo.case"(%p) ({regions}) : (tensor<i32>) -> ({types})\n'
        outs = outs.replace("%r", "%s")
    end = f"return {outs} : {types}\n" if count else "return\n"
    head = f"%p: {PLATFORM_INDEX.mlir}" + (f", {given}" if given else "")
    return f"func.func public @main({head}) -> ({types}) {{\n{body}{end}}}\n"


def _emit(name: str, jaxpr: Jaxpr, consts: Sequence[Any], platform: str, keep: Sequence[bool], steps: Sequence[Step],
          scope: SymbolicScope | None, spread: Any) -> _Part:
    module = Module(name, platform) if scope is None else DynamicModule(name, platform, scope)
    laid = [""] * len(keep), [""] * len(jaxpr.outvars)
    if spread is not None:
        module.num_partitions, module.devices, module.split_types = spread.number, spread.devices, bool(explicit.in_use)
        laid = tuple([[_attribute(module, s, v.aval) for s, v in zip(given, values)]  # type: ignore[assignment]
                      for given, values in ((spread.arguments, jaxpr.invars), (spread.results, jaxpr.outvars))])
    b = Builder(module) if scope is None else DynamicBuilder(module)
    args = [b.fresh(v.aval) for v in jaxpr.invars]
    if isinstance(b, DynamicBuilder):
        _find_variables(b, args, steps)
    values = [_constant(b, c, v.aval) for c, v in zip(consts, jaxpr.constvars)]
    emitted = list(zip(emit_equations(b, jaxpr, values, args), laid[1]))
    results = [v for v, _ in emitted if v.aval.dtype != dtypes.float0]
    placed = [text for v, text in emitted if v.aval.dtype != dtypes.float0]
    b.loc = ""
    kept = [a for a, k in zip(args, keep) if k]
    types = [v.aval.mlir for v in results]
    end = f"return {', '.join([v.name for v in results])} : {', '.join(types)}\n" if results else "return\n"
    head = ", ".join([f"{a.name}: {a.aval.mlir}{text}" for a, k, text in zip(args, keep, laid[0]) if k])
    given = ", ".join([f"{t}{text}" for t, text in zip(types, placed)])
    module.functions.append(f"func.func public @main({head}) -> ({given}) {{\n{''.join(b.lines)}{end}}}\n")
    return _Part(module, module.functions, [a.aval.mlir for a in kept], types)


def _attribute(module: Module, sharding: Any, aval: Any) -> str:
    return "" if sharding is None else f" {{sdy.sharding = {module.sharding_text(sharding, len(physical_aval(aval).shape))}}}"


def _constant(b: Builder, value: Any, aval: Any) -> Value:
    """A constant of the jaxpr, of whatever size, in the text; a key array by its words."""
    array = value.value() if type(value) is ArrayImpl else np.asarray(value)
    return Value(b.constant(array, physical_aval(aval)).name, aval)


def _find_variables(b: DynamicBuilder, args: Sequence[Value], steps: Sequence[Step]) -> None:
    """Compute the variables from the sizes of the arguments, in the order of the plan."""
    for step in steps:
        arg = args[step.argument]
        size = b.hlo("get_dimension_size", [Value(arg.name, physical_aval(arg.aval))], PLATFORM_INDEX,
                     f"dimension = {step.axis} : i64")
        if step.rest != 0:
            size = b.op("subtract", [size, b.size(step.rest)], PLATFORM_INDEX)
        if step.factor != 1:
            size = b.op("divide", [size, b.size(step.factor)], PLATFORM_INDEX)
        b.module.variables[step.variable] = size
