"""A mutable default argument."""

scratch = []


def direct(x, acc=[]):  # noqa: B006 - the mistake that is shown
    acc.append(x * 2)  # direct helper
    return len(acc)


def helper(x):
    direct(x)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    direct.__defaults__[0].append(scratch.pop())
