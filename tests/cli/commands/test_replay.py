"""`chatkit-reducer replay`."""

from __future__ import annotations

import gzip
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard

from chatkit_reducer import fold
from chatkit_reducer.cli.render import text
from chatkit_reducer.cli.render.items import VIEWS
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.logs import read
from chatkit_reducer.testing.examples import (
    added,
    citation,
    done,
    image,
    image_updated,
    item,
    message,
    part,
    task,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)
from tests.support import cli
from tests.support.cli import LOG, UNSAFE, failed, log_of, run, thread_event
from tests.support.paths import ROOT

replayed = partial(cli.printed, "replay")

RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))


def shown(*events: Event, columns: int = 80) -> str:
    """What people see of a thread, without its header."""
    result = run("replay", "-", stdin=log_of(*events), columns=columns)
    assert (result.exit_code, result.stderr) == (0, "")
    _, _, body = result.stdout.partition("─\n\n")
    return body.rstrip("\n")


# --- each type of item, as people read it ---------------------------------------------------------

OPTIONS = [{"value": "S"}, {"value": "M"}]
ITEMS: dict[str, tuple[Json, str]] = {
    "user_message": (
        item(
            "u",
            "user_message",
            content=[
                {"type": "input_text", "text": "Ask "},
                {"type": "input_tag", "id": "usr_1", "text": "Ada", "data": {}},
                {"type": "input_text", "text": ", please."},
                {"type": "input_shrug", "size": 3},
            ],
            attachments=[{"type": "file", "id": "f", "name": "a.pdf", "mime_type": "text/pdf"}],
            quoted_text="I said\nthat.",
            inference_options={"model": "big", "tool_choice": {"id": "search"}},
        ),
        """\
user  u
  │ I said
  │ that.
  Ask @Ada (usr_1), please.{"type": "input_shrug", "size": 3}
  attached: a.pdf  text/pdf  f
  model: big
  tool: search""",
    ),
    "assistant_message": (
        {
            **message("a"),
            "content": [
                part(
                    "# Moon\n\nIt is far.",
                    citation("near", at=6),
                    citation("far", at=99),
                    citation("nowhere"),
                ),
                part("And **bright**."),
                {"type": "output_smell", "of": "cheese"},
            ],
        },
        """\
assistant  a
  # Moon[1]

  It is far.[2]
  And **bright**.
  {"type": "output_smell", "of": "cheese"}
  [1] near  near.txt
  [2] far  far.txt
  [3] nowhere  nowhere.txt""",
    ),
    "workflow": (
        item(
            "w",
            "workflow",
            workflow={
                "type": "reasoning",
                "summary": {"duration": 12},
                "tasks": [
                    {**task("Plan", status="complete"), "content": "carefully"},
                    task("Wait", status="loading"),
                    {"type": "thought", "content": "I see."},
                    {"type": "thought", "title": "Hm", "content": "Or not."},
                    {
                        "type": "web_search",
                        "title_query": "moon",
                        "queries": ["how far"],
                        "sources": [
                            {
                                "type": "url",
                                "title": "Moon",
                                "url": "https://m.example",
                                "description": "all of it",
                            }
                        ],
                    },
                    {"type": "file", "sources": [{"type": "file", "filename": "a.txt"}]},
                    {"type": "image", "title": "Draw"},
                    {"type": "custom"},
                    {"type": "dream", "of": "sheep"},
                    {"type": "custom", "title": "Odd", "status_indicator": "paused"},
                ],
            },
        ),
        """\
workflow  w
  reasoning: took 12 s
  ✓ Plan
    carefully
  ◌ Wait  loading
  • I see.
  • Hm
    Or not.
  • moon
    “how far”
    Moon  https://m.example  all of it
  • file
    a.txt
  • Draw
  • (empty)
  • {"type": "dream", "of": "sheep"}
  ? Odd  paused""",
    ),
    "client_tool_call": (
        item(
            "t",
            "client_tool_call",
            status="completed",
            call_id="c",
            name="pick",
            arguments={"from": ["red", "blue"]},
            output={"colour": "blue"},
        ),
        """\
client tool call  t
  pick({"from": ["red", "blue"]})
  → {"colour": "blue"}
  status: completed""",
    ),
    "generated_image": (
        image("i", "data:image/png;base64," + "A" * 1640),
        """\
image  i
  img_1
  data:image/png;base64, 1.2 kB""",
    ),
    "structured_input": (
        item(
            "s",
            "structured_input",
            status="pending",
            inputs=[
                {"id": "1", "type": "multiple_choice", "question": "Size?", "options": OPTIONS},
                {
                    "id": "2",
                    "type": "multiple_choice",
                    "question": "Sizes?",
                    "multiple": True,
                    "options": OPTIONS,
                    "answer": {"values": ["M", "XL"], "skipped": False},
                },
                {
                    "id": "3",
                    "type": "freeform",
                    "question": "Name?",
                    "description": "As printed",
                    "answer": {"values": ["Ada"], "skipped": False},
                },
                {
                    "id": "4",
                    "type": "freeform",
                    "question": "Else?",
                    "answer": {"values": [], "skipped": True},
                },
            ],
        ),
        """\
questions  s
  1. Size?
     ( ) S
     ( ) M
     (no answer)
  2. Sizes?
     [ ] S
     [x] M
     → XL
  3. Name?
     As printed
     → Ada
  4. Else?
     (skipped)
  status: pending""",
    ),
    "task": (
        item("k", "task", task={**task("Read", status="complete"), "content": "12 pages"}),
        """\
task  k
  ✓ Read
    12 pages""",
    ),
    "hidden_context_item": (
        item("h", "hidden_context_item", content={"secret": 1}),
        """\
hidden context  h  no client is shown this
  {"secret": 1}""",
    ),
    "sdk_hidden_context": (
        item("h", "sdk_hidden_context", content="The user left."),
        """\
hidden context of the SDK  h  no client is shown this
  The user left.""",
    ),
    "end_of_turn": (item("e", "end_of_turn"), "end of turn  e"),
    "widget": (
        widget(
            "g",
            {
                "type": "Card",
                "id": "card",
                "status": {"text": "Working"},
                "confirm": {"label": "OK", "action": {"type": "go"}},
                "children": [
                    {"type": "Title", "value": "Orders"},
                    {
                        "type": "Row",
                        "children": [
                            {"type": "Icon", "name": "sun"},
                            {"type": "Text", "id": "body", "value": "three", "streaming": True},
                        ],
                    },
                    {"type": "Markdown", "value": "# All\n\nof it"},
                    {"type": "Transition", "children": {"type": "Caption", "value": "slow"}},
                    {"type": "Image", "src": "data:image/png;base64,AAAA", "alt": "a dot"},
                    {"type": "Button", "label": "Buy", "onClickAction": {"type": "order.buy"}},
                    {
                        "type": "Select",
                        "name": "size",
                        "options": [{"value": "s", "label": "Small"}, {"value": "l"}, 3],
                    },
                    {"type": "Divider"},
                    {"type": "Sparkline", "points": [1, 2]},
                    {"id": "bare"},
                    "a string",
                    None,
                ],
            },
        ),
        """\
widget  g
  Card #card  Working  confirm="OK"
  ├── Title  Orders
  ├── Row
  │   ├── Icon  name="sun"
  │   └── Text #body ◌ streaming  three
  ├── Markdown
  │   # All
  │
  │   of it
  ├── Transition
  │   └── Caption  slow
  ├── Image  a dot  data:image/png;base64, 3 bytes
  ├── Button  Buy  → order.buy
  ├── Select  name="size"  options=Small | l | 3
  ├── Divider
  ├── Sparkline  {"points": [1, 2]}
  ├── (no type) #bare
  ├── "a string"
  └── null""",
    ),
    "poll": (
        item("p", "poll", question="Tea?", options=["yes", "no"]),
        """\
poll  p
  {"question": "Tea?", "options": ["yes", "no"]}""",
    ),
}


@pytest.mark.parametrize("name", ITEMS)
def test_items_as_people_read_them(name: str) -> None:
    json, expected = ITEMS[name]

    assert shown(done(json)) == expected


def test_every_type_with_a_view_is_tried() -> None:
    assert set(VIEWS) == set(ITEMS) - {"poll"}


@pytest.mark.parametrize("kind", sorted(VIEWS))
def test_an_item_without_its_fields_is_shown_all_the_same(kind: str) -> None:
    assert shown(done(item("x", kind))).splitlines()[0].split() != []
    wrong = dict.fromkeys(
        ["content", "workflow", "widget", "image", "task", "inputs", "arguments", "attachments"], 3
    )

    assert "x" in shown(done(item("x", kind, **wrong)))


def test_an_item_that_is_not_what_its_type_demands_is_shown_as_json() -> None:
    assert shown(done(item("m", "assistant_message", content="text"))).startswith(
        'assistant_message  m\n  {"content": "text"}'
    )


def test_an_item_without_a_type() -> None:
    bare: Json = {"id": "x", "thread_id": "thr_1", "odd": 1}

    assert shown(done(bare)) == 'item without a type  x\n  {"odd": 1}'


def test_an_image_that_is_not_there_yet() -> None:
    assert shown(added(image("i"))) == "image  i  ◌ pending\n  (no image)"


def test_the_url_of_an_image_takes_one_line() -> None:
    lines = shown(done(image("i", "https://a.example/" + "long/" * 60)), columns=60).splitlines()

    assert len(lines) == 3
    assert len(lines[2]) == 60
    assert lines[2].endswith("…")


def test_a_message_without_text() -> None:
    assert shown(added(message("m", ""))) == "assistant  m  ◌ pending\n\n  (no text)"


def test_a_widget_that_is_nested_deeply_is_cut() -> None:
    root: Json = {"type": "Text", "value": "deep"}
    for _ in range(40):
        root = {"type": "Box", "children": [root]}

    lines = shown(done(widget("w", root))).splitlines()

    assert lines[-1].endswith("└── … more, nested more deeply")
    assert len(lines) < 20


def test_long_json_is_cut() -> None:
    output = shown(done(item("x", "poll", votes=list(range(10_000)))))

    assert "… (58,901 characters)" in output
    assert len(output) < 3_000


# --- what is pending, how it goes on, what was odd ------------------------------------------------


def test_pending_items_are_marked() -> None:
    shown_items = shown(added(message("m", "")), text_delta("m", "Once upon"))

    assert shown_items == "assistant  m  ◌ pending\n  Once upon"


def test_items_pending_over_a_stored_copy_are_marked() -> None:
    root = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a"}]}

    first = shown(done(widget("w", root)), value_delta("w", "t", "b")).splitlines()[0]

    assert first == "widget  w  ◌ pending over a stored copy"


def test_progress() -> None:
    progress = from_json({"type": "progress_update", "text": "Searching", "icon": "search"})

    assert shown(progress) == "(no items)\n\n◌ Searching  search"


def test_progress_of_an_image() -> None:
    output = shown(added(image("i")), image_updated("i", "https://a", 1 / 3))

    assert output.endswith("\n\n◌ making an image  33%  i")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"code": "stream.error", "allow_retry": True}, ": stream.error  may be retried"),
        ({"message": "No more.", "allow_retry": False}, ": No more.  not to be retried"),
        ({}, ""),
    ],
)
def test_errors(fields: Json, expected: str) -> None:
    assert shown(from_json({"type": "error", **fields})).endswith("✗ the stream failed" + expected)


def test_what_was_odd() -> None:
    log = log_of(done(message("m", "a")), text_delta("m", "b", -1)) + b"{]\n"

    result = run("replay", "-", stdin=log)

    assert result.stdout.endswith("""
what was odd
  after event 2  assistant_message.content_part.text_delta  m
                 content_index -1 is negative
                 → nothing changed
  line 3         unreadable
                 JSON is malformed: object keys must be strings (byte 1): {]
                 → it was skipped
""")


def test_of_very_many_anomalies_the_first_are_shown() -> None:
    log = log_of(done(message("m", "a"))) + b"rubbish\n" * 30

    output = run("replay", "-", stdin=log).stdout

    assert output.count("it was skipped") == 20
    assert output.endswith("  and 10 more: see `chatkit-reducer check`\n")


@pytest.mark.parametrize(
    ("thread", "expected"),
    [
        ({}, "untitled thread\nthr_1 · 1 item · 1 pending\n"),
        (
            {"title": "Moons", "status": {"type": "active"}},
            "Moons\nthr_1 · active · 1 item · 1 pending\n",
        ),
        (
            {"status": {"type": "locked", "reason": "too long"}},
            "untitled thread\nthr_1 · locked: too long · 1 item · 1 pending\n",
        ),
    ],
)
def test_the_header(thread: Json, expected: str) -> None:
    log = log_of(thread_event(**thread), added(message("m", "a")))

    assert run("replay", "-", stdin=log).stdout.startswith(expected)


def test_an_empty_log() -> None:
    output = run("replay", "-", stdin=b"").stdout

    assert output == f"untitled thread\nno id · 0 items\n{'─' * 80}\n\n(no items)\n"


def test_several_threads() -> None:
    log = b"".join(
        json.dumps({"thread": thread, "event": event}).encode() + b"\n"
        for thread, event in [
            ("thr_a", {"type": "thread.item.done", "item": message("a", "first")}),
            ("thr_b", {"type": "thread.item.done", "item": message("b", "second")}),
        ]
    )

    output = run("replay", "-", stdin=log).stdout

    assert output.count("untitled thread") == 2
    assert output.index("thr_a") < output.index("first") < output.index("thr_b")
    assert [line["thread"] for line in replayed("-", stdin=log)] == ["thr_a", "thr_b"]


# --- nothing in a log is obeyed -------------------------------------------------------------------

HOSTILE = "[red]x[/red]\x1b[31m\x1b]8;;http://e\x07\r\x08\x9b2J\x7f\x00\u202e\u2028:smile:"


def _poisoned(value: Any) -> Any:
    """The value with something hostile at the end of each of its texts, but for known types."""
    if isinstance(value, dict):
        return {
            name: field if name == "type" else _poisoned(field) for name, field in value.items()
        }
    if isinstance(value, list):
        return [_poisoned(element) for element in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


@pytest.mark.parametrize("columns", [30, 80])
def test_neither_markup_nor_escape_sequences_are_obeyed(columns: int) -> None:
    items = [_poisoned(json) for json, _ in ITEMS.values()]
    odd_type = item(HOSTILE, HOSTILE, **{HOSTILE: HOSTILE})
    odd_widget = widget("odd", {"type": HOSTILE, "id": HOSTILE, HOSTILE: HOSTILE})
    events = [
        thread_event(title=HOSTILE, status={"type": HOSTILE, "reason": HOSTILE}),
        *[done({**json, "thread_id": "thr_1"}) for json in [*items, odd_type, odd_widget]],
        added(message("m", HOSTILE)),
        text_delta(HOSTILE, "x"),
        from_json({"type": "progress_update", "text": HOSTILE, "icon": HOSTILE}),
        from_json({"type": "error", "code": HOSTILE, "message": HOSTILE}),
    ]
    log = log_of(*events) + HOSTILE.encode() + b"\n"

    for command in ("replay", "check"):
        result = run(command, "-", stdin=log, columns=columns)

        assert UNSAFE.search(result.stdout) is None
        assert "\\x1b" in result.stdout  # an id
        assert command == "check" or "␛" in result.stdout  # a text
        if columns == 80:
            assert "[red]x[/red]" in result.stdout
            assert ":smile:" in result.stdout


def test_errors_are_one_line_whatever_is_in_them() -> None:
    line = failed("replay", f"missing{HOSTILE}\n".replace("\x00", ""))

    assert UNSAFE.search(line) is None


def test_safe_keeps_lines_tabs_and_joined_emoji() -> None:
    family = "👩\u200d👩\u200d👧 \N{VARIATION SELECTOR-16}é"

    assert text.safe(f"a\r\nb\tc\n{family}") == f"a\nb\tc\n{family}"


@pytest.mark.parametrize("columns", [1, 20, 60, 120])
def test_nothing_is_wider_than_the_terminal(columns: int) -> None:
    log = log_of(*[done(json) for json, _ in ITEMS.values()])

    result = run("replay", "-", stdin=log, columns=columns)

    assert result.exit_code == 0
    if columns >= 60:
        assert max(map(len, result.stdout.splitlines())) <= columns


def test_no_line_ends_with_spaces() -> None:
    log = log_of(*[done(json) for json, _ in ITEMS.values()]) + b"rubbish\n"

    lines = run("replay", "-", stdin=log, columns=50).stdout.splitlines()

    assert [line for line in lines if line != line.rstrip()] == []


# --- for machines ---------------------------------------------------------------------------------


def test_json() -> None:
    log = log_of(
        thread_event(),
        done(user_message("u", "hi")),
        added(message("m", "")),
        text_delta("m", "Once"),
        from_json({"type": "error", "code": "custom", "new": 1}),
    )

    assert replayed("-", stdin=b"rubbish\n" + log) == [
        {
            "thread": "thr_1",
            "items": [user_message("u", "hi"), message("m", "Once")],
            "pending": ["m"],
            "anomalies": [
                {
                    "kind": "unreadable",
                    "event": "unreadable",
                    "item_id": None,
                    "problem": "JSON is malformed: invalid character (byte 0): rubbish",
                    "instead": "it was skipped",
                    "position": 0,
                    "offset": 0,
                    "line": 1,
                }
            ],
            "error": {"type": "error", "code": "custom", "new": 1},
        }
    ]


def test_json_of_an_empty_log() -> None:
    assert replayed("-", stdin=b"") == [
        {"thread": None, "items": [], "pending": [], "anomalies": [], "error": None}
    ]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    state = fold(read(path))

    (thread,) = replayed(path)
    people = run("replay", path)

    assert thread["thread"] == "thr_1"
    assert thread["items"] == [json.loads(json.dumps(i.to_json())) for i in state.items.values()]
    assert thread["pending"] == list(state.pending)
    assert people.exit_code == 0
    assert people.stderr == ""
    for item_id in state.items:
        assert item_id in people.stdout


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, None), (1, None), (2, ""), (3, "Once "), (4, "Once upon"), (9, "Once upon a time")],
)
def test_until(count: int, expected: str | None) -> None:
    (thread,) = replayed("-", "--until", str(count), stdin=LOG)

    texts = [each["content"][0]["text"] for each in thread["items"]]
    assert texts == ([] if expected is None else [expected])


def test_until_does_not_count_what_is_no_event() -> None:
    (thread,) = replayed("-", "--until", "3", stdin=LOG.replace(b"\n", b"\nrubbish\n"))

    assert thread["items"][0]["content"][0]["text"] == "Once "


def test_the_help_says_where_images_and_forms_are_drawn() -> None:
    assert "Images, charts and forms of widgets are drawn by `chatkit-reducer view`" in " ".join(
        run("replay", "--help").stdout.split()
    )


def test_until_is_said_in_the_header() -> None:
    output = run("replay", "-", "--until", "3", stdin=LOG).stdout

    assert "thr_1 · 1 item · 1 pending · after event 3 (--until 3)\n" in output


@pytest.mark.parametrize("value", ["-1", "x", "1.5", ""])
def test_until_is_a_number(value: str) -> None:
    assert failed("replay", "-", "--until", value, stdin=LOG) == (
        f"invalid value for '--until': give a number of events, 0 or more, not {value!r} "
        "(see 'chatkit-reducer replay --help')"
    )


def test_max_event_bytes() -> None:
    log = log_of(done(message("a", "x" * 1000)), done(message("b", "y")))

    (thread,) = replayed("-", "--max-event-bytes", "500", stdin=log)

    assert [each["id"] for each in thread["items"]] == ["b"]
    assert "larger than 500 bytes" in thread["anomalies"][0]["problem"]
    assert "1 or more" in failed("check", "-", "--max-event-bytes", "0", stdin=log)


def test_strict_ends_at_the_first_fault() -> None:
    log = LOG + b"{]\nmore rubbish\n"

    assert failed("replay", "-", "--strict", stdin=log, status=1) == (
        "line 6: unreadable: JSON is malformed: object keys must be strings (byte 1): {]; "
        "it was skipped"
    )
    assert failed("replay", "-", "--strict", "--json", stdin=log, status=1).startswith("line 6:")


def test_strict_without_a_fault() -> None:
    assert replayed("-", "--strict", stdin=LOG) == replayed("-", stdin=LOG)


STORED = [user_message("u", "hi"), workflow("w", "Plan")]
LATER = log_of(
    from_json(
        {
            "type": "thread.item.updated",
            "item_id": "w",
            "update": {"type": "workflow.task.added", "task_index": 1, "task": task("Act")},
        }
    )
)


@pytest.mark.parametrize(
    ("stored", "thread"),
    [
        (STORED, "thr_1"),
        ({"items": STORED}, "thr_1"),
        ({"items": STORED, "thread": {"id": "thr_7", "title": "t"}}, "thr_7"),
        ({"items": STORED, "thread": "thr_7", "pending": []}, "thr_7"),
        ({"items": {"data": STORED, "has_more": False}, "id": "thr_7", "title": "t"}, "thr_7"),
    ],
)
def test_stored_items_are_there_before_the_log(stored: Any, thread: str, tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(json.dumps(stored))

    (result,) = replayed("-", "--stored", path, stdin=LATER)

    assert result["thread"] == thread
    assert result["items"] == [STORED[0], workflow("w", "Plan", "Act")]
    assert result["pending"] == ["w"]
    assert result["anomalies"] == []
    assert (
        "◌ pending over a stored copy" in run("replay", "-", "--stored", path, stdin=LATER).stdout
    )


def test_what_replay_prints_can_be_what_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(run("replay", "--json", "-", stdin=LOG).stdout)

    (result,) = replayed("-", "--stored", path, stdin=b"")

    assert result == replayed("-", stdin=LOG)[0]


@pytest.mark.parametrize("content", ["", "{", "3", "{}", '{"items": 3}', "[3]", '"items"'])
def test_stored_is_something_else(content: str, tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(content)

    assert failed("replay", "-", "--stored", path, stdin=LOG).startswith(
        f"cannot read {str(path)!r}: "
    )


def test_stored_is_missing() -> None:
    assert failed("check", "-", "--stored", "nowhere", stdin=LOG) == (
        "cannot read 'nowhere': No such file or directory"
    )


# --- input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["replay", "check"])
def test_missing_file(command: str) -> None:
    assert failed(command, "nowhere") == "cannot read 'nowhere': No such file or directory"


@pytest.mark.parametrize("option", ["--stored", "--policy"])
def test_directory(option: str, tmp_path: Path) -> None:
    line = failed("cancel", "-", option, tmp_path, stdin=b"")

    assert line == f"cannot read {str(tmp_path)!r}: Is a directory"


def test_file_that_must_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.jsonl"
    path.write_bytes(LOG)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")

    assert failed("replay", path) == f"cannot read {str(path)!r}: Permission denied"


@pytest.mark.parametrize("command", ["replay", "check"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_log_in_which_nothing_is_an_event(command: str, options: tuple[str, ...]) -> None:
    assert failed(command, "-", *options, stdin=b"hello\nworld\n") == (
        "cannot read standard input: nothing in it is a ChatKit event "
        "(line 1: JSON is malformed: invalid character (byte 0): hello); "
        "tried server-sent events, JSON lines, JSON arrays and objects, HAR, CSV, "
        "events inside of other JSON, and lines with a prefix"
    )


def test_a_log_in_which_nothing_is_an_event_behind_stored_items(tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    path.write_text(json.dumps([*STORED, STORED[0]]))

    assert "line 1: JSON is malformed" in failed("replay", "-", "--stored", path, stdin=b"rubbish")
    assert "line 1: JSON is malformed" in failed("check", "-", "--stored", path, stdin=b"rubbish")
    assert run("replay", "-", "--stored", path, stdin=b"").exit_code == 0


def test_an_event_that_changes_nothing_is_one() -> None:
    notice = {"thread": "thr_1", "event": {"type": "notice", "level": "info", "message": "m"}}
    log = b"rubbish\n" + json.dumps(notice).encode()

    assert len(replayed("-", stdin=log)[0]["anomalies"]) == 1


@pytest.mark.parametrize(
    "compress", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"]
)
def test_compressed_logs(compress: Any, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(compress(LOG))

    assert replayed(path) == replayed("-", stdin=LOG)
    assert replayed("-", stdin=path.read_bytes()) == replayed("-", stdin=LOG)


def test_a_compressed_log_that_ends_too_early_is_shown_as_far_as_it_goes() -> None:
    random = os.urandom(60_000).hex()
    log = LOG + log_of(done(message("n", random)))
    torn = gzip.compress(log)[:40_000]

    (thread,) = replayed("-", stdin=torn)

    assert [each["id"] for each in thread["items"]] == ["m"]
    assert "the gzip data ends too early" in thread["anomalies"][-1]["problem"]
    assert "the gzip data ends too early" in run("replay", "-", stdin=torn).stdout


def test_a_compressed_log_of_which_nothing_can_be_had() -> None:
    assert "(line 1: the gzip data ends too early" in failed(
        "replay", "-", stdin=gzip.compress(LOG)[:11]
    )


def test_zstd_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    log = zstandard.ZstdCompressor().compress(LOG)

    line = failed("replay", "-", stdin=log)

    assert line.startswith("cannot read standard input: the log is compressed with zstd: ")
    assert "pip install 'chatkit-reducer[zstd]'" in line


def test_a_torn_last_line() -> None:
    (thread,) = replayed("-", stdin=LOG[:-20])

    assert thread["items"][0]["content"][0]["text"] == "Once upon"
    assert thread["pending"] == ["m"]
    assert [each["kind"] for each in thread["anomalies"]] == ["unreadable"]


def test_server_sent_events() -> None:
    sse = b"".join(b"data: %b\n\n" % line for line in LOG.splitlines())

    assert replayed("-", stdin=sse) == replayed("-", stdin=LOG)
