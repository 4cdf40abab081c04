"""Small items and events, for tests and examples.

Each function makes one plain value from as few arguments as will do, so that a test shows only what
it is about:

    state_after(added(message("m", "")), text_delta("m", "Hello")).items["m"]

Items and their pieces are JSON mappings, freshly made at every call, with all that openai-chatkit
1.6.5 requires of them; the names are those of its `chatkit/types.py` in short. Events are this
package's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatkit_reducer import ThreadState, encode, fold, reduce
from chatkit_reducer.events import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    Event,
    GeneratedImageUpdated,
    Json,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    Unreadable,
    Update,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

__all__ = [
    "added",
    "annotation_added",
    "citation",
    "component_updated",
    "done",
    "image",
    "image_updated",
    "item",
    "message",
    "part",
    "part_added",
    "part_done",
    "removed",
    "replaced",
    "root_updated",
    "state_after",
    "task",
    "task_added",
    "task_updated",
    "text_delta",
    "updated",
    "user_message",
    "value_delta",
    "widget",
    "workflow",
]

# --- items and their contents --------------------------------------------------------------------


def item(item_id: str, item_type: str, **fields: Any) -> Json:
    """Make an item of any type, known or not, with these fields besides those of every item."""
    return {
        "id": item_id,
        "thread_id": "thr_1",
        "created_at": "2025-01-01T00:00:00",
        "type": item_type,
        **fields,
    }


def message(item_id: str, *texts: str) -> Json:
    """Make an assistant message with one part for each text."""
    return item(item_id, "assistant_message", content=[part(text) for text in texts])


def part(text: str, *annotations: Json) -> Json:
    """Make a part of an assistant message."""
    return {"type": "output_text", "text": text, "annotations": list(annotations)}


def citation(title: str, *, at: int | None = None) -> Json:
    """Make an annotation that cites a file; `at` is its place in the text."""
    source = {"type": "file", "title": title, "filename": f"{title}.txt"}
    return {"type": "annotation", "source": source, "index": at}


def user_message(item_id: str, text: str) -> Json:
    """Make a message of the user."""
    content = [{"type": "input_text", "text": text}]
    return item(item_id, "user_message", content=content, attachments=[], inference_options={})


def workflow(item_id: str, *titles: str) -> Json:
    """Make a workflow with one task for each title."""
    tasks = [task(title) for title in titles]
    return item(item_id, "workflow", workflow={"type": "custom", "tasks": tasks, "expanded": False})


def task(title: str, *, status: str = "none") -> Json:
    """Make a task of a workflow; `status` is `none`, `loading` or `complete`."""
    return {"type": "custom", "title": title, "status_indicator": status}


def widget(item_id: str, root: Json) -> Json:
    """Make a widget."""
    return item(item_id, "widget", widget=root)


def image(item_id: str, url: str | None = None) -> Json:
    """Make a generated image, or the place for one that is still to come."""
    made = None if url is None else {"id": "img_1", "url": url}
    return item(item_id, "generated_image", image=made)


# --- events ---------------------------------------------------------------------------------------


def added(item: Json) -> ThreadItemAdded:
    """`thread.item.added`."""
    return ThreadItemAdded(item)


def done(item: Json) -> ThreadItemDone:
    """`thread.item.done`."""
    return ThreadItemDone(item)


def replaced(item: Json) -> ThreadItemReplaced:
    """`thread.item.replaced`."""
    return ThreadItemReplaced(item)


def removed(item_id: str) -> ThreadItemRemoved:
    """`thread.item.removed`."""
    return ThreadItemRemoved(item_id)


def updated(item_id: str, update: Update) -> ThreadItemUpdated:
    """`thread.item.updated` with any update; the functions below make the usual ones."""
    return ThreadItemUpdated(item_id, update)


def part_added(item_id: str, content: Json, index: int = 0) -> ThreadItemUpdated:
    """`assistant_message.content_part.added`."""
    return ThreadItemUpdated(item_id, AssistantMessageContentPartAdded(index, content))


def text_delta(item_id: str, delta: str, index: int = 0) -> ThreadItemUpdated:
    """`assistant_message.content_part.text_delta`."""
    return ThreadItemUpdated(item_id, AssistantMessageContentPartTextDelta(index, delta))


def annotation_added(
    item_id: str, annotation: Json, place: int, index: int = 0
) -> ThreadItemUpdated:
    """`assistant_message.content_part.annotation_added`; `place` is its `annotation_index`."""
    update = AssistantMessageContentPartAnnotationAdded(index, place, annotation)
    return ThreadItemUpdated(item_id, update)


def part_done(item_id: str, content: Json, index: int = 0) -> ThreadItemUpdated:
    """`assistant_message.content_part.done`."""
    return ThreadItemUpdated(item_id, AssistantMessageContentPartDone(index, content))


def task_added(item_id: str, task: Json, index: int) -> ThreadItemUpdated:
    """`workflow.task.added`."""
    return ThreadItemUpdated(item_id, WorkflowTaskAdded(index, task))


def task_updated(item_id: str, task: Json, index: int) -> ThreadItemUpdated:
    """`workflow.task.updated`."""
    return ThreadItemUpdated(item_id, WorkflowTaskUpdated(index, task))


def value_delta(
    item_id: str, component_id: str, delta: str, *, done: bool = False
) -> ThreadItemUpdated:
    """`widget.streaming_text.value_delta`."""
    return ThreadItemUpdated(item_id, WidgetStreamingTextValueDelta(component_id, delta, done))


def component_updated(item_id: str, component_id: str, component: Json) -> ThreadItemUpdated:
    """`widget.component.updated`."""
    return ThreadItemUpdated(item_id, WidgetComponentUpdated(component_id, component))


def root_updated(item_id: str, root: Json) -> ThreadItemUpdated:
    """`widget.root.updated`."""
    return ThreadItemUpdated(item_id, WidgetRootUpdated(root))


def image_updated(item_id: str, url: str, progress: float | None = None) -> ThreadItemUpdated:
    """`generated_image.updated`."""
    update = GeneratedImageUpdated({"id": "img_1", "url": url}, progress)
    return ThreadItemUpdated(item_id, update)


# --- their result ---------------------------------------------------------------------------------


def state_after(
    *events: Event | Unreadable, stored: Iterable[Mapping[str, Any]] = ()
) -> ThreadState:
    """Fold these events over a thread with these stored items.

    It is made with `fold` and again with `reduce`, one event at a time.

    Raises:
        AssertionError: the two differ, or one of them changed an event or an earlier state.
    """
    before = ThreadState.from_items(stored)
    texts = [_text(event) for event in events]
    states = [before]
    seen = [_items(before)]
    for position, event in enumerate(events):
        state = reduce(states[-1], event, position=position)
        states.append(state)
        seen.append(_items(state))
    folded = fold(events, before)
    if not (folded == states[-1] and _items(folded) == seen[-1]):
        raise AssertionError(f"fold made {folded!r}, and reduce made {states[-1]!r}")
    if [_text(event) for event in events] != texts:
        raise AssertionError("folding changed an event")
    if [_items(state) for state in states] != seen:
        raise AssertionError("folding changed an earlier state")
    return folded


def _text(event: Event | Unreadable) -> bytes | Unreadable:
    return event if isinstance(event, Unreadable) else encode(event)


def _items(state: ThreadState) -> list[Json]:
    return [item.to_json() for item in state.items.values()]
