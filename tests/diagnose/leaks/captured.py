"""A lambda that uses the value later."""

callbacks = []
scratch = []


def direct(x):
    y = x * 2
    callbacks.append(lambda: y)  # direct


def later(y):
    return lambda: y


def helper(x):
    callbacks.append(later(x * 2))  # helper


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    callbacks.append(later(scratch.pop()))
