"""What the primitives of linear algebra share: their checks, their batching, and calls of native kernels.

On the CPU the kernels are LAPACK's, which jaxlib brings; they are registered when the first program needs them. They
want matrices stored by columns, say by an `info` word for each matrix whether they failed, and overwrite operands. A
failed matrix becomes NaN.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.primitive import OfPrimitive, Primitive
from perspicax.core.promotion import lattice_result
from perspicax.core.tracer import get_aval
from perspicax.lax.convert import convert
from perspicax.lax.families import kind
from perspicax.lax.linalg.errors import MatrixDtypeError, MatrixShapeError, NoKernelError, SquareMatrixError
from perspicax.lax.operand import operand
from perspicax.transform.batch import BatchAxis, to_axis

LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
COMPLEX_NAMES = {"syevd": "heevd", "orgqr": "ungqr", "ormqr": "unmqr", "sytrd": "hetrd"}
GPUS = {"cuda": "cu", "gpu": "cu", "rocm": "hip"}


def type_of(x: Any) -> Any:
    """The type of an operand."""
    return get_aval(x)


# -- checks

def check_matrix(function: str, a: Any, index: int = 0, accepts: str = "fc") -> None:
    """Refuse what is no matrix of floating or complex numbers, or a stack of them.

    Raises:
        MatrixDtypeError: its dtype is not of the kinds in `accepts`.
        MatrixShapeError: it has less than two axes.
    """
    check_dtype(function, a, accepts)
    if a.ndim < 2:
        raise MatrixShapeError(function=function, avals=(a,),
                               why="it takes a matrix, or a stack of matrices: an array [..., m, n]")


def check_dtype(function: str, a: Any, accepts: str = "fc") -> None:
    """Refuse a dtype whose kind is not in `accepts`."""
    if kind(a.dtype) not in accepts:
        words = {"f": "real floating arrays", "fc": "floating and complex arrays"}
        raise MatrixDtypeError(function=function, type_text=a.str_short(), accepts=words[accepts])


def check_square(function: str, a: Any, index: int = 0, count: int = 1) -> None:
    """Refuse what is no square matrix of floating or complex numbers, or a stack of them.

    Raises:
        MatrixDtypeError: it has another dtype.
        SquareMatrixError: it has less than two axes, or the last two differ.
    """
    check_dtype(function, a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise SquareMatrixError(function=function, aval=a, index=index, count=count)


def check_one_dtype(function: str, avals: Sequence[Any]) -> None:
    """Refuse operands of different dtypes."""
    if any(a.dtype != avals[0].dtype for a in avals):
        raise MatrixShapeError(function=function, avals=tuple(avals),
                               why="their dtypes differ, and functions of lax do not promote")


def check_stacks(function: str, avals: Sequence[Any], ranks: Sequence[int]) -> None:
    """Refuse operands that have too few axes, or whose leading axes differ.

    Args:
        ranks: the axes of one entry of each operand: 2 for a matrix, 1 for a vector.
    """
    names = {1: "a vector", 2: "a matrix"}
    for i, (a, rank) in enumerate(zip(avals, ranks)):
        if a.ndim < rank:
            raise MatrixShapeError(function=function, avals=tuple(avals), index=i,
                                   why=f"it takes {names[rank]} here, or a stack: {rank} axes at least")
    stacks = [a.shape[:a.ndim - rank] for a, rank in zip(avals, ranks)]
    if any(s != stacks[0] for s in stacks):
        raise MatrixShapeError(function=function, avals=tuple(avals),
                               why="all have the same leading axes; here these are "
                                   + ", ".join([str(list(s)) for s in stacks]))


def promoted(function: str, *xs: Any) -> list[Any]:
    """Operands of a function of lax with their common dtype, the weak ones made like the others."""
    values = [operand(x) for x in xs]
    avals: list[Any] = [get_aval(x) for x in values]
    if len({(a.dtype, a.weak_type) for a in avals}) == 1:
        return values
    dtype, weak = lattice_result([a.dtype for a in avals], [a.weak_type for a in avals])
    strong = {a.dtype for a in avals if not a.weak_type}
    if len(strong) > 1:
        check_one_dtype(function, avals)
    return [convert(x, dtype, weak) for x in values]


# -- batching

def _stacked(primitive: Primitive) -> Callable[..., Any]:
    def batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[Any, Any]:
        moved = [to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)]
        out = primitive(*moved, **params)
        return (out, [0] * len(out)) if primitive.multiple_results else (out, 0)

    return batch


STACKED = OfPrimitive(_stacked)
"""The batching rule of a primitive that works on stacks of matrices: the new axis becomes the first."""


# -- native kernels

class GpuKernel:
    """A native kernel of GPUs: its target, `solver_potrf_ffi` or `_cholesky_update_ffi`, and its attributes' text."""

    __slots__ = ("config", "target")

    def __init__(self, target: str, config: str = "") -> None:
        self.target, self.config = target, config


def native_call(b: Any, function: str, routine: str, config: str, operands: Sequence[Any], outs: Sequence[Any], *,
                ranks: Sequence[int], aliases: dict[int, int], gpu: GpuKernel | None = None) -> list[Any]:
    """Emit a call of a native kernel on a stack of matrices.

    Args:
        function: what the user called, for reports.
        routine: LAPACK's name without its first letter, that of the real routine: `syevd`; or a whole target.
        config: the text of the attributes on the CPU.
        outs: types of all results.
        ranks: the axes of one entry of each operand, then of each result; those with two are stored by columns.
        aliases: results that overwrite operands, `{operand: result}`.
        gpu: the kernel on GPUs.
    """
    platform, dtype = b.module.platform, operands[0].dtype
    letter = LETTERS.get(dtype.name, "")
    if not letter and kind(dtype) in "fc":
        raise NoKernelError(function=function, platform=platform, missing=f"no kernel for {dtype}",
                            why="kernels exist for float32, float64, complex64 and complex128",
                            use="{a}.astype(jnp.float32)", position=b.place)
    layouts = [layout(v.aval if hasattr(v, "aval") else v, rank) for v, rank in zip([*operands, *outs], ranks)]
    places: dict[str, Any] = dict(operand_layouts=layouts[:len(operands)], result_layouts=layouts[len(operands):],
                                  aliases=aliases)
    if b.module.num_partitions > 1:
        places["discardable"] = _spread_over_devices([getattr(v, "aval", v).shape for v in (*operands, *outs)], len(operands),
                                                     ranks)
    if platform == "cpu":
        name = COMPLEX_NAMES.get(routine, routine) if letter in "cz" else routine
        target = name if name.endswith("_ffi") else f"lapack_{letter}{name}_ffi"
        return b.custom_call(target, operands, list(outs), config=config, native="lapack", **places)
    if platform in GPUS and gpu is not None:
        return b.custom_call(GPUS[platform] + gpu.target, operands, list(outs), config=gpu.config, **places)
    raise NoKernelError(function=function, platform=platform, missing="no kernel", position=b.place,
                        why="this decomposition runs on the CPU"
                            + (" and on GPUs" if gpu is not None else "; move the matrix there, or use jax.pure_callback"))


def _spread_over_devices(shapes: Sequence[tuple[int, ...]], operands: int, ranks: Sequence[int]) -> str:
    """Attributes by which the partitioner splits a stack: each device calls the kernel for its own matrices.

    The leading axes of all operands and results are one factor each in Shardy's rule; all other axes are by themselves.
    """
    stack = len(shapes[0]) - ranks[0]
    if not stack or any(len(s) - r != stack for s, r in zip(shapes, ranks)):
        return ""
    sizes = list(shapes[0][:stack])
    mappings = []
    for shape in shapes:
        own = range(len(sizes), len(sizes) + len(shape) - stack)
        sizes += shape[stack:]
        mappings.append(f"[{', '.join([_factor(i) for i in (*range(stack), *own)])}]")
    numbers = ", ".join([f"{_factor(i)}={n}" for i, n in enumerate(sizes)])
    return (f'mhlo.frontend_attributes = {{num_batch_dims = "{stack}"}}, sdy.sharding_rule = #sdy.op_sharding_rule<('
            f"{', '.join(mappings[:operands])})->({', '.join(mappings[operands:])}) {{{numbers}}}, custom>")


def _factor(index: int) -> str:
    """The name of a factor in Shardy's notation: i, j, …, z, z_1, z_2, …"""
    return "ijklmnopqrstuvwxyz"[index] if index < 18 else f"z_{index - 17}"


def layout(aval: Any, rank: int) -> list[int]:
    """Axes from minor to major: matrices by columns, everything else by rows."""
    n = len(aval.shape)
    order = list(range(n - 1, -1, -1))
    if rank == 2:
        order[:2] = [n - 2, n - 1]
    return order


def u8(letter: str) -> str:
    """A letter as LAPACK's kernels take it."""
    return f"{ord(letter)} : ui8"


def info_type(stack: Sequence[int]) -> ShapedArray:
    """The type of what says of each matrix how it went."""
    return ShapedArray(tuple(stack), np.dtype(np.int32))


def nan_where_failed(b: Any, info: Any, results: Sequence[Any], direction: str = "EQ") -> list[Any]:
    """Results with NaN for the matrices that failed; `direction` says how the words of those that went well compare to 0."""
    went_well = b.compare(info, b.constant(0, info.aval), direction, "SIGNED")
    n = info.ndim
    return [b.select(b.broadcast(went_well, x.shape, range(n)), x, b.constant(_nan(x.dtype), x.aval)) for x in results]


def _nan(dtype: Any) -> Any:
    return complex(np.nan, np.nan) if kind(dtype) == "c" else np.nan


def empty_results(b: Any, outs: Sequence[Any]) -> list[Any]:
    """Results for a stack without elements: an identity where a matrix is left, zeros for anything else."""
    return [identity(b, a) if a.ndim >= 2 and a.shape[-1] == a.shape[-2] else b.constant(0, a) for a in outs]


def identity(b: Any, aval: ShapedArray) -> Any:
    """A stack of identity matrices."""
    return b.convert(triangle_mask(b, aval, "EQ", 0), aval.dtype)


def triangle_mask(b: Any, aval: Any, direction: str, offset: int) -> Any:
    """Where `row + offset` compares to `column` as `direction` says: EQ, GE (the lower triangle), LE, …"""
    counter = ShapedArray(tuple(aval.shape), np.dtype(np.int32))
    n = len(aval.shape)
    row, column = (b.hlo("iota", [], counter, f"iota_dimension = {axis} : i64") for axis in (n - 2, n - 1))
    if offset:
        row = b.op("add", [row, b.constant(offset, counter)], counter)
    return b.compare(row, column, direction, "SIGNED")


__all__ = ["STACKED", "GpuKernel", "check_dtype", "check_matrix", "check_one_dtype", "check_square", "check_stacks",
           "empty_results", "identity", "info_type", "layout", "nan_where_failed", "native_call", "promoted",
           "triangle_mask", "type_of", "u8"]
