"""Compilation: a jaxpr becomes an executable, through the disk cache.

An `Executable` knows which arguments it wants (unused ones are dropped), its hidden arguments (constants), and how to
wrap what comes out.
"""
from __future__ import annotations

import atexit
import json
import logging
import math
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray, abstract_token, oversized
from perspicax.core.config import config
from perspicax.core.deferral import settled
from perspicax.core.effects import Effect
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxprs_in
from perspicax.core.monitoring import CACHE_ASKED, CACHE_HIT, CACHE_MISS, COMPILING, LOWERING, measured, record_event
from perspicax.core.option import on_change, option_named
from perspicax.core.symbolic_errors import SymbolicShapeError
from perspicax.core.trace import check_alive
from perspicax.core.tracer import get_aval
from perspicax.diagnose.frames import user_frame, user_place
from perspicax.xla import cache as cache_module
from perspicax.xla import client as clients
from perspicax.xla import emit, explicit, sharding
from perspicax.xla.array import ArrayImpl, callback_cause, failure, made, noting, place, placement
from perspicax.xla.compiled_sharding import compiled_sharding, replicated_like
from perspicax.xla.emit import physical_aval
from perspicax.xla.errors import JaxRuntimeError
from perspicax.xla.named_meshes import meshes_named, meshes_of_results
from perspicax.xla.pacing import way_to_run

logger = logging.getLogger("jax")
compiled = {"count": 0, "loaded": 0}  # how many programs this process compiled, and how many came from the disk


def programs() -> int:
    """How many programs this process has, compiled or from the disk."""
    return compiled["count"] + compiled["loaded"]



# A third of the time, for some kernels the same bits. What is compiled in parts at once takes a fifth more.
FAST_COMPILE = (("xla_cpu_use_fusion_emitters", False), ("xla_cpu_parallel_codegen_split_count", 1))


class Lowered:
    """StableHLO text with what is needed to compile and call it."""

    __slots__ = (
        "donated",
        "effects",
        "hidden",
        "hidden_shardings",
        "in_shardings",
        "jaxpr",
        "keep",
        "module",
        "name",
        "out_avals",
        "out_shardings",
        "placed",
        "text",
    )

    def __init__(self, module: emit.Module, text: str, keep: list[bool], hidden: list[Any], out_avals: Sequence[Any],
                 effects: list[Effect], name: str, donated: Sequence[bool], jaxpr: Jaxpr, placed: Any,
                 out_shardings: Sequence[Any] | None, in_shardings: Sequence[Any] | None = None,
                 hidden_shardings: Sequence[Any] = ()) -> None:
        self.in_shardings, self.hidden_shardings = in_shardings, hidden_shardings
        self.module, self.text, self.keep, self.hidden = module, text, keep, hidden
        self.out_avals, self.effects, self.name, self.donated = out_avals, effects, name, donated
        self.jaxpr, self.placed, self.out_shardings = jaxpr, placed, out_shardings

    def open_values(self) -> tuple[list[bool], list[bool]]:
        """For each parameter and each result of the program, on several devices, whether the compiler places it."""
        fixed = [False] * (len(self.effects) + len(self.hidden))
        given = self.in_shardings or [None] * len(self.keep)
        results = self.out_shardings or [None] * len(self.out_avals)
        return (fixed + [s is None for s, kept in zip(given, self.keep) if kept],
                [False] * len(self.effects) + [s is None for s in results])


def without_dead_equations(jaxpr: Jaxpr) -> tuple[Jaxpr, list[bool]]:
    """The jaxpr without equations that nothing reads (and that have no effect), and for each input whether it is read.

    Reverse mode leaves such equations: the primal results that no derivative needs.
    """
    used = {a for a in jaxpr.outvars if type(a) is not Literal}
    live: list[Any] = []
    changed = False
    for eqn in reversed(jaxpr.eqns):
        if eqn.effects or not used.isdisjoint(eqn.outvars):
            prune = eqn.primitive.extra.get("prune")
            if prune is not None:
                eqn = _pruned(eqn, prune, used)
                changed = True
            live.append(eqn)
            for a in eqn.invars:
                if type(a) is not Literal:
                    used.add(a)
    if changed or len(live) != len(jaxpr.eqns):
        live.reverse()
        jaxpr = jaxpr.replace(eqns=live)
    return jaxpr, [v in used for v in jaxpr.invars]


def _pruned(eqn: Any, prune: Callable[..., Any], used: set) -> Any:
    """A loop or branch without the results that nobody reads, and without the operands that only they need.

    `prune(which results are read, params)` gives the parameters of what is left, and which operands and results are.
    """
    params, operands, results = prune([v in used for v in eqn.outvars], eqn.params)
    return eqn.replace(params=params, invars=[a for a, kept in zip(eqn.invars, operands) if kept],
                       outvars=[v for v, kept in zip(eqn.outvars, results) if kept])


def lower(closed: ClosedJaxpr, *, name: str, placed: Any, donated: Sequence[bool] = (), keep_unused: bool = False,
          in_shardings: Sequence[Any] | None = None, out_shardings: Sequence[Any] | None = None,
          platform: str | None = None) -> Lowered:
    """Emit StableHLO for `closed`.

    Args:
        name: of the module.
        placed: sharding that gives the devices.
        donated: for each input whether its memory may be reused.
        keep_unused: keep inputs that nothing reads.
        in_shardings, out_shardings: shardings of inputs and results, on several devices; `None` for each that the
            compiler places.
        platform: what it is for, where that is not the platform of the devices.
    """
    consts = [settled(c) for c in closed.consts]
    check_alive(consts)  # those of a function that another thread is tracing have no values here
    open_type = next((v.aval for v in closed.jaxpr.invars if getattr(v.aval, "symbolic", False)), None)
    if open_type is not None:
        raise SymbolicShapeError(says=f"`{name.removeprefix('jit_')}` was to be compiled for an argument of type "
                                      f"{open_type.str_short()}.",
                                 why="a compiled program is for known sizes; `jax.export` keeps symbolic ones open",
                                 code="jax.export.export(f)(...)")
    jaxpr, read = without_dead_equations(closed.jaxpr)
    keep = [True] * len(read) if keep_unused else read
    module = emit.Module(name, platform or placed.devices[0].platform)
    module.num_partitions = len(placed.devices)
    many = module.num_partitions > 1
    module.split_types = bool(explicit.in_use)
    out_shardings = sharding.in_memories(
        closed.out_avals, out_shardings, explicit.laid_results(closed.out_avals, out_shardings, placed))
    module.devices = placed.devices if many else ()
    small = {i: np.asarray(c.value() if type(c) is ArrayImpl else c)
             for i, (c, v) in enumerate(zip(consts, jaxpr.constvars))
             if v.aval is not abstract_token and (
                 v.aval.dtype == dtypes.float0  # which no buffer can hold
                 or (getattr(v.aval, "size", 0) <= emit.SMALL_CONSTANT and not v.aval.extended
                     and not isinstance(c, ArrayImpl | np.ndarray)))}
    attributes, donated = _argument_attributes(module, jaxpr, keep, donated or [False] * len(jaxpr.invars),
                                               in_shardings if many else None)
    results = [] if out_shardings is None or not many else [
        _sharding_attribute(module, s, a) for s, a in zip(out_shardings, closed.out_avals)]
    hidden = [(c, v.aval) for i, (c, v) in enumerate(zip(consts, jaxpr.constvars)) if i not in small]
    placements = [_constant_sharding(c, placed) for c, _ in hidden] if many else []
    with measured(LOWERING, _called(name)):
        effects = emit.emit_main(
            module, jaxpr, [v.aval for v in jaxpr.constvars], keep=keep, argument_attributes=attributes,
            result_attributes=results, small=small,
            token_attribute=_sharding_attribute(module, placed, None) if many and jaxpr.effects else "",
            hidden_attributes=[_sharding_attribute(module, s, a) for s, (_, a) in zip(placements, hidden)])
        text = module.text()
    return Lowered(module, text, keep, [c for c, _ in hidden], closed.out_avals, effects, name,
                   donated, jaxpr, placed, out_shardings, in_shardings, placements)


def _called(name: str) -> str:
    """The name of a program as `jax.monitoring` tells it."""
    return f"jit({name.removeprefix('jit_')})"


def _sharding_attribute(module: emit.Module, sharding: Any, aval: Any) -> str:
    """The attribute of a parameter or result; `aval` is `None` for the dummy of a token."""
    if sharding is None:
        return ""
    if aval is None:
        sharding, aval = replicated_like(sharding), emit.NO_BYTES
    return f" {{sdy.sharding = {module.sharding_text(sharding, len(physical_aval(aval).shape))}}}"


def _constant_sharding(x: Any, placed: Any) -> Any:
    """How a constant lies: as it is, when it is on the program's devices; else whole on each."""
    own = x.sharding if type(x) is ArrayImpl else None
    return own if own is not None and own.devices == placed.devices else replicated_like(placed)


def _argument_attributes(module: emit.Module, jaxpr: Jaxpr, keep: Sequence[bool], donated: Sequence[bool],
                         in_shardings: Sequence[Any] | None) -> tuple[list[str], list[bool]]:
    """The attributes of each argument, and which donated ones a result can take over; the others are warned about."""
    free: dict[str, list[int]] = {}
    used, wasted = [], []
    for i, v in enumerate(jaxpr.outvars):
        free.setdefault(physical_aval(v.aval).mlir, []).append(i)
    attributes = []
    for i, (v, kept, given) in enumerate(zip(jaxpr.invars, keep, donated)):
        parts = []
        if in_shardings is not None and in_shardings[i] is not None:
            parts.append(f"sdy.sharding = {module.sharding_text(in_shardings[i], len(physical_aval(v.aval).shape))}")
        place = None if in_shardings is None else in_shardings[i]
        if v.aval.memory is not None or (place is not None and place.chosen_kind is not None):
            given = False  # results are made in the memory in which devices compute
        same = free.get(physical_aval(v.aval).mlir)
        used.append(bool(given and kept and same))
        if given and kept and same:
            parts.append(f"tf.aliasing_output = {same.pop(0)} : i32" if in_shardings is None
                         else "jax.buffer_donor = true")
        elif given and kept:
            wasted.append(v.aval.str_short())
        attributes.append(f" {{{', '.join(parts)}}}" if parts else "")
    if wasted:
        warnings.warn(f"Some donated buffers were not usable: {', '.join(wasted)}. The memory of an argument can be given "
                      "to a result of the same shape and dtype, and there are not enough of them; these arguments stay "
                      "as they are.", stacklevel=_level_of_user())
    return attributes, used


def _level_of_user() -> int:
    """The `stacklevel` of the user's line, for a warning by the caller of this function."""
    wanted, frame, level = user_frame(2), sys._getframe(1), 1
    while frame is not None and frame is not wanted:
        frame, level = frame.f_back, level + 1  # type: ignore[assignment]
    return level


class Executable:
    """A compiled program: call it with arrays, get arrays.

    Attributes:
        name: for logs and reports.
        keep: which inputs it takes.
        out_avals: types of its results.
    """

    __slots__ = (
        "__weakref__",
        "all_kept",
        "any_donated",
        "arg_names",
        "callbacks",
        "committed",
        "donated",
        "effects",
        "equations",
        "execute",
        "handlers",
        "has_effects",
        "hidden",
        "in_shardings",
        "keep",
        "loaded",
        "name",
        "out_avals",
        "out_places",
        "out_shardings",
        "placed",
        "text",
    )

    def __init__(self, loaded: Any, lowered: Lowered, committed: bool) -> None:
        self.loaded = loaded
        self.execute = way_to_run(loaded, lowered.placed.devices, bool(lowered.module.callbacks), lowered.name, lowered.text)
        self.name, self.keep, self.out_avals = lowered.name, lowered.keep, tuple(lowered.out_avals)
        self.all_kept = all(lowered.keep) and not lowered.hidden and not lowered.jaxpr.effects and not (
            lowered.module.callbacks)
        self.effects, self.donated = lowered.effects, list(lowered.donated)
        self.any_donated = any(self.donated)
        info = lowered.jaxpr.debug_info
        self.arg_names = (info.arg_names or ()) if self.any_donated and info is not None else ()
        # either way the process must not end before the program
        self.has_effects = "effects" if lowered.jaxpr.effects else "callbacks" if lowered.module.callbacks else ""
        self.placed = lowered.placed
        self.equations, self.text = lowered.module.equations, lowered.text
        self.callbacks = lowered.module.callbacks
        self.hidden = [_hidden_buffer(c, s) for c, s in zip(
            lowered.hidden, lowered.hidden_shardings or [self.placed] * len(lowered.hidden))]
        self.committed = committed
        self.in_shardings: tuple | None = None
        shardings = list(lowered.out_shardings or [None] * len(self.out_avals))
        if len(self.placed.devices) > 1:
            meshes = _meshes_of(lowered)
            self.in_shardings = _parameter_shardings(loaded, lowered, meshes)
            if any(s is None or s.open for s in shardings):
                shardings = _result_shardings(loaded, shardings, lowered, meshes)
        asked = lowered.out_shardings or [None] * len(shardings)
        self.out_shardings = [s if s is not None and s is given else sharding.in_memory_of(s or self.placed, a)
                              for s, given, a in zip(shardings, asked, self.out_avals)]
        self.out_avals = tuple([a if a.memory is None and s.chosen_kind is None else a.in_memory(s.memory)
                                for s, a in zip(self.out_shardings, self.out_avals)])
        if self.in_shardings is not None or explicit.in_use:
            self.out_avals = tuple([a if a is abstract_token or (a.explicit is None and not s.splits_types) else a.laid(
                explicit.part_of_type(s, a.ndim)) for a, s in zip(self.out_avals, self.out_shardings)])
        self.out_places = [placement(s, committed) for s in self.out_shardings]
        dummy = ShapedArray((0,), np.dtype(bool))
        self.handlers = [runtime.result_handler(dummy, self.placed, committed) for _ in self.effects]
        self.handlers += [runtime.result_handler(physical_aval(a), s, committed)
                          for a, s in zip(self.out_avals, self.out_shardings)]

    def __call__(self, args: Sequence[ArrayImpl]) -> list[ArrayImpl]:
        """Run. `args` are arrays on this program's devices, one for each input of the jaxpr."""
        if self.all_kept and not self.has_effects:
            buffers = [x._buf if x._buf is not None else x.buffer() for x in args]
        else:
            buffers = [x.buffer() for x, kept in zip(args, self.keep) if kept]
            buffers = [*_take_tokens(self), *self.hidden, *buffers]
        if self.any_donated:
            self._prepare_donation(args)
        try:
            if self.has_effects:
                started = self.execute(buffers, with_tokens=True)
                outs = started.consume_with_handlers(self.handlers)
                _remember_running(started.consume_token(), self.has_effects == "effects")
            else:
                outs = self.execute(buffers).consume_with_handlers(self.handlers)
        except (runtime.RuntimeFailure, ValueError, RuntimeError) as error:
            raise self._failed(error, args) from callback_cause(error)
        if self.any_donated:
            place = user_place()
            for x, given in zip(args, self.donated):
                if given:
                    x.donate(self.name.removeprefix("jit_"), place)
        if self.effects:
            outs = _keep_tokens(self, outs)
        return [made(a, o, p) for a, o, p in zip(self.out_avals, outs, self.out_places)]

    def _prepare_donation(self, args: Sequence[ArrayImpl]) -> None:
        """XLA does not donate a buffer with a live NumPy view: drop the array's own.

        Raises:
            JaxRuntimeError: a buffer that is donated is also that of another argument; XLA would end the process.
        """
        if len({id(x._buf) for x in args}) < len(args):
            self._check_given_once(args)
        for x, given in zip(args, self.donated):
            if given:
                x._np = None

    def _check_given_once(self, args: Sequence[ArrayImpl]) -> None:
        first: dict[int, int] = {}
        for i, (x, kept) in enumerate(zip(args, self.keep)):
            before = first.setdefault(id(x._buf), i)
            if kept and x._buf is not None and before != i and (self.donated[i] or self.donated[before]):
                known = len(self.arg_names) == len(args)
                names = tuple([self.arg_names[k] if known else f"argument {k}" for k in (before, i)])
                raise JaxRuntimeError(status="INVALID_ARGUMENT", detail="the same buffer is given twice, and donated",
                                      program=self.name.removeprefix("jit_"), twice=(*names, x.aval.str_short()))

    def _failed(self, error: Exception, args: Sequence[ArrayImpl]) -> Exception:
        for x, kept in zip(args, self.keep):
            if kept and x.is_deleted():
                return x._deleted_error()
        return failure(error, "running", self.name)

    def hlo_text(self) -> str:
        """The optimised HLO."""
        return runtime.parse_hlo_text(self.loaded)


def _hidden_buffer(x: Any, placed: Any) -> Any:
    """The buffer of a constant: a reference of our own to its memory, so that the program keeps it when the user
    deletes the array, or donates it."""
    if len(placed.devices) > 1:
        if type(x) is ArrayImpl and x.sharding == placed:
            return x.buffer()
        aval: Any = get_aval(x)
        given = x.value() if type(x) is ArrayImpl else np.asarray(x, physical_aval(aval).dtype)
        return place(given, aval, placed, True).buffer()
    if type(x) is ArrayImpl and x.sharding == placed:
        shared = None if x._buf is None else _shared_buffer(x._buf, placed.devices[0])
        if shared is not None:
            return shared
    value = x.value() if type(x) is ArrayImpl else np.asarray(x)
    aval = physical_aval(get_aval(x))
    return runtime.put(aval, placed, [np.asarray(value, aval.dtype)], placed.devices, True)


def _shared_buffer(buffer: Any, device: Any) -> Any:
    """Another buffer of the same memory; `None` for dtypes that DLPack does not know."""
    try:
        return runtime.from_dlpack(runtime.to_dlpack(buffer), device)
    except (runtime.RuntimeFailure, RuntimeError, ValueError, TypeError):
        return None


def _meshes_of(lowered: Lowered) -> tuple[sharding.Mesh, ...]:
    """The meshes in whose terms the compiler's choices are told, best first: those of what the user placed."""
    given = (*(lowered.in_shardings or ()), *(lowered.out_shardings or ()), *lowered.hidden_shardings,
             *lowered.module.spoken_of, lowered.placed)
    found = meshes_named(given, lowered.placed.devices)
    return (*found[:1], *[m for m in found[1:] if not m.explicit_axes])


def _parameter_shardings(loaded: Any, lowered: Lowered, meshes: tuple[sharding.Mesh, ...]) -> tuple:
    """Where the program takes each input: as it was asked for, or as the compiler chose."""
    whole = replicated_like(lowered.placed)
    given = list(lowered.in_shardings or [None] * len(lowered.keep))
    if all(s is not None for s in given):
        return tuple(given)
    found = iter((loaded.get_parameter_shardings() or [])[len(lowered.effects) + len(lowered.hidden):])
    places = []
    for wanted, kept, v in zip(given, lowered.keep, lowered.jaxpr.invars):
        chosen = next(found, None) if kept else None
        places.append(wanted or (whole if chosen is None else compiled_sharding(
            lowered.placed.devices, chosen, len(physical_aval(v.aval).shape), meshes)))
    return tuple(places)


def _result_shardings(loaded: Any, shardings: list[Any], lowered: Lowered, meshes: tuple[sharding.Mesh, ...]) -> list[Any]:
    """The shardings that the compiler chose for the results, in terms of the meshes where that can be said."""
    found = (loaded.get_output_shardings() or [None] * len(shardings))[len(lowered.effects):]
    devices = lowered.placed.devices
    several = len(meshes) > 1
    own = meshes_of_results(lowered.jaxpr, lowered.in_shardings or (), devices) if several else [None] * len(shardings)
    return [s if s is not None and not s.open else None if o is None else compiled_sharding(
        devices, o, len(physical_aval(a).shape), (m, *meshes) if m in meshes else meshes)
        for s, o, a, m in zip(shardings, found, lowered.out_avals, own)]


# -- tokens of ordered effects: one dummy buffer for each effect and set of devices

_tokens: dict[Any, Any] = {}
_token_lock = threading.Lock()


def _take_tokens(executable: Executable) -> list[Any]:
    if not executable.effects:
        return []
    taken = []
    with _token_lock:
        for effect in executable.effects:
            found = _tokens.get((effect, executable.placed.devices))
            if found is None or _has_failed(found):
                empty = np.zeros((0,), bool)
                found = runtime.put(ShapedArray((0,), np.dtype(bool)), executable.placed,
                                    [empty] * len(executable.placed.devices), executable.placed.devices, True)
            taken.append(found)
    return taken


def _has_failed(token: Any) -> bool:
    """Whether the program that makes a token has failed: what needs the token would fail too."""
    if not token.is_ready():
        return False
    try:
        token.block_until_ready()
    except runtime.RuntimeFailure:
        return True
    return False


def _keep_tokens(executable: Executable, outs: list[Any]) -> list[Any]:
    with _token_lock:
        for effect, token in zip(executable.effects, outs):
            _tokens[effect, executable.placed.devices] = token
    return outs[len(executable.effects):]


def effects_barrier() -> None:
    """Wait until the effects of everything that was started have happened."""
    with _token_lock:
        waiting = [(token, True) for token in _tokens.values()] + list(_running)
        _running.clear()
    failed = None
    for token, effects in waiting:  # all of them, also after a failure: the process may be about to end
        try:
            token.block_until_ready()
        except runtime.RuntimeFailure as error:
            failed = failed or (error if effects else None)
            _forget_token(token)
    if failed is not None:
        raise failure(failed, "running a program with effects") from callback_cause(failed)


def _forget_token(token: Any) -> None:
    """A failure is told once, and what is started from now on does not fail for it."""
    with _token_lock:
        for key in [key for key, kept in _tokens.items() if kept is token]:
            del _tokens[key]


_running: list[tuple[Any, bool]] = []
_at_exit: list[Any] = []


def _remember_running(token: Any, effects: bool) -> None:
    """Keep the token of a program with effects, or with callbacks, until it is done; the process does not end before.

    A token does not tell whether it is ready, so the oldest of many is waited for. Effects that failed stay, for the
    barrier; a callback without effects fails where its result is used.
    """
    with _token_lock:
        if not _at_exit:
            _at_exit.append(atexit.register(effects_barrier))
        oldest = _running.pop(0) if len(_running) >= MAX_RUNNING else None
        _running.append((token, effects))
    if oldest is not None:
        try:
            oldest[0].block_until_ready()
        except runtime.RuntimeFailure:
            if oldest[1]:
                with _token_lock:
                    _running.insert(0, oldest)


MAX_RUNNING = 64  # programs with effects that may be under way at once


# -- compilation

_disk: list[Any] = []


def disk_cache() -> Any:
    """The disk cache, opened on first use; `None` when it is switched off or refused."""
    if not _disk:
        _disk.append(cache_module.open_default(_cache_options()))
    return _disk[0]


def reset_disk_cache() -> None:
    """Forget the opened cache: the next compilation opens it again, with the options of then."""
    _disk.clear()


def _cache_options() -> dict[str, Any]:
    """JAX's options for its cache that the user has set; the others have our defaults."""
    chosen = [option_named(name) for name in _CACHE_OPTIONS]
    return {option.name: option.value for option in chosen if option.value != option.default}


_CACHE_OPTIONS = ("jax_compilation_cache_dir", "jax_enable_compilation_cache",
                  "jax_persistent_cache_min_compile_time_secs", "jax_persistent_cache_min_entry_size_bytes",
                  "jax_compilation_cache_max_size")


for _option in _CACHE_OPTIONS:
    on_change(_option, lambda _: reset_disk_cache())

_features: list[str] = []


def _platform_key(client: Any) -> str:
    if not _features:
        _features.append(runtime.cpu_features())
    return f"{runtime.VERSION}|{client.platform}|{client.platform_version}|{_features[0]}"


FOREIGN = "foreign"
"""Among the native families of a program: it calls functions of the user's, who registers them. It is not kept on disk."""


def log_step(text: str, *values: Any) -> None:
    """Tell the logger `jax` of a trace or a compilation; as a warning with `jax_log_compiles`."""
    if config.jax_log_compiles:
        logger.warning(text, *values)
    elif logger.isEnabledFor(logging.DEBUG):
        logger.debug(text, *values)


def compile_lowered(lowered: Lowered, *, overrides: Sequence[tuple[str, Any]] = (), committed: bool = False,
                    where: Callable[[], Any] | None = None) -> Executable:
    """Compile, or load from the disk cache.

    Raises:
        JaxRuntimeError: XLA refuses the program; the report points at the user's line where XLA names the operation.
    """
    if oversized:
        _refuse_oversized(lowered)
    devices = lowered.placed.devices
    log_step("Compiling %s with argument types %s", lowered.name, [v.aval for v in lowered.jaxpr.invars])
    client = clients.client(devices[0].platform)
    for family in lowered.module.native - {FOREIGN}:
        runtime.prepare_native(family)
    inputs, results = lowered.open_values()
    options = runtime.compile_options([devices], overrides, spmd=len(devices) > 1, open_parameters=inputs,
                                      open_results=results)
    started = time.perf_counter()
    with measured(COMPILING, _called(lowered.name)):
        if lowered.module.callbacks:
            functions = [noting(f) for f in lowered.module.callbacks]
            loaded = _guarded(lowered, lambda: runtime.compile_with_callbacks(client, lowered.text, devices, options,
                                                                              functions))
        else:
            loaded = _through_disk(lowered, client, devices, options, overrides)
    log_step("Finished XLA compilation of %s in %.6f s", lowered.name, time.perf_counter() - started)
    return Executable(loaded, lowered, committed)


def _through_disk(lowered: Lowered, client: Any, devices: Sequence[Any], options: Any,
                  overrides: Sequence[tuple[str, Any]]) -> Any:
    disk = disk_cache() if FOREIGN not in lowered.module.native and not lowered.module.told else None
    key = ""
    if disk is not None:
        where = ",".join([str(d.id) for d in devices])
        key = cache_module.key_of(lowered.text, json.dumps(list(overrides)), where, _platform_key(client), _xla_flags())
        record_event(CACHE_ASKED)
        entry = disk.get(key)
        if entry is not None:
            try:
                for family in entry.meta.get("native", ()):
                    runtime.prepare_native(family)
                loaded = runtime.deserialize(client, entry.blob, devices, options)
                compiled["loaded"] += 1
                record_event(CACHE_HIT)
                return loaded
            except (runtime.RuntimeFailure, LookupError, ValueError) as error:
                logger.debug("cache entry %s is not usable: %s", key, error)
    started = time.perf_counter()
    loaded = _guarded(lowered, lambda: runtime.compile_text(client, lowered.text, devices, options))
    compiled["count"] += 1
    seconds = time.perf_counter() - started
    if disk is not None:
        record_event(CACHE_MISS)
    if disk is not None and disk.wants(seconds):
        disk.put(key, runtime.serialize(client, loaded), {"native": sorted(lowered.module.native)},
                 compile_seconds=seconds)
    return loaded


def _xla_flags() -> str:
    import os

    return os.environ.get("XLA_FLAGS", "")


def _guarded(lowered: Lowered, run: Callable[[], Any]) -> Any:
    try:
        return run()
    except (runtime.RuntimeFailure, ValueError) as error:
        of_user = next((f.failed for f in lowered.module.told if getattr(f, "failed", None) is not None), None)
        if of_user is not None:  # what the compiler asked failed; its own error says less
            raise of_user from of_user.__cause__
        eqn = _equation_named(lowered, str(error))
        raised = failure(error, "compiling", lowered.name, None if eqn is None else eqn.position)
        if eqn is not None and "Failed to parse using StableHLO" in raised.detail:
            raised.emitter = eqn.primitive.name
        raise raised from error


def _refuse_oversized(lowered: Lowered) -> None:
    """XLA ends the process when a type takes more bytes than 63 bits count: such programs never reach it.

    It multiplies the sizes of all axes but those of 0.
    """
    for aval in list(oversized):
        size = math.prod([n for n in aval.shape if n]) * np.dtype(physical_aval(aval).dtype).itemsize
        if size >= 2**63 and aval.mlir in lowered.text:
            made = [e.position for e in lowered.module.equations if any(v.aval is aval for v in e.outvars)]
            raise JaxRuntimeError(status="RESOURCE_EXHAUSTED", doing="compiling", program=lowered.name,
                                  where=made[0] if made else None,
                                  detail=f"an array of type {aval.str_short()} takes {size} bytes, more than can be "
                                         "addressed" if aval.size else f"the sizes of {aval.str_short()}, multiplied, are "
                                         "more than 63 bits hold, though one of them is 0")


def _equation_named(lowered: Lowered, message: str) -> JaxprEqn | None:
    """The equation that XLA's message speaks of.

    The message carries the equation's number, or a line of the text, or names the target of a custom call.
    """
    import re

    numbers = [next(n for n in found if n) for found in re.findall(r'loc\("(\d+)"\)|op_name="?(\d+)', message)]
    lines = lowered.text.splitlines()
    spoken_of = [lines[int(n) - 1] for n in re.findall(r"(?:^|\s)-:(\d+):\d+: error", message) if int(n) <= len(lines)]
    words = set(re.findall(r"[\w.$]+", message))
    spoken_of += [line for line in lines if words & set(re.findall(r'call_target_name = "([^"]+)"', line))]
    numbers += [n for line in spoken_of for n in re.findall(r'loc\("(\d+)"\)', line)]
    found = [lowered.module.equations[int(n)] for n in numbers if int(n) < len(lowered.module.equations)]
    return next((eqn for eqn in found if eqn.position is not None), found[0] if found else None)


def has_callbacks(jaxpr: Jaxpr) -> bool:
    """Whether an equation, at any depth, calls back to Python."""
    return any(eqn.primitive.extra.get("callback") or any(has_callbacks(j) for v in eqn.values for j in jaxprs_in(v))
               for eqn in jaxpr.eqns)


__all__ = ["Executable", "Lowered", "lower", "compile_lowered", "effects_barrier", "disk_cache", "sharding"]
