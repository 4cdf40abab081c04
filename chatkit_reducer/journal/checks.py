"""What every journal of this package asks of its arguments."""

from __future__ import annotations

from collections.abc import Sequence

from chatkit_reducer.journal.protocol import Conflict, Header
from chatkit_reducer.journal.records import is_closing

__all__ = ["require_end", "require_header", "require_records"]


def require_header(header: Header) -> None:
    """Check that a header can begin a response.

    Raises:
        ValueError: its response has no id, or its time has no zone.
    """
    if not header.response:
        raise ValueError("expected the id of a response, got an empty one: pass a uuid4")
    if header.started.tzinfo is None:
        raise ValueError(
            f"expected Header.started with a time zone, got {header.started.isoformat()}: "
            "use datetime.now(timezone.utc)"
        )


def require_records(records: Sequence[bytes]) -> None:
    """Check that records are lines, and that nothing stands behind a closing one.

    Raises:
        ValueError: they are not.
    """
    for record in records:
        if b"\n" in record or not record:
            raise ValueError(f"expected each record as one line of JSON, got {record[:80]!r}")
    if any(is_closing(record) for record in records[:-1]):
        raise ValueError("expected the closing record to be the last one: write the rest before it")


def require_end(response: str, at: int, end: int, *, closed: bool) -> None:
    """Check that records can be written behind a position.

    Raises:
        Conflict: it is not the end, or the response is closed.
    """
    if at != end:
        raise Conflict(
            f"expected to write at the end of response {response!r}, which is at {end}, "
            f"not at {at}: another writer was faster, or records are missing"
        )
    if closed:
        raise Conflict(f"response {response!r} is closed at {end}: nothing can follow")
