"""`chatkit-reducer replay`, and what all commands share: errors, input, output."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import CliRunner, Result

from chatkit_reducer import encode, fold
from chatkit_reducer.cli import reading, text
from chatkit_reducer.cli.items import VIEWS
from chatkit_reducer.cli.program import COMMANDS, program
from chatkit_reducer.codec import from_json
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

ROOT = Path(__file__).parent.parent
RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def run(*arguments: str | Path, stdin: bytes | None = None, columns: int = 80) -> Result:
    """Run the program in this process."""
    env = {"COLUMNS": str(columns), "NO_COLOR": None, "FORCE_COLOR": None}
    return CliRunner().invoke(program, [str(each) for each in arguments], input=stdin, env=env)


def log_of(*events: Event) -> bytes:
    """A log of JSON lines."""
    return b"".join(encode(event) + b"\n" for event in events)


def shown(*events: Event, columns: int = 80) -> str:
    """What people see of a thread, without its header."""
    result = run("replay", "-", stdin=log_of(*events), columns=columns)
    assert (result.exit_code, result.stderr) == (0, "")
    _, _, body = result.stdout.partition("─\n\n")
    return body.rstrip("\n")


def replayed(*arguments: str | Path, stdin: bytes | None = None) -> list[Json]:
    """The lines that `replay --json` prints."""
    result = run("replay", "--json", *arguments, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def failed(*arguments: str | Path, stdin: bytes | None = None, status: int = 2) -> str:
    """The one line on standard error with which a run fails, without the name of the program."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith("chatkit-reducer: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    return result.stderr.removeprefix("chatkit-reducer: ").removesuffix("\n")


def spawn(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "chatkit_reducer", *arguments]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    env |= options.pop("env", {})
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
    return subprocess.run(command, check=False, env=env, **options)


def thread_event(**fields: Any) -> Event:
    """`thread.created`."""
    thread = {"id": "thr_1", "created_at": "2025-01-01T00:00:00", "items": {"data": []}, **fields}
    return from_json({"type": "thread.created", "thread": thread})


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
  event 1  assistant_message.content_part.text_delta  m
           content_index -1 is negative
           → nothing changed
  line 3   unreadable
           JSON is malformed: object keys must be strings (byte 1): {]
           → it was skipped
""")


def test_of_very_many_anomalies_the_first_are_shown() -> None:
    log = log_of(done(message("m", "a"))) + b"rubbish\n" * 30

    output = run("replay", "-", stdin=log).stdout

    assert output.count("it was skipped") == 20
    assert output.endswith("  and 10 more: `chatkit-reducer check` shows them all\n")


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
        assert "␛" in result.stdout
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

LOG = log_of(
    thread_event(),
    added(message("m", "")),
    text_delta("m", "Once "),
    text_delta("m", "upon"),
    done(message("m", "Once upon a time")),
)


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


def test_until_is_said_in_the_header() -> None:
    output = run("replay", "-", "--until", "3", stdin=LOG).stdout

    assert "thr_1 · 1 item · 1 pending · the first 3 events of the log\n" in output


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


@pytest.mark.parametrize("command", ["replay", "check"])
def test_directory(command: str, tmp_path: Path) -> None:
    assert failed(command, tmp_path) == f"cannot read {str(tmp_path)!r}: Is a directory"


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
        "(line 1: JSON is malformed: invalid character (byte 0): hello)"
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


# --- wrong usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "missing command (see 'chatkit-reducer --help')"),
        (["frob"], "no such command 'frob' (see 'chatkit-reducer --help')"),
        (["--frob"], "no such option '--frob' (see 'chatkit-reducer --help')"),
        (["replay"], "missing argument 'LOG' (see 'chatkit-reducer replay --help')"),
        (["check"], "missing argument 'LOG' (see 'chatkit-reducer check --help')"),
        (
            ["replay", "a", "b"],
            "got unexpected extra argument (b) (see 'chatkit-reducer replay --help')",
        ),
    ],
)
def test_wrong_usage(arguments: list[str], expected: str) -> None:
    found = failed(*arguments)

    assert re.sub(r"option: (\S+)", r"option '\1'", found) == expected  # older releases of click


@pytest.mark.parametrize("arguments", [["--until"], ["--frob"], ["--json=x"]])
def test_wrong_options_are_named(arguments: list[str]) -> None:
    line = failed("replay", "log", *arguments)

    assert arguments[0].partition("=")[0] in line
    assert line.endswith("(see 'chatkit-reducer replay --help')")


def test_version() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert re.fullmatch(r"chatkit-reducer \S.*\n", result.stdout)


@pytest.mark.parametrize("command", [[], *[[command.name or ""] for command in COMMANDS]])
def test_help_ends_with_examples(command: list[str]) -> None:
    result = run(*command, "--help")

    assert result.exit_code == 0
    _, _, examples = result.stdout.partition("\n  Examples:\n")
    assert all("chatkit-reducer" in line for line in examples.split("\n") if line)
    assert examples.count("\n") >= 3
    assert max(map(len, result.stdout.splitlines())) <= 80


# --- how a run ends -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["replay", "check"])
@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt, 130, ""),
        (RecursionError, 2, "chatkit-reducer: the data is nested too deeply\n"),
    ],
)
def test_what_ends_a_run(
    command: str,
    error: type[BaseException],
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise error

    monkeypatch.setattr(f"chatkit_reducer.cli.{command}.log_of", lambda name: Broken())

    result = run(command, "-")

    assert (result.exit_code, result.stdout, result.stderr) == (status, "", line)


def test_data_that_is_nested_absurdly() -> None:
    deep = b'{"type":"thread.item.done","item":{"id":"x","type":"t","a":%b}}\n'
    log = deep % (b"[" * 100_000 + b"]" * 100_000)

    assert "the JSON is nested too deeply" in failed("replay", "-", stdin=log)
    assert replayed("-", stdin=log + LOG)[0]["anomalies"] != []


def test_as_a_module() -> None:
    result = spawn("replay", "-", "--json", input=LOG)

    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout) == replayed("-", stdin=LOG)[0]


@pytest.mark.parametrize(
    "arguments", [["replay", "nowhere"], ["replay", "."], ["frob"], ["check", "--frob"], []]
)
def test_failures_are_one_line_and_no_traceback(arguments: list[str]) -> None:
    result = spawn(*arguments)

    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"chatkit-reducer: ")
    assert result.stderr.count(b"\n") == 1


def test_without_a_terminal_there_are_no_colours() -> None:
    assert b"\x1b" not in spawn("replay", "-", input=LOG).stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nobody_reads_the_output(options: list[str], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(log_of(*[done(message(f"m{n}", "x" * 500)) for n in range(1000)]))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        result = spawn("replay", str(path), *options, stdout=output)

    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_output_cannot_be_written(options: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        result = spawn("replay", "-", *options, input=LOG, stdout=full)

    assert result.returncode == 2
    assert result.stderr == b"chatkit-reducer: cannot write the output: No space left on device\n"


@pytest.mark.skipif(os.name != "posix", reason="this needs a shell")
@pytest.mark.parametrize(
    ("redirection", "line"),
    [
        ("<&-", b"cannot read standard input: it is closed"),
        (">&-", b"cannot write the output: standard output is closed"),
    ],
)
def test_closed_streams(redirection: str, line: bytes) -> None:
    command = f'"{sys.executable}" -m chatkit_reducer replay - {redirection}'
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        ["sh", "-c", command], input=LOG, capture_output=True, env=env, check=False
    )

    assert result.returncode == 2
    assert result.stderr == b"chatkit-reducer: " + line + b"\n"


def test_an_encoding_that_lacks_characters() -> None:
    log = log_of(added(message("m", "naïve 👍")))

    result = spawn("replay", "-", input=log, env={"PYTHONIOENCODING": "ascii"})

    assert (result.returncode, result.stderr) == (0, b"")
    assert b"na?ve ?" in result.stdout


# --- a terminal -----------------------------------------------------------------------------------


def _on_terminal(arguments: list[str], env: dict[str, str]) -> tuple[bytes, bytes]:
    """Standard output and standard error of a run, each on a terminal of its own."""
    import pty

    (out, out_end), (error, error_end) = pty.openpty(), pty.openpty()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm-256color", **env}
    env = {name: value for name, value in env.items() if value}
    command = [sys.executable, "-m", "chatkit_reducer", *arguments]
    process = subprocess.Popen(command, stdout=out_end, stderr=error_end, env=env)
    os.close(out_end)
    os.close(error_end)
    texts = _read_all(out), _read_all(error)
    process.wait(60)
    return texts


def _read_all(file: int) -> bytes:
    pieces = []
    while True:
        try:
            piece = os.read(file, 65536)
        except OSError:  # Linux says so at the end
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(file)
    return b"".join(pieces)


@pytest.mark.skipif(os.name != "posix", reason="this needs a pseudo-terminal")
def test_colours_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LOG)

    coloured, quiet = _on_terminal(["replay", str(path)], {"NO_COLOR": ""})
    plain, _ = _on_terminal(["replay", str(path)], {"NO_COLOR": "1"})

    assert b"\x1b[1;32massistant\x1b[0m" in coloured
    assert b"32m" not in plain
    assert quiet == b""


@pytest.mark.skipif(os.name != "posix", reason="this needs a pseudo-terminal")
def test_a_long_log_has_a_progress_bar(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    delta = encode(text_delta("m", "x")) + b"\n"
    path.write_bytes(log_of(added(message("m", ""))) + delta * (6_000_000 // len(delta)))

    out, error = _on_terminal(["replay", "--json", str(path)], {})

    assert b"reading" in error
    assert b"6.0" in error
    assert json.loads(out)["pending"] == ["m"]


def test_a_bar_comes_for_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "isatty", lambda file: True)
    monkeypatch.setattr(reading, "_SLOW", -1)
    with reading.ReadingBar(1000) as bar:
        bar.advance(100)
        assert bar._bar is not None
        bar.advance(1000)

    assert capsys.readouterr().out == ""


def test_no_bar_for_what_is_quick_or_of_unknown_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "isatty", lambda file: True)
    with reading.ReadingBar(1000) as bar:
        bar.advance(1000)
    monkeypatch.setattr(reading, "_SLOW", -1)
    with reading.ReadingBar(None) as bar:
        bar.advance(1000)

    assert capsys.readouterr().err == ""


# --- the libraries --------------------------------------------------------------------------------


def _python(code: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_the_libraries_of_the_command_line(module: str) -> None:
    result = _python(
        f"import sys; sys.modules[{module!r}] = None; sys.argv = ['x', 'replay', {str(ROOT)!r}]\n"
        "from chatkit_reducer.cli import main; main()"
    )

    expected = (
        "chatkit-reducer: the command line needs click and rich: "
        "pip install 'chatkit-reducer[cli]'\n"
    )
    assert result.returncode == 2
    assert result.stderr == expected


def test_the_library_imports_neither_click_nor_rich() -> None:
    result = _python(
        "import sys, chatkit_reducer, chatkit_reducer.cli, chatkit_reducer.comparison\n"
        "print([name for name in ('click', 'rich') if name in sys.modules])"
    )

    assert result.stdout == "[]\n"


# --- the document ---------------------------------------------------------------------------------

EXAMPLES = re.findall(
    r"```console\n\$ chatkit-reducer ([^\n]*)\n(.*?)```",
    (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize(("command", "expected"), EXAMPLES, ids=[each[0] for each in EXAMPLES])
def test_examples_of_the_document(
    command: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    result = run(*command.split())

    assert result.stdout + result.stderr == expected
