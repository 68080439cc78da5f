"""What can go wrong with pytrees."""
from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, NamedTuple

from perspicax.core.tree_paths import KeyPath, is_name, place
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Edit, Fix, Label, Place, Report

if TYPE_CHECKING:
    from perspicax.core.tree_mismatch import Mismatch
    from perspicax.diagnose.expression import Expression

__all__ = [
    "EmptyTreeError", "LeafCountError", "LeafPredicateError", "MapStoppedError", "NodeFlattenError", "NotANodeError",
    "NotATreeDefError", "Operands", "PrefixMismatchError", "PyTreeMismatchError", "TreeDepthError", "TreeFunctionError",
    "UnsortableKeysError",
]

_MOST_PLACES = 8


class Operands(NamedTuple):
    """Which arguments of the user's call the two trees of a report are, so that they can be called by his names.

    Attributes:
        expected: the number of the argument that is the expected tree; None if it is none of them.
        actual: the number of the argument that is the actual tree.
        given: how many positional arguments the call has.
    """

    expected: int | None
    actual: int
    given: int


def _operands(position: Place, function: str, wanted: Operands | None) -> tuple[Expression | None, Expression | None]:
    """The expressions that the user wrote for the expected and the actual tree, if `function` was called there."""
    if wanted is None:
        return None, None
    from perspicax.diagnose.source import operands_at  # reads and parses source text: only for a printed report

    found = operands_at(position)
    names = (function, function.removeprefix("tree_"))
    if not found.complete or found.operation not in names or len(found) != wanted.given:
        return None, None
    return (None if wanted.expected is None else found[wanted.expected]), found[wanted.actual]


def _name(expression: Expression | None, otherwise: str) -> str:
    """What the user calls a tree: his expression, if a path can be written behind it; else the parameter's name."""
    return expression.text if expression is not None and is_name(expression.text) else otherwise


# Which argument of a public function is the tree it takes apart.
_TREE_ARGUMENT = {"all": 0, "flatten": 0, "flatten_with_path": 0, "leaves": 0, "leaves_with_path": 0, "structure": 0,
                  "map": 1, "map_with_path": 1, "reduce": 1, "reduce_associative": 1}


def _tree_name(position: Place) -> str:
    """What the user calls the tree that is taken apart at `position`; "tree" if his call does not tell."""
    from perspicax.diagnose.source import operands_at  # as above

    found = operands_at(position)
    index = _TREE_ARGUMENT.get(found.operation.removeprefix("tree_"))
    return "tree" if index is None or index >= len(found) else _name(found[index], "tree")


def _says(lead: str, found: tuple[Mismatch, ...], expected: str, actual: str) -> str:
    """One mismatch completes the sentence `lead`; several follow it as a list."""
    from perspicax.core.tree_mismatch import sentence  # as above

    if len(found) == 1:
        return f"{lead}: {sentence(found[0], expected, actual)}."
    listed = [f"  {sentence(mismatch, expected, actual)}" for mismatch in found[:_MOST_PLACES]]
    if len(found) > _MOST_PLACES:
        listed.append(f"  … and {len(found) - _MOST_PLACES} more places")
    return "\n".join([f"{lead}: they differ in {len(found)} places.", *listed])


class PyTreeMismatchError(PerspicaxError, ValueError, TypeError):  # JAX raises one or the other, by function
    """A pytree does not have the structure that another one, or a transformation, asks of it.

    Attributes:
        function: the function that the user called.
        mismatches: every place where the two structures differ.
        expected_name: what to call the expected tree where the source does not tell.
        actual_name: what to call the actual tree where the source does not tell.
        why_expected: the rule, or where the expectation comes from.
        operands: which arguments of the call the trees are.
    """

    function: str
    mismatches: tuple[Mismatch, ...]
    expected_name: str
    actual_name: str
    why_expected: str = ""
    operands: Operands | None = None

    @property
    def report(self) -> Report:
        from perspicax.diagnose.library import inside_library  # only a printed error needs it

        expected, actual = _operands(self.position, self.function, self.operands)
        there, here = _name(expected, self.expected_name), _name(actual, self.actual_name)
        inside = inside_library(self) if actual is None and self.operands is not None else None
        asked = _asked_by(self.function)
        labelled = None
        if inside is not None and self.operands is not None:
            # what the user passed for the two trees, or where they lie in that, or else the names that a package has for them
            from perspicax.core.passed_trees import argument_inside, passed_as  # as above

            trees = _operands(inside.place, self.function, self.operands)
            there, here = [_name(tree, name) for tree, name in zip(trees, (there, here))]
            expected, actual = inside.given.get(there), inside.given.get(here)
            there, here = _name(expected, there), _name(actual, here)
            found = passed_as(inside, argument_inside(inside, self.operands.actual)) if actual is None else None
            if found is not None:
                here, labelled = found
            if expected is None and self.operands.expected is not None:
                base = passed_as(inside, argument_inside(inside, self.operands.expected))
                there = base.name if base is not None else there
            asked += f" within `{inside.called}` of {inside.package}"
        return Report(
            says=_says(f"`{here}` does not have the structure of `{there}`{asked}", self.mismatches, there, here),
            labels=_labels(expected, there, labelled or actual, here),
            why=self.why_expected,
            fixes=(*_fixes(self.mismatches, self.position, there, actual),
                   *(_key_fixes(self.mismatches, there, here, actual) if self.function.endswith("tree_map") else ())),
        )


class PrefixMismatchError(PerspicaxError, ValueError, TypeError):  # as above
    """A pytree that speaks for the leaves of another one, such as `in_axes`, is not a prefix of it.

    Attributes:
        function: the function that the user called.
        mismatches: every place where the two structures differ.
        prefix_name: what to call the prefix where the source does not tell.
        full_name: what to call the full tree where the source does not tell.
        operands: which arguments of the call the trees are; the full tree is the expected one.
    """

    function: str
    mismatches: tuple[Mismatch, ...]
    prefix_name: str
    full_name: str
    operands: Operands | None = None

    @property
    def report(self) -> Report:
        full, prefix = _operands(self.position, self.function, self.operands)
        there, here = _name(full, self.full_name), _name(prefix, self.prefix_name)
        return Report(
            says=_says(f"`{here}` is not a tree prefix of `{there}`{_asked_by(self.function)}",
                       self.mismatches, there, here),
            labels=_labels(full, there, prefix, here),
            why="a prefix has the same nodes as the full tree from the root on; it may only end earlier, in a leaf "
                "that speaks for a whole subtree.",
            fixes=tuple(_fixes(self.mismatches, self.position, there, prefix)),
        )


def _asked_by(function: str) -> str:
    return f", which `{function}` needs" if function else ""


def _labels(expected: Expression | None, there: str, actual: Expression | None, here: str) -> tuple[Label, ...]:
    labels = []
    for expression, name, says in ((actual, here, "its structure differs"), (expected, there, "from this one")):
        if expression is not None:
            labels.append(Label(expression.span, says if name == expression.text else f"`{name}`: {says}"))
    return tuple(labels)


def _fixes(found: tuple[Mismatch, ...], position: Place, there: str, actual: Expression | None) -> list[Fix]:
    from perspicax.core.tree_mismatch import LeafForNode, NodeTypeDiffers  # as above

    fixes = []
    if actual is not None and any(isinstance(one, LeafForNode) and one.expected == "None" for one in found):
        from perspicax.diagnose.source import expression_at  # as above

        call = expression_at(position)
        if call is not None and call.text.endswith(")") and "is_leaf" not in call.text:
            code = f"{call.text[:-1]}, is_leaf=lambda x: x is None)"
            fixes.append(Fix(f"let None count as a leaf of `{there}`", edits=(Edit(call.span, code),)))
    match found:
        case (NodeTypeDiffers(path=(), kind="tuple" | "list" as kind, actual=shown),) if actual is not None:
            if shown.startswith(("a tuple", "a list")):
                fixes.append(Fix(f"make it a {kind}", edits=(Edit(actual.span, f"{kind}({actual.text})"),)))
    return fixes


def _key_fixes(found: tuple[Mismatch, ...], there: str, here: str, actual: Expression | None) -> list[Fix]:
    """What to do about keys that one of two trees of `tree_map` has."""
    from perspicax.core.tree_mismatch import KeysDiffer  # as above
    from perspicax.core.tree_paths import place

    match found:
        case (KeysDiffer(path=(), missing=missing, extra=(extra,), similar=()),) if missing:  # a level too many
            says = f"if the tree that is wanted stands under the key {extra!r}, pass that"
            return [Fix(says, code=f"{actual.grouped}[{extra!r}]") if actual is not None else Fix(says)]
        case (KeysDiffer(path=path, missing=missing, extra=(), similar=()),):
            keys = f"the key{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}"
            return [Fix(f"put {keys} into `{place(here, path)}`, or leave {'them' if len(missing) > 1 else 'it'} out of "
                        f"`{place(there, path)}`")]
        case (KeysDiffer(path=path, missing=(), extra=extra, similar=()),):
            keys = f"the key{'s' * (len(extra) > 1)} {', '.join(map(repr, extra))}"
            return [Fix(f"leave {keys} out of `{place(here, path)}`, or put {'them' if len(extra) > 1 else 'it'} into "
                        f"`{place(there, path)}`")]
    return []


class UnsortableKeysError(PerspicaxError, ValueError, TypeError):  # in JAX a defaultdict raises the latter
    """The keys of a dict in a pytree cannot be sorted, so that its leaves have no order.

    Attributes:
        path: where the dict stands.
        keys: its keys, as text.
        types: the types of its keys, by name.
        problem: what the comparison said.
    """

    path: KeyPath
    keys: tuple[str, ...]
    types: tuple[str, ...]
    problem: str

    @property
    def report(self) -> Report:
        keys = ", ".join(self.keys[:8]) + (", …" if len(self.keys) > 8 else "")
        return Report(
            says=f"The keys of {_the('dict', self.position, self.path)} cannot be sorted: {keys}.",
            why="the leaves of a dict are taken in the order of its sorted keys, so that equal dicts give equal "
                f"leaves; sorting these ({' and '.join(self.types)}) fails: {self.problem}.",
            fixes=(Fix("use keys of one type that can be compared, such as str"),
                   Fix("use a `collections.OrderedDict`, which keeps its own order and compares no keys")),
        )


def _the(node: str, position: Place, path: KeyPath) -> str:
    """"the dict `params['a']`", or "the dict" at the root."""
    return f"the {node} `{place(_tree_name(position), path)}`" if path else f"the {node}"


class NodeFlattenError(PerspicaxError, ValueError):
    """The function registered to flatten a class did not return what a flatten function must.

    Attributes:
        path: where the instance stands.
        node: the name of the class.
        with_keys: whether it is the function that flattens with keys.
        registered: the user's place where the class was registered.
    """

    path: KeyPath
    node: str
    with_keys: bool
    registered: Place = None

    @property
    def report(self) -> Report:
        wanted = "(pairs of key and child, metadata)" if self.with_keys else "(children, metadata)"
        how = "with keys " if self.with_keys else ""
        at = f", at `{place(_tree_name(self.position), self.path)}`" if self.path else ""
        return Report(
            says=f"The function that flattens {_article(self.node)} `{self.node}` {how}did not return {wanted}{at}.",
            labels=(Label(self.registered, "registered here"),) if self.registered is not None else (),
            why="a flatten function returns a tuple of two: an iterable of the children"
                + (", each in a pair (key, child)," if self.with_keys else "")
                + " and the static data from which the class is built again.",
            fixes=(Fix("", code="return ((GetAttrKey('x'), self.x),), None" if self.with_keys
                       else "return (self.x,), None"),),
        )


class LeafPredicateError(PerspicaxError, ValueError):
    """The predicate `is_leaf` returned something else than a bool.

    Attributes:
        path: the node it was asked about.
        verdict: what it returned, as text.
    """

    path: KeyPath
    verdict: str

    @property
    def report(self) -> Report:
        node = place(_tree_name(self.position), self.path)
        return Report(
            says=f"`is_leaf` returned {self.verdict} for `{node}`, which is neither True nor False.",
            why="`is_leaf` decides whether a node is a leaf; None counts as False, and nothing else is converted.",
            fixes=(Fix("say what makes the node a leaf", code="is_leaf=lambda x: isinstance(x, ...)"),),
        )


class TreeDepthError(PerspicaxError, RecursionError, SystemError):  # JAX's flatten ends in a SystemError
    """A pytree contains itself, or is nested deeper than Python's recursion limit.

    Attributes:
        path: where a node stands that contains itself; empty if none does.
        inside: where the same node stands further up; None if none contains itself.
        node: the name of its type.
        limit: Python's recursion limit.
    """

    path: KeyPath
    inside: KeyPath | None
    node: str
    limit: int

    @property
    def report(self) -> Report:
        if self.inside is None:
            return Report(
                says=f"The tree is nested deeper than Python's recursion limit, {self.limit}.",
                why="flattening goes down into each node's children; a node registered by a class may also make new "
                    "children without end.",
                fixes=(Fix("raise the limit, if the tree is meant to be so deep",
                           code=f"sys.setrecursionlimit({self.limit * 10})"),),
            )
        name = _tree_name(self.position)
        same, again = place(name, self.inside), place(name, self.path)
        return Report(
            says=f"The tree contains itself: `{again}` is the same {self.node} as `{same}`.",
            why="flattening goes down into each node's children, and would never come to an end here.",
        )


class LeafCountError(PerspicaxError, ValueError):
    """A tree was to be built from more or fewer leaves than its structure has.

    Attributes:
        treedef: the structure, as text.
        expected: how many leaves it has.
        actual: how many there were.
        at_least: whether the leaves were counted only until there were too many.
    """

    treedef: str
    expected: int
    actual: int
    at_least: bool = False

    @property
    def report(self) -> Report:
        from perspicax.diagnose.render.text import plural  # as above

        got = f"at least {self.actual}" if self.at_least else str(self.actual)
        return Report(
            says=f"The structure has {plural(self.expected, 'leaf', 'leaves')}, but `tree_unflatten` got {got}.",
            why=f"each leaf of the structure is filled with one value, from left to right: {self.treedef}.",
        )


class NotATreeDefError(PerspicaxError, TypeError, AttributeError):  # in JAX the missing attribute is reported
    """Something else was given where a treedef belongs.

    Attributes:
        function: the function that the user called.
        actual: the type of what was given.
        swapped: whether a treedef was given as the next argument.
    """

    function: str
    actual: str
    swapped: bool = False

    @property
    def report(self) -> Report:
        fixes = [Fix("give the treedef first", code=f"{self.function}(treedef, leaves)")] if self.swapped else [
            Fix("a tree's structure is its treedef", code="tree_structure(tree)")]
        given = f"{_article(self.actual)} `{self.actual}`"
        return Report(says=f"`{self.function}` takes a treedef, but got {given}.",
                      why="a treedef is the structure of a tree without its leaves; `tree_flatten` and "
                          "`tree_structure` return one.",
                      fixes=tuple(fixes))


def _article(noun: str) -> str:
    return "an" if noun[:1] in "aeiouAEIOU" else "a"


class TreeFunctionError(PerspicaxError, TypeError):
    """Something else was given where a function belongs.

    Attributes:
        function: the function that the user called.
        argument: the parameter's name.
        actual: the type of what was given.
        swapped: whether a function was given as the next argument.
    """

    function: str
    argument: str
    actual: str
    swapped: bool = False

    @property
    def report(self) -> Report:
        fixes = (Fix("give the function first", code=f"{self.function}(f, tree)"),) if self.swapped else ()
        return Report(says=f"`{self.argument}` of `{self.function}` must be a function, but is "
                           f"{_article(self.actual)} `{self.actual}`.",
                      why=f"`{self.function}` calls `{self.argument}` for the parts of the tree.", fixes=fixes)


class MapStoppedError(PerspicaxError, RuntimeError):
    """The function given to a map raised StopIteration.

    Attributes:
        function: the function that the user called.
    """

    function: str

    @property
    def report(self) -> Report:
        return Report(
            says=f"The function given to `{self.function}` raised StopIteration, so that some leaves have no result.",
            why="it probably calls `next` on an iterator that has fewer items than the tree has leaves.",
        )


class EmptyTreeError(PerspicaxError, TypeError, IndexError):  # JAX raises one or the other, depending on the function
    """A tree without leaves was given where the result would come from the leaves.

    Attributes:
        function: the function that the user called.
        needs: the argument that says what the result is then.
    """

    function: str
    needs: str

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.function}` got a tree without leaves, and no `{self.needs}`.",
            why=f"without a leaf there is nothing to make the result from; `{self.needs}` says what it is then.",
            fixes=(Fix(f"give `{self.needs}`", code=f"{self.function}(..., {self.needs}=...)"),),
        )


class NotANodeError(PerspicaxError, ValueError):
    """A leaf was given where a pytree node belongs.

    Attributes:
        function: the function that the user called.
        leaf: the type of the leaf.
    """

    function: str
    leaf: str

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.function}` takes a pytree node, but {_article(self.leaf)} `{self.leaf}` is a leaf.",
            why="nodes are tuples, lists, dicts, None and instances of registered classes (not of their subclasses).",
            fixes=() if hasattr(builtins, self.leaf) else (
                Fix("register the class, if it should be a node",
                    code=f"register_pytree_node({self.leaf}, flatten, unflatten)"),),
        )
