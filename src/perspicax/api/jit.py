"""`jit`: the decorator."""
from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from perspicax.api.errors import JitOptionError
from perspicax.api.wrapping import check_callable, public
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions

__all__ = ["jit", "pjit"]

_NOT_GIVEN: Any = type("NotGiven", (), {"__repr__": lambda self: "<not given>"})()


@public
def jit(fun: Callable[..., Any] = _NOT_GIVEN, /, *, in_shardings: Any = None, out_shardings: Any = None,
        static_argnums: int | Sequence[int] | None = None, static_argnames: str | Iterable[str] | None = None,
        donate_argnums: int | Sequence[int] | None = None, donate_argnames: str | Iterable[str] | None = None,
        keep_unused: bool = False, device: Any = None, backend: str | None = None, inline: bool = False,
        compiler_options: dict[str, Any] | None = None) -> Any:
    """A function that is compiled by XLA when it is called, once for each combination of argument types.

    Args:
        fun: the function; its arguments and results are pytrees of arrays. It runs once per combination, with
            placeholders for its arguments, so it should have no side effects. Left out, `jit` returns a decorator.
        in_shardings: shardings of the arguments, a pytree prefix of the tuple of them; `None` leaves them where they
            are.
        out_shardings: shardings of the result, a pytree prefix of it; `None` leaves the choice to XLA.
        static_argnums: positions of arguments that are Python values, hashable, and compiled for one by one.
        static_argnames: the same by name. Given either, the other is worked out from the signature of `fun`.
        donate_argnums: positions of arguments whose memory the result may reuse; they cannot be used afterwards.
        donate_argnames: the same by name.
        keep_unused: whether arguments that `fun` does not read are passed to the device all the same.
        device: where to run; better say `in_shardings`, or place the arguments.
        backend: platform on which to run (`cpu`, `gpu`, …).
        inline: under another jit, whether the equations of `fun` become the outer function's own.
        compiler_options: XLA's flags (without `--`) for this function alone.

    Returns:
        A function like `fun`, which also has `lower`, `trace`, `eval_shape` and `clear_cache`.

    Raises:
        NotCallableError: `fun` is no function.
        StaticArgumentError: a static or donated argument does not exist, or is both.
        JitOptionError: an option has a value that it does not take.

    >>> jit(lambda x: x * 2)(3.0)
    Array(6., dtype=float32, weak_type=True)
    """
    numbers = [_numbers(f"{kind}_argnums", given)
               for kind, given in (("static", static_argnums), ("donate", donate_argnums))]
    names = [_names(f"{kind}_argnames", given) for kind, given in (("static", static_argnames), ("donate", donate_argnames))]
    if compiler_options is not None and not hasattr(compiler_options, "items"):
        raise JitOptionError(option="compiler_options", value=_shown(compiler_options),
                             expected="a dict of names and values, or None")
    if device is not None and backend is not None:
        raise JitOptionError(option="device", value=f"{_shown(device)} beside backend={backend!r}",
                             expected="given without `backend`, since a device has its platform")
    options = JitOptions(
        static_argnums=numbers[0], static_argnames=names[0], donate_argnums=numbers[1], donate_argnames=names[1],
        keep_unused=keep_unused, inline=inline, in_shardings=in_shardings, out_shardings=out_shardings, device=device,
        backend=backend, compiler_options=compiler_options)
    if fun is _NOT_GIVEN:
        return public(lambda fun: _wrap(fun, options))
    return _wrap(fun, options)


@public
def pjit(fun: Callable[..., Any] = _NOT_GIVEN, /, **options: Any) -> Any:
    """`jit`, to which a `PartitionSpec` may be given in terms of the mesh of `with mesh:`, too.

    Args:
        fun: the function. Left out, `pjit` returns a decorator.
        options: as of `jit`.

    Raises:
        MeshContextError: when the function is called: a `PartitionSpec` was given, and there is no mesh; and as `jit`.

    Differs: the mesh of `jax.set_mesh` serves as well.
    """
    if fun is _NOT_GIVEN:
        return public(lambda fun: pjit(fun, **options))
    made = jit(fun, **options)
    made._options.entered = True
    return made


def _wrap(fun: Any, options: JitOptions) -> JitFunction:
    check_callable("jit", fun)
    options.check(fun)
    return JitFunction(fun, options)


def _numbers(option: str, value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    given = (value,) if _is_index(value) else value
    if not isinstance(given, str) and isinstance(given, Iterable):
        found = tuple(given)
        if all(_is_index(n) for n in found):
            return tuple([operator.index(n) for n in found])
    raise JitOptionError(option=option, value=_shown(value),
                         expected=f"a position of an argument, or a tuple of positions (names go into `{option[:-4]}names`)")


def _names(option: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, Iterable):
        found = (value,) if isinstance(value, str) else tuple(value)
        if all(isinstance(n, str) for n in found):
            return found
    raise JitOptionError(option=option, value=_shown(value),
                         expected=f"the name of an argument, or a tuple of names (positions go into `{option[:-5]}nums`)")


def _is_index(n: Any) -> bool:
    return hasattr(n, "__index__") and not isinstance(n, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
