"""Pages for the tests in a browser, and what a page has to show according to its data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatkit_reducer import ThreadState
from chatkit_reducer.events import Json
from chatkit_reducer.logs import read_records
from chatkit_reducer.view.page import Page
from chatkit_reducer.view.recording import Recording
from tests.support.paths import ROOT

RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))
STORED = 2
GONE = 3


def stored_before(log: Path) -> ThreadState | None:
    """The thread before a recording, if it is one of a thread that went on."""
    file = log.with_suffix(".before.json")
    if not file.exists():
        return None
    return ThreadState.from_items(json.loads(file.read_text(encoding="utf-8"))["items"])


def data_of(log: Path) -> Json:
    recording = Recording(stored_before(log))
    for record in read_records(log):
        recording.take_record(record)
    return recording.data(log.name)


def saved(data: Json, folder: Path) -> str:
    """Save a page; return its address."""
    file = folder / f"{data['log']}.html"
    Page(data).save(file)
    return file.as_uri()


# --- what a page has to show ----------------------------------------------------------------------

_LINK = re.compile(r"\]\([^()\s]*\)")


def version_at(item: Json, step: int) -> Any:
    """The version of an item at a step; None if the item is not there."""
    known = [version for version in item["v"] if version[0] <= step]
    return None if not known or known[-1][1] == GONE else known[-1]


def alive_at(block: Json, step: int) -> list[tuple[Json, Any]]:
    pairs = [(item, version_at(item, step)) for item in block["items"]]
    there = [(item, version) for item, version in pairs if version is not None]
    return sorted(there, key=lambda pair: pair[1][9])


def shown_tree(block: Json, version: Any, policy: Json, cause: int) -> int:
    """The tree that a store shows of an item under a policy; -1 for none."""
    _, phase, tree, sealed, base, content, case = version[:7]
    if phase == STORED:
        return int(tree)
    row = policy["d"][case][cause]
    decision = "persist" if row < 0 else policy["rows"][row][4]
    if row < 0:
        return int(base if base >= 0 else tree)
    if decision == "persist":
        return int(sealed if sealed >= 0 else tree)
    return int(base) if base >= 0 or decision == "stale" else int(tree if content else -1)


def columns_at(block: Json, step: int, cause: int) -> dict[str, list[list[str]]]:
    """For each column the id of each item with its texts: plain, and of Markdown only letters."""
    alive = alive_at(block, step)
    seen = [(item["id"], version[2]) for item, version in alive if not item["hidden"]]
    columns = {"seen": seen}
    for side, policy in zip("ab", block["policies"], strict=False):
        columns[side] = [
            (item["id"], shown_tree(block, version, policy, cause)) for item, version in alive
        ]
    return {
        side: [[item_id, *texts_of(block, tree, step)] for item_id, tree in pairs]
        for side, pairs in columns.items()
    }


def texts_of(block: Json, tree: int, step: int) -> tuple[str, str, str]:
    plain: list[str] = []
    markdown: list[str] = []
    if tree < 0:
        return "", "", ""
    for text, is_markdown in leaves(block, {"r": tree}, step):
        (markdown if is_markdown else plain).append(text)
    elements = " ".join(elements_of(block, {"r": tree}))
    return "".join(plain), letters("\n".join(markdown)), elements


def elements_of(block: Json, node: Any) -> Iterator[str]:
    """The tags of a tree with their classes, in the order of the document."""
    if isinstance(node, dict) and "r" in node:
        yield from elements_of(block, block["trees"][node["r"]])
    elif isinstance(node, list) and node[0] != "md":
        if node[0]:
            yield node[0].removeprefix("svg:")
        for child in node[2:]:
            yield from elements_of(block, child)


def letters(markdown: str) -> str:
    """The letters that are shown of a text in Markdown."""
    return "".join(filter(str.isalpha, _LINK.sub("]", markdown)))


def leaves(block: Json, node: Any, step: int) -> Iterator[tuple[str, bool]]:
    if isinstance(node, str):
        yield node, False
    elif isinstance(node, dict) and "t" in node:
        yield text_at(block["tracks"][node["t"]], step), False
    elif isinstance(node, dict):
        yield from leaves(block, block["trees"][node["r"]], step)
    elif node[0] == "md":
        for text, _ in leaves(block, node[1], step):
            yield text, True
    else:
        for child in node[2:]:
            yield from leaves(block, child, step)


def text_at(track: Json, step: int) -> str:
    steps = [at for first, count in track["s"] for at in range(first, first + count)]
    units = sum(gained for at, gained in zip(steps, track["m"], strict=True) if at <= step)
    prefix: bytes = track["t"].encode("utf-16-le")[: 2 * units]
    return prefix.decode("utf-16-le")
