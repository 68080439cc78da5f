"""Calls of exported functions: the primitive `call_exported`, and the checks before it.

A call is a custom derivative around the primitive, so that reverse mode finds the exported gradient. The primitive takes the
arguments that the program keeps (over several devices all, for these tell where it runs); where it is compiled, the program is
refined for the sizes of this call, and becomes functions of the module.
"""
from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perspicax.api.export_errors import ExportedCallError
from perspicax.api.export_shardings import at_callers, check_device_count
from perspicax.binding import portable
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import NotDifferentiable, NotLinear, Primitive
from perspicax.core.symbolic import Size, is_symbolic_dim
from perspicax.core.symbolic_errors import SymbolicShapeError
from perspicax.core.symbolic_solve import plan, scope_of, solved_size, substitute
from perspicax.core.trace import stage_flat
from perspicax.core.tree_mismatch import mismatches, sentence
from perspicax.diagnose.report import Fix
from perspicax.lax.loops import map as map_over
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.custom import custom_vjp
from perspicax.transform.jit_primitive import run_jaxpr
from perspicax.transform.stage import check_arguments
from perspicax.xla import dispatch
from perspicax.xla.array import ArrayImpl
from perspicax.xla.emit import Builder, Value, physical_aval

if TYPE_CHECKING:
    from perspicax.api.exported import Exported

__all__ = ["call", "call_exported_p", "leaf_names"]


def call(exported: Exported, args: tuple, kwargs: dict) -> Any:
    """The result of an exported function.

    Raises:
        ExportedCallError: structure, types or sizes are not those it was exported for.
    """
    leaves, in_tree = tree.flatten((args, kwargs))
    if in_tree != exported.in_tree:
        raise _structure_error(exported, in_tree)
    avals = tuple(check_arguments(leaves, in_tree, None, "export"))
    outs = _differentiable(exported, avals)(*leaves)
    return exported.out_tree.unflatten(outs)


def _structure_error(exported: Exported, in_tree: Any) -> ExportedCallError:
    told = [sentence(m, "exported", "called") for m in mismatches(exported.in_tree, in_tree)]
    return ExportedCallError(
        says=f"`{exported.fun_name}` was called with arguments of another structure than it was exported for.",
        why=("\n".join(told[:5]) or f"exported for {exported.in_tree}, called with {in_tree}").replace("\n", "; ")
        + " ([0] are the positional arguments, [1] those by name)")


def leaf_names(in_tree: Any) -> list[str]:
    """Names of flat arguments: `args[0]['w']`, `kwargs['scale']`."""
    args, kwargs = in_tree.unflatten(range(in_tree.num_leaves))
    found = [f"args{tree.keystr(path)}" for path, _ in tree.flatten_with_path(args)[0]]
    return found + [f"kwargs{tree.keystr(path)}" for path, _ in tree.flatten_with_path(kwargs)[0]]


# -- the types of one call

def _values_of(exported: Exported, avals: Sequence[Any]) -> dict[str, Size]:
    """The variables' values for arguments of these types.

    Raises:
        ExportedCallError: a rank, dtype or size does not fit; a constraint does not hold.
    """
    names: Sequence[str] = ()

    def refuse(index: int, says: str, why: str, *fixes: Fix) -> ExportedCallError:
        nonlocal names
        names = names or leaf_names(exported.in_tree)
        wanted, given = exported.in_avals[index].str_short(), avals[index].str_short()
        return ExportedCallError(
            says=f"`{exported.fun_name}` was exported for {names[index]} of type {wanted}, and called with {given}: {says}.",
            why=why, fixes=fixes)

    for i, (wanted, given) in enumerate(zip(exported.in_avals, avals)):
        if wanted.ndim != given.ndim:
            raise refuse(i, f"the number of axes is {given.ndim} in place of {wanted.ndim}", "only sizes may be symbolic")
        if wanted.dtype != given.dtype:
            raise refuse(i, f"the dtype is {dtypes.name_of(given.dtype)} in place of {dtypes.name_of(wanted.dtype)}",
                         "an exported program is for one dtype",
                         Fix("convert the argument", code=f".astype({dtypes.name_of(wanted.dtype)!r})"))
    values: dict[str, Size] = {}
    for step in plan([a.shape for a in exported.in_avals]):
        try:
            values[step.variable] = solved_size(step, avals[step.argument].shape[step.axis], values)
        except SymbolicShapeError as error:
            raise refuse(step.argument, f"axis {step.axis} does not fit", f"{error.says.rstrip('.')}: {error.why}") from None
    for i, (wanted, given) in enumerate(zip(exported.in_avals, avals)):
        for axis, (size, actual) in enumerate(zip(wanted.shape, given.shape)):
            expected = substitute(size, values)
            if expected != actual:
                known = ", ".join([f"{name} = {value}" for name, value in values.items()])
                raise refuse(i, f"axis {axis} is {actual} in place of {expected}",
                             f"the size `{size}` is {expected} where {known}" if is_symbolic_dim(size)
                             else "this size was not symbolic when the function was exported")
    _check_constraints(exported, values)
    return values


def _check_constraints(exported: Exported, values: dict[str, Size]) -> None:
    scope = scope_of([a.shape for a in exported.in_avals])
    for text, comparison, left, right in () if scope is None else scope.conditions:
        if not (left.variables if is_symbolic_dim(left) else set()) | (
                right.variables if is_symbolic_dim(right) else set()) <= values.keys():
            continue  # of variables that an equality replaced
        a, b = substitute(left, values), substitute(right, values)
        holds = {">=": lambda: a >= b, "<=": lambda: a <= b, "==": lambda: a == b}[comparison]()
        if not holds:
            known = ", ".join([f"{name} = {value}" for name, value in values.items()])
            raise ExportedCallError(says=f"`{exported.fun_name}` was exported for sizes with {text}, and called with {known}.",
                                    why=f"the program was made on the condition that `{text}` holds; here " + " and ".join(
                                        [f"`{size}` is {n}" for size, n in ((left, a), (right, b)) if is_symbolic_dim(size)]))


# -- with its derivative

def _differentiable(exported: Exported, avals: tuple) -> Any:
    """The function of flat arguments of these types, with the exported gradient as its rule; one for each combination."""
    made = exported.derived("calls")
    found = made.get(avals)
    if found is None:
        values = _values_of(exported, avals)
        meshes = [a.explicit.mesh for a in avals if a.explicit is not None]
        out_avals = [ShapedArray(tuple([substitute(n, values) for n in a.shape]), a.dtype, a.weak_type, memory_space=a.memory,
                                 sharding=at_callers(a.explicit, meshes)) for a in exported.out_avals]
        found = made[avals] = _make(exported, avals, tuple(out_avals))
    return found


def _make(exported: Exported, in_avals: tuple, out_avals: tuple) -> Any:
    name = exported.fun_name
    moved = [a.to_tangent_aval().dtype != dtypes.float0 for a in in_avals]

    def run(*args: Any) -> tuple:
        return tuple(_bind(exported, args, in_avals, out_avals))

    def forward(*args: Any) -> tuple[Any, tuple]:
        return function(*args), args  # with the rule: it may be differentiated again

    def backward(args: tuple, cts: tuple) -> tuple:
        gradient = exported.vjp()
        if gradient is None:
            raise ExportedCallError(
                says=f"The exported function `{name}` has no gradient: it was serialized without one.",
                why="`serialize` keeps as many orders of reverse-mode derivatives as it is told, and none by default",
                fixes=(Fix(code="exported.serialize(vjp_order=1)"),))
        given = (*args, *cts)
        types = tuple(check_arguments(given, tree.flatten(given)[1], None, "export"))
        found = _differentiable(gradient, types)(*given)
        return tuple([ct if moves else None for ct, moves in zip(found, moved)])

    run.__name__ = run.__qualname__ = name
    function = custom_vjp(run)
    function.defvjp(forward, backward)
    return function


def _bind(exported: Exported, args: Sequence[Any], in_avals: tuple, out_avals: tuple) -> list[Any]:
    taken = [args[i] for i in _taken(exported)]
    outs = iter(call_exported_p(*taken, exported=exported, in_avals=in_avals, out_avals=out_avals))
    return [np.zeros(a.shape, dtypes.float0) if a.dtype == dtypes.float0 else next(outs) for a in out_avals]


def _taken(exported: Exported) -> tuple[int, ...]:
    """Which of the flat arguments a call takes: those that the program keeps; over several devices the others too, which tell
    where it runs."""
    if exported.nr_devices == 1:
        return exported.module_kept_var_idx
    return tuple([i for i, a in enumerate(exported.in_avals) if a.dtype != dtypes.float0])


# -- the primitive

def _with_elements(avals: Sequence[Any]) -> list[Any]:
    return [a for a in avals if a.dtype != dtypes.float0]


def _emit(b: Builder, *operands: Value, exported: Exported, in_avals: tuple, out_avals: tuple) -> list[Value]:
    _check_platform(exported, b.module.platform)
    check_device_count(exported, b.module.num_partitions)
    wanted = _with_elements(out_avals)
    by_index = dict(zip(_taken(exported), operands))
    kept = exported.module_kept_var_idx
    given = _laid(b, [by_index[i] for i in kept], [exported._in_named_shardings[i] for i in kept], exported)
    if any(a.symbolic for a in in_avals):
        return _emit_symbolic(b, exported, given, wanted)
    functions = _refined(exported, in_avals, out_avals, b.module.platform)
    main = _embed(b, exported, functions)
    outs = _func_call(b, main, given, [physical_aval(a).mlir for a in wanted], wanted)
    return _laid(b, outs, _results_laid(exported), exported)


def _laid(b: Builder, values: Sequence[Value], shardings: Sequence[Any], exported: Exported) -> list[Value]:
    """The values, under the annotations of a function of several devices."""
    if exported.nr_devices == 1:
        return list(values)
    return [v if s is None else b.annotate_sharding(v, s) for v, s in zip(values, shardings)]


def _results_laid(exported: Exported) -> list[Any]:
    return [s for s, a in zip(exported._out_named_shardings, exported.out_avals) if a.dtype != dtypes.float0]


def _check_platform(exported: Exported, platform: str) -> None:
    if platform in exported.platforms or any(check.is_platform() for check in exported.disabled_safety_checks):
        return
    raise ExportedCallError(
        says=f"`{exported.fun_name}` was exported for {' and '.join(exported.platforms)}, and called on {platform}.",
        why="the program was made for these platforms and may hold what others do not have",
        fixes=(Fix("export it for this one as well",
                   code=f"jax.export.export(..., platforms={(*exported.platforms, platform)!r})"),))


def _platform_place(exported: Exported, platform: str) -> int:
    return exported.platforms.index(platform) if platform in exported.platforms else 0


def _text(exported: Exported) -> str:
    """The program's text, read once."""
    kept = exported.derived("texts")
    if "" not in kept:
        kept[""] = portable.deserialize(exported.mlir_module_serialized)
    return kept[""]


def _refined(exported: Exported, in_avals: tuple, out_avals: tuple, platform: str) -> list[tuple[str, str]]:
    """The functions of the program for arguments of these types, `main` among them."""
    kept = exported.derived("texts")
    key = (platform, tuple([a.shape for a in in_avals]))
    if key not in kept:
        known = _with_known_sizes(exported, in_avals, out_avals, platform)
        if exported.uses_global_constants:  # sizes or the platform are open in it
            known = portable.refine(known)
        kept[key] = portable.functions_of(known)
    return kept[key]


def _with_known_sizes(exported: Exported, in_avals: tuple, out_avals: tuple, platform: str) -> str:
    """The program with a `main` that takes and returns arrays of known sizes, and calls the one it had."""
    text = _text(exported)
    free = itertools.chain(("exported_main",), (f"exported_main_{n}" for n in itertools.count(1)))
    renamed = next(name for name in free if f"@{name}(" not in text)  # it may hold calls of others
    text = re.sub(r"@main\b", f"@{renamed}", text).replace("func.func public", "func.func private")
    outer = [physical_aval(in_avals[i]).mlir for i in exported.module_kept_var_idx]
    inner = [physical_aval(exported.in_avals[i]).mlir for i in exported.module_kept_var_idx]
    returned = [physical_aval(a).mlir for a in _with_elements(exported.out_avals)]
    wanted = [physical_aval(a).mlir for a in _with_elements(out_avals)]
    lines, names, types = [], [], []
    if len(exported.platforms) > 1:
        lines.append(f"%p = stablehlo.constant dense<{_platform_place(exported, platform)}> : tensor<i32>")
        names, types = ["%p"], ["tensor<i32>"]
    for i, (given, taken) in enumerate(zip(outer, inner)):
        lines.append(f"%i{i} = stablehlo.convert %a{i} : ({given}) -> {taken}")
        names.append(f"%i{i}")
        types.append(taken)
    count = len(returned)
    left = "" if not count else f"%r:{count} = " if count > 1 else "%r = "
    lines.append(f"{left}func.call @{renamed}({', '.join(names)}) : ({', '.join(types)}) -> ({', '.join(returned)})")
    outs = [f"%r#{i}" for i in range(count)] if count > 1 else ["%r"] * count
    lines += [f"%o{i} = stablehlo.convert {r} : ({a}) -> {b}" for i, (r, a, b) in enumerate(zip(outs, returned, wanted))]
    head = ", ".join([f"%a{i}: {t}" for i, t in enumerate(outer)])
    lines.append(f"return {', '.join([f'%o{i}' for i in range(count)])} : {', '.join(wanted)}" if count else "return")
    body = "\n".join(lines)
    end = text.rindex("}")
    return f"{text[:end]}func.func public @main({head}) -> ({', '.join(wanted)}) {{\n{body}\n}}\n}}\n"


def _embed(b: Builder, exported: Exported, functions: Sequence[tuple[str, str]]) -> str:
    """Put functions into the module, under names that are free; the name of `main`.

    Its meshes become meshes of the module: they number the devices of whoever calls it.
    """
    module = b.module
    meshes = {name: _mesh_named(module, text) for name, text in functions if text.startswith("sdy.mesh")}
    functions = [(name, text) for name, text in functions if name not in meshes]
    fresh = {name: module.fresh_name(exported.fun_name if name == "main" else name) for name, _ in functions}
    names = re.compile(rf"@({'|'.join(map(re.escape, sorted(fresh, key=len, reverse=True)))})\b")
    for _, text in functions:
        text = names.sub(lambda found: f"@{fresh[found.group(1)]}", text)
        for name, ours in meshes.items():
            text = re.sub(rf"<@{re.escape(name)}\b", f"<@{ours}", text)
        if "@lapack_" in text or '"lapack_' in text:
            module.native.add("lapack")
        module.functions.append(text.replace("func.func public", "func.func private", 1) + "\n")
    return fresh["main"]


def _mesh_named(module: Any, text: str) -> str:
    """What the module calls a mesh that another one declares as `sdy.mesh @name = <["x"=2, "y"=4], device_ids=[1, 0]>`."""
    axes = tuple([(name, int(size)) for name, size in re.findall(r'"([^"]*)"\s*=\s*(\d+)', text)])
    ids = re.search(r"device_ids\s*=\s*\[([\d, ]*)\]", text)
    order = tuple([int(n) for n in ids.group(1).split(",")]) if ids else ()
    return module.meshes.setdefault((axes, order), f"mesh_{len(module.meshes)}" if module.meshes else "mesh")


def _func_call(b: Builder, function: str, operands: Sequence[Value], types: Sequence[str], out: Sequence[Any]) -> list[Value]:
    n = b.shared[0] = b.shared[0] + 1
    left = "" if not out else (f"%{n} = " if len(out) == 1 else f"%{n}:{len(out)} = ")
    given = ", ".join([physical_aval(v.aval).mlir for v in operands])
    b.line(f"{left}func.call @{function}({', '.join([v.name for v in operands])}) : ({given}) -> ({', '.join(types)})")
    names = [f"%{n}"] if len(out) == 1 else [f"%{n}#{i}" for i in range(len(out))]
    return [Value(name, a) for name, a in zip(names, out)]


def _emit_symbolic(b: Builder, exported: Exported, operands: Sequence[Value], wanted: Sequence[Any]) -> list[Value]:
    """A call within a function that is being exported itself: sizes stay open."""
    main = _embed(b, exported, portable.functions_of(_text(exported)))
    inner = [physical_aval(exported.in_avals[i]) for i in exported.module_kept_var_idx]
    given = [_converted(b, v, a) for v, a in zip(operands, inner)]
    if len(exported.platforms) > 1:
        given.insert(0, b.constant(np.int32(_platform_place(exported, b.module.platform))))
    returned = [physical_aval(a) for a in _with_elements(exported.out_avals)]
    outs = _func_call(b, main, given, [a.mlir for a in returned], returned)
    return [Value(_converted(b, v, physical_aval(a)).name, a) for v, a in zip(outs, wanted)]


def _converted(b: Builder, v: Value, aval: Any) -> Value:
    """A value under another spelling of its type: a size known here and open there, or the other way round."""
    plain = Value(v.name, physical_aval(v.aval))
    return Value(v.name, aval) if plain.aval.mlir == aval.mlir else b.hlo("convert", [plain], aval)


def _batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
    """One call for each entry, in a loop: the program's sizes are what it was exported for."""
    batched = [to_axis(x, a, 0, axis.size) for x, a in zip(args, axes) if a is not None]

    def one(entries: Sequence[Any]) -> list[Any]:
        rest = iter(entries)
        return call_exported_p(*[x if a is None else next(rest) for x, a in zip(args, axes)], **params)

    outs = map_over(one, batched)
    return outs, [0] * len(outs)


def _evaluate(*args: Any, exported: Exported, in_avals: tuple, out_avals: tuple) -> list[ArrayImpl]:
    arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in args]
    return run_jaxpr(_one_call(exported, in_avals, out_avals), arrays, name=exported.fun_name)


def _one_call(exported: Exported, in_avals: tuple, out_avals: tuple) -> ClosedJaxpr:
    kept = exported.derived("jaxprs")
    if in_avals not in kept:
        operands = [in_avals[i] for i in _taken(exported)]
        kept[in_avals] = stage_flat(lambda *xs: call_exported_p(*xs, exported=exported, in_avals=in_avals, out_avals=out_avals),
                                    operands)
    return kept[in_avals]


call_exported_p = Primitive(
    "call_exported", params=("exported", "in_avals", "out_avals"), multiple_results=True, cache_types=False,
    handles_extended=True, type_rule=lambda *avals, exported, in_avals, out_avals: _with_elements(out_avals),
    jvp=NotDifferentiable("only the gradient of an exported function is known, by reverse mode"),
    transpose=NotLinear("an exported function is not known to be linear"), batch=_batch, emit=_emit, evaluate=_evaluate,
    source="JAX, `jax.export`")
