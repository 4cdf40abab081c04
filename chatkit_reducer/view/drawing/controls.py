"""Controls of widgets: drawn as they look, and never to be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatkit_reducer.view.drawing.fields import mapping, objects, string
from chatkit_reducer.view.drawing.icons import icon
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import Element, element, text

__all__ = ["CONTROLS", "action"]

_ACTIONS = ("onClickAction", "onSubmitAction", "onChangeAction")


def action(component: Any) -> str:
    """Say which action a control has, if any."""
    for name in _ACTIONS:
        kind = string(mapping(component, name), "type")
        if kind:
            return f"{name}: {kind[:80]}"
    return ""


def _flags(component: Any, **classes: str) -> str:
    return "".join(f".{name}" for field, name in classes.items() if component.get(field) is True)


def _button(component: Any, _: Place) -> Element:
    is_solid = string(component, "style") == "primary" or string(component, "variant") == "solid"
    flags = _flags(component, block="w-block", disabled="w-off", uniform="w-uniform", pill="w-pill")
    label = component.get("label")
    return element(
        f"span.w-btn.w-{'solid' if is_solid else 'soft'}{flags}",
        icon(component.get("iconStart")),
        None if label is None else text(label),
        icon(component.get("iconEnd")),
        title=action(component) or ("submits the form" if component.get("submit") else ""),
    )


def _checkbox(component: Any, _: Place) -> Element:
    tick = ".on" if component.get("defaultChecked") is True else ""
    return element(
        f"span.w-check{_flags(component, disabled='w-off')}",
        element(f"span.w-tick{tick}"),
        text(component.get("label")),
        title=action(component),
    )


def _radio_group(component: Any, _: Place) -> Element:
    row = ".w-rowdir" if string(component, "direction") == "row" else ""
    chosen = string(component, "defaultValue")
    options = [_radio(option, chosen) for option in objects(component, "options")]
    tag = f"div.w-radios{row}{_flags(component, disabled='w-off')}"
    return element(
        tag, *options, title=action(component), aria_label=string(component, "ariaLabel")[:80]
    )


def _radio(option: Any, chosen: str) -> Element:
    value = string(option, "value")
    tick = ".on" if value and value == chosen else ""
    return element(
        f"span.w-check{_flags(option, disabled='w-off')}",
        element(f"span.w-tick.round{tick}"),
        string(option, "label") or value,
    )


def _select(component: Any, _: Place) -> Element:
    options, chosen = objects(component, "options"), string(component, "defaultValue")
    labels = [string(option, "label") or string(option, "value") for option in options]
    values = [string(option, "value") for option in options]
    label = labels[values.index(chosen)] if chosen and chosen in values else None
    return element(
        f"span.w-input.w-select{_shape(component)}",
        label or _placeholder(component, "choose"),
        element("span.w-icon", "\u25be"),
        title=" | ".join(labels)[:200],
    )


def _shape(component: Any) -> str:
    return _flags(component, block="w-block", disabled="w-off", pill="w-pill")


def _placeholder(component: Any, otherwise: str) -> Element:
    return element("i", string(component, "placeholder") or otherwise)


def _input(component: Any, _: Place) -> Element:
    return _field(component, "")


def _textarea(component: Any, _: Place) -> Element:
    return _field(component, ".w-area")


def _field(component: Any, kind: str) -> Element:
    name = string(component, "name")
    return element(
        f"span.w-input{kind}{_shape(component)}",
        string(component, "defaultValue") or _placeholder(component, name),
        title=name[:80],
    )


CONTROLS: dict[str, Callable[[Any, Place], Element]] = {
    "Button": _button,
    "Checkbox": _checkbox,
    "DatePicker": _input,
    "Input": _input,
    "RadioGroup": _radio_group,
    "Select": _select,
    "Textarea": _textarea,
}
"""The controls by the type of the component."""
