"""Whatever is on the command line and in the files: a status, at most one line, no traceback."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chatkit_reducer import encode
from chatkit_reducer.cli.errors import internal_error
from chatkit_reducer.cli.program import COMMANDS, program
from chatkit_reducer.events import EVENT_TYPES, UPDATE_TYPES, Event
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import added, done, message, text_delta
from tests.support import cli
from tests.support.cli import run
from tests.support.paths import ROOT

RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))
LOG = b"".join(
    encode(event) + b"\n"
    for event in (added(message("m", "")), text_delta("m", "a"), done(message("m", "a")))
)
spawn = partial(cli.spawn, input=LOG)
posix = pytest.mark.skipif(os.name != "posix", reason="this needs POSIX")


def check_end(result: Result, lines: int = 1) -> None:
    """A run has ended as each run must."""
    assert result.exit_code in (0, 1, 2), result.exception
    assert isinstance(result.exception, SystemExit | None)
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr
    assert result.stderr.count("\n") <= lines
    if result.exit_code == 2:
        assert result.stderr.startswith("chatkit-reducer: ")


# --- anything -------------------------------------------------------------------------------------

NAMES = [
    "log", "rubbish", "empty", "folder", "folder/log", "nowhere", "loop", "-", "", ".", "a\0b",
    "x" * 300, "log/x", "stored", "policy", "out/x.sse", "out/x.svg", "out", "--", "-h", "\udcff",
    "/dev/null", "\u202e", "sdk", "keep", "3", "-1", "1e9", "cancelled", "timed-out",
]  # fmt: skip
OPTIONS = [
    "--until", "--at", "--stored", "--policy", "--cause", "--svg", "--width", "-o", "--output",
    "--max-event-bytes", "--max-expansion", "--strict", "--stopped", "--json", "--markdown",
    "--help", "--version", "--frob", "--until=3", "--stored=stored", "--policy=policy", "--at=2",
]  # fmt: skip
ARGUMENTS = st.lists(st.sampled_from(NAMES) | st.sampled_from(OPTIONS) | st.text(max_size=5))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of each kind; we are in it."""
    (tmp_path / "folder" / ".hidden").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for name, data in {
        "log": LOG,
        "folder/log": gzip.compress(LOG),
        "rubbish": b"rubbish\n\x00\xff",
        "empty": b"",
        "stored": json.dumps([message("m", "a")]).encode(),
        "policy": b'name = "p"\nbase = "keep"\n',
    }.items():
        (tmp_path / name).write_bytes(data)
    if os.name == "posix":
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.chdir(tmp_path)
    return tmp_path


fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.usefixtures("workplace")
@fuzz
@given(st.sampled_from(list(COMMANDS)), ARGUMENTS)
@example("replay", ["a\0b"])
@example("sweep", ["log", "--svg", "a\0b"])
@example("compact", ["log", "-o", "loop"])
@example("policy", ["a\0b"])
@example("cancel", ["log", "--stored", "a\0b"])
@example("fleet", ["rubbish", "folder"])
def test_any_arguments(command: str, arguments: list[str]) -> None:
    several = command in ("replay", "check", "sweep", "compact", "fleet")

    check_end(run(command, *arguments, stdin=LOG), 1 + 2 * len(arguments) if several else 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "id", "item", "items", "item_id", "update", "thread", "event",
                             "content", "text", "annotations", "widget", "workflow", "tasks",
                             "children", "seq", "data", "thread_id", "content_index", "delta"]),
            inner | st.sampled_from([*EVENT_TYPES, *UPDATE_TYPES, "assistant_message", "workflow",
                                     "widget", "generated_image", "hidden_context_item"]),
            max_size=6,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A recording that something happened to."""
    data = draw(st.sampled_from(RECORDINGS)).read_bytes()[:4000]
    for _ in range(draw(st.integers(0, 4))):
        place, length = draw(st.integers(0, len(data))), draw(st.integers(0, 40))
        new = draw(st.binary(max_size=6) | st.sampled_from([b"\n", b"\x00", b'"', b"}", b"null"]))
        data = data[:place] + new + data[place + length :]
    return data


EVENTS = chatkit.adversarial_streams(max_events=10).map(
    lambda events: b"".join(encode(event) + b"\n" for event in events)
)
LINES = st.lists(JSON, max_size=6).map(
    lambda values: b"".join(json.dumps(value).encode() + b"\n" for value in values)
)
CONTENTS = st.binary(max_size=200) | damaged() | EVENTS | LINES | damaged().map(gzip.compress)
COLUMNS = st.sampled_from(["1", "20", "80", "200"])


@pytest.mark.usefixtures("workplace")
@fuzz
@given(
    st.sampled_from(["replay", "check", "cancel", "sweep", "compact"]),
    CONTENTS,
    st.booleans(),
    COLUMNS,
)
@example("replay", b'{"type":"thread.item.done","item":{"id":"\\ud83d","type":"x"}}\n', True, "80")
@example(
    "compact", b'{"type":"thread.item.done","item":{"id":"\\ud83d","type":"x"}}\n', False, "80"
)
def test_any_log(command: str, data: bytes, as_json: bool, columns: str) -> None:
    Path("any").write_bytes(data)
    arguments = [command, "any", *(["--json"] if as_json else [])]

    result = CliRunner(env={"COLUMNS": columns}).invoke(program, arguments)

    check_end(result)
    if as_json:
        for line in result.stdout_bytes.splitlines():
            json.loads(line)


@pytest.mark.usefixtures("workplace")
@fuzz
@given(
    st.sampled_from(["replay", "check", "cancel", "sweep", "compact"]),
    JSON.map(json.dumps).map(str.encode) | st.binary(max_size=50),
)
def test_any_stored_items(command: str, stored: bytes) -> None:
    Path("any").write_bytes(stored)

    check_end(run(command, "log", "--stored", "any"))


@pytest.mark.usefixtures("workplace")
@fuzz
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ['name = "x"', "name = 3", 'base = "keep"', "[[rows]]", 'item = "widget"', "[marker]",
             'decision = "persist"', 'decision = "x"', 'reason = "r"', 'reason = ""', "content = 1",
             'content = "partial"', 'cause = "failed"', "marker = false", 'causes = ["ended"]']
        )
    ).map("\n".join)
)  # fmt: skip
def test_any_policy(policy: str) -> None:
    Path("any").write_text(policy, encoding="utf-8", errors="surrogatepass")

    for arguments in (["policy", "any"], ["cancel", "log", "--policy", "any"]):
        check_end(run(*arguments))


# --- what has bitten ------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["policy", "/dev/zero"], "cannot read '/dev/zero': it has more than 1.0 MB"),
        (["cancel", "-", "--policy", "/dev/zero"], "cannot read '/dev/zero': it has more than"),
        (["replay", "-", "--stored", "/dev/zero"], "cannot read '/dev/zero': it has more than"),
    ],
)
def test_a_file_without_an_end(
    arguments: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_reducer.cli.stored._MOST_STORED", 1_000_000)

    result = run(*arguments, stdin=LOG)

    check_end(result)
    assert result.stderr.startswith(f"chatkit-reducer: {expected}")


@posix
@pytest.mark.parametrize("option", ["--policy", "--stored", "-o", "--svg", None])
def test_a_link_that_points_at_itself(option: str | None, workplace: Path) -> None:
    command = {"-o": "compact", "--svg": "sweep"}.get(option or "", "cancel")
    result = run(command, *(["loop"] if option is None else ["log", option, "loop"]))

    check_end(result)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "symbolic link" in result.stderr


def test_a_file_that_vanishes(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(path: Path) -> bool:
        path.unlink()
        return True

    monkeypatch.setattr("chatkit_reducer.cli.folders.Folder._is_log", lambda _, path: vanish(path))

    result = run("check", "folder", "log")

    assert (result.exit_code, result.stdout) == (2, "no findings in 1 log, 3 events\n")
    assert "cannot read 'folder/log': No such file or directory" in result.stderr


@posix
def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); sys.argv[1:] = ['sweep', '-']\n"
    code += "from chatkit_reducer.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=here, input=LOG, capture_output=True, env=env, check=False
    )

    assert (result.returncode, result.stderr) == (0, b"")


@posix
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&-", ">/dev/full", "<&-"])
@pytest.mark.parametrize(
    "arguments",
    ["replay -", "replay nowhere", "check - --json", "--version", "--help", "check --help", "frob"],
)
def test_streams_that_cannot_be_used(redirection: str, arguments: str) -> None:
    command = f'"{sys.executable}" -m chatkit_reducer {arguments} {redirection}'
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    result = subprocess.run(
        ["sh", "-c", command], input=LOG, capture_output=True, env=env, check=False
    )

    assert result.returncode in (0, 2)
    assert result.stderr.count(b"\n") <= 1
    assert b"Traceback" not in result.stderr


@posix
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["check", "--help"], ["policy"]])
def test_nobody_reads_the_output(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        result = spawn(*arguments, stdout=output)

    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("arguments", [["sweep", "-"], ["replay", "-"], ["--help"], ["policy"]])
def test_a_terminal_without_utf_8(arguments: list[str], encoding: str) -> None:
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}

    result = spawn(*arguments, env=env, input=LOG.replace(b'"a"', '"\u202eé👍"'.encode()))

    assert (result.returncode, result.stderr) == (0, b"")


@posix
def test_a_file_name_that_is_not_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/log\xff"
    Path(os.fsdecode(path)).write_bytes(LOG)

    for command in ("replay", "check", "sweep", "compact"):
        result = spawn(command, os.fsdecode(path), "-", "--json")
        files = [json.loads(line)["file"] for line in result.stdout.splitlines()]
        assert result.returncode == 0
        assert set(files) <= {rf"{tmp_path}/log\xff", "-"}
    assert b"==> " in spawn("replay", os.fsdecode(path), "-").stdout


def test_an_error_that_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise KeyError("x\ny")

    monkeypatch.setattr("chatkit_reducer.cli.commands.policy.find_policy", broken)

    result = run("policy", "keep")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("chatkit-reducer: internal error at test_edges.py:")
    assert result.stderr.count("\n") == 1
    assert "KeyError" in internal_error(KeyError("x")).message


def test_very_many_arguments() -> None:
    line = run("cancel", *[f"log-{number}.sse" for number in range(5000)]).stderr

    assert len(line) < 120
    assert "expected 1 argument, got 5000" in line


@fuzz
@given(st.lists(chatkit.adversarial_streams(max_events=6), min_size=2, max_size=3))
def test_several_logs_say_what_each_says_alone(workplace: Path, logs: list[list[Event]]) -> None:
    names = [str(workplace / f"{number}.jsonl") for number in range(len(logs))]
    for name, events in zip(names, logs, strict=True):
        Path(name).write_bytes(b"".join(encode(event) + b"\n" for event in events))
    for command in ("replay", "check", "sweep"):
        lines = [json.loads(line) for line in _json(command, *names)]
        alone = [
            {"file": name, **json.loads(line)} for name in names for line in _json(command, name)
        ]
        assert lines == alone


def _json(command: str, *names: str) -> list[bytes]:
    return run(command, *names, "--json").stdout_bytes.splitlines()
