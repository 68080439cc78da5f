"""Carrying modules into a transformed function: their scopes go in, and copies of them are bound to the scopes inside."""
from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perspicax import tree_util
from perspicax.flax.core.packing import distinct_scopes
from perspicax.flax.core.scope import Variable
from perspicax.flax.error_base import article
from perspicax.flax.linen.errors import TransformArgumentError
from perspicax.flax.linen.module_state import ModuleBase, running
from perspicax.flax.linen.submodules import map_modules, modules_in
from perspicax.flax.module_errors import TransformedMethodReturnValueError

__all__ = ["Carried"]


@tree_util.register_pytree_node_class
@dataclasses.dataclass(frozen=True)
class _StandIn:
    """Stands in the arguments of a transformed function for a module or a variable: a pytree without leaves."""

    number: int

    def tree_flatten(self) -> tuple[tuple[()], int]:
        """No leaves, and the number."""
        return (), self.number

    @classmethod
    def tree_unflatten(cls, number: int, _: Any) -> _StandIn:
        """The stand-in of a number."""
        return cls(number)


class Carried:
    """The modules of one call of a transformed function.

    Args:
        module: the first argument.
        args: the others, among which may be modules and variables.
        kwargs: those by keyword.
        transform: the transformation, for reports.
        inner_class: the class of the module's copy inside, where its own is one whose methods are transformed: within
            them no method is transformed a second time.

    Attributes:
        scopes: the scopes of the modules, of bound modules in their fields, and of the variables; a scope that lies in
            another one is left out.
        own_way: the number of the scope in which the module's own lies, and the names from there; -1 if it is not bound.
        args: the arguments with stand-ins.
        kwargs: those by keyword.
    """

    def __init__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], transform: str,
                 inner_class: type[Any] | None = None) -> None:
        if not isinstance(module, ModuleBase):
            raise TransformArgumentError(transform=transform, given=article(module))
        self.module: Any = module
        self._inner_class = inner_class or type(module)
        self.modules: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._objects: list[Any] = []
        # Those of the arguments come first and the module itself last: so new variables enter the tree in Flax's order.
        self.args, self.kwargs = self._without_objects((args, kwargs))
        self._note(module)
        self._states = [each._state.export() for each in self.modules]
        self._give_scopes()

    def _note(self, module: Any) -> None:
        """Enter a bound module, after those in its fields."""
        if module.scope is None or id(module) in self._numbers:
            return
        for each in dataclasses.fields(module):
            if each.init and each.name not in ("parent", "name"):
                for inner in modules_in(getattr(module, each.name, None)):
                    self._note(inner)
        self._numbers[id(module)] = len(self.modules)
        self.modules.append(module)

    def _give_scopes(self) -> None:
        """Find the scopes to hand over: those that lie in none of the others, and the way to each from these."""
        bound = [each.scope for each in (*self.modules, *self._objects_of(Variable))]
        self.scopes, self._ways = distinct_scopes(bound)
        number = self._numbers.get(id(self.module))
        self.own_way: tuple[int, tuple[str, ...]] = (-1, ()) if number is None else self._ways[number]

    def _objects_of(self, kind: type[Any]) -> list[Any]:
        return [each for each in self._objects if isinstance(each, kind)]

    def by_scope(self, collections: Mapping[str, Any]) -> list[Any]:
        """For each scope a dict of collections: for that of the module what is given, for the others nothing."""
        own, names = self.own_way
        for name in reversed(names):
            collections = {collection: {name: inner} for collection, inner in collections.items()}
        return [collections if number == own else {} for number in range(len(self.scopes))]

    def _without_objects(self, tree: Any) -> Any:
        leaves, structure = tree_util.tree_flatten(tree)
        if not any(isinstance(leaf, (ModuleBase, Variable)) for leaf in leaves):
            return tree

        def stand_in(leaf: Any) -> Any:
            if not isinstance(leaf, (ModuleBase, Variable)):
                return leaf
            if isinstance(leaf, ModuleBase):
                self._note(leaf)
            self._objects.append(leaf)
            return _StandIn(len(self._objects) - 1)

        swapped = tree_util.tree_unflatten(structure, [stand_in(leaf) for leaf in leaves])
        return swapped

    def function(self, fn: Callable[..., Any], name: str = "") -> Callable[..., Any]:
        """A function of modules as one of scopes.

        Args:
            fn: takes a module and arguments.
            name: its name, for reports.
        """
        @functools.wraps(fn)
        def made(*args: Any, **kwargs: Any) -> Any:
            return self.run(fn, name, *args, **kwargs)

        made.__name__ = name or getattr(fn, "__name__", "function")
        return made

    def run(self, fn: Callable[..., Any], name: str, scopes: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """Call `fn` with copies of the modules that are bound to the scopes inside of the transformation."""
        inside = [_way(scopes[number], names) for number, names in self._ways]
        copies = self._copies(inside)
        variables = iter(inside[len(self.modules):])
        objects = [Variable(next(variables), each.collection, each.name, each.unbox) if isinstance(each, Variable) else
                   copies.get(id(each), each) for each in self._objects]
        if objects:
            args, kwargs = tree_util.tree_map(lambda x: objects[x.number] if isinstance(x, _StandIn) else x, (args, kwargs),
                                              is_leaf=lambda x: isinstance(x, _StandIn))
        result = fn(copies.get(id(self.module), self.module), *args, **kwargs)
        for module in self.modules:
            module._state.reimport(copies[id(module)]._state)
        if any(isinstance(leaf, (ModuleBase, Variable)) for leaf in tree_util.tree_leaves(result)):
            raise TransformedMethodReturnValueError(name or getattr(fn, "__name__", "function"))
        return result

    def _copies(self, scopes: Sequence[Any]) -> dict[int, Any]:
        """For each module by identity its copy."""
        copies: dict[int, Any] = {}

        def copy(module: Any) -> Any:
            number = self._numbers.get(id(module))
            if number is None:
                return module
            if id(module) not in copies:
                cls: Any = self._inner_class if module is self.module else type(module)
                fields = {each.name: map_modules(lambda _, inner: copy(inner), getattr(module, each.name))
                          for each in dataclasses.fields(cls) if each.init and each.name != "parent"}
                made = cls(**fields, parent=scopes[number])
                object.__setattr__(made, "_state", self._states[number].export_again())
                object.__setattr__(made, "_id", module._id)
                copies[id(module)] = made
            return copies[id(module)]

        for module in self.modules:
            copy(module)
        return copies

    def fingerprint(self) -> Any:
        """What, besides arrays, the results depend on: for the cache of `nn.jit`."""
        watched = (tuple(running.interceptors), running.captures[-1] if running.captures else None, running.named_calls)
        return (watched, tuple([self._described(module) for module in self.modules]),
                tuple([self._described(each) for each in self._objects]), _hashable_or_unique(self.module.scope is None))

    def _described(self, value: Any) -> Any:
        if isinstance(value, Variable):
            return Variable, value.collection, value.name, value.unbox
        if isinstance(value, ModuleBase):
            fields = tuple([(each.name, self._described(getattr(value, each.name, None)))
                            for each in dataclasses.fields(value)  # type: ignore[arg-type]
                            if each.init and each.name not in ("parent", "name")])
            state = value._state
            return (type(value), fields, self._numbers.get(id(value)), state.in_compact_method, state.in_setup,
                    state.setup_called, tuple(sorted(state.autoname_cursor.items())))
        if isinstance(value, Mapping):
            return type(value), tuple([(key, self._described(inner)) for key, inner in value.items()])
        if isinstance(value, (list, tuple)):
            return type(value), tuple([self._described(inner) for inner in value])
        return _hashable_or_unique(value)


def _way(scope: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        scope = scope.push(name, reuse=True)
    return scope


def _hashable_or_unique(value: Any) -> Any:
    """A value together with its type, or where it has no hash, something that equals nothing else."""
    try:
        hash(value)
    except TypeError:
        return object()
    return type(value), value
