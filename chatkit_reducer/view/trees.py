"""The trees of a page: each is there once, and so is what several of them have in common."""

from __future__ import annotations

from typing import Any

import msgspec

from chatkit_reducer.view.appended import Appended, Numbered
from chatkit_reducer.view.drawing.tree import FRAGMENT, Child, Element, Growing, Markdown

__all__ = ["Trees"]

_SMALL = 60
"""How many bytes of JSON an element may have to stand in its parent, and not by itself."""

_WIDE = 32
"""How many children an element may have."""


class Trees:
    """All trees, by numbers."""

    def __init__(self) -> None:
        self._numbered: Numbered[bytes] = Numbered()
        self._step = 0

    @property
    def appended(self) -> Appended[Any]:
        """The trees in the form that the data of a page has."""
        return self._numbered.appended

    def number(self, step: int, tree: Element) -> int:
        """Return the number of a tree, whose texts have their tracks."""
        self._step = step
        return self._put(self._form(tree))

    def _put(self, form: Any) -> int:
        return self._numbered.number(self._step, msgspec.json.encode(form), form)

    def _form(self, tree: Element) -> list[Any]:
        inside = tree.children
        if len(inside) == 1 and isinstance(inside[0], Element) and inside[0].tag == FRAGMENT:
            inside = inside[0].children
        children = self._few([self._child(child) for child in inside])
        return [tree.tag, tree.attributes or 0, *children]

    def _few(self, forms: list[Any]) -> list[Any]:
        """Return forms, or references to fragments that have them if they are many."""
        while len(forms) > _WIDE:
            forms = [
                {"r": self._put(["", 0, *forms[i : i + _WIDE]])}
                for i in range(0, len(forms), _WIDE)
            ]
        return forms

    def _child(self, child: Child) -> Any:
        if isinstance(child, Element):
            if child.form is None:
                form = self._form(child)
                is_small = child.tag != FRAGMENT and len(msgspec.json.encode(form)) <= _SMALL
                child.form = form if is_small else {"r": self._put(form)}
            return child.form
        if isinstance(child, Markdown):
            marks = [self._few([*child.citations])] if child.citations else []
            return ["md", self._child(child.source), *marks]
        if isinstance(child, Growing):
            return child.text if child.track is None else {"t": child.track}
        return child
