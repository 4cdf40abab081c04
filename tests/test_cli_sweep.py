"""`chatkit-reducer sweep`: figures, charts in a terminal, and charts as SVG."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatkit_reducer import encode, fold, policies, settle
from chatkit_reducer.cli.program import program
from chatkit_reducer.codec import to_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.items.base import Seen
from chatkit_reducer.logs import read
from chatkit_reducer.testing.examples import (
    added,
    done,
    image,
    image_updated,
    message,
    task,
    task_added,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)

RECORDINGS = sorted((Path(__file__).parent.parent / "docs" / "recordings").glob("*.sse"))
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
HOSTILE = '[red]x[/red]"<&>\x1b[31m\x9b2J\r\u202e\ufffe'


def run(*arguments: str | Path, stdin: bytes | None = None, columns: int = 80) -> Result:
    """Run `sweep` in this process."""
    env = {"COLUMNS": str(columns), "NO_COLOR": None, "FORCE_COLOR": None}
    command = ["sweep", *[str(each) for each in arguments]]
    return CliRunner().invoke(program, command, input=stdin, env=env)


def log_of(*events: Event) -> bytes:
    """A log of JSON lines."""
    return b"".join(encode(event) + b"\n" for event in events)


def swept(*arguments: str | Path, stdin: bytes | None = None) -> list[Json]:
    """The lines that `--json` prints."""
    result = run("--json", *arguments, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def shown(*arguments: str | Path, stdin: bytes | None = None, columns: int = 80) -> str:
    """What people see."""
    result = run(*arguments, stdin=stdin, columns=columns)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def failed(*arguments: str | Path, stdin: bytes | None = None) -> str:
    """The one line with which a run fails."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("chatkit-reducer: ").removesuffix("\n")


LOG = log_of(
    done(user_message("u", "hi")),
    added(workflow("w")),
    task_added("w", task("Plan"), 0),
    done(workflow("w", "Plan")),
    added(message("m", "")),
    *[text_delta("m", "word ") for _ in range(8)],
)
EVERYTHING = LOG + log_of(
    added(widget("f", {"type": "Text", "id": "t", "value": ""})),
    value_delta("f", "t", "abc"),
    added(image("i")),
    image_updated("i", "u"),
)
OLD = [message("old", "before")]
CONTINUED = log_of(text_delta("old", " and"), text_delta("old", " after"), added(message("n", "x")))


# --- for people -----------------------------------------------------------------------------------


def test_what_people_see() -> None:
    assert (
        shown("-", "--policy", "sdk", "--policy", "drop", stdin=LOG, columns=60)
        == f"""\
thr_1 · cancelled after any of 13 events
{"─" * 60}

██ kept   ▒▒ stale   ░░ lost   characters in flight

sdk
     40 │                                                ███
        │                                            ███████
        │                                         ██████████
        │                                 ██████████████████
        │                              █████████████████████
        │                          █████████████████████████
        │                      █████████████████████████████
      0 └───────────────────────────────────────────────────
  tasks │           ░░░░

drop
     40 │                                                ░░░
        │                                            ░░░░░░░
        │                                         ░░░░░░░░░░
        │                                 ░░░░░░░░░░░░░░░░░░
        │                              ░░░░░░░░░░░░░░░░░░░░░
        │                          ░░░░░░░░░░░░░░░░░░░░░░░░░
        │                      ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
      0 └───────────────────────────────────────────────────
  tasks │           ░░░░
         0                                         13 events

            mean     stops      stops
           share      with       with     worst
policy      lost      loss      stale      stop  lost there
sdk          11%         1          0         3  1 task
drop        100%         9          0        13  40
                                                 characters
"""
    )


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 300])
@pytest.mark.parametrize("log", [LOG, EVERYTHING, b""], ids=["text", "everything", "nothing"])
def test_nothing_is_wider_than_the_terminal(columns: int, log: bytes) -> None:
    lines = shown("-", stdin=log, columns=columns).splitlines()

    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line != line.rstrip()] == []


def test_every_kind_has_a_lane() -> None:
    output = shown("-", "--policy", "keep", stdin=EVERYTHING)

    for kind in ("tasks", "widgets", "images"):
        (line,) = [line for line in output.splitlines() if line.strip().startswith(kind)]
        assert "█" in line
    assert "43 │" in output


def test_a_thread_without_text_has_lanes_alone() -> None:
    log = log_of(added(workflow("w")), task_added("w", task("Plan"), 0))

    output = shown("-", "--policy", "sdk", stdin=log, columns=40)

    assert "sdk\n  tasks │                     ░░░░░░░░░░\n        └────" in output
    assert "lost   items in\nflight\n" in output


def test_stale_is_between_kept_and_lost(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps(OLD))
    log = CONTINUED + log_of(text_delta("n", "y" * 16))

    output = shown("-", "--stored", stored, "--policy", "sdk", stdin=log, columns=40)

    column = [line[-1] for line in output.splitlines() if "│" in line and len(line) == 40]
    assert "".join(column) == "▒▒▒████"
    assert "sdk" in output.splitlines()[-1]


def test_more_events_than_columns() -> None:
    log = log_of(added(message("m", "")), *[text_delta("m", "x") for _ in range(999)])

    lines = shown("-", "--policy", "keep", stdin=log, columns=60).splitlines()

    bars = [line.count("█") for line in lines if "│" in line]
    assert bars == sorted(bars)
    assert bars[-1] in (52, 53)
    assert len(bars) == 7


def test_nothing_to_lose() -> None:
    assert shown("-", stdin=log_of(done(message("m", "a")))).endswith(
        "\n\nAt no stop is there anything to lose.\n"
    )


def test_an_encoding_that_lacks_blocks() -> None:
    env = {"COLUMNS": "60", "NO_COLOR": None, "FORCE_COLOR": None}
    runner = CliRunner(charset="ascii")

    result = runner.invoke(program, ["sweep", "-", "--policy", "sdk"], input=LOG, env=env)

    assert result.exit_code == 0
    assert "## kept   ++ stale   .. lost" in result.stdout
    assert "0 +-----" in result.stdout
    assert "  tasks |           ...." in result.stdout


def test_neither_markup_nor_escape_sequences_are_obeyed(tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(f'name = {json.dumps(HOSTILE)}\nbase = "keep"\n')
    log = log_of(added({**message(HOSTILE, HOSTILE), "thread_id": HOSTILE}))

    output = shown("-", "--policy", policy, stdin=log)

    assert UNSAFE.search(output) is None
    assert "[red]x[/red]" in output


def test_threads_have_a_chart_each() -> None:
    events: list[tuple[str, Event]] = [
        ("a", added(message("a", "x"))),
        ("b", added(message("b", "y"))),
        ("a", text_delta("a", "z")),
    ]
    log = b"".join(
        json.dumps({"thread": thread, "event": to_json(event)}).encode() + b"\n"
        for thread, event in events
    )

    assert [(line["thread"], line["at"]) for line in swept("-", stdin=log)] == [
        ("a", 0),
        ("a", 1),
        ("a", 3),
        ("b", 1),
        ("b", 2),
    ]
    assert shown("-", stdin=log).count("policy") == 2


# --- for machines ---------------------------------------------------------------------------------


def seen(characters: int = 0, tasks: int = 0) -> dict[str, int]:
    """How much there is."""
    return {"characters": characters, "tasks": tasks, "widgets": 0, "images": 0}


def test_json() -> None:
    lines = swept("-", "--policy", "sdk", stdin=LOG)

    assert [line["at"] for line in lines] == list(range(14))
    assert lines[3] == {
        "thread": "thr_1",
        "at": 3,
        "seen": seen(tasks=1),
        "policies": {"sdk": {"kept": seen(), "lost": seen(tasks=1), "stale": seen()}},
    }
    assert lines[-1]["policies"]["sdk"] == {"kept": seen(40), "lost": seen(), "stale": seen()}
    assert list(swept("-", stdin=LOG)[0]["policies"]) == ["sdk", "keep", "drop"]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    events = list(read(path))
    lines = swept(path)
    count = len(events) if path.stem != "stopped-in-mid-event" else len(events) - 1
    assert [line["at"] for line in lines] == list(range(count + 1))
    for line in lines[:: max(1, count // 20)]:
        state = fold(events[: line["at"]])
        for name, policy in policies.PRESETS.items():
            lost = settle(state, policy=policy, cause="cancelled").discard
            total = sum((item.seen for item in lost), Seen())
            assert line["policies"][name]["lost"]["characters"] == total.characters
    assert shown(path) != ""


def test_an_empty_log() -> None:
    (line,) = swept("-", stdin=b"")

    assert (line["thread"], line["at"], line["seen"]) == (None, 0, seen())


# --- as SVG ---------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def drawn(path: Path, *arguments: str | Path, stdin: bytes) -> ET.Element:
    """The image that a run writes."""
    result = run("-", "--svg", path, *arguments, stdin=stdin)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    root = ET.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    return root


def texts(root: ET.Element) -> list[str]:
    """All texts in the image."""
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    "log", [EVERYTHING, LOG, CONTINUED, b"", log_of(added(workflow("w", "a")))]
)
def test_svg_is_well_formed_and_stands_alone(log: bytes, tmp_path: Path) -> None:
    root = drawn(tmp_path / "x.svg", stdin=log)

    plain = (tmp_path / "x.svg").read_text(encoding="utf-8")
    assert "script" not in plain
    assert "href" not in plain
    assert plain.count("http") == 1
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for element in root.iter():
        for name in ("x", "x1", "x2"):
            assert 0 <= float(element.get(name, 0)) <= width
        for name in ("y", "y1", "y2"):
            assert 0 <= float(element.get(name, 0)) <= height
    assert {"sdk", "keep", "drop"} <= set(texts(root))


def test_svg_says_what_it_shows(tmp_path: Path) -> None:
    root = drawn(tmp_path / "x.svg", "--cause", "timed-out", stdin=EVERYTHING)

    assert root.findtext(f"{SVG}title") == "What survives if standard input stops here"
    assert "Policy sdk: " in (root.findtext(f"{SVG}desc") or "")
    words = texts(root)
    assert any("if the stream timed out after this many events" in text for text in words)
    assert {"characters", "tasks", "widgets", "images", "50", "25", "0", "16"} <= set(words)
    assert "0% lost on average" in words
    styles = {element.get("class") for element in root.iter(f"{SVG}path")}
    fills = {element.get("fill") for element in root.iter(f"{SVG}path")}
    assert "kept" in styles
    assert "url(#hatched)" in fills


def test_svg_escapes_what_it_is_given(tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(f'name = {json.dumps(HOSTILE)}\nbase = "keep"\n')
    events = [
        {**message(name, HOSTILE), "thread_id": name} for name in (HOSTILE, f"other {HOSTILE}")
    ]

    root = drawn(tmp_path / "x.svg", "--policy", policy, stdin=log_of(*map(added, events)))

    assert len([text for text in texts(root) if "<&>" in text]) == 2


def test_svg_of_very_many_threads_shows_the_first(tmp_path: Path) -> None:
    events = [added({**message(f"m{n}", "x"), "thread_id": f"thr_{n}"}) for n in range(20)]

    root = drawn(tmp_path / "x.svg", stdin=log_of(*events))

    words = texts(root)
    assert any("The first 8 of 20 threads." in text for text in words)
    assert "sdk · thr_7" in words
    assert "sdk · thr_8" not in words


def test_svg_and_json(tmp_path: Path) -> None:
    assert swept("-", "--svg", tmp_path / "x.svg", stdin=LOG) == swept("-", stdin=LOG)
    assert (tmp_path / "x.svg").exists()


# --- options and what fails -----------------------------------------------------------------------


def test_what_was_stored(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps({"items": OLD, "thread": "thr_7"}))

    lines = swept("-", "--stored", stored, stdin=CONTINUED)

    assert {line["thread"] for line in lines} == {"thr_7"}
    assert lines[2]["policies"]["sdk"]["stale"] == seen(len("before and after"))
    assert lines[0]["seen"] == seen()


def test_cause_and_policies_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nbase = "keep"\n[[rows]]\ncause = "timed_out"\ncontent = "partial"\n'
        'decision = "stale"\nreason = "Who knows."\n'
    )

    for cause, fate in (("cancelled", "kept"), ("timed-out", "stale")):
        (*_, last) = swept("-", "--policy", path, "--cause", cause, stdin=LOG)
        assert last["policies"]["mine"][fate] == seen(40)


def test_max_event_bytes() -> None:
    log = log_of(added(message("a", "x" * 1000)), added(message("b", "y")))

    assert swept("-", "--max-event-bytes", "500", stdin=log)[-1]["seen"] == seen(1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.sse"], "cannot read 'nowhere.sse': No such file or directory"),
        (["-"], "cannot read standard input: nothing in it is a ChatKit event (line 1: "),
        (["-", "--stored", "nowhere"], "cannot read 'nowhere': No such file or directory"),
        (["-", "--policy", "kep"], "'kep' is neither a preset (sdk, keep, drop) nor a file"),
        (["-", "--policy", "sdk", "--policy", "sdk"], "2 of the policies have the name 'sdk'"),
        (["-", "--cause", "bored"], "invalid value for '--cause': give one of ended, "),
        ([], "missing argument 'LOG'"),
    ],
)
def test_failures(arguments: list[str], expected: str) -> None:
    assert failed(*arguments, stdin=b"rubbish\n").startswith(expected)


def test_the_image_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "x.svg"

    line = failed("-", "--svg", path, stdin=LOG)

    assert line == f"cannot write {str(path)!r}: No such file or directory"
