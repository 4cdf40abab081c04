"""`completion`: the script of each shell, and the words that it offers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatkit_reducer.cli.commands.completion import SHELLS
from chatkit_reducer.cli.program import COMMANDS, program
from chatkit_reducer.policies import PRESETS

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
    assert offered("sweep", "--policy", "ke") == [("file", "ke"), ("plain", "keep")]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["cancel", "a.sse", "--cause", "time"], ("plain", "timed_out")),
        (["cancel", "a.sse", "--at", "3", "--st"], ("plain", "--stored")),
        (["replay", "a.sse", "--stored", "it"], ("file", "it")),
        (["view", "a.sse", "-o", "pa"], ("file", "pa")),
        (["fleet", "lo"], ("file", "lo")),
        (["fleet", "logs", "--cause", "cr"], ("plain", "crashed")),
        (["policy", "mi"], ("file", "mi")),
        (["completion", "zsh", "--h"], ("plain", "--help")),
    ],
)
def test_words_behind_an_argument_are_offered(words: list[str], first: tuple[str, str]) -> None:
    assert offered(*words)[:1] == [first]


SHELL_TESTS = {
    "fish": """
        chatkit-reducer completion fish | source
        complete -C "chatkit-reducer pol"
        complete -C "chatkit-reducer replay a.sse --max-ev"
        complete -C "chatkit-reducer replay ~/a"
        complete -C "chatkit-reducer sweep a.sse --policy "
        complete -C "chatkit-reducer cancel a.sse --cause=f"
    """,
    # It stands for the widget of zsh: the function runs outside of a line that is edited.
    "zsh": """
        compdef() { }; _path_files() { print a.sse }
        _describe() { print -l -- $completions_with_descriptions }
        compset() { [[ ${words[CURRENT]} == ${~2}* ]] && IPREFIX=${(M)words[CURRENT]#${~2}} }
        compadd() { print -l -- $3$^completions }
        eval "$(chatkit-reducer completion zsh)"
        for line in "pol" "replay a.sse --max-ev" "replay ~/a" "sweep a.sse --policy " \\
            "cancel a.sse --cause=f"; do
            IPREFIX=""; words=(chatkit-reducer "${(@s: :)line}"); CURRENT=$#words
            _chatkit_reducer_completion
        done
    """,
}
OFFERED = [
    "policy",
    "Show the tables that decide what survives.",
    "--max-event-bytes",
    "Skip an event that is larger; 67,108,864 if left out.",
    "a.sse",
    "keep",
    "--cause=failed",
]


@pytest.mark.parametrize("shell", SHELL_TESTS)
def test_the_shell_offers_the_words(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"this machine has no {shell}")
    command = tmp_path / "chatkit-reducer"
    root = Path(__file__).parents[3]
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        "sys.argv[0] = 'chatkit-reducer'\nfrom chatkit_reducer.cli import main\nmain()\n"
    )
    command.chmod(0o755)
    (tmp_path / "a.sse").touch()
    done = subprocess.run(
        [shell, "-c", SHELL_TESTS[shell]],
        env={**os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    for words in OFFERED:
        assert words in done.stdout
    for preset in PRESETS:
        assert preset in done.stdout.split()


def test_another_shell_is_refused_in_one_line() -> None:
    result = CliRunner().invoke(program, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "bash" in result.stderr
