"""A log to the state after it, at the speed of decoding alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import defstruct

from chatkit_reducer.core.fold.folder import Folder, fold
from chatkit_reducer.core.text_target import text_target
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    ThreadItemUpdated,
    wire_tag,
)
from chatkit_reducer.logs._compression import DEFAULT_MAX_EXPANSION
from chatkit_reducer.logs._decoding import DEFAULT_MAX_EVENT_BYTES
from chatkit_reducer.logs.block_decoding import BlockDecoder
from chatkit_reducer.logs.blocks import Block
from chatkit_reducer.logs.reading import Log, OnProgress, OnSkipped, blocks, first, read_records

__all__ = ["replay"]


def replay(
    log: Log,
    state: ThreadState | None = None,
    *,
    until: int | None = None,
    strict: bool = False,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_progress: OnProgress | None = None,
    on_skipped: OnSkipped | None = None,
) -> ThreadState:
    """Return the state after the events of a log: that of `fold(read(log))`, several times faster.

    A text that cannot be read is an anomaly of the state, and reading goes on behind it. A log that
    holds several threads becomes one state here; `replay_threads` takes them apart.

    Args:
        log: a path, or a file open for reading bytes.
        state: the thread before the log; the empty one if left out.
        until: fold no more than this many events.
        strict: raise at the first anomaly.
        max_event_bytes: a larger event is skipped, with an anomaly.
        max_expansion: how many bytes a compressed log may give for each of its own, as in `read`.
        on_progress: called with the number of bytes read so far.
        on_skipped: as in `read`; not told if `until` ends the reading.

    Raises:
        OSError: the file cannot be opened or read.
        LogError: it is compressed with zstd, and the library for that is not installed.
        AnomalyError: in strict mode.
        ValueError: `until` is negative.
    """
    state = ThreadState() if state is None else state
    options: dict[str, Any] = {
        "max_event_bytes": max_event_bytes,
        "max_expansion": max_expansion,
        "on_progress": on_progress,
        "on_skipped": on_skipped,
    }
    if until is not None:
        events = (record.event for record in first(read_records(log, **options), until))
        return fold(events, state, strict=strict)
    replayer = _Replayer(BlockDecoder(max_event_bytes), state, strict=strict)
    for block in blocks(log, **options):
        replayer.feed(block)
    return replayer.state()


class _Replayer:
    """Folds block after block; when a whole block was one run of text, it expects another.

    In a long answer nearly every block is deltas for one text. A decoder that takes nothing else,
    with the item and the index as literals, leaves the comparing to msgspec, and the fold is one
    join. It costs some 50 microseconds to make, and a block which is not all such deltas is decoded
    twice: so it is made when a whole block was a run, and dropped at the first that is not.
    """

    def __init__(self, decoder: BlockDecoder, state: ThreadState, *, strict: bool) -> None:
        self._decoder = decoder
        self._folder = Folder(state, strict=strict, decoded=True)
        self._text: tuple[str, int] = ("", 0)
        self._run: msgspec.json.Decoder[Any] | None = None

    def feed(self, block: Block) -> None:
        """Fold one block."""
        if self._run is not None:
            run = self._decoder.values(block, self._run)
            if run is not None:
                self._folder.feed_text(*self._text, [event.update.delta for event in run])
                return
        self._run = None
        events = self._decoder.events(block)
        self._folder.feed(events)
        # All events in one run, but for the first perhaps, and deltas of one text at both ends:
        # nearly always that is all there was. If not, the next block finds out.
        if self._folder.run_length >= len(events) - 1 > 1:
            text = text_target(events[-1])
            if text is not None and text_target(events[1]) == text:
                self._expect(*text)

    def _expect(self, item_id: str, place: int | str) -> None:
        """Expect more deltas for one text, if it is that of a part of a message."""
        if isinstance(place, int):
            self._text, self._run = (item_id, place), _run_decoder(item_id, place)

    def state(self) -> ThreadState:
        """Return the state after all blocks."""
        return self._folder.state()


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
