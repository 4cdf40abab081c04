"""`chatkit-reducer check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chatkit_reducer import encode
from chatkit_reducer.cli.program import program
from chatkit_reducer.codec import from_json
from chatkit_reducer.events import Event, Json
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

RECORDINGS = Path(__file__).parent.parent / "docs" / "recordings"


def run(*arguments: str | Path, stdin: bytes | None = None, columns: int = 80) -> Result:
    """Run `check` in this process."""
    env = {"COLUMNS": str(columns), "NO_COLOR": None, "FORCE_COLOR": None}
    command = ["check", *[str(each) for each in arguments]]
    return CliRunner().invoke(program, command, input=stdin, env=env)


def log_of(*events: Event) -> bytes:
    """A log of JSON lines."""
    return b"".join(encode(event) + b"\n" for event in events)


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
    """Events in envelopes with these sequence numbers."""
    notice = {"type": "notice", "level": "info", "message": "m"}
    envelope = {"event": event or notice} | ({} if thread is None else {"thread": thread})
    return b"".join(
        json.dumps({**envelope, **({} if n is None else {"seq": n})}).encode() + b"\n"
        for n in numbers
    )


def sequence(log: bytes) -> list[tuple[int, str]]:
    """What is found about sequence numbers: the position, and the kind."""
    return [
        (each["position"], each["kind"].removeprefix("sequence_"))
        for each in found(log)
        if each["kind"].startswith("sequence_")
    ]


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
        "position": 2,
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
        [added(message("m", "")), text_delta("m", "a")],
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

    result = run(path, "--json", *options)

    findings = [json.loads(line) for line in result.stdout_bytes.splitlines()]
    assert [each.get("path") or each["kind"] for each in findings] == KNOWN.get(path.stem, [])
    assert result.exit_code == (1 if findings else 0)


KNOWN: dict[str, list[str]] = {
    # The SDK has no event for the text of a refusal: it is in the `done` alone.
    "refusal": ["content[0].text"],
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
        ("index_out_of_range", 2, None),
        ("difference", 3, None),
        ("item_not_found", 4, None),
    ]
    assert findings[2] == {
        "kind": "index_out_of_range",
        "thread": "thr_1",
        "event": "assistant_message.content_part.text_delta",
        "item_id": "m",
        "problem": "content_index -1 is negative",
        "instead": "nothing changed",
        "position": 2,
        "line": None,
    }


def test_positions_count_the_events_of_the_whole_log() -> None:
    def gone(thread: str) -> bytes:
        return numbered(None, thread=thread, event={"type": "thread.item.removed", "item_id": "x"})

    findings = found(gone("a") + gone("b") + numbered(None, thread="a") + gone("b") + gone("a"))

    assert [(each["thread"], each["position"]) for each in findings] == [
        ("a", 0),
        ("b", 1),
        ("b", 3),
        ("a", 4),
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

    assert "give what was stored before this log with --stored" in " ".join(alone.stdout.split())
    assert "item_not_found" not in run("-", "--json", "--stored", path, stdin=log).stdout
    assert "--stored" not in behind.stdout
    assert behind.stdout.endswith("\n1 finding in 2 events\n")


def test_with_stored_items_the_log_is_one_of_that_thread(tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(json.dumps({"thread": {"id": "thr_7"}, "items": [message("m", "a")]}))

    result = run("-", "--json", "--stored", path, stdin=log_of(text_delta("x", "b")))

    assert [json.loads(line)["thread"] for line in result.stdout.splitlines()] == ["thr_7"]


# --- sequence numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 2, 3], []),
        ([7, 8, 9], []),
        ([0, 1], []),
        ([-1, 0, 1], []),
        ([1, 2, 4], [(2, "gap")]),
        ([1, 2, 9, 10, 12], [(2, "gap"), (4, "gap")]),
        ([1, 2, 2, 3], [(2, "repeated")]),
        ([1, 1], [(1, "repeated")]),
        ([1, 2, 3, 2, 3, 4], [(3, "repeated")]),
        # The recorder began again: another response.
        ([1, 2, 3, 1, 2, 3], []),
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
    findings = found(numbered(1, 3, 8, 8, thread="thr_1"))

    assert [each["problem"] for each in findings] == [
        "sequence number 3 comes after 1: 1 between them is missing",
        "sequence number 8 comes after 3: 4 between them are missing",
        "sequence number 8 comes after 8: an event was recorded twice, or out of order",
    ]
    assert findings[0] == {
        "kind": "sequence_gap",
        "thread": "thr_1",
        "event": "notice",
        "item_id": None,
        "problem": "sequence number 3 comes after 1: 1 between them is missing",
        "instead": None,
        "position": 1,
        "line": None,
    }


def test_a_line_that_cannot_be_read_accounts_for_a_number() -> None:
    assert sequence(numbered(1) + b"rubbish\n" + numbered(3)) == []
    assert sequence(numbered(1) + b"rubbish\n" + numbered(4)) == [(1, "gap")]


def test_a_recorder_may_count_for_each_thread() -> None:
    def turn(number: int) -> bytes:
        return numbered(number, thread="a") + numbered(number, thread="b")

    assert sequence(turn(1) + turn(2) + turn(3)) == []
    assert sequence(turn(1) + turn(2) + turn(4)) == [(4, "gap"), (5, "gap")]


def test_a_recorder_may_count_for_the_whole_log() -> None:
    log = numbered(1, 3, thread="a") + numbered(4, thread="b") + numbered(5, thread="a")

    assert sequence(log) == [(1, "gap")]


def test_a_gap_in_front_of_another_thread() -> None:
    assert sequence(numbered(1, 2, thread="a") + numbered(4, 5, thread="b")) == [(2, "gap")]


def test_a_gap_in_front_of_the_first_thread_that_is_named() -> None:
    assert sequence(numbered(1, 2) + numbered(4, 5, thread="a")) == [(2, "gap")]


def test_ids_of_server_sent_events_are_no_sequence_numbers() -> None:
    notice = b'data: {"type":"notice","level":"info","message":"m"}\n\n'

    assert found(b"id: 1\n" + notice + b"id: 9\n" + notice) == []


# --- for people -----------------------------------------------------------------------------------


def test_no_findings() -> None:
    result = run("-", stdin=log_of(done(message("m", "a"))))

    assert (result.exit_code, result.stdout) == (0, "no findings in 1 event\n")
    assert run("-", stdin=b"").stdout == "no findings in 0 events\n"


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
event 2  assistant_message.content_part.text_delta  m
         content_index -1 is negative
         → nothing changed

event 3  thread.item.done  m
         content[0].text
         the first 7 characters are the same, then
         - updates  "on"
         + done     " a time"

event 6  thread.item.replaced  w
         workflow.tasks[0]
         - updates   {"type": "custom", "title": "Act", "status_indicator":
                     "none"}
         + replaced  (nothing)

line 8   unreadable
         JSON is malformed: object keys must be strings (byte 1): {]
         → it was skipped

4 findings in 7 events
"""
    )


@pytest.mark.parametrize(
    ("streamed", "final", "expected"),
    [
        ("ab", "a", "the first character is the same, then"),
        ("ab", "a", '- updates  "b"'),
        ("ab", "a", "+ done     (no more)"),
        ("a", "", "+ done     (nothing)"),
        ("a", "x" * 2000, '+ done     "' + "x" * 58),
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
