"""What people saw, compared with what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chatkit_reducer.comparison import differences, path_text
from chatkit_reducer.events import (
    ErrorEvent,
    Event,
    Json,
    ThreadCreated,
    ThreadItemDone,
    ThreadUpdated,
)
from chatkit_reducer.folding import fold
from chatkit_reducer.items import HIDDEN_TYPES, ItemState, parse_item
from chatkit_reducer.items.base import Seen
from chatkit_reducer.policy import Cause, Marker, Policy
from chatkit_reducer.settlement import settle
from chatkit_reducer.state import ThreadState
from chatkit_reducer.testing.cancellation.report import Finding, FindingKind
from chatkit_reducer.testing.cancellation.running import ConsumerError, Trial
from chatkit_reducer.testing.cancellation.ways import Way

__all__ = ["findings_of", "folded"]


class _Outcome(NamedTuple):
    """What a store may hold in the end."""

    items: dict[str, Json]
    marker: Marker | None


class _Problem(NamedTuple):
    kind: FindingKind
    problem: str
    item_id: str | None = None
    expected: Json | None = None
    stored: Json | None = None


def findings_of(trial: Trial, whole: tuple[Event, ...], ahead: int) -> Iterator[Finding]:
    """All that went wrong in a trial.

    Args:
        trial: the exchange, stopped or not.
        whole: all that its client receives if nobody stops it.
        ahead: how many events the producer may be ahead of the client.
    """
    for problem in [*_in_store(trial, whole, ahead), *_written_twice(trial), *_around(trial)]:
        yield Finding(
            way=trial.way, point=trial.point, seen=tuple(trial.received), **problem._asdict()
        )


def folded(trial: Trial) -> ThreadState:
    """The thread as the client saw it last."""
    return fold(trial.received, ThreadState.from_items(trial.before))


def _in_store(trial: Trial, whole: tuple[Event, ...], ahead: int) -> list[_Problem]:
    """Compares the store with what it may hold, and takes what is nearest."""
    marker = trial.exchange.policy.marker
    markers = [item for item in trial.after if _is_marker(item, trial, marker)]
    stored = {item["id"]: item for item in trial.after if not _is_hidden(item)}
    results = []
    for outcome in _outcomes(trial, whole, ahead):
        problems = list(_compared(outcome.items, stored))
        if outcome.marker is not None and not markers and _has_begun(trial.received):
            problem = "nothing tells the model that the stream was stopped"
            problems.append(_Problem(FindingKind.MARKER_MISSING, problem))
        if outcome.marker is None and markers:
            problem = f"there is a marker, and policy {trial.exchange.policy.name!r} wants none"
            problems.append(_Problem(FindingKind.NOT_TO_THE_POLICY, problem))
        if not problems:
            return []
        results.append(problems)
    return min(results, key=len)


def _is_hidden(item: Json) -> bool:
    return item.get("type") in HIDDEN_TYPES


def _is_marker(item: Json, trial: Trial, marker: Marker | None) -> bool:
    return (
        marker is not None
        and item.get("type") == marker.item
        and (marker.content is None or item.get("content") == marker.content)
        and all(item.get("id") != earlier.get("id") for earlier in trial.before)
    )


def _has_begun(seen: Iterable[Event]) -> bool:
    """Whether the client received anything of the answer: before that, nothing is interrupted."""
    return not all(
        isinstance(event, ThreadCreated | ThreadUpdated)
        or (isinstance(event, ThreadItemDone) and event.item.get("type") == "user_message")
        for event in seen
    )


def _outcomes(trial: Trial, whole: tuple[Event, ...], ahead: int) -> Iterator[_Outcome]:
    """All that the store may hold: first what follows from what the client saw."""
    seen, stopped = trial.received, trial.way is not Way.NOT_STOPPED
    before = fold(seen[:-1], ThreadState.from_items(trial.before))
    states = [before, fold(seen[-1:], before)]
    if stopped and trial.way is not Way.PRODUCER_EXCEPTION:
        for event in whole[len(seen) :][:ahead]:
            states.append(fold([event], states[-1]))
    for cause in _causes(trial, whole, ahead):
        for last, state in enumerate(states[1:], 1):
            # What was done last may be in doubt, and a policy may decide otherwise about that.
            for delivered in reversed(states[: last + 1]):
                yield _outcome(state, delivered, trial.exchange.policy, cause)


def _causes(trial: Trial, whole: tuple[Event, ...], ahead: int) -> tuple[Cause, ...]:
    fails = fold(whole).error is not None
    by_itself = Cause.FAILED if fails else Cause.ENDED
    match trial.way:
        case Way.NOT_STOPPED:
            return (by_itself,)
        case Way.PRODUCER_EXCEPTION:
            return (Cause.FAILED,)
    # Whoever stops a stream behind its last event may come too late.
    seen = len(trial.received)
    if seen + ahead > len(whole):
        return (Cause.CANCELLED, by_itself)
    # So may who stops it in front of an `error`: a server settles before it says that it failed.
    if any(isinstance(event, ErrorEvent) for event in whole[seen : seen + ahead]):
        return (Cause.CANCELLED, Cause.FAILED)
    return (Cause.CANCELLED,)


def _outcome(state: ThreadState, delivered: ThreadState, policy: Policy, cause: Cause) -> _Outcome:
    settlement = settle(state, policy=policy, cause=cause, delivered=delivered)
    left: dict[str, ItemState | None] = dict(state.items)
    left.update((verdict.item.id, verdict.left) for verdict in settlement.verdicts)
    plain = {item_id: item.to_json() for item_id, item in left.items() if item is not None}
    visible = {item_id: item for item_id, item in plain.items() if not _is_hidden(item)}
    return _Outcome(visible, settlement.marker)


def _compared(expected: dict[str, Json], stored: dict[str, Json]) -> Iterator[_Problem]:
    for item_id in {**expected, **stored}:
        right, found = expected.get(item_id), stored.get(item_id)
        problem = _item_compared(right, found)
        if problem is not None:
            kind, text = problem
            yield _Problem(kind, f"{item_id}: {text}", item_id, right, found)


def _item_compared(right: Json | None, found: Json | None) -> tuple[FindingKind, str] | None:
    if right is None:
        return FindingKind.NOT_TO_THE_POLICY, "it is stored, and should not be"
    item = _state_of(right)
    if found is None:
        kind = FindingKind.NOT_TO_THE_POLICY if item.is_empty else FindingKind.LOST
        return kind, "the store does not have it"
    different = _differences(right, found)
    if not different:
        return None
    copy = _state_of(found)
    if _has_less(copy.seen, item.seen):
        return FindingKind.LOST, "the stored copy lacks some of what people saw"
    if not _differences(right, copy.sealed().to_json()):
        return FindingKind.STILL_RUNNING, f"the stored copy runs for ever: {', '.join(different)}"
    return FindingKind.NOT_TO_THE_POLICY, f"the stored copy differs: {', '.join(different)}"


def _differences(one: Json, other: Json) -> list[str]:
    """Where two copies of an item differ, but for the clock."""
    return [path_text(d.path) for d in differences(one, other) if d.path != ("created_at",)]


def _state_of(item: Json) -> ItemState:
    parsed = parse_item(item)
    state = parsed if isinstance(parsed, ItemState) else parsed.result
    if not isinstance(state, ItemState):
        raise TypeError(f"{item!r} is no item: it has no `id`")
    return state


def _has_less(one: Seen, other: Seen) -> bool:
    return any(getattr(one, name) < getattr(other, name) for name in Seen.__struct_fields__)


def _written_twice(trial: Trial) -> Iterator[_Problem]:
    log = [] if trial.exchange.writes is None else list(trial.exchange.writes())
    before = Counter(item["id"] for item in trial.before)
    held = Counter(item["id"] for item in trial.after)
    for item_id in dict.fromkeys([*before, *(written for _, written in log), *held]):
        ops = [op for op, written in log if written == item_id]
        times = max(_most_copies(before[item_id], ops), held[item_id])
        if times > 1:
            problem = f"{item_id}: it was added {times} times"
            if ops:
                problem += f" (its writes: {', '.join(ops)})"
            yield _Problem(FindingKind.WRITTEN_TWICE, problem, item_id)
    marker = trial.exchange.policy.marker
    markers = {item["id"] for item in trial.after if _is_marker(item, trial, marker)}
    if len(markers) > 1:
        yield _Problem(FindingKind.WRITTEN_TWICE, f"there are {len(markers)} markers")


def _most_copies(copies: int, ops: Iterable[str]) -> int:
    """How many copies of an item there were at once, if each `add` makes one."""
    most = copies
    for op in ops:
        if op == "delete":
            copies = 0
        elif op == "add":
            copies += 1
        most = max(most, copies)
    return most


def _around(trial: Trial) -> Iterator[_Problem]:
    """What went wrong besides what is stored."""
    for text in trial.left_over:
        yield _Problem(FindingKind.LEFT_OVER, text)
    for text in trial.complaints:
        yield _Problem(FindingKind.WARNING, text)
    if trial.way in (Way.TASK_CANCEL, Way.REPEATED_CANCEL) and not trial.was_cancelled:
        problem = f"the client's task ended with {trial.error!r}" if trial.error else "it ended"
        yield _Problem(FindingKind.SWALLOWED, problem)
    elif trial.error is not None and not _is_meant(trial):
        yield _Problem(FindingKind.ERROR, repr(trial.error))


def _is_meant(trial: Trial) -> bool:
    return trial.way is Way.PRODUCER_EXCEPTION or isinstance(trial.error, ConsumerError)
