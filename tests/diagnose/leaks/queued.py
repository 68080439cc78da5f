"""A queue."""

import queue

jobs = queue.Queue()
scratch = []


def direct(x):
    jobs.put(x * 2)  # direct


def submit(target, y):
    target.put_nowait(y)  # helper


def helper(x):
    submit(jobs, x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    jobs.put(scratch.pop())
