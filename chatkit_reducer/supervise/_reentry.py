"""Tell whether the running code is part of the settlement of a stream.

The commit, a hook and the closing producer may close the very stream that waits for them. They must
not wait for its settlement, which waits for them. A context variable marks them; tasks that they
start inherit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar

__all__ = ["is_within_settlement_of", "mark_context", "within_settlement_of"]

_settled_here: ContextVar[object] = ContextVar(
    "chatkit_reducer stream that is being settled", default=None
)


def is_within_settlement_of(stream: object) -> bool:
    """Return whether the settlement of this stream runs the calling code."""
    return _settled_here.get() is stream


def mark_context(context: Context, stream: object) -> None:
    """Mark a context as one in which the settlement of this stream runs."""
    context.run(_settled_here.set, stream)


@contextmanager
def within_settlement_of(stream: object) -> Iterator[None]:
    """Mark the current context until the end of the block."""
    before = _settled_here.get()
    _settled_here.set(stream)
    try:
        yield
    finally:
        _settled_here.set(before)
