"""`export`: a jitted function becomes a portable program, and `deserialize`: such a program from bytes."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.api import export_format
from perspicax.api.export_errors import ExportError, ExportFormatError, ExportUnsupportedError
from perspicax.api.export_shardings import Spread, of_cotangents, spread_of, types_as_asked
from perspicax.api.exported import DisabledSafetyCheck, Exported
from perspicax.api.wrapping import public
from perspicax.binding import portable
from perspicax.core import dtypes
from perspicax.core.avals import MemorySpace
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, eval_jaxpr, jaxprs_in
from perspicax.core.symbolic import SymbolicSize, mixed_scopes
from perspicax.core.symbolic_errors import SymbolicShapeError
from perspicax.core.symbolic_solve import plan, scope_of, unknown_variables
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.report import Fix, Label
from perspicax.transform.ahead import ShapeDtypeStruct
from perspicax.transform.grad import vjp
from perspicax.transform.hooks import lax
from perspicax.transform.jit import BoundFunction, JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.ref_stages import without_refs
from perspicax.transform.stage import function_name, short_repr
from perspicax.xla import client
from perspicax.xla.compile import without_dead_equations
from perspicax.xla.portable import portable_text
from perspicax.xla.sharding import HOST_KIND, SingleDeviceSharding

__all__ = ["default_export_platform", "deserialize", "export", "maximum_supported_calling_convention_version",
           "minimum_supported_calling_convention_version"]

minimum_supported_calling_convention_version = 9
maximum_supported_calling_convention_version = 10

_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

STABLE_CALLS = frozenset((
    "Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "annotate_device_placement", "ApproxTopK", "AllocateBuffer",
    "shape_assertion", "cu_lu_pivots_to_permutation", "hip_lu_pivots_to_permutation"))
"""Custom calls that stay what they are: XLA's own, and two of jaxlib's."""

STABLE_KERNELS = ("lapack_", "cusolver_", "hipsolver_")
"""What the names of kernels begin with that do: those of jaxlib's linear algebra."""


@public
def default_export_platform() -> str:
    """The platform that a function is exported for when none is named: that of the default device."""
    found = client.default_backend()
    return "cuda" if found == "gpu" else found


@public
def export(fun_jit: Any, *, platforms: Sequence[str] | None = None, disabled_checks: Sequence[DisabledSafetyCheck] = (),
           _override_lowering_rules: Sequence[tuple[Any, Any]] | None = None) -> Callable[..., Exported]:
    """A jitted function as a portable program: it can be kept as bytes, and called later, without the Python code.

    Args:
        fun_jit: what `jit` returns.
        platforms: `cpu`, `cuda`, `rocm`, `tpu`, for which the program is to be; the default device's by default.
        disabled_checks: checks to leave out.
        _override_lowering_rules: is not there.

    Returns:
        A function that takes arguments, or their types (`ShapeDtypeStruct`, whose sizes may be symbolic), and returns an
        `Exported`.

    Raises:
        ExportError: `fun_jit` is no jitted function, or the platforms are none. The function that is returned raises it for
            arguments whose symbolic sizes cannot be worked out.
        ExportUnsupportedError: (from that function) it calls back to Python, or is spread otherwise than over a mesh.

    Differs: the bytes are of a format of its own, and `jax` and Perspicax do not read each other's.

    >>> exported = export(jit(jnp.sin))(ShapeDtypeStruct(symbolic_shape("n"), "float32"))
    >>> exported.out_avals
    (ShapedArray(float32[n]),)
    >>> deserialize(exported.serialize()).call(jnp.zeros(3))
    Array([0., 0., 0.], dtype=float32)
    """
    if not isinstance(fun_jit, JitFunction | BoundFunction):
        given = f"the function `{function_name(fun_jit)}`" if callable(fun_jit) else short_repr(fun_jit)
        raise ExportError(says=f"`export` was given {given}, which is not jitted.",
                          why="what is exported is what `jit` compiles, with its static arguments and names",
                          fixes=(Fix(code=f"jax.export.export(jax.jit({getattr(fun_jit, '__name__', 'f')}))(...)"),))
    if _override_lowering_rules:
        raise ExportUnsupportedError(says="`export` was given `_override_lowering_rules`, which is not there yet.",
                                     why="rules for one export would be rules of MLIR's own objects, which are not used here")
    chosen = _checked_platforms(platforms)
    disabled = tuple(disabled_checks)
    for check in disabled:
        if not isinstance(check, DisabledSafetyCheck):
            raise ExportError(says=f"`disabled_checks` holds {short_repr(check)}.",
                              why="it is a sequence of `DisabledSafetyCheck`s",
                              fixes=(Fix(code='disabled_checks=[jax.export.DisabledSafetyCheck.custom_call("target")]'),))

    def exported(*args: Any, **kwargs: Any) -> Exported:
        traced = fun_jit.trace(*args, **kwargs)
        plain = without_refs(traced._traced)
        if plain.refs is not None and (plain.refs.passed or plain.refs.closed):
            raise ExportUnsupportedError(
                says=f"`{traced.fun_name}` cannot be exported, because it takes or closes over references.",
                why="an exported program is a function of values, which writes to nothing outside",
                fixes=(Fix("export a function of the values that returns the new ones"),))
        spread = spread_of(plain.closed, traced.fun_name, traced._in, traced._out)
        return _export(plain.closed, traced.fun_name, (traced.in_tree, types_as_asked(plain.avals, traced._in)),
                       (traced.out_tree, types_as_asked(plain.closed.out_avals, traced._out)), chosen, disabled, spread)

    return public(exported)


def _checked_platforms(platforms: Sequence[str] | None) -> tuple[str, ...]:
    if platforms is None:
        return (default_export_platform(),)
    found = (platforms,) if isinstance(platforms, str) else tuple(platforms)
    unknown = [p for p in found if p not in _PLATFORMS]
    if unknown or not found or len(set(found)) != len(found):
        why = f"the platforms are {', '.join(_PLATFORMS)}, each once"
        fixes = (Fix(code='platforms=("cuda",)', when="GPUs of NVIDIA are meant"),) if "gpu" in unknown else ()
        raise ExportError(says=f"`export` was given platforms={platforms!r}.", why=why, fixes=fixes)
    return found


def _export(closed: ClosedJaxpr, name: str, arguments: tuple[Any, tuple], results: tuple[Any, tuple],
            platforms: tuple[str, ...], disabled: tuple, spread: Spread) -> Exported:
    """The exported function of a jaxpr, with the structure and the types of its arguments and of its results."""
    (in_tree, in_avals), (out_tree, out_avals) = arguments, results
    _check_exportable(closed, name)
    shapes = [a.shape for a in in_avals]
    scope = _one_scope(name, shapes)
    steps = plan(shapes)
    _check_known(name, in_avals, [*shapes, *_shapes_in(closed.jaxpr)], steps)
    jaxpr, read = without_dead_equations(closed.jaxpr)
    # with symbolic sizes all are kept, as in JAX: one that is not read may tell a size
    keep = [(r or scope is not None) and a.dtype != dtypes.float0 for r, a in zip(read, in_avals)]
    text = portable_text(f"jit_{name}", jaxpr, closed.consts, platforms=platforms, keep=keep, steps=steps, scope=scope,
                         spread=spread if spread.number > 1 else None)
    _check_custom_calls(text, name, disabled)
    n, m = len(in_avals), len(out_avals)
    return Exported(
        fun_name=name, in_tree=in_tree, in_avals=in_avals, out_tree=out_tree, out_avals=out_avals,
        _has_named_shardings=True, _in_named_shardings=spread.arguments, _out_named_shardings=spread.results,
        in_shardings_hlo=(None,) * n, out_shardings_hlo=(None,) * m, nr_devices=spread.number, platforms=platforms,
        ordered_effects=(), unordered_effects=(), disabled_safety_checks=disabled,
        mlir_module_serialized=portable.serialize(text),
        calling_convention_version=maximum_supported_calling_convention_version,
        module_kept_var_idx=tuple([i for i, k in enumerate(keep) if k]),
        uses_global_constants=scope is not None or len(platforms) > 1,
        _get_vjp=lambda it: _gradient(it, closed, spread))


def _gradient(exported: Exported, closed: ClosedJaxpr, spread: Spread) -> Exported:
    """The exported gradient: of flat arguments and a cotangent for each flat result, to a tuple of cotangents."""
    n = len(exported.in_avals)

    def flat(*args: Any) -> list[Any]:
        return eval_jaxpr(closed.jaxpr, closed.consts, *args)

    def gradient(*args: Any) -> tuple[Any, ...]:
        primals = [x if get_aval(x).memory is a.memory else lax().in_memory(x, a.memory) for x, a in zip(args, closed.in_avals)]
        _, pull_back = vjp(flat, *primals)
        return pull_back(list(args[n:]))

    gradient.__name__ = gradient.__qualname__ = f"{exported.fun_name}_vjp"
    avals = [*exported.in_avals, *[a.to_tangent_aval() for a in exported.out_avals]]
    given, slopes, back = spread.arguments, of_cotangents(spread.results), of_cotangents(spread.arguments)
    host = SingleDeviceSharding(client.default_device(), memory_kind=HOST_KIND)
    hosts = [host if s is None and a.memory is MemorySpace.Host else s for s, a in zip(given, exported.in_avals)]
    structs = [ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type, sharding=s) for a, s in zip(avals, (*hosts, *slopes))]
    options = JitOptions() if spread.number == 1 else JitOptions(in_shardings=(*given, *slopes), out_shardings=back)
    return export(JitFunction(gradient, options), platforms=exported.platforms,
                  disabled_checks=exported.disabled_safety_checks)(*structs)


# -- what can be exported

def _check_exportable(closed: ClosedJaxpr, name: str) -> None:
    if any(isinstance(c, Tracer) for c in closed.consts):
        raise ExportError(says=f"`{name}` uses a value of a function that is being transformed around it.",
                          why="an exported program stands alone: what it closes over is written into it, and needs a value",
                          fixes=(Fix("pass the value as an argument"),))
    eqn = _first_callback(closed.jaxpr)
    if eqn is not None or closed.effects:
        called = "" if eqn is None else f" (`{eqn.primitive.name}`)"
        where = () if eqn is None or eqn.position is None else (Label(eqn.position, "it calls back here"),)
        raise ExportUnsupportedError(
            says=f"`{name}` cannot be exported, because it calls back to Python{called} or has another effect.",
            primary=None if eqn is None else eqn.position, labels=where,
            why="an exported program runs without the Python process that made it",
            fixes=(Fix("leave the callback out of what is exported, such as `debug.print`"),))


def _first_callback(jaxpr: Jaxpr) -> JaxprEqn | None:
    for eqn in jaxpr.eqns:
        if eqn.primitive.extra.get("callback"):
            return eqn
        for value in eqn.values:
            for inner in jaxprs_in(value):
                found = _first_callback(inner)
                if found is not None:
                    return found
    return None


def _one_scope(name: str, shapes: Sequence[Sequence[Any]]) -> Any:
    scope = scope_of(shapes)
    for shape in shapes:
        for n in shape:
            if type(n) is SymbolicSize and n.scope is not scope:
                raise mixed_scopes(f"The arguments of `{name}` have symbolic sizes of two scopes.", n.scope, scope)  # type: ignore
    return scope


def _shapes_in(jaxpr: Jaxpr) -> list[Any]:
    return [v.aval.shape for v in jaxpr.outvars]


def _check_known(name: str, in_avals: Sequence[Any], shapes: Sequence[Any], steps: Sequence[Any]) -> None:
    missing = unknown_variables(shapes, steps)
    if missing:
        types = ", ".join([a.str_short() for a in in_avals])
        raise SymbolicShapeError(
            says=f"The {'variable' if len(missing) == 1 else 'variables'} {', '.join([f'`{n}`' for n in missing])} cannot be "
                 f"worked out from the sizes of the arguments of `{name}`: {types}.",
            why="a variable is found from a size in which it is the only unknown, and linear, such as `b` or `2*b + 1`",
            fixes=(Fix("let an argument have the variable itself as a size"),))


def _check_custom_calls(text: str, name: str, disabled: Sequence[DisabledSafetyCheck]) -> None:
    if "custom_call" not in text:
        return
    allowed = {check.is_custom_call() for check in disabled}
    for target in portable.custom_calls(text):
        if target in allowed or target in STABLE_CALLS or target.startswith(STABLE_KERNELS):
            continue
        raise ExportError(
            says=f"`{name}` holds a custom call of `{target}`, of which nobody promises that it stays as it is.",
            why="an exported program may run years later, with a library in which the target is gone or means something else",
            fixes=(Fix("export it all the same",
                       code=f"disabled_checks=[jax.export.DisabledSafetyCheck.custom_call({target!r})]"),))


# -- and back

@public
def deserialize(blob: bytes | bytearray) -> Exported:
    """The exported function in bytes that `Exported.serialize` made.

    Args:
        blob: the bytes. Reading them runs no code; calling the function runs its program.

    Raises:
        ExportFormatError: they are something else, damaged, incomplete, or of a newer version.
    """
    parts = export_format.read(blob, (minimum_supported_calling_convention_version,
                                      maximum_supported_calling_convention_version))
    found: Exported | None = None
    for fields, program in reversed(parts):
        found = _rebuilt(fields, program, found)
    if found is None:
        raise ExportFormatError(says="A serialized function holds no program.")
    return found


def _rebuilt(fields: dict[str, Any], program: bytes, gradient: Exported | None) -> Exported:
    disabled = tuple([DisabledSafetyCheck(text) for text in fields.pop("disabled")])
    n, m = len(fields["in_avals"]), len(fields["out_avals"])
    return Exported(
        **fields, _has_named_shardings=True, in_shardings_hlo=(None,) * n, out_shardings_hlo=(None,) * m, ordered_effects=(),
        unordered_effects=(), disabled_safety_checks=disabled, mlir_module_serialized=program,
        _get_vjp=None if gradient is None else lambda _: gradient)
