"""A state on paper: plain JSON and back.

A snapshot holds everything: items with their phases and bases, anomalies, metadata, what the stream
said of itself. `fold(rest, restore(snapshot(state)))` equals `fold(rest, state)`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import eq
from types import NoneType
from typing import Any

import attrs
import cattrs

from chatkit_reducer.anomalies import Anomaly, Fault, FaultKind
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
    fraction: int | float | None = None


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


def _checked(
    words: str, fits: Callable[[Any], bool], hook: Callable[[Any, Any], Any], value: Any, to: Any
) -> Any:
    if not fits(value):
        raise SnapshotError(f"expected {words}, got {type(value).__name__}")
    return hook(value, to)


def _is_a(*kinds: type) -> Callable[[Any], bool]:
    return partial(_is_one_of, kinds)


def _is_one_of(kinds: tuple[type, ...], value: Any) -> bool:
    return type(value) in kinds


def _as_it_is(value: Any, to: Any) -> Any:
    return value


_converter = cattrs.Converter(forbid_extra_keys=True)
# Left to itself cattrs makes a text of a number and a list of a text, which would hide the damage.
# It is kept out of the JSON of items, which may be nested more deeply than it can follow.
_converter.register_structure_hook(str, partial(_checked, "a text", _is_a(str), _as_it_is))
_converter.register_structure_hook(int, partial(_checked, "a whole number", _is_a(int), _as_it_is))
for _enum in (Phase, FaultKind):
    _converter.register_structure_hook(_enum, lambda value, to: to(value))
_AS_IT_IS: tuple[tuple[Any, str, Callable[[Any], bool]], ...] = (
    (Json, "an object", _is_a(dict)),
    (Json | None, "an object or null", _is_a(dict, NoneType)),
    (int | float | None, "a number or null", _is_a(int, float, NoneType)),
)
for _to, _words, _fits in _AS_IT_IS:
    _converter.register_structure_hook_func(
        partial(eq, _to), partial(_checked, _words, _fits, _as_it_is)
    )
    _converter.register_unstructure_hook_func(partial(eq, _to), lambda value: value)
_BUILT: tuple[tuple[Any, str, type], ...] = (  # what is inside of others comes first
    (_Item, "an object", dict),
    (Anomaly, "an object", dict),
    (_Progress, "an object", dict),
    (list[_Item], "a list", list),
    (list[Anomaly], "a list", list),
)
for _to, _words, _kind in _BUILT:
    _hook = _converter.get_structure_hook(_to)
    _converter.register_structure_hook_func(
        partial(eq, _to), partial(_checked, _words, _is_a(_kind), _hook)
    )


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
        error=None if book.error is None else json_copy(to_json(book.error)),
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
    version = _version_of(paper)
    if version != VERSION:
        raise SnapshotError(
            f"this is a snapshot of version {version!r}, and this release reads version {VERSION}: "
            "fold the events again, or read it with the release that wrote it"
        )
    try:
        sheet = _converter.structure(json_copy(paper), _Snapshot)
    except cattrs.BaseValidationError as error:
        faults = "; ".join(cattrs.transform_error(error, format_exception=_in_words))
        raise SnapshotError(f"the snapshot is damaged: {faults}") from error
    entries: dict[str, Entry] = {}
    for order, item in enumerate(sheet.items):
        entry = _entry(order, item)
        if entry.item.id in entries:
            raise _damaged("a second item with this id", f"$.items[{order}].item.id")
        entries[entry.item.id] = entry
    book = Book(
        entries=Map.of(entries),
        pending=Map.of({k: e.order for k, e in entries.items() if e.phase is not Phase.STORED}),
        next_order=len(entries),
        anomalies=SharedList.of(sheet.anomalies),
        thread=sheet.thread,
        error=None if sheet.error is None else _error(sheet.error),
        progress=None if sheet.progress is None else Progress(**attrs.asdict(sheet.progress)),
        stream_options=sheet.stream_options,
    )
    return ThreadState(book, position=sheet.position)


def _version_of(paper: object) -> object:
    return paper.get("version") if isinstance(paper, dict) else None


def _in_words(error: BaseException, kind: type | None) -> str:
    if isinstance(error, SnapshotError):
        return str(error)
    return cattrs.v.format_exception(error, kind)


def _damaged(problem: str, path: str) -> SnapshotError:
    return SnapshotError(f"the snapshot is damaged: {problem} @ {path}")


def _entry(order: int, paper: _Item) -> Entry:
    path = f"$.items[{order}]"
    item = _item(paper.item, f"{path}.item")
    base = None if paper.base is None else _item(paper.base, f"{path}.base")
    if paper.phase is Phase.ABSENT:
        raise _damaged("an item that is there cannot be absent", f"{path}.phase")
    if (base is not None) is not (paper.phase is Phase.PENDING_OVER_BASE):
        raise _damaged(f"an item that is {paper.phase} has a base, or lacks one", f"{path}.base")
    if base is not None and base.id != item.id:
        raise _damaged("the base is another item", f"{path}.base.id")
    return Entry(item, order, paper.phase, base)


def _error(json: Json) -> ErrorEvent:
    try:
        event = from_json(json)
    except DecodeError as error:
        raise _damaged(str(error), "$.error") from error
    if not isinstance(event, ErrorEvent):
        raise _damaged("this is no error event", "$.error")
    return event


def _item(json: Json, path: str) -> ItemState:
    parsed = parse_item(json)
    item: ItemState | None = parsed.result if isinstance(parsed, Fault) else parsed
    if item is None:
        raise _damaged("an item has no id", path)
    return item
