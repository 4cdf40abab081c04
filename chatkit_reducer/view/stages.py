"""What is not about items: progress, error, and the thread itself."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.json_values import only_json
from chatkit_reducer.core.thread.contents import Progress
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import ErrorEvent

__all__ = ["stage_of"]


def stage_of(state: ThreadState) -> dict[str, Any]:
    """Return what is not about items, as the data of a page have it."""
    contents = state.lagging_contents
    thread = contents.thread or {}
    status = thread.get("status")
    return {
        "progress": None if contents.progress is None else _progress(contents.progress),
        "error": None if contents.error is None else _error(contents.error),
        "title": _text(thread.get("title")),
        "thread": _text(thread.get("id")),
        "status": _text(status.get("type")) if isinstance(status, dict) else None,
        "options": only_json(contents.stream_options),
    }


def _progress(progress: Progress) -> dict[str, Any]:
    if progress.text is not None:
        return {"text": _text(progress.text), "icon": _text(progress.icon)}
    return {"item_id": _text(progress.item_id), "fraction": only_json(progress.fraction)}


def _error(error: ErrorEvent) -> dict[str, Any]:
    fields: dict[str, Any] = only_json(to_json(error))
    return {name: value for name, value in fields.items() if name != "type"}


def _text(value: object) -> str | None:
    return str(only_json(value)) if isinstance(value, str) else None
