"""The MLIR bindings, for lowering rules that users write with them. Imported only when there is such a rule: 0.13 s."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxlib.mlir import ir
from jaxlib.mlir._mlir_libs import _jax_mlir_ext
from jaxlib.mlir.dialects import arith, builtin, chlo, func, math, scf, stablehlo

__all__ = ["arith", "builtin", "call_function", "chlo", "context", "func", "function_text", "ir", "math", "scf", "stablehlo"]

_contexts: list[Any] = []


def context() -> Any:
    """The context that all users' rules share; making one takes 1.5 ms."""
    if not _contexts:
        made = ir.Context()
        dialects = ir.DialectRegistry()
        _jax_mlir_ext.register_dialects(dialects)
        made.append_dialect_registry(dialects)
        made.load_all_available_dialects()
        with made:
            stablehlo.register_dialect(made)
            chlo.register_dialect(made)
        _contexts.append(made)
    return _contexts[0]


def function_text(name: str, in_types: Sequence[str],
                  build: Callable[[Any, Sequence[Any]], Sequence[Any]]) -> tuple[str, list[str]]:
    """The text of a function whose body is made by `build(module, arguments)`, and the types of its results.

    Args:
        name: of the function.
        in_types: types of the arguments, as MLIR spells them.
        build: makes operations at the current insertion point, returns the values of the results.
    """
    with context(), ir.Location.unknown():
        module = ir.Module.create()
        types = [ir.Type.parse(t) for t in in_types]
        with ir.InsertionPoint(module.body):
            made = func.FuncOp(name, (types, []), visibility="private")
        block = made.add_entry_block()
        with ir.InsertionPoint(block):
            results = list(build(module, list(block.arguments)))
            func.ReturnOp(results)
        out_types = [r.type for r in results]
        made.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, out_types))
        module.operation.verify()
        # declarations stand for functions that the program has already
        text = "".join(f"{op}\n" for op in module.body.operations if not getattr(op, "is_external", False))
        return text, [str(t) for t in out_types]


def call_function(module: Any, name: str, in_types: Sequence[str], out_types: Sequence[str],
                  values: Sequence[Any]) -> list[Any]:
    """A call, at the current insertion point, of a function that stands elsewhere in the program: it is declared here."""
    takes, gives = [ir.Type.parse(t) for t in in_types], [ir.Type.parse(t) for t in out_types]
    if not any(isinstance(op, func.FuncOp) and op.name.value == name for op in module.body.operations):
        with ir.InsertionPoint(module.body):
            func.FuncOp(name, (takes, gives), visibility="private")
    return list(func.CallOp(gives, name, list(values)).results)
