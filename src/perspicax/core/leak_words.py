"""The words for a value that outlived its trace."""
from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from perspicax.core.provenance import Provenance
from perspicax.core.questions import definition_span
from perspicax.diagnose.expression import Expression
from perspicax.diagnose.files import source_file
from perspicax.diagnose.place import Place, Position, Span, resolve
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.diagnose.source import operands_at
from perspicax.diagnose.stores import Keeping

if TYPE_CHECKING:
    from perspicax.core.leaks import LeakedTracerError, UnexpectedTracerError

__all__ = ["end_report", "use_report"]

_HAS_AUX = ("grad", "value_and_grad", "vjp", "jvp", "linearize")


def _placeholder(origin: Provenance) -> str:
    """"a placeholder of type float32[4] from inside `network`"."""
    if origin.argument is not None:
        return f"a placeholder for the argument `{origin.argument.name}` of `{origin.function}`"
    inside = f" from inside `{origin.function}`" if origin.function else ""
    return f"a placeholder of type {origin.type_text}{inside}"


def _traced(origin: Provenance) -> str:
    return f"{origin.transform} has traced `{origin.function}`" if origin.function else "the function has been traced"


def _computed_label(origin: Provenance, taken: list[Span | None]) -> list[Label]:
    place = resolve(origin.place)
    if place is None or any(span is not None and (span.filename, span.line) == (place.filename, place.line)
                            and span.column == place.column for span in taken):
        return []
    return [Label(place, f"{origin.type_text} was computed here")]


def use_report(error: UnexpectedTracerError) -> Report:
    """The report of a value that was used after its trace."""
    origin, keeping = error.origin, error.keeping
    if origin is not None and error.elsewhere:
        return _elsewhere_report(error, origin)
    if origin is None or keeping is None:
        return Report(says="A value of a traced function was used after the function had been traced.")
    used = error.position
    says = (f"{_used_name(used, keeping)} has no value: it is {_placeholder(origin)}, kept after {_traced(origin)}.")
    used_span = resolve(used)
    primary = keeping.primary or used_span
    labels = [Label(keeping.primary, f"{origin.type_text} was stored here, and so left `{origin.function}`")
              ] if keeping.primary is not None else []
    labels += [label for label in keeping.labels if resolve(label.span) != keeping.primary]
    labels += _computed_label(origin, [used_span, *[resolve(label.span) for label in labels]])
    if used_span is not None:
        labels.append(Label(used_span, "used here, where it has no value"))
    return Report(says=says, primary=primary, labels=tuple(labels), why=_leak_why(origin, keeping),
                  fixes=tuple(_leak_fixes(origin, keeping)))


def _elsewhere_report(error: UnexpectedTracerError, origin: Provenance) -> Report:
    """The report of a value that was used by another thread than the one that traces."""
    f, transform = f"`{origin.function}`" if origin.function else "the function", origin.transform or "the transformation"
    span = resolve(error.position)
    what = (f"The argument `{origin.argument.name}` of `{origin.argument.function}`" if origin.argument is not None
            else _used_name(error.position, None))
    return Report(
        says=f"{what} has no value in this thread: while another thread traces {f}, it is a placeholder of type "
             f"{origin.type_text}.",
        primary=span, labels=() if span is None else (Label(span, f"{origin.type_text}, used in another thread"),),
        why=f"{transform} runs {f} once, with placeholders, and notes what is computed with them in the thread that called "
            "it; other threads compute with values.",
        fixes=(Fix(f"compute with arrays in the thread that runs {f}; start threads around the call, each of which calls "
                   "the transformed function"),
               Fix("for work on the host that needs the values, let the compiled program call it",
                   code="jax.pure_callback(function, jax.ShapeDtypeStruct(shape, dtype), x)")))


def end_report(error: LeakedTracerError) -> Report:
    """The report of a value that is kept when its trace ends."""
    origin, keeping = error.origin, error.keeping
    if origin is None or keeping is None:
        return Report(says="A value of a traced function was kept after the function had been traced.")
    path = f"`{keeping.path}`" if _is_code(keeping.path) else keeping.path or "Something"
    says = f"{path[0].upper()}{path[1:]} keeps {_placeholder(origin)} after {_traced(origin)}."
    labels = [Label(keeping.primary, f"{origin.type_text} was stored here")] if keeping.primary is not None else []
    labels += [label for label in keeping.labels if resolve(label.span) != keeping.primary]
    labels += _computed_label(origin, [resolve(label.span) for label in labels])
    primary = keeping.primary or resolve(origin.place) or definition_span(origin.definition)
    notes: tuple[str, ...] = ("without the leak checker its first use would be an UnexpectedTracerError.",)
    if error.more:
        these = f"{error.more} more values of this trace are" if error.more > 1 else "1 more value of this trace is"
        notes = (f"{these} kept as well.", *notes)
    return Report(says=says, primary=primary, labels=tuple(labels), why=_leak_why(origin, keeping),
                  fixes=tuple(_leak_fixes(origin, keeping)), notes=notes)


def _is_code(path: str) -> bool:
    """Whether a holder's path is an expression, not words."""
    return bool(path) and " " not in path.replace(", ", "")


def _used_name(used: Place | None, keeping: Keeping | None) -> str:
    """What was used, as its line says it: `outs[0]` of `outs[0] + 1`; else the place that keeps it."""
    if used is None:
        return "A value"
    kept = f"{keeping.path} {keeping.says}" if keeping is not None else ""
    found = [o.text for o in operands_at(used) if not isinstance(o.node, ast.Constant) and len(o.text) <= 50]
    named = [text for text in found if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", kept)]
    if keeping is not None and _is_code(keeping.path) and (not named or keeping.path.startswith(f"{named[0]}[")):
        return f"`{keeping.path}`"
    if len(named) == 1 or len(found) == 1:
        return f"`{(named or found)[0]}`"
    return "A value"


def _leak_why(origin: Provenance, keeping: Keeping) -> str:
    runs = {"vmap": "for the whole batch"}.get(origin.transform, "with placeholders in place of its arguments")
    f = f"`{origin.function}`" if origin.function else "the function"
    kept = f"{keeping.says}. " if keeping.says else ""
    return (f"{origin.transform or 'the transformation'} runs {f} once, {runs}; what is computed there means something "
            f"only until {f} returns. {kept[:1].upper()}{kept[1:]}{keeping.why}")


def _leak_fixes(origin: Provenance, keeping: Keeping) -> list[Fix]:
    if ", in the traceback of " in keeping.says:  # what was stored is an error, and no value to return
        return [Fix("keep the error's text, or the error without its traceback, which holds the variables of all functions "
                    "that it came through", code="error.with_traceback(None)")]
    stored = _stored_text(keeping.primary)
    value, f = f"the value `{stored}`" if stored else "the value", origin.function or "the function"
    says = f"return {value} from `{f}` beside its result, and store it where the result arrives"
    code: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    if origin.transform in ("scan", "while_loop", "fori_loop", "cond", "switch", "map"):
        says = f"return {value} from `{f}`, and store it where the result of `{origin.transform}` arrives"
        code = (f"return carry, {stored or 'value'}",) if origin.transform == "scan" else ()
    elif stored and (found := _returned(origin, keeping.primary)) is not None:
        edits = (Edit(found.span, f"{found.text}, {stored}"),)
        code = (f"return {found.text}, {stored}",)
    elif keeping.primary is not None and stored and keeping.primary.function not in ("", "a lambda", f) and not (
            origin.function == "lambda" and _in_lambda(keeping.primary)):  # which is named after what is around it
        says = (f"return {value} from `{keeping.primary.function}` and then from `{f}`, and store it where the result "
                "arrives")
    if origin.transform in _HAS_AUX:
        code = (*code, f"jax.{origin.transform}({'f' if f == 'lambda' else f}, has_aux=True)")
    fixes = [Fix(says, code=code, edits=edits)]
    if stored:
        fixes.append(Fix("to look at a value while the program runs, print it",
                         code=f"jax.debug.print('{{}}', {stored})"))
    return fixes


def _returned(origin: Provenance, stored_at: Span | None) -> Expression | None:
    """What the traced function returns, if it says so once and the line that stores is in it."""
    if not isinstance(origin.definition, Position) or stored_at is None:
        return None
    code = origin.definition.code
    file = source_file(code.co_filename)
    node = file.definitions.get((code.co_firstlineno, code.co_name)) if file is not None else None
    if file is None or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    if stored_at.filename != file.filename or not node.lineno <= stored_at.line <= (node.end_lineno or node.lineno):
        return None
    returns = [n for n in ast.walk(node) if isinstance(n, ast.Return) and n.value is not None
               and file.enclosing(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) is node]
    if len(returns) != 1 or isinstance(returns[0].value, ast.Tuple) or returns[0].value is None:
        return None
    return Expression(returns[0].value, file, origin.function)


def _holds_function(node: ast.stmt) -> bool:
    """Whether a lambda stands in a statement: then it is not the statement that stored."""
    return any(isinstance(inner, ast.Lambda) for inner in ast.walk(node))


def _in_lambda(span: Span) -> bool:
    """Whether a call that stores stands in a lambda."""
    file = source_file(span.filename)
    return file is not None and file.tree is not None and any(
        isinstance(node, ast.Call) and (node.lineno, node.col_offset) == (span.line, span.column)
        and isinstance(file.enclosing(node, (ast.Lambda, ast.stmt)), ast.Lambda) for node in ast.walk(file.tree))


def _stored_text(span: Span | None) -> str:
    """The expression that a storing statement stores."""
    file = source_file(span.filename) if span is not None else None
    if span is None or file is None or file.tree is None:
        return ""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and (node.lineno, node.col_offset) == (span.line, span.column) and node.args \
                and isinstance(file.enclosing(node, (ast.Lambda, ast.stmt)), ast.Lambda):  # the lambda's own expression
            stored = ast.unparse(node.args[-1])
            return stored if len(stored) <= 40 else ""
        if isinstance(node, ast.stmt) and node.lineno == span.line:
            match node:
                case ast.Expr(value=ast.Call(args=[*_, last])) if not _holds_function(node):
                    return ast.unparse(last) if len(ast.unparse(last)) <= 40 else ""
                case ast.Assign(value=value) if not _holds_function(node):
                    return ast.unparse(value) if len(ast.unparse(value)) <= 40 else ""
    return ""
