"""An argument of functools.partial."""

from functools import partial

pending = []
scratch = []


def show(y, end):
    return y, end


def direct(x):
    pending.append(partial(show, x * 2, end=""))  # direct


def delay(function, *args):
    pending.append(partial(function, *args))  # helper


def helper(x):
    delay(show, x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    pending.append(partial(show, scratch.pop()))
