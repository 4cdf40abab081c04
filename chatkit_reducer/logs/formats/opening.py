"""The first bytes of a log, held back until they tell its form."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs.formats._chunked import Dechunker, is_chunked
from chatkit_reducer.logs.formats._encodings import LONGEST_MARK, Transcoder, encoding_of
from chatkit_reducer.logs.formats.plain import plain_form
from chatkit_reducer.logs.formats.texts import Container

__all__ = ["OpenedLog", "Opening"]

_BOM = b"\xef\xbb\xbf"
_FREE_LOOKS = 64
_SHORT = 16384
_Stage: TypeAlias = Transcoder | Dechunker


class OpenedLog(Struct, frozen=True):
    """The form of a log, and its first bytes."""

    form: Framing | Container
    head: bytes
    """All bytes so far, in UTF-8 and without a byte order mark."""
    mark: int
    """How many bytes the mark had that stood before them."""


class Opening:
    """Find out the form of a log. Bytes in pieces of any size give the same.

    Args:
        framing: the format if the caller knows it: then nothing is looked at.
        limit: how large one event may be, in bytes.
    """

    def __init__(self, framing: Framing | None, limit: int) -> None:
        self._framing = framing
        self._limit = limit
        self._head = bytearray()
        self._looks = self._looked_at = 0
        self._stages: list[_Stage] = []

    def through(self, data: bytes) -> bytes:
        """Take off a layer around all of the log: another encoding, the chunks of HTTP."""
        for stage in self._stages:
            data = stage.push(data)
        return data

    def open(self, data: bytes, *, final: bool) -> OpenedLog | None:
        """Take the next bytes; return the form of the log, or None where more of it is needed."""
        self._head += data
        # A longer look only when there is twice as much to see, for bytes that come one by one.
        is_free = self._looks < _FREE_LOOKS and len(self._head) < _SHORT
        is_time = is_free or len(self._head) >= 2 * self._looked_at
        if not (final or is_time):
            return None
        self._looks, self._looked_at = self._looks + 1, len(self._head)
        if self._framing is None and not self._is_bare(final=final):
            return None
        head = bytes(self._head)
        if len(head) < len(_BOM) and not final:
            return None
        bare = head.removeprefix(_BOM)
        form = self._framing or plain_form(bare) or self._recognise(bare, final=final)
        if form is None:
            return None
        self._head.clear()
        return OpenedLog(form, bare, len(head) - len(bare))

    def _recognise(self, head: bytes, *, final: bool) -> Framing | Container | None:
        from chatkit_reducer.logs.formats._recognition import recognise  # which loads all forms

        return recognise(head, final=final, limit=self._limit)

    def _is_bare(self, *, final: bool) -> bool:
        """Take off the layers around all of the log; return whether that is done."""
        if not self._stages:
            if len(self._head) < LONGEST_MARK and not final:
                return False
            encoding = encoding_of(bytes(self._head[:LONGEST_MARK]))
            if encoding is not None:
                self._add(Transcoder(encoding))
        if any(isinstance(stage, Dechunker) for stage in self._stages):
            return True
        verdict = is_chunked(self._head)
        if verdict:
            self._add(Dechunker())
        return verdict is not None or final

    def _add(self, stage: _Stage) -> None:
        self._stages.append(stage)
        self._head = bytearray(stage.push(bytes(self._head)))
