"""The attribute of a dataclass with slots."""

from dataclasses import dataclass


@dataclass(slots=True)
class Carry:
    h: object = None
    c: object = None


carry = Carry()
scratch = []


def direct(x):
    carry.h, carry.c = x * 2, None  # direct


def advance(state, y):
    state.c = 0
    state.h = y  # helper


def helper(x):
    advance(carry, x * 2)


def moved(x):
    scratch.append(x * 2)  # moved


def move():
    carry.h = scratch.pop()
