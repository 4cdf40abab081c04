"""`ByContent`: the base of values that compare their content in a way of their own."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["ByContent"]


class ByContent(Struct, frozen=True, gc=False, eq=False):
    """A value whose class defines `__eq__`; the inequality is the opposite of that."""

    def __ne__(self, other: object) -> bool:
        # msgspec defines `__ne__` by identity where `eq=False`.
        return not self == other
