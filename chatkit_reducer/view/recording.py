"""The data of a page: for every step of a stream, what there was to see.

Step 0 is before the first event, step n after the nth. A piece that cannot be read makes no step.
Nothing in the data is computed by whoever reads it: an item is a list of *versions*, each with the
step from which it holds, and the tree of elements that draws it. A text that grows is in no tree:
it is a *track*, of which step n sees a prefix. Decisions are looked up in a table. So any step is
found by bisection, forwards and backwards alike.

**The contract, version 2.** A log is `{"v": 2, "log": name, "threads": [block, ...]}`, with a block
for each thread in the order in which they appear (one block, if the log has no events). All of it
is JSON. All lists in a block only ever grow at their ends. A block has these fields:

`n`
    The number of steps: the events of this thread.
`cursor`
    A text; `increments` gives the ends of all lists since.
`thread`
    The id of the thread, or null.
`positions` `[[position, count], ...]`
    Where the steps stand in the log: runs of events that follow each other. Step 1 is the
    `position`th event of the log, from 1; a log of one thread has `[[1, n]]`. Commands (`--at`)
    take positions.
`types` `[text, ...]`
    The `type` of events; of `thread.item.updated` that of its update.
`causes` `[text, ...]`
    The ways to end, as `Cause` lists them.
`tracks` `[{"t": text, "s": [[step, count], ...], "m": [units, ...]}, ...]`
    `t` is the whole text; it grew at the steps of the runs `s`, by so many UTF-16 units `m` at each
    of these (as many as there are steps in `s`). No prefix ends within a character.
`trees` `[tree, ...]`
    A tree is `[tag, attributes, child, ...]`. `tag` is a name of `markup.TAGS` and the classes, as
    in `"div.w-card.w-md"`; `"svg:rect"` is an element of SVG. `attributes` is 0 for none, else an
    object: names of `markup.ATTRIBUTES` to texts, and `"css"` to an object of CSS properties to
    values (all from a fixed set of forms, without `url`; a colour for light and dark is
    `light-dark(a, b)`). A child is a text; `{"t": track}`; `{"r": tree}`, the number of another
    tree; a tree; or `["md", text or {"t": track}, [[place, number], ...]]`, Markdown with citations
    of these numbers at these places (in code points, perhaps beyond the text so far; the list is
    left out where there is none). The tag `""` is a fragment: its children stand in its place. In
    the list of places, too, `{"r": tree}` may stand, which leads to a fragment of places. A
    `{"r": ...}` always leads to an earlier tree. Trees are nested less than 100 levels deep, all
    references followed.
`items` `[{"id": text, "type": text, "hidden": bool, "v": [version, ...]}, ...]`
    In the order in which they first came. One that is removed and comes again, or comes again with
    another type, is another entry. `hidden` items are in stores and never on a screen.
    A version is `[from, 3]` if the item is gone from that step on, else
    `[from, phase, tree, sealed, base, content, case, seen, counted, order]`:
    `phase` 0 pending, 1 pending over a base, 2 stored;
    `tree`, `sealed` (as it is written if it is kept; -1: as it is), `base` (the stored copy; -1:
    none) numbers of trees;
    `content` 1 if there is something to see in it, else 0;
    `case` the number of its case, -1 if it is stored;
    `seen` `[characters, tasks, widgets, images]` of an item that is not stored, at step `from`, and
    `counted` `[[track, count], ...]` runs of tracks whose growth since then counts as characters
    (code points); both null for a stored item;
    `order` its place in the thread: sort by it.
`cases` `[[item type, "new" | "base", "empty" | "partial", item id | "*", no news], ...]`
    What a policy looks at. With `no news` 1 the stored copy shows all of the item: row -1 decides,
    whatever the policy, and the fate of its content is `kept`. The id is `"*"` unless a policy of
    the page names ids.
`no_news` `{"decision": text, "reason": text}`
    Row -1.
`policies` `[{"name", "about", "rows", "marker", "d", "held"}, ...]`
    `rows` `[[item, origin, content, cause, decision, reason, id], ...]`; `marker` null or
    `{"content": text or null, "item": type, "causes": [number of a cause, ...]}`;
    `d` `[[row for each cause], ...]` for each case: the number of the row that decides, from 0;
    `held` for each cause `[[from, to or null], ...]`: the steps at which a stop leaves no marker,
    although the policy has one for this cause (`to` is the first step where it does again).
    The fate of content by decision: `persist` kept, `stale` stale, `discard` lost.
`events` `[[step, count, type, item, raw], ...]`
    Runs of events that look alike: the first step, how many, the number of the type, that of the
    item or -1, and that of the JSON in `raws`.
`raws` `[json, ...]`
    The event as `encode` writes it. `{"+": track}` is the text that the track gained at this step,
    `{"=": track}` all of its text at this step, and `{"'": {...}}` the object inside, which only
    looks like one of these three. One that is nested more than 100 levels deep is a text: its JSON.
    Of an event that JSON cannot express it is the nearest that can.
`stage` `[[from, {"progress", "error", "title", "thread", "status", "options"}], ...]`
    What is not about items, whenever something of it changes: `progress` null or `{"text", "icon"}`
    or `{"item_id", "fraction"}` (0 to 1); `error` null or the fields of the newest `error` event;
    the `title`, the id and the `status` (its type) of the thread, texts or null; the newest stream
    options, or null.
`findings` `[{..., "step": number}, ...]`
    The findings of `check --json`, with the step of this thread at which each shows in place of
    the id of the thread.
`times` `[number or text or null, ...]` or null
    For each event the time at which it was recorded; null if the log has none at all.

**Increments.** `Recording.increments([cursor, ...])` gives for each thread a block that has only
ends:

* the new elements of `types`, `trees`, `raws`, `cases`, `stage`, `findings`, `times`. A page whose
  `times` are null takes a null for each step so far, if more come;
* of `positions` and `events` the new runs. A first one that begins where the last run of the page
  begins takes its place;
* `tracks` `[[track, {"t", "s", "m"}], ...]`, with what each gained; one that is new starts empty;
* `items` `[[item, {"id", "type", "hidden"}, [new version, ...]], ...]`;
* `policies` `[{"d": [rows of the new cases], "held": all of it}, ...]`;
* `n`, `cursor` and `thread` anew.

A thread that the page does not know yet comes as a whole block: it has `causes`. A page that takes
an increment has what `data` would give, but for the findings at the end of a log: the items that
are pending then, and the number of anomalies that are not listed.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from chatkit_reducer.analysis.finding import Finding
from chatkit_reducer.analysis.log_checker import LEFT_PENDING, UNLISTED, LogChecker
from chatkit_reducer.core.json_values import only_json
from chatkit_reducer.core.policy.store_rows import NO_NEWS
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs import Record
from chatkit_reducer.logs.threads import PerThread, by_thread
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.view.recorded_thread import RecordedThread

__all__ = ["VERSION", "Recording", "json_text"]

VERSION = 2
"""The version of the contract."""

_OF_THE_END = frozenset({LEFT_PENDING, UNLISTED})
"""The kinds of findings that hold for the end of a log, wherever that is."""

_AT_ONCE = 1024
"""How many records are checked at once."""


class Recording:
    """The data of a log, event by event.

    >>> from chatkit_reducer.testing.examples import added, message, text_delta
    >>> recording = Recording()
    >>> for event in [added(message("m", "")), text_delta("m", "Once"), text_delta("m", " upon")]:
    ...     recording.take(event)
    >>> recording.data("log")["threads"][0]["tracks"]
    [{'t': 'Once upon', 's': [[2, 2]], 'm': [4, 5]}]

    Args:
        stored: the thread before the log; the log is then taken as one of that thread alone.
        policies: the tables to compare.
        images: whether images are shown however large they are.
    """

    def __init__(
        self,
        stored: ThreadState | None = None,
        policies: Sequence[Policy] = tuple(PRESETS.values()),
        *,
        images: bool = False,
    ) -> None:
        self.n: int = 0
        """How many events were taken."""
        self._stored = stored
        self._policies = tuple(policies)
        self._largest_image = None if not images else 2**62
        thread = None if stored is None else stored.thread_id
        self._checker = LogChecker(stored, thread)
        self._unchecked: list[tuple[str | None, Record]] = []
        self._threads = PerThread(self._new_thread)
        if stored is not None:
            self._threads[thread]
        self._next = Record(Unreadable(0, 0, "", ""))
        self._routed = by_thread(self._records())
        self._only = thread

    def _new_thread(self) -> RecordedThread:
        return RecordedThread(self._stored, self._policies, self._largest_image)

    def _records(self) -> Iterator[Record]:
        while True:
            yield self._next

    def take(self, event: Event | Unreadable, time: float | str | None = None) -> None:
        """Take the next event of the log, or the next piece of it that cannot be read.

        Args:
            event: the event or piece.
            time: when it was recorded, if the log says it.
        """
        self.take_record(Record(event, time=time))

    def take_record(self, record: Record) -> None:
        """Take the next entry of the log."""
        if self._stored is None:
            self._next = record
            thread, _ = next(self._routed)
        else:
            thread = self._only
        self._unchecked.append((thread, record))
        if len(self._unchecked) == _AT_ONCE:
            self._check()
        event = record.event
        if isinstance(event, Unreadable):
            self._threads[thread]
            return
        self.n += 1
        self._threads[thread].take(event, self.n, record.time)

    def note_stop(self) -> None:
        """Note that the stream did not end by itself: items may be pending at its end."""
        self._checker.stopped = True

    def _check(self) -> None:
        records, self._unchecked = self._unchecked, []
        if records:
            self._checker.take(records)

    @property
    def states(self) -> dict[str | None, ThreadState]:
        """The threads after the events that were taken, by their ids."""
        return {thread: one.state for thread, one in self._all_threads().items()}

    def _all_threads(self) -> PerThread[RecordedThread]:
        if not self._threads:
            self._threads[None]
        return self._threads

    def data(self, name: str) -> dict[str, Any]:
        """Return all data so far.

        Args:
            name: of the log.
        """
        self._check()
        found = self._checker.findings()
        blocks = [self._block(thread, found) for thread in self._all_threads()]
        return {"v": VERSION, "log": name, "threads": blocks}

    def _block(self, thread: str | None, found: list[Finding]) -> dict[str, Any]:
        recorded = self._threads[thread]
        mine = [finding for finding in found if finding.thread == thread]
        return {
            "cursor": _cursor(recorded, mine),
            "thread": thread,
            "causes": [str(cause) for cause in Cause],
            "no_news": {"decision": str(NO_NEWS.decision), "reason": NO_NEWS.reason},
            "findings": [_placed(finding, recorded) for finding in mine],
            **recorded.data(),
        }

    @property
    def cursors(self) -> list[str]:
        """The cursors of all threads after the events that were taken."""
        self._check()
        found = self._checker.findings()
        return [
            _cursor(recorded, [finding for finding in found if finding.thread == thread])
            for thread, recorded in self._all_threads().items()
        ]

    def increments(self, cursors: Sequence[str]) -> list[dict[str, Any]]:
        """Return the ends of all data since these cursors, for each thread.

        Args:
            cursors: those of the threads that are known, in their order. The others are given
                whole.
        """
        self._check()
        found = [one for one in self._checker.findings() if one.kind not in _OF_THE_END]
        threads = list(self._all_threads())
        known = zip(threads, cursors, strict=False)
        ends = [self._increment(thread, cursor, found) for thread, cursor in known]
        return ends + [self._block(thread, found) for thread in threads[len(cursors) :]]

    def _increment(self, thread: str | None, cursor: str, found: list[Finding]) -> dict[str, Any]:
        recorded = self._threads[thread]
        step, listed = (int(part) for part in cursor.split("."))
        mine = [finding for finding in found if finding.thread == thread]
        return {
            "cursor": _cursor(recorded, mine),
            "thread": thread,
            "findings": [_placed(finding, recorded) for finding in mine[listed:]],
            **recorded.since(step),
        }


def _cursor(recorded: RecordedThread, findings: Sequence[Finding]) -> str:
    listed = sum(finding.kind not in _OF_THE_END for finding in findings)
    return f"{recorded.n}.{listed}"


def _placed(finding: Finding, recorded: RecordedThread) -> dict[str, Any]:
    fields: dict[str, Any] = only_json(finding.to_json())
    del fields["thread"]
    return {**fields, "step": _steps_to(recorded.positions, finding.position)}


def _steps_to(positions: list[list[int]], position: int) -> int:
    """Return how many steps of a thread are at most at this position of the log."""
    runs = positions[: bisect_right(positions, position, key=_first)]
    before = sum(count for _, count in runs[:-1])
    return before + (min(runs[-1][1], position - runs[-1][0] + 1) if runs else 0)


def _first(run: list[int]) -> int:
    return run[0]


def json_text(data: object) -> str:
    """Return data as JSON that can stand in a `<script>` of a page, whatever is in them."""
    try:
        text = msgspec.json.encode(data).decode()
    except UnicodeEncodeError:  # half of a character, as an event may have it
        text = json.dumps(data, separators=(",", ":"))
    text = text.replace("<", "\\u003c")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
