"""StableHLO emission: a jaxpr becomes text, by f-strings.

One function for each distinct sub-jaxpr. Each operation carries the number of its equation as its location, which
reaches HLO as `op_name`; the module maps it back to the equation, and so to the user's frame: neither the text nor the
key of the compile cache holds a file or a line.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import AbstractValue, ShapedArray, abstract_token
from perspicax.core.config import state_key
from perspicax.core.effects import Effect, ordered
from perspicax.core.errors import RuleResultError
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal
from perspicax.core.primitive import Missing
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.symbolic_errors import SymbolicSizeConversionError
from perspicax.xla import templates
from perspicax.xla.errors import EmissionError
from perspicax.xla.nan_exponentials import guarded

SMALL_CONSTANT = 64  # elements; larger constants are hidden arguments of the program, never text


class Value:
    """An SSA value: its name in the text and its type."""

    __slots__ = ("aval", "name")

    def __init__(self, name: str, aval: Any) -> None:
        self.name = name
        self.aval = aval

    shape = property(lambda self: self.aval.shape)
    dtype = property(lambda self: self.aval.dtype)
    ndim = property(lambda self: len(self.aval.shape))
    mlir = property(lambda self: self.aval.mlir)

    def __repr__(self) -> str:
        return f"Value({self.name}: {self.aval.mlir})"


class Module:
    """A StableHLO module under construction.

    Attributes:
        equations: the equation of each location number.
        callbacks: Python functions that the program calls, by index.
        native: families of native custom-call targets that the program needs.
        state: the options at this time, which rules may read (those of random bits do).
        devices: those that the program runs on, in their order; empty for one device.
        meshes: the name of each mesh that the text speaks of.
        spoken_of: the shardings that it speaks of.
        told: what the compiler calls or asks in this process: a program that another process compiled does not. Where an
            error of theirs shall be raised in place of the compiler's, it is their `failed`.
        manual: while the body of a `shard_map` is emitted, its mesh and all axes that are manual there; innermost last.
    """

    symbolic = False
    """Whether its sizes may be symbolic."""
    split_types = False
    """Whether types in it may be split over explicit axes of a mesh."""

    def __init__(self, name: str, platform: str = "cpu") -> None:
        self.name = re.sub(r"[^\w.]", "_", name) or "module"
        self.platform = platform
        self.functions: list[str] = []
        self.names: set[str] = {"main"}
        self.emitted: dict[Any, tuple[str, list[Effect]]] = {}
        self.kept: list[Any] = []  # jaxprs whose id is a key of `emitted`
        self.equations: list[JaxprEqn] = []
        self.callbacks: list[Callable[..., Any]] = []
        self.native: set[str] = set()
        self.num_partitions = 1
        self.devices: tuple[Any, ...] = ()
        self.meshes: dict[tuple, str] = {}
        self.spoken_of: list[Any] = []
        self.told: list[Any] = []
        self.manual: list[tuple[Any, frozenset]] = []
        self.state = state_key()

    def fresh_name(self, wanted: str) -> str:
        """A function name that nobody has yet."""
        base = re.sub(r"\W", "_", wanted) or "f"
        name, n = base, 0
        while name in self.names:
            n += 1
            name = f"{base}_{n}"
        self.names.add(name)
        return name

    def mesh_name(self, axes: tuple[tuple[Any, int], ...], devices: tuple[Any, ...]) -> str:
        """The symbol of a mesh of named axes, declared once.

        Args:
            axes: names and sizes.
            devices: in the order of the mesh; empty for those of the program, in their own order.
        """
        order: tuple[int, ...] = ()
        if axes and devices and devices != self.devices:
            numbers = {d: i for i, d in enumerate(self.devices)}
            order = tuple([numbers[d] for d in devices])
        key = axes, order
        found = self.meshes.get(key)
        if found is None:
            found = self.meshes[key] = f"mesh_{len(self.meshes)}" if self.meshes else "mesh"
        return found

    def on_first_device(self, results: int) -> str:
        """The attribute of an operation that runs on the first device alone, with so many results; empty on one device, and
        where each device runs its own."""
        if self.num_partitions == 1 or self.manual:
            return ""
        name = self.meshes.setdefault(((), (0,)), "first_device")
        return f"sdy.sharding = #sdy.sharding_per_value<[{', '.join([f'<@{name}, []>'] * max(1, results))}]>"

    def sharding_text(self, sharding: Any, ndim: int) -> str:
        """A sharding of values with `ndim` axes, as an attribute of Shardy's."""
        self.spoken_of.append(sharding)
        axes, devices, parts = sharding.shardy(ndim)
        return f"#sdy.sharding<@{self.mesh_name(axes, devices)}, {parts}>"

    def text(self) -> str:
        """The whole module."""
        head = f"module @{self.name} attributes {{mhlo.num_partitions = {self.num_partitions} : i32, " \
               f"mhlo.num_replicas = 1 : i32}} {{\n"
        functions = guarded(self.functions) if self.platform == "cpu" else self.functions
        return head + "".join([_mesh_line(name, *key) for key, name in self.meshes.items()]) + "".join(functions) + "}\n"


def _mesh_line(name: str, axes: tuple, order: tuple[int, ...]) -> str:
    sizes = ", ".join([f"{quoted(n)}={s}" for n, s in axes])
    return f"sdy.mesh @{name} = <[{sizes}]{f', device_ids={list(order)}' if order else ''}>\n"


def quoted(name: Any) -> str:
    """A string of MLIR's."""
    return '"' + str(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


_KEEPS_CALL = ' {mhlo.frontend_attributes = {inlineable = "false"}}'


class Builder:
    """Emits the operations of one function or region. Rules of primitives get it as `b`.

    `b.out` holds the result avals of the equation being emitted, `b.eqn` the equation.
    """

    __slots__ = ("constants", "count", "eqn", "lines", "literals", "loc", "module", "out", "prefix", "shared", "tokens")

    def __init__(self, module: Module, prefix: str = "", shared: list[int] | None = None) -> None:
        self.module = module
        self.lines: list[str] = []
        self.prefix = prefix
        self.shared = shared or [0]  # regions count on from their function
        self.tokens: dict[Effect, Value] = {}
        self.out: Sequence[Any] = ()
        self.eqn: JaxprEqn | None = None
        self.loc = ""
        self.constants: dict[Any, Value] = {}
        self.literals: dict[tuple[int, Any], Value] = {}

    @property
    def place(self) -> Any:
        """Where the user asked for the equation that is being emitted; None outside of any."""
        return self.eqn.place if self.eqn is not None else None

    # -- names and lines

    def fresh(self, aval: Any) -> Value:
        """A new name for a value of type `aval`."""
        self.shared[0] += 1
        return Value(f"%{self.shared[0]}", aval)

    def line(self, text: str) -> None:
        """Append one operation."""
        self.lines.append(f"{text}{self.loc}\n")

    # -- operations

    def op(self, name: str, operands: Sequence[Value], aval: Any) -> Value:
        """An operation whose operands and result have one type, in StableHLO's short form."""
        n = self.shared[0] = self.shared[0] + 1
        args = ", ".join([v.name for v in operands])
        self.lines.append(f"%{n} = stablehlo.{name} {args} : {aval.mlir}{self.loc}\n")
        return Value(f"%{n}", aval)

    def generic(self, name: str, operands: Sequence[Value], out: Any, attributes: str = "",
                regions: Sequence[str] = (), discardable: str = "") -> Any:
        """Any operation, in MLIR's generic form.

        Args:
            name: with its dialect, `stablehlo.gather`.
            out: the result's aval, or a list of avals; the result is a Value or a list likewise.
            attributes: text between the braces, `dimension = 0 : i64`.
            regions: texts of regions, as `region` makes them.
            discardable: attributes of other dialects than the operation's, `sdy.sharding = …`.
        """
        several = isinstance(out, (list, tuple))
        avals = list(out) if several else [out]
        n = self.shared[0] = self.shared[0] + 1
        args = ", ".join([v.name for v in operands])
        types = ", ".join([v.aval.mlir for v in operands])
        results = ", ".join([a.mlir for a in avals])
        left = "" if not avals else (f"%{n} = " if len(avals) == 1 else f"%{n}:{len(avals)} = ")
        properties = f" <{{{attributes}}}>" if attributes else ""
        bodies = f" ({', '.join(regions)})" if regions else ""
        if discardable:
            bodies += f" {{{discardable}}}"
        self.lines.append(f'{left}"{name}"({args}){properties}{bodies} : ({types}) -> ({results}){self.loc}\n')
        if not several:
            return Value(f"%{n}", out)
        if len(avals) == 1:
            return [Value(f"%{n}", avals[0])]
        return [Value(f"%{n}#{i}", a) for i, a in enumerate(avals)]

    def hlo(self, name: str, operands: Sequence[Value], out: Any, attributes: str = "",
            regions: Sequence[str] = (), discardable: str = "") -> Any:
        """`generic` for an operation of StableHLO."""
        return self.generic(f"stablehlo.{name}", operands, out, attributes, regions, discardable)

    def block(self) -> Builder:
        """A builder for a region of this one."""
        return Builder(self.module, shared=self.shared)

    def region(self, in_avals: Sequence[Any], body: Callable[..., Sequence[Value]],
               tokens: Sequence[Effect] = ()) -> str:
        """The text of a region of one block.

        Args:
            in_avals: types of the block's arguments.
            body: `body(builder, *arguments)` emits into the region and returns what it yields.
            tokens: effects whose tokens are the block's first arguments and results.
        """
        inner = self.block()
        inner.loc, inner.eqn = self.loc, self.eqn
        token_args = [inner.fresh(abstract_token) for _ in tokens]
        inner.tokens = dict(zip(tokens, token_args))
        args = [inner.fresh(a) for a in in_avals]
        results = [*body(inner, *args)]
        results = [inner.tokens[e] for e in tokens] + results
        head = ", ".join([f"{a.name}: {a.aval.mlir}" for a in token_args + args])
        names, types = ", ".join([v.name for v in results]), ", ".join([v.aval.mlir for v in results])
        end = f'"stablehlo.return"({names}) : ({types}) -> ()\n'
        opening = f"^bb0({head}):\n" if head else ""
        return "{\n" + opening + "".join(inner.lines) + end + "}"

    def custom_call(self, target: str, operands: Sequence[Value], out: Any, *, config: str = "",
                    side_effect: bool = False, operand_layouts: Sequence[Sequence[int]] | None = None,
                    result_layouts: Sequence[Sequence[int]] | None = None, aliases: dict[int, int] | None = None,
                    native: str | None = None, api_version: int = 4, extra: str = "", discardable: str = "") -> Any:
        """A typed-FFI custom call; `config` is the text of its attribute dictionary."""
        if native:
            self.module.native.add(native)
        attributes = [f'call_target_name = "{target}"', f"api_version = {api_version} : i32"]
        attributes.append(f"backend_config = {{{config}}}" if api_version == 4 else f'backend_config = "{config}"')
        if side_effect:
            attributes.append("has_side_effect = true")
        if operand_layouts is not None:
            attributes.append(f"operand_layouts = [{', '.join([_index_text(x) for x in operand_layouts])}]")
        if result_layouts is not None:
            attributes.append(f"result_layouts = [{', '.join([_index_text(x) for x in result_layouts])}]")
        if aliases:
            several = isinstance(out, (list, tuple)) and len(out) > 1
            items = [f"#stablehlo.output_operand_alias<output_tuple_indices = [{o if several else ''}], "
                     f"operand_index = {i}, operand_tuple_indices = []>" for i, o in aliases.items()]
            attributes.append(f"output_operand_aliases = [{', '.join(items)}]")
        if extra:
            attributes.append(extra)
        return self.hlo("custom_call", operands, out, ", ".join(attributes), discardable=discardable)

    # -- what rules need again and again

    def constant(self, value: Any, aval: ShapedArray | None = None) -> Value:
        """A constant: a scalar splat to the shape of `aval`, or an array written out."""
        array = np.asarray(value)
        aval = aval or ShapedArray(array.shape, array.dtype)
        return self.constant_of(constant_text(array, aval), aval)

    def constant_of(self, text: str, aval: ShapedArray) -> Value:
        """The constant that `constant_text` wrote; one line for each in a block."""
        key = (text, aval)
        found = self.constants.get(key)
        if found is None:
            found = self.constants[key] = self.fresh(aval)
            self.line(f"{found.name} = stablehlo.constant dense<{text}> : {aval.mlir}")
        return found

    def literal(self, a: Literal) -> Value:
        """The constant of a literal; one that was met before costs a lookup."""
        key = (id(a.val), a.aval)  # the jaxpr keeps the value alive, and with it its id
        found = self.literals.get(key)
        if found is None:
            found = self.literals[key] = self.constant(a.val, a.aval)
        return found

    def spread_literal(self, a: Literal, aval: ShapedArray) -> Value:
        """A literal repeated to the shape of `aval`; once for each shape."""
        key = (id(a.val), aval)
        found = self.literals.get(key)
        if found is None:
            scalar = self.literal(a)
            found = scalar if aval.shape == a.aval.shape else self.broadcast(scalar, aval.shape, ())
            self.literals[key] = found
        return found

    def broadcast(self, x: Value, shape: Sequence[int], dims: Sequence[int]) -> Value:
        """`broadcast_in_dim`: axis `i` of `x` becomes axis `dims[i]`."""
        aval = ShapedArray(tuple(shape), x.aval.dtype)
        if aval.shape == x.aval.shape and tuple(dims) == tuple(range(len(shape))):
            return x
        return self.hlo("broadcast_in_dim", [x], aval, f"broadcast_dimensions = {i64_array(dims)}")

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The same elements in another shape."""
        aval = ShapedArray(tuple(shape), x.aval.dtype)
        return x if aval.shape == x.aval.shape else self.hlo("reshape", [x], aval)

    def transpose(self, x: Value, permutation: Sequence[int]) -> Value:
        """Axes in another order."""
        if list(permutation) == list(range(x.ndim)):
            return x
        aval = ShapedArray(tuple([x.shape[p] for p in permutation]), x.aval.dtype)
        return self.hlo("transpose", [x], aval, f"permutation = {i64_array(permutation)}")

    def convert(self, x: Value, dtype: Any) -> Value:
        """Elements as another dtype."""
        aval = ShapedArray(x.aval.shape, dtype)
        return x if aval.mlir == x.aval.mlir else self.hlo("convert", [x], aval)

    def slice(self, x: Value, start: Sequence[int], limit: Sequence[int], strides: Sequence[int] | None = None) -> Value:
        """Elements `start:limit:strides` of each axis."""
        strides = strides or (1,) * len(start)
        shape = tuple([max(0, -(-(b - a) // s)) for a, b, s in zip(start, limit, strides)])
        return self.hlo("slice", [x], ShapedArray(shape, x.aval.dtype),
                        f"start_indices = {i64_array(start)}, limit_indices = {i64_array(limit)}, "
                        f"strides = {i64_array(strides)}")

    def compare(self, x: Value, y: Value, direction: str, kind: str = "") -> Value:
        """Elementwise comparison; `direction` is EQ, NE, LT, LE, GT or GE, `kind` FLOAT, TOTALORDER, SIGNED, …"""
        out = ShapedArray(x.aval.shape, np.dtype(bool))
        attributes = f"comparison_direction = #stablehlo<comparison_direction {direction}>"
        if kind:
            attributes += f", compare_type = #stablehlo<comparison_type {kind}>"
        return self.hlo("compare", [x, y], out, attributes)

    def select(self, which: Value, on_true: Value, on_false: Value) -> Value:
        """`on_true` where `which`, else `on_false`."""
        return self.hlo("select", [which, on_true, on_false], on_true.aval)

    # -- jaxprs

    def call(self, closed: ClosedJaxpr, operands: Sequence[Value], name: str = "f", apart: bool = False) -> list[Value]:
        """A call of `closed`, emitted once as a function of the module.

        Args:
            closed: what is called.
            operands: for it.
            name: of the function.
            apart: whether XLA shall keep the call: its results are then computed once, into memory, and never again in
                each operation that reads them. On several devices the partitioner must see through it, and the call is
                like any other.
        """
        function, effects = self.function(closed, name)
        operands = [self.token(e) for e in effects] + list(operands)
        out = [abstract_token] * len(effects) + list(closed.out_avals)
        args = ", ".join([v.name for v in operands])
        types = ", ".join([v.aval.mlir for v in operands])
        results = ", ".join([a.mlir for a in out])
        n = self.shared[0] = self.shared[0] + 1
        left = "" if not out else (f"%{n} = " if len(out) == 1 else f"%{n}:{len(out)} = ")
        kept = _KEEPS_CALL if apart and self.module.num_partitions == 1 else ""
        self.lines.append(f"{left}func.call @{function}({args}){kept} : ({types}) -> ({results}){self.loc}\n")
        names = [f"%{n}"] if len(out) == 1 else [f"%{n}#{i}" for i in range(len(out))]
        values = [Value(name, a) for name, a in zip(names, out)]
        for effect, value in zip(effects, values):
            self.tokens[effect] = value
        return values[len(effects):]

    def function(self, closed: ClosedJaxpr, name: str) -> tuple[str, list[Effect]]:
        """The name of the function of the module that `closed` is emitted as, once, and its ordered effects."""
        module = self.module
        found = module.emitted.get(id(closed))
        if found is None:
            found = module.emitted[id(closed)] = _emit_function(module, closed, module.fresh_name(name))
            module.kept.append(closed)
        return found

    def inline(self, jaxpr: Jaxpr, consts: Sequence[Value], operands: Sequence[Value]) -> list[Value]:
        """Emit the equations of `jaxpr` here."""
        eqn, loc, out = self.eqn, self.loc, self.out
        results = emit_equations(self, jaxpr, consts, operands)
        self.eqn, self.loc, self.out = eqn, loc, out
        return results

    def annotate_sharding(self, x: Value, sharding: Any) -> Value:
        """`x`, spread over the devices as `sharding` says."""
        physical = physical_aval(x.aval)
        made = self.fresh(x.aval)
        text = self.module.sharding_text(sharding, len(physical.shape)).removeprefix("#sdy.sharding")
        self.line(f"{made.name} = sdy.sharding_constraint {x.name} {text} : {physical.mlir}")
        return made

    def whole_on_each(self, x: Value) -> Value:
        """`x`, whole on each device."""
        made = self.fresh(x.aval)
        parts = ", ".join(["{}"] * x.ndim)
        self.line(f"{made.name} = sdy.sharding_constraint {x.name} <@{self.module.mesh_name((), ())}, [{parts}]> : {x.mlir}")
        return made

    def token(self, effect: Effect) -> Value:
        """The token that orders `effect` so far."""
        found = self.tokens.get(effect)
        if found is None:
            found = self.tokens[effect] = self.new_token()
        return found

    def new_token(self) -> Value:
        """A token that comes after nothing."""
        return self.hlo("create_token", [], abstract_token)


class Recorder(Builder):
    """Takes down what one rule writes, for `templates`; names are its own."""

    __slots__ = ()

    def constant_of(self, text: str, aval: ShapedArray) -> Value:
        """The name of a constant, which the block gets where the template is used."""
        key = (text, aval)
        found = self.constants.get(key)
        if found is None:
            found = self.constants[key] = Value(f"%k{len(self.constants)}", aval)
        return found


def record(b: Builder, eqn: JaxprEqn, names: list[str], key: tuple) -> list[str]:
    """Emit one equation into `b`, and keep its text for equations like it."""
    watched = templates.WatchedModule(b.module)
    recorder = Recorder(watched)  # type: ignore[arg-type]
    recorder.loc, recorder.eqn, recorder.out = templates.LOCATION, eqn, b.out
    operands = [Value(f"%o{i}", a.aval) for i, a in enumerate(eqn.invars)]
    results = emit_one(recorder, eqn, operands)
    template = templates.make(recorder, watched, operands, recorder.constants, results)
    templates.keep(key, template, watched)
    return template.emit(b, names)


def emit_equations(b: Builder, jaxpr: Jaxpr, consts: Sequence[Value], operands: Sequence[Value]) -> list[Value]:
    """Emit `jaxpr`'s equations into `b`; the values of its results."""
    env: dict[Any, str] = dict(zip(jaxpr.constvars, [v.name for v in consts]))  # names alone: a variable knows its type
    env.update(zip(jaxpr.invars, [v.name for v in operands]))
    module, lines, shared = b.module, b.lines, b.shared
    equations = module.equations
    laying = module.split_types and module.num_partitions > 1
    for eqn in jaxpr.eqns:
        b.loc = f' loc("{len(equations)}")'
        equations.append(eqn)
        outvars, invars = eqn.outvars, eqn.invars
        rule = eqn.primitive.emit
        if type(rule) is str and not eqn.values:  # an elementwise operation of one type
            aval = outvars[0].aval
            text = aval.mlir
            names = [b.spread_literal(a, aval).name if type(a) is Literal else env[a] for a in invars]
            avals = tuple([aval if type(a) is Literal else a.aval for a in invars])
            if {a.mlir for a in avals} == {text}:
                n = shared[0] = shared[0] + 1
                lines.append(f"%{n} = {rule} {', '.join(names)} : {text}{b.loc}\n")
                env[outvars[0]] = _laid_as_typed(b, (), (aval,), (f"%{n}",))[0] if laying and _of_sums(aval) else f"%{n}"
                continue
        else:
            names = [b.literal(a).name if type(a) is Literal else env[a] for a in invars]
            avals = tuple([a.aval for a in invars])
        out = tuple([v.aval for v in outvars])
        key = templates.key_of(eqn, avals, out, module)
        template = templates.find(key)
        if template is None:
            b.eqn, b.out = eqn, out
            if key is None:
                results = [v.name for v in emit_one(b, eqn, list(map(Value, names, avals)))]
            else:
                results = record(b, eqn, names, key)
        else:
            results = template.emit(b, names)
        if laying and (_LIES.isdisjoint(eqn.primitive.extra) or any(map(_of_sums, out))):
            results = _laid_as_typed(b, avals, out, results)
        if len(results) == 1:
            env[outvars[0]] = results[0]
        else:
            env.update(zip(outvars, results))
    return [b.literal(a) if type(a) is Literal else Value(env[a], a.aval) for a in jaxpr.outvars]


_LIES = frozenset(("elementwise", "lies"))  # marks of primitives whose results lie as their types say by themselves


def _of_sums(aval: Any) -> bool:
    """Whether such a value is a sum over devices that has not been made yet: the partitioner is to be told, each time."""
    return aval is not abstract_token and aval.explicit is not None and bool(aval.explicit.spec.unreduced)


def told_of_sum(b: Builder, x: Value) -> Value:
    """`x`, of which the partitioner is told, if it is such a sum."""
    if not b.module.split_types or b.module.num_partitions == 1 or not _of_sums(x.aval):
        return x
    return Value(_laid_as_typed(b, (), (x.aval,), (x.name,))[0], x.aval)


def _laid_as_typed(b: Builder, avals: Sequence[Any], out: Sequence[Any], names: Sequence[str]) -> list[str]:
    """The names of results, each under the annotation of its type where operands or results are split by explicit axes.

    Elementwise results need none: they lie as their operands do.
    """
    meshes = [a.explicit.mesh for a in (*avals, *out) if a.explicit is not None]
    if not meshes or b.module.manual or meshes[0].size != b.module.num_partitions:
        return list(names)
    closed = meshes[0].are_all_axes_explicit
    return [name if a is abstract_token or (a.explicit is None and not closed) else b.annotate_sharding(
        Value(name, a), a.sharding_over(meshes[0]).closed_on_explicit).name for name, a in zip(names, out)]


def emit_one(b: Builder, eqn: JaxprEqn, values: list[Value]) -> Sequence[Value]:
    """Emit one equation through its primitive's rule."""
    primitive = eqn.primitive
    rule = primitive.emit
    if isinstance(rule, Missing) or rule is None:
        raise EmissionError(primitive=primitive.name, platform=b.module.platform, reason=getattr(rule, "reason", ""))
    params = primitive.unpack(eqn.values)
    if type(rule) is str:  # one that has parameters: they become attributes of the operation
        attributes = primitive.extra.get("attributes")
        aval = eqn.outvars[0].aval
        operands = [v if v.aval.mlir == aval.mlir else b.broadcast(v, aval.shape, range(aval.ndim) if v.shape else ())
                    for v in values]
        return [b.generic(rule, operands, aval, attributes(**params) if attributes is not None else "")]
    if not primitive.handles_extended and any(_extended(v.aval) for v in (*values, *eqn.outvars)):
        if primitive.physical is None:
            raise EmissionError(primitive=primitive.name, platform=b.module.platform,
                                reason="it is not defined for arrays of an extended dtype (such as PRNG keys)")
        logical = b.out
        params = primitive.physical(params, [v.aval for v in values], logical)
        b.out = [physical_aval(a) for a in logical]
        results = rule(b, *[Value(v.name, physical_aval(v.aval)) for v in values], **params)
        results = results if primitive.multiple_results else [results]
        return [Value(v.name, a) for v, a in zip(results, logical)]
    out = rule(b, *values, **params)
    results = out if primitive.multiple_results else [out]
    _check_results(eqn, results)
    return results


def _check_results(eqn: JaxprEqn, results: Any) -> None:
    """Raise for a rule whose values are not of the promised types: XLA's parser would complain of the next equation.

    Looked at when a text is made, not when it is used again.

    Raises:
        RuleResultError: naming the primitive.
    """
    promised = [v.aval.mlir for v in eqn.outvars]
    if not isinstance(results, list | tuple) or not all(isinstance(v, Value) for v in results):
        got = f"a value of class {type(results).__name__}"
    elif [v.aval.mlir for v in results] == promised:
        return
    else:
        got = f"values of type {', '.join([v.aval.mlir for v in results]) or '(none)'}"
    raise RuleResultError(primitive=eqn.primitive.name, rule="emit", got=got,
                          expected=f"what the type rule promises: {', '.join(promised)}")


def _extended(aval: Any) -> bool:
    return getattr(aval, "extended", False)


NO_BYTES = ShapedArray((0,), np.dtype(bool))
"""What stands for a token outside of programs."""


def physical_aval(aval: Any) -> Any:
    """The type of the words that represent a value of this type."""
    if aval is abstract_token:
        return NO_BYTES
    if not _extended(aval):
        return aval
    return ShapedArray(aval.shape + tuple(aval.dtype.physical_shape), aval.dtype.physical_dtype)


def _emit_function(module: Module, closed: ClosedJaxpr, name: str, public: bool = False) -> tuple[str, list[Effect]]:
    jaxpr = closed.jaxpr
    effects = ordered(jaxpr.effects)
    b = Builder(module)
    tokens = [b.fresh(abstract_token) for _ in effects]
    b.tokens = dict(zip(effects, tokens))
    args = [b.fresh(v.aval) for v in jaxpr.invars]
    consts = [b.new_token() if v.aval is abstract_token else b.constant(np.asarray(c), v.aval)
              for c, v in zip(closed.consts, jaxpr.constvars)]
    results = emit_equations(b, jaxpr, consts, args)
    results = [b.token(e) for e in effects] + results
    head = ", ".join([f"{a.name}: {a.aval.mlir}" for a in tokens + args])
    types = ", ".join([v.aval.mlir for v in results])
    names = ", ".join([v.name for v in results])
    end = f"return {names} : {types}\n" if results else "return\n"
    visibility = "public" if public else "private"
    module.functions.append(f"func.func {visibility} @{name}({head}) -> ({types}) {{\n{''.join(b.lines)}{end}}}\n")
    return name, effects


def emit_main(module: Module, jaxpr: Jaxpr, const_avals: Sequence[AbstractValue], *, keep: Sequence[bool],
              argument_attributes: Sequence[str] = (), result_attributes: Sequence[str] = (),
              small: dict[int, Any] | None = None, hidden_attributes: Sequence[str] = (),
              token_attribute: str = "") -> list[Effect]:
    """Emit the public function `main`.

    Its arguments are one dummy for each ordered effect (so that executions wait for each other), the hidden constants,
    then the arguments of `jaxpr` that are kept; a token among them is such a dummy, too. `small` gives the values of
    constants that are written into the text, the attributes those of each argument and result.
    """
    small = small or {}
    effects = ordered(jaxpr.effects)
    b = Builder(module)
    dummies = [b.fresh(NO_BYTES) for _ in effects]
    consts, hidden, args, heads = [], [], [], []
    for i, v in enumerate(jaxpr.constvars):
        value, entering = (b.constant(small[i], v.aval), None) if i in small else _entry(b, v.aval)
        consts.append(value)
        if entering is not None:
            hidden.append(entering)
    attributes = list(argument_attributes) or [""] * len(jaxpr.invars)
    for v, kept, attribute in zip(jaxpr.invars, keep, attributes):
        value, entering = _entry(b, v.aval)
        args.append(value)
        if kept:
            heads.append(f"{entering.name}: {entering.aval.mlir}{attribute}")
    results = emit_equations(b, jaxpr, consts, args)
    b.loc = ""
    for effect in effects:
        b.token(effect)
    results = [b.constant(np.zeros((0,), bool), NO_BYTES) if v.aval is abstract_token else v
               for v in [*[b.tokens[e] for e in effects], *results]]
    front = [token_attribute] * len(dummies) + (list(hidden_attributes) or [""] * len(hidden))
    head = ", ".join([f"{v.name}: {v.aval.mlir}{a}" for v, a in zip(dummies + hidden, front)] + heads)
    result_attributes = [token_attribute] * len(effects) + (list(result_attributes) or [""] * len(jaxpr.outvars))
    types = ", ".join([v.aval.mlir + a for v, a in zip(results, result_attributes)])
    plain = ", ".join([v.aval.mlir for v in results])
    end = f"return {', '.join([v.name for v in results])} : {plain}\n" if results else "return\n"
    module.functions.append(f"func.func public @main({head}) -> ({types}) {{\n{''.join(b.lines)}{end}}}\n")
    return effects


def _entry(b: Builder, aval: Any) -> tuple[Value, Value]:
    """The value of an argument of `main`, and the argument itself, which is another one for a token."""
    if aval is abstract_token:
        return b.new_token(), b.fresh(NO_BYTES)
    value = b.fresh(aval)
    return value, value


# -- texts

SYMBOLIC_SIZE = "⟦"  # a size that is not known stands between these brackets; `dynamic` reads them


def _integer_text(value: Any) -> str:
    return f"⟦{value}⟧" if type(value) is SymbolicSize else str(int(value))


def i64_array(values: Sequence[int]) -> str:
    """A dense array attribute of 64-bit integers."""
    if not len(values):
        return "array<i64>"
    try:
        return f"array<i64: {', '.join([str(int(v)) for v in values])}>"
    except SymbolicSizeConversionError:
        return f"array<i64: {', '.join([_integer_text(v) for v in values])}>"


def i64(value: int) -> str:
    """A 64-bit integer attribute."""
    return f"{int(value)} : i64"


def boolean(value: bool) -> str:
    """A boolean attribute."""
    return "true" if value else "false"


def i64_matrix(rows: Sequence[Sequence[int]], columns: int = 2) -> str:
    """A dense attribute of 64-bit integers with two axes (padding)."""
    if not len(rows):
        return f"dense<> : tensor<0x{columns}xi64>"
    body = ", ".join([f"[{', '.join([_integer_text(v) for v in row])}]" for row in rows])
    return f"dense<[{body}]> : tensor<{len(rows)}x{columns}xi64>"


def _index_text(layout: Sequence[int]) -> str:
    return f"dense<{list(layout) if layout else ''}> : tensor<{len(layout)}xindex>"


def constant_text(array: np.ndarray, aval: ShapedArray) -> str:
    """What stands between `dense<` and `>`: a splat where all elements are one, else the bytes.

    The value is brought to the dtype of `aval` first, by NumPy's conversion rule for scalars.
    """
    dtype = aval.dtype
    if dtype == dtypes.float0:
        return "false"
    if array.dtype != dtype:
        array = array.astype(dtype)
    if aval.size == 0:
        return ""
    if array.ndim == 0 or (array.size > 1 and _is_splat(array)):
        return scalar_text(array.reshape(-1)[0] if array.ndim else array[()], dtype)
    if array.size == 1:
        return scalar_text(array.reshape(-1)[0], dtype)
    if dtype == np.dtype(bool) or dtype.itemsize * 8 > dtypes.itemsize_bits(dtype):
        return _nested_text(array, dtype)
    return f'"0x{np.ascontiguousarray(array).tobytes().hex().upper()}"'


def _nested_text(array: np.ndarray, dtype: Any) -> str:
    if array.ndim == 0:
        return scalar_text(array[()], dtype)
    return f"[{', '.join([_nested_text(row, dtype) for row in array])}]"


def _is_splat(array: np.ndarray) -> bool:
    flat = np.ascontiguousarray(array).reshape(-1)
    words = flat.view(np.uint8).reshape(flat.size, -1)
    return bool((words == words[0]).all())


def scalar_text(value: Any, dtype: Any) -> str:
    """One element as MLIR writes it; floating numbers by their bits, so that nothing is rounded."""
    if dtype == np.dtype(bool):
        return "true" if value else "false"
    if dtypes.issubdtype(dtype, np.integer):
        return str(int(value))
    if dtypes.issubdtype(dtype, np.complexfloating):
        part = np.dtype(f"f{dtype.itemsize // 2}")
        return f"({scalar_text(part.type(value.real), part)}, {scalar_text(part.type(value.imag), part)})"
    word = np.asarray(value, dtype).tobytes()
    return f"0x{int.from_bytes(word, 'little'):0{2 * len(word)}X}"
