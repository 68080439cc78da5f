"""What the source of a function says that it writes to."""
from __future__ import annotations

import ast

from perspicax.diagnose.reach import reachable
from perspicax.diagnose.writes import Into, writes_in


class Unhashable:
    def __hash__(self) -> int:
        raise AssertionError("the search hashed a value of the user's")

    def total(self, *args: object) -> None: ...


held = Unhashable()


def summed(x: object) -> None:
    held.total(x, x)


def test_values_of_the_user_are_not_hashed_in_the_search_of_what_writes_to_them() -> None:
    scope = next(s for s in reachable([summed]) if s.name == "summed")
    [write] = writes_in(scope)
    assert write.into is Into.CALL
    assert write.base is not None and ast.unparse(write.base) == "held.total"
