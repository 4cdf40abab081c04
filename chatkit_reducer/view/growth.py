"""Which texts of a newly drawn tree go on a track: those that were there before, and less long.

The cost of a comparison is that of the elements that are not the same objects as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import TypeGuard

from chatkit_reducer.view.drawing.ends import same_ends
from chatkit_reducer.view.drawing.tree import FRAGMENT, Child, Element, Growing, Markdown
from chatkit_reducer.view.tracks import Track

__all__ = ["Growth", "adopt", "counted_tracks"]


class Growth:
    """One comparison of the tree of an item with the one before it.

    Args:
        tracks: all tracks; new ones are added.
        step: the step of the new tree.
        is_pending: whether the item may grow from here on.
    """

    def __init__(self, tracks: list[Track], step: int, *, is_pending: bool) -> None:
        self._tracks = tracks
        self._step = step
        self._is_pending = is_pending
        self.grown: list[tuple[Growing, str]] = []
        """The texts that grew, each with what it gained."""
        self.begun: list[int] = []
        """The tracks that are new."""

    def compare(self, before: Child | None, now: Child) -> bool:
        """Give the texts of a tree their tracks; return whether nothing else is new in it.

        Args:
            before: what was in its place.
            now: the new tree.
        """
        if now is before:
            return True
        if isinstance(now, str):
            return now == before
        if isinstance(now, Growing):
            return self._give_track(before if isinstance(before, Growing) else None, now)
        if isinstance(now, Markdown):
            other = before if isinstance(before, Markdown) else None
            is_same = self.compare(None if other is None else other.source, now.source)
            return is_same and other is not None and other.citations == now.citations
        return self._compare_elements(before, now)

    def _compare_elements(self, before: Child | None, now: Element) -> bool:
        now.renew()
        other = before if isinstance(before, Element) and _kind(before) == _kind(now) else None
        olds, news = _between([] if other is None else other.children, now.children)
        for fragment in filter(_is_fragment, news):
            fragment.renew()
        olds, news = _between(_flat(olds), _flat(news))
        is_same = (
            other is not None
            and other.tag == now.tag
            and other.attributes == now.attributes
            and len(olds) == len(news)
        )
        for old, child in zip(chain(olds, repeat(None)), news, strict=False):
            is_same = self.compare(old, child) and is_same
        return is_same

    def _give_track(self, before: Growing | None, now: Growing) -> bool:
        """Put a text on the track of the one before it, or on a new one if it begins to grow."""
        now.track = None
        if before is not None and before.track is not None:
            known = self._tracks[before.track].text
            if now.text.startswith(known):
                now.track = before.track
                self._grow(now, now.text[len(known) :])
                return True
        elif before is not None and before.text == now.text:
            return True
        begins = before is not None and before.track is None and now.text.startswith(before.text)
        if self._is_pending and (begins or not now.text):
            now.track = len(self._tracks)
            self._tracks.append(Track(self._step))
            self.begun.append(now.track)
            if now.text:
                self._tracks[now.track].grow(self._step, now.text)
        return False

    def _grow(self, text: Growing, more: str) -> None:
        if more:
            assert text.track is not None
            self._tracks[text.track].grow(self._step, more)
            self.grown.append((text, more))


def _between(before: list[Child], now: list[Child]) -> tuple[list[Child], list[Child]]:
    """Return the children between those at both ends that are the same objects."""
    front, back = same_ends(before, now)
    return before[front : len(before) - back], now[front : len(now) - back]


def _flat(children: list[Child]) -> list[Child]:
    """Return children with those of fragments in place of these."""
    if not any(map(_is_fragment, children)):
        return children
    return [
        inner
        for child in children
        for inner in (child.children if _is_fragment(child) else (child,))
    ]


def _is_fragment(child: Child) -> TypeGuard[Element]:
    return type(child) is Element and child.tag == FRAGMENT


def _kind(element: Element) -> str:
    return element.tag.partition(".")[0]


def adopt(like: Child | None, tree: Child) -> bool:
    """Put the texts of a tree on the tracks of another, which has the same texts.

    Args:
        like: what is in its place in the other tree.
        tree: the tree, of which nothing grows by itself.

    Returns:
        Whether anything is on another track than before.
    """
    if tree is like or isinstance(tree, str):
        return False
    if isinstance(tree, Markdown):
        return adopt(like.source if isinstance(like, Markdown) else None, tree.source)
    if isinstance(tree, Growing):
        found = like.track if isinstance(like, Growing) else None
        is_new, tree.track = found != tree.track, found
        return is_new
    if not tree.grows:
        return False
    form = like.form if isinstance(like, Element) else None
    if form is not None and tree.like is form:
        return False  # it has taken them over already
    tree.like = form
    changes = [adopt(*pair) for pair in _pairs(like, tree)]
    if any(changes):
        tree.renew()
    return any(changes)


def _pairs(like: Child | None, tree: Element) -> Iterator[tuple[Child | None, Child]]:
    """Pair the children of two elements."""
    others, children = like.children if isinstance(like, Element) else [], tree.children
    if not _are_alike(others, children):
        others, children = _flat(others), _flat(children)
        for fragment in filter(_is_fragment, tree.children):
            fragment.renew()
    return zip(chain(others, repeat(None)), children, strict=False)


def _are_alike(others: list[Child], children: list[Child]) -> bool:
    """Whether children stand in fragments of the same sizes, or in none."""
    return list(map(_size, others)) == list(map(_size, children))


def _size(child: Child) -> int:
    return len(child.children) if _is_fragment(child) else 0


def counted_tracks(tree: Element) -> list[list[int]]:
    """Return the tracks of a tree whose characters are counted: the first and the count of runs."""
    if not tree.counts:
        return []
    if tree.counted is None:
        tree.counted = []
        for child in tree.children:
            found = counted_tracks(child) if type(child) is Element else _counted_track(child)
            for first, count in found:
                last = tree.counted[-1] if tree.counted else None
                if last is not None and sum(last) == first:
                    last[1] += count
                else:
                    tree.counted.append([first, count])
    return [*map(list, tree.counted)]


def _counted_track(child: Child) -> list[list[int]]:
    text = child.source if type(child) is Markdown else child
    if type(text) is not Growing or text.track is None or not text.is_counted:
        return []
    return [[text.track, 1]]
