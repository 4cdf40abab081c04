"""`chatkit-reducer check`."""

from __future__ import annotations

import json
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given

from chatkit_reducer.cli.program import program
from chatkit_reducer.cli.render.text import json_line
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    image,
    image_updated,
    item,
    message,
    part,
    part_added,
    part_done,
    removed,
    replaced,
    root_updated,
    task,
    task_added,
    task_updated,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)
from tests.support import cli
from tests.support.cli import log_of
from tests.support.paths import ROOT

run = partial(cli.run, "check")

RECORDINGS = ROOT / "docs" / "recordings"


def found(*events: Event | bytes) -> list[Json]:
    """The findings in a log, as `--json` prints them."""
    log = b"".join(event if isinstance(event, bytes) else log_of(event) for event in events)
    result = run("-", "--json", stdin=log)
    findings = [json.loads(line) for line in result.stdout_bytes.splitlines()]
    assert result.stderr == ""
    assert result.exit_code == (1 if findings else 0)
    return findings


def paths(*events: Event) -> list[str]:
    """Where the updates of the items do not add up to them."""
    findings = found(*events)
    assert {finding["kind"] for finding in findings} <= {"difference"}
    return [finding["path"] for finding in findings]


def numbered(*numbers: Any, thread: str | None = None, event: Json | None = None) -> bytes:
    """Events in envelopes with these sequence numbers: `event`, or one that is there only once."""
    envelope: Json = {} if thread is None else {"thread": thread}
    lines: list[Json] = []
    for number in numbers:
        notice = {"type": "notice", "level": "info", "message": f"m{next(ONCE)}"}
        given = {} if number is None else {"seq": number}
        lines.append({"event": event or notice, **envelope, **given})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def sequence(log: bytes) -> list[tuple[int, str]]:
    """What is found about sequence numbers: the position, and the kind."""
    return [
        (each["position"], each["kind"].removeprefix("sequence_"))
        for each in found(log)
        if each["kind"].startswith("sequence_")
    ]


ONCE = count()

CARD = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a", "streaming": True}]}


def card(value: str, **fields: Any) -> Json:
    """A card with one text."""
    return {"type": "Card", "children": [{"type": "Text", "id": "t", "value": value, **fields}]}


# --- what is a difference -------------------------------------------------------------------------


def test_a_text_that_does_not_add_up() -> None:
    (finding,) = found(
        added(message("m", "")), text_delta("m", "Once upon"), done(message("m", "Once up a time"))
    )

    assert finding == {
        "kind": "difference",
        "thread": "thr_1",
        "event": "thread.item.done",
        "item_id": "m",
        "problem": "content[0].text is not what the updates built",
        "instead": None,
        "position": 3,
        "line": None,
        "path": "content[0].text",
        "common": 7,
        "updates": "on",
        "done": " a time",
    }


def test_long_texts_are_cut_to_what_differs() -> None:
    (finding,) = found(
        added(message("m", "")),
        text_delta("m", "a" * 500 + "b" * 500),
        done(message("m", "a" * 500 + "c" * 500)),
    )

    assert (finding["common"], finding["updates"], finding["done"]) == (500, "b" * 60, "c" * 60)


def test_other_values_are_whole() -> None:
    (finding,) = found(
        added(workflow("w", "Plan")),
        task_added("w", task("Act"), 1),
        done(workflow("w", "Plan")),
    )

    assert finding["path"] == "workflow.tasks[1]"
    assert finding["updates"] == task("Act")
    assert finding["done"] is None
    assert "common" not in finding


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [part_added("m", part("")), part_added("m", part("b"), 1), done(message("m", "", "c"))],
            ["content[1].text"],
        ),
        (
            [annotation_added("m", citation("x"), 0), done(message("m", ""))],
            ["content[0].annotations"],
        ),
        ([part_done("m", part("a")), done(message("m", "b"))], ["content[0].text"]),
        ([text_delta("m", "a"), done(message("m"))], ["content[0]"]),
        ([text_delta("m", "a"), done(widget("m", CARD))], ["type"]),
        ([text_delta("m", "a"), replaced(message("m", "b"))], ["content[0].text"]),
    ],
)
def test_differences_of_messages(events: list[Event], expected: list[str]) -> None:
    assert paths(added(message("m", "")), *events) == expected


def test_differences_of_workflows() -> None:
    assert paths(
        added(workflow("w", "a", "b")),
        task_updated("w", task("a", status="loading"), 0),
        done(workflow("w", "a", "b")),
    ) == ["workflow.tasks[0].status_indicator"]


def test_differences_of_widgets() -> None:
    assert paths(
        added(widget("w", CARD)), value_delta("w", "t", "b"), done(widget("w", card("abc")))
    ) == ["widget.children[0].value", "widget.children[0].streaming"]


def test_differences_of_images() -> None:
    other = item("i", "generated_image", image={"id": "img_2", "url": "u"})

    assert paths(added(image("i")), image_updated("i", "u"), done(other)) == ["image.id"]


def test_an_item_of_an_earlier_response() -> None:
    assert paths(
        done(widget("w", CARD)), value_delta("w", "t", "b"), replaced(widget("w", CARD))
    ) == ["widget.children[0].value"]


def test_a_difference_counts_from_the_last_time_the_item_was_added() -> None:
    kinds = [
        finding["kind"]
        for finding in found(
            added(message("m", "")),
            text_delta("m", "a"),
            added(message("m", "")),
            done(message("m", "b")),
        )
    ]

    assert kinds == ["item_already_present"]


# --- what is none ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [added(message("m", "")), text_delta("m", "a"), done(message("m", "a"))],
        [added(message("m", "")), done(message("m", "never streamed"))],
        [added(message("m", "")), text_delta("m", "a"), removed("m"), done(message("m", "b"))],
        [done(message("m", "a")), done(message("m", "b")), replaced(message("m", "c"))],
        [
            added(message("m", "")),
            text_delta("m", "a"),
            done({**message("m", "a"), "created_at": "later", "new": 1}),
        ],
        [
            added(message("m", "")),
            annotation_added("m", citation("x"), 0),
            part_done("m", part("a")),
            done({**message("m"), "content": [part("a", citation("x"))]}),
        ],
        [
            added(message("m")),
            part_added("m", {"type": "output_text", "text": "a"}),
            done(message("m", "a")),
        ],
        [
            added(workflow("w")),
            task_added("w", {**task("a"), "content": None}, 0),
            done(
                item(
                    "w",
                    "workflow",
                    workflow={
                        "type": "custom",
                        "tasks": [task("a")],
                        "expanded": True,
                        "summary": {"duration": 3},
                    },
                )
            ),
        ],
        [
            added(widget("w", CARD)),
            value_delta("w", "t", "b", done=True),
            done({**widget("w", card("ab", streaming=False)), "copy_text": "ab"}),
        ],
        [added(widget("w", CARD)), root_updated("w", card("x")), done(widget("w", card("x")))],
        [added(image("i")), image_updated("i", "partial", 0.5), done(image("i", "final"))],
        [done(user_message("u", "hi"))],
    ],
)
def test_sound_streams(events: list[Event]) -> None:
    assert found(*events) == []


def test_what_an_unknown_update_built_cannot_be_said() -> None:
    unknown = from_json(
        {"type": "thread.item.updated", "item_id": "m", "update": {"type": "refusal", "x": 1}}
    )

    assert (
        found(added(message("m", "")), text_delta("m", "a"), unknown, done(message("m", "ab")))
        == []
    )


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.sse")), ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    """openai-chatkit 1.6.5 gives findings where it has a bug, and nowhere else."""
    stored = path.with_suffix(".before.json")
    options = ["--stored", str(stored)] if stored.exists() else []
    options += ["--stopped"] if path.stem.startswith("stopped-") else []

    result = run(path, "--json", *options)

    findings = [json.loads(line) for line in result.stdout_bytes.splitlines()]
    assert [each.get("path") or each["kind"] for each in findings] == KNOWN.get(path.stem, [])
    assert result.exit_code == (1 if findings else 0)


KNOWN: dict[str, list[str]] = {
    # The SDK has no event for the text of a refusal: it is in the `done` alone.
    "refusal": ["content[0].text"],
    # Only the `done` of a hidden item is held back.
    "hidden-context-exposed": ["hidden_item", "hidden_item"],
    # The responder returned, and no event says that the message is done.
    "return-in-mid-answer": ["left_pending"],
    # The SDK stores the workflow behind the client tool call, and sends no event for it.
    "workflow-left-open": ["left_pending"],
    # The application updates a stored widget, and sends no event with the whole.
    "widget-updated-later": ["left_pending"],
    # The client left within an event.
    "stopped-in-mid-event": ["unreadable"],
    # `diff_widget` sends nothing for text without an id, and for text inside a Transition.
    "streamed-widget-losing-text": [
        "widget.children[0].value",
        "widget.children[1].children.value",
    ],
    # The application streams one title, and stores another.
    "widget-replaced-later": ["widget.children.value"],
    # `added` is serialised late, and holds the tasks that are then added again.
    "workflow-in-one-breath": ["workflow.tasks[3]", "workflow.tasks[4]"],
    # `list.index` finds the first of two equal tasks, and that index is sent for the second one.
    "workflow-with-equal-tasks": ["workflow.tasks[1]"],
}


# --- anomalies ------------------------------------------------------------------------------------


def test_anomalies_are_findings_in_the_order_of_the_log() -> None:
    findings = found(
        b"rubbish\n",
        added(message("m", "")),
        text_delta("m", "a"),
        b"more rubbish\n",
        text_delta("m", "b", -1),
        done(message("m", "b")),
        text_delta("x", "b"),
    )

    assert [(each["kind"], each["position"], each["line"]) for each in findings] == [
        ("unreadable", 0, 1),
        ("unreadable", 2, 4),
        ("index_out_of_range", 3, None),
        ("difference", 4, None),
        ("item_not_found", 5, None),
    ]
    assert findings[2] == {
        "kind": "index_out_of_range",
        "thread": "thr_1",
        "event": "assistant_message.content_part.text_delta",
        "item_id": "m",
        "problem": "content_index -1 is negative",
        "instead": "nothing changed",
        "position": 3,
        "line": None,
    }


def test_positions_count_the_events_of_the_whole_log() -> None:
    def gone(thread: str) -> bytes:
        return numbered(None, thread=thread, event={"type": "thread.item.removed", "item_id": "x"})

    findings = found(gone("a") + gone("b") + numbered(None, thread="a") + gone("b") + gone("a"))

    assert [(each["thread"], each["position"]) for each in findings] == [
        ("a", 1),
        ("b", 2),
        ("b", 4),
        ("a", 5),
    ]


def test_what_comes_before_any_thread_is_named_belongs_to_the_first() -> None:
    def anonymous(json: Json) -> Json:
        return {name: value for name, value in json.items() if name != "thread_id"}

    findings = found(
        added(anonymous(message("m", ""))),
        text_delta("m", "a"),
        done(anonymous(message("m", "b"))),
        added(anonymous(message("n", ""))),
        text_delta("n", "a"),
        done(message("n", "b")),
    )

    assert [(each["thread"], each["path"]) for each in findings] == [
        ("thr_1", "content[0].text"),
        ("thr_1", "content[0].text"),
    ]


def test_an_item_that_was_stored_before_the_log(tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(json.dumps([workflow("w", "Plan")]))
    log = log_of(task_added("w", task("Act"), 1), done(workflow("w", "Plan", "Act", "Rest")))

    alone, behind = run("-", stdin=log), run("-", "--stored", path, stdin=log)

    assert "give the items that were stored before this log with --stored" in " ".join(
        alone.stdout.split()
    )
    assert "item_not_found" not in run("-", "--json", "--stored", path, stdin=log).stdout
    assert "--stored" not in behind.stdout
    assert behind.stdout.endswith("\n1 finding in 2 events\n")


def test_with_stored_items_the_log_is_one_of_that_thread(tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(json.dumps({"thread": {"id": "thr_7"}, "items": [message("m", "a")]}))

    result = run("-", "--json", "--stored", path, stdin=log_of(text_delta("x", "b")))

    assert [json.loads(line)["thread"] for line in result.stdout.splitlines()] == ["thr_7"]


# --- the end of the log ---------------------------------------------------------------------------

PENDING: list[Event] = [added(message("m", "")), text_delta("m", "Once")]
FAILED = from_json({"type": "error", "code": "stream.error"})


def test_an_item_that_is_pending_when_the_stream_has_ended_by_itself() -> None:
    assert found(*PENDING) == [
        {
            "kind": "left_pending",
            "thread": "thr_1",
            "event": None,
            "item_id": "m",
            "problem": "the assistant_message is not done when the log ends",
            "instead": None,
            "position": 2,
            "line": None,
        }
    ]


def test_a_stored_item_that_was_updated_and_not_done() -> None:
    old = done(widget("w", CARD))

    assert [each["kind"] for each in found(old, value_delta("w", "t", "b"))] == ["left_pending"]


def test_a_stream_that_goes_on_in_the_same_log_leaves_it_pending_too() -> None:
    log = [*PENDING, done(user_message("u", "hi")), done(message("n", "a"))]

    assert [(each["kind"], each["position"]) for each in found(*log)] == [("left_pending", 4)]


def test_a_stream_that_failed_did_not_end_by_itself() -> None:
    assert found(*PENDING, FAILED) == []
    assert [each["kind"] for each in found(*PENDING, FAILED, done(message("n", "a")))] == [
        "left_pending"
    ]


def test_a_log_that_was_cut_off_did_not_end_by_itself() -> None:
    torn = log_of(text_delta("m", " upon"))[:-20]

    assert [each["kind"] for each in found(*PENDING, torn)] == ["unreadable"]
    assert [each["kind"] for each in found(torn + b"\n", *PENDING)] == [
        "unreadable",
        "left_pending",
    ]


def test_a_stream_that_was_stopped(tmp_path: Path) -> None:
    result = run("-", stdin=log_of(*PENDING))

    assert "after event 2  the end of the log  m\n" in result.stdout
    assert "say so with --stopped" in " ".join(result.stdout.split())
    assert run("-", "--stopped", stdin=log_of(*PENDING)).stdout == "no findings in 2 events\n"


def test_each_thread_has_an_end_of_its_own() -> None:
    def event(thread: str | None, json: Json) -> bytes:
        return json_line({"event": json} | ({} if thread is None else {"thread": thread})) + b"\n"

    begun = {"type": "thread.item.added", "item": {"id": "x", "type": "poll"}}
    error = {"type": "error"}
    log = event(None, begun) + event(None, error) + event("a", error)
    log += event("b", {**begun, "item": {"id": "y", "type": "poll"}})

    assert [(each["thread"], each["item_id"]) for each in found(log)] == [("b", "y")]
    assert [each["thread"] for each in found(event(None, begun) + event(None, error))] == []


# --- mistakes that the fold can live with ---------------------------------------------------------


def test_mistakes_are_findings() -> None:
    update = {"type": "assistant_message.content_part.text_delta", "item_id": "m", "delta": "x"}
    findings = found(
        added(message("__fake_id__", "")),
        from_json(update),
        text_delta("__fake_id__", "Once"),
        part_done("__fake_id__", part("One")),
        done(message("__fake_id__", "One")),
        added(item("h", "hidden_context_item", content="secret")),
        removed("h"),
    )

    assert [(each["kind"], each["event"], each["position"]) for each in findings] == [
        ("placeholder_id", "thread.item.added", 1),
        ("update_as_event", "assistant_message.content_part.text_delta", 2),
        ("difference", "assistant_message.content_part.done", 4),
        ("hidden_item", "thread.item.added", 6),
    ]
    assert findings[2]["path"] == "content[0].text"
    assert (findings[2]["updates"], findings[2]["done"], findings[2]["common"]) == ("ce", "e", 2)


# --- positions ------------------------------------------------------------------------------------


@given(chatkit.adversarial_streams(max_events=12))
def test_a_position_is_what_until_and_at_take(events: list[Event]) -> None:
    """The state after event N shows an anomaly of event N, and the state before it does not."""
    log = log_of(*events)
    replayed = _anomalies_of(log)
    for number, each in enumerate(replayed):
        at = each["position"]
        assert number < len(_anomalies_of(log, "--until", str(at)))
        assert number >= len(_anomalies_of(log, "--until", str(at - 1)))


def _anomalies_of(log: bytes, *options: str) -> list[Json]:
    arguments = ["replay", "-", "--json", *options]
    result = CliRunner().invoke(program, arguments, input=log)
    return [
        each for line in result.stdout_bytes.splitlines() for each in json.loads(line)["anomalies"]
    ]


# --- sequence numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 2, 3], []),
        ([7, 8, 9], []),
        ([0, 1], []),
        ([-1, 0, 1], []),
        ([1, 2, 4], [(3, "gap")]),
        ([1, 2, 9, 10, 12], [(3, "gap"), (5, "gap")]),
        ([1, 2, 4, 3, 5, 6], [(3, "gap"), (4, "repeated")]),
        ([5, 6, 3, 4], [(3, "repeated")]),
        # The recorder began again: another response.
        ([1, 2, 3, 1, 2, 3], []),
        ([1, 2, 2, 3], []),
        ([1, 1], []),
        ([1, 2, 3, 2, 3, 4], []),
        ([1, 3, 2, 2], [(2, "gap"), (3, "repeated")]),
        # None, and what is no integer, is no number.
        ([1, None, 2], []),
        (["1", "5", "9"], []),
        ([1, True, 2], []),
        ([None, None], []),
    ],
)
def test_sequence_numbers(numbers: list[Any], expected: list[tuple[int, str]]) -> None:
    assert sequence(numbered(*numbers)) == expected
    assert sequence(numbered(*numbers, thread="thr_1")) == expected


def test_what_is_said_of_sequence_numbers() -> None:
    findings = found(numbered(1, 3, 8, 2, thread="thr_1"))

    assert [each["problem"] for each in findings] == [
        "sequence number 3 comes after 1: 1 between them is missing",
        "sequence number 8 comes after 3: 4 between them are missing",
        "sequence number 2 comes after 8: an event was recorded out of order",
    ]
    assert findings[0] == {
        "kind": "sequence_gap",
        "thread": "thr_1",
        "event": "notice",
        "item_id": None,
        "problem": "sequence number 3 comes after 1: 1 between them is missing",
        "instead": None,
        "position": 2,
        "line": None,
    }


def test_a_line_that_cannot_be_read_accounts_for_a_number() -> None:
    assert sequence(numbered(1) + b"rubbish\n" + numbered(3)) == []
    assert sequence(numbered(1) + b"rubbish\n" + numbered(4)) == [(2, "gap")]


def test_a_recorder_may_count_for_each_thread() -> None:
    def turn(number: int) -> bytes:
        return numbered(number, thread="a") + numbered(number, thread="b")

    assert sequence(turn(1) + turn(2) + turn(3)) == []
    assert sequence(turn(1) + turn(2) + turn(4)) == [(5, "gap"), (6, "gap")]


def test_a_recorder_may_count_for_the_whole_log() -> None:
    log = numbered(1, 3, thread="a") + numbered(4, thread="b") + numbered(5, thread="a")

    assert sequence(log) == [(2, "gap")]


def test_a_gap_in_front_of_another_thread() -> None:
    assert sequence(numbered(1, 2, thread="a") + numbered(4, 5, thread="b")) == [(3, "gap")]


def test_a_gap_in_front_of_the_first_thread_that_is_named() -> None:
    assert sequence(numbered(1, 2) + numbered(4, 5, thread="a")) == [(3, "gap")]


def test_an_event_that_comes_again_is_an_anomaly_and_breaks_no_sequence() -> None:
    first, second, third = numbered(1), numbered(2), numbered(3)

    findings = found(first + second + first + second + third)

    assert [(one["kind"], one["position"], one["line"]) for one in findings] == [
        ("redelivered", 2, 3),
        ("redelivered", 2, 4),
    ]
    assert findings[0]["event"] == "notice"
    assert findings[0]["problem"] == "the event with the number 1 was delivered before"
    assert findings[0]["instead"] == "it was skipped"


def test_ids_of_server_sent_events_are_no_sequence_numbers() -> None:
    notice = b'data: {"type":"notice","level":"info","message":"m"}\n\n'

    assert found(b"id: 1\n" + notice + b"id: 9\n" + notice) == []


# --- for people -----------------------------------------------------------------------------------


def test_no_findings() -> None:
    result = run("-", stdin=log_of(done(message("m", "a"))))

    assert (result.exit_code, result.stdout) == (0, "no findings in 1 event\n")


@pytest.mark.parametrize("log", [b"", b"\n\n", b": a comment\n\n"])
def test_a_log_without_an_event_is_not_a_sound_one(log: bytes, tmp_path: Path) -> None:
    (tmp_path / "empty.sse").write_bytes(log)
    (tmp_path / "sound.sse").write_bytes(log_of(done(message("m", "a"))))

    alone = run(tmp_path / "empty.sse")
    both = run(tmp_path / "empty.sse", tmp_path / "sound.sse")

    assert (alone.exit_code, alone.stdout) == (2, "")
    assert alone.stderr.endswith("it has no event, so there is nothing to check\n")
    assert (both.exit_code, both.stdout) == (2, "no findings in 1 log, 1 event\n")
    assert both.stderr == alone.stderr


def test_findings() -> None:
    log = log_of(
        added(message("m", "")),
        text_delta("m", "Once upon"),
        text_delta("m", "!", -1),
        done(message("m", "Once up a time")),
        added(workflow("w")),
        task_added("w", task("Act"), 0),
        replaced(workflow("w")),
    )

    result = run("-", stdin=log + b"{]\n")

    assert result.exit_code == 1
    assert (
        result.stdout
        == """\
after event 3  assistant_message.content_part.text_delta  m
               content_index -1 is negative
               → nothing changed

after event 4  thread.item.done  m
               content[0].text
               the first 7 characters are the same, then
               - updates  "on"
               + done     " a time"

after event 7  thread.item.replaced  w
               workflow.tasks[0]
               - updates   {"type": "custom", "title": "Act",
                           "status_indicator": "none"}
               + replaced  (nothing)

line 8         unreadable
               JSON is malformed: object keys must be strings (byte 1): {]
               → it was skipped

4 findings in 7 events
"""
    )


def test_the_last_line_is_the_command_that_shows_the_first_finding(tmp_path: Path) -> None:
    log, stored = tmp_path / "log", tmp_path / "stored items.json"
    events = log_of(added(message("m", "")), text_delta("m", "a"), done(message("m", "b")))
    log.write_bytes(b"{]\n" + events)
    stored.write_text("[]")

    *_, last = run(log, "--stored", stored, columns=2_000).stdout.splitlines()

    assert last == f"see it: chatkit-reducer view {log} --at 3 --stored '{stored}'"


@pytest.mark.parametrize(
    ("streamed", "final", "expected"),
    [
        ("ab", "a", "the first character is the same, then"),
        ("ab", "a", '- updates  "b"'),
        ("ab", "a", "+ done     (no more)"),
        ("a", "", "+ done     (nothing)"),
        ("a", "x" * 2000, '+ done     "' + "x" * 50),
    ],
)
def test_texts_that_differ(streamed: str, final: str, expected: str) -> None:
    log = log_of(added(message("m", "")), text_delta("m", streamed), done(message("m", final)))

    assert expected in run("-", stdin=log).stdout


def test_long_values_are_cut() -> None:
    log = log_of(
        added(workflow("w")),
        task_added("w", {**task("a"), "content": "x" * 5000}, 0),
        done(workflow("w")),
    )

    result = run("-", stdin=log)

    assert "characters)" in result.stdout
    assert len(result.stdout) < 1000


def test_threads_are_named_where_there_are_several() -> None:
    def gone(thread: str) -> bytes:
        return numbered(None, thread=thread, event={"type": "thread.item.removed", "item_id": "x"})

    assert "thr_a" not in run("-", stdin=gone("thr_a")).stdout
    both = run("-", stdin=gone("thr_a") + gone("thr_b")).stdout
    assert "thread.item.removed  x  thr_a\n" in both
    assert "thread.item.removed  x  thr_b\n" in both


@pytest.mark.parametrize("columns", [60, 120])
def test_nothing_is_wider_than_the_terminal(columns: int) -> None:
    log = (
        log_of(added(message("m", "")), text_delta("m", "x" * 300), done(message("m", "y" * 300)))
        + b"[" * 500
    )

    lines = run("-", stdin=log, columns=columns).stdout.splitlines()

    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line != line.rstrip()] == []


def test_numbers_have_commas() -> None:
    log = log_of(done(message("m", "a"))) * 1500

    assert run("-", stdin=log).stdout == "no findings in 1,500 events\n"
