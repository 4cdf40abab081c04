"""One finding for each thing that went wrong, and a report that is a table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing._text import Labelled, event_name
from chatkit_reducer.testing.cancellation.methods import Way
from chatkit_reducer.testing.cancellation.shapes import Shape

__all__ = ["Finding", "FindingKind", "Report", "describe"]


class FindingKind(Labelled):
    """A kind of finding."""

    LOST = "lost"
    """People saw something, the policy keeps it, and the store does not have it."""
    MARKER_MISSING = "marker_missing"
    """The policy wants a marker, and none was stored."""
    WRITTEN_TWICE = "written_twice"
    """An item was added that had been added before, or there are two markers."""
    STILL_RUNNING = "still_running"
    """The right item is stored, but a part of it claims to be running, and no task is."""
    NOT_TO_THE_POLICY = "not_to_the_policy"
    """The store differs in some other way from the settlement."""
    LEFT_OVER = "left_over"
    """Something still runs, long after the stop."""
    SWALLOWED = "cancellation_swallowed"
    """The task was cancelled, and ended as if it had not been."""
    ERROR = "error"
    """The client got an exception that was not meant for it."""
    WARNING = "warning"
    """Python or the event loop complained: of a coroutine that was never awaited, of a generator
    that would not be closed, of an exception that was never retrieved."""


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that went wrong when an exchange was stopped at one point."""

    way: Way
    point: int
    """Which suspension, or which frame, or which event of the producer; from 1."""
    kind: FindingKind
    problem: str
    """The finding in words."""
    item_id: str | None = None
    expected: Json | None = None
    """The item as it should be stored."""
    stored: Json | None = None
    """The item as it is stored."""
    seen: tuple[Event, ...] = ()
    """The events that the client had received."""
    shape: Shape | None = None
    """How the response was built; None for a plain loop."""

    def __str__(self) -> str:
        where = "" if self.way is Way.NOT_STOPPED else f" at point {self.point}"
        shape = "" if self.shape is None else f" of a response of shape {self.shape}"
        events = f"after {len(self.seen)} events"
        return f"{self.kind.label}: {self.way.label}{where}{shape}, {events}: {self.problem}"


_COLUMNS = (
    FindingKind.LOST,
    FindingKind.MARKER_MISSING,
    FindingKind.WRITTEN_TWICE,
    FindingKind.STILL_RUNNING,
    FindingKind.NOT_TO_THE_POLICY,
)


@attrs.frozen
class Report:
    """The result of stopping an exchange everywhere. As a text it is a table."""

    points: Mapping[Way, int]
    """How many points were tried, for each way."""
    findings: tuple[Finding, ...]
    whole: tuple[Event, ...] = ()
    """All events that the client received without a stop."""
    shapes: Mapping[Shape, Report] = MappingProxyType({})
    """The results for responses of other shapes, if these were tried."""

    def count(self, kind: FindingKind | None = None, way: Way | None = None) -> int:
        """Count the points with a finding: of this kind, in this way, if they are given."""
        return len(
            {
                (finding.way, finding.point)
                for finding in self.findings
                if kind in (None, finding.kind) and way in (None, finding.way)
            }
        )

    @property
    def shortest(self) -> Finding | None:
        """The finding with the fewest events."""
        return min(self.findings, key=lambda f: (len(f.seen), f.point), default=None)

    def raise_for_findings(self) -> None:
        """Raise if there are findings.

        Raises:
            AssertionError: there are some; it shows the shortest of them.
        """
        if self.shortest is None:
            return
        total = sum(self.points.values())
        raise AssertionError(
            f"{len(self.findings)} findings at {self.count()} of {total} points. "
            f"The shortest:\n\n{describe(self.shortest)}\n\n{self}"
        )

    def __str__(self) -> str:
        lines = [self._table()]
        for shape, report in self.shapes.items():
            tried, wrong = sum(report.points.values()), report.count()
            lines.append(f"shape {shape}: {tried} points, something wrong at {wrong}")
        return "\n".join(lines)

    def _table(self) -> str:
        others = [kind for kind in FindingKind if kind not in _COLUMNS and self.count(kind)]
        kinds = [*_COLUMNS, *others]
        rows = [["", "points", *(kind.label for kind in kinds)]]
        for way, points in self.points.items():
            counts = [self.count(kind, way) for kind in kinds]
            rows.append([way.label, str(points), *map(str, counts)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )


def describe(finding: Finding) -> str:
    """Describe a finding over several lines."""
    lines = [str(finding)]
    expected, stored = finding.expected, finding.stored
    if expected is not None or stored is not None:
        lines.append(f"  expected: {'nothing' if expected is None else expected}")
        lines.append(f"  stored: {'nothing' if stored is None else stored}")
    lines.append("  The client had received:")
    lines += [f"    {event_name(event)}" for event in finding.seen]
    return "\n".join(lines)
