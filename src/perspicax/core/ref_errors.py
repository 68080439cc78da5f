"""Errors of mutable references."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class OuterRefError(PerspicaxError, ValueError):
    """A reference was used in a transformed function that cannot take it along.

    Loops, branches and `jit` catch it, and make the reference's value one of their operands and results.

    Attributes:
        type_text: the type of its value.
        kind: `outer` (it belongs outside of the function), `write` (a traced value would leave its transformation) or
            `ended` (it belongs to a transformation that has ended).
    """

    type_text: str
    kind: str = "outer"

    @property
    def report(self) -> Report:
        if self.kind == "write":
            return Report(says=f"A traced value was written to a reference of type Ref{{{self.type_text}}} from outside of the "
                               "transformation.",
                          why="the value has a meaning inside of the transformation (vmap, grad) alone",
                          fixes=(Fix("make the reference inside", code="ref = jax.new_ref(x)"),
                                 Fix("return the value, and write it to the reference outside")))
        if self.kind == "ended":
            return Report(says=f"A reference of type Ref{{{self.type_text}}} was used after the transformation that made it "
                               "has ended.",
                          why="its value was a traced one", fixes=(Fix("return its value", code="return jax.freeze(ref)"),))
        return Report(says=f"A reference of type Ref{{{self.type_text}}} from outside was used in a function that is traced on "
                           "its own.",
                      why="`jit`, `scan`, `while_loop`, `fori_loop`, `map`, `cond` and `switch` take references along; this "
                          "transformation does not",
                      fixes=(Fix("pass its value, and write the result to it afterwards", code="ref[...] = f(ref[...])"),))


class RefArgumentError(PerspicaxError, ValueError, TypeError):
    """What stands for a reference, a `ShapeDtypeStruct` with `is_ref`, was passed to a function that is called.

    A call of a jitted function, which passes the values of references, catches it for those.

    Attributes:
        function: the function; empty where it is not known.
    """

    function: str

    @property
    def report(self) -> Report:
        given = "a `ShapeDtypeStruct` in place of a reference"
        name = self.function or "f"
        return Report(says=f"`{self.function}` was called with {given}." if self.function else f"An operand is {given}.",
                      why="it tells the type of a reference, and has no value to read",
                      fixes=(Fix("stage the function for it", code=f"jax.make_jaxpr({name})(struct)"),
                             Fix("call the function with a reference", code=f"jax.jit({name})(jax.new_ref(x))")))


class RefValueError(PerspicaxError, ValueError, TypeError):
    """What was written to a reference, or made one, or where, does not fit.

    Attributes:
        kind: `shape`, `dtype`, `index` (outside), `value` (no array), `alias` (given twice), `closed` (given, and used in
            the function without being its argument), `done` (frozen or freed), `returned` or `space`.
        expected, got: types, or an index and a size; the function (`closed`, `alias`, `returned`); `freeze` or `free_ref`
            (`done`).
        operation: what was done: `get`, `set`, `swap`, `addupdate`, `new_ref`, `jit`, `vmap`, `scan`, `jvp`, `eval_shape`.
        names: of `alias`, what the function calls the arguments; of `returned`, the path in the result.
    """

    kind: str
    operation: str
    expected: str
    got: str
    names: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        if self.kind == "index":
            return Report(says=f"The index {self.got} lies outside of a reference's axis of size {self.expected}.",
                          why="indices of references that are known are checked")
        if self.kind == "value":
            return Report(says=f"`{self.operation}` was given a value of class {self.got}, which is no array.",
                          why="a reference holds one array",
                          fixes=(Fix("make a reference of each leaf", code="refs = jax.tree.map(jax.new_ref, values)"),))
        if self.kind == "alias":
            places = " and ".join([f"`{name}`" for name in self.names])
            return Report(says=f"One reference of type Ref{{{self.expected}}} was passed to `{self.got}` "
                               f"{len(self.names)} times: as {places}.",
                          why=f"`{self.operation}` gives the function a reference of its own for each: a write to one of them "
                              "would have to show in the other", fixes=(Fix("pass it once"),))
        if self.kind == "closed":
            return Report(says=f"A reference of type Ref{{{self.expected}}} was passed to `{self.got}`, which also uses it "
                               "without being given it.",
                          why=f"`{self.operation}` gives the function a reference of its own for the argument: a write to one "
                              "of them would have to show in the other",
                          fixes=(Fix("use the argument alone"), Fix("do not pass it")))
        if self.kind == "returned":
            path = self.names[0]
            return Report(says=f"`{self.got}` returned a reference of type Ref{{{self.expected}}}"
                               + (f", as `{path}`." if path != "result" else "."),
                          why="the function is run once, with placeholders: a reference that it makes does not outlive that, "
                              "and one that it is given is at hand outside",
                          fixes=(Fix("return its value", code="return jax.freeze(ref)"),))
        if self.kind == "done":
            done = "frozen" if self.got == "freeze" else "freed"
            return Report(says=f"A reference was {'written to' if self.operation == 'set' else 'used'} after it was {done}.",
                          why=f"`{self.got}` says that it is not needed any more",
                          fixes=(Fix(f"do this before `{self.got}`"), Fix("read it instead", code="x = ref[...]")))
        if self.kind == "space":
            return Report(says=f"`{self.operation}` was given {self.got}, which references do not take yet.",
                          fixes=(Fix("leave it out"),))
        fixes: tuple[Any, ...] = (Fix("convert it", code=f"jnp.asarray(x, {self.expected.partition('[')[0]!r})"),)
        if self.kind == "shape":
            fixes = (Fix("broadcast it first", code="jnp.broadcast_to(x, shape)"),)
        return Report(says=f"`{self.operation}` of a reference takes {self.expected} there, not {self.got}.",
                      why="a reference keeps its type, and what is written to it is neither converted nor broadcast",
                      fixes=fixes)
