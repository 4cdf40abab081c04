"""A widget as a tree of its components."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from chatkit_reducer.cli.render.layout import label
from chatkit_reducer.cli.render.prose import Prose
from chatkit_reducer.cli.render.text import (
    compact_json,
    id_text,
    one_line,
    safe,
    shortened,
    url_text,
)
from chatkit_reducer.events import Json

__all__ = ["widget_tree"]

_DEEPEST = 12
"""Below that the branches of the tree would leave no room for what hangs on them."""

_TEXTS = ("value", "title", "label", "text", "caption", "alt")
"""The fields of a component that users read, the first one first."""

_DETAILS = ("name", "fieldName", "placeholder", "defaultValue", "defaultChecked", "collapsed")
"""The fields that tell a component from others of its type."""

_SOURCES = ("src", "href", "url")
_ACTIONS = ("onClickAction", "onSubmitAction", "onChangeAction")
_PLAIN = frozenset({"type", "id", "key", "children", "streaming"})
_LONGEST = 200
_FITS = re.compile(r".{0,200}").fullmatch
"""Whether a text stands on one line with its component."""


def widget_tree(root: Json) -> Tree:
    """Draw the tree of a widget: types, ids and texts, with a mark at streaming components."""
    tree = Tree(_component(root), guide_style="dim")
    todo = [(tree, root, 1)]
    while todo:  # no recursion: a widget may be nested more deeply than Python's stack
        branch, component, depth = todo.pop()
        children = list(_children(component))
        if depth >= _DEEPEST and children:
            branch.add(Text("\N{HORIZONTAL ELLIPSIS} more, nested more deeply", "dim"))
            continue
        grown = [(branch.add(_child(child)), child) for child in children]
        todo.extend((twig, child, depth + 1) for twig, child in grown if isinstance(child, dict))
    return tree


def _children(component: Json) -> Iterator[object]:
    children = component.get("children")
    if isinstance(children, list):
        yield from children
    elif children is not None:
        yield children


def _child(child: object) -> RenderableType:
    return _component(child) if isinstance(child, dict) else Text(compact_json(child, _LONGEST))


def _component(component: Json) -> RenderableType:
    head = label(str(component.get("type", "(no type)")), "bold")
    if component.get("id") is not None:
        head.append(f" #{id_text(str(component['id']))}", "cyan")
    if component.get("streaming") is True:
        head.append(" \u25cc streaming", "italic")
    texts, is_markdown = _texts(component), component.get("type") == "Markdown"
    is_beside = not is_markdown and len(texts) == 1 and _FITS(texts[0]) is not None
    for detail in [*(map(Text, map(safe, texts)) if is_beside else ()), *_details(component)]:
        head.append("  ").append_text(detail)
    below = [] if is_beside else [Prose(text, is_markdown=is_markdown) for text in texts]
    return Group(head, *below) if below else head


def _texts(component: Json) -> list[str]:
    texts = [component[name] for name in _TEXTS if isinstance(component.get(name), str)]
    status = component.get("status")
    if isinstance(status, dict) and isinstance(status.get("text"), str):
        texts.append(status["text"])
    return [text for text in texts if text]


def _details(component: Json) -> Iterator[Text]:
    shown = False
    for detail in _known_details(component):
        shown = True
        yield detail
    if not shown and not _texts(component) and component.get("children") is None:
        rest = {name: value for name, value in component.items() if name not in _PLAIN}
        if rest:
            yield Text(compact_json(rest, _LONGEST), "dim")


def _known_details(component: Json) -> Iterator[Text]:
    for name in _DETAILS:
        if component.get(name) is not None:
            yield Text(f"{name}={compact_json(component[name], _LONGEST)}", "dim")
    for name in _SOURCES:
        if isinstance(component.get(name), str):
            yield Text(shortened(url_text(component[name]), _LONGEST), "cyan")
    options = component.get("options")
    if isinstance(options, list):
        yield Text(f"options={shortened(_options(options), _LONGEST)}", "dim")
    for name in _ACTIONS:
        action = component.get(name)
        if isinstance(action, dict) and action.get("type") is not None:
            yield Text(f"\u2192 {one_line(str(action['type']))}", "magenta")
    for name in ("confirm", "cancel"):
        button = component.get(name)
        if isinstance(button, dict) and button.get("label") is not None:
            yield Text(f"{name}={compact_json(button['label'], _LONGEST)}", "dim")


def _options(options: list[object]) -> str:
    names = [
        option.get("label", option.get("value")) if isinstance(option, dict) else option
        for option in options
    ]
    return " | ".join(
        [one_line(name) if isinstance(name, str) else compact_json(name) for name in names]
    )
