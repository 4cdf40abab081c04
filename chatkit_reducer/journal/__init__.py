"""Keep the events of a stream where they survive the process that streams them.

    journal = FileJournal("answers")       # on one machine; nothing to install
    await recover(journal, commit, policy=policies.KEEP, orphan=response)
    async for cursor, event in follow(journal, response, after=cursor): ...

`docs/journal.md` has the promises of each backend, and how to use it. Names are loaded when they
are used, so that no backend needs the libraries of another.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chatkit_reducer.journal.protocol import Conflict, Header, Journal, JournalError

if TYPE_CHECKING:
    from chatkit_reducer.journal.files import FileJournal
    from chatkit_reducer.journal.follow import follow
    from chatkit_reducer.journal.memory import MemoryJournal
    from chatkit_reducer.journal.postgres import PostgresJournal
    from chatkit_reducer.journal.recovery import Recovery, recover, recover_all
    from chatkit_reducer.journal.redis import RedisJournal
    from chatkit_reducer.journal.writer import JournalWriter

__all__ = [
    "Conflict",
    "FileJournal",
    "Header",
    "Journal",
    "JournalError",
    "JournalWriter",
    "MemoryJournal",
    "PostgresJournal",
    "Recovery",
    "RedisJournal",
    "follow",
    "recover",
    "recover_all",
]

_HOMES = {
    "FileJournal": "files",
    "JournalWriter": "writer",
    "MemoryJournal": "memory",
    "PostgresJournal": "postgres",
    "Recovery": "recovery",
    "RedisJournal": "redis",
    "follow": "follow",
    "recover": "recovery",
    "recover_all": "recovery",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
