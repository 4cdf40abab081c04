"""A finding: one thing that is wrong with a stream, as a value."""

from __future__ import annotations

import attrs

from chatkit_reducer.analysis.comparison import Difference, common_prefix, path_text
from chatkit_reducer.core.anomalies import Anomaly
from chatkit_reducer.events import Json

__all__ = ["Finding", "two_sides"]

_PIECE = 60


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that is wrong with a stream."""

    kind: str
    """The kind of an anomaly or mistake, `sequence_gap`, `sequence_repeated`, `left_pending` or
    `unlisted`."""
    thread: str | None = None
    event: str | None
    """The `type` of the event, or of the update it carries; None for the end of the log."""
    item_id: str | None = None
    problem: str
    instead: str | None = None
    """The remedy of the fold, in words; None where it needed none."""
    position: int
    """How many events of the log lead to it: the number that `--at` and `--until` take."""
    line: int | None = None
    """The line of the log, for a piece that could not be read."""
    difference: Difference | None = None

    @classmethod
    def of(cls, anomaly: Anomaly, thread: str | None = None) -> Finding:
        """Make a finding of an anomaly of the fold."""
        return cls(
            kind=anomaly.kind.value,
            thread=thread,
            event=anomaly.event,
            item_id=anomaly.item_id,
            problem=anomaly.problem,
            instead=anomaly.instead,
            position=anomaly.at,
            line=anomaly.line,
        )

    @property
    def place(self) -> tuple[int, int]:
        """Order findings: those of an event, unreadable pieces behind it, the end of the log."""
        return self.position, 2 if self.event is None else int(self.line is not None)

    def to_json(self) -> Json:
        """Return the finding as a plain mapping."""
        names = ["kind", "thread", "event", "item_id", "problem", "instead", "position", "line"]
        json: Json = {name: getattr(self, name) for name in names}
        if self.difference is not None:
            json["path"] = path_text(self.difference.path)
            json |= two_sides(self.difference)
        return json


def two_sides(difference: Difference) -> Json:
    """Return both sides of a difference; of two texts the first characters that differ."""
    before, after = difference.before, difference.after
    if not (isinstance(before, str) and isinstance(after, str)):
        return {"updates": before, "done": after}
    common = common_prefix(before, after)
    return {
        "common": common,
        "updates": before[common : common + _PIECE],
        "done": after[common : common + _PIECE],
    }
