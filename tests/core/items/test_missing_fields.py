"""Updates that lack a field whose value is obvious: folded, with an anomaly that names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from chatkit_reducer import ThreadState, compact, decode, fold, policies, reduce
from chatkit_reducer.analysis import sweep
from chatkit_reducer.core.anomalies import AnomalyKind
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.events import Event, Json, ThreadItemUpdated, UnknownUpdate
from chatkit_reducer.testing import examples as x

PART = "assistant_message.content_part"
CITATION: Json = {"type": "annotation", "source": {"type": "url", "url": "u", "title": "t"}}
OTHER: Json = {**CITATION, "index": 7}


def lacking(item_id: str, kind: str, **fields: Any) -> Event:
    """An update as a server sends it that leaves fields out."""
    update = {"type": kind, **fields}
    event = {"type": "thread.item.updated", "item_id": item_id, "update": update}
    return decode(json.dumps(event))


def folded(before: Sequence[Event], *events: Event) -> ThreadState:
    """The state, which `fold` and `reduce` agree about."""
    state = fold([*before, *events])
    one_by_one = ThreadState()
    for event in [*before, *events]:
        one_by_one = reduce(one_by_one, event)
    assert one_by_one == state
    assert one_by_one.anomalies == state.anomalies
    return state


def content(state: ThreadState, item_id: str = "m") -> Any:
    return state.items[item_id].to_json()["content"]


def problems(state: ThreadState) -> list[tuple[str, str]]:
    assert {anomaly.kind for anomaly in state.anomalies} == {AnomalyKind.FIELD_MISSING}
    return [(anomaly.problem, anomaly.instead) for anomaly in state.anomalies]


def message(*texts: str) -> list[Event]:
    return [x.added(x.message("m", *texts))]


def test_a_citation_without_its_place_is_the_last_one() -> None:
    first = lacking("m", f"{PART}.annotation_added", content_index=0, annotation=CITATION)
    second = lacking("m", f"{PART}.annotation_added", content_index=0, annotation=OTHER)

    state = folded(message("a"), first, second)

    assert content(state)[0]["annotations"] == [CITATION, OTHER]
    assert problems(state) == 2 * [
        ("`annotation_index` is missing", "the citation was added at the end")
    ]


def test_a_value_delta_without_done_goes_on() -> None:
    text = {"type": "Text", "id": "t", "value": "a", "streaming": True}
    before = [x.added(x.widget("w", text))]
    kind = "widget.streaming_text.value_delta"

    state = folded(before, lacking("w", kind, component_id="t", delta="b"))

    assert state.items["w"].to_json()["widget"] == {**text, "value": "ab"}
    assert problems(state) == [("`done` is missing", "false was taken")]


def test_a_value_delta_without_text_ends_the_streaming() -> None:
    text = {"type": "Text", "id": "t", "value": "a", "streaming": True}
    kind = "widget.streaming_text.value_delta"

    state = folded([x.added(x.widget("w", text))], lacking("w", kind, component_id="t", done=True))

    assert state.items["w"].to_json()["widget"] == {**text, "streaming": False}
    assert problems(state) == [("`delta` is missing", "no text was taken")]


def test_a_message_all_of_whose_indices_are_missing_is_whole() -> None:
    empty = {"type": "output_text", "text": "", "annotations": []}
    events = [
        lacking("m", f"{PART}.added", content=empty),
        lacking("m", f"{PART}.text_delta", delta="One"),
        lacking("m", f"{PART}.annotation_added", annotation=CITATION),
        lacking("m", f"{PART}.done", content={**empty, "text": "One."}),
        lacking("m", f"{PART}.added", content=empty),
        lacking("m", f"{PART}.text_delta", delta="Two"),
    ]

    state = folded(message(), *events)

    assert [part["text"] for part in content(state)] == ["One.", "Two"]
    assert content(state)[0]["annotations"] == [CITATION]
    assert len(state.anomalies) == len(events)
    assert problems(state)[2][0] == "`content_index` and `annotation_index` are missing"


@pytest.mark.parametrize(
    ("before", "kind", "fields", "instead"),
    [
        (x.message("m"), f"{PART}.added", {"content": {}}, "the part was added behind the others"),
        (x.message("m", "a"), f"{PART}.text_delta", {"delta": "b"}, "the newest part was taken"),
        (
            x.message("m", "a"),
            f"{PART}.annotation_added",
            {"annotation": CITATION},
            "the newest part was taken, the citation was added at the end",
        ),
        (
            x.workflow("m"),
            "workflow.task.added",
            {"task": {}},
            "the task was added behind the others",
        ),
        (x.workflow("m", "a"), "workflow.task.updated", {"task": {}}, "the only task was taken"),
    ],
)
def test_an_index_that_is_missing_is_named(
    before: Json, kind: str, fields: Json, instead: str
) -> None:
    [problem] = problems(folded([x.added(before)], lacking("m", kind, **fields)))

    assert problem[1] == instead


@pytest.mark.parametrize(
    "update",
    [
        {"type": f"{PART}.text_delta", "content_index": 0, "delta": "b"},
        {"type": "widget.root.updated", "widget": {}},
        {"type": "new"},
    ],
)
def test_an_update_that_code_calls_unknown_lacks_nothing(update: Json) -> None:
    state = folded(message("a"), ThreadItemUpdated("m", UnknownUpdate(update)))

    assert state == fold(message("a"))
    assert state.anomalies == ()


def test_text_without_an_index_begins_a_message_that_has_no_part() -> None:
    state = folded(message(), lacking("m", f"{PART}.text_delta", delta="One"))

    assert [part["text"] for part in content(state)] == ["One"]


def test_a_task_without_an_index_is_the_last_one() -> None:
    kind = "workflow.task.added"
    tasks = [{"type": "custom", "title": title} for title in "ab"]

    state = folded([x.added(x.workflow("w"))], *[lacking("w", kind, task=task) for task in tasks])

    assert state.items["w"].to_json()["workflow"]["tasks"] == tasks


@pytest.mark.parametrize("titles", ["", "a", "ab"])
def test_the_only_task_needs_no_index(titles: str) -> None:
    before = [x.added(x.workflow("w", *titles))]
    update = lacking("w", "workflow.task.updated", task={"type": "custom", "title": "new"})

    state = folded(before, update)

    tasks = state.items["w"].to_json()["workflow"]["tasks"]
    assert [task["title"] for task in tasks] == (["new"] if titles == "a" else list(titles))
    assert [str(anomaly.kind) for anomaly in state.anomalies] == [
        "index_out_of_range" if not titles else "field_missing"
    ]


def test_an_update_for_another_type_of_item_is_a_misfit_as_ever() -> None:
    state = folded([x.added(x.workflow("w"))], lacking("w", f"{PART}.text_delta", delta="a"))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.UPDATE_MISFIT]


def test_strict_mode_stops_there() -> None:
    with pytest.raises(AnomalyError, match="`content_index` is missing"):
        fold([*message("a"), lacking("m", f"{PART}.text_delta", delta="b")], strict=True)


def test_such_updates_are_compacted_like_any_other() -> None:
    events = [*message("a"), lacking("m", f"{PART}.text_delta", delta="b"), x.text_delta("m", "c")]

    assert fold(compact(events)) == fold(events)


def test_a_long_stream_of_such_updates_is_folded() -> None:
    texts = [lacking("m", f"{PART}.text_delta", delta="b") for _ in range(5_000)]
    tasks = [lacking("w", "workflow.task.added", task={"n": n}) for n in range(5_000)]

    state = fold([*message("a"), *texts, x.added(x.workflow("w")), *tasks])

    assert content(state)[0]["text"] == "a" + "b" * 5_000
    assert len(state.items["w"].to_json()["workflow"]["tasks"]) == 5_000


@pytest.mark.parametrize("stored", [(), ("ab",), ("abcdefgh",)])
def test_a_sweep_counts_what_an_update_without_a_field_brings(stored: Sequence[str]) -> None:
    def card(value: str) -> Json:
        return {"type": "Card", "children": [{"type": "Text", "id": "t", "value": value}]}

    def stops(log: list[Event]) -> list[Any]:
        base = ThreadState.from_items([x.widget("w", card(value)) for value in stored])
        found = sweep(log, [policies.SDK, policies.KEEP], "cancelled", base)
        return [(stop.at, stop.seen, stop.fates) for stop in found]

    begun = x.added(x.widget("w", card("")))
    kind = "widget.streaming_text.value_delta"
    whole: list[Event] = [x.value_delta("w", "t", word, done=False) for word in ("ab", "cde")]
    parted = [lacking("w", kind, component_id="t", delta=word) for word in ("ab", "cde")]

    assert stops([begun, *whole]) == stops([begun, *parted])


@pytest.mark.parametrize("item", [x.message("m", "a"), x.workflow("m", "Plan")])
def test_an_update_for_another_type_of_item_changes_nothing(item: Json) -> None:
    before = [x.added(item)]
    update = lacking("m", "widget.streaming_text.value_delta", component_id="t", delta="b")

    state = folded(before, update)

    assert state.items == fold(before).items
    assert len(state.anomalies) == 1
