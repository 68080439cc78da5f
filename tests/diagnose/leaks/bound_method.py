"""A method bound to the value."""

readers = {}
scratch = []


def direct(x):
    y = x * 2
    readers["y"] = y.read  # direct


def register(table, key, reader):
    table.setdefault(key, reader)  # helper


def helper(x):
    register(readers, "y", (x * 2).read)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    readers["y"] = scratch.pop().read
