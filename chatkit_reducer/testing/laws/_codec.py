"""Law 8: an event and its text say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from chatkit_reducer import codec
from chatkit_reducer.json_values import same_json
from chatkit_reducer.testing.laws._broken import LawBroken

__all__ = ["Decode", "Encode", "codec_loses_nothing", "what_is_unknown_comes_back"]

Encode: TypeAlias = Callable[[Any], Any]
"""An event to JSON text, or to plain JSON data."""
Decode: TypeAlias = Callable[[Any], Any]
"""What an `Encode` makes, to the event."""


def codec_loses_nothing(
    event: Any, *, decode: Decode = codec.decode, encode: Encode = codec.encode
) -> None:
    """Law 8: `decode(encode(e)) == e`.

    Args:
        event: any event, known or not.
        decode: the function under test.
        encode: its inverse, likewise.

    Raises:
        LawBroken: another event comes back, or one that is written in another way.
    """
    written = encode(event)
    back = decode(written)
    one, other = _plain(written), _plain(encode(back))
    if back != event or type(back) is not type(event) or not same_json(one, other):
        raise LawBroken(
            "codec_loses_nothing",
            f"What comes back is this {type(back).__name__}: {back!r}",
            events=[event],
            expected=("encode(e)", one),
            actual=("encode(decode(encode(e)))", other),
        )


def what_is_unknown_comes_back(
    text: Any, *, decode: Decode = codec.decode, encode: Encode = codec.encode
) -> None:
    """Law 8: what a text says of an event, known or not, is what is written again.

    Args:
        text: an event as JSON text, as any producer may write it.
        decode: the function under test.
        encode: its inverse, likewise.

    Raises:
        LawBroken: `encode(decode(text))` says something else.
    """
    event = decode(text)
    said, written = _plain(text), _plain(encode(event))
    if not same_json(said, written):
        raise LawBroken(
            "what_is_unknown_comes_back",
            "Something else is written.",
            events=[event],
            expected=("text", said),
            actual=("encode(decode(text))", written),
        )


def _plain(written: Any) -> Any:
    text = written.tobytes() if isinstance(written, memoryview) else written
    return json.loads(text) if isinstance(text, str | bytes | bytearray) else text
