"""The JSON of events, in which a text that is on a track is no more than a reference to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from chatkit_reducer.core.codec import decode_json, encode, to_json
from chatkit_reducer.core.errors import DecodeError, EncodeError
from chatkit_reducer.core.json_values import only_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.view.appended import Appended, Numbered

__all__ = ["Raws"]

_MARKS = frozenset("+='")
_DEEPEST = 100
_SHORT = 24
"""How long a text may be to stand there itself, though a track has it."""


class Raws:
    """The JSON of all events, each there once, by numbers."""

    def __init__(self) -> None:
        self._numbered: Numbered[bytes | str] = Numbered()
        self._deltas: dict[tuple[Any, ...], int] = {}

    @property
    def appended(self) -> Appended[Any]:
        """The JSON of events in the form that the data of a page has."""
        return self._numbered.appended

    def number(self, step: int, event: Event, texts: Callable[[], Mapping[str, int]]) -> int:
        """Return the number of the JSON of an event.

        Args:
            step: the step that the event leads to.
            event: the event.
            texts: asked for the texts that tracks have at this step, with the numbers of these.
        """
        form = _shortened(_json_of(event), texts)
        return self._numbered.number(step, _key(form), form)

    def number_of_delta(self, step: int, event: Any, track: int) -> int:
        """Return the number of the JSON of a text delta, all of which a track has gained."""
        update = event.update
        known = (track, event.item_id, *[getattr(update, name) for name in _others(update)])
        found = self._deltas.get(known)
        if found is None:
            form = to_json(event)
            form["update"]["delta"] = {"+": track}
            found = self._deltas[known] = self._numbered.number(step, _key(form), form)
        return found


def _others(update: Any) -> list[str]:
    return [name for name in update.__struct_fields__ if name not in ("delta", "extra")]


def _key(form: Any) -> bytes | str:
    try:
        return msgspec.json.encode(form)
    except UnicodeEncodeError:  # half of a character
        return json.dumps(form)


def _json_of(event: Event) -> Json:
    try:
        found: Json = decode_json(encode(event))
    except (DecodeError, EncodeError):
        found = only_json(to_json(event))
    return found


def _shortened(event: Json, texts: Callable[[], Mapping[str, int]]) -> Any:
    """Return the JSON of an event with references to tracks; a text, if it is nested deeply."""
    top: list[Any] = [event]
    tracks: Mapping[str, int] | None = None
    todo: list[tuple[Any, int]] = [(top, 0)]
    while todo:
        container, depth = todo.pop()
        if depth > _DEEPEST:
            return _written(event)
        for key, value in container.items() if type(container) is dict else enumerate(container):
            if type(value) is str and len(value) > _SHORT:
                tracks = texts() if tracks is None else tracks
                if value in tracks:
                    container[key] = {"=": tracks[value]}
            elif type(value) is dict:
                copy = value.copy()
                is_alike = len(copy) == 1 and _MARKS.issuperset(copy)
                container[key] = {"'": copy} if is_alike else copy
                todo.append((copy, depth + 1))
            elif type(value) is list:
                container[key] = value.copy()
                todo.append((container[key], depth + 1))
    return top[0]


def _written(event: Json) -> str:
    try:
        return msgspec.json.encode(event).decode()
    except (RecursionError, UnicodeEncodeError):
        pass
    try:
        return json.dumps(event)
    except RecursionError:
        return "(nested too deeply to be shown)"
