"""What was found: one finding for each thing that went wrong, and a report that is a table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import attrs

from chatkit_reducer.events import Event, Json, wire_type
from chatkit_reducer.testing.cancellation.ways import Way

__all__ = ["Finding", "FindingKind", "Report", "described", "event_in_short"]


class FindingKind(StrEnum):
    """What is wrong."""

    LOST = "lost"
    """People saw something, the policy keeps it, and the store does not have it."""
    MARKER_MISSING = "marker missing"
    """The policy wants a marker, and none was stored."""
    WRITTEN_TWICE = "written twice"
    """An item was added that had been added before, or there are two markers."""
    STILL_RUNNING = "still running"
    """The right item is stored, but something in it claims to be running, and nothing is."""
    NOT_TO_THE_POLICY = "not to the policy"
    """The store differs in some other way from what `settle` says."""
    LEFT_OVER = "left over"
    """Something still runs, long after the stop."""
    SWALLOWED = "cancellation swallowed"
    """The task was cancelled, and ended as if it had not been."""
    ERROR = "error"
    """The client got to see an exception that nobody meant it to see."""
    WARNING = "warning"
    """Python or the event loop complained: of a coroutine that was never awaited, of a generator
    that would not be closed, of an exception that nobody took."""


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that went wrong when an exchange was stopped at one point."""

    way: Way
    point: int
    """Which suspension, or which frame, or which event of the producer; from 1."""
    kind: FindingKind
    problem: str
    """In words."""
    item_id: str | None = None
    expected: Json | None = None
    """The item as it should be stored."""
    stored: Json | None = None
    """The item as it is stored."""
    seen: tuple[Event, ...] = ()
    """What the client had received."""

    def __str__(self) -> str:
        where = "" if self.way is Way.NOT_STOPPED else f" at point {self.point}"
        return f"{self.kind}: {self.way}{where}, after {len(self.seen)} events: {self.problem}"


_COLUMNS = (
    FindingKind.LOST,
    FindingKind.MARKER_MISSING,
    FindingKind.WRITTEN_TWICE,
    FindingKind.STILL_RUNNING,
    FindingKind.NOT_TO_THE_POLICY,
)


@attrs.frozen
class Report:
    """What came of stopping an exchange everywhere. As a text it is a table."""

    points: Mapping[Way, int]
    """How many points were tried, for each way."""
    findings: tuple[Finding, ...]
    whole: tuple[Event, ...] = ()
    """What the client received when nobody stopped it."""

    def count(self, kind: FindingKind | None = None, way: Way | None = None) -> int:
        """At how many points there was a finding: of this kind, in this way, if they are given."""
        return len(
            {
                (finding.way, finding.point)
                for finding in self.findings
                if kind in (None, finding.kind) and way in (None, finding.way)
            }
        )

    @property
    def shortest(self) -> Finding | None:
        """Of all findings the one with the fewest events."""
        return min(self.findings, key=lambda f: (len(f.seen), f.point), default=None)

    def raise_for_findings(self) -> None:
        """Nothing, if there are no findings.

        Raises:
            AssertionError: there are; it shows the shortest of them.
        """
        if self.shortest is None:
            return
        total = sum(self.points.values())
        raise AssertionError(
            f"{len(self.findings)} findings at {self.count()} of {total} points. "
            f"The shortest:\n\n{described(self.shortest)}\n\n{self}"
        )

    def __str__(self) -> str:
        others = [kind for kind in FindingKind if kind not in _COLUMNS and self.count(kind)]
        rows = [["", "points", *_COLUMNS, *others]]
        for way, points in self.points.items():
            counts = [self.count(kind, way) for kind in (*_COLUMNS, *others)]
            rows.append([way, str(points), *map(str, counts)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )


def described(finding: Finding) -> str:
    """All that a finding has to say, over several lines."""
    lines = [str(finding)]
    expected, stored = finding.expected, finding.stored
    if expected is not None or stored is not None:
        lines.append(f"  expected: {'nothing' if expected is None else expected}")
        lines.append(f"  stored: {'nothing' if stored is None else stored}")
    lines.append("  The client had received:")
    lines += [f"    {event_in_short(event)}" for event in finding.seen]
    return "\n".join(lines)


def event_in_short(event: Event) -> str:
    """Its type, its item and the type of its update, on one line."""
    item, update = getattr(event, "item", None), getattr(event, "update", None)
    item_id = item.get("id") if isinstance(item, dict) else getattr(event, "item_id", None)
    words = (wire_type(event), item_id, None if update is None else wire_type(update))
    return " ".join(str(word) for word in words if word is not None)
