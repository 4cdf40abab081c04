"""The exceptions of the core. `chatkit_reducer.errors` lists all that callers may catch."""

from __future__ import annotations

__all__ = [
    "ChatKitReducerError",
    "DecodeError",
    "EncodeError",
    "LogError",
    "PolicyError",
    "SnapshotError",
]


class ChatKitReducerError(Exception):
    """The base of every error that this package raises on purpose."""


class DecodeError(ChatKitReducerError, ValueError):
    """A text is not a ChatKit event. The message names the fault, and its path in the JSON."""


class EncodeError(ChatKitReducerError, ValueError):
    """An event holds something that JSON cannot say, or that `decode` would refuse."""


class LogError(ChatKitReducerError, OSError):
    """A log cannot be read or written at all: it is missing, or needs a library that is missing."""


class PolicyError(ChatKitReducerError, ValueError):
    """A policy leaves a case open, has a row that can never match, or is written wrongly."""


class SnapshotError(ChatKitReducerError, ValueError):
    """A snapshot, or a settlement as JSON, is of a version that is not known here, or damaged."""
