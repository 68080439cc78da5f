"""A tuple that a global names."""

pair = (None, None)
scratch = []


def direct(x):
    global pair
    pair = (1, x * 2)  # direct


def helper(x):
    remember(x * 2)


def remember(y):
    globals()["pair"] = (1, y)  # helper


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    global pair
    pair = (1, scratch.pop())
