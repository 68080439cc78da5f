"""Recurrent networks: `flax.linen.recurrent`."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import perspicax.numpy as jnp
import perspicax.random as random
from perspicax import tree_util
from perspicax.diagnose.report import Fix
from perspicax.flax.core.frozen_dict import FrozenDict
from perspicax.flax.core.scope import CollectionFilter, PRNGSequenceFilter
from perspicax.flax.error_base import article
from perspicax.flax.linen.layer_errors import LayerInputError, described, layer_at
from perspicax.flax.linen.module import Module
from perspicax.flax.linen.recurrent_cells import (
    ConvLSTMCell,
    GRUCell,
    LSTMCell,
    MGUCell,
    OptimizedLSTMCell,
    RNNCellBase,
    SimpleCell,
)
from perspicax.flax.linen.transforms import scan
from perspicax.flax.typing import Array, InOutScanAxis, PRNGKey

__all__ = [
    "RNN", "Bidirectional", "ConvLSTMCell", "GRUCell", "LSTMCell", "MGUCell", "OptimizedLSTMCell", "RNNBase", "RNNCellBase",
    "SimpleCell", "flip_sequences",
]


def flip_sequences(inputs: Array, seq_lengths: Array | None, num_batch_dims: int, time_major: bool) -> Array:
    """Sequences from their last element to their first.

    Args:
        inputs: an array `[batch..., time, ...]`, or `[time, batch..., ...]`.
        seq_lengths: the length `[batch...]` of each; what is behind it stays behind. `None`: all are as long as the axis.
        num_batch_dims: how many batch axes there are.
        time_major: whether the axis of time is the first.

    Returns:
        An array of the same shape.

    >>> flip_sequences(jnp.array([[1, 2, 3, 0], [4, 5, 0, 0]]), jnp.array([3, 2]), num_batch_dims=1, time_major=False)
    Array([[3, 2, 1, 0],
           [5, 4, 0, 0]], dtype=int32)
    """
    axis = 0 if time_major else num_batch_dims
    if seq_lengths is None:
        return jnp.flip(inputs, axis)
    size, ndim = jnp.shape(inputs)[axis], jnp.ndim(inputs)
    # Element k comes from (length - 1 - k) modulo the axis, which also keeps what is behind the end behind it.
    steps = jnp.arange(size - 1, -1, -1)
    lengths = jnp.expand_dims(jnp.asarray(seq_lengths), axis)
    spread = jnp.reshape(steps, [size if i == axis else 1 for i in range(num_batch_dims + 1)])
    places = (spread + lengths) % size
    places = jnp.reshape(places, (*places.shape, *[1] * (ndim - places.ndim)))
    return jnp.take_along_axis(inputs, places, axis=axis)


def _at_the_ends(sequences: Any, seq_lengths: Array) -> Any:
    """What carries `[time, batch..., ...]` were at the last element of each sequence."""
    last = jnp.expand_dims(jnp.asarray(seq_lengths) - 1, 0)

    def chosen(x: Any) -> Any:
        places = jnp.reshape(last, (*last.shape, *[1] * (x.ndim - last.ndim)))
        return jnp.squeeze(jnp.take_along_axis(x, places, axis=0), 0)

    return tree_util.tree_map(chosen, sequences)


@runtime_checkable
class RNNBase(Protocol):
    """What `Bidirectional` asks of a recurrent network: it is called as `RNN` is."""

    def __call__(self, inputs: Array, *, initial_carry: Any = None, init_key: PRNGKey | None = None,
                 seq_lengths: Array | None = None, return_carry: bool | None = None, time_major: bool | None = None,
                 reverse: bool | None = None, keep_order: bool | None = None) -> Any:
        """The outputs, or the carry and the outputs."""
        ...


class RNN(Module):
    """A cell, applied step by step along the axis of time.

    Attributes:
        cell: the cell.
        time_major: whether the axis of time is the first; otherwise it is behind the batch axes.
        return_carry: whether the last carry is returned too.
        reverse: whether the sequences are read from their end.
        keep_order: whether outputs of reversed sequences are put back in the order of the inputs.
        unroll: how many steps are compiled into one.
        variable_axes: collections of which each step has its own, by axis.
        variable_broadcast: collections that all steps share.
        variable_carry: collections that one step hands to the next.
        split_rngs: streams of random keys of which each step has its own.

    Parameters: those of the cell.

    >>> from perspicax.flax import linen as nn
    >>> layer = nn.RNN(nn.GRUCell(features=5))
    >>> outputs, _ = layer.init_with_output(perspicax.random.key(0), jnp.ones((2, 7, 3)))
    >>> outputs.shape
    (2, 7, 5)
    """

    cell: RNNCellBase
    time_major: bool = False
    return_carry: bool = False
    reverse: bool = False
    keep_order: bool = False
    unroll: int = 1
    variable_axes: Mapping[CollectionFilter, InOutScanAxis] = FrozenDict()
    variable_broadcast: CollectionFilter = "params"
    variable_carry: CollectionFilter = False
    split_rngs: Mapping[PRNGSequenceFilter, bool] = FrozenDict({"params": False})

    def __call__(self, inputs: Array, *, initial_carry: Any = None, init_key: PRNGKey | None = None,
                 seq_lengths: Array | None = None, return_carry: bool | None = None, time_major: bool | None = None,
                 reverse: bool | None = None, keep_order: bool | None = None) -> Any:
        """Apply the cell to all steps.

        Args:
            inputs: an array `[batch..., time, *features]`, or `[time, batch..., *features]`.
            initial_carry: the carry before the first step; by default the cell makes it.
            init_key: the random key with which the cell makes it.
            seq_lengths: the length `[batch...]` of each sequence. The outputs behind it are computed, and mean nothing; the
                carry that is returned is that at the end of each sequence.
            return_carry: instead of the field.
            time_major: instead of the field.
            reverse: instead of the field.
            keep_order: instead of the field.

        Returns:
            The outputs, with the axis of time where the inputs have it; or (carry, outputs).

        Raises:
            LayerInputError: the inputs lack the axis of time.
        """
        return_carry = self.return_carry if return_carry is None else return_carry
        time_major = self.time_major if time_major is None else time_major
        reverse = self.reverse if reverse is None else reverse
        keep_order = self.keep_order if keep_order is None else keep_order
        if not isinstance(self.cell, Module):
            given = self.cell.__name__ if isinstance(self.cell, type) else article(self.cell)
            fixes = (Fix(code=f"nn.RNN(nn.{given}(features))"),) if isinstance(self.cell, type) else ()
            raise LayerInputError(says=f"The `cell` of {layer_at(self)} is {'the class ' if fixes else ''}{given}; it must be "
                                       "a module.", why="the cell knows how many features the carry has", fixes=fixes)
        batch_axes = jnp.ndim(inputs) - self.cell.num_feature_axes - 1
        if batch_axes < 0:
            raise LayerInputError(says=f"The inputs of {layer_at(self)} are {described(inputs)}; they lack an axis.",
                                  why=f"they need one of time, and {self.cell.num_feature_axes} of features for the "
                                      f"`{type(self.cell).__name__}`")
        axis = 0 if time_major else batch_axes

        def flipped(x: Any) -> Any:
            return flip_sequences(x, seq_lengths, batch_axes, time_major)

        if reverse:
            inputs = flipped(inputs)
        if initial_carry is None:
            shape = jnp.shape(inputs)
            key = random.key(0) if init_key is None else init_key  # most carries start with zeros, and need none
            initial_carry = self.cell.initialize_carry(key, shape[:axis] + shape[axis + 1:])
        at_ends = seq_lengths is not None and return_carry

        # interceptors and tables know it by this name
        def scan_fn(cell: Any, carry: Any, x: Any) -> tuple[Any, Any]:
            carry, y = cell(carry, x)
            return carry, (carry, y) if at_ends else y

        run = scan(scan_fn, in_axes=axis, out_axes=(0, axis) if at_ends else axis, unroll=self.unroll,
                   variable_axes=self.variable_axes, variable_broadcast=self.variable_broadcast,
                   variable_carry=self.variable_carry, split_rngs=self.split_rngs)
        carry, outputs = run(self.cell, initial_carry, inputs)
        if at_ends and seq_lengths is not None:
            carries, outputs = outputs
            carry = _at_the_ends(carries, seq_lengths)
        if reverse and keep_order:
            outputs = tree_util.tree_map(flipped, outputs)
        return (carry, outputs) if return_carry else outputs


def _concatenate(a: Array, b: Array) -> Array:
    """The features of both directions, one after the other."""
    return jnp.concatenate([a, b], axis=-1)


class Bidirectional(Module):
    """Two recurrent networks, one of which reads the sequences from their end.

    Attributes:
        forward_rnn: the one that reads forward.
        backward_rnn: the one that reads backward.
        merge_fn: makes one output of the two of each step; by default the features of both.
        time_major: whether the axis of time is the first; otherwise it is behind the batch axes.
        return_carry: whether the last carries are returned too.
    """

    forward_rnn: RNNBase
    backward_rnn: RNNBase
    merge_fn: Callable[[Any, Any], Any] = _concatenate
    time_major: bool = False
    return_carry: bool = False

    def __call__(self, inputs: Array, *, initial_carry: Any = None, init_key: PRNGKey | None = None,
                 seq_lengths: Array | None = None, return_carry: bool | None = None, time_major: bool | None = None,
                 reverse: bool | None = None, keep_order: bool | None = None) -> Any:
        """Apply both networks.

        Args:
            inputs: an array `[batch..., time, *features]`, or `[time, batch..., *features]`.
            initial_carry: a pair of the carries before the first step.
            init_key: the random key with which the cells make them.
            seq_lengths: the length `[batch...]` of each sequence.
            return_carry: instead of the field.
            time_major: instead of the field.
            reverse: has no effect: each network has its direction.
            keep_order: has no effect: outputs are in the order of the inputs.

        Returns:
            The outputs; or (the pair of carries, the outputs).
        """
        return_carry = self.return_carry if return_carry is None else return_carry
        time_major = self.time_major if time_major is None else time_major
        keys = (None, None) if init_key is None else tuple(random.split(init_key))
        carries = (None, None) if initial_carry is None else initial_carry
        if self.forward_rnn is self.backward_rnn:
            warnings.warn("forward_rnn and backward_rnn of a Bidirectional are the same module: both directions share their "
                          "parameters", stacklevel=2)
        forward, outputs_forward = self.forward_rnn(
            inputs, initial_carry=carries[0], init_key=keys[0], seq_lengths=seq_lengths, return_carry=True,
            time_major=time_major, reverse=False)
        backward, outputs_backward = self.backward_rnn(
            inputs, initial_carry=carries[1], init_key=keys[1], seq_lengths=seq_lengths, return_carry=True,
            time_major=time_major, reverse=True, keep_order=True)
        outputs = tree_util.tree_map(self.merge_fn, outputs_forward, outputs_backward)
        return ((forward, backward), outputs) if return_carry else outputs
