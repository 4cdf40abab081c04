"""The forms of a value: this package's classes, plain JSON, the SDK's models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer import events as e
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.events import Json

Form: TypeAlias = Literal["struct", "json", "sdk"]


def check_form(value: object, *forms: Form) -> None:
    """Refuse an unknown form.

    Raises:
        InvalidArgument: the form is not one of these.
        ImportError: it is the SDK's, and the SDK is not installed.
    """
    if value not in forms:
        raise InvalidArgument(f"form={value!r} must be one of {', '.join(map(repr, forms))}")
    if value == "sdk":
        _sdk()


def _sdk() -> Any:
    try:
        # A caller without need of the SDK's models neither installs them nor waits for them.
        from chatkit_reducer.integrations import openai_chatkit
    except ImportError as error:
        raise ImportError(
            "form='sdk' makes models of openai-chatkit: pip install 'chatkit-reducer"
            "[openai-chatkit]' for that"
        ) from error
    return openai_chatkit


def in_form(
    values: st.SearchStrategy[Any],
    form: Form,
    *,
    json: Callable[[Any], Any] | None = None,
    sdk: Callable[[Any], Any],
) -> st.SearchStrategy[Any]:
    """Convert the values to this form; without `json` they are plain JSON already."""
    if form == "sdk":
        return values.map(partial(_known, sdk))
    return values if form == "struct" or json is None else values.map(json)


def _known(convert: Callable[[Any], Any], value: Any) -> Any:
    """Convert a value to the SDK's, or reject it.

    1.6.5 knows all values without unknown content; an older release may not.
    """
    try:
        return convert(value)
    except ValueError:
        reject()


def known_to_sdk(events: list[e.Event]) -> list[Any]:
    """Convert the events of a stream that the SDK knows, and leave out the others."""
    known = []
    for event in events:
        try:
            known.append(event_to_sdk(event))
        except ValueError:
            continue
    return known


def plain(value: e.Event | e.Update) -> Json:
    """Convert an event or update to plain JSON that shares no object with another value."""
    return json_copy(to_json(value))


def event_to_sdk(event: e.Event) -> Any:
    """Convert an event to the SDK's."""
    return _sdk().event_to_sdk(event)


def item_to_sdk(item: Json) -> Any:
    """Convert an item to the SDK's."""
    return _sdk().item_to_sdk(item)


def update_to_sdk(update: e.Update) -> Any:
    """Convert an update to the SDK's."""
    return event_to_sdk(e.ThreadItemUpdated("item_1", update)).update


def widget_to_sdk(root: Json) -> Any:
    """Convert the root of a widget to the SDK's."""
    item = {
        "id": "item_1",
        "type": "widget",
        "thread_id": "thread_1",
        "created_at": "2025-01-01T00:00:00",
        "widget": root,
    }
    return item_to_sdk(item).widget
