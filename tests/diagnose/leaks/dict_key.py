"""The key of a dict."""

seen = {}
scratch = []


def direct(x):
    seen[x * 2] = True  # direct


def count(table, y):
    table[y] = table.get(y, 0) + 1  # helper


def helper(x):
    count(seen, x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    seen[scratch.pop()] = True
