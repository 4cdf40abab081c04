"""Questions about a recorded stream: does it add up, and how much would a stop lose?

`check` finds the faults of a log, `sweep` stops it at each of its events, and `compare_items` finds
the differences between an item as its updates built it and the final one. All return values. Each
name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatkit_reducer.analysis._stops import Flight, Outcome, StopPoint
    from chatkit_reducer.analysis.comparison import Difference, compare_items, path_text
    from chatkit_reducer.analysis.finding import Finding
    from chatkit_reducer.analysis.log_checker import CheckResult, check
    from chatkit_reducer.analysis.sweeper import ThreadSweep, sweep, sweep_threads
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

_MODULES = {
    "CheckResult": "chatkit_reducer.analysis.log_checker",
    "Difference": "chatkit_reducer.analysis.comparison",
    "Finding": "chatkit_reducer.analysis.finding",
    "Flight": "chatkit_reducer.analysis._stops",
    "Outcome": "chatkit_reducer.analysis._stops",
    "StopPoint": "chatkit_reducer.analysis._stops",
    "ThreadSweep": "chatkit_reducer.analysis.sweeper",
    "VisibleContent": "chatkit_reducer.core.items.base",
    "check": "chatkit_reducer.analysis.log_checker",
    "compare_items": "chatkit_reducer.analysis.comparison",
    "path_text": "chatkit_reducer.analysis.comparison",
    "sweep": "chatkit_reducer.analysis.sweeper",
    "sweep_threads": "chatkit_reducer.analysis.sweeper",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
