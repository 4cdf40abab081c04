"""Workflows and tasks."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.vector import Vector
from chatkit_reducer.view.drawing.fields import mapping, number, objects, string, strings
from chatkit_reducer.view.drawing.links import source
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import (
    Child,
    Element,
    Growing,
    Markdown,
    element,
    shown,
    text,
)

__all__ = ["task", "workflow"]

_TITLES = {"web_search": "Searching the web", "file": "Files", "image": "Images"}
_KINDS = {"custom", "file", "image", "thought", "web_search"}
_STATUSES = {"complete", "loading", "none"}


def task(item: Any, place: Place) -> list[Child]:
    """Draw a task that stands alone."""
    return [element("ul.tasks", place.at("task").draw(_task, item.get("task")))]


def workflow(item: Any, place: Place) -> list[Child]:
    """Draw a workflow: a line that sums it up, and its tasks."""
    flow = mapping(item, "workflow")
    tasks = flow.get("tasks")
    lines = place.draw_all("tasks", _task, tasks if isinstance(tasks, (list, Vector)) else [])
    return [
        element("div.wf-head", element("span.wf-i"), _headline(flow)),
        element("ul.tasks", *lines),
    ]


def _headline(flow: Any) -> str:
    summary, is_reasoning = mapping(flow, "summary"), string(flow, "type") == "reasoning"
    duration = number(summary.get("duration"))
    if duration is not None:
        return f"{'Thought' if is_reasoning else 'Worked'} for {duration:g} s"
    return string(summary, "title") or ("Thinking\u2026" if is_reasoning else "Working\u2026")


def _task(value: Any, place: Place) -> Element:
    kind, status = string(value, "type"), string(value, "status_indicator") or "none"
    if kind not in _KINDS:
        return element("li.task", element("span.ti.ti-none"), element("pre.json", shown(value)))
    return element(
        "li.task",
        element(
            f"span.ti.ti-{status if status in _STATUSES else 'odd'}",
            title=f"status_indicator: {status}",
        ),
        element("div.tcol", *_inside(value, kind, place)),
    )


def _inside(value: Any, kind: str, place: Place) -> list[Element]:
    content = value.get("content")
    out = []
    if isinstance(content, str):  # first, so that its place does not depend on the others
        out.append(element("div.tbody", Markdown(Growing(content))))
    title = value.get("title")
    if not isinstance(title, str):
        title = string(value, "title_query") or _TITLES.get(kind)
    if title is not None:
        out.insert(0, element("div.ttitle", text(title)))
    queries = strings(value, "queries")
    if queries:
        chips = [element("span.chip", f"\u2315 {query}") for query in queries]
        out.append(element("div.chips", *chips))
    sources = objects(value, "sources")
    if sources:
        chips = [element("span.chip", source(one, place)) for one in sources]
        out.append(element("div.chips", *chips))
    return out
