"""Tables of what a module consists of: `flax.linen.summary`."""
from __future__ import annotations

import dataclasses
import enum
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

import perspicax as jax
from perspicax import tree_util
from perspicax.diagnose import optional
from perspicax.flax.core import meta
from perspicax.flax.core.scope import CollectionFilter, DenyList
from perspicax.flax.linen.module_calls import InterceptorContext, intercept_methods
from perspicax.flax.linen.module_state import ModuleBase
from perspicax.flax.typing import SizeBytes, VariableDict

__all__ = ["Call", "Row", "Table", "calls_of", "module_paths", "tabulate"]

_MADE_BY_INIT = DenyList("intermediates")


@dataclasses.dataclass
class Call:
    """One call of a method of a module, as it was traced.

    Attributes:
        module: the module, not bound.
        path: the names on the way to it.
        method: the method's name.
        args: its arguments, with `jax.ShapeDtypeStruct` in place of arrays.
        kwargs: those by keyword.
        outputs: its result, likewise.
        rngs: the streams of random keys that it may draw from.
        function: where the method is none of the module's but a function of modules that was transformed, that function.
    """

    module: Any
    path: tuple[str, ...]
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any
    rngs: tuple[str, ...]
    function: Callable[..., Any] | None = None


@dataclasses.dataclass
class Row:
    """One line of a table.

    Attributes:
        path: the names on the way to the module.
        call: the call that the line shows.
        variables: by collection the variables that the line lists.
        counted: by collection the variables whose sizes it shows; below the depth of the table all of them.
    """

    path: tuple[str, ...]
    call: Call
    variables: dict[str, dict[str, Any]]
    counted: dict[str, Any]

    def size(self, collection: str) -> SizeBytes:
        """How much the line counts of a collection."""
        return SizeBytes.from_any(meta_free(self.counted.get(collection, {})))


@dataclasses.dataclass
class Table:
    """The lines of a table, and its collections in their order."""

    module: Any
    collections: list[str]
    rows: list[Row]


def meta_free(tree: Any) -> Any:
    """A tree with shapes instead of the boxes around them."""
    return meta.map_axis_meta(lambda box: meta_free(box.unbox(False) if isinstance(box, meta.Partitioned) else box.unbox()),
                              tree)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _shapes(tree: Any) -> Any:
    return tree_util.tree_map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype) if _is_array(x) else x, tree)


def calls_of(module: Any, rngs: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
             mutable: CollectionFilter) -> tuple[list[Call], VariableDict]:
    """The calls that `module.init` makes, the outer ones first, and the variables, as shapes. Nothing is computed.

    Args:
        module: the module.
        rngs: a random key for each stream, or one for `params`.
        args: for the call; what is no array is as it is.
        kwargs: those by keyword.
        mutable: the filter of collections that are made.
    """
    calls: list[Call] = []

    def note(method: Callable[..., Any], args: Any, kwargs: Any, context: InterceptorContext) -> Any:
        inner = context.module
        if context.method_name == "setup":
            return method(*args, **kwargs)
        unbound = inner.clone(parent=None, _deep_clone=True, _reset_names=True, name=None)
        call = Call(unbound, inner.path, context.method_name, _shapes(tuple(args)), _shapes(dict(kwargs)), None,
                    tuple(inner.scope.rngs))
        if not hasattr(type(inner), context.method_name):
            call.function = context.orig_method.func  # type: ignore[attr-defined]
        calls.append(call)
        result = method(*args, **kwargs)
        call.outputs = _shapes(result)
        return result

    leaves, structure = tree_util.tree_flatten((args, kwargs))
    traced = [leaf for leaf in leaves if _is_array(leaf)]

    def run(rngs: Any, traced: list[Any]) -> Any:
        given = iter(traced)
        args, kwargs = tree_util.tree_unflatten(structure, [next(given) if _is_array(leaf) else leaf for leaf in leaves])
        with intercept_methods(note):
            return module.init(rngs, *args, mutable=mutable, **kwargs)

    variables = jax.eval_shape(run, rngs, traced)
    return calls, variables


def module_paths(module: Any, rngs: Any, args: tuple[Any, ...], kwargs: dict[str, Any], show_repeated: bool,
                 mutable: CollectionFilter) -> dict[str, Any]:
    """The modules that a call uses by path, not bound; see `Module.module_paths`."""
    del show_repeated  # a path is one key, however often its module is called
    calls, _ = calls_of(module, rngs, args, kwargs, mutable)
    found: dict[str, Any] = {}
    for call in calls:
        found.setdefault("/".join(call.path), call.module)
    return found


def _table(module: Any, calls: list[Call], variables: VariableDict, depth: int | None, show_repeated: bool) -> Table:
    places = {call.path for call in calls}
    if not show_repeated:  # the first call of a method stands for its module, and is looked at before functions of modules
        methods = {call.path for call in calls if call.function is None}
        calls = [call for call in calls if call.function is None or call.path not in methods]
    rows: list[Row] = []
    seen: set[tuple[str, ...]] = set()
    for call in calls:
        again = call.path in seen
        if (depth is not None and len(call.path) > depth) or (again and not show_repeated):
            continue
        seen.add(call.path)
        at_limit = depth is not None and len(call.path) == depth
        listed: dict[str, dict[str, Any]] = {}
        counted: dict[str, Any] = {}
        if not again:
            for collection, tree in variables.items():
                here = _at(tree, call.path)
                own = {name: value for name, value in here.items() if (*call.path, name) not in places}
                listed[collection] = own
                counted[collection] = here if at_limit else own
        rows.append(Row(call.path, call, listed, counted))
    return Table(module, sorted(variables), rows)


def _at(tree: Any, path: tuple[str, ...]) -> Mapping[str, Any]:
    for name in path:
        tree = tree.get(name, {}) if isinstance(tree, Mapping) else {}
    return tree if isinstance(tree, Mapping) else {}


# How values are shown


def _lines(value: Any) -> list[str]:
    """A value as lines of text: trees as lists and names, arrays as their types."""
    value = _plain(value)
    if isinstance(value, dict) and value:
        lines = []
        for name, inner in value.items():
            shown = _lines(inner)
            nested = isinstance(_plain(inner), (dict, tuple)) and bool(_plain(inner))
            indent = "" if isinstance(_plain(inner), tuple) else "  "
            lines += [f"{name}:", *[indent + line for line in shown]] if nested else [f"{name}: {shown[0]}"]
        return lines
    if isinstance(value, tuple) and value:
        lines = []
        for inner in value:
            first, *rest = _lines(inner)
            lines += [f"- {first}", *[f"  {line}" for line in rest]]
        return lines
    return ["{}" if value == {} else "[]" if value == () else str(value)] if isinstance(value, (dict, tuple)) else [value]


def _plain(value: Any) -> Any:
    """A value as dicts, tuples and texts."""
    if isinstance(value, meta.Partitioned):
        names = ", ".join(str(name) for name in value.names)
        return f"{_plain(value.value)} P({names})"
    if _is_array(value):
        return f"{jax.numpy.dtype(value.dtype).name if not _is_key(value) else value.dtype}" \
               f"[{','.join(str(n) for n in value.shape)}]"
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _plain(inner) for name, inner in zip(value._fields, value, strict=True)}
    if isinstance(value, (list, tuple)):
        return tuple([_plain(inner) for inner in value])
    if isinstance(value, ModuleBase):
        return type(value).__name__
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return getattr(value, "__name__", None) or str(value)


def _is_key(value: Any) -> bool:
    return jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)


def _inputs(call: Call) -> Any:
    if call.kwargs:
        return (*call.args, call.kwargs) if call.args else call.kwargs
    return call.args[0] if len(call.args) == 1 else call.args


# Operations


def _flops(call: Call, variables: VariableDict, derivative: bool) -> int:
    """How many floating-point operations XLA counts for a call; or for its result and the derivative together.

    As in Flax: before any optimisation, and with the result itself for its cotangent.
    """
    own: dict[str, Any] = {collection: dict(_at(tree, call.path)) for collection, tree in variables.items()}
    own = {collection: tree for collection, tree in own.items() if tree}
    leaves, structure = tree_util.tree_flatten((call.args, call.kwargs))
    shaped = [leaf for leaf in leaves if _is_array(leaf)]
    keys = {name: jax.eval_shape(lambda: jax.random.key(0)) for name in call.rngs}

    def run(own: Any, shaped: Any, keys: Any) -> Any:
        given = iter(shaped)
        args, kwargs = tree_util.tree_unflatten(structure, [next(given) if _is_array(leaf) else leaf for leaf in leaves])
        result = call.module.apply(own, *args, **kwargs, rngs=keys, method=call.function or call.method, mutable=True)
        return [leaf for leaf in tree_util.tree_leaves(result) if _is_array(leaf)]

    def with_derivative(own: Any, shaped: Any, keys: Any) -> Any:
        result, pullback = jax.vjp(lambda own, shaped: run(own, shaped, keys), own, shaped)
        return pullback([leaf if jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact) else
                         np.zeros(leaf.shape, jax.dtypes.float0) for leaf in result])

    cost = jax.jit(with_derivative if derivative else run).lower(own, shaped, keys).cost_analysis()
    return int((cost or {}).get("flops", 0))


# The table


def tabulate(module: Any, rngs: Any, depth: int | None = None, show_repeated: bool = False,
             mutable: CollectionFilter = _MADE_BY_INIT, console_kwargs: Mapping[str, Any] | None = None,
             table_kwargs: Mapping[str, Any] = MappingProxyType({}),
             column_kwargs: Mapping[str, Any] = MappingProxyType({}), compute_flops: bool = False,
             compute_vjp_flops: bool = False, **kwargs: Any) -> Callable[..., str]:
    """A table of the modules that a call uses, with their inputs, outputs and variables. Nothing is computed.

    Args:
        module: the module.
        rngs: a random key for each stream, or one for `params`.
        depth: how deep the table goes; below that it shows sizes alone.
        show_repeated: whether modules come again when they are called again.
        mutable: the filter of collections that are made.
        console_kwargs: for `rich.console.Console`.
        table_kwargs: for `rich.table.Table`.
        column_kwargs: for `rich.table.Table.add_column`.
        compute_flops: whether to show how many floating-point operations XLA counts for each call.
        compute_vjp_flops: the same for each call together with its derivative.
        **kwargs: for the call.

    Returns:
        A function of the call's arguments (arrays, or `jax.ShapeDtypeStruct`), which returns the table as text.

    Raises:
        MissingPackageError: `rich` is not installed.

    >>> print(nn.tabulate(nn.Dense(4), jax.random.key(0))(jnp.ones((1, 3))))
    """
    def tabulated(*args: Any, **call_kwargs: Any) -> str:
        calls, variables = calls_of(module, rngs, args, {**kwargs, **call_kwargs}, mutable)
        table = _table(module, calls, variables, depth, show_repeated)
        counts = [flag for flag, wanted in ((False, compute_flops), (True, compute_vjp_flops)) if wanted]
        flops = [[str(_flops(row.call, variables, flag)) for flag in counts] for row in table.rows]
        return _drawn(table, flops, counts, console_kwargs, table_kwargs, column_kwargs)

    return tabulated


def _drawn(table: Table, flops: list[list[str]], counts: list[bool], console_kwargs: Mapping[str, Any] | None,
           table_kwargs: Mapping[str, Any], column_kwargs: Mapping[str, Any]) -> str:
    rich_table = optional("rich.table", extra="terminal", needed_for="`tabulate`")
    rich_console = optional("rich.console", extra="terminal", needed_for="`tabulate`")
    rich_text = optional("rich.text", extra="terminal", needed_for="`tabulate`")
    rich_markup = optional("rich.markup", extra="terminal", needed_for="`tabulate`")

    def text(value: Any) -> str:
        return str(rich_markup.escape("\n".join(_lines(value))))

    drawn = rich_table.Table(show_header=True, show_lines=True,
                             title=f"{type(table.module).__name__} Summary", **table_kwargs)
    heads = ["path", "module", "inputs", "outputs", *["vjp_flops" if flag else "flops" for flag in counts],
             *table.collections]
    for head in heads:
        drawn.add_column(head, **column_kwargs)
    for row, numbers in zip(table.rows, flops, strict=True):
        empty = row.call.args == () and not row.call.kwargs
        name = type(row.call.module).__name__
        if row.call.method != "__call__":
            name += f" ({row.call.method})"
        drawn.add_row("/".join(row.path), name, "" if empty else text(_inputs(row.call)),
                      text(row.call.outputs), *numbers,
                      *[_cell(row, collection, rich_markup.escape) for collection in table.collections])
    total = [SizeBytes(0, 0) for _ in table.collections]
    for row in table.rows:
        total = [so_far + row.size(collection) for so_far, collection in zip(total, table.collections, strict=True)]
    drawn.add_row(*[""] * (3 + len(counts)), rich_text.Text.from_markup("Total", justify="right"),
                  *[f"[bold]{size}[/bold]" for size in total])
    drawn.caption_style = "bold"
    drawn.caption = f"\nTotal Parameters: {sum(total, SizeBytes(0, 0))}"
    console = rich_console.Console(**{"force_terminal": True, "force_jupyter": False, **(console_kwargs or {}),
                                      "file": io.StringIO()})
    with console.capture() as captured:
        console.print(drawn)
    return f"\n{captured.get()}\n"


def _cell(row: Row, collection: str, escape: Callable[[str], str]) -> str:
    size = row.size(collection)
    if not size:
        return ""
    entries = row.variables.get(collection)
    nested = any(isinstance(value, Mapping) for value in (entries or {}).values())
    parts = [escape("\n".join(_lines(entries)))] if entries and not nested else []
    return "\n\n".join([*parts, f"[bold]{size}[/bold]"])
