"""The published laws find what breaks them, and say so in a way that can be read."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, TypeVar

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import force_setattr, replace

from chatkit_reducer import (
    Row,
    ThreadState,
    compact,
    decode,
    diff,
    encode,
    fold,
    policies,
    reduce,
    restore,
    settle,
    snapshot,
)
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws
from chatkit_reducer.testing.conformance.laws import LAWS, LawBroken
from chatkit_reducer.testing.examples import (
    added,
    done,
    image,
    image_updated,
    message,
    part,
    part_added,
    removed,
    state_after,
    text_delta,
    value_delta,
    widget,
)

T = TypeVar("T")

ANY = chatkit.streams() | chatkit.adversarial_streams()


# Streams with few parts, which shrink to the same few events whatever else there is to draw.
MESSAGES = chatkit.streams(types=["assistant_message"], max_items=1, unknown=False)
LOOSE = st.lists(chatkit.events(ids=st.sampled_from(["a", "b"]), unknown=False), max_size=8)


@st.composite
def stopped(draw: st.DrawFn) -> list[Event]:
    """The first so many events of a stream: what is done hides what went before."""
    events = draw(MESSAGES)
    return events[: draw(st.integers(0, len(events)))]


STOPPED = stopped()
PAIRS = st.tuples(LOOSE.map(fold), LOOSE.map(fold))


def broken_by(law: Callable[[T], None], data: st.SearchStrategy[T]) -> LawBroken:
    """How the law is broken by the smallest data that Hypothesis finds, in its usual time."""

    @settings(
        max_examples=100,
        database=None,
        deadline=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(data)
    def run(value: T) -> None:
        law(value)

    with pytest.raises(LawBroken) as caught:
        run()
    return caught.value


def of(law: str, **functions: Any) -> Callable[[Any], None]:
    """The law, for these functions."""
    return lambda events: LAWS[law].check(events, **functions)


def said_by(broken: LawBroken) -> str:
    return f"{broken}\n"


def types_of(broken: LawBroken) -> list[str]:
    return [e.wire_type(event) for event in broken.events]


# --- law 1 ----------------------------------------------------------------------------------------


def test_a_reducer_that_writes_into_events() -> None:
    def marking(state: ThreadState, event: Event) -> ThreadState:
        after = reduce(state, event)
        if isinstance(event, e.ThreadItemDone):
            event.item["seen"] = True
        return after

    broken = broken_by(of("reduce_is_pure", reduce=marking), ANY)
    assert types_of(broken)[-1] == "thread.item.done"
    assert broken.problem == f"Event {len(broken.events) - 1} has changed."
    assert '\n+    "seen": true,\n' in said_by(broken)


def test_a_reducer_that_changes_states_in_place() -> None:
    def in_place(state: ThreadState, event: Event) -> ThreadState:
        after = reduce(state, event)
        if not isinstance(event, e.ThreadItemUpdated):
            return after
        for name in state.__struct_fields__:
            force_setattr(state, name, getattr(after, name))
        return state

    broken = broken_by(of("reduce_is_pure", reduce=in_place), STOPPED)
    assert said_by(broken) == dedent("""\
        Law 1 is broken: `reduce` changes nothing that it was given, and equal inputs give equal outputs.
        The state after event 1 is not the same later, or not the second time.

        2 events:
          1  thread.item.added                          item_1  assistant_message, content []
          2  assistant_message.content_part.text_delta  item_1  content_index 0, delta ""

        --- at once
        +++ later
        @@ -1,15 +1,21 @@
         {
           "items": [
             {
        -      "content": [],
        +      "content": [
        +        {
        +          "annotations": [],
        +          "text": "",
        +          "type": "output_text"
        +        }
        +      ],
               "created_at": "2025-01-01T00:00:00",
               "id": "item_1",
               "thread_id": "thread_1",
               "type": "assistant_message"
             }
           ],
           "pending": [
             "item_1"
           ],
        -  "position": 1
        +  "position": 2
         }
        """)  # noqa: E501


def test_a_reducer_that_changes_the_state_before() -> None:
    def in_place(state: ThreadState, event: Event) -> ThreadState:
        for name in state.__struct_fields__:
            force_setattr(state, name, getattr(reduce(state, event), name))
        return state

    start = state_after(done(message("m", "Hi")))
    with pytest.raises(LawBroken, match="The state before all events has changed") as caught:
        laws.reduce_is_pure([removed("m")], start, reduce=in_place)
    assert "Before:" not in str(caught.value)  # it holds nothing any more
    assert caught.value.expected == ("at once", laws.canonical_json(start_of_m(), positions=True))


def start_of_m() -> ThreadState:
    return state_after(done(message("m", "Hi")))


def test_a_reducer_with_a_memory() -> None:
    calls: list[Event] = []

    def moody(state: ThreadState, event: Event) -> ThreadState:
        calls.append(event)
        if isinstance(event, e.ProgressUpdate):
            event = e.ProgressUpdate(str(len(calls)))
        return reduce(state, event)

    broken = broken_by(of("reduce_is_pure", reduce=moody), ANY)
    assert broken.problem.endswith("is not the same later, or not the second time.")
    assert "progress_update" in types_of(broken)


def test_states_that_are_equal_to_nothing() -> None:
    class Unequal(SimpleNamespace):
        __ne__ = object.__ne__

        def __eq__(self, other: object) -> bool:
            return False

    def wrapped(state: Any, event: Event) -> Any:
        after = reduce(getattr(state, "inside", state), event)
        names = ("items", "pending", "bases", "anomalies", "thread", "error", "progress")
        fields = {name: getattr(after, name) for name in (*names, "stream_options")}
        return Unequal(inside=after, **fields)

    with pytest.raises(LawBroken, match="The state after event 1 is not equal to that of a second"):
        laws.reduce_is_pure([removed("m")], reduce=wrapped)
    with pytest.raises(LawBroken, match="both say the same, and yet are not equal"):
        laws.fold_is_reduce_one_by_one([removed("m")], reduce=wrapped)


def test_a_reducer_that_makes_all_anew() -> None:
    def anew(state: ThreadState, event: Event) -> ThreadState:
        return restore(snapshot(reduce(state, event)))

    broken = broken_by(of("unchanged_parts_keep_their_identity", reduce=anew), LOOSE)
    last = len(broken.events) - 1
    assert broken.problem == f"Event {last} changes nothing, and has made the state anew."
    with pytest.raises(LawBroken, match="Event 1 is not about item 'm', and has made it anew"):
        laws.unchanged_parts_keep_their_identity([*MESSAGE, removed("x")], reduce=anew)


def test_a_reducer_that_brings_something_else() -> None:
    def generous(state: ThreadState, event: Event) -> ThreadState:
        return reduce(reduce(state, event), added(message("gift")))

    with pytest.raises(LawBroken, match="Event 0 is not about item 'gift', and has brought it"):
        laws.unchanged_parts_keep_their_identity([e.ThreadUpdated({})], reduce=generous)


MESSAGE: list[Event] = [added(message("m"))]


# --- law 2 ----------------------------------------------------------------------------------------


def test_a_fold_that_forgets_the_last_event() -> None:
    def forgetful(events: Iterable[Event], state: ThreadState | None = None) -> ThreadState:
        return fold([*events][:-1], state)

    broken = broken_by(of("fold_is_reduce_one_by_one", fold=forgetful), ANY)
    assert said_by(broken) == dedent("""\
        Law 2 is broken: `fold` makes the same of many events as `reduce` makes of them one by one.
        They end in different states.

        1 event:
          1  progress_update    text ""

        --- reduce, one by one
        +++ fold
        @@ -1,8 +1 @@
        -{
        -  "progress": {
        -    "fraction": null,
        -    "icon": null,
        -    "item_id": null,
        -    "text": ""
        -  }
        -}
        +{}
        """)


def test_a_fold_that_writes_into_events() -> None:
    def marking(events: Iterable[Event], state: ThreadState | None = None) -> ThreadState:
        events = list(events)
        for event in events:
            if isinstance(event, e.ThreadItemAdded):
                event.item["seen"] = True
        return fold(events, state)

    broken = broken_by(of("fold_is_reduce_one_by_one", fold=marking), ANY)
    assert broken.problem == "Event 0 has changed."


def test_a_fold_that_knows_nothing_of_its_second_piece() -> None:
    def fresh(events: Iterable[Event], state: ThreadState | None = None) -> ThreadState:
        return fold(events)

    broken = broken_by(of("a_fold_may_be_cut_anywhere", fold=fresh), ANY)
    assert broken.problem == "Cut before event 1, the fold ends in another state."
    assert len(broken.events) == 1


def test_a_fold_that_changes_the_state_that_it_goes_on_from() -> None:
    def in_place(events: Iterable[Event], state: ThreadState | None = None) -> ThreadState:
        after = fold(events, state)
        if state is None:
            return after
        for name in state.__struct_fields__:
            force_setattr(state, name, getattr(after, name))
        return state

    with pytest.raises(LawBroken, match="Cut before event 1"):
        laws.a_fold_may_be_cut_anywhere([*MESSAGE, text_delta("m", "x")], cuts=[1], fold=in_place)


def without_bases(state: ThreadState) -> Json:
    paper = snapshot(state)
    for entry in paper["items"]:
        if entry["base"] is not None:
            entry.update(base=None, phase="pending")
    return paper


@pytest.mark.parametrize("law", ["snapshot_loses_nothing", "a_fold_may_be_cut_anywhere"])
def test_a_snapshot_that_loses_the_base(law: str) -> None:
    broken = broken_by(of(law, snapshot=without_bases), LOOSE)
    count = len(broken.events)
    assert 2 <= count <= 6
    assert "thread.item.done" in types_of(broken)[:-1]
    assert '\n-  "bases": {\n-    "a": {\n' in said_by(broken)
    if law == "a_fold_may_be_cut_anywhere":
        problem = (
            f"Cut before event {count}, with a snapshot there, the fold ends in another state."
        )
        assert broken.problem == problem


def test_a_snapshot_that_is_no_json() -> None:
    def with_a_tuple(state: ThreadState) -> Json:
        return {**snapshot(state), "items": {1: "x"}}

    def from_the_first(paper: Json) -> ThreadState:
        return ThreadState()

    with pytest.raises(LawBroken, match="The snapshot does not stay the same") as caught:
        laws.snapshot_loses_nothing([], snapshot=with_a_tuple, restore=from_the_first)
    assert caught.value.actual is not None
    assert caught.value.actual[0] == "the snapshot, as JSON text and back"


def test_cuts_are_taken_modulo_what_there_is() -> None:
    calls: list[list[Event]] = []

    def counting(events: Iterable[Event], state: ThreadState | None = None) -> ThreadState:
        calls.append([*events])
        return fold(calls[-1], state)

    events: list[Event] = [*MESSAGE, text_delta("m", "x"), text_delta("m", "y")]
    laws.a_fold_may_be_cut_anywhere(events, cuts=[5, 2, 0], fold=counting)
    assert [len(piece) for piece in calls[:5]] == [3, 0, 1, 1, 1]
    laws.a_fold_may_be_cut_anywhere(events, cuts=[])
    laws.a_fold_may_be_cut_anywhere([])


# --- law 3 ----------------------------------------------------------------------------------------


def deltas_changed(change: Callable[[str], str]) -> laws.Fold:
    """A fold that does this to every text delta first."""

    def changed(event: Event) -> Event:
        if not isinstance(event, e.ThreadItemUpdated):
            return event
        if not isinstance(event.update, e.AssistantMessageContentPartTextDelta):
            return event
        return replace(event, update=replace(event.update, delta=change(event.update.delta)))

    def fold_changed(events: Iterable[Event], state: ThreadState) -> ThreadState:
        return fold([changed(event) for event in events], state)

    return fold_changed


def test_a_fold_that_clips_deltas() -> None:
    clipping = deltas_changed(lambda delta: delta[:1])
    broken = broken_by(of("deltas_may_be_split", fold=clipping), STOPPED)
    *_, last = broken.events
    assert last == text_delta("item_1", "00")
    assert broken.made is not None
    assert [*broken.made][-2:] == [text_delta("item_1", "0"), text_delta("item_1", "0")]
    assert '\n-          "text": "0",\n+          "text": "00",\n' in said_by(broken)


def test_a_fold_that_quotes_deltas() -> None:
    quoting = deltas_changed(lambda delta: f"<{delta}>")
    broken = broken_by(of("deltas_may_be_joined", fold=quoting), STOPPED)
    assert broken.made is not None
    assert len(broken.made) < len(broken.events) <= 5
    assert '\n-          "text": "<><>' in said_by(broken)


TREE = {"type": "Text", "id": "t", "value": "", "streaming": True}


def test_split_and_joined() -> None:
    end = value_delta("w", "t", "xy", done=True)
    more = e.ThreadItemUpdated("m", e.AssistantMessageContentPartTextDelta(0, "ab"), extra=EXTRA)
    events: list[Event] = [added(widget("w", TREE)), *MESSAGE, more, text_delta("m", "", 1), end]
    pieces = list(laws.with_deltas_split(events, [1, 2]))
    assert pieces == [
        *events[:2],
        replace(more, update=e.AssistantMessageContentPartTextDelta(0, "a")),
        replace(more, update=e.AssistantMessageContentPartTextDelta(0, "b")),
        text_delta("m", "", 1),
        text_delta("m", "", 1),
        value_delta("w", "t", "x"),
        value_delta("w", "t", "y", done=True),
    ]
    assert list(laws.with_deltas_joined(pieces)) == events
    assert list(laws.with_deltas_split(events, [])) == list(laws.with_deltas_split(events))
    assert list(laws.with_deltas_joined([])) == []


EXTRA = e.Extra({"x": 1})


def test_deltas_for_different_texts_are_not_joined() -> None:
    events: list[Event | e.Unreadable] = [
        text_delta("m", "a"),
        text_delta("m", "b", 1),
        text_delta("n", "c", 1),
        value_delta("n", "t", "d"),
        value_delta("n", "u", "e"),
        e.Notice("info", "x"),
        value_delta("n", "u", "f"),
        e.Unreadable(0, 1, "no JSON", ""),
        value_delta("n", "u", "g"),
    ]
    assert list(laws.with_deltas_joined(events)) == events


# --- laws 4 and 5 ---------------------------------------------------------------------------------


def test_a_diff_that_loses_the_order() -> None:
    def unordered(before: ThreadState, after: ThreadState) -> list[Event]:
        return [*reversed(diff(before, after))]

    broken = broken_by(lambda pair: laws.diff_inverts_fold(*pair, diff=unordered), PAIRS)
    assert broken.made is not None
    assert len(broken.made) == 2
    assert broken.expected is not None
    assert broken.actual is not None
    items = [broken.expected[1]["items"], broken.actual[1]["items"]]
    assert items[0] != items[1]
    assert "\n--- after\n+++ fold(diff(before, after), before)\n" in said_by(broken)


def test_a_diff_that_is_silent_about_the_thread() -> None:
    def silent(before: ThreadState, after: ThreadState) -> list[Event]:
        return [one for one in diff(before, after) if not isinstance(one, e.ThreadUpdated)]

    broken = broken_by(lambda pair: laws.diff_inverts_fold(*pair, diff=silent), PAIRS)
    assert broken.made is not None
    assert not any(isinstance(event, e.ThreadUpdated) for event in broken.made)
    assert '\n-  "thread": {' in said_by(broken)


def test_a_diff_that_changes_its_states() -> None:
    def greedy(before: ThreadState, after: ThreadState) -> list[Event]:
        events = diff(before, after)
        force_setattr(after, "_contents", before._contents)
        force_setattr(after, "_items_cache", None)
        return events

    pair = (ThreadState(), ThreadState.from_items([message("m")]))
    with pytest.raises(LawBroken, match="The state after has changed"):
        laws.diff_inverts_fold(*pair, diff=greedy)


def test_a_compaction_that_swaps() -> None:
    def swapping(events: Iterable[Event], state: ThreadState) -> list[Any]:
        short = compact(events, state)
        return [*reversed(short[:2]), *short[2:]]

    broken = broken_by(of("compact_keeps_the_fold", compact=swapping), ANY)
    said = said_by(broken)
    assert said.startswith(
        dedent("""\
        Law 5 is broken: `fold(compact(log)) == fold(log)`.
        The compacted log makes another state.

        2 events:
          1  thread.item.added  item_1  assistant_message, content []
        """)
    )
    assert "\n2 events made:\n  1  thread.item." in said
    assert "\n--- fold(log)\n+++ fold(compact(log))\n" in said
    assert broken.made is not None
    assert [*broken.made] == [*reversed(broken.events)]


def test_a_compaction_that_makes_more_of_it() -> None:
    def padding(events: Iterable[Event], state: ThreadState) -> list[Any]:
        return [*events, e.Notice("info", "x")]

    broken = broken_by(of("compact_keeps_the_fold", compact=padding), ANY)
    assert said_by(broken) == dedent("""\
        Law 5 is broken: `fold(compact(log)) == fold(log)`.
        There are more events than before.

        1 event made:
          1  notice    level "info", message "x"
        """)


# --- laws 6 and 7 ---------------------------------------------------------------------------------


def stop(law: str, settle: laws.Settle, policy: Any = policies.KEEP) -> Callable[[Any], None]:
    return of(law, settle=settle, policy=policy, cause="cancelled")


def outcome(settlement: Any, **other: Any) -> Any:
    """A settlement of which some fields say something else."""
    names = ("persist", "discard", "stale", "writes", "events")
    return SimpleNamespace(**{**{name: getattr(settlement, name) for name in names}, **other})


def test_a_settlement_that_forgets_an_item() -> None:
    def forgetful(state: ThreadState, **more: Any) -> Any:
        settlement = settle(state, **more)
        return attrs.evolve(settlement, verdicts=settlement.verdicts[1:])

    broken = broken_by(stop("settle_is_total", forgetful), STOPPED)
    assert said_by(broken) == dedent("""\
        Law 6 is broken: Every item in flight is persisted, discarded or stale; stored items stay.
        Not every item in flight is in one of the groups, or not they alone.

        1 event:
          1  thread.item.added  item_1  assistant_message, content []

        --- in flight
        +++ persist, discard, stale
        @@ -1,3 +1 @@
        -[
        -  "item_1"
        -]
        +[]
        """)


def test_a_settlement_of_what_was_stored() -> None:
    def zealous(state: ThreadState, **more: Any) -> Any:
        writes = [SimpleNamespace(item=item.to_json()) for item in state.items.values()]
        return outcome(settle(state, **more), writes=writes)

    broken = broken_by(stop("settle_is_total", zealous), STOPPED)
    assert broken.problem == "Stored before, and written all the same: ['item_1']."

    def cruel(state: ThreadState, **more: Any) -> Any:
        return outcome(settle(state, **more), events=[removed(key) for key in state.items])

    broken = broken_by(stop("settle_is_total", cruel), STOPPED)
    assert broken.problem == "The events of the settlement change stored items."
    assert broken.made == [removed("item_1")]


def test_a_settlement_that_writes_nothing() -> None:
    def lazy(state: ThreadState, **more: Any) -> Any:
        return outcome(settle(state, **more), writes=())

    broken = broken_by(stop("settle_is_total", lazy), STOPPED)
    assert broken.problem == "To be persisted, and not written: ['item_1']."


def test_a_settlement_that_changes_the_state() -> None:
    def greedy(state: ThreadState, **more: Any) -> Any:
        settlement = settle(state, **more)
        force_setattr(state, "_contents", reduce(state, e.ErrorEvent())._contents)
        return settlement

    with pytest.raises(LawBroken, match="The state that was settled has changed"):
        stop("settle_is_total", greedy)(MESSAGE)


def test_a_settlement_that_tells_the_client_nothing() -> None:
    def silent(state: ThreadState, **more: Any) -> Any:
        return outcome(settle(state, **more), events=())

    broken = broken_by(stop("client_and_store_converge", silent, policies.DROP), STOPPED)
    assert said_by(broken) == dedent("""\
        Law 7 is broken: A client shows the items of the store, once both were settled; stale items are named.
        They differ in items that are not stale.

        1 event:
          1  thread.item.added  item_1  assistant_message, content []

        No events made.

        --- the store after settlement.writes
        +++ a client after settlement.events
        @@ -1 +1,9 @@
        -{}
        +{
        +  "item_1": {
        +    "content": [],
        +    "created_at": "2025-01-01T00:00:00",
        +    "id": "item_1",
        +    "thread_id": "thread_1",
        +    "type": "assistant_message"
        +  }
        +}
        """)  # noqa: E501
    begun = [done(message("m")), text_delta("m", "x", 0), added(image("i")), done(image("i"))]
    law = stop("client_and_store_converge", silent)
    with pytest.raises(LawBroken, match="Pending for good: \\['n'\\]"):
        law([*begun, done(message("m")), added(message("n", "x"))])


def test_a_settlement_that_writes_what_is_stale() -> None:
    def eager(state: ThreadState, **more: Any) -> Any:
        settlement = settle(state, **more)
        writes = [SimpleNamespace(item=item.to_json()) for item in settlement.stale]
        return outcome(settlement, writes=[*settlement.writes, *writes])

    law = stop("client_and_store_converge", eager, policies.SDK)
    with pytest.raises(LawBroken, match="Stale, and written as it is all the same: 'i'"):
        law([done(image("i")), image_updated("i", "data:1")])
    left_open = Row(content="complete", decision="stale", reason="who knows")
    policy = policies.KEEP.with_rows(left_open, name="left open")
    law = of("client_and_store_converge", settle=eager, policy=policy, cause="crashed", written=0)
    with pytest.raises(LawBroken, match="Stale, and written as it is all the same: 'm'"):
        law([done(message("m"))])


def test_what_is_in_doubt_may_be_written_or_not() -> None:
    done_again = done(message("m", "xy"))
    events: list[Event] = [done(message("m")), part_added("m", part("x")), done_again]
    for policy in policies.PRESETS.values():
        for written in range(len(events) + 1):
            for law in (laws.settle_is_total, laws.client_and_store_converge):
                law(events, policy=policy, cause="crashed", written=written)


# --- law 8 ----------------------------------------------------------------------------------------


def forgetting(data: bytes) -> Any:
    """A decoder that drops the fields it does not know."""
    event = decode(data)
    return replace(event, extra=UNSET) if hasattr(event, "extra") else event


def test_a_codec_that_drops_unknown_fields() -> None:
    broken = broken_by(of("codec_loses_nothing", decode=forgetting), chatkit.events())
    assert len(broken.events) == 1
    assert said_by(broken).startswith(
        "Law 8 is broken: `decode(encode(e)) == e`.\nWhat comes back is "
    )
    assert broken.expected is not None
    assert broken.actual is not None
    assert '\n-  "x": null' in said_by(broken)
    texts = chatkit.events().map(encode)
    broken = broken_by(of("what_is_unknown_comes_back", decode=forgetting), texts)
    assert broken.expected is not None
    assert broken.actual is not None
    assert broken.expected[1] == {**broken.actual[1], "x": None}


def test_a_codec_that_takes_one_event_for_another() -> None:
    def dull(event: Event) -> Json:
        done = isinstance(event, e.ThreadItemDone)
        return {**to_json(event), "type": "thread.item.added"} if done else to_json(event)

    law = of("codec_loses_nothing", encode=dull, decode=from_json)
    assert "comes back is this ThreadItemAdded" in broken_by(law, chatkit.events()).problem


# --- all of them ----------------------------------------------------------------------------------


def test_the_table_has_every_law_and_every_law_a_number() -> None:
    assert {law.number for law in LAWS.values()} == set(range(1, 9))
    functions = {name for name in laws.__all__ if name[0].islower()}
    assert set(LAWS) == functions - {"canonical_json", "with_deltas_joined", "with_deltas_split"}
    for name, law in LAWS.items():
        assert law.check is getattr(laws, name)
        assert law.check.__doc__ is not None
        assert law.check.__doc__.startswith(f"Law {law.number}: ")


def test_our_own_engine_keeps_them_all() -> None:
    growing = value_delta("w", "t", "x")
    events: list[Event] = [done(message("m")), added(widget("w", TREE)), growing]
    for name, law in LAWS.items():
        if name.startswith("diff"):
            law.check(ThreadState(), fold(events))
        elif law.number in (6, 7):
            law.check(events, policy=policies.KEEP, cause="ended")
        elif law.number == 8:
            law.check(encode(events[0]) if "unknown" in name else events[0])
        else:
            law.check(events)


def test_no_test_library_is_loaded() -> None:
    code = "import sys, chatkit_reducer.testing.conformance.laws; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert {"hypothesis", "pytest"}.isdisjoint(loaded.stdout.split())


# --- the message ----------------------------------------------------------------------------------


def broken_with(events: laws.Events, **more: Any) -> LawBroken:
    return LawBroken("compact_keeps_the_fold", "So it is.", events=events, **more)


def test_the_data_is_there_as_attributes_also_in_another_process() -> None:
    broken = broken_with(MESSAGE, made=[], before={}, expected=("a", 1), actual=("b", 2))
    there = pickle.loads(pickle.dumps(broken))
    for one in (broken, there):
        assert one.law == "compact_keeps_the_fold"
        assert one.problem == "So it is."
        assert one.events == MESSAGE
        assert one.made == []
        assert one.before == {}
        assert (one.expected, one.actual) == (("a", 1), ("b", 2))
    assert str(there) == str(broken)
    assert isinstance(broken, AssertionError)


def test_one_short_line_for_each_event() -> None:
    thread = {"id": "t", "title": "x", "items": {"data": [message("m"), "?", {}]}}
    events: list[Event | e.Unreadable] = [
        e.ThreadCreated(thread),
        e.ThreadUpdated({"id": "t", "items": {"data": None}}),
        added({"type": "widget"}),
        text_delta("m", "long " * 20),
        e.ThreadItemUpdated("m", e.UnknownUpdate({"type": "new.update", "x": "\N{SNOWMAN}\n"})),
        e.ThreadItemUpdated("m", e.AssistantMessageContentPartTextDelta(0, ""), extra=EXTRA),
        removed("m"),
        e.Notice("info", "x"),
        e.UnknownEvent({"type": "new", "x": [1]}),
        e.Unreadable(0, 1, "no JSON:", "{"),
        text_delta("m", "\ud800"),
    ]
    assert said_by(broken_with(events)).partition("\n\n")[2] == dedent("""\
        11 events:
           1  thread.created                                with m, ?, None, id "t", title "x"
           2  thread.updated                                id "t"
           3  thread.item.added                             widget
           4  assistant_message.content_part.text_delta  m  content_index 0, delta "long long long long long long lo ...
           5  new.update                                 m  x "\N{SNOWMAN}\\n"
           6  assistant_message.content_part.text_delta  m  content_index 0, delta "", x 1
           7  thread.item.removed                        m
           8  notice                                        level "info", message "x"
           9  new                                           x [1]
          10  unreadable                                    no JSON: {
          11  assistant_message.content_part.text_delta  m  content_index 0, delta "\\ud800"
        """)  # noqa: E501


def test_of_very_many_events_the_first_and_the_last() -> None:
    lines = str(broken_with([text_delta("m", str(n)) for n in range(1000)])).splitlines()
    assert len(lines) == 2 + 1 + 1 + 41
    assert lines[4].endswith('delta "0"')
    assert lines[24] == "  (960 more)"
    assert lines[-1].endswith('delta "999"')


def test_the_thread_before_the_stream_is_shown() -> None:
    def forgetful(events: Iterable[Event], state: ThreadState) -> ThreadState:
        return fold([], state)

    with pytest.raises(LawBroken) as caught:
        laws.fold_is_reduce_one_by_one([removed("m")], start_of_m(), fold=forgetful)
    assert str(caught.value).split("\n\n")[1].startswith('Before:\n{\n  "items": [\n    {\n')


def test_what_a_state_says_on_paper() -> None:
    state = state_after(
        e.ThreadCreated({"id": "t", "items": {"data": []}}),
        e.StreamOptions({"allow_cancel": True}),
        removed("gone"),
        e.ErrorEvent(code="c"),
        text_delta("old", "!"),
        e.ProgressUpdate("working"),
        stored=[message("old", "Hello")],
    )
    fault = "item_not_found: thread.item.removed 'gone': the thread has no such item; "
    fault += "nothing changed"
    paper = laws.canonical_json(state)
    assert json.loads(json.dumps(paper)) == {
        "items": [message("old", "Hello!")],
        "pending": ["old"],
        "bases": {"old": message("old", "Hello")},
        "anomalies": [fault],
        "thread": {"id": "t"},
        "stream_options": {"allow_cancel": True},
        "error": {"type": "error", "code": "c"},
        "progress": {"text": "working", "icon": None, "item_id": None, "fraction": None},
    }
    exact = laws.canonical_json(state, positions=True)
    assert exact["position"] == 6
    assert exact["anomalies"] == [f"event 2, line None, offset None: {fault}"]
    assert laws.canonical_json(ThreadState()) == {}
