"""The default argument of a function that is made while tracing."""

hooks = {}
scratch = []


def direct(x):
    def hook(step, y=x * 2):
        return step, y

    hooks["h"] = hook  # direct


def register(name, hook):
    hooks[name] = hook  # helper


def helper(x):
    register("h", lambda step, y=x * 2: (step, y))


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    hooks["h"] = lambda step, y=scratch.pop(): (step, y)  # noqa: B008 - what users write
