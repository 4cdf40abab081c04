"""The exceptions that say which part of a settlement was not written.

They can be printed even if an item holds a value that is not JSON, and never print the
conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from chatkit_reducer.core.errors import ChatKitReducerError
from chatkit_reducer.core.policy.disclosure import described, named, texts_of, writes_of
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.verdict import Write

__all__ = ["CommitError", "WriteErrors"]


class WriteErrors(ChatKitReducerError, ExceptionGroup[Exception]):  # noqa: N818  # a group
    """Raised by a commit to name the writes that failed. All others count as written.

    Args:
        failed: each write that failed, with its error; at least one.
        retry: whether it may help to try again. False where the store refused all of them for good.
    """

    failed: tuple[tuple[Write, Exception], ...]
    """Each write that failed, with its error."""
    retry: bool
    """Whether it may help to try again."""

    def __new__(cls, failed: Sequence[tuple[Write, Exception]], *, retry: bool = True) -> Self:
        """Make a group; the base class takes its arguments here."""
        message = f"not written: {named(write for write, _ in failed)}"
        self = super().__new__(cls, message, [error for _, error in failed])
        self.failed = tuple(failed)
        self.retry = retry
        return self

    def __init__(self, failed: Sequence[tuple[Write, Exception]], *, retry: bool = True) -> None:
        """Nothing is left to do; the base class takes no keywords."""

    @property
    def writes(self) -> tuple[Write, ...]:
        """The writes that failed."""
        return tuple(write for write, _ in self.failed)

    def __repr__(self) -> str:
        return f"<WriteErrors {self}>"

    def derive(self, excs: Sequence[Exception], /) -> WriteErrors:  # type: ignore[override]  # as documented for groups whose constructor differs
        """Return a group of the same kind with some of the errors; for `split` and `except*`."""
        kept = [pair for pair in self.failed if any(pair[1] is error for error in excs)]
        return WriteErrors(kept, retry=self.retry)


class CommitError(ChatKitReducerError, RuntimeError):
    """A settlement was not committed, or not all of it; `__cause__` says why.

    It can be printed even if an item holds a value that is not JSON, and never prints the texts.
    """

    settlement: Settlement | None
    """All that was to be written; None only where the stream could not be settled at all."""
    unwritten: tuple[Write, ...]
    """The writes that no attempt has done: all, unless the commit said more with `WriteErrors`."""

    def __init__(
        self, settlement: Settlement | None, unwritten: Iterable[Write] | None = None
    ) -> None:
        super().__init__(settlement)
        self.settlement = settlement
        self.unwritten = writes_of(settlement) if unwritten is None else tuple(unwritten)

    def __str__(self) -> str:
        cause = self.__cause__
        why = (
            ""
            if cause is None
            else f": {described(cause, texts_of(self.settlement, self.unwritten))}"
        )
        if self.settlement is None:
            return f"A stream has ended, and it cannot be settled{why}. Nothing of it was written."
        return (
            f"A stream ({self.settlement.cause}) is settled, but the commit failed{why}. "
            f"Not written, or not all of it: {named(self.unwritten) or 'nothing'}. "
            "The settlement is attached as `settlement`; to commit it again does no harm."
        )

    def __repr__(self) -> str:
        return f"<CommitError {self}>"
