"""Lock files with `flock`, where the platform has it.

The kernel gives a lock back when its holder dies, at once and without a clock.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

__all__ = ["HAS_LOCKS", "is_locked", "lock", "try_lock"]

_fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None

HAS_LOCKS: bool = _fcntl is not None
"""Whether this platform has `flock`."""


def lock(descriptor: int) -> None:
    """Lock a file for its only writer; wait for a process that probes the lock."""
    _fcntl.flock(descriptor, _fcntl.LOCK_EX)


def try_lock(descriptor: int) -> bool:
    """Lock a file for its only writer; return whether no other process has the lock."""
    try:
        _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(descriptor: int) -> bool:
    """Return whether a writer holds the lock of a file.

    It probes with a shared lock, so that two probes do not take each other for a writer.
    """
    try:
        _fcntl.flock(descriptor, _fcntl.LOCK_SH | _fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
