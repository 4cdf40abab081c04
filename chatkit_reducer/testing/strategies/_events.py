"""Item updates and stream events, one by one, each as this package holds it."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st
from msgspec import UNSET

from chatkit_reducer import events as e
from chatkit_reducer.testing.strategies._items import (
    ITEM_IDS,
    check_ids,
    citations,
    images,
    items,
    parts,
    tasks,
)
from chatkit_reducer.testing.strategies._json import (
    Json,
    JsonObjects,
    check_bool,
    foreign_fields,
    foreign_names,
    json_values,
    nullable,
    objects,
    texts,
)
from chatkit_reducer.testing.strategies._widgets import (
    COMPONENT_IDS,
    components_of_depth,
    widgets,
)

__all__ = [
    "build",
    "events",
    "foreign_updates",
    "may_be_absent",
    "side_events",
    "threads",
    "updates",
    "updates_at",
]

T = TypeVar("T")


def events(
    *, ids: st.SearchStrategy[str] | None = None, unknown: bool = True
) -> st.SearchStrategy[e.Event]:
    """Stream events, of all twelve types and of others, each for itself.

    Args:
        ids: where the ids of items come from; four different ones, if left out.
        unknown: also events, updates, items and fields that openai-chatkit 1.6.5 does not know.
    """
    check_bool("unknown", unknown)
    check_ids(ids)
    item_ids = st.sampled_from(ITEM_IDS) if ids is None else ids
    item = items(ids=ids, unknown=unknown)
    return st.one_of(
        build(
            e.ThreadItemUpdated, item_id=item_ids, update=updates(unknown=unknown), unknown=unknown
        ),
        build(e.ThreadItemAdded, item=item, unknown=unknown),
        build(e.ThreadItemDone, item=item, unknown=unknown),
        build(e.ThreadItemReplaced, item=item, unknown=unknown),
        build(e.ThreadItemRemoved, item_id=item_ids, unknown=unknown),
        build(e.ThreadCreated, thread=threads(item, unknown=unknown), unknown=unknown),
        side_events(unknown=unknown),
        build(e.ErrorEvent, **_error_fields(), unknown=unknown),
    )


def _error_fields() -> dict[str, st.SearchStrategy[Any]]:
    return {
        "code": may_be_absent(st.sampled_from(["custom", "stream.error"])),
        "message": may_be_absent(nullable(texts())),
        "allow_retry": may_be_absent(st.booleans()),
    }


@cache
def side_events(*, unknown: bool) -> st.SearchStrategy[e.Event]:
    """Events about the thread and the stream, which touch no item."""
    allowed = objects({"allow_cancel": st.booleans()}, unknown=unknown)
    level = st.sampled_from(["info", "warning", "danger"])
    icon = may_be_absent(nullable(st.sampled_from(["bolt", "agent"])))
    data = st.dictionaries(texts(), json_values(max_leaves=2), max_size=2)
    known: st.SearchStrategy[e.Event] = st.one_of(
        build(e.ProgressUpdate, text=texts(), icon=icon, unknown=unknown),
        build(e.ThreadUpdated, thread=threads(None, unknown=unknown), unknown=unknown),
        build(e.StreamOptions, stream_options=allowed, unknown=unknown),
        build(
            e.Notice,
            level=level,
            message=texts(),
            title=may_be_absent(nullable(texts())),
            unknown=unknown,
        ),
        build(
            e.ClientEffect,
            name=texts(),
            data=may_be_absent(nullable(data) if unknown else data),
            unknown=unknown,
        ),
    )
    return known | st.builds(e.UnknownEvent, _foreign()) if unknown else known


def threads(item: st.SearchStrategy[Any] | None, *, unknown: bool) -> JsonObjects:
    """Threads with a page of such items, or with an empty one."""
    stored = st.builds(list) if item is None else st.lists(item, max_size=2)
    return objects(
        {
            "id": st.just("thread_1"),
            "created_at": st.just("2025-01-01T00:00:00"),
            "items": objects({"data": stored}, {"has_more": st.booleans()}, unknown=unknown),
        },
        {
            "title": nullable(texts()),
            "status": objects({"type": st.just("active")}, unknown=unknown),
        },
        unknown=unknown,
    )


def updates(*, unknown: bool = True) -> st.SearchStrategy[e.Update]:
    """Item updates, of all ten types and of others, with small indices and few component ids.

    Args:
        unknown: also updates and fields that openai-chatkit 1.6.5 does not know.
    """
    check_bool("unknown", unknown)
    return updates_at(st.integers(0, 3), unknown=unknown)


def updates_at(index: st.SearchStrategy[int], *, unknown: bool) -> st.SearchStrategy[e.Update]:
    """Updates at these places of a message or workflow."""
    component_id = st.sampled_from(COMPONENT_IDS)
    component = components_of_depth(1, unknown=unknown)
    known: st.SearchStrategy[e.Update] = st.one_of(
        build(
            e.AssistantMessageContentPartTextDelta,
            content_index=index,
            delta=texts(),
            unknown=unknown,
        ),
        build(
            e.AssistantMessageContentPartAdded,
            content_index=index,
            content=parts(unknown=unknown),
            unknown=unknown,
        ),
        build(
            e.AssistantMessageContentPartAnnotationAdded,
            content_index=index,
            annotation_index=index,
            annotation=citations(unknown=unknown),
            unknown=unknown,
        ),
        build(
            e.AssistantMessageContentPartDone,
            content_index=index,
            content=parts(unknown=unknown),
            unknown=unknown,
        ),
        build(e.WorkflowTaskAdded, task_index=index, task=tasks(unknown=unknown), unknown=unknown),
        build(
            e.WorkflowTaskUpdated, task_index=index, task=tasks(unknown=unknown), unknown=unknown
        ),
        build(
            e.WidgetStreamingTextValueDelta,
            component_id=component_id,
            delta=texts(),
            done=st.booleans(),
            unknown=unknown,
        ),
        build(
            e.WidgetComponentUpdated,
            component_id=component_id,
            component=component,
            unknown=unknown,
        ),
        build(e.WidgetRootUpdated, widget=widgets(max_depth=2, unknown=unknown), unknown=unknown),
        build(
            e.GeneratedImageUpdated,
            image=images(unknown=unknown),
            progress=may_be_absent(nullable(st.floats(0, 1))),
            unknown=unknown,
        ),
    )
    return known | foreign_updates() if unknown else known


def foreign_updates() -> st.SearchStrategy[e.Update]:
    """Updates of types that no release knows."""
    return st.builds(e.UnknownUpdate, _foreign())


def _foreign() -> JsonObjects:
    return objects(
        {"type": foreign_names("new.")}, {"item": json_values(max_leaves=3)}, unknown=True
    )


def may_be_absent(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """These values, or none at all, which is not null."""
    return st.just(UNSET) | values


def build(cls: type[T], *, unknown: bool, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Events or updates of one class, with fields that the class does not know if `unknown`."""
    if not unknown:
        return st.builds(cls, **fields)
    # A field on the wire may be called `extra`: that is the name of no known field there.
    known = {"type", *fields}

    def extra(foreign: Json) -> e.Extra | Any:
        return e.Extra({k: v for k, v in foreign.items() if k not in known}) or UNSET

    return st.builds(cls, **fields, extra=foreign_fields().map(extra))
