"""The one palette for the fate of an item: in a terminal, in an SVG image, on a page of HTML.

* kept: blue, `#0072b2` on a light page, `#56b4e9` on a dark one;
* stale: amber, `#e69f00` and `#f0c04a`;
* lost: vermilion, `#d55e00` and `#e8743b`, hatched where an image can be.

`FATES` has them with their signs. `LIGHT` and `DARK` have the colours by names of CSS variables:
`kept` fills a shape, and `kept-t` is for text, which needs more contrast.

Blue, amber and vermilion are of the palette of Okabe and Ito, which people with any kind of colour
vision tell apart. Each fate has a sign as well: without any colour, the heavier the sign, the worse
the fate. Colour means a fate, and nothing else is drawn in these three.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

__all__ = ["DARK", "FATES", "LIGHT", "WORST_FIRST", "Shade"]


@attrs.frozen(kw_only=True)
class Shade:
    """How one fate is drawn."""

    name: str
    meaning: str
    letter: str
    block: str
    """A cell of a chart."""
    ascii: str
    """The same where there is nothing but ASCII."""
    light: str
    """On a light page, as `#rrggbb`."""
    dark: str
    """On a dark page."""
    light_text: str
    """For text on a light page."""
    dark_text: str
    terminal: int
    """One of the 240 fixed colours of a terminal: seen on a light and on a dark background."""
    basic: str
    """One of the 16 of which the user's theme decides how they look."""
    hatching: str | None = None
    """The name of the pattern that fills it in an image."""


FATES: Mapping[str, Shade] = MappingProxyType(
    {
        shade.name: shade
        for shade in (
            Shade(
                name="kept",
                meaning="kept: written to the store",
                letter="K",
                block="\u2591",
                ascii=".",
                light="#0072b2",
                dark="#56b4e9",
                light_text="#00609a",
                dark_text="#7cc5ee",
                terminal=32,
                basic="bright_blue",
            ),
            Shade(
                name="stale",
                meaning="stale: on the screen, not in the store",
                letter="S",
                block="\u2592",
                ascii="+",
                light="#e69f00",
                dark="#f0c04a",
                light_text="#8a5a00",
                dark_text="#f0c04a",
                terminal=136,
                basic="yellow",
            ),
            Shade(
                name="lost",
                meaning="lost: people saw it, and it is gone",
                letter="L",
                block="\u2588",
                ascii="#",
                light="#d55e00",
                dark="#e8743b",
                light_text="#b04300",
                dark_text="#f59a6b",
                terminal=166,
                basic="red",
                hatching="hatched",
            ),
        )
    }
)
"""The fates by name, from the bottom of a chart to its top."""

WORST_FIRST: tuple[str, ...] = tuple(FATES)[::-1]

LIGHT: Mapping[str, str] = MappingProxyType(
    {shade.name: shade.light for shade in FATES.values()}
    | {f"{shade.name}-t": shade.light_text for shade in FATES.values()}
)
"""The colours on a light page, by the names of CSS variables without their hyphens in front."""

DARK: Mapping[str, str] = MappingProxyType(
    {shade.name: shade.dark for shade in FATES.values()}
    | {f"{shade.name}-t": shade.dark_text for shade in FATES.values()}
)
"""The same on a dark page."""
