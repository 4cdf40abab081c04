"""What all commands share: usage, endings, terminals, and the document about them."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from chatkit_reducer import __version__, encode
from chatkit_reducer.cli import progress
from chatkit_reducer.cli.program import COMMANDS
from chatkit_reducer.testing.examples import added, done, message, text_delta
from tests.support import cli
from tests.support.cli import LOG, failed, log_of, run, spawn
from tests.support.paths import ROOT

replayed = partial(cli.printed, "replay")


# --- wrong usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "missing command (see 'chatkit-reducer --help')"),
        (
            ["frob"],
            (
                f"no such command 'frob': there is {', '.join(sorted(COMMANDS))} "
                "(see 'chatkit-reducer --help')"
            ),
        ),
        (
            ["repaly", "log"],
            "no such command 'repaly': did you mean 'replay'? (see 'chatkit-reducer --help')",
        ),
        (
            ["completion"],
            (
                "missing argument 'bash|fish|zsh'. Choose from: bash, fish, zsh "
                "(see 'chatkit-reducer completion --help')"
            ),
        ),
        (["--frob"], "no such option '--frob' (see 'chatkit-reducer --help')"),
        (["replay"], "missing argument 'LOG...' (see 'chatkit-reducer replay --help')"),
        (["check"], "missing argument 'LOG...' (see 'chatkit-reducer check --help')"),
        (["cancel"], "missing argument 'LOG' (see 'chatkit-reducer cancel --help')"),
        (
            ["cancel", *"abc"],
            "too many arguments: expected 1 argument, got 3 (see 'chatkit-reducer cancel --help')",
        ),
        (
            ["policy", *["keep"] * 1000],
            (
                "too many arguments: expected 1 argument, got 1000 "
                "(see 'chatkit-reducer policy --help')"
            ),
        ),
        (
            ["replay", "-", "-"],
            (
                "give '-' once: standard input can be read only once "
                "(see 'chatkit-reducer replay --help')"
            ),
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
    assert result.stdout == f"chatkit-reducer {__version__}\n"


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
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
        (
            RecursionError,
            2,
            "chatkit-reducer: cannot read standard input: the data is nested too deeply\n",
        ),
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

    monkeypatch.setattr("chatkit_reducer.cli.inputs._file_of", lambda name: Broken())

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
    "arguments", [["replay", "nowhere"], ["cancel", "."], ["frob"], ["check", "--frob"], []]
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
    monkeypatch.setattr(progress, "_SLOW", -1)
    with progress.ReadingBar(1000) as bar:
        bar.advance(100)
        assert bar._bar is not None
        bar.advance(1000)

    assert capsys.readouterr().out == ""


def test_no_bar_for_what_is_quick_or_of_unknown_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "isatty", lambda file: True)
    with progress.ReadingBar(1000) as bar:
        bar.advance(1000)
    monkeypatch.setattr(progress, "_SLOW", -1)
    with progress.ReadingBar(None) as bar:
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
        "import sys, chatkit_reducer, chatkit_reducer.cli, chatkit_reducer.analysis.comparison\n"
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
