"""The store under test: opened anew for each question, and called as the SDK calls it."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

from chatkit.store import Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    Page,
    ThreadItem,
    ThreadMetadata,
)
from pydantic import BaseModel

from chatkit_reducer.integrations.openai_chatkit import item_from_sdk
from chatkit_reducer.testing.checks._interruption import Commits, TookTooLong
from chatkit_reducer.testing.checks._store.report import (
    BrokenPromise,
    Promise,
    Question,
    Trait,
)


class Broken(Exception):  # noqa: N818  # a verdict, and no fault of the check
    """The store breaks a promise: there is nothing more to ask about it."""

    def __init__(self, promise: Promise, problem: str, *details: str) -> None:
        super().__init__(problem)
        self.promise = promise
        self.problem = problem
        self.details = details


class Hung(Broken):
    """A call does not come to its end."""

    def __init__(self, call: str) -> None:
        super().__init__(Promise.IN_TIME, f"{call} does not come to its end")


class Refused(Exception):  # noqa: N818  # what the store did
    """A call raised something."""

    def __init__(self, call: str, error: Exception) -> None:
        super().__init__(f"{call} raises {describe_error(error)}")
        self.error = error


def describe_error(error: BaseException) -> str:
    """Describe an exception on one line."""
    text = " ".join(_UNION.sub("ThreadItem", str(error)).split())
    if len(text) > _LONG:
        text = f"{text[:_LONG].rstrip()} ..."
    name = type(error).__name__
    return f"{name}: {text}" if text else name


_LONG = 120
_UNION = re.compile(r"\b(tagged-)?union\[[^\n]*\]")
"""All of its members stand in each error of pydantic."""


class Notes:
    """The findings so far."""

    def __init__(self) -> None:
        self.broken: list[BrokenPromise] = []
        self.traits: dict[Question, Trait] = {}
        self.tried: dict[str, int] = {}
        self.seconds: list[float] = []
        """How long each write took."""

    def breaks(self, promise: Promise, problem: str, *details: str) -> None:
        """Note a broken promise, each problem only once."""
        if all(one.problem != problem for one in self.broken):
            self.broken.append(BrokenPromise(promise=promise, problem=problem, details=details))

    def answers(self, question: Question, answer: str, text: str, cost: str | None = None) -> None:
        """Note the answer of the store to a question."""
        self.traits.setdefault(question, Trait(question, answer, text, cost))

    def answer(self, question: Question) -> str | None:
        """Look up an answer of the store; None if it is not known yet."""
        trait = self.traits.get(question)
        return None if trait is None else trait.answer

    def count(self, what: str, number: int = 1) -> None:
        """Count things that were tried."""
        self.tried[what] = self.tried.get(what, 0) + number

    def has_broken(self, *promises: Promise) -> bool:
        """Whether one of these is known to be broken."""
        return any(one.promise in promises for one in self.broken)


class Subject:
    """The maker of the store, with the notes."""

    def __init__(
        self, make_store: Callable[[], Any], context: Any, commits: Commits, notes: Notes
    ) -> None:
        self.notes = notes
        self.commits = commits
        self._make_store = make_store
        self._context = context

    @asynccontextmanager
    async def open_store(self) -> AsyncIterator[OpenStore]:
        """Open a store; it need not be an empty one, because each question has its own threads."""
        stack = AsyncExitStack()
        try:
            yield OpenStore(await self._make(stack), self._context, self)
        except BaseException:
            with suppress(Exception, TookTooLong):
                await self.commits.in_time(stack.aclose)
            raise
        await self.commits.in_time(stack.aclose)

    async def _make(self, stack: AsyncExitStack) -> Store[Any]:
        made: Any = await self.commits.in_time(self._make_store)
        if isinstance(made, AbstractAsyncContextManager) and not isinstance(made, Store):
            made = await self.commits.in_time(partial(stack.enter_async_context, made))
        elif isinstance(made, AbstractContextManager) and not isinstance(made, Store):
            made = stack.enter_context(made)
        if not isinstance(made, Store):
            raise TypeError(
                f"make_store has to make a chatkit.store.Store, or a context manager that gives "
                f"one, and made {made!r}: for what `supervise` commits to, see check_commit"
            )
        return made


class OpenStore:
    """One store, called as the SDK calls it, and never for longer than it may take."""

    def __init__(self, store: Store[Any], context: Any, subject: Subject) -> None:
        self.store = store
        self.context = context
        self.notes = subject.notes
        self.commits = subject.commits
        self._time = datetime.now() - timedelta(minutes=30)  # noqa: DTZ005  # as the SDK makes it

    # --- values to write ----------------------------------------------------------------------

    def new_id(self, kind: str, thread: ThreadMetadata) -> str:
        """Make an id as the store makes it."""
        generate: Any = self.store.generate_item_id
        try:
            return str(generate(kind, thread, self.context))
        except Exception:  # noqa: BLE001  # it is a broken promise, which is noted elsewhere
            return f"{kind}_{uuid.uuid4().hex[:8]}"

    def next_time(self) -> datetime:
        """Move the time on by a second; it has no zone, like those of the SDK."""
        self._time += timedelta(seconds=1)
        return self._time

    def message(
        self,
        thread: ThreadMetadata,
        text: str,
        *,
        item_id: str | None = None,
        created_at: datetime | None = None,
    ) -> AssistantMessageItem:
        """Make a message of the assistant, the newest item of all unless a time is given."""
        return AssistantMessageItem(
            id=item_id or self.new_id("message", thread),
            thread_id=thread.id,
            created_at=created_at or self.next_time(),
            content=[AssistantMessageContent(text=text)],
        )

    async def new_thread(self) -> ThreadMetadata:
        """Make a thread, and save it."""
        thread = ThreadMetadata(
            id=str(self.store.generate_thread_id(self.context)), created_at=self.next_time()
        )
        await self.call("save_thread", thread, context=self.context)
        return thread

    async def new_filled_thread(
        self, *texts: str
    ) -> tuple[ThreadMetadata, list[AssistantMessageItem]]:
        """Make a thread with a message for each text."""
        thread = await self.new_thread()
        items = [self.message(thread, text) for text in texts]
        for item in items:
            await self.add(thread, item)
        return thread, items

    # --- calls --------------------------------------------------------------------------------

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Call a method.

        Raises:
            Refused: it raises something.
            Hung: it does not come to its end.
        """
        method: Any = getattr(self.store, name)
        try:
            return await self.commits.in_time(partial(_await, method, *args, **options))
        except TookTooLong:
            raise Hung(name) from None
        except Exception as error:
            raise Refused(name, error) from error

    async def write(self, name: str, thread: ThreadMetadata, what: Any) -> None:
        """Write, and try a second time if that raises: a connection may have been lost.

        Raises:
            Refused: it raises something both times.
        """
        begin = monotonic()
        try:
            await self.call(name, thread.id, what, context=self.context)
        except Refused as refused:
            if not await self._is_written(name, thread, what):
                await self._once_more(name, thread, what, refused)
            text = f"{refused}, and the next one does not"
            cost = "ReducerChatKitServer has to write again"
            self.notes.answers(Question.FIRST_TRY, "fails", text, cost)
        self.notes.seconds.append(monotonic() - begin)

    async def _once_more(
        self, name: str, thread: ThreadMetadata, what: Any, refused: Refused
    ) -> None:
        try:
            await self.call(name, thread.id, what, context=self.context)
        except Hung as hung:
            raise Broken(Promise.AGAIN, f"after {refused}, {hung}") from None
        except Refused:
            raise refused from refused.error  # the first error says more

    async def _is_written(self, name: str, thread: ThreadMetadata, what: Any) -> bool:
        """Whether the store has the very item that it refused to add."""
        if name != "add_thread_item":
            return False
        found = await self.find(thread, what.id)
        return found is not None and item_from_sdk(found) == item_from_sdk(what)

    async def add(self, thread: ThreadMetadata, item: ThreadItem) -> None:
        """Add an item that the store does not have."""
        await self.write("add_thread_item", thread, item)

    async def save(self, thread: ThreadMetadata, item: ThreadItem) -> None:
        """Save an item."""
        await self.write("save_item", thread, item)

    async def delete(self, thread: ThreadMetadata, item_id: str) -> None:
        """Delete an item."""
        await self.write("delete_thread_item", thread, item_id)

    async def load(self, thread: ThreadMetadata, item_id: str) -> Any:
        """Ask for one item."""
        return await self.call("load_item", thread.id, item_id, context=self.context)

    async def find(self, thread: ThreadMetadata, item_id: str) -> ThreadItem | None:
        """Ask for one item; None if the store does not give it."""
        try:
            found = await self.load(thread, item_id)
        except Refused:
            return None
        return found if is_item(found) else None

    async def page(self, thread: ThreadMetadata, after: str | None, limit: int, order: str) -> Any:
        """Ask for one page of items."""
        page = await self.call("load_thread_items", thread.id, after, limit, order, self.context)
        if not isinstance(page, Page) or not all(map(is_item, page.data)):
            raise Broken(Promise.PAGES, f"load_thread_items gives {page!r}, and no Page of items")
        return page

    async def list_items(self, thread: ThreadMetadata, order: str = "asc") -> list[ThreadItem]:
        """Ask for all items: as many as the questions need are on one page."""
        return list((await self.page(thread, None, 100, order)).data)


async def _await(method: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return await method(*args, **options)


def is_item(found: Any) -> bool:
    """Return whether this is a model of an item, of any type."""
    return isinstance(found, BaseModel) and hasattr(found, "id")


def text_of(item: Any) -> str:
    """Read the text of a message.

    Raises:
        Broken: it is not a message.
    """
    if not isinstance(item, AssistantMessageItem):
        raise Broken(Promise.CONTENT, f"the store gives {item!r} for an assistant message")
    return "".join(part.text for part in item.content)
