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


class Copies(NamedTuple):
    """Where several copies of a key were made, and how many."""

    place: Any
    number: int


class Key:
    """One random key.

    Attributes:
        copied: where it was made, if it is a copy.
        use: how it was used up; `None` while it was not.
        root: the key that it is another copy of, or itself.
        words: the objects of its words, made when they are asked for.
        origin: in a summary of a jaxpr, the input that it is.
        folded: the keys that were made of it and a number by `fold_in`: the same number gives the same key again.
        parent: the key that it was made of so, with the number.
    """

    __slots__ = ("copied", "folded", "origin", "parent", "root", "use", "words")

    def __init__(self, root: Key | None = None, origin: Any = None, copied: Copies | None = None) -> None:
        self.use: Use | None = None
        self.copied = copied
        self.root = self if root is None else root
        self.words: tuple[Word, ...] = ()
        self.origin = origin
        self.folded: dict[int, Key] | None = None
        self.parent: tuple[Key, int] | None = None


class Word:
    """One word of a key, or of an array that may hold keys.

    Attributes:
        copied: where it was made, if it is a copy.
        key: the key whose word it is, if that is known.
        root: the word that it is another copy of, or itself.
        joined: the keys that were put together of words that begin with this one.
    """

    __slots__ = ("copied", "joined", "key", "origin", "root")

    def __init__(self, key: Key | None = None, origin: Any = None, root: Word | None = None,
                 copied: Copies | None = None) -> None:
        self.key = key
        self.copied = copied
        self.joined: dict[tuple[Word, ...], Key] = {}
        self.origin = origin
        self.root = self if root is None else root


class Reused(Exception):
    """A key is used up for the second time: what `KeyTracker.use_up` raises for its caller to report.

    Attributes:
        first, second: the two uses.
        twice_in_one: whether one operation was given the same key twice.
        key: the key; its `parent` tells if it was made of another one and a number, both times.
        copied: where the copy was made that was used again, if it is one.
    """

    def __init__(self, first: Use, second: Use, twice_in_one: bool, key: Key, copied: Copies | None = None) -> None:
        super().__init__()
        self.first, self.second, self.twice_in_one, self.key, self.copied = first, second, twice_in_one, key, copied


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
        roots = tuple([word.root for word in words])
        if roots != words:
            found = first.joined[words] = Key(root=_joined(roots).root, copied=first.copied)
            return found
        found = first.joined[words] = Key(origin=("joined", words))
        if not any(word.joined.keys() - {words} or word.key for word in words):
            found.words = words
            for word in words:
                word.key = found
    return found


def fold(key: Key, number: int) -> Key:
    """The key that `fold_in` makes of a key and a number that is known."""
    if key.folded is None:
        key.folded = {}
    made = key.folded.get(number)
    if made is None:
        if len(key.folded) >= MAX_FOLDED:
            del key.folded[next(iter(key.folded))]  # the oldest
        root = key.root
        made = key.folded[number] = Key() if root is key else Key(root=fold(root, number), copied=key.copied)
        if root is key:
            made.parent = root, number
    return made


def as_copies(cells: Sequence[Cells], place: Any) -> list[Cells]:
    """Arrays that are put behind each other; a key that stands in two of them is in the second a copy of its own.

    So an array of one key several times over is told from a key that was only spread along a batch.
    """
    made = Copies(place, len(cells))
    seen: set[int] = set()
    found = []
    for array in cells:
        here = {id(c): c for c in array.reshape(-1)}
        again = seen & here.keys()
        if again:
            copies = {at: copy_of(cell, made) if at in again else cell for at, cell in here.items()}
            flat = array.reshape(-1)
            array = cells_of(array.shape, lambda i: copies[id(flat[i])])
        seen |= here.keys()
        found.append(array)
    return found


def copy_of(cell: Any, made: Copies | None = None) -> Any:
    """Another copy of a key or a word."""
    return type(cell)(root=cell.root, copied=made or cell.copied)


def copied(table: Cells, places: np.ndarray, place: Any) -> list[Any]:
    """The entries of `table` that stand at `places`: one that is taken again is another copy each time.

    What holds the same object twice, since it was spread along a batch, holds the same copies twice then.

    Args:
        place: where the user's code does it.
    """
    made = Copies(place, int(np.bincount(places.reshape(-1).clip(0)).max(initial=0)))
    times: dict[int, int] = {}
    copies: dict[tuple[int, int], Any] = {}
    found = []
    for at in places.reshape(-1).tolist():
        if not 0 <= at < len(table):
            found.append(Key())  # beyond the end: filled
            continue
        cell = table[at]
        count = times[at] = times.get(at, -1) + 1
        if count:
            known = copies.get((id(cell), count))
            cell = copies[id(cell), count] = copy_of(cell, made) if known is None else known
        found.append(cell)
    return found


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
                raise Reused(root.use, use, False, root, key.copied)
            if entries.setdefault(id(root), key) is not key:
                raise Reused(use, use, True, root, key.copied or entries[id(root)].copied)
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


__all__ = ["MAX_KEYS", "Cells", "Copies", "Key", "KeyTracker", "Reused", "Step", "Use", "Word", "as_copies", "cells_of",
           "copied", "copy_of", "fold", "fresh_keys", "join_words", "split_words"]
