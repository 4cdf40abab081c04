"""Cases that went wrong once, and are not of the kind that a property finds again."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zstandard

from chatkit_reducer import ThreadState, encode, fold, policies, reduce, replay, settle
from chatkit_reducer.comparison import differences
from chatkit_reducer.errors import EncodeError
from chatkit_reducer.events import Event, Json, ThreadItemDone, ThreadItemRemoved
from chatkit_reducer.testing.examples import (
    added,
    component_updated,
    done,
    item,
    message,
    text_delta,
    value_delta,
    widget,
)


@pytest.mark.parametrize("error", [AttributeError, StopAsyncIteration, KeyError])
@pytest.mark.parametrize("delta", [text_delta("x", "a"), value_delta("x", "t", "a")])
def test_a_source_that_fails_in_a_run_is_heard(delta: Event, error: type[Exception]) -> None:
    def source() -> Iterator[Event]:
        root = {"type": "Text", "id": "t", "value": ""}
        yield added(message("x")) if delta == text_delta("x", "a") else added(widget("x", root))
        yield delta
        yield delta
        raise error("the connection is gone")

    with pytest.raises(error, match="the connection is gone"):
        fold(source())


def test_a_component_that_comes_as_it_is_changes_nothing_beside_a_text_that_grew() -> None:
    inner = {"type": "New", "id": "a", "children": []}
    root = {"type": "Card", "id": "b", "value": "", "children": [inner]}
    state = fold([added(widget("w", root)), value_delta("w", "b", "0")])

    assert reduce(state, component_updated("w", "a", dict(inner))) is state


def test_lists_of_other_lengths_inside_of_each_other_are_compared_in_no_time() -> None:
    def nested(depth: int, more: int) -> Json:
        value: Json = {"type": "Text", "value": f"x{more}"}
        for _ in range(depth):
            value = {"type": "Col", "children": [value] + [{"type": "Divider"}] * more}
        return value

    assert differences(nested(200, 1), nested(200, 2))


def test_a_small_zstd_file_that_is_huge_inside_takes_little_memory() -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    pieces = [compressor.compress(b"x" * 1_000_000) for _ in range(100)]
    bomb = io.BytesIO(b"".join(pieces) + compressor.flush())
    tracemalloc.start()
    try:
        state = replay(bomb, max_event_bytes=100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(state.anomalies) == 1
    assert peak < 30_000_000


@pytest.mark.parametrize(
    ("last", "writes"),
    [(added(message("m", "new")), ["save"]), (done(message("m", "new")), ["save"])],
    ids=["begun anew", "done anew"],
)
def test_an_item_removed_and_brought_again_is_saved_where_the_removal_is_in_doubt(
    last: Event, writes: list[str]
) -> None:
    delivered = ThreadState.from_items([message("m", "old")])
    state = fold([ThreadItemRemoved("m"), last], delivered)

    settlement = settle(state, policy=policies.KEEP, cause="cancelled", delivered=delivered)

    assert [write.op for write in settlement.writes] == writes


EMPTY_CARD: Json = {"type": "Card", "children": []}


@pytest.mark.parametrize(
    ("root", "is_empty"),
    [
        (EMPTY_CARD, True),
        ({**EMPTY_CARD, "status": {"text": "Working on it"}}, False),
        ({**EMPTY_CARD, "confirm": {"label": "OK"}}, False),
        ({"type": "ListView", "children": [], "status": {"text": "Loading"}}, False),
        ({"type": "Card", "children": [{"type": "Transition"}]}, True),
        ({"type": "Card", "children": [{"type": "Spacer"}]}, True),
        ({"type": "Card", "children": [{"type": "Label", "value": " "}]}, True),
        ({"type": "Card", "children": [{"type": "Button"}]}, False),
        ({"type": ["no type"]}, False),
    ],
)
def test_what_a_widget_shows(root: Json, is_empty: bool) -> None:
    state = fold([added(widget("w", root))])

    assert state.items["w"].is_empty is is_empty


MISUSE: dict[str, Callable[[], Any]] = {
    "a policy by its name": lambda: settle(ThreadState(), policy="sdk", cause="ended"),  # type: ignore[arg-type]
    "a time that is no text": lambda: settle(
        ThreadState(),
        policy=policies.SDK,
        cause="ended",
        marker_time=5,  # type: ignore[arg-type]
    ),
    "items for a state": lambda: fold([], [message("m")]),  # type: ignore[arg-type]
    "the wrong way round": lambda: reduce(ThreadItemRemoved("m"), ThreadState()),  # type: ignore[arg-type]
    "one item for many": lambda: ThreadState.from_items("abc"),  # type: ignore[arg-type]
    "bytes for a log": lambda: replay(b"{}"),  # type: ignore[arg-type]
    "text for a log": lambda: replay(io.StringIO("{}")),  # type: ignore[arg-type]
    "no event": lambda: encode({"type": "notice"}),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_misuse_is_a_type_error_that_names_the_type(misuse: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"ThreadState|Policy|str|mapping|bytes|dict"):
        misuse()


@pytest.mark.parametrize("value", [b"1", {1, 2}, float("nan"), object()])
def test_what_json_cannot_say_is_not_written_as_something_else(value: Any) -> None:
    with pytest.raises(EncodeError):
        encode(ThreadItemDone(item("x", "new", value=value)))
