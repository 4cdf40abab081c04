"""The recorded streams in docs/recordings: every byte is read, and a replay gives what was stored.

Where the two differ, `DIFFERENCES` says so, with the reason. A difference that is not in the table
is a failure, and so is a line of the table that is not true any more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer import ThreadState, encode, fold, reduce, replay
from chatkit_reducer import events as e
from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.logs import read, replay_threads
from tests.support.paths import ROOT

RECORDINGS = ROOT / "docs" / "recordings"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.sse"))

CUT_IN_MID_EVENT = {"stopped-in-mid-event": 60}
"""The recordings that do not end with a whole event, with the bytes of the one that is cut."""

# --- where replay and store differ, and why ------------------------------------------------------

NEVER_DONE = "the response ended before the `done`, and openai-chatkit 1.6.5 stored nothing of it"
STOPPED_AND_STORED = "a store that never suspends takes the message that the SDK saves at a stop"
MARKER = "the SDK's note that the user cancelled goes to the store alone"
OUTPUT = "the output of the tool was stored before the stream began, and no event tells of it"
NO_UPDATES = "the SDK applies no widget update, and the item was never done"
HIDDEN = "the SDK swallows the `done` of a hidden item"

ONLY_REPLAYED, ONLY_STORED, PENDING = "not in the store", "only in the store", "pending"

DIFFERENCES: dict[str, dict[str, str]] = {
    "citation-not-converted": {
        f"msg_model_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"msg_model_1 {PENDING}": NEVER_DONE,
    },
    "client-tool-output": {
        'fc_1.status: "pending", stored: "completed"': OUTPUT,
        'fc_1.output: nothing, stored: {"colour": "blue"}': OUTPUT,
    },
    "custom-error-in-mid-answer": {
        f"msg_model_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"msg_model_1 {PENDING}": NEVER_DONE,
    },
    "error-in-mid-answer": {
        f"msg_model_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"msg_model_1 {PENDING}": NEVER_DONE,
    },
    "hidden-context": {
        f"hcx_1 {ONLY_STORED}": HIDDEN,
        f"shcx_1 {ONLY_STORED}": HIDDEN,
    },
    "retry-after-item": {
        f"msg_model_1 {ONLY_REPLAYED}": "the SDK deleted the first answer before the stream began, "
        "and no event tells of it",
    },
    "return-in-mid-answer": {
        f"msg_model_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"msg_model_1 {PENDING}": NEVER_DONE,
    },
    "stopped-behind-citations-instant-store": {
        f"msg_model_1 {PENDING}": STOPPED_AND_STORED,
        'msg_model_1.content[0].annotations: [{"type": "annotation", "source": {"title": "Tales", '
        '"type": "url", "url": "https://tales.example"}, "index": 9}], stored: []': "the SDK takes "
        "the empty list of a `content_part.done` for the citations, and so loses them",
        f"shcx_1 {ONLY_STORED}": MARKER,
    },
    "stopped-in-mid-answer": {
        f"msg_model_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"msg_model_1 {PENDING}": NEVER_DONE,
    },
    "stopped-in-mid-answer-instant-store": {
        f"msg_model_1 {PENDING}": STOPPED_AND_STORED,
        f"shcx_1 {ONLY_STORED}": MARKER,
    },
    "stopped-in-mid-event": {
        f"msg_model_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"msg_model_1 {PENDING}": NEVER_DONE,
    },
    "stopped-in-mid-workflow": {
        f"wf_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"wf_1 {PENDING}": NEVER_DONE,
    },
    "stopped-in-mid-workflow-instant-store": {
        f"wf_1 {ONLY_REPLAYED}": "at a stop the SDK saves messages, and no workflow",
        f"wf_1 {PENDING}": "the response ended before the `done`",
        f"shcx_1 {ONLY_STORED}": MARKER,
    },
    "stopped-in-mid-write": {
        f"msg_model_1 {ONLY_REPLAYED}": "the client left while the store was writing",
        f"msg_model_1 {PENDING}": "the `done` waits for the write, and never came",
    },
    "thread-updated": {
        'thread.metadata.previous_response_id: nothing, stored: "resp_1"': "metadata is always "
        "empty on the wire",
    },
    "timeout-in-mid-answer": {
        f"msg_model_1 {ONLY_REPLAYED}": NEVER_DONE,
        f"msg_model_1 {PENDING}": NEVER_DONE,
    },
    "widget-updated-later": {
        f"wdg_orders {PENDING}": NO_UPDATES,
        "wdg_orders.widget.children.children[1].value: "
        r'"- started\n- packed\n- sent\n", stored: "- started\n"': NO_UPDATES,
        "wdg_orders.widget.children.children[1].streaming: false, stored: true": NO_UPDATES,
        'wdg_orders.widget.children.children[2].label: "done", stored: "running"': NO_UPDATES,
        'wdg_orders.widget.children.children[2].color: nothing, stored: "info"': NO_UPDATES,
        "wdg_orders.widget.children.children[3].points: "
        "[1, 4, 2, 8], stored: [1, 4, 2]": NO_UPDATES,
    },
    "workflow-continued": {
        'fc_1.status: "pending", stored: "completed"': OUTPUT,
        'fc_1.output: nothing, stored: {"text": "yes"}': OUTPUT,
    },
    "workflow-left-open": {
        f"wf_1 {PENDING}": "`stream_agent_response` stored the workflow itself, without an event",
    },
}

_NOTHING: Any = object()


def value_text(value: Any) -> str:
    return "nothing" if value is _NOTHING else json.dumps(value)


def value_differences(path: str, replayed: Any, stored: Any) -> Iterator[str]:
    """Where two JSON values differ; here a null is not the same as nothing."""
    if isinstance(replayed, dict) and isinstance(stored, dict):
        for name in {**replayed, **stored}:
            pair = replayed.get(name, _NOTHING), stored.get(name, _NOTHING)
            yield from value_differences(f"{path}.{name}", *pair)
    elif isinstance(replayed, list) and isinstance(stored, list) and len(replayed) == len(stored):
        for index, pair in enumerate(zip(replayed, stored, strict=True)):
            yield from value_differences(f"{path}[{index}]", *pair)
    elif value_text(replayed) != value_text(stored):
        yield f"{path}: {value_text(replayed)}, stored: {value_text(stored)}"


def state_differences(state: ThreadState, store: dict[str, Any]) -> Iterator[str]:
    """Where a state differs from a store, in words."""
    replayed = {item_id: item.to_json() for item_id, item in state.items.items()}
    stored = {item["id"]: item for item in store["items"]}
    for item_id in {**replayed, **stored}:
        if item_id not in stored:
            yield f"{item_id} {ONLY_REPLAYED}"
        elif item_id not in replayed:
            yield f"{item_id} {ONLY_STORED}"
        else:
            yield from value_differences(item_id, replayed[item_id], stored[item_id])
    if [i for i in replayed if i in stored] != [i for i in stored if i in replayed]:
        yield f"order: {list(replayed)}, stored: {list(stored)}"
    yield from (f"{item_id} {PENDING}" for item_id in state.pending)
    yield from value_differences("thread", state.thread, store["thread"])


# --- reading them --------------------------------------------------------------------------------


def path_of(name: str) -> Path:
    return RECORDINGS / f"{name}.sse"


def store_of(name: str, when: str) -> dict[str, Any]:
    store: dict[str, Any] = json.loads((RECORDINGS / f"{name}.{when}.json").read_text("utf-8"))
    return store


def before(name: str) -> ThreadState:
    if not (RECORDINGS / f"{name}.before.json").exists():
        return ThreadState()
    store = store_of(name, "before")
    return ThreadState.from_items(store["items"], thread=store["thread"])


def events_of(name: str) -> list[e.Event]:
    return [one for one in read(path_of(name)) if not isinstance(one, e.Unreadable)]


every_recording = pytest.mark.parametrize("name", NAMES)


def test_there_are_recordings() -> None:
    assert len(NAMES) >= 47


@every_recording
def test_every_byte_is_read(name: str) -> None:
    data = path_of(name).read_bytes()
    entries = list(read(path_of(name)))
    faults = [entry for entry in entries if isinstance(entry, e.Unreadable)]
    if name in CUT_IN_MID_EVENT:
        (fault,) = faults
        assert fault is entries[-1]
        assert fault.offset == len(data) - CUT_IN_MID_EVENT[name]
        assert fault.line == 1 + data[: fault.offset].count(b"\n")
        data = data[: fault.offset]
    else:
        assert faults == []
    frames = data.split(b"\n\n")
    assert frames.pop() == b""
    texts = [frame.removeprefix(b"data: ") for frame in frames]
    assert [b"data: " + text for text in texts] == frames
    assert len(texts) == len(events_of(name))
    for text, event in zip(texts, events_of(name), strict=True):
        again, wire = json.loads(encode(event)), json.loads(text)
        assert json.dumps(again, sort_keys=True) == json.dumps(wire, sort_keys=True)


@every_recording
def test_every_event_is_known(name: str) -> None:
    """The vocabulary is that of the release that the recordings are made with."""
    for event in events_of(name):
        assert not isinstance(event, e.UnknownEvent)
        assert not (
            isinstance(event, e.ThreadItemUpdated) and isinstance(event.update, e.UnknownUpdate)
        )
        assert "extra=Extra" not in repr(event)


# --- replay and store ----------------------------------------------------------------------------


@every_recording
def test_replay_gives_what_was_stored(name: str) -> None:
    found = list(state_differences(replay(path_of(name), before(name)), store_of(name, "store")))
    explained = DIFFERENCES.get(name, {})
    assert [one for one in found if one not in explained] == [], "not explained"
    assert [one for one in explained if one not in found] == [], "explained, but not so any more"
    assert len(set(found)) == len(found)


def test_the_table_of_differences_is_about_recordings() -> None:
    assert set(DIFFERENCES) <= set(NAMES)
    assert all(reasons and all(reasons.values()) for reasons in DIFFERENCES.values())


def test_a_difference_is_found() -> None:
    store = store_of("two-messages", "store")
    state = replay(path_of("two-messages"))
    assert list(state_differences(state, store)) == []
    changed = json.loads(json.dumps(store).replace("Let me look.", "Let me see."))
    assert list(state_differences(state, changed)) == [
        'msg_model_1.content[0].text: "Let me look.", stored: "Let me see."'
    ]
    backwards = {**store, "items": store["items"][::-1]}
    assert [one.split(":")[0] for one in state_differences(state, backwards)] == ["order"]


@every_recording
def test_what_is_not_sound_is_an_anomaly(name: str) -> None:
    anomalies = replay(path_of(name), before(name)).anomalies
    unsound = {"stopped-in-mid-event": ["unreadable"]}
    assert [anomaly.kind.value for anomaly in anomalies] == unsound.get(name, [])


@every_recording
def test_the_stream_failed_where_its_last_event_is_an_error(name: str) -> None:
    last = events_of(name)[-1]
    assert replay(path_of(name)).error == (last if isinstance(last, e.ErrorEvent) else None)


# --- stopped at every event ----------------------------------------------------------------------


@every_recording
def test_every_prefix_is_folded(name: str) -> None:
    state = start = before(name)
    events = events_of(name)
    # Of the long answer, the beginning and the end: what lies between is more of the same.
    wanted = set(range(60)) | set(range(len(events) - 10, len(events) + 1))
    for count in range(len(events) + 1):
        if count in wanted:
            folded = fold(events[:count], start)
            assert folded == state
            assert folded == replay(path_of(name), start, until=count)
            known = {*start.items, *folded.items}
            assert set(folded.pending) <= known
            for item in folded.items.values():
                json.dumps(item.to_json())
        if count < len(events):
            state = reduce(state, events[count], position=count)


@every_recording
def test_a_recording_is_one_thread(name: str) -> None:
    (thread,) = replay_threads(path_of(name))
    assert thread in {"thr_1", None}
    assert replay_threads(path_of(name))[thread] == replay(path_of(name))


@every_recording
def test_a_recording_cut_at_any_byte_is_read_as_far_as_it_goes(name: str, tmp_path: Path) -> None:
    data, events = path_of(name).read_bytes(), events_of(name)
    for tenth in range(1, 10):
        path = tmp_path / "cut.sse"
        path.write_bytes(data[: len(data) * tenth // 10])
        entries = list(read(path))
        good = [entry for entry in entries if not isinstance(entry, e.Unreadable)]
        assert good == events[: len(good)]
        assert len(entries) - len(good) <= 1
        replay(path, before(name))


@every_recording
def test_hidden_items_are_only_where_the_recording_shows_them(name: str) -> None:
    shown = {
        event.item["id"]
        for event in events_of(name)
        if isinstance(event, e.ThreadItemAdded | e.ThreadItemDone | e.ThreadItemReplaced)
        and event.item["type"] in HIDDEN_TYPES
    }
    assert bool(shown) == (name == "hidden-context-exposed")


# --- the tables of the README --------------------------------------------------------------------


def test_the_readme_lists_every_recording_with_the_number_of_its_events() -> None:
    readme = (RECORDINGS / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| ([\d,]+) \|", readme, re.MULTILINE)
    listed = {name: int(count.replace(",", "")) for name, count in rows}
    assert len(listed) == len(rows), "a recording is listed twice"
    assert listed == {name: len(events_of(name)) for name in NAMES}


def test_the_readme_says_which_recordings_differ_from_the_store() -> None:
    """A row that begins with "the same" has no line in the table above, and the other way round."""
    readme = (RECORDINGS / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| [\d,]+ \| .* \| ([^|]*) \|$", readme, re.MULTILINE)
    assert len(rows) == len(NAMES)
    cells = dict(rows)
    same = {name for name in NAMES if "the same" in cells[name][:8]}
    assert same == set(NAMES) - set(DIFFERENCES)


def test_every_recording_has_its_store_and_no_store_is_left_over() -> None:
    stores = {path.name.removesuffix(".store.json") for path in RECORDINGS.glob("*.store.json")}
    earlier = {path.name.removesuffix(".before.json") for path in RECORDINGS.glob("*.before.json")}
    assert stores == set(NAMES)
    assert earlier <= set(NAMES)
