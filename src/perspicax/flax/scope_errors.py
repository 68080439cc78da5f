"""Errors of scopes: variables, collections and random streams that are not there or may not change."""
from __future__ import annotations

import ast
from typing import Any

from perspicax.diagnose.errors import ReportedError
from perspicax.diagnose.expression import located
from perspicax.diagnose.place import Place, Position
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import imported_as
from perspicax.flax.applied import AppliedError, Collision, collision, opened_at, transform_made_at, variable_made_at
from perspicax.flax.error_base import (
    FlaxError,
    article,
    entry,
    lifted_by,
    listed,
    meant_fixes,
    near_fixes,
    place_of,
    shape_of,
)

__all__ = [
    "ApplyScopeInvalidVariablesStructureError", "ApplyScopeInvalidVariablesTypeError", "DuplicateNameError",
    "FlagNotFoundError", "ImmutableVariableError", "InvalidFilterError", "InvalidRngError", "InvalidRngTypeError",
    "InvalidScopeError", "JaxTransformError", "LazyInitError",
    "ModifyScopeVariableError", "NameInUseError", "PartitioningUnspecifiedError", "ScopeCollectionNotFound",
    "ScopeNameTypeError", "ScopeParamNotFoundError", "ScopeParamShapeError", "ScopeVariableNotFoundError",
]


class LazyInitError(FlaxError):
    """`lazy_init` was to make a variable whose value depends on an input that has no value.

    Attributes:
        partial_val: what could not be computed.
        path: where it stands in the result; empty where that is not known.
    """

    partial_val: Any
    path: str = ""

    def __init__(self, partial_val: Any, **facts: Any) -> None:
        super().__init__(partial_val=partial_val, **facts)

    @property
    def report(self) -> Report:
        name = f"`{self.path}`" if self.path else "A variable"
        kind = getattr(self.partial_val, "shape", None)
        drawn = f" ({getattr(self.partial_val, 'dtype', '')}{shape_of(kind)})" if kind is not None else ""
        made = variable_made_at(self.position, self.path)
        labels = (Label(self.position, "initialised lazily here"),) if made is not None and self.position is not None else ()
        return Report(
            primary=made, labels=labels,
            says=f"{name}{drawn} cannot be initialised lazily: its value depends on an input that was given as a shape.",
            why="`lazy_init` runs no computation on its inputs: a `jax.ShapeDtypeStruct` has a shape and a dtype, but no "
                "value",
            fixes=(Fix("let the initialiser use the shape and the dtype alone",
                       code="self.param('kernel', nn.initializers.ones_init(), x.shape, x.dtype)"),
                   Fix("initialise with arrays", code="module.init(rngs, jnp.ones((8, 4)))")))


class InvalidRngError(AppliedError):
    """A stream of random keys is missing, or what was given as one is no key.

    Attributes:
        msg: what is wrong, in words; a text made from the other fields replaces it where they are known.
        name: the stream that was asked for, `dropout`.
        scope_path: the module that asked.
        given: the streams that were passed.
        kind: `missing`, `not_key` (a value in `rngs` is no key), `not_name` (a name there is no string), `not_dict` (`rngs`
            itself is neither), or empty.
        value: what stands there instead of a key.
    """

    msg: str
    name: str = ""
    scope_path: str = ""
    given: tuple[str, ...] = ()
    kind: str = ""
    value: str = ""

    def __init__(self, msg: str = "", **facts: Any) -> None:
        super().__init__(msg=msg, **facts)

    @property
    def report(self) -> Report:
        name = self.name or "dropout"
        passed = "no key was passed" if not self.given else f"keys were passed for {listed(self.given)}"
        place, transform = place_of(self.scope_path), lifted_by(self.scope_path)
        match self.kind:
            case "missing":
                argument = _RNGS_OF.get(transform, "rngs")
                only = "" if self.name == "params" else f"; `{self.name}` has none, and there is no `params` to fall back on"
                fix = (Fix(code="variables = module.init(jax.random.key(0), x)") if self.name == "params" else
                       Fix("pass a key for it", code=self.call(more=f"rngs={{{name!r}: jax.random.key(0)}}")))
                carried: tuple[Fix, ...] = ()
                if transform:
                    carried = (Fix(f"if the call has it, let `{transform}` take it in",
                                   code=f"nn.{transform}(..., {argument}={{{name!r}: True}})" if argument == "split_rngs" else
                                   f"nn.{transform}(..., {argument}=True)"),)
                inside = f"; `{transform}` takes in those that its `{argument}` names" if transform else ""
                return Report(
                    says=f"{place[0].upper()}{place[1:]} needs a random key from the stream {self.name!r}, "
                         f"but {passed}.",
                    why=f"random keys reach a module through `rngs`, one for each stream{only}{inside}",
                    fixes=(*meant_fixes(name, self.given), *carried, fix))
            case "not_name":
                return Report(
                    says=f"`rngs` has a key under {name}, which is no name.",
                    why="each entry of `rngs` belongs to a stream, whose name is a string",
                    fixes=(Fix(code="rngs={'params': jax.random.key(0), 'dropout': jax.random.key(1)}"),))
            case "not_key":
                return Report(
                    says=f"`rngs[{name!r}]` is no random key: {self.value}.",
                    why="each entry of `rngs` is one key, as `jax.random.key` makes it",
                    fixes=(Fix(code=f"rngs={{{name!r}: jax.random.key(0)}}"),))
            case "not_dict":
                return Report(
                    says=f"The random keys were given as {self.value}.",
                    why="they are one key (it becomes the stream 'params'), or a dict with a key for each stream",
                    fixes=(Fix("they come first", code=self.reordered(_KEYS)) if self.reordered(_KEYS) else
                           Fix(code="module.init(jax.random.key(0), x)"),
                           Fix(code="module.init({'params': jax.random.key(0), 'dropout': jax.random.key(1)}, x)")))
            case _:
                return Report(says=self.msg or "A random key is missing.",
                              fixes=(Fix(code="module.apply(variables, x, rngs={'dropout': jax.random.key(0)})"),))


class InvalidRngTypeError(InvalidRngError, ValueError):
    """What was given as random keys is neither a key nor a dict of keys."""


class ApplyScopeInvalidVariablesTypeError(AppliedError, TypeError):  # Flax raises the latter for what is no dict at all
    """The variables that a module is applied to are no dict of collections.

    Attributes:
        value: what was given.
        key: the entry that is wrong, where the outer dict is right.
    """

    value: str = ""
    key: str = ""

    @property
    def report(self) -> Report:
        if self.key:
            says = f"The collection {self.key} of the variables is {self.value}; a collection is a dict with names as keys."
        else:
            says = f"The first argument of `apply` is the variables, a dict of collections{_instead(self.value)}."
        alone = Fix("if these are the parameters alone, say so", code=self.call("{'params': {}}"))
        whole = Fix("pass what `init` returned" + ("" if self.key else ", before the inputs"),
                    code="module.apply(variables, x)" if self.key else self.reordered(_INITS) or self.call("variables, {}"))
        return Report(says=says, why="variables are a dict of collections, and these are dicts by name: "
                                     "{'params': {'Dense_0': {'kernel': ...}}}",
                      fixes=(alone, whole) if self.key else (whole,))


_INITS = frozenset({"init"})
_KEYS = frozenset({"PRNGKey", "fold_in", "key"})


def _instead(value: str) -> str:
    return f", not {value}" if value else ""


class ApplyScopeInvalidVariablesStructureError(AppliedError):
    """The variables have one layer too many: `{'params': {'params': ...}}`.

    Attributes:
        variables: what was given.
    """

    variables: Any

    def __init__(self, variables: Any, **facts: Any) -> None:
        super().__init__(variables=variables, **facts)

    @property
    def report(self) -> Report:
        inner = _names(_inside(self.variables))
        return Report(
            says="The variables have a collection 'params' inside of the collection 'params'"
                 f"{': ' + listed(inner) if inner else ''}.",
            why="`init` returns {'params': {...}}: wrapping that in another {'params': ...} gives one layer too many",
            fixes=(Fix("pass it as it is", code=self._unwrapped() or "module.apply(variables, x)"),
                   Fix("take the parameters out first", code="module.apply({'params': variables['params']}, x)")))

    def _unwrapped(self) -> str:
        """The user's call without the outer layer, where it is written there: `{'params': variables}`."""
        found = located(self.position) if isinstance(self.position, Position) else None
        match found.node if found is not None else None:
            case ast.Call(args=[ast.Dict(keys=[ast.Constant(value="params")], values=[inner]), *_]):
                return self.call(ast.unparse(inner))
        return ""


def _inside(variables: Any) -> Any:
    try:
        return variables["params"]["params"]
    except (KeyError, TypeError, IndexError):
        return ()


def _names(tree: Any) -> list[Any]:
    return list(tree) if hasattr(tree, "keys") else []


class ScopeParamNotFoundError(AppliedError):
    """A module asked for a parameter that the given variables do not have.

    Attributes:
        param_name: the parameter.
        scope_path: the module, `"/Dense_0"`.
        known: the names that are there.
    """

    param_name: str
    scope_path: str
    known: tuple[str, ...] = ()

    def __init__(self, param_name: str, scope_path: str, **facts: Any) -> None:
        super().__init__(param_name=param_name, scope_path=scope_path, **facts)

    @property
    def report(self) -> Report:
        there = (f"there {'are' if len(self.known) > 1 else 'is'} {listed(self.known)}" if self.known
                 else "there are none for this module")
        return Report(
            says=f"There is no parameter `{entry(self.scope_path, self.param_name)}`: {place_of(self.scope_path)} "
                 f"asked for {self.param_name!r} in the variables that were passed.",
            why=f"`apply` makes no parameters, it reads those that `init` made; {there}",
            fixes=(*near_fixes(self.param_name, self.known),
                   Fix("initialise the same module, with inputs that take the same way through it",
                       code="variables = module.init(jax.random.key(0), x)")))


class ScopeCollectionNotFound(AppliedError):
    """A module asked for a variable of a collection that was not passed, or is empty.

    Attributes:
        col_name: the collection.
        var_name: the variable.
        scope_path: the module.
        given: the collections that were passed.
        looks_like_params: whether what was passed looks like the contents of 'params'.
    """

    col_name: str
    var_name: str
    scope_path: str
    given: tuple[str, ...] = ()
    looks_like_params: bool = False

    def __init__(self, col_name: str, var_name: str, scope_path: str, **facts: Any) -> None:
        super().__init__(col_name=col_name, var_name=var_name, scope_path=scope_path, **facts)

    @property
    def report(self) -> Report:
        passed = f"passed were {listed(self.given)}" if self.given else "nothing was passed"
        fixes: tuple[Fix, ...] = meant_fixes(self.col_name, self.given)
        transform = lifted_by(self.scope_path)
        if transform:
            return self._lifted(transform, fixes)
        if self.col_name == "params" and self.given and not fixes:
            fixes = (Fix("if these are the parameters themselves, say so", code=self.call("{'params': {}}")),)
        if self.col_name == "params":
            fixes += (Fix("pass what `init` returned", code="module.apply(module.init(jax.random.key(0), x), x)"),)
        elif fixes:
            pass  # the collection is there under another name, so that none has to be made
        else:
            fixes += (Fix("pass the collection", code=f"module.apply({{'params': params, {self.col_name!r}: ...}}, x)"),
                      Fix("let this call make it", code=self.call(more=f"mutable=[{self.col_name!r}]")))
        return Report(
            says=f"There is no collection {self.col_name!r}, but {place_of(self.scope_path)} needs "
                 f"`{entry(self.scope_path, self.var_name, self.col_name)}`.",
            why=f"the collections are the keys of the variables that `apply` takes; {passed}",
            fixes=fixes)


    def _lifted(self, transform: str, fixes: tuple[Fix, ...]) -> Report:
        argument = _VARIABLES_OF.get(transform, "variables")
        taken = f"taken in were {listed(self.given)}" if self.given else "none was taken in"
        shared = f"nn.{transform}(..., variable_broadcast={self.col_name!r}, split_rngs={{{self.col_name!r}: False}})"
        own = f"variable_axes={{{self.col_name!r}: 0}}, split_rngs={{{self.col_name!r}: True}}"
        ways = ((Fix("for one set of them in all steps", code=shared),) if transform == "scan" else ()) + (
            Fix("for a set of their own in each step" if transform == "scan" else
                "for a set of their own in each entry of the batch", code=f"nn.{transform}(..., {own})"),)
        if argument != "variable_axes":
            ways = (Fix("let the transformation take it in", code=f"nn.{transform}(..., {argument}=[{self.col_name!r}])"),)
        making = self._entry != "apply"
        return Report(
            says=f"There is no collection {self.col_name!r} inside of `{transform}`, but {place_of(self.scope_path)} needs "
                 f"`{entry(self.scope_path, self.var_name, self.col_name)}`.",
            why=f"a lifted transformation takes in the collections that its `{argument}` names, and that are there; {taken}",
            fixes=(*fixes, *ways, *(() if making else (Fix("if the variables do not have it, let this call make it",
                                                           code=self.call(more=f"mutable=[{self.col_name!r}]")),))))


_VARIABLES_OF = {"vmap": "variable_axes", "scan": "variable_axes", "while_loop": "broadcast_variables"}
_RNGS_OF = {"vmap": "split_rngs", "scan": "split_rngs", "while_loop": "split_rngs"}


class ScopeParamShapeError(AppliedError):
    """A parameter has another shape than the module would make now.

    Attributes:
        param_name: the parameter.
        scope_path: the module.
        value_shape: its shape in the variables that were passed.
        init_shape: the shape that the module's initialiser makes.
        layer: the class of the layer, where it is one of Linen's.
        origins: for each axis, where its size comes from, in words, where that is known.
    """

    param_name: str
    scope_path: str
    value_shape: tuple[int, ...]
    init_shape: tuple[int, ...]
    layer: str = ""
    origins: tuple[str, ...] = ()

    def __init__(self, param_name: str, scope_path: str, value_shape: Any, init_shape: Any, **facts: Any) -> None:
        super().__init__(param_name=param_name, scope_path=scope_path, value_shape=value_shape, init_shape=init_shape, **facts)
        self.__dict__["_methods"] = collision() if self._entry != "apply" else None

    @property
    def report(self) -> Report:
        given, made = shape_of(self.value_shape), shape_of(self.init_shape)
        methods = self.__dict__.get("_methods")
        if methods is not None:
            return self._made_twice(methods, given, made)
        return Report(
            says=f"`{entry(self.scope_path, self.param_name)}` has shape {given}, but {place_of(self.scope_path)} needs "
                 f"{made}.\n    passed to apply       {given}\n    the module makes now  {made}",
            why="a parameter keeps the shape that `init` gave it; the module's initialiser makes another one from the fields "
                "of the module and the input of this call" + self._where(),
            fixes=(*self._as_before(),
                   Fix("initialise again for the new ones", code="variables = module.init(jax.random.key(0), x)")))

    def _as_before(self) -> tuple[Fix, ...]:
        """What is to be as it was at `init`: the inputs, or the fields, where it is known which of them changed."""
        changed = [origin for _, _, origin in self._axes() if origin]
        inputs = Fix("pass inputs of the shape that `init` saw, but for the batch")
        fields = Fix("give the module the fields with which it was initialised")
        from_fields = [origin.startswith("the field") for origin in changed]
        return (fields,) if changed and all(from_fields) else (inputs, fields) if any(from_fields) else (inputs,)

    def _axes(self) -> list[tuple[int, tuple[int, int], str]]:
        """The axes in which the shapes differ, both sizes, and where these come from, where that is known."""
        try:
            pairs = list(zip(self.value_shape, self.init_shape, strict=True))
        except (TypeError, ValueError):
            return []
        origins = self.origins if len(self.origins) == len(pairs) else ("",) * len(pairs)
        return [(i, (a, b), origins[i]) for i, (a, b) in enumerate(pairs) if a != b]

    def _made_twice(self, several: Collision, given: str, made: str) -> Report:
        """Two compact methods count their submodules from 0, and so mean the same parameters."""
        return Report(
            says=f"The compact methods {listed(several.methods)} of `{several.module}` make the same parameter, "
                 f"`{entry(self.scope_path, self.param_name)}`, in two shapes: {given} and {made}.",
            primary=several.place,
            labels=(Label(self.position, f"makes it as {made}"),),
            why="submodules without a name are counted from 0 in each compact method, so that those of two methods have the "
                "same names; a module should have only one compact method",
            fixes=(Fix("make the submodules in `setup`, and use them in all methods",
                       code="def setup(self):\n    self.encoder = nn.Dense(...)\n    self.decoder = nn.Dense(...)"),
                   Fix("give each submodule a `name` of its own, or split the module into two modules")))

    def _where(self) -> str:
        axes = self._axes()
        if not axes:
            return ""
        if all(origin for _, _, origin in axes):
            return "".join([f"; axis {i} of {self.param_name!r} follows from {origin} of the `{self.layer}`: {before} when the "
                            f"parameter was made, {now} now" for i, (before, now), origin in axes])
        return f"; they differ in ax{'is' if len(axes) == 1 else 'es'} {', '.join([str(i) for i, _, _ in axes])}"


class ScopeVariableNotFoundError(AppliedError):
    """A module asked for a variable that is not there, of a collection that may not change.

    Attributes:
        name: the variable.
        col: its collection.
        scope_path: the module.
        known: the names that are there.
    """

    name: str
    col: str
    scope_path: str
    known: tuple[str, ...] = ()

    def __init__(self, name: str, col: str, scope_path: str, **facts: Any) -> None:
        super().__init__(name=name, col=col, scope_path=scope_path, **facts)

    @property
    def report(self) -> Report:
        there = f"; there {'are' if len(self.known) > 1 else 'is'} {listed(self.known)}" if self.known else ""
        return Report(
            says=f"There is no variable `{entry(self.scope_path, self.name, self.col)}`, and the collection {self.col!r} is "
                 "not mutable in this call.",
            why=f"a variable that is not among those passed is made only where its collection is mutable{there}",
            fixes=(*near_fixes(self.name, self.known),
                   Fix("let this call make it",
                       code=f"out, updates = {self.call(more=f'mutable=[{self.col!r}]')}")))


class InvalidFilterError(FlaxError):
    """A filter of collections or streams is of no known kind.

    Attributes:
        filter_like: what was given.
    """

    filter_like: Any

    def __init__(self, filter_like: Any, **facts: Any) -> None:
        super().__init__(filter_like=filter_like, **facts)

    @property
    def report(self) -> Report:
        return Report(
            says=f"{article(self.filter_like).capitalize()} is no filter: {self.filter_like!r}.",
            why="a filter is True (all), False (none), a name, a collection of names, or `DenyList` of one of these (all "
                "others)",
            fixes=(Fix(code="mutable=['batch_stats']"),))


class InvalidScopeError(FlaxError):
    """A scope was used after the call that it belonged to had ended.

    Attributes:
        scope_name: its name.
    """

    scope_name: Any

    def __init__(self, scope_name: Any, **facts: Any) -> None:
        super().__init__(scope_name=scope_name, **facts)

    @property
    def report(self) -> Report:
        which = f"The scope {self.scope_name!r}" if self.scope_name else "A scope"
        return Report(
            says=f"{which} was used after the call that it belonged to had ended.",
            why="a scope, and a module that is bound to one, live as long as the `init` or `apply` that made them: their "
                "variables went out with its result",
            fixes=(Fix("return the values that are needed later, not the module; or bind it for as long as it is needed",
                       code="module = module.bind(variables)"),))


class ModifyScopeVariableError(AppliedError):
    """A variable was set whose collection may not change in this call.

    Attributes:
        col: the collection.
        variable_name: the variable.
        scope_path: the module.
        mutable: the filter of collections that may change.
    """

    col: str
    variable_name: str
    scope_path: str
    mutable: Any = None

    def __init__(self, col: str, variable_name: str, scope_path: str, **facts: Any) -> None:
        super().__init__(col=col, variable_name=variable_name, scope_path=scope_path, **facts)

    @property
    def report(self) -> Report:
        if self.mutable in (None, False):
            now = "`apply` changes no collection unless `mutable` names it"
        else:
            now = f"`mutable` is {self.mutable!r}"
        return Report(
            says=f"`{entry(self.scope_path, self.variable_name, self.col)}` cannot be set: the collection {self.col!r} is not "
                 "mutable in this call.",
            why=now + "; the changed collections are returned beside the result",
            fixes=(Fix(code=f"out, updates = {self.call(more=f'mutable=[{self.col!r}]')}"),))


class ImmutableVariableError(FlaxError):
    """A variable was changed that may not change.

    Attributes:
        message: which one, in words.
    """

    message: str

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message=message, **facts)

    @property
    def report(self) -> Report:
        return Report(says=self.message)


class JaxTransformError(FlaxError):
    """A variable was made or set inside a transformation of JAX that was opened within the module.

    Attributes:
        name: the variable; empty where it is not known.
        collection: its collection.
        scope_path: the module.
        action: `make` or `set`.
        transform: the transformation, `jit`, where it is known.
        opened: where it was opened.
    """

    name: str = ""
    collection: str = "params"
    scope_path: str = ""
    action: str = "make"
    transform: str = ""
    opened: Place = None

    def __init__(self, **facts: Any) -> None:
        facts.setdefault("opened", opened_at())
        super().__init__(**facts)

    @property
    def report(self) -> Report:
        lift = self._lift()
        called = lift or (_PUBLIC.get(self.transform, f"jax.{self.transform}") if self.transform else "")
        by = f"`{called}`" if called else "a transformation of JAX"
        what = f"`{entry(self.scope_path, self.name, self.collection)}`" if self.name else "A variable"
        done = "made" if self.action == "make" else "set"
        lifted = _LIFTED.get(self.transform, self.transform)
        flax = f"`nn.{lifted}`" if lifted else "`nn.jit`, `nn.vmap`, `nn.scan` and their like"
        code = _CODE.get(lifted, f"nn.{lifted}(nn.Dense)(3)(x)" if lifted else
                         "nn.jit(nn.Dense)(3)(x)    # likewise nn.vmap, nn.scan, nn.remat, ...")
        labels = (Label(self.position, f"{done} here"),) if self.opened is not None and self.position is not None else ()
        arrays = Fix("make the variables before, and transform a function of arrays",
                     code="kernel = self.param('kernel', init, shape)\ny = jax.jit(lambda a: a @ kernel)(x)")
        returned = Fix("return the new value from the function, and set the variable after it",
                       code=f"y, new = ...\n{self.name or 'variable'}.value = new")
        says = f"{what} was {done} inside of {by} that was opened within the module."
        if lift:
            return Report(
                says=says, primary=self.opened, labels=labels,
                why=f"it belongs to a module from outside of {by}. Modules are carried in, and their variables out, only as "
                    "arguments; those from outside stay where they were made",
                fixes=(Fix("take the module from the first argument", code=f"{lift}(lambda module, x: module(x), layer, x)"),
                       Fix("make the variables before: call the module once outside")))
        return Report(
            says=says, primary=self.opened, labels=labels,
            why="the function that a transformation of JAX runs must be pure: what it stores in the module are placeholders, "
                f"which mean nothing outside of it. {flax} {'hands' if lifted else 'hand'} the variables in and "
                f"take{'s' if lifted else ''} them out again",
            fixes=(*([returned] if self.action == "set" else []),
                   Fix("use Flax's own (lifted) transformation, which carries variables in and out", code=code),
                   *([] if self.action == "set" else [arrays])))

    def _lift(self) -> str:
        """What the user calls the lifted transformation, `nn.grad`, if it is one that was opened."""
        found = located(self.opened)
        node = found.node if found is not None else None
        callee = node.func if isinstance(node, ast.Call) else None
        if not isinstance(callee, ast.Attribute) or not isinstance(callee.value, ast.Name):
            return ""
        linen = imported_as(self.opened, "linen", "nn")
        return f"{linen}.{callee.attr}" if callee.value.id == linen and callee.attr in _AT_ONCE else ""


_AT_ONCE = ("cond", "grad", "jvp", "switch", "value_and_grad", "vjp", "while_loop")
_CODE = {
    "scan": "step = nn.scan(lambda module, x, _: (layer(x), None), variable_broadcast='params',\n"
            "               split_rngs={'params': False}, length=n)\nx, _ = step(self, x, None)",
    "while_loop": "nn.while_loop(condition, body, self, x)", "cond": "nn.cond(condition, true_branch, false_branch, self, x)",
    "switch": "nn.switch(index, branches, self, x)",
}
_PUBLIC = {name: f"jax.lax.{name}" for name in ("associative_scan", "cond", "fori_loop", "map", "scan", "switch",
                                                "while_loop")}
_LIFTED = {"checkpoint": "remat", "fori_loop": "scan", "map": "scan", "associative_scan": "scan", "linearize": "jvp"}


class PartitioningUnspecifiedError(FlaxError):
    """A lifted transformation added an axis to a partitioned variable, without a name for it.

    Attributes:
        target: the variable's box.
    """

    target: Any

    def __init__(self, target: Any, **facts: Any) -> None:
        super().__init__(target=target, **facts)

    @property
    def report(self) -> Report:
        names = getattr(self.target, "names", None)
        made = transform_made_at(self.position)
        transform = made.called if made is not None else "nn.scan"
        labels = (Label(self.position, "adds the axis here"),) if made is not None and self.position is not None else ()
        return Report(
            primary=None if made is None else made.span, labels=labels,
            says="A transformation adds an axis to a partitioned variable"
                 f"{f' with axes {names!r}' if names is not None else ''}, but does not name it.",
            why="each axis of a partitioned variable has a name, or None; a transformation that adds or removes one takes it "
                "from `metadata_params`",
            fixes=(Fix(code=f"{transform}(..., metadata_params={{nn.PARTITION_NAME: 'layers'}})"),))


class NameInUseError(FlaxError):
    """A submodule, parameter or variable was to have a name that is taken in its module.

    Attributes:
        key_type: `submodule`, `param`, or the collection.
        value: the name.
        module_name: the module's class, or its scope's name.
        taken_by: what has the name, as `key_type`; empty where that is not known.
    """

    key_type: str
    value: str
    module_name: str
    taken_by: str = ""

    def __init__(self, key_type: str, value: str, module_name: str, **facts: Any) -> None:
        super().__init__(key_type=key_type, value=value, module_name=module_name, **facts)

    @property
    def report(self) -> Report:
        kind = _kind_of_name(self.key_type)
        holder = f" by a {_kind_of_name(self.taken_by)}" if self.taken_by else ""
        owner = f"`{self.module_name}`" if self.module_name else "The top module"
        again = (Fix("to share a submodule, make it once and call it twice",
                     code=f"layer = nn.Dense(3, name={self.value!r})\ny = layer(x)\nz = layer(y)"),) \
            if self.key_type == "submodule" and self.taken_by in ("", "submodule") else ()
        return Report(
            says=f"{owner} cannot have a {kind} {self.value!r}: that name is taken{holder}.",
            why="submodules, parameters and variables of a module share one set of names",
            fixes=(*again, Fix("give it another name" + (", or leave `name` out: a free one is found"
                                                          if self.key_type == "submodule" else ""))))


def _kind_of_name(key_type: str) -> str:
    return {"submodule": "submodule", "param": "parameter", "params": "parameter"}.get(key_type, f"variable of {key_type!r}")


class DuplicateNameError(NameInUseError, ValueError):
    """A scope or a variable was to have a name that is taken in its scope."""


class ScopeNameTypeError(ReportedError, TypeError):
    """The name of a scope or of a variable is no text."""


class FlagNotFoundError(ReportedError, ValueError, KeyError):
    """A flag of a scope was asked for that nobody set."""
