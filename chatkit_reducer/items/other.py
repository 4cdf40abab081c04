"""Items that no delta touches.

Messages of users, tool calls, structured input, tasks, hidden context, the end of a turn, and
every type that this release does not know. Also the place of an item whose content is not what its
type demands: it is kept as it came.
"""

from __future__ import annotations

from chatkit_reducer.items.base import ItemState

__all__ = ["OtherItem"]


class OtherItem(ItemState, frozen=True, gc=False, eq=False):
    """An item that changes only as a whole."""
