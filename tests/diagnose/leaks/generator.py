"""The variable of a generator that waits."""

waiting = []
scratch = []


def rows(x):
    y = x * 2  # direct
    yield 1
    yield y


def direct(x):
    iterator = rows(x)
    next(iterator)
    waiting.append(iterator)


def receive():
    got = None
    while True:
        got = yield got


def start():
    receiver = receive()
    next(receiver)
    waiting.append(receiver)


def helper(x):
    start()
    waiting[0].send(x * 2)  # helper


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    start()
    waiting[0].send(scratch.pop())
