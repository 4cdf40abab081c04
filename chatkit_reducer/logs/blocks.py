"""Blocks: the pieces into which `LogSplitter` cuts a log, and which `BlockDecoder` decodes."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs.formats.texts import Texts

__all__ = ["LOG_END", "Block", "Damage", "LogEnd", "LogStart", "TooLarge"]


class LogStart(Struct, frozen=True):
    """The start of the log: the first block, as soon as the format is known."""

    framing: Framing | None
    """The format of the bytes that follow; None where `Texts` follow."""
    is_found: bool
    """Whether the format was found by looking at the log."""
    mark: int
    """The size of the byte order mark."""
    size: int = 0


class TooLarge(Struct):
    """A frame that was dropped because it is larger than the limit."""

    head: bytes
    size: int
    lines: int


class Damage(Struct, frozen=True):
    """The place behind which the bytes of the log could not be decompressed."""

    reason: str
    size: int = 0


class LogEnd(Struct, frozen=True):
    """The end of the log: the last block."""

    size: int = 0


LOG_END = LogEnd()

Block: TypeAlias = bytes | TooLarge | Texts | LogStart | Damage | LogEnd
"""A run of whole frames; the texts of a container; or a mark between them.

Every block but the bytes has a `size`: how many bytes of the log it stands for."""
