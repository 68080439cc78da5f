"""`jit`: a function is staged once for each combination of argument types, compiled, and run.

The wrapper's hot path is: flatten, look at the types, one dict lookup, execute, wrap. Under another transformation it
becomes one equation, `jit`, whose jaxpr is staged once as well.
"""
from __future__ import annotations

import functools
import inspect
import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core import config as config_module
from perspicax.core.config import config, local
from perspicax.core.context import evaluator
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.trace import JaxprTrace, Linear, Zero, check_alive, stage_flat
from perspicax.core.tracer import Tracer, get_aval, typers
from perspicax.diagnose.boundary import trim
from perspicax.transform import trees as tree
from perspicax.transform.batch import batch_jaxpr, to_axis
from perspicax.transform.errors import StaticArgumentError
from perspicax.transform.jvp import jvp_jaxpr, linearize_jaxpr
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, wraps
from perspicax.transform.transpose import transpose_jaxpr
from perspicax.xla import compile as compilation
from perspicax.xla import dispatch
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl

state_key = config_module.state_key
checking = dispatch.checking
flatten = tree.flatten


# -- the primitive

def _jit_jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, name: str, **params: Any) -> tuple[list, list]:
    moving = tuple(type(t) is not Zero for t in tangents)
    derived, moves = jvp_jaxpr(jaxpr, moving)
    params["donated_invars"] = (False,) * len(derived.in_avals)
    outs = jit_p(*primals, *[t for t in tangents if type(t) is not Zero], jaxpr=derived, name=name, **params)
    return _with_zeros(outs, len(jaxpr.out_avals), moves)


def _with_zeros(outs: list, n: int, moves: Sequence[bool]) -> tuple[list, list]:
    rest = iter(outs[n:])
    results = outs[:n]
    return results, [next(rest) if m else Zero.like(x) for x, m in zip(results, moves)]


def _jit_linearize(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, name: str, **params: Any) -> tuple[list, list]:
    moving = tuple(type(t) is not Zero for t in tangents)
    parts = linearize_jaxpr(jaxpr, moving)
    params["donated_invars"] = (False,) * len(parts.forward.in_avals)
    outs = jit_p(*primals, jaxpr=parts.forward, name=name, **params)
    residuals = parts.gather(primals, outs)
    params["donated_invars"] = (False,) * len(parts.linear.in_avals)
    if any(parts.moves):
        moved = jit_p(*residuals, *[t for t in tangents if type(t) is not Zero], jaxpr=parts.linear, name=name, **params)
    else:
        moved = []
    n = len(jaxpr.out_avals)
    return _with_zeros(outs[:n] + moved, n, parts.moves)


def _jit_transpose(cts: list, *operands: Any, jaxpr: ClosedJaxpr, name: str, **params: Any) -> list:
    linear = tuple(type(x) is Linear for x in operands)
    moving = tuple(type(ct) is not Zero for ct in cts)
    derived, reached = transpose_jaxpr(jaxpr, linear, moving)
    params["donated_invars"] = (False,) * len(derived.in_avals)
    outs = iter(jit_p(*[x for x in operands if type(x) is not Linear], *[ct for ct in cts if type(ct) is not Zero],
                      jaxpr=derived, name=name, **params))
    reach = iter(reached)
    return [(next(outs) if next(reach) else None) if is_linear else None for is_linear in linear]


def _jit_batch(axis: Any, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, name: str, **params: Any) -> tuple[list, list]:
    batched = tuple(a is not None for a in axes)
    derived, found = batch_jaxpr(jaxpr, axis, batched)
    args = tuple([to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(args, axes)])
    outs = jit_p(*args, jaxpr=derived, name=name, **params)
    return outs, [0 if b else None for b in found]


def _jit_evaluate(*args: Any, jaxpr: ClosedJaxpr, name: str, donated_invars: tuple, keep_unused: bool,
                  **params: Any) -> list:
    arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in args]
    return run_jaxpr(jaxpr, arrays, name=name, donated=donated_invars, keep_unused=keep_unused, **params)


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
    emit=lambda b, *operands, jaxpr, name, **_: b.call(jaxpr, operands, name),
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
    explicit = [s for s in (*(in_shardings or ()), *(out_shardings or ())) if s is not None]
    placed, committed = dispatch.common_placement(arrays, name)
    if explicit:
        wide = [s for s in explicit if len(s.devices) > 1]
        placed, committed = (wide or explicit)[0], True
    if len(placed.devices) > 1:
        placed, in_shardings = dispatch.spread_placement(arrays, placed, in_shardings, name,
                                                         lambda: _argument_names(closed, len(arrays)))
    else:
        in_shardings = out_shardings = None
    program = program_for(closed, placed, committed, name=name, donated=donated, keep_unused=keep_unused,
                          in_shardings=in_shardings, out_shardings=out_shardings, compiler_options=compiler_options)
    return placed, in_shardings, program


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


def _cache_of(fun: Any) -> dict:
    """What was staged of `fun`; shared by all `jit(fun)`, gone with `fun`."""
    if inspect.ismethod(fun):
        return {}
    try:
        return _caches.setdefault(fun, {})
    except TypeError:  # a callable that cannot be hashed or weakly referenced
        return {}


class JitFunction:
    """A function wrapped by `jit`."""

    def __init__(self, fun: Callable[..., Any], options: JitOptions) -> None:
        wraps(fun, self)
        self._fun = fun
        self._options = options
        self._traced: dict[Any, Traced] = _cache_of(fun)
        self._fast: dict[Any, Any] = {}
        self._flat: dict[Any, Any] = {}
        self._only_arrays = False
        self._state: Any = None
        self._plain = options.is_plain
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
        if local.trace is _evaluator and not checking.careful:
            if self._state is not state_key():
                self._new_state()
            if self._only_arrays and not kwargs:
                entry = self._flat.get(tuple([x.aval if type(x) is ArrayImpl and x._place is None else None for x in args]))
                if entry is not None:
                    out = entry(args)
                    if out is not None:
                        return out[0]
            elif self._fast:
                leaves, in_tree = flatten((args, kwargs))
                try:
                    key = None if any(map(_get_place, leaves)) else tuple(map(_get_aval, leaves))
                except AttributeError:  # numbers or NumPy arrays among them
                    key = tuple([x.aval if type(x) is ArrayImpl and x._place is None else _leaf_key(x) for x in leaves])
                entry = self._fast.get((in_tree, key))
                if entry is not None:
                    out = entry(leaves)
                    if out is not None:
                        return out[0]
        try:
            return self._call(args, kwargs)
        except Exception as error:
            trim(error)
            raise

    def _new_state(self) -> None:
        """Options that affect tracing have changed: the short ways are not valid now."""
        self._state = state_key()
        self._fast, self._flat, self._only_arrays = {}, {}, False

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
        args, kwargs, statics, rebuild = options.split_static(self._fun, args, kwargs)
        leaves, in_tree = tree.flatten((args, kwargs))
        avals = tuple([x.aval if type(x) is ArrayImpl else get_aval(x) if type(x) in typers or isinstance(x, Tracer)
                       else None for x in leaves])
        if None in avals:
            avals = tuple(check_arguments(leaves, in_tree, self._fun, "jit"))
        key = (state_key(), in_tree, avals, statics, options.donate_key)
        traced = self._traced.get(key)
        if traced is None:
            traced = self._trace(in_tree, avals, statics, rebuild, key)
        return leaves, traced, *options.flat_shardings(in_tree, traced.out_tree)

    def _trace(self, in_tree: Any, avals: tuple, statics: tuple, rebuild: Any, key: Any) -> Traced:
        options = self._options
        flat = FlatFunction(self._fun, in_tree, "jit", rebuild)
        debug = debug_info("jit", self._fun, in_tree, static=options.static_numbers(self._fun))
        closed = stage_flat(flat, avals, debug)
        donated = options.donated(self._fun, in_tree)
        traced = Traced(closed, flat.out_tree, self._name, in_tree, avals, donated)
        if config.jax_log_compiles:
            compilation.logger.warning("Traced %s for %s", self._name, list(avals))
        if not any(isinstance(c, Tracer) for c in closed.consts) and not config.jax_check_tracer_leaks:
            self._traced[key] = traced
        return traced

    def _remember(self, args: tuple, kwargs: dict, traced: Traced, arrays: Sequence[ArrayImpl]) -> None:
        """Keep the short way for the next call with arguments like these."""
        if not self._plain or traced.closed.effects or checking.careful or config.jax_check_tracer_leaks:
            return
        placed = shardings.first_sharding()
        if any(x._place is not None for x in arrays):
            return
        leaves, in_tree = tree.flatten((args, kwargs))
        keys = tuple([x.aval if type(x) is ArrayImpl else _leaf_key(x) for x in leaves])
        if None in keys:
            return
        program = program_for(traced.closed, placed, False, name=traced.name, donated=traced.donated,
                              keep_unused=self._options.keep_unused,
                              compiler_options=self._options.compiler_options)
        if self._state is not state_key():
            self._new_state()
        entry = fast_entry(program, traced.out_tree)
        self._fast[in_tree, keys] = entry
        if not kwargs and all(type(x) is ArrayImpl for x in args):
            self._flat[keys] = entry
            self._only_arrays = len(self._flat) == len(self._fast)
        else:
            self._only_arrays = False

    def clear_cache(self) -> None:
        """Forget what was staged and compiled."""
        self._traced.clear()
        self._new_state()

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
        return self.__func__.trace(self.__self__, *args, **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> LoweredStage:
        """`JitFunction.lower` with the instance."""
        return self.__func__.lower(self.__self__, *args, **kwargs)

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """`JitFunction.eval_shape` with the instance."""
        return self.__func__.eval_shape(self.__self__, *args, **kwargs)

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
        self.is_plain = (not self.static_argnums and not self.static_argnames and self.in_shardings is None
                         and out_shardings is None)

    def static_numbers(self, fun: Any) -> tuple[int, ...]:
        """Positions of the static parameters, those given by name included."""
        if not self.static_argnums and not self.static_argnames:
            return ()
        return self._resolve(fun, self.static_argnums, self.static_argnames)

    def _resolve(self, fun: Any, numbers: tuple[int, ...], names: tuple[str, ...]) -> tuple[int, ...]:
        parameters = signature_parameters(fun)
        if parameters is None:
            return numbers
        positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        found = [n + len(positional) if n < 0 and not variadic else n for n in numbers]
        found += [positional.index(n) for n in names if n in positional]
        return tuple(sorted(set(found)))

    def check(self, fun: Any) -> None:
        """Raise when a static or donated parameter does not exist.

        Raises:
            StaticArgumentError: naming it, with near names.
        """
        parameters = signature_parameters(fun)
        if parameters is None:
            return
        names = [p.name for p in parameters]
        open_names = any(p.kind is p.VAR_KEYWORD for p in parameters)
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        for option, wanted in (("static_argnames", self.static_argnames), ("donate_argnames", self.donate_argnames)):
            for name in wanted:
                if name not in names and not open_names:
                    raise StaticArgumentError(option=option, given=repr(name), function=function_name(fun),
                                              parameters=tuple(names), kind="unknown")
        for option, numbers in (("static_argnums", self.static_argnums), ("donate_argnums", self.donate_argnums)):
            for n in numbers:
                if not variadic and not -len(positional) <= n < len(positional):
                    raise StaticArgumentError(option=option, given=repr(n), function=function_name(fun),
                                              parameters=tuple(names), kind="unknown")
        both = set(self._resolve(fun, self.static_argnums, self.static_argnames)) & set(
            self._resolve(fun, self.donate_argnums, self.donate_argnames))
        if both:
            name = positional[min(both)].name if min(both) < len(positional) else f"argument {min(both)}"
            raise StaticArgumentError(option="donate_argnums", given=repr(name), function=function_name(fun),
                                      parameters=tuple(names), kind="both")

    def split_static(self, fun: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict, tuple, Any]:
        """Dynamic arguments, the key of the static ones, and how to put both together again."""
        if not self.static_argnums and not self.static_argnames:
            return args, kwargs, (), None
        numbers = tuple(n + len(args) if n < 0 else n for n in self.static_numbers(fun))
        numbers = tuple(n for n in numbers if n < len(args))
        names = set(self.static_argnames)
        parameters = signature_parameters(fun)
        if parameters is not None:
            positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            names |= {positional[n] for n in self.static_numbers(fun) if n < len(positional)}
        static_args = tuple((n, args[n]) for n in numbers)
        static_kwargs = tuple(sorted((k, v) for k, v in kwargs.items() if k in names))
        for which, value in (*static_args, *static_kwargs):
            try:
                hash(value)
            except TypeError as error:
                if not (isinstance(error, TypeError) and "unhashable" in str(error)) and not isinstance(value, Tracer):
                    pass
                raise StaticArgumentError(option="static_argnums", given=_argument_name(fun, which),
                                          function=function_name(fun), kind="unhashable",
                                          value_type=type(value).__name__, parameters=()) from None
        dynamic_args = tuple([x for n, x in enumerate(args) if n not in numbers])
        dynamic_kwargs = {k: v for k, v in kwargs.items() if k not in names}
        count = len(args)

        def rebuild(both: tuple) -> tuple[tuple, dict]:
            values = iter(both[0])
            fixed = dict(static_args)
            whole = tuple([fixed[i] if i in fixed else next(values) for i in range(count)])
            return whole, {**both[1], **dict(static_kwargs)}

        typed = tuple((k, type(v), v) for k, v in (*static_args, *static_kwargs))
        return dynamic_args, dynamic_kwargs, (typed,), rebuild

    def donated(self, fun: Any, in_tree: Any) -> tuple[bool, ...]:
        """For each flat dynamic argument whether it is donated."""
        count = in_tree.num_leaves
        if not self.donate_argnums and not self.donate_argnames:
            return (False,) * count
        numbers = self._resolve(fun, self.donate_argnums, self.donate_argnames)
        statics = self.static_numbers(fun)
        args, kwargs = in_tree.unflatten(list(range(count)))
        flags = [False] * count
        positions = [i for i in range(len(args) + len(statics)) if i not in statics]
        for position, arg in zip(positions, args):
            if position in numbers or position - len(args) - len(statics) in self.donate_argnums:
                for leaf in tree.leaves(arg):
                    flags[leaf] = True
        parameters = signature_parameters(fun) or []
        by_name = {p.name for i, p in enumerate(parameters) if i in numbers} | set(self.donate_argnames)
        for name, arg in kwargs.items():
            if name in by_name:
                for leaf in tree.leaves(arg):
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


def _argument_name(fun: Any, which: Any) -> str:
    if isinstance(which, str):
        return which
    parameters = signature_parameters(fun) or []
    return parameters[which].name if which < len(parameters) else f"argument {which}"


@functools.lru_cache(maxsize=1024)
def _signature(fun: Any) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):
        return None


def signature_parameters(fun: Any) -> list[inspect.Parameter] | None:
    """The parameters of `fun`; `None` when they cannot be known (some built-in functions)."""
    try:
        return _signature.__wrapped__(fun)
    except TypeError:
        return None


def _integers(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(int(v) for v in value)


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
        from perspicax.core.avals import ShapedArray

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
        return self.shape[0]

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
    from perspicax.core.avals import ShapedArray

    return ShapedArray(x.shape, x.dtype, x.weak_type)


class TracedStage:
    """A function staged for given arguments: `.jaxpr`, `.out_info`, `.lower()`."""

    def __init__(self, traced: Traced, options: JitOptions, in_shardings: Any, out_shardings: Any, leaves: list) -> None:
        self._traced, self._options, self._in, self._out = traced, options, in_shardings, out_shardings
        self._leaves = [get_aval(x) for x in leaves]

    jaxpr = property(lambda self: self._traced.closed)
    fun_name = property(lambda self: self._traced.name)
    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    in_avals = property(lambda self: self._traced.in_tree.unflatten(list(self._traced.avals)))
    args_info = property(lambda self: _args_info(self._traced))
    out_info = property(lambda self: _out_info(self._traced))
    out_avals = out_info

    def lower(self, *, lowering_platforms: Any = None) -> LoweredStage:
        """Emit StableHLO."""
        return LoweredStage(self._traced, self._options, self._in, self._out)


def _out_info(traced: Traced) -> Any:
    return traced.out_tree.unflatten([ShapeDtypeStruct.of(a) for a in traced.closed.out_avals])


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
        return f"ArgInfo({self._aval}, donated={self.donated})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArgInfo) and (self._aval, self.donated) == (other._aval, other.donated)

    __hash__ = object.__hash__


class LoweredStage:
    """StableHLO of a function: `.as_text()`, `.compile()`."""

    def __init__(self, traced: Traced, options: JitOptions, in_shardings: Any, out_shardings: Any) -> None:
        self._traced, self._options = traced, options
        explicit = [s for s in (*(in_shardings or ()), *(out_shardings or ())) if s is not None]
        wide = [s for s in explicit if len(s.devices) > 1]
        placed = (wide or explicit or [shardings.default_sharding()])[0]
        many = len(placed.devices) > 1
        self._placed = shardings.replicated_like(placed) if many else placed
        self._committed = bool(explicit)
        self._lowered = compilation.lower(
            traced.closed, name=f"jit_{traced.name}", placed=self._placed, donated=traced.donated,
            keep_unused=options.keep_unused, in_shardings=in_shardings if many else None,
            out_shardings=out_shardings if many else None)

    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    out_info = property(lambda self: _out_info(self._traced))
    args_info = property(lambda self: _args_info(self._traced))
    donate_argnums = property(lambda self: self._options.donate_argnums)

    def as_text(self, dialect: str | None = None, *, debug_info: bool = False) -> str:
        """The program as text (`dialect` is `stablehlo`; `hlo` needs compilation)."""
        if dialect == "hlo":
            return self.compile().as_text()
        return self._lowered.text

    def compile(self, compiler_options: dict[str, Any] | None = None) -> CompiledStage:
        """Compile."""
        overrides = self._options.compiler_options + tuple(sorted((compiler_options or {}).items()))
        program = compilation.compile_lowered(self._lowered, overrides=overrides, committed=self._committed)
        return CompiledStage(self._traced, program, self._options)

    def cost_analysis(self) -> Any:
        """XLA's estimate of the program's cost."""
        return self.compile().cost_analysis()


class CompiledStage:
    """A compiled function: call it with arguments of the types it was compiled for."""

    def __init__(self, traced: Traced, program: compilation.Executable, options: JitOptions) -> None:
        self._traced, self._program, self._options = traced, program, options

    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    out_info = property(lambda self: _out_info(self._traced))
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
        outs = self._program([dispatch.move(x, self._program.placed) for x in arrays])
        return traced.out_tree.unflatten(outs)

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

    input_shardings = property(lambda self: (tuple([self._program.placed] * len(self._traced.avals)), {}))
    output_shardings = property(lambda self: self._traced.out_tree.unflatten(list(self._program.out_shardings)))
    runtime_executable = lambda self: self._program.loaded


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
