"""An exception object."""

failures = []
scratch = []


def direct(x):
    failures.append(ValueError("too large", x * 2))  # direct


def verify(y):
    raise ValueError("too large", y)


def helper(x):
    try:
        verify(x * 2)
    except ValueError as error:
        failures.append(error.with_traceback(None))  # helper


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    failures.append(ValueError("too large", scratch.pop()))
