"""`chatkit-reducer policy`."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from chatkit_reducer import policies
from chatkit_reducer.core.policy.toml import to_toml
from tests.support import cli
from tests.support.cli import UNSAFE

run = partial(cli.run, "policy")
shown = partial(cli.shown, "policy")
failed = partial(cli.failed, "policy")

HOSTILE = "[red]x[/red] | `y` <b> \x1b[31m\x9b2J\r\u202e\nz"


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
    path = toml_file(tmp_path, to_toml(policies.PRESETS[name]))

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

    assert line.startswith(f"{str(path)!r} is not a policy file: ")
    assert "policy.rows[0].decision; " in line
    assert "foo" in line
    assert "policy.name" in line
    assert UNSAFE.search(line) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = ", "is not a policy file: not valid TOML: "),
        (b"\xff", "is not a policy file: not valid UTF-8"),
        (b'name = "x"\n', "is not a policy file: policy 'x': no row decides for "),
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


def test_a_policy_that_looks_at_ids(tmp_path: Path) -> None:
    path = toml_file(
        tmp_path,
        'name = "p"\nbase = "keep"\n[[rows]]\nid = "elapsed_*"\ndecision = "discard"\n'
        'reason = "It is for the moment."\n',
    )
    assert "item  id         origin  content   cause" in shown(path, columns=100)
    assert "*     elapsed_*  *       *         *" in shown(path, columns=100)
    markdown = run(path, "--markdown").stdout
    assert "| item | id | origin | content | cause | decision | reason |" in markdown
    assert "| `*` | `elapsed_*` | `*` | `*` | `*` | `discard` | It is for the moment. |" in markdown
    rows = json.loads(run(path, "--json").stdout)["rows"]
    assert [row["id"] for row in rows] == ["elapsed_*", "*", "*", "*"]
    assert list(rows[0]) == ["item", "id", "origin", "content", "cause", "decision", "reason"]


def test_where_no_row_looks_at_an_id_it_is_not_shown() -> None:
    assert "id " not in shown("keep", columns=100).splitlines()[3]
    assert "id" not in json.loads(run("keep", "--json").stdout)["rows"][0]
