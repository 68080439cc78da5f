"""The field of a named tuple in a list."""

from typing import NamedTuple


class State(NamedTuple):
    step: int
    hidden: object


states = []
scratch = []


def direct(x):
    states.append(State(step=0, hidden=x * 2))  # direct


def keep(collection, state):
    collection.append(state)  # helper


def helper(x):
    keep(collection=states, state=State(0, x * 2))


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    states.append(State(0, scratch.pop()))
