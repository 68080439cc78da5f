"""The cache of functools.lru_cache."""

from functools import lru_cache

scratch = []


@lru_cache(maxsize=32)
def rank(y):
    return y is None


def direct(x):
    rank(x * 2)  # direct


def check(y):
    return not rank(y)  # helper


def helper(x):
    check(x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    rank(scratch.pop())
