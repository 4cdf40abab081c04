"""What this package raises, and when.

Faults in data are values (`Anomaly`, `Unreadable`). Exceptions are for misuse, for a single text
that is asked to be an event and is none, and for strict mode, where the caller asked to be stopped.
Each error subclasses the builtin that it resembles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatkit_reducer.anomalies import Anomaly
    from chatkit_reducer.settlement import Settlement

__all__ = [
    "AnomalyError",
    "ChatKitReducerError",
    "CommitError",
    "DecodeError",
    "EncodeError",
    "LogError",
    "PolicyError",
    "SnapshotError",
]


class ChatKitReducerError(Exception):
    """The base of every error that this package raises on purpose."""


class DecodeError(ChatKitReducerError, ValueError):
    """A text is not a ChatKit event. The message says what is wrong, and where in the JSON."""


class EncodeError(ChatKitReducerError, ValueError):
    """An event holds something that JSON cannot say, such as NaN or half a surrogate pair."""


class LogError(ChatKitReducerError, OSError):
    """A log cannot be read or written at all: it is missing, or needs a library that is missing."""


class PolicyError(ChatKitReducerError, ValueError):
    """A policy leaves a case open, has a row that can never match, or is written wrongly."""


class SnapshotError(ChatKitReducerError, ValueError):
    """A snapshot is of a version that this release does not know, or is damaged."""


class AnomalyError(ChatKitReducerError, ValueError):
    """Strict mode met a fault in the data; `anomaly` is what lenient mode would have recorded."""

    def __init__(self, anomaly: Anomaly) -> None:
        super().__init__(anomaly)
        self.anomaly = anomaly

    def __str__(self) -> str:
        return str(self.anomaly)


class CommitError(ChatKitReducerError, RuntimeError):
    """A settlement was not committed; `settlement` still has all of it, `__cause__` says why."""

    def __init__(self, settlement: Settlement) -> None:
        super().__init__(settlement)
        self.settlement = settlement

    def __str__(self) -> str:
        writes = ", ".join(f"{w.op} {w.item.get('id')}" for w in self.settlement.writes)
        why = f": {self.__cause__!r}" if self.__cause__ is not None else ""
        return (
            f"A stream that {self.settlement.cause} is settled, but the commit failed{why}. "
            f"Not written, or not all of it: {writes or 'nothing'}. "
            "The settlement is attached as `settlement`; to commit it again does no harm."
        )
