"""The data of a page say at every step what the fold says: on recordings and on any stream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import Policy, Row, ThreadState, fold, policies, read
from chatkit_reducer import events as e
from chatkit_reducer.logs import Record, read_records
from chatkit_reducer.logs.threads import by_thread
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import added, done, message, text_delta
from chatkit_reducer.view.recording import Recording, json_text
from tests.support.page_data import check_block, check_page, merged
from tests.support.paths import ROOT

Events = Sequence[e.Event | e.Unreadable]

NAMED = Policy(
    name="named",
    rows=(
        Row(id="m*", cause="failed", decision="stale", reason="These are odd."),
        Row(item="widget", content="empty", decision="persist", reason="Empty forms are kept."),
        Row(origin="base", content="partial", decision="discard", reason="It has a copy."),
        Row(decision="persist", reason="The rest."),
    ),
    marker=policies.SDK_MARKER,
)
PRESETS = tuple(policies.PRESETS.values())
RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))


def stored_before(recording: Path) -> ThreadState | None:
    before = recording.with_suffix(".before.json")
    if not before.exists():
        return None
    return ThreadState.from_items(json.loads(before.read_text(encoding="utf-8"))["items"])


@pytest.mark.parametrize(
    "recording",
    [one for one in RECORDINGS if one.stem != "two-thousand-deltas"],
    ids=lambda p: p.stem,
)
def test_recordings(recording: Path) -> None:
    check_page(list(read(recording)), [*PRESETS, NAMED], stored_before(recording))


def test_a_recording_of_two_thousand_deltas() -> None:
    events = list(read(ROOT / "docs" / "recordings" / "two-thousand-deltas.sse"))
    check_page(events[:150], PRESETS)
    (block,) = in_one_go([Record(event) for event in events])
    assert len(json_text(block)) < 40_000
    assert sum(run[1] for run in block["events"]) == block["n"] == len(events)


SOUND = chatkit.streams(max_items=3, max_updates=8)
TEXTS = chatkit.streams(types=["assistant_message", "widget"], max_items=2, max_updates=16)
HOSTILE = chatkit.adversarial_streams(max_events=20)


@pytest.mark.law
@given(SOUND | TEXTS | HOSTILE)
def test_any_stream(events: Events) -> None:
    check_page(events, [policies.SDK, NAMED])


@pytest.mark.law
@given(SOUND | TEXTS | HOSTILE, SOUND | TEXTS | HOSTILE)
def test_any_stream_over_stored_items(first: Events, then: Events) -> None:
    stored = ThreadState.from_items([item.to_json() for item in fold(first).items.values()])
    check_page(then, [policies.KEEP, NAMED], stored)
    check_page(then, [policies.KEEP], fold(first[: len(first) * 2 // 3]))


@pytest.mark.law
@given(SOUND | TEXTS | HOSTILE, chatkit.policies())
def test_any_policy(events: Events, policy: Policy) -> None:
    check_page(events, [policy])


AT_THE_END = {"left_pending", "unlisted"}


def without_the_left(block: dict[str, Any]) -> dict[str, Any]:
    """Items that are pending at the end are findings only of a stream that has ended."""
    findings = [one for one in block["findings"] if one["kind"] not in AT_THE_END]
    return {**block, "findings": findings}


def in_pieces(records: Sequence[Record], cuts: list[int]) -> list[dict[str, Any]]:
    recording, blocks = Recording(), list[dict[str, Any]]()
    for begin, end in zip([0, *cuts], [*cuts, None], strict=True):
        for one in records[begin:end]:
            recording.take_record(one)
        pieces = json.loads(json_text(recording.increments([block["cursor"] for block in blocks])))
        blocks = [
            merged(blocks[number], piece) if number < len(blocks) else piece
            for number, piece in enumerate(pieces)
        ]
    return blocks


def in_one_go(records: Sequence[Record]) -> list[dict[str, Any]]:
    recording = Recording()
    for one in records:
        recording.take_record(one)
    return [
        without_the_left(block) for block in json.loads(json_text(recording.data("")["threads"]))
    ]


CUTS = st.lists(st.integers(0, 20), max_size=4).map(sorted)


@pytest.mark.law
@given(SOUND | TEXTS | HOSTILE, CUTS, st.booleans())
def test_increments_are_the_data_in_pieces(
    events: Events, cuts: list[int], has_times: bool
) -> None:
    records = [
        Record(event, time=number if has_times else None) for number, event in enumerate(events)
    ]
    assert in_pieces(records, cuts) == in_one_go(records)


@pytest.mark.law
@given(SOUND | TEXTS | HOSTILE, st.data(), CUTS)
def test_increments_of_several_threads(
    events: Events, data: st.DataObject, cuts: list[int]
) -> None:
    names = data.draw(st.lists(st.sampled_from([None, "a", "b"]), min_size=len(events)))
    records = [Record(event, thread) for event, thread in zip(events, names, strict=False)]
    assert in_pieces(records, cuts) == in_one_go(records)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda p: p.stem)
def test_increments_of_recordings(recording: Path) -> None:
    records = list(read_records(recording))
    cuts = list(range(0, len(records), max(1, len(records) // 7)))
    assert in_pieces(records, cuts) == in_one_go(records)


def test_increments_behind_the_last_anomaly_that_is_listed() -> None:
    nobody = text_delta("nobody", "x")
    events: list[e.Event] = [nobody] * 10_003
    events += [added(message("m", "a")), text_delta("m", "b"), done(message("m", "c")), nobody]
    records = [Record(event) for event in events]
    assert in_pieces(records, [10_002, 10_005]) == in_one_go(records)


@pytest.mark.law
@given(SOUND | TEXTS | HOSTILE, st.data())
def test_each_thread_of_a_log_by_itself(events: Events, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(["a", "b"]), min_size=len(events)))
    records = [Record(event, thread) for event, thread in zip(events, names, strict=False)]
    recording = Recording(policies=[NAMED])
    for one in records:
        recording.take_record(one)
    routed = list(by_thread(records))
    for block in recording.data("")["threads"]:
        mine = [one.event for thread, one in routed if thread == block["thread"]]
        check_block(block, mine, [NAMED], ThreadState())
        events_at = [
            at for first, count in block["positions"] for at in range(first, first + count)
        ]
        whole = [one.event for _, one in routed if not isinstance(one.event, e.Unreadable)]
        assert [whole[at - 1] for at in events_at] == [
            one for one in mine if not isinstance(one, e.Unreadable)
        ]
