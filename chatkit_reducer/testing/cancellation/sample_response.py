"""An answer to stop, with some of everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import examples
from chatkit_reducer.testing.cancellation.trial import events_of

__all__ = ["EARLIER_ITEMS", "a_response", "response_of"]

_EVENTS = get_args(Event)

EARLIER_ITEMS: tuple[Json, ...] = (
    examples.user_message("msg_earlier", "What is for lunch?"),
    examples.widget(
        "wid_earlier",
        {"type": "Card", "children": [{"type": "Text", "id": "state", "value": "ordered"}]},
    ),
)
"""The earlier items of the thread of `a_response`."""


def a_response() -> list[Event]:
    """Make an answer that has some of everything, to be stopped.

    A workflow, a message with two parts and a citation, a widget that streams a text, an image, an
    item that is taken away, one that is replaced; an update to an item of an earlier answer (see
    `EARLIER_ITEMS`); and at the end a message that is still streaming.
    """
    x = examples
    looked, wrote = x.task("Look it up", status="complete"), x.task("Write", status="complete")
    cited = x.part("Soup, says the menu.", x.citation("menu", at=4))
    message = {**x.message("msg_1"), "content": [cited, x.part("Enjoy!")]}
    return [
        x.added(x.workflow("wf_1")),
        x.task_added("wf_1", x.task("Look it up", status="loading"), 0),
        x.task_updated("wf_1", looked, 0),
        x.task_added("wf_1", x.task("Write", status="loading"), 1),
        x.component_updated(
            "wid_earlier", "state", {"type": "Text", "id": "state", "value": "on its way"}
        ),
        x.done(x.item("wf_1", "workflow", workflow=_workflow(looked, wrote))),
        x.added(x.message("msg_1")),
        x.part_added("msg_1", x.part("")),
        x.text_delta("msg_1", "Soup, "),
        x.text_delta("msg_1", "says"),
        x.annotation_added("msg_1", x.citation("menu", at=4), 0),
        x.text_delta("msg_1", " the menu."),
        x.part_done("msg_1", cited),
        x.part_added("msg_1", x.part(""), 1),
        x.text_delta("msg_1", "Enjoy!", 1),
        x.done(message),
        x.added(x.item("task_1", "task", task=x.task("Fetch", status="loading"))),
        x.removed("task_1"),
        x.added(x.widget("wid_1", _card("", streaming=True))),
        x.value_delta("wid_1", "text", "Half"),
        x.value_delta("wid_1", "text", " a table", done=True),
        x.done(x.widget("wid_1", _card("Half a table", streaming=False))),
        x.added(x.image("img_1")),
        x.image_updated("img_1", "https://example.com/1.png", 0.3),
        x.image_updated("img_1", "https://example.com/2.png", 0.6),
        x.done(x.image("img_1", "https://example.com/3.png")),
        x.replaced({**message, "content": [cited]}),
        x.added(x.message("msg_2")),
        x.part_added("msg_2", x.part("")),
        x.text_delta("msg_2", "And for "),
        x.text_delta("msg_2", "dessert"),
    ]


def _workflow(*tasks: Json) -> Json:
    return {"type": "custom", "tasks": list(tasks), "expanded": False}


def _card(text: str, *, streaming: bool) -> Json:
    shown = {"type": "Text", "id": "text", "value": text, "streaming": streaming}
    return {"type": "Card", "children": [shown]}


def response_of(given: Any) -> tuple[Event, ...]:
    """Read the events of a response that the caller wrote down, in any form.

    Raises:
        TypeError: these are not events.
        ValueError: there are none, or one that is given as JSON cannot be read.
    """
    one = isinstance(given, str | bytes | bytearray | Mapping)
    if not one and not isinstance(given, Iterable):
        raise TypeError(f"a response is a list of events, and not {type(given).__name__}")
    events: list[Event] = []
    for value in [given] if one else given:
        try:
            found = events_of(value)
        except TypeError:
            found = []
        if not found or not all(isinstance(event, _EVENTS) for event in found):
            raise TypeError(
                f"the response holds {value!r}, which is not an event: pass events of "
                "chatkit.types or chatkit_reducer.events, JSON mappings, or JSON text"
            )
        events += found
    if not events:
        raise ValueError("the response has no events, and there is nothing to stop")
    return tuple(events)
