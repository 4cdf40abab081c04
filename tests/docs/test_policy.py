"""The tables in the documents are those of the presets."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from chatkit_reducer.cli.program import program
from chatkit_reducer.cli.render.policy import policy_markdown
from chatkit_reducer.core.policy import store_rows
from chatkit_reducer.policies import PRESETS
from tests.support.paths import ROOT

COPY = re.compile(r"<!-- policy: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
COPIES = [
    pytest.param(document, *found, id=f"{document}: {found[0]}")
    for document in ("README.md", "docs/policy.md")
    for found in COPY.findall((ROOT / document).read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("document", "name", "copy"), COPIES)
def test_a_table_in_a_document_is_that_of_the_preset(document: str, name: str, copy: str) -> None:
    assert copy.strip() == policy_markdown(PRESETS[name]).strip(), (
        f"{document}: put the output of `chatkit-reducer policy {name} --markdown` there"
    )


def test_every_preset_is_in_the_document() -> None:
    assert {param.values[1] for param in COPIES} == set(PRESETS)


def test_the_rows_above_every_policy_are_in_the_document() -> None:
    text = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- store rows -->\n")
    table, _, _ = rest.partition("<!-- end -->")
    rows = [line.strip("|").split("|") for line in table.strip().splitlines()[2:]]
    shown = [[cell.strip().strip("`") for cell in (row[0], row[2], row[3])] for row in rows]
    assert shown == [
        [name, row.decision, row.reason]
        for row in store_rows.STORE_ROWS
        for name in store_rows.__all__
        if getattr(store_rows, name) is row
    ]


def test_the_chart_in_the_readme_is_what_sweep_draws() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("<!-- sweep -->\n```console\n$ chatkit-reducer ")
    shown, _, _ = rest.partition("\n```\n<!-- end -->")
    command, _, chart = shown.partition("\n")
    arguments = [str(ROOT / word) if word.startswith("docs/") else word for word in command.split()]

    result = CliRunner(env={"COLUMNS": "72"}).invoke(program, arguments)

    assert "\n".join(line.rstrip() for line in result.stdout.strip().splitlines()) == chart
