"""The evaluator: primitives applied outside of any transformation run at once.

Each primitive gets a kernel for each combination of operand types (and parameters): a NumPy function where NumPy
computes the same bits (`host`), else a compiled program. Which of them runs depends on the types and on where the
operands live, never on what happens to be cached.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core import config as config_module
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import config, local
from perspicax.core.context import set_evaluator
from perspicax.core.deferral import Deferred, settled
from perspicax.core.errors import NotAnArrayError
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo, Jaxpr, JaxprEqn, Literal, Var
from perspicax.core.option import option_named
from perspicax.core.primitive import Missing, Primitive
from perspicax.core.trace import Trace, check_alive
from perspicax.core.tracer import get_aval, wide_constants
from perspicax.diagnose.watched import casts_watched
from perspicax.xla import compile as compilation
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl, beyond_numpy, failure, from_numpy
from perspicax.xla.compiled_sharding import replicated_like
from perspicax.xla.emit import physical_aval
from perspicax.xla.errors import IncompatibleDevicesError
from perspicax.xla.mesh import current_mesh
from perspicax.xla.mixed_meshes import refuse_mixed_meshes
from perspicax.xla.sharding_errors import ShardingFitError, ShardingMismatchError

HOST_LIMIT = 1 << 16  # elements; above it XLA's threads beat NumPy's one

MAX_KERNELS = 2048

READS_OPTIONS = frozenset(("reads_options", "user"))
"""Marks of primitives whose rules read options: they have a kernel for each state of them, and no short way to it."""

state_key = config_module.state_key


class EvalTrace(Trace):
    """Runs primitives."""

    __slots__ = ()

    base = True

    def __init__(self) -> None:
        self.parent = None
        self.dead = False
        self.debug = None

    def p1(self, primitive: Primitive, x: Any) -> Any:
        if type(x) is ArrayImpl:
            kernel = primitive.kernels1.get(x.aval)
            if kernel is not None:
                return kernel(x)
        return self.process(primitive, (x,), ())

    def p2(self, primitive: Primitive, x: Any, y: Any) -> Any:
        if type(x) is ArrayImpl and type(y) is ArrayImpl:
            kernel = primitive.kernels2.get((x.aval, y.aval))
            if kernel is not None:
                return kernel(x, y)
        return self.process(primitive, (x, y), ())

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        if Deferred in map(type, args):
            args = tuple(map(settled, args))
        if primitive.evaluate is not None:
            return primitive.evaluate(*args, **primitive.unpack(values))
        return run_kernel(primitive, args, values)


def run_kernel(primitive: Primitive, args: tuple, values: tuple) -> Any:
    """Run `primitive` by its own kernel, made on first use."""
    arrays = tuple([x if type(x) is ArrayImpl else as_array(x) for x in args])
    key: Any = (tuple([x.aval for x in arrays]), values)
    if primitive.extra and not READS_OPTIONS.isdisjoint(primitive.extra):
        key = (*key, state_key())
    try:
        kernel = primitive.kernels.get(key)
    except TypeError:  # a parameter that cannot be hashed
        key, kernel = None, None
    if kernel is None:
        try:
            kernel = make_kernel(primitive, key[0] if key else tuple([x.aval for x in arrays]), values)
        except TypeError:
            wide = wide_constants(args)
            if wide is None:
                raise
            return run_kernel(primitive, tuple([x if a is None else from_numpy(np.asarray(x)) for x, a in zip(args, wide)]),
                              values)
        if key is not None:
            remember(primitive, key, kernel)
    return kernel(*arrays)


def remember(primitive: Primitive, key: tuple, kernel: Callable[..., Any]) -> None:
    """Keep a kernel, bounded."""
    if len(primitive.kernels) >= MAX_KERNELS:
        primitive.clear_caches()
    primitive.kernels[key] = kernel
    if len(key) != 2:
        return
    avals, values = key
    if values == () and not primitive.multiple_results and primitive.evaluate is None:
        if len(avals) == 1:
            primitive.kernels1[avals[0]] = kernel
        elif len(avals) == 2:
            primitive.kernels2[avals] = kernel


converters: dict[type, Callable[[Any], Any]] = {np.ndarray: np.asarray}
"""By class, what makes a NumPy array of a value; libraries add classes of theirs, and give each a type in `typers`."""


def as_array(x: Any) -> ArrayImpl:
    """Anything that may be an operand as a concrete array (canonical dtype; Python scalars stay weak).

    Raises:
        NotAnArrayError: `x` has no values.
        UnexpectedTracerError: `x` is a tracer: there is no trace here to process it.
    """
    x = settled(x)
    if type(x) is ArrayImpl:
        return x
    check_alive((x,))
    aval = get_aval(x)
    if not isinstance(x, np.ndarray | np.generic | int | float | complex | bool):
        if hasattr(x, "__jax_array__"):
            return as_array(x.__jax_array__())
        converter = converters.get(type(x))
        if converter is not None:
            return as_array(converter(x))
        # it has a type (a `ShapeDtypeStruct`, say), but no values
        raise NotAnArrayError(value_type=type(x).__name__, value=repr(x)[:60])
    if type(x) is int:
        dtypes.check_int_fits(x, aval.dtype)
    if casts_watched and isinstance(x, np.ndarray | np.generic) and x.dtype != aval.dtype:
        casts_watched[0](np.asarray(x), aval.dtype)
    value = np.array(x, dtype=aval.dtype)
    return ArrayImpl(aval, None, value, shardings.default_device_sharding() if checking.careful else None)


# -- kernels

def make_kernel(primitive: Primitive, avals: tuple, values: tuple) -> Callable[..., Any]:
    """The function of concrete arrays that runs `primitive` at these types."""
    out = primitive.infer(avals, values)
    outs = list(out) if primitive.multiple_results else [out]
    compiled_kernel: list[Callable[..., Any]] = []

    def compiled(*arrays: ArrayImpl) -> Any:
        if not compiled_kernel:
            compiled_kernel.append(_compiled_kernel(primitive, avals, values, outs))
        return compiled_kernel[0](*arrays)

    if primitive.host is None or any(a.explicit is not None for a in outs):
        return compiled
    if any(a.memory is not None for a in (*avals, *outs)):
        return compiled
    if any(a.size > HOST_LIMIT or beyond_numpy(a) for a in (*avals, *outs)):
        return compiled
    params = primitive.unpack(values)
    if not primitive.handles_extended and any(a.extended for a in (*avals, *outs)):
        if primitive.physical is None or not primitive.extra.get("words_on_host", False):
            return compiled
        params = primitive.physical(params, avals, outs)
    return _host_kernel(primitive, params, outs, compiled)


def _host_kernel(primitive: Primitive, params: dict[str, Any], outs: list,
                 compiled: Callable[..., Any]) -> Callable[..., Any]:
    host = primitive.host
    single = not primitive.multiple_results
    aval: Any = outs[0] if outs else None
    assert_host: Any = host

    def kernel(*arrays: ArrayImpl) -> Any:
        committed, placed = False, None
        for x in arrays:
            place = x._place
            if place is not None:
                if committed and place[1] and placed != place[0]:
                    return compiled(*arrays)  # which raises the report
                placed, committed = place[0] if place[1] or not committed else placed, committed or place[1]
        if committed and placed is not None and checking.mesh:
            mesh = current_mesh.value
            if mesh is not None and mesh.device_tuple != placed.devices:
                return compiled(*arrays)  # which looks at the mesh that is set
        if placed is None and (checking.mesh or checking.device):
            placed = shardings.default_sharding()
            committed = len(placed.devices) > 1
        elif placed is not None and (len(placed.devices) > 1 or placed.devices[0].platform != "cpu"
                                     or placed.chosen_kind is not None):
            return compiled(*arrays)
        result = assert_host(*[x._np if x._np is not None else x.value() for x in arrays], **params)
        if result is NotImplemented:
            return compiled(*arrays)
        if single:
            return ArrayImpl(aval, None, result, placed, committed)
        return [ArrayImpl(a, None, r, placed, committed) for a, r in zip(outs, result)]

    return kernel


def _compiled_kernel(primitive: Primitive, avals: tuple, values: tuple, outs: list) -> Callable[..., Any]:
    closed = kernel_jaxpr(primitive, avals, values, outs)
    by_place: dict[Any, compilation.Executable] = {}
    single = not primitive.multiple_results
    fast: list[Any] = []  # (execute, handlers, aval), for operands on the first device

    def general(*arrays: ArrayImpl) -> Any:
        placed, committed = common_placement(arrays, primitive.name)
        in_shardings = None
        if len(placed.devices) > 1:
            refuse_mixed_meshes(closed, arrays)
            placed, in_shardings = spread_placement(arrays, placed)
        key = (placed, committed, in_shardings)
        program = by_place.get(key)
        if program is None:
            program = by_place[key] = _compile_kernel(primitive, closed, placed, committed, arrays, in_shardings)
            if single and placed is shardings.first_sharding() and program.all_kept and program.out_places == [None]:
                fast[:] = [program.execute, program.handlers, outs[0]]
        results = program(move_all(arrays, placed, program.in_shardings))
        check_results(results, primitive.name, arrays)
        return results[0] if single else results

    if not single or len(avals) not in (1, 2):
        return general

    def first_time(*arrays: ArrayImpl) -> Any:
        result = general(*arrays)
        if fast:
            short = (_short1 if len(avals) == 1 else _short2)(general, *fast)
            remember_short(primitive, avals, values, short)
        return result

    return first_time


def _short1(general: Callable[..., Any], execute: Any, handlers: Any, aval: Any) -> Callable[..., Any]:
    """The short way for one operand on the default device."""
    def kernel(x: ArrayImpl) -> Any:
        if x._place is None and not checking.careful:
            buf = x._buf
            try:
                return ArrayImpl(aval, execute([x.buffer() if buf is None else buf]).consume_with_handlers(handlers)[0])
            except (runtime.RuntimeFailure, ValueError, RuntimeError):
                return general(x)  # which raises the report
        return general(x)

    return kernel


def _short2(general: Callable[..., Any], execute: Any, handlers: Any, aval: Any) -> Callable[..., Any]:
    """The short way for two operands on the default device."""
    def kernel(x: ArrayImpl, y: ArrayImpl) -> Any:
        if x._place is None and y._place is None and not checking.careful:
            a, b = x._buf, y._buf
            try:
                if a is None or b is None:
                    a, b = x.buffer(), y.buffer()
                return ArrayImpl(aval, execute([a, b]).consume_with_handlers(handlers)[0])
            except (runtime.RuntimeFailure, ValueError, RuntimeError):
                return general(x, y)  # which raises the report
        return general(x, y)

    return kernel


def remember_short(primitive: Primitive, avals: tuple, values: tuple, kernel: Callable[..., Any]) -> None:
    """Put a short way in the place of the kernel that found it."""
    try:
        kept = (avals, values) in primitive.kernels
    except TypeError:  # a parameter that cannot be hashed
        return
    if kept:
        remember(primitive, (avals, values), kernel)


def kernel_jaxpr(primitive: Primitive, avals: Sequence[Any], values: tuple, outs: Sequence[Any]) -> ClosedJaxpr:
    """A jaxpr of one equation."""
    invars = [Var(a) for a in avals]
    outvars = [Var(a) for a in outs]
    effects = primitive.effects_of(values)
    eqn = JaxprEqn(primitive, tuple(invars), values, tuple(outvars), effects, None)
    return ClosedJaxpr(Jaxpr([], invars, outvars, [eqn], effects, DebugInfo("eager", primitive.name)))


def _compile_kernel(primitive: Primitive, closed: ClosedJaxpr, placed: Any, committed: bool,
                    arrays: Sequence[ArrayImpl], in_shardings: tuple | None) -> compilation.Executable:
    if isinstance(primitive.emit, Missing):
        primitive.rule("emit")
    lowered = compilation.lower(closed, name=f"jit_{primitive.name}", placed=placed, keep_unused=True,
                                in_shardings=in_shardings)
    overrides = compilation.FAST_COMPILE if _compiles_fast(primitive, arrays) else ()
    return compilation.compile_lowered(lowered, overrides=overrides, committed=committed)


def _compiles_fast(primitive: Primitive, arrays: Sequence[ArrayImpl]) -> bool:
    """Whether `FAST_COMPILE` leaves the bits as they are: `"all"`, `"real"` (not for complex operands) or `"none"`.

    It does where each result is rounded once. XLA's two code generators differ in the last bits of transcendental
    functions, and in what they contract to fused multiply-adds.
    """
    fast = primitive.extra.get("fast_compile", "none")
    return fast == "all" or (fast == "real" and all(x.aval.extended or x.aval.dtype.kind != "c" for x in arrays))


# -- placement

def common_placement(arrays: Sequence[ArrayImpl], what: str,
                     names: Callable[[], Sequence[str]] | None = None) -> tuple[Any, bool]:
    """Where an operation on `arrays` runs, and whether its result is committed there; `names` are theirs, for the report.

    Raises:
        IncompatibleDevicesError: two of them are committed to different sets of devices, or they to others than those of the
            mesh that is set.
    """
    found: Any = None
    for x in arrays:
        place = x._place
        if place is not None and (place[1] or len(place[0].devices) > 1):
            if found is None:
                found = place[0]
            elif found is not place[0] and found.devices != place[0].devices:
                raise IncompatibleDevicesError(what=what, placements=_places_of(arrays, names() if names is not None else ()))
    if found is None:
        found = shardings.default_sharding()
        return found, len(found.devices) > 1
    if checking.mesh:
        mesh = current_mesh.value
        if mesh is not None and mesh.device_tuple and found.devices != mesh.device_tuple:
            refuse_other_devices(arrays, found, mesh, what, names() if names is not None else ())
    return found if found.chosen_kind is None else shardings.in_computing_memory(found), True


def refuse_other_devices(arrays: Sequence[ArrayImpl], placed: Any, mesh: Any, what: str, names: Sequence[str]) -> None:
    """Raise: `what` would run where `placed` says, and not on the devices of the mesh that is set.

    Raises:
        IncompatibleDevicesError: always.
    """
    places = _places_of(arrays, names, placed.devices)
    raise IncompatibleDevicesError(what=what, placements=places or (f"a sharding asks for {_devices_text(placed.devices)}",),
                                   mesh=_devices_text(mesh.device_tuple))


def _places_of(arrays: Sequence[ArrayImpl], names: Sequence[str], devices: Any = None) -> tuple[str, ...]:
    """Where the committed ones among arrays are, or those on `devices`."""
    return tuple([f"{f'`{names[i]}`, ' if i < len(names) else ''}{a.aval.str_short()} on {_devices_text(a.sharding.devices)}"
                  for i, a in enumerate(arrays) if a._committed and devices in (None, a.sharding.devices)])


def _devices_text(devices: Sequence[Any]) -> str:
    names = [f"{d.platform}:{d.id}" for d in devices]
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} devices, {names[0]}, {names[1]}, …, {names[-1]}"


def spread_placement(arrays: Sequence[ArrayImpl], placed: Any, given: Sequence[Any] | None = None, function: str = "",
                     names: Callable[[], Sequence[str]] | None = None) -> tuple[Any, tuple]:
    """The devices of a program on several of them, and the sharding of each operand, `None` where the compiler chooses.

    Args:
        arrays: the operands.
        placed: a sharding on those devices.
        given: the shardings that the user asks for, or `None` for an operand taken as it is.
        function, names: what was called, and its operands, for the report.

    Raises:
        ShardingFitError: an operand cannot be placed so.
        ShardingMismatchError: an operand was placed otherwise on purpose.
    """
    if given is None:
        return replicated_like(placed), tuple(map(_place_on_several, arrays))
    found = []
    for i, (x, wanted) in enumerate(zip(arrays, given)):
        if wanted is None:
            found.append(_place_on_several(x))
            continue
        if x.sharding is not wanted:
            try:
                wanted.shard_shape(x.shape)
            except ShardingFitError as error:
                error.name, error.function, error.type_text = _name(names, i), function, x.aval.str_short()
                raise
            if x._committed and not x.sharding.is_equivalent_to(wanted, x.ndim):
                raise ShardingMismatchError(function=function, name=_name(names, i), type_text=x.aval.str_short(),
                                            wanted=shardings.drawn(wanted, x.shape),
                                            got=shardings.drawn(x.sharding, x.shape))
        found.append(wanted)
    return replicated_like(placed), tuple(found)


def _place_on_several(x: ArrayImpl) -> Any:
    """The sharding of an array on several devices; `None` of others."""
    return x._place[0] if x._place is not None and len(x._place[0].devices) > 1 else None


def _name(names: Callable[[], Sequence[str]] | None, index: int) -> str:
    return names()[index] if names is not None else f"operand {index}"


def move_all(arrays: Sequence[ArrayImpl], placed: Any, in_shardings: Sequence[Any] | None) -> list[ArrayImpl]:
    """The operands where a program takes them."""
    if in_shardings is None:
        return [move(x, placed) for x in arrays]
    return [_spread(x, s) for x, s in zip(arrays, in_shardings)]


def all_there(arrays: Sequence[ArrayImpl], placed: Any, in_shardings: Sequence[Any] | None) -> bool:
    """Whether all operands lie where a program takes them."""
    if in_shardings is None:
        return all(x.sharding == placed for x in arrays)
    return all(len(x.sharding.devices) > 1 and x.sharding.is_equivalent_to(s, x.ndim) for x, s in zip(arrays, in_shardings))


def _spread(x: ArrayImpl, wanted: Any) -> ArrayImpl:
    own = x.sharding
    if own is wanted or (len(own.devices) > 1 and own.is_equivalent_to(wanted, x.ndim)):
        return x
    from perspicax.xla.array import place

    return place(x.value(), x.aval, wanted, True)


def move(x: ArrayImpl, placed: Any) -> ArrayImpl:
    """`x` on the one device of `placed`: itself when it is there, else a copy (of uncommitted data)."""
    if x.sharding is placed:
        return x
    if x._buf is None:
        if x._np is None:
            raise x._deleted_error()
        return ArrayImpl(x.aval, None, x._np, placed, x._committed)
    if x.sharding == placed or (x.aval.memory is not None and x.sharding.devices == placed.devices):
        return x
    from perspicax.xla.array import place

    return place(x.value(), x.aval, placed, True)


# -- checks of results

class _Checking:
    """Whether the short ways may be taken: not while results are looked at, nor while what nothing places goes elsewhere."""

    __slots__ = ("careful", "device", "mesh", "nans")

    def __init__(self) -> None:
        self.careful = False
        self.device = False
        self.mesh = False
        self.nans = False


checking = _Checking()
_watched = {name: option_named(name) for name in ("jax_debug_nans", "jax_debug_infs", "jax_default_device")}


def _follow_options() -> None:
    checking.nans = _watched["jax_debug_nans"].touched or _watched["jax_debug_infs"].touched
    checking.mesh = current_mesh.touched
    checking.device = _watched["jax_default_device"].touched
    checking.careful = checking.nans or checking.mesh or checking.device


for _option in (*_watched.values(), current_mesh):
    _option.watch(_follow_options)
_follow_options()


def check_results(results: Sequence[ArrayImpl], what: str, operands: Sequence[ArrayImpl] = ()) -> None:
    """With `jax_debug_nans` or `jax_debug_infs`: raise when a result holds one.

    Args:
        operands: what the results were computed from; those that hold one themselves are named.
    """
    if not checking.nans:
        return
    from perspicax.xla.errors import NonFiniteError

    for kind, wanted in (("nan", config.jax_debug_nans), ("inf", config.jax_debug_infs)):
        found = next((x for x in results if wanted and _holds(x, kind)), None)
        if found is not None:
            given = tuple([i for i, x in enumerate(operands) if _holds(x, kind)])
            raise NonFiniteError(what=what, kind=kind, type_text=found.aval.str_short(), given=given, count=len(operands),
                                 position=local.place)


def _holds(x: ArrayImpl, kind: str) -> bool:
    """Whether an array holds a NaN, or an infinity."""
    if x.aval.extended or not dtypes.issubdtype(x.aval.dtype, np.inexact):
        return False
    value = x.value()
    if value.dtype.kind not in "fc":
        value = value.astype(np.float32)
    return bool((np.isnan(value) if kind == "nan" else np.isinf(value)).any())


def device_get_all(arrays: Sequence[ArrayImpl]) -> list[np.ndarray]:
    """NumPy values of several arrays, their copies overlapped."""
    for x in arrays:
        x.copy_to_host_async()
    return [x.value() for x in arrays]


set_evaluator(EvalTrace())

__all__ = ["EvalTrace", "run_kernel", "as_array", "make_kernel", "common_placement", "move", "check_results",
           "from_numpy", "ShapedArray", "Literal", "failure", "physical_aval"]
