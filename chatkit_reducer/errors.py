"""The exceptions that this package raises, and when.

Faults in data are values (`Anomaly`, `Unreadable`). Exceptions are for misuse, for a text that has
to be one event and is not, and for strict mode, in which the caller asked to be stopped. Each error
subclasses the builtin that it resembles.
"""

from chatkit_reducer.core.anomalies import AnomalyError
from chatkit_reducer.core.errors import (
    ChatKitReducerError,
    DecodeError,
    EncodeError,
    LogError,
    PolicyError,
    SnapshotError,
)
from chatkit_reducer.core.policy.commit_error import CommitError, WriteErrors

__all__ = [
    "AnomalyError",
    "ChatKitReducerError",
    "CommitError",
    "DecodeError",
    "EncodeError",
    "LogError",
    "PolicyError",
    "SnapshotError",
    "WriteErrors",
]
