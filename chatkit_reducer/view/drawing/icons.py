"""Icons of widgets, as characters."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.halves import mended
from chatkit_reducer.view.drawing.fields import string
from chatkit_reducer.view.drawing.styles import color
from chatkit_reducer.view.drawing.tree import Element, element

__all__ = ["icon"]

_SIGNS = {
    "analytics": "\u25d4",
    "bolt": "\u03df",
    "calendar": "\u25a6",
    "chart": "\u25d4",
    "check": "\u2713",
    "check-circle": "\u2713",
    "check-circle-filled": "\u2713",
    "chevron-left": "\u2039",
    "chevron-right": "\u203a",
    "circle-question": "?",
    "clock": "\u25f7",
    "cube": "\u25a3",
    "document": "\u25a4",
    "dot": "\u2022",
    "dots-horizontal": "\u22ef",
    "dots-vertical": "\u22ee",
    "empty-circle": "\u25cb",
    "external-link": "\u2197",
    "globe": "\u25cd",
    "info": "\u24d8",
    "keys": "\u26bf",
    "lightbulb": "\u2600",
    "mail": "\u2709",
    "map-pin": "\u2316",
    "phone": "\u260e",
    "play": "\u25b6",
    "plus": "+",
    "profile": "\u263a",
    "reload": "\u21bb",
    "search": "\u2315",
    "sparkle": "\u2726",
    "sparkle-double": "\u2726",
    "star": "\u2606",
    "star-filled": "\u2605",
    "user": "\u263a",
    "write": "\u270e",
}
_OTHER = "\u25c7"
_SIZES = {"xs": 12, "sm": 14, "md": 16, "lg": 18, "xl": 22, "2xl": 26, "3xl": 32}


def icon(name: Any, component: Any = None) -> Element | None:
    """Draw the icon of this name; None where there is none.

    Args:
        name: its name, of the SDK's or a vendor's.
        component: the component that says its size and colour.
    """
    if not isinstance(name, str):
        return None
    size, shade = _SIZES.get(string(component, "size")), None
    if isinstance(component, dict):
        shade = color(component.get("color"))
    style = {"font-size": f"{size}px"} if size else {}
    if shade:
        style["color"] = shade
    return element("span.w-icon", _SIGNS.get(name, _OTHER), title=mended(name[:60]), css=style)
