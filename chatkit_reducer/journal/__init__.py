"""Keep the events of a stream where they survive the process that streams them.

    journal = FileJournal("answers")       # on one machine; nothing to install
    await recover(journal, commit, policy=policies.KEEP, orphan=response)
    async for cursor, event in follow(journal, response, after=cursor): ...

`docs/journal.md` has the promises of each backend, and how to use it. Names are loaded when they
are used, so that no backend needs the libraries of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatkit_reducer._names import at_first_use
from chatkit_reducer.journal.protocol import Conflict, Header, Journal, JournalError

if TYPE_CHECKING:
    from chatkit_reducer.journal.files import FileJournal
    from chatkit_reducer.journal.following import follow
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
    "FileJournal": ".files",
    "JournalWriter": ".writer",
    "MemoryJournal": ".memory",
    "PostgresJournal": ".postgres",
    "Recovery": ".recovery",
    "RedisJournal": ".redis",
    "follow": ".following",
    "recover": ".recovery",
    "recover_all": ".recovery",
}


if not TYPE_CHECKING:  # or else a type checker would let any name pass
    __getattr__ = at_first_use(__name__, _HOMES)
