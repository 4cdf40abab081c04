"""The models of the SDK as JSON: one function for all who need it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.sdk_models import is_model, json_of_model
from chatkit_reducer.events import Json, ThreadItemDone
from chatkit_reducer.supervise._tracker import as_event

pytest.importorskip("chatkit")

import chatkit.types as sdk
import chatkit.widgets as w
from pydantic import BaseModel, Field, RootModel, TypeAdapter

from chatkit_reducer.integrations.openai_chatkit import item_from_sdk
from chatkit_reducer.testing.checks._producer import _item

AT: Any = {"id": "i", "thread_id": "t", "created_at": "2026-01-01T00:00:00"}
ITEM: TypeAdapter[Any] = TypeAdapter(sdk.ThreadItem)

MODELS: dict[str, Any] = {
    "a hidden item without content": sdk.HiddenContextItem(**AT, content=None),
    "a hidden item": sdk.HiddenContextItem(**AT, content={"a": [1, None]}),
    "a message": sdk.AssistantMessageItem(
        **AT, content=[sdk.AssistantMessageContent(text="a", annotations=[])]
    ),
    "an image that has not come": sdk.GeneratedImageItem(**AT, image=None),
    "a chart": sdk.WidgetItem(
        **AT,
        widget=w.Card(
            children=[
                w.Chart(
                    data=[{"x": 1}],
                    series=[w.BarSeries(dataKey="x", label=None, color=None, stack=None)],
                    xAxis="x",
                )
            ]
        ),
    ),
    "a widget from a template": sdk.WidgetItem(
        **AT,
        widget=w.DynamicWidgetRoot.model_validate(
            {"type": "Card", "further": {"a": 1}, "children": [{"type": "Text", "odd": [{"b": 2}]}]}
        ),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_all_who_need_it_agree(name: str) -> None:
    model = MODELS[name]
    plain = json_of_model(model)
    event = as_event(sdk.ThreadItemDoneEvent(item=model))
    assert isinstance(event, ThreadItemDone)
    assert event.item == item_from_sdk(model) == _item(model) == plain
    assert to_json(event)["item"] == plain


@pytest.mark.parametrize("name", MODELS)
def test_what_was_written_can_be_read(name: str) -> None:
    model = MODELS[name]
    plain = json_of_model(model)
    if name != "a widget from a template":  # the SDK reads it as a strict widget
        assert json_of_model(type(model).model_validate(plain)) == plain
    # What the SDK sends is this, less the nulls that it leaves out.
    sent = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert without_nulls(plain) == without_nulls(sent)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_a_null_that_is_required_is_kept() -> None:
    assert json_of_model(MODELS["a hidden item without content"])["content"] is None
    event = as_event(sdk.ThreadItemDoneEvent(item=MODELS["a hidden item without content"]))
    assert isinstance(event, ThreadItemDone)
    assert ITEM.validate_python(event.item).content is None


def test_unknown_fields_of_a_template_come_along() -> None:
    root = json_of_model(MODELS["a widget from a template"])["widget"]
    assert root == {
        "type": "Card",
        "further": {"a": 1},
        "children": [{"type": "Text", "odd": [{"b": 2}]}],
    }


class Leaf(BaseModel):
    needed: int | None
    other: int | None = None


class Tree(BaseModel):
    leaf: Leaf | None = None
    leaves: list[Leaf] = []
    named: dict[str, Leaf] = {}
    pair: tuple[Leaf, Leaf] | None = None
    root: RootModel[list[Leaf]] | None = None
    renamed: int | None = Field(serialization_alias="newName")
    hidden: int | None = Field(exclude=True)


@given(st.builds(Tree, hidden=st.none(), root=st.none() | st.builds(
    RootModel[list[Leaf]], st.lists(st.builds(Leaf), max_size=2)
)))  # fmt: skip
def test_nulls_at_any_depth(tree: Tree) -> None:
    plain = json_of_model(tree)
    assert "newName" in plain
    assert "hidden" not in plain
    leaves = [tree.leaf, *tree.leaves, *tree.named.values(), *(tree.pair or ())]
    leaves += [] if tree.root is None else tree.root.root
    assert len(places(plain)) == len([leaf for leaf in leaves if leaf is not None])


def places(value: Any) -> list[Json]:
    """The objects in which a required field is."""
    if isinstance(value, list):
        return [place for inner in value for place in places(inner)]
    if not isinstance(value, dict):
        return []
    return [value] * ("needed" in value) + places(list(value.values()))


def test_what_is_a_model() -> None:
    assert is_model(Leaf(needed=1))
    assert not is_model(Leaf)
    assert not is_model({"model_dump": 1})

    class Duck:
        def model_dump(self, **_: Any) -> Json:
            return {"type": "new"}

    assert json_of_model(Duck()) == {"type": "new"}


def test_it_imports_no_sdk() -> None:
    code = (
        "import sys; import chatkit_reducer.supervise, chatkit_reducer.core.sdk_models; "
        "sys.exit(any(name in sys.modules for name in ('pydantic', 'chatkit')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
