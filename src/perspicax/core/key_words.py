"""The words for a random key that is used twice: which key, where both times, and the edit that gives each its own."""
from __future__ import annotations

import ast
from typing import Any, NamedTuple

from perspicax.diagnose.place import Place, Position, Span, resolve
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import Expression, Operands, imported_as, operands_at, source_line


class KeyUse(NamedTuple):
    """One use of a key, as a report needs it.

    Attributes:
        place: where the user's code uses it.
        parameter: the name of the parameter that takes it there, if it is known.
        loop: the loop that the place stands in turn after turn (`scan`, `while_loop`); empty if it is not known to.
    """

    place: Any
    parameter: str = ""
    loop: str = ""


class KeyCopies(NamedTuple):
    """Where several copies of one key were made.

    Attributes:
        place: where the user's code makes them.
        number: how many.
    """

    place: Any
    number: int


class _Named(NamedTuple):
    """What the user calls the key at a place: empty where the source does not tell."""

    text: str
    span: Place
    call: str


def _named(use: KeyUse) -> _Named:
    if use.place is None:
        return _Named("", None, "")
    operands = operands_at(use.place)
    found = operands.keyword("key") or operands.keyword(use.parameter.split("[")[0].split(".")[0]) or _of_streams(operands)
    if found is None:
        likely = [x for x in operands if _likely(x.text)] or list(operands[:1] if operands.operation in _TAKE_KEYS else ())
        found = likely[0] if likely else None
    if found is None or len(found.text) > 40:
        return _Named("", None, operands.operation)
    return _Named(found.text, found.span, operands.operation)


# What takes a key as its first argument; elsewhere (a layer that is called, say) the first argument is something else.
_TAKE_KEYS = frozenset("""
    ball bernoulli beta binomial bits categorical cauchy chisquare choice clone dirichlet double_sided_maxwell exponential f
    fold_in gamma generalized_normal geometric gumbel init init_with_output key_data laplace loggamma logistic lognormal maxwell
    multinomial multivariate_normal normal orthogonal pareto permutation poisson rademacher randint rayleigh split t triangular
    truncated_normal uniform wald weibull_min
""".split())


def _likely(text: str) -> bool:
    return any(word in text.lower() for word in ("key", "rng", "prng"))


def _of_streams(operands: Operands) -> Expression | None:
    """The key in `rngs={"dropout": key}`, where there is one only."""
    rngs = operands.keyword("rngs")
    if rngs is None or not isinstance(rngs.node, ast.Dict) or len(rngs.node.values) != 1:
        return None
    return rngs.at(rngs.node.values[0])


def key_name(use: KeyUse) -> str:
    """What the user calls the key at a place; empty where the source does not tell."""
    return _named(use).text


def _code_line(named: _Named, other: str) -> str:
    """The line of a use, with another key in the place of the one it uses."""
    span = resolve(named.span)
    line = source_line(span) if isinstance(span, Span) else None
    if line is None or span is None or span.column is None or span.end_column is None or span.end_line not in (None, span.line):
        return ""
    return (line[:span.column] + other + line[span.end_column:]).strip()


def key_report(first: KeyUse, second: KeyUse, twice_in_one: bool, copies: KeyCopies | None = None) -> Report:
    """The report of a key that is used by `first` and again by `second`, both times as one of `copies`."""
    one, two = _named(first), _named(second)
    name = f"`{two.text or one.text}`" if two.text or one.text else "A random key"
    same = first.place == second.place
    loop = second.loop or ("loop" if same and not twice_in_one else "")
    labels = _labels(one, two, first, second, same, loop, twice_in_one)
    primary = second.place if second.place is not None else first.place
    fixes = _fixes(one, two, first, loop, second.loop, twice_in_one)
    why = "the same key gives the same numbers: a key that was drawn from, or split, is used up"
    if copies is not None:
        labels = (*labels, Label(copies.place, f"{copies.number} copies of one key, not {copies.number} keys"))
        fixes = _of_copies(copies), fixes[-1]
        why = f"{why}; and all copies of a key are the same key"
    return Report(says=_says(name, loop, second.loop, twice_in_one), primary=primary, labels=labels, why=why, fixes=fixes)


def _says(name: str, loop: str, kind: str, twice_in_one: bool) -> str:
    if twice_in_one:
        return f"{name} holds the same random key twice, so that equal numbers would be drawn."
    if kind:
        return f"{name} is used again in each step of `{kind}`: a random key is for one use."
    if loop:
        return f"{name} was used by this line before: a random key is for one use."
    return f"{name} was used already: a random key is for one use."


def _labels(one: _Named, two: _Named, first: KeyUse, second: KeyUse, same: bool, loop: str,
            twice_in_one: bool) -> tuple[Label, ...]:
    here = two.span or second.place
    if twice_in_one:
        return () if here is None else (Label(here, "the same key more than once"),)
    if same or loop in ("scan", "while_loop"):
        return () if here is None else (Label(here, "used up here the first time, and used here again"),)
    found = [(one.span or first.place, "used up here"), (here, "used here again")]
    return tuple([Label(place, text) for place, text in found if place is not None])


def _fixes(one: _Named, two: _Named, first: KeyUse, loop: str, kind: str, twice_in_one: bool) -> tuple[Fix, ...]:
    key = one.text if one.text.isidentifier() else two.text if two.text.isidentifier() else ""
    random = imported_as(first.place, "random", "jax.random") if first.place is not None else "jax.random"
    clone = Fix("where the same numbers are meant, say so", code=f"{random}.clone({two.text or one.text or 'key'})")
    if twice_in_one:
        return Fix("make as many keys as are needed", code=f"{random}.split(key, n)"), clone
    if kind:
        return (Fix("carry the key from step to step, and split it in each", code=f"{key or 'key'}, subkey = "
                                                                                f"{random}.split({key or 'key'})"),
                Fix("fold in the number of the step", code=f"{random}.fold_in({key or 'key'}, step)"))
    split = f"{key or 'key'}, subkey = {random}.split({key or 'key'})"
    line = _code_line(one, "subkey") if key and one.text == key else ""
    if line.split(" ")[0] in ("for", "while", "with", "if", "async"):  # a block on one line: the fix goes into it
        line = ""
    says = "split the key in each turn, and use one part" if loop else \
        "split the key before the first use, and use one part there"
    if one.call == "split" and not loop:
        more = Fix("ask the first `split` for one key more, and use that one here",
                   code=f"{random}.split({key or 'key'}, 3)")
        return more, clone
    return Fix(says, code=(split, line) if line else split), clone


def _of_copies(copies: KeyCopies) -> Fix:
    """As many keys as there are copies, where the copies are made."""
    found = operands_at(copies.place)
    keys = [x for x in found if _likely(x.text) and x.text.isidentifier()]
    key = keys[0].text if keys else next((n.id for x in found for n in ast.walk(x.node)
                                          if isinstance(n, ast.Name) and _likely(n.id)), "key")
    return Fix("split the key there, instead of copying it",
               code=f"{imported_as(copies.place, 'random', 'jax.random')}.split({key}, {copies.number})")


def use_at(place: Any, parameter: str, loop: str) -> KeyUse:
    """A use, its place kept as positions are kept in errors."""
    return KeyUse(None if place is None else place if isinstance(place, Span) else Position(*place), parameter, loop)


__all__ = ["KeyCopies", "KeyUse", "key_name", "key_report", "use_at"]
