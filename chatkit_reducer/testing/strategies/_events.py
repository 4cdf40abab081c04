"""Item updates and stream events, one by one, as this package represents them."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, lru_cache
from typing import Any, Literal, TypeVar, overload

from hypothesis import strategies as st
from msgspec import UNSET

from chatkit_reducer import events as e
from chatkit_reducer.testing.strategies._forms import (
    Form,
    check_form,
    event_to_sdk,
    in_form,
    plain,
    update_to_sdk,
)
from chatkit_reducer.testing.strategies._items import (
    ITEM_IDS,
    ITEM_TYPES,
    citations,
    images,
    items_among,
    parts,
    tasks,
)
from chatkit_reducer.testing.strategies._json import (
    Json,
    JsonObjects,
    check_bool,
    check_names,
    check_strategy,
    checked_ids,
    json_of,
    nullable,
    objects,
    texts,
    unknown_fields,
    unknown_names,
)
from chatkit_reducer.testing.strategies._published import published
from chatkit_reducer.testing.strategies._widgets import (
    COMPONENT_IDS,
    components_of_depth,
    roots,
)

T = TypeVar("T")
Events = dict[type, st.SearchStrategy[e.Event]]
Updates = dict[type, st.SearchStrategy[e.Update]]

_PLACES = st.integers(0, 3)


# --- events ---------------------------------------------------------------------------------------


@overload
def events(
    *,
    types: Collection[str] | None = ...,
    ids: st.SearchStrategy[str] | None = ...,
    unknown: bool = ...,
    form: Literal["struct"] = ...,
) -> st.SearchStrategy[e.Event]: ...
@overload
def events(
    *,
    types: Collection[str] | None = ...,
    ids: st.SearchStrategy[str] | None = ...,
    unknown: bool = ...,
    form: Literal["json", "sdk"],
) -> st.SearchStrategy[Any]: ...
@published
def events(
    *,
    types: Collection[str] | None = None,
    ids: st.SearchStrategy[str] | None = None,
    unknown: bool = True,
    form: Form = "struct",
) -> st.SearchStrategy[Any]:
    """Generate stream events, of all twelve types and of others, each for itself.

    >>> from hypothesis import given
    >>> from chatkit_reducer import decode, encode
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.events())
    ... def test_nothing_is_lost_on_the_wire(event):
    ...     assert decode(encode(event)) == event
    >>> test_nothing_is_lost_on_the_wire()

    Args:
        types: which of the twelve, by their `type` on the wire; all of them, if left out.
        ids: where the ids of items come from; four different ones, if left out.
        unknown: also updates, items and fields that openai-chatkit 1.6.5 does not know and, if
            `types` is left out, such events. Never in the form of the SDK.
        form: `"struct"`, as `chatkit_reducer.events` has them, `"json"`, plain mappings, or
            `"sdk"`, the models of openai-chatkit.

    Raises:
        InvalidArgument: an argument has a wrong value.
        ImportError: the form is that of the SDK, and the SDK is not installed.
    """
    names = check_names("types", types, e.EVENT_TYPES)
    check_strategy("ids", ids, "strings")
    ids = None if ids is None else checked_ids(ids)
    check_bool("unknown", unknown)
    check_form(form, "struct", "json", "sdk")
    unknown = unknown and form != "sdk"
    among = _events_among(*names, ids=ids, unknown_types=unknown and types is None, unknown=unknown)
    return in_form(among, form, json=plain, sdk=event_to_sdk)


@cache
def any_events(*, unknown: bool) -> st.SearchStrategy[e.Event]:
    """Generate events of all types."""
    return _events_among(*e.EVENT_TYPES, unknown_types=unknown, unknown=unknown)


@lru_cache
def _events_among(
    *names: str, ids: st.SearchStrategy[str] | None = None, unknown_types: bool, unknown: bool
) -> st.SearchStrategy[e.Event]:
    by_class = {**_item_events(ids, unknown=unknown), **_side_events(unknown=unknown)}
    wanted = {e.EVENT_TYPES[name] for name in names}
    # In the order of the table, not of the names: an example shrinks towards the first.
    choice = [strategy for cls, strategy in by_class.items() if cls in wanted]
    return st.one_of([*choice, unknown_events()] if unknown_types else choice)


@lru_cache
def _item_events(ids: st.SearchStrategy[str] | None, *, unknown: bool) -> Events:
    item_ids = st.sampled_from(ITEM_IDS) if ids is None else ids
    item = items_among(*ITEM_TYPES, ids=ids, unknown_types=unknown, unknown=unknown)
    update = updates_at(_PLACES, unknown=unknown)
    return {
        e.ThreadItemUpdated: build(
            e.ThreadItemUpdated, item_id=item_ids, update=update, unknown=unknown
        ),
        e.ThreadItemAdded: build(e.ThreadItemAdded, item=item, unknown=unknown),
        e.ThreadItemDone: build(e.ThreadItemDone, item=item, unknown=unknown),
        e.ThreadItemReplaced: build(e.ThreadItemReplaced, item=item, unknown=unknown),
        e.ThreadItemRemoved: build(e.ThreadItemRemoved, item_id=item_ids, unknown=unknown),
        e.ThreadCreated: build(
            e.ThreadCreated, thread=thread_objects(item, unknown=unknown), unknown=unknown
        ),
    }


@cache
def _side_events(*, unknown: bool) -> Events:
    allowed = objects({"allow_cancel": st.booleans()}, unknown=unknown)
    level = st.sampled_from(["info", "warning", "danger"])
    icon = may_be_absent(nullable(st.sampled_from(["bolt", "agent"])))
    data = st.dictionaries(texts(), json_of(2), max_size=2)
    return {
        e.ProgressUpdate: build(e.ProgressUpdate, text=texts(), icon=icon, unknown=unknown),
        e.ThreadUpdated: build(
            e.ThreadUpdated, thread=thread_objects(None, unknown=unknown), unknown=unknown
        ),
        e.StreamOptions: build(e.StreamOptions, stream_options=allowed, unknown=unknown),
        e.Notice: build(
            e.Notice,
            level=level,
            message=texts(),
            title=may_be_absent(nullable(texts())),
            unknown=unknown,
        ),
        e.ClientEffect: build(
            e.ClientEffect,
            name=texts(),
            data=may_be_absent(nullable(data) if unknown else data),
            unknown=unknown,
        ),
        e.ErrorEvent: build(
            e.ErrorEvent,
            code=may_be_absent(st.sampled_from(["custom", "stream.error"])),
            message=may_be_absent(nullable(texts())),
            allow_retry=may_be_absent(st.booleans()),
            unknown=unknown,
        ),
    }


@cache
def side_events(*, unknown: bool) -> st.SearchStrategy[e.Event]:
    """Generate events about the thread and the stream that touch no item, except errors."""
    by_class = _side_events(unknown=unknown)
    choice = [strategy for cls, strategy in by_class.items() if cls is not e.ErrorEvent]
    return st.one_of([*choice, unknown_events()] if unknown else choice)


@cache
def unknown_events() -> st.SearchStrategy[e.Event]:
    """Generate events of types that no release knows."""
    return st.builds(e.UnknownEvent, _unknown_objects())


def thread_objects(item: st.SearchStrategy[Any] | None, *, unknown: bool) -> JsonObjects:
    """Generate threads with a page of such items, or with an empty one."""
    stored = st.builds(list) if item is None else st.lists(item, max_size=2)
    page = objects({"data": stored}, {"has_more": st.booleans()}, unknown=unknown)
    return objects(
        {
            "id": st.just("thread_1"),
            "created_at": st.just("2025-01-01T00:00:00"),
            "items": page,
        },
        {
            "title": nullable(texts()),
            "status": objects({"type": st.just("active")}, unknown=unknown),
        },
        unknown=unknown,
    )


# --- updates --------------------------------------------------------------------------------------


@overload
def updates(
    *,
    types: Collection[str] | None = ...,
    unknown: bool = ...,
    form: Literal["struct"] = ...,
) -> st.SearchStrategy[e.Update]: ...
@overload
def updates(
    *,
    types: Collection[str] | None = ...,
    unknown: bool = ...,
    form: Literal["json", "sdk"],
) -> st.SearchStrategy[Any]: ...
@published
def updates(
    *, types: Collection[str] | None = None, unknown: bool = True, form: Form = "struct"
) -> st.SearchStrategy[Any]:
    """Generate item updates, of all ten types and of others, with small indices and few ids.

    >>> from hypothesis import given
    >>> from chatkit_reducer import ThreadState, reduce
    >>> from chatkit_reducer.events import ThreadItemUpdated
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.updates())
    ... def test_an_update_makes_no_item(update):
    ...     assert not reduce(ThreadState(), ThreadItemUpdated("item_1", update)).items
    >>> test_an_update_makes_no_item()

    Args:
        types: which of the ten, by their `type` on the wire; all of them, if left out.
        unknown: also fields that openai-chatkit 1.6.5 does not know and, if `types` is left out,
            such updates. Never in the form of the SDK.
        form: `"struct"`, as `chatkit_reducer.events` has them, `"json"`, plain mappings, or
            `"sdk"`, the models of openai-chatkit.

    Raises:
        InvalidArgument: an argument has a wrong value.
        ImportError: the form is that of the SDK, and the SDK is not installed.
    """
    names = check_names("types", types, e.UPDATE_TYPES)
    check_bool("unknown", unknown)
    check_form(form, "struct", "json", "sdk")
    unknown = unknown and form != "sdk"
    wanted = {e.UPDATE_TYPES[name] for name in names}
    by_class = _updates_by_class(_PLACES, unknown=unknown)
    choice = [strategy for cls, strategy in by_class.items() if cls in wanted]
    if unknown and types is None:
        choice.append(unknown_updates())
    return in_form(st.one_of(choice), form, json=plain, sdk=update_to_sdk)


@lru_cache
def updates_at(index: st.SearchStrategy[int], *, unknown: bool) -> st.SearchStrategy[e.Update]:
    """Generate updates at these places of a message or workflow."""
    known = list(_updates_by_class(index, unknown=unknown).values())
    return st.one_of([*known, unknown_updates()] if unknown else known)


@lru_cache
def _updates_by_class(index: st.SearchStrategy[int], *, unknown: bool) -> Updates:
    component_id = st.sampled_from(COMPONENT_IDS)
    place = {"content_index": index}
    part, task = parts(unknown=unknown), tasks(unknown=unknown)
    fields: dict[type[Any], dict[str, st.SearchStrategy[Any]]] = {
        e.AssistantMessageContentPartTextDelta: {**place, "delta": texts()},
        e.AssistantMessageContentPartAdded: {**place, "content": part},
        e.AssistantMessageContentPartAnnotationAdded: {
            **place,
            "annotation_index": index,
            "annotation": citations(unknown=unknown),
        },
        e.AssistantMessageContentPartDone: {**place, "content": part},
        e.WorkflowTaskAdded: {"task_index": index, "task": task},
        e.WorkflowTaskUpdated: {"task_index": index, "task": task},
        e.WidgetStreamingTextValueDelta: {
            "component_id": component_id,
            "delta": texts(),
            "done": st.booleans(),
        },
        e.WidgetComponentUpdated: {
            "component_id": component_id,
            "component": components_of_depth(1, unknown=unknown),
        },
        e.WidgetRootUpdated: {"widget": roots(2, unknown=unknown)},
        e.GeneratedImageUpdated: {
            "image": images(unknown=unknown),
            "progress": may_be_absent(nullable(st.floats(0, 1))),
        },
    }
    return {cls: build(cls, unknown=unknown, **strategies) for cls, strategies in fields.items()}


@cache
def unknown_updates() -> st.SearchStrategy[e.Update]:
    """Generate updates of types that no release knows."""
    return st.builds(e.UnknownUpdate, _unknown_objects())


def _unknown_objects() -> JsonObjects:
    return objects({"type": unknown_names("new.")}, {"item": json_of(3)}, unknown=True)


def may_be_absent(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Generate these values, or UNSET, which is not null."""
    return st.just(UNSET) | values


def build(cls: type[T], *, unknown: bool, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Generate events or updates of a class, with fields that it does not know if `unknown`."""
    if not unknown:
        return st.builds(cls, **fields)
    # A field on the wire may be called `extra`: no known field there has that name.
    known = {"type", *fields}

    def extra(foreign: Json) -> e.Extra | Any:
        return e.Extra({k: v for k, v in foreign.items() if k not in known}) or UNSET

    return st.builds(cls, **fields, extra=unknown_fields().map(extra))
