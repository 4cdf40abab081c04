"""`completion`: the script of each shell, and the words that it offers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from chatkit_reducer.cli.commands.completion import SHELLS
from chatkit_reducer.cli.program import COMMANDS, program

VARIABLE = "_CHATKIT_REDUCER_COMPLETE"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_the_program(shell: str) -> None:
    result = CliRunner().invoke(program, ["completion", shell])
    assert result.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in result.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_can_read_the_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"this machine has no {shell}")
    script = CliRunner().invoke(program, ["completion", shell]).stdout
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


def offered(*words: str) -> list[tuple[str, str]]:
    """The words that the program offers for the last one: their kind, and the word."""
    environment = {
        **os.environ,
        VARIABLE: "bash_complete",
        "COMP_WORDS": " ".join(["chatkit-reducer", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "from chatkit_reducer.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv[0] = 'chatkit-reducer'; {code}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = [line.partition(",") for line in done.stdout.splitlines()]
    return [(kind, word) for kind, _, word in pairs]


def test_commands_options_files_and_causes_are_offered() -> None:
    wanted = [name for name in sorted(COMMANDS) if name.startswith("c")]
    assert offered("c") == [("plain", name) for name in wanted]
    assert ("plain", "--policy") in offered("sweep", "--po")
    assert offered("replay", "sess") == [("file", "sess")]
    assert offered("cancel", "--cause", "time") == [("plain", "timed_out")]


def test_another_shell_is_refused_in_one_line() -> None:
    result = CliRunner().invoke(program, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "bash" in result.stderr
