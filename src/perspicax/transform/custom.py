"""`custom_jvp` and `custom_vjp`: functions whose derivative the user gives."""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.context import eager
from perspicax.core.trace import Zero
from perspicax.core.tracer import Tracer, get_aval
from perspicax.transform import trees as tree
from perspicax.transform.custom_primitives import Callee, custom_jvp_call, custom_lin, custom_vjp_call, full_tangent
from perspicax.transform.errors import CustomRuleError, MissingCustomRuleError
from perspicax.transform.hooks import as_traced, lax
from perspicax.transform.stage import FlatFunction, function_name, wraps


class SymbolicZero:
    """A tangent or cotangent that is known to be zero, for rules that asked for `symbolic_zeros`.

    Attributes:
        aval: its type; `shape`, `dtype` and `ndim` as well.
    """

    def __init__(self, aval: Any) -> None:
        self.aval = aval

    shape = property(lambda self: self.aval.shape)
    dtype = property(lambda self: self.aval.dtype)
    ndim = property(lambda self: len(self.aval.shape))
    size = property(lambda self: self.aval.size)
    weak_type = property(lambda self: self.aval.weak_type)

    def __repr__(self) -> str:
        return f"SymbolicZero({self.aval.str_short()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolicZero) and self.aval is other.aval

    def __hash__(self) -> int:
        return hash((SymbolicZero, self.aval))


class CustomVJPPrimal:
    """An argument as `fwd` gets it when it asked for `symbolic_zeros`.

    Attributes:
        value: the argument.
        perturbed: whether it is differentiated.
    """

    __slots__ = ("perturbed", "value")

    def __init__(self, value: Any, perturbed: bool) -> None:
        self.value, self.perturbed = value, perturbed

    def __repr__(self) -> str:
        return f"CustomVJPPrimal(value={self.value}, perturbed={self.perturbed})"


def _to_user(t: Any) -> Any:
    return SymbolicZero(t.aval) if type(t) is Zero else t


def _is_float0(t: Any) -> bool:
    return getattr(t, "dtype", None) == dtypes.float0


def _from_user(t: Any) -> Any:
    return Zero(t.aval) if type(t) is SymbolicZero else t


# -- arguments

class _Custom:
    """What both decorators share: how arguments are told apart."""

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        wraps(fun, self)
        self.fun = fun
        names = list(inspect.signature(fun).parameters) if nondiff_argnames else []
        numbers = [*nondiff_argnums, *[names.index(n) for n in nondiff_argnames]]
        self.nondiff_argnums = tuple(sorted(numbers))
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
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        by_name = [name for name in bound.kwargs if name in kwargs]
        if by_name:
            raise CustomRuleError(function=function_name(self.fun), kind="keyword", rule="", got=by_name[0])
        return bound.args

    def numbers(self, args: tuple) -> set[int]:
        """Positions of the arguments that are not differentiated."""
        return {n % len(args) for n in self.nondiff_argnums} if args else set()

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
    return eager() and not any(isinstance(x, Tracer) for x in tree.leaves(values))


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

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Set the rule: `jvp(*nondiff, primals, tangents) -> (out, tangent_out)`, linear in the tangents.

        Args:
            jvp: the rule.
            symbolic_zeros: whether tangents that are known to be zero come as `SymbolicZero` objects, not as arrays.
        """
        self.jvp, self.symbolic_zeros = jvp, symbolic_zeros
        return jvp

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
        return function_name(self.user)

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        tangents = [_to_user(t) if type(t) is Zero or _is_float0(t) else as_traced(t) for t in tangents]
        pair = self.user(*self.fixed, self.in_tree.unflatten(primals)[0], self.in_tree.unflatten(tangents)[0])
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CustomRuleError(function=self.name, kind="pair", rule="defjvp", got=type(pair).__name__)
        outs, out_tree = tree.flatten(pair[0])
        douts, dout_tree = tree.flatten(pair[1])
        if out_tree != dout_tree:
            raise CustomRuleError(function=self.name, kind="structure", rule="defjvp", got=str(dout_tree),
                                  expected=str(out_tree))
        if self.flat.out_tree is None:
            self.flat.out_tree = out_tree
        elif out_tree != self.flat.out_tree:
            raise CustomRuleError(function=self.name, kind="structure", rule="defjvp", got=str(out_tree),
                                  expected=str(self.flat.out_tree))
        return outs, [_checked_tangent(_from_user(t), x, self.name) for t, x in zip(douts, outs)]


def _checked_tangent(t: Any, primal: Any, name: str) -> Any:
    wanted: Any = get_aval(primal).to_tangent_aval()  # type: ignore[attr-defined]
    if type(t) is Zero:
        return t
    if wanted.dtype == dtypes.float0:
        return Zero(wanted)
    given: Any = get_aval(t)
    if given.shape != wanted.shape or given.dtype != wanted.dtype:
        raise CustomRuleError(function=name, kind="tangent type", rule="defjvp", got=given.str_short(),
                              expected=wanted.str_short())
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

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        self.symbolic_zeros = False
        self.optimize_remat = False

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
        self.fwd, self.bwd, self.symbolic_zeros, self.optimize_remat = fwd, bwd, symbolic_zeros, optimize_remat

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
        pair = self.fwd(*self.owner.merge(self.args, self.in_tree.unflatten(given)[0]))
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CustomRuleError(function=self.name, kind="pair", rule="fwd", got=type(pair).__name__)
        outs, out_tree = tree.flatten(pair[0])
        if self.flat.out_tree is None:
            self.flat.out_tree = out_tree
        elif out_tree != self.flat.out_tree:
            raise CustomRuleError(function=self.name, kind="structure", rule="fwd", got=str(out_tree),
                                  expected=str(self.flat.out_tree))
        residuals, self.residual_tree = tree.flatten(pair[1])
        for x in residuals:
            _check_residual(x, self.name)
        return outs, residuals

    def pull_back(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list:
        """Flat cotangents of the differentiated arguments."""
        res = self.residual_tree.unflatten(residuals)
        cts = [ct if type(ct) is Zero or _is_float0(ct) else as_traced(ct) for ct in cts]
        given = [_to_user(ct) if self.symbolic_zeros else full_tangent(ct) for ct in cts]
        fixed = [self.args[i] for i in sorted(self.owner.numbers(self.args))]
        back = self.bwd(*fixed, res, self.flat.out_tree.unflatten(given))
        args = self.in_tree.unflatten(list(range(self.in_tree.num_leaves)))[0]
        if not isinstance(back, (tuple, list)) or len(back) != len(args):
            got = f"{len(back)} values" if isinstance(back, (tuple, list)) else type(back).__name__
            raise CustomRuleError(function=self.name, kind="count", rule="bwd", got=got, expected=str(len(args)))
        flat = [ct for arg, back_of in zip(args, back) for ct in self._spread(back_of, arg)]
        return [self._check(_from_user(ct), aval) for ct, aval in zip(flat, self.avals)]

    def _spread(self, ct: Any, arg: Any) -> list:
        """The cotangents of one argument's leaves; a `None` stands for the zeros of all below it."""
        stands = lambda x: x is None or type(x) in (Zero, SymbolicZero)
        try:
            full = tree.broadcast_prefix(ct, arg, is_leaf=stands)
        except ValueError:
            full = None
        given = [x for x in tree.flatten(ct, stands)[0] if x is not None]
        if full is None or len(given) != sum([x is not None for x in full]):
            raise CustomRuleError(function=self.name, kind="structure", rule="bwd", got=str(tree.flatten(ct, stands)[1]),
                                  expected=str(tree.flatten(arg)[1]))
        return full

    def _check(self, ct: Any, aval: Any) -> Any:
        wanted = aval.to_tangent_aval()
        if ct is None or type(ct) is Zero or wanted.dtype == dtypes.float0:
            return Zero(wanted)
        given: Any = get_aval(ct)
        if given.shape == wanted.shape and given.dtype == wanted.dtype:
            return ct
        real = dtypes.issubdtype(wanted.dtype, np.complexfloating) or not dtypes.issubdtype(given.dtype, np.complexfloating)
        if given.shape == wanted.shape and dtypes.issubdtype(given.dtype, np.number) and real:
            return lax().convert(ct, wanted)
        raise CotangentTypeError(function=self.name, kind="cotangent type", rule="bwd", got=given.str_short(),
                                 expected=wanted.str_short())


def _check_residual(x: Any, name: str) -> None:
    try:
        get_aval(x)
    except TypeError:
        raise CustomRuleError(function=name, kind="residual", rule="fwd", got=type(x).__name__) from None


class CotangentTypeError(CustomRuleError, ValueError):
    """The rule `bwd` of a `custom_vjp` returned a cotangent of another type than its argument's."""


__all__ = ["CotangentTypeError", "CustomVJPPrimal", "SymbolicZero", "custom_jvp", "custom_jvp_call", "custom_lin",
           "custom_vjp", "custom_vjp_call"]
