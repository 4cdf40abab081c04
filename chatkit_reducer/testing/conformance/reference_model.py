"""A second, naive fold, to compare the real one with.

It implements docs/semantics.md a second time in the plainest way: one mutable object, plain JSON
mappings, a copy in every doubtful case. It shares no code with the reducers, is not optimised, and
is short enough to be checked against the page by reading. The sound streams of `strategies` are
made with it.

    thread = NaiveThread()
    for event in events:
        thread.apply(to_json(event))
    thread.items["msg_1"]        # the item as plain JSON
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

__all__ = ["MAX_PADDING", "NaiveFault", "NaiveThread", "components", "is_malformed", "update_item"]

Json: TypeAlias = dict[str, Any]

MAX_PADDING = 1024
"""How many empty parts a message may have where an update needs more of them."""

_PADDING = {"annotations": [], "text": "", "type": "output_text"}
_ITEM_EVENTS = ("thread.item.added", "thread.item.done", "thread.item.replaced")


class NaiveFault(NamedTuple):
    """One fault in the data."""

    position: int
    """How many events came before."""
    kind: str
    """The value of a `chatkit_reducer.AnomalyKind`."""
    item_id: str | None


class _MisfitError(Exception):
    """An update cannot be folded; the argument is the kind of fault."""


class NaiveThread:
    """A thread, changed in place by `apply`."""

    def __init__(self, items: Iterable[Mapping[str, Any]] = ()) -> None:
        """Make a thread with these stored items, which have an `id` each."""
        self.items: dict[str, Json] = {item["id"]: _copy(item) for item in items}
        """All items by id, in thread order."""
        self.pending: set[str] = set()
        """The ids that are not done."""
        self.bases: dict[str, Json] = {}
        """The stored copies of the items that are pending over one."""
        self.faults: list[NaiveFault] = []
        self.thread: Json | None = None
        """The metadata of the thread, without its items."""
        self.error: Json | None = None
        """The newest `error` event."""
        self.progress: Json | None = None
        """`text` and `icon`, or `item_id` and `fraction`; None without progress."""
        self.stream_options: Json | None = None
        self.position: int = 0
        """How many events were applied."""

    def apply(self, event: Mapping[str, Any]) -> None:
        """Apply one event, a plain mapping; it is copied."""
        self._apply(_copy(event))
        self.position += 1

    def _apply(self, event: Json) -> None:
        kind = event["type"]
        if kind in _ITEM_EVENTS:
            self._whole_item(kind, event["item"])
        elif kind == "thread.item.updated":
            self._item_updated(event["item_id"], event["update"])
        elif kind == "thread.item.removed":
            self._item_removed(event["item_id"])
        elif kind in ("thread.created", "thread.updated"):
            self._thread(kind, event["thread"])
        elif kind == "stream_options":
            self.stream_options = event["stream_options"]
        elif kind == "progress_update":
            self.progress = {"text": event["text"], "icon": event.get("icon")}
        elif kind == "error":
            self.error = event

    def _fault(self, kind: str, item_id: str | None) -> None:
        self.faults.append(NaiveFault(self.position, kind, item_id))

    def _whole_item(self, kind: str, item: Json) -> None:
        item_id = item.get("id")
        if not isinstance(item_id, str):
            self._fault("item_without_id", None)
            return
        if is_malformed(item):
            self._fault("item_malformed", item_id)
        if kind == "thread.item.added":
            if item_id in self.items:
                self._fault("item_already_present", item_id)
            self._make_pending(item_id)
        else:
            self.pending.discard(item_id)
            self.bases.pop(item_id, None)
        self.items[item_id] = item
        self.progress = None

    def _make_pending(self, item_id: str) -> None:
        if item_id in self.items and item_id not in self.pending:
            self.bases[item_id] = _copy(self.items[item_id])
        self.pending.add(item_id)

    def _item_updated(self, item_id: str, update: Json) -> None:
        if item_id not in self.items:
            self._fault("item_not_found", item_id)
            return
        item = _copy(self.items[item_id])
        try:
            lacking = _complete(item, update := dict(update))
            appended = update_item(item, update)
        except _MisfitError as wrong_item_type:
            self._fault(str(wrong_item_type), item_id)
            return
        if not appended:
            self._fault("index_out_of_range", item_id)
        elif lacking:
            self._fault("field_missing", item_id)
        self._make_pending(item_id)
        self.items[item_id] = item
        self.progress = None
        if update["type"] == "generated_image.updated" and update.get("progress") is not None:
            self.progress = {"item_id": item_id, "fraction": update["progress"]}

    def _item_removed(self, item_id: str) -> None:
        if item_id not in self.items:
            self._fault("item_not_found", item_id)
            return
        del self.items[item_id]
        self.pending.discard(item_id)
        self.bases.pop(item_id, None)
        self.progress = None

    def _thread(self, kind: str, thread: Json) -> None:
        self.thread = {name: value for name, value in thread.items() if name != "items"}
        page = thread.get("items")
        stored = page.get("data") if isinstance(page, dict) else None
        if kind == "thread.created" and isinstance(stored, list):
            for item in stored:
                if isinstance(item, dict):
                    self._whole_item("thread.item.done", item)
                else:
                    self._fault("item_malformed", None)


# --- updates: the item is changed in place --------------------------------------------------------


def update_item(item: Json, update: Json) -> bool:
    """Fold the update into the item, in place; False if a task was appended for want of a place.

    Raises an exception with the kind of fault, and leaves the item half done, if it does not fit.
    """
    kind = update["type"]
    if kind.startswith("assistant_message.") and kind in _MESSAGE_UPDATES:
        _require(item, "assistant_message")
        _MESSAGE_UPDATES[kind](item, update)
    elif kind == "workflow.task.added":
        _require(item, "workflow")
        return _task_added(item["workflow"]["tasks"], update["task_index"], update["task"])
    elif kind == "workflow.task.updated":
        _require(item, "workflow")
        _task_updated(item["workflow"]["tasks"], update["task_index"], update["task"])
    elif kind == "widget.streaming_text.value_delta":
        _require(item, "widget")
        _value_delta(_component(item["widget"], update["component_id"]), update)
    elif kind == "widget.component.updated":
        _require(item, "widget")
        _become(_component(item["widget"], update["component_id"]), update["component"])
    elif kind == "widget.root.updated":
        _require(item, "widget")
        item["widget"] = update["widget"]
    elif kind == "generated_image.updated":
        _require(item, "generated_image")
        item["image"] = update["image"]
    return True


def _complete(item: Json, update: Json) -> bool:
    """Fill in fields that the update lacks, from the item; return whether there were any."""
    kind, lacking = update["type"], False
    for name in _MAY_LACK.get(kind, ()):
        if name not in update:
            lacking = True
            update[name] = _missing(item, update, name)
    return lacking


_PART = "assistant_message.content_part."
_MAY_LACK = {
    f"{_PART}added": ["content_index"],
    f"{_PART}text_delta": ["content_index"],
    f"{_PART}annotation_added": ["content_index", "annotation_index"],
    f"{_PART}done": ["content_index"],
    "widget.streaming_text.value_delta": ["delta", "done"],
    "workflow.task.added": ["task_index"],
    "workflow.task.updated": ["task_index"],
}


def _missing(item: Json, update: Json, name: str) -> Any:
    if name in ("delta", "done"):
        return "" if name == "delta" else False
    _require(item, "workflow" if name == "task_index" else "assistant_message")
    if name == "annotation_index":
        return 2**62  # past any end
    there = item["workflow"]["tasks"] if name == "task_index" else item["content"]
    if update["type"].endswith(".added"):
        return len(there)
    if name == "task_index" and len(there) > 1:
        raise _MisfitError("field_missing")
    return max(0, len(there) - 1)


def _require(item: Json, kind: str) -> None:
    if item.get("type") != kind or is_malformed(item):
        raise _MisfitError("update_misfit")


def is_malformed(item: Mapping[str, Any]) -> bool:
    """Return whether the item's type takes updates, and its content cannot take them."""
    if item.get("type") == "assistant_message":
        return not _is_list_of_objects(item.get("content"))
    if item.get("type") == "workflow":
        workflow = item.get("workflow")
        return not isinstance(workflow, dict) or not _is_list_of_objects(workflow.get("tasks"))
    return item.get("type") == "widget" and not isinstance(item.get("widget"), dict)


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(element, dict) for element in value)


def _pad(content: list[Json], index: int) -> None:
    needed = index - len(content)
    if index < 0 or (needed > 0 and needed + sum(map(_is_empty, content)) > MAX_PADDING):
        raise _MisfitError("index_out_of_range")
    while len(content) <= index:
        content.append(_copy(_PADDING))


def _is_empty(part: Json) -> bool:
    annotations = part.get("annotations")
    return part.get("text") == "" and not (isinstance(annotations, list) and annotations)


def _part_added(item: Json, update: Json) -> None:
    _pad(item["content"], update["content_index"])
    item["content"][update["content_index"]] = update["content"]


def _text_delta(item: Json, update: Json) -> None:
    _pad(item["content"], update["content_index"])
    part = item["content"][update["content_index"]]
    if not isinstance(part.get("text"), str):
        raise _MisfitError("update_misfit")
    part["text"] += update["delta"]


def _annotation_added(item: Json, update: Json) -> None:
    _pad(item["content"], update["content_index"])
    part = item["content"][update["content_index"]]
    if update["annotation_index"] < 0:
        raise _MisfitError("index_out_of_range")
    if not isinstance(part.get("text"), str):
        raise _MisfitError("update_misfit")
    if not isinstance(part.get("annotations"), list):
        part["annotations"] = []
    index = min(update["annotation_index"], len(part["annotations"]))
    part["annotations"].insert(index, update["annotation"])


def _part_done(item: Json, update: Json) -> None:
    _pad(item["content"], update["content_index"])
    before = item["content"][update["content_index"]].get("annotations")
    after = item["content"][update["content_index"]] = update["content"]
    brings_any = isinstance(after.get("annotations"), list) and after["annotations"]
    if (
        isinstance(before, list)
        and before
        and not brings_any
        and isinstance(after.get("text"), str)
    ):
        after["annotations"] = before


_MESSAGE_UPDATES = {
    "assistant_message.content_part.added": _part_added,
    "assistant_message.content_part.text_delta": _text_delta,
    "assistant_message.content_part.annotation_added": _annotation_added,
    "assistant_message.content_part.done": _part_done,
}


def _task_added(tasks: list[Json], index: int, task: Json) -> bool:
    if index < 0:
        raise _MisfitError("index_out_of_range")
    if index < len(tasks) and _text_of(tasks[index]) == _text_of(task):
        return True
    fits = index <= len(tasks)
    tasks.insert(min(index, len(tasks)), task)
    return fits


def _task_updated(tasks: list[Json], index: int, task: Json) -> None:
    if not 0 <= index < len(tasks):
        raise _MisfitError("index_out_of_range")
    tasks[index] = task


def components(root: Json) -> Iterator[Json]:
    """List the components of a widget in document order: the root, then its children and theirs."""
    yield root
    children = root.get("children")
    if isinstance(children, dict):
        children = [children]
    for child in children if isinstance(children, list) else []:
        if isinstance(child, dict):
            yield from components(child)


def _component(root: Json, component_id: str) -> Json:
    for component in components(root):
        if component.get("id") == component_id:
            return component
    raise _MisfitError("component_not_found")


def _value_delta(component: Json, update: Json) -> None:
    if not isinstance(component.get("value"), str):
        raise _MisfitError("update_misfit")
    component["value"] += update["delta"]
    if update["done"] and component.get("streaming") is True:
        component["streaming"] = False


def _become(component: Json, other: Json) -> None:
    component.clear()
    component.update(other)


def _copy(value: Any) -> Any:
    # By way of text: `copy.deepcopy` would keep an object that stands in two places one object,
    # and a change to the one place would show in the other.
    return json.loads(_text_of(value))


def _text_of(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
