"""Errors of linear algebra: matrices that are not square, sizes that do not go together, what a platform does not have."""
from __future__ import annotations

from typing import Any

from perspicax.core.config import local
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import callee_at, operands_at
from perspicax.lax.errors import OperationError

LONGEST_NAME = 40
OWN = "lax.linalg."


def called(error: PerspicaxError, function: str) -> str:
    """What the user called: the function of a module at the error's place, as it is written there.

    Args:
        error: the error.
        function: who found it. Functions of NumPy's and SciPy's modules say their own names, which stand; a decomposition
            is often at work for another function (`jnp.linalg.eig`, `jsp.linalg.sqrtm`), which the user knows.
    """
    if not function.startswith(OWN) or error.position is None:
        return function
    return callee_at(error.position) or function


def _does(function: str, name: str) -> bool:
    """Whether what the user calls `name` is the decomposition `function` itself, not one that uses it."""
    return function.rpartition(".")[2] == name.rpartition(".")[2]


def _example(error: PerspicaxError, code: str, name: str) -> str:
    """A line of code with the user's words for `{f}`, the function called, and `{a}`, its argument."""
    found = operands_at(error.position) if error.position is not None else None
    text = found[0].text if found and _does(found.operation, name) else ""
    return code.replace("{f}", name).replace("{a}", text if 0 < len(text) <= LONGEST_NAME else "a")


def _operands(error: PerspicaxError, function: str, count: int) -> tuple[tuple[str, Any], ...]:
    """(what the user calls it, its span) of each operand of the call that failed; where unknown, by position."""
    found = operands_at(error.position) if error.position is not None else None
    known = found is not None and found.operation == function.rpartition(".")[2] and len(found) >= count
    rows = []
    for i in range(count):
        text = found[i].text if known and found is not None else ""
        plain = text and len(text) <= LONGEST_NAME and "\n" not in text
        ordinal = ("1st", "2nd", "3rd")[i] if i < 3 else f"{i + 1}th"
        name = f"`{text}`" if plain else "the argument" if count == 1 else f"the {ordinal} argument"
        rows.append((name, found[i].span if known and found is not None else None))
    return tuple(rows)


class SquareMatrixError(OperationError):
    """A function of square matrices was given another array.

    Attributes:
        function: what was called, `jnp.linalg.inv`.
        aval: type of the operand.
        index: which operand it is.
        count: how many operands there are.
    """

    function: str
    aval: Any
    index: int = 0
    count: int = 1

    @property
    def report(self) -> Report:
        name, span = _operands(self, self.function, self.count)[self.index]
        text = self.aval.str_short()
        labels = (Label(span, text),) if span is not None else ()
        if self.aval.ndim < 2:
            axes = {0: "no axes", 1: "one axis"}[self.aval.ndim]
            return Report(says=f"`{self.function}` was given {name}, {text}, which has {axes}.", labels=labels,
                          why="it takes a square matrix, or a stack of them: an array [..., n, n]")
        return Report(says=f"`{self.function}` needs square matrices, and {name} is not:\n{draw_matrix(text)}",
                      labels=labels, why="the last two axes are the rows and columns of the matrices, and must be equal: "
                                         f"here {self.aval.shape[-2]} and {self.aval.shape[-1]}",
                      fixes=_square_fixes(self.function, _code(name, "x"), self.aval.shape))


def draw_matrix(text: str) -> str:
    """A type, with marks below its last two axes."""
    head = text[:-1]
    start = head.rfind(",", 0, head.rfind(","))
    start = start + 1 if start >= 0 else head.index("[") + 1
    return f"    {text}\n    {' ' * start}{'^' * (len(text) - 1 - start)}"


def _code(name: str, otherwise: str) -> str:
    """What the user calls an operand, for a line of code."""
    return name.strip("`") if name.startswith("`") else otherwise


def _square_fixes(function: str, name: str, shape: tuple[int, ...]) -> tuple[Fix, ...]:
    if function in ("jnp.linalg.inv", "jsp.linalg.inv"):
        turned = [*shape[:-2], shape[-1], shape[-2]]
        return (Fix(f"take the pseudo-inverse, whose shape is {turned}", code=f"jnp.linalg.pinv({name})"),)
    if function.endswith((".eigvals", ".eigvalsh", ".eigh", ".eig")):
        return (Fix("take singular values", code=f"jnp.linalg.svdvals({name})"),)
    return ()


class MatrixShapeError(OperationError):
    """The arrays given to a function of linear algebra have shapes that it does not take, or that do not go together.

    Attributes:
        function: what was called, `jnp.linalg.solve`.
        avals: types of the operands.
        why: the rule that is broken.
        index: the operand concerned, where it is one.
        use: code to write instead, with `{0}`, `{1}`, … for the operands.
        use_why: what that does.
    """

    function: str
    avals: tuple[Any, ...]
    why: str
    index: int | None = None
    use: str = ""
    use_why: str = ""

    @property
    def report(self) -> Report:
        rows = _operands(self, self.function, len(self.avals))
        labels = tuple([Label(span, a.str_short()) for (_, span), a in zip(rows, self.avals) if span is not None])
        if len(rows) == 1 or self.index is not None:
            i = self.index or 0
            says = f"`{self.function}` cannot take {rows[i][0]}, {self.avals[i].str_short()}."
        else:
            width = max([len(name) for name, _ in rows])
            drawn = "\n".join([f"    {name:<{width}}  {a.str_short()}" for (name, _), a in zip(rows, self.avals)])
            says = f"The arguments of `{self.function}` do not go together:\n{drawn}"
        names = [_code(name, "abc"[i] if i < 3 else "x") for i, (name, _) in enumerate(rows)]
        fixes = (Fix(self.use_why, code=self.use.format(*names)),) if self.use else ()
        return Report(says=says, labels=labels, why=self.why, fixes=fixes)


class MatrixDtypeError(OperationError):
    """A function of linear algebra is not defined for a dtype.

    Attributes:
        function: what was called.
        type_text: type of the operand.
        accepts: the dtypes that it takes, in words.
    """

    function: str
    type_text: str
    accepts: str = "floating and complex arrays"

    @property
    def report(self) -> Report:
        integer = self.type_text.startswith(("int", "uint", "bool"))
        fixes = (Fix("make it floating first", code="x.astype(float)"),) if integer else ()
        return Report(says=f"`{called(self, self.function)}` is not defined for {self.type_text}.",
                      why=f"it takes {self.accepts}", fixes=fixes)


class NoKernelError(PerspicaxError, NotImplementedError, ValueError):  # JAX raises ValueError for a choice of `eig`
    """A decomposition cannot be computed in the way that was asked for on this platform, or in this precision.

    Attributes:
        function: what was called.
        platform: where it should run.
        missing: what is not there.
        why: the reason.
        use: what may be written instead; `{a}` stands for the argument.
    """

    function: str
    platform: str
    missing: str
    why: str
    use: str = ""

    @property
    def report(self) -> Report:
        name = called(self, self.function)
        return Report(says=f"`{name}` has {self.missing} on the platform `{self.platform}`.", why=self.why,
                      fixes=(Fix(code=_example(self, self.use, name)),) if self.use else ())


class NotDifferentiableError(PerspicaxError, NotImplementedError):
    """A result of a decomposition has no derivative, or none that is well defined.

    Attributes:
        function: what was differentiated.
        what: which of its results.
        why: the reason.
        use: what may be written instead; `{f}` stands for the function that was called, `{a}` for its argument.
        use_why: what that does.
        rather: another thing to write, `(what it does, code)`.
    """

    function: str
    what: str
    why: str
    use: str = ""
    use_why: str = ""
    rather: tuple[str, str] | None = None

    def __init__(self, *args: Any, **fields: Any) -> None:
        fields.setdefault("position", local.place)  # of the equation, while a staged function is differentiated
        super().__init__(*args, **fields)

    @property
    def report(self) -> Report:
        name = called(self, self.function)
        says = (f"The derivative of {self.what} of `{name}` was asked for, and there is none."
                if _does(self.function, name) else
                f"The derivative of `{name}` was asked for; it is made from {self.what}, and there is none of that.")
        choices = ([(self.use_why, self.use)] if self.use else []) + ([self.rather] if self.rather is not None else [])
        return Report(says=says, why=self.why, fixes=tuple([Fix(why, code=_example(self, code, name))
                                                            for why, code in choices]))


class DecompositionOptionError(PerspicaxError, ValueError):
    """An option of a decomposition has a value that it does not take, or that does not go with the others.

    Attributes:
        function: what was called.
        option: the argument, with its value as it was given.
        why: what it takes.
    """

    function: str
    option: str
    why: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{called(self, self.function)}` was given {self.option}.", why=self.why)


class UnsupportedOptionError(PerspicaxError, NotImplementedError):
    """An option exists for the sake of a signature, and has no implementation.

    Attributes:
        function: what was called.
        option: the argument, with its value.
        why: the reason.
        use: what may be written instead.
    """

    function: str
    option: str
    why: str
    use: str = ""

    @property
    def report(self) -> Report:
        return Report(says=f"`{called(self, self.function)}` does not support {self.option}.", why=self.why,
                      fixes=(Fix(code=self.use),) if self.use else ())
