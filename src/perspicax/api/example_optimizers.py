"""`jax.example_libraries.optimizers`: small optimizers in functional form, as the examples of JAX use them.

An optimizer is written for one array: `init(x)` makes a state, `update(i, g, state)` takes a step, `get_params(state)` reads
the array. `optimizer` turns such a maker into one for pytrees, whose state is an `OptimizerState`.
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from perspicax import numpy as jnp
from perspicax.core.tree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from perspicax.core.tree_register import register_pytree_node
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import ReportedError
from perspicax.diagnose.report import Fix

Schedule = Callable[[Any], Any]
Maker = Callable[..., tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]]


class OptimizerTreeError(ReportedError, TypeError):
    """What an optimizer of `example_libraries` was given has another structure than its state."""


class ScheduleError(ReportedError, TypeError, ValueError):
    """A step size is neither a number nor a function of the step, or the steps of a schedule do not fit."""


class OptimizerState(NamedTuple):
    """The state of an optimizer for a pytree: for each array of it the leaves of its state, side by side.

    Attributes:
        packed_state: for each array a tuple of leaves.
        tree_def: the structure of the pytree.
        subtree_defs: the structure of each array's state.
    """

    packed_state: Sequence[tuple]
    tree_def: Any
    subtree_defs: Sequence[Any]


register_pytree_node(OptimizerState, lambda s: ((s.packed_state,), (s.tree_def, s.subtree_defs)),
                     lambda data, children: OptimizerState(children[0], *data))


class Optimizer(NamedTuple):
    """Three functions: `init_fn(params)`, `update_fn(i, grads, state)`, `params_fn(state)`."""

    init_fn: Callable[[Any], OptimizerState]
    update_fn: Callable[[Any, Any, OptimizerState], OptimizerState]
    params_fn: Callable[[OptimizerState], Any]


class JoinPoint:
    """Where the state of one array begins in a tree that `unpack_optimizer_state` made.

    Attributes:
        subtree: that state.
    """

    def __init__(self, subtree: Any) -> None:
        self.subtree = subtree

    def __iter__(self) -> Any:
        yield self.subtree


def optimizer(opt_maker: Maker) -> Callable[..., Optimizer]:
    """A maker of optimizers for pytrees, from one for arrays.

    Args:
        opt_maker: returns the functions `init(x)`, `update(i, g, state)` and `get_params(state)` of one array.

    Returns:
        A function of the same arguments that returns an `Optimizer`. Its `update_fn` raises `OptimizerTreeError` where the
        gradients, or the new states, have another structure than the parameters.
    """
    @public
    @functools.wraps(opt_maker)
    def make(*args: Any, **kwargs: Any) -> Optimizer:
        init, update, get_params = opt_maker(*args, **kwargs)

        def init_fn(x0_tree: Any) -> OptimizerState:
            leaves, structure = tree_flatten(x0_tree)
            return _packed([init(x) for x in leaves], structure)

        @public
        def update_fn(i: Any, grad_tree: Any, opt_state: OptimizerState) -> OptimizerState:
            grads, structure = tree_flatten(grad_tree)
            if structure != opt_state.tree_def:
                raise OptimizerTreeError(
                    says="The gradients have another structure than the parameters of the optimizer.",
                    why=_differences(opt_state.tree_def, structure, "parameters", "gradients"),
                    fixes=(Fix("pass the gradients by the very parameters that the state holds",
                               code="jax.grad(loss)(get_params(state))"),))
            states = [update(i, g, s) for g, s in zip(grads, _states(opt_state))]
            made = _packed(states, structure)
            for old, new in zip(opt_state.subtree_defs, made.subtree_defs):
                if old != new:
                    raise OptimizerTreeError(says="An update returned a state of another structure than it was given.",
                                             why=_differences(old, new, "given", "returned"))
            return made

        def params_fn(opt_state: OptimizerState) -> Any:
            return tree_unflatten(opt_state.tree_def, [get_params(s) for s in _states(opt_state)])

        return Optimizer(init_fn, update_fn, params_fn)

    return make


def _differences(expected: Any, found: Any, *names: str) -> str:
    from perspicax.core.tree_mismatch import mismatches, sentence  # only a report needs it

    return "\n".join([sentence(m, *names) for m in mismatches(expected, found)[:3]])


def _packed(states: list, structure: Any) -> OptimizerState:
    flat = [tree_flatten(s) for s in states]
    return OptimizerState(tuple([tuple(leaves) for leaves, _ in flat]), structure, tuple([d for _, d in flat]))


def _states(state: OptimizerState) -> list:
    return [tree_unflatten(d, leaves) for d, leaves in zip(state.subtree_defs, state.packed_state)]


def unpack_optimizer_state(opt_state: OptimizerState) -> Any:
    """The state as a tree like the parameters', with a `JoinPoint` around the state of each: for files, which keep trees."""
    return tree_unflatten(opt_state.tree_def, [JoinPoint(s) for s in _states(opt_state)])


def pack_optimizer_state(marked_pytree: Any) -> OptimizerState:
    """The state that `unpack_optimizer_state` made a tree of.

    Raises:
        OptimizerTreeError: something in the tree is no `JoinPoint`.
    """
    points, structure = tree_flatten(marked_pytree)
    for point in points:
        if not isinstance(point, JoinPoint):
            raise OptimizerTreeError(says=f"`pack_optimizer_state` was given a leaf of type {type(point).__name__}.",
                                     why="each leaf is a `JoinPoint`, as `unpack_optimizer_state` makes them")
    return _packed([point.subtree for point in points], structure)


# -- optimizers

@optimizer
def sgd(step_size: float | Schedule) -> Any:
    """Gradient descent.

    Args:
        step_size: a number, or a function of the step.
    """
    step_size = make_schedule(step_size)
    return lambda x: x, lambda i, g, x: x - step_size(i) * g, lambda x: x


@optimizer
def momentum(step_size: float | Schedule, mass: float) -> Any:
    """Gradient descent with momentum.

    Args:
        step_size: a number, or a function of the step.
        mass: what is kept of the velocity in each step.
    """
    step_size = make_schedule(step_size)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, velocity = state
        velocity = mass * velocity + g
        return x - step_size(i) * velocity, velocity

    return _with_zeros(1), update, _first


@optimizer
def nesterov(step_size: float | Schedule, mass: float) -> Any:
    """Gradient descent with the momentum of Nesterov (1983); arguments are those of `momentum`."""
    step_size = make_schedule(step_size)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, velocity = state
        velocity = mass * velocity + g
        return x - step_size(i) * (mass * velocity + g), velocity

    return _with_zeros(1), update, _first


@optimizer
def adagrad(step_size: float | Schedule, momentum: float = 0.9) -> Any:
    """AdaGrad (Duchi, Hazan, Singer, 2011), with momentum.

    Args:
        step_size: a number, or a function of the step.
        momentum: what is kept of the direction in each step.
    """
    step_size = make_schedule(step_size)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, squares, direction = state
        squares = squares + jnp.square(g)
        direction = (1. - momentum) * (g * _inverse_root(squares)) + momentum * direction
        return x - step_size(i) * direction, squares, direction

    return _with_zeros(2), update, _first


@optimizer
def rmsprop(step_size: float | Schedule, gamma: float = 0.9, eps: float = 1e-8) -> Any:
    """RMSProp (Hinton, 2012).

    Args:
        step_size: a number, or a function of the step.
        gamma: what is kept of the mean of squares in each step.
        eps: is added under the root.
    """
    step_size = make_schedule(step_size)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, mean = state
        mean = mean * gamma + jnp.square(g) * (1. - gamma)
        return x - step_size(i) * g / jnp.sqrt(mean + eps), mean

    return _with_zeros(1), update, _first


@optimizer
def rmsprop_momentum(step_size: float | Schedule, gamma: float = 0.9, eps: float = 1e-8, momentum: float = 0.9) -> Any:
    """RMSProp whose steps have momentum; arguments are those of `rmsprop` and `adagrad`."""
    step_size = make_schedule(step_size)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, mean, step = state
        mean = mean * gamma + jnp.square(g) * (1. - gamma)
        step = momentum * step + step_size(i) * g / jnp.sqrt(mean + eps)
        return x - step, mean, step

    return _with_zeros(2), update, _first


@optimizer
def adam(step_size: float | Schedule, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Any:
    """Adam (Kingma, Ba, 2015).

    Args:
        step_size: a number, or a function of the step.
        b1: what is kept of the mean of gradients in each step.
        b2: what is kept of the mean of their squares.
        eps: is added to the root.
    """
    step_size = make_schedule(step_size)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * jnp.square(g) + b2 * v
        first = m / (1 - jnp.asarray(b1, m.dtype) ** (i + 1))
        second = v / (1 - jnp.asarray(b2, m.dtype) ** (i + 1))
        return x - step_size(i) * first / (jnp.sqrt(second) + eps), m, v

    return _with_zeros(2), update, _first


@optimizer
def adamax(step_size: float | Schedule, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Any:
    """Adamax, Adam by the greatest gradient (Kingma, Ba, 2015); arguments are those of `adam`."""
    step_size = make_schedule(step_size)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, m, u = state
        m = (1 - b1) * g + b1 * m
        u = jnp.maximum(b2 * u, jnp.abs(g))
        return x - (step_size(i) / (1 - jnp.asarray(b1, m.dtype) ** (i + 1))) * m / (u + eps), m, u

    return _with_zeros(2), update, _first


@optimizer
def sm3(step_size: float | Schedule, momentum: float = 0.9) -> Any:
    """SM3 (Anil, Gupta, Koren, Singer, 2019), which keeps a vector for each axis.

    Arguments are those of `adagrad`.
    """
    step_size = make_schedule(step_size)

    def init(x: Any) -> tuple:
        rows = jnp.atleast_1d(x)
        return rows, jnp.zeros_like(rows), [jnp.zeros(n, rows.dtype) for n in rows.shape], jnp.shape(x)

    def update(i: Any, g: Any, state: tuple) -> tuple:
        x, direction, vectors, shape = state
        spread = [jnp.expand_dims(v, [a for a in range(x.ndim) if a != axis]) for axis, v in enumerate(vectors)]
        squares = functools.reduce(jnp.minimum, spread) + jnp.square(g)
        direction = (1. - momentum) * (g * _inverse_root(squares)) + momentum * direction
        vectors = [squares.max([a for a in range(x.ndim) if a != axis]) for axis in range(x.ndim)]
        return x - step_size(i) * direction, direction, vectors, shape

    return init, update, lambda state: state[0] if state[3] else state[0][0]


def _with_zeros(count: int) -> Callable[[Any], tuple]:
    return lambda x: (x, *[jnp.zeros_like(x) for _ in range(count)])


def _first(state: tuple) -> Any:
    return state[0]


def _inverse_root(x: Any) -> Any:
    return jnp.where(x > 0, 1. / jnp.sqrt(x), 0.)


# -- step sizes

def constant(step_size: Any) -> Schedule:
    """The same step size always."""
    return lambda i: step_size


def exponential_decay(step_size: Any, decay_steps: Any, decay_rate: Any) -> Schedule:
    """`step_size * decay_rate ** (i / decay_steps)`."""
    return lambda i: step_size * decay_rate ** (i / decay_steps)


def inverse_time_decay(step_size: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False) -> Schedule:
    """`step_size / (1 + decay_rate * i / decay_steps)`; with `staircase` of whole numbers of `decay_steps`."""
    if staircase:
        return lambda i: step_size / (1 + decay_rate * jnp.floor(i / decay_steps))
    return lambda i: step_size / (1 + decay_rate * i / decay_steps)


def polynomial_decay(step_size: Any, decay_steps: Any, final_step_size: Any, power: Any = 1.0) -> Schedule:
    """From `step_size` to `final_step_size` within `decay_steps` steps."""
    def schedule(i: Any) -> Any:
        left = (1 - jnp.minimum(i, decay_steps) / decay_steps) ** power
        return left * (step_size - final_step_size) + final_step_size

    return schedule


@public
def piecewise_constant(boundaries: Any, values: Any) -> Schedule:
    """`values[k]`, `k` the number of boundaries that are less than the step.

    Raises:
        ScheduleError: there is not one value more than there are boundaries.
    """
    boundaries, values = jnp.array(boundaries), jnp.array(values)
    if boundaries.ndim != 1 or values.ndim != 1 or values.shape[0] != boundaries.shape[0] + 1:
        raise ScheduleError(says=f"`piecewise_constant` was given boundaries of shape {boundaries.shape} and values of shape "
                                 f"{values.shape}.", why="both are vectors, and there is one value more than boundaries")
    return lambda i: values[jnp.sum(i > boundaries)]


@public
def make_schedule(scalar_or_schedule: float | Schedule) -> Schedule:
    """A function of the step: itself, or that of a number.

    Raises:
        ScheduleError: it is neither.
    """
    if callable(scalar_or_schedule):
        return scalar_or_schedule
    if jnp.ndim(scalar_or_schedule) == 0:
        return constant(scalar_or_schedule)
    raise ScheduleError(says=f"A step size has the shape {jnp.shape(scalar_or_schedule)}.",
                        why="it is one number, or a function of the step",
                        fixes=(Fix("name the step size of each step by a function", code="lambda i: step_sizes[i]"),))


# -- gradients

def l2_norm(tree: Any) -> Any:
    """The Euclidean norm of all numbers of a pytree."""
    return jnp.sqrt(sum([jnp.vdot(x, x) for x in tree_leaves(tree)]))


def clip_grads(grad_tree: Any, max_norm: Any) -> Any:
    """Gradients whose `l2_norm` is `max_norm` at most: scaled down where it is more."""
    norm = l2_norm(grad_tree)
    return tree_map(lambda g: jnp.where(norm < max_norm, g, g * (max_norm / norm)), grad_tree)


__all__ = ["JoinPoint", "Optimizer", "OptimizerState", "OptimizerTreeError", "ScheduleError", "adagrad", "adam", "adamax",
           "clip_grads", "constant", "exponential_decay", "inverse_time_decay", "l2_norm", "make_schedule", "momentum",
           "nesterov", "optimizer", "pack_optimizer_state", "piecewise_constant", "polynomial_decay", "rmsprop",
           "rmsprop_momentum", "sgd", "sm3", "unpack_optimizer_state"]
