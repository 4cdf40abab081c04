"""Faults of a journal that last: each is logged once, and again if it comes back."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from chatkit_reducer.journal.protocol import Journal

__all__ = ["Faults"]


class Faults:
    """The faults that were logged, and are not over."""

    def __init__(self) -> None:
        self._lasting: WeakKeyDictionary[Journal, set[str]] = WeakKeyDictionary()

    def is_new(self, journal: Journal, of: str) -> bool:
        """Note a fault of a journal; return whether that is to be logged.

        Args:
            journal: the journal.
            of: what failed, such as the id of a response.
        """
        lasting = self._lasting.setdefault(journal, set())
        if of in lasting:
            return False
        lasting.add(of)
        return True

    def end(self, journal: Journal, of: str) -> None:
        """Note that the same went well."""
        if journal in self._lasting:
            self._lasting[journal].discard(of)
