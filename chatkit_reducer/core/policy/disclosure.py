"""Describe failed writes and their errors without quoting the conversation.

Ids and operations may go into a log; the text of a conversation may not. The errors of databases
and of validations often quote the value that they refuse. So the words of an error are left out if
they share a piece of text with the items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.verdict import Verdict, Write

__all__ = ["described", "discloses", "named", "texts_of", "writes_of"]

_PIECE = 12
"""So many equal characters in a row are a quotation."""

_LONGEST_ID = 80

_NAMES = frozenset({"id", "type", "thread_id", "created_at", "status", "call_id", "op"})
"""Fields that hold nothing of the conversation."""


def named(writes: Iterable[Write]) -> str:
    """Return the operations and ids of writes."""
    return ", ".join(f"{write.op} {_id(write.item.get('id'))}" for write in writes)


def _id(value: object) -> str:
    """Return an id so that it can be printed anywhere."""
    if not isinstance(value, str):
        return f"({type(value).__name__})"
    shown = ascii(value)[1:-1]
    return shown if len(shown) <= _LONGEST_ID else f"{shown[:_LONGEST_ID]}..."


def writes_of(settlement: Settlement | None) -> tuple[Write, ...]:
    """Return all writes, with those that no store can do; of a broken item, the id and the type."""
    if settlement is None:
        return ()
    try:
        return settlement.all_writes
    except Exception:  # noqa: BLE001  # an item that cannot be read must not hide the others
        writes = [_write_of(verdict) for verdict in settlement.verdicts]
        return tuple(write for write in writes if write is not None)


def _write_of(verdict: Verdict) -> Write | None:
    try:
        return verdict.write
    except Exception:  # noqa: BLE001  # see `writes_of`
        item = {"id": verdict.item.id, "type": verdict.item.type}
        return Write("add" if verdict.stored is None else "save", item)


def texts_of(settlement: Settlement | None, unwritten: Iterable[Write]) -> Iterator[str]:
    """Yield each text in the items of a settlement that was not committed."""
    writes = [*unwritten, *writes_of(settlement)]
    todo: list[Any] = [write.item for write in writes]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(inner for name, inner in value.items() if name not in _NAMES)
        elif isinstance(value, list | tuple):
            todo.extend(value)
        elif isinstance(value, str):
            yield value


def described(error: BaseException, texts: Iterable[str]) -> str:
    """Return an error in words; only its type, if its words quote one of these texts."""
    kind = type(error).__name__
    try:
        said = str(error)
    except Exception:  # noqa: BLE001  # an error may hold what cannot be printed
        return kind
    if not said or discloses(said, texts):
        return kind
    return f"{kind}: {said.encode(errors='backslashreplace').decode()}"


def discloses(said: str, texts: Iterable[str]) -> bool:
    """Return whether it quotes one of these texts, or a piece of one."""
    pieces = {said[at : at + _PIECE] for at in range(len(said) - _PIECE + 1)}
    return any(_is_quoted(text, said, pieces) for text in texts)


def _is_quoted(text: str, said: str, pieces: set[str]) -> bool:
    if len(text) < _PIECE:
        return len(text.strip()) > 3 and text.strip() in said
    return any(text[at : at + _PIECE] in pieces for at in range(len(text) - _PIECE + 1))
