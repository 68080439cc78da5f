"""Names of logical axes, and what they mean on a mesh: `flax.core.spmd`."""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import perspicax as jax
from perspicax.diagnose import Fix
from perspicax.flax.core.meta import get_global_mesh
from perspicax.flax.tree_errors import AxisRuleError
from perspicax.flax.typing import LogicalRules, Sharding

__all__ = [
    "apply_rules", "composite_rules", "from_sharding_rules", "get_logical_axis_rules", "get_mesh", "get_pspec",
    "logical_axis_rules", "map_sharding", "set_logical_axis_rules", "shard_value",
]


class _Rules(threading.local):
    def __init__(self) -> None:
        self.current: LogicalRules = ()


_rules = _Rules()


def set_logical_axis_rules(rules: LogicalRules) -> None:
    """Set what logical axes mean, in this thread.

    Args:
        rules: pairs of the name of a logical axis and that of a mesh axis (or several, or `None`).
    """
    _rules.current = rules


def get_logical_axis_rules() -> LogicalRules:
    """What logical axes mean now, in this thread."""
    return _rules.current


@contextmanager
def logical_axis_rules(rules: LogicalRules) -> Iterator[None]:
    """Other meanings of logical axes, inside of a `with` block.

    Args:
        rules: pairs of the name of a logical axis and that of a mesh axis (or several, or `None`).
    """
    before = _rules.current
    _rules.current = rules
    try:
        yield
    finally:
        _rules.current = before


def composite_rules(rule1: LogicalRules | None, rule2: LogicalRules | None) -> LogicalRules:
    """Two sets of rules as one.

    Raises:
        AxisRuleError: they give a logical axis different meanings.
    """
    if not rule1 or not rule2:
        return rule1 or rule2 or ()
    merged = dict(rule1)
    for name, meaning in rule2:
        if name in merged and merged[name] != meaning:
            raise AxisRuleError(
                says=f"The logical axis {name!r} means {merged[name]!r} by one rule and {meaning!r} by another.",
                why="a logical axis lies on one axis of the mesh, on several together, or on none",
                fixes=(Fix("give the axes different names where they shall lie differently"),))
        merged[name] = meaning
    return tuple(merged.items())


def from_sharding_rules(sharding: Sharding, sharding_rules: LogicalRules) -> Sharding:
    """The axes of a mesh for the logical axes of an array; names without a rule stay as they are.

    Args:
        sharding: for each axis of the array a logical name, or `None`. A tuple of names is left as it is.
        sharding_rules: what the names mean.
    """
    meaning = dict(sharding_rules)
    return tuple([meaning.get(name, name) if isinstance(name, str) else name for name in sharding])


def map_sharding(f: Callable[[Any], Any], sharding: Any) -> Any:
    """A sharding with `f(axis)` for each entry of its partition spec; `None` and others stay as they are.

    Args:
        f: takes a name, a tuple of names, or `None`.
        sharding: a tuple of these, a `PartitionSpec` or a `NamedSharding`.
    """
    if isinstance(sharding, jax.sharding.NamedSharding):
        return jax.sharding.NamedSharding(sharding.mesh, map_sharding(f, sharding.spec))
    if isinstance(sharding, (tuple, jax.sharding.PartitionSpec)):
        return jax.sharding.PartitionSpec(*[f(name) for name in sharding])
    return sharding


def apply_rules(sharding: Any, sharding_rules: LogicalRules | None) -> Any:
    """A sharding on a mesh, of one by logical axes.

    Args:
        sharding: a tuple of names, a `PartitionSpec` or a `NamedSharding`.
        sharding_rules: rules that hold besides those of `logical_axis_rules`.

    Raises:
        AxisRuleError: the rules contradict each other.
    """
    meaning = dict(composite_rules(get_logical_axis_rules(), sharding_rules))
    return map_sharding(lambda name: meaning.get(name, name) if isinstance(name, str) else name, sharding)


def get_pspec(sharding: Any, sharding_rules: LogicalRules | None = None) -> Any:
    """The `PartitionSpec` on a mesh, of a sharding by logical axes; `None` for `None`.

    Args:
        sharding: a tuple of names, a `PartitionSpec` or a `NamedSharding`.
        sharding_rules: rules that hold besides those of `logical_axis_rules`.
    """
    found = apply_rules(sharding, sharding_rules)
    return found.spec if isinstance(found, jax.sharding.NamedSharding) else found


def get_mesh(sharding: Any) -> Any:
    """The mesh of a sharding; the current one where it has none; `None` where there is neither."""
    return sharding.mesh if isinstance(sharding, jax.sharding.NamedSharding) else get_global_mesh()


def shard_value(value: Any, out_sharding: Any, sharding_rules: LogicalRules | None, mesh: Any) -> Any:
    """An array, placed on a mesh as its logical axes say.

    Args:
        value: the array.
        out_sharding: its logical axes; `None` leaves it where it is.
        sharding_rules: rules that hold besides those of `logical_axis_rules`.
        mesh: the mesh; `None` means that of `out_sharding`, or the current one.

    Raises:
        AxisRuleError: there is no mesh.
    """
    if out_sharding is None:
        return value
    spec = get_pspec(out_sharding, sharding_rules)
    mesh = get_mesh(out_sharding) if mesh is None else mesh
    if mesh is None:
        raise AxisRuleError(says=f"An array is to be placed by {spec}, but there is no mesh.",
                            why="the names are axes of a mesh of devices",
                            fixes=(Fix("name the mesh", code="mesh = jax.make_mesh((1,), ('data',))"),))
    place = jax.sharding.NamedSharding(mesh, spec)
    if isinstance(value, jax.core.Tracer):
        return jax.lax.with_sharding_constraint(value, place)
    return jax.device_put(value, place)
