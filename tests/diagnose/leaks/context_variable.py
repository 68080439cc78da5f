"""A context variable."""

from contextvars import ContextVar

current = ContextVar("current", default=None)
scratch = []


def direct(x):
    current.set(x * 2)  # direct


def enter(variable, y):
    variable.set(y)  # helper


def helper(x):
    enter(current, x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    current.set(scratch.pop())
