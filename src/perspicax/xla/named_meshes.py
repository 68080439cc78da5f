"""The meshes that a program names, and in terms of which of them each of its results is told."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from perspicax.core.jaxpr import Jaxpr, JaxprEqn, Literal, subjaxprs
from perspicax.xla.mesh import Mesh
from perspicax.xla.sharding import NamedSharding


def meshes_named(shardings: Iterable[Any], devices: tuple) -> tuple[Mesh, ...]:
    """The meshes over just these devices of which the shardings speak, each once."""
    meshes = [s.mesh for s in shardings if isinstance(s, NamedSharding)]
    return tuple(dict.fromkeys([m for m in meshes if isinstance(m, Mesh) and m.device_tuple == devices]))


def meshes_of_results(jaxpr: Jaxpr, shardings: Sequence[Any], devices: tuple) -> list[Mesh | None]:
    """The mesh of which the program spoke last on the way to each result; `None` where it spoke of none.

    Args:
        shardings: of its arguments, as far as they are known.
    """
    return _of_results(jaxpr, [_mesh([s], devices) for s in shardings], devices)


def _mesh(shardings: Iterable[Any], devices: tuple) -> Mesh | None:
    return next(iter(meshes_named(shardings, devices)), None)


def _of_results(jaxpr: Jaxpr, given: Sequence[Mesh | None], devices: tuple) -> list[Mesh | None]:
    found: dict[Any, Mesh | None] = dict(zip(jaxpr.invars, given))
    for eqn in jaxpr.eqns:
        before = [None if isinstance(v, Literal) else found.get(v) for v in eqn.invars]
        found.update(zip(eqn.outvars, _of_equation(eqn, before, devices)))
    return [None if isinstance(v, Literal) else found.get(v) for v in jaxpr.outvars]


def _of_equation(eqn: JaxprEqn, before: list[Mesh | None], devices: tuple) -> list[Mesh | None]:
    mentions = eqn.primitive.extra.get("shardings")
    own = None if mentions is None else _mesh(mentions(**eqn.params), devices)
    if own is not None:
        return [own] * len(eqn.outvars)
    inner = list(subjaxprs(eqn))
    if len(inner) == 1 and len(inner[0].invars) == len(before) and len(inner[0].outvars) == len(eqn.outvars):
        places = eqn.params.get("in_shardings") or [None] * len(before)
        meshes = _of_results(inner[0], [_mesh([s], devices) or m for s, m in zip(places, before)], devices)
        asked = eqn.params.get("out_shardings") or [None] * len(meshes)
        return [_mesh([s], devices) or m for s, m in zip(asked, meshes)]
    return [next((m for m in before if m is not None), None)] * len(eqn.outvars)


__all__ = ["meshes_named", "meshes_of_results"]
