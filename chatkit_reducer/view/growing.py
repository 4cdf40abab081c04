"""A recording that grows: its page, and what a page that is open lacks. Nothing here does I/O.

A page of a growing recording has in its data `{"live": {"after": place}}`. It asks for
`events?after=PLACE`, and gets server-sent events, each with the *place* behind it as its id, and
with JSON that has the version `v`:

* `more`: `threads` has the increments since the place before (`Recording.increments`);
* `all`: all data anew, as the place that the page named is not known: the log began again;
* `end`: there is nothing more to come.

A place is the number of times that the log began again, and the cursors of its threads:
`"0/12.0,7.1"`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.logs import Record
from chatkit_reducer.view.page import Page, Start
from chatkit_reducer.view.recording import VERSION, Recording, json_text

__all__ = ["Frame", "Growing"]

_PLACE = re.compile(r"(\d{1,15})/(\d{1,15}\.\d{1,15}(?:,\d{1,15}\.\d{1,15})*)", re.ASCII)


class Frame(NamedTuple):
    """One server-sent event."""

    place: str
    data: bytes
    is_last: bool = False


class Growing:
    """A recording that grows, for any number of pages; all threads may use it.

    Args:
        name: of the log.
        make: makes an empty recording.
        start: the place at which a page opens; the end if left out.
    """

    def __init__(
        self, name: str, make: Callable[[], Recording], start: Start | None = None
    ) -> None:
        self.name = name
        self.changes: int = 0
        """How often something has changed."""
        self.has_ended: bool = False
        self._make = make
        self._start = start
        self._recording = make()
        self._times_begun = 0
        self._changed = threading.Condition()

    # --- growing ----------------------------------------------------------------------------------

    def take(self, records: Iterable[Record]) -> None:
        """Take the next entries of the log."""
        with self._changed:
            for record in records:
                self._recording.take_record(record)
            self._note_change()

    def begin_again(self) -> None:
        """Forget all entries: the log is another one now."""
        with self._changed:
            self._recording = self._make()
            self._times_begun += 1
            self._note_change()

    def end(self, cause: Cause | None = None) -> None:
        """Say that no more entries come.

        Args:
            cause: how the stream has ended, if that is known. A page then opens with this cause,
                and an item that is pending is a finding only if it is `ENDED`.
        """
        with self._changed:
            self.has_ended = True
            if cause is not None:
                self._start = (self._start or Start())._replace(cause=cause)
            if cause not in (None, Cause.ENDED):
                self._recording.note_stop()
            self._note_change()

    def wake(self) -> None:
        """Let all that wait for a frame go on without one."""
        with self._changed:
            self._changed.notify_all()

    def _note_change(self) -> None:
        self.changes += 1
        self._changed.notify_all()

    @property
    def threads(self) -> list[str | None]:
        """The ids of the threads so far."""
        with self._changed:
            return list(self._recording.states)

    @property
    def events(self) -> int:
        """How many events were taken."""
        return self._recording.n

    # --- pages ------------------------------------------------------------------------------------

    def page(self) -> Page:
        """Return the page; a live one, unless the log has ended."""
        with self._changed:
            if self.has_ended:
                return Page(self._recording.data(self.name), self._start)
            data = self._increments([])
            live = {"after": self._place_of(data)}
            return Page({**data, "log": self.name, "live": live}, self._start)

    def frame(self, after: str) -> Frame | None:
        """Return the event that a page lacks which stands at a place; None if it lacks nothing."""
        with self._changed:
            return self._frame(after)

    def next_frame(self, after: str, timeout: float) -> Frame | None:
        """Return the event that a page lacks; wait for one, so many seconds at the most."""
        with self._changed:
            found = self._frame(after)
            if found is None:
                self._changed.wait(timeout)
                found = self._frame(after)
            return found

    def _frame(self, after: str) -> Frame | None:
        known = self._known_cursors(after)
        if known is None:
            data = {**self._increments([]), "log": self.name}
            return _frame("all", self._place_of(data), data)
        if known != self._recording.cursors:
            data = self._increments(known)
            return _frame("more", self._place_of(data), data)
        return _frame("end", after, {"v": VERSION}, is_last=True) if self.has_ended else None

    def _increments(self, cursors: list[str]) -> dict[str, Any]:
        return {"v": VERSION, "threads": self._recording.increments(cursors)}

    def _place_of(self, data: dict[str, Any]) -> str:
        cursors = ",".join(block["cursor"] for block in data["threads"])
        return f"{self._times_begun}/{cursors}"

    def _known_cursors(self, place: str) -> list[str] | None:
        """Return the cursors of a place; None if this recording has never been there."""
        found = _PLACE.fullmatch(place)
        if found is None or int(found[1]) != self._times_begun:
            return None
        cursors, now = found[2].split(","), self._recording.cursors
        pairs = zip(cursors, now, strict=False)
        if len(cursors) > len(now) or not all(_is_reached(*pair) for pair in pairs):
            return None
        return cursors


def _is_reached(cursor: str, now: str) -> bool:
    step, listed = map(int, cursor.split("."))
    last, all_listed = map(int, now.split("."))
    return step <= last and listed <= all_listed


def _frame(event: str, place: str, data: dict[str, Any], *, is_last: bool = False) -> Frame:
    text = f"id: {place}\nevent: {event}\ndata: {json_text(data)}\n\n"
    return Frame(place, text.encode(), is_last)
