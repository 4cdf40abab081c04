"""The versions of one item: when another tree, or another case of the policies, holds from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from chatkit_reducer.analysis.news import News, news_of
from chatkit_reducer.core.items import HIDDEN_TYPES, ItemState, Widget
from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.core.policy.table import ANY, Content, Origin
from chatkit_reducer.core.thread.contents import Entry
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import Json, Update
from chatkit_reducer.view.appended import Appended
from chatkit_reducer.view.decisions import Decisions, Kind
from chatkit_reducer.view.drawing import draw_item
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import Element, Growing
from chatkit_reducer.view.growth import Growth, adopt, counted_tracks
from chatkit_reducer.view.lasting import Lasting, lasting
from chatkit_reducer.view.tracks import Texts, Track
from chatkit_reducer.view.trees import Trees

__all__ = ["GONE", "Shelf", "Versions"]

GONE = 3
_PHASES = {Phase.PENDING: 0, Phase.PENDING_OVER_BASE: 1, Phase.STORED: 2}


@attrs.frozen
class Shelf:
    """The parts of the data that all items of a thread share."""

    tracks: list[Track]
    decisions: Decisions
    trees: Trees = attrs.Factory(Trees)
    largest_image: int | None = None
    """How many characters an image may have to be shown; None for the usual number."""

    def place(self) -> Place:
        """Return the place of an item that was not drawn yet."""
        return Place() if self.largest_image is None else Place(self.largest_image)


@attrs.frozen
class _Looks:
    """The numbers of the trees of a version."""

    tree: int
    sealed: int = -1
    base: int = -1


class Versions:
    """One item, version by version.

    Args:
        number: its number among the items of the thread.
        item: the item as it came.
        shelf: the parts of the data that it shares with others.
    """

    def __init__(self, number: int, item: ItemState, shelf: Shelf) -> None:
        self.number = number
        self.id: str = item.id
        self.type: str = item.type
        self.history: Appended[list[Any]] = Appended()
        self.targets: dict[int | str, int] = {}
        """The tracks that text deltas lengthen, by their part or component, as far as known."""
        self.is_steady: bool = False
        """Whether more text changes neither its case nor anything but the length of the text."""
        self._shelf = shelf
        self._drawing = _Drawing(shelf.place())
        self._tree: Element | None = None
        self._base: tuple[ItemState, int] | None = None
        self._news: News | None = None
        self._told: ItemState | None = None
        """The item of which the news were told last."""
        self._counted: list[list[int]] = []
        self._grown: Growing | None = None
        """The text that the last event lengthened."""
        self._texts = Texts(shelf.tracks)
        self._expected = VisibleContent()
        """What there is to see in it, if nothing but the counted tracks grew."""

    @property
    def head(self) -> Json:
        """The fields that are the same for all versions."""
        return {"id": self.id, "type": self.type, "hidden": self.type in HIDDEN_TYPES}

    def remove(self, step: int) -> None:
        """Note that the item is gone from a step on."""
        self._append(step, [step, GONE])

    def look(self, step: int, entry: Entry, item: ItemState, update: Update | None) -> list[str]:
        """Look at the item after an event; append a version if it is another one.

        Args:
            step: the step that the event leads to.
            entry: its entry in the thread.
            item: the item, with all of its text.
            update: the update that it had, if that is all that happened to it.

        Returns:
            What its texts gained, if that is all that is new.
        """
        phase = _PHASES[entry.phase]
        is_known = self._tree is not None and self.history.values[-1][1] == phase
        growth = Growth(self._shelf.tracks, step, is_pending=phase != _PHASES[Phase.STORED])
        tree = self._drawing.draw(item)
        is_same = growth.compare(self._tree, tree)
        self._tree = tree
        self._expect(growth)
        self._follow_news(entry, item, update)
        if is_known and is_same:
            self._note_facts(step, item)
            return [more for _, more in growth.grown]
        self.targets.clear()
        self._append(step, self._version(step, entry, item))
        return []

    def learn(self, place: int | str, gained: list[str], delta: str) -> int | None:
        """Learn which track the deltas for a part or component lengthen, from the first of them.

        Args:
            place: the part or the component.
            gained: what the texts of the item gained by it.
            delta: its text.

        Returns:
            The track; None if the delta did anything else than lengthening one.
        """
        grown = self._grown
        if gained != [delta] or grown is None or grown.track is None or not grown.is_counted:
            return None
        self.targets[place] = grown.track
        return grown.track

    def lengthen(self, step: int, place: int | str, item: ItemState, update: Any) -> int:
        """Append a text delta to the track that is known for it; return that."""
        track = self.targets[place]
        self._shelf.tracks[track].grow(step, update.delta)
        self._count(track, len(update.delta))
        self.follow_run(item, update)
        if not self.is_steady:
            self._note_facts(step, item)
        return track

    def lengthen_all(self, step: int, place: int | str, deltas: list[str]) -> None:
        """Append a run of text deltas, from this step on, to an item that is steady."""
        track = self.targets[place]
        self._shelf.tracks[track].grow(step, *deltas)
        self._count(track, sum(map(len, deltas)))

    def follow_run(self, item: ItemState, update: Update) -> None:
        """Note that the item has had an update: a text delta, or all the text of a run."""
        if self._news is not None:
            self._news.update(item, update)
            self._told = item

    def texts(self) -> Mapping[str, int]:
        """Return the texts that its tracks have now, with the numbers of the tracks."""
        return self._texts.numbers()

    # --- the parts of a version -------------------------------------------------------------------

    def _append(self, step: int, version: list[Any]) -> None:
        self.history.append(step, version)

    def _version(self, step: int, entry: Entry, item: ItemState) -> list[Any]:
        looks = self._looks(step, entry, item)
        head = [step, _PHASES[entry.phase], looks.tree, looks.sealed, looks.base]
        if entry.phase is Phase.STORED:
            self._counted, self.is_steady = [], False
            return [*head, 1, -1, None, None, entry.order]
        assert self._tree is not None
        self._counted = counted_tracks(self._tree)
        return [*head, *self._facts(step, entry.base, item), self._counted, entry.order]

    def _looks(self, step: int, entry: Entry, item: ItemState) -> _Looks:
        tree, trees = self._tree, self._shelf.trees
        assert tree is not None
        number = trees.number(step, tree)
        if entry.phase is Phase.STORED:
            self._base = None
            return _Looks(number)
        sealed = self._drawing.draw_sealed(item, tree)
        return _Looks(
            number,
            -1 if sealed is None else trees.number(step, sealed),
            -1 if entry.base is None else self._base_number(step, entry.base),
        )

    def _base_number(self, step: int, base: ItemState) -> int:
        if self._base is None:  # it stays the same until the item is stored
            tree = draw_item(base.json_view(), self._shelf.place())
            self._base = base, self._shelf.trees.number(step, tree)
        return self._base[1]

    def _facts(self, step: int, base: ItemState | None, item: ItemState) -> list[Any]:
        """Return the content, the case and the figures of an item that is pending."""
        seen = self._expected = item.seen
        # As in `sweep`: a widget is walked once, and counts as one unless it is empty.
        is_empty = not seen.widgets if isinstance(item, Widget) else item.is_empty
        is_no_news = self._news is not None and self._news.is_none
        self.is_steady = not is_empty and not is_no_news
        kind = Kind(
            item.type,
            Origin.NEW if base is None else Origin.BASE,
            Content.EMPTY if is_empty else Content.PARTIAL,
            item.id if self._shelf.decisions.names_ids else ANY,
            is_no_news,
        )
        case = self._shelf.decisions.case(step, kind)
        return [int(not is_empty), case, [seen.characters, seen.tasks, seen.widgets, seen.images]]

    def _note_facts(self, step: int, item: ItemState) -> None:
        """Append a version with the same trees, if the item is another case or shows more."""
        last = self.history.values[-1]
        if last[1] == _PHASES[Phase.STORED]:
            return
        expected = self._expected
        base = None if self._base is None else self._base[0]
        facts = self._facts(step, base, item)
        if facts[:2] == last[5:7] and self._expected == expected:
            return
        version = [step, *last[1:5], *facts, *last[8:]]
        if last[0] == step:
            self.history.values[-1] = version
        else:
            self._append(step, version)

    def _follow_news(self, entry: Entry, item: ItemState, update: Update | None) -> None:
        if entry.base is None:
            self._news = None
        elif self._news is None or (update is None and item is not self._told):
            self._news = news_of(item, entry.base)
        elif update is not None:
            self._news.update(item, update)
        self._told = item

    def _expect(self, growth: Growth) -> None:
        self._grown = None
        self._texts.note(growth.begun)
        for text, more in growth.grown:
            assert text.track is not None
            self._grown = text
            self._texts.note([text.track])
            if text.is_counted:
                self._expected += VisibleContent(characters=len(more))

    def _count(self, track: int, characters: int) -> None:
        self._texts.note([track])
        self._expected += VisibleContent(characters=characters)


class _Drawing:
    """Draws an item from one version of it to the next, as it is and as it is written if kept."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._sealed_place: Place | None = None
        self._lasting: Lasting | None = None
        self._type: type[ItemState] | None = None

    def draw(self, item: ItemState) -> Element:
        """Draw the item."""
        if self._lasting is None or type(item) is not self._type:
            self._lasting, self._type = lasting(item), type(item)
        return draw_item(self._lasting.json(item), self._place)

    def draw_sealed(self, item: ItemState, tree: Element) -> Element | None:
        """Draw the item sealed; None if that is the item as it is.

        Args:
            item: the item.
            tree: its own tree, the last that was drawn.
        """
        assert self._lasting is not None
        json = self._lasting.sealed(item)
        if json is None:
            return None
        if self._sealed_place is None:
            self._sealed_place = self._place.beside()
        sealed = draw_item(json, self._sealed_place)
        adopt(tree, sealed)
        return sealed
