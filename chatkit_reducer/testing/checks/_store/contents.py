"""Questions about contents: do items come back as they were written?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chatkit.types import AssistantMessageItem, ThreadItem, ThreadMetadata

from chatkit_reducer.analysis.comparison import Difference, differences, path_text
from chatkit_reducer.events import Json
from chatkit_reducer.integrations.openai_chatkit import item_from_sdk
from chatkit_reducer.testing._text import two_sides
from chatkit_reducer.testing.checks._store.report import Promise, Question
from chatkit_reducer.testing.checks._store.samples import adapter, item_types, sample_items
from chatkit_reducer.testing.checks._store.subject import (
    Broken,
    Hung,
    OpenStore,
    Refused,
    Subject,
    is_item,
    text_of,
)

# --- all types ----------------------------------------------------------------------------------


async def types(subject: Subject, skipped: Iterable[str]) -> None:
    """Write items of each type, with everything that an item of the type can hold."""
    problems: dict[str, str] = {}
    for item_type in item_types():
        if item_type in skipped:
            continue
        async with subject.open_store() as store:
            try:
                await _items_of(store, item_type)
            except Hung:
                raise  # it says nothing about types
            except Broken as broken:
                problems[item_type] = broken.problem
            except Refused as refused:
                problems[item_type] = f"{item_type}: {refused}"
        subject.notes.count("item type")
    if problems:
        others = list(problems)[1:]
        details = [f"So it is with other types: {', '.join(others)}."] if others else []
        raise Broken(Promise.CONTENT, next(iter(problems.values())), *details)


async def _items_of(store: OpenStore, item_type: str) -> None:
    thread, items = await store.new_thread(), list[ThreadItem]()
    samples = sample_items(item_type)
    if not await _takes_attachments(store, thread, samples):
        samples = [{**sample, "attachments": []} for sample in samples]
    for sample in samples:
        items.append(_sdk_item(store, thread, sample))
        await store.add(thread, items[-1])
        store.notes.count("item")
    for item in items:
        _compare(store, item, await store.load(thread, item.id), "load_item")
    await store.save(thread, items[0])
    _compare(store, items[0], await store.load(thread, items[0].id), "after save_item, load_item")
    await _compare_list(store, thread, items)


def _sdk_item(store: OpenStore, thread: ThreadMetadata, sample: Json) -> ThreadItem:
    fields = {
        "id": store.new_id(_ID_KINDS.get(sample["type"], "message"), thread),
        "thread_id": thread.id,
        "created_at": store.next_time(),
    }
    item: ThreadItem = adapter().validate_python({**sample, **fields})
    return item


_ID_KINDS = {
    "client_tool_call": "tool_call",
    "workflow": "workflow",
    "task": "task",
    "sdk_hidden_context": "sdk_hidden_context",
}
"""The SDK's names of the kinds of items when it asks for an id: `chatkit.store.StoreItemType`."""


async def _takes_attachments(
    store: OpenStore, thread: ThreadMetadata, samples: Iterable[Json]
) -> bool:
    """Save the attachments of the samples, as the SDK does; return whether the store can."""
    for sample in samples:
        for attachment in sample.get("attachments", ()):
            item = adapter().validate_python(
                {**sample, "id": "i", "thread_id": thread.id, "created_at": store.next_time()}
            )
            saved = next(each for each in item.attachments if each.type == attachment["type"])
            try:
                await store.call("save_attachment", saved, context=store.context)
            except Refused:
                return False
    return True


async def _compare_list(store: OpenStore, thread: ThreadMetadata, items: list[ThreadItem]) -> None:
    listed = {item.id: item for item in await store.list_items(thread)}
    for item in items:
        _compare(store, item, listed.get(item.id), "load_thread_items")


def _compare(store: OpenStore, written: ThreadItem, found: Any, call: str) -> None:
    problem = difference(written, found)
    if problem is not None:
        raise Broken(Promise.CONTENT, f"{written.type}: {call} gives {problem}")
    _compare_times(store, written, found)


def difference(written: ThreadItem, found: Any) -> str | None:
    """Describe how an item differs from the written one, apart from the time."""
    if not is_item(found):
        return f"{found!r}, which is not an item"
    right, copy = _plain(written), _plain(found)
    different = differences(right, copy)
    # The SDK's own models drop some unknown fields of a widget when they read it again.
    if different and differences(_plain(_read_again(written)), copy):
        return _in_words(different[0])
    return None


def _plain(item: ThreadItem) -> Json:
    return {name: value for name, value in item_from_sdk(item).items() if name != "created_at"}


def _read_again(item: ThreadItem) -> ThreadItem:
    again: ThreadItem = adapter().validate_json(adapter().dump_json(item))
    return again


def _in_words(where: Difference) -> str:
    right, found = two_sides(where.before, where.after)
    return f"{found} instead of {right}, at {path_text(where.path)}"


def _compare_times(store: OpenStore, written: ThreadItem, found: ThreadItem) -> None:
    right, time = written.created_at, found.created_at
    if time == right:
        return
    if right in (time.replace(tzinfo=None), time.astimezone().replace(tzinfo=None)):
        answer, text = "zone", f"{right.isoformat()} comes back as {time.isoformat()}"
    elif abs((time.replace(tzinfo=None) - right).total_seconds()) < 1:
        answer, text = "rounded", f"{right.isoformat()} comes back as {time.isoformat()}"
    else:
        answer, text = "own", f"the store sets it: {right.isoformat()} is {time.isoformat()}"
    cost = "Do not order by created_at, of which several may be equal" if answer != "zone" else None
    store.notes.answers(Question.CREATED_AT, answer, text, cost)


# --- texts --------------------------------------------------------------------------------------

_LONG = 100_000


async def long_texts(subject: Subject) -> None:
    """Write a text that is longer than columns of some databases are."""
    async with subject.open_store() as store:
        thread, (short,) = await store.new_filled_thread("short")
        text = "0123456789" * (_LONG // 10 - 1) + "the end: é"
        longer = store.message(thread, text, item_id=short.id, created_at=short.created_at)
        for item, write in ((store.message(thread, text), store.add), (longer, store.save)):
            try:
                await write(thread, item)
                found = text_of(await store.load(thread, item.id))
            except Refused as refused:
                raise Broken(Promise.LONG_TEXT, f"of {_LONG:,} characters, {refused}") from refused
            if found not in (text, text_of(short)):  # whether a save works is asked elsewhere
                problem = f"a text of {_LONG:,} characters comes back with {len(found):,}"
                raise Broken(Promise.LONG_TEXT, problem)


async def strange_texts(subject: Subject) -> None:
    """Write texts that some databases refuse, and that some drivers change."""
    for question, text in ((Question.NUL, "before\0behind"), (Question.HALF_CHARACTER, "a\ud83d")):
        async with subject.open_store() as store:
            thread, _ = await store.new_filled_thread("an ordinary text")
            item = _with_text(store, thread, text)
            if item is None:
                continue
            await _try_text(store, thread, item, question)


def _with_text(store: OpenStore, thread: ThreadMetadata, text: str) -> AssistantMessageItem | None:
    try:
        return store.message(thread, text)
    except ValueError:
        return None  # no release of pydantic has to take it


async def _try_text(
    store: OpenStore, thread: ThreadMetadata, item: AssistantMessageItem, question: Question
) -> None:
    what, text = _NAMES[question], item.content[0].text
    cost = _COSTS[question]
    try:
        await store.add(thread, item)
    except Refused as refused:
        store.notes.answers(question, "refused", str(refused), cost)
        await _still_readable(store, thread, f"after a text with {what} was refused, ")
        return
    await _still_readable(store, thread, f"a text with {what} is accepted, and then ")
    found = await store.find(thread, item.id)
    if found is None:
        raise Broken(Promise.TEXTS, f"a text with {what} is accepted, and is not there then")
    if text_of(found) == text:
        store.notes.answers(question, "kept", "comes back as it was written")
    elif "behind" in text and "behind" not in text_of(found):
        raise Broken(Promise.TEXTS, f"a text is cut off at {what}")
    else:
        store.notes.answers(question, "changed", f"{text!r} comes back as {text_of(found)!r}")


async def _still_readable(store: OpenStore, thread: ThreadMetadata, when: str) -> None:
    try:
        await store.list_items(thread)
    except Refused as refused:
        raise Broken(Promise.TEXTS, f"{when}{refused}") from refused


_NAMES = {Question.NUL: "a NUL", Question.HALF_CHARACTER: "half a character (a lone surrogate)"}
_COSTS = {
    Question.NUL: "An answer that holds one is not written, and the server reports that",
    Question.HALF_CHARACTER: "It costs nothing: ReducerChatKitServer writes U+FFFD in its place",
}


# --- objects ------------------------------------------------------------------------------------


async def objects(subject: Subject) -> None:
    """Change an object that the store was given, and one that it has given."""
    async with subject.open_store() as store:
        thread, (item,) = await store.new_filled_thread("as it was")
        ways: tuple[tuple[str, Callable[[], Any]], ...] = (
            ("that it was given", lambda: _itself(item)),
            ("that load_item gives", lambda: store.load(thread, item.id)),
            ("that load_thread_items gives", lambda: _first_of(store, thread)),
        )
        for which, get in ways:
            held = await get()
            held.content[0].text = "changed"
            if text_of(await store.load(thread, item.id)) == "changed":
                cost = "A later change to it changes the stored item, without a save"
                text = f"the store holds the very object {which}"
                store.notes.answers(Question.OBJECTS, "shared", text, cost)
                return
        store.notes.answers(Question.OBJECTS, "copied", "the store holds copies")


async def _itself(item: Any) -> Any:
    return item


async def _first_of(store: OpenStore, thread: ThreadMetadata) -> Any:
    return (await store.list_items(thread))[0]
