"""The attribute of a class."""


class Layer:
    last = None

    @classmethod
    def remember(cls, y):
        cls.last = y  # helper


scratch = []


def direct(x):
    Layer.last = x * 2  # direct


def helper(x):
    Layer.remember(x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    Layer.last = scratch.pop()
