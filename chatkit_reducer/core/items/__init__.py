"""The states of items: one file for each item type, with its state and its pure reducers.

A new item type is one new file here, and one line in `ITEM_TYPES` with its import.
A type without a line is an `OpaqueItem`: kept, written out again unchanged, replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from msgspec import structs

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.core.event_forms import PLAIN, fault_of
from chatkit_reducer.core.items import assistant_message, generated_image, task, widget, workflow
from chatkit_reducer.core.items.assistant_message import AssistantMessage
from chatkit_reducer.core.items.base import GrowingText, ItemState, Reducers, wrong_item_type
from chatkit_reducer.core.items.generated_image import GeneratedImage
from chatkit_reducer.core.items.incomplete import completed
from chatkit_reducer.core.items.opaque import OpaqueItem
from chatkit_reducer.core.items.task import Task
from chatkit_reducer.core.items.widget import Widget
from chatkit_reducer.core.items.workflow import Workflow
from chatkit_reducer.events import Json, ThreadItemUpdated, UnknownUpdate, Update

__all__ = [
    "HIDDEN_TYPES",
    "ITEM_TYPES",
    "AssistantMessage",
    "GeneratedImage",
    "GrowingText",
    "ItemState",
    "OpaqueItem",
    "Parsed",
    "Task",
    "Widget",
    "Workflow",
    "apply",
    "parse_item",
]

ITEM_TYPES: MappingProxyType[str, tuple[type[Any], Reducers]] = MappingProxyType(
    {
        "assistant_message": (AssistantMessage, assistant_message.REDUCERS),
        "generated_image": (GeneratedImage, generated_image.REDUCERS),
        "task": (Task, task.REDUCERS),
        "widget": (Widget, widget.REDUCERS),
        "workflow": (Workflow, workflow.REDUCERS),
    }
)
"""Item type on the wire: its state class, and its reducers."""

HIDDEN_TYPES = frozenset({"hidden_context_item", "sdk_hidden_context"})
"""Items that a store holds and no client is shown (1.6.5: `ChatKitServer._to_thread_response`)."""


def _never(_: object) -> bool:
    return False


_Reducer: TypeAlias = Callable[[Any, Any], ItemState | Fault]

_REDUCERS: dict[type[Any], tuple[type[Any], _Reducer, Callable[[Any], bool]]] = {
    update: (state, reducer, PLAIN.get(update, _never))
    for state, reducers in ITEM_TYPES.values()
    for update, reducer in reducers.items()
}


class Parsed(NamedTuple):
    """An item mapping as a state, and the fault that was found in it."""

    item: ItemState | None
    """None only where the mapping has no `id`."""
    fault: Fault | None = None


def parse_item(json: Json) -> Parsed:
    """Return the state of an item mapping.

    A mapping without an `id` has a fault and no state. A mapping whose content is not as its type
    demands has a fault, and an `OpaqueItem` as its state.
    """
    if not isinstance(json.get("id"), str):
        return Parsed(None, _WITHOUT_ID)
    kind = json.get("type")
    found = ITEM_TYPES.get(kind) if isinstance(kind, str) else None
    if found is None:
        return Parsed(OpaqueItem(json))
    state: ItemState | None = found[0].parse(json)
    return Parsed(OpaqueItem(json), _malformed(json)) if state is None else Parsed(state)


_WITHOUT_ID = Fault(
    AnomalyKind.ITEM_WITHOUT_ID, "the item has no `id`, or one that is not a string"
)


def _malformed(json: Json) -> Fault:
    problem = f"the content is not that of an item of type {json['type']!r}"
    instead = "the item was kept as it came, and takes no updates"
    return Fault(AnomalyKind.ITEM_MALFORMED, problem, instead, item_id=json["id"])


def apply(item: ItemState, update: Update) -> ItemState | Fault:
    """One update to an item: a new state, the same object if nothing changed, or a fault.

    An update of an unknown type changes nothing that this release can see.
    """
    found = _REDUCERS.get(type(update))
    if found is None:
        fault = fault_of(ThreadItemUpdated(item.id, update))
        if fault is not None:
            return fault
        return _apply_incomplete(item, update) if type(update) is UnknownUpdate else item
    state, reducer, is_plain = found
    if not is_plain(update):
        fault = fault_of(update)
        if fault is not None:
            return fault
    return reducer(item, update) if type(item) is state else wrong_item_type(item, update)


def _apply_incomplete(item: ItemState, update: UnknownUpdate) -> ItemState | Fault:
    """Apply an update that may lack a field whose value is obvious."""
    whole = completed(item, update)
    if whole is None:
        return item
    if type(whole) is Fault:
        return whole
    known, fault = whole
    new = apply(item, known)
    if type(new) is Fault:  # nothing changed, and the other fault says why
        return new
    return structs.replace(fault, result=new)
