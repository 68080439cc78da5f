"""`jit`: a function is staged once for each combination of argument types, compiled, and run.

The wrapper's hot path is: flatten, look at the types, one dict lookup, execute, wrap. Under another transformation it
becomes one equation, `jit`, whose jaxpr is staged once as well.
"""
from __future__ import annotations

import inspect
import operator
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core import config as config_module
from perspicax.core.config import config, local
from perspicax.core.context import evaluator
from perspicax.core.jaxpr import eval_jaxpr
from perspicax.core.monitoring import TRACING, measured
from perspicax.core.printer import check_jaxpr
from perspicax.core.ref_errors import OuterRefError, RefArgumentError
from perspicax.core.refs import RefCell, lent, outer_cell, with_cells
from perspicax.core.trace import REFS_MET, JaxprTrace, stage_flat
from perspicax.core.tracer import Tracer, get_aval, typers
from perspicax.core.tree import tree_flatten
from perspicax.diagnose.boundary import public_methods, trim
from perspicax.transform import trees as tree
from perspicax.transform.ahead import LoweredStage, ShapeDtypeStruct, Traced, TracedStage, ref_type, stands_for_ref
from perspicax.transform.batch import axes_key
from perspicax.transform.errors import HostValueError, NoTracingError
from perspicax.transform.jit_options import JitOptions, Signature
from perspicax.transform.jit_primitive import inner_shardings, jit_p, program_at, program_for, run_jaxpr
from perspicax.transform.mesh_scope import other_devices_within, refuse_manual
from perspicax.transform.ref_calls import RefCalls, check_aliases
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, wraps
from perspicax.xla import compile as compilation
from perspicax.xla import dispatch
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.client import several_processes
from perspicax.xla.errors import IncompatibleDevicesError

state_key = config_module.state_key
checking = dispatch.checking
flatten = tree.flatten


traces_watched: list[Callable[..., Callable[[], None] | None]] = []
"""Sanitizers that are told of each function that is traced.

They get the function, its name, its jaxpr, what was traced of it before, the key of this call, and names of static arguments.
What they return is called before each later call for which nothing is traced; such calls do not take the short ways.
"""

_caches: weakref.WeakKeyDictionary[Any, dict] = weakref.WeakKeyDictionary()
_method_caches: dict[int, tuple[weakref.ref, dict]] = {}


def _cache_of(fun: Any) -> dict:
    """What was staged of `fun`; shared by all `jit(fun)`, gone with `fun`."""
    if inspect.ismethod(fun):
        return _cache_of_method(fun)
    try:
        return _caches.setdefault(fun, {})
    except TypeError:  # a callable that cannot be hashed or weakly referenced
        return {}


def _cache_of_method(method: Any) -> dict:
    """By identity: two bound methods are equal when their instance is the same, which may have changed in between."""
    key = id(method)
    found = _method_caches.get(key)
    if found is None or found[0]() is not method:
        found = _method_caches[key] = (weakref.ref(method, lambda _: _method_caches.pop(key, None)), {})
    return found[1]


class JitFunction:
    """A function wrapped by `jit`."""

    __wrapped__: Any  # the function, with its `__get__`
    transform = "jit"  # what the user called

    def __init__(self, fun: Callable[..., Any], options: JitOptions) -> None:
        wraps(fun, self)
        self._fun = fun
        self._options = options
        self._traced: dict[Any, Traced] = _cache_of(fun)
        self._short = ShortWays(None)
        self._plain = options.is_plain
        self._refs: RefCalls | None = None
        self._signature: Signature | None = None
        self._name = function_name(fun)
        _wrappers.add(self)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._fun)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else BoundFunction(self, instance)

    def __repr__(self) -> str:
        return f"<PjitFunction of {self._fun!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if local.trace.base and not checking.nans:
                short = self._short
                if short.state is not state_key():
                    short = self._short = ShortWays(state_key())
                if checking.careful:
                    pass  # what nothing places does not go to the first device
                elif short.only_arrays and not kwargs:
                    entry = short.flat.get(tuple([x.aval if type(x) is ArrayImpl and x._place is None else None for x in args]))
                    if entry is not None:
                        out = entry(args)
                        if out is not None:
                            return out[0]
                elif short.fast:
                    leaves, in_tree = flatten((args, kwargs))
                    try:
                        key = None if any(map(_get_place, leaves)) else tuple(map(_get_aval, leaves))
                    except AttributeError:  # numbers or NumPy arrays among them
                        key = tuple([x.aval if type(x) is ArrayImpl and x._place is None else _leaf_key(x) for x in leaves])
                    entry = short.fast.get((in_tree, key))
                    if entry is not None:
                        out = entry(leaves)
                        if out is not None:
                            return out[0]
                if short.placed:
                    leaves, in_tree = flatten((args, kwargs))
                    run = short.find_placed(leaves, in_tree)
                    if run is not None:
                        return run(leaves)
            return self._call(args, kwargs)
        except Exception as error:
            trim(error)
            raise

    def signature(self) -> Signature:
        """The parameters of the function; looked up once."""
        found = self._signature
        if found is None:
            found = self._signature = Signature(self._fun)
        return found

    def __reduce__(self) -> tuple:
        return JitFunction, (self._fun, self._options)

    def _call(self, args: tuple, kwargs: dict) -> Any:
        if config.jax_disable_jit:
            return self._fun(*args, **kwargs)
        if self._refs is not None and self._refs.closed:
            return self._call_with_refs(args, kwargs)
        try:
            leaves, traced, in_shardings, out_shardings = self._prepare(args, kwargs)
        except (OuterRefError, RefArgumentError) as met:
            return self._call_with_refs(args, kwargs, met)
        options = self._options
        trace = local.trace
        if trace is _evaluator or (trace.base and trace.ignores(traced.closed)):
            arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in leaves]
            outs = run_jaxpr(traced.closed, arrays, name=traced.name, donated=traced.donated,
                             keep_unused=options.keep_unused, in_shardings=in_shardings, out_shardings=out_shardings,
                             compiler_options=options.compiler_options)
            if any(map(_get_place, arrays)):
                self._remember_placed(leaves, traced, in_shardings, out_shardings)
            else:
                self._remember(args, kwargs, traced, arrays)
            return traced.out_tree.unflatten(outs)
        if options.inline:
            outs = eval_jaxpr(traced.closed.jaxpr, traced.closed.consts, *leaves)
        else:
            consts = traced.closed.consts
            outs = jit_p(*consts, *leaves, jaxpr=traced.without_consts(), name=traced.name,
                         donated_invars=(False,) * len(consts) + traced.donated,
                         in_shardings=None if in_shardings is None else (None,) * len(consts) + in_shardings,
                         out_shardings=out_shardings, keep_unused=options.keep_unused,
                         inline=False, compiler_options=options.compiler_options)
        return traced.out_tree.unflatten(outs)

    def _call_with_refs(self, args: tuple, kwargs: dict, met: Exception | None = None) -> Any:
        """The call of a function that uses references, met just now or before."""
        refs = self._refs
        if refs is None:
            refs = self._refs = RefCalls(self._fun, lambda fun: JitFunction(fun, self._options))
        if isinstance(met, RefArgumentError):
            return refs.call_with_arguments(args, kwargs)
        while True:
            if isinstance(met, OuterRefError):
                refs.add(outer_cell(met))
            try:
                return refs.call(args, kwargs)
            except OuterRefError as error:
                met = error

    def _prepare(self, args: tuple, kwargs: dict, keeps_refs: bool = False) -> tuple[list, Traced, Any, Any]:
        """Flat dynamic arguments and the staged function for them, with references in its jaxpr or without."""
        options = self._options
        statics: tuple = ()
        rebuild = None
        if options.has_statics:
            args, kwargs, statics, rebuild = options.split_static(self.signature(), args, kwargs)
        try:
            leaves, in_tree = tree.flatten((args, kwargs))
        except SystemError:  # too deep, or a container in itself
            leaves, in_tree = tree_flatten((args, kwargs))
        if keeps_refs:
            check_aliases(leaves, in_tree, self._fun, self.transform)
        avals = tuple([x.aval if type(x) is ArrayImpl else ref_type(x) if keeps_refs and stands_for_ref(x) else get_aval(x)
                       if type(x) in typers or isinstance(x, Tracer) else None for x in leaves])
        if None in avals:
            if any(isinstance(x, RefCell) for x in leaves):
                raise RefArgumentError(function=self._name)
            avals = tuple(check_arguments(leaves, in_tree, self._fun, self.transform))
        if options.in_shardings is not None:
            avals = options.laid(leaves, in_tree, avals)
        frames = () if local.trace is _evaluator else axes_key()
        key = (state_key(), in_tree, avals, statics, (options.donate_key, "refs") if keeps_refs else options.donate_key, frames)
        try:
            traced = self._traced.get(key)
        except Exception as error:  # `==` of a static argument, or of a class in the tree
            if options.has_statics:
                options.refuse_incomparable(self.signature(), statics, [other[3] for other in self._traced], error)
            raise
        if traced is None:
            if keeps_refs:
                cells = [x for x in leaves if isinstance(x, RefCell)]
                with lent(cells, self.transform, self._name):
                    traced = self._trace(in_tree, avals, statics, rebuild, key, keeps_refs=True)
            else:
                traced = self._trace(in_tree, avals, statics, rebuild, key)
        elif traced.before:
            for look in traced.before:
                look()
        if options.has_shardings:
            given, asked = options.flat_shardings(in_tree, traced.out_tree)
            if frames:
                self._check_within((*(given or ()), *(asked or ())))
            if given is not None and several_processes() and type(local.trace) is not JaxprTrace:  # constants are the whole
                self._check_host_values(leaves, in_tree, given)
            return leaves, traced, given, asked
        return leaves, traced, None, None

    def _check_within(self, places: Sequence[Any]) -> None:
        """Raise where shardings that were asked for cannot be had, since each device of a mesh runs its own part.

        Raises:
            MeshAxisError: one splits by an axis that is mapped over.
            IncompatibleDevicesError: one is a single device.
        """
        for place in places:
            refuse_manual(place, self._name)
            mesh = other_devices_within(place)
            if mesh is not None:
                raise IncompatibleDevicesError(what=self._name, placements=(f"it asks for {place.device}",), within=str(mesh))

    def _check_host_values(self, leaves: Sequence[Any], in_tree: Any, places: Sequence[Any]) -> None:
        """Raise where NumPy arrays are to be split over several processes: nothing says what each process has of them.

        Raises:
            HostValueError: one is.
        """
        for i, (x, place) in enumerate(zip(leaves, places)):
            if isinstance(x, np.ndarray | np.generic) and place is not None and not (
                    place.is_fully_addressable or place.is_fully_replicated):
                names = debug_info("jit", self._fun, in_tree).arg_names or ()
                raise HostValueError(function=self._name, name=names[i] if i < len(names) else f"argument {i}",
                                     type_text=get_aval(x).str_short(), place=str(getattr(place, "spec", place)))

    def _trace(self, in_tree: Any, avals: tuple, statics: tuple, rebuild: Any, key: Any, keeps_refs: bool = False) -> Traced:
        if config.jax_no_tracing:
            raise NoTracingError(function=self._name, types=", ".join(map(str, avals)))
        if config.jax_explain_cache_misses:
            from perspicax.transform.cache_misses import explain  # for its weight: few programs ask

            explain(self._fun, self._name, self._traced, key, lambda which: self.signature().name(which))
        options = self._options
        flat = FlatFunction(self._fun, in_tree, "jit", rebuild)
        numbers = options.static_numbers(self.signature()) if options.has_statics else ()
        debug = debug_info("jit", self._fun, in_tree, static=numbers)
        started = time.perf_counter()
        with measured(TRACING, self._name):
            closed = stage_flat(flat if not keeps_refs else with_cells(flat), avals, debug, keeps_refs)
        if config.jax_enable_checks:
            check_jaxpr(closed.jaxpr)
        donated = options.donated(self.signature(), in_tree) if options.donates else (False,) * len(avals)
        traced = Traced(closed, flat.out_tree, self._name, in_tree, avals, donated)
        traced.keeps_refs = keeps_refs
        traced.before = tuple(filter(None, [
            tell(self._fun, self._name, closed, self._traced, key, lambda which: self.signature().name(which))
            for tell in traces_watched]))
        compilation.log_step("Finished tracing %s for arguments %s in %.6f s", f"jit({self._name})", list(avals),
                             time.perf_counter() - started)
        if not any(isinstance(c, Tracer) for c in closed.consts) and not config.jax_check_tracer_leaks:
            if len(self._traced) >= MAX_TRACED:
                self._traced.pop(next(iter(self._traced)), None)  # the oldest
            self._traced[key] = traced
        return traced

    def _remember(self, args: tuple, kwargs: dict, traced: Traced, arrays: Sequence[ArrayImpl]) -> None:
        """Keep the short way for the next call with arguments like these."""
        if not self._plain or traced.before or traced.closed.effects or checking.careful or config.jax_check_tracer_leaks:
            return
        placed = shardings.first_sharding()
        if inner_shardings(traced.closed):
            return
        leaves, in_tree = tree.flatten((args, kwargs))
        keys = tuple([x.aval if type(x) is ArrayImpl else _leaf_key(x) for x in leaves])
        if None in keys:
            return
        program = program_for(traced.closed, placed, False, name=traced.name, donated=traced.donated,
                              keep_unused=self._options.keep_unused,
                              compiler_options=self._options.compiler_options)
        short = self._short
        state = state_key()
        if short.state is not state or len(short.fast) >= MAX_TRACED:
            short = ShortWays(state)
        entry = fast_entry(program, traced.out_tree)
        short.fast[in_tree, keys] = entry
        if not kwargs and all(type(x) is ArrayImpl for x in args):
            short.flat[keys] = entry
        short.only_arrays = len(short.flat) == len(short.fast)
        self._short = short

    def _remember_placed(self, leaves: Sequence[Any], traced: Traced, in_shardings: Any, out_shardings: Any) -> None:
        """The same for arrays that lie where the program takes them."""
        options = self._options
        if options.has_statics or traced.before or traced.closed.effects or checking.nans or config.jax_check_tracer_leaks:
            return
        if any(type(x) is not ArrayImpl for x in leaves):
            return
        _, program = program_at(traced.closed, leaves, traced.name, traced.donated, options.keep_unused, in_shardings,
                                out_shardings, options.compiler_options)
        if not dispatch.all_there(leaves, program.placed, program.in_shardings):
            return
        short = self._short
        if short.state is not state_key() or len(short.placed) >= MAX_TRACED:
            short = ShortWays(state_key())
        key = traced.in_tree, tuple(map(_get_aval, leaves))
        entry = list(map(_get_place, leaves)), placed_entry(program, traced.out_tree)
        short.placed[key] = (*short.placed.get(key, ())[-MAX_PLACES:], entry)
        self._short = short

    def clear_cache(self) -> None:
        """Forget what was staged and compiled."""
        self._traced.clear()
        self._short = ShortWays(None)

    def _cache_size(self) -> int:
        return len(self._traced)

    def trace(self, *args: Any, **kwargs: Any) -> TracedStage:
        """Stage for these arguments (arrays or `ShapeDtypeStruct`s) without running."""
        try:
            leaves, traced, in_shardings, out_shardings = self._prepare(args, kwargs)
            shown = REFS_MET not in traced.closed.derived
        except (OuterRefError, RefArgumentError):
            shown = False
        if not shown:
            leaves, traced, in_shardings, out_shardings = self._prepare(args, kwargs, keeps_refs=True)
        return TracedStage(traced, self._options, in_shardings, out_shardings, leaves)

    def lower(self, *args: Any, **kwargs: Any) -> LoweredStage:
        """Stage and emit StableHLO for these arguments without running."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Types of the results for arguments like these."""
        if self._options.out_shardings is not None:
            return self.trace(*args, **kwargs).out_info  # which tells where they will be
        try:
            _, traced, _, _ = self._prepare(args, kwargs)
        except RefArgumentError:
            return self.trace(*args, **kwargs).out_info
        return traced.out_tree.unflatten([ShapeDtypeStruct.of(a) for a in traced.closed.out_avals])


# JAX's name for the class: libraries tell functions that are traced by it.
JitFunction.__name__ = JitFunction.__qualname__ = "PjitFunction"
PjitFunction = JitFunction  # where pickle looks


class ShortWays:
    """The short ways of a jitted function, valid for one state of the options that affect tracing.

    Threads may see different states: each takes the whole object, and so never an entry of another state.

    Attributes:
        state: the key of that state.
        fast: by structure and types of the arguments.
        flat: by types alone, for calls with arrays as positional arguments.
        only_arrays: whether all calls so far were such calls.
        placed: by structure and types, for arrays on the places that go with each.
    """

    __slots__ = ("fast", "flat", "only_arrays", "placed", "state")

    def __init__(self, state: Any) -> None:
        self.state = state
        self.fast: dict[Any, Any] = {}
        self.flat: dict[Any, Any] = {}
        self.only_arrays = False
        self.placed: dict[Any, tuple[tuple[list, Any], ...]] = {}

    def find_placed(self, leaves: list, in_tree: Any) -> Any:
        """The short way for arrays on these places. Arrays that lie alike mostly have one object for it, and lists are
        compared by identity first."""
        try:
            known = self.placed.get((in_tree, tuple(map(_get_aval, leaves))))
            if known is None:
                return None
            places = list(map(_get_place, leaves))
        except AttributeError:  # numbers or NumPy arrays among them
            return None
        return next((run for wanted, run in known if wanted == places), None)


@public_methods("trace", "lower", "eval_shape")
class BoundFunction:
    # A jitted function that was looked up as a method: the instance is its first argument, also of `lower` and `trace`.
    # (No docstring: a bound method's is its function's.)

    __slots__ = ("__func__", "__self__", "__weakref__")
    __doc__ = property(lambda self: self.__func__.__doc__)  # type: ignore[assignment]

    def __init__(self, function: JitFunction, instance: Any) -> None:
        self.__func__, self.__self__ = function, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.__func__(self.__self__, *args, **kwargs)
        except Exception as error:
            trim(error)
            raise

    def trace(self, *args: Any, **kwargs: Any) -> TracedStage:
        """`JitFunction.trace` with the instance."""
        return self.__func__.trace(*self._whole(args), **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> LoweredStage:
        """`JitFunction.lower` with the instance."""
        return self.__func__.lower(*self._whole(args), **kwargs)

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """`JitFunction.eval_shape` with the instance."""
        return self.__func__.eval_shape(*self._whole(args), **kwargs)

    def _whole(self, args: tuple) -> tuple:
        # In JAX these three do not bind the instance, and programs written for it pass it themselves.
        return args if args and args[0] is self.__self__ else (self.__self__, *args)

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # without the instance it would be another function
            return self.__func__.__wrapped__.__get__(self.__self__)
        if name in ("__func__", "__self__"):  # before `__init__`, as when it is copied
            raise AttributeError(name)
        return getattr(self.__func__, name)

    @property
    def __signature__(self) -> Any:
        return inspect.signature(self.__func__.__wrapped__.__get__(self.__self__))

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, BoundFunction) and self.__func__ is other.__func__
                and self.__self__ is other.__self__)

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r} of {self.__self__!r}>"


MAX_TRACED = 4096  # combinations of argument types kept for one function
MAX_PLACES = 7  # and combinations of places of each

_wrappers: weakref.WeakSet[JitFunction] = weakref.WeakSet()
_evaluator = evaluator()
# Over the leaves of a tree these run in C, which a comprehension does not.
_get_aval, _get_place, _get_buffer = operator.attrgetter("aval"), operator.attrgetter("_place"), operator.attrgetter("_buf")
_SCALARS = {int, float, bool, complex}


def _leaf_key(x: Any) -> Any:
    """What decides, besides the value, how a call treats an argument that is no array of ours."""
    kind = type(x)
    if kind in _SCALARS:
        return kind
    if kind is ArrayImpl:
        return None  # placed by the user, or on another device
    if kind is np.ndarray or isinstance(x, np.generic):
        return x.shape, x.dtype
    return None


def fast_entry(program: compilation.Executable, out_tree: Any) -> Callable[[Sequence[Any]], Any]:
    """A function of flat arguments that runs `program` without a question; `None` sends the call the long way."""
    execute, handlers, avals = program.execute, program.handlers, program.out_avals
    unflatten = out_tree.unflatten
    single = len(avals) == 1 and out_tree.num_nodes == 1
    new, classes = object.__new__, [ArrayImpl] * len(avals)

    def long(leaves: Sequence[Any]) -> Any:
        arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in leaves]
        return None if any(x._place is not None for x in arrays) else (unflatten(program(arrays)),)

    def run(leaves: Sequence[Any]) -> Any:
        try:
            outs = execute(list(map(_get_buffer, leaves))).consume_with_handlers(handlers)
        except (AttributeError, TypeError):  # a NumPy array or number among them, or a value that has no buffer yet
            arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in leaves]
            return (unflatten(program(arrays)),)
        except (runtime.RuntimeFailure, ValueError, RuntimeError) as error:
            raise program._failed(error, [x for x in leaves if type(x) is ArrayImpl]) from error
        if single:
            return (ArrayImpl(avals[0], outs[0]),)
        arrays = list(map(new, classes))
        for x, aval, buf in zip(arrays, avals, outs):  # what `ArrayImpl(aval, buf)` does, without a call for each
            x.aval = aval
            x._buf = buf
            x._np = x._place = None
        return (unflatten(arrays),)

    by_itself = all(place is None for place in program.out_places)
    return run if program.all_kept and not program.any_donated and by_itself else long


def placed_entry(program: compilation.Executable, out_tree: Any) -> Callable[[Sequence[Any]], Any]:
    """A function of arrays that lie where `program` takes them."""
    execute, handlers = program.execute, program.handlers
    avals, places, unflatten = program.out_avals, program.out_places, out_tree.unflatten
    new, classes = object.__new__, [ArrayImpl] * len(avals)

    def long(leaves: Sequence[Any]) -> Any:
        return unflatten(program(leaves))

    def run(leaves: Sequence[Any]) -> Any:
        try:
            outs = execute(list(map(_get_buffer, leaves))).consume_with_handlers(handlers)
        except TypeError:  # a value that has no buffer yet
            return long(leaves)
        except (runtime.RuntimeFailure, ValueError, RuntimeError) as error:
            raise program._failed(error, leaves) from error
        arrays = list(map(new, classes))
        for x, aval, buf, place in zip(arrays, avals, outs, places):
            x.aval = aval
            x._buf = buf
            x._np = None
            x._place = place
        return unflatten(arrays)

    return run if program.all_kept and not program.any_donated else long


also_cleared: list[Callable[[], None]] = []
"""What else `clear_caches` calls: rooms to the right keep staged functions too."""


def clear_caches() -> None:
    """Forget everything staged and compiled in this process."""
    from perspicax.core.primitive import primitives

    for clear in also_cleared:
        clear()
    for wrapper in list(_wrappers):
        wrapper.clear_cache()
    for cache in list(_caches.values()):
        cache.clear()
    for primitive in list(primitives):
        primitive.clear_caches()
