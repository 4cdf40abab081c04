"""Long lists are drawn from one version of an item to the next as they are drawn at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, fold, policies
from chatkit_reducer import events as e
from chatkit_reducer.core.items import Widget
from chatkit_reducer.core.items.message_parts import Part
from chatkit_reducer.core.items.widget import REDUCERS
from chatkit_reducer.core.vector import Vector
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    component_updated,
    item,
    part,
    part_added,
    part_done,
    root_updated,
    task_added,
    task_updated,
    text_delta,
    value_delta,
    widget,
    workflow,
)
from chatkit_reducer.view.drawing.content import Content
from chatkit_reducer.view.lasting import lasting
from chatkit_reducer.view.lasting_widget import LastingComponents
from chatkit_reducer.view.reading import Reader
from chatkit_reducer.view.recording import Recording
from tests.support.page_data import check_page

LENGTHS = st.sampled_from([0, 1, 31, 32, 33, 64, 65, 70])
PLACES = st.integers(0, 69)
WORDS = st.sampled_from(["", "a", "a word", "\ud83d", "\U0001f600 "])


def cite(number: int, at: int | None) -> dict[str, Any]:
    source = {"type": "url", "title": str(number), "url": f"https://example.org/{number}"}
    return {"type": "annotation", "source": source, "index": at}


CITATIONS = st.builds(cite, st.integers(0, 9), st.none() | st.integers(-1, 9))


# --- messages -------------------------------------------------------------------------------------


def parts(texts: st.SearchStrategy[str] = WORDS) -> st.SearchStrategy[dict[str, Any]]:
    annotated = st.lists(CITATIONS | st.just("odd"), max_size=2)
    known = st.builds(
        lambda text, citations: {"type": "output_text", "text": text, "annotations": citations},
        texts,
        annotated,
    )
    return known | st.just({"type": "odd"})


MESSAGE_EVENTS = st.one_of(
    st.builds(lambda at, new: part_added("m", new, at), PLACES, parts()),
    st.builds(lambda at, new: part_done("m", new, at), PLACES, parts()),
    st.builds(lambda at, more: text_delta("m", more, at), PLACES, WORDS),
    st.builds(lambda at, to, new: annotation_added("m", new, to, at), PLACES, PLACES, CITATIONS),
)


@pytest.mark.law
@given(LENGTHS, st.lists(MESSAGE_EVENTS, max_size=12))
def test_messages_of_many_parts(count: int, then: list[e.Event]) -> None:
    begun = item("m", "assistant_message", content=[part(str(i)) for i in range(count)])
    check_page([added(begun), *then], [policies.KEEP])


def shape(content: Content) -> list[Any]:
    return [
        [(cited.part.json_view(), [*cited.citations], [*cited.marks]) for cited in content.parts],
        [*content.citations],
    ]


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 3), st.lists(parts(), max_size=3))))
def test_content_after_content_is_the_content_at_once(
    changes: list[tuple[int, int, list[dict[str, Any]]]],
) -> None:
    source, content = Vector.of([Part.parse(part(str(i))) for i in range(70)]), Content()
    for place, count, new in changes:
        begin = min(place, len(source))
        end = min(begin + count, len(source))
        source = source.spliced(begin, end, [Part.parse(one) for one in new])
        content = content.after(source)
        assert shape(content) == shape(Content().after(source))


# --- workflows ------------------------------------------------------------------------------------


def running(number: int, status: str) -> dict[str, Any]:
    return {"type": "thought", "content": str(number), "status_indicator": status}


TASKS = st.builds(running, st.integers(0, 9), st.sampled_from(["loading", "complete", "none"]))
TASK_EVENTS = st.one_of(
    st.builds(lambda at, new: task_added("w", new, at), PLACES, TASKS),
    st.builds(lambda at, new: task_updated("w", new, at), PLACES, TASKS),
)


@pytest.mark.law
@given(LENGTHS, st.lists(TASK_EVENTS, max_size=12), st.booleans())
def test_workflows_of_many_tasks(count: int, then: list[e.Event], is_stored: bool) -> None:
    begun = workflow("w")
    begun["workflow"]["tasks"] = [running(i, "loading") for i in range(count)]
    stored = ThreadState.from_items([begun]) if is_stored else None
    check_page([added(begun), *then], [policies.KEEP], stored)


def test_a_workflow_whose_tasks_have_all_come_to_rest_is_sealed_as_it_is() -> None:
    begun = fold([added(workflow("w")), task_added("w", running(1, "loading"), 0)])
    at_rest = fold([task_updated("w", running(1, "complete"), 0)], begun)
    made = lasting(begun.items["w"])
    made.json(begun.items["w"])
    assert made.sealed(begun.items["w"]) is not None
    made.json(at_rest.items["w"])
    assert made.sealed(at_rest.items["w"]) is None


def test_a_task_that_is_the_same_object_twice() -> None:
    twice, other = running(1, "loading"), running(2, "loading")
    events: list[e.Event] = [
        added(workflow("w")),
        *[task_added("w", twice, i) for i in range(40)],
        task_updated("w", other, 20),
        task_added("w", twice, 0),
        task_updated("w", running(1, "none"), 39),
    ]
    check_page(events, [policies.KEEP])


# --- widgets --------------------------------------------------------------------------------------


def row(number: int, value: str, *, is_running: bool) -> dict[str, Any]:
    text = {"type": "Text", "id": f"t{number}", "value": value, "streaming": is_running}
    return {"type": "ListViewItem", "id": f"r{number}", "children": [text, None, "odd"]}


ROWS = st.builds(
    lambda number, value, is_running: row(number, value, is_running=is_running),
    st.integers(0, 9),
    st.sampled_from(["", "a", "ab"]),
    st.booleans(),
)


def card(rows: list[Any], kind: str = "ListView", **fields: Any) -> dict[str, Any]:
    return {
        "type": "Card",
        "id": "c",
        "status": {"text": "Status"},
        "children": [{"type": kind, "id": "list", "children": rows, **fields}],
    }


ROOTS = st.builds(
    lambda count, new, place, limit: card(
        [
            *[row(i, "a", is_running=i % 2 == 0) for i in range(min(place, count))],
            *new,
            *[row(i, "a", is_running=i % 2 == 0) for i in range(min(place, count), count)],
        ],
        limit=limit,
    ),
    LENGTHS,
    st.lists(ROWS, max_size=2),
    PLACES,
    st.sampled_from(["auto", 0, 5, 40]),
)
WIDGET_EVENTS = st.one_of(
    st.builds(lambda root: root_updated("w", root), ROOTS),
    st.builds(lambda at, new: component_updated("w", f"r{at}", new), PLACES, ROWS),
    st.builds(lambda root: component_updated("w", "list", root["children"][0]), ROOTS),
    st.builds(
        lambda at, more, done: value_delta("w", f"t{at}", more, done=done),
        PLACES,
        WORDS,
        st.booleans(),
    ),
)


@pytest.mark.law
@given(ROOTS, st.lists(WIDGET_EVENTS, max_size=8))
def test_widgets_of_many_rows(root: dict[str, Any], then: list[e.Event]) -> None:
    check_page([added(widget("w", root)), *then], [policies.KEEP])


def listed(json: Any) -> Any:
    if isinstance(json, dict):
        return {name: listed(value) for name, value in json.items()}
    if isinstance(json, (list, Vector)):
        return [listed(value) for value in json if value is not None]
    return json


@given(ROOTS, st.lists(WIDGET_EVENTS, max_size=12))
@example(card([row(0, "a", is_running=True)]), [value_delta("w", "t0", "b", done=True)])
@example(
    card([row(0, "a", is_running=False)]),
    [component_updated("w", "r0", row(0, "a", is_running=True))],
)
def test_components_after_components_have_the_json_of_the_widget(
    root: dict[str, Any], then: list[Any]
) -> None:
    state: Any = Widget.parse(widget("w", root))
    components = LastingComponents()
    for event in then:
        after = REDUCERS[type(event.update)](state, event.update)
        state = after if isinstance(after, Widget) else state
        made = components.after(state.components)
        assert listed(made.json) == listed(state.root)
        assert listed(made.sealed) == listed(state.sealed().root)
        assert (made.sealed is made.json) == (state.sealed() is state)


def test_a_root_that_comes_again_keeps_the_json_of_all_rows_that_are_equal() -> None:
    def made(rows: list[Any]) -> Any:
        state = Widget.parse(widget("w", card(rows)))
        assert state is not None
        return components.after(state.components).json["children"][0]["children"]

    components = LastingComponents()
    rows = [row(i, "a", is_running=False) for i in range(40)]
    first = [*made(rows)]
    again = [*made([*rows[:7], row(7, "b", is_running=False), *rows[8:]])]
    changed = [i for i, pair in enumerate(zip(first, again, strict=True)) if pair[0] is not pair[1]]
    assert changed == [7]


def test_rows_that_a_limit_hides_for_a_while_grow_where_they_stand() -> None:
    def rows(count: int) -> list[Any]:
        return [row(i, "", is_running=True) for i in range(count)]

    events: list[e.Event] = [added(widget("w", card(rows(8))))]
    for count in (8, 40):
        events += [
            root_updated("w", card(rows(count))),
            root_updated("w", card(rows(count), limit=5)),
            root_updated("w", card(rows(count))),
            *[value_delta("w", f"t{i}", "x") for i in (0, 4, 5, 6, count - 1)],
        ]
    check_page(events, [policies.KEEP])


@pytest.mark.parametrize("other", [1.0, True, None, float("nan")])
def test_a_component_that_only_python_takes_for_equal_is_another_one(other: Any) -> None:
    def root(value: Any) -> dict[str, Any]:
        return {"type": "Poll", "id": "p", "value": value}

    check_page(
        [added(widget("w", root(1))), root_updated("w", root(other)), root_updated("w", root(1))],
        [policies.KEEP],
    )


def test_fields_in_another_order_are_drawn_in_that_order() -> None:
    one, other = {"type": "Poll", "a": 1, "b": 2}, {"type": "Poll", "b": 2, "a": 1}
    check_page([added(widget("w", one)), added(widget("w", other))], [policies.KEEP])


# --- the form of the data -------------------------------------------------------------------------


def test_the_tracks_of_many_parts_are_one_run() -> None:
    texts = [text_delta("m", "x", i) for i in range(100)]
    begun = added(item("m", "assistant_message", content=[part("") for _ in range(100)]))
    recording = Recording()
    recording.take(begun)
    for event in texts:
        recording.take(event)
    (block,) = recording.data("log")["threads"]
    assert block["items"][0]["v"][-1][8] == [[0, 100]]


def test_many_places_of_citations_stand_in_fragments() -> None:
    events: list[e.Event] = [added(item("m", "assistant_message", content=[part("x" * 99)]))]
    events += [annotation_added("m", cite(i, i), i) for i in range(99)]
    recording = Recording()
    for event in events:
        recording.take(event)
    (block,) = recording.data("log")["threads"]
    number = block["items"][0]["v"][-1][2]
    (tree,) = [tree for tree in block["trees"] if len(tree) > 2 and "div.part" in tree[0]][-1:]
    assert all(set(one) == {"r"} for one in tree[2][2])
    whole = Reader(block).tree(number, len(events))
    assert whole[2][2][2] == [[i, i + 1] for i in range(99)]
    assert whole == Reader(block).tree(number, 100)
    assert fold(events).items["m"].json_view()["content"][0]["annotations"][98]["index"] == 98
