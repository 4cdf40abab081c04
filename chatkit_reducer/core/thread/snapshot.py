"""`snapshot` and `restore`: a state as plain JSON, and back.

A snapshot holds everything: items with their phases and bases, anomalies, metadata, the options and
the error of the stream. `fold(rest, restore(snapshot(state)))` equals `fold(rest, state)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from operator import eq
from types import NoneType
from typing import Any

import attrs
import cattrs

from chatkit_reducer.core.anomalies import (
    MAX_ANOMALIES,
    STORED_ITEM,
    Anomaly,
    AnomalyKind,
    AnomalyList,
    Fault,
)
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.core.errors import DecodeError, SnapshotError
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items import ItemState, apply, parse_item
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.persistent import AppendList, Map
from chatkit_reducer.core.thread.arguments import require_state
from chatkit_reducer.core.thread.contents import Entry, Progress, ThreadContents
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import ErrorEvent, Json, ThreadItemUpdated, wire_tag

__all__ = ["VERSION", "restore", "snapshot"]

VERSION = 2
"""The version of the snapshots that this release writes. It reads version 1 as well."""

_WORDS_OF_VERSION_1 = {"pending, new": "pending", "pending over a base": "pending_over_base"}


@attrs.frozen(kw_only=True)
class _Item:
    item: Json
    phase: Phase
    base: Json | None = None
    halves: list[Json] = attrs.Factory(list)
    """For each text that ends in the middle of a character: where, and the half that is there."""


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
    unlisted_anomalies: int = 0
    thread: Json | None = None
    error: Json | None = None
    progress: _Progress | None = None
    stream_options: Json | None = None


_WHERE_NEEDED = ("unlisted_anomalies", "halves")
"""What most snapshots have no use for, and leave out."""


def _require_type(
    expected: str, fits: Callable[[Any], bool], hook: Callable[[Any, Any], Any], value: Any, to: Any
) -> Any:
    if not fits(value):
        raise SnapshotError(f"expected {expected}, got {type(value).__name__}")
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
_converter.register_structure_hook(str, partial(_require_type, "a text", _is_a(str), _as_it_is))
_converter.register_structure_hook(
    int, partial(_require_type, "a whole number", _is_a(int), _as_it_is)
)
for _enum in (Phase, AnomalyKind):
    _converter.register_structure_hook(_enum, lambda value, to: to(value))
_AS_IT_IS: tuple[tuple[Any, str, Callable[[Any], bool]], ...] = (
    (Json, "an object", _is_a(dict)),
    (Json | None, "an object or null", _is_a(dict, NoneType)),
    (int | float | None, "a number or null", _is_a(int, float, NoneType)),
)
for _to, _expected, _fits in _AS_IT_IS:
    _converter.register_structure_hook_func(
        partial(eq, _to), partial(_require_type, _expected, _fits, _as_it_is)
    )
    _converter.register_unstructure_hook_func(partial(eq, _to), lambda value: value)
_BUILT: tuple[tuple[Any, str, type], ...] = (  # inner types first
    (_Item, "an object", dict),
    (Anomaly, "an object", dict),
    (_Progress, "an object", dict),
    (list[Json], "a list", list),
    (list[_Item], "a list", list),
    (list[Anomaly], "a list", list),
)
for _to, _expected, _kind in _BUILT:
    _hook = _converter.get_structure_hook(_to)
    _converter.register_structure_hook_func(
        partial(eq, _to), partial(_require_type, _expected, _is_a(_kind), _hook)
    )


def snapshot(state: ThreadState) -> Json:
    """Return a state as plain JSON data, for a file, a cache or a column of a table.

    Raises:
        TypeError: `state` is not a ThreadState.
    """
    contents = require_state(state).lagging_contents
    saved = _Snapshot(
        version=VERSION,
        items=[
            _Item(
                item=entry.item.without_halves().to_json(),
                phase=entry.phase,
                halves=_halves(entry.item),
                base=None if entry.base is None else entry.base.to_json(),
            )
            for entry in state.items.entries.values()
        ],
        anomalies=list(state.anomalies),
        position=state.position,
        unlisted_anomalies=state.unlisted_anomalies,
        thread=state.thread,
        error=None if contents.error is None else json_copy(to_json(contents.error)),
        progress=None if contents.progress is None else _Progress(**_fields(contents.progress)),
        stream_options=state.stream_options,
    )
    plain: Json = _converter.unstructure(saved)
    for part in (plain, *plain["items"]):
        for name in _WHERE_NEEDED:
            if not part.get(name, True):
                del part[name]
    return plain


def _halves(item: ItemState) -> list[Json]:
    updates = [to_json(update) for update in item.halves()]
    # No lone surrogate may stand in a snapshot, which has to become UTF-8.
    return [{**update, "delta": f"{ord(update['delta']):04x}"} for update in updates]


def _fields(progress: Progress) -> dict[str, Any]:
    return {name: getattr(progress, name) for name in progress.__struct_fields__}


class _NotAMappingError(SnapshotError, TypeError):
    """A snapshot that is damaged beyond recognition, or a caller who passed something else."""


def restore(saved: Json) -> ThreadState:
    """Return the state that a snapshot was made of.

    Raises:
        SnapshotError: the snapshot is of a version that this release does not know, or damaged; the
            message says where. For a value that is not a mapping it is a `TypeError` as well.
    """
    if not isinstance(saved, dict):
        raise _NotAMappingError(
            f"expected the mapping that snapshot returned, got {type(saved).__name__}: "
            "decode the JSON text of a snapshot before restoring it"
        )
    version = saved.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise SnapshotError(
            f"expected a snapshot of version 1 or {VERSION}, got version {version!r}: "
            "fold the events again, or read it with the release that wrote it"
        )
    copy = mended_json(json_copy(saved))
    if version == 1:
        _bring_up_to_date(copy)
    try:
        sheet = _converter.structure(copy, _Snapshot)
    except cattrs.BaseValidationError as error:
        faults = "; ".join(cattrs.transform_error(error, format_exception=_in_words))
        raise SnapshotError(f"the snapshot is damaged: {faults}") from error
    entries: dict[str, Entry] = {}
    for order, item in enumerate(sheet.items):
        entry = _entry(order, item)
        if entry.item.id in entries:
            raise _damaged("a second item with this id", f"$.items[{order}].item.id")
        entries[entry.item.id] = entry
    contents = ThreadContents(
        entries=Map.of(entries),
        pending=Map.of({k: e.order for k, e in entries.items() if e.phase is not Phase.STORED}),
        next_order=len(entries),
        added=AppendList.of(entries),
        anomalies=_anomalies(sheet.anomalies, sheet.unlisted_anomalies),
        thread=sheet.thread,
        error=None if sheet.error is None else _error(sheet.error),
        progress=None if sheet.progress is None else Progress(**attrs.asdict(sheet.progress)),
        stream_options=sheet.stream_options,
    )
    return ThreadState.of(contents, sheet.position)


def _bring_up_to_date(saved: Json) -> None:
    """Turn a snapshot of version 1 into one of version 2, in place; leave damage to be found."""
    for name, field in (("items", "phase"), ("anomalies", "event")):
        listed = saved.get(name)
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict):
                value = entry.get(field)
                if field == "event" and value == "stored item" and entry.get("position") == 0:
                    entry[field] = STORED_ITEM
                elif field == "phase" and isinstance(value, str):
                    entry[field] = _WORDS_OF_VERSION_1.get(value, value)


def _anomalies(listed: list[Anomaly], unlisted: int) -> AnomalyList:
    if unlisted < 0:
        raise _damaged("the number is negative", "$.unlisted_anomalies")
    too_many = len(listed) - len(listed[:MAX_ANOMALIES])
    return AnomalyList(AppendList.of(listed[:MAX_ANOMALIES]), unlisted + too_many)


def _in_words(error: BaseException, kind: type | None) -> str:
    if isinstance(error, SnapshotError):
        return str(error)
    return cattrs.v.format_exception(error, kind)


def _damaged(problem: str, path: str) -> SnapshotError:
    return SnapshotError(f"the snapshot is damaged: {problem} @ {path}")


def _entry(order: int, saved: _Item) -> Entry:
    path = f"$.items[{order}]"
    item = _item(saved.item, f"{path}.item")
    base = None if saved.base is None else _item(saved.base, f"{path}.base")
    if saved.phase is Phase.ABSENT:
        raise _damaged("an item that is there cannot be absent", f"{path}.phase")
    if (base is not None) is not (saved.phase is Phase.PENDING_OVER_BASE):
        raise _damaged(
            f"an item that is {saved.phase.label} has a base, or lacks one", f"{path}.base"
        )
    if base is not None and base.id != item.id:
        raise _damaged("the base is another item", f"{path}.base.id")
    if saved.halves and saved.phase is Phase.STORED:
        raise _damaged("a stored item ends with whole characters", f"{path}.halves")
    for number, half in enumerate(saved.halves):
        item = _with_half(item, half, f"{path}.halves[{number}]")
    return Entry(item, order, saved.phase, base)


def _with_half(item: ItemState, json: Json, path: str) -> ItemState:
    code = json.get("delta")
    if not isinstance(code, str) or not _FIRST_HALF(code):
        raise _damaged("this is not the first half of a character", f"{path}.delta")
    try:
        event = from_json({**_UPDATED, "update": {**json, "delta": chr(int(code, 16))}})
    except DecodeError as error:
        raise _damaged(str(error), path) from error
    updated = apply(item, event.update) if isinstance(event, ThreadItemUpdated) else item
    if isinstance(updated, Fault) or len(updated.halves()) != len(item.halves()) + 1:
        raise _damaged("the item has no such text", path)
    return updated


_FIRST_HALF = re.compile("d[89ab][0-9a-f]{2}").fullmatch
_UPDATED = {"type": wire_tag(ThreadItemUpdated), "item_id": ""}


def _error(json: Json) -> ErrorEvent:
    try:
        event = from_json(json)
    except DecodeError as error:
        raise _damaged(str(error), "$.error") from error
    if not isinstance(event, ErrorEvent):
        raise _damaged("expected an error event", "$.error")
    return event


def _item(json: Json, path: str) -> ItemState:
    item = parse_item(json).item
    if item is None:
        raise _damaged("an item has no id", path)
    return item
