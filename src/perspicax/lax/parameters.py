"""Whether a function takes what a loop, a branch or a solver passes it: asked when a call of it has failed."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.diagnose.place import Position
from perspicax.lax.parameter_errors import PASSES, ParameterCountError
from perspicax.transform.stage import function_name


def calling(fun: Callable[..., Any], transform: str, parameter: str, args: Sequence[Any]) -> Any:
    """`fun(*args)`, with a report where it does not take these.

    Raises:
        ParameterCountError: it takes other arguments.
    """
    try:
        return fun(*args)
    except TypeError as error:
        if type(error) is TypeError:
            check_parameters(fun, transform, parameter, args)
        raise


def check_parameters(fun: Any, transform: str, parameter: str, args: Sequence[Any]) -> None:
    """Raise where a function does not take these arguments; nothing where its signature is not known.

    Raises:
        ParameterCountError: it takes others.
    """
    try:
        signature = inspect.signature(fun, follow_wrapped=not inspect.isfunction(fun))
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args)
        return
    except TypeError:
        pass
    from perspicax.diagnose.source import code_of  # only an error needs it

    code = code_of(fun)
    parameters = list(signature.parameters.values())
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keywords = tuple([p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty])
    most = None if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(places)
    known = PASSES.get((transform, parameter), ())
    passed = tuple([known[i] if i < len(known) else _operand(i, len(args), bool(known)) for i in range(len(args))])
    raise ParameterCountError(
        function=function_name(fun), transform=transform, parameter=parameter, parameters=_written(parameters),
        fewest=len([p for p in places if p.default is p.empty]), most=most, keywords=keywords, passed=passed,
        lengths=tuple([len(x) if isinstance(x, (tuple, list)) else 0 for x in args]),
        definition=None if code is None else Position(code, 0)) from None


def _operand(i: int, count: int, further: bool) -> tuple[str, str]:
    if further:
        return f"args[{i}]", f"the argument `args[{i}]`"
    return ("operand", "the operand") if count == 1 else (f"operand_{i + 1}", f"operand {i + 1}")


def _written(parameters: Sequence[inspect.Parameter]) -> tuple[str, ...]:
    """The parameters as they stand in a signature, without annotations."""
    inner = str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters]))[1:-1]
    return tuple(inner.split(", ")) if inner else ()


__all__ = ["calling", "check_parameters"]
