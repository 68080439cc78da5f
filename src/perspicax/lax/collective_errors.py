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
            "sums that are made later are made along whole axes" if "groups" in self.option else "it works along one axis"
        return Report(says=f"`{self.function}` does not serve {self.option} {self.place} yet.", why=why,
                      fixes=(Fix("nest two `vmap`s: the inner one has the axis within a group",
                                 code='jax.vmap(jax.vmap(f, axis_name="i"))(x)'),)
                      if "groups" in self.option and "vmap" in self.place else ())


class PartialSumError(PerspicaxError, ValueError):
    """A collective over axes of a mesh was given a value of another kind along them than it takes.

    Along such an axis a value varies, is the same for all ("invarying"), is a part of a sum that has not been made yet
    ("unreduced"), or is the same for all and has such a cotangent ("reduced").

    Attributes:
        function: the collective.
        type_text: the type of the operand.
        axes: the axes in question.
        kind: "unreduced", "reduced", "mixed" (of several kinds along the axes), or, of `pcast`, "cast"; of `all_gather`,
            "same" (it is the same for all).
        source: for "cast", of which kind the value is.
        to: for "cast", of which kind it was to be.
    """

    function: str
    type_text: str
    axes: tuple[Any, ...]
    kind: str
    source: str = ""
    to: str = ""

    @property
    def report(self) -> Report:
        along = ", ".join(map(repr, self.axes))
        name = operand_name(self.position, 0) or "x"
        axes = repr(self.axes[0] if len(self.axes) == 1 else self.axes)
        code = name if name.isidentifier() else "x"
        summed = Fix("make the sum first", code=f"lax.psum({code}, {axes})")
        match self.kind:
            case "unreduced":
                return Report(says=f"`{self.function}` was given {name}, {self.type_text}, a sum over devices that has not "
                                   "been made yet.", why=f"each device along {along} has a part of it, and only `psum` and "
                              "`psum_scatter` over these axes make the sum of the parts", fixes=(summed,))
            case "reduced":
                return Report(says=f"`{self.function}` was given {name}, {self.type_text}, whose cotangent is a sum over "
                                   "devices that is not made yet.",
                              why=f"it is the same for all along {along}, and keeps its mark until it is cast",
                              fixes=(Fix("let it vary", code=f'lax.pcast({code}, {axes}, to="varying")'),))
            case "mixed":
                return Report(says=f"`{self.function}` was given {name}, {self.type_text}, which is not of one kind along "
                                   f"{along}.",
                              why='along all of the axes a value is varying, the same for all, "unreduced" or "reduced"',
                              fixes=(Fix("name axes of one kind in each call"),))
            case "same":
                return Report(says=f'`{self.function}` with to="reduced" was given {name}, {self.type_text}, which is not '
                                   f"known to vary along {along}.", why="it puts together what varies",
                              fixes=(Fix("where it is the same for all", code=f'lax.pcast({code}, {axes}, to="varying")'),))
        allowed = {"invarying": '"varying" or "reduced"', "varying": '"unreduced"', "reduced": '"varying"'}.get(self.source)
        what = {"invarying": "is the same for all", "varying": "varies"}.get(self.source, f"is {self.source}")
        fixes = {"unreduced": (summed,), "invarying": (Fix("let it vary first", code=f'lax.pcast(lax.pcast({code}, {axes}, '
                                                           f'to="varying"), {axes}, to="unreduced")'),)}
        return Report(says=f"`pcast` was asked to make {name}, {self.type_text}, {self.to} along {along}, along which it {what}"
                           f"{' already' if self.to == self.source else ''}.",
                      why=f"such a value can be cast to {allowed}" if allowed else
                      "the parts of a sum are no value: `psum` or `psum_scatter` makes one",
                      fixes=fixes.get(self.source, ()) if self.source == "unreduced" or self.to == "unreduced" else ())


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
