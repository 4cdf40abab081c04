"""The report about a store: promises that it breaks, and the costs of its other answers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from textwrap import fill
from types import MappingProxyType

import attrs

from chatkit_reducer.testing._text import advice, counted, message


class Promise(StrEnum):
    """A promise that `ReducerChatKitServer` and the SDK rely on."""

    OPENS = "opens"
    """A thread can be saved, and loaded again."""
    IDS = "ids"
    """`generate_item_id` gives a new text for each kind of item."""
    CALLS = "calls"
    """A call that has nothing unusual in it works, at the first try or at the second."""
    CONTENT = "content"
    """An item of any type that the SDK knows comes back as it was written."""
    LONG_TEXT = "long_text"
    """A long text comes back whole."""
    TEXTS = "texts"
    """A text comes back as it was written, or is refused."""
    LOOK_UP = "look_up"
    """`load_item` gives the item that was asked for, and no other one."""
    SAVE = "save"
    """`save_item` writes over the item that is stored."""
    PLACE = "place"
    """An item keeps its place when it is saved, and when another one is deleted."""
    DELETE = "delete"
    """`delete_thread_item` takes out that item, and no other one."""
    PAGES = "pages"
    """`load_thread_items` gives each item once, in both orders, page by page."""
    EQUAL_TIMES = "equal_times"
    """So it does where several items have one `created_at`."""
    THREADS = "threads"
    """A change to one thread does not change another."""
    AT_ONCE = "at_once"
    """Of two writers at once, neither loses the item of the other."""
    TELLS = "tells"
    """A write that fails raises something."""
    WHOLE = "whole"
    """A write that is cut off leaves the item as it was, or as it was to be."""
    AGAIN = "again"
    """The store goes on after a write that was cut off or refused, and takes the same one again."""
    IN_TIME = "in_time"
    """Each call comes to its end."""
    STOP = "stop"
    """The items that people saw are stored when the server is stopped in mid-answer."""


ADVICE: Mapping[Promise, str] = MappingProxyType(
    {
        Promise.OPENS: (
            "See the exception. If the store needs a context, pass one: check_store(..., "
            "context=RequestContext(user_id='u')). If it needs arguments, pass a function that "
            "makes it, or a context manager that opens and closes it."
        ),
        Promise.IDS: (
            "Return a new text each time, such as f'{item_type}_{uuid4().hex}', for every kind: "
            "the SDK asks for sdk_hidden_context too, when an answer is stopped."
        ),
        Promise.CALLS: (
            "See the exception. Another call like this one has worked before: look for what it, or "
            "one that was refused, has left behind, such as a transaction or a closed connection."
        ),
        Promise.CONTENT: (
            "Keep the whole item as JSON: TypeAdapter(ThreadItem).dump_json(item) to write, and "
            "validate_json to read, where ThreadItem is that of chatkit.types. A union of types "
            "that you wrote down yourself lacks those that the SDK has or gets."
        ),
        Promise.LONG_TEXT: (
            "Give the column a type without a limit: TEXT in PostgreSQL and SQLite, LONGTEXT in "
            "MySQL; and raise what cannot be written whole."
        ),
        Promise.TEXTS: (
            "Raise what cannot be written as it is: a text that is cut off or that cannot be read "
            "any more is lost without a word."
        ),
        Promise.LOOK_UP: (
            "Let load_item select by thread_id and by the id of the item, and raise "
            "chatkit.store.NotFoundError if there is none."
        ),
        Promise.SAVE: "Write the whole item over the one that has its id: UPDATE ... SET item = ?",
        Promise.PLACE: (
            "An UPDATE keeps the place, a delete and an insert do not, nor does INSERT OR REPLACE. "
            "Order by something that a save does not change: a sequence number, or created_at."
        ),
        Promise.DELETE: "Delete by thread_id and by the id of the item.",
        Promise.PAGES: (
            "Order by one column, ascending or descending as `order` says; begin behind the item "
            "`after`; give at most `limit`, and has_more if any follow, with the id of the last "
            "one as `after`."
        ),
        Promise.EQUAL_TIMES: (
            "Order by (created_at, sequence number), and compare both with those of the cursor: "
            "WHERE (created_at, seq) > (?, ?). With `created_at > ?` alone, items that have the "
            "time of the cursor are never shown."
        ),
        Promise.THREADS: "Select, write and delete by thread_id, too.",
        Promise.AT_ONCE: (
            "Write an item as a row of its own, and not the whole thread, or lock it: between the "
            "reading and the writing of a whole thread, another writer comes."
        ),
        Promise.TELLS: (
            "Raise what fails, and do not only log it: the writer can try again, or keep the item "
            "that was to be written."
        ),
        Promise.WHOLE: (
            "Write an item in one statement or in one transaction, and take that back for any "
            "exception (except BaseException: roll back, and raise again). A cancellation may come "
            "at each await."
        ),
        Promise.AGAIN: (
            "Roll back, and give back in a `finally` or an `async with` what a write takes, such "
            "as a lock, a session or a connection: the next write needs it."
        ),
        Promise.IN_TIME: (
            "It waits for something that is never given back, such as a lock or a connection. Give "
            "the call a timeout of its own. If it only needs longer, pass timeout=..."
        ),
        Promise.STOP: "See the log for what the store raised.",
    }
)
"""The advice for each promise."""


class Question(StrEnum):
    """A question that stores may answer in different ways."""

    UNKNOWN_ID = "unknown_id"
    ADD_OF_A_KNOWN_ID = "add_of_a_known_id"
    SAVE_OF_AN_UNKNOWN_ID = "save_of_an_unknown_id"
    DELETE_OF_AN_UNKNOWN_ID = "delete_of_an_unknown_id"
    DELETED_ID = "add_of_a_deleted_id"
    ORDER = "order"
    EQUAL_TIMES = "order_of_equal_times"
    CREATED_AT = "created_at"
    ID_OF_ANOTHER_THREAD = "id_of_another_thread"
    ID_MADE_ELSEWHERE = "id_made_elsewhere"
    NUL = "nul"
    HALF_CHARACTER = "half_a_character"
    OBJECTS = "objects"
    AT_ONCE = "calls_at_once"
    FIRST_TRY = "first_try"
    SPEED = "speed"


@attrs.frozen
class Trait:
    """The answer of a store to a question."""

    question: Question
    answer: str
    """One word, the same for all stores with the same answer."""
    text: str
    """The answer in words."""
    cost: str | None = None
    """The cost at a stop; None for nothing."""


@attrs.frozen(kw_only=True)
class BrokenPromise:
    """A promise that a store breaks."""

    promise: Promise
    problem: str
    details: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class StopCost:
    """The cost of one stop, from the moment of the stop until all was written."""

    when: str
    calls: Mapping[str, int]
    """How often each method of the store was called."""
    seconds: float
    left: str | None = None
    """A remark about the thread after the stop."""

    @property
    def reads(self) -> int:
        """The number of calls that read from the store."""
        return sum(times for name, times in self.calls.items() if name.startswith("load_"))

    @property
    def writes(self) -> int:
        """The number of calls that write to the store."""
        return sum(self.calls.values()) - self.reads

    def __str__(self) -> str:
        which = ", ".join(f"{times} {name}" for name, times in sorted(self.calls.items()))
        took = f"{self.seconds * 1000:.0f} ms" if self.seconds >= 0.001 else "less than 1 ms"
        number = f"{counted(self.reads, 'read')} and {counted(self.writes, 'write')}"
        left = "" if self.left is None else f"; {self.left}"
        return f"{self.when}: {number} ({which or 'nothing'}), {took}{left}"


@attrs.frozen(kw_only=True)
class StoreReport:
    """All findings about a store. As a text it is a summary."""

    name: str
    broken: tuple[BrokenPromise, ...]
    """Promises that it breaks; a report that `check_store` returns has only ignored ones."""
    traits: tuple[Trait, ...]
    stops: tuple[StopCost, ...]
    tried: Mapping[str, int]
    """How many kinds of items, points of cancellation and so on were tried."""

    @property
    def answers(self) -> dict[Question, str]:
        """The answers of the store, in one word for each question."""
        return {trait.question: trait.answer for trait in self.traits}

    def __str__(self) -> str:
        tried = ", ".join(counted(number, what) for what, number in self.tried.items())
        title = f"{self.name} keeps its promises ({tried})."
        if self.broken:
            title = f"{self.name} breaks {counted(len(self.broken), 'promise')} ({tried})."
        return message(
            title,
            *map(_broken_text, self.broken),
            ["Its answers where nothing is promised:", *map(_trait_text, self.traits)]
            if self.traits
            else "",
            ["What a stop costs with ReducerChatKitServer:", *map(_stop_text, self.stops)]
            if self.stops
            else "",
        )


def _broken_text(broken: BrokenPromise) -> list[str]:
    return [
        *fill(f"{broken.promise}: {broken.problem}", 100, subsequent_indent="   ").splitlines(),
        *(f"   {line}" for line in broken.details),
        advice(ADVICE[broken.promise], "   "),
    ]


def _trait_text(trait: Trait) -> str:
    said = trait.text if trait.cost is None else f"{trait.text}. {trait.cost}"
    line = f"{trait.question.replace('_', ' ')}: {said.removesuffix(' ...')}."
    return fill(line, 100, initial_indent="  ", subsequent_indent="     ")


def _stop_text(stop: StopCost) -> str:
    return fill(str(stop), 100, initial_indent="  ", subsequent_indent="     ")
