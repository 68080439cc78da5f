"""A deque."""

from collections import deque

recent = deque(maxlen=10)
scratch = []


def direct(x):
    recent.appendleft(x * 2)  # direct


def helper(x):
    def push(y):
        recent.append(y)  # helper

    push(x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    recent.append(scratch.pop())
