"""`check_store` says which promises a store breaks, and nothing of a store that breaks none."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")
    from chatkit.types import Page, ThreadItem, ThreadMetadata

    from chatkit_reducer.integrations.openai_chatkit import item_from_sdk
    from chatkit_reducer.testing.chatkit_server import SuspendingStore
    from chatkit_reducer.testing.checks._store.contents import difference
    from chatkit_reducer.testing.checks._store.samples import adapter, item_types, sample_items
    from tests.support import misbehaving_stores as stores
    from tests.support.misbehaving_stores import MISBEHAVING, SoundStore

from chatkit_reducer.testing.checks import (
    Promise,
    Question,
    StoreReport,
    check_store,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What a stop over a broken store logs is of no interest here."""
    caplog.set_level(logging.CRITICAL)


def failure(store: Callable[..., Any], **options: Any) -> str:
    """What the check says of a store that breaks a promise."""
    with pytest.raises(AssertionError) as caught:
        check_store(store, **options)
    return str(caught.value)


def report_on(store: Callable[..., Any], *known: Promise, timeout: float = 0.3) -> StoreReport:
    return check_store(store, ignore=known, timeout=timeout)


# --- the stores that misbehave ------------------------------------------------------------------

BROKEN: dict[str, tuple[set[Promise], str]] = {
    "DeadConnectionStore": ({Promise.CALLS}, "add_thread_item raises ConnectionError"),
    "FieldDroppingStore": ({Promise.CONTENT}, "at quoted_text"),
    "HalfWritingStore": ({Promise.WHOLE}, "after save_item was cancelled at await 1"),
    "HangingLoadStore": ({Promise.IN_TIME}, "load_item does not come to its end"),
    "HangingStore": ({Promise.IN_TIME}, "save_item does not come to its end"),
    "LockKeepingStore": ({Promise.AGAIN}, "was cancelled at await 1, the same write again"),
    "LosesEqualTimesStore": ({Promise.EQUAL_TIMES}, "the pages do not show 5 of 7 items"),
    "LosingUpdatesStore": ({Promise.AT_ONCE}, "of 5 calls of add_thread_item at once, 4 left"),
    "MovingSaveStore": ({Promise.PLACE}, "a save moves an item from place 1 of 3 to 3"),
    "NewestTimeStore": ({Promise.PLACE}, "a save moves an item from place 1 of 3 to 3"),
    "NoHiddenContextStore": ({Promise.CONTENT}, "sdk_hidden_context: load_item raises Validation"),
    "NulCutStore": ({Promise.TEXTS}, "a text is cut off at a NUL"),
    "OneOrderStore": ({Promise.PAGES}, "order='desc', items stand in the opposite order"),
    "OnePageStore": ({Promise.PAGES}, "the pages do not show 6 of 7 items"),
    "ReadsHalfCharactersAsErrorsStore": ({Promise.TEXTS}, "half a character (a lone surrogate) is"),
    "TruncatingStore": ({Promise.LONG_TEXT}, "of 100,000 characters comes back with 4,000"),
    "TwoStepAddStore": ({Promise.AGAIN}, "after add_thread_item was cancelled at await 1, load_"),
    "UuidObjectStore": ({Promise.IDS}, "generate_item_id('message', ...) gives UUID("),
}
"""The promises that a store breaks, and what is said of the first of them."""

ANSWERS: dict[str, tuple[Question, str]] = {
    "AliasingStore": (Question.OBJECTS, "shared"),
    "ByTimeStore": (Question.ORDER, "created_at"),
    "CopyingStore": (Question.ADD_OF_A_KNOWN_ID, "doubled"),
    "FlakyStore": (Question.FIRST_TRY, "fails"),
    "IgnoringAddStore": (Question.ADD_OF_A_KNOWN_ID, "ignored"),
    "KeyErrorStore": (Question.UNKNOWN_ID, "raises"),
    "KilledConnectionStore": (Question.FIRST_TRY, "fails"),
    "NoneStore": (Question.UNKNOWN_ID, "none"),
    "NotMirroredStore": (Question.EQUAL_TIMES, "not_mirrored"),
    "NulRefusingStore": (Question.NUL, "refused"),
    "OneAtATimeStore": (Question.AT_ONCE, "one_at_a_time"),
    "OwnErrorStore": (Question.UNKNOWN_ID, "raises"),
    "OwnTimesStore": (Question.CREATED_AT, "own"),
    "PrimaryKeyStore": (Question.ADD_OF_A_KNOWN_ID, "refused"),
    "SilentSaveStore": (Question.SAVE_OF_AN_UNKNOWN_ID, "ignored"),
    "SlowStore": (Question.SPEED, "slow"),
    "StrictSaveStore": (Question.SAVE_OF_AN_UNKNOWN_ID, "refused"),
    "TimestampStore": (Question.CREATED_AT, "rounded"),
    "TombstoneStore": (Question.DELETED_ID, "taken"),
    "UuidStore": (Question.ID_MADE_ELSEWHERE, "refused"),
    "ValueErrorStore": (Question.UNKNOWN_ID, "raises"),
}
"""What a store does that breaks no promise, where the sound one does something else."""


def test_each_store_that_misbehaves_is_listed_once() -> None:
    assert sorted([*BROKEN, *ANSWERS]) == sorted(MISBEHAVING)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_promise_is_found(name: str) -> None:
    promises, said = BROKEN[name]
    message = failure(MISBEHAVING[name], timeout=0.3)
    assert message.startswith(f"{name} breaks ")
    assert said in " ".join(message.split())
    report = report_on(MISBEHAVING[name], *Promise)
    found = {broken.promise for broken in report.broken}
    assert promises <= found
    if name not in ("DeadConnectionStore", "HangingStore", "OnePageStore"):  # of which all fails
        assert found == promises  # what people saw is stored, whatever the store does wrong


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_what_breaks_no_promise_is_reported_with_what_it_costs(name: str) -> None:
    question, answer = ANSWERS[name]
    report = report_on(MISBEHAVING[name], timeout=10)  # no call hangs, on a busy machine either
    assert report.answers[question] == answer
    assert report_on(SoundStore, timeout=10).answers.get(question) != answer


# --- stores that break none ---------------------------------------------------------------------


def test_nothing_is_wrong_with_a_sound_store() -> None:
    report = check_store(SoundStore)
    assert report.broken == ()
    assert set(report.answers) == set(Question) - {
        Question.CREATED_AT,
        Question.FIRST_TRY,
        Question.SPEED,
    }
    assert report.tried["item type"] == len(item_types())
    assert [stop.when for stop in report.stops] == [
        "a stop in mid-answer",
        "a stop in an update to an earlier item",
        "a stop behind a waiting client tool call",
    ]


def test_the_report_says_what_a_stop_costs() -> None:
    said = str(check_store(SoundStore))
    assert said.startswith("SoundStore keeps its promises (")
    assert re.search(r"a stop in mid-answer: \d reads? and 2 writes \(2 add_thread_item", said)
    assert (
        "order: is that of the first writing. To get an item in front of a waiting client" in said
    )


def test_the_report_is_the_same_each_time() -> None:
    first, again = check_store(SoundStore), check_store(SoundStore)
    assert (first.answers, first.tried) == (again.answers, again.tried)
    calls = [[stop.calls for stop in report.stops] for report in (first, again)]
    assert calls[0] == calls[1]


class OneForAll(SoundStore):
    """Everything is asked of one store, which is never empty."""


THE_ONE = OneForAll()


@contextmanager
def in_context() -> Iterator[SoundStore]:
    yield SoundStore()


@asynccontextmanager
async def in_async_context() -> AsyncIterator[SoundStore]:
    yield SoundStore()


async def made_later() -> SoundStore:
    return SoundStore()


@pytest.mark.parametrize("make", [lambda: THE_ONE, in_context, in_async_context, made_later])
def test_a_store_is_made_in_any_way(make: Callable[[], Any]) -> None:
    assert check_store(make).broken == ()


def test_the_store_that_the_package_tests_with_keeps_its_promises() -> None:
    """But for what its docstring says: it has one thread, and one page."""
    report = check_store(SuspendingStore, ignore=[Promise.THREADS, Promise.OPENS, Promise.PAGES])
    assert {broken.promise for broken in report.broken} <= {Promise.THREADS, Promise.OPENS}


class SqliteStore(SoundStore):
    """A store whose calls run in threads, over a file, as with a real database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        super().__init__()
        self._database = database
        self._lock = threading.Lock()

    def _run(self, sql: str, *values: Any) -> list[Any]:
        with self._lock, self._database:
            return self._database.execute(sql, values).fetchall()

    async def _in_thread(self, sql: str, *values: Any) -> list[Any]:
        import asyncio

        return await asyncio.to_thread(self._run, sql, *values)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        text = adapter().dump_json(item).decode()
        await self._in_thread(_UPSERT, thread_id, item.id, text)

    save_item = add_thread_item

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        sql = "SELECT item FROM items WHERE thread = ? AND id = ?"
        for (text,) in await self._in_thread(sql, thread_id, item_id):
            item: ThreadItem = adapter().validate_json(text)
            return item
        return self.unknown(item_id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        sql = "DELETE FROM items WHERE thread = ? AND id = ?"
        await self._in_thread(sql, thread_id, item_id)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        sql = f"SELECT id, item FROM items WHERE thread = ? ORDER BY place {order}"
        rows = await self._in_thread(sql, thread_id)
        start = 0 if after is None else [name for name, _ in rows].index(after) + 1
        items = [adapter().validate_json(text) for _, text in rows[start : start + limit]]
        has_more = start + limit < len(rows)
        return Page(data=items, has_more=has_more, after=items[-1].id if has_more else None)


_UPSERT = """
    INSERT INTO items (thread, id, item) VALUES (?, ?, ?)
    ON CONFLICT (thread, id) DO UPDATE SET item = excluded.item
"""


@contextmanager
def sqlite_store() -> Iterator[SqliteStore]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        database.execute(
            "CREATE TABLE items (place INTEGER PRIMARY KEY, thread TEXT, id TEXT, item TEXT,"
            " UNIQUE (thread, id))"
        )
        yield SqliteStore(database)


def test_a_store_in_threads_over_a_database_keeps_its_promises() -> None:
    report = check_store(sqlite_store)
    assert report.broken == ()
    assert report.tried["point"] > 0  # a thread is waited for, also when the write is cancelled


def test_failures_of_what_a_write_waits_for_are_told() -> None:
    class Silent(SqliteStore):
        """Logs what fails, and raises nothing."""

        async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
            import asyncio

            text = adapter().dump_json(item).decode()
            for step in ("SELECT 1", _UPSERT):
                values = (thread_id, item.id, text) if step is _UPSERT else ()
                try:
                    await asyncio.to_thread(self._run, step, *values)
                except Exception:  # noqa: BLE001  # that is what it does wrong
                    return

        save_item = add_thread_item

    @contextmanager
    def silent() -> Iterator[SqliteStore]:
        with sqlite_store() as store:
            yield Silent(store._database)

    said = " ".join(failure(silent).split())
    assert "tells: after add_thread_item failed at await 1, nothing was raised, and" in said


# --- what is asked ------------------------------------------------------------------------------


def test_there_are_samples_of_each_type_and_all_fields_of_it_are_in_one() -> None:
    for item_type, schema in item_types().items():
        samples = sample_items(item_type)
        fields = set(schema["properties"]) - {"id", "thread_id", "created_at"}
        assert any(set(sample) == fields for sample in samples), item_type


def test_samples_have_templates_of_widgets_and_all_components() -> None:
    roots = [sample["widget"] for sample in sample_items("widget")]
    assert {root["type"] for root in roots} == {"Card", "ListView", "Basic"}
    assert any("unknown_field" in root for root in roots)
    components = {child["type"] for child in roots[0]["children"]}
    assert {"Text", "Markdown", "Button", "Chart", "Transition", "Box"} <= components


def test_the_sdk_itself_gives_each_sample_back() -> None:
    for item_type in item_types():
        for sample in sample_items(item_type):
            times = {"id": "i", "thread_id": "t", "created_at": "2025-01-01T00:00:00"}
            item = adapter().validate_python({**sample, **times})
            again = adapter().validate_json(adapter().dump_json(item))
            assert difference(item, again) is None
            assert item_from_sdk(again) == item_from_sdk(item)


def test_types_may_be_skipped() -> None:
    report = check_store(stores.NoHiddenContextStore, skip_types="sdk_hidden_context")
    assert report.tried["item type"] == len(item_types()) - 1


def test_ids_must_be_new_and_must_be_had_for_each_kind() -> None:
    class Same(SoundStore):
        def generate_item_id(self, item_type: Any, thread: ThreadMetadata, context: Any) -> str:
            return f"{item_type}_1"

    class Unprepared(SoundStore):
        def generate_item_id(self, item_type: Any, thread: ThreadMetadata, context: Any) -> str:
            prefixes = {"message": "msg", "tool_call": "tc", "task": "tsk", "workflow": "wf"}
            return super().generate_item_id(item_type, thread, context) + prefixes[item_type]

    assert "generate_item_id('message', ...) gives 'message_1' each time" in failure(Same)
    assert "generate_item_id('sdk_hidden_context', ...) raises KeyError" in failure(Unprepared)


def test_a_store_that_needs_a_context_gets_one() -> None:
    class PerUser(SoundStore):
        async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
            assert context["user_id"] == "u"
            return await super().load_thread(thread_id, context)

    assert check_store(PerUser, context={"user_id": "u"}).broken == ()
    said = failure(PerUser)
    assert "opens: load_thread raises TypeError" in said
    assert "context=RequestContext(user_id='u')" in said


@pytest.mark.parametrize("answer", [None, [], "page", Page(data=[None])])
def test_what_is_no_page_is_said_and_does_not_crash(answer: Any) -> None:
    class NoPage(SoundStore):
        async def load_thread_items(self, *_: Any, **__: Any) -> Any:
            return answer

    assert "load_thread_items gives" in failure(NoPage)


@pytest.mark.parametrize("answer", ["item", 7, {"id": "msg_1"}])
def test_what_is_no_item_is_said_and_does_not_crash(answer: Any) -> None:
    class NoItem(SoundStore):
        async def load_item(self, *_: Any, **__: Any) -> Any:
            return answer

    assert "load_item" in failure(NoItem)


def test_what_is_ignored_is_still_in_the_report() -> None:
    report = check_store(stores.MovingSaveStore, ignore="place")
    assert [broken.promise for broken in report.broken] == [Promise.PLACE]
    assert "place: a save moves an item" in str(report)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="cannot be called: pass the class"):
        check_store(SoundStore())  # type: ignore[arg-type]  # that is what is refused
    with pytest.raises(TypeError, match=r"has to make a chatkit\.store\.Store"):
        check_store(dict)  # type: ignore[arg-type]  # that is what is refused
    with pytest.raises(ValueError, match="is not a valid Promise"):
        check_store(SoundStore, ignore=["everything"])
    with pytest.raises(ValueError, match="there is no item type 'letter'"):
        check_store(SoundStore, skip_types=["letter"])
    with pytest.raises(ValueError, match="leaves no time"):
        check_store(SoundStore, timeout=0)
