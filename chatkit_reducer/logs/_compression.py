"""Compressed bytes to plain ones: gzip and zstd, found by their first bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from chatkit_reducer.errors import LogError

__all__ = ["DEFAULT_MAX_EXPANSION", "FREE", "CorruptError", "decompress"]

DEFAULT_MAX_EXPANSION = 300
"""How many bytes a compressed log may give for each of its own, by default.

Recorded streams give 20 to 150, and one that says the same again and again some 250. A file of a
megabyte that gives gigabytes is not a log but an attack."""

FREE = 16 * 1024 * 1024
"""So many bytes a compressed log may give in any case, however small it is."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_AT_ONCE = 65536
_SIP = 128


class CorruptError(Exception):
    """The compressed data is damaged or ends too early; the bytes before that are good."""


def decompress(
    pieces: Iterator[bytes], *, max_expansion: int | None = DEFAULT_MAX_EXPANSION
) -> Iterator[bytes]:
    """Yield the plain bytes of a stream that may be compressed, in pieces.

    Args:
        pieces: the bytes of the stream.
        max_expansion: how many bytes one compressed byte may give; None for any number.

    Raises:
        CorruptError: after the last piece that could be had.
        LogError: it is zstd, and the library for that is not installed.
    """
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(_ZSTD):
            break
    pieces = chain([head], pieces) if head else iter([])
    if head.startswith(_GZIP):
        bounds = _Bounds("gzip", max_expansion)
        return _inflate(pieces, lambda: zlib.decompressobj(wbits=31), bounds)
    if head.startswith(_ZSTD):
        return _inflate(pieces, _zstd_decompressor(), _Bounds("zstd", max_expansion))
    return pieces


class _Bounds:
    """Counts the bytes that go into a decompressor and those that come out."""

    def __init__(self, name: str, max_expansion: int | None) -> None:
        self.name = name
        self._most = max_expansion
        self._fed = self._given = 0

    def feed(self, piece: bytes) -> None:
        """Note bytes that go in."""
        self._fed += len(piece)

    def give(self, plain: bytes) -> Iterator[bytes]:
        """Yield bytes that come out, as long as they are within the bound.

        Raises:
            CorruptError: there are more.
        """
        self._given += len(plain)
        if self._most is None or self._given <= FREE + self._most * self._fed:
            yield plain
            return
        too_many = self._given - (FREE + self._most * self._fed)
        yield plain[: len(plain) - too_many]
        raise CorruptError(
            f"the {self.name} data gives more than {self._most} bytes for each of its own: "
            "raise max_expansion (--max-expansion) to read on, or decompress it first"
        )


def _zstd_decompressor() -> Callable[[], Any]:
    try:
        import zstandard  # an extra: only a zstd log needs it
    except ImportError:
        raise LogError(
            "the log is compressed with zstd: pip install 'chatkit-reducer[zstd]' to read it"
        ) from None
    return lambda: _Zstd(zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError)


class _Zstd:
    """zstandard's decompressor with the face of zlib's."""

    def __init__(self, decompressor: Any, error: type[Exception]) -> None:
        self._decompressor = decompressor
        self._error = error
        self.unconsumed_tail = b""

    def decompress(self, data: bytes, _max_length: int) -> bytes:
        # zstandard cannot limit its output, and 4 bytes can stand for 128 KB: feed it little.
        self.unconsumed_tail = data[_SIP:]
        try:
            plain: bytes = self._decompressor.decompress(data[:_SIP])
        except self._error as error:
            raise zlib.error(str(error)) from error
        return plain

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decompressor.unused_data) + self.unconsumed_tail


def _inflate(pieces: Iterator[bytes], new: Callable[[], Any], bounds: _Bounds) -> Iterator[bytes]:
    member = new()
    fed = False
    for piece in pieces:
        bounds.feed(piece)
        left = piece
        while left:
            if member.eof:  # another member follows: files made by appending have several
                left = left.lstrip(b"\0")  # as gzip does: tapes and disks fill their blocks up
                if not left:
                    break
                member, fed = new(), False
            fed = True
            try:
                plain = member.decompress(left, _AT_ONCE)
            except zlib.error as error:
                raise CorruptError(f"the {bounds.name} data is damaged: {error}") from None
            yield from bounds.give(plain)
            left = member.unused_data if member.eof else member.unconsumed_tail
    if fed and not member.eof:
        raise CorruptError(f"the {bounds.name} data ends too early")
