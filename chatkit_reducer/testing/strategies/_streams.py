"""Sound streams: those of a server without faults.

Each item has a *plan*, which does not depend on any other: the item as it begins, and the *steps*
of its life (see `_steps`). Playing a plan on the naive model turns steps into updates, and the item
is done with the content that the model then has. A stream is several played plans, interleaved. So
Hypothesis can take a step or a whole item out of a failing stream, and the rest is sound again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, overload

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer import events as e
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.testing.conformance.reference_model import NaiveThread, is_malformed
from chatkit_reducer.testing.strategies._events import side_events
from chatkit_reducer.testing.strategies._forms import (
    Form,
    check_form,
    event_to_sdk,
    in_form,
    item_to_sdk,
    plain,
)
from chatkit_reducer.testing.strategies._items import ITEM_TYPES, items_of, unknown_items
from chatkit_reducer.testing.strategies._json import (
    Json,
    check_bool,
    check_many,
    check_names,
    check_size,
    or_nothing,
    weighted,
)
from chatkit_reducer.testing.strategies._published import published
from chatkit_reducer.testing.strategies._steps import Step, Style, steps_for

_WHOLE = frozenset({"user_message", "end_of_turn", "hidden_context_item", "sdk_hidden_context"})
"""Items that are done the moment they appear."""

ITEM_WEIGHTS = {"assistant_message": 6, "widget": 5, "workflow": 3, "generated_image": 2}
"""How often there is an item of a type: those that updates touch have more to go wrong."""


@overload
def streams(
    *,
    types: Collection[str] | None = ...,
    stored: Iterable[Mapping[str, Any]] = ...,
    max_items: int = ...,
    max_updates: int = ...,
    unknown: bool = ...,
    sdk_differences: bool = ...,
    form: Literal["struct"] = ...,
) -> st.SearchStrategy[list[e.Event]]: ...
@overload
def streams(
    *,
    types: Collection[str] | None = ...,
    stored: Iterable[Mapping[str, Any]] = ...,
    max_items: int = ...,
    max_updates: int = ...,
    unknown: bool = ...,
    sdk_differences: bool = ...,
    form: Literal["json", "sdk"],
) -> st.SearchStrategy[list[Any]]: ...
@published
def streams(
    *,
    types: Collection[str] | None = None,
    stored: Iterable[Mapping[str, Any]] = (),
    max_items: int = 3,
    max_updates: int = 8,
    unknown: bool = True,
    sdk_differences: bool = True,
    form: Form = "struct",
) -> st.SearchStrategy[list[Any]]:
    """Generate sound streams: folding one leaves no anomaly and nothing pending.

    Every item is added, takes updates that fit, and is done with exactly the content that these add
    up to. The streams of several items are interleaved, and events about the thread and the stream
    are strewn in. Some items are those of an earlier response (`stored` ones, or such as a
    `thread.created` brought): they are updated and done again, replaced or removed. For a stream
    that was stopped, see `stops`.

    >>> from hypothesis import given
    >>> from chatkit_reducer import fold
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.streams(types=["widget"]))
    ... def test_a_sound_stream_leaves_nothing_pending(events):
    ...     assert fold(events).pending == ()
    >>> test_a_sound_stream_leaves_nothing_pending()

    Args:
        types: which types of items; all of them, if left out.
        stored: items that the thread has before the stream begins, as plain mappings. Fold the
            stream over `ThreadState.from_items(stored)` then.
        max_items: how many items there are at most, besides the `stored` ones.
        max_updates: how many updates there are at most between the beginning of an item and the
            event that ends it.
        unknown: also types and fields that openai-chatkit 1.6.5 does not know. Never in the form of
            the SDK.
        sdk_differences: also events that 1.6.5 folds differently, as docs/semantics.md explains: a
            task that is added before the last one, a part that is done without its annotations, a
            hidden item that is replaced.
        form: `"struct"`, as `chatkit_reducer.events` has them, `"json"`, plain mappings, or
            `"sdk"`, the models of openai-chatkit.

    Raises:
        InvalidArgument: an argument has a wrong value.
        ImportError: the form is that of the SDK, and the SDK is not installed.
    """
    names = check_names("types", types, ITEM_TYPES)
    check_size("max_items", max_items)
    check_size("max_updates", max_updates)
    check_bool("unknown", unknown)
    check_bool("sdk_differences", sdk_differences)
    check_form(form, "struct", "json", "sdk")
    old = [_stored_item(item, form) for item in check_many("stored", stored)]
    _check_distinct(old)
    unknown = unknown and form != "sdk"
    style = Style(unknown, sdk_differences, max_updates)
    new = _plans_among(*names, unknown_types=unknown and types is None, style=style)
    return in_form(
        _streams_over(old, new, max_items=max_items, style=style),
        form,
        json=lambda events: [plain(event) for event in events],
        sdk=lambda events: [event_to_sdk(event) for event in events],
    )


def _stored_item(item: object, form: Form) -> Json:
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
        raise InvalidArgument(f"stored={item!r} must be a mapping with an `id` that is a string")
    stored = dict(item)
    if form == "sdk":
        try:
            item_to_sdk(stored)
        except ValueError as error:
            raise InvalidArgument(f"stored={item!r} is not an item of openai-chatkit") from error
    return stored


def _check_distinct(stored: list[Json]) -> None:
    seen: set[str] = set()
    for item in stored:
        if item["id"] in seen:
            raise InvalidArgument(f"stored={stored!r} must have each `id` once: {item['id']!r}")
        seen.add(item["id"])


# A fold takes these, and so a log that was read may hold them.
_EVENTS = (*get_args(e.Event), e.Unreadable)


def checked_stream(stream: Any) -> list[e.Event]:
    """Check a stream that the caller's strategy drew: it must be a list of events."""
    if isinstance(stream, list) and all(isinstance(event, _EVENTS) for event in stream):
        return stream
    raise InvalidArgument(
        f"streams drew {stream!r}: it must be a strategy for lists of events,"
        " as `chatkit_reducer.events` has them"
    )


@cache
def streams_of(*, max_items: int, unknown: bool) -> st.SearchStrategy[list[e.Event]]:
    """Generate sound streams with items of all types."""
    style = Style(unknown=unknown, sdk_differences=True, max_updates=8)
    new = _plans_among(*ITEM_TYPES, unknown_types=unknown, style=style)
    return _streams_over([], new, max_items=max_items, style=style)


def _streams_over(
    stored: list[Json], new: st.SearchStrategy[_Plan | None], *, max_items: int, style: Style
) -> st.SearchStrategy[list[e.Event]]:
    taken = {item["id"] for item in stored}
    ids = map("item_{}".format, range(1, max_items + len(stored) + 1))
    return _streams(
        st.lists(new, max_size=max_items),
        st.tuples(*[_continued(item, style) for item in stored]),
        st.lists(side_events(unknown=style.unknown), max_size=4),
        ids=[item_id for item_id in ids if item_id not in taken],
        max_updates=style.max_updates,
    )


_STARTS = ["added", "added", "earlier", "done"]


class _Plan(NamedTuple):
    item: Json
    start: str
    """How the stream begins with it: `added`, `done`, `earlier` (it comes with the thread), or not
    at all: `stored`."""
    rounds: list[list[Step]]
    """The steps up to the event that ends them; an item can be taken up again later."""
    replacement: Json | None
    """The item that a `replaced` puts in its place at last."""
    removed: bool


_SCHEDULES = st.lists(st.integers(0, 39), min_size=6, max_size=20)
"""Whose life goes on, and by how many events: two numbers in one, because each draw takes time. A
minimal example has no use for fewer of them."""


@st.composite
def _streams(
    draw: st.DrawFn,
    plans: st.SearchStrategy[list[_Plan | None]],
    continued: st.SearchStrategy[tuple[_Plan, ...]],
    side_events: st.SearchStrategy[list[e.Event]],
    *,
    ids: list[str],
    max_updates: int,
) -> list[e.Event]:
    named = [
        plan._replace(item={**plan.item, "id": item_id})
        for plan, item_id in zip(filter(None, draw(plans)), ids, strict=False)
    ]
    earlier = [plan.item for plan in named if plan.start == "earlier"]
    item_streams = [list(_played(plan, max_updates)) for plan in (*named, *draw(continued))]
    return [*_created(earlier), *_interleaved([*item_streams, draw(side_events)], draw(_SCHEDULES))]


def _created(stored: list[Json]) -> Iterator[e.Event]:
    if stored:
        page = {"data": stored, "has_more": False}
        yield e.ThreadCreated(
            {"id": "thread_1", "created_at": "2025-01-01T00:00:00", "items": page}
        )


def _interleaved(item_streams: list[list[e.Event]], schedule: list[int]) -> Iterator[e.Event]:
    """Take so many events of one item, so many of another; and at last the rest of each."""
    waiting = [item_stream for item_stream in item_streams if item_stream]
    for turn in schedule if waiting else []:
        count, which = divmod(turn, 10)
        item_stream = waiting[which % len(waiting)]
        yield from item_stream[: count + 1]
        del item_stream[: count + 1]
    for item_stream in waiting:
        yield from item_stream


def _played(plan: _Plan, max_updates: int) -> Iterator[e.Event]:
    """Play the plan of one item."""
    item_id = plan.item["id"]
    model = NaiveThread([plan.item])
    if plan.start == "added":
        yield e.ThreadItemAdded(plan.item)
    elif plan.start == "done":
        yield e.ThreadItemDone(plan.item)
    for number, steps in enumerate(plan.rounds):
        is_open = number == 0 and plan.start == "added"
        for update in updates_by(steps, model, item_id, max_updates):
            is_open = True
            yield e.ThreadItemUpdated(item_id, update)
        if is_open:
            yield e.ThreadItemDone(model.items[item_id])
    if plan.replacement is not None:
        yield e.ThreadItemReplaced({**plan.replacement, "id": item_id})
    if plan.removed:
        yield e.ThreadItemRemoved(item_id)


def updates_by(
    steps: list[Step], model: NaiveThread, item_id: str, max_updates: int
) -> Iterator[e.Update]:
    """Play steps on the model, and list the updates that they come to."""
    made = 0
    for step in steps:
        for update in step(model.items[item_id])[: max_updates - made]:
            model.apply(to_json(e.ThreadItemUpdated(item_id, update)))
            made += 1
            yield update


# --- plans ----------------------------------------------------------------------------------------


@cache
def _plans_among(*names: str, unknown_types: bool, style: Style) -> st.SearchStrategy[_Plan | None]:
    choice = [(ITEM_WEIGHTS.get(name, 1), _plans(name, style)) for name in names]
    if unknown_types:
        choice.append((1, _unknown_plans(style)))
    return or_nothing(st.none(), *choice)


@cache
def _plans(name: str, style: Style) -> st.SearchStrategy[_Plan]:
    item = items_of(name, None, unknown=style.unknown)
    starts = ["done"] if name in _WHOLE else _STARTS
    return _built(item, starts, name, style)


@cache
def _unknown_plans(style: Style) -> st.SearchStrategy[_Plan]:
    return _built(unknown_items(None), _STARTS, "", style)


def _built(
    item: st.SearchStrategy[Json], starts: list[str], name: str, style: Style
) -> st.SearchStrategy[_Plan]:
    rounds = st.lists(steps_of(name, style), min_size=1, max_size=2)
    # 1.6.5 holds back the `done` of a hidden item, and lets a client read what replaces it.
    leaks = name in HIDDEN_TYPES and not style.sdk_differences
    return st.builds(
        _Plan,
        item=item,
        start=st.sampled_from(starts),
        rounds=rounds if name not in _WHOLE else st.builds(list),
        replacement=st.none() if leaks else weighted((4, st.none()), (1, item)),
        removed=st.sampled_from([False] * 5 + [True]),
    )


def _continued(item: Json, style: Style) -> st.SearchStrategy[_Plan]:
    """Plan the life of an item that was stored before; no update fits a malformed one."""
    steps = st.builds(list) if is_malformed(item) else steps_of(str(item.get("type")), style)
    rounds = st.lists(steps, max_size=2)
    nothing, never = st.none(), st.sampled_from([False])
    return st.builds(_Plan, st.just(item), st.just("stored"), rounds, nothing, never)


def steps_of(name: str, style: Style) -> st.SearchStrategy[list[Step]]:
    """Generate the steps of an item of this type between two events that bring all of it."""
    steps = steps_for(name, style)
    return st.lists(steps, max_size=style.max_updates) if steps is not None else st.builds(list)
