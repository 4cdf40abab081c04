"""Items that no update touches.

Messages of users, tool calls, structured input, hidden context, the end of a turn, and every type
that this release does not know. Also an item whose content is not as its type demands: it is kept
as it came.
"""

from __future__ import annotations

from chatkit_reducer.core.items.base import ItemState

__all__ = ["OpaqueItem"]


class OpaqueItem(ItemState, frozen=True, gc=False, eq=False):
    """An item that changes only as a whole."""
