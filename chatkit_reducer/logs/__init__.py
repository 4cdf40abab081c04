"""Recorded streams: reading, writing, replaying.

    read(log)            the events of a log, one by one
    replay(log)          the state after them, at full speed
    replay_threads(log)  a state for each thread in the log
    write(log, events)   a new log

A log is a path or a binary file. Its format is found by looking at the bytes, not by its
name: server-sent events as captured off the wire, or JSON lines, bare or in an envelope; plain,
gzip or zstd. Events inside of other text, such as a HAR or the log of another program, are taken
out of it first: see `logs.formats`.

`LogDecoder` does no I/O: bytes in, in pieces of any size, records out.
"""

from chatkit_reducer.logs._compression import DEFAULT_MAX_EXPANSION
from chatkit_reducer.logs._decoding import DEFAULT_MAX_EVENT_BYTES, LogDecoder
from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._json_lines import JSON_LINES, encode_json_line
from chatkit_reducer.logs._records import Record
from chatkit_reducer.logs._replaying import replay
from chatkit_reducer.logs._sse import SSE, encode_sse
from chatkit_reducer.logs.reading import Log, read, read_records
from chatkit_reducer.logs.threads import replay_threads
from chatkit_reducer.logs.writing import write

__all__ = [
    "DEFAULT_MAX_EVENT_BYTES",
    "DEFAULT_MAX_EXPANSION",
    "JSON_LINES",
    "SSE",
    "Framing",
    "Log",
    "LogDecoder",
    "Record",
    "encode_json_line",
    "encode_sse",
    "read",
    "read_records",
    "replay",
    "replay_threads",
    "write",
]
