"""`chatkit-reducer fleet`: the answer about many logs, as text, JSON, rows and page."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chatkit_reducer.cli.program import program
from chatkit_reducer.events import Event
from chatkit_reducer.fleet import FileFold, RowMaker, row_schema
from chatkit_reducer.fleet import _pyarrow as lazily
from chatkit_reducer.logs import Record, write
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    task,
    task_added,
    text_delta,
    user_message,
    workflow,
)
from tests.support import cli
from tests.support.fleets import numbered, write_logs

run = partial(cli.run, "fleet")
shown = partial(cli.shown, "fleet")
failed = partial(cli.failed, "fleet")

ONE = ("--processes", "1")
HOSTILE = '<script>alert(1)</script>"&\x1b[31m\u202e'
ANSWER: list[Event] = [
    done(user_message("u", "hi")),
    added(message("m", "")),
    text_delta("m", "Once "),
    text_delta("m", "upon"),
]
FLOW: list[Event] = [added(workflow("w")), task_added("w", task("Plan"), 0)]
DONE: list[Event] = [*ANSWER, done(message("m", "Once upon"))]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with three threads in two files."""
    folder = tmp_path / "some logs"
    folder.mkdir()
    records = numbered({"a": ANSWER, "b": FLOW, "c": DONE})
    write_logs(folder, {"1.jsonl": records[::2], "2.jsonl": records[1::2]})
    return folder


def totals(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json", *ONE)
    assert (result.exit_code, result.stderr) == (0, "")
    (found,) = cli.lines_of(result)
    return found


# --- the totals ----------------------------------------------------------------------------------


def test_the_totals_are_by_policy_cause_and_type(logs: Path) -> None:
    found = totals(logs, "--policy", "sdk", "--policy", "drop", "--cause", "crashed")

    assert (found["threads"], found["events"], found["files"]) == (3, 11, 2)
    assert found["endings"] == {"ended": 1, "open": 2}
    sdk, drop = found["outcomes"]
    assert (sdk["policy"], sdk["cause"], sdk["losing_threads"]) == ("sdk", "crashed", 1)
    assert sdk["types"]["workflow"]["lost"]["tasks"] == 1
    assert drop["losing_threads"] == 2
    assert drop["all"]["lost"]["characters"] == 9
    assert "stops" not in drop


def test_stops_at_each_event_are_counted_if_they_are_asked_for(logs: Path) -> None:
    (keep,) = totals(logs, "--policy", "keep", "--stops", "all")["outcomes"]

    assert keep["stops"]["losing"] == 0 < keep["stops"]["at_stake"] < keep["stops"]["stops"]


def test_the_text_shows_the_figures_and_the_worst_threads(logs: Path) -> None:
    text = shown(logs, "--policy", "sdk", "--policy", "keep", "--stops", "all", *ONE)

    assert text.startswith("3 threads · 11 events · 5 items · 2 files\n")
    assert "2 left open, 1 ended" in text
    assert re.search(r"sdk +cancelled +1 +0 +1 +1 +░+█+ +1 task", text)
    assert re.search(r"keep +workflow +1 +0 +0 +░+ +nothing", text)
    assert re.search(r"keep +cancelled +\d+ +0% +0%", text)
    assert "sdk: b, 1 task" in text
    assert [line for line in text.splitlines() if line.endswith(" ")] == []


def test_the_text_names_the_command_that_shows_the_faults(logs: Path) -> None:
    assert "in the data" not in shown(logs, *ONE)
    with (logs / "2.jsonl").open("ab") as log:
        log.write(b"not an event\n")

    text = " ".join(shown(logs, *ONE).split())

    assert "1 fault in the data: chatkit-reducer check of the same logs shows where." in text
    assert "not an event" in cli.run("check", *map(str, sorted(logs.iterdir()))).stdout


def test_the_command_of_a_thread_shows_it(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (worst,) = totals("some logs", "--policy", "sdk", "--cause", "crashed")["worst"]
    _, *words = worst["command"]

    assert (worst["thread"], worst["lost"]) == ("b", "1 task")
    assert words[1].startswith("some logs")
    assert words[-2:] == ["--cause", "crashed"]
    result = cli.run(*words, "-o", "page.html", "--no-open")
    assert result.exit_code == 0
    assert "Plan" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_names_that_look_like_options_are_shown_as_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_logs(tmp_path, {"-x.jsonl": numbered({"--help": FLOW})})
    (worst,) = totals("./-x.jsonl", "--policy", "drop")["worst"]

    assert cli.run(*worst["command"][1:], "-o", "page.html", "--no-open").exit_code == 0


def test_where_nothing_is_in_flight_nothing_is_at_stake(tmp_path: Path) -> None:
    (path,) = write_logs(tmp_path, {"log": numbered({"c": DONE})})

    assert "nothing is at stake: all items are done" in shown(path, *ONE)
    assert "worst" not in shown(path, *ONE)


def test_a_table_fits_a_narrow_terminal(logs: Path) -> None:
    result = run(logs, *ONE, columns=60)

    assert max(map(len, re.sub(r"(?m)^  .*$", "", result.stdout).splitlines())) <= 60


def test_policies_are_the_presets_if_none_is_given(logs: Path) -> None:
    assert [one["policy"] for one in totals(logs)["outcomes"]] == ["sdk", "keep", "drop"]


# --- rows and page -------------------------------------------------------------------------------


def test_rows_are_written_as_parquet_and_as_json_lines(logs: Path, tmp_path: Path) -> None:
    for name in ("rows.parquet", "rows.jsonl"):
        shown(logs, "-o", tmp_path / name, "--items", *ONE)
    table = pq.read_table(tmp_path / "rows.parquet")
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    maker = RowMaker.of(["sdk", "keep", "drop"], ["cancelled"], items=True)
    fold = FileFold(sorted(logs.iterdir()), maker, processes=1)

    assert table.schema.equals(row_schema())
    assert [json.loads(line) for line in lines] == [row for part in fold.rows() for row in part]
    rows = table.to_pylist()
    assert sorted(row["thread"] for row in rows) == ["a", "b", "c"]
    assert all(row["contents"] for row in rows)


def test_an_empty_answer_is_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"")
    shown(tmp_path / "log.jsonl", "-o", tmp_path / "rows.parquet", *ONE)

    assert pq.read_table(tmp_path / "rows.parquet").num_rows == 0


def test_hashed_ids_are_nowhere_in_the_output(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"secret")
    where = tmp_path / "rows.jsonl"
    options = ("--policy", "drop", "--hash-ids", "--items", "-o", where, *ONE)
    text = shown(logs, *options, "--key", tmp_path / "key")
    first = where.read_bytes()

    assert b"some logs" not in first
    assert b"Once" not in first
    assert "chatkit-reducer view" not in text
    shown(logs, *options, "--key", tmp_path / "key")
    assert where.read_bytes() == first
    shown(logs, *options)
    assert where.read_bytes() != first


def test_the_page_needs_nothing_and_obeys_nothing(tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE.replace("/", "-").replace("\x1b", "")
    folder.mkdir()
    write_logs(folder, {"log": numbered({HOSTILE: [*ANSWER, *FLOW]})})
    shown(folder, "--page", tmp_path / "page.html", "--stops", "all", *ONE)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    assert "default-src 'none'; style-src 'sha256-" in page
    assert "<script" not in page
    assert " style=" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search("[\x1b\u202e]", page)
    for words in re.findall(r"<code><bdi>(.*?)</bdi></code>", page):
        assert words.startswith("chatkit-reducer view ")


def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    write_logs(tmp_path, {"log": numbered({HOSTILE: FLOW})})
    result = run(tmp_path, *ONE)

    assert not cli.UNSAFE.search(result.stdout + result.stderr)


# --- wrong input ---------------------------------------------------------------------------------


def test_a_broken_file_is_told_and_the_others_count(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("nothing\n")
    result = run(logs, tmp_path / "notes", tmp_path / "missing", "--json", *ONE)
    (found,) = cli.lines_of(result)

    assert result.exit_code == 2
    assert (found["threads"], found["files"], found["broken_files"]) == (3, 2, 2)
    told = result.stderr.splitlines()
    assert re.search(r"cannot read '.*missing': No such file or directory", told[0])
    assert re.search(r"cannot read '.*notes': nothing in it is a ChatKit event", told[1])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all files")
def test_a_file_without_permission_is_told(logs: Path) -> None:
    (logs / "1.jsonl").chmod(0)
    result = run(logs, *ONE)

    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


def test_only_broken_files_are_no_answer(tmp_path: Path) -> None:
    assert "No such file" in failed(tmp_path / "missing", "--json", *ONE)


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    assert "no file in this folder has a ChatKit event" in failed(tmp_path, *ONE)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-"], "expected files or folders, got '-'"),
        (["x", "-o", "rows.csv"], "give a name that ends with .parquet or .jsonl"),
        (["x", "--policy", "nope"], "'nope' is neither a preset"),
        (["x", "--policy", "keep", "--policy", "keep"], "got 'keep' twice"),
        (["x", "--cause", "nope"], "give one of ended, cancelled"),
        (["x", "--processes", "0"], "give a number of processes, 1 or more"),
        (["x", "--key", "k"], "--key needs --hash-ids"),
        (["x", "--counts-only"], "--counts-only needs --items"),
        (["x", "--hash-ids", "--key", "missing"], "cannot read 'missing'"),
        (["x", "--stops", "some"], "'some' is not one of 'end', 'all'"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], told: str) -> None:
    assert told in failed(*arguments)


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").touch()

    assert "got an empty file" in failed("x", "--hash-ids", "--key", tmp_path / "key")


def test_without_pyarrow_the_error_says_how_to_install_it(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setitem(lazily.__dict__, "import_module", missing)

    assert "pip install 'chatkit-reducer[fleet]'" in failed(
        logs, "-o", tmp_path / "rows.parquet", *ONE
    )
    assert not (tmp_path / "rows.parquet").exists()
    assert "3 threads" in shown(logs, "-o", tmp_path / "rows.jsonl", *ONE)


def test_too_little_memory_is_one_line(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(self: RowMaker, *arguments: Any, **options: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(RowMaker, "row", too_large)

    assert failed(logs, *ONE) == "there is too little memory: use fewer processes (--processes 1)"


def test_a_full_disk_is_one_line(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatkit_reducer.fleet.spills._SUFFIX", "/x")

    assert "expected room for the events" in failed(logs, *ONE)


@pytest.mark.usefixtures("sigint")
def test_an_interrupt_ends_all_processes_and_leaves_nothing(tmp_path: Path) -> None:
    with _begun(tmp_path) as process:
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=30)

    assert (process.returncode, told) == (130, b"")
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "rows.jsonl").exists()
    assert _are_gone(process.pid)


def test_processes_end_when_the_program_is_killed(tmp_path: Path) -> None:
    with _begun(tmp_path) as process:
        process.kill()
        process.communicate(timeout=30)

    assert _are_gone(process.pid)


@contextmanager
def _begun(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program with two processes, in the middle of its work."""
    logs, temporary = tmp_path / "logs", tmp_path / "tmp"
    logs.mkdir()
    temporary.mkdir()
    records = [
        Record(event, f"{number}", seq) for number in range(3000) for seq, event in enumerate(DONE)
    ]
    for name in "abcd":
        write(logs / name, records)
    command = [sys.executable, "-m", "chatkit_reducer", "fleet", str(logs), "--stops", "all"]
    command += ["--processes", "2", "-o", str(tmp_path / "rows.jsonl")]
    env = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    with process:
        while not list(temporary.glob("fleet-*/*")):
            assert process.poll() is None
            time.sleep(0.01)
        yield process


def _are_gone(group: int) -> bool:
    """Whether all processes of a group end soon: one that Python starts notices it a bit later."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_help_shows_the_examples() -> None:
    assert "fleet logs/ --policy sdk" in cli.run("fleet", "--help").stdout
    assert "fleet" in program.list_commands(None)  # type: ignore[arg-type]


def test_the_command_line_can_be_copied_from_the_text(logs: Path) -> None:
    text = shown(logs, "--policy", "sdk", *ONE, columns=400)
    (line,) = [line for line in text.splitlines() if "chatkit-reducer view" in line]

    assert shlex.split(line)[0:2] == ["chatkit-reducer", "view"]
    assert shlex.split(line)[2].startswith(str(logs))
