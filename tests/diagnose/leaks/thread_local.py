"""An attribute of a threading.local."""

import threading

here = threading.local()
scratch = []


def direct(x):
    here.h = x * 2  # direct


def remember(place, y):
    place.__setattr__("h", y)  # helper


def helper(x):
    remember(here, x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    here.h = scratch.pop()
