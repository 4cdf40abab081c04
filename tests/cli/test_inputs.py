"""Several logs and folders: `replay`, `check`, `sweep` and `compact`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer.cli import progress
from chatkit_reducer.logs import read, replay
from chatkit_reducer.testing.examples import added, done, message, text_delta
from tests.support.cli import lines_of, log_of, run

SEVERAL = ["replay", "check", "sweep", "compact"]


SOUND = log_of(added(message("m", "")), text_delta("m", "Once"), done(message("m", "Once")))
FAULTY = log_of(added(message("m", "")), text_delta("m", "Once"), done(message("m", "One")))


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with logs, and with other things; we are in it."""
    for name, data in {
        "a.jsonl": SOUND,
        "b.log": FAULTY,
        "inner/deep/c": SOUND,
        "inner/.hidden.jsonl": FAULTY,
        ".git/d.jsonl": FAULTY,
        "README.md": b"# Logs\n",
        "package.json": b'{"type": "module"}\n',
        "picture.png": os.urandom(5000),
        "empty": b"",
    }.items():
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs"


# --- several files --------------------------------------------------------------------------------


@pytest.mark.usefixtures("logs")
def test_each_log_has_a_heading() -> None:
    output = run("replay", "logs/a.jsonl", "logs/b.log").stdout

    assert output.startswith("==> logs/a.jsonl <==\n\nuntitled thread\n")
    assert "\n\n==> logs/b.log <==\n\nuntitled thread\n" in output
    assert "<==" not in run("replay", "logs/a.jsonl").stdout


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize("command", ["replay", "check", "sweep"])
def test_json_says_the_file_where_there_are_several(command: str) -> None:
    both = lines_of(run(command, "logs/a.jsonl", "logs/b.log", "--json"))
    alone = lines_of(run(command, "logs/b.log", "--json"))

    assert [next(iter(line)) for line in both] == ["file"] * len(both)
    assert [line for line in both if line.pop("file") == "logs/b.log"] == alone
    assert all("file" not in line for line in alone)


@pytest.mark.usefixtures("logs")
def test_standard_input_is_one_of_several() -> None:
    result = run("check", "-", "logs/b.log", "--json", stdin=FAULTY)

    assert [line["file"] for line in lines_of(result)] == ["-", "logs/b.log"]
    assert "==> standard input <==" in run("check", "-", "logs/b.log", stdin=FAULTY).stdout


@pytest.mark.usefixtures("logs")
def test_check_shows_the_faulty_ones_and_counts_all() -> None:
    result = run("check", "logs/a.jsonl", "logs/b.log")

    assert result.exit_code == 1
    assert "a.jsonl" not in result.stdout
    assert result.stdout.startswith("==> logs/b.log <==\n\nafter event 3  thread.item.done  m\n")
    assert result.stdout.endswith(
        "\n1 finding in 3 events\n\nsee it: chatkit-reducer view logs/b.log --at 3\n\n"
        "1 finding in 1 of 2 logs, 6 events\n"
    )
    assert (
        run("check", "logs/a.jsonl", "logs/a.jsonl").stdout == "no findings in 2 logs, 6 events\n"
    )


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize("command", SEVERAL)
def test_one_that_cannot_be_read_is_one_line_and_the_others_are_done(command: str) -> None:
    Path("rubbish").write_bytes(b"rubbish\n")
    names = ["nowhere", "logs/a.jsonl", "rubbish", "logs/b.log"]

    result = run(command, *names, "--json")

    assert result.exit_code == 2
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        "cannot read 'nowhere'",
        "cannot read 'rubbish'",
    ]
    assert {line["file"] for line in lines_of(result)} >= {"logs/b.log"}
    assert {line["file"] for line in lines_of(result)} <= {"logs/a.jsonl", "logs/b.log"}


@pytest.mark.usefixtures("logs")
def test_strict_ends_one_log_and_not_the_others() -> None:
    log_with_a_fault = SOUND + b"{]\n"
    Path("faulty").write_bytes(log_with_a_fault)

    result = run("replay", "--strict", "faulty", "logs/a.jsonl", "--json")

    assert result.exit_code == 1
    assert result.stderr.startswith("chatkit-reducer: faulty: line 4: unreadable: ")
    assert [line["file"] for line in lines_of(result)] == ["logs/a.jsonl"]


def test_the_exit_status_is_the_worst(logs: Path) -> None:
    assert run("check", logs / "a.jsonl", logs / "a.jsonl").exit_code == 0
    assert run("check", logs / "a.jsonl", logs / "b.log").exit_code == 1
    assert run("check", logs / "b.log", "nowhere", logs / "b.log").exit_code == 2


def test_data_that_is_nested_too_deeply_does_not_end_the_others(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def log_of(name: str) -> str:
        if name == "deep":
            raise RecursionError
        return name

    monkeypatch.setattr("chatkit_reducer.cli.inputs._file_of", log_of)

    result = run("check", "deep", logs / "b.log", "--json")

    assert (result.exit_code, len(lines_of(result))) == (2, 1)
    assert result.stderr == "chatkit-reducer: cannot read 'deep': the data is nested too deeply\n"


# --- folders --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("logs")
def test_a_folder_stands_for_the_logs_below_it() -> None:
    result = run("replay", "logs", "--json")

    files = [line["file"] for line in lines_of(result)]
    assert files == ["logs/a.jsonl", "logs/b.log", "logs/inner/deep/c"]
    assert result.stderr == (
        "chatkit-reducer: logs: left out 4 without a ChatKit event "
        "(README.md, empty, package.json and 1 more), 2 hidden\n"
    )
    assert result.exit_code == 0


@pytest.mark.usefixtures("logs")
def test_a_folder_and_a_file() -> None:
    result = run("check", "logs/inner", "logs/b.log")

    assert result.stdout.endswith("\n1 finding in 1 of 2 logs, 6 events\n")
    assert result.stderr == "chatkit-reducer: logs/inner: left out 1 hidden\n"


@pytest.mark.parametrize("command", SEVERAL)
def test_a_folder_without_logs(command: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Logs\n")

    result = run(command, tmp_path, "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].removeprefix("chatkit-reducer: ") == (
        f"cannot read {str(tmp_path)!r}: no file in this folder has a ChatKit event"
    )


@pytest.mark.skipif(os.name != "posix", reason="this needs symbolic links and pipes")
def test_links_and_pipes_of_a_folder(logs: Path) -> None:
    (logs / "again").symlink_to(logs)
    (logs / "loop").symlink_to(logs / "loop")
    (logs / "gone").symlink_to(logs / "nowhere")
    (logs / "z").symlink_to(logs / "a.jsonl")
    os.mkfifo(logs / "pipe")

    result = run("replay", "logs", "--json")

    assert "logs/z" in [line["file"] for line in lines_of(result)]
    assert "4 not a file (again, gone, loop and 1 more)" in result.stderr


def test_a_file_of_a_folder_that_must_not_be_read(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (logs / "b.log").chmod(0)
    if os.access(logs / "b.log", os.R_OK):  # then ask the library to refuse it
        opened: Any = Path.open

        def refusing(path: Path, *arguments: str) -> object:
            if path.name == "b.log":
                raise PermissionError(13, "Permission denied")
            return opened(path, *arguments)

        monkeypatch.setattr(Path, "open", refusing)

    result = run("check", "logs")

    assert result.exit_code == 2
    assert "cannot read 'logs/b.log': Permission denied" in result.stderr
    assert result.stdout == "no findings in 2 logs, 6 events\n"


def test_an_update_as_an_event_makes_a_log_too(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b'{"type": "workflow.task.added", "item_id": "w"}\n')

    assert [line["kind"] for line in lines_of(run("check", tmp_path, "--json"))] == [
        "update_as_event"
    ]


# --- sweep and compact ----------------------------------------------------------------------------


@pytest.mark.usefixtures("logs")
def test_one_image_of_several_logs() -> None:
    result = run("sweep", "logs", "nowhere", "--svg", "x.svg")

    image = Path("x.svg").read_text(encoding="utf-8")
    assert result.exit_code == 2
    assert "What survives if any of 4 logs stops here" in image
    for name in ("logs/a.jsonl · thr_1", "logs/b.log · thr_1", "logs/inner/deep/c · thr_1"):
        assert name in image


@pytest.mark.usefixtures("logs")
def test_several_logs_are_compacted_into_a_folder() -> None:
    long = log_of(added(message("m", "")), *[text_delta("m", "x") for _ in range(9)])
    Path("logs/a.jsonl").write_bytes(long)

    result = run("compact", "logs", "logs/b.log", "-o", "short")

    assert (result.exit_code, result.stdout) == (2, "")  # b.log is there twice
    lines = [line.removeprefix("chatkit-reducer: ") for line in result.stderr.splitlines()]
    size = len(FAULTY)
    assert lines[1].startswith(f"logs/a.jsonl: 10 events in {len(long):,} bytes became 2 in ")
    assert lines[2] == f"logs/b.log: 3 events in {size} bytes became 3 in {size}"
    assert lines[3].startswith("logs/inner/deep/c: 3 events in ")
    assert lines[4:] == ["'logs/b.log' and 'logs/b.log' would both be 'short/b.log'"]
    written = {str(path) for path in Path("short").rglob("*") if path.is_file()}
    assert written == {"short/a.jsonl", "short/b.log", "short/inner/deep/c"}
    assert len(list(read("short/a.jsonl"))) == 2
    assert replay("short/a.jsonl") == replay("logs/a.jsonl")


@pytest.mark.usefixtures("logs")
def test_compacting_again_leaves_the_results_alone() -> None:
    for _ in range(2):
        result = run("compact", "logs", "-o", "logs/short", "--json")
        assert result.exit_code == 0
        assert len(lines_of(result)) == 3


@pytest.mark.usefixtures("logs")
def test_one_log_into_a_folder_that_is_there() -> None:
    Path("short").mkdir()

    run("compact", "logs/a.jsonl", "-o", "short")

    assert [path.name for path in Path("short").iterdir()] == ["a.jsonl"]


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["logs"], "several logs need a folder: give one with -o"),
        (["logs", "-o", "-"], "several logs need a folder: give one with -o"),
        (["-", "logs", "-o", "x"], "standard input has no name for a file in a folder"),
        (["logs", "-o", "logs/a.jsonl"], "cannot write into 'logs/a.jsonl': File exists"),
        (["logs", "-o", "a\0b"], "cannot write into 'a\\x00b': a file name cannot have a NUL"),
    ],
)
def test_where_several_cannot_be_written(arguments: list[str], expected: str) -> None:
    result = run("compact", *arguments, stdin=SOUND)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(f"chatkit-reducer: {expected}")


# --- one bar for all ------------------------------------------------------------------------------


def test_one_bar_over_all_bytes(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes: list[int | None] = []
    told: list[tuple[int, int]] = []

    class Bar:
        task_ids = (0,)

        def update(self, task: int, *, completed: int) -> None:
            told.append((len(sizes), completed))

        def stop(self) -> None:
            pass

    def new_bar(_: progress.ReadingBar, size: int) -> Bar:
        sizes.append(size)
        return Bar()

    monkeypatch.setattr(os, "isatty", lambda file: True)
    monkeypatch.setattr(progress, "_SLOW", -1)
    monkeypatch.setattr(progress.ReadingBar, "_new_bar", new_bar)

    run("check", "logs/a.jsonl", "logs/b.log", "logs/inner/deep/c")

    whole = sum((logs / name).stat().st_size for name in ("a.jsonl", "b.log", "inner/deep/c"))
    assert sizes == [whole] * 3
    assert told[-1] == (3, whole)
    assert [completed for _, completed in told] == sorted(completed for _, completed in told)
