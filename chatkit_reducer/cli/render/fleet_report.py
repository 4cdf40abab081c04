"""The answer about a fleet in words and figures, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs

from chatkit_reducer.analysis.sweep_summary import amount_text, share_text
from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM
from chatkit_reducer.cli.render.items import type_name
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.events import Json
from chatkit_reducer.fleet.totals import Asked, StopTally, Tally, Totals, WorstThread
from chatkit_reducer.palette import FATES

__all__ = ["FleetReport", "OutcomeLine", "StopLine", "WorstLine"]

_ENDINGS = {"open": "left open", "unknown": "without a thread", "timed_out": "timed out"}


class OutcomeLine(NamedTuple):
    """A line of figures about the ends of the logs."""

    policy: str
    about: str
    """The cause, or the name of a type of items."""
    tally: Tally
    threads: int | None
    """How many threads lose something; None where that is not counted."""

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many items have each fate."""
        return [(fate, self.tally.items[fate]) for fate in FATES]

    @property
    def lost(self) -> str:
        """How much is lost, in words."""
        return amount_text(self.tally.seen["lost"])


class StopLine(NamedTuple):
    """A line of figures about a stop at each event."""

    policy: str
    cause: str
    tally: StopTally

    @property
    def losing(self) -> str:
        """At which share of the stops something is lost."""
        stake = self.tally.at_stake
        return share_text(self.tally.losing / stake) if stake else "0%"

    @property
    def mean(self) -> str:
        """The share that is lost on average."""
        return share_text(self.tally.mean_share)


class WorstLine(NamedTuple):
    """A thread that loses much."""

    policy: str
    thread: str | None
    lost: str
    command: tuple[str, ...]
    """The words of the command that shows it; none if no file may be named."""


@attrs.frozen(kw_only=True)
class FleetReport:
    """The totals of a fleet, with all that a report says besides."""

    totals: Totals
    files: int
    broken: int
    policies: Mapping[str, str]
    """For each policy, by its name, the argument of `--policy`."""
    causes: Sequence[Cause]
    stops: bool
    """Whether the streams were stopped at each event, too."""

    @property
    def title(self) -> str:
        """The size of the fleet, in words."""
        totals = self.totals
        counts = [
            (totals.threads, "thread"),
            (totals.events, "event"),
            (totals.items, "item"),
            (self.files, "file"),
        ]
        return " \u00b7 ".join(_counted(count, noun) for count, noun in counts)

    @property
    def facts(self) -> list[str]:
        """How the streams ended, and what is wrong, in words."""
        endings = self.totals.endings.most_common()
        ended = ", ".join(f"{count:,} {_ENDINGS.get(name, name)}" for name, count in endings)
        facts = [f"The last stream of each thread, as its log tells it: {ended or 'none'}."]
        pending = _counted(self.totals.pending_threads, "thread")
        facts.append(f"{pending} with items that are not done.")
        if self.totals.anomalies:
            faults = _counted(self.totals.anomalies, "fault")
            facts.append(f"{faults} in the data: {PROGRAM} check of the same logs shows where.")
        if self.broken:
            facts.append(f"{_counted(self.broken, 'file')} could not be read and were left out.")
        return facts

    @property
    def by_policy(self) -> list[OutcomeLine]:
        """The outcome at the ends of the logs, by policy and cause."""
        losing = self.totals.losing_threads
        return [
            OutcomeLine(asked.policy, asked.cause, self.totals.tally(asked), losing[asked])
            for asked in self._asked
        ]

    @property
    def by_type(self) -> list[OutcomeLine]:
        """The same by policy and type of items, for the first cause."""
        return [
            OutcomeLine(asked.policy, type_name(kind), tally, None)
            for asked in self._asked
            if asked.cause == self.causes[0].value
            for kind, tally in self.totals.by_type(asked).items()
        ]

    @property
    def by_stop(self) -> list[StopLine]:
        """The outcome of a stop at each event, by policy and cause."""
        tallies = self.totals.stops
        return [StopLine(*asked, tallies.get(asked, StopTally())) for asked in self._asked]

    @property
    def worst(self) -> list[WorstLine]:
        """The threads that lose most, policy by policy."""
        return [
            WorstLine(policy, one.thread, amount_text(one.lost), self._command(one))
            for policy in self.policies
            for one in self.totals.worst(policy)
        ]

    @property
    def _asked(self) -> Iterator[Asked]:
        return (Asked(policy, cause.value) for policy in self.policies for cause in self.causes)

    def _command(self, worst: WorstThread) -> tuple[str, ...]:
        if worst.source is None or worst.position is None:
            return ()
        log = f"./{worst.source}" if worst.source.startswith("-") else worst.source
        words = [PROGRAM, "view", log, "--at", str(worst.position)]
        words += [] if worst.thread is None else _option("--thread", worst.thread)
        words += ["--policy", self.policies[worst.asked.policy]]
        return (*words, *options.words_of(Cause(worst.asked.cause)))

    def to_json(self) -> Json:
        """Return the report as plain data, for machines."""
        totals = self.totals
        return {
            "threads": totals.threads,
            "events": totals.events,
            "items": totals.items,
            "files": self.files,
            "broken_files": self.broken,
            "anomalies": totals.anomalies,
            "pending_threads": totals.pending_threads,
            "endings": dict(sorted(totals.endings.items())),
            "outcomes": [self._outcome_json(asked) for asked in self._asked],
            "worst": [self._worst_json(line) for line in self.worst],
        }

    def _outcome_json(self, asked: Asked) -> Json:
        totals = self.totals
        kinds = {kind: _tally_json(one) for kind, one in totals.by_type(asked).items()}
        fields: Json = {**asked._asdict(), "losing_threads": totals.losing_threads[asked]}
        fields |= {"all": _tally_json(totals.tally(asked)), "types": kinds}
        if self.stops:
            tally = totals.stops.get(asked, StopTally())
            counts = {name: getattr(tally, name) for name in ("stops", "at_stake", "losing")}
            fields["stops"] = {**counts, "mean_share": tally.mean_share}
        return fields

    @staticmethod
    def _worst_json(line: WorstLine) -> Json:
        return {**line._asdict(), "command": list(line.command)}


def _option(name: str, value: str) -> list[str]:
    """Return the words of an option; one word if the value looks like an option itself."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _tally_json(tally: Tally) -> Json:
    return {fate: {"items": tally.items[fate], **_amounts(tally.seen[fate])} for fate in FATES}


def _amounts(seen: object) -> Json:
    return {name: getattr(seen, name) for name in ("characters", "tasks", "widgets", "images")}


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else noun + 's'}"
