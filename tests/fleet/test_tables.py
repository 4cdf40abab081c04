"""Rows of Arrow tables: those of the files, and of `row`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import encode
from chatkit_reducer.events import Event
from chatkit_reducer.fleet import RowMaker, fold_batches, row_schema
from chatkit_reducer.fleet import _pyarrow as lazily
from chatkit_reducer.testing.examples import added, message, text_delta
from tests.support.fleets import CAUSES, POLICIES, Threads, in_order, threads, without_places

STOPPED: list[Event] = [added(message("m", "")), text_delta("m", "On"), text_delta("m", "ce")]
COLUMNS = ("thread", "seq", "event")


def table(*rows: tuple[Any, Any, Any]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    types = pa.string(), pa.int64(), pa.binary()
    arrays = [pa.array(each, kind) for each, kind in zip(columns, types, strict=True)]
    return pa.table(dict(zip(COLUMNS, arrays, strict=True)))


def folded(batches: Any, **options: Any) -> list[Any]:
    options = {"policies": POLICIES, "causes": CAUSES, "order": "seq", **options}
    found = fold_batches(batches, **options)
    return [row for batch in found for row in batch.to_pylist()]


@pytest.mark.law
@given(st.data(), threads(), st.integers(1, 4))
def test_a_table_gives_the_rows_of_its_threads(
    data: st.DataObject, streams: Threads, size: int
) -> None:
    """In any order within a thread, delivered twice, in batches of any size."""
    rows: list[tuple[str, int, bytes]] = []
    for thread in sorted(streams):
        mine = [(thread, n, encode(event)) for n, event in enumerate(streams[thread])]
        rows += data.draw(st.permutations([*mine, *data.draw(st.lists(st.sampled_from(mine)))]))
    maker = RowMaker.of(POLICIES, CAUSES, stops="all", items=True)
    found = folded(table(*rows).to_batches(size), stops="all", items=True)

    assert in_order(map(without_places, found)) == in_order(
        [without_places(maker.row(events, thread)) for thread, events in streams.items()]
    )


def test_rows_have_the_schema() -> None:
    rows = [("a", n, encode(event)) for n, event in enumerate(STOPPED)]
    (batch,) = fold_batches(table(*rows), POLICIES, CAUSES, order=["seq"], stops="all", items=True)

    assert batch.schema == row_schema()
    batch.validate(full=True)


def test_without_an_order_the_order_in_the_table_is_the_order() -> None:
    rows = [("a", 0, encode(event)) for event in [*STOPPED, STOPPED[-1]]]
    (found,) = folded(table(*rows), order=(), items=True)

    assert found["events"] == 4
    assert "Oncece" in found["contents"][0]["json"]


def test_events_without_a_thread_are_counted() -> None:
    rows = [(None, 0, b"{}"), ("a", 0, encode(STOPPED[0])), (None, 1, None)]
    named, unnamed = folded(table(*rows))

    assert (named["thread"], named["events"]) == ("a", 1)
    assert (unnamed["thread"], unnamed["events"], unnamed["anomalies"]) == (None, 2, 2)


@pytest.mark.parametrize("bad", [b"no JSON", b"\xff", b"[" * 100_000, b"{}", None])
def test_a_text_that_is_not_an_event_is_an_anomaly(bad: bytes | None) -> None:
    (found,) = folded(table(("a", 0, encode(STOPPED[0])), ("a", 1, bad)))

    assert (found["events"], found["anomalies"]) == (1, 1)


def test_an_empty_table_has_no_rows() -> None:
    assert folded(table()) == []
    assert folded([]) == []


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_may_be_of_any_arrow_type_for_text(kind: pa.DataType) -> None:
    thread = pa.array(["a"]).cast(kind) if pa.types.is_dictionary(kind) else pa.array(["a"], kind)
    (found,) = folded(
        pa.table({"thread": thread, "event": [encode(STOPPED[0]).decode()]}), order=()
    )

    assert found["thread"] == "a"


@pytest.mark.parametrize(
    ("columns", "kind", "told"),
    [
        ({"thread": ["a"]}, ValueError, "expected a column 'event', got thread"),
        ({"event": ["a"]}, ValueError, "expected a column 'thread', got event"),
        ({"thread": [1], "event": ["a"]}, TypeError, "column 'thread' to hold text, got int64"),
        ({"thread": ["a"], "event": [1]}, TypeError, "column 'event' to hold text, got int64"),
        ({"thread": ["b", "a"], "event": ["", ""]}, ValueError, "sorted by thread, got 'a' behind"),
    ],
)
def test_a_wrong_table_is_one_clear_error(
    columns: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        folded(pa.table(columns), order=())


def test_what_is_not_a_table_is_refused() -> None:
    with pytest.raises(TypeError, match="expected Arrow batches, got int"):
        folded(1)


def test_wrong_arguments_are_refused_before_the_first_batch() -> None:
    with pytest.raises(ValueError, match="name of a preset"):
        fold_batches([], ["nope"], CAUSES)


def test_without_pyarrow_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lazily.__dict__, "import_module", _missing)

    with pytest.raises(ImportError, match=r"pip install 'chatkit-reducer\[fleet\]'"):
        lazily.pyarrow()


def _missing(name: str) -> Any:
    raise ModuleNotFoundError(f"No module named {name!r}")
