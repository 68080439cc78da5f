"""A NumPy array of objects."""

import numpy as np

table = np.full((2, 3), None, dtype=object)
scratch = []


def direct(x):
    table[1, 2] = x * 2  # direct


def put(array, where, y):
    array[where] = y  # helper


def helper(x):
    put(table, (1, 2), x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    table[1, 2] = scratch.pop()
