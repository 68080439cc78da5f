"""A global."""

LAST = None
scratch = []


def direct(x):
    global LAST
    LAST = x * 2  # direct


def remember(y):
    global LAST
    if (LAST := y) is None:  # helper
        return


def helper(x):
    remember(x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    global LAST
    LAST = scratch.pop()
