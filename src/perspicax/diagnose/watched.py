"""Who is told of what is no error, but most likely a mistake: nobody, unless a sanitizer asks for it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["broadcasts_watched", "casts_watched", "promotions_watched", "requests_watched", "results_watched",
           "states_watched"]

broadcasts_watched: list[Callable[..., Any]] = []
"""Called with the types of operands of different rank that broadcast, and the operation."""

casts_watched: list[Callable[..., Any]] = []
"""Called with a NumPy value and the narrower dtype that it gets, since 64-bit types are off."""

promotions_watched: list[Callable[..., Any]] = []
"""Called with the types of an array of low precision and of a number that widens it, and the dtype of the result."""

requests_watched: list[Callable[..., Any]] = []
"""Called where a dtype of 64 bits was asked for by name: with it, the dtype that is used, and the function."""

results_watched: list[Callable[..., Any]] = []
"""Called with the result, the name of the function, and what it was made of, by the function that made it."""

states_watched: list[Callable[..., Any]] = []
"""Called with the variables that a model was applied to, and those that it returns beside its result."""
