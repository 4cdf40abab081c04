"""Whether an event that code has made is one that `decode` could have made.

Events are checked where text becomes an event. Code that makes them from our own classes can put
anything into them, `delta=None` for one, and msgspec does not look. `misformed` looks at every
field, by the types that the classes themselves declare; so a new event class needs nothing here.
`fold` and `reduce` ask it of every event that they do not take on the fast path, and `encode` of
every event. `PLAIN` has a quick answer for the classes that come in crowds. It may say no where
nothing is wrong (a text of a subclass of `str`), and then `misformed` decides.

The contents of items, tasks and components are not checked here; see `docs/semantics.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, TypeAlias, get_args, get_origin

import msgspec

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.events import (
    UPDATE_TYPES,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    Extra,
    Redelivered,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownEvent,
    UnknownUpdate,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
    wire_tag,
    wire_type,
)

__all__ = ["PLAIN", "fault_of", "misformed", "type_of", "wrong_extra"]

_UPDATES: frozenset[type[Any]] = frozenset({*UPDATE_TYPES.values(), UnknownUpdate})
_UNKNOWN = (UnknownEvent, UnknownUpdate)

_WORDS: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a JSON object",
    NoneType: "null",
}

_Form: TypeAlias = "tuple[tuple[str, frozenset[type[Any]], str], ...]"


def _has_item(event: Any) -> bool:
    return type(event.item) is dict


def _has_content(update: Any) -> bool:
    return type(update.content_index) is int and type(update.content) is dict


def _has_task(update: Any) -> bool:
    return type(update.task_index) is int and type(update.task) is dict


PLAIN: dict[type[Any], Callable[[Any], bool]] = {
    ThreadItemAdded: _has_item,
    ThreadItemDone: _has_item,
    ThreadItemReplaced: _has_item,
    ThreadItemRemoved: lambda event: type(event.item_id) is str,
    ThreadItemUpdated: lambda _: True,
    Redelivered: lambda _: True,  # it was read from a log
    AssistantMessageContentPartAdded: _has_content,
    AssistantMessageContentPartDone: _has_content,
    AssistantMessageContentPartTextDelta: lambda update: (
        type(update.content_index) is int and type(update.delta) is str
    ),
    AssistantMessageContentPartAnnotationAdded: lambda update: (
        type(update.content_index) is int
        and type(update.annotation_index) is int
        and type(update.annotation) is dict
    ),
    WidgetStreamingTextValueDelta: lambda update: (
        type(update.component_id) is str and type(update.delta) is str and type(update.done) is bool
    ),
    WidgetComponentUpdated: lambda update: (
        type(update.component_id) is str and type(update.component) is dict
    ),
    WidgetRootUpdated: lambda update: type(update.widget) is dict,
    WorkflowTaskAdded: _has_task,
    WorkflowTaskUpdated: _has_task,
}
"""Event or update class: whether each field of a value is just of the type that `decode` makes."""


def misformed(event: Any) -> str | None:
    """Return the fault in the fields of an event or update, in words; None if there is none.

    Args:
        event: a value of one of this package's classes.
    """
    kind = type(event)
    if kind in _UNKNOWN:
        return _wrong_mapping(event.json)
    for name, kinds, words in _form_of(kind):
        value = getattr(event, name)
        if type(value) not in kinds and not _is_one_of(value, kinds):
            return f"expected `{name}` to be {words}, got {_shown(value)}"
    if kind is ThreadItemUpdated:
        update = event.update
        if type(update) not in _UPDATES:
            return f"expected `update` to be an update, got {_shown(update)}"
        return misformed(update)
    return None


def fault_of(event: Any) -> Fault | None:
    """Return the fault of an event or update whose fields are wrong; None if they are not."""
    problem = misformed(event) or wrong_extra(event)
    return None if problem is None else Fault(AnomalyKind.UNREADABLE, problem, "it was skipped")


def type_of(event: Any) -> str:
    """Return the `type` of an event on the wire, or of the update it carries, if it has one."""
    if type(event) is ThreadItemUpdated and type(event.update) in _UPDATES:
        update = event.update
        return wire_type(event if _has_no_type(update) else update)
    return type(event).__name__ if _has_no_type(event) else wire_type(event)


def _has_no_type(event: Any) -> bool:
    return type(event) in _UNKNOWN and _wrong_mapping(event.json) is not None


def wrong_extra(event: Any) -> str | None:
    """Return the fault in the unknown fields of an event or update; None if there is none."""
    if type(event) in _UNKNOWN or getattr(event, "extra", msgspec.UNSET) is msgspec.UNSET:
        return None
    if not isinstance(event.extra, Extra):
        return f"expected `extra` to be of class Extra, got {_shown(event.extra)}"
    known = {"type", *event.__struct_fields__} - {"extra"}
    taken = [name for name in event.extra if name in known]
    return (
        f"`extra` holds {taken[0]!r}, which {wire_tag(type(event))} has already" if taken else None
    )


def _wrong_mapping(json: Any) -> str | None:
    if not isinstance(json, dict):
        return f"expected a JSON object, got {_shown(json)}"
    kind = json.get("type")
    return None if isinstance(kind, str) else f"expected a string `type`, got {_shown(kind)}"


_forms: dict[type[Any], _Form] = {}


def _form_of(kind: type[Any]) -> _Form:
    """Return the fields of a class, each with the types that it may be of; found out once."""
    form = _forms.get(kind)
    return _forms.setdefault(kind, _new_form(kind)) if form is None else form


def _new_form(kind: type[Any]) -> _Form:
    fields = [f for f in msgspec.structs.fields(kind) if f.name not in ("extra", "update")]
    return tuple([(field.name, *_kinds_of(field.type)) for field in fields])


def _kinds_of(declared: Any) -> tuple[frozenset[type[Any]], str]:
    options = get_args(declared) if isinstance(declared, UnionType) else (declared,)
    kinds = [get_origin(option) or option for option in options]
    words = " or ".join([_WORDS[kind] for kind in kinds if kind is not msgspec.UnsetType])
    return frozenset(kinds), words


def _is_one_of(value: Any, kinds: frozenset[type[Any]]) -> bool:
    # True is an int to Python, and none to JSON.
    return isinstance(value, tuple(kinds)) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return _WORDS.get(type(value)) or f"a value of class {type(value).__name__}"
