"""Ahead of time: a function is staged, lowered and compiled step by step, each step an object to look at."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.refs import AbstractRef, RefCell
from perspicax.core.sanitizing import compiled_runs
from perspicax.core.trace import check_alive
from perspicax.core.tracer import Tracer
from perspicax.diagnose.boundary import public_methods, trim
from perspicax.transform import trees as tree
from perspicax.transform.errors import PLATFORMS, DialectError, LoweringPlatformError
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.jit_primitive import any_of, argument_names, find_non_finite, inner_shardings, program_for
from perspicax.transform.shape_struct import ShapeDtypeStruct as ShapeDtypeStruct
from perspicax.xla import compile as compilation
from perspicax.xla import dispatch
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.compiled_sharding import replicated_like
from perspicax.xla.explicit import laid_results
from perspicax.xla.layouts import format_of, sharding_of


class RefUse(NamedTuple):
    """What a program does with references: their values are operands, the new ones are results behind its own.

    Attributes:
        passed: which flat arguments are references.
        closed: the references that it closes over, operands behind the arguments.
        avals: the types of the arguments, references among them.
    """

    passed: tuple[int, ...]
    closed: tuple[RefCell, ...]
    avals: tuple


class Traced:
    """A function staged for one combination of argument types.

    Attributes:
        closed: its jaxpr.
        keeps_refs: whether there may be references in the jaxpr.
        refs: what it does with references, where it is a program on their values.
        before: what sanitizers want to be called before it runs again.
    """

    __slots__ = ("__weakref__", "args_info", "avals", "before", "closed", "donated", "in_tree", "keeps_refs", "name", "opened",
                 "out_tree", "refs")

    def __init__(self, closed: ClosedJaxpr, out_tree: Any, name: str, in_tree: Any, avals: tuple,
                 donated: tuple) -> None:
        self.closed, self.out_tree, self.name, self.in_tree = closed, out_tree, name, in_tree
        self.avals, self.donated = avals, donated
        self.opened: ClosedJaxpr | None = None
        self.keeps_refs = False
        self.refs: RefUse | None = None
        self.before: tuple[Callable[[], None], ...] = ()

    def without_consts(self) -> ClosedJaxpr:
        """The jaxpr with its constants as leading inputs."""
        if self.opened is None:
            jaxpr = self.closed.jaxpr
            if not jaxpr.constvars:
                self.opened = self.closed
            else:
                self.opened = ClosedJaxpr(jaxpr.replace(constvars=[], invars=[*jaxpr.constvars, *jaxpr.invars]))
        return self.opened


def stands_for_ref(x: Any) -> bool:
    """Whether an argument is a reference, or a `ShapeDtypeStruct` of one."""
    return isinstance(x, RefCell) or (type(x) is ShapeDtypeStruct and x.is_ref)


def ref_type(x: Any) -> AbstractRef:
    """The type of such an argument."""
    return AbstractRef(x.inner_aval() if isinstance(x, RefCell) else ShapedArray(x.shape, x.dtype, x.weak_type))


@public_methods("lower")
class TracedStage:
    """A function staged for given arguments: `.jaxpr`, `.out_info`, `.lower()`."""

    def __init__(self, traced: Traced, options: JitOptions, in_shardings: Any, out_shardings: Any, leaves: list) -> None:
        self._traced, self._options, self._in, self._out = traced, options, in_shardings, out_shardings
        leaves = [x.read() if isinstance(x, RefCell) else x for x in leaves]
        for i, x in enumerate(leaves):
            if type(x) is ShapeDtypeStruct:
                sharding_of(x.format, "ShapeDtypeStruct", _leaf_name(traced, i), x.ndim)  # as arrays lie here
        # where the arguments are, or would be, that were placed on purpose
        own = tuple([x.sharding if getattr(x, "committed", True) else None
                     for x in [x if type(x) in (ArrayImpl, ShapeDtypeStruct) else _UNPLACED for x in leaves]])
        if self._in is None:
            self._in = any_of(own)
        else:
            self._in = tuple([given if given is not None else mine for given, mine in zip(self._in, own)])

    jaxpr = property(lambda self: self._traced.closed)
    fun_name = property(lambda self: self._traced.name)
    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    in_avals = property(lambda self: _in_avals(self._traced))
    args_info = property(lambda self: _args_info(self._traced))
    out_info = property(lambda self: _out_info(self._traced, self._out))
    out_avals = property(lambda self: self._traced.out_tree.unflatten(list(self._traced.closed.out_avals)))
    donate_argnums = property(lambda self: _donated_numbers(self._traced))
    lojax = property(lambda self: self)  # the same in lower primitives: there are no higher ones here

    def lower(self, *, lowering_platforms: Any = None) -> LoweredStage:
        """Emit StableHLO.

        Args:
            lowering_platforms: the platform it is for, `("cuda",)` say, where that is not the one of its devices.

        Raises:
            LoweringPlatformError: that is no platform, or several.
        """
        from perspicax.transform.ref_stages import without_refs  # a program without references does not need it

        traced, platform = self._traced, _one_platform(lowering_platforms)
        if not traced.keeps_refs:
            return LoweredStage(traced, self._options, self._in, self._out, platform)
        plain = without_refs(traced)
        in_more = [None] * (len(plain.avals) - len(traced.avals))
        out_more = [None] * (len(plain.closed.out_avals) - len(traced.closed.out_avals))
        return LoweredStage(plain, self._options, self._in if self._in is None else (*self._in, *in_more),
                            self._out if self._out is None else (*self._out, *out_more), platform)


def _one_platform(given: Any) -> str | None:
    """The one platform of a list, or a text."""
    if given is None:
        return None
    found = (given,) if isinstance(given, str) else tuple(given)
    if len(found) != 1 or found[0] not in PLATFORMS:
        raise LoweringPlatformError(given=found)
    return found[0]


_LOCATION = re.compile(r' loc\("\d+"\)$', re.MULTILINE)  # as emission ends lines


class _Unplaced:
    committed, sharding = False, None


_UNPLACED = _Unplaced()


def _in_avals(traced: Traced) -> Any:
    return traced.in_tree.unflatten(list(traced.avals[:traced.in_tree.num_leaves]))


def _donated_numbers(traced: Traced) -> tuple[int, ...]:
    return tuple([i for i, given in enumerate(traced.donated) if given])


def _out_info(traced: Traced, placed: Sequence[Any] | None = None) -> Any:
    """Types of the results, with the shardings or formats in `placed`, or else those that types tell."""
    avals = traced.closed.out_avals[:traced.out_tree.num_leaves]
    return traced.out_tree.unflatten([
        ShapeDtypeStruct.of(a) if s is None else ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type, sharding=s)
        for a, s in zip(avals, placed or [None] * len(avals))])


def _args_info(traced: Traced) -> Any:
    avals = traced.avals if traced.refs is None else traced.refs.avals
    return traced.in_tree.unflatten([ArgInfo(a, d) for a, d in zip(avals, traced.donated)])


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


@public_methods("as_text", "compile", "cost_analysis")
class LoweredStage:
    """StableHLO of a function: `.as_text()`, `.compile()`."""

    def __init__(self, traced: Traced, options: JitOptions, in_shardings: Any, out_shardings: Any,
                 platform: str | None = None) -> None:
        self._traced, self._options, self._platform = traced, options, platform
        given = (*(in_shardings or ()), *(out_shardings or ()), *inner_shardings(traced.closed))
        explicit = [s for s in given if s is not None]
        wide = [s for s in explicit if len(s.devices) > 1]
        placed = (wide or explicit or [shardings.default_sharding()])[0]
        many = len(placed.devices) > 1
        self._placed = replicated_like(placed) if many else placed
        self._committed = bool(explicit)
        if many:
            in_shardings = tuple(in_shardings or [None] * len(traced.avals))
        self._in_shardings: Any = in_shardings if many else None
        self._out_shardings: Any = out_shardings if many else None
        self._asked = out_shardings
        self._lowered = compilation.lower(
            traced.closed, name=f"jit_{traced.name}", placed=self._placed, donated=traced.donated,
            keep_unused=options.keep_unused, in_shardings=self._in_shardings, out_shardings=self._out_shardings,
            platform=platform)

    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    in_avals = property(lambda self: _in_avals(self._traced))
    out_info = property(lambda self: _out_info(self._traced, laid_results(
        self._traced.closed.out_avals, self._asked, self._placed)))
    args_info = property(lambda self: _args_info(self._traced))
    donate_argnums = property(lambda self: _donated_numbers(self._traced))

    def as_text(self, dialect: str | None = None, *, debug_info: bool = False) -> str:
        """The program as text.

        Args:
            dialect: `stablehlo`, or `hlo`, which needs compilation.
            debug_info: whether operations carry the number of their equation.

        Raises:
            DialectError: there is no such dialect.
        """
        if dialect == "hlo":
            return self.compile().as_text()
        if dialect not in (None, "stablehlo"):
            raise DialectError(dialect=str(dialect))
        text = self._lowered.text
        return text if debug_info else _LOCATION.sub("", text)

    def compiler_ir(self, dialect: str | None = None) -> Any:
        """The program as an object of the compiler's.

        Args:
            dialect: `stablehlo` for a module of the MLIR bindings, which is the default; `hlo` for an XLA computation,
                with methods such as `as_hlo_text`.

        Raises:
            DialectError: there is no such dialect.
        """
        from perspicax.binding import portable  # it loads MLIR

        if dialect not in (None, "stablehlo", "hlo"):
            raise DialectError(dialect=str(dialect))
        return (portable.computation if dialect == "hlo" else portable.module)(self._lowered.text)

    def compile(self, compiler_options: dict[str, Any] | None = None) -> CompiledStage:
        """Compile.

        Raises:
            LoweringPlatformError: the program is for another platform than that of its devices.
        """
        here = self._placed.devices[0].platform
        if self._platform not in (None, here):
            raise LoweringPlatformError(given=(self._platform,), here=here)
        overrides = self._options.compiler_options + tuple(sorted((compiler_options or {}).items()))
        program = program_for(self._traced.closed, self._placed, self._committed, name=self._traced.name,
                              donated=self._traced.donated, keep_unused=self._options.keep_unused,
                              in_shardings=self._in_shardings, out_shardings=self._out_shardings,
                              compiler_options=overrides, lowered=self._lowered)
        return CompiledStage(self._traced, program, self._options, self._in_shardings)

    def cost_analysis(self) -> Any:
        """XLA's estimate of what the program costs as it stands, before any optimisation; nothing is compiled."""
        from perspicax.binding import portable  # as above

        return portable.costs(self._lowered.text, self._placed.devices[0].client)


def _difference(traced: Traced, args: tuple, kwargs: dict) -> str:
    """Where the arguments of a call first differ in structure from those a function was compiled for."""
    from perspicax.core.tree_mismatch import mismatches, sentence  # only a report needs it

    then, then_by_name = traced.in_tree.unflatten(traced.avals[:traced.in_tree.num_leaves])
    if len(args) != len(then):
        return f"the call has {len(args)} positional arguments, and it was compiled for {len(then)}"
    if kwargs.keys() != then_by_name.keys():
        return f"the call names the arguments {sorted(kwargs)}, and it was compiled for {sorted(then_by_name)}"
    leaf_names = iter((traced.closed.debug_info.arg_names or ()) if traced.closed.debug_info else ())
    for i, (expected, given) in enumerate([*zip(then, args), *[(then_by_name[k], kwargs[k]) for k in sorted(kwargs)]]):
        taken = [next(leaf_names, "") for _ in tree.leaves(expected)]
        name = re.split(r"[.\[]", taken[0])[0] if taken and taken[0] else f"args[{i}]"
        for found in mismatches(expected, given):
            return re.sub("`@([^`]*)`", rf"the compiled `{name}\1`", sentence(found, "@", name))
    return "the static data of its arguments differs"


def _leaf_name(traced: Traced, index: int) -> str:
    return argument_names(traced.closed, len(traced.avals))[index]


@public_methods("as_text", "cost_analysis", "memory_analysis")
class CompiledStage:
    """A compiled function: call it with arguments of the types it was compiled for."""

    def __init__(self, traced: Traced, program: compilation.Executable, options: JitOptions,
                 in_shardings: tuple | None) -> None:
        self._traced, self._program, self._options, self._in_shardings = traced, program, options, in_shardings

    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    in_avals = property(lambda self: _in_avals(self._traced))
    out_info = property(lambda self: _out_info(self._traced, [None if s is None else format_of(a.ndim, s) for a, s in zip(
        self._traced.closed.out_avals, self._program.out_shardings)]))
    args_info = property(lambda self: _args_info(self._traced))
    donate_argnums = property(lambda self: _donated_numbers(self._traced))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            leaves, in_tree = tree.flatten((args, kwargs))
            traced = self._traced
            if in_tree != traced.in_tree:
                from perspicax.transform.errors import CompiledCallError

                raise CompiledCallError(function=traced.name, expected=str(traced.in_tree),
                                        got=_difference(traced, args, kwargs), kind="tree")
            for i, x in enumerate(leaves):
                if type(x) is not ArrayImpl and isinstance(x, Tracer) and not x._trace.dead:
                    from perspicax.transform.errors import CompiledCallError

                    raise CompiledCallError(function=traced.name, kind="tracer", expected="", got=x.aval.str_short(),
                                            name=_leaf_name(traced, i))
            refs = traced.refs
            if refs is not None:
                cells = [*[leaves[i] for i in refs.passed], *refs.closed]
                leaves = [*[x.read() if isinstance(x, RefCell) else x for x in leaves], *[c.read() for c in refs.closed]]
            check_alive(leaves)
            arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in leaves]
            for i, (x, aval) in enumerate(zip(arrays, traced.avals)):
                if x.aval.shape != aval.shape or x.aval.dtype != aval.dtype:
                    from perspicax.transform.errors import CompiledCallError

                    raise CompiledCallError(function=traced.name, kind="type", expected=aval.str_short(),
                                            got=x.aval.str_short(), name=_leaf_name(traced, i))
            placed = self._program.placed
            given = self._program.in_shardings or (placed,) * len(arrays)
            if any(x._committed and x.sharding is not s for x, s in zip(arrays, given)):
                dispatch.spread_placement(arrays, placed, given, traced.name,
                                          lambda: argument_names(traced.closed, len(arrays)))
            told = compiled_runs(traced.closed, arrays)
            results = self._program(dispatch.move_all(arrays, placed, self._program.in_shardings))
            for tell in told:
                tell(results)
            if dispatch.checking.nans:
                find_non_finite(traced.closed, arrays, results, traced.name)
            if refs is not None:
                count = traced.out_tree.num_leaves
                for cell, value in zip(cells, results[count:]):
                    if isinstance(cell, RefCell):  # a plain array in its place is read alone
                        cell.write(value)
                results = results[:count]
            return traced.out_tree.unflatten(results)
        except Exception as error:
            trim(error)
            raise

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
        list(self._in_shardings or [self._program.placed] * len(self._traced.avals))[:self._traced.in_tree.num_leaves]))
    output_shardings = property(lambda self: self._traced.out_tree.unflatten(
        list(self._program.out_shardings)[:self._traced.out_tree.num_leaves]))

    @property
    def input_formats(self) -> Any:
        """How the arguments lie in memory: a pytree of `Format`s like them, `(args, kwargs)`."""
        leaves = tree.leaves(self.input_shardings)
        return self.in_tree.unflatten([format_of(a.ndim, s) for a, s in zip(self._traced.avals, leaves)])

    @property
    def output_formats(self) -> Any:
        """How the results lie in memory: a pytree of `Format`s like them."""
        leaves = tree.leaves(self.output_shardings)
        return self.out_tree.unflatten([format_of(a.ndim, s) for a, s in zip(self._traced.closed.out_avals, leaves)])

    def runtime_executable(self) -> Any:
        """jaxlib's executable."""
        return self._program.loaded
