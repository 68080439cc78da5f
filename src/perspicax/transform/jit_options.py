"""The parameters of `jit`: which arguments are static or donated, and where arrays are to live."""
from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Sequence
from typing import Any

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import Tracer
from perspicax.transform import trees as tree
from perspicax.transform.errors import StaticArgumentError
from perspicax.transform.jit_primitive import shardings_asked_for
from perspicax.transform.stage import function_name
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.explicit import part_of_type
from perspicax.xla.layouts import AutoLayout, Format, Layout, sharding_of
from perspicax.xla.mesh import current_abstract_mesh, current_mesh, entered_mesh
from perspicax.xla.partition import names_in


class JitOptions:
    """The parameters of `jit`, checked."""

    def __init__(self, *, static_argnums: Any = None, static_argnames: Any = None, donate_argnums: Any = None,
                 donate_argnames: Any = None, keep_unused: bool = False, inline: bool = False, in_shardings: Any = None,
                 out_shardings: Any = None, device: Any = None, backend: str | None = None, abstracted_axes: Any = None,
                 compiler_options: dict[str, Any] | None = None) -> None:
        self.static_argnums, self.static_argnames = _integers(static_argnums), _names(static_argnames)
        self.donate_argnums, self.donate_argnames = _integers(donate_argnums), _names(donate_argnames)
        self.keep_unused, self.inline = keep_unused, inline
        self.in_shardings, self.out_shardings = in_shardings, out_shardings
        if device is not None or backend is not None:
            from perspicax.xla import client

            chosen = shardings.on_device(device if device is not None else client.devices(backend)[0])
            self.in_shardings = chosen if in_shardings is None else in_shardings
        self.compiler_options = tuple(sorted((compiler_options or {}).items()))
        self.donate_key = (self.donate_argnums, self.donate_argnames)
        self.has_statics = bool(self.static_argnums or self.static_argnames)
        self.donates = bool(self.donate_argnums or self.donate_argnames)
        self.has_shardings = self.in_shardings is not None or out_shardings is not None
        if self.has_shardings:
            shardings_asked_for[:] = [True]
        self.entered = False  # whether a PartitionSpec may be in terms of the mesh of `with mesh:`
        self._flat_shardings: dict[tuple, tuple] = {}
        self.is_plain = not self.has_statics and not self.has_shardings

    def static_numbers(self, signature: Signature) -> tuple[int, ...]:
        """Positions of the static parameters, those given by name included; those that count from the end of a variable
        number of arguments are negative."""
        return signature.positions(self.static_argnums, self.static_argnames)

    def check(self, fun: Any) -> None:
        """Raise when a static or donated parameter does not exist.

        Raises:
            StaticArgumentError: naming it, with near names.
        """
        signature = Signature(fun)
        if not signature.known:
            return
        refusal = functools.partial(StaticArgumentError, function=signature.function, parameters=tuple(signature.names))
        for option, wanted in (("static_argnames", self.static_argnames), ("donate_argnames", self.donate_argnames)):
            for name in wanted:
                if name not in signature.names and not signature.open_names:
                    raise refusal(option=option, given=repr(name), kind="unknown")
        count = len(signature.positional)
        for option, numbers in (("static_argnums", self.static_argnums), ("donate_argnums", self.donate_argnums)):
            for n in numbers:
                if not signature.variadic and not -count <= n < count:
                    raise refusal(option=option, given=repr(n), kind="unknown")
        both = set(self.static_numbers(signature)) & set(signature.positions(self.donate_argnums, self.donate_argnames))
        if both:
            raise refusal(option="donate_argnums", given=repr(signature.name(min(both))), kind="both")

    def split_static(self, signature: Signature, args: tuple, kwargs: dict) -> tuple[tuple, dict, tuple, Any]:
        """Dynamic arguments, the key of the static ones, and how to put both together again."""
        count = len(args)
        fixed = {n + count if n < 0 else n for n in self.static_numbers(signature)}
        fixed = {n for n in fixed if 0 <= n < count}
        names = signature.with_names(self.static_argnums, self.static_argnames)
        static_args = {n: args[n] for n in sorted(fixed)}
        static_kwargs = {k: kwargs[k] for k in sorted(names & kwargs.keys())} if kwargs else {}
        key = tuple([(k, type(v), v) for k, v in (*static_args.items(), *static_kwargs.items())])
        try:
            hash(key)
        except TypeError:
            _refuse_unhashable(signature, {**static_args, **static_kwargs})
            raise

        def rebuild(both: tuple) -> tuple[tuple, dict]:
            values = iter(both[0])
            whole = tuple([static_args[i] if i in static_args else next(values) for i in range(count)])
            return whole, {**both[1], **static_kwargs}

        dynamic = tuple([x for n, x in enumerate(args) if n not in fixed])
        return dynamic, {k: v for k, v in kwargs.items() if k not in static_kwargs}, (key,), rebuild

    @staticmethod
    def refuse_incomparable(signature: Signature, statics: tuple, others: list[tuple], error: Exception) -> None:
        """Raise the report of the static argument whose `==` failed with `error`; return where it was none of them."""
        for which, _, value in statics[0]:
            for _, _, earlier in [entry for key in others if key for entry in key[0] if entry[0] == which]:
                try:
                    bool(earlier == value)
                except Exception:  # whatever `__eq__` raises; the report has the first such error as its cause
                    raise StaticArgumentError(option="static_argnums", given=signature.name(which), kind="incomparable",
                                              function=signature.function, value_type=type(value).__name__,
                                              parameters=()) from error

    def donated(self, signature: Signature, in_tree: Any) -> tuple[bool, ...]:
        """For each flat dynamic argument whether it is donated."""
        flags = [False] * in_tree.num_leaves
        args, kwargs = in_tree.unflatten(list(range(in_tree.num_leaves)))
        numbers = signature.positions(self.donate_argnums, self.donate_argnames)
        statics = self.static_numbers(signature)
        count = len(args) + len(statics)
        positions = [i for i in range(count) if i not in statics]
        names = signature.with_names(self.donate_argnums, self.donate_argnames)
        chosen = [arg for i, arg in zip(positions, args) if i in numbers or i - count in numbers]
        for leaf in tree.leaves([chosen, [arg for name, arg in kwargs.items() if name in names]]):
            flags[leaf] = True
        return tuple(flags)

    def flat_shardings(self, in_tree: Any, out_tree: Any) -> tuple[Any, Any]:
        """Shardings of flat arguments and results; `None` where nothing was asked for."""
        return self._flat("in_shardings", self.in_shardings, in_tree), self._flat("out_shardings", self.out_shardings, out_tree)

    def _flat(self, option: str, given: Any, structure: Any) -> tuple | None:
        if given is None:
            return None
        mesh = current_mesh.value, current_abstract_mesh.value, entered_mesh.value if self.entered else None
        kept = self._flat_shardings.get((option, structure, mesh))
        if kept is not None:
            return kept
        whole, full = given, structure.unflatten([0] * structure.num_leaves)
        if option == "in_shardings" and isinstance(given, (tuple, list)):
            whole = (tuple(given), dict.fromkeys(full[1]))
        flat = tree.broadcast_prefix(whole, full, is_leaf=lambda x: x is None)
        found = tuple([_sharding(s, option, self.entered) for s in flat])
        if len(self._flat_shardings) >= MAX_STRUCTURES:
            self._flat_shardings.clear()
        self._flat_shardings[option, structure, mesh] = found
        return found

    def laid(self, leaves: Sequence[Any], in_tree: Any, avals: tuple) -> tuple:
        """The types of arguments that are nowhere yet, split over explicit axes as `in_shardings` will place them.

        Where a mesh is set they are whole along all axes, as types of such arguments are there; so it is in JAX.
        """
        given = self._flat("in_shardings", self.in_shardings, in_tree) or ()
        if current_mesh.value is not None or current_abstract_mesh.value is not None or not any(
                s is not None and s.splits_types for s in given):
            return avals
        return tuple([a.laid(part_of_type(s, a.ndim)) if _lies_as_asked(x, a, s) else a
                      for x, a, s in zip(leaves, avals, given)])


MAX_STRUCTURES = 256


def _lies_as_asked(x: Any, aval: Any, sharding: Any) -> bool:
    """Whether an argument is placed by its sharding alone; what does not fit it is told of where it is placed."""
    if sharding is None or not sharding.splits_types or type(aval) is not ShapedArray or aval.explicit is not None:
        return False
    if isinstance(x, Tracer) or (type(x) is ArrayImpl and x.committed):
        return False
    sizes, parts = sharding.mesh.shape, sharding.spec.partitions
    return len(parts) <= aval.ndim and all(
        n % math.prod([sizes[name] for name in names_in(part)]) == 0 for n, part in zip(aval.shape, parts))


def _sharding(given: Any, option: str, entered: bool) -> Any:
    """What was asked for, as a sharding; `None` for nothing.

    Args:
        entered: whether the mesh of `with mesh:` counts, too.

    Raises:
        MeshContextError: a `PartitionSpec` was given, and no mesh is set.
        LayoutError: a `Format` asks for another order in memory than that of rows.
        NotADeviceError: something else was given.
    """
    if isinstance(given, (Format, Layout, AutoLayout)):
        given = sharding_of(given, "jit", option)
    if given is None or isinstance(given, shardings.Sharding):
        return given
    if isinstance(given, shardings.PartitionSpec):
        return shardings.in_current_mesh(given, "jit", option, entered=entered)
    return shardings.on_device(given)


def _refuse_unhashable(signature: Signature, statics: dict) -> None:
    """Raise the report of the static argument that cannot be hashed."""
    for which, value in statics.items():
        try:
            hash(value)
        except TypeError:
            kind = type(value).__name__
            if isinstance(value, Array):
                kind = f"{'traced ' if isinstance(value, Tracer) else ''}{value.aval.str_short()} array"
            raise StaticArgumentError(option="static_argnums", given=signature.name(which), kind="unhashable",
                                      function=signature.function, value_type=kind, parameters=()) from None


class Signature:
    """What the options of `jit` need to know of a function's parameters.

    Attributes:
        function: its name.
        known: whether it has a signature (some built-in functions have none).
        names: of all parameters.
        positional: of those that may be given by position.
        variadic: whether it takes any number of positional arguments.
        open_names: whether it takes any keyword argument.
    """

    __slots__ = ("_names", "_positions", "function", "known", "names", "open_names", "positional", "variadic")

    def __init__(self, fun: Any) -> None:
        self.function = function_name(fun)
        try:
            parameters = list(inspect.signature(fun).parameters.values())
            self.known = True
        except (TypeError, ValueError):
            parameters, self.known = [], False
        self.names = [p.name for p in parameters]
        self.positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.variadic = not self.known or any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.open_names = not self.known or any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._positions: dict[tuple, tuple[int, ...]] = {}
        self._names: dict[tuple, frozenset[str]] = {}

    def positions(self, numbers: tuple[int, ...], names: tuple[str, ...]) -> tuple[int, ...]:
        """Positions of parameters given by number or by name."""
        found = self._positions.get((numbers, names))
        if found is None:
            some = [n + len(self.positional) if n < 0 and not self.variadic else n for n in numbers]
            some += [self.positional.index(n) for n in names if n in self.positional]
            found = self._positions[numbers, names] = tuple(sorted(set(some)))
        return found

    def with_names(self, numbers: tuple[int, ...], names: tuple[str, ...]) -> frozenset[str]:
        """The names of parameters given by number or by name."""
        found = self._names.get((numbers, names))
        if found is None:
            some = [self.positional[n] for n in self.positions(numbers, names) if 0 <= n < len(self.positional)]
            found = self._names[numbers, names] = frozenset([*names, *some])
        return found

    def name(self, which: Any) -> str:
        """The name of a parameter given by number or by name."""
        if isinstance(which, str):
            return which
        return self.positional[which] if which < len(self.positional) else f"argument {which}"


def _integers(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return (operator.index(value),) if hasattr(value, "__index__") else tuple([operator.index(v) for v in value])


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
