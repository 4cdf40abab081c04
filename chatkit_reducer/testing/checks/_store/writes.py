"""Questions about writes, deletes and look-ups, and about the places of items."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from chatkit.store import NotFoundError, StoreItemType
from chatkit.types import ThreadItem, ThreadMetadata

from chatkit_reducer.testing.checks._store.contents import difference
from chatkit_reducer.testing.checks._store.report import Promise, Question
from chatkit_reducer.testing.checks._store.subject import (
    Broken,
    OpenStore,
    Refused,
    Subject,
    describe_error,
    text_of,
)


async def ids(subject: Subject) -> None:
    """Ask for two ids of each kind."""
    async with subject.open_store() as store:
        thread = await store.new_thread()
        for kind in get_args(StoreItemType):
            if kind not in ("thread", "attachment"):
                _two_ids(store, kind, thread)


def _two_ids(store: OpenStore, kind: Any, thread: ThreadMetadata) -> None:
    made: list[Any] = []
    for _ in range(2):
        try:
            made.append(store.store.generate_item_id(kind, thread, store.context))
        except Exception as error:
            problem = f"generate_item_id({kind!r}, ...) raises {describe_error(error)}"
            raise Broken(Promise.IDS, problem) from error
    if not all(isinstance(each, str) for each in made):
        raise Broken(
            Promise.IDS, f"generate_item_id({kind!r}, ...) gives {made[0]!r}, and not a str"
        )
    if made[0] == made[1]:
        raise Broken(Promise.IDS, f"generate_item_id({kind!r}, ...) gives {made[0]!r} each time")


async def opens(subject: Subject) -> None:
    """Save a thread, load it, and write the first item."""
    try:
        async with subject.open_store() as store:
            thread = await store.new_thread()
            loaded = await store.call("load_thread", thread.id, context=store.context)
            if getattr(loaded, "id", None) != thread.id:
                raise Broken(Promise.OPENS, f"load_thread gives {loaded!r}")
            item = store.message(thread, "the first item")
            await store.add(thread, item)
            await store.load(thread, item.id)
            await store.list_items(thread)
    except Refused as refused:
        raise Broken(Promise.OPENS, str(refused)) from refused


# --- look-ups -----------------------------------------------------------------------------------


async def look_ups(subject: Subject) -> None:
    """Look for an item that is there, for one that is not, and for one of another thread."""
    async with subject.open_store() as store:
        thread, items = await store.new_filled_thread("one", "two")
        other, _ = await store.new_filled_thread("elsewhere")
        for item in items:
            found = await store.load(thread, item.id)
            if getattr(found, "id", None) != item.id:
                raise Broken(Promise.LOOK_UP, f"load_item({item.id!r}) gives {found!r}")
        await _unknown_id(store, thread)
        if await store.find(other, items[0].id) is not None:
            text = "load_item gives an item of another thread"
            store.notes.answers(Question.ID_OF_ANOTHER_THREAD, "found", text)


async def _unknown_id(store: OpenStore, thread: ThreadMetadata) -> None:
    cost = "ReducerChatKitServer takes any failed look-up for that: an error of the database too"
    item_id = store.new_id("message", thread)
    try:
        found = await store.load(thread, item_id)
    except Refused as refused:
        if isinstance(refused.error, NotFoundError):
            store.notes.answers(Question.UNKNOWN_ID, "not_found", "raises NotFoundError")
        else:
            store.notes.answers(Question.UNKNOWN_ID, "raises", str(refused), cost)
        return
    if found is not None:
        raise Broken(Promise.LOOK_UP, f"load_item of an id that is not there gives {found!r}")
    store.notes.answers(Question.UNKNOWN_ID, "none", "load_item gives None", cost)


# --- ids that are there, or not -----------------------------------------------------------------


async def known_ids(subject: Subject) -> None:
    """Add an item a second time."""
    question, cost = Question.ADD_OF_A_KNOWN_ID, "ReducerChatKitServer looks up before such an add"
    async with subject.open_store() as store:
        thread, (first, last) = await store.new_filled_thread("first", "last")
        again = first.model_copy(
            update={"content": store.message(thread, "second").content}, deep=True
        )
        try:
            await store.add(thread, again)
            answer, text = "", ""
        except Refused as refused:
            answer, text = "refused", str(refused)
        copies = await _copies(store, thread, first.id, after="an add of an item that was there")
        await _is_there(store, thread, [last], "an add of an item that was there")
        if answer and copies != ["first"]:
            raise Broken(Promise.WHOLE, f"{text}, and yet the item is {copies} then")
        if not answer:
            answer, text = _answer_to_add(copies)
        store.notes.answers(question, answer, text, cost)


def _answer_to_add(copies: list[str]) -> tuple[str, str]:
    if len(copies) > 1:
        return "doubled", f"the item is there {len(copies)} times then"
    if not copies:
        raise Broken(Promise.WHOLE, "an item that is added again is gone")
    if copies == ["second"]:
        return "replaced", "takes the place of the one that is there"
    return "ignored", "leaves the one that is there, and raises nothing"


async def _copies(
    store: OpenStore, thread: ThreadMetadata, item_id: str, *, after: str
) -> list[str]:
    """Read the texts of all items with an id."""
    try:
        listed = await store.list_items(thread)
    except Refused as refused:
        raise Broken(Promise.AGAIN, f"after {after}, {refused}") from refused
    return [text_of(item) for item in listed if item.id == item_id]


async def unknown_ids(subject: Subject) -> None:
    """Save and delete items that are not there."""
    async with subject.open_store() as store:
        thread, items = await store.new_filled_thread("one", "two")
        await _save_unknown(store, thread)
        await _is_there(store, thread, items, "a save of an item that was not there")
    async with subject.open_store() as store:
        thread, items = await store.new_filled_thread("one", "two")
        await _delete_unknown(store, thread)
        await _is_there(store, thread, items, "a delete of an item that was not there")


async def _save_unknown(store: OpenStore, thread: ThreadMetadata) -> None:
    question, item = Question.SAVE_OF_AN_UNKNOWN_ID, store.message(thread, "three")
    cost = "ReducerChatKitServer looks up before such a save"
    try:
        await store.save(thread, item)
    except Refused as refused:
        store.notes.answers(question, "refused", str(refused), cost)
        return
    copies = await _copies(store, thread, item.id, after="a save of an item that was not there")
    if copies:
        back = "What was deleted meanwhile would come back: ReducerChatKitServer looks up before"
        store.notes.answers(question, "added", "adds the item", back)
    else:
        store.notes.answers(question, "ignored", "writes nothing, and raises nothing", cost)


async def _delete_unknown(store: OpenStore, thread: ThreadMetadata) -> None:
    question = Question.DELETE_OF_AN_UNKNOWN_ID
    try:
        await store.delete(thread, store.new_id("message", thread))
    except Refused as refused:
        store.notes.answers(question, "refused", str(refused))
    else:
        store.notes.answers(question, "ignored", "does nothing")


async def _is_there(
    store: OpenStore, thread: ThreadMetadata, items: Iterable[ThreadItem], after: str
) -> None:
    """Check that other items are as they were."""
    for item in items:
        try:
            found = await store.load(thread, item.id)
        except Refused as refused:
            raise Broken(Promise.AGAIN, f"after {after}, of another item {refused}") from refused
        problem = difference(item, found)
        if problem is not None:
            raise Broken(Promise.WHOLE, f"after {after}, another item has {problem}")


async def ids_made_elsewhere(subject: Subject) -> None:
    """Write an item whose id another library has made, as the Responses API does."""
    async with subject.open_store() as store:
        thread = await store.new_thread()
        item_id = f"msg_{uuid.uuid4().hex}{uuid.uuid4().hex[:16]}"
        try:
            await store.add(thread, store.message(thread, "text", item_id=item_id))
        except Refused as refused:
            cost = "stream_agent_response passes on the ids of the model: these are not written"
            store.notes.answers(Question.ID_MADE_ELSEWHERE, "refused", str(refused), cost)
        else:
            store.notes.answers(Question.ID_MADE_ELSEWHERE, "taken", f"takes {item_id[:12]}...")


# --- places -------------------------------------------------------------------------------------


async def saves(subject: Subject) -> None:
    """Save the items of a thread again, one after the other, and see where they stand."""
    async with subject.open_store() as store:
        thread, items = await store.new_filled_thread("one", "two", "three")
        before = [item.id for item in items]
        for item in items:
            changed = item.model_copy(
                update={"content": store.message(thread, "new " + text_of(item)).content}
            )
            await store.save(thread, changed)
            found = await store.load(thread, item.id)
            if text_of(found) != text_of(changed):
                raise Broken(Promise.SAVE, "after a save, load_item gives the item as it was")
            listed = await store.list_items(thread)
            if [each.id for each in listed] != before:
                where = _where(listed, before, item.id)
                raise Broken(Promise.PLACE, f"a save moves an item {where}")
            if [text_of(each) for each in listed if each.id == item.id] != [text_of(changed)]:
                raise Broken(
                    Promise.SAVE, "after a save, load_thread_items gives the item as it was"
                )


def _where(listed: Sequence[ThreadItem], before: Sequence[str], item_id: str) -> str:
    now = [item.id for item in listed]
    if sorted(now) != sorted(before):
        return f"or makes {len(now)} items of {len(before)}"
    return f"from place {before.index(item_id) + 1} of {len(before)} to {now.index(item_id) + 1}"


async def deletes(subject: Subject) -> None:
    """Delete an item, and add it again."""
    async with subject.open_store() as store:
        thread, (one, two, three) = await store.new_filled_thread("one", "two", "three")
        await store.delete(thread, two.id)
        left = [item.id for item in await store.list_items(thread)]
        if two.id in left or await store.find(thread, two.id) is not None:
            raise Broken(Promise.DELETE, "an item that was deleted is there")
        if left != [one.id, three.id]:
            raise Broken(Promise.DELETE, f"of 3 items {len(left)} are there when one was deleted")
        try:
            await store.add(thread, two)
        except Refused as refused:
            cost = "Items in flight before a waiting client tool call cannot be put before it"
            store.notes.answers(Question.DELETED_ID, "taken", str(refused), cost)
            return
        if two.id not in [item.id for item in await store.list_items(thread)]:
            raise Broken(Promise.DELETE, "an item that is added again when it was deleted is gone")
        store.notes.answers(Question.DELETED_ID, "free", "can be added again")


async def order(subject: Subject) -> None:
    """Add an item that is older than the one before it."""
    async with subject.open_store() as store:
        thread = await store.new_thread()
        old, middle, new = (store.next_time() for _ in range(3))
        items = [store.message(thread, "a", created_at=time) for time in (middle, old, new)]
        for item in items:
            await store.add(thread, item)
        found = [item.id for item in await store.list_items(thread)]
        if found == [item.id for item in items]:
            cost = "To get an item in front of a waiting client tool call takes deletes and adds"
            store.notes.answers(Question.ORDER, "insertion", "is that of the first writing", cost)
        elif found == [items[1].id, items[0].id, items[2].id]:
            store.notes.answers(Question.ORDER, "created_at", "is that of created_at")
        else:
            raise Broken(
                Promise.PAGES,
                "items stand neither in the order of their writing nor in that of created_at",
            )


# --- threads ------------------------------------------------------------------------------------


async def threads(subject: Subject) -> None:
    """Write to two threads, use one id in both, and delete one of them."""
    async with subject.open_store() as store:
        one, (first,) = await store.new_filled_thread("one")
        two, (second,) = await store.new_filled_thread("two")
        await _only(store, one, [first.id])
        await _only(store, two, [second.id])
        await _same_id(store, one, two, first)
    async with subject.open_store() as store:
        one, (first,) = await store.new_filled_thread("one")
        two, _ = await store.new_filled_thread("two")
        try:
            await store.call("delete_thread", two.id, context=store.context)
        except Refused:
            return  # not every application deletes threads
        await _only(store, one, [first.id])


async def _only(store: OpenStore, thread: ThreadMetadata, right: list[str]) -> None:
    found = [item.id for item in await store.list_items(thread)]
    if found != right:
        raise Broken(Promise.THREADS, f"a thread with 1 item lists {len(found)}, beside another")


async def _same_id(
    store: OpenStore, one: ThreadMetadata, two: ThreadMetadata, first: ThreadItem
) -> None:
    question = Question.ID_OF_ANOTHER_THREAD
    try:
        await store.add(two, store.message(two, "same id", item_id=first.id))
    except Refused as refused:
        store.notes.answers(question, "refused", str(refused))
        return
    if [item.id for item in await store.list_items(one)] == [first.id] and text_of(
        await store.load(one, first.id)
    ) == "one":
        store.notes.answers(question, "separate", "each thread has its own")
        return
    cost = (
        "With Chat Completions in the Agents SDK all messages have the id __fake_id__: one thread "
        "takes them from another"
    )
    store.notes.answers(question, "overwritten", "writes over the item of the other thread", cost)
