"""A set."""

visited = set()
scratch = []


def direct(x):
    visited.add(x * 2)  # direct


def helper(x):
    keep_in(visited, [x * 2])


def keep_in(group, values):
    group |= set(values)  # helper


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    visited.add(scratch.pop())
