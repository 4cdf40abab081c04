"""What commands say of the pieces of a log that are not part of an event, and of its bounds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatkit_reducer import encode
from chatkit_reducer.cli.program import program
from chatkit_reducer.events import Event
from chatkit_reducer.logs import _compression as compression
from chatkit_reducer.testing.examples import added, done, message, text_delta

EVENTS: list[Event] = [added(message("m", "")), text_delta("m", "Once"), done(message("m", "Once"))]
PLAIN = b"".join(encode(event) + b"\n" for event in EVENTS)
NOISY = b"".join(b"INFO started\nDEBUG " + encode(event) + b"\n" for event in EVENTS)
SAID = "3 pieces that are not part of an event were left out"
COMMANDS = [["replay"], ["check"], ["sweep"], ["cancel"], ["compact"]]


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    env = {"COLUMNS": "80", "NO_COLOR": None, "FORCE_COLOR": None}
    return CliRunner().invoke(program, [str(each) for each in arguments], input=stdin, env=env)


commands = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])


@commands
def test_people_read_how_much_was_left_out(command: list[str]) -> None:
    result = run(*command, "-", stdin=NOISY)
    assert result.output.endswith(f"{SAID}\n")
    assert result.stdout.endswith(f"\n\n{SAID}\n") is (command != ["compact"])
    assert "left out" not in run(*command, "-", stdin=PLAIN).output


def test_a_single_piece() -> None:
    result = run("replay", "-", stdin=b"INFO up\nDEBUG " + PLAIN)
    assert result.stdout.endswith("1 piece that is not part of an event was left out\n")


@commands
def test_machines_get_a_field_or_a_line_on_standard_error(command: list[str]) -> None:
    noisy, plain = (run(*command, "-", "--json", stdin=log) for log in (NOISY, PLAIN))
    if command[0] in ("check", "sweep"):
        assert noisy.stdout == plain.stdout
        assert noisy.stderr == f"chatkit-reducer: standard input: {SAID}\n"
    else:
        of_noisy, of_plain = json.loads(noisy.stdout), json.loads(plain.stdout)
        assert of_noisy.pop("left_out") == 3
        assert of_noisy | {"bytes": 0} == of_plain | {"bytes": 0}
        assert noisy.stderr == ""


def test_of_several_logs_each_is_told(tmp_path: Path) -> None:
    noisy, plain = tmp_path / "noisy", tmp_path / "plain"
    noisy.write_bytes(NOISY)
    plain.write_bytes(PLAIN)
    lines = run("replay", plain, noisy, "--json").stdout.splitlines()
    assert ["left_out" in json.loads(line) for line in lines] == [False, True]


def test_the_image_of_a_sweep_comes_without_a_word_on_standard_output(tmp_path: Path) -> None:
    result = run("sweep", "-", "--svg", tmp_path / "sweep.svg", stdin=NOISY)
    assert (result.stdout, SAID in result.stderr) == ("", True)


@commands
def test_a_compressed_log_expands_as_far_as_the_user_says(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "FREE", 0)
    log = gzip.compress(b"\n" * 50_000 + PLAIN)
    far, not_far = (
        run(*command, "-", "--max-expansion", most, stdin=log) for most in ("9999", "2")
    )
    assert far.exit_code == 0
    assert far.output != not_far.output


def test_the_message_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "FREE", 0)
    result = run("check", "-", "--max-expansion", "2", stdin=gzip.compress(PLAIN * 100))
    assert "--max-expansion" in result.stdout.replace("\n", "")
    assert "1 or more" in run("check", "-", "--max-expansion", "0", stdin=b"").stderr
