"""A state on paper: plain JSON and back.

A snapshot holds everything: items with their phases and bases, anomalies, metadata, what the stream
said of itself. `fold(rest, restore(snapshot(state)))` equals `fold(rest, state)`.
"""

from __future__ import annotations

from typing import Any

import attrs
import cattrs

from chatkit_reducer.anomalies import Anomaly, Fault
from chatkit_reducer.book import Book, Entry, Progress
from chatkit_reducer.codec import from_json, to_json
from chatkit_reducer.errors import DecodeError, SnapshotError
from chatkit_reducer.events import ErrorEvent, Json
from chatkit_reducer.items import ItemState, parse_item
from chatkit_reducer.json_values import json_copy
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.persistent import Map, SharedList
from chatkit_reducer.state import ThreadState

__all__ = ["VERSION", "restore", "snapshot"]

VERSION = 1
"""The version of the snapshots that this release writes."""


@attrs.frozen(kw_only=True)
class _Item:
    item: Json
    phase: Phase
    base: Json | None = None


@attrs.frozen(kw_only=True)
class _Progress:
    text: str | None = None
    icon: str | None = None
    item_id: str | None = None
    fraction: float | None = None


@attrs.frozen(kw_only=True)
class _Snapshot:
    version: int
    items: list[_Item]
    anomalies: list[Anomaly]
    position: int
    thread: Json | None = None
    error: Json | None = None
    progress: _Progress | None = None
    stream_options: Json | None = None


_converter = cattrs.Converter(forbid_extra_keys=True)


def snapshot(state: ThreadState) -> Json:
    """A state as plain JSON data, for a file, a cache or a column of a table."""
    book = state._book
    paper = _Snapshot(
        version=VERSION,
        items=[
            _Item(
                item=entry.item.to_json(),
                phase=entry.phase,
                base=None if entry.base is None else entry.base.to_json(),
            )
            for entry in state.items.entries.values()
        ],
        anomalies=list(state.anomalies),
        position=state.position,
        thread=state.thread,
        error=None if book.error is None else to_json(book.error),
        progress=None if book.progress is None else _Progress(**_fields(book.progress)),
        stream_options=state.stream_options,
    )
    plain: Json = _converter.unstructure(paper)
    return plain


def _fields(progress: Progress) -> dict[str, Any]:
    return {name: getattr(progress, name) for name in progress.__struct_fields__}


def restore(paper: Json) -> ThreadState:
    """The state that a snapshot was made of.

    Raises:
        SnapshotError: the snapshot is of a version that this release does not know, or damaged; the
            message says where.
    """
    version = paper.get("version")
    if version != VERSION:
        raise SnapshotError(
            f"this is a snapshot of version {version!r}, and this release reads version {VERSION}: "
            "fold the events again, or read it with the release that wrote it"
        )
    try:
        sheet = _converter.structure(json_copy(paper), _Snapshot)
    except cattrs.BaseValidationError as error:
        faults = "; ".join(cattrs.transform_error(error, path="$"))
        raise SnapshotError(f"the snapshot is damaged: {faults}") from error
    entries = [_entry(order, item) for order, item in enumerate(sheet.items)]
    book = Book(
        entries=Map.of({entry.item.id: entry for entry in entries}),
        pending=Map.of({e.item.id: e.order for e in entries if e.phase is not Phase.STORED}),
        next_order=len(entries),
        anomalies=SharedList.of(sheet.anomalies),
        thread=sheet.thread,
        error=None if sheet.error is None else _error(sheet.error),
        progress=None if sheet.progress is None else Progress(**attrs.asdict(sheet.progress)),
        stream_options=sheet.stream_options,
    )
    return ThreadState(book, position=sheet.position)


def _entry(order: int, paper: _Item) -> Entry:
    base = None if paper.base is None else _item(paper.base, f"$.items[{order}].base")
    return Entry(_item(paper.item, f"$.items[{order}].item"), order, paper.phase, base)


def _error(json: Json) -> ErrorEvent:
    try:
        event = from_json(json)
    except DecodeError as error:
        raise SnapshotError(f"the snapshot is damaged: {error} - in `$.error`") from error
    if not isinstance(event, ErrorEvent):
        raise SnapshotError("the snapshot is damaged: this is no error event - at `$.error`")
    return event


def _item(json: Json, path: str) -> ItemState:
    parsed = parse_item(json)
    item: ItemState | None = parsed.result if isinstance(parsed, Fault) else parsed
    if item is None:
        raise SnapshotError(f"the snapshot is damaged: an item has no id - at `{path}`")
    return item
