"""The thread that was stored before a log: the file of `--stored`."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.cli.errors import cannot_read
from chatkit_reducer.cli.files import read_whole
from chatkit_reducer.core.codec import decode_json
from chatkit_reducer.core.items.base import is_list_of_objects
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import DecodeError
from chatkit_reducer.events import Json

__all__ = ["stored_thread"]

_MOST_STORED = 256 * 1024 * 1024


def stored_thread(name: str | None) -> ThreadState | None:
    """Read the thread in a file: a JSON list of items, or an object with `items` and `thread`.

    `thread` may be left out. A line that `replay --json` printed is such an object. Without a file
    there is no such thread.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    if name is None:
        return None
    data = read_whole(name, _MOST_STORED)
    try:
        value = decode_json(data)
    except DecodeError as error:
        raise cannot_read(name, str(error)) from None
    items, thread = _items_and_thread(value)
    if not is_list_of_objects(items):
        raise cannot_read(name, "it is neither a list of items, nor an object with `items`")
    return ThreadState.from_items(items, thread=thread)


def _items_and_thread(value: Any) -> tuple[Any, Json | None]:
    if not isinstance(value, dict):
        return value, None
    items, thread = value.get("items"), value.get("thread")
    if isinstance(items, dict):  # a page, as in a ChatKit thread
        items = items.get("data")
    if isinstance(thread, dict):
        return items, {name: field for name, field in thread.items() if name != "items"}
    if isinstance(thread, str):
        return items, {"id": thread}
    metadata = {name: field for name, field in value.items() if name not in ("items", "thread")}
    return items, metadata if isinstance(metadata.get("id"), str) else None
