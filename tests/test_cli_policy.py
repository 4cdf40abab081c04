"""`chatkit-reducer policy`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatkit_reducer import policies
from chatkit_reducer.cli.program import program
from chatkit_reducer.policy_files import policy_to_toml

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
HOSTILE = "[red]x[/red] | `y` <b> \x1b[31m\x9b2J\r\u202e\nz"


def run(*arguments: str | Path, columns: int = 80) -> Result:
    """Run `policy` in this process."""
    env = {"COLUMNS": str(columns), "NO_COLOR": None, "FORCE_COLOR": None}
    return CliRunner().invoke(program, ["policy", *[str(each) for each in arguments]], env=env)


def shown(*arguments: str | Path, columns: int = 80) -> str:
    """What people see."""
    result = run(*arguments, columns=columns)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def failed(*arguments: str | Path) -> str:
    """The one line with which a run fails."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("chatkit-reducer: ").removesuffix("\n")


def toml_file(folder: Path, text: str) -> Path:
    """A file with this text."""
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_preset() -> None:
    assert (
        shown("keep", columns=100)
        == f"""\
keep
All that people saw survives, sealed: nothing in it still claims to run.

item  origin  content   cause  decision  reason
{"─" * 100}
*     *       complete  *      persist   It was done; only whether the store got it is in doubt.
*     *       partial   *      persist   People saw it, and should find it again after a reload.
*     *       empty     *      discard   There was nothing to see yet; a stored copy is better than
                                         an empty one.

Noted for the model when the stream was cancelled, as sdk_hidden_context: “The user cancelled the
stream. Stop responding to the prior request.”
"""
    )


def test_all_presets() -> None:
    output = shown(columns=100)

    places = [output.index(f"{name}\n{each.about}") for name, each in policies.PRESETS.items()]
    assert places == sorted(places)
    for policy in policies.PRESETS.values():
        for row in policy.rows:
            assert row.reason in re.sub(r"\s+", " ", shown(policy.name))


@pytest.mark.parametrize("name", policies.PRESETS)
@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_nothing_is_wider_than_the_terminal(name: str, columns: int) -> None:
    lines = shown(name, columns=columns).splitlines()

    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("name", policies.PRESETS)
def test_a_file_is_shown_as_the_preset_it_says(name: str, tmp_path: Path) -> None:
    path = toml_file(tmp_path, policy_to_toml(policies.PRESETS[name]))

    assert shown(path) == shown(name)
    assert shown(path, "--json") == shown(name, "--json")


def test_json() -> None:
    (line,) = [json.loads(each) for each in shown("drop", "--json").splitlines()]

    assert [line["name"], line["about"]] == ["drop", policies.DROP.about]
    assert line["rows"][1] == {
        "item": "*",
        "origin": "new",
        "content": "*",
        "cause": "*",
        "decision": "discard",
        "reason": "An answer that was not finished is no answer.",
    }
    assert line["marker"]["causes"] == ["cancelled"]
    assert [json.loads(each)["name"] for each in shown("--json").splitlines()] == [
        "sdk",
        "keep",
        "drop",
    ]


def test_markdown() -> None:
    assert shown("drop", "--markdown") == (
        "**drop**: Nothing unfinished survives: the thread is as if the items in flight had never "
        "begun.\n"
        "\n"
        "| item | origin | content | cause | decision | reason |\n"
        "|---|---|---|---|---|---|\n"
        "| `*` | `*` | `complete` | `*` | `persist` | It was done; only whether the store got it is"
        " in doubt. |\n"
        "| `*` | `new` | `*` | `*` | `discard` | An answer that was not finished is no answer. |\n"
        "| `*` | `base` | `*` | `*` | `discard` | The stored copy is the last one that was "
        "finished. |\n"
        "\n"
        "Noted for the model when the stream was cancelled, as sdk\\_hidden\\_context: “The user "
        "cancelled the stream. Stop responding to the prior request.”\n"
    )
    parts = [shown(name, "--markdown") for name in policies.PRESETS]
    assert shown("--markdown") == "\n".join(parts)


def test_text_of_a_file_is_no_markup(tmp_path: Path) -> None:
    text = json.dumps(HOSTILE)
    path = toml_file(
        tmp_path,
        f'name = {text}\nabout = {text}\nbase = "keep"\n[[rows]]\nitem = {text}\n'
        f'decision = "stale"\nreason = {text}\n[marker]\ncontent = {text}\n',
    )

    people, markdown = shown(path), shown(path, "--markdown")

    assert UNSAFE.search(people) is None
    assert UNSAFE.search(markdown) is None
    row = next(line for line in markdown.splitlines() if "`stale`" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert "<b>" not in markdown.replace("\\<", "")
    assert json.loads(shown(path, "--json"))["name"] == HOSTILE


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("marker = false", "Nothing is noted for the model."),
        ("[marker]\ncontent = 'a'\ncauses = []", "A marker of type sdk_hidden_context is never"),
        (
            "[marker]\nitem = 'hidden_context_item'\ncauses = ['crashed', 'ended', 'failed']",
            "stream ended with items left behind, failed or crashed, as hidden_context_item: ",
        ),
    ],
)
def test_markers(marker: str, expected: str, tmp_path: Path) -> None:
    path = toml_file(tmp_path, f"name = 'x'\nbase = 'keep'\n{marker}\n")

    assert expected in shown(path, columns=200)


def test_all_faults_of_a_file_are_on_one_line(tmp_path: Path) -> None:
    path = toml_file(
        tmp_path, 'name = 3\nfoo = 1\n[[rows]]\ndecision = "keep"\nreason = "\\u001b[31m"\n'
    )

    line = failed(path)

    assert line.startswith(f"{str(path)!r} is no policy: ")
    assert "policy.rows[0].decision; " in line
    assert "foo" in line
    assert "policy.name" in line
    assert UNSAFE.search(line) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = ", "is no policy: this is no TOML: "),
        (b"\xff", "is no policy: this is no TOML: it is not UTF-8"),
        (b'name = "x"\n', "is no policy: policy 'x': no row decides for "),
    ],
)
def test_files_that_are_no_policy(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(content)

    assert expected in failed(path)


def test_failures() -> None:
    assert failed("nowhere") == "'nowhere' is neither a preset (sdk, keep, drop) nor a file"
    assert failed(".") == "cannot read '.': Is a directory"
    assert failed("\0").startswith("cannot read ")
    assert failed("keep", "--markdown", "--json").startswith("give --markdown or --json, not both")
