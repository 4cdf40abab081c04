"""Each type of item, drawn for people.

`VIEWS` says for an item type how it is called and how it is shown. A type without a line there is
shown as JSON, and so is a malformed item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from rich.console import Group, RenderableType
from rich.text import Text

from chatkit_reducer.cli.render.layout import Prefixed, indented, json_text, label, link
from chatkit_reducer.cli.render.prose import Prose
from chatkit_reducer.cli.render.text import id_text, one_line, safe, shortened, url_text
from chatkit_reducer.cli.render.widgets import widget_tree
from chatkit_reducer.core.items import ITEM_TYPES, ItemState, OpaqueItem
from chatkit_reducer.events import Json

__all__ = ["VIEWS", "Body", "View", "type_name", "type_names", "view_of"]

Body: TypeAlias = Iterator[RenderableType]


class View(NamedTuple):
    """How an item is called and shown."""

    name: str
    style: str
    body: Callable[[Json], Body]


def view_of(item: ItemState) -> View:
    """Return the view that shows an item."""
    malformed = item.type in ITEM_TYPES and isinstance(item, OpaqueItem)
    found = VIEWS.get(item.type)
    if found is not None and not malformed:
        return found
    return View(item.type or "item without a type", "bold", _as_json)


def type_names(types: Sequence[str]) -> dict[str, str]:
    """Return short names of item types for the lanes of a chart: of the first few."""
    return {kind: shortened(type_name(kind), _LONGEST_NAME) for kind in types[:_MOST_LANES]}


def type_name(kind: str) -> str:
    """Return the name of an item type for people."""
    found = VIEWS.get(kind)
    return found.name if found is not None else id_text(kind) or "(no type)"


_LONGEST_NAME = 16
_MOST_LANES = 6


# --- fields that may be of any kind ---------------------------------------------------------------


def _text(json: Json, name: str) -> str:
    value = json.get(name)
    return value if isinstance(value, str) else ""


def _object(json: Json, name: str) -> Json:
    value = json.get(name)
    return value if isinstance(value, dict) else {}


def _list(json: Json, name: str) -> list[Any]:
    value = json.get(name)
    return value if isinstance(value, list) else []


def _objects(json: Json, name: str) -> list[Json]:
    return [element for element in _list(json, name) if isinstance(element, dict)]


def _strings(json: Json, name: str) -> list[str]:
    return [element for element in _list(json, name) if isinstance(element, str)]


_OF_EVERY_ITEM = frozenset({"id", "thread_id", "created_at", "type"})


def _as_json(item: Json) -> Body:
    yield json_text({name: value for name, value in item.items() if name not in _OF_EVERY_ITEM})


# --- messages -------------------------------------------------------------------------------------


def _user_message(item: Json) -> Body:
    quoted = _text(item, "quoted_text")
    if quoted:
        for line in safe(quoted).split("\n"):
            yield Prefixed(Text("\u2502 ", "dim"), Text(line, "italic"))
    yield _user_text(_list(item, "content"))
    for attachment in _objects(item, "attachments"):
        yield _attachment(attachment)
    options = _object(item, "inference_options")
    tool = _object(options, "tool_choice")
    chosen = [("model", _text(options, "model")), ("tool", _text(tool, "id"))]
    for name, value in chosen:
        if value:
            yield label(f"{name}: {value}", "dim")


def _user_text(content: list[Any]) -> Text:
    shown = Text()
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "input_text":
            shown.append(safe(_text(part, "text")))
        elif kind == "input_tag":
            shown.append(f"@{one_line(_text(part, 'text'))}", "bold cyan")
            shown.append(f" ({id_text(_text(part, 'id'))})", "dim")
        else:
            shown.append_text(json_text(part))
    return shown


def _attachment(attachment: Json) -> Text:
    shown = label(f"attached: {_text(attachment, 'name') or '(no name)'}")
    shown.append(f"  {one_line(_text(attachment, 'mime_type'))}", "dim")
    shown.append(f"  {id_text(_text(attachment, 'id'))}", "dim")
    return shown


def _assistant_message(item: Json) -> Body:
    notes: list[Json] = []
    parts = _objects(item, "content")
    for part in parts:
        if isinstance(part.get("text"), str):
            yield Prose(_with_notes(part, notes), is_markdown=True)
        else:
            yield json_text(part)
    if not any(_text(part, "text") for part in parts) and not notes:
        yield Text("(no text)", "dim")
    for number, note in enumerate(notes, 1):
        yield Prefixed(f"[{number}] ", _source(_object(note, "source") or note))


def _with_notes(part: Json, notes: list[Json]) -> str:
    """Return the text of a part, with the numbers of its citations where they belong."""
    text = _text(part, "text")
    marks: list[tuple[int, int]] = []
    for note in _objects(part, "annotations"):
        notes.append(note)
        index = note.get("index")
        if isinstance(index, int) and index >= 0:
            marks.append((min(index, len(text)), len(notes)))
    shown, begin = [], 0
    for index, number in sorted(marks):
        shown += [text[begin:index], f"[{number}]"]
        begin = index
    return "".join([*shown, text[begin:]])


def _source(source: Json) -> Text:
    title = _text(source, "title")
    where = _text(source, "url") or _text(source, "filename") or _text(source, "id")
    shown = label(title or where or "(no title)")
    if title and where and where != title:
        shown.append("  ").append(url_text(where), "cyan")
    if _text(source, "description"):
        shown.append(f"  {one_line(_text(source, 'description'))}", "dim")
    return shown if title or where else json_text(source)


# --- workflows and tasks --------------------------------------------------------------------------

_STATES = {
    "loading": ("\u25cc", ""),
    "complete": ("\u2713", "green"),
    "none": ("\u2022", "dim"),
}


def _workflow(item: Json) -> Body:
    workflow = _object(item, "workflow")
    head = label(_text(workflow, "type") or "workflow of no type", "dim")
    summary = workflow.get("summary")
    if isinstance(summary, dict):
        head.append(": ", "dim").append_text(_summary(summary))
    yield head
    for task in _list(workflow, "tasks"):
        yield from _task(task) if isinstance(task, dict) else [json_text(task)]


def _summary(summary: Json) -> Text:
    duration = summary.get("duration")
    if isinstance(duration, (int, float)):
        return Text(f"took {duration} s")
    return label(_text(summary, "title")) if _text(summary, "title") else json_text(summary)


def _task_item(item: Json) -> Body:
    yield from _task(_object(item, "task"))


def _task(task: Json) -> Body:
    status = _text(task, "status_indicator") or "none"
    symbol, style = _STATES.get(status, ("?", "red"))
    kind = _text(task, "type")
    if kind not in _TASKS:
        yield Prefixed(Text(f"{symbol} ", style), json_text(task))
        return
    title, *details = _TASKS[kind](task)
    if status not in ("none", "complete"):
        note = Text(one_line(status), style)
        title = Text.assemble(title, "  ", note) if isinstance(title, Text) else Group(title, note)
    yield Prefixed(Text(f"{symbol} ", style), title)
    for detail in details:
        yield indented(detail)


def _titled(task: Json) -> list[RenderableType]:
    title, content = _text(task, "title"), _text(task, "content")
    shown: list[RenderableType] = [label(title, "bold")] if title else []
    shown += [Prose(content, is_markdown=True)] if content else []
    return shown or [Text("(empty)", "dim")]


def _search(task: Json) -> list[RenderableType]:
    title = label(_text(task, "title") or _text(task, "title_query") or "web search", "bold")
    queries = [label(f"\u201c{query}\u201d", "italic") for query in _strings(task, "queries")]
    return [title, *queries, *_sources(task)]


def _with_sources(task: Json) -> list[RenderableType]:
    title = label(_text(task, "title") or _text(task, "type"), "bold")
    return [title, *_sources(task)]


def _sources(task: Json) -> list[Text]:
    return [_source(source) for source in _objects(task, "sources")]


_TASKS: dict[str, Callable[[Json], list[RenderableType]]] = {
    "custom": _titled,
    "file": _with_sources,
    "image": _with_sources,
    "thought": _titled,
    "web_search": _search,
}


# --- the others -----------------------------------------------------------------------------------


def _widget(item: Json) -> Body:
    yield widget_tree(_object(item, "widget"))


def _image(item: Json) -> Body:
    image = _object(item, "image")
    if not image:
        yield Text("(no image)", "dim")
        return
    yield label(id_text(_text(image, "id")) or "(no id)")
    yield link(url_text(_text(image, "url")))


def _client_tool_call(item: Json) -> Body:
    call = label(_text(item, "name") or "(no name)", "bold")
    yield call.append_text(Text.assemble("(", json_text(item.get("arguments")), ")"))
    if item.get("output") is not None:
        yield Prefixed(Text("\u2192 ", "green"), json_text(item["output"]))
    yield label(f"status: {_text(item, 'status') or '(none)'}", "dim")


def _structured_input(item: Json) -> Body:
    for number, question in enumerate(_objects(item, "inputs"), 1):
        yield Prefixed(f"{number}. ", Prose(_text(question, "question")))
        if _text(question, "description"):
            yield indented(Prose(_text(question, "description"), "dim"), 3)
        for line in _answer(question):
            yield indented(line, 3)
    yield label(f"status: {_text(item, 'status') or '(none)'}", "dim")


def _answer(question: Json) -> Iterator[Text]:
    answer = question.get("answer")
    values = _strings(answer, "values") if isinstance(answer, dict) else []
    options = [_text(option, "value") for option in _objects(question, "options")]
    mark = "[x]" if question.get("multiple") is True else "(x)"
    for option in options:
        chosen = option in values
        text = f"{mark if chosen else mark.replace('x', ' ')} {option}"
        yield label(text, "green" if chosen else "")
    for value in values:
        if value not in options:
            yield label(f"\u2192 {value}", "green")
    if not isinstance(answer, dict):
        yield Text("(no answer)", "dim")
    elif answer.get("skipped") is True:
        yield Text("(skipped)", "dim")


def _hidden(item: Json) -> Body:
    content = item.get("content")
    yield Prose(content, "dim") if isinstance(content, str) else json_text(content, "dim")


def _end_of_turn(item: Json) -> Body:
    yield from ()


VIEWS: MappingProxyType[str, View] = MappingProxyType(
    {
        "assistant_message": View("assistant", "bold green", _assistant_message),
        "client_tool_call": View("client tool call", "bold cyan", _client_tool_call),
        "end_of_turn": View("end of turn", "dim", _end_of_turn),
        "generated_image": View("image", "bold magenta", _image),
        "hidden_context_item": View("hidden context", "dim", _hidden),
        "sdk_hidden_context": View("hidden context of the SDK", "dim", _hidden),
        "structured_input": View("questions", "bold cyan", _structured_input),
        "task": View("task", "bold cyan", _task_item),
        "user_message": View("user", "bold", _user_message),
        "widget": View("widget", "bold magenta", _widget),
        "workflow": View("workflow", "bold cyan", _workflow),
    }
)
"""Item type to how it is shown."""
