"""The style of components: properties of CSS, each value of a fixed set of forms.

A value that is of none of these forms is left out. None of them has an address in it.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from chatkit_reducer.view.drawing.fields import mapping, number, string, whole_number

__all__ = ["CSS_VALUE", "Style", "box", "color", "length", "spacing", "typography"]

Style: TypeAlias = dict[str, str]

UNIT = 4
"""How many pixels a unit of space has."""

_LENGTH = r"-?(?:\d{1,7}(?:\.\d{1,6})?|\.\d{1,6})(?:px|em|rem|%|vh|vw|fr|ch|deg)?"
_SIMPLE_COLOR = (
    r"#[0-9a-fA-F]{3,8}|[a-zA-Z]{1,30}|var\(--[a-z0-9]{1,12}\)"
    r"|(?:rgb|rgba|hsl|hsla|oklch|oklab|lab|lch)\([\d\s.,%/deg-]{1,60}\)"
)
_COLOR = re.compile(_SIMPLE_COLOR)

CSS_VALUE = re.compile(
    rf"(?:{_LENGTH}|[a-z-]{{1,30}}|{_SIMPLE_COLOR}"
    rf"|light-dark\((?:{_SIMPLE_COLOR}), (?:{_SIMPLE_COLOR})\))"
    rf"(?: (?:{_LENGTH}|[a-z-]{{1,30}}|{_SIMPLE_COLOR}"
    rf"|light-dark\((?:{_SIMPLE_COLOR}), (?:{_SIMPLE_COLOR})\))){{0,3}}"
)
"""What a value in a tree looks like; a page may ask for it again."""

_TOKENS = {
    "caution": "warn",
    "danger": "bad",
    "default": "line",
    "discovery": "purple",
    "emphasis": "fg",
    "info": "fg2",
    "primary": "fg",
    "prose": "fg",
    "secondary": "fg2",
    "strong": "fg3",
    "subtle": "line",
    "success": "ok",
    "surface": "card",
    "surface-elevated": "card",
    "surface-elevated-secondary": "bg2",
    "surface-secondary": "bg2",
    "surface-tertiary": "bg3",
    "tertiary": "fg3",
    "warning": "warn",
}
"""Names of colours in widgets: the variables of a page that stand for them."""

_HUES = {
    "blue": 215,
    "gray": 220,
    "green": 145,
    "orange": 25,
    "pink": 330,
    "purple": 275,
    "red": 0,
    "yellow": 48,
}

_SHADE = re.compile(r"([a-z]{1,10})-(\d{1,4})")


def color(value: Any) -> str | None:
    """Return a colour: a name, a shade such as `red-100`, CSS, or a pair for light and dark."""
    if not isinstance(value, dict):
        return _one_color(value)
    light, dark = _one_color(value.get("light")), _one_color(value.get("dark"))
    if light is None or dark is None:
        return light or dark
    return f"light-dark({light}, {dark})"


def _one_color(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if value in _TOKENS:
        return f"var(--{_TOKENS[value]})"
    shade = _SHADE.fullmatch(value)
    if shade is not None and shade[1] in _HUES:
        saturation = 8 if shade[1] == "gray" else 72
        lightness = max(6.0, 97 - min(int(shade[2]), 1000) * 0.085)
        return f"hsl({_HUES[shade[1]]} {saturation}% {lightness:.0f}%)"
    is_css = _COLOR.fullmatch(value) is not None and not value.startswith("var")
    return value if is_css else None


_MOST_PIXELS = 4000
_LENGTHS = re.compile(_LENGTH)


def length(value: Any, unit: int = 1) -> str | None:
    """Return a length: a number of units of so many pixels, or CSS."""
    if isinstance(value, str):
        return value if _LENGTHS.fullmatch(value) or value == "auto" else None
    pixels = number(value)
    if pixels is None or abs(pixels * unit) > _MOST_PIXELS:
        return None
    return f"{round(pixels * unit, 2):.10g}px"


def spacing(value: Any) -> str | None:
    """Return the space at four sides: one length for all, or an object with a length for some."""
    if not isinstance(value, dict):
        return length(value, UNIT)
    sides = (("top", "y"), ("right", "x"), ("bottom", "y"), ("left", "x"))
    return " ".join(
        next((one for name in names if (one := length(value.get(name), UNIT))), "0")
        for names in sides
    )


_ALIGN = {
    "baseline": "baseline",
    "center": "center",
    "end": "flex-end",
    "start": "flex-start",
    "stretch": "stretch",
}
_JUSTIFY = {
    **_ALIGN,
    "around": "space-around",
    "between": "space-between",
    "evenly": "space-evenly",
}
_WRAPS = {"nowrap", "wrap", "wrap-reverse"}
_RADII = {
    "100%": "100%",
    "2xl": "16px",
    "2xs": "2px",
    "3xl": "20px",
    "4xl": "24px",
    "full": "999px",
    "lg": "8px",
    "md": "6px",
    "none": "0",
    "sm": "4px",
    "xl": "12px",
    "xs": "3px",
}
_SIZES = {
    "height": ("height",),
    "maxHeight": ("max-height",),
    "maxSize": ("max-width", "max-height"),
    "maxWidth": ("max-width",),
    "minHeight": ("min-height",),
    "minSize": ("min-width", "min-height"),
    "minWidth": ("min-width",),
    "size": ("width", "height"),
    "width": ("width",),
}


def box(component: Any) -> Style:
    """Return the style of a box: its sizes, space, place, background and border."""
    flex = component.get("flex")
    wrap, radius = string(component, "wrap"), string(component, "radius")
    style: dict[str, str | None] = {
        property_: length(component.get(name))
        for name, properties in _SIZES.items()
        for property_ in properties
        if name in component
    }
    style |= {
        "gap": length(component.get("gap"), UNIT),
        "padding": spacing(component.get("padding")),
        "margin": spacing(component.get("margin")),
        "align-items": _ALIGN.get(string(component, "align")),
        "justify-content": _JUSTIFY.get(string(component, "justify")),
        "flex-wrap": wrap if wrap in _WRAPS else None,
        "flex": flex if flex in ("auto", "none") else _bare(flex),
        "background": color(component.get("background")),
        "aspect-ratio": _ratio(component.get("aspectRatio")),
        "border-radius": _RADII.get(radius),
        **_borders(component.get("border")),
    }
    return _given(style)


def _given(style: dict[str, str | None]) -> Style:
    return {name: value for name, value in style.items() if value}


def _bare(value: Any) -> str | None:
    """Return a number without a unit."""
    if isinstance(value, str):
        return value if re.fullmatch(r"\d{1,4}(\.\d{1,4})?", value) else None
    found = number(value)
    return None if found is None or not 0 <= found < _MOST_PIXELS else _decimal(found)


def _ratio(value: Any) -> str | None:
    found = re.fullmatch(r"(\d{1,5}) ?/ ?(\d{1,5})", value) if isinstance(value, str) else None
    if found is None:
        return value if value == "auto" else _bare(value)
    return _decimal(int(found[1]) / max(1, int(found[2])))


def _decimal(value: float) -> str:
    """Return a number as CSS has it here: without an exponent, and with few digits."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


_LINES = {"dashed", "dotted", "double", "solid"}


def _borders(value: Any) -> dict[str, str | None]:
    """Return the border: one for all sides, or an object with one for some of them."""
    if not isinstance(value, dict) or "size" in value:
        return {"border": _border(value)}
    axes = {"top": "y", "right": "x", "bottom": "y", "left": "x"}
    return {f"border-{side}": _border(value.get(side, value.get(axes[side]))) for side in axes}


def _border(value: Any) -> str | None:
    width = whole_number(value.get("size") if isinstance(value, dict) else value)
    if width is None or width < 0:
        return None
    line, shade = string(value, "style"), color(mapping({"": value}, "").get("color"))
    return f"{min(width, 20)}px {line if line in _LINES else 'solid'} {shade or 'var(--line)'}"


_WEIGHTS = {"bold": "700", "medium": "500", "normal": "400", "semibold": "600"}
_TEXT_ALIGN = {"center", "end", "start"}


def typography(component: Any, sizes: dict[str, int]) -> Style:
    """Return the style of a text.

    Args:
        component: the component.
        sizes: the sizes in pixels, by their names.
    """
    align, size = string(component, "textAlign"), sizes.get(string(component, "size"))
    style: dict[str, str | None] = {
        "color": color(component.get("color")),
        "font-weight": _WEIGHTS.get(string(component, "weight")),
        "font-size": None if size is None else f"{size}px",
        "text-align": align if align in _TEXT_ALIGN else None,
        "font-style": "italic" if component.get("italic") is True else None,
        "text-decoration": "line-through" if component.get("lineThrough") is True else None,
        "width": length(component.get("width")),
        "min-height": _lines(component.get("minLines")),
    }
    return _given(style | _clamped(component))


def _lines(value: Any) -> str | None:
    count = whole_number(value)
    return None if count is None or not 0 < count < 100 else f"{count * 1.5:g}em"


def _clamped(component: Any) -> dict[str, str | None]:
    """Return the style of a text of which only so many lines are shown."""
    most = whole_number(component.get("maxLines"))
    if component.get("truncate") is True:
        return {"white-space": "nowrap", "overflow": "hidden", "text-overflow": "ellipsis"}
    if most is None or not 0 < most < 1000:
        return {}
    return {
        "-webkit-line-clamp": str(most),
        "display": "-webkit-box",
        "-webkit-box-orient": "vertical",
        "overflow": "hidden",
    }
