"""`Text`: an immutable text that grows piece by piece."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import force_setattr

from chatkit_reducer.core.halves import first_half_at_end, mended, mended_delta
from chatkit_reducer.core.persistent import append_shared

__all__ = ["EMPTY_TEXT", "Text"]


class Text(Struct, frozen=True, gc=False, eq=False):
    """An immutable text: the first `count` of `cells`, as in `persistent.AppendList`.

    Its length, and whether it is blank, is counted at the first access. A longer text takes over
    the counts, so that no piece is looked at twice.

    A character that was cut in two has its halves in two pieces, or in one, and is whole in `str`.
    """

    cells: list[str]
    """Pieces. None but the first is ever empty. Those from `count` on belong to longer texts."""
    count: int
    _counted: int = 0
    _characters: int = 0
    _is_blank: bool = True

    @classmethod
    def of(cls, value: str) -> Text:
        """Make a text of one piece."""
        return cls([value], 1)

    def append(self, piece: str) -> Text:
        """Return this text and one more piece, which is not empty."""
        # The empty text is shared by everyone, and its list stays empty.
        cells = append_shared(self.cells, self.count, piece) if self.count else [piece]
        return Text(cells, self.count + 1, self._counted, self._characters, self._is_blank)

    def up_to(self, cells: list[str], count: int) -> Text:
        """Return a text that begins as this one does."""
        return Text(cells, count, self._counted, self._characters, self._is_blank)

    @property
    def characters(self) -> int:
        """How many characters it has."""
        self._count_more()
        return self._characters

    @property
    def is_blank(self) -> bool:
        """Whether it is white space at most."""
        self._count_more()
        return self._is_blank

    def _count_more(self) -> None:
        if self._counted == self.count:
            return
        pieces = self.cells[self._counted : self.count]
        is_blank = self._is_blank and not any(piece.strip() for piece in pieces)
        half = first_half_at_end(self.cells[self._counted - 1]) if self._counted else ""
        more = len(mended("".join([half, *pieces]))) - len(half)
        force_setattr(self, "_characters", self._characters + more)
        force_setattr(self, "_is_blank", is_blank)
        force_setattr(self, "_counted", self.count)

    @property
    def half(self) -> str:
        """The first half of a character with which it ends; empty if it does not."""
        return first_half_at_end(self.cells[self.count - 1]) if self.count else ""

    @property
    def with_half(self) -> str:
        """The text with such a half at its end, where `str` has U+FFFD."""
        return mended(self._raw()[:-1]) + self.half if self.half else str(self)

    @property
    def is_cut(self) -> bool:
        """Whether its last piece begins or ends within a character."""
        last = self.cells[max(self.count - 2, 0) : self.count]
        return any(mended(piece) is not piece for piece in last)

    def without_half(self) -> Text:
        """Return this text without such a half; itself if it has none."""
        return Text.of(mended(self._raw()[:-1])) if self.half else self

    def more_than(self, older: Text) -> str:
        """Return the text behind the older text, which this one must begin with."""
        new, old = self._raw(), older._raw()
        if mended(new) is new and mended(old) is old:
            return new[len(old) :]
        more = _utf_16(new)[len(_utf_16(old)) :]
        return mended_delta(more.decode("utf-16-le", "surrogatepass"))

    def _raw(self) -> str:
        return "".join(self.cells[: self.count])

    def __str__(self) -> str:
        return mended("".join(self.cells[: self.count]))


def _utf_16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


EMPTY_TEXT = Text([], 0)
