"""The tree that draws an item: elements, texts, and texts that may grow.

`plain` gives the form that stands in the data of a page (see `view.recording`): lists and texts.
Nothing of a log is ever markup: a text is a text until a browser, or `markup.html`, shows it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from chatkit_reducer.core.halves import mended
from chatkit_reducer.core.vector import EMPTY_VECTOR, Vector

__all__ = [
    "FRAGMENT",
    "Child",
    "Element",
    "Growing",
    "Markdown",
    "around",
    "element",
    "plain",
    "shown",
    "text",
]


FRAGMENT = ""
"""The tag of an element whose children stand in its place. Where one is, there is nothing else."""


class Growing:
    """A text that later updates may lengthen.

    Args:
        text: the text so far.
        is_counted: whether it is text of the assistant, whose characters are counted.
    """

    __slots__ = ("is_counted", "text", "track")

    def __init__(self, text: str, *, is_counted: bool = False) -> None:
        self.text: str = mended(text)
        self.is_counted: bool = is_counted
        self.track: int | None = None
        """The number of the track that has it; None while it is like any other text."""


class Markdown:
    """A text in Markdown, and the numbers of its citations with their places."""

    __slots__ = ("citations", "source")

    def __init__(self, source: str | Growing, citations: Vector[list[int]] = EMPTY_VECTOR) -> None:
        self.source: str | Growing = source
        self.citations: Vector[list[int]] = citations


class Element:
    """One element: its tag with classes, its attributes, its children."""

    __slots__ = ("attributes", "children", "counted", "counts", "form", "grows", "like", "tag")

    def __init__(self, tag: str, attributes: dict[str, Any], children: list[Child]) -> None:
        self.tag: str = tag
        self.attributes: dict[str, Any] = attributes
        self.children: list[Child] = children
        self.grows: bool = any(map(_grows, children))
        """Whether there is a growing text in it."""
        self.counts: bool = self.grows and any(map(_counts, children))
        """Whether there is one in it whose characters are counted."""
        self.form: Any = None
        """Its form in the data of a page, once it has one."""
        self.counted: list[list[int]] | None = None
        """The runs of tracks in it whose characters are counted, once they were asked for."""
        self.like: Any = None
        """The form of the element whose tracks it has, if it took them over."""

    def renew(self) -> None:
        """Forget what was said of it when its texts had other tracks."""
        self.form = self.counted = None


Child: TypeAlias = "Element | Growing | Markdown | str"


def _grows(child: Child) -> bool:
    if type(child) is Element:
        return child.grows
    return type(child) is Growing or (type(child) is Markdown and type(child.source) is Growing)


def _counts(child: Child) -> bool:
    if type(child) is Element:
        return child.counts
    text = child.source if type(child) is Markdown else child
    return type(text) is Growing and text.is_counted


def element(tag: str, *children: Child | None, **attributes: Any) -> Element:
    """Make an element; children that are None, and attributes that are empty, are left out.

    Args:
        tag: the tag and its classes, as in `"div.tag"`.
        children: what is in it.
        attributes: texts, and `css`; an underscore in a name stands for a hyphen.
    """
    given = {name.replace("_", "-"): value for name, value in attributes.items() if value}
    return Element(tag, given, [child for child in children if child is not None])


def around(
    before: Sequence[Child | None], fragments: list[Element], after: Sequence[Child | None] = ()
) -> list[Child]:
    """Return what stands around a list, and its elements: each in a fragment if they are many.

    Args:
        before: what stands before it; what is None is left out.
        fragments: those of the list.
        after: what stands behind it.
    """
    first, last = ([one for one in some if one is not None] for some in (before, after))
    if len(fragments) > 1:
        heads, tails = (
            [Element(FRAGMENT, {}, some)] if some else list[Element]() for some in (first, last)
        )
        return [*heads, *fragments, *tails]
    inside = fragments[0].children if fragments else []
    return [*first, *inside, *last]


def text(value: object) -> str:
    """Return a JSON value as people read it: a text as it is, null as nothing."""
    if isinstance(value, str):
        return mended(value)
    return "" if value is None else shown(value)


_SHOWN = 20_000


def shown(value: object, *, most: int = _SHOWN, indent: int | None = None) -> str:
    """Return a value as JSON, cut to so many characters; a value that has none says so."""
    try:
        written = json.dumps(value, ensure_ascii=False, indent=indent, default=_nothing)
    except RecursionError:
        return "(nested too deeply to be shown)"
    except ValueError:  # it contains itself, or a whole number of thousands of digits
        return "(cannot be shown)"
    except TypeError:  # a key that is not a text
        return "(not JSON)"
    return mended(written if len(written) <= most else f"{written[:most]}\u2026")


def _nothing(value: object) -> str:
    return f"({type(value).__name__})"


def plain(child: Child) -> Any:
    """Return the form of a tree in the data of a page, with texts in place of tracks."""
    if type(child) is str:
        return child
    if type(child) is Growing:
        return child.text
    if type(child) is Markdown:
        marks = [[*child.citations]] if child.citations else []
        return ["md", plain(child.source), *marks]
    assert type(child) is Element
    out = [child.tag, child.attributes or 0]
    for inner in child.children:
        form = plain(inner)
        is_fragment = type(inner) is Element and inner.tag == FRAGMENT
        out += form[2:] if is_fragment else [form]
    return out
