"""Bytes of a log to its records, without I/O.

    bytes   --LogSplitter-->   blocks of whole frames
    blocks  --BlockDecoder-->  records, or events alone

`LogDecoder` is both in one. Bytes in pieces of any size give the same records.
"""

from __future__ import annotations

from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._records import Record
from chatkit_reducer.logs._splitting import LogSplitter
from chatkit_reducer.logs.block_decoding import BlockDecoder

__all__ = ["DEFAULT_MAX_EVENT_BYTES", "LogDecoder"]

DEFAULT_MAX_EVENT_BYTES = 64 * 1024 * 1024
"""How large one event may be, in bytes."""


class LogDecoder:
    r"""Takes the bytes of a log and returns its records; does no I/O.

    >>> from chatkit_reducer.logs import LogDecoder
    >>> decoder = LogDecoder()
    >>> decoder.feed(b'data: {"type": "thread.item.rem')
    []
    >>> [record.event for record in decoder.feed(b'oved", "item_id": "msg_1"}\n\n')]
    [ThreadItemRemoved(item_id='msg_1', extra=UNSET)]
    >>> decoder.close()
    []

    Args:
        framing: the format, `SSE` or `JSON_LINES`; found by looking if left out.
        max_event_bytes: a larger event is skipped, and a record says so.

    Raises:
        ValueError: `max_event_bytes` is less than 1.
        TypeError: `framing` is not a `Framing`.
    """

    def __init__(
        self, framing: Framing | None = None, *, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES
    ) -> None:
        check_limit(max_event_bytes)
        if framing is not None and not hasattr(framing, "frames"):
            raise TypeError(
                f"expected framing to be SSE or JSON_LINES of chatkit_reducer.logs, got {framing!r}"
            )
        self._splitter = LogSplitter(max_event_bytes, framing)
        self._decoder = BlockDecoder(max_event_bytes)

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that these bytes complete."""
        decode = self._decoder.records
        return [record for block in self._splitter.feed(data) for record in decode(block)]

    def close(self, *, damage: str | None = None) -> list[Record]:
        """Return the records at the end of the log: those of a last frame that nothing ends.

        Args:
            damage: why the bytes behind those that were fed could not be had, if there were any.
                A record says so.
        """
        decode = self._decoder.records
        return [record for block in self._splitter.close(damage) for record in decode(block)]

    @property
    def framing(self) -> Framing | None:
        """The format; None until it is known, and where events stand inside of other text."""
        return self._splitter.framing

    @property
    def form(self) -> str | None:
        """The name of the form in which the events stand; None until it is known."""
        return self._splitter.form

    @property
    def skipped(self) -> int:
        """How many pieces of the log were left out because they are not part of an event.

        0 for a plain log: there, each piece that is not an event is a fault of the log.
        """
        return self._splitter.skipped


def check_limit(max_event_bytes: int) -> None:
    """Raise ValueError unless one event may have at least one byte."""
    if max_event_bytes < 1:
        raise ValueError(f"max_event_bytes must be at least 1, not {max_event_bytes}")
