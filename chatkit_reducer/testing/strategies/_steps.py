"""Steps: updates that are fitted to an item when they are played.

A step is drawn without knowing the item that it will change. When it is played, it fits itself to
the item: a place becomes an existing index, the number of a component becomes its id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from hypothesis import strategies as st

from chatkit_reducer import events as e
from chatkit_reducer.testing.conformance.reference_model import components
from chatkit_reducer.testing.strategies._events import may_be_absent, unknown_updates
from chatkit_reducer.testing.strategies._items import citations, images, parts, tasks
from chatkit_reducer.testing.strategies._json import Json, nullable, or_nothing, texts
from chatkit_reducer.testing.strategies._widgets import components_of_depth, roots

Step: TypeAlias = Callable[[Json], list[e.Update]]
"""An item as it is now, to updates that fit it, one after the other."""
Steps: TypeAlias = st.SearchStrategy[Step]


class Style(NamedTuple):
    """The arguments of `streams` about the kind and the number of updates."""

    unknown: bool
    sdk_differences: bool
    max_updates: int


def steps_for(item_type: str, style: Style) -> Steps | None:
    """Generate steps for items of this type; None if no update fits them."""
    choice = _BY_TYPE[item_type](style) if item_type in _BY_TYPE else []
    if style.unknown:
        choice = [*choice, (1, st.builds(_send_unknown, unknown_updates()))]
    return or_nothing(st.just(_nothing), *choice) if choice else None


def _nothing(item: Json) -> list[e.Update]:
    return []


def _send_unknown(update: e.Update) -> Step:
    return lambda item: [update]


def _deltas() -> st.SearchStrategy[list[str]]:
    # Several in a row for the same place: a fold has a way of its own for these.
    return st.lists(texts(max_size=6), min_size=1, max_size=4)


# --- assistant messages ---------------------------------------------------------------------------


def _message_steps(style: Style) -> list[tuple[int, Steps]]:
    place = st.integers(0, 2)
    brings = st.booleans() if style.sdk_differences else st.sampled_from([True])
    return [
        (4, st.builds(_grow, place, _deltas())),
        (1, st.builds(_begin, parts(unknown=style.unknown))),
        (2, st.builds(_cite, place, place, citations(unknown=style.unknown))),
        (1, st.builds(_finish, place, brings=brings)),
    ]


def _places(item: Json) -> list[int]:
    return [n for n, part in enumerate(item["content"]) if isinstance(part.get("text"), str)]


def _grow(place: int, deltas: list[str]) -> Step:
    def step(item: Json) -> list[e.Update]:
        places = [*_places(item), len(item["content"])]
        index = places[place % len(places)]
        return [e.AssistantMessageContentPartTextDelta(index, delta) for delta in deltas]

    return step


def _begin(part: Json) -> Step:
    return lambda item: [e.AssistantMessageContentPartAdded(len(item["content"]), part)]


def _cite(place: int, number: int, annotation: Json) -> Step:
    def step(item: Json) -> list[e.Update]:
        places = _places(item) or [len(item["content"])]
        index = places[place % len(places)]
        cited = item["content"][index].get("annotations") if _places(item) else None
        number_here = min(number, len(cited or []))
        return [e.AssistantMessageContentPartAnnotationAdded(index, number_here, annotation)]

    return step


def _finish(place: int, *, brings: bool) -> Step:
    """Finish the part; the SDK's own producer never brings the annotations along."""

    def step(item: Json) -> list[e.Update]:
        places = _places(item)
        if not places:
            empty = {"type": "output_text", "text": "", "annotations": []}
            return [e.AssistantMessageContentPartDone(len(item["content"]), empty)]
        index = places[place % len(places)]
        part = item["content"][index]
        content = dict(part) if brings else {**part, "annotations": []}
        return [e.AssistantMessageContentPartDone(index, content)]

    return step


# --- workflows ------------------------------------------------------------------------------------


def _workflow_steps(style: Style) -> list[tuple[int, Steps]]:
    place = st.integers(0, 3)
    task = tasks(unknown=style.unknown)
    at_the_end = st.booleans() if style.sdk_differences else st.sampled_from([True])
    return [
        (1, st.builds(_add_task, place, task, at_the_end=at_the_end)),
        (1, st.builds(_change_task, place, task)),
    ]


def _add_task(place: int, task: Json, *, at_the_end: bool) -> Step:
    def step(item: Json) -> list[e.Update]:
        end = len(item["workflow"]["tasks"])
        return [e.WorkflowTaskAdded(end if at_the_end else place % (end + 1), task)]

    return step


def _change_task(place: int, task: Json) -> Step:
    def step(item: Json) -> list[e.Update]:
        end = len(item["workflow"]["tasks"])
        if not end:
            return [e.WorkflowTaskAdded(0, task)]
        return [e.WorkflowTaskUpdated(place % end, task)]

    return step


# --- widgets --------------------------------------------------------------------------------------


def _widget_steps(style: Style) -> list[tuple[int, Steps]]:
    place = st.integers(0, 3)
    return [
        (5, st.builds(_stream, place, _deltas(), done=st.booleans())),
        (2, st.builds(_put, place, components_of_depth(1, unknown=style.unknown))),
        (1, st.builds(_reroot, roots(2, unknown=style.unknown))),
    ]


def _by_id(item: Json) -> dict[str, Json]:
    """Find the component of each id: the first in document order."""
    found: dict[str, Json] = {}
    for component in components(item["widget"]):
        if isinstance(component.get("id"), str):
            found.setdefault(component["id"], component)
    return found


def _stream(place: int, deltas: list[str], *, done: bool) -> Step:
    def step(item: Json) -> list[e.Update]:
        ids = [key for key, found in _by_id(item).items() if isinstance(found.get("value"), str)]
        if not ids:
            text = {"type": "Text", "id": "a", "value": "", "streaming": True}
            return [e.WidgetRootUpdated({"type": "Card", "children": [text]})]
        component_id, last = ids[place % len(ids)], len(deltas) - 1
        return [
            e.WidgetStreamingTextValueDelta(component_id, delta, done and number == last)
            for number, delta in enumerate(deltas)
        ]

    return step


def _put(place: int, component: Json) -> Step:
    def step(item: Json) -> list[e.Update]:
        root, found = item["widget"], _by_id(item)
        ids = [component_id for component_id in found if found[component_id] is not root]
        if not ids:
            return [e.WidgetRootUpdated({"type": "Card", "children": [component]})]
        component_id = ids[place % len(ids)]
        return [e.WidgetComponentUpdated(component_id, {**component, "id": component_id})]

    return step


def _reroot(root: Json) -> Step:
    return lambda item: [e.WidgetRootUpdated(root)]


# --- images ---------------------------------------------------------------------------------------


def _image_steps(style: Style) -> list[tuple[int, Steps]]:
    progress = may_be_absent(nullable(st.floats(0, 1)))
    return [(1, st.builds(_set_image, images(unknown=style.unknown), progress))]


def _set_image(image: Json, progress: Any) -> Step:
    return lambda item: [e.GeneratedImageUpdated(image, progress)]


_BY_TYPE: dict[str, Callable[[Style], list[tuple[int, Steps]]]] = {
    "assistant_message": _message_steps,
    "workflow": _workflow_steps,
    "widget": _widget_steps,
    "generated_image": _image_steps,
}
