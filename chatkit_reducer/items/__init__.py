"""What events become: one file for each item type, its state and its pure reducers together.

A new ChatKit item type that updates can touch is one new file here, and one line in `ITEM_TYPES`.
A type without a line is an `OtherItem`: kept, written out again as it came, changed as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType, ModuleType
from typing import Any

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import Json, Update
from chatkit_reducer.items import assistant_message, generated_image, widget, workflow
from chatkit_reducer.items.assistant_message import AssistantMessage
from chatkit_reducer.items.base import ItemDraft, ItemState, misfit
from chatkit_reducer.items.generated_image import GeneratedImage
from chatkit_reducer.items.other import OtherItem
from chatkit_reducer.items.widget import Widget
from chatkit_reducer.items.workflow import Workflow

__all__ = [
    "DRAFTS",
    "HIDDEN_TYPES",
    "ITEM_TYPES",
    "AssistantMessage",
    "GeneratedImage",
    "ItemDraft",
    "ItemState",
    "OtherItem",
    "Widget",
    "Workflow",
    "apply",
    "parse_item",
]

ITEM_TYPES: MappingProxyType[str, tuple[type[Any], ModuleType]] = MappingProxyType(
    {
        "assistant_message": (AssistantMessage, assistant_message),
        "generated_image": (GeneratedImage, generated_image),
        "widget": (Widget, widget),
        "workflow": (Workflow, workflow),
    }
)
"""Item type on the wire: its state class, and the file with its reducers."""

HIDDEN_TYPES = frozenset({"hidden_context_item", "sdk_hidden_context"})
"""Items that a store holds and no client is shown (1.6.5: `ChatKitServer._to_thread_response`)."""

_REDUCERS: dict[type[Any], tuple[type[Any], Callable[[Any, Any], ItemState | Fault]]] = {
    update: (state, reducer)
    for state, room in ITEM_TYPES.values()
    for update, reducer in room.REDUCERS.items()
}

DRAFTS: dict[type[Any], type[ItemDraft]] = {
    AssistantMessage: assistant_message.MessageDraft,
    Widget: widget.WidgetDraft,
    Workflow: workflow.WorkflowDraft,
}
"""State class: its draft, if there is one. `fold` is faster with it, and the same without."""


def parse_item(json: Json) -> ItemState | Fault:
    """An item mapping to its state.

    A mapping without an `id` is a fault with no result; one whose content is not what its type
    demands is a fault with an `OtherItem` as its result.
    """
    if not isinstance(json.get("id"), str):
        return Fault(FaultKind.ITEM_WITHOUT_ID, "the item has no `id`, or one that is no string")
    kind = json.get("type")
    found = ITEM_TYPES.get(kind) if isinstance(kind, str) else None
    if found is None:
        return OtherItem(json)
    state: ItemState | None = found[0].parse(json)
    return _malformed(json) if state is None else state


def _malformed(json: Json) -> Fault:
    problem = f"the content is not that of an item of type {json['type']!r}"
    instead = "the item was kept as it came, and takes no updates"
    return Fault(FaultKind.ITEM_MALFORMED, problem, instead, OtherItem(json), json["id"])


def apply(item: ItemState, update: Update) -> ItemState | Fault:
    """One update to an item: a new state, the same object if nothing changed, or a fault.

    An update of an unknown type changes nothing that this release can see.
    """
    found = _REDUCERS.get(type(update))
    if found is None:
        return item
    state, reducer = found
    return reducer(item, update) if type(item) is state else misfit(item, update)
