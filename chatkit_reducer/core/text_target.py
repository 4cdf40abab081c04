"""Which text a delta lengthens."""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeAlias

from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    ThreadItemUpdated,
    WidgetStreamingTextValueDelta,
)

__all__ = ["PLACES", "TextTarget", "text_target"]

TextTarget: TypeAlias = "tuple[str, int | str]"
"""One text: the id of its item, and the part or the component in it."""

PLACES: MappingProxyType[type[Any], Any] = MappingProxyType(
    {
        AssistantMessageContentPartTextDelta: attrgetter("content_index"),
        WidgetStreamingTextValueDelta: attrgetter("component_id"),
    }
)
"""Class of a text delta to the function that returns the place of its text in the item."""


def text_target(event: object) -> TextTarget | None:
    """Return the text that an event lengthens; None for any event but a text delta."""
    if not isinstance(event, ThreadItemUpdated):
        return None
    place_of = PLACES.get(type(event.update))
    return None if place_of is None else (event.item_id, place_of(event.update))
