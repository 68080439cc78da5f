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
        self.stream = self._letters()

    @staticmethod
    def _letters() -> Iterator[str]:
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        n = 0
        while True:
            text, k = "", n
            while True:
                text = alphabet[k % 26] + text
                k = k // 26 - 1
                if k < 0:
                    break
            yield text
            n += 1

    def __call__(self, v: Any) -> str:
        if type(v) is DropVar:
            return "_"
        if v not in self.names:
            self.names[v] = next(self.stream)
        return self.names[v]


def _typed(names: _Names, v: Any) -> str:
    if type(v) is DropVar:
        return f"_:{type_text(v.aval)}"
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


def jaxpr_text(jaxpr: Jaxpr, names: _Names | None = None, indent: int = 0, **_: Any) -> str:
    """The whole jaxpr: `{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }`."""
    names = names or _Names()
    pad = " " * indent
    consts = " ".join([_typed(names, v) for v in jaxpr.constvars])
    inputs = " ".join([_typed(names, v) for v in jaxpr.invars])
    head = f"{{ lambda {consts}; {inputs}. let" if consts else f"{{ lambda ; {inputs}. let"
    lines = [_equation(eqn, names, indent + 4) for eqn in jaxpr.eqns]
    outs = ", ".join([_atom(names, a) for a in jaxpr.outvars])
    outs = f"({outs},)" if len(jaxpr.outvars) == 1 else f"({outs})"
    if len(lines) <= 1 and all("\n" not in line for line in lines) and sum(map(len, lines)) < 60:
        body = f" {lines[0].strip()}" if lines else ""
        return f"{head}{body} in {outs} }}"
    body = "".join([f"\n{pad}    {line}" for line in lines])
    return f"{head}{body}\n{pad}  in {outs} }}"


def equation_text(eqn: JaxprEqn) -> str:
    """One equation."""
    return _equation(eqn, _Names(), 0)


def _equation(eqn: JaxprEqn, names: _Names, indent: int) -> str:
    operands = " ".join([_atom(names, a) for a in eqn.invars])
    outs = " ".join([_typed(names, v) for v in eqn.outvars])
    params = _params(eqn, indent)
    equals = f"{outs} = " if outs else ""
    return f"{equals}{eqn.primitive.name}{params} {operands}".rstrip()


def _params(eqn: JaxprEqn, indent: int) -> str:
    if not eqn.values:
        return ""
    texts = [f"{name}={_param(value, indent + 2)}" for name, value in sorted(eqn.params.items())
             if value is not None or eqn.primitive.name not in ("jit",)]
    if eqn.primitive.name == "jit":
        texts = [f"name={eqn.params['name']}", f"jaxpr={_param(eqn.params['jaxpr'], indent + 2)}"]
    if sum(map(len, texts)) < 80 and not any("\n" in t for t in texts):
        return f"[{' '.join(texts)}]"
    pad = "\n" + " " * (indent + 2)
    return f"[{pad}{pad.join(texts)}\n{' ' * indent}]"


def _param(value: Any, indent: int) -> str:
    if isinstance(value, ClosedJaxpr):
        return jaxpr_text(value.jaxpr, None, indent)
    if isinstance(value, Jaxpr):
        return jaxpr_text(value, None, indent)
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, tuple) and value and all(isinstance(v, ClosedJaxpr) for v in value):
        return "(" + " ".join([_param(v, indent) for v in value]) + ")"
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
