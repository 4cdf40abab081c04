"""Which texts of a newly drawn tree go on a track: those that were there before, and less long.

The cost of a comparison is that of the elements that are not the same objects as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat

from chatkit_reducer.view.drawing.ends import same_ends
from chatkit_reducer.view.drawing.tree import FRAGMENT, Child, Element, Growing, Markdown
from chatkit_reducer.view.tracks import Track

__all__ = ["Growth", "adopt", "growing_texts"]


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
        now.form = None
        other = before if isinstance(before, Element) and _kind(before) == _kind(now) else None
        olds, news = [] if other is None else _children(other), _children(now)
        is_same = (
            other is not None
            and other.tag == now.tag
            and other.attributes == now.attributes
            and len(olds) == len(news)
        )
        front, back = same_ends(olds, news)
        there = chain(olds[front : len(olds) - back], repeat(None))
        for old, child in zip(there, news[front : len(news) - back], strict=False):
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


def _children(element: Element) -> list[Child]:
    """Return the children of an element, with those of fragments in place of these."""
    children = element.children
    if children and isinstance(children[0], Element) and children[0].tag == FRAGMENT:
        return [inner for each in children if isinstance(each, Element) for inner in each.children]
    return children


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
    others = like.children if isinstance(like, Element) else []
    changes = [
        adopt(others[i] if i < len(others) else None, child)
        for i, child in enumerate(tree.children)
    ]
    if any(changes):
        tree.form = None
    return any(changes)


def growing_texts(tree: Element, *, counted: bool = False) -> Iterator[Growing]:
    """Yield the texts in a tree that are on tracks, in order.

    Args:
        tree: the tree.
        counted: only those whose characters are counted.
    """
    todo: list[Child] = [tree]
    while todo:
        node = todo.pop()
        if type(node) is Markdown:
            node = node.source
        if type(node) is Element:
            if node.counts or (node.grows and not counted):
                todo.extend(reversed(node.children))
        elif type(node) is Growing and node.track is not None and node.is_counted >= counted:
            yield node
