"""A draft of a widget."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.event_forms import PLAIN
from chatkit_reducer.core.fold.draft import (
    EXHAUSTED,
    Events,
    Mend,
    Misfits,
    RunResult,
    misfits_in,
    text_in,
)
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items.widget import Widget, is_same_leaf
from chatkit_reducer.core.items.widget_tree import Component
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.events import (
    ThreadItemUpdated,
    Update,
    WidgetComponentUpdated,
    WidgetStreamingTextValueDelta,
)

__all__ = ["WidgetDraft"]


_is_plain_delta = PLAIN[WidgetStreamingTextValueDelta]
_DELTA = WidgetStreamingTextValueDelta("", "", done=False)


class WidgetDraft:
    """A widget that changes in place while a fold lasts; see `core.fold.draft.ItemDraft`.

    It leaves these to the reducers: an update that finds no component, or replaces one that has
    children. Texts may stream side by side, so each component collects its own pieces.
    """

    __slots__ = ("_before", "_item", "_mend", "_streams", "misfits")

    def __init__(self, item: Widget, mend: Mend = mended_json) -> None:
        self.misfits: Misfits = ()
        self._item = item
        self._mend = mend
        self._before = item.components
        self._streams: dict[str, _Stream] = {}

    def apply_run(self, item_id: str, first: ThreadItemUpdated, events: Events) -> RunResult:
        """Take `first`, and as many of `events` as possible; the loop is that of messages."""
        count = 0
        pieces: list[str] = []  # of one run
        append = pieces.append
        event: Any = first
        while type(event) is ThreadItemUpdated and event.item_id == item_id:
            update = event.update
            if type(update) is not WidgetStreamingTextValueDelta:
                if not self._takes_component(update):
                    break
                count += 1
                event = next(events, EXHAUSTED)
                continue
            component_id = update.component_id
            stream = self._stream(component_id) if _is_plain_delta(update) else None
            if stream is None or type(stream.component.json.get("value")) is not str:
                break
            done = update.done
            append(update.delta)
            for event in events:
                if type(event) is not ThreadItemUpdated or event.item_id != item_id:
                    break
                update = event.update
                if (
                    type(update) is not WidgetStreamingTextValueDelta
                    or update.component_id != component_id
                ):
                    break
                if update.done is not False:
                    if not _is_plain_delta(update):
                        break
                    done = True
                append(update.delta)
            else:
                event = EXHAUSTED
            stream.add(self._text_of(pieces, count), done=done)
            count += len(pieces)
            pieces.clear()
        return event, count

    def _text_of(self, pieces: list[str], before: int) -> str:
        """Return the text of a run; a value that is not text is a misfit."""
        try:
            return "".join(pieces)
        except TypeError:
            self.misfits = [*self.misfits, *misfits_in(pieces, _DELTA, before)]
            return text_in(pieces)

    def _takes_component(self, update: Update) -> bool:
        if type(update) is not WidgetComponentUpdated:
            return False
        component_id, new = update.component_id, update.component
        if type(component_id) is not str or type(new) is not dict:
            return False
        stream = self._stream(component_id)
        if stream is None or not is_same_leaf(stream.component.json, new, component_id):
            return False
        stream.component, stream.pieces, stream.done = Component(new, ()), [], False
        return True

    def _stream(self, component_id: str) -> _Stream | None:
        """Return the stream that collects the changes of a component; None for an unknown id."""
        stream = self._streams.get(component_id)
        if stream is None:
            key = self._before.key_of(component_id)
            if key is None:
                return None
            stream = self._streams[component_id] = _Stream(key, self._before.at(key))
        return stream

    def finish(self) -> Widget:
        """Return the widget after all that was taken; the same object if nothing changed."""
        changed: dict[int, Component] = {}
        for stream in self._streams.values():
            before = self._before.at(stream.key)
            if stream.component is not before:  # it took the place of that
                stream.component = Component(self._mend(stream.component.json), ())
            after = stream.whole()
            if after is not before and _differs(before, after):
                changed[stream.key] = after
        return self._item.with_components(self._before.updated(changed)) if changed else self._item


class _Stream:
    """A component, and the pieces of text that came since."""

    __slots__ = ("component", "done", "key", "pieces")

    def __init__(self, key: int, component: Component) -> None:
        self.key = key
        self.component = component
        self.pieces: list[str] = []
        self.done = False

    def add(self, text: str, *, done: bool) -> None:
        """Append a text, the last one if it is done."""
        self.pieces.append(text)
        self.done = self.done or done

    def whole(self) -> Component:
        """Return the component with all that came; the same object if nothing did."""
        if not self.pieces:
            return self.component
        return self.component.with_delta("".join(self.pieces), done=self.done)


def _differs(before: Component, after: Component) -> bool:
    if after.json is before.json:
        return True  # it grew, and what grew differs
    return before.half != after.half or not json_equal(before.json_view(), after.json_view())
