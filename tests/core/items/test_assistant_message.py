"""Updates to assistant messages: docs/semantics.md, "Assistant messages"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatkit_reducer import AnomalyKind, ThreadState, reduce
from chatkit_reducer.core.items.assistant_message import Part
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    item,
    message,
    part,
    part_added,
    part_done,
    state_after,
    text_delta,
)
from tests.support.in_doubles import in_doubles

EMPTY = {"type": "output_text", "text": "", "annotations": []}


def content_after(*events: Event, given: Json | None = None) -> list[Json]:
    """The parts of the message `m`, with one empty part to begin with, after these updates."""
    state = state_after(added(given or message("m", "")), *events)
    assert state.anomalies == ()
    return content_of(state)


def content_of(state: ThreadState) -> list[Json]:
    content: list[Json] = state.items["m"].to_json()["content"]
    return content


def titles(part: Json) -> list[str]:
    """The titles of the sources that a part cites."""
    return [annotation["source"]["title"] for annotation in part["annotations"]]


# --- part added -----------------------------------------------------------------------------------


def test_part_added_sets_the_part_at_its_index() -> None:
    content = content_after(part_added("m", part("hi", citation("A"))), given=message("m"))

    assert content == [part("hi", citation("A"))]


def test_part_added_replaces_a_part_that_is_there() -> None:
    content = content_after(text_delta("m", "old"), part_added("m", part("new")))

    assert content == [part("new")]


def test_part_added_replaces_the_citations_of_a_part_as_well() -> None:
    content = content_after(annotation_added("m", citation("A"), 0), part_added("m", part("new")))

    assert content == [part("new")]


def test_part_added_leaves_the_other_parts_alone() -> None:
    given = message("m", "a", "b", "c")

    assert content_after(part_added("m", part("B"), 1), given=given) == [
        part("a"),
        part("B"),
        part("c"),
    ]


def test_part_added_pads_with_empty_parts() -> None:
    content = content_after(part_added("m", part("third"), 2), given=message("m"))

    assert content == [EMPTY, EMPTY, part("third")]


def test_part_added_keeps_what_it_does_not_know() -> None:
    strange = {"type": "output_audio", "clip": [1, 2]}

    assert content_after(part_added("m", strange, 1)) == [EMPTY, strange]


def test_a_part_that_was_sent_is_not_changed_by_the_text_that_follows() -> None:
    """openai-chatkit 1.6.5 keeps the part of the event and writes to it."""
    sent = part("", citation("A"))
    copy = json_copy(sent)

    content = content_after(
        part_added("m", sent), text_delta("m", "more"), annotation_added("m", citation("B"), 1)
    )

    assert content == [part("more", citation("A"), citation("B"))]
    assert sent == copy


# --- text delta -----------------------------------------------------------------------------------


def test_text_delta_appends_to_the_text_of_its_part() -> None:
    assert content_after(text_delta("m", "Hel"), text_delta("m", "lo")) == [part("Hello")]


def test_text_delta_appends_to_the_text_that_the_part_came_with() -> None:
    assert content_after(text_delta("m", "lo"), given=message("m", "Hel")) == [part("Hello")]


def test_text_deltas_of_several_parts_may_alternate() -> None:
    content = content_after(
        text_delta("m", "a", 0),
        text_delta("m", "b", 1),
        text_delta("m", "a", 0),
        text_delta("m", "b", 1),
        given=message("m", "", ""),
    )

    assert content == [part("aa"), part("bb")]


def test_text_delta_pads_with_empty_parts() -> None:
    assert content_after(text_delta("m", "third", 2)) == [EMPTY, EMPTY, part("third")]


def test_an_empty_text_delta_pads_as_well() -> None:
    assert content_after(text_delta("m", "", 1)) == [EMPTY, EMPTY]


def test_text_delta_keeps_the_annotations_and_the_unknown_fields_of_its_part() -> None:
    given = item("m", "assistant_message", content=[{**part("a", citation("A")), "mood": "calm"}])

    content = content_after(text_delta("m", "b"), given=given)

    assert content == [{**part("ab", citation("A")), "mood": "calm"}]


def test_text_delta_for_a_part_without_text_is_an_anomaly() -> None:
    audio = {"type": "output_audio", "clip": 1}

    state = state_after(added(message("m", "")), part_added("m", audio), text_delta("m", "x"))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.UPDATE_MISFIT]
    assert content_of(state) == [audio]


# --- annotation added -----------------------------------------------------------------------------


def test_annotation_added_inserts_at_its_index_within_the_list() -> None:
    content = content_after(
        annotation_added("m", citation("A"), 0),
        annotation_added("m", citation("C"), 1),
        annotation_added("m", citation("B"), 1),
    )

    assert titles(content[0]) == ["A", "B", "C"]


def test_annotation_added_beyond_the_end_appends() -> None:
    content = content_after(
        annotation_added("m", citation("A"), 7), annotation_added("m", citation("B"), 10**9)
    )

    assert titles(content[0]) == ["A", "B"]


def test_the_index_in_an_annotation_is_a_place_in_the_text_and_orders_nothing() -> None:
    late, early = citation("late", at=90), citation("early", at=2)

    content = content_after(annotation_added("m", late, 0), annotation_added("m", early, 1))

    assert content[0]["annotations"] == [late, early]


def test_the_same_annotation_twice_is_two_annotations() -> None:
    again = annotation_added("m", citation("A"), 0)

    assert titles(content_after(again, again)[0]) == ["A", "A"]


def test_annotation_added_pads_with_empty_parts() -> None:
    content = content_after(annotation_added("m", citation("A"), 0, index=1))

    assert content == [EMPTY, part("", citation("A"))]


def test_annotation_added_begins_the_list_where_a_part_has_none() -> None:
    given = item("m", "assistant_message", content=[{"type": "output_text", "text": "a"}])

    content = content_after(annotation_added("m", citation("A"), 0), given=given)

    assert content == [part("a", citation("A"))]


def test_annotations_arrive_between_text_deltas() -> None:
    content = content_after(
        text_delta("m", "a"), annotation_added("m", citation("A"), 0), text_delta("m", "b")
    )

    assert content == [part("ab", citation("A"))]


# --- part done ------------------------------------------------------------------------------------


def test_part_done_sets_the_text_of_its_part() -> None:
    content = content_after(text_delta("m", "draft"), part_done("m", part("final")))

    assert content == [part("final")]


@pytest.mark.parametrize(
    "final", [part("final"), {"type": "output_text", "text": "final"}], ids=["empty", "absent"]
)
def test_part_done_keeps_the_streamed_annotations_when_it_brings_none(final: Json) -> None:
    content = content_after(
        text_delta("m", "draft"), annotation_added("m", citation("A"), 0), part_done("m", final)
    )

    assert content == [part("final", citation("A"))]


def test_part_done_that_brings_nothing_new_is_no_change() -> None:
    cited = state_after(added(message("m", "a")), annotation_added("m", citation("A"), 0))
    state = reduce(cited, part_done("m", {"type": "output_text", "text": "b"}))

    for same in (part("b"), {"type": "output_text", "text": "b"}):
        assert reduce(state, part_done("m", same)) is state


def test_part_done_keeps_the_annotations_that_the_part_came_with() -> None:
    given = item("m", "assistant_message", content=[part("draft", citation("A"))])

    content = content_after(part_done("m", part("final")), given=given)

    assert content == [part("final", citation("A"))]


def test_part_done_that_brings_annotations_wins_over_the_streamed_ones() -> None:
    content = content_after(
        annotation_added("m", citation("A"), 0), part_done("m", part("final", citation("B")))
    )

    assert content == [part("final", citation("B"))]


def test_item_done_without_annotations_wins_over_the_streamed_ones() -> None:
    """Only the end of a part keeps them: the end of an item is the whole truth."""
    content = content_after(annotation_added("m", citation("A"), 0), done(message("m", "final")))

    assert content == [part("final")]


def test_part_done_pads_with_empty_parts() -> None:
    assert content_after(part_done("m", part("third"), 2)) == [EMPTY, EMPTY, part("third")]


def test_text_may_follow_the_end_of_its_part() -> None:
    content = content_after(part_done("m", part("final")), text_delta("m", "ly"))

    assert content == [part("finally")]


# --- indexes out of range -------------------------------------------------------------------------

Indexed = Callable[[int], Event]

UPDATES: dict[str, Indexed] = {
    "part added": lambda index: part_added("m", part("x"), index),
    "text delta": lambda index: text_delta("m", "x", index),
    "annotation added": lambda index: annotation_added("m", citation("x"), 0, index),
    "part done": lambda index: part_done("m", part("x"), index),
}


@pytest.fixture(params=list(UPDATES))
def update(request: pytest.FixtureRequest) -> Indexed:
    """Each of the four updates, as a function of its `content_index`."""
    return UPDATES[request.param]


@pytest.mark.parametrize("index", [-1, -2, -(10**30)])
def test_a_negative_content_index_is_an_anomaly_and_changes_nothing(
    update: Indexed, index: int
) -> None:
    state = state_after(added(message("m", "as it was")), update(index))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.INDEX_OUT_OF_RANGE]
    assert state.anomalies[0].instead == "nothing changed"
    assert content_of(state) == [part("as it was")]


@pytest.mark.parametrize("there", [0, 3])
def test_a_content_index_may_lie_1024_past_the_end(update: Indexed, there: int) -> None:
    state = state_after(added(message("m", *["."] * there)), update(there + 1024))

    assert state.anomalies == ()
    assert len(content_of(state)) == there + 1025


@pytest.mark.parametrize("there", [0, 3])
@pytest.mark.parametrize("beyond", [1, 10**6, 10**30])
def test_a_content_index_further_out_is_an_anomaly_and_changes_nothing(
    update: Indexed, there: int, beyond: int
) -> None:
    given = message("m", *["."] * there)

    state = state_after(added(given), update(there + 1024 + beyond))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.INDEX_OUT_OF_RANGE]
    assert content_of(state) == given["content"]


def test_padding_is_bounded_for_a_message_and_not_for_an_update(update: Indexed) -> None:
    given = added(message("m", "."))

    state = state_after(given, update(1 + 1000), update(1002 + 24), update(1027 + 1))

    assert [anomaly.position for anomaly in state.anomalies] == [3]
    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.INDEX_OUT_OF_RANGE]
    assert len(content_of(state)) == 1027


def test_padding_that_was_filled_makes_room_for_more(update: Indexed) -> None:
    padded = [added(message("m", ".")), update(1 + 1024)]

    full = state_after(*padded, update(1026 + 1))
    filled = state_after(*padded, text_delta("m", "x", 1), update(1026 + 1))

    assert len(full.anomalies) == 1
    assert filled.anomalies == ()
    assert len(content_of(filled)) == 1028


@pytest.mark.parametrize("annotations", [{}, {"annotations": []}, {"annotations": None}])
def test_a_part_without_text_or_citation_counts_as_padding_whoever_made_it(
    update: Indexed, annotations: Json
) -> None:
    empty = {"type": "output_text", "text": "", **annotations}
    given = added(item("m", "assistant_message", content=[empty]))

    assert state_after(given, update(1 + 1023)).anomalies == ()
    assert len(state_after(given, update(1 + 1024)).anomalies) == 1


@pytest.mark.parametrize(
    "given", [part(" "), part("", citation("A")), {"type": "strange"}], ids=["blank", "cited", "?"]
)
def test_a_part_with_anything_in_it_is_no_padding(update: Indexed, given: Json) -> None:
    start = added(item("m", "assistant_message", content=[given]))

    assert state_after(start, update(1 + 1024)).anomalies == ()


def test_a_part_directly_behind_the_last_is_possible_after_any_number_of_empty_ones(
    update: Indexed,
) -> None:
    start = added(message("m", *[""] * 2000))

    assert state_after(start, update(2000)).anomalies == ()
    assert len(state_after(start, update(2001)).anomalies) == 1


def test_a_negative_annotation_index_is_an_anomaly_and_changes_nothing() -> None:
    given = item("m", "assistant_message", content=[part("a", citation("A"), citation("B"))])

    state = state_after(added(given), annotation_added("m", citation("x"), -1))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.INDEX_OUT_OF_RANGE]
    assert content_of(state) == given["content"]


def test_an_anomaly_between_text_deltas_loses_no_text() -> None:
    state = state_after(
        added(message("m", "")),
        text_delta("m", "a"),
        text_delta("m", "x", -1),
        text_delta("m", "b"),
    )

    assert content_of(state) == [part("ab")]
    assert [anomaly.position for anomaly in state.anomalies] == [2]


# --- parts that change what they are --------------------------------------------------------------


def test_a_part_that_is_done_has_no_more_than_the_event_says() -> None:
    bare = {"type": "output_text", "text": "a"}

    state = state_after(added(message("m", "")), part_done("m", bare))

    assert state.items["m"].to_json()["content"] == [bare]


def test_citations_do_not_outlive_a_part_that_became_something_else() -> None:
    cited, picture = part("a", citation("A")), {"type": "new.picture"}

    state = state_after(
        added(message("m")),
        part_added("m", cited),
        part_done("m", picture),
        part_done("m", part("b")),
    )

    assert state.items["m"].to_json()["content"] == [part("b")]


def test_a_citation_that_was_refused_does_not_come_back() -> None:
    state = in_doubles(
        added(item("m", "assistant_message", content=[{"type": "new.picture"}])),
        annotation_added("m", citation("A"), 0),
        part_done("m", part("b")),
    )

    assert state.items["m"].to_json()["content"] == [part("b")]


def test_a_fault_in_the_middle_of_a_run_is_a_fault() -> None:
    state = in_doubles(
        added(message("m", "", "")),
        text_delta("m", "a"),
        annotation_added("m", citation("A"), 0),
        annotation_added("m", citation("B"), -1),
        annotation_added("m", citation("C"), -1, 1),
        annotation_added("m", citation("D"), 0),
        text_delta("m", "b"),
    )

    assert len(state.anomalies) == 2
    expected = [part("ab", citation("D"), citation("A")), part("")]
    assert state.items["m"].to_json()["content"] == expected


def test_a_citation_for_a_part_without_text_is_a_misfit() -> None:
    picture = {"type": "new.picture", "url": "u"}

    state = state_after(
        added(message("m", "")),
        part_added("m", picture),
        annotation_added("m", citation("A"), 0),
    )

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.UPDATE_MISFIT]
    assert state.items["m"].to_json()["content"] == [picture]


def test_parts_are_equal_by_what_they_say() -> None:
    grown = Part.parse(part("a")).with_delta("b")

    assert grown == Part.parse(part("ab"))
    assert not grown != Part.parse(part("ab"))  # noqa: SIM202
    assert grown != Part.parse(part("ba"))


def test_text_is_appended_where_it_is() -> None:
    one = Part.parse(part("a")).with_delta("b")
    two = one.with_delta("c")

    assert one.text is not None
    assert two.text is not None
    assert two.text.cells is one.text.cells
    assert two.text.count == 3
