"""A state on paper: what is restored is what was, and goes on as it would have gone on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, fold, restore, settle, snapshot
from chatkit_reducer import events as e
from chatkit_reducer.errors import SnapshotError
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws
from chatkit_reducer.testing.examples import (
    added,
    done,
    image,
    image_updated,
    item,
    message,
    removed,
    state_after,
    text_delta,
    value_delta,
    widget,
)

STREAMS = chatkit.streams() | chatkit.adversarial_streams(max_events=16)
CUTS = st.integers(0, 60)


def by_text(paper: Json) -> Json:
    found: Json = json.loads(json.dumps(paper))
    return found


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def on_paper(state: ThreadState) -> list[str]:
    """All that a state says, with the types of its numbers."""
    return [
        text([[key, one.to_json()] for key, one in state.items.items()]),
        text([[key, one.to_json()] for key, one in state.bases.items()]),
        text([state.pending, [state.phase(key) for key in state.items]]),
        text([anomaly.to_json() for anomaly in state.anomalies]),
        text([state.thread, state.stream_options, state.position]),
        repr((state.error, state.progress)),
    ]


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.law
@given(STREAMS, CUTS, st.sampled_from([by_text, deepcopy, lambda paper: paper]))
def test_a_state_comes_back(events: list[Event], cut: int, way: Callable[[Json], Json]) -> None:
    events = events[: cut % (len(events) + 1)]
    laws.snapshot_loses_nothing(events, restore=lambda paper: restore(way(paper)))
    state = fold(events)
    back = restore(way(snapshot(state)))
    assert on_paper(back) == on_paper(state)
    assert snapshot(back) == snapshot(state)


@given(STREAMS)
def test_a_restored_state_goes_on_at_every_cut(events: list[Event]) -> None:
    laws.a_fold_may_be_cut_anywhere(events, snapshot=lambda state: by_text(snapshot(state)))


@given(STREAMS, CUTS, chatkit.policies(markers=False))
def test_a_restored_state_is_settled_as_it_would_have_been(
    events: list[Event], cut: int, policy: Any
) -> None:
    state = fold(events[: cut % (len(events) + 1)])
    there, here = (
        settle(one, policy=policy, cause="crashed") for one in (restore(snapshot(state)), state)
    )
    assert there.writes == here.writes
    assert there.events == here.events


def everything() -> ThreadState:
    return state_after(
        e.ThreadCreated({"id": "thr_1", "title": "x", "items": {"data": []}}),
        e.StreamOptions({"allow_cancel": True}),
        removed("no such item"),
        e.Unreadable(7, 3, "no JSON", "{"),
        e.ErrorEvent(code="stream.error", allow_retry=True, extra=e.Extra({"at": [1]})),
        text_delta("old", "!"),
        added(message("new", "Hi")),
        added({"id": "odd", "type": "widget", "widget": None}),
        e.ProgressUpdate("working", icon="bolt"),
        stored=[message("old", "Hello"), image("done", "data:1")],
    )


def test_what_a_snapshot_holds() -> None:
    paper = snapshot(everything())
    assert list(paper) == [
        "version",
        "items",
        "anomalies",
        "position",
        "thread",
        "error",
        "progress",
        "stream_options",
    ]
    assert paper["version"] == 2
    assert [one["phase"] for one in paper["items"]] == [
        "pending_over_base",
        "stored",
        "pending",
        "pending",
    ]
    assert paper["items"][0]["item"] == message("old", "Hello!")
    assert paper["items"][0]["base"] == message("old", "Hello")
    assert paper["items"][1]["base"] is None
    assert [one["kind"] for one in paper["anomalies"]] == [
        "item_not_found",
        "unreadable",
        "item_malformed",
    ]
    assert paper["error"] == {
        "type": "error",
        "code": "stream.error",
        "allow_retry": True,
        "at": [1],
    }
    assert paper["progress"] == {
        "text": "working",
        "icon": "bolt",
        "item_id": None,
        "fraction": None,
    }
    assert paper["position"] == everything().position
    assert restore(by_text(paper)) == everything()
    assert on_paper(restore(by_text(paper))) == on_paper(everything())


@pytest.mark.parametrize("fraction", [0, 1, 0.5, 1.0])
def test_progress_comes_back(fraction: float) -> None:
    state = state_after(added(image("i")), image_updated("i", "data:1", fraction))
    assert repr(restore(by_text(snapshot(state))).progress) == repr(state.progress)


def test_an_empty_thread_comes_back() -> None:
    assert restore(snapshot(ThreadState())) == ThreadState()


def test_text_that_is_streaming_comes_back() -> None:
    tree = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a"}]}
    start: list[Event] = [added(message("m")), added(widget("w", tree))]
    more: list[Event] = [text_delta("m", "b"), value_delta("w", "t", "c"), text_delta("m", "d")]
    state = fold([*start, *more])
    assert fold(more, restore(snapshot(state))) == fold([*start, *more, *more])


def test_items_may_be_nested_more_deeply_than_python_calls() -> None:
    deep: Json = {}
    for _ in range(5000):
        deep = {"a": [deep]}
    start: list[Event] = [done(item("x", "new", content=deep)), e.ThreadUpdated({"x": deep})]
    state = fold([*start, e.StreamOptions({"x": deep})])
    assert restore(snapshot(state)) == state
    state = fold([e.ErrorEvent(extra=e.Extra({"x": deep}))], state)
    assert restore(snapshot(state)).items.keys() == {"x"}


# --- copies ---------------------------------------------------------------------------------------


def scribble_over(value: Any) -> None:
    for inner in list(value.values()) if isinstance(value, dict) else list(value):
        if isinstance(inner, dict | list):
            scribble_over(inner)
    value.clear()


@given(STREAMS)
def test_a_snapshot_shares_nothing_with_the_state(events: list[Event]) -> None:
    state = fold(events)
    before = on_paper(state)
    scribble_over(snapshot(state))
    assert on_paper(state) == before
    paper = snapshot(state)
    back = restore(paper)
    scribble_over(paper)
    assert on_paper(back) == before


def test_no_field_is_shared() -> None:
    state = everything()
    paper = snapshot(state)
    back = restore(paper)
    before = on_paper(state)
    scribble_over(paper)
    assert on_paper(state) == on_paper(back) == before


# --- the version before ---------------------------------------------------------------------------


def of_version_1(paper: Json) -> Json:
    """The same snapshot as the version before wrote it."""
    old = deepcopy({**paper, "version": 1})
    words = {"pending_over_base": "pending over a base", "pending": "pending, new"}
    for entry in old["items"]:
        entry["phase"] = words.get(entry["phase"], entry["phase"])
    for anomaly in old["anomalies"]:
        if anomaly["event"] == "stored_item":
            anomaly["event"] = "stored item"
    return old


@given(STREAMS, st.lists(st.just(message("m", "a")) | st.just({"id": ""}), max_size=2))
@example([added(message("n")), added(message("m"))], [message("m", "a"), {"id": ""}])
def test_a_snapshot_of_version_1_is_read(events: list[Event], stored: list[Json]) -> None:
    state = fold(events, ThreadState.from_items(stored))
    back = restore(of_version_1(snapshot(state)))

    assert on_paper(back) == on_paper(state)
    assert snapshot(back) == snapshot(state)


def lost(name: str) -> Event:
    """An update of this type, for an item that the thread does not have."""
    return e.ThreadItemUpdated("gone", e.UnknownUpdate({"type": name}))


@pytest.mark.parametrize("name", ["stored item", "pending, new"])
def test_an_event_keeps_its_name_if_version_1_had_another_use_for_it(name: str) -> None:
    state = fold([added(message("m")), lost(name)])
    (anomaly,) = restore({**snapshot(state), "version": 1}).anomalies
    assert anomaly.event == name

    (first,) = restore(snapshot(fold([lost(name)]))).anomalies
    assert first.event == name


def test_a_phase_of_version_1_that_is_no_text_is_damage() -> None:
    paper = of_version_1(snapshot(fold([added(message("m"))])))
    paper["items"][0]["phase"] = []

    with pytest.raises(SnapshotError, match="the snapshot is damaged"):
        restore(paper)


def test_what_comes_after_a_restore_stands_behind_all_else() -> None:
    back = restore(snapshot(fold([done(message("m")), done(message("l"))])))
    after = fold([done(message("a"))], back)

    assert list(after.items) == ["m", "l", "a"]
    assert [entry.item.id for entry in after.contents().newest_first()] == ["a", "l", "m"]


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 3, None, "1", "x", [], {}])
def test_another_version(version: Any) -> None:
    with pytest.raises(SnapshotError, match="fold the events again, or read it with the release"):
        restore({**snapshot(ThreadState()), "version": version})


@pytest.mark.parametrize("paper", [None, [], "{}", 1])
@pytest.mark.parametrize("error", [SnapshotError, TypeError])
def test_what_is_not_a_mapping(paper: Any, error: type[Exception]) -> None:
    kind = type(paper).__name__
    said = f"expected the mapping that snapshot returned, got {kind}: "
    with pytest.raises(error) as caught:
        restore(paper)

    assert str(caught.value) == f"{said}decode the JSON text of a snapshot before restoring it"


def test_a_mapping_without_a_version() -> None:
    with pytest.raises(SnapshotError, match="version None"):
        restore({})


GONE: Any = object()


def damaged(path: list[Any], value: Any) -> Json:
    paper = by_text(snapshot(everything()))
    where: Any = paper
    for step in path[:-1]:
        where = where[step]
    if value is GONE:
        del where[path[-1]]
    else:
        where[path[-1]] = value
    return paper


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["items"], {}, "expected a list, got dict @ $.items"),
        (["items"], "abc", "expected a list, got str @ $.items"),
        (["items"], GONE, "required field missing @ $.items"),
        (["items", 1], None, "expected an object, got NoneType @ $.items[1]"),
        (["items", 1, "item"], [], "expected an object, got list @ $.items[1].item"),
        (["items", 1, "item"], {}, "an item has no id @ $.items[1].item"),
        (["items", 1, "item", "id"], 5, "an item has no id @ $.items[1].item"),
        (["items", 1, "item", "id"], "old", "a second item with this id @ $.items[1].item.id"),
        (
            ["items", 1, "phase"],
            "done",
            "invalid value for type, expected Phase @ $.items[1].phase",
        ),
        (["items", 1, "phase"], "absent", "an item that is there cannot be absent"),
        (["items", 0, "phase"], "stored", "has a base, or lacks one @ $.items[0].base"),
        (["items", 0, "base"], None, "has a base, or lacks one @ $.items[0].base"),
        (["items", 0, "base"], 5, "expected an object or null, got int @ $.items[0].base"),
        (["items", 0, "base", "id"], "new", "the base is another item @ $.items[0].base.id"),
        (["items", 0, "base", "id"], None, "an item has no id @ $.items[0].base"),
        (["items", 2, "later"], 1, "extra fields found (later) @ $.items[2]"),
        (["anomalies", 1], 5, "expected an object, got int @ $.anomalies[1]"),
        (["anomalies", 1, "kind"], "x", "expected AnomalyKind @ $.anomalies[1].kind"),
        (["anomalies", 1, "problem"], 5, "expected a text, got int @ $.anomalies[1].problem"),
        (["anomalies", 1, "line"], "5", "expected a whole number, got str @ $.anomalies[1].line"),
        (["anomalies"], None, "expected a list, got NoneType @ $.anomalies"),
        (["position"], "5", "expected a whole number, got str @ $.position"),
        (["position"], 1.5, "expected a whole number, got float @ $.position"),
        (["position"], True, "expected a whole number, got bool @ $.position"),
        (["thread"], [], "expected an object or null, got list @ $.thread"),
        (["stream_options"], 0, "expected an object or null, got int @ $.stream_options"),
        (["error"], "x", "expected an object or null, got str @ $.error"),
        (["error"], {}, "expected a string `type` - at `$` @ $.error"),
        (["error", "code"], 5, "Expected `str`, got `int` - at `$.code` @ $.error"),
        (["error"], {"type": "new"}, "expected an error event @ $.error"),
        (["progress"], [], "expected an object, got list @ $.progress"),
        (["progress", "text"], 5, "expected a text, got int @ $.progress.text"),
        (["progress", "fraction"], "5", "expected a number or null, got str @ $.progress.fraction"),
        (["later"], 1, "extra fields found (later) @ $"),
    ],
)
def test_damage_is_named_with_its_path(path: list[Any], value: Any, said: str) -> None:
    with pytest.raises(SnapshotError) as caught:
        restore(damaged(path, value))
    message = str(caught.value)
    assert message.startswith("the snapshot is damaged: ")
    assert said in message


def test_all_damage_to_the_form_is_named_at_once() -> None:
    paper = damaged(["position"], "x")
    paper["items"][1]["phase"] = "x"
    with pytest.raises(SnapshotError, match=r"@ \$\.items\[1\]\.phase; .* @ \$\.position"):
        restore(paper)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything inside of a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in list(pairs):
        yield (*path, step)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, step))


@given(STREAMS, st.lists(st.tuples(st.integers(0, 2**16), chatkit.json_values()), max_size=3))
def test_damage_of_any_kind_is_a_snapshot_error_and_nothing_else(
    events: list[Event], damage: list[tuple[int, Any]]
) -> None:
    paper = by_text(snapshot(fold([*events, removed("no such item")])))
    for number, value in damage:
        found = list(places(paper))
        *path, last = found[number % len(found)] if found else ("version",)
        where: Any = paper
        for step in path:
            where = where[step]
        if number % 3:
            where[last] = value
        else:
            del where[last]
    try:
        state = restore(paper)
    except SnapshotError as error:
        assert str(error)  # noqa: PT017  # whether it raises at all depends on the damage
        return
    # What is still a snapshot is a state that holds together.
    assert restore(snapshot(state)) == state
    assert on_paper(fold(events, state))
    assert set(state.bases) <= set(state.pending) <= set(state.items)


@given(chatkit.json_values())
def test_any_json_is_a_snapshot_or_a_snapshot_error(value: Any) -> None:
    with pytest.raises(SnapshotError):
        restore(value)
    with pytest.raises(SnapshotError):
        restore({"version": 1, "items": value, "anomalies": 1, "position": 0})


def test_a_snapshot_says_where_it_is_damaged() -> None:
    paper = snapshot(state_after(added(message("m", ""))))
    paper["items"][0]["phase"] = "absent"

    with pytest.raises(SnapshotError) as caught:
        restore(paper)

    assert str(caught.value) == (
        "the snapshot is damaged: an item that is there cannot be absent @ $.items[0].phase"
    )
