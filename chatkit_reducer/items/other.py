"""Items that no delta touches.

Messages of users, tool calls, structured input, tasks, hidden context, the end of a turn, and
every type that this release does not know. Also the place of an item whose content is not what its
type demands: it is kept as it came.
"""

from __future__ import annotations

from chatkit_reducer.items.base import ItemState, Seen
from chatkit_reducer.items.workflow import at_rest

__all__ = ["OtherItem"]


class OtherItem(ItemState, frozen=True, gc=False, eq=False):
    """An item that changes only as a whole."""

    @property
    def seen(self) -> Seen:
        """A `task` is one task; what the assistant did not write is not counted."""
        return Seen(tasks=1) if self.type == "task" else Seen()

    def sealed(self) -> OtherItem:
        """A `task` that says `loading` says `none`."""
        task = self.json.get("task")
        if self.type != "task" or not isinstance(task, dict):
            return self
        rested = at_rest(task)
        return self if rested is task else OtherItem({**self.json, "task": rested})
