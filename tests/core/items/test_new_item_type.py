"""A new item type is one new file, and one line in `ITEM_TYPES` with its import.

It is added to a copy of the package, as `CONTRIBUTING.md` says. The event that updates it is not
part of that: a new update is a class in `events.py`, with its name in `KnownUpdate`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chatkit_reducer

POLL = '''
from __future__ import annotations

from msgspec.structs import replace

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.core.items.base import ItemState, Reducers, VisibleContent
from chatkit_reducer.events import Json, PollVoted


class Poll(ItemState, frozen=True, gc=False, eq=False):
    """A question, with the votes for each answer."""

    votes: tuple[int, ...] = ()

    @classmethod
    def parse(cls, json: Json) -> Poll | None:
        votes = json.get("votes")
        return cls(json, tuple(votes)) if isinstance(votes, list) else None

    def json_view(self) -> Json:
        return {**self.json, "votes": list(self.votes)}

    @property
    def is_empty(self) -> bool:
        return not any(self.votes)

    @property
    def seen(self) -> VisibleContent:
        return VisibleContent(tasks=sum(self.votes))

    @staticmethod
    def updatable_part(json: Json) -> Json:
        return {"votes": json.get("votes")}


def vote(item: Poll, update: PollVoted) -> Poll | Fault:
    if not 0 <= update.answer < len(item.votes):
        return Fault(AnomalyKind.INDEX_OUT_OF_RANGE, f"there is no answer {update.answer}")
    votes = list(item.votes)
    votes[update.answer] += 1
    return replace(item, votes=tuple(votes))


REDUCERS: Reducers = {PollVoted: vote}
'''

UPDATE = '''class PollVoted(_Wire, frozen=True, tag="poll.voted"):
    """Somebody has voted."""

    answer: int


KnownUpdate: TypeAlias = (
    PollVoted
    |'''

PROGRAM = """
import json, sys
from chatkit_reducer import (
    Cause, decode, diff, encode, fold, policies, reduce, replay, restore, settle, snapshot, compact,
)
from chatkit_reducer.analysis import sweep
from chatkit_reducer.analysis.comparison import compare_items
from chatkit_reducer.events import PollVoted
from chatkit_reducer.logs import read

log = sys.argv[1]
events = list(read(log))
state = fold(events)
one_by_one = fold(())
for event in events:
    one_by_one = reduce(one_by_one, event)
assert one_by_one == state == replay(log) == restore(snapshot(state)) == fold(compact(events))
assert [decode(encode(event)) for event in events] == events
item = state.items["p"]
assert item.to_json()["votes"] == [0, 2], item.to_json()
assert item.seen.tasks == 2
assert [a.kind for a in state.anomalies] == ["index_out_of_range"]
assert state.pending == ("p",)

settlement = settle(state, policy=policies.KEEP, cause=Cause.CANCELLED)
(write,) = settlement.writes
assert write.item["votes"] == [0, 2]
assert fold(settlement.events, state).pending == ()
assert fold(diff(fold(events[:1]), state), fold(events[:1])).items == state.items

stops = list(sweep(events, [policies.KEEP, policies.SDK], "cancelled"))
kept = [stop.fates[0].kept.tasks for stop in stops]
assert kept == [0, 0, 1, 2, 2], kept
(difference,) = compare_items(item.to_json(), {**item.to_json(), "votes": [1, 2]})
assert difference.path == ("votes", 0)
print("it works")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the package with the new type."""
    package = tmp_path / "chatkit_reducer"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(chatkit_reducer.__file__).parent, package, ignore=ignored)
    (package / "core/items/poll.py").write_text(POLL, encoding="utf-8")
    edit(package / "events.py", "KnownUpdate: TypeAlias = (\n   ", UPDATE)
    table = package / "core/items/__init__.py"
    edit(table, "import assistant_message, ", "import poll, assistant_message, ")
    line = '        "task": (Task, task.REDUCERS),\n'
    edit(table, line, '        "poll": (poll.Poll, poll.REDUCERS),\n' + line)
    return tmp_path


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    file.write_text(text.replace(before, after), encoding="utf-8")


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=site,  # `-m` looks there first
        env={**os.environ, "PYTHONPATH": str(site)},
        check=False,
    )


def written(site: Path) -> str:
    item = {"type": "poll", "id": "p", "thread_id": "t", "question": "?", "votes": [0, 0]}
    updates = [{"type": "poll.voted", "answer": answer} for answer in (1, 1, 5)]
    events = [{"type": "thread.item.added", "item": item}]
    events += [{"type": "thread.item.updated", "item_id": "p", "update": u} for u in updates]
    log = site / "poll.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return str(log)


def test_everything_works_for_a_new_item_type(site: Path) -> None:
    program = site / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = run(site, str(program), written(site))
    assert done.stdout == "it works\n", done.stderr


@pytest.mark.parametrize(
    "command", [["replay"], ["replay", "--json"], ["check"], ["cancel"], ["sweep"], ["compact"]]
)
def test_so_do_the_commands(site: Path, command: list[str]) -> None:
    done = run(site, "-m", "chatkit_reducer", *command, written(site))
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout
