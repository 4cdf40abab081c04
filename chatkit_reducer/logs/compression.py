"""Compressed bytes to plain ones: gzip and zstd, found by their first bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from chatkit_reducer.errors import LogError

__all__ = ["CorruptError", "decompressed"]

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_AT_ONCE = 65536
_SIP = 128


class CorruptError(Exception):
    """The compressed data is damaged or ends too early; what came before it was good."""


def decompressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The plain bytes of a stream that may be compressed, in pieces.

    Raises:
        CorruptError: after the last piece that could be had.
        LogError: it is zstd, and the library for that is not installed.
    """
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(_ZSTD):
            break
    if head.startswith(_GZIP):
        return _inflated(chain([head], pieces), lambda: zlib.decompressobj(wbits=31), "gzip")
    if head.startswith(_ZSTD):
        return _inflated(chain([head], pieces), _zstd_decompressor(), "zstd")
    return chain([head], pieces) if head else iter([])


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
        # It knows no bound for what comes out, and 4 bytes can stand for 128 KB: little goes in.
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


def _inflated(pieces: Iterator[bytes], new: Callable[[], Any], name: str) -> Iterator[bytes]:
    member = new()
    fed = False
    for piece in pieces:
        left = piece
        while left:
            if member.eof:  # another member follows: files made by appending have several
                member, fed = new(), False
            fed = True
            try:
                plain = member.decompress(left, _AT_ONCE)
            except zlib.error as error:
                raise CorruptError(f"the {name} data is damaged: {error}") from None
            yield plain
            left = member.unused_data if member.eof else member.unconsumed_tail
    if fed and not member.eof:
        raise CorruptError(f"the {name} data ends too early")
