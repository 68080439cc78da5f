"""A list."""

outs = []
scratch = []


def direct(x):
    y = x * 2
    outs.append(y)  # direct


def keep(store, y):
    store.append(y)  # helper


def helper(x):
    keep(outs, x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    outs.extend(scratch)
    scratch.clear()
