"""Streams of any length, each of one kind, that a careless fold takes far too long for.

A kind is a function of `n` that gives the stored items of a thread and some `n` events. None of
them is malicious for its own sake: each is a stream that a server can send, only longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeAlias

from chatkit_reducer.events import (
    Event,
    Json,
    ProgressUpdate,
    ThreadCreated,
    ThreadUpdated,
    UnknownUpdate,
)
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    image,
    image_updated,
    item,
    message,
    part,
    part_added,
    part_done,
    removed,
    replaced,
    root_updated,
    task,
    task_added,
    task_updated,
    text_delta,
    updated,
    value_delta,
    widget,
    workflow,
)

__all__ = ["KINDS", "Stream"]

Stream: TypeAlias = tuple[list[Json], list[Event]]
"""The items that were stored before, and the events that arrive."""

KINDS: dict[str, Callable[[int], Stream]] = {}


def _kind(name: str) -> Callable[[Callable[[int], Stream]], Callable[[int], Stream]]:
    def register(make: Callable[[int], Stream]) -> Callable[[int], Stream]:
        KINDS[name] = make
        return make

    return register


def _begun(json: Json, *events: Iterator[Event]) -> Stream:
    """Return the start of an item, and its updates."""
    return [], [added(json), *chain(*events)]


# --- messages -------------------------------------------------------------------------------------


@_kind("text deltas")
def _texts(n: int) -> Stream:
    return _begun(message("m", ""), (text_delta("m", f" {i}") for i in range(n)))


@_kind("text deltas of two parts in turn")
def _two_texts(n: int) -> Stream:
    return _begun(message("m", "", ""), (text_delta("m", "x", i % 2) for i in range(n)))


@_kind("text deltas, each with a progress update")
def _progress(n: int) -> Stream:
    pairs = ((text_delta("m", "x"), ProgressUpdate(str(i))) for i in range(n))
    return _begun(message("m", ""), chain.from_iterable(pairs))


@_kind("text deltas of two messages of many parts")
def _two_messages(n: int) -> Stream:
    begun = [added(message(name, *["x"] * n)) for name in "ab"]
    return [], [*begun, *[text_delta("ab"[i % 2], "x", i) for i in range(n)]]


@_kind("parts that are blank")
def _blank(n: int) -> Stream:
    return _begun(message("m", ""), (text_delta("m", " ", i // 2) for i in range(n)))


@_kind("parts, one by one")
def _parts(n: int) -> Stream:
    return _begun(message("m"), (part_added("m", part(str(i)), i) for i in range(n)))


@_kind("deltas 1,024 past the end")
def _padding(n: int) -> Stream:
    return _begun(message("m"), (text_delta("m", "x", 1025 * i + 1024) for i in range(n)))


@_kind("one part, ended again and again")
def _ended(n: int) -> Stream:
    cited = (annotation_added("m", citation(str(i)), i) for i in range(n))
    ends = (part_done("m", part("a" if i % 3 else "b")) for i in range(n))
    return _begun(message("m", ""), cited, ends)


@_kind("citations at the beginning")
def _citations(n: int) -> Stream:
    cited = (annotation_added("m", citation(str(i)), 0) for i in range(n))
    return _begun(message("m", ""), cited)


@_kind("citations and text in turn")
def _cited_texts(n: int) -> Stream:
    pairs = ((annotation_added("m", citation(str(i)), i), text_delta("m", "x")) for i in range(n))
    return _begun(message("m", ""), chain.from_iterable(pairs))


@_kind("updates that do not fit a stored message of many parts")
def _misfits(n: int) -> Stream:
    return [message("m", *["x"] * n)], [text_delta("m", "x", -1 - i) for i in range(n)]


@_kind("updates that this release does not know")
def _unknown(n: int) -> Stream:
    news = [updated("m", UnknownUpdate({"type": "new", "n": i})) for i in range(n)]
    return [message("m", *["x"] * n)], [*news]


# --- workflows ------------------------------------------------------------------------------------


@_kind("tasks at the end")
def _tasks(n: int) -> Stream:
    return _begun(workflow("w"), (task_added("w", task(str(i)), i) for i in range(n)))


@_kind("tasks at the beginning")
def _first_tasks(n: int) -> Stream:
    return _begun(workflow("w"), (task_added("w", task(str(i)), 0) for i in range(n)))


@_kind("tasks past the end")
def _last_tasks(n: int) -> Stream:
    return _begun(workflow("w"), (task_added("w", task(str(i)), i + 9) for i in range(n)))


@_kind("each of many tasks updated")
def _task_updates(n: int) -> Stream:
    start = workflow("w", *map(str, range(n)))
    return [start], [task_updated("w", task("x"), i) for i in range(n)]


@_kind("tasks of two workflows in turn, and one that is not there")
def _two_workflows(n: int) -> Stream:
    start = [workflow(name, *map(str, range(n))) for name in "ab"]
    return start, [task_updated("ab"[i % 2], task("x"), i if i % 3 else n) for i in range(n)]


# --- widgets --------------------------------------------------------------------------------------


def _leaf(number: int, value: str = "") -> Json:
    return {"type": "Text", "id": f"t{number}", "value": value, "streaming": True}


def _row(number: int, value: str = "", inner: str | None = None) -> Json:
    name = f"i{number}" if inner is None else inner
    leaf = {"type": "Text", "id": name, "value": value}
    return {"type": "Row", "id": f"r{number}", "children": [leaf]}


def _column(children: list[Json]) -> Json:
    return widget("g", {"type": "Col", "id": "root", "children": children})


@_kind("each of many leaves replaced")
def _leaves(n: int) -> Stream:
    changes = (component_updated("g", f"t{i}", _leaf(i, "x")) for i in range(n))
    return _begun(_column([_leaf(i) for i in range(n)]), changes)


@_kind("each of many rows replaced")
def _rows(n: int) -> Stream:
    changes = (component_updated("g", f"r{i}", _row(i, "x")) for i in range(n))
    return _begun(_column([_row(i) for i in range(n)]), changes)


@_kind("the last of many rows, again and again")
def _last_row(n: int) -> Stream:
    changes = (component_updated("g", f"r{n - 1}", _row(n - 1, str(i))) for i in range(n))
    return _begun(_column([_row(i) for i in range(n)]), changes)


@_kind("each of many rows replaced, the ids inside all the same")
def _same_ids(n: int) -> Stream:
    changes = (component_updated("g", f"r{i}", _row(i, "x", "same")) for i in range(n))
    return _begun(_column([_row(i, "", "same") for i in range(n)]), changes)


@_kind("the first component of an id, renamed")
def _renamed(n: int) -> Stream:
    changes = (component_updated("g", "t0", _leaf(i + 1)) for i in range(n))
    return _begun(_column([_leaf(0) for _ in range(n)]), changes)


@_kind("text into many components")
def _values(n: int) -> Stream:
    deltas = (value_delta("g", f"t{i % 99}", " x", done=i > n - 9) for i in range(n))
    return _begun(_column([_leaf(i) for i in range(max(n, 99))]), deltas)


@_kind("each component inside of the one before")
def _deep(n: int) -> Stream:
    inside = ({"type": "Col", "id": f"t{i}", "children": [_leaf(i + 1)]} for i in range(n))
    changes = (component_updated("g", f"t{i}", json) for i, json in enumerate(inside))
    return _begun(_column([_leaf(0)]), changes)


@_kind("roots")
def _roots(n: int) -> Stream:
    return _begun(_column([]), (root_updated("g", _row(i)) for i in range(n)))


# --- stored items that come again -----------------------------------------------------------------


@_kind("a stored message, begun anew")
def _message_again(n: int) -> Stream:
    cited = [citation(str(i)) for i in range(n)]
    stored = item("m", "assistant_message", content=[part("x" * n, *cited), part("y" * n)])
    begun = item("m", "assistant_message", content=[part(""), part("")])
    turns = (
        (text_delta("m", "x"), text_delta("m", "y", 1), annotation_added("m", cited[i], i))
        for i in range(n)
    )
    return [stored], [added(begun), *chain.from_iterable(turns)]


@_kind("a stored workflow, begun anew")
def _workflow_again(n: int) -> Stream:
    names = [str(i) for i in range(n)]
    return [workflow("w", *names)], [
        added(workflow("w")),
        *[task_added("w", task(name), i) for i, name in enumerate(names)],
        *[task_updated("w", task(name[:1]), i) for i, name in enumerate(names)],
    ]


@_kind("a stored widget, begun anew")
def _widget_again(n: int) -> Stream:
    whole, empty = (_column([_row(i, value) for i in range(n)]) for value in ("ab", ""))
    turns = (
        (value_delta("g", f"i{i}", "a"), component_updated("g", f"r{i}", _row(i, "ab")))
        for i in range(n)
    )
    return [whole], [added(empty), *chain.from_iterable(turns)]


@_kind("each of many rows of a stored widget replaced")
def _stored_rows(n: int) -> Stream:
    stored = _column([_row(i) for i in range(n)])
    return [stored], [component_updated("g", f"r{i}", _row(i, "x")) for i in range(n)]


# --- other items, and the thread ------------------------------------------------------------------


@_kind("images of an item with many other fields")
def _images(n: int) -> Stream:
    start = {**image("i"), **{f"x{i}": i for i in range(n)}}
    return _begun(start, (image_updated("i", str(i), 0.5) for i in range(n)))


@_kind("items")
def _items(n: int) -> Stream:
    return [], [done(message(f"m{i}", "x")) for i in range(n)]


@_kind("items that are all pending")
def _pending(n: int) -> Stream:
    begun = [added(message(f"m{i}", "")) for i in range(n)]
    return [], [*begun, *[text_delta(f"m{i}", "x") for i in range(n)]]


@_kind("stored items, each updated")
def _stored(n: int) -> Stream:
    return [message(f"m{i}", "x") for i in range(n)], [text_delta(f"m{i}", "x") for i in range(n)]


@_kind("items that are removed, and come again")
def _removed(n: int) -> Stream:
    pairs = [(added(message(f"m{i % 9}", "x")), removed(f"m{i % 9}")) for i in range(n)]
    return [], list(chain.from_iterable(pairs))


@_kind("one item of 100 parts, added again and again")
def _again(n: int) -> Stream:
    return [], [added(message("m", *[f"{i % 7} {k}" for k in range(100)])) for i in range(n // 10)]


@_kind("one item, replaced again and again")
def _replaced(n: int) -> Stream:
    return [message("m", "x")], [replaced(message("m", str(i))) for i in range(n)]


@_kind("metadata of 100 fields")
def _metadata(n: int) -> Stream:
    fields = {f"x{i}": i for i in range(100)}
    return [], [ThreadUpdated({"id": "t", **fields, "n": i}) for i in range(n // 10)]


@_kind("threads created while many items are pending")
def _created(n: int) -> Stream:
    begun = [added(message(f"m{i}", "x")) for i in range(n)]
    page: list[Any] = [message("other", "x")]
    return [], [*begun, *[ThreadCreated({"id": "t", "items": {"data": page}}) for _ in range(n)]]


@_kind("events about items that are not there")
def _not_there(n: int) -> Stream:
    return [item("u", "user_message")], [text_delta(f"m{i}", "x") for i in range(n)]
