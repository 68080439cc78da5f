"""Errors of calls back to Python."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

_NO_X64 = "64-bit types are off (`jax_enable_x64`), so no array of the program can hold it"


class CallbackResultError(PerspicaxError, RuntimeError, TypeError, ValueError):
    """A callback returned something else than was announced.

    It is raised where the function returned; the user gets it as the cause of a `JaxRuntimeError`.

    Attributes:
        function: the user's function.
        kind: `structure` or `type`.
        expected, got: what was announced, and what came.
    """

    function: str
    kind: str
    expected: str
    got: str

    @property
    def report(self) -> Report:
        what = "structure" if self.kind == "structure" else "type"
        fixes: tuple[Fix, ...] = (Fix("announce what it returns, in `result_shape_dtypes`"),)
        dtype, _, shape = self.got.partition("[")
        if self.kind == "type":
            sizes = shape.rstrip("]")
            fixes = (Fix("announce what it returns", code=f"jax.ShapeDtypeStruct(({sizes}{',' if sizes.isdigit() else ''}), "
                                                          f"np.{dtype})"),)
        if self.kind == "type" and self.expected.partition("[")[2] == shape:
            fixes += (Fix("convert what it returns", code=f"return np.asarray(result, np.{self.expected.partition('[')[0]})"),)
        return Report(says=f"The callback `{self.function}` returned a value of another {what} than announced: {self.got} "
                           f"instead of {self.expected}.",
                      why="the compiled program has room for exactly what was announced", fixes=fixes)


class CallbackTransformError(PerspicaxError, ValueError, NotImplementedError):  # JAX raises one for vmap, the other else
    """A callback is under a transformation that cannot see into a Python function.

    Attributes:
        function: the user's function.
        kind: `derivative`, `vmap` (no `vmap_method`) or `ordered` (an ordered callback under vmap).
        what: the function that calls back: `pure_callback`.
    """

    function: str
    kind: str
    what: str

    @property
    def report(self) -> Report:
        f = self.function
        if self.kind == "derivative":
            return Report(says=f"The callback `{f}` cannot be differentiated.",
                          why="it is a Python function that the transformation does not see into",
                          fixes=(Fix("give the function around it a derivative", code="@jax.custom_jvp"),
                                 Fix("keep gradients away from it", code="jax.lax.stop_gradient(x)")))
        if self.kind == "ordered":
            return Report(says=f"The callback `{f}` is ordered, and is under vmap.",
                          why="vmap makes one call for each entry, all of them at one place of the program: there is no order "
                              "between the entries to keep",
                          fixes=(Fix("loop over the entries", code="jax.lax.map(f, xs)"),
                                 Fix("let the calls happen in any order", code="ordered=False")))
        return Report(says=f"The callback `{f}` is under vmap, but `vmap_method` does not say how to call it.",
                      why="Python functions differ in whether they take a whole batch",
                      fixes=(Fix("once for each entry", code='vmap_method="sequential"'),
                             Fix("once with a leading batch axis", code='vmap_method="expand_dims"')))


class CallbackArgumentError(PerspicaxError, TypeError, ValueError, AttributeError):  # JAX raises each of them for one kind
    """A function that calls back to Python was given something that it cannot take.

    Attributes:
        what: the function that calls back: `pure_callback`.
        kind: `function` (no function), `announced` (a leaf of `result_shape_dtypes` that is no type), `extended` or
            `wide` (a dtype that cannot come back), `method` (no such `vmap_method`).
        got: what was given.
        function: the user's function.
        path: the leaf.
        known: the methods that there are.
    """

    what: str
    kind: str
    got: str
    function: str = ""
    path: str = ""
    known: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        where = f"`result_shape_dtypes{self.path}`"
        if self.kind == "function":
            return Report(says=f"`{self.what}` was given a value of class {self.got} where it takes a function.",
                          fixes=(Fix("the function comes first, then what it returns, then its arguments",
                                     code=f"jax.{self.what}(f, jax.ShapeDtypeStruct(x.shape, x.dtype), x)"),))
        if self.kind == "method":
            listing = ", ".join([f"`{name}`" for name in self.known])
            return Report(says=f"`{self.what}` has no vmap_method {self.got}.", why=f"there are {listing}, and None")
        if self.kind == "announced":
            return Report(says=f"{where} of `{self.what}` is a value of class {self.got}, which is no type of an array.",
                          why=f"the program must know the shape and dtype of each array that `{self.function}` returns "
                              "before it is called",
                          fixes=(Fix("announce them", code="jax.ShapeDtypeStruct((), jnp.float32)"),))
        if self.kind == "extended":
            return Report(says=f"{where} of `{self.what}` announces an array of dtype {self.got}.",
                          why="a Python function can return arrays of numbers only",
                          fixes=(Fix("let it return the words of the keys, and wrap them",
                                     code="jax.random.wrap_key_data(words)"),))
        return Report(says=f"{where} of `{self.what}` announces {self.got}.", why=_NO_X64,
                      fixes=(Fix("announce 32 bits; what the function returns is converted",
                                 code=f"jax.ShapeDtypeStruct(shape, jnp.{self.got.replace('64', '32').replace('128', '64')})"),
                             Fix("turn 64-bit types on", code='jax.config.update("jax_enable_x64", True)')))
