"""Logs of any length in the forms that people have, and logs that hold next to nothing.

A form is a function of `n` that gives a log: the first all hold the same `n` deltas of one message.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from benchmarks.logs import long_log, rewritten

__all__ = ["BARREN", "FORMS"]


def _har(log: bytes) -> bytes:
    body = rewritten(log, b"data: ", b"\n\n").decode()
    others = json.dumps([json.dumps({"type": "a {line}"})] * log.count(b"\n"))
    content = {"mimeType": "text/event-stream", "text": body}
    other = {"content": {"mimeType": "application/json", "text": others}}
    entries = [
        {"request": {"url": "https://example.com/other"}, "response": other},
        {"request": {"url": "https://example.com/chatkit"}, "response": {"content": content}},
    ]
    return json.dumps({"log": {"version": "1.2", "entries": entries}}, indent=2).encode()


def _nested(log: bytes) -> bytes:
    lines = [json.dumps({"log": line + "\n"}) for line in log.decode().splitlines()]
    return b"".join([json.dumps({"message": line}).encode() + b"\n" for line in lines])


def _behind_others(log: bytes) -> bytes:
    others = b'{"level": "info", "message": "nothing of {interest}"}\n' * log.count(b"\n")
    return others + rewritten(log, b"info: ", b"\n")


_MAKE: dict[str, Callable[[bytes], bytes]] = {
    "a HAR": _har,
    "lines with a prefix": lambda log: rewritten(log, b"2026-01-01 00:00:00 INFO chat: ", b"\n"),
    "lines with a long prefix": lambda log: rewritten(log, b"info {x} " * 200, b"\n"),
    "JSON in JSON in JSON": _nested,
    "UTF-16": lambda log: log.decode().encode("utf-16"),
    "lines of other programs first": _behind_others,
    "an array": lambda log: b"[" + rewritten(log, b"", b",")[:-1] + b"]",
    "data lines": lambda log: rewritten(log, b"data: ", b"\n"),
}


def _of(make: Callable[[bytes], bytes]) -> Callable[[int], bytes]:
    return lambda n: make(long_log(n))


FORMS: dict[str, Callable[[int], bytes]] = {name: _of(make) for name, make in _MAKE.items()}
"""Each folds to the state of the plain log."""


def _repeated(text: bytes) -> Callable[[int], bytes]:
    return lambda n: text * (20 * n)


_TORN = b'{"type":"thread.item.added"}\n'  # it has the type of an event, and lacks its item
_PREFIXED = b"info: " + _TORN
_FRAME = _PREFIXED + b"data: " + _TORN

BARREN: dict[str, Callable[[int], bytes]] = {
    "objects that only begin": _repeated(b"{\n"),
    "members that only begin": _repeated(b'{"a\n'),
    "arrays that only begin": _repeated(b"[\nx\n"),
    "brackets": _repeated(b"["),
    "empty objects": lambda n: b"[" + b"{}," * 20 * n,
    "lines of one byte": _repeated(b"x\n"),
    "blank lines": _repeated(b"\r\n"),
    "frames without data": _repeated(b":\n\n"),
    "torn strings": lambda n: b"[" + b'"\n' * 20 * n,
    "objects behind a word": _repeated(b'type {"a":1}\n'),
    "dicts as Python prints them": _repeated(b"{'type': 1}\n"),
    "lines that are not UTF-8": _repeated(b"\xfftype\n"),
    "objects in objects, in an array": lambda n: b"[" + b'{"a":{}},' * 20 * n,
    "values with words between them": lambda n: b"[" + b"x {}" * 20 * n,
    "a HAR of empty entries": lambda n: b'{"log":{"entries":[' + b"{}," * 20 * n,
    "a HAR of torn texts": lambda n: b'{"log":\n{"entries":[' + b'"\n' * 20 * n,
    "brackets on lines, behind an event": lambda n: _PREFIXED + b"[\n" * 20 * n,
    "comments behind a frame that nothing ends": lambda n: _FRAME + b":\n" * 20 * n,
    "events that lack fields, behind a word": _repeated(b'x {"type":"thread.item.added"}\n'),
    "quotes on one line": lambda n: _PREFIXED + b'"' * 20 * n,
    "data that only begins": lambda n: _PREFIXED + b"data: {\n" * 20 * n,
}
"""They hold no event."""
