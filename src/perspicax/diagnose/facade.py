"""Names of public modules that are fetched on first use, and names of the reference that are not there yet.

A facade lists names and defines nothing; what answers for the names that it does not import is made here:

    __getattr__, __dir__ = on_demand(__name__, modules=("numpy", "random"), names={"jacfwd": "perspicax.api.jacobian"},
                                     absent=("pmap",))
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import FunctionType
from typing import Any

from perspicax.diagnose import boundary
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = [
    "ModuleNotThereYet", "NameNotThereYet", "NotThereYet", "UnknownNameError", "on_demand", "public_name", "publish",
]


class NotThereYet(PerspicaxError, AttributeError, NotImplementedError):
    """A name of JAX or Flax was used that Perspicax does not have yet.

    Attributes:
        missing: the name in full, `jax.pmap`.
    """

    missing: str

    @property
    def report(self) -> Report:
        return _not_there(self.missing)


class NameNotThereYet(PerspicaxError, ImportError, NotImplementedError):
    """The same, where the name was asked for by `from jax import pmap`."""

    missing: str

    @property
    def report(self) -> Report:
        return _not_there(self.missing)


class ModuleNotThereYet(PerspicaxError, ModuleNotFoundError, NotImplementedError):
    """A module of JAX or Flax was imported that Perspicax does not have yet, or that is private to JAX.

    Attributes:
        missing: the module in full, `jax.experimental.pallas`.
        asked_by: the module whose code imported it, where that is known.
        why: the reason, if it is another than that nobody has written it yet.
    """

    missing: str
    asked_by: str = ""
    why: str = ""

    @property
    def name(self) -> str:  # type: ignore[override]
        """As `ImportError` has it: the module that was not found."""
        return self.missing

    @property
    def report(self) -> Report:
        by = f", which `{self.asked_by}` imports," if self.asked_by else ""
        found = _not_there(self.missing)
        return Report(says=f"`{self.missing}`{by} is not there yet.", why=self.why or found.why)


def _not_there(missing: str) -> Report:
    return Report(says=f"`{missing}` is not there yet.",
                  why="Perspicax implements the API of JAX 0.10.2 from scratch, and has not come to this part of it")


class UnknownNameError(PerspicaxError, AttributeError):
    """A public module was asked for a name that neither it nor JAX has.

    Attributes:
        module: the module, as the user writes it.
        missing: the name.
        ours: the module's own name.
    """

    module: str
    missing: str
    ours: str

    @property
    def report(self) -> Report:
        moved = _MOVED.get(f"{self.module.partition('.')[2]}.{self.missing}".lstrip("."))
        if moved is not None:
            root = self.module.partition(".")[0]
            return Report(says=f"`{self.module}` has no name `{self.missing}`: JAX took it away.",
                          why=f"`{root}.{moved}` does what it did", fixes=(Fix(code=f"{root}.{moved}"),))
        from difflib import get_close_matches  # here: for weight

        known = [n for n in dir(sys.modules[self.ours]) if not n.startswith("_")] if self.ours in sys.modules else []
        near = get_close_matches(self.missing, known, 3)
        return Report(says=f"`{self.module}` has no name `{self.missing}`.",
                      fixes=(Fix("did you mean one of" if len(near) > 1 else "did you mean",
                                 code=tuple(f"{self.module}.{n}" for n in near)),) if near else ())


# Names that older programs use and JAX 0.10.2 no longer has, and what does their work now.
_MOVED = {
    "tree_map": "tree.map", "tree_leaves": "tree.leaves", "tree_flatten": "tree.flatten",
    "tree_unflatten": "tree.unflatten", "tree_structure": "tree.structure", "tree_transpose": "tree.transpose",
    "tree_util.tree_multimap": "tree.map", "pjit": "jit", "experimental.pjit": "jit", "KeyArray": "Array",
    "linear_util": "extend.linear_util", "numpy.DeviceArray": "Array", "random.KeyArray": "Array",
    "numpy.row_stack": "numpy.vstack", "numpy.in1d": "numpy.isin", "numpy.trapz": "numpy.trapezoid",
    **{f"core.{name}": f"extend.core.{name}" for name in (
        "Primitive", "Jaxpr", "ClosedJaxpr", "JaxprEqn", "Literal", "Var", "Token", "jaxpr_as_fun")},
}


def public_name(module: str) -> str:
    """A module's name as the user writes it: `jax.numpy` where `import jax` means Perspicax."""
    root, dot, rest = module.partition(".")
    stands = sys.modules.get("jax")
    flax, _, inside = rest.partition(".")
    if flax == "flax" and getattr(sys.modules.get("flax"), "__name__", "") == f"{root}.flax":
        return f"flax.{inside}" if inside else "flax"
    if stands is None or getattr(stands, "__name__", "") != root:
        return module
    return (f"flax.{inside}" if inside else "flax") if flax == "flax" else f"jax{dot}{rest}"


def publish(module: str) -> None:
    """Let errors leave the functions of a public module with the user's frames only.

    What the library itself calls is imported from the files where it lives, and stays as fast as it is.
    """
    offered = vars(sys.modules[module])
    for name in offered["__all__"]:
        value = offered.get(name)
        if type(value) is FunctionType:
            offered[name] = public(value)


def on_demand(module: str, *, modules: Iterable[str] = (), names: Mapping[str, str] | None = None,
              absent: Iterable[str] = (), published: bool = False,
              listed: Iterable[str] | None = None) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a public module.

    Args:
        module: the module's `__name__`.
        modules: its submodules that are imported when they are first used as attributes.
        names: other names, with the module that each is taken from when it is first used (`module:name` where it has
            another name there).
        absent: names of the reference that are not there yet.
        published: whether to treat functions among `names` as `publish` does.
        listed: what `dir` gives; by default all that there is.

    The functions raise `NotThereYet` for absent names and for submodules without a file, `UnknownNameError` for others.
    """
    submodules, sources, missing = frozenset(modules), dict(names or {}), frozenset(absent)

    @public
    def __getattr__(name: str) -> Any:
        if name in submodules:
            return _submodule(module, name)
        source = sources.get(name)
        if source is not None:
            file, _, original = source.partition(":")
            value = getattr(import_module(file), original or name)
            if published and type(value) is FunctionType:
                value = public(value)
            setattr(sys.modules[module], name, value)
            return value
        if name.startswith("__"):  # Python asks for protocols
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if name in missing:
            raise _absence(module, name)
        raise UnknownNameError(module=public_name(module), missing=name, ours=module)

    def __dir__() -> list[str]:
        there = vars(sys.modules[module])
        return sorted({*there, *submodules, *sources} if listed is None else {*[n for n in there if n[:2] == "__"], *listed})

    return __getattr__, __dir__


def _submodule(module: str, name: str) -> Any:
    try:
        return import_module(f"{module}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{module}.{name}":
            raise
    raise _absence(module, name)


def _absence(module: str, name: str) -> Exception:
    """What to raise for a name that is not there yet.

    `from jax import pmap` makes an error of its own of every `AttributeError`, which would lose the report; so where
    the user's frame executes such an import, the error is an `ImportError`.
    """
    missing = f"{public_name(module)}.{name}"
    frame = sys._getframe(2)
    while frame.f_code.co_filename in (__file__, boundary.__file__) and frame.f_back is not None:
        frame = frame.f_back
    import opcode  # here: for weight

    at = frame.f_lasti
    if 0 <= at < len(frame.f_code.co_code) and frame.f_code.co_code[at] == opcode.opmap["IMPORT_FROM"]:
        return NameNotThereYet(missing=missing)
    return NotThereYet(missing=missing)
