"""Questions about pages: do they show each item once, in both orders?"""

from __future__ import annotations

from chatkit.types import ThreadMetadata

from chatkit_reducer.testing.checks._store.report import Promise, Question
from chatkit_reducer.testing.checks._store.subject import Broken, OpenStore, Subject

_LIMITS = (1, 2, 3, 20)
_ITEMS = 7


async def pages(subject: Subject) -> None:
    """Turn the pages of a thread whose items have different times."""
    async with subject.open_store() as store:
        thread, items = await store.new_filled_thread(
            *(f"item {number}" for number in range(_ITEMS))
        )
        right = {"asc": [item.id for item in items], "desc": [item.id for item in items][::-1]}
        for order in ("asc", "desc"):
            for limit in _LIMITS:
                found = await _read_pages(store, thread, limit, order)
                _compare(found, right[order], f"with limit={limit} and order={order!r}")
                store.notes.count("listing")


async def equal_times(subject: Subject) -> None:
    """Turn the pages of a thread whose items all have one time."""
    async with subject.open_store() as store:
        thread, time = await store.new_thread(), store.next_time()
        items = [store.message(thread, f"item {n}", created_at=time) for n in range(_ITEMS)]
        for item in items:
            await store.add(thread, item)
        ids = [item.id for item in items]
        found = {}
        for order in ("asc", "desc"):
            for limit in (2, 20):
                found[order] = await _read_pages(store, thread, limit, order)
                when = f"of equal times, with limit={limit} and order={order!r}"
                _compare_sets(found[order], ids, when, Promise.EQUAL_TIMES)
        _note_order(store, ids, found["asc"], found["desc"])


def _note_order(store: OpenStore, right: list[str], asc: list[str], desc: list[str]) -> None:
    question = Question.EQUAL_TIMES
    if asc == right and desc == right[::-1]:
        store.notes.answers(question, "insertion", "is that of their writing")
        return
    cost = "A client tool call that has the time of another item may not be found as the newest"
    if asc == desc:
        text = "is the same in both orders"
        store.notes.answers(question, "not_mirrored", text, cost)
    else:
        store.notes.answers(question, "arbitrary", "is not that of their writing", cost)


async def _read_pages(
    store: OpenStore, thread: ThreadMetadata, limit: int, order: str
) -> list[str]:
    """Read page after page, as the SDK does, and list the ids of their items."""
    found: list[str] = []
    after: str | None = None
    for _ in range(2 * _ITEMS):
        page = await store.page(thread, after, limit, order)
        found += [item.id for item in page.data]
        if not page.has_more:
            return found
        after = page.after
        if after is None:
            raise Broken(Promise.PAGES, "has_more is true, and `after` is None")
    raise Broken(Promise.PAGES, f"with limit={limit}, has_more is true on page after page")


def _compare(found: list[str], right: list[str], when: str) -> None:
    _compare_sets(found, right, when, Promise.PAGES)
    if found == right[::-1]:
        raise Broken(Promise.PAGES, f"{when}, items stand in the opposite order")
    if found != right:
        raise Broken(Promise.PAGES, f"{when}, items stand in an order of their own")


def _compare_sets(found: list[str], right: list[str], when: str, promise: Promise) -> None:
    twice = len(found) - len(set(found))
    if twice:
        raise Broken(promise, f"{when}, the pages show {twice} of {len(right)} items again")
    lost = len(set(right) - set(found))
    if lost:
        raise Broken(promise, f"{when}, the pages do not show {lost} of {len(right)} items")
