"""`check_producer`: a producer of events, run to its end."""

from __future__ import annotations

import inspect
import json
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from operator import methodcaller
from typing import Any, TypeAlias

import anyio

from chatkit_reducer.analysis.comparison import differences, path_text
from chatkit_reducer.core.codec import decode, encode
from chatkit_reducer.core.sdk_models import is_model, json_of_model
from chatkit_reducer.events import Event
from chatkit_reducer.testing._text import (
    advice,
    counted,
    event_lines,
    in_short,
    message,
    two_sides,
)
from chatkit_reducer.testing.cancellation import Backend
from chatkit_reducer.testing.cancellation.event_loops import check_backend, check_timeout
from chatkit_reducer.testing.cancellation.trial import events_of
from chatkit_reducer.testing.checks._findings import ADVICE, Flaw, Found, flaws_of
from chatkit_reducer.testing.checks._stream_reader import StreamReader

# pytest then shows the test and the message of the check, and not the inside of the check.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)

Produced: TypeAlias = AsyncIterable[Any] | Iterable[Any]
Producer: TypeAlias = Produced | Callable[[], Produced | Awaitable[Produced]]

_MOST = 20
_MOST_CHANGES = 3


def check_producer(
    make_events: Producer,
    *,
    stored: Iterable[Any] = (),
    ignore: Collection[Flaw | str] = (),
    timeout: float = 10.0,
    backend: Backend = "asyncio",
) -> list[Event]:
    """Run a producer of events to its end, and find the flaws of its stream.

        def test_answer():
            events = check_producer(lambda: answer("What is for lunch?"))

    The updates of an item add up to its `done`; indices come in order; nothing is added or done
    twice, and nothing is left pending; each event fits the thread; and no event is changed after it
    was sent. `Flaw` names the flaws.

    Args:
        make_events: the events, asynchronous or not, or a callable that makes them, or an awaitable
            of them; it is called inside of the event loop. Events of the SDK or of this package,
            JSON mappings or texts, or frames of server-sent events; also all of these in one text.
        stored: the items of the thread before, as plain ChatKit JSON or as models of the SDK.
        ignore: flaws that are known, and cannot be helped.
        timeout: how long an asynchronous producer may take in all, in seconds.
        backend: the event loop for an asynchronous producer.

    Returns:
        The events, as they were when they were sent.

    Raises:
        AssertionError: there are flaws; it lists them, the first of each kind in full.
        TypeError: `make_events` neither is nor makes events; or a value of `stored` is not an item.
        ValueError: the producer sent nothing, and nothing was tested; or an item that was stored
            lacks its `id` or its `type`; or the event loop or a flaw is unknown, or the timeout
            leaves no time.
        Exception: the producer itself raises it.
    """
    check_backend(backend)
    check_timeout(timeout)
    ignored = flaws_of(ignore)
    sent = _Sent(stored)
    try:
        if isinstance(make_events, Iterable) and not callable(make_events):
            sent.take_all(make_events)  # no event loop is needed
        else:
            anyio.run(_run, make_events, sent, timeout, backend=backend)
    except Exception as error:
        error.add_note(f"It was raised after {counted(len(sent.reader.events), 'event')}.")
        raise
    found = [each for each in sent.found() if each.flaw not in ignored]
    if found:
        raise AssertionError(_describe(found, sent.reader.events))
    if not sent.reader.events:
        raise ValueError("the producer sent no event, and nothing was tested: let it send some")
    return sent.reader.events


async def _run(make_events: Any, sent: _Sent, limit: float) -> None:
    with anyio.move_on_after(limit) as scope:
        made: Any = make_events() if callable(make_events) else make_events
        if inspect.isawaitable(made):
            made = await made
        if not isinstance(made, AsyncIterable | Iterable):
            given = "it" if made is make_events else "what the producer gives"
            raise TypeError(
                f"{given} is {made!r}, and has no events: pass events, or a function that yields "
                "or returns them"
            )
        if isinstance(made, AsyncIterable):
            async for value in made:
                sent.take(value)
        else:
            sent.take_all(made)
    if scope.cancelled_caught:
        raise AssertionError(
            message(
                f"The producer did not come to its end within {limit:g} seconds.",
                advice(
                    "Let it end: a stream that waits for more keeps its client waiting, too. "
                    "If it only needs longer, pass timeout=..."
                ),
                _all_events(sent.reader.events),
            )
        )


class _Sent:
    """The values that were sent so far, and their texts at that time."""

    def __init__(self, stored: Iterable[Any]) -> None:
        self.reader = StreamReader([_item(each) for each in stored])
        self._kept: list[tuple[Any, list[bytes]]] = []
        self._changed: dict[int, Found] = {}

    def take_all(self, values: Iterable[Any]) -> None:
        one = isinstance(values, str | bytes | bytearray | Mapping)
        for value in [values] if one else values:
            self.take(value)

    def take(self, value: Any) -> None:
        """Read a value that was sent, and look whether the one before it has changed since."""
        if self._kept:
            self._compare(len(self._kept) - 1, "when the next one came")
        try:
            texts = _texts(value)
        except TypeError:
            self.reader.note(Flaw.NO_EVENT, f"what came is {in_short(value)}")
            return
        except ValueError as error:
            self.reader.note(Flaw.NO_EVENT, str(error))
            return
        self._kept.append((value, texts))
        for text in texts:
            self.reader.take(decode(text))

    def found(self) -> list[Found]:
        """List all flaws, in the order of the events."""
        for place in range(len(self._kept)):
            self._compare(place, "in the end")
        found = [*self.reader.found(), *self._changed.values()]
        return sorted(found, key=lambda each: each.position)

    def _compare(self, place: int, when: str) -> None:
        value, before = self._kept[place]
        if place in self._changed:
            return
        try:
            now = _texts(value)
        except (TypeError, ValueError):
            now = []  # it is not an event any more
        if now != before:
            position = 1 + sum(len(texts) for _, texts in self._kept[:place])
            self._changed[place] = Found(
                flaw=Flaw.CHANGED_LATER,
                position=position,
                problem=f"it had changed {when}",
                details=tuple(_changes(before, now)),
            )


def _item(stored: Any) -> Mapping[str, Any]:
    """Read an item of the thread before the stream, as plain JSON."""
    if is_model(stored):
        stored = json_of_model(stored)
    if not isinstance(stored, Mapping):
        raise TypeError(
            f"stored={in_short(stored)}: pass a list of items, as models of the SDK or as mappings"
        )
    missing = [name for name in ("id", "type") if not isinstance(stored.get(name), str)]
    if missing:
        raise ValueError(
            f"stored={in_short(stored)} has no `{missing[0]}`: pass the item as the store has it"
        )
    return stored


def _texts(value: Any) -> list[bytes]:
    """Write a value as texts, as it is now."""
    return [encode(event) for event in events_of(value)]


def _changes(before: list[bytes], now: list[bytes]) -> Iterator[str]:
    if not now:
        yield "it is not an event any more"
        return
    sent, kept = ([json.loads(text) for text in texts] for texts in (before, now))
    for each in differences(sent, kept)[:_MOST_CHANGES]:
        place, (was, became) = path_text(each.path[1:]), two_sides(each.before, each.after)
        yield f"{place} was {was} when it was sent, and is {became} now"


def _describe(found: list[Found], events: list[Event]) -> str:
    # The first of each kind in full: one that comes a hundred times must not hide another.
    first = {each.flaw: place for place, each in reversed(list(enumerate(found)))}.values()
    others = [place for place in range(len(found)) if place not in first]
    shown = sorted([*first, *others[: _MOST - len(first)]])
    sections: list[list[str]] = [[]]
    for number, place in enumerate(shown, 1):
        if place in first:
            sections += [_in_full(number, found[place], events), []]
        else:
            sections[-1].append(_headline(number, found[place], events))
    if len(found) > len(shown):
        sections.append([f"({len(found) - len(shown)} more)"])
    return message(
        f"The producer sent {counted(len(events), 'event')} with {counted(len(found), 'flaw')}.",
        *sections,
        _all_events(events),
    )


def _all_events(events: list[Event]) -> list[str]:
    return ["All events:", *event_lines(events)] if events else ["There are no events."]


def _in_full(number: int, found: Found, events: list[Event]) -> list[str]:
    details = [f"   {line}" for line in found.details]
    return [_headline(number, found, events), *details, advice(ADVICE[found.flaw], "   ")]


def _headline(number: int, found: Found, events: list[Event]) -> str:
    is_end = found.position > len(events)
    where = "at the end" if is_end else f"after event {found.position}"
    return f"{number}. {found.flaw.label}, {where}: {found.problem}"
