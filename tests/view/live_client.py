"""A client of live pages: requests of any shape, and server-sent events one by one."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from chatkit_reducer.events import Json

__all__ = ["Answer", "Sent", "data_of_page", "events_of", "get"]

_TIMEOUT = 10.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Sent(NamedTuple):
    """One server-sent event."""

    id: str
    event: str
    data: Json


def get(address: str, *hosts: str, path: str | None = None) -> Answer:
    """Ask for a page; with the `Host` of the address unless others, any number, are given."""
    head, _, body = _asked(address, {}, hosts, path).read().decode().partition("\r\n\r\n")
    return Answer(*_parsed(head), body)


def _asked(address: str, headers: dict[str, str], hosts: tuple[str, ...], path: str | None) -> Any:
    url = urlsplit(address)
    target = f"{url.path}{'?' if url.query else ''}{url.query}" if path is None else path
    lines = [f"GET {target} HTTP/1.0", *(f"Host: {host}" for host in hosts or (url.netloc,))]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection = socket.create_connection((url.hostname or "", url.port or 80), _TIMEOUT)
    with connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection.makefile("rb")


def _parsed(head: str) -> tuple[int, dict[str, str]]:
    first, *rest = head.split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}


def events_of(address: str, **headers: str) -> Iterator[Sent]:
    """Yield the events of a page; close the iterator to leave."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with _asked(address, named, (), None) as file:
        while file.readline() != b"\r\n":
            pass
        fields: dict[str, str] = {}
        for line in file:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                yield Sent(fields["id"], fields["event"], json.loads(fields["data"]))
                fields = {}


def data_of_page(html: str) -> Json:
    """The data of a page."""
    found = re.search(r'<script type="application/json" id="data">(.*)</script>', html)
    assert found is not None
    return json.loads(found[1])  # type: ignore[no-any-return]
