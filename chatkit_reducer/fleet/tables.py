"""Rows of Arrow tables: what DuckDB, Polars, Dask and Spark all call.

A table has a column with the id of the thread, one with the event as JSON, and perhaps some that
say the order. The rows of a thread must stand together, and the threads in ascending order: an
engine sorts better than we do. Within a thread any order will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from chatkit_reducer.core.codec import decode
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.errors import DecodeError
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.fleet._pyarrow import pyarrow
from chatkit_reducer.fleet.privacy import Privacy
from chatkit_reducer.fleet.rows import Row, RowMaker, Stops, unnamed_row
from chatkit_reducer.fleet.schema import row_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Columns", "check_columns", "fold_batches", "fold_with"]

_ROWS = 2_000
_EXCERPT = 80


@attrs.frozen(kw_only=True)
class Columns:
    """The names of the columns of a table of events."""

    thread: str = "thread"
    event: str = "event"
    order: tuple[str, ...] = ()

    @classmethod
    def of(cls, thread: str, event: str, order: str | Sequence[str]) -> Columns:
        """Return the names; a single name may stand for the order."""
        names = (order,) if isinstance(order, str) else tuple(order)
        return cls(thread=thread, event=event, order=names)

    @property
    def all(self) -> tuple[str, ...]:
        """All names."""
        return (self.thread, *self.order, self.event)


def fold_batches(
    batches: Iterable[pa.RecordBatch],
    policies: Iterable[Policy | str],
    causes: Iterable[Cause | str],
    *,
    thread: str = "thread",
    order: str | Sequence[str] = (),
    event: str = "event",
    stops: Stops = "end",
    items: bool = False,
    privacy: Privacy | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the threads in Arrow batches, as batches of `row_schema`.

    The memory is that of a batch and of the longest thread.

    Args:
        batches: tables of events, sorted by thread: record batches, a reader of such, or anything
            with the Arrow C stream interface.
        policies: the tables to compare, or the names of presets.
        causes: how the streams would have ended: each is tried.
        thread: the column with the id of the thread. Events without one are counted, as anomalies
            of a row without a thread.
        order: the columns that say the order of the events of a thread. The same event with the
            same values there was delivered twice, and counts once. Without such columns, the order
            in the table is the order.
        event: the column with the event as JSON. A text that is not an event is an anomaly.
        stops: as in `row`.
        items: as in `row`.
        privacy: as in `row`.

    Raises:
        ImportError: pyarrow is not installed.
        TypeError: a column is of a type that it cannot have, or an argument is.
        ValueError: a column is missing, the table is not sorted by thread, or an argument is wrong,
            as in `row`.
    """
    maker = RowMaker.of(policies, causes, stops=stops, items=items, privacy=privacy)
    return fold_with(maker, batches, Columns.of(thread, event, order))


def fold_with(
    maker: RowMaker, batches: Iterable[pa.RecordBatch], columns: Columns
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a maker makes of Arrow batches; see `fold_batches`."""
    pa = pyarrow()
    folder = _TableFolder(maker)
    rows: list[Row] = []
    for batch in _batches(batches):
        check_columns(batch.schema, columns)
        rows += folder.feed(*[batch.column(name).to_pylist() for name in columns.all])
        if len(rows) >= _ROWS:
            yield pa.RecordBatch.from_pylist(rows, schema=row_schema())
            rows = []
    rows += folder.close()
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=row_schema())


def _batches(given: Any) -> Iterable[Any]:
    if hasattr(given, "__arrow_c_stream__"):
        reader: Iterable[Any] = pyarrow().RecordBatchReader.from_stream(given)
        return reader
    if not isinstance(given, Iterable):
        raise TypeError(
            f"expected Arrow batches, got {type(given).__name__}: "
            "pass a list of record batches, or a table"
        )
    return given


def check_columns(schema: pa.Schema, columns: Columns) -> None:
    """Check that a table has the columns, and that these have types that they may have.

    Raises:
        TypeError: a column is of another type.
        ValueError: a column is missing.
    """
    for name in columns.all:
        if name not in schema.names:
            have = ", ".join(schema.names) or "none"
            raise ValueError(f"expected a column {name!r}, got {have}: say which column it is")
    _require_text(schema, columns.thread, _is_text)
    _require_text(schema, columns.event, _is_text_or_bytes)


def _require_text(schema: pa.Schema, name: str, is_right: Any) -> None:
    kind = schema.field(name).type
    if not is_right(pyarrow("pyarrow.types"), kind):
        raise TypeError(
            f"expected column {name!r} to hold text, got {kind}: cast it, or choose another"
        )


def _is_text(types: Any, kind: Any) -> bool:
    if types.is_dictionary(kind):
        return _is_text(types, kind.value_type)
    asked = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(each(kind) for each in asked)


def _is_text_or_bytes(types: Any, kind: Any) -> bool:
    return (
        _is_text(types, kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )


class _TableFolder:
    """Collects the events of one thread after the other, and makes a row of each."""

    def __init__(self, maker: RowMaker) -> None:
        self._maker = maker
        self._thread: str | None = None
        self._entries: list[tuple[Any, ...]] = []
        self._unnamed = 0

    def feed(self, threads: list[str | None], *values: list[Any]) -> Iterator[Row]:
        """Yield the rows of the threads that end in these columns: the order, and the events."""
        for thread, *entry in zip(threads, *values, strict=True):
            if thread is None:
                self._unnamed += 1
                continue
            if thread != self._thread:
                yield from self._begin(thread)
            self._entries.append(tuple(entry))

    def _begin(self, thread: str) -> Iterator[Row]:
        if self._thread is not None and thread < self._thread:
            raise ValueError(
                f"expected a table sorted by thread, got {thread!r} behind {self._thread!r}: "
                "sort it by the bytes of the thread ids"
            )
        yield from self._end()
        self._thread = thread

    def _end(self) -> Iterator[Row]:
        if self._thread is not None:
            entries, self._entries = self._entries, []
            yield self._maker.row(_events_of(entries), self._thread)

    def close(self) -> Iterator[Row]:
        """Yield the row of the last thread, and that of the events without one."""
        yield from self._end()
        if self._unnamed:
            yield unnamed_row(self._unnamed)


def _events_of(entries: list[tuple[Any, ...]]) -> list[Event | Unreadable]:
    """Return the events of a thread, in order; where there is an order, each once."""
    if len(entries[0]) > 1:
        entries = [(*one[:-1], _bytes_of(one[-1])) for one in entries]
        entries = sorted(dict.fromkeys(entries), key=_sort_key)
    return [_event_of(text, number) for number, (*_, text) in enumerate(entries, 1)]


def _sort_key(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple([(value is not None, value) for value in entry])


def _bytes_of(text: str | bytes | None) -> bytes | None:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _event_of(text: str | bytes | None, number: int) -> Event | Unreadable:
    if text is None:
        return Unreadable(0, number, "there is no event", "")
    try:
        return decode(text)
    except DecodeError as error:
        excerpt = text[:_EXCERPT]
        shown = excerpt if isinstance(excerpt, str) else excerpt.decode("utf-8", "replace")
        return Unreadable(0, number, str(error), shown)
