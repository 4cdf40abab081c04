"""Timing several things side by side, so that their ratios mean something.

A shared machine changes its mind from second to second. So every round runs all the cases one after
the other, and the ratio of two cases is the median over the rounds of their ratio within a round.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["Timings", "measure"]


class Timings:
    """Seconds by case and round."""

    def __init__(self, rounds: Mapping[str, list[float]]) -> None:
        self._rounds = rounds

    def seconds(self, case: str) -> float:
        """Return the median time of a case."""
        return statistics.median(self._rounds[case])

    def ratio(self, case: str, limit: str) -> float:
        """Return how many times as long a case takes as another, as the median over the rounds."""
        pairs = zip(self._rounds[case], self._rounds[limit], strict=True)
        return statistics.median([one / other for one, other in pairs])


def measure(cases: Mapping[str, Callable[[], object]], rounds: int) -> Timings:
    """Run all cases in turn, `rounds` times, and once before without counting."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            gc.collect()
            start = time.perf_counter()
            case()
            if number:
                times[name].append(time.perf_counter() - start)
    return Timings(times)
