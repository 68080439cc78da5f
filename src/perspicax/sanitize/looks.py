"""The trace of the sanitizers that look at what runs, for any choice of them."""
from __future__ import annotations

from typing import Any

from perspicax.api.check_errors import CheckFailure, OOBError
from perspicax.core.context import evaluator
from perspicax.sanitize.eye import Eye, Look
from perspicax.sanitize.programs import Programs, Results, Teller


def eye(names: frozenset[str]) -> Eye:
    """A trace for the sanitizers of these names."""
    looks: list[Look] = []
    tellers: dict[type[CheckFailure], Teller] = {}
    results: Results | None = None
    if "updates" in names:
        from perspicax.sanitize import updates  # each is loaded when it is first wanted

        looks.append(updates.look)
    if "bounds" in names:
        from perspicax.sanitize import bounds

        looks.append(bounds.look)
        tellers[OOBError] = tellers[bounds.ClippedIndexCheck] = bounds.tell_site
    if "precision" in names:
        from perspicax.sanitize import precision

        looks.append(precision.look)
        tellers[precision.OverflowCheck] = precision.tell_site
    if "nans" in names:
        from perspicax.sanitize import nans

        looks.append(nans.look)
        results = nans.look_at_results
    programs: Any = Programs(tellers, results) if tellers or results is not None else None
    return Eye(evaluator(), looks, programs)


__all__ = ["eye"]
