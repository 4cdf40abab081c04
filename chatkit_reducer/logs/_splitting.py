"""Bytes of a log to blocks: find out its format, then cut it where frames end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

from chatkit_reducer.logs._buffering import FrameBuffer
from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._json_lines import JsonLinesFraming
from chatkit_reducer.logs._sse import SseFraming
from chatkit_reducer.logs.blocks import LOG_END, Block, Damage, LogStart
from chatkit_reducer.logs.formats.opening import OpenedLog, Opening
from chatkit_reducer.logs.formats.texts import Container, Place, Text, Texts

__all__ = ["LogSplitter"]

_AT_ONCE = 65536

_Buffer: TypeAlias = FrameBuffer | Container


class LogSplitter:
    """Takes the bytes of a log, in pieces of any size, and returns its blocks.

    Args:
        max_event_bytes: the size of the largest event; a larger one becomes a `TooLarge`.
        framing: the format, if the caller knows it.
    """

    def __init__(self, max_event_bytes: int, framing: Framing | None = None) -> None:
        self._limit = max_event_bytes
        self._is_found = framing is None
        self._opening = Opening(framing, max_event_bytes)
        self._buffer: _Buffer | None = None
        self._has_texts = False
        self.framing: Framing | None = framing
        """The format; None until it is known, and where events stand inside of other text."""

    def feed(self, data: bytes) -> Sequence[Block]:
        """Return the blocks that these bytes complete."""
        buffer = self._buffer
        data = self._opening.through(data)
        blocks = self._begin(data, final=False) if buffer is None else buffer.push(data)
        self._look_for_texts(blocks)
        return blocks

    def close(self, damage: str | None = None) -> Sequence[Block]:
        """Return the blocks at the end of the log: a last frame that nothing ends, and `LOG_END`.

        Args:
            damage: why the bytes behind those that were fed could not be had, if there were any.
        """
        out = list(self._begin(b"", final=True)) if self._buffer is None else []
        buffer = self._buffer
        if buffer is not None:
            out += buffer.rest()
            self._look_for_texts(out)
            if not (isinstance(buffer, FrameBuffer) or self._has_texts):
                nothing = f"read as {buffer.name}, it holds no event"
                out.append(Texts([Text(b"", Place(0, 0), None, nothing)], 0))
        if damage is not None:
            out.append(Damage(damage))
        return [*out, LOG_END]

    @property
    def form(self) -> str | None:
        """The name of the form in which the events stand; None until it is known."""
        buffer = self._buffer
        form = self.framing if isinstance(buffer, FrameBuffer) else buffer
        return None if form is None else form.name

    @property
    def skipped(self) -> int:
        """How many pieces of the log were left out because they are not part of an event.

        0 for a plain log: there, each piece that is not an event is a fault of the log.
        """
        return 0 if isinstance(self._buffer, FrameBuffer | None) else self._buffer.skipped

    def _look_for_texts(self, blocks: Sequence[Block]) -> None:
        if self.framing is None and not self._has_texts:
            self._has_texts = any(isinstance(one, Texts) and one.texts for one in blocks)

    def _begin(self, data: bytes, *, final: bool) -> Sequence[Block]:
        """Hold the first bytes back until they tell the format."""
        opened = self._opening.open(data, final=final)
        if opened is None:
            return []
        if isinstance(opened.form, SseFraming | JsonLinesFraming) or not self._is_found:
            self.framing = cast(Framing, opened.form)
        start = LogStart(self.framing, self._is_found, opened.mark)
        return [start, *self._first_blocks(opened)]

    def _first_blocks(self, opened: OpenedLog) -> Sequence[Block]:
        if self.framing is None:
            container = self._buffer = cast(Container, opened.form)
            return container.push(opened.head)
        buffer = self._buffer = FrameBuffer(self.framing, self._limit)
        # In pieces, because faults that are not listed are passed over block by block.
        starts = range(0, len(opened.head), _AT_ONCE)
        pieces = [opened.head[start : start + _AT_ONCE] for start in starts]
        return [block for piece in pieces for block in buffer.push(piece)]
