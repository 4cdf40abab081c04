"""The forms in which people have a log: each a function of a plain one.

A writer takes the events as JSON texts, one a line, and gives the bytes of a file.
"""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator

Texts = list[bytes]
Writer = Callable[[Texts], bytes]

TIME = "2026-01-02T03:04:05.678Z"
NOISE = [
    b"INFO:     Started server process [4242]",
    b"Traceback (most recent call last):",
    b"  {not json} at all",
    b'127.0.0.1 - "POST /chatkit HTTP/1.1" 200 OK {"status": 200}',
]

_numbers = itertools.count(1)


def sse(texts: Texts) -> bytes:
    return b"".join(b"data: " + text + b"\n\n" for text in texts)


def lines(texts: Texts) -> bytes:
    return b"".join(text + b"\n" for text in texts)


def each(template: str) -> Writer:
    """A line for each event; `%s` is where it stands."""
    before, after = template.encode().split(b"%s")

    def write(texts: Texts) -> bytes:
        noise = [NOISE[n % len(NOISE)] + b"\n" for n in range(len(texts))]
        both = zip(noise, texts, strict=True)
        return b"".join(n + before + text + after + b"\n" for n, text in both)

    return write


def objects(wrap: Callable[[str], object], framed: bool = False) -> Writer:
    """A JSON object for each event, or for each line of a frame."""

    def write(texts: Texts) -> bytes:
        pieces = [text.decode() for text in texts]
        if framed:
            pieces = [line for text in pieces for line in (f"data: {text}\n", "\n")]
        return b"".join(json.dumps(wrap(piece)).encode() + b"\n" for piece in pieces)

    return write


def har(texts: Texts, *, indent: int | None = 2, encoded: bool = False) -> bytes:
    """Two responses, the second one first, among other requests."""
    middle = len(texts) // 2
    entries = [
        _entry("2026-01-01T00:00:00.000Z", "text/html", "<html>{}</html>"),
        _entry("2026-01-01T00:00:09.000Z", "text/event-stream", sse(texts[middle:]), encoded),
        _entry("2026-01-01T00:00:05.000Z", "text/event-stream", sse(texts[:middle]), encoded),
        _entry("2026-01-01T00:00:06.000Z", "image/png", b"\x89PNG\x00", True),
    ]
    creator = {"name": "WebInspector", "version": "537.36"}
    log = {"version": "1.2", "creator": creator, "pages": [{"id": "page_1"}], "entries": entries}
    return json.dumps({"log": log}, indent=indent).encode()


def _entry(started: str, mime: str, text: bytes | str, encoded: bool = False) -> object:
    content = {"size": len(text), "mimeType": mime}
    if encoded:
        data = text if isinstance(text, bytes) else text.encode()
        content |= {"encoding": "base64", "text": base64.b64encode(data).decode()}
    else:
        content["text"] = text.decode() if isinstance(text, bytes) else text
    return {
        "startedDateTime": started,
        "time": 12.5,
        "request": {"method": "POST", "url": "https://chat.example/chatkit"},
        "response": {"status": 200, "content": content},
    }


def har_messages(texts: Texts, name: str = "_eventSourceMessages") -> bytes:
    """As Chrome keeps the messages of a stream whose body it has not."""
    kind = {"type": "receive", "opcode": 1} if name == "_webSocketMessages" else {"eventName": ""}
    messages = [{**kind, "time": 1.5, "data": text.decode()} for text in texts]
    if name == "_webSocketMessages":
        request = '{"type":"threads.create","params":{}}'
        messages.insert(0, {"type": "send", "opcode": 1, "time": 1.0, "data": request})
    entry = {
        "startedDateTime": "2026-01-01T00:00:00Z",
        "request": {"url": "https://chat.example/chatkit"},
        "response": {"content": {"mimeType": "text/event-stream", "size": 0}},
        name: messages,
    }
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}}, indent=2).encode()


def devtools(texts: Texts) -> bytes:
    """Rows of Chrome's EventStream tab: Id, Type, Data, Time."""
    rows = [b"%d\tmessage\t%b\t12:34:56.%03d\n" % (n, t, n % 1000) for n, t in enumerate(texts)]
    return b"Id\tType\tData\tTime\n" + b"".join(rows)


def devtools_without_ids(texts: Texts) -> bytes:
    return b"".join(b"\tmessage\t%b\t12:34:56.789\r\n" % text for text in texts)


def devtools_cells(texts: Texts) -> bytes:
    """The same cells, each on a line of its own."""
    return b"".join(b"message\n%b\n12:34:56.789\n" % text for text in texts)


def table(delimiter: str, framed: bool = False) -> Writer:
    def write(texts: Texts) -> bytes:
        file = io.StringIO(newline="")
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "time", "event"])
        for number, text in enumerate(texts):
            writer.writerow(
                [number, TIME, f"data: {text.decode()}\n\n" if framed else text.decode()]
            )
        return file.getvalue().encode()

    return write


def docker_cut(texts: Texts) -> bytes:
    """Docker's JSON lines, each of at most so many characters of the output."""
    out = []
    for line in ["INFO starting {", *sse(texts).decode().split("\n")[:-1]]:
        parts = [line[n : n + 100] for n in range(0, len(line), 100)] or [""]
        parts[-1] += "\n"
        out += [
            json.dumps({"log": part, "stream": "stdout", "time": TIME}) + "\n" for part in parts
        ]
    return "".join(out).encode()


def kubernetes_cut(texts: Texts) -> bytes:
    out = []
    for line in sse(texts).split(b"\n")[:-1]:
        parts = [line[n : n + 100] for n in range(0, len(line), 100)] or [b""]
        tags = [b"P"] * (len(parts) - 1) + [b"F"]
        for tag, part in zip(tags, parts, strict=True):
            out.append(b"2026-01-02T03:04:05.678901234Z stdout %b %b\n" % (tag, part))
    return b"".join(out)


def bytes_printed(texts: Texts) -> bytes:
    """What `print(chunk)` of a Python client shows."""
    return b"".join(f"DEBUG got {sse([text])!r}\n".encode() for text in texts)


def text_printed(texts: Texts) -> bytes:
    return b"".join(f"chunk={text.decode()!r}\n".encode() for text in texts)


def dict_printed(texts: Texts) -> bytes:
    return b"".join(f"DEBUG:root:event {json.loads(text)!r}\n".encode() for text in texts)


def logfmt(texts: Texts) -> bytes:
    quoted = [json.dumps(text.decode(), ensure_ascii=False) for text in texts]
    return "".join(f"level=debug msg={one} n=1\n" for one in quoted).encode()


def curl_verbose(texts: Texts) -> bytes:
    head = (
        b"*   Trying 127.0.0.1:80...\n> POST /chatkit HTTP/1.1\n> Host: x\n>\n} [84 bytes data]\n"
    )
    head += b"< HTTP/1.1 200 OK\n< content-type: text/event-stream\n<\n{ [5 bytes data]\n"
    return head + sse(texts) + b"* Connection #0 left intact\n"


def http(body: bytes, *headers: bytes) -> bytes:
    head = [b"HTTP/1.1 200 OK", b"content-type: text/event-stream", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunked(texts: Texts, size: int = 61) -> bytes:
    body = sse(texts)
    chunks = [body[n : n + size] for n in range(0, len(body), size)] + [b""]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return http(framed, b"Transfer-Encoding: chunked")


def fenced(texts: Texts) -> bytes:
    return b"This is what I got:\n\n```json\n" + lines(texts) + b"```\n\nCan you help?\n"


def fields_apart(texts: Texts) -> bytes:
    """Server-sent events without a blank line anywhere."""
    frames = [b"id: %d\nevent: message\ndata: %b\n" % (n, text) for n, text in enumerate(texts)]
    return b": ping\n" + b"".join(frames)


def indented(texts: Texts, around: tuple[str, str, str] = ("", "\n", "\n")) -> bytes:
    start, between, end = around
    pretty = [json.dumps(json.loads(text), indent=2, ensure_ascii=False) for text in texts]
    return (start + between.join(pretty) + end).encode()


def encoded(name: str, write: Writer, mark: str = "") -> Writer:
    return lambda texts: (mark + write(texts).decode().replace("\n", "\r\n")).encode(name)


MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

# Forms that say by themselves that an event stands there, whatever its type.
SURE: dict[str, Writer] = {
    "sse, single newlines": lambda texts: b"".join(b"data: %b\n" % text for text in texts),
    "sse, single newlines, other fields": fields_apart,
    "sse, single CR LF": lambda texts: b"".join(b"data: %b\r\n" % text for text in texts),
    "sse, [DONE]": lambda texts: sse(texts) + b"data: [DONE]\n\n",
    "sse, two captures": lambda texts: sse(texts[:1])[:-1] + sse(texts[1:]),
    "sse, curl -i": lambda texts: http(sse(texts)),
    "sse, curl -v": curl_verbose,
    "sse, chunked": chunked,
    "sse, chunked in two responses": lambda texts: chunked(texts[:2], 7) + chunked(texts[2:]),
    "sse, in a fence": lambda texts: b"```\n" + sse(texts) + b"```\n",
    "lines, [DONE]": lambda texts: lines(texts) + b"[DONE]\n",
    "lines, comma": lambda texts: b"".join(text + b",\n" for text in texts),
    "lines, CR": lambda texts: lines(texts).replace(b"\n", b"\r"),
    "lines, in a fence": fenced,
    "lines, curl -i": lambda texts: http(lines(texts)),
    "array": lambda texts: b"[" + b",".join(texts) + b"]",
    "array, a line each": lambda texts: b"[\n" + b",\n".join(texts) + b"\n]\n",
    "array, indented": lambda texts: indented(texts, ("[\n", ",\n", "\n]\n")),
    "objects, indented": indented,
    "objects, indented, comma": lambda texts: indented(texts, ("", ",\n", ",\n")),
    "utf-16": encoded("utf-16-le", sse, MARK),
    "utf-16-be": encoded("utf-16-be", lines, MARK),
    "utf-16 without a mark": encoded("utf-16-le", lines),
    "utf-16-be without a mark": encoded("utf-16-be", sse),
    "utf-32": encoded("utf-32-le", lines, MARK),
    "utf-32-be without a mark": encoded("utf-32-be", sse),
    "har": har,
    "har, one line": lambda texts: har(texts, indent=None),
    "har, base64": lambda texts: har(texts, encoded=True),
    "field, in an envelope": objects(
        lambda text: {"seq": next(_numbers), "event": json.loads(text)}
    ),
}

# Forms that any program's log may have: recognised by an event that only ChatKit has.
LIKELY: dict[str, Writer] = {
    "devtools": devtools,
    "devtools, cells": devtools_cells,
    "har, event source": har_messages,
    "har, web socket": lambda texts: har_messages(texts, "_webSocketMessages"),
    "devtools without ids": devtools_without_ids,
    "objects, one behind another": b"".join,
    "csv": table(","),
    "csv, semicolons": table(";"),
    "csv, frames": table(",", framed=True),
    "tsv": table("\t"),
    "docker": objects(lambda s: {"log": s, "stream": "stdout", "time": TIME}, framed=True),
    "docker, bare": objects(lambda s: {"log": s + "\n", "stream": "stdout", "time": TIME}),
    "docker, cut": docker_cut,
    "fluentd": objects(lambda s: {"log": "data: " + s, "stream": "stdout"}),
    "kubernetes, cut": kubernetes_cut,
    "python's bytes": bytes_printed,
    "python's text": text_printed,
    "python's dict": dict_printed,
    "logfmt": logfmt,
    "prefix": each("2026-01-02 03:04:05,678 DEBUG app.stream %s"),
    "prefix, data": each("2026-01-02 03:04:05,678 DEBUG [app.stream] data: %s"),
    "prefix, level": each("DEBUG:root:%s"),
    "prefix, compose": each("chat-1  | data: %s"),
    "prefix, journald": each("Jan 02 03:04:05 host app[123]: data: %s"),
    "prefix, kubernetes": each("2026-01-02T03:04:05.678901234Z stdout F data: %s"),
    "prefix, colours": each("\x1b[2m2026-01-02\x1b[0m [\x1b[32mdebug\x1b[0m] %s\x1b[0m"),
    "prefix, mail": each("> data: %s"),
    "prefix, brackets": each("[2026-01-02 03:04:05] production.DEBUG: %s"),
    "field, message": objects(lambda s: {"level": 30, "time": 1, "message": s}),
    "field, structlog": objects(lambda s: {"event": s, "level": "debug", "timestamp": TIME}),
    "field, object": objects(lambda s: {"level": "debug", "payload": json.loads(s)}),
    "field, deep": objects(lambda s: {"a": {"b": [{"c": {"text": s}}]}, "z": 1}),
    "field, any name": objects(lambda s: {"t": 1, "ev": json.loads(s)}),
    "field, with a type": objects(lambda s: {"type": "message", "data": s}),
    "field, an object with a type": objects(lambda s: {"type": "sse", "data": json.loads(s)}),
    "field, journald": objects(lambda s: {"MESSAGE": "data: " + s, "_PID": "1"}),
    "field, indented": objects(lambda s: {"msg": json.dumps(json.loads(s), indent=2)}),
    "field, twice": objects(lambda s: {"log": json.dumps({"message": s}) + "\n"}),
    "field, with a prefix": objects(lambda s: {"log": f"12:00 INFO data: {s}\n"}),
    "field, in sse": lambda texts: b"".join(
        b"data: " + json.dumps({"payload": text.decode()}).encode() + b"\n\n" for text in texts
    ),
    "array of texts": lambda texts: json.dumps([text.decode() for text in texts]).encode(),
    "array of objects": lambda texts: json.dumps(
        [{"timestamp": 1, "message": text.decode()} for text in texts], indent=1
    ).encode(),
    "document": lambda texts: json.dumps(
        {"next": None, "events": [{"timestamp": 1, "message": text.decode()} for text in texts]}
    ).encode(),
    "document, indented": lambda texts: json.dumps(
        {"status": "ok", "data": {"events": [json.loads(text) for text in texts]}}, indent=2
    ).encode(),
    "utf-16, docker": encoded("utf-16-le", objects(lambda s: {"log": s + "\n"}), MARK),
}


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
