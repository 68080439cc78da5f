"""`jax.checkpoint_policies`: which intermediate values of a checkpointed function are kept."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from perspicax.diagnose.boundary import public
from perspicax.lax.contraction import dot_general_p
from perspicax.lax.convolution import conv_general_dilated_p
from perspicax.lax.naming import name_p
from perspicax.transform.remat_errors import RematOptionError
from perspicax.transform.remat_split import Offloadable, Policy, Recompute, Saveable

__all__ = ["checkpoint_policies"]

_DOTS = frozenset((dot_general_p, conv_general_dilated_p))


def _everything_saveable(*_: Any, **__: Any) -> bool:
    """Keep everything that the derivative needs, as if there were no checkpoint."""
    return True


def _nothing_saveable(*_: Any, **__: Any) -> bool:
    """Keep nothing but the arguments; it is what `policy=None` does."""
    return False


def _dots_saveable(prim: Any, *_: Any, **__: Any) -> bool:
    """Keep the results of matrix products and convolutions: they cost most to compute again."""
    return prim in _DOTS


def _has_no_batch_dims(params: dict[str, Any]) -> bool:
    _, (left, right) = params["dimension_numbers"]
    return not left and not right


def _dots_with_no_batch_dims_saveable(prim: Any, *_: Any, **params: Any) -> bool:
    """Keep the results of products with weights: of matrix products without a batch axis."""
    return prim is dot_general_p and _has_no_batch_dims(params)


class _Policy:
    """A policy with settings; two with the same settings are equal, so that what was derived for one serves the other."""

    __slots__ = ("_call", "_settings", "kind")

    def __init__(self, kind: str, settings: tuple, call: Policy) -> None:
        self.kind, self._settings, self._call = kind, settings, call

    def __call__(self, prim: Any, *avals: Any, **params: Any) -> Any:
        return self._call(prim, *avals, **params)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Policy and (self.kind, self._settings) == (other.kind, other._settings)

    def __hash__(self) -> int:
        return hash((self.kind, self._settings))

    @property
    def __name__(self) -> str:
        return self.kind

    def __repr__(self) -> str:
        shown = [str(sorted(map(str, s))) if isinstance(s, frozenset) else repr(s) for s in self._settings]
        return f"{self.kind}({', '.join(shown)})"


def _of_names(kind: str, names: Sequence[Any], unnamed: bool, listed: bool) -> Policy:
    """A policy that looks at names: what it says of values without one, and of those whose name is listed."""
    chosen = frozenset(names)

    def policy(prim: Any, *_: Any, **params: Any) -> bool:
        return (params["name"] in chosen) is listed if prim is name_p else unnamed

    return _Policy(kind, (chosen,), policy)


def _save_only_these_names(*names_which_can_be_saved: str) -> Policy:
    """Keep the values that `checkpoint_name` gave one of these names, and no others."""
    return _of_names("save_only_these_names", names_which_can_be_saved, unnamed=False, listed=True)


def _save_any_names_but_these(*names_not_to_save: str) -> Policy:
    """Keep the values that have a name, unless it is one of these."""
    return _of_names("save_any_names_but_these", names_not_to_save, unnamed=False, listed=False)


def _save_anything_except_these_names(*names_not_to_save: str) -> Policy:
    """Keep everything but the values under these names.

    The value before it got its name is another one, and may be kept.
    """
    return _of_names("save_anything_except_these_names", names_not_to_save, unnamed=True, listed=False)


def _save_and_offload_only_these_names(*, names_which_can_be_saved: Sequence[str],
                                       names_which_can_be_offloaded: Sequence[str], offload_src: str,
                                       offload_dst: str) -> Policy:
    """Keep some named values where they are, and let others wait in another memory.

    Args:
        names_which_can_be_saved: names of values that are kept.
        names_which_can_be_offloaded: names of values that are offloaded.
        offload_src, offload_dst: kinds of memory, such as `"device"` and `"pinned_host"`. On the CPU they are the same.

    Raises:
        RematOptionError: a name is in both lists.
    """
    kept, moved = frozenset(names_which_can_be_saved), frozenset(names_which_can_be_offloaded)
    if kept & moved:
        raise RematOptionError(option="names_which_can_be_offloaded", kind="names",
                               given=", ".join(f"`{n}`" for n in sorted(kept & moved)),
                               function="save_and_offload_only_these_names")
    answer = Offloadable(offload_src, offload_dst)

    def policy(prim: Any, *_: Any, **params: Any) -> Any:
        if prim is not name_p:
            return Recompute
        return Saveable if params["name"] in kept else answer if params["name"] in moved else Recompute

    return _Policy("save_and_offload_only_these_names", (kept, moved, answer), policy)


def _offload_dot_with_no_batch_dims(offload_src: str, offload_dst: str) -> Policy:
    """Let the results of matrix products without a batch axis wait in another memory.

    Args:
        offload_src, offload_dst: kinds of memory, such as `"device"` and `"pinned_host"`. On the CPU they are the same.
    """
    answer = Offloadable(offload_src, offload_dst)

    def policy(prim: Any, *_: Any, **params: Any) -> Any:
        return answer if prim is dot_general_p and _has_no_batch_dims(params) else Recompute

    return _Policy("offload_dot_with_no_batch_dims", (answer,), policy)


def _save_from_both_policies(policy_1: Policy, policy_2: Policy) -> Policy:
    """Keep what either of two policies keeps.

    Raises:
        RematOptionError: by the policy that is made, when one of them answers anything but True or False.
    """
    @public
    def policy(prim: Any, *avals: Any, **params: Any) -> bool:
        answers = [p(prim, *avals, **params) for p in (policy_1, policy_2)]
        for answer in answers:
            if not isinstance(answer, bool):
                raise RematOptionError(option="policy", given=repr(answer), kind="policies",
                                       function="save_from_both_policies")
        return answers[0] or answers[1]

    return _Policy("save_from_both_policies", (policy_1, policy_2), policy)


def _published(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under its public name."""
    function.__name__ = function.__qualname__ = function.__name__.lstrip("_")
    return function


checkpoint_policies = SimpleNamespace(
    everything_saveable=_published(_everything_saveable),
    nothing_saveable=_published(_nothing_saveable),
    dots_saveable=_published(_dots_saveable),
    checkpoint_dots=_dots_saveable,
    dots_with_no_batch_dims_saveable=_published(_dots_with_no_batch_dims_saveable),
    checkpoint_dots_with_no_batch_dims=_dots_with_no_batch_dims_saveable,
    offload_dot_with_no_batch_dims=_published(_offload_dot_with_no_batch_dims),
    save_anything_except_these_names=_published(_save_anything_except_these_names),
    save_any_names_but_these=_published(_save_any_names_but_these),
    save_only_these_names=_published(_save_only_these_names),
    save_from_both_policies=_published(_save_from_both_policies),
    save_and_offload_only_these_names=public(_published(_save_and_offload_only_these_names)),
)
