"""Where an element is drawn, with what was drawn there last."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from chatkit_reducer.view.drawing.ends import Values
from chatkit_reducer.view.drawing.listing import Listing
from chatkit_reducer.view.drawing.tree import Element

__all__ = ["LARGEST_IMAGE", "Place"]

LARGEST_IMAGE = 256 * 1024
"""How many characters of data an image may have to be shown, unless all are asked for."""


class Place:
    """A place in an item, with the element that drew what was there last.

    A value that is the same object as before is not drawn again: so the cost of another version of
    an item is that of the parts that are new.

    Args:
        largest_image: how many characters an image may have to be shown.
        depth: how many places it is inside of.
        beside: the same place of another drawing of the item; what that has drawn right is taken.
    """

    __slots__ = (
        "_beside",
        "_drawn",
        "_element",
        "_inside",
        "_listings",
        "_more",
        "_value",
        "depth",
        "largest_image",
    )

    def __init__(
        self, largest_image: int = LARGEST_IMAGE, depth: int = 0, beside: Place | None = None
    ) -> None:
        self._beside = beside
        self.largest_image: int = largest_image
        self.depth: int = depth
        """How many places it is inside of."""
        self._value: Any = None
        self._more: tuple[object, ...] = ()
        self._drawn: Callable[..., Element] | None = None
        self._element: Element | None = None
        self._inside: dict[Any, Place] = {}
        self._listings: dict[Any, Listing] = {}

    def at(self, key: object) -> Place:
        """Return a place inside of this one."""
        found = self._inside.get(key)
        if found is None:
            beside = None if self._beside is None else self._beside.at(key)
            found = self._inside[key] = Place(self.largest_image, self.depth + 1, beside)
        return found

    def beside(self) -> Place:
        """Return a place for another drawing, which takes what this one has drawn right."""
        return Place(self.largest_image, self.depth, self)

    def draw(self, how: Callable[..., Element], value: Any, *more: object) -> Element:
        """Draw a value; the same element as last time, if it is the same object.

        Args:
            how: draws it.
            value: the value.
            more: what it takes besides that and this place.
        """
        known = self.drawn_before(how, value, more)
        if known is None and self._beside is not None:
            known = self._beside.drawn_before(how, value, more)
        if known is not None:
            return known
        self._element = drawn = how(value, self, *more)
        self._value, self._drawn, self._more = value, how, more
        return drawn

    def drawn_before(
        self, how: Callable[..., Element], value: Any, more: tuple[object, ...]
    ) -> Element | None:
        """Return the element that drew this value here last; None if it was another value."""
        is_same = value is self._value and how is self._drawn and more == self._more
        return self._element if is_same else None

    def draw_all(self, key: object, how: Callable[..., Element], values: Values) -> list[Element]:
        """Draw the values of the list that is inside of this place, in fragments.

        Args:
            key: tells its lists from each other.
            how: draws a value, the same way each time.
            values: the values.
        """
        return self.listing(key, how).draw(values)

    def listing(self, key: object, how: Callable[..., Element]) -> Listing:
        """Return the list inside of this place that has a key."""
        found = self._listings.get(key)
        if found is None:
            beside = None if self._beside is None else self._beside.listing(key, how)
            found = self._listings[key] = Listing(partial(self._drawer, how), beside)
        return found

    def _drawer(self, how: Callable[..., Element]) -> Callable[[Any], Element]:
        return partial(Place(self.largest_image, self.depth + 1).draw, how)
