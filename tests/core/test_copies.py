"""What is given away belongs to the caller: changing all of it changes nothing here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given

from chatkit_reducer import ThreadState, decode, diff, fold, policies, reduce, settle, snapshot
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import encode, own_copy, to_json
from chatkit_reducer.core.json_values import equal_ignoring_nulls, json_equal
from chatkit_reducer.errors import CommitError, EncodeError
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    image,
    image_updated,
    message,
    part,
    part_added,
    state_after,
    task,
    task_added,
    text_delta,
    user_message,
    widget,
    workflow,
)

STOPS = chatkit.stops(
    streams=chatkit.streams(max_items=4) | chatkit.adversarial_streams(max_events=16)
)


def containers(value: Any) -> Iterator[Any]:
    """All that can be changed in a value, insides first."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from containers(getattr(value, name))
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from containers(getattr(value, field.name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from containers(inner)
        yield value
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from containers(inner)
        if isinstance(value, list):
            yield value


def spoil(value: Any) -> int:
    """Changes all that can be changed; says how much that was."""
    found = list(containers(value))
    for container in found:
        container.clear()
        if isinstance(container, dict):
            container["spoilt"] = True
        else:
            container.append("spoilt")
    return len(found)


def on_paper(state: ThreadState) -> str:
    return json.dumps(snapshot(state))


GIVEN_AWAY: dict[str, Callable[[ThreadState, ThreadState], Any]] = {
    "thread": lambda state, _: state.thread,
    "error": lambda state, _: state.error,
    "stream options": lambda state, _: state.stream_options,
    "items": lambda state, _: [item.to_json() for item in state.items.values()],
    "bases": lambda state, _: [item.to_json() for item in state.bases.values()],
    "anomalies": lambda state, _: [anomaly.to_json() for anomaly in state.anomalies],
    "snapshot": lambda state, _: snapshot(state),
    "diff": lambda state, before: diff(before, state),
    "diff from nothing": lambda state, _: diff(ThreadState(), state),
    "diff back": diff,
}


@given(STOPS)
def test_what_a_state_gives_away(stop: chatkit.StoppedStream) -> None:
    middle = fold(stop.events[: len(stop.events) // 2])
    state = fold(stop.events[len(stop.events) // 2 :], middle)
    state = reduce(state, decode('{"type":"error","code":"x","further":{"a":[1]}}'))
    before, middle_before = on_paper(state), on_paper(middle)
    for name, give in GIVEN_AWAY.items():
        spoil(give(state, middle))
        assert (on_paper(state), on_paper(middle)) == (before, middle_before), name


def test_the_updates_of_a_diff_share_nothing() -> None:
    before = state_after(
        added(message("m", "a")), added(workflow("w", "one")), added(image("i")),
        added(widget("f", {"type": "Text", "id": "t", "value": "a"})),
    )  # fmt: skip
    events: list[e.Event] = [
        annotation_added("m", citation("1"), 0),
        part_added("m", part("b", citation("2")), 1),
        task_added("w", {**task("two"), "sources": [{"title": "x"}]}, 1),
        image_updated("i", "u"),
        e.ThreadItemUpdated("f", e.WidgetRootUpdated({"type": "Card", "children": [{"a": [1]}]})),
    ]
    after = fold(events, before)
    paper = on_paper(after)
    assert spoil(diff(before, after)) > len(events)
    assert on_paper(after) == paper


@given(STOPS)
def test_what_a_settlement_gives_away(stop: chatkit.StoppedStream) -> None:
    marker: Any = {"marker_id": "mark", "marker_time": "now", "marker_content": {"a": [1]}}
    stored: Any = {item_id: message(item_id, "x") for item_id in stop.state.items}
    for said in (None, stored):
        settlement = settle(
            stop.state, policy=policies.KEEP, cause="cancelled", delivered=stop.delivered,
            stored=said, **marker,
        )  # fmt: skip
        state, paper = on_paper(stop.state), json.dumps(settlement.to_json())
        writes, events = settlement.writes, settlement.events
        for given_away in (
            settlement.writes,
            settlement.events,
            settlement.marker_item,
            settlement.to_json(),
            [verdict.write for verdict in settlement.verdicts],
            [verdict.event for verdict in settlement.verdicts],
        ):
            spoil(given_away)
        assert json.dumps(settlement.to_json()) == paper
        assert on_paper(stop.state) == state
        assert len(settlement.writes) == len(writes)
        assert len(settlement.events) == len(events)
        assert all("spoilt" not in write.item for write in settlement.writes)


def test_what_a_settlement_was_given_is_copied() -> None:
    content, copy = {"a": [1]}, message("m", "a")
    policy = attrs.evolve(policies.KEEP, marker=policies.SDK_MARKER)
    policy = attrs.evolve(
        policies.KEEP,
        marker=attrs.evolve(policies.SDK_MARKER, content=None, item="hidden_context_item"),
    )
    settlement = settle(
        state_after(added(message("m"))), policy=policy, cause="cancelled", stored={"m": copy},
        marker_id="mark", marker_time="now", marker_content=content,
    )  # fmt: skip
    spoil(content)
    spoil(copy)
    assert settlement.marker_item is not None
    assert settlement.marker_item["content"] == {"a": [1]}
    [verdict] = settlement.verdicts
    assert verdict.stored is not None
    assert verdict.stored.to_json() == message("m", "a")


# --- a value that is not JSON ---------------------------------------------------------------------


class Odd:
    """A value that is not JSON, and cannot even be compared."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("more than one answer")

    __hash__ = None  # type: ignore[assignment]  # nor hashed


def test_a_value_that_is_not_json_takes_no_other_item_with_it() -> None:
    odd = Odd()
    events: list[e.Event] = [
        added({**message("m", "a"), "odd": odd}),
        added(message("n", "b")),
        text_delta("m", "!"),
        added({**user_message("u", "c"), "odd": [odd]}),
        done({**user_message("u", "c"), "odd": [Odd()]}),
        added(
            widget("w", {"type": "Card", "odd": odd, "children": [{"type": "Text", "value": "a"}]})
        ),
        added({**workflow("f", "one"), "odd": odd}),
        task_added("f", {**task("two"), "odd": odd}, 1),
        image_updated("i", "u"),
    ]
    state, one_by_one = fold(events), ThreadState()
    for event in events:
        one_by_one = reduce(one_by_one, event)
    assert list(one_by_one.items) == list(state.items) == ["m", "n", "u", "w", "f"]
    delivered = fold(events[:4])
    stored: Any = {"m": message("m", "a"), "w": {**widget("w", {"type": "Card"}), "odd": odd}}
    for more in ({}, {"delivered": delivered}, {"delivered": delivered, "stored": stored}):
        settlement = settle(state, policy=policies.KEEP, cause="cancelled", **more)
        written = {write.item["id"]: write.item for write in settlement.writes}
        assert written["n"] == message("n", "b")
        assert {event.item["id"] for event in settlement.events} >= {"n"}  # type: ignore[union-attr]
        assert "n" in str(CommitError(settlement))
        json.dumps(settlement.to_json(), allow_nan=False)
    settlement = settle(state, policy=policies.KEEP, cause="ended")
    json.dumps([write.item for write in settlement.all_writes], allow_nan=False)
    assert settlement.unwritable[0].item["odd"] == repr(odd)
    assert "m" not in {write.item["id"] for write in settlement.writes}
    assert "n" not in {write.item["id"] for write in settlement.unwritable}


def test_a_stored_item_that_cannot_be_written_as_json_is_not_saved() -> None:
    stored = ThreadState.from_items([{**message("m", "a"), "odd": Odd()}])
    settlement = settle(fold([text_delta("m", "b")], stored), policy=policies.KEEP, cause="ended")

    assert settlement.writes == ()
    (write,) = settlement.unwritable
    assert (write.op, write.problem is None) == ("save", False)


def test_what_cannot_be_compared_differs_unless_it_is_the_same() -> None:
    odd = Odd()
    assert json_equal({"a": [odd]}, {"a": [odd]})
    assert not json_equal({"a": [odd]}, {"a": [Odd()]})
    assert equal_ignoring_nulls(odd, odd)
    assert not equal_ignoring_nulls([odd], [Odd()])


def test_a_copy_of_an_event_holds_what_decode_would_put_there() -> None:
    event = e.ThreadItemReplaced(message("m", "a"), extra=e.Extra({"new": [1]}))
    copy = own_copy(event)

    assert copy == event
    assert (type(copy.item), type(copy.extra)) == (dict, e.Extra)
    assert copy.item["content"] is not event.item["content"]


@pytest.mark.parametrize("value", ["text", None, {"type": "new"}])
def test_what_is_no_event_is_not_made_json(value: Any) -> None:
    said = r"^expected an event or an update, got \w+: plain mappings become events with from_json$"
    with pytest.raises(TypeError, match=said):
        to_json(value)
    with pytest.raises(TypeError, match=said):
        encode(value)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, float("inf")])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(EncodeError):
        encode(added({**message("m"), "odd": [value]}))
