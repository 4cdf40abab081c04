"""Questions about writes that are cut off, and about writes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
from chatkit.types import AssistantMessageItem, ThreadMetadata

from chatkit_reducer.testing.checks._interruption import AwaitKind, Cut, CutKind, Raised
from chatkit_reducer.testing.checks._store.report import Promise, Question
from chatkit_reducer.testing.checks._store.subject import (
    Broken,
    Hung,
    OpenStore,
    Refused,
    Subject,
    describe_error,
    text_of,
)

_MOST_WAITS = 40
"""How many awaits of one write are tried. A write that retries by itself may have any number."""


@attrs.frozen(kw_only=True)
class _Write:
    """One kind of write, and the texts of a thread before it and after it."""

    method: str
    before: tuple[str, ...]
    after: tuple[str, ...]


_TEXTS = ("1", "2", "3")
_ADD = _Write(method="add_thread_item", before=_TEXTS, after=(*_TEXTS, "new"))
_SAVE = _Write(method="save_item", before=_TEXTS, after=("1", "3", "new"))
_DELETE = _Write(method="delete_thread_item", before=_TEXTS, after=("1", "3"))


async def cut_adds(subject: Subject) -> None:
    """Cut off an add at each of its awaits."""
    await _cut_everywhere(subject, _ADD)


async def cut_saves(subject: Subject) -> None:
    """Cut off a save at each of its awaits."""
    await _cut_everywhere(subject, _SAVE)


async def cut_deletes(subject: Subject) -> None:
    """Cut off a delete at each of its awaits."""
    await _cut_everywhere(subject, _DELETE)


async def _cut_everywhere(subject: Subject, write: _Write) -> None:
    for number, waiting in enumerate((await _waits(subject, write))[:_MOST_WAITS], 1):
        if waiting is AwaitKind.FOR_SOMETHING:
            await _cut_off(subject, write, Cut(CutKind.EXCEPTION, number))
        await _cut_off(subject, write, Cut(CutKind.CANCELLATION, number))


async def _waits(subject: Subject, write: _Write) -> list[AwaitKind]:
    """Write to the end, and see how often that waits."""
    async with subject.open_store() as store:
        call = await _prepare(store, write)
        try:
            return await store.commits.whole(call.run, _NOTHING)
        except Raised:  # perhaps for the first time only
            pass
    async with subject.open_store() as store:
        call = await _prepare(store, write)
        with suppress(Raised):
            await store.commits.whole(call.run, _NOTHING)
        return await _waits_again(store, call)


async def _waits_again(store: OpenStore, call: _Call) -> list[AwaitKind]:
    try:
        return await store.commits.whole(call.run, _NOTHING)
    except Raised as raised:
        problem = f"{call.write.method} raises {describe_error(raised.error)}"
        raise Broken(Promise.AGAIN, problem) from raised.error


async def _cut_off(subject: Subject, write: _Write, cut: Cut) -> None:
    subject.notes.count("point")
    when = f"after {write.method} {cut.kind} {cut.number}"
    async with subject.open_store() as store:
        call = await _prepare(store, write)
        has_raised = await store.commits.cut_off(call.run, _NOTHING, cut)
        found = await _read(store, call.thread, when)
        if found not in (write.before, write.after):
            raise Broken(Promise.WHOLE, f"{when}, the thread holds {_join(found)}", *call.details)
        if not has_raised and found != write.after:
            raise Broken(Promise.TELLS, f"{when}, nothing was raised, and nothing is written")
        await _again(store, call, f"{when}, the same write again", is_done=found == write.after)


async def _again(store: OpenStore, call: _Call, when: str, *, is_done: bool) -> None:
    """Write again, by the method that fits the items that the store has now."""
    name = call.write.method
    if is_done and name == "delete_thread_item":
        return
    if is_done and name == "add_thread_item":
        name = "save_item"
    try:
        await store.write(name, call.thread, call.argument)
    except Refused as refused:
        raise Broken(Promise.AGAIN, f"{when}: {refused}", *call.details) from refused
    except Hung as hung:
        raise Broken(Promise.AGAIN, f"{when}: {hung}", *call.details) from None
    found = await _read(store, call.thread, when)
    if found != call.write.after:
        raise Broken(Promise.AGAIN, f"{when}: the thread holds {_join(found)}", *call.details)


async def _read(store: OpenStore, thread: ThreadMetadata, when: str) -> tuple[str, ...]:
    try:
        # Another question is about their order.
        return tuple(sorted(text_of(item) for item in await store.list_items(thread)))
    except Refused as refused:
        raise Broken(Promise.AGAIN, f"{when}, {refused}") from refused
    except Hung as hung:
        raise Broken(Promise.AGAIN, f"{when}, {hung}") from None


@attrs.frozen(kw_only=True)
class _Call:
    write: _Write
    run: Callable[[Any], Any]
    """Writes; it ignores its argument."""
    thread: ThreadMetadata
    argument: Any

    @property
    def details(self) -> tuple[str, ...]:
        """The content of the thread before the write, and after it."""
        return (
            f"The thread held {_join(self.write.before)}.",
            f"It was to hold {_join(self.write.after)}.",
        )


_NOTHING: Any = None


async def _prepare(store: OpenStore, write: _Write) -> _Call:
    thread, items = await store.new_filled_thread(*write.before)
    argument: Any = items[1].id
    if write is _ADD:
        argument = store.message(thread, "new")
    elif write is _SAVE:
        new = store.message(thread, "new").content
        argument = items[1].model_copy(update={"content": new}, deep=True)
    method: Any = getattr(store.store, write.method)

    def run(_: Any) -> Any:
        return method(thread.id, argument, context=store.context)

    return _Call(write=write, run=run, thread=thread, argument=argument)


def _join(texts: tuple[str, ...]) -> str:
    return ", ".join(texts) or "nothing"


# --- two at once --------------------------------------------------------------------------------

_WRITERS = 5


async def at_once(subject: Subject) -> None:
    """Add several items at once, and then change several at once."""
    async with subject.open_store() as store:
        thread, first = await store.new_filled_thread("one", "two")
        new = [store.message(thread, f"new {number}") for number in range(_WRITERS)]
        calls = [("add_thread_item", item) for item in new]
        if await _all_at_once(store, thread, calls, {"one", "two"}):
            changed = [_with_new_text(store, thread, item) for item in (*first, *new)]
            await _all_at_once(store, thread, [("save_item", item) for item in changed], set())


def _with_new_text(
    store: OpenStore, thread: ThreadMetadata, item: AssistantMessageItem
) -> AssistantMessageItem:
    new = store.message(thread, f"again {text_of(item)}").content
    return item.model_copy(update={"content": new}, deep=True)


async def _all_at_once(
    store: OpenStore,
    thread: ThreadMetadata,
    calls: list[tuple[str, AssistantMessageItem]],
    others: set[str],
) -> bool:
    """Make all calls at once; return whether the store allows that."""
    results = await store.commits.in_time(partial(_gather, store, thread, calls))
    errors = [result for result in results if isinstance(result, Exception)]
    if errors:
        if Question.FIRST_TRY not in store.notes.traits:  # which has nothing to do with the others
            cost = "Make a store for each request, or give each call a session of its own"
            text = f"refuses a call while another one is under way: {describe_error(errors[0])}"
            store.notes.answers(Question.AT_ONCE, "one_at_a_time", text, cost)
        return False
    right = {text_of(item) for _, item in calls} | others
    lost = right - {text_of(item) for item in await store.list_items(thread)}
    if lost:
        number = len(calls)
        problem = f"of {number} calls of {calls[0][0]} at once, {len(lost)} left nothing"
        raise Broken(Promise.AT_ONCE, problem, f"It lacks {_join(tuple(sorted(lost)))}.")
    store.notes.answers(Question.AT_ONCE, "together", "all are carried out")
    return True


async def _gather(
    store: OpenStore, thread: ThreadMetadata, calls: list[tuple[str, AssistantMessageItem]]
) -> list[Any]:
    store_calls = [
        getattr(store.store, name)(thread.id, item, context=store.context) for name, item in calls
    ]
    return await asyncio.gather(*store_calls, return_exceptions=True)
