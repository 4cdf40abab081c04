"""Law 8: an event and its text say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from chatkit_reducer.core import codec
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.testing.conformance.laws._report import LawBroken

Encode: TypeAlias = Callable[[Any], Any]
"""An event to JSON text, or to plain JSON data."""
Decode: TypeAlias = Callable[[Any], Any]
"""The result of an `Encode`, to the event."""


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
    if back != event or type(back) is not type(event) or not json_equal(one, other):
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
    """Law 8: the text of an event, known or not, is written again with the same content.

    Args:
        text: an event as JSON text, as any producer may write it.
        decode: the function under test.
        encode: its inverse, likewise.

    Raises:
        LawBroken: `encode(decode(text))` has another content.
    """
    event = decode(text)
    said, written = _plain(text), _plain(encode(event))
    if not json_equal(said, written):
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
