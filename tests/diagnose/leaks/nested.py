"""A list within a dict within a dict."""

log = {"train": {3: ["start"]}}
scratch = []


def direct(x):
    log["train"][3].append(x * 2)  # direct


def entry(step):
    return log["train"][step]


def helper(x):
    rows = entry(3)
    rows.append(x * 2)  # helper


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    log["train"][3].append(scratch.pop())
