"""Errors of collectives: operations over a named axis."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Report
from perspicax.diagnose.source import operand_name


class UnboundAxisError(PerspicaxError, NameError):
    """A collective names an axis that does not exist where it is called.

    Attributes:
        function: the collective.
        axis: the name.
        known: the names that exist there, innermost first.
    """

    function: str
    axis: Any
    known: tuple[Any, ...] = ()

    @property
    def report(self) -> Report:
        axis, known = self.axis, self.known
        why = "an axis has a name inside of a function that `vmap` maps with `axis_name`, or `shard_map` over the axes of a " \
              "mesh, and nowhere else"
        if known:
            why = f"the named axes here are {', '.join(map(repr, known))}" if len(known) > 1 else \
                f"the one named axis here is {known[0]!r}"
        fixes = tuple([Fix("did you mean" if i == 0 else "or", code=repr(name)) for i, name in enumerate(self._near())])
        if not fixes and not known and isinstance(axis, str):
            fixes = (Fix("name the axis where the function is mapped", code=f"jax.vmap(f, axis_name={axis!r})"),)
        return Report(says=f"`{self.function}` was given the axis {axis!r}, which does not exist here.", why=why, fixes=fixes)

    def _near(self) -> list[Any]:
        from difflib import get_close_matches  # only a printed error needs it

        found = get_close_matches(self.axis, [n for n in self.known if isinstance(n, str)], 3, 0.4) \
            if isinstance(self.axis, str) else []
        return found or list(self.known[:1] if len(self.known) == 1 else ())


class CollectiveError(ReportedError, ValueError, AssertionError):  # JAX raises one or the other
    """The shapes, axes or permutations given to a collective do not fit the named axis."""


class CollectiveNotThereYet(PerspicaxError, NotImplementedError):
    """A collective was asked for something that it does not do over such an axis.

    Attributes:
        function: the collective.
        option: what was asked for.
        place: where it is not served.
    """

    function: str
    option: str
    place: str = "over an axis of `vmap`"

    @property
    def report(self) -> Report:
        why = "collectives work over one whole axis of `vmap` at a time" if "vmap" in self.place else \
            "it is served along the axes of a mesh alone for which `shard_map` was given check_vma=False" \
            if "types" in self.place else 'along the axes of a mesh values are "varying" or the same for all'
        return Report(says=f"`{self.function}` does not serve {self.option} {self.place} yet.", why=why,
                      fixes=(Fix("nest two `vmap`s: the inner one has the axis within a group",
                                 code='jax.vmap(jax.vmap(f, axis_name="i"))(x)'),)
                      if "groups" in self.option and "vmap" in self.place else ())


class CollectivePlatformError(PerspicaxError, NotImplementedError):
    """A collective was met in a program for a processor that has no such operation.

    Attributes:
        function: the collective.
        platform: what the program is compiled for.
        axes: the axes of the mesh along which it moves values.
        perm: from where to where.
    """

    function: str
    platform: str
    axes: tuple[Any, ...]
    perm: tuple[tuple[int, int], ...]

    @property
    def report(self) -> Report:
        sent = (operand_name(self.position, 0) or "x") if self.function == "psend" else "x"
        axes = self.axes[0] if len(self.axes) == 1 else self.axes
        return Report(says=f"`{self.function}` works on GPUs only; this program is compiled for {self.platform}.",
                      why="it starts a transfer and lets the program go on, which other processors have no operation for",
                      fixes=(Fix("send and receive in one step, on any processor",
                                 code=f"lax.ppermute({sent}, {axes!r}, {list(self.perm)!r})"),))


class ReductionAxesVaryError(PerspicaxError, ValueError):
    """A sum over several axes of a mesh was asked for, along some of which the value varies, and along others not.

    Attributes:
        function: the collective.
        type_text: the type of the operand.
        varying: the axes, among those named, along which it varies.
        invariant: those along which it is the same for all.
    """

    function: str
    type_text: str
    varying: tuple[Any, ...]
    invariant: tuple[Any, ...]

    @property
    def report(self) -> Report:
        along, whole = (", ".join(map(repr, names)) for names in (self.varying, self.invariant))
        name = operand_name(self.position, 0) or "x"
        axes = repr(self.invariant[0] if len(self.invariant) == 1 else self.invariant)
        return Report(
            says=f"`{self.function}` was asked to sum over {along} and {whole}, but its operand is the same for all along "
                 f"{whole}.",
            why=f"{self.type_text} varies along {along} alone; a sum of equal values along {whole} would count each of them as "
                "often as there are devices, which is seldom meant",
            fixes=(Fix(f"sum along {along} only",
                       code=f"lax.{self.function}({name}, {self.varying[0] if len(self.varying) == 1 else self.varying!r})"
                       if len(self.varying) > 1 else f"lax.{self.function}({name}, {self.varying[0]!r})"),
                   Fix("if every device's copy is to count", code=f'lax.pcast({name}, {axes}, to="varying")')))
