"""`jit`: a function is staged once for each combination of argument types, compiled, and run.

The wrapper's hot path is: flatten, look at the types, one dict lookup, execute, wrap. Under another transformation it
becomes one equation, `jit`, whose jaxpr is staged once as well.
"""
from __future__ import annotations

import functools
import inspect
import operator
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core import config as config_module
from perspicax.core.avals import ShapedArray
from perspicax.core.config import config, local
from perspicax.core.context import evaluator
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr, subjaxprs
from perspicax.core.primitive import Primitive
from perspicax.core.printer import check_jaxpr
from perspicax.core.trace import JaxprTrace, Linear, Zero, check_alive, stage_flat
from perspicax.core.tracer import Tracer, get_aval, typers
from perspicax.core.tree import tree_flatten
from perspicax.diagnose.boundary import trim
from perspicax.transform import trees as tree
from perspicax.transform.batch import batch_jaxpr, to_axis
from perspicax.transform.errors import DialectError, MissingDtypeError, NoTracingError, StaticArgumentError
from perspicax.transform.jvp import jvp_jaxpr, linearize_jaxpr
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, wraps
from perspicax.transform.transpose import transpose_jaxpr
from perspicax.xla import compile as compilation
from perspicax.xla import dispatch
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.errors import ShardingMismatchError

state_key = config_module.state_key
checking = dispatch.checking
flatten = tree.flatten


# -- the primitive

def _jit_jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, name: str, in_shardings: Any, out_shardings: Any,
             **params: Any) -> tuple[list, list]:
    moving = tuple(type(t) is not Zero for t in tangents)
    derived, moves = jvp_jaxpr(jaxpr, moving)
    outs = _call(derived, [*primals, *[t for t in tangents if type(t) is not Zero]], _with_those(in_shardings, moving),
                 _with_those(out_shardings, moves), name=name, **params)
    return _with_zeros(outs, len(jaxpr.out_avals), moves)


def _call(derived: ClosedJaxpr, args: Sequence[Any], in_shardings: Any, out_shardings: Any, **params: Any) -> list:
    """A call of a jaxpr derived from that of a jitted function.

    Rules of custom derivatives within may have closed over traced values, which became its constants: they are operands.
    """
    consts = derived.consts if any(isinstance(c, Tracer) for c in derived.consts) else []
    if consts:
        body = derived.jaxpr
        derived = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
        in_shardings = None if in_shardings is None else (None,) * len(consts) + tuple(in_shardings)
    params["donated_invars"] = (False,) * len(derived.in_avals)
    return jit_p(*consts, *args, jaxpr=derived, in_shardings=in_shardings, out_shardings=out_shardings, **params)


def _with_zeros(outs: list, n: int, moves: Sequence[bool]) -> tuple[list, list]:
    rest = iter(outs[n:])
    results = outs[:n]
    return results, [next(rest) if m else Zero.like(x) for x, m in zip(results, moves)]


def _chosen(given: Any, marks: Sequence[bool]) -> tuple:
    """The shardings of the values that are marked; `None` for each where none were asked for."""
    return tuple([s for s, m in zip(given if given is not None else (None,) * len(marks), marks) if m])


def _with_those(given: Any, marks: Sequence[bool]) -> Any:
    """The shardings of values, and behind them those of the tangents of the ones that are marked."""
    return None if given is None else (*given, *_chosen(given, marks))


def _any_of(given: tuple) -> Any:
    return given if any(s is not None for s in given) else None


def _jit_linearize(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, name: str, in_shardings: Any,
                   out_shardings: Any, **params: Any) -> tuple[list, list]:
    moving = tuple(type(t) is not Zero for t in tangents)
    parts = linearize_jaxpr(jaxpr, moving)
    n = len(jaxpr.out_avals)
    extra = (None,) * (len(parts.forward.out_avals) - n)
    outs = _call(parts.forward, primals, in_shardings, None if out_shardings is None else (*out_shardings, *extra),
                 name=name, **params)
    residuals = parts.gather(primals, outs)
    moved: list = []
    if any(parts.moves):
        moved = _call(parts.linear, [*residuals, *[t for t in tangents if type(t) is not Zero]],
                      _any_of((None,) * len(residuals) + _chosen(in_shardings, moving)),
                      _any_of(_chosen(out_shardings, parts.moves)), name=name, **params)
    return _with_zeros(outs[:n] + moved, n, parts.moves)


def _jit_transpose(cts: list, *operands: Any, jaxpr: ClosedJaxpr, name: str, in_shardings: Any, out_shardings: Any,
                   **params: Any) -> list:
    linear = tuple(type(x) is Linear for x in operands)
    moving = tuple(type(ct) is not Zero for ct in cts)
    derived, reached = transpose_jaxpr(jaxpr, linear, moving)
    known = [not is_linear for is_linear in linear]
    outs = iter(_call(derived, [*[x for x in operands if type(x) is not Linear], *[ct for ct in cts if type(ct) is not Zero]],
                      _any_of(_chosen(in_shardings, known) + _chosen(out_shardings, moving)),
                      _any_of(_chosen(_chosen(in_shardings, linear), reached)), name=name, **params))
    reach = iter(reached)
    return [(next(outs) if next(reach) else None) if is_linear else None for is_linear in linear]


def _jit_batch(axis: Any, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, name: str, in_shardings: Any,
               out_shardings: Any, **params: Any) -> tuple[list, list]:
    batched = tuple(a is not None for a in axes)
    derived, found = batch_jaxpr(jaxpr, axis, batched)
    args = tuple([to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(args, axes)])
    outs = _call(derived, args, _batched_shardings(in_shardings, batched, axis.spmd),
                 _batched_shardings(out_shardings, found, axis.spmd), name=name, **params)
    return outs, [0 if b else None for b in found]


def _batched_shardings(given: Any, batched: Sequence[bool], mesh_axis: Any) -> Any:
    if given is None:
        return None
    return tuple([shardings.with_leading_axis(s, mesh_axis) if b and s is not None else s for s, b in zip(given, batched)])


def _jit_evaluate(*args: Any, jaxpr: ClosedJaxpr, name: str, donated_invars: tuple, keep_unused: bool,
                  **params: Any) -> list:
    arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in args]
    return run_jaxpr(jaxpr, arrays, name=name, donated=donated_invars, keep_unused=keep_unused, **params)


def _placed(b: Any, values: Sequence[Any], given: Any) -> Sequence[Any]:
    """The values, those with a sharding of their own under its annotation."""
    if given is None or b.module.num_partitions == 1:
        return values
    return [v if s is None else b.annotate_sharding(v, s) for v, s in zip(values, given)]


jit_p = Primitive(
    "jit",
    params=("jaxpr", "name", "donated_invars", "in_shardings", "out_shardings", "keep_unused", "inline",
            "compiler_options"),
    multiple_results=True,
    cache_types=False,
    handles_extended=True,
    type_rule=lambda *avals, jaxpr, **_: list(jaxpr.out_avals),
    jvp=_jit_jvp,
    linearize=_jit_linearize,
    transpose=_jit_transpose,
    batch=_jit_batch,
    emit=lambda b, *operands, jaxpr, name, in_shardings, out_shardings, **_: _placed(
        b, b.call(jaxpr, _placed(b, operands, in_shardings), name), out_shardings),
    evaluate=_jit_evaluate,
    effects=lambda jaxpr, **_: jaxpr.effects,
    source="a call of a staged function",
)


def _axis_names(jaxpr: ClosedJaxpr, **_: Any) -> frozenset:
    return jaxpr.derive("axis_names", lambda: _collect_axis_names(jaxpr.jaxpr))


def _collect_axis_names(jaxpr: Any) -> frozenset:
    found: set = set()
    for eqn in jaxpr.eqns:
        mentions = eqn.primitive.extra.get("axis_names")
        if mentions is not None:
            found.update(mentions(**eqn.params))
    return frozenset(found)


jit_p.extra["axis_names"] = _axis_names


# -- running a jaxpr

def program_for(closed: ClosedJaxpr, placed: Any, committed: bool, *, name: str, donated: Sequence[bool] = (),
                keep_unused: bool = False, in_shardings: Any = None, out_shardings: Any = None,
                compiler_options: tuple = ()) -> compilation.Executable:
    """The executable of a jaxpr on the devices of `placed`, compiled once."""
    key = ("program", placed, committed, tuple(donated), keep_unused, in_shardings, out_shardings, compiler_options)

    def make() -> compilation.Executable:
        lowered = compilation.lower(closed, name=f"jit_{name}", placed=placed, donated=donated, keep_unused=keep_unused,
                                    in_shardings=in_shardings, out_shardings=out_shardings)
        return compilation.compile_lowered(lowered, overrides=compiler_options, committed=committed)

    return closed.derive(key, make)


def run_jaxpr(closed: ClosedJaxpr, arrays: list[ArrayImpl], *, name: str, donated: Sequence[bool] = (),
              keep_unused: bool = False, in_shardings: Any = None, out_shardings: Any = None, inline: bool = False,
              compiler_options: tuple = ()) -> list[ArrayImpl]:
    """Compile (once) and run a jaxpr on concrete arrays."""
    placed, in_shardings, program = _program_at(closed, arrays, name, donated, keep_unused, in_shardings, out_shardings,
                                                compiler_options)
    results = program(dispatch.move_all(arrays, placed, in_shardings))
    if dispatch.checking.nans:
        _find_non_finite(closed, arrays, results, name)
    return results


def _program_at(closed: ClosedJaxpr, arrays: Sequence[ArrayImpl], name: str, donated: Sequence[bool], keep_unused: bool,
                in_shardings: Any, out_shardings: Any, compiler_options: tuple) -> tuple[Any, Any, Any]:
    explicit = [s for s in (*(in_shardings or ()), *(out_shardings or ()), *inner_shardings(closed)) if s is not None]
    placed, committed = dispatch.common_placement(arrays, name)
    if explicit:
        placed, committed = next((s for s in explicit if len(s.devices) > 1), explicit[0]), True
    if len(placed.devices) > 1:
        _check_result_shardings(closed, out_shardings, name)
        placed, in_shardings = dispatch.spread_placement(arrays, placed, in_shardings, name,
                                                         lambda: _argument_names(closed, len(arrays)))
    else:
        in_shardings = out_shardings = None
    program = program_for(closed, placed, committed, name=name, donated=donated, keep_unused=keep_unused,
                          in_shardings=in_shardings, out_shardings=out_shardings, compiler_options=compiler_options)
    return placed, in_shardings, program


def inner_shardings(closed: ClosedJaxpr) -> tuple:
    """The shardings that jitted functions called within ask for; they tell on which devices the whole runs."""
    return closed.derive("inner shardings", lambda: tuple(_collect_shardings(closed.jaxpr)))


def _collect_shardings(jaxpr: Any) -> list:
    found: list = []
    for eqn in jaxpr.eqns:
        if eqn.primitive is jit_p:
            params = eqn.params
            found += [s for s in (*(params["in_shardings"] or ()), *(params["out_shardings"] or ())) if s is not None]
        for inner in subjaxprs(eqn):
            found += _collect_shardings(inner)
    return found


def _check_result_shardings(closed: ClosedJaxpr, out_shardings: Any, name: str) -> None:
    for i, (s, aval) in enumerate(zip(out_shardings or (), closed.out_avals)):
        if s is not None:
            try:
                s.shard_shape(aval.shape)
            except shardings.ShardingError as error:
                raise ShardingMismatchError(function=name, name=f"result {i}", type_text=aval.str_short(),
                                            wanted=repr(s), reason=error.why or error.says) from None


def _argument_names(closed: ClosedJaxpr, count: int) -> Sequence[str]:
    names = (closed.debug_info.arg_names if closed.debug_info is not None else None) or ()
    return names if len(names) == count else [f"argument {i}" for i in range(count)]


def _find_non_finite(closed: ClosedJaxpr, arrays: Sequence[ArrayImpl], results: Sequence[ArrayImpl], name: str) -> None:
    """With debug_nans: where a result is not finite, run equation by equation, so that the report names the one."""
    try:
        dispatch.check_results(results, name)
    except FloatingPointError:
        if not any(x.is_deleted() for x in arrays):
            eval_jaxpr(closed.jaxpr, closed.consts, *arrays)
        raise


# -- the wrapper

class Traced:
    """A function staged for one combination of argument types."""

    __slots__ = ("__weakref__", "args_info", "avals", "closed", "donated", "in_tree", "name", "opened", "out_tree")

    def __init__(self, closed: ClosedJaxpr, out_tree: Any, name: str, in_tree: Any, avals: tuple,
                 donated: tuple) -> None:
        self.closed, self.out_tree, self.name, self.in_tree = closed, out_tree, name, in_tree
        self.avals, self.donated = avals, donated
        self.opened: ClosedJaxpr | None = None

    def without_consts(self) -> ClosedJaxpr:
        """The jaxpr with its constants as leading inputs."""
        if self.opened is None:
            jaxpr = self.closed.jaxpr
            if not jaxpr.constvars:
                self.opened = self.closed
            else:
                self.opened = ClosedJaxpr(jaxpr.replace(constvars=[], invars=[*jaxpr.constvars, *jaxpr.invars]))
        return self.opened


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

    def __init__(self, fun: Callable[..., Any], options: JitOptions) -> None:
        wraps(fun, self)
        self._fun = fun
        self._options = options
        self._traced: dict[Any, Traced] = _cache_of(fun)
        self._short = ShortWays(None)
        self._plain = options.is_plain
        self._signature: Signature | None = None
        self._name = function_name(fun)
        _wrappers.add(self)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._fun)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else BoundFunction(self, instance)

    def __repr__(self) -> str:
        return f"<jit of {self._fun!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if local.trace is _evaluator and not checking.careful:
                short = self._short
                if short.state is not state_key():
                    short = self._short = ShortWays(state_key())
                if short.only_arrays and not kwargs:
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
        leaves, traced, in_shardings, out_shardings = self._prepare(args, kwargs)
        options = self._options
        if local.trace is _evaluator:
            arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in leaves]
            outs = run_jaxpr(traced.closed, arrays, name=traced.name, donated=traced.donated,
                             keep_unused=options.keep_unused, in_shardings=in_shardings, out_shardings=out_shardings,
                             compiler_options=options.compiler_options)
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

    def _prepare(self, args: tuple, kwargs: dict) -> tuple[list, Traced, Any, Any]:
        """Flat dynamic arguments and the staged function for them."""
        options = self._options
        statics: tuple = ()
        rebuild = None
        if options.has_statics:
            args, kwargs, statics, rebuild = options.split_static(self.signature(), args, kwargs)
        try:
            leaves, in_tree = tree.flatten((args, kwargs))
        except SystemError:  # too deep, or a container in itself
            leaves, in_tree = tree_flatten((args, kwargs))
        avals = tuple([x.aval if type(x) is ArrayImpl else get_aval(x) if type(x) in typers or isinstance(x, Tracer)
                       else None for x in leaves])
        if None in avals:
            avals = tuple(check_arguments(leaves, in_tree, self._fun, "jit"))
        key = (state_key(), in_tree, avals, statics, options.donate_key)
        traced = self._traced.get(key)
        if traced is None:
            traced = self._trace(in_tree, avals, statics, rebuild, key)
        if options.has_shardings:
            return leaves, traced, *options.flat_shardings(in_tree, traced.out_tree)
        return leaves, traced, None, None

    def _trace(self, in_tree: Any, avals: tuple, statics: tuple, rebuild: Any, key: Any) -> Traced:
        if config.jax_no_tracing:
            raise NoTracingError(function=self._name, types=", ".join(map(str, avals)))
        options = self._options
        flat = FlatFunction(self._fun, in_tree, "jit", rebuild)
        numbers = options.static_numbers(self.signature()) if options.has_statics else ()
        debug = debug_info("jit", self._fun, in_tree, static=numbers)
        started = time.perf_counter()
        closed = stage_flat(flat, avals, debug)
        if config.jax_enable_checks:
            check_jaxpr(closed.jaxpr)
        donated = options.donated(self.signature(), in_tree) if options.donates else (False,) * len(avals)
        traced = Traced(closed, flat.out_tree, self._name, in_tree, avals, donated)
        compilation.log_step("Finished tracing %s for arguments %s in %.6f s", f"jit({self._name})", list(avals),
                             time.perf_counter() - started)
        if not any(isinstance(c, Tracer) for c in closed.consts) and not config.jax_check_tracer_leaks:
            if len(self._traced) >= MAX_TRACED:
                self._traced.pop(next(iter(self._traced)), None)  # the oldest
            self._traced[key] = traced
        return traced

    def _remember(self, args: tuple, kwargs: dict, traced: Traced, arrays: Sequence[ArrayImpl]) -> None:
        """Keep the short way for the next call with arguments like these."""
        if not self._plain or traced.closed.effects or checking.careful or config.jax_check_tracer_leaks:
            return
        placed = shardings.first_sharding()
        if any(x._place is not None for x in arrays) or inner_shardings(traced.closed):
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

    def clear_cache(self) -> None:
        """Forget what was staged and compiled."""
        self._traced.clear()
        self._short = ShortWays(None)

    def _cache_size(self) -> int:
        return len(self._traced)

    def trace(self, *args: Any, **kwargs: Any) -> TracedStage:
        """Stage for these arguments (arrays or `ShapeDtypeStruct`s) without running."""
        leaves, traced, in_shardings, out_shardings = self._prepare(args, kwargs)
        return TracedStage(traced, self._options, in_shardings, out_shardings, leaves)

    def lower(self, *args: Any, **kwargs: Any) -> LoweredStage:
        """Stage and emit StableHLO for these arguments without running."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Types of the results for arguments like these."""
        _, traced, _, _ = self._prepare(args, kwargs)
        return traced.out_tree.unflatten([ShapeDtypeStruct.of(a) for a in traced.closed.out_avals])


class ShortWays:
    """The short ways of a jitted function, valid for one state of the options that affect tracing.

    Threads may see different states: each takes the whole object, and so never an entry of another state.

    Attributes:
        state: the key of that state.
        fast: by structure and types of the arguments.
        flat: by types alone, for calls with arrays as positional arguments.
        only_arrays: whether all calls so far were such calls.
    """

    __slots__ = ("fast", "flat", "only_arrays", "state")

    def __init__(self, state: Any) -> None:
        self.state = state
        self.fast: dict[Any, Any] = {}
        self.flat: dict[Any, Any] = {}
        self.only_arrays = False


class BoundFunction:
    # A jitted function that was looked up as a method: the instance is its first argument, also of `lower` and `trace`.
    # (No docstring: a bound method's is its function's.)

    __slots__ = ("__func__", "__self__", "__weakref__")
    __doc__ = property(lambda self: self.__func__.__doc__)  # type: ignore[assignment]

    def __init__(self, function: JitFunction, instance: Any) -> None:
        self.__func__, self.__self__ = function, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

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
    execute, handlers, avals = program.loaded.execute_sharded, program.handlers, program.out_avals
    unflatten = out_tree.unflatten
    single = len(avals) == 1 and out_tree.num_nodes == 1

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
        return (unflatten(map(ArrayImpl, avals, outs)),)

    return run if program.all_kept and not program.any_donated else long


# -- options

class JitOptions:
    """The parameters of `jit`, checked."""

    def __init__(self, *, static_argnums: Any = None, static_argnames: Any = None, donate_argnums: Any = None,
                 donate_argnames: Any = None, keep_unused: bool = False, inline: bool = False, in_shardings: Any = None,
                 out_shardings: Any = None, device: Any = None, backend: str | None = None, abstracted_axes: Any = None,
                 compiler_options: dict[str, Any] | None = None) -> None:
        self.static_argnums, self.static_argnames = _integers(static_argnums), _names(static_argnames)
        self.donate_argnums, self.donate_argnames = _integers(donate_argnums), _names(donate_argnames)
        self.keep_unused, self.inline = keep_unused, inline
        self.in_shardings, self.out_shardings = in_shardings, out_shardings
        if device is not None or backend is not None:
            from perspicax.xla import client

            chosen = shardings.on_device(device if device is not None else client.devices(backend)[0])
            self.in_shardings = chosen if in_shardings is None else in_shardings
        self.compiler_options = tuple(sorted((compiler_options or {}).items()))
        self.donate_key = (self.donate_argnums, self.donate_argnames)
        self.has_statics = bool(self.static_argnums or self.static_argnames)
        self.donates = bool(self.donate_argnums or self.donate_argnames)
        self.has_shardings = self.in_shardings is not None or out_shardings is not None
        self.is_plain = not self.has_statics and not self.has_shardings

    def static_numbers(self, signature: Signature) -> tuple[int, ...]:
        """Positions of the static parameters, those given by name included; those that count from the end of a variable
        number of arguments are negative."""
        return signature.positions(self.static_argnums, self.static_argnames)

    def check(self, fun: Any) -> None:
        """Raise when a static or donated parameter does not exist.

        Raises:
            StaticArgumentError: naming it, with near names.
        """
        signature = Signature(fun)
        if not signature.known:
            return
        refusal = functools.partial(StaticArgumentError, function=signature.function, parameters=tuple(signature.names))
        for option, wanted in (("static_argnames", self.static_argnames), ("donate_argnames", self.donate_argnames)):
            for name in wanted:
                if name not in signature.names and not signature.open_names:
                    raise refusal(option=option, given=repr(name), kind="unknown")
        count = len(signature.positional)
        for option, numbers in (("static_argnums", self.static_argnums), ("donate_argnums", self.donate_argnums)):
            for n in numbers:
                if not signature.variadic and not -count <= n < count:
                    raise refusal(option=option, given=repr(n), kind="unknown")
        both = set(self.static_numbers(signature)) & set(signature.positions(self.donate_argnums, self.donate_argnames))
        if both:
            raise refusal(option="donate_argnums", given=repr(signature.name(min(both))), kind="both")

    def split_static(self, signature: Signature, args: tuple, kwargs: dict) -> tuple[tuple, dict, tuple, Any]:
        """Dynamic arguments, the key of the static ones, and how to put both together again."""
        count = len(args)
        fixed = {n + count if n < 0 else n for n in self.static_numbers(signature)}
        fixed = {n for n in fixed if 0 <= n < count}
        names = signature.with_names(self.static_argnums, self.static_argnames)
        static_args = {n: args[n] for n in sorted(fixed)}
        static_kwargs = {k: kwargs[k] for k in sorted(names & kwargs.keys())} if kwargs else {}
        key = tuple([(k, type(v), v) for k, v in (*static_args.items(), *static_kwargs.items())])
        try:
            hash(key)
        except TypeError:
            _refuse_unhashable(signature, {**static_args, **static_kwargs})
            raise

        def rebuild(both: tuple) -> tuple[tuple, dict]:
            values = iter(both[0])
            whole = tuple([static_args[i] if i in static_args else next(values) for i in range(count)])
            return whole, {**both[1], **static_kwargs}

        dynamic = tuple([x for n, x in enumerate(args) if n not in fixed])
        return dynamic, {k: v for k, v in kwargs.items() if k not in static_kwargs}, (key,), rebuild

    def donated(self, signature: Signature, in_tree: Any) -> tuple[bool, ...]:
        """For each flat dynamic argument whether it is donated."""
        flags = [False] * in_tree.num_leaves
        args, kwargs = in_tree.unflatten(list(range(in_tree.num_leaves)))
        numbers = signature.positions(self.donate_argnums, self.donate_argnames)
        statics = self.static_numbers(signature)
        count = len(args) + len(statics)
        positions = [i for i in range(count) if i not in statics]
        names = signature.with_names(self.donate_argnums, self.donate_argnames)
        chosen = [arg for i, arg in zip(positions, args) if i in numbers or i - count in numbers]
        for leaf in tree.leaves([chosen, [arg for name, arg in kwargs.items() if name in names]]):
            flags[leaf] = True
        return tuple(flags)

    def flat_shardings(self, in_tree: Any, out_tree: Any) -> tuple[Any, Any]:
        """Shardings of flat arguments and results; `None` where nothing was asked for."""
        found: list[Any] = []
        for given, structure in ((self.in_shardings, in_tree), (self.out_shardings, out_tree)):
            if given is None:
                found.append(None)
                continue
            if structure is in_tree:
                per_arg = given if isinstance(given, (tuple, list)) and not hasattr(given, "_to_xla_hlo_sharding") else None
                whole = (tuple(per_arg), {}) if per_arg is not None else given
                args, kwargs = structure.unflatten([0] * structure.num_leaves)
                full = (args, kwargs)
                if per_arg is not None:
                    whole = (tuple(per_arg), dict.fromkeys(kwargs))
            else:
                whole, full = given, structure.unflatten([0] * structure.num_leaves)
            found.append(tuple(tree.broadcast_prefix(whole, full, is_leaf=lambda x: x is None)))
        return found[0], found[1]


def _refuse_unhashable(signature: Signature, statics: dict) -> None:
    """Raise the report of the static argument that cannot be hashed."""
    for which, value in statics.items():
        try:
            hash(value)
        except TypeError:
            kind = "traced array" if isinstance(value, Tracer) else type(value).__name__
            raise StaticArgumentError(option="static_argnums", given=signature.name(which), kind="unhashable",
                                      function=signature.function, value_type=kind, parameters=()) from None


class Signature:
    """What the options of `jit` need to know of a function's parameters.

    Attributes:
        function: its name.
        known: whether it has a signature (some built-in functions have none).
        names: of all parameters.
        positional: of those that may be given by position.
        variadic: whether it takes any number of positional arguments.
        open_names: whether it takes any keyword argument.
    """

    __slots__ = ("_names", "_positions", "function", "known", "names", "open_names", "positional", "variadic")

    def __init__(self, fun: Any) -> None:
        self.function = function_name(fun)
        try:
            parameters = list(inspect.signature(fun).parameters.values())
            self.known = True
        except (TypeError, ValueError):
            parameters, self.known = [], False
        self.names = [p.name for p in parameters]
        self.positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.variadic = not self.known or any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.open_names = not self.known or any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._positions: dict[tuple, tuple[int, ...]] = {}
        self._names: dict[tuple, frozenset[str]] = {}

    def positions(self, numbers: tuple[int, ...], names: tuple[str, ...]) -> tuple[int, ...]:
        """Positions of parameters given by number or by name."""
        found = self._positions.get((numbers, names))
        if found is None:
            some = [n + len(self.positional) if n < 0 and not self.variadic else n for n in numbers]
            some += [self.positional.index(n) for n in names if n in self.positional]
            found = self._positions[numbers, names] = tuple(sorted(set(some)))
        return found

    def with_names(self, numbers: tuple[int, ...], names: tuple[str, ...]) -> frozenset[str]:
        """The names of parameters given by number or by name."""
        found = self._names.get((numbers, names))
        if found is None:
            some = [self.positional[n] for n in self.positions(numbers, names) if 0 <= n < len(self.positional)]
            found = self._names[numbers, names] = frozenset([*names, *some])
        return found

    def name(self, which: Any) -> str:
        """The name of a parameter given by number or by name."""
        if isinstance(which, str):
            return which
        return self.positional[which] if which < len(self.positional) else f"argument {which}"


def _integers(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return (operator.index(value),) if hasattr(value, "__index__") else tuple([operator.index(v) for v in value])


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


# -- ahead of time

class ShapeDtypeStruct:
    """The type of an array without its values, for `eval_shape`, `lower` and the like.

    Args:
        shape: sizes of the axes.
        dtype: a dtype.
        weak_type: as in arrays.
        sharding: where such an array would live.
    """

    __slots__ = ("dtype", "is_ref", "shape", "sharding", "vma", "weak_type")

    def __init__(self, shape: Any, dtype: Any, *, sharding: Any = None, weak_type: bool = False, vma: Any = None,
                 is_ref: bool = False, **_: Any) -> None:
        if dtype is None:
            raise MissingDtypeError(shape=str(shape))
        aval = ShapedArray(shape, dtype, weak_type)
        self.shape, self.dtype, self.weak_type, self.sharding = aval.shape, aval.dtype, aval.weak_type, sharding
        self.vma, self.is_ref = vma, is_ref

    @classmethod
    def of(cls, aval: Any) -> ShapeDtypeStruct:
        """The struct of an aval."""
        return cls(aval.shape, aval.dtype, weak_type=aval.weak_type)

    size = property(lambda self: int(np.prod(self.shape, dtype=int)))
    ndim = property(lambda self: len(self.shape))

    def __len__(self) -> int:
        return len(ShapedArray(self.shape, self.dtype))

    def update(self, **changes: Any) -> ShapeDtypeStruct:
        """The same with some fields changed."""
        fields = dict(shape=self.shape, dtype=self.dtype, weak_type=self.weak_type, sharding=self.sharding)
        fields.update(changes)
        return ShapeDtypeStruct(fields.pop("shape"), fields.pop("dtype"), **fields)

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        where = "" if self.sharding is None else f", sharding={self.sharding}"
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype.name}{where}{weak})"

    def _key(self) -> tuple:
        return self.shape, self.dtype, self.weak_type, self.sharding

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def _type_struct(x: ShapeDtypeStruct) -> Any:
    return ShapedArray(x.shape, x.dtype, x.weak_type)


class TracedStage:
    """A function staged for given arguments: `.jaxpr`, `.out_info`, `.lower()`."""

    def __init__(self, traced: Traced, options: JitOptions, in_shardings: Any, out_shardings: Any, leaves: list) -> None:
        self._traced, self._options, self._in, self._out = traced, options, in_shardings, out_shardings
        # where the arguments are, or would be, that were placed on purpose
        own = tuple([x.sharding if getattr(x, "committed", True) else None
                     for x in [x if type(x) in (ArrayImpl, ShapeDtypeStruct) else _UNPLACED for x in leaves]])
        if self._in is None:
            self._in = _any_of(own)
        else:
            self._in = tuple([given if given is not None else mine for given, mine in zip(self._in, own)])

    jaxpr = property(lambda self: self._traced.closed)
    fun_name = property(lambda self: self._traced.name)
    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    in_avals = property(lambda self: _in_avals(self._traced))
    args_info = property(lambda self: _args_info(self._traced))
    out_info = property(lambda self: _out_info(self._traced))
    out_avals = property(lambda self: self._traced.out_tree.unflatten(list(self._traced.closed.out_avals)))
    donate_argnums = property(lambda self: _donated_numbers(self._traced))

    def lower(self, *, lowering_platforms: Any = None) -> LoweredStage:
        """Emit StableHLO."""
        return LoweredStage(self._traced, self._options, self._in, self._out)


class _Unplaced:
    committed, sharding = False, None


_UNPLACED = _Unplaced()


def _in_avals(traced: Traced) -> Any:
    return traced.in_tree.unflatten(list(traced.avals))


def _donated_numbers(traced: Traced) -> tuple[int, ...]:
    return tuple([i for i, given in enumerate(traced.donated) if given])


def _out_info(traced: Traced, placed: Sequence[Any] | None = None) -> Any:
    avals = traced.closed.out_avals
    return traced.out_tree.unflatten([ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type, sharding=s)
                                      for a, s in zip(avals, placed or [None] * len(avals))])


def _args_info(traced: Traced) -> Any:
    return traced.in_tree.unflatten([ArgInfo(a, d) for a, d in zip(traced.avals, traced.donated)])


class ArgInfo:
    """An argument of a staged function: `shape`, `dtype`, `donated`."""

    __slots__ = ("_aval", "donated")

    def __init__(self, aval: Any, donated: bool) -> None:
        self._aval, self.donated = aval, donated

    shape = property(lambda self: self._aval.shape)
    dtype = property(lambda self: self._aval.dtype)

    def __repr__(self) -> str:
        return f"ArgInfo(_aval={self._aval!r}, donated={self.donated})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArgInfo) and (self._aval, self.donated) == (other._aval, other.donated)

    __hash__ = object.__hash__


class LoweredStage:
    """StableHLO of a function: `.as_text()`, `.compile()`."""

    def __init__(self, traced: Traced, options: JitOptions, in_shardings: Any, out_shardings: Any) -> None:
        self._traced, self._options = traced, options
        given = (*(in_shardings or ()), *(out_shardings or ()), *inner_shardings(traced.closed))
        explicit = [s for s in given if s is not None]
        wide = [s for s in explicit if len(s.devices) > 1]
        placed = (wide or explicit or [shardings.default_sharding()])[0]
        many = len(placed.devices) > 1
        self._placed = shardings.replicated_like(placed) if many else placed
        self._committed = bool(explicit)
        if many:
            in_shardings = tuple([s or self._placed for s in in_shardings or [None] * len(traced.avals)])
        self._in_shardings = in_shardings if many else None
        self._lowered = compilation.lower(
            traced.closed, name=f"jit_{traced.name}", placed=self._placed, donated=traced.donated,
            keep_unused=options.keep_unused, in_shardings=in_shardings if many else None,
            out_shardings=out_shardings if many else None)

    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    in_avals = property(lambda self: _in_avals(self._traced))
    out_info = property(lambda self: _out_info(self._traced))
    args_info = property(lambda self: _args_info(self._traced))
    donate_argnums = property(lambda self: _donated_numbers(self._traced))

    def as_text(self, dialect: str | None = None, *, debug_info: bool = False) -> str:
        """The program as text.

        Args:
            dialect: `stablehlo`, or `hlo`, which needs compilation.
            debug_info: accepted; operations always carry the number of their equation.

        Raises:
            DialectError: there is no such dialect.
        """
        if dialect == "hlo":
            return self.compile().as_text()
        if dialect not in (None, "stablehlo"):
            raise DialectError(dialect=str(dialect))
        return self._lowered.text

    def compile(self, compiler_options: dict[str, Any] | None = None) -> CompiledStage:
        """Compile."""
        overrides = self._options.compiler_options + tuple(sorted((compiler_options or {}).items()))
        program = compilation.compile_lowered(self._lowered, overrides=overrides, committed=self._committed)
        return CompiledStage(self._traced, program, self._options, self._in_shardings)

    def cost_analysis(self) -> Any:
        """XLA's estimate of the program's cost."""
        return self.compile().cost_analysis()


class CompiledStage:
    """A compiled function: call it with arguments of the types it was compiled for."""

    def __init__(self, traced: Traced, program: compilation.Executable, options: JitOptions,
                 in_shardings: tuple | None) -> None:
        self._traced, self._program, self._options, self._in_shardings = traced, program, options, in_shardings

    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    in_avals = property(lambda self: _in_avals(self._traced))
    out_info = property(lambda self: _out_info(self._traced, self._program.out_shardings))
    args_info = property(lambda self: _args_info(self._traced))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, in_tree = tree.flatten((args, kwargs))
        traced = self._traced
        if in_tree != traced.in_tree:
            from perspicax.transform.errors import CompiledCallError

            raise CompiledCallError(function=traced.name, expected=str(traced.in_tree), got=str(in_tree), kind="tree")
        check_alive(leaves)
        arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in leaves]
        for i, (x, aval) in enumerate(zip(arrays, traced.avals)):
            if x.aval.shape != aval.shape or x.aval.dtype != aval.dtype:
                from perspicax.transform.errors import CompiledCallError

                names = (traced.closed.debug_info.arg_names or ()) if traced.closed.debug_info else ()
                raise CompiledCallError(function=traced.name, kind="type", expected=aval.str_short(),
                                        got=x.aval.str_short(), name=names[i] if i < len(names) else f"argument {i}")
        placed = self._program.placed
        given = self._in_shardings or (placed,) * len(arrays)
        if any(x._committed and x.sharding is not s for x, s in zip(arrays, given)):
            dispatch.spread_placement(arrays, placed, given, traced.name,
                                      lambda: _argument_names(traced.closed, len(arrays)))
        return traced.out_tree.unflatten(self._program(dispatch.move_all(arrays, placed, self._in_shardings)))

    call = __call__

    def as_text(self) -> str:
        """The optimised HLO."""
        return self._program.hlo_text()

    def cost_analysis(self) -> dict[str, float]:
        """XLA's estimate of the program's cost."""
        found = self._program.loaded.cost_analysis()
        return found[0] if isinstance(found, list) else found

    def memory_analysis(self) -> Any:
        """Memory that the program needs."""
        return self._program.loaded.get_compiled_memory_stats()

    input_shardings = property(lambda self: self._traced.in_tree.unflatten(
        list(self._in_shardings or [self._program.placed] * len(self._traced.avals))))
    output_shardings = property(lambda self: self._traced.out_tree.unflatten(list(self._program.out_shardings)))

    def runtime_executable(self) -> Any:
        """jaxlib's executable."""
        return self._program.loaded


typers[ShapeDtypeStruct] = _type_struct


def clear_caches() -> None:
    """Forget everything staged and compiled in this process."""
    from perspicax.core.primitive import primitives

    for wrapper in list(_wrappers):
        wrapper.clear_cache()
    for cache in list(_caches.values()):
        cache.clear()
    for primitive in list(primitives):
        primitive.clear_caches()


__all__ = ["jit_p", "JitFunction", "JitOptions", "ShapeDtypeStruct", "run_jaxpr", "clear_caches", "JaxprTrace"]
