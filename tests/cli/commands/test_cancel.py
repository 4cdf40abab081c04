"""`chatkit-reducer cancel`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from chatkit_reducer import Cause, encode, fold, policies, settle
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.logs import read
from chatkit_reducer.testing.examples import (
    added,
    done,
    image_updated,
    item,
    message,
    task,
    task_added,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)
from tests.support import cli
from tests.support.cli import UNSAFE, log_of
from tests.support.paths import ROOT

run = partial(cli.run, "cancel")
cancelled = partial(cli.printed, "cancel")
shown = partial(cli.shown, "cancel")
failed = partial(cli.failed, "cancel")

RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))
HOSTILE = "[red]x[/red]\x1b[31m\x9b2J\r\u202e"


LOG = log_of(
    done(user_message("u", "hi")),
    added(message("m", "")),
    text_delta("m", "Once "),
    text_delta("m", "upon"),
    added(workflow("w")),
    task_added("w", task("Plan", status="loading"), 0),
)
OLD = [message("old", "before"), widget("form", {"type": "Text", "id": "t", "value": "a"})]
CONTINUED = log_of(text_delta("old", " after"), value_delta("form", "t", "b"), added(message("e")))
CALL = item("c", "client_tool_call", status="pending", call_id="1", name="f", arguments={})


# --- for people -----------------------------------------------------------------------------------


def test_what_people_see() -> None:
    assert (
        shown("-", stdin=LOG, columns=100)
        == f"""\
untitled thread
thr_1 · cancelled after event 6 (--at 6) · policy sdk
{"─" * 100}

item          origin  content  decision  reason
{"─" * 100}
assistant  m  new     partial  persist   The SDK stores a pending message of the assistant that is
                                         not blank.
workflow   w  new     partial  discard   The SDK stores no other pending item.

the store writes
  add  assistant  m
    Once upon

the model is told
  “The user cancelled the stream. Stop responding to the prior request.”
  by an item of type sdk_hidden_context, written last: it needs an id and a time

clients are sent
  thread.item.done  m
    stays, and nothing in it is running any more
  thread.item.removed  w
    is taken off the screen
"""
    )


def test_stale_items_and_stored_copies(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps(OLD))

    sdk = shown("-", "--stored", stored, stdin=CONTINUED)
    drop = shown("-", "--stored", stored, "--policy", "drop", stdin=CONTINUED)
    keep = shown("-", "--stored", stored, "--policy", "keep", stdin=CONTINUED)

    assert "  old stays on the screen as people saw it, which is not what is stored\n" in sdk
    assert "thread.item.replaced  old\n    goes back to the copy that is stored\n" in drop
    assert "  save assistant  old\n    before after\n  save widget  form\n" in keep
    assert "the store writes\n  nothing\n" in drop
    assert "assistant  old   base    partial  stale" in sdk


def test_nothing_in_flight() -> None:
    output = shown("-", stdin=log_of(done(message("m", "a"))))

    assert "Nothing is in flight: the store has all that people saw.\n" in output
    assert "clients are sent\n  nothing\n" in output


def test_a_long_item_is_cut() -> None:
    output = shown("-", stdin=log_of(added(message("m", "\n".join("abcdefghijkl")))))

    assert "    h\n    (and 4 lines more)\n" in output
    assert "lines more" not in shown("-", stdin=log_of(added(message("m", "\n".join("abcdefghi")))))


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_nothing_is_wider_than_the_terminal(columns: int) -> None:
    log = LOG.replace(b'"m"', b'"msg_68a1f0c2b7d48193a5e4f1c2d3b4a596"')

    lines = shown("-", stdin=log, columns=columns).splitlines()

    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line != line.rstrip()] == []


def test_neither_markup_nor_escape_sequences_are_obeyed(tmp_path: Path) -> None:
    policy = tmp_path / "hostile.toml"
    text = json.dumps(f"policy {HOSTILE}", ensure_ascii=True)
    policy.write_text(
        f'name = {text}\nbase = "keep"\n[[rows]]\norigin = "new"\ndecision = "persist"\n'
        f"reason = {text}\n[marker]\ncontent = {text}\n"
    )
    events = [added(item(HOSTILE, HOSTILE)), added(message(f"m{HOSTILE}", HOSTILE))]

    output = shown("-", "--policy", policy, stdin=log_of(*events))

    assert UNSAFE.search(output) is None
    assert "[red]x[/red]" in output


# --- the marker -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "cause", "log", "expected"),
    [
        (
            "marker = false",
            "cancelled",
            LOG,
            "nothing: this policy has no marker",
        ),
        (
            "[marker]\ncontent = 'x'\ncauses = ['failed', 'timed_out']",
            "cancelled",
            LOG,
            "nothing: the marker is for when the stream failed or timed out",
        ),
        (
            "[marker]\ncontent = 'x'\ncauses = []",
            "cancelled",
            LOG,
            "nothing: the marker is for when the stream ends in no way there is",
        ),
        (
            "[marker]\nitem = 'hidden_context_item'\ncauses = ['ended']",
            "ended",
            LOG,
            "what the application makes of it\n  by an item of type hidden_context_item",
        ),
        (
            "[marker]\ncontent = 'x'",
            "cancelled",
            LOG + log_of(done(CALL)),
            "nothing: the newest item that stays is a client tool call without an output",
        ),
    ],
)
def test_the_marker(toml: str, cause: str, log: bytes, expected: str, tmp_path: Path) -> None:
    policy = tmp_path / "mine.toml"
    policy.write_text(f"name = 'mine'\nbase = 'keep'\n{toml}\n")

    output = shown("-", "--policy", policy, "--cause", cause, stdin=log)

    assert f"the model is told\n  {expected}" in output


# --- for machines ---------------------------------------------------------------------------------


def test_json() -> None:
    assert cancelled("-", "--policy", "keep", stdin=LOG) == [
        {
            "thread": "thr_1",
            "at": 6,
            "writes": [
                {"op": "add", "item": message("m", "Once upon")},
                {"op": "add", "item": workflow("w", "Plan")},
            ],
            "persist": ["m", "w"],
            "discard": [],
            "stale": [],
            "marker": {
                "type": "sdk_hidden_context",
                "content": policies.SDK_MARKER.content,
                "causes": ["cancelled"],
            },
            "events": [
                {"type": "thread.item.done", "item": message("m", "Once upon")},
                {"type": "thread.item.done", "item": workflow("w", "Plan")},
            ],
        }
    ]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    events = list(read(path))
    cut = len(events) // 2
    for name, policy in policies.PRESETS.items():
        settlement = settle(fold(events[:cut]), policy=policy, cause=Cause.CANCELLED)
        (line,) = cancelled(path, "--at", str(cut), "--policy", name)
        assert line["at"] == cut
        assert line["writes"] == [{"op": w.op, "item": w.item} for w in settlement.writes]
        assert line["events"] == [json.loads(encode(event)) for event in settlement.events]
        assert line["persist"] == [each.id for each in settlement.persist]
        assert line["discard"] == [each.id for each in settlement.discard]
        assert (line["marker"] is None) == (settlement.marker is None)
    assert shown(path, "--at", str(cut)) != ""


def test_events_and_writes_bring_json_back_as_it_came() -> None:
    event = image_updated("i", "u")
    log = log_of(added(item("i", "generated_image", image=None, new={"a": [1]})), event)

    (line,) = cancelled("-", "--policy", "keep", stdin=log)

    assert line["writes"][0]["item"]["new"] == {"a": [1]}
    assert line["writes"][0]["item"]["image"] == to_json(event)["update"]["image"]


def test_threads_are_settled_one_by_one() -> None:
    log = b"".join(
        json.dumps({"thread": thread, "event": to_json(added(message(thread, "x")))}).encode()
        + b"\n"
        for thread in ("a", "b")
    )

    assert [(line["thread"], line["persist"]) for line in cancelled("-", stdin=log)] == [
        ("a", ["a"]),
        ("b", ["b"]),
    ]
    assert shown("-", stdin=log).count("untitled thread") == 2


def test_an_empty_log() -> None:
    (line,) = cancelled("-", stdin=b"")

    assert (line["thread"], line["at"], line["writes"], line["events"]) == (None, 0, [], [])


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "persist", "folded"),
    [(0, [], 0), (1, [], 1), (2, [], 2), (3, ["m"], 3), (6, ["m"], 6), (99, ["m"], 6)],
)
def test_at(at: int, persist: list[str], folded: int) -> None:
    (line,) = cancelled("-", "--at", str(at), stdin=LOG)

    assert (line["persist"], line["at"]) == (persist, folded)


def test_at_does_not_count_what_is_no_event() -> None:
    (line,) = cancelled("-", "--at", "3", stdin=LOG.replace(b"\n", b"\nrubbish\n"))

    assert (line["writes"][0]["item"], line["at"]) == (message("m", "Once "), 3)


@pytest.mark.parametrize("name", [*Cause, "timed-out"])
def test_cause(name: str) -> None:
    (line,) = cancelled("-", "--cause", name, stdin=LOG)

    assert (line["marker"] is None) == (name != "cancelled")
    assert f"thr_1 · {name.replace('-', '_')} after" in shown("-", "--cause", name, stdin=LOG)


def test_a_policy_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nbase = "sdk"\n[[rows]]\nitem = "workflow"\ndecision = "stale"\n'
        'reason = "Ask me."\n'
    )

    (line,) = cancelled("-", "--policy", path, stdin=LOG)

    assert (line["persist"], line["stale"]) == (["m"], ["w"])
    assert "stale     Ask me.\n" in shown("-", "--policy", path, stdin=LOG, columns=100)


def test_the_last_line_is_the_command_that_shows_the_place(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(LOG)
    options = ["--policy", "keep", "--cause", "failed"]

    *_, whole = shown(log, columns=2_000).splitlines()
    *_, last = shown(log, "--at", "3", *options, columns=2_000).splitlines()

    assert whole == f"see it: chatkit-reducer view {log} --at 6 --policy sdk"
    assert last == f"see it: chatkit-reducer view {log} --at 3 {' '.join(options)}"


def test_a_place_behind_the_end_is_told() -> None:
    beyond = run("-", "--at", "99", stdin=LOG).stderr

    assert "--at 99 is beyond the last of 6 events: the stream is stopped behind" in beyond
    assert run("-", "--at", "6", stdin=LOG).stderr == ""


def test_a_place_before_any_event() -> None:
    assert "cancelled before event 1 (--at 0)" in shown("-", "--at", "0", stdin=LOG)


def test_what_was_stored_names_the_thread(tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(json.dumps({"items": OLD, "thread": "thr_7"}))

    (line,) = cancelled("-", "--stored", path, "--policy", "keep", stdin=CONTINUED)

    assert (line["thread"], line["persist"], line["discard"]) == ("thr_7", ["old", "form"], ["e"])
    assert [write["op"] for write in line["writes"]] == ["save", "save"]


def test_max_event_bytes() -> None:
    log = log_of(added(message("a", "x" * 1000)), added(message("b", "y")))

    (line,) = cancelled("-", "--max-event-bytes", "500", stdin=log)

    assert line["persist"] == ["b"]


# --- what fails -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.sse"], "cannot read 'nowhere.sse': No such file or directory"),
        (["."], "cannot read '.': Is a directory"),
        (["-"], "cannot read standard input: nothing in it is a ChatKit event (line 1: "),
        (["-", "--stored", "nowhere"], "cannot read 'nowhere': No such file or directory"),
        (["-", "--policy", "kep"], "'kep' is neither a preset (sdk, keep, drop) nor a file"),
        (["-", "--policy", "."], "cannot read '.': Is a directory"),
        (["-", "--at", "x"], "invalid value for '--at': give a number of events, 0 or more"),
        (
            ["-", "--cause", "bored"],
            "invalid value for '--cause': give one of ended, cancelled, failed, timed_out, crashed",
        ),
        ([], "missing argument 'LOG'"),
    ],
)
def test_failures(arguments: list[str], expected: str) -> None:
    assert failed(*arguments, stdin=b"rubbish\n").startswith(expected)


def test_an_event_among_rubbish_is_enough() -> None:
    log = b"rubbish\n" + LOG

    assert cancelled("-", stdin=log) == cancelled("-", stdin=LOG)


def test_nothing_of_a_log_of_rubbish_is_read() -> None:
    assert cancelled("-", "--at", "0", stdin=b"rubbish\n")[0]["at"] == 0
