"""A variable that a nested function shares."""


def make():
    last = None

    def remember(y):
        nonlocal last
        last = y  # helper

    def direct(x):
        nonlocal last
        last = x * 2  # direct

    def get():
        return last

    def move(y):
        nonlocal last
        last = y

    return remember, direct, get, move


remember, direct, get, put = make()
scratch = []


def helper(x):
    remember(x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    put(scratch.pop())
