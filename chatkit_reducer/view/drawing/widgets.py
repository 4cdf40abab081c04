"""Widgets: an open tree of components, those of openai-chatkit 1.6.5 (`chatkit/widgets.py`).

A component of an unknown type is drawn as its type, its fields and its children. Roots are drawn
anywhere: the Widget Builder puts a ListView into a Card, which the types of the SDK do not have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatkit_reducer.core.vector import Vector
from chatkit_reducer.view.drawing.charts import chart
from chatkit_reducer.view.drawing.controls import CONTROLS, action
from chatkit_reducer.view.drawing.ends import Values
from chatkit_reducer.view.drawing.fields import mapping, string, whole_number
from chatkit_reducer.view.drawing.icons import icon
from chatkit_reducer.view.drawing.links import picture
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.styles import Style, box, color, length, typography
from chatkit_reducer.view.drawing.tree import (
    FRAGMENT,
    Child,
    Element,
    Growing,
    Markdown,
    around,
    element,
    shown,
    text,
)

__all__ = ["DEEPEST", "widget"]

DEEPEST = 40
"""How many levels of components are drawn."""


def widget(item: Any, place: Place) -> list[Child]:
    """Draw a widget."""
    return [place.at("widget").draw(_component, item.get("widget"))]


def _component(value: Any, place: Place) -> Element:
    if not isinstance(value, dict):
        return element("code.w-odd", shown(value, most=200))
    kind = string(value, "type")
    drawn = _COMPONENTS.get(kind, _unknown)
    return drawn(value, place)


def _children(component: Any) -> Values | None:
    """Return the children of a component: a list of them, or one; None if it has no place."""
    children = component.get("children")
    if isinstance(children, Vector):
        return children
    if isinstance(children, dict):
        return [children]
    return [one for one in children if one is not None] if isinstance(children, list) else None


def _inside(component: Any, place: Place) -> list[Element]:
    """Draw the children of a component, in fragments."""
    children = _children(component)
    if children is None:
        return []
    if place.depth >= DEEPEST:
        return [Element(FRAGMENT, {}, [element("span.w-odd", "\u2026 nested more deeply")])]
    return place.draw_all("children", _component, children)


def _theme(component: Any) -> str:
    theme = string(component, "theme")
    return f".theme-{theme}" if theme in ("light", "dark") else ""


# --- roots and frames -----------------------------------------------------------------------------

_WIDTHS = {"full": "100%", "lg": "560px", "md": "440px", "sm": "360px"}


def _card(component: Any, place: Place) -> Element:
    style = {"padding": "14px 16px", **box(component)}
    width = _WIDTHS.get(string(component, "size"))
    if width is not None:
        style["max-width"] = width
    form = ".w-form" if component.get("asForm") is True else ""
    tag = f"div.w-card{form}{_theme(component)}"
    inside = _inside(component, place)
    if component.get("collapsed") is True:
        title = "shown collapsed, until it is opened"
        inside = [
            Element(FRAGMENT, {}, [element("div.w-collapsed", *around((), inside), title=title)])
        ]
    return element(tag, *around([_status(component, place)], inside, [_foot(component)]), css=style)


def _status(component: Any, place: Place) -> Element | None:
    status = component.get("status")
    if not isinstance(status, dict):
        return None
    favicon = string(status, "favicon")
    frame = ".w-frame" if status.get("frame") is True else ""
    return element(
        f"div.w-status{frame}",
        icon(status.get("icon")),
        picture(favicon, "", place, css={"height": "16px"}) if favicon else None,
        text(status.get("text")),
    )


def _foot(component: Any) -> Element | None:
    buttons = [
        element(
            f"span.w-btn.w-{look}",
            text(component[name].get("label")),
            title=string(mapping(component[name], "action"), "type")[:80],
        )
        for name, look in (("cancel", "soft"), ("confirm", "solid"))
        if isinstance(component.get(name), dict)
    ]
    return element("div.w-foot", *buttons) if buttons else None


def _basic(component: Any, place: Place) -> Element:
    return element(
        f"div.w-basic{_theme(component)}",
        *around((), _inside(component, place)),
        css=box(component),
    )


def _list_view(component: Any, place: Place) -> Element:
    inside, more = _limited(component, place)
    around_them = around([_status(component, place)], inside, [more])
    return element(f"div.w-listview{_theme(component)}", *around_them, css=box(component))


def _limited(component: Any, place: Place) -> tuple[list[Element], Element | None]:
    """Draw the children of a list, and apart from them those beyond its limit."""
    children, limit = _children(component), whole_number(component.get("limit")) or 0
    if not children or not 0 < limit < len(children) or place.depth >= DEEPEST:
        return _inside(component, place), None
    every, title = list(children), "shown when all are asked for"
    rest = place.draw_all("rest", _component, every[limit:])
    more = element("div.w-more", *around((), rest), title=title)
    return place.draw_all("first", _component, every[:limit]), more


def _list_item(component: Any, place: Place) -> Element:
    return element(
        "div.w-item",
        *around((), _inside(component, place)),
        css=box(component),
        title=action(component),
    )


def _box(component: Any, place: Place) -> Element:
    is_row = component["type"] == "Row" or string(component, "direction") == "row"
    form = ".w-form" if component["type"] == "Form" else ""
    return element(
        f"div.w-{'row' if is_row else 'col'}{form}",
        *around((), _inside(component, place)),
        css=box(component),
        title=action(component),
    )


def _transition(component: Any, place: Place) -> Element:
    return element("div.w-trans", *around((), _inside(component, place)))


def _divider(component: Any, _: Place) -> Element:
    thickness = length(component.get("size"))
    margin = length(component.get("spacing"), 4) or "8px"
    style = {"margin": f"{margin} {'-16px' if component.get('flush') is True else '0'}"}
    shade = color(component.get("color"))
    if shade or thickness:
        style["border-top"] = f"{thickness or '1px'} solid {shade or 'var(--line)'}"
    return element("hr.w-divider", css=style)


def _spacer(component: Any, _: Place) -> Element:
    least = length(component.get("minSize"))
    return element("span.w-spacer", css={"min-width": least, "min-height": least} if least else {})


# --- texts ----------------------------------------------------------------------------------------

_TEXT_SIZES = {"3xs": 10, "2xs": 11, "xs": 12, "sm": 13, "md": 15, "lg": 17, "xl": 19}
_TITLE_SIZES = {
    "sm": 16,
    "md": 18,
    "lg": 20,
    "xl": 24,
    "2xl": 28,
    "3xl": 32,
    "4xl": 38,
    "5xl": 46,
}
_CAPTION_SIZES = {"sm": 11, "md": 12, "lg": 13}


def _streaming(component: Any) -> str:
    return ".streaming" if component.get("streaming") is True else ""


def _value(component: Any) -> Growing | str:
    value = component.get("value")
    return Growing(value, is_counted=True) if isinstance(value, str) else text(value)


def _markdown(component: Any, _: Place) -> Element:
    return element(f"div.w-md{_streaming(component)}", Markdown(_value(component)))


def _text(component: Any, _: Place) -> Element:
    is_editable = isinstance(component.get("editable"), dict)
    return element(
        f"div.w-text{_streaming(component)}{'.w-editable' if is_editable else ''}",
        _value(component),
        css=typography(component, _TEXT_SIZES),
        title=string(mapping(component, "editable"), "name")[:80],
    )


def _title(component: Any, _: Place) -> Element:
    style = typography(component, _TITLE_SIZES)
    return element(f"div.w-title{_streaming(component)}", _value(component), css=style)


def _caption(component: Any, _: Place) -> Element:
    style = typography(component, _CAPTION_SIZES)
    return element(f"div.w-caption{_streaming(component)}", _value(component), css=style)


def _label(component: Any, _: Place) -> Element:
    style = typography(component, _TEXT_SIZES)
    return element(
        f"span.w-label{_streaming(component)}",
        _value(component),
        css=style,
        title=string(component, "fieldName")[:80],
    )


_BADGES = {"danger", "discovery", "info", "success", "warning"}
_BADGE_LOOKS = {"outline", "soft", "solid"}


def _badge(component: Any, _: Place) -> Element:
    shade, look = string(component, "color"), string(component, "variant")
    classes = f".b-{shade if shade in _BADGES else 'secondary'}"
    classes += f".b-{look}" if look in _BADGE_LOOKS else ""
    return element(f"span.w-badge{classes}", text(component.get("label")))


# --- media ----------------------------------------------------------------------------------------


def _icon(component: Any, _: Place) -> Element:
    return icon(component.get("name"), component) or element("span.w-icon")


_FITS = {"contain", "cover", "fill", "none", "scale-down"}
_POSITIONS = {"bottom", "center", "left", "right", "top"}


def _image(component: Any, place: Place) -> Element:
    style: Style = box(component)
    fit, position = string(component, "fit"), string(component, "position").split()
    if fit in _FITS:
        style["object-fit"] = fit
    if 0 < len(position) < 3 and _POSITIONS.issuperset(position):
        style["object-position"] = " ".join(position)
    if component.get("frame") is True:
        style["border"] = "1px solid var(--line)"
    if component.get("flush") is True:
        style.setdefault("margin", "0 -16px")
    return picture(string(component, "src"), string(component, "alt"), place, css=style)


def _unknown(component: Any, place: Place) -> Element:
    known = ("type", "id", "key", "children")
    rest = {name: value for name, value in component.items() if name not in known}
    head = [
        element("span.tag", string(component, "type") or "no type"),
        element("code", shown(rest, most=300)) if rest else None,
    ]
    return element("div.w-unknown", *around(head, _inside(component, place)))


_COMPONENTS: dict[str, Callable[[Any, Place], Element]] = {
    "Badge": _badge,
    "Basic": _basic,
    "Box": _box,
    "Caption": _caption,
    "Card": _card,
    "Chart": chart,
    "Col": _box,
    "Divider": _divider,
    "Form": _box,
    "Icon": _icon,
    "Image": _image,
    "Label": _label,
    "ListView": _list_view,
    "ListViewItem": _list_item,
    "Markdown": _markdown,
    "Row": _box,
    "Spacer": _spacer,
    "Text": _text,
    "Title": _title,
    "Transition": _transition,
    **CONTROLS,
}
