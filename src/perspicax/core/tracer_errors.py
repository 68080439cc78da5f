"""What a traced value raises when it is asked for something that only a value has, and when it outlives its trace.

The classes are those of `jax.errors`, with their bases and documented arguments. None of them holds a tracer: what is
needed of it is taken when the error is made (`provenance.py`), the words are found when it is printed (`questions.py`).
"""
from __future__ import annotations

from typing import Any, Self

from perspicax.core.provenance import Facts, Provenance, TracedName, provenance, traced_names
from perspicax.core.symbolic_errors import InconclusiveDimensionOperation
from perspicax.core.trace import leak_error
from perspicax.core.tracer import Tracer
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report

__all__ = [
    "ConcretizationTypeError", "InconclusiveDimensionOperation", "JAXIndexError", "JAXTypeError", "JaxprTypeError",
    "KeyReuseError", "NonConcreteBooleanIndexError", "TracerArrayConversionError",
    "TracerBoolConversionError", "TracerIntegerConversionError", "UnhashableTracerError", "question_error",
    "sized_by_values", "static_value",
]


class JAXTypeError(PerspicaxError, TypeError):
    """A value was used in a way that its type does not allow."""

    __module__ = "perspicax.errors"


class JAXIndexError(PerspicaxError, IndexError):
    """An index cannot be used."""

    __module__ = "perspicax.errors"


class TracedValueError(PerspicaxError, no_page="a base: what is raised is one of its subclasses"):
    """A traced value was asked for something that only a value has.

    Args:
        tracer: the value; what is known of it is kept, not the value. Anything else is taken as the error's text.
        context: what the value was wanted for, as a sentence.

    Attributes:
        origin: what is known of the value.
        question: what it was asked: "bool", "int", "float", "complex", "index", "array", "tolist", "item", "format",
            "hash", "pickle", "static" (an argument must be known), "size" (a shape would depend on it), "mask" or
            "mode" (of an index, whether it lies outside).
        names: the traced variables of the function that asked.
        context: as given.
        callee: the function that asked, where the question is "static" or "size".
        wanted: the name of its parameter.
    """

    __module__ = "perspicax.errors"
    _asks = "value"

    origin: Provenance | None = None
    question: str = ""
    names: tuple[TracedName, ...] = ()
    context: str = ""
    callee: str = ""
    wanted: str = ""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return super().__new__(cls)  # without arguments: Python would keep them, and the tracer with them

    def __init__(self, tracer: Any = None, context: str = "", **fields: Any) -> None:
        if isinstance(tracer, Tracer):
            facts = Facts()
            fields.setdefault("origin", provenance(tracer, facts))
            fields.setdefault("names", traced_names(tracer, facts))
        elif tracer is not None:
            super().__init__(*([tracer, context] if context else [tracer]), **fields)
            return
        fields.setdefault("question", self._asks)
        super().__init__(context=context, **fields)

    @property
    def report(self) -> Report:
        from perspicax.core.questions import question_report  # only a printed error needs it

        return question_report(self)


class ConcretizationTypeError(TracedValueError, JAXTypeError):
    """A value was needed that is not known while the function is traced."""

    __module__ = "perspicax.errors"


class TracerBoolConversionError(ConcretizationTypeError):
    """Python needed to know whether a traced value is true."""

    __module__ = "perspicax.errors"
    _asks = "bool"


class TracerIntegerConversionError(TracedValueError, JAXTypeError):
    """Python needed a traced value as an integer."""

    __module__ = "perspicax.errors"
    _asks = "index"


class TracerArrayConversionError(TracedValueError, JAXTypeError):
    """NumPy, or a function that uses it, needed the values of a traced array."""

    __module__ = "perspicax.errors"
    _asks = "array"


class NonConcreteBooleanIndexError(TracedValueError, JAXIndexError):
    """An array was indexed by a traced mask, so that the size of the result is not known."""

    __module__ = "perspicax.errors"
    _asks = "mask"


class UnhashableTracerError(TracedValueError, JAXTypeError):
    """An array was used where Python needs a hash: as a key, in a set."""

    __module__ = "perspicax.errors"
    _asks = "hash"


class KeyReuseError(JAXTypeError):
    """A random key was used twice, so that the same numbers would be drawn twice.

    Attributes:
        first, second: the two uses.
        twice_in_one: whether one operation was given the same key twice.
        copies: where several copies were made of the key, of which these are two, if that is so.
    """

    __module__ = "perspicax.errors"

    first: Any
    second: Any
    twice_in_one: bool = False
    copies: Any = None

    @property
    def report(self) -> Report:
        from perspicax.core.key_words import key_report  # only a printed error needs it

        return key_report(self.first, self.second, self.twice_in_one, self.copies)


class JaxprTypeError(PerspicaxError, TypeError):
    """A jaxpr does not have the types that its equations need."""

    __module__ = "perspicax.errors"


_CLASSES: dict[str, type[TracedValueError]] = {
    "bool": TracerBoolConversionError, "index": TracerIntegerConversionError, "array": TracerArrayConversionError,
    "hash": UnhashableTracerError,
}


def question_error(tracer: Tracer, kind: str) -> Exception:
    """The error for a tracer that was asked for its value; of a dead one that it was used at all."""
    if tracer._trace.dead:
        return leak_error(tracer)
    return _CLASSES.get(kind, ConcretizationTypeError)(tracer, question=kind)


def static_value(x: Any, callee: str, wanted: str) -> Any:
    """`x`, where it must be known while tracing: an axis, a number of elements.

    Args:
        x: anything; of a tracer that knows its value, that value.
        callee: the function that needs it, as users write it: `jnp.min`.
        wanted: the name of its parameter: `axis`.

    Raises:
        ConcretizationTypeError: `x` is traced and its value is not known.
    """
    if not isinstance(x, Tracer):
        return x
    value = x.concrete() if not x._trace.dead else None
    if value is not None:
        return value
    if x._trace.dead:
        raise leak_error(x)
    raise ConcretizationTypeError(x, question="static", callee=callee, wanted=wanted)


def sized_by_values(tracer: Tracer, callee: str, option: str = "size") -> ConcretizationTypeError:
    """The error for a result whose shape would depend on the values of `tracer` (`jnp.nonzero`, `jnp.unique`).

    Args:
        tracer: the array whose values decide.
        callee: the function, as users write it: `jnp.nonzero`.
        option: the parameter that would fix the size; empty if there is none.
    """
    return ConcretizationTypeError(tracer, question="size", callee=callee, wanted=option)

