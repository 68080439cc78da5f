"""When to stop, by a metric that no longer falls: `flax.training.early_stopping`."""
from __future__ import annotations

import math
from typing import Any, Self

from perspicax.flax import struct

__all__ = ["EarlyStopping"]


class EarlyStopping(struct.PyTreeNode):
    """Counts how often a metric did not get better.

    Attributes:
        min_delta: by how much the metric must fall to count as better.
        patience: how many updates in a row may be no better.
        best_metric: the best so far.
        patience_count: how many updates were no better since then.
        should_stop: whether there were more than `patience`.
        has_improved: whether the last one was better.

    >>> EarlyStopping(patience=1).update(2.0).update(2.0).update(2.0).should_stop
    True
    """

    min_delta: float = 0
    patience: int = 0
    best_metric: float = math.inf
    patience_count: int = 0
    should_stop: bool = False
    has_improved: bool = False

    def reset(self) -> Self:
        """As at the beginning, with the same `min_delta` and `patience`."""
        return self.replace(best_metric=math.inf, patience_count=0, should_stop=False, has_improved=False)

    def update(self, metric: Any) -> Self:
        """The state after a metric. It has improved where it is lower than the best by more than `min_delta`."""
        if math.isinf(self.best_metric) or self.best_metric - metric > self.min_delta:
            return self.replace(best_metric=metric, patience_count=0, has_improved=True)
        count = self.patience_count + 1
        return self.replace(patience_count=count, should_stop=self.patience_count >= self.patience or self.should_stop,
                            has_improved=False)
