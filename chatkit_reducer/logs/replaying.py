"""A log to the state after it, at the speed of decoding alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import defstruct

from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemUpdated,
    Unreadable,
    wire_tag,
)
from chatkit_reducer.folding import Folding, fold
from chatkit_reducer.logs.buffering import Block
from chatkit_reducer.logs.decoding import DEFAULT_MAX_EVENT_BYTES, LogDecoder
from chatkit_reducer.logs.reading import Log, OnProgress, blocks, first, read_records
from chatkit_reducer.state import ThreadState

__all__ = ["replay"]


def replay(
    log: Log,
    state: ThreadState | None = None,
    *,
    until: int | None = None,
    strict: bool = False,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    on_progress: OnProgress | None = None,
) -> ThreadState:
    """The state after the events of a log: what `fold(read(log))` gives, several times faster.

    What cannot be read is an anomaly of the state, and reading goes on behind it. A log that holds
    several threads becomes one state here; `replay_threads` takes them apart.

    Args:
        log: a path, or a file open for reading bytes.
        state: the thread before the log; the empty one if left out.
        until: fold no more than this many events.
        strict: raise at the first anomaly.
        max_event_bytes: a larger event is skipped, with an anomaly.
        on_progress: called with the number of bytes read so far.

    Raises:
        OSError: the file cannot be opened or read.
        LogError: it is compressed with zstd, and the library for that is not installed.
        AnomalyError: in strict mode.
        ValueError: `until` is negative.
    """
    state = ThreadState() if state is None else state
    if until is not None:
        records = read_records(log, max_event_bytes=max_event_bytes, on_progress=on_progress)
        events = (record.event for record in first(records, until))
        return fold(events, state, strict=strict)
    decoder = LogDecoder(max_event_bytes=max_event_bytes)
    replaying = _Replay(decoder, state, strict=strict)
    for block in blocks(log, decoder, on_progress):
        replaying.take(block)
    return replaying.state()


class _Replay:
    """Folds block after block; when a whole block was one run of text, it expects another.

    In a long answer nearly every block is deltas for one text. A decoder that takes nothing else,
    with the item and the index as literals, leaves the comparing to msgspec, and the fold is one
    join. It costs some 50 microseconds to make, and a block which is not all such deltas is decoded
    twice: so it is made when a whole block was a run, and dropped at the first that is not.
    """

    def __init__(self, decoder: LogDecoder, state: ThreadState, *, strict: bool) -> None:
        self._decoder = decoder
        self._folding = Folding(state, strict=strict)
        self._text: tuple[str, int] = ("", 0)
        self._run: msgspec.json.Decoder[Any] | None = None

    def take(self, block: Block | Unreadable) -> None:
        """Folds one block."""
        if self._run is not None and isinstance(block, bytes):
            run = self._decoder.decoded(block, self._run)
            if run is not None:
                self._folding.take_text(*self._text, [event.update.delta for event in run])
                return
        self._run = None
        events = [block] if isinstance(block, Unreadable) else self._decoder.events(block)
        self._folding.take(events)
        # All events in one run, but for the first perhaps, and deltas of one text at both ends:
        # nearly always that is all there was. If not, the next block finds out.
        if self._folding.run_length >= len(events) - 1 > 1:
            first, last = _text_of(events[1]), _text_of(events[-1])
            if last is not None and first == last:
                self._text, self._run = last, _run_decoder(*last)

    def state(self) -> ThreadState:
        """The state after all blocks."""
        return self._folding.state()


def _text_of(event: Event | Unreadable) -> tuple[str, int] | None:
    if type(event) is ThreadItemUpdated:
        update = event.update
        if type(update) is AssistantMessageContentPartTextDelta:
            return event.item_id, update.content_index
    return None


@lru_cache(maxsize=8)  # a class is garbage that only a full collection finds
def _run_decoder(item_id: str, content_index: int) -> msgspec.json.Decoder[Any]:
    options: dict[str, Any] = {"frozen": True, "gc": False, "forbid_unknown_fields": True}
    delta = defstruct(
        "Delta",
        [("content_index", Literal[content_index]), ("delta", str)],
        tag=wire_tag(AssistantMessageContentPartTextDelta),
        **options,
    )
    updated = defstruct(
        "Updated",
        [("item_id", Literal[item_id]), ("update", delta)],
        tag=wire_tag(ThreadItemUpdated),
        **options,
    )
    return msgspec.json.Decoder(list[updated])  # type: ignore[valid-type]  # a class made just now
