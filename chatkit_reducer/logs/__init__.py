"""Recorded streams: reading, writing, replaying.

    read(log)            the events of a log, one by one
    replay(log)          the state after them, at full speed
    replay_threads(log)  a state for each thread in the log
    write(log, events)   a new log

A log is a path or a binary file. What it holds is found by looking, not by its name: server-sent
events as captured off the wire, or JSON lines, bare or in an envelope; plain, gzip or zstd.

`LogDecoder` does no I/O: bytes in, in pieces of any size, records out.
"""

from chatkit_reducer.logs.decoding import DEFAULT_MAX_EVENT_BYTES, LogDecoder, Record
from chatkit_reducer.logs.framing import Framing
from chatkit_reducer.logs.json_lines import JSON_LINES, encode_json_line
from chatkit_reducer.logs.reading import Log, read, read_records
from chatkit_reducer.logs.replaying import replay
from chatkit_reducer.logs.sse import SSE, encode_sse
from chatkit_reducer.logs.threads import replay_threads
from chatkit_reducer.logs.writing import write

__all__ = [
    "DEFAULT_MAX_EVENT_BYTES",
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
