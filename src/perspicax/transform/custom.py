"""`custom_jvp` and `custom_vjp`: functions whose derivative the user gives."""
from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.deferral import eager_or_deferring
from perspicax.core.trace import Zero
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public
from perspicax.transform import trees as tree
from perspicax.transform.custom_errors import CallSignatureError, NondiffArgumentError, RuleFunctionError
from perspicax.transform.custom_primitives import Callee, custom_jvp_call, custom_lin, custom_vjp_call, full_tangent
from perspicax.transform.errors import CustomRuleError, MissingCustomRuleError
from perspicax.transform.hooks import as_traced, lax
from perspicax.transform.late_rules import run_rule
from perspicax.transform.places import return_place, rule_name
from perspicax.transform.stage import FlatFunction, function_name, positional_names, short_repr, wraps
from perspicax.transform.symbolic_zeros import CustomVJPPrimal, SymbolicZero, from_user, to_user


def _is_float0(t: Any) -> bool:
    return getattr(t, "dtype", None) == dtypes.float0


# -- arguments

class BoundArguments:
    """A function with rules of the user's, which take all arguments by position."""

    has_rules = True

    @public
    def __init__(self, fun: Callable[..., Any]) -> None:
        if not callable(fun):
            raise RuleFunctionError(role=type(self).__name__, function="", value_type=type(fun).__name__,
                                    value=short_repr(fun))
        wraps(fun, self)
        self.fun = fun
        self._signature: inspect.Signature | None = None
        try:
            self._signature = inspect.signature(fun)
        except (TypeError, ValueError):  # some built-in functions have none
            pass

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        bound: Any = self
        return self if instance is None else functools.partial(bound, instance)

    def resolve(self, args: tuple, kwargs: dict) -> tuple:
        """All arguments in the order of the signature; defaults filled in."""
        signature = self._signature
        if signature is None or (not kwargs and len(args) >= len(signature.parameters)):
            return args
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise CallSignatureError(function=function_name(self.fun), reason=str(error), signature=str(signature)) from None
        bound.apply_defaults()
        by_name = [name for name in bound.kwargs if name in kwargs]
        if by_name:
            raise CustomRuleError(function=function_name(self.fun), kind="keyword", rule="", got=by_name[0],
                                  transform=type(self).__name__)
        return bound.args


class _Custom(BoundArguments):
    """What both decorators of derivatives share: which arguments are differentiated."""

    @public
    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        super().__init__(fun)
        names = list(self._signature.parameters) if self._signature is not None else []
        for name in nondiff_argnames:
            if name not in names:
                raise self._no_argument("nondiff_argnames", name)
        given: Any = (nondiff_argnums,) if hasattr(nondiff_argnums, "__index__") else nondiff_argnums
        for n in given:
            if not hasattr(n, "__index__"):
                raise self._no_argument("nondiff_argnums", n)
        self.nondiff_argnums = tuple(sorted({*map(operator.index, given), *map(names.index, nondiff_argnames)}))

    def _no_argument(self, option: str, given: Any) -> NondiffArgumentError:
        names = () if self._signature is None else tuple(self._signature.parameters)
        return NondiffArgumentError(option=option, given=repr(given), function=function_name(self.fun), parameters=names)

    def _checked_rule(self, rule: Any, role: str) -> Callable[..., Any]:
        if not callable(rule):
            raise RuleFunctionError(role=role, function=function_name(self.fun), value_type=type(rule).__name__,
                                    value=short_repr(rule))
        return rule

    def numbers(self, args: tuple) -> set[int]:
        """Positions of the arguments that are not differentiated."""
        for n in self.nondiff_argnums:
            if not -len(args) <= n < len(args):
                raise self._no_argument("nondiff_argnums", n)
        return {n % len(args) for n in self.nondiff_argnums}

    def split(self, args: tuple) -> tuple[tuple, list]:
        """Differentiated and other arguments."""
        numbers = self.numbers(args)
        return tuple([x for i, x in enumerate(args) if i not in numbers]), [args[i] for i in sorted(numbers)]

    def merge(self, args: tuple, dynamic: Sequence[Any]) -> list:
        """All arguments, with these for the differentiated ones."""
        numbers, given = self.numbers(args), iter(dynamic)
        return [x if i in numbers else next(given) for i, x in enumerate(args)]

    def function_of(self, args: tuple) -> Callable[..., Any]:
        """The function of the differentiated arguments."""
        if not self.nondiff_argnums:
            return self.fun
        return wraps(self.fun, lambda *dynamic: self.fun(*self.merge(args, dynamic)))


def _is_plain(values: Any) -> bool:
    """Whether nothing is being traced, so that the function can simply be called."""
    return eager_or_deferring(tree.leaves(values))


# -- custom_jvp

class custom_jvp(_Custom):
    """A function with a forward-mode rule of the user's.

    Args:
        fun: the function.
        nondiff_argnums: positions of arguments that are not differentiated; the rule gets them first.
        nondiff_argnames: the same by name.

    >>> @custom_jvp
    ... def f(x): return jnp.sin(x)
    >>> @f.defjvp
    ... def f_jvp(primals, tangents): return f(*primals), jnp.cos(primals[0]) * tangents[0]
    """

    @public
    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    @public
    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Set the rule: `jvp(*nondiff, primals, tangents) -> (out, tangent_out)`, linear in the tangents.

        Args:
            jvp: the rule.
            symbolic_zeros: whether tangents that are known to be zero come as `SymbolicZero` objects, not as arrays.
        """
        self.jvp, self.symbolic_zeros = self._checked_rule(jvp, "jvp"), symbolic_zeros
        return jvp

    @public
    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Set one rule for each argument: `jvp(tangent, out, *primals)`; `None` for a derivative of zero."""
        if self.nondiff_argnums:
            raise CustomRuleError(function=function_name(self.fun), kind="defjvps", rule="defjvps")

        def jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
            if len(jvps) != len(primals):
                raise CustomRuleError(function=function_name(self.fun), kind="rules", rule="defjvps",
                                      got=str(len(jvps)), expected=str(len(primals)))
            out = self(*primals)
            terms = [rule(t, out, *primals) for rule, t in zip(jvps, tangents) if rule is not None]
            if not terms:
                return out, tree.tree_map(lambda x: SymbolicZero(get_aval(x).to_tangent_aval()), out)  # type: ignore
            return out, functools.reduce(lambda a, b: tree.tree_map(lax().add, a, b), terms)

        self.defjvp(jvp)

    @public
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.jvp is None:
            raise MissingCustomRuleError(function=function_name(self.fun), kind="missing", rule="defjvp")
        args = self.resolve(args, kwargs)
        if self.nondiff_argnums:
            numbers = self.numbers(args)
            args = tuple([tree.tree_map(_stopped, x) if i in numbers else x for i, x in enumerate(args)])
        dynamic, fixed = self.split(args)
        fun = self.function_of(args)
        if _is_plain(dynamic):
            return fun(*dynamic)
        leaves, in_tree = tree.flatten((dynamic, {}))
        flat = FlatFunction(fun, in_tree, "custom_jvp")
        name = function_name(self.fun)
        rule = _JVPRule(self.jvp, fixed, in_tree, flat, name, self.symbolic_zeros)
        outs = custom_jvp_call(*leaves, name=name, call_jaxpr=Callee(flat, name), jvp=rule, num_consts=0,
                               symbolic_zeros=self.symbolic_zeros)
        return flat.out_tree.unflatten(outs)


def _stopped(x: Any) -> Any:
    """An argument that is not differentiated, cut off from what is being differentiated."""
    return lax().stop_gradient(x) if isinstance(x, Tracer) else x


class _JVPRule:
    """The user's rule as a function of flat operands."""

    __slots__ = ("fixed", "flat", "in_tree", "name", "symbolic_zeros", "user")

    def __init__(self, user: Callable[..., Any], fixed: list, in_tree: Any, flat: FlatFunction, name: str,
                 symbolic_zeros: bool) -> None:
        self.user, self.fixed, self.in_tree, self.flat, self.name = user, fixed, in_tree, flat, name
        self.symbolic_zeros = symbolic_zeros

    @property
    def __name__(self) -> str:
        return rule_name(self.user, "jvp rule")

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        tangents = [to_user(t) if type(t) is Zero or _is_float0(t) else as_traced(t) for t in tangents]
        pair = run_rule(self.user, self.name, "jvp rule", *self.fixed, self.in_tree.unflatten(primals)[0],
                        self.in_tree.unflatten(tangents)[0])
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CustomRuleError(function=self.name, kind="pair", rule=self.__name__, got=described(pair),
                                  expected="(result, tangent)",
                                  position=return_place(self.user))
        outs, out_tree = tree.flatten(pair[0])
        douts, dout_tree = tree.flatten(pair[1])
        if out_tree != dout_tree:
            raise CustomRuleError(function=self.name, kind="structure", rule=self.__name__, got=dout_tree,
                                  expected=out_tree, names=(f"{self.name}(...)", f"tangent of {self.name}(...)"),
                                  position=return_place(self.user))
        if self.flat.out_tree is None:
            self.flat.out_tree = out_tree
        elif out_tree != self.flat.out_tree:
            raise CustomRuleError(function=self.name, kind="structure", rule=self.__name__, got=out_tree,
                                  expected=self.flat.out_tree, names=(f"{self.name}(...)", "result of the rule"),
                                  position=return_place(self.user))
        paths = lambda i: tree.keystr(tree.flatten_with_path(pair[1])[0][i][0])
        return outs, [_checked_tangent(from_user(t), x, self, i, paths) for i, (t, x) in enumerate(zip(douts, outs))]


def _checked_tangent(t: Any, primal: Any, rule: _JVPRule, index: int, path: Callable[[int], str]) -> Any:
    wanted: Any = get_aval(primal).to_tangent_aval()  # type: ignore[attr-defined]
    if type(t) is Zero:
        return t
    if wanted.dtype == dtypes.float0:
        return Zero(wanted)
    given: Any = get_aval(t)
    if given.shape != wanted.shape or given.dtype != wanted.dtype:
        raise CustomRuleError(function=rule.name, kind="tangent type", rule=rule.__name__, got=given.str_short(),
                              expected=wanted.str_short(), path=path(index), names=(f"{rule.name}(...)", "tangent"),
                              position=return_place(rule.user))
    return t


# -- custom_vjp

class custom_vjp(_Custom):
    """A function with a reverse-mode rule of the user's: `defvjp(fwd, bwd)`.

    Args:
        fun: the function.
        nondiff_argnums: positions of arguments that are not differentiated; `bwd` gets them first.
        nondiff_argnames: the same by name.

    Differs: JAX refuses every traced value among the arguments that are not differentiated; here only those that are
    being differentiated are refused.
    """

    @public
    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        self.symbolic_zeros = False
        self.optimize_remat = False

    @public
    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any], symbolic_zeros: bool = False,
               optimize_remat: bool = False) -> None:
        """Set the rules.

        Args:
            fwd: `fwd(*args) -> (out, residuals)`; residuals are any pytree of arrays.
            bwd: `bwd(*nondiff, residuals, ct) -> tuple of cotangents`, one for each differentiated argument; `None`
                stands for zeros.
            symbolic_zeros: whether `fwd` gets its arguments as `CustomVJPPrimal` objects, which tell whether they are
                differentiated, and `bwd` cotangents that are known to be zero as `SymbolicZero` objects.
            optimize_remat: accepted; `remat` drops what it does not need by itself.
        """
        self.fwd, self.bwd = self._checked_rule(fwd, "fwd"), self._checked_rule(bwd, "bwd")
        self.symbolic_zeros, self.optimize_remat = symbolic_zeros, optimize_remat

    @public
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self.fun)
        if self.fwd is None or self.bwd is None:
            raise MissingCustomRuleError(function=name, kind="missing", rule="defvjp")
        args = self.resolve(args, kwargs)
        dynamic, _ = self.split(args)
        fun = self.function_of(args)
        if _is_plain(dynamic):
            return fun(*dynamic)
        leaves, in_tree = tree.flatten((dynamic, {}))
        flat = FlatFunction(fun, in_tree, "custom_vjp")
        rules = _VJPRules(self, args, in_tree, flat, name)
        outs = custom_vjp_call(*leaves, name=name, call_jaxpr=Callee(flat, name), fwd=rules.forward, bwd=rules.pull_back,
                               num_consts=0, symbolic_zeros=self.symbolic_zeros)
        return flat.out_tree.unflatten(outs)


class _VJPRules:
    """The user's `fwd` and `bwd` as functions of flat operands."""

    __slots__ = ("args", "avals", "bwd", "flat", "fwd", "in_tree", "name", "owner", "residual_tree", "symbolic_zeros")

    def __init__(self, owner: custom_vjp, args: tuple, in_tree: Any, flat: FlatFunction, name: str) -> None:
        self.owner, self.in_tree, self.flat, self.name = owner, in_tree, flat, name
        # The rules of now: they may be redefined, and a jaxpr keeps what it was staged with.
        self.fwd: Any = owner.fwd
        self.bwd: Any = owner.bwd
        self.symbolic_zeros = owner.symbolic_zeros
        numbers = owner.numbers(args)
        self.args = tuple([x if i in numbers else None for i, x in enumerate(args)])  # no traced argument is kept
        self.residual_tree: Any = None
        self.avals: list = []

    def forward(self, *leaves: Any, moving: tuple) -> tuple[list, list]:
        """Flat results and flat residuals."""
        self.avals = [get_aval(x) for x in leaves]
        given = [CustomVJPPrimal(x, m) for x, m in zip(leaves, moving)] if self.symbolic_zeros else leaves
        pair = run_rule(self.fwd, self.name, "fwd", *self.owner.merge(self.args, self.in_tree.unflatten(given)[0]))
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CustomRuleError(function=self.name, kind="pair", rule=rule_name(self.fwd, "fwd"), got=described(pair),
                                  expected="(result, residuals)",
                                  position=return_place(self.fwd))
        outs, out_tree = tree.flatten(pair[0])
        if self.flat.out_tree is None:
            self.flat.out_tree = out_tree
        elif out_tree != self.flat.out_tree:
            raise CustomRuleError(function=self.name, kind="structure", rule=rule_name(self.fwd, "fwd"), got=out_tree,
                                  expected=self.flat.out_tree, names=(f"{self.name}(...)", "result"),
                                  position=return_place(self.fwd))
        residuals, self.residual_tree = tree.flatten(pair[1])
        for i, x in enumerate(residuals):
            self._check_residual(x, i, pair[1])
        return outs, residuals

    def pull_back(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list:
        """Flat cotangents of the differentiated arguments."""
        res = self.residual_tree.unflatten(residuals)
        cts = [ct if type(ct) is Zero or _is_float0(ct) else as_traced(ct) for ct in cts]
        given = [to_user(ct) if self.symbolic_zeros else full_tangent(ct) for ct in cts]
        fixed = [self.args[i] for i in sorted(self.owner.numbers(self.args))]
        back = run_rule(self.bwd, self.name, "bwd", *fixed, res, self.flat.out_tree.unflatten(given))
        args = self.in_tree.unflatten(list(range(self.in_tree.num_leaves)))[0]
        rule = rule_name(self.bwd, "bwd")
        if not isinstance(back, (tuple, list)) or len(back) != len(args):
            raise CustomRuleError(function=self.name, kind="count", rule=rule, got=described(back), expected=str(len(args)),
                                  names=("", ", ".join(self._argument_names())),
                                  position=return_place(self.bwd))
        flat = [ct for i, (arg, back_of) in enumerate(zip(args, back)) for ct in self._spread(back_of, arg, i)]
        return [self._check(from_user(ct), aval, i) for i, (ct, aval) in enumerate(zip(flat, self.avals))]

    def _argument_names(self) -> list[str]:
        """The differentiated parameters as the user calls them."""
        return positional_names(self.owner.fun, len(self.args), tuple(self.owner.numbers(self.args)))

    def _spread(self, ct: Any, arg: Any, index: int) -> list:
        """The cotangents of one argument's leaves; a `None` stands for the zeros of all below it."""
        stands = lambda x: x is None or type(x) in (Zero, SymbolicZero)
        try:
            full = tree.broadcast_prefix(ct, arg, is_leaf=stands)
        except ValueError:
            full = None
        given = [x for x in tree.flatten(ct, stands)[0] if x is not None]
        if full is None or len(given) != sum([x is not None for x in full]):
            name = self._argument_names()[index]
            raise CustomRuleError(function=self.name, kind="structure", rule=rule_name(self.bwd, "bwd"),
                                  got=tree.flatten(ct, stands)[1], expected=tree.flatten(arg)[1],
                                  names=(name, f"cotangent of {name}"),
                                  position=return_place(self.bwd))
        return full

    def _check(self, ct: Any, aval: Any, index: int) -> Any:
        wanted = aval.to_tangent_aval()
        if ct is None or type(ct) is Zero or wanted.dtype == dtypes.float0:
            return Zero(wanted)
        given: Any = get_aval(ct)
        if given.shape == wanted.shape and given.dtype == wanted.dtype:
            return ct
        real = dtypes.issubdtype(wanted.dtype, np.complexfloating) or not dtypes.issubdtype(given.dtype, np.complexfloating)
        if given.shape == wanted.shape and dtypes.issubdtype(given.dtype, np.number) and real:
            return lax().convert(ct, wanted)
        path, _ = tree.flatten_with_path(self.in_tree.unflatten(list(range(self.in_tree.num_leaves)))[0])[0][index]
        raise CotangentTypeError(
            function=self.name, kind="cotangent type", rule=rule_name(self.bwd, "bwd"), got=given.str_short(),
            expected=wanted.str_short(), path=tree.keystr(path[1:]), names=(self._argument_names()[path[0].idx], ""),
            position=return_place(self.bwd))

    def _check_residual(self, x: Any, index: int, residuals: Any) -> None:
        try:
            get_aval(x)
        except TypeError:
            path, _ = tree.flatten_with_path(residuals)[0][index]
            raise CustomRuleError(function=self.name, kind="residual", rule=rule_name(self.fwd, "fwd"),
                                  got=type(x).__name__, path=tree.keystr(path),
                                  position=return_place(self.fwd)) from None


def described(value: Any) -> str:
    """What a rule returned, where it should have returned a tuple."""
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of length {len(value)}"
    return get_aval(value).str_short() if isinstance(value, (Array, Tracer)) else type(value).__name__


class CotangentTypeError(CustomRuleError, ValueError):
    """The rule `bwd` of a `custom_vjp` returned a cotangent of another type than its argument's."""


__all__ = [
    "BoundArguments", "CotangentTypeError", "CustomVJPPrimal", "SymbolicZero", "custom_jvp", "custom_jvp_call",
    "custom_lin", "custom_vjp", "custom_vjp_call",
]
