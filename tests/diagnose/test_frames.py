"""Finding the user's frame."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from perspicax.diagnose import frames
from perspicax.diagnose.frames import INTERNAL, LIBRARY, USER, kind_of, mark_internal
from perspicax.diagnose.source import user_place, user_position, user_stack

INSIDE = os.path.join(os.path.dirname(os.path.dirname(frames.__file__)), "made_up.py")
STANDARD = os.path.join(os.path.dirname(os.__file__), "made_up.py")


def function_in(filename: str, source: str, **names: Any) -> Callable[..., Any]:
    """A function `f` compiled as if it stood in `filename`."""
    exec(compile(source, filename, "exec"), names)
    return names["f"]


CALL = "def f(g):\n    return g()\n"


def test_frames_of_perspicax_are_skipped() -> None:
    ours = function_in(INSIDE, "def f(g):\n    h = lambda: g()\n    return h()\n")
    place = ours(user_place)
    assert place is not None
    code, lasti = place
    assert code is test_frames_of_perspicax_are_skipped.__code__
    position = ours(user_position)
    assert position.code is code and position.lasti > lasti
    assert position.span().line == place[0].co_firstlineno + 6


def test_libraries_are_skipped_if_the_user_is_behind_them() -> None:
    library = function_in(STANDARD, CALL)
    package = function_in("/x/lib/python3.11/site-packages/optax/y.py", CALL)
    ours = function_in(INSIDE, CALL)
    for find in (user_place, user_position):
        place = package(lambda: library(lambda: ours(find)))
        assert place[0].co_filename == __file__
    place = (lambda: function_in("<string>", CALL)(lambda: package(lambda: 0) or ours(user_place)))()
    assert place[0].co_filename == __file__


def test_a_library_is_the_user_where_nobody_else_is() -> None:
    """In a process whose every frame is a library's or ours."""
    program = f"""
import threading
from perspicax.diagnose.source import user_place, user_position, user_stack
names = {{}}
exec(compile("def g(find):\\n    found.append(find())\\n", {INSIDE!r}, "exec"), names)
found = names["found"] = []
exec(compile("def f(find):\\n    g(find)\\n", {STANDARD!r}, "exec"), names)
for find in (user_place, user_position, lambda: user_stack()[0]):
    find = find if find is not None else find
    thread = threading.Thread(target=names["f"], args=(find,))
    thread.start(); thread.join()
print([place[0].co_name for place in found[:2]])
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "['f', 'f']"


def test_depth_begins_further_up() -> None:
    def inner() -> Any:
        return user_place(2), user_position(2)

    place, position = inner()
    assert place[0] is position.code is test_depth_begins_further_up.__code__
    assert user_position(10_000) is None


def test_user_stack_is_innermost_first() -> None:
    def outer() -> Any:
        return function_in(INSIDE, CALL)(user_stack)

    stack = outer()
    assert [position.code.co_name for position in stack[:2]] == ["outer", "test_user_stack_is_innermost_first"]
    assert all(kind_of(position.code.co_filename) == USER for position in stack)
    assert len(function_in(INSIDE, CALL)(lambda: user_stack(limit=2))) == 2


def test_kinds() -> None:
    assert kind_of(frames.__file__) == INTERNAL
    assert kind_of(threading.__file__) == kind_of(pytest.__file__) == kind_of("<frozen importlib>") == LIBRARY
    assert kind_of(__file__) == kind_of("<stdin>") == kind_of("<ipython-input-1-x>") == kind_of("train.py") == USER


def test_mark_internal_and_its_environment_variable(tmp_path: Any) -> None:
    filename = str(tmp_path / "ours" / "x.py")
    assert kind_of(filename) == USER
    mark_internal(str(tmp_path / "ours"))
    assert kind_of(filename) == INTERNAL
    code = "from perspicax.diagnose.frames import kind_of; print(kind_of('/a/x.py'), kind_of('/b/x.py'), kind_of('/c'))"
    environment = {**os.environ, "PERSPICAX_INTERNAL": os.pathsep.join(["/a/", "/b/"])}
    output = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["1", "1", "0"]


def test_a_program_of_one_thread_sees_its_own_frames() -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(user_place())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0][0] is work.__code__


LOOKING = """
import gc, threading, time
from perspicax.diagnose.frames import frames_of_threads

ended = False

def rest():
    time.sleep(1e-3)

def rests():
    while not ended:
        rest()  # each time a frame of which Python makes an object when somebody looks: that is when it collects

def looks():
    for _ in range(100):
        assert frames_of_threads()[threading.get_ident()].f_code is looks.__code__

gc.callbacks.append(lambda phase, info: time.sleep(1e-3))  # others run meanwhile
gc.set_threshold(5)
resting = [threading.Thread(target=rests) for _ in range(10)]
looking = [threading.Thread(target=looks) for _ in range(3)]
for thread in (*resting, *looking):
    thread.start()
for thread in looking:
    thread.join()
ended = True
assert gc.isenabled()
"""


def test_threads_that_look_at_the_frames_of_all_do_not_wait_for_each_other_for_ever() -> None:
    subprocess.run([sys.executable, "-c", LOOKING], check=True, timeout=120)
