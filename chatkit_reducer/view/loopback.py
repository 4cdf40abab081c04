"""Who may look at a live page: programs of this machine that know its secret.

A page holds whole chats. It is served on the loopback address alone; its path begins with a token
of 128 bits, so that other users of the machine cannot guess it; and the `Host` of a request must be
a name of that address, so that a web site whose name leads to it (DNS rebinding) gets nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

__all__ = ["EVENT_STREAM", "HEADERS", "HTML", "LOOPBACK", "Door"]

LOOPBACK = "127.0.0.1"

HTML = "text/html; charset=utf-8"
EVENT_STREAM = "text/event-stream"

HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
}
"""The headers of each answer."""

_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::(\d+))?", re.ASCII | re.IGNORECASE)


class Door:
    """Lets requests in that may look.

    Args:
        port: the one that the `Host` must name; any if left out.
    """

    def __init__(self, port: int | None = None) -> None:
        self.token: str = secrets.token_urlsafe(16)
        self._port = port

    def way_in(self, hosts: Sequence[str], path: str) -> str | None:
        """Return the part of a path that comes behind the token; None if the request is refused.

        It begins with `/`. If it is empty, redirect to `home`: a page asks for its events with a
        relative address, which needs the `/`.

        Args:
            hosts: the values of all headers `Host`.
            path: of the request, without its query.
        """
        token, slash, rest = path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(errors="replace"), self.token.encode()):
            return None
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None or (self._port is not None and int(found[1] or 80) != self._port):
            return None
        return slash + rest

    @property
    def home(self) -> str:
        """The address of the first page, relative to the same address without its last `/`."""
        return f"{self.token}/"
