"""Questions about a recorded stream: does it add up, and how much would a stop lose?

`check` finds the faults of a log, `sweep` stops it at each of its events, and `compare_items` finds
the differences between an item as its updates built it and the final one. All return values. Each
name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatkit_reducer._names import at_first_use

if TYPE_CHECKING:
    from chatkit_reducer.analysis._stops import Flight, Outcome, StopPoint
    from chatkit_reducer.analysis.comparison import Difference, compare_items, path_text
    from chatkit_reducer.analysis.finding import Finding
    from chatkit_reducer.analysis.log_checker import CheckResult, check
    from chatkit_reducer.analysis.sweeping import ThreadSweep, sweep, sweep_threads
    from chatkit_reducer.core.items.base import VisibleContent

__all__ = [
    "CheckResult",
    "Difference",
    "Finding",
    "Flight",
    "Outcome",
    "StopPoint",
    "ThreadSweep",
    "VisibleContent",
    "check",
    "compare_items",
    "path_text",
    "sweep",
    "sweep_threads",
]

_HOMES = {
    "CheckResult": ".log_checker",
    "Difference": ".comparison",
    "Finding": ".finding",
    "Flight": "._stops",
    "Outcome": "._stops",
    "StopPoint": "._stops",
    "ThreadSweep": ".sweeping",
    "VisibleContent": "chatkit_reducer.core.items.base",
    "check": ".log_checker",
    "compare_items": ".comparison",
    "path_text": ".comparison",
    "sweep": ".sweeping",
    "sweep_threads": ".sweeping",
}


if not TYPE_CHECKING:  # or else a type checker would let any name pass
    __getattr__ = at_first_use(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
