"""The law of the viewer: at every step the data of a page say what the fold says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatkit_reducer import Cause, Policy, ThreadState, encode, reduce, settle
from chatkit_reducer.analysis import StopPoint, sweep
from chatkit_reducer.core.codec import decode_json
from chatkit_reducer.core.errors import EncodeError
from chatkit_reducer.core.items import HIDDEN_TYPES, ItemState
from chatkit_reducer.core.policy.store_rows import NO_NEWS
from chatkit_reducer.core.thread.contents import Entry
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import Event, ThreadItemUpdated, Unreadable, wire_type
from chatkit_reducer.view.drawing import draw
from chatkit_reducer.view.reading import Reader
from chatkit_reducer.view.recording import Recording

__all__ = ["check_block", "check_page", "merged"]

CAUSES = list(Cause)
PHASES = [Phase.PENDING, Phase.PENDING_OVER_BASE, Phase.STORED]


def check_page(
    events: Sequence[Event | Unreadable],
    policies: Sequence[Policy],
    stored: ThreadState | None = None,
) -> None:
    """Compare the data of a stream, which is one of one thread, with its fold at every step."""
    before = ThreadState() if stored is None else stored
    recording = Recording(before, policies)
    for event in events:
        recording.take(event)
    block = recording.data("log")["threads"][0]
    check_block(block, events, policies, before)


def check_block(
    block: dict[str, Any],
    events: Sequence[Event | Unreadable],
    policies: Sequence[Policy],
    state: ThreadState,
) -> None:
    reader, step = Reader(block), 0
    stops = {cause: list(sweep(events, policies, cause, state)) for cause in CAUSES}
    check_step(reader, step, state, policies)
    check_figures(reader, step, stops, policies)
    for event in events:
        state = reduce(state, event)
        if isinstance(event, Unreadable):
            continue
        step += 1
        check_event(reader, step, event)
        check_step(reader, step, state, policies)
        check_figures(reader, step, stops, policies)
    assert block["n"] == step


def check_step(reader: Reader, step: int, state: ThreadState, policies: Sequence[Policy]) -> None:
    found = reader.items(step)
    wanted = state.items.entries
    assert [item["id"] for item, _ in found] == list(wanted), step
    for (item, version), entry in zip(found, wanted.values(), strict=True):
        assert item["type"] == entry.item.type
        assert item["hidden"] == (entry.item.type in HIDDEN_TYPES)
        check_item(reader, step, version, entry)
    check_stage(reader.stage(step), state)
    for policy in range(len(policies)):
        for cause in range(len(CAUSES)):
            check_verdicts(reader, step, (policy, cause), state, policies[policy])


def check_item(reader: Reader, step: int, version: list[Any], entry: Entry) -> None:
    assert PHASES[version[1]] is entry.phase
    drawn = draw(entry.item.json_view())
    assert reader.tree(version[2], step) == drawn, step
    if entry.phase is Phase.STORED:
        assert version[3:9] == [-1, -1, 1, -1, None, None]
        return
    sealed = draw(entry.item.sealed().json_view())
    assert (drawn if version[3] < 0 else reader.tree(version[3], step)) == sealed, step
    assert (version[4] >= 0) == (entry.base is not None)
    if entry.base is not None:
        assert reader.tree(version[4], step) == draw(entry.base.json_view())
    assert version[5] == int(not entry.item.is_empty)
    assert reader.seen(version, step) == figures(entry.item), step


def figures(item: ItemState) -> list[int]:
    seen = item.seen
    return [seen.characters, seen.tasks, seen.widgets, seen.images]


def check_verdicts(
    reader: Reader, step: int, at: tuple[int, int], state: ThreadState, policy: Policy
) -> None:
    number, cause = at
    settlement = settle(state, policy=policy, cause=CAUSES[cause])
    found = {
        item["id"]: reader.row(number, version, cause)
        for item, version in reader.items(step)
        if PHASES[version[1]] is not Phase.STORED
    }
    rows = {item_id: NO_NEWS if row < 0 else policy.rows[row] for item_id, row in found.items()}
    assert rows == {verdict.item.id: verdict.row for verdict in settlement.verdicts}, step
    assert reader.leaves_marker(number, cause, step) == (settlement.marker is not None), step


def check_figures(
    reader: Reader,
    step: int,
    stops: dict[Cause, list[StopPoint]],
    policies: Sequence[Policy],
) -> None:
    """The figures of the strips are those of `sweep`."""
    for policy in range(len(policies)):
        for cause, several in enumerate(stops.values()):
            sums = {"kept": [0] * 4, "stale": [0] * 4, "lost": [0] * 4}
            for _, version in reader.items(step):
                if PHASES[version[1]] is not Phase.STORED:
                    fate = fate_of(reader, policy, version, cause)
                    pairs = zip(sums[fate], reader.seen(version, step), strict=True)
                    sums[fate] = [one + more for one, more in pairs]
            outcome = several[step].fates[policy]
            for fate, amount in sums.items():
                seen = getattr(outcome, fate)
                assert amount == [seen.characters, seen.tasks, seen.widgets, seen.images], step


def fate_of(reader: Reader, policy: int, version: list[Any], cause: int) -> str:
    row = reader.row(policy, version, cause)
    if row < 0:
        return "kept"
    decision = reader.block["policies"][policy]["rows"][row][4]
    return {"persist": "kept", "stale": "stale", "discard": "lost"}[decision]


def check_event(reader: Reader, step: int, event: Event) -> None:
    first, count, kind, item, _ = reader.event(step)
    assert first <= step < first + count
    told = event.update if isinstance(event, ThreadItemUpdated) else event
    assert reader.block["types"][kind] == wire_type(told)
    if isinstance(event, ThreadItemUpdated) and item >= 0:
        assert reader.block["items"][item]["id"] == event.item_id
    try:
        written = decode_json(encode(event))
    except EncodeError:
        return
    raw = reader.raw(step)
    assert (decode_json(raw) if isinstance(raw, str) else raw) == written, step


def check_stage(stage: dict[str, Any], state: ThreadState) -> None:
    thread, progress = state.thread or {}, state.progress
    title = thread.get("title")
    assert stage["title"] == (title if isinstance(title, str) else None)
    assert stage["options"] == state.stream_options
    assert (stage["error"] is None) == (state.error is None)
    assert (stage["progress"] is None) == (progress is None)
    if progress is not None:
        text, fraction = stage["progress"].get("text"), stage["progress"].get("fraction")
        assert (text, fraction) == (progress.text, progress.fraction)


# --- increments -----------------------------------------------------------------------------------


def merged(block: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return a block with the ends of its lists, as the script of a page puts them together."""
    out = {**block, **{name: more[name] for name in ("n", "cursor", "thread")}}
    for name in ("types", "trees", "raws", "cases", "stage", "findings"):
        out[name] = [*block[name], *more[name]]
    for name in ("positions", "events"):
        out[name] = with_runs(block[name], more[name])
    out["tracks"] = with_tracks(block["tracks"], more["tracks"])
    out["items"] = with_items(block["items"], more["items"])
    out["policies"] = [
        {**policy, "d": [*policy["d"], *news["d"]], "held": news["held"]}
        for policy, news in zip(block["policies"], more["policies"], strict=True)
    ]
    if more["times"] is not None:
        known = block["times"] or [None] * block["n"]
        out["times"] = [*known, *more["times"]]
    return out


def with_runs(runs: list[Any], more: list[Any]) -> list[Any]:
    continues = bool(runs) and bool(more) and runs[-1][0] == more[0][0]
    return [*(runs[:-1] if continues else runs), *more]


def with_tracks(tracks: list[Any], more: list[Any]) -> list[Any]:
    out = [dict(track) for track in tracks]
    for number, gained in more:
        while len(out) <= number:
            out.append({"t": "", "s": [], "m": []})
        track = out[number]
        runs = [run.copy() for run in track["s"]]
        for first, count in gained["s"]:
            if runs and sum(runs[-1]) == first:
                runs[-1][1] += count
            else:
                runs.append([first, count])
        track.update(t=track["t"] + gained["t"], s=runs, m=[*track["m"], *gained["m"]])
    return out


def with_items(items: list[Any], more: list[Any]) -> list[Any]:
    out = list(items)
    for number, head, versions in more:
        if number == len(out):
            out.append({**head, "v": []})
        out[number] = {**out[number], "v": [*out[number]["v"], *versions]}
    return out
