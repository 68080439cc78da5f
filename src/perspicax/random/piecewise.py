"""Distributions that are functions of other samples, eagerly without a kernel for each shape.

Such a distribution is written once, as a traceable function of a key. Staged it is one `jit` equation (`Staged`). Eagerly
the function itself runs: what it draws comes in pieces of fixed size, and what it makes of these samples is a `Piecewise`
function of each element, which runs over pieces too. What reduces stays one program of the whole shape (`Staged`), since
the libraries that XLA hands reductions to choose by shape. Operations stand together in one program wherever XLA could
contract a product and a sum, or hand them over together, so that the bits are the same both ways; tests compare them.
"""
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.context import evaluator, use_trace
from perspicax.core.deferral import DeferringTrace, eager_or_deferring
from perspicax.core.tracer import Tracer
from perspicax.lax.random_bits import Place, host_place, random_split_p
from perspicax.random.bits import Staged, concrete, smaller, staged_here, watched
from perspicax.random.chunks import FixedProgram, mapped
from perspicax.xla import compile as compilation
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import as_array, check_results, checking

MAX_RENTS = 1024
PRICE = 0.5  # seconds; XLA takes between one and three times as many to compile a loop with a generator in it


class Piecewise:
    """A traceable function of each element.

    Args:
        body: `body(*arrays, **static)` returns one array; the operands have the shape of the result, or none.
        fast: see `FixedProgram`.
    """

    __slots__ = ("body", "program")

    def __init__(self, body: Callable[..., Any], fast: bool = False) -> None:
        self.body, self.program = body, FixedProgram(body.__name__.strip("<>_"), body, fast)

    def __call__(self, *operands: Any, **static: Any) -> Any:
        if any(isinstance(x, Tracer) for x in operands) or staged_here():
            return self.body(*operands, **static)
        arrays = [as_array(x) for x in operands]
        place = host_place(arrays)
        shape = max([x.shape for x in arrays], key=len)
        if place is None or 0 in shape:
            return self.body(*operands, **static)
        values = [x.value().reshape(-1) if x.shape else x.value() for x in arrays]
        made = mapped(self.program, place, values, tuple(static.items()))[0]
        return ArrayImpl(ShapedArray(shape, made.dtype), None, made.reshape(shape), place.sharding, place.committed)


class Composite:
    """A distribution that is made of samples of others.

    Args:
        body: `body(key, *operands, shape=…, dtype=…, **static)`, traceable.
        inline: see `Staged`.
        single: whether a single sample can be made in steps as well. XLA computes scalars in another way than arrays, and
            may contract in the program of the whole what it does not in those of the steps.
        host: instead of `body`, where samples are computed at once: `host(place, key, *operands, shape=…, …)`. It takes
            steps that one program of the whole would take quicker, which takes seconds to compile.
        spreads: see `Distribution`.
        price: in multiples of `PRICE`, what may be spent on steps before the program of the whole is compiled; never, if it
            is `None`.
    """

    __slots__ = ("host", "price", "rents", "single", "spreads", "staged")

    def __init__(self, body: Callable[..., Any], inline: bool = False, host: Callable[..., Any] | None = None,
                 single: bool = True, price: float | None = None, spreads: bool = True) -> None:
        self.staged, self.host, self.single, self.spreads = Staged(body, inline), host, single, spreads
        self.price = 1. if price is None and host is not None else price
        self.rents: dict[Any, Rental] = {}

    def __call__(self, key: Any, *operands: Any, **static: Any) -> Any:
        trace = local.trace
        if type(trace) is DeferringTrace and eager_or_deferring((key, *operands)):
            types = self.staged.staged((key, *operands), static).out_avals
            return trace.defer(lambda values: [self(*values, **static)], (key, *operands), types)[0]
        if not concrete(key, *operands) or 0 in static["shape"] or not (self.single or static["shape"]):
            return self.staged(key, *operands, **static)
        arrays = [as_array(x) for x in operands]
        if not self.spreads and any(smaller(x, static["shape"]) for x in arrays):
            return self.staged(key, *operands, **static)
        place = host_place([key, *arrays])
        made = None if place is None else self._eager(place, key, arrays, static)
        if made is None:
            return self.staged(key, *operands, **static)
        if checking.nans:
            check_results([made], self.staged.name)
        return made

    def _eager(self, place: Place, key: ArrayImpl, operands: list[ArrayImpl], static: dict[str, Any]) -> ArrayImpl | None:
        if self.price is None:
            return self.staged.body(key, *operands, **static)
        rent = rental(self.rents, (key.aval, *[x.aval for x in operands], *static.items()), self.price)
        if not rent.cheap():
            return None
        if self.host is None:
            with rent.time():
                return self.staged.body(key, *operands, **static)
        if watched():
            random_split_p(key, shape=(1,))  # uses the key up; what the steps do with its keys is nobody's business
        with rent.time(), use_trace(evaluator()):
            return self.host(place, key, *operands, **static)


class Rental:
    """The time spent on doing something step by step, to tell when the program that does it whole would have paid.

    Who buys when he has paid the price in rent never pays more than twice what was best.

    Args:
        price: in multiples of `PRICE`.
    """

    __slots__ = ("price", "spent")

    def __init__(self, price: float = 1.) -> None:
        self.price, self.spent = price, 0.

    def cheap(self) -> bool:
        """Whether less time was spent than the program is worth."""
        return self.spent < PRICE * self.price

    @contextlib.contextmanager
    def time(self) -> Iterator[None]:
        """A `with` block whose time is spent, unless a program is compiled in it: that is paid once."""
        started, before = time.process_time(), compilation.programs()
        yield
        if compilation.programs() == before:
            self.spent += time.process_time() - started


def rental(rentals: dict[Any, Rental], kind: Any, price: float = 1.) -> Rental:
    """The rental for one kind of call; a new one for one that was not made before."""
    found = rentals.get(kind)
    if found is None:
        if len(rentals) >= MAX_RENTS:
            rentals.clear()
        found = rentals[kind] = Rental(price)
    return found


__all__ = ["Composite", "Piecewise", "Rental", "rental"]
