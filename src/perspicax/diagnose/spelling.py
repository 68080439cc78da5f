"""A report in the user's spelling: functions as they are called, modules by the names under which they are imported.

Who raises an error knows the name of the function; by which name the user has it stands in his source.
"""
from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable

from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.place import Place, Span
from perspicax.diagnose.report import Fix, Report
from perspicax.diagnose.source import callee_at, imported_as

__all__ = ["spelled"]

ROOMS = frozenset(("numpy", "scipy", "lax", "nn", "image", "ops", "random"))
"""The rooms whose functions users call by many names."""

_MODULE = r"(?:(?:jax|jnp|jsp|lax)\.(?:\w+\.)*|(?:fft|linalg|signal)\.)?"
_FIRST = re.compile(r"`([A-Za-z_]\w*)`(?= |:)")
LONGEST = 40


def spelled(report: Report, module: str, place: Place) -> Report:
    """The report as the file at `place` would write it.

    Args:
        report: it names functions without a module, or by the modules' usual names: `jnp`, `jsp`.
        module: of the error's class.
        place: where the function was called.
    """
    room = module.removeprefix("perspicax.").partition(".")[0]
    if report.verbatim or room not in ROOMS:
        return report
    at = None if isinstance(place, Span) else place
    found = located(at)
    jnp = imported_as(at, "numpy", "jnp")
    jsp = imported_as(at, "scipy", "jax.scipy")

    def modules(text: str) -> str:
        text = text if jnp == "jnp" else re.sub(r"(?<![\w.])jnp\.", f"{jnp}.", text)
        return text if jsp == "jsp" else re.sub(r"(?<![\w.])jsp\.", f"{jsp}.", text)

    def words(text: str) -> str:
        return modules(_as_called(text, at, found))

    says = words(report.says)
    if says == modules(report.says) and room == "numpy":
        says = _in_numpy(says, jnp, found)
    return report._replace(says=says, why=words(report.why), notes=tuple(map(words, report.notes)),
                           fixes=tuple([_fix(fix, modules) for fix in report.fixes]))


def _fix(fix: Fix, modules: Callable[[str], str]) -> Fix:
    code = modules(fix.code) if isinstance(fix.code, str) else tuple(map(modules, fix.code))
    return fix._replace(says=modules(fix.says), code=code)


def _as_called(text: str, place: Place, found: Expression | None) -> str:
    """`sum` as the call at the place has it: `jnp.sum`, `x.sum`."""
    if found is None or not isinstance(found.node, ast.Call):
        return text
    written = callee_at(place)
    method = found.node.func
    if written is None and isinstance(method, ast.Attribute) and not any(isinstance(n, ast.Call) for n in ast.walk(method)):
        written = found.at(method).text
    if written is None or len(written) > LONGEST or "`" in written:
        return text
    name = written.rpartition(".")[2]
    if any(isinstance(node, ast.Name) and node.id == name and node is not found.node.func for node in ast.walk(found.node)):
        return text  # a variable of that name
    return re.sub(f"`{_MODULE}{re.escape(name)}`", lambda _: f"`{written}`", text)


def _in_numpy(says: str, jnp: str, found: Expression | None) -> str:
    """A function that no call at the place tells of, with its module."""
    first = _FIRST.match(says)
    numpy = sys.modules.get("perspicax.numpy")
    if first is None or numpy is None or not callable(getattr(numpy, first[1], None)):
        return says
    if found is not None and found.mentions(first[1]):
        return says
    return f"`{jnp}.{first[1]}`{says[first.end():]}"
