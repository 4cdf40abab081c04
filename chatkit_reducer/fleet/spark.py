"""Rows of the threads in a Spark DataFrame.

The threads are dealt out by a hash of their ids and sorted within each partition, which Spark does
on disk where memory is short; a partition then goes to Python in Arrow batches. A grouping would
hand each thread over by itself, and takes twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.fleet.privacy import Privacy
from chatkit_reducer.fleet.rows import RowMaker, Stops
from chatkit_reducer.fleet.schema import row_schema
from chatkit_reducer.fleet.tables import Columns, check_columns, fold_with

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["fold"]


def fold(
    df: DataFrame,
    *,
    policies: Iterable[Policy | str],
    causes: Iterable[Cause | str],
    thread: str = "thread",
    order: str | Sequence[str] = (),
    event: str = "event",
    stops: Stops = "end",
    items: bool = False,
    privacy: Privacy | None = None,
    partitions: int | None = None,
) -> DataFrame:
    """Return a DataFrame with a row for each thread; nothing is computed before Spark is asked.

    Args:
        df: the events, in any order, with any other columns.
        policies: as in `fold_batches`.
        causes: as in `fold_batches`.
        thread: as in `fold_batches`.
        order: as in `fold_batches`. Without such columns Spark keeps no order within a thread.
        event: as in `fold_batches`.
        stops: as in `row`.
        items: as in `row`.
        privacy: as in `row`.
        partitions: how many Spark makes; its own number if left out.

    Raises:
        ImportError: PySpark or pyarrow is not installed.
        TypeError: a column is of a type that it cannot have, or an argument is.
        ValueError: a column is missing, or an argument is wrong, as in `row`.
    """
    types = _spark_types()
    maker = RowMaker.of(policies, causes, stops=stops, items=items, privacy=privacy)
    columns = Columns.of(thread, event, order)
    check_columns(types.to_arrow_schema(df.schema), columns)
    # `mapInArrow` cannot find a column with a dot in its name.
    plain = Columns(order=tuple([f"order_{at}" for at in range(len(columns.order))]))
    pairs = zip(columns.all, plain.all, strict=True)
    named = df.select(*[df[_quoted(name)].alias(new) for name, new in pairs])
    by = [named[name] for name in (plain.thread, *plain.order)]
    dealt = named.repartition(partitions, by[0]) if partitions else named.repartition(by[0])
    make = partial(_rows, maker, plain)
    return dealt.sortWithinPartitions(*by).mapInArrow(make, types.from_arrow_schema(row_schema()))


def _rows(maker: RowMaker, columns: Columns, batches: Iterable[Any]) -> Iterator[Any]:
    return fold_with(maker, batches, columns)


def _quoted(name: str) -> str:
    """Return a name in which a dot does not mean a field."""
    return "`" + name.replace("`", "``") + "`"


def _spark_types() -> Any:
    try:
        from pyspark.sql.pandas import types
    except ImportError as error:
        raise ImportError(
            f"expected PySpark to be installed, got {error}: "
            "install it with pip install 'chatkit-reducer[spark]'"
        ) from error
    return types
