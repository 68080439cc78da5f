"""Values that outlive their trace: who keeps them, which line stored them, and no false alarms."""

from __future__ import annotations

import ast
import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
import traced_programs as programs
from small_jax import installed, jit

from perspicax.core.config import check_tracer_leaks, checking_leaks
from perspicax.core.tracer import Tracer
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import Span, resolve
from perspicax.errors import LeakedTracerError, UnexpectedTracerError
from perspicax.transform.grad import grad
from perspicax.transform.vmap import vmap

LEAKS = programs.names(leaks=True)
STORED = {
    "leak_by_append": "activations.append(y)", "leak_checker": "history[name] = value",
    "leak_from_vmap": "seen.append(y)", "leak_from_grad": "self.error = w * 3.0", "leak_between_jits": "last = x * 2.0",
    "leak_from_jit_under_grad": 'store["mid"] = x * x', "leak_from_a_thread": "results.append(x * 2.0)",
    "leak_into_a_closure": "state = state + x",
}
kept: list = []


@pytest.fixture(autouse=True)
def nothing_kept():
    kept.clear()
    with installed():
        yield
    kept.clear()


def line_of(place) -> int:
    span = resolve(place)
    assert isinstance(span, Span)
    return span.line


@pytest.mark.parametrize("name", LEAKS)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.check_text(name, programs.run(name, monkeypatch))


@pytest.mark.parametrize("name", LEAKS)
def test_a_report_is_a_screenful_and_survives_pickling(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = programs.run(name, monkeypatch)
    assert len(str(error).splitlines()) <= 30
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(again) == str(error) and type(again) is type(error) and again.keeping == error.keeping


@pytest.mark.parametrize("name", STORED)
def test_the_primary_place_is_the_line_that_stored_the_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = programs.run(name, monkeypatch)
    source = (programs.GOLDEN / f"{name}.py").read_text().splitlines()
    text = source[line_of(error.full_report.primary) - 1].strip()
    assert text == STORED[name]


def test_all_lines_that_may_have_stored_it_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    report = programs.run("leak_several_lines", monkeypatch).full_report
    stored = [resolve(label.span).line for label in report.labels if label.text == "stores it here"]
    assert len(stored) == 2
    assert "Several lines" in report.why


def test_where_no_line_is_found_the_report_says_so() -> None:
    def f(x):
        exec("kept.append(x * 2.0)", globals(), {"x": x})
        return x

    jit(f)(1.0)
    with pytest.raises(UnexpectedTracerError) as caught:
        kept[0] + 1.0
    assert "cannot be told" in caught.value.keeping.why
    assert caught.value.keeping.path.endswith("kept[0]")


@pytest.mark.parametrize("use", [bool, float, np.asarray, hash, lambda x: x.item(), lambda x: f"{x:.1f}"])
def test_a_question_to_a_dead_value_is_reported_as_the_leak_it_is(use) -> None:
    jit(lambda x: kept.append(x))(1.0)
    with pytest.raises(UnexpectedTracerError) as caught:
        use(kept[0])
    assert caught.value.origin.argument.name == "x"


def test_a_dead_value_as_an_argument_of_transformed_functions() -> None:
    jit(lambda x: kept.append(x * 2.0))(1.0)
    for use in (jit(lambda y: y), grad(lambda y: y * 2.0), lambda y: vmap(lambda z: y * z)(np.ones(2, "f4"))):
        with pytest.raises(UnexpectedTracerError):
            use(kept[0])


@pytest.mark.parametrize("use", [lambda x: x * 2.0, lambda x: jit(lambda y: y * x)(2.0)], ids=["directly", "closed over"])
@pytest.mark.parametrize("transform", [jit, grad])
def test_a_value_used_by_a_thread_while_its_function_is_traced_is_no_leak(transform, use) -> None:
    caught: list[Exception] = []

    def f(x):
        def work() -> None:
            try:
                use(x)
            except UnexpectedTracerError as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return x * 1.0

    transform(f)(1.0)
    assert caught[0].elsewhere and caught[0].keeping is None
    assert "thread" in str(caught[0]) and "kept" not in str(caught[0])
    assert pickle.loads(pickle.dumps(caught[0])).elsewhere


def test_a_lambda_within_a_function_is_told_to_return_the_value_itself() -> None:
    jit(lambda x: kept.append(x * 2.0) or x)(1.0)
    with pytest.raises(UnexpectedTracerError) as caught:
        kept[0] + 1.0
    fix = caught.value.report.fixes[0].says
    assert fix.startswith("return the value `x * 2.0` from `lambda` beside its result")


def test_a_lambda_has_no_name_in_code_that_is_proposed() -> None:
    grad(lambda x: kept.append(x * 2.0) or x)(1.0)
    with pytest.raises(UnexpectedTracerError) as caught:
        kept[0] + 1.0
    for fix in caught.value.report.fixes:
        for line in fix.lines:
            ast.parse(line)


def test_an_error_that_is_kept_with_its_traceback_is_no_value_to_return() -> None:
    def f(x):
        try:
            raise KeyError("a")
        except KeyError as error:
            kept.append(error)
        return x

    with pytest.raises(LeakedTracerError) as caught, checking_leaks():
        jit(f)(1.0)
    assert "traceback" in caught.value.keeping.says
    assert [fix.lines for fix in caught.value.report.fixes] == [("error.with_traceback(None)",)]


def test_the_error_holds_neither_the_value_nor_its_holder() -> None:
    class Holder(list):
        pass

    def leaking():
        holder = Holder()

        def f(x):
            holder.append(x * 2.0)
            return x

        jit(f)(1.0)
        try:
            holder[0] + 1.0
        except UnexpectedTracerError as error:
            return error.with_traceback(None), weakref.ref(holder[0]), weakref.ref(holder)

    error, value, owner = leaking()
    gc.collect()
    assert value() is None and owner() is None
    assert error.keeping.path == "holder[0]"


# -- the checker

def leaks_with(transform):
    def f(x):
        kept.append(x * 2.0)
        return x * 1.0

    transform(f)(np.float32(1.0))


@pytest.mark.parametrize("transform", [
    jit, grad, lambda f: jit(grad(f)), lambda f: grad(jit(f)), lambda f: jit(jit(f)),
    lambda f: (lambda x: vmap(f)(x[None])), lambda f: (lambda x: jit(vmap(f))(x[None])),
    lambda f: (lambda x: vmap(grad(f))(x[None])),
])
def test_the_checker_reports_when_the_trace_ends(transform) -> None:
    with checking_leaks(), pytest.raises(LeakedTracerError) as caught:
        leaks_with(transform)
    assert caught.value.keeping.path.endswith("kept[0]")
    assert isinstance(caught.value, UnexpectedTracerError) and isinstance(caught.value, PerspicaxError)
    assert "kept.append(x * 2.0)" in caught.value.keeping.why


def test_without_the_option_nothing_is_reported_before_the_use() -> None:
    assert check_tracer_leaks.value is False
    leaks_with(jit)
    assert isinstance(kept[0], Tracer)


def test_the_checker_sees_a_leak_of_a_function_that_was_compiled_before() -> None:
    @jit
    def f(x):
        if store:
            kept.append(x)
        return x

    store: list = []
    f(1.0)
    store.append(1)
    with checking_leaks(), pytest.raises(LeakedTracerError):
        f(1.0)


def test_further_values_are_counted() -> None:
    def f(x):
        kept.extend([x * 2.0, x * 3.0, x * 4.0])
        return x

    with checking_leaks(), pytest.raises(LeakedTracerError) as caught:
        jit(f)(1.0)
    assert caught.value.more == 2
    assert "2 more values of this trace are kept as well." in str(caught.value)


def recursive_closure(x):
    def power(n, y):
        return y if n == 0 else power(n - 1, y * x)

    return power(3, x)


def object_that_refers_to_itself(x):
    class Node:
        pass

    node = Node()
    node.itself, node.value = node, x * 2.0
    return node.value * 3.0


def list_in_itself(x):
    items = [x * 2.0]
    items.append(items)
    return items[0]


def caught_exception(x):
    try:
        raise ValueError(x)
    except ValueError as error:
        error.again = error
    try:
        x.tolist().append(1)
    except (TypeError, AttributeError) as error:
        assert str(error)
    return x * 2.0


def generator_left_open(x):
    def numbers():
        while True:
            yield x * 2.0

    return next(numbers())


def thread_inside(x):
    done: list = []
    worker = threading.Thread(target=lambda: done.append(1))
    worker.start()
    worker.join()
    return x * len(done)


@pytest.mark.parametrize("function", [recursive_closure, object_that_refers_to_itself, list_in_itself, caught_exception,
                                      generator_left_open, thread_inside])
@pytest.mark.parametrize("transform", [jit, grad, lambda f: jit(grad(f)), lambda f: grad(jit(f)),
                                       lambda f: (lambda x: vmap(f)(np.ones(2, "f4")))], ids=["jit", "grad", "jit of grad",
                                                                                           "grad of jit", "vmap"])
def test_no_false_alarm(function, transform) -> None:
    with checking_leaks():
        result = transform(function)(np.float32(2.0))
    assert not isinstance(result, Tracer)


def test_a_trace_that_ends_by_an_exception_is_not_checked() -> None:
    def f(x):
        kept.append(x)
        raise RuntimeError("stopped")

    with checking_leaks(), pytest.raises(RuntimeError, match="stopped"):
        jit(f)(1.0)
