"""Rules about traced values: conversions, NumPy, options, sizes; and what traced functions do besides computing."""
from __future__ import annotations

import ast

from perspicax.analyse.source import library
from perspicax.analyse.source.calls import Calls
from perspicax.analyse.source.expressions import traced_in
from perspicax.analyse.source.reader import Frame
from perspicax.analyse.source.values import ARGUMENT, ARRAY, Function, Method, Named, Sort, Value, flat, join
from perspicax.diagnose.report import Fix, Label

__all__ = ["Tracing"]

_AXES = {"sum": 1, "mean": 1, "max": 1, "min": 1, "prod": 1, "any": 1, "all": 1, "argmax": 1, "argmin": 1, "std": 1, "var": 1,
         "cumsum": 1, "cumprod": 1, "sort": 1, "argsort": 1, "stack": 1, "concatenate": 1, "squeeze": 1, "expand_dims": 1,
         "flip": 1, "split": 2, "repeat": 2, "roll": 2, "reshape": 1, "broadcast_to": 1, "one_hot": 1, "moveaxis": 1,
         "swapaxes": 1}
_CHANGES = frozenset({"append", "extend", "add", "update", "insert", "setdefault", "appendleft"})
_OPTIONS = ("axis", "shape", "axes", "num_classes", "ndmin", "length", "num", "newshape", "indices_or_sections")
_UPDATES = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power"}
_TRACED_FINE = {"roll", "repeat", "take", "linspace"}  # of which one argument may be traced


def _certain(value: Value) -> bool:
    return value.staged and (value.level == ARRAY or (value.level == ARGUMENT and bool(value.bare)))


def _may_be_reference(node: ast.expr) -> bool:
    """Whether something is called like a mutable reference, which takes assignments."""
    return "ref" in ast.unparse(node).rpartition(".")[2].lower()


class Tracing(Calls):
    """Traced values where there must be values, and effects of traced functions."""

    def library_call(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST,
                     frame: Frame) -> Value | None:
        """A call that a rule looks at."""
        if not isinstance(node, ast.Call):
            return None
        room, _, short = name.rpartition(".")
        if room == "builtins":
            return self._builtin(short, args, node, frame)
        if name.startswith("jax.random."):
            return self.key_call(short, args, keywords, node, frame)
        if room == "numpy" or name.startswith("numpy."):
            return self._numpy(name, short, args, keywords, node, frame)
        if room == "math" and args and _certain(args[0]):
            self._conversion(node, args[0], f"`math.{short}`", frame, [Fix("compute with `jax.numpy`",
                             code=f"jnp.{short}({self.program.words(node.args[0])})")] if short in library.NUMPY_TWINS else [])
            return join(args, ARRAY)
        if name in library.CLOCKS or room == "random":
            self._clock(name, room, node, frame)
            return None
        if name.startswith("jax.numpy.") or name.startswith("jax.nn."):
            self._options(short, args, keywords, node, frame)
            self._dynamic(short, args, keywords, node, frame)
        return None

    def key_call(self, short: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame) -> Value | None:
        """A call of `jax.random`."""
        raise NotImplementedError

    # -- conversions

    def _builtin(self, short: str, args: list[Value], node: ast.Call, frame: Frame) -> Value | None:
        if short in library.TO_NUMBER and args:
            if _certain(args[0]):
                self._conversion(node, args[0], f"`{short}`", frame)
            return Value()
        if short == "range":
            for arg, part in zip(args, node.args):
                if _certain(arg):
                    self._range(node, part, arg, frame)
        if short in ("max", "min", "sorted", "any", "all"):
            self._compares(short, args, node, frame)
        if short == "print" and self.staged:
            self._print(args, node, frame)
        return None

    def _conversion(self, node: ast.Call, value: Value, what: str, frame: Frame, fixes: list[Fix] | None = None) -> None:
        part = node.args[0] if node.args else node.func
        text = self.program.words(part)
        more = [Fix("leave it an array: arithmetic, `jnp.where` and indexing take traced values"),
                Fix("convert outside the traced function, what it returns")]
        static = self.static_fix(value)
        rest = [*static, *more] if value.bare else [*more, *static]
        self.tell("traced-conversion", node, f"{what} needs the value of `{text}`, but {self.during(value)} it has none yet.",
                  frame, labels=(self.label(part, value), *self.way_here()), fixes=(*(fixes or []), *rest))

    def _compares(self, short: str, args: list[Value], node: ast.Call, frame: Frame) -> None:
        """Functions of Python that ask arrays, or comparisons of them, for their truth."""
        for value, part in zip(args, node.args):
            if _certain(value) and not value.likely_tree and value.what is None:
                text, several = self.program.words(part), len(args) > 1
                given = ", ".join([self.program.words(a) for a in node.args])
                new = {"max": "maximum" if several else "max", "min": "minimum" if several else "min", "sorted": "sort"}.get(
                    short, short)
                self.tell("traced-branch", node, f"Python's `{short}` needs to compare the values of `{text}`, but "
                          f"{self.during(value)} they are not known yet.", frame,
                          labels=(self.label(part, value), *self.way_here()),
                          fixes=(Fix("use the function of `jax.numpy`", code=f"jnp.{new}({given})"), *self.static_fix(value)))
                return

    def _range(self, node: ast.Call, part: ast.expr, value: Value, frame: Frame) -> None:
        text = self.program.words(part)
        self.tell("traced-integer", node, f"`range` needs `{text}` as a Python integer, but {self.during(value)} it has "
                                          "no value "
                  "yet.", frame, labels=(self.label(part, value), *self.way_here()),
                  fixes=(Fix("loop on the device", code=f"jax.lax.fori_loop(0, {text}, body, state)"), *self.static_fix(value)))

    def method(self, m: Method, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """A call of a method of something that is not of the program."""
        owner = m.owner
        values = [owner, *args, *keywords.values()]
        if isinstance(node, ast.Call) and owner.level and not isinstance(owner.what, Sort):
            if m.name in library.NUMBER_METHODS and _certain(owner):
                self._conversion(node, owner, f"`.{m.name}()`", frame)
                return Value()
            if m.name in ("keys", "structure"):
                return Value()
            if m.name == "items":
                inner = Value(owner.level, owner.staged, owner.of, owner.traced_in)
                return Value(what=Sort("items"), parts={"element": Value(items=(Value(), inner), what=Sort("items"))})
            if m.name in ("values", "get", "pop", "copy", "replace", "_replace"):
                return Value(owner.level if owner.level != ARRAY else ARRAY, owner.staged, owner.of, owner.traced_in)
            if m.name in ("sum", "mean", "max", "min", "prod", "any", "all", "std", "var", "argmax", "argmin", "astype",
                          "reshape", "ravel", "flatten", "squeeze", "transpose", "cumsum", "round", "clip", "dot", "sort"):
                self._options(m.name, [owner, *args], keywords, node, frame)
                made = join([owner, *args], ARRAY if owner.level >= ARGUMENT else None)
                made.truth = m.name in ("any", "all")
                made.depth = len(self.traces)
                return made
        if isinstance(owner.what, Sort) and owner.what.word == "at":
            made = join(values, ARRAY) if traced_in(values) else Value(depth=len(self.traces))
            made.array = m.name in library.PURE_METHODS
            return made
        if m.name in _CHANGES and node is self.alone and not owner.level \
                and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) \
                and (m.name != "update" or owner.what is not None):
            for value in args[-1:] or [Value()]:
                self.stored_outside(node, self.program.words(node.func.value), value, owner.depth, frame, node, owner)
            return Value()
        if owner.what == Sort("self"):  # what it does to the attributes is not known
            owner.parts = {k: v for k, v in owner.parts.items() if k == "#class"}
        if m.name in ("clear",) and owner.what is not None:
            owner.parts.clear()
        if owner.what is None and not owner.level:
            owner.parts = {k: v for k, v in owner.parts.items() if isinstance(v.what, Method)}
        if owner.level == ARRAY:
            return join(values, ARRAY)
        return self.mixed(values)

    # -- NumPy

    def _numpy(self, name: str, short: str, args: list[Value], keywords: dict[str, Value], node: ast.Call,
               frame: Frame) -> Value | None:
        if name.startswith("numpy.random."):
            self._clock(name, "numpy.random", node, frame)
            return Value(depth=len(self.traces))
        if short in _AXES and name == f"numpy.{short}":
            self._options(short, args, keywords, node, frame)
        ours = name == f"numpy.{short}" or name.startswith(("numpy.linalg.", "numpy.fft."))
        if not ours or short in library.NUMPY_OF_TYPES:
            return Value(depth=len(self.traces))
        pairs = [*zip(args, node.args), *[(v, k.value) for k in node.keywords for v in [keywords.get(k.arg or "**")] if v]]
        for value, part in pairs:
            for inner in flat(value):
                if inner.level == ARRAY or (inner.level == ARGUMENT and inner.bare and not inner.likely_tree):
                    self._numpy_on(name, short, node, part, inner, frame)
                    return join([inner], ARRAY)
        return self.mixed(args) if traced_in(args) else Value(depth=len(self.traces))

    def _numpy_on(self, name: str, short: str, node: ast.Call, part: ast.expr, value: Value, frame: Frame) -> None:
        called = self.program.words(node.func)
        fixes: list[Fix] = []
        jnp = self.called_here("jax.numpy", frame)
        twin = short in library.NUMPY_TWINS and name == f"numpy.{short}"
        if twin or name.startswith(("numpy.linalg.", "numpy.fft.")):
            new = f"{jnp or 'jnp'}.{name.removeprefix('numpy.')}"
            given = ", ".join([self.program.words(a) for a in node.args])
            fixes.append(Fix("use the function of `jax.numpy`", code=f"{new}({given})",
                             edits=(self.program.edit(node.func, new),) if jnp else ()))
        fixes.append(Fix("call back to NumPy at each run", code=f"jax.pure_callback({called}, result_type, …)"))
        text = self.program.words(part)
        self.tell("traced-numpy", node, f"`{called}` is NumPy's, and needs the values of `{text}`; {self.during(value)} "
                                        "there are "
                  "none.", frame, labels=(self.label(part, value), *self.way_here()), fixes=tuple(fixes),
                  safe=bool(twin and jnp))

    def called_here(self, module: str, frame: Frame) -> str | None:
        """What the program calls a module; None if it does not import it."""
        for name, value in self.top.names.items():
            if isinstance(value.what, Named) and value.what.name == module:
                return name
        if module == "jax.numpy" and isinstance(getattr(self.top.names.get("jax"), "what", None), Named):
            return "jax.numpy"
        return None

    # -- shapes

    def _options(self, short: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame) -> None:
        pairs = [(keywords[o], k.value, o) for k in node.keywords for o in [k.arg or ""] if o in _OPTIONS and o in keywords]
        is_method = len(args) == len(node.args) + 1
        nodes = [node.func, *node.args] if is_method else list(node.args)
        at = 0 if short in library.CREATION else _AXES.get(short)
        if at is not None and at < len(args) and len(nodes) == len(args) and short != "repeat":
            word = "shape" if short in library.CREATION or short in ("reshape", "broadcast_to") else "axis"
            pairs.append((args[at], nodes[at], word))
            if short in ("arange", "reshape"):
                pairs += [(a, n, word) for a, n in zip(args[at + 1:], nodes[at + 1:])]
        for value, part, word in pairs:
            for inner in flat(value):
                if _certain(inner) and not (inner.level == ARGUMENT and inner.likely_tree and short not in library.CREATION):
                    text = self.program.words(part)
                    static = self.static_fix(inner)
                    fixes = [Fix("take it from a shape, which is known while tracing", code="x.shape[0]")] if word == "shape" \
                        else [Fix("write the number itself, or take it from `ndim`, which is known while tracing")]
                    self.tell("traced-option", node, f"`{self.program.words(node.func)}` needs `{text}` as a Python "
                                                     "value for its "
                              f"{word}, but {self.during(inner)} it has none yet.", frame,
                              labels=(self.label(part, inner), *self.way_here()),
                              fixes=(*static, *fixes))
                    return

    def _dynamic(self, short: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame) -> None:
        alone = short == "where" and len(args) == 1 and not keywords.keys() - {"condition", "size", "fill_value"}
        if not (alone or short in library.DYNAMIC) or "size" in keywords or "**" in keywords or "*" in keywords or not args:
            return
        value = next((a for a in args if a.level >= ARGUMENT and a.staged), None)
        if value is None:
            return
        text = self.program.words(node)
        fixes = [Fix("say how many entries there are at most", code=f"{text[:-1]}, size=n, fill_value=-1)")]
        if alone:
            fixes.append(Fix("choose entry by entry, which keeps the shape",
                             code=f"{self.program.words(node.func)}({self.program.words(node.args[0])}, x, 0)"))
        self.tell("dynamic-size", node, f"how many entries `{text}` has depends on values, but {self.during(value)} "
                                        "there are none.",
                  frame, labels=(self.label(node.args[0], value), *self.way_here()), fixes=tuple(fixes))

    # -- updates in place

    def item_stored(self, target: ast.Subscript, owner: Value, statement: ast.AST, frame: Frame) -> None:
        """`owner[index] = value`."""
        if owner.what is not None or not (owner.array or owner.level == ARRAY) or _may_be_reference(target.value):
            return
        base: ast.expr = target.value
        indices = [self.program.source(target.slice)]
        while isinstance(base, ast.Subscript):
            indices = [self.program.source(base.slice), *indices]
            base = base.value
        name = self.program.source(base)
        method = "set" if not isinstance(statement, ast.AugAssign) else _UPDATES.get(type(statement.op), "")
        fixes = [Fix("make a new array with the entry changed, by `.at[...]`")]
        safe = isinstance(base, ast.Name) and (base.id in frame.names or base.id in frame.outside) and len(indices) == 1
        alone = isinstance(statement, ast.AugAssign) or (isinstance(statement, ast.Assign) and statement.targets == [target])
        if method and alone and isinstance(base, ast.Name | ast.Attribute):
            given: ast.expr = statement.value  # type: ignore[attr-defined]
            value = self.program.source(given)
            value = f"({value})" if isinstance(given, ast.Tuple | ast.Yield | ast.YieldFrom) and value[0] != "(" else value
            new = f"{name} = {name}.at[{', '.join(indices)}].{method}({value})"
            fixes = [Fix("make a new array with the entry changed", code=new, edits=(self.program.edit(statement, new),))]
        self.tell("item-assignment", target, f"`{self.program.words(target.value)}` cannot be changed in place: it is an array "
                  "of JAX.", frame, fixes=tuple(fixes),
                  safe=safe and bool(fixes[0].edits))

    # -- effects

    def _quiet(self, node: ast.AST) -> bool:
        words = ast.dump(node).lower()
        return any(w in words for w in library.QUIET_WORDS)

    def _staged_clause(self) -> str:
        t = [t for t in self.traces if t.kind == "staged"][-1]
        return f"while {t.transform} traces `{t.function}`"

    def _print(self, args: list[Value], node: ast.Call, frame: Frame) -> None:
        if self._quiet(node) or (args and not traced_in(args) and any(
                isinstance(n, ast.Attribute) and n.attr in library.METADATA for n in ast.walk(node))):
            return
        new = self._debug_print(node, frame)
        fix = Fix("print the values at each call", code=new or 'jax.debug.print("{}", x)',
                  edits=(self.program.edit(node, new),) if new else ())
        self.tell("traced-print", node, f"`{self.program.words(node)}` prints only {self._staged_clause()}, not at each call.",
                  frame, labels=self.way_here(), fixes=(fix, Fix("print outside the traced function, what it returns")),
                  safe=bool(new))

    def _debug_print(self, node: ast.Call, frame: Frame) -> str | None:
        """The same with `jax.debug.print`, where that is plain."""
        jax = self.called_here("jax", frame)
        if jax is None or node.keywords or not node.args or any(isinstance(a, (ast.Starred, ast.JoinedStr)) for a in node.args):
            return None
        words, rest = [], []
        for arg in node.args:
            if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
                words.append(arg.value.replace("{", "{{").replace("}", "}}"))
            else:
                words.append("{}")
                rest.append(self.program.source(arg))
        text = repr(" ".join(words))
        quoted = '"' + text[1:-1] + '"' if text[0] == "'" and '"' not in text else text
        return f"{jax}.debug.print({', '.join([quoted, *rest])})"

    def _clock(self, name: str, room: str, node: ast.Call, frame: Frame) -> None:
        if not self.staged or self._quiet(node):
            return
        text = self.program.words(node)
        if name in library.CLOCKS:
            says = f"`{text}` is read once, {self._staged_clause()}: every call gets that same time."
            fixes = (Fix("read the clock outside the traced function; pass the time as an argument if it is needed"),)
        else:
            says = f"`{text}` draws numbers once, {self._staged_clause()}: every call gets the same ones."
            fixes = (Fix("draw with a key that is an argument", code="jax.random.normal(key, shape)"),)
        self.tell("side-effect", node, says, frame, labels=self.way_here(), fixes=fixes)

    def stored_outside(self, target: ast.AST, holder: str, value: Value, depth: int, frame: Frame, statement: ast.AST,
                       owner: Value | None = None) -> None:
        """Something that was there before the trace is changed in it."""
        if not self.traces or depth >= len(self.traces) or (owner is not None and owner.level):
            return
        traced = [v for v in flat(value) if v.level >= ARGUMENT]
        if isinstance(statement, (ast.For, ast.With)) or isinstance(value.what, Function):
            return
        if owner is not None and (owner.what is None or owner.what == Sort("self")) and not self._lives_outside(target, frame):
            return
        text = self.program.words(statement)
        if traced:
            t = self.traces[-1]
            self.tell("leaked-value", statement, f"`{text}` keeps a traced value in `{holder}`, which outlives the "
                                                 "trace.", frame,
                      labels=(Label(self.program.span(statement),
                                    f"while {t.transform} traces `{t.function}`"), *self.way_here()),
                      fixes=(Fix("return the value, and store it outside the traced function"),
                             Fix("keep it as a part of the state that goes in and out")))
        elif self.staged and not self._quiet(statement) and not any(w in holder.lower() for w in library.QUIET_WORDS):
            self.tell("side-effect", statement, f"`{text}` changes `{holder}` only {self._staged_clause()}, not at each "
                                                "call.", frame,
                      labels=self.way_here(),
                      fixes=(Fix(f"return the new value, and store it outside the traced function: `{holder}` is then "
                                 "an argument "
                                 "and a result"),
                             Fix("call back to Python at each call", code="jax.debug.callback(update, x)")))

    def _lives_outside(self, target: ast.AST, frame: Frame) -> bool:
        """Whether the object that is changed is a name of a frame that began before the trace."""
        node: ast.AST = target.func if isinstance(target, ast.Call) else target
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        if not isinstance(node, ast.Name):
            return False
        home = frame.find(node.id)
        value = home.names[node.id] if home is not None else None
        if value is not None and isinstance(value.what, Sort) and value.what.word == "self":
            return not value.level  # a static argument
        return home is not None and home.depth < len(self.traces)
