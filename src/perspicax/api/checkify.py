"""`checkify`: a function that returns, besides its result, what its checks found.

The function is staged, and its equations are applied anew with a state in tow: the number of the check that failed first,
and the values that its message needs. Loops carry the state, branches take and return it.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.api.check_errors import (
    CheckArgumentError,
    CheckFailure,
    DivisionByZeroError,
    FailedCheckError,
    NaNError,
    OOBError,
)
from perspicax.api.checkify_rules import Checker, lanes_of, run, signatures_of
from perspicax.api.checks import Error
from perspicax.core.trace import stage_flat
from perspicax.diagnose.boundary import public
from perspicax.transform import trees as tree
from perspicax.transform.stage import FlatFunction, debug_info, function_name, wraps

user_checks = frozenset({FailedCheckError})
nan_checks = frozenset({NaNError})
div_checks = frozenset({DivisionByZeroError})
index_checks = frozenset({OOBError})
float_checks = nan_checks | div_checks
automatic_checks = float_checks | index_checks
all_checks = automatic_checks | user_checks
ErrorCategory = type[CheckFailure]


@public
def checkify(f: Callable[..., Any], errors: frozenset[type[CheckFailure]] = user_checks) -> Callable[..., tuple[Error, Any]]:
    """A function that returns `(error, result)`, and never raises for a check.

    Args:
        f: the function. It is staged, with its arguments as they are: a Python number stays one.
        errors: which checks to make: `user_checks` (`check`), `nan_checks`, `div_checks`, `index_checks`, or unions of them
            (`float_checks`, `automatic_checks`, `all_checks`).

    Returns:
        A function like `f`. Its error is a pytree: the function can be jitted, vmapped and differentiated. The first check
        that failed counts; under a `vmap` within, the first entry of the batch. Differs: JAX takes the last of these. Where
        several devices run a part of the function (`shard_map`, `pmap`), it holds one error for each of them.

    Raises:
        CheckArgumentError: `f` is no function, or `errors` no set of categories.

    >>> error, _ = checkify(jnp.log, errors=float_checks)(jnp.float32(-1))
    >>> error.get()
    '`log` made a NaN'
    """
    if not callable(f):
        raise CheckArgumentError(function="checkify", kind="function", got=type(f).__name__)
    if not isinstance(errors, set | frozenset) or not errors <= all_checks:
        raise CheckArgumentError(function="checkify", kind="errors", got=repr(errors))
    wanted = frozenset(errors)

    def checked(*args: Any, **kwargs: Any) -> tuple[Error, Any]:
        leaves, in_tree = tree.flatten((args, kwargs))
        flat = FlatFunction(f, in_tree, "checkify")
        closed = stage_flat(lambda: flat(*leaves), [], debug_info("checkify", f, in_tree))
        found = signatures_of(closed, wanted)
        slots = tuple(sorted(found or (), key=str))
        checker = Checker(wanted, slots, lanes_of(closed, wanted) if found else ())
        outs, state = run(checker, closed, [], checker.nothing())
        rest = iter(state[1:])
        error = Error(state[0], {slot: [next(rest) for _ in slot] for slot in slots}, frozenset(checker.sites))
        return error, flat.out_tree.unflatten(outs)

    wrapped = wraps(f, checked)
    wrapped.__name__ = wrapped.__qualname__ = f"checkify({function_name(f)})"
    return public(wrapped)


__all__ = ["ErrorCategory", "all_checks", "automatic_checks", "checkify", "div_checks", "float_checks", "index_checks",
           "nan_checks", "user_checks"]
