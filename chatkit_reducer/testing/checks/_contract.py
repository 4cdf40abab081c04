"""Compare the items of a store with the contract of `commit`, and advise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from chatkit_reducer.analysis.comparison import Difference, differences, path_text
from chatkit_reducer.events import Json
from chatkit_reducer.testing._text import two_sides
from chatkit_reducer.testing.checks._scenarios import Scenario

UPSERT = (
    "Write an item in the place of the one with its id, and append it only if there is none, "
    "whether the write is an add or a save: INSERT ... ON CONFLICT (id) DO UPDATE does both."
)
AGAIN = (
    "See the exception above: this commit meets what the one before it has left, which was cut "
    "off. Take its transaction back when any statement of it fails or is cancelled, the first and "
    "the last one, too (except BaseException: roll back, and raise again), and give back in a "
    "`finally` what it took, such as a lock or a connection."
)
FIRST_TIME = (
    "See the exception above. commit is also called when there is nothing to write; and items may "
    "be of a type, and have fields, that you have never heard of. If the store cannot keep these, "
    "pass stops=strategies.stops(streams=strategies.streams(unknown=False))."
)
_ALL = (
    "Carry out all of settlement.writes, each under the id that it has: an add is an item that the "
    "store does not have yet, a save takes the place of the copy that it has. (settlement.persist "
    "lacks the marker.) And let a second commit write everything anew, whatever the first has done."
)
_WHOLE = (
    "Keep the whole item, as it comes. A save takes the place of the copy that the store has; "
    "INSERT OR IGNORE and ON CONFLICT DO NOTHING leave that as it is. If the store cannot keep "
    "what is unknown, pass stops=strategies.stops(streams=strategies.streams(unknown=False))."
)
TELL = (
    "Raise what fails, and do not only log it: the caller of commit has the settlement, and can "
    "keep it, or commit it again."
)
_TRANSACTION = (
    "Do all writes in one transaction, take it back if anything is raised, raise that again, and "
    "let a second commit write everything anew. If the store has no transactions, pass "
    "atomic=False: then each item for itself has to be whole."
)
_IN_ONE_STEP = (
    "Replace an item in one step. Between two steps, such as a delete and an insert, it is lost "
    "when the second one fails."
)
_PLACE = (
    "What is new goes to the end, and what was there keeps its place: an UPDATE keeps it, a delete "
    "and an insert do not, nor does INSERT OR REPLACE. Read the items in that order."
)
_IN_FRONT = (
    "`write.before` names a client tool call: put the item in front of it, or give the call a new "
    "place at the end, in the same transaction (UPDATE items SET place = (SELECT max(place) + 1 "
    "FROM items) WHERE id = ?). When the output arrives the SDK looks at the newest item alone: "
    "with another one behind the call the thread can never go on. If the application has no client "
    "tools, pass client_tools=False."
)
AS_IT_COMES = (
    "Keep the whole item, with types and fields that you have never heard of, and give the items "
    "in the order in which they came. If the store cannot keep what is unknown, pass "
    "stops=strategies.stops(streams=strategies.streams(unknown=False))."
)
PLAIN = "Let it give all items of the thread, in order, as mappings of plain ChatKit JSON."
_EMPTY = "Let make_store make an empty store each time: a new file, or a new table."
_UNTOUCHED = "Touch nothing but the items in settlement.writes, and no field of any other."
WAITING = (
    "It waits for something that is never given back. Look for what a failed commit to an earlier "
    "store keeps, such as a lock, a connection or a transaction. If it only needs longer, pass "
    "timeout=..."
)
RELEASE = (
    "Give back in a `finally` what a commit takes, such as a lock, a connection or a transaction: "
    "the commit before it may have failed. If it only needs longer, pass timeout=..."
)


# --- the comparison -------------------------------------------------------------------------------

Problem: TypeAlias = tuple[str, str]
"""A problem in words, and the advice."""


def problem_with(scenario: Scenario, found: list[Json]) -> Problem | None:
    """Find the problem with the items of a store when all is written."""
    expected = {item["id"]: item for item in scenario.after}
    ops = {write.item["id"]: write.op for write in scenario.settlement.writes}
    times = Counter(item.get("id") for item in found)
    for item_id in {**expected, **times}:
        op = ops.get(item_id)
        name = item_id if op is None else f"{item_id}, which was to be {_DONE[op]},"
        if times[item_id] > 1:
            return f"{name} is there {times[item_id]} times", UPSERT
        if item_id not in expected:
            return f"{name} is there, and no commit wrote it", _UNTOUCHED
        if not times[item_id]:
            if op is None:
                return f"{name} is gone, and the settlement does not name it", _UNTOUCHED
            return f"{name} is not there", _ALL
    return _problem_with_content(expected, found, ops) or _problem_with_order(scenario, found)


_DONE = {"add": "added", "save": "saved"}


def _problem_with_content(
    expected: dict[str, Json], found: list[Json], ops: Mapping[str, str]
) -> Problem | None:
    for item in found:
        item_id = item["id"]
        different = differences(expected[item_id], item)
        if different:
            where = _difference(different[0])
            if item_id in ops:
                done = _DONE[ops[item_id]]
                return f"{item_id} was {done}, and differs from the written item, {where}", _WHOLE
            return f"{item_id} was not written, and has changed {where}", _UNTOUCHED
    return None


def _problem_with_order(scenario: Scenario, found: list[Json]) -> Problem | None:
    places = {item["id"]: place for place, item in enumerate(found)}
    for write in scenario.settlement.writes:
        name, call = write.item["id"], write.before
        if call in places and places[name] > places[call]:
            return f"{name} stands behind {call}, which waits for its output", _IN_FRONT
    for place, (right, item) in enumerate(zip(scenario.after, found, strict=True), 1):
        if right["id"] != item["id"]:
            return f"{item['id']} is in place {place}, where {right['id']} should be", _PLACE
    return None


def problem_with_put(scenario: Scenario, found: list[Json]) -> Problem | None:
    if len(found) > len(scenario.before):
        return f"items gives {len(found)}, and put was given {len(scenario.before)}", _EMPTY
    different = differences(scenario.before, found)
    if not different:
        return None
    return (
        f"items does not give the items that were put there, {_difference(different[0])}",
        AS_IT_COMES,
    )


def _difference(difference: Difference) -> str:
    right, found = two_sides(difference.before, difference.after)
    return f"at {path_text(difference.path)}: {found} instead of {right}"


def half_written(scenario: Scenario, found: list[Json], *, atomic: bool) -> Problem | None:
    """Find the problem with the items of a store when a commit has failed."""
    if atomic:
        is_whole = not differences(found, scenario.before) or not differences(found, scenario.after)
        return None if is_whole else ("only a part of the settlement is there", _TRANSACTION)
    before, after = (
        {item["id"]: item for item in items} for items in (scenario.before, scenario.after)
    )
    copies = Counter(item.get("id") for item in found)
    for item_id in before:
        if not copies[item_id]:
            return f"{item_id} is gone, and the store had it", _IN_ONE_STEP
    for item in found:
        item_id = item.get("id")
        if copies[item_id] > 1:
            return f"{item_id} is there {copies[item_id]} times", UPSERT
        known = [items[item_id] for items in (before, after) if item_id in items]
        if all(differences(copy, item) for copy in known):
            return f"{item_id} is neither as it was nor as it was to be", _IN_ONE_STEP
    return None
