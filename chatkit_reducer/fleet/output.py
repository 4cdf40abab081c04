"""Rows to a file: Parquet for engines, JSON lines for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeAlias

import msgspec

from chatkit_reducer.fleet._pyarrow import pyarrow
from chatkit_reducer.fleet.rows import Row
from chatkit_reducer.fleet.schema import row_schema

__all__ = ["FORMATS", "WriteRows", "rows_into"]

WriteRows: TypeAlias = Callable[[Sequence[Row]], None]
"""Writes some more rows."""


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[WriteRows]:
    pa, schema = pyarrow(), row_schema()
    with pyarrow("pyarrow.parquet").ParquetWriter(file, schema, compression="zstd") as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema=schema))


@contextmanager
def _json_lines(file: BinaryIO) -> Iterator[WriteRows]:
    encoder = msgspec.json.Encoder()
    yield lambda rows: _write(file, encoder.encode_lines(rows))


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)


FORMATS = MappingProxyType({".parquet": _parquet, ".jsonl": _json_lines})
"""A writer for each ending of a file name."""


@contextmanager
def rows_into(file: BinaryIO, name: str) -> Iterator[WriteRows]:
    """Give a function that writes rows into a file.

    Args:
        file: the file, open for writing bytes.
        name: its name, of which the ending says the format.

    Raises:
        ImportError: the format is Parquet, and pyarrow is not installed.
        ValueError: the name has another ending.
    """
    ending = Path(name).suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"expected a name that ends with {' or '.join(FORMATS)}, got {name!r}")
    with FORMATS[ending](file) as write:
        yield write
