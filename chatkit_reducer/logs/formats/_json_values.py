"""JSON in pieces of any size to the values in it, without decoding anything."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from chatkit_reducer.logs.formats._kept import Kept
from chatkit_reducer.logs.formats.texts import Place

__all__ = ["JsonValues", "Value"]

_STRUCTURE = re.compile(rb'\[++|[}\]]++|[{"]')
# Strings are passed over whole, but for one that does not end here.
_IN_VALUE = re.compile(rb'"[^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*+"|[{}\[\]"]')
_IN_STRING = re.compile(rb'[^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*+')
_OPENING = frozenset({b"{", b"["})
_CLOSING = frozenset({b"}", b"]"})
_BETWEEN = re.compile(rb"[^\s,:\x1e]+")
_BETWEEN_SMALL = re.compile(rb"[^\s,:\x1e{}\[\]]+")
_STRING = rb'"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+"'
_SMALL_DEPTH = 4


def _brackets(opening: bytes, depth: int) -> bytes:
    """Return a pattern for a bracket up to its end, with at most `depth` levels of brackets."""
    inner = b"|" + _brackets(rb"[{\[]", depth - 1) if depth > 1 else b""
    return rb'%b(?:[^"{}\[\]]++|%b%b)*+[}\]]' % (opening, _STRING, inner)


def _small_values(opening: bytes, between: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return patterns for one small value, and for many: strings, also torn ones, and brackets."""
    torn = rb'"[^"\\\r\n]*+(?=[\r\n])'
    small = b"|".join((_STRING, torn, _brackets(opening, _SMALL_DEPTH)))
    return re.compile(small), re.compile(rb"(?:%b*+(?:%b))++" % (between, small))


_SMALL = _small_values(rb"\{", rb'[^"{]')
# Where the values stand in certain brackets, an array beside them is passed over as a whole.
_SMALL_INSIDE = _small_values(rb"[{\[]", rb"[\s,:\x1e]")


class Value(Struct, frozen=True, gc=False):
    """One value of the JSON, as text."""

    text: bytes
    place: Place
    is_broken: bool = False
    """Whether it does not end, or its end was not waited for."""
    too_long: bool = False
    """Whether it was dropped: then `text` is its beginning."""


class JsonValues:
    """Find the objects and strings that stand in these brackets; bytes may be cut anywhere.

    A value is as long as its brackets say. A raw line end in a string is not JSON: there a value
    ends that is torn, so that the ones behind it are found. Keeps at most one value, of at most
    `limit` bytes, and one byte for each level of the brackets outside.

    Args:
        limit: how large one value may be, in bytes.
        inside: which brackets the values stand in: `b"{{["` for those of an array in an object in
            an object. If left out, any number of arrays, or none.
    """

    def __init__(self, limit: int, inside: bytes | None = None) -> None:
        self._inside = inside
        self._outside = bytearray()
        self._depth = 0  # of the brackets in the value; it is one if this is not 0
        self._kept = Kept(limit)
        self._in_value = self._in_string = self._escaped = False
        self._offset = self._line = 0
        self._start = Place(0, 0)
        self._in_other = False
        self.other: int = 0
        """How many runs of bytes were not JSON that belongs there."""
        self._small, self._small_run = _SMALL if inside is None else _SMALL_INSIDE
        self.wanted: re.Pattern[bytes] | None = None
        """If not None, small values without a match are passed over at once."""
        self.passed: int = 0
        """How many values were passed over."""

    def push(self, data: bytes) -> Iterator[Value]:
        """Yield the values that end in these bytes."""
        at = start = 0
        self._counted = self._unwanted = 0
        while at < len(data):
            was_in_value = self._in_value
            at, end = self._step(data, at)
            if self._in_value and not was_in_value:
                start = at - 1
                self._start = Place(self._offset + start, self._lines_before(data, start))
            elif end is not None:
                self._kept.add(data[start:end])
                yield self._value(is_broken=self._depth > 0 or self._in_string)
                self._depth, self._in_string, self._escaped = 0, False, False
                at = end
        if self._in_value:
            self._kept.add(data[start:])
        self._line = self._lines_before(data, len(data))
        self._offset += len(data)

    def rest(self) -> Iterator[Value]:
        """Yield the value that nothing ended."""
        if self._in_value:
            yield self._value(is_broken=True)

    def _lines_before(self, data: bytes, place: int) -> int:
        self._line += data.count(b"\n", self._counted, place)
        self._counted = place
        return self._line

    def _step(self, data: bytes, at: int) -> tuple[int, int | None]:
        """Take the bytes up to the next that matters: where to go on, and where a value ended."""
        if self._in_string:
            return self._step_in_string(data, at)
        if self._in_value:
            return self._step_in_value(data, at)
        return self._step_outside(data, at), None

    def _step_outside(self, data: bytes, at: int) -> int:
        """Take brackets up to one with which a value or another string begins."""
        if self.wanted is not None and self._is_at_home():
            at = self._pass_over(data, at, self.wanted)
        for found in _STRUCTURE.finditer(data, at):
            self._count_other(data[at : found.start()])
            self._in_other = False
            at = found.end()
            self._bracket(found[0])
            if self._in_value or self._in_string:
                return at
        self._count_other(data[at:])
        return len(data)

    def passes_over(self, value: Value) -> bool:
        """Pass over a value that came in several pieces, if it is small and not wanted."""
        if self.wanted is None or self.wanted.search(value.text) is not None:
            return False
        small = self._small.match(value.text + b"\n")
        if small is None or small.end() < len(value.text):
            return False
        self.passed += 1
        return True

    def _pass_over(self, data: bytes, at: int, wanted: re.Pattern[bytes]) -> int:
        """Pass over small values up to the first that may be wanted; return where that is."""
        if at >= self._unwanted:  # one search serves all values that stand before the match
            found = wanted.search(data, at)
            self._unwanted = len(data) if found is None else found.start()
        run = self._small_run.match(data, at, self._unwanted)
        if run is None:
            return at
        gaps, count = self._small.subn(b",", run[0] + b"\n")
        self.passed += count
        self.other += self._runs_of_other(gaps)
        return run.end()

    def _runs_of_other(self, gaps: bytes) -> int:
        """Count the runs that begin in the gaps between small values; a value is behind them."""
        if self._inside is not None:
            return 0
        goes_on = self._in_other and _BETWEEN_SMALL.match(gaps) is not None
        self._in_other = False
        return len(_BETWEEN_SMALL.findall(gaps)) - goes_on

    def _count_other(self, gap: bytes) -> None:
        if self._inside is not None or not gap:
            return
        runs = list(_BETWEEN.finditer(gap))
        self.other += len(runs)
        if runs:
            self.other -= self._in_other and runs[0].start() == 0
        self._in_other = bool(runs) and runs[-1].end() == len(gap)

    def _step_in_value(self, data: bytes, at: int) -> tuple[int, int | None]:
        depth = self._depth
        for found in _IN_VALUE.finditer(data, at):
            token = found[0]
            if token in _OPENING:
                depth += 1
            elif token in _CLOSING:
                depth -= 1
                if not depth:
                    self._depth = 0
                    return found.end(), found.end()
            elif len(token) == 1:
                self._depth, self._in_string = depth, True
                return found.end(), None
        self._depth = depth
        return len(data), None

    def _step_in_string(self, data: bytes, at: int) -> tuple[int, int | None]:
        if self._escaped:
            self._escaped = False
            return at + 1, None
        found = _IN_STRING.match(data, at)
        at = len(data) if found is None else found.end()
        byte = data[at : at + 1]
        if byte == b"\\":
            self._escaped = True
        elif byte and self._in_value and (byte != b'"' or not self._depth):
            self._in_string = byte != b'"'
            return at + 1, at + (byte == b'"')
        elif byte:
            self._in_string = False
        return at + len(byte), None

    def _bracket(self, byte: bytes) -> None:
        """Note a quote, a bracket or a run of them that is not in a value, or begins one."""
        if byte == b'"':
            self._in_string = True
            self._in_value = self._is_at_home()
        elif byte == b"{" and self._is_at_home():
            self._in_value, self._depth = True, 1
        elif byte.startswith((b"{", b"[")):
            self._outside += byte
        elif self._outside:
            del self._outside[-len(byte) :]

    def _is_at_home(self) -> bool:
        """Return whether the value that begins here is one that was asked for."""
        return self._inside is None or self._outside == self._inside

    def _value(self, *, is_broken: bool) -> Value:
        self._in_value = False
        kept, is_too_long = self._kept.take()
        return Value(kept, self._start, is_broken, is_too_long)
