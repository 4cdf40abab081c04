"""Thread items, and their parts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, lru_cache
from typing import Any, Literal, overload

from hypothesis import strategies as st

from chatkit_reducer.testing.strategies._forms import Form, check_form, in_form, item_to_sdk
from chatkit_reducer.testing.strategies._json import (
    JsonObjects,
    check_bool,
    check_names,
    check_strategy,
    checked_ids,
    json_of,
    nullable,
    objects,
    texts,
    unknown_names,
    weighted,
)
from chatkit_reducer.testing.strategies._published import published
from chatkit_reducer.testing.strategies._widgets import roots

ITEM_IDS = ("item_1", "item_2", "item_3", "item_4")
"""The ids of items: few, so that events often speak of the same one."""

_TIMES = ("2025-01-01T00:00:00", "2025-06-30T12:34:56.789000", "2025-12-31T23:59:59Z")
_ICONS = ("bolt", "agent", "vendor:x")


@overload
def items(
    *,
    types: Collection[str] | None = ...,
    ids: st.SearchStrategy[str] | None = ...,
    unknown: bool = ...,
    form: Literal["json"] = ...,
) -> JsonObjects: ...
@overload
def items(
    *,
    types: Collection[str] | None = ...,
    ids: st.SearchStrategy[str] | None = ...,
    unknown: bool = ...,
    form: Literal["sdk"],
) -> st.SearchStrategy[Any]: ...
@published
def items(
    *,
    types: Collection[str] | None = None,
    ids: st.SearchStrategy[str] | None = None,
    unknown: bool = True,
    form: Form = "json",
) -> st.SearchStrategy[Any]:
    """Generate thread items of the eleven types of openai-chatkit 1.6.5, and of others.

    >>> from hypothesis import given
    >>> from chatkit_reducer import ThreadState
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.items(types=["assistant_message", "widget"]))
    ... def test_a_stored_item_is_done(item):
    ...     assert ThreadState.from_items([item]).pending == ()
    >>> test_a_stored_item_is_done()

    Args:
        types: which of the eleven; all of them, if left out.
        ids: where the ids come from; four different ones, if left out.
        unknown: also fields that 1.6.5 does not know and, if `types` is left out, such types. Never
            in the form of the SDK.
        form: `"json"`, plain mappings, or `"sdk"`, the models of openai-chatkit.

    Raises:
        InvalidArgument: an argument has a wrong value.
        ImportError: the form is that of the SDK, and the SDK is not installed.
    """
    names = check_names("types", types, ITEM_TYPES)
    check_strategy("ids", ids, "strings")
    ids = None if ids is None else checked_ids(ids)
    check_bool("unknown", unknown)
    check_form(form, "json", "sdk")
    unknown = unknown and form != "sdk"
    among = items_among(*names, ids=ids, unknown_types=unknown and types is None, unknown=unknown)
    return in_form(among, form, sdk=item_to_sdk)


@lru_cache
def items_among(
    *names: str, ids: st.SearchStrategy[str] | None = None, unknown_types: bool, unknown: bool
) -> JsonObjects:
    """Generate items of these types, and of types that no release knows if `unknown_types`."""
    choice = [items_of(name, ids, unknown=unknown) for name in names]
    return st.one_of([*choice, unknown_items(ids)] if unknown_types else choice)


@lru_cache
def items_of(name: str, ids: st.SearchStrategy[str] | None, *, unknown: bool) -> JsonObjects:
    """Generate items of one known type."""
    required, optional = _FIELDS[name](unknown=unknown)
    return objects({"type": st.just(name), **_base(ids), **required}, optional, unknown=unknown)


def unknown_items(ids: st.SearchStrategy[str] | None) -> JsonObjects:
    """Generate items of types that no release knows."""
    fields = {"content": json_of(3)}
    return objects({"type": unknown_names("new."), **_base(ids)}, fields, unknown=True)


def _base(ids: st.SearchStrategy[str] | None) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "id": st.sampled_from(ITEM_IDS) if ids is None else ids,
        "thread_id": st.just("thread_1"),
        "created_at": st.sampled_from(_TIMES),
    }


# --- parts of items -------------------------------------------------------------------------------


@cache
def citations(*, unknown: bool) -> JsonObjects:
    """Generate citations of a message."""
    return objects(
        {"type": st.just("annotation"), "source": _sources(unknown=unknown)},
        {"index": nullable(st.integers(0, 20))},
        unknown=unknown,
    )


@cache
def _sources(*names: str, unknown: bool) -> JsonObjects:
    about = {"title": texts()}
    more = {"description": nullable(texts()), "group": nullable(texts())}
    by_name = {
        "url": objects({"type": st.just("url"), "url": texts(), **about}, more, unknown=unknown),
        "file": objects(
            {"type": st.just("file"), "filename": texts(), **about}, more, unknown=unknown
        ),
        "entity": objects(
            {"type": st.just("entity"), "id": texts(), **about}, more, unknown=unknown
        ),
    }
    return st.one_of([by_name[name] for name in names or by_name])


@cache
def parts(*, unknown: bool) -> JsonObjects:
    """Generate parts of an assistant message; with `unknown`, also some that have no text."""
    cited = st.lists(citations(unknown=unknown), max_size=2)
    known = objects(
        {"type": st.just("output_text"), "text": texts()},
        {"annotations": nullable(cited) if unknown else cited},
        unknown=unknown,
    )
    if not unknown:
        return known
    textless = {"type": unknown_names("new."), "annotations": cited}
    return weighted((4, known), (1, objects(textless, {"text": st.none()}, unknown=True)))


@cache
def tasks(*, unknown: bool) -> JsonObjects:
    """Generate tasks of a workflow."""
    shared = {
        "status_indicator": st.sampled_from(["none", "loading", "complete"]),
        "title": nullable(texts()),
    }
    icon = nullable(st.sampled_from(_ICONS))
    custom = {**shared, "icon": icon, "content": nullable(texts())}
    search = {**shared, "queries": st.lists(texts(), max_size=2)}
    search["sources"] = st.lists(_sources("url", unknown=unknown), max_size=1)
    files = {**shared, "sources": st.lists(_sources("file", unknown=unknown), max_size=1)}
    known = st.one_of(
        objects({"type": st.just("custom")}, custom, unknown=unknown),
        objects({"type": st.just("thought"), "content": texts()}, shared, unknown=unknown),
        objects({"type": st.just("web_search")}, search, unknown=unknown),
        objects({"type": st.just("file")}, files, unknown=unknown),
        objects({"type": st.just("image")}, shared, unknown=unknown),
    )
    return (
        known | objects({"type": unknown_names("new.")}, shared, unknown=True) if unknown else known
    )


@cache
def images(*, unknown: bool) -> JsonObjects:
    """Generate the pictures of generated images."""
    return objects({"id": texts(), "url": texts()}, unknown=unknown)


# --- the eleven types -----------------------------------------------------------------------------

# The fields that each must have, and those that it may have, besides `id`, `type` and the like.
_Fields = tuple[dict[str, st.SearchStrategy[Any]], dict[str, st.SearchStrategy[Any]]]


def _assistant_message(*, unknown: bool) -> _Fields:
    return {"content": st.lists(parts(unknown=unknown), max_size=2)}, {}


def _workflow(*, unknown: bool) -> _Fields:
    custom = objects({"title": texts()}, {"icon": st.sampled_from(_ICONS)}, unknown=unknown)
    lasting = objects({"duration": st.integers(0, 99)}, unknown=unknown)
    optional = {"summary": nullable(custom | lasting), "expanded": st.booleans()}
    kind = st.sampled_from(["custom", "reasoning"])
    required = {"type": kind, "tasks": st.lists(tasks(unknown=unknown), max_size=2)}
    return {"workflow": objects(required, optional, unknown=unknown)}, {}


def _widget(*, unknown: bool) -> _Fields:
    return {"widget": roots(2, unknown=unknown)}, {"copy_text": nullable(texts())}


def _generated_image(*, unknown: bool) -> _Fields:
    return {}, {"image": nullable(images(unknown=unknown))}


def _user_message(*, unknown: bool) -> _Fields:
    text = objects({"type": st.just("input_text"), "text": texts()}, unknown=unknown)
    tag = objects(
        {"type": st.just("input_tag"), "id": texts(), "text": texts(), "data": st.builds(dict)},
        {"group": nullable(texts()), "interactive": st.booleans()},
        unknown=unknown,
    )
    file = objects(
        {
            "type": st.just("file"),
            "id": texts(),
            "name": texts(),
            "mime_type": st.just("text/plain"),
        },
        {"thread_id": nullable(st.just("thread_1"))},
        unknown=unknown,
    )
    choice = objects({"id": texts()}, unknown=unknown)
    options = {"tool_choice": nullable(choice), "model": nullable(texts())}
    required = {
        "content": st.lists(text | tag, max_size=2),
        "inference_options": objects({}, options, unknown=unknown),
    }
    return required, {"attachments": st.lists(file, max_size=1), "quoted_text": nullable(texts())}


def _client_tool_call(*, unknown: bool) -> _Fields:
    arguments = st.dictionaries(texts(), json_of(2), max_size=2)
    required = {"call_id": texts(), "name": texts(), "arguments": arguments}
    status = st.sampled_from(["pending", "completed"])
    return required, {"status": status, "output": json_of(3)}


def _structured_input(*, unknown: bool) -> _Fields:
    answer = objects(
        {}, {"values": st.lists(texts(), max_size=2), "skipped": st.booleans()}, unknown=unknown
    )
    question = {"id": texts(), "question": texts()}
    option = objects({"value": texts()}, unknown=unknown)
    inputs = st.one_of(
        objects(
            {"type": st.just("freeform"), **question}, {"answer": nullable(answer)}, unknown=unknown
        ),
        objects(
            {
                "type": st.just("multiple_choice"),
                **question,
                "options": st.lists(option, max_size=2),
            },
            {"multiple": st.booleans(), "answer": nullable(answer)},
            unknown=unknown,
        ),
    )
    status = st.sampled_from(["pending", "answered", "skipped"])
    return {"inputs": st.lists(inputs, max_size=2)}, {"status": status}


def _task(*, unknown: bool) -> _Fields:
    return {"task": tasks(unknown=unknown)}, {}


def _end_of_turn(*, unknown: bool) -> _Fields:
    return {}, {}


def _hidden_context_item(*, unknown: bool) -> _Fields:
    return {"content": json_of(3)}, {}


def _sdk_hidden_context(*, unknown: bool) -> _Fields:
    return {"content": texts()}, {}


_FIELDS: dict[str, Callable[..., _Fields]] = {
    "assistant_message": _assistant_message,
    "workflow": _workflow,
    "widget": _widget,
    "generated_image": _generated_image,
    "user_message": _user_message,
    "client_tool_call": _client_tool_call,
    "structured_input": _structured_input,
    "task": _task,
    "end_of_turn": _end_of_turn,
    "hidden_context_item": _hidden_context_item,
    "sdk_hidden_context": _sdk_hidden_context,
}

ITEM_TYPES = tuple(_FIELDS)
"""The eleven types of openai-chatkit 1.6.5."""
