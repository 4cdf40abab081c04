"""The client: it sends one request and keeps the body of the response, byte for byte."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

from recorder.store import JsonObject

TIMEOUT = 20.0


@dataclass(frozen=True)
class Stop:
    """The client leaves after so many whole events, and so many bytes of the next one."""

    events: int
    bytes: int = 0


def send(port: int, request: JsonObject, stop: Stop | None = None) -> bytes:
    """The body of the response, without its chunked framing, up to its end or to the stop."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request(
            "POST", "/chatkit", json.dumps(request), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        body = response.read() if stop is None else _read_until(response, stop)
        # Both hold the socket: it is open until both are closed.
        response.close()
        return body
    finally:
        connection.close()


def _read_until(response: HTTPResponse, stop: Stop) -> bytes:
    body = b"".join(response.readline() for _ in range(2 * stop.events))
    # Even a read of no bytes would wait for the next chunk.
    return body + response.read(stop.bytes) if stop.bytes else body
