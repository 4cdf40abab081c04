"""Widgets: streamed from growing roots, from a model's text, and updated after they were stored."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from agents import Agent, RunConfig, RunContextWrapper, Runner, function_tool
from chatkit.agents import accumulate_text
from chatkit.server import stream_widget
from chatkit.types import (
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetComponentUpdated,
    WidgetItem,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)
from chatkit.widgets import DynamicWidgetComponent, DynamicWidgetRoot, Markdown, WidgetRoot
from pydantic import TypeAdapter

from recorder.scenario import Scenario, first, request, then
from recorder.scripted_model import Pause, ScriptedModel, Text, answer, function_call, message
from recorder.server import Context
from recorder.store import JsonObject

_ROOT: TypeAdapter[WidgetRoot] = TypeAdapter(WidgetRoot)

PARTS = ("", "# Moon\n", "# Moon\nIt is **far", "# Moon\nIt is **far** away.")


async def _grow(*roots: JsonObject) -> AsyncGenerator[WidgetRoot, None]:
    for root in roots:
        yield _ROOT.validate_python(root)


def _card(*children: JsonObject, **fields: Any) -> JsonObject:
    return {"type": "Card", "children": list(children), **fields}


def _markdown(value: str, **fields: Any) -> JsonObject:
    return {"type": "Markdown", "id": "body", "value": value, **fields}


def _text(value: str, **fields: Any) -> JsonObject:
    return {"type": "Text", "value": value, **fields}


def _stream(context: Context, *roots: JsonObject) -> AsyncIterator[ThreadStreamEvent]:
    return stream_widget(
        context.thread, _grow(*roots), copy_text="Moon", generate_id=context.generate_id
    )


@function_tool
async def show_card(wrapper: RunContextWrapper[Context]) -> str:
    """A card whose title and body grow together, and stop streaming at the end."""
    growing = [
        _card(
            _text("Facts"[:length], id="title", streaming=True),
            {"type": "Row", "children": [_markdown(part, streaming=True)]},
            size="md",
        )
        for length, part in enumerate(PARTS, start=2)
    ]
    final = _card(
        _text("Facts", id="title", streaming=False),
        {"type": "Row", "children": [_markdown(PARTS[-1], streaming=False)]},
        size="md",
    )
    await wrapper.context.stream_widget(_grow(*growing, final), copy_text="Moon")
    return "shown"


def streamed_widget(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        function_call(1, "show_card"),
        [Pause(), *message("msg_model_1", Text("As you ", "see."))],
        tools=[show_card],
    )


def streamed_widget_without_flags(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return _stream(context, *(_card(_markdown(part)) for part in PARTS))


def streamed_widget_changing_shape(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return _stream(
        context,
        _card(_markdown("One")),
        _card(_markdown("One, two")),
        _card(_markdown("One, two"), {"type": "Badge", "label": "new"}),
        _card(_markdown("One, two, three"), {"type": "Badge", "label": "new"}),
    )


def streamed_widget_losing_text(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """Growing text without an id, inside a Transition, and in a place that is seen."""

    def root(length: int) -> JsonObject:
        value = "abcdef"[:length]
        return _card(
            _text(value),
            {"type": "Transition", "children": _text(value, id="in-transition")},
            {"type": "Box", "children": [_text(value, id="seen")]},
        )

    return _stream(context, root(2), root(4), root(6))


async def widget_from_the_model(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """The model's text as the body of a card, with the SDK's `accumulate_text`."""
    model = ScriptedModel([message("msg_model_1", Text("The moon ", "is ", "far."))])
    agent = Agent[Context](name="Recorded agent", model=model)
    config = RunConfig(tracing_disabled=True)
    result = Runner.run_streamed(agent, "Hello", context=context, run_config=config)

    async def cards() -> AsyncGenerator[WidgetRoot, None]:
        body = Markdown(id="body", value="", streaming=True)
        async for markdown in accumulate_text(result.stream_events(), body):
            yield _ROOT.validate_python(_card(markdown.model_dump()))

    async for event in stream_widget(context.thread, cards(), generate_id=context.generate_id):
        yield event


DASHBOARD_ID = "wdg_orders"
DASHBOARD: JsonObject = {
    "type": "Basic",
    "children": {
        "type": "Col",
        "id": "column",
        "children": [
            {"type": "Title", "id": "title", "value": "Orders"},
            {"type": "Markdown", "id": "log", "value": "- started\n", "streaming": True},
            {"type": "Badge", "id": "state", "label": "running", "color": "info"},
            {"type": "Sparkline", "id": "trend", "points": [1, 4, 2], "unit": None},
        ],
    },
}
"""A widget as a template makes it.

It has one child that is not a list, and a component that the SDK has no class for.
"""


async def dashboard(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    widget = DynamicWidgetRoot.model_validate(DASHBOARD)
    yield ThreadItemDoneEvent(
        item=WidgetItem(
            id=DASHBOARD_ID,
            thread_id=context.thread.id,
            created_at=context.thread.created_at,
            widget=widget,
            copy_text="Orders",
        )
    )


async def update_dashboard(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """Updates alone: the SDK sends them on, and applies none of them to what is stored."""
    badge = {"type": "Badge", "id": "state", "label": "done"}
    trend = {"type": "Sparkline", "id": "trend", "points": [1, 4, 2, 8]}
    yield _update(WidgetStreamingTextValueDelta(component_id="log", delta="- packed\n", done=False))
    yield _update(WidgetStreamingTextValueDelta(component_id="log", delta="- sent\n", done=True))
    yield _update(_component(badge))
    yield _update(_component(trend))


async def replace_dashboard(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """A new root, an update to a component of it, and at the end another whole item."""
    yield _update(WidgetStreamingTextValueDelta(component_id="log", delta="- sent\n", done=False))
    yield _update(WidgetRootUpdated(widget=_finished_dashboard()))
    yield _update(WidgetStreamingTextValueDelta(component_id="title", delta=" (3)", done=True))
    stored = await context.store.load_item(context.thread.id, DASHBOARD_ID, None)
    yield ThreadItemReplacedEvent(item=stored.model_copy(update={"widget": _finished_dashboard()}))


def _update(
    update: WidgetStreamingTextValueDelta | WidgetComponentUpdated | WidgetRootUpdated,
) -> ThreadItemUpdatedEvent:
    return ThreadItemUpdatedEvent(item_id=DASHBOARD_ID, update=update)


def _component(component: JsonObject) -> WidgetComponentUpdated:
    return WidgetComponentUpdated(
        component_id=component["id"], component=DynamicWidgetComponent.model_validate(component)
    )


def _finished_dashboard() -> DynamicWidgetRoot:
    children = {"type": "Title", "id": "title", "value": "All orders"}
    return DynamicWidgetRoot.model_validate({"type": "Basic", "children": children})


PRESSED: JsonObject = {"type": "refresh", "payload": {"page": 2}}

SCENARIOS = (
    Scenario("streamed-widget", (first(streamed_widget),)),
    Scenario("streamed-widget-without-flags", (first(streamed_widget_without_flags),)),
    Scenario("streamed-widget-changing-shape", (first(streamed_widget_changing_shape),)),
    Scenario("streamed-widget-losing-text", (first(streamed_widget_losing_text),)),
    Scenario("widget-from-the-model", (first(widget_from_the_model),)),
    Scenario("widget-updated-later", (first(dashboard), then(update_dashboard))),
    Scenario(
        "widget-replaced-later",
        (
            first(dashboard),
            request(
                "threads.custom_action",
                replace_dashboard,
                item_id=DASHBOARD_ID,
                action=PRESSED,
            ),
        ),
    ),
)
