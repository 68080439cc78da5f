"""`custom_partitioning`: functions for which the user says what each device of a mesh does.

In a program for several devices such a call is a custom call, which Shardy places by the function's sharding rule. When XLA
comes to cut it, it asks a Python function that is registered under the call's name (`binding.runtime.register_partitioner`);
that one asks the user's `partition`, stages the function that he gives each device, and answers with its StableHLO.
"""
from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.api.partitioning_errors import PartitionerError, PartitionerMissingError, PartitionerRuleError, ShardingRuleError
from perspicax.api.sharding_rules import SdyShardingRule, parse_rule, rule_text
from perspicax.binding import runtime
from perspicax.core.avals import ShapedArray
from perspicax.core.folding import eval_context
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import Missing, NotDifferentiable, NotLinear, Primitive
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer
from perspicax.diagnose.boundary import public
from perspicax.transform import trees as tree
from perspicax.transform.ahead import ShapeDtypeStruct
from perspicax.transform.custom import BoundArguments
from perspicax.transform.jit_primitive import run_jaxpr
from perspicax.transform.mesh_scope import mesh_axes
from perspicax.transform.places import return_place
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, short_repr
from perspicax.xla import dispatch
from perspicax.xla.array import ArrayImpl
from perspicax.xla.compiled_sharding import compiled_sharding
from perspicax.xla.emit import Module, Value, emit_main
from perspicax.xla.mesh import current_mesh, empty_mesh
from perspicax.xla.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

__all__ = ["custom_partitioning", "custom_partitioning_p"]

TARGET = b"PerspicaxPartitioning"


class ValueType(NamedTuple):
    """The type of an operand or result, for functions that return a sharding rule."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.shape)


class _Definition(NamedTuple):
    """What `def_partition` was told."""

    partition: Callable[..., Any]
    infer: Callable[..., Any] | None
    propagate: Callable[..., Any] | None
    decode: bool
    rule: Any  # an `SdyShardingRule`, a function that returns one, or `None`


class custom_partitioning(BoundArguments):
    """A function for which the user says how it is spread over devices; `def_partition` says it.

    Args:
        fun: the function, of pytrees of arrays. One device runs it as it is, and so does each within `shard_map`.
        static_argnums: numbers of positional arguments that are no arrays; what the user gives gets their values first.

    It is neither differentiated nor vectorised: let `custom_vjp` or `custom_vmap` be the outer decorator.

    >>> @custom_partitioning
    ... def transform(x): return jnp.fft.fft(x)
    >>> def partition(mesh, args, result):
    ...     return mesh, jnp.fft.fft, result.sharding, (args[0].sharding,)
    >>> transform.def_partition(partition, sharding_rule="... i -> ... i", need_replication_factors=("i",))
    """

    @public
    def __init__(self, fun: Callable[..., Any], static_argnums: Sequence[int] | int = ()) -> None:
        super().__init__(fun)
        self.static_argnums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
        self._definition: _Definition | None = None

    @public
    def def_partition(self, partition: Callable[..., Any], infer_sharding_from_operands: Callable[..., Any] | None = None,
                      propagate_user_sharding: Callable[..., Any] | None = None, decode_shardings: bool = True,
                      sharding_rule: Any = None, *, reduction_factors: tuple[str, ...] = (),
                      need_replication_factors: tuple[str, ...] = (), permutation_factors: tuple[str, ...] = (),
                      **factor_sizes: int) -> Callable[..., Any]:
        """Say how the function is partitioned.

        Args:
            partition: `partition(*static, mesh, arg_shapes, result_shape)` gets trees of `ShapeDtypeStruct`s with the
                shardings that the compiler proposes, and returns a mesh, the function of its parts that each device runs
                (it may use collectives over the mesh's axes), and the shardings of results and arguments that this
                function wants. Arguments that lie otherwise are moved first.
            infer_sharding_from_operands, propagate_user_sharding: kept for programs that are partitioned by GSPMD; Shardy,
                which partitions all programs here, follows `sharding_rule` instead.
            decode_shardings: whether proposed shardings are told as `NamedSharding`s where the program's mesh says them.
            sharding_rule: which axes belong together: a text like `"... i -> ... i"`, an `SdyShardingRule`, or
                `rule(*static, mesh, operand_types, result_types)` that returns one of these, or a text and a dict of the
                parameters below. Without it, and without these functions, results are whole on each device.
            reduction_factors: factors of a text that are summed over.
            need_replication_factors: factors of a text that cannot be split.
            permutation_factors: factors of a text along which devices must tell each other parts.
            **factor_sizes: the sizes of factors of a text that stand in parentheses alone.

        Returns:
            `partition`.

        Raises:
            ShardingRuleError: the rule cannot be read.

        Differs: functions that return a rule get types with `shape`, `dtype` and `rank`, where JAX's get those of MLIR.
        """
        kinds = {"reduction_factors": reduction_factors, "need_replication_factors": need_replication_factors,
                 "permutation_factors": permutation_factors}
        rule = sharding_rule
        if rule is not None and not callable(rule) and not isinstance(rule, SdyShardingRule):
            rule = parse_rule(rule, kinds, factor_sizes)
        elif any(kinds.values()) or factor_sizes:
            name = next(n for n in (*[k for k, v in kinds.items() if v], *factor_sizes))
            raise ShardingRuleError(says=f"`def_partition` was given `{name}`, and a rule that is no text.",
                                    why="an object or a function says itself what holds for its factors")
        self._definition = _Definition(partition, infer_sharding_from_operands, propagate_user_sharding, decode_shardings, rule)
        return partition

    @public
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self.fun)
        if self._definition is None:
            raise PartitionerMissingError(function=name)
        how = self._definition
        if how.rule is None and (how.infer is not None or how.propagate is not None):
            raise PartitionerRuleError(function=name, callback="propagate_user_sharding" if how.infer is None else
                                       "infer_sharding_from_operands")
        args = self.resolve(args, kwargs)
        at = {i % len(args) for i in self.static_argnums} if args else set()
        static = tuple([x for i, x in enumerate(args) if i in at])
        given = tuple([x for i, x in enumerate(args) if i not in at])

        def of_arrays(*arrays: Any) -> Any:
            rest, fixed = iter(arrays), iter(static)
            return self.fun(*[next(fixed) if i in at else next(rest) for i in range(len(args))])

        leaves, in_tree = tree.flatten((given, {}))
        avals = check_arguments(leaves, in_tree, self.fun, "custom_partitioning")
        flat = FlatFunction(of_arrays, in_tree, "custom_partitioning")
        closed: ClosedJaxpr = stage_flat(flat, avals, debug_info("custom_partitioning", self.fun, in_tree))
        outside = next((c for c in closed.consts if isinstance(c, Tracer)), None)
        if outside is not None:
            raise PartitionerError(kind="closure", function=name, got=outside.aval.str_short())
        asked = _Call(name, how, static, tree.flatten(given)[1], flat.out_tree)
        outs = custom_partitioning_p(*leaves, call=closed, how=asked)
        return flat.out_tree.unflatten(outs)


class _Call:
    """One use of such a function: what the partitioner needs besides types. Equal only to itself."""

    __slots__ = ("definition", "in_tree", "name", "out_tree", "static")

    def __init__(self, name: str, definition: _Definition, static: tuple, in_tree: Any, out_tree: Any) -> None:
        self.name, self.definition, self.static = name, definition, static
        self.in_tree, self.out_tree = in_tree, out_tree

    def __repr__(self) -> str:
        return f"<partition of {self.name}>"

    @property
    def rule_name(self) -> str:
        """The name of the user's `partition`."""
        return function_name(self.definition.partition)


# -- what XLA asks for

class _Request:
    """A call in a program that is being compiled. The program keeps it alive until then."""

    def __init__(self, call: _Call, devices: tuple, mesh: Any, platform: str) -> None:
        self.call, self.devices, self.mesh, self.platform = call, devices, mesh, platform
        self.failed: Exception | None = None  # what `compile` raises instead of XLA's error

    def told(self, shape: Any, sharding: Any) -> ShapeDtypeStruct:
        """An array's whole type, with the sharding that XLA proposes."""
        sizes = tuple(shape.dimensions())
        place: Any = None
        if sharding is not None:
            meshes = [self.mesh] if self.call.definition.decode and isinstance(self.mesh, Mesh) else []
            place = compiled_sharding(self.devices, sharding, len(sizes), meshes)
            if isinstance(place, NamedSharding):
                place = place.update(spec=PartitionSpec(*place.spec, *[None] * (len(sizes) - len(place.spec))))
        return ShapeDtypeStruct(sizes, shape.numpy_dtype(), sharding=place)

    def partition(self, arg_shapes: Sequence[Any], arg_shardings: Sequence[Any], result_shape: Any,
                  result_sharding: Any) -> tuple[bytes, list, Any]:
        """The program of each device, and the shardings for which it is."""
        call = self.call
        shapes, proposed = _parts(result_shape, result_sharding)
        args = call.in_tree.unflatten([self.told(s, h) for s, h in zip(arg_shapes, arg_shardings)])
        results = call.out_tree.unflatten([self.told(s, h) for s, h in zip(shapes, proposed)])
        answer = call.definition.partition(*call.static, self.mesh, args, results)
        if not isinstance(answer, tuple | list) or len(answer) != 4 or not callable(answer[1]):
            raise self.error("result", got=short_repr(answer))
        mesh, function, result_places, arg_places = answer
        found = self.checked(call.out_tree, result_places, shapes, "results")
        wanted = self.checked(call.in_tree, arg_places, arg_shapes, "arguments")
        text = self.staged(mesh, function, [_cut(h, s) for h, s in zip(wanted, arg_shapes)],
                           [_cut(h, s) for h, s in zip(found, shapes)])
        return text.encode(), wanted, _joined(result_shape, found)

    def checked(self, structure: Any, places: Any, shapes: Sequence[Any], what: str) -> list[Any]:
        """XLA's shardings of the ones that the user gave."""
        try:
            leaves = structure.flatten_up_to(places)
        except (ValueError, TypeError):
            leaves = [None]
        if len(leaves) != len(shapes) or not all(isinstance(p, Sharding) for p in leaves):
            raise self.error("sharding", got=short_repr(places), wanted=what)
        return [p._to_xla_hlo_sharding(len(s.dimensions())) for p, s in zip(leaves, shapes)]

    def staged(self, mesh: Any, function: Callable[..., Any], avals: Sequence[ShapedArray],
               wanted: Sequence[ShapedArray]) -> str:
        """The StableHLO of the function that each device runs."""
        call = self.call
        _, in_tree = tree.flatten((call.in_tree.unflatten(list(avals)), {}))
        flat = FlatFunction(function, in_tree, "custom_partitioning")
        names = frozenset(mesh.axis_names)
        with eval_context(), mesh_axes(mesh, names, False):
            closed = stage_flat(flat, avals, debug_info("custom_partitioning", function, in_tree))
        if [(a.shape, a.dtype) for a in closed.out_avals] != [(a.shape, a.dtype) for a in wanted]:
            raise self.error("types", got=_types(closed.out_avals), wanted=_types(wanted))
        module = Module(call.name, self.platform)
        module.num_partitions, module.devices = len(self.devices), self.devices
        module.manual.append((mesh, names))
        jaxpr = closed.jaxpr
        small = {i: np.asarray(c.value() if type(c) is ArrayImpl else c) for i, c in enumerate(closed.consts)}
        emit_main(module, jaxpr, [v.aval for v in jaxpr.constvars], keep=[True] * len(jaxpr.invars), small=small)
        if module.callbacks or jaxpr.effects:
            raise self.error("host")
        for family in module.native:
            runtime.prepare_native(family)
        return module.text()

    def error(self, kind: str, **facts: Any) -> PartitionerError:
        """An error of the user's function."""
        return PartitionerError(kind=kind, function=self.call.name, rule=self.call.rule_name,
                                position=return_place(self.call.definition.partition), **facts)


def _parts(shape: Any, sharding: Any) -> tuple[list, list]:
    """The shapes and shardings of all results."""
    if shape.is_tuple():
        return list(shape.tuple_shapes()), list(sharding.tuple_elements())
    return [shape], [sharding]


def _joined(shape: Any, shardings: list) -> Any:
    return runtime.HloSharding.tuple_sharding(shape, shardings) if shape.is_tuple() else shardings[0]


def _cut(sharding: Any, shape: Any) -> ShapedArray:
    """The type of one device's part."""
    part = sharding.tile(shape)
    return ShapedArray(tuple(part.dimensions()), np.dtype(part.numpy_dtype()))


def _types(avals: Sequence[Any]) -> str:
    return ", ".join([a.str_short() for a in avals]) or "nothing"


_requests: weakref.WeakValueDictionary[bytes, _Request] = weakref.WeakValueDictionary()
_numbers = itertools.count()
_registered: list[bool] = []


def _register() -> None:
    """Tell XLA of the partitioner, once in a process; under a name of our own."""
    if not _registered:
        _registered.append(True)
        runtime.register_partitioner(TARGET.decode(), _propagate, _partition, _infer)


def _partition(arg_shapes: Any, arg_shardings: Any, result_shape: Any, result_sharding: Any, config: bytes) -> Any:
    request = _requests[config]
    request.failed = None
    try:
        return request.partition(arg_shapes, arg_shardings, result_shape, result_sharding)
    except PartitionerError as error:
        request.failed = error
        raise
    except Exception as error:
        request.failed = request.error("raised", got=f"{type(error).__name__}: {error}")
        request.failed.__cause__ = error
        raise


def _propagate(sharding: Any, shape: Any, config: bytes) -> Any:
    """GSPMD's question, which Shardy does not ask: the sharding, of that which a user of the results has."""
    request = _requests[config]
    ask = request.call.definition.propagate
    if ask is None:
        return sharding
    shapes, proposed = _parts(shape, sharding)
    told = request.call.out_tree.unflatten([request.told(s, h) for s, h in zip(shapes, proposed)])
    answer = ask(*request.call.static, request.mesh, told)
    return _joined(shape, request.checked(request.call.out_tree, answer, shapes, "results"))


def _infer(arg_shapes: Any, arg_shardings: Any, result_shape: Any, config: bytes) -> Any:
    """GSPMD's question, which Shardy does not ask: the sharding of the results, of those of the arguments."""
    request = _requests[config]
    shapes = list(result_shape.tuple_shapes()) if result_shape.is_tuple() else [result_shape]
    ask = request.call.definition.infer
    if ask is None:
        return _joined(result_shape, [runtime.HloSharding.replicate()] * len(shapes))
    args = request.call.in_tree.unflatten([request.told(s, h) for s, h in zip(arg_shapes, arg_shardings)])
    told = request.call.out_tree.unflatten([request.told(s, None) for s in shapes])
    answer = ask(*request.call.static, request.mesh, args, told)
    return _joined(result_shape, request.checked(request.call.out_tree, answer, shapes, "results"))


# -- the primitive

def _emit(b: Any, *operands: Value, call: ClosedJaxpr, how: _Call) -> list[Value]:
    module = b.module
    manual = module.manual[-1] if module.manual else None
    if module.num_partitions == 1 or (manual is not None and manual[1].issuperset(manual[0].axis_names)):
        return b.call(call, operands, how.name)
    meshes = [s.mesh for s in module.spoken_of if isinstance(s, NamedSharding)] + [current_mesh.value]
    mesh = next((m for m in meshes if isinstance(m, Mesh) and m.device_tuple == module.devices), None)
    _register()
    request = _Request(how, module.devices, mesh or empty_mesh(), module.platform)
    key = f"{TARGET.decode()} {next(_numbers)}"
    _requests[key.encode()] = request
    module.told.append(request)
    rule = _rule(how, request.mesh, [v.aval for v in operands], b.out)
    return b.hlo("custom_call", operands, list(b.out),
                 f'call_target_name = "{TARGET.decode()}", api_version = 2 : i32, backend_config = "{key}"',
                 discardable=f"sdy.sharding_rule = {rule}" if rule else "")


def _rule(how: _Call, mesh: Any, operands: Sequence[Any], results: Sequence[Any]) -> str:
    rule = how.definition.rule
    if rule is None:
        return ""
    if not isinstance(rule, SdyShardingRule):
        types = [[ValueType(tuple(a.shape), a.dtype) for a in avals] for avals in (operands, results)]
        rule = rule(*how.static, mesh, *types)
        more: dict[str, Any] = {}
        if isinstance(rule, tuple | list) and len(rule) == 2:
            rule, more = rule
        if not isinstance(rule, SdyShardingRule):
            rule = parse_rule(rule, {}, more)
    return rule_text(rule, [tuple(a.shape) for a in operands], [tuple(a.shape) for a in results])


def _evaluate(*args: Any, call: ClosedJaxpr, how: _Call) -> list:
    arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in args]
    values = custom_partitioning_p.pack({"call": call, "how": how})
    closed = dispatch.kernel_jaxpr(custom_partitioning_p, [x.aval for x in arrays], values, call.out_avals)
    return run_jaxpr(closed, arrays, name=how.name, search=lambda: None)  # it is the one equation


custom_partitioning_p = Primitive(
    "custom_partitioning", params=("call", "how"), multiple_results=True, cache_types=False,
    type_rule=lambda *avals, call, how: list(call.out_avals),
    jvp=NotDifferentiable("what each device does is said for the function itself, not for its derivative; let `custom_vjp` or "
                          "`custom_jvp` be the outer decorator"),
    transpose=NotLinear("it is not known to be linear"),
    batch=Missing("what each device does is said for the function itself; let `custom_vmap` be the outer decorator"),
    emit=_emit, evaluate=_evaluate, effects=lambda call, **_: call.effects, source="XLA's partitioner of custom calls")
