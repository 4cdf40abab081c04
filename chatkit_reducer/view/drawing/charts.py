"""Charts of widgets, as SVG: bars side by side or stacked, lines and areas, straight or curved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from chatkit_reducer.core.halves import mended
from chatkit_reducer.view.drawing.fields import mapping, number, objects, string
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.styles import box, color
from chatkit_reducer.view.drawing.tree import Element, element, text

__all__ = ["chart"]

_WIDTH, _HEIGHT, _PAD, _HEAD = 320, 110, 4, 14
_COLORS = ("#7a5cc0", "#2a9d8f", "#c2578a", "#8c8b85", "#4c8c4a", "#a07030")
_MOST_ROWS = 400
_MOST_SERIES = 24
_MOST_LABELS = 8


class _Series(NamedTuple):
    """One series: its kind, colour and label, and a value for each row."""

    kind: str
    color: str
    label: str
    stack: str
    curve: str
    values: list[float]


def chart(component: Any, _: Place) -> Element:
    """Draw a chart with its axis and its legend."""
    rows = objects(component, "data")[:_MOST_ROWS]
    several = [
        _series(one, i, rows) for i, one in enumerate(objects(component, "series")[:_MOST_SERIES])
    ]
    names = ", ".join(one.label for one in several)
    top = _top(several, len(rows))
    image = element(
        "svg:svg",
        *_bars(several, len(rows), top),
        *_lines(several, len(rows), top),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"chart: {names}"[:200],
    )
    y_axis = element("div.w-yaxis", f"{top:.6g}") if component.get("showYAxis") is True else None
    return element(
        "div.w-chart",
        y_axis,
        image,
        _x_axis(component, rows),
        _legend(component, several),
        css=box(component),
    )


def _series(series: Any, index: int, rows: list[Any]) -> _Series:
    key = string(series, "dataKey")
    return _Series(
        kind=string(series, "type"),
        color=color(series.get("color")) or _COLORS[index % len(_COLORS)],
        label=string(series, "label") or key,
        stack=string(series, "stack"),
        curve=_curve(series.get("curveType")),
        values=[max(0.0, number(row.get(key)) or 0.0) for row in rows],
    )


def _curve(value: Any) -> str:
    kind = string(value, "type") if isinstance(value, dict) else value
    return kind if isinstance(kind, str) else ""


def _top(several: Sequence[_Series], rows: int) -> float:
    """Return the highest value of all, where stacked bars count together."""
    piles: dict[str, list[float]] = {}
    highest = max((value for one in several for value in one.values), default=0.0)
    for one in several:
        if one.kind == "bar" and one.stack:
            pile = piles.setdefault(one.stack, [0.0] * rows)
            piles[one.stack] = [a + b for a, b in zip(pile, one.values, strict=True)]
    return max([highest, *[value for pile in piles.values() for value in pile]]) or 1.0


def _y(value: float, top: float) -> float:
    return _HEIGHT - _PAD - (_HEIGHT - _HEAD) * value / top


def _bars(several: Sequence[_Series], rows: int, top: float) -> Iterator[Element]:
    bars = [one for one in several if one.kind == "bar"]
    groups = list(dict.fromkeys(one.stack or str(id(one)) for one in bars))
    step = _WIDTH / max(rows, 1)
    width = step * 0.72 / max(len(groups), 1)
    below = {group: [0.0] * rows for group in groups}
    for one in bars:
        group = one.stack or str(id(one))
        left, base = groups.index(group) * width, below[group]
        for row, value in enumerate(one.values):
            x, y = step * (row + 0.14) + left, _y(base[row] + value, top)
            yield element(
                "svg:rect",
                x=f"{x:.1f}",
                y=f"{y:.1f}",
                width=f"{max(width - 1, 1):.1f}",
                height=f"{_y(base[row], top) - y:.1f}",
                rx="2",
                fill=one.color,
            )
            base[row] += value


def _lines(several: Sequence[_Series], rows: int, top: float) -> Iterator[Element]:
    step, floor = _WIDTH / max(rows, 1), _HEIGHT - _PAD
    for one in several:
        if one.kind == "bar" or not one.values:
            continue
        points = [(step * (row + 0.5), _y(v, top)) for row, v in enumerate(one.values)]
        path = _path(points, one.curve)
        if one.kind == "area":
            first, last = points[0][0], points[-1][0]
            area = f"{path} L {last:.1f} {floor} L {first:.1f} {floor} Z"
            yield element("svg:path", d=area, fill=one.color, opacity=".25")
        yield element("svg:path", d=path, fill="none", stroke=one.color, stroke_width="2")


_STEPS = {"step": 0.5, "stepAfter": 1.0, "stepBefore": 0.0}
_STRAIGHT = {"", "linear", "linearClosed"}


def _path(points: list[tuple[float, float]], curve: str) -> str:
    """Return the way through these points: straight, in steps, or curved."""
    out = [f"M {points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if curve in _STEPS:
            middle = x0 + (x1 - x0) * _STEPS[curve]
            out.append(f"L {middle:.1f} {y0:.1f} L {middle:.1f} {y1:.1f} L {x1:.1f} {y1:.1f}")
        elif curve in _STRAIGHT:
            out.append(f"L {x1:.1f} {y1:.1f}")
        else:
            middle = (x0 + x1) / 2
            out.append(f"C {middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
    return " ".join(out)


def _x_axis(component: Any, rows: list[Any]) -> Element | None:
    axis = component.get("xAxis")
    key = axis if isinstance(axis, str) else string(axis, "dataKey")
    if len(rows) > _MOST_LABELS or (isinstance(axis, dict) and axis.get("hide") is True):
        return None
    names = mapping(axis, "labels")
    labels = [text(row.get(key)) for row in rows]
    spans = [element("span", mended(text(names.get(one, one))[:12])) for one in labels]
    return element("div.w-xaxis", *spans)


def _legend(component: Any, several: Sequence[_Series]) -> Element | None:
    if component.get("showLegend") is False:
        return None
    entries = [
        element("span", element("i.sw", css={"background": one.color}), one.label)
        for one in several
    ]
    return element("div.w-legend", *entries)
