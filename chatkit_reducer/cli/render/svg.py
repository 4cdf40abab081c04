"""A sweep as an SVG image: it stands alone, holds no script, and follows a dark page.

From top to bottom: a head, for each thread a strip for each policy over one axis, and the commands
that show the worst stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import ceil, floor, log10

from chatkit_reducer.analysis.sweep_summary import Amount, Summary, SweepResult, amount_text
from chatkit_reducer.cli.render.items import type_names
from chatkit_reducer.cli.render.svg_parts import (
    DEFS,
    LINE,
    STYLE,
    fill,
    fitted,
    label,
    line,
    number,
    paragraph,
    width_of,
    xml_text,
)
from chatkit_reducer.cli.render.svg_size import WIDTH
from chatkit_reducer.cli.render.text import command_lines, id_text
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.palette import FATES, WORST_FIRST

__all__ = ["sweep_svg"]

_ROOMY = 600
_EDGE = 24
_STRIP_HEAD = 26
_STRIP = 44
_LANE = 10
_LANE_GAP = 4
_FLIGHTS = 16
_GAP = 16
_AXIS = 42
_MOST_THREADS = 8
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


def sweep_svg(threads: Sequence[SweepResult], cause: Cause, log: str, width: int = WIDTH) -> str:
    """Draw the image: a strip for each policy and thread, one under the other.

    Args:
        threads: the threads of the log; of very many, the first are drawn.
        cause: how the stream would have ended.
        log: the name of the log.
        width: of the image, in pixels.
    """
    return _Page(threads, cause, log, width).text()


class _Page:
    """The image while it grows downwards."""

    def __init__(self, threads: Sequence[SweepResult], cause: Cause, log: str, width: int) -> None:
        self._drawn = threads[:_MOST_THREADS]
        self._count = len(threads)
        self._cause = cause
        self._title = f"What survives if {log} stops here"
        self._width = width
        self._left = 92.0 if width >= _ROOMY else 68.0
        self._plot = width - self._left - _EDGE
        self._y = 0.0
        self._body: list[str] = []

    def text(self) -> str:
        """Draw the whole image."""
        self._draw_head()
        for swept in self._drawn:
            self._draw_thread(swept)
        self._draw_commands()
        width, height = self._width, ceil(self._y + _EDGE / 2)
        size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{xml_text(self._title)}</title>",
            f"<desc>{xml_text(_in_words(self._drawn))}</desc>",
            f"<style>\n{STYLE}\n</style>",
            f"<defs>{DEFS}</defs>",
            f'<rect class="page" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        ]
        return "\n".join([*head, *self._body, "</svg>", ""])

    def _draw_head(self) -> None:
        room = self._width - 2 * _EDGE
        title = list(paragraph(_EDGE, 36, self._title, room, "title"))
        self._y = 36.0 + (LINE + 4) * len(title)
        lines = list(paragraph(_EDGE, self._y, _described(self._count, self._cause), room))
        self._body += title + lines
        self._y += LINE * len(lines) + 4
        x = float(_EDGE)
        for sign, meaning in self._legend():
            wide = 20 + width_of(meaning)
            if x > _EDGE and x + wide > self._width - _EDGE:
                x, self._y = float(_EDGE), self._y + LINE
            self._body += [_sign(sign, x, self._y - 10), label(x + 20, self._y, meaning)]
            x += wide + 18
        self._y += _GAP

    def _legend(self) -> Iterator[tuple[str | None, str]]:
        """Return the fates that occur, and None for the mark."""
        found = {fate for swept in self._drawn for fate in swept.fates}
        yield from [(name, shade.meaning) for name, shade in FATES.items() if name in found]
        if any(summary.worst for swept in self._drawn for summary in swept.summaries):
            yield None, "worst stop"

    # --- a thread ---------------------------------------------------------------------------------

    def _draw_thread(self, swept: SweepResult) -> None:
        name = _name(swept)
        if self._count > 1:
            room = self._width - 2 * _EDGE
            self._body.append(label(_EDGE, self._y + 16, fitted(name, room, "name"), "name"))
            self._y += 24
        self._draw_flights(swept)
        for policy in range(len(swept.names)):
            self._draw_strip(swept, policy)
        self._draw_axis(swept)

    def _draw_flights(self, swept: SweepResult) -> None:
        """Draw a line for each item, in a lane for its type, from its begin to its end."""
        names = type_names(swept.types)
        columns = max(1, min(int(self._plot) // 2, len(swept.stops)))
        lanes = swept.lanes(columns)
        for kind, name in names.items():
            middle = self._y + _FLIGHTS / 2
            short = fitted(name, self._left - 8)
            self._body.append(label(self._left - 8, middle + 4, short, "end"))
            for begin, end in _stretches(lanes[kind]):
                x, to = (self._left + self._plot * column / columns for column in (begin, end))
                self._body.append(line("flight", x + 1, middle, to - 1, middle))
            self._y += _FLIGHTS
        self._y += _GAP / 2 if names else 0

    def _draw_strip(self, swept: SweepResult, policy: int) -> None:
        """Draw the chart of one policy: the characters, and a lane for each other kind below."""
        summary, top = swept.summaries[policy], self._y + _STRIP_HEAD
        self._draw_strip_head(swept.names[policy], summary)
        self._y = top
        columns = max(1, min(int(self._plot) // 2, len(swept.stops)))
        kinds = [kind for kind in swept.kinds if kind != "characters"]
        if "characters" in swept.kinds or not kinds:
            self._draw_characters(swept, policy, columns)
        for kind in kinds:
            self._draw_lane(kind, swept.columns(kind, policy, columns))
        if summary.worst is not None:
            x = self._left + self._plot * (swept.place_of(summary.worst, columns) + 0.5) / columns
            self._body.append(line("axis", x, top, x, self._y))
            self._body.append(_mark(x, self._y + 1))
        self._y += _GAP

    def _draw_strip_head(self, name: str, summary: Summary) -> None:
        y, room = self._y + 16, self._plot
        verdict = fitted(summary.verdict, room * 0.7)
        self._body.append(label(self._width - _EDGE, y, verdict, "end"))
        rest = room - width_of(verdict) - 12
        self._body.append(label(self._left, y, fitted(name, rest, "name"), "name"))

    def _draw_characters(self, swept: SweepResult, policy: int, columns: int) -> None:
        most, bottom = _nice(swept.most.characters), self._y + _STRIP
        for value, y, below in ((most, self._y, 8), (0, bottom, 0)):
            kind = "grid" if value else "axis"
            self._body.append(line(kind, self._left, y, self._left + self._plot, y))
            self._body.append(label(self._left - 8, y + below, f"{value:,.10g}", "end"))
        amounts = swept.columns("characters", policy, columns)
        self._body += self._areas(amounts, most, bottom)
        self._y = bottom

    def _areas(self, amounts: Sequence[Amount], most: float, bottom: float) -> Iterator[str]:
        """Draw the amounts in steps, each fate on top of the one before."""
        below = [0] * len(amounts)
        for fate in FATES:
            values = [getattr(amount, fate) for amount in amounts]
            path = "".join(self._stretches(below, values, _STRIP / most, bottom))
            if path:
                yield f'<path {fill(fate)} d="{path}"/>'
            below = [under + value for under, value in zip(below, values, strict=True)]

    def _stretches(
        self, below: list[int], values: list[int], scale: float, bottom: float
    ) -> Iterator[str]:
        """Draw a path around each stretch of columns that are not empty."""

        def x(column: int) -> str:
            return number(self._left + self._plot * column / len(values))

        def y(value: int) -> str:
            return number(bottom - scale * value)

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

    def _draw_lane(self, kind: str, amounts: Sequence[Amount]) -> None:
        """Draw a bar of the worst fate in each column; its height says nothing."""
        self._y += _LANE_GAP
        bottom = self._y + _LANE
        self._body.append(label(self._left - 8, bottom - 1, kind, "end"))
        self._body.append(line("grid", self._left, bottom, self._left + self._plot, bottom))
        worst = [next((f for f in WORST_FIRST if getattr(each, f)), None) for each in amounts]
        column = 0
        for fate, stretch in groupby(worst):
            width = len(list(stretch))
            if fate is not None:
                x, wide = (self._plot * part / len(amounts) for part in (column, width))
                place = f'x="{number(self._left + x)}" y="{number(self._y)}"'
                size = f'width="{number(wide)}" height="{_LANE}"'
                self._body.append(f"<rect {fill(fate)} {place} {size}/>")
            column += width
        self._y = bottom

    def _draw_axis(self, swept: SweepResult) -> None:
        """Draw the numbers of the events, below all strips of a thread."""
        stops, y = swept.stops, self._y
        for index in _ticks(len(stops), int(self._plot // 70)):
            x = self._left + self._plot * (index + 0.5) / len(stops)
            self._body.append(line("axis", x, y, x, y + 4))
            self._body.append(label(x, y + 17, f"{stops[index].at:,}", "middle"))
        unit = "across: events before the stop"
        unit += "; up: characters in flight" if "characters" in swept.kinds else ""
        self._body.append(label(self._left + self._plot, y + 33, unit, "end"))
        self._y += _AXIS

    # --- commands ---------------------------------------------------------------------------------

    def _draw_commands(self) -> None:
        width = int((self._width - 2 * _EDGE) / width_of("x", "command"))
        commands = dict.fromkeys(
            "\n".join(command_lines(swept.command(policy, summary.worst.at), width))
            for swept in self._drawn
            for policy, summary in enumerate(swept.summaries)
            if summary.worst is not None
        )
        lines = [each for command in commands for each in command.splitlines()]
        if not lines:
            return
        self._body.append(label(_EDGE, self._y + 12, "To see the worst stop:"))
        for each in lines:
            self._y += LINE
            indent = (len(each) - len(each.lstrip())) * 4
            self._body.append(label(_EDGE + indent, self._y + 14, each.strip(), "command"))
        self._y += LINE


def _stretches(lane: Sequence[bool | None]) -> Iterator[tuple[int, int]]:
    """Return the columns of each item in a lane; see `SweepResult.lanes`."""
    begin = None
    for column, sign in enumerate([*lane, None]):
        if begin is not None and sign is not False:
            yield begin, column
            begin = None
        if sign:
            begin = column


def _name(swept: SweepResult) -> str:
    thread = "no id" if swept.thread is None else id_text(swept.thread)
    return thread if swept.title is None else f"{swept.title} \u00b7 {thread}"


def _sign(fate: str | None, x: float, y: float) -> str:
    if fate is None:
        return _mark(x + 7, y + 1)
    return f'<rect {fill(fate)} x="{number(x)}" y="{number(y)}" width="14" height="12" rx="2"/>'


def _mark(x: float, y: float) -> str:
    """Draw a triangle that points up at the worst stop."""
    return f'<path class="mark" d="M{number(x)} {number(y)}l5 9h-10z"/>'


def _described(count: int, cause: Cause) -> str:
    ends = {
        Cause.ENDED: "just ended",
        Cause.CANCELLED: "was cancelled",
        Cause.FAILED: "failed",
        Cause.TIMED_OUT: "timed out",
        Cause.CRASHED: "crashed",
    }[cause]
    more = f" The first {_MOST_THREADS} of {count:,} threads." if count > _MOST_THREADS else ""
    return (
        "Everything that people had seen of the items in flight, if the stream "
        f"{ends} after this many events.{more}"
    )


def _in_words(drawn: Sequence[SweepResult]) -> str:
    """Describe the image in words, for a screen reader."""
    sentences = []
    for swept in drawn:
        for name, summary in zip(swept.names, swept.summaries, strict=True):
            where = "" if len(drawn) == 1 else f" in {_name(swept)}"
            said = f"Policy {name}{where}: {summary.verdict}"
            if summary.worst is not None:
                said += f" ({amount_text(summary.amount)} {summary.fate})"
            sentences.append(f"{said}.")
    return " ".join(sentences)


def _nice(most: float) -> int:
    """Return the round number at or above this one."""
    if most <= 4:
        return 4
    unit = 10.0 ** floor(log10(most))
    return next(ceil(unit * step) for step in _STEPS if unit * step >= most)


def _ticks(count: int, most: int) -> list[int]:
    step = 1 if count <= most else _nice((count - 1) / max(1, most - 1))
    return list(range(0, count, step))
