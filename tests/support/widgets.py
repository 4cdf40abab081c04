"""A small widget: a text, and a card around it."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.events import Json

TEXT = {"type": "Text", "id": "t", "value": "a"}


def card(*children: Any, **fields: Any) -> Json:
    """A card that has no id of its own."""
    return {"type": "Card", "children": list(children), **fields}
