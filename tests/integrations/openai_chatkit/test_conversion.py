"""The SDK's models to our events and states, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, cast

import pytest
from chatkit import types as sdk
from chatkit import widgets
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import ValidationError

from chatkit_reducer.integrations.openai_chatkit import (
    event_from_sdk,
    event_to_sdk,
    item_from_sdk,
    item_to_sdk,
    items_to_sdk,
    state_from_sdk,
)
from chatkit_reducer.testing import strategies as chatkit
from tests.support.sdk_servers import (
    FOREVER,
    ITEM_TYPES,
    NOW,
    added,
    make,
    stop,
    updated,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


def known(convert: Callable[[Any], Any], value: Any) -> Any:
    """What an older release makes of something, if it knows such a thing."""
    try:
        return convert(value)
    except ValidationError:
        if version("openai-chatkit") == "1.6.5":
            raise
        reject()


@given(chatkit.streams(types=ITEM_TYPES, unknown=False))
def test_events_go_to_the_sdk_and_back(events: list[Any]) -> None:
    for one in events:
        theirs = known(event_to_sdk, one)
        assert event_to_sdk(event_from_sdk(theirs)) == theirs


@given(st.data())
def test_items_go_to_the_sdk_and_back(data: st.DataObject) -> None:
    plain = [data.draw(chatkit.items(types=ITEM_TYPES, unknown=False)) for _ in range(3)]
    items = [known(item_to_sdk, item) for item in {item["id"]: item for item in plain}.values()]
    state = state_from_sdk(items)
    assert state.anomalies == ()
    assert items_to_sdk(state) == items
    assert [item_from_sdk(one) for one in items] == [it.to_json() for it in state.items.values()]


def test_a_null_that_the_sdk_requires_is_kept() -> None:
    series = widgets.BarSeries(dataKey="y", label=None)
    chart = widgets.Chart(data=[{"x": "a", "y": 1}], series=[series], xAxis="x")
    item = sdk.WidgetItem(
        id="w", thread_id="thr_1", created_at=NOW, widget=widgets.Card(children=[chart])
    )
    assert item_to_sdk(item_from_sdk(item)) == item


def test_a_thread_with_its_metadata() -> None:
    thread = sdk.ThreadMetadata(id="thr_1", created_at=NOW, title="A title")
    state = state_from_sdk([], thread=thread)
    assert cast(Any, state.thread)["title"] == "A title"


def test_what_a_producer_changes_after_it_was_sent_changes_nothing() -> None:
    item = sdk.WorkflowItem(
        id="w",
        thread_id="thr_1",
        created_at=NOW,
        workflow=sdk.Workflow(type="custom", tasks=[sdk.CustomTask(title="a")]),
    )
    before = event_from_sdk(sdk.ThreadItemAddedEvent(item=item))
    item.workflow.tasks.append(sdk.CustomTask(title="b"))
    assert len(cast(Any, before).item["workflow"]["tasks"]) == 1


# --- widgets of templates -------------------------------------------------------------------------

TEMPLATE: dict[str, Any] = {
    "type": "Card",
    "id": "card",
    "theme": "dark",
    "mystery": {"depth": [1, 2]},
    "children": [
        {"type": "Text", "id": "t", "value": "a", "sparkle": True},
        {"type": "Gauge", "percent": 40, "children": {"type": "Text", "value": "b"}},
    ],
}
"""What a `.widget` template may render: fields and components that the strict models lack."""


def template_item() -> sdk.WidgetItem:
    return sdk.WidgetItem(
        id="w",
        thread_id="thr_1",
        created_at=NOW,
        widget=widgets.DynamicWidgetRoot.model_validate(TEMPLATE),
    )


def written(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_a_widget_of_a_template_comes_out_as_it_went_in() -> None:
    item = template_item()
    there_and_back = item_to_sdk(item_from_sdk(item))
    assert there_and_back == item
    assert isinstance(there_and_back, sdk.WidgetItem)
    assert written(there_and_back.widget) == written(item.widget)
    assert item_from_sdk(there_and_back)["widget"] == TEMPLATE


@pytest.mark.parametrize(
    "one",
    [
        sdk.ThreadItemAddedEvent(item=template_item()),
        sdk.ThreadItemDoneEvent(item=template_item()),
        sdk.ThreadItemUpdatedEvent(
            item_id="w", update=sdk.WidgetRootUpdated(widget=template_item().widget)
        ),
        sdk.ThreadItemUpdatedEvent(
            item_id="w",
            update=sdk.WidgetComponentUpdated(
                component_id="t",
                component=widgets.DynamicWidgetComponent.model_validate(
                    {"type": "Text", "id": "t", "sparkle": True}
                ),
            ),
        ),
        sdk.ThreadCreatedEvent(
            thread=sdk.Thread(id="thr_1", created_at=NOW, items=sdk.Page(data=[template_item()]))
        ),
    ],
)
def test_so_does_one_in_an_event(one: Any) -> None:
    assert event_to_sdk(event_from_sdk(one)) == one


def test_a_strict_widget_stays_one() -> None:
    item = sdk.WidgetItem(
        id="w",
        thread_id="thr_1",
        created_at=NOW,
        widget=widgets.Card(children=[widgets.Text(value="a")], theme="dark"),
    )
    assert type(item_to_sdk(item_from_sdk(item)).widget) is widgets.Card  # type: ignore[union-attr]


def test_a_stopped_widget_of_a_template_is_stored_as_it_was_shown() -> None:
    kind = "widget.streaming_text.value_delta"
    new = updated("w", type=kind, component_id="t", delta="bc", done=False)
    server, shelf = make([added(template_item()), new, FOREVER])
    asyncio.run(stop(server))
    children: Any = [{**TEMPLATE["children"][0], "value": "abc"}, TEMPLATE["children"][1]]
    assert item_from_sdk(shelf.plain()["w"])["widget"] == {**TEMPLATE, "children": children}


def test_a_value_that_is_not_json_is_refused_in_an_item() -> None:
    item = sdk.HiddenContextItem(id="h", thread_id="t", created_at=NOW, content=object())
    with pytest.raises(ValueError, match="Unable to serialize"):
        item_from_sdk(item)
