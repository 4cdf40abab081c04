"""Write a settlement to the store of the SDK: one item after another, with retries.

The marker is written last, and only if all items are. It says that the answer in front of it was
stopped. So it must stand behind that answer, also if the application writes the answer later, from
`commit_failed`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from chatkit.types import ThreadItem

from chatkit_reducer.core.json_values import equal_ignoring_nulls
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import WriteErrors
from chatkit_reducer.events import Json
from chatkit_reducer.integrations.openai_chatkit._call_order import Lost, keep_call_newest
from chatkit_reducer.integrations.openai_chatkit._conversion import readable_item
from chatkit_reducer.integrations.openai_chatkit._marker import is_unreadable, remove_unreadable
from chatkit_reducer.integrations.openai_chatkit._persistence import persist
from chatkit_reducer.integrations.openai_chatkit._shielding import run_to_its_end
from chatkit_reducer.integrations.openai_chatkit._store_access import NoAnswerError, ThreadStore

__all__ = ["SettlementWriter"]

Failed: TypeAlias = list[tuple[Write, Exception]]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

_SHARE = 0.9
"""The part of the commit's time that the writes may use: the rest is for saying what failed."""

_MOVE_LIMIT = 5.0
"""How long moving a client tool call may go on after it was cancelled, in seconds."""


class SettlementWriter:
    """Writer of the settlement of one response; a second call writes the rest."""

    def __init__(
        self,
        store: ThreadStore,
        as_sdk_item: Callable[[Json], ThreadItem],
        limit: float | None,
        *,
        is_repeated: bool = False,
    ) -> None:
        """Make a writer.

        Args:
            store: the items of the thread.
            as_sdk_item: converts an item to the SDK's.
            limit: how long a commit may take, in seconds.
            is_repeated: whether a process that died may have written some of it: each item is
                looked up first, and one that the store has in full stays.
        """
        self._is_repeated = is_repeated
        self._store = store
        self._as_sdk_item = as_sdk_item
        self._limit = limit
        self._written: dict[str, ThreadItem] = {}
        self._tried: set[str] = set()
        self._new: set[str] = set()
        """The items that the store did not have before they were first tried."""
        self._call_is_newest = False

    async def commit(self, settlement: Settlement) -> None:
        """Write the parts of a settlement that are not written yet.

        Raises:
            WriteErrors: some of it could not be written.
        """
        now = asyncio.get_running_loop().time
        end = None if self._limit is None else now() + self._limit * _SHARE
        while True:
            failed = await self._write_all(settlement, end)
            hung = any(isinstance(error, TimeoutError) for _, error in failed)
            if not hung or end is None or now() >= end:
                break  # else the others have left some time
        if failed:
            raise WriteErrors(failed, retry=False)

    async def _write_all(self, settlement: Settlement, end: float | None) -> Failed:
        marker = settlement.marker_item
        writes = [write for write in settlement.writes if write.item["id"] not in self._written]
        items = [write for write in writes if marker is None or write.item["id"] != marker["id"]]
        failed: Failed = []
        for number, write in enumerate(items):
            await self._try(write, failed, _share_of(end, len(writes) - number))
        failed += await self._keep_call_newest(settlement, end)
        if marker is None or marker["id"] in self._written:
            return failed
        if is_unreadable(self._store.kind, marker["type"]):
            return failed  # another response has found out meanwhile
        write = Write("add", marker)
        if failed:
            error = RuntimeError("the marker is not written, because items before it are not")
            return [*failed, (write, error)]
        self._new.add(marker["id"])
        await self._try(write, failed, end)
        if not failed:
            await self._check_marker(marker, end)
        return failed

    async def _check_marker(self, marker: Json, end: float | None) -> None:
        try:
            async with asyncio.timeout_at(end):
                await remove_unreadable(self._store, marker["id"], marker["type"])
        except TimeoutError:
            logger.warning("Whether marker %s can be read took too long to find out.", marker["id"])

    async def _try(self, write: Write, failed: Failed, end: float | None) -> None:
        """Write an item, until that time; note a failure, which must not stop the others."""
        try:
            item = self._as_sdk_item(write.item)
            async with asyncio.timeout_at(end):
                await persist(lambda: self._write(write, item))
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # it is reported
            failed.append((write, _as_exception(error)))
        else:
            self._written[item.id] = item

    async def _write(self, write: Write, item: ThreadItem) -> None:
        op: str | None = write.op
        if self._is_repeated:
            op = await self._left_by_the_dead(write)
        elif item.id in self._tried:
            op = await self._still_to_do(write)
        elif self._store.answer_about(item.id) is False:
            self._new.add(item.id)
        self._tried.add(item.id)
        if op == "add":
            await self._store.add(item)
        elif op == "save":
            await self._store.save(item)

    async def _still_to_do(self, write: Write) -> str | None:
        """Return the operation that is left after a write that failed or was cut off, if any."""
        item_id = write.item["id"]
        try:
            there = await self._store.find(item_id)
        except NoAnswerError:
            return write.op
        if there is None:
            return "add" if write.op == "add" else None  # deleted meanwhile: gone means gone
        if equal_ignoring_nulls(readable_item(there), write.item):
            return None
        if write.op == "save" or item_id in self._new:
            return "save"
        raise ValueError(f"the store has another item with the id {item_id}, which stays")

    async def _left_by_the_dead(self, write: Write) -> str | None:
        """Return the operation that is left after a process that died in the middle, if any.

        Raises:
            NoAnswerError: the store does not say; a later attempt may hear more.
        """
        try:
            there = await self._store.find(write.item["id"])
        except NoAnswerError as error:
            if isinstance(error.__cause__, LookupError):  # the dead would have written it lately
                return write.op
            raise
        if there is None:
            return "add" if write.op == "add" else None  # deleted meanwhile: gone means gone
        stored = readable_item(there)
        if equal_ignoring_nulls(stored, write.item) or write.op == "add":
            return None
        return None if _adds_nothing(write.item, stored) else "save"

    async def _keep_call_newest(self, settlement: Settlement, end: float | None) -> Failed:
        """Move a call that waits for its output behind the items that were written.

        Returns:
            The writes of items that the store has lost meanwhile, with the errors.
        """
        before = {w.item["id"]: w for w in settlement.writes if w.before is not None}
        added = [item for item_id in before if (item := self._written.get(item_id)) is not None]
        call_id = next((write.before for write in before.values()), None)
        if call_id is None or not added or self._call_is_newest:
            return []
        lost: Lost = []

        async def move() -> None:
            lost.extend(await keep_call_newest(self._store, call_id, added))

        try:
            async with asyncio.timeout_at(end):
                await run_to_its_end(move, _MOVE_LIMIT)
        except Exception:
            logger.exception(
                "Whether anything stands behind client tool call %s, which waits for its output, "
                "cannot be found out: see below.",
                call_id,
            )
        self._call_is_newest = True
        for item, _ in lost:
            self._written.pop(item.id, None)
        return [(before.get(i.id) or Write("add", readable_item(i)), error) for i, error in lost]


def _adds_nothing(item: Json, stored: Json) -> bool:
    """Return whether the stored copy of an item has all that this one has."""
    item_id = item["id"]
    ours, theirs = (ThreadState.from_items([each]).items[item_id] for each in (item, stored))
    return ours.adds_nothing_to(theirs)


def _share_of(end: float | None, count: int) -> float | None:
    """Return the time at which the first of `count` writes has to end."""
    if end is None:
        return None
    now = asyncio.get_running_loop().time()
    return now + max(end - now, 0.0) / count


def _as_exception(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(f"the store raised {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped
