"""The SDK's pydantic models to our events and states, and back.

Nothing is lost either way: the mappings are those of the wire (`chatkit/server.py`,
`ChatKitServer._serialize`), where a field that is null is left out, because to the SDK a missing
one is the same; but for one that it requires, such as the content of a hidden item or the label of
a series in a chart. What this release does not know comes through as the SDK knows it; what the SDK
does not know, its models drop or refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import chatkit.types as sdk
from pydantic import BaseModel, TypeAdapter

from chatkit_reducer import events as ours
from chatkit_reducer.codec import from_json, to_json
from chatkit_reducer.items import ItemState
from chatkit_reducer.state import ThreadState

__all__ = [
    "event_from_sdk",
    "event_to_sdk",
    "item_from_sdk",
    "item_to_sdk",
    "items_to_sdk",
    "state_from_sdk",
]


def event_from_sdk(event: sdk.ThreadStreamEvent) -> ours.Event:
    """An event of the SDK as one of ours; it shares nothing with the other.

    Raises:
        DecodeError: its model holds something that no event has.
    """
    if type(event) is sdk.ThreadItemUpdatedEvent:
        update = event.update
        # Nearly all events of a stream are one of these two.
        if type(update) is sdk.AssistantMessageContentPartTextDelta:
            text = ours.AssistantMessageContentPartTextDelta(update.content_index, update.delta)
            return ours.ThreadItemUpdated(event.item_id, text)
        if type(update) is sdk.WidgetStreamingTextValueDelta:
            value = ours.WidgetStreamingTextValueDelta(
                update.component_id, update.delta, update.done
            )
            return ours.ThreadItemUpdated(event.item_id, value)
    return from_json(_dumped(event))


def event_to_sdk(event: ours.Event) -> sdk.ThreadStreamEvent:
    """One of our events as the SDK's.

    Raises:
        pydantic.ValidationError: the SDK that is installed does not know such an event.
    """
    converted: sdk.ThreadStreamEvent = _adapter("ThreadStreamEvent").validate_python(to_json(event))
    return converted


def item_from_sdk(item: sdk.ThreadItem) -> ours.Json:
    """An item of the SDK as the plain ChatKit JSON mapping."""
    return _dumped(item)


def item_to_sdk(item: ItemState | Mapping[str, Any]) -> sdk.ThreadItem:
    """An item, as a state or as plain ChatKit JSON, as the SDK's.

    Raises:
        pydantic.ValidationError: the SDK that is installed does not know such an item.
    """
    plain = dict(item) if isinstance(item, Mapping) else item.to_json()
    converted: sdk.ThreadItem = _adapter("ThreadItem").validate_python(plain)
    return converted


def state_from_sdk(
    items: Iterable[sdk.ThreadItem], *, thread: sdk.ThreadMetadata | None = None
) -> ThreadState:
    """The state of a thread whose items the store gave, in order."""
    metadata = None if thread is None else _dumped(thread)
    return ThreadState.from_items(map(item_from_sdk, items), thread=metadata)


def items_to_sdk(state: ThreadState) -> list[sdk.ThreadItem]:
    """All items of a thread as the SDK's, in order.

    Raises:
        pydantic.ValidationError: the SDK that is installed does not know one of them.
    """
    return [item_to_sdk(item) for item in state.items.values()]


def _dumped(model: BaseModel) -> ours.Json:
    plain: ours.Json = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    _restore_required(plain, model)
    return plain


def _restore_required(plain: Any, value: Any) -> None:
    """Puts back the nulls without which the models could not be made again."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            # Not `getattr`, which warns of the fields that the SDK has deprecated.
            key, inner = field.serialization_alias or field.alias or name, value.__dict__[name]
            if inner is None and field.is_required():
                plain[key] = None
            elif key in plain:
                _restore_required(plain[key], inner)
    elif isinstance(value, list):
        for plain_item, item in zip(plain, value, strict=True):
            _restore_required(plain_item, item)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(getattr(sdk, name))
