"""`chatkit-reducer sweep`: figures, charts in a terminal, and charts as SVG."""

from __future__ import annotations

import io
import json
import re
import shlex
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.theme import Theme

from chatkit_reducer import Cause, fold, policies, settle
from chatkit_reducer.analysis import sweep
from chatkit_reducer.analysis.sweep_summary import SweepResult, share_text
from chatkit_reducer.cli.program import program
from chatkit_reducer.cli.render.charts import show_sweep
from chatkit_reducer.cli.render.styles import terminal_styles
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.events import Event
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
from tests.support import cli
from tests.support.cli import UNSAFE, log_of
from tests.support.paths import ROOT

run = partial(cli.run, "sweep")
swept = partial(cli.printed, "sweep")
shown = partial(cli.shown, "sweep")
failed = partial(cli.failed, "sweep")

RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))
HOSTILE = '[red]x[/red]"<&>\x1b[31m\x9b2J\r\u202e\ufffe'


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

░░ kept   ██ lost   ▲ worst stop   characters in flight

   workflow │       ├──────
  assistant │                 ├─────────────────────────────

sdk  11% lost on average, worst after event 3
         40 │                                            ░░░
            │                                     ░░░░░░░░░░
            │                                  ░░░░░░░░░░░░░
            │                           ░░░░░░░░░░░░░░░░░░░░
            │                     ░░░░░░░░░░░░░░░░░░░░░░░░░░
          0 └───────────▲───────────────────────────────────
      tasks │           ███

drop  100% lost on average, worst after event 13
         40 │                                            ███
            │                                     ██████████
            │                                  █████████████
            │                           ████████████████████
            │                     ██████████████████████████
          0 └─────────────────────────────────────────────▲─
      tasks │           ███
             0                 5                   13 events

sdk: 11% lost on average, worst after event 3 (1 task)
drop: 100% lost on average, worst after event 13 (40
characters)

to see the worst stop:
  chatkit-reducer cancel - --at 3 --policy sdk
  chatkit-reducer cancel - --at 13 --policy drop
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
        assert "░" in line
    assert "43 │" in output


def test_a_thread_without_text_has_lanes_alone() -> None:
    log = log_of(added(workflow("w")), task_added("w", task("Plan"), 0))

    output = shown("-", "--policy", "sdk", stdin=log, columns=40)

    assert (
        "\n     tasks │                   █████████\n           └───────────────────────▲────"
        in output
    )
    assert "██ lost   ▲ worst stop   items in flight" in " ".join(output.splitlines())


def test_stale_is_between_kept_and_lost(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps(OLD))
    log = CONTINUED + log_of(text_delta("n", "y" * 16))

    output = shown("-", "--stored", stored, "--policy", "sdk", stdin=log, columns=40)

    column = [line[-1] for line in output.splitlines() if "│" in line and len(line) == 40]
    assert "".join(column) == "─▒▒░░░"
    assert "sdk stale at 4 stops, nothing lost, worst after event 2" in " ".join(output.split())


def test_more_events_than_columns() -> None:
    log = log_of(added(message("m", "")), *[text_delta("m", "x") for _ in range(999)])

    lines = shown("-", "--policy", "keep", stdin=log, columns=60).splitlines()

    lane, *bars = [line for line in lines if "│" in line]
    assert lane.endswith("│├" + "─" * 46)
    widths = [bar.count("░") for bar in bars]
    assert widths == sorted(widths)
    assert widths[-1] == 47
    assert len(bars) == 5


def test_nothing_to_lose() -> None:
    assert shown("-", stdin=log_of(done(message("m", "a")))).endswith(
        "\n\nAt no stop is there anything to lose.\n"
    )


def test_an_encoding_that_lacks_blocks() -> None:
    env = {"COLUMNS": "60", "NO_COLOR": None, "FORCE_COLOR": None}
    runner = CliRunner(charset="ascii")

    result = runner.invoke(program, ["sweep", "-", "--policy", "sdk"], input=LOG, env=env)

    assert result.exit_code == 0
    assert ".. kept   ## lost   ^ worst stop" in result.stdout
    assert "0 +-----------^" in result.stdout
    assert "  tasks |           ###" in result.stdout
    assert "  workflow |       +------\n" in result.stdout


def test_lanes_show_which_items_are_in_flight() -> None:
    log = log_of(
        added(message("a", "x")),
        done(message("a", "x")),
        added(message("b", "x")),
        done(message("b", "x")),
        added({"id": "p", "type": "poll", "thread_id": "thr_1"}),
    )

    output = shown("-", "--policy", "sdk", stdin=log, columns=40)

    assert "\n  assistant │     ├───     ├───\n       poll │                       ├───\n" in output


def test_of_very_many_types_the_first_have_lanes() -> None:
    kinds = [f"kind_{number}" for number in range(9)]
    log = log_of(*[added({"id": kind, "type": kind, "thread_id": "thr_1"}) for kind in kinds])

    output = shown("-", "--policy", "sdk", stdin=LOG + log)

    assert "kind_3 │" in output
    assert "kind_4" not in output
    assert "\nand items of 5 more types\n" in output


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
    assert shown("-", stdin=log).count("policy  ") == 2


# --- colours and figures --------------------------------------------------------------------------


def coloured(log: bytes, *names: str, system: Literal["256", "standard"] = "256") -> str:
    """What a terminal with colours is sent."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, color_system=system, width=80)
    console.push_theme(Theme(terminal_styles(system)))
    tables = [policies.PRESETS[name] for name in names]
    stops = list(sweep(list(read(io.BytesIO(log))), tables, "cancelled"))
    show_sweep(console, SweepResult("thr_1", names, stops), Cause.CANCELLED)
    return output.getvalue()


@pytest.mark.parametrize(
    ("system", "kept", "lost"), [("256", "38;5;32", "38;5;166"), ("standard", "94", "31")]
)
def test_bars_have_the_colours_of_the_legend(
    system: Literal["256", "standard"], kept: str, lost: str
) -> None:
    output = coloured(EVERYTHING, "sdk", "drop", system=system)

    legend = next(line for line in output.splitlines() if " kept   " in line)
    assert f"\x1b[{kept}m░░\x1b[0m kept" in legend
    assert f"\x1b[{lost}m██\x1b[0m lost" in legend
    assert "\x1b[2;" not in output
    for line in output.splitlines():
        assert set(re.findall(r"\x1b\[([\d;]+)m░", line)) <= {kept}
        assert set(re.findall(r"\x1b\[([\d;]+)m█", line)) <= {lost}


def test_cells_of_one_fate_are_one_run() -> None:
    log = log_of(added(message("m", "")), *[text_delta("m", "x") for _ in range(999)])

    for line in coloured(log, "drop").splitlines():
        assert "█" not in line or line.count("\x1b[") <= 4


def test_only_fates_that_there_are_stand_in_the_legend() -> None:
    kept = shown("-", "--policy", "keep", stdin=LOG).splitlines()[3]
    assert kept == "░░ kept   characters in flight"


def test_no_share_of_a_loss_stands_over_what_is_stale(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps(OLD))
    log = log_of(text_delta("old", " and"), text_delta("old", " after"))

    output = shown("-", "--stored", stored, "--policy", "sdk", stdin=log)

    assert "sdk  stale at 2 stops, nothing lost, worst after event 2\n" in output
    assert "lost on average" not in output


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_worst_stop_is_where_the_command_says(path: Path) -> None:
    """At no other stop is there more of the worst fate; and the command shows that much."""
    lines = swept(path)
    output = shown(path, columns=200)
    for name in policies.PRESETS:
        amounts = {
            fate: {line["at"]: list(line["policies"][name][fate].values()) for line in lines}
            for fate in ("lost", "stale")
        }
        there = [each for each in amounts.values() if any(map(any, each.values()))]
        found = re.search(rf"^{name}  .* worst after event (\d+)$", output, re.MULTILINE)
        assert (found is None) == (there == [])
        if found is not None:
            at = int(found[1])
            assert there[0][at] == max(there[0].values())
            command = f"cancel {shlex.quote(short(path))} --at {at} --policy {name}\n"
            assert f"\n  chatkit-reducer {command}" in output


def short(path: Path) -> str:
    """The path as commands say it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@pytest.mark.parametrize("columns", [30, 60, 79])
def test_figures_are_a_list_where_there_is_little_room(columns: int) -> None:
    output = shown("-", "--policy", "sdk", stdin=LOG, columns=columns)

    assert "sdk: 11% lost on average, worst after event 3 (1 task)" in " ".join(output.split())
    assert "mean share" not in output


def test_the_command_says_how_the_stream_ended_and_what_was_stored(tmp_path: Path) -> None:
    stored, log = tmp_path / "stored items.json", tmp_path / "-log"
    stored.write_text(json.dumps(OLD))
    log.write_bytes(CONTINUED)

    output = shown(log, "--cause", "failed", "--stored", stored, "--policy", "drop", columns=2_000)

    assert (
        f"chatkit-reducer cancel {log} --at 3 --policy drop --cause failed --stored '{stored}'\n"
    ) in output


def test_the_last_command_shows_the_worst_stop(tmp_path: Path) -> None:
    stored, log = tmp_path / "stored.json", tmp_path / "log"
    stored.write_text(json.dumps(OLD))
    log.write_bytes(CONTINUED)
    options = ["--policy", "keep", "--policy", "drop", "--cause", "failed", "--stored", str(stored)]

    *_, last = shown(log, *options, columns=2_000).splitlines()

    assert last == f"see it: chatkit-reducer view {log} --at 3 {' '.join(options)}"


def test_where_nothing_is_lost_there_is_nothing_to_see(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LOG)

    assert "see it" not in shown(tmp_path / "log", "--policy", "keep")


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "0%"),
        (1e-9, "under 1%"),
        (0.004, "under 1%"),
        (0.006, "1%"),
        (0.5, "50%"),
        (0.999, "over 99%"),
        (1, "100%"),
    ],
)
def test_shares(share: float, expected: str) -> None:
    assert share_text(share) == expected


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
            total = sum((item.seen for item in lost), VisibleContent())
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
    assert {"tasks", "widgets", "images", "50", "0", "16"} <= set(words)
    assert "across: events before the stop; up: characters in flight" in words
    assert "all kept" in words
    styles = {element.get("class") for element in root.iter(f"{SVG}path")}
    fills = {element.get("fill") for element in root.iter(f"{SVG}path")}
    assert "kept" in styles
    assert "url(#hatched)" in fills


@pytest.mark.parametrize("width", [320, 480, 880, 1600])
@pytest.mark.parametrize("log", [EVERYTHING, b"", CONTINUED])
def test_svg_of_any_width(width: int, log: bytes, tmp_path: Path) -> None:
    root = drawn(tmp_path / "x.svg", "--width", str(width), stdin=log)

    assert root.attrib["width"] == str(width)
    height = float(root.attrib["height"])
    for element in root.iter():
        assert 0 <= float(element.get("x", 0)) <= width
        assert 0 <= float(element.get("y", 0)) <= height
        if element.tag == f"{SVG}rect" and element.get("class") != "page":
            assert float(element.get("x", 0)) + float(element.get("width", 0)) <= width
    commands = [text for text in texts(root) if text.startswith("chatkit-reducer")]
    assert bool(commands) == bool(log)


def test_svg_has_one_axis_for_all_policies_and_a_mark_at_each_worst_stop(tmp_path: Path) -> None:
    root = drawn(tmp_path / "x.svg", stdin=LOG)

    words = texts(root)
    assert [text for text in words if text.startswith("across: ")] != []
    assert words.count("0") == 3 + 1  # of each strip, and of the axis
    marks = [path for path in root.iter(f"{SVG}path") if path.get("class") == "mark"]
    assert len(marks) == 1 + 2  # in the legend; keep keeps all
    assert "stale: on the screen, not in the store" not in words
    assert "chatkit-reducer cancel - --at 3 --policy sdk" in words


def test_svg_has_a_line_for_each_item_in_flight(tmp_path: Path) -> None:
    root = drawn(tmp_path / "x.svg", "--policy", "sdk", stdin=LOG)

    lines = [line for line in root.iter(f"{SVG}line") if line.get("class") == "flight"]
    plot = 880 - 92 - 24
    stops = [[(float(line.attrib[x]) - 92) / plot * 14 for x in ("x1", "x2")] for line in lines]
    assert [[round(stop) for stop in ends] for ends in stops] == [[2, 4], [5, 14]]
    assert [text for text in texts(root) if text in ("workflow", "assistant")] == [
        "workflow",
        "assistant",
    ]


def test_svg_is_complete_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.svg"
    path.write_text("old")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    assert failed("-", "--svg", path, stdin=LOG).endswith("No space left on device")
    assert [each.name for each in tmp_path.iterdir()] == ["x.svg"]
    assert path.read_text() == "old"


def test_svg_escapes_what_it_is_given(tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(f'name = {json.dumps(HOSTILE)}\nbase = "keep"\n')
    events = [
        {**message(name, HOSTILE), "thread_id": name} for name in (HOSTILE, f"other {HOSTILE}")
    ]

    root = drawn(tmp_path / "x.svg", "--policy", policy, stdin=log_of(*map(added, events)))

    # Each thread has a heading with its id, and the policy of this name is drawn for each.
    assert len([text for text in texts(root) if "<&>" in text]) == 4


def test_svg_of_very_many_threads_shows_the_first(tmp_path: Path) -> None:
    events = [added({**message(f"m{n}", "x"), "thread_id": f"thr_{n}"}) for n in range(20)]

    root = drawn(tmp_path / "x.svg", stdin=log_of(*events))

    words = texts(root)
    assert any("The first 8 of 20 threads." in text for text in words)
    assert "thr_7" in words
    assert "thr_8" not in words


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
        ([], "missing argument 'LOG...'"),
    ],
)
def test_failures(arguments: list[str], expected: str) -> None:
    assert failed(*arguments, stdin=b"rubbish\n").startswith(expected)


def test_the_image_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "x.svg"

    line = failed("-", "--svg", path, stdin=LOG)

    assert line == f"cannot write {str(path)!r}: No such file or directory"
