"""The Arrow schema of the rows, the same for every engine, whatever it is asked."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from chatkit_reducer.fleet._pyarrow import pyarrow
from chatkit_reducer.fleet.rows import EMPTY, FATES

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["row_schema"]

_KINDS = ("characters", "tasks", "widgets", "images")


@cache
def row_schema() -> pa.Schema:
    """Return the schema of the rows.

    Raises:
        ImportError: pyarrow is not installed.
    """
    pa = pyarrow()
    text, number = pa.string(), pa.int64()
    amount = pa.struct([(kind, number) for kind in _KINDS])
    asked = [("policy", text), ("cause", text)]
    outcome = pa.struct(
        [
            *asked,
            ("type", text),
            *[(f"items_{fate}", number) for fate in (*FATES, EMPTY)],
            *[(fate, amount) for fate in FATES],
        ]
    )
    stops = pa.struct(
        [
            *asked,
            *[(name, number) for name in ("stops", "at_stake", "losing", "stale_at")],
            ("mean_share", pa.float64()),
            ("at", number),
            ("fate", text),
            ("amount", amount),
            ("source", text),
            ("position", number),
        ]
    )
    content = pa.struct(
        [("id", text), ("type", text), ("pending", pa.bool_()), ("seen", amount), ("json", text)]
    )
    return pa.schema(
        [
            ("thread", text),
            ("source", text),
            ("position", number),
            ("events", number),
            ("items", number),
            ("pending", number),
            ("anomalies", number),
            ("ended", text),
            ("outcomes", pa.list_(outcome)),
            ("stops", pa.list_(stops)),
            ("contents", pa.list_(content)),
        ]
    )
