"""Adversarial streams: no server should send them, and a fold must survive them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeAlias, overload

from hypothesis import strategies as st
from msgspec.structs import replace

from chatkit_reducer import events as e
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.testing.strategies._events import (
    any_events,
    build,
    thread_objects,
    updates_at,
)
from chatkit_reducer.testing.strategies._forms import Form, check_form, known_to_sdk, plain
from chatkit_reducer.testing.strategies._items import ITEM_IDS, ITEM_TYPES, items_among
from chatkit_reducer.testing.strategies._json import (
    Json,
    JsonObjects,
    check_bool,
    check_size,
    json_of,
    or_nothing,
    texts,
    weighted,
)
from chatkit_reducer.testing.strategies._published import published
from chatkit_reducer.testing.strategies._streams import streams_of
from chatkit_reducer.testing.strategies._widgets import COMPONENT_IDS

# Python takes -1 for the last one: of all bad indices this does the most hidden damage.
_BAD_INDICES = (-1, -1, -2, -(2**63), 5_000, 2**31, 2**63, 2**64)
_INDICES = weighted((3, st.integers(0, 3)), (2, st.sampled_from(_BAD_INDICES)))
# Fields that are changed together never occur in one update: each draw should hit one.
_BAD_FIELDS: st.SearchStrategy[Json] = weighted(
    (3, _INDICES.map(lambda index: {"content_index": index, "task_index": index})),
    (
        2,
        st.fixed_dictionaries(
            {
                "annotation_index": _INDICES,
                "component_id": st.sampled_from((*COMPONENT_IDS, "no such component")),
            }
        ),
    ),
    (1, st.fixed_dictionaries({"item_id": st.sampled_from((*ITEM_IDS, "no such item"))})),
)
_OMITTED = (
    ("content_index", "task_index", "done"),
    ("annotation_index", "delta"),
    ("content_index", "annotation_index"),
)
_UPDATED_TYPES = ("assistant_message", "workflow", "widget", "generated_image")


@overload
def adversarial_streams(
    *, max_events: int = ..., unknown: bool = ..., form: Literal["struct"] = ...
) -> st.SearchStrategy[list[e.Event]]: ...
@overload
def adversarial_streams(
    *, max_events: int = ..., unknown: bool = ..., form: Literal["json", "sdk"]
) -> st.SearchStrategy[list[Any]]: ...
@published
def adversarial_streams(
    *, max_events: int = 12, unknown: bool = True, form: Form = "struct"
) -> st.SearchStrategy[list[Any]]:
    """Generate streams with anything wrong in them; folding one must not raise.

    They are sound streams with missing, repeated and swapped events, and with others put in: for
    items that are absent, of the wrong type or added twice; with indices that are negative, huge or
    missing; for components that no widget has; with items that lack their id or whose content is
    null or not a list.

    >>> from hypothesis import given
    >>> from chatkit_reducer import fold
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.adversarial_streams(max_events=5))
    ... def test_a_fold_survives_anything(events):
    ...     assert set(fold(events).pending) <= set(fold(events).items)
    >>> test_a_fold_survives_anything()

    Args:
        max_events: how many events at most are put in, and how many are tampered with.
        unknown: also types and fields that openai-chatkit 1.6.5 does not know. Never in the form of
            the SDK, which has no events that its models refuse, either.
        form: `"struct"`, as `chatkit_reducer.events` has them, `"json"`, plain mappings, or
            `"sdk"`, the models of openai-chatkit.

    Raises:
        InvalidArgument: an argument has a wrong value.
        ImportError: the form is that of the SDK, and the SDK is not installed.
    """
    check_size("max_events", max_events)
    check_bool("unknown", unknown)
    check_form(form, "struct", "json", "sdk")
    if form == "sdk":
        return _adversarial_streams(max_events, unknown=False).map(known_to_sdk)
    streams = _adversarial_streams(max_events, unknown=unknown)
    return streams if form == "struct" else streams.map(lambda events: list(map(plain, events)))


@cache
def _adversarial_streams(max_events: int, *, unknown: bool) -> st.SearchStrategy[list[e.Event]]:
    where = st.integers(0, 40)
    edits = or_nothing(
        st.just(_leave),
        (4, st.builds(_insert, where, _wild_events(unknown=unknown))),
        (3, st.builds(_change, where, _BAD_FIELDS)),
        (1, st.builds(_omit, where, st.sampled_from(_OMITTED)))
        if unknown
        else (1, st.just(_leave)),
        (1, st.builds(_drop, where)),
        (1, st.builds(_repeat, where)),
        (1, st.builds(_repeat_elsewhere, where, where)),
        (1, st.builds(_move, where, where)),
    )
    sound = streams_of(max_items=2, unknown=unknown)
    return _edited(sound, st.lists(edits, max_size=max_events))


# --- edits ----------------------------------------------------------------------------------------

Edit: TypeAlias = Callable[[list[e.Event]], None]
"""Changes a list of events in place."""


@st.composite
def _edited(
    draw: st.DrawFn,
    streams: st.SearchStrategy[list[e.Event]],
    edits: st.SearchStrategy[list[Edit]],
) -> list[e.Event]:
    stream = list(draw(streams))
    for edit in draw(edits):
        edit(stream)
    return stream


def _leave(stream: list[e.Event]) -> None:
    pass


def _insert(where: int, event: e.Event) -> Edit:
    return lambda stream: stream.insert(where % (len(stream) + 1), event)


def _drop(where: int) -> Edit:
    def edit(stream: list[e.Event]) -> None:
        if stream:
            del stream[where % len(stream)]

    return edit


def _repeat(where: int) -> Edit:
    def edit(stream: list[e.Event]) -> None:
        if stream:
            place = where % len(stream)
            stream.insert(place, stream[place])

    return edit


def _repeat_elsewhere(source: int, where: int) -> Edit:
    def edit(stream: list[e.Event]) -> None:
        if stream:
            stream.insert(where % (len(stream) + 1), stream[source % len(stream)])

    return edit


def _move(source: int, where: int) -> Edit:
    def edit(stream: list[e.Event]) -> None:
        if stream:
            event = stream.pop(source % len(stream))
            stream.insert(where % (len(stream) + 1), event)

    return edit


def _change(where: int, fields: Json) -> Edit:
    """Change fields of one of the updates, as far as it has such fields."""

    def edit(stream: list[e.Event]) -> None:
        places = [n for n, event in enumerate(stream) if isinstance(event, e.ThreadItemUpdated)]
        if places:
            place = places[where % len(places)]
            stream[place] = _changed(stream[place], fields)

    return edit


def _omit(where: int, names: tuple[str, ...]) -> Edit:
    """Leave fields out of one of the updates, as far as it may lack them."""

    def edit(stream: list[e.Event]) -> None:
        places = [n for n, event in enumerate(stream) if isinstance(event, e.ThreadItemUpdated)]
        if places:
            place = places[where % len(places)]
            stream[place] = _without(stream[place], names)

    return edit


def _without(event: e.Event, names: tuple[str, ...]) -> e.Event:
    assert isinstance(event, e.ThreadItemUpdated)
    json = plain(event)
    update = json["update"]
    may_lack = e.DEFAULTS.get(e.UPDATE_TYPES.get(update["type"], e.Notice), {})
    for name in names:
        if name in may_lack:
            update.pop(name, None)
    return from_json(json)


def _changed(event: e.Event, fields: Json) -> e.Event:
    assert isinstance(event, e.ThreadItemUpdated)
    update = event.update
    fitting = {k: v for k, v in fields.items() if k in update.__struct_fields__}
    return e.ThreadItemUpdated(
        fields.get("item_id", event.item_id), replace(update, **fitting), extra=event.extra
    )


# --- events ---------------------------------------------------------------------------------------


def _wild_events(*, unknown: bool) -> st.SearchStrategy[e.Event]:
    item = weighted(
        (6, items_among(*_UPDATED_TYPES, unknown_types=False, unknown=unknown)),
        (2, _malformed_items()),
        (1, items_among(*ITEM_TYPES, unknown_types=unknown, unknown=unknown)),
    )
    updated: st.SearchStrategy[e.Event] = build(
        e.ThreadItemUpdated,
        item_id=st.sampled_from(ITEM_IDS),
        update=updates_at(_INDICES, unknown=unknown),
        unknown=unknown,
    )
    # A page of a thread may hold anything, too.
    page = thread_objects(weighted((6, item), (1, json_of(1))), unknown=unknown)
    return weighted(
        (5, updated),
        (3, build(e.ThreadItemAdded, item=item, unknown=unknown)),
        (1, build(e.ThreadItemDone, item=item, unknown=unknown)),
        (1, build(e.ThreadItemReplaced, item=item, unknown=unknown)),
        (
            2,
            build(e.ThreadCreated, thread=page, unknown=unknown),
        ),
        (3, any_events(unknown=unknown)),
    )


def _malformed_items() -> JsonObjects:
    """Generate items without an id, or with content that does not fit their type."""
    anything = json_of(3)
    content: st.SearchStrategy[Any] = (
        st.none() | st.lists(anything, max_size=2) | texts(max_size=3) | st.builds(dict)
    )
    misshapen = st.builds(
        _misshapen,
        st.sampled_from(ITEM_IDS),
        st.sampled_from(["assistant_message", "workflow", "widget"]),
        content,
        st.integers(0, 2),
    )
    any_item = items_among(*ITEM_TYPES, unknown_types=True, unknown=True)
    nameless = st.builds(_nameless, any_item, st.sampled_from([None, 1, [], {}, ""]))
    typeless = st.fixed_dictionaries({"id": st.sampled_from(ITEM_IDS)}, optional={"type": anything})
    return st.one_of(misshapen, nameless, typeless)


_CONTENTS = {"assistant_message": "content", "workflow": "workflow", "widget": "widget"}


def _misshapen(item_id: str, kind: str, content: Any, depth: int) -> Json:
    item = {"id": item_id, "type": kind, "thread_id": "thread_1"}
    if depth == 0:
        return item
    if depth == 1:
        return {**item, _CONTENTS[kind]: content}
    # One level further in: a workflow without a list of tasks, parts that are not objects.
    inner = {"tasks": content} if kind == "workflow" else [content]
    return {**item, _CONTENTS[kind]: inner}


def _nameless(item: Json, item_id: Any) -> Json:
    rest = {name: value for name, value in item.items() if name != "id"}
    return rest if item_id == "" else {**rest, "id": item_id}
