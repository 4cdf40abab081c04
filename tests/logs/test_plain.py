"""The short way to a plain log: it never tells anything else than the long one."""

from __future__ import annotations

from hypothesis import example, given, note
from hypothesis import strategies as st

from chatkit_reducer import encode
from chatkit_reducer import events as e
from chatkit_reducer.logs import encode_sse
from chatkit_reducer.logs._json_lines import JSON_LINES
from chatkit_reducer.logs._sse import SSE
from chatkit_reducer.logs.formats._recognition import recognise
from chatkit_reducer.logs.formats.plain import plain_form
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit
from tests.support.wrapped_logs import LIKELY, SURE

LIMIT = 16 * 1024 * 1024
WRITERS = {**SURE, **LIKELY}
EVENT = encode(x.text_delta("m", "Hi"))
PIECES = st.sampled_from(
    [
        b"data: ",
        b"data:",
        b"event: x",
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b"{",
        b"}",
        b",",
        b"[",
        b" ",
        EVENT,
        EVENT[:-1] + b',"log":"x"}',
        EVENT[:-1] + b',"event":{"type":"notice"}}',
        b'{"type":"sung"}',
        b'{"type":"notice","level":"info","message":"x"}',
        b'{"event":' + EVENT + b"}",
        b'{"type":"error","msg":"gone","ts":1}',
        b'{"log":"x"}',
    ]
)


def is_never_another(head: bytes) -> None:
    told = plain_form(head)
    for final in (False, True):
        assert told is None or recognise(head, final=final, limit=LIMIT) is told


@given(st.lists(PIECES, max_size=8).map(b"".join))
@example(b"data: " + EVENT + b"\n\r\n")
@example(EVENT + b"\r" + EVENT + b"\n")
@example(EVENT[:-1] + b',"log":{"entries":[]}}\n')
def test_it_tells_nothing_else(head: bytes) -> None:
    is_never_another(head)


@given(events=chatkit.streams(max_items=2))
def test_of_any_form(events: list[e.Event]) -> None:
    for name, write in WRITERS.items():
        note(name)
        is_never_another(write([encode(event) for event in events]))


@given(chatkit.streams(max_items=2))
def test_a_plain_log_is_told_at_once(events: list[e.Event]) -> None:
    events = [x.added(x.message("first")), *events]

    assert plain_form(b"".join(map(encode_sse, events))) is SSE
    assert plain_form(b"".join(encode(event) + b"\n" for event in events)) is JSON_LINES
