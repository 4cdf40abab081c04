"""Items without updates of their own."""

from __future__ import annotations

import pytest

from chatkit_reducer.core.items import Task, parse_item
from chatkit_reducer.events import Json
from chatkit_reducer.testing.examples import item, task


def test_a_task_is_put_to_rest() -> None:
    loading = parse_item(item("x", "task", task=task("t", status="loading"))).item

    assert isinstance(loading, Task)
    assert loading.sealed().json["task"] == task("t")


@pytest.mark.parametrize(
    "json",
    [
        item("x", "task", task=task("t", status="complete")),
        item("x", "task", task="t"),
        item("x", "task"),
        item("x", "new.type", task=task("t", status="loading")),
    ],
)
def test_what_is_no_task_that_loads_stays_as_it_is(json: Json) -> None:
    parsed = parse_item(json).item

    assert parsed is not None
    assert parsed.sealed() is parsed
