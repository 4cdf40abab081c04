"""What an item says is in its drawing, in order: against a reading of its JSON written by itself.

`drawings.json` only notices that a drawing has changed. Here, `said` reads the fields that people
are to read from an item, as openai-chatkit names them, and knows nothing of how they are drawn.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

import chatkit.widgets
import pytest
from hypothesis import given
from pydantic import BaseModel

from chatkit_reducer.core.halves import mended
from chatkit_reducer.testing import strategies as chatkit_items
from chatkit_reducer.testing.examples import item, widget
from chatkit_reducer.view.drawing import draw

# --- what a drawing shows -------------------------------------------------------------------------


def leaves(node: Any) -> Iterator[str]:
    """The texts of a tree in the order of the document."""
    if isinstance(node, str):
        yield node
    elif node[0] == "md":
        yield node[1]
    else:
        for child in node[2:]:
            yield from leaves(child)


def attributes(node: Any) -> Iterator[str]:
    """The texts that a reader gets on request: titles, descriptions."""
    if not isinstance(node, str) and node[0] != "md":
        values = node[1].values() if node[1] else ()
        yield from (value for value in values if isinstance(value, str))
        for child in node[2:]:
            yield from attributes(child)


def assert_shown(words: list[str], drawn: Any) -> None:
    """Whether these words stand in a drawing, one after the other."""
    rest = "\x00".join(leaves(drawn))
    for word in filter(None, map(mended, words)):
        before, found, rest = rest.partition(word)
        assert found, (word, before)


# --- what an item says ----------------------------------------------------------------------------


def texts(value: Any, *names: str) -> list[str]:
    found = [value.get(name) for name in names] if isinstance(value, dict) else []
    return [one for one in found if isinstance(one, str)]


def first(value: Any, *names: str) -> list[str]:
    return [one for one in texts(value, *names) if one][:1]


def objects(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def flat(lists: Any) -> list[str]:
    return [word for words in lists for word in words]


def source(value: Any) -> list[str]:
    return first(value, "title")


def user_message(value: Any) -> list[str]:
    parts = flat(texts(part, "text") for part in objects(value, "content"))
    names = flat(first(one, "name", "id") for one in objects(value, "attachments"))
    return [*texts(value, "quoted_text"), *parts, *names]


def assistant_message(value: Any) -> list[str]:
    parts = [part for part in objects(value, "content") if isinstance(part.get("text"), str)]
    cited = [one for part in parts for one in objects(part, "annotations")]
    titles = (source(one.get("source") or one) for one in cited)
    return [*flat(texts(part, "text") for part in parts), *flat(titles)]


def task(value: Any) -> list[str]:
    if value.get("type") not in ("custom", "file", "image", "thought", "web_search"):
        return []
    title = texts(value, "title") or first(value, "title_query")
    queries = [one for one in value.get("queries") or [] if isinstance(one, str)]
    sources = flat(map(source, objects(value, "sources")))
    return [*title, *texts(value, "content"), *queries, *sources]


def workflow(value: Any) -> list[str]:
    flow = value["workflow"]
    summary = flow.get("summary")
    is_timed = isinstance(summary, dict) and summary.get("duration") is not None
    head = [] if is_timed else texts(summary, "title")
    return [*head, *flat(map(task, objects(flow, "tasks")))]


def client_tool_call(value: Any) -> list[str]:
    return texts(value, "name", "status")


def structured_input(value: Any) -> list[str]:
    def question(one: Any) -> list[str]:
        options = flat(texts(option, "value") for option in objects(one, "options"))
        return [*texts(one, "question", "description"), *options]

    return [*flat(map(question, objects(value, "inputs"))), *texts(value, "status")]


def children(value: Any) -> list[str]:
    inside = value.get("children")
    every = inside if isinstance(inside, list) else [inside]
    return flat(component(one) for one in every if isinstance(one, dict))


def framed(value: Any) -> list[str]:
    buttons = flat(texts(value.get(name), "label") for name in ("cancel", "confirm"))
    return [*texts(value.get("status"), "text"), *children(value), *buttons]


def listed(value: Any) -> list[str]:
    return [*texts(value.get("status"), "text"), *children(value)]


def selected(value: Any) -> list[str]:
    chosen = value.get("defaultValue")
    labels = [first(one, "label", "value") for one in objects(value, "options") if chosen]
    values = [one.get("value") for one in objects(value, "options") if chosen]
    if chosen in values and (label := labels[values.index(chosen)]):
        return label
    return first(value, "placeholder")


def charted(value: Any) -> list[str]:
    if value.get("showLegend") is False:
        return []
    return flat(first(one, "label", "dataKey") for one in objects(value, "series")[:24])


def named(*names: str) -> Callable[[Any], list[str]]:
    return lambda value: texts(value, *names)


COMPONENTS: dict[str, Callable[[Any], list[str]]] = {
    **dict.fromkeys(("Caption", "Label", "Markdown", "Text", "Title"), named("value")),
    **dict.fromkeys(("Badge", "Button", "Checkbox"), named("label")),
    **dict.fromkeys(("Basic", "Box", "Col", "Form", "ListViewItem", "Row", "Transition"), children),
    **dict.fromkeys(("Divider", "Icon", "Spacer"), lambda _: []),
    **dict.fromkeys(
        ("DatePicker", "Input", "Textarea"),
        lambda value: first(value, "defaultValue", "placeholder", "name"),
    ),
    "Card": framed,
    "Chart": charted,
    "Image": lambda _: [],  # its description is an attribute, or beside a frame
    "ListView": listed,
    "RadioGroup": lambda value: flat(
        first(one, "label", "value") for one in objects(value, "options")
    ),
    "Select": selected,
}


def component(value: Any) -> list[str]:
    """What a component says; one of an unknown type says what is inside of it."""
    return COMPONENTS.get(value.get("type"), children)(value)


ITEMS: dict[str, Callable[[Any], list[str]]] = {
    "assistant_message": assistant_message,
    "client_tool_call": client_tool_call,
    "end_of_turn": lambda _: ["end of turn"],
    "generated_image": lambda _: [],
    "hidden_context_item": named("content"),
    "sdk_hidden_context": named("content"),
    "structured_input": structured_input,
    "task": lambda value: task(value["task"]),
    "user_message": user_message,
    "widget": lambda value: component(value["widget"]),
    "workflow": workflow,
}


@pytest.mark.law
@pytest.mark.parametrize("kind", ITEMS)
def test_what_an_item_says_is_drawn_in_order(kind: str) -> None:
    @given(chatkit_items.items(types=[kind]))
    def holds(value: Any) -> None:
        assert_shown(ITEMS[kind](value), draw(value))

    holds()


# --- the components of the SDK --------------------------------------------------------------------


def kinds_of_the_sdk() -> dict[str, type[BaseModel]]:
    """The models of components by their types."""
    found = {}
    for model in vars(chatkit.widgets).values():
        if not inspect.isclass(model) or not issubclass(model, BaseModel):
            continue
        kind = model.model_fields.get("type")
        names = typing.get_args(kind.annotation) if kind is not None else ()
        if len(names) == 1 and names[0][0].isupper():
            found[names[0]] = model
    return found


SDK = kinds_of_the_sdk()

# Texts that nobody reads: names that are sent with a form, patterns, addresses, choices that are
# shown by the option with their value.
UNSEEN = {
    *[("Checkbox", "name"), ("RadioGroup", "name"), ("Select", "name"), ("Image", "src")],
    *[("Input", "pattern"), ("Textarea", "pattern")],
    *[("RadioGroup", "defaultValue"), ("Select", "defaultValue")],
}


def texts_of(model: type[BaseModel]) -> list[str]:
    """The fields that are any text, and nothing else."""
    return [
        name
        for name, field in model.model_fields.items()
        if field.annotation in (str, str | None, typing.Optional[str])  # noqa: UP045
        and name not in ("id", "key", "type")
    ]


def test_the_components_of_the_sdk_are_all_known() -> None:
    assert SDK.keys() == COMPONENTS.keys()
    assert {("Text", "value"), ("Button", "label"), ("Image", "alt")} <= {
        (kind, name) for kind, model in SDK.items() for name in texts_of(model)
    }


@pytest.mark.parametrize("kind", SDK)
def test_a_component_of_the_sdk_is_drawn_as_one(kind: str) -> None:
    drawn = draw(widget("w", {"type": kind}))
    assert "w-unknown" not in str(drawn)
    assert drawn != draw(widget("w", {"type": "Poll"}))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, model in SDK.items()
        for name in texts_of(model)
        if (kind, name) not in UNSEEN
    ],
)
def test_each_text_of_a_component_can_be_read(kind: str, name: str) -> None:
    drawn = draw(widget("w", {"type": kind, name: "some words"}))
    assert "some words" in [*leaves(drawn), *attributes(drawn)]


@pytest.mark.parametrize(
    "kind", [kind for kind, model in SDK.items() if "children" in model.model_fields]
)
def test_what_is_inside_of_a_component_is_drawn(kind: str) -> None:
    inside = [{"type": "Text", "value": word} for word in ("one", "two", "three")]
    for several in (inside, inside[0]):
        drawn = draw(widget("w", {"type": kind, "children": several}))
        words = [one["value"] for one in inside] if isinstance(several, list) else ["one"]
        assert [*leaves(drawn)] == words


def test_an_item_of_another_type_is_drawn_as_its_json() -> None:
    drawn = draw(item("x", "poll", question="Which one?", options=["this", "that"]))
    assert_shown(["poll", '"question": "Which one?"', '"this"', '"that"'], drawn)
