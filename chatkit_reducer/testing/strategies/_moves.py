"""Moves: updates that have yet to look where they fit.

A move is drawn without knowing the item that it will change, and fits itself to that item when it
is played: a place becomes an index that there is, the number of a component the id of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from hypothesis import strategies as st

from chatkit_reducer import events as e
from chatkit_reducer.testing.naive import components
from chatkit_reducer.testing.strategies._events import foreign_updates, may_be_absent
from chatkit_reducer.testing.strategies._items import citations, images, parts, tasks
from chatkit_reducer.testing.strategies._json import Json, nullable, or_nothing, texts
from chatkit_reducer.testing.strategies._widgets import components_of_depth, roots

__all__ = ["Move", "Style", "moves_for"]

Move: TypeAlias = Callable[[Json], list[e.Update]]
"""An item as it is now, to updates that fit it, one after the other."""
Moves: TypeAlias = st.SearchStrategy[Move]


class Style(NamedTuple):
    """The arguments of `streams` that say what kind of updates there are, and how many."""

    unknown: bool
    departures: bool
    max_updates: int


def moves_for(item_type: str, style: Style) -> Moves | None:
    """Moves for items of this type; None where no update fits them."""
    choice = _BY_TYPE[item_type](style) if item_type in _BY_TYPE else []
    if style.unknown:
        choice = [*choice, (1, st.builds(_foreign, foreign_updates()))]
    return or_nothing(st.just(_nothing), *choice) if choice else None


def _nothing(item: Json) -> list[e.Update]:
    return []


def _foreign(update: e.Update) -> Move:
    return lambda item: [update]


def _deltas() -> st.SearchStrategy[list[str]]:
    # Several in a row for the same place: a fold has a way of its own for these.
    return st.lists(texts(max_size=6), min_size=1, max_size=4)


# --- assistant messages ---------------------------------------------------------------------------


def _message_moves(style: Style) -> list[tuple[int, Moves]]:
    place = st.integers(0, 2)
    brings = st.booleans() if style.departures else st.sampled_from([True])
    return [
        (4, st.builds(_grow, place, _deltas())),
        (1, st.builds(_begin, parts(unknown=style.unknown))),
        (2, st.builds(_cite, place, place, citations(unknown=style.unknown))),
        (1, st.builds(_finish, place, brings=brings)),
    ]


def _places(item: Json) -> list[int]:
    return [n for n, part in enumerate(item["content"]) if isinstance(part.get("text"), str)]


def _grow(place: int, deltas: list[str]) -> Move:
    def move(item: Json) -> list[e.Update]:
        places = [*_places(item), len(item["content"])]
        index = places[place % len(places)]
        return [e.AssistantMessageContentPartTextDelta(index, delta) for delta in deltas]

    return move


def _begin(part: Json) -> Move:
    return lambda item: [e.AssistantMessageContentPartAdded(len(item["content"]), part)]


def _cite(place: int, number: int, annotation: Json) -> Move:
    def move(item: Json) -> list[e.Update]:
        places = _places(item) or [len(item["content"])]
        index = places[place % len(places)]
        cited = item["content"][index].get("annotations") if _places(item) else None
        number_here = min(number, len(cited or []))
        return [e.AssistantMessageContentPartAnnotationAdded(index, number_here, annotation)]

    return move


def _finish(place: int, *, brings: bool) -> Move:
    """The part is done; the SDK's own producer never brings the annotations along."""

    def move(item: Json) -> list[e.Update]:
        places = _places(item)
        if not places:
            empty = {"type": "output_text", "text": "", "annotations": []}
            return [e.AssistantMessageContentPartDone(len(item["content"]), empty)]
        index = places[place % len(places)]
        part = item["content"][index]
        content = dict(part) if brings else {**part, "annotations": []}
        return [e.AssistantMessageContentPartDone(index, content)]

    return move


# --- workflows ------------------------------------------------------------------------------------


def _workflow_moves(style: Style) -> list[tuple[int, Moves]]:
    place = st.integers(0, 3)
    task = tasks(unknown=style.unknown)
    at_the_end = st.booleans() if style.departures else st.sampled_from([True])
    return [
        (1, st.builds(_add_task, place, task, at_the_end=at_the_end)),
        (1, st.builds(_change_task, place, task)),
    ]


def _add_task(place: int, task: Json, *, at_the_end: bool) -> Move:
    def move(item: Json) -> list[e.Update]:
        end = len(item["workflow"]["tasks"])
        return [e.WorkflowTaskAdded(end if at_the_end else place % (end + 1), task)]

    return move


def _change_task(place: int, task: Json) -> Move:
    def move(item: Json) -> list[e.Update]:
        end = len(item["workflow"]["tasks"])
        if not end:
            return [e.WorkflowTaskAdded(0, task)]
        return [e.WorkflowTaskUpdated(place % end, task)]

    return move


# --- widgets --------------------------------------------------------------------------------------


def _widget_moves(style: Style) -> list[tuple[int, Moves]]:
    place = st.integers(0, 3)
    return [
        (5, st.builds(_stream, place, _deltas(), done=st.booleans())),
        (2, st.builds(_put, place, components_of_depth(1, unknown=style.unknown))),
        (1, st.builds(_reroot, roots(2, unknown=style.unknown))),
    ]


def _by_id(item: Json) -> dict[str, Json]:
    """The component that each id finds: the first in document order."""
    found: dict[str, Json] = {}
    for component in components(item["widget"]):
        if isinstance(component.get("id"), str):
            found.setdefault(component["id"], component)
    return found


def _stream(place: int, deltas: list[str], *, done: bool) -> Move:
    def move(item: Json) -> list[e.Update]:
        ids = [key for key, found in _by_id(item).items() if isinstance(found.get("value"), str)]
        if not ids:
            text = {"type": "Text", "id": "a", "value": "", "streaming": True}
            return [e.WidgetRootUpdated({"type": "Card", "children": [text]})]
        component_id, last = ids[place % len(ids)], len(deltas) - 1
        return [
            e.WidgetStreamingTextValueDelta(component_id, delta, done and number == last)
            for number, delta in enumerate(deltas)
        ]

    return move


def _put(place: int, component: Json) -> Move:
    def move(item: Json) -> list[e.Update]:
        root, found = item["widget"], _by_id(item)
        ids = [component_id for component_id in found if found[component_id] is not root]
        if not ids:
            return [e.WidgetRootUpdated({"type": "Card", "children": [component]})]
        component_id = ids[place % len(ids)]
        return [e.WidgetComponentUpdated(component_id, {**component, "id": component_id})]

    return move


def _reroot(root: Json) -> Move:
    return lambda item: [e.WidgetRootUpdated(root)]


# --- images ---------------------------------------------------------------------------------------


def _image_moves(style: Style) -> list[tuple[int, Moves]]:
    progress = may_be_absent(nullable(st.floats(0, 1)))
    return [(1, st.builds(_set_image, images(unknown=style.unknown), progress))]


def _set_image(image: Json, progress: Any) -> Move:
    return lambda item: [e.GeneratedImageUpdated(image, progress)]


_BY_TYPE: dict[str, Callable[[Style], list[tuple[int, Moves]]]] = {
    "assistant_message": _message_moves,
    "workflow": _workflow_moves,
    "widget": _widget_moves,
    "generated_image": _image_moves,
}
