"""`explain_value`: how a traced value came about, as a small graph from the value back to the arguments."""
from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from perspicax.core.jaxpr import JaxprEqn
from perspicax.core.provenance import provenance
from perspicax.core.trace import JaxprTrace, JaxprTracer
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public
from perspicax.diagnose.expression import expression_at
from perspicax.diagnose.place import resolve
from perspicax.diagnose.source import shorten

__all__ = ["History", "Node", "explain_value"]

MOST_NODES = 40


class Node(NamedTuple):
    """A step of a computation.

    Attributes:
        text: the expression as the user wrote it, or the name of an argument.
        type_text: the type of its value.
        place: `train.py:12`; empty for arguments and constants.
        operands: what it was computed from; empty where that was told before.
        again: whether its operands were told before.
    """

    text: str
    type_text: str
    place: str = ""
    operands: tuple[Node, ...] = ()
    again: bool = False


class History:
    """How a value came about: `str` shows it as a tree, notebooks as a graph.

    Attributes:
        root: the value.
    """

    __slots__ = ("root",)

    def __init__(self, root: Node) -> None:
        self.root = root

    def __str__(self) -> str:
        return "\n".join(_lines(self.root, "", ""))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"{self.to_svg()}<details><summary>as text</summary><pre>{escape(str(self))}</pre></details>"

    def to_svg(self) -> str:
        """The graph as one `<svg>` element: arguments at the top, the value at the bottom, each step once."""
        from perspicax.diagnose.render.graph import Box, render_graph  # only who wants a picture needs it

        places: dict[tuple[str, str, str], int] = {}
        boxes: list[Box] = []

        def add(node: Node) -> int:
            key = node.text, node.type_text, node.place
            if key in places and (node.again or not node.place):  # an argument, or what was told before
                return places[key]
            at = places[key] = len(boxes)
            facts = ", ".join(filter(None, (node.type_text, node.place)))
            boxes.append(Box(node.text, facts))
            boxes[at] = Box(node.text, facts, tuple(dict.fromkeys(map(add, node.operands))))
            return at

        add(self.root)
        return render_graph(boxes)


def _lines(node: Node, lead: str, below: str) -> list[str]:
    facts = f"{node.type_text}{f', {node.place}' if node.place else ''}{', as above' if node.again else ''}"
    found = [f"{lead}{node.text}   {facts}"]
    for i, operand in enumerate(node.operands):
        last = i == len(node.operands) - 1
        found += _lines(operand, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
    return found


@public
def explain_value(x: Any) -> History:
    """How a value came about: the expressions that it was computed from, back to the arguments of the traced function.

    Args:
        x: a value within a function that is being traced (under `jit`, `scan`, `checkpoint`, …), or an array, of which
            nothing is known but its type.

    Returns:
        A tree of `Node`s. Print it; a notebook shows it.
    """
    if not isinstance(x, Tracer):
        return History(Node("an array" if hasattr(x, "aval") else "a constant", get_aval(x).str_short()))
    at: Any = x
    while isinstance(at, Tracer) and not isinstance(at, JaxprTracer):
        at = at.inner()
    if not isinstance(at, JaxprTracer):
        facts = provenance(x)
        name = facts.argument.name if facts.argument is not None else facts.primitive or "a value"
        return History(Node(name, facts.type_text))
    return History(_Walk(at._trace).node(at.variable))  # type: ignore[arg-type]


class _Walk:
    def __init__(self, trace: JaxprTrace) -> None:
        self.made: dict[Any, JaxprEqn] = {v: eqn for eqn in trace.eqns for v in eqn.outvars}
        names = (trace.debug.arg_names or ()) if trace.debug is not None else ()
        fits = len(names) == len(trace.invars)
        self.names = {v: names[i] if fits else f"argument {i}" for i, v in enumerate(trace.invars)}
        self.seen: set[Any] = set()

    def node(self, atom: Any) -> Node:
        """A variable or literal, with all that it was computed from. Steps of one expression are one node."""
        type_text = atom.aval.str_short()
        if hasattr(atom, "val"):
            return Node(str(atom.val), type_text)
        eqn = self.made.get(atom)
        if eqn is None:
            return Node(f"argument `{self.names[atom]}`" if atom in self.names else "a value from outside", type_text)
        expression = expression_at(eqn.position)
        span = resolve(eqn.position)
        text = expression.text if expression is not None and len(expression.text) <= 60 else eqn.primitive.name
        place = f"{shorten(span.filename)}:{span.line}" if span is not None else ""
        if atom in self.seen:
            return Node(text, type_text, place, again=True)
        self.seen.add(atom)
        inputs = self._inputs(eqn)
        operands = tuple([self.node(a) for a in inputs]) if len(self.seen) < MOST_NODES else ()
        return Node(text, type_text, place, operands)

    def _inputs(self, eqn: JaxprEqn) -> list[Any]:
        """The operands of an expression, which may be several equations."""
        found: dict[Any, None] = {}
        pending = list(eqn.invars)
        while pending:
            atom = pending.pop(0)
            if hasattr(atom, "val"):
                continue  # a number that stands in the expression itself
            inner = self.made.get(atom)
            if inner is not None and inner.place is not None and inner.place == eqn.place:
                pending += inner.invars
            else:
                found[atom] = None
        return list(found)
