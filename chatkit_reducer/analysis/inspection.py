"""Mistakes of a producer that the fold can live with.

`reduce` records an anomaly for an event that does not fit the thread. The events here fit, or are
unknown and carried along, and all the same a client or a store goes wrong with them. `mistakes`
looks at one event and the thread before it; it keeps no state, so code that folds a stream anyway
(`check`, `check_producer`) asks it on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from chatkit_reducer.analysis.comparison import Difference
from chatkit_reducer.core.items import HIDDEN_TYPES, AssistantMessage
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    UPDATE_TYPES,
    AssistantMessageContentPartDone,
    Event,
    Json,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
    UnknownEvent,
)

__all__ = ["PLACEHOLDER_IDS", "Mistake", "MistakeKind", "mistakes", "part_difference"]

PLACEHOLDER_IDS: Mapping[str, str] = MappingProxyType(
    {
        # openai-agents 0.24.0, `agents/models/fake_id.py`, FAKE_RESPONSES_ID: each message of a
        # model behind Chat Completions has it (`chatcmpl_stream_handler.py`, `litellm_model.py`).
        "__fake_id__": "the placeholder of the Agents SDK for a model that gives no ids",
        "": "empty",
    }
)
"""Ids that are not ids: several items have them. Each with a description for people."""


class MistakeKind(StrEnum):
    """The mistakes, for code that wants to tell them apart."""

    UPDATE_AS_EVENT = "update_as_event"
    """An update of an item is sent as an event of its own: no client applies it."""
    HIDDEN_ITEM = "hidden_item"
    """An item that only the model should read goes to the client."""
    PLACEHOLDER_ID = "placeholder_id"
    """An item has an id that other items have as well."""
    DIFFERENCE = "difference"
    """The `done` of a part brings another text than its deltas."""


@attrs.frozen
class Mistake:
    """One mistake in one event."""

    kind: MistakeKind
    item_id: str | None
    problem: str
    """The mistake in words."""
    difference: Difference | None = None


def mistakes(state: ThreadState, event: Event) -> Sequence[Mistake]:
    """List the mistakes in an event, given the thread before it."""
    told = event.update if isinstance(event, ThreadItemUpdated) else event
    look = _LOOKS.get(type(told))
    return () if look is None else list(look(state, event))


def part_difference(
    state: ThreadState, item_id: str, update: AssistantMessageContentPartDone
) -> Difference | None:
    """Compare the text that `content_part.done` brings with the text that the deltas built.

    A part without a text so far is not compared: the `done` brings all of it.
    """
    item = state.items.get(item_id)
    index = update.content_index
    if not isinstance(item, AssistantMessage) or not 0 <= index < len(item.parts):
        return None
    part = item.parts[index]
    if part.text is None or part.is_blank:
        return None
    built, final = str(part.text), update.content.get("text")
    return None if built == final else Difference(("content", index, "text"), built, final)


# --- one event ------------------------------------------------------------------------------------


def _of_item(state: ThreadState, event: Any) -> Iterator[Mistake]:
    item = event.item
    item_id = item.get("id")
    if not isinstance(item_id, str):
        return
    if item_id in PLACEHOLDER_IDS and state.phase(item_id) is Phase.ABSENT:
        problem = f"the id {item_id!r} is {PLACEHOLDER_IDS[item_id]}: every such item has it"
        yield Mistake(MistakeKind.PLACEHOLDER_ID, item_id, problem)
    if _is_hidden(item):
        yield _hidden(item)


def _of_thread(state: ThreadState, event: Any) -> Iterator[Mistake]:
    page = event.thread.get("items")
    items = page.get("data") if isinstance(page, dict) else None
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and _is_hidden(item):
            yield _hidden(item)


def _is_hidden(item: Json) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind in HIDDEN_TYPES


def _hidden(item: Json) -> Mistake:
    item_id = item.get("id")
    problem = f"an item of type {item['type']} is for the model alone, and a client can read it"
    return Mistake(MistakeKind.HIDDEN_ITEM, item_id if isinstance(item_id, str) else None, problem)


def _of_part_done(state: ThreadState, event: Any) -> Iterator[Mistake]:
    update = event.update
    found = part_difference(state, event.item_id, update)
    if found is not None:
        problem = f"content[{update.content_index}].text is not what the deltas built"
        yield Mistake(MistakeKind.DIFFERENCE, event.item_id, problem, found)


def _of_unknown(state: ThreadState, event: Any) -> Iterator[Mistake]:
    if event.type in UPDATE_TYPES:
        item_id = event.json.get("item_id")
        yield Mistake(
            MistakeKind.UPDATE_AS_EVENT,
            item_id if isinstance(item_id, str) else None,
            f"{event.type} is an update, and was sent as an event: put it into `update` of a "
            "thread.item.updated",
        )


_Look: TypeAlias = Callable[[ThreadState, Any], Iterator[Mistake]]

# By the type of the event, or of the update that it carries.
_LOOKS: dict[type[Any], _Look] = {
    ThreadCreated: _of_thread,
    ThreadUpdated: _of_thread,
    ThreadItemAdded: _of_item,
    ThreadItemDone: _of_item,
    ThreadItemReplaced: _of_item,
    AssistantMessageContentPartDone: _of_part_done,
    UnknownEvent: _of_unknown,
}
