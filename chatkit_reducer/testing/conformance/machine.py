"""A state machine for Hypothesis: an engine and the naive model, driven side by side.

Events arrive, sound and adversarial ones; streams stop and are settled, and go on from the items of
the store; snapshots are made and restored, logs are compacted, clients catch up. After each step
the engine has to agree with the model, and all values that it was ever given have to be unchanged.

    from chatkit_reducer.testing.conformance.machine import Engine, ThreadMachine

    class MyMachine(ThreadMachine):
        engine = Engine(reduce=my_reduce, fold=my_fold)   # the rest is this package's own

    TestMyEngine = MyMachine.TestCase                     # pytest and unittest run it
    TestMyEngine.settings = settings(stateful_step_count=30)

A step that goes wrong raises an `AssertionError` that shows the difference, a `LawBroken` if it is
one of the laws. Hypothesis prints the steps that led there, and leaves out those that do not
matter. The laws alone, for one stream, are in `chatkit_reducer.testing.conformance.laws`.

The machine needs Hypothesis: the extra `testing`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chatkit_reducer import policies
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.fold.folder import fold as our_fold
from chatkit_reducer.core.policy.settle import settle as our_settle
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.compact import compact as our_compact
from chatkit_reducer.core.thread.diff import diff as our_diff
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.reduce import reduce as our_reduce
from chatkit_reducer.core.thread.snapshot import restore as our_restore
from chatkit_reducer.core.thread.snapshot import snapshot as our_snapshot
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws
from chatkit_reducer.testing.conformance.laws._canonical import event_text, json_text
from chatkit_reducer.testing.conformance.laws._report import contrast
from chatkit_reducer.testing.conformance.laws._settling import stored_in
from chatkit_reducer.testing.conformance.reference_model import NaiveThread

__all__ = ["Engine", "ThreadMachine"]


@attrs.frozen(kw_only=True)
class Engine:
    """The functions under test; those that are left out are this package's own.

    They have the shape that `laws` asks for; their state needs `phase` too, as `ThreadState` has
    it.
    """

    begin: Callable[[Iterable[Json]], Any] = ThreadState.from_items
    """Stored items, each with an id of its own, to the state of their thread."""
    reduce: laws.Reduce = our_reduce
    fold: laws.Fold = our_fold
    snapshot: laws.Snapshot = our_snapshot
    restore: laws.Restore = our_restore
    compact: laws.Compact = our_compact
    diff: laws.Diff = our_diff
    settle: laws.Settle = our_settle


_POLICIES = chatkit.policies(markers=False) | st.sampled_from(list(policies.PRESETS.values()))
_KEPT = 4


class ThreadMachine(RuleBasedStateMachine):
    """One thread over many streams. Make a subclass to drive another engine than this package's."""

    engine: ClassVar[Engine] = Engine()
    """The functions under test."""

    def __init__(self) -> None:
        super().__init__()
        self.client: Any = self.engine.begin([])
        """The thread as a client has it that looks in from time to time."""
        self.kept: list[tuple[Any, Json]] = []
        """Earlier states, each with its content at that time."""
        self.start: Any
        """The thread before `log`."""
        self.log: list[Event]
        """The events since."""
        self.state: Any
        """The engine's state after the log."""
        self.model: NaiveThread
        """The naive model after the log."""
        self._begin([])

    def _begin(self, stored: list[Json]) -> None:
        texts = [json_text(item) for item in stored]
        self.start = self.state = self.engine.begin(stored)
        self.log, self.model = [], NaiveThread(stored)
        self._stored_faults = len(self.state.anomalies)
        """The anomalies of items that were stored malformed. The model has none: it looks at an
        item only when an event names it."""
        _check_unchanged("stored items", texts, [json_text(item) for item in stored])

    @initialize(items=st.lists(chatkit.items(), max_size=2))
    def begin(self, items: list[Json]) -> None:
        """Begin a thread with the items of its store; ids are unique there."""
        self._begin(list({item["id"]: item for item in items}.values()))

    # --- events -----------------------------------------------------------------------------------

    @rule(event=chatkit.events())
    def event(self, event: Event) -> None:
        """Let one event arrive, which may fit or not."""
        self._take([event], at_once=False)

    @rule(events=chatkit.adversarial_streams(max_events=4), at_once=st.booleans())
    def adversarial_stream(self, events: list[Event], at_once: bool) -> None:  # noqa: FBT001
        """Let events arrive that no server should send."""
        self._take(events, at_once=at_once)

    @rule(data=st.data(), at_once=st.booleans())
    def sound_stream(self, data: st.DataObject, at_once: bool) -> None:  # noqa: FBT001
        """Let a stream go on with the items of the thread; it may not get to its end."""
        stored = list(self.model.items.values())
        events = data.draw(chatkit.streams(stored=stored, max_items=1, max_updates=4))
        count = data.draw(st.integers(0, len(events)))
        self._take(events[:count], at_once=at_once)

    def _take(self, events: list[Event], *, at_once: bool) -> None:
        """Feed the events, and read no state in between: reading may change its inner form."""
        texts = [event_text(event) for event in events]
        if at_once:
            self.state = self.engine.fold(iter(events), self.state)
        else:
            for event in events:
                self.state = self.engine.reduce(self.state, event)
        _check_unchanged("events", texts, [event_text(event) for event in events])
        for event in events:
            self.model.apply(to_json(event))
        self.log += events

    # --- other events of a thread's life ----------------------------------------------------------

    @rule(policy=_POLICIES, cause=st.sampled_from(Cause), in_doubt=st.booleans())
    def stop(self, policy: Policy, cause: Cause, in_doubt: bool) -> None:  # noqa: FBT001
        """Stop the stream and settle it; the next one begins with the items of the store."""
        engine, written = self.engine, len(self.log) - bool(in_doubt and self.log)
        rows = repr(policy)
        for law in (laws.settle_is_total, laws.client_and_store_converge):
            law(
                self.log,
                self.start,
                policy=policy,
                cause=cause,
                written=written,
                settle=engine.settle,
                fold=engine.fold,
            )
        delivered = engine.fold(self.log[:written], self.start)
        now = engine.fold(self.log[written:], delivered)
        settlement = engine.settle(now, policy=policy, cause=cause, delivered=delivered)
        if written == len(self.log):
            self._check_settled_alike(settlement, policy, cause)
        _check_unchanged("policy", rows, repr(policy))
        writes = {write.item["id"]: write.item for write in settlement.writes}
        self._begin(list({**stored_in(delivered), **writes}.values()))

    def _check_settled_alike(self, settlement: Any, policy: Policy, cause: Cause) -> None:
        """Check that a replayed state is settled like the state at hand."""
        other = self.engine.settle(self.state, policy=policy, cause=cause, delivered=self.state)
        views = [
            {
                "writes": [[write.op, write.item] for write in one.writes],
                "events": [to_json(event) for event in one.events],
            }
            for one in (settlement, other)
        ]
        _check_same(("settled after a replay", views[0]), ("settled as it is", views[1]))

    @rule()
    def snapshot_and_restore(self) -> None:
        """End the process, and go on in another with a snapshot, by way of JSON text."""
        before = laws.canonical_json(self.state, positions=True)
        text = json_text(self.engine.snapshot(self.state))
        saved = json.loads(text)
        self.start = self.state = self.engine.restore(saved)
        self.log = []
        _check_unchanged("snapshot", text, json_text(saved))
        after = laws.canonical_json(self.state, positions=True)
        _check_same(("before the snapshot", before), ("restored", after))

    @rule()
    def compact(self) -> None:
        """Compact the log, and replay the rest."""
        engine = self.engine
        laws.compact_keeps_the_fold(self.log, self.start, compact=engine.compact, fold=engine.fold)
        short: list[Any] = list(engine.compact(self.log, self.start))
        self.log = short
        self.state = engine.fold(short, self.start)

    @rule(cuts=st.lists(st.integers(0, 40), max_size=2))
    def replay(self, cuts: list[int]) -> None:
        """Replay the log: in one go, one by one, in pieces, with deltas in pieces."""
        log, start, engine = self.log, self.start, self.engine
        laws.fold_is_reduce_one_by_one(log, start, fold=engine.fold, reduce=engine.reduce)
        laws.a_fold_may_be_cut_anywhere(
            log,
            start,
            cuts=cuts,
            fold=engine.fold,
            snapshot=engine.snapshot,
            restore=engine.restore,
        )
        laws.deltas_may_be_split(log, start, cuts=cuts, fold=engine.fold)
        replayed = laws.canonical_json(engine.fold(log, start))
        _check_same(("replayed", replayed), ("now", laws.canonical_json(self.state)))

    @rule()
    def catch_up(self) -> None:
        """Send the difference to a client that has not looked for a while."""
        engine = self.engine
        laws.diff_inverts_fold(self.client, self.state, diff=engine.diff, fold=engine.fold)
        self.client = engine.fold(engine.diff(self.client, self.state), self.client)

    # --- the invariant ----------------------------------------------------------------------------

    @invariant()
    def all_agree(self) -> None:
        """Check that the engine agrees with the model, and that earlier states have not changed."""
        _check_same(("the naive model", self._model_json()), ("the engine", self._engine_json()))
        for state, content in self.kept:
            _check_same(("a state", content), ("the same later", laws.canonical_json(state)))
        for state in (self.start, self.client, self.state):
            if not any(state is known for known, _ in self.kept):
                self.kept.append((state, laws.canonical_json(state)))
        del self.kept[:-_KEPT]

    def _engine_json(self) -> Json:
        state = self.state
        found = [one.to_json() for one in state.anomalies[self._stored_faults :]]
        return {
            "items": [[item_id, item.to_json()] for item_id, item in state.items.items()],
            "pending": list(state.pending),
            "bases": {item_id: base.to_json() for item_id, base in state.bases.items()},
            "phases": {item_id: str(state.phase(item_id)) for item_id in state.items},
            "anomalies": [[one["kind"], one["item_id"]] for one in found],
            "thread": state.thread,
            "stream_options": state.stream_options,
            "error": None if state.error is None else to_json(state.error),
            "progress": _progress(state.progress),
        }

    def _model_json(self) -> Json:
        model = self.model
        return {
            "items": [[item_id, item] for item_id, item in model.items.items()],
            "pending": [item_id for item_id in model.items if item_id in model.pending],
            "bases": model.bases,
            "phases": {item_id: _phase(item_id, model) for item_id in model.items},
            "anomalies": [[fault.kind, fault.item_id] for fault in model.faults],
            "thread": model.thread,
            "stream_options": model.stream_options,
            "error": model.error,
            "progress": model.progress,
        }


def _phase(item_id: str, model: NaiveThread) -> str:
    if item_id not in model.pending:
        return str(Phase.STORED)
    return str(Phase.PENDING_OVER_BASE if item_id in model.bases else Phase.PENDING)


def _progress(progress: Any) -> Json | None:
    if progress is None:
        return None
    of_a_line = progress.item_id is None
    names = ("text", "icon") if of_a_line else ("item_id", "fraction")
    return {name: getattr(progress, name) for name in names}


def _check_unchanged(what: str, before: str | list[str], after: str | list[str]) -> None:
    if before != after:
        raise AssertionError(f"Changed, and only lent: {what}.\n\n{before}\n{after}")


def _check_same(expected: tuple[str, Json], actual: tuple[str, Json]) -> None:
    if json_text(expected[1]) != json_text(actual[1]):
        raise AssertionError(f"They differ.\n\n{contrast(expected, actual)}")
