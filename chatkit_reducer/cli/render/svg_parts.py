"""The parts of an SVG image: numbers, texts, lines, and the style sheet with the palette."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap
from xml.sax.saxutils import escape

from chatkit_reducer.cli.render.text import one_line, shortened
from chatkit_reducer.palette import FATES

__all__ = [
    "DEFS",
    "LINE",
    "STYLE",
    "fill",
    "fitted",
    "label",
    "line",
    "number",
    "paragraph",
    "width_of",
    "xml_text",
]

SMALL = 12
LINE = 17
_WIDTHS = {"title": 10.3, "name": 8.0, "command": 7.3, "": 6.2}
"""About how wide a character of each kind of text is, in pixels: no font can be asked."""

# The rest without control characters: halves of surrogate pairs, and noncharacters.
_NO_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_LIGHT = "\n".join([f".{shade.name} {{ fill: {shade.light}; }}" for shade in FATES.values()])
_DARK = "\n".join([f"  .{shade.name} {{ fill: {shade.dark}; }}" for shade in FATES.values()])

STYLE = f"""\
text {{ font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
  font-size: {SMALL}px; fill: #57606a; }}
.page {{ fill: #ffffff; stroke: #d0d7de; }}
.title {{ font-size: 18px; font-weight: 600; fill: #1f2328; }}
.name {{ font-size: 14px; font-weight: 600; fill: #1f2328; }}
.command {{ font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; fill: #1f2328; }}
.end {{ text-anchor: end; }}
.middle {{ text-anchor: middle; }}
.grid {{ stroke: #d8dee4; stroke-width: 1; }}
.axis {{ stroke: #8c959f; stroke-width: 1; }}
.flight {{ stroke: #6e7781; stroke-width: 4; }}
.mark {{ fill: #1f2328; }}
.hatch {{ stroke: #ffffff; stroke-width: 2; stroke-opacity: .6; }}
{_LIGHT}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #9198a1; }}
  .page {{ fill: #0d1117; stroke: #3d444d; }}
  .title, .name, .command, .mark {{ fill: #f0f6fc; }}
  .grid {{ stroke: #2a313c; }}
  .axis {{ stroke: #656c76; }}
  .flight {{ stroke: #8b949e; }}
  .hatch {{ stroke: #0d1117; }}
{_DARK}
}}"""

DEFS = "".join(
    [
        f'<pattern id="{shade.hatching}" width="6" height="6" patternUnits="userSpaceOnUse"\n'
        f'  patternTransform="rotate(45)"><rect class="{shade.name}" width="6" height="6"/>\n'
        '  <line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern>'
        for shade in FATES.values()
        if shade.hatching
    ]
)


def xml_text(text: str) -> str:
    """Escape a text for XML."""
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", one_line(text)))


def number(value: float) -> str:
    """Write a coordinate."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def label(x: float, y: float, text: str, kind: str = "") -> str:
    """Draw a text on one line."""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{number(x)}" y="{number(y)}"{style}>{xml_text(text)}</text>'


def fitted(text: str, room: float, kind: str = "") -> str:
    """Shorten the text to about so many pixels."""
    return shortened(one_line(text), max(4, int(room / _WIDTHS[kind])))


def width_of(text: str, kind: str = "") -> float:
    """Estimate the width of a text, in pixels."""
    return len(text) * _WIDTHS[kind]


def paragraph(x: float, y: float, text: str, room: float, kind: str = "") -> Iterator[str]:
    """Draw a text in as many lines as it takes."""
    apart = LINE + 4 if kind == "title" else LINE
    for row, part in enumerate(wrap(one_line(text), max(10, int(room / _WIDTHS[kind])))):
        yield label(x, y + row * apart, part, kind)


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """Draw a straight line."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line class="{kind}" {ends}/>'


def fill(fate: str) -> str:
    """Return the attribute that fills a shape with the colour of a fate, and its hatching."""
    hatching = FATES[fate].hatching
    return f'class="{fate}"' if hatching is None else f'fill="url(#{hatching})"'
