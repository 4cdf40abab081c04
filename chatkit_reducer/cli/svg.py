"""A sweep as an SVG image: it stands alone, holds no script, and follows a dark page.

Blue, orange and a hatched vermilion are of the palette of Okabe and Ito, which people with any kind
of colour vision tell apart; the hatching tells it without any colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import ceil, floor, log10
from types import MappingProxyType
from xml.sax.saxutils import escape

from chatkit_reducer.cli.swept import Amount, Swept, amount_text
from chatkit_reducer.cli.text import one_line
from chatkit_reducer.policy import Cause

__all__ = ["sweep_svg"]

_WIDTH = 880
_LEFT = 92
_RIGHT = 28
_PLOT = _WIDTH - _LEFT - _RIGHT
_HEAD = 104
_PANEL_HEAD = 30
_HEIGHT = 110
_LANE = 12
_LANE_GAP = 6
_PANEL_GAP = 24
_FOOT = 46
_MOST_THREADS = 8
_TITLE_LIMIT = 60
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)

# From the bottom of the chart to its top, and what each of them means.
_FATES: MappingProxyType[str, str] = MappingProxyType(
    {
        "kept": "kept: written to the store",
        "stale": "stale: on the screen, not in the store",
        "lost": "lost: people saw it, and it is gone",
    }
)

# What is left of it when no control characters are: halves of surrogate pairs, and no characters.
_NO_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE = """\
text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
  font-size: 12px; fill: #57606a; }
.page { fill: #ffffff; stroke: #d0d7de; }
.title { font-size: 19px; font-weight: 600; fill: #1f2328; }
.name { font-size: 14px; font-weight: 600; fill: #1f2328; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.axis { stroke: #8c959f; stroke-width: 1; }
.kept { fill: #0072b2; }
.stale { fill: #e69f00; }
.lost { fill: #d55e00; }
.hatch { stroke: #ffffff; stroke-width: 2; stroke-opacity: .6; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; }
  .page { fill: #0d1117; stroke: #3d444d; }
  .title, .name { fill: #f0f6fc; }
  .grid { stroke: #2a313c; }
  .axis { stroke: #656c76; }
  .kept { fill: #56b4e9; }
  .stale { fill: #f0c04a; }
  .lost { fill: #e8743b; }
  .hatch { stroke: #0d1117; }
}"""

_PATTERN = """\
<pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse"
  patternTransform="rotate(45)"><rect class="lost" width="6" height="6"/>
  <line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern>"""


def sweep_svg(threads: Sequence[Swept], cause: Cause, log: str) -> str:
    """The image: a chart for each policy and thread, one under the other.

    Args:
        threads: the threads of the log; of very many, the first are drawn.
        cause: how the stream would have ended.
        log: what the log is called.
    """
    drawn = threads[:_MOST_THREADS]
    body: list[str] = []
    y = float(_HEAD)
    for swept in drawn:
        for policy in range(len(swept.names)):
            body += _panel(swept, policy, y, named=len(threads) > 1)
            y += _panel_height(swept)
        body += _axis(swept, y - _PANEL_GAP)
        y += _FOOT - _PANEL_GAP
    height = ceil(y)
    title = f"What survives if {_short(log)} stops here"
    described = _described(drawn, len(threads), cause)
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {_size(height)} role="img">',
        f"<title>{_text(title)}</title>",
        f"<desc>{_text(_in_words(drawn))}</desc>",
        f"<style>\n{_STYLE}\n</style>",
        f"<defs>{_PATTERN}</defs>",
        f'<rect class="page" x=".5" y=".5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>',
        _label(24, 36, title, "title"),
        _label(24, 58, described),
        *_legend(),
    ]
    return "\n".join([*head, *body, "</svg>", ""])


def _size(height: int) -> str:
    return f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'


def _text(text: str) -> str:
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", one_line(text)))


def _short(text: str) -> str:
    return one_line(text, _TITLE_LIMIT)


def _label(x: float, y: float, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{_number(x)}" y="{_number(y)}"{style}>{_text(text)}</text>'


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _described(drawn: Sequence[Swept], count: int, cause: Cause) -> str:
    what = "Everything that people had seen of the items in flight, if the stream"
    ends = {
        Cause.ENDED: "just ended",
        Cause.CANCELLED: "was cancelled",
        Cause.FAILED: "failed",
        Cause.TIMED_OUT: "timed out",
        Cause.CRASHED: "crashed",
    }[cause]
    more = f" The first {len(drawn)} of {count:,} threads." if count > len(drawn) else ""
    return f"{what} {ends} after this many events.{more}"


def _in_words(drawn: Sequence[Swept]) -> str:
    """The image for those who do not see it."""
    sentences = []
    for swept in drawn:
        for number, name in enumerate(swept.names):
            summary = swept.summary(number)
            where = "" if len(drawn) == 1 else f" in {swept.thread or 'a thread without an id'}"
            said = f"Policy {name}{where}: {summary.mean_share:.0%} lost on average"
            if summary.worst is not None:
                at = f"{summary.worst.at:,} events"
                said += f", most after {at}: {amount_text(summary.lost)}"
            sentences.append(f"{said}.")
    return " ".join(sentences)


def _legend() -> Iterator[str]:
    x = 24.0
    for fate, meaning in _FATES.items():
        yield f'<rect {_fill(fate)} x="{_number(x)}" y="74" width="14" height="12" rx="2"/>'
        yield _label(x + 20, 84, meaning)
        x += 36 + 6.1 * len(meaning)


def _fill(fate: str) -> str:
    return 'fill="url(#hatched)"' if fate == "lost" else f'class="{fate}"'


# --- one policy -----------------------------------------------------------------------------------


def _lanes(swept: Swept) -> list[str]:
    return [kind for kind in swept.kinds if kind != "characters"]


def _plot_height(swept: Swept) -> int:
    return _HEIGHT if "characters" in swept.kinds or not swept.kinds else 0


def _panel_height(swept: Swept) -> float:
    lanes = len(_lanes(swept)) * (_LANE + _LANE_GAP) + (_LANE_GAP / 2 if _lanes(swept) else 0)
    return _PANEL_HEAD + _plot_height(swept) + lanes + _PANEL_GAP


def _panel(swept: Swept, policy: int, y: float, *, named: bool) -> Iterator[str]:
    """The chart of one policy: the characters, and below them a lane for each other kind."""
    name = swept.names[policy]
    if named:
        name = f"{name} \u00b7 {swept.thread or 'no id'}"
    yield _label(_LEFT, y + 18, one_line(name, _TITLE_LIMIT), "name")
    summary = swept.summary(policy)
    yield _label(_WIDTH - _RIGHT, y + 18, f"{summary.mean_share:.0%} lost on average", "end")
    y += _PANEL_HEAD
    columns = min(_PLOT // 2, len(swept.stops))
    if _plot_height(swept):
        top = _nice(swept.most.characters)
        yield from _grid(top, y)
        if swept.kinds:
            amounts = swept.columns("characters", policy, columns)
            yield from _areas(amounts, top, y)
        bottom = y + _HEIGHT
        yield _line("axis", _LEFT, bottom, _LEFT + _PLOT, bottom)
        y = bottom + _LANE_GAP / 2
    for kind in _lanes(swept):
        y += _LANE_GAP
        yield _label(_LEFT - 10, y + _LANE - 2, kind, "end")
        yield from _lane(swept.columns(kind, policy, columns), y)
        y += _LANE


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{_number(x1)}" y1="{_number(y1)}" x2="{_number(x2)}" y2="{_number(y2)}"'
    return f'<line class="{kind}" {ends}/>'


def _nice(most: float) -> int:
    """The round number at or above this one."""
    if most <= 4:
        return 4
    unit = 10.0 ** floor(log10(most))
    return next(ceil(unit * step) for step in _STEPS if unit * step >= most)


def _grid(top: int, y: float) -> Iterator[str]:
    for part in (0, 0.5, 1):
        value, at = top * part, y + _HEIGHT * (1 - part)
        if part:
            yield _line("grid", _LEFT, at, _LEFT + _PLOT, at)
        yield _label(_LEFT - 10, at + 4, f"{value:,.10g}", "end")
    yield _label(_LEFT - 10, y + _HEIGHT / 4 + 4, "characters", "end")


def _areas(amounts: Sequence[Amount], top: int, y: float) -> Iterator[str]:
    """The amounts in steps, each fate on top of the one before."""
    below = [0] * len(amounts)
    for fate in _FATES:
        values = [getattr(amount, fate) for amount in amounts]
        path = "".join(_stretches(below, values, top, y + _HEIGHT))
        if path:
            yield f'<path {_fill(fate)} d="{path}"/>'
        below = [under + value for under, value in zip(below, values, strict=True)]


def _stretches(below: list[int], values: list[int], top: int, bottom: float) -> Iterator[str]:
    """A path around each stretch of columns in which there is anything."""

    def x(column: int) -> str:
        return _number(_LEFT + _PLOT * column / len(values))

    def y(value: int) -> str:
        return _number(bottom - _HEIGHT * value / top)

    for there, stretch in groupby(range(len(values)), key=lambda column: values[column] > 0):
        columns = list(stretch)
        if not there:
            continue
        begin = columns[0]
        yield f"M{x(begin)} {y(below[begin])}"
        for column in columns:
            yield f"V{y(below[column] + values[column])}H{x(column + 1)}"
        for column in reversed(columns):
            yield f"V{y(below[column])}H{x(column)}"
        yield "Z"


def _lane(amounts: Sequence[Amount], y: float) -> Iterator[str]:
    """A bar of what the worst of each column is; its height says nothing."""
    yield _line("grid", _LEFT, y + _LANE, _LEFT + _PLOT, y + _LANE)
    worst = [
        next((fate for fate in reversed(_FATES) if getattr(amount, fate)), None)
        for amount in amounts
    ]
    column = 0
    for fate, stretch in groupby(worst):
        width = len(list(stretch))
        if fate is not None:
            x, wide = (_PLOT * part / len(amounts) for part in (column, width))
            place = f'x="{_number(_LEFT + x)}" y="{_number(y)}" width="{_number(wide)}"'
            yield f'<rect {_fill(fate)} {place} height="{_LANE}"/>'
        column += width


def _axis(swept: Swept, y: float) -> Iterator[str]:
    """The numbers of the events, below all charts of a thread."""
    stops = swept.stops
    ticks = _ticks(len(stops))
    for index in ticks:
        x = _LEFT + _PLOT * (index + 0.5) / len(stops)
        yield _line("axis", x, y, x, y + 4)
        yield _label(x, y + 18, f"{stops[index].at:,}", "middle")
    yield _label(_LEFT + _PLOT, y + 34, "events before the stop", "end")


def _ticks(count: int) -> list[int]:
    step = _nice(max(1, (count - 1) / 8)) if count > 9 else 1
    return list(range(0, count, step))
