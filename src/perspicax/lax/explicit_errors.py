"""What is said where the types of operands do not tell how a result lies over explicit axes of a mesh."""
from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.place import Place
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import Operands, callee_at, imported_as, operands_at
from perspicax.lax.errors import operand_labels
from perspicax.xla.explicit import part_text
from perspicax.xla.partition import names_in
from perspicax.xla.sharding_errors import drawing

__all__ = ["ConstraintMismatchError", "ShardingTypeError", "SplitRowsError", "operation_words"]

LONGEST_NAME = 30
_PRODUCTS = frozenset(("dot", "dot_general", "einsum", "inner", "matmul", "matvec", "outer", "tensordot", "vdot", "vecdot",
                       "vecmat"))
"""Functions whose users say their name, and not that of the operation that makes the product."""
_TAKES_IT = {"gather": "`{x}.at[...].get(out_sharding=...)`", "dot_general": "`out_sharding=`", "reshape": "`out_sharding=`",
             "conv_general_dilated": "`out_sharding=`"}


class ShardingTypeError(PerspicaxError, ValueError, NotImplementedError):  # JAX raises one, the other, or a plain Exception
    """An operation on arrays that are split over explicit axes of a mesh, and no one way in which its result lies.

    Attributes:
        operation: the operation.
        kind: "twice" (one mesh axis would split two axes of the result), "disagree" (operands are split differently along
            an axis), "contracted" (both operands are split along the axes that are summed), "along" (it works along an
            axis that is split), "sum" (an operand is a sum that has not been made yet), "asked" (such a sum is asked for, and
            another is made), "reduced" and "marks" (an operand's cotangent is such a sum, which the operation cannot hand on,
            or not with the other operands), "meshes" (operands are split over different meshes), "uneven" (an axis of the
            result is no multiple of its pieces), "reshape", "indices" or "rule" (nothing is known of it).
        avals: the types of the operands.
        index: the operand that stands in the way.
        axes: axes of this operand.
        others: for "disagree" and "contracted", the axes of the other operand.
        result: the type that the result would have, as it shows; may be empty.
        within: for "sum", "reduced" and "marks", inside of `shard_map`, the axes along which the operand is so marked there.
    """

    operation: str
    kind: str
    avals: tuple[Any, ...]
    index: int = 0
    axes: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    result: str = ""
    within: tuple[Any, ...] = ()

    @property
    def report(self) -> Report:
        names, labels = _named(self, self.avals)
        name, aval = names[self.index], self.avals[self.index]
        says, why = self._words(name, aval)
        if self.within or all(a.explicit is None for a in self.avals):  # one device's part, or wholes: there is nothing to draw
            return Report(says=says, labels=labels, why=why, fixes=tuple(self._fixes(name, aval)))
        drawn = "".join([f"\n    {n}, {a.str_short()}:\n{_indented(a)}" for n, a in zip(names, self.avals)
                         if a.explicit is not None])
        mesh = next(a.explicit.mesh for a in self.avals if a.explicit is not None)
        over = ", ".join([f"{n!r}: {s}" for n, s in mesh.shape_tuple])
        if self.kind == "meshes":
            other = ", ".join([f"{n!r}: {s}" for n, s in aval.explicit.mesh.shape_tuple])
            return Report(says=says, labels=labels, why=f"{why}: here ({over}) and ({other}), and {_listed(names, self.avals)} "
                          f"thus:{drawn}", fixes=tuple(self._fixes(name, aval)))
        return Report(says=says, labels=labels, why=f"{why}. Over the mesh ({over}), {_listed(names, self.avals)} thus:{drawn}",
                      fixes=tuple(self._fixes(name, aval)))

    def _words(self, name: str, aval: Any) -> tuple[str, str]:
        op, axes = operation_words(self), _axes_words(self.axes)
        match self.kind:
            case "twice":
                return (f"The result of `{op}` would be {self.result}, split twice along the same axis of the mesh.",
                        "an axis of the mesh splits one axis of an array at most: a device holds one piece")
            case "disagree":
                return (f"The operands of `{op}` are split differently along {axes} of {name}.",
                        "the result lies as its operands do, and these lie in two ways: one of them has to move")
            case "contracted":
                return (f"`{op}` sums along axes by which both operands are split, and how the result lies is left open.",
                        "the devices hold parts of the sum; these can be added up whole on each device, or in pieces")
            case "along":
                return (f"`{op}` works along {axes} of {name}, which is split over devices.",
                        f"each entry of the result needs all entries along {axes}, and no device has them")
            case "sum":
                return (f"`{op}` was given {name}, {aval.str_short()}, a sum over devices that has not been made yet.",
                        "only sums of such arrays can be told from the parts; anything else needs the values")
            case "asked":
                return (f"`{op}` was asked for a result that lies as {self.result}, and makes no such sum.",
                        "parts of a sum over devices come from operands that are split alike, by just these axes of the mesh, "
                        "along the axes that are summed")
            case "reduced":
                return (f"`{op}` was given {name}, {aval.str_short()}, whose cotangent is a sum over devices that is not made "
                        "yet.", "only operations whose transposition maps parts of a sum to parts of a sum keep such a mark")
            case "marks":
                return (f"`{op}` was given {name}, {aval.str_short()}, whose cotangent is a sum over devices that is not made "
                        "yet, and operands without this mark.",
                        "the cotangents of the other operands would have to be summed over devices, and nothing asks for that")
            case "meshes":
                return (f"The operands of `{op}` are split over different meshes.",
                        "a type speaks of the axes of one mesh")
            case "uneven":
                return (f"The result of `{op}` has an axis that {name} splits, and that cannot be split evenly"
                        f"{f': {self.result}' if self.result else ''}.",
                        "an explicit axis of a mesh makes equal pieces")
            case "reshape":
                return (f"{name[:1].upper()}{name[1:]}, of type {aval.str_short()}, cannot be reshaped to {self.result} "
                        "without being told how the result lies.",
                        "an axis that is split can be merged with those behind it, or taken apart in steps that its pieces "
                        "divide; anything else moves data between devices")
            case "indices":
                return (f"How the result of `{op}` lies is left open: {name} is split along {axes}, by which it is indexed.",
                        "any device may need entries of any other")
        return (f"`{op}` was given arrays that are split over explicit axes of a mesh, and what that makes of its result is "
                "not known.", "types follow the operations that have a rule for it, and this one has none")

    def _fixes(self, name: str, aval: Any) -> list[Fix]:
        plain = name.strip("`") if name.startswith("`") and len(name) <= LONGEST_NAME else "x"
        if self.kind == "meshes":
            return [Fix("put it onto the other mesh", code=f"jax.device_put({plain}, jax.NamedSharding(mesh, spec))")]
        found = []
        takes = _TAKES_IT.get(self.operation) or ("`{x}.at[...].set(..., out_sharding=...)`" if self.operation.startswith(
            "scatter") else None)
        told = _telling(self)
        if told:
            found.append(Fix("say how the result lies: here, whole on each device", code=told))
        elif takes is not None and self.kind in ("contracted", "reshape", "indices", "twice"):
            found.append(Fix(f"say how the result lies, by {takes.format(x=plain)}"))
        if aval.explicit is not None:
            parts = list(aval.explicit.spec.partitions)
            if self.within:
                axes = repr(self.within[0] if len(self.within) == 1 else self.within)
                return [Fix("make the sum first", code=f"{plain} = lax.psum({plain}, {axes})") if self.kind == "sum" else
                        Fix("take the mark off first", code=f'{plain} = lax.pcast({plain}, {axes}, to="varying")')]
            if self.kind in ("sum", "reduced", "marks"):
                told_of = "make the sum first" if self.kind == "sum" else "take the mark off first"
                return [Fix(told_of, code=f"{plain} = jax.reshard({plain}, {_spec_code(parts)})")]
            if self.kind == "asked":
                return [Fix("ask for that afterwards", code=f"jax.reshard(..., jax.{self.result})")]
            for i in self.axes or range(len(parts)):
                parts[i] = None
            code = f"jax.reshard({plain}, {_spec_code(parts)})"
            if not name.startswith("`") and _within_another(self):
                found.append(Fix("make the array whole along that axis before the call, by `jax.reshard`"))
            else:
                code = f"{plain} = {code}" if plain.isidentifier() else code
                found.append(Fix(f"make {name} whole there first", code=code))
        if self.kind in ("rule", "along", "uneven"):
            found.append(Fix("leave it to the compiler", code="jax.sharding.auto_axes(f, out_sharding=jax.P(...))(...)"))
        return found


def _within_another(error: ShardingTypeError) -> bool:
    """Whether the operation is within a function that the user called, whose arrays may have other axes."""
    called = callee_at(error.position) if error.position is not None else None
    return called is not None and called.rpartition(".")[2] != error.operation


_OF_ONE = frozenset((
    "argsort", "cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum", "dynamic_index_in_dim", "dynamic_slice",
    "dynamic_slice_in_dim", "flatten", "getitem", "index_in_dim", "pad", "ravel", "reduce_window", "repeat", "reshape", "slice",
    "roll", "slice_in_dim", "sort", "split", "take", "take_along_axis", "top_k", "with_sharding_constraint"))
"""Calls whose first operand is the array that the operation within gets."""
_UPDATES = frozenset(("add", "apply", "divide", "get", "max", "min", "mul", "multiply", "power", "set", "subtract"))


def _named(error: PerspicaxError, avals: Sequence[Any]) -> tuple[tuple[str, ...], tuple[Label, ...]]:
    """What the user calls the operands, and labels with their types."""
    names, labels = operand_labels(error, tuple([a.str_short() for a in avals]))
    written = operands_at(error.position) if error.position is not None else Operands()
    if written and written.operation == "getitem":
        labels = labels[:1]  # the index as it is gathered by has another shape
    if not written or not (_is_update(written) or (written.operation in _OF_ONE and not labels)):
        return names, labels
    first = _updated(written) if _is_update(written) else written[0]
    rest = [n if not labels else f"the {i} operand" for i, n in zip(("2nd", "3rd"), names[1:])]
    return (f"`{first.text}`", *rest), (Label(first.span, avals[0].str_short()),)


def _is_update(written: Operands) -> bool:
    """Whether it is `x.at[index].set(values)` or one of its like."""
    node = written[0].node
    return written.receiver and written.operation in _UPDATES and isinstance(node, ast.Subscript) and isinstance(
        node.value, ast.Attribute) and node.value.attr == "at"


def _updated(written: Operands) -> Expression:
    """What stands before `.at`."""
    node: Any = written[0].node
    return written[0].at(node.value.value)


def _telling(error: ShardingTypeError) -> str:
    """The user's operation with `out_sharding`, where it is written in a way that one can be given; else empty."""
    written = operands_at(error.position) if error.position is not None else Operands()
    texts = [o.text for o in written]
    if len(texts) != 2 or max(map(len, texts)) > LONGEST_NAME:
        return ""
    if written.operation == "getitem":
        return f"{texts[0]}.at[{texts[1]}].get(out_sharding=jax.P())"
    if written.operation == "matmul" and error.operation == "dot_general" and not written.keywords:
        numpy = imported_as(error.position, "numpy", "jnp") if error.position is not None else "jnp"
        return f"{numpy}.matmul({texts[0]}, {texts[1]}, out_sharding=jax.P())"
    return ""


def operation_words(error: Any) -> str:
    """The operation as the user wrote it; as it is called here, where it is within something else."""
    written = operands_at(error.position) if error.position is not None else Operands()
    if written and _is_update(written):
        return f"at[...].{written.operation}"
    if written.operation == "getitem" and len(written) == 2:
        return f"{written[0].text}[{written[1].text}]" if len(written[0].text) <= LONGEST_NAME else "x[index]"
    operator = _operator_words(error.position)
    if operator:
        return operator
    called = callee_at(error.position) if error.position is not None else None
    is_product = error.operation == "dot_general"
    if called is None:
        return written.operation if is_product and written.operation in _PRODUCTS else error.operation
    name = called.rpartition(".")[2]
    if name == error.operation or (is_product and name in _PRODUCTS):
        return called
    return f"{'matmul' if is_product else error.operation}` in `{called}"


def _operator_words(position: Place) -> str:
    """`a @ b`, where the place is that of an operator; the operator alone, where its operands are long; else nothing."""
    found = located(position) if position is not None else None
    if found is None or not isinstance(found.node, (ast.BinOp, ast.AugAssign)):
        return ""
    text = found.text
    if len(text) <= LONGEST_NAME and "`" not in text:
        return text
    sample = ast.BinOp(ast.Name("x"), found.node.op, ast.Name("y"))
    return ast.unparse(sample).removeprefix("x ").removesuffix(" y")


class SplitRowsError(PerspicaxError, ValueError):
    """A loop takes the rows of an array one after the other, and these are split over explicit axes of a mesh.

    Attributes:
        function: the body of the loop.
        name: the array.
        aval: its type.
    """

    function: str
    name: str
    aval: Any

    @property
    def report(self) -> Report:
        parts = [None, *self.aval.explicit.spec.partitions[1:]]
        return Report(says=f"`scan` goes through axis 0 of `{self.name}`, {self.aval.str_short()}, whose rows devices share.",
                      why="all devices run all rounds together, and each round takes one row, which only some of them have:\n"
                          f"{_indented(self.aval)}",
                      fixes=(Fix("make the rows whole first", code=f"jax.reshard(xs, {_spec_code(parts)})"),
                             Fix("compute all rows at once, where no round needs the one before",
                                 code=f"jax.vmap({self.function if self.function.isidentifier() else 'f'})(...)")))


class ConstraintMismatchError(PerspicaxError, AssertionError):
    """`with_sharding_constraint` over explicit axes of a mesh says otherwise than the array's type.

    Attributes:
        aval: the array's type.
        spec: what was said.
    """

    aval: Any
    spec: Any

    @property
    def report(self) -> Report:
        names, labels = _named(self, (self.aval,))
        own = self.aval.explicit.spec if self.aval.explicit is not None else "P()"
        name = names[0].strip("`") if names[0].startswith("`") else "x"
        return Report(says=f"`with_sharding_constraint` says {self.spec}, and {names[0]} lies as {own}.", labels=labels,
                      why="along explicit axes a type tells how an array lies, and a constraint can only confirm it",
                      fixes=(Fix("move it", code=f"jax.reshard({name}, {_spec_code(self.spec.partitions)})"),))


def _spec_code(parts: Sequence[Any]) -> str:
    while parts and parts[-1] is None:
        parts = parts[:-1]
    return f"jax.P({', '.join(map(repr, parts))})"


def _axes_words(axes: Sequence[int]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"the axes {', '.join(map(str, axes))}"


def _listed(names: Sequence[str], avals: Sequence[Any]) -> str:
    return "the operand lies" if sum(a.explicit is not None for a in avals) == 1 else "the operands lie"


def _indented(aval: Any) -> str:
    mesh, parts = aval.explicit.mesh, [names_in(p) for p in aval.explicit.spec.partitions]
    splits = [math.prod([mesh.shape[n] for n in names]) for names in parts]
    return "\n".join(["    " + line for line in drawing(aval.shape, parts, splits)])


def type_text(aval: Any, parts: Sequence[Any]) -> str:
    """A type as it would show were it split like this."""
    sizes = ",".join([f"{n}{part_text(p)}" for n, p in zip(aval.shape, parts)])
    return f"{aval.laid(None).str_short().split('[')[0]}[{sizes}]"
