"""Recorded streams as bytes: server-sent events and JSON lines, tidy, untidy and torn."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Collection, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import attrs
from hypothesis import strategies as st

from chatkit_reducer import events as e
from chatkit_reducer.core.codec import encode, to_json
from chatkit_reducer.testing.strategies._adversarial import adversarial_streams
from chatkit_reducer.testing.strategies._json import (
    Json,
    check_bool,
    check_names,
    check_strategy,
)
from chatkit_reducer.testing.strategies._published import published
from chatkit_reducer.testing.strategies._streams import checked_stream, streams_of


@attrs.frozen(kw_only=True)
class RecordedLog:
    """A log as bytes, with its events."""

    chunks: tuple[bytes, ...]
    """Its bytes as they may arrive: cut anywhere, also inside of a character. None is empty."""
    events: tuple[e.Event, ...]
    """The events that a reader must find, in order. Of a torn log: all that are whole."""
    torn: bool
    """Whether its end is missing."""

    @property
    def data(self) -> bytes:
        """All of its bytes."""
        return b"".join(self.chunks)


@published
def logs(
    *,
    streams: st.SearchStrategy[list[e.Event]] | None = None,
    formats: Collection[str] | None = None,
    noise: bool = True,
    torn: bool = True,
    gzipped: bool = False,
) -> st.SearchStrategy[RecordedLog]:
    """Generate recorded streams as bytes, with the events that they must decode to.

    >>> from hypothesis import given
    >>> from chatkit_reducer.logs import LogDecoder
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.logs(torn=False))
    ... def test_bytes_may_come_in_pieces(log):
    ...     decoder = LogDecoder()
    ...     records = [record for chunk in log.chunks for record in decoder.feed(chunk)]
    ...     records += decoder.close()
    ...     assert tuple(record.event for record in records) == log.events
    >>> test_bytes_may_come_in_pieces()

    Args:
        streams: the streams to record; sound and adversarial ones, if left out.
        formats: which formats, of `"json_lines"`, one event a line; `"envelopes"`, the same with
            each event in an object, which may have its `seq`, `time` and `thread`; `"sse"`,
            server-sent events. All of them, if left out.
        noise: also variations that the formats allow: a byte order mark, blank lines, line ends of
            other kinds, JSON with spaces and escapes; in server-sent events also comments, ids and
            other fields, and data of several lines.
        torn: also logs that end too early, anywhere. The last event of `events` may lack the end of
            its line, or the blank line after it. All bytes behind it are a piece of another event.
        gzipped: also logs that are compressed.

    Raises:
        InvalidArgument: an argument has a wrong value.
    """
    check_strategy("streams", streams, "lists of events")
    names = check_names("formats", formats, _FORMATS)
    for name, value in (("noise", noise), ("torn", torn), ("gzipped", gzipped)):
        check_bool(name, value)
    shapes = st.builds(
        _Shape,
        # In the order of the table: an example shrinks towards the first.
        format=st.sampled_from([name for name in _FORMATS if name in names]),
        looks=_LOOKS if noise else st.just([_TIDY]),
        has_mark=st.booleans() if noise else _NEVER,
        is_zipped=st.booleans() if gzipped else _NEVER,
        end=st.none() | _PLACES if torn else st.none(),
        cuts=_CUTS,
    )
    return _recorded(_all_streams() if streams is None else streams, shapes)


@cache
def _all_streams() -> st.SearchStrategy[list[e.Event]]:
    return streams_of(max_items=2, unknown=True) | adversarial_streams(max_events=6)


_NEVER = st.sampled_from([False])
_PLACES = st.integers(0, 2**16)
# Not the size of the chunks: that would shrink to a chunk for each byte.
_CUTS = st.lists(_PLACES, max_size=6) | st.integers(1, 2**10)


class _Shape(NamedTuple):
    """The form of a log, independent of its events."""

    format: str
    looks: list[_Look]
    has_mark: bool
    is_zipped: bool
    end: int | None
    """Where it is torn."""
    cuts: list[int] | int
    """Where it is cut into chunks, or into how many of one size, about."""


@st.composite
def _recorded(
    draw: st.DrawFn,
    streams: st.SearchStrategy[list[e.Event]],
    shapes: st.SearchStrategy[_Shape],
) -> RecordedLog:
    events, shape = checked_stream(draw(streams)), draw(shapes)
    write, looks = _FORMATS[shape.format], shape.looks
    frames = [
        write(number, event, looks[number % len(looks)]) for number, event in enumerate(events)
    ]
    mark = b"\xef\xbb\xbf" if shape.has_mark else b""
    text = mark + b"".join([frame.text for frame in frames])
    whole = gzip.compress(text, mtime=0) if shape.is_zipped else text
    data = whole if shape.end is None or not whole else whole[: shape.end % len(whole)]
    there = zlib.decompressobj(wbits=31).decompress(data) if shape.is_zipped else data
    return RecordedLog(
        chunks=_cut(data, shape.cuts),
        events=tuple(events[: _count_within(len(there) - len(mark), frames)]),
        torn=len(data) < len(whole),
    )


def _count_within(size: int, frames: list[_Frame]) -> int:
    """Count the frames that hold their whole event in so many bytes."""
    start = count = 0
    for frame in frames:
        count += start + frame.event_end <= size
        start += len(frame.text)
    return count


def _cut(data: bytes, cuts: list[int] | int) -> tuple[bytes, ...]:
    size = len(data)
    if isinstance(cuts, int):
        places = {*range(0, size, max(1, size // cuts)), size}
    else:
        places = {0, size, *[cut % (size + 1) for cut in cuts]}
    return tuple([data[start:end] for start, end in pairwise(sorted(places))])


# --- formats --------------------------------------------------------------------------------------


class _Look(NamedTuple):
    """How one event is written."""

    newline: bytes
    blank_lines: Sequence[bytes]
    fields: Sequence[bytes]
    """Lines of server-sent events before the data; `%d` in one is the number of the event."""
    envelope: Sequence[str]
    spelling: str
    space: bytes
    """The bytes between `data:` and the data."""


_TIDY = _Look(b"\n", (), (), ("seq", "time", "thread"), "compact", b" ")
_FIELDS = [b": a comment", b":", b"event: message", b"id: %d", b"retry: 500", b"x: y", b"x"]
_LOOKS: st.SearchStrategy[list[_Look]] = st.lists(
    st.builds(
        _Look,
        newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
        blank_lines=st.lists(st.sampled_from([b"", b" \t"]), max_size=2),
        fields=st.lists(st.sampled_from(_FIELDS), max_size=2),
        envelope=st.sampled_from([(), ("seq",), ("time", "thread"), ("seq", "time", "thread")]),
        spelling=st.sampled_from(["compact", "spaced", "indented"]),
        space=st.sampled_from([b" ", b""]),
    ),
    min_size=1,
    max_size=4,
)
"""The looks of the events, in turn."""


class _Frame(NamedTuple):
    text: bytes
    event_end: int
    """Where in the text the last byte of the event ends."""


def _spelled(event: e.Event, spelling: str) -> bytes:
    if spelling == "compact":
        return encode(event)
    indent = 1 if spelling == "indented" else None
    return json.dumps(to_json(event), indent=indent).encode()


def _json_line(number: int, event: e.Event, look: _Look) -> _Frame:
    return _line(_spelled(event, _on_one_line(look)), look)


def _envelope(number: int, event: e.Event, look: _Look) -> _Frame:
    known: Json = {"seq": number, "time": 1735689600.5 + number, "thread": "thread_1"}
    chosen = {name: known[name] for name in look.envelope}
    head = json.dumps({**chosen, "event": 0}).encode().removesuffix(b"0}")
    return _line(head + _spelled(event, _on_one_line(look)) + b"}", look)


def _on_one_line(look: _Look) -> str:
    return "compact" if look.spelling == "compact" else "spaced"


def _line(text: bytes, look: _Look) -> _Frame:
    newline = b"\n" if look.newline == b"\n" else b"\r\n"  # lines do not end with a lone CR
    head = b"".join([blank + newline for blank in look.blank_lines])
    return _Frame(head + text + newline, len(head) + len(text))


def _server_sent(number: int, event: e.Event, look: _Look) -> _Frame:
    fields = [field.replace(b"%d", b"%d" % number) for field in look.fields]
    data = [b"data:" + look.space + line for line in _spelled(event, look.spelling).split(b"\n")]
    # One kind of line end in a frame: a lone CR before a lone LF would be one end and not two.
    text = look.newline.join([*fields, *data])
    return _Frame(text + look.newline * (2 + len(look.blank_lines)), len(text))


_Writer: TypeAlias = Callable[[int, e.Event, _Look], _Frame]

_FORMATS: dict[str, _Writer] = {
    "json_lines": _json_line,
    "envelopes": _envelope,
    "sse": _server_sent,
}
