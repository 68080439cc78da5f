"""Checks within a program: `check`, and the `Error` that a checked function returns besides its result."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.check_errors import (
    CheckArgumentError,
    CheckFailure,
    CheckifyError,
    FailedCheckError,
    UncheckedError,
)
from perspicax.core.avals import ShapedArray
from perspicax.core.effects import Effect
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public, public_methods
from perspicax.diagnose.frames import user_position
from perspicax.lax import compare, convert, reductions, shape, slicing
from perspicax.lax.debug_callback import check_format
from perspicax.random.keys import key_data, wrap_key_data
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.xla.dispatch import as_array

Signature = tuple[ShapedArray, ...]  # types of what a message needs


class Site:
    """A place where something is checked.

    Attributes:
        number: tells it from all others; 0 stands for none.
        kind: the category, which is the class of its errors.
        message: makes the text from the values of `signature`.
        place: in the user's code.
        facts: what a sanitizer needs to know of the equation.
    """

    __slots__ = ("facts", "kind", "message", "number", "place", "signature")

    def __init__(self, kind: type[CheckFailure], message: Callable[..., str], signature: Signature, place: Any,
                 facts: Any = None) -> None:
        self.number = next(_numbers)
        self.kind, self.message, self.signature, self.place, self.facts = kind, message, signature, place, facts

    def __repr__(self) -> str:
        return f"{self.kind.__name__} {self.number}"

    def failure(self, values: Sequence[np.ndarray]) -> CheckFailure:
        """What the check found."""
        return self.kind(message=self.message(*values), where=self.place)


_numbers = itertools.count(1)


class CheckEffect(Effect):
    """A value is checked; keeps the check from being dropped."""

    in_custom_rules = True
    in_batched_branches = True


check_effect = CheckEffect()


# -- the error

@public_methods("get", "throw", "get_exception")
class Error:
    """What the checks of a function found; a pytree, returned besides the function's result.

    Under vmap it holds one error for each entry.

    Attributes:
        code: int32 array: the number of the check that failed first, or 0.
        payloads: for each signature the values that a message needs.
        sites: the checks that there are.
    """

    __slots__ = ("code", "payloads", "sites")

    def __init__(self, code: Any, payloads: dict[Signature, list[Any]], sites: frozenset[Site]) -> None:
        self.code, self.payloads, self.sites = code, payloads, sites

    def __repr__(self) -> str:
        return f"Error({self.code!r})"

    def _failures(self) -> list[tuple[tuple[int, ...], CheckFailure]]:
        """Each failure, with its index in the batch."""
        code = _concrete(self.code)
        by_number = {site.number: site for site in self.sites}
        found = []
        for index in zip(*np.nonzero(code)) if code.ndim else ((),) if code else ():
            site = by_number[int(code[index])]
            values = [_concrete(x)[index] for x in self.payloads.get(site.signature, ())]
            found.append((tuple([int(i) for i in index]), site.failure(values)))
        return found

    def get(self) -> str | None:
        """What failed and where, as text, one line for each entry of a batch; `None` if nothing did."""
        lines = [f"at mapped index {', '.join(map(str, index))}: {failure.text}" if index else failure.text
                 for index, failure in self._failures()]
        return "\n".join(lines) or None

    def get_exception(self) -> CheckFailure | None:
        """What failed, as an exception (of a batch, the first); `None` if nothing did."""
        found = self._failures()
        return found[0][1] if found else None

    def throw(self) -> None:
        """Raise if a check failed.

        Raises:
            CheckifyError: a check failed; its cause is the exception that `get_exception` returns.
        """
        check_error(self)


def _concrete(x: Any) -> np.ndarray:
    return np.asarray(x if isinstance(x, Tracer) else as_array(x).value())  # a tracer raises the report of that question


def _flatten(error: Error) -> tuple[tuple, Any]:
    return ((error.code, *[x for values in error.payloads.values() for x in values]),
            (tuple(error.payloads), error.sites))


def _unflatten(about: Any, children: Sequence[Any]) -> Error:
    signatures, sites = about
    code, *rest = children
    left = iter(rest)
    return Error(code, {s: [next(left) for _ in s] for s in signatures}, sites)


tree.register_pytree_node(Error, _flatten, _unflatten)

init_error = Error(np.int32(0), {}, frozenset())


# -- the primitive

def _evaluate(*args: Any, signatures: tuple, sites: frozenset, debug: bool) -> list:
    if not debug:
        _raise_failed(error_of(args, signatures, sites))
    return []


def error_of(args: Sequence[Any], signatures: Sequence[Signature], sites: frozenset[Site]) -> Error:
    """The error whose flat values are the operands of a check."""
    return _unflatten((tuple(signatures), sites), args)


def _raise_failed(error: Error) -> None:
    found = error._failures()
    if found:
        text = error.get() if found[0][0] else found[0][1].message
        raise CheckifyError(message=text, where=found[0][1].where) from found[0][1]


def _emit(b: Any, *args: Any, signatures: tuple, sites: frozenset, debug: bool) -> list:
    if not debug:
        raise UncheckedError(where=next((site.place for site in sites), None))
    return []


def _batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
    """The check of a batch is the first that failed of its entries'."""
    code, *values = [to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)]
    first = first_failed(code)
    check_p(*[slicing.dynamic_index_in_dim(x, first, 0, keepdims=False) for x in (code, *values)], **params)
    return [], []


def first_failed(codes: Any) -> Any:
    """The index of the first check of `[n]` that failed; 0 where none did."""
    failed = convert.convert_element_type(compare.ne(codes, np.zeros(get_aval(codes).shape, np.int32)), np.int32)  # type: ignore
    return reductions.argmax(failed, 0, np.int32)


def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    check_p(*primals, **params)
    return [], []


check_p = Primitive(
    "check", params=("signatures", "sites", "debug"), multiple_results=True, cache_types=False,
    type_rule=lambda *avals, **_: [], jvp=_jvp, transpose=NotLinear("it looks at a value"), batch=_batch, emit=_emit,
    evaluate=_evaluate, effects=lambda **_: frozenset((check_effect,)), source="`checkify` makes it part of the results")


# -- the public functions

@public
def check(pred: Any, msg: str, *fmt_args: Any, debug: bool = False, **fmt_kwargs: Any) -> None:
    """Demand that a condition holds when the program runs.

    Args:
        pred: boolean scalar.
        msg: what to say when it does not; a format text, as for `str.format`.
        fmt_args, fmt_kwargs: pytrees of arrays, keys and numbers for the text.
        debug: whether the check may be left out of programs that `checkify` does not transform.

    Raises:
        CheckifyError: outside of a transformation, if the condition does not hold.
        CheckArgumentError: `pred` is no boolean scalar, or something is no array.
        DebugFormatError: the text names arguments that were not given.
        UncheckedError: when a program with the check is compiled that `checkify` did not transform.
    """
    _check(pred, msg, fmt_args, fmt_kwargs, debug)


@public
def debug_check(pred: Any, msg: str, *fmt_args: Any, **fmt_kwargs: Any) -> None:
    """`check` that is left out unless `checkify` transforms the function.

    Args:
        pred: boolean scalar.
        msg: what to say when it does not hold; a format text.
        fmt_args, fmt_kwargs: pytrees of arrays, keys and numbers for the text.

    Raises:
        CheckArgumentError: `pred` is no boolean scalar, or something is no array.
        DebugFormatError: the text names arguments that were not given.
    """
    _check(pred, msg, fmt_args, fmt_kwargs, True)


def _check(pred: Any, msg: str, args: tuple, kwargs: dict, debug: bool) -> None:
    try:
        aval: Any = get_aval(pred)
    except TypeError:
        raise CheckArgumentError(function="check", kind="pred", got=f"a {type(pred).__name__}") from None
    if aval.shape or aval.extended or aval.dtype != np.bool_:
        raise CheckArgumentError(function="check", kind="pred", got=aval.str_short())
    check_format(msg, args, kwargs, "checkify.check", may_be_unused=True)
    leaves, structure = tree.flatten((args, kwargs))
    avals = []
    for x in leaves:
        try:
            found: Any = get_aval(x)
        except TypeError:
            raise CheckArgumentError(function="check", kind="value", got=f"a {type(x).__name__}") from None
        avals.append(found)

    def message(*values: Any) -> str:
        shown = [wrap_key_data(v, dtype=a.dtype) if a.extended else as_array(v) for v, a in zip(values, avals)]
        args, kwargs = structure.unflatten(shown)
        return msg.format(*args, **kwargs)

    words = [key_data(x) if a.extended else x for x, a in zip(leaves, avals)]  # the state of checks holds numbers alone
    signature = tuple([get_aval(x).strong for x in words])  # type: ignore[attr-defined]
    site = Site(FailedCheckError, message, signature, user_position(2))
    code = compare.select(pred, np.int32(0), np.int32(site.number))
    values = [convert.convert_to(x, a) for x, a in zip(words, signature)]
    check_p(code, *values, signatures=(signature,), sites=frozenset((site,)), debug=bool(debug))


@public
def check_error(error: Error) -> None:
    """Raise, or demand, what an error holds: the inverse of `checkify`.

    Args:
        error: of `checkify(f)(...)`. In a function that is being transformed, its failure becomes that of the function.

    Raises:
        CheckifyError: outside of a transformation, if a check failed.
        CheckArgumentError: `error` is no `Error`.
    """
    if not isinstance(error, Error):
        raise CheckArgumentError(function="check_error", kind="error", got=type(error).__name__)
    if get_aval(error.code).shape:  # type: ignore[attr-defined]
        if not any(isinstance(x, Tracer) for x in tree.leaves(error)):
            _raise_failed(error)
            return
        error = _first_of_all(error)
    check_p(error.code, *[x for values in error.payloads.values() for x in values], signatures=tuple(error.payloads),
            sites=error.sites, debug=False)


def _first_of_all(error: Error) -> Error:
    """Of errors along axes, the first that tells of a failure."""
    sizes = get_aval(error.code).shape  # type: ignore[attr-defined]
    count = math.prod(sizes)
    flat = [shape.reshape(x, (count, *get_aval(x).shape[len(sizes):])) for x in tree.leaves(error)]  # type: ignore
    first = first_failed(flat[0])
    return _unflatten((tuple(error.payloads), error.sites),
                      [slicing.dynamic_index_in_dim(x, first, 0, keepdims=False) for x in flat])


__all__ = ["Error", "Signature", "Site", "check", "check_error", "check_p", "debug_check", "first_failed", "init_error"]
