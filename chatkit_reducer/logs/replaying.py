"""A log to the state after it, at the speed of decoding alone."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import defstruct

from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    ThreadItemUpdated,
    Unreadable,
    wire_tag,
)
from chatkit_reducer.logs.buffering import Block
from chatkit_reducer.logs.decoding import DEFAULT_MAX_EVENT_BYTES, LogDecoder
from chatkit_reducer.logs.reading import Log, OnProgress, blocks, first, read_records
from chatkit_reducer.state import ThreadState
from chatkit_reducer.thread import fold, grown

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
    replaying = _Replay(decoder, state, strict)
    for block in blocks(log, decoder, on_progress):
        replaying.take(block)
    return replaying.state


class _Replay:
    """Folds block after block; when a whole block was one run of text, it expects another.

    In a long answer nearly every block is deltas for one text. A decoder that takes nothing else,
    with the item and the index as literals, leaves the comparing to msgspec, and the fold is one
    join. It costs some 50 microseconds to make, and a block which is not all such deltas is decoded
    twice: so it is made when a whole block was a run, and dropped at the first that is not.
    """

    def __init__(self, decoder: LogDecoder, state: ThreadState, strict: bool) -> None:
        self.state = state
        self._decoder = decoder
        self._strict = strict
        self._run: msgspec.json.Decoder[Any] | None = None

    def take(self, block: Block | Unreadable) -> None:
        """Folds one block."""
        if self._run is not None and isinstance(block, bytes):
            run = self._decoder.decoded(block, self._run)
            if run is not None:
                self.state = grown(self.state, [event.update.delta for event in run])
                return
        before = self.state
        events = [block] if isinstance(block, Unreadable) else self._decoder.events(block)
        self.state = fold(events, before, strict=self._strict)
        self._run = _run_decoder(self.state) if _was_one_run(before, self.state) else None


def _was_one_run(before: ThreadState, after: ThreadState) -> bool:
    # `fold` gives a run to the shared cells in at most two pieces.
    return (
        after._index is not None
        and after._cells is before._cells
        and after._count - before._count <= 2
        and after._book is before._book
        and after.position - before.position > 2
    )


def _run_decoder(state: ThreadState) -> msgspec.json.Decoder[Any]:
    options: dict[str, Any] = {"frozen": True, "gc": False, "forbid_unknown_fields": True}
    delta = defstruct(
        "Delta",
        [("content_index", Literal[state._index]), ("delta", str)],
        tag=wire_tag(AssistantMessageContentPartTextDelta),
        **options,
    )
    updated = defstruct(
        "Updated",
        [("item_id", Literal[state._open_id]), ("update", delta)],
        tag=wire_tag(ThreadItemUpdated),
        **options,
    )
    return msgspec.json.Decoder(list[updated])  # type: ignore[valid-type]
