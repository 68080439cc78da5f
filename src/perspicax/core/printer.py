"""Jaxprs as text, and the checker that every jaxpr we make must pass."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.jaxpr import ClosedJaxpr, DropVar, Jaxpr, JaxprEqn, Literal, Var
from perspicax.diagnose.errors import InternalError


class _Names:
    """Letters for variables, in the order in which they are met."""

    def __init__(self) -> None:
        self.names: dict[Var, str] = {}
        self.read: set = set()  # variables that somebody reads
        self.stream = self._letters()

    @staticmethod
    def _letters() -> Iterator[str]:
        """Numbers to the base 26: `a` … `z`, `ba`, `bb`, …"""
        n = 0
        while True:
            text, rest = "", n
            while rest or not text:
                rest, digit = divmod(rest, 26)
                text = chr(ord("a") + digit) + text
            yield text
            n += 1

    def __call__(self, v: Any) -> str:
        if type(v) is DropVar or v not in self.read:
            return "_"
        if v not in self.names:
            self.names[v] = next(self.stream)
        return self.names[v]


def _typed(names: _Names, v: Any) -> str:
    return f"{names(v)}:{type_text(v.aval)}"


def type_text(aval: Any) -> str:
    """The type as jaxprs print it: `f32[3,4]`."""
    return aval.str_short(short_dtypes=True)


def _atom(names: _Names, a: Any) -> str:
    if type(a) is Literal:
        value = a.val
        if hasattr(value, "value"):
            value = value.value()
        value = np.asarray(value)[()]
        text = str(value)
        if dtypes.issubdtype(a.aval.dtype, np.inexact) and not dtypes.issubdtype(a.aval.dtype, np.complexfloating):
            text = repr(float(value))
            text = text if a.aval.dtype.itemsize == 8 else _shortest(value)
        return f"{text}:{type_text(a.aval)}"
    return names(a)


def _shortest(value: Any) -> str:
    text = str(value)
    return text if any(c in text for c in ".en") else f"{text}.0"


WIDTH = 80


def jaxpr_text(jaxpr: Jaxpr, names: _Names | None = None, indent: int = 0, **_: Any) -> str:
    """The whole jaxpr: `{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }`.

    On one line where it fits. Results that nobody reads are `_`. Jaxprs among the parameters go on in the alphabet, but
    for those of jitted functions, which begin it anew.
    """
    names = names or _Names()
    names.read |= _read_variables(jaxpr)
    pad = " " * indent
    consts = " ".join([_typed(names, v) for v in jaxpr.constvars])
    inputs = " ".join([_typed(names, v) for v in jaxpr.invars])
    head = f"{{ lambda {consts}; {inputs}. let" if consts else f"{{ lambda ; {inputs}. let"
    lines = [_equation(eqn, names, indent + 4) for eqn in jaxpr.eqns]
    outs = ", ".join([_atom(names, a) for a in jaxpr.outvars])
    outs = f"({outs},)" if len(jaxpr.outvars) == 1 else f"({outs})"
    whole = f"{head} {'; '.join(lines)} in {outs} }}" if lines else f"{head}  in {outs} }}"
    if "\n" not in whole and indent + len(whole) <= WIDTH:
        return whole
    body = "".join([f"\n{pad}    {line}" for line in lines])
    return f"{head}{body}\n{pad}  in {outs} }}"


def _read_variables(jaxpr: Jaxpr) -> set:
    read = {a for eqn in jaxpr.eqns for a in eqn.invars if type(a) is not Literal}
    read.update([*jaxpr.constvars, *jaxpr.invars, *[a for a in jaxpr.outvars if type(a) is not Literal]])
    return read


def equation_text(eqn: JaxprEqn) -> str:
    """One equation."""
    names = _Names()
    names.read |= {*eqn.outvars, *[a for a in eqn.invars if type(a) is not Literal]}
    return _equation(eqn, names, 0)


def _equation(eqn: JaxprEqn, names: _Names, indent: int) -> str:
    if "text" in eqn.primitive.extra:
        own: str = eqn.primitive.extra["text"](eqn, lambda a: _atom(names, a), lambda v: _typed(names, v))
        return own
    operands = " ".join([_atom(names, a) for a in eqn.invars])
    outs = " ".join([_typed(names, v) for v in eqn.outvars])
    start = f"{outs} = {eqn.primitive.name}" if outs else eqn.primitive.name
    if not eqn.values:
        return f"{start} {operands}".rstrip()
    inner = _Names() if eqn.primitive.name == "jit" else names
    texts = [f"{name}={_param(value, inner, indent + 2)}" for name, value in _shown_params(eqn)]
    line = f"{start}[{' '.join(texts)}] {operands}".rstrip() if texts else f"{start} {operands}".rstrip()
    if "\n" not in line and indent + len(line) <= WIDTH:
        return line
    pad = "\n" + " " * (indent + 2)
    return f"{start}[{pad}{pad.join(texts)}\n{' ' * indent}] {operands}".rstrip()


def _shown_params(eqn: JaxprEqn) -> list[tuple[str, Any]]:
    """Parameters by name; of a call of a jitted function those that say something."""
    params = eqn.params
    if eqn.primitive.name == "jit":
        return [("name", params["name"]), ("jaxpr", params["jaxpr"])]
    return sorted(params.items())


def _param(value: Any, names: _Names, indent: int) -> str:
    if isinstance(value, ClosedJaxpr):
        return jaxpr_text(value.jaxpr, names, indent)
    if isinstance(value, Jaxpr):
        return jaxpr_text(value, names, indent)
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, tuple) and value and all(isinstance(v, ClosedJaxpr) for v in value):
        return "(" + " ".join([_param(v, names, indent) for v in value]) + ")"
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    return str(value)


def check_jaxpr(jaxpr: Jaxpr) -> None:
    """Verify scopes and types.

    Raises:
        InternalError: a variable is read before it is bound or bound twice, or an equation's results are not of the
            types that its primitive infers.
    """
    bound: set = set()

    def bind(v: Var) -> None:
        if type(v) is DropVar:
            return
        if v in bound:
            raise InternalError(what=f"a variable of type {v.aval} is bound twice in\n{jaxpr}")
        bound.add(v)

    for v in (*jaxpr.constvars, *jaxpr.invars):
        bind(v)
    effects = set()
    for eqn in jaxpr.eqns:
        for a in eqn.invars:
            if type(a) is not Literal and a not in bound:
                raise InternalError(what=f"{eqn.primitive} reads a variable that is not bound in\n{jaxpr}")
        out = eqn.primitive.infer(tuple([a.aval for a in eqn.invars]), eqn.values)
        outs = list(out) if eqn.primitive.multiple_results else [out]
        if list(outs) != [v.aval for v in eqn.outvars]:
            raise InternalError(what=f"the results of {eqn.primitive} are {[v.aval for v in eqn.outvars]}, its type rule "
                                     f"says {outs}")
        effects |= set(eqn.effects)
        for v in eqn.outvars:
            bind(v)
        for value in eqn.values:
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, ClosedJaxpr):
                    check_jaxpr(item.jaxpr)
    if not effects <= set(jaxpr.effects):
        raise InternalError(what=f"the effects {effects} are not among the jaxpr's, {jaxpr.effects}")
    for a in jaxpr.outvars:
        if type(a) is not Literal and a not in bound:
            raise InternalError(what=f"a result is not bound in\n{jaxpr}")
