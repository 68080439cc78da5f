"""Runs jitted functions, loops and branches under the checks of the sanitizers `bounds`, `precision` and `nans`.

The checks of indices and of integer arithmetic are put into the program, as `checkify` does; what they found is looked at
when it has run. For NaNs only the results are looked at: where one holds a NaN, the equations are applied one by one, so
as to find the one that made it.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.check_errors import CheckFailure
from perspicax.api.checkify_rules import run_checked, signatures_of
from perspicax.api.checks import Site
from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.source import user_place
from perspicax.lax.branch_rules import cond_p
from perspicax.lax.scanning import scan_p
from perspicax.lax.while_loops import while_p
from perspicax.transform.jit_primitive import jit_p, run_jaxpr
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import as_array, kernel_jaxpr

Teller = Callable[[Site, Sequence[np.ndarray], str], None]
"""Tells of a check that failed: the check, the values that it needs, and the name of the program."""
Results = Callable[[ClosedJaxpr, Sequence[ArrayImpl], Sequence[ArrayImpl], str], None]
"""Looks at the results of a program: the program, its operands, its results, its name."""


class Programs:
    """Runs programs under checks.

    Attributes:
        tellers: for each category of checks that are put into programs, what tells of a failure.
        results: what looks at the results, if anything does.
    """

    __slots__ = ("errors", "results", "tellers")

    def __init__(self, tellers: dict[type[CheckFailure], Teller], results: Results | None) -> None:
        self.tellers = tellers
        self.errors = frozenset(tellers)
        self.results = results

    def concerns(self, closed: ClosedJaxpr) -> bool:
        """Whether a program is looked at."""
        return self.results is not None or (bool(self.errors) and signatures_of(closed, self.errors) is not None)

    def run(self, primitive: Primitive, args: tuple, values: tuple) -> list[ArrayImpl] | None:
        """The results of a program; `None` where it is none, or nothing in it is checked."""
        closed: ClosedJaxpr | None
        params: dict[str, Any] | None
        if primitive is jit_p:
            params = primitive.unpack(values)
            closed, name = params["jaxpr"], params["name"]
        elif primitive is scan_p or primitive is while_p or primitive is cond_p:
            params = None
            closed, name = _program_of(primitive, args, values), primitive.name
        else:
            return None
        if closed is None or any(isinstance(x, Tracer) for x in args) or not self.concerns(closed):
            return None
        arrays = [x if type(x) is ArrayImpl else as_array(x) for x in args]
        place = local.place or user_place()
        outs = self._run(closed, arrays, name, params)
        if self.results is not None:
            before = local.place
            local.place = place
            try:
                self.results(closed, arrays, outs, name)
            finally:
                local.place = before
        if params is not None:
            for x, gone in zip(arrays, params["donated_invars"]):
                if gone:
                    x.delete()
        return outs

    def _run(self, closed: ClosedJaxpr, arrays: list[ArrayImpl], name: str, params: dict[str, Any] | None) -> list[ArrayImpl]:
        options: dict[str, Any] = {} if params is None else {
            option: params[option] for option in ("in_shardings", "out_shardings", "keep_unused", "compiler_options")}
        checked = run_checked(closed, self.errors) if self.errors else None
        if checked is None:
            return run_jaxpr(closed, arrays, name=name, **options)
        derived, sites, n = checked
        if options.get("out_shardings") is not None:
            options["out_shardings"] = (None,) * n + tuple(options["out_shardings"])
        flat = run_jaxpr(derived, arrays, name=name, **options)
        code = int(flat[0].value())
        if code:
            self._tell(code, sites, flat[1:n], name)
        return flat[n:]

    def _tell(self, code: int, sites: set[Site], payload: Sequence[ArrayImpl], name: str) -> None:
        site = next(s for s in sites if s.number == code)
        at = 0
        for signature in sorted({s.signature for s in sites}, key=str):  # the slots stand in this order
            if signature == site.signature:
                break
            at += len(signature)
        values = [x.value() for x in payload[at:at + len(site.signature)]]
        self.tellers[site.kind](site, values, name)


def _program_of(primitive: Primitive, args: tuple, values: tuple) -> ClosedJaxpr | None:
    """A loop or a branch as a program of its own, kept with its body; `None` where its functions are not staged yet."""
    avals = tuple([get_aval(x) for x in args])
    bodies = [v[0] if isinstance(v, tuple) and v else v for v in values]
    holder = next((v for v in bodies if isinstance(v, ClosedJaxpr)), None)
    return None if holder is None else holder.derive(("program", primitive, avals, values), lambda: kernel_jaxpr(
        primitive, avals, values, list(primitive.infer(avals, values))))


__all__ = ["Programs", "Results", "Teller"]
