"""The forms in which a value can be had: as this package holds it, as plain JSON, as the SDK's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer import events as e
from chatkit_reducer.codec import to_json
from chatkit_reducer.json_values import Json, json_copy

__all__ = [
    "Form",
    "check_form",
    "event_to_sdk",
    "in_form",
    "item_to_sdk",
    "known_to_sdk",
    "plain",
    "update_to_sdk",
    "widget_to_sdk",
]

Form: TypeAlias = Literal["struct", "json", "sdk"]


def check_form(value: object, *forms: Form) -> None:
    """Refuses a form that there is not.

    Raises:
        InvalidArgument: the form is none of these.
        ImportError: it is the SDK's, and the SDK is not installed.
    """
    if value not in forms:
        raise InvalidArgument(f"form={value!r} must be one of {', '.join(map(repr, forms))}")
    if value == "sdk":
        _sdk()


def _sdk() -> Any:
    try:
        # Whoever does without the SDK's models need not have them, nor wait for them.
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
    """The values in this form; without `json` they are plain JSON already."""
    if form == "sdk":
        return values.map(partial(_known, sdk))
    return values if form == "struct" or json is None else values.map(json)


def _known(convert: Callable[[Any], Any], value: Any) -> Any:
    """What the SDK makes of a value.

    It knows all of those without unknown content, if it is 1.6.5: an older release may not.
    """
    try:
        return convert(value)
    except ValueError:
        reject()


def known_to_sdk(events: list[e.Event]) -> list[Any]:
    """The events of a stream that the SDK knows, as the SDK's."""
    known = []
    for event in events:
        try:
            known.append(event_to_sdk(event))
        except ValueError:
            continue
    return known


def plain(value: e.Event | e.Update) -> Json:
    """An event or update as plain JSON. It shares nothing with another: one may write to it."""
    return json_copy(to_json(value))


def event_to_sdk(event: e.Event) -> Any:
    """An event as the SDK's."""
    return _sdk().event_to_sdk(event)


def item_to_sdk(item: Json) -> Any:
    """An item as the SDK's."""
    return _sdk().item_to_sdk(item)


def update_to_sdk(update: e.Update) -> Any:
    """An update as the SDK's."""
    return event_to_sdk(e.ThreadItemUpdated("item_1", update)).update


def widget_to_sdk(root: Json) -> Any:
    """The root of a widget as the SDK's."""
    item = {
        "id": "item_1",
        "type": "widget",
        "thread_id": "thread_1",
        "created_at": "2025-01-01T00:00:00",
        "widget": root,
    }
    return item_to_sdk(item).widget
