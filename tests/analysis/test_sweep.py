"""`sweep`: at every stop the figures that `settle` comes to there, and the same cost at each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import Policy, Row, ThreadState, fold, policies, settle
from chatkit_reducer import events as e
from chatkit_reducer.analysis import Flight, Outcome, StopPoint, sweep
from chatkit_reducer.analysis.sweep_summary import SweepResult
from chatkit_reducer.analysis.sweeper import Sweeper
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.core.items import AssistantMessage, Widget
from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.core.policy.store_rows import NO_NEWS
from chatkit_reducer.core.policy.table import Cause, Decision
from chatkit_reducer.events import Event
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    image,
    image_updated,
    message,
    part,
    part_added,
    removed,
    task,
    task_added,
    task_updated,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)

Events = Sequence[e.Event | e.Unreadable]

ODD = Policy(
    name="odd",
    rows=(
        Row(item="widget", cause="failed", decision="persist", reason="Forms are kept."),
        Row(item="widget", content="empty", decision="stale", reason="Empty forms are odd."),
        Row(origin="base", content="partial", decision="persist", reason="It has a copy."),
        Row(content="empty", decision="stale", reason="Nothing."),
        Row(decision="discard", reason="The rest."),
    ),
)
ALL = (policies.SDK, policies.KEEP, policies.DROP, ODD)


def settled(state: ThreadState, policy: Policy, cause: Cause) -> Outcome:
    """What `sweep` should say, the slow way."""
    sums = dict.fromkeys(Decision, VisibleContent())
    for verdict in settle(state, policy=policy, cause=cause).verdicts:
        is_kept = verdict.row is NO_NEWS  # the stored copy shows all of it
        sums[Decision.PERSIST if is_kept else verdict.decision] += verdict.item.seen
    return Outcome(sums[Decision.PERSIST], sums[Decision.DISCARD], sums[Decision.STALE])


def expected(
    events: Events, state: ThreadState, cause: Cause
) -> list[tuple[int, VisibleContent, tuple[Outcome, ...]]]:
    """Every stop, the slow way."""
    stops = []
    for count in range(len(events) + 1):
        now = fold(events[:count], state)
        seen = sum((now.items[item_id].seen for item_id in now.pending), VisibleContent())
        fates = tuple([settled(now, policy, cause) for policy in ALL])
        stops.append((count, seen, fates))
    return stops


def figures(stops: Iterable[StopPoint]) -> list[tuple[int, VisibleContent, tuple[Outcome, ...]]]:
    """What the stops say."""
    return [(stop.at, stop.seen, stop.fates) for stop in stops]


def check(events: Events, state: ThreadState | None = None, cause: Cause = Cause.ENDED) -> None:
    """`sweep` says what `settle` says."""
    state = ThreadState() if state is None else state
    assert figures(sweep(events, ALL, cause, state)) == expected(events, state, cause)


def split(events: Events, size: int) -> Events:
    """The events, with texts in smaller deltas, so that there are runs of them."""
    out: list[e.Event | e.Unreadable] = []
    for event in events:
        update: Any = getattr(event, "update", None)
        delta = getattr(update, "delta", "")
        if type(update) is e.AssistantMessageContentPartTextDelta and len(delta) > size:
            pieces = [delta[i : i + size] for i in range(0, len(delta), size)]
            item_id: str = getattr(event, "item_id", "")
            out += [text_delta(item_id, piece, update.content_index) for piece in pieces]
        else:
            out.append(event)
    return out


# --- the law --------------------------------------------------------------------------------------

CAUSES = st.sampled_from(Cause)
SOUND = chatkit.streams(max_items=3, max_updates=8)
TEXTS = chatkit.streams(types=["assistant_message", "widget"], max_items=2, max_updates=16)
HOSTILE = chatkit.adversarial_streams(max_events=20)


@given(SOUND | TEXTS | HOSTILE, CAUSES, st.integers(1, 3))
def test_it_says_what_settle_says(events: Events, cause: Cause, size: int) -> None:
    check(split(events, size), cause=cause)


@given(SOUND | TEXTS | HOSTILE, SOUND | TEXTS | HOSTILE, CAUSES)
def test_from_a_thread_that_has_items(first: Events, then: Events, cause: Cause) -> None:
    check(then, fold(first[: len(first) * 2 // 3]), cause)
    stored = [item.to_json() for item in fold(first).items.values()]
    check(then, ThreadState.from_items(stored), cause)


@given(TEXTS | HOSTILE, st.integers(0, 20))
def test_in_pieces(events: Events, cut: int) -> None:
    sweeping = Sweeper(ALL, Cause.ENDED)
    first = sweeping.stop()
    stops = [first, *sweeping.take(events[:cut]), *sweeping.take(events[cut:])]
    assert figures(stops) == expected(events, ThreadState(), Cause.ENDED)


def flying(flights: Iterable[Flight], at: int) -> list[str]:
    """The items that were in flight at a stop."""
    return sorted(f.id for f in flights if f.begin <= at and (f.end is None or at < f.end))


@given(SOUND | TEXTS | HOSTILE, SOUND | TEXTS | HOSTILE, st.integers(0, 20))
def test_flights_are_the_pending_items_of_each_stop(
    before: Events, events: Events, cut: int
) -> None:
    state = fold(before)
    sweeping = Sweeper([], Cause.ENDED, state)

    for piece in (events[:cut], events[cut:]):
        _ = list(sweeping.take(piece))

    for at in range(len(events) + 1):
        assert flying(sweeping.flights, at) == sorted(fold(events[:at], state).pending)
    assert [f.begin for f in sweeping.flights] == sorted(f.begin for f in sweeping.flights)


@given(SOUND | TEXTS | HOSTILE, st.integers(1, 40))
def test_lanes_are_the_flights_in_columns(events: Events, count: int) -> None:
    """A column has an item in flight if one of the stops that it stands for has, and no other."""
    sweeping = Sweeper([], Cause.ENDED)
    stops = [sweeping.stop(), *sweeping.take(events)]
    flights = sweeping.flights

    lanes = SweepResult(None, [], stops, flights=flights).lanes(count)

    edges = [column * len(stops) // count for column in range(count + 1)]
    parts = [stops[begin : max(end, begin + 1)] for begin, end in pairwise(edges)]
    for kind, lane in lanes.items():
        mine = [flight for flight in flights if flight.type == kind]
        flown = [any(flying(mine, stop.at) for stop in part) for part in parts]
        assert [sign is not None for sign in lane] == flown
        begun = {flight.begin for flight in mine}
        first = {
            at: next(c for c, p in enumerate(parts) if p[0].at <= at <= p[-1].at) for at in begun
        }
        assert [column for column, sign in enumerate(lane) if sign] == sorted({*first.values()})


# --- cases that the strategies may seldom hit -----------------------------------------------------

TITLE = {"type": "Title", "id": "t", "value": ""}
BUTTON = {"type": "Button", "id": "b", "value": "v"}
CARD = {"type": "Card", "id": "c", "children": [TITLE, BUTTON]}
STORED = [
    message("old", "Once"),
    widget("form", {"type": "Text", "id": "t", "value": "abc"}),
    workflow("wf", "Plan"),
]
FROM_STORE = from_json(
    {"type": "thread.created", "thread": {"id": "t", "items": {"data": [message("m", "b")]}}}
)
CASES: dict[str, list[e.Event | e.Unreadable]] = {
    "runs": [added(message("m", "")), *[text_delta("m", "ab")] * 5, done(message("m", "x"))],
    "white space first": [
        added(message("m", "")),
        *[text_delta("m", piece) for piece in (" ", "\n", "", "a", "", " ", "b")],
    ],
    "halves of characters": [
        added(message("m", "")),
        *[
            text_delta("m", piece)
            for piece in ("a", "b\ud83d", "\ude00c", "d", "e\ud83d", "f", "g")
        ],
    ],
    "another part": [
        added(message("m", "a")),
        text_delta("m", "b", 0),
        text_delta("m", "c", 2),
        text_delta("m", "d", 2),
        text_delta("m", "e", 0),
        part_added("m", part("fgh"), 1),
        text_delta("m", "i", 1),
        annotation_added("m", citation("x"), 0, 1),
        annotation_added("m", citation("x"), 0, -1),
        annotation_added("m", citation("x"), 0, 5),
        text_delta("m", "j", 1),
    ],
    "side by side": [
        added(message("m", "a")),
        added(message("n", "")),
        *[text_delta(name, piece) for name, piece in zip("mnmmnnm", "bcdefgh", strict=True)],
    ],
    "a part without text": [
        added({**message("m"), "content": [{"type": "shape"}]}),
        text_delta("m", "a"),
        text_delta("m", "b"),
        text_delta("m", "c", 1),
        text_delta("m", "d", 9999),
        text_delta("m", "e", -1),
    ],
    "stored before": [
        text_delta("old", " upon"),
        text_delta("old", " a"),
        value_delta("form", "t", "de"),
        value_delta("form", "t", "f"),
        task_added("wf", task("Act"), 1),
        task_updated("wf", task("Rest"), 0),
        removed("old"),
        text_delta("old", "x"),
        done(message("old", "new")),
        text_delta("old", "er"),
        text_delta("old", "er"),
    ],
    "a stored item annotated": [annotation_added("old", citation("x"), 0, 0)],
    "a stored item untouched": [text_delta("old", ""), text_delta("old", "")],
    "a stored message again": [
        added(message("old", "")),
        *[text_delta("old", letter) for letter in "Onc"],
        text_delta("old", ""),
        *[text_delta("old", letter) for letter in "e upon a time"],
    ],
    "a stored message again, and another ending": [
        added(message("old", "O")),
        *[text_delta("old", letter) for letter in ("n", "x", "c", "e")],
    ],
    "a stored message again, and another part": [
        added(message("old", "")),
        text_delta("old", "On"),
        text_delta("old", "", 1),
        text_delta("old", "x", 1),
        text_delta("old", "ce"),
    ],
    "a stored workflow again": [
        added(workflow("wf")),
        task_added("wf", task("Pl"), 0),
        task_updated("wf", task("Plan"), 0),
        task_updated("wf", task("Plot"), 0),
        task_updated("wf", task("P"), 0),
        task_added("wf", task("Do"), 1),
    ],
    "a stored widget again": [
        added(widget("form", {"type": "Text", "id": "t", "value": ""})),
        value_delta("form", "t", "a"),
        value_delta("form", "t", "b"),
        value_delta("form", "t", "x"),
        value_delta("form", "t", "c"),
    ],
    "a widget": [
        added(widget("w", CARD)),
        value_delta("w", "t", " "),
        value_delta("w", "t", "a"),
        value_delta("w", "t", "b"),
        value_delta("w", "b", "c"),
        value_delta("w", "b", "d"),
        value_delta("w", "c", "no text"),
        value_delta("w", "nobody", "x"),
        component_updated("w", "t", {**TITLE, "value": "longer"}),
        value_delta("w", "t", "e", done=True),
        value_delta("w", "t", "f"),
    ],
    "a widget that was empty": [
        added(widget("w", {"type": "Card", "children": [TITLE]})),
        *[value_delta("w", "t", piece) for piece in (" ", "", "a", "b", " ")],
    ],
    "a component of no type": [
        added(widget("w", {"id": "x", "value": ""})),
        value_delta("w", "x", "a"),
        value_delta("w", "x", "b"),
    ],
    "two components of one id": [
        added(widget("w", {"type": "Card", "children": [TITLE, TITLE]})),
        value_delta("w", "t", "a"),
        value_delta("w", "t", "b"),
    ],
    "a workflow": [
        added(workflow("f")),
        task_added("f", task("a"), 0),
        task_added("f", task("b"), 7),
        task_updated("f", task("c"), 0),
        task_updated("f", task("c"), 9),
    ],
    "an image": [added(image("i")), image_updated("i", "1", progress=0.5), done(image("i", "1"))],
    "restarted": [
        added(message("m", "abc")),
        text_delta("m", "d"),
        added(widget("m", CARD)),
        text_delta("m", "e"),
        value_delta("m", "t", "f"),
    ],
    "the thread comes with items": [added(message("m", "a")), text_delta("m", "b"), FROM_STORE],
    "nothing": [done(user_message("u", "hi"))],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("cause", [Cause.CANCELLED, Cause.FAILED])
def test_cases(name: str, cause: Cause) -> None:
    check(CASES[name], cause=cause)
    check(CASES[name], ThreadState.from_items(STORED), cause)


def test_a_policy_that_looks_at_ids() -> None:
    row = Row(id="elapsed_*", decision="discard", reason="It is for the moment.")
    policy = policies.KEEP.with_rows(row, name="no clocks")
    events: Events = [
        added(message("elapsed_1", "12 s")),
        added(message("m", "Once")),
        text_delta("elapsed_1", "!"),
        text_delta("m", "!"),
        text_delta("m", "!"),
    ]
    *_, last = sweep(events, [policy], "cancelled")
    [fate] = last.fates
    assert (fate.kept.characters, fate.lost.characters) == (6, 5)
    settlement = settle(fold(events), policy=policy, cause="cancelled")
    assert [write.item["id"] for write in settlement.writes] == ["m"]


def test_a_run_longer_than_what_is_kept_of_it() -> None:
    deltas = [text_delta("m", "ab")] * 3000
    for stop in sweep([added(message("m", "")), *deltas], ALL, Cause.ENDED):
        assert stop.seen.characters == max(0, 2 * (stop.at - 1))
        assert stop.fates[1].kept == stop.fates[2].lost == stop.seen


def test_what_is_no_event_makes_no_stop() -> None:
    not_a_log = e.Unreadable(0, 1, "no JSON", "{")
    events: Events = [
        not_a_log,
        added(message("m", "")),
        not_a_log,
        text_delta("m", "a"),
        not_a_log,
    ]
    assert [stop.at for stop in sweep(events, ALL, "ended")] == [0, 1, 2]


def test_without_policies() -> None:
    *_, last = sweep([added(message("m", "a")), text_delta("m", "b")], [], "ended")
    assert (last.seen, last.fates) == (VisibleContent(characters=2), ())


def test_the_cause_is_looked_at_before_any_event() -> None:
    with pytest.raises(ValueError, match=r"expected one of ended, .*, got 'bored'"):
        sweep([], ALL, "bored")


def test_the_log_is_read_as_the_stops_are_taken() -> None:
    events: Any = iter([added(message("m", "a")), None])
    stops = sweep(events, ALL, "ended")
    assert (next(stops).at, next(stops).at) == (0, 1)
    with pytest.raises(TypeError, match="NoneType is not an event"):
        next(stops)


def test_the_position_may_be_that_of_a_log_of_several_threads() -> None:
    sweeper = Sweeper(ALL, "ended", position=40)
    assert [stop.at for stop in sweeper.take([added(message("m", "a"))])] == [41]
    assert [stop.at for stop in sweeper.take([text_delta("m", "b")], position=50)] == [51]
    assert sweeper.position == 51


# --- the cost -------------------------------------------------------------------------------------


def test_texts_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def count(kind: type[Any], name: str) -> None:
        whole = getattr(kind, name).fget

        def looking(item: Any) -> Any:
            looked.append(item.id)
            return whole(item)

        monkeypatch.setattr(kind, name, property(looking))

    for kind, name in [
        (AssistantMessage, "seen"),
        (AssistantMessage, "is_empty"),
        (Widget, "seen"),
        (Widget, "is_empty"),
    ]:
        count(kind, name)
    texts = [text_delta("m", " "), *[text_delta(name, "x") for name in "mn" * 50]]
    values = [value_delta("w", name, "x") for name in "ab" * 50]
    children = [{**TITLE, "id": "a"}, {**TITLE, "id": "b"}]
    begun = [message("m", ""), message("n", ""), widget("w", {"type": "Row", "children": children})]
    list(sweep([*map(added, begun), *texts, *values], ALL, "ended"))

    # Each when it is added.
    assert sorted(looked) == ["m", "m", "n", "n", "w"]


def test_the_stops_share_what_did_not_change() -> None:
    stops = list(sweep([added(message("m", "a")), *[text_delta("m", "b")] * 50], ALL, "ended"))
    assert len({id(stop._totals) for stop in stops[3:]}) == 1
    assert all(one.fates != other.fates for one, other in pairwise(stops[1:]))


def test_a_sweep_sees_no_more_when_the_stream_speaks_of_itself() -> None:
    text = text_delta("m", "a")
    events: list[Event] = [added(message("m", "")), text, e.ProgressUpdate("busy"), text]

    stops = list(sweep(events, [policies.KEEP], Cause.CANCELLED))

    assert [stop.seen.characters for stop in stops] == [0, 0, 1, 1, 2]


def test_a_sweep_sees_nothing_of_an_item_without_an_id() -> None:
    events: list[Event] = [added({"type": "assistant_message"}), added(message("m", "a"))]

    stops = list(sweep(events, [policies.KEEP], Cause.CANCELLED))

    assert [stop.seen.characters for stop in stops] == [0, 0, 1]
