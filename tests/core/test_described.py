"""What a person sees of a value in a debugger: a line or two, whatever is in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from chatkit_reducer import Policy, Row, ThreadState, Write, fold, policies, settle
from chatkit_reducer.core import described as described_values
from chatkit_reducer.core.described import described
from chatkit_reducer.core.items import ITEM_TYPES, parse_item
from chatkit_reducer.core.items.message_parts import Part
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    citation,
    component_updated,
    done,
    image,
    item,
    message,
    part,
    text_delta,
    widget,
    workflow,
)

LONGEST = 700

ROOT = {"type": "Card", "id": "c", "children": [{"type": "Text", "id": "t", "value": "Facts"}]}
STATE = fold(
    [
        done(item("n", "sdk_hidden_context", content="He left.")),
        added(message("m", "Once ")),
        text_delta("m", "upon"),
        added(widget("g", {})),
        component_updated("g", "c", ROOT),
        added(widget("f", ROOT)),
        component_updated("f", "t", {"type": "Text", "id": "t", "value": "Moon"}),
        added(workflow("w", "Plan", "Act")),
        added(image("i")),
        done(item("k", "task", task={"title": "Read"})),
    ]
)
SETTLEMENT = settle(STATE, policy=policies.SDK, cause="cancelled")


@pytest.mark.parametrize(
    ("item_id", "expected"),
    [
        ("m", "AssistantMessage(id='m', characters=9, text='Once upon')"),
        ("f", "Widget(id='f', root='Card', components=2, characters=4)"),
        ("w", "Workflow(id='w', tasks=2, newest='Act')"),
        ("i", "GeneratedImage(id='i', image='(none yet)')"),
        ("k", "Task(id='k', type='task', task={'title': 'Read'})"),
        (
            "n",
            "OpaqueItem(id='n', type='sdk_hidden_context', content='He left.')",
        ),
    ],
)
def test_items(item_id: str, expected: str) -> None:
    assert repr(STATE.items[item_id]) == expected


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        (message("x"), "AssistantMessage(id='x', characters=0)"),
        (
            item("x", "assistant_message", content=[{"type": "new"}, part("ab"), part("c")]),
            "AssistantMessage(id='x', characters=3, text='ab')",
        ),
        (image("x", "u"), "GeneratedImage(id='x', image='img_1')"),
        (workflow("x"), "Workflow(id='x', tasks=0)"),
        (
            item("x", "workflow", workflow={"type": "custom", "tasks": [{"content": "Hm."}]}),
            "Workflow(id='x', tasks=1, newest='Hm.')",
        ),
        (
            item("x", "poll", a=1, b=2, c=3, d=4),
            "OpaqueItem(id='x', type='poll', a=1, b=2, c=3)",
        ),
    ],
)
def test_an_item_says_what_it_has(json: Json, expected: str) -> None:
    assert repr(parse_item(json).item) == expected


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        (part("far", citation("near")), "Part(text='far', annotations=1)"),
        (part("far"), "Part(text='far')"),
        ({"type": "output_text", "text": "far"}, "Part(text='far')"),
        ({"type": "new"}, "Part()"),
    ],
)
def test_a_part(json: Json, expected: str) -> None:
    assert repr(Part.parse(json)) == expected


def test_a_state() -> None:
    assert repr(STATE) == (
        "ThreadState(thread='thr_1', items=7, pending=('m', 'g', 'f', 'w', 'i'), anomalies=1)"
    )
    assert repr(ThreadState()) == "ThreadState(items=0, pending=(), anomalies=0)"


def test_a_settlement_and_what_is_in_it() -> None:
    verdict, *_ = SETTLEMENT.verdicts
    write, *_ = SETTLEMENT.writes

    assert repr(SETTLEMENT) == (
        "Settlement(policy='sdk', cause='cancelled', persist=['m'], discard=['g', 'f', 'w', 'i'],"
        " marker='sdk_hidden_context')"
    )
    assert repr(verdict) == (
        "Verdict(item='m', case='item assistant_message, new, partial, cancelled',"
        " decision='persist',"
        " reason='The SDK stores a pending message of the assistant that is not blank.')"
    )
    assert repr(write) == "Write(op='add', id='m', type='assistant_message')"
    assert str(verdict) == (
        "m: item assistant_message, new, partial, cancelled -> persist:"
        " The SDK stores a pending message of the assistant that is not blank."
    )
    refused = Write("add", {"id": "m"}, before="c", problem="no JSON")
    assert repr(refused) == "Write(op='add', id='m', before='c', problem='no JSON')"


def test_a_settlement_that_leaves_an_item_as_it_is() -> None:
    rows = [Row(decision="stale", reason="So.")]
    settlement = settle(STATE, policy=Policy(name="left", rows=rows), cause="ended")

    assert repr(settlement) == (
        "Settlement(policy='left', cause='ended', stale=['m', 'g', 'f', 'w', 'i'])"
    )


def test_a_policy() -> None:
    assert repr(policies.KEEP) == (
        "Policy(name='keep', rows=3, marker='sdk_hidden_context',"
        " about='All that people saw survives, sealed: nothing in it still claims to run.')"
    )
    assert repr(Policy(name="p", rows=[Row(decision="stale", reason="So.")])) == (
        "Policy(name='p', rows=1)"
    )


def test_a_notebook_shows_the_drawing_of_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (STATE, SETTLEMENT, policies.KEEP):
        monkeypatch.setattr(described_values, "_DRAWINGS", [lambda value: f"<p>{value!r}</p>"])
        assert value._repr_html_() == f"<p>{value!r}</p>"
        monkeypatch.setattr(described_values, "_DRAWINGS", [])
        assert value._repr_html_() is None


# --- whatever is in them --------------------------------------------------------------------------


class Hostile:
    """It cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Lines:
    """It is shown on two lines."""

    def __repr__(self) -> str:
        return "a\nb"


NESTED: list[Any] = []
for _ in range(9999):
    NESTED = [NESTED, NESTED]
VALUES = {
    "hostile": Hostile(),
    "lines": Lines(),
    "long number": 10**5000,
    "long text": "x\n" * 9999,
    "hostile key": {Hostile(): 1},
    "nested": NESTED,
    "wide": {str(number): NESTED for number in range(9999)},
    "list": [{"type": "output_text", "text": Hostile()}] * 99,
    "tree": {"type": Hostile(), "children": [Hostile(), {"type": "Text", "value": 10**5000}]},
    "tasks": {"tasks": [{"title": Hostile()}]},
    "titles": {"tasks": [{"title": NESTED}]},
}


@pytest.mark.parametrize("kind", sorted([*ITEM_TYPES, "poll", "user_message"]))
@pytest.mark.parametrize("name", VALUES)
def test_an_item_is_described_whatever_is_in_it(name: str, kind: str) -> None:
    fields = dict.fromkeys(["content", "widget", "workflow", "image", "task"], VALUES[name])
    odd = {"\u202e": 1, "x" * 9999: 1}
    found = parse_item({"id": "i\u202e" * 99, "type": kind, **odd, **fields}).item

    assert found is not None
    assert_short(found)
    assert_short(Write("add", found.json, problem="p" * 999))


@given(chatkit.adversarial_streams(max_events=20) | chatkit.streams(max_items=20))
def test_streams(events: list[Event]) -> None:
    state = fold(events)
    settlement = settle(state, policy=policies.KEEP, cause="failed")

    for value in (state, *state.items.values(), settlement, *settlement.verdicts):
        assert_short(value)


def assert_short(value: object) -> None:
    """A line of bounded length."""
    shown = repr(value)
    assert shown.startswith((type(value).__name__, f"<{type(value).__name__}"))
    assert len(shown) <= LONGEST
    assert shown.isprintable()


def test_a_value_whose_fields_cannot_be_read_is_named() -> None:
    def fields() -> dict[str, object]:
        raise RuntimeError("not now")

    assert described(Policy, fields) == "<type that cannot be described>"
