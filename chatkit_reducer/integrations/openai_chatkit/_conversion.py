"""Convert the SDK's pydantic models to our events and states, and back.

Nothing is lost either way. The mappings are those of the wire (`chatkit/server.py`,
`ChatKitServer._serialize`): a null field is left out, because the SDK treats a missing field the
same, except where the field is required, such as the content of a hidden item or the label of a
series in a chart. Types and fields that this package does not know are kept as the SDK has them;
the SDK's models drop or refuse those that the SDK does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import chatkit.types as sdk
import msgspec
from chatkit import widgets
from pydantic import BaseModel, TypeAdapter, ValidationError

from chatkit_reducer import events as ours
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.sdk_models import json_of_model
from chatkit_reducer.core.thread.state import ThreadState

__all__ = [
    "event_from_sdk",
    "event_to_sdk",
    "item_from_sdk",
    "item_to_sdk",
    "items_to_sdk",
    "readable_item",
    "state_from_sdk",
]


def event_from_sdk(event: sdk.ThreadStreamEvent) -> ours.Event:
    """Convert an event of the SDK to one of ours, which shares nothing with it.

    Raises:
        DecodeError: its model holds a value that an event cannot have.
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
    return from_json(json_of_model(event))


def event_to_sdk(event: ours.Event) -> sdk.ThreadStreamEvent:
    """Convert one of our events to the SDK's.

    Raises:
        pydantic.ValidationError: the SDK that is installed does not know such an event.
    """
    plain = mended_json(to_json(event))  # pydantic refuses half of a character
    converted: sdk.ThreadStreamEvent = _adapter("ThreadStreamEvent").validate_python(plain)
    _keep_widgets(plain, converted)
    return converted


def item_from_sdk(item: sdk.ThreadItem) -> ours.Json:
    """Convert an item of the SDK to the plain ChatKit JSON mapping."""
    return json_of_model(item)


def readable_item(item: sdk.ThreadItem) -> ours.Json:
    """Convert an item of the SDK to JSON; a value that is not JSON is replaced by its `repr`."""
    try:
        return json_of_model(item)
    except (ValueError, TypeError, RecursionError):
        python = item.model_dump(by_alias=True, exclude_none=True)
        plain: ours.Json = msgspec.to_builtins(python, str_keys=True, enc_hook=repr)
        return plain


def item_to_sdk(item: ItemState | Mapping[str, Any]) -> sdk.ThreadItem:
    """Convert an item, a state or plain ChatKit JSON, to the SDK's.

    Raises:
        pydantic.ValidationError: the SDK that is installed does not know such an item.
    """
    plain = dict(item) if isinstance(item, Mapping) else item.to_json()
    plain = mended_json(plain)
    converted: sdk.ThreadItem = _adapter("ThreadItem").validate_python(plain)
    _keep_widgets(plain, converted)
    return converted


def state_from_sdk(
    items: Iterable[sdk.ThreadItem], *, thread: sdk.ThreadMetadata | None = None
) -> ThreadState:
    """Return the state of a thread that has these items of a store, in this order."""
    metadata = None if thread is None else json_of_model(thread)
    return ThreadState.from_items(map(item_from_sdk, items), thread=metadata)


def items_to_sdk(state: ThreadState) -> list[sdk.ThreadItem]:
    """Convert all items of a thread to the SDK's, in order.

    Raises:
        pydantic.ValidationError: the SDK that is installed does not know one of them.
    """
    return [item_to_sdk(item) for item in state.items.values()]


def _keep_widgets(plain: Any, value: Any) -> None:
    """Replace widgets that lost or gained fields when the SDK's strict models read them.

    A widget of a `.widget` template has fields of its own. To read it, pydantic prefers the strict
    model of its type (1.6.5, `chatkit/widgets.py`, `WidgetRoot`), which drops them.
    """
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            key, inner = field.alias or name, value.__dict__[name]
            if isinstance(inner, widgets.WidgetComponentBase):
                setattr(value, name, _choose_widget(plain[key], inner))
            elif key in plain:
                _keep_widgets(plain[key], inner)
    elif isinstance(value, list):
        for plain_item, item in zip(plain, value, strict=True):
            _keep_widgets(plain_item, item)


def _choose_widget(plain: ours.Json, widget: widgets.WidgetComponentBase) -> Any:
    """Return the widget, or a dynamic one if only that has exactly these fields."""
    wanted = _without_nulls(plain)
    if _without_nulls(json_of_model(widget)) == wanted:
        return widget
    is_root = isinstance(widget, widgets.Card | widgets.ListView)
    dynamic = widgets.DynamicWidgetRoot if is_root else widgets.DynamicWidgetComponent
    try:
        return dynamic.model_validate(wanted)
    except ValidationError:
        return widget


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(getattr(sdk, name))
