"""What each policy decides at each step: cases and rows by numbers, and where no marker is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.table import Case, Cause, Content, Marker, Origin, Policy, Row
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.view.appended import Numbered

__all__ = ["Decisions", "Kind"]

_CAUSES = list(Cause)


class Kind(NamedTuple):
    """An item in flight, as far as a policy looks at it."""

    type: str
    origin: Origin
    content: Content
    id: str
    is_no_news: bool
    """Whether its base shows all of it."""


class Decisions:
    """The decisions of several policies.

    Args:
        policies: the tables.
    """

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._policies = tuple(policies)
        self.names_ids: bool = any(policy.names_ids for policy in policies)
        """Whether any of them looks at ids."""
        self._cases: Numbered[Kind] = Numbered()
        self._rows: list[list[list[int]]] = [[] for _ in policies]
        self._held: list[list[list[list[int | None]]]] = [[[] for _ in Cause] for _ in policies]
        self._is_held = False

    def case(self, step: int, kind: Kind) -> int:
        """Return the number of a case."""
        if kind not in self._cases:
            for policy, rows in zip(self._policies, self._rows, strict=True):
                rows.append([_row(policy, kind, cause) for cause in _CAUSES])
        form = [kind.type, str(kind.origin), str(kind.content), kind.id, int(kind.is_no_news)]
        return self._cases.number(step, kind, form)

    def note_markers(self, step: int, state: ThreadState, *, may_wait: bool) -> None:
        """Note which markers a stop at this step would leave.

        Args:
            step: the step.
            state: the thread at this step.
            may_wait: whether there is a client tool call without an output, without which every
                marker is left.
        """
        if not may_wait and not self._is_held:
            return
        self._is_held = False
        for policy, held in zip(self._policies, self._held, strict=True):
            for cause, runs in zip(_CAUSES, held, strict=True):
                if policy.marker is not None and cause in policy.marker.causes:
                    is_left = settle(state, policy=policy, cause=cause).marker is not None
                    self._is_held = self._is_held or not is_left
                    _note(runs, step, is_held=not is_left)

    def data(self) -> tuple[list[Any], list[dict[str, Any]]]:
        """Return the cases and the policies, as the data of a page have them."""
        policies = [
            {**_table(policy), **parts}
            for policy, parts in zip(self._policies, self._parts(0), strict=True)
        ]
        return self._cases.appended.values.copy(), policies

    def since(self, step: int) -> tuple[list[Any], list[dict[str, Any]]]:
        """Return the cases after a step, and for each policy what an increment has."""
        return self._cases.appended.since(step), self._parts(self._cases.appended.first_after(step))

    def _parts(self, first: int) -> list[dict[str, Any]]:
        return [
            {
                "d": [row.copy() for row in rows[first:]],
                "held": [[run.copy() for run in runs] for runs in held],
            }
            for rows, held in zip(self._rows, self._held, strict=True)
        ]


def _row(policy: Policy, kind: Kind, cause: Cause) -> int:
    if kind.is_no_news:
        return -1
    case = Case(kind.type, kind.origin, kind.content, cause, kind.id)
    return policy.rows.index(policy.row_for(case))


def _note(runs: list[list[int | None]], step: int, *, is_held: bool) -> None:
    is_open = bool(runs) and runs[-1][1] is None
    if is_held and not is_open:
        runs.append([step, None])
    elif is_open and not is_held:
        runs[-1][1] = step


def _table(policy: Policy) -> dict[str, Any]:
    rows = [_row_data(row) for row in policy.rows]
    marker = None if policy.marker is None else _marker(policy.marker)
    return {"name": policy.name, "about": policy.about, "rows": rows, "marker": marker}


def _row_data(row: Row) -> list[str]:
    values = [row.origin, row.content, row.cause, row.decision]
    return [row.item, *map(str, values), row.reason, row.id]


def _marker(marker: Marker) -> dict[str, Any]:
    causes = [number for number, cause in enumerate(_CAUSES) if cause in marker.causes]
    return {"content": marker.content, "item": marker.item, "causes": causes}
