"""Who keeps a value that survived, and which line stored it: every kind of holder in `leaks/`, in three states.

Each file in `leaks/` is a small program whose `direct`, `helper` and `moved` let `x * 2` survive: stored by the
function itself, through another one, and stored somewhere else from where `move` takes it. A comment marks the line
that the report must show. `docs/leaks.md` is the golden text; `PERSPICAX_ACCEPT=1` rewrites it.
"""

from __future__ import annotations

import contextvars
import functools
import gc
import importlib.util
import os
import sys
import threading
import types
import weakref
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest

from perspicax.diagnose.holders import Holder, Kind, find_holders
from perspicax.diagnose.source import function_span
from perspicax.diagnose.stores import Keeping, Match, Store, describe, find_stores

LEAKS = Path(__file__).parent / "leaks"
PAGE = Path(__file__).parents[2] / "docs" / "leaks.md"
STATES = ("direct", "helper", "moved")
KINDS = {  # file: (kind, the path in the states direct, helper, moved)
    "list_item": (Kind.LIST, "outs[0]"),
    "dict_value": (Kind.DICT, "cache['h']"),
    "dict_key": (Kind.DICT_KEY, "seen.<key>"),
    "nested": (Kind.LIST, "log['train'][3][1]"),
    "deque_item": (Kind.DEQUE, "recent[0]"),
    "set_element": (Kind.SET, "visited.<element>"),
    "tuple_item": (Kind.TUPLE, "pair[1]"),
    "named_tuple": (Kind.NAMED_TUPLE, "states[0].hidden"),
    "attribute": (Kind.ATTRIBUTE, "model.state.h"),
    "slot": (Kind.ATTRIBUTE, "carry.h"),
    "class_attribute": (Kind.CLASS_ATTRIBUTE, "the class attribute `Layer.last`"),
    "global_name": (Kind.GLOBAL, "global LAST in global_name.py"),
    "closure": (Kind.CLOSURE, "the closure cell `last` of `remember`"),
    "captured": (Kind.CLOSURE, "the closure cell `y` of the lambda at captured.py:{line} (in `callbacks[0]`)"),
    "default": (Kind.DEFAULT, "acc[0]"),
    "default_value": (Kind.DEFAULT, "the default argument `y` of {function} (in `hooks['h']`)"),
    "generator": (Kind.GENERATOR, "the variable `{name}` of the generator `{maker}` (in `waiting[0]`), waiting at "
                                  "generator.py:{line}"),
    "partial": (Kind.PARTIAL, "pending[0].args[0]"),
    "bound_method": (Kind.METHOD, "readers['y'].__self__"),
    "cached": (Kind.CACHE, "the cache of `rank` (functools.lru_cache)"),
    "exception": (Kind.EXCEPTION, "failures[0].args[1]"),
    "object_array": (Kind.ARRAY, "table[1, 2]"),
    "context_variable": (Kind.CONTEXT, "the context variable `current`"),
    "thread_local": (Kind.THREAD_LOCAL, "here.h"),
    "queued": (Kind.DEQUE, "jobs.queue[0]"),
}
DETAILS = {
    ("captured", "direct"): {"line": 9}, ("captured", "helper"): {"line": 13}, ("captured", "moved"): {"line": 13},
    ("default_value", "direct"): {"function": "`hook`"},
    ("default_value", "helper"): {"function": "the lambda at default_value.py:19"},
    ("default_value", "moved"): {"function": "the lambda at default_value.py:27"},
    ("generator", "direct"): {"name": "y", "maker": "rows", "line": 9},
    ("generator", "helper"): {"name": "got", "maker": "receive", "line": 22},
    ("generator", "moved"): {"name": "got", "maker": "receive", "line": 22},
}
DIRECT_KIND = {"default": Kind.LIST}  # the container is the default argument, the value is an item of it


class Value:
    """Stands in for a tracer: `x * 2` makes a new one, and the class knows those that live."""

    made: list[weakref.ref[Value]] = []

    def __mul__(self, other: int) -> Value:
        value = Value()
        Value.made.append(weakref.ref(value))
        return value

    def read(self) -> int:
        return 0


def survivor() -> Value:
    """The one value that has survived."""
    (value,) = [value for value in (made() for made in Value.made) if value is not None]
    return value


@pytest.fixture(autouse=True)
def no_values_yet() -> Iterator[None]:
    gc.collect()
    Value.made.clear()
    yield
    Value.made.clear()


def load(path: Path) -> types.ModuleType:
    """A new copy of the program at `path`."""
    spec = importlib.util.spec_from_file_location(f"leaks_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def leak(name: str, state: str) -> tuple[tuple[Holder, ...], tuple[Store, ...], weakref.ref[Value]]:
    """Run one program in one state, and look for the holders of what survives."""
    gc.collect()
    Value.made.clear()
    module = load(LEAKS / f"{name}.py")
    try:
        getattr(module, state)(Value())
        if state == "moved":
            module.move()
        value = survivor()
        holders = find_holders(value, ignore=(sys._getframe(),))
        return holders, find_stores(holders, (getattr(module, state),)), weakref.ref(value)
    finally:
        del sys.modules[module.__name__]


def leak_in_context(name: str, state: str) -> tuple[tuple[Holder, ...], tuple[Store, ...], weakref.ref[Value]]:
    return contextvars.copy_context().run(leak, name, state)


def marked_line(name: str, state: str) -> int:
    """The line that carries the state in its comment."""
    lines = (LEAKS / f"{name}.py").read_text().splitlines()
    (found,) = [number for number, line in enumerate(lines, 1) if state in line.partition("  # ")[2].split()]
    return found


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", KINDS)
def test_the_holder_is_named_as_the_user_writes_it(name: str, state: str) -> None:
    holders, _, _ = leak_in_context(name, state)
    kind, path = KINDS[name]
    assert [(holder.kind, holder.path) for holder in holders] == [
        (DIRECT_KIND.get(name, kind), path.format(**DETAILS.get((name, state), {})))]


@pytest.mark.parametrize("state", ["direct", "helper"])
@pytest.mark.parametrize("name", KINDS)
def test_the_line_that_stored_it_is_the_primary_place(name: str, state: str) -> None:
    holders, stores, _ = leak_in_context(name, state)
    told = describe(holders, stores)
    assert told.primary is not None
    assert told.primary.line == marked_line(name, state)
    assert told.labels == ()
    source = (LEAKS / f"{name}.py").read_text().splitlines()[told.primary.line - 1]
    assert source[told.primary.column : told.primary.end_column] == stores[0].text
    assert stores[0].text in told.why


@pytest.mark.parametrize("name", KINDS)
def test_of_a_value_that_was_moved_the_first_store_is_shown_and_none_is_primary(name: str) -> None:
    holders, stores, _ = leak_in_context(name, "moved")
    told = describe(holders, stores)
    assert told.primary is None
    assert "moved since" in told.why
    assert [store.span.line for store in stores if store.match is Match.ELSEWHERE] == [marked_line(name, "moved")]
    assert not any(store.certain for store in stores)
    assert len(told.labels) == len(stores)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_found_keeps_no_value_alive(name: str) -> None:
    holders, stores, value = leak_in_context(name, "direct")
    gc.collect()
    assert holders and stores
    assert value() is None  # the program and its holder are gone; only what was found is left


def rendered(name: str) -> str:
    """The part of the page for one kind of holder."""
    lines = [f"## {(load(LEAKS / f'{name}.py').__doc__ or '').rstrip('.')}", ""]
    for state in STATES:
        holders, stores, _ = leak_in_context(name, state)
        lines += _rendered_state(state, describe(holders, stores), stores)
    return "\n".join([*lines, ""])


def _rendered_state(state: str, told: Keeping, stores: tuple[Store, ...]) -> list[str]:
    title = {"direct": "Stored directly", "helper": "Through a helper", "moved": "Moved since"}[state]
    lines = [f"- *{title}*: {told.says}.", f"  {told.why}"]
    for label in told.labels:
        (store,) = [store for store in stores if store.span == label.span]
        lines.append(f"  - `{store.text}` in `{store.function}`: {label.text}")
    return lines


@pytest.fixture(autouse=True, scope="module")
def nothing_old() -> Iterator[None]:
    """The collector, which the search for holders asks, knows nothing that was there before: all other tests left much."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def test_the_page_on_leaks_says_what_the_report_says() -> None:
    page = PAGE.read_text()
    head, mark, _ = page.partition("<!-- cases -->\n")
    assert mark
    wanted = head + mark + "\n" + "\n".join(rendered(name) for name in KINDS)
    if os.environ.get("PERSPICAX_ACCEPT"):
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted


def test_every_program_is_in_the_table() -> None:
    assert {path.stem for path in LEAKS.glob("*.py")} == set(KINDS)


# Names: which of several is told


class Node:
    """An object with attributes."""


class Buffer(bytearray):
    """Bytes with attributes: what views it is not tracked by the collector."""


def make_buffer(value: object) -> Buffer:
    buffer = Buffer(b"x")
    buffer.h = value
    return buffer


def containers_of(value: object, *ignore: object) -> tuple[Holder, ...]:
    """The holders of a value, but for the variables of the running test."""
    return tuple(holder for holder in find_holders(value, ignore) if holder.kind is not Kind.LOCAL)


def paths_of(value: object, *ignore: object) -> list[str]:
    return [holder.path for holder in containers_of(value, *ignore)]


def test_a_local_variable_of_a_running_function_is_a_name() -> None:
    value = Node()
    outs = [value]

    def look(held: object) -> tuple[Holder, ...]:
        return find_holders(held, ignore=(sys._getframe(),))

    holders = look(value)
    function = "test_a_local_variable_of_a_running_function_is_a_name"
    assert [holder.path for holder in holders] == ["outs[0]", f"the local variable `value` of `{function}`"]
    assert holders[0].root == f"the local variable `outs` of `{function}`"
    assert outs


def test_an_object_is_not_named_self_if_it_has_another_name() -> None:
    class Model(Node):
        def check(self) -> list[str]:
            self.h = Node()
            return paths_of(self.h)

    model = Model()
    assert model.check() == ["model.h"]


def test_an_object_without_a_name_is_told_by_its_class() -> None:
    def look(owner: Node, held: object) -> tuple[Holder, ...]:
        return find_holders(held, ignore=(sys._getframe(),))

    def make(value: object) -> Node:
        owner = Node()
        owner.h = value
        return owner

    value = Node()
    # While `look` runs, the owner is nowhere but in its arguments, which do not count.
    holders = [holder for holder in look(make(value), value) if holder.kind is not Kind.LOCAL]
    assert [holder.says for holder in holders] == []
    pool = numpy.ndarray(1, "u1", buffer=make_buffer(value))
    (holder,) = containers_of(value)
    assert holder.says == "the attribute `h` of a `Buffer` object keeps it"
    assert holder.path == "the attribute `h` of a `Buffer` object"
    assert len(pool) == 1


@pytest.mark.parametrize(("make", "path"), [
    (lambda value: OrderedDict(a=value), "kept['a']"),
    (lambda value: defaultdict(list, a=[value]), "kept['a'][0]"),
    (lambda value: Counter({value: 3}), "kept.<key>"),
    (lambda value: {("a", 1): value}, "kept[('a', 1)]"),
    (lambda value: {Node: value}, "kept[Node]"),
    (lambda value: frozenset([(value,)]), "kept.<element>[0]"),
    (lambda value: types.SimpleNamespace(a=[{"b": value}]), "kept.a[0]['b']"),
    (lambda value: functools.partial(print, end=value), "kept.keywords['end']"),
    (lambda value: [lambda: value], "the closure cell `value` of the lambda at test_holders.py:{line} (in `kept[0]`)"),
])
def test_containers_of_the_standard_library(make: Callable[[object], object], path: str) -> None:
    value = Node()
    kept = make(value)
    line = make.__code__.co_firstlineno
    assert paths_of(value) == [path.format(line=line)]
    assert kept is not None


def test_the_traceback_of_an_exception_keeps_the_variables_of_its_frames() -> None:
    def step(x: Value) -> None:
        y = x * 2
        raise ValueError(str(type(y)))

    caught = []
    try:
        step(Value())
    except ValueError as error:
        caught.append(error)
    (holder,) = containers_of(survivor())
    assert holder.kind is Kind.TRACEBACK
    assert holder.says == "the local variable `y` of `step`, in the traceback of `caught[0]`, keeps it"
    (store,) = find_stores((holder,), (step,))
    assert (store.text, store.match) == ("y = x * 2", Match.POSSIBLE)


def test_a_coroutine_that_waits_is_told_by_its_variable() -> None:
    @types.coroutine
    def pause() -> Iterator[None]:
        yield

    async def work(value: object) -> None:
        held = value
        del value
        await pause()
        print(held)

    value = Node()
    task = work(value)
    task.send(None)
    (holder,) = containers_of(value)
    task.close()
    assert holder.kind is Kind.GENERATOR
    assert holder.path.startswith("the variable `held` of the coroutine `work` (in `task`), waiting at test_holders.py")


def test_a_thread_that_waits_is_searched_too() -> None:
    value = Node()
    ready, done = threading.Event(), threading.Event()

    def wait(box: list[object]) -> None:
        mine = box
        del box
        ready.set()
        done.wait(10)
        print(mine)

    thread = threading.Thread(target=wait, args=([value],))
    thread.start()
    ready.wait(10)
    try:
        holders = containers_of(value)
    finally:
        done.set()
        thread.join()
    assert "the local variable `mine` of `wait`" in {holder.root for holder in holders}


def test_a_loop_that_runs_over_the_value_is_not_told_beside_its_list() -> None:
    kept = [Node()]
    found = [paths_of(value) for value in tuple(kept)]
    assert found == [["kept[0]"]]


def test_the_holder_with_a_line_is_told_before_a_name_given_later(tmp_path: Path) -> None:
    module = program(tmp_path, """
class Net:
    def __init__(self):
        self.hidden = []
net = Net()
def step(x):
    net.hidden.append(x * 2)
""")
    module.step(Value())
    module.used = survivor()
    holders = containers_of(survivor())
    told = describe(holders, find_stores(holders, (module.step,)))
    assert [holder.path for holder in holders] == ["global used in train.py", "net.hidden[0]"]
    assert told.says == "the list `net.hidden` (index 0) keeps it; the global `used` in train.py keeps it"
    assert told.path == "net.hidden[0]"
    assert told.primary is not None


# What is no holder


def test_garbage_that_waits_for_the_collector_is_no_holder() -> None:
    value = Node()
    left, right = Node(), Node()
    left.other, right.other, right.value = right, left, value
    del left, right
    assert paths_of(value) == []


def test_weak_references_are_no_holders() -> None:
    value = Node()
    table = weakref.WeakValueDictionary({"a": value})
    keys = weakref.WeakKeyDictionary({value: 1})
    assert paths_of(value) == []
    assert len(table) == len(keys) == 1


def test_what_the_caller_names_is_no_holder_nor_what_only_it_holds() -> None:
    value, trace = Node(), Node()
    trace.tracers = [value]
    trace.by_name = {"y": value}
    assert paths_of(value, trace) == []
    assert sorted(paths_of(value)) == ["trace.by_name['y']", "trace.tracers[0]"]


def test_at_most_limit_holders_come_back() -> None:
    value = Node()
    lists = [[value] for _ in range(9)]
    assert len(find_holders(value, limit=3)) == 3
    assert len(lists) == 9


# No surprises


class Hostile:
    """Fails at whatever is asked of it."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)

    __eq__ = __bool__ = __iter__ = __len__ = __repr__ = lambda self, *args: 1 / 0

    def __hash__(self) -> int:
        return 1

    @property
    def __class__(self) -> type:
        raise RuntimeError("__class__")


def test_no_code_of_the_objects_on_the_way_is_run() -> None:
    value, holder = Node(), Hostile()
    object.__setattr__(holder, "h", value)
    table = {holder: holder, "b": [holder]}
    assert paths_of(value) == ["holder.h"]
    del holder
    assert paths_of(value) in (["table[<Hostile>].h"], ["table['b'][0].h"])
    assert table is not None


def test_locals_of_running_functions_are_left_as_they_were() -> None:
    value = Node()
    box = [value]
    reference = weakref.ref(value)

    def look(held: list[object]) -> tuple[Holder, ...]:
        return find_holders(held[0], ignore=(sys._getframe(),))

    assert look(box)
    assert box[0] is value
    box.clear()
    del value
    gc.collect()
    assert reference() is None  # nor does the copy that Python makes of a frame's variables keep it


def test_a_search_among_many_objects_goes_over_them_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = []
    scan = gc.get_referrers
    monkeypatch.setattr(gc, "get_referrers", lambda *of: (scans.append(len(of)), scan(*of))[1])
    crowd: list[object] = [{"number": index, "self": []} for index in range(150_000)]
    value = Node()
    crowd.append(value)
    assert paths_of(value) == ["crowd[150000]"]
    assert 0 < len(scans) <= 20  # each goes over all objects of the process


# Stores: what is and what is not a candidate


def program(tmp_path: Path, source: str) -> types.ModuleType:
    path = tmp_path / "train.py"
    path.write_text(source)
    return load(path)


def stores_of(module: types.ModuleType, *functions: object) -> tuple[Store, ...]:
    return find_stores(containers_of(survivor()), functions or (module.step,))


def test_constants_and_other_keys_are_no_candidates(tmp_path: Path) -> None:
    module = program(tmp_path, """
cache = {}
def step(x):
    cache["h"] = None
    cache["n"] = len(cache)
    cache["other"] = x
    cache.update(third=x)
    cache["h"] = x * 2
    cache["other"] = cache["third"] = 0
""")
    module.step(Value())
    assert [(store.text, store.certain) for store in stores_of(module)] == [('cache["h"] = x * 2', True)]


def test_several_certain_lines_are_all_shown_and_none_is_primary(tmp_path: Path) -> None:
    module = program(tmp_path, """
outs = []
def step(x, early=False):
    if early:
        outs.append(x)
    outs.insert(0, x * 2)
""")
    module.step(Value())
    holders = containers_of(survivor())
    stores = find_stores(holders, (module.step,))
    told = describe(holders, stores)
    assert [store.text for store in stores] == ["outs.append(x)", "outs.insert(0, x * 2)"]
    assert told.primary is None
    assert [label.text for label in told.labels] == ["stores it here"] * 2


def test_a_container_made_in_the_call_is_no_candidate(tmp_path: Path) -> None:
    module = program(tmp_path, """
outs = []
def step(x):
    row = []
    row.append(x * 2)
    outs.append(row)
""")
    module.step(Value())
    assert [store.text for store in stores_of(module)] == ["outs.append(row)"]


def test_a_parameter_of_the_traced_function_is_a_possible_candidate(tmp_path: Path) -> None:
    module = program(tmp_path, """
def step(x, out):
    out.append(x * 2)
""")
    kept: list[object] = []
    module.step(Value(), kept)
    (store,) = stores_of(module)
    assert (store.text, store.match, store.holder) == ("out.append(x * 2)", Match.POSSIBLE, "kept[0]")


@pytest.mark.parametrize("call", [
    "store(x * 2)", "partial(keep, outs)(x * 2)", "Keeper()(x * 2)", "Keeper.put(outs, x * 2)", "decorated(x * 2)",
    "sub.append_to(outs, x * 2)", "apply(bound, x * 2)", "(lambda y: outs.append(y))(x * 2)",
    "list.append(outs, x * 2)", "heapq.heappush(outs, x * 2)",
])
def test_the_line_is_found_through_every_kind_of_callable(tmp_path: Path, call: str) -> None:
    module = program(tmp_path, f"""
import functools, heapq
from functools import partial
outs = []
def keep(acc, y):
    acc.append(y)
store = partial(keep, outs)
class Keeper:
    def __call__(self, y):
        self.put(outs, y)
    @staticmethod
    def put(acc, y):
        acc.append(y)
class Sub(Keeper):
    def append_to(self, acc, y):
        super().put(acc, y)
sub = Sub()
def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper
@logged
def decorated(y):
    outs.append(y)
def apply(function, y):
    function(y)
bound = store
def step(x):
    {call}
""")
    module.step(Value())
    stores = stores_of(module)
    assert len(stores) == 1
    assert ".append(" in stores[0].text or "heappush" in stores[0].text


def test_a_bound_method_knows_its_object(tmp_path: Path) -> None:
    module = program(tmp_path, """
class Model:
    def __init__(self):
        self.h = None
        self.rows = []
    def step(self, x):
        self.rows += [x * 2]
model = Model()
""")
    module.model.step(Value())
    (store,) = stores_of(module, module.model.step)
    assert (store.text, store.function, store.certain) == ("self.rows += [x * 2]", "Model.step", True)


def test_a_method_that_is_not_seen_to_be_called_may_have_stored_it(tmp_path: Path) -> None:
    module = program(tmp_path, """
class Model:
    def keep(self, y):
        self.h = y
model = Model()
def step(x, name):
    getattr(find(), name)(x * 2)
def find():
    return model
""")
    module.step(Value(), "keep")
    holders = containers_of(survivor())
    (store,) = find_stores(holders, (module.step,))
    assert (store.text, store.match) == ("self.h = y", Match.UNCALLED)
    told = describe(holders, (store,))
    assert told.primary == store.span
    assert told.why == "`self.h = y` in `Model.keep` may have stored it there."


def test_without_source_the_holder_is_told_and_the_line_cannot_be() -> None:
    namespace: dict[str, object] = {"__name__": "made"}
    exec("outs = []\ndef step(x):\n    outs.append(x * 2)\n", namespace)
    step = namespace["step"]
    assert callable(step)
    step(Value())
    holders = containers_of(survivor())
    stores = find_stores(holders, (step,))
    told = describe(holders, stores)
    assert holders[0].kind is Kind.LIST
    assert (stores, told.primary, told.why) == ((), None, "The line that stored it cannot be told.")
    assert function_span(step) is not None


def test_of_nothing_found_the_report_says_so() -> None:
    told = describe((), ())
    assert (told.says, told.primary) == ("", None)
    assert told.why == "What keeps it cannot be told: nothing that Python can look into refers to it."
