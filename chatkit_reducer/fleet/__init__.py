"""How much would each policy have lost last month? A row for each thread of many logs.

    row(events, policies, causes)         the figures of one thread: pure
    FileFold(paths, maker).rows()         those of many files, with several processes
    fold_batches(batches, ...)            those of Arrow tables, for any engine
    spark.fold(df, ...)                   those of a Spark DataFrame

All give equal rows, in any order of files and partitions. Names are imported when they are first
used, and no engine before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatkit_reducer._names import at_first_use

if TYPE_CHECKING:
    from chatkit_reducer.fleet.privacy import Privacy
    from chatkit_reducer.fleet.processes import BrokenLog, FileFold
    from chatkit_reducer.fleet.rows import RowMaker, row
    from chatkit_reducer.fleet.schema import row_schema
    from chatkit_reducer.fleet.tables import fold_batches
    from chatkit_reducer.fleet.totals import Asked, StopTally, Tally, Totals, WorstThread
    from chatkit_reducer.fleet.workers import NoMemoryError

__all__ = [
    "Asked",
    "BrokenLog",
    "FileFold",
    "NoMemoryError",
    "Privacy",
    "RowMaker",
    "StopTally",
    "Tally",
    "Totals",
    "WorstThread",
    "fold_batches",
    "row",
    "row_schema",
]

_HOMES = {
    "Asked": ".totals",
    "BrokenLog": ".processes",
    "FileFold": ".processes",
    "NoMemoryError": ".workers",
    "Privacy": ".privacy",
    "RowMaker": ".rows",
    "StopTally": ".totals",
    "Tally": ".totals",
    "Totals": ".totals",
    "WorstThread": ".totals",
    "fold_batches": ".tables",
    "row": ".rows",
    "row_schema": ".schema",
}


if not TYPE_CHECKING:  # or else a type checker would let any name pass
    __getattr__ = at_first_use(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
