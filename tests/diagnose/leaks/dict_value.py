"""A dict."""

cache = {}
scratch = {}


def direct(x):
    cache["h"] = x * 2  # direct


def keep(store, **named):
    store.update(named)  # helper


def helper(x):
    keep(cache, h=x * 2)


def moved(x):
    scratch["first"] = x * 2  # moved


def move():
    cache["h"] = scratch.pop("first")
