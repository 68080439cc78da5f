"""What a traced value raises when it is asked for a value: the classes, the facts, the words, the proposals."""

from __future__ import annotations

import ast
import copy
import gc
import pickle
from pathlib import Path

import numpy as np
import pytest
import traced_programs as programs
from small_jax import installed, jit

from perspicax import errors
from perspicax.core.counterparts import counterpart
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import TracedValueError
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import resolve
from perspicax.diagnose.render import render_json
from perspicax.diagnose.report import Edit
from perspicax.transform.grad import grad
from perspicax.transform.vmap import vmap

QUESTIONS = programs.names(leaks=False)
BASES = {
    "ConcretizationTypeError": ("JAXTypeError", TypeError),
    "TracerBoolConversionError": ("ConcretizationTypeError", TypeError),
    "TracerIntegerConversionError": ("JAXTypeError", TypeError),
    "TracerArrayConversionError": ("JAXTypeError", TypeError),
    "NonConcreteBooleanIndexError": ("JAXIndexError", IndexError),
    "UnexpectedTracerError": ("JAXTypeError", TypeError),
    "LeakedTracerError": ("UnexpectedTracerError", TypeError),
    "KeyReuseError": ("JAXTypeError", TypeError),
    "JAXTypeError": (None, TypeError),
    "JAXIndexError": (None, IndexError),
    "JaxprTypeError": (None, TypeError),
    "JaxRuntimeError": (None, RuntimeError),
    "InconclusiveDimensionOperation": (None, Exception),
}


def asked(function, *args) -> TracedValueError:
    with pytest.raises(TracedValueError) as caught:
        jit(function)(*args)
    return caught.value


@pytest.mark.parametrize("name", BASES)
def test_the_hierarchy_is_that_of_jax(name: str) -> None:
    base, builtin = BASES[name]
    cls = getattr(errors, name)
    assert issubclass(cls, builtin) and issubclass(cls, PerspicaxError)
    assert base is None or issubclass(cls, getattr(errors, base))


def test_a_failed_conversion_to_int_or_array_is_no_concretization_error() -> None:
    for cls in (errors.TracerIntegerConversionError, errors.TracerArrayConversionError, errors.UnexpectedTracerError):
        assert not issubclass(cls, errors.ConcretizationTypeError)


@pytest.mark.parametrize("name", ["JAXTypeError", "JAXIndexError", "KeyReuseError", "UnexpectedTracerError",
                                  "JaxprTypeError", "InconclusiveDimensionOperation", "ConcretizationTypeError",
                                  "TracerBoolConversionError", "NonConcreteBooleanIndexError"])
def test_an_error_made_from_a_text_says_that_text(name: str) -> None:
    error = getattr(errors, name)("the key was used before")
    assert str(error).startswith("the key was used before")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error) and str(again) == str(error) and again.args == ("the key was used before",)


def test_libraries_may_raise_with_a_tracer_and_a_context() -> None:
    def f(x):
        raise errors.ConcretizationTypeError(x, "The library needs the number of steps.")

    error = asked(f, 2)
    assert error.context == "The library needs the number of steps."
    assert error.context in str(error)
    assert error.origin.argument.name == "x" and error.origin.type_text == "int32[]"


@pytest.mark.parametrize(("question", "cls"), [
    (bool, "TracerBoolConversionError"), (int, "ConcretizationTypeError"), (float, "ConcretizationTypeError"),
    (complex, "ConcretizationTypeError"), (lambda x: x.__index__(), "TracerIntegerConversionError"),
    (np.asarray, "TracerArrayConversionError"), (lambda x: x.item(), "ConcretizationTypeError"),
    (lambda x: x.tolist(), "ConcretizationTypeError"), (hash, "UnhashableTracerError"),
    (pickle.dumps, "ConcretizationTypeError"), (lambda x: f"{x:.2f}", "ConcretizationTypeError"),
])
def test_each_question_has_its_class(question, cls: str) -> None:
    assert type(asked(question, 1)).__name__ == cls


def test_no_error_holds_a_tracer() -> None:
    with installed():
        def f(x, y):
            z = x * y
            if z > x:
                return x
            return y

        error = asked(f, 1.0, 2.0)
        error.__traceback__ = None  # frames hold their variables; that is Python's doing
        seen, waiting = set(), [error]
        while waiting:
            found = waiting.pop()
            if id(found) in seen or isinstance(found, type | type(gc)):
                continue
            seen.add(id(found))
            assert not isinstance(found, Tracer)
            if not hasattr(found, "co_code"):
                waiting += gc.get_referents(found)
    assert len(seen) > 20


def test_the_facts_say_where_a_value_comes_from() -> None:
    with installed():
        def f(scale, params, unused):
            hidden = params["w"] * scale
            total = hidden + 1.0
            return bool(total > 0)

        error = asked(f, 2.0, {"w": np.float32(1), "b": np.float32(2)}, 3.0)
    origin = error.origin
    assert (origin.transform, origin.function, origin.type_text) == ("jit", "f", "bool[]")
    assert [a.name for a in origin.arguments] == ["scale", "params['w']"]
    assert [a.root for a in origin.arguments] == ["scale", "params"]
    assert origin.primitive == "gt" and resolve(origin.place).line == resolve(error.position).line
    names = {name.name: name for name in error.names}
    assert set(names) == {"scale", "hidden", "total", "unused"}
    assert resolve(names["hidden"].provenance.place).line == resolve(origin.place).line - 2
    assert [a.name for a in names["unused"].provenance.arguments] == ["unused"]


def test_a_value_of_an_outer_function_is_named_as_such() -> None:
    with installed():
        def outer(scale):
            @jit
            def inner(x):
                return bool(x * scale > 0)

            return inner(1.0)

        error = asked(outer, 2.0)
    assert error.origin.function == "inner" and ("jit", "outer") in error.origin.around
    assert {(a.name, a.function) for a in error.origin.arguments} == {("x", "inner"), ("scale", "outer")}


def test_a_question_to_a_value_of_the_outer_trace_names_the_outer_function() -> None:
    with installed():
        def outer(scale):
            return jit(lambda x: x if scale > 0 else -x)(1.0)

        error = asked(outer, 2.0)
    assert (error.origin.transform, error.origin.function) == ("jit", "outer")


@pytest.mark.parametrize(("transformed", "hides"), [
    (lambda f: jit(grad(f)), "jit"), (lambda f: grad(jit(f)), "jit"), (lambda f: jit(vmap(f)), "vmap"),
    (lambda f: vmap(grad(f)), "vmap"),
])
def test_the_transformation_that_hides_the_value_is_named(transformed, hides: str) -> None:
    with installed(), pytest.raises(errors.TracerBoolConversionError) as caught:
        transformed(lambda x: x * 2.0 if x > 0 else x)(np.ones(3, "f4") if hides == "vmap" else 1.0)
    assert caught.value.origin.transform == hides


def test_differentiation_alone_hides_no_value() -> None:
    with installed():
        assert float(grad(lambda x: x * 2.0 if x > 0 else x)(3.0)) == 2.0


@pytest.mark.parametrize("name", QUESTIONS)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.check_text(name, programs.run(name, monkeypatch))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_report_is_a_screenful_and_survives_pickling(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = programs.run(name, monkeypatch)
    assert len(str(error).splitlines()) <= 30
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and type(again) is type(error)
    assert again.origin == error.origin or again.origin.type_text == error.origin.type_text
    assert render_json(error.full_report, type(error).__name__)


@pytest.mark.parametrize("name", QUESTIONS)
def test_edits_leave_a_program_that_python_can_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = programs.run(name, monkeypatch)
    fixes = error.full_report.fixes
    assert fixes
    edited = [fix for fix in fixes if fix.edits]
    for fix in edited:
        text = applied(fix.edits)
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(source_of(fix.edits)))
    for fix in fixes:
        for line in ["\n".join(fix.lines)] if fix.lines else []:
            ast.parse(line.removeprefix("else:\n    ") + ("\ndef f(): pass" if line.startswith("@") else ""))


def source_of(edits: tuple[Edit, ...]) -> str:
    return Path(resolve(edits[0].span).filename).read_text(encoding="utf-8")


def applied(edits: tuple[Edit, ...]) -> str:
    lines = source_of(edits).splitlines(keepends=True)
    for edit in edits:
        span = resolve(edit.span)
        before = "".join(lines[:span.line - 1]) + lines[span.line - 1][:span.column]
        after = lines[span.end_line - 1][span.end_column:] + "".join(lines[span.end_line:])
        lines = (before + edit.replacement + after).splitlines(keepends=True)
    return "".join(lines)


FIRST_FIX_WORKS = ["if_in_a_helper", "flag_in_a_helper", "ternary", "min_of_two", "numpy_function",
                   "mask_update", "mask_in_a_helper", "axis_argument", "item", "shape_argument", "if_under_vmap",
                   "branches_of_two_names", "numpy_array_by_index", "list_by_index", "elif_assignment", "dict_lookup"]


@pytest.mark.parametrize("name", FIRST_FIX_WORKS)
def test_the_first_proposal_mends_the_program(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = programs.run(name, monkeypatch)
    path = tmp_path / "mended.py"
    path.write_text(applied(error.full_report.fixes[0].edits), encoding="utf-8")
    namespace = {"__name__": "__main__"}
    with installed():
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    assert "jax" in namespace


def test_without_source_the_type_and_the_argument_are_told() -> None:
    namespace: dict = {}
    exec(compile("def f(x, y):\n    return bool(y)", "<generated>", "exec"), namespace)
    error = asked(namespace["f"], 1.0, True)
    assert "the argument `y`" in str(error) and "bool[]" in str(error)


@pytest.mark.parametrize(("function", "target"), [
    ("numpy.sin", "jax.numpy.sin"), ("numpy.linalg.norm", "jax.numpy.linalg.norm"), ("math.sqrt", "jax.numpy.sqrt"),
    ("math.erf", "jax.scipy.special.erf"), ("scipy.special.logsumexp", "jax.scipy.special.logsumexp"),
    ("numpy.savez", None), ("math.perm", None), ("pandas.concat", None), ("sin", None), ("numpy.float32", "jax.numpy.float32"),
])
def test_counterparts_on_the_device(function: str, target: str | None) -> None:
    assert counterpart(function) == target


def test_a_lambda_without_source_has_no_name_in_code_that_is_proposed() -> None:
    space = {"jit": jit}
    with pytest.raises(TracedValueError) as caught:
        exec(compile("jit(lambda x: 1 if x else 2)(1.0)", "<nowhere>", "exec"), space)
    proposed = [line for fix in caught.value.report.fixes for line in fix.lines]
    assert proposed == ['jax.jit(f, static_argnames=("x",))']
