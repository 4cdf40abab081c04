"""Compare the items that the client saw with those that are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chatkit_reducer.analysis.comparison import differences, path_text
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.items import HIDDEN_TYPES, ItemState, parse_item
from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.table import Cause, Marker, Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    ErrorEvent,
    Event,
    Json,
    ThreadCreated,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadUpdated,
)
from chatkit_reducer.testing.cancellation.methods import Way
from chatkit_reducer.testing.cancellation.report import Finding, FindingKind
from chatkit_reducer.testing.cancellation.trial import ConsumerError, Trial

__all__ = ["client_state", "findings_of"]


_OF_SETTLEMENTS = (ThreadItemDone, ThreadItemRemoved, ThreadItemReplaced)


class _Outcome(NamedTuple):
    """One content that the store may have in the end."""

    items: dict[str, Json]
    marker: Marker | None


class _Problem(NamedTuple):
    kind: FindingKind
    problem: str
    item_id: str | None = None
    expected: Json | None = None
    stored: Json | None = None


def findings_of(trial: Trial, whole: tuple[Event, ...], max_lead: int) -> Iterator[Finding]:
    """Find all that went wrong in a trial.

    Args:
        trial: the exchange, stopped or not.
        whole: all events that its client receives without a stop.
        max_lead: how many events the producer may be ahead of the client.
    """
    for problem in [
        *_problems_in_store(trial, whole, max_lead),
        *_double_writes(trial),
        *_problems_elsewhere(trial),
    ]:
        yield Finding(
            way=trial.way, point=trial.point, seen=tuple(trial.received), **problem._asdict()
        )


def client_state(trial: Trial) -> ThreadState:
    """Fold the thread as the client saw it last."""
    return fold(trial.received, ThreadState.from_items(trial.before))


def _problems_in_store(trial: Trial, whole: tuple[Event, ...], max_lead: int) -> list[_Problem]:
    """Compare the store with each outcome that is allowed, and report against the nearest."""
    marker = trial.exchange.policy.marker
    markers = [item for item in trial.after if _is_marker(item, trial, marker)]
    stored = {item["id"]: item for item in trial.after if not _is_hidden(item)}
    results = []
    for outcome in _allowed_outcomes(trial, whole, max_lead):
        problems = list(_compare(outcome.items, stored))
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


def _allowed_outcomes(trial: Trial, whole: tuple[Event, ...], max_lead: int) -> Iterator[_Outcome]:
    """List the outcomes that are allowed, the one that follows from the client's view first."""
    seen, stopped = trial.received, trial.way is not Way.NOT_STOPPED
    before = fold(seen[:-1], ThreadState.from_items(trial.before))
    states = [before, fold(seen[-1:], before)]
    if stopped and trial.way is not Way.PRODUCER_EXCEPTION:
        for event in whole[len(seen) :][:max_lead]:
            states.append(fold([event], states[-1]))
    for cause in _causes(trial, whole, max_lead):
        for last, state in enumerate(states[1:], 1):
            # The last items may be in doubt, and a policy may decide otherwise about those.
            for delivered in reversed(states[: last + 1]):
                yield _outcome(state, delivered, trial.exchange.policy, cause)


def _causes(trial: Trial, whole: tuple[Event, ...], max_lead: int) -> tuple[Cause, ...]:
    fails = fold(whole).error is not None
    by_itself = Cause.FAILED if fails else Cause.ENDED
    match trial.way:
        case Way.NOT_STOPPED:
            return (by_itself,)
        case Way.PRODUCER_EXCEPTION:
            return (Cause.FAILED,)
    # A stop behind the last event of the answer may come too late. The events that a server sends
    # behind it bring its client in line with the store: then all is settled.
    seen = len(trial.received)
    if seen + max_lead > _length_of_answer(trial, whole, by_itself):
        return (Cause.CANCELLED, by_itself)
    # So may a stop in front of an `error`: a server settles before it reports that it failed.
    if any(isinstance(event, ErrorEvent) for event in whole[seen : seen + max_lead]):
        return (Cause.CANCELLED, Cause.FAILED)
    return (Cause.CANCELLED,)


def _length_of_answer(trial: Trial, whole: tuple[Event, ...], cause: Cause) -> int:
    """Count the events before those of a settlement, with which an answer may end."""
    end = len(whole)
    while end and isinstance(whole[end - 1], ErrorEvent | ThreadUpdated):
        end -= 1
    length, begin = len(whole), end
    last = trial.exchange.last_event
    while (
        begin
        and isinstance(whole[begin - 1], _OF_SETTLEMENTS)
        and not _is_same_event(whole[begin - 1], last)
    ):
        begin -= 1
        state = fold(whole[:begin], ThreadState.from_items(trial.before))
        settlement = settle(state, policy=trial.exchange.policy, cause=cause)
        if settlement.events == whole[begin:end]:
            length = begin
    return length


def _is_same_event(one: Event, other: Event | None) -> bool:
    return other is not None and not differences(to_json(one), to_json(other))


def _outcome(state: ThreadState, delivered: ThreadState, policy: Policy, cause: Cause) -> _Outcome:
    settlement = settle(state, policy=policy, cause=cause, delivered=delivered)
    left: dict[str, ItemState | None] = dict(state.items)
    left.update((verdict.item.id, verdict.left) for verdict in settlement.verdicts)
    plain = {item_id: item.to_json() for item_id, item in left.items() if item is not None}
    visible = {item_id: item for item_id, item in plain.items() if not _is_hidden(item)}
    return _Outcome(visible, settlement.marker)


def _compare(expected: dict[str, Json], stored: dict[str, Json]) -> Iterator[_Problem]:
    for item_id in {**expected, **stored}:
        right, found = expected.get(item_id), stored.get(item_id)
        problem = _compare_item(right, found)
        if problem is not None:
            kind, text = problem
            yield _Problem(kind, f"{item_id}: {text}", item_id, right, found)


def _compare_item(right: Json | None, found: Json | None) -> tuple[FindingKind, str] | None:
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
    """List the paths at which two copies of an item differ, except for the time."""
    return [path_text(d.path) for d in differences(one, other) if d.path != ("created_at",)]


def _state_of(item: Json) -> ItemState:
    state = parse_item(item).item
    if state is None:
        raise TypeError(f"{item!r} is not an item: it has no `id`")
    return state


def _has_less(one: VisibleContent, other: VisibleContent) -> bool:
    return any(
        getattr(one, name) < getattr(other, name) for name in VisibleContent.__struct_fields__
    )


def _double_writes(trial: Trial) -> Iterator[_Problem]:
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
    """Count how many copies of an item there were at once, if each `add` makes one."""
    most = copies
    for op in ops:
        if op == "delete":
            copies = 0
        elif op == "add":
            copies += 1
        most = max(most, copies)
    return most


def _problems_elsewhere(trial: Trial) -> Iterator[_Problem]:
    """Find all that went wrong outside of the store."""
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
