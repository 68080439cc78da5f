"""What a random key is, for those who ask whether it was used already.

Keys are told apart as objects. The words of a key array without a dtype of its own are objects too, which know their
key, so that a key is found again when its words are put together.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

MAX_KEYS = 1 << 17  # elements of an array that is followed; larger ones are taken for new keys each time

MAX_FOLDED = 1 << 12  # keys made of one key that are remembered

Cells = np.ndarray  # of objects: `Key` or `Word`


class Step(NamedTuple):
    """One place on the way to a use: a call, or the operation itself.

    Attributes:
        place: where the user's code does it.
        parameter: the name of the parameter that takes the key there; empty if it has none.
        turn: what loop the place stands in turn after turn; empty if none does.
    """

    place: Any
    parameter: str = ""
    turn: str = ""


Use = tuple[Step, ...]
"""How a key was used up: the way from the outermost call to the operation."""


class Key:
    """One random key.

    Attributes:
        use: how it was used up; `None` while it was not.
        root: the key that it is another copy of, or itself.
        words: the objects of its words, made when they are asked for.
        origin: in a summary of a jaxpr, the input that it is.
        folded: the keys that were made of it and a number by `fold_in`: the same number gives the same key again.
        parent: the key that it was made of so, with the number.
    """

    __slots__ = ("folded", "origin", "parent", "root", "use", "words")

    def __init__(self, root: Key | None = None, origin: Any = None) -> None:
        self.use: Use | None = None
        self.root = self if root is None else root
        self.words: tuple[Word, ...] = ()
        self.origin = origin
        self.folded: dict[int, Key] | None = None
        self.parent: tuple[Key, int] | None = None


class Word:
    """One word of a key, or of an array that may hold keys.

    Attributes:
        key: the key whose word it is, if that is known.
        joined: the keys that were put together of words that begin with this one.
    """

    __slots__ = ("joined", "key", "origin")

    def __init__(self, key: Key | None = None, origin: Any = None) -> None:
        self.key = key
        self.joined: dict[tuple[Word, ...], Key] = {}
        self.origin = origin


class Reused(Exception):
    """A key is used up for the second time: what `KeyTracker.use_up` raises for its caller to report.

    Attributes:
        first, second: the two uses.
        twice_in_one: whether one operation was given the same key twice.
        key: the key; its `parent` tells if it was made of another one and a number, both times.
    """

    def __init__(self, first: Use, second: Use, twice_in_one: bool, key: Key) -> None:
        super().__init__()
        self.first, self.second, self.twice_in_one, self.key = first, second, twice_in_one, key


# -- arrays of keys and of words

def cells_of(shape: Sequence[int], make: Callable[[int], Any]) -> Cells:
    """An array of objects; `make` is told the number of each."""
    n = int(np.prod(shape, dtype=np.int64))
    flat = np.empty(n, object)
    for i in range(n):
        flat[i] = make(i)
    return flat.reshape(tuple(shape))


def fresh_keys(shape: Sequence[int]) -> Cells:
    """Keys that nobody has used."""
    return cells_of(shape, lambda _: Key())


def split_words(keys: Cells, key_shape: tuple[int, ...]) -> Cells:
    """The words of keys, in trailing axes."""
    count = int(np.prod(key_shape, dtype=np.int64))
    found = np.empty((keys.size, count), object)
    for i, key in enumerate(keys.reshape(-1)):
        if len(key.words) != count:
            key.words = tuple([Word(key) for _ in range(count)])
        found[i] = key.words
    return found.reshape((*keys.shape, *key_shape))


def join_words(words: Cells, key_shape: tuple[int, ...]) -> Cells:
    """The keys of words in trailing axes: the same object for the same words in order."""
    count = int(np.prod(key_shape, dtype=np.int64))
    rows = words.reshape((-1, count))
    found = np.empty(len(rows), object)
    for i, row in enumerate(rows):
        found[i] = _joined(tuple(row))
    return found.reshape(words.shape[:words.ndim - len(key_shape)])


def _joined(words: tuple[Word, ...]) -> Key:
    first = words[0]
    if first.key is not None and first.key.words == words:
        return first.key
    found = first.joined.get(words)
    if found is None:
        found = first.joined[words] = Key(origin=("joined", words))
        if not any(word.joined.keys() - {words} or word.key for word in words):
            found.words = words
            for word in words:
                word.key = found
    return found


def fold(key: Key, number: int) -> Key:
    """The key that `fold_in` makes of a key and a number that is known."""
    root = key.root
    if root.folded is None:
        root.folded = {}
    made = root.folded.get(number)
    if made is None:
        if len(root.folded) >= MAX_FOLDED:
            del root.folded[next(iter(root.folded))]  # the oldest
        made = root.folded[number] = Key()
        made.parent = root, number
    return made


def as_copies(cells: Sequence[Cells]) -> list[Cells]:
    """Arrays that are put behind each other; a key that stands in two of them is in the second a copy of its own.

    So an array of one key several times over is told from a key that was only spread along a batch.
    """
    seen: set[int] = set()
    found = []
    for array in cells:
        here = {id(c): c for c in array.reshape(-1)}
        again = seen & here.keys()
        if again and isinstance(next(iter(here.values())), Key):
            copies = [_copy(key, again) for key in array.reshape(-1)]
            array = cells_of(array.shape, copies.__getitem__)
        seen |= here.keys()
        found.append(array)
    return found


def _copy(key: Key, again: set[int]) -> Key:
    return Key(root=key.root) if id(key) in again else key


# -- using keys up

class KeyTracker:
    """Uses keys up, and takes it back: what one branch does is not done for the next one."""

    __slots__ = ("trail",)

    def __init__(self) -> None:
        self.trail: list[Key] = []

    def use_up(self, keys: Cells, use: Use) -> None:
        """Mark keys as used up.

        Raises:
            Reused: one of them was used up before.
        """
        fresh: dict[int, Key] = {}
        entries: dict[int, Key] = {}
        for key in keys.reshape(-1):
            root = key.root
            if root.use is not None:
                raise Reused(root.use, use, False, root)
            if entries.setdefault(id(root), key) is not key:
                raise Reused(use, use, True, root)
            fresh[id(root)] = root
        for root in fresh.values():
            root.use = use
            self.trail.append(root)

    def mark(self) -> int:
        """The state to go back to."""
        return len(self.trail)

    def take_back(self, mark: int) -> list[tuple[Key, Use]]:
        """Forget the uses since `mark`; returns them."""
        undone = [(key, key.use) for key in self.trail[mark:]]
        for key, _ in undone:
            key.use = None
        del self.trail[mark:]
        return undone  # type: ignore[return-value]

    def put_back(self, uses: Sequence[tuple[Key, Use]]) -> None:
        """Mark again what `take_back` returned; keys that are marked already stay so."""
        for key, use in uses:
            if key.use is None:
                key.use = use
                self.trail.append(key)


__all__ = ["MAX_KEYS", "Cells", "Key", "KeyTracker", "Reused", "Step", "Use", "Word", "as_copies", "cells_of", "fold",
           "fresh_keys", "join_words", "split_words"]
