"""The values of the variables, from the sizes of arguments: `2*b + 1` is 7, so `b` is 3."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from perspicax.core.symbolic import Monomial, Size, SymbolicSize, is_symbolic_dim, largest, polynomial, smallest
from perspicax.core.symbolic_errors import SymbolicShapeError
from perspicax.core.symbolic_scope import SymbolicScope

__all__ = ["Step", "plan", "scope_of", "solved_size", "substitute", "unknown_variables"]


class Step(NamedTuple):
    """How one variable is found: `variable = (size of argument - rest) / factor`.

    Attributes:
        variable: its name.
        argument, axis: whose size, where.
        size: what the size is, in variables.
        rest: the size without the variable's term, in variables found before.
        factor: the variable's coefficient.
    """

    variable: str
    argument: int
    axis: int
    size: SymbolicSize
    rest: Size
    factor: int


def scope_of(shapes: Sequence[Sequence[Size]]) -> SymbolicScope | None:
    """The scope of the symbolic sizes in these shapes; the first one's, should there be several."""
    return next((n.scope for shape in shapes for n in shape if type(n) is SymbolicSize), None)


def plan(shapes: Sequence[Sequence[Size]]) -> list[Step]:
    """How the variables in the shapes of arguments are found from their sizes.

    Each is found from a size in which it is the only unknown, and linear. What cannot be found is missing in the result.
    """
    sizes = [(i, axis, n) for i, shape in enumerate(shapes) for axis, n in enumerate(shape) if type(n) is SymbolicSize]
    steps: list[Step] = []
    known: set[str] = set()
    progress = True
    while progress:
        progress = False
        for argument, axis, size in sizes:
            step = _step(argument, axis, size, known)
            if step is not None:
                steps.append(step)
                known.add(step.variable)
                progress = True
    return steps


def _step(argument: int, axis: int, size: SymbolicSize, known: set[str]) -> Step | None:
    unknown = size.variables - known
    if len(unknown) != 1:
        return None
    variable, = unknown
    rest: dict[Monomial, int] = {}
    factor = 0
    for monomial, n in size.terms:
        if len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0].name == variable:
            factor = n
        elif any(atom.name == variable or _mentions(atom.operands, variable) for atom, _ in monomial):
            return None
        else:
            rest[monomial] = n
    return None if factor == 0 else Step(variable, argument, axis, size, polynomial(size.scope, rest), factor)


def _mentions(operands: Sequence[Size], variable: str) -> bool:
    return any(variable in o.variables for o in operands if type(o) is SymbolicSize)


def unknown_variables(shapes: Sequence[Sequence[Size]], steps: Sequence[Step]) -> list[str]:
    """The variables in these shapes that the plan does not find."""
    found = {step.variable for step in steps}
    mentioned = {name for shape in shapes for n in shape if type(n) is SymbolicSize for name in n.variables}
    return sorted(mentioned - found)


def solved_size(step: Step, size: Size, values: Mapping[str, Size]) -> Size:
    """The value of the step's variable, where the argument has `size`.

    Raises:
        SymbolicShapeError: it is no integer from 1 up.
    """
    rest = substitute(step.rest, values)
    total = size - rest
    value, left = total // step.factor, total % step.factor
    if not is_symbolic_dim(left) and left != 0:
        raise SymbolicShapeError(says=f"No `{step.variable}` makes the size `{step.size}` equal {size}.",
                                 why=f"{total} is not divisible by {step.factor}")
    if not is_symbolic_dim(value) and value < 1:
        raise SymbolicShapeError(says=f"The variable `{step.variable}` would be {value}.",
                                 why="each variable in a symbolic shape is at least 1")
    return value


def substitute(size: Size, values: Mapping[str, Any]) -> Size:
    """A size with these values in place of its variables: integers, or sizes of another scope."""
    if type(size) is not SymbolicSize:
        return size
    return size.evaluate(values, _SIZE_OPERATIONS)


_SIZE_OPERATIONS: dict[str, Any] = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": largest,
                                    "min": smallest}
